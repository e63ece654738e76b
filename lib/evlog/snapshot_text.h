/*
 * snapshot_text: a snapshot as the bytes of its file (evlog-format(5)), for snapshot.c.
 *
 * Pure.  One line of columns and the stream's name, then the state and a LF:
 *
 *	off len
 *	  0   8  "evsnap1 "
 *	  8   8  CRC32C of all that follows it, started from the store's salt
 *	 17   8  version, hex as all numbers here
 *	 26  12  sequence of the event at that version
 *	 39  16  its recorded time
 *	 56   8  CRC32C of its data
 *	 65   8  first version that was not removed
 *	 74   8  length of the state
 *	 83  32  the program
 *	116      STREAM LF STATE LF
 */
#ifndef SHOAL_EVLOG_SNAPSHOT_TEXT_H
#define SHOAL_EVLOG_SNAPSHOT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

#define SNAPSHOT_PROGRAM_LEN 16
#define SNAPSHOT_HEX_LEN     ((size_t)2 * SNAPSHOT_PROGRAM_LEN)
#define SNAPSHOT_HEAD_MAX    (116u + 255u + 1) /* bytes of the first line */

struct snapshot_head {
	uint32_t version, first, data_crc, state_len;
	uint64_t seq, time_ns;
	char program[2 * SNAPSHOT_PROGRAM_LEN]; /* hex, as any bytes here */
	struct span stream;                     /* borrowed */
};

void snapshot_put_hex(char *to, const unsigned char *p, size_t n);

/* Append the whole file; state_len is taken from the state. */
void snapshot_text_put(struct buf *b, const struct snapshot_head *h, struct span state,
                       uint32_t salt);

/* The head alone, without a look at the checksum: false when it is none. */
bool snapshot_text_head(const char *p, size_t n, struct snapshot_head *ret);

/* The whole file; false when it is not sound.  Spans point into p. */
bool snapshot_text_get(const char *p, size_t n, uint32_t salt, struct snapshot_head *ret,
                       struct span *ret_state);

#endif
