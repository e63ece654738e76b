/* A power loss at every point of recovery, repair, backup and restore. */
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
#include "evlog/cursor.h"
#include "evlog/store_impl.h"
#include "evlog_check.h"
#include "evlog_power.h"
#include "fault_io.h"
#include "record_io.h"
#include "tmp_dir.h"

/* What a reader was shown after the first recovery is there after all later ones. */
static int check_seen(const struct record_image *im, void *arg, struct err *e)
{
	uint64_t seen = 0;
	char path[400];
	struct evlog *s;
	int r = 0;

	for (size_t i = 0; i < im->n_marks; i++)
		if (strncmp(im->marks[i], "seen ", 5) == 0)
			seen = strtoul(im->marks[i] + 5, NULL, 10);
	snprintf(path, sizeof(path), "%s/" POWER_STORE, im->dir);
	s = check_open(path, NULL, e);
	if (s == NULL)
		return -1;
	if (evlog_durable(s) < seen)
		r = err_set(e, EIO, "%llu events were shown, %llu are there",
		            (unsigned long long)seen, (unsigned long long)evlog_durable(s));
	evlog_close(s);
	return r < 0 ? -1 : power_check(im, arg, e);
}

/* The recovery itself is cut short too. */
static int crash_recovery(const struct record_image *im, void *arg, struct err *e)
{
	struct power *outer = arg;
	struct power in = {.o = RECORD_OPTIONS_DEFAULT, .acks = outer->acks};
	const struct record_setup setup = {.root = im->dir, .mapped = power_is_mapped};
	char path[400];
	int r = 0;

	if (im->mapped != RECORD_MAPPED_KEPT)
		return 0;
	in.o.mixes = 1;
	in.o.seed = im->crash + 1;
	in.r = record_io_start(&setup, &in.io, e);
	if (in.r == NULL)
		return -1;
	record_io_mark(in.r, "acked %zu", power_acked(im, 0));
	snprintf(path, sizeof(path), "%s/" POWER_STORE, im->dir);
	in.s = check_open(path, in.io, e);
	if (in.s == NULL)
		r = -1;
	else
		record_io_mark(in.r, "seen %llu", (unsigned long long)evlog_durable(in.s));
	evlog_close(in.s);
	if (r == 0 && record_io_images(in.r, &in.o, check_seen, &in, e) < 0)
		r = -1;
	record_io_free(in.r);
	return r;
}

/* A writer that was killed before its sync, and one who finds what it wrote. */
static void what_recovery_shows_to_readers_is_on_disk(void **state)
{
	struct power p = power_begin(EVLOG_SEGMENT_MIN, "a=0 b=0");

	(void)state;
	power_record(&p, NULL);
	power_mark(&p);
	power_open(&p);
	power_must(&p, check_commit(p.s, "x=1*1000 x=2*600", NULL, &p.e));
	ctl_set32(&p.s->ctl->dirty, 1);
	evlog_close(p.s);
	power_open(&p);
	assert_int_equal(evlog_durable(p.s), 4);
	record_io_mark(p.r, "seen 4");
	power_end(&p, check_seen);
}

static void a_recovery_that_is_cut_short_loses_nothing(void **state)
{
	struct power p = power_begin(EVLOG_SEGMENT_MIN, "a=0 b=0*9000");

	(void)state;
	p.o.mixes = 2;
	p.o.max_images = 150;
	power_record(&p, NULL);
	power_mark(&p);
	power_open(&p);
	power_append(&p, "b=1*4000");
	power_must(&p, check_commit(p.s, "x=1*1000 x=2*600", NULL, &p.e));
	power_append(&p, "b=2*7000 c=1");
	power_end(&p, crash_recovery);
}

#define TAIL 1500

