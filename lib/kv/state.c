#include "kv/state.h"

#include <assert.h>

struct kv_state kv_state_hold(const struct kv_state *s)
{
	for (int i = 0; i < T_COUNT; i++)
		(void)tree_hold(&s->t[i]);
	return *s;
}

void kv_state_drop(struct kv_mem *m, struct kv_state *s)
{
	for (int i = 0; i < T_COUNT; i++)
		tree_drop(m, &s->t[i]);
}

static void forget(struct kv *kv, enum table t, struct kv_item *old)
{
	if (old == NULL)
		return;
	if (t < T_REPLICATED)
		kv->s.hash_sum -= kv_item_hash(old, t);
	if (t == T_RESULT)
		kv->s.result_bytes -= old->value_len;
	kv_item_drop(&kv->mem, old);
}

void kv_put(struct kv *kv, enum table t, struct kv_item *it)
{
	if (it == NULL)
		return;
	if (t < T_REPLICATED)
		kv->s.hash_sum += kv_item_hash(it, t);
	if (t == T_RESULT)
		kv->s.result_bytes += it->value_len;
	forget(kv, t, tree_put(&kv->mem, &kv->s.t[t], it));
}

void kv_remove(struct kv *kv, enum table t, struct span key)
{
	forget(kv, t, tree_remove(&kv->mem, &kv->s.t[t], key));
}

struct kv_item *kv_find(const struct kv *kv, enum table t, struct span key)
{
	return tree_find(&kv->s.t[t], key);
}

/* Big-endian, so that bytes are in the order of time. */
struct span kv_due_key(char to[8 + KV_KEY_MAX], uint64_t clock_ns, struct span key)
{
	assert(key.len <= KV_KEY_MAX);
	for (int i = 0; i < 8; i++)
		to[i] = (char)(clock_ns >> (56 - 8 * i));
	memcpy(to + 8, key.p, key.len);
	return (struct span){to, 8 + key.len};
}

void kv_due_put(struct kv *kv, enum table due, uint64_t clock_ns, struct span key)
{
	char bytes[8 + KV_KEY_MAX];
	struct kv_item_spec spec = {.key = kv_due_key(bytes, clock_ns, key), .value = {"", 0}};

	kv_put(kv, due, kv_item_new(&kv->mem, &spec));
}

void kv_due_remove(struct kv *kv, enum table due, uint64_t clock_ns, struct span key)
{
	char bytes[8 + KV_KEY_MAX];

	kv_remove(kv, due, kv_due_key(bytes, clock_ns, key));
}

bool kv_due_first(const struct kv *kv, enum table due, char to[KV_KEY_MAX], struct span *ret_key,
                  uint64_t *ret_clock_ns)
{
	struct kv_item *it = tree_first(&kv->s.t[due]);
	struct span key;

	if (it == NULL)
		return false;
	key = kv_item_key(it);
	*ret_clock_ns = 0;
	for (int i = 0; i < 8; i++)
		*ret_clock_ns = *ret_clock_ns << 8 | (unsigned char)key.p[i];
	*ret_key = (struct span){to, key.len - 8};
	memcpy(to, key.p + 8, key.len - 8);
	return true;
}
