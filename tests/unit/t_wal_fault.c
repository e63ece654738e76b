/*
 * wal: each call and each allocation fails in turn, calls in each way.  What was reported durable
 * is there after it, a failed write or sync ends the log, a full disk does not.
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
#include "tmp_dir.h"
#include "wal_model.h"

static struct err e;
static struct wal_model model;
static struct wal_config cfg;
static size_t durable; /* how many of the model's ops were reported */

static void must(int r)
{
	if (r < 0)
		fail_msg("%s", e.msg);
}

static struct wal *open_log(struct wal_recovered *r)
{
	struct wal *w = wal_open(&cfg, r, NULL, &e);

	if (w != NULL)
		must(wal_model_check(&model, durable, r, &e));
	return w;
}

static int step(int r)
{
	if (r == 0)
		durable = model.n;
	return r;
}

static int sync_step(int i)
{
	if (i % 2 == 1 && wal_prepare(model.w, &e) < 0)
		return -1;
	return step(wal_model_sync(&model, &e));
}

/* All that a log can do; -1 at the first failure. */
static int life(const struct io *io)
{
	struct wal_recovered r;

	model.w = open_log(&r);
	if (model.w == NULL)
		return -1;
	wal_recovered_done(&r);
	wal_model_hard(&model, 1, 2);
	for (int i = 0; i < 6; i++) {
		wal_model_append(&model, 1, 9);
		if (sync_step(i) < 0)
			return -1;
	}
	wal_model_truncate(&model, 40);
	wal_model_hard(&model, 2, 0);
	wal_model_append(&model, 2, 30);
	if (sync_step(0) < 0 || step(wal_mark(model.w, &e)) < 0 ||
	    wal_model_snapshot(io, cfg.dir, (struct raft_point){35, 1}, &e) < 0 ||
	    step(wal_model_compact(&model, (struct raft_point){35, 1}, 35, &e)) < 0)
		return -1;
	wal_model_append(&model, 2, 5);
	if (sync_step(0) < 0 || wal_model_snapshot(io, cfg.dir, (struct raft_point){90, 2}, &e) < 0)
		return -1;
	wal_model_reset(&model, (struct raft_point){90, 2});
	wal_model_append(&model, 2, 5);
	if (sync_step(1) < 0)
		return -1;
	wal_close(model.w);
	model.w = open_log(&r);
	if (model.w == NULL)
		return -1;
	wal_recovered_done(&r);
	return 0;
}

/* What is to go wrong in a life. */
struct trial {
	struct fault fault;
	uint64_t alloc; /* this allocation fails; 0: none */
	size_t large;   /* of the model */
};

/* A new directory, and a life in it in which this goes wrong; what is there then is in order. */
static bool try_life(const struct trial *t, const char *what)
{
	char *path = tmp_dir_new_fast();
	int dir = file_open_dir(&io_os, AT_FDCWD, path, &e);
	const struct io *io = fault_io_start(&io_os);
	struct wal_recovered r;
	bool hit;
	int result;

	assert_true(dir >= 0);
	memset(&model, 0, sizeof(model));
	model.large = t->large;
	durable = 0;
	if (t->alloc == 0)
		fault_io_add(t->fault);
	cfg = wal_model_config(io, dir);
	cfg.pid = 99;
	fail_alloc_at(t->alloc);
	result = life(io);
	hit = fail_alloc_end() || fault_io_hits() > 0;
	if (result < 0 && (!hit || (t->alloc > 0 && e.code != ENOMEM)))
		fail_msg("%s: %s", what, e.msg);
	wal_abandon(model.w);
	cfg.io = &io_os;
	model.w = open_log(&r);
	if (model.w == NULL)
		fail_msg("%s: %s", what, e.msg);
	wal_recovered_done(&r);
	wal_close(model.w);
	model.w = NULL;
	close(dir);
	tmp_dir_free(path);
	return hit;
}

