/* kv: transactions, queries, and the words of what goes wrong. */
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
static struct kv_command c;

static int begin(void **state)
{
	(void)state;
	kv_run_begin(&r);
	c = (struct kv_command){.type = KV_TXN};
	return 0;
}

static int end(void **state)
{
	(void)state;
	kv_run_end(&r);
	return 0;
}

static struct kv_op *add(enum kv_verb verb, const char *key)
{
	struct kv_op *op = &c.ops[c.op_count++];

	*op = (struct kv_op){.verb = (uint8_t)verb, .key = text_span(key), .value = text_span("v")};
	return op;
}

static void add_with_index(enum kv_verb verb, const char *key, uint64_t index)
{
	add(verb, key)->index = index;
}

static void add_with_session(enum kv_verb verb, const char *key, char session)
{
	memset(add(verb, key)->session, session, ID_LEN);
}

static uint8_t run(void)
{
	return kv_run_command(&r, &c);
}

/* The texts of the errors, one on a line with the number of the operation. */
static void assert_errors(const char *want)
{
	struct kv_op_error error;
	struct buf b = {0};
	struct err e;

	assert_int_equal(r.result.entry_count, 0);
	while (kv_result_next_error(&r.result, &error, &e) == 1) {
		buf_printf(&b, "%u: ", error.op);
		kv_error_text(&b, &error, &c.ops[error.op]);
		buf_add_char(&b, '\n');
	}
	buf_add_char(&b, '\0');
	assert_string_equal(b.data, want);
	buf_done(&b);
}

/* The entries: the operation, the key, and the value when it has one. */
static void assert_entries(struct kv_result *result, const char *want)
{
	struct kv_entry entry;
	struct buf b = {0};
	struct err e;
	uint8_t op;

	assert_int_equal(result->error_count, 0);
	while (kv_result_next_entry(result, &entry, &op, &e) == 1) {
		buf_printf(&b, "%u:", op);
		buf_add(&b, entry.key.p, entry.key.len);
		if (entry.has_value) {
			buf_add_char(&b, '=');
			buf_add(&b, entry.value.p, entry.value.len);
		}
		buf_printf(&b, "@%u ", (unsigned)entry.modify);
	}
	assert_int_equal(result->rest.left, 0);
	buf_add_char(&b, '\0');
	assert_string_equal(b.data, want);
	buf_done(&b);
}

static void all_verbs_work_together(void **state)
{
	(void)state;
	kv_run_session(&r, 's', 0, 0);
	kv_run_lock(&r, "held", "h", 's');
	kv_run_set(&r, "old", "o");
	kv_run_set(&r, "tree/1", "1");
	kv_run_set(&r, "tree/2", "2");
	add(KV_SET, "a");
	add_with_index(KV_CAS, "old", 3);
	add_with_session(KV_LOCK, "l", 's');
	add_with_session(KV_UNLOCK, "held", 's');
	add(KV_GET, "a");
	add(KV_GET_OR_EMPTY, "none");
	add(KV_GET_TREE, "tree/");
	add_with_index(KV_CHECK_INDEX, "tree/1", 4);
	add_with_session(KV_CHECK_SESSION, "l", 's');
	add_with_session(KV_CHECK_SESSION, "held", '\0');
	add(KV_CHECK_NOT_EXISTS, "none");
	add(KV_DELETE, "old");
	add(KV_DELETE_TREE, "tree");
	add_with_index(KV_DELETE_CAS, "none", 77);
	assert_int_equal(run(), KV_OK);
	assert_entries(&r.result, "0:a@6 1:old@6 2:l@6 3:held@6 4:a=v@6 5:none=@0 "
	                          "6:tree/1=1@4 6:tree/2=2@5 ");
	assert_false(kv_run_has(&r, "old"));
	assert_false(kv_run_has(&r, "tree/1"));
	assert_int_equal(kv_run_get(&r, "l").fence, 6);
}

