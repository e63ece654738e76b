/* file: whole writes, replacement, allocation and locks, with every call failing in turn. */
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
#include "tmp_dir.h"

struct place {
	char *path;
	int dir;
};

static int open_place(void **state)
{
	struct place *p = malloc(sizeof(*p));
	struct err e;

	assert_non_null(p);
	p->path = tmp_dir_new();
	p->dir = file_open_dir(&io_os, AT_FDCWD, p->path, &e);
	assert_true(p->dir >= 0);
	*state = p;
	return 0;
}

static int close_place(void **state)
{
	struct place *p = *state;

	close(p->dir);
	tmp_dir_free(p->path);
	free(p);
	return 0;
}

static int dir_of(void **state)
{
	return ((struct place *)*state)->dir;
}

static int new_file(int dir, const char *name)
{
	struct err e;
	int fd = file_open(&io_os, dir, name, O_RDWR | O_CREAT, 0600, &e);

	assert_true(fd >= 0);
	return fd;
}

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
	int dir = dir_of(state);
	int fd = new_file(dir, "f");
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
	fd = file_open(io, dir_of(state), "f", O_RDWR | O_CREAT, 0600, &e);
	assert_true(fd >= 0);
	assert_int_equal(fault_io_count(FAULT_OPENAT), 2);
	file_close(io, fd);
}

static void all_is_written_over_short_writes_and_signals(void **state)
{
	const struct io *io = fault_io_start(&io_os);
	int fd = new_file(dir_of(state), "f");
	struct err e;

	fault_io_add((struct fault){.call = FAULT_PWRITE, .nth = 2, .error = EINTR});
	fault_io_add((struct fault){.call = FAULT_PWRITE, .always = true, .short_to = 3});
	assert_int_equal(file_write_all(io, fd, "0123456789", 10, 0, &e), 0);
	assert_int_equal(fault_io_count(FAULT_PWRITE), 5);
	assert_int_equal(file_write_all(io, fd, "ab", 2, 4, &e), 0);
	assert_int_equal(file_write_all(io, fd, NULL, 0, 4, &e), 0);
	assert_holds(dir_of(state), "f", "0123ab6789");
	file_close(io, fd);
}

static void a_write_that_cannot_go_on_is_an_error(void **state)
{
	const struct io *io = fault_io_start(&io_os);
	int fd = new_file(dir_of(state), "f");
	struct err e;

	fault_io_add((struct fault){.call = FAULT_PWRITE, .short_to = 3});
	fault_io_add((struct fault){.call = FAULT_PWRITE, .nth = 2, .error = ENOSPC});
	fault_io_add((struct fault){.call = FAULT_PWRITE, .nth = 3, .short_to = 0});
	assert_int_equal(file_write_all(io, fd, "0123456789", 10, 0, &e), -1);
	assert_int_equal(e.code, ENOSPC);
	assert_holds(dir_of(state), "f", "012");
	assert_int_equal(file_write_all(io, fd, "0123456789", 10, 0, &e), -1);
	assert_int_equal(e.code, EIO);
	file_close(io, fd);
	assert_int_equal(file_write_all(&io_os, -1, "0", 1, 0, &e), -1);
	assert_int_equal(e.code, EBADF);
}

static void reading_at_an_offset_is_short_only_at_the_end(void **state)
{
	int fd = new_file(dir_of(state), "f");
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
	int dir = dir_of(state);
	int fd = new_file(dir, "f");
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
	int fd = new_file(dir_of(state), "f");
	struct buf b = {0};
	struct err e;

	assert_int_equal(ftruncate(fd, 1000000), 0);
	assert_int_equal(pwrite(fd, "x", 1, 999999), 1);
	file_close(&io_os, fd);
	assert_int_equal(file_read(dir_of(state), "f", SIZE_MAX, &b, &e), 0);
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
	int dir = dir_of(state);
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
	int dir = dir_of(state);
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
	assert_int_equal(file_replace(&io_os, dir_of(state), "a/b", "", 0, 0600, &e), -1);
	assert_int_equal(e.code, EINVAL);
	assert_int_equal(file_replace(&io_os, dir_of(state), "", "", 0, 0600, &e), -1);
	assert_int_equal(e.code, EINVAL);
	assert_int_equal(file_replace(&io_os, dir_of(state), long_name, "", 0, 0600, &e), -1);
	assert_int_equal(e.code, ENAMETOOLONG);
	assert_int_equal(count_entries(dir_of(state)), 0);
}

