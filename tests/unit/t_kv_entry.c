/* kv: what the operations on keys do, one test for each promise. */
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

static void assert_value(const char *key, const char *value)
{
	assert_true(span_is(kv_run_get(&r, key).value, text_span(value)));
}

/* ---- set */

static void set_creates_and_replaces(void **state)
{
	struct kv_entry e;

	(void)state;
	assert_int_equal(kv_run_set(&r, "a", "1"), KV_OK);
	assert_int_equal(r.result.modify, 1);
	assert_int_equal(kv_run_set(&r, "b", "x"), KV_OK);
	assert_int_equal(kv_run_set(&r, "a", "2"), KV_OK);
	assert_int_equal(r.result.modify, 3);
	e = kv_run_get(&r, "a");
	assert_int_equal(e.create, 1);
	assert_int_equal(e.modify, 3);
	assert_int_equal(e.lock, 0);
	assert_int_equal(e.fence, 0);
	assert_true(e.has_value);
	assert_value("a", "2");
}

static void keys_and_values_are_any_bytes(void **state)
{
	static const char longest[KV_KEY_MAX] = {[7] = 'x'};
	char *value = calloc(1, KV_VALUE_MAX);
	struct kv_op op = {.verb = KV_SET, .key = {longest, KV_KEY_MAX}};
	struct kv_entry e;

	(void)state;
	value[KV_VALUE_MAX - 1] = 'v';
	op.value = (struct span){value, KV_VALUE_MAX};
	assert_int_equal(kv_run_op(&r, &op), KV_OK);
	assert_true(kv_get(r.kv, op.key, &e));
	assert_true(span_is(e.value, op.value));
	op.key = (struct span){"\0", 1};
	op.value = (struct span){"", 0};
	assert_int_equal(kv_run_op(&r, &op), KV_OK);
	assert_true(kv_get(r.kv, op.key, &e));
	assert_int_equal(e.value.len, 0);
	free(value);
}

static void flags_have_64_bits(void **state)
{
	struct kv_op op = {.verb = KV_SET, .key = text_span("a"), .flags = 3304740253564472344};

	(void)state;
	assert_int_equal(kv_run_op(&r, &op), KV_OK);
	assert_true(kv_run_get(&r, "a").flags == 3304740253564472344);
}

static void a_write_that_changes_nothing_is_none(void **state)
{
	struct kv_op op = {.verb = KV_SET, .key = text_span("a"), .value = text_span("1")};

	(void)state;
	kv_run_set(&r, "a", "1");
	assert_int_equal(kv_run_set(&r, "a", "1"), KV_OK);
	assert_int_equal(r.result.modify, 1);
	assert_int_equal(kv_run_get(&r, "a").modify, 1);
	assert_int_equal(kv_table_index(r.kv), 1);
	assert_int_equal(kv_run_cas(&r, "a", "1", 1), KV_OK);
	assert_int_equal(kv_run_get(&r, "a").modify, 1);
	/* Other flags are a change. */
	op.flags = 1;
	kv_run_op(&r, &op);
	assert_int_equal(kv_run_get(&r, "a").modify, r.index);
}

static void a_plain_set_works_on_a_locked_key_and_keeps_its_holder_and_indexes(void **state)
{
	struct kv_entry e;

	(void)state;
	kv_run_session(&r, 's', 0, 0);
	kv_run_lock(&r, "a", "1", 's');
	assert_int_equal(kv_run_set(&r, "a", "2"), KV_OK);
	e = kv_run_get(&r, "a");
	assert_int_equal(e.session[0], 's');
	assert_int_equal(e.lock, 1);
	assert_int_equal(e.fence, 2);
	assert_int_equal(e.modify, 3);
	assert_int_equal(kv_run_cas(&r, "a", "3", 3), KV_OK);
	assert_int_equal(kv_run_get(&r, "a").lock, 1);
}

/* ---- cas */

static void cas_compares_the_modify_index(void **state)
{
	(void)state;
	assert_int_equal(kv_run_cas(&r, "a", "1", 7), KV_STALE);
	assert_false(kv_run_has(&r, "a"));
	assert_int_equal(kv_run_cas(&r, "a", "1", 0), KV_OK);
	assert_int_equal(kv_run_cas(&r, "a", "2", 0), KV_STALE);
	assert_int_equal(kv_run_cas(&r, "a", "2", 1), KV_STALE);
	assert_value("a", "1");
	assert_int_equal(r.result.modify, 2);
	assert_int_equal(kv_run_cas(&r, "a", "2", 2), KV_OK);
	assert_value("a", "2");
}

