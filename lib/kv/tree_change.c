/* tree_change: putting items in and taking them out. */
#include <assert.h>

#include "kv/tree_node.h"

/* A node with fewer slots is put together with its neighbour if both fit below the second bound. */
#define MERGE_BELOW (TREE_FAN / 4)
#define MERGED_MAX  (TREE_FAN * 3 / 4)

static struct tree_node *new_node(struct kv_mem *m, unsigned height)
{
	struct tree_node *n = kv_mem_get(m, tree_node_size(height));

	if (n != NULL) {
		n->refs = 1;
		n->count = 0;
		n->height = (uint16_t)height;
		n->max = 0;
	}
	return n;
}

static uint64_t max_of(const struct tree_node *n, unsigned pos)
{
	return n->height > 0 ? n->slot[pos].node->max : n->slot[pos].item->modify;
}

static void find_max(struct tree_node *n)
{
	n->max = 0;
	for (unsigned i = 0; i < n->count; i++)
		if (max_of(n, i) > n->max)
			n->max = max_of(n, i);
}

/* Below n something with index `gone` went (0: nothing), and something with `come` came. */
static void change_max(struct tree_node *n, uint64_t gone, uint64_t come)
{
	if (come >= n->max)
		n->max = come;
	else if (gone == n->max)
		find_max(n);
}

/* Move count slots, which may overlap. */
static void move_slots(struct tree_node *to, unsigned to_pos, struct tree_node *from,
                       unsigned from_pos, unsigned count)
{
	memmove(&to->slot[to_pos], &from->slot[from_pos], count * sizeof(to->slot[0]));
	if (to->height > 0)
		memmove(&to->min[to_pos], &from->min[from_pos], count * sizeof(void *));
}

/* *at for us alone: itself, or a copy in its place.  NULL: out of memory. */
static struct tree_node *own(struct kv_mem *m, struct tree_node **at)
{
	struct tree_node *n = *at;
	struct tree_node *copy;

	if (n->refs == 1)
		return n;
	copy = new_node(m, n->height);
	if (copy == NULL)
		return NULL;
	move_slots(copy, 0, n, 0, n->count);
	copy->count = n->count;
	copy->max = n->max;
	for (unsigned i = 0; i < n->count; i++)
		if (n->height > 0)
			n->slot[i].node->refs++;
		else
			n->slot[i].item->refs++;
	n->refs--;
	*at = copy;
	return copy;
}

struct way {
	struct tree_node *node[TREE_HEIGHT_MAX]; /* from the root to the leaf, all of them ours */
	unsigned pos[TREE_HEIGHT_MAX];           /* where the next one is in it */
	unsigned last;                           /* the leaf's */
	bool is_right_edge;
	struct tree_node *spare[TREE_HEIGHT_MAX + 1]; /* see reserve() */
	unsigned spares;
};

/* The way to the leaf where key is or belongs; false: out of memory.  The tree is not empty. */
static bool find_way(struct kv_mem *m, struct tree *t, struct span key, struct way *w)
{
	struct tree_node **at = &t->root;

	w->is_right_edge = true;
	for (w->last = 0;; w->last++) {
		struct tree_node *n = own(m, at);
		unsigned rank;

		assert(w->last < TREE_HEIGHT_MAX);
		if (n == NULL)
			return false;
		w->node[w->last] = n;
		if (n->height == 0)
			break;
		rank = tree_rank(n, key, true);
		w->pos[w->last] = rank > 0 ? rank - 1 : 0;
		w->is_right_edge = w->is_right_edge && w->pos[w->last] + 1u == n->count;
		at = &n->slot[w->pos[w->last]].node;
	}
	w->pos[w->last] = tree_rank(w->node[w->last], key, false);
	return true;
}

/* The nodes above level learn what the smallest and the greatest below them are now. */
static void tell_above(struct way *w, unsigned level, uint64_t gone, uint64_t come)
{
	while (level-- > 0) {
		struct tree_node *n = w->node[level];
		unsigned pos = w->pos[level];

		n->min[pos] = tree_key(n->slot[pos].node, 0);
		change_max(n, gone, come);
	}
}

