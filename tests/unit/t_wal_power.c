/*
 * A power loss at every point of a log's life: what wal_sync() reported is there, nothing of the
 * hard state goes back, the order is kept, and it is never called damage.
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

#include "fault_io.h"
#include "record_io.h"
#include "seeded.h"
#include "tmp_dir.h"
#include "wal_model.h"

static struct err e;

struct power {
	char *root;
	int dir;
	const struct io *io;
	struct record_io *r;
	struct record_options o;
	struct wal_model m;
	uint64_t snapshot; /* the newest committed one */
	size_t segment_size;
};

static void must(int r)
{
	if (r < 0)
		fail_msg("%s", e.msg);
}

static void open_log(struct power *p)
{
	struct wal_config cfg = wal_model_config(p->io, p->dir);
	struct wal_recovered r;

	cfg.segment_size = p->segment_size;
	p->m.w = wal_open(&cfg, &r, NULL, &e);
	must(p->m.w == NULL ? -1 : 0);
	must(wal_model_check(&p->m, p->m.n, &r, &e));
	wal_recovered_done(&r);
}

/* The world has seen it: all that was done so far is durable. */
static void mark(struct power *p)
{
	record_io_mark(p->r, "durable %zu", p->m.n);
	record_io_mark(p->r, "snapshot %llu", (unsigned long long)p->snapshot);
}

static struct power *begin(const struct io *base)
{
	struct power *p = calloc(1, sizeof(*p));
	struct record_setup setup;
	const char *seed = getenv("SEED");

	assert_non_null(p);
	p->root = tmp_dir_new_fast();
	setup = (struct record_setup){.root = p->root, .base = base};
	p->o = RECORD_OPTIONS_DEFAULT;
	if (seed != NULL)
		p->o.seed = strtoull(seed, NULL, 10);
	p->o.max_images = seeded_rounds(3000);
	p->o.mixes = 30;
	p->segment_size = WAL_SEGMENT_MIN;
	p->dir = file_open_dir(&io_os, AT_FDCWD, p->root, &e);
	p->r = record_io_start(&setup, &p->io, &e);
	must(p->r == NULL || p->dir < 0 ? -1 : 0);
	return p;
}

static void sync_all(struct power *p)
{
	must(wal_model_sync(&p->m, &e));
	mark(p);
}

static void write_only(struct power *p)
{
	uint64_t n;

	must(wal_write(p->m.w, &n, &e));
}

static void snapshot(struct power *p, uint64_t index, uint64_t term)
{
	must(wal_model_snapshot(p->io, p->dir, (struct raft_point){index, term}, &e));
	p->snapshot = index;
	mark(p);
}

/* The number in the last mark that begins so. */
static unsigned long long last_mark(const struct record_image *im, const char *word)
{
	size_t len = strlen(word);

	for (size_t i = im->n_marks; i-- > 0;)
		if (strncmp(im->marks[i], word, len) == 0)
			return strtoull(im->marks[i] + len, NULL, 10);
	return 0;
}

/* Open an image: what was promised is there. */
static int check_once(const struct record_image *im, const struct power *p, struct wal_recovered *r,
                      struct err *err)
{
	int dir = file_open_dir(&io_os, AT_FDCWD, im->dir, err);
	struct wal_config cfg = wal_model_config(&io_os, dir);
	struct wal *w;
	int result;

	cfg.segment_size = p->segment_size;
	w = dir < 0 ? NULL : wal_open(&cfg, r, NULL, err);
	result = w == NULL ? -1 : wal_model_check(&p->m, last_mark(im, "durable "), r, err);
	if (result == 0 && r->snapshot.at.index < last_mark(im, "snapshot "))
		result = err_set(err, EIO, "the snapshot is of entry %llu",
		                 (unsigned long long)r->snapshot.at.index);
	if (w != NULL && result < 0)
		wal_recovered_done(r);
	wal_abandon(w);
	if (dir >= 0)
		close(dir);
	return result;
}

/* Twice: what the first opening found is there for good, and so is what it cut. */
static int check(const struct record_image *im, void *arg, struct err *err)
{
	const struct power *p = arg;
	struct wal_recovered a;
	struct wal_recovered b;
	int r = check_once(im, p, &a, err);

	if (r < 0)
		return err_wrap(err, "first");
	r = check_once(im, p, &b, err);
	if (r < 0) {
		wal_recovered_done(&a);
		return err_wrap(err, "second");
	}
	if (a.term != b.term || a.vote != b.vote || a.base.index != b.base.index ||
	    a.count != b.count || b.cut_bytes != 0 || b.dropped)
		r = err_set(err, EIO, "the second opening finds something else than the first");
	wal_recovered_done(&a);
	wal_recovered_done(&b);
	return r;
}

