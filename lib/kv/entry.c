/* entry: the operations that write, and what a change of an entry means for the other tables. */
#include <string.h>

#include "kv/session.h"
#include "kv/state.h"
#include "kv/watch.h"

static const unsigned char nobody[ID_LEN];

void kv_entry_view(const struct kv_item *it, struct kv_entry *ret)
{
	struct kv_lock_part lock = kv_item_lock(it);

	*ret = (struct kv_entry){.key = kv_item_key(it),
	                         .value = kv_item_value(it),
	                         .create = it->create,
	                         .modify = it->modify,
	                         .flags = lock.flags,
	                         .lock = lock.lock,
	                         .fence = lock.fence,
	                         .has_value = true};
	memcpy(ret->session, lock.session, ID_LEN);
}

/* ---- Tombstones: for blocking queries that come after a deletion. */

static void remove_tombstone(struct kv *kv, struct span key)
{
	struct kv_item *it = kv_find(kv, T_TOMBSTONE, key);

	if (it == NULL)
		return;
	kv_due_remove(kv, T_DUE_TOMBSTONE, it->create, key);
	kv_remove(kv, T_TOMBSTONE, key);
}

void kv_tombstone_end(struct kv *kv, struct span key)
{
	struct kv_item *it = kv_find(kv, T_TOMBSTONE, key);

	if (it != NULL && it->modify > kv->s.floor)
		kv->s.floor = it->modify;
	remove_tombstone(kv, key);
}

static void put_tombstone(struct kv *kv, struct span key)
{
	struct kv_item_spec spec = {.key = key,
	                            .value = {"", 0},
	                            .create = kv_later(kv->s.clock_ns, KV_TOMBSTONE_TTL_NS),
	                            .modify = kv->s.applied};
	char bytes[KV_KEY_MAX];
	struct span oldest;
	uint64_t clock_ns;

	remove_tombstone(kv, key);
	kv_put(kv, T_TOMBSTONE, kv_item_new(&kv->mem, &spec));
	kv_due_put(kv, T_DUE_TOMBSTONE, spec.create, key);
	if (kv->s.t[T_TOMBSTONE].count > KV_TOMBSTONES_MAX &&
	    kv_due_first(kv, T_DUE_TOMBSTONE, bytes, &oldest, &clock_ns))
		kv_tombstone_end(kv, oldest);
}

/* ---- Changes. */

/* An item in place of old, which may be NULL. */
static void replace(struct kv *kv, const struct kv_item *old, struct kv_item_spec *spec)
{
	struct kv_item *it;
	struct kv_lock_part was = {0};

	spec->create = old != NULL ? old->create : kv->s.applied;
	spec->modify = kv->s.applied;
	it = kv_item_new(&kv->mem, spec);
	if (it == NULL)
		return;
	if (old != NULL)
		was = kv_item_lock(old);
	else
		remove_tombstone(kv, kv_item_key(it));
	kv_held_change(kv, kv_item_key(it), was.session, spec->lock.session);
	kv->s.table_index = kv->s.applied;
	kv_watch_note(kv, CHANGE_KEY, kv_item_key(it));
	kv_put(kv, T_ENTRY, it);
}

void kv_entry_write(struct kv *kv, const struct kv_item *old, const struct kv_op *op,
                    const struct kv_lock_part *lock)
{
	struct kv_item_spec spec = {.key = op->key, .value = op->value, .lock = *lock};
	struct kv_lock_part was;

	if (old != NULL && span_is(kv_item_value(old), op->value)) {
		was = kv_item_lock(old);
		if (memcmp(&was, lock, sizeof(was)) == 0)
			return;
	}
	replace(kv, old, &spec);
}

void kv_entry_release(struct kv *kv, const struct kv_item *old)
{
	struct kv_item_spec spec = {
	    .key = kv_item_key(old), .value = kv_item_value(old), .lock = kv_item_lock(old)};

	memcpy(spec.lock.session, nobody, ID_LEN);
	replace(kv, old, &spec);
}

void kv_entry_delete(struct kv *kv, const struct kv_item *old)
{
	char bytes[KV_KEY_MAX];
	struct span key = {bytes, old->key_len};
	struct kv_lock_part was = kv_item_lock(old);

	memcpy(bytes, kv_item_key(old).p, key.len);
	kv_remove(kv, T_ENTRY, key);
	kv_held_change(kv, key, was.session, nobody);
	put_tombstone(kv, key);
	kv->s.table_index = kv->s.applied;
	kv_watch_note(kv, CHANGE_KEY, key);
}

/* ---- Operations. */

static uint8_t set(struct kv *kv, const struct kv_item *old, const struct kv_op *op)
{
	struct kv_lock_part lock = {0};

	if (old != NULL)
		lock = kv_item_lock(old);
	lock.flags = op->flags;
	kv_entry_write(kv, old, op, &lock);
	return KV_OK;
}

static uint8_t lock(struct kv *kv, const struct kv_item *old, const struct kv_op *op)
{
	struct kv_lock_part part = {0};

	if (id_is_zero(op->session))
		return KV_MISSING_SESSION;
	if (kv_find(kv, T_SESSION, (struct span){(const char *)op->session, ID_LEN}) == NULL)
		return KV_INVALID_SESSION;
	if (old != NULL)
		part = kv_item_lock(old);
	if (memcmp(part.session, op->session, ID_LEN) != 0) {
		if (!id_is_zero(part.session))
			return KV_HELD;
		if (kv_is_delayed(kv, op->key))
			return KV_DELAYED;
		part.lock++;
		part.fence = kv->s.applied;
		memcpy(part.session, op->session, ID_LEN);
	}
	part.flags = op->flags;
	kv_entry_write(kv, old, op, &part);
	return KV_OK;
}

static uint8_t unlock(struct kv *kv, const struct kv_item *old, const struct kv_op *op)
{
	struct kv_lock_part part = {0};

	if (id_is_zero(op->session))
		return KV_MISSING_SESSION;
	if (old != NULL)
		part = kv_item_lock(old);
	if (memcmp(part.session, op->session, ID_LEN) != 0)
		return KV_NOT_HELD;
	part.flags = op->flags;
	memcpy(part.session, nobody, ID_LEN);
	kv_entry_write(kv, old, op, &part);
	return KV_OK;
}

static void delete_tree(struct kv *kv, struct span prefix)
{
	while (!kv->mem.failed) {
		struct tree_iter i;
		struct kv_item *it;

		tree_seek(&i, &kv->s.t[T_ENTRY], prefix);
		it = tree_next(&i);
		if (it == NULL || !kv_begins_with(kv_item_key(it), prefix))
			break;
		kv_entry_delete(kv, it);
	}
}

uint8_t kv_op_write(struct kv *kv, const struct kv_op *op)
{
	struct kv_item *old = kv_find(kv, T_ENTRY, op->key);

	switch (op->verb) {
	case KV_SET:
		return set(kv, old, op);
	case KV_CAS:
		if ((old != NULL ? old->modify : 0) != op->index)
			return KV_STALE;
		return set(kv, old, op);
	case KV_DELETE:
	case KV_DELETE_CAS:
		if (old == NULL)
			return KV_OK;
		if (op->verb == KV_DELETE_CAS && old->modify != op->index)
			return KV_STALE;
		kv_entry_delete(kv, old);
		return KV_OK;
	case KV_DELETE_TREE:
		delete_tree(kv, op->key);
		return KV_OK;
	case KV_LOCK:
		return lock(kv, old, op);
	default:
		return unlock(kv, old, op);
	}
}
