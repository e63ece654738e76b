#include "base/backoff.h"

#include <assert.h>

int64_t backoff_delay_ns(const struct backoff *b, uint32_t attempt, uint64_t random)
{
	int64_t whole = b->base_ns;

	assert(b->base_ns > 0 && b->max_ns >= b->base_ns && attempt > 0);
	while (--attempt > 0 && whole < b->max_ns)
		whole = whole > b->max_ns / 2 ? b->max_ns : 2 * whole;
	return whole - whole / 2 + (int64_t)(random % ((uint64_t)whole / 2 + 1));
}
