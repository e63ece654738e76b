/* file: whole writes, replacement and allocation, with every call failing in turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "fault_io.h"
#include "os/clock.h"
#include "os/file.h"
#include "place.h"

static void assert_holds(int dir, const char *name, const char *want)
{
	struct buf b = {0};
	struct err e;

	assert_int_equal(file_read(dir, name, 1000, &b, &e), 0);
	assert_int_equal(b.len, strlen(want));
	assert_memory_equal(b.data, want, b.len);
	buf_done(&b);
}

static unsigned count_entries(int dir)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fdopendir(fd);
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n - 2;
}

/* --- open, write, read --- */

static void an_opened_file_is_closed_on_exec_and_an_error_names_it(void **state)
{
	int dir = place_dir(state);
	int fd = place_file(dir, "f");
	struct err e;

	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(dir, F_GETFD), FD_CLOEXEC);
	file_close(&io_os, fd);
	file_close(&io_os, -1);
	assert_int_equal(file_open(&io_os, dir, "none", O_RDONLY, 0, &e), -1);
	assert_int_equal(e.code, ENOENT);
	assert_string_equal(e.msg, "open 'none': No such file or directory");
	assert_int_equal(file_open_dir(&io_os, dir, "f", &e), -1);
	assert_int_equal(e.code, ENOTDIR);
}

static void opening_goes_on_after_a_signal(void **state)
{
	const struct io *io = fault_io_start(&io_os);
	struct err e;
	int fd;

	fault_io_add((struct fault){.call = FAULT_OPENAT, .error = EINTR});
	fd = file_open(io, place_dir(state), "f", O_RDWR | O_CREAT, 0600, &e);
	assert_true(fd >= 0);
	assert_int_equal(fault_io_count(FAULT_OPENAT), 2);
	file_close(io, fd);
}

static void all_is_written_over_short_writes_and_signals(void **state)
{
	const struct io *io = fault_io_start(&io_os);
	int fd = place_file(place_dir(state), "f");
	struct err e;

	fault_io_add((struct fault){.call = FAULT_PWRITE, .nth = 2, .error = EINTR});
	fault_io_add((struct fault){.call = FAULT_PWRITE, .always = true, .short_to = 3});
	assert_int_equal(file_write_all(io, fd, "0123456789", 10, 0, &e), 0);
	assert_int_equal(fault_io_count(FAULT_PWRITE), 5);
	assert_int_equal(file_write_all(io, fd, "ab", 2, 4, &e), 0);
	assert_int_equal(file_write_all(io, fd, NULL, 0, 4, &e), 0);
	assert_holds(place_dir(state), "f", "0123ab6789");
	file_close(io, fd);
}

static void a_write_that_cannot_go_on_is_an_error(void **state)
{
	const struct io *io = fault_io_start(&io_os);
	int fd = place_file(place_dir(state), "f");
	struct err e;

	fault_io_add((struct fault){.call = FAULT_PWRITE, .short_to = 3});
	fault_io_add((struct fault){.call = FAULT_PWRITE, .nth = 2, .error = ENOSPC});
	fault_io_add((struct fault){.call = FAULT_PWRITE, .nth = 3, .short_to = 0});
	assert_int_equal(file_write_all(io, fd, "0123456789", 10, 0, &e), -1);
	assert_int_equal(e.code, ENOSPC);
	assert_holds(place_dir(state), "f", "012");
	assert_int_equal(file_write_all(io, fd, "0123456789", 10, 0, &e), -1);
	assert_int_equal(e.code, EIO);
	file_close(io, fd);
	assert_int_equal(file_write_all(&io_os, -1, "0", 1, 0, &e), -1);
	assert_int_equal(e.code, EBADF);
}

