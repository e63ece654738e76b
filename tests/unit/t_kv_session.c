/* kv: sessions, what becomes of their keys, lock-delays and the cluster's clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kv_run.h"

#define S UINT64_C(1000000000)

static struct kv_run r;

static int begin(void **state)
{
	(void)state;
	kv_run_begin(&r);
	return 0;
}

static int end(void **state)
{
	(void)state;
	kv_run_end(&r);
	return 0;
}

static bool is_there(char session, struct kv_session *ret)
{
	unsigned char id[ID_LEN];

	memset(id, session, ID_LEN);
	return kv_session_get(r.kv, id, ret);
}

static bool lives(char session)
{
	struct kv_session s;

	return is_there(session, &s);
}

static void a_session_keeps_what_it_was_made_with(void **state)
{
	struct kv_command c = {.type = KV_SESSION_CREATE,
	                       .session = {.ttl_ns = 10 * S,
	                                   .lock_delay_ns = 15 * S,
	                                   .behavior = KV_DELETE_KEYS,
	                                   .name = {"n\0me", 4},
	                                   .node = text_span("host"),
	                                   .note = text_span("[\"serfHealth\"]")}};
	struct kv_session s;

	(void)state;
	memset(c.session.id, 's', ID_LEN);
	kv_run_tick(&r, 3 * S);
	assert_int_equal(kv_run_command(&r, &c), KV_OK);
	assert_true(is_there('s', &s));
	assert_true(s.spec.ttl_ns == 10 * S && s.spec.lock_delay_ns == 15 * S);
	assert_int_equal(s.spec.behavior, KV_DELETE_KEYS);
	assert_true(span_is(s.spec.name, c.session.name));
	assert_true(span_is(s.spec.node, c.session.node));
	assert_true(span_is(s.spec.note, c.session.note));
	assert_int_equal(s.create, 2);
	assert_int_equal(s.modify, 2);
	assert_true(s.expires_ns == 13 * S);
	assert_int_equal(kv_sessions_index(r.kv), 2);
	/* An id is used once. */
	assert_int_equal(kv_run_command(&r, &c), KV_SESSION_EXISTS);
}

static void sessions_are_listed_in_the_order_of_their_ids(void **state)
{
	const unsigned char *after = NULL;
	struct kv_session s;
	char seen[4] = "";

	(void)state;
	assert_int_equal(kv_sessions_index(r.kv), 1);
	kv_run_session(&r, 'c', 0, 0);
	kv_run_session(&r, 'a', 0, 0);
	kv_run_session(&r, 'b', 0, 0);
	for (unsigned char id[ID_LEN]; kv_session_next(r.kv, after, &s); after = id) {
		memcpy(id, s.spec.id, ID_LEN);
		strncat(seen, (const char *)id, 1);
	}
	assert_string_equal(seen, "abc");
	/* From an id that is not there. */
	kv_run_destroy(&r, 'b');
	assert_true(kv_session_next(r.kv, (const unsigned char *)"bbbbbbbbbbbbbbbb", &s));
	assert_int_equal(s.spec.id[0], 'c');
}

static void destroying_releases_the_keys(void **state)
{
	struct kv_entry e;

	(void)state;
	kv_run_session(&r, 's', 0, 0);
	kv_run_session(&r, 't', 0, 0);
	kv_run_lock(&r, "a", "1", 's');
	kv_run_lock(&r, "b", "2", 's');
	kv_run_lock(&r, "c", "3", 't');
	assert_int_equal(kv_run_destroy(&r, 's'), KV_OK);
	assert_false(lives('s'));
	e = kv_run_get(&r, "a");
	assert_int_equal(e.session[0], 0);
	assert_int_equal(e.modify, r.index);
	assert_int_equal(e.lock, 1);
	assert_true(span_is(e.value, text_span("1")));
	assert_int_equal(kv_run_get(&r, "b").session[0], 0);
	assert_int_equal(kv_run_get(&r, "c").session[0], 't');
	assert_int_equal(kv_sessions_index(r.kv), r.index);
	/* Without a delay the key is free at once. */
	assert_int_equal(kv_run_lock(&r, "a", "", 't'), KV_OK);
}

static void destroying_an_unknown_session_succeeds(void **state)
{
	(void)state;
	assert_int_equal(kv_run_destroy(&r, 's'), KV_OK);
	assert_int_equal(kv_sessions_index(r.kv), 1);
}

static void a_session_of_behavior_delete_takes_its_keys_along(void **state)
{
	struct kv_command c = {.type = KV_SESSION_CREATE,
	                       .session = {.behavior = KV_DELETE_KEYS, .lock_delay_ns = 5 * S}};

	(void)state;
	memset(c.session.id, 's', ID_LEN);
	kv_run_command(&r, &c);
	kv_run_session(&r, 't', 0, 0);
	kv_run_lock(&r, "a", "1", 's');
	kv_run_set(&r, "b", "");
	kv_run_destroy(&r, 's');
	assert_false(kv_run_has(&r, "a"));
	assert_true(kv_run_has(&r, "b"));
	assert_int_equal(kv_prefix_index(r.kv, text_span("a")), r.index);
	/* The delay is of the key, not of the entry. */
	assert_int_equal(kv_run_lock(&r, "a", "", 't'), KV_DELAYED);
}

