/* wal_open() on segments that were complete, and on those just begun. */
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
#include "wal_log.h"

static void a_flaw_in_a_sealed_segment_is_refused(void **state)
{
	log_begin(state);
	log_fill_segments(3);
	log_flip(ONE, 1000);
	log_refused(WAL_DAMAGED, "'" ONE "' is damaged at offset ", ONE);
	log_flip(ONE, 1000);
	log_flip(TWO, 77);
	log_refused(WAL_DAMAGED, "'" TWO "' is damaged at offset 0", TWO);
	log_flip(TWO, 77);
	log_goes_on();
	log_end();
}

static void a_missing_segment_is_refused(void **state)
{
	log_begin(state);
	log_fill_segments(4);
	assert_int_equal(renameat(wl.cfg.dir, TWO, wl.cfg.dir, "away"), 0);
	log_refused(WAL_DAMAGED, "'" TWO "' is damaged at offset 0", ONE);
	assert_non_null(strstr(wl.e.msg, "the file is missing"));
	assert_int_equal(renameat(wl.cfg.dir, "away", wl.cfg.dir, TWO), 0);
	assert_int_equal(renameat(wl.cfg.dir, ONE, wl.cfg.dir, "away"), 0);
	log_refused(WAL_DAMAGED, "'" ONE "' is damaged at offset 0", TWO);
	log_end();
}

static void segments_that_changed_places_are_refused(void **state)
{
	log_begin(state);
	log_fill_segments(4);
	assert_int_equal(renameat(wl.cfg.dir, TWO, wl.cfg.dir, "away"), 0);
	assert_int_equal(renameat(wl.cfg.dir, THREE, wl.cfg.dir, TWO), 0);
	assert_int_equal(renameat(wl.cfg.dir, "away", wl.cfg.dir, THREE), 0);
	log_refused(WAL_DAMAGED, "another segment", TWO);
	log_end();
}

/* Roll, and lose what was written to the new segment. */
static uint64_t roll_unsynced(size_t *ret_least)
{
	uint64_t before = 0;
	struct wal_stat st;
	uint64_t n;

	wal_stat(wl.model.w, &st);
	before = st.segment;
	for (;;) {
		*ret_least = wl.model.n;
		wal_model_append(&wl.model, 1, 1);
		log_must(wal_write(wl.model.w, &n, &wl.e));
		wal_stat(wl.model.w, &st);
		if (st.segment > before)
			return st.segment;
		log_must(wal_sync(wl.model.w, &n, &wl.e));
	}
}

static void a_head_that_was_not_synced_is_torn(void **state)
{
	static const char zeros[WAL_SEGMENT_MIN];
	struct wal_recovered r;
	size_t least;

	for (int i = 0; i < 3; i++) {
		log_begin(state);
		assert_true(roll_unsynced(&least) == 2);
		if (i == 2) /* and the one behind it was made already */
			assert_int_equal(wal_prepare(wl.model.w, &wl.e), 0);
		if (i == 0)
			log_flip(TWO, 100);
		else
			log_write_at(TWO, zeros, sizeof(zeros), 0);
		r = log_reopen(least);
		assert_true(r.cut_bytes > 0 || i > 0);
		wal_recovered_done(&r);
		wl.model.n = least;
		wl.model.last.index = wal_last(wl.model.w).index;
		log_batch(30);
		r = log_reopen(wl.model.n);
		wal_recovered_done(&r);
		log_end();
		for (int digit = '1'; digit <= '9'; digit++) {
			char name[] = ONE;

			name[15] = (char)digit;
			(void)unlinkat(wl.cfg.dir, name, 0);
		}
	}
}

static void a_bad_head_that_was_durable_is_refused(void **state)
{
	size_t least;
	uint64_t n;

	log_begin(state);
	assert_true(roll_unsynced(&least) == 2);
	log_must(wal_sync(wl.model.w, &n, &wl.e));
	log_batch(1);
	log_flip(TWO, 100);
	log_refused(WAL_DAMAGED, "'" TWO "' is damaged at offset 0", TWO);
	log_end();
}

static void bytes_behind_a_segment_without_a_seal_are_refused(void **state)
{
	log_begin(state);
	assert_int_equal(wal_prepare(wl.model.w, &wl.e), 0);
	log_write_at(TWO, "x", 1, 300);
	log_refused(WAL_DAMAGED, "it has no seal", TWO);
	log_write_at(TWO, "", 1, 300);
	close(place_file(wl.cfg.dir, THREE));
	log_refused(WAL_DAMAGED, "no such segment yet", TWO);
	log_end();
}

static void bytes_behind_a_seal_are_refused(void **state)
{
	size_t least;
	static const char zeros[WAL_SEGMENT_MIN];

	log_begin(state);
	wl.model.large = 1000; /* so that there is room behind the seal */
	assert_true(roll_unsynced(&least) == 2);
	log_write_at(TWO, zeros, sizeof(zeros), 0);
	log_write_at(ONE, "x", 1, WAL_SEGMENT_MIN - 1);
	log_refused(WAL_DAMAGED, "behind its seal", ONE);
	log_write_at(ONE, "", 1, WAL_SEGMENT_MIN - 1);
	close(place_file(wl.cfg.dir, THREE));
	log_write_at(THREE, "x", 1, 0);
	log_refused(WAL_DAMAGED, "has no head", ONE);
	assert_int_equal(unlinkat(wl.cfg.dir, THREE, 0), 0);
	assert_int_equal(unlinkat(wl.cfg.dir, TWO, 0), 0);
	log_refused(WAL_DAMAGED, "'" TWO "' is damaged", ONE);
	log_end();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, place_open_fast, place_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_flaw_in_a_sealed_segment_is_refused),
	    TEST(a_missing_segment_is_refused),
	    TEST(segments_that_changed_places_are_refused),
	    TEST(a_head_that_was_not_synced_is_torn),
	    TEST(a_bad_head_that_was_durable_is_refused),
	    TEST(bytes_behind_a_segment_without_a_seal_are_refused),
	    TEST(bytes_behind_a_seal_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