/* ---- delete */

static void delete_succeeds_also_when_there_is_nothing(void **state)
{
	(void)state;
	kv_run_set(&r, "a", "1");
	assert_int_equal(kv_run_delete(&r, "a"), KV_OK);
	assert_int_equal(r.result.modify, 0);
	assert_false(kv_run_has(&r, "a"));
	assert_int_equal(kv_table_index(r.kv), 2);
	assert_int_equal(kv_run_delete(&r, "a"), KV_OK);
	assert_int_equal(kv_table_index(r.kv), 2);
}

static void delete_cas_compares_unless_the_key_is_absent(void **state)
{
	struct kv_op op = {.verb = KV_DELETE_CAS, .key = text_span("a"), .index = 5};

	(void)state;
	assert_int_equal(kv_run_op(&r, &op), KV_OK);
	kv_run_set(&r, "a", "1");
	assert_int_equal(kv_run_op(&r, &op), KV_STALE);
	op.index = 0;
	assert_int_equal(kv_run_op(&r, &op), KV_STALE);
	assert_true(kv_run_has(&r, "a"));
	op.index = 2;
	assert_int_equal(kv_run_op(&r, &op), KV_OK);
	assert_false(kv_run_has(&r, "a"));
}

static void delete_tree_takes_a_prefix_not_a_path(void **state)
{
	(void)state;
	kv_run_set(&r, "a", "");
	kv_run_set(&r, "ab", "");
	kv_run_set(&r, "a/b", "");
	kv_run_set(&r, "b", "");
	assert_int_equal(kv_run_delete_tree(&r, "a/"), KV_OK);
	assert_false(kv_run_has(&r, "a/b"));
	assert_int_equal(kv_run_delete_tree(&r, "a"), KV_OK);
	assert_false(kv_run_has(&r, "a"));
	assert_false(kv_run_has(&r, "ab"));
	assert_true(kv_run_has(&r, "b"));
	assert_int_equal(kv_run_delete_tree(&r, "none"), KV_OK);
	assert_int_equal(kv_run_delete_tree(&r, ""), KV_OK);
	assert_false(kv_run_has(&r, "b"));
}

static void a_locked_key_can_be_deleted_and_its_session_lives(void **state)
{
	struct kv_session s;
	struct kv_stat stat;

	(void)state;
	kv_run_session(&r, 's', 0, 0);
	kv_run_lock(&r, "a", "", 's');
	assert_int_equal(kv_run_delete(&r, "a"), KV_OK);
	assert_true(kv_session_get(r.kv, (const unsigned char *)"ssssssssssssssss", &s));
	kv_get_stat(r.kv, &stat);
	assert_int_equal(stat.held, 0);
}

/* ---- Locks. */

static void a_lock_needs_a_session_that_is_there(void **state)
{
	(void)state;
	assert_int_equal(kv_run_lock(&r, "a", "", '\0'), KV_MISSING_SESSION);
	assert_int_equal(kv_run_lock(&r, "a", "", 's'), KV_INVALID_SESSION);
	assert_int_equal(kv_run_unlock(&r, "a", "", '\0'), KV_MISSING_SESSION);
	assert_false(kv_run_has(&r, "a"));
}

static void a_lock_is_taken_once_and_held_against_others(void **state)
{
	struct kv_entry e;

	(void)state;
	kv_run_session(&r, 's', 0, 0);
	kv_run_session(&r, 't', 0, 0);
	assert_int_equal(kv_run_lock(&r, "a", "1", 's'), KV_OK);
	assert_int_equal(r.result.fence, 3);
	assert_int_equal(kv_run_lock(&r, "a", "2", 't'), KV_HELD);
	assert_value("a", "1");
	/* Again by its holder: the value changes, the hold is the same. */
	assert_int_equal(kv_run_lock(&r, "a", "3", 's'), KV_OK);
	assert_int_equal(r.result.fence, 3);
	e = kv_run_get(&r, "a");
	assert_int_equal(e.lock, 1);
	assert_int_equal(e.create, 3);
	assert_int_equal(e.modify, 5);
	assert_value("a", "3");
	/* And again without a change: no write. */
	assert_int_equal(kv_run_lock(&r, "a", "3", 's'), KV_OK);
	assert_int_equal(kv_run_get(&r, "a").modify, 5);
}

