/*
 * wal_open() with work to do, while each call or allocation fails in turn: the next one, with a
 * disk that works, finds all that was durable.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "fail_alloc.h"
#include "fault_io.h"
#include "place.h"
#include "wal_log.h"

static const char zeros[WAL_SEGMENT_MIN];

static void roll_without_sync(void)
{
	struct wal_stat st;
	uint64_t n;

	do {
		wal_model_append(&wl.model, 1, 1);
		log_must(wal_write(wl.model.w, &n, &wl.e));
		wal_stat(wl.model.w, &st);
	} while (st.segment == 1);
}

static void a_torn_tail(void)
{
	log_batch(3);
	log_must(wal_prepare(wl.model.w, &wl.e));
	log_write_at(ONE, "garbage", 7, log_used() + 600);
}

static void a_seal_and_no_head(void)
{
	roll_without_sync();
	log_must(wal_prepare(wl.model.w, &wl.e));
	log_write_at(TWO, zeros, sizeof(zeros), 0);
	log_write_at(TWO, "half a head", 11, 0);
}

static void a_seal_and_a_short_segment(void)
{
	roll_without_sync();
	log_write_at(TWO, zeros, sizeof(zeros), 0);
	close(openat(wl.cfg.dir, TWO, O_RDWR | O_TRUNC | O_CLOEXEC));
}

static void what_a_compaction_left_and_a_snapshot_beyond(void)
{
	struct snapfile_place place = {&io_os, wl.cfg.dir, WAL_MODEL_CLUSTER, 0600};
	struct snapfile_meta m = {.at = {500, 1}, .size = 3};
	struct raft_point at = {60, 1};

	log_batch(60);
	log_must(wal_model_snapshot(&io_os, wl.cfg.dir, at, &wl.e));
	log_must(wal_model_compact(&wl.model, at, 60, &wl.e));
	close(place_file(wl.cfg.dir, ONE));
	log_must(wal_model_snapshot(&io_os, wl.cfg.dir, (struct raft_point){200, 3}, &wl.e));
	snapfile_writer_close(snapfile_receive(&place, &m, &wl.e), true);
	close(place_file(wl.cfg.dir, "00000000000000c8-0000000000000003.tmp"));
	close(place_file(wl.cfg.dir, "0000000000000004-0000000000000003.part"));
}

static void a_rotten_snapshot_beside_a_sound_one(void)
{
	log_batch(20);
	log_must(wal_model_snapshot(&io_os, wl.cfg.dir, (struct raft_point){5, 1}, &wl.e));
	log_must(wal_model_snapshot(&io_os, wl.cfg.dir, (struct raft_point){10, 1}, &wl.e));
	log_must(wal_model_snapshot(&io_os, wl.cfg.dir, (struct raft_point){15, 1}, &wl.e));
	log_flip("000000000000000f-0000000000000001.snap", 5000);
}

static const struct work {
	void (*prepare)(void);
	uint64_t snapshot; /* the newest sound one */
} works[] = {{a_torn_tail, 0},
             {a_seal_and_no_head, 0},
             {a_seal_and_a_short_segment, 0},
             {what_a_compaction_left_and_a_snapshot_beyond, 200},
             {a_rotten_snapshot_beside_a_sound_one, 10}};

#define WORKS (sizeof(works) / sizeof(works[0]))

static void empty_place(void)
{
	struct buf b = {0};

	log_must(file_list(&io_os, wl.cfg.dir, &b, &wl.e));
	for (size_t i = 0; i < b.len; i += strlen(b.data + i) + 1)
		assert_int_equal(unlinkat(wl.cfg.dir, b.data + i, 0), 0);
	buf_done(&b);
}

/* A fault of the disk, or the allocation that fails.  True: it was met. */
static bool trial(void **state, const struct work *work, const struct fault *f, unsigned alloc)
{
	struct wal_recovered r;
	bool hit;

	log_begin(state);
	work->prepare();
	wal_abandon(wl.model.w);
	wl.cfg.io = fault_io_start(&io_os);
	if (f != NULL)
		fault_io_add(*f);
	fail_alloc_at(alloc);
	wl.model.w = wal_open(&wl.cfg, &r, NULL, &wl.e);
	hit = fail_alloc_end();
	if (hit)
		assert_true(wl.model.w == NULL && wl.e.code == ENOMEM && r.entries == NULL);
	hit = hit || fault_io_hits() > 0;
	if (!hit)
		log_must(wl.model.w == NULL ? -1 : 0);
	wal_recovered_done(&r);
	wl.cfg.io = &io_os;
	/* All but what stands behind the last sync. */
	r = log_reopen(1);
	assert_int_equal(r.snapshot.at.index, work->snapshot);
	wal_recovered_done(&r);
	log_end();
	empty_place();
	return hit;
}

static void each_call_of_a_recovery_may_fail(void **state)
{
	unsigned trials = 0;

	for (size_t i = 0; i < WORKS; i++)
		for (enum fault_call call = FAULT_OPENAT; call < FAULT_CALLS; call++)
			for (unsigned nth = 1;; nth++) {
				struct fault f = {.call = call, .nth = nth, .error = EIO};

				if (!trial(state, &works[i], &f, 0))
					break;
				trials++;
			}
	print_message("# %u trials\n", trials);
}

/* Short memory is no damage: above all it makes no snapshot a rotten one, which would be removed.
 */
static void a_recovery_without_memory_can_be_tried_again(void **state)
{
	for (size_t i = 0; i < WORKS; i++) {
		unsigned nth = 1;

		while (trial(state, &works[i], NULL, nth))
			nth++;
		assert_true(nth > 10);
	}
}

static void a_new_log_begins_although_its_first_try_failed(void **state)
{
	for (enum fault_call call = FAULT_OPENAT; call < FAULT_CALLS; call++)
		for (unsigned nth = 1;; nth++) {
			struct wal_recovered r;
			struct wal *w;

			wl.cfg = wal_model_config(fault_io_start(&io_os), place_dir(state));
			fault_io_add((struct fault){.call = call, .nth = nth, .error = EIO});
			w = wal_open(&wl.cfg, &r, NULL, &wl.e);
			assert_true(w != NULL || fault_io_hits() > 0);
			wal_recovered_done(&r);
			wal_abandon(w);
			/* A head that never reached the disk as a whole. */
			if (faccessat(wl.cfg.dir, ONE, F_OK, 0) == 0)
				log_write_at(ONE, "xyz", 3, 50);
			if (fault_io_hits() == 0)
				break;
		}
	wl.cfg.io = &io_os;
	log_begin(state);
	log_goes_on();
	log_end();
}

static void a_lock_without_a_pid_is_told_as_well(void **state)
{
	struct wal_recovered r;

	log_begin(state);
	assert_null(wal_open(&wl.cfg, &r, NULL, &wl.e));
	assert_int_equal(wl.e.code, WAL_BUSY);
	assert_non_null(strstr(wl.e.msg, "another process"));
	log_write_at("lock", "4711", 4, 0);
	assert_null(wal_open(&wl.cfg, &r, NULL, &wl.e));
	assert_non_null(strstr(wl.e.msg, "process 4711"));
	log_write_at("lock", "-7", 2, 0);
	assert_null(wal_open(&wl.cfg, &r, NULL, &wl.e));
	assert_non_null(strstr(wl.e.msg, "another process"));
	log_end();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, place_open_fast, place_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(each_call_of_a_recovery_may_fail),
	    TEST(a_recovery_without_memory_can_be_tried_again),
	    TEST(a_new_log_begins_although_its_first_try_failed),
	    TEST(a_lock_without_a_pid_is_told_as_well),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
