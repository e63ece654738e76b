/*
 * row: rows of a model of files: their names and what outputs make of them.
 *
 * Pure.  A row is one line of compact JSON: the columns, those of the key first, and at last
 * "_sequence", the event that has changed it:
 *
 *	{"id":"order-42","status":"paid","_sequence":"00000000000000000123"}
 */
#ifndef SHOAL_EVLOG_ROW_H
#define SHOAL_EVLOG_ROW_H

#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"
#include "evlog/output.h"

#define ROW_MAX      (1u << 20) /* bytes of a row */
#define ROW_NAME_MAX 200u       /* bytes of a name that row_put_name() makes */
#define ROW_SEQUENCE "_sequence"

/*
 * Append a table or a key as a file name: control characters, space, '/', '%', ',' and a dot or
 * dash at the beginning become '%' and two hex digits; what is longer than ROW_NAME_MAX then is cut
 * and ends in "%." and a BLAKE2b sum.  Different names stay different, and none is empty, "." or
 * "..".
 */
void row_put_name(struct buf *out, const char *p, size_t len);

/*
 * Append TABLE/KEY.json for an output.  Of several key columns the values are joined by commas, in
 * the order of the columns' names.
 */
void row_put_path(struct buf *out, const struct output *o);

/* The same for a table and the values of a key in that order. */
void row_put_path_of(struct buf *out, struct span table, const struct span *keys, size_t n);

/* Is this a row?  Its sequence; EBADMSG. */
int row_check(struct span row, uint64_t *ret_seq, struct err *e);

/*
 * Append what an OUTPUT_UPSERT of event `seq` makes of a row that row_check() or this has passed;
 * of none when its length is 0.  EBADMSG: a column to be added to is no number, the sum is out
 * of range, the row has become too long, or a column is called "_sequence".  Whole numbers of up
 * to 63 bits are added without loss.
 */
int row_merge(struct buf *out, struct span row, const struct output *o, uint64_t seq,
              struct err *e);

#endif