/* Torn bytes are in the log or in lost/, whole. */
static int check_copy(const struct record_image *im, void *arg, struct err *e)
{
	struct power *p = arg;
	size_t end = p->acks.v[0].seq; /* where the sound part ends */
	char log[400], lost[400];
	struct stat st;
	struct buf b = {0};
	int r = 0;

	snprintf(log, sizeof(log), "%s/" POWER_STORE "/log/0000000000000001.evl", im->dir);
	snprintf(lost, sizeof(lost), "%s/" POWER_STORE "/lost/0000000000000001-%08zx.0", im->dir,
	         end);
	if (stat(log, &st) < 0)
		return err_sys(e, "look at the log");
	if ((size_t)st.st_size >= end + TAIL)
		return 0;
	if (file_read(AT_FDCWD, lost, 1u << 20, &b, e) < 0)
		return -1;
	for (size_t i = 0; r == 0 && i < TAIL; i++)
		if (b.len != TAIL || b.data[i] != 't')
			r = err_set(e, EIO, "the copy in lost/ is not whole");
	buf_done(&b);
	return r;
}

static void a_torn_tail_is_cut_when_its_copy_is_on_disk(void **state)
{
	struct power p = power_begin(1u << 20, "a=0");
	char name[400], tail[TAIL];
	FILE *log;

	(void)state;
	snprintf(name, sizeof(name), "%s/log/0000000000000001.evl", p.path);
	log = fopen(name, "ae");
	memset(tail, 't', sizeof(tail));
	p.acks.v[0].seq = (uint64_t)ftell(log);
	assert_int_equal(fwrite(tail, 1, TAIL, log), TAIL);
	fclose(log);
	power_record(&p, NULL);
	power_open(&p);
	assert_int_equal(evlog_durable(p.s), 1);
	power_end(&p, check_copy);
}

static int ignore_finding(const struct finding *f, void *arg, struct err *e)
{
	(void)f;
	(void)arg;
	(void)e;
	return 0;
}

/* Sound events of the damaged store, by sequence, in every image; repair may be run again. */
static int check_repaired(const struct record_image *im, void *arg, struct err *e)
{
	struct power *p = arg;
	char path[400];
	struct evlog *s;
	int r = 0;

	snprintf(path, sizeof(path), "%s/" POWER_STORE, im->dir);
	s = check_open(path, NULL, e);
	if (s == NULL)
		return -1;
	if (!record_image_marked(im, "repaired") && evlog_repair(s, ignore_finding, NULL, e) < 0)
		r = err_wrap(e, "repair again");
	for (size_t i = 0; r == 0 && i < power_acked(im, 0); i++) {
		const struct acked *k = &p->acks.v[i];
		struct frame f;

		if (k->seq == 2)
			continue;
		if (evlog_get(s, k->seq, &f, e) != 1 || f.version != k->version)
			r = err_set(e, EIO, "sequence %llu is gone", (unsigned long long)k->seq);
	}
	if (r == 0)
		r = check_append(s, "probe", NULL, e);
	if (r == 0 && evlog_verify(s, true, ignore_finding, NULL, e) != 0)
		r = err_set(e, EIO, "verify finds faults");
	evlog_close(s);
	return r;
}

static void flip_in_second_event(struct power *p)
{
	struct frame f;
	char name[400];
	FILE *file;
	int c;

	p->s = check_open(p->path, NULL, &p->e);
	assert_int_equal(evlog_get(p->s, 2, &f, &p->e), 1);
	snprintf(name, sizeof(name), "%s/log/0000000000000001.evl", p->path);
	file = fopen(name, "r+e");
	assert_int_equal(fseek(file, (long)p->s->active.offset[1] + 20, SEEK_SET), 0);
	c = fgetc(file);
	assert_int_equal(fseek(file, -1, SEEK_CUR), 0);
	fputc(c ^ 1, file);
	fclose(file);
	evlog_close(p->s);
}

static void a_repair_that_is_cut_short_can_be_repeated_and_loses_no_sound_event(void **state)
{
	struct power p = power_begin(EVLOG_SEGMENT_MIN, "a=0 b=0 c=0 a=1*2000");

	(void)state;
	p.s = check_open(p.path, NULL, &p.e);
	power_must(&p, check_append(p.s, "a=2 b=2*900", &p.acks, &p.e));
	evlog_close(p.s);
	flip_in_second_event(&p);
	power_record(&p, NULL);
	power_mark(&p);
	power_open(&p);
	power_must(&p, evlog_repair(p.s, ignore_finding, NULL, &p.e));
	record_io_mark(p.r, "repaired");
	power_append(&p, "a=3");
	power_end(&p, check_repaired);
}

static const struct cursor_id mail = {.name = "mail"};

