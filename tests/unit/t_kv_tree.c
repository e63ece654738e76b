/* tree: beside a sorted array; shared roots; greatest indexes; memory that runs out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kv/tree.h"
#include "seeded.h"

static struct kv_mem mem = {.bytes_max = UINT64_MAX};

static struct span span_of(const char *p)
{
	return (struct span){p, strlen(p)};
}

static void put(struct tree *t, const char *key, uint64_t modify)
{
	struct kv_item_spec spec = {.key = span_of(key), .value = {"", 0}, .modify = modify};

	kv_item_drop(&mem, tree_put(&mem, t, kv_item_new(&mem, &spec)));
}

static void take(struct tree *t, const char *key)
{
	kv_item_drop(&mem, tree_remove(&mem, t, span_of(key)));
}

/* ---- The model: an array in order. */

#define KEYS_MAX 4000

struct model {
	size_t count;
	struct pair {
		char key[12];
		uint64_t modify;
	} pair[KEYS_MAX];
};

static size_t rank_of(const struct model *m, const char *key)
{
	size_t i = 0;

	while (i < m->count && strcmp(m->pair[i].key, key) < 0)
		i++;
	return i;
}

static void model_put(struct model *m, const char *key, uint64_t modify)
{
	size_t i = rank_of(m, key);

	if (i == m->count || strcmp(m->pair[i].key, key) != 0) {
		assert_true(m->count < KEYS_MAX);
		memmove(&m->pair[i + 1], &m->pair[i], (m->count++ - i) * sizeof(m->pair[0]));
	}
	strncpy(m->pair[i].key, key, sizeof(m->pair[i].key) - 1);
	m->pair[i].key[sizeof(m->pair[i].key) - 1] = '\0';
	m->pair[i].modify = modify;
}

static void model_take(struct model *m, const char *key)
{
	size_t i = rank_of(m, key);

	if (i < m->count && strcmp(m->pair[i].key, key) == 0)
		memmove(&m->pair[i], &m->pair[i + 1], (--m->count - i) * sizeof(m->pair[0]));
}

static void assert_same(const struct tree *t, const struct model *m)
{
	struct tree_iter i;

	assert_true(tree_check(t));
	assert_int_equal(t->count, m->count);
	tree_seek(&i, t, span_of(""));
	for (size_t n = 0; n < m->count; n++) {
		struct kv_item *it = tree_next(&i);

		assert_non_null(it);
		assert_true(span_is(kv_item_key(it), span_of(m->pair[n].key)));
		assert_int_equal(it->modify, m->pair[n].modify);
	}
	assert_null(tree_next(&i));
	assert_null(tree_next(&i));
}

static void assert_lookups(const struct tree *t, const struct model *m, const char *key)
{
	size_t n = rank_of(m, key);
	bool is_there = n < m->count && strcmp(m->pair[n].key, key) == 0;
	struct kv_item *floor = tree_floor(t, span_of(key));
	uint64_t max = 0;
	struct tree_iter i;

	assert_int_equal(tree_find(t, span_of(key)) != NULL, is_there);
	if (n + is_there == 0)
		assert_null(floor);
	else
		assert_true(span_is(kv_item_key(floor), span_of(m->pair[n + is_there - 1].key)));
	tree_seek(&i, t, span_of(key));
	if (n == m->count)
		assert_null(tree_next(&i));
	else
		assert_true(span_is(kv_item_key(tree_next(&i)), span_of(m->pair[n].key)));
	for (; n < m->count && strncmp(m->pair[n].key, key, strlen(key)) == 0; n++)
		max = m->pair[n].modify > max ? m->pair[n].modify : max;
	assert_int_equal(tree_prefix_max(t, span_of(key)), max);
}

static void random_key(char to[12], uint64_t *rand, unsigned keys)
{
	snprintf(to, 12, "%03u", (unsigned)seeded_below(rand, keys));
	/* Prefixes of others as well. */
	to[1 + seeded_below(rand, 3)] = '\0';
	if (seeded_below(rand, 2) == 0)
		snprintf(to + strlen(to), 6, "/%u", (unsigned)seeded_below(rand, keys));
}

static void it_is_an_ordered_map(void **state)
{
	uint64_t rand = seeded();
	struct model *m = calloc(1, sizeof(*m));

	(void)state;
	for (unsigned round = 0; round < seeded_rounds(30); round++) {
		unsigned keys = 1 + (unsigned)seeded_below(&rand, 120);
		unsigned puts = 1 + (unsigned)seeded_below(&rand, 9);
		struct tree t = {0};

		m->count = 0;
		for (unsigned step = 0; step < 3000; step++) {
			char key[12];

			random_key(key, &rand, keys);
			/* It grows, and then it shrinks. */
			if (seeded_below(&rand, 10) < (step < 1500 ? puts : 9 - puts)) {
				uint64_t modify = seeded_below(&rand, 1000);

				put(&t, key, modify);
				model_put(m, key, modify);
			} else {
				take(&t, key);
				model_take(m, key);
			}
			random_key(key, &rand, keys);
			assert_lookups(&t, m, key);
			if (step % 100 == 0)
				assert_same(&t, m);
		}
		assert_same(&t, m);
		while (m->count > 0) {
			char key[12];

			memcpy(key, m->pair[seeded_below(&rand, m->count)].key, sizeof(key));
			take(&t, key);
			model_take(m, key);
			assert_true(tree_check(&t));
		}
		assert_null(t.root);
		tree_drop(&mem, &t);
	}
	assert_int_equal(mem.bytes, 0);
	free(m);
}