/* ---- Lock-delay. */

static void a_key_whose_holder_ended_cannot_be_locked_for_a_while(void **state)
{
	(void)state;
	kv_run_tick(&r, 100 * S);
	kv_run_session(&r, 's', 0, 15 * S);
	kv_run_session(&r, 't', 0, 0);
	kv_run_lock(&r, "a", "", 's');
	kv_run_tick(&r, S);
	kv_run_destroy(&r, 's');
	assert_true(kv_next_expiry(r.kv) == 116 * S);
	assert_int_equal(kv_run_lock(&r, "a", "", 't'), KV_DELAYED);
	assert_int_equal(kv_run_lock(&r, "b", "", 't'), KV_OK);
	/* A write is not stopped. */
	assert_int_equal(kv_run_set(&r, "a", "x"), KV_OK);
	kv_run_tick(&r, 15 * S - 1);
	assert_int_equal(kv_run_lock(&r, "a", "", 't'), KV_DELAYED);
	r.clock_ns++;
	assert_int_equal(kv_run_lock(&r, "a", "", 't'), KV_OK);
	assert_true(kv_next_expiry(r.kv) == UINT64_MAX);
}

static void unlocking_leaves_no_delay(void **state)
{
	(void)state;
	kv_run_session(&r, 's', 0, 15 * S);
	kv_run_session(&r, 't', 0, 15 * S);
	kv_run_lock(&r, "a", "", 's');
	kv_run_unlock(&r, "a", "", 's');
	assert_int_equal(kv_run_lock(&r, "a", "", 't'), KV_OK);
	kv_run_destroy(&r, 's');
	assert_int_equal(kv_run_lock(&r, "a", "", 't'), KV_OK);
}

static void a_delay_outlives_the_key(void **state)
{
	struct kv_stat stat;

	(void)state;
	kv_run_session(&r, 's', 0, 15 * S);
	kv_run_session(&r, 't', 0, 15 * S);
	kv_run_lock(&r, "a", "", 's');
	kv_run_destroy(&r, 's');
	kv_run_delete(&r, "a");
	assert_int_equal(kv_run_lock(&r, "a", "", 't'), KV_DELAYED);
	kv_get_stat(r.kv, &stat);
	assert_int_equal(stat.delays, 1);
}

/* ---- Time to live. */

static void a_session_expires_exactly_when_its_time_has_passed(void **state)
{
	(void)state;
	kv_run_tick(&r, 7 * S);
	kv_run_session(&r, 's', 10 * S, 0);
	assert_true(kv_next_expiry(r.kv) == 17 * S);
	kv_run_lock(&r, "a", "1", 's');
	kv_run_tick(&r, 10 * S - 1);
	assert_true(lives('s'));
	assert_int_equal(kv_run_get(&r, "a").session[0], 's');
	kv_run_tick(&r, 1);
	assert_false(lives('s'));
	assert_int_equal(kv_run_get(&r, "a").session[0], 0);
	assert_int_equal(kv_run_get(&r, "a").modify, r.index);
	assert_true(kv_next_expiry(r.kv) == UINT64_MAX);
}

static void entries_that_take_no_time_expire_nothing(void **state)
{
	(void)state;
	kv_run_session(&r, 's', S, 0);
	for (int i = 0; i < 1000; i++)
		kv_run_set(&r, "a", i % 2 ? "x" : "y");
	assert_true(lives('s'));
}

static void a_session_without_ttl_lives_on(void **state)
{
	(void)state;
	kv_run_session(&r, 's', 0, 0);
	assert_true(kv_next_expiry(r.kv) == UINT64_MAX);
	kv_run_tick(&r, UINT64_MAX / 2);
	assert_int_equal(kv_run_renew(&r, 's'), KV_OK);
	assert_true(lives('s'));
}

static void renewing_counts_from_now_and_changes_no_index(void **state)
{
	struct kv_session s;

	(void)state;
	kv_run_session(&r, 's', 10 * S, 0);
	kv_run_tick(&r, 9 * S);
	assert_int_equal(kv_run_renew(&r, 's'), KV_OK);
	assert_true(is_there('s', &s));
	assert_int_equal(s.modify, 1);
	assert_true(s.expires_ns == 19 * S);
	assert_int_equal(kv_sessions_index(r.kv), 1);
	kv_run_tick(&r, 9 * S);
	assert_true(lives('s'));
	kv_run_tick(&r, S);
	assert_false(lives('s'));
	assert_int_equal(kv_run_renew(&r, 's'), KV_NO_SESSION);
}

