/*
 * raft/clock: nanoseconds that pass only while there is a leader (LogCabin's ClusterClock).
 *
 * A leader goes on from the largest value it knows; the others know what entries and heartbeats
 * tell them.  Along the log it does not go back: a leader has learnt the stamps of all entries
 * before its own.  Time in which a leader heard of no quorum does not count beyond an election
 * timeout: a leader that was stopped, with its machine or alone, lets no session expire by that.
 */
#include "raft/raft_impl.h"

void raft_clock_learn(struct raft *r, uint64_t clock_ns)
{
	if (clock_ns > r->clock)
		r->clock = clock_ns;
}

static uint64_t add(uint64_t clock, uint64_t passed)
{
	return passed > UINT64_MAX - clock ? UINT64_MAX : clock + passed;
}

void raft_clock_run(struct raft *r)
{
	r->clock_at = r->now;
}

void raft_clock_advance(struct raft *r)
{
	uint64_t until;

	if (r->role != RAFT_LEADER)
		return;
	until = raft_quorum_heard(r) + r->cfg.election_ns;
	if (until > r->now)
		until = r->now;
	if (until > r->clock_at)
		r->clock = add(r->clock, until - r->clock_at);
	r->clock_at = r->now;
}

uint64_t raft_clock(const struct raft *r, uint64_t now)
{
	uint64_t passed;

	if (r->role != RAFT_LEADER || now <= r->clock_at)
		return r->clock;
	passed = now - r->clock_at;
	if (!raft_is_alone(r) && passed > r->cfg.election_ns)
		passed = r->cfg.election_ns;
	return add(r->clock, passed);
}
