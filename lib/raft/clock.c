/*
 * raft/clock: nanoseconds that pass only while there is a leader (LogCabin's ClusterClock).
 *
 * A leader goes on from the clock of the newest leader it has heard; the others know what its
 * appends tell them.  The newest, not the largest: a leader that was cut off or slept goes
 * on for a while beside its successor, and ahead of it.  Would its clock count later, everything
 * that the successor stamped in between would be older at once, and a session that was just renewed
 * might expire.  A leader in between that has committed anything was heard by all who can lead
 * later.
 *
 * Along the log the clock does not go back: a leader begins at the stamp of its last entry at
 * least.  Time in which a leader heard of no quorum does not count beyond an election timeout: a
 * leader that was stopped, with its machine or alone, lets no session expire by that.
 */
#include "raft/raft_impl.h"

void raft_clock_learn(struct raft *r, uint64_t clock_ns)
{
	if (clock_ns > r->clock)
		r->clock = clock_ns;
}

void raft_clock_hear(struct raft *r, uint64_t term, uint64_t clock_ns)
{
	if (term > r->clock_term) {
		r->clock = clock_ns;
		r->clock_term = term;
	}
	raft_clock_learn(r, clock_ns);
}

static uint64_t add(uint64_t clock, uint64_t passed)
{
	return passed > UINT64_MAX - clock ? UINT64_MAX : clock + passed;
}

void raft_clock_run(struct raft *r)
{
	raft_clock_learn(r, r->snapshot.clock_ns);
	if (raft_log_last(&r->log) > r->log.base.index)
		raft_clock_learn(r, raft_log_get(&r->log, raft_log_last(&r->log))->clock_ns);
	r->clock_at = r->now;
	r->clock_term = r->term;
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
