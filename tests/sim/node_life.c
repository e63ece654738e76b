/*
 * How a node comes to life, and how it ends.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

struct node *node_make(struct world *w, bool founder)
{
	for (unsigned i = 0; i < SLOTS; i++) {
		struct node *n = &w->nodes[i];

		if (n->state != NODE_NONE)
			continue;
		*n = (struct node){.w = w,
		                   .id = w->next_id++,
		                   .state = NODE_DOWN,
		                   .life = n->life + 1,
		                   .disk = disk_new(seeded_next(&w->rand)),
		                   .local_base = SEC + draw(w, 1000 * SEC),
		                   .world_base = w->now,
		                   .rate = 1000000,
		                   .tick_at = UINT64_MAX,
		                   .founder = founder,
		                   .sends_left = -1};
		return n;
	}
	return NULL;
}

static void start_later(struct world *w, struct node *n, uint64_t ns)
{
	world_happen(
	    w, w->now + ns,
	    (struct happening){.kind = HAPPEN_START, .slot = node_place(w, n), .life = n->life});
}

/* What a start that failed means: a damaged disk, which only rot explains, or one to try again. */
static void start_failed(struct world *w, struct node *n, const struct err *e)
{
	chart_note(&w->chart, w->now, n->id, "does not start: %s", e->msg);
	disk_kill(n->disk);
	if (e->code == WAL_DAMAGED || e->code == EBADMSG) {
		if (!n->rotten)
			world_fail(w, "node %" PRIu64 " refuses to start over a sound disk: %s",
			           n->id, e->msg);
		w->cover.count[COVER_REFUSED]++;
		n->state = NODE_BROKEN;
		return;
	}
	if (e->code != EIO && e->code != ENOSPC)
		world_fail(w, "node %" PRIu64 " does not start: %s", n->id, e->msg);
	start_later(w, n, draw_range(w, 100 * MS, SEC));
}

void node_start(struct world *w, struct node *n)
{
	struct replica_config c;
	struct buf note = {0};
	struct err e;

	if (n->state != NODE_DOWN)
		return;
	n->life++;
	c = node_config(w, n);
	n->replica = replica_open(&c, node_now(w, n), &note, &e);
	if (note.len > 0) {
		buf_add_char(&note, '\0');
		chart_note(&w->chart, w->now, n->id, "%s", note.data);
		if (strstr(note.data, "cut") != NULL)
			w->cover.count[COVER_TORN]++;
	}
	buf_done(&note);
	if (n->replica == NULL) {
		start_failed(w, n, &e);
		return;
	}
	w->cover.count[COVER_RESTART]++;
	n->state = NODE_UP;
	n->tick_at = UINT64_MAX;
	n->begun = w->now;
	n->dies = false;
	n->sends_left = -1;
	check_started(w, n);
	n->rotten = false;
	chart_note(&w->chart, w->now, n->id,
	           "starts: term %" PRIu64 ", log to %" PRIu64 ", snapshot %" PRIu64, n->check.term,
	           marks_last(&n->check.log), n->check.applied);
	if (w->failed)
		return;
	watches_begin(w, n);
	node_after(w, n);
}

void node_end(struct world *w, struct node *n, bool power, uint64_t down_ns)
{
	if (n->state != NODE_UP)
		return;
	chart_note(&w->chart, w->now, n->id, power ? "loses power" : "is killed");
	for (unsigned i = 0; i < REPLICA_LANES; i++)
		if (n->job[i] != JOB_NONE)
			w->cover.count[COVER_MID_JOB]++;
	if (n->orderly) {
		watches_end(n);
		replica_close(n->replica);
		n->replica = NULL;
		n->orderly = false;
	}
	if (power)
		disk_power_loss(n->disk);
	else
		disk_kill(n->disk);
	node_done(n);
	n->state = NODE_DOWN;
	start_later(w, n, down_ns);
}

/* Free what a process has; its disk stays. */
void node_done(struct node *n)
{
	n->life++;
	n->resumes = n->check.snapshot_begun;
	n->check.snapshot_begun = false;
	client_forget(n);
	if (n->replica != NULL)
		watches_end(n);
	replica_close(n->replica);
	n->replica = NULL;
	disk_kill(n->disk);
	memset(n->job, 0, sizeof(n->job));
	n->check.role = RAFT_FOLLOWER;
	n->paused = false;
	for (size_t i = 0; i < n->late_count; i++)
		if (n->late[i].kind == HAPPEN_DELIVER)
			packet_drop(n->late[i].p);
		else if (n->late[i].kind == HAPPEN_REQUEST)
			free(n->late[i].p);
	free(n->late);
	n->late = NULL;
	n->late_count = n->late_cap = 0;
	n->dies = false;
}

void node_wipe(struct world *w, struct node *n)
{
	chart_note(&w->chart, w->now, n->id, "is wiped");
	w->cover.count[COVER_WIPED]++;
	node_done(n);
	check_node_done(&n->check);
	disk_free(n->disk);
	n->disk = NULL;
	n->state = NODE_NONE;
}

void node_pause(struct world *w, struct node *n, uint64_t ns)
{
	if (n->state != NODE_UP || n->paused)
		return;
	chart_note(&w->chart, w->now, n->id, "is paused for %" PRIu64 " ms", ns / MS);
	n->paused = true;
	world_happen(
	    w, w->now + ns,
	    (struct happening){.kind = HAPPEN_RESUME, .slot = node_place(w, n), .life = n->life});
}

void node_resume(struct world *w, struct node *n)
{
	struct happening *late = n->late;
	size_t count = n->late_count;

	if (!n->paused)
		return;
	n->paused = false;
	n->late = NULL;
	n->late_count = n->late_cap = 0;
	for (size_t i = 0; i < count; i++)
		world_happen(w, w->now, late[i]);
	free(late);
	n->tick_at = UINT64_MAX;
	node_after(w, n);
}
