#include "evlog/output.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void begin(struct outputs *o, const char *line)
{
	struct err e;

	if (outputs_begin(o, OUTPUT_TAKES_SQL, line, strlen(line), &e) < 0)
		fail_msg("%s: %s", line, e.msg);
}

static void refuse(enum output_takes takes, const char *line, const char *part)
{
	struct outputs o;
	struct err e;

	if (outputs_begin(&o, takes, line, strlen(line), &e) == 0)
		fail_msg("accepted: %s", line);
	assert_int_equal(e.code, EBADMSG);
	if (strstr(e.msg, part) == NULL)
		fail_msg("%s: %s", line, e.msg);
}

static void expect_text(const struct json_value *v, const char *want)
{
	assert_int_equal(v->len, strlen(want));
	assert_memory_equal(v->p, want, v->len);
}

static void outputs_come_in_their_order(void **state)
{
	struct outputs all;
	struct output o;

	(void)state;
	begin(&all, "[{\"upsert\":\"t\",\"key\":{\"k\":1},\"set\":{\"a\":null},\"add\":{\"n\":2}},"
	            "{\"key\":{\"k\":true},\"delete\":\"u\"},"
	            "{\"sql\":\"DELETE FROM t\",\"args\":[1,[2]]}]");
	assert_true(outputs_next(&all, &o));
	assert_int_equal(o.kind, OUTPUT_UPSERT);
	expect_text(&o.name, "\"t\"");
	expect_text(&o.key, "{\"k\":1}");
	expect_text(&o.set, "{\"a\":null}");
	expect_text(&o.add, "{\"n\":2}");
	assert_true(outputs_next(&all, &o));
	assert_int_equal(o.kind, OUTPUT_DELETE);
	expect_text(&o.name, "\"u\"");
	assert_int_equal(o.set.type, JSON_NONE);
	assert_true(outputs_next(&all, &o));
	assert_int_equal(o.kind, OUTPUT_SQL);
	expect_text(&o.args, "[1,[2]]");
	assert_false(outputs_next(&all, &o));
}

static void an_event_may_have_no_output(void **state)
{
	struct outputs all;
	struct output o;

	(void)state;
	begin(&all, "[]");
	assert_false(outputs_next(&all, &o));
}

