/* consul/query: the parameters that are everywhere, and the durations of Go. */
#include "consul/query.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "seeded.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define S        UINT64_C(1000000000)

static struct span span_of(const char *s)
{
	return (struct span){s, strlen(s)};
}

static struct consul_query take(const char *text)
{
	struct consul_query q;
	struct err e;

	if (consul_query_get(&q, span_of(text), &e) < 0)
		fail_msg("'%s': %s", text, e.msg);
	return q;
}

static void refuse(const char *text, const char *message)
{
	struct consul_query q;
	struct err e;

	if (consul_query_get(&q, span_of(text), &e) == 0)
		fail_msg("'%s' was taken", text);
	assert_int_equal(e.code, EINVAL);
	assert_string_equal(e.msg, message);
}

static void no_query_is_the_default(void **state)
{
	struct consul_query q = take("");

	(void)state;
	assert_int_equal(q.index, 0);
	assert_int_equal(q.wait_ns, CONSUL_WAIT_DEFAULT_NS);
	assert_int_equal(q.max_stale_ns, 0);
	assert_false(q.stale || q.consistent || q.pretty);
	assert_false(consul_query_has(&q, "recurse"));
	assert_false(consul_query_has(&q, ""));
}

static void a_flag_counts_when_its_name_is_there(void **state)
{
	static const char *const there[] = {"recurse",     "recurse=",      "recurse=false",
	                                    "&recurse",    "x=1&&recurse&", "%72ecurse",
	                                    "recurse=%zz", "=&recurse"};
	static const char *const not_there[] = {"Recurse", "recurs",    "recursee", "x=recurse",
	                                        "&",       "%7Zecurse", "%72",      "recurse%"};
	struct consul_query q;

	(void)state;
	for (size_t i = 0; i < COUNT(there); i++) {
		q = take(there[i]);
		if (!consul_query_has(&q, "recurse"))
			fail_msg("'%s' has no recurse", there[i]);
	}
	for (size_t i = 0; i < COUNT(not_there); i++) {
		q = take(not_there[i]);
		if (consul_query_has(&q, "recurse"))
			fail_msg("'%s' has recurse", not_there[i]);
	}
	q = take("a+b=1");
	assert_true(consul_query_has(&q, "a b"));
}

static void found_value(const char *text, const char *name, int found, const char *value)
{
	struct consul_query q = take(text);
	struct buf b = {0};
	struct err e;

	assert_int_equal(consul_query_value(&q, name, &b, &e), found);
	if (found < 0)
		assert_int_equal(e.code, EINVAL);
	assert_int_equal(b.len, strlen(value));
	if (b.len > 0)
		assert_memory_equal(b.data, value, b.len);
	buf_done(&b);
}

static void of_two_values_the_first_one_counts(void **state)
{
	(void)state;
	found_value("separator=%2F&separator=b", "separator", 1, "/");
	found_value("separator=a+b", "separator", 1, "a b");
	found_value("separator=a%2Bb=c", "separator", 1, "a+b=c");
	found_value("separator", "separator", 1, "");
	found_value("", "separator", 0, "");
	found_value("seperator=x", "separator", 0, "");
	found_value("separator=%2", "separator", -1, "");
}

static void index_and_wait_are_numbers_or_not_there(void **state)
{
	(void)state;
	assert_int_equal(take("index=").index, 0);
	assert_int_equal(take("index=16").index, 16);
	assert_int_equal(take("index=1&index=2").index, 1);
	assert_true(take("index=18446744073709551615").index == UINT64_MAX);
	refuse("index=18446744073709551616", "Invalid index");
	refuse("index=-1", "Invalid index");
	refuse("index=x", "Invalid index");
	refuse("index=1%31", "Invalid index");

	assert_int_equal(take("wait=").wait_ns, CONSUL_WAIT_DEFAULT_NS);
	assert_int_equal(take("wait=0s").wait_ns, CONSUL_WAIT_DEFAULT_NS);
	assert_int_equal(take("wait=9.98s").wait_ns, 9980000000);
	assert_int_equal(take("wait=30s&wait=1s").wait_ns, 30 * S);
	assert_int_equal(take("wait=10m").wait_ns, CONSUL_WAIT_MAX_NS);
	assert_int_equal(take("wait=11m").wait_ns, CONSUL_WAIT_MAX_NS);
	assert_int_equal(take("wait=5%C2%B5s").wait_ns, 5000);
	refuse("wait=10", "Invalid wait time");
	refuse("wait=-1s", "Invalid wait time");
	refuse("wait=%zz", "Invalid wait time");
}

static void stale_and_consistent_exclude_each_other(void **state)
{
	(void)state;
	assert_true(take("stale").stale);
	assert_true(take("consistent=0").consistent);
	assert_true(take("pretty").pretty);
	assert_true(take("max_stale=5s").stale);
	assert_int_equal(take("max_stale=5s").max_stale_ns, 5 * S);
	assert_false(take("max_stale=0s").stale);
	assert_false(take("max_stale=").stale);
	refuse("stale&consistent",
	       "Cannot specify ?stale with ?consistent, conflicting semantics.");
	refuse("max_stale=1s&consistent",
	       "Cannot specify ?stale with ?consistent, conflicting semantics.");
	refuse("max_stale=x", "Invalid max_stale value \"x\"");
}

static void a_query_is_repeated_in_the_order_of_its_names(void **state)
{
	static const struct {
		const char *text, *sorted;
	} cases[] = {
	    {"", ""},
	    {"recurse&cas=5", "cas=5&recurse="},
	    {"b=1&a=2&b=0&ab=&a=1", "a=2&a=1&ab=&b=1&b=0"},
	    {"x=%zz&y=%2F&%=1", "y=%2F"},
	    {"=v&k", "=v&k="},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct consul_query q = {.text = span_of(cases[i].text)};
		struct buf b = {0};
		struct err e;

		assert_int_equal(consul_query_sorted(&q, &b, &e), 0);
		buf_add_char(&b, '\0');
		assert_string_equal(b.data, cases[i].sorted);
		buf_done(&b);
	}
}

