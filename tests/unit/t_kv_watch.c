/* kv: who waits for a change is woken by it, and by nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <errno.h>

#include <cmocka.h>

#include "kv_run.h"
#include "seeded.h"

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

static struct kv_watch *last;

/* 1: due already. */
static int watch(enum kv_watch_kind kind, const char *key, uint64_t since, uint64_t cookie)
{
	struct kv_watch_spec spec = {
	    .kind = kind, .key = text_span(key), .since = since, .cookie = cookie};
	struct err e = {0};

	return kv_watch_add(r.kv, &spec, &last, &e);
}

/* The cookies of the last apply, in their order. */
static void assert_woke(const char *want)
{
	char text[200] = "";

	for (size_t i = 0; i < kv_output_due_count(&r.out); i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%u ",
		         (unsigned)kv_output_due(&r.out, i));
	assert_string_equal(text, want);
}

static void a_watch_of_what_has_changed_is_due_at_once(void **state)
{
	(void)state;
	kv_run_set(&r, "a", "1");
	kv_run_set(&r, "b/1", "1");
	kv_run_set(&r, "b/2", "1");
	assert_int_equal(watch(KV_WATCH_KEY, "a", 0, 1), 1);
	assert_int_equal(watch(KV_WATCH_PREFIX, "b/", 2, 1), 1);
	assert_int_equal(watch(KV_WATCH_KEY, "a", 1, 1), 0);
	assert_int_equal(watch(KV_WATCH_PREFIX, "b/", 3, 2), 0);
	assert_int_equal(watch(KV_WATCH_PREFIX, "", 2, 3), 1);
	/* A key that is not there, and never was. */
	assert_int_equal(watch(KV_WATCH_KEY, "none", 1, 3), 0);
	assert_int_equal(watch(KV_WATCH_KEY, "none", 0, 3), 1);
	assert_int_equal(watch(KV_WATCH_PREFIX, "none", 1, 3), 0);
}

static void a_watch_is_woken_by_its_key_once(void **state)
{
	(void)state;
	kv_run_set(&r, "a", "1");
	watch(KV_WATCH_KEY, "a", 1, 7);
	kv_run_set(&r, "b", "1");
	kv_run_set(&r, "aa", "1");
	assert_woke("");
	kv_run_set(&r, "a", "2");
	assert_woke("7 ");
	kv_run_set(&r, "a", "3");
	assert_woke("");
}

static void a_write_that_changes_nothing_wakes_nobody(void **state)
{
	(void)state;
	kv_run_set(&r, "a", "1");
	watch(KV_WATCH_KEY, "a", 1, 1);
	watch(KV_WATCH_PREFIX, "", 1, 2);
	kv_run_set(&r, "a", "1");
	assert_woke("");
	kv_run_cas(&r, "a", "2", 99);
	assert_woke("");
	kv_run_delete(&r, "b");
	assert_woke("");
}

static void a_prefix_is_woken_by_what_is_under_it(void **state)
{
	(void)state;
	kv_run_tick(&r, 0);
	watch(KV_WATCH_PREFIX, "a/b", 1, 1);
	watch(KV_WATCH_PREFIX, "a/", 1, 2);
	watch(KV_WATCH_PREFIX, "a/b/c", 1, 3);
	watch(KV_WATCH_PREFIX, "a/c", 1, 4);
	watch(KV_WATCH_PREFIX, "", 1, 5);
	watch(KV_WATCH_PREFIX, "a/b/d", 1, 6);
	watch(KV_WATCH_KEY, "a/b", 1, 7);
	watch(KV_WATCH_KEY, "a/bb", 1, 8);
	watch(KV_WATCH_PREFIX, "a/bbb", 1, 9);
	kv_run_set(&r, "0", "");
	assert_woke("5 ");
	kv_run_set(&r, "a/bb", "");
	assert_woke("8 1 2 ");
	kv_run_set(&r, "a/b/cc", "");
	assert_woke("3 ");
}

static void a_deletion_wakes(void **state)
{
	(void)state;
	kv_run_set(&r, "a", "1");
	kv_run_set(&r, "b/1", "1");
	watch(KV_WATCH_KEY, "a", 2, 1);
	watch(KV_WATCH_PREFIX, "b", 2, 2);
	watch(KV_WATCH_KEY, "c", 2, 3);
	kv_run_delete(&r, "a");
	assert_woke("1 ");
	kv_run_delete_tree(&r, "b");
	assert_woke("2 ");
}

/* A query that comes after the deletion, with the index from before it. */
static void a_watch_that_comes_late_knows_of_a_deletion(void **state)
{
	(void)state;
	kv_run_set(&r, "a", "1");
	kv_run_set(&r, "b/1", "1");
	kv_run_set(&r, "b/2", "1");
	kv_run_delete(&r, "a");
	kv_run_delete(&r, "b/2");
	assert_int_equal(watch(KV_WATCH_KEY, "a", 1, 1), 1);
	assert_int_equal(watch(KV_WATCH_PREFIX, "b/", 3, 1), 1);
	assert_int_equal(watch(KV_WATCH_KEY, "a", kv_key_index(r.kv, text_span("a")), 1), 0);
	assert_int_equal(watch(KV_WATCH_PREFIX, "b/", kv_prefix_index(r.kv, text_span("b/")), 2),
	                 0);
}

