/*
 * snapfile: snapshots of the state machine as files of a log's directory.
 *
 * A snapshot is a stream of bytes with a head: which point of the log it stands for, the cluster's
 * clock there, its size, a checksum of all, and `conf`, some bytes of the caller's (the members).
 * It is written to a file of another name, synced, renamed and the directory synced, so that a file
 * with a snapshot's name is complete and durable.
 *
 * All of it is under a BLAKE2b-256, checked when the snapshot is committed; each block of
 * SNAPFILE_BLOCK bytes has a CRC32C of its own, seeded by the snapshot's point and the block's
 * number, so that rot is found by whoever reads the block.
 *
 * Point and checksum name a snapshot; the first 8 bytes of the BLAKE2b, read as a little-endian
 * number, are its `sum`.  Equal state has to give equal bytes.
 *
 * Every call goes through the place's struct io.  Nothing here is thread-safe; a reader and
 * a writer, or two readers, share nothing and may be on different threads.
 */
#ifndef SHOAL_WAL_SNAPFILE_H
#define SHOAL_WAL_SNAPFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/span.h"
#include "os/file.h"
#include "raft/entry.h"

#define SNAPFILE_BLOCK    ((size_t)64 << 10)
#define SNAPFILE_CONF_MAX 3968u
#define SNAPFILE_SIZE_MAX ((uint64_t)1 << 46)

/* Where snapshots are. */
struct snapfile_place {
	const struct io *io;
	int dir; /* borrowed */
	uint64_t cluster;
	mode_t mode;
};

struct snapfile_meta {
	struct raft_point at;
	uint64_t clock_ns;
	uint64_t size; /* of the bytes of the stream */
	uint64_t sum;
	unsigned char hash[HASH_BLAKE2B_LEN]; /* all of it */
	struct span conf;                     /* at most SNAPFILE_CONF_MAX bytes */
};

struct snapfile_writer;
struct snapfile;

/*
 * Begin a snapshot of this node's own state.  Uses at, clock_ns and conf of meta, copied.  What
 * another writer has begun for the same point is thrown away.  NULL with *e.
 */
struct snapfile_writer *snapfile_begin(const struct snapfile_place *place,
                                       const struct snapfile_meta *meta, struct err *e);

/*
 * Begin, or go on with, a snapshot that is being received: uses all of meta but hash, copied.
 * When an earlier process has left a part of exactly this snapshot, snapfile_have() says how many
 * bytes of it are there and sound; they are read once.  A part of anything else at the same point
 * is thrown away.  NULL with *e: EFBIG, EINVAL, or an errno.
 */
struct snapfile_writer *snapfile_receive(const struct snapfile_place *place,
                                         const struct snapfile_meta *meta, struct err *e);

/* The bytes given so far: the offset at which the next ones are expected. */
uint64_t snapfile_have(const struct snapfile_writer *s);

/*
 * n bytes of the stream at an offset.  Those that are there already are passed over, so a chunk may
 * come twice; a gap is ERANGE and changes nothing, more than meta's size is EFBIG.  Whole blocks go
 * to the file.  After any other failure the writer is of no use any more, and fails with EIO.
 */
int snapfile_write(struct snapfile_writer *s, uint64_t at, const void *p, size_t n, struct err *e);

/*
 * Make durable what is written; *ret_durable is how many bytes snapfile_receive() would find after
 * a power loss: whole blocks, and all once the last byte is there.
 */
int snapfile_sync(struct snapfile_writer *s, uint64_t *ret_durable, struct err *e);

/*
 * The stream is complete: check size and sum of one that was received (EBADMSG: it is removed), and
 * make it a snapshot.  *ret, where not NULL, is what it is now; ret->conf is valid while the writer
 * is.  A failure leaves no snapshot of that name behind, except when the very last sync, that of
 * the directory, failed.
 */
int snapfile_commit(struct snapfile_writer *s, struct snapfile_meta *ret, struct err *e);

/*
 * Close the writer; NULL is fine.  Without snapfile_commit() the file is removed; keep: a part
 * that was received stays, to go on with later.
 */
void snapfile_writer_close(struct snapfile_writer *s, bool keep);

/*
 * Open a committed snapshot.  *ret_meta, whose conf is valid until snapfile_close(), is checked by
 * its own CRC.  NULL with ENOENT, EBADMSG (damaged), EPROTONOSUPPORT (newer format), EXDEV (another
 * cluster's) or an errno.  One that is removed meanwhile can be read to its end.
 */
struct snapfile *snapfile_open(const struct snapfile_place *place, struct raft_point at,
                               struct snapfile_meta *ret_meta, struct err *e);
void snapfile_close(struct snapfile *s);

/*
 * Up to n bytes at an offset: the count, less than n only at the end; -1 with EBADMSG where a
 * block is not as it was written, or an errno.  Whole blocks are read, and the last one is kept.
 */
ssize_t snapfile_read(struct snapfile *s, uint64_t at, void *p, size_t n, struct err *e);

/* Read all blocks: 0, or -1 with EBADMSG or an errno. */
int snapfile_check(struct snapfile *s, struct err *e);

/*
 * The points of the committed snapshots, by their names, the newest first: how many there are, of
 * which at most max are stored.  -1 with *e.
 */
ssize_t snapfile_list(const struct snapfile_place *place, struct raft_point *ret, size_t max,
                      struct err *e);

/*
 * Remove all snapshots but the newest `keep` (>= 1) and those from in_use on (an index; 0: none is
 * in use), and parts of snapshots that are not newer than the newest.  A writer of such a part
 * fails to commit.
 */
int snapfile_purge(const struct snapfile_place *place, size_t keep, uint64_t in_use, struct err *e);

/*
 * At the start of a process: remove what another one, which has died, has left unfinished, except
 * parts that were received and are newer than all snapshots, and snapshots above index `newest`,
 * the one that was found sound (a damaged newer one would be the newest to snapfile_purge(), and
 * cost the next sound one its file).  wal_open() calls it.
 */
int snapfile_sweep(const struct snapfile_place *place, uint64_t newest, struct err *e);

#endif
