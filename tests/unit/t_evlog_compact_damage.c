/* compact: damage is not taken for a gap, nor a gap for damage, and whatever fails is in order. */
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
#include <unistd.h>

#include <cmocka.h>

#include "evlog/admin.h"
#include "evlog/cursor.h"
#include "evlog/shrink.h"
#include "evlog/store_impl.h"
#include "evlog_check.h"
#include "evlog_model.h"
#include "fault_io.h"
#include "tmp_dir.h"

static const struct compact_hooks no_hooks;

/* The whole file of the store, to be freed with buf_done(). */
static struct buf load(const char *dir, const char *name)
{
	struct buf b = {0};
	char path[400];
	struct err e;

	snprintf(path, sizeof(path), "%s/log/%s", dir, name);
	if (file_read(AT_FDCWD, path, 1u << 20, &b, &e) < 0)
		fail_msg("%s", e.msg);
	return b;
}

static void save(const char *dir, const char *name, const struct buf *b)
{
	char path[400];
	int fd;

	snprintf(path, sizeof(path), "%s/log/%s", dir, name);
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, b->data, b->len), b->len);
	close(fd);
}

/* --- offsets --- */

static void offsets_path(const struct model *m, char path[400])
{
	snprintf(path, 400, "%s/index/offsets.0000000000000001", m->to);
}

/* Offsets that a power loss left empty, or of the segment as it was, make no event vanish. */
static void offsets_of_another_file_are_not_believed(void **state)
{
	struct model m = model_shrinkable();
	char path[400];
	struct evlog *s;
	struct frame f;

	(void)state;
	for (int what = 0; what < 4; what++) {
		struct buf old = {0}, now = {0};
		int fd;

		model_copy(&m, KEEP_CTL | KEEP_INDEX);
		offsets_path(&m, path);
		model_must(&m, file_read(AT_FDCWD, path, 1u << 20, &old, &m.e));
		s = model_open(&m, m.to);
		assert_int_equal(model_compact(&m, s), MODEL_SHRINKS);
		evlog_close(s);
		model_must(&m, file_read(AT_FDCWD, path, 1u << 20, &now, &m.e));
		assert_true(now.len > old.len);
		if (what == 1)
			memset(now.data, 0, now.len);
		else if (what == 2)
			memset(now.data, 0, old.len);
		else if (what == 3)
			now.data[old.len + 10] ^= 1;
		fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
		assert_int_equal(
		    write(fd, what == 0 ? old.data : now.data, what == 0 ? old.len : now.len),
		    what == 0 ? old.len : now.len);
		close(fd);
		s = model_open(&m, m.to);
		assert_int_equal(evlog_get(s, 1, &f, &m.e), 0);
		assert_int_equal(evlog_get(s, 3, &f, &m.e), 1);
		assert_int_equal(evlog_get(s, 5, &f, &m.e), 1);
		evlog_close(s);
		model_check(&m, m.to, CHECK_ALL);
		buf_done(&old);
		buf_done(&now);
	}
	model_end(&m);
}

/* And the other way: those of a compacted segment, when a copy of the old one was put back. */
static void offsets_of_a_compacted_segment_do_not_hide_events_of_another(void **state)
{
	struct model m = model_shrinkable();
	struct evlog *s;
	struct frame f;
	struct buf b;

	(void)state;
	model_copy(&m, KEEP_CTL | KEEP_INDEX);
	b = load(m.to, "0000000000000001.evl");
	s = model_open(&m, m.to);
	model_compact(&m, s);
	evlog_close(s);
	save(m.to, "0000000000000001.evl", &b);
	s = model_open(&m, m.to);
	assert_int_equal(evlog_get(s, 1, &f, &m.e), 1);
	evlog_close(s);
	buf_done(&b);
	model_end(&m);
}

/* --- damage --- */

/* At m->to. */
static void copy_compacted(struct model *m)
{
	struct evlog *s = model_open(m, m->from);

	model_compact(m, s);
	evlog_close(s);
	model_copy(m, 0);
}

static int faults(struct model *m, struct evlog *s)
{
	int n = 0;

	model_must(m, evlog_verify(s, true, model_count, &n, &m->e) < 0 ? -1 : 0);
	return n;
}

