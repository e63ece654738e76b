/* tree_node: the node of a tree, for tree.c and tree_change.c only.  Pure. */
#ifndef SHOAL_KV_TREE_NODE_H
#define SHOAL_KV_TREE_NODE_H

#include "kv/tree.h"

/*
 * Slots of a node.  More would make the tree lower and a copy of a shared node dearer: a copy
 * touches each item of a leaf.
 */
#define TREE_FAN 32

union tree_slot {
	struct tree_node *node; /* height > 0 */
	struct kv_item *item;   /* a leaf */
};

struct tree_node {
	uint32_t refs;
	uint16_t count; /* 1 .. TREE_FAN */
	uint16_t height;
	uint64_t max; /* the greatest modify below */
	union tree_slot slot[TREE_FAN];
	struct kv_item
	    *min[]; /* of each child the smallest item, which the child holds; no leaf's */
};

static inline size_t tree_node_size(unsigned height)
{
	return sizeof(struct tree_node) + (height > 0 ? TREE_FAN * sizeof(void *) : 0);
}

static inline struct kv_item *tree_key(const struct tree_node *n, unsigned pos)
{
	return n->height > 0 ? n->min[pos] : n->slot[pos].item;
}

/* How many slots have a key at most (less than, if not or_equal) `key`. */
static inline unsigned tree_rank(const struct tree_node *n, struct span key, bool or_equal)
{
	unsigned low = 0;
	unsigned high = n->count;

	while (low < high) {
		unsigned mid = (low + high) / 2;
		int c = kv_compare(kv_item_key(tree_key(n, mid)), key);

		if (c < 0 || (c == 0 && or_equal))
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

#endif
