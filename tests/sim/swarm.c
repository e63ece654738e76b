#include "swarm.h"

#include <string.h>

#include "world.h"

/* How long what a fault does lasts, at most. */
#define CUT_MAX   (8 * SEC)
#define PAUSE_MAX (20 * SEC)
#define STALL_MAX (30 * SEC)

/* Faults of which a seed has all that it can take: at least so many are expected. */
#define EXPECTED   40
#define FAULT_TIME 50 /* s */

/* Between low and high, with as many small ones as large ones. */
static uint64_t draw_log(struct world *w, uint64_t low, uint64_t high)
{
	uint64_t top = low << draw(w, 8);

	return draw_range(w, low, top > high ? high : top);
}

static void draw_rates(struct world *w)
{
	struct swarm *s = &w->swarm;
	uint64_t expected = 0;

	for (unsigned i = 0; i < FAULT_KINDS; i++) {
		s->mean_ns[i] = draw(w, 2) == 0 ? 0 : draw_range(w, 3000, 25000) * MS;
		if (i == FAULT_POWER_ALL && s->mean_ns[i] != 0)
			s->mean_ns[i] *= 3;
	}
	/* Clocks that rush have no place where a lease counts on them; what a lease fears does. */
	if (s->leases) {
		s->mean_ns[FAULT_CLOCK_JUMP] = 0;
		s->mean_ns[FAULT_ISOLATE] = 6 * SEC;
		s->mean_ns[FAULT_ASIDE] = 3 * SEC;
		s->mean_ns[FAULT_CLOCK_RATE] = 6 * SEC;
	}
	for (unsigned i = 0; i < FAULT_KINDS; i++)
		if (s->mean_ns[i] != 0)
			expected += FAULT_TIME * SEC / s->mean_ns[i];
	for (unsigned i = 0; expected < EXPECTED && i < FAULT_KINDS; i++)
		if (s->mean_ns[i] != 0)
			s->mean_ns[i] = s->mean_ns[i] * (expected + 1) / EXPECTED;
	if (expected == 0)
		s->mean_ns[FAULT_KILL] = s->mean_ns[FAULT_SPLIT] = 2 * SEC;
}

void swarm_draw(struct world *w)
{
	struct swarm *s = &w->swarm;
	bool big = draw(w, 10) == 0;

	*s = (struct swarm){.leases = draw(w, 4) == 0, .nodes = 3 + (unsigned)draw(w, 5)};
	draw_rates(w);
	s->jumps = s->mean_ns[FAULT_CLOCK_JUMP] != 0;
	s->rate_max = s->leases ? 1005000 : 2000000;
	s->clients = 5 + (unsigned)draw(w, 6);
	s->think_ns = draw_range(w, 200, 450) * MS;
	s->value_pad = big ? 12000 : draw(w, 3) == 0 ? 300 : 0;
	s->operator_ns = draw_range(w, s->leases ? 700 : 1500, s->leases ? 2000 : 6000) * MS;
	s->sync_ns = draw_log(w, 100 * US, 10 * MS);
	s->heartbeat_ms = (uint32_t)draw_range(w, 100, 150);
	s->election_ms = (uint32_t)draw_range(w, 500, 1000);
	s->chunk_bytes = (uint32_t)draw_log(w, 256, big ? 16384 : 4096);
	s->piece_bytes = (uint32_t)draw_log(w, 256, 16384);
	s->inflight = (uint32_t)draw_log(w, 1, 64);
	s->message_entries = (uint32_t)draw_log(w, 1, 64);
	s->snapshot_entries = draw_range(w, 10, 60);
	s->trailing = draw(w, 12);
	s->trailing_max = s->trailing + draw(w, 60);
	s->segment_bytes = WAL_SEGMENT_MIN << draw(w, 3);
	s->uncommitted_bytes = draw(w, 4) == 0 ? 2000 : 1 << 20;
	w->net.delay_ns = draw_log(w, 100 * US, 10 * MS);
	w->net.spread_ns = draw_log(w, 50 * US, 10 * MS);
	w->net.flap_ns = draw_range(w, 50, 500) * MS;
}

static void next_fault(struct world *w, uint64_t kind)
{
	uint64_t mean = w->swarm.mean_ns[kind];

	world_happen(w, w->now + draw(w, 2 * mean),
	             (struct happening){.kind = HAPPEN_FAULT, .n = kind});
}

void swarm_begin(struct world *w)
{
	for (unsigned i = 0; i < FAULT_KINDS; i++)
		if (w->swarm.mean_ns[i] != 0)
			next_fault(w, i);
}

