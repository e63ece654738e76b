/* Several handles and processes on one store: what one does, the others take right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "evlog/admin.h"
#include "evlog/store_impl.h"
#include "evlog_check.h"
#include "evlog_model.h"
#include "fault_io.h"

#define WORKERS 4
#define ROUNDS  150

/* Each appends to its own stream and to a shared one by compare-and-append. */
static void work(const char *dir, int me)
{
	struct err e;
	struct evlog *s = check_open(dir, NULL, &e);
	int won = 0;

	while (s != NULL && won < ROUNDS) {
		struct span name = {"shared", 6};
		char words[96];
		struct frame f;
		int r = evlog_head(s, name, UINT64_MAX, &f, &e);

		if (r < 0)
			break;
		snprintf(words, sizeof(words),
		         r == 0 ? "shared=%d-%d?none" : "shared=%d-%d?%u w%d=%d-%d", me, won,
		         r == 0 ? 0 : f.version, me, me, won);
		if (r == 0)
			snprintf(words, sizeof(words), "shared=%d-%d?none", me, won);
		if (check_append(s, words, NULL, &e) == 0)
			won++;
		else if (e.code != EVLOG_CONFLICT)
			break;
		if (evlog_maintain(s, &e) < 0)
			break;
	}
	if (won < ROUNDS)
		fprintf(stderr, "worker %d: %s\n", me, e.msg);
	evlog_close(s);
	_exit(won == ROUNDS ? 0 : 1);
}

