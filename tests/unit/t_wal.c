/* wal: what was synced is there again, over truncations, rolls, resets and compactions. */
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
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fault_io.h"
#include "place.h"
#include "wal_model.h"

static struct err e;
static struct wal_model model;

static void must(int r)
{
	if (r < 0)
		fail_msg("%s", e.msg);
}

static struct wal *open_with(const struct wal_config *cfg, struct wal_recovered *ret)
{
	struct wal *w = wal_open(cfg, ret, NULL, &e);

	must(w == NULL ? -1 : 0);
	return w;
}

/* Open it, and check that all that was done is there. */
static void open_model(struct wal_model *m, const struct wal_config *cfg)
{
	struct wal_recovered r;

	m->w = open_with(cfg, &r);
	must(wal_model_check(m, m->n, &r, &e));
	assert_true(wal_last(m->w).index == m->last.index && wal_last(m->w).term == m->last.term);
	wal_recovered_done(&r);
}

static void again(struct wal_model *m, const struct wal_config *cfg)
{
	wal_close(m->w);
	open_model(m, cfg);
}

static struct wal_model *new_model(void)
{
	memset(&model, 0, sizeof(model));
	return &model;
}

static bool is_there(int dir, const char *name)
{
	return faccessat(dir, name, F_OK, 0) == 0;
}

static void a_new_log_is_empty_and_stays_so(void **state)
{
	struct wal_config cfg = wal_model_config(&io_os, place_dir(state));
	struct wal_recovered r;
	struct wal_stat st;
	struct wal *w = open_with(&cfg, &r);
	struct stat file;

	assert_true(r.fresh && r.count == 0 && r.term == 0 && r.vote == 0 && !r.dropped);
	assert_true(r.snapshot.at.index == 0 && r.base.index == 0 && wal_last(w).index == 0);
	wal_recovered_done(&r);
	assert_int_equal(fstatat(cfg.dir, "0000000000000001.wal", &file, 0), 0);
	assert_int_equal(file.st_size, WAL_SEGMENT_MIN);
	assert_int_equal(file.st_mode & 07777, 0600);
	wal_stat(w, &st);
	assert_true(st.segment == 1 && st.first_segment == 1 && st.bytes == WAL_SEGMENT_MIN);
	assert_true(!st.prepared && !st.poisoned && st.durable == st.written);
	wal_close(w);
	w = open_with(&cfg, &r);
	assert_false(r.fresh);
	assert_int_equal(r.count, 0);
	wal_recovered_done(&r);
	wal_close(w);
	wal_close(NULL);
	wal_abandon(NULL);
}

static void term_vote_and_entries_are_there_again(void **state)
{
	struct wal_config cfg = wal_model_config(&io_os, place_dir(state));
	struct wal_model *m = new_model();

	open_model(m, &cfg);
	wal_model_hard(m, 1, 0);
	wal_model_hard(m, 1, 3);
	wal_model_append(m, 1, 3);
	must(wal_model_sync(m, &e));
	again(m, &cfg);
	wal_model_hard(m, 2, 0);
	wal_model_append(m, 2, 2);
	must(wal_model_sync(m, &e));
	again(m, &cfg);
	wal_close(m->w);
}

static void what_was_not_written_is_not_there(void **state)
{
	struct wal_config cfg = wal_model_config(&io_os, place_dir(state));
	struct wal_model *m = new_model();
	size_t done;

	open_model(m, &cfg);
	wal_model_hard(m, 1, 0);
	wal_model_append(m, 1, 3);
	must(wal_model_sync(m, &e));
	done = m->n;
	wal_model_append(m, 1, 3);
	wal_close(m->w);
	m->n = done;
	m->last = (struct raft_point){3, 1};
	open_model(m, &cfg);
	wal_close(m->w);
}

