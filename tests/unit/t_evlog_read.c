/* read: every event by every way to it, over rolls, merges, and keys that collide. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <cmocka.h>

#include "evlog/admin.h"
#include "evlog/append.h"
#include "evlog/read.h"
#include "evlog/store_impl.h"
#include "evlog_check.h"
#include "seeded.h"
#include "tmp_dir.h"

#define STREAMS 12

struct place {
	char *dir;
	struct evlog *s;
	uint64_t mask;
	struct err e;
	struct acks acks; /* all events, by sequence */
};

static void open_store(struct place *p)
{
	p->s = check_open(p->dir, NULL, &p->e);
	if (p->s == NULL)
		fail_msg("%s", p->e.msg);
	p->s->key_mask = p->mask;
}

static struct place make_place(uint64_t mask)
{
	struct place p = {.dir = tmp_dir_new(), .mask = mask};

	if (check_create(p.dir, EVLOG_SEGMENT_MIN, NULL, &p.e) < 0)
		fail_msg("%s", p.e.msg);
	open_store(&p);
	return p;
}

static void close_place(struct place *p)
{
	evlog_close(p->s);
	acks_done(&p->acks);
	tmp_dir_free(p->dir);
}

/* A random commit of 1 to 6 events over STREAMS streams. */
static void put_some(struct place *p, uint64_t *rng)
{
	char words[512] = "";
	unsigned n = (unsigned)(seeded_next(rng) % 6 + 1);

	for (unsigned i = 0; i < n; i++) {
		unsigned stream = (unsigned)(seeded_next(rng) % STREAMS);

		snprintf(words + strlen(words), sizeof(words) - strlen(words), "%ss%u=i%zu*%u",
		         i > 0 ? " " : "", stream, p->acks.n + i,
		         (unsigned)(seeded_next(rng) % 200));
	}
	if (check_append(p->s, words, &p->acks, &p->e) < 0)
		fail_msg("%s", p->e.msg);
}

static void assert_is(const struct frame *f, const struct acked *k)
{
	assert_true(f->seq == k->seq);
	assert_int_equal(f->version, k->version);
	assert_true(span_is(f->stream, span_str(k->stream)));
	assert_true(span_is(f->id, span_str(k->id)));
}

/* The acked event of a stream at a version, or of its newest version at or below a sequence. */
static const struct acked *find(const struct place *p, const char *stream, uint32_t version,
                                uint64_t at_most)
{
	const struct acked *best = NULL;

	for (size_t i = 0; i < p->acks.n && p->acks.v[i].seq <= at_most; i++)
		if (strcmp(p->acks.v[i].stream, stream) == 0 && p->acks.v[i].version <= version)
			best = &p->acks.v[i];
	return best;
}

static uint64_t seq_of(const struct place *p, const char *stream, uint32_t version, uint64_t last)
{
	const struct acked *k = find(p, stream, version, last);

	return k == NULL ? 0 : k->seq;
}

static void assert_stream(struct place *p, const char *stream, uint64_t at_most)
{
	const struct acked *head = find(p, stream, UINT32_MAX, at_most);
	struct seqs q = {0};
	struct frame f;
	int r = evlog_head(p->s, span_str(stream), at_most, &f, &p->e);

	assert_int_equal(r, head != NULL);
	if (head == NULL)
		return;
	assert_is(&f, head);
	for (uint32_t v = 0; v <= head->version; v++) {
		assert_int_equal(evlog_at(p->s, span_str(stream), v, at_most, &f, &p->e), 1);
		assert_is(&f, find(p, stream, v, at_most));
	}
	assert_int_equal(evlog_at(p->s, span_str(stream), head->version + 1, at_most, &f, &p->e),
	                 0);
	assert_int_equal(evlog_gather(p->s, span_str(stream), 0, UINT32_MAX, at_most, &q, &p->e),
	                 0);
	assert_int_equal(q.len, head->version + 1);
	for (uint32_t v = 0; v < q.len; v++)
		assert_true(q.v[v] == seq_of(p, stream, v, at_most));
	seqs_done(&q);
}

