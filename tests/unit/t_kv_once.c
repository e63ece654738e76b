/* kv: a command that is sent again is not done again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kv/once.h"
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

static struct kv_command command_of(char client, uint64_t seq, uint64_t first)
{
	struct kv_command c = {.type = KV_TICK,
	                       .has_once = true,
	                       .once = {.seq = seq, .first_outstanding = first, .ttl_ns = 60 * S}};

	memset(c.once.client, client, ID_LEN);
	return c;
}

static uint8_t set(char client, uint64_t seq, uint64_t first, const char *value)
{
	struct kv_command c = command_of(client, seq, first);

	c.type = KV_ONE;
	c.op_count = 1;
	c.ops[0] = (struct kv_op){.verb = KV_SET, .key = text_span("a"), .value = text_span(value)};
	return kv_run_command(&r, &c);
}

static void assert_value(const char *value)
{
	assert_true(span_is(kv_run_get(&r, "a").value, text_span(value)));
}

static uint64_t results(void)
{
	struct kv_stat stat;

	kv_get_stat(r.kv, &stat);
	return stat.results;
}

static void the_same_number_gives_the_same_result_and_changes_nothing(void **state)
{
	(void)state;
	assert_int_equal(set('c', 1, 1, "1"), KV_OK);
	assert_int_equal(r.result.modify, 1);
	kv_run_set(&r, "a", "by another");
	assert_int_equal(set('c', 1, 1, "1"), KV_OK);
	assert_int_equal(r.result.modify, 1);
	assert_value("by another");
}

static void also_an_answer_of_no_is_kept(void **state)
{
	struct kv_command c = command_of('c', 1, 1);

	(void)state;
	c.type = KV_ONE;
	c.op_count = 1;
	c.ops[0] = (struct kv_op){.verb = KV_CAS, .key = text_span("a"), .index = 2};
	assert_int_equal(kv_run_command(&r, &c), KV_STALE);
	kv_run_set(&r, "a", "x");
	assert_int_equal(kv_run_command(&r, &c), KV_STALE);
	assert_value("x");
}

static void numbers_of_different_clients_are_different(void **state)
{
	(void)state;
	assert_int_equal(set('c', 1, 1, "1"), KV_OK);
	assert_int_equal(set('d', 1, 1, "2"), KV_OK);
	assert_value("2");
}

static void commands_that_are_under_way_together_may_come_in_any_order(void **state)
{
	(void)state;
	set('c', 1, 1, "1");
	set('c', 4, 2, "4");
	set('c', 2, 2, "2");
	set('c', 3, 2, "3");
	assert_int_equal(set('c', 4, 2, "4"), KV_OK);
	assert_value("3");
	assert_int_equal(results(), 3);
}

static void results_that_nobody_waits_for_are_dropped(void **state)
{
	(void)state;
	for (uint64_t seq = 1; seq < 100; seq++)
		set('c', seq, seq, "x");
	assert_int_equal(results(), 1);
	assert_int_equal(set('c', 98, 98, "x"), KV_FORGOTTEN);
	/* What the client said before counts, whatever it says now. */
	assert_int_equal(set('c', 99, 1, "x"), KV_OK);
	assert_int_equal(set('c', 98, 1, "x"), KV_FORGOTTEN);
}

static void a_retry_may_say_another_first_outstanding(void **state)
{
	(void)state;
	set('c', 1, 1, "1");
	set('c', 2, 1, "2");
	set('c', 3, 1, "3");
	assert_int_equal(set('c', 3, 3, "3"), KV_OK);
	assert_int_equal(r.result.modify, 3);
}

static void another_command_of_the_same_number_is_refused(void **state)
{
	(void)state;
	set('c', 1, 1, "1");
	assert_int_equal(set('c', 1, 1, "2"), KV_REUSED);
	assert_value("1");
	assert_int_equal(set('c', 1, 1, "1"), KV_OK);
}

static void a_client_that_is_not_known_begins_with_1(void **state)
{
	(void)state;
	assert_int_equal(set('c', 2, 2, "1"), KV_UNKNOWN_CLIENT);
	assert_false(kv_run_has(&r, "a"));
	assert_int_equal(set('c', 2, 1, "1"), KV_UNKNOWN_CLIENT);
	assert_int_equal(results(), 0);
}

static void a_client_is_forgotten_after_its_ttl(void **state)
{
	struct kv_stat stat;

	(void)state;
	set('c', 1, 1, "1");
	kv_run_tick(&r, 59 * S);
	set('c', 2, 2, "2");
	assert_true(kv_next_expiry(r.kv) == 119 * S);
	kv_run_tick(&r, 59 * S);
	/* A repetition counts as life. */
	assert_int_equal(set('c', 2, 2, "2"), KV_OK);
	kv_run_tick(&r, 59 * S);
	kv_get_stat(r.kv, &stat);
	assert_int_equal(stat.clients, 1);
	kv_run_tick(&r, 1 * S);
	kv_get_stat(r.kv, &stat);
	assert_int_equal(stat.clients, 0);
	assert_int_equal(stat.results, 0);
	assert_int_equal(set('c', 2, 2, "2"), KV_UNKNOWN_CLIENT);
	assert_int_equal(set('c', 3, 2, "2"), KV_UNKNOWN_CLIENT);
}

