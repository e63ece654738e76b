/* read: single events and the streams they form, by pointers from event to event. */
#include "evlog/read.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "evlog/store_impl.h"

int evlog_get(struct evlog *s, uint64_t seq, struct frame *f, struct err *e)
{
	int r;

	if (seq == 0 || seq > evlog_durable(s))
		return 0;
	if (seq >= s->log_base && store_refresh(s, e) < 0)
		return -1;
	r = store_frame(s, seq, f, e);
	return r > 0 && !frame_is_event(f) ? 0 : r;
}

/* The newest event of a stream by reading all: for a reader whose index cannot be made. */
static int head_by_scan(struct evlog *s, struct span stream, uint64_t at_most, struct frame *f,
                        struct err *e)
{
	struct scan *sc = scan_new(s, 1, e);
	uint64_t found = 0;
	struct damage d;
	int r = sc == NULL ? -1 : 1;

	while (r > 0) {
		r = scan_next(sc, at_most, f, &d, e);
		if (r == 1 && span_is(f->stream, stream))
			found = f->seq;
	}
	scan_free(sc);
	if (r < 0 || found == 0)
		return r;
	return store_frame(s, found, f, e);
}

int store_newest(struct evlog *s, struct span stream, uint64_t at_most, struct frame *f,
                 struct err *e)
{
	int r = store_refresh(s, e);

	if (r == 0)
		r = lookup_head(s, stream, f, NULL, e);
	if (r < 0 && e->code == EVLOG_READ_ONLY)
		return head_by_scan(s, stream, at_most, f, e);
	while (r > 0 && f->seq > at_most)
		r = f->prev == 0 ? 0 : store_frame(s, f->prev, f, e);
	return r;
}

int evlog_head(struct evlog *s, struct span stream, uint64_t at_most, struct frame *f,
               struct err *e)
{
	int r = store_newest(s, stream, at_most, f, e);

	if (r <= 0 || f->kind != FRAME_DELETED)
		return r;
	if (frame_deletes_hard(f))
		return err_set(e, EVLOG_DELETED, "stream '%.*s' was deleted for good",
		               (int)stream.len, stream.p);
	return 0;
}

int evlog_next(struct evlog *s, struct span stream, uint32_t *ret, struct err *e)
{
	struct frame f;
	int r = store_newest(s, stream, UINT64_MAX, &f, e);

	*ret = r > 0 ? f.version + 1 : 0;
	return r < 0 ? -1 : 0;
}

/*
 * A pointer of a sound event leads to no event of its stream: to a nameless stub, behind which
 * the stream goes on somewhere, or to nothing that can be right.
 */
static int broken(struct span stream, uint64_t seq, const struct frame *f, struct err *e)
{
	bool stub = f->kind == FRAME_STUB && f->flag != FRAME_REDACTED;

	return err_set(e, stub ? EVLOG_GAP : EVLOG_DAMAGED,
	               "stream '%.*s': its event with sequence %llu is missing", (int)stream.len,
	               stream.p, (unsigned long long)seq);
}

/* A stream as it is read by its name. */
struct view {
	struct evlog *s;
	struct span stream;
	struct hidden hidden;
};

/* *f is its newest event: 1, 0 there is no such stream, -1. */
static int open_view(struct view *v, struct evlog *s, struct span stream, uint64_t at_most,
                     struct frame *f, struct err *e)
{
	int r = evlog_head(s, stream, at_most, f, e);

	*v = (struct view){.s = s, .stream = stream};
	if (r > 0 && rules_hide(s, stream, f->version, at_most, &v->hidden, e) < 0)
		return -1;
	return r;
}

int evlog_hidden(struct evlog *s, struct span stream, uint64_t at_most, struct hidden *ret,
                 struct err *e)
{
	struct frame f;
	struct view v;
	int r = open_view(&v, s, stream, at_most, &f, e);

	*ret = v.hidden;
	return r < 0 ? -1 : 0;
}

/*
 * From an event to an earlier one of its stream, below version `below`: 1; 0: the stream begins
 * behind it, for there is nothing any more, or it is hidden, or a deletion; -1.
 */
static int step_back(const struct view *v, uint64_t to, uint32_t below, struct frame *f,
                     struct err *e)
{
	int r = to == 0 ? 0 : store_header(v->s, to, f, e);

	if (r > 0 && (!span_is(f->stream, v->stream) || f->version >= below))
		return broken(v->stream, to, f, e);
	if (r > 0 && (f->kind == FRAME_DELETED || hidden_has(&v->hidden, f->version, f->time_ns)))
		return 0;
	return r;
}

/*
 * From *f down to the stream's version, whatever stands there, by the longest jumps that do not
 * pass it: 1, 0 it is not there, -1.
 */
