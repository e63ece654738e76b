/*
 * raft: one node of a Raft cluster, as a function from events to outputs.
 *
 * Pure: no I/O, clock, thread or randomness of its own; the same config, start and events give the
 * same outputs.  Sources: Ongaro and Ousterhout, "In Search of an Understandable Consensus
 * Algorithm" (extended version), and Ongaro's thesis "Consensus: Bridging Theory and Practice";
 * sections are cited where they are used.
 *
 * The caller's loop:
 *
 *	raft_step(r, &event, &out, &e)        < 0: this node must stop; e says why
 *	if (out.write != 0)                   hand term, vote, reset, truncate, append to the
 *	                                      write-ahead log, in that order; when a sync has made
 *	                                      them durable: the event RAFT_DURABLE with that number
 *	send out.messages                     at once, whatever the disk does
 *	apply the entries up to out.commit    in order; raft_entry() has them
 *	answer out.reads, out.status
 *	wait until raft_deadline(), then RAFT_TICK
 *
 * Nobody but the core delays a message: what it gives out may be sent at once.  A leader's entries
 * leave before they are on its own disk (thesis, 10.2.1); what vouches for something (a vote, an
 * acknowledgement, the leader's own share of a quorum) is given out, or counted, only when that is
 * durable.  Writes are numbered in the order in which they were given out, and RAFT_DURABLE {n}
 * means that the writes up to n are on disk.  A number never stands for two writes, so a report
 * that comes late cannot vouch for an entry that was overwritten since.
 *
 * Messages may be lost, doubled, reordered and late by any time.  Nothing here blocks; memory is
 * bounded by the limits in the config and by how much log the caller lets grow before it takes a
 * snapshot.  Out of memory is an error of raft_step(), and the node stops.
 *
 * For election_ns after its start a node votes for nobody who is not told to by the old leader: it
 * may have acknowledged a lease just before it stopped.
 *
 * Time is nanoseconds of a clock that does not go back and runs while the machine sleeps
 * (CLOCK_BOOTTIME); an event of an earlier time than the one before counts as of the same time.
 */
#ifndef SHOAL_RAFT_RAFT_H
#define SHOAL_RAFT_RAFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "raft/conf.h"
#include "raft/entry.h"
#include "raft/message.h"

struct raft;

/* 0 in a field stands for the default beside it. */
struct raft_config {
	uint64_t cluster; /* both random, never 0 */
	uint64_t self;
	uint64_t seed;         /* for election timeouts */
	uint64_t heartbeat_ns; /* 50 ms */
	uint64_t election_ns;  /* 300 ms: timeouts are drawn from it to twice of it */
	uint64_t stall_ns;     /* 2 x election_ns: a leader with an older unsynced write yields */
	/* Serve reads under the leader's lease, without a round; election_ns is alike on all nodes.
	 */
	bool lease_reads;
	uint32_t drift_ppm;         /* 10000: how much faster another node's clock may run */
	uint32_t message_entries;   /* 1024 at most in one message */
	uint32_t message_bytes;     /* 1 MiB of data in one message, unless one entry is larger */
	uint32_t inflight;          /* 256 messages to one peer without an answer */
	uint64_t inflight_bytes;    /* 16 MiB */
	uint64_t uncommitted_bytes; /* 64 MiB of proposals; more are refused */
	uint32_t reads;             /* 65536 that wait for a round */
	uint32_t chunk_bytes;       /* 64 KiB of a snapshot in a message */
	uint64_t trailing;          /* 10000 entries stay behind a snapshot */
	uint64_t trailing_max;      /* 10 x trailing: for a slow peer or a transfer under way */
};

/* A snapshot that is on this node's disk. */
struct raft_snapshot {
	struct raft_point point;
	uint64_t clock_ns;
	uint64_t size; /* bytes */
	uint64_t sum;  /* tells two snapshots of one point apart; equal state, equal sum */
	struct raft_conf conf;
};

