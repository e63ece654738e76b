#include "evlog/row.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text.h"
#include "seeded.h"

#define SEQ "00000000000000000007"

static struct output parse(const char *line)
{
	struct outputs all;
	struct output o;
	struct err e;

	if (outputs_begin(&all, OUTPUT_TAKES_ROWS, line, strlen(line), &e) < 0)
		fail_msg("%s: %s", line, e.msg);
	assert_true(outputs_next(&all, &o));
	return o;
}

/* ---- Names. */

static void expect_name(const char *key, const char *want)
{
	struct buf b = {0};

	row_put_name(&b, key, strlen(key));
	buf_add_char(&b, '\0');
	assert_string_equal(b.data, want);
	buf_done(&b);
}

static void a_name_keeps_what_is_harmless_in_a_file_name(void **state)
{
	(void)state;
	expect_name("order-42", "order-42");
	expect_name("ann@example.com", "ann@example.com");
	expect_name("caf\xc3\xa9", "caf\xc3\xa9");
	expect_name("a:b+c=d~e_f", "a:b+c=d~e_f");
}

static void what_could_mean_something_else_is_escaped(void **state)
{
	(void)state;
	expect_name("../../etc/passwd", "%2E.%2F..%2Fetc%2Fpasswd");
	expect_name(".", "%2E");
	expect_name("..", "%2E.");
	expect_name(".evlog", "%2Eevlog");
	expect_name("-rf", "%2Drf");
	expect_name("a b\tc\n", "a%20b%09c%0A");
	expect_name("100%", "100%25");
	expect_name("a,b", "a%2Cb");
	expect_name("\x7f", "%7F");
	expect_name("", "%");
}

static void a_long_name_is_cut_and_ends_in_a_sum(void **state)
{
	char key[500];
	struct buf a = {0};
	struct buf b = {0};

	(void)state;
	memset(key, 'x', sizeof(key));
	row_put_name(&a, key, ROW_NAME_MAX);
	assert_int_equal(a.len, ROW_NAME_MAX);
	buf_clear(&a);
	row_put_name(&a, key, ROW_NAME_MAX + 1);
	row_put_name(&b, key, ROW_NAME_MAX + 2);
	assert_int_equal(a.len, 150 + 2 + 32);
	assert_int_equal(b.len, a.len);
	assert_memory_equal(a.data + 140, "xxxxxxxxxx%.", 12);
	assert_memory_not_equal(a.data, b.data, a.len);
	/* An escape and a character are not cut in the middle. */
	for (size_t shift = 0; shift < 6; shift++) {
		memset(key, 'x', shift);
		for (size_t i = shift; i + 1 < sizeof(key); i += 2)
			memcpy(key + i, shift < 3 ? "\xc3\xa9" : "//", 2);
		buf_clear(&a);
		row_put_name(&a, key, shift + 400);
		assert_true(a.len <= ROW_NAME_MAX);
		assert_true(text_is_utf8(a.data, a.len));
		assert_int_equal(a.data[a.len - 34], '%');
		assert_int_equal(a.data[a.len - 33], '.');
	}
	buf_done(&a);
	buf_done(&b);
}

static void expect_path(const char *line, const char *want)
{
	struct output o = parse(line);
	struct buf b = {0};

	row_put_path(&b, &o);
	buf_add_char(&b, '\0');
	assert_string_equal(b.data, want);
	buf_done(&b);
}

static void a_path_is_table_and_key_values_in_the_order_of_their_columns(void **state)
{
	struct span keys[2] = {{"2", 1}, {"x,y", 3}};
	struct buf b = {0};

	(void)state;
	expect_path("[{\"delete\":\"orders\",\"key\":{\"id\":\"order-42\"}}]",
	            "orders/order-42.json");
	expect_path("[{\"delete\":\"a/b\",\"key\":{\"z\":\"x,y\",\"a\":2}}]", "a%2Fb/2,x%2Cy.json");
	expect_path("[{\"delete\":\"a/b\",\"key\":{\"a\":2,\"z\":\"x,y\"}}]", "a%2Fb/2,x%2Cy.json");
	expect_path("[{\"delete\":\"t\",\"key\":{\"a\":true,\"b\":\"\",\"c\":-1.5}}]",
	            "t/true,%,-1.5.json");
	expect_path("[{\"delete\":\"\\u002e\",\"key\":{\"a\":\"\\\"\\u0000\"}}]", "%2E/\"%00.json");
	row_put_path_of(&b, (struct span){"a/b", 3}, keys, 2);
	assert_int_equal(b.len, strlen("a%2Fb/2,x%2Cy.json"));
	assert_memory_equal(b.data, "a%2Fb/2,x%2Cy.json", b.len);
	buf_done(&b);
}