static void a_root_that_is_held_stays_as_it_was(void **state)
{
	uint64_t rand = seeded();
	struct model *old = calloc(1, sizeof(*old));
	struct model *m = calloc(1, sizeof(*m));
	struct tree t = {0};

	(void)state;
	for (unsigned round = 0; round < seeded_rounds(60); round++) {
		struct tree held = tree_hold(&t);

		*old = *m;
		for (unsigned step = 0; step < 200; step++) {
			char key[12];

			random_key(key, &rand, 100);
			if (seeded_below(&rand, 2) == 0) {
				put(&t, key, step);
				model_put(m, key, step);
			} else {
				take(&t, key);
				model_take(m, key);
			}
		}
		assert_same(&held, old);
		assert_same(&t, m);
		/* Whichever goes first. */
		if (seeded_below(&rand, 2) == 0) {
			tree_drop(&mem, &t);
			t = held;
			*m = *old;
			assert_same(&t, m);
		} else {
			tree_drop(&mem, &held);
		}
	}
	tree_drop(&mem, &t);
	assert_int_equal(mem.bytes, 0);
	free(old);
	free(m);
}

static void keys_in_rising_order_fill_their_nodes(void **state)
{
	struct tree rising = {0};
	struct tree falling = {0};
	uint64_t of_rising;

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		char key[12];

		snprintf(key, sizeof(key), "%08u", i);
		put(&rising, key, i);
	}
	assert_true(tree_check(&rising));
	of_rising = mem.bytes;
	for (unsigned i = 20000; i-- > 0;) {
		char key[12];

		snprintf(key, sizeof(key), "%08u", i);
		put(&falling, key, i);
	}
	assert_true(tree_check(&falling));
	/* An item is 40 bytes here; a node's share of a key is 8.5 when it is full, else 17. */
	assert_true(of_rising < UINT64_C(20000) * 50);
	assert_true(mem.bytes - of_rising > UINT64_C(20000) * 55);
	tree_drop(&mem, &rising);
	tree_drop(&mem, &falling);
	assert_int_equal(mem.bytes, 0);
}

static void nodes_that_have_lost_their_keys_are_put_together(void **state)
{
	struct tree t = {0};
	uint64_t full;
	char key[12];

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		snprintf(key, sizeof(key), "%08u", i);
		put(&t, key, i);
	}
	full = mem.bytes;
	for (unsigned i = 0; i < 20000; i++) {
		snprintf(key, sizeof(key), "%08u", i);
		if (i % 20 != 0)
			take(&t, key);
	}
	assert_true(tree_check(&t));
	assert_true(mem.bytes < full / 12);
	tree_drop(&mem, &t);
}

/* Each change that fails for memory leaves all there is, and what it was to put in is dropped. */
static void a_change_without_memory_changes_nothing(void **state)
{
	uint64_t rand = seeded();
	struct model *m = calloc(1, sizeof(*m));
	struct tree t = {0};
	unsigned failed = 0;

	(void)state;
	for (unsigned step = 0; step < 3000; step++) {
		struct tree held = seeded_below(&rand, 3) == 0 ? tree_hold(&t) : (struct tree){0};
		bool puts = seeded_below(&rand, 3) > 0;
		char key[12];

		random_key(key, &rand, 200);
		mem.bytes_max = mem.bytes + seeded_below(&rand, 1200);
		if (puts)
			put(&t, key, step);
		else
			take(&t, key);
		mem.bytes_max = UINT64_MAX;
		if (mem.failed) {
			failed++;
			/* A removal may have done without the merge that it had no memory for. */
			if (!puts && tree_find(&t, span_of(key)) == NULL)
				model_take(m, key);
		} else if (puts) {
			model_put(m, key, step);
		} else {
			model_take(m, key);
		}
		mem.failed = false;
		tree_drop(&mem, &held);
		assert_same(&t, m);
	}
	assert_true(failed > 100);
	tree_drop(&mem, &t);
	assert_int_equal(mem.bytes, 0);
	free(m);
}

static void nothing_is_in_an_empty_one(void **state)
{
	struct tree t = {0};
	struct tree_iter i;

	(void)state;
	assert_null(tree_find(&t, span_of("a")));
	assert_null(tree_first(&t));
	assert_null(tree_remove(&mem, &t, span_of("a")));
	assert_int_equal(tree_prefix_max(&t, span_of("")), 0);
	tree_seek(&i, &t, span_of(""));
	assert_null(tree_next(&i));
	assert_true(tree_check(&t));
	tree_drop(&mem, &t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_is_an_ordered_map),
	    cmocka_unit_test(a_root_that_is_held_stays_as_it_was),
	    cmocka_unit_test(keys_in_rising_order_fill_their_nodes),
	    cmocka_unit_test(nodes_that_have_lost_their_keys_are_put_together),
	    cmocka_unit_test(a_change_without_memory_changes_nothing),
	    cmocka_unit_test(nothing_is_in_an_empty_one),
	};

	return cmocka_run_group_tests_name("kv_tree", tests, NULL, NULL);
}
