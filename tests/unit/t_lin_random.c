/*
 * Random histories: small ones against an oracle that tries every order, and ones made from a real
 * register, which are good until somebody changes an answer.
 */
#include "lin/lin.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "lin/history.h"
#include "seeded.h"

#define SMALL     7
#define LONG_OPS  100000
#define LONG_WAYS 10

static uint64_t rnd;

static uint64_t below(uint64_t n)
{
	return seeded_below(&rnd, n);
}

static bool chance(uint64_t percent)
{
	return below(100) < percent;
}

/* Every order that time allows, without a memory: the definition as it stands. */
static bool oracle(const struct lin_op *ops, size_t n, unsigned placed, struct lin_state s)
{
	uint64_t first_return = LIN_NEVER;

	for (size_t i = 0; i < n; i++)
		if (!(placed & 1u << i) && ops[i].result != LIN_UNKNOWN &&
		    ops[i].ret_ns < first_return)
			first_return = ops[i].ret_ns;
	if (first_return == LIN_NEVER)
		return true;
	for (size_t i = 0; i < n; i++) {
		struct lin_state after = s;

		if (!(placed & 1u << i) && ops[i].call_ns <= first_return &&
		    lin_step(&ops[i], &after) && oracle(ops, n, placed | 1u << i, after))
			return true;
	}
	return false;
}

static void print_ops(const struct lin_op *ops, size_t n)
{
	struct buf b = {0};

	for (size_t i = 0; i < n; i++)
		history_put_op(&b, NULL, (struct span){"x", 1}, &ops[i]);
	fwrite(b.data, 1, b.len, stderr);
	buf_done(&b);
}

/* The order steps through the model, keeps to time, and has each operation once. */
static bool order_holds(const struct lin_op *ops, size_t n, const struct lin_report *r)
{
	bool *used = calloc(n + 1, sizeof(*used));
	struct lin_state s = lin_absent();
	uint64_t latest_call = 0;
	size_t owed = 0;
	bool holds = true;

	assert_non_null(used);
	for (size_t i = 0; i < r->order_n && holds; i++) {
		const struct lin_op *op = &ops[r->order[i]];

		holds = !used[r->order[i]] && lin_step(op, &s) &&
		        (op->result == LIN_UNKNOWN || op->ret_ns >= latest_call);
		used[r->order[i]] = true;
		if (op->call_ns > latest_call)
			latest_call = op->call_ns;
	}
	for (size_t i = 0; i < n; i++)
		owed += !used[i] && ops[i].result != LIN_UNKNOWN;
	if (r->answer == LIN_GOOD)
		holds = holds && owed == 0;
	else
		holds = holds && r->stuck < n && !used[r->stuck] && !lin_step(&ops[r->stuck], &s);
	free(used);
	return holds;
}

static enum lin_answer check(struct lin *l, const struct lin_op *ops, size_t n)
{
	struct lin_state from = lin_absent();
	struct lin_report r;

	lin_check(l, ops, n, &from, &r);
	if (r.answer != LIN_GAVE_UP && !order_holds(ops, n, &r)) {
		print_ops(ops, n < 100 ? n : 0);
		fail_msg("the order of a history that is %s does not hold",
		         r.answer == LIN_GOOD ? "good" : "bad");
	}
	return r.answer;
}

static void check_with_oracle(struct lin *l, const struct lin_op *ops, size_t n, unsigned *good)
{
	bool want = oracle(ops, n, 0, lin_absent());
	enum lin_answer got = check(l, ops, n);

	if (got != (want ? LIN_GOOD : LIN_BAD)) {
		print_ops(ops, n);
		fail_msg("the oracle says %s", want ? "good" : "bad");
	}
	*good += want;
}

static struct lin_op any_op(bool versions)
{
	struct lin_op op = lin_op((enum lin_kind)below(LIN_KINDS), 1 + below(3), below(12));
	bool locks = op.kind == LIN_ACQUIRE || op.kind == LIN_RELEASE || op.kind == LIN_DROP;

	op.ret_ns = op.call_ns + below(6);
	op.result = chance(15) ? LIN_UNKNOWN : chance(75) ? LIN_OK : LIN_NO;
	if (op.result == LIN_NO &&
	    (op.kind == LIN_PUT || op.kind == LIN_GET || op.kind == LIN_DROP))
		op.result = LIN_OK;
	op.value = op.kind == LIN_GET ? below(3) : 1 + below(2);
	if (locks && chance(60))
		op.value = LIN_ANY;
	op.owner = locks ? 1 + below(2) : LIN_ANY;
	if (op.kind == LIN_GET && chance(20))
		op.owner = below(3);
	op.expect = below(3);
	if (versions && chance(50))
		op.version = 1 + below(4);
	return op;
}

