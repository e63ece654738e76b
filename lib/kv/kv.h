/*
 * kv: the replicated state machine of raftd: keys, sessions, locks, transactions, watches.
 *
 * Pure.  What a node holds is decided by the commands of the log and nothing else: no clock but
 * the one in the entry, no randomness, no order of pointers, no locale, no configuration.  Two
 * nodes that applied the same entries have the same kv_hash() and write the same snapshot bytes.
 * The semantics are those of Consul's KV and sessions, and better where noted.
 *
 * Keys: an ordered map of byte strings.  A write that changes nothing (value, flags, holder) is no
 * write: the modify index stays and nobody is woken.  A plain set keeps the lock index, which
 * Consul resets; the fence number is the index of the entry that got the lock, so that it rises
 * for a key also after it was deleted and made again.
 *
 * Time: clock_ns of an entry is the cluster's clock (raft/entry.h).  Before a command is looked at,
 * everything whose time has come is ended by that entry, on all nodes alike: sessions with a TTL,
 * lock-delays, tombstones, clients.  Whether a session was renewed is known here and only here, so
 * there is no message "expire this session" that could be late.  kv_next_expiry() says when a
 * leader should propose a tick.
 *
 * Indexes, for blocking queries: a key's modify index; for a prefix the greatest modify index or
 * deletion under it; deletions are kept for KV_TOMBSTONE_TTL_NS (and at most KV_TOMBSTONES_MAX of
 * them, the oldest go first).  What was deleted earlier is covered by a floor: a query that is
 * older than the floor is answered at once, because nobody knows what it has missed.
 *
 * Memory: nodes and entries are counted references, so that a snapshot or a cursor holds a moment
 * in O(1) while writes go on.  Allocation failure inside kv_apply() is the end of the node: an
 * entry that a majority has committed cannot be refused by one of them, and half of it may be
 * done.  Every later call for a change fails; the process has to stop and start from its disk.  The
 * limits of a command bound what one apply needs, kv_delete_tree apart; a leader looks at
 * kv_stat().bytes before it proposes.
 *
 * One thread: not even two cursors of one kv may be used by two threads at once.
 */
#ifndef SHOAL_KV_KV_H
#define SHOAL_KV_KV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "kv/command.h"
#include "kv/result.h"

/* Limits of version 1 of the commands: the same on all nodes. */
#define KV_SESSIONS_MAX     (1u << 20)
#define KV_TOMBSTONES_MAX   (1u << 16)
#define KV_TOMBSTONE_TTL_NS UINT64_C(900000000000) /* 15 minutes of the cluster's clock */

struct kv;

/* NULL: out of memory. */
struct kv *kv_new(void);
/* Snapshots, restores, cursors and watches of it are to be ended before. */
void kv_free(struct kv *kv);

/* ---- Applying. */

struct kv_input {
	uint64_t index;      /* of the entry; greater than that of the apply before */
	uint64_t clock_ns;   /* of the entry; one that goes back counts as the one before */
	struct span command; /* kv/command.h; empty: a tick */
};

/* What an apply has to tell; zeroed at first, may be used again, at the end kv_output_done(). */
struct kv_output {
	struct buf result; /* kv/result.h */
	struct buf due;    /* cookies of watches, as uint64_t: see kv_output_due() */
};

void kv_output_done(struct kv_output *out);
size_t kv_output_due_count(const struct kv_output *out);
uint64_t kv_output_due(const struct kv_output *out, size_t i);

/*
 * Apply an entry: its result is in out->result, and out->due has the cookies of the watches that it
 * woke.  Both are emptied first.  A command that is refused, or bytes that are no command, are a
 * result like any other, and the same on all nodes.  -1 means that this node has to stop: ENOMEM,
 * EINVAL (the index does not rise), ENOTSUP (a command of a newer version: nothing was changed).
 */
int kv_apply(struct kv *kv, const struct kv_input *in, struct kv_output *out, struct err *e);

/* The clock at which something expires, or UINT64_MAX. */
uint64_t kv_next_expiry(const struct kv *kv);

/*
 * Answer a transaction that only reads (kv_verb_reads() of all its verbs) from the state as it is:
 * it needs no entry in the log.  Appends a result.  Fails with EINVAL for any other command, or
 * with ENOMEM, which is no disaster here.
 */
int kv_query(struct kv *kv, const struct kv_command *c, struct buf *result, struct err *e);

/* ---- Reading.  What is borrowed is valid until the next apply or restore. */

bool kv_get(const struct kv *kv, struct span key, struct kv_entry *ret);

/*
 * The index of an answer, for X-Consul-Index and for the next blocking query: of a key that is
 * there its modify index, of an absent one kv_table_index(); of a prefix the greatest under it, or
 * kv_table_index() when there is nothing, not even a tombstone.  At least 1.
 */
uint64_t kv_key_index(const struct kv *kv, struct span key);
uint64_t kv_prefix_index(const struct kv *kv, struct span prefix);
/* The index of the last write to any key. */
uint64_t kv_table_index(const struct kv *kv);
/* Of the last creation or end of any session. */
uint64_t kv_sessions_index(const struct kv *kv);

