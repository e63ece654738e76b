/*
 * shrink: what is hidden from those who read streams by their names is removed from the log:
 * events before a deletion, and what rules of retention leave out (retain.h).
 *
 * The newest event of each stream stays, and of each stream only a beginning is removed.  What
 * stays is the same byte for byte, with its sequence and version.
 */
#ifndef SHOAL_EVLOG_SHRINK_H
#define SHOAL_EVLOG_SHRINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "evlog/store.h"

/* What goes from one segment of the log. */
struct compact_part {
	char file[64]; /* "log/0000000000000001.evl" */
	uint64_t base, last;
	uint64_t events, bytes;
};

/* A consumer or a projection that has not seen all of what would go; that stays. */
struct compact_held {
	const char *cursor; /* "NAME" or "NAME@K-N" */
	uint64_t sequence;  /* where it is; 0 also for one that cannot be read */
	uint64_t events, bytes;
};

struct compact_total {
	uint64_t events, bytes, segments;
};

/* Each may be NULL; a result other than 0 ends the work with -1 and *e. */
struct compact_hooks {
	int (*held)(const struct compact_held *h, void *arg,
	            struct err *e); /* all before any part */
	int (*part)(const struct compact_part *p, void *arg, struct err *e); /* done, or would be */
	void *arg;
};

/*
 * Compact the log while it is used.  One at a time: ETIMEDOUT as for the writer lock.  Each segment
 * is replaced as a whole and for good before the next one is begun, so an end at any point leaves
 * the store in order; the active segment is sealed first when something goes from it.  `force`
 * asks no cursor.  Needs room for one segment.  *ret is valid also after an error: what was done.
 */
int evlog_compact(struct evlog *s, bool dry_run, bool force, const struct compact_hooks *hooks,
                  struct compact_total *ret, struct err *e);

#endif
