/*
 * raft/read: reads that see every write that was acknowledged before they were asked for.
 *
 * ReadIndex (thesis, 6.4): the leader, once an entry of its own term is committed, notes its commit
 * index and sends a round of heartbeats; when a quorum has echoed the round, nobody else led when
 * it was sent.  All reads that wait share the next round.  A follower asks the leader, one question
 * at a time, for all of its reads that wait.
 *
 * Under a lease (6.4.1) the leader answers at once for as long as no quorum can have voted: an
 * election timeout from when the echoed round was *sent*, less what a faster clock makes of it.
 */
#include <string.h>

#include "raft/raft_impl.h"

void raft_round_begin(struct raft *r)
{
	if (r->round_unsent)
		return;
	r->round++;
	r->round_unsent = true;
	r->rounds[r->round % RAFT_ROUNDS_KEPT] = (struct raft_round){r->round, r->now};
}

void raft_round_echo(struct raft *r, struct raft_progress *p, uint64_t number)
{
	const struct raft_round *round = &r->rounds[number % RAFT_ROUNDS_KEPT];

	if (number <= p->acked_round)
		return;
	p->acked_round = number;
	if (round->number == number)
		p->acked_sent = round->sent;
}

uint64_t raft_lease_until(const struct raft *r)
{
	uint64_t sent[RAFT_MEMBERS_MAX] = {0};
	uint64_t begin;
	uint64_t length = r->cfg.election_ns;

	if (!r->cfg.lease_reads || r->no_lease || !raft_is_settled(r))
		return 0;
	for (uint32_t i = 0; i < r->conf.count; i++)
		if (r->peers[i] != NULL)
			sent[i] = r->peers[i]->id == r->cfg.self ? r->now : r->peers[i]->acked_sent;
	begin = conf_quorum_index(&r->conf, sent);
	return begin == 0 ? 0 : begin + length - length / 1000000 * r->cfg.drift_ppm;
}

/* ---- The queue */

static bool push(struct raft *r, uint64_t context, uint64_t node)
{
	struct raft_ask *asks;

	if (r->ask_count >= r->cfg.reads)
		return false;
	asks = raft_room(r, r->asks, &r->ask_capacity, r->ask_count, sizeof(*asks));
	if (asks == NULL)
		return false;
	r->asks = asks;
	r->asks[r->ask_count++] = (struct raft_ask){.context = context, .node = node};
	return true;
}

static void answer(struct raft *r, const struct raft_ask *a, bool granted, uint64_t index)
{
	struct raft_message *m;

	if (a->node == 0) {
		raft_answer_read(r, a->context, granted, index);
		return;
	}
	m = raft_say(r, RAFT_READ_REPLY, a->node);
	m->context = a->context;
	m->granted = granted;
	m->prev.index = granted ? index : 0;
}

/* Answer those in front that belong to a round. */
static void answer_round(struct raft *r, uint64_t round, bool granted, uint64_t index)
{
	size_t n = 0;

	while (n < r->ask_count && r->asks[n].round == round)
		answer(r, &r->asks[n++], granted, index);
	r->ask_count -= n;
	if (n > 0 && r->ask_count > 0)
		memmove(r->asks, r->asks + n, r->ask_count * sizeof(*r->asks));
}

static void join_round(struct raft *r, uint64_t round)
{
	for (size_t i = 0; i < r->ask_count; i++)
		r->asks[i].round = round;
}

void raft_reads_fail(struct raft *r)
{
	for (size_t i = 0; i < r->ask_count; i++)
		answer(r, &r->asks[i], false, 0);
	r->ask_count = 0;
	r->ask_round = 0;
	r->forward_open = false;
}

/* ---- A leader's */

static void confirm(struct raft *r)
{
	uint64_t echoed[RAFT_MEMBERS_MAX] = {0};

	if (r->ask_round == 0)
		return;
	for (uint32_t i = 0; i < r->conf.count; i++)
		if (r->peers[i] != NULL)
			echoed[i] =
			    r->peers[i]->id == r->cfg.self ? r->round : r->peers[i]->acked_round;
	if (conf_quorum_index(&r->conf, echoed) < r->ask_round)
		return;
	answer_round(r, r->ask_round, true, r->ask_index);
	r->ask_round = 0;
}

void raft_reads_advance(struct raft *r)
{
	if (r->ask_count == 0 || !raft_is_settled(r))
		return;
	confirm(r);
	if (r->ask_round != 0 || r->ask_count == 0)
		return;
	raft_round_begin(r);
	r->ask_round = r->round;
	r->ask_index = r->commit;
	join_round(r, r->round);
	confirm(r); /* alone, it is its own quorum */
}

void raft_on_read(struct raft *r, const struct raft_message *m)
{
	const struct raft_ask ask = {.context = m->context, .node = m->from};
	const bool leads = r->role == RAFT_LEADER && raft_place(r, m->from) >= 0;

	if (leads && r->now < raft_lease_until(r))
		answer(r, &ask, true, r->commit);
	else if (!leads || !push(r, m->context, m->from))
		answer(r, &ask, false, 0);
}

/* ---- A follower's */

static void ask_leader(struct raft *r)
{
	raft_say(r, RAFT_READ, r->leader)->context = r->forward_number;
	r->forward_at = r->now;
}

static void forward(struct raft *r)
{
	if (r->forward_open || r->ask_count == 0)
		return;
	r->forward_open = true;
	/* Not a counter: no answer to a question from before a restart fits. */
	r->forward_number = raft_random(r) | 1;
	r->forward_since = r->now;
	join_round(r, r->forward_number);
	ask_leader(r);
}

void raft_on_read_reply(struct raft *r, const struct raft_message *m)
{
	if (r->role != RAFT_FOLLOWER || m->from != r->leader || !r->forward_open ||
	    m->context != r->forward_number) {
		r->drop = RAFT_DROP_STALE;
		return;
	}
	r->forward_open = false;
	answer_round(r, r->forward_number, m->granted, m->prev.index);
	forward(r);
}

void raft_reads_tick(struct raft *r)
{
	if (r->role == RAFT_LEADER || !r->forward_open)
		return;
	if (r->now - r->forward_since >= r->cfg.election_ns)
		raft_reads_fail(r);
	else if (r->now - r->forward_at >= r->cfg.heartbeat_ns)
		ask_leader(r);
}

uint64_t raft_reads_deadline(const struct raft *r)
{
	if (r->role == RAFT_LEADER || !r->forward_open)
		return UINT64_MAX;
	return r->forward_at + r->cfg.heartbeat_ns;
}

enum raft_status raft_ask_read(struct raft *r, uint64_t context)
{
	if (r->role != RAFT_LEADER && r->leader == 0)
		return RAFT_NOT_LEADER;
	if (r->role == RAFT_LEADER && r->now < raft_lease_until(r)) {
		raft_answer_read(r, context, true, r->commit);
		return RAFT_OK;
	}
	if (!push(r, context, 0))
		return RAFT_BUSY;
	if (r->role != RAFT_LEADER)
		forward(r);
	return RAFT_OK;
}
