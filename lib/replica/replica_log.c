/*
 * The log's lane.  The log takes nothing while it writes; what the core gives out during a job is
 * held as bytes, and goes into the log's buffer at the job's end.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "replica/replica_impl.h"

/* One core's output, held: the head, and behind it the entries, each as a struct and its data. */
struct held {
	uint64_t write;
	uint64_t term, vote;
	struct raft_point base;
	struct raft_point end; /* of a truncation */
	size_t count;
	bool hard, reset, truncate;
};

static struct held held_of(const struct replica *r, const struct raft_output *out)
{
	struct held h = {.write = out->write,
	                 .term = out->term,
	                 .vote = out->vote,
	                 .base = out->base,
	                 .count = out->append_count,
	                 .hard = out->hard,
	                 .reset = out->reset,
	                 .truncate = out->truncate != 0};

	if (h.truncate)
		h.end = (struct raft_point){out->truncate - 1,
		                            raft_term_at(r->raft, out->truncate - 1)};
	return h;
}

static void give(struct replica *r, const struct held *h, const struct raft_entry *entries)
{
	if (h->hard)
		wal_hard(r->wal, h->term, h->vote);
	if (h->reset)
		wal_reset(r->wal, h->base);
	if (h->truncate)
		wal_truncate(r->wal, h->end);
	if (h->count > 0)
		wal_append(r->wal, entries, h->count);
	r->log.given = h->write;
}

static void hold(struct replica *r, const struct held *h, const struct raft_entry *entries)
{
	struct buf *b = &r->log.held;

	buf_add(b, h, sizeof(*h));
	for (size_t i = 0; i < h->count; i++) {
		buf_add(b, &entries[i], sizeof(entries[i]));
		buf_add(b, entries[i].data.p, entries[i].data.len);
	}
}

static void give_held(struct replica *r)
{
	const char *p = r->log.held.data;
	const char *end = p + r->log.held.len;
	struct raft_entry entry;
	struct held h;

	while (p < end) {
		memcpy(&h, p, sizeof(h));
		p += sizeof(h);
		for (size_t n = h.count, i = h.count = 0; i < n; i++) {
			memcpy(&entry, p, sizeof(entry));
			p += sizeof(entry);
			entry.data.p = p;
			p += entry.data.len;
			if (i == 0)
				give(r, &h, NULL);
			wal_append(r->wal, &entry, 1);
			h.hard = h.reset = h.truncate = false;
		}
		give(r, &h, NULL);
	}
	buf_clear(&r->log.held);
}

int replica_log_give(struct replica *r, const struct raft_output *out, struct err *e)
{
	struct held h;

	if (out->compacted > r->log.compact.index) {
		struct raft_view view;

		raft_look(r->raft, &view);
		r->log.compact = (struct replica_compact){out->compacted, view.snapshot};
	}
	if (out->write == 0)
		return 0;
	h = held_of(r, out);
	if (!r->log.busy) {
		give(r, &h, out->append);
		return 0;
	}
	hold(r, &h, out->append);
	return buf_ok(&r->log.held, e);
}

bool replica_log_begin(struct replica *r)
{
	struct replica_log *l = &r->log;

	if (l->busy || (l->given == l->job && l->compact.index == 0))
		return false;
	l->job = l->given;
	l->job_compact = l->compact;
	l->compact = (struct replica_compact){0};
	l->busy = true;
	return true;
}

int replica_log_write(struct replica *r, struct err *e)
{
	const struct replica_compact *c = &r->log.job_compact;
	uint64_t n;

	assert(r->log.busy);
	if (wal_write(r->wal, &n, e) < 0)
		return -1;
	if (c->index != 0 && wal_compact(r->wal, c->by, c->index, e) < 0)
		return -1;
	/* A next segment that cannot be made is met again, by the write that needs it. */
	if (wal_prepare(r->wal, e) < 0 && e->code != ENOSPC && e->code != EDQUOT &&
	    e->code != EFBIG)
		return -1;
	return 0;
}

int replica_log_sync(struct replica *r, struct err *e)
{
	uint64_t n;

	return wal_sync(r->wal, &n, e);
}

int replica_log_end(struct replica *r, struct err *e)
{
	struct raft_event event = {.type = RAFT_DURABLE, .now = r->now, .write = r->log.job};

	r->log.busy = false;
	give_held(r);
	return replica_run(r, &event, NULL, e);
}