static void mend_at(struct world *w, uint64_t ns, enum fault kind, uint64_t what)
{
	world_happen(w, w->now + ns,
	             (struct happening){.kind = HAPPEN_MEND, .n = kind, .life = what});
}

/* ---- Whom. */

static struct node *any_up(struct world *w)
{
	for (unsigned i = 0; i < 4 * SLOTS; i++) {
		struct node *n = &w->nodes[draw(w, SLOTS)];

		/* One that receives a snapshot is worth another look. */
		if (n->state == NODE_UP &&
		    (n->check.snapshot_begun || i >= 2 * SLOTS || i % 2 == 1))
			return n;
	}
	return NULL;
}

static struct node *leader_or_any(struct world *w)
{
	struct node *leader = draw(w, 2) == 0 ? world_leader(w) : NULL;

	return leader != NULL ? leader : any_up(w);
}

static uint32_t place(const struct world *w, const struct node *n)
{
	return (uint32_t)(n - w->nodes);
}

/* ---- Links. */

/* Cut all links between a set of places and the others; the bits go to the mend. */
static void cut_set(struct world *w, uint64_t set, bool out, bool in)
{
	for (uint32_t a = 0; a < SLOTS; a++)
		for (uint32_t b = 0; b < SLOTS; b++) {
			if ((set >> a & 1) == 0 || (set >> b & 1) != 0)
				continue;
			if (out)
				net_cut(w, a, b, true);
			if (in)
				net_cut(w, b, a, true);
		}
}

static void bridge(struct world *w)
{
	uint64_t left = seeded_next(&w->rand) & ((1u << SLOTS) - 1);
	uint32_t middle = (uint32_t)draw(w, SLOTS);

	for (uint32_t a = 0; a < SLOTS; a++)
		for (uint32_t b = 0; b < SLOTS; b++)
			if (a != middle && b != middle && (left >> a & 1) != (left >> b & 1))
				net_cut(w, a, b, true);
}

/* All links but those with a place that is left out are whole again. */
static void mend_cuts(struct world *w)
{
	for (uint32_t a = 0; a < SLOTS; a++)
		for (uint32_t b = 0; b < SLOTS; b++)
			net_cut(w, a, b, false);
}

static void each_link(struct world *w, const struct node *n, bool flaps, uint32_t bytes_per_s)
{
	for (uint32_t b = 0; b < SLOTS; b++) {
		struct link *out = &w->net.links[place(w, n)][b];
		struct link *in = &w->net.links[b][place(w, n)];

		out->flaps = in->flaps = flaps;
		out->bytes_per_s = in->bytes_per_s = bytes_per_s;
	}
}

void swarm_deafen(struct world *w, struct node *n)
{
	cut_set(w, UINT64_C(1) << place(w, n), false, true);
	mend_at(w, draw_range(w, 200, 2000) * MS, FAULT_ONE_WAY, place(w, n));
}

/*
 * A follower that does not hear the leader begins to ask for votes; some time later the leader
 * hears nobody any more, and does not know whether it was voted out.
 */
static void put_aside(struct world *w)
{
	struct node *leader = world_leader(w);
	struct node *other = any_up(w);

	if (leader == NULL || other == NULL || other == leader)
		return;
	w->cover.count[COVER_ASIDE]++;
	net_cut(w, place(w, leader), place(w, other), true);
	net_cut(w, place(w, other), place(w, leader), true);
	mend_at(w, draw_range(w, 0, UINT64_C(3) * w->swarm.election_ms) * MS, FAULT_ASIDE,
	        place(w, leader));
}

