#include "kv/watch.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/le_buf.h"

/*
 * A group's key: a letter, then the key, the prefix or the id.  Its value is the address of the
 * group; that is no state of the machine, and nothing is in the order of addresses.
 */
#define GROUP_KEY      'k'
#define GROUP_PREFIX   'p'
#define GROUP_SESSION  's'
#define GROUP_SESSIONS 'S'

struct kv_watch {
	struct kv_watch *next, *before; /* in its group */
	struct group *group;
	uint64_t since, cookie;
};

struct group {
	struct kv_watch *first, *last; /* in the order in which they came */
	struct kv_item *item;          /* borrowed from the tree */
};

static struct group *group_of(const struct kv_item *it)
{
	struct group *g;

	memcpy(&g, kv_item_value(it).p, sizeof(void *));
	return g;
}

static struct span group_key(char to[1 + KV_KEY_MAX], char kind, struct span key)
{
	assert(key.len <= KV_KEY_MAX);
	to[0] = kind;
	if (key.len > 0)
		memcpy(to + 1, key.p, key.len);
	return (struct span){to, 1 + key.len};
}

/* ---- Registering. */

static struct group *new_group(struct kv *kv, struct span key)
{
	struct group *g = kv_mem_get(&kv->mem, sizeof(*g));
	struct kv_item_spec spec = {.key = key, .value = {(const char *)&g, sizeof(void *)}};
	struct kv_item *it = g != NULL ? kv_item_new(&kv->mem, &spec) : NULL;

	kv_item_drop(&kv->mem, tree_put(&kv->mem, &kv->watches, it));
	if (g == NULL || kv->mem.failed) {
		kv_mem_put(&kv->mem, g, sizeof(*g));
		return NULL;
	}
	*g = (struct group){.item = it};
	return g;
}

static struct group *find_group(struct kv *kv, struct span key)
{
	struct kv_item *it = tree_find(&kv->watches, key);

	return it != NULL ? group_of(it) : new_group(kv, key);
}

static void append(struct group *g, struct kv_watch *w)
{
	w->group = g;
	w->next = NULL;
	w->before = g->last;
	*(g->last != NULL ? &g->last->next : &g->first) = w;
	g->last = w;
}

static char kind_of(const struct kv_watch_spec *spec)
{
	switch (spec->kind) {
	case KV_WATCH_KEY:
		return GROUP_KEY;
	case KV_WATCH_PREFIX:
		return GROUP_PREFIX;
	case KV_WATCH_SESSION:
		return GROUP_SESSION;
	default:
		return GROUP_SESSIONS;
	}
}

/* Has it changed since then, as far as is known? */
static bool is_due(const struct kv *kv, const struct kv_watch_spec *spec)
{
	const struct kv_item *it;

	switch (spec->kind) {
	case KV_WATCH_KEY:
		it = kv_find(kv, T_ENTRY, spec->key);
		if (it == NULL)
			it = kv_find(kv, T_TOMBSTONE, spec->key);
		return (it != NULL ? it->modify : kv->s.floor) > spec->since;
	case KV_WATCH_PREFIX:
		return kv->s.floor > spec->since ||
		       tree_prefix_max(&kv->s.t[T_ENTRY], spec->key) > spec->since ||
		       tree_prefix_max(&kv->s.t[T_TOMBSTONE], spec->key) > spec->since;
	case KV_WATCH_SESSION:
		it = kv_find(kv, T_SESSION, spec->key);
		return (it != NULL ? it->modify : kv->s.sessions_index) > spec->since;
	default:
		return kv->s.sessions_index > spec->since;
	}
}

int kv_watch_add(struct kv *kv, const struct kv_watch_spec *spec, struct kv_watch **ret_watch,
                 struct err *e)
{
	char bytes[1 + KV_KEY_MAX];
	struct span key = spec->kind == KV_WATCH_SESSIONS ? (struct span){"", 0} : spec->key;
	struct kv_watch *w;
	struct group *g;