static void a_watch_older_than_the_tombstones_is_due_but_not_again(void **state)
{
	(void)state;
	kv_run_set(&r, "a", "1");
	kv_run_set(&r, "b/1", "1");
	kv_run_delete(&r, "a");
	kv_run_tick(&r, KV_TOMBSTONE_TTL_NS);
	assert_int_equal(watch(KV_WATCH_KEY, "a", 1, 1), 1);
	assert_int_equal(watch(KV_WATCH_KEY, "none", 2, 1), 1);
	assert_int_equal(watch(KV_WATCH_PREFIX, "b", 2, 1), 1);
	/* A key that is there tells its own index. */
	assert_int_equal(watch(KV_WATCH_KEY, "b/1", 2, 1), 0);
	assert_int_equal(watch(KV_WATCH_KEY, "a", kv_key_index(r.kv, text_span("a")), 1), 0);
	assert_int_equal(watch(KV_WATCH_PREFIX, "b", kv_prefix_index(r.kv, text_span("b")), 2), 0);
}

static void an_index_of_the_future_is_waited_for(void **state)
{
	(void)state;
	watch(KV_WATCH_KEY, "a", 3, 1);
	watch(KV_WATCH_KEY, "a", UINT64_MAX, 2);
	for (int i = 0; i < 3; i++) {
		kv_run_set(&r, "a", i % 2 ? "x" : "y");
		assert_woke("");
	}
	kv_run_set(&r, "a", "4");
	assert_woke("1 ");
}

static void a_transaction_wakes_each_once_and_none_when_it_fails(void **state)
{
	struct kv_command c = {.type = KV_TXN,
	                       .op_count = 3,
	                       .ops = {{.verb = KV_SET, .key = text_span("a")},
	                               {.verb = KV_DELETE, .key = text_span("a")},
	                               {.verb = KV_GET, .key = text_span("a")}}};

	(void)state;
	watch(KV_WATCH_KEY, "a", 1, 1);
	watch(KV_WATCH_PREFIX, "a", 1, 2);
	kv_run_tick(&r, 0);
	assert_int_equal(kv_run_command(&r, &c), KV_TXN_FAILED);
	assert_woke("");
	c.op_count = 2;
	assert_int_equal(kv_run_command(&r, &c), KV_OK);
	assert_woke("1 2 ");
}

static void a_lock_that_is_released_by_expiry_wakes(void **state)
{
	(void)state;
	kv_run_session(&r, 's', 10 * S, 5 * S);
	kv_run_lock(&r, "a", "", 's');
	watch(KV_WATCH_KEY, "a", r.index, 1);
	kv_run_renew(&r, 's');
	kv_run_tick(&r, 9 * S);
	assert_woke("");
	kv_run_tick(&r, S);
	assert_woke("1 ");
	/* The end of the delay changes no entry. */
	watch(KV_WATCH_KEY, "a", r.index, 2);
	kv_run_tick(&r, 5 * S);
	assert_woke("");
}

static void sessions_are_watched_one_and_all(void **state)
{
	static const char s[] = "ssssssssssssssss";
	static const char t[] = "tttttttttttttttt";

	(void)state;
	kv_run_tick(&r, 0);
	assert_int_equal(watch(KV_WATCH_SESSION, s, 1, 1), 0);
	assert_int_equal(watch(KV_WATCH_SESSION, t, 1, 2), 0);
	assert_int_equal(watch(KV_WATCH_SESSIONS, "", 1, 3), 0);
	kv_run_session(&r, 's', 10 * S, 0);
	assert_woke("1 3 ");
	assert_int_equal(watch(KV_WATCH_SESSION, s, 1, 1), 1);
	assert_int_equal(watch(KV_WATCH_SESSIONS, "", 1, 1), 1);
	assert_int_equal(watch(KV_WATCH_SESSION, s, 2, 1), 0);
	assert_int_equal(watch(KV_WATCH_SESSIONS, "ignored", 2, 3), 0);
	kv_run_renew(&r, 's');
	assert_woke("");
	kv_run_tick(&r, 10 * S);
	assert_woke("1 3 ");
	/* It is gone: the index is that of all sessions. */
	assert_int_equal(watch(KV_WATCH_SESSION, s, 2, 1), 1);
	assert_int_equal(watch(KV_WATCH_SESSION, s, kv_sessions_index(r.kv), 1), 0);
}

static void a_watch_that_was_removed_is_not_woken(void **state)
{
	struct kv_watch *w[3];
	struct kv_stat stat;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		watch(KV_WATCH_KEY, "a", 1, i);
		w[i] = last;
	}
	kv_get_stat(r.kv, &stat);
	assert_int_equal(stat.watches, 3);
	kv_watch_remove(r.kv, w[1]);
	kv_run_tick(&r, 0);
	kv_run_set(&r, "a", "");
	assert_woke("0 2 ");
	watch(KV_WATCH_PREFIX, "a", 2, 4);
	kv_watch_remove(r.kv, last);
	watch(KV_WATCH_PREFIX, "a", 2, 5);
	w[0] = last;
	watch(KV_WATCH_PREFIX, "a", 2, 6);
	kv_watch_remove(r.kv, last);
	kv_watch_remove(r.kv, w[0]);
	kv_run_set(&r, "a", "2");
	assert_woke("");
	kv_get_stat(r.kv, &stat);
	assert_int_equal(stat.watches, 0);
}

