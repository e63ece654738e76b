/*
 * replica: one node of a replicated store: the Raft core, its log on disk, its snapshots and the
 * state machine, put together.
 *
 * This is the caller's loop of raft/raft.h, so that a daemon and the simulator run the same one.
 * No thread and no clock in here, and nothing that waits for a disk but where it says so: the
 * core's events go in by replica_step(), what comes of them goes out by hooks, and the disk's work
 * is done where the caller wants to wait for it.
 *
 * Work comes in two lanes, which know nothing of each other: the log's (what the core wants
 * durable, compaction), and that of snapshots (one that is taken, in pieces; the chunks of one
 * that is received).  In each lane one job at a time:
 *
 *	if (replica_work_begin(r, lane)) {              the thread of the steps
 *		bad = replica_work_write(r, lane, &e) < 0 ||    any thread; may block
 *		      replica_work_sync(r, lane, &e) < 0;       the same; may block
 *		replica_work_end(r, lane, now, &e);             the thread of the steps
 *	}
 *
 * Steps go on meanwhile.  When replica_work_write() fails with ENOSPC, EDQUOT or EFBIG, nothing is
 * lost: call it again when there is room (the core sees a disk that stands still, and a leader
 * steps down).  Every other failure of a job or a step is final: the process has to end without
 * another step, and the next one recovers.  A sync is never tried again.
 *
 * Entries are applied as soon as they are committed, all in the step that learns of it.  Memory is
 * bounded by the core's limits, by the log that the snapshots leave, and by the state.
 */
#ifndef SHOAL_REPLICA_REPLICA_H
#define SHOAL_REPLICA_REPLICA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "kv/kv.h"
#include "os/file.h"
#include "raft/raft.h"
#include "wal/wal.h"

/* Chunks of a snapshot that wait for the disk; more are dropped, and come again. */
#define REPLICA_CHUNKS_MAX 64

struct replica;

/* What comes of a step.  Hooks may not call the replica, but for replica_kv() and replica_raft().
 */
struct replica_hooks {
	void *ctx;
	/* To send at once; the bytes (raft/message.h) are valid during the call. */
	void (*send)(void *ctx, const struct raft_message *m, struct span bytes);
	/*
	 * An entry was applied; its proposer knows it by index and term.  An entry that is no
	 * command has no result (out->result is empty).
	 */
	void (*applied)(void *ctx, const struct raft_entry *entry, const struct kv_output *out);
	/* A read of RAFT_ASK_READ: the state may be read now, or (not granted) ask again. */
	void (*read)(void *ctx, uint64_t context, bool granted);
	/* The state was replaced by a snapshot; out->due has the watches that it woke. */
	void (*installed)(void *ctx, struct raft_point at, const struct kv_output *out);
	/* Each step of the core, before anything comes of it; NULL: not wanted. */
	void (*stepped)(void *ctx, const struct raft_event *event, const struct raft_output *out);
};

struct replica_config {
	struct raft_config raft;      /* cluster and self name the log on disk too */
	struct wal_config wal;        /* cluster and node are taken from raft */
	const struct raft_conf *boot; /* the members of a new cluster, or NULL; looked at only when
	                                 the directory has nothing yet */
	uint64_t snapshot_entries; /* take one when so many are applied since the last; 0: 100000 */
	uint64_t snapshot_bytes;   /* or so many bytes of data; 0: 64 MiB */
	uint32_t piece_bytes;      /* of a snapshot in one job; 0: 1 MiB */
	struct replica_hooks hooks;
};

/*
 * Recover what is in the directory and be ready for steps; reads all of the log and the snapshot.
 * note, where not NULL, gets a line for each thing that recovery did.  NULL with the errors of
 * wal_open(), EBADMSG for a state that does not load, or ENOMEM.
 */
struct replica *replica_open(const struct replica_config *cfg, uint64_t now, struct buf *note,
                             struct err *e);

/* NULL is fine.  No job may be running.  What was not synced may be lost. */
void replica_close(struct replica *r);

/* What the core answered to the event itself. */
struct replica_answer {
	enum raft_status status;
	struct raft_point first;
	const char *why;
	enum raft_drop drop;
};

/*
 * An event of the caller's: tick, propose, ask for a read, change, transfer, unreachable.  Those of
 * the disk are made in here.
 */
int replica_step(struct replica *r, const struct raft_event *event, struct replica_answer *ret,
                 struct err *e);

/* The bytes of a message of another node.  Bytes that are no message are RAFT_DROP_INVALID. */
int replica_receive(struct replica *r, uint64_t now, struct span bytes, struct replica_answer *ret,
                    struct err *e);

/* When RAFT_TICK is wanted; UINT64_MAX: not at all. */
uint64_t replica_deadline(const struct replica *r);

const struct raft *replica_raft(const struct replica *r);

/* The state: what is applied by now. */
struct kv *replica_kv(struct replica *r);

enum replica_lane { REPLICA_LOG, REPLICA_SNAPSHOT, REPLICA_LANES };

/* Is there a job, and none under way?  Then it is begun. */
bool replica_work_begin(struct replica *r, enum replica_lane lane);
int replica_work_write(struct replica *r, enum replica_lane lane, struct err *e);
int replica_work_sync(struct replica *r, enum replica_lane lane, struct err *e);
/* After both went well. */
int replica_work_end(struct replica *r, enum replica_lane lane, uint64_t now, struct err *e);

#endif
