#include "evlog/retry.h"

#include "base/backoff.h"

enum retry_step retry_conflict(struct retry *r, int64_t now_ns, uint64_t random,
                               int64_t *ret_delay_ns)
{
	static const struct backoff pauses = {RETRY_BASE_NS, RETRY_MAX_NS};
	int64_t left;

	*ret_delay_ns = 0;
	if (r->conflicts++ == 0)
		r->deadline_ns = r->for_ns > INT64_MAX - now_ns ? INT64_MAX : now_ns + r->for_ns;
	left = r->deadline_ns - now_ns;
	if (left <= 0)
		return RETRY_GIVE_UP;
	if (r->conflicts >= RETRY_TURN_AFTER)
		return RETRY_TURN;
	*ret_delay_ns = backoff_delay_ns(&pauses, r->conflicts, random);
	if (*ret_delay_ns > left)
		*ret_delay_ns = left;
	return RETRY_PAUSE;
}
