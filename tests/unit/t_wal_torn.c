/*
 * wal_open() after a power loss: what is a torn tail, cut, and what is damage, refused.  A cut at
 * every byte, and a flip of every bit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <unistd.h>

#include "place.h"
#include "wal/record.h"
#include "wal_log.h"

/* --- last segment: nothing sound behind the flaw --- */

static void a_torn_tail_is_cut_and_counted(void **state)
{
	struct wal_recovered r;
	uint64_t at;

	log_begin(state);
	log_batch(3);
	at = log_used();
	wal_model_append(&wl.model, 1, 1);
	log_must(wal_model_sync(&wl.model, &wl.e));
	log_flip(ONE, at + 40);
	r = log_reopen(4);
	assert_true(r.count == 3 && r.cut_bytes > 0);
	assert_non_null(strstr(wl.note.data, "cut a torn tail of "));
	assert_non_null(strstr(wl.note.data, ONE));
	wal_recovered_done(&r);
	/* The cut is on disk, and new records take its place. */
	wl.model.n--;
	wl.model.last.index = 3;
	log_batch(2);
	r = log_reopen(wl.model.n);
	assert_true(r.cut_bytes == 0);
	wal_recovered_done(&r);
	log_end();
}

static void garbage_behind_the_last_record_is_cut(void **state)
{
	char junk[700];
	struct wal_recovered r;

	log_begin(state);
	log_batch(3);
	memset(junk, 0xa5, sizeof(junk));
	log_write_at(ONE, junk, sizeof(junk), log_used() + 512);
	r = log_reopen(wl.model.n);
	assert_true(r.cut_bytes == 512 + sizeof(junk));
	wal_recovered_done(&r);
	log_end();
}

/* Sectors of one unsynced write are kept in any order: a sound record may follow a lost one. */
static void a_later_record_of_the_same_unsynced_write_is_no_proof(void **state)
{
	struct wal_recovered r;
	uint64_t at;
	uint64_t n;

	log_begin(state);
	log_batch(2);
	at = log_used();
	wal_model_append(&wl.model, 1, 3);
	log_must(wal_write(wl.model.w, &n, &wl.e));
	wal_model_append(&wl.model, 1, 3);
	log_must(wal_write(wl.model.w, &n, &wl.e));
	log_flip(ONE, at);
	r = log_reopen(3);
	assert_true(r.count == 2);
	wal_recovered_done(&r);
	log_end();
}

static void a_log_cut_at_any_byte_is_a_prefix_of_itself(void **state)
{
	struct wal_model *m = &wl.model;
	struct buf whole;
	uint64_t from;
	uint64_t to;
	uint64_t n;

	log_begin(state);
	from = log_used();
	/* One batch, so that no record vouches for another. */
	wal_model_append(m, 1, 2);
	wal_model_hard(m, 2, 0);
	wal_model_truncate(m, 1);
	wal_model_append(m, 2, 1);
	log_must(wal_write(m->w, &n, &wl.e));
	to = log_used();
	whole = log_read_all(ONE);
	for (uint64_t at = from; at <= to; at++)
		for (int zeros = 0; zeros < 2; zeros++) {
			struct wal_recovered r;
			int fd = openat(wl.cfg.dir, ONE, O_RDWR | O_CLOEXEC);

			log_must(file_write_all(&io_os, fd, whole.data, at, 0, &wl.e));
			assert_int_equal(ftruncate(fd, (off_t)at), 0);
			if (zeros)
				assert_int_equal(ftruncate(fd, WAL_SEGMENT_MIN), 0);
			close(fd);
			r = log_reopen(at == to ? m->n : 1);
			wal_recovered_done(&r);
		}
	buf_done(&whole);
	log_end();
}

/* --- last segment: a sound record that knows better --- */

static void rot_below_what_a_later_record_knows_durable_is_refused(void **state)
{
	uint64_t at;
	char where[64];

	log_begin(state);
	log_batch(2);
	at = log_used();
	log_batch(2);
	log_batch(1);
	log_flip(ONE, at + 33);
	snprintf(where, sizeof(where), "'" ONE "' is damaged at offset %llu, entry 3 ",
	         (unsigned long long)at);
	log_refused(WAL_DAMAGED, where, ONE);
	log_end();
}