uint64_t kv_applied_index(const struct kv *kv);
uint64_t kv_clock_ns(const struct kv *kv);

/*
 * A walk over the keys with a prefix, in the order of their bytes, at the moment of kv_scan(): what
 * is written afterwards is not seen.  The cursor is the caller's struct; kv_cursor_done() ends it,
 * and must be called.  Entries are borrowed until then.
 */
struct kv_cursor {
	_Alignas(8) unsigned char opaque[336];
};

void kv_scan(struct kv *kv, struct span prefix, struct kv_cursor *c);
bool kv_cursor_next(struct kv_cursor *c, struct kv_entry *ret);
/*
 * The next key, cut behind the first separator that follows the prefix, each such group once, found
 * without walking it.  An empty separator cuts nothing.
 */
bool kv_cursor_next_key(struct kv_cursor *c, struct span separator, struct span *ret_key);
void kv_cursor_done(struct kv_cursor *c);

struct kv_session {
	struct kv_session_spec spec; /* borrowed */
	uint64_t create, modify;     /* raft indexes; a renewal changes neither */
	uint64_t expires_ns;         /* cluster clock; UINT64_MAX: never */
};

bool kv_session_get(const struct kv *kv, const unsigned char id[ID_LEN], struct kv_session *ret);
/* The first session whose id is greater than after (NULL: the first of all). */
bool kv_session_next(const struct kv *kv, const unsigned char after[ID_LEN],
                     struct kv_session *ret);

/* ---- Watches: this node's only, in no snapshot. */

enum kv_watch_kind {
	KV_WATCH_KEY,
	KV_WATCH_PREFIX,
	KV_WATCH_SESSION,  /* key is the id */
	KV_WATCH_SESSIONS, /* creation and end of any; key is not looked at */
};

struct kv_watch_spec {
	enum kv_watch_kind kind;
	struct span key;
	uint64_t since;  /* due when the index of what is watched is greater */
	uint64_t cookie; /* the caller's, reported when it is due */
};

struct kv_watch;

/*
 * 1: due already, nothing was registered; 0: *ret_watch is; -1: ENOMEM or EMSGSIZE (a key above its
 * limit).  A watch is reported once and is gone then; kv_watch_remove() is for one that was not.
 * It is never woken by another key, and a write looks only at watches of the key and its prefixes.
 */
int kv_watch_add(struct kv *kv, const struct kv_watch_spec *spec, struct kv_watch **ret_watch,
                 struct err *e);
void kv_watch_remove(struct kv *kv, struct kv_watch *w);

/* ---- Snapshots. */

/* The most that one record of a snapshot needs: what a restore keeps of bytes not yet complete. */
#define KV_SNAPSHOT_RECORD_MAX (1u << 20)

struct kv_snapshot;
struct kv_restore;

/* The state of this moment, in O(1); NULL: out of memory.  Writes go on meanwhile. */
struct kv_snapshot *kv_snapshot_begin(struct kv *kv);
/* The next 1 .. n bytes of it: their number, 0 at the end, or -1 with ENOMEM. */
int64_t kv_snapshot_read(struct kv_snapshot *s, char *to, size_t n, struct err *e);
void kv_snapshot_end(struct kv_snapshot *s);

/*
 * A state from such bytes, in pieces of any size.  kv_restore_commit() replaces what kv holds,
 * wakes all its watches into out->due and frees r; until then kv is as it was.  Foreign bytes are
 * refused with EBADMSG (a checksum, an order, a limit, an invariant of kv_check()), a newer version
 * with ENOTSUP.  After an error only kv_restore_abort() may follow, which is also the way to give
 * up; a commit that fails leaves r to it.
 */
struct kv_restore *kv_restore_begin(void);
int kv_restore_write(struct kv_restore *r, const char *p, size_t n, struct err *e);
int kv_restore_commit(struct kv_restore *r, struct kv *kv, struct kv_output *out, struct err *e);
void kv_restore_abort(struct kv_restore *r);

/* ---- Looking after it. */

/*
 * A hash of the whole replicated state, equal on two nodes if and only if (but for chance) they
 * hold the same: applied index, clock, keys, sessions, tombstones, lock-delays, clients.  It is
 * kept up to date by each change (a sum of the hashes of all records), so this costs nanoseconds.
 */
uint64_t kv_hash(const struct kv *kv);

struct kv_stat {
	uint64_t keys, sessions, held, tombstones, delays, clients, results, watches;
	uint64_t bytes; /* of memory, but for what malloc adds; snapshots that are open are in it */
};

void kv_get_stat(const struct kv *kv, struct kv_stat *ret);

/*
 * How many bytes kv_stat().bytes may reach before an allocation fails; no limit at first.  A node
 * that outgrows its memory then stops by itself and says so.
 */
void kv_set_bytes_max(struct kv *kv, uint64_t bytes_max);

/*
 * Every invariant, in O(n log n), for tests and the simulator: order and counts, the hash made
 * anew, nobody holds a key without a session, nothing expired is there.  EBADMSG names the first
 * that does not hold.
 */
int kv_check(const struct kv *kv, struct err *e);

#endif