/* A consumer that has done all there is. */
static int consume_all(struct evlog *s, struct err *e)
{
	bool is_new;
	struct cursor *c = cursor_open(s, &mail, 0, &is_new, e);
	int r;

	if (c == NULL)
		return -1;
	r = check_save_cursor(c, evlog_durable(s), e);
	cursor_close(c);
	return r;
}

/* What was restored has its cursor, at or before its end. */
static int check_cursor(const char *dir, size_t at_least, struct err *e)
{
	struct cursor_state state = {0};
	char path[400];
	struct evlog *s;
	int found;

	snprintf(path, sizeof(path), "%s/restored", dir);
	s = check_open(path, NULL, e);
	found = s == NULL ? -1 : cursor_read(s, &mail, &state, e);
	if (found >= 0 && (state.sequence < at_least || !cursor_fits_log(s, &state)))
		found = err_set(e, EIO, "the restored cursor is at %ju", (uintmax_t)state.sequence);
	evlog_close(s);
	return found < 0 ? -1 : 0;
}

/* A backup that was there can be restored at every point; a finished one holds all. */
static int check_backup(const struct record_image *im, void *arg, struct err *e)
{
	struct power *p = arg;
	size_t n;
	int r = power_restore(im, &n, e);

	if (r <= 0)
		return r;
	if (check_cursor(im->dir, n, e) < 0)
		return -1;
	return power_check_in(im->dir, POWER_RESTORED, &p->acks, n, CHECK_ALL, e);
}

static void back_up(struct power *p, bool copy)
{
	power_must(p, consume_all(p->s, &p->e));
	assert_true(power_back_up(p, copy) == p->acks.n);
}

static void a_backup_survives_and_an_update_never_spoils_it(void **state)
{
	(void)state;
	for (int copy = 0; copy < 2; copy++) {
		struct power p = power_begin(EVLOG_SEGMENT_MIN, "a=0 b=0*9000");

		power_record(&p, NULL);
		power_mark(&p);
		power_open(&p);
		power_append(&p, "b=1*9000");
		back_up(&p, copy != 0);
		power_append(&p, "b=2*5000");
		power_append(&p, "b=3*9000 c=0");
		back_up(&p, copy != 0);
		power_end(&p, check_backup);
	}
}

static int check_restored(const struct record_image *im, void *arg, struct err *e)
{
	struct power *p = arg;
	char path[400];
	struct stat st;

	snprintf(path, sizeof(path), "%s/restored/FORMAT", im->dir);
	if (stat(path, &st) < 0)
		return record_image_marked(im, "restored") ? err_set(e, EIO, "it is gone") : 0;
	/* A store that opens is complete. */
	if (check_cursor(im->dir, p->acks.n, e) < 0)
		return -1;
	return power_check_in(im->dir, "restored", &p->acks, p->acks.n, CHECK_ALL, e);
}

static void a_restored_store_is_complete_or_no_store(void **state)
{
	struct power p = power_begin(EVLOG_SEGMENT_MIN, "a=0 b=0*9000");
	char to[400];
	uint64_t last;

	(void)state;
	p.s = check_open(p.path, NULL, &p.e);
	power_must(&p, check_append(p.s, "b=1*9000", &p.acks, &p.e));
	power_must(&p, consume_all(p.s, &p.e));
	power_must(&p, evlog_backup(p.s, p.backup, true, &last, &p.e));
	evlog_close(p.s);
	p.s = NULL;
	power_record(&p, NULL);
	snprintf(to, sizeof(to), "%s/restored", p.root);
	power_must(&p, evlog_restore(p.backup, to, p.io, &p.e));
	record_io_mark(p.r, "restored");
	power_end(&p, check_restored);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_recovery_shows_to_readers_is_on_disk),
	    cmocka_unit_test(a_recovery_that_is_cut_short_loses_nothing),
	    cmocka_unit_test(a_torn_tail_is_cut_when_its_copy_is_on_disk),
	    cmocka_unit_test(a_repair_that_is_cut_short_can_be_repeated_and_loses_no_sound_event),
	    cmocka_unit_test(a_backup_survives_and_an_update_never_spoils_it),
	    cmocka_unit_test(a_restored_store_is_complete_or_no_store),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