/* Any flipped bit is found, and after repair nothing is lost but what it hit. */
static void a_flipped_bit_in_a_compacted_segment_is_found_and_repaired(void **state)
{
	struct model m = model_shrinkable();
	struct buf b;
	struct evlog *s;
	size_t steps = 0;

	(void)state;
	copy_compacted(&m);
	b = load(m.to, "0000000000000001.evl");
	assert_true(b.len > FRAME_HEAD_LEN + FRAME_SEAL_LEN + 2400);
	for (size_t at = 0; at < b.len; at += at < 700 || at + 700 > b.len ? 7 : 251, steps++) {
		struct buf bad = {0};
		struct frame f;
		int lost = 0;

		buf_add(&bad, b.data, b.len);
		bad.data[at] ^= (char)(1 << at % 8);
		model_copy(&m, 0);
		save(m.to, "0000000000000001.evl", &bad);
		s = model_open(&m, m.to);
		if (faults(&m, s) == 0)
			fail_msg("byte %zu of %zu: no fault", at, b.len);
		model_must(&m, evlog_repair(s, model_count, &lost, &m.e));
		if (faults(&m, s) != 0)
			fail_msg("byte %zu of %zu: still damaged after repair", at, b.len);
		lost = 0;
		/* c and e of the first commits: 3, 5, 8, 10. */
		for (uint64_t seq = 3; seq <= 10; seq += seq % 5 == 3 ? 2 : 3)
			lost += evlog_get(s, seq, &f, &m.e) != 1;
		if (lost > 1)
			fail_msg("byte %zu of %zu: repair lost %d events", at, b.len, lost);
		model_must(&m, check_append(s, "c", NULL, &m.e));
		evlog_close(s);
		buf_done(&bad);
	}
	assert_true(steps > 150);
	buf_done(&b);
	model_end(&m);
}

/* A line that a hand took out leaves no trace but in the numbers. */
static void a_line_that_was_not_removed_by_compact_is_missed(void **state)
{
	struct model m = model_shrinkable();
	struct evlog *s;
	struct frame f;
	struct buf b;
	int lost = 0;

	(void)state;
	copy_compacted(&m);
	b = load(m.to, "0000000000000001.evl");
	assert_int_equal(frame_parse(b.data + FRAME_HEAD_LEN, b.len - FRAME_HEAD_LEN,
	                             frame_salt((const unsigned char *)"check of evlog!"), &f),
	                 FRAME_OK);
	memmove(b.data + FRAME_HEAD_LEN, b.data + FRAME_HEAD_LEN + f.len,
	        b.len - FRAME_HEAD_LEN - f.len);
	b.len -= f.len;
	save(m.to, "0000000000000001.evl", &b);
	s = model_open(&m, m.to);
	assert_true(faults(&m, s) > 0);
	assert_int_equal(evlog_get(s, 3, &f, &m.e), -1);
	model_must(&m, evlog_repair(s, model_count, &lost, &m.e));
	assert_int_equal(faults(&m, s), 0);
	assert_int_equal(evlog_get(s, 3, &f, &m.e), 0);
	assert_int_equal(evlog_get(s, 8, &f, &m.e), 1);
	evlog_close(s);
	buf_done(&b);
	model_end(&m);
}

static void a_damaged_store_is_not_compacted(void **state)
{
	struct model m = model_shrinkable();
	struct compact_total t;
	struct evlog *s;
	struct buf b;

	(void)state;
	model_copy(&m, KEEP_CTL | KEEP_INDEX);
	b = load(m.to, "0000000000000001.evl");
	/* In an event that stays, so that nobody looks at it before. */
	memcpy(memmem(b.data, b.len, "\"e:", 3) == NULL ? b.data + b.len - 200
	                                                : memmem(b.data, b.len, "\"e:", 3),
	       "x", 1);
	save(m.to, "0000000000000001.evl", &b);
	s = model_open(&m, m.to);
	assert_int_equal(evlog_compact(s, false, false, &no_hooks, &t, &m.e), -1);
	assert_int_equal(m.e.code, EVLOG_DAMAGED);
	assert_int_equal(t.events, 0);
	evlog_close(s);
	buf_done(&b);
	model_end(&m);
}

