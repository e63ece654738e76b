#include "lin/lin.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lin/cache.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define A LIN_ANY

/* In state `from`, does the operation fit, and what is the state after it? */
struct step {
	uint8_t kind, result;
	uint64_t value, expect, version, owner;
	struct lin_state from;
	bool fits;
	struct lin_state to;
};

/* Value, version, floor, owner. */
#define ABSENT                           \
	{                                \
		LIN_NONE, 0, 0, LIN_NONE \
	}
#define NOT       \
	false,    \
	{         \
		0 \
	}

static const struct step steps[] = {
    /* A get answers what is there. */
    {LIN_GET, LIN_OK, 0, A, A, A, ABSENT, true, ABSENT},
    {LIN_GET, LIN_OK, 1, A, A, A, ABSENT, NOT},
    {LIN_GET, LIN_OK, 7, A, 3, 2, {7, 3, 0, 2}, true, {7, 3, 0, 2}},
    {LIN_GET, LIN_OK, 7, A, 4, A, {7, 3, 0, 2}, NOT},
    {LIN_GET, LIN_OK, 7, A, A, 0, {7, 3, 0, 2}, NOT},
    {LIN_GET, LIN_OK, A, A, A, 2, {7, 3, 0, 2}, true, {7, 3, 0, 2}},
    /* The first to name a version fixes it, above the floor. */
    {LIN_GET, LIN_OK, 7, A, 4, A, {7, A, 3, 0}, true, {7, 4, 0, 0}},
    {LIN_GET, LIN_OK, 7, A, 3, A, {7, A, 3, 0}, NOT},
    {LIN_GET, LIN_OK, 0, A, 9, A, {0, 0, 3, 0}, true, {0, 0, 3, 0}},
    /* A put keeps the owner; versions rise, unless nothing changed. */
    {LIN_PUT, LIN_OK, 8, A, A, A, {7, 3, 0, 2}, true, {8, A, 3, 2}},
    {LIN_PUT, LIN_OK, 8, A, 4, A, {7, 3, 0, 2}, true, {8, 4, 0, 2}},
    {LIN_PUT, LIN_OK, 8, A, 3, A, {7, 3, 0, 2}, NOT},
    {LIN_PUT, LIN_OK, 7, A, 3, A, {7, 3, 0, 2}, true, {7, 3, 0, 2}},
    {LIN_PUT, LIN_OK, 7, A, 2, A, {7, 3, 0, 2}, NOT},
    {LIN_PUT, LIN_OK, 8, A, 3, A, {0, 0, 3, 0}, NOT},
    {LIN_PUT, LIN_OK, 8, A, 4, A, {0, 0, 3, 0}, true, {8, 4, 0, 0}},
    {LIN_PUT, LIN_NO, 8, A, A, A, ABSENT, NOT},
    {LIN_PUT, LIN_UNKNOWN, 8, A, A, A, {8, A, 0, 0}, NOT},
    /* A compare by value. */
    {LIN_CAS, LIN_OK, 8, 7, A, A, {7, A, 0, 2}, true, {8, A, 0, 2}},
    {LIN_CAS, LIN_OK, 8, 6, A, A, {7, A, 0, 2}, NOT},
    {LIN_CAS, LIN_NO, 8, 6, A, A, {7, A, 0, 2}, true, {7, A, 0, 2}},
    {LIN_CAS, LIN_NO, 8, 7, A, A, {7, A, 0, 2}, NOT},
    {LIN_CAS, LIN_OK, 8, 0, A, A, ABSENT, true, {8, A, 0, 0}},
    {LIN_CAS, LIN_UNKNOWN, 8, 6, A, A, {7, A, 0, 2}, NOT},
    /* A compare by version. */
    {LIN_CAS_VERSION, LIN_OK, 8, 3, 5, A, {7, 3, 0, 0}, true, {8, 5, 0, 0}},
    {LIN_CAS_VERSION, LIN_OK, 8, 4, A, A, {7, 3, 0, 0}, NOT},
    {LIN_CAS_VERSION, LIN_OK, 8, 4, A, A, {7, A, 3, 0}, true, {8, A, 4, 0}},
    {LIN_CAS_VERSION, LIN_OK, 8, 0, A, A, ABSENT, true, {8, A, 0, 0}},
    {LIN_CAS_VERSION, LIN_OK, 8, 0, A, A, {7, 3, 0, 0}, NOT},
    {LIN_CAS_VERSION, LIN_OK, 8, 3, A, A, ABSENT, NOT},
    {LIN_CAS_VERSION, LIN_NO, 8, 3, A, A, {7, 3, 0, 0}, NOT},
    {LIN_CAS_VERSION, LIN_NO, 8, 3, A, A, {7, A, 0, 0}, true, {7, A, 0, 0}},
    {LIN_CAS_VERSION, LIN_NO, 8, 3, A, A, ABSENT, true, ABSENT},
    {LIN_CAS_VERSION, LIN_NO, 8, 0, A, A, ABSENT, NOT},
    {LIN_CAS_VERSION, LIN_NO, 8, 0, A, A, {7, 3, 0, 0}, true, {7, 3, 0, 0}},
    /* A delete frees the lock as well. */
    {LIN_DELETE, LIN_OK, A, A, A, A, {7, 3, 0, 2}, true, {0, 0, 3, 0}},
    {LIN_DELETE, LIN_OK, A, A, A, A, ABSENT, true, ABSENT},
    {LIN_DELETE, LIN_NO, A, A, A, A, ABSENT, true, ABSENT},
    {LIN_DELETE, LIN_NO, A, A, A, A, {7, 3, 0, 0}, NOT},
    {LIN_DELETE_VERSION, LIN_OK, A, 3, A, A, {7, 3, 0, 2}, true, {0, 0, 3, 0}},
    {LIN_DELETE_VERSION, LIN_OK, A, 4, A, A, {7, 3, 0, 2}, NOT},
    {LIN_DELETE_VERSION, LIN_OK, A, 4, A, A, ABSENT, true, ABSENT},
    {LIN_DELETE_VERSION, LIN_NO, A, 4, A, A, ABSENT, NOT},
    {LIN_DELETE_VERSION, LIN_NO, A, 4, A, A, {7, 3, 0, 2}, true, {7, 3, 0, 2}},
    {LIN_DELETE_VERSION, LIN_NO, A, 3, A, A, {7, 3, 0, 2}, NOT},
    /* A lock. */
    {LIN_ACQUIRE, LIN_OK, A, A, A, 1, ABSENT, true, {0, 0, 0, 1}},
    {LIN_ACQUIRE, LIN_OK, A, A, A, 1, {7, 3, 0, 1}, true, {7, 3, 0, 1}},
    {LIN_ACQUIRE, LIN_OK, A, A, A, 1, {7, 3, 0, 2}, NOT},
    {LIN_ACQUIRE, LIN_OK, 8, A, 4, 1, {7, 3, 0, 0}, true, {8, 4, 0, 1}},
    {LIN_ACQUIRE, LIN_NO, A, A, A, 1, {7, 3, 0, 2}, true, {7, 3, 0, 2}},
    {LIN_ACQUIRE, LIN_NO, A, A, A, 1, {7, 3, 0, 1}, NOT},
    {LIN_ACQUIRE, LIN_NO, A, A, A, 1, {7, 3, 0, 0}, NOT},
    {LIN_RELEASE, LIN_OK, A, A, A, 1, {7, 3, 0, 1}, true, {7, 3, 0, 0}},
    {LIN_RELEASE, LIN_OK, 8, A, A, 1, {7, 3, 0, 1}, true, {8, A, 3, 0}},
    {LIN_RELEASE, LIN_OK, A, A, A, 1, {7, 3, 0, 2}, NOT},
    {LIN_RELEASE, LIN_OK, A, A, A, 1, {7, 3, 0, 0}, NOT},
    {LIN_RELEASE, LIN_NO, A, A, A, 1, {7, 3, 0, 0}, true, {7, 3, 0, 0}},
    {LIN_RELEASE, LIN_NO, A, A, A, 1, {7, 3, 0, 1}, NOT},
    {LIN_DROP, LIN_OK, A, A, A, 1, {7, 3, 0, 1}, true, {7, 3, 0, 0}},
    {LIN_DROP, LIN_OK, 0, A, A, 1, {7, 3, 0, 1}, true, {0, 0, 3, 0}},
    {LIN_DROP, LIN_OK, 0, A, A, 1, {7, 3, 0, 2}, true, {7, 3, 0, 2}},
    {LIN_DROP, LIN_UNKNOWN, 0, A, A, 1, {7, 3, 0, 2}, NOT},
};

