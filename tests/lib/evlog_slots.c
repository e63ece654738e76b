#include "evlog_slots.h"

#include "evlog/active.h"

int slots_compare(const void *x, const void *y)
{
	const struct active_slot *a = x, *b = y;

	if (a->key != b->key)
		return a->key < b->key ? -1 : 1;
	return a->seq < b->seq ? -1 : a->seq > b->seq;
}