static void assert_ranges(struct place *p, const char *stream, uint64_t *rng)
{
	uint64_t last = evlog_durable(p->s);
	const struct acked *head = find(p, stream, UINT32_MAX, last);

	for (int i = 0; head != NULL && i < 20; i++) {
		uint32_t from = (uint32_t)(seeded_next(rng) % (head->version + 3));
		uint32_t to = (uint32_t)(seeded_next(rng) % (head->version + 3));
		uint32_t end = to < head->version ? to : head->version;
		struct seqs q = {0};

		assert_int_equal(evlog_gather(p->s, span_str(stream), from, to, last, &q, &p->e),
		                 0);
		assert_int_equal(q.len, from > end ? 0 : end - from + 1);
		for (size_t k = 0; k < q.len; k++)
			assert_true(q.v[k] == seq_of(p, stream, from + (uint32_t)k, last));
		seqs_done(&q);
	}
}

static int count_stream(const struct frame *head, void *arg, struct err *e)
{
	struct place *p = arg;
	char name[CHECK_NAME_MAX];

	(void)e;
	snprintf(name, sizeof(name), "%.*s", (int)head->stream.len, head->stream.p);
	assert_is(head, find(p, name, UINT32_MAX, p->acks.v[p->acks.n - 1].seq));
	p->e.code++;
	return 0;
}

static void assert_each_stream(struct place *p)
{
	uint64_t count;
	int want = 0;

	for (int i = 0; i < STREAMS; i++) {
		char name[8];

		snprintf(name, sizeof(name), "s%d", i);
		want += find(p, name, UINT32_MAX, UINT64_MAX) != NULL;
	}
	p->e.code = 0;
	assert_int_equal(evlog_each_stream(p->s, evlog_durable(p->s), count_stream, p, &p->e), 0);
	assert_int_equal(p->e.code, want);
	assert_int_equal(evlog_count_streams(p->s, &count, &p->e), 0);
	assert_int_equal(count, want);
}

static void assert_all(struct place *p, uint64_t *rng)
{
	uint64_t last = evlog_durable(p->s);
	char name[8];
	struct frame f;

	assert_true(last == p->acks.n);
	for (int i = 0; i < STREAMS; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		assert_stream(p, name, last);
		assert_stream(p, name, seeded_next(rng) % last + 1);
		assert_ranges(p, name, rng);
	}
	assert_int_equal(evlog_head(p->s, span_str("nobody"), last, &f, &p->e), 0);
	assert_int_equal(evlog_at(p->s, span_str("s"), 0, last, &f, &p->e), 0);
	for (uint64_t seq = 1; seq <= last; seq++) {
		assert_int_equal(evlog_get(p->s, seq, &f, &p->e), 1);
		assert_is(&f, &p->acks.v[seq - 1]);
	}
	assert_int_equal(evlog_get(p->s, 0, &f, &p->e), 0);
	assert_int_equal(evlog_get(p->s, last + 1, &f, &p->e), 0);
	assert_each_stream(p);
	if (evlog_check_store(p->s, &p->acks, CHECK_DEEP, &p->e) < 0)
		fail_msg("%s", p->e.msg);
}

/* Every id is known, wherever it lies. */
static void assert_known(struct place *p, uint64_t *rng)
{
	uint64_t before = ctl_get(&p->s->ctl->written);
	struct commit *c = commit_new();
	struct commit_result r;

	for (int i = 0; i < 100; i++) {
		const struct acked *k = &p->acks.v[seeded_next(rng) % p->acks.n];
		char word[128];

		snprintf(word, sizeof(word), "%s=%s*1000", k->stream, k->id);
		commit_clear(c);
		assert_int_equal(check_fill(p->s, c, word, &p->e), 0);
		assert_int_equal(evlog_commit(p->s, c, COMMIT_EACH, 1, &r, &p->e), -1);
		assert_int_equal(p->e.code, EVLOG_ID_REUSED);
	}
	commit_free(c);
	assert_true(ctl_get(&p->s->ctl->written) == before);
}

