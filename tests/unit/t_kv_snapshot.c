/* kv: snapshots while writes go on, and restores of sound, cut, damaged and hostile bytes. */
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

/* A bit of everything, so that each table has records. */
static void fill(void)
{
	struct kv_command c = {.type = KV_TICK, .has_once = true};

	kv_run_session(&r, 's', 10 * S, 15 * S);
	kv_run_session(&r, 't', 0, 15 * S);
	kv_run_lock(&r, "locked", "1", 's');
	kv_run_lock(&r, "late", "2", 't');
	kv_run_destroy(&r, 't');
	kv_run_set(&r, "plain", "");
	kv_run_set(&r, "plain2", "some value");
	kv_run_set(&r, "gone", "x");
	kv_run_delete(&r, "gone");
	c.once = (struct kv_once){.seq = 1, .first_outstanding = 1, .ttl_ns = S};
	kv_run_command(&r, &c);
	c.once.seq = 2;
	kv_run_command(&r, &c);
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

static void a_restored_state_is_the_state(void **state)
{
	struct kv_run other;
	struct buf b;
	struct kv_stat x;
	struct kv_stat y;
	struct err e;

	(void)state;
	fill();
	kv_run_begin(&other);
	kv_run_set(&other, "what it was before", "");
	b = kv_run_snapshot(r.kv, 1);
	assert_int_equal(restore(other.kv, b.data, b.len), 0);
	assert_true(kv_hash(other.kv) == kv_hash(r.kv));
	assert_int_equal(kv_check(other.kv, &e), 0);
	kv_get_stat(r.kv, &x);
	kv_get_stat(other.kv, &y);
	assert_memory_equal(&x, &y, sizeof(x));
	assert_true(x.keys > 0 && x.sessions > 0 && x.held > 0 && x.tombstones > 0);
	assert_true(x.delays > 0 && x.clients > 0 && x.results > 0);
	assert_true(kv_next_expiry(r.kv) == kv_next_expiry(other.kv));
	/* It goes on in the same way. */
	other.index = r.index;
	kv_run_tick(&r, 10 * S);
	kv_run_tick(&other, 10 * S);
	assert_true(kv_hash(other.kv) == kv_hash(r.kv));
	buf_done(&b);
	kv_run_end(&other);
}

static void an_empty_state_has_a_snapshot_too(void **state)
{
	struct kv *other = kv_new();
	struct buf b = kv_run_snapshot(r.kv, 4096);

	(void)state;
	assert_int_equal(b.len,
	                 KV_SNAPSHOT_HEAD_LEN + 6 * KV_SNAPSHOT_COUNT_LEN + KV_SNAPSHOT_TAIL_LEN);
	assert_int_equal(restore(other, b.data, b.len), 0);
	assert_true(kv_hash(other) == kv_hash(r.kv));
	kv_free(other);
	buf_done(&b);
}

/*
 * A snapshot of version 1 is these bytes for good, with every compiler and on every machine: nodes
 * of different builds compare hashes, and a node reads what it wrote before it was upgraded.
 */
static void version_1_is_these_bytes(void **state)
{
	struct buf b;

	(void)state;
	fill();
	b = kv_run_snapshot(r.kv, 4096);
	assert_int_equal(b.len, 622);
	assert_int_equal(crc32c(0, b.data, b.len), 0x48674bc7);
	assert_true(kv_hash(r.kv) == 0x011e9369ed749494);
	buf_done(&b);
}

/* Each piece is small, and between them everything changes. */
static void a_snapshot_is_of_its_moment_while_writes_go_on(void **state)
{
	uint64_t rand = seeded();
	char key[16];

	(void)state;
	r.unchecked = true;
	for (unsigned round = 0; round < seeded_rounds(10); round++) {
		struct kv_snapshot *s;
		struct buf at_once;
		struct buf b = {0};
		struct err e;
		int64_t n;

		for (unsigned i = 0; i < 2000; i++) {
			snprintf(key, sizeof(key), "%u", (unsigned)seeded_below(&rand, 3000));
			kv_run_set(&r, key, i % 2 ? "odd" : "even and longer");
		}
		at_once = kv_run_snapshot(r.kv, 1 << 20);
		s = kv_snapshot_begin(r.kv);
		do {
			char piece[256];

			n = kv_snapshot_read(s, piece, 1 + seeded_below(&rand, 256), &e);
			assert_true(n >= 0);
			buf_add(&b, piece, (size_t)n);
			snprintf(key, sizeof(key), "%u", (unsigned)seeded_below(&rand, 3000));
			if (seeded_below(&rand, 2) == 0)
				kv_run_set(&r, key, "later");
			else
				kv_run_delete(&r, key);
			if (seeded_below(&rand, 300) == 0)
				kv_run_delete_tree(&r, "1");
		} while (n > 0);
		assert_int_equal(kv_snapshot_read(s, key, sizeof(key), &e), 0);
		kv_snapshot_end(s);
		assert_int_equal(b.len, at_once.len);
		assert_memory_equal(b.data, at_once.data, b.len);
		assert_int_equal(kv_check(r.kv, &e), 0);
		buf_done(&b);
		buf_done(&at_once);
	}
}

static void a_snapshot_outlives_a_restore(void **state)
{
	struct kv_snapshot *s;
	struct buf old;
	struct buf b = {0};
	struct err e;
	struct kv_stat stat;
	int64_t n;

	(void)state;
	fill();
	old = kv_run_snapshot(r.kv, 100);
	s = kv_snapshot_begin(r.kv);
	kv_run_delete_tree(&r, "");
	{
		struct buf now = kv_run_snapshot(r.kv, 100);

		assert_int_equal(restore(r.kv, now.data, now.len), 0);
		buf_done(&now);
	}
	do {
		char piece[64];

		n = kv_snapshot_read(s, piece, sizeof(piece), &e);
		buf_add(&b, piece, (size_t)n);
	} while (n > 0);
	kv_snapshot_end(s);
	assert_int_equal(b.len, old.len);
	assert_memory_equal(b.data, old.data, b.len);
	kv_get_stat(r.kv, &stat);
	assert_true(stat.bytes < 20000);
	buf_done(&b);
	buf_done(&old);
}

/* ---- Bytes that are no snapshot. */

static void each_cut_is_refused_and_the_state_stays(void **state)
{
	struct buf b;
	uint64_t hash;

	(void)state;
	fill();
	b = kv_run_snapshot(r.kv, 100);
	kv_run_set(&r, "since", "then");
	hash = kv_hash(r.kv);
	for (size_t n = 0; n < b.len; n++)
		assert_int_equal(restore(r.kv, b.data, n), EBADMSG);
	buf_add_char(&b, 'x');
	assert_int_equal(restore(r.kv, b.data, b.len), EBADMSG);
	assert_true(kv_hash(r.kv) == hash);
	buf_done(&b);
}

static void each_flipped_bit_is_refused(void **state)
{
	struct buf b;

	(void)state;
	fill();
	b = kv_run_snapshot(r.kv, 100);
	for (size_t i = 0; i < 8 * b.len; i++) {
		int code;

		b.data[i / 8] ^= (char)(1 << i % 8);
		code = restore(r.kv, b.data, b.len);
		/* A greater version, or a record that goes on and on. */
		assert_true(code == EBADMSG || (code == ENOTSUP && i / 8 >= 8 && i / 8 < 12));
		b.data[i / 8] ^= (char)(1 << i % 8);
	}
	assert_int_equal(restore(r.kv, b.data, b.len), 0);
	buf_done(&b);
}

/* With the right checksum: somebody who wants to. */
static int restore_sealed(struct kv *kv, struct buf *b)
{
	if (b->len >= 4)
		le_put32(b->data + b->len - 4, crc32c(0, b->data, b->len - 4));
	return restore(kv, b->data, b->len);
}

static void damage_with_a_right_checksum_is_refused_by_the_hash(void **state)
{
	uint64_t rand = seeded();
	struct buf b;
	unsigned refused = 0;

	(void)state;
	fill();
	b = kv_run_snapshot(r.kv, 100);
	for (size_t i = 0; i < b.len - KV_SNAPSHOT_TAIL_LEN; i++) {
		char was = b.data[i];

		b.data[i] = (char)seeded_next(&rand);
		if (b.data[i] != was) {
			assert_true(restore_sealed(r.kv, &b) != 0);
			refused++;
		}
		b.data[i] = was;
	}
	assert_true(refused > b.len / 2);
	assert_int_equal(restore_sealed(r.kv, &b), 0);
	buf_done(&b);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
	    TEST(a_restored_state_is_the_state),
	    TEST(an_empty_state_has_a_snapshot_too),
	    TEST(version_1_is_these_bytes),
	    TEST(a_snapshot_is_of_its_moment_while_writes_go_on),
	    TEST(a_snapshot_outlives_a_restore),
	    TEST(each_cut_is_refused_and_the_state_stays),
	    TEST(each_flipped_bit_is_refused),
	    TEST(damage_with_a_right_checksum_is_refused_by_the_hash),
	};

	return cmocka_run_group_tests_name("kv_snapshot", tests, NULL, NULL);
}
