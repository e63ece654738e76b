/* recover: a store cut short, torn or rotten at any place, with and without what is disposable. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "evlog/admin.h"
#include "evlog/store_impl.h"
#include "evlog_check.h"
#include "evlog_model.h"
#include "tmp_dir.h"

static int take_loss(const struct finding *f, void *arg, struct err *e)
{
	struct finding *to = arg;

	(void)e;
	*to = *f;
	return 0;
}

/* The bytes that were cut lie in lost/, when they were more than zeros. */
static void assert_kept(struct model *m, const char *log, size_t at, size_t n)
{
	char name[400], was[400];
	struct buf b = {0}, l = {0};
	struct err e;

	snprintf(name, sizeof(name), "%s/lost/%.16s-%08zx.0", m->to, log + 4, at);
	snprintf(was, sizeof(was), "%s/%s", m->from, log);
	assert_int_equal(file_read(AT_FDCWD, was, 1u << 20, &l, &e), 0);
	if (n == 0) {
		assert_int_equal(access(name, F_OK), -1);
	} else {
		assert_int_equal(file_read(AT_FDCWD, name, 1u << 20, &b, &e), 0);
		assert_int_equal(b.len, n);
		assert_memory_equal(b.data, l.data + at, n);
	}
	buf_done(&b);
	buf_done(&l);
}

static void check_cut(struct model *m, size_t cut, int keep)
{
	struct finding loss = {.kind = FINDING_INDEX};
	size_t end = FRAME_HEAD_LEN;
	uint64_t seq = 2;
	struct acks some;
	struct evlog *s;
	int fd;

	model_copy(m, keep);
	fd = model_file(m, MODEL_LOG);
	assert_int_equal(ftruncate(fd, (off_t)cut), 0);
	close(fd);
	for (size_t i = 0; i < m->commits && m->end[i] <= cut; i++) {
		end = m->end[i];
		seq = m->seq[i];
	}
	s = model_open(m, m->to);
	some = (struct acks){.v = m->acks.v, .n = model_acked(m, seq)};
	if (evlog_durable(s) != seq)
		fail_msg("cut %zu: durable %llu, not %llu", cut,
		         (unsigned long long)evlog_durable(s), (unsigned long long)seq);
	if (evlog_check_store(s, &some, CHECK_APPEND, &m->e) < 0)
		fail_msg("cut %zu: %s", cut, m->e.msg);
	assert_kept(m, MODEL_LOG, end, cut - end);
	assert_int_equal(model_notes(m, "cut a torn tail"), cut > end);
	model_must(m, evlog_each_lost(s, take_loss, &loss, &m->e));
	if ((keep & KEEP_CTL) != 0 && seq < m->seq[m->commits - 1]) {
		assert_int_equal(loss.kind, FINDING_LOST);
		assert_true(loss.where.first == seq + 1);
		assert_true(loss.where.last == m->seq[m->commits - 1]);
		assert_true(model_notes(m, "had been acknowledged"));
	} else {
		assert_int_equal(loss.kind, FINDING_INDEX);
	}
	evlog_close(s);
}

static void a_store_cut_at_any_byte_keeps_all_complete_commits_and_goes_on(void **state)
{
	struct model m = model_small();
	size_t size = m.end[m.commits - 1];

	(void)state;
	for (size_t cut = FRAME_HEAD_LEN; cut <= size; cut++) {
		check_cut(&m, cut, KEEP_CTL | KEEP_INDEX);
		check_cut(&m, cut, 0);
		if (cut % 8 == 0) {
			check_cut(&m, cut, KEEP_CTL);
			check_cut(&m, cut, KEEP_INDEX);
		}
	}
	model_end(&m);
}

/* All events but [first, last] can be read by sequence; those cannot. */
static void assert_rest_is_read(struct model *m, struct evlog *s, uint64_t first, uint64_t last)
{
	for (size_t i = 0; i < m->acks.n; i++) {
		const struct acked *k = &m->acks.v[i];
		bool lost = k->seq >= first && k->seq <= last;
		struct frame f;

		if ((evlog_get(s, k->seq, &f, &m->e) == 1) == lost)
			fail_msg("bit %zu: sequence %llu, lost %llu-%llu", m->bit,
			         (unsigned long long)k->seq, (unsigned long long)first,
			         (unsigned long long)last);
		if (!lost)
			assert_true(f.version == k->version && f.id.len == strlen(k->id) &&
			            memcmp(f.id.p, k->id, f.id.len) == 0);
	}
}