static void a_truncation_is_a_record(void **state)
{
	struct wal_config cfg = wal_model_config(&io_os, place_dir(state));
	struct wal_model *m = new_model();

	open_model(m, &cfg);
	wal_model_hard(m, 1, 0);
	wal_model_append(m, 1, 10);
	must(wal_model_sync(m, &e));
	wal_model_truncate(m, 4);
	must(wal_model_sync(m, &e));
	again(m, &cfg);
	wal_model_hard(m, 2, 0);
	wal_model_truncate(m, 2);
	wal_model_append(m, 2, 5);
	wal_model_truncate(m, 0);
	wal_model_append(m, 2, 1);
	must(wal_model_sync(m, &e));
	again(m, &cfg);
	wal_close(m->w);
}

static void a_log_rolls_through_many_segments(void **state)
{
	struct wal_config cfg = wal_model_config(&io_os, place_dir(state));
	struct wal_model *m = new_model();
	struct wal_stat st;

	open_model(m, &cfg);
	wal_model_hard(m, 1, 2);
	for (int i = 0; i < 20; i++) {
		if (i % 3 == 0) {
			while (wal_prepare(m->w, &e) == 1)
				;
			wal_stat(m->w, &st);
			assert_true(st.prepared);
		}
		wal_model_append(m, 1, 15);
		must(wal_model_sync(m, &e));
		if (i % 5 == 0)
			again(m, &cfg);
	}
	wal_stat(m->w, &st);
	assert_true(st.segment > 10 && st.first_segment == 1);
	wal_model_truncate(m, 20);
	must(wal_model_sync(m, &e));
	again(m, &cfg);
	wal_close(m->w);
}

static void one_batch_may_fill_several_segments(void **state)
{
	struct wal_config cfg = wal_model_config(&io_os, place_dir(state));
	struct wal_model *m = new_model();

	open_model(m, &cfg);
	wal_model_hard(m, 1, 2);
	wal_model_append(m, 1, 200);
	must(wal_model_sync(m, &e));
	again(m, &cfg);
	wal_close(m->w);
}

static void an_entry_larger_than_a_segment_gets_a_larger_one(void **state)
{
	struct wal_config cfg = wal_model_config(&io_os, place_dir(state));
	struct wal_model *m = new_model();

	m->large = 3 * WAL_SEGMENT_MIN;
	open_model(m, &cfg);
	wal_model_append(m, 1, 1);
	wal_model_hard(m, 1, 2);
	wal_model_append(m, 1, 1);
	/* The prepared one is too small and grows. */
	assert_int_equal(wal_prepare(m->w, &e), 0);
	must(wal_model_sync(m, &e));
	again(m, &cfg);
	m->large = RAFT_ENTRY_MAX;
	assert_int_equal(wal_prepare(m->w, &e), 0);
	m->n = 0;
	wal_model_reset(m, (struct raft_point){0, 0});
	wal_model_hard(m, 2, 0);
	wal_model_append(m, 2, 2);
	must(wal_model_sync(m, &e));
	again(m, &cfg);
	wal_close(m->w);
}

static void a_large_segment_is_prepared_in_slices(void **state)
{
	struct wal_config cfg = wal_model_config(&io_os, place_dir(state));
	struct wal_recovered r;
	struct wal_stat st;
	struct wal *w;

	cfg.segment_size = 2 * WAL_PREPARE_SLICE + WAL_SEGMENT_MIN;
	w = open_with(&cfg, &r);
	wal_recovered_done(&r);
	assert_int_equal(wal_prepare(w, &e), 1);
	wal_stat(w, &st);
	assert_true(!st.prepared && st.bytes == cfg.segment_size + WAL_PREPARE_SLICE);
	assert_int_equal(wal_prepare(w, &e), 1);
	assert_int_equal(wal_prepare(w, &e), 0);
	assert_int_equal(wal_prepare(w, &e), 0);
	wal_stat(w, &st);
	assert_true(st.prepared);
	wal_close(w);
	w = open_with(&cfg, &r);
	wal_recovered_done(&r);
	wal_stat(w, &st);
	assert_true(st.prepared);
	wal_close(w);
}

