/* A power loss at every point of a compaction, and of a backup that follows on one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <errno.h>

#include <cmocka.h>

#include "evlog/admin.h"
#include "evlog/shrink.h"
#include "evlog/store_impl.h"
#include "evlog_check.h"
#include "evlog_power.h"
#include "fault_io.h"
#include "record_io.h"
#include "tmp_dir.h"

#define IMAGES 900 /* of each test */

static const struct compact_hooks no_hooks;

/*
 * A store of three segments in which a and b are deleted; c and d, and what follows on the deletion
 * of a, stay.  These alone remain in p.acks.
 */
static struct power begin(void)
{
	struct power p = power_begin(EVLOG_SEGMENT_MIN, "a=0*3000 b=0*3000 c=0*100 d=0");
	size_t n = 0;

	p.o.max_images = p.o.max_images < IMAGES ? p.o.max_images : IMAGES;
	p.s = check_open(p.path, NULL, &p.e);
	power_must(&p, check_append(p.s, "a=1*3000 b=1*5000 c=1*700", &p.acks, &p.e));
	power_must(&p, check_append(p.s, "a=2*3000 b=2*6000 d=1*700 b=3*5000", &p.acks, &p.e));
	power_must(&p, check_append(p.s, "a=3 b=4 c=2", &p.acks, &p.e));
	power_must(&p, check_append(p.s, "~a !b", &p.acks, &p.e));
	power_must(&p, check_append(p.s, "a=1 c=3", &p.acks, &p.e));
	evlog_close(p.s);
	p.s = NULL;
	for (size_t i = 0; i < p.acks.n; i++)
		if (p.acks.v[i].stream[0] >= 'c' || p.acks.v[i].version > 4)
			p.acks.v[n++] = p.acks.v[i];
	p.acks.n = n;
	return p;
}

static int check_gone(struct evlog *s, struct err *e)
{
	struct frame f;

	for (uint64_t seq = 1; seq <= 2; seq++)
		if (evlog_get(s, seq, &f, e) != 0)
			return err_set(e, EIO, "sequence %llu was removed and is there again",
			               (unsigned long long)seq);
	return 0;
}

/* What stays is there; what was said to be gone is; and the store goes on. */
static int check_kept(const struct record_image *im, void *arg, struct err *e)
{
	struct power *p = arg;
	size_t n = power_acked(im, 0);
	char path[400];
	struct evlog *s;
	struct frame f;
	int r = 0;

	snprintf(path, sizeof(path), "%s/" POWER_STORE, im->dir);
	s = check_open(path, NULL, e);
	if (s == NULL)
		return -1;
	for (size_t i = 0; r == 0 && i < n; i++)
		if (evlog_get(s, p->acks.v[i].seq, &f, e) != 1)
			r = err_set(e, EIO, "sequence %llu is lost",
			            (unsigned long long)p->acks.v[i].seq);
	if (r == 0 && record_image_marked(im, "compacted"))
		r = check_gone(s, e);
	evlog_close(s);
	return r < 0
	           ? -1
	           : power_check_in(im->dir, POWER_STORE, &p->acks, n, CHECK_ALL | CHECK_SHRUNK, e);
}

static int check_shrunk(const struct record_image *im, void *arg, struct err *e)
{
	struct power *p = arg;

	return power_check_in(im->dir, POWER_STORE, &p->acks, power_acked(im, 0),
	                      CHECK_ALL | CHECK_SHRUNK, e);
}

static void compact(struct power *p)
{
	struct compact_total t;

	power_must(p, evlog_compact(p->s, false, false, &no_hooks, &t, &p->e));
	assert_int_equal(t.events, 10);
	record_io_mark(p->r, "compacted");
}

static void a_compaction_loses_nothing_that_stays_at_any_point(void **state)
{
	struct power p = begin();

	(void)state;
	power_record(&p, NULL);
	power_mark(&p);
	power_open(&p);
	compact(&p);
	power_append(&p, "a=2 c=4");
	power_end(&p, check_kept);
}

