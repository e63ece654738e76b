/* The limits of json_scan(): equal keys, many members, depth. */
#include "base/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static int scan(const struct buf *b, struct json_doc *d, struct err *e)
{
	assert_false(b->failed);
	return json_scan(b->data, b->len, d, e);
}

static void equal_keys_are_refused_at_every_level(void **state)
{
	static const struct {
		const char *text;
		const char *why;
	} bad[] = {
	    {"{\"a\":1,\"a\":2}", "column 8: the key 'a' is there twice"},
	    {"{\"\":1,\"\":2}", "column 7"},
	    {"{\"a\":1,\"b\":2,\"c\":3,\"a\":4}", "column 20"},
	    {"[{\"x\":{\"b\":1,\"c\":2,\"b\":3}}]", "column 20"},
	    {"{\"x\":{\"b\":1},\"b\":2,\"x\":3}", "column 20"},
	    {"{\"a\":1,\"\\u0061\":2}", "column 8"},
	    {"{\"\\u0061\":1,\"a\":2}", "column 13"},
	    {"{\"\\u0061\":1,\"\\u0061\":2}", "column 13"},
	    {"{\"\\n\":1,\"\\u000A\":2}", "column 9"},
	    {"{\"\\/\":1,\"/\":2}", "column 9"},
	    {"{\"\xc3\xa9\":1,\"\\u00e9\":2}", "column 9"},
	    {"{\"\xf0\x9f\x98\x80\":1,\"\\ud83d\\ude00\":2}", "column 11"},
	    {"{\"\\u0000\":1,\"\\u0000\":2}", "column 13"},
	};
	struct json_doc d;
	struct err e;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		if (json_scan(bad[i].text, strlen(bad[i].text), &d, &e) == 0)
			fail_msg("'%s' was accepted", bad[i].text);
		assert_int_equal(e.code, EBADMSG);
		if (strstr(e.msg, bad[i].why) == NULL)
			fail_msg("'%s': %s", bad[i].text, e.msg);
	}
}

static void keys_that_only_look_alike_are_accepted(void **state)
{
	static const char *const good[] = {
	    "{\"a\":1,\"A\":2,\"aa\":3,\"\":4}",
	    "{\"a\":{\"a\":{\"a\":1}},\"b\":{\"a\":1}}",
	    "[{\"a\":1},{\"a\":2}]",
	    "{\"a\":[{\"a\":1},{\"a\":1}],\"b\":1}",
	    "{\"\\\\u0061\":1,\"a\":2}",
	    "{\"\\u0000\":1,\"\":2,\"\\u0000\\u0000\":3}",
	    "{\"e\\u0301\":1,\"\\u00e9\":2}",
	    "{\"ab\":1,\"ba\":2,\"aab\":3,\"abb\":4}",
	};
	struct json_doc d;
	struct err e;

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++)
		if (json_scan(good[i], strlen(good[i]), &d, &e) < 0)
			fail_msg("'%s': %s", good[i], e.msg);
}

/* {"k0":0,"k1":1,...} with the key of `twice` once more at the end, unless it is -1. */
static void put_object(struct buf *b, int n, int twice, const char *escape)
{
	buf_clear(b);
	buf_add_char(b, '{');
	for (int i = 0; i < n; i++)
		buf_printf(b, "%s\"k%d\":%d", i > 0 ? "," : "", i, i);
	if (twice >= 0)
		buf_printf(b, ",\"%s%d\":0", escape, twice);
	buf_add_char(b, '}');
}

static void objects_of_any_size_are_checked(void **state)
{
	static const char *const escapes[] = {"k", "\\u006b"};
	struct buf b = {0};
	struct json_doc d;
	struct err e;

	(void)state;
	for (int n = 1; n < 300; n = n < 140 ? n + 1 : n + 37)
		for (size_t i = 0; i < COUNT(escapes); i++) {
			put_object(&b, n, -1, "");
			assert_int_equal(scan(&b, &d, &e), 0);
			assert_int_equal(d.members, n);
			put_object(&b, n, n, escapes[i]);
			assert_int_equal(scan(&b, &d, &e), 0);
			for (int twice = 0; twice < n; twice += 1 + n / 5) {
				put_object(&b, n, twice, escapes[i]);
				assert_int_equal(scan(&b, &d, &e), -1);
				assert_int_equal(e.code, EBADMSG);
				assert_non_null(strstr(e.msg, "is there twice"));
			}
		}
	buf_done(&b);
}

