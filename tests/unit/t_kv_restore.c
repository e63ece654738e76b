/* kv: restores of snapshots that somebody made by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <errno.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/le_buf.h"
#include "kv/snapshot.h"
#include "kv_run.h"
#include "seeded.h"

#define S UINT64_C(1000000000)

static struct kv_run r;

static int begin(void **state)
{
	(void)state;
	kv_run_begin(&r);
	return 0;
}

static int end(void **state)
{
	(void)state;
	kv_run_end(&r);
	return 0;
}

/* 0, or the code of the error. */
static int restore(struct kv *kv, const char *p, size_t n)
{
	struct kv_restore *restore = kv_restore_begin();
	struct kv_output out = {0};
	struct err e = {0};
	int code = 0;

	assert_non_null(restore);
	if (kv_restore_write(restore, p, n, &e) < 0 ||
	    kv_restore_commit(restore, kv, &out, &e) < 0) {
		code = e.code;
		assert_true(e.msg[0] != '\0');
		kv_restore_abort(restore);
	}
	kv_output_done(&out);
	return code;
}

/* ---- Snapshots made by hand: all in order but one thing. */

struct record {
	const char *key, *value;
	uint64_t create, modify;
	struct kv_lock_part lock;
	uint8_t bits;
	size_t key_len, value_len; /* if not those of the texts */
};

struct forged {
	uint64_t applied, clock_ns, table_index, sessions_index, floor;
	struct record record[6][4];
	uint64_t count[6]; /* if not that of the records with a key */
};

static void put_record(struct buf *b, const struct record *rec)
{
	size_t key_len = rec->key_len > 0 ? rec->key_len : strlen(rec->key);
	size_t value_len = rec->value_len > 0   ? rec->value_len
	                   : rec->value != NULL ? strlen(rec->value)
	                                        : 0;

	le_add8(b, rec->bits);
	le_add16(b, (uint16_t)key_len);
	le_add32(b, (uint32_t)value_len);
	le_add64(b, rec->create);
	le_add64(b, rec->modify);
	if (rec->bits != 0) {
		le_add64(b, rec->lock.flags);
		le_add64(b, rec->lock.lock);
		le_add64(b, rec->lock.fence);
		buf_add(b, rec->lock.session, ID_LEN);
	}
	buf_add(b, rec->key, key_len);
	if (value_len > 0)
		buf_add(b, rec->value, value_len);
}

/* The hash of what the records say, as kv_hash() has it. */
static uint64_t hash_of(const struct forged *f)
{
	struct kv_mem mem = {.bytes_max = UINT64_MAX};
	uint64_t h = 0;

	for (unsigned t = 0; t < 6; t++)
		for (unsigned i = 0; i < 4 && f->record[t][i].key != NULL; i++) {
			const struct record *rec = &f->record[t][i];
			struct kv_item_spec spec = {.create = rec->create, .modify = rec->modify};
			struct kv_item *it;

			spec.lock = rec->lock;
			spec.key.p = rec->key;
			spec.key.len = rec->key_len > 0 ? rec->key_len : strlen(rec->key);
			spec.value.p = rec->value;
			spec.value.len = rec->value_len > 0   ? rec->value_len
			                 : rec->value != NULL ? strlen(rec->value)
			                                      : 0;
			it = kv_item_new(&mem, &spec);
			h += kv_item_hash(it, t);
			kv_item_drop(&mem, it);
		}
	h = kv_hash_mix(h);
	h = kv_hash_mix(h ^ f->applied);
	h = kv_hash_mix(h ^ f->clock_ns);
	h = kv_hash_mix(h ^ f->table_index);
	h = kv_hash_mix(h ^ f->sessions_index);
	return kv_hash_mix(h ^ f->floor);
}

static int restore_forged(const struct forged *f)
{
	struct buf b = {0};
	int code;

	buf_add(&b, KV_SNAPSHOT_MAGIC, 8);
	le_add32(&b, KV_SNAPSHOT_VERSION);
	le_add64(&b, f->applied);
	le_add64(&b, f->clock_ns);
	le_add64(&b, f->table_index);
	le_add64(&b, f->sessions_index);
	le_add64(&b, f->floor);
	for (unsigned t = 0; t < 6; t++) {
		uint64_t n = 0;

		while (n < 4 && f->record[t][n].key != NULL)
			n++;
		le_add64(&b, f->count[t] > 0 ? f->count[t] : n);
		for (uint64_t i = 0; i < n; i++)
			put_record(&b, &f->record[t][i]);
	}
	le_add64(&b, hash_of(f));
	le_add32(&b, crc32c(0, b.data, b.len));
	code = restore(r.kv, b.data, b.len);
	buf_done(&b);
	return code;
}

#define ID_S "ssssssssssssssss"

/* A session: ttl, delay, expiry, behavior release, no names. */
#define SESSION_VALUE(ttl, expires)         \
	ttl "\0\0\0\0\0\0\0"                \
	    "\0\0\0\0\0\0\0\0" expires "\1" \
	    "\0\0\0\0\0"
#define SESSION_LEN 31
#define NEVER       "\xff\xff\xff\xff\xff\xff\xff\xff"
#define AT_50       "\x32\0\0\0\0\0\0\0"