static void one_client_has_so_many_results_and_the_oldest_goes(void **state)
{
	(void)state;
	for (uint64_t seq = 1; seq <= KV_ONCE_WINDOW; seq++)
		set('c', seq, 1, "x");
	assert_int_equal(results(), KV_ONCE_WINDOW);
	assert_int_equal(set('c', 1, 1, "x"), KV_OK);
	set('c', KV_ONCE_WINDOW + 1, 1, "y");
	assert_int_equal(results(), KV_ONCE_WINDOW);
	/* It is not done again. */
	assert_int_equal(set('c', 1, 1, "x"), KV_FORGOTTEN);
	assert_value("y");
	assert_int_equal(set('c', 2, 1, "x"), KV_OK);
}

static void there_are_so_many_clients_and_the_one_that_would_expire_first_goes(void **state)
{
	struct kv_command c = command_of('c', 1, 1);
	struct kv_stat stat;
	struct err e;

	(void)state;
	r.unchecked = true;
	for (uint64_t i = 0; i <= KV_CLIENTS_MAX; i++) {
		memcpy(c.once.client, &i, sizeof(i));
		/* The second one would go first. */
		c.once.ttl_ns = i == 1 ? 10 : 20;
		assert_int_equal(kv_run_command(&r, &c), KV_OK);
	}
	kv_get_stat(r.kv, &stat);
	assert_int_equal(stat.clients, KV_CLIENTS_MAX);
	assert_int_equal(stat.results, KV_CLIENTS_MAX);
	assert_int_equal(kv_check(r.kv, &e), 0);
	c.once.seq = 2;
	for (uint64_t i = 0; i < 3; i++) {
		memcpy(c.once.client, &i, sizeof(i));
		assert_int_equal(kv_run_command(&r, &c), i == 1 ? KV_UNKNOWN_CLIENT : KV_OK);
	}
}

/* A transaction whose result is some 60 KiB. */
static void set_reader(struct kv_command *c, unsigned n)
{
	c->type = KV_TXN;
	c->op_count = 1;
	c->ops[0] = (struct kv_op){.verb = KV_GET, .key = text_span("big")};
	memcpy(c->once.client, &n, sizeof(n));
}

static void all_results_have_so_many_bytes_and_a_client_goes_with_its_own(void **state)
{
	char *value = calloc(1, KV_VALUE_MAX);
	struct kv_op op = {.verb = KV_SET, .key = text_span("big"), .value = {value, 60000}};
	struct kv_command c = command_of('c', 1, 1);
	struct kv_stat stat;
	struct err e;
	unsigned n = KV_ONCE_BYTES_MAX / 60000 + 2;

	(void)state;
	kv_run_op(&r, &op);
	r.unchecked = true;
	for (unsigned i = 0; i < n; i++) {
		set_reader(&c, i);
		/* Also when they never expire. */
		c.once.ttl_ns = i == 0 ? UINT64_MAX - 1 : UINT64_MAX;
		assert_int_equal(kv_run_command(&r, &c), KV_OK);
	}
	kv_get_stat(r.kv, &stat);
	assert_true(stat.results < n && stat.results > n - 5);
	assert_int_equal(kv_check(r.kv, &e), 0);
	c.once.seq = 2;
	set_reader(&c, 0);
	assert_int_equal(kv_run_command(&r, &c), KV_UNKNOWN_CLIENT);
	set_reader(&c, n - 1);
	assert_int_equal(kv_run_command(&r, &c), KV_OK);
	free(value);
}

static void a_result_too_large_to_keep_is_refused_and_nothing_is_done(void **state)
{
	char *value = calloc(1, KV_VALUE_MAX);
	struct kv_op op = {.verb = KV_SET, .key = text_span("big"), .value = {value, 70000}};
	struct kv_command c = command_of('c', 1, 1);

	(void)state;
	kv_run_op(&r, &op);
	set_reader(&c, 0);
	c.ops[c.op_count++] = (struct kv_op){.verb = KV_SET, .key = text_span("a")};
	assert_int_equal(kv_run_command(&r, &c), KV_TOO_LARGE);
	assert_false(kv_run_has(&r, "a"));
	/* One operation that wants its entry. */
	c = command_of('d', 1, 1);
	c.type = KV_ONE;
	c.want_entry = true;
	c.op_count = 1;
	op.key = text_span("big2");
	c.ops[0] = op;
	assert_int_equal(kv_run_command(&r, &c), KV_TOO_LARGE);
	assert_int_equal(kv_run_command(&r, &c), KV_TOO_LARGE);
	assert_false(kv_run_has(&r, "big2"));
	c.ops[0].value.len = 60000;
	c.once.seq = 2;
	assert_int_equal(kv_run_command(&r, &c), KV_OK);
	assert_true(kv_run_has(&r, "big2"));
	assert_int_equal(r.result.entry_count, 1);
	free(value);
}

