/* compact: what goes, what stays, and who can still rely on what. */
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

static void what_stays_is_the_same_byte_for_byte(void **state)
{
	struct model m = model_shrinkable();
	struct buf lines[2] = {{0}, {0}};

	(void)state;
	for (int round = 0; round < 2; round++) {
		struct evlog *s = model_open(&m, m.from);
		struct scan *sc = scan_new(s, 1, &m.e);
		struct damage d;
		struct frame f;

		while (scan_next(sc, evlog_durable(s), &f, &d, &m.e) == 1)
			if (f.stream.p[0] == 'c' || f.stream.p[0] == 'e' ||
			    (f.stream.p[0] == 'a' && f.version > 8))
				buf_add(&lines[round], f.stream.p - FRAME_FIXED, f.len);
		scan_free(sc);
		if (round == 0)
			assert_int_equal(model_compact(&m, s), MODEL_SHRINKS);
		evlog_close(s);
	}
	assert_int_equal(lines[0].len, lines[1].len);
	assert_memory_equal(lines[0].data, lines[1].data, lines[0].len);
	buf_done(&lines[0]);
	buf_done(&lines[1]);
	model_check(&m, m.from, CHECK_ALL);
	model_end(&m);
}

/* With and without what is disposable, and again. */
static void a_compacted_store_is_sound_whatever_else_is_lost(void **state)
{
	struct model m = model_shrinkable();
	struct evlog *s = model_open(&m, m.from);

	(void)state;
	assert_int_equal(model_compact(&m, s), MODEL_SHRINKS);
	assert_int_equal(model_compact(&m, s), 0);
	evlog_close(s);
	for (int keep = 0; keep < 4; keep++) {
		model_copy(&m, keep);
		model_check(&m, m.to, CHECK_ALL);
		s = model_open(&m, m.to);
		assert_false(model_notes(&m, "damaged"));
		model_must(&m, evlog_reindex(s, &m.e));
		evlog_close(s);
		model_check(&m, m.to, CHECK_ALL);
	}
	model_end(&m);
}

static void a_segment_is_sealed_only_when_something_goes_from_it(void **state)
{
	struct model m = model_begin();
	struct evlog *s = model_open(&m, m.from);
	struct compact_total t;

	(void)state;
	model_put(&m, s, "a a b", true);
	assert_int_equal(model_compact(&m, s), 0);
	assert_int_equal(ctl_get(&s->ctl->rolls), 0);
	model_put(&m, s, "~a", true);
	model_must(&m, evlog_compact(s, true, false, &no_hooks, &t, &m.e));
	assert_int_equal(t.events, 2);
	assert_int_equal(ctl_get(&s->ctl->rolls), 0);
	assert_int_equal(model_compact(&m, s), 2);
	assert_int_equal(ctl_get(&s->ctl->rolls), 1);
	model_put(&m, s, "a b", true);
	assert_int_equal(model_compact(&m, s), 1);
	assert_int_equal(ctl_get(&s->ctl->rolls), 1);
	evlog_close(s);
	model_check(&m, m.from, CHECK_ALL);
	model_end(&m);
}

static void an_id_may_be_used_again_when_its_event_is_gone(void **state)
{
	struct model m = model_begin();
	struct evlog *s = model_open(&m, m.from), *other = model_open(&m, m.from);
	struct acks none = {0};

	(void)state;
	model_put(&m, s, "a=x a=y a=z", true);
	model_put(&m, s, "$retain", true);
	model_must(&m, check_append(other, "a=x", NULL, &m.e));
	assert_int_equal(evlog_durable(s), 4);
	model_put(&m, s, "~a", true);
	assert_int_equal(model_compact(&m, s), 3);
	/* Also through a handle that knew it. */
	model_must(&m, check_append(other, "a=x*99", &none, &m.e));
	assert_int_equal(evlog_durable(s), 6);
	assert_int_equal(none.v[0].version, 4);
	acks_done(&none);
	evlog_close(s);
	evlog_close(other);
	model_check(&m, m.from, CHECK_ALL);
	model_end(&m);
}