static const struct forged sound = {
    .applied = 20,
    .clock_ns = 40,
    .table_index = 15,
    .sessions_index = 5,
    .floor = 3,
    .record = {{{"a", "v", 4, 6, {0}, 0, 0, 0}, {"b", "v", 4, 7, {1, 1, 7, ID_S}, 1, 0, 0}},
               {{"d", NULL, 50, 15, {0}, 0, 0, 0}},
               {{ID_S, SESSION_VALUE("\x0a", AT_50), 5, 5, {0}, 0, 0, SESSION_LEN}},
               {{"e", NULL, 50, 0, {0}, 0, 0, 0}},
               {{"cccccccccccccccc", NULL, 50, 2, {0}, 0, 0, 0}},
               {{"cccccccccccccccc\0\0\0\0\0\0\0\2",
                 "\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
                 9,
                 0,
                 {0},
                 0,
                 24,
                 24}}},
};

static struct forged f;

static void assert_refused(void)
{
	assert_int_equal(restore_forged(&f), EBADMSG);
	f = sound;
}

static void a_snapshot_by_hand_can_be_sound(void **state)
{
	(void)state;
	f = sound;
	assert_int_equal(restore_forged(&f), 0);
}

static void records_are_within_their_limits(void **state)
{
	static char large[KV_VALUE_MAX + 1];

	(void)state;
	f = sound;
	f.record[0][0].bits = 2;
	assert_refused();
	f.record[0][0].bits = 1; /* an empty lock part */
	assert_refused();
	f.record[1][0].bits = 1;
	f.record[1][0].lock.flags = 1;
	assert_refused();
	f.record[0][0].key = large;
	f.record[0][0].key_len = KV_KEY_MAX + 1;
	assert_refused();
	f.record[0][1].value = large;
	f.record[0][1].value_len = sizeof(large);
	assert_refused();
	f.record[1][0].value = "x";
	assert_refused();
	f.record[2][0].key = "short";
	assert_refused();
	f.count[1] = KV_TOMBSTONES_MAX + 1;
	assert_refused();
	f.count[0] = 100;
	assert_refused();
	f.record[0][1].key = "a";
	assert_refused();
	f.record[0][1].key = "A";
	assert_refused();
}

static void indexes_are_in_order(void **state)
{
	(void)state;
	f = sound;
	f.table_index = 21;
	assert_refused();
	f.sessions_index = 21;
	assert_refused();
	f.floor = 16;
	assert_refused();
	f.record[0][0].create = 0;
	assert_refused();
	f.record[0][0].create = 7;
	assert_refused();
	f.record[0][0].modify = 16;
	assert_refused();
	f.record[0][1].lock.fence = 3;
	assert_refused();
	f.record[0][1].lock.fence = 8;
	assert_refused();
	f.record[0][1].lock.fence = 0;
	assert_refused();
	f.record[0][1].lock.lock = 0;
	assert_refused();
	f.record[0][1].lock.lock = f.record[0][1].lock.fence = 0;
	assert_refused();
	f.record[1][0].modify = 16;
	assert_refused();
	f.record[1][0].modify = 0;
	assert_refused();
	f.record[2][0].create = 0;
	assert_refused();
	f.record[2][0].modify = 6;
	assert_refused();
	f.sessions_index = 4;
	assert_refused();
	f.record[3][0].modify = 1;
	assert_refused();
	f.record[4][0].modify = 0;
	assert_refused();
	f.record[5][0].modify = 1;
	assert_refused();
}

static void nothing_is_beyond_its_end(void **state)
{
	(void)state;
	for (unsigned t = 1; t < 5; t++) {
		f = sound;
		if (t == 2)
			f.record[2][0].value = SESSION_VALUE("\x0a", "\x28\0\0\0\0\0\0\0");
		else
			f.record[t][0].create = 40;
		assert_refused();
	}
	/* A session without a TTL has no end, and then it says never. */
	f.record[2][0].value = SESSION_VALUE("\0", NEVER);
	assert_int_equal(restore_forged(&f), 0);
	f.record[2][0].value = SESSION_VALUE("\0", AT_50);
	assert_refused();
}

static void tables_agree_with_each_other(void **state)
{
	(void)state;
	f = sound;
	f.record[0][1].lock.session[3] = 't'; /* a holder that is not there */
	assert_refused();
	f.record[3][0].key = "b"; /* held within its lock-delay */
	assert_refused();
	f.record[1][0].key = "a"; /* there and deleted */
	assert_refused();
	f.record[5][0].key = "dccccccccccccccc\0\0\0\0\0\0\0\2";
	assert_refused();
	f.record[5][0].key = "cccccccccccccccc\0\0\0\0\0\0\0\1";
	assert_refused();
	f.record[5][0].value_len = 23;
	assert_refused();
	f.record[5][0].value = "\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
	assert_refused();
	f.record[2][0].value = SESSION_VALUE("\x0a", AT_50 "\7");
	assert_refused();
	f.record[2][0].value_len = 30;
	assert_refused();
	f.record[2][0].key = "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
	f.record[2][0].key_len = ID_LEN;
	assert_refused();
}

static void the_table_of_the_hash_counts_too(void **state)
{
	struct kv_mem mem = {.bytes_max = UINT64_MAX};
	struct kv_item_spec spec = {.key = text_span("k"), .value = {"", 0}};
	struct kv_item *it = kv_item_new(&mem, &spec);

	(void)state;
	assert_true(kv_item_hash(it, 0) != kv_item_hash(it, 1));
	kv_item_drop(&mem, it);
	assert_int_equal(mem.bytes, 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
	    TEST(a_snapshot_by_hand_can_be_sound),
	    TEST(records_are_within_their_limits),
	    TEST(indexes_are_in_order),
	    TEST(nothing_is_beyond_its_end),
	    TEST(tables_agree_with_each_other),
	    TEST(the_table_of_the_hash_counts_too),
	};

	return cmocka_run_group_tests_name("kv_restore", tests, NULL, NULL);
}
