/* raft/look: what can be seen of a node. */
#include <errno.h>
#include <string.h>

#include "raft/raft_impl.h"

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t leader_deadline(const struct raft *r)
{
	uint64_t at;

	if (raft_is_alone(r) && r->conf.count == 1)
		return UINT64_MAX;
	at = r->heartbeat_at;
	if (r->transfer_to != 0)
		at = earlier(at, r->transfer_until);
	return at;
}

uint64_t raft_deadline(const struct raft *r)
{
	if (r->role == RAFT_LEADER)
		return leader_deadline(r);
	if (r->conf.count == 0 && r->leader == 0)
		return UINT64_MAX;
	return earlier(r->election_at, raft_reads_deadline(r));
}

const struct raft_entry *raft_entry(const struct raft *r, uint64_t index)
{
	return raft_log_at(&r->log, index);
}

uint64_t raft_term_at(const struct raft *r, uint64_t index)
{
	return raft_log_term(&r->log, index);
}

int raft_conf_at(const struct raft *r, uint64_t index, struct raft_conf *ret, struct err *e)
{
	if (index > r->commit || index < r->snapshot.point.index)
		return err_set(e, EINVAL, "index %llu is not committed, or before the snapshot",
		               (unsigned long long)index);
	return raft_conf_load(r, raft_log_conf_before(&r->log, index), ret, e);
}

static void look_at_peers(const struct raft *r, struct raft_view *ret)
{
	for (uint32_t i = 0; i < r->conf.count; i++) {
		const struct raft_progress *p = r->peers[i];

		if (p == NULL || p->id == r->cfg.self)
			continue;
		ret->peers[ret->peer_count++] = (struct raft_peer){
		    .id = p->id,
		    .state = p->state,
		    .match = p->match,
		    .next = p->next,
		    .inflight = p->flight_count,
		    .inflight_bytes = p->flight_bytes,
		    .heard = p->heard,
		    .sent_offset = p->state == RAFT_SENDS_SNAPSHOT ? p->sent : 0,
		    .caught_up = raft_progress_is_caught_up(r, p),
		};
	}
}

void raft_look(const struct raft *r, struct raft_view *ret)
{
	*ret = (struct raft_view){
	    .role = r->role,
	    .term = r->term,
	    .vote = r->vote,
	    .leader = r->leader,
	    .base = r->log.base,
	    .last = raft_log_end(&r->log),
	    .snapshot = r->snapshot.point,
	    .commit = r->commit,
	    .durable = r->disk.index,
	    .durable_term = r->disk.term,
	    .durable_vote = r->disk.vote,
	    .log_bytes = r->log.bytes,
	    .uncommitted_bytes = r->uncommitted,
	    .lease_until = r->role == RAFT_LEADER ? raft_lease_until(r) : 0,
	    .stalled_ns = raft_disk_age(r),
	    .transfer_to = r->transfer_to,
	    .conf = &r->conf,
	    .conf_index = r->conf_index,
	};
	look_at_peers(r, ret);
}