static void what_is_no_output_is_refused_and_says_why(void **state)
{
	static const struct {
		const char *line, *why;
	} bad[] = {
	    {"", "expected a value"},
	    {"{\"upsert\":\"t\",\"key\":{\"k\":1}}", "no array of outputs"},
	    {"[3]", "output 1: no object: 3"},
	    {"[{}]", "output 1: none of \"upsert\", \"delete\" and \"sql\": {}"},
	    {"[{\"upsert\":\"t\"}]", "output 1: without \"key\""},
	    {"[{\"upsert\":\"t\",\"key\":{}}]", "\"key\" has no column"},
	    {"[{\"upsert\":\"t\",\"key\":[1]}]", "\"key\" is no object"},
	    {"[{\"upsert\":1,\"key\":{\"k\":1}}]", "\"upsert\" is no string"},
	    {"[{\"upsert\":\"\",\"key\":{\"k\":1}}]", "the name of the table is empty"},
	    {"[{\"upsert\":\"t\",\"key\":{\"\":1}}]", "the name of a column is empty"},
	    {"[{\"upsert\":\"t\",\"key\":{\"k\":null}}]", "'k' in \"key\" is no string, number"},
	    {"[{\"upsert\":\"t\",\"key\":{\"k\":{}}}]", "'k' in \"key\" is no string, number"},
	    {"[{\"upsert\":\"t\",\"key\":{\"k\":1},\"add\":{\"n\":\"1\"}}]", "is no number"},
	    {"[{\"upsert\":\"t\",\"key\":{\"k\":1},\"set\":3}]", "\"set\" is no object"},
	    {"[{\"upsert\":\"t\",\"key\":{\"k\":1},\"set\":{\"k\":2}}]", "'k' is there twice"},
	    {"[{\"upsert\":\"t\",\"key\":{\"k\":1},\"set\":{\"\\u006b\":2}}]", "is there twice"},
	    {"[{\"upsert\":\"t\",\"key\":{\"k\":1},\"set\":{\"a\":2},\"add\":{\"a\":2}}]",
	     "'a' is there twice"},
	    {"[{\"upsert\":\"t\",\"key\":{\"k\":1},\"sets\":{}}]", "unknown member \"sets\""},
	    {"[{\"upsert\":\"t\",\"delete\":\"t\",\"key\":{\"k\":1}}]", "two of"},
	    {"[{\"upsert\":\"t\",\"key\":{\"k\":1},\"args\":[]}]", "belongs to \"sql\""},
	    {"[{\"delete\":\"t\",\"key\":{\"k\":1},\"add\":{}}]", "belong to \"upsert\""},
	    {"[{\"sql\":\"x\",\"key\":{\"k\":1}}]", "do not belong to \"sql\""},
	    {"[{\"sql\":\"x\",\"args\":{}}]", "\"args\" is no array"},
	    {"[{\"sql\":\"\"}]", "the name of the statement is empty"},
	    {"[{\"delete\":\"t\",\"key\":{\"k\":1}},{\"delete\":\"t\"}]", "output 2: without"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		refuse(OUTPUT_TAKES_SQL, bad[i].line, bad[i].why);
}

static void a_nul_in_a_name_is_refused_and_a_backslash_is_not(void **state)
{
	struct outputs all;

	(void)state;
	refuse(OUTPUT_TAKES_SQL, "[{\"upsert\":\"t\\u0000\",\"key\":{\"k\":1}}]", "holds a NUL");
	refuse(OUTPUT_TAKES_SQL, "[{\"upsert\":\"t\",\"key\":{\"a\\\\\\u0000\":1}}]", "a NUL");
	refuse(OUTPUT_TAKES_SQL, "[{\"sql\":\"x\\u0000y\"}]", "holds a NUL");
	begin(&all, "[{\"upsert\":\"t\\\\u0000\",\"key\":{\"k\\\"\\\\\":\"\\u0000\"}}]");
}

static void sql_is_for_targets_that_have_it(void **state)
{
	(void)state;
	refuse(OUTPUT_TAKES_ROWS, "[{\"sql\":\"DELETE FROM t\"}]", "sqlite: targets only");
}

static void columns_have_a_limit(void **state)
{
	struct buf b = {0};
	struct outputs all;
	struct err e;

	(void)state;
	for (unsigned n = OUTPUT_COLUMNS_MAX - 1; n <= OUTPUT_COLUMNS_MAX; n++) {
		buf_clear(&b);
		buf_add_str(&b, "[{\"upsert\":\"t\",\"key\":{\"k\":1},\"set\":{");
		for (unsigned i = 0; i < n; i++)
			buf_printf(&b, "%s\"c%u\":1", i == 0 ? "" : ",", i);
		buf_add_str(&b, "}}]");
		assert_int_equal(outputs_begin(&all, OUTPUT_TAKES_ROWS, b.data, b.len, &e),
		                 n < OUTPUT_COLUMNS_MAX ? 0 : -1);
	}
	assert_non_null(strstr(e.msg, "more than 256 columns"));
	buf_clear(&b);
	buf_add_str(&b, "[{\"delete\":\"t\",\"key\":{");
	for (unsigned i = 0; i <= OUTPUT_KEYS_MAX; i++)
		buf_printf(&b, "%s\"c%u\":1", i == 0 ? "" : ",", i);
	buf_add_str(&b, "}}]");
	assert_int_equal(outputs_begin(&all, OUTPUT_TAKES_ROWS, b.data, b.len, &e), -1);
	assert_non_null(strstr(e.msg, "more than 16 columns"));
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(outputs_come_in_their_order),
	    cmocka_unit_test(an_event_may_have_no_output),
	    cmocka_unit_test(what_is_no_output_is_refused_and_says_why),
	    cmocka_unit_test(a_nul_in_a_name_is_refused_and_a_backslash_is_not),
	    cmocka_unit_test(sql_is_for_targets_that_have_it),
	    cmocka_unit_test(columns_have_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
