#include "wal_log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <unistd.h>

#include "place.h"

struct wal_log wl;

void log_must(int r)
{
	if (r < 0)
		fail_msg("%s", wl.e.msg);
}

/* A log in the test's directory, with a term and a vote. */
void log_begin(void **state)
{
	struct wal_recovered r;

	memset(&wl.model, 0, sizeof(wl.model));
	buf_clear(&wl.note);
	wl.cfg = wal_model_config(&io_os, place_dir(state));
	wl.model.w = wal_open(&wl.cfg, &r, NULL, &wl.e);
	log_must(wl.model.w == NULL ? -1 : 0);
	wal_recovered_done(&r);
	wal_model_hard(&wl.model, 1, 2);
	log_must(wal_model_sync(&wl.model, &wl.e));
}

/* Add `n` entries in a batch of their own. */
void log_batch(size_t n)
{
	wal_model_append(&wl.model, wl.model.term, n);
	log_must(wal_model_sync(&wl.model, &wl.e));
}

/* Where the next record will stand in the segment being written. */
uint64_t log_used(void)
{
	struct wal_stat st;

	wal_stat(wl.model.w, &st);
	return st.used;
}

/* Open again and check that it holds what `least` ops or more make. */
struct wal_recovered log_reopen(size_t least)
{
	struct wal_recovered r;

	buf_clear(&wl.note);
	wal_abandon(wl.model.w);
	wl.model.w = wal_open(&wl.cfg, &r, &wl.note, &wl.e);
	log_must(wl.model.w == NULL ? -1 : 0);
	buf_add_char(&wl.note, '\0');
	log_must(wal_model_check(&wl.model, least, &r, &wl.e));
	return r;
}

void log_goes_on(void)
{
	struct wal_recovered r = log_reopen(wl.model.n);

	wal_recovered_done(&r);
	log_batch(2);
	r = log_reopen(wl.model.n);
	wal_recovered_done(&r);
}

void log_end(void)
{
	wal_abandon(wl.model.w);
	wl.model.w = NULL;
	buf_done(&wl.note);
}

struct buf log_read_all(const char *name)
{
	struct buf b = {0};

	log_must(file_read(wl.cfg.dir, name, 1u << 20, &b, &wl.e));
	return b;
}

void log_write_at(const char *name, const void *p, size_t n, uint64_t at)
{
	int fd = openat(wl.cfg.dir, name, O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	log_must(file_write_all(&io_os, fd, p, n, (off_t)at, &wl.e));
	close(fd);
}

void log_flip(const char *name, uint64_t at)
{
	struct buf b = log_read_all(name);

	b.data[at] ^= 1;
	log_write_at(name, b.data + at, 1, at);
	buf_done(&b);
}

/* Opening is refused with this code, and changes no byte of this file. */
void log_refused(int code, const char *what, const char *name)
{
	struct buf before = log_read_all(name);
	struct wal_recovered r;
	struct buf after;

	wal_abandon(wl.model.w);
	wl.model.w = wal_open(&wl.cfg, &r, &wl.note, &wl.e);
	assert_null(wl.model.w);
	assert_int_equal(wl.e.code, code);
	if (strstr(wl.e.msg, what) == NULL)
		fail_msg("'%s' is not in '%s'", what, wl.e.msg);
	after = log_read_all(name);
	assert_int_equal(before.len, after.len);
	assert_memory_equal(before.data, after.data, after.len);
	buf_done(&before);
	buf_done(&after);
	assert_true(r.entries == NULL && r.bytes == NULL);
}

void log_fill_segments(uint64_t segments)
{
	struct wal_stat st;

	do {
		log_batch(3);
		wal_stat(wl.model.w, &st);
	} while (st.segment < segments);
}
