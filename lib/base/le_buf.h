/*
 * le_buf: little-endian numbers appended to a buffer, and a reader of foreign bytes that never
 * passes their end.
 *
 * Pure.  A reader remembers that it failed, as a struct buf does, so that a run of reads is looked
 * at once, at its end: what is taken after the failure is zero and empty.
 *
 *	struct le_reader r = {p, len, false};
 *	version = le_take8(&r);
 *	key = le_take(&r, le_take16(&r));
 *	if (r.failed || r.left > 0) ...
 */
#ifndef SHOAL_BASE_LE_BUF_H
#define SHOAL_BASE_LE_BUF_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/le.h"
#include "base/span.h"

static inline void le_add8(struct buf *b, uint8_t v)
{
	buf_add_char(b, (char)v);
}

static inline void le_add16(struct buf *b, uint16_t v)
{
	char p[2];

	le_put16(p, v);
	buf_add(b, p, sizeof(p));
}

static inline void le_add32(struct buf *b, uint32_t v)
{
	char p[4];

	le_put32(p, v);
	buf_add(b, p, sizeof(p));
}

static inline void le_add64(struct buf *b, uint64_t v)
{
	char p[8];

	le_put64(p, v);
	buf_add(b, p, sizeof(p));
}

/* Fewer than 2^32 bytes, behind their number in 32 bits. */
static inline void le_add_span(struct buf *b, struct span s)
{
	assert(s.len <= UINT32_MAX);
	le_add32(b, (uint32_t)s.len);
	buf_add(b, s.p, s.len);
}

struct le_reader {
	const char *p;
	size_t left;
	bool failed;
};

/* n bytes, borrowed from what is read; {"", 0} when there are not so many. */
static inline struct span le_take(struct le_reader *r, size_t n)
{
	struct span s = {r->p, n};

	if (r->failed || r->left < n) {
		r->failed = true;
		return (struct span){"", 0};
	}
	if (n == 0)
		return (struct span){"", 0};
	r->p += n;
	r->left -= n;
	return s;
}

/* n bytes to `to`, which stays as it is when there are not so many. */
static inline void le_take_to(struct le_reader *r, void *to, size_t n)
{
	struct span s = le_take(r, n);

	if (s.len == n && n > 0)
		memcpy(to, s.p, n);
}

static inline uint8_t le_take8(struct le_reader *r)
{
	struct span s = le_take(r, 1);

	return s.len == 1 ? (uint8_t)s.p[0] : 0;
}

static inline uint16_t le_take16(struct le_reader *r)
{
	struct span s = le_take(r, 2);

	return s.len == 2 ? le_get16(s.p) : 0;
}

static inline uint32_t le_take32(struct le_reader *r)
{
	struct span s = le_take(r, 4);

	return s.len == 4 ? le_get32(s.p) : 0;
}

static inline uint64_t le_take64(struct le_reader *r)
{
	struct span s = le_take(r, 8);

	return s.len == 8 ? le_get64(s.p) : 0;
}

/* What le_add_span() added, of at most `max` bytes. */
static inline struct span le_take_span(struct le_reader *r, size_t max)
{
	uint32_t n = le_take32(r);

	if (n > max)
		r->failed = true;
	return le_take(r, n);
}

/* All of it has been read, and nothing was missing. */
static inline bool le_is_done(const struct le_reader *r)
{
	return !r->failed && r->left == 0;
}

#endif
