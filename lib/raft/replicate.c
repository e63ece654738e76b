/*
 * raft/replicate: the leader sends entries, counts acknowledgements and commits.
 *
 * All sending is at the end of a step, peer by peer, from what is known of it then.  A heartbeat is
 * an append without entries that begins behind what was sent last, so that a message that was lost
 * is found out: the peer refuses, and is probed.
 */
#include "raft/raft_impl.h"

bool raft_is_settled(const struct raft *r)
{
	return r->role == RAFT_LEADER && r->commit >= r->first_index;
}

uint64_t raft_quorum_heard(const struct raft *r)
{
	uint64_t heard[RAFT_MEMBERS_MAX] = {0};

	for (uint32_t i = 0; i < r->conf.count; i++)
		if (r->peers[i] != NULL)
			heard[i] = r->peers[i]->id == r->cfg.self ? r->now : r->peers[i]->heard;
	return conf_quorum_index(&r->conf, heard);
}

static uint64_t cost(const struct raft_entry *e)
{
	return RAFT_ENTRY_COST + e->data.len;
}

/* Section 5.4.2: an entry of its own term lets a new leader find out what is committed. */
void raft_lead(struct raft *r)
{
	r->role = RAFT_LEADER;
	r->leader = r->cfg.self;
	r->vote_owed = 0;
	r->transfer_to = 0;
	r->no_lease = false;
	r->round = 0;
	r->ask_round = 0;
	r->heartbeat_at = r->now + r->cfg.heartbeat_ns;
	r->first_index = raft_log_last(&r->log) + 1;
	r->uncommitted = 0;
	for (uint64_t i = r->commit + 1; i < r->first_index; i++)
		r->uncommitted += cost(raft_log_get(&r->log, i));
	raft_clock_run(r);
	raft_progress_arrange(r);
	raft_append_own(r, RAFT_ENTRY_NOOP, (struct span){NULL, 0});
	raft_round_begin(r);
}

void raft_leader_tick(struct raft *r)
{
	if (r->role != RAFT_LEADER)
		return;
	/* Check-quorum (thesis, 6.2). */
	if (r->now - raft_quorum_heard(r) >= r->cfg.election_ns) {
		raft_follow(r, r->term, 0);
		return;
	}
	if (raft_disk_is_stalled(r) && !raft_is_alone(r)) {
		raft_hand_over(r);
		return;
	}
	raft_transfer_tick(r);
	if (r->now < r->heartbeat_at)
		return;
	r->heartbeat_at = r->now + r->cfg.heartbeat_ns;
	raft_round_begin(r);
	r->transfer_told = false;
	raft_progress_tick(r);
	for (uint32_t i = 0; i < r->conf.count; i++)
		if (r->peers[i] != NULL && r->peers[i]->state == RAFT_SENDS_SNAPSHOT)
			raft_snapshot_tick(r, r->peers[i]);
}

/* ---- Sending */

/* How many entries from `from` on fit into one message, and their bytes. */
static size_t fit(const struct raft *r, uint64_t from, uint64_t *ret_bytes)
{
	uint64_t last = raft_log_last(&r->log);
	uint64_t bytes = 0;
	size_t n = 0;

	while (from + n <= last && n < r->cfg.message_entries) {
		size_t len = raft_log_get(&r->log, from + n)->data.len;

		if (n > 0 && bytes + len > r->cfg.message_bytes)
			break;
		bytes += len;
		n++;
	}
	*ret_bytes = bytes;
	return n;
}

static void send_append(struct raft *r, struct raft_progress *p, size_t n, uint64_t context)
{
	struct raft_message *m = raft_say(r, RAFT_APPEND, p->id);
	uint64_t prev = p->state == RAFT_SENDS_SNAPSHOT ? 0 : p->next - 1;

	m->prev = (struct raft_point){.index = prev, .term = raft_log_term(&r->log, prev)};
	if (prev == 0)
		m->prev.term = 0;
	m->count = n; /* their place is known when the step ends */
	m->commit = r->commit < prev + n ? r->commit : prev + n;
	m->clock_ns = raft_clock(r, r->now);
	m->context = context;
	if (m->commit > p->told_commit)
		p->told_commit = m->commit;
}

/* Messages with entries; the first one carries the round.  Returns whether there was one. */
static bool send_entries(struct raft *r, struct raft_progress *p, uint64_t context)
{
	bool any = false;

	while (!raft_flight_is_full(r, p) && !p->probing) {
		uint64_t bytes;
		size_t n = fit(r, p->next, &bytes);

		if (n == 0)
			break;
		send_append(r, p, n, any ? 0 : context);
		any = true;
		if (p->state == RAFT_PROBE) {
			p->probing = true;
			p->probe_last = p->next + n - 1;
		} else {
			p->next += n;
			raft_flight_add(r, p, p->next - 1, bytes);
		}
	}
	return any;
}

