/*
 * snapshot: states of streams, kept so that not every event has to be folded again.
 *
 * A cache: a snapshot is used only when everything it says still agrees with the log, and
 * whatever goes wrong with one is as if it were not there.  So it is written without a sync, and
 * its checksum tells whether it survived.  evlog-format(5) has the form of the files, which are in
 * the store's directory snap/, named by hashes of stream and program.
 */
#ifndef SHOAL_EVLOG_SNAPSHOT_H
#define SHOAL_EVLOG_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "evlog/snapshot_text.h"
#include "evlog/store.h"

#define SNAPSHOT_STATE_MAX (16u << 20) /* bytes of a state; larger ones are not kept */
#define SNAPSHOT_NAME_LEN  (2 * SNAPSHOT_HEX_LEN + 1) /* of a file, without NUL */

/* Which states are the same: of one stream, by one program, from one first event on. */
struct snapshot_key {
	struct span stream;
	unsigned char program[SNAPSHOT_PROGRAM_LEN]; /* a hash of all that makes the state */
	uint32_t first; /* version of the stream's first event that was not removed */
};

/*
 * The state after a version that is at most `at_most` and that is on disk up to the sequence
 * `end`: 1 and the version, the state replaces what was in *ret_state; 0 when there is none that
 * agrees with the log; -1 only when memory is short.
 */
int snapshot_load(struct evlog *s, const struct snapshot_key *k, uint32_t at_most, uint64_t end,
                  uint32_t *ret_version, struct buf *ret_state, struct err *e);

/* Keep the state after the event *at, one line.  On failure the one before stays as it was. */
int snapshot_save(struct evlog *s, const struct snapshot_key *k, const struct frame *at,
                  struct span state, struct err *e);

/* What a file says of itself; a file that is no snapshot has stream.len 0. */
struct snapshot_info {
	const char *name; /* of the file, for snapshot_remove() */
	struct span stream;
	uint32_t version;
	size_t state_len;
	char program[SNAPSHOT_HEX_LEN + 1]; /* hex */
	int64_t time_ns;                    /* when it was written */
};

/* Call fn for each file in snap/, in no order; it returns 0 to go on. */
typedef int snapshot_fn(const struct snapshot_info *info, void *arg, struct err *e);
int snapshot_each(struct evlog *s, snapshot_fn *fn, void *arg, struct err *e);

/* Remove a file of snap/; one that has gone already is fine. */
int snapshot_remove(struct evlog *s, const char *name, struct err *e);

#endif