static void a_key_that_was_there_can_be_locked(void **state)
{
	(void)state;
	kv_run_set(&r, "a", "1");
	kv_run_session(&r, 's', 0, 0);
	assert_int_equal(kv_run_lock(&r, "a", "1", 's'), KV_OK);
	assert_int_equal(kv_run_get(&r, "a").create, 1);
	assert_int_equal(kv_run_get(&r, "a").lock, 1);
}

static void unlocking_is_for_the_holder_and_writes_the_value(void **state)
{
	struct kv_entry e;

	(void)state;
	kv_run_session(&r, 's', 0, 0);
	kv_run_session(&r, 't', 0, 0);
	assert_int_equal(kv_run_unlock(&r, "a", "", 's'), KV_NOT_HELD);
	kv_run_set(&r, "a", "0");
	assert_int_equal(kv_run_unlock(&r, "a", "", 's'), KV_NOT_HELD);
	kv_run_lock(&r, "a", "1", 's');
	assert_int_equal(kv_run_unlock(&r, "a", "", 't'), KV_NOT_HELD);
	assert_value("a", "1");
	assert_int_equal(kv_run_unlock(&r, "a", "", 's'), KV_OK);
	e = kv_run_get(&r, "a");
	assert_int_equal(e.session[0], 0);
	assert_int_equal(e.lock, 1);
	assert_int_equal(e.value.len, 0);
	assert_int_equal(kv_run_lock(&r, "a", "", 't'), KV_OK);
	assert_int_equal(kv_run_get(&r, "a").lock, 2);
}

static void a_fence_rises_also_when_the_key_was_deleted_between(void **state)
{
	uint64_t first;
	uint64_t second;

	(void)state;
	kv_run_session(&r, 's', 0, 0);
	kv_run_session(&r, 't', 0, 0);
	kv_run_lock(&r, "a", "", 's');
	first = r.result.fence;
	kv_run_unlock(&r, "a", "", 's');
	kv_run_lock(&r, "a", "", 't');
	second = r.result.fence;
	assert_true(second > first);
	kv_run_delete(&r, "a");
	kv_run_lock(&r, "a", "", 's');
	assert_true(r.result.fence > second);
	assert_int_equal(kv_run_get(&r, "a").lock, 1);
	assert_true(kv_run_get(&r, "a").fence == r.result.fence);
}

/* ---- Results. */

static void a_result_has_the_entry_when_it_is_wanted(void **state)
{
	struct kv_command c = {
	    .type = KV_ONE,
	    .want_entry = true,
	    .op_count = 1,
	    .ops = {{.verb = KV_SET, .key = text_span("a"), .value = text_span("v"), .flags = 9}}};
	struct kv_entry e;
	struct err err;
	uint8_t op;

	(void)state;
	assert_int_equal(kv_run_command(&r, &c), KV_OK);
	assert_int_equal(r.result.entry_count, 1);
	assert_int_equal(kv_result_next_entry(&r.result, &e, &op, &err), 1);
	assert_true(span_is(e.value, text_span("v")));
	assert_int_equal(e.flags, 9);
	assert_int_equal(op, 0);
	assert_int_equal(kv_result_next_entry(&r.result, &e, &op, &err), 0);
	/* Also when the answer is no; and none when there is none. */
	c.ops[0].verb = KV_CAS;
	assert_int_equal(kv_run_command(&r, &c), KV_STALE);
	assert_int_equal(r.result.entry_count, 1);
	c.ops[0].verb = KV_DELETE;
	assert_int_equal(kv_run_command(&r, &c), KV_OK);
	assert_int_equal(r.result.entry_count, 0);
}

static void bytes_that_are_no_command_are_refused_alike_everywhere(void **state)
{
	uint64_t before;

	(void)state;
	kv_run_set(&r, "a", "1");
	before = kv_hash(r.kv);
	assert_int_equal(kv_run_bytes(&r, text_span("\1junk")), KV_BAD_COMMAND);
	assert_int_equal(kv_run_bytes(&r, (struct span){"\0", 1}), KV_BAD_COMMAND);
	assert_int_equal(kv_applied_index(r.kv), 3);
	assert_true(kv_hash(r.kv) != before);
}