static void assert_scan_names(struct model *m, struct evlog *s, const char *file, size_t at,
                              uint64_t first, uint64_t last)
{
	struct scan *sc = scan_new(s, 1, &m->e);
	unsigned damages = 0;
	uint64_t next = 1;
	struct damage d;
	struct frame f;
	int r;

	while ((r = scan_next(sc, evlog_durable(s), &f, &d, &m->e)) > 0) {
		if (r == 1) {
			assert_true(f.seq == next);
			next++;
			continue;
		}
		damages++;
		assert_string_equal(d.file, file);
		assert_true(d.offset == at && d.first == first && d.last == last);
		next = d.last + 1;
	}
	model_must(m, r);
	scan_free(sc);
	assert_int_equal(damages, 1);
	assert_true(next == m->seq[m->commits - 1] + 1);
}

static void repair_and_use(struct model *m, struct evlog *s, uint64_t first, uint64_t last)
{
	int faults = 0;
	struct frame f;

	model_must(m, evlog_repair(s, model_count, &faults, &m->e));
	assert_true(faults >= 1);
	faults = 0;
	model_must(m, (int)evlog_verify(s, true, model_count, &faults, &m->e));
	if (faults > 0)
		fail_msg("%d faults after repair", faults);
	for (uint64_t seq = first; seq <= last; seq++)
		assert_int_equal(evlog_get(s, seq, &f, &m->e), 0);
	for (size_t i = 0; i < m->acks.n; i++)
		if (m->acks.v[i].seq < first || m->acks.v[i].seq > last)
			assert_int_equal(evlog_get(s, m->acks.v[i].seq, &f, &m->e), 1);
	model_must(m, check_append(s, "a b c d", NULL, &m->e));
	model_must(m, (int)evlog_verify(s, true, model_count, &faults, &m->e));
	assert_int_equal(faults, 0);
}

/* Every bit of [at, at + len) of a segment; the event there is seq. */
static void flip_bits(struct model *m, const char *log, size_t at, size_t len, uint64_t seq,
                      int keep)
{
	for (size_t bit = 0; bit < len * 8; bit++) {
		struct evlog *s;
		char c;
		int fd;

		model_copy(m, keep);
		fd = model_file(m, log);
		assert_int_equal(pread(fd, &c, 1, (off_t)(at + bit / 8)), 1);
		c = (char)(c ^ (1 << (bit % 8)));
		assert_int_equal(pwrite(fd, &c, 1, (off_t)(at + bit / 8)), 1);
		close(fd);
		s = model_open(m, m->to);
		m->bit = bit;
		assert_rest_is_read(m, s, seq, seq);
		assert_scan_names(m, s, log, at, seq, seq);
		assert_int_equal(check_append(s, "a b", NULL, &m->e), -1);
		assert_int_equal(m->e.code, EVLOG_DAMAGED);
		if (bit % 24 == 0)
			repair_and_use(m, s, seq, seq);
		evlog_close(s);
	}
}

static void any_flipped_bit_in_the_middle_is_damage_and_costs_one_event(void **state)
{
	struct model m = model_small();

	(void)state;
	flip_bits(&m, MODEL_LOG, m.end[0], m.end[1] - m.end[0], 6, KEEP_CTL | KEEP_INDEX);
	flip_bits(&m, MODEL_LOG, m.end[0], m.end[1] - m.end[0], 6, 0);
	model_end(&m);
}

/* Event 1 of the first segment is the head of no stream, event 2 with 15600 bytes is that of b. */
static void any_flipped_bit_in_a_sealed_segment_is_damage_when_it_is_met(void **state)
{
	struct model m = model_small();

	(void)state;
	flip_bits(&m, "log/0000000000000001.evl", FRAME_HEAD_LEN, 135, 1, KEEP_CTL | KEEP_INDEX);
	flip_bits(&m, "log/0000000000000001.evl", FRAME_HEAD_LEN, 135, 1, 0);
	model_end(&m);
}

