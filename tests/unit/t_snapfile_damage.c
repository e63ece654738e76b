/* snapfile: rot is found, and a failure leaves no false snapshot. */
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
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/le.h"
#include "fail_alloc.h"
#include "fault_io.h"
#include "place.h"
#include "snap.h"
#include "wal/snapfile_impl.h"

static int open_code(struct raft_point at)
{
	struct snapfile_meta m;
	struct snapfile *s = snapfile_open(&snap.place, at, &m, &snap.e);
	int r = s == NULL ? -1 : snapfile_check(s, &snap.e);

	snapfile_close(s);
	return r < 0 ? snap.e.code : 0;
}

static void each_flipped_bit_is_found(void **state)
{
	const size_t size = SNAPFILE_BLOCK + 100;
	char name[SNAPFILE_NAME_MAX];
	char c;
	int fd;

	snap_setup(state);
	snap_make(snap.meta.at, size);
	snapfile_name(name, snap.meta.at, SNAPFILE_END);
	fd = openat(snap.place.dir, name, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	for (size_t at = 0; at < snapfile_length(size); at += at < 140 || at > 69700 ? 1 : 97) {
		assert_int_equal(pread(fd, &c, 1, (off_t)at), 1);
		for (int bit = 0; bit < 8; bit += at < 140 ? 1 : 5) {
			char flipped = (char)(c ^ 1 << bit);

			assert_int_equal(pwrite(fd, &flipped, 1, (off_t)at), 1);
			assert_int_equal(open_code(snap.meta.at), EBADMSG);
		}
		assert_int_equal(pwrite(fd, &c, 1, (off_t)at), 1);
	}
	assert_int_equal(open_code(snap.meta.at), 0);
	assert_int_equal(ftruncate(fd, (off_t)snapfile_length(size) - 1), 0);
	assert_int_equal(open_code(snap.meta.at), EBADMSG);
	assert_int_equal(ftruncate(fd, 17), 0);
	assert_int_equal(open_code(snap.meta.at), EBADMSG);
	close(fd);
}

static void what_is_foreign_newer_or_absent_is_told(void **state)
{
	struct raft_point other = {11, 3};
	char name[SNAPFILE_NAME_MAX];
	char renamed[SNAPFILE_NAME_MAX];
	char head[16];
	int fd;

	snap_setup(state);
	snap_make(snap.meta.at, 100);
	assert_int_equal(open_code(other), ENOENT);
	snap.place.cluster = 0xc2;
	assert_int_equal(open_code(snap.meta.at), EXDEV);
	snap.place.cluster = 0xc1;
	snapfile_name(name, snap.meta.at, SNAPFILE_END);
	snapfile_name(renamed, other, SNAPFILE_END);
	assert_int_equal(renameat(snap.place.dir, name, snap.place.dir, renamed), 0);
	assert_int_equal(open_code(other), EBADMSG);
	fd = openat(snap.place.dir, renamed, O_RDWR | O_CLOEXEC);
	assert_int_equal(pread(fd, head, 16, 0), 16);
	le_put32(head + 8, 2);
	le_put32(head + 12, crc32c(0, head, 12));
	assert_int_equal(pwrite(fd, head, 16, 0), 16);
	assert_int_equal(open_code(other), EPROTONOSUPPORT);
	close(fd);
}

static void a_head_out_of_bounds_is_damage(void **state)
{
	static const struct {
		size_t at;
		uint64_t value;
	} cases[] = {{20, SNAPFILE_CONF_MAX + 1}, {56, SNAPFILE_SIZE_MAX + 1}, {56, 0}, {40, 99}};
	char name[SNAPFILE_NAME_MAX];
	char head[SNAPFILE_HEAD];

	snap_setup(state);
	snapfile_name(name, snap.meta.at, SNAPFILE_END);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int fd;

		snap_make(snap.meta.at, 100);
		fd = openat(snap.place.dir, name, O_RDWR | O_CLOEXEC);
		assert_int_equal(pread(fd, head, sizeof(head), 0), sizeof(head));
		if (cases[i].at == 20)
			le_put32(head + 20, (uint32_t)cases[i].value);
		else
			le_put64(head + cases[i].at, cases[i].value);
		le_put32(head + 16, crc32c(0, head + 20, sizeof(head) - 20));
		assert_int_equal(pwrite(fd, head, sizeof(head), 0), sizeof(head));
		assert_int_equal(open_code(snap.meta.at), EBADMSG);
		close(fd);
	}
}