static unsigned count_files(struct place *p, const char *dir, const char *prefix)
{
	char path[512];
	DIR *d;
	struct dirent *x;
	unsigned n = 0;

	snprintf(path, sizeof(path), "%s/%s", p->dir, dir);
	d = opendir(path);
	while ((x = readdir(d)) != NULL)
		n += strncmp(x->d_name, prefix, strlen(prefix)) == 0;
	closedir(d);
	return n;
}

static void run_model(uint64_t mask, int steps)
{
	struct place p = make_place(mask);
	uint64_t rng = seeded();

	for (int i = 0; i < steps; i++) {
		put_some(&p, &rng);
		if (seeded_next(&rng) % 10 == 0 && evlog_maintain(p.s, &p.e) < 0)
			fail_msg("%s", p.e.msg);
		if (seeded_next(&rng) % 60 == 0) {
			evlog_close(p.s);
			open_store(&p);
			if (mask != UINT64_MAX && evlog_reindex(p.s, &p.e) < 0)
				fail_msg("%s", p.e.msg);
		}
	}
	assert_true(count_files(&p, "log", "0000") > 5);
	assert_all(&p, &rng);
	assert_known(&p, &rng);
	assert_int_equal(evlog_maintain(p.s, &p.e), 0);
	assert_true(count_files(&p, "index", "heads.") < 14);
	if (evlog_reindex(p.s, &p.e) < 0)
		fail_msg("%s", p.e.msg);
	assert_all(&p, &rng);
	assert_known(&p, &rng);
	close_place(&p);
}

static void a_long_random_history_reads_back_by_every_way(void **state)
{
	(void)state;
	run_model(UINT64_MAX, 500);
}

static void streams_and_ids_whose_keys_collide_are_told_apart(void **state)
{
	(void)state;
	run_model(0xf, 300);
}

static void merged_indexes_answer_like_the_log(void **state)
{
	struct place p = make_place(UINT64_MAX);
	uint64_t rng = seeded();
	unsigned runs;

	(void)state;
	for (int i = 0; i < 600; i++)
		put_some(&p, &rng);
	runs = count_files(&p, "index", "ids.");
	assert_true(runs > 10);
	assert_int_equal(evlog_maintain(p.s, &p.e), 0);
	assert_true(count_files(&p, "index", "ids.") < runs / 2);
	assert_all(&p, &rng);
	assert_known(&p, &rng);
	close_place(&p);
}

static void a_scan_from_any_sequence_gives_the_rest_in_order(void **state)
{
	struct place p = make_place(UINT64_MAX);
	uint64_t rng = seeded(), last;

	(void)state;
	while (p.acks.n < 260)
		put_some(&p, &rng);
	last = evlog_durable(p.s);
	for (uint64_t first = 0; first <= last + 1; first++) {
		uint64_t to = first + seeded_next(&rng) % (last + 1), next = first == 0 ? 1 : first;
		struct scan *sc = scan_new(p.s, first, &p.e);
		struct damage d;
		struct frame f;

		to = to > last ? last : to;
		while (scan_next(sc, to, &f, &d, &p.e) == 1)
			assert_is(&f, &p.acks.v[next++ - 1]);
		assert_true(next == to + 1 || to < next);
		/* and on from there */
		while (scan_next(sc, last, &f, &d, &p.e) == 1)
			assert_is(&f, &p.acks.v[next++ - 1]);
		assert_true(next == (first > last ? first : last + 1));
		scan_free(sc);
	}
	close_place(&p);
}

static void a_scan_that_follows_goes_on_over_rolls(void **state)
{
	struct place p = make_place(UINT64_MAX);
	struct err e;
	struct evlog *reader = check_open(p.dir, NULL, &e);
	struct scan *sc = scan_new(reader, 1, &e);
	uint64_t rng = seeded(), next = 1;
	struct damage d;
	struct frame f;

	(void)state;
	for (int i = 0; i < 300; i++) {
		put_some(&p, &rng);
		if (seeded_next(&rng) % 4 == 0)
			continue;
		while (scan_next(sc, evlog_durable(reader), &f, &d, &e) == 1)
			assert_is(&f, &p.acks.v[next++ - 1]);
		assert_true(next == p.acks.n + 1);
		assert_int_equal(evlog_get(reader, next - 1, &f, &e), 1);
		assert_stream(&p, "s1", next - 1);
	}
	scan_free(sc);
	evlog_close(reader);
	close_place(&p);
}

