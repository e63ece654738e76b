#include "replica/replica.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "replica/replica_impl.h"

#define SNAPSHOT_ENTRIES 100000
#define SNAPSHOT_BYTES   ((uint64_t)64 << 20)
#define PIECE_BYTES      ((uint32_t)1 << 20)

static void defaults(struct replica_config *c)
{
	if (c->snapshot_entries == 0)
		c->snapshot_entries = SNAPSHOT_ENTRIES;
	if (c->snapshot_bytes == 0)
		c->snapshot_bytes = SNAPSHOT_BYTES;
	if (c->piece_bytes == 0)
		c->piece_bytes = PIECE_BYTES;
	c->wal.cluster = c->raft.cluster;
	c->wal.node = c->raft.self;
}

static int load_state(struct replica *r, const struct wal_recovered *was, struct err *e)
{
	struct kv_restore *to;

	if (was->snapshot.at.index == 0)
		return 0;
	to = kv_restore_begin();
	if (to == NULL)
		return err_set(e, ENOMEM, "load snapshot: out of memory");
	if (replica_snap_load(&r->place, was->snapshot.at, to, e) < 0 ||
	    kv_restore_commit(to, r->kv, &r->out, e) < 0) {
		kv_restore_abort(to);
		return err_wrap(e, "load snapshot");
	}
	r->applied = r->snapshot_index = was->snapshot.at.index;
	return 0;
}

/* The first entry of a new cluster's log, durable before the core hears of it. */
static int write_boot(struct replica *r, struct raft_entry *entry, struct err *e)
{
	uint64_t n;

	wal_append(r->wal, entry, 1);
	return wal_write(r->wal, &n, e) < 0 || wal_sync(r->wal, &n, e) < 0 ? -1 : 0;
}

static int start_core(struct replica *r, const struct wal_recovered *was, uint64_t now,
                      struct err *e)
{
	struct raft_snapshot snapshot = {.point = was->snapshot.at,
	                                 .clock_ns = was->snapshot.clock_ns,
	                                 .size = was->snapshot.size,
	                                 .sum = was->snapshot.sum};
	struct raft_start start = {.now = now,
	                           .term = was->term,
	                           .vote = was->vote,
	                           .base = was->base,
	                           .entries = was->entries,
	                           .count = was->count};
	struct buf room = {0};
	struct raft_entry boot;

	if (was->snapshot.at.index != 0) {
		if (conf_get(was->snapshot.conf, &snapshot.conf, e) < 0)
			return err_wrap(e, "load snapshot");
		start.snapshot = &snapshot;
	}
	if (r->cfg.boot != NULL && start.snapshot == NULL && was->count == 0 && was->term == 0) {
		boot = raft_bootstrap(r->cfg.boot, &room);
		start.entries = &boot;
		start.count = 1;
		start.term = boot.term;
		if (buf_ok(&room, e) < 0 || write_boot(r, &boot, e) < 0) {
			buf_done(&room);
			return -1;
		}
	}
	r->raft = raft_new(&r->cfg.raft, &start, e);
	buf_done(&room);
	return r->raft == NULL ? -1 : 0;
}

struct replica *replica_open(const struct replica_config *cfg, uint64_t now, struct buf *note,
                             struct err *e)
{
	struct replica *r = calloc(1, sizeof(*r));
	struct wal_recovered was = {0};

	if (r == NULL) {
		(void)err_set(e, ENOMEM, "open replica: out of memory");
		return NULL;
	}
	r->cfg = *cfg;
	defaults(&r->cfg);
	r->now = now;
	r->place = (struct snapfile_place){.io = cfg->wal.io,
	                                   .dir = cfg->wal.dir,
	                                   .cluster = cfg->raft.cluster,
	                                   .mode = cfg->wal.mode};
	r->kv = kv_new();
	if (r->kv == NULL)
		(void)err_set(e, ENOMEM, "open replica: out of memory");
	else
		r->wal = wal_open(&r->cfg.wal, &was, note, e);
	if (r->wal == NULL || load_state(r, &was, e) < 0 || start_core(r, &was, now, e) < 0) {
		wal_recovered_done(&was);
		replica_close(r);
		return NULL;
	}
	wal_recovered_done(&was);
	r->cfg.boot = NULL;
	return r;
}

void replica_close(struct replica *r)
{
	if (r == NULL)
		return;
	replica_snap_done(r);
	raft_free(r->raft);
	wal_close(r->wal);
	kv_output_done(&r->out);
	kv_free(r->kv);
	raft_message_room_done(&r->room);
	buf_done(&r->bytes);
	buf_done(&r->log.held);
	free(r->reads);
	free(r);
}

/* ---- What comes of a step. */

static int send_messages(struct replica *r, const struct raft_output *out, struct err *e)
{
	for (size_t i = 0; i < out->message_count; i++) {
		struct raft_message m = out->messages[i];

		if (m.type == RAFT_SNAPSHOT && !replica_snap_fill(r, &m))
			continue;
		buf_clear(&r->bytes);
		raft_message_put(&r->bytes, &m);
		if (buf_ok(&r->bytes, e) < 0)
			return -1;
		r->cfg.hooks.send(r->cfg.hooks.ctx, &m, (struct span){r->bytes.data, r->bytes.len});
	}
	return 0;
}