static void end(struct power *p, record_check *what)
{
	long n;

	wal_abandon(p->m.w);
	n = record_io_images(p->r, &p->o, what, p, &e);
	if (n < 0)
		fail_msg("%s", e.msg);
	print_message("# %ld images of %zu calls\n", n, record_io_calls(p->r));
	record_io_free(p->r);
	close(p->dir);
	tmp_dir_free(p->root);
	free(p);
}

static void a_new_log_is_there_or_new(void **state)
{
	struct power *p = begin(NULL);

	(void)state;
	p->o.any_order = true;
	open_log(p);
	mark(p);
	wal_model_hard(&p->m, 1, 2);
	sync_all(p);
	end(p, check);
}

static void appends_and_truncations_survive(void **state)
{
	struct power *p = begin(NULL);

	(void)state;
	open_log(p);
	wal_model_hard(&p->m, 1, 2);
	sync_all(p);
	for (uint64_t i = 1; i < 6; i++) {
		wal_model_append(&p->m, i, 2);
		write_only(p);
		wal_model_append(&p->m, i, 1);
		sync_all(p);
		wal_model_hard(&p->m, i + 1, 0);
		write_only(p);
		wal_model_truncate(&p->m, i);
		wal_model_hard(&p->m, i + 1, 1);
		sync_all(p);
	}
	end(p, check);
}

/* Many writes between two syncs: any of their sectors may be lost. */
static void unsynced_writes_are_a_prefix_and_no_damage(void **state)
{
	struct power *p = begin(NULL);

	(void)state;
	p->o.mixes = 200;
	p->m.large = 700;
	p->segment_size = 16 * WAL_SEGMENT_MIN;
	open_log(p);
	wal_model_hard(&p->m, 1, 2);
	wal_model_append(&p->m, 1, 2);
	sync_all(p);
	for (int i = 0; i < 12; i++) {
		wal_model_append(&p->m, 1, i % 3 == 0 ? 3 : 1);
		if (i % 4 == 0)
			wal_model_hard(&p->m, (uint64_t)i + 2, 1);
		write_only(p);
	}
	end(p, check);
}

static void rolling_survives(void **state)
{
	struct power *p = begin(NULL);

	(void)state;
	p->o.any_order = true;
	p->m.large = 700;
	open_log(p);
	wal_model_hard(&p->m, 1, 2);
	for (int i = 0; i < 9; i++) {
		wal_model_append(&p->m, 1, 2);
		if (i % 3 == 0)
			assert_int_equal(wal_prepare(p->m.w, &e), 0);
		if (i % 2 == 0)
			write_only(p);
		else
			sync_all(p);
	}
	wal_model_append(&p->m, 1, 12);
	sync_all(p);
	wal_model_truncate(&p->m, 3);
	wal_model_hard(&p->m, 2, 0);
	wal_model_append(&p->m, 2, 4);
	write_only(p);
	assert_int_equal(wal_prepare(p->m.w, &e), 0);
	end(p, check);
}

static void compaction_survives(void **state)
{
	struct power *p = begin(NULL);

	(void)state;
	p->o.any_order = true;
	p->m.large = 700;
	open_log(p);
	wal_model_hard(&p->m, 1, 2);
	wal_model_append(&p->m, 1, 20);
	sync_all(p);
	snapshot(p, 15, 1);
	must(wal_model_compact(&p->m, (struct raft_point){15, 1}, 14, &e));
	mark(p);
	wal_model_hard(&p->m, 2, 0);
	wal_model_append(&p->m, 2, 6);
	sync_all(p);
	snapshot(p, 24, 2);
	must(wal_model_compact(&p->m, (struct raft_point){24, 2}, 24, &e));
	mark(p);
	must(snapfile_purge(&(struct snapfile_place){p->io, p->dir, WAL_MODEL_CLUSTER, 0600}, 1, 0,
	                    &e));
	wal_model_append(&p->m, 2, 6);
	sync_all(p);
	end(p, check);
}

static void the_installation_of_a_snapshot_survives(void **state)
{
	struct power *p = begin(NULL);

	(void)state;
	p->o.any_order = true;
	p->m.large = 300;
	open_log(p);
	wal_model_hard(&p->m, 2, 2);
	wal_model_append(&p->m, 1, 8);
	sync_all(p);
	snapshot(p, 30, 2);
	wal_model_reset(&p->m, (struct raft_point){30, 2});
	wal_model_append(&p->m, 2, 3);
	sync_all(p);
	/* And one that contradicts the log. */
	wal_model_hard(&p->m, 3, 1);
	sync_all(p);
	snapshot(p, 32, 3);
	wal_model_reset(&p->m, (struct raft_point){32, 3});
	sync_all(p);
	end(p, check);
}

