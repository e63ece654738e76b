/*
 * world: a simulated cluster: nodes with clocks and disks, a network, clients, an operator, and
 * what goes wrong.
 *
 * One run is one seed: all randomness is drawn from it, and time is a number.  What happens is a
 * heap of happenings; each is handled at its time, and whatever it touched is checked (check.h).
 */
#ifndef SHOAL_SIM_WORLD_H
#define SHOAL_SIM_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "chart.h"
#include "check.h"
#include "cover.h"
#include "disk.h"
#include "heap.h"
#include "net.h"
#include "raft/raft.h"
#include "replica/replica.h"
#include "seeded.h"
#include "swarm.h"

#define US  UINT64_C(1000)
#define MS  UINT64_C(1000000)
#define SEC UINT64_C(1000000000)

#define SLOTS       12 /* places for nodes; a wiped or removed one frees its place */
#define MEMBERS_MAX 7  /* that the operator makes */
#define CLUSTER     UINT64_C(0xc1)

enum happening_kind {
	HAPPEN_TICK = 1, /* a node's deadline */
	HAPPEN_DELIVER,  /* p: a packet */
	HAPPEN_WORK,     /* n: the lane; the next turn of its job */
	HAPPEN_START,    /* a node that is down starts */
	HAPPEN_RESUME,   /* a node that was paused goes on */
	HAPPEN_FAULT,    /* n: enum fault; the next one of its kind */
	HAPPEN_MEND,     /* n: enum fault; slot: what of it ends */
	HAPPEN_CLIENT,   /* slot: a client that has thought, or whose patience ends */
	HAPPEN_REQUEST,  /* p: a request that reaches a node */
	HAPPEN_ANSWER,   /* p: an answer that reaches a client */
	HAPPEN_OPERATOR,
	HAPPEN_PHASE
};

enum node_state {
	NODE_NONE, /* the place is free */
	NODE_UP,
	NODE_DOWN,   /* starts again */
	NODE_BROKEN, /* refuses to start: its disk is damaged */
};

/* A job of a lane: written at its first turn, synced at its second, told at its third. */
enum job_turn { JOB_NONE, JOB_WRITE, JOB_SYNC, JOB_TELL };

#define WATCHES 3

/* A watch of a key, kept up for as long as the node lives. */
struct watch {
	struct kv_watch *handle;
	unsigned key;
	uint64_t modify; /* of the key when it was set up; 0: absent */
};

struct node {
	struct world *w;
	uint64_t id;
	enum node_state state;
	uint64_t life; /* grows with each start and each end */
	struct disk *disk;
	struct replica *replica;
	struct check_node check;

	/* Its clock: local = local_base + (now - world_base) * rate / 1000000. */
	uint64_t local_base, world_base, rate;
	uint64_t tick_at; /* the happening that is under way, or UINT64_MAX */
	bool paused;
	struct happening *late; /* what came while it was paused */
	size_t late_count, late_cap;

	enum job_turn job[REPLICA_LANES];
	uint64_t stalls_until; /* its disk */
	uint64_t begun;        /* when it was started last */
	bool rotten;           /* a bit of its disk was flipped */
	bool founder;          /* starts with the members of the new cluster */
	bool resumes;          /* it went down in the middle of a snapshot that it received */
	bool was_member;
	uint64_t outside_since; /* it is in no configuration */
	int sends_left;         /* messages until it crashes in the middle of a step; -1: not */
	bool dies;              /* once the step is over */
	bool orderly;           /* it closes its log before it ends */
	bool power;             /* with the power, else by a signal */

	struct watch watches[WATCHES];

	/* What its clients wait for. */
	struct pending *pending;
	size_t pending_count, pending_cap;
};

