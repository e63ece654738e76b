/*
 * rowdir_state: the file DIR/.evlog/state, for rowdir.c only.
 *
 * Pure.  Text:
 *
 *	evlog-rows 1 applied crc=0badcafe
 *	name orders
 *	store 0123...
 *	program 0123...
 *	selector order-*
 *	before 00000000000000000040
 *	sequence 00000000000000000042
 *	recorded 1700000000000000000
 *	rows 2
 *	orders/order-42.json {"id":...}
 *	orders/order-43.json -
 *
 * The CRC-32C is that of all that follows the first line.  The word "applied" is "pending" until
 * the files are as the rows here; until then they have all events up to `before`.  "-" stands for
 * a row that is gone.
 */
#ifndef SHOAL_EVLOG_ROWDIR_STATE_H
#define SHOAL_EVLOG_ROWDIR_STATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "evlog/mark.h"

#define STATE_WORD_AT  13 /* offset of "applied" or "pending" */
#define STATE_WORD_LEN 7
#define STATE_APPLIED  "applied"
#define STATE_PENDING  "pending"

struct rowdir_state {
	bool applied;
	struct span name, store; /* borrowed from the text, as `rows` */
	uint64_t before;         /* the sequence of the mark before this one */
	struct mark mark;
	size_t row_count;
	struct span rows; /* the lines of the rows, for state_next() */
};

/* Append all but the rows; then a state_put_row() for each, then state_finish(). */
void state_begin(struct buf *out, const struct rowdir_state *s);
void state_put_row(struct buf *out, struct span path, struct span row); /* row.len 0: gone */
void state_finish(struct buf *out);

/* EBADMSG: no sound state.  EVLOG_FOREIGN: one of another version. */
int state_parse(struct rowdir_state *s, struct span text, struct err *e);

/* The next row off *rows; false at the end. */
bool state_next(struct span *rows, struct span *ret_path, struct span *ret_row);

#endif
