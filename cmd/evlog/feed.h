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
	const char *operand; /* the selector; NULL: --all */
	bool by_hand;        /* of whatever selector, which stays as it is (ack) */
};

/*
 * Take the cursor for work, waiting for its holder as -w says, and set q from the selector.  Ends
 * the program when it may not be used: exit 75 when it is held for too long, 77 where the store
 * cannot be written, 78 for another selector, another group, or a store that has lost what the
 * cursor has passed.  One that is new begins at 0; a new member of a group where the cursor of
 * the plain name is.  The selector is in its state; a plain cursor that is new (*ret_new) is not
 * saved yet.
 */
struct cursor *claim_cursor(struct evlog *s, const struct place *p, const struct claim *c,
                            struct query *q, bool *ret_new);

/* Only take it, as -w says: exit 75, 77, or 8 where both of its slots are damaged. */
struct cursor *claim_take(struct evlog *s, const struct place *p, const struct cursor_id *id,
                          bool *ret_new);

/* Exit 78 when the store has lost events that the cursor has passed. */
void claim_check_log(struct evlog *s, const struct cursor_id *id, const struct cursor_state *state);

/* By hand: a SEQUENCE (exit 64), which must not be behind the store's end (exit 65), and saved. */
uint64_t claim_sequence(const char *text);
void claim_check_end(struct evlog *s, uint64_t seq);
void claim_save(struct cursor *c);

/* Set q from an operand or, for NULL, --all; the selector's text, exit 64 for a wrong one. */
const char *claim_select(const char *operand, struct query *q);

/* "K/N" of --group; exit 64. */
void claim_group_option(struct cursor_id *id, const struct opts *o);

/* All cursors of one name: the plain one and the members of its group. */
struct group {
	bool has_plain;
	struct cursor_state plain;
	uint32_t members;                       /* of the group; 0: none */
	uint32_t others;                        /* a member of a group of this other size, too */
	char selector[CURSOR_SELECTOR_MAX + 1]; /* of a member that has one; else empty */
	bool has[CURSOR_GROUP_MAX];             /* the member K - 1 */
	uint64_t sequence[CURSOR_GROUP_MAX];    /* where it is; without a cursor, where it begins */
};

void group_find(struct evlog *s, const char *name, struct group *g);

/* Where the one that is farthest behind is. */
uint64_t group_lowest(const struct group *g);

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
