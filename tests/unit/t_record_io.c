/* record_io: what images of single files and names a crash may leave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "fault_io.h"
#include "os/file.h"
#include "record_io.h"
#include "record_toy.h"

/* --- the promise "x is stored" of a toy that creates a file and acknowledges --- */

enum { SYNC_FILE = 1, SYNC_DIR = 2 };

/* n[0]: images after the acknowledgement; n[1]: those that have lost it */
static int count_lost(const struct record_image *im, void *arg, struct err *e)
{
	struct toy *t = arg;

	(void)e;
	if (!record_image_marked(im, "acknowledged"))
		return 0;
	t->n[0]++;
	t->n[1] += !toy_holds(im, "x", 'x', 1500);
	return 0;
}

static void acknowledge_after(struct toy *t, int syncs)
{
	int fd = toy_create(t, "x");

	toy_write(t, fd, 0, 'x', 1500);
	if ((syncs & SYNC_FILE) != 0)
		assert_int_equal(t->io->fdatasync(fd), 0);
	if ((syncs & SYNC_DIR) != 0)
		assert_int_equal(file_sync_dir(t->io, t->fd, &t->e), 0);
	record_io_mark(t->r, "acknowledged");
	file_close(t->io, fd);
	toy_images(t, count_lost);
}

static void an_acknowledged_write_that_was_not_synced_is_lost_in_some_image(void **state)
{
	struct toy t = toy_open(NULL, NULL);

	(void)state;
	acknowledge_after(&t, SYNC_DIR);
	assert_true(t.n[1] > 1);
	assert_true(t.n[1] < t.n[0]);
	toy_close(&t);
}

static void a_synced_file_whose_directory_was_not_synced_is_lost_in_some_image(void **state)
{
	struct toy t = toy_open(NULL, NULL);

	(void)state;
	acknowledge_after(&t, SYNC_FILE);
	assert_true(t.n[1] > 0);
	assert_true(t.n[1] < t.n[0]);
	toy_close(&t);
}

static void what_was_synced_the_right_way_is_lost_in_no_image(void **state)
{
	struct toy t = toy_open(NULL, NULL);

	(void)state;
	acknowledge_after(&t, SYNC_FILE | SYNC_DIR);
	assert_int_equal(t.n[1], 0);
	assert_int_equal(t.n[0], 1); /* nothing is open, so all images are one */
	toy_close(&t);
}

/* --- file data --- */

#define SECTORS ((size_t)20)

/* n[0]: a lost sector before a kept one; n[1]: cut; n[2]: lost as a whole; n[3]: complete */
static int look_for_holes(const struct record_image *im, void *arg, struct err *e)
{
	struct toy *t = arg;
	struct buf b = {0};
	unsigned kept = 0;
	bool hole = false;

	if (toy_load(im, "x", &b) == 1) {
		for (size_t s = 0; s + 512 <= b.len; s += 512) {
			char c = b.data[s];

			for (size_t i = s; i < s + 512; i++)
				if (b.data[i] != c)
					err_set(e, EIO, "a sector is torn");
			hole = hole || (c != 0 && kept < s / 512);
			kept += c != 0;
		}
		t->n[0] += hole;
		t->n[1] += b.len > 0 && b.len < SECTORS * 512;
		t->n[2] += b.len == SECTORS * 512 && kept == 0;
		t->n[3] += kept == SECTORS;
	}
	buf_done(&b);
	return strcmp(e->msg, "a sector is torn") == 0 ? -1 : 0;
}

static void a_long_write_is_torn_between_sectors_with_holes_in_it(void **state)
{
	struct toy t = toy_open(NULL, NULL);
	int fd = toy_durable(&t, "x", 'x', 0);

	(void)state;
	for (size_t i = 0; i < SECTORS; i++)
		toy_write(&t, fd, i * 512, (char)('a' + i), 512);
	assert_int_equal(t.io->ftruncate(fd, 0), 0);
	assert_int_equal(t.io->fdatasync(fd), 0);
	toy_write(&t, fd, 0, 'w', SECTORS * 512);
	toy_images(&t, look_for_holes);
	for (size_t i = 0; i < 4; i++)
		assert_true(t.n[i] > 0);
	file_close(t.io, fd);
	toy_close(&t);
}

