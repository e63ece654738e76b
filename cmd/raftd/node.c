#include "node.h"

#include <errno.h>
#include <stdlib.h>

#include "datadir.h"
#include "node_impl.h"
#include "os/clock.h"
#include "os/rand.h"

uint64_t node_now(void)
{
	return (uint64_t)clock_boot_ns();
}

static void fail(struct node *n, const struct err *e)
{
	if (n->failed)
		return;
	n->failed = true;
	n->cfg.failed(n->cfg.ctx, e);
}

/* ---- Hooks: what comes of a step. */

static void hook_send(void *ctx, const struct raft_message *m, struct span bytes)
{
	(void)ctx; /* this node is alone: nobody is there to send to */
	(void)m;
	(void)bytes;
}

static void hook_applied(void *ctx, const struct raft_entry *entry, const struct kv_output *out)
{
	wait_applied(ctx, entry, out);
}

static void hook_read(void *ctx, uint64_t context, bool granted)
{
	wait_read(ctx, context, granted);
}

static void hook_installed(void *ctx, struct raft_point at, const struct kv_output *out)
{
	wait_installed(ctx, at, out);
}

static void hook_stepped(void *ctx, const struct raft_event *event, const struct raft_output *out)
{
	struct node *n = ctx;

	if (event->type == RAFT_RECEIVE && out->drop == RAFT_KEPT &&
	    event->message->type == RAFT_APPEND)
		n->heard_ns = event->now;
	if (event->type == RAFT_SNAPSHOT_TAKEN)
		n->stat.snapshots++;
	n->changed = n->changed || out->changed;
}

/* ---- Steps. */