/* The newest segment is lost: the one before it is not the active one for that. */
static void a_compacted_segment_never_becomes_the_active_one(void **state)
{
	struct model m = model_shrinkable();
	struct evlog *s;
	char path[400];
	uint64_t last;

	(void)state;
	s = model_open(&m, m.from);
	model_compact(&m, s);
	last = s->log_base - 1;
	snprintf(path, sizeof(path), "%s/log/%016llx.evl", m.to, (unsigned long long)s->log_base);
	evlog_close(s);
	model_copy(&m, 0);
	assert_int_equal(unlink(path), 0);
	s = model_open(&m, m.to);
	assert_int_equal(s->log_base, last + 1);
	assert_int_equal(evlog_durable(s), last);
	assert_int_equal(faults(&m, s), 0);
	model_must(&m, check_append(s, "c", NULL, &m.e));
	assert_int_equal(evlog_durable(s), last + 1);
	evlog_close(s);
	model_end(&m);
}

/* --- faults --- */

static void whatever_call_fails_the_store_is_in_order(void **state)
{
	static const int errors[] = {ENOSPC, EIO};
	struct model m = model_shrinkable();
	unsigned calls = 0;
	int lost = 0;

	(void)state;
	for (size_t x = 0; x < 2; x++)
		for (unsigned n = 1, hit = 1; hit > 0; n++, calls++) {
			const struct io *io = fault_io_start(&io_os);
			struct compact_total t;
			struct evlog *s;
			int r;

			model_copy(&m, KEEP_CTL | KEEP_INDEX);
			s = check_open(m.to, io, &m.e);
			assert_non_null(s);
			fault_io_add(
			    (struct fault){.call = FAULT_ANY, .nth = n, .error = errors[x]});
			r = evlog_compact(s, false, false, &no_hooks, &t, &m.e);
			hit = fault_io_hits();
			assert_true(hit > 0 || r == 0);
			evlog_close(s);
			s = check_open(m.to, NULL, &m.e);
			assert_non_null(s);
			/* A sync of the log itself that failed poisons, here as elsewhere. */
			if (ctl_get32(&s->ctl->poison) != 0)
				model_must(&m, evlog_repair(s, model_count, &lost, &m.e));
			model_compact(&m, s);
			evlog_close(s);
			model_check(&m, m.to, CHECK_ALL);
		}
	assert_true(calls > 40);
	model_end(&m);
}

static void a_full_disk_leaves_all_in_order_and_nothing_behind(void **state)
{
	struct model m = model_shrinkable();
	const struct io *io = fault_io_start(&io_os);
	struct compact_total t;
	struct evlog *s;
	char rest[400];

	(void)state;
	model_copy(&m, KEEP_CTL | KEEP_INDEX);
	s = check_open(m.to, io, &m.e);
	fault_io_add((struct fault){.call = FAULT_PWRITE, .always = true, .error = ENOSPC});
	assert_int_equal(evlog_compact(s, false, false, &no_hooks, &t, &m.e), -1);
	assert_int_equal(m.e.code, ENOSPC);
	snprintf(rest, sizeof(rest), "%s/log/0000000000000001.evl.new", m.to);
	assert_int_equal(access(rest, F_OK), -1);
	evlog_close(s);
	model_must(&m, evlog_check_dir(m.to, &m.acks, CHECK_ALL, &m.e));
	model_end(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(offsets_of_another_file_are_not_believed),
	    cmocka_unit_test(offsets_of_a_compacted_segment_do_not_hide_events_of_another),
	    cmocka_unit_test(a_flipped_bit_in_a_compacted_segment_is_found_and_repaired),
	    cmocka_unit_test(a_line_that_was_not_removed_by_compact_is_missed),
	    cmocka_unit_test(a_damaged_store_is_not_compacted),
	    cmocka_unit_test(a_compacted_segment_never_becomes_the_active_one),
	    cmocka_unit_test(whatever_call_fails_the_store_is_in_order),
	    cmocka_unit_test(a_full_disk_leaves_all_in_order_and_nothing_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
