/*
 * compact against a simple model: random appends, deletions, rules, compactions, reopenings and new
 * indexes, with a second handle on the store all the time.  What each name shows, and what the log
 * holds, is compared with lists that the model keeps.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "evlog/admin.h"
#include "evlog/retain.h"
#include "evlog/shrink.h"
#include "evlog/store_impl.h"
#include "evlog_check.h"
#include "seeded.h"
#include "tmp_dir.h"

#define STREAMS    6
#define EVENTS_MAX 4000

/* One event of the model, in order of sequence. */
struct one {
	unsigned stream; /* STREAMS: RETAIN_STREAM */
	uint32_t version;
	uint64_t time_ns;
	unsigned id; /* 0: one that is never given again */
	bool deletes, hard, gone;
};

struct model {
	char *dir;
	struct evlog *s[2];
	uint64_t mask;
	uint64_t rand;
	uint64_t now;
	struct one v[EVENTS_MAX];
	size_t n;
	uint32_t next[STREAMS + 1];       /* versions */
	struct retain_rule rule[STREAMS]; /* without their texts */
	struct err e;
};

static void must(struct model *m, int r)
{
	if (r < 0)
		fail_msg("%s", m->e.msg);
}

static unsigned below(struct model *m, unsigned n)
{
	return (unsigned)seeded_below(&m->rand, n);
}

static void open_handle(struct model *m, int i)
{
	m->s[i] = check_open(m->dir, NULL, &m->e);
	must(m, m->s[i] == NULL ? -1 : 0);
	m->s[i]->key_mask = m->mask;
}

static const char *name_of(unsigned stream)
{
	static const char *const names[] = {"a", "ab", "abc", "b-1", "b-2", "c", RETAIN_STREAM};

	return names[stream];
}

static struct span span_of(unsigned stream)
{
	return (struct span){name_of(stream), strlen(name_of(stream))};
}

/* ---- What the model says. */

/* The newest event of a stream, or NULL. */
static struct one *newest(struct model *m, unsigned stream)
{
	for (size_t i = m->n; i-- > 0;)
		if (m->v[i].stream == stream)
			return &m->v[i];
	return NULL;
}

static uint32_t first_shown(struct model *m, unsigned stream)
{
	const struct retain_rule none = {0};
	const struct retain_rule *r = stream < STREAMS ? &m->rule[stream] : &none;
	const struct one *last = newest(m, stream);
	uint32_t first = 0;

	if (last == NULL)
		return 0;
	if (last->deletes)
		return last->version;
	for (size_t i = 0; i < m->n; i++) {
		const struct one *x = &m->v[i];

		if (x->stream == stream && x->version < last->version &&
		    (x->deletes || x->gone || x->version < r->before ||
		     (r->max_count > 0 && last->version - x->version >= r->max_count) ||
		     (r->max_age_ns > 0 && m->now > r->max_age_ns &&
		      x->time_ns < m->now - r->max_age_ns)))
			first = x->version + 1;
	}
	return first;
}

/* ---- What is done. */

static int commit(struct model *m, struct event *ev, bool deletes, bool hard)
{
	struct evlog *s = m->s[below(m, 2)];
	struct commit *c = commit_new();
	struct commit_result r;
	int done;

	if (deletes)
		event_deletes(ev, hard);
	must(m, commit_add(c, s, ev, &m->e));
	done = evlog_commit(s, c, COMMIT_ATOMIC, (int64_t)m->now, &r, &m->e);
	if (done == 0)
		must(m, evlog_sync(s, r.sequence, &m->e));
	commit_free(c);
	return done == 0 ? (r.sequence > m->n ? 1 : 0) : -m->e.code;
}

static void note(struct model *m, unsigned stream, unsigned id, bool deletes, bool hard)
{
	assert_true(m->n < EVENTS_MAX);
	m->v[m->n++] = (struct one){.stream = stream,
	                            .version = m->next[stream]++,
	                            .time_ns = m->now,
	                            .id = id,
	                            .deletes = deletes,
	                            .hard = hard};
}

