/* record_io: which names a crash leaves in the directories. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "record_io.h"
#include "record_toy.h"

static void create(struct toy *t, const char *name)
{
	file_close(t->io, toy_create(t, name));
}

/* --- one directory --- */

/* n[0]: the new name, empty; n[1]: partial; n[2]: complete; n[3]: the old name */
static int look_at_rename(const struct record_image *im, void *arg, struct err *e)
{
	struct toy *t = arg;
	struct buf b = {0};

	(void)e;
	if (toy_load(im, "new", &b) == 1) {
		t->n[0] += b.len == 0;
		t->n[1] += b.len > 0 && !toy_holds(im, "new", 'x', 9000);
		t->n[2] += toy_holds(im, "new", 'x', 9000);
	}
	t->n[3] += toy_exists(im, "tmp");
	buf_done(&b);
	return 0;
}

static void a_file_renamed_before_its_sync_is_empty_or_partial_under_its_new_name(void **state)
{
	struct toy t = toy_open(NULL, NULL);
	int fd = toy_create(&t, "tmp");

	(void)state;
	toy_write(&t, fd, 0, 'x', 9000);
	file_close(t.io, fd);
	toy_rename(&t, "tmp", "new");
	toy_sync_dir(&t, ".");
	record_io_mark(t.r, "renamed");
	toy_images(&t, look_at_rename);
	for (size_t i = 0; i < 4; i++)
		assert_true(t.n[i] > 0);
	toy_close(&t);
}

/* n[0]: old content; n[1]: new content */
static int look_at_replaced(const struct record_image *im, void *arg, struct err *e)
{
	struct toy *t = arg;
	bool is_old = toy_holds(im, "f", 'o', 600);
	bool is_new = toy_holds(im, "f", 'n', 700);

	if (!record_image_marked(im, "durable"))
		return 0;
	t->n[0] += is_old;
	t->n[1] += is_new;
	if (!is_old && !is_new)
		return err_set(e, EIO, "the file is neither old nor new");
	if (is_old && record_image_marked(im, "replaced"))
		return err_set(e, EIO, "the file is old");
	return 0;
}

static void a_replaced_file_is_old_or_new_and_new_after_the_directorys_sync(void **state)
{
	for (int any_order = 0; any_order < 2; any_order++) {
		struct toy t = toy_open(NULL, NULL);
		char bytes[700];

		(void)state;
		t.options.any_order = any_order;
		memset(bytes, 'n', sizeof(bytes));
		file_close(t.io, toy_durable(&t, "f", 'o', 600));
		record_io_mark(t.r, "durable");
		assert_int_equal(file_replace(t.io, t.fd, "f", bytes, sizeof(bytes), 0600, &t.e),
		                 0);
		record_io_mark(t.r, "replaced");
		toy_images(&t, look_at_replaced);
		assert_true(t.n[0] > 0);
		assert_true(t.n[1] > 0);
		toy_close(&t);
	}
}

/* n[0..7]: images by the names in them: 1 for a, 2 for b, 4 for c */
static int look_at_set(const struct record_image *im, void *arg, struct err *e)
{
	struct toy *t = arg;

	(void)e;
	if (record_image_marked(im, "made"))
		t->n[toy_exists(im, "a") + 2 * toy_exists(im, "b") + 4 * toy_exists(im, "c")]++;
	return 0;
}

static struct toy three_names(bool any_order)
{
	struct toy t = toy_open(NULL, NULL);

	t.options.any_order = any_order;
	create(&t, "a");
	create(&t, "b");
	create(&t, "c");
	record_io_mark(t.r, "made");
	toy_images(&t, look_at_set);
	return t;
}

static void a_prefix_of_the_names_of_a_directory_is_kept(void **state)
{
	struct toy t = three_names(false);

	(void)state;
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(t.n[i] > 0, i == 0 || i == 1 || i == 3 || i == 7);
	toy_close(&t);
}