static void net_fault(struct world *w, enum fault kind)
{
	struct node *n = leader_or_any(w);
	uint64_t length = draw_log(w, 50 * MS, CUT_MAX);

	if (n == NULL)
		return;
	switch (kind) {
	case FAULT_SPLIT:
		w->cover.count[COVER_SPLIT]++;
		cut_set(w, seeded_next(&w->rand) & ((1u << SLOTS) - 1), true, true);
		break;
	case FAULT_ONE_WAY:
		w->cover.count[COVER_ONE_WAY]++;
		cut_set(w, 1u << place(w, n), draw(w, 2) == 0, false);
		if (draw(w, 2) == 0)
			cut_set(w, 1u << place(w, n), false, true);
		break;
	case FAULT_BRIDGE:
		w->cover.count[COVER_BRIDGE]++;
		bridge(w);
		break;
	case FAULT_ISOLATE:
		n = world_leader(w) != NULL ? world_leader(w) : n;
		w->cover.count[COVER_ISOLATED]++;
		cut_set(w, 1u << place(w, n), true, true);
		break;
	case FAULT_FLAP:
		w->cover.count[COVER_FLAP]++;
		each_link(w, n, true, 0);
		break;
	case FAULT_SLOW_LINK:
		w->cover.count[COVER_SLOW_LINK]++;
		each_link(w, n, false, (uint32_t)draw_log(w, 2000, 200000));
		break;
	case FAULT_ASIDE:
		put_aside(w);
		return;
	case FAULT_NOISE:
		w->net.lose_ppm = (uint32_t)draw(w, 300000);
		w->net.double_ppm = (uint32_t)draw(w, 200000);
		w->net.late_ppm = (uint32_t)draw(w, 20000);
		w->net.reorder_ppm = (uint32_t)draw(w, 500000);
		break;
	default:
		w->net.big = 100 + draw(w, 2000);
		w->net.big_ppm = (uint32_t)draw_range(w, 100000, 900000);
		break;
	}
	mend_at(w, length, kind, place(w, n));
}

/* ---- Disks. */

static bool is_kind(struct span name, enum fault kind, unsigned segments)
{
	bool snapshot = name.len > 5 && memcmp(name.p + name.len - 5, ".snap", 5) == 0;
	bool segment = name.len > 4 && memcmp(name.p + name.len - 4, ".wal", 4) == 0;

	return kind == FAULT_ROT_SNAPSHOT ? snapshot : segment && segments > 0;
}

/*
 * A bit that was durable flips.  In a segment behind which others are, or in a snapshot, or in the
 * head of the oldest segment; never where nobody could tell it from a torn tail.
 */
static bool flip(struct world *w, struct node *n, enum fault kind)
{
	unsigned segments = 0, chosen = 0, seen = 0;
	struct span name;
	size_t size, at;

	for (unsigned i = 0; disk_file(n->disk, i, &name, &size); i++)
		segments += is_kind(name, FAULT_ROT_SEGMENT, 1);
	for (unsigned i = 0; disk_file(n->disk, i, &name, &size); i++) {
		if (!is_kind(name, kind, segments) || size == 0)
			continue;
		seen++;
		if (kind != FAULT_ROT_SNAPSHOT && seen + 1 >= segments)
			break;
		if (draw(w, seen) == 0)
			chosen = i + 1;
	}
	if (chosen == 0)
		return false;
	(void)disk_file(n->disk, chosen - 1, &name, &size);
	at = kind == FAULT_ROT_HEAD ? draw(w, size < 64 ? size : 64) : draw(w, size);
	disk_rot(n->disk, chosen - 1, at, (unsigned)draw(w, 8));
	return true;
}

static void rot(struct world *w, struct node *n, enum fault kind)
{
	static const enum cover_class class[] = {COVER_ROT_SEGMENT, COVER_ROT_SNAPSHOT,
	                                         COVER_ROT_HEAD};

	if (!operator_can_lose(w, UINT64_C(1) << place(w, n)) || !flip(w, n, kind))
		return;
	w->cover.count[class[kind - FAULT_ROT_SEGMENT]]++;
	chart_note(&w->chart, w->now, n->id, "a bit rots");
	n->rotten = true;
	if (kind != FAULT_ROT_SNAPSHOT || draw(w, 2) == 0)
		node_end(w, n, false, draw_range(w, 10 * MS, SEC));
}

static void disk_fault(struct world *w, enum fault kind)
{
	struct node *n = leader_or_any(w);
	uint64_t length;

	if (n == NULL)
		return;
	switch (kind) {
	case FAULT_SYNC_EIO:
		disk_arm(n->disk, DISK_SYNC_EIO, 1 + (unsigned)draw(w, 6));
		break;
	case FAULT_FULL:
		disk_arm(n->disk, DISK_WRITE_FULL, 1 + (unsigned)draw(w, 6));
		break;
	case FAULT_SHORT:
		disk_arm(n->disk, DISK_WRITE_SHORT, 1 + (unsigned)draw(w, 6));
		break;
	case FAULT_READ_EIO:
		disk_arm(n->disk, DISK_READ_EIO, 1 + (unsigned)draw(w, 6));
		break;
	case FAULT_STALL:
	case FAULT_HANG:
		length = kind == FAULT_HANG ? 1000 * SEC : draw_log(w, 100 * MS, STALL_MAX);
		w->cover.count[kind == FAULT_HANG ? COVER_HANG : COVER_STALL]++;
		if (n->stalls_until < w->now + length)
			n->stalls_until = w->now + length;
		if (kind == FAULT_HANG) /* until somebody takes the power away */
			mend_at(w, draw_log(w, SEC, 10 * SEC), kind, place(w, n));
		break;
	default:
		rot(w, n, kind);
		break;
	}
}