static void all_errors_are_told_and_nothing_is_applied(void **state)
{
	uint64_t sum;

	(void)state;
	kv_run_session(&r, 's', 0, 0);
	kv_run_session(&r, 't', 0, 50);
	kv_run_lock(&r, "held", "h", 's');
	kv_run_lock(&r, "late", "", 't');
	kv_run_destroy(&r, 't');
	kv_run_session(&r, 't', 0, 0);
	sum = kv_table_index(r.kv);
	add(KV_SET, "new");
	add_with_index(KV_CAS, "k", 9);
	add_with_index(KV_DELETE_CAS, "held", 9);
	add_with_session(KV_LOCK, "held", 't');
	add_with_session(KV_UNLOCK, "held", 't');
	add(KV_GET, "k");
	add(KV_CHECK_NOT_EXISTS, "held");
	add_with_session(KV_CHECK_SESSION, "k", 's');
	add_with_session(KV_CHECK_SESSION, "held", 't');
	add_with_index(KV_CHECK_INDEX, "k", 4);
	add_with_index(KV_CHECK_INDEX, "held", 4);
	add_with_session(KV_LOCK, "x", '\0');
	add_with_session(KV_LOCK, "x", 'u');
	add_with_session(KV_LOCK, "late", 's');
	add_with_session(KV_CHECK_SESSION, "new", 's');
	add(KV_DELETE_TREE, "");
	assert_int_equal(run(), KV_TXN_FAILED);
	assert_errors(
	    "1: failed to set key \"k\", index is stale\n"
	    "2: failed to delete key \"held\", index is stale\n"
	    "3: failed to lock key \"held\", lock is already held\n"
	    "4: failed to unlock key \"held\", lock isn't held, or is held by another session\n"
	    "5: key \"k\" doesn't exist\n"
	    "6: key \"held\" exists\n"
	    "7: failed to check session, key \"k\" doesn't exist\n"
	    "8: failed session check for key \"held\", current session "
	    "\"73737373-7373-7373-7373-737373737373\" != "
	    "\"74747474-7474-7474-7474-747474747474\"\n"
	    "9: failed to check index, key \"k\" doesn't exist\n"
	    "10: failed index check for key \"held\", current modify index 3 != 4\n"
	    "11: missing session\n"
	    "12: invalid session \"75757575-7575-7575-7575-757575757575\"\n"
	    "13: failed to lock key \"late\" due to lock delay\n"
	    "14: failed session check for key \"new\", current session \"\" != "
	    "\"73737373-7373-7373-7373-737373737373\"\n");
	assert_false(kv_run_has(&r, "new"));
	assert_true(kv_run_has(&r, "held"));
	assert_int_equal(kv_table_index(r.kv), sum);
}

static void a_transaction_that_fails_leaves_the_state_but_for_its_index(void **state)
{
	struct kv_run other;

	(void)state;
	kv_run_begin(&other);
	kv_run_set(&r, "a", "1");
	kv_run_set(&other, "a", "1");
	add(KV_DELETE, "a");
	add(KV_SET, "b");
	add(KV_GET, "none");
	assert_int_equal(run(), KV_TXN_FAILED);
	kv_run_tick(&other, 0);
	assert_true(kv_hash(r.kv) == kv_hash(other.kv));
	kv_run_end(&other);
}

static void an_operation_sees_those_before_it(void **state)
{
	(void)state;
	add(KV_SET, "a");
	add_with_index(KV_CAS, "a", 1);
	add(KV_DELETE, "a");
	add(KV_CHECK_NOT_EXISTS, "a");
	assert_int_equal(run(), KV_OK);
	assert_entries(&r.result, "0:a@1 1:a@1 ");
	assert_false(kv_run_has(&r, "a"));
}

static void it_may_have_so_many_operations(void **state)
{
	char keys[KV_OPS_MAX][8];
	struct kv_entry e;

	(void)state;
	for (unsigned i = 0; i < KV_OPS_MAX; i++) {
		snprintf(keys[i], sizeof(keys[i]), "%u", i);
		add(KV_SET, keys[i]);
	}
	assert_int_equal(run(), KV_OK);
	assert_int_equal(r.result.entry_count, KV_OPS_MAX);
	assert_true(kv_get(r.kv, text_span("127"), &e));
}

static void a_result_that_is_too_large_fails_the_transaction(void **state)
{
	char *value = calloc(1, KV_VALUE_MAX);
	struct kv_op op = {.verb = KV_SET, .key = text_span("big"), .value = {value, KV_VALUE_MAX}};

	(void)state;
	kv_run_op(&r, &op);
	add(KV_SET, "small");
	for (unsigned i = 0; i < 33; i++)
		add(KV_GET_TREE, "b");
	assert_int_equal(run(), KV_TOO_LARGE);
	assert_false(kv_run_has(&r, "small"));
	assert_int_equal(r.result.entry_count, 0);
	c.op_count = 30;
	assert_int_equal(run(), KV_OK);
	assert_int_equal(r.result.entry_count, 30);
	free(value);
}

static void a_query_reads_without_an_entry_in_the_log(void **state)
{
	struct kv_result result;
	struct buf b = {0};
	struct err e;

	(void)state;
	kv_run_set(&r, "a", "1");
	add(KV_GET, "a");
	add(KV_GET_TREE, "");
	assert_int_equal(kv_query(r.kv, &c, &b, &e), 0);
	assert_int_equal(kv_result_get(&result, (struct span){b.data, b.len}, &e), 0);
	assert_int_equal(result.code, KV_OK);
	assert_entries(&result, "0:a=1@1 1:a=1@1 ");
	assert_int_equal(kv_applied_index(r.kv), 1);
	b.len = 0;
	add(KV_GET, "none");
	assert_int_equal(kv_query(r.kv, &c, &b, &e), 0);
	assert_int_equal(kv_result_get(&result, (struct span){b.data, b.len}, &e), 0);
	assert_int_equal(result.code, KV_TXN_FAILED);
	/* What writes is not for it. */
	add(KV_SET, "b");
	assert_int_equal(kv_query(r.kv, &c, &b, &e), -1);
	assert_int_equal(e.code, EINVAL);
	c = (struct kv_command){.type = KV_TICK};
	assert_int_equal(kv_query(r.kv, &c, &b, &e), -1);
	c = (struct kv_command){.type = KV_TXN, .has_once = true};
	assert_int_equal(kv_query(r.kv, &c, &b, &e), -1);
	buf_done(&b);
}

