/*
 * read: events out of a store, without a lock.
 *
 * A reader sees the events up to the sequence that was durable when it was made (or that
 * reader_extend() fetched later), in order, each once.  Damaged frames are passed over and
 * reported, never silently.
 */
#ifndef SHOAL_EVLOG_READ_H
#define SHOAL_EVLOG_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "evlog/store.h"

/* A place in the log where no sound event is. */
struct damage {
	char file[64];        /* "log/0000000000000001.evl" */
	uint64_t offset;      /* first bad byte */
	uint64_t bytes;       /* up to the next sound line */
	uint64_t first, last; /* sequences that are missing */
	bool acknowledged;    /* for a tail that was cut: it had been acknowledged */
};

/* Sequential reading of the whole log, for --all, prefixes, tail -f, verify, export. */
struct scan;

struct scan *scan_new(struct evlog *s, uint64_t first, struct err *e);
void scan_free(struct scan *sc);

/*
 * The next event with sequence <= last: 1 and *f (borrowed until the next call), 0 when there is
 * none yet, 2 and *d when damage was passed over (call again to go on), -1 error.
 */
int scan_next(struct scan *sc, uint64_t last, struct frame *f, struct damage *d, struct err *e);

/* One event by sequence: 1 and *f (until the next call on this store), 0 not there, -1. */
int evlog_get(struct evlog *s, uint64_t seq, struct frame *f, struct err *e);

/*
 * By its name, here and below, a stream begins behind its last deletion, and one whose newest event
 * is a deletion does not exist, or is EVLOG_DELETED when that was for good.  Rules of retention
 * (retain.h) hide what they leave out.  Scans and evlog_get() show what there is.
 *
 * The newest event of a stream at or below a sequence: 1, 0 no such stream, -1.
 */
int evlog_head(struct evlog *s, struct span stream, uint64_t at_most, struct frame *f,
               struct err *e);

/*
 * Streams that will be read next, at best some dozens: what their lookups need is fetched for all
 * at once.  A hint that changes nothing but the time they take.
 */
void evlog_warm(struct evlog *s, const struct span *streams, size_t n);

/* The first version of a stream that is there: 1, 0 no such stream, -1.  O(log^2) steps. */
int evlog_first(struct evlog *s, struct span stream, uint64_t at_most, uint32_t *ret,
                struct err *e);

/* The version that the next event of a stream gets, also of one that is deleted or not there. */
int evlog_next(struct evlog *s, struct span stream, uint32_t *ret, struct err *e);

/* The event of a stream at a version: 1, 0, -1.  O(log versions) steps. */
int evlog_at(struct evlog *s, struct span stream, uint32_t version, uint64_t at_most,
             struct frame *f, struct err *e);

/* What rules of retention hide of a stream, for one who reads it by a scan. */
struct hidden {
	uint32_t last;      /* the newest version, which is never hidden */
	uint32_t below;     /* versions below this one are */
	uint64_t before_ns; /* and what was recorded before this */
};
int evlog_hidden(struct evlog *s, struct span stream, uint64_t at_most, struct hidden *ret,
                 struct err *e);

static inline bool hidden_has(const struct hidden *h, uint32_t version, uint64_t time_ns)
{
	return version < h->last && (version < h->below || time_ns < h->before_ns);
}

/* The event of a stream with an id, at or below a sequence: 1, 0 none, -1. */
int evlog_find(struct evlog *s, struct span stream, struct span id, uint64_t at_most,
               struct frame *f, struct err *e);

/*
 * The sequences of a stream's events with from <= version <= to, in version order, appended to
 * *seqs (malloc'ed, grown).  -1 with EVLOG_DAMAGED when its chain of events is broken, EVLOG_GAP
 * when it is by a loss that repair has taken as known: read it by a scan instead.
 */
struct seqs {
	uint64_t *v;
	size_t len, cap;
	uint32_t first; /* the lowest version that evlog_gather() met */
};
int evlog_gather(struct evlog *s, struct span stream, uint32_t from, uint32_t to, uint64_t at_most,
                 struct seqs *seqs, struct err *e);
void seqs_done(struct seqs *q);

/*
 * Call fn for each stream: its newest event at or below a sequence, in order of sequence.
 * fn returns 0 to go on, 1 to stop, -1 for an error.  Deleted streams are left out.  A stream whose
 * newest event is damaged is, too; after all the others the result is then -1 with EVLOG_DAMAGED.
 */
typedef int stream_fn(const struct frame *head, void *arg, struct err *e);
int evlog_each_stream(struct evlog *s, uint64_t at_most, stream_fn *fn, void *arg, struct err *e);

/* How many streams there are, deleted ones included. */
int evlog_count_streams(struct evlog *s, uint64_t *ret, struct err *e);

/* First sequence recorded at or after a time, up to at_most; at_most + 1 when none is. */
int evlog_seq_at_time(struct evlog *s, uint64_t time_ns, uint64_t at_most, uint64_t *ret,
                      struct err *e);

#endif
