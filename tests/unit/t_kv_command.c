/* command: what is encoded is decoded, and nothing else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <errno.h>

#include <cmocka.h>

#include "kv/command.h"
#include "seeded.h"

static struct kv_command c, got;

static int begin(void **state)
{
	(void)state;
	memset(&c, 0, sizeof(c));
	c.type = KV_ONE;
	c.op_count = 1;
	c.ops[0] = (struct kv_op){.verb = KV_SET, .key = {"k", 1}, .value = {"v", 1}};
	return 0;
}

static void assert_same_op(const struct kv_op *a, const struct kv_op *b)
{
	assert_int_equal(a->verb, b->verb);
	assert_true(span_is(a->key, b->key));
	assert_true(span_is(a->value, b->value));
	assert_true(a->flags == b->flags && a->index == b->index);
	assert_memory_equal(a->session, b->session, ID_LEN);
}

static void assert_same_session(const struct kv_session_spec *a, const struct kv_session_spec *b)
{
	assert_memory_equal(a->id, b->id, ID_LEN);
	assert_true(a->ttl_ns == b->ttl_ns && a->lock_delay_ns == b->lock_delay_ns);
	assert_int_equal(a->behavior, b->behavior);
	assert_true(span_is(a->name, b->name));
	assert_true(span_is(a->node, b->node));
	assert_true(span_is(a->note, b->note));
}

/* Encode and decode c; any prefix of the bytes, and one more of them, is refused. */
static void assert_round_trip(void)
{
	struct buf b = {0};
	struct err e;

	buf_add_str(&b, "before");
	assert_int_equal(kv_command_put(&b, &c, &e), 0);
	buf_add_char(&b, '\0');
	assert_int_equal(kv_command_get(&got, (struct span){b.data + 6, b.len - 7}, &e), 0);
	assert_int_equal(got.type, c.type);
	assert_int_equal(got.want_entry, c.want_entry);
	assert_int_equal(got.has_once, c.has_once);
	assert_memory_equal(got.once.client, c.once.client, ID_LEN);
	assert_true(got.once.seq == c.once.seq && got.once.ttl_ns == c.once.ttl_ns);
	assert_true(got.once.first_outstanding == c.once.first_outstanding);
	assert_int_equal(got.op_count, c.op_count);
	for (unsigned i = 0; i < c.op_count; i++)
		assert_same_op(&got.ops[i], &c.ops[i]);
	if (c.type >= KV_SESSION_CREATE)
		assert_same_session(&got.session, &c.session);
	assert_int_equal(kv_command_get(&got, (struct span){b.data + 6, b.len - 6}, &e), -1);
	assert_int_equal(e.code, EBADMSG);
	for (size_t n = 1; n < b.len - 7; n++) {
		char *copy = malloc(n);

		memcpy(copy, b.data + 6, n);
		assert_int_equal(kv_command_get(&got, (struct span){copy, n}, &e), -1);
		assert_int_equal(e.code, EBADMSG);
		free(copy);
	}
	buf_done(&b);
}

static struct span any_bytes(char *to, size_t max, uint64_t *rand)
{
	size_t n = seeded_below(rand, max + 1);

	for (size_t i = 0; i < n; i++)
		to[i] = (char)seeded_next(rand);
	return (struct span){to, n};
}

static void any_id(unsigned char to[ID_LEN], uint64_t *rand)
{
	for (int i = 0; i < ID_LEN; i++)
		to[i] = (unsigned char)seeded_next(rand);
}

static void any_op(struct kv_op *op, char bytes[60], uint8_t verb, uint64_t *rand)
{
	*op = (struct kv_op){.verb = verb, .value = {"", 0}};
	op->key = any_bytes(bytes, 20, rand);
	if (op->key.len == 0 && verb != KV_DELETE_TREE && verb != KV_GET_TREE)
		op->key = (struct span){"k", 1};
	if (verb == KV_SET || verb == KV_CAS || verb == KV_LOCK || verb == KV_UNLOCK) {
		op->value = any_bytes(bytes + 20, 40, rand);
		op->flags = seeded_any_size(rand);
	}
	if (verb == KV_CAS || verb == KV_DELETE_CAS || verb == KV_CHECK_INDEX)
		op->index = seeded_any_size(rand);
	if (verb == KV_LOCK || verb == KV_UNLOCK || verb == KV_CHECK_SESSION)
		any_id(op->session, rand);
}

