#include "lin/lin.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lin/cache.h"

/*
 * An operation's number is its place in the order of calls.  A node of the list is a call (the
 * number), a return (ops_n + the number), or the list's one end, END(l).
 */
#define END(l) ((uint32_t)(2 * (l)->ops_n))

struct item { /* a node before it has its number */
	uint64_t time_ns;
	uint32_t op;
	uint32_t is_return;
};

struct placed { /* an operation that was lifted, and what was before */
	struct lin_state state;
	uint32_t number;
	uint32_t top;
	bool forced; /* nothing else needs to be tried in its stead */
};

struct lin {
	struct lin_limits limits;
	struct lin_cache cache;

	/* Arrays for room operations, one allocation each. */
	size_t room;
	struct item *items;    /* 2 room */
	uint32_t *next;        /* 2 room + 1 */
	uint32_t *prev;        /* 2 room + 1 */
	uint32_t *index;       /* number -> index of ops */
	uint32_t *number;      /* index of ops -> number */
	uint32_t *missing;     /* for struct lin_config */
	uint32_t *order;       /* the longest so far, as indexes of ops */
	struct placed *placed; /* a stack */

	/* The search under way. */
	const struct lin_op *ops;
	size_t ops_n; /* of those that take part */
	struct lin_state state;
	uint64_t hash; /* of the set of operations placed */
	uint32_t top;  /* the greatest number placed, when any is */
	size_t placed_n;
	size_t owed; /* operations with an answer that have no place yet */
	uint64_t steps;

	size_t best_owed; /* of the longest order so far */
	size_t best_n;
	size_t best_valid; /* so many of placed[] are in order[] already */
	uint32_t best_stuck;
};

struct lin *lin_new(const struct lin_limits *limits)
{
	struct lin *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->limits =
	    limits != NULL ? *limits : (struct lin_limits){LIN_STEPS_DEFAULT, LIN_BYTES_DEFAULT};
	l->cache.bytes_max = l->limits.bytes;
	return l;
}

static void free_arrays(struct lin *l)
{
	free(l->items);
	free(l->next);
	free(l->prev);
	free(l->index);
	free(l->number);
	free(l->missing);
	free(l->order);
	free(l->placed);
	l->room = 0;
}

void lin_free(struct lin *l)
{
	if (l == NULL)
		return;
	free_arrays(l);
	lin_cache_done(&l->cache);
	free(l);
}

static int make_room(struct lin *l, size_t n)
{
	size_t room = n + n / 2 + 64;

	if (n <= l->room && l->room > 0)
		return 0;
	free_arrays(l);
	l->items = malloc(2 * room * sizeof(*l->items));
	l->next = malloc((2 * room + 1) * sizeof(*l->next));
	l->prev = malloc((2 * room + 1) * sizeof(*l->prev));
	l->index = malloc(room * sizeof(*l->index));
	l->number = malloc(room * sizeof(*l->number));
	l->missing = malloc(room * sizeof(*l->missing));
	l->order = malloc(room * sizeof(*l->order));
	l->placed = malloc(room * sizeof(*l->placed));
	if (l->items == NULL || l->next == NULL || l->prev == NULL || l->index == NULL ||
	    l->number == NULL || l->missing == NULL || l->order == NULL || l->placed == NULL) {
		free_arrays(l);
		l->items = NULL;
		l->next = l->prev = l->index = l->number = l->missing = l->order = NULL;
		l->placed = NULL;
		return -1;
	}
	l->room = room;
	return 0;
}

/* By time; calls before returns of the same time, so that such operations overlap. */
static int compare_items(const void *va, const void *vb)
{
	const struct item *a = va, *b = vb;

	if (a->time_ns != b->time_ns)
		return a->time_ns < b->time_ns ? -1 : 1;
	if (a->is_return != b->is_return)
		return a->is_return < b->is_return ? -1 : 1;
	return a->op < b->op ? -1 : a->op > b->op;
}

