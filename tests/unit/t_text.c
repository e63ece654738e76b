#include "base/text.h"

#include <errno.h>
#include <stdio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "seeded.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void a_number_is_digits_within_its_range(void **state)
{
	uint64_t v;
	struct err e;

	(void)state;
	assert_int_equal(num_u64("0", 0, 9, &v, &e), 0);
	assert_int_equal(v, 0);
	assert_int_equal(num_u64("65535", 1, 65535, &v, &e), 0);
	assert_int_equal(v, 65535);
	assert_int_equal(num_u64("00000000000000000000042", 0, 100, &v, &e), 0);
	assert_int_equal(v, 42);
	assert_int_equal(num_u64("18446744073709551615", 0, UINT64_MAX, &v, &e), 0);
	assert_true(v == UINT64_MAX);
	assert_int_equal(num_u64_len("123x", 3, 0, 999, &v, &e), 0);
	assert_int_equal(v, 123);
}

static void a_number_with_anything_else_in_it_is_refused(void **state)
{
	static const char *const bad[] = {"",    " 1",    "1 ",  "+1",       "-1",  "1.0", "1e3",
	                                  "0x1", "1,000", "1\n", "\xd9\xa1", "abc", "1k"};
	uint64_t v = 7;
	struct err e;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		assert_int_equal(num_u64(bad[i], 0, UINT64_MAX, &v, &e), -1);
		assert_int_equal(e.code, EINVAL);
		assert_int_equal(v, 7);
	}
	assert_int_equal(num_u64_len("1\0", 2, 0, 9, &v, &e), -1);
	assert_int_equal(e.code, EINVAL);
}

static void a_number_out_of_range_is_told_from_junk(void **state)
{
	uint64_t v = 7;
	struct err e;

	(void)state;
	assert_int_equal(num_u64("0", 1, 9, &v, &e), -1);
	assert_int_equal(e.code, ERANGE);
	assert_string_equal(e.msg, "0 is not between 1 and 9");
	assert_int_equal(num_u64("10", 1, 9, &v, &e), -1);
	assert_int_equal(e.code, ERANGE);
	assert_int_equal(num_u64("18446744073709551616", 0, UINT64_MAX, &v, &e), -1);
	assert_int_equal(e.code, ERANGE);
	assert_int_equal(num_u64("99999999999999999999999999", 0, UINT64_MAX, &v, &e), -1);
	assert_int_equal(e.code, ERANGE);
	/* A number that overflows twice and looks small again. */
	assert_int_equal(num_u64("18446744073709551616000000001", 0, UINT64_MAX, &v, &e), -1);
	assert_int_equal(e.code, ERANGE);
	assert_int_equal(v, 7);
}

static void numbers_survive_the_round_trip(void **state)
{
	uint64_t rand = seeded();
	char digits[TEXT_U64_LEN];
	uint64_t v;
	struct err e;

	(void)state;
	for (int i = 0; i < 10000; i++) {
		uint64_t want = i == 0 ? UINT64_MAX : i == 1 ? 0 : seeded_any_size(&rand);
		size_t n = text_put_u64(digits, want);

		assert_true(n == 1 || digits[0] != '0');
		assert_int_equal(num_u64_len(digits, n, 0, UINT64_MAX, &v, &e), 0);
		assert_true(v == want);
		text_put_u64_padded(digits, want);
		assert_int_equal(num_u64_len(digits, TEXT_U64_LEN, 0, UINT64_MAX, &v, &e), 0);
		assert_true(v == want);
	}
}

