/*
 * frame: one event as one line of the log (evlog-format(5), version 1).
 *
 * Pure: no I/O, no clock, no memory of its own.  A frame is a line of text; its first
 * FRAME_FIXED bytes are columns, the rest five fields with one space between them:
 *
 *	off len  field
 *	  0   8  CRC32C of the bytes [9, start of data), started from the store's salt
 *	  9   1  kind: E event, D the stream is deleted, X stub of an event that was lost (reserved:
 *	         K audit)
 *	 10   1  flag: - plain, r the data was taken out, its CRC is of what was there (reserved:
 *	         e encrypted data, c chained)
 *	 11   1  '.' last frame of its commit, '+' more frames of the same commit follow
 *	 13   8  length of the whole line with its LF, hex
 *	 22   8  CRC32C of the data alone, so that a frame whose data was taken out later (redacted)
 *	         keeps a header that still proves what it was
 *	 31   6  lag: sequence - 1 - the last sequence known durable when the frame was written
 *	 38  12  sequence in the store, dense from 1, hex
 *	 51   8  version in the stream, dense from 0, hex
 *	 60  12  sequence of the stream's previous event, 0 for none
 *	 73  12  sequence of the stream's event at version v & (v - 1), or of its last deletion when
 *	         that is newer: seeks in O(log n), and none of them passes over a deletion; 0:
 *unknown 86  16  time the store recorded it, ns since 1970, never decreasing, hex 103      STREAM
 *SP TYPE SP ID SP ATTRS SP DATA LF
 *
 * ATTRS is a compact JSON object of the other CloudEvents attributes, spaces inside its strings
 * written \u0020, or "-".  DATA is compact JSON, "=" and base64 for other bytes, or "-" for none.
 * No valid frame holds a NUL: a block of zeros in a log is always a hole.
 */
#ifndef SHOAL_EVLOG_FRAME_H
#define SHOAL_EVLOG_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

#define FRAME_FIXED     103
#define FRAME_NAME_MAX  255u               /* bytes of a stream name, a type, an id */
#define FRAME_ATTRS_MAX (64u << 10)        /* bytes of ATTRS */
#define FRAME_DATA_MAX  (8u << 20)         /* bytes of DATA as stored */
#define FRAME_LAG_MAX   0xffffffu          /* a lag that does not fit says no more than this */
#define FRAME_SEQ_MAX   ((1ull << 48) - 1) /* 12 hex digits */
#define FRAME_MAX \
	(FRAME_FIXED + 3 * (FRAME_NAME_MAX + 1) + FRAME_ATTRS_MAX + 1 + FRAME_DATA_MAX + 1)
#define FRAME_MIN (FRAME_FIXED + 10) /* five fields of one byte */

#define FRAME_EVENT    'E'
#define FRAME_DELETED  'D' /* the stream ends here; what follows on it is a new one */
#define FRAME_STUB     'X'
#define FRAME_PLAIN    '-'
#define FRAME_REDACTED 'r'

struct frame {
	char kind;
	char flag;
	bool last; /* of its commit */
	uint32_t len;
	uint32_t data_crc;
	uint32_t lag;
	uint32_t version;
	uint64_t seq;
	uint64_t prev;
	uint64_t jump;
	uint64_t time_ns;
	struct span stream, type, id, attrs, data; /* borrowed from the line */
};

enum frame_result {
	FRAME_OK,
	FRAME_SHORT, /* a line may begin here, but not all its bytes are in the buffer: f->len says
	                how many it claims to have, 0 when that cannot be told yet */
	FRAME_NO_LF, /* sound but for its line end: the next frame begins f->len further on */
	FRAME_BAD    /* no frame of this store begins here */
};

/*
 * Write the fixed columns and the CRC in front of a body.  `line` holds f->len bytes, of which
 * [FRAME_FIXED, f->len) are the body in place; `data_at` is the offset of DATA in the line.  Uses
 * kind, flag, last, len, data_crc, lag, version, seq, prev, jump and time_ns.
 */
void frame_seal(char *line, size_t data_at, const struct frame *f, uint32_t salt);

/* Parse and check both CRCs of the frame that begins at p[0]. */
enum frame_result frame_parse(const char *p, size_t n, uint32_t salt, struct frame *f);

/* As frame_parse(), without the check of the data: for walks that only follow pointers. */
enum frame_result frame_parse_header(const char *p, size_t n, uint32_t salt, struct frame *f);

/* The sequence in the `prev` column of what may be a frame, unchecked: a hint, 0 for none. */
uint64_t frame_peek_prev(const char line[FRAME_FIXED]);

/* Is it shown as an event?  Stubs are not. */
static inline bool frame_is_event(const struct frame *f)
{
	return f->kind == FRAME_EVENT || f->kind == FRAME_DELETED;
}

/* Type and data of frames of kind D. */
#define FRAME_DELETED_TYPE "evlog.deleted"
#define FRAME_DELETED_SOFT "{\"hard\":false}"
#define FRAME_DELETED_HARD "{\"hard\":true}"

/* Is the stream deleted for good?  Also known where the data was taken out, by its CRC. */
bool frame_deletes_hard(const struct frame *f);

/* The salt of a store: frames of another store never validate in it. */
uint32_t frame_salt(const unsigned char uuid[16]);

/*
 * The first and the last line of a segment.  The head names store and first sequence; the seal
 * says that the segment is complete.  Both have a fixed length, LF included.
 */
#define FRAME_HEAD_LEN 192
#define FRAME_SEAL_LEN 128

struct frame_head {
	unsigned char uuid[16];
	uint64_t base; /* sequence of the segment's first event */
	uint64_t gone; /* events that were removed on purpose; sequences have gaps then */
};

struct frame_seal {
	uint64_t first, last;        /* sequences; last == first - 1 for none */
	uint64_t bytes;              /* length of the file with this line */
	uint64_t time_min, time_max; /* recorded times, ns, also of events that were removed */
	uint64_t gone;               /* as in the head, for when that is damaged */
};

void frame_put_head(char line[FRAME_HEAD_LEN], const struct frame_head *h);
bool frame_get_head(const char *p, size_t n, struct frame_head *h);
void frame_put_seal(char line[FRAME_SEAL_LEN], const struct frame_seal *s, uint32_t salt);
enum frame_result frame_get_seal(const char *p, size_t n, uint32_t salt, struct frame_seal *s);

#endif
