#include "base/base64.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "seeded.h"

/* RFC 4648 section 10, and two that need + and /. */
static const struct {
	const char *bytes;
	size_t len;
	const char *text;
} pairs[] = {
    {"", 0, ""},
    {"f", 1, "Zg=="},
    {"fo", 2, "Zm8="},
    {"foo", 3, "Zm9v"},
    {"foob", 4, "Zm9vYg=="},
    {"fooba", 5, "Zm9vYmE="},
    {"foobar", 6, "Zm9vYmFy"},
    {"\xfb\xff\xbf", 3, "+/+/"},
    {"\0", 1, "AA=="},
};

#define PAIRS (sizeof(pairs) / sizeof(pairs[0]))

static void the_vectors_of_the_rfc_hold_both_ways(void **state)
{
	struct buf b = {0};
	struct err e;

	(void)state;
	for (size_t i = 0; i < PAIRS; i++) {
		buf_clear(&b);
		buf_add_str(&b, "<");
		base64_encode(&b, pairs[i].bytes, pairs[i].len);
		assert_int_equal(b.len, 1 + strlen(pairs[i].text));
		assert_int_equal(b.len, 1 + BASE64_LEN(pairs[i].len));
		assert_memory_equal(b.data + 1, pairs[i].text, b.len - 1);
		buf_clear(&b);
		buf_add_str(&b, "<");
		assert_int_equal(base64_decode(&b, pairs[i].text, strlen(pairs[i].text), &e), 0);
		assert_int_equal(b.len, 1 + pairs[i].len);
		assert_memory_equal(b.data + 1, pairs[i].bytes, pairs[i].len);
	}
	buf_done(&b);
}

static void anything_but_the_one_strict_form_is_refused(void **state)
{
	static const char *const bad[] = {
	    "Z",    "Zg",   "Zg=",  "Zg===",    "Zm9v\n",    "Zm 9v===",
	    "====", "=Zg=", "Zg=a", "Zg==Zg==", "Zm9vZg==A", "Z$==",
	    "Zh==", "Zm9=", "Zm-_", "Z===",     " Zg==",     "\xc3\xa9==",
	};
	struct buf b = {0};
	struct err e;

	(void)state;
	buf_add_str(&b, "kept");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(base64_decode(&b, bad[i], strlen(bad[i]), &e), -1);
		assert_int_equal(e.code, EBADMSG);
		assert_int_equal(b.len, 4);
		assert_memory_equal(b.data, "kept", 4);
	}
	assert_int_equal(base64_decode(&b, "Zm9vZ*==", 8, &e), -1);
	assert_string_equal(e.msg, "column 6: not a base64 digit here");
	buf_done(&b);
}

static void random_bytes_survive_the_round_trip(void **state)
{
	uint64_t rand = seeded();
	unsigned char bytes[300];
	struct buf text = {0};
	struct buf back = {0};
	struct err e;

	(void)state;
	for (size_t n = 0; n < sizeof(bytes); n++) {
		for (size_t i = 0; i < n; i++)
			bytes[i] = (unsigned char)seeded_next(&rand);
		buf_clear(&text);
		buf_clear(&back);
		base64_encode(&text, bytes, n);
		assert_int_equal(base64_decode(&back, text.data, text.len, &e), 0);
		assert_int_equal(back.len, n);
		if (n > 0)
			assert_memory_equal(back.data, bytes, n);
	}
	buf_done(&text);
	buf_done(&back);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_vectors_of_the_rfc_hold_both_ways),
	    cmocka_unit_test(anything_but_the_one_strict_form_is_refused),
	    cmocka_unit_test(random_bytes_survive_the_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
