/*
 * raft/snapshot: what stands in for the beginning of the log (section 7).
 *
 * A snapshot goes to a peer in chunks.  The first one asks, in effect, how much of it the peer has;
 * from there on a few are under way at a time.  After a silence the leader asks again.  The
 * receiver knows a transfer by the snapshot's point and sum, so it goes on after a reconnection,
 * another leader or, when its caller reports what is stored, a restart.
 */
#include <errno.h>

#include "raft/raft_impl.h"

static bool is_point(struct raft_point a, struct raft_point b)
{
	return a.index == b.index && a.term == b.term;
}

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* ---- Compaction */

/* What stays: `trailing` entries, and up to trailing_max for peers that are alive and slow. */
static void compact(struct raft *r)
{
	uint64_t upto = less(r->snapshot.point.index, r->cfg.trailing);
	uint64_t floor = less(r->snapshot.point.index, r->cfg.trailing_max);

	for (uint32_t i = 0; r->role == RAFT_LEADER && i < r->conf.count; i++) {
		const struct raft_progress *p = r->peers[i];
		uint64_t needs;

		if (p == NULL || p->id == r->cfg.self || !raft_progress_is_alive(r, p))
			continue;
		needs = p->state == RAFT_SENDS_SNAPSHOT ? p->snapshot.point.index : p->match;
		if (needs < upto)
			upto = needs;
	}
	if (upto < floor)
		upto = floor;
	if (upto <= r->log.base.index)
		return;
	raft_log_compact(&r->log, upto);
	r->compacted = upto;
}

/* Begin with the newest snapshot where this point's was being sent. */
static void resend(struct raft *r, struct raft_point point)
{
	for (int i = 0; i < RAFT_MEMBERS_MAX; i++) {
		struct raft_progress *p = r->peers[i];

		if (p != NULL && p->state == RAFT_SENDS_SNAPSHOT &&
		    is_point(p->snapshot.point, point))
			raft_progress_snapshot(r, p);
	}
}

void raft_snapshot_taken(struct raft *r, const struct raft_snapshot *s)
{
	const struct raft_point before = r->snapshot.point;

	/* One of the same point may replace one that is lost: without it nothing may ever commit.
	 */
	if (s->point.index < before.index || (s->point.index == before.index && !r->snapshot_lost))
		return;
	if (s->point.index > r->commit || !raft_log_has(&r->log, s->point)) {
		raft_fail(r, EINVAL, "a snapshot of index %llu, which is not committed",
		          (unsigned long long)s->point.index);
		return;
	}
	r->snapshot = *s;
	if (r->snapshot_lost)
		resend(r, before);
	r->snapshot_lost = false;
	if (r->disk.index < s->point.index)
		r->disk.index = s->point.index;
	compact(r);
}

/* ---- Sending */

void raft_snapshot_send(struct raft *r, struct raft_progress *p)
{
	const uint64_t window = (uint64_t)RAFT_CHUNKS_AHEAD * r->cfg.chunk_bytes;
	const struct raft_snapshot *s = &p->snapshot;

	if (r->snapshot_lost && is_point(s->point, r->snapshot.point))
		return;
	while (p->chunk_due || (p->known && p->sent < s->size && p->sent - p->acked < window)) {
		struct raft_message *m = raft_say(r, RAFT_SNAPSHOT, p->id);
		uint64_t left = s->size - p->sent;

		m->prev = s->point;
		m->clock_ns = s->clock_ns;
		m->offset = p->sent;
		m->size = s->size;
		m->sum = s->sum;
		m->data.len = left < r->cfg.chunk_bytes ? left : r->cfg.chunk_bytes;
		p->sent += m->data.len;
		p->chunk_due = false;
	}
}

/* After a silence: how much does it have?  A newer snapshot takes the place of one unasked for. */
void raft_snapshot_tick(struct raft *r, struct raft_progress *p)
{
	if (r->now - p->advanced < r->cfg.election_ns)
		return;
	if (!p->known && p->snapshot.point.index < r->snapshot.point.index) {
		raft_progress_snapshot(r, p);
		return;
	}
	p->advanced = r->now;
	p->sent = p->acked;
	p->known = false;
	p->chunk_due = true;
}

void raft_on_snapshot_reply(struct raft *r, const struct raft_message *m)
{
	struct raft_progress *p = raft_progress_find(r, m->from);

	if (r->role != RAFT_LEADER || p == NULL || p->state != RAFT_SENDS_SNAPSHOT ||
	    !is_point(m->prev, p->snapshot.point) || m->sum != p->snapshot.sum) {
		r->drop = RAFT_DROP_STALE;
		return;
	}
	if (m->offset > p->snapshot.size) {
		r->drop = RAFT_DROP_INVALID;
		return;
	}
	p->heard = r->now;
	if (m->granted) {
		raft_progress_probe(p, p->snapshot.point.index + 1);
	} else if (!p->known) {
		p->known = true;
		p->sent = p->acked = m->offset;
		p->advanced = r->now;
	} else if (m->offset > p->acked) {
		p->acked = m->offset;
		if (p->sent < p->acked)
			p->sent = p->acked;
		p->advanced = r->now;
	}
}