static int one_life(bool own)
{
	struct snapfile_writer *s = own ? snapfile_begin(&snap.place, &snap.meta, &snap.e)
	                                : snapfile_receive(&snap.place, &snap.meta, &snap.e);
	uint64_t durable;
	int r = s == NULL ? -1 : snapfile_write(s, 0, snap.content, SNAPFILE_BLOCK + 10, &snap.e);
	struct err later;

	if (r == 0)
		r = snapfile_sync(s, &durable, &snap.e);
	if (r == 0 && !own) {
		snapfile_writer_close(s, true);
		s = snapfile_receive(&snap.place, &snap.meta, &snap.e);
		r = s == NULL ? -1 : 0;
	}
	if (r == 0)
		r = snapfile_write(s, snapfile_have(s), snap.content + snapfile_have(s),
		                   SNAP_SIZE - snapfile_have(s), &snap.e);
	if (r == 0)
		r = snapfile_commit(s, NULL, &snap.e);
	else if (s != NULL)
		(void)snapfile_write(s, snapfile_have(s), snap.content + snapfile_have(s), 1,
		                     &later);
	snapfile_writer_close(s, true);
	return r;
}

static void a_failure_anywhere_leaves_no_false_snapshot(void **state)
{
	snap_setup(state);
	for (int own = 0; own < 2; own++)
		for (enum fault_call call = FAULT_OPENAT; call < FAULT_CALLS; call++)
			for (unsigned nth = 1;; nth++) {
				int r;

				snap.place.io = fault_io_start(&io_os);
				fault_io_add(
				    (struct fault){.call = call, .nth = nth, .error = EIO});
				r = one_life(own);
				snap.place.io = &io_os;
				if (r == 0 || snap_is_there(snap.meta.at, SNAPFILE_END))
					snap_assert_content(snap.meta.at, SNAP_SIZE);
				if (fault_io_hits() > 0 && call != FAULT_CLOSE && r == 0)
					assert_int_equal(call, FAULT_UNLINKAT);
				snap.place.io = &io_os;
				snap_must(one_life(own));
				snap_assert_content(snap.meta.at, SNAP_SIZE);
				snap_must(snapfile_purge(&snap.place, 1, 0, &snap.e));
				if (fault_io_hits() == 0)
					break;
			}
}

static void memory_that_runs_out_leaves_no_false_snapshot(void **state)
{
	char name[SNAPFILE_NAME_MAX];

	snap_setup(state);
	snapfile_name(name, snap.meta.at, SNAPFILE_END);
	for (int own = 0; own < 2; own++) {
		bool failed = true;

		for (unsigned nth = 1; failed; nth++) {
			int r;

			fail_alloc_at(nth);
			r = one_life(own);
			failed = fail_alloc_end();
			assert_true(failed ? r < 0 && snap.e.code == ENOMEM : r == 0 && nth > 1);
			assert_int_equal(snap_is_there(snap.meta.at, SNAPFILE_END), !failed);
			snap_must(one_life(own));
			snap_assert_content(snap.meta.at, SNAP_SIZE);
			assert_int_equal(unlinkat(snap.place.dir, name, 0), 0);
		}
	}
}

static int look_and_remove(void)
{
	struct raft_point points[4];
	struct snapfile_meta m;
	struct snapfile *s;

	if (snapfile_list(&snap.place, points, 4, &snap.e) < 0)
		return -1;
	s = snapfile_open(&snap.place, points[0], &m, &snap.e);
	snapfile_close(s);
	if (s == NULL || snapfile_sweep(&snap.place, 30, &snap.e) < 0)
		return -1;
	return snapfile_purge(&snap.place, 1, 0, &snap.e);
}