static void the_model_steps_as_its_header_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(steps); i++) {
		const struct step *t = &steps[i];
		struct lin_op op = lin_op((enum lin_kind)t->kind, 1, 0);
		struct lin_state s = t->from;

		op.result = t->result;
		op.value = t->value;
		op.expect = t->expect;
		op.version = t->version;
		op.owner = t->owner;
		if (lin_step(&op, &s) != t->fits)
			fail_msg("step %zu (kind %d) fits: %d", i, t->kind, !t->fits);
		if (!lin_state_is(&s, t->fits ? &t->to : &t->from))
			fail_msg("step %zu (kind %d) leads elsewhere", i, t->kind);
	}
}

static struct lin_op answered(enum lin_kind kind, uint64_t value, uint64_t from, uint64_t to)
{
	struct lin_op op = lin_op(kind, 1, from);

	op.value = value;
	op.ret_ns = to;
	op.result = LIN_OK;
	return op;
}

static void a_failure_names_the_longest_order_and_what_does_not_fit(void **state)
{
	const struct lin_op ops[] = {
	    answered(LIN_GET, 1, 50, 60), /* stale */
	    answered(LIN_PUT, 1, 0, 10),  answered(LIN_GET, 1, 20, 30),
	    answered(LIN_PUT, 2, 25, 40), answered(LIN_GET, 2, 70, 80),
	};
	const uint32_t order[] = {1, 2, 3};
	struct lin *l = lin_new(NULL);
	struct lin_state from = lin_absent();
	struct lin_report r;

	(void)state;
	assert_non_null(l);
	lin_check(l, ops, COUNT(ops), &from, &r);
	assert_int_equal(r.answer, LIN_BAD);
	assert_int_equal(r.order_n, 3);
	assert_memory_equal(r.order, order, sizeof(order));
	assert_int_equal(r.stuck, 0);
	lin_free(l);
}