static void in_any_order_each_subset_of_the_names_is_kept(void **state)
{
	struct toy t = three_names(true);

	(void)state;
	for (size_t i = 0; i < 8; i++)
		assert_true(t.n[i] > 0);
	toy_close(&t);
}

/* The durable file is found under one of its names, and `log` is never another's. */
static int find_rotated(const struct record_image *im, void *arg, struct err *e)
{
	struct toy *t = arg;

	if (!record_image_marked(im, "durable"))
		return 0;
	t->n[0] += toy_holds(im, "log", 'x', 600);
	t->n[1] += toy_holds(im, "log.1", 'x', 600);
	t->n[2] += toy_holds(im, "log", 'x', 0);
	if (!toy_holds(im, "log", 'x', 600) && !toy_holds(im, "log.1", 'x', 600))
		return err_set(e, EIO, "the rotated file has lost its last name");
	return 0;
}

static void a_file_that_was_moved_aside_never_loses_its_last_name(void **state)
{
	for (int any_order = 0; any_order < 2; any_order++) {
		struct toy t = toy_open(NULL, NULL);

		(void)state;
		t.options.any_order = any_order;
		file_close(t.io, toy_durable(&t, "log", 'x', 600));
		record_io_mark(t.r, "durable");
		toy_rename(&t, "log", "log.1");
		create(&t, "log");
		toy_images(&t, find_rotated);
		for (size_t i = 0; i < 3; i++)
			assert_true(t.n[i] > 0);
		toy_close(&t);
	}
}

static void a_file_linked_and_unlinked_never_loses_its_last_name(void **state)
{
	for (int any_order = 0; any_order < 2; any_order++) {
		struct toy t = toy_open(NULL, NULL);

		(void)state;
		t.options.any_order = any_order;
		file_close(t.io, toy_durable(&t, "log", 'x', 600));
		record_io_mark(t.r, "durable");
		assert_int_equal(t.io->linkat(t.fd, "log", t.fd, "log.1"), 0);
		assert_int_equal(t.io->unlinkat(t.fd, "log"), 0);
		toy_images(&t, find_rotated);
		assert_true(t.n[0] > 0);
		assert_true(t.n[1] > 0);
		toy_close(&t);
	}
}

/* n[0]: still there; n[1]: gone */
static int look_at_removed(const struct record_image *im, void *arg, struct err *e)
{
	struct toy *t = arg;

	if (!record_image_marked(im, "durable"))
		return 0;
	if (record_image_marked(im, "removed") && toy_exists(im, "f"))
		return err_set(e, EIO, "it is there again");
	if (toy_exists(im, "f") && !toy_holds(im, "f", 'x', 600))
		return err_set(e, EIO, "it has lost its bytes");
	t->n[!toy_exists(im, "f")]++;
	return 0;
}

static void a_removed_file_may_come_back_whole_until_the_directory_is_synced(void **state)
{
	struct toy t = toy_open(NULL, NULL);

	(void)state;
	file_close(t.io, toy_durable(&t, "f", 'x', 600));
	record_io_mark(t.r, "durable");
	assert_int_equal(t.io->unlinkat(t.fd, "f"), 0);
	record_io_mark(t.r, "unlinked");
	toy_sync_dir(&t, ".");
	record_io_mark(t.r, "removed");
	toy_images(&t, look_at_removed);
	assert_true(t.n[0] > 0);
	assert_true(t.n[1] > 0);
	toy_close(&t);
}

/* --- several directories --- */

/* n[0]: images after the acknowledgement; n[1]: those that have lost the file */
static int count_lost_below(const struct record_image *im, void *arg, struct err *e)
{
	struct toy *t = arg;

	(void)e;
	if (record_image_marked(im, "acknowledged")) {
		t->n[0]++;
		t->n[1] += !toy_holds(im, "d/e/x", 'x', 600);
	}
	return 0;
}

static struct toy file_in_new_directories(bool sync_root, bool sync_d)
{
	struct toy t = toy_open(NULL, NULL);
	int fd;

