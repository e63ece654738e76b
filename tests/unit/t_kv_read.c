/* kv: indexes of keys and prefixes, and walks over them. */
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

/* ---- Indexes. */

static void the_index_of_a_key_is_its_own_or_that_of_the_table(void **state)
{
	(void)state;
	assert_int_equal(kv_key_index(r.kv, text_span("a")), 1);
	kv_run_set(&r, "b", "");
	kv_run_set(&r, "a", "");
	kv_run_set(&r, "b", "x");
	assert_int_equal(kv_key_index(r.kv, text_span("a")), 2);
	assert_int_equal(kv_key_index(r.kv, text_span("none")), 3);
}

static void the_index_of_a_prefix_knows_what_was_deleted_under_it(void **state)
{
	(void)state;
	assert_int_equal(kv_prefix_index(r.kv, text_span("")), 1);
	kv_run_set(&r, "a/1", "");
	kv_run_set(&r, "a/2", "");
	kv_run_set(&r, "b", "");
	assert_int_equal(kv_prefix_index(r.kv, text_span("a/")), 2);
	kv_run_delete(&r, "a/2");
	assert_int_equal(kv_prefix_index(r.kv, text_span("a/")), 4);
	assert_int_equal(kv_prefix_index(r.kv, text_span("a/1")), 1);
	kv_run_delete_tree(&r, "a/");
	assert_int_equal(kv_prefix_index(r.kv, text_span("a/")), 5);
	assert_int_equal(kv_prefix_index(r.kv, text_span("a/1")), 5);
	assert_int_equal(kv_prefix_index(r.kv, text_span("b")), 3);
	kv_run_set(&r, "c", "");
	assert_int_equal(kv_prefix_index(r.kv, text_span("a/")), 5);
	assert_int_equal(kv_prefix_index(r.kv, text_span("none")), 6);
	assert_int_equal(kv_prefix_index(r.kv, text_span("")), 6);
}

static void the_index_of_a_prefix_does_not_go_back_when_tombstones_go(void **state)
{
	struct kv_stat stat;

	(void)state;
	kv_run_set(&r, "a/1", "");
	kv_run_set(&r, "a/2", "");
	kv_run_delete(&r, "a/2");
	kv_run_tick(&r, KV_TOMBSTONE_TTL_NS - 1);
	kv_get_stat(r.kv, &stat);
	assert_int_equal(stat.tombstones, 1);
	assert_true(kv_next_expiry(r.kv) == KV_TOMBSTONE_TTL_NS);
	kv_run_tick(&r, 1);
	kv_get_stat(r.kv, &stat);
	assert_int_equal(stat.tombstones, 0);
	assert_true(kv_next_expiry(r.kv) == UINT64_MAX);
	assert_int_equal(kv_prefix_index(r.kv, text_span("a/")), 3);
}

static void there_are_so_many_tombstones_and_the_oldest_go_first(void **state)
{
	struct kv_stat stat;
	char key[16];
	struct err e;

	(void)state;
	r.unchecked = true;
	for (unsigned i = 0; i < KV_TOMBSTONES_MAX + 2; i++) {
		snprintf(key, sizeof(key), "k%u", i);
		kv_run_set(&r, key, "");
		r.clock_ns++;
		kv_run_delete(&r, key);
	}
	kv_get_stat(r.kv, &stat);
	assert_int_equal(stat.tombstones, KV_TOMBSTONES_MAX);
	assert_int_equal(kv_check(r.kv, &e), 0);
	/* k1 was deleted by entry 4: what is under it is not known any more, but not before that.
	 */
	assert_int_equal(kv_prefix_index(r.kv, text_span("k2/")), r.index);
	assert_int_equal(kv_prefix_index(r.kv, text_span("k2999")), 60000);
}

/* ---- Walks. */

static unsigned count(const char *prefix)
{
	struct kv_cursor c;
	struct kv_entry e;
	unsigned n = 0;

	kv_scan(r.kv, text_span(prefix), &c);
	for (; kv_cursor_next(&c, &e); n++)
		assert_true(e.key.len >= strlen(prefix));
	assert_false(kv_cursor_next(&c, &e));
	kv_cursor_done(&c);
	return n;
}

