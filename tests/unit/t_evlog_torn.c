/* What recovery takes for torn, what for damage; and that ctl and index never overrule the log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "evlog/admin.h"
#include "evlog/store_impl.h"
#include "evlog_check.h"
#include "evlog_model.h"
#include "fault_io.h"
#include "tmp_dir.h"

#define SECTOR 512u

static void zero(int fd, size_t from, size_t to)
{
	char zeros[SECTOR] = {0};

	assert_true(to - from <= SECTOR);
	assert_int_equal(pwrite(fd, zeros, to - from, (off_t)from), to - from);
}

/* Up to eight sectors of unsynced commits; of the first one only what lies behind the synced. */
static struct model begin_unsynced(size_t *durable)
{
	struct model m = model_begin();
	struct evlog *s = model_open(&m, m.from);

	model_put(&m, s, "a=0 b=0*300", true);
	model_put(&m, s, "a=1", true);
	*durable = m.end[1];
	model_put(&m, s, "x=0*100 y=0*40", false);
	model_put(&m, s, "x=1*900", false);
	model_put(&m, s, "y=1", false);
	model_put(&m, s, "x=2*20 y=2*500 x=3*30", false);
	model_put(&m, s, "y=3", false);
	evlog_close(s);
	return m;
}

/* Commits whose bytes are all there before the first hole are kept. */
static uint64_t kept_before(const struct model *m, size_t hole)
{
	uint64_t seq = 0;

	for (size_t i = 0; i < m->commits && m->end[i] <= hole; i++)
		seq = m->seq[i];
	return seq;
}

static void any_set_of_sectors_lost_behind_the_last_sync_is_a_torn_tail(void **state)
{
	size_t durable, size, sectors;
	struct model m = begin_unsynced(&durable);

	(void)state;
	size = m.end[m.commits - 1];
	sectors = (size - 1) / SECTOR - durable / SECTOR + 1;
	assert_true(sectors >= 5 && sectors <= 9);
	for (unsigned set = 1; set < 1u << sectors; set++) {
		struct acks some = {.v = m.acks.v, .n = 3};
		size_t hole = size;
		struct evlog *s;
		int fd;

		model_copy(&m, set % 2 == 0 ? 0 : KEEP_INDEX);
		fd = model_file(&m, "log/0000000000000001.evl");
		for (size_t i = sectors; i-- > 0;) {
			size_t from = (durable / SECTOR + i) * SECTOR;
			size_t to = from + SECTOR < size ? from + SECTOR : size;

			if ((set >> i & 1) == 0)
				continue;
			from = from < durable ? durable : from;
			zero(fd, from, to);
			hole = from;
		}
		close(fd);
		s = model_open(&m, m.to);
		if (evlog_durable(s) != kept_before(&m, hole))
			fail_msg("set %x: %llu are kept", set,
			         (unsigned long long)evlog_durable(s));
		if (evlog_check_store(s, &some, CHECK_ALL, &m.e) < 0)
			fail_msg("set %x: %s", set, m.e.msg);
		evlog_close(s);
	}
	model_end(&m);
}

static void the_same_hole_in_what_was_known_to_be_durable_is_damage(void **state)
{
	struct model m = model_begin();
	struct evlog *s = model_open(&m, m.from);
	size_t from;

	(void)state;
	model_put(&m, s, "a=0", true);
	model_put(&m, s, "a=1*1500", true);
	model_put(&m, s, "a=2", false);
	model_put(&m, s, "a=3", false);
	from = (m.end[0] / SECTOR + 1) * SECTOR;
	evlog_close(s);
	for (int keep = 0; keep < 4; keep++) {
		int fd, faults = 0;

		model_copy(&m, keep);
		fd = model_file(&m, "log/0000000000000001.evl");
		zero(fd, from, from + SECTOR);
		close(fd);
		s = model_open(&m, m.to);
		assert_true(model_notes(&m, "damaged: log/0000000000000001.evl"));
		assert_int_equal(check_append(s, "a", NULL, &m.e), -1);
		assert_int_equal(m.e.code, EVLOG_DAMAGED);
		assert_true(evlog_verify(s, true, model_count, &faults, &m.e) > 0);
		model_must(&m, evlog_repair(s, model_count, &faults, &m.e));
		model_must(&m, check_append(s, "a", NULL, &m.e));
		assert_int_equal(evlog_verify(s, true, model_count, &faults, &m.e), 0);
		evlog_close(s);
	}
	model_end(&m);
}

static void a_segment_that_begins_with_a_lost_event_is_repaired_in_order(void **state)
{
	struct model m = model_small();
	struct evlog *s;
	int fd, faults = 0;

	(void)state;
	model_copy(&m, 0);
	fd = model_file(&m, MODEL_LOG);
	assert_int_equal(pwrite(fd, "#", 1, FRAME_HEAD_LEN + 30), 1);
	close(fd);
	s = model_open(&m, m.to);
	model_must(&m, evlog_repair(s, model_count, &faults, &m.e));
	assert_int_equal(evlog_verify(s, true, model_count, &faults, &m.e), 0);
	model_must(&m, check_append(s, "a b c d", NULL, &m.e));
	assert_int_equal(evlog_verify(s, true, model_count, &faults, &m.e), 0);
	evlog_close(s);
	model_end(&m);
}

