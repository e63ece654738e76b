/*
 * raft_net: a few nodes of the Raft core in memory: messages in a queue, disks that sync at once or
 * when told to, one clock.
 *
 * Every message goes through its bytes.  After each step these hold, or the program aborts: one
 * leader a term; commit and term do not go back; what is applied at an index is the same on all
 * nodes, for ever, restarts included; who votes or acknowledges has that on disk; a read of a
 * context below NET_READS sees all that was committed when it was asked; a core that has failed
 * gives out nothing any more.
 *
 * Nodes have the ids 1, 2, ...  `n` below is an id.
 */
#ifndef SHOAL_TESTS_LIB_RAFT_NET_H
#define SHOAL_TESTS_LIB_RAFT_NET_H

#include "base/buf.h"
#include "net_disk.h"
#include "raft/raft.h"

#define NET_NODES_MAX 7
#define NET_LOG_MAX   20000
#define NET_CLUSTER   77
#define NET_MS        UINT64_C(1000000)

struct net_node {
	struct raft *raft; /* NULL: it is down */
	struct net_disk disk;
	struct raft_snapshot snapshot;
	bool has_snapshot;
	bool disk_waits;   /* syncs only by net_sync() */
	uint64_t received; /* bytes of an incoming snapshot */
	uint64_t stored;   /* those that are durable */
	bool complete;     /* the core waits for it to be installed */
	bool keeps_chunks; /* answers chunks only by net_store() */
	struct raft_snapshot incoming;
	uint64_t applied;
	uint64_t state; /* hash over what was applied */
	uint64_t commit, term;
	/* The newest outputs. */
	enum raft_status status;
	struct raft_point first;
	enum raft_drop drop;
	char why[ERR_MSG_MAX];
	uint64_t compacted;
	unsigned resets;    /* of its log */
	unsigned truncates; /* of its log */
	bool stopped;       /* by an error, which is in `failure` */
	struct err failure;
	struct raft_read read; /* the newest */
	unsigned reads, reads_granted;
};

#define NET_READS 4096

struct net_packet {
	struct net_packet *next;
	struct buf bytes;
	uint64_t from, to;
	enum raft_message_type type;
};

struct raft_net {
	uint64_t now;
	unsigned count;
	struct raft_config cfg; /* of all; self and seed are filled in */
	struct net_node node[NET_NODES_MAX + 1];
	bool cut[NET_NODES_MAX + 1][NET_NODES_MAX + 1]; /* from, to */
	bool mute[16];                                  /* types that are lost */
	struct net_packet *first, **end;
	size_t packets;
	unsigned sent[16];              /* by type */
	struct raft_message newest[16]; /* of those; what it points to is gone */
	uint64_t leaders[4096];         /* by term */
	uint64_t state[NET_LOG_MAX];    /* by index, once somebody applied it; 0: nobody */
	uint64_t asked[NET_READS];      /* by context: the highest commit when it was asked */
	uint64_t commit;                /* the highest of all */
	uint64_t seed;
	struct raft_message_room room;
	uint64_t fail_alloc; /* of the next raft_step(): this allocation fails; 0: none */
};

/* n voters that start with the same first entry; cfg may be NULL. */
struct raft_net *net_new(unsigned n, const struct raft_config *cfg);
void net_free(struct raft_net *net);

/* One event; its time is the net's.  Outputs are carried out. */
void net_step(struct raft_net *net, uint64_t n, struct raft_event event);
void net_tick(struct raft_net *net, uint64_t n);
/* Deliver the packet at a place in the queue; it is taken out, or stays as a double. */
void net_deliver(struct raft_net *net, size_t at, bool stays);
void net_drop_packet(struct raft_net *net, size_t at);
/* Deliver until there is none; time stands. */
void net_settle(struct raft_net *net);
/* Let time pass: ticks at deadlines, messages at once. */
void net_run(struct raft_net *net, uint64_t ns);
/* Hand a message in as if it had come from the network. */
void net_receive(struct raft_net *net, const struct raft_message *m);
/* A message with its head filled in. */
struct raft_message net_message(const struct raft_net *net, enum raft_message_type type,
                                uint64_t from, uint64_t to, uint64_t term);

/* A command at a place. */
struct raft_entry net_entry(uint64_t index, uint64_t term);
/* Hand an append to node 1, from a leader. */
struct net_leader {
	uint64_t id, term;
};
void net_append(struct raft_net *net, struct net_leader from, struct raft_point prev,
                const struct raft_entry *entries, size_t n);

/* A cluster that node 1 leads, in term 2; its no-op at 2 is committed. */
struct raft_net *net_led(unsigned n, const struct raft_config *cfg);
/* Make n a candidate at its deadline and settle; true: it leads. */
bool net_elect(struct raft_net *net, uint64_t n);
enum raft_status net_propose(struct raft_net *net, uint64_t n, const char *text);
enum raft_status net_ask(struct raft_net *net, uint64_t n, uint64_t context);
enum raft_status net_change(struct raft_net *net, uint64_t n, struct raft_change change);
enum raft_status net_transfer(struct raft_net *net, uint64_t n, uint64_t to);
/* Who leads in the highest term; 0: nobody. */
uint64_t net_leader(const struct raft_net *net);
struct raft_view net_view(const struct raft_net *net, uint64_t n);
const struct raft_peer *net_peer(const struct raft_view *v, uint64_t id);

/* Between n and all others. */
void net_isolate(struct raft_net *net, uint64_t n, bool cut);

/* The oldest `writes` writes of n become durable. */
void net_sync(struct raft_net *net, uint64_t n, unsigned writes);
void net_sync_all(struct raft_net *net, uint64_t n);
size_t net_unsynced(const struct raft_net *net, uint64_t n);
/* What was not synced is lost. */
void net_crash(struct raft_net *net, uint64_t n);
void net_start(struct raft_net *net, uint64_t n);
/* A node without anything, not yet a member. */
uint64_t net_join(struct raft_net *net);

/* Take a snapshot of what n has applied; `size` bytes. */
void net_snapshot(struct raft_net *net, uint64_t n, uint64_t size);
/* Report, and install, what came in; for keeps_chunks. */
void net_store(struct raft_net *net, uint64_t n);

#endif
