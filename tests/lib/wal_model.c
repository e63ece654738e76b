#include "wal_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "fail_alloc.h"

/* What the first k ops make. */
struct state {
	uint64_t term, vote;
	struct raft_point base, last;
	uint64_t floor; /* entries up to it may be gone */
	uint64_t terms[WAL_MODEL_ENTRIES + 1];
};

struct wal_config wal_model_config(const struct io *io, int dir)
{
	return (struct wal_config){
	    .io = io,
	    .dir = dir,
	    .cluster = WAL_MODEL_CLUSTER,
	    .node = WAL_MODEL_NODE,
	    .segment_size = WAL_SEGMENT_MIN,
	    .mode = 0600,
	    .salt = 0x5a17,
	};
}

static size_t data_len(const struct wal_model *m, uint64_t index, uint64_t term)
{
	return m->large > 0 ? m->large : (size_t)(index * 7919 + term * 104729) % WAL_MODEL_DATA;
}

static char data_byte(uint64_t index, uint64_t term, size_t i)
{
	return (char)(index * 31 + term * 17 + i * 7 + 1);
}

static void add_op(struct wal_model *m, struct wal_model_op op)
{
	assert_true(m->n < WAL_MODEL_OPS);
	m->ops[m->n++] = op;
}

static void state_apply(struct state *s, const struct wal_model_op *op)
{
	switch (op->type) {
	case MODEL_HARD:
		s->term = op->term;
		s->vote = op->vote;
		break;
	case MODEL_APPEND:
		s->last = op->point;
		s->terms[op->point.index] = op->point.term;
		break;
	case MODEL_TRUNCATE:
		s->last = op->point;
		break;
	case MODEL_RESET:
		s->base = op->point;
		s->last = op->point;
		s->terms[op->point.index] = op->point.term;
		break;
	case MODEL_COMPACT:
		if (op->index > s->floor)
			s->floor = op->index;
		break;
	}
}

static void state_at(const struct wal_model *m, size_t k, struct state *s)
{
	*s = (struct state){0};
	for (size_t i = 0; i < k; i++)
		state_apply(s, &m->ops[i]);
}

void wal_model_hard(struct wal_model *m, uint64_t term, uint64_t vote)
{
	if (m->w != NULL)
		wal_hard(m->w, term, vote);
	m->term = term;
	add_op(m, (struct wal_model_op){.type = MODEL_HARD, .term = term, .vote = vote});
}

void wal_model_append(struct wal_model *m, uint64_t term, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t index = m->last.index + 1;
		size_t len = data_len(m, index, term);
		char *data = fail_alloc_spare(len + 1);
		struct raft_entry entry = {.index = index,
		                           .term = term,
		                           .clock_ns = index * 1000 + term,
		                           .type = RAFT_ENTRY_COMMAND,
		                           .version = RAFT_ENTRY_VERSION,
		                           .data = {data, len}};

		assert_true(index <= WAL_MODEL_ENTRIES);
		for (size_t j = 0; j < len; j++)
			data[j] = data_byte(index, term, j);
		if (m->w != NULL)
			wal_append(m->w, &entry, 1);
		free(data);
		m->last = (struct raft_point){index, term};
		add_op(m, (struct wal_model_op){.type = MODEL_APPEND, .point = m->last});
	}
}

uint64_t wal_model_term(const struct wal_model *m, uint64_t index)
{
	struct state *s = fail_alloc_spare(sizeof(*s));
	uint64_t term;

	state_at(m, m->n, s);
	term = index == 0 ? 0 : s->terms[index];
	free(s);
	return term;
}

void wal_model_truncate(struct wal_model *m, uint64_t last)
{
	m->last = (struct raft_point){last, wal_model_term(m, last)};
	if (m->w != NULL)
		wal_truncate(m->w, m->last);
	add_op(m, (struct wal_model_op){.type = MODEL_TRUNCATE, .point = m->last});
}

void wal_model_reset(struct wal_model *m, struct raft_point base)
{
	if (m->w != NULL)
		wal_reset(m->w, base);
	m->last = base;
	add_op(m, (struct wal_model_op){.type = MODEL_RESET, .point = base});
}