struct world {
	uint64_t seed;
	uint64_t rand;
	uint64_t now;
	uint64_t trace; /* a hash of all that happened */
	uint64_t happened;
	struct heap heap;
	struct net net;
	struct swarm swarm;
	struct cover cover;
	struct chart chart;
	struct check check;
	struct node nodes[SLOTS];
	uint64_t next_id;
	struct raft_conf boot;
	struct clients *clients;
	struct lin *lin; /* kept from seed to seed */
	enum phase { PHASE_FAULTS, PHASE_MAJORITY, PHASE_SETTLE, PHASE_ALL, PHASE_END } phase;
	uint64_t phase_began;
	uint64_t left_out; /* a bit for each place that is not healed with the majority */
	bool led;          /* in this phase a leader has committed */
	unsigned gave_up;  /* histories that the checker could not decide within its limits */
	bool failed;
	char why[1024];
};

/* Draw from the world's randomness. */
static inline uint64_t draw(struct world *w, uint64_t n)
{
	return seeded_below(&w->rand, n);
}

static inline bool chance(struct world *w, uint32_t ppm)
{
	return ppm != 0 && seeded_below(&w->rand, 1000000) < ppm;
}

/* Between low and high. */
static inline uint64_t draw_range(struct world *w, uint64_t low, uint64_t high)
{
	return high <= low ? low : low + seeded_below(&w->rand, high - low + 1);
}

void world_happen(struct world *w, uint64_t at, struct happening x);

/* An invariant does not hold: the first one is kept, and the run ends. */
void world_fail(struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* node.c and node_life.c */
uint64_t node_now(const struct world *w, const struct node *n);
void node_set_clock(struct world *w, struct node *n, uint64_t rate, uint64_t jump);
uint32_t node_place(const struct world *w, const struct node *n);
struct replica_config node_config(struct world *w, struct node *n);
/* After each step: the jobs that came of it, the next deadline, and a death that was due. */
void node_after(struct world *w, struct node *n);
int node_slot(const struct world *w, uint64_t id); /* or -1 */
/* A place for a new node, not started; NULL: none is free. */
struct node *node_make(struct world *w, bool founder);
void node_start(struct world *w, struct node *n);
/* Ends now; power: what is not on the platter may be lost.  It starts again after a while. */
void node_end(struct world *w, struct node *n, bool power, uint64_t down_ns);
/* Its disk is lost, and its place is free. */
void node_wipe(struct world *w, struct node *n);
void node_pause(struct world *w, struct node *n, uint64_t ns);
void node_resume(struct world *w, struct node *n);
void node_event(struct world *w, struct node *n, struct raft_event *event,
                struct replica_answer *ret);
void node_deliver(struct world *w, struct node *n, struct span bytes);
void node_tick(struct world *w, struct node *n, uint64_t life);
void node_work(struct world *w, struct node *n, enum replica_lane lane, uint64_t life);
void node_done(struct node *n);
struct node *world_leader(struct world *w); /* that of the highest term, or NULL */
/* One that still believes that it leads, beside one of a higher term; or NULL. */
struct node *world_old_leader(struct world *w);

/* watch.c */
void watches_begin(struct world *w, struct node *n);
void watches_applied(struct world *w, struct node *n, const struct kv_output *out, bool installed);
void watches_end(struct node *n);

/* client.c */
void clients_new(struct world *w);
void clients_free(struct world *w);
void client_happens(struct world *w, const struct happening *x);
void client_request(struct world *w, struct happening *x);
void client_answer(struct world *w, struct happening *x);
void client_applied(struct node *n, const struct raft_entry *entry, const struct kv_output *out);
void client_read(struct node *n, uint64_t context, bool granted);
void client_forget(struct node *n);
/* At the end: is the history of each key linearizable? */
void clients_check(struct world *w);
/* Have all clients got an answer since then? */
bool clients_served(const struct world *w, uint64_t since);
void clients_stop(struct world *w);
bool clients_idle(const struct world *w);

/* operator.c */
void operator_happens(struct world *w);
/* Would a quorum of every configuration in force be left without these places? */
bool operator_can_lose(const struct world *w, uint64_t places);

/* run.c: one seed from the beginning to the end. */
void world_run(struct world *w);

#endif