static void a_time_leads_to_the_first_event_recorded_then_or_later(void **state)
{
	struct place p = make_place(UINT64_MAX);
	uint64_t seq, last;

	(void)state;
	/* Commits of two: 1 and 2 at +0, 3 and 4 at +2, ... */
	while (p.acks.n < 300)
		assert_int_equal(check_append(p.s, "a b", &p.acks, &p.e), 0);
	last = evlog_durable(p.s);
	for (uint64_t t = 0; t < last + 3; t++) {
		uint64_t want = (t + 1) / 2 * 2 + 1;

		assert_int_equal(evlog_seq_at_time(p.s, CHECK_TIME_NS + t, last, &seq, &p.e), 0);
		assert_true(seq == (want > last ? last + 1 : want));
	}
	assert_int_equal(evlog_seq_at_time(p.s, 0, last, &seq, &p.e), 0);
	assert_true(seq == 1);
	assert_int_equal(evlog_seq_at_time(p.s, UINT64_MAX, last, &seq, &p.e), 0);
	assert_true(seq == last + 1);
	close_place(&p);
}

/* More than half of what a segment may hold: the tables reach their full size. */
static void a_segment_of_very_many_small_events_is_shared_by_processes(void **state)
{
	char *dir = tmp_dir_new();
	struct err e;
	struct evlog *s, *other;
	struct commit *c = commit_new();
	struct event ev = {
	    .stream = {"a", 1}, .type = {"T", 1}, .attrs = {"-", 1}, .data = {"1", 1}};
	struct commit_result r;
	struct frame f;

	(void)state;
	assert_int_equal(check_create(dir, EVLOG_SEGMENT_MAX, NULL, &e), 0);
	s = check_open(dir, NULL, &e);
	other = check_open(dir, NULL, &e);
	assert_true(s != NULL && other != NULL);
	for (uint64_t n = 0; n < ACTIVE_EVENTS_MAX + 70000;) {
		commit_clear(c);
		for (int i = 0; i < 60000; i++) {
			char id[24];

			ev.id = (struct span){
			    id, (size_t)snprintf(id, sizeof(id), "%llu", (unsigned long long)n++)};
			assert_int_equal(commit_add(c, s, &ev, &e), 0);
		}
		assert_int_equal(evlog_commit(s, c, COMMIT_ATOMIC, 1, &r, &e), 0);
		assert_int_equal(evlog_sync(s, r.sequence, &e), 0);
		if (evlog_get(other, r.sequence, &f, &e) != 1)
			fail_msg("%s", e.msg);
		/* no recovery was needed */
		assert_true(s->active.gen == ctl_get32(&s->ctl->active_gen));
		assert_true(other->active.gen == s->active.gen);
		assert_true(s->active.capacity <= ACTIVE_EVENTS_MAX);
	}
	assert_true(ctl_get(&s->ctl->rolls) == 1);
	evlog_close(other);
	evlog_close(s);
	commit_free(c);
	tmp_dir_free(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_long_random_history_reads_back_by_every_way),
	    cmocka_unit_test(streams_and_ids_whose_keys_collide_are_told_apart),
	    cmocka_unit_test(merged_indexes_answer_like_the_log),
	    cmocka_unit_test(a_scan_from_any_sequence_gives_the_rest_in_order),
	    cmocka_unit_test(a_scan_that_follows_goes_on_over_rolls),
	    cmocka_unit_test(a_time_leads_to_the_first_event_recorded_then_or_later),
	    cmocka_unit_test(a_segment_of_very_many_small_events_is_shared_by_processes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
