/* kv: random commands beside a naive model, beside a twin, and through snapshots. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <errno.h>

#include <cmocka.h>

#include "kv_model.h"
#include "kv_run.h"
#include "seeded.h"

#define S UINT64_C(1000000000)

struct story {
	uint64_t rand;
	struct kv_run r;
	struct kv_model *m;
};

static struct kv_command c;
static char bytes[8][2 * KV_MODEL_KEY_MAX];

/* One of some sixty keys, with prefixes among them and a byte of each kind. */
static struct span any_key(char *to, uint64_t *rand)
{
	static const char *const parts[] = {"a", "b", "a/", "\xff", "\0", "ab"};
	size_t n = 0;

	for (uint64_t i = 1 + seeded_below(rand, 3); i > 0; i--) {
		const char *part = parts[seeded_below(rand, 6)];
		size_t len = *part == '\0' ? 1 : strlen(part);

		memcpy(to + n, part, len);
		n += len;
	}
	return (struct span){to, n};
}

static unsigned char any_session(uint64_t *rand)
{
	return (unsigned char)(1 + seeded_below(rand, 5));
}

static void any_op(struct kv_op *op, char *to, struct story *s, bool may_read)
{
	struct kv_model_entry *e;

	*op = (struct kv_op){.verb = (uint8_t)(1 + seeded_below(&s->rand, may_read ? 13 : 7))};
	/* Most deletions of trees would leave nothing to look at. */
	if (op->verb == KV_DELETE_TREE && seeded_below(&s->rand, 4) > 0)
		op->verb = KV_LOCK;
	op->key = any_key(to, &s->rand);
	to[KV_MODEL_KEY_MAX] = (char)('0' + seeded_below(&s->rand, 3));
	op->value = (struct span){to + KV_MODEL_KEY_MAX, seeded_below(&s->rand, 2)};
	op->flags = seeded_below(&s->rand, 4) == 0 ? 7 : 0;
	e = kv_model_find(s->m, op->key);
	op->index =
	    e != NULL && seeded_below(&s->rand, 3) > 0 ? e->modify : seeded_below(&s->rand, 3);
	if (seeded_below(&s->rand, 20) > 0)
		memset(op->session, any_session(&s->rand), ID_LEN);
	if (e != NULL && e->holder != 0 && seeded_below(&s->rand, 2) == 0)
		memset(op->session, e->holder, ID_LEN);
}

static void any_command(struct story *s)
{
	uint64_t *rand = &s->rand;
	uint64_t kind = seeded_below(rand, 20);

	memset(&c, 0, offsetof(struct kv_command, ops));
	memset(c.session.id, any_session(rand), ID_LEN);
	c.session.name = c.session.node = c.session.note = (struct span){"", 0};
	c.session.behavior = (uint8_t)(1 + seeded_below(rand, 2));
	c.session.ttl_ns = seeded_below(rand, 3) * 10 * S;
	c.session.lock_delay_ns = seeded_below(rand, 3) * 2 * S;
	c.type = kind < 12   ? KV_ONE
	         : kind < 15 ? KV_TXN
	         : kind < 17 ? KV_SESSION_CREATE
	         : kind < 18 ? KV_SESSION_DESTROY
	         : kind < 19 ? KV_SESSION_RENEW
	                     : KV_TICK;
	if (c.type == KV_ONE || c.type == KV_TXN)
		c.op_count = c.type == KV_ONE ? 1 : (uint8_t)(1 + seeded_below(rand, 4));
	for (unsigned i = 0; i < c.op_count; i++)
		any_op(&c.ops[i], bytes[i], s, c.type == KV_TXN);
}

static void assert_indexes(struct story *s)
{
	char to[2 * KV_MODEL_KEY_MAX];
	struct span prefix = any_key(to, &s->rand);
	uint64_t want;

	prefix.len = seeded_below(&s->rand, prefix.len + 1);
	want = kv_model_prefix_index(s->m, prefix);
	if (want == 0)
		assert_true(kv_prefix_index(s->r.kv, prefix) == kv_table_index(s->r.kv));
	else
		assert_true(kv_prefix_index(s->r.kv, prefix) >= want);
	/* Before any tombstone has gone it is exact. */
	if (want != 0 && s->r.clock_ns < KV_TOMBSTONE_TTL_NS)
		assert_true(kv_prefix_index(s->r.kv, prefix) == want);
}