bool raft_uses_snapshot(const struct raft *r, struct raft_point point)
{
	for (int i = 0; i < RAFT_MEMBERS_MAX; i++)
		if (r->peers[i] != NULL && r->peers[i]->state == RAFT_SENDS_SNAPSHOT &&
		    is_point(r->peers[i]->snapshot.point, point))
			return true;
	return false;
}

/* ---- Receiving */

static void forget_incoming(struct raft *r)
{
	r->incoming = (struct raft_point){0, 0};
	r->received = r->stored = 0;
	r->installing = false;
}

static void reply(struct raft *r, struct raft_point point, uint64_t sum, bool granted)
{
	struct raft_message *m;

	if (r->role != RAFT_FOLLOWER || r->leader == 0)
		return;
	m = raft_say(r, RAFT_SNAPSHOT_REPLY, r->leader);
	m->prev = point;
	m->sum = sum;
	m->offset = granted ? 0 : r->stored;
	m->granted = granted;
}

/* Is it the transfer that is under way?  One that was left over may not know its size. */
static bool is_incoming(const struct raft *r, const struct raft_message *m)
{
	return is_point(r->incoming, m->prev) && r->incoming_sum == m->sum &&
	       r->received <= m->size && (r->incoming_size == 0 || r->incoming_size == m->size);
}

/* A chunk goes to the caller when it continues what is there; else we say what is there. */
static void take_chunk(struct raft *r, const struct raft_message *m)
{
	uint64_t end = m->offset + m->data.len;

	if (!is_incoming(r, m)) {
		forget_incoming(r);
		r->incoming = m->prev;
		r->incoming_sum = m->sum;
	}
	r->incoming_size = m->size;
	if (m->offset == r->received && (end > m->offset || end == m->size)) {
		r->chunk = m;
		r->received = end;
		r->installing = end == m->size;
	} else {
		reply(r, m->prev, m->sum, false);
	}
}

void raft_on_snapshot(struct raft *r, const struct raft_message *m)
{
	if (r->role == RAFT_LEADER || (r->leader != 0 && r->leader != m->from)) {
		r->drop = RAFT_DROP_INVALID;
		return;
	}
	raft_hear(r, m->from);
	if (r->installing) {
		if (is_incoming(r, m))
			reply(r, m->prev, m->sum, false);
		return;
	}
	/* What it stands for is here already: by the term at its point, all up to there is. */
	if (m->prev.index > r->commit && raft_log_has(&r->log, m->prev)) {
		raft_commit_to(r, m->prev.index);
		if (r->verified < r->commit)
			r->verified = r->commit;
	}
	if (m->prev.index <= r->commit) {
		forget_incoming(r);
		reply(r, m->prev, m->sum, true);
		return;
	}
	take_chunk(r, m);
}

void raft_chunk_stored(struct raft *r, const struct raft_event *event)
{
	const struct raft_snapshot *s = event->snapshot;

	if (s->point.index <= r->commit)
		return;
	if (r->incoming.index == 0) {
		/* Left over from before a restart. */
		r->incoming = s->point;
		r->incoming_sum = s->sum;
		r->incoming_size = s->size;
		r->received = event->offset;
	}
	if (!is_point(r->incoming, s->point) || r->incoming_sum != s->sum ||
	    (r->incoming_size != 0 && event->offset > r->incoming_size))
		return;
	/* The first chunk may have made the caller find what it had stored before a restart. */
	if (event->offset > r->received)
		r->received = event->offset;
	if (event->offset > r->stored)
		r->stored = event->offset;
	reply(r, s->point, s->sum, false);
}

void raft_snapshot_lost(struct raft *r, struct raft_point point)
{
	if (r->incoming.index != 0 && is_point(r->incoming, point))
		forget_incoming(r);
	if (is_point(r->snapshot.point, point))
		r->snapshot_lost = true;
	resend(r, point);
}

/*
 * The state machine holds the snapshot now.  Where our log has its point, by term, what follows in
 * the log stays; else nothing of the log can be trusted (section 7, rules 6 to 8 of figure 13).
 */
void raft_snapshot_installed(struct raft *r, const struct raft_snapshot *s)
{
	forget_incoming(r);
	if (s->point.index <= r->commit)
		return;
	r->snapshot = *s;
	r->snapshot_lost = false;
	raft_clock_learn(r, s->clock_ns);
	raft_commit_to(r, s->point.index);
	if (raft_log_has(&r->log, s->point)) {
		if (r->disk.index < s->point.index)
			r->disk.index = s->point.index;
		compact(r);
	} else {
		raft_log_reset(&r->log, s->point);
		raft_disk_reset(r, s->point);
		r->verified = s->point.index;
		r->compacted = s->point.index;
	}
	if (r->verified < r->commit)
		r->verified = r->commit;
	raft_conf_refresh(r);
	reply(r, s->point, s->sum, true);
}
