/*
 * raft/clock: nanoseconds that pass only while there is a leader (LogCabin's ClusterClock).
 *
 * A leader goes on from the largest value it knows, by its own clock; the others know what entries
 * and heartbeats tell them.  Along the log it does not go back: a leader has learnt the stamps of
 * all entries before its own.
 */
#include "raft/raft_impl.h"

void raft_clock_learn(struct raft *r, uint64_t clock_ns)
{
	if (clock_ns > r->clock)
		r->clock = clock_ns;
}

void raft_clock_run(struct raft *r)
{
	r->clock_at = r->now;
}

void raft_clock_stop(struct raft *r)
{
	r->clock = raft_clock(r, r->now);
}

uint64_t raft_clock(const struct raft *r, uint64_t now)
{
	uint64_t passed;

	if (r->role != RAFT_LEADER || now <= r->clock_at)
		return r->clock;
	passed = now - r->clock_at;
	return passed > UINT64_MAX - r->clock ? UINT64_MAX : r->clock + passed;
}
