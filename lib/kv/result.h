/*
 * result: what became of a command, as bytes that every node makes alike.
 *
 * Pure.  A result is kept for clients that ask again (kv/once.h), so it is a part of the replicated
 * state: bytes, not pointers.
 *
 *	u8 version, u8 code, u64 modify, u64 fence, u16 errors, u32 entries
 *	an error:  u8 operation, u8 code, u64 actual index, actual session[16]
 *	an entry:  u8 operation, u8 bits (1 value, 2 lock part), u16 and bytes of the key, u64
 *create, u64 modify; lock part: u64 flags, u64 lock, u64 fence, session[16]; value: u32 and bytes
 */
#ifndef SHOAL_KV_RESULT_H
#define SHOAL_KV_RESULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"
#include "base/le_buf.h"
#include "base/span.h"
#include "kv/command.h"

#define KV_RESULT_VERSION 1

/* A result above this is KV_TOO_LARGE, and the command has changed nothing. */
#define KV_RESULT_MAX      (16u << 20)
/* The same for a command that is to be done exactly once, because its result is kept. */
#define KV_ONCE_RESULT_MAX (64u << 10)

/* The numbers are in snapshots: they keep their meaning. */
enum kv_code {
	KV_OK = 0,

	/* The answer is no; nothing was changed. */
	KV_STALE = 1,         /* cas, delete-cas, check-index: another modify index */
	KV_HELD = 2,          /* lock: another session holds it */
	KV_DELAYED = 3,       /* lock: a session that held it ended a short while ago */
	KV_NOT_HELD = 4,      /* unlock: this session does not hold it */
	KV_ABSENT = 5,        /* get, check-index, check-session: no such key */
	KV_PRESENT = 6,       /* check-not-exists */
	KV_OTHER_SESSION = 7, /* check-session */

	/* It could not be asked like this; nothing was changed. */
	KV_MISSING_SESSION = 20, /* lock and unlock without a session */
	KV_INVALID_SESSION = 21, /* lock: there is no such session */
	KV_SESSION_EXISTS = 22,  /* create with the id of another */
	KV_NO_SESSION = 23,      /* renew */
	KV_FULL = 24,            /* KV_SESSIONS_MAX */
	KV_TOO_LARGE = 25,       /* KV_RESULT_MAX, KV_ONCE_RESULT_MAX */
	KV_BAD_COMMAND = 26,     /* the bytes are none */
	KV_TXN_FAILED = 27,      /* the errors say why */

	/* Exactly once: this command is not applied again, what became of it is not known here. */
	KV_FORGOTTEN = 40,      /* older than the client's first_outstanding, or pushed out */
	KV_UNKNOWN_CLIENT = 41, /* expired, or new and does not begin with 1 */
	KV_REUSED = 42,         /* the same number was another command */
};

/* "No" and not an error: what the HTTP API answers with `false`. */
static inline bool kv_code_is_no(uint8_t code)
{
	return code >= KV_STALE && code <= KV_OTHER_SESSION;
}

/* An entry of the store, or of a result; spans are borrowed, see who hands it out. */
struct kv_entry {
	struct span key, value;
	uint64_t create, modify; /* raft indexes; 0 in an empty one (get-or-empty) */
	uint64_t flags;
	uint64_t lock;  /* how often it was locked: Consul's LockIndex */
	uint64_t fence; /* the raft index at which its last holder got it; 0: never */
	unsigned char session[ID_LEN]; /* the holder; all zero: nobody */
	bool has_value;                /* in a result only some verbs give it */
};

struct kv_op_error {
	uint8_t op; /* which operation of the transaction, from 0 */
	uint8_t code;
	uint64_t actual_index; /* KV_STALE of check-index: the modify index that it has */
	unsigned char actual_session[ID_LEN]; /* KV_OTHER_SESSION: who holds it */
};

struct kv_result {
	uint8_t code;    /* enum kv_code */
	uint64_t modify; /* ONE: the entry's modify index; else 0 */
	uint64_t fence;  /* lock: its fence number, greater than any before it on this key */
	uint16_t error_count;
	uint32_t entry_count;
	struct le_reader rest; /* errors, then entries */
};

/* Decode the head; borrowed from p.  Fails with EBADMSG. */
int kv_result_get(struct kv_result *ret, struct span p, struct err *e);
/* The next error, then the next entry: 1, 0 at the end, or -1 with EBADMSG.  Errors come first. */
int kv_result_next_error(struct kv_result *r, struct kv_op_error *ret, struct err *e);
int kv_result_next_entry(struct kv_result *r, struct kv_entry *ret, uint8_t *ret_op, struct err *e);

/* Append.  The caller counts errors and entries and sets them in the head afterwards. */
void kv_result_put_head(struct buf *to, const struct kv_result *r);
void kv_result_put_error(struct buf *to, const struct kv_op_error *error);
void kv_result_put_entry(struct buf *to, const struct kv_entry *entry, uint8_t op);
/* Write the head of a result that begins at to[at] anew. */
void kv_result_set_head(struct buf *to, size_t at, const struct kv_result *r);

/*
 * Append what an error means, in the words of Consul's API: `failed to lock key "k", lock is
 * already held`.  op is the operation that it is about (NULL for a code that is about none).
 * `error` may come from an older result than op: any values will do.
 */
void kv_error_text(struct buf *to, const struct kv_op_error *error, const struct kv_op *op);
/* The same for the code of a whole result; session is the id of a session command, or NULL. */
void kv_code_text(struct buf *to, uint8_t code, const unsigned char *session);

/* Append s in quotes, as Go's %q: printable and valid UTF-8 as it is, the rest escaped. */
void kv_quoted_put(struct buf *to, struct span s);

#endif
