/*
 * tree: an ordered map of items, a B+tree whose nodes are counted and copied when they are shared.
 *
 * Pure.  A struct tree is a root.  tree_hold() makes a second one of the same content in O(1); from
 * then on a change to one copies the nodes on its way and leaves the other as it was (Rodeh,
 * "B-trees, shadowing, and clones", ACM TOS 2008).  A tree that nobody shares is changed in place.
 * Every node knows the greatest `modify` under it, so that the one of a prefix is found in
 * O(log n).
 *
 * When memory is short a change does nothing (an item that was to be put in is dropped), and the
 * account (kv/item.h) remembers.  Neighbours are put together when they fit into three quarters of
 * a node, so that 8 ^ 15 items would be needed to pass TREE_HEIGHT_MAX.
 */
#ifndef SHOAL_KV_TREE_H
#define SHOAL_KV_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "kv/item.h"

#define TREE_HEIGHT_MAX 16

struct tree_node;

struct tree {
	struct tree_node *root; /* NULL: empty */
	uint64_t count;
};

/* A second root of the same items; both are to be dropped. */
struct tree tree_hold(const struct tree *t);
void tree_drop(struct kv_mem *m, struct tree *t);

/* Borrowed until the next change; NULL: there is none. */
struct kv_item *tree_find(const struct tree *t, struct span key);
struct kv_item *tree_first(const struct tree *t);
/* The last item whose key is at most `key`. */
struct kv_item *tree_floor(const struct tree *t, struct span key);

/* Put it in; the tree takes the reference.  The item that it replaced is the caller's to drop. */
struct kv_item *tree_put(struct kv_mem *m, struct tree *t, struct kv_item *it);
/* Take it out; the caller's to drop.  NULL: it was not there. */
struct kv_item *tree_remove(struct kv_mem *m, struct tree *t, struct span key);

/* The greatest `modify` of the keys that begin with prefix, 0 when there are none. */
uint64_t tree_prefix_max(const struct tree *t, struct span prefix);

/* A walk in order; the tree must not change during it (hold it, or seek again). */
struct tree_iter {
	unsigned height; /* of the path that is in use; 0: at the end */
	struct tree_step {
		const struct tree_node *node;
		uint32_t pos;
	} path[TREE_HEIGHT_MAX];
};

/* To the first item whose key is at least `key`. */
void tree_seek(struct tree_iter *i, const struct tree *t, struct span key);
/* The item there, and go on; NULL at the end. */
struct kv_item *tree_next(struct tree_iter *i);

/* Order, counts, heights, smallest items and greatest indexes: false when one is wrong. */
bool tree_check(const struct tree *t);

#endif
