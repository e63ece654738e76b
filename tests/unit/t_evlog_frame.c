/* frame: the codec of a line, and that nothing but the line itself validates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "evlog/frame.h"

#define SALT 0x12345678u

static const struct frame sample = {.kind = FRAME_EVENT,
                                    .flag = FRAME_PLAIN,
                                    .last = true,
                                    .lag = 7,
                                    .version = 5,
                                    .seq = 0x123456789abc,
                                    .prev = 0x1234,
                                    .jump = 0x1233,
                                    .time_ns = 0xfedcba9876543210};

static size_t make_line(char *line, const char *body, size_t data_at, const struct frame *from,
                        uint32_t salt)
{
	struct frame f = *from;
	size_t n = strlen(body);

	memcpy(line + FRAME_FIXED, body, n);
	f.len = (uint32_t)(FRAME_FIXED + n + 1);
	f.data_crc = crc32c(0, body + data_at, n - data_at);
	frame_seal(line, FRAME_FIXED + data_at, &f, salt);
	return f.len;
}

/* A line in memory of exactly its size, so that a read beyond it is seen. */
static char *new_line(size_t *n)
{
	char buf[1024];
	char *line;

	*n = make_line(buf, "order-1 Placed id-9 {\"a\":1} {\"x\":\"y z\"}", 28, &sample, SALT);
	line = malloc(*n);
	memcpy(line, buf, *n);
	return line;
}

static void assert_span(struct span s, const char *want)
{
	assert_int_equal(s.len, strlen(want));
	assert_memory_equal(s.p, want, s.len);
}

static void a_line_gives_back_what_was_put_into_it(void **state)
{
	size_t n;
	char *line = new_line(&n);
	struct frame f;

	(void)state;
	assert_int_equal(frame_parse(line, n, SALT, &f), FRAME_OK);
	assert_int_equal(f.kind, FRAME_EVENT);
	assert_int_equal(f.flag, FRAME_PLAIN);
	assert_true(f.last);
	assert_int_equal(f.len, n);
	assert_int_equal(f.lag, 7);
	assert_int_equal(f.version, 5);
	assert_true(f.seq == sample.seq && f.prev == sample.prev && f.jump == sample.jump);
	assert_true(f.time_ns == sample.time_ns);
	assert_span(f.stream, "order-1");
	assert_span(f.type, "Placed");
	assert_span(f.id, "id-9");
	assert_span(f.attrs, "{\"a\":1}");
	assert_span(f.data, "{\"x\":\"y z\"}");
	free(line);
}

static void the_limits_of_all_columns_come_back(void **state)
{
	struct frame edge = {.kind = FRAME_STUB,
	                     .flag = FRAME_REDACTED,
	                     .lag = FRAME_LAG_MAX,
	                     .version = UINT32_MAX,
	                     .seq = FRAME_SEQ_MAX,
	                     .prev = FRAME_SEQ_MAX - 1,
	                     .jump = FRAME_SEQ_MAX - 1,
	                     .time_ns = UINT64_MAX};
	char line[256];
	size_t n = make_line(line, "a b c - -", 8, &edge, SALT);
	struct frame f;

	(void)state;
	assert_int_equal(frame_parse(line, n, SALT, &f), FRAME_OK);
	assert_true(f.seq == edge.seq && f.prev == edge.prev && f.jump == edge.jump);
	assert_true(f.version == UINT32_MAX && f.lag == FRAME_LAG_MAX && f.time_ns == UINT64_MAX);
	assert_false(f.last);
	edge = (struct frame){.kind = FRAME_EVENT, .flag = FRAME_PLAIN, .last = true, .seq = 1};
	n = make_line(line, "a b c - -", 8, &edge, SALT);
	assert_int_equal(n, FRAME_MIN);
	assert_int_equal(frame_parse(line, n, SALT, &f), FRAME_OK);
	assert_true(f.seq == 1 && f.prev == 0 && f.jump == 0 && f.version == 0 && f.time_ns == 0);
}