static void small_histories_are_as_the_oracle_says(void **state)
{
	struct lin *l = lin_new(NULL);
	unsigned rounds = seeded_rounds(200000);
	unsigned good = 0;

	(void)state;
	assert_non_null(l);
	for (unsigned i = 0; i < rounds; i++) {
		struct lin_op ops[SMALL];
		size_t n = 1 + below(SMALL);
		bool versions = chance(50);

		for (size_t k = 0; k < n; k++)
			ops[k] = any_op(versions);
		check_with_oracle(l, ops, n, &good);
	}
	printf("# %u of %u random histories are good\n", good, rounds);
	assert_true(good > rounds / 10 && good < rounds - rounds / 10);
	lin_free(l);
}

/* A register that does what an operation says; apart from the model, on purpose. */
struct store {
	uint64_t value, version, owner, last_version;
};

static void store_write(struct store *s, uint64_t value)
{
	if (value == s->value)
		return;
	s->value = value;
	s->version = value != 0 ? ++s->last_version : 0;
	if (value == 0)
		s->owner = 0;
}

static bool store_lock(struct store *s, const struct lin_op *op)
{
	bool own = s->owner == op->owner;

	if (op->kind == LIN_ACQUIRE ? !own && s->owner != 0 : !own)
		return op->kind == LIN_DROP;
	if (op->value != LIN_ANY)
		store_write(s, op->value);
	s->owner = op->kind == LIN_ACQUIRE ? op->owner : 0;
	return true;
}

/* Do it, and fill in the answer. */
static void store_do(struct store *s, struct lin_op *op)
{
	bool ok = true;

	switch (op->kind) {
	case LIN_GET:
		op->value = s->value;
		op->owner = chance(50) ? s->owner : LIN_ANY;
		break;
	case LIN_PUT:
		store_write(s, op->value);
		break;
	case LIN_CAS:
	case LIN_CAS_VERSION:
		ok = (op->kind == LIN_CAS ? s->value : s->version) == op->expect;
		if (ok)
			store_write(s, op->value);
		break;
	case LIN_DELETE:
	case LIN_DELETE_VERSION:
		ok = op->kind == LIN_DELETE || s->value == 0 || s->version == op->expect;
		if (ok)
			store_write(s, 0), s->owner = 0;
		break;
	default:
		ok = store_lock(s, op);
	}
	op->result = ok ? LIN_OK : LIN_NO;
	if (ok && s->value != 0 && chance(30) &&
	    (op->kind == LIN_GET || (op->kind < LIN_ACQUIRE && op->value != LIN_ANY)))
		op->version = s->version;
}

/* What the register would be asked: often about what is there. */
static struct lin_op next_op(const struct store *s, uint64_t ways, uint64_t values)
{
	struct lin_op op = lin_op((enum lin_kind)below(LIN_KINDS), 1 + below(ways), 0);

	if (chance(40))
		op.kind = LIN_GET;
	op.value = 1 + below(values);
	if (op.kind == LIN_CAS)
		op.expect = chance(60) ? s->value : below(values + 1);
	if (op.kind == LIN_CAS_VERSION || op.kind == LIN_DELETE_VERSION)
		op.expect = chance(60) ? s->version : s->last_version + 1;
	if (op.kind >= LIN_ACQUIRE) {
		op.owner = op.client;
		if (chance(50))
			op.value = LIN_ANY;
	}
	return op;
}

/*
 * Operations take effect one after the other, at times 10, 20, ...; each interval reaches around
 * its time, but not over those of its client before and after.  Some get no answer, and half of
 * these never take effect.
 */
static void make_good(struct lin_op *ops, size_t n, uint64_t ways, uint64_t unknown_percent)
{
	struct store s = {0};
	uint64_t free_at[16] = {0};
	uint64_t now = 1000;

	assert_true(ways < 16);
	for (size_t i = 0; i < n; i++) {
		struct lin_op *op = &ops[i];

		now += 10;
		*op = next_op(&s, ways, 4);
		while (free_at[op->client] >= now)
			op->client = 1 + op->client % ways, now++;
		op->call_ns =
		    now - below(now - free_at[op->client] < 10 * ways ? now - free_at[op->client]
		                                                      : 10 * ways);
		op->ret_ns = now + below(10 * ways);
		free_at[op->client] = op->ret_ns;
		if (!chance(unknown_percent)) {
			store_do(&s, op);
			continue;
		}
		if (chance(50))
			store_do(&s, op);
		op->result = LIN_UNKNOWN;
		op->version = LIN_ANY;
		if (op->kind == LIN_GET)
			op->value = op->owner = LIN_ANY;
	}
}

