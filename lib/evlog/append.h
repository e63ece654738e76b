/*
 * append: commits.  A struct commit collects events, evlog_commit() writes them in one step that
 * happens as a whole or not at all, over all its streams, and evlog_sync() makes them durable.
 *
 * Versions begin at 0, sequences at 1; both are dense.  An id is unique within its stream for as
 * long as its event lives.  Order of checks: ids first, then expected versions.
 */
#ifndef SHOAL_EVLOG_APPEND_H
#define SHOAL_EVLOG_APPEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "evlog/store.h"

#define COMMIT_EVENTS_MAX 65536u       /* of one atomic commit */
#define COMMIT_BYTES_MAX  (16u << 20)  /* of input of one atomic commit; the caller counts */
#define COMMIT_FRAMES_MAX (192u << 20) /* of its lines in the log */
#define COMMIT_CHECKS_MAX 64u          /* streams that are checked but not written */

struct commit;

struct commit *commit_new(void); /* NULL: out of memory */
void commit_free(struct commit *c);
void commit_clear(struct commit *c);
size_t commit_count(const struct commit *c);

/* Add an event; EVLOG_BAD_EVENT when it is over a limit of frame.h.  Names are checked before. */
int commit_add(struct commit *c, const struct evlog *s, const struct event *ev, struct err *e);

/* Check a stream that the commit, a COMMIT_ATOMIC one, does not write.  ENOSPC beyond
 * COMMIT_CHECKS_MAX. */
int commit_check(struct commit *c, struct span stream, struct expect x, struct err *e);

/* What became of one stream of a commit. */
struct receipt {
	struct span stream;   /* borrowed from the commit */
	uint32_t first, last; /* versions written; of the known events when nothing was new */
	uint64_t sequence;    /* of the last of them */
	uint32_t count;       /* events written */
	uint32_t known;       /* events that were there already */
};

struct commit_result {
	const struct receipt *receipts; /* in order of first appearance; until the commit changes */
	size_t receipt_count;
	uint64_t sequence;  /* of the last event written; what evlog_sync() waits for */
	size_t bad_event;   /* for EVLOG_CONFLICT and EVLOG_ID_REUSED: index of the event */
	struct span stream; /* for EVLOG_CONFLICT: where, what was expected and what is */
	struct expect expected, actual; /* actual: EXPECT_NONE or EXPECT_VERSION */
};

enum commit_mode {
	COMMIT_EACH, /* known events are skipped one by one; a bad one stops the commit before it */
	COMMIT_ATOMIC /* all or nothing: partly known is EVLOG_ID_REUSED */
};

/* Is it an answer about one event: EVLOG_CONFLICT, _ID_REUSED, _DELETED or _NO_STREAM? */
bool commit_is_refused(const struct err *e);

/*
 * Write the commit.  now_ns is the time to record.  In COMMIT_EACH an event that is refused is so
 * after the events before it were written (*r tells).  Any other failure has written nothing.
 * Success is not yet durable.
 *
 * An event of kind D ends its stream.  By its name the stream then does not exist, and what is
 * appended later goes on with the next version, or it is EVLOG_DELETED when that was for good.  The
 * deletion of a stream that is not there is EVLOG_NO_STREAM, of one that was deleted for good a
 * known event.  Ids of events before a deletion are free again.
 */
int evlog_commit(struct evlog *s, struct commit *c, enum commit_mode mode, int64_t now_ns,
                 struct commit_result *r, struct err *e);

/*
 * Wait until everything up to a sequence is on disk.  Processes that wait together share one
 * fdatasync.  EVLOG_POISONED when it failed: the events are not acknowledged, writers stop.
 */
int evlog_sync(struct evlog *s, uint64_t sequence, struct err *e);

/*
 * The last sequence that is written, perhaps not yet on disk.  Who met a conflict syncs up to here
 * before reading what came first: whoever wrote it may have died before its own sync.
 */
uint64_t evlog_written(const struct evlog *s);

/* Let s, a second handle of the process, sync what `writer` has committed so far. */
void evlog_sync_for(struct evlog *s, const struct evlog *writer);

/* Merge index files when there are many; call it now and then between commits. */
int evlog_maintain(struct evlog *s, struct err *e);

#endif