static int walk_to(const struct view *v, uint32_t version, struct frame *f, struct err *e)
{
	while (f->version > version) {
		/* Behind a loss that repair has taken as known, a jump may be unknown: 0. */
		bool far = f->jump != 0 && (f->version & (f->version - 1)) >= version;
		int r = step_back(v, far ? f->jump : f->prev, f->version, f, e);

		if (r <= 0)
			return r;
	}
	return f->version == version;
}

int evlog_at(struct evlog *s, struct span stream, uint32_t version, uint64_t at_most,
             struct frame *f, struct err *e)
{
	struct view v;
	int r = open_view(&v, s, stream, at_most, f, e);

	if (r > 0)
		r = version > f->version ? 0 : walk_to(&v, version, f, e);
	if (r <= 0 || f->kind != FRAME_EVENT)
		return r < 0 ? -1 : 0;
	/* The steps looked at headers; what is handed out is checked as a whole. */
	return store_frame(s, f->seq, f, e);
}

/* From the newest event of a view to its first: 1, -1. */
static int walk_to_first(const struct view *v, struct frame *f, struct err *e)
{
	struct frame to;
	int r = 1;

	/* Far steps while they find something, short ones where they do not: O(log^2 versions). */
	while (r > 0 && f->version > 0) {
		r = step_back(v, f->jump, f->version, &to, e);
		if (r == 0)
			r = step_back(v, f->prev, f->version, &to, e);
		if (r == 0)
			return 1;
		*f = to;
	}
	return r;
}

int evlog_first(struct evlog *s, struct span stream, uint64_t at_most, uint32_t *ret, struct err *e)
{
	struct frame f = {0};
	struct view v;
	int r = open_view(&v, s, stream, at_most, &f, e);

	if (r > 0)
		r = walk_to_first(&v, &f, e);
	*ret = r > 0 ? f.version : 0;
	return r;
}

int store_first(struct evlog *s, struct span stream, uint64_t at_most, struct frame *f,
                struct err *e)
{
	struct view v = {.s = s, .stream = stream};

	if (rules_hide(s, stream, f->version, at_most, &v.hidden, e) < 0)
		return -1;
	return walk_to_first(&v, f, e);
}

int evlog_find(struct evlog *s, struct span stream, struct span id, uint64_t at_most,
               struct frame *f, struct err *e)
{
	struct id_cursor at = ID_FIRST;
	uint64_t found = 0, floor;
	int r = store_refresh(s, e) < 0 ? -1 : 1;

	while (r > 0 && found == 0) {
		r = lookup_id(s, stream, id, &at, f, e);
		found = r > 0 && f->seq <= at_most ? f->seq : 0;
		if (found == 0)
			continue;
		r = lookup_head(s, stream, f, NULL, e) < 0 ? -1 : lookup_floor(s, f, &floor, e);
		if (r > 0 && found <= floor)
			found = 0;
	}
	return r > 0 ? store_frame(s, found, f, e) : r;
}

void seqs_done(struct seqs *q)
{
	free(q->v);
	*q = (struct seqs){0};
}

static int push(struct seqs *q, uint64_t seq, struct err *e)
{
	if (q->len == q->cap) {
		size_t cap = q->cap == 0 ? 64 : q->cap * 2;
		uint64_t *v = reallocarray(q->v, cap, sizeof(*v));

		if (v == NULL)
			return err_set(e, ENOMEM, "out of memory");
		q->v = v;
		q->cap = cap;
	}
	q->v[q->len++] = seq;
	return 0;
}

static void reverse(uint64_t *v, size_t n)
{
	for (size_t i = 0; i < n / 2; i++) {
		uint64_t t = v[i];

		v[i] = v[n - 1 - i];
		v[n - 1 - i] = t;
	}
}

int evlog_gather(struct evlog *s, struct span stream, uint32_t from, uint32_t to, uint64_t at_most,
                 struct seqs *seqs, struct err *e)
{
	size_t start = seqs->len;
	struct frame f = {0};
	struct view v;
	int r = open_view(&v, s, stream, at_most, &f, e);

	if (r > 0 && (from > to || f.version < from))
		r = 0;
	if (r > 0 && f.version > to)
		r = walk_to(&v, to, &f, e);
	while (r > 0) {
		uint32_t version = f.version;

		if (f.kind == FRAME_EVENT && push(seqs, f.seq, e) < 0)
			return -1;
		seqs->first = version;
		if (version == from)
			break;
		r = step_back(&v, f.prev, version, &f, e);
		if (r > 0 && f.version + 1 != version)
			return broken(stream, f.seq, &f, e);
	}
	if (seqs->len > start)
		reverse(seqs->v + start, seqs->len - start);
	return r < 0 ? -1 : 0;
}

/* All heads, newest per key. */
struct heads {
	struct active_slot *v;
	size_t len, cap;
};