/* The keys of outer objects stay known while inner ones come and go, also on the heap. */
static void keys_of_open_objects_survive_the_growth_of_inner_ones(void **state)
{
	struct buf b = {0};
	struct json_doc d;
	struct err e;

	(void)state;
	for (int inner = 1; inner < 400; inner = inner * 3 + 1)
		for (int twice = 0; twice < 2; twice++) {
			buf_clear(&b);
			buf_add_str(&b, "{\"first\":[");
			for (int i = 0; i < 3; i++) {
				buf_add_str(&b, i > 0 ? ",{" : "{");
				for (int k = 0; k < inner; k++)
					buf_printf(&b, "%s\"k%d\":{}", k > 0 ? "," : "", k);
				buf_add_char(&b, '}');
			}
			buf_printf(&b, "],\"second\":0,\"%s\":1}", twice ? "first" : "k1");
			assert_int_equal(scan(&b, &d, &e), twice ? -1 : 0);
			if (twice)
				assert_non_null(strstr(e.msg, "the key 'first' is there twice"));
			else
				assert_int_equal(d.members, 3);
		}
	buf_done(&b);
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Keys of one length that agree in all that the quick test looks at. */
static double time_alike(int n)
{
	struct buf b = {0};
	struct json_doc d;
	struct err e;
	double begin;

	buf_add_char(&b, '{');
	for (int i = 0; i < n; i++)
		buf_printf(&b, "%s\"a%06dmmm%06dz\":0", i > 0 ? "," : "", i, n - i);
	buf_add_char(&b, '}');
	begin = seconds();
	assert_int_equal(scan(&b, &d, &e), 0);
	assert_int_equal(d.members, n);
	begin = seconds() - begin;
	buf_done(&b);
	return begin;
}

/* Ten times the keys would take a hundred times as long if it were; 40 leaves room for noise. */
static void a_hundred_thousand_keys_do_not_take_quadratic_time(void **state)
{
	double least = 1e9;

	(void)state;
	for (int i = 0; i < 5; i++) {
		double small = time_alike(10000);
		double ratio = time_alike(100000) / (small > 0 ? small : 1e-9);

		if (ratio < least)
			least = ratio;
	}
	if (least > 40)
		fail_msg("ten times the keys took %.0f times as long", least);
}

static void members_beyond_the_array_are_counted_and_checked(void **state)
{
	struct buf b = {0};
	struct json_doc d;
	struct err e;

	(void)state;
	memset(&d, 0x5a, sizeof(d));
	put_object(&b, JSON_MEMBERS_MAX + 3, -1, "");
	assert_int_equal(scan(&b, &d, &e), 0);
	assert_int_equal(d.members, JSON_MEMBERS_MAX + 3);
	assert_true(json_key_is(&d.member[JSON_MEMBERS_MAX - 1], "k63"));
	assert_int_equal(d.member[JSON_MEMBERS_MAX - 1].value.len, 2);
	assert_null(json_find(&d, "k64"));
	buf_done(&b);
}

static void depth_is_limited_without_a_crash(void **state)
{
	static const char *const opens[] = {"[", "{\"a\":"};
	static const char *const closes[] = {"]", "}"};
	struct buf b = {0};
	struct json_doc d;
	struct err e;

	(void)state;
	for (size_t i = 0; i < COUNT(opens); i++)
		for (int depth = JSON_DEPTH_MAX - 1; depth <= JSON_DEPTH_MAX + 1; depth++) {
			buf_clear(&b);
			for (int k = 0; k < depth; k++)
				buf_add_str(&b, opens[i]);
			buf_add_str(&b, "1");
			for (int k = 0; k < depth; k++)
				buf_add_str(&b, closes[i]);
			if (depth <= JSON_DEPTH_MAX) {
				assert_int_equal(scan(&b, &d, &e), 0);
				continue;
			}
			assert_int_equal(scan(&b, &d, &e), -1);
			assert_int_equal(e.code, EBADMSG);
			assert_non_null(strstr(e.msg, "more than 64 levels"));
		}
	buf_clear(&b);
	for (int i = 0; i < 1000000; i++)
		buf_add_char(&b, '[');
	assert_int_equal(scan(&b, &d, &e), -1);
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(equal_keys_are_refused_at_every_level),
	    cmocka_unit_test(keys_that_only_look_alike_are_accepted),
	    cmocka_unit_test(objects_of_any_size_are_checked),
	    cmocka_unit_test(keys_of_open_objects_survive_the_growth_of_inner_ones),
	    cmocka_unit_test(a_hundred_thousand_keys_do_not_take_quadratic_time),
	    cmocka_unit_test(members_beyond_the_array_are_counted_and_checked),
	    cmocka_unit_test(depth_is_limited_without_a_crash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
