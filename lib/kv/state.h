/*
 * state: the tables that a kv consists of, and the changes that keep them together; for lib/kv.
 *
 * Pure.  All state is items (kv/item.h) in trees.  The first six tables are the replicated state:
 * they are hashed and in snapshots.  The others follow from them and are made anew by a restore.
 *
 *	table       key               create            modify             value
 *	ENTRY       the user's        raft index        raft index         the user's
 *	TOMBSTONE   a deleted key     clock of its end  index of deletion  -
 *	SESSION     id                raft index        raft index         kv/session.h
 *	DELAY       a key             clock of its end  -                  -
 *	CLIENT      id                clock of its end  first outstanding  -
 *	RESULT      client, be64 seq  hash of command   -                  the result
 *	HELD        session, key      -                 -                  -
 *	DUE + kind  be64 clock, key   -                 -                  -
 *
 * Since the roots can be held, a transaction that fails is undone by taking the old roots back.
 */
#ifndef SHOAL_KV_STATE_H
#define SHOAL_KV_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "kv/kv.h"
#include "kv/tree.h"

enum table {
	T_ENTRY,
	T_TOMBSTONE,
	T_SESSION,
	T_DELAY,
	T_CLIENT,
	T_RESULT,
	T_REPLICATED, /* how many are */
	T_HELD = T_REPLICATED,
	T_DUE_SESSION,
	T_DUE_TOMBSTONE,
	T_DUE_DELAY,
	T_DUE_CLIENT,
	T_COUNT
};

struct kv_state {
	struct tree t[T_COUNT];
	uint64_t applied, clock_ns;
	uint64_t table_index;    /* of the last change of an entry */
	uint64_t sessions_index; /* of the last creation or end of a session */
	uint64_t floor;          /* the greatest index of a tombstone that is gone */
	uint64_t hash_sum;       /* of the items of the replicated tables */
	uint64_t result_bytes;   /* of all values of RESULT */
};

struct kv {
	struct kv_mem mem;
	struct kv_state s;
	struct tree watches; /* kv/watch.h */
	uint64_t watch_count;
	struct buf changed; /* what the apply under way has changed; kv/watch.h */
	bool is_broken;     /* out of memory inside an apply */
};

/* A second reference to all of it; to be dropped. */
struct kv_state kv_state_hold(const struct kv_state *s);
void kv_state_drop(struct kv_mem *m, struct kv_state *s);

/* Put an item in, in place of the one with its key; the table takes the reference. */
void kv_put(struct kv *kv, enum table t, struct kv_item *it);
/* Take one out; nothing when it is not there. */
void kv_remove(struct kv *kv, enum table t, struct span key);
struct kv_item *kv_find(const struct kv *kv, enum table t, struct span key);

/* Plan the end of what `key` names in the table of that kind, and take it back. */
void kv_due_put(struct kv *kv, enum table due, uint64_t clock_ns, struct span key);
void kv_due_remove(struct kv *kv, enum table due, uint64_t clock_ns, struct span key);
/* The key of such a plan. */
struct span kv_due_key(char to[8 + KV_KEY_MAX], uint64_t clock_ns, struct span key);
/* The first of a kind: its clock, and its key, copied to `to`.  False: there is none. */
bool kv_due_first(const struct kv *kv, enum table due, char to[KV_KEY_MAX], struct span *ret_key,
                  uint64_t *ret_clock_ns);

/* A sum that stays at the end of time. */
static inline uint64_t kv_later(uint64_t clock_ns, uint64_t ns)
{
	return clock_ns > UINT64_MAX - ns ? UINT64_MAX : clock_ns + ns;
}

/* ---- Entries (entry.c). */

/* Write an entry whose value, flags and holder are these; nothing when they are so already. */
void kv_entry_write(struct kv *kv, const struct kv_item *old, const struct kv_op *op,
                    const struct kv_lock_part *lock);
/* The keys that its session holds, under another holder or nobody: value and flags stay. */
void kv_entry_release(struct kv *kv, const struct kv_item *old);
void kv_entry_delete(struct kv *kv, const struct kv_item *old);
void kv_entry_view(const struct kv_item *it, struct kv_entry *ret);

/* Carry out one operation that writes: an enum kv_code. */
uint8_t kv_op_write(struct kv *kv, const struct kv_op *op);

/* End every tombstone, lock-delay, session and client whose time has come. */
void kv_expire(struct kv *kv);
/* A tombstone's time is over: from now on nobody knows what was deleted up to its index. */
void kv_tombstone_end(struct kv *kv, struct span key);

/* ---- Transactions (txn.c). */

/* Carry out the operations and append the result; its code.  Undoing is the caller's. */
uint8_t kv_txn_run(struct kv *kv, const struct kv_command *c, size_t result_max,
                   struct buf *result);

#endif