/* ---- Putting. */

static void insert_slot(struct tree_node *n, unsigned pos, union tree_slot slot)
{
	assert(n->count < TREE_FAN && pos <= n->count);
	move_slots(n, pos + 1, n, pos, n->count - pos);
	n->slot[pos] = slot;
	if (n->height > 0)
		n->min[pos] = tree_key(slot.node, 0);
	n->count++;
	if (max_of(n, pos) > n->max)
		n->max = max_of(n, pos);
}

/*
 * A new sibling for each node that is full, from the leaf up, and a root if they all are: before
 * anything changes, because a split that stopped half way would lose what it moved.
 */
static bool reserve(struct kv_mem *m, struct way *w)
{
	w->spares = 0;
	for (unsigned level = w->last; w->node[level]->count == TREE_FAN; level--) {
		w->spare[w->spares++] = new_node(m, w->node[level]->height);
		if (level > 0)
			continue;
		w->spare[w->spares++] = new_node(m, w->node[0]->height + 1u);
		break;
	}
	if (!m->failed)
		return true;
	while (w->spares-- > 0)
		if (w->spare[w->spares] != NULL)
			kv_mem_put(m, w->spare[w->spares],
			           tree_node_size(w->spare[w->spares]->height));
	return false;
}

/*
 * Insert into a full node: its upper half, or nothing when keys come in rising order, goes to its
 * new sibling.
 */
static void split_insert(const struct way *w, unsigned level, union tree_slot slot,
                         struct tree_node *right)
{
	struct tree_node *n = w->node[level];
	unsigned pos = level == w->last ? w->pos[level] : w->pos[level] + 1;
	unsigned keep = w->is_right_edge && pos == TREE_FAN ? TREE_FAN : TREE_FAN / 2;

	right->count = (uint16_t)(TREE_FAN - keep);
	move_slots(right, 0, n, keep, right->count);
	n->count = (uint16_t)keep;
	/* Also when nothing moves: below n there may have been a split just now. */
	if (keep < TREE_FAN || n->height > 0)
		find_max(n);
	find_max(right);
	if (pos > keep || keep == TREE_FAN)
		insert_slot(right, pos - keep, slot);
	else
		insert_slot(n, pos, slot);
}

/* Into the leaf at the end of the way, and up as far as nodes have to be split. */
static void insert(struct tree *t, struct way *w, struct kv_item *it)
{
	union tree_slot slot = {.item = it};
	unsigned level = w->last;

	for (unsigned i = 0; i < w->spares; i++, level--) {
		struct tree_node *n = w->node[level];

		assert(w->spare[i] != NULL);
		split_insert(w, level, slot, w->spare[i]);
		slot.node = w->spare[i];
		if (level == 0) {
			/* The last spare is the new root, over the old one and its sibling. */
			t->root = w->spare[i + 1];
			insert_slot(t->root, 0, (union tree_slot){.node = n});
			insert_slot(t->root, 1, slot);
			return;
		}
		/* The new one belongs above, behind the one that was split. */
		w->node[level - 1]->min[w->pos[level - 1]] = tree_key(n, 0);
	}
	insert_slot(w->node[level], level == w->last ? w->pos[level] : w->pos[level] + 1, slot);
	change_max(w->node[level], 0, it->modify);
	tell_above(w, level, 0, it->modify);
}

struct kv_item *tree_put(struct kv_mem *m, struct tree *t, struct kv_item *it)
{
	struct kv_item *old;
	struct tree_node *leaf;
	struct way w;

	if (it == NULL)
		return NULL;
	if (t->root == NULL)
		t->root = new_node(m, 0);
	if (t->root == NULL || !find_way(m, t, kv_item_key(it), &w)) {
		kv_item_drop(m, it);
		return NULL;
	}
	leaf = w.node[w.last];
	old = w.pos[w.last] < leaf->count ? leaf->slot[w.pos[w.last]].item : NULL;
	if (old == NULL || !span_is(kv_item_key(old), kv_item_key(it))) {
		if (reserve(m, &w)) {
			insert(t, &w, it);
			t->count++;
		} else {
			kv_item_drop(m, it);
		}
		return NULL;
	}
	leaf->slot[w.pos[w.last]].item = it;
	change_max(leaf, old->modify, it->modify);
	tell_above(&w, w.last, old->modify, it->modify);
	return old;
}