static void reading_at_an_offset_is_short_only_at_the_end(void **state)
{
	int fd = place_file(place_dir(state), "f");
	char got[20];
	struct err e;

	assert_int_equal(file_write_all(&io_os, fd, "0123456789", 10, 0, &e), 0);
	assert_int_equal(file_read_at(&io_os, fd, got, 4, 3, &e), 4);
	assert_memory_equal(got, "3456", 4);
	assert_int_equal(file_read_at(&io_os, fd, got, sizeof(got), 8, &e), 2);
	assert_int_equal(file_read_at(&io_os, fd, got, sizeof(got), 100, &e), 0);
	file_close(&io_os, fd);
	assert_int_equal(file_read_at(&io_os, -1, got, 1, 0, &e), -1);
	assert_int_equal(e.code, EBADF);
}

static void a_whole_file_is_appended_to_the_buffer_or_nothing(void **state)
{
	int dir = place_dir(state);
	int fd = place_file(dir, "f");
	struct buf b = {0};
	struct err e;

	assert_int_equal(file_write_all(&io_os, fd, "0123456789", 10, 0, &e), 0);
	file_close(&io_os, fd);
	buf_add_str(&b, "<");
	assert_int_equal(file_read(dir, "f", 10, &b, &e), 0);
	assert_int_equal(b.len, 11);
	assert_memory_equal(b.data, "<0123456789", 11);
	assert_int_equal(file_read(dir, "f", 9, &b, &e), -1);
	assert_int_equal(e.code, EFBIG);
	assert_int_equal(file_read(dir, "none", 9, &b, &e), -1);
	assert_int_equal(e.code, ENOENT);
	assert_int_equal(file_read(dir, ".", 9, &b, &e), -1);
	assert_int_equal(e.code, EISDIR);
	assert_int_equal(b.len, 11);
	buf_done(&b);
}

static void a_file_larger_than_a_chunk_or_of_unknown_size_is_read_whole(void **state)
{
	int fd = place_file(place_dir(state), "f");
	struct buf b = {0};
	struct err e;

	assert_int_equal(ftruncate(fd, 1000000), 0);
	assert_int_equal(pwrite(fd, "x", 1, 999999), 1);
	file_close(&io_os, fd);
	assert_int_equal(file_read(place_dir(state), "f", SIZE_MAX, &b, &e), 0);
	assert_int_equal(b.len, 1000000);
	assert_int_equal(b.data[999999], 'x');
	buf_clear(&b);
	assert_int_equal(file_read(AT_FDCWD, "/proc/self/status", 1 << 20, &b, &e), 0);
	assert_true(b.len > 100);
	buf_done(&b);
}

/* --- replacement --- */

