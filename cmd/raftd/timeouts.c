#include "timeouts.h"

#include <stdlib.h>

static void put(struct timeouts *h, size_t place, struct timeout *t)
{
	h->heap[place] = t;
	t->place = place;
}

static void rise(struct timeouts *h, struct timeout *t)
{
	size_t place = t->place;

	while (place > 1 && h->heap[place / 2]->at_ns > t->at_ns) {
		put(h, place, h->heap[place / 2]);
		place /= 2;
	}
	put(h, place, t);
}

static void sink(struct timeouts *h, struct timeout *t)
{
	size_t place = t->place;

	for (size_t child; (child = 2 * place) <= h->count; place = child) {
		if (child < h->count && h->heap[child + 1]->at_ns < h->heap[child]->at_ns)
			child++;
		if (h->heap[child]->at_ns >= t->at_ns)
			break;
		put(h, place, h->heap[child]);
	}
	put(h, place, t);
}

bool timeouts_add(struct timeouts *h, struct timeout *t, uint64_t at_ns)
{
	if (h->count + 2 > h->cap) {
		size_t cap = h->cap == 0 ? 64 : 2 * h->cap;
		struct timeout **grown = realloc(h->heap, cap * sizeof(struct timeout *));

		if (grown == NULL)
			return false;
		h->heap = grown;
		h->cap = cap;
	}
	t->at_ns = at_ns;
	t->place = ++h->count;
	rise(h, t);
	return true;
}

void timeouts_remove(struct timeouts *h, struct timeout *t)
{
	struct timeout *last;

	if (t->place == 0)
		return;
	last = h->heap[h->count--];
	if (last != t) {
		last->place = t->place;
		rise(h, last);
		sink(h, last);
	}
	t->place = 0;
}

struct timeout *timeouts_first(const struct timeouts *h)
{
	return h->count == 0 ? NULL : h->heap[1];
}

void timeouts_done(struct timeouts *h)
{
	free(h->heap);
	*h = (struct timeouts){.count = 0};
}
