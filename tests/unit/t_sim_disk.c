/* The simulated disk: what a crash may leave of it, and what it may not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "seeded.h"
#include "sim/disk.h"

#define ROUNDS UINT64_C(200)

static int file_at(struct disk *d, const char *name, int flags)
{
	int root = disk_root(d);
	int fd = disk_io.openat(root, name, flags, 0600);

	disk_io.close(root);
	return fd;
}

static void write_at(int fd, char c, size_t n, off_t at)
{
	char bytes[4096];

	memset(bytes, c, n);
	assert_int_equal(disk_io.pwrite(fd, bytes, n, at), n);
}

static char read_at(struct disk *d, const char *name, off_t at)
{
	int fd = file_at(d, name, O_RDONLY);
	char c = '?';

	if (fd < 0)
		return '!';
	if (disk_io.pread(fd, &c, 1, at) != 1)
		c = '$';
	disk_io.close(fd);
	return c;
}

/* A file of four sectors of 'a', durable with its name. */
static int durable_file(struct disk *d)
{
	int root = disk_root(d);
	int fd = file_at(d, "f", O_RDWR | O_CREAT);

	write_at(fd, 'a', 2048, 0);
	assert_int_equal(disk_io.fdatasync(fd), 0);
	assert_int_equal(disk_io.fsync(root), 0);
	disk_io.close(root);
	return fd;
}

static void what_was_synced_stays(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < ROUNDS; seed++) {
		struct disk *d = disk_new(seed);

		(void)durable_file(d);
		disk_power_loss(d);
		for (off_t at = 0; at < 2048; at += 512)
			assert_int_equal(read_at(d, "f", at), 'a');
		assert_int_equal(disk_dirty(d), 0);
		disk_free(d);
	}
}

/* Each of the sectors is old or new, and every mixture of them comes. */
static void what_was_not_synced_is_kept_by_sectors(void **state)
{
	unsigned seen[16] = {0};

	(void)state;
	for (uint64_t seed = 0; seed < 10 * ROUNDS; seed++) {
		struct disk *d = disk_new(seed);
		int fd = durable_file(d);
		unsigned kept = 0;

		write_at(fd, 'b', 2048, 0);
		assert_int_equal(disk_dirty(d), 2048);
		disk_power_loss(d);
		for (unsigned s = 0; s < 4; s++) {
			char first = read_at(d, "f", (off_t)s * 512);

			assert_true(first == 'a' || first == 'b');
			assert_int_equal(read_at(d, "f", s * 512 + 511), first);
			kept |= (unsigned)(first == 'b') << s;
		}
		seen[kept]++;
		disk_free(d);
	}
	for (unsigned i = 0; i < 16; i++)
		assert_true(seen[i] > 0);
}

static void a_kill_loses_nothing_that_was_written(void **state)
{
	struct disk *d = disk_new(1);
	int fd = durable_file(d);

	(void)state;
	write_at(fd, 'b', 512, 512);
	disk_kill(d);
	assert_int_equal(disk_io.pwrite(fd, "x", 1, 0), -1);
	assert_int_equal(errno, EBADF);
	assert_int_equal(read_at(d, "f", 512), 'b');
	disk_free(d);
}

/* A file that grew: any size between, and zeros where no data came. */
static void a_size_may_come_without_its_data(void **state)
{
	unsigned shorter = 0, zeros = 0, whole = 0;

	(void)state;
	for (uint64_t seed = 0; seed < ROUNDS; seed++) {
		struct disk *d = disk_new(seed);
		int fd = durable_file(d);
		char c;

		write_at(fd, 'b', 512, 2048);
		disk_power_loss(d);
		c = read_at(d, "f", 2048);
		shorter += c == '$';
		zeros += c == '\0';
		whole += c == 'b';
		assert_true(c == '$' || c == '\0' || c == 'b');
		disk_free(d);
	}
	assert_true(shorter > 0 && zeros > 0 && whole > 0);
}