/* Is an event with this id there, since the last deletion? */
static bool is_known(struct model *m, unsigned stream, unsigned id)
{
	for (size_t i = m->n; i-- > 0;)
		if (m->v[i].stream == stream) {
			if (m->v[i].deletes)
				return false;
			if (m->v[i].id == id && !m->v[i].gone)
				return true;
		}
	return false;
}

static void append(struct model *m)
{
	static const char pad[] = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
	unsigned stream = below(m, STREAMS), id = below(m, 3) == 0 ? below(m, 40) + 1 : 0;
	const struct one *last = newest(m, stream);
	char text[32], data[96];
	struct event ev = {.stream = span_of(stream),
	                   .type = {"T", 1},
	                   .attrs = {"-", 1},
	                   .data = {data, 0},
	                   .id_given = id > 0};
	int want = 1, got;

	ev.id.p = text;
	ev.id.len = (size_t)(id > 0 ? snprintf(text, sizeof(text), "id-%u", id)
	                            : snprintf(text, sizeof(text), "own-%zu", m->n));
	ev.data.len = (size_t)snprintf(data, sizeof(data), "\"%u%.*s\"", id, (int)id, pad);
	if (last != NULL && last->hard)
		want = -EVLOG_DELETED;
	else if (id > 0 && is_known(m, stream, id))
		want = 0;
	got = commit(m, &ev, false, false);
	if (got != want)
		fail_msg("append to %s with id %u: %d, the model says %d", name_of(stream), id, got,
		         want);
	if (got == 1)
		note(m, stream, id, false, false);
}

static void delete (struct model *m)
{
	unsigned stream = below(m, STREAMS);
	bool hard = below(m, 12) == 0;
	const struct one *last = newest(m, stream);
	char text[32];
	struct event ev = {.stream = span_of(stream), .attrs = {"-", 1}, .id = {text, 0}};
	int want = 1, got;

	ev.id.len = (size_t)snprintf(text, sizeof(text), "rm-%zu", m->n);
	if (last == NULL || (last->deletes && !last->hard && !hard))
		want = -EVLOG_NO_STREAM;
	else if (last->hard)
		want = 0;
	got = commit(m, &ev, true, hard);
	if (got != want)
		fail_msg("rm of %s: %d, the model says %d", name_of(stream), got, want);
	if (got == 1)
		note(m, stream, 0, true, hard);
}

static void retain(struct model *m)
{
	unsigned stream = below(m, STREAMS);
	uint64_t age = below(m, 3) == 0 ? 100 + below(m, 4000) : 0;
	char id[32], text[32];
	struct retain_rule r = {.selector = span_of(stream),
	                        .max_count = below(m, 3) == 0 ? below(m, 30) + 1 : 0,
	                        .before = below(m, 3) == 0 ? m->next[stream] / 2 : 0,
	                        .max_age = {text, 0},
	                        .max_age_ns = age};
	struct event ev = {.stream = span_of(STREAMS),
	                   .type = {RETAIN_TYPE, sizeof(RETAIN_TYPE) - 1},
	                   .attrs = {"-", 1},
	                   .id = {id, 0}};
	struct buf data = {0};

	ev.id.len = (size_t)snprintf(id, sizeof(id), "rule-%zu", m->n);
	if (age > 0)
		r.max_age.len = (size_t)snprintf(text, sizeof(text), "%juns", (uintmax_t)age);
	retain_put(&data, &r);
	ev.data = (struct span){data.data, data.len};
	assert_int_equal(commit(m, &ev, false, false), 1);
	buf_done(&data);
	note(m, STREAMS, 0, false, false);
	m->rule[stream] = r;
}

static int sum_parts(const struct compact_part *p, void *arg, struct err *e)
{
	struct compact_total *t = arg;

	(void)e;
	t->events += p->events;
	t->bytes += p->bytes;
	t->segments++;
	return 0;
}

/*
 * What is not in the log any more has to be hidden, and what is hidden must not be there, unless
 * streams share keys in the index: then it may stay.
 */
