#include "base/bytes.h"

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

static struct span as_span(const struct buf *b)
{
	return (struct span){b->data, b->len};
}

static void numbers_are_little_endian(void **state)
{
	static const char want[] = "\x01\x23\x01\x67\x45\x23\x01"
				   "\xef\xcd\xab\x89\x67\x45\x23\x01\x03\0\0\0a\0c\0\0\0\0";
	struct buf b = {0};
	struct err e;

	(void)state;
	bytes_put_u8(&b, 0x01);
	bytes_put_u16(&b, 0x0123);
	bytes_put_u32(&b, 0x01234567);
	bytes_put_u64(&b, 0x0123456789abcdef);
	bytes_put_span(&b, (struct span){"a\0c", 3});
	bytes_put_span(&b, (struct span){NULL, 0});
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
		bytes_put_u8(b, (uint8_t)v);
		return;
	case 1:
		bytes_put_u16(b, (uint16_t)v);
		return;
	case 2:
		bytes_put_u32(b, (uint32_t)v);
		return;
	case 3:
		bytes_put_u64(b, v);
		return;
	case 4:
		bytes_put_u8(b, v & 1);
		return;
	default:
		bytes_put_span(b, (struct span){(const char *)&v, v % 9});
	}
}

static void check_field(struct bytes *r, uint64_t kind, uint64_t v)
{
	struct span s;

	switch (kind) {
	case 0:
		assert_int_equal(bytes_get_u8(r), (uint8_t)v);
		return;
	case 1:
		assert_int_equal(bytes_get_u16(r), (uint16_t)v);
		return;
	case 2:
		assert_int_equal(bytes_get_u32(r), (uint32_t)v);
		return;
	case 3:
		assert_true(bytes_get_u64(r) == v);
		return;
	case 4:
		assert_int_equal(bytes_get_bool(r), v & 1);
		return;
	default:
		s = bytes_get_span(r, 8);
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
		struct bytes r;

		buf_clear(&b);
		for (uint64_t k = 0; k < n; k++) {
			uint64_t kind = seeded_below(&rand, 6);

			put_field(&b, kind, seeded_any_size(&rand));
		}
		r = bytes_of(as_span(&b));
		assert_int_equal(seeded_below(&again, 20), n);
		for (uint64_t k = 0; k < n; k++) {
			uint64_t kind = seeded_below(&again, 6);

			assert_false(bytes_all_read(&r) && kind < 4);
			check_field(&r, kind, seeded_any_size(&again));
			assert_false(r.failed);
		}
		assert_true(bytes_all_read(&r));
	}
	buf_done(&b);
}

/* In memory of exactly that size, where a sanitizer sees a byte too many. */
static void nothing_is_read_past_the_end(void **state)
{
	static const size_t width[] = {1, 2, 4, 8, 4, 1, 3};

	(void)state;
	for (size_t kind = 0; kind < 7; kind++) {
		for (size_t n = 0; n < width[kind]; n++) {
			char *p = malloc(n + 1);
			struct bytes r = bytes_of((struct span){p, n});
			uint64_t got = 0;

			assert_non_null(p);
			memset(p, 0x55, n);
			got += kind == 0 ? bytes_get_u8(&r) : 0;
			got += kind == 1 ? bytes_get_u16(&r) : 0;
			got += kind == 2 ? bytes_get_u32(&r) : 0;
			got += kind == 3 ? bytes_get_u64(&r) : 0;
			got += kind == 4 ? bytes_get_span(&r, 100).len : 0;
			got += kind == 5 ? bytes_get_bool(&r) : 0;
			got += kind == 6 ? bytes_get(&r, 3).len : 0;
			assert_int_equal(got, 0);
			assert_true(r.failed);
			assert_false(bytes_all_read(&r));
			/* And it stays so, although a byte may have been there. */
			assert_int_equal(bytes_get_u8(&r), 0);
			assert_int_equal(bytes_get(&r, 0).len, 0);
			assert_true(r.failed);
			free(p);
		}
	}
}

static void spans_have_a_limit(void **state)
{
	struct buf b = {0};
	struct bytes r;

	(void)state;
	bytes_put_span(&b, (struct span){"12345", 5});
	r = bytes_of(as_span(&b));
	assert_int_equal(bytes_get_span(&r, 5).len, 5);
	assert_true(bytes_all_read(&r));
	r = bytes_of(as_span(&b));
	assert_int_equal(bytes_get_span(&r, 4).len, 0);
	assert_true(r.failed);
	/* A length that promises more than there is. */
	bytes_store_u32(b.data, UINT32_MAX);
	r = bytes_of(as_span(&b));
	assert_int_equal(bytes_get_span(&r, SIZE_MAX).len, 0);
	assert_true(r.failed);
	buf_done(&b);
}

static void a_bool_has_two_forms(void **state)
{
	(void)state;
	for (unsigned v = 0; v < 256; v++) {
		char c = (char)v;
		struct bytes r = bytes_of((struct span){&c, 1});

		assert_int_equal(bytes_get_bool(&r), v == 1);
		assert_int_equal(r.failed, v > 1);
	}
}

static void a_reader_of_nothing_is_at_its_end(void **state)
{
	struct bytes r = bytes_of((struct span){NULL, 0});

	(void)state;
	assert_int_equal(bytes_get(&r, 0).len, 0);
	assert_true(bytes_all_read(&r));
	bytes_fail(&r);
	assert_false(bytes_all_read(&r));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(numbers_are_little_endian),
	    cmocka_unit_test(what_was_written_is_read),
	    cmocka_unit_test(nothing_is_read_past_the_end),
	    cmocka_unit_test(spans_have_a_limit),
	    cmocka_unit_test(a_bool_has_two_forms),
	    cmocka_unit_test(a_reader_of_nothing_is_at_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
