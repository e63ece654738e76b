#include "base/json_each.h"

#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct json_value scan(const char *text)
{
	struct json_doc d;
	struct err e;

	if (json_scan(text, strlen(text), &d, &e) < 0)
		fail_msg("%s: %s", text, e.msg);
	return d.value;
}

/* "key=value type;" for each member. */
static void expect(const char *text, const char *want)
{
	struct json_value v = scan(text);
	struct json_each it;
	struct json_member m;
	struct buf got = {0};

	json_each_begin(&it, &v);
	while (json_each_next(&it, &m))
		buf_printf(&got, "%.*s%s=%.*s %d%s%s;", (int)m.key_len, m.key,
		           m.key_escaped ? "!" : "", (int)m.value.len, m.value.p, (int)m.value.type,
		           m.value.spaced ? " spaced" : "", m.value.escaped ? " escaped" : "");
	assert_false(json_each_next(&it, &m));
	buf_add_char(&got, '\0');
	assert_string_equal(got.data, want);
	buf_done(&got);
}

static void members_come_in_their_order_with_key_and_value(void **state)
{
	(void)state;
	expect("{}", "");
	expect(" { } ", "");
	expect("{\"a\":1,\"b\":\"x\",\"c\":null}", "a=1 3;b=\"x\" 4;c=null 1;");
	expect("{ \"a\" : -1.5e3 , \"b\" : true , \"c\" : false }",
	       "a=-1.5e3 3;b=true 2;c=false 2;");
}

static void elements_have_no_key(void **state)
{
	(void)state;
	expect("[]", "");
	expect("[ ]", "");
	expect("[1,\"a\",[2],{\"b\":3}]", "=1 3;=\"a\" 4;=[2] 5;={\"b\":3} 6;");
	expect("[ 1 , 2 ]", "=1 3;=2 3;");
}

static void brackets_and_quotes_inside_strings_end_nothing(void **state)
{
	(void)state;
	expect("{\"a}\":\"]},\\\"\",\"b\\\"\":[\"]\",\"}\\\\\"]}",
	       "a}=\"]},\\\"\" 4 escaped;b\\\"!=[\"]\",\"}\\\\\"] 5;");
	expect("[\"\xc3\xa9,\xe2\x82\xac\",\"\"]", "=\"\xc3\xa9,\xe2\x82\xac\" 4;=\"\" 4;");
}

static void whitespace_inside_a_value_is_noted(void **state)
{
	(void)state;
	expect("[[1, 2],[1],{\"a b\":1},{ }]",
	       "=[1, 2] 5 spaced;=[1] 5;={\"a b\":1} 6;={ } 6 spaced;");
}

static void a_value_that_was_found_can_be_walked_over_itself(void **state)
{
	struct json_value v = scan("[[[1],[2,3]]]");
	struct json_each it;
	struct json_member m;

	(void)state;
	json_each_begin(&it, &v);
	assert_true(json_each_next(&it, &m));
	json_each_begin(&it, &m.value);
	assert_true(json_each_next(&it, &m));
	assert_true(json_each_next(&it, &m));
	json_each_begin(&it, &m.value);
	assert_true(json_each_next(&it, &m));
	assert_memory_equal(m.value.p, "2", 1);
	assert_true(json_each_next(&it, &m));
	assert_memory_equal(m.value.p, "3", 1);
	assert_false(json_each_next(&it, &m));
}

static void all_members_are_found_beyond_those_that_a_document_notes(void **state)
{
	struct buf b = {0};
	struct json_doc d;
	struct json_each it;
	struct json_member m;
	struct err e;
	int n = 0;

	(void)state;
	for (int i = 0; i < 1000; i++)
		buf_printf(&b, "%s\"k%d\":%d", i == 0 ? "{" : ",", i, i);
	buf_add_char(&b, '}');
	assert_int_equal(json_scan(b.data, b.len, &d, &e), 0);
	json_each_begin(&it, &d.value);
	while (json_each_next(&it, &m))
		n++;
	assert_int_equal(n, 1000);
	assert_int_equal(json_each_count(&d.value), 1000);
	assert_int_equal(json_each_count(&(struct json_value){.type = JSON_NONE}), 0);
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(members_come_in_their_order_with_key_and_value),
	    cmocka_unit_test(elements_have_no_key),
	    cmocka_unit_test(brackets_and_quotes_inside_strings_end_nothing),
	    cmocka_unit_test(whitespace_inside_a_value_is_noted),
	    cmocka_unit_test(a_value_that_was_found_can_be_walked_over_itself),
	    cmocka_unit_test(all_members_are_found_beyond_those_that_a_document_notes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
