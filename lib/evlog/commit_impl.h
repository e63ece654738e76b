/*
 * commit_impl: the inside of struct commit, for append.c (collects), plan.c (decides) and
 * commit.c (writes).
 */
#ifndef SHOAL_EVLOG_COMMIT_IMPL_H
#define SHOAL_EVLOG_COMMIT_IMPL_H

#include "evlog/append.h"
#include "evlog/store_impl.h"

#define NO_STATE UINT32_MAX

/* One event: its line lies in commit.frames, with room in front for the columns. */
struct entry {
	size_t at;
	uint32_t len;     /* of the line */
	uint32_t data_at; /* offset of the data in the line */
	uint32_t data_crc;
	uint8_t stream_len, type_len, id_len;
	char kind;
	bool id_given;
	bool known; /* is in the store already: not written again */
	uint32_t state;
	struct expect expect;
	uint64_t stream_key, id_key;
	uint64_t seq, prev, jump; /* planned */
	uint32_t version;
};

/* A stream that the commit touches: its newest event as the commit proceeds, and its receipt. */
struct state {
	uint32_t entry; /* its first; there is its name */
	struct stream_state is;
	uint64_t head, jump; /* sequence of the newest event, and where that one jumps to */
	bool has_floor;
	uint64_t floor; /* of its last deletion, 0: none; once it was asked for */
	uint64_t key;   /* in the index of heads */
	uint32_t first, last, count, known;
	uint32_t known_first, known_last;
	uint64_t sequence;
};

struct check {
	size_t at; /* of the name in commit.names */
	size_t len;
	struct expect expect;
};

struct commit {
	struct buf frames;
	struct entry *entries;
	uint32_t count, cap;
	struct check checks[COMMIT_CHECKS_MAX];
	size_t check_count;
	struct buf names;
	uint32_t given; /* entries whose id a caller gave */

	/* While it is being committed. */
	struct state *states;
	uint32_t state_count, state_cap;
	uint32_t *by_stream, *by_id; /* hash tables of state and entry numbers + 1 */
	uint32_t by_stream_size, by_id_size;
	struct buf kept; /* the lines that are written, when known ones lie between them */
	struct receipt *receipts;
	size_t receipt_cap;
};

static inline struct span entry_stream(const struct commit *c, const struct entry *n)
{
	return (struct span){c->frames.data + n->at + FRAME_FIXED, n->stream_len};
}

static inline struct span entry_type(const struct commit *c, const struct entry *n)
{
	return (struct span){c->frames.data + n->at + FRAME_FIXED + n->stream_len + 1, n->type_len};
}

static inline struct span entry_id(const struct commit *c, const struct entry *n)
{
	return (struct span){c->frames.data + n->at + FRAME_FIXED + n->stream_len + n->type_len + 2,
	                     n->id_len};
}

static inline struct span entry_data(const struct commit *c, const struct entry *n)
{
	return (struct span){c->frames.data + n->at + n->data_at, n->len - n->data_at - 1};
}

/*
 * Decide what each event becomes, under the writer lock.  *ret_end: events [0, *ret_end) are to be
 * written but for the known ones.  In COMMIT_EACH a failure leaves those before it planned and
 * sets r->bad_event; in COMMIT_ATOMIC *ret_end is 0 then.
 */
int plan_commit(struct evlog *s, struct commit *c, enum commit_mode mode, uint32_t *ret_end,
                struct commit_result *r, struct err *e);

#endif