static uint64_t take_out(struct model *m)
{
	struct scan *sc = scan_new(m->s[0], 1, &m->e);
	uint32_t first[STREAMS + 1];
	uint64_t went = 0;
	struct damage d;
	struct frame f;
	size_t i = 0;
	int r = 1;

	for (unsigned x = 0; x <= STREAMS; x++)
		first[x] = first_shown(m, x);
	for (; i < m->n; i++) {
		struct one *x = &m->v[i];
		bool hidden = x->version < first[x->stream];

		if (r == 1 && (i == 0 || f.seq <= i))
			r = scan_next(sc, evlog_durable(m->s[0]), &f, &d, &m->e);
		if (r == 1 && f.seq == i + 1) {
			if (x->gone || (hidden && m->mask == UINT64_MAX))
				fail_msg("sequence %zu should be gone", i + 1);
		} else if (!x->gone) {
			if (!hidden)
				fail_msg("sequence %zu should not be gone", i + 1);
			x->gone = true;
			went++;
		}
	}
	scan_free(sc);
	return went;
}

static void compact(struct model *m)
{
	struct compact_total would, parts = {0}, did;
	const struct compact_hooks count = {.part = sum_parts, .arg = &parts}, none = {0};

	must(m, evlog_compact(m->s[1], true, false, &count, &would, &m->e));
	must(m, evlog_compact(m->s[0], false, false, &none, &did, &m->e));
	assert_memory_equal(&would, &did, sizeof(did));
	assert_memory_equal(&would, &parts, sizeof(parts));
	assert_int_equal(take_out(m), did.events);
}

static void reopen(struct model *m, int i)
{
	evlog_close(m->s[i]);
	open_handle(m, i);
}

/* Files of the index are lost; whoever comes next makes them anew. */
static void lose_index_files(struct model *m)
{
	struct buf names = {0};

	must(m, store_list(m->s[0]->index_dir, &names, &m->e));
	for (size_t at = 0; at < names.len; at += strlen(names.data + at) + 1)
		if (strchr(names.data + at, '.') != NULL && below(m, 8) == 0)
			(void)unlinkat(m->s[0]->index_dir, names.data + at, 0);
	buf_done(&names);
	reopen(m, 0);
	reopen(m, 1);
}

/* ---- What is compared. */

static void check_stream(struct model *m, struct evlog *s, unsigned stream)
{
	const struct one *last = newest(m, stream);
	uint64_t end = evlog_durable(s);
	uint32_t first, got, want_first;
	struct seqs seqs = {0};
	struct frame f;
	int r = evlog_head(s, span_of(stream), end, &f, &m->e);

	if (last == NULL || last->deletes) {
		assert_int_equal(r, last != NULL && last->hard ? -1 : 0);
		if (r < 0)
			assert_int_equal(m->e.code, EVLOG_DELETED);
		return;
	}
	assert_int_equal(r, 1);
	assert_int_equal(f.version, last->version);
	want_first = first_shown(m, stream);
	assert_int_equal(evlog_first(s, span_of(stream), end, &first, &m->e), 1);
	if (first != want_first)
		fail_msg("%s begins with %u, the model says %u", name_of(stream), first,
		         want_first);
	must(m, evlog_gather(s, span_of(stream), 0, UINT32_MAX, end, &seqs, &m->e));
	assert_int_equal(seqs.len, last->version - first + 1);
	for (size_t i = 0; i < seqs.len; i++) {
		assert_int_equal(m->v[seqs.v[i] - 1].stream, stream);
		assert_int_equal(m->v[seqs.v[i] - 1].version, first + i);
		assert_int_equal(evlog_get(s, seqs.v[i], &f, &m->e), 1);
	}
	seqs_done(&seqs);
	got = below(m, last->version + 2);
	r = evlog_at(s, span_of(stream), got, end, &f, &m->e);
	assert_int_equal(r, got >= first && got <= last->version);
	if (r > 0)
		assert_int_equal(f.version, got);
}

/* The log holds all that the model holds, and nothing else. */
static void check_log(struct model *m, struct evlog *s)
{
	struct scan *sc = scan_new(s, 1, &m->e);
	size_t at = 0;
	struct damage d;
	struct frame f;
	int r;

	while ((r = scan_next(sc, evlog_durable(s), &f, &d, &m->e)) == 1) {
		while (at < m->n && m->v[at].gone)
			at++;
		if (f.seq != at + 1)
			fail_msg("sequence %ju is there, the model says %zu", (uintmax_t)f.seq,
			         at + 1);
		assert_true(span_is(f.stream, span_of(m->v[at].stream)));
		assert_int_equal(f.version, m->v[at].version);
		at++;
	}
	while (at < m->n && m->v[at].gone)
		at++;
	if (r != 0 || at != m->n)
		fail_msg("the log ends with %zu of %zu: %s", at, m->n, r == 2 ? d.file : m->e.msg);
	scan_free(sc);
}

