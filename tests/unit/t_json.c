#include "base/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/*
 * Scan a copy that ends where its allocation ends, so that a sanitizer sees each byte read behind
 * it.  Values point into *ret_copy, which the caller frees.
 */
static int scan_copy(const char *text, size_t len, struct json_doc *d, struct err *e,
                     char **ret_copy)
{
	*ret_copy = malloc(len > 0 ? len : 1);
	assert_non_null(*ret_copy);
	if (len > 0)
		memcpy(*ret_copy, text, len);
	return json_scan(*ret_copy, len, d, e);
}

static void accept_text(const char *text, size_t len)
{
	struct json_doc d;
	struct err e;
	char *copy;

	if (scan_copy(text, len, &d, &e, &copy) < 0)
		fail_msg("'%.*s': %s", (int)len, text, e.msg);
	free(copy);
}

static void refuse_text(const char *text, size_t len, const char *why)
{
	struct json_doc d;
	struct err e;
	char *copy;

	if (scan_copy(text, len, &d, &e, &copy) == 0)
		fail_msg("'%.*s' was accepted", (int)len, text);
	assert_int_equal(e.code, EBADMSG);
	if (why != NULL && strstr(e.msg, why) == NULL)
		fail_msg("'%.*s': %s", (int)len, text, e.msg);
	free(copy);
}

static void every_kind_of_value_is_accepted(void **state)
{
	static const char *const good[] = {
	    "null",
	    "true",
	    "false",
	    "0",
	    "-0",
	    "1",
	    "-1",
	    "10",
	    "0.5",
	    "1e3",
	    "1E+3",
	    "1.25e-7",
	    "123456789012345678901234567890",
	    "1e999999",
	    "\"\"",
	    "\"a\"",
	    "[]",
	    "{}",
	    " [ ] ",
	    "\t{\r\n}\n",
	    "[1]",
	    "[1,2]",
	    "[[],[[]],{}]",
	    "{\"a\":1}",
	    "{\"a\":{\"a\":[{\"a\":1}]}}",
	    "{\"\":0}",
	    "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
	    "\"\\u0000\"",
	    "\"\\u00e9\\u20AC\"",
	    "\"\\ud83d\\ude00\"",
	    "\"\\uDBFF\\uDFFF\"",
	    "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"",
	    "\"\x7f\"",
	    "[\"\xef\xbf\xbf\"]",
	    "[true,false,null]",
	    "{\"a\" : 1 , \"b\" :[ 2 ] }",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++)
		accept_text(good[i], strlen(good[i]));
}