static void a_file_is_made_or_replaced_with_its_mode_and_both_syncs(void **state)
{
	const struct io *io = fault_io_start(&io_os);
	int dir = place_dir(state);
	struct stat st;
	struct err e;

	assert_int_equal(file_replace(io, dir, "f", "old", 3, 0640, &e), 0);
	assert_holds(dir, "f", "old");
	assert_int_equal(fstatat(dir, "f", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(fault_io_count(FAULT_FSYNC), 2);
	assert_int_equal(file_replace(io, dir, "f", "", 0, 0600, &e), 0);
	assert_holds(dir, "f", "");
	assert_int_equal(count_entries(dir), 1);
}

static void a_rest_of_a_dead_process_is_no_obstacle(void **state)
{
	int dir = place_dir(state);
	char tmp[64];
	struct err e;

	snprintf(tmp, sizeof(tmp), "f.tmp.%ld", (long)getpid());
	assert_int_equal(symlinkat("/nowhere/else", dir, tmp), 0);
	assert_int_equal(file_replace(&io_os, dir, "f", "new", 3, 0600, &e), 0);
	assert_holds(dir, "f", "new");
	assert_int_equal(count_entries(dir), 1);
}

static void a_name_that_cannot_be_replaced_is_refused(void **state)
{
	char long_name[300];
	struct err e;

	memset(long_name, 'x', sizeof(long_name));
	long_name[250] = '\0';
	assert_int_equal(file_replace(&io_os, place_dir(state), "a/b", "", 0, 0600, &e), -1);
	assert_int_equal(e.code, EINVAL);
	assert_int_equal(file_replace(&io_os, place_dir(state), "", "", 0, 0600, &e), -1);
	assert_int_equal(e.code, EINVAL);
	assert_int_equal(file_replace(&io_os, place_dir(state), long_name, "", 0, 0600, &e), -1);
	assert_int_equal(e.code, ENAMETOOLONG);
	assert_int_equal(count_entries(place_dir(state)), 0);
}

/* What the n-th failing call leaves, and that no failed sync is tried again. */
static void a_replacement_that_fails_leaves_the_old_file_and_no_other(void **state)
{
	int dir = place_dir(state);
	struct err e;
	unsigned n;

	for (n = 1;; n++) {
		const struct io *io = fault_io_start(&io_os);
		int r;

		assert_int_equal(file_replace(&io_os, dir, "f", "old", 3, 0600, &e), 0);
		fault_io_add((struct fault){.call = FAULT_ANY, .nth = n, .error = EIO});
		r = file_replace(io, dir, "f", "new", 3, 0600, &e);
		if (fault_io_hits() == 0)
			break;
		assert_int_equal(r, -1);
		assert_int_equal(e.code, EIO);
		assert_non_null(strstr(e.msg, "replace 'f': "));
		/* Only after the rename is it too late. */
		assert_holds(dir, "f", fault_io_count(FAULT_FSYNC) == 2 ? "new" : "old");
		assert_int_equal(count_entries(dir), 1);
		assert_true(fault_io_count(FAULT_FSYNC) <= 2);
	}
	assert_int_equal(n, 6);
	assert_holds(dir, "f", "new");
}

/* Whoever has the file mapped, or open, keeps all of it. */
static void a_new_file_leaves_the_one_that_had_its_name_alone(void **state)
{
	int dir = place_dir(state);
	int was = place_file(dir, "f");
	struct stat st;
	struct err e;
	int fd;

	assert_int_equal(file_write_all(&io_os, was, "old", 3, 0, &e), 0);
	fd = file_open_new(&io_os, dir, "f", 0640, &e);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_holds(dir, "f", "");
	assert_int_equal(fstat(was, &st), 0);
	assert_int_equal(st.st_size, 3);
	close(was);
	close(fd);
}

static void an_unsynced_replacement_is_whole_or_nothing(void **state)
{
	int dir = place_dir(state);
	struct err e;
	unsigned n;

	for (n = 1;; n++) {
		const struct io *io = fault_io_start(&io_os);
		int r;

		assert_int_equal(file_replace(&io_os, dir, "f", "old", 3, 0600, &e), 0);
		fault_io_add((struct fault){.call = FAULT_ANY, .nth = n, .error = EIO});
		r = file_replace_unsynced(io, dir, "f", "new", 3, 0600, &e);
		assert_int_equal(fault_io_count(FAULT_FSYNC), 0);
		if (fault_io_hits() == 0)
			break;
		assert_int_equal(r, -1);
		assert_non_null(strstr(e.msg, "replace 'f': "));
		assert_holds(dir, "f", "old");
		assert_int_equal(count_entries(dir), 1);
	}
	assert_int_equal(n, 4);
	assert_holds(dir, "f", "new");
}

/* --- syncs of directories --- */

static dev_t synced_dev;
static ino_t synced_ino;

static int noting_fsync(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	synced_dev = st.st_dev;
	synced_ino = st.st_ino;
	return fsync(fd);
}

/* By the real name: a link to a directory stands in one place, and the directory in another. */
static void the_directory_that_holds_a_path_is_synced(void **state)
{
	static const char *const paths[] = {"a/b", "a/b/", "a/b/.", "link", "a/../a/b"};
	struct io io = io_os;
	int dir = place_dir(state);
	struct stat a, root;
	struct err e;

	io.fsync = noting_fsync;
	assert_int_equal(mkdirat(dir, "a", 0700) | mkdirat(dir, "a/b", 0700), 0);
	assert_int_equal(symlinkat("a/b", dir, "link"), 0);
	assert_int_equal(fstatat(dir, "a", &a, 0) | stat("/", &root), 0);
	assert_int_equal(fchdir(dir), 0);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		synced_ino = 0;
		assert_int_equal(file_sync_parent(&io, paths[i], &e), 0);
		assert_true(synced_ino == a.st_ino && synced_dev == a.st_dev);
	}
	assert_int_equal(file_sync_parent(&io, "a", &e), 0);
	assert_int_equal(fstat(dir, &a), 0);
	assert_true(synced_ino == a.st_ino);
	assert_int_equal(file_sync_parent(&io, "/", &e), 0);
	assert_true(synced_ino == root.st_ino);
	assert_int_equal(file_sync_parent(&io, "none", &e), -1);
	assert_int_equal(e.code, ENOENT);
	assert_string_equal(e.msg, "find the directory of 'none': No such file or directory");
	assert_int_equal(chdir("/"), 0);
}

static void a_parent_that_cannot_be_synced_is_an_error(void **state)
{
	const struct io *io = fault_io_start(&io_os);
	struct err e;

	assert_int_equal(fchdir(place_dir(state)), 0);
	assert_int_equal(mkdirat(place_dir(state), "a", 0700), 0);
	fault_io_add((struct fault){.call = FAULT_FSYNC, .error = EIO});
	assert_int_equal(file_sync_parent(io, "a", &e), -1);
	assert_int_equal(e.code, EIO);
	assert_int_equal(chdir("/"), 0);
}

/* --- allocation --- */

static void allocated_blocks_do_not_change_the_size(void **state)
{
	int fd = place_file(place_dir(state), "f");
	struct stat st;
	struct err e;

	assert_int_equal(file_allocate(&io_os, fd, 0, 1 << 20, &e), 0);
	assert_int_equal(file_allocate(&io_os, fd, 0, 0, &e), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 0);
	file_close(&io_os, fd);
}

static void a_file_system_that_cannot_allocate_is_no_error_but_a_full_one_is(void **state)
{
	static const struct {
		int error;
		int result;
	} cases[] = {{EOPNOTSUPP, 0}, {ENOSYS, 0}, {EINTR, 0}, {ENOSPC, -1}, {EFBIG, -1}};
	int fd = place_file(place_dir(state), "f");
	struct err e;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct io *io = fault_io_start(&io_os);

		fault_io_add((struct fault){.call = FAULT_FALLOCATE, .error = cases[i].error});
		assert_int_equal(file_allocate(io, fd, 0, 4096, &e), cases[i].result);
		if (cases[i].result < 0)
			assert_int_equal(e.code, cases[i].error);
		assert_int_equal(fault_io_count(FAULT_FALLOCATE), cases[i].error == EINTR ? 2 : 1);
	}
	file_close(&io_os, fd);
}