static void a_restore_wakes_all(void **state)
{
	struct kv_restore *restore = kv_restore_begin();
	struct buf b = kv_run_snapshot(r.kv, 100);
	struct kv_stat stat;
	struct err e;

	(void)state;
	watch(KV_WATCH_KEY, "a", 1, 1);
	watch(KV_WATCH_PREFIX, "b", 1, 2);
	watch(KV_WATCH_SESSIONS, "", 1, 3);
	watch(KV_WATCH_KEY, "a", UINT64_MAX, 4);
	assert_int_equal(kv_restore_write(restore, b.data, b.len, &e), 0);
	assert_int_equal(kv_restore_commit(restore, r.kv, &r.out, &e), 0);
	assert_int_equal(kv_output_due_count(&r.out), 4);
	for (uint64_t i = 1; i <= 4; i++)
		assert_true(kv_run_woke(&r, i));
	assert_false(kv_run_woke(&r, 5));
	kv_get_stat(r.kv, &stat);
	assert_int_equal(stat.watches, 0);
	buf_done(&b);
}

static void a_key_above_the_limit_is_refused(void **state)
{
	char *key = calloc(1, KV_KEY_MAX + 1);
	struct kv_watch_spec spec = {.key = {key, KV_KEY_MAX + 1}, .since = 1};
	struct err e;

	(void)state;
	assert_int_equal(kv_watch_add(r.kv, &spec, &last, &e), -1);
	assert_int_equal(e.code, EMSGSIZE);
	spec.key.len--;
	assert_int_equal(kv_watch_add(r.kv, &spec, &last, &e), 0);
	free(key);
}

/* ---- Beside a list of all watches. */

#define WATCHES 300

static void random_text(char to[8], uint64_t *rand)
{
	size_t n = seeded_below(rand, 6);

	for (size_t i = 0; i < n; i++)
		to[i] = (char)('a' + seeded_below(rand, 3));
	to[n] = '\0';
}

static void those_and_only_those_are_woken(void **state)
{
	uint64_t rand = seeded();
	struct {
		bool is_on, is_prefix;
		char key[8];
		struct kv_watch *w;
	} all[WATCHES] = {0};

	(void)state;
	for (unsigned round = 0; round < seeded_rounds(4000); round++) {
		unsigned n = (unsigned)seeded_below(&rand, WATCHES);
		char key[8];

		if (all[n].is_on && seeded_below(&rand, 4) == 0) {
			kv_watch_remove(r.kv, all[n].w);
			all[n].is_on = false;
		} else if (!all[n].is_on) {
			random_text(all[n].key, &rand);
			all[n].is_prefix = seeded_below(&rand, 2) == 0;
			all[n].is_on = watch(all[n].is_prefix ? KV_WATCH_PREFIX : KV_WATCH_KEY,
			                     all[n].key, r.index + 1, n) == 0;
			all[n].w = last;
		}
		kv_run_tick(&r, 0);
		random_text(key, &rand);
		if (key[0] == 0)
			continue;
		kv_run_set(&r, key, round % 2 ? "1" : "2");
		for (unsigned i = 0; i < WATCHES; i++) {
			bool matches = all[i].is_prefix
			                   ? strncmp(key, all[i].key, strlen(all[i].key)) == 0
			                   : strcmp(key, all[i].key) == 0;
			bool is_due =
			    all[i].is_on && matches && kv_run_get(&r, key).modify == r.index;

			assert_int_equal(kv_run_woke(&r, i), is_due);
			all[i].is_on = all[i].is_on && !is_due;
		}
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
	    TEST(a_watch_of_what_has_changed_is_due_at_once),
	    TEST(a_watch_is_woken_by_its_key_once),
	    TEST(a_write_that_changes_nothing_wakes_nobody),
	    TEST(a_prefix_is_woken_by_what_is_under_it),
	    TEST(a_deletion_wakes),
	    TEST(a_watch_that_comes_late_knows_of_a_deletion),
	    TEST(a_watch_older_than_the_tombstones_is_due_but_not_again),
	    TEST(an_index_of_the_future_is_waited_for),
	    TEST(a_transaction_wakes_each_once_and_none_when_it_fails),
	    TEST(a_lock_that_is_released_by_expiry_wakes),
	    TEST(sessions_are_watched_one_and_all),
	    TEST(a_watch_that_was_removed_is_not_woken),
	    TEST(a_restore_wakes_all),
	    TEST(a_key_above_the_limit_is_refused),
	    TEST(those_and_only_those_are_woken),
	};

	return cmocka_run_group_tests_name("kv_watch", tests, NULL, NULL);
}
