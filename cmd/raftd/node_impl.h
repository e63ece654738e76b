/*
 * node_impl: what the parts of a node share: node.c steps the replica, node_wait.c has who waits.
 */
#ifndef SHOAL_RAFTD_NODE_IMPL_H
#define SHOAL_RAFTD_NODE_IMPL_H

#include "base/buf.h"
#include "lane.h"
#include "node.h"
#include "timeouts.h"

/* How long an answer of the cluster is waited for. */
#define NODE_PATIENCE_NS UINT64_C(10000000000)
/* Entries of one proposal event; what is more in one turn of the loop makes another one. */
#define NODE_BATCH_MAX   1024

enum ticket_kind { TICKET_PROPOSE, TICKET_READ, TICKET_WATCH };

/* Which list a ticket is in. */
enum ticket_state {
	TICKET_QUEUED, /* for the next flush */
	TICKET_ASKED,  /* the core has it; a watch: the state has it */
	TICKET_READY,  /* its answer is known, and told in the next flush */
};

struct node_ticket {
	struct timeout timeout; /* first: a timeout is its ticket */
	struct node *node;
	enum ticket_kind kind;
	enum ticket_state state;
	struct node_ticket *before, *after;
	node_done_fn *done; /* NULL: nobody waits any more */
	void *arg;
	enum node_outcome outcome; /* READY */
	struct raft_point at;      /* PROPOSE, ASKED */
	uint64_t round;            /* READ, ASKED: the context of its round */
	struct kv_watch *watch;    /* WATCH, ASKED */
	size_t len;
	char command[]; /* PROPOSE */
};

struct tickets {
	struct node_ticket *first, *last;
	uint64_t count;
};

struct node {
	struct node_config cfg;
	struct replica *replica;
	int dir; /* of the log */
	struct lane lanes[REPLICA_LANES];
	uv_async_t wake; /* a lane is done */
	uv_timer_t timer;
	uv_check_t check;
	uv_prepare_t prepare;
	uv_idle_t again;   /* keeps the loop from waiting while something is queued */
	uint64_t timer_ns; /* when the timer is due; UINT64_MAX: it is not set */
	int handles;       /* that are open */
	bool failed;       /* no step is made any more */
	bool changed;      /* role, leader or members, in the step that runs */

	struct tickets proposals; /* QUEUED */
	struct tickets reads;
	struct tickets watches; /* ASKED */
	struct tickets ready;
	struct tickets proposed; /* ASKED, by index */
	struct tickets rounds;   /* ASKED reads, by round */
	struct timeouts timeouts;
	uint64_t round; /* of the last read event */
	bool ticking;   /* a tick that lets something expire is proposed */
	uint64_t heard_ns;
	uint64_t leader; /* as last looked at */
	struct node_stat stat;
};

/* ---- node.c */

uint64_t node_now(void);
/* Step the core; what it changes (jobs, timers, answers) is seen to. */
void node_step(struct node *n, struct raft_event *event, struct replica_answer *ret);
/* Something is queued. */
void node_stir(struct node *n);
/* The earliest timeout may be earlier than the timer. */
void node_arm(struct node *n);

/* ---- node_wait.c */

/* Hand what is queued to the core, and tell what is ready. */
void wait_flush(struct node *n);
/* Timeouts that have passed become ready. */
void wait_expire(struct node *n, uint64_t now);
/* Let what is due in the state expire, where this node leads. */
void wait_tick(struct node *n, uint64_t now);

void wait_applied(struct node *n, const struct raft_entry *entry, const struct kv_output *out);
void wait_read(struct node *n, uint64_t round, bool granted);
void wait_installed(struct node *n, struct raft_point at, const struct kv_output *out);
void wait_due(struct node *n, const struct kv_output *out);
/* The end: all are told NODE_STOPPED. */
void wait_stop(struct node *n);

#endif
