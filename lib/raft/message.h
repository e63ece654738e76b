/*
 * message: what nodes say to each other, and its bytes.
 *
 * Pure.  One struct for all types; a type uses the fields named beside it, the others are 0.  Every
 * message says which cluster it belongs to, who sent it to whom, and in which term; the core drops
 * what is not for it.
 *
 * Bytes: little-endian, begins with RAFT_WIRE_VERSION.  The framing (length, checksum, encryption)
 * belongs to whoever carries the bytes; a decoder still trusts none of them.
 */
#ifndef SHOAL_RAFT_MESSAGE_H
#define SHOAL_RAFT_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "raft/conf.h"
#include "raft/entry.h"

#define RAFT_WIRE_VERSION 1

/* Limits of one message, for sender and receiver. */
#define RAFT_MESSAGE_ENTRIES_MAX 4096
#define RAFT_MESSAGE_BYTES_MAX   (4u << 20) /* encoded */
#define RAFT_CHUNK_MAX           (1u << 20) /* of a snapshot */

enum raft_message_type {
	/* Would you vote for me in `term`?  last: the sender's last entry; forced */
	RAFT_PREVOTE = 1,
	RAFT_PREVOTE_REPLY, /* granted; context as asked; term: of the question, if granted */
	RAFT_VOTE,          /* last, forced (a transfer of leadership), context */
	RAFT_VOTE_REPLY,    /* granted, context */
	/* prev, entries, commit, clock_ns, context: the read round that it confirms, or 0 */
	RAFT_APPEND,
	/*
	 * granted: all up to prev.index is the leader's log and durable.  Not granted: prev is
	 * where the leader may try next (index and the term there).  context as asked.
	 */
	RAFT_APPEND_REPLY,
	/* A chunk: prev (the snapshot's point), clock_ns, conf, offset, size, sum, data, context */
	RAFT_SNAPSHOT,
	/* prev, sum; offset: the bytes that are durable; granted: all is installed; context */
	RAFT_SNAPSHOT_REPLY,
	RAFT_TIMEOUT_NOW, /* begin an election at once: the leader hands over */
	RAFT_READ,        /* a follower asks for a read index: context is its own number for it */
	RAFT_READ_REPLY,  /* context; granted: prev.index is the read index */
};

struct raft_message {
	enum raft_message_type type;
	uint64_t cluster;
	uint64_t from;
	uint64_t to;
	uint64_t term;
	struct raft_point prev; /* or last */
	uint64_t commit;
	uint64_t clock_ns;
	uint64_t context;
	bool granted;
	bool forced;
	const struct raft_entry *entries;
	size_t count;
	/* Snapshots. */
	const struct raft_conf *conf;
	uint64_t offset;
	uint64_t size; /* of the whole snapshot */
	uint64_t sum;  /* tells two snapshots of one point apart */
	struct span data;
};

/* What a decoded message points to; may be used again for the next one. */
struct raft_message_room {
	struct raft_conf conf;
	struct raft_entry *entries;
	size_t capacity;
};

void raft_message_room_done(struct raft_message_room *room);

/* Append the bytes of a message that keeps the limits. */
void raft_message_put(struct buf *b, const struct raft_message *m);

/*
 * Read one from exactly these bytes, which stay the caller's and are pointed to.  EBADMSG for what
 * is no message, EPROTONOSUPPORT for another version, ENOMEM.
 */
int raft_message_get(struct span bytes, struct raft_message *ret, struct raft_message_room *room,
                     struct err *e);

const char *raft_message_name(enum raft_message_type type);

#endif
