/* read: what the state holds, for those who ask. */
#include <assert.h>
#include <string.h>

#include "kv/session.h"

bool kv_get(const struct kv *kv, struct span key, struct kv_entry *ret)
{
	struct kv_item *it = kv_find(kv, T_ENTRY, key);

	if (it != NULL)
		kv_entry_view(it, ret);
	return it != NULL;
}

static uint64_t at_least_1(uint64_t index)
{
	return index > 0 ? index : 1;
}

uint64_t kv_table_index(const struct kv *kv)
{
	return at_least_1(kv->s.table_index);
}

uint64_t kv_sessions_index(const struct kv *kv)
{
	return at_least_1(kv->s.sessions_index);
}

uint64_t kv_key_index(const struct kv *kv, struct span key)
{
	struct kv_item *it = kv_find(kv, T_ENTRY, key);

	return it != NULL ? it->modify : kv_table_index(kv);
}

uint64_t kv_prefix_index(const struct kv *kv, struct span prefix)
{
	uint64_t entries = tree_prefix_max(&kv->s.t[T_ENTRY], prefix);
	uint64_t deleted = tree_prefix_max(&kv->s.t[T_TOMBSTONE], prefix);
	uint64_t max = entries > deleted ? entries : deleted;

	if (max == 0)
		return kv_table_index(kv);
	/* Not below the floor: a query with such an index would be answered at once, and again. */
	return max > kv->s.floor ? max : kv->s.floor;
}

uint64_t kv_applied_index(const struct kv *kv)
{
	return kv->s.applied;
}

uint64_t kv_clock_ns(const struct kv *kv)
{
	return kv->s.clock_ns;
}

/* ---- Cursors. */

struct cursor {
	struct kv *kv;
	struct tree tree;
	struct tree_iter i;
	struct span prefix; /* borrowed from the first key that has it */
};

_Static_assert(sizeof(struct cursor) <= sizeof(((struct kv_cursor *)NULL)->opaque), "it fits");

static struct kv_item *next_item(struct cursor *c)
{
	struct kv_item *it = tree_next(&c->i);

	if (it != NULL && kv_begins_with(kv_item_key(it), c->prefix))
		return it;
	c->i.height = 0;
	return NULL;
}

void kv_scan(struct kv *kv, struct span prefix, struct kv_cursor *cursor)
{
	/* cppcheck-suppress ctuuninitvar ; it is written, not read */
	struct cursor *c = (struct cursor *)(void *)cursor->opaque;
	struct kv_item *it;

	*c = (struct cursor){.kv = kv, .tree = tree_hold(&kv->s.t[T_ENTRY]), .prefix = prefix};
	tree_seek(&c->i, &c->tree, prefix);
	it = next_item(c);
	if (it == NULL)
		return;
	c->prefix.p = kv_item_key(it).p;
	tree_seek(&c->i, &c->tree, kv_item_key(it));
}

bool kv_cursor_next(struct kv_cursor *cursor, struct kv_entry *ret)
{
	struct kv_item *it = next_item((struct cursor *)(void *)cursor->opaque);

	if (it != NULL)
		kv_entry_view(it, ret);
	return it != NULL;
}

/* To the first key behind all that begin with group, if there can be one. */
static void seek_behind(struct cursor *c, struct span group)
{
	char bytes[KV_KEY_MAX];

	/* The last byte that can be raised, raised; what follows it is cut off. */
	while (group.len > 0 && (unsigned char)group.p[group.len - 1] == 0xff)
		group.len--;
	if (group.len == 0) {
		c->i.height = 0;
		return;
	}
	memcpy(bytes, group.p, group.len);
	bytes[group.len - 1]++;
	tree_seek(&c->i, &c->tree, (struct span){bytes, group.len});
}

bool kv_cursor_next_key(struct kv_cursor *cursor, struct span separator, struct span *ret_key)
{
	struct cursor *c = (struct cursor *)(void *)cursor->opaque;
	struct kv_item *it = next_item(c);
	const char *found = NULL;

	if (it == NULL)
		return false;
	*ret_key = kv_item_key(it);
	if (separator.len > 0)
		found = memmem(ret_key->p + c->prefix.len, ret_key->len - c->prefix.len,
		               separator.p, separator.len);
	if (found != NULL) {
		ret_key->len = (size_t)(found - ret_key->p) + separator.len;
		seek_behind(c, *ret_key);
	}
	return true;
}

void kv_cursor_done(struct kv_cursor *cursor)
{
	struct cursor *c = (struct cursor *)(void *)cursor->opaque;

	tree_drop(&c->kv->mem, &c->tree);
	c->i.height = 0;
}

/* ---- Sessions. */

bool kv_session_get(const struct kv *kv, const unsigned char id[ID_LEN], struct kv_session *ret)
{
	struct kv_item *it = kv_find(kv, T_SESSION, (struct span){(const char *)id, ID_LEN});

	return it != NULL && kv_session_view(it, ret);
}

bool kv_session_next(const struct kv *kv, const unsigned char after[ID_LEN], struct kv_session *ret)
{
	struct span key = {(const char *)after, after != NULL ? ID_LEN : 0};
	struct tree_iter i;
	struct kv_item *it;

	tree_seek(&i, &kv->s.t[T_SESSION], after != NULL ? key : (struct span){"", 0});
	it = tree_next(&i);
	if (it != NULL && after != NULL && span_is(kv_item_key(it), key))
		it = tree_next(&i);
	return it != NULL && kv_session_view(it, ret);
}

/* ---- Numbers. */

uint64_t kv_hash(const struct kv *kv)
{
	const struct kv_state *s = &kv->s;
	uint64_t h = kv_hash_mix(s->hash_sum);

	h = kv_hash_mix(h ^ s->applied);
	h = kv_hash_mix(h ^ s->clock_ns);
	h = kv_hash_mix(h ^ s->table_index);
	h = kv_hash_mix(h ^ s->sessions_index);
	return kv_hash_mix(h ^ s->floor);
}

void kv_get_stat(const struct kv *kv, struct kv_stat *ret)
{
	const struct tree *t = kv->s.t;

	*ret = (struct kv_stat){.keys = t[T_ENTRY].count,
	                        .sessions = t[T_SESSION].count,
	                        .held = t[T_HELD].count,
	                        .tombstones = t[T_TOMBSTONE].count,
	                        .delays = t[T_DELAY].count,
	                        .clients = t[T_CLIENT].count,
	                        .results = t[T_RESULT].count,
	                        .watches = kv->watch_count,
	                        .bytes = kv->mem.bytes};
}

void kv_set_bytes_max(struct kv *kv, uint64_t bytes_max)
{
	kv->mem.bytes_max = bytes_max;
}
