/* What others have mapped, or read, while it is replaced or cut: no signal, no false damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "evlog/admin.h"
#include "evlog/shrink.h"
#include "evlog/store_impl.h"
#include "evlog_check.h"
#include "evlog_model.h"
#include "seeded.h"

#define WORKERS 4

static unsigned made_offsets, kept_what_was_there;

static int noting_openat(int dir, const char *name, int flags, mode_t mode)
{
	if ((flags & O_CREAT) != 0 && strncmp(name, "offsets.", 8) == 0)
		made_offsets++;
	if ((flags & O_TRUNC) != 0 || ((flags & O_CREAT) != 0 && (flags & O_EXCL) == 0))
		kept_what_was_there++;
	return io_os.openat(dir, name, flags, mode);
}

static void remove_offsets(const struct evlog *s)
{
	struct buf names = {0};
	struct err e;

	assert_int_equal(store_list(s->index_dir, &names, &e), 0);
	for (size_t at = 0; at < names.len; at += strlen(names.data + at) + 1)
		if (strncmp(names.data + at, "offsets.", 8) == 0)
			assert_int_equal(unlinkat(s->index_dir, names.data + at, 0), 0);
	buf_done(&names);
}

/*
 * Whoever opens a file by a name that others use too may get one that somebody maps a moment
 * later under another name; a truncation would be a SIGBUS there.
 */
static void no_file_is_truncated_or_taken_over_when_it_is_made(void **state)
{
	const struct compact_hooks none = {0};
	struct io io = io_os;
	struct model m = model_begin();
	struct compact_total t;
	struct evlog *s, *reader;
	struct frame f;
	int faults = 0;

	(void)state;
	io.openat = noting_openat;
	made_offsets = kept_what_was_there = 0;
	s = check_open(m.from, &io, &m.e);
	for (int i = 0; i < 6; i++)
		model_must(&m, check_append(s, "a*9000 b*4000", NULL, &m.e));
	assert_int_equal(made_offsets, ctl_get(&s->ctl->rolls));
	assert_true(made_offsets > 2);
	made_offsets = 0;
	remove_offsets(s);
	reader = check_open(m.from, &io, &m.e);
	assert_int_equal(evlog_get(reader, 1, &f, &m.e), 1);
	assert_int_equal(made_offsets, 1);
	made_offsets = 0;
	model_must(&m, check_append(s, "~a", NULL, &m.e));
	model_must(&m, evlog_compact(s, false, false, &none, &t, &m.e));
	assert_true(made_offsets > 1);
	ctl_set32(&s->ctl->dirty, 1);
	model_must(&m, check_append(s, "a", NULL, &m.e));
	model_must(&m, evlog_repair(s, model_count, &faults, &m.e));
	assert_int_equal(kept_what_was_there, 0);
	evlog_close(reader);
	evlog_close(s);
	model_end(&m);
}

/* ---- Opened without the lock, while somebody cuts the log and writes it anew. */

/* As a process that died left it, and a writer brings it in order now. */
static struct evlog *open_without_lock(const char *dir, const struct io *io, struct err *e)
{
	const struct evlog_config cfg = {.io = io, .lock_timeout_ms = 0};
	struct buf note = {0};
	struct evlog *s = evlog_open(dir, &cfg, &note, e);

	buf_done(&note);
	return s;
}

static struct {
	int fd;         /* of the segment that is read */
	off_t to;       /* what is left of it by the cut, or -1 */
	unsigned mixed; /* reads that get bytes from before and after it was written anew */
} change;

static ssize_t changing_pread(int fd, void *p, size_t n, off_t at)
{
	ssize_t r = io_os.pread(fd, p, change.to >= 0 ? n / 2 : n, at);
	struct stat a, b;

	if (fstat(fd, &a) < 0 || fstat(change.fd, &b) < 0 || a.st_ino != b.st_ino)
		return io_os.pread(fd, p, n, at);
	if (change.mixed > 0) {
		const struct timespec t[2] = {{.tv_sec = change.mixed}, {.tv_sec = change.mixed}};

		memset((char *)p + FRAME_HEAD_LEN + 20, 'x', FRAME_FIXED);
		assert_int_equal(futimens(change.fd, t), 0);
		change.mixed--;
	} else if (change.to >= 0) {
		assert_int_equal(ftruncate(change.fd, change.to), 0);
		change.to = -1;
	}
	return r;
}

static void a_log_that_is_cut_while_it_is_read_is_not_damaged(void **state)
{
	struct model m = model_small();
	size_t kept = m.commits / 4; /* less than half of it */
	struct io io = io_os;
	struct evlog *s, *reader;

	(void)state;
	io.pread = changing_pread;
	for (unsigned n = 0; n < 4; n++) {
		model_copy(&m, KEEP_CTL | KEEP_INDEX);
		s = model_open(&m, m.to);
		model_must(&m, store_lock(s, &m.e));
		ctl_set32(&s->ctl->dirty, 1);
		change.fd = model_file(&m, MODEL_LOG);
		change.to = n % 2 == 0 ? (off_t)m.end[kept] : -1;
		change.mixed = n / 2 * 3;
		reader = open_without_lock(m.to, &io, &m.e);
		assert_non_null(reader);
		assert_true(reader->ctl_private);
		assert_true(change.to == -1 && change.mixed == 0);
		assert_int_equal(ctl_get32(&reader->ctl->damaged), 0);
		assert_true(ctl_get(&reader->ctl->written) <= m.seq[m.commits - 1]);
		if (n % 2 == 1)
			assert_int_equal(ctl_get(&reader->ctl->written), m.seq[m.commits - 1]);
		evlog_close(reader);
		close(change.fd);
		store_unlock(s);
		evlog_close(s);
	}
	model_end(&m);
}

