/*
 * One seed: faults; then a majority is healed and has to make progress; then all are.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "world.h"

#define FAULTS_UNTIL  (48 * SEC)
#define FAULTS_MAX_AT (150 * SEC)
#define FAULTS_LEAST  20
#define OPS_LEAST     500
#define END_LEAST     (60 * SEC)
#define SERVE_LIMIT   (30 * SEC) /* for each client to get something done */
#define SETTLE_LIMIT  (30 * SEC) /* for all nodes to have one state */
#define LOOK_AGAIN    (50 * MS)
#define LEADER_LIMIT  10 /* election timeouts, of the longest that may be drawn */

void world_happen(struct world *w, uint64_t at, struct happening x)
{
	x.at = at < w->now ? w->now : at;
	heap_push(&w->heap, x);
}

void world_fail(struct world *w, const char *fmt, ...)
{
	va_list ap;

	if (w->failed)
		return;
	w->failed = true;
	va_start(ap, fmt);
	vsnprintf(w->why, sizeof(w->why), fmt, ap);
	va_end(ap);
	chart_note(&w->chart, w->now, 0, "VIOLATION: %s", w->why);
}

/* ---- Healing. */

static void heal_node(struct world *w, struct node *n)
{
	if (n->state == NODE_NONE)
		return;
	disk_disarm(n->disk);
	n->stalls_until = 0;
	n->sends_left = -1;
	node_set_clock(w, n, 1000000, 0);
	if (n->state == NODE_DOWN)
		node_start(w, n);
	if (n->paused)
		node_resume(w, n);
	for (unsigned lane = 0; lane < REPLICA_LANES; lane++)
		if (n->state == NODE_UP && n->job[lane] != JOB_NONE)
			node_work(w, n, lane, n->life);
}

static void heal(struct world *w, uint64_t places)
{
	w->net.lose_ppm = w->net.double_ppm = w->net.late_ppm = w->net.reorder_ppm = 0;
	w->net.big = 0;
	net_heal(w, places);
	for (unsigned i = 0; i < SLOTS && !w->failed; i++)
		if ((places >> i & 1) != 0)
			heal_node(w, &w->nodes[i]);
}

#define ALL_PLACES ((UINT64_C(1) << SLOTS) - 1)

/* Some are left out: as many as every configuration in force can do without. */
static void choose_left_out(struct world *w)
{
	w->left_out = 0;
	for (unsigned i = 0; i < 2 * SLOTS; i++) {
		uint64_t bit = UINT64_C(1) << draw(w, SLOTS);

		if (draw(w, 3) != 0 && operator_can_lose(w, w->left_out | bit))
			w->left_out |= bit;
	}
}

static void leave_out(struct world *w)
{
	for (unsigned i = 0; i < SLOTS; i++) {
		struct node *n = &w->nodes[i];

		if ((w->left_out >> i & 1) == 0)
			continue;
		for (unsigned k = 0; k < SLOTS; k++) {
			net_cut(w, i, k, true);
			net_cut(w, k, i, true);
		}
		if (draw(w, 2) == 0 && n->state == NODE_UP)
			node_end(w, n, draw(w, 2) == 0, 1000 * SEC);
	}
}

/* ---- Progress. */

static bool leads_and_commits(const struct world *w, const struct node *n)
{
	return n->state == NODE_UP && n->check.role == RAFT_LEADER && w->check.commit != 0 &&
	       n->check.commit == w->check.commit &&
	       w->check.committed[n->check.commit].mark.term == n->check.term;
}

static struct node *working_leader(struct world *w)
{
	struct node *n = world_leader(w);

	return n != NULL && leads_and_commits(w, n) ? n : NULL;
}

/* Have all members that are healed applied the same, all of it? */
static bool is_settled(struct world *w)
{
	struct node *leader = working_leader(w);
	struct raft_view v;

	if (leader == NULL)
		return false;
	raft_look(replica_raft(leader->replica), &v);
	if (v.commit != v.last.index || v.conf->joint)
		return false;
	for (uint32_t i = 0; i < v.conf->count; i++) {
		int place = node_slot(w, v.conf->member[i].id);
		const struct node *n = place < 0 ? NULL : &w->nodes[place];

		if (n == NULL || (w->left_out >> place & 1) != 0 || n->state == NODE_BROKEN ||
		    n->rotten)
			continue;
		if (n->state != NODE_UP || n->check.applied != v.commit)
			return false;
	}
	return true;
}

