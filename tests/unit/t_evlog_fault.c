/*
 * Every call of every operation fails once: the answer is an error or a success, and the store is
 * right in both cases.
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

#include "evlog/admin.h"
#include "evlog/store_impl.h"
#include "evlog_check.h"
#include "evlog_model.h"
#include "fault_io.h"
#include "tmp_dir.h"

struct trial {
	struct model m;
	const struct io *io;
	struct acks acks;
	struct evlog *s;
	bool any_error; /* some operation failed */
	bool hit;       /* the fault was met */
};

typedef void operation(struct trial *t);

static const int errors[] = {ENOSPC, EIO, EFBIG};

/* --- operations: each remembers what was acknowledged, and does not stop at errors --- */

static void say(struct trial *t, int r)
{
	if (r < 0)
		t->any_error = true;
}

static void try_open(struct trial *t)
{
	t->s = check_open(t->m.to, t->io, &t->m.e);
	say(t, t->s == NULL ? -1 : 0);
}

static void do_append(struct trial *t)
{
	try_open(t);
	if (t->s == NULL)
		return;
	say(t, check_append(t->s, "a=n1 b=n1*700 n=n1", &t->acks, &t->m.e));
	say(t, check_append(t->s, "a=n2*2500", &t->acks, &t->m.e));
	say(t, check_append(t->s, "c=n3", &t->acks, &t->m.e));
}

static void do_roll(struct trial *t)
{
	try_open(t);
	if (t->s == NULL)
		return;
	say(t, check_append(t->s, "a=r1*9000 n=r1", &t->acks, &t->m.e));
	say(t, check_append(t->s, "b=r2*9000", &t->acks, &t->m.e));
	say(t, check_append(t->s, "c=r3*9000 n=r3", &t->acks, &t->m.e));
	say(t, evlog_maintain(t->s, &t->m.e));
	say(t, check_append(t->s, "b=r4", &t->acks, &t->m.e));
}

static void do_reindex(struct trial *t)
{
	try_open(t);
	if (t->s == NULL)
		return;
	say(t, evlog_reindex(t->s, &t->m.e));
	say(t, check_append(t->s, "a=x1", &t->acks, &t->m.e));
}

static void do_recover(struct trial *t)
{
	int fd = model_file(&t->m, MODEL_LOG);

	/* a torn tail: the last commit was never finished */
	assert_int_equal(ftruncate(fd, (off_t)t->m.end[t->m.commits - 1] - 5), 0);
	close(fd);
	t->acks.n--;
	do_append(t);
}

/* --- the loop --- */

static void begin_trial(struct trial *t, struct fault f)
{
	model_copy(&t->m, 0);
	t->acks.n = 0;
	for (size_t i = 0; i < t->m.acks.n; i++)
		*acks_add(&t->acks) = t->m.acks.v[i];
	t->any_error = false;
	t->s = NULL;
	t->io = fault_io_start(&io_os);
	fault_io_add(f);
}

static int ignore(const struct finding *f, void *arg, struct err *e)
{
	(void)f;
	(void)arg;
	(void)e;
	return 0;
}

/* The same process goes on, and a new one finds all in order; a poison is lifted first. */
static void check_trial(struct trial *t, const char *what)
{
	t->hit = fault_io_hits() > 0;
	(void)fault_io_start(&io_os); /* the disk is well again */
	if (t->s != NULL && evlog_check_store(t->s, NULL, 0, &t->m.e) < 0)
		fail_msg("%s: in the same process: %s", what, t->m.e.msg);
	evlog_close(t->s);
	t->s = check_open(t->m.to, NULL, &t->m.e);
	model_must(&t->m, t->s == NULL ? -1 : 0);
	if (ctl_get32(&t->s->ctl->poison) != 0) {
		assert_true(t->any_error);
		model_must(&t->m, evlog_repair(t->s, ignore, NULL, &t->m.e));
	}
	if (evlog_check_store(t->s, &t->acks, CHECK_ALL, &t->m.e) < 0)
		fail_msg("%s: %s", what, t->m.e.msg);
	evlog_close(t->s);
}

