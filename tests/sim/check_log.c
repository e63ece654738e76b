/*
 * The books of the logs: in memory, on disk, and what a crash may leave.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

void *check_grow(void *p, size_t *cap, size_t want, size_t size)
{
	size_t to = *cap == 0 ? 64 : *cap;
	unsigned char *q;

	if (want <= *cap)
		return p;
	while (to < want)
		to *= 2;
	q = realloc(p, to * size);
	if (q == NULL)
		abort();
	memset(q + *cap * size, 0, (to - *cap) * size);
	*cap = to;
	return q;
}

/* ---- Marks. */

const struct mark *marks_at(const struct marks *m, uint64_t index)
{
	return index < m->base || index - m->base >= m->count ? NULL : &m->at[index - m->base];
}

uint64_t marks_last(const struct marks *m)
{
	return m->base + m->count - 1;
}

void marks_reset(struct marks *m, uint64_t base, struct mark at)
{
	m->base = base;
	m->count = 0;
	marks_push(m, at);
}

void marks_cut(struct marks *m, uint64_t from)
{
	if (from <= marks_last(m))
		m->count = from - m->base;
}

void marks_push(struct marks *m, struct mark at)
{
	m->at = check_grow(m->at, &m->cap, m->count + 1, sizeof(*m->at));
	m->at[m->count++] = at;
}

static uint64_t mix(uint64_t h, uint64_t x)
{
	h = (h ^ x) * 0x9fb21c651e98df25u;
	return h ^ (h >> 32);
}

struct mark mark_entry(struct mark before, const struct raft_entry *entry)
{
	uint64_t h = mix(before.hash, entry->index);
	const char *p = entry->data.p;
	size_t n = entry->data.len;
	uint64_t x;

	h = mix(mix(h, entry->term), entry->clock_ns);
	h = mix(mix(h, entry->type | (uint64_t)entry->version << 8), n);
	for (; n >= 8; p += 8, n -= 8) {
		memcpy(&x, p, 8);
		h = mix(h, x);
	}
	x = 0;
	if (n > 0)
		memcpy(&x, p, n);
	return (struct mark){.term = entry->term, .hash = mix(h, x)};
}

/* ---- What is written. */

static void take_append(struct world *w, struct node *n, const struct raft_entry *e,
                        struct mark *ret)
{
	struct check_node *c = &n->check;
	const struct mark *before = marks_at(&c->log, e->index - 1);

	if (before == NULL || marks_last(&c->log) + 1 != e->index) {
		world_fail(w, "append: node %" PRIu64 " puts entry %" PRIu64 " behind %" PRIu64,
		           n->id, e->index, marks_last(&c->log));
		return;
	}
	if (e->term < before->term)
		world_fail(w,
		           "terms: node %" PRIu64 ": entry %" PRIu64 " of term %" PRIu64
		           " behind one of %" PRIu64,
		           n->id, e->index, e->term, before->term);
	*ret = mark_entry(*before, e);
	check_seen(w, n, e->index, *ret);
	marks_push(&c->log, *ret);
	if (e->type != RAFT_ENTRY_CONF)
		return;
	check_conf_add(c, check_conf_number(w, e));
}

static void take_truncate(struct world *w, struct node *n, uint64_t from, bool leads)
{
	struct check_node *c = &n->check;

	w->cover.count[COVER_TRUNCATED]++;
	chart_note(&w->chart, w->now, n->id, "truncates from %" PRIu64, from);
	if (leads)
		world_fail(w, "leader append-only: node %" PRIu64 " truncates at %" PRIu64, n->id,
		           from);
	if (from <= c->commit)
		world_fail(w,
		           "truncation of committed entries: node %" PRIu64 " from %" PRIu64
		           ", commit %" PRIu64,
		           n->id, from, c->commit);
	if (from > marks_last(&c->log) || from <= c->log.base)
		world_fail(w, "truncation of nothing: node %" PRIu64 " from %" PRIu64, n->id, from);
	marks_cut(&c->log, from);
	while (c->conf_count > 0 && w->check.confs[c->confs[c->conf_count - 1]].index >= from) {
		c->conf_count--;
		w->cover.count[COVER_CONF_UNDONE]++;
	}
}

static struct mark take_reset(struct world *w, struct node *n, struct raft_point base)
{
	struct check_node *c = &n->check;
	const struct committed *at = &w->check.committed[base.index];

	chart_note(&w->chart, w->now, n->id, "log begins anew behind %" PRIu64 ".%" PRIu64,
	           base.index, base.term);
	if (base.index > w->check.commit || at->mark.term != base.term)
		world_fail(w,
		           "snapshot: node %" PRIu64 " resets its log to %" PRIu64 ".%" PRIu64
		           ", which is not committed",
		           n->id, base.index, base.term);
	else
		marks_reset(&c->log, base.index, at->mark);
	c->conf_count = 0;
	return at->mark;
}

/* A leader changes members only once it has committed in its term. */
static void check_change(struct world *w, const struct node *n, const struct raft_output *out)
{
	const struct mark *at = marks_at(&n->check.log, out->commit);

	for (size_t i = 0; i < out->append_count; i++)
		if (out->append[i].type == RAFT_ENTRY_CONF &&
		    (at == NULL || at->term != n->check.term))
			world_fail(w,
			           "configuration: leader %" PRIu64
			           " changes members before it has committed in term %" PRIu64,
			           n->id, n->check.term);
}

