/*
 * session: sessions, the keys that they hold, and lock-delays, for lib/kv.
 *
 * Pure.  The value of a session's item:
 *
 *	u64 ttl_ns, u64 lock_delay_ns, u64 expires_ns, u8 behavior, u16 and bytes of name, node,
 *note
 */
#ifndef SHOAL_KV_SESSION_H
#define SHOAL_KV_SESSION_H

#include "kv/state.h"

/* The commands: an enum kv_code. */
uint8_t kv_session_create(struct kv *kv, const struct kv_session_spec *spec);
uint8_t kv_session_renew(struct kv *kv, const unsigned char id[ID_LEN]);
/* End it: its keys are released or deleted, and cannot be locked for a while.  Also when unknown.
 */
void kv_session_destroy(struct kv *kv, const unsigned char id[ID_LEN]);

/* Who holds a key changes from one session to another; all zero is nobody. */
void kv_held_change(struct kv *kv, struct span key, const unsigned char from[ID_LEN],
                    const unsigned char to[ID_LEN]);
/* The key in HELD of a key of a session. */
struct span kv_held_key(char to[ID_LEN + KV_KEY_MAX], const unsigned char id[ID_LEN],
                        struct span key);
/* Is the key in the time after its holder's end? */
bool kv_is_delayed(const struct kv *kv, struct span key);
void kv_delay_remove(struct kv *kv, struct span key);

/* Decode an item: false when it is none that this module made. */
bool kv_session_view(const struct kv_item *it, struct kv_session *ret);

#endif