/* --- consumers --- */

static void save_cursor(struct model *m, struct evlog *s, const char *name, uint64_t sequence,
                        const char *selector)
{
	const struct cursor_id id = {.name = name};
	struct cursor *c;
	bool is_new;

	c = cursor_open(s, &id, 0, &is_new, &m->e);
	model_must(m, c == NULL ? -1 : 0);
	cursor_state(c)->sequence = sequence;
	snprintf(cursor_state(c)->selector, sizeof(cursor_state(c)->selector), "%s", selector);
	model_must(m, cursor_save(c, 1, &m->e));
	cursor_close(c);
}

struct held {
	unsigned count;
	char text[512];
	bool parts;
};

static int note_held(const struct compact_held *h, void *arg, struct err *e)
{
	struct held *held = arg;

	(void)e;
	assert_false(held->parts);
	held->count++;
	snprintf(held->text + strlen(held->text), sizeof(held->text) - strlen(held->text),
	         "%s %ju %ju;", h->cursor, (uintmax_t)h->sequence, (uintmax_t)h->events);
	return 0;
}

static int note_part(const struct compact_part *p, void *arg, struct err *e)
{
	struct held *held = arg;

	(void)p;
	(void)e;
	held->parts = true;
	return 0;
}

static void what_a_consumer_has_not_seen_stays_and_it_is_named(void **state)
{
	struct model m = model_begin();
	struct evlog *s = model_open(&m, m.from);
	struct held held = {0};
	const struct compact_hooks hooks = {.held = note_held, .part = note_part, .arg = &held};
	struct compact_total t;
	struct frame f;

	(void)state;
	model_put(&m, s, "a a b b c", true); /* 1 to 5 */
	model_put(&m, s, "a b a a b", true);
	model_put(&m, s, "~a ~b !c", true);
	save_cursor(&m, s, "early", 6, "a");
	save_cursor(&m, s, "late", 9, "--all");
	save_cursor(&m, s, "other", 0, "d*");
	save_cursor(&m, s, "done", 13, "--all");
	model_must(&m, evlog_compact(s, true, false, &hooks, &t, &m.e));
	assert_int_equal(t.events, 7);
	assert_string_equal(held.text, "early 6 2;late 9 1;");
	held = (struct held){0};
	model_must(&m, evlog_compact(s, false, false, &hooks, &t, &m.e));
	assert_int_equal(t.events, 7);
	for (uint64_t seq = 1; seq <= 13; seq++)
		assert_int_equal(evlog_get(s, seq, &f, &m.e), seq >= 8);
	held = (struct held){0};
	model_must(&m, evlog_compact(s, false, true, &hooks, &t, &m.e));
	assert_int_equal(held.count, 0);
	assert_int_equal(t.events, 3);
	evlog_close(s);
	model_check(&m, m.from, CHECK_ALL);
	model_end(&m);
}

static void a_cursor_that_nobody_has_used_yet_keeps_everything(void **state)
{
	struct model m = model_begin();
	struct evlog *s = model_open(&m, m.from);

	(void)state;
	model_put(&m, s, "a a", true);
	model_put(&m, s, "~a", true);
	save_cursor(&m, s, "new", 1, "-");
	assert_int_equal(model_compact(&m, s), 1);
	evlog_close(s);
	model_end(&m);
}

/* --- streams that share a key --- */

/* The name of another stream with the same key, of the few that there are. */
static void find_twin(const struct evlog *s, const char *name, char twin[8])
{
	const struct span none = {"", 0}, first = {name, strlen(name)};

	for (unsigned i = 0;; i++) {
		struct span other = {twin, (size_t)snprintf(twin, 8, "t%u", i)};

		if (key_of(s, other, none, 0) == key_of(s, first, none, 0))
			return;
	}
}

