/*
 * raft_story_disk: the disks of raft_story_world.h.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/hash.h"
#include "raft_story_world.h"

/* ---- What is to be written */

static struct world_write *new_write(struct world_node *n)
{
	struct world_disk *d = &n->disk;

	WORLD_ROOM(d->pending, d->pending_count, d->pending_capacity);
	d->pending[d->pending_count] = (struct world_write){0};
	return &d->pending[d->pending_count++];
}

static void tell_write(struct world *w, const struct world_node *n, const struct raft_output *out)
{
	struct buf b = {0};

	buf_printf(&b, "%" PRIu64 ": writes", n->id);
	if (out->hard) {
		buf_printf(&b, " term %" PRIu64, out->term);
		if (out->vote != 0)
			buf_printf(&b, " vote %" PRIu64, out->vote);
	}
	if (out->reset)
		buf_printf(&b, " begin-behind %" PRIu64 ".%" PRIu64, out->base.index,
		           out->base.term);
	if (out->truncate != 0)
		buf_printf(&b, " cut-from %" PRIu64, out->truncate);
	for (size_t i = 0; i < out->append_count; i++)
		buf_printf(&b, " %" PRIu64 ".%" PRIu64, out->append[i].index, out->append[i].term);
	world_say(w, "%.*s", (int)b.len, b.data);
	buf_done(&b);
}

void world_disk_write(struct world *w, struct world_node *n, const struct raft_output *out)
{
	if (out->write == 0)
		return;
	(void)new_write(n);
	net_disk_write(&n->disk.log, out);
	tell_write(w, n, out);
}

void world_disk_chunk(struct world *w, struct world_node *n, const struct raft_message *m)
{
	struct world_write *x = new_write(n);

	x->is_chunk = true;
	x->snapshot = (struct raft_snapshot){
	    .point = m->prev,
	    .clock_ns = m->clock_ns,
	    .size = m->size,
	    .sum = m->sum,
	    .conf = *m->conf,
	};
	x->offset = m->offset;
	x->data = world_keep(w, m->data);
}

/* ---- What is there */

/* The bytes of a chunk; true when they complete the snapshot, which is on disk then. */
static bool put_chunk(struct world *w, struct world_node *n, const struct world_write *x)
{
	if (n->incoming.sum != x->snapshot.sum || x->offset == 0)
		buf_clear(&n->incoming_bytes);
	n->incoming = x->snapshot;
	if (n->incoming_bytes.len != x->offset) {
		world_wrong(w, "%" PRIu64 ": stores a chunk at %" PRIu64 " behind %zu bytes", n->id,
		            x->offset, n->incoming_bytes.len);
		return false;
	}
	buf_add(&n->incoming_bytes, x->data.p, x->data.len);
	if (n->incoming_bytes.len < x->snapshot.size)
		return false;
	n->disk.has_snapshot = true;
	n->disk.snapshot = x->snapshot;
	n->disk.state = world_keep(w, (struct span){n->incoming_bytes.data, n->incoming_bytes.len});
	buf_clear(&n->incoming_bytes);
	return true;
}

static void install(struct world *w, struct world_node *n)
{
	const struct raft_snapshot *s = &n->disk.snapshot;

	world_say(w, "%" PRIu64 ": loads snapshot %" PRIu64 ".%" PRIu64, n->id, s->point.index,
	          s->point.term);
	buf_clear(&n->applied);
	buf_add(&n->applied, n->disk.state.p, n->disk.state.len);
	n->applied_to = s->point;
	n->applied_clock = s->clock_ns;
	world_step(w, n, (struct raft_event){.type = RAFT_INSTALLED, .snapshot = s});
}

static void persist_chunk(struct world *w, struct world_node *n, const struct world_write *x)
{
	if (put_chunk(w, n, x)) {
		install(w, n);
		return;
	}
	world_step(w, n,
	           (struct raft_event){.type = RAFT_CHUNK_STORED,
	                               .snapshot = &x->snapshot,
	                               .offset = x->offset + x->data.len});
}

static struct world_write take_first(struct world_disk *d)
{
	struct world_write x = d->pending[0];

	d->pending_count--;
	memmove(d->pending, d->pending + 1, d->pending_count * sizeof(*d->pending));
	return x;
}

void world_persist(struct world *w, struct world_node *n, size_t count)
{
	for (; count > 0 && n->raft != NULL && n->disk.pending_count > 0; count--) {
		struct world_write x = take_first(&n->disk);

		if (x.is_chunk) {
			persist_chunk(w, n, &x);
			continue;
		}
		world_step(w, n,
		           (struct raft_event){.type = RAFT_DURABLE,
		                               .write = net_disk_sync(&n->disk.log)});
	}
}

void world_crash(struct world *w, struct world_node *n, size_t keep)
{
	struct world_disk *d = &n->disk;
	size_t lost = 0;

	for (size_t i = 0; i < d->pending_count; i++) {
		if (i >= keep)
			lost++;
		else if (d->pending[i].is_chunk)
			(void)put_chunk(w, n, &d->pending[i]);
		else
			(void)net_disk_sync(&d->log);
	}
	if (lost > 0)
		world_say(w, "%" PRIu64 ": %zu unsynced writes are lost", n->id, lost);
	net_disk_crash(&d->log);
	d->pending_count = 0;
	d->hangs = false;
	buf_clear(&n->incoming_bytes);
	raft_free(n->raft);
	n->raft = NULL;
}

void world_snapshot(struct world *w, struct world_node *n)
{
	struct raft_snapshot s = {
	    .point = n->applied_to,
	    .clock_ns = n->applied_clock,
	    .size = n->applied.len,
	};
	struct err e;

	if (raft_conf_at(n->raft, s.point.index, &s.conf, &e) < 0) {
		world_wrong(w, "%" PRIu64 ": no snapshot: %s", n->id, e.msg);
		return;
	}
	s.sum = UINT64_C(1) << 32 | crc32c(0, n->applied.data, n->applied.len);
	n->disk.has_snapshot = true;
	n->disk.snapshot = s;
	n->disk.state = world_keep(w, (struct span){n->applied.data, n->applied.len});
	world_say(w, "%" PRIu64 ": takes snapshot %" PRIu64 ".%" PRIu64, n->id, s.point.index,
	          s.point.term);
	world_step(w, n,
	           (struct raft_event){.type = RAFT_SNAPSHOT_TAKEN, .snapshot = &n->disk.snapshot});
}