/* Short strings over the characters that the escapes are made of. */
static void different_keys_have_different_names(void **state)
{
	static const char letters[] = "%2F/.,-a\n";
	uint64_t rand = seeded();

	(void)state;
	for (int i = 0; i < 20000; i++) {
		char key[2][6];
		struct span spans[2][2];
		struct buf name[2] = {{0}};
		size_t n[2];

		for (int k = 0; k < 2; k++) {
			size_t len = seeded_below(&rand, sizeof(key[k]));

			for (size_t at = 0; at < len; at++)
				key[k][at] = letters[seeded_below(&rand, sizeof(letters) - 1)];
			n[k] = 1 + seeded_below(&rand, 2);
			spans[k][0] = (struct span){key[k], n[k] == 1 ? len : len / 2};
			spans[k][1] = (struct span){key[k] + len / 2, len - len / 2};
			row_put_path_of(&name[k], (struct span){"t", 1}, spans[k], n[k]);
			assert_null(memchr(name[k].data + 2, '/', name[k].len - 2));
		}
		if (name[0].len == name[1].len &&
		    memcmp(name[0].data, name[1].data, name[0].len) == 0) {
			assert_int_equal(n[0], n[1]);
			assert_true(span_is(spans[0][0], spans[1][0]));
			assert_true(n[0] == 1 || span_is(spans[0][1], spans[1][1]));
		}
		buf_done(&name[0]);
		buf_done(&name[1]);
	}
}

/* ---- Merging. */

static void expect_merge(const char *row, const char *line, const char *want)
{
	struct output o = parse(line);
	struct buf b = {0};
	struct err e;
	uint64_t seq;

	if (row_merge(&b, (struct span){row, strlen(row)}, &o, 7, &e) < 0)
		fail_msg("%s", e.msg);
	assert_int_equal(row_check((struct span){b.data, b.len}, &seq, &e), 0);
	assert_int_equal(seq, 7);
	buf_add_char(&b, '\0');
	assert_string_equal(b.data, want);
	buf_done(&b);
}

static void refuse_merge(const char *row, const char *line, const char *part)
{
	struct output o = parse(line);
	struct buf b = {0};
	struct err e;

	assert_int_equal(row_merge(&b, (struct span){row, strlen(row)}, &o, 7, &e), -1);
	assert_int_equal(e.code, EBADMSG);
	if (strstr(e.msg, part) == NULL)
		fail_msg("%s", e.msg);
	buf_done(&b);
}

#define KEY "[{\"upsert\":\"t\",\"key\":{\"k\":\"a\"}"

static void a_new_row_has_its_key_first_and_its_sequence_last(void **state)
{
	(void)state;
	expect_merge("", KEY "}]", "{\"k\":\"a\",\"_sequence\":\"" SEQ "\"}");
	expect_merge("", KEY ",\"add\":{\"n\":1},\"set\":{\"b\":[1, {\"x\": 2}],\"c\":null}}]",
	             "{\"k\":\"a\",\"b\":[1,{\"x\":2}],\"c\":null,\"n\":1,\"_sequence\":\"" SEQ
	             "\"}");
}