static int apply_to(struct replica *r, uint64_t commit, struct err *e)
{
	while (r->applied < commit) {
		const struct raft_entry *entry = raft_entry(r->raft, r->applied + 1);
		struct kv_input in;

		assert(entry != NULL);
		in = (struct kv_input){.index = entry->index, .clock_ns = entry->clock_ns};
		if (entry->type == RAFT_ENTRY_COMMAND)
			in.command = entry->data;
		if (kv_apply(r->kv, &in, &r->out, e) < 0)
			return err_wrap(e, "apply entry %llu", (unsigned long long)entry->index);
		r->applied = entry->index;
		r->since_bytes += entry->data.len;
		r->cfg.hooks.applied(r->cfg.hooks.ctx, entry, &r->out);
	}
	return 0;
}

static int keep_read(struct replica *r, const struct raft_read *read, struct err *e)
{
	if (r->read_count == r->read_cap) {
		size_t cap = r->read_cap == 0 ? 16 : 2 * r->read_cap;
		struct raft_read *p = realloc(r->reads, cap * sizeof(*p));

		if (p == NULL)
			return err_set(e, ENOMEM, "keep read: out of memory");
		r->reads = p;
		r->read_cap = cap;
	}
	r->reads[r->read_count++] = *read;
	return 0;
}

static int take_reads(struct replica *r, const struct raft_output *out, struct err *e)
{
	for (size_t i = 0; i < out->read_count; i++) {
		const struct raft_read *read = &out->reads[i];

		if (!read->granted || read->index <= r->applied)
			r->cfg.hooks.read(r->cfg.hooks.ctx, read->context, read->granted);
		else if (keep_read(r, read, e) < 0)
			return -1;
	}
	return 0;
}

static void answer_kept_reads(struct replica *r)
{
	size_t kept = 0;

	for (size_t i = 0; i < r->read_count; i++)
		if (r->reads[i].index <= r->applied)
			r->cfg.hooks.read(r->cfg.hooks.ctx, r->reads[i].context, true);
		else
			r->reads[kept++] = r->reads[i];
	r->read_count = kept;
}

int replica_run(struct replica *r, const struct raft_event *event, struct replica_answer *ret,
                struct err *e)
{
	struct raft_output out;

	if (event->now > r->now)
		r->now = event->now;
	if (raft_step(r->raft, event, &out, e) < 0)
		return -1;
	if (r->cfg.hooks.stepped != NULL)
		r->cfg.hooks.stepped(r->cfg.hooks.ctx, event, &out);
	if (ret != NULL)
		*ret = (struct replica_answer){
		    .status = out.status, .first = out.first, .why = out.why, .drop = out.drop};
	if (replica_log_give(r, &out, e) < 0 || send_messages(r, &out, e) < 0)
		return -1;
	if (out.chunk != NULL && replica_snap_chunk(r, out.chunk, e) < 0)
		return -1;
	if (apply_to(r, out.commit, e) < 0 || take_reads(r, &out, e) < 0)
		return -1;
	if (r->read_count > 0)
		answer_kept_reads(r);
	return 0;
}

static int tell_lost(struct replica *r, struct raft_point *point, struct err *e)
{
	struct raft_snapshot lost = {.point = *point};
	struct raft_event event = {.type = RAFT_SNAPSHOT_LOST, .now = r->now, .snapshot = &lost};

	*point = (struct raft_point){0};
	return replica_run(r, &event, NULL, e);
}

/* What went wrong with snapshots during a step, the core hears of in a step of its own. */
static int tell_trouble(struct replica *r, struct err *e)
{
	if (r->snap.dropped.index != 0 && tell_lost(r, &r->snap.dropped, e) < 0)
		return -1;
	if (r->snap.lost.index == 0)
		return 0;
	if (r->snap.lost.index == r->snapshot_index)
		r->snap.wanted = true;
	return tell_lost(r, &r->snap.lost, e);
}

int replica_step(struct replica *r, const struct raft_event *event, struct replica_answer *ret,
                 struct err *e)
{
	if (replica_run(r, event, ret, e) < 0)
		return -1;
	return tell_trouble(r, e);
}

int replica_receive(struct replica *r, uint64_t now, struct span bytes, struct replica_answer *ret,
                    struct err *e)
{
	struct raft_message m;
	struct raft_event event = {.type = RAFT_RECEIVE, .now = now, .message = &m};

	if (raft_message_get(bytes, &m, &r->room, e) < 0) {
		if (e->code == ENOMEM)
			return -1;
		*ret = (struct replica_answer){.drop = RAFT_DROP_INVALID};
		return 0;
	}
	return replica_step(r, &event, ret, e);
}

uint64_t replica_deadline(const struct replica *r)
{
	return raft_deadline(r->raft);
}

const struct raft *replica_raft(const struct replica *r)
{
	return r->raft;
}

struct kv *replica_kv(struct replica *r)
{
	return r->kv;
}

/* ---- Work. */

bool replica_work_begin(struct replica *r, enum replica_lane lane)
{
	return lane == REPLICA_LOG ? replica_log_begin(r) : replica_snap_begin(r);
}

int replica_work_write(struct replica *r, enum replica_lane lane, struct err *e)
{
	return lane == REPLICA_LOG ? replica_log_write(r, e) : replica_snap_write(r, e);
}

int replica_work_sync(struct replica *r, enum replica_lane lane, struct err *e)
{
	return lane == REPLICA_LOG ? replica_log_sync(r, e) : replica_snap_sync(r, e);
}

int replica_work_end(struct replica *r, enum replica_lane lane, uint64_t now, struct err *e)
{
	if (now > r->now)
		r->now = now;
	if ((lane == REPLICA_LOG ? replica_log_end(r, e) : replica_snap_end(r, e)) < 0)
		return -1;
	return tell_trouble(r, e);
}