static void on_timer(uv_timer_t *timer)
{
	struct node *n = timer->data;
	uint64_t now = node_now();

	n->timer_ns = UINT64_MAX;
	wait_expire(n, now);
	if (replica_deadline(n->replica) <= now) {
		struct raft_event tick = {.type = RAFT_TICK};
		struct replica_answer a;

		node_step(n, &tick, &a);
	}
	wait_tick(n, now);
	node_arm(n);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* When the state has something that expires, in our time; only a leader lets it. */
static uint64_t expiry_at(const struct node *n, uint64_t now)
{
	uint64_t next = kv_next_expiry(replica_kv(n->replica));
	uint64_t clock;

	if (next == UINT64_MAX || n->ticking || n->leader != n->cfg.id)
		return UINT64_MAX;
	clock = raft_clock(replica_raft(n->replica), now);
	return next <= clock ? now : now + (next - clock);
}

void node_arm(struct node *n)
{
	const struct timeout *first = timeouts_first(&n->timeouts);
	uint64_t now = node_now();
	uint64_t at = earlier(replica_deadline(n->replica), expiry_at(n, now));

	if (first != NULL)
		at = earlier(at, first->at_ns);
	/* One that is early fires, and is armed anew: cheaper than to move it at each step. */
	if (at >= n->timer_ns || n->failed)
		return;
	n->timer_ns = at;
	uv_update_time(n->cfg.loop);
	uv_timer_start(&n->timer, on_timer, at <= now ? 0 : (at - now + 999999) / 1000000, 0);
}

static void begin_jobs(struct node *n)
{
	for (int i = 0; i < REPLICA_LANES; i++)
		if (!lane_is_busy(&n->lanes[i]) &&
		    replica_work_begin(n->replica, (enum replica_lane)i))
			lane_give(&n->lanes[i]);
}

static void look(struct node *n)
{
	struct raft_view v;

	raft_look(node_raft(n), &v);
	if (v.leader != 0 && v.leader != n->leader)
		n->stat.leader_changes++;
	n->leader = v.leader;
	n->cfg.changed(n->cfg.ctx);
}

static void after(struct node *n)
{
	if (n->failed)
		return;
	begin_jobs(n);
	if (n->changed) {
		n->changed = false;
		look(n);
	}
	node_arm(n);
}

void node_step(struct node *n, struct raft_event *event, struct replica_answer *ret)
{
	struct err e;

	event->now = node_now();
	if (replica_step(n->replica, event, ret, &e) < 0)
		fail(n, &e);
	after(n);
}

static void on_wake(uv_async_t *wake)
{
	struct node *n = wake->data;
	struct err e;

	for (int i = 0; i < REPLICA_LANES && !n->failed; i++) {
		uint64_t ns = 0;
		int r = lane_take(&n->lanes[i], &ns, &e);

		if (r > 0 && i == REPLICA_LOG) {
			n->stat.syncs++;
			n->stat.sync_ns += ns;
		}
		if (r < 0 || (r > 0 && replica_work_end(n->replica, (enum replica_lane)i,
		                                        node_now(), &e) < 0))
			fail(n, &e);
	}
	after(n);
}

/* ---- Once a turn of the loop. */

static void on_again(uv_idle_t *idle)
{
	(void)idle; /* that it is there keeps the loop from waiting */
}

void node_stir(struct node *n)
{
	if (!uv_is_active((uv_handle_t *)&n->again))
		uv_idle_start(&n->again, on_again);
}

static void flush(struct node *n)
{
	if (!uv_is_active((uv_handle_t *)&n->again))
		return;
	wait_flush(n);
	wait_tick(n, node_now());
	if (n->proposals.first == NULL && n->reads.first == NULL && n->ready.first == NULL)
		uv_idle_stop(&n->again);
}

static void on_check(uv_check_t *check)
{
	flush(check->data);
}

static void on_prepare(uv_prepare_t *prepare)
{
	flush(prepare->data);
}

/* ---- Opening and closing. */

static int open_log_dir(struct node *n, struct err *e)
{
	n->dir = file_open_dir(&io_os, n->cfg.dir, DATADIR_LOG, e);
	if (n->dir >= 0 || e->code != ENOENT)
		return n->dir < 0 ? -1 : 0;
	if (io_os.mkdirat(n->cfg.dir, DATADIR_LOG, 0700) < 0)
		return err_sys(e, "make '%s'", DATADIR_LOG);
	if (file_sync_dir(&io_os, n->cfg.dir, e) < 0)
		return -1;
	n->dir = file_open_dir(&io_os, n->cfg.dir, DATADIR_LOG, e);
	return n->dir < 0 ? -1 : 0;
}

static int open_replica(struct node *n, struct buf *note, struct err *e)
{
	struct raft_conf alone = {.count = 1,
	                          .member = {{.id = n->cfg.id, .voter = true, .was_voter = true}}};
	struct replica_config c = {
	    .raft = {.cluster = n->cfg.cluster,
	             .self = n->cfg.id,
	             .heartbeat_ns = n->cfg.heartbeat_ns,
	             .election_ns = n->cfg.election_ns},
	    .wal = {.io = &io_os, .dir = n->dir, .mode = 0600, .pid = (uint64_t)uv_os_getpid()},
	    .boot = n->cfg.boot ? &alone : NULL,
	    .hooks = {.ctx = n,
	              .send = hook_send,
	              .applied = hook_applied,
	              .read = hook_read,
	              .installed = hook_installed,
	              .stepped = hook_stepped},
	};

	if (rand_bytes(&c.raft.seed, sizeof(c.raft.seed), e) < 0 ||
	    rand_bytes(&c.wal.salt, sizeof(c.wal.salt), e) < 0)
		return -1;
	n->replica = replica_open(&c, node_now(), note, e);
	return n->replica == NULL ? -1 : 0;
}

static void start_handles(struct node *n)
{
	uv_loop_t *loop = n->cfg.loop;

	(void)uv_async_init(loop, &n->wake, on_wake);
	(void)uv_timer_init(loop, &n->timer);
	(void)uv_check_init(loop, &n->check);
	(void)uv_prepare_init(loop, &n->prepare);
	(void)uv_idle_init(loop, &n->again);
	n->wake.data = n->timer.data = n->check.data = n->prepare.data = n->again.data = n;
	uv_check_start(&n->check, on_check);
	uv_prepare_start(&n->prepare, on_prepare);
	n->handles = 5;
}

struct node *node_open(const struct node_config *cfg, struct buf *note, struct err *e)
{
	struct node *n = calloc(1, sizeof(*n));

	if (n == NULL) {
		(void)err_set(e, ENOMEM, "out of memory");
		return NULL;
	}
	n->cfg = *cfg;
	n->dir = -1;
	n->timer_ns = UINT64_MAX;
	if (open_log_dir(n, e) < 0 || open_replica(n, note, e) < 0) {
		file_close(&io_os, n->dir);
		free(n);
		return NULL;
	}
	start_handles(n);
	for (int i = 0; i < REPLICA_LANES; i++)
		if (lane_start(&n->lanes[i], n->replica, (enum replica_lane)i, &n->wake, e) < 0) {
			node_close(n);
			return NULL;
		}
	n->changed = true;
	after(n);
	return n;
}

static void on_closed(uv_handle_t *handle)
{
	struct node *n = handle->data;

	if (--n->handles == 0)
		free(n);
}

void node_close(struct node *n)
{
	uv_handle_t *handles[] = {(uv_handle_t *)&n->wake, (uv_handle_t *)&n->timer,
	                          (uv_handle_t *)&n->check, (uv_handle_t *)&n->prepare,
	                          (uv_handle_t *)&n->again};

	for (int i = 0; i < REPLICA_LANES; i++)
		lane_stop(&n->lanes[i]);
	n->failed = true; /* no more steps */
	wait_stop(n);
	replica_close(n->replica);
	file_close(&io_os, n->dir);
	for (size_t i = 0; i < sizeof(handles) / sizeof(handles[0]); i++)
		uv_close(handles[i], on_closed);
}

/* ---- Looking. */

struct kv *node_kv(struct node *n)
{
	return replica_kv(n->replica);
}

const struct raft *node_raft(const struct node *n)
{
	return replica_raft(n->replica);
}

uint64_t node_last_contact_ms(const struct node *n)
{
	if (n->leader == n->cfg.id)
		return 0;
	return n->heard_ns == 0 ? UINT64_MAX : (node_now() - n->heard_ns) / UINT64_C(1000000);
}

void node_get_stat(const struct node *n, struct node_stat *ret)
{
	*ret = n->stat;
	ret->waiting_proposals = n->proposals.count + n->proposed.count;
	ret->waiting_reads = n->reads.count + n->rounds.count;
	ret->waiting_watches = n->watches.count;
}