static void fail_each_call(operation *op, const char *name)
{
	struct trial t = {.m = model_small()};
	unsigned trials = 0;

	for (int call = FAULT_OPENAT; call < FAULT_CALLS; call++)
		for (size_t i = 0; i < 6; i++)
			for (unsigned nth = 1;; nth++) {
				struct fault f = {.call = (enum fault_call)call,
				                  .nth = nth,
				                  .error = errors[i % 3],
				                  .after = i >= 3};
				char what[120];

				begin_trial(&t, f);
				op(&t);
				snprintf(what, sizeof(what), "%s: %s %u error %d%s", name,
				         fault_io_name(f.call), nth, f.error,
				         f.after ? " after it was done" : "");
				if (fault_io_hits() == 0) {
					assert_false(t.any_error);
					check_trial(&t, what);
					break;
				}
				check_trial(&t, what);
				trials++;
			}
	print_message("# %s: %u trials\n", name, trials);
	acks_done(&t.acks);
	model_end(&t.m);
}

/* From one call on all fail, as on a full disk. */
static void fail_from_a_call_on(operation *op, const char *name)
{
	struct trial t = {.m = model_small()};

	for (size_t i = 0; i < 3; i++)
		for (unsigned nth = 1;; nth++) {
			struct fault f = {
			    .call = FAULT_ANY, .nth = nth, .always = true, .error = errors[i]};
			char what[120];

			snprintf(what, sizeof(what), "%s: all from %u on, error %d", name, nth,
			         errors[i]);
			begin_trial(&t, f);
			op(&t);
			check_trial(&t, what);
			if (!t.hit)
				break;
		}
	acks_done(&t.acks);
	model_end(&t.m);
}

static void write_short(operation *op, const char *name)
{
	struct trial t = {.m = model_small()};

	for (unsigned nth = 1;; nth++) {
		struct fault f = {.call = FAULT_PWRITE, .nth = nth, .short_to = 1 + nth % 200};

		begin_trial(&t, f);
		/* and the rest of it fails: what was written has to be taken back */
		if (nth % 2 == 0)
			fault_io_add(
			    (struct fault){.call = FAULT_PWRITE, .nth = nth + 1, .error = ENOSPC});
		op(&t);
		if (fault_io_hits() == 0)
			break;
		check_trial(&t, name);
	}
	evlog_close(t.s);
	acks_done(&t.acks);
	model_end(&t.m);
}

static void appends_survive_every_failing_call(void **state)
{
	(void)state;
	fail_each_call(do_append, "append");
	fail_from_a_call_on(do_append, "append");
	write_short(do_append, "append, short writes");
}

static void rolls_survive_every_failing_call(void **state)
{
	(void)state;
	fail_each_call(do_roll, "roll");
	fail_from_a_call_on(do_roll, "roll");
	write_short(do_roll, "roll, short writes");
}

static void recovery_survives_every_failing_call(void **state)
{
	(void)state;
	fail_each_call(do_recover, "recover");
	fail_from_a_call_on(do_recover, "recover");
}

static void reindex_survives_every_failing_call(void **state)
{
	(void)state;
	fail_each_call(do_reindex, "reindex");
	fail_from_a_call_on(do_reindex, "reindex");
}

static void a_store_whose_making_failed_can_be_made_after_all(void **state)
{
	struct model m = model_begin();

	(void)state;
	for (int after = 0; after < 2; after++)
		for (unsigned nth = 1;; nth++) {
			const struct io *io = fault_io_start(&io_os);
			struct err e = {.code = 0};
			int r;

			(void)tmp_dir_remove(m.to, &e);
			fault_io_add((struct fault){
			    .call = FAULT_ANY, .nth = nth, .error = ENOSPC, .after = after != 0});
			r = check_create(m.to, EVLOG_SEGMENT_MIN, io, &e);
			if (fault_io_hits() == 0)
				break;
			if (r < 0 && check_create(m.to, EVLOG_SEGMENT_MIN, NULL, &e) < 0 &&
			    e.code != EEXIST)
				fail_msg("%u: %s", nth, e.msg);
			if (evlog_check_dir(m.to, NULL, CHECK_ALL, &e) < 0)
				fail_msg("%u: %s", nth, e.msg);
		}
	model_end(&m);
}