static void send_to(struct raft *r, struct raft_progress *p, uint64_t context)
{
	uint64_t known = r->commit < p->match ? r->commit : p->match;
	bool is_news;

	if (p->state != RAFT_SENDS_SNAPSHOT && p->next <= r->log.base.index)
		raft_progress_snapshot(r, p);
	if (p->state == RAFT_SENDS_SNAPSHOT) {
		if (context != 0)
			send_append(r, p, 0, context);
		raft_snapshot_send(r, p);
		return;
	}
	if (send_entries(r, p, context))
		return;
	/* An idle peer is told of a commit at once; a probe without entries asks for an answer. */
	is_news = p->state == RAFT_REPLICATE && p->flight_count == 0 && p->told_commit < known;
	if (p->state == RAFT_PROBE && !p->probing && context == 0) {
		context = r->round;
		p->probing = true;
		p->probe_last = 0;
	}
	if (context != 0 || is_news)
		send_append(r, p, 0, context);
}

void raft_send_all(struct raft *r)
{
	uint64_t context = r->round_unsent ? r->round : 0;

	r->round_unsent = false;
	for (uint32_t i = 0; i < r->conf.count; i++)
		if (r->peers[i] != NULL && r->peers[i]->id != r->cfg.self)
			send_to(r, r->peers[i], context);
	for (int i = 0; i < RAFT_MEMBERS_MAX; i++)
		if (r->parting[i] != NULL && r->parting[i]->next > r->log.base.index)
			send_to(r, r->parting[i], context);
}

/* ---- Answers */

/* The hint is the peer's best point; ours is the best one that we share by its term. */
static void back_up(struct raft *r, struct raft_progress *p, struct raft_point hint)
{
	uint64_t next = raft_log_find(&r->log, hint.index, hint.term) + 1;

	if (p->state == RAFT_SENDS_SNAPSHOT || hint.index < p->match || hint.index >= p->next)
		return;
	if (next > p->next)
		next = p->next;
	if (next <= p->match)
		next = p->match + 1;
	raft_progress_probe(p, next);
}

void raft_on_append_reply(struct raft *r, const struct raft_message *m)
{
	struct raft_progress *p = raft_progress_find(r, m->from);

	if (r->role != RAFT_LEADER || p == NULL) {
		r->drop = RAFT_DROP_STALE;
		return;
	}
	if (m->context > r->round || (m->granted && m->prev.index > raft_log_last(&r->log))) {
		r->drop = RAFT_DROP_INVALID;
		return;
	}
	p->heard = r->now;
	raft_round_echo(r, p, m->context);
	if (m->granted)
		raft_progress_ack(r, p, m->prev.index);
	else
		back_up(r, p, m->prev);
}

void raft_leader_unreachable(struct raft *r, uint64_t node)
{
	struct raft_progress *p = raft_progress_find(r, node);

	if (r->role != RAFT_LEADER || p == NULL || node == r->cfg.self)
		return;
	if (p->state == RAFT_REPLICATE)
		raft_progress_probe(p, p->match + 1);
	/* Until a heartbeat is answered nothing but heartbeats goes there. */
	p->probing = true;
	p->probe_last = 0;
}

/* ---- Commit */

/* Section 5.4.2: only entries of the own term are committed by counting. */
static void advance_commit(struct raft *r)
{
	uint64_t reached[RAFT_MEMBERS_MAX] = {0};
	uint64_t index;

	for (uint32_t i = 0; i < r->conf.count; i++) {
		if (r->peers[i] == NULL)
			continue;
		if (r->peers[i]->id == r->cfg.self)
			raft_progress_ack(r, r->peers[i], r->disk.index);
		reached[i] = r->peers[i]->match;
	}
	index = conf_quorum_index(&r->conf, reached);
	if (index <= r->commit || raft_log_term(&r->log, index) != r->term)
		return;
	for (uint64_t i = r->commit + 1; i <= index; i++)
		r->uncommitted -= cost(raft_log_get(&r->log, i));
	r->commit = index;
}

void raft_leader_advance(struct raft *r)
{
	if (r->role != RAFT_LEADER)
		return;
	advance_commit(r);
	raft_change_advance(r);
	if (r->role != RAFT_LEADER)
		return;
	raft_reads_advance(r);
	raft_transfer_advance(r);
	raft_send_all(r);
}

/* ---- Proposals */

enum raft_status raft_propose(struct raft *r, const struct raft_event *event,
                              struct raft_output *out)
{
	uint64_t total = 0;

	if (r->role != RAFT_LEADER)
		return RAFT_NOT_LEADER;
	if (r->transfer_to != 0)
		return RAFT_MOVING;
	for (size_t i = 0; i < event->count; i++) {
		if (event->data[i].len > RAFT_ENTRY_MAX) {
			out->why = "an entry has too many bytes";
			return RAFT_INVALID;
		}
		total += event->data[i].len + RAFT_ENTRY_COST;
	}
	if (r->uncommitted > 0 && r->uncommitted + total > r->cfg.uncommitted_bytes)
		return RAFT_BUSY;
	out->first = (struct raft_point){raft_log_last(&r->log) + 1, r->term};
	for (size_t i = 0; i < event->count; i++)
		raft_append_own(r, RAFT_ENTRY_COMMAND, event->data[i]);
	return RAFT_OK;
}