/* What must never happen: that a stream whose newest event is damaged begins anew. */
static void a_stream_whose_newest_event_is_damaged_is_not_continued(void **state)
{
	struct model m = model_begin();
	struct evlog *s = model_open(&m, m.from);
	const int keeps[] = {0, KEEP_CTL, KEEP_INDEX, KEEP_CTL | KEEP_INDEX};

	(void)state;
	model_put(&m, s, "x=0 x=1", true);
	model_put(&m, s, "y=0*15900", true);
	model_put(&m, s, "z=0", true);
	evlog_close(s);
	for (size_t i = 0; i < 4; i++)
		for (size_t at = 0; at < 270; at += 9) {
			int fd;

			model_copy(&m, keeps[i]);
			fd = model_file(&m, "log/0000000000000001.evl");
			assert_int_equal(pwrite(fd, "#", 1, (off_t)(FRAME_HEAD_LEN + at)), 1);
			close(fd);
			s = model_open(&m, m.to);
			if (check_append(s, at < 135 ? "x=0" : "x?any", NULL, &m.e) == 0)
				fail_msg("keep %d, byte %zu", keeps[i], at);
			assert_int_equal(m.e.code, EVLOG_DAMAGED);
			evlog_close(s);
		}
	model_end(&m);
}

static void any_flipped_bit_in_the_last_commit_cuts_it_and_names_it(void **state)
{
	struct model m = model_small();
	size_t from = m.end[m.commits - 2];
	size_t to = m.end[m.commits - 1];
	uint64_t seq = m.seq[m.commits - 2];

	(void)state;
	for (size_t bit = from * 8; bit < to * 8; bit++) {
		struct acks some = {.v = m.acks.v, .n = model_acked(&m, seq)};
		struct finding loss = {.kind = FINDING_INDEX};
		struct evlog *s;
		char c;
		int fd;

		model_copy(&m, KEEP_CTL | KEEP_INDEX);
		fd = model_file(&m, MODEL_LOG);
		assert_int_equal(pread(fd, &c, 1, (off_t)bit / 8), 1);
		c = (char)(c ^ (1 << (bit % 8)));
		assert_int_equal(pwrite(fd, &c, 1, (off_t)bit / 8), 1);
		close(fd);
		s = model_open(&m, m.to);
		if (evlog_check_store(s, &some, CHECK_APPEND, &m.e) < 0)
			fail_msg("bit %zu: %s", bit, m.e.msg);
		model_must(&m, evlog_each_lost(s, take_loss, &loss, &m.e));
		assert_true(loss.kind == FINDING_LOST && loss.where.first == seq + 1);
		evlog_close(s);
	}
	model_end(&m);
}

static void a_cut_within_the_first_line_is_damage_that_repair_mends(void **state)
{
	struct model m = model_small();

	(void)state;
	for (size_t cut = 0; cut < FRAME_HEAD_LEN; cut += 13) {
		struct evlog *s;
		struct frame f;
		int fd, faults = 0;

		model_copy(&m, KEEP_INDEX);
		fd = model_file(&m, MODEL_LOG);
		assert_int_equal(ftruncate(fd, (off_t)cut), 0);
		close(fd);
		s = model_open(&m, m.to);
		assert_int_equal(evlog_get(s, 1, &f, &m.e), 1);
		assert_int_equal(check_append(s, "a", NULL, &m.e), -1);
		model_must(&m, evlog_repair(s, model_count, &faults, &m.e));
		if (evlog_check_store(s, NULL, CHECK_DEEP | CHECK_APPEND, &m.e) < 0)
			fail_msg("cut %zu: %s", cut, m.e.msg);
		evlog_close(s);
	}
	model_end(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_store_cut_at_any_byte_keeps_all_complete_commits_and_goes_on),
	    cmocka_unit_test(any_flipped_bit_in_the_middle_is_damage_and_costs_one_event),
	    cmocka_unit_test(any_flipped_bit_in_a_sealed_segment_is_damage_when_it_is_met),
	    cmocka_unit_test(a_stream_whose_newest_event_is_damaged_is_not_continued),
	    cmocka_unit_test(any_flipped_bit_in_the_last_commit_cuts_it_and_names_it),
	    cmocka_unit_test(a_cut_within_the_first_line_is_damage_that_repair_mends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
