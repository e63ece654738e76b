/*
 * wal: the write-ahead log of one node: its term and vote, and its entries; one directory.
 *
 * The caller is the edge of the Raft core.  What the core gives out to write goes in here in the
 * core's order, and comes back as a number that is durable:
 *
 *	if (out->hard)
 *		wal_hard(w, out->term, out->vote);
 *	if (out->reset)
 *		wal_reset(w, out->base);           (its snapshot file is committed before)
 *	if (out->truncate != 0)
 *		wal_truncate(w, (struct raft_point){out->truncate - 1, term there});
 *	wal_append(w, out->append, out->append_count);
 *	wal_write(w, &written, &e);                  one pwrite for all of it
 *	wal_sync(w, &durable, &e);                   one fdatasync
 *
 * There is no thread in here.  All calls on one log come one after another, with one exception:
 * while wal_sync() runs on one thread, another one may call what only fills the buffer (wal_hard,
 * wal_append, wal_truncate, wal_reset) and wal_durable().
 *
 * All of the disk is seen through a struct io, reading too, so the directory may be in the memory
 * of a simulator.  The format is raftd-format(5); record.h has its records.
 *
 * What is promised
 *
 * - What wal_sync() reported is there after kill -9 and power loss; of what came later a prefix is,
 *   in the order of the calls.  Term and vote are records of the same order.
 * - A failed write or sync is final: the log is poisoned and every later call fails with EIO.  The
 *   process has to end; recovery by the next one finds what the disk has.  A full disk is met when
 *   a segment is made, before anything was promised, and is not final: ENOSPC, EDQUOT or EFBIG from
 *   wal_write() or wal_prepare() leave the log sound and the buffer filled, to be written once
 *there is room.
 * - A torn tail (what a power loss left of an unsynced write) is cut.  Damage of what was durable
 *is refused, and not cut: each record says how far the log was durable when it was written, so a
 *bad record below such a mark of any later sound one is damage.  What no later record vouches for
 *cannot be told from a torn tail; wal_mark() and wal_close() write a record that vouches for the
 *last ones.
 *
 * Segments are files of segment_size bytes, full of zeros before they are used, so that a sync
 * writes data and no metadata.  A segment is never renamed, never used again, and no byte of it is
 * written twice, except by recovery behind the cut of a torn tail.
 */
#ifndef SHOAL_WAL_WAL_H
#define SHOAL_WAL_WAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "os/file.h"
#include "raft/entry.h"
#include "wal/snapfile.h"

#define WAL_SEGMENT_DEFAULT ((size_t)64 << 20)
#define WAL_SEGMENT_MIN     ((size_t)4 << 10)
#define WAL_SEGMENT_MAX     ((size_t)1 << 30)

/* How much of the next segment one wal_prepare() makes. */
#define WAL_PREPARE_SLICE ((size_t)1 << 20)

/* Codes of struct err beside those of errno. */
enum wal_error {
	WAL_DAMAGED = 1200, /* what was durable is not as it was written; the message has file,
	                       offset and index */
	WAL_FOREIGN,        /* of another cluster or another node; the message has both ids */
	WAL_NEWER,          /* in a format, or with entries, that this code does not know */
	WAL_BUSY            /* another process has the directory */
};

struct wal;

struct wal_config {
	const struct io *io;
	int dir; /* an open directory of this log alone, which is durable itself; borrowed */
	uint64_t cluster;
	uint64_t node;
	size_t segment_size; /* WAL_SEGMENT_MIN .. _MAX, of 4096 bytes each; 0: the default.  What
	                        is larger than a segment gets a larger one */
	mode_t mode;         /* of new files */
	uint32_t salt;       /* random; of a new log.  Records validate only in the log whose salt
	                        they have, so nobody can put one into an entry */
	uint64_t pid;        /* written to the lock file for people; 0: not */
	bool locked;         /* the caller holds the directory: take no lock */
};

/* What was on disk. */
struct wal_recovered {
	bool fresh; /* there was no log; there is one now */
	uint64_t term;
	uint64_t vote; /* 0: none */

	/*
	 * The newest sound snapshot; at.index 0: none.  conf is owned by this struct.  A damaged
	 * newer one is removed where the log has its entries; else it is WAL_DAMAGED.
	 */
	struct snapfile_meta snapshot;

	/*
	 * The point before entries[0], at or before the snapshot, and what follows it without
	 * a hole; owned by this struct.  Entries up to the snapshot may be among them.
	 */
	struct raft_point base;
	struct raft_entry *entries;
	size_t count;