/* The process is killed, not the machine, and a new one goes on; then the power goes. */
static void recovery_makes_durable_what_it_reports(void **state)
{
	struct power *p = begin(NULL);
	struct wal_recovered r;
	struct wal_config cfg;

	(void)state;
	p->m.large = 200;
	open_log(p);
	for (int i = 0; i < 4; i++) {
		wal_model_hard(&p->m, (uint64_t)i + 1, 2);
		wal_model_append(&p->m, (uint64_t)i + 1, 9);
		write_only(p);
		wal_abandon(p->m.w);
		open_log(p);
		mark(p);
	}
	/* One that has applied what was not yet on its disk. */
	snapshot(p, 40, 4);
	wal_abandon(p->m.w);
	cfg = wal_model_config(p->io, p->dir);
	p->m.w = wal_open(&cfg, &r, NULL, &e);
	must(p->m.w == NULL ? -1 : 0);
	assert_true(r.dropped);
	wal_recovered_done(&r);
	wal_abandon(p->m.w);
	p->m.w = NULL;
	wal_model_reset(&p->m, (struct raft_point){40, 4});
	mark(p);
	end(p, check);
}

/* The power goes again while the first recovery is under way. */
static int check_recovery(const struct record_image *im, void *arg, struct err *err)
{
	const struct power *p = arg;
	struct record_setup setup = {.root = im->dir};
	struct power inner = {.m = p->m, .o = RECORD_OPTIONS_DEFAULT};
	struct wal_recovered r = {0};
	struct wal_config cfg;
	long n = -1;

	inner.m.w = NULL;
	inner.o.seed = im->seed;
	inner.o.max_images = 40;
	inner.r = record_io_start(&setup, &inner.io, err);
	if (inner.r == NULL)
		return -1;
	inner.dir = file_open_dir(&io_os, AT_FDCWD, im->dir, err);
	cfg = wal_model_config(inner.io, inner.dir);
	record_io_mark(inner.r, "durable %llu", last_mark(im, "durable "));
	record_io_mark(inner.r, "snapshot %llu", last_mark(im, "snapshot "));
	inner.m.w = wal_open(&cfg, &r, NULL, err);
	wal_abandon(inner.m.w);
	wal_recovered_done(&r);
	close(inner.dir);
	if (inner.m.w != NULL)
		n = record_io_images(inner.r, &inner.o, check, &inner, err);
	record_io_free(inner.r);
	return n < 0 ? -1 : 0;
}

static void a_power_loss_during_recovery_survives(void **state)
{
	struct power *p = begin(NULL);

	(void)state;
	p->o.max_images = seeded_rounds(200);
	p->m.large = 400;
	open_log(p);
	wal_model_hard(&p->m, 1, 2);
	sync_all(p);
	for (int i = 0; i < 5; i++) {
		wal_model_append(&p->m, 1, 3);
		write_only(p);
		if (i % 2 == 1)
			sync_all(p);
	}
	snapshot(p, 20, 2);
	end(p, check_recovery);
}

/* A sync that fails loses what was unsynced for good: nobody may have been told otherwise. */
static void a_failed_sync_promises_nothing(void **state)
{
	for (unsigned nth = 1; nth < 12; nth++) {
		const struct io *faults = fault_io_start(&io_os);
		struct power *p = begin(faults);
		struct wal_config cfg = wal_model_config(p->io, p->dir);
		struct wal_recovered r;
		int result = 0;

		(void)state;
		p->o.max_images = seeded_rounds(200);
		fault_io_add((struct fault){.call = FAULT_FDATASYNC, .nth = nth, .error = EIO});
		p->m.large = 600;
		p->m.w = wal_open(&cfg, &r, NULL, &e);
		if (p->m.w == NULL) {
			end(p, check);
			continue;
		}
		wal_recovered_done(&r);
		wal_model_hard(&p->m, 1, 2);
		for (int i = 0; i < 10 && result == 0; i++) {
			wal_model_append(&p->m, 1, 1);
			result = wal_model_sync(&p->m, &e);
			if (result == 0)
				mark(p);
		}
		wal_abandon(p->m.w);
		/* The next process: what it reports is on disk, though the kernel dropped pages. */
		p->m.w = wal_open(&cfg, &r, NULL, &e);
		must(p->m.w == NULL ? -1 : 0);
		p->m.n = 1 + r.count;
		wal_recovered_done(&r);
		mark(p);
		end(p, check);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_new_log_is_there_or_new),
	    cmocka_unit_test(appends_and_truncations_survive),
	    cmocka_unit_test(unsynced_writes_are_a_prefix_and_no_damage),
	    cmocka_unit_test(rolling_survives),
	    cmocka_unit_test(compaction_survives),
	    cmocka_unit_test(the_installation_of_a_snapshot_survives),
	    cmocka_unit_test(recovery_makes_durable_what_it_reports),
	    cmocka_unit_test(a_power_loss_during_recovery_survives),
	    cmocka_unit_test(a_failed_sync_promises_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