static void step(struct story *s)
{
	uint8_t want;

	if (seeded_below(&s->rand, 4) == 0)
		s->r.clock_ns += seeded_below(&s->rand, 3 * S);
	/* Now and then nothing happens for so long that all deletions are forgotten. */
	if (seeded_below(&s->rand, 500) == 0)
		s->r.clock_ns += KV_TOMBSTONE_TTL_NS;
	any_command(s);
	want = kv_model_apply(s->m, s->r.clock_ns, &c);
	assert_int_equal(kv_run_command(&s->r, &c), want);
	kv_model_assert_same(s->m, s->r.kv);
	assert_indexes(s);
}

static void begin_story(struct story *s, uint64_t rand)
{
	*s = (struct story){.rand = rand, .m = calloc(1, sizeof(struct kv_model))};
	assert_non_null(s->m);
	kv_run_begin(&s->r);
}

static void end_story(struct story *s)
{
	kv_run_end(&s->r);
	free(s->m);
}

static void it_does_what_the_model_does(void **state)
{
	uint64_t rand = seeded();

	(void)state;
	for (unsigned round = 0; round < seeded_rounds(20); round++) {
		struct story s;

		begin_story(&s, seeded_next(&rand));
		for (unsigned i = 0; i < 1500; i++)
			step(&s);
		end_story(&s);
	}
}

/* ---- Twins. */

static void restore_into(struct kv_run *to, struct kv *from, uint64_t *rand)
{
	struct kv_restore *restore = kv_restore_begin();
	struct buf b = kv_run_snapshot(from, 1 + seeded_below(rand, 5000));
	struct err e = {0};

	assert_non_null(restore);
	for (size_t at = 0; at < b.len;) {
		size_t n = 1 + seeded_below(rand, 200);

		n = n < b.len - at ? n : b.len - at;
		assert_int_equal(kv_restore_write(restore, b.data + at, n, &e), 0);
		at += n;
	}
	if (kv_restore_commit(restore, to->kv, &to->out, &e) < 0)
		fail_msg("%s", e.msg);
	buf_done(&b);
}

static void assert_twins(struct kv *a, struct kv *b)
{
	struct buf x = kv_run_snapshot(a, 777);
	struct buf y = kv_run_snapshot(b, 100000);

	assert_int_equal(x.len, y.len);
	assert_memory_equal(x.data, y.data, x.len);
	buf_done(&x);
	buf_done(&y);
}

/* A command that is to be done once, by one of a few clients. */
static void make_once(struct story *s, uint64_t seq[3])
{
	unsigned n = (unsigned)seeded_below(&s->rand, 3);
	uint64_t back = seeded_below(&s->rand, 3);

	memset(c.once.client, (int)n + 1, ID_LEN);
	seq[n]++;
	c.has_once = true;
	c.once.seq = seq[n] > back ? seq[n] - back : 1;
	c.once.first_outstanding = c.once.seq > 3 ? c.once.seq - 3 : 1;
	c.once.ttl_ns = 30 * S;
	if (seeded_below(&s->rand, 30) == 0)
		seq[n] = 0;
}

/* One of them is restored from snapshots now and then: equal states, equal bytes, equal hashes. */
static void nodes_that_apply_the_same_are_the_same(void **state)
{
	uint64_t rand = seeded();

	(void)state;
	for (unsigned round = 0; round < seeded_rounds(20); round++) {
		struct story s;
		struct kv_run twin;
		uint64_t seq[3] = {0};

		begin_story(&s, seeded_next(&rand));
		kv_run_begin(&twin);
		for (unsigned i = 0; i < 1000; i++) {
			s.r.clock_ns += seeded_below(&s.rand, 2 * S);
			twin.clock_ns = s.r.clock_ns;
			any_command(&s);
			if (seeded_below(&s.rand, 2) == 0)
				make_once(&s, seq);
			assert_int_equal(kv_run_command(&s.r, &c), kv_run_command(&twin, &c));
			assert_int_equal(s.r.out.result.len, twin.out.result.len);
			assert_memory_equal(s.r.out.result.data, twin.out.result.data,
			                    twin.out.result.len);
			assert_true(kv_hash(s.r.kv) == kv_hash(twin.kv));
			assert_true(kv_next_expiry(s.r.kv) == kv_next_expiry(twin.kv));
			if (seeded_below(&s.rand, 100) == 0)
				restore_into(&twin, s.r.kv, &s.rand);
			if (seeded_below(&s.rand, 100) == 0)
				assert_twins(s.r.kv, twin.kv);
		}
		assert_twins(s.r.kv, twin.kv);
		kv_run_end(&twin);
		end_story(&s);
	}
}