/* ---- The words. */

static void assert_text(uint8_t code, const char *session, const char *want)
{
	struct buf b = {0};

	kv_code_text(&b, code, (const unsigned char *)session);
	buf_add_char(&b, '\0');
	assert_string_equal(b.data, want);
	buf_done(&b);
}

static void each_code_has_its_words(void **state)
{
	(void)state;
	assert_text(KV_OK, NULL, "done");
	assert_text(KV_MISSING_SESSION, NULL, "missing session");
	assert_text(KV_INVALID_SESSION, "ssssssssssssssss",
	            "invalid session \"73737373-7373-7373-7373-737373737373\"");
	assert_text(KV_INVALID_SESSION, NULL, "invalid session \"\"");
	assert_text(KV_NO_SESSION, "ssssssssssssssss",
	            "Session id '73737373-7373-7373-7373-737373737373' not found");
	assert_text(KV_SESSION_EXISTS, NULL, "a session with this id exists");
	assert_text(KV_FULL, NULL, "too many sessions");
	assert_text(KV_TOO_LARGE, NULL, "the result is too large");
	assert_text(KV_BAD_COMMAND, NULL, "not a command");
	assert_text(KV_TXN_FAILED, NULL, "the transaction failed");
	assert_text(KV_REUSED, NULL, "another command of this client had the same number");
	assert_text(KV_FORGOTTEN, NULL,
	            "this command is older than what is kept of its client: it may have been done "
	            "or not");
	assert_text(KV_UNKNOWN_CLIENT, NULL,
	            "this client is not known, or not any more: its earlier commands may have been "
	            "done or not");
	assert_text(99, NULL, "code 99");
}

static void keys_are_quoted(void **state)
{
	struct kv_op op = {.verb = KV_GET, .key = {"a\"\\\n\t\r\0\x7f\xff\xc3\xa4", 11}};
	struct kv_op_error error = {.code = KV_ABSENT};
	struct buf b = {0};

	(void)state;
	kv_error_text(&b, &error, &op);
	buf_add_char(&b, '\0');
	assert_string_equal(b.data,
	                    "key \"a\\\"\\\\\\n\\t\\r\\x00\\x7f\\xff\xc3\xa4\" doesn't exist");
	b.len = 0;
	/* An error of an older result, about an operation that is none. */
	kv_error_text(&b, &error, NULL);
	buf_add_char(&b, '\0');
	assert_string_equal(b.data, "key \"\" doesn't exist");
	buf_done(&b);
}

static void no_is_told_from_an_error(void **state)
{
	(void)state;
	assert_false(kv_code_is_no(KV_OK));
	assert_true(kv_code_is_no(KV_STALE));
	assert_true(kv_code_is_no(KV_DELAYED));
	assert_true(kv_code_is_no(KV_OTHER_SESSION));
	assert_false(kv_code_is_no(KV_MISSING_SESSION));
	assert_false(kv_code_is_no(KV_FORGOTTEN));
}

/* ---- Damaged results. */

static void a_result_that_is_cut_is_refused(void **state)
{
	struct buf whole = {0};
	struct kv_result result;
	struct kv_op_error error;
	struct kv_entry entry;
	struct err e;
	uint8_t op;

	(void)state;
	kv_run_session(&r, 's', 0, 0);
	kv_run_lock(&r, "a", "1", 's');
	add(KV_GET, "a");
	assert_int_equal(run(), KV_OK);
	buf_add(&whole, r.out.result.data, r.out.result.len);
	for (size_t n = 0; n < whole.len; n++) {
		if (kv_result_get(&result, (struct span){whole.data, n}, &e) < 0)
			continue;
		assert_int_equal(kv_result_next_entry(&result, &entry, &op, &e), -1);
		assert_int_equal(e.code, EBADMSG);
	}
	add(KV_CHECK_NOT_EXISTS, "a");
	assert_int_equal(run(), KV_TXN_FAILED);
	assert_int_equal(
	    kv_result_get(&result, (struct span){r.out.result.data, r.out.result.len - 1}, &e), 0);
	assert_int_equal(kv_result_next_error(&result, &error, &e), -1);
	whole.data[0] = 9;
	assert_int_equal(kv_result_get(&result, (struct span){whole.data, whole.len}, &e), -1);
	buf_done(&whole);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
	    TEST(all_verbs_work_together),
	    TEST(all_errors_are_told_and_nothing_is_applied),
	    TEST(a_transaction_that_fails_leaves_the_state_but_for_its_index),
	    TEST(an_operation_sees_those_before_it),
	    TEST(it_may_have_so_many_operations),
	    TEST(a_result_that_is_too_large_fails_the_transaction),
	    TEST(a_query_reads_without_an_entry_in_the_log),
	    TEST(each_code_has_its_words),
	    TEST(keys_are_quoted),
	    TEST(no_is_told_from_an_error),
	    TEST(a_result_that_is_cut_is_refused),
	};

	return cmocka_run_group_tests_name("kv_txn", tests, NULL, NULL);
}
