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
	return d->seen ? STATUS_DAMAGED : d->deleted ? STATUS_DELETED : otherwise;
}

bool damages_cause(const struct err *e)
{
	return e->code == EVLOG_DAMAGED || e->code == EVLOG_GAP;
}

/* Is there a sound event of that sequence? */
static bool get(struct evlog *s, uint64_t seq, struct frame *f)
{
	struct err e;
	int r = evlog_get(s, seq, f, &e);

	if (r < 0 && !damages_cause(&e))
		fail(&e);
	return r > 0;
}

/*
 * Why is a sequence not there?  A scan from the first one that is missing tells damage from what
 * repair took out, and how far it goes.
 */
static void explain(struct damages *d, struct evlog *s, uint64_t seq)
{
	uint64_t end = evlog_durable(s);
	struct damage where;
	struct frame f;
	struct err e;
	struct scan *sc;
	int r;

	while (seq > 1 && !get(s, seq - 1, &f))
		seq--;
	sc = damages_scan(s, seq);
	r = scan_next(sc, end, &f, &where, &e);
	if (r < 0)
		fail(&e);
	d->gap_first = d->gap_last = seq;
	if (r == 2)
		damages_report(d, &where);
	if (r == 2 && where.last > seq)
		d->gap_last = where.last;
	else if (r == 1 && f.seq > seq)
		d->gap_last = f.seq - 1;
	else if (r == 0)
		d->gap_last = end;
	scan_free(sc);
}

bool damages_get(struct damages *d, struct evlog *s, uint64_t seq, struct frame *f)
{
	if (get(s, seq, f))
		return true;
	if (seq > 0 && seq <= evlog_durable(s) && (seq < d->gap_first || seq > d->gap_last))
		explain(d, s, seq);
	return false;
}

struct scan *damages_scan(struct evlog *s, uint64_t first)
{
	struct err e;
	struct scan *sc = scan_new(s, first, &e);

	if (sc == NULL)
		fail(&e);
	return sc;
}

bool damages_next(struct damages *d, struct scan *sc, uint64_t last, struct frame *f)
{
	struct damage where;
	struct err e;
	int r;

	while ((r = scan_next(sc, last, f, &where, &e)) == 2)
		damages_report(d, &where);
	if (r < 0)
		fail(&e);
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

/*
 * The same by reading all of the log, which also tells where it is damaged.  It need not be: what
 * repair took out leaves a gap in the chain, too.
 */
static void gather_by_scan(struct damages *d, struct evlog *s, struct span stream, uint32_t from,
                           uint32_t to, uint64_t end, struct seqs *seqs)
{
	struct scan *sc = damages_scan(s, 1);
	struct hidden hidden;
	struct frame f;
	struct err e;

	if (evlog_hidden(s, stream, end, &hidden, &e) < 0 && !damages_cause(&e))
		fail(&e);
	while (damages_next(d, sc, end, &f)) {
		if (!span_is(f.stream, stream))
			continue;
		/* The stream begins behind its last deletion. */
		if (f.kind == FRAME_DELETED)
			seqs->len = 0;
		else if (f.version >= from && f.version <= to &&
		         !hidden_has(&hidden, f.version, f.time_ns))
			seqs_push(seqs, f.seq);
	}
	scan_free(sc);
}

void damages_gather(struct damages *d, struct evlog *s, struct span stream, uint32_t from,
                    uint32_t to, uint64_t end, struct seqs *seqs)
{
	struct err e;

	seqs->len = 0;
	if (evlog_gather(s, stream, from, to, end, seqs, &e) == 0)
		return;
	seqs->len = 0;
	if (e.code == EVLOG_DELETED) {
		d->deleted = true;
		tool_warn("%s", e.msg);
		return;
	}
	if (!damages_cause(&e))
		fail(&e);
	gather_by_scan(d, s, stream, from, to, end, seqs);
}
