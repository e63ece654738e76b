#include "raft_story_world.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const roles[] = {"follower", "precandidate", "candidate", "leader"};

void *world_grow(void *p, size_t count, size_t *capacity, size_t size)
{
	if (count < *capacity)
		return p;
	*capacity = 2 * count + 16;
	p = realloc(p, *capacity * size);
	if (p == NULL)
		abort();
	return p;
}

struct world *world_new(void)
{
	struct world *w = calloc(1, sizeof(*w));

	if (w == NULL)
		abort();
	return w;
}

void world_free(struct world *w)
{
	for (size_t i = 0; i <= WORLD_NODES_MAX; i++) {
		struct world_node *n = &w->nodes[i];

		raft_free(n->raft);
		net_disk_done(&n->disk.log);
		free(n->disk.pending);
		buf_done(&n->incoming_bytes);
		buf_done(&n->applied);
	}
	for (size_t i = 0; i < w->kept_count; i++)
		free(w->kept[i]);
	free(w->kept);
	free(w->queue);
	raft_message_room_done(&w->room);
	buf_done(&w->trace);
	buf_done(&w->wrong);
	free(w);
}

void *world_alloc(struct world *w, size_t n)
{
	void *p = calloc(1, n > 0 ? n : 1);

	if (p == NULL)
		abort();
	WORLD_ROOM(w->kept, w->kept_count, w->kept_capacity);
	w->kept[w->kept_count++] = p;
	return p;
}

struct span world_keep(struct world *w, struct span s)
{
	char *p = world_alloc(w, s.len);

	if (s.len > 0)
		memcpy(p, s.p, s.len);
	return (struct span){p, s.len};
}

static void add_line(struct buf *to, const char *fmt, va_list args)
    __attribute__((format(printf, 2, 0)));

static void add_line(struct buf *to, const char *fmt, va_list args)
{
	char line[4096];
	int n = vsnprintf(line, sizeof(line), fmt, args);

	buf_add_str(to, "    ");
	buf_add(to, line, n < (int)sizeof(line) ? (size_t)n : sizeof(line) - 1);
	buf_add_char(to, '\n');
}

void world_say(struct world *w, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	add_line(&w->trace, fmt, args);
	va_end(args);
}

void world_wrong(struct world *w, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	add_line(&w->wrong, fmt, args);
	va_end(args);
}

struct world_node *world_live(struct world *w, uint64_t id)
{
	return id <= WORLD_NODES_MAX && w->nodes[id].raft != NULL ? &w->nodes[id] : NULL;
}

void world_put_conf(struct buf *to, const struct raft_conf *c)
{
	for (uint32_t i = 0; i < c->count; i++) {
		const struct raft_member *m = &c->member[i];

		if (i > 0)
			buf_add_char(to, ' ');
		buf_printf(to, m->voter ? "%" PRIu64 : "(%" PRIu64 ")", m->id);
	}
	if (!c->joint)
		return;
	buf_add_str(to, " and before");
	for (uint32_t i = 0; i < c->count; i++)
		if (c->member[i].was_voter)
			buf_printf(to, " %" PRIu64, c->member[i].id);
}

void world_put_log(struct buf *to, const struct raft *r)
{
	struct raft_view v;

	raft_look(r, &v);
	for (uint64_t i = v.base.index + 1; i <= v.last.index; i++)
		buf_printf(to, "%s%" PRIu64, i > v.base.index + 1 ? " " : "", raft_term_at(r, i));
}

/* ---- What must never be */

static void watch_leader(struct world *w, const struct world_node *n, const struct raft_view *v)
{
	uint64_t *leader;

	if (v->role != RAFT_LEADER || v->term >= WORLD_TERMS_MAX)
		return;
	leader = &w->leader_of[v->term];
	if (*leader != 0 && *leader != n->id)
		world_wrong(w, "term %" PRIu64 " has two leaders: %" PRIu64 " and %" PRIu64,
		            v->term, *leader, n->id);
	*leader = n->id;
}

