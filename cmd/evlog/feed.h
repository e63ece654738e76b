/*
 * feed: what a consumer or a projection is given: the events behind its cursor that its selector
 * takes, in batches of text, in the order of the store.
 *
 * A line is an event as `evlog read` prints it, with LF.  The store's own streams ('$...') are
 * left out, unless the selector is the name of one.  Rendering the next batch into another struct
 * feed_batch while a program works on one is what feed_next() is made for: batches are
 * independent of the feed and of each other.
 *
 * Damage is never passed over in silence: it is named on stderr, what lies before it comes in
 * whole batches, and then feed_next() says FEED_DAMAGED, once and for all.  With skip_damaged the
 * feed goes on, and feed_has_skipped() tells.  Events that were removed on purpose are no damage.
 */
#ifndef SHOAL_EVLOG_CMD_FEED_H
#define SHOAL_EVLOG_CMD_FEED_H

#include "evlog.h"
#include "evlog/cursor.h"
#include "os/sig.h"

#define FEED_BATCH_DEFAULT 100u
#define FEED_BATCH_MAX     65536u     /* events of a batch */
#define FEED_BATCH_BYTES   (1u << 20) /* a batch ends there; one event alone may be larger */

/* ---- claim.c: taking the cursor of a consumer or a projection. */

struct claim {
	struct cursor_id id;
	char *operand; /* the selector that was given; NULL: the recorded one, at first --all */
	bool all;      /* --all was given */
};

/*
 * Take the cursor for work, waiting for its holder as -w says, and set q from the selector that
 * was given or is recorded.  Ends the program when that may not be: exit 75 when it is held for
 * too long, 77 where the store cannot be written, 78 for another selector, another group or a
 * cursor that is ahead of the store's end.  A cursor that is new (*ret_new) begins at 0; a member
 * of a group that is new, where the cursor of the plain name is; the selector is in its state,
 * not yet saved.
 */
struct cursor *claim_cursor(struct evlog *s, const struct place *p, const struct claim *c,
                            struct query *q, bool *ret_new);

/* ---- feed.c */

struct feed_event {
	uint64_t seq;
	size_t at;     /* of its line in text */
	size_t stream; /* of its name in names */
	size_t stream_len;
};

/* Zeroed at first; feed_batch_done() it. */
struct feed_batch {
	struct buf text; /* all lines: what a program gets */
	struct feed_event *events;
	size_t count;
	/* private: */
	size_t cap;
	struct buf names;
};

/* The line of an event without its LF, and its stream; borrowed from the batch. */
struct span feed_line(const struct feed_batch *b, size_t i);
struct span feed_stream(const struct feed_batch *b, size_t i);
void feed_batch_done(struct feed_batch *b);

struct feed_spec {
	const struct query *query; /* borrowed; its kind, name and types count */
	uint64_t after;            /* the cursor */
	uint32_t member, members;  /* of a group, as in struct cursor_id */
	size_t count_max;          /* events of a batch, 1 to FEED_BATCH_MAX */
	bool follow;               /* else the end is what is on disk at feed_open() */
	bool skip_damaged;
	const struct sig *sig; /* NULL: none; a pending signal is left for the caller to take */
};

enum feed_result {
	FEED_FAILED = -1, /* *e says why */
	FEED_END,         /* there is no more, and without `follow` never will be */
	FEED_BATCH,       /* b has at least one event */
	FEED_DAMAGED,     /* it was reported; exit STATUS_DAMAGED */
	FEED_SIGNAL       /* a signal is pending in spec.sig */
};

struct feed;

struct feed *feed_open(struct evlog *s, const struct feed_spec *spec); /* ends when out of memory */
void feed_close(struct feed *f);

/*
 * The next batch into *b, whatever was in it before.  Takes what is there; when there is nothing
 * it waits until the deadline (clock_mono_ns(); 0: not at all, WAIT_FOREVER), which is FEED_END.
 */
enum feed_result feed_next(struct feed *f, struct feed_batch *b, int64_t deadline_ns,
                           struct err *e);

/*
 * Every event up to this sequence was in a batch or is not selected: where the cursor may go once
 * all batches are done.
 */
uint64_t feed_passed(const struct feed *f);

bool feed_has_skipped(const struct feed *f); /* damage, because of skip_damaged */

#endif