/* n[0]: both old and new sectors; n[1]: sectors as they were between the writes */
static int look_for_versions(const struct record_image *im, void *arg, struct err *e)
{
	struct toy *t = arg;
	struct buf b = {0};
	unsigned n_old = 0;
	unsigned n_mid = 0;
	unsigned n_new = 0;
	int result = 0;

	if (toy_load(im, "x", &b) == 1 && b.len > 0) {
		for (size_t i = 0; i < b.len; i++) {
			n_old += b.data[i] == 'o';
			n_mid += b.data[i] == 'm';
			n_new += b.data[i] == 'n';
		}
		t->n[0] += n_old > 0 && n_new > 0;
		t->n[1] += n_mid > 0 && n_new > 0;
		if (record_image_marked(im, "durable") &&
		    (b.len != 8192 || n_old + n_mid + n_new != b.len))
			result = err_set(e, EIO, "durable bytes are neither old nor new");
	}
	buf_done(&b);
	return result;
}

static void an_overwritten_sector_is_old_new_or_as_between_two_writes(void **state)
{
	struct toy t = toy_open(NULL, NULL);
	int fd = toy_durable(&t, "x", 'o', 8192);

	(void)state;
	record_io_mark(t.r, "durable");
	toy_write(&t, fd, 0, 'm', 8192);
	toy_write(&t, fd, 0, 'n', 8192);
	toy_images(&t, look_for_versions);
	assert_true(t.n[0] > 0);
	assert_true(t.n[1] > 0);
	file_close(t.io, fd);
	toy_close(&t);
}

/* n[0]: 100 bytes; n[1]: 4096; n[2]: 8192; n[3]: 9000 */
static int look_at_sizes(const struct record_image *im, void *arg, struct err *e)
{
	struct toy *t = arg;
	struct buf b = {0};
	int result = 0;

	if (record_image_marked(im, "durable") && toy_load(im, "x", &b) == 1) {
		if (b.len == 100)
			t->n[0]++;
		else if (b.len == 4096)
			t->n[1]++;
		else if (b.len == 8192)
			t->n[2]++;
		else if (b.len == 9000)
			t->n[3]++;
		else
			result = err_set(e, EIO, "%zu bytes", b.len);
	}
	buf_done(&b);
	return result;
}

static void a_file_that_grew_has_its_old_or_new_size_or_whole_pages_of_it(void **state)
{
	struct toy t = toy_open(NULL, NULL);
	int fd = toy_durable(&t, "x", 'o', 100);

	(void)state;
	record_io_mark(t.r, "durable");
	toy_write(&t, fd, 100, 'n', 8900);
	toy_images(&t, look_at_sizes);
	for (size_t i = 0; i < 4; i++)
		assert_true(t.n[i] > 0);
	file_close(t.io, fd);
	toy_close(&t);
}

/* n[0]: the old size with all bytes; n[1]: with zeros in the cut page; n[2]: the new size;
 * n[3]: grown again */
static int look_at_tails(const struct record_image *im, void *arg, struct err *e)
{
	struct toy *t = arg;
	struct buf b = {0};
	int result = 0;

	if (record_image_marked(im, "durable") && toy_load(im, "x", &b) == 1) {
		t->n[0] += b.len == 9000 && b.data[1000] == 'o';
		t->n[1] += b.len == 9000 && b.data[1500] == 0;
		t->n[2] += b.len == 1000;
		t->n[3] += b.len == 7000;
		if (b.len < 1000 || b.data[0] != 'o' || b.data[999] != 'o' ||
		    (b.len == 9000 && b.data[5000] != 'o') ||
		    (b.len == 7000 && b.data[6999] == 'o'))
			result =
			    err_set(e, EIO, "%zu bytes, not as a truncation leaves them", b.len);
	}
	buf_done(&b);
	return result;
}