static const struct {
	const char *text;
	uint64_t ns;
} durations[] = {
    {"0", 0},
    {"+0", 0},
    {"-0", 0},
    {"0s", 0},
    {"10s", 10 * S},
    {"1m30s", 90 * S},
    {"30s1m", 90 * S},
    {"1s1s", 2 * S},
    {"15000ms", 15 * S},
    {"9.98s", 9980000000},
    {"10.0s", 10 * S},
    {"0.001s", 1000000},
    {".5s", S / 2},
    {"5.s", 5 * S},
    {"+5s", 5 * S},
    {"1h", 3600 * S},
    {"1us2ns", 1002},
    {"1\u00b5s", 1000},
    {"1\u03bcs", 1000},
    {"0.3333333333333333333h", 1199999999999},
    {"9223372036854775807ns", INT64_MAX},
};

static void durations_are_those_of_go(void **state)
{
	struct err e;

	(void)state;
	for (size_t i = 0; i < COUNT(durations); i++) {
		uint64_t ns = 1;

		if (consul_duration_ns(span_of(durations[i].text), &ns, &e) < 0)
			fail_msg("'%s': %s", durations[i].text, e.msg);
		if (ns != durations[i].ns)
			fail_msg("'%s' is %llu", durations[i].text, (unsigned long long)ns);
	}
}

static void what_is_no_duration_is_refused_in_the_words_of_go(void **state)
{
	static const struct {
		const char *text, *message;
		int code;
	} cases[] = {
	    {"", "time: invalid duration \"\"", EINVAL},
	    {"-", "time: invalid duration \"-\"", EINVAL},
	    {"3", "time: missing unit in duration \"3\"", EINVAL},
	    {"1s3", "time: missing unit in duration \"1s3\"", EINVAL},
	    {"s", "time: invalid duration \"s\"", EINVAL},
	    {".s", "time: invalid duration \".s\"", EINVAL},
	    {"1.2.3s", "time: missing unit in duration \"1.2.3s\"", EINVAL},
	    {"7d", "time: unknown unit \"d\" in duration \"7d\"", EINVAL},
	    {"1 s", "time: unknown unit \" s\" in duration \"1 s\"", EINVAL},
	    {"1s ", "time: unknown unit \"s \" in duration \"1s \"", EINVAL},
	    {"+-1s", "time: invalid duration \"+-1s\"", EINVAL},
	    {"-1s", "negative duration \"-1s\"", EINVAL},
	    {"9223372036854775808ns", "time: invalid duration \"9223372036854775808ns\"", ERANGE},
	    {"99999999999999999999h", "time: invalid duration \"99999999999999999999h\"", ERANGE},
	    {"2562047h48m", "time: invalid duration \"2562047h48m\"", ERANGE},
	};
	struct err e;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint64_t ns = 7;

		if (consul_duration_ns(span_of(cases[i].text), &ns, &e) == 0)
			fail_msg("'%s' was taken", cases[i].text);
		assert_int_equal(ns, 7);
		assert_string_equal(e.msg, cases[i].message);
		assert_int_equal(e.code, cases[i].code);
	}
}

static void durations_are_printed_as_go_does(void **state)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} cases[] = {
	    {0, "0s"},
	    {1, "1ns"},
	    {1100, "1.1\u00b5s"},
	    {2200000, "2.2ms"},
	    {1500000, "1.5ms"},
	    {3300000000, "3.3s"},
	    {15 * S, "15s"},
	    {90 * S, "1m30s"},
	    {60 * S, "1m0s"},
	    {3600 * S, "1h0m0s"},
	    {86400 * S, "24h0m0s"},
	    {245 * S + 1000000, "4m5.001s"},
	    {18367 * S + 1, "5h6m7.000000001s"},
	    {INT64_MAX, "2562047h47m16.854775807s"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf b = {0};

		consul_duration_put(&b, cases[i].ns);
		buf_add_char(&b, '\0');
		assert_string_equal(b.data, cases[i].text);
		buf_done(&b);
	}
}

static void what_was_printed_is_read_as_the_same(void **state)
{
	uint64_t rand = seeded();
	struct err e;

	(void)state;
	for (unsigned i = seeded_rounds(20000); i > 0; i--) {
		uint64_t ns = seeded_any_size(&rand) >> 1;
		uint64_t again = ns + 1;
		struct buf b = {0};

		consul_duration_put(&b, ns);
		if (consul_duration_ns((struct span){b.data, b.len}, &again, &e) < 0)
			fail_msg("%llu: %s", (unsigned long long)ns, e.msg);
		assert_int_equal(again, ns);
		buf_done(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(no_query_is_the_default),
	    cmocka_unit_test(a_flag_counts_when_its_name_is_there),
	    cmocka_unit_test(of_two_values_the_first_one_counts),
	    cmocka_unit_test(index_and_wait_are_numbers_or_not_there),
	    cmocka_unit_test(stale_and_consistent_exclude_each_other),
	    cmocka_unit_test(a_query_is_repeated_in_the_order_of_its_names),
	    cmocka_unit_test(durations_are_those_of_go),
	    cmocka_unit_test(what_is_no_duration_is_refused_in_the_words_of_go),
	    cmocka_unit_test(durations_are_printed_as_go_does),
	    cmocka_unit_test(what_was_printed_is_read_as_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