static void durations_have_units_fractions_and_parts(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} good[] = {
	    {"0", 0},
	    {"90", 90000000000},
	    {"1.5", 1500000000},
	    {".5", 500000000},
	    {"500ms", 500000000},
	    {"10s", 10000000000},
	    {"1m30s", 90000000000},
	    {"24h", 86400000000000},
	    {"7d", 604800000000000},
	    {"1d2h3m4s5ms6us7ns", 93784005006007},
	    {"1.5h", 5400000000000},
	    {".25d", 21600000000000},
	    {"250us", 250000},
	    {"1ns", 1},
	    {"0.1ns", 0},
	    {"0.9999999999s", 999999999},
	    {"0.1", 100000000},
	    {"0.000000001", 1},
	    {"0.0000000009999999999999999999999999999999999999999", 0},
	    {"1.000000000000000000000000000000000000001d", 86400000000000},
	    {"0.00000000000001157407407407407407407407407407408d", 1},
	    {"18446744073709551615ns", UINT64_MAX},
	    {"18446744073.709551615", UINT64_MAX},
	    {"213503d23h34m33s709ms551us615ns", UINT64_MAX},
	};
	uint64_t ns;
	struct err e;

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		assert_int_equal(text_duration_ns(good[i].text, &ns, &e), 0);
		if (ns != good[i].ns)
			fail_msg("%s gives %llu", good[i].text, (unsigned long long)ns);
	}
}

static void durations_with_junk_signs_or_a_strange_order_are_refused(void **state)
{
	static const char *const bad[] = {
	    "",    "s",   ".",    "1.",    "1.s",  ".s",    "-1",    "+1",         "1 s", " 1",
	    "1s ", "1S",  "1M",   "1min",  "1sec", "1m30",  "30s1m", "1s1s",       "1e3", "0x10",
	    "inf", "nan", "1,5s", "1.5.5", "1w",   "1h1.5", "ms",    "1\xc2\xb5s", "1ss", "1ns1",
	};
	uint64_t ns = 7;
	struct err e;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		if (text_duration_ns(bad[i], &ns, &e) == 0)
			fail_msg("'%s' gives %llu", bad[i], (unsigned long long)ns);
		assert_int_equal(e.code, EINVAL);
		assert_int_equal(ns, 7);
	}
}

static void durations_that_do_not_fit_are_refused(void **state)
{
	static const char *const bad[] = {
	    "18446744073709551616ns",          "18446744073.709551616",
	    "213503d23h34m33s709ms551us616ns", "213504d",
	    "99999999999999999999999999d",     "18446744073709551615",
	    "36893488147419103232ns",
	};
	uint64_t ns = 7;
	struct err e;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		assert_int_equal(text_duration_ns(bad[i], &ns, &e), -1);
		assert_int_equal(e.code, ERANGE);
		assert_int_equal(ns, 7);
	}
}

static void sizes_have_units_of_1024(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
	    {"0", 0},
	    {"4096", 4096},
	    {"1K", 1024},
	    {"64K", 65536},
	    {"1.5M", 1572864},
	    {".5K", 512},
	    {"2G", 2147483648},
	    {"1T", 1099511627776},
	    {"0.0001K", 0},
	    {"16777215T", 18446742974197923840U},
	    {"18446744073709551615", UINT64_MAX},
	};
	static const char *const bad[] = {"",    "K",  "1k",  "1KB", "1KiB", "1 K", "-1K", "+1",
	                                  "1.5", "1.", "1.K", "1E",  "1e3",  "0x1", "K1",  "1KK"};
	uint64_t bytes;
	struct err e;

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		assert_int_equal(text_size(good[i].text, &bytes, &e), 0);
		assert_true(bytes == good[i].bytes);
	}
	for (size_t i = 0; i < COUNT(bad); i++) {
		assert_int_equal(text_size(bad[i], &bytes, &e), -1);
		assert_int_equal(e.code, EINVAL);
	}
	assert_int_equal(text_size("16777216T", &bytes, &e), -1);
	assert_int_equal(e.code, ERANGE);
	assert_int_equal(text_size("18446744073709551616", &bytes, &e), -1);
	assert_int_equal(e.code, ERANGE);
}

