/*
 * A model of files under failing calls and power losses: after each it opens, is just what some
 * prefix of the events makes, no less than what was promised, and goes on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <errno.h>
#include <unistd.h>

#include <cmocka.h>

#include "evlog/rowdir.h"
#include "fault_io.h"
#include "record_io.h"
#include "rowdir_model.h"
#include "tmp_dir.h"

#define EVENTS 40

/* What matters is that a sync is called for, not that the disk is waited for. */
static int no_sync(int fd)
{
	(void)fd;
	return 0;
}

static struct io fast_io(void)
{
	struct io io = io_os;

	io.fsync = no_sync;
	return io;
}

/* Open, check, and go on in batches of another size up to `end`; check again. */
static int check_and_go_on(const char *path, uint64_t at_least, uint64_t end, struct err *e)
{
	struct io io = fast_io();
	struct mark mark;
	struct rowdir *d = rowdir_model_open(path, &io, &mark, e);
	int r = -1;

	if (d == NULL)
		return err_wrap(e, "open again");
	if (mark.sequence < at_least)
		err_set(e, EIO, "%ju is promised, the mark is %ju", (uintmax_t)at_least,
		        (uintmax_t)mark.sequence);
	else
		r = rowdir_model_check(path, mark.sequence, e);
	for (uint64_t at = mark.sequence; r == 0 && at < end; at++)
		r = rowdir_model_apply(d, at, at + 1, e);
	rowdir_close(d);
	return r < 0 ? -1 : rowdir_model_check(path, end, e);
}

/* The batches of a run; the last sequence that was promised. */
static uint64_t run(const char *path, const struct io *io, struct record_io *record, struct err *e)
{
	static const uint64_t steps[] = {3, 11, 1, 15, 2, 8};
	struct mark mark;
	struct rowdir *d = rowdir_model_open(path, io, &mark, e);
	uint64_t promised = 0;

	for (size_t i = 0; d != NULL && i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (rowdir_model_apply(d, promised, promised + steps[i], e) < 0)
			break;
		promised += steps[i];
		if (record != NULL)
			record_io_mark(record, "promised %ju", (uintmax_t)promised);
	}
	rowdir_close(d);
	return promised;
}

static void any_call_may_fail(void **state)
{
	struct io base = fast_io();
	unsigned n = 1;

	(void)state;
	for (;; n++) {
		char *dir = tmp_dir_new();
		char path[300];
		struct err e;
		uint64_t promised;
		const struct io *io = fault_io_start(&base);

		snprintf(path, sizeof(path), "%s/m", dir);
		fault_io_add((struct fault){.call = FAULT_ANY, .nth = n, .error = ENOSPC});
		promised = run(path, io, NULL, &e);
		if (fault_io_hits() > 0 && promised < EVENTS)
			assert_true(e.code == ENOSPC);
		if (check_and_go_on(path, promised, EVENTS, &e) < 0)
			fail_msg("call %u fails: %s", n, e.msg);
		tmp_dir_free(dir);
		if (fault_io_hits() == 0)
			break;
	}
	assert_true(n > 100);
}

static int check_image(const struct record_image *im, void *arg, struct err *e)
{
	char path[400];
	unsigned long promised = 0;

	(void)arg;
	snprintf(path, sizeof(path), "%s/m", im->dir);
	if (im->n_marks > 0)
		promised = strtoul(im->marks[im->n_marks - 1] + strlen("promised "), NULL, 10);
	return check_and_go_on(path, promised, EVENTS, e);
}

static void check_power_losses(bool any_order)
{
	struct record_options o = RECORD_OPTIONS_DEFAULT;
	const char *seed = getenv("SEED");
	const char *san = getenv("SHOAL_SAN");
	char *dir = tmp_dir_new();
	struct io base = fast_io();
	struct record_setup setup = {.root = dir, .base = &base};
	const struct io *io;
	struct err e;
	struct record_io *r = record_io_start(&setup, &io, &e);
	char path[300];
	int64_t n;

	assert_non_null(r);
	if (seed != NULL)
		o.seed = strtoull(seed, NULL, 10);
	o.any_order = any_order;
	o.max_images = san != NULL && *san != '\0' ? 100 : 500;
	snprintf(path, sizeof(path), "%s/m", dir);
	assert_int_equal(run(path, io, r, &e), EVENTS);
	n = record_io_images(r, &o, check_image, NULL, &e);
	if (n < 0)
		fail_msg("%s", e.msg);
	assert_true(n > 50);
	record_io_free(r);
	tmp_dir_free(dir);
}

static void a_power_loss_at_any_point_leaves_whole_batches(void **state)
{
	(void)state;
	check_power_losses(false);
}

static void so_does_one_that_keeps_names_in_any_order(void **state)
{
	(void)state;
	check_power_losses(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(any_call_may_fail),
	    cmocka_unit_test(a_power_loss_at_any_point_leaves_whole_batches),
	    cmocka_unit_test(so_does_one_that_keeps_names_in_any_order),
	};

	/* No disk is waited for, so there need not be one. */
	if (access("/dev/shm", W_OK) == 0 && setenv("TMPDIR", "/dev/shm", 1) != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
