/* raft: a node's start and end, its steps, and what can be seen of it. */
#include "raft/raft.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "raft/raft_impl.h"

/* ---- What the parts share */

void raft_fail(struct raft *r, int code, const char *fmt, ...)
{
	va_list ap;

	if (r->failed)
		return;
	r->failed = true;
	r->failure.code = code;
	va_start(ap, fmt);
	vsnprintf(r->failure.msg, sizeof(r->failure.msg), fmt, ap);
	va_end(ap);
}

void *raft_room(struct raft *r, void *array, size_t *capacity, size_t count, size_t size)
{
	size_t more = *capacity == 0 ? 16 : 2 * *capacity;
	void *room;

	if (count < *capacity)
		return array;
	room = reallocarray(array, more, size);
	if (room == NULL)
		raft_fail(r, ENOMEM, "out of memory");
	else
		*capacity = more;
	return room;
}

struct raft_message *raft_say(struct raft *r, enum raft_message_type type, uint64_t to)
{
	struct raft_message *m = &r->scratch;
	struct raft_message *messages =
	    raft_room(r, r->messages, &r->message_capacity, r->message_count, sizeof(*messages));

	if (messages != NULL) {
		r->messages = messages;
		m = &messages[r->message_count++];
	}
	*m = (struct raft_message){
	    .type = type,
	    .cluster = r->cfg.cluster,
	    .from = r->cfg.self,
	    .to = to,
	    .term = r->term,
	};
	return m;
}

void raft_answer_read(struct raft *r, uint64_t context, bool granted, uint64_t index)
{
	struct raft_read *reads =
	    raft_room(r, r->reads, &r->read_capacity, r->read_count, sizeof(*reads));

	if (reads == NULL)
		return;
	r->reads = reads;
	reads[r->read_count++] = (struct raft_read){context, granted, index};
}