static void hex_of_any_width_survives_the_round_trip(void **state)
{
	uint64_t rand = seeded();
	(void)state;
	for (int i = 0; i < 20000; i++) {
		int width = 1 + i % 16;
		uint64_t v = seeded_any_size(&rand) & UINT64_MAX >> (64 - 4 * width);
		char want[20];
		char got[18] = "<................>";
		uint64_t back = 0;

		snprintf(want, sizeof(want), "%0*llx", width, (unsigned long long)v);
		text_put_hex(got + 1, v, width);
		assert_memory_equal(got + 1, want, width);
		assert_int_equal(got[0], '<');
		assert_int_equal(got[1 + width], width == 16 ? '>' : '.');
		assert_int_equal(text_get_hex(got + 1, width, &back), 0);
		assert_true(back == v);
	}
}

/* Every byte value at every place of every width. */
static void only_lower_case_hex_digits_are_read(void **state)
{
	(void)state;
	for (int width = 1; width <= 16; width++)
		for (int at = 0; at < width; at++)
			for (int c = 0; c < 256; c++) {
				char text[16];
				uint64_t v = 7;
				int rc = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ? 0 : -1;

				memset(text, '0' + at % 10, sizeof(text));
				text[at] = (char)c;
				assert_int_equal(text_get_hex(text, width, &v), rc);
				if (rc < 0)
					assert_int_equal(v, 7);
			}
}

static void every_character_of_unicode_is_valid_utf8_but_surrogates(void **state)
{
	(void)state;
	for (uint32_t c = 0; c <= 0x10ffff; c++) {
		char text[4];
		size_t n = text_put_utf8(text, c);
		bool surrogate = c >= 0xd800 && c <= 0xdfff;

		if (text_utf8_len(text, n) != (surrogate ? 0 : n))
			fail_msg("U+%04X", (unsigned)c);
		if (text_utf8_len(text, n - 1) != 0)
			fail_msg("U+%04X cut", (unsigned)c);
	}
}

static void bytes_that_are_no_utf8_are_noticed(void **state)
{
	static const char *const bad[] = {
	    "\x80",
	    "\xbf",
	    "\xc0\x80",
	    "\xc1\xbf",
	    "\xc2",
	    "\xc3(",
	    "\xe0\x80\x80",
	    "\xe0\x9f\xbf",
	    "\xed\xa0\x80",
	    "\xe2\x82",
	    "\xe2\x28\xa1",
	    "\xe2\x82\x28",
	    "\xf0\x8f\xbf\xbf",
	    "\xf4\x90\x80\x80",
	    "\xf5\x80\x80\x80",
	    "\xff",
	    "\xfe",
	    "\xf8\x88\x80\x80\x80",
	};
	char text[40];

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		for (size_t at = 0; at <= 16; at++) {
			memset(text, 'x', sizeof(text));
			memcpy(text + at, bad[i], strlen(bad[i]));
			assert_false(text_is_utf8(text, at + strlen(bad[i])));
			assert_false(text_is_utf8(text, sizeof(text)));
		}
	assert_true(text_is_utf8("", 0));
	assert_true(text_is_utf8("\0plain text of some length", 25));
	assert_true(text_is_utf8("plain \xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80 text", 20));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_number_is_digits_within_its_range),
	    cmocka_unit_test(a_number_with_anything_else_in_it_is_refused),
	    cmocka_unit_test(a_number_out_of_range_is_told_from_junk),
	    cmocka_unit_test(numbers_survive_the_round_trip),
	    cmocka_unit_test(durations_have_units_fractions_and_parts),
	    cmocka_unit_test(durations_with_junk_signs_or_a_strange_order_are_refused),
	    cmocka_unit_test(durations_that_do_not_fit_are_refused),
	    cmocka_unit_test(sizes_have_units_of_1024),
	    cmocka_unit_test(hex_of_any_width_survives_the_round_trip),
	    cmocka_unit_test(only_lower_case_hex_digits_are_read),
	    cmocka_unit_test(every_character_of_unicode_is_valid_utf8_but_surrogates),
	    cmocka_unit_test(bytes_that_are_no_utf8_are_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
