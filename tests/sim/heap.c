#include "heap.h"

#include <stdlib.h>

/* Four children each: half the depth of a binary heap, and a family in three cache lines. */
#define CHILDREN 4

static bool before(const struct happening *a, const struct happening *b)
{
	return a->at != b->at ? a->at < b->at : a->turn < b->turn;
}

void heap_push(struct heap *h, struct happening x)
{
	size_t i = h->count;

	if (h->count == h->cap) {
		h->cap = h->cap == 0 ? 256 : 2 * h->cap;
		h->items = realloc(h->items, h->cap * sizeof(*h->items));
		if (h->items == NULL)
			abort();
	}
	h->count++;
	x.turn = h->turns++;
	for (; i > 0; i = (i - 1) / CHILDREN) {
		if (!before(&x, &h->items[(i - 1) / CHILDREN]))
			break;
		h->items[i] = h->items[(i - 1) / CHILDREN];
	}
	h->items[i] = x;
}

static size_t first_child(const struct heap *h, size_t i)
{
	size_t from = i * CHILDREN + 1;
	size_t best = from;

	for (size_t c = from + 1; c < from + CHILDREN && c < h->count; c++)
		if (before(&h->items[c], &h->items[best]))
			best = c;
	return best;
}

bool heap_pop(struct heap *h, struct happening *ret)
{
	struct happening last;
	size_t i = 0;

	if (h->count == 0)
		return false;
	*ret = h->items[0];
	last = h->items[--h->count];
	while (i * CHILDREN + 1 < h->count) {
		size_t c = first_child(h, i);

		if (!before(&h->items[c], &last))
			break;
		h->items[i] = h->items[c];
		i = c;
	}
	h->items[i] = last;
	return true;
}

void heap_done(struct heap *h)
{
	free(h->items);
	*h = (struct heap){0};
}
