/*
 * text: numbers, durations, sizes, times and hex as text, and UTF-8.
 *
 * Pure: no I/O, no clock, no locale, no globals.  Parsers take the whole text or fail: no leading
 * or trailing junk, no sign, no silent overflow.  They write *ret only when they succeed.
 */
#ifndef SHOAL_BASE_TEXT_H
#define SHOAL_BASE_TEXT_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"

#define TEXT_TIME_LEN 27 /* 2026-11-23T10:00:00.123456Z, without a NUL */
#define TEXT_U64_LEN  20 /* decimal digits of the largest uint64_t */

#define TEXT_NS_PER_S 1000000000

/*
 * A decimal number between min and max, digits only (leading zeros are fine).  Fails with EINVAL
 * (not a number) or ERANGE, and names the text and the range.
 */
int num_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret, struct err *e);
int num_u64_len(const char *p, size_t len, uint64_t min, uint64_t max, uint64_t *ret,
                struct err *e);

/* The decimal digits of v, without a NUL: their count, at most TEXT_U64_LEN. */
size_t text_put_u64(char to[TEXT_U64_LEN], uint64_t v);

/* The same with leading zeros, always TEXT_U64_LEN digits. */
void text_put_u64_padded(char to[TEXT_U64_LEN], uint64_t v);

/*
 * A duration in nanoseconds: numbers with the units d h m s ms us ns, larger units first and each
 * at most once (1m30s, 1.5h, 250ms), or one bare number of seconds (90, 1.5, .5).  What a fraction
 * has below one nanosecond is dropped.  Fails with EINVAL or ERANGE (2^64 ns are 584 years).
 */
int text_duration_ns(const char *s, uint64_t *ret_ns, struct err *e);

/*
 * A size in bytes: a number, with K M G T for powers of 1024, and then also with a fraction
 * (1.5M; what is below one byte is dropped).  Fails with EINVAL or ERANGE.
 */
int text_size(const char *s, uint64_t *ret, struct err *e);

/* RFC 3339 in UTC with microseconds (cut, not rounded), without a NUL.  Any int64_t will do. */
void text_put_time(char to[TEXT_TIME_LEN], int64_t unix_ns);

/*
 * A date-time of RFC 3339 section 5.6: any number of fraction digits (below a nanosecond they
 * are dropped), Z or a numeric offset, T and Z in either case, a leap second only at 23:59:60 UTC
 * (it counts as the second after it).  Fails with EINVAL, or ERANGE for times that an int64_t of
 * nanoseconds cannot hold (before 1677-09-21 or after 2262-04-11).
 */
int text_get_time(const char *p, size_t len, int64_t *ret_ns, struct err *e);

/* Is this valid UTF-8 (RFC 3629: no surrogates, no overlong forms, at most U+10FFFF)? */
bool text_is_utf8(const char *p, size_t len);

/* The length of the UTF-8 character at p, 1 to 4; 0 when it is none or is not all in len. */
size_t text_utf8_len(const char *p, size_t len);

/* Write c (at most U+10FFFF) as UTF-8: the length, 1 to 4. */
size_t text_put_utf8(char to[4], uint32_t c);

/* Eight hex digits of v as bytes of a word, the most significant digit in the lowest address. */
static inline uint64_t text_hex_spread(uint32_t v)
{
	uint64_t x = v;
	uint64_t letters;

	x = (x | x << 16) & 0x0000ffff0000ffff;
	x = (x | x << 8) & 0x00ff00ff00ff00ff;
	x = (x | x << 4) & 0x0f0f0f0f0f0f0f0f;
	letters = (x + 0x0606060606060606) >> 4 & 0x0101010101010101;
	x += 0x3030303030303030 + letters * ('a' - '9' - 1);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	x = __builtin_bswap64(x);
#endif
	return x;
}

/*
 * The low 4 * width bits of v as hex digits, lower case, no NUL; v must fit.  width is 1 to 16.
 * Inline: every frame of a log has some seventy hex digits.
 */
static inline void text_put_hex(char *to, uint64_t v, int width)
{
	uint64_t digits;

	assert(width >= 1 && width <= 16 && (width == 16 || v >> 4 * width == 0));
	if (width < 8) {
		digits = text_hex_spread((uint32_t)v << 4 * (8 - width));
		memcpy(to, &digits, (size_t)width);
		return;
	}
	/* Two stores that may overlap. */
	digits = text_hex_spread((uint32_t)(v >> 4 * (width - 8)));
	memcpy(to, &digits, 8);
	digits = text_hex_spread((uint32_t)v);
	memcpy(to + width - 8, &digits, 8);
}

/*
 * Eight digits at once.  A byte with bit 6 is taken for a letter and moved down behind '9'; it
 * was a digit when its high half is then 3 and exactly the letters have a low half above 9.
 */
static inline int text_hex_gather(uint64_t x, uint64_t *ret)
{
	uint64_t letters = x >> 6 & 0x0101010101010101;
	uint64_t bad;

	x -= letters * ('a' - '9' - 1);
	bad = (x & 0xf0f0f0f0f0f0f0f0) ^ 0x3030303030303030;
	x &= 0x0f0f0f0f0f0f0f0f;
	bad |= ((x + 0x0606060606060606) >> 4 & 0x0101010101010101) ^ letters;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	x = __builtin_bswap64(x);
#endif
	x = (x | x >> 4) & 0x00ff00ff00ff00ff;
	x = (x | x >> 8) & 0x0000ffff0000ffff;
	*ret = (x | x >> 16) & 0xffffffff;
	return bad != 0 ? -1 : 0;
}

/*
 * Read exactly `width` hex digits, lower case only: 0, or -1 when there is anything else.
 * No struct err: the caller knows the field's name, and looks at it once for all fields.
 */
static inline int text_get_hex(const char *from, int width, uint64_t *ret)
{
	uint64_t digits = 0x3030303030303030;
	uint64_t high = 0;
	uint64_t low;
	int bad = 0;

	assert(width >= 1 && width <= 16);
	if (width < 8) {
		memcpy((char *)&digits + 8 - width, from, (size_t)width);
	} else {
		/* Two loads that may overlap. */
		memcpy(&digits, from, 8);
		bad = text_hex_gather(digits, &high);
		high >>= 4 * (16 - width);
		memcpy(&digits, from + width - 8, 8);
	}
	if ((bad | text_hex_gather(digits, &low)) < 0)
		return -1;
	*ret = high << 32 | low;
	return 0;
}

#endif
