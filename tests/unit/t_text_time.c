/* text_put_time() and text_get_time() of base/text. */
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "seeded.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void check_time(int64_t ns, const char *want)
{
	char text[TEXT_TIME_LEN];

	text_put_time(text, ns);
	if (memcmp(text, want, TEXT_TIME_LEN) != 0)
		fail_msg("%lld gives %.*s, not %s", (long long)ns, TEXT_TIME_LEN, text, want);
}

static void a_time_is_written_in_utc_with_microseconds(void **state)
{
	(void)state;
	check_time(0, "1970-01-01T00:00:00.000000Z");
	check_time(999, "1970-01-01T00:00:00.000000Z");
	check_time(1795428000123456789, "2026-11-23T10:00:00.123456Z");
	check_time(951782400000000000, "2000-02-29T00:00:00.000000Z");
	check_time(-1, "1969-12-31T23:59:59.999999Z");
	check_time(INT64_MAX, "2262-04-11T23:47:16.854775Z");
	check_time(INT64_MIN, "1677-09-21T00:12:43.145224Z");
}

static void times_agree_with_the_c_library(void **state)
{
	uint64_t rand = seeded();
	(void)state;
	for (int i = 0; i < 100000; i++) {
		uint64_t bits = seeded_next(&rand);
		int64_t ns = (int64_t)bits;
		int64_t seconds = ns / TEXT_NS_PER_S - (ns % TEXT_NS_PER_S < 0);
		time_t t = (time_t)seconds;
		char want[64];
		char text[TEXT_TIME_LEN];
		int64_t back;
		struct tm tm;
		struct err e;

		assert_non_null(gmtime_r(&t, &tm));
		snprintf(want, sizeof(want), "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ",
		         tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
		         tm.tm_sec, (int)((ns - seconds * TEXT_NS_PER_S) / 1000));
		text_put_time(text, ns);
		assert_memory_equal(text, want, TEXT_TIME_LEN);
		if (ns < INT64_MIN + 1000)
			continue;
		assert_int_equal(text_get_time(text, TEXT_TIME_LEN, &back, &e), 0);
		assert_true(back <= ns && ns - back < 1000);
	}
}

static void every_day_of_eight_centuries_is_read_back(void **state)
{
	int64_t days = -106751; /* 1677-09-22 */

	(void)state;
	for (; days < 106751; days++) {
		char text[TEXT_TIME_LEN];
		int64_t ns = days * 86400 * TEXT_NS_PER_S;
		int64_t back;
		struct err e;

		text_put_time(text, ns);
		assert_int_equal(text_get_time(text, TEXT_TIME_LEN, &back, &e), 0);
		assert_true(back == ns);
	}
}

static void times_of_rfc_3339_are_read_in_all_their_forms(void **state)
{
	static const struct {
		const char *text;
		int64_t ns;
	} good[] = {
	    {"1970-01-01T00:00:00Z", 0},
	    {"1970-01-01t00:00:00z", 0},
	    {"1970-01-01T00:00:00-00:00", 0},
	    {"2026-11-23T10:00:00.123456Z", 1795428000123456000},
	    {"2026-11-23T10:00:00.123456789Z", 1795428000123456789},
	    {"2026-11-23T10:00:00.1234567891111Z", 1795428000123456789},
	    {"2026-11-23T10:00:00.5Z", 1795428000500000000},
	    {"2026-11-23T11:30:00+01:30", 1795428000000000000},
	    {"2026-11-23T02:00:00-08:00", 1795428000000000000},
	    {"2026-11-22T23:01:00-10:59", 1795428000000000000},
	    /* The examples of RFC 3339 section 5.8. */
	    {"1985-04-12T23:20:50.52Z", 482196050520000000},
	    {"1996-12-19T16:39:57-08:00", 851042397000000000},
	    {"1990-12-31T23:59:60Z", 662688000000000000},
	    {"1990-12-31T15:59:60-08:00", 662688000000000000},
	    {"1937-01-01T12:00:27.87+00:20", -1041337172130000000},
	    {"1677-09-21T00:12:43.145224192Z", INT64_MIN},
	    {"2262-04-11T23:47:16.854775807Z", INT64_MAX},
	    {"2024-02-29T00:00:00Z", 1709164800000000000},
	};
	int64_t ns;
	struct err e;

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		assert_int_equal(text_get_time(good[i].text, strlen(good[i].text), &ns, &e), 0);
		if (ns != good[i].ns)
			fail_msg("%s gives %lld", good[i].text, (long long)ns);
	}
}

static void what_is_no_time_is_refused(void **state)
{
	static const char *const bad[] = {
	    "",
	    "2026-11-23",
	    "2026-11-23T10:00:00",
	    "2026-11-23 10:00:00Z",
	    "2026-11-23T10:00Z",
	    "2026-11-23T10:00:00.Z",
	    "2026-11-23T10:00:00,5Z",
	    "2026-11-23T10:00:00+0100",
	    "2026-11-23T10:00:00+01",
	    "2026-11-23T10:00:00+24:00",
	    "2026-11-23T10:00:00+01:60",
	    "2026-11-23T10:00:00Z ",
	    " 2026-11-23T10:00:00Z",
	    "2026-11-23T10:00:00ZZ",
	    "2026-11-23T24:00:00Z",
	    "2026-11-23T10:60:00Z",
	    "2026-11-23T10:00:61Z",
	    "2026-11-23T10:00:60Z",
	    "1990-12-31T23:59:60-08:00",
	    "2026-13-01T00:00:00Z",
	    "2026-00-01T00:00:00Z",
	    "2026-11-00T00:00:00Z",
	    "2026-11-31T00:00:00Z",
	    "2026-02-29T00:00:00Z",
	    "1900-02-29T00:00:00Z",
	    "2026-1-23T10:00:00.0Z",
	    "20261123T100000.000000Z",
	    "+026-11-23T10:00:00Z",
	    "2026-11-23T10:00:00M",
	};
	int64_t ns = 7;
	struct err e;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		if (text_get_time(bad[i], strlen(bad[i]), &ns, &e) == 0)
			fail_msg("'%s' gives %lld", bad[i], (long long)ns);
		assert_int_equal(e.code, EINVAL);
		assert_int_equal(ns, 7);
	}
}

static void a_time_beyond_the_range_is_told_from_junk(void **state)
{
	static const char *const bad[] = {"0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z",
	                                  "9999-12-31T23:59:59Z", "1677-09-21T00:12:43.145224191Z",
	                                  "2262-04-11T23:47:16.854775808Z"};
	int64_t ns = 7;
	struct err e;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		assert_int_equal(text_get_time(bad[i], strlen(bad[i]), &ns, &e), -1);
		assert_int_equal(e.code, ERANGE);
		assert_int_equal(ns, 7);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_time_is_written_in_utc_with_microseconds),
	    cmocka_unit_test(times_agree_with_the_c_library),
	    cmocka_unit_test(every_day_of_eight_centuries_is_read_back),
	    cmocka_unit_test(times_of_rfc_3339_are_read_in_all_their_forms),
	    cmocka_unit_test(what_is_no_time_is_refused),
	    cmocka_unit_test(a_time_beyond_the_range_is_told_from_junk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