/* One answer becomes another one, or an operation is over before it took effect. */
static void spoil(struct lin_op *ops, size_t n)
{
	struct lin_op *op = &ops[below(n)];

	switch (below(4)) {
	case 0:
		op->kind = LIN_GET;
		op->result = LIN_OK;
		op->value = below(5);
		op->version = op->owner = LIN_ANY;
		break;
	case 1:
		if (op->kind == LIN_GET)
			op->value = (op->value + 1) % 5;
		else if (op->kind != LIN_PUT && op->kind != LIN_DROP && op->kind != LIN_DELETE)
			op->result = op->result == LIN_OK ? LIN_NO : LIN_OK;
		break;
	case 2:
		op->call_ns = op->call_ns > 500 ? op->call_ns - 500 : 0;
		op->ret_ns = op->call_ns + 1;
		break;
	default:
		if (op->result == LIN_OK)
			op->version = 1 + below(5);
	}
}

static void what_a_register_did_is_good(void **state)
{
	struct lin *l = lin_new(NULL);

	(void)state;
	assert_non_null(l);
	for (unsigned i = seeded_rounds(2000); i > 0; i--) {
		struct lin_op ops[200];
		size_t n = 1 + below(200);

		make_good(ops, n, 1 + below(8), chance(50) ? 0 : 4);
		if (check(l, ops, n) != LIN_GOOD) {
			print_ops(ops, n);
			fail_msg("bad");
		}
	}
	lin_free(l);
}

static void what_a_register_did_with_one_change_is_as_the_oracle_says(void **state)
{
	struct lin *l = lin_new(NULL);
	unsigned rounds = seeded_rounds(100000);
	unsigned good = 0;

	(void)state;
	assert_non_null(l);
	for (unsigned i = 0; i < rounds; i++) {
		struct lin_op ops[SMALL];

		make_good(ops, SMALL, 1 + below(5), chance(50) ? 0 : 20);
		spoil(ops, SMALL);
		check_with_oracle(l, ops, SMALL, &good);
	}
	printf("# %u of %u with one change are good\n", good, rounds);
	assert_true(good < rounds * 3 / 4);
	lin_free(l);
}

/* A read of a value that is nowhere else is bad wherever it stands. */
static void one_change_in_a_larger_history_is_seen(void **state)
{
	struct lin *l = lin_new(NULL);

	(void)state;
	assert_non_null(l);
	for (unsigned i = seeded_rounds(500); i > 0; i--) {
		struct lin_op ops[300];
		struct lin_op *op;

		make_good(ops, 300, 1 + below(6), 2);
		op = &ops[below(300)];
		op->kind = LIN_GET;
		op->result = LIN_OK;
		op->version = op->owner = LIN_ANY;
		op->value = 99;
		assert_int_equal(check(l, ops, 300), LIN_BAD);
	}
	lin_free(l);
}

static void a_long_history_takes_time_in_its_length(void **state)
{
	struct lin *l = lin_new(NULL);
	struct lin_op *ops = calloc(LONG_OPS, sizeof(*ops));
	struct lin_state from = lin_absent();
	struct lin_report r;
	size_t n = seeded_rounds(LONG_OPS);

	(void)state;
	if (n > LONG_OPS)
		n = LONG_OPS;
	assert_non_null(l);
	assert_non_null(ops);
	make_good(ops, n, LONG_WAYS, 0);
	lin_check(l, ops, n, &from, &r);
	assert_int_equal(r.answer, LIN_GOOD);
	assert_true(order_holds(ops, n, &r));
	printf("# %zu operations: %" PRIu64 " steps, %zu bytes\n", n, r.steps, r.bytes);
	ops[n - 1].kind = LIN_GET;
	ops[n - 1].result = LIN_OK;
	ops[n - 1].value = 99;
	lin_check(l, ops, n, &from, &r);
	assert_int_equal(r.answer, LIN_BAD);
	assert_int_equal(r.stuck, n - 1);
	printf("# and a bad end: %" PRIu64 " steps, %zu bytes\n", r.steps, r.bytes);
	free(ops);
	lin_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(small_histories_are_as_the_oracle_says),
	    cmocka_unit_test(what_a_register_did_is_good),
	    cmocka_unit_test(what_a_register_did_with_one_change_is_as_the_oracle_says),
	    cmocka_unit_test(one_change_in_a_larger_history_is_seen),
	    cmocka_unit_test(a_long_history_takes_time_in_its_length),
	};

	rnd = seeded();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
