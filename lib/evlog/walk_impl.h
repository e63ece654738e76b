/*
 * walk_impl: a walk over the active segment, for recover.c only.  What is torn and what is damage
 * is decided here, by the log alone.
 */
#ifndef SHOAL_EVLOG_WALK_IMPL_H
#define SHOAL_EVLOG_WALK_IMPL_H

#include "evlog/store_impl.h"

/* What a walk over the active segment found. */
struct walk {
	const char *p; /* mapped under the lock, else a copy */
	size_t n;
	size_t mapped; /* bytes of memory at p */
	uint64_t base;
	size_t end;    /* behind the last complete commit */
	uint64_t last; /* its last sequence; base - 1: none */
	uint64_t time_ns;
	bool sealed;
	bool gaps; /* events were removed from it, so it must be sealed */
	bool damaged;
	struct damage where; /* the first */
	uint64_t *at;        /* offset of each sound frame up to end, in order */
	size_t count, cap;
	uint32_t poison;  /* errno of a failed sync that was not repaired */
	uint64_t durable; /* last, or less with a poison */
};

/*
 * Read the active segment and walk it.  A head that is not ours is damage of the whole file.
 * Without the writer lock it may be cut and written meanwhile: then it is walked again.
 */
int walk_file(struct evlog *s, int fd, uint64_t base, struct walk *w, struct err *e);
void walk_done(struct walk *w);

#endif
