/*
 * bytes: numbers and counted bytes in binary records, little-endian.
 *
 * Pure.  Writing appends to a struct buf; memory that is short is seen by buf_ok() at the end.
 * Reading goes over a span, never past its end, and fails once for a whole record:
 *
 *	struct bytes r = bytes_of(span);
 *	uint16_t kind = bytes_get_u16(&r);
 *	struct span name = bytes_get_span(&r, NAME_MAX);
 *
 *	if (!bytes_all_read(&r))
 *		return err_set(e, EBADMSG, ...);
 *
 * What is missing reads as 0 or as an empty span and sets `failed`; from then on nothing is read
 * any more.  So a loop over a count that was read has to look at `failed`, or the count at what is
 * left.  Spans point into the bytes that were given.
 */
#ifndef SHOAL_BASE_BYTES_H
#define SHOAL_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

/* A number in 2, 4 or 8 bytes that are there, aligned or not. */
static inline void bytes_store_u16(char *to, uint16_t v)
{
	to[0] = (char)(v & 0xff);
	to[1] = (char)(v >> 8);
}

static inline void bytes_store_u32(char *to, uint32_t v)
{
	bytes_store_u16(to, (uint16_t)v);
	bytes_store_u16(to + 2, (uint16_t)(v >> 16));
}

static inline void bytes_store_u64(char *to, uint64_t v)
{
	bytes_store_u32(to, (uint32_t)v);
	bytes_store_u32(to + 4, (uint32_t)(v >> 32));
}

static inline uint16_t bytes_load_u16(const char *from)
{
	return (uint16_t)((unsigned char)from[0] | (unsigned char)from[1] << 8);
}

static inline uint32_t bytes_load_u32(const char *from)
{
	return bytes_load_u16(from) | (uint32_t)bytes_load_u16(from + 2) << 16;
}

static inline uint64_t bytes_load_u64(const char *from)
{
	return bytes_load_u32(from) | (uint64_t)bytes_load_u32(from + 4) << 32;
}

/* Append. */
static inline void bytes_put_u8(struct buf *b, uint8_t v)
{
	buf_add_char(b, (char)v);
}

static inline void bytes_put_u16(struct buf *b, uint16_t v)
{
	char le[2];

	bytes_store_u16(le, v);
	buf_add(b, le, sizeof(le));
}

static inline void bytes_put_u32(struct buf *b, uint32_t v)
{
	char le[4];

	bytes_store_u32(le, v);
	buf_add(b, le, sizeof(le));
}

static inline void bytes_put_u64(struct buf *b, uint64_t v)
{
	char le[8];

	bytes_store_u64(le, v);
	buf_add(b, le, sizeof(le));
}

/* Fewer than 2^32 bytes behind a u32 that counts them. */
void bytes_put_span(struct buf *b, struct span s);

/* A reader; zeroed it is at the end of nothing. */
struct bytes {
	const char *p; /* what comes next */
	size_t left;
	bool failed;
};

static inline struct bytes bytes_of(struct span s)
{
	return (struct bytes){.p = s.p, .left = s.len};
}

/* The next n bytes, or an empty span. */
struct span bytes_get(struct bytes *r, size_t n);

/* What bytes_put_span() wrote; more than `max` bytes are a failure. */
struct span bytes_get_span(struct bytes *r, size_t max);

/* One byte that is 0 or 1; another is a failure, so that a record has one form only. */
bool bytes_get_bool(struct bytes *r);

/* Read no more: a value makes no sense. */
static inline void bytes_fail(struct bytes *r)
{
	r->failed = true;
	r->left = 0;
}

static inline bool bytes_all_read(const struct bytes *r)
{
	return !r->failed && r->left == 0;
}

static inline uint8_t bytes_get_u8(struct bytes *r)
{
	struct span s = bytes_get(r, 1);

	return s.len == 1 ? (uint8_t)s.p[0] : 0;
}

static inline uint16_t bytes_get_u16(struct bytes *r)
{
	struct span s = bytes_get(r, 2);

	return s.len == 2 ? bytes_load_u16(s.p) : 0;
}

static inline uint32_t bytes_get_u32(struct bytes *r)
{
	struct span s = bytes_get(r, 4);

	return s.len == 4 ? bytes_load_u32(s.p) : 0;
}

static inline uint64_t bytes_get_u64(struct bytes *r)
{
	struct span s = bytes_get(r, 8);

	return s.len == 8 ? bytes_load_u64(s.p) : 0;
}

#endif
