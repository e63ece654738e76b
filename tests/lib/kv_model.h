/*
 * kv_model: the state machine of lib/kv a second time, with arrays and loops and nothing clever:
 * entries, sessions, lock-delays and all deletions that ever were.  For random tests beside it.
 *
 * Keys have at most KV_MODEL_KEY_MAX bytes; values are kept as their first 8 bytes.  Once-headers
 * are not modelled.
 */
#ifndef SHOAL_TESTS_LIB_KV_MODEL_H
#define SHOAL_TESTS_LIB_KV_MODEL_H

#include <stdint.h>

#include "kv/kv.h"

#define KV_MODEL_KEY_MAX  8
#define KV_MODEL_KEYS     400
#define KV_MODEL_SESSIONS 16
#define KV_MODEL_DELETED  20000

struct kv_model_key {
	size_t len;
	char bytes[KV_MODEL_KEY_MAX];
};

struct kv_model_entry {
	struct kv_model_key key, value;
	uint64_t create, modify, flags, lock, fence;
	unsigned char holder; /* the first byte of the session's id; 0: nobody */
};

struct kv_model {
	uint64_t index, clock_ns, table_index, sessions_index;
	size_t entry_count, session_count, delay_count, deleted_count;
	struct kv_model_entry entry[KV_MODEL_KEYS];
	struct kv_model_session {
		unsigned char id;
		uint8_t behavior;
		uint64_t ttl_ns, delay_ns, expires_ns;
	} session[KV_MODEL_SESSIONS];
	struct kv_model_delay {
		struct kv_model_key key;
		uint64_t until_ns;
	} delay[KV_MODEL_KEYS];
	struct kv_model_deleted {
		struct kv_model_key key;
		uint64_t index, clock_ns;
	} deleted[KV_MODEL_DELETED];
};

/* Apply a command without once-header at index + 1: its code. */
uint8_t kv_model_apply(struct kv_model *m, uint64_t clock_ns, const struct kv_command *c);
/* NULL: it is not there. */
struct kv_model_entry *kv_model_find(struct kv_model *m, struct span key);
/* The greatest index of entries and of deletions that are still remembered under a prefix, or 0. */
uint64_t kv_model_prefix_index(const struct kv_model *m, struct span prefix);
/* Fails the test when kv holds anything else. */
void kv_model_assert_same(struct kv_model *m, struct kv *kv);

#endif