static void a_key_may_have_begun_with_a_value(void **state)
{
	const struct lin_op op = answered(LIN_GET, 7, 0, 1);
	struct lin_state from = {.value = 7, .version = 3};
	struct lin *l = lin_new(NULL);
	struct lin_report r;

	(void)state;
	assert_non_null(l);
	lin_check(l, &op, 1, &from, &r);
	assert_int_equal(r.answer, LIN_GOOD);
	from = lin_absent();
	lin_check(l, &op, 1, &from, &r);
	assert_int_equal(r.answer, LIN_BAD);
	lin_check(l, NULL, 0, &from, &r);
	assert_int_equal(r.answer, LIN_GOOD);
	lin_free(l);
}

/* Many writes at once, and then a read of what was never written: every order has to be tried. */
#define HARD 16

static void hard(struct lin_op *ops)
{
	for (size_t i = 0; i < HARD; i++)
		ops[i] = answered(LIN_PUT, i + 1, 0, 100);
	ops[HARD] = answered(LIN_GET, 99, 200, 300);
}

static void a_search_over_its_limits_gives_up(void **state)
{
	static const struct lin_limits limits[] = {{10000, 1 << 30}, {1u << 30, 1 << 20}};
	struct lin_state from = lin_absent();
	struct lin_op ops[HARD + 1];
	struct lin_report r;

	(void)state;
	hard(ops);
	for (size_t i = 0; i < COUNT(limits); i++) {
		struct lin *l = lin_new(&limits[i]);

		assert_non_null(l);
		lin_check(l, ops, COUNT(ops), &from, &r);
		assert_int_equal(r.answer, LIN_GAVE_UP);
		assert_true(r.steps <= limits[i].steps + HARD + 1);
		/* The same checker still answers what is easy. */
		lin_check(l, ops, HARD, &from, &r);
		assert_int_equal(r.answer, LIN_GOOD);
		lin_free(l);
	}
}

/* Without its memory it would take 16! orders; the memory has at most 2^16 sets of 16 values. */
static void what_was_tried_is_not_tried_again(void **state)
{
	struct lin_state from = lin_absent();
	struct lin *l = lin_new(NULL);
	struct lin_op ops[HARD + 1];
	struct lin_report r;

	(void)state;
	assert_non_null(l);
	hard(ops);
	lin_check(l, ops, COUNT(ops), &from, &r);
	assert_int_equal(r.answer, LIN_BAD);
	assert_int_equal(r.stuck, HARD);
	assert_int_equal(r.order_n, HARD);
	assert_true(r.steps < (UINT64_C(1) << HARD) * HARD * HARD);
	lin_free(l);
}

static enum lin_cache_result add(struct lin_cache *c, uint64_t hash, uint64_t value,
                                 const uint32_t *missing, uint32_t n)
{
	const struct lin_config x = {
	    .hash = hash, .state = {.value = value}, .missing = missing, .missing_n = n, .top = 9};

	return lin_cache_add(c, &x);
}

static void two_sets_with_one_hash_are_two(void **state)
{
	const uint32_t a[] = {1, 5};
	const uint32_t b[] = {1, 6};
	struct lin_cache c = {.bytes_max = 1 << 20};

	(void)state;
	assert_int_equal(add(&c, 7, 1, a, 2), LIN_CACHE_NEW);
	assert_int_equal(add(&c, 7, 1, a, 2), LIN_CACHE_SEEN);
	assert_int_equal(add(&c, 7, 1, b, 2), LIN_CACHE_NEW);
	assert_int_equal(add(&c, 7, 1, a, 1), LIN_CACHE_NEW);
	assert_int_equal(add(&c, 7, 2, a, 2), LIN_CACHE_NEW);
	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(add(&c, i + 100, 1, &i, 1), LIN_CACHE_NEW);
	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(add(&c, i + 100, 1, &i, 1), LIN_CACHE_SEEN);
	assert_int_equal(add(&c, 7, 1, b, 2), LIN_CACHE_SEEN);
	lin_cache_clear(&c);
	assert_int_equal(add(&c, 7, 1, b, 2), LIN_CACHE_NEW);
	lin_cache_done(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_model_steps_as_its_header_says),
	    cmocka_unit_test(a_failure_names_the_longest_order_and_what_does_not_fit),
	    cmocka_unit_test(a_key_may_have_begun_with_a_value),
	    cmocka_unit_test(a_search_over_its_limits_gives_up),
	    cmocka_unit_test(what_was_tried_is_not_tried_again),
	    cmocka_unit_test(two_sets_with_one_hash_are_two),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
