/* fault_io: the call that was chosen fails, as chosen, and no other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fault_io.h"
#include "tmp_dir.h"

static void note(bool failed, int *first)
{
	if (failed && *first == 0)
		*first = errno;
}

/* One call of each kind; the error number of the first that failed. */
static int call_all(const struct io *io, const char *dir)
{
	int first = 0;
	int at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int other = openat(at, "other", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct buf names = {0};
	off_t size = 0;
	char got[2];
	int fd;

	assert_true(at >= 0 && other >= 0);
	fd = io->openat(at, "f", O_RDWR | O_CREAT, 0600);
	note(fd < 0, &first);
	note(io->pwrite(other, "0123", 4, 0) != 4, &first);
	note(io->ftruncate(other, 10) < 0, &first);
	note(io->fallocate(other, FALLOC_FL_KEEP_SIZE, 0, 100) < 0, &first);
	note(io->fdatasync(other) < 0, &first);
	note(io->fsync(at) < 0, &first);
	note(io->linkat(at, "other", at, "link") < 0, &first);
	note(io->renameat(at, "other", at, "renamed") < 0, &first);
	note(io->unlinkat(at, "link") < 0, &first);
	note(io->mkdirat(at, "d", 0700) < 0, &first);
	note(io->pread(other, got, sizeof(got), 0) != sizeof(got), &first);
	note(io->size(other, &size) < 0, &first);
	note(io->list(at, &names) < 0, &first);
	note(io->lock(other) < 0, &first);
	note(io->close(other) < 0, &first);
	buf_done(&names);
	if (fd >= 0)
		close(fd);
	close(at);
	return first;
}

static void each_kind_of_call_passes_is_counted_and_fails_on_demand(void **state)
{
	(void)state;
	for (enum fault_call call = FAULT_ANY; call < FAULT_CALLS; call++) {
		char *dir = tmp_dir_new();
		const struct io *io = fault_io_start(&io_os);

		assert_int_equal(call_all(io, dir), 0);
		tmp_dir_free(dir);
		dir = tmp_dir_new();
		for (enum fault_call k = FAULT_OPENAT; k < FAULT_CALLS; k++)
			assert_int_equal(fault_io_count(k), 1);
		assert_int_equal(fault_io_count(FAULT_ANY), FAULT_CLOSE - FAULT_OPENAT);
		assert_int_equal(fault_io_hits(), 0);
		fault_io_add((struct fault){.call = call, .error = EIO});
		assert_int_equal(call_all(io, dir), EIO);
		assert_int_equal(fault_io_hits(), 1);
		assert_non_null(fault_io_name(call));
		tmp_dir_free(dir);
	}
}

static void a_fault_strikes_once_at_its_turn_or_from_then_on(void **state)
{
	char *dir = tmp_dir_new();
	const struct io *io = fault_io_start(&io_os);

	(void)state;
	fault_io_add((struct fault){.call = FAULT_MKDIRAT, .nth = 2, .error = ENOSPC});
	assert_int_equal(io->mkdirat(AT_FDCWD, dir, 0700), -1);
	assert_int_equal(errno, EEXIST);
	assert_int_equal(io->mkdirat(AT_FDCWD, dir, 0700), -1);
	assert_int_equal(errno, ENOSPC);
	assert_int_equal(io->mkdirat(AT_FDCWD, dir, 0700), -1);
	assert_int_equal(errno, EEXIST);
	fault_io_add(
	    (struct fault){.call = FAULT_MKDIRAT, .nth = 2, .always = true, .error = EROFS});
	assert_int_equal(io->mkdirat(AT_FDCWD, dir, 0700), -1);
	assert_int_equal(errno, EEXIST);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(io->mkdirat(AT_FDCWD, dir, 0700), -1);
		assert_int_equal(errno, EROFS);
	}
	assert_int_equal(fault_io_hits(), 4);
	tmp_dir_free(dir);
}

static void a_call_may_be_done_and_fail_all_the_same(void **state)
{
	char *dir = tmp_dir_new();
	const struct io *io = fault_io_start(&io_os);
	int at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd;
	struct stat st;

	(void)state;
	fault_io_add(
	    (struct fault){.call = FAULT_ANY, .always = true, .error = EIO, .after = true});
	assert_int_equal(io->openat(at, "f", O_RDWR | O_CREAT | O_CLOEXEC, 0600), -1);
	fd = openat(at, "f", O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(io->pwrite(fd, "0123", 4, 0), -1);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 4);
	assert_int_equal(io->renameat(at, "f", at, "g"), -1);
	assert_int_equal(errno, EIO);
	assert_int_equal(fstatat(at, "g", &st, 0), 0);
	close(fd);
	close(at);
	tmp_dir_free(dir);
}

static void a_failing_close_closes(void **state)
{
	const struct io *io = fault_io_start(&io_os);
	int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	fault_io_add((struct fault){.call = FAULT_CLOSE, .error = EIO});
	assert_int_equal(io->close(fd), -1);
	assert_int_equal(errno, EIO);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_kind_of_call_passes_is_counted_and_fails_on_demand),
	    cmocka_unit_test(a_fault_strikes_once_at_its_turn_or_from_then_on),
	    cmocka_unit_test(a_call_may_be_done_and_fail_all_the_same),
	    cmocka_unit_test(a_failing_close_closes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
