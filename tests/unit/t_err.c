#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void setting_an_error_keeps_code_and_text(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(err_set(&e, EBADMSG, "record has %d bytes", 7), -1);
	assert_int_equal(e.code, EBADMSG);
	assert_string_equal(e.msg, "record has 7 bytes");
}

static void a_system_error_carries_the_text_of_errno(void **state)
{
	struct err e;

	(void)state;
	errno = ENOENT;
	assert_int_equal(err_sys(&e, "open '%s'", "x"), -1);
	assert_int_equal(e.code, ENOENT);
	assert_string_equal(e.msg, "open 'x': No such file or directory");
}

static void wrapping_puts_the_context_in_front_and_keeps_the_code(void **state)
{
	struct err e;

	(void)state;
	err_set(&e, EIO, "read: gone");
	assert_int_equal(err_wrap(&e, "load %s", "snapshot"), -1);
	assert_int_equal(e.code, EIO);
	assert_string_equal(e.msg, "load snapshot: read: gone");
}

static void a_foreign_name_cannot_start_a_new_line_or_move_the_cursor(void **state)
{
	struct err e;

	(void)state;
	err_set(&e, EINVAL, "'%s'", "a\nb\x1b[2Jc\x7f");
	assert_string_equal(e.msg, "'a?b?[2Jc?'");
}

static void utf8_text_in_a_message_is_kept(void **state)
{
	struct err e;

	(void)state;
	err_set(&e, EINVAL, "'%s'", "\xc3\x86r\xc3\xb8");
	assert_string_equal(e.msg, "'\xc3\x86r\xc3\xb8'");
}

static void a_long_message_is_cut_and_ends_in_dots(void **state)
{
	char name[2 * ERR_MSG_MAX];
	struct err e;

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	err_set(&e, EINVAL, "'%s'", name);
	assert_int_equal(strlen(e.msg), ERR_MSG_MAX - 1);
	assert_string_equal(e.msg + ERR_MSG_MAX - 4, "...");
	err_wrap(&e, "more");
	assert_int_equal(strlen(e.msg), ERR_MSG_MAX - 1);
	assert_memory_equal(e.msg, "more: 'xxx", 10);
	assert_string_equal(e.msg + ERR_MSG_MAX - 4, "...");
}

static void a_message_that_just_fits_is_not_cut(void **state)
{
	char name[ERR_MSG_MAX];
	struct err e;

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	err_set(&e, EINVAL, "%s", name);
	assert_string_equal(e.msg, name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(setting_an_error_keeps_code_and_text),
	    cmocka_unit_test(a_system_error_carries_the_text_of_errno),
	    cmocka_unit_test(wrapping_puts_the_context_in_front_and_keeps_the_code),
	    cmocka_unit_test(a_foreign_name_cannot_start_a_new_line_or_move_the_cursor),
	    cmocka_unit_test(utf8_text_in_a_message_is_kept),
	    cmocka_unit_test(a_long_message_is_cut_and_ends_in_dots),
	    cmocka_unit_test(a_message_that_just_fits_is_not_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
