/*
 * A node: a process that runs the shipped replica over a simulated disk, with a clock of its own.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

#define FULL_RETRY (100 * MS)

uint64_t node_now(const struct world *w, const struct node *n)
{
	return n->local_base + (w->now - n->world_base) * n->rate / 1000000;
}

void node_set_clock(struct world *w, struct node *n, uint64_t rate, uint64_t jump)
{
	n->local_base = node_now(w, n) + jump;
	n->world_base = w->now;
	n->rate = rate;
	n->tick_at = UINT64_MAX;
	if (n->state == NODE_UP && !n->paused)
		node_event(w, n, &(struct raft_event){.type = RAFT_TICK}, NULL);
}

static uint64_t world_time(const struct node *n, uint64_t local)
{
	uint64_t ns = local <= n->local_base ? 0 : local - n->local_base;

	/* Deadlines are near; one so far away that this would overflow never comes. */
	return ns > UINT64_MAX / 2000000 ? UINT64_MAX
	                                 : n->world_base + (ns * 1000000 + n->rate - 1) / n->rate;
}

int node_slot(const struct world *w, uint64_t id)
{
	for (int i = 0; i < SLOTS; i++)
		if (w->nodes[i].id == id && w->nodes[i].state != NODE_NONE)
			return i;
	return -1;
}

uint32_t node_place(const struct world *w, const struct node *n)
{
	return (uint32_t)(n - w->nodes);
}

struct node *world_leader(struct world *w)
{
	struct node *best = NULL;

	for (unsigned i = 0; i < SLOTS; i++) {
		struct node *n = &w->nodes[i];

		if (n->state == NODE_UP && n->check.role == RAFT_LEADER && !n->paused &&
		    (best == NULL || n->check.term > best->check.term))
			best = n;
	}
	return best;
}

struct node *world_old_leader(struct world *w)
{
	struct node *old = NULL, *newest = NULL;

	for (unsigned i = 0; i < SLOTS; i++) {
		struct node *n = &w->nodes[i];

		if (n->state != NODE_UP || n->check.role != RAFT_LEADER)
			continue;
		if (newest == NULL || n->check.term > newest->check.term) {
			old = newest;
			newest = n;
		} else {
			old = n;
		}
	}
	return old;
}

/* ---- Hooks. */

static void hook_send(void *ctx, const struct raft_message *m, struct span bytes)
{
	struct node *n = ctx;
	struct world *w = n->w;

	if (n->dies || w->failed)
		return;
	if (n->sends_left == 0) {
		w->cover.count[COVER_MID_STEP]++;
		n->dies = true;
		return;
	}
	if (n->sends_left > 0)
		n->sends_left--;
	chart_message(&w->chart, w->now, m, true);
	check_sent(w, n, m);
	w->trace = (w->trace ^ (m->term << 8 | m->type)) * 0x9fb21c651e98df25u ^ m->prev.index;
	net_send(w, node_place(w, n), m->to, bytes);
}

static void hook_applied(void *ctx, const struct raft_entry *entry, const struct kv_output *out)
{
	struct node *n = ctx;

	if (!n->w->failed)
		check_applied(n->w, n, entry, out);
	watches_applied(n->w, n, out, false);
	if (!n->dies && !n->w->failed)
		client_applied(n, entry, out);
}

static void hook_read(void *ctx, uint64_t context, bool granted)
{
	struct node *n = ctx;

	if (!n->dies && !n->w->failed)
		client_read(n, context, granted);
}

static void hook_installed(void *ctx, struct raft_point at, const struct kv_output *out)
{
	struct node *n = ctx;

	check_installed(n->w, n, at);
	watches_applied(n->w, n, out, true);
}

static void hook_stepped(void *ctx, const struct raft_event *event, const struct raft_output *out)
{
	struct node *n = ctx;
	struct world *w = n->w;

	if (w->failed)
		return;
	if (event->type == RAFT_RECEIVE)
		chart_message(&w->chart, w->now, event->message, false);
	if (event->type == RAFT_SNAPSHOT_TAKEN)
		w->cover.count[COVER_TAKEN]++;
	if (event->type == RAFT_CHUNK_STORED) {
		n->check.snapshot_begun = event->offset < event->snapshot->size;
		if (n->resumes && event->offset > 0)
			w->cover.count[COVER_RESUMED]++;
		n->resumes = false;
	}
	check_stepped(w, n, event, out);
}

struct replica_config node_config(struct world *w, struct node *n)
{
	const struct swarm *s = &w->swarm;
	struct replica_config c = {
	    .raft = {.cluster = CLUSTER,
	             .self = n->id,
	             .seed = seeded_next(&w->rand),
	             .heartbeat_ns = s->heartbeat_ms * MS,
	             .election_ns = s->election_ms * MS,
	             .lease_reads = s->leases,
	             .drift_ppm = 10000,
	             .message_entries = s->message_entries,
	             .message_bytes = 64 << 10,
	             .inflight = s->inflight,
	             .uncommitted_bytes = s->uncommitted_bytes,
	             .chunk_bytes = s->chunk_bytes,
	             .trailing = s->trailing,
	             .trailing_max = s->trailing_max},
	    .wal = {.io = &disk_io,
	            .dir = disk_root(n->disk),
	            .segment_size = s->segment_bytes,
	            .mode = 0600,
	            .salt = (uint32_t)n->id},
	    .boot = n->founder ? &w->boot : NULL,
	    .snapshot_entries = s->snapshot_entries,
	    .piece_bytes = s->piece_bytes,
	    .hooks = {.ctx = n,
	              .send = hook_send,
	              .applied = hook_applied,
	              .read = hook_read,
	              .installed = hook_installed,
	              .stepped = hook_stepped},
	};