/* line: "INDEX.TERM COMMAND". */
static void watch_applied(struct world *w, const struct world_node *n, uint64_t index,
                          uint64_t clock_ns, struct span line)
{
	if (index >= WORLD_INDEX_MAX)
		return;
	if (w->applied[index].p == NULL) {
		w->applied[index] = world_keep(w, line);
		w->clock_of[index] = clock_ns;
	} else if (!span_is(w->applied[index], line) || w->clock_of[index] != clock_ns) {
		world_wrong(w, "%" PRIu64 ": applies %.*s where another node applied %.*s", n->id,
		            (int)line.len, line.p, (int)w->applied[index].len, w->applied[index].p);
	}
	if (clock_ns < n->applied_clock)
		world_wrong(w, "%" PRIu64 ": the clock of the log goes back at %" PRIu64, n->id,
		            index);
}

/* ---- What comes of a step */

static const char *text_of(const struct raft_entry *e)
{
	return e->type == RAFT_ENTRY_NOOP ? "(noop)" : e->type == RAFT_ENTRY_CONF ? "(conf)" : "";
}

static void apply(struct world *w, struct world_node *n, uint64_t commit)
{
	while (n->applied_to.index < commit) {
		const struct raft_entry *e = raft_entry(n->raft, n->applied_to.index + 1);
		struct buf line = {0};

		if (e == NULL) {
			world_wrong(w, "%" PRIu64 ": commits %" PRIu64 ", which is not in its log",
			            n->id, n->applied_to.index + 1);
			return;
		}
		buf_printf(&line, "%" PRIu64 ".%" PRIu64 " %s%.*s", e->index, e->term, text_of(e),
		           e->type == RAFT_ENTRY_COMMAND ? (int)e->data.len : 0, e->data.p);
		world_say(w, "%" PRIu64 ": applies %.*s", n->id, (int)line.len, line.data);
		watch_applied(w, n, e->index, e->clock_ns, (struct span){line.data, line.len});
		n->applied_to = (struct raft_point){e->index, e->term};
		n->applied_clock = e->clock_ns;
		buf_add_char(&line, '\n');
		if (e->type == RAFT_ENTRY_COMMAND)
			buf_add(&n->applied, line.data, line.len);
		buf_done(&line);
	}
}

static void tell_reads(struct world *w, struct world_node *n, const struct raft_output *out)
{
	for (size_t i = 0; i < out->read_count; i++) {
		const struct raft_read *read = &out->reads[i];

		if (read->granted)
			world_say(w, "%" PRIu64 ": read %" PRIu64 " granted at %" PRIu64, n->id,
			          read->context, read->index);
		else
			world_say(w, "%" PRIu64 ": read %" PRIu64 " refused", n->id, read->context);
		for (size_t k = 0; k < n->read_count; k++)
			if (n->reads[k].context == read->context)
				n->reads[k] = (struct world_read){
				    read->context, read->granted ? WORLD_GRANTED : WORLD_REFUSED,
				    read->index};
	}
}

static void tell_status(struct world *w, const struct world_node *n, const struct raft_output *out)
{
	static const char *const words[] = {"ok",           "not the leader", "busy",
	                                    "handing over", "not yet",        "a learner is behind",
	                                    "invalid"};
	static const char *const drops[] = {"",      "of another cluster", "not for it",
	                                    "stale", "the leader lives",   "it contradicts itself"};

	if (out->status != RAFT_OK)
		world_say(w, "%" PRIu64 ": %s%s%s", n->id, words[out->status],
		          out->why != NULL ? ": " : "", out->why != NULL ? out->why : "");
	if (out->drop != RAFT_KEPT)
		world_say(w, "%" PRIu64 ": dropped: %s", n->id, drops[out->drop]);
}

static void tell_view(struct world *w, struct world_node *n)
{
	struct buf text = {0};
	struct raft_view v;

	raft_look(n->raft, &v);
	watch_leader(w, n, &v);
	if (v.role != n->shown.role || v.term != n->shown.term || v.leader != n->shown.leader) {
		buf_printf(&text, "%s, term %" PRIu64, roles[v.role], v.term);
		if (v.role == RAFT_FOLLOWER && v.leader != 0)
			buf_printf(&text, ", leader %" PRIu64, v.leader);
		world_say(w, "%" PRIu64 ": %.*s", n->id, (int)text.len, text.data);
	}
	buf_clear(&text);
	world_put_conf(&text, v.conf);
	if (!span_is((struct span){text.data, text.len}, n->members)) {
		world_say(w, "%" PRIu64 ": members %.*s", n->id, (int)text.len, text.data);
		n->members = world_keep(w, (struct span){text.data, text.len});
	}
	n->shown = v;
	buf_done(&text);
}