void check_written(struct world *w, struct node *n, const struct raft_output *out)
{
	struct check_node *c = &n->check;
	struct check_write *x = calloc(1, sizeof(*x) + out->append_count * sizeof(x->marks[0]));

	bool leads = c->role == RAFT_LEADER && (!out->hard || out->term == c->term);

	if (x == NULL)
		abort();
	if (out->write <= c->last_written)
		world_fail(w,
		           "writes: node %" PRIu64 " gives out number %" PRIu64 " after %" PRIu64,
		           n->id, out->write, c->last_written);
	c->last_written = out->write;
	x->number = out->write;
	x->hard = out->hard;
	x->reset = out->reset;
	x->term = out->term;
	x->vote = out->vote;
	x->truncate = out->truncate;
	if (out->hard) {
		if (out->term < c->term ||
		    (out->term == c->term && c->vote != 0 && out->vote != c->vote))
			world_fail(w,
			           "votes: node %" PRIu64 " goes from term %" PRIu64
			           ", vote %" PRIu64 " to term %" PRIu64 ", vote %" PRIu64,
			           n->id, c->term, c->vote, out->term, out->vote);
		c->term = out->term;
		c->vote = out->vote;
	}
	if (out->reset) {
		x->base = out->base.index;
		x->base_mark = take_reset(w, n, out->base);
	}
	if (out->truncate != 0)
		take_truncate(w, n, out->truncate, leads);
	for (size_t i = 0; i < out->append_count && !w->failed; i++)
		take_append(w, n, &out->append[i], &x->marks[x->count++]);
	if (leads && !w->failed)
		check_change(w, n, out);
	*c->writes_end = x;
	c->writes_end = &x->next;
}

/* ---- What is on disk. */

/* The k-th change of a write, of 3 + count; false when it has no such change. */
static bool change_disk(struct check_node *c, const struct check_write *x, size_t k)
{
	switch (k) {
	case 0:
		if (x->hard) {
			c->disk_term = x->term;
			c->disk_vote = x->vote;
		}
		return x->hard;
	case 1:
		if (x->reset)
			marks_reset(&c->disk, x->base, x->base_mark);
		return x->reset;
	case 2:
		if (x->truncate != 0)
			marks_cut(&c->disk, x->truncate);
		return x->truncate != 0;
	default:
		marks_push(&c->disk, x->marks[k - 3]);
		return true;
	}
}

static void drop_write(struct check_node *c)
{
	struct check_write *x = c->writes;

	c->writes = x->next;
	if (c->writes == NULL)
		c->writes_end = &c->writes;
	free(x);
}

void check_durable(struct node *n, uint64_t number)
{
	struct check_node *c = &n->check;

	while (c->writes != NULL && c->writes->number <= number) {
		for (size_t k = 0; k < 3 + c->writes->count; k++)
			(void)change_disk(c, c->writes, k);
		drop_write(c);
	}
}

/* Is what was recovered what the disk has in the books, as a snapshot at this point cuts it? */
static bool is_recovered(const struct check_node *c, const struct raft_view *v)
{
	const struct mark *at = marks_at(&c->disk, v->snapshot.index);
	const struct mark *last = marks_at(&c->log, v->last.index);

	if (v->snapshot.term > c->disk_term ? v->term != v->snapshot.term || v->vote != 0
	                                    : v->term != c->disk_term || v->vote != c->disk_vote)
		return false;
	if (v->snapshot.index != 0 && v->snapshot.index >= c->disk.base &&
	    (at == NULL || at->term != v->snapshot.term))
		return v->last.index == v->snapshot.index && v->base.index == v->last.index;
	return v->last.index == marks_last(&c->disk) &&
	       (last == NULL || last->hash == c->disk.at[c->disk.count - 1].hash);
}

void check_recovered(struct world *w, struct node *n, const struct raft_view *v)
{
	struct check_node *c = &n->check;
	bool good = is_recovered(c, v);

	for (; !good && c->writes != NULL; drop_write(c))
		for (size_t k = 0; !good && k < 3 + c->writes->count; k++)
			good = change_disk(c, c->writes, k) && is_recovered(c, v);
	while (c->writes != NULL)
		drop_write(c);
	if (!good)
		world_fail(w,
		           "durability: node %" PRIu64 " comes back with term %" PRIu64
		           ", vote %" PRIu64 ", log %" PRIu64 " to %" PRIu64 ", snapshot %" PRIu64
		           "; in the books (at the end of all it wrote): term %" PRIu64
		           ", vote %" PRIu64 ", log to %" PRIu64,
		           n->id, v->term, v->vote, v->base.index, v->last.index, v->snapshot.index,
		           c->disk_term, c->disk_vote, marks_last(&c->disk));
	if (v->snapshot.index < c->kept_snapshot && !n->rotten)
		world_fail(w,
		           "durability: node %" PRIu64 " comes back with snapshot %" PRIu64
		           ", and had %" PRIu64,
		           n->id, v->snapshot.index, c->kept_snapshot);
	marks_reset(&c->disk, c->log.base, c->log.at[0]);
	for (size_t i = 1; i < c->log.count; i++)
		marks_push(&c->disk, c->log.at[i]);
	c->disk_term = v->term;
	c->disk_vote = v->vote;
}

void check_node_done(struct check_node *c)
{
	while (c->writes != NULL)
		drop_write(c);
	free(c->log.at);
	free(c->disk.at);
	*c = (struct check_node){0};
}
