/*
 * node: a replica on the daemon's loop: time, the log thread, the snapshot thread, and who waits.
 *
 * All calls and callbacks are on the loop's thread.  Callbacks come from the loop, never from
 * within the call that asked for them.  Each kind of waiting is a ticket that its owner may take
 * back.
 *
 * Proposals of one turn of the loop are one event of the core, so that they share a write, a sync
 * and a message; so do reads.
 */
#ifndef SHOAL_RAFTD_NODE_H
#define SHOAL_RAFTD_NODE_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "base/err.h"
#include "base/span.h"
#include "kv/kv.h"
#include "raft/raft.h"

struct node;

struct node_config {
	uv_loop_t *loop;
	int dir;                            /* the open data directory, locked by the caller */
	uint64_t cluster, id;               /* from its identity file */
	bool boot;                          /* a new cluster of this node alone */
	uint64_t heartbeat_ns, election_ns; /* 0: the core's */
	/* The node cannot go on (a failed sync, memory): the process has to end. */
	void (*failed)(void *ctx, const struct err *e);
	/* Role, term, leader or members changed. */
	void (*changed)(void *ctx);
	void *ctx;
};

/* Recovers; what it did is appended to note, a line each. */
struct node *node_open(const struct node_config *cfg, struct buf *note, struct err *e);
/* Ends its threads after what is under way is written, and all tickets (NODE_STOPPED). */
void node_close(struct node *n);

/* ---- Asking. */

enum node_outcome {
	NODE_DONE,      /* proposals: applied, with a result; reads: the state may be read now */
	NODE_NO_LEADER, /* nothing was done; nobody leads, or somebody else */
	NODE_BUSY,      /* nothing was done; a limit is reached */
	NODE_LOST,      /* nothing was done; another leader's entry took its place */
	NODE_UNKNOWN,   /* may still be done */
	NODE_STOPPED,   /* the node is closed; of a proposal nothing is known */
};

struct node_ticket;

/*
 * outcome; index: of the entry; result: kv/result.h, borrowed during the call.  The ticket is gone
 * when it is called.
 */
typedef void node_done_fn(void *arg, enum node_outcome outcome, uint64_t index, struct span result);

/* A command (kv/command.h), copied.  NULL: out of memory. */
struct node_ticket *node_propose(struct node *n, struct span command, node_done_fn *done,
                                 void *arg);
/* A linearizable read: when done says NODE_DONE, look at node_kv() during the call. */
struct node_ticket *node_read(struct node *n, node_done_fn *done, void *arg);
/*
 * Wait until the watched index passes `since` (done with NODE_DONE; at once if it has), or the time
 * is over (NODE_UNKNOWN).  spec.cookie is not looked at.
 */
struct node_ticket *node_watch(struct node *n, const struct kv_watch_spec *spec, uint64_t wait_ms,
                               node_done_fn *done, void *arg);
/* Nobody waits any more; done is not called.  A proposal may still be done. */
void node_cancel(struct node *n, struct node_ticket *t);

/* ---- Looking. */

struct kv *node_kv(struct node *n);
const struct raft *node_raft(const struct node *n);
/* Milliseconds since the leader was heard; 0 on the leader; UINT64_MAX: never. */
uint64_t node_last_contact_ms(const struct node *n);

struct node_stat {
	uint64_t proposals, reads, syncs, sync_ns, leader_changes, snapshots;
	uint64_t waiting_proposals, waiting_reads, waiting_watches;
};
void node_get_stat(const struct node *n, struct node_stat *ret);

#endif
