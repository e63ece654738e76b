/* cursor: every call failing once, and a power loss at every point. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <errno.h>

#include <cmocka.h>

#include "evlog/cursor.h"
#include "evlog_check.h"
#include "evlog_power.h"
#include "fault_io.h"
#include "tmp_dir.h"

static const struct cursor_id mail = {.name = "mail"};

/* ---- Every call fails once. */

/* Saves 1 to 5; what was acknowledged last. */
static uint64_t try_saves(const char *path, const struct io *io, struct err *e)
{
	struct evlog *s = check_open(path, io, e);
	uint64_t acked = 0;
	bool is_new;
	struct cursor *c;

	if (s == NULL)
		return 0;
	c = cursor_open(s, &mail, 0, &is_new, e);
	for (uint64_t seq = 1; c != NULL && seq <= 5; seq++) {
		if (check_save_cursor(c, seq, e) == 0) {
			acked = seq;
			continue;
		}
		/* After a failure nothing is acknowledged any more. */
		assert_int_equal(check_save_cursor(c, seq + 1, e), -1);
		break;
	}
	cursor_close(c);
	evlog_close(s);
	return acked;
}

static void a_call_that_fails_loses_no_acknowledged_save(void **state)
{
	struct power p = power_begin(EVLOG_SEGMENT_MIN, "a b c d e");
	unsigned trials = 0;

	(void)state;
	p.s = check_open(p.path, NULL, &p.e);
	power_must(&p, p.s == NULL ? -1 : 0);
	for (int after = 0; after < 2; after++) {
		for (unsigned n = 1;; n++) {
			const struct io *io = fault_io_start(&io_os);
			struct fault fault = {.call = FAULT_ANY, .nth = n, .after = after == 1};
			struct cursor_state st = {0};
			uint64_t acked;

			fault.error = n % 2 == 0 ? ENOSPC : EIO;
			fault_io_add(fault);
			acked = try_saves(p.path, io, &p.e);
			if (fault_io_hits() == 0) {
				assert_int_equal(acked, 5);
				break;
			}
			trials++;
			assert_true(cursor_read(p.s, &mail, &st, &p.e) >= 0);
			assert_true(st.sequence == acked || st.sequence == acked + 1);
			if (cursor_remove(p.s, &mail, &p.e) < 0)
				assert_int_equal(p.e.code, ENOENT);
		}
		assert_int_equal(cursor_remove(p.s, &mail, &p.e), 0);
	}
	assert_true(trials > 20);
	evlog_close(p.s);
	acks_done(&p.acks);
	tmp_dir_free(p.root);
}

static void a_short_write_is_finished(void **state)
{
	struct power p = power_begin(EVLOG_SEGMENT_MIN, "a b c d e");
	const struct io *io = fault_io_start(&io_os);

	(void)state;
	fault_io_add((struct fault){.call = FAULT_PWRITE, .always = true, .short_to = 100});
	assert_int_equal(try_saves(p.path, io, &p.e), 5);
	acks_done(&p.acks);
	tmp_dir_free(p.root);
}

/* ---- Power. */

static uint64_t last_mark(const struct record_image *im, const char *prefix)
{
	uint64_t v = 0;

	for (size_t i = 0; i < im->n_marks; i++)
		if (strncmp(im->marks[i], prefix, strlen(prefix)) == 0)
			v = strtoul(im->marks[i] + strlen(prefix), NULL, 10);
	return v;
}

/* The cursor is where the last acknowledged save has put it, or the one that was under way. */
static int check_saved(const struct record_image *im, void *arg, struct err *e)
{
	uint64_t saved = last_mark(im, "saved ");
	struct cursor_state st = {0};
	bool removed = record_image_marked(im, "removed");
	char path[400];
	struct evlog *s;
	int r;

	(void)arg;
	snprintf(path, sizeof(path), "%s/" POWER_STORE, im->dir);
	s = check_open(path, NULL, e);
	if (s == NULL)
		return -1;
	r = cursor_read(s, &mail, &st, e);
	if (r == 1 && removed)
		r = err_set(e, EIO, "a removed cursor is back");
	else if (r == 0 && saved > 0 && saved < 6)
		r = err_set(e, EIO, "save %ju was acknowledged and the cursor is gone",
		            (uintmax_t)saved);
	else if (r == 1 && st.sequence != saved && st.sequence != saved + 1)
		r = err_set(e, EIO, "save %ju was acknowledged, the cursor is at %ju",
		            (uintmax_t)saved, (uintmax_t)st.sequence);
	evlog_close(s);
	return r < 0 ? -1 : 0;
}

static void what_was_saved_survives_a_power_loss(void **state)
{
	struct power p = power_begin(EVLOG_SEGMENT_MIN, "a b c d e f");
	struct cursor *c;
	bool is_new;

	(void)state;
	power_record(&p, NULL);
	power_open(&p);
	c = cursor_open(p.s, &mail, 0, &is_new, &p.e);
	power_must(&p, c == NULL ? -1 : 0);
	for (uint64_t seq = 1; seq <= 6; seq++) {
		power_must(&p, check_save_cursor(c, seq, &p.e));
		record_io_mark(p.r, "saved %ju", (uintmax_t)seq);
	}
	cursor_close(c);
	power_must(&p, cursor_remove(p.s, &mail, &p.e));
	record_io_mark(p.r, "removed");
	p.o.mixes = 8;
	power_end(&p, check_saved);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_call_that_fails_loses_no_acknowledged_save),
	    cmocka_unit_test(a_short_write_is_finished),
	    cmocka_unit_test(what_was_saved_survives_a_power_loss),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