static void a_line_with_any_bit_flipped_is_no_frame(void **state)
{
	size_t n;
	char *line = new_line(&n);
	struct frame f;

	(void)state;
	for (size_t bit = 0; bit < n * 8; bit++) {
		line[bit / 8] = (char)(line[bit / 8] ^ (1 << (bit % 8)));
		if (frame_parse(line, n, SALT, &f) == FRAME_OK)
			fail_msg("bit %zu of byte %zu", bit % 8, bit / 8);
		line[bit / 8] = (char)(line[bit / 8] ^ (1 << (bit % 8)));
	}
	assert_int_equal(frame_parse(line, n, SALT, &f), FRAME_OK);
	free(line);
}

static void a_line_with_any_byte_replaced_is_no_frame(void **state)
{
	size_t n;
	char *line = new_line(&n);
	struct frame f;

	(void)state;
	for (size_t i = 0; i < n; i++)
		for (int c = 0; c < 256; c++) {
			char was = line[i];

			line[i] = (char)c;
			if (line[i] != was && frame_parse(line, n, SALT, &f) == FRAME_OK)
				fail_msg("byte %zu as %d", i, c);
			line[i] = was;
		}
	free(line);
}

static void a_line_cut_anywhere_is_short_or_bad_and_never_read_beyond(void **state)
{
	size_t n;
	char *line = new_line(&n);
	struct frame f;

	(void)state;
	for (size_t i = 0; i < n; i++) {
		char *cut = malloc(i > 0 ? i : 1);
		enum frame_result r;

		memcpy(cut, line, i);
		r = frame_parse(cut, i, SALT, &f);
		assert_int_equal(r, FRAME_SHORT);
		assert_int_equal(f.len, i < FRAME_FIXED ? 0 : n);
		free(cut);
	}
	free(line);
}

static void a_frame_of_another_store_is_none_of_this_one(void **state)
{
	unsigned char one[16] = "one store's uui", two[16] = "two store's uui";
	size_t n;
	char *line = new_line(&n);
	struct frame f;

	(void)state;
	assert_int_equal(frame_parse(line, n, SALT + 1, &f), FRAME_BAD);
	assert_int_not_equal(frame_salt(one), frame_salt(two));
	free(line);
}

static void a_header_stays_sound_when_only_the_data_is_damaged(void **state)
{
	size_t n;
	char *line = new_line(&n);
	struct frame f;

	(void)state;
	line[n - 3] ^= 1;
	assert_int_equal(frame_parse(line, n, SALT, &f), FRAME_BAD);
	assert_int_equal(frame_parse_header(line, n, SALT, &f), FRAME_OK);
	assert_span(f.stream, "order-1");
	line[FRAME_FIXED] ^= 1;
	assert_int_equal(frame_parse_header(line, n, SALT, &f), FRAME_BAD);
	free(line);
}

/* A valid CRC over a body that breaks the rules: from a hostile writer that knows the salt. */
static void a_line_over_the_limits_is_no_frame_even_with_a_right_crc(void **state)
{
	char *line = malloc(FRAME_MAX);
	char *body = malloc(FRAME_ATTRS_MAX + 2048);
	struct frame f;
	size_t n;

	(void)state;
	for (int field = 0; field < 3; field++) {
		char *p = body;

		for (int i = 0; i < 3; i++) {
			size_t len = i == field ? FRAME_NAME_MAX + 1 : 1;

			memset(p, 'x', len);
			p += len;
			*p++ = ' ';
		}
		memcpy(p, "- -", 4);
		n = make_line(line, body, (size_t)(p - body) + 2, &sample, SALT);
		assert_int_equal(frame_parse(line, n, SALT, &f), FRAME_BAD);
	}
	memset(body, 'x', FRAME_ATTRS_MAX + 100);
	memcpy(body, "a b c ", 6);
	memcpy(body + 6 + FRAME_ATTRS_MAX + 1, " -", 3);
	n = make_line(line, body, 6 + FRAME_ATTRS_MAX + 2, &sample, SALT);
	assert_int_equal(frame_parse(line, n, SALT, &f), FRAME_BAD);
	free(body);
	free(line);
}

