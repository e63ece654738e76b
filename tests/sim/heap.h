/*
 * heap: what is going to happen, in the order of its time.
 *
 * Things of one time come in the order in which they were pushed, so that a run is the same each
 * time.
 */
#ifndef SHOAL_SIM_HEAP_H
#define SHOAL_SIM_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct happening {
	uint64_t at;   /* ns of the world's time */
	uint64_t turn; /* set by heap_push() */
	uint32_t kind;
	uint32_t slot; /* whom it is about */
	uint64_t life; /* of that one: what belongs to a former life is void */
	uint64_t n;
	void *p;
};

struct heap {
	struct happening *items;
	size_t count;
	size_t cap;
	uint64_t turns;
};

void heap_push(struct heap *h, struct happening x);
/* The first, or false when nothing is left. */
bool heap_pop(struct heap *h, struct happening *ret);
void heap_done(struct heap *h);

#endif
