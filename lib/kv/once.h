/*
 * once: a command that is sent again is not done again, for lib/kv.
 *
 * Pure.  The results of a client's latest commands are a part of the replicated state and of
 * snapshots, so that it does not matter which node is the leader when the client asks again
 * (Ongaro's thesis, section 6.3; the window by first_outstanding is LogCabin's).
 *
 * A client is made by its first command, which has seq 1; one that is not known and comes with
 * another number has expired, and is refused: nobody knows what it has done before.  (The one
 * command that cannot be told apart is a first one that is repeated after the client's TTL.)
 * Results below first_outstanding are dropped.  When there are too many clients, or too many bytes
 * of results, the client that would expire first goes; ties go by id.  When a client has too many
 * results the oldest one goes, and its number is never done again.
 */
#ifndef SHOAL_KV_ONCE_H
#define SHOAL_KV_ONCE_H

#include "kv/state.h"

#define KV_CLIENTS_MAX    (1u << 16)
#define KV_ONCE_WINDOW    64          /* results of one client */
#define KV_ONCE_BYTES_MAX (64u << 20) /* of all results; KV_ONCE_RESULT_MAX is for one */

/*
 * Before a command is done: true when it is not to be done, because its result, or the code why
 * not, is in *result.  p are its bytes: another command of the same number is KV_REUSED.
 */
bool kv_once_begin(struct kv *kv, const struct kv_once *o, struct span p, struct buf *result);
/* Afterwards: keep the result. */
void kv_once_end(struct kv *kv, const struct kv_once *o, struct span p, struct span result);

/* The number of a result, and how many a client has. */
uint64_t kv_once_seq(const struct kv_item *result);
unsigned kv_once_count(const struct kv *kv, struct span id);

/* Forget a client and its results. */
void kv_client_remove(struct kv *kv, struct span id);

#endif
