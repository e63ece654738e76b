/*
 * compact_impl: what is to go, for compact.c only.  It is found along the streams, so the time
 * depends on how many there are and on what goes, not on the length of the log.
 */
#ifndef SHOAL_EVLOG_COMPACT_IMPL_H
#define SHOAL_EVLOG_COMPACT_IMPL_H

#include "evlog/cursor.h"
#include "evlog/shrink.h"
#include "evlog/store_impl.h"

/* A stream that loses its beginning. */
struct cut {
	size_t at; /* of its name in plan.names */
	size_t len;
	uint64_t key;     /* in the index of heads */
	uint32_t version; /* events below this one go */
	uint64_t newest;  /* sequence of the last of them */
	uint64_t hold;    /* but not those above this sequence */
	uint64_t gap;     /* a known loss, behind which they are found by a scan; 0: none */
};

/* A cursor that keeps what it has not passed. */
struct holder {
	char name[CURSOR_TEXT_MAX];
	char selector[CURSOR_SELECTOR_MAX + 1];
	struct cursor_id id; /* without its name */
	struct compact_held held;
};

struct plan {
	struct evlog *s;
	uint64_t end; /* nothing behind this sequence is looked at */
	struct buf names;
	struct cut *cuts;
	size_t count, cap;
	uint32_t *slots; /* hash table of the cuts: number + 1 */
	size_t mask;
	uint64_t *pinned; /* keys that several streams share in the index */
	size_t pinned_count;
	struct holder *holders;
	size_t holder_count;
	struct compact_part *parts; /* a segment each, the active one last */
	size_t part_count;
};

int plan_make(struct plan *p, struct evlog *s, bool force, struct err *e);
void plan_done(struct plan *p);

/* Does this event go? */
bool plan_takes(const struct plan *p, const struct frame *f);

#endif