static void commands_of_all_kinds_come_back(void **state)
{
	static char bytes[KV_OPS_MAX][60];
	static char names[3][40];
	uint64_t rand = seeded();

	(void)state;
	for (unsigned round = 0; round < seeded_rounds(300); round++) {
		memset(&c, 0, sizeof(c));
		c.type = (uint8_t)(KV_TICK + seeded_below(&rand, 6));
		c.op_count = c.type == KV_ONE ? 1 : c.type == KV_TXN ? 1 + round % 5 : 0;
		for (unsigned i = 0; i < c.op_count; i++)
			any_op(&c.ops[i], bytes[i],
			       (uint8_t)(1 + seeded_below(&rand, c.type == KV_ONE ? 7 : 13)),
			       &rand);
		c.want_entry = c.type == KV_ONE && round % 2;
		any_id(c.session.id, &rand);
		if (c.type == KV_SESSION_CREATE)
			c.session.behavior = (uint8_t)(1 + seeded_below(&rand, 2));
		c.session.name = c.session.node = c.session.note = (struct span){"", 0};
		if (c.type == KV_SESSION_CREATE) {
			c.session.ttl_ns = seeded_any_size(&rand);
			c.session.lock_delay_ns = seeded_any_size(&rand);
			c.session.name = any_bytes(names[0], 40, &rand);
			c.session.node = any_bytes(names[1], 40, &rand);
			c.session.note = any_bytes(names[2], 40, &rand);
		}
		c.has_once = seeded_below(&rand, 2) == 0;
		if (c.has_once) {
			any_id(c.once.client, &rand);
			c.once.ttl_ns = 1 + seeded_any_size(&rand) / 2;
			c.once.seq = 1 + seeded_any_size(&rand) / 2;
			c.once.first_outstanding = 1 + seeded_below(&rand, c.once.seq);
		}
		assert_round_trip();
	}
}

static void a_transaction_may_be_full(void **state)
{
	(void)state;
	c.type = KV_TXN;
	for (c.op_count = 0; c.op_count < KV_OPS_MAX; c.op_count++)
		c.ops[c.op_count] =
		    (struct kv_op){.verb = KV_GET_TREE, .key = {"", 0}, .value = {"", 0}};
	assert_round_trip();
}

static void no_bytes_are_a_tick(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(kv_command_get(&got, (struct span){NULL, 0}, &e), 0);
	assert_int_equal(got.type, KV_TICK);
	assert_int_equal(got.op_count, 0);
	assert_false(got.has_once);
}

/* ---- What is outside its limits. */

static void assert_refused(int code)
{
	struct buf b = {0};
	struct err e = {0};

	buf_add_str(&b, "before");
	assert_int_equal(kv_command_put(&b, &c, &e), -1);
	assert_int_equal(e.code, code);
	assert_int_equal(b.len, 6);
	buf_done(&b);
}

static char large[KV_VALUE_MAX + 1];

static void a_key_has_1_to_so_many_bytes(void **state)
{
	(void)state;
	c.ops[0].key.len = 0;
	assert_refused(EINVAL);
	c.ops[0].key = (struct span){large, KV_KEY_MAX + 1};
	assert_refused(EMSGSIZE);
	c.ops[0].verb = KV_DELETE_TREE;
	assert_refused(EMSGSIZE);
}

static void a_value_has_so_many_bytes(void **state)
{
	struct buf b = {0};
	struct err e;

	(void)state;
	c.ops[0].value = (struct span){large, KV_VALUE_MAX + 1};
	assert_refused(EMSGSIZE);
	c.ops[0].value.len--;
	assert_int_equal(kv_command_put(&b, &c, &e), 0);
	/* Where there is none it is not looked at. */
	c.ops[0].value = (struct span){NULL, SIZE_MAX};
	c.ops[0].verb = KV_DELETE;
	assert_int_equal(kv_command_put(&b, &c, &e), 0);
	buf_done(&b);
}

static void a_command_has_so_many_bytes(void **state)
{
	(void)state;
	c.type = KV_TXN;
	for (c.op_count = 0; c.op_count < 3; c.op_count++)
		c.ops[c.op_count] =
		    (struct kv_op){.verb = KV_SET, .key = {"k", 1}, .value = {large, KV_VALUE_MAX}};
	assert_refused(EMSGSIZE);
}

static void types_verbs_and_counts_are_those_there_are(void **state)
{
	(void)state;
	c.ops[0].verb = 0;
	assert_refused(EINVAL);
	c.ops[0].verb = KV_VERB_END;
	assert_refused(EINVAL);
	c.ops[0].verb = KV_GET;
	assert_refused(EINVAL);
	begin(NULL);
	c.op_count = 0;
	assert_refused(EINVAL);
	c.op_count = 2;
	assert_refused(EINVAL);
	c.type = KV_TXN;
	c.op_count = 0;
	assert_refused(EINVAL);
	c.op_count = KV_OPS_MAX + 1;
	assert_refused(EINVAL);
	c.type = KV_TICK;
	c.op_count = 1;
	assert_refused(EINVAL);
	c.op_count = 0;
	c.want_entry = true;
	assert_refused(EINVAL);
	c.want_entry = false;
	c.type = 0;
	assert_refused(EINVAL);
	c.type = KV_SESSION_RENEW + 1;
	assert_refused(EINVAL);
}