	uint64_t cut_bytes; /* of a torn tail */
	bool dropped;       /* the log contradicted the snapshot, or ended before it: now empty */

	char *bytes; /* what the spans point to */
};

void wal_recovered_done(struct wal_recovered *r);

/*
 * Take the directory, recover what is in it, and be ready to append.  All that is in *ret is
 * durable then.  What recovery did (cut, dropped, removed) is appended to note, one line each,
 * where note is not NULL.
 *
 * NULL with WAL_DAMAGED, WAL_FOREIGN, WAL_NEWER, WAL_BUSY, an errno, or EINVAL (the config); *ret
 * is then empty.  A refusal changes nothing on disk.
 *
 * A log that has a term above what its hard state says takes that term, and no vote.  A newest
 * snapshot that the log does not reach, or at whose index it has another term, empties the log: a
 * crash came between the installation and wal_reset().
 */
struct wal *wal_open(const struct wal_config *cfg, struct wal_recovered *ret, struct buf *note,
                     struct err *e);

/*
 * Close it; NULL is fine.  A log that is not poisoned, and whose buffer is empty, first gets a mark
 * that vouches for all that is durable.  What was not written or synced may be lost.
 */
void wal_close(struct wal *w);

/* Close it as the death of the process would: nothing more is written.  NULL is fine. */
void wal_abandon(struct wal *w);

/*
 * Fill the buffer.  None of them fails: memory that is short is remembered, and wal_write() fails
 * with ENOMEM, finally.
 */

/* The term and the vote (0: none).  Neither the term nor the vote in a term goes back (assert). */
void wal_hard(struct wal *w, uint64_t term, uint64_t vote);

/* n entries, the first one right behind the last of the log (assert), none above its limits. */
void wal_append(struct wal *w, const struct raft_entry *entries, size_t n);

/* The log ends at this point; what follows it is gone.  last.index <= wal_last() (assert). */
void wal_truncate(struct wal *w, struct raft_point last);

/* The log is empty and begins behind this point, of a snapshot that is committed. */
void wal_reset(struct wal *w, struct raft_point base);

/* The last entry of the log, with those in the buffer. */
struct raft_point wal_last(const struct wal *w);

/*
 * Write the buffer with one pwrite, or one for each segment it comes to lie in; going on to the
 * next segment costs an fdatasync, and the making of that segment where wal_prepare() has not
 * done so.  *ret_written is the number of all that was given to this log by now, for wal_sync() to
 * report.
 */
int wal_write(struct wal *w, uint64_t *ret_written, struct err *e);

/* Make durable what is written.  *ret_durable is what the last wal_write() returned. */
int wal_sync(struct wal *w, uint64_t *ret_durable, struct err *e);

/* The number up to which the log is durable. */
uint64_t wal_durable(const struct wal *w);

/*
 * Vouch for what is durable by a record of its own, where no record has done so yet, and sync.
 * Cheap; for times when nothing else is to be written.  It fails as wal_write() and wal_sync().
 */
int wal_mark(struct wal *w, struct err *e);

/*
 * Work a slice of WAL_PREPARE_SLICE bytes on the next segment, so that wal_write() finds it made.
 * 1: there is more to do; 0: it is ready.  ENOSPC, EDQUOT, EFBIG and failures to create it are not
 * final; a failed sync is.
 */
int wal_prepare(struct wal *w, struct err *e);

/*
 * Entries up to index are not needed any more, as `snapshot` is committed: remove segments that
 * hold nothing above it, but never the one being written.  index <= snapshot.index (EINVAL).  First
 * a record says where the log begins, durably (all that is in the buffer with it).
 */
int wal_compact(struct wal *w, struct raft_point snapshot, uint64_t index, struct err *e);

struct wal_stat {
	struct raft_point base; /* the point before the first entry on disk */
	struct raft_point last;
	struct raft_point snapshot; /* of the last wal_reset() or wal_compact(), or recovered */
	uint64_t first_segment;
	uint64_t segment; /* being written */
	uint64_t bytes;   /* of all segments, with what is only reserved */
	uint64_t used;    /* of the segment being written */
	uint64_t written; /* as of wal_write() */
	uint64_t durable;
	bool prepared; /* the next segment is ready */
	bool poisoned;
};

void wal_stat(const struct wal *w, struct wal_stat *ret);

#endif