static void a_reset_begins_the_log_behind_the_snapshot(void **state)
{
	struct wal_config cfg = wal_model_config(&io_os, place_dir(state));
	struct wal_model *m = new_model();
	struct raft_point at = {50, 2};

	open_model(m, &cfg);
	wal_model_hard(m, 2, 0);
	wal_model_append(m, 1, 10);
	must(wal_model_sync(m, &e));
	must(wal_model_snapshot(&io_os, cfg.dir, at, &e));
	wal_model_reset(m, at);
	wal_model_append(m, 2, 5);
	must(wal_model_sync(m, &e));
	again(m, &cfg);
	wal_close(m->w);
}

static void compaction_removes_what_a_snapshot_covers(void **state)
{
	struct wal_config cfg = wal_model_config(&io_os, place_dir(state));
	struct wal_model *m = new_model();
	struct wal_stat st;
	struct wal_stat before;

	open_model(m, &cfg);
	wal_model_hard(m, 1, 2);
	for (int i = 0; i < 10; i++) {
		wal_model_append(m, 1, 15);
		must(wal_model_sync(m, &e));
	}
	wal_stat(m->w, &before);
	assert_int_equal(wal_compact(m->w, (struct raft_point){100, 1}, 101, &e), -1);
	assert_int_equal(e.code, EINVAL);
	must(wal_model_snapshot(&io_os, cfg.dir, (struct raft_point){100, 1}, &e));
	must(wal_model_compact(m, (struct raft_point){100, 1}, 80, &e));
	wal_stat(m->w, &st);
	assert_true(st.first_segment > before.first_segment && st.segment == before.segment);
	assert_true(st.base.index > 0 && st.base.index <= 80 && st.base.term == 1);
	assert_true(st.bytes < before.bytes && st.snapshot.index == 100);
	assert_false(is_there(cfg.dir, "0000000000000001.wal"));
	again(m, &cfg);
	assert_int_equal(wal_compact(m->w, (struct raft_point){99, 1}, 80, &e), -1);
	assert_int_equal(e.code, EINVAL);
	must(wal_model_snapshot(&io_os, cfg.dir, (struct raft_point){150, 1}, &e));
	must(wal_model_compact(m, (struct raft_point){150, 1}, 150, &e));
	wal_stat(m->w, &st);
	assert_true(st.first_segment == st.segment);
	again(m, &cfg);
	/* There is nothing more to remove. */
	must(wal_model_compact(m, (struct raft_point){150, 1}, 150, &e));
	wal_model_append(m, 1, 20);
	must(wal_model_sync(m, &e));
	again(m, &cfg);
	wal_close(m->w);
}

/* Entries that a truncation has removed keep no segment alive, and those behind it do. */
static void compaction_knows_what_truncations_left(void **state)
{
	struct wal_config cfg = wal_model_config(&io_os, place_dir(state));
	struct wal_model *m = new_model();
	struct wal_stat st;

	open_model(m, &cfg);
	wal_model_hard(m, 1, 2);
	wal_model_append(m, 1, 60);
	must(wal_model_sync(m, &e));
	wal_model_hard(m, 2, 2);
	wal_model_truncate(m, 12);
	wal_model_append(m, 2, 3);
	must(wal_model_sync(m, &e));
	must(wal_model_snapshot(&io_os, cfg.dir, (struct raft_point){12, 1}, &e));
	must(wal_model_compact(m, (struct raft_point){12, 1}, 12, &e));
	wal_stat(m->w, &st);
	assert_true(st.first_segment == st.segment && st.base.index == 12 && st.base.term == 1);
	again(m, &cfg);
	wal_stat(m->w, &st);
	assert_true(st.base.index == 12);
	wal_close(m->w);
}