/*
 * The later one of two has its second key.  If the first event of the earlier one went, an index
 * made anew would give it the first.
 */
static void a_stream_that_shares_a_key_is_found_by_an_index_made_anew(void **state)
{
	struct model m = model_begin();
	struct evlog *s = model_open(&m, m.from);
	struct buf names = {0};
	char words[64], twin[8];
	struct frame f;

	(void)state;
	s->key_mask = 15;
	find_twin(s, "a", twin);
	snprintf(words, sizeof(words), "a*6000 %s", twin);
	model_put(&m, s, words, true);
	model_put(&m, s, "~a", true);
	model_put(&m, s, "a*12000", true);
	model_put(&m, s, "a*12000", true);
	model_compact(&m, s);
	model_must(&m, store_list(s->index_dir, &names, &m.e));
	for (size_t at = 0; at < names.len; at += strlen(names.data + at) + 1)
		if (strncmp(names.data + at, "heads.0000000000000001-", 23) == 0)
			assert_int_equal(unlinkat(s->index_dir, names.data + at, 0), 0);
	buf_done(&names);
	evlog_close(s);
	s = model_open(&m, m.from);
	s->key_mask = 15;
	assert_int_equal(evlog_head(s, span_str(twin), 99, &f, &m.e), 1);
	assert_int_equal(evlog_head(s, (struct span){"a", 1}, 99, &f, &m.e), 1);
	assert_int_equal(f.version, 3);
	evlog_close(s);
	model_end(&m);
}

/* --- others at work --- */

static void readers_go_on_with_what_they_have_mapped(void **state)
{
	struct model m = model_shrinkable();
	struct evlog *s = model_open(&m, m.from), *reader = model_open(&m, m.from);
	struct scan *sc = scan_new(reader, 1, &m.e);
	uint64_t next = 1, end = evlog_durable(reader);
	struct damage d;
	struct frame f;
	int r;

	(void)state;
	/* In the middle of the second segment. */
	while (next < 13) {
		assert_int_equal(scan_next(sc, end, &f, &d, &m.e), 1);
		assert_int_equal(f.seq, next++);
	}
	assert_int_equal(model_compact(&m, s), MODEL_SHRINKS);
	/* This makes the handle let go of the old files; the scan has its own. */
	assert_int_equal(evlog_head(reader, (struct span){"a", 1}, end, &f, &m.e), 1);
	assert_int_equal(evlog_get(reader, 1, &f, &m.e), 0);
	assert_int_equal(evlog_get(reader, 3, &f, &m.e), 1);
	while ((r = scan_next(sc, end, &f, &d, &m.e)) == 1) {
		assert_true(f.seq >= next);
		next = f.seq + 1;
	}
	assert_int_equal(r, 0);
	assert_int_equal(next, end + 1);
	scan_free(sc);
	evlog_close(reader);
	evlog_close(s);
	model_end(&m);
}

/* Whoever only waits for news does not keep the space of files that are gone. */
static void a_reader_that_waits_lets_go_of_replaced_files(void **state)
{
	struct model m = model_shrinkable();
	struct evlog *s = model_open(&m, m.from), *reader = model_open(&m, m.from);
	struct frame f;

	(void)state;
	assert_int_equal(evlog_get(reader, 1, &f, &m.e), 1);
	assert_non_null(reader->segments[0].map);
	model_compact(&m, s);
	assert_false(evlog_wait(reader, evlog_durable(reader), 0));
	assert_null(reader->segments[0].map);
	evlog_close(reader);
	evlog_close(s);
	model_end(&m);
}

