/* expire: what ends because the cluster's clock has passed it, and when that is next. */
#include <string.h>

#include "kv/once.h"
#include "kv/session.h"

static void end(struct kv *kv, enum table due, struct span key)
{
	if (due == T_DUE_SESSION)
		kv_session_destroy(kv, (const unsigned char *)key.p);
	else if (due == T_DUE_TOMBSTONE)
		kv_tombstone_end(kv, key);
	else if (due == T_DUE_DELAY)
		kv_delay_remove(kv, key);
	else
		kv_client_remove(kv, key);
}

void kv_expire(struct kv *kv)
{
	char bytes[KV_KEY_MAX];
	uint64_t clock_ns;
	struct span key;

	for (enum table due = T_DUE_SESSION; due < T_COUNT; due++)
		while (!kv->mem.failed && kv_due_first(kv, due, bytes, &key, &clock_ns) &&
		       clock_ns <= kv->s.clock_ns)
			end(kv, due, key);
}

uint64_t kv_next_expiry(const struct kv *kv)
{
	uint64_t next = UINT64_MAX;
	char bytes[KV_KEY_MAX];
	uint64_t clock_ns;
	struct span key;

	for (enum table due = T_DUE_SESSION; due < T_COUNT; due++)
		if (kv_due_first(kv, due, bytes, &key, &clock_ns) && clock_ns < next)
			next = clock_ns;
	return next;
}