/* What the n-th failing call leaves, and that no failed sync is tried again. */
static void a_replacement_that_fails_leaves_the_old_file_and_no_other(void **state)
{
	int dir = dir_of(state);
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

/* --- allocation --- */

static void allocated_blocks_do_not_change_the_size(void **state)
{
	int fd = new_file(dir_of(state), "f");
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
	int fd = new_file(dir_of(state), "f");
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

/* --- locks --- */

static void one_byte_is_one_lock_of_one_open_file(void **state)
{
	int a = new_file(dir_of(state), "lock");
	int b = new_file(dir_of(state), "lock");
	struct err e;

	assert_int_equal(file_lock(a, 0, FILE_LOCK_EXCLUSIVE, -1, &e), 0);
	assert_int_equal(file_try_lock(a, 0, FILE_LOCK_EXCLUSIVE, &e), 1);
	assert_int_equal(file_try_lock(b, 0, FILE_LOCK_EXCLUSIVE, &e), 0);
	assert_int_equal(file_try_lock(b, 0, FILE_LOCK_SHARED, &e), 0);
	assert_int_equal(file_try_lock(b, 1, FILE_LOCK_EXCLUSIVE, &e), 1);
	assert_true(file_is_locked(b, 0));
	assert_false(file_is_locked(a, 0));
	file_unlock(a, 0);
	file_unlock(a, 0);
	assert_false(file_is_locked(b, 0));
	assert_int_equal(file_try_lock(b, 0, FILE_LOCK_SHARED, &e), 1);
	assert_int_equal(file_try_lock(a, 0, FILE_LOCK_SHARED, &e), 1);
	assert_int_equal(file_try_lock(a, 0, FILE_LOCK_EXCLUSIVE, &e), 0);
	close(b);
	assert_int_equal(file_lock(a, 0, FILE_LOCK_EXCLUSIVE, 0, &e), 0);
	assert_int_equal(file_lock(a, 1, FILE_LOCK_EXCLUSIVE, 0, &e), 0);
	close(a);
}

static void waiting_for_a_lock_ends_at_the_timeout(void **state)
{
	int a = new_file(dir_of(state), "lock");
	int b = new_file(dir_of(state), "lock");
	int64_t before;
	struct err e;

	assert_int_equal(file_lock(a, 7, FILE_LOCK_EXCLUSIVE, INT64_MAX, &e), 0);
	assert_int_equal(file_lock(b, 7, FILE_LOCK_SHARED, 0, &e), -1);
	assert_int_equal(e.code, ETIMEDOUT);
	before = clock_boot_ns();
	assert_int_equal(file_lock(b, 7, FILE_LOCK_EXCLUSIVE, 30, &e), -1);
	assert_int_equal(e.code, ETIMEDOUT);
	assert_true(clock_boot_ns() - before >= 30 * CLOCK_NS_PER_MS);
	close(a);
	close(b);
}

static void a_lock_that_the_fd_cannot_have_is_an_error(void **state)
{
	int fd;
	struct err e;

	close(new_file(dir_of(state), "lock"));
	fd = file_open(&io_os, dir_of(state), "lock", O_RDONLY, 0, &e);
	assert_int_equal(file_try_lock(fd, 0, FILE_LOCK_EXCLUSIVE, &e), -1);
	assert_int_equal(e.code, EBADF);
	assert_int_equal(file_lock(fd, 0, FILE_LOCK_EXCLUSIVE, -1, &e), -1);
	assert_int_equal(e.code, EBADF);
	assert_int_equal(file_lock(fd, 0, FILE_LOCK_EXCLUSIVE, 1000, &e), -1);
	assert_int_equal(e.code, EBADF);
	assert_int_equal(file_lock(fd, 0, FILE_LOCK_SHARED, 1000, &e), 0);
	close(fd);
}

/* A process that takes byte 0 of the lock file, tells so, and dies with it a little later. */
static pid_t hold_lock_and_die(int dir)
{
	int ready[2];
	char c;
	pid_t pid;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct err e;
		int fd = openat(dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

		if (fd < 0 || file_lock(fd, 0, FILE_LOCK_EXCLUSIVE, -1, &e) < 0)
			_exit(1);
		if (write(ready[1], "x", 1) != 1)
			_exit(1);
		poll(NULL, 0, 30);
		raise(SIGKILL);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	return pid;
}

static void tick(int sig)
{
	(void)sig;
}

static void a_killed_process_gives_its_lock_to_a_waiter_that_signals_do_not_disturb(void **state)
{
	static const int64_t timeouts[] = {-1, 600000};
	const struct sigaction on = {.sa_handler = tick}; /* no SA_RESTART: calls see EINTR */
	const struct itimerval every = {.it_interval = {0, 2000}, .it_value = {0, 2000}};
	const struct itimerval never = {{0, 0}, {0, 0}};
	const struct sigaction off = {.sa_handler = SIG_IGN};

	for (size_t i = 0; i < 2; i++) {
		int fd = new_file(dir_of(state), "lock");
		pid_t holder = hold_lock_and_die(dir_of(state));
		int status;
		struct err e;
		int r;

		assert_int_equal(sigaction(SIGALRM, &on, NULL), 0);
		setitimer(ITIMER_REAL, &every, NULL);
		r = file_lock(fd, 0, FILE_LOCK_EXCLUSIVE, timeouts[i], &e);
		setitimer(ITIMER_REAL, &never, NULL);
		assert_int_equal(sigaction(SIGALRM, &off, NULL), 0);
		assert_int_equal(r, 0);
		assert_int_equal(waitpid(holder, &status, 0), holder);
		assert_true(WIFSIGNALED(status));
		close(fd);
	}
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_place, close_place)

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
	    TEST(allocated_blocks_do_not_change_the_size),
	    TEST(a_file_system_that_cannot_allocate_is_no_error_but_a_full_one_is),
	    TEST(one_byte_is_one_lock_of_one_open_file),
	    TEST(waiting_for_a_lock_ends_at_the_timeout),
	    TEST(a_lock_that_the_fd_cannot_have_is_an_error),
	    TEST(a_killed_process_gives_its_lock_to_a_waiter_that_signals_do_not_disturb),
	    TEST(a_local_file_system_has_no_remote_type),
	};

	umask(022);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
