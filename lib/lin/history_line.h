/*
 * history_line: one line of a history, for history.c.
 *
 * Pure.  Names stay text until all lines are read; a use says whose they are.
 */
#ifndef SHOAL_LIN_HISTORY_LINE_H
#define SHOAL_LIN_HISTORY_LINE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "lin/model.h"

/* The places in an operation where a name stands. */
enum history_place { HISTORY_VALUE, HISTORY_EXPECT, HISTORY_OWNER, HISTORY_CLIENT, HISTORY_KEY };

/* A name in text.data[at..at + name.len), of ops[op]; name.p is set when the text is complete. */
struct history_use {
	size_t at;
	struct span name;
	uint32_t op;
	enum history_place place;
};

/* What is read before names have numbers.  Zeroed it is empty; its owner frees all three. */
struct history_reader {
	struct lin_op *ops;
	size_t ops_n;
	size_t ops_cap;
	struct history_use *uses;
	size_t uses_n;
	size_t uses_cap;
	struct buf text;
};

/* An array with room for need elements: p, or what it became; NULL when out of memory. */
void *history_grow(void *p, size_t *cap, size_t need, size_t size);

/* Read one line, without its newline, as the next of r->ops.  Fails with EBADMSG or ENOMEM. */
int history_read_line(struct history_reader *r, const char *p, size_t len, struct err *e);

#endif