static void without_memory_the_newest_snapshot_stays(void **state)
{
	bool failed = true;

	snap_setup(state);
	for (unsigned nth = 1; failed; nth++) {
		int r;

		snap_make((struct raft_point){20, 3}, 5);
		snap_make((struct raft_point){30, 3}, 5);
		fail_alloc_at(nth);
		r = look_and_remove();
		failed = fail_alloc_end();
		assert_true(failed ? r < 0 && snap.e.code == ENOMEM : r == 0);
		assert_true(failed || nth > 6);
		snap_assert_content((struct raft_point){30, 3}, 5);
	}
	assert_false(snap_is_there((struct raft_point){20, 3}, SNAPFILE_END));
}

static void a_full_disk_ends_the_writer_and_a_sync_that_failed_the_part(void **state)
{
	struct snapfile_writer *s;
	uint64_t durable;

	snap_setup(state);
	snap.place.io = fault_io_start(&io_os);
	s = snap_receive();
	fault_io_add((struct fault){.call = FAULT_PWRITE, .nth = 2, .error = ENOSPC});
	snap_must(snapfile_write(s, 0, snap.content, SNAPFILE_BLOCK, &snap.e));
	assert_int_equal(snapfile_write(s, SNAPFILE_BLOCK, snap.content, SNAPFILE_BLOCK, &snap.e),
	                 -1);
	assert_int_equal(snap.e.code, ENOSPC);
	assert_int_equal(snapfile_sync(s, &durable, &snap.e), -1);
	assert_int_equal(snap.e.code, EIO);
	assert_int_equal(snapfile_commit(s, NULL, &snap.e), -1);
	snapfile_writer_close(s, true);
	s = snap_receive();
	assert_true(snapfile_have(s) == SNAPFILE_BLOCK);
	fault_io_add((struct fault){.call = FAULT_FDATASYNC, .error = EIO});
	assert_int_equal(snapfile_sync(s, &durable, &snap.e), -1);
	snapfile_writer_close(s, true);
	assert_int_equal(snap_count_files(), 0);
	snap.place.io = &io_os;
}

static void a_short_write_is_completed_and_a_read_error_is_told(void **state)
{
	struct snapfile_meta m;
	struct snapfile *s;
	char c;

	snap_setup(state);
	snap.place.io = fault_io_start(&io_os);
	fault_io_add((struct fault){.call = FAULT_PWRITE, .always = true, .short_to = 1000});
	snap_make(snap.meta.at, SNAP_SIZE);
	snap.place.io = fault_io_start(&io_os);
	s = snapfile_open(&snap.place, snap.meta.at, &m, &snap.e);
	fault_io_add((struct fault){.call = FAULT_PREAD, .error = EIO});
	assert_int_equal(snapfile_read(s, 0, &c, 1, &snap.e), -1);
	assert_int_equal(snap.e.code, EIO);
	assert_int_equal(snapfile_read(s, 0, &c, 1, &snap.e), 1);
	snapfile_close(s);
	fault_io_add((struct fault){.call = FAULT_SIZE, .error = EIO});
	assert_int_equal(open_code(snap.meta.at), EIO);
	snap.place.io = fault_io_start(&io_os);
	fault_io_add((struct fault){.call = FAULT_PREAD, .error = EIO});
	assert_int_equal(open_code(snap.meta.at), EIO);
	snap.place.io = &io_os;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, place_open_fast, place_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(each_flipped_bit_is_found),
	    TEST(what_is_foreign_newer_or_absent_is_told),
	    TEST(a_head_out_of_bounds_is_damage),
	    TEST(a_failure_anywhere_leaves_no_false_snapshot),
	    TEST(memory_that_runs_out_leaves_no_false_snapshot),
	    TEST(without_memory_the_newest_snapshot_stays),
	    TEST(a_full_disk_ends_the_writer_and_a_sync_that_failed_the_part),
	    TEST(a_short_write_is_completed_and_a_read_error_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
