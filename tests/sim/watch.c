/*
 * Watches of keys at each node.  After each apply, one that fired has to have seen its own key
 * change, and the key of one that did not has to be as it was: no wake by a foreign key, no change
 * that is missed.
 */
#include <inttypes.h>
#include <stdio.h>

#include "world.h"

#define WATCH_KEYS 6

static uint64_t modify_of(struct node *n, const struct watch *x)
{
	char name[8];
	int len = snprintf(name, sizeof(name), "k%u", x->key);
	struct kv_entry entry;

	return kv_get(replica_kv(n->replica), (struct span){name, (size_t)len}, &entry)
	           ? entry.modify
	           : 0;
}

static void set_up(struct world *w, struct node *n, unsigned i)
{
	struct watch *x = &n->watches[i];
	struct kv_watch_spec spec = {.kind = KV_WATCH_KEY, .cookie = i};
	char name[8];
	struct err e;
	int r;

	spec.key = (struct span){name, (size_t)snprintf(name, sizeof(name), "k%u", x->key)};
	spec.since = kv_key_index(replica_kv(n->replica), spec.key);
	x->modify = modify_of(n, x);
	r = kv_watch_add(replica_kv(n->replica), &spec, &x->handle, &e);
	if (r != 0)
		world_fail(w, "watch of '%s' at node %" PRIu64 " cannot be set up: %s", name, n->id,
		           r < 0 ? e.msg : "it is due at its own index");
}

void watches_begin(struct world *w, struct node *n)
{
	for (unsigned i = 0; i < WATCHES; i++) {
		n->watches[i].key = (unsigned)draw(w, WATCH_KEYS);
		set_up(w, n, i);
	}
}

void watches_applied(struct world *w, struct node *n, const struct kv_output *out, bool installed)
{
	unsigned fired = 0;

	for (size_t i = 0; i < kv_output_due_count(out); i++) {
		uint64_t cookie = kv_output_due(out, i);

		w->cover.count[COVER_WATCH]++;
		fired |= 1u << cookie;
		n->watches[cookie].handle = NULL;
	}
	if (w->failed)
		return;
	for (unsigned i = 0; i < WATCHES; i++) {
		struct watch *x = &n->watches[i];
		bool is_same = modify_of(n, x) == x->modify;

		if ((fired >> i & 1) == 0) {
			if (!is_same || installed)
				world_fail(w, "watch of 'k%u' at node %" PRIu64 " missed a change",
				           x->key, n->id);
			continue;
		}
		if (is_same && !installed)
			world_fail(w, "watch of 'k%u' at node %" PRIu64 " woke for nothing", x->key,
			           n->id);
		set_up(w, n, i);
	}
}

void watches_end(struct node *n)
{
	for (unsigned i = 0; i < WATCHES; i++)
		if (n->watches[i].handle != NULL)
			kv_watch_remove(replica_kv(n->replica), n->watches[i].handle);
	for (unsigned i = 0; i < WATCHES; i++)
		n->watches[i].handle = NULL;
}
