/*
 * timeouts: who waits until when, the earliest first: a binary heap of nodes that others own.
 */
#ifndef SHOAL_RAFTD_TIMEOUTS_H
#define SHOAL_RAFTD_TIMEOUTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Embedded in what waits; zeroed when it does not. */
struct timeout {
	uint64_t at_ns;
	size_t place; /* in the heap, from 1; 0: not in it */
};

struct timeouts {
	struct timeout **heap; /* [0] is not used */
	size_t count, cap;
};

/* false: out of memory. */
bool timeouts_add(struct timeouts *h, struct timeout *t, uint64_t at_ns);
/* Fine for one that is not in it. */
void timeouts_remove(struct timeouts *h, struct timeout *t);
/* The earliest, still in it; NULL: none. */
struct timeout *timeouts_first(const struct timeouts *h);
void timeouts_done(struct timeouts *h);

#endif
