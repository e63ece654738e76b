#include "kv/tree.h"

#include <assert.h>

#include "kv/tree_node.h"

struct tree tree_hold(const struct tree *t)
{
	if (t->root != NULL)
		t->root->refs++;
	return *t;
}

void tree_drop(struct kv_mem *m, struct tree *t)
{
	struct tree_node *path[TREE_HEIGHT_MAX];
	unsigned depth = 0;

	if (t->root != NULL && --t->root->refs == 0)
		path[depth++] = t->root;
	while (depth > 0) {
		struct tree_node *n = path[depth - 1];

		/* Its slots from the last to the first. */
		if (n->count == 0) {
			kv_mem_put(m, n, tree_node_size(n->height));
			depth--;
		} else if (n->height == 0) {
			kv_item_drop(m, n->slot[--n->count].item);
		} else if (--n->slot[--n->count].node->refs == 0) {
			path[depth++] = n->slot[n->count].node;
		}
	}
	*t = (struct tree){NULL, 0};
}

struct kv_item *tree_floor(const struct tree *t, struct span key)
{
	const struct tree_node *n = t->root;

	while (n != NULL) {
		unsigned rank = tree_rank(n, key, true);

		if (rank == 0)
			return NULL;
		if (n->height == 0)
			return n->slot[rank - 1].item;
		n = n->slot[rank - 1].node;
	}
	return NULL;
}

struct kv_item *tree_find(const struct tree *t, struct span key)
{
	struct kv_item *it = tree_floor(t, key);

	return it != NULL && span_is(kv_item_key(it), key) ? it : NULL;
}

struct kv_item *tree_first(const struct tree *t)
{
	return t->root != NULL ? tree_key(t->root, 0) : NULL;
}

/* ---- Walking. */

/* Leave the nodes that are at their end. */
static void settle(struct tree_iter *i)
{
	while (i->height > 0) {
		struct tree_step *s = &i->path[i->height - 1];

		if (s->pos < s->node->count) {
			const struct tree_node *n = s->node;

			if (n->height == 0)
				return;
			i->path[i->height++] = (struct tree_step){n->slot[s->pos].node, 0};
		} else if (--i->height > 0) {
			i->path[i->height - 1].pos++;
		}
	}
}

void tree_seek(struct tree_iter *i, const struct tree *t, struct span key)
{
	const struct tree_node *n = t->root;

	i->height = 0;
	while (n != NULL) {
		unsigned rank = tree_rank(n, key, n->height > 0);

		/* In an inner node the last child that may have the key. */
		if (n->height > 0 && rank > 0)
			rank--;
		i->path[i->height++] = (struct tree_step){n, rank};
		n = n->height > 0 ? n->slot[rank].node : NULL;
	}
	settle(i);
}

struct kv_item *tree_next(struct tree_iter *i)
{
	struct tree_step *s;
	struct kv_item *it;

	if (i->height == 0)
		return NULL;
	s = &i->path[i->height - 1];
	it = s->node->slot[s->pos++].item;
	settle(i);
	return it;
}

/* ---- The greatest index under a prefix. */

/* Negative: before all keys with that prefix; 0: has it; positive: behind them. */
static int compare_prefix(struct span key, struct span prefix)
{
	if (key.len > prefix.len)
		key.len = prefix.len;
	return kv_compare(key, prefix);
}

/* How many slots are before the prefix (limit 0), or before or in it (limit 1). */
static unsigned prefix_rank(const struct tree_node *n, struct span prefix, int limit)
{
	unsigned low = 0;
	unsigned high = n->count;

	while (low < high) {
		unsigned mid = (low + high) / 2;

		if (compare_prefix(kv_item_key(tree_key(n, mid)), prefix) < limit)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void raise(uint64_t *max, uint64_t v)
{
	if (v > *max)
		*max = v;
}

uint64_t tree_prefix_max(const struct tree *t, struct span prefix)
{
	/* Two children of a node, at most, are neither all in the prefix nor all out of it. */
	const struct tree_node *todo[2 * TREE_HEIGHT_MAX];
	unsigned n = 0;
	uint64_t max = 0;

	if (t->root != NULL)
		todo[n++] = t->root;
	while (n > 0) {
		const struct tree_node *at = todo[--n];
		unsigned begin = prefix_rank(at, prefix, 0);
		unsigned end = prefix_rank(at, prefix, 1);

		if (at->height == 0) {
			for (unsigned i = begin; i < end; i++)
				raise(&max, at->slot[i].item->modify);
			continue;
		}
		/* A child whose own smallest and whose next sibling's have it has nothing else. */
		for (unsigned i = begin; i + 1 < end; i++)
			raise(&max, at->slot[i].node->max);
		assert(n + 2 <= 2 * TREE_HEIGHT_MAX);
		if (begin > 0)
			todo[n++] = at->slot[begin - 1].node;
		if (end > begin)
			todo[n++] = at->slot[end - 1].node;
	}
	return max;
}