static void zeros_are_no_frame(void **state)
{
	char zeros[4096] = {0};
	struct frame f;

	(void)state;
	assert_int_equal(frame_parse(zeros, sizeof(zeros), SALT, &f), FRAME_BAD);
	assert_int_equal(frame_parse(zeros, 10, SALT, &f), FRAME_SHORT);
}

static void a_head_gives_back_store_and_base_and_no_flipped_bit_validates(void **state)
{
	struct frame_head h = {.uuid = "some store uuid", .base = 0x123456789abc};
	struct frame_head got;
	char line[FRAME_HEAD_LEN];

	(void)state;
	frame_put_head(line, &h);
	assert_true(frame_get_head(line, sizeof(line), &got));
	assert_memory_equal(got.uuid, h.uuid, 16);
	assert_true(got.base == h.base);
	assert_int_equal(line[FRAME_HEAD_LEN - 1], '\n');
	assert_null(memchr(line, '\n', FRAME_HEAD_LEN - 1));
	for (size_t i = 0; i < sizeof(line); i++)
		assert_false(frame_get_head(line, i, &got));
	for (size_t bit = 0; bit < sizeof(line) * 8; bit++) {
		line[bit / 8] = (char)(line[bit / 8] ^ (1 << (bit % 8)));
		if (frame_get_head(line, sizeof(line), &got))
			fail_msg("bit %zu of byte %zu", bit % 8, bit / 8);
		line[bit / 8] = (char)(line[bit / 8] ^ (1 << (bit % 8)));
	}
}

static void a_seal_gives_back_its_numbers_and_no_flipped_bit_validates(void **state)
{
	struct frame_seal s = {
	    .first = 5, .last = 99, .bytes = 123456, .time_min = 7, .time_max = 8};
	struct frame_seal got;
	char line[FRAME_SEAL_LEN];

	(void)state;
	frame_put_seal(line, &s, SALT);
	assert_int_equal(frame_get_seal(line, sizeof(line), SALT, &got), FRAME_OK);
	assert_memory_equal(&got, &s, sizeof(s));
	assert_int_equal(frame_get_seal(line, sizeof(line), SALT + 1, &got), FRAME_BAD);
	for (size_t i = 0; i < sizeof(line); i++)
		assert_int_equal(frame_get_seal(line, i, SALT, &got), FRAME_SHORT);
	for (size_t bit = 0; bit < sizeof(line) * 8; bit++) {
		line[bit / 8] = (char)(line[bit / 8] ^ (1 << (bit % 8)));
		if (frame_get_seal(line, sizeof(line), SALT, &got) == FRAME_OK)
			fail_msg("bit %zu of byte %zu", bit % 8, bit / 8);
		line[bit / 8] = (char)(line[bit / 8] ^ (1 << (bit % 8)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_line_gives_back_what_was_put_into_it),
	    cmocka_unit_test(the_limits_of_all_columns_come_back),
	    cmocka_unit_test(a_line_with_any_bit_flipped_is_no_frame),
	    cmocka_unit_test(a_line_with_any_byte_replaced_is_no_frame),
	    cmocka_unit_test(a_line_cut_anywhere_is_short_or_bad_and_never_read_beyond),
	    cmocka_unit_test(a_frame_of_another_store_is_none_of_this_one),
	    cmocka_unit_test(a_header_stays_sound_when_only_the_data_is_damaged),
	    cmocka_unit_test(a_line_over_the_limits_is_no_frame_even_with_a_right_crc),
	    cmocka_unit_test(zeros_are_no_frame),
	    cmocka_unit_test(a_head_gives_back_store_and_base_and_no_flipped_bit_validates),
	    cmocka_unit_test(a_seal_gives_back_its_numbers_and_no_flipped_bit_validates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