static void a_mark_makes_rot_of_the_last_record_damage(void **state)
{
	uint64_t at;

	log_begin(state);
	log_batch(2);
	at = log_used();
	log_batch(1);
	log_must(wal_mark(wl.model.w, &wl.e));
	log_flip(ONE, at + 20);
	log_refused(WAL_DAMAGED, "entry 3", ONE);
	log_end();
}

static void a_close_makes_rot_of_the_last_record_damage(void **state)
{
	uint64_t at;

	log_begin(state);
	log_batch(2);
	at = log_used();
	log_batch(1);
	wal_close(wl.model.w);
	wl.model.w = NULL;
	log_flip(ONE, at + 20);
	log_refused(WAL_DAMAGED, "entry 3", ONE);
	log_end();
}

/* Every bit of what is vouched for; the padding is zeros and is looked at too. */
static void each_flipped_bit_of_a_durable_record_is_refused(void **state)
{
	uint64_t from;
	uint64_t to;

	log_begin(state);
	from = log_used();
	log_batch(2);
	wal_model_hard(&wl.model, 2, 1);
	log_must(wal_model_sync(&wl.model, &wl.e));
	to = log_used();
	log_must(wal_mark(wl.model.w, &wl.e));
	wal_abandon(wl.model.w);
	wl.model.w = NULL;
	for (uint64_t at = from; at < to; at++)
		for (int bit = 0; bit < 8; bit++) {
			struct wal_recovered r;
			struct buf b = log_read_all(ONE);
			char was = b.data[at];
			char now = (char)(was ^ 1 << bit);

			log_write_at(ONE, &now, 1, at);
			assert_null(wal_open(&wl.cfg, &r, NULL, &wl.e));
			assert_int_equal(wl.e.code, WAL_DAMAGED);
			log_write_at(ONE, &was, 1, at);
			buf_done(&b);
		}
	log_goes_on();
	log_end();
}

/*
 * A record that is sound by itself, at the place where the next one belongs, but bound to another
 * one before it: of a tail that was cut, whose zeros did not reach the disk.
 */
static void a_record_that_is_not_chained_is_not_the_next_one(void **state)
{
	const size_t hard = WAL_RECORD_FIXED + 16;
	const size_t entry = WAL_ENTRY_FIXED + 64;
	struct wal_recovered r;
	struct buf old;
	uint64_t first;
	uint64_t n;

	log_begin(state);
	wl.model.large = 64;
	log_batch(1);
	first = log_used();
	wal_model_append(&wl.model, 1, 3);
	log_must(wal_write(wl.model.w, &n, &wl.e));
	old = log_read_all(ONE);
	log_flip(ONE, first);
	r = log_reopen(2);
	assert_true(r.count == 1);
	wal_recovered_done(&r);
	wl.model.n -= 3;
	wl.model.last.index = 1;
	wal_model_hard(&wl.model, 2, 0);
	wal_model_append(&wl.model, 2, 1);
	log_must(wal_write(wl.model.w, &n, &wl.e));
	/* The third of those that were cut has the sequence that is the next one now. */
	log_write_at(ONE, old.data + first + 2 * entry, entry, first + hard + entry);
	r = log_reopen(wl.model.n);
	assert_true(r.count == 2 && r.entries[1].term == 2 && r.cut_bytes == entry);
	wal_recovered_done(&r);
	buf_done(&old);
	log_end();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, place_open_fast, place_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_torn_tail_is_cut_and_counted),
	    TEST(garbage_behind_the_last_record_is_cut),
	    TEST(a_later_record_of_the_same_unsynced_write_is_no_proof),
	    TEST(a_log_cut_at_any_byte_is_a_prefix_of_itself),
	    TEST(rot_below_what_a_later_record_knows_durable_is_refused),
	    TEST(a_mark_makes_rot_of_the_last_record_damage),
	    TEST(a_close_makes_rot_of_the_last_record_damage),
	    TEST(each_flipped_bit_of_a_durable_record_is_refused),
	    TEST(a_record_that_is_not_chained_is_not_the_next_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