/* --- what is disposable --- */

enum spoil { DELETE, ZERO, GARBAGE, HALF, DOUBLE, SPOILS };

static void spoil_file(const char *path, enum spoil how)
{
	struct stat st = {0};
	int fd = open(path, O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0 && fstat(fd, &st) == 0);
	for (off_t at = 0; (how == ZERO || how == GARBAGE) && at < st.st_size; at++) {
		char c = how == ZERO ? '\0' : (char)(at * 37 + 11);

		assert_int_equal(pwrite(fd, &c, 1, at), 1);
	}
	if (how == HALF || how == DOUBLE)
		assert_int_equal(ftruncate(fd, how == HALF ? st.st_size / 2 : st.st_size * 2), 0);
	close(fd);
	if (how == DELETE)
		assert_int_equal(unlink(path), 0);
}

/* Names of ctl and all index files, below the store. */
static size_t list_disposable(struct model *m, char names[16][80])
{
	char path[400];
	DIR *d;
	struct dirent *x;
	size_t n = 1;

	snprintf(names[0], 80, "ctl");
	snprintf(path, sizeof(path), "%s/index", m->from);
	d = opendir(path);
	while ((x = readdir(d)) != NULL)
		if (x->d_name[0] != '.' && n < 16)
			snprintf(names[n++], 80, "index/%.60s", x->d_name);
	closedir(d);
	return n;
}

/* In place, so that ctl's marks of the log still hold. */
static void a_spoiled_file_that_is_disposable_changes_nothing(void **state)
{
	struct model m = model_small();
	char names[16][80];
	size_t n = list_disposable(&m, names);
	size_t from = m.acks.n;

	(void)state;
	assert_true(n >= 5);
	for (size_t i = 0; i < n; i++)
		for (int how = 0; how < SPOILS; how++) {
			char path[400];
			struct evlog *s;

			snprintf(path, sizeof(path), "%s/%s", m.from, names[i]);
			if (access(path, F_OK) == 0)
				spoil_file(path, (enum spoil)how);
			s = model_open(&m, m.from);
			if (evlog_check_store(s, &m.acks, CHECK_ALL, &m.e) < 0)
				fail_msg("%s, %d: %s", names[i], how, m.e.msg);
			/* ids of both segments are still known */
			assert_int_equal(check_append(s, "b=0*99", NULL, &m.e), -1);
			assert_int_equal(m.e.code, EVLOG_ID_REUSED);
			assert_int_equal(check_append(s, "c=1*99", NULL, &m.e), -1);
			assert_int_equal(m.e.code, EVLOG_ID_REUSED);
			evlog_close(s);
		}
	assert_true(m.acks.n == from);
	model_end(&m);
}

/* Into the file that is there, if it is. */
static void copy_over(const char *from, const char *to)
{
	struct buf b = {0};
	struct err e;
	int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_equal(file_read(AT_FDCWD, from, 1u << 20, &b, &e), 0);
	assert_int_equal(write(fd, b.data, b.len), b.len);
	close(fd);
	buf_done(&b);
}

/* Files of an earlier moment of the same store, as a bad restore leaves them. */
static void files_of_an_earlier_time_do_not_overrule_the_log(void **state)
{
	struct model m = model_small();
	char names[16][80];
	size_t n = list_disposable(&m, names);
	struct evlog *s;

	(void)state;
	model_copy(&m, KEEP_CTL | KEEP_INDEX);
	s = model_open(&m, m.from);
	for (int i = 0; i < 5; i++) {
		char words[64];

		snprintf(words, sizeof(words), "a=new%d b=new%d*%d e%d=0", i, i, i * 2500, i);
		model_put(&m, s, words, true);
	}
	evlog_close(s);
	for (unsigned set = 1; set < 1u << n && set < 256; set++) {
		for (size_t i = 0; i < n; i++) {
			char from[400], to[400];

			if ((set >> i & 1) == 0)
				continue;
			snprintf(from, sizeof(from), "%s/%.79s", m.to, names[i]);
			snprintf(to, sizeof(to), "%s/%.79s", m.from, names[i]);
			copy_over(from, to);
		}
		s = model_open(&m, m.from);
		if (evlog_check_store(s, &m.acks, CHECK_ALL, &m.e) < 0)
			fail_msg("set %x: %s", set, m.e.msg);
		evlog_close(s);
	}
	model_end(&m);
}