static void a_walk_is_over_a_prefix_in_the_order_of_bytes(void **state)
{
	static const char *const keys[] = {"b", "a/\xff", "a/b", "a", "a/b/c", "a0"};
	static const char *const in_order[] = {"a", "a/b", "a/b/c", "a/\xff", "a0"};
	struct kv_cursor c;
	struct kv_entry e;

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		kv_run_set(&r, keys[i], "");
	kv_scan(r.kv, text_span("a"), &c);
	for (size_t i = 0; i < sizeof(in_order) / sizeof(in_order[0]); i++) {
		assert_true(kv_cursor_next(&c, &e));
		assert_true(span_is(e.key, text_span(in_order[i])));
	}
	assert_false(kv_cursor_next(&c, &e));
	kv_cursor_done(&c);
	assert_int_equal(count(""), 6);
	assert_int_equal(count("a/b"), 2);
	assert_int_equal(count("none"), 0);
}

static void a_walk_sees_its_moment_while_writes_go_on(void **state)
{
	struct kv_cursor c;
	struct kv_entry e;
	unsigned n = 0;

	(void)state;
	for (char key[] = "a0"; key[1] <= '9'; key[1]++)
		kv_run_set(&r, key, "old");
	kv_scan(r.kv, text_span("a"), &c);
	for (; kv_cursor_next(&c, &e); n++) {
		assert_true(span_is(e.value, text_span("old")));
		kv_run_delete_tree(&r, "");
		kv_run_set(&r, "a5", "new");
	}
	assert_int_equal(n, 10);
	kv_cursor_done(&c);
	assert_int_equal(count(""), 1);
}

static void assert_keys(const char *prefix, const char *separator, const char *want)
{
	struct kv_cursor c;
	struct buf b = {0};
	struct span key;

	kv_scan(r.kv, text_span(prefix), &c);
	while (kv_cursor_next_key(&c, text_span(separator), &key)) {
		buf_add(&b, key.p, key.len);
		buf_add_char(&b, ' ');
	}
	kv_cursor_done(&c);
	buf_add_char(&b, '\0');
	assert_string_equal(b.data, want);
	buf_done(&b);
}

static void keys_are_cut_behind_the_first_separator_after_the_prefix(void **state)
{
	static const char *const keys[] = {"a/1", "a/2", "b", "c/d/1", "c/d/2", "c/e", "c0", "/"};

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		kv_run_set(&r, keys[i], "");
	assert_keys("", "/", "/ a/ b c/ c0 ");
	assert_keys("c/", "/", "c/d/ c/e ");
	assert_keys("c", "/", "c/ c0 ");
	assert_keys("", "", "/ a/1 a/2 b c/d/1 c/d/2 c/e c0 ");
	assert_keys("c/d/", "/", "c/d/1 c/d/2 ");
	assert_keys("", "/d", "/ a/1 a/2 b c/d c/e c0 ");
	assert_keys("x", "/", "");
}

static void a_separator_may_be_the_greatest_byte(void **state)
{
	(void)state;
	kv_run_set(&r,
	           "a\xff"
	           "1",
	           "");
	kv_run_set(&r,
	           "a\xff"
	           "2",
	           "");
	kv_run_set(&r, "b", "");
	assert_keys("", "\xff", "a\xff b ");
	kv_run_set(&r,
	           "\xff\xff"
	           "1",
	           "");
	kv_run_set(&r,
	           "\xff\xff"
	           "2",
	           "");
	assert_keys("\xff", "\xff", "\xff\xff ");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
	    TEST(the_index_of_a_key_is_its_own_or_that_of_the_table),
	    TEST(the_index_of_a_prefix_knows_what_was_deleted_under_it),
	    TEST(the_index_of_a_prefix_does_not_go_back_when_tombstones_go),
	    TEST(there_are_so_many_tombstones_and_the_oldest_go_first),
	    TEST(a_walk_is_over_a_prefix_in_the_order_of_bytes),
	    TEST(a_walk_sees_its_moment_while_writes_go_on),
	    TEST(keys_are_cut_behind_the_first_separator_after_the_prefix),
	    TEST(a_separator_may_be_the_greatest_byte),
	};

	return cmocka_run_group_tests_name("kv_read", tests, NULL, NULL);
}