static bool takes_part(const struct lin_op *op)
{
	return op->kind != LIN_GET || op->result != LIN_UNKNOWN;
}

static size_t collect_items(struct lin *l, const struct lin_op *ops, size_t n)
{
	size_t items = 0;

	for (size_t i = 0; i < n; i++) {
		bool answered = ops[i].result != LIN_UNKNOWN;

		assert(!answered || ops[i].ret_ns >= ops[i].call_ns);
		if (!takes_part(&ops[i]))
			continue;
		l->items[items++] = (struct item){ops[i].call_ns, (uint32_t)i, 0};
		if (answered)
			l->items[items++] = (struct item){ops[i].ret_ns, (uint32_t)i, 1};
		l->ops_n++;
		l->owed += answered;
	}
	return items;
}

static void begin(struct lin *l, const struct lin_op *ops, size_t n, const struct lin_state *from)
{
	uint32_t last, calls = 0;
	size_t items;

	l->ops = ops;
	l->ops_n = l->owed = l->placed_n = 0;
	l->state = *from;
	l->hash = l->top = 0;
	l->steps = 0;
	items = collect_items(l, ops, n);
	l->best_owed = l->owed + 1;
	l->best_n = l->best_valid = 0;
	l->best_stuck = 0;
	lin_cache_clear(&l->cache);
	qsort(l->items, items, sizeof(*l->items), compare_items);
	last = END(l);
	for (size_t i = 0; i < items; i++) {
		uint32_t op = l->items[i].op, node;

		if (!l->items[i].is_return) {
			l->index[calls] = op;
			l->number[op] = calls++;
		}
		node = l->number[op] + (l->items[i].is_return ? (uint32_t)l->ops_n : 0);
		l->prev[node] = last;
		l->next[last] = node;
		last = node;
	}
	l->next[last] = END(l);
	l->prev[END(l)] = last;
}

static const struct lin_op *op_of(const struct lin *l, uint32_t number)
{
	return &l->ops[l->index[number]];
}

static uint64_t number_hash(uint32_t number)
{
	uint64_t x = (number + UINT64_C(1)) * 0x9e3779b97f4a7c15;

	x = (x ^ x >> 32) * 0xd6e8feb86659fd93;
	return x ^ x >> 32;
}

static void unlink_node(struct lin *l, uint32_t node)
{
	l->next[l->prev[node]] = l->next[node];
	l->prev[l->next[node]] = l->prev[node];
}

static void relink_node(struct lin *l, uint32_t node)
{
	l->next[l->prev[node]] = node;
	l->prev[l->next[node]] = node;
}

/* Give the operation its place; *after is the state then. */
static void lift(struct lin *l, uint32_t number, const struct lin_state *after, bool forced)
{
	l->placed[l->placed_n++] = (struct placed){l->state, number, l->top, forced};
	l->state = *after;
	l->hash ^= number_hash(number);
	if (number > l->top)
		l->top = number;
	unlink_node(l, number);
	if (op_of(l, number)->result != LIN_UNKNOWN) {
		unlink_node(l, (uint32_t)l->ops_n + number);
		l->owed--;
	}
}

/* Take back the operation that was placed last. */
static const struct placed *unlift(struct lin *l)
{
	const struct placed *last = &l->placed[--l->placed_n];

	if (op_of(l, last->number)->result != LIN_UNKNOWN) {
		relink_node(l, (uint32_t)l->ops_n + last->number);
		l->owed++;
	}
	relink_node(l, last->number);
	l->hash ^= number_hash(last->number);
	l->top = last->top;
	l->state = last->state;
	if (l->best_valid > l->placed_n)
		l->best_valid = l->placed_n;
	return last;
}

/*
 * Is this the longest order so far?  Only what changed since the last one is copied: else a long
 * history that backtracks a little at every step would be quadratic.
 */