static void other_columns_of_a_row_stay_as_and_where_they_are(void **state)
{
	(void)state;
	expect_merge(
	    "{\"k\":\"a\",\"b\":1,\"c\":\"x\",\"n\":5,\"_sequence\":\"3\"}",
	    KEY ",\"set\":{\"c\":\"y\",\"d\":true},\"add\":{\"n\":-2,\"m\":4}}]",
	    "{\"k\":\"a\",\"b\":1,\"c\":\"y\",\"n\":3,\"d\":true,\"m\":4,\"_sequence\":\"" SEQ
	    "\"}");
	/* Also when a name is spelled in another way. */
	expect_merge("{\"k\":\"a\",\"\xc3\xa9\":1,\"_sequence\":\"3\"}",
	             KEY ",\"set\":{\"\\u00e9\":2}}]",
	             "{\"k\":\"a\",\"\xc3\xa9\":2,\"_sequence\":\"" SEQ "\"}");
}

static void numbers_are_added_without_loss_up_to_63_bits(void **state)
{
	static const char *const sums[][3] = {
	    {"1", "2", "3"},
	    {"9007199254740993", "1", "9007199254740994"},
	    {"9223372036854775806", "1", "9223372036854775807"},
	    {"9223372036854775807", "1", "9.223372036854776e+18"},
	    {"-9223372036854775808", "-1", "-9.223372036854776e+18"},
	    {"0.1", "0.2", "0.30000000000000004"},
	    {"1.5", "1", "2.5"},
	    {"1e3", "1", "1001"},
	    {"100000000000000000000", "1", "1e+20"},
	    {"null", "4", "4"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]); i++) {
		char row[200];
		char line[200];
		char want[200];

		snprintf(row, sizeof(row), "{\"k\":\"a\",\"n\":%s,\"_sequence\":\"3\"}",
		         sums[i][0]);
		snprintf(line, sizeof(line), KEY ",\"add\":{\"n\":%s}}]", sums[i][1]);
		snprintf(want, sizeof(want), "{\"k\":\"a\",\"n\":%s,\"_sequence\":\"" SEQ "\"}",
		         sums[i][2]);
		expect_merge(row, line, want);
	}
}

static void what_cannot_be_merged_says_why(void **state)
{
	static char big[ROW_MAX + 100];
	int n;

	(void)state;
	refuse_merge("{\"k\":\"a\",\"n\":\"5\",\"_sequence\":\"3\"}", KEY ",\"add\":{\"n\":1}}]",
	             "column 'n' of the row is no number");
	refuse_merge("{\"k\":\"a\",\"n\":1.7e308,\"_sequence\":\"3\"}",
	             KEY ",\"add\":{\"n\":1.7e308}}]", "out of range");
	refuse_merge("", KEY ",\"set\":{\"_sequence\":1}}]", "cannot be called _sequence");
	n = snprintf(big, sizeof(big), KEY ",\"set\":{\"b\":\"");
	memset(big + n, 'x', ROW_MAX);
	memcpy(big + n + ROW_MAX, "\"}}]", 5);
	refuse_merge("", big, "more than 1048576 bytes");
}

static void what_is_no_row_is_seen(void **state)
{
	static const char *const bad[] = {"",
	                                  "3",
	                                  "{}",
	                                  "{\"_sequence\":-1}",
	                                  "{\"_sequence\":\"x\"}",
	                                  "{\"a\":1,}",
	                                  " {\"_sequence\":\"1\"}",
	                                  "{\"_sequence\":\"1\"}\n",
	                                  "{\"_sequence\":\"1\"}{}"};
	struct err e;
	uint64_t seq;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(row_check((struct span){bad[i], strlen(bad[i])}, &seq, &e), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_name_keeps_what_is_harmless_in_a_file_name),
	    cmocka_unit_test(what_could_mean_something_else_is_escaped),
	    cmocka_unit_test(a_long_name_is_cut_and_ends_in_a_sum),
	    cmocka_unit_test(a_path_is_table_and_key_values_in_the_order_of_their_columns),
	    cmocka_unit_test(different_keys_have_different_names),
	    cmocka_unit_test(a_new_row_has_its_key_first_and_its_sequence_last),
	    cmocka_unit_test(other_columns_of_a_row_stay_as_and_where_they_are),
	    cmocka_unit_test(numbers_are_added_without_loss_up_to_63_bits),
	    cmocka_unit_test(what_cannot_be_merged_says_why),
	    cmocka_unit_test(what_is_no_row_is_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