static void a_newer_command_stops_the_node_before_anything_changes(void **state)
{
	struct kv_input in = {.index = 1, .clock_ns = 5, .command = text_span("\2whatever")};
	uint64_t before = kv_hash(r.kv);
	struct err e;

	(void)state;
	assert_int_equal(kv_apply(r.kv, &in, &r.out, &e), -1);
	assert_int_equal(e.code, ENOTSUP);
	assert_true(kv_hash(r.kv) == before);
	in.command.len = 0;
	in.index = 0;
	assert_int_equal(kv_apply(r.kv, &in, &r.out, &e), -1);
	assert_int_equal(e.code, EINVAL);
}

static void a_clock_that_goes_back_counts_as_the_one_before(void **state)
{
	(void)state;
	kv_run_tick(&r, 100);
	r.clock_ns = 50;
	kv_run_set(&r, "a", "");
	assert_int_equal(kv_clock_ns(r.kv), 100);
}

/* ---- Memory. */

static void a_node_without_memory_stops_for_good(void **state)
{
	struct kv_restore *restore = kv_restore_begin();
	struct kv_command c = {
	    .type = KV_ONE, .op_count = 1, .ops = {{.verb = KV_SET, .key = text_span("k")}}};
	struct buf b = kv_run_encode(&c);
	struct buf bytes;
	struct kv_watch *w;
	struct kv_watch_spec watch = {.kind = KV_WATCH_KEY, .key = text_span("b"), .since = 1};
	struct kv_stat stat;
	struct err e;

	(void)state;
	bytes = kv_run_snapshot(r.kv, 100);
	kv_run_set(&r, "a", "1");
	kv_get_stat(r.kv, &stat);
	kv_set_bytes_max(r.kv, stat.bytes + 10);
	/* A watch is no part of the state: without memory for it, nothing else is lost. */
	assert_int_equal(kv_watch_add(r.kv, &watch, &w, &e), -1);
	kv_set_bytes_max(r.kv, stat.bytes + 60);
	assert_int_equal(kv_watch_add(r.kv, &watch, &w, &e), -1);
	assert_int_equal(e.code, ENOMEM);
	kv_set_bytes_max(r.kv, stat.bytes + 10);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(
		    kv_apply(r.kv, &(struct kv_input){.index = 2 + i, .command = {b.data, b.len}},
		             &r.out, &e),
		    -1);
		assert_int_equal(e.code, ENOMEM);
		kv_set_bytes_max(r.kv, UINT64_MAX);
	}
	assert_int_equal(kv_watch_add(r.kv, &watch, &w, &e), -1);
	assert_int_equal(kv_restore_write(restore, bytes.data, bytes.len, &e), 0);
	assert_int_equal(kv_restore_commit(restore, r.kv, &r.out, &e), -1);
	kv_restore_abort(restore);
	buf_done(&bytes);
	buf_done(&b);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
	    TEST(set_creates_and_replaces),
	    TEST(keys_and_values_are_any_bytes),
	    TEST(flags_have_64_bits),
	    TEST(a_write_that_changes_nothing_is_none),
	    TEST(a_plain_set_works_on_a_locked_key_and_keeps_its_holder_and_indexes),
	    TEST(cas_compares_the_modify_index),
	    TEST(delete_succeeds_also_when_there_is_nothing),
	    TEST(delete_cas_compares_unless_the_key_is_absent),
	    TEST(delete_tree_takes_a_prefix_not_a_path),
	    TEST(a_locked_key_can_be_deleted_and_its_session_lives),
	    TEST(a_lock_needs_a_session_that_is_there),
	    TEST(a_lock_is_taken_once_and_held_against_others),
	    TEST(a_key_that_was_there_can_be_locked),
	    TEST(unlocking_is_for_the_holder_and_writes_the_value),
	    TEST(a_fence_rises_also_when_the_key_was_deleted_between),
	    TEST(a_result_has_the_entry_when_it_is_wanted),
	    TEST(bytes_that_are_no_command_are_refused_alike_everywhere),
	    TEST(a_newer_command_stops_the_node_before_anything_changes),
	    TEST(a_clock_that_goes_back_counts_as_the_one_before),
	    TEST(a_node_without_memory_stops_for_good),
	};

	return cmocka_run_group_tests_name("kv_entry", tests, NULL, NULL);
}