/* ---- Taking out. */

static void remove_slot(struct tree_node *n, unsigned pos)
{
	n->count--;
	move_slots(n, pos, n, pos + 1, n->count - pos);
}

/* Put a node of few slots together with one beside it, if that is possible. */
static void merge(struct kv_mem *m, struct tree_node *parent, unsigned pos)
{
	unsigned left_pos = pos > 0 ? pos - 1 : 0;
	struct tree_node *left;
	struct tree_node *right;

	if (parent->count < 2 ||
	    parent->slot[left_pos].node->count + parent->slot[left_pos + 1].node->count >
	        MERGED_MAX)
		return;
	left = own(m, &parent->slot[left_pos].node);
	right = own(m, &parent->slot[left_pos + 1].node);
	if (left == NULL || right == NULL)
		return;
	move_slots(left, left->count, right, 0, right->count);
	left->count = (uint16_t)(left->count + right->count);
	if (right->max > left->max)
		left->max = right->max;
	kv_mem_put(m, right, tree_node_size(right->height));
	remove_slot(parent, left_pos + 1);
	parent->min[left_pos] = tree_key(left, 0);
}

/* The nodes on the way after something has gone from the leaf. */
static void shrink(struct kv_mem *m, struct way *w, uint64_t gone)
{
	change_max(w->node[w->last], gone, 0);
	for (unsigned level = w->last; level-- > 0;) {
		struct tree_node *n = w->node[level];
		struct tree_node *child = w->node[level + 1];
		unsigned pos = w->pos[level];

		if (child->count == 0) {
			kv_mem_put(m, child, tree_node_size(child->height));
			remove_slot(n, pos);
		} else {
			n->min[pos] = tree_key(child, 0);
			if (child->count < MERGE_BELOW)
				merge(m, n, pos);
		}
		change_max(n, gone, 0);
	}
}

struct kv_item *tree_remove(struct kv_mem *m, struct tree *t, struct span key)
{
	struct kv_item *it = tree_find(t, key);
	struct tree_node *root;
	struct way w;

	if (it == NULL || !find_way(m, t, key, &w))
		return NULL;
	remove_slot(w.node[w.last], w.pos[w.last]);
	t->count--;
	shrink(m, &w, it->modify);
	for (root = t->root; root->count == 0 || (root->height > 0 && root->count == 1);) {
		t->root = root->count == 0 ? NULL : root->slot[0].node;
		kv_mem_put(m, root, tree_node_size(root->height));
		root = t->root;
		if (root == NULL)
			break;
	}
	return it;
}

/* ---- Checking. */

/* One node: what it says of its children. */
static bool check_node(const struct tree_node *n, bool is_root)
{
	uint64_t max = 0;

	if (n->refs == 0 || n->count > TREE_FAN || n->count < (is_root && n->height > 0 ? 2 : 1))
		return false;
	for (unsigned i = 0; i < n->count; i++) {
		if (n->height > 0 && (n->slot[i].node->height + 1 != n->height ||
		                      n->min[i] != tree_key(n->slot[i].node, 0)))
			return false;
		if (max_of(n, i) > max)
			max = max_of(n, i);
	}
	return max == n->max;
}

bool tree_check(const struct tree *t)
{
	struct tree_iter i;
	struct kv_item *before = NULL;
	uint64_t count = 0;

	tree_seek(&i, t, (struct span){"", 0});
	for (;;) {
		struct kv_item *it;

		/* Each node when it is met first. */
		for (unsigned h = i.height; h-- > 0 && i.path[h].pos == 0;)
			if (!check_node(i.path[h].node, h == 0))
				return false;
		it = tree_next(&i);
		if (it == NULL)
			return count == t->count;
		if (before != NULL && kv_compare(kv_item_key(before), kv_item_key(it)) >= 0)
			return false;
		before = it;
		count++;
	}
}