static void processes_that_compare_and_append_win_each_version_once(void **state)
{
	struct model m = model_begin();
	struct evlog *s;
	struct frame f;

	(void)state;
	for (int i = 0; i < WORKERS; i++)
		if (fork() == 0)
			work(m.from, i);
	for (int i = 0; i < WORKERS; i++) {
		int status;

		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	s = model_open(&m, m.from);
	assert_int_equal(evlog_head(s, (struct span){"shared", 6}, UINT64_MAX, &f, &m.e), 1);
	assert_int_equal(f.version, WORKERS * ROUNDS - 1);
	model_must(&m, evlog_check_store(s, NULL, CHECK_ALL, &m.e));
	evlog_close(s);
	model_end(&m);
}

/* What a process loads of the index between following ctl and taking the lock. */
static void a_roll_between_a_look_and_a_lookup_hides_no_stream(void **state)
{
	struct model m = model_begin();
	struct evlog *s = model_open(&m, m.from);
	struct evlog *other = model_open(&m, m.from);

	(void)state;
	model_put(&m, s, "a b c*9000", true);
	model_must(&m, store_refresh(other, &m.e));
	model_put(&m, s, "a", true);
	model_put(&m, s, "c*9000", true);
	assert_true(ctl_get(&s->ctl->rolls) == 1);
	model_must(&m, index_load(other, RUN_IDS, &m.e));
	model_must(&m, check_append(other, "a?1 b?0 c?1", NULL, &m.e));
	model_must(&m, evlog_check_store(s, &m.acks, CHECK_ALL, &m.e));
	evlog_close(other);
	evlog_close(s);
	model_end(&m);
}

/* A merge of runs that a reader knows with those of segments that it does not know yet. */
static void rolls_and_a_merge_between_a_look_and_a_lookup_hide_no_stream(void **state)
{
	struct model m = model_begin();
	struct evlog *s = model_open(&m, m.from);
	struct evlog *readers[3];
	struct id_cursor at = ID_FIRST;
	struct frame f;
	int heads = 0;

	(void)state;
	model_put(&m, s, "a=0 b=0 c*16000", true);
	model_put(&m, s, "c*16000", true);
	for (size_t i = 0; i < 3; i++) {
		readers[i] = model_open(&m, m.from);
		model_must(&m, store_refresh(readers[i], &m.e));
	}
	for (int i = 0; i < 300; i++)
		model_put(&m, s, i % 50 == 0 ? "a c*16000" : "a", false);
	model_put(&m, s, "d=d a", true);
	for (int i = 0; i < 3; i++)
		model_put(&m, s, "c*16000", true);
	s->merge_due = true;
	model_must(&m, evlog_maintain(s, &m.e));
	assert_int_equal(s->run_count[RUN_HEADS], 1);
	assert_int_equal(lookup_head(readers[0], (struct span){"d", 1}, &f, NULL, &m.e), 1);
	assert_int_equal(f.version, 0);
	assert_int_equal(lookup_head(readers[0], (struct span){"b", 1}, &f, NULL, &m.e), 1);
	assert_int_equal(
	    lookup_id(readers[1], (struct span){"d", 1}, (struct span){"d", 1}, &at, &f, &m.e), 1);
	model_must(&m, index_load(readers[2], RUN_HEADS, &m.e));
	for (size_t i = 0; i < 3; i++)
		heads += readers[i]->run_count[RUN_HEADS] == 1;
	assert_int_equal(heads, 3);
	assert_int_equal(ctl_get32(&s->ctl->damaged), 0);
	model_must(&m, evlog_check_store(readers[2], &m.acks, CHECK_ALL, &m.e));
	for (size_t i = 0; i < 3; i++)
		evlog_close(readers[i]);
	evlog_close(s);
	model_end(&m);
}

/* A merge of runs while a reader goes from one event of an id to the next. */
static void a_merge_between_two_steps_of_a_lookup_hides_no_id(void **state)
{
	const struct span stream = {"a", 1}, id = {"i", 1};
	struct model m = model_begin();
	struct evlog *s = model_open(&m, m.from);
	struct evlog *reader = model_open(&m, m.from);
	struct id_cursor at = ID_FIRST;
	uint64_t oldest = UINT64_MAX;
	struct frame f;
	int r;

	(void)state;
	for (int i = 0; i < 6; i++) {
		model_put(&m, s, "a=i", false);
		model_put(&m, s, "~a", false);
		for (int k = 0; k < 3; k++)
			model_put(&m, s, "c*16000", true);
	}
	model_must(&m, store_refresh(reader, &m.e));
	for (int i = 0; i < 3; i++)
		assert_int_equal(lookup_id(reader, stream, id, &at, &f, &m.e), 1);
	assert_true(f.seq > 1 && reader->run_count[RUN_IDS] > 4);
	s->merge_due = true;
	model_must(&m, evlog_maintain(s, &m.e));
	while ((r = lookup_id(reader, stream, id, &at, &f, &m.e)) > 0)
		oldest = f.seq < oldest ? f.seq : oldest;
	assert_int_equal(r, 0);
	assert_int_equal(reader->run_count[RUN_IDS], 1);
	assert_int_equal(oldest, 1);
	evlog_close(reader);
	evlog_close(s);
	model_end(&m);
}

/* One who waits for a sync while repair cuts what it waits for must not be told that all is well.
 */
static void what_repair_has_cut_is_acknowledged_to_nobody(void **state)
{
	struct model m = model_begin();
	struct evlog *a = model_open(&m, m.from);
	struct evlog *b = check_open(m.from, fault_io_start(&io_os), &m.e);
	struct commit_result r;
	int faults = 0;

	(void)state;
	model_put(&m, a, "a=0", true);
	model_must(&m, check_commit(a, "mine=1", &r, &m.e));
	fault_io_add((struct fault){.call = FAULT_FDATASYNC, .error = EIO});
	assert_int_equal(check_append(b, "b=1", NULL, &m.e), -1);
	model_must(&m, evlog_repair(b, model_count, &faults, &m.e));
	model_must(&m, check_append(b, "other=1 other=2 other=3", NULL, &m.e));
	assert_int_equal(evlog_sync(a, r.sequence, &m.e), -1);
	assert_int_equal(m.e.code, EVLOG_POISONED);
	model_must(&m, check_append(a, "mine=1", NULL, &m.e));
	evlog_close(b);
	evlog_close(a);
	model_end(&m);
}

/* A reader that was there before a repair judges by old bytes; it must not stop the writers. */
static void a_reader_from_before_a_repair_does_no_harm_after_it(void **state)
{
	struct model m = model_small();
	struct evlog *reader, *s;
	struct frame f;
	int fd, faults = 0;

	(void)state;
	model_copy(&m, KEEP_CTL | KEEP_INDEX);
	reader = model_open(&m, m.to);
	for (uint64_t seq = 2; seq <= 4; seq++)
		assert_int_equal(evlog_get(reader, seq, &f, &m.e), 1);
	fd = model_file(&m, "log/0000000000000001.evl");
	assert_int_equal(pwrite(fd, "#", 1, FRAME_HEAD_LEN + 30), 1);
	close(fd);
	fd = model_file(&m, MODEL_LOG);
	assert_int_equal(pwrite(fd, "#", 1, FRAME_HEAD_LEN + 30), 1);
	close(fd);
	s = model_open(&m, m.to);
	model_must(&m, evlog_repair(s, model_count, &faults, &m.e));
	for (uint64_t seq = 1; seq <= 12; seq++)
		(void)evlog_get(reader, seq, &f, &m.e);
	assert_int_equal(evlog_get(reader, 5, &f, &m.e), 1);
	model_must(&m, check_append(s, "a b", NULL, &m.e));
	model_must(&m, check_append(reader, "a b", NULL, &m.e));
	evlog_close(reader);
	evlog_close(s);
	model_end(&m);
}

/* A reader that follows has bytes in its buffer that a writer that died did not finish. */
static void a_reader_that_follows_reads_what_was_cut_and_written_anew(void **state)
{
	struct model m = model_begin();
	struct evlog *s = model_open(&m, m.from);
	struct evlog *reader = check_open(m.from, NULL, &m.e);
	struct scan *sc = scan_new(reader, 1, &m.e);
	char path[400];
	struct damage d;
	struct frame f;
	FILE *log;

	(void)state;
	snprintf(path, sizeof(path), "%s/log/0000000000000001.evl", m.from);
	model_put(&m, s, "a=0", true);
	model_put(&m, s, "lost=1*100", false);
	model_put(&m, s, "lost=2*2000", false);
	assert_int_equal(scan_next(sc, 1, &f, &d, &m.e), 1);
	assert_int_equal(scan_next(sc, 1, &f, &d, &m.e), 0);
	/* as if it had been killed in the midst of the first of these */
	log = fopen(path, "r+e");
	assert_int_equal(ftruncate(fileno(log), (off_t)m.end[0] + 60), 0);
	fclose(log);
	model_must(&m, check_append(s, "b=1 b=2*700 b=3", NULL, &m.e));
	for (uint64_t seq = 2; seq <= 4; seq++) {
		assert_int_equal(scan_next(sc, evlog_durable(reader), &f, &d, &m.e), 1);
		assert_true(f.seq == seq && f.stream.p[0] == 'b');
	}
	assert_int_equal(scan_next(sc, evlog_durable(reader), &f, &d, &m.e), 0);
	scan_free(sc);
	evlog_close(reader);
	evlog_close(s);
	model_end(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(processes_that_compare_and_append_win_each_version_once),
	    cmocka_unit_test(a_roll_between_a_look_and_a_lookup_hides_no_stream),
	    cmocka_unit_test(rolls_and_a_merge_between_a_look_and_a_lookup_hide_no_stream),
	    cmocka_unit_test(a_merge_between_two_steps_of_a_lookup_hides_no_id),
	    cmocka_unit_test(what_repair_has_cut_is_acknowledged_to_nobody),
	    cmocka_unit_test(a_reader_from_before_a_repair_does_no_harm_after_it),
	    cmocka_unit_test(a_reader_that_follows_reads_what_was_cut_and_written_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