static void describe(const struct world *w, char *to, size_t n)
{
	size_t len = 0;

	for (unsigned i = 0; i < SLOTS && len + 100 < n; i++) {
		static const char *const states[] = {"none", "up", "down", "broken"};
		const struct node *x = &w->nodes[i];

		if (x->state != NODE_NONE)
			len += (size_t)snprintf(
			    to + len, n - len,
			    "; %" PRIu64 " %s%s role %d term %" PRIu64 " commit %" PRIu64, x->id,
			    states[x->state], (w->left_out >> i & 1) != 0 ? " left out" : "",
			    x->check.role, x->check.term, x->check.commit);
	}
}

static void no_progress(struct world *w, const char *what)
{
	char nodes[700] = "";

	describe(w, nodes, sizeof(nodes));
	world_fail(w, "progress: %s%s", what, nodes);
}

static void next_phase(struct world *w, enum phase phase)
{
	static const char *const names[] = {"faults", "majority healed", "settling", "all healed",
	                                    "end"};

	w->phase = phase;
	w->phase_began = w->now;
	w->led = false;
	chart_note(&w->chart, w->now, 0, "==== %s", names[phase]);
}

static void end_faults(struct world *w)
{
	bool enough = w->cover.count[COVER_FAULT] >= FAULTS_LEAST &&
	              w->cover.count[COVER_OP] >= OPS_LEAST && w->check.conf_committed_count > 0;

	if (!enough && w->now < FAULTS_MAX_AT)
		return;
	next_phase(w, PHASE_MAJORITY);
	choose_left_out(w);
	heal(w, ALL_PLACES & ~w->left_out);
	leave_out(w);
}

static void look_majority(struct world *w)
{
	uint64_t limit = LEADER_LIMIT * MS * 2 * w->swarm.election_ms;

	if (!w->led && working_leader(w) != NULL)
		w->led = true;
	if (!w->led && w->now - w->phase_began > limit)
		no_progress(w, "no leader after the majority was healed");
	if (clients_served(w, w->phase_began) && w->now + 5 * SEC > END_LEAST &&
	    w->cover.count[COVER_OP] >= OPS_LEAST) {
		clients_stop(w);
		next_phase(w, PHASE_SETTLE);
	} else if (!clients_served(w, w->phase_began) && w->now - w->phase_began > SERVE_LIMIT) {
		no_progress(w, "a client is not served");
	}
}

static void look_settle(struct world *w)
{
	if (clients_idle(w) && is_settled(w)) {
		next_phase(w, PHASE_ALL);
		w->left_out = 0;
		heal(w, ALL_PLACES);
	} else if (w->now - w->phase_began > SETTLE_LIMIT) {
		no_progress(w, "the healed nodes do not come to one state");
	}
}

static void check_states(struct world *w)
{
	struct err e;

	for (unsigned i = 0; i < SLOTS && !w->failed; i++)
		if (w->nodes[i].state == NODE_UP &&
		    kv_check(replica_kv(w->nodes[i].replica), &e) < 0)
			world_fail(w, "the state of node %" PRIu64 ": %s", w->nodes[i].id, e.msg);
}

static void look_all(struct world *w)
{
	if (is_settled(w) && w->now >= END_LEAST) {
		next_phase(w, PHASE_END);
		check_states(w);
		if (!w->failed)
			clients_check(w);
	} else if (w->now - w->phase_began > SETTLE_LIMIT + END_LEAST) {
		no_progress(w, "the nodes do not come to one state after all was healed");
	}
}

static void look(struct world *w)
{
	switch (w->phase) {
	case PHASE_FAULTS:
		end_faults(w);
		break;
	case PHASE_MAJORITY:
		look_majority(w);
		break;
	case PHASE_SETTLE:
		look_settle(w);
		break;
	case PHASE_ALL:
		look_all(w);
		break;
	case PHASE_END:
		break;
	}
	world_happen(w, w->now + LOOK_AGAIN, (struct happening){.kind = HAPPEN_PHASE});
}

/* ---- What happens. */

static void keep_late(struct node *n, const struct happening *x)
{
	n->late = check_grow(n->late, &n->late_cap, n->late_count + 1, sizeof(*n->late));
	n->late[n->late_count++] = *x;
}