/* SplitMix64 (Steele, Lea, Flood, OOPSLA 2014). */
uint64_t raft_random(struct raft *r)
{
	uint64_t x = r->random += 0x9e3779b97f4a7c15u;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

int raft_place(const struct raft *r, uint64_t id)
{
	for (uint32_t i = 0; i < r->conf.count; i++)
		if (r->conf.member[i].id == id)
			return (int)i;
	return -1;
}

void raft_append_own(struct raft *r, uint8_t type, struct span data)
{
	const struct raft_entry entry = {
	    .index = raft_log_last(&r->log) + 1,
	    .term = r->term,
	    .clock_ns = raft_clock(r, r->now),
	    .type = type,
	    .version = RAFT_ENTRY_VERSION,
	    .data = data,
	};
	struct err e;

	if (raft_log_append(&r->log, &entry, &e) < 0) {
		raft_fail(r, e.code, "%s", e.msg);
		return;
	}
	r->uncommitted += RAFT_ENTRY_COST + data.len;
	if (type == RAFT_ENTRY_CONF)
		raft_conf_refresh(r);
}

int raft_conf_load(const struct raft *r, uint64_t index, struct raft_conf *ret, struct err *e)
{
	const struct raft_entry *entry = raft_log_at(&r->log, index);

	if (index <= r->snapshot.point.index || entry == NULL) {
		*ret = r->snapshot.conf;
		return 0;
	}
	if (conf_get(entry->data, ret, e) < 0)
		return err_wrap(e, "entry %llu", (unsigned long long)index);
	return 0;
}

void raft_conf_refresh(struct raft *r)
{
	uint64_t index = raft_log_conf_before(&r->log, UINT64_MAX);
	uint64_t snapshot = r->snapshot.point.index;
	struct err e;

	r->conf_changes++;
	r->conf_index = index < snapshot ? snapshot : index;
	if (raft_conf_load(r, index, &r->conf, &e) < 0)
		raft_fail(r, e.code, "%s", e.msg);
	if (r->role == RAFT_LEADER)
		raft_progress_arrange(r);
}

/* ---- Start and end */

#define OR(value, otherwise) ((value) != 0 ? (value) : (otherwise))

static uint32_t at_most(uint32_t value, uint32_t max)
{
	return value < max ? value : max;
}

static void set_defaults(struct raft_config *c)
{
	c->heartbeat_ns = OR(c->heartbeat_ns, UINT64_C(50000000));
	c->election_ns = OR(c->election_ns, UINT64_C(300000000));
	c->stall_ns = OR(c->stall_ns, 2 * c->election_ns);
	c->drift_ppm = at_most(OR(c->drift_ppm, 10000), 1000000);
	c->message_entries = at_most(OR(c->message_entries, 1024), RAFT_MESSAGE_ENTRIES_MAX);
	/* With the heads of all entries it stays below RAFT_MESSAGE_BYTES_MAX. */
	c->message_bytes = at_most(OR(c->message_bytes, 1u << 20), RAFT_MESSAGE_BYTES_MAX / 4 * 3);
	c->inflight = OR(c->inflight, 256);
	c->inflight_bytes = OR(c->inflight_bytes, 16u << 20);
	c->uncommitted_bytes = OR(c->uncommitted_bytes, 64u << 20);
	c->reads = OR(c->reads, 65536);
	c->chunk_bytes = at_most(OR(c->chunk_bytes, 64u << 10), RAFT_CHUNK_MAX);
	c->trailing = OR(c->trailing, 10000);
	c->trailing_max = OR(c->trailing_max, 10 * c->trailing);
}

static int load_entries(struct raft *r, const struct raft_start *start, struct err *e)
{
	raft_log_reset(&r->log, start->base);
	for (size_t i = 0; i < start->count; i++) {
		const struct raft_entry *entry = &start->entries[i];
		struct raft_point last = raft_log_end(&r->log);

		if (entry->index != last.index + 1 || entry->term < last.term)
			return err_set(
			    e, EBADMSG, "entry %llu of term %llu follows %llu of term %llu",
			    (unsigned long long)entry->index, (unsigned long long)entry->term,
			    (unsigned long long)last.index, (unsigned long long)last.term);
		if (raft_check_entry(entry, e) < 0 || raft_log_append(&r->log, entry, e) < 0)
			return -1;
		raft_clock_learn(r, entry->clock_ns);
	}
	return 0;
}

/*
 * Snapshot and log may be from two moments: an installed snapshot replaces a log that does not have
 * its point, and the crash came before the log was cut.
 */
static void load_snapshot(struct raft *r, const struct raft_snapshot *s)
{
	r->snapshot = *s;
	r->commit = s->point.index;
	raft_clock_learn(r, s->clock_ns);
	r->disk.index = r->disk.written = raft_log_last(&r->log);
	if (raft_log_has(&r->log, s->point))
		return;
	raft_log_reset(&r->log, s->point);
	raft_disk_reset(r, s->point);
}

/* What raft_check() demands of messages; the term of the last entry is the highest of them. */
static bool is_in_bounds(const struct raft_start *start)
{
	const struct raft_point none = {0, 0};
	const struct raft_point s = start->snapshot == NULL ? none : start->snapshot->point;

	return start->term < RAFT_NUMBER_MAX && start->base.term < RAFT_NUMBER_MAX &&
	       start->base.index < RAFT_NUMBER_MAX - start->count && s.term < RAFT_NUMBER_MAX &&
	       s.index < RAFT_NUMBER_MAX &&
	       (start->count == 0 || start->entries[start->count - 1].term < RAFT_NUMBER_MAX);
}

static int load(struct raft *r, const struct raft_start *start, struct err *e)
{
	const struct raft_snapshot *s = start->snapshot;
	uint64_t snapshot_index = s == NULL ? 0 : s->point.index;

	if (!is_in_bounds(start))
		return err_set(e, EBADMSG, "a term or an index is beyond all that can be reached");
	if (start->base.index > snapshot_index)
		return err_set(
		    e, EBADMSG, "the log begins behind %llu, and the snapshot ends at %llu",
		    (unsigned long long)start->base.index, (unsigned long long)snapshot_index);
	if (load_entries(r, start, e) < 0)
		return -1;
	r->disk.index = r->disk.written = raft_log_last(&r->log);
	r->disk.term = start->term;
	r->disk.vote = start->vote;
	if (s != NULL)
		load_snapshot(r, s);
	/*
	 * An entry or a snapshot of a later term than the one that was written: no vote was given
	 * in that term, since a vote is durable before anything that follows it.
	 */
	r->term = start->term;
	r->vote = start->vote;
	if (raft_log_end(&r->log).term > r->term) {
		r->term = raft_log_end(&r->log).term;
		r->vote = 0;
		r->disk.hard = true;
	}
	raft_conf_refresh(r);
	return r->failed ? err_set(e, r->failure.code, "%s", r->failure.msg) : 0;
}

struct raft *raft_new(const struct raft_config *cfg, const struct raft_start *start, struct err *e)
{
	struct raft *r = calloc(1, sizeof(*r));

	if (r == NULL) {
		err_set(e, ENOMEM, "out of memory");
		return NULL;
	}
	r->cfg = *cfg;
	set_defaults(&r->cfg);
	r->now = r->heard = start->now; /* as if a leader had just spoken: election.c */
	r->random = cfg->seed ^ (cfg->self << 32) ^ start->now;
	if (load(r, start, e) < 0) {
		raft_free(r);
		return NULL;
	}
	r->verified = r->commit;
	raft_draw_timeout(r);
	if (raft_is_alone(r))
		r->election_at = r->now;
	return r;
}

void raft_free(struct raft *r)
{
	if (r == NULL)
		return;
	raft_progress_clear(r);
	raft_log_done(&r->log);
	free(r->asks);
	free(r->messages);
	free(r->reads);
	free(r);
}

/* ---- Messages that come in */

/* Who asks with an old term shall learn the new one, or it may never get out of the old. */
static void answer_stale(struct raft *r, const struct raft_message *m)
{
	switch (m->type) {
	case RAFT_APPEND:
		raft_say(r, RAFT_APPEND_REPLY, m->from);
		break;
	case RAFT_SNAPSHOT:
		raft_say(r, RAFT_SNAPSHOT_REPLY, m->from);
		break;
	case RAFT_READ:
		raft_say(r, RAFT_READ_REPLY, m->from)->context = m->context;
		break;
	default:
		break;
	}
	r->drop = RAFT_DROP_STALE;
}

static bool is_from_leader(enum raft_message_type type)
{
	return type == RAFT_APPEND || type == RAFT_SNAPSHOT || type == RAFT_TIMEOUT_NOW;
}

/* Answers of one who is no member count for nothing, not even their term. */
static bool is_answer(enum raft_message_type type)
{
	return type == RAFT_VOTE_REPLY || type == RAFT_APPEND_REPLY || type == RAFT_SNAPSHOT_REPLY;
}

static void dispatch(struct raft *r, const struct raft_message *m)
{
	switch (m->type) {
	case RAFT_PREVOTE:
		raft_on_prevote(r, m);
		break;
	case RAFT_PREVOTE_REPLY:
		raft_on_prevote_reply(r, m);
		break;
	case RAFT_VOTE:
		raft_on_vote(r, m);
		break;
	case RAFT_VOTE_REPLY:
		raft_on_vote_reply(r, m);
		break;
	case RAFT_APPEND:
		raft_on_append(r, m);
		break;
	case RAFT_APPEND_REPLY:
		raft_on_append_reply(r, m);
		break;
	case RAFT_SNAPSHOT:
		raft_on_snapshot(r, m);
		break;
	case RAFT_SNAPSHOT_REPLY:
		raft_on_snapshot_reply(r, m);
		break;
	case RAFT_TIMEOUT_NOW:
		raft_on_timeout_now(r, m);
		break;
	case RAFT_READ:
		raft_on_read(r, m);
		break;
	case RAFT_READ_REPLY:
		raft_on_read_reply(r, m);
		break;
	}
}

/* Questions for votes look at terms in their own way (election.c). */
static void receive(struct raft *r, const struct raft_message *m)
{
	const bool is_vote =
	    m->type == RAFT_PREVOTE || m->type == RAFT_PREVOTE_REPLY || m->type == RAFT_VOTE;

	if (m->cluster != r->cfg.cluster)
		r->drop = RAFT_DROP_CLUSTER;
	else if (m->to != r->cfg.self || m->from == r->cfg.self || m->from == 0)
		r->drop = RAFT_DROP_ADDRESS;
	else if (!raft_check(m))
		r->drop = RAFT_DROP_INVALID;
	else if (is_answer(m->type) && raft_place(r, m->from) < 0 &&
	         raft_progress_find(r, m->from) == NULL)
		r->drop = RAFT_DROP_STALE;
	else if (!is_vote && m->term < r->term)
		answer_stale(r, m);
	if (r->drop != RAFT_KEPT)
		return;
	if (!is_vote && m->term > r->term)
		raft_follow(r, m->term, is_from_leader(m->type) ? m->from : 0);
	dispatch(r, m);
}

/* ---- Steps */

static void tick(struct raft *r)
{
	raft_leader_tick(r);
	raft_reads_tick(r);
	raft_election_tick(r);
}

static void handle(struct raft *r, const struct raft_event *event, struct raft_output *out)
{
	switch (event->type) {
	case RAFT_TICK:
		tick(r);
		break;
	case RAFT_RECEIVE:
		receive(r, event->message);
		break;
	case RAFT_PROPOSE:
		out->status = raft_propose(r, event, out);
		break;
	case RAFT_ASK_READ:
		out->status = raft_ask_read(r, event->context);
		break;
	case RAFT_CHANGE:
		out->status = raft_change(r, event, out);
		break;
	case RAFT_TRANSFER:
		out->status = raft_transfer(r, event->node, out);
		break;
	case RAFT_DURABLE:
		raft_disk_report(r, event->write);
		break;
	case RAFT_SNAPSHOT_TAKEN:
		raft_snapshot_taken(r, event->snapshot);
		break;
	case RAFT_SNAPSHOT_LOST:
		raft_snapshot_lost(r, event->snapshot->point);
		break;
	case RAFT_CHUNK_STORED:
		raft_chunk_stored(r, event);
		break;
	case RAFT_INSTALLED:
		raft_snapshot_installed(r, event->snapshot);
		break;
	case RAFT_UNREACHABLE:
		raft_leader_unreachable(r, event->node);
		break;
	}
}

/*
 * Pointers to what may have moved while the step ran.  A chunk is not sent when its peer has left,
 * or gets another snapshot.
 */
static void fill_in(struct raft *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->message_count; i++) {
		struct raft_message *m = &r->messages[i];
		const struct raft_progress *p;

		if (m->type == RAFT_APPEND && m->count > 0)
			m->entries = raft_log_at(&r->log, m->prev.index + 1);
		if (m->type == RAFT_SNAPSHOT) {
			p = raft_progress_find(r, m->to);
			if (p == NULL || p->snapshot.point.index != m->prev.index)
				continue;
			m->conf = &p->snapshot.conf;
		}
		r->messages[n++] = *m;
	}
	r->message_count = n;
}

int raft_step(struct raft *r, const struct raft_event *event, struct raft_output *out,
              struct err *e)
{
	const enum raft_role role = r->role;
	const uint64_t term = r->term;
	const uint64_t leader = r->leader;
	const uint64_t conf_changes = r->conf_changes;

	*out = (struct raft_output){.status = RAFT_OK};
	r->message_count = r->read_count = 0;
	r->drop = RAFT_KEPT;
	r->chunk = NULL;
	r->compacted = 0;
	if (event->now > r->now)
		r->now = event->now;
	if (!r->failed) {
		raft_clock_advance(r);
		handle(r, event, out);
		raft_election_advance(r);
		raft_leader_advance(r);
		raft_follower_advance(r);
		raft_disk_write(r, out);
	}
	if (r->failed) {
		*e = r->failure;
		return -1;
	}
	fill_in(r);
	out->messages = r->messages;
	out->message_count = r->message_count;
	out->commit = r->commit;
	out->reads = r->reads;
	out->read_count = r->read_count;
	out->drop = r->drop;
	out->chunk = r->chunk;
	out->compacted = r->compacted;
	out->changed = role != r->role || term != r->term || leader != r->leader ||
	               conf_changes != r->conf_changes;
	return 0;
}