static void the_order_of_names_does_not_matter_for_it(void **state)
{
	struct power p = begin();

	(void)state;
	p.o.any_order = true;
	power_record(&p, NULL);
	power_mark(&p);
	power_open(&p);
	compact(&p);
	power_append(&p, "a=2");
	power_end(&p, check_kept);
}

/* While the rename is not on disk nobody may write an id again that it made free. */
static void an_id_that_was_removed_and_written_again_is_never_there_twice(void **state)
{
	struct power p = power_begin(EVLOG_SEGMENT_MIN, "a=x*5000 a=y*5000 c=0*100");
	struct compact_total t;

	(void)state;
	p.s = check_open(p.path, NULL, &p.e);
	power_must(&p, check_append(p.s, "$retain=1 a=3*9000", &p.acks, &p.e));
	evlog_close(p.s);
	p.acks.n = 0;
	power_record(&p, NULL);
	power_mark(&p);
	power_open(&p);
	power_append(&p, "~a");
	power_must(&p, evlog_compact(p.s, false, false, &no_hooks, &t, &p.e));
	assert_int_equal(t.events, 3);
	power_append(&p, "a=x*30");
	power_append(&p, "~a");
	power_must(&p, evlog_compact(p.s, false, false, &no_hooks, &t, &p.e));
	power_append(&p, "a=x*40");
	p.o.max_images = IMAGES;
	power_end(&p, check_shrunk);
}

/* A compaction that was killed at any of its calls, and what the next one makes of it. */
static void a_compaction_that_goes_on_after_a_killed_one_loses_nothing(void **state)
{
	bool through = false;

	(void)state;
	for (unsigned n = 1; !through; n += 2) {
		struct power p = begin();
		const struct io *faulty = fault_io_start(&io_os);
		struct compact_total t;

		p.o.max_images = 60;
		p.o.mixes = 1;
		power_record(&p, faulty);
		power_mark(&p);
		power_open(&p);
		fault_io_add(
		    (struct fault){.call = FAULT_ANY, .nth = n, .error = EIO, .always = true});
		through = evlog_compact(p.s, false, false, &no_hooks, &t, &p.e) == 0;
		evlog_close(p.s);
		(void)fault_io_start(&io_os); /* no faults any more */
		power_open(&p);
		if (ctl_get32(&p.s->ctl->poison) == 0) {
			power_must(&p, evlog_compact(p.s, false, false, &no_hooks, &t, &p.e));
			record_io_mark(p.r, "compacted");
		}
		power_end(&p, check_kept);
	}
}

/* A backup that was there can be restored at every point; a finished one holds all. */
static int check_backup(const struct record_image *im, void *arg, struct err *e)
{
	struct power *p = arg;
	size_t n;
	int r = power_restore(im, &n, e);

	if (r <= 0)
		return r;
	return power_check_in(im->dir, POWER_RESTORED, &p->acks, n, CHECK_ALL | CHECK_SHRUNK, e);
}

static void an_update_of_a_backup_with_compacted_segments_never_spoils_it(void **state)
{
	(void)state;
	for (int copy = 0; copy < 2; copy++) {
		struct power p = begin();

		power_record(&p, NULL);
		power_mark(&p);
		power_open(&p);
		power_back_up(&p, copy != 0);
		compact(&p);
		power_append(&p, "a=2 c=4*9000");
		power_back_up(&p, copy != 0);
		power_append(&p, "~a");
		power_append(&p, "c=5*9000");
		power_must(&p, evlog_compact(p.s, false, false, &no_hooks,
		                             &(struct compact_total){0}, &p.e));
		power_back_up(&p, copy != 0);
		power_end(&p, check_backup);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_compaction_loses_nothing_that_stays_at_any_point),
	    cmocka_unit_test(the_order_of_names_does_not_matter_for_it),
	    cmocka_unit_test(an_id_that_was_removed_and_written_again_is_never_there_twice),
	    cmocka_unit_test(a_compaction_that_goes_on_after_a_killed_one_loses_nothing),
	    cmocka_unit_test(an_update_of_a_backup_with_compacted_segments_never_spoils_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