	assert_int_equal(t.io->mkdirat(t.fd, "d", 0700), 0);
	assert_int_equal(t.io->mkdirat(t.fd, "d/e", 0700), 0);
	fd = toy_create(&t, "d/e/x");
	toy_write(&t, fd, 0, 'x', 600);
	assert_int_equal(t.io->fdatasync(fd), 0);
	file_close(t.io, fd);
	toy_sync_dir(&t, "d/e");
	if (sync_d)
		toy_sync_dir(&t, "d");
	if (sync_root)
		toy_sync_dir(&t, ".");
	record_io_mark(t.r, "acknowledged");
	toy_images(&t, count_lost_below);
	return t;
}

static void a_new_directory_needs_a_sync_of_the_one_above(void **state)
{
	(void)state;
	for (unsigned syncs = 0; syncs < 4; syncs++) {
		struct toy t = file_in_new_directories((syncs & 1) != 0, (syncs & 2) != 0);

		assert_true(t.n[0] > 0);
		assert_int_equal(t.n[1] > 0, syncs != 3);
		toy_close(&t);
	}
}

/* n[0]: at the old place; n[1]: at the new one; in order, a/before, the move and a/after are */
static int look_at_moved(const struct record_image *im, void *arg, struct err *e)
{
	struct toy *t = arg;
	bool is_old = toy_holds(im, "a/x", 'x', 600);
	bool is_new = toy_holds(im, "b/y", 'x', 600);

	if (!record_image_marked(im, "durable"))
		return 0;
	t->n[0] += is_old;
	t->n[1] += is_new;
	if (is_old == is_new)
		return err_set(e, EIO, "it is %s", is_old ? "at both places" : "lost");
	if (is_old && record_image_marked(im, "moved"))
		return err_set(e, EIO, "it is at the old place");
	if (t->options.any_order)
		return 0;
	if ((is_old && toy_exists(im, "a/after")) || (is_new && !toy_exists(im, "a/before")))
		return err_set(e, EIO, "not a prefix of the changes");
	return 0;
}

static void a_rename_between_directories_is_whole_and_durable_by_either_sync(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < 4; kind++) {
		struct toy t = toy_open(NULL, NULL);

		t.options.any_order = kind % 2 != 0;
		assert_int_equal(t.io->mkdirat(t.fd, "a", 0700), 0);
		assert_int_equal(t.io->mkdirat(t.fd, "b", 0700), 0);
		file_close(t.io, toy_durable(&t, "a/x", 'x', 600));
		toy_sync_dir(&t, "a");
		record_io_mark(t.r, "durable");
		create(&t, "a/before");
		create(&t, "b/before");
		toy_rename(&t, "a/x", "b/y");
		create(&t, "a/after");
		toy_sync_dir(&t, kind / 2 != 0 ? "a" : "b");
		record_io_mark(t.r, "moved");
		toy_images(&t, look_at_moved);
		assert_true(t.n[0] > 0);
		assert_true(t.n[1] > 0);
		toy_close(&t);
	}
}

/* n[0..2]: the three places in turn */
static int find_in_chain(const struct record_image *im, void *arg, struct err *e)
{
	static const char *const places[] = {"a/x", "b/y", "c/z"};
	struct toy *t = arg;
	unsigned found = 0;

	if (!record_image_marked(im, "durable"))
		return 0;
	for (size_t i = 0; i < 3; i++) {
		bool here = toy_holds(im, places[i], 'x', 600);

		t->n[i] += here;
		found += here;
	}
	if (found != 1)
		return err_set(e, EIO, "it has %u names", found);
	if (record_image_marked(im, "moved") && !toy_exists(im, "c/z"))
		return err_set(e, EIO, "it has not its last name");
	return 0;
}

