/*
 * A power loss at every point of appending: whatever the disk holds then, the store opens, holds
 * all that was acknowledged, and goes on.  A torn tail is no damage.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "evlog/admin.h"
#include "evlog/store_impl.h"
#include "evlog_check.h"
#include "evlog_power.h"
#include "fault_io.h"
#include "record_io.h"
#include "tmp_dir.h"

/* Once more after recovery: what the first opening did is there for good. */
static int check_store_twice(const struct record_image *im, void *arg, struct err *e)
{
	struct power *p = arg;
	size_t n = power_acked(im, 0);

	if (power_check_in(im->dir, POWER_STORE, &p->acks, n, 0, e) < 0)
		return err_wrap(e, "first");
	return power_check_in(im->dir, POWER_STORE, &p->acks, n, CHECK_ALL, e);
}

static void appended_events_survive_a_power_loss_at_every_point(void **state)
{
	struct power p = power_begin(1u << 20, "a=0 b=0");

	(void)state;
	power_record(&p, NULL);
	power_mark(&p);
	power_open(&p);
	power_append(&p, "a=1 b=1 c=1");
	power_append(&p, "a=2*3000");
	power_must(&p, check_commit(p.s, "x=1*700 y=1*1500", NULL, &p.e));
	power_must(&p, check_commit(p.s, "x=2*600", NULL, &p.e));
	power_must(&p, check_commit(p.s, "x=3 x=4 x=5*2000", NULL, &p.e));
	power_append(&p, "a=3");
	power_append(&p, "b=2*20 b=3*40 b=4*60");
	power_end(&p, check_store_twice);
}

static void unsynced_commits_are_kept_or_cut_but_never_called_damage(void **state)
{
	struct power p = power_begin(1u << 20, "a=0 b=0");

	(void)state;
	p.o.mixes = 60;
	power_record(&p, NULL);
	power_mark(&p);
	power_open(&p);
	for (int i = 0; i < 12; i++) {
		char words[64];

		snprintf(words, sizeof(words), "x=%d*%d y=%d*%d", i, i * 97 % 900, i,
		         i * 331 % 1300);
		power_must(&p, check_commit(p.s, words, NULL, &p.e));
	}
	power_append(&p, "a=3");
	power_must(&p, check_commit(p.s, "z=1*2000", NULL, &p.e));
	power_must(&p, check_commit(p.s, "z=2*2000", NULL, &p.e));
	power_end(&p, power_check);
}

static void a_roll_loses_nothing_at_any_point(void **state)
{
	struct power p = power_begin(EVLOG_SEGMENT_MIN, "a=0 b=0*9000");

	(void)state;
	power_record(&p, NULL);
	power_mark(&p);
	power_open(&p);
	power_append(&p, "b=1*5000");
	power_must(&p, check_commit(p.s, "x=1*1000", NULL, &p.e));
	power_append(&p, "b=2*7000 c=1"); /* rolls */
	power_append(&p, "a=1 c=2*3000");
	power_append(&p, "b=3*9000"); /* and again */
	power_append(&p, "c=3");
	assert_true(ctl_get(&p.s->ctl->rolls) == 2);
	power_end(&p, power_check);
}

static void merges_of_the_index_lose_nothing(void **state)
{
	struct power p = power_begin(EVLOG_SEGMENT_MIN, "a=0 b=0*9000");

	(void)state;
	power_record(&p, NULL);
	power_mark(&p);
	power_open(&p);
	for (int i = 0; i < 6; i++) {
		char words[64];

		snprintf(words, sizeof(words), "a=%d*9000 b=%d*2000 s%d=1*4000", i + 1, i + 1, i);
		power_append(&p, words);
	}
	power_must(&p, evlog_maintain(p.s, &p.e));
	power_append(&p, "a=9 s1=9");
	power_end(&p, power_check);
}

static void the_order_of_names_on_disk_does_not_matter(void **state)
{
	struct power p = power_begin(EVLOG_SEGMENT_MIN, "a=0 b=0*9000");

	(void)state;
	p.o.any_order = true;
	power_record(&p, NULL);
	power_mark(&p);
	power_open(&p);
	power_append(&p, "b=1*7000");
	power_append(&p, "a=1 b=2*9000");
	power_append(&p, "a=2");
	power_must(&p, evlog_reindex(p.s, &p.e));
	power_append(&p, "a=3 b=3*9000");
	power_end(&p, power_check);
}

