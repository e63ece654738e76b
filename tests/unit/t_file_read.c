/* file: the calls of the table that only look, and those built on them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "fault_io.h"
#include "os/file.h"
#include "tmp_dir.h"

static char *path;
static int dir;

static int open_place(void **state)
{
	struct err e;

	(void)state;
	path = tmp_dir_new();
	dir = file_open_dir(&io_os, AT_FDCWD, path, &e);
	return dir < 0 ? -1 : 0;
}

static int close_place(void **state)
{
	(void)state;
	close(dir);
	tmp_dir_free(path);
	return 0;
}

static int new_file(const char *name)
{
	int fd = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	return fd;
}

static void a_short_read_goes_on_and_an_error_is_told(void **state)
{
	int fd = new_file("f");
	const struct io *io = fault_io_start(&io_os);
	char got[8];
	struct err e;

	(void)state;
	assert_int_equal(file_write_all(&io_os, fd, "0123456789", 10, 0, &e), 0);
	fault_io_add((struct fault){.call = FAULT_PREAD, .always = true, .short_to = 3});
	assert_int_equal(file_read_at(io, fd, got, 8, 1, &e), 8);
	assert_memory_equal(got, "12345678", 8);
	assert_int_equal(fault_io_count(FAULT_PREAD), 3);
	io = fault_io_start(&io_os);
	fault_io_add((struct fault){.call = FAULT_PREAD, .error = EINTR});
	fault_io_add((struct fault){.call = FAULT_PREAD, .nth = 3, .error = EIO});
	assert_int_equal(file_read_at(io, fd, got, 8, 1, &e), 8);
	assert_int_equal(file_read_at(io, fd, got, 8, 1, &e), -1);
	assert_int_equal(e.code, EIO);
	file_close(&io_os, fd);
}

static void a_directory_is_listed_whole_and_again(void **state)
{
	int one = new_file("one");
	int two = new_file("two");
	struct buf b = {0};
	off_t size = 0;
	struct err e;

	(void)state;
	assert_int_equal(file_write_all(&io_os, one, "0123", 4, 0, &e), 0);
	assert_int_equal(io_os.size(one, &size), 0);
	assert_int_equal(size, 4);
	assert_int_equal(io_os.size(-1, &size), -1);
	for (int i = 0; i < 2; i++) {
		buf_clear(&b);
		assert_int_equal(file_list(&io_os, dir, &b, &e), 0);
		assert_int_equal(b.len, 8);
		assert_true(memcmp(b.data, "one\0two", 8) == 0 ||
		            memcmp(b.data, "two\0one", 8) == 0);
	}
	assert_int_equal(file_list(&io_os, one, &b, &e), -1);
	assert_int_equal(e.code, ENOTDIR);
	assert_int_equal(b.len, 8);
	buf_done(&b);
	file_close(&io_os, one);
	file_close(&io_os, two);
}

static void a_file_is_held_by_one_fd_until_it_is_closed(void **state)
{
	int one = new_file("f");
	int two = openat(dir, "f", O_RDWR | O_CLOEXEC);

	(void)state;

	assert_int_equal(io_os.lock(one), 0);
	assert_int_equal(io_os.lock(one), 0);
	assert_int_equal(io_os.lock(two), -1);
	assert_int_equal(errno, EAGAIN);
	file_close(&io_os, one);
	assert_int_equal(io_os.lock(two), 0);
	assert_int_equal(io_os.lock(-1), -1);
	assert_int_equal(errno, EBADF);
	file_close(&io_os, two);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_place, close_place)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_short_read_goes_on_and_an_error_is_told),
	    TEST(a_directory_is_listed_whole_and_again),
	    TEST(a_file_is_held_by_one_fd_until_it_is_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
