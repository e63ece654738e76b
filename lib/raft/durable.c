/*
 * raft/durable: numbered writes, and what they make durable.
 *
 * A report vouches for an entry only while that entry is still the one that was written: where the
 * log is cut, the ends of all writes under way are lowered, so a report that comes late cannot
 * stand for an entry that took the place (the trace async_storage_writes_append_aba_race of
 * etcd-io/raft tells of the bug).
 */
#include <assert.h>

#include "raft/raft_impl.h"

static struct raft_pending *pending_at(struct raft_disk *d, size_t i)
{
	return &d->pending[(d->first + i) % RAFT_PENDING_MAX];
}

static void lower(struct raft_disk *d, uint64_t last)
{
	for (size_t i = 0; i < d->count; i++) {
		struct raft_pending *p = pending_at(d, i);

		if (p->last > last)
			p->last = last;
	}
	if (d->index > last)
		d->index = last;
	if (d->written > last)
		d->written = last;
}

void raft_disk_truncate(struct raft *r, uint64_t from)
{
	struct raft_disk *d = &r->disk;

	if (from <= d->written && (d->truncate == 0 || from < d->truncate))
		d->truncate = from;
	lower(d, from - 1);
}

/*
 * The log begins anew behind a snapshot that is durable.  A start from the old log and this
 * snapshot leads to the same state, so the point itself is durable at once.
 */
void raft_disk_reset(struct raft *r, struct raft_point base)
{
	struct raft_disk *d = &r->disk;

	lower(d, 0);
	d->reset = true;
	d->truncate = 0;
	d->index = base.index;
	d->written = base.index;
}

void raft_disk_report(struct raft *r, uint64_t number)
{
	struct raft_disk *d = &r->disk;

	assert(number <= d->number);
	while (d->count > 0 && pending_at(d, 0)->number <= number) {
		const struct raft_pending *p = pending_at(d, 0);

		if (p->last > d->index)
			d->index = p->last;
		d->term = p->term;
		d->vote = p->vote;
		d->first = (d->first + 1) % RAFT_PENDING_MAX;
		d->count--;
	}
}

/* When the ring is full the newest write takes the one before it along. */
static void push_pending(struct raft *r)
{
	struct raft_disk *d = &r->disk;
	struct raft_pending *p;
	uint64_t since = r->now;

	if (d->count == RAFT_PENDING_MAX)
		since = pending_at(d, --d->count)->since;
	p = pending_at(d, d->count++);
	*p = (struct raft_pending){
	    .number = d->number,
	    .last = d->written,
	    .term = r->term,
	    .vote = r->vote,
	    .since = since,
	};
}

void raft_disk_write(struct raft *r, struct raft_output *out)
{
	struct raft_disk *d = &r->disk;
	uint64_t last = raft_log_last(&r->log);

	if (!d->hard && !d->reset && d->truncate == 0 && d->written == last)
		return;
	assert(d->written <= last && d->written >= r->log.base.index);
	out->write = ++d->number;
	out->hard = d->hard;
	out->term = r->term;
	out->vote = r->vote;
	out->reset = d->reset;
	out->base = r->log.base;
	out->truncate = d->truncate;
	out->append_count = last - d->written;
	out->append = raft_log_at(&r->log, d->written + 1);
	d->written = last;
	d->hard = d->reset = false;
	d->truncate = 0;
	push_pending(r);
}

bool raft_disk_is_hard(const struct raft *r)
{
	return r->disk.term == r->term && r->disk.vote == r->vote;
}

uint64_t raft_disk_age(const struct raft *r)
{
	const struct raft_disk *d = &r->disk;

	return d->count == 0 ? 0 : r->now - d->pending[d->first].since;
}

bool raft_disk_is_stalled(const struct raft *r)
{
	return raft_disk_age(r) > r->cfg.stall_ns;
}