static void reindex_loses_nothing_at_any_point(void **state)
{
	struct power p = power_begin(EVLOG_SEGMENT_MIN, "a=0 b=0*9000 c=0*7000");

	(void)state;
	p.s = check_open(p.path, NULL, &p.e);
	power_must(&p, check_append(p.s, "a=1 b=1*9000", &p.acks, &p.e));
	power_must(&p, check_append(p.s, "a=2 b=2*9000", &p.acks, &p.e));
	evlog_close(p.s);
	power_record(&p, NULL);
	power_mark(&p);
	power_open(&p);
	power_must(&p, evlog_reindex(p.s, &p.e));
	power_append(&p, "a=3");
	power_end(&p, power_check);
}

static int check_created(const struct record_image *im, void *arg, struct err *e)
{
	struct power *p = arg;
	size_t n = power_acked(im, 0);
	char path[400];
	struct stat st;

	snprintf(path, sizeof(path), "%s/" POWER_STORE "/FORMAT", im->dir);
	if (stat(path, &st) == 0)
		return power_check_in(im->dir, POWER_STORE, &p->acks, n, CHECK_ALL, e);
	if (record_image_marked(im, "created") || n > 0)
		return err_set(e, EIO, "the store is gone");
	snprintf(path, sizeof(path), "%s/" POWER_STORE, im->dir);
	if (check_create(path, EVLOG_SEGMENT_MIN, NULL, e) < 0)
		return err_wrap(e, "create again");
	return power_check_in(im->dir, POWER_STORE, &p->acks, 0, CHECK_ALL, e);
}

static void a_new_store_is_there_or_can_be_made(void **state)
{
	struct power p = power_begin(0, NULL);

	(void)state;
	power_record(&p, NULL);
	power_must(&p, check_create(p.path, EVLOG_SEGMENT_MIN, p.io, &p.e));
	record_io_mark(p.r, "created");
	power_open(&p);
	power_append(&p, "a b a");
	power_end(&p, check_created);
}

/*
 * What one process made and did not live to sync, the next one finds: it must not build upon names
 * that are not on disk.  The fsync of a directory that fails stands for the kill before it.
 */
static void a_process_that_goes_on_after_a_killed_one_syncs_what_that_one_did_not(void **state)
{
	unsigned n, rolled = 0;

	(void)state;
	for (n = 1; rolled == 0; n++) {
		struct power p = power_begin(EVLOG_SEGMENT_MIN, "a=0 b=0*9000");
		const struct io *faulty = fault_io_start(&io_os);

		power_record(&p, faulty);
		power_mark(&p);
		power_open(&p);
		fault_io_add((struct fault){.call = FAULT_FSYNC, .nth = n, .error = EINTR});
		if (check_append(p.s, "b=1*9000", &p.acks, &p.e) == 0) {
			rolled = fault_io_hits() == 0;
			power_mark(&p);
		}
		evlog_close(p.s);
		power_open(&p);
		if (ctl_get32(&p.s->ctl->poison) == 0)
			power_append(&p, "b=2*100");
		power_end(&p, power_check);
	}
	assert_true(n > 2);
}

static void a_store_that_another_process_made_and_did_not_sync_is_synced(void **state)
{
	bool made = false;

	(void)state;
	for (unsigned n = 1; !made; n++) {
		struct power p = power_begin(0, NULL);
		const struct io *faulty = fault_io_start(&io_os);

		power_record(&p, faulty);
		fault_io_add((struct fault){.call = FAULT_FSYNC, .nth = n, .error = EINTR});
		made = check_create(p.path, EVLOG_SEGMENT_MIN, p.io, &p.e) == 0;
		p.s = check_open(p.path, p.io, &p.e);
		/* The fault may meet the opening instead; then nothing is promised. */
		if (p.s != NULL && check_append(p.s, "a b a", &p.acks, &p.e) == 0)
			power_mark(&p);
		made = made && fault_io_hits() == 0;
		power_end(&p, check_created);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(appended_events_survive_a_power_loss_at_every_point),
	    cmocka_unit_test(unsynced_commits_are_kept_or_cut_but_never_called_damage),
	    cmocka_unit_test(a_roll_loses_nothing_at_any_point),
	    cmocka_unit_test(merges_of_the_index_lose_nothing),
	    cmocka_unit_test(the_order_of_names_on_disk_does_not_matter),
	    cmocka_unit_test(reindex_loses_nothing_at_any_point),
	    cmocka_unit_test(a_new_store_is_there_or_can_be_made),
	    cmocka_unit_test(a_process_that_goes_on_after_a_killed_one_syncs_what_that_one_did_not),
	    cmocka_unit_test(a_store_that_another_process_made_and_did_not_sync_is_synced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