static void a_session_has_an_id_a_behavior_and_short_names(void **state)
{
	(void)state;
	memset(&c, 0, sizeof(c));
	c.type = KV_SESSION_DESTROY;
	assert_refused(EINVAL);
	c.type = KV_SESSION_CREATE;
	c.session.id[3] = 1;
	assert_refused(EINVAL);
	c.session.behavior = 3;
	assert_refused(EINVAL);
	c.session.behavior = KV_DELETE_KEYS;
	c.session.name = (struct span){large, KV_NAME_MAX + 1};
	assert_refused(EMSGSIZE);
	c.session.name.len = 0;
	c.session.node = (struct span){large, KV_NAME_MAX + 1};
	assert_refused(EMSGSIZE);
	c.session.node.len = 0;
	c.session.note = (struct span){large, KV_NOTE_MAX + 1};
	assert_refused(EMSGSIZE);
}

static void a_client_says_what_it_waits_for_and_how_long_it_lives(void **state)
{
	(void)state;
	c.has_once = true;
	c.once = (struct kv_once){.seq = 5, .first_outstanding = 6, .ttl_ns = 1};
	assert_refused(EINVAL);
	c.once.first_outstanding = 0;
	assert_refused(EINVAL);
	c.once.first_outstanding = 5;
	c.once.ttl_ns = 0;
	assert_refused(EINVAL);
}

/* ---- Foreign bytes. */

static void a_newer_version_is_told_from_damage(void **state)
{
	struct buf b = {0};
	struct err e;

	(void)state;
	assert_int_equal(kv_command_put(&b, &c, &e), 0);
	b.data[0] = 2;
	assert_int_equal(kv_command_get(&got, (struct span){b.data, b.len}, &e), -1);
	assert_int_equal(e.code, ENOTSUP);
	b.data[0] = 0;
	assert_int_equal(kv_command_get(&got, (struct span){b.data, b.len}, &e), -1);
	assert_int_equal(e.code, EBADMSG);
	b.data[0] = 1;
	b.data[2] = 4;
	assert_int_equal(kv_command_get(&got, (struct span){b.data, b.len}, &e), -1);
	assert_int_equal(e.code, EBADMSG);
	buf_done(&b);
}

static void limits_hold_for_foreign_bytes(void **state)
{
	/* A transaction of 129 operations, and a deletion of the empty key. */
	static const char many[] = {1, KV_TXN, 0, (char)(KV_OPS_MAX + 1)};
	static const char empty[] = {1, KV_ONE, 0, KV_DELETE, 0, 0};
	struct err e;

	(void)state;
	assert_int_equal(kv_command_get(&got, (struct span){many, sizeof(many)}, &e), -1);
	assert_int_equal(e.code, EBADMSG);
	assert_int_equal(kv_command_get(&got, (struct span){empty, sizeof(empty)}, &e), -1);
	assert_int_equal(e.code, EBADMSG);
}

static void verbs_have_names(void **state)
{
	(void)state;
	for (unsigned v = KV_SET; v < KV_VERB_END; v++) {
		const char *name = kv_verb_name((uint8_t)v);

		assert_int_equal(kv_verb_by_name((struct span){name, strlen(name)}), v);
	}
	assert_string_equal(kv_verb_name(0), "?");
	assert_string_equal(kv_verb_name(KV_VERB_END), "?");
	assert_int_equal(kv_verb_by_name((struct span){"sets", 4}), 0);
	assert_true(kv_verb_reads(KV_GET) && kv_verb_reads(KV_CHECK_NOT_EXISTS));
	assert_false(kv_verb_reads(KV_SET) || kv_verb_reads(0) || kv_verb_reads(KV_VERB_END));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, begin)
	const struct CMUnitTest tests[] = {
	    TEST(commands_of_all_kinds_come_back),
	    TEST(a_transaction_may_be_full),
	    TEST(no_bytes_are_a_tick),
	    TEST(a_key_has_1_to_so_many_bytes),
	    TEST(a_value_has_so_many_bytes),
	    TEST(a_command_has_so_many_bytes),
	    TEST(types_verbs_and_counts_are_those_there_are),
	    TEST(a_session_has_an_id_a_behavior_and_short_names),
	    TEST(a_client_says_what_it_waits_for_and_how_long_it_lives),
	    TEST(a_newer_version_is_told_from_damage),
	    TEST(limits_hold_for_foreign_bytes),
	    TEST(verbs_have_names),
	};

	return cmocka_run_group_tests_name("kv_command", tests, NULL, NULL);
}