int wal_model_compact(struct wal_model *m, struct raft_point point, uint64_t index, struct err *e)
{
	add_op(m, (struct wal_model_op){.type = MODEL_COMPACT, .point = point, .index = index});
	return wal_compact(m->w, point, index, e);
}

int wal_model_sync(struct wal_model *m, struct err *e)
{
	uint64_t written;
	uint64_t durable;

	if (wal_write(m->w, &written, e) < 0 || wal_sync(m->w, &durable, e) < 0)
		return -1;
	return written == durable && wal_durable(m->w) == durable
	           ? 0
	           : err_set(e, EIO, "%llu were written and %llu are durable",
	                     (unsigned long long)written, (unsigned long long)durable);
}

int wal_model_snapshot(const struct io *io, int dir, struct raft_point at, struct err *e)
{
	struct snapfile_place place = {io, dir, WAL_MODEL_CLUSTER, 0600};
	struct snapfile_meta meta = {.at = at, .clock_ns = at.index, .conf = {"members", 7}};
	char data[1000];
	struct snapfile_writer *s = snapfile_begin(&place, &meta, e);
	int r = s == NULL ? -1 : 0;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = data_byte(at.index, at.term, i);
	if (r == 0)
		r = snapfile_write(s, 0, data, sizeof(data), e);
	if (r == 0)
		r = snapfile_commit(s, NULL, e);
	snapfile_writer_close(s, false);
	return r;
}

/* --- what was recovered --- */

static bool entry_is(const struct wal_model *m, const struct raft_entry *a, uint64_t index,
                     uint64_t term)
{
	if (a->index != index || a->term != term || a->clock_ns != index * 1000 + term ||
	    a->type != RAFT_ENTRY_COMMAND || a->version != RAFT_ENTRY_VERSION ||
	    a->data.len != data_len(m, index, term))
		return false;
	for (size_t i = 0; i < a->data.len; i++)
		if (a->data.p[i] != data_byte(index, term, i))
			return false;
	return true;
}

/* As wal_open() says: a snapshot that the log does not reach or contradicts empties it. */
static void reconcile(struct state *s, struct raft_point snapshot)
{
	if (snapshot.index > s->last.index ||
	    (snapshot.index > s->base.index && s->terms[snapshot.index] != snapshot.term)) {
		s->base = snapshot;
		s->last = snapshot;
		s->floor = 0;
		s->terms[snapshot.index] = snapshot.term;
	}
	if (s->term < s->last.term) {
		s->term = s->last.term;
		s->vote = 0;
	}
}

static bool is_state(const struct wal_model *m, struct state *s, const struct wal_recovered *r)
{
	struct raft_point last = r->count == 0 ? r->base
	                                       : (struct raft_point){r->entries[r->count - 1].index,
	                                                             r->entries[r->count - 1].term};

	reconcile(s, r->snapshot.at);
	if (s->term != r->term || s->vote != r->vote || last.index != s->last.index ||
	    last.term != s->last.term)
		return false;
	if (r->base.index < s->base.index ||
	    (r->base.index > s->base.index && r->base.index > s->floor))
		return false;
	if (r->base.index > 0 && r->base.term != s->terms[r->base.index])
		return false;
	if (r->count != last.index - r->base.index)
		return false;
	for (size_t i = 0; i < r->count; i++) {
		uint64_t index = r->base.index + 1 + i;

		if (!entry_is(m, &r->entries[i], index, s->terms[index]))
			return false;
	}
	return true;
}

int wal_model_check(const struct wal_model *m, size_t least, const struct wal_recovered *r,
                    struct err *e)
{
	struct state *s = fail_alloc_spare(sizeof(*s));
	bool found = false;

	for (size_t k = least; k <= m->n && !found; k++) {
		state_at(m, k, s);
		found = is_state(m, s, r);
	}
	free(s);
	if (found)
		return 0;
	return err_set(e, EIO,
	               "term %llu, vote %llu, entries %llu to %llu, snapshot %llu are not what %zu "
	               "to %zu ops make",
	               (unsigned long long)r->term, (unsigned long long)r->vote,
	               (unsigned long long)r->base.index + 1,
	               (unsigned long long)(r->base.index + r->count),
	               (unsigned long long)r->snapshot.at.index, least, m->n);
}