/* What has expired has done so before the command of the same entry is looked at. */
static void a_command_sees_nothing_that_has_expired(void **state)
{
	(void)state;
	kv_run_session(&r, 's', 10 * S, 0);
	kv_run_session(&r, 't', 0, 0);
	kv_run_lock(&r, "a", "", 's');
	r.clock_ns = 10 * S;
	assert_int_equal(kv_run_lock(&r, "a", "", 't'), KV_OK);
	kv_run_session(&r, 's', 10 * S, 0);
	r.clock_ns = 20 * S;
	assert_int_equal(kv_run_renew(&r, 's'), KV_NO_SESSION);
	kv_run_session(&r, 's', 10 * S, 0);
	r.clock_ns = 30 * S;
	assert_int_equal(kv_run_lock(&r, "b", "", 's'), KV_INVALID_SESSION);
}

/* Whatever the entry holds. */
static void an_entry_that_is_refused_has_a_clock_too(void **state)
{
	(void)state;
	kv_run_session(&r, 's', 10 * S, 0);
	r.clock_ns = 10 * S;
	assert_int_equal(kv_run_bytes(&r, text_span("\1no command")), KV_BAD_COMMAND);
	assert_false(lives('s'));
}

static void a_delay_counts_from_the_entry_that_ended_the_session(void **state)
{
	(void)state;
	kv_run_session(&r, 's', 10 * S, 5 * S);
	kv_run_session(&r, 't', 0, 0);
	kv_run_lock(&r, "a", "", 's');
	/* No entry came for a long time. */
	r.clock_ns = 100 * S;
	assert_int_equal(kv_run_lock(&r, "a", "", 't'), KV_DELAYED);
	kv_run_tick(&r, 5 * S);
	assert_int_equal(kv_run_lock(&r, "a", "", 't'), KV_OK);
}

static void times_at_the_end_of_time_do_not_wrap(void **state)
{
	(void)state;
	kv_run_tick(&r, 5 * S);
	kv_run_session(&r, 's', UINT64_MAX, UINT64_MAX);
	kv_run_session(&r, 't', 0, 0);
	kv_run_lock(&r, "a", "", 's');
	kv_run_tick(&r, 5 * S);
	assert_true(lives('s'));
	kv_run_destroy(&r, 's');
	assert_int_equal(kv_run_lock(&r, "a", "", 't'), KV_DELAYED);
}

/* Both are ended by one entry, and each releases its own. */
static void sessions_that_expire_together_end_together(void **state)
{
	(void)state;
	kv_run_session(&r, 's', 10 * S, 0);
	kv_run_session(&r, 't', 10 * S, 0);
	kv_run_session(&r, 'u', 11 * S, 0);
	kv_run_lock(&r, "a", "", 's');
	kv_run_lock(&r, "b", "", 't');
	kv_run_lock(&r, "c", "", 'u');
	kv_run_tick(&r, 10 * S);
	assert_false(lives('s') || lives('t'));
	assert_true(lives('u'));
	assert_int_equal(kv_run_get(&r, "b").session[0], 0);
	assert_int_equal(kv_run_get(&r, "c").session[0], 'u');
}

/*
 * Trap: a leader that was deposed says that a session has expired, and it has been renewed since.
 * Here nobody can say so: the same entries with a renewal between them end nothing.
 */
static void nothing_that_a_late_leader_proposes_ends_a_renewed_session(void **state)
{
	(void)state;
	kv_run_session(&r, 's', 10 * S, 0);
	kv_run_tick(&r, 8 * S);
	kv_run_renew(&r, 's');
	/* The tick that was proposed for the old end. */
	kv_run_tick(&r, 2 * S);
	assert_true(lives('s'));
	kv_run_tick(&r, 0);
	assert_true(lives('s'));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
	    TEST(a_session_keeps_what_it_was_made_with),
	    TEST(sessions_are_listed_in_the_order_of_their_ids),
	    TEST(destroying_releases_the_keys),
	    TEST(destroying_an_unknown_session_succeeds),
	    TEST(a_session_of_behavior_delete_takes_its_keys_along),
	    TEST(a_key_whose_holder_ended_cannot_be_locked_for_a_while),
	    TEST(unlocking_leaves_no_delay),
	    TEST(a_delay_outlives_the_key),
	    TEST(a_session_expires_exactly_when_its_time_has_passed),
	    TEST(entries_that_take_no_time_expire_nothing),
	    TEST(a_session_without_ttl_lives_on),
	    TEST(renewing_counts_from_now_and_changes_no_index),
	    TEST(a_command_sees_nothing_that_has_expired),
	    TEST(an_entry_that_is_refused_has_a_clock_too),
	    TEST(a_delay_counts_from_the_entry_that_ended_the_session),
	    TEST(times_at_the_end_of_time_do_not_wrap),
	    TEST(sessions_that_expire_together_end_together),
	    TEST(nothing_that_a_late_leader_proposes_ends_a_renewed_session),
	};

	return cmocka_run_group_tests_name("kv_session", tests, NULL, NULL);
}