static void names_are_lost_without_a_sync_of_the_directory(void **state)
{
	unsigned old = 0, new = 0, both = 0, made = 0;

	(void)state;
	for (uint64_t seed = 0; seed < ROUNDS; seed++) {
		struct disk *d = disk_new(seed);
		int fd = durable_file(d);
		int root = disk_root(d);
		bool f, g;

		disk_io.close(fd);
		assert_int_equal(disk_io.renameat(root, "f", root, "g"), 0);
		assert_true(file_at(d, "n", O_RDWR | O_CREAT) >= 0);
		disk_power_loss(d);
		f = read_at(d, "f", 0) == 'a';
		g = read_at(d, "g", 0) == 'a';
		old += f && !g;
		new += g && !f;
		both += f == g;
		made += read_at(d, "n", 0) != '!';
		disk_free(d);
	}
	assert_true(old > 0 && new > 0 && made > 0 && made < ROUNDS);
	assert_int_equal(both, 0); /* a rename is done or not */
}

/* What was dirty is dropped or got through; a second sync says that all is well. */
static void a_sync_that_fails_drops_what_was_dirty(void **state)
{
	unsigned dropped = 0, through = 0;

	(void)state;
	for (uint64_t seed = 0; seed < ROUNDS; seed++) {
		struct disk *d = disk_new(seed);
		int fd = durable_file(d);

		write_at(fd, 'b', 512, 0);
		disk_arm(d, DISK_SYNC_EIO, 1);
		assert_int_equal(disk_io.fdatasync(fd), -1);
		assert_int_equal(errno, EIO);
		assert_int_equal(disk_io.fdatasync(fd), 0);
		assert_int_equal(disk_hits(d, DISK_SYNC_EIO), 1);
		disk_power_loss(d);
		dropped += read_at(d, "f", 0) == 'a';
		through += read_at(d, "f", 0) == 'b';
		disk_free(d);
	}
	assert_true(dropped > 0 && through > 0);
}

static void calls_fail_when_they_are_armed(void **state)
{
	struct disk *d = disk_new(7);
	int fd = durable_file(d);
	char bytes[100] = {0};

	(void)state;
	disk_arm(d, DISK_WRITE_FULL, 2);
	assert_int_equal(disk_io.pwrite(fd, bytes, 100, 0), 100);
	assert_int_equal(disk_io.pwrite(fd, bytes, 100, 0), -1);
	assert_int_equal(errno, ENOSPC);
	assert_int_equal(disk_io.pwrite(fd, bytes, 100, 0), 100);
	disk_arm(d, DISK_WRITE_SHORT, 1);
	assert_in_range(disk_io.pwrite(fd, bytes, 100, 0), 1, 99);
	disk_arm(d, DISK_READ_EIO, 1);
	assert_int_equal(disk_io.pread(fd, bytes, 100, 0), -1);
	assert_int_equal(errno, EIO);
	disk_free(d);
}

static void a_bit_rots_in_cache_and_platter(void **state)
{
	struct disk *d = disk_new(3);
	struct span name;
	size_t size;

	(void)state;
	(void)durable_file(d);
	assert_true(disk_file(d, 0, &name, &size));
	assert_int_equal(size, 2048);
	assert_int_equal(name.len, 1);
	disk_rot(d, 0, 700, 1);
	assert_int_equal(read_at(d, "f", 700), 'a' ^ 2);
	disk_power_loss(d);
	assert_int_equal(read_at(d, "f", 700), 'a' ^ 2);
	assert_false(disk_file(d, 1, &name, &size));
	disk_free(d);
}

static void one_process_at_a_time_holds_a_file(void **state)
{
	struct disk *d = disk_new(3);
	int a = durable_file(d);
	int b = file_at(d, "f", O_RDWR);

	(void)state;
	assert_int_equal(disk_io.lock(a), 0);
	assert_int_equal(disk_io.lock(b), -1);
	assert_int_equal(errno, EAGAIN);
	disk_io.close(a);
	assert_int_equal(disk_io.lock(b), 0);
	disk_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_was_synced_stays),
	    cmocka_unit_test(what_was_not_synced_is_kept_by_sectors),
	    cmocka_unit_test(a_kill_loses_nothing_that_was_written),
	    cmocka_unit_test(a_size_may_come_without_its_data),
	    cmocka_unit_test(names_are_lost_without_a_sync_of_the_directory),
	    cmocka_unit_test(a_sync_that_fails_drops_what_was_dirty),
	    cmocka_unit_test(calls_fail_when_they_are_armed),
	    cmocka_unit_test(a_bit_rots_in_cache_and_platter),
	    cmocka_unit_test(one_process_at_a_time_holds_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
