/*
 * item: one record of a table, immutable and counted, and the account of the memory that it takes.
 *
 * Pure.  Every table of the state holds such records (kv/state.h says what its numbers mean); a
 * lock part is there only when one of its members is not zero, because most keys are never locked.
 * An allocation that fails is remembered in the account for good: kv_apply() looks at it once, at
 * its end, and what was asked for in between is NULL, which every function here takes and passes
 * on.
 */
#ifndef SHOAL_KV_ITEM_H
#define SHOAL_KV_ITEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/id.h"
#include "base/span.h"

struct kv_mem {
	uint64_t bytes;
	uint64_t bytes_max;
	bool failed;
};

/* n bytes, or NULL. */
void *kv_mem_get(struct kv_mem *m, size_t n);
/* Give back n bytes at p; p may be NULL. */
void kv_mem_put(struct kv_mem *m, void *p, size_t n);

struct kv_lock_part {
	uint64_t flags, lock, fence;
	unsigned char session[ID_LEN];
};

struct kv_item {
	uint32_t refs;
	uint32_t value_len;
	uint16_t key_len;
	uint8_t has_lock;
	uint64_t create, modify;
	char bytes[]; /* the lock part if there is one, the key, the value */
};

/* What an item is made of; spans are copied. */
struct kv_item_spec {
	struct span key, value;
	uint64_t create, modify;
	struct kv_lock_part lock;
};

/* One reference, the caller's; NULL: out of memory. */
struct kv_item *kv_item_new(struct kv_mem *m, const struct kv_item_spec *spec);
/* Give one reference back; NULL does nothing. */
void kv_item_drop(struct kv_mem *m, struct kv_item *it);

/* A hash of what it says, and of the table that it is in: the same on every node. */
uint64_t kv_item_hash(const struct kv_item *it, uint64_t table);
/* The same function over any bytes. */
uint64_t kv_hash_bytes(uint64_t seed, const void *p, size_t n);
/* A number spread over 64 bits (SplitMix64: Steele, Lea, Flood, OOPSLA 2014). */
static inline uint64_t kv_hash_mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

static inline size_t kv_item_lock_len(const struct kv_item *it)
{
	return it->has_lock ? sizeof(struct kv_lock_part) : 0;
}

static inline struct span kv_item_key(const struct kv_item *it)
{
	return (struct span){it->bytes + kv_item_lock_len(it), it->key_len};
}

static inline struct span kv_item_value(const struct kv_item *it)
{
	return (struct span){it->bytes + kv_item_lock_len(it) + it->key_len, it->value_len};
}

static inline struct kv_lock_part kv_item_lock(const struct kv_item *it)
{
	struct kv_lock_part lock = {0};

	if (it->has_lock)
		memcpy(&lock, it->bytes, sizeof(lock));
	return lock;
}

/* Bytes in order, a shorter one before a longer one that begins like it. */
static inline int kv_compare(struct span a, struct span b)
{
	int c = memcmp(a.p, b.p, a.len < b.len ? a.len : b.len);

	return c != 0 ? c : (a.len > b.len) - (a.len < b.len);
}

static inline bool kv_begins_with(struct span key, struct span prefix)
{
	return key.len >= prefix.len && memcmp(key.p, prefix.p, prefix.len) == 0;
}

#endif
