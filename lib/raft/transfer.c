/*
 * raft/transfer: leadership is handed over (thesis, 3.10).
 *
 * While it lasts nothing is proposed; when the peer has the whole log it is told to begin, and
 * again with each heartbeat; after an election timeout the leader goes on.  The word may reach the
 * peer late, and its forced election passes the stickiness that a lease relies on: from the first
 * transfer of a term on there is no lease in it.
 */
#include "raft/raft_impl.h"

enum raft_status raft_transfer(struct raft *r, uint64_t node, struct raft_output *out)
{
	const struct raft_member *member;

	if (r->role != RAFT_LEADER)
		return RAFT_NOT_LEADER;
	if (r->transfer_to != 0)
		return RAFT_MOVING;
	if (node == 0) {
		const struct raft_progress *p = raft_progress_furthest(r);

		if (p == NULL)
			return RAFT_BUSY;
		node = p->id;
	}
	member = conf_find(&r->conf, node);
	if (member == NULL || !member->voter || node == r->cfg.self) {
		out->why = node == r->cfg.self ? "it leads already" : "it is no voter";
		return RAFT_INVALID;
	}
	r->transfer_to = node;
	r->transfer_until = r->now + r->cfg.election_ns;
	r->transfer_told = false;
	r->no_lease = true;
	return RAFT_OK;
}

void raft_transfer_advance(struct raft *r)
{
	const struct raft_progress *p = raft_progress_find(r, r->transfer_to);

	if (r->transfer_to == 0)
		return;
	if (p == NULL || !conf_find(&r->conf, r->transfer_to)->voter) {
		r->transfer_to = 0;
		return;
	}
	if (r->transfer_told || p->match < raft_log_last(&r->log))
		return;
	raft_say(r, RAFT_TIMEOUT_NOW, r->transfer_to);
	r->transfer_told = true;
}

void raft_transfer_tick(struct raft *r)
{
	if (r->transfer_to != 0 && r->now >= r->transfer_until)
		r->transfer_to = 0;
}

void raft_hand_over(struct raft *r)
{
	const struct raft_progress *p = raft_progress_furthest(r);

	if (p != NULL)
		raft_say(r, RAFT_TIMEOUT_NOW, p->id);
	raft_follow(r, r->term, 0);
	r->heard = 0; /* whoever asks for a vote now has it from us */
}