static void recorded_times_never_decrease_over_a_roll_and_a_reboot(void **state)
{
	struct model m = model_begin();
	struct evlog *s = model_open(&m, m.from);
	struct commit *c = commit_new();
	struct commit_result r;
	char path[400];

	(void)state;
	model_put(&m, s, "a=0 a=1*15900", true);
	/* rolls, and is cut off again: the new segment is empty */
	model_put(&m, s, "a=2", true);
	evlog_close(s);
	snprintf(path, sizeof(path), "%s/" MODEL_LOG, m.from);
	assert_int_equal(truncate(path, FRAME_HEAD_LEN), 0);
	snprintf(path, sizeof(path), "%s/ctl", m.from);
	assert_int_equal(unlink(path), 0);
	s = model_open(&m, m.from);
	assert_int_equal(evlog_durable(s), 2);
	model_must(&m, check_fill(s, c, "a=3", &m.e));
	model_must(&m, evlog_commit(s, c, COMMIT_ATOMIC, 5, &r, &m.e));
	model_must(&m, evlog_sync(s, r.sequence, &m.e));
	m.acks.n = 2;
	model_must(&m, evlog_check_store(s, &m.acks, CHECK_DEEP, &m.e));
	commit_free(c);
	evlog_close(s);
	model_end(&m);
}

/* --- a sync that failed --- */

static int open_and_append(const char *dir)
{
	struct err e = {.code = 0};
	struct evlog *s = check_open(dir, NULL, &e);

	if (s != NULL)
		(void)check_append(s, "child", NULL, &e);
	evlog_close(s);
	return e.code == EVLOG_POISONED ? 7 : 1;
}

static void assert_poisoned(struct model *m, uint64_t durable)
{
	struct evlog *s = model_open(m, m->from);
	struct frame f;
	int status, faults = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(open_and_append(m->from));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 7 << 8);
	if (evlog_durable(s) != durable)
		fail_msg("durable is %llu", (unsigned long long)evlog_durable(s));
	assert_int_equal(evlog_get(s, durable + 1, &f, &m->e), 0);
	assert_int_equal(check_commit(s, "a", NULL, &m->e), -1);
	assert_int_equal(m->e.code, EVLOG_POISONED);
	assert_true(evlog_verify(s, false, model_count, &faults, &m->e) > 0);
	model_must(m, evlog_check_store(s, &m->acks, 0, &m->e));
	evlog_close(s);
}

static void touch_log(struct model *m)
{
	char path[400];

	snprintf(path, sizeof(path), "%s/log/0000000000000001.evl", m->from);
	assert_int_equal(utimensat(AT_FDCWD, path, NULL, 0), 0);
}

/* how: 0 as it is, 1 the log's time changed, so that recovery runs; 2 ctl is gone too. */
static void fail_a_sync(int how, bool all_syncs)
{
	struct model m = model_begin();
	struct evlog *s = model_open(&m, m.from);
	int faults = 0;
	char path[400];

	model_put(&m, s, "a=0 b=0", true);
	evlog_close(s);
	s = check_open(m.from, fault_io_start(&io_os), &m.e);
	fault_io_add((struct fault){.call = FAULT_FDATASYNC, .always = true, .error = EIO});
	if (all_syncs)
		fault_io_add((struct fault){.call = FAULT_FSYNC, .always = true, .error = EIO});
	assert_int_equal(check_append(s, "a=1", NULL, &m.e), -1);
	assert_int_equal(m.e.code, EVLOG_POISONED);
	assert_int_equal(check_commit(s, "a=2", NULL, &m.e), -1);
	assert_int_equal(m.e.code, EVLOG_POISONED);
	evlog_close(s);
	snprintf(path, sizeof(path), "%s/ctl", m.from);
	if (how > 0)
		touch_log(&m);
	if (how > 1)
		assert_int_equal(unlink(path), 0);
	assert_poisoned(&m, 2);
	assert_poisoned(&m, 2);
	s = model_open(&m, m.from);
	model_must(&m, evlog_repair(s, model_count, &faults, &m.e));
	assert_true(evlog_durable(s) == 2);
	model_must(&m, check_append(s, "a=1", &m.acks, &m.e));
	assert_true(m.acks.v[2].seq == 3);
	model_must(&m, evlog_check_store(s, &m.acks, CHECK_ALL, &m.e));
	evlog_close(s);
	model_end(&m);
}

static void a_failed_sync_stops_writers_until_repair(void **state)
{
	(void)state;
	fail_a_sync(0, false);
	fail_a_sync(1, false);
	fail_a_sync(2, false);
}

static void a_failed_sync_is_remembered_also_when_its_file_cannot_be_written(void **state)
{
	(void)state;
	fail_a_sync(0, true);
	fail_a_sync(1, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(any_set_of_sectors_lost_behind_the_last_sync_is_a_torn_tail),
	    cmocka_unit_test(the_same_hole_in_what_was_known_to_be_durable_is_damage),
	    cmocka_unit_test(a_segment_that_begins_with_a_lost_event_is_repaired_in_order),
	    cmocka_unit_test(a_spoiled_file_that_is_disposable_changes_nothing),
	    cmocka_unit_test(files_of_an_earlier_time_do_not_overrule_the_log),
	    cmocka_unit_test(recorded_times_never_decrease_over_a_roll_and_a_reboot),
	    cmocka_unit_test(a_failed_sync_stops_writers_until_repair),
	    cmocka_unit_test(a_failed_sync_is_remembered_also_when_its_file_cannot_be_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