static void note_order(struct lin *l)
{
	if (l->owed >= l->best_owed)
		return;
	for (size_t i = l->best_valid; i < l->placed_n; i++)
		l->order[i] = l->index[l->placed[i].number];
	l->best_owed = l->owed;
	l->best_n = l->best_valid = l->placed_n;
}

static enum lin_cache_result remember(struct lin *l)
{
	struct lin_config x = {.hash = l->hash, .state = l->state, .missing = l->missing};

	x.top = l->top;
	/* No return stands before the call of one that is placed: it would have had to be first. */
	for (uint32_t at = l->next[END(l)]; at < l->ops_n && at < l->top; at = l->next[at])
		l->missing[x.missing_n++] = at;
	return lin_cache_add(&l->cache, &x);
}

/* Whenever it happens, it changes nothing (but may fix a version that nobody had named yet). */
static bool only_looks(const struct lin_op *op)
{
	return op->kind == LIN_GET || op->result == LIN_NO;
}

/*
 * The next operation to place, from the call `at` on up to the first return: the first that fits,
 * and of a fresh configuration rather one that only looks and leaves the state as it is.  False if
 * there is none; *ret_stop is then that return.
 */
static bool choose(struct lin *l, uint32_t at, bool fresh, struct placed *ret, uint32_t *ret_stop)
{
	bool found = false;

	for (; at < l->ops_n && (fresh || !found); at = l->next[at]) {
		const struct lin_op *op = op_of(l, at);
		struct lin_state after = l->state;
		bool forced;

		if (found && !only_looks(op))
			continue;
		l->steps++;
		if (!lin_step(op, &after))
			continue;
		forced = only_looks(op) && lin_state_is(&after, &l->state);
		if (!found || forced)
			*ret = (struct placed){.state = after, .number = at, .forced = forced};
		if (forced)
			return true;
		found = true;
	}
	*ret_stop = at;
	return found;
}

/* Take back to where something else may be tried: behind *ret_at.  False at the very beginning. */
static bool backtrack(struct lin *l, uint32_t *ret_at)
{
	while (l->placed_n > 0) {
		const struct placed *last = unlift(l);

		if (!last->forced) {
			*ret_at = l->next[last->number];
			return true;
		}
	}
	return false;
}

static enum lin_answer search(struct lin *l)
{
	uint32_t at = l->next[END(l)];
	uint32_t stop = END(l);
	bool fresh = true;

	while (l->owed > 0) {
		enum lin_cache_result r = LIN_CACHE_SEEN;
		struct placed next = {.number = 0};

		if (l->steps > l->limits.steps)
			return LIN_GAVE_UP;
		if (choose(l, at, fresh, &next, &stop)) {
			lift(l, next.number, &next.state, next.forced);
			r = remember(l);
			if (r == LIN_CACHE_FULL)
				return LIN_GAVE_UP;
			at = l->next[END(l)];
		} else if (l->owed < l->best_owed) {
			note_order(l);
			l->best_stuck = l->index[stop - l->ops_n];
		}
		fresh = r == LIN_CACHE_NEW;
		if (!fresh && !backtrack(l, &at))
			return LIN_BAD;
	}
	note_order(l);
	return LIN_GOOD;
}

void lin_check(struct lin *l, const struct lin_op *ops, size_t n, const struct lin_state *from,
               struct lin_report *ret)
{
	assert(n <= LIN_OPS_MAX);
	assert(from->value == LIN_NONE ? from->version == 0 : from->version != 0);
	*ret = (struct lin_report){.answer = LIN_GAVE_UP};
	if (make_room(l, n) < 0)
		return;
	begin(l, ops, n, from);
	ret->answer = search(l);
	ret->order = l->order;
	ret->order_n = l->best_n;
	ret->stuck = l->best_stuck;
	ret->steps = l->steps;
	ret->bytes = lin_cache_bytes(&l->cache);
}