/* --- file systems --- */

static void a_local_file_system_has_no_remote_type(void **state)
{
	int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	assert_null(file_remote_type(proc));
	assert_null(file_remote_type(-1));
	close(proc);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, place_open, place_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(an_opened_file_is_closed_on_exec_and_an_error_names_it),
	    TEST(opening_goes_on_after_a_signal),
	    TEST(all_is_written_over_short_writes_and_signals),
	    TEST(a_write_that_cannot_go_on_is_an_error),
	    TEST(reading_at_an_offset_is_short_only_at_the_end),
	    TEST(a_whole_file_is_appended_to_the_buffer_or_nothing),
	    TEST(a_file_larger_than_a_chunk_or_of_unknown_size_is_read_whole),
	    TEST(a_file_is_made_or_replaced_with_its_mode_and_both_syncs),
	    TEST(a_rest_of_a_dead_process_is_no_obstacle),
	    TEST(a_name_that_cannot_be_replaced_is_refused),
	    TEST(a_replacement_that_fails_leaves_the_old_file_and_no_other),
	    TEST(a_new_file_leaves_the_one_that_had_its_name_alone),
	    TEST(an_unsynced_replacement_is_whole_or_nothing),
	    TEST(the_directory_that_holds_a_path_is_synced),
	    TEST(a_parent_that_cannot_be_synced_is_an_error),
	    TEST(allocated_blocks_do_not_change_the_size),
	    TEST(a_file_system_that_cannot_allocate_is_no_error_but_a_full_one_is),
	    TEST(a_local_file_system_has_no_remote_type),
	};

	umask(022);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
