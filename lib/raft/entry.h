/*
 * entry: what stands in the replicated log.
 *
 * Pure.  Indexes begin at 1; index 0 with term 0 is the point before the first entry.  An entry is
 * the same bytes on every node: its place (index, term), the cluster's clock at which the leader
 * took it, and its data.  The clock is nanoseconds that pass only while there is a leader; it never
 * goes back along the log, so a state machine may decide by it what has expired (Ongaro's thesis,
 * section 6.3, and LogCabin's ClusterClock).
 *
 * Type and version are on disk and on the wire: a node that meets one that it does not know stops
 * and says so; it does not guess.
 */
#ifndef SHOAL_RAFT_ENTRY_H
#define SHOAL_RAFT_ENTRY_H

#include <stdint.h>

#include "base/buf.h"
#include "base/le_buf.h"
#include "base/span.h"

/* The most data of one entry. */
#define RAFT_ENTRY_MAX (1u << 20)

/* The newest version of each type that this code understands. */
#define RAFT_ENTRY_VERSION 1

enum raft_entry_type {
	RAFT_ENTRY_NOOP = 1,    /* a leader's first; no data */
	RAFT_ENTRY_COMMAND = 2, /* for the state machine */
	RAFT_ENTRY_CONF = 3,    /* members; the data is conf_put()'s */
};

struct raft_entry {
	uint64_t index;
	uint64_t term;
	uint64_t clock_ns;
	uint8_t type;    /* enum raft_entry_type */
	uint8_t version; /* 1 .. RAFT_ENTRY_VERSION */
	struct span data;
};

/* A point in the log. */
struct raft_point {
	uint64_t index;
	uint64_t term;
};

/* The bytes of an entry beside its data. */
#define RAFT_ENTRY_HEAD 22

/*
 * The bytes of an entry without its index, which its place among others tells.  A reader is told
 * the index; it fails where the data is longer than RAFT_ENTRY_MAX, and passes types and versions
 * that it does not know, so that the core can say so.  The data stays where it was read.
 */
void raft_entry_put(struct buf *b, const struct raft_entry *entry);
struct raft_entry raft_entry_get(struct le_reader *r, uint64_t index);

#endif