/* What was on disk. */
struct raft_start {
	uint64_t now;
	uint64_t term;
	uint64_t vote;                        /* 0: none */
	const struct raft_snapshot *snapshot; /* NULL: none */
	struct raft_point base; /* the point before entries[0]; at or before the snapshot */
	const struct raft_entry *entries; /* copied */
	size_t count;
};

enum raft_event_type {
	RAFT_TICK = 1,
	RAFT_RECEIVE,        /* message */
	RAFT_PROPOSE,        /* data, count: one entry each, all or none */
	RAFT_ASK_READ,       /* context; answered in the reads of some later step, or of this one */
	RAFT_CHANGE,         /* changes, count */
	RAFT_TRANSFER,       /* node; 0: to whoever is furthest */
	RAFT_DURABLE,        /* write */
	RAFT_SNAPSHOT_TAKEN, /* snapshot: of applied entries, and it is durable */
	/*
	 * snapshot->point: it cannot be read any more, or what came in with it is not good.  If it
	 * is the newest of this node's own, take another, of the same index if nothing was applied
	 * since: until then who needs it waits, and all who need its vote.
	 */
	RAFT_SNAPSHOT_LOST,
	/*
	 * snapshot point, sum and size, offset: bytes that are durable.  Also what an earlier
	 * process has left of a transfer, after a start or with its first chunk: it goes on there.
	 */
	RAFT_CHUNK_STORED,
	RAFT_INSTALLED,   /* snapshot: complete, durable and loaded by the state machine */
	RAFT_UNREACHABLE, /* node: what was sent to it last may be lost */
};

struct raft_event {
	enum raft_event_type type;
	uint64_t now;
	const struct raft_message *message;
	const struct span *data;
	const struct raft_change *changes;
	size_t count;
	uint64_t context;
	uint64_t node;
	uint64_t write;
	const struct raft_snapshot *snapshot;
	uint64_t offset;
};

/* What became of RAFT_PROPOSE, RAFT_ASK_READ, RAFT_CHANGE, RAFT_TRANSFER. */
enum raft_status {
	RAFT_OK,         /* taken; of a read: see reads */
	RAFT_NOT_LEADER, /* and nothing was done; raft_view() has the leader, if one is known */
	RAFT_BUSY,       /* a limit is reached; try again */
	RAFT_MOVING,     /* leadership is being handed over */
	RAFT_NOT_YET,    /* no entry of the own term is committed yet, or a change is under way */
	RAFT_BEHIND,     /* a learner that has not caught up */
	RAFT_INVALID     /* never; out.why says what is wrong */
};

struct raft_read {
	uint64_t context;
	bool granted;   /* false: no leader, or it changed; ask again */
	uint64_t index; /* may be answered once this index is applied */
};

/* Why a message was dropped, for the one who counts and logs. */
enum raft_drop {
	RAFT_KEPT,
	RAFT_DROP_CLUSTER, /* of another cluster */
	RAFT_DROP_ADDRESS, /* not to this node, or from itself */
	RAFT_DROP_STALE,   /* of an old term, or an answer to no question */
	RAFT_DROP_STICKY,  /* a candidate while the leader is alive */
	RAFT_DROP_INVALID  /* contradicts itself */
};

/* Valid until the next step. */
struct raft_output {
	/* To write, when write != 0, in this order. */
	uint64_t write;
	bool hard; /* term and vote */
	uint64_t term;
	uint64_t vote;
	bool reset; /* the log is empty and begins behind base */
	struct raft_point base;
	uint64_t truncate; /* 0, or: entries from this index on are gone */
	const struct raft_entry *append;
	size_t append_count;

	/*
	 * To send.  In RAFT_SNAPSHOT data.p is NULL and data.len says how many bytes from `offset`
	 * of the snapshot prev, sum the caller has to fill in.
	 */
	const struct raft_message *messages;
	size_t message_count;

	uint64_t commit; /* entries up to it may be applied; never less than before */

	const struct raft_read *reads;
	size_t read_count;