static void a_file_renamed_twice_has_one_name_and_the_last_one_when_that_is_synced(void **state)
{
	(void)state;
	for (int any_order = 0; any_order < 2; any_order++) {
		struct toy t = toy_open(NULL, NULL);

		t.options.any_order = any_order;
		assert_int_equal(t.io->mkdirat(t.fd, "a", 0700), 0);
		assert_int_equal(t.io->mkdirat(t.fd, "b", 0700), 0);
		assert_int_equal(t.io->mkdirat(t.fd, "c", 0700), 0);
		file_close(t.io, toy_durable(&t, "a/x", 'x', 600));
		toy_sync_dir(&t, "a");
		record_io_mark(t.r, "durable");
		toy_rename(&t, "a/x", "b/y");
		toy_rename(&t, "b/y", "c/z");
		record_io_mark(t.r, "renamed");
		toy_sync_dir(&t, "c");
		record_io_mark(t.r, "moved");
		toy_images(&t, find_in_chain);
		for (size_t i = 0; i < 3; i++)
			assert_true(t.n[i] > 0);
		toy_close(&t);
	}
}

/* The same, into a directory that may not be there. */
static void a_file_moved_into_a_new_directory_is_not_lost_with_it(void **state)
{
	(void)state;
	for (int any_order = 0; any_order < 2; any_order++) {
		struct toy t = toy_open(NULL, NULL);

		t.options.any_order = any_order;
		assert_int_equal(t.io->mkdirat(t.fd, "a", 0700), 0);
		file_close(t.io, toy_durable(&t, "a/x", 'x', 600));
		toy_sync_dir(&t, "a");
		create(&t, "a/before");
		toy_sync_dir(&t, "a");
		record_io_mark(t.r, "durable");
		assert_int_equal(t.io->mkdirat(t.fd, "b", 0700), 0);
		toy_rename(&t, "a/x", "b/y");
		toy_sync_dir(&t, "b");
		toy_images(&t, look_at_moved);
		assert_true(t.n[0] > 0);
		assert_true(t.n[1] > 0);
		toy_close(&t);
	}
}

/* n[0]: d/x; n[1]: e/x */
static int look_at_moved_dir(const struct record_image *im, void *arg, struct err *e)
{
	struct toy *t = arg;
	bool is_old = toy_holds(im, "d/x", 'x', 600);
	bool is_new = toy_holds(im, "e/x", 'x', 600);

	if (!record_image_marked(im, "durable"))
		return 0;
	t->n[0] += is_old;
	t->n[1] += is_new;
	return is_old != is_new ? 0 : err_set(e, EIO, "the directory is lost, or there twice");
}

static void a_renamed_directory_keeps_what_is_in_it(void **state)
{
	struct toy t = toy_open(NULL, NULL);

	(void)state;
	assert_int_equal(t.io->mkdirat(t.fd, "d", 0700), 0);
	file_close(t.io, toy_durable(&t, "d/x", 'x', 600));
	toy_sync_dir(&t, "d");
	record_io_mark(t.r, "durable");
	toy_rename(&t, "d", "e");
	toy_images(&t, look_at_moved_dir);
	assert_true(t.n[0] > 0);
	assert_true(t.n[1] > 0);
	toy_close(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_file_renamed_before_its_sync_is_empty_or_partial_under_its_new_name),
	    cmocka_unit_test(a_replaced_file_is_old_or_new_and_new_after_the_directorys_sync),
	    cmocka_unit_test(a_prefix_of_the_names_of_a_directory_is_kept),
	    cmocka_unit_test(in_any_order_each_subset_of_the_names_is_kept),
	    cmocka_unit_test(a_file_that_was_moved_aside_never_loses_its_last_name),
	    cmocka_unit_test(a_file_linked_and_unlinked_never_loses_its_last_name),
	    cmocka_unit_test(a_removed_file_may_come_back_whole_until_the_directory_is_synced),
	    cmocka_unit_test(a_new_directory_needs_a_sync_of_the_one_above),
	    cmocka_unit_test(a_rename_between_directories_is_whole_and_durable_by_either_sync),
	    cmocka_unit_test(
		a_file_renamed_twice_has_one_name_and_the_last_one_when_that_is_synced),
	    cmocka_unit_test(a_file_moved_into_a_new_directory_is_not_lost_with_it),
	    cmocka_unit_test(a_renamed_directory_keeps_what_is_in_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