static void an_unsynced_truncation_may_be_undone_but_for_its_last_page(void **state)
{
	struct toy t = toy_open(NULL, NULL);
	int fd = toy_durable(&t, "x", 'o', 9000);

	(void)state;
	record_io_mark(t.r, "durable");
	assert_int_equal(t.io->ftruncate(fd, 1000), 0);
	toy_write(&t, fd, 1000, 'n', 6000);
	toy_images(&t, look_at_tails);
	for (size_t i = 0; i < 4; i++)
		assert_true(t.n[i] > 0);
	file_close(t.io, fd);
	toy_close(&t);
}

/* --- a failed sync --- */

static void what_a_failed_sync_dropped_is_lost_though_a_later_one_succeeds(void **state)
{
	struct toy t = toy_open(fault_io_start(&io_os), NULL);
	int fd = toy_durable(&t, "y", 'y', 0);

	(void)state;
	file_close(t.io, fd);
	fd = toy_durable(&t, "x", 'x', 0);
	toy_write(&t, fd, 0, 'x', 1500);
	fault_io_add((struct fault){.call = FAULT_FDATASYNC, .error = EIO});
	assert_int_equal(t.io->fdatasync(fd), -1);
	assert_int_equal(errno, EIO);
	assert_int_equal(t.io->fdatasync(fd), 0);
	record_io_mark(t.r, "acknowledged");
	toy_images(&t, count_lost);
	assert_int_equal(t.n[0], 1);
	assert_int_equal(t.n[1], 1);
	file_close(t.io, fd);
	toy_close(&t);
}

static void a_page_that_was_written_again_after_a_failed_sync_is_durable(void **state)
{
	struct toy t = toy_open(fault_io_start(&io_os), NULL);
	int fd = toy_durable(&t, "x", 'x', 0);

	(void)state;
	toy_write(&t, fd, 0, 'x', 1500);
	fault_io_add((struct fault){.call = FAULT_FSYNC, .error = EIO});
	assert_int_equal(t.io->fsync(fd), -1);
	toy_write(&t, fd, 700, 'x', 1);
	assert_int_equal(t.io->fdatasync(fd), 0);
	record_io_mark(t.r, "acknowledged");
	toy_images(&t, count_lost);
	assert_int_equal(t.n[0], 1);
	assert_int_equal(t.n[1], 0);
	file_close(t.io, fd);
	toy_close(&t);
}

/* --- calls that the record must see for what they do --- */

static int accept(const struct record_image *im, void *arg, struct err *e)
{
	(void)im;
	(void)arg;
	(void)e;
	return 0;
}

static void every_call_of_the_table_is_recorded_as_it_was_done(void **state)
{
	struct toy t = toy_open(NULL, NULL);
	int fd = toy_durable(&t, "x", 'x', 5000);
	int other;

	(void)state;
	assert_int_equal(t.io->mkdirat(t.fd, "d", 0750), 0);
	assert_int_equal(t.io->linkat(t.fd, "x", t.fd, "d/link"), 0);
	other = file_open(t.io, t.fd, "d/y", O_RDWR | O_CREAT | O_APPEND, 0640, &t.e);
	assert_true(other >= 0);
	toy_write(&t, other, 0, 'y', 1000);
	toy_write(&t, other, 0, 'z', 1000);
	assert_int_equal(t.io->fallocate(fd, 0, 0, 6000), 0);
	assert_int_equal(t.io->fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 100, 1000),
	                 0);
	assert_int_equal(t.io->fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 1 << 20), 0);
	assert_int_equal(t.io->renameat(t.fd, "d/link", t.fd, "x"), 0); /* one file: nothing */
	assert_int_equal(t.io->renameat(t.fd, "d", t.fd, "e"), 0);
	assert_int_equal(t.io->renameat(t.fd, "e/y", t.fd, "y"), 0);
	assert_int_equal(t.io->unlinkat(t.fd, "x"), 0);
	assert_int_equal(t.io->unlinkat(t.fd, "x"), -1);
	file_close(t.io, file_open(t.io, t.fd, "y", O_RDWR | O_TRUNC, 0, &t.e));
	toy_write(&t, other, 0, 'y', 10);
	toy_write(&t, other, 0, 'z', 10); /* O_APPEND: at 10 */
	assert_int_equal(record_io_calls(t.r), 17);
	/* It compares the whole tree with what the record says. */
	toy_images(&t, accept);
	file_close(t.io, other);
	file_close(t.io, fd);
	toy_close(&t);
}