	enum raft_status status;
	struct raft_point first; /* RAFT_PROPOSE, RAFT_CHANGE: where the first entry stands */
	const char *why;         /* RAFT_INVALID: the reason */
	enum raft_drop drop;     /* RAFT_RECEIVE */

	/*
	 * Bytes of a snapshot to store at chunk->offset of a file for its prev, sum; answered by
	 * RAFT_CHUNK_STORED.  Offset 0 begins the file anew.  With the last byte, which may have
	 * been stored before (no data, offset == size): make the file a snapshot, load it, and
	 * RAFT_INSTALLED; until then nothing is appended or committed here.  The message is the one
	 * of the event.
	 */
	const struct raft_message *chunk;

	uint64_t
	    compacted; /* entries up to it have left memory; the log on disk may drop them too */
	bool changed;  /* role, term, leader or configuration: look at raft_view() */
};

/* A new node at its start; NULL on ENOMEM, or when what was on disk contradicts itself (EBADMSG).
 */
struct raft *raft_new(const struct raft_config *cfg, const struct raft_start *start, struct err *e);
void raft_free(struct raft *r);

/*
 * 0, or -1: the node must stop, and no output may be used.  EBADMSG: an entry of an unknown type or
 * version, or a leader that contradicts what is committed; ENOMEM.
 */
int raft_step(struct raft *r, const struct raft_event *event, struct raft_output *out,
              struct err *e);

/* When RAFT_TICK is wanted; UINT64_MAX: not at all. */
uint64_t raft_deadline(const struct raft *r);

/* An entry in memory, or NULL; valid until the next step. */
const struct raft_entry *raft_entry(const struct raft *r, uint64_t index);

/* The term at an index from the base to the last, or 0. */
uint64_t raft_term_at(const struct raft *r, uint64_t index);

/*
 * The configuration at a committed index that is not below the snapshot, for one who takes a
 * snapshot there.
 */
int raft_conf_at(const struct raft *r, uint64_t index, struct raft_conf *ret, struct err *e);

/* The cluster's clock as this node knows it; a leader stamps with it. */
uint64_t raft_clock(const struct raft *r, uint64_t now);

/* Does a transfer under way need the snapshot of this point? */
bool raft_uses_snapshot(const struct raft *r, struct raft_point point);

/*
 * The first entry of every log: the members a cluster begins with, all of one opinion.  Its data is
 * in `room`, to be checked by buf_ok(); the function is in entry.c.
 */
struct raft_entry raft_bootstrap(const struct raft_conf *conf, struct buf *room);

enum raft_role { RAFT_FOLLOWER, RAFT_PRECANDIDATE, RAFT_CANDIDATE, RAFT_LEADER };

enum raft_progress_state { RAFT_PROBE, RAFT_REPLICATE, RAFT_SENDS_SNAPSHOT };

/* A leader's view of a peer. */
struct raft_peer {
	uint64_t id;
	enum raft_progress_state state;
	uint64_t match;
	uint64_t next;
	uint32_t inflight;
	uint64_t inflight_bytes;
	uint64_t heard;       /* time of its last answer, 0: never */
	uint64_t sent_offset; /* of the snapshot */
	bool caught_up;
};

struct raft_view {
	enum raft_role role;
	uint64_t term;
	uint64_t vote;
	uint64_t leader; /* 0: none is known */
	struct raft_point base, last, snapshot;
	uint64_t commit;
	uint64_t durable;      /* own entries up to it are on disk */
	uint64_t durable_term; /* the term and vote that are on disk */
	uint64_t durable_vote;
	uint64_t log_bytes; /* of data in memory */
	uint64_t uncommitted_bytes;
	uint64_t lease_until;         /* 0: none */
	uint64_t stalled_ns;          /* age of the oldest unsynced write, as of the last event */
	uint64_t transfer_to;         /* 0: none */
	const struct raft_conf *conf; /* valid until the next step */
	uint64_t conf_index;
	uint32_t peer_count;
	struct raft_peer peers[RAFT_MEMBERS_MAX];
};

void raft_look(const struct raft *r, struct raft_view *ret);

#endif
