/*
 * buf: a growing array of bytes.
 *
 * The bytes are data[0..len); data may hold any byte and is not terminated.  A zeroed struct buf
 * is an empty buffer.  Appending never fails in place: when memory is short the buffer keeps
 * what it has and remembers the failure in `failed`, so that a run of appends is checked once, at
 * its end, by buf_ok().  Pointers into data are valid until the next append.
 */
#ifndef SHOAL_BASE_BUF_H
#define SHOAL_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"

struct buf {
	char *data;
	size_t len;
	size_t cap;
	bool failed; /* an append did not fit in memory */
};

/* Free the memory; the buffer is then empty and usable again. */
void buf_done(struct buf *b);

/* Room for n more bytes: a pointer to them, or NULL (and failed) when out of memory. */
char *buf_grow(struct buf *b, size_t n);

/* 0, or -1 with ENOMEM when any append since the last buf_clear() failed. */
int buf_ok(const struct buf *b, struct err *e);

void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The first n bytes are gone, the rest moves to the front. */
void buf_consume(struct buf *b, size_t n);

static inline void buf_clear(struct buf *b)
{
	b->len = 0;
	b->failed = false;
}

static inline char *buf_reserve(struct buf *b, size_t n)
{
	return b->data != NULL && b->cap - b->len >= n ? b->data + b->len : buf_grow(b, n);
}

static inline void buf_add(struct buf *b, const void *p, size_t n)
{
	char *to = buf_reserve(b, n);

	if (to == NULL || n == 0)
		return;
	memcpy(to, p, n);
	b->len += n;
}

static inline void buf_add_str(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

static inline void buf_add_char(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

#endif
