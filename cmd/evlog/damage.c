/* damage: readers pass over it, but not silently. */
#include <stdio.h>
#include <string.h>

#include "evlog.h"

static bool is_same(const struct damage *a, const struct damage *b)
{
	return strcmp(a->file, b->file) == 0 && a->offset == b->offset;
}

void damages_report(struct damages *d, const struct damage *what)
{
	char lost[64] = "no sequence is missing";

	if (d->seen && is_same(&d->last, what))
		return;
	d->seen = true;
	d->last = *what;
	if (what->first < what->last)
		snprintf(lost, sizeof(lost), "sequences %ju-%ju are missing",
		         (uintmax_t)what->first, (uintmax_t)what->last);
	else if (what->first == what->last)
		snprintf(lost, sizeof(lost), "sequence %ju is missing", (uintmax_t)what->first);
	tool_warn("damaged: %s offset %ju: %s; 'evlog repair' makes the store writable again",
	          what->file, (uintmax_t)what->offset, lost);
}

int damages_status(const struct damages *d, int otherwise)
{
	return d->seen ? STATUS_DAMAGED : otherwise;
}

/* 1 there, 0 not there, -1 damaged. */
static int get(struct evlog *s, uint64_t seq, struct frame *f)
{
	struct err e;
	int r = evlog_get(s, seq, f, &e);

	if (r < 0 && e.code != EVLOG_DAMAGED)
		fail(&e);
	return r;
}

/* Let a scan say where it is and how far it goes: from its first sequence on. */
static void locate(struct damages *d, struct evlog *s, uint64_t seq)
{
	struct damage where;
	struct frame f;
	struct err e;
	struct scan *sc;
	int r;

	while (seq > 1 && get(s, seq - 1, &f) < 0)
		seq--;
	sc = scan_new(s, seq, &e);
	r = sc == NULL ? -1 : scan_next(sc, evlog_durable(s), &f, &where, &e);
	scan_free(sc);
	if (r < 0)
		fail(&e);
	if (r == 2)
		damages_report(d, &where);
	d->seen = true;
}

int damages_get(struct damages *d, struct evlog *s, uint64_t seq, struct frame *f)
{
	int r = get(s, seq, f);

	if (r < 0 && !(d->seen && seq >= d->last.first && seq <= d->last.last))
		locate(d, s, seq);
	return r > 0;
}

void seqs_push(struct seqs *q, uint64_t seq)
{
	if (q->len == q->cap) {
		q->cap = q->cap == 0 ? 64 : 2 * q->cap;
		q->v = grow(q->v, q->cap, sizeof(*q->v));
	}
	q->v[q->len++] = seq;
}

/* The same by reading all of the log, which also tells where it is damaged. */
static void gather_by_scan(struct damages *d, struct evlog *s, struct span stream, uint32_t from,
                           uint32_t to, uint64_t end, struct seqs *seqs)
{
	struct damage where;
	struct frame f;
	struct err e;
	struct scan *sc = scan_new(s, 1, &e);
	int r = sc == NULL ? -1 : 1;

	while (r > 0) {
		r = scan_next(sc, end, &f, &where, &e);
		if (r == 2)
			damages_report(d, &where);
		else if (r == 1 && span_is(f.stream, stream) && f.version >= from &&
		         f.version <= to)
			seqs_push(seqs, f.seq);
	}
	if (r < 0)
		fail(&e);
	scan_free(sc);
}

void damages_gather(struct damages *d, struct evlog *s, struct span stream, uint32_t from,
                    uint32_t to, uint64_t end, struct seqs *seqs)
{
	struct err e;

	seqs->len = 0;
	if (evlog_gather(s, stream, from, to, end, seqs, &e) == 0)
		return;
	if (e.code != EVLOG_DAMAGED)
		fail(&e);
	seqs->len = 0;
	gather_by_scan(d, s, stream, from, to, end, seqs);
	if (!d->seen) /* every line is sound, what one of them points to is not */
		tool_warn("damaged: %s", e.msg);
	d->seen = true;
}
