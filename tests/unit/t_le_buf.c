#include "base/le_buf.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "seeded.h"

static void numbers_are_little_endian(void **state)
{
	static const char want[] = "\x01\x23\x01\x67\x45\x23\x01"
				   "\xef\xcd\xab\x89\x67\x45\x23\x01\x03\0\0\0a\0c\0\0\0\0";
	struct buf b = {0};
	struct err e;

	(void)state;
	le_add8(&b, 0x01);
	le_add16(&b, 0x0123);
	le_add32(&b, 0x01234567);
	le_add64(&b, 0x0123456789abcdef);
	le_add_span(&b, (struct span){"a\0c", 3});
	le_add_span(&b, (struct span){NULL, 0});
	assert_int_equal(buf_ok(&b, &e), 0);
	assert_int_equal(b.len, sizeof(want) - 1);
	assert_memory_equal(b.data, want, b.len);
	buf_done(&b);
}

/* The n-th of a row of fields whose kinds and values come from a seed. */
static void put_field(struct buf *b, uint64_t kind, uint64_t v)
{
	switch (kind) {
	case 0:
		le_add8(b, (uint8_t)v);
		return;
	case 1:
		le_add16(b, (uint16_t)v);
		return;
	case 2:
		le_add32(b, (uint32_t)v);
		return;
	case 3:
		le_add64(b, v);
		return;
	default:
		le_add_span(b, (struct span){(const char *)&v, v % 9});
	}
}

static void check_field(struct le_reader *r, uint64_t kind, uint64_t v)
{
	struct span s;

	switch (kind) {
	case 0:
		assert_int_equal(le_take8(r), (uint8_t)v);
		return;
	case 1:
		assert_int_equal(le_take16(r), (uint16_t)v);
		return;
	case 2:
		assert_int_equal(le_take32(r), (uint32_t)v);
		return;
	case 3:
		assert_true(le_take64(r) == v);
		return;
	default:
		s = le_take_span(r, 8);
		assert_int_equal(s.len, v % 9);
		assert_memory_equal(s.p, &v, s.len);
	}
}

static void what_was_written_is_read(void **state)
{
	uint64_t rand = seeded();
	struct buf b = {0};

	(void)state;
	for (unsigned i = 0; i < seeded_rounds(2000); i++) {
		uint64_t begin = rand;
		uint64_t n = seeded_below(&rand, 20);
		uint64_t again = begin;
		struct le_reader r;

		buf_clear(&b);
		for (uint64_t k = 0; k < n; k++) {
			uint64_t kind = seeded_below(&rand, 5);

			put_field(&b, kind, seeded_any_size(&rand));
		}
		r = (struct le_reader){b.data, b.len, false};
		assert_int_equal(seeded_below(&again, 20), n);
		for (uint64_t k = 0; k < n; k++) {
			uint64_t kind = seeded_below(&again, 5);

			assert_false(le_is_done(&r) && kind < 4);
			check_field(&r, kind, seeded_any_size(&again));
			assert_false(r.failed);
		}
		assert_true(le_is_done(&r));
	}
	buf_done(&b);
}

/* In memory of exactly that size, where a sanitizer sees a byte too many. */
static void nothing_is_read_past_the_end(void **state)
{
	static const size_t width[] = {1, 2, 4, 8, 4, 3};

	(void)state;
	for (size_t kind = 0; kind < 6; kind++) {
		for (size_t n = 0; n < width[kind]; n++) {
			char *p = malloc(n + 1);
			struct le_reader r = {p, n, false};
			uint64_t got = 0;

			assert_non_null(p);
			memset(p, 0x55, n);
			got += kind == 0 ? le_take8(&r) : 0;
			got += kind == 1 ? le_take16(&r) : 0;
			got += kind == 2 ? le_take32(&r) : 0;
			got += kind == 3 ? le_take64(&r) : 0;
			got += kind == 4 ? le_take_span(&r, 100).len : 0;
			got += kind == 5 ? le_take(&r, 3).len : 0;
			assert_int_equal(got, 0);
			assert_true(r.failed);
			assert_false(le_is_done(&r));
			/* And it stays so, although a byte may have been there. */
			assert_int_equal(le_take8(&r), 0);
			assert_int_equal(le_take(&r, 0).len, 0);
			assert_true(r.failed);
			free(p);
		}
	}
}

static void spans_have_a_limit(void **state)
{
	struct buf b = {0};
	struct le_reader r;

	(void)state;
	le_add_span(&b, (struct span){"12345", 5});
	r = (struct le_reader){b.data, b.len, false};
	assert_int_equal(le_take_span(&r, 5).len, 5);
	assert_true(le_is_done(&r));
	r = (struct le_reader){b.data, b.len, false};
	assert_int_equal(le_take_span(&r, 4).len, 0);
	assert_true(r.failed);
	/* A length that promises more than there is. */
	le_put32(b.data, UINT32_MAX);
	r = (struct le_reader){b.data, b.len, false};
	assert_int_equal(le_take_span(&r, SIZE_MAX).len, 0);
	assert_true(r.failed);
	buf_done(&b);
}

static void a_reader_of_nothing_is_at_its_end(void **state)
{
	struct le_reader r = {NULL, 0, false};

	(void)state;
	assert_int_equal(le_take(&r, 0).len, 0);
	assert_true(le_is_done(&r));
	r.failed = true;
	assert_false(le_is_done(&r));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(numbers_are_little_endian),
	    cmocka_unit_test(what_was_written_is_read),
	    cmocka_unit_test(nothing_is_read_past_the_end),
	    cmocka_unit_test(spans_have_a_limit),
	    cmocka_unit_test(a_reader_of_nothing_is_at_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
