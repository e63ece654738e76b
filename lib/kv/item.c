#include "kv/item.h"

#include <assert.h>
#include <stdlib.h>

#include "base/le.h"

void *kv_mem_get(struct kv_mem *m, size_t n)
{
	void *p = n <= m->bytes_max && m->bytes <= m->bytes_max - n ? malloc(n) : NULL;

	if (p == NULL)
		m->failed = true;
	else
		m->bytes += n;
	return p;
}

void kv_mem_put(struct kv_mem *m, void *p, size_t n)
{
	if (p == NULL)
		return;
	assert(m->bytes >= n);
	m->bytes -= n;
	free(p);
}

static size_t size_of(const struct kv_item *it)
{
	return sizeof(*it) + kv_item_lock_len(it) + it->key_len + it->value_len;
}

struct kv_item *kv_item_new(struct kv_mem *m, const struct kv_item_spec *spec)
{
	const struct kv_lock_part *lock = &spec->lock;
	bool has_lock =
	    lock->flags != 0 || lock->lock != 0 || lock->fence != 0 || !id_is_zero(lock->session);
	struct kv_item head = {.refs = 1,
	                       .value_len = (uint32_t)spec->value.len,
	                       .key_len = (uint16_t)spec->key.len,
	                       .has_lock = has_lock,
	                       .create = spec->create,
	                       .modify = spec->modify};
	struct kv_item *it = kv_mem_get(m, size_of(&head));
	char *to;

	assert(spec->key.len <= UINT16_MAX && spec->value.len <= UINT32_MAX);
	if (it == NULL)
		return NULL;
	*it = head;
	to = it->bytes;
	if (has_lock)
		memcpy(to, lock, sizeof(*lock));
	to += kv_item_lock_len(it);
	memcpy(to, spec->key.p, spec->key.len);
	if (spec->value.len > 0)
		memcpy(to + spec->key.len, spec->value.p, spec->value.len);
	return it;
}

void kv_item_drop(struct kv_mem *m, struct kv_item *it)
{
	if (it != NULL && --it->refs == 0)
		kv_mem_put(m, it, size_of(it));
}

/*
 * Eight bytes a step, as multiplications of odd constants; the length is in the seed of the caller.
 * Not for secrets: it finds nodes that differ by accident.
 */
uint64_t kv_hash_bytes(uint64_t seed, const void *p, size_t n)
{
	const char *at = p;
	uint64_t h = kv_hash_mix(seed + n);
	uint64_t last = 0;

	for (; n >= 8; n -= 8, at += 8) {
		h = (h ^ le_get64(at)) * 0x9e3779b97f4a7c15;
		h ^= h >> 32;
	}
	for (size_t i = 0; i < n; i++)
		last |= (uint64_t)(unsigned char)at[i] << 8 * i;
	return kv_hash_mix(h ^ last);
}

uint64_t kv_item_hash(const struct kv_item *it, uint64_t table)
{
	struct kv_lock_part lock = kv_item_lock(it);
	struct span key = kv_item_key(it);
	uint64_t h = kv_hash_mix(table);

	h = kv_hash_mix(h ^ it->create);
	h = kv_hash_mix(h ^ it->modify);
	if (it->has_lock) {
		h = kv_hash_mix(h ^ lock.flags);
		h = kv_hash_mix(h ^ lock.lock);
		h = kv_hash_mix(h ^ lock.fence);
		h = kv_hash_bytes(h, lock.session, ID_LEN);
	}
	/* The key's length apart, so that no byte can move from the key to the value. */
	h = kv_hash_mix(h ^ it->key_len);
	return kv_hash_bytes(h, key.p, key.len + it->value_len);
}