/* Trap: the table of results belongs to the snapshot. */
static void a_restored_node_knows_what_was_done(void **state)
{
	struct kv_restore *restore = kv_restore_begin();
	struct kv_run other;
	struct buf b;
	struct err e;

	(void)state;
	kv_run_begin(&other);
	set('c', 1, 1, "1");
	set('c', 2, 1, "2");
	b = kv_run_snapshot(r.kv, 1000);
	assert_int_equal(kv_restore_write(restore, b.data, b.len, &e), 0);
	assert_int_equal(kv_restore_commit(restore, other.kv, &other.out, &e), 0);
	other.index = r.index;
	kv_run_end(&r);
	r = other;
	assert_int_equal(set('c', 1, 1, "1"), KV_OK);
	assert_int_equal(r.result.modify, 1);
	assert_value("2");
	assert_int_equal(set('c', 3, 3, "3"), KV_OK);
	buf_done(&b);
}

static void sessions_and_ticks_can_be_done_once(void **state)
{
	struct kv_command c = command_of('c', 1, 1);

	(void)state;
	assert_int_equal(kv_run_command(&r, &c), KV_OK);
	c = command_of('c', 2, 1);
	c.type = KV_SESSION_CREATE;
	c.session.behavior = KV_RELEASE;
	memset(c.session.id, 's', ID_LEN);
	assert_int_equal(kv_run_command(&r, &c), KV_OK);
	assert_int_equal(kv_run_command(&r, &c), KV_OK);
	c.once.seq = 3;
	assert_int_equal(kv_run_command(&r, &c), KV_SESSION_EXISTS);
}

/* Every command of some clients is sent at least once, at any time: each is done once. */
static void counters_count_each_command_once(void **state)
{
	uint64_t rand = seeded();
	uint64_t done[4] = {0};
	uint64_t value = 0;

	(void)state;
	for (unsigned round = 0; round < seeded_rounds(3000); round++) {
		unsigned n = (unsigned)seeded_below(&rand, 4);
		struct kv_command c = command_of((char)('a' + n), 0, 0);
		uint64_t back = done[n] > 0 ? seeded_below(&rand, 2) : 0;
		uint64_t index = kv_run_has(&r, "n") ? kv_run_get(&r, "n").modify : 0;
		char text[24];

		/* The next command, or the last one again; a rise of the counter by cas. */
		c.once.seq = done[n] + 1 - back;
		c.once.first_outstanding = c.once.seq;
		c.type = KV_TXN;
		c.op_count = 1;
		snprintf(text, sizeof(text), "%u.%u", n, (unsigned)c.once.seq);
		c.ops[0] =
		    (struct kv_op){.verb = KV_SET, .key = text_span("n"), .value = text_span(text)};
		assert_int_equal(kv_run_command(&r, &c), KV_OK);
		value += back == 0;
		done[n] += 1 - back;
		assert_true((kv_run_get(&r, "n").modify == r.index) == (back == 0));
		if (back > 0)
			assert_int_equal(kv_run_get(&r, "n").modify, index);
	}
	assert_int_equal(done[0] + done[1] + done[2] + done[3], value);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
	    TEST(the_same_number_gives_the_same_result_and_changes_nothing),
	    TEST(also_an_answer_of_no_is_kept),
	    TEST(numbers_of_different_clients_are_different),
	    TEST(commands_that_are_under_way_together_may_come_in_any_order),
	    TEST(results_that_nobody_waits_for_are_dropped),
	    TEST(a_retry_may_say_another_first_outstanding),
	    TEST(another_command_of_the_same_number_is_refused),
	    TEST(a_client_that_is_not_known_begins_with_1),
	    TEST(a_client_is_forgotten_after_its_ttl),
	    TEST(one_client_has_so_many_results_and_the_oldest_goes),
	    TEST(there_are_so_many_clients_and_the_one_that_would_expire_first_goes),
	    TEST(all_results_have_so_many_bytes_and_a_client_goes_with_its_own),
	    TEST(a_result_too_large_to_keep_is_refused_and_nothing_is_done),
	    TEST(a_restored_node_knows_what_was_done),
	    TEST(sessions_and_ticks_can_be_done_once),
	    TEST(counters_count_each_command_once),
	};

	return cmocka_run_group_tests_name("kv_once", tests, NULL, NULL);
}