static int add_head(struct heads *h, const struct active_slot *x, struct err *e)
{
	if (h->len == h->cap) {
		size_t cap = h->cap == 0 ? 1024 : h->cap * 2;
		struct active_slot *v = reallocarray(h->v, cap, sizeof(*v));

		if (v == NULL)
			return err_set(e, ENOMEM, "out of memory");
		h->v = v;
		h->cap = cap;
	}
	h->v[h->len++] = *x;
	return 0;
}

static int by_key(const void *a, const void *b)
{
	const struct active_slot *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static int by_seq(const void *a, const void *b)
{
	const struct active_slot *x = a, *y = b;

	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static int collect_heads(struct evlog *s, struct heads *h, struct err *e)
{
	size_t n = 0;

	for (size_t i = 0; i < (size_t)s->active.capacity * 2; i++)
		if (s->active.heads[i].key != 0 && add_head(h, &s->active.heads[i], e) < 0)
			return -1;
	for (size_t i = 0; i < s->run_count[RUN_HEADS]; i++) {
		struct active_slot x;
		uint64_t at = 0;
		int r;

		while ((r = run_each(&s->runs[RUN_HEADS][i], &at, &x, e)) > 0)
			if (add_head(h, &x, e) < 0)
				return -1;
		if (r < 0)
			return -1;
	}
	if (h->len > 0)
		qsort(h->v, h->len, sizeof(*h->v), by_key);
	for (size_t i = 0; i < h->len; i++)
		if (i + 1 == h->len || h->v[i + 1].key != h->v[i].key)
			h->v[n++] = h->v[i];
	h->len = n;
	if (n > 0)
		qsort(h->v, n, sizeof(*h->v), by_seq);
	return 0;
}

int evlog_count_streams(struct evlog *s, uint64_t *ret, struct err *e)
{
	struct heads h = {0};
	int r = -1;

	if (store_refresh(s, e) == 0 && index_load(s, RUN_HEADS, e) == 0)
		r = collect_heads(s, &h, e);
	*ret = h.len;
	free(h.v);
	return r;
}

/* The newest event of a stream at or below a sequence, from its very newest one. */
static int head_at(struct evlog *s, uint64_t seq, uint64_t at_most, struct frame *f, struct err *e)
{
	int r = store_frame(s, seq, f, e);

	while (r > 0 && f->seq > at_most)
		r = f->prev == 0 ? 0 : store_frame(s, f->prev, f, e);
	return r;
}

int store_each_head(struct evlog *s, uint64_t at_most, head_fn *fn, void *arg, struct err *e)
{
	struct heads h = {0};
	struct err damage = {0};
	int r = -1;

	if (store_refresh(s, e) < 0 || index_load(s, RUN_HEADS, e) < 0 ||
	    collect_heads(s, &h, e) < 0)
		goto out;
	r = 0;
	for (size_t i = 0; i < h.len && r == 0; i++) {
		struct frame f;
		int found = head_at(s, h.v[i].seq, at_most, &f, e);

		if (found > 0)
			r = fn(&f, h.v[i].key, arg, e);
		else if (found < 0 && e->code != EVLOG_DAMAGED)
			r = -1;
		else if (found < 0)
			damage = *e;
	}
	if (r == 0 && damage.code != 0) {
		*e = damage;
		r = -1;
	}
out:
	free(h.v);
	return r < 0 ? -1 : 0;
}

struct each_stream {
	stream_fn *fn;
	void *arg;
};

static int pass_stream(const struct frame *head, uint64_t key, void *arg, struct err *e)
{
	const struct each_stream *each = arg;

	(void)key;
	return head->kind == FRAME_DELETED ? 0 : each->fn(head, each->arg, e);
}

int evlog_each_stream(struct evlog *s, uint64_t at_most, stream_fn *fn, void *arg, struct err *e)
{
	struct each_stream each = {fn, arg};

	return store_each_head(s, at_most, pass_stream, &each, e);
}

int evlog_seq_at_time(struct evlog *s, uint64_t time_ns, uint64_t at_most, uint64_t *ret,
                      struct err *e)
{
	uint64_t lo = 1, hi = at_most + 1;
	struct frame f;

	if (store_refresh(s, e) < 0)
		return -1;
	while (lo < hi) {
		uint64_t mid = lo + (hi - lo) / 2;
		uint64_t at = mid;
		int r = 0;

		/* One that is damaged or gone tells no time: the next sound one above it does. */
		while (at < hi && (r = store_frame(s, at, &f, e)) <= 0) {
			if (r < 0 && e->code != EVLOG_DAMAGED)
				return -1;
			at = segments_next(s, at + 1);
		}
		if (at < hi && f.time_ns < time_ns)
			lo = at + 1;
		else
			hi = mid;
	}
	*ret = lo;
	return 0;
}
