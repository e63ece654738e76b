/*
 * replica_impl: what the parts of a replica share.
 */
#ifndef SHOAL_REPLICA_REPLICA_IMPL_H
#define SHOAL_REPLICA_REPLICA_IMPL_H

#include "replica/replica.h"
#include "wal/snapfile.h"

/* Entries up to `index` may go, as there is a snapshot; index 0: nothing to do. */
struct replica_compact {
	uint64_t index;
	struct raft_point by;
};

struct replica_log {
	bool busy;
	struct buf held; /* what the core gives out meanwhile */
	uint64_t given;  /* the core's number of the last write that is in the log's buffer */
	uint64_t job;    /* durable once the job is done */
	struct replica_compact compact, job_compact;
};

/* A chunk that waits for the disk. */
struct replica_chunk {
	struct raft_snapshot of;
	uint64_t offset;
	char *data;
	size_t len;
};

enum replica_snap_job { SNAP_NONE, SNAP_TAKE, SNAP_CHUNK };

struct replica_snap {
	enum replica_snap_job job;  /* under way */
	struct raft_snapshot of;    /* the job's */
	struct raft_snapshot taken; /* the one being taken */
	bool complete;              /* the job makes it a snapshot */
	bool given_up;              /* the job could not be done, and nothing is lost by it */
	uint64_t in_use;            /* for snapfile_purge(), as of the job's begin */

	/* One that is taken. */
	struct kv_snapshot *from;
	struct snapfile_writer *taker;
	struct buf piece;
	uint64_t at;
	uint64_t not_before; /* the next one is not begun, after one that failed */

	/* One that is received; chunks[0] is the job's. */
	struct snapfile_writer *receiver;
	struct replica_chunk chunks[REPLICA_CHUNKS_MAX];
	size_t chunk_count;
	struct raft_point receives; /* which one */
	uint64_t receives_sum;
	struct raft_point dropped; /* one of which a chunk was not stored; index 0: none */
	uint64_t stored;
	struct kv_restore *restore;

	/* One that is sent. */
	struct snapfile *reader;
	struct raft_point read_at;
	uint64_t read_sum;
	struct buf sends;
	struct raft_point lost; /* a snapshot of our own that cannot be read; index 0: none */
	bool wanted;            /* another one, in the place of the lost one */
};

struct replica {
	struct replica_config cfg;
	struct snapfile_place place;
	struct raft *raft;
	struct wal *wal;
	struct kv *kv;
	struct kv_output out;
	struct raft_message_room room;
	struct buf bytes; /* of a message */
	uint64_t applied;
	uint64_t snapshot_index; /* of the newest on disk */
	uint64_t since_bytes;    /* applied since then */
	uint64_t now;
	struct raft_read *reads; /* granted, and not applied yet */
	size_t read_count, read_cap;
	struct replica_log log;
	struct replica_snap snap;
};

/* Step the core with an event, and do what comes of it. */
int replica_run(struct replica *r, const struct raft_event *event, struct replica_answer *ret,
                struct err *e);

/* replica_log.c */
int replica_log_give(struct replica *r, const struct raft_output *out, struct err *e);
bool replica_log_begin(struct replica *r);
int replica_log_write(struct replica *r, struct err *e);
int replica_log_sync(struct replica *r, struct err *e);
int replica_log_end(struct replica *r, struct err *e);

/* replica_snap.c */
bool replica_snap_begin(struct replica *r);
int replica_snap_write(struct replica *r, struct err *e);
int replica_snap_sync(struct replica *r, struct err *e);
int replica_snap_end(struct replica *r, struct err *e);
void replica_snap_done(struct replica *r);
/* A chunk from the core, copied. */
int replica_snap_chunk(struct replica *r, const struct raft_message *m, struct err *e);
/* Fill in a message that has a chunk of a snapshot: false when it cannot be read. */
bool replica_snap_fill(struct replica *r, struct raft_message *m);

/* All of a snapshot's bytes into a state under way. */
int replica_snap_load(const struct snapfile_place *place, struct raft_point at,
                      struct kv_restore *to, struct err *e);

#endif