static void deliver(struct world *w, const struct happening *x)
{
	struct packet *p = x->p;
	struct node *n = &w->nodes[x->slot];

	if (n->state == NODE_UP && n->id == p->to && net_open(w, p->from_place, x->slot))
		node_deliver(w, n, (struct span){p->bytes, p->len});
	packet_drop(p);
}

/* What is meant for a paused node waits for it. */
static bool waits(struct world *w, const struct happening *x)
{
	struct node *n = NULL;
	int place;

	switch (x->kind) {
	case HAPPEN_TICK:
	case HAPPEN_DELIVER:
	case HAPPEN_WORK:
		n = &w->nodes[x->slot];
		break;
	case HAPPEN_REQUEST:
		place = node_slot(w, ((struct request *)x->p)->node);
		n = place < 0 ? NULL : &w->nodes[place];
		break;
	default:
		break;
	}
	if (n == NULL || n->state != NODE_UP || !n->paused)
		return false;
	keep_late(n, x);
	return true;
}

static void handle(struct world *w, struct happening *x)
{
	struct node *n = &w->nodes[x->slot < SLOTS ? x->slot : 0];

	if (waits(w, x))
		return;
	switch ((enum happening_kind)x->kind) {
	case HAPPEN_TICK:
		node_tick(w, n, x->life);
		break;
	case HAPPEN_DELIVER:
		deliver(w, x);
		break;
	case HAPPEN_WORK:
		node_work(w, n, (enum replica_lane)x->n, x->life);
		break;
	case HAPPEN_START:
		if (n->life == x->life && (w->left_out >> x->slot & 1) == 0)
			node_start(w, n);
		break;
	case HAPPEN_RESUME:
		if (n->life == x->life)
			node_resume(w, n);
		break;
	case HAPPEN_FAULT:
		swarm_fault(w, x);
		break;
	case HAPPEN_MEND:
		swarm_mend(w, x);
		break;
	case HAPPEN_CLIENT:
		client_happens(w, x);
		break;
	case HAPPEN_REQUEST:
		client_request(w, x);
		break;
	case HAPPEN_ANSWER:
		client_answer(w, x);
		break;
	case HAPPEN_OPERATOR:
		operator_happens(w);
		break;
	case HAPPEN_PHASE:
		look(w);
		break;
	}
}

static void found_cluster(struct world *w)
{
	w->next_id = 1;
	w->boot = (struct raft_conf){.count = w->swarm.nodes};
	for (unsigned i = 0; i < w->swarm.nodes; i++)
		w->boot.member[i] =
		    (struct raft_member){.id = i + 1, .voter = true, .was_voter = true};
	for (unsigned i = 0; i < w->swarm.nodes; i++)
		(void)node_make(w, true);
	for (unsigned i = 0; i < w->swarm.nodes; i++)
		node_start(w, &w->nodes[i]);
}

static void tear_down(struct world *w)
{
	struct happening x;

	for (unsigned i = 0; i < SLOTS; i++) {
		struct node *n = &w->nodes[i];

		if (n->state == NODE_NONE)
			continue;
		for (unsigned f = 0; f < DISK_FAULTS; f++)
			w->cover.count[COVER_SYNC_EIO + f] += disk_hits(n->disk, f);
		node_done(n);
		check_node_done(&n->check);
		disk_free(n->disk);
	}
	while (heap_pop(&w->heap, &x))
		if (x.kind == HAPPEN_DELIVER)
			packet_drop(x.p);
		else if (x.kind == HAPPEN_REQUEST || x.kind == HAPPEN_ANSWER)
			free(x.p);
	heap_done(&w->heap);
	clients_free(w);
	check_done(w);
}

void world_run(struct world *w)
{
	struct happening x;

	w->rand = w->seed * 0x9e3779b97f4a7c15u + 1;
	check_begin(w);
	swarm_draw(w);
	found_cluster(w);
	clients_new(w);
	swarm_begin(w);
	world_happen(w, 5 * SEC, (struct happening){.kind = HAPPEN_OPERATOR});
	world_happen(w, FAULTS_UNTIL, (struct happening){.kind = HAPPEN_PHASE});
	while (!w->failed && w->phase != PHASE_END && heap_pop(&w->heap, &x)) {
		w->now = x.at;
		w->happened++;
		w->trace = (w->trace ^ (x.at << 8 | x.kind)) * 0x9fb21c651e98df25u ^
		           ((uint64_t)x.slot << 32 | (x.n & 0xffffffff));
		handle(w, &x);
	}
	tear_down(w);
}