static bool try_fault(struct fault f, const char *what)
{
	return try_life(&(struct trial){.fault = f}, what);
}

/* With entries of a few hundred bytes, and with some that have a segment for each. */
static void memory_runs_out_anywhere(void **state)
{
	static const size_t large[] = {0, 1500};

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct trial t = {.alloc = 1, .large = large[i]};
		char what[80];

		do
			snprintf(what, sizeof(what), "allocation %u", (unsigned)t.alloc);
		while (try_life(&t, what) && t.alloc++ > 0);
		print_message("# %u allocations\n", (unsigned)t.alloc - 1);
		assert_true(durable == model.n && t.alloc > 20);
	}
}

static void each_call_fails_in_turn(void **state)
{
	static const int errors[] = {EIO, ENOSPC};
	unsigned trials = 0;

	(void)state;
	for (enum fault_call call = FAULT_OPENAT; call < FAULT_CALLS; call++)
		for (unsigned kind = 0; kind < 4; kind++)
			for (unsigned nth = 1;; nth++) {
				struct fault f = {.call = call,
				                  .nth = nth,
				                  .error = errors[kind % 2],
				                  .after = kind >= 2};
				char what[80];

				snprintf(what, sizeof(what), "%s %u error %d%s",
				         fault_io_name(call), nth, f.error,
				         f.after ? " when it was done" : "");
				if (!try_fault(f, what))
					break;
				trials++;
			}
	print_message("# %u trials\n", trials);
}

static void short_writes_and_reads_are_completed(void **state)
{
	(void)state;
	assert_true(try_fault((struct fault){.call = FAULT_PWRITE, .always = true, .short_to = 777},
	                      "short"));
	assert_true(durable == model.n);
	assert_true(try_fault((struct fault){.call = FAULT_PREAD, .always = true, .short_to = 333},
	                      "short"));
	assert_true(durable == model.n);
}

static void begin(void **state)
{
	struct wal_recovered r;

	memset(&model, 0, sizeof(model));
	durable = 0;
	cfg = wal_model_config(fault_io_start(&io_os), place_dir(state));
	model.w = open_log(&r);
	must(model.w == NULL ? -1 : 0);
	wal_recovered_done(&r);
	wal_model_hard(&model, 1, 0);
	must(sync_step(0));
}

static void every_call_fails(void)
{
	struct wal_stat st;
	uint64_t n;

	wal_stat(model.w, &st);
	assert_true(st.poisoned);
	assert_int_equal(wal_write(model.w, &n, &e), -1);
	assert_int_equal(e.code, EIO);
	assert_int_equal(wal_sync(model.w, &n, &e), -1);
	assert_int_equal(wal_mark(model.w, &e), -1);
	assert_int_equal(wal_prepare(model.w, &e), -1);
	assert_int_equal(wal_compact(model.w, (struct raft_point){1, 1}, 1, &e), -1);
	assert_int_equal(e.code, EIO);
	wal_close(model.w);
}

static void a_failed_sync_is_final(void **state)
{
	uint64_t n;

	begin(state);
	wal_model_append(&model, 1, 1);
	must(wal_write(model.w, &n, &e));
	fault_io_add((struct fault){.call = FAULT_FDATASYNC, .error = EIO});
	assert_int_equal(wal_sync(model.w, &n, &e), -1);
	assert_non_null(strstr(e.msg, "0000000000000001.wal"));
	every_call_fails();
}

static void a_failed_write_is_final(void **state)
{
	uint64_t n;

	begin(state);
	wal_model_append(&model, 1, 1);
	fault_io_add((struct fault){.call = FAULT_PWRITE, .error = EIO});
	assert_int_equal(wal_write(model.w, &n, &e), -1);
	every_call_fails();
}

static void a_failed_sync_of_the_next_segment_is_final(void **state)
{
	begin(state);
	fault_io_add((struct fault){.call = FAULT_FDATASYNC, .error = EIO});
	assert_int_equal(wal_prepare(model.w, &e), -1);
	every_call_fails();
}