static void what_rfc_8259_does_not_allow_is_refused_with_its_column(void **state)
{
	static const struct {
		const char *text;
		const char *why;
	} bad[] = {
	    {"", "column 1: expected a value, found the end"},
	    {"  ", "column 3: expected a value, found the end"},
	    {"nul", "column 1: expected a value, found 'n'"},
	    {"nulll", "column 5: expected the end, found 'l'"},
	    {"True", "column 1"},
	    {"'a'", "column 1: expected a value, found '''"},
	    {"1 2", "column 3: expected the end, found '2'"},
	    {"01", "column 2: expected the end"},
	    {"-", "column 2: expected a digit, found the end"},
	    {"+1", "column 1"},
	    {".5", "column 1"},
	    {"1.", "column 3: expected a digit"},
	    {"1.e1", "column 3: expected a digit"},
	    {"1e", "column 3: expected a digit"},
	    {"1e+", "column 4: expected a digit"},
	    {"0x1", "column 2: expected the end"},
	    {"NaN", "column 1"},
	    {"[", "column 2: expected a value, found the end"},
	    {"[1", "column 3: expected ',' or ']', found the end"},
	    {"[1 2]", "column 4: expected ',' or ']', found '2'"},
	    {"[1,]", "column 4: expected a value, found ']'"},
	    {"[,1]", "column 2: expected a value, found ','"},
	    {"[1}", "column 3: expected ',' or ']', found '}'"},
	    {"]", "column 1: expected a value, found ']'"},
	    {"{", "column 2: expected a key in quotes, found the end"},
	    {"{a:1}", "column 2: expected a key in quotes, found 'a'"},
	    {"{1:1}", "column 2: expected a key"},
	    {"{\"a\"}", "column 5: expected ':', found '}'"},
	    {"{\"a\" 1}", "column 6: expected ':', found '1'"},
	    {"{\"a\":}", "column 6: expected a value, found '}'"},
	    {"{\"a\":1", "column 7: expected ',' or '}', found the end"},
	    {"{\"a\":1,}", "column 8: expected a key in quotes, found '}'"},
	    {"{\"a\":1]", "column 7: expected ',' or '}'"},
	    {"{,}", "column 2: expected a key"},
	    {"[1]]", "column 4: expected the end"},
	    {"\"",
	     "column 2: expected a character of a string or its closing quote, found the end"},
	    {"\"a", "column 3"},
	    {"\"\n\"",
	     "column 2: expected a character of a string or its closing quote, found byte 0x0a"},
	    {"\"\t\"", "column 2"},
	    {"\"\\", "column 2: expected a valid escape"},
	    {"\"\\\"", "column 4: expected a character"},
	    {"\"\\a\"", "column 2: expected a valid escape"},
	    {"\"\\u\"", "column 2"},
	    {"\"\\u12\"", "column 2"},
	    {"\"\\u12g4\"", "column 2"},
	    {"\"\\U0041\"", "column 2"},
	    {"\"ab\\ud800\"", "column 4: expected a valid escape"},
	    {"\"\\ud800\\n\"", "column 2"},
	    {"\"\\ud800\\u0041\"", "column 2"},
	    {"\"\\ud800\\ud800\"", "column 2"},
	    {"\"\\udc00\"", "column 2"},
	    {"\xef\xbb\xbf{}", "column 1: expected a value, found byte 0xef"},
	    {"\xa0 1", "column 1"},
	    {"/* */ 1", "column 1"},
	    {"1\x0c", "column 2"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		refuse_text(bad[i].text, strlen(bad[i].text), bad[i].why);
}

static void a_nul_byte_is_refused_wherever_it_is(void **state)
{
	(void)state;
	refuse_text("\0", 1, "column 1: expected a value, found byte 0x00");
	refuse_text("1\0", 2, "column 2: expected the end, found byte 0x00");
	refuse_text("[1\0,2]", 6, "column 3");
	refuse_text("\"\0\"", 3, "column 2");
	refuse_text("{\"\0\":1}", 7, "column 3");
}

/* At each place within the blocks of the inner loop, and at each distance from the end. */
static void bad_bytes_in_strings_are_found_wherever_they_are(void **state)
{
	static const char *const bad[] = {"\x01", "\x1f",     "\xff",         "\x80",
	                                  "\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
	                                  "\\x",  "\\u12"};
	char text[160];

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		for (size_t before = 0; before < 80; before++)
			for (size_t after = 0; after < 70; after += after < 20 ? 1 : 7) {
				size_t n = strlen(bad[i]);
				char column[32];

				memset(text, 'x', sizeof(text));
				text[0] = '"';
				memcpy(text + 1 + before, bad[i], n);
				text[1 + before + n + after] = '"';
				snprintf(column, sizeof(column), "column %zu:", before + 2);
				refuse_text(text, before + after + n + 2, column);
				memset(text + 1 + before, 'y', n);
				accept_text(text, before + after + n + 2);
				refuse_text(text, before + after + n + 1, "found the end");
			}
}

static void numbers_and_text_are_kept_as_typed(void **state)
{
	static const char text[] =
	    " {\"n\":1.10e+05,\"s\":\"a\\u0041\",\"big\":123456789012345678901,"
	    "\"l\":[ 1 ],\"z\":null,\"t\":true} ";
	static const char *const want[] = {"1.10e+05", "\"a\\u0041\"", "123456789012345678901",
	                                   "[ 1 ]",    "null",         "true"};
	static const enum json_type types[] = {JSON_NUMBER, JSON_STRING, JSON_NUMBER,
	                                       JSON_ARRAY,  JSON_NULL,   JSON_BOOL};
	struct json_doc d;
	struct err e;

	(void)state;
	assert_int_equal(json_scan(text, strlen(text), &d, &e), 0);
	assert_int_equal(d.value.type, JSON_OBJECT);
	assert_ptr_equal(d.value.p, text + 1);
	assert_int_equal(d.value.len, strlen(text) - 2);
	assert_int_equal(d.members, COUNT(want));
	for (size_t i = 0; i < COUNT(want); i++) {
		const struct json_value *v = &d.member[i].value;

		assert_int_equal(v->type, types[i]);
		assert_int_equal(v->len, strlen(want[i]));
		assert_memory_equal(v->p, want[i], v->len);
		assert_int_equal(v->escaped, i == 1);
		assert_int_equal(v->spaced, i == 3);
	}
	assert_true(d.value.spaced);
	assert_int_equal(d.member[2].key_len, 3);
	assert_memory_equal(d.member[2].key, "big", 3);
}

static void whitespace_counts_only_inside_a_value(void **state)
{
	static const struct {
		const char *text;
		bool doc;
		bool first;
	} cases[] = {
	    {"{\"a\":[1,2]}", false, false},
	    {" \n{\"a\":[1,2]}\t", false, false},
	    {"{ \"a\":[1,2]}", true, false},
	    {"{\"a\" :[1,2]}", true, false},
	    {"{\"a\": [1,2]}", true, false},
	    {"{\"a\":[1,2] }", true, false},
	    {"{\"a\":[ 1,2]}", true, true},
	    {"{\"a\":[1 ,2]}", true, true},
	    {"{\"a\":[1,{\"b\":2,\"c\": 3}],\"d\":4}", true, true},
	    {"{\"a\":[],\"b\":[ ]}", true, false},
	    {"{\"a\":\"x y\",\"b c\":{\"d e\":\" \"}}", false, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct json_doc d;
		struct err e;

		assert_int_equal(json_scan(cases[i].text, strlen(cases[i].text), &d, &e), 0);
		assert_int_equal(d.value.spaced, cases[i].doc);
		assert_int_equal(d.member[0].value.spaced, cases[i].first);
	}
}

static void compacting_takes_out_just_the_insignificant_whitespace(void **state)
{
	static const struct {
		const char *text;
		const char *want;
	} cases[] = {
	    {" [ 1 , 2 ] ", "[1,2]"},
	    {"{ \"a b\" : \" c \\\" d \" , \"e\" : [ ] }", "{\"a b\":\" c \\\" d \",\"e\":[]}"},
	    {"{\"a\":1}", "{\"a\":1}"},
	    {"[\"\\\\\" , \"\\\\\\\" ,\" ]", "[\"\\\\\",\"\\\\\\\" ,\"]"},
	    {"[\"\xc3\xa9 \xe2\x82\xac\" , 1.0e5]", "[\"\xc3\xa9 \xe2\x82\xac\",1.0e5]"},
	    {"\r\n\t-0.0 ", "-0.0"},
	    {"[\"a rather long string, with \\\" and spaces\" ,\n \"another one, with \\\\\" ]",
	     "[\"a rather long string, with \\\" and spaces\",\"another one, with \\\\\"]"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf b = {0};
		struct json_doc d;
		struct err e;

		buf_add_char(&b, '<');
		assert_int_equal(json_scan(cases[i].text, strlen(cases[i].text), &d, &e), 0);
		assert_int_equal(json_compact(&b, &d.value), 0);
		assert_int_equal(b.len, 1 + strlen(cases[i].want));
		assert_memory_equal(b.data + 1, cases[i].want, b.len - 1);
		buf_done(&b);
	}
}

static void strings_are_unescaped_to_the_bytes_they_mean(void **state)
{
	static const char raw[] =
	    "a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\u0041\\u00e9\\u20AC\\ud83d\\ude00\xc3\xa9";
	static const char want[] =
	    "a\"\\/\b\f\n\r\t\0A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xc3\xa9";
	struct buf b = {0};
	struct err e;

	(void)state;
	assert_int_equal(json_unescape(&b, raw, sizeof(raw) - 1, &e), 0);
	assert_int_equal(b.len, sizeof(want) - 1);
	assert_memory_equal(b.data, want, b.len);
	buf_clear(&b);
	assert_int_equal(json_unescape(&b, "", 0, &e), 0);
	assert_int_equal(b.len, 0);
	assert_int_equal(json_unescape(&b, "ab\\x", 4, &e), -1);
	assert_int_equal(e.code, EBADMSG);
	assert_int_equal(json_unescape(&b, "\\", 1, &e), -1);
	assert_int_equal(json_unescape(&b, "\\ud800\\u004", 11, &e), -1);
	buf_done(&b);
}

static void strings_and_keys_are_compared_by_what_they_mean(void **state)
{
	static const char text[] =
	    "{\"t\\u0079pe\":\"\\u0050aid\",\"id\":\"Paid\",\"n\":1,\"\\\\\":\"\\\\\"}";
	struct json_doc d;
	struct err e;

	(void)state;
	assert_int_equal(json_scan(text, strlen(text), &d, &e), 0);
	assert_true(d.member[0].key_escaped);
	assert_false(d.member[1].key_escaped);
	assert_true(json_key_is(&d.member[0], "type"));
	assert_false(json_key_is(&d.member[0], "typ"));
	assert_false(json_key_is(&d.member[0], "types"));
	assert_false(json_key_is(&d.member[0], "t\\u0079pe"));
	assert_true(json_string_is(&d.member[0].value, "Paid"));
	assert_true(json_string_is(&d.member[1].value, "Paid"));
	assert_false(json_string_is(&d.member[1].value, "Pai"));
	assert_false(json_string_is(&d.member[1].value, "Paid "));
	assert_false(json_string_is(&d.member[2].value, "1"));
	assert_true(json_string_is(&d.member[3].value, "\\"));
	assert_ptr_equal(json_find(&d, "type"), &d.member[0].value);
	assert_ptr_equal(json_find(&d, "\\"), &d.member[3].value);
	assert_null(json_find(&d, "data"));
}

static void whole_numbers_come_from_numbers_and_strings_of_digits(void **state)
{
	static const char text[] = "[]";
	static const struct {
		const char *text;
		int code;
		uint64_t v;
	} cases[] = {
	    {"7", 0, 7},
	    {"\"7\"", 0, 7},
	    {"\"00000000000000000123\"", 0, 123},
	    {"18446744073709551615", 0, UINT64_MAX},
	    {"18446744073709551616", ERANGE, 0},
	    {"-1", EINVAL, 0},
	    {"1.0", EINVAL, 0},
	    {"1e3", EINVAL, 0},
	    {"\"\"", EINVAL, 0},
	    {"\" 1\"", EINVAL, 0},
	    {"\"\\u0031\"", EINVAL, 0},
	    {"null", EINVAL, 0},
	    {"[1]", EINVAL, 0},
	};
	struct json_doc d;
	struct err e;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint64_t v = 99;

		assert_int_equal(json_scan(cases[i].text, strlen(cases[i].text), &d, &e), 0);
		if (cases[i].code == 0) {
			assert_int_equal(json_get_u64(&d.value, &v, &e), 0);
			assert_true(v == cases[i].v);
		} else {
			assert_int_equal(json_get_u64(&d.value, &v, &e), -1);
			assert_int_equal(e.code, cases[i].code);
			assert_int_equal(v, 99);
		}
	}
	assert_int_equal(json_scan(text, 2, &d, &e), 0);
	assert_int_equal(d.members, 0);
}

static void integers_are_numbers_without_fraction_and_exponent_that_fit(void **state)
{
	static const struct {
		const char *text;
		bool is;
		int64_t v;
	} cases[] = {
	    {"0", true, 0},
	    {"-0", true, 0},
	    {"-7", true, -7},
	    {"9223372036854775807", true, INT64_MAX},
	    {"-9223372036854775808", true, INT64_MIN},
	    {"9223372036854775808", false, 0},
	    {"-9223372036854775809", false, 0},
	    {"100000000000000000000000000000", false, 0},
	    {"1.0", false, 0},
	    {"1e3", false, 0},
	    {"1E3", false, 0},
	    {"\"7\"", false, 0},
	    {"true", false, 0},
	    {"[1]", false, 0},
	};
	struct json_doc d;
	struct err e;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		int64_t v = 99;

		assert_int_equal(json_scan(cases[i].text, strlen(cases[i].text), &d, &e), 0);
		assert_int_equal(json_get_i64(&d.value, &v), cases[i].is);
		assert_true(v == (cases[i].is ? cases[i].v : 99));
	}
}

static void keys_fold_ascii_letters_and_nothing_else(void **state)
{
	static const char text[] = "{\"NODEchecks\":1,\"\\u004eode\":2,\"no\\u00e9\":3,\"n[\":4}";
	struct json_doc d;
	struct err e;

	(void)state;
	assert_int_equal(json_scan(text, strlen(text), &d, &e), 0);
	assert_true(json_key_folds_to(&d.member[0], "NodeChecks"));
	assert_false(json_key_folds_to(&d.member[0], "NodeCheck"));
	assert_false(json_key_folds_to(&d.member[0], "NodeChecks2"));
	assert_true(json_key_folds_to(&d.member[1], "node"));
	assert_false(json_key_folds_to(&d.member[2], "noe"));
	assert_false(json_key_folds_to(&d.member[3], "N{"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(keys_fold_ascii_letters_and_nothing_else),
	    cmocka_unit_test(every_kind_of_value_is_accepted),
	    cmocka_unit_test(what_rfc_8259_does_not_allow_is_refused_with_its_column),
	    cmocka_unit_test(a_nul_byte_is_refused_wherever_it_is),
	    cmocka_unit_test(bad_bytes_in_strings_are_found_wherever_they_are),
	    cmocka_unit_test(numbers_and_text_are_kept_as_typed),
	    cmocka_unit_test(whitespace_counts_only_inside_a_value),
	    cmocka_unit_test(compacting_takes_out_just_the_insignificant_whitespace),
	    cmocka_unit_test(strings_are_unescaped_to_the_bytes_they_mean),
	    cmocka_unit_test(strings_and_keys_are_compared_by_what_they_mean),
	    cmocka_unit_test(whole_numbers_come_from_numbers_and_strings_of_digits),
	    cmocka_unit_test(integers_are_numbers_without_fraction_and_exponent_that_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
