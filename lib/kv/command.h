/*
 * command: what a client asks of the key-value store, as the bytes that stand in the log.
 *
 * Pure.  The encoding is little-endian, versioned and bounded; a command is the same bytes on every
 * node, and everything that decides is in it: times to live, delays, ids.  Limits are of the
 * version, never of a node's configuration (trap: a limit that differs between nodes splits them).
 *
 *	u8 version, u8 type, u8 bits (1 once, 2 want entry)
 *	once:            client[16], u64 seq, u64 first_outstanding, u64 client_ttl_ns
 *	ONE:             an operation
 *	TXN:             u8 count, operations
 *	SESSION_CREATE:  id[16], u64 ttl_ns, u64 lock_delay_ns, u8 behavior,
 *	                 u16 and bytes of name, node, note
 *	SESSION_DESTROY, SESSION_RENEW: id[16]
 *	an operation:    u8 verb, u16 and bytes of the key, then what the verb has of
 *	                 u64 flags, u64 index, session[16], u32 and bytes of the value
 *
 * No bytes at all are a TICK: an entry without a command (a leader's first, a change of members)
 *may be applied as it is, for its clock.
 */
#ifndef SHOAL_KV_COMMAND_H
#define SHOAL_KV_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"
#include "base/span.h"

#define KV_COMMAND_VERSION 1

#define KV_COMMAND_MAX (1u << 20)   /* bytes; RAFT_ENTRY_MAX */
#define KV_KEY_MAX     4096         /* any bytes, at least one */
#define KV_VALUE_MAX   (512u << 10) /* any bytes */
#define KV_OPS_MAX     128          /* operations of a transaction */
#define KV_NAME_MAX    1024         /* a session's name, and its node's */
#define KV_NOTE_MAX    4096         /* a session's note */

enum kv_type {
	KV_TICK = 1, /* nothing but the clock of its entry */
	KV_ONE,      /* one operation that writes */
	KV_TXN,      /* operations that take effect together or not at all */
	KV_SESSION_CREATE,
	KV_SESSION_DESTROY,
	KV_SESSION_RENEW,
};

/*
 * The verbs, and what each does; those of Consul's transactions.  A plain write does not ask who
 * holds the key: locks are advisory.
 *
 * set              create or replace value and flags; who holds it stays
 * cas              the same if the modify index is `index`; 0: if the key is absent
 * delete           also when it is absent
 * delete-cas       if the modify index is `index`, or the key is absent
 * delete-tree      every key that begins with `key`, which may be empty
 * lock             set, and `session` holds it from now on; lock index + 1 when it did not before
 * unlock           set, and nobody holds it; only for the session that does
 * get              the entry; fails when it is absent
 * get-or-empty     the entry; when absent one without value and with index 0
 * get-tree         every entry whose key begins with `key`, which may be empty
 * check-index      fails unless the modify index is `index`
 * check-session    fails unless `session` holds it (all zero: unless nobody does)
 * check-not-exists fails when the key is there
 */
enum kv_verb {
	KV_SET = 1,
	KV_CAS,
	KV_DELETE,
	KV_DELETE_CAS,
	KV_DELETE_TREE,
	KV_LOCK,
	KV_UNLOCK,
	KV_GET,
	KV_GET_OR_EMPTY,
	KV_GET_TREE,
	KV_CHECK_INDEX,
	KV_CHECK_SESSION,
	KV_CHECK_NOT_EXISTS,
	KV_VERB_END, /* not a verb */
};

/* A member that the verb does not have is neither encoded nor looked at; decoded it is zero. */
struct kv_op {
	uint8_t verb; /* enum kv_verb */
	struct span key;
	struct span value;             /* set, cas, lock, unlock */
	uint64_t flags;                /* the same; the user's */
	uint64_t index;                /* cas, delete-cas, check-index */
	unsigned char session[ID_LEN]; /* lock, unlock, check-session; all zero: none was given */
};

enum kv_behavior { /* what becomes of the keys when their session ends */
	           KV_RELEASE = 1,
	           KV_DELETE_KEYS,
};

struct kv_session_spec {
	unsigned char id[ID_LEN]; /* made by the caller, not all zero */
	uint64_t ttl_ns;          /* of the cluster's clock, exact; 0: it never expires */
	uint64_t
	    lock_delay_ns; /* how long its keys cannot be locked after it ended; 0: not at all */
	uint8_t behavior;  /* enum kv_behavior */
	struct span name, node; /* any bytes */
	struct span note;       /* the caller's, given back as it is */
};

/*
 * Exactly once (kv/once.h).  A client draws a random id, counts its commands from 1 and says with
 * each which of them is the oldest that it still waits for (it may not ask again for older ones).
 */
struct kv_once {
	unsigned char client[ID_LEN];
	uint64_t seq;               /* at least 1 */
	uint64_t first_outstanding; /* 1 .. seq */
	uint64_t ttl_ns; /* the client is forgotten so long after its last command; not 0 */
};

struct kv_command {
	uint8_t type;    /* enum kv_type */
	bool want_entry; /* ONE: the result has the entry as it is then, if there is one */
	bool has_once;
	uint8_t op_count; /* ONE: 1, TXN: 1 .. KV_OPS_MAX */
	struct kv_once once;
	struct kv_session_spec session; /* CREATE; DESTROY and RENEW have the id only */
	struct kv_op ops[KV_OPS_MAX];
};

/* Does it leave the state as it is? */
bool kv_verb_reads(uint8_t verb);
/* "delete-tree" and the like; "?" for what is no verb. */
const char *kv_verb_name(uint8_t verb);
/* The verb of that name, or 0. */
uint8_t kv_verb_by_name(struct span name);

/*
 * Append c.  Fails with EINVAL or EMSGSIZE when a member is outside its limits, naming it, or with
 * ENOMEM; the buffer then holds what it held before.
 */
int kv_command_put(struct buf *to, const struct kv_command *c, struct err *e);

/*
 * Decode.  Spans are borrowed from p; members that the command does not have are zero, and only
 * ops[0 .. op_count) are written.  Fails with EBADMSG for bytes that no kv_command_put() made, and
 * with ENOTSUP for a newer version.
 */
int kv_command_get(struct kv_command *ret, struct span p, struct err *e);

#endif