static void stop(struct world *w, struct world_node *n, const struct err *e)
{
	world_say(w, "%" PRIu64 ": stops: %s", n->id, e->msg);
	world_crash(w, n, 0);
}

void world_step(struct world *w, struct world_node *n, struct raft_event ev)
{
	struct raft_output out;
	struct err e;

	ev.now = n->now;
	if (raft_step(n->raft, &ev, &out, &e) < 0) {
		stop(w, n, &e);
		return;
	}
	tell_status(w, n, &out);
	tell_view(w, n);
	world_disk_write(w, n, &out);
	for (size_t i = 0; i < out.message_count; i++)
		world_send(w, n, &out.messages[i]);
	apply(w, n, out.commit);
	tell_reads(w, n, &out);
	if (out.chunk != NULL)
		world_disk_chunk(w, n, out.chunk);
	if (out.compacted != 0)
		world_say(w, "%" PRIu64 ": log begins behind %" PRIu64, n->id, out.compacted);
}

/* ---- Starting, and time */

/* The state machine begins as the snapshot that is on disk. */
static void load_state(struct world_node *n)
{
	const struct world_disk *d = &n->disk;

	buf_clear(&n->applied);
	n->applied_to = (struct raft_point){0, 0};
	n->applied_clock = 0;
	if (!d->has_snapshot)
		return;
	buf_add(&n->applied, d->state.p, d->state.len);
	n->applied_to = d->snapshot.point;
	n->applied_clock = d->snapshot.clock_ns;
}

void world_start(struct world *w, struct world_node *n)
{
	struct world_disk *d = &n->disk;
	const struct raft_start start = {
	    .now = n->now,
	    .term = d->log.term,
	    .vote = d->log.vote,
	    .snapshot = d->has_snapshot ? &d->snapshot : NULL,
	    .base = d->log.base,
	    .entries = d->log.entries,
	    .count = d->log.count,
	};
	struct buf members = {0};
	struct err e;

	load_state(n);
	n->read_count = 0;
	n->raft = raft_new(&n->config, &start, &e);
	if (n->raft == NULL) {
		world_say(w, "%" PRIu64 ": does not start: %s", n->id, e.msg);
		return;
	}
	raft_look(n->raft, &n->shown);
	world_put_conf(&members, n->shown.conf);
	n->members = world_keep(w, (struct span){members.data, members.len});
	buf_done(&members);
}

void world_tick(struct world *w, struct world_node *n, uint64_t ns)
{
	uint64_t end = n->now + ns;

	while (n->raft != NULL && raft_deadline(n->raft) <= end) {
		uint64_t at = raft_deadline(n->raft);

		n->now = at > n->now ? at : n->now;
		world_step(w, n, (struct raft_event){.type = RAFT_TICK});
		if (n->raft != NULL && raft_deadline(n->raft) <= at) {
			world_wrong(w, "%" PRIu64 ": its deadline does not move", n->id);
			break;
		}
	}
	n->now = end;
	if (n->raft != NULL)
		world_step(w, n, (struct raft_event){.type = RAFT_TICK});
}

void world_campaign(struct world *w, struct world_node *n)
{
	uint64_t ballots = 0;
	struct raft_view v;

	/* Deadlines before the election are those of reads that wait. */
	do {
		uint64_t at = raft_deadline(n->raft);

		n->now = at > n->now && at != UINT64_MAX ? at : n->now;
		world_step(w, n, (struct raft_event){.type = RAFT_TICK});
		if (n->raft == NULL)
			return;
		raft_look(n->raft, &v);
	} while (v.role == RAFT_FOLLOWER && ++ballots < 10);
}
