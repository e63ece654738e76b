/*
 * json_string: the inside of JSON strings, for lib/base/json*.c and nobody else.
 *
 * Pure.  json_string_plain() is the inner loop of both: sixteen bytes a step with SSE2, which
 * every x86-64 has; eight elsewhere.
 */
#ifndef SHOAL_BASE_JSON_STRING_H
#define SHOAL_BASE_JSON_STRING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* '"', '\\', a control character, or not ASCII: those are negative. */
static inline bool json_string_is_special(char c)
{
	return (signed char)c < ' ' || c == '"' || c == '\\';
}

#ifdef __SSE2__
#define JSON_STRING_STEP 16

/* A bit for each of 16 bytes that is special. */
static inline uint64_t json_string_special(const char *p)
{
	__m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
	/* Signed, so that the bytes from 0x80 count as below the space too. */
	__m128i hit = _mm_cmplt_epi8(x, _mm_set1_epi8(' '));

	hit = _mm_or_si128(hit, _mm_cmpeq_epi8(x, _mm_set1_epi8('"')));
	hit = _mm_or_si128(hit, _mm_cmpeq_epi8(x, _mm_set1_epi8('\\')));
	return (unsigned)_mm_movemask_epi8(hit);
}

#define JSON_STRING_BITS 1 /* of a mask, for each byte */
#else
#define JSON_STRING_STEP 8

/* Bit 7 of each byte of x that is zero; bytes above the lowest such may be set falsely. */
static inline uint64_t json_string_zero(uint64_t x)
{
	return (x - 0x0101010101010101) & ~x & 0x8080808080808080;
}

/* Bit 7 of the first byte that is special; bits above it mean nothing. */
static inline uint64_t json_string_special(const char *p)
{
	uint64_t x;

	memcpy(&x, p, sizeof(x));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	x = __builtin_bswap64(x);
#endif
	return (x & 0x8080808080808080) | ((x - 0x2020202020202020) & ~x & 0x8080808080808080) |
	       json_string_zero(x ^ 0x2222222222222222) | json_string_zero(x ^ 0x5c5c5c5c5c5c5c5c);
}

#define JSON_STRING_BITS 8
#endif

/* The first special byte of p[0..end), else end. */
static inline const char *json_string_plain(const char *p, const char *end)
{
	for (; end - p >= JSON_STRING_STEP; p += JSON_STRING_STEP) {
		uint64_t mask = json_string_special(p);

		if (mask != 0)
			return p + (size_t)__builtin_ctzll(mask) / JSON_STRING_BITS;
	}
	while (p < end && !json_string_is_special(*p))
		p++;
	return p;
}

/*
 * The same search for a scanner that goes through a text once.  An event has twenty short strings:
 * searching each from its first byte takes twenty chains of load, compare and count.  The masks
 * of whole blocks do not wait for where a string begins, so that only a shift and a count are
 * left for each.
 */
#define JSON_WINDOW_BLOCK 64

struct json_window {
	const char *begin;
	const char *end;
	const char *block;
	uint64_t mask; /* a bit for each special byte in block[0..JSON_WINDOW_BLOCK) */
};

void json_window_init(struct json_window *w, const char *begin, const char *end);

/* json_window_plain() behind the end of the block. */
const char *json_window_advance(struct json_window *w, const char *p);

/* The first special byte from p on, which is never before the p of an earlier call; else end. */
static inline const char *json_window_plain(struct json_window *w, const char *p)
{
	size_t at = (size_t)(p - w->block);

	if (__builtin_expect(at < JSON_WINDOW_BLOCK && w->mask >> at != 0, 1))
		return p + __builtin_ctzll(w->mask >> at);
	return json_window_advance(w, p);
}

/*
 * The character that the escape at p (a backslash) means, a pair of surrogates taken as one.
 * Returns what follows, or NULL when it is no valid escape or does not end before `end`.
 */
const char *json_string_escape(const char *p, const char *end, uint32_t *ret);

/*
 * <0, 0 or >0: the order of the bytes that two strings mean, which stand without their quotes.
 * It is the order of memcmp() where there are no escapes.
 */
int json_string_compare(const char *a, size_t a_len, const char *b, size_t b_len);

/* Does the string p[0..len) mean just these bytes? */
bool json_string_means(const char *p, size_t len, const char *bytes, size_t bytes_len);

#endif