static void a_second_process_is_told_whose_the_log_is(void **state)
{
	struct wal_config cfg = wal_model_config(&io_os, place_dir(state));
	struct wal_recovered r;
	struct wal *w;

	cfg.pid = 4711;
	w = open_with(&cfg, &r);
	wal_recovered_done(&r);
	assert_null(wal_open(&cfg, &r, NULL, &e));
	assert_int_equal(e.code, WAL_BUSY);
	assert_non_null(strstr(e.msg, "process 4711"));
	wal_close(w);
	cfg.pid = 0;
	w = open_with(&cfg, &r);
	wal_recovered_done(&r);
	wal_close(w);
	cfg.locked = true;
	w = open_with(&cfg, &r);
	wal_recovered_done(&r);
	wal_close(w);
}

static void a_config_out_of_bounds_is_refused(void **state)
{
	static const size_t sizes[] = {1, WAL_SEGMENT_MIN / 2, WAL_SEGMENT_MIN + 1,
	                               2 * WAL_SEGMENT_MAX};
	struct wal_config cfg = wal_model_config(&io_os, place_dir(state));
	struct wal_recovered r;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		cfg.segment_size = sizes[i];
		assert_null(wal_open(&cfg, &r, NULL, &e));
		assert_int_equal(e.code, EINVAL);
	}
}

static void a_mark_vouches_once_for_what_is_durable(void **state)
{
	struct wal_config cfg = wal_model_config(&io_os, place_dir(state));
	struct wal_model *m = new_model();
	struct wal_stat st;
	struct wal_stat then;

	open_model(m, &cfg);
	wal_model_hard(m, 1, 0);
	wal_model_append(m, 1, 3);
	must(wal_mark(m->w, &e));
	wal_stat(m->w, &st);
	assert_true(st.durable == st.written);
	must(wal_mark(m->w, &e));
	wal_stat(m->w, &then);
	assert_true(then.written == st.written && then.used == st.used);
	again(m, &cfg);
	wal_stat(m->w, &then);
	assert_true(then.used == st.used);
	wal_close(m->w);
}

static void *sync_thread(void *arg)
{
	struct wal *w = arg;
	struct err mine;
	uint64_t n;

	return wal_sync(w, &n, &mine) == 0 ? w : NULL;
}

/* For the thread sanitizer: the loop fills the buffer while the log's thread syncs. */
static void a_sync_may_run_while_the_buffer_is_filled(void **state)
{
	struct wal_config cfg = wal_model_config(&io_os, place_dir(state));
	struct wal_model *m = new_model();
	uint64_t n;

	open_model(m, &cfg);
	wal_model_hard(m, 1, 2);
	for (int i = 0; i < 20; i++) {
		pthread_t thread;
		void *result;

		must(wal_write(m->w, &n, &e));
		assert_int_equal(pthread_create(&thread, NULL, sync_thread, m->w), 0);
		wal_model_append(m, 1, 30);
		(void)wal_durable(m->w);
		assert_int_equal(pthread_join(thread, &result), 0);
		assert_non_null(result);
	}
	must(wal_model_sync(m, &e));
	again(m, &cfg);
	wal_close(m->w);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, place_open_fast, place_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_new_log_is_empty_and_stays_so),
	    TEST(term_vote_and_entries_are_there_again),
	    TEST(what_was_not_written_is_not_there),
	    TEST(a_truncation_is_a_record),
	    TEST(a_log_rolls_through_many_segments),
	    TEST(one_batch_may_fill_several_segments),
	    TEST(an_entry_larger_than_a_segment_gets_a_larger_one),
	    TEST(a_large_segment_is_prepared_in_slices),
	    TEST(a_reset_begins_the_log_behind_the_snapshot),
	    TEST(compaction_removes_what_a_snapshot_covers),
	    TEST(compaction_knows_what_truncations_left),
	    TEST(a_second_process_is_told_whose_the_log_is),
	    TEST(a_config_out_of_bounds_is_refused),
	    TEST(a_mark_vouches_once_for_what_is_durable),
	    TEST(a_sync_may_run_while_the_buffer_is_filled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
