/* jq: results come when they are asked for, and failures in jq's own words. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "os/jq.h"
#include "os/wait.h"

#define LONG_MS 60000

static struct jq start(const struct jq_spec *spec)
{
	struct jq j;
	struct err e;

	if (jq_start(&j, spec, &e) < 0)
		fail_msg("%s", e.msg);
	return j;
}

static void put(struct jq *j, const char *json)
{
	jq_put(j, json, strlen(json));
}

static void expect_result(struct jq *j, const char *json)
{
	struct span line;
	struct err e = {0};
	enum coproc_result r = jq_line(j, &line, wait_deadline_ms(LONG_MS), &e);

	if (r != COPROC_READY)
		fail_msg("result %d: %s", r, e.msg);
	assert_int_equal(line.len, strlen(json));
	assert_memory_equal(line.p, json, line.len);
}

/* Its words begin so. */
static void expect_failure(struct jq *j, const char *words)
{
	struct span line;
	struct err e = {0};

	assert_int_equal(jq_line(j, &line, wait_deadline_ms(LONG_MS), &e), COPROC_FAILED);
	assert_int_equal(e.code, EBADMSG);
	if (strncmp(e.msg, words, strlen(words)) != 0)
		fail_msg("'%s' does not begin with '%s'", e.msg, words);
	jq_done(j);
}

static const char sum[] =
    "foreach inputs as $x (0; if $x | type == \"number\" then . + $x else . end;"
    " if $x | type == \"number\" then empty else (., $flush) end)";

static void an_answer_comes_while_the_input_is_open(void **state)
{
	struct jq j = start(&(struct jq_spec){.program = sum});
	struct span line;
	struct err e;

	(void)state;
	put(&j, "1");
	put(&j, "2");
	put(&j, "null");
	expect_result(&j, "3");
	put(&j, "4");
	put(&j, "null");
	expect_result(&j, "7");
	put(&j, "null");
	expect_result(&j, "7");
	jq_end_input(&j);
	assert_int_equal(jq_line(&j, &line, wait_deadline_ms(LONG_MS), &e), COPROC_END);
	jq_done(&j);
}

static void a_long_result_comes_whole(void **state)
{
	struct jq j = start(&(struct jq_spec){
	    .program = "inputs | ([range(0; .)] | length, (map(1) | add)), $flush"});

	(void)state;
	put(&j, "100000");
	expect_result(&j, "100000");
	expect_result(&j, "100000");
	jq_done(&j);
}

static void a_hundred_thousand_values_pass(void **state)
{
	struct jq j = start(&(struct jq_spec){.program = "inputs"});
	char text[16];

	(void)state;
	for (int i = 0; i < 100000; i++) {
		snprintf(text, sizeof(text), "%d", i);
		put(&j, text);
	}
	jq_end_input(&j);
	for (int i = 0; i < 100000; i++) {
		snprintf(text, sizeof(text), "%d", i);
		expect_result(&j, text);
	}
	jq_done(&j);
}

static void arguments_are_json(void **state)
{
	const struct jq_arg args[] = {{"init", "{\"n\":[1]}"}, {"who", "\"x\""}};
	struct jq j = start(&(struct jq_spec){
	    .program = "$init.n[0], $who, ($flush | length)", .args = args, .arg_count = 2});

	(void)state;
	expect_result(&j, "1");
	expect_result(&j, "\"x\"");
	expect_result(&j, "8192");
	jq_done(&j);
}

static void a_program_that_does_not_compile_is_told(void **state)
{
	struct jq j = start(&(struct jq_spec){.program = "inputs | nosuch(.)"});

	(void)state;
	put(&j, "1");
	expect_failure(&j, "jq: nosuch/1 is not defined");
}

static void an_error_of_the_program_is_told(void **state)
{
	struct jq j = start(&(struct jq_spec){.program = "inputs | error(\"no stock\")"});

	(void)state;
	put(&j, "1");
	expect_failure(&j, "jq: (at <stdin>");
}

static void what_is_no_json_is_told(void **state)
{
	struct jq j = start(&(struct jq_spec){.program = "inputs"});

	(void)state;
	put(&j, "{bad");
	jq_end_input(&j);
	expect_failure(&j, "jq: (at <stdin>");
}

static void a_program_over_the_limit_is_refused(void **state)
{
	char *text = malloc(JQ_PROGRAM_MAX + 2);
	struct jq j;
	struct err e;

	(void)state;
	memset(text, ' ', JQ_PROGRAM_MAX + 1);
	text[JQ_PROGRAM_MAX + 1] = '\0';
	assert_int_equal(jq_start(&j, &(struct jq_spec){.program = text}, &e), -1);
	assert_int_equal(e.code, E2BIG);
	jq_done(&j);
	free(text);
}

static void no_jq_is_told_with_advice(void **state)
{
	const char *was = getenv("PATH");
	char *path = strdup(was != NULL ? was : "/usr/bin:/bin");
	struct jq j;
	struct err e;

	(void)state;
	setenv("PATH", "/nowhere", 1);
	assert_int_equal(jq_start(&j, &(struct jq_spec){.program = "."}, &e), -1);
	setenv("PATH", path, 1);
	free(path);
	assert_int_equal(e.code, PROC_NOT_FOUND);
	assert_non_null(strstr(e.msg, "install"));
	jq_done(&j);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_answer_comes_while_the_input_is_open),
	    cmocka_unit_test(a_long_result_comes_whole),
	    cmocka_unit_test(a_hundred_thousand_values_pass),
	    cmocka_unit_test(arguments_are_json),
	    cmocka_unit_test(a_program_that_does_not_compile_is_told),
	    cmocka_unit_test(an_error_of_the_program_is_told),
	    cmocka_unit_test(what_is_no_json_is_told),
	    cmocka_unit_test(a_program_over_the_limit_is_refused),
	    cmocka_unit_test(no_jq_is_told_with_advice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
