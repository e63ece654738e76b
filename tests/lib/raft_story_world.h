/*
 * raft_story_world: a tiny cluster for stories (raft_story.h): nodes of the core, a queue of
 * messages, and disks that are lists of writes.
 *
 * Nothing happens by itself.  Messages wait in one queue, in order, until they are delivered or
 * dropped; what a node writes waits until it is persisted, and is gone when the node crashes before
 * that; each node has its own clock, which stands until it is moved.  Whatever happens is appended
 * to w->trace as lines.
 *
 * The world watches over what must never happen, whatever the story is about: two leaders in one
 * term, two nodes that apply different entries at one index, a clock in the log that goes back.
 * What it sees is in w->wrong.  A node's state machine is the list of the commands applied.
 */
#ifndef SHOAL_TESTS_LIB_RAFT_STORY_WORLD_H
#define SHOAL_TESTS_LIB_RAFT_STORY_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"
#include "net_disk.h"
#include "raft/raft.h"

#define WORLD_CLUSTER   7
#define WORLD_NODES_MAX 9
#define WORLD_READS_MAX 32
#define WORLD_TERMS_MAX 256
#define WORLD_INDEX_MAX 4096
#define WORLD_MS        UINT64_C(1000000)

/* What waits for the disk, in order: the next write of the log, or a chunk of a snapshot. */
struct world_write {
	bool is_chunk;
	struct raft_snapshot snapshot; /* the whole that the chunk is of */
	uint64_t offset;
	struct span data;
};

/* What a crash leaves, and what is on its way there. */
struct world_disk {
	struct net_disk log;
	bool has_snapshot;
	struct raft_snapshot snapshot;
	struct span state; /* the snapshot's bytes */
	struct world_write *pending;
	size_t pending_count, pending_capacity;
	bool hangs;
};

enum world_answer { WORLD_WAITS, WORLD_GRANTED, WORLD_REFUSED };

struct world_read {
	uint64_t context;
	enum world_answer answer;
	uint64_t index;
};

struct world_node {
	uint64_t id;       /* 0: there is no such node */
	struct raft *raft; /* NULL: it is down */
	struct raft_config config;
	uint64_t now;
	struct world_disk disk;
	/* A snapshot that comes in; it does not survive a crash. */
	struct raft_snapshot incoming;
	struct buf incoming_bytes;
	/* The state machine: lines "INDEX.TERM COMMAND". */
	struct buf applied;
	struct raft_point applied_to;
	uint64_t applied_clock;
	struct raft_view shown; /* as of the last trace; its conf is not */
	struct span members;    /* and that, as text */
	struct world_read reads[WORLD_READS_MAX];
	size_t read_count;
};

struct world_message {
	uint64_t from, to;
	enum raft_message_type type;
	struct span bytes;  /* raft/message.h */
	const char *pocket; /* NULL: in the queue; else held there */
};

struct world {
	struct world_node nodes[WORLD_NODES_MAX + 1]; /* by id */
	struct world_message *queue;
	size_t queue_count, queue_capacity;
	bool cut[WORLD_NODES_MAX + 1][WORLD_NODES_MAX + 1]; /* [from][to] */
	struct raft_message_room room;
	struct buf trace;
	struct buf wrong;  /* lines; empty: all is well */
	uint64_t contexts; /* of reads */
	/* What was seen, to hold against what comes. */
	uint64_t leader_of[WORLD_TERMS_MAX];
	struct span applied[WORLD_INDEX_MAX];
	uint64_t clock_of[WORLD_INDEX_MAX];
	/* Memory that lives as long as the world. */
	void **kept;
	size_t kept_count, kept_capacity;
};

struct world *world_new(void);
void world_free(struct world *w);

/* A line of the trace, "    TEXT\n"; and what must not be. */
void world_say(struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void world_wrong(struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A copy that lives as long as the world. */
struct span world_keep(struct world *w, struct span s);
void *world_alloc(struct world *w, size_t n);

/* Room for one more in an array of the world's. */
#define WORLD_ROOM(array, count, capacity) \
	((array) = world_grow((array), (count), &(capacity), sizeof(*(array))))
void *world_grow(void *p, size_t count, size_t *capacity, size_t size);

/* ---- Nodes (raft_story_world.c) */

/* The live node of that id, or NULL. */
struct world_node *world_live(struct world *w, uint64_t id);

/* Begin the node from what is on its disk. */
void world_start(struct world *w, struct world_node *n);

/* An event; its time is the node's.  What comes of it is done and traced. */
void world_step(struct world *w, struct world_node *n, struct raft_event ev);

/* Move a node's clock on, stopping at each deadline on the way. */
void world_tick(struct world *w, struct world_node *n, uint64_t ns);

/* Move it to the node's next election. */
void world_campaign(struct world *w, struct world_node *n);

/* "1 2 (3)": voters and learners; a joint configuration has both sets. */
void world_put_conf(struct buf *to, const struct raft_conf *c);

/* Terms of the entries in memory behind the base: "1 1 2". */
void world_put_log(struct buf *to, const struct raft *r);

/* ---- Disk (raft_story_disk.c) */

/* What a step wants written joins the list. */
void world_disk_write(struct world *w, struct world_node *n, const struct raft_output *out);
void world_disk_chunk(struct world *w, struct world_node *n, const struct raft_message *m);

/* Make the first `count` pending writes durable, and tell the core. */
void world_persist(struct world *w, struct world_node *n, size_t count);

/* The node is gone; of its pending writes the first `keep` had reached the disk. */
void world_crash(struct world *w, struct world_node *n, size_t keep);

/* A snapshot of what is applied. */
void world_snapshot(struct world *w, struct world_node *n);

/* ---- Network (raft_story_net.c) */

void world_send(struct world *w, struct world_node *n, const struct raft_message *m);

/* Which messages: 0 is any. */
struct world_filter {
	uint64_t from, to;
	enum raft_message_type type;
	size_t count; /* at most so many; 0: all */
};

/* Deliver those that are in the queue now.  How many there were. */
size_t world_deliver(struct world *w, const struct world_filter *f);
size_t world_drop(struct world *w, const struct world_filter *f);
/* Out of the queue into a pocket, and back, as often as one likes. */
size_t world_hold(struct world *w, const struct world_filter *f, const char *pocket);
size_t world_release(struct world *w, const char *pocket);

/* "1>2 append term 2 prev 3.1 ..." */
void world_put_message(struct buf *to, const struct raft_message *m);

/* Persist and deliver until nothing moves among these nodes (a bit each). */
void world_stabilize(struct world *w, unsigned nodes);

#endif