static _Noreturn void cut_and_write(struct model *m)
{
	static char all[1 << 17];
	int fd = model_file(m, "log/0000000000000001.evl");
	ssize_t n = pread(fd, all, sizeof(all), 0);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		if (n <= 0 || ftruncate(fd, FRAME_HEAD_LEN) < 0 ||
		    pwrite(fd, all + FRAME_HEAD_LEN, (size_t)n - FRAME_HEAD_LEN, FRAME_HEAD_LEN) <
		        0)
			_exit(1);
}

#define OPEN_ROUNDS 2000

static void opening_survives_any_cut(void **state)
{
	unsigned rounds = seeded_rounds(OPEN_ROUNDS);
	struct model m = model_begin();
	struct evlog *s = model_open(&m, m.from), *reader;
	pid_t pid;

	(void)state;
	evlog_close(s);
	snprintf(m.to, sizeof(m.to), "%s", m.from);
	s = model_open(&m, m.from);
	for (int i = 0; i < 3; i++)
		model_put(&m, s, "a*4000", true);
	model_must(&m, store_lock(s, &m.e));
	ctl_set32(&s->ctl->dirty, 1);
	pid = fork();
	if (pid == 0)
		cut_and_write(&m);
	while (rounds-- > 0) {
		reader = open_without_lock(m.from, NULL, &m.e);
		/* Half a frame may be all that is read; no answer is wrong but a signal. */
		evlog_close(reader);
	}
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	store_unlock(s);
	evlog_close(s);
	model_end(&m);
}

#define WRITE_ROUNDS 20000

static void write_and_read_offsets(const char *dir, unsigned rounds)
{
	struct err e;
	struct evlog *s = check_open(dir, NULL, &e);
	struct segment *g;
	struct frame f;

	if (s == NULL || evlog_get(s, 1, &f, &e) <= 0)
		_exit(1);
	g = segment_of(s, 1);
	for (unsigned i = 0; i < rounds; i++) {
		if (offsets_rebuild(s, g, &e) < 0)
			_exit(2);
		offsets_drop(g);
		if (offsets_load(s, g, &e) < 0)
			_exit(3);
		for (uint64_t k = 0; k <= g->last - g->base; k++)
			if (g->offset[k] == 0)
				_exit(4);
	}
	evlog_close(s);
	_exit(0);
}

static void processes_that_write_the_same_offsets_take_none_from_each_other(void **state)
{
	unsigned rounds = seeded_rounds(WRITE_ROUNDS);
	struct model m = model_begin();
	struct evlog *s = model_open(&m, m.from);

	(void)state;
	for (int i = 0; i < 40; i++)
		model_put(&m, s, "a b c d e f g h", false);
	model_put(&m, s, "a*16000", true);
	model_put(&m, s, "a*16000", true);
	evlog_close(s);
	for (int i = 0; i < WORKERS; i++)
		if (fork() == 0)
			write_and_read_offsets(m.from, rounds);
	for (int i = 0; i < WORKERS; i++) {
		int status;

		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	s = model_open(&m, m.from);
	model_must(&m, evlog_check_store(s, &m.acks, CHECK_ALL, &m.e));
	evlog_close(s);
	model_end(&m);
}

/* What a reader was writing when it was killed goes with the next recovery, but not before. */
static void recovery_removes_the_rests_of_index_files(void **state)
{
	static const char *const rests[] = {"offsets.0000000000000001.tmp.1",
	                                    "heads.0000000000000001-0000000000000002.tmp.1",
	                                    "offsets.0000000000000001.new"};
	struct model m = model_small();
	struct evlog *s = model_open(&m, m.from), *other;
	struct err e;

	(void)state;
	for (int at_work = 1; at_work >= 0; at_work--) {
		if (at_work)
			model_must(
			    &m, file_try_lock(s->lock, LOCK_MAINTAIN, FILE_LOCK_EXCLUSIVE, &m.e));
		for (size_t i = 0; i < 3; i++)
			model_must(
			    &m, file_replace(&io_os, s->index_dir, rests[i], "x", 1, 0600, &m.e));
		ctl_set32(&s->ctl->dirty, 1);
		other = model_open(&m, m.from);
		for (size_t i = 0; i < 3; i++)
			assert_int_equal(faccessat(s->index_dir, rests[i], F_OK, 0),
			                 at_work ? 0 : -1);
		evlog_close(other);
		file_unlock(s->lock, LOCK_MAINTAIN);
	}
	model_must(&m, check_append(s, "a", NULL, &e));
	evlog_close(s);
	model_end(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(no_file_is_truncated_or_taken_over_when_it_is_made),
	    cmocka_unit_test(a_log_that_is_cut_while_it_is_read_is_not_damaged),
	    cmocka_unit_test(opening_survives_any_cut),
	    cmocka_unit_test(processes_that_write_the_same_offsets_take_none_from_each_other),
	    cmocka_unit_test(recovery_removes_the_rests_of_index_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