/* n[0]: images */
static int compare_start(const struct record_image *im, void *arg, struct err *e)
{
	struct toy *t = arg;
	struct stat a;
	struct stat b;
	char path[4096];

	t->n[0]++;
	snprintf(path, sizeof(path), "%s/x", im->dir);
	if (!toy_holds(im, "x", 'x', 700) || !toy_holds(im, "d/link", 'x', 700) ||
	    stat(path, &a) < 0)
		return err_set(e, EIO, "what was there at the start is not there");
	snprintf(path, sizeof(path), "%s/d/link", im->dir);
	if (stat(path, &b) < 0 || a.st_ino != b.st_ino || (a.st_mode & 0777) != 0640)
		return err_set(e, EIO, "a link or a mode is not what it was");
	return 0;
}

static void what_was_there_at_the_start_is_durable(void **state)
{
	struct toy t = toy_open(NULL, NULL);
	int fd = toy_create(&t, "x");

	(void)state;
	assert_int_equal(fchmod(fd, 0640), 0);
	toy_write(&t, fd, 0, 'x', 700);
	assert_int_equal(t.io->mkdirat(t.fd, "d", 0700), 0);
	assert_int_equal(t.io->linkat(t.fd, "x", t.fd, "d/link"), 0);
	record_io_free(t.r);
	t.r = record_io_start(&(struct record_setup){.root = t.dir}, &t.io, &t.e);
	assert_non_null(t.r);
	file_close(t.io, toy_create(&t, "y"));
	toy_images(&t, compare_start);
	assert_int_equal(t.n[0], 2); /* with y and without */
	file_close(t.io, fd);
	toy_close(&t);
}

static void a_change_around_the_table_is_an_error(void **state)
{
	struct toy t = toy_open(NULL, NULL);
	int fd = toy_durable(&t, "x", 'x', 700);

	(void)state;
	assert_int_equal(pwrite(fd, "z", 1, 10), 1);
	assert_int_equal(record_io_images(t.r, &t.options, count_lost, &t, &t.e), -1);
	assert_non_null(strstr(t.e.msg, "'x' has other bytes"));
	assert_int_equal(pwrite(fd, "x", 1, 10), 1);
	toy_images(&t, count_lost);
	file_close(&io_os, openat(t.fd, "new", O_CREAT | O_RDWR | O_CLOEXEC, 0600));
	assert_int_equal(record_io_images(t.r, &t.options, count_lost, &t, &t.e), -1);
	assert_non_null(strstr(t.e.msg, "'new' is new"));
	assert_int_equal(unlinkat(t.fd, "new", 0), 0);
	assert_int_equal(unlinkat(t.fd, "x", 0), 0);
	assert_int_equal(record_io_images(t.r, &t.options, count_lost, &t, &t.e), -1);
	file_close(t.io, fd);
	toy_close(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_acknowledged_write_that_was_not_synced_is_lost_in_some_image),
	    cmocka_unit_test(a_synced_file_whose_directory_was_not_synced_is_lost_in_some_image),
	    cmocka_unit_test(what_was_synced_the_right_way_is_lost_in_no_image),
	    cmocka_unit_test(a_long_write_is_torn_between_sectors_with_holes_in_it),
	    cmocka_unit_test(an_overwritten_sector_is_old_new_or_as_between_two_writes),
	    cmocka_unit_test(a_file_that_grew_has_its_old_or_new_size_or_whole_pages_of_it),
	    cmocka_unit_test(an_unsynced_truncation_may_be_undone_but_for_its_last_page),
	    cmocka_unit_test(what_a_failed_sync_dropped_is_lost_though_a_later_one_succeeds),
	    cmocka_unit_test(a_page_that_was_written_again_after_a_failed_sync_is_durable),
	    cmocka_unit_test(every_call_of_the_table_is_recorded_as_it_was_done),
	    cmocka_unit_test(what_was_there_at_the_start_is_durable),
	    cmocka_unit_test(a_change_around_the_table_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
