/*
 * replay: what the records of a log amount to.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "wal/wal_impl.h"

static int contradiction(const struct wal_record *r, const char *what, struct err *e)
{
	return err_set(e, WAL_DAMAGED, "record %llu contradicts those before it: %s",
	               (unsigned long long)r->seq, what);
}

int replay_head(struct wal *w, const struct wal_head *h, uint64_t size, struct err *e)
{
	bool is_first = w->n_segments == 0;
	struct wal_segment s = {.number = h->segment, .size = size, .begin = h->last};

	if (!is_first && (h->term != w->term || h->vote != w->vote ||
	                  h->last.index != w->last.index || h->last.term != w->last.term))
		return err_set(e, WAL_DAMAGED, "the head contradicts the segments before it");
	if (is_first) {
		w->base = h->last;
		w->last = h->last;
		w->term = h->term;
		w->vote = h->vote;
	}
	w->snapshot = h->snapshot;
	return wal_add_segment(w, s) ? 0 : err_set(e, ENOMEM, "out of memory");
}

uint64_t replay_term(const struct replay *rp, uint64_t index)
{
	if (rp->count == 0 || index < rp->entries[0].index ||
	    index - rp->entries[0].index >= rp->count)
		return 0;
	return rp->entries[index - rp->entries[0].index].term;
}

void replay_clear(struct replay *rp)
{
	rp->count = 0;
	buf_clear(&rp->bytes);
}

static int add_entry(struct replay *rp, struct wal *w, const struct wal_record *r, struct err *e)
{
	const struct raft_entry *entry = &r->entry;

	if (entry->index != w->last.index + 1 || entry->term < w->last.term)
		return contradiction(r, "an entry out of its order", e);
	if (rp->count == rp->cap) {
		size_t cap = rp->cap == 0 ? 256 : rp->cap * 2;
		struct raft_entry *v = reallocarray(rp->entries, cap, sizeof(*v));

		if (v == NULL)
			return err_set(e, ENOMEM, "out of memory");
		rp->entries = v;
		rp->cap = cap;
	}
	if (entry->data.len > 0)
		buf_add(&rp->bytes, entry->data.p, entry->data.len);
	if (rp->bytes.failed)
		return err_set(e, ENOMEM, "out of memory");
	rp->entries[rp->count] = *entry;
	rp->entries[rp->count++].data.p = NULL;
	w->last = (struct raft_point){entry->index, entry->term};
	w->segments[w->n_segments - 1].last = entry->index;
	return 0;
}

static int cut(struct replay *rp, struct wal *w, const struct wal_record *r, struct err *e)
{
	uint64_t term = replay_term(rp, r->point.index);

	if (r->point.index > w->last.index || (term != 0 && term != r->point.term))
		return contradiction(r, "a truncation at no entry", e);
	while (rp->count > 0 && rp->entries[rp->count - 1].index > r->point.index)
		rp->bytes.len -= rp->entries[--rp->count].data.len;
	wal_segments_cut(w, r->point);
	return 0;
}

int replay_record(struct replay *rp, struct wal *w, const struct wal_record *r, struct err *e)
{
	switch (r->type) {
	case WAL_ENTRY:
		return add_entry(rp, w, r, e);
	case WAL_HARD:
		if (r->term < w->term || (r->term == w->term && w->vote != 0 && r->vote != w->vote))
			return contradiction(r, "the term or the vote goes back", e);
		w->term = r->term;
		w->vote = r->vote;
		return 0;
	case WAL_TRUNCATE:
		return cut(rp, w, r, e);
	case WAL_RESET:
		replay_clear(rp);
		wal_segments_reset(w, r->point);
		return 0;
	case WAL_BEGIN:
		w->snapshot = r->point;
		return 0;
	default:
		return 0;
	}
}

int replay_finish(struct replay *rp, struct span conf, struct wal_recovered *ret, struct err *e)
{
	const char *p;

	if (conf.len > 0)
		buf_add(&rp->bytes, conf.p, conf.len);
	if (buf_ok(&rp->bytes, e) < 0)
		return -1;
	p = rp->bytes.data == NULL ? "" : rp->bytes.data;
	for (size_t i = 0; i < rp->count; i++) {
		rp->entries[i].data.p = p;
		p += rp->entries[i].data.len;
	}
	ret->snapshot.conf = (struct span){p, conf.len};
	ret->entries = rp->entries;
	ret->count = rp->count;
	ret->bytes = rp->bytes.data;
	*rp = (struct replay){0};
	return 0;
}

void replay_done(struct replay *rp)
{
	free(rp->entries);
	buf_done(&rp->bytes);
}
