/*
 * raft/progress: what a leader knows of each member, and how much it may send.
 *
 * RAFT_PROBE: where the logs agree is not known; one message with entries at a time.
 * RAFT_REPLICATE: it is known; messages follow each other without waiting, within bounds.
 * RAFT_SENDS_SNAPSHOT: what the member needs has left the log.
 */
#include <errno.h>
#include <stdlib.h>

#include "raft/raft_impl.h"

struct raft_progress *raft_progress_new(struct raft *r, uint64_t id)
{
	struct raft_progress *p = calloc(1, sizeof(*p));
	uint64_t last = raft_log_last(&r->log);

	if (p != NULL)
		p->flight = calloc(r->cfg.inflight, sizeof(*p->flight));
	if (p == NULL || p->flight == NULL) {
		free(p);
		raft_fail(r, ENOMEM, "out of memory");
		return NULL;
	}
	p->id = id;
	p->next = last + 1;
	p->heard = r->now;
	p->round_end = last;
	p->round_begin = r->now;
	return p;
}

void raft_progress_free(struct raft_progress *p)
{
	if (p == NULL)
		return;
	free(p->flight);
	free(p);
}

struct raft_progress *raft_progress_find(const struct raft *r, uint64_t id)
{
	int place = raft_place(r, id);

	if (place >= 0)
		return r->peers[place];
	for (int i = 0; i < RAFT_MEMBERS_MAX; i++)
		if (r->parting[i] != NULL && r->parting[i]->id == id)
			return r->parting[i];
	return NULL;
}

static void let_go(struct raft_progress **p)
{
	raft_progress_free(*p);
	*p = NULL;
}

void raft_progress_clear(struct raft *r)
{
	for (int i = 0; i < RAFT_MEMBERS_MAX; i++) {
		let_go(&r->peers[i]);
		let_go(&r->parting[i]);
	}
}

void raft_progress_tick(struct raft *r)
{
	for (int i = 0; i < RAFT_MEMBERS_MAX; i++)
		if (r->parting[i] != NULL && r->now >= r->parting[i]->parts_at)
			let_go(&r->parting[i]);
}

/*
 * Who is removed would never hear of it, and ask for votes for ever, if
 * it were not sent the entry that removes it and the news that this is committed.
 */
static void part(struct raft *r, struct raft_progress *p)
{
	p->parts_at = r->now + 2 * r->cfg.election_ns;
	for (int i = 0; i < RAFT_MEMBERS_MAX && p->state == RAFT_REPLICATE; i++) {
		if (r->parting[i] == NULL && p->id != r->cfg.self) {
			r->parting[i] = p;
			return;
		}
	}
	raft_progress_free(p);
}

void raft_progress_arrange(struct raft *r)
{
	struct raft_progress *old[RAFT_MEMBERS_MAX];

	for (int i = 0; i < RAFT_MEMBERS_MAX; i++) {
		old[i] = r->peers[i];
		r->peers[i] = NULL;
		if (r->parting[i] != NULL && raft_place(r, r->parting[i]->id) >= 0)
			let_go(&r->parting[i]);
	}
	for (int i = 0; i < RAFT_MEMBERS_MAX; i++) {
		int place = old[i] == NULL ? -1 : raft_place(r, old[i]->id);

		if (place >= 0)
			r->peers[place] = old[i];
		else if (old[i] != NULL)
			part(r, old[i]);
	}
	for (uint32_t i = 0; i < r->conf.count; i++)
		if (r->peers[i] == NULL)
			r->peers[i] = raft_progress_new(r, r->conf.member[i].id);
}

/* ---- States */

static void drop_flight(struct raft_progress *p)
{
	p->flight_first = p->flight_count = 0;
	p->flight_bytes = 0;
}

void raft_progress_probe(struct raft_progress *p, uint64_t next)
{
	drop_flight(p);
	p->state = RAFT_PROBE;
	p->next = next;
	p->probing = false;
	p->told_commit = 0;
}

void raft_progress_replicate(struct raft_progress *p, uint64_t next)
{
	drop_flight(p);
	p->state = RAFT_REPLICATE;
	p->next = next;
	p->probing = false;
}

void raft_progress_snapshot(struct raft *r, struct raft_progress *p)
{
	drop_flight(p);
	p->state = RAFT_SENDS_SNAPSHOT;
	p->snapshot = r->snapshot;
	p->sent = p->acked = 0;
	p->advanced = r->now;
	p->known = false;
	p->chunk_due = true;
}

/* ---- Messages under way */

bool raft_flight_is_full(const struct raft *r, const struct raft_progress *p)
{
	return p->flight_count >= r->cfg.inflight || p->flight_bytes >= r->cfg.inflight_bytes;
}

void raft_flight_add(struct raft *r, struct raft_progress *p, uint64_t last, uint64_t bytes)
{
	uint32_t at = (p->flight_first + p->flight_count) % r->cfg.inflight;

	p->flight[at] = (struct raft_flight){.last = last, .bytes = bytes};
	p->flight_count++;
	p->flight_bytes += bytes;
}

static void land(const struct raft *r, struct raft_progress *p)
{
	while (p->flight_count > 0 && p->flight[p->flight_first].last <= p->match) {
		p->flight_bytes -= p->flight[p->flight_first].bytes;
		p->flight_first = (p->flight_first + 1) % r->cfg.inflight;
		p->flight_count--;
	}
}

/*
 * A round of replication ends when the peer has what was there when the round began; one that took
 * less than an election timeout means that it has caught up (thesis, 4.2.1).
 */
static void end_round(struct raft *r, struct raft_progress *p)
{
	if (p->match < p->round_end)
		return;
	p->caught_up = r->now - p->round_begin <= r->cfg.election_ns;
	p->round_end = raft_log_last(&r->log);
	p->round_begin = r->now;
}

void raft_progress_ack(struct raft *r, struct raft_progress *p, uint64_t index)
{
	if (index > p->match)
		p->match = index;
	if (p->next <= p->match)
		p->next = p->match + 1;
	switch (p->state) {
	case RAFT_PROBE:
		/* The probe's entries are taken to be there too; a gap would be refused. */
		if (p->probing && p->probe_last >= p->next && index + 1 >= p->next)
			raft_progress_replicate(p, p->probe_last + 1);
		else
			raft_progress_replicate(p, p->match + 1);
		break;
	case RAFT_REPLICATE:
		land(r, p);
		break;
	case RAFT_SENDS_SNAPSHOT:
		if (p->match >= r->log.base.index)
			raft_progress_probe(p, p->match + 1);
		break;
	}
	end_round(r, p);
}

bool raft_progress_is_alive(const struct raft *r, const struct raft_progress *p)
{
	return r->now - p->heard < r->cfg.election_ns;
}

/* A round that has not ended in time undoes what an earlier one has shown. */
bool raft_progress_is_caught_up(const struct raft *r, const struct raft_progress *p)
{
	if (!p->caught_up || !raft_progress_is_alive(r, p))
		return false;
	return p->match >= p->round_end || r->now - p->round_begin <= r->cfg.election_ns;
}

struct raft_progress *raft_progress_furthest(const struct raft *r)
{
	struct raft_progress *best = NULL;

	for (uint32_t i = 0; i < r->conf.count; i++) {
		struct raft_progress *p = r->peers[i];

		if (p == NULL || p->id == r->cfg.self || !r->conf.member[i].voter ||
		    !raft_progress_is_alive(r, p))
			continue;
		if (best == NULL || p->match > best->match)
			best = p;
	}
	return best;
}