/*
 * Memory that runs out anywhere: the apply says so, so does every later one, and all that there is
 * can be read and freed.
 */
static void memory_may_run_out_anywhere(void **state)
{
	uint64_t rand = seeded();
	unsigned failed = 0;

	(void)state;
	for (unsigned round = 0; round < seeded_rounds(300); round++) {
		uint64_t seq[3] = {0};
		struct story s;
		struct kv_stat stat;
		struct buf b = {0};
		struct err e;
		int got = 0;

		begin_story(&s, seeded_next(&rand));
		for (unsigned i = 0; i < 40 + round % 50; i++) {
			any_command(&s);
			kv_run_command(&s.r, &c);
		}
		kv_get_stat(s.r.kv, &stat);
		kv_set_bytes_max(s.r.kv, stat.bytes + seeded_below(&s.rand, 3000));
		for (unsigned i = 0; i < 100; i++) {
			struct kv_input in = {.index = ++s.r.index};

			any_command(&s);
			make_once(&s, seq);
			b.len = 0;
			assert_int_equal(kv_command_put(&b, &c, &e), 0);
			in.command = (struct span){b.data, b.len};
			in.clock_ns = s.r.clock_ns += S;
			assert_true(got == 0 || kv_apply(s.r.kv, &in, &s.r.out, &e) < 0);
			got = got < 0 ? got : kv_apply(s.r.kv, &in, &s.r.out, &e);
			assert_true(got == 0 || e.code == ENOMEM);
		}
		failed += got < 0;
		kv_set_bytes_max(s.r.kv, UINT64_MAX);
		(void)kv_check(s.r.kv, &e);
		buf_done(&b);
		end_story(&s);
	}
	assert_true(failed > 0);
}

/* The hash of a state that has another history is the same when the state is. */
static void the_hash_is_of_the_state_not_of_its_history(void **state)
{
	struct kv_run a;
	struct kv_run b;

	(void)state;
	kv_run_begin(&a);
	kv_run_begin(&b);
	kv_run_set(&a, "x", "1");
	kv_run_tick(&b, 0);
	assert_true(kv_hash(a.kv) != kv_hash(b.kv));
	kv_run_delete(&a, "x");
	kv_run_tick(&b, 0);
	/* The deletion is remembered. */
	assert_true(kv_hash(a.kv) != kv_hash(b.kv));
	kv_run_end(&a);
	kv_run_end(&b);
}

static uint64_t hash_of(const struct kv_op *op, uint64_t clock_ns)
{
	struct kv_run r;
	uint64_t hash;

	kv_run_begin(&r);
	r.clock_ns = clock_ns;
	kv_run_op(&r, op);
	hash = kv_hash(r.kv);
	kv_run_end(&r);
	return hash;
}

static void the_hash_sees_every_part(void **state)
{
	struct kv_op op = {.verb = KV_SET, .key = text_span("ab"), .value = text_span("c")};
	uint64_t hash = hash_of(&op, 0);

	(void)state;
	assert_true(hash_of(&op, 0) == hash);
	assert_true(hash_of(&op, 1) != hash);
	op.flags = 1;
	assert_true(hash_of(&op, 0) != hash);
	op.flags = 0;
	op.value = text_span("d");
	assert_true(hash_of(&op, 0) != hash);
	/* A byte that goes from the key to the value. */
	op.key = text_span("a");
	op.value = text_span("bc");
	assert_true(hash_of(&op, 0) != hash);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_does_what_the_model_does),
	    cmocka_unit_test(nodes_that_apply_the_same_are_the_same),
	    cmocka_unit_test(memory_may_run_out_anywhere),
	    cmocka_unit_test(the_hash_is_of_the_state_not_of_its_history),
	    cmocka_unit_test(the_hash_sees_every_part),
	};

	return cmocka_run_group_tests_name("kv_model", tests, NULL, NULL);
}