/* ---- Processes and clocks. */

static void power_all(struct world *w)
{
	w->cover.count[COVER_POWER_ALL]++;
	for (unsigned i = 0; i < SLOTS; i++)
		if (w->nodes[i].state == NODE_UP)
			node_end(w, &w->nodes[i], true, draw_range(w, 10 * MS, 2 * SEC));
}

static void clock_fault(struct world *w, struct node *n, enum fault kind)
{
	if (kind == FAULT_CLOCK_JUMP) {
		w->cover.count[COVER_CLOCK_JUMP]++;
		node_set_clock(w, n, n->rate, draw_log(w, 10 * MS, 20 * SEC));
		return;
	}
	w->cover.count[COVER_CLOCK_RATE]++;
	node_set_clock(
	    w, n, w->swarm.leases ? draw_range(w, 995000, 1005000) : draw_range(w, 500000, 2000000),
	    0);
}

static void orderly(struct world *w, struct node *n)
{
	w->cover.count[COVER_CLOSE]++;
	n->orderly = n->job[0] == JOB_NONE && n->job[1] == JOB_NONE;
	node_end(w, n, false, draw_range(w, 10 * MS, SEC));
}

static void process_fault(struct world *w, enum fault kind)
{
	struct node *n = kind == FAULT_KILL_LEADER ? world_leader(w) : leader_or_any(w);
	uint64_t down = draw_log(w, 10 * MS, 10 * SEC);

	if (n == NULL)
		return;
	switch (kind) {
	case FAULT_POWER:
		w->cover.count[COVER_POWER]++;
		node_end(w, n, true, down);
		break;
	case FAULT_POWER_ALL:
		power_all(w);
		break;
	case FAULT_KILL:
	case FAULT_KILL_LEADER:
		w->cover.count[COVER_KILL]++;
		node_end(w, n, false, down);
		break;
	case FAULT_MID_STEP:
		n->sends_left = (int)draw(w, 8);
		n->power = draw(w, 2) == 0;
		break;
	case FAULT_CLOSE:
		orderly(w, n);
		break;
	case FAULT_PAUSE:
		w->cover.count[COVER_PAUSE]++;
		node_pause(w, n, draw_log(w, 100 * MS, PAUSE_MAX));
		break;
	case FAULT_WIPE:
		if (!operator_can_lose(w, UINT64_C(1) << place(w, n)))
			return;
		node_end(w, n, true, down);
		node_wipe(w, n);
		break;
	default:
		clock_fault(w, n, kind);
		break;
	}
}

void swarm_fault(struct world *w, const struct happening *x)
{
	enum fault kind = (enum fault)x->n;

	if (w->phase != PHASE_FAULTS)
		return;
	next_fault(w, kind);
	w->cover.count[COVER_FAULT]++;
	if (kind >= FAULT_SPLIT && kind <= FAULT_BIG_CUT)
		net_fault(w, kind);
	else if (kind >= FAULT_SYNC_EIO && kind <= FAULT_HANG)
		disk_fault(w, kind);
	else
		process_fault(w, kind);
}

void swarm_mend(struct world *w, const struct happening *x)
{
	struct node *n = &w->nodes[x->life];

	if (w->phase != PHASE_FAULTS)
		return;
	switch ((enum fault)x->n) {
	case FAULT_FLAP:
	case FAULT_SLOW_LINK:
		each_link(w, n, false, 0);
		break;
	case FAULT_ASIDE:
		swarm_deafen(w, n);
		break;
	case FAULT_NOISE:
		w->net.lose_ppm = w->net.double_ppm = w->net.late_ppm = w->net.reorder_ppm = 0;
		break;
	case FAULT_BIG_CUT:
		w->net.big = 0;
		break;
	case FAULT_HANG:
		n->stalls_until = 0;
		if (n->state == NODE_UP) {
			w->cover.count[COVER_POWER]++;
			node_end(w, n, true, draw_range(w, 10 * MS, SEC));
		}
		break;
	default:
		mend_cuts(w);
		break;
	}
}