	return c;
}

/* ---- Steps. */

static void begin_jobs(struct world *w, struct node *n)
{
	for (unsigned lane = 0; lane < REPLICA_LANES; lane++) {
		if (n->job[lane] != JOB_NONE || !replica_work_begin(n->replica, lane))
			continue;
		n->job[lane] = JOB_WRITE;
		if (draw(w, 8) == 0)
			world_happen(w, w->now + draw(w, 200 * US),
			             (struct happening){.kind = HAPPEN_WORK,
			                                .slot = node_place(w, n),
			                                .life = n->life,
			                                .n = lane});
		else
			node_work(w, n, lane, n->life);
		if (n->state != NODE_UP)
			return;
	}
}

/* After each step: the jobs that came of it, the next deadline, and a death that was due. */
void node_after(struct world *w, struct node *n)
{
	uint64_t at;

	if (w->failed)
		return;
	if (n->dies) {
		w->cover.count[n->power ? COVER_POWER : COVER_KILL]++;
		node_end(w, n, n->power, draw_range(w, 10 * MS, 3 * SEC));
		return;
	}
	begin_jobs(w, n);
	if (n->state != NODE_UP)
		return;
	at = world_time(n, replica_deadline(n->replica));
	if (at < w->now)
		at = w->now;
	if (at >= n->tick_at)
		return;
	n->tick_at = at;
	world_happen(
	    w, at,
	    (struct happening){.kind = HAPPEN_TICK, .slot = node_place(w, n), .life = n->life});
}

void node_event(struct world *w, struct node *n, struct raft_event *event,
                struct replica_answer *ret)
{
	struct err e;

	event->now = node_now(w, n);
	if (replica_step(n->replica, event, ret, &e) < 0)
		world_fail(w, "node %" PRIu64 " stops in a step: %s", n->id, e.msg);
	node_after(w, n);
}

void node_deliver(struct world *w, struct node *n, struct span bytes)
{
	struct replica_answer answer;
	struct err e;

	if (replica_receive(n->replica, node_now(w, n), bytes, &answer, &e) < 0)
		world_fail(w, "node %" PRIu64 " stops over a message: %s", n->id, e.msg);
	else if (answer.drop == RAFT_DROP_INVALID)
		world_fail(w, "node %" PRIu64 " finds a message invalid", n->id);
	node_after(w, n);
}

void node_tick(struct world *w, struct node *n, uint64_t life)
{
	struct raft_event tick = {.type = RAFT_TICK};

	if (n->state != NODE_UP || n->life != life || n->tick_at != w->now)
		return;
	n->tick_at = UINT64_MAX;
	if (node_now(w, n) >= replica_deadline(n->replica))
		node_event(w, n, &tick, NULL);
	else
		node_after(w, n);
}

/* A disk's failure ends the process; a full one is tried again. */
static void work_failed(struct world *w, struct node *n, enum replica_lane lane,
                        const struct err *e)
{
	chart_note(&w->chart, w->now, n->id, "disk: %s", e->msg);
	if (e->code == ENOSPC && n->job[lane] == JOB_WRITE) {
		world_happen(
		    w, w->now + FULL_RETRY,
		    (struct happening){
			.kind = HAPPEN_WORK, .slot = node_place(w, n), .life = n->life, .n = lane});
		return;
	}
	if (e->code != EIO && e->code != ENOSPC) {
		world_fail(w, "node %" PRIu64 ": disk work: %s", n->id, e->msg);
		return;
	}
	node_end(w, n, draw(w, 2) == 0, draw_range(w, 10 * MS, 3 * SEC));
}

static uint64_t sync_time(struct world *w, const struct node *n)
{
	uint64_t at = w->now + w->swarm.sync_ns / 2 + draw(w, w->swarm.sync_ns);

	if (draw(w, 64) == 0)
		at += draw(w, 20 * w->swarm.sync_ns);
	return at > n->stalls_until ? at : n->stalls_until;
}

/* 1: the job's next turn is in the heap; 0: it is synced; -1: the process is gone. */
static int sync_job(struct world *w, struct node *n, struct happening next)
{
	enum replica_lane lane = (enum replica_lane)next.n;
	struct err e;

	if (n->stalls_until > w->now) {
		world_happen(w, n->stalls_until, next);
		return 1;
	}
	if (replica_work_sync(n->replica, lane, &e) < 0) {
		work_failed(w, n, lane, &e);
		return -1;
	}
	n->job[lane] = JOB_TELL;
	if (draw(w, 8) != 0)
		return 0;
	world_happen(w, w->now + draw(w, MS), next);
	return 1;
}

void node_work(struct world *w, struct node *n, enum replica_lane lane, uint64_t life)
{
	struct happening next = {
	    .kind = HAPPEN_WORK, .slot = node_place(w, n), .life = life, .n = lane};
	struct err e;

	if (n->state != NODE_UP || n->life != life || n->job[lane] == JOB_NONE)
		return;
	if (n->job[lane] == JOB_WRITE) {
		if (replica_work_write(n->replica, lane, &e) < 0) {
			work_failed(w, n, lane, &e);
			return;
		}
		n->job[lane] = JOB_SYNC;
		world_happen(w, sync_time(w, n), next);
		return;
	}
	if (n->job[lane] == JOB_SYNC && sync_job(w, n, next) != 0)
		return;
	n->job[lane] = JOB_NONE;
	if (replica_work_end(n->replica, lane, node_now(w, n), &e) < 0)
		world_fail(w, "node %" PRIu64 " stops after disk work: %s", n->id, e.msg);
	node_after(w, n);
}