	if (key.len > KV_KEY_MAX)
		return err_set(e, EMSGSIZE, "watch: the key has %zu bytes, %d are allowed", key.len,
		               KV_KEY_MAX);
	if (spec->since == 0 || is_due(kv, spec))
		return 1;
	if (kv->mem.failed)
		return err_set(e, ENOMEM, "watch: out of memory");
	w = kv_mem_get(&kv->mem, sizeof(*w));
	g = w != NULL ? find_group(kv, group_key(bytes, kind_of(spec), key)) : NULL;
	if (g == NULL) {
		/* Outside an apply that is no disaster: the state is whole. */
		kv->mem.failed = false;
		kv_mem_put(&kv->mem, w, sizeof(*w));
		return err_set(e, ENOMEM, "watch: out of memory");
	}
	*w = (struct kv_watch){.since = spec->since, .cookie = spec->cookie};
	append(g, w);
	kv->watch_count++;
	*ret_watch = w;
	return 0;
}

void kv_watch_remove(struct kv *kv, struct kv_watch *w)
{
	struct group *g = w->group;

	*(w->before != NULL ? &w->before->next : &g->first) = w->next;
	*(w->next != NULL ? &w->next->before : &g->last) = w->before;
	kv_mem_put(&kv->mem, w, sizeof(*w));
	kv->watch_count--;
	if (g->first != NULL)
		return;
	/* The tree of watches is never held, so this needs no memory. */
	kv_item_drop(&kv->mem, tree_remove(&kv->mem, &kv->watches, kv_item_key(g->item)));
	kv_mem_put(&kv->mem, g, sizeof(*g));
}

/* ---- Waking. */

void kv_watch_note(struct kv *kv, enum watch_change kind, struct span key)
{
	if (kv->watch_count == 0)
		return;
	le_add8(&kv->changed, (uint8_t)kind);
	le_add16(&kv->changed, (uint16_t)key.len);
	buf_add(&kv->changed, key.p, key.len);
}

/* Report those of a group who wait for an index that has come, and remove them. */
static void wake_group(struct kv *kv, struct group *g, uint64_t index, struct buf *due)
{
	struct kv_watch *next;

	for (struct kv_watch *w = g->first; w != NULL; w = next) {
		next = w->next;
		if (w->since >= index)
			continue;
		buf_add(due, &w->cookie, sizeof(w->cookie));
		kv_watch_remove(kv, w);
	}
}

static void wake_one(struct kv *kv, char kind, struct span key, struct buf *due)
{
	char bytes[1 + KV_KEY_MAX];
	struct kv_item *it = tree_find(&kv->watches, group_key(bytes, kind, key));

	if (it != NULL)
		wake_group(kv, group_of(it), kv->s.applied, due);
}

static size_t common_length(struct span a, struct span b)
{
	size_t n = 0;

	while (n < a.len && n < b.len && a.p[n] == b.p[n])
		n++;
	return n;
}

static void wake_prefixes(struct kv *kv, struct span key, struct buf *due)
{
	char bytes[1 + KV_KEY_MAX];
	struct span at = group_key(bytes, GROUP_PREFIX, key);

	while (at.len > 0) {
		struct kv_item *it = tree_floor(&kv->watches, at);
		size_t common;

		if (it == NULL)
			break;
		common = common_length(kv_item_key(it), at);
		if (common < it->key_len) {
			/* No prefix; what lies between it and `at` is none either. */
			at.len = common;
			continue;
		}
		/* The next one is shorter; the letter alone is the empty prefix. */
		at.len = common - 1;
		wake_group(kv, group_of(it), kv->s.applied, due);
	}
}

void kv_watch_wake(struct kv *kv, struct buf *due)
{
	struct le_reader r = {kv->changed.data, kv->changed.len, false};

	while (r.left > 0 && kv->watch_count > 0) {
		uint8_t kind = le_take8(&r);
		struct span key = le_take(&r, le_take16(&r));

		if (kind == CHANGE_SESSION) {
			wake_one(kv, GROUP_SESSION, key, due);
			wake_one(kv, GROUP_SESSIONS, (struct span){"", 0}, due);
		} else {
			wake_one(kv, GROUP_KEY, key, due);
			wake_prefixes(kv, key, due);
		}
	}
	kv->changed.len = 0;
}

static void end_all(struct kv *kv, struct buf *due)
{
	struct kv_item *it;

	while ((it = tree_first(&kv->watches)) != NULL) {
		struct kv_watch *w = group_of(it)->first;

		if (due != NULL)
			buf_add(due, &w->cookie, sizeof(w->cookie));
		kv_watch_remove(kv, w);
	}
}

void kv_watch_wake_all(struct kv *kv, struct buf *due)
{
	end_all(kv, due);
}

void kv_watch_free_all(struct kv *kv)
{
	end_all(kv, NULL);
}