static void scans_end_and_go_on_in_a_gap(void **state)
{
	struct model m = model_shrinkable();
	struct evlog *s = model_open(&m, m.from);
	uint64_t end = evlog_durable(s);
	struct damage d;
	struct frame f;

	(void)state;
	model_compact(&m, s);
	for (uint64_t stop = 1; stop <= end; stop++) {
		struct scan *sc = scan_new(s, stop / 2, &m.e);
		uint64_t seen = stop / 2 > 0 ? stop / 2 - 1 : 0;
		int r;

		for (uint64_t last = stop; last <= end; last++)
			while ((r = scan_next(sc, last, &f, &d, &m.e)) != 0) {
				assert_int_equal(r, 1);
				assert_true(f.seq > seen && f.seq <= last);
				while (++seen < f.seq)
					assert_int_equal(evlog_get(s, seen, &f, &m.e), 0);
				seen = last < f.seq ? last : seen;
			}
		scan_free(sc);
	}
	evlog_close(s);
	model_end(&m);
}

static void two_compactions_wait_for_each_other(void **state)
{
	struct model m = model_shrinkable();
	const struct evlog_config cfg = {.lock_timeout_ms = 1};
	struct evlog *s = model_open(&m, m.from), *other = evlog_open(m.from, &cfg, NULL, &m.e);
	struct compact_total t;

	(void)state;
	model_must(&m, compact_lock(s, &m.e));
	assert_int_equal(evlog_compact(other, false, false, &no_hooks, &t, &m.e), -1);
	assert_int_equal(m.e.code, ETIMEDOUT);
	/* Looking needs no lock, and neither do writers. */
	model_must(&m, evlog_compact(other, true, false, &no_hooks, &t, &m.e));
	model_put(&m, other, "a", true);
	compact_unlock(s);
	model_must(&m, evlog_compact(other, false, false, &no_hooks, &t, &m.e));
	assert_int_equal(t.events, MODEL_SHRINKS);
	evlog_close(other);
	evlog_close(s);
	model_check(&m, m.from, CHECK_ALL);
	model_end(&m);
}

/* Recovery removes what a killed process left, but not what another one is at. */
static void recovery_leaves_a_compaction_at_work_alone(void **state)
{
	struct model m = model_shrinkable();
	struct evlog *s = model_open(&m, m.from), *other;
	char rest[400];
	int fd;

	(void)state;
	snprintf(rest, sizeof(rest), "%s/log/0000000000000001.evl.new", m.from);
	for (int at_work = 1; at_work >= 0; at_work--) {
		if (at_work)
			model_must(&m, compact_lock(s, &m.e));
		fd = open(rest, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		close(fd);
		ctl_set32(&s->ctl->dirty, 1);
		other = model_open(&m, m.from);
		assert_int_equal(access(rest, F_OK), at_work ? 0 : -1);
		evlog_close(other);
		if (at_work)
			compact_unlock(s);
	}
	fd = open(rest, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	close(fd);
	model_compact(&m, s);
	assert_int_equal(access(rest, F_OK), -1);
	evlog_close(s);
	model_end(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_stays_is_the_same_byte_for_byte),
	    cmocka_unit_test(a_compacted_store_is_sound_whatever_else_is_lost),
	    cmocka_unit_test(a_segment_is_sealed_only_when_something_goes_from_it),
	    cmocka_unit_test(an_id_may_be_used_again_when_its_event_is_gone),
	    cmocka_unit_test(what_a_consumer_has_not_seen_stays_and_it_is_named),
	    cmocka_unit_test(a_cursor_that_nobody_has_used_yet_keeps_everything),
	    cmocka_unit_test(a_stream_that_shares_a_key_is_found_by_an_index_made_anew),
	    cmocka_unit_test(readers_go_on_with_what_they_have_mapped),
	    cmocka_unit_test(a_reader_that_waits_lets_go_of_replaced_files),
	    cmocka_unit_test(scans_end_and_go_on_in_a_gap),
	    cmocka_unit_test(two_compactions_wait_for_each_other),
	    cmocka_unit_test(recovery_leaves_a_compaction_at_work_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