static void spoil(struct trial *t)
{
	int fd = model_file(&t->m, MODEL_LOG);

	assert_int_equal(pwrite(fd, "#", 1, (off_t)t->m.end[0] + 20), 1);
	close(fd);
}

static void a_repair_that_failed_can_be_repeated(void **state)
{
	struct trial t = {.m = model_small()};
	int after;
	unsigned nth;

	(void)state;
	for (after = 0; after < 2; after++)
		for (nth = 1;; nth++) {
			struct fault f = {
			    .call = FAULT_ANY, .nth = nth, .error = ENOSPC, .after = after != 0};
			struct frame frame;
			int r = -1, faults = 0;

			begin_trial(&t, f);
			spoil(&t);
			try_open(&t);
			if (t.s != NULL)
				r = evlog_repair(t.s, ignore, NULL, &t.m.e);
			evlog_close(t.s);
			t.s = model_open(&t.m, t.m.to);
			if (r < 0)
				model_must(&t.m, evlog_repair(t.s, ignore, NULL, &t.m.e));
			for (uint64_t seq = 1; seq <= 11; seq++)
				assert_int_equal(evlog_get(t.s, seq, &frame, &t.m.e), seq != 6);
			model_must(&t.m, check_append(t.s, "a b n", NULL, &t.m.e));
			assert_int_equal(evlog_verify(t.s, true, model_count, &faults, &t.m.e), 0);
			evlog_close(t.s);
			if (fault_io_hits() == 0)
				break;
		}
	acks_done(&t.acks);
	model_end(&t.m);
}

/* An update that failed leaves the backup that was there. */
static void a_backup_that_failed_can_be_repeated_and_never_harms_the_store(void **state)
{
	struct trial t = {.m = model_small()};
	char to[400], restored[400];

	(void)state;
	snprintf(to, sizeof(to), "%s/backup", t.m.root);
	snprintf(restored, sizeof(restored), "%s/restored", t.m.root);
	for (int copy = 0; copy < 2; copy++)
		for (unsigned nth = 1;; nth++) {
			struct fault f = {.call = FAULT_ANY, .nth = nth, .error = ENOSPC};
			uint64_t last;
			struct err e;

			(void)tmp_dir_remove(to, &e);
			(void)tmp_dir_remove(restored, &e);
			begin_trial(&t, f);
			t.s = model_open(&t.m, t.m.to);
			model_must(&t.m, evlog_backup(t.s, to, copy == 0, &last, &t.m.e));
			model_must(&t.m, check_append(t.s, "a=k1*9000", &t.acks, &t.m.e));
			model_must(&t.m, check_append(t.s, "a=k2*9000", &t.acks, &t.m.e));
			t.s->io = t.io;
			(void)evlog_backup(t.s, to, copy != 0, &last, &t.m.e);
			t.s->io = &io_os;
			model_must(&t.m, evlog_restore(to, restored, NULL, &t.m.e));
			model_must(&t.m, evlog_check_dir(restored, &t.m.acks, CHECK_ALL, &t.m.e));
			model_must(&t.m, evlog_backup(t.s, to, copy != 0, &last, &t.m.e));
			(void)tmp_dir_remove(restored, &e);
			model_must(&t.m, evlog_restore(to, restored, NULL, &t.m.e));
			model_must(&t.m, evlog_check_dir(restored, &t.acks, CHECK_ALL, &t.m.e));
			check_trial(&t, "backup");
			if (!t.hit)
				break;
		}
	acks_done(&t.acks);
	model_end(&t.m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(appends_survive_every_failing_call),
	    cmocka_unit_test(rolls_survive_every_failing_call),
	    cmocka_unit_test(recovery_survives_every_failing_call),
	    cmocka_unit_test(reindex_survives_every_failing_call),
	    cmocka_unit_test(a_store_whose_making_failed_can_be_made_after_all),
	    cmocka_unit_test(a_repair_that_failed_can_be_repeated),
	    cmocka_unit_test(a_backup_that_failed_can_be_repeated_and_never_harms_the_store),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
