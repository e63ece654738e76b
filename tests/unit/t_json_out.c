#include "base/json_out.h"

#include <string.h>

#include "base/json.h"
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "seeded.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void assert_text(const struct buf *b, const char *want)
{
	assert_int_equal(b->len, strlen(want));
	assert_memory_equal(b->data, want, b->len);
}

static void check_string(const char *bytes, size_t len, const char *want)
{
	struct buf b = {0};

	json_out_string(&b, bytes, len);
	assert_text(&b, want);
	buf_done(&b);
}

static void a_string_has_quotes_and_the_shortest_escapes(void **state)
{
	(void)state;
	check_string("", 0, "\"\"");
	check_string("plain text", 10, "\"plain text\"");
	check_string("\"\\/", 3, "\"\\\"\\\\/\"");
	check_string("\b\f\n\r\t", 5, "\"\\b\\f\\n\\r\\t\"");
	check_string("\0\x01\x1f\x7f", 4, "\"\\u0000\\u0001\\u001f\x7f\"");
	check_string("a longer text, \"with quotes\" inside\n", 36,
	             "\"a longer text, \\\"with quotes\\\" inside\\n\"");
}

static void valid_utf8_is_kept_as_it_is(void **state)
{
	static const char text[] = "\xc3\x86r\xc3\xb8 \xe2\x82\xac \xf0\x9f\x98\x80";

	(void)state;
	check_string(text, sizeof(text) - 1, "\"\xc3\x86r\xc3\xb8 \xe2\x82\xac \xf0\x9f\x98\x80\"");
}

static void each_bad_byte_becomes_a_replacement_character(void **state)
{
#define FFFD "\xef\xbf\xbd"
	(void)state;
	check_string("a\xff", 2, "\"a" FFFD "\"");
	check_string("\xc3", 1, "\"" FFFD "\"");
	check_string("\xe2\x82z", 3, "\"" FFFD FFFD "z\"");
	check_string("\xed\xa0\x80", 3, "\"" FFFD FFFD FFFD "\"");
	check_string("\xc3\xa9\xff\xc3\xa9", 5, "\"\xc3\xa9" FFFD "\xc3\xa9\"");
}

static void keys_bring_their_own_commas(void **state)
{
	struct buf b = {0};

	(void)state;
	buf_add_str(&b, "{");
	json_out_key(&b, "a");
	json_out_u64(&b, 0);
	json_out_key(&b, "b");
	buf_add_str(&b, "{");
	json_out_key(&b, "c");
	json_out_string(&b, "{", 1);
	json_out_key(&b, "d");
	buf_add_str(&b, "[]}");
	json_out_key(&b, "e");
	json_out_u64_string(&b, UINT64_MAX);
	buf_add_str(&b, "}");
	assert_text(&b, "{\"a\":0,\"b\":{\"c\":\"{\",\"d\":[]},\"e\":\"18446744073709551615\"}");
	buf_done(&b);
}

static void a_sequence_number_always_has_twenty_digits(void **state)
{
	static const struct {
		uint64_t v;
		const char *want;
	} pairs[] = {
	    {0, "\"00000000000000000000\""},
	    {123, "\"00000000000000000123\""},
	    {UINT64_MAX, "\"18446744073709551615\""},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(pairs); i++) {
		struct buf b = {0};

		json_out_seq(&b, pairs[i].v);
		assert_text(&b, pairs[i].want);
		buf_done(&b);
	}
}

/* Any bytes come out as one valid JSON string, and valid UTF-8 comes back unchanged. */
static void what_is_written_is_read_back(void **state)
{
	static const char *const bits[] = {"a",
	                                   "\"",
	                                   "\\",
	                                   "\n",
	                                   "\x01",
	                                   "\x1f",
	                                   "\xc3\xa9",
	                                   "\xe2\x82\xac",
	                                   "\xf0\x9f\x98\x80",
	                                   "\xff",
	                                   "\xc3",
	                                   " ",
	                                   "plain ascii text of some length"};
	uint64_t rand = seeded();
	struct buf in = {0};
	struct buf out = {0};
	struct buf back = {0};
	struct json_doc d;
	struct err e;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		buf_clear(&in);
		buf_clear(&out);
		buf_clear(&back);
		buf_add_str(&in, "x");
		for (uint64_t n = seeded_below(&rand, 12); n > 0; n--)
			buf_add_str(&in, bits[seeded_below(&rand, COUNT(bits))]);
		json_out_string(&out, in.data, in.len);
		if (json_scan(out.data, out.len, &d, &e) < 0)
			fail_msg("%.*s: %s", (int)out.len, out.data, e.msg);
		assert_int_equal(d.value.type, JSON_STRING);
		assert_int_equal(json_unescape(&back, d.value.p + 1, d.value.len - 2, &e), 0);
		if (!text_is_utf8(in.data, in.len))
			continue;
		assert_int_equal(back.len, in.len);
		assert_memory_equal(back.data, in.data, in.len);
	}
	buf_done(&in);
	buf_done(&out);
	buf_done(&back);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_string_has_quotes_and_the_shortest_escapes),
	    cmocka_unit_test(valid_utf8_is_kept_as_it_is),
	    cmocka_unit_test(each_bad_byte_becomes_a_replacement_character),
	    cmocka_unit_test(keys_bring_their_own_commas),
	    cmocka_unit_test(a_sequence_number_always_has_twenty_digits),
	    cmocka_unit_test(what_is_written_is_read_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