/* A time finds its event also where many are gone. */
static void check_time(struct model *m, struct evlog *s)
{
	uint64_t time = m->v[below(m, (unsigned)m->n)].time_ns, end = evlog_durable(s), seq;
	size_t i = 0;

	must(m, evlog_seq_at_time(s, time, end, &seq, &m->e));
	while (i < m->n && (m->v[i].gone || m->v[i].time_ns < time))
		i++;
	/* Any sequence between the last one before it and the first one of it will do. */
	assert_true(seq <= i + 1);
	while (i > 0 && (m->v[i - 1].gone || m->v[i - 1].time_ns >= time))
		i--;
	assert_true(seq > i);
}

static void check(struct model *m)
{
	for (int i = 0; i < 2; i++) {
		evlog_set_time(m->s[i], (int64_t)m->now);
		for (unsigned x = 0; x <= STREAMS; x++)
			check_stream(m, m->s[i], x);
		check_time(m, m->s[i]);
	}
	check_log(m, m->s[0]);
}

static int fault(const struct finding *f, void *arg, struct err *e)
{
	(void)arg;
	(void)e;
	fail_msg("verify: %s", f->text);
	return 0;
}

static void verify(struct model *m)
{
	struct evlog_stat st;
	size_t there = 0;

	must(m, evlog_check_store(m->s[0], NULL, CHECK_NO_LOSS | CHECK_SHRUNK, &m->e));
	assert_int_equal(evlog_verify(m->s[1], true, fault, NULL, &m->e), 0);
	must(m, evlog_get_stat(m->s[1], &st, &m->e));
	for (size_t i = 0; i < m->n; i++)
		there += !m->v[i].gone;
	assert_int_equal(st.events, there);
}

static void run(uint64_t *rand, uint64_t mask, unsigned steps)
{
	struct model *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	*m = (struct model){.dir = tmp_dir_new_fast(), .mask = mask, .now = 1000};
	m->rand = seeded_next(rand);
	must(m, check_create(m->dir, EVLOG_SEGMENT_MIN, NULL, &m->e));
	open_handle(m, 0);
	open_handle(m, 1);
	append(m);
	while (m->n < steps) {
		unsigned what = below(m, 200);

		m->now += below(m, 20);
		for (int i = 0; i < 2; i++)
			evlog_set_time(m->s[i], (int64_t)m->now);
		if (what < 5)
			delete (m);
		else if (what < 10)
			retain(m);
		else if (what < 12)
			compact(m);
		else if (what < 15)
			reopen(m, (int)below(m, 2));
		else if (what == 15)
			must(m, evlog_reindex(m->s[below(m, 2)], &m->e));
		else if (what < 17)
			must(m, evlog_maintain(m->s[below(m, 2)], &m->e));
		else if (what < 19)
			lose_index_files(m);
		else
			append(m);
		if (what < 20)
			check(m);
		if (what == 16)
			verify(m);
	}
	verify(m);
	check(m);
	for (int i = 0; i < 2; i++)
		evlog_close(m->s[i]);
	tmp_dir_free(m->dir);
	free(m);
}

static void a_random_history_is_read_as_the_model_says(void **state)
{
	uint64_t rand = seeded();

	(void)state;
	for (unsigned i = 0; i < seeded_rounds(10); i++)
		run(&rand, UINT64_MAX, 300 + 60 * (i % 10));
}

/* Streams that share their keys are left as they are, and never lost. */
static void streams_that_share_a_key_are_never_lost(void **state)
{
	uint64_t rand = seeded();

	(void)state;
	for (unsigned i = 0; i < seeded_rounds(6); i++)
		run(&rand, (UINT64_C(16) << i % 3) - 1, 400);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_random_history_is_read_as_the_model_says),
	    cmocka_unit_test(streams_that_share_a_key_are_never_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
