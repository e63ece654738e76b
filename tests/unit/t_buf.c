#include "base/buf.h"

#include <errno.h>
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void a_zeroed_buffer_is_empty_and_usable(void **state)
{
	struct buf b = {0};
	struct err e;

	(void)state;
	assert_int_equal(b.len, 0);
	assert_int_equal(buf_ok(&b, &e), 0);
	buf_done(&b);
}

static void bytes_are_kept_in_order_with_any_value(void **state)
{
	struct buf b = {0};

	(void)state;
	buf_add(&b, "a\0b", 3);
	buf_add_str(&b, "cd");
	buf_add_char(&b, '\n');
	buf_add(&b, "", 0);
	assert_int_equal(b.len, 6);
	assert_memory_equal(b.data, "a\0bcd\n", 6);
	buf_done(&b);
	assert_null(b.data);
	assert_int_equal(b.cap, 0);
}

static void adding_nothing_to_an_empty_buffer_is_fine(void **state)
{
	struct buf b = {0};
	struct err e;

	(void)state;
	buf_add(&b, NULL, 0);
	buf_add_str(&b, "");
	buf_consume(&b, 0);
	assert_int_equal(b.len, 0);
	assert_int_equal(buf_ok(&b, &e), 0);
	buf_done(&b);
}

static void a_buffer_grows_over_many_appends(void **state)
{
	struct buf b = {0};

	(void)state;
	for (unsigned i = 0; i < 100000; i++)
		buf_add_char(&b, (char)(i % 251));
	assert_int_equal(b.len, 100000);
	assert_true(b.cap >= b.len);
	for (unsigned i = 0; i < 100000; i++)
		assert_int_equal((unsigned char)b.data[i], i % 251);
	buf_done(&b);
}

static void printing_appends_without_a_nul(void **state)
{
	struct buf b = {0};

	(void)state;
	buf_add_str(&b, "x=");
	buf_printf(&b, "%d,%s", 42, "y");
	assert_int_equal(b.len, 6);
	assert_memory_equal(b.data, "x=42,y", 6);
	buf_printf(&b, "%1000d", 1);
	assert_int_equal(b.len, 1006);
	buf_done(&b);
}

static void consuming_moves_the_rest_to_the_front(void **state)
{
	struct buf b = {0};

	(void)state;
	buf_add_str(&b, "one two");
	buf_consume(&b, 4);
	assert_int_equal(b.len, 3);
	assert_memory_equal(b.data, "two", 3);
	buf_consume(&b, 3);
	assert_int_equal(b.len, 0);
	buf_done(&b);
}

static void a_failed_append_is_remembered_until_the_buffer_is_cleared(void **state)
{
	struct buf b = {0};
	struct err e;

	(void)state;
	buf_add_str(&b, "kept");
	assert_null(buf_reserve(&b, SIZE_MAX));
	assert_true(b.failed);
	assert_int_equal(buf_ok(&b, &e), -1);
	assert_int_equal(e.code, ENOMEM);
	assert_int_equal(b.len, 4);
	assert_memory_equal(b.data, "kept", 4);
	buf_clear(&b);
	assert_int_equal(buf_ok(&b, &e), 0);
	assert_int_equal(b.len, 0);
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_zeroed_buffer_is_empty_and_usable),
	    cmocka_unit_test(bytes_are_kept_in_order_with_any_value),
	    cmocka_unit_test(adding_nothing_to_an_empty_buffer_is_fine),
	    cmocka_unit_test(a_buffer_grows_over_many_appends),
	    cmocka_unit_test(printing_appends_without_a_nul),
	    cmocka_unit_test(consuming_moves_the_rest_to_the_front),
	    cmocka_unit_test(a_failed_append_is_remembered_until_the_buffer_is_cleared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