static void a_failed_sync_of_its_name_is_final(void **state)
{
	begin(state);
	fault_io_add((struct fault){.call = FAULT_FSYNC, .error = EIO});
	assert_int_equal(wal_prepare(model.w, &e), -1);
	every_call_fails();
}

/* A disk that is full when the next segment is made: what was given stays, and is written later. */
static void a_full_disk_is_not_final(void **state)
{
	static const enum fault_call calls[] = {FAULT_OPENAT, FAULT_FALLOCATE, FAULT_PWRITE};
	struct wal_recovered r;
	struct wal_stat st;
	uint64_t n;

	begin(state);
	for (size_t i = 0; i < 3; i++)
		for (int prepare = 0; prepare < 2; prepare++) {
			wal_model_append(&model, 1, 40);
			cfg.io = fault_io_start(&io_os);
			fault_io_add((struct fault){.call = calls[i], .error = ENOSPC});
			if (prepare)
				assert_int_equal(wal_prepare(model.w, &e), -1);
			else
				assert_int_equal(wal_write(model.w, &n, &e), -1);
			assert_int_equal(e.code, ENOSPC);
			wal_stat(model.w, &st);
			assert_true(!st.poisoned && !st.prepared);
			must(sync_step(0));
		}
	assert_true(durable == model.n);
	wal_close(model.w);
	model.w = open_log(&r);
	must(model.w == NULL ? -1 : 0);
	wal_recovered_done(&r);
	wal_close(model.w);
}

/* One that is full when a prepared segment has to grow for a large entry. */
static void a_full_disk_is_not_final_when_a_segment_grows(void **state)
{
	begin(state);
	assert_int_equal(wal_prepare(model.w, &e), 0);
	model.large = 3 * WAL_SEGMENT_MIN;
	wal_model_append(&model, 1, 1);
	fault_io_add((struct fault){.call = FAULT_FALLOCATE, .error = ENOSPC});
	assert_int_equal(sync_step(0), -1);
	assert_int_equal(e.code, ENOSPC);
	must(sync_step(0));
	wal_close(model.w);
}

static void what_compaction_cannot_remove_goes_at_the_next_start(void **state)
{
	struct wal_recovered r;
	struct wal_stat st;

	begin(state);
	wal_model_append(&model, 1, 100);
	must(sync_step(0));
	must(wal_model_snapshot(&io_os, cfg.dir, (struct raft_point){90, 1}, &e));
	fault_io_add((struct fault){.call = FAULT_UNLINKAT, .error = EACCES});
	assert_int_equal(wal_model_compact(&model, (struct raft_point){90, 1}, 90, &e), -1);
	assert_int_equal(e.code, EACCES);
	wal_model_append(&model, 1, 3);
	must(sync_step(0));
	assert_int_equal(faccessat(cfg.dir, "0000000000000001.wal", F_OK, 0), 0);
	wal_close(model.w);
	model.w = open_log(&r);
	must(model.w == NULL ? -1 : 0);
	wal_stat(model.w, &st);
	assert_true(st.first_segment > 1);
	assert_int_equal(faccessat(cfg.dir, "0000000000000001.wal", F_OK, 0), -1);
	wal_recovered_done(&r);
	wal_close(model.w);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, place_open_fast, place_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_call_fails_in_turn),
	    cmocka_unit_test(memory_runs_out_anywhere),
	    cmocka_unit_test(short_writes_and_reads_are_completed),
	    TEST(a_failed_sync_is_final),
	    TEST(a_failed_write_is_final),
	    TEST(a_failed_sync_of_the_next_segment_is_final),
	    TEST(a_failed_sync_of_its_name_is_final),
	    TEST(a_full_disk_is_not_final),
	    TEST(a_full_disk_is_not_final_when_a_segment_grows),
	    TEST(what_compaction_cannot_remove_goes_at_the_next_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
