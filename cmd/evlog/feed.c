/* feed: the events behind a cursor, in batches of text. */
#include "feed.h"

#include <poll.h>
#include <stdlib.h>

#include "os/clock.h"
#include "os/wait.h"

#define SLICE_MS   100  /* how long a signal may stay unnoticed while nothing comes */
#define LOOK_AFTER 1024 /* and while much comes that is not selected: events */

struct feed {
	struct evlog *s;
	struct feed_spec spec;
	struct scan *sc;
	struct event_writer writer;
	struct buf source;
	struct damages damages;
	uint64_t end;    /* the last sequence to be read */
	uint64_t passed; /* the last one that was */
	bool skipped;
	enum feed_result over; /* FEED_DAMAGED or FEED_FAILED: for good; else FEED_END */
	struct err why;        /* of FEED_FAILED */
};

/* ---- Batches. */

static const char *line_end(const struct feed_batch *b, size_t i)
{
	size_t end = i + 1 < b->count ? b->events[i + 1].at : b->text.len;

	return b->text.data + end - 1;
}

struct span feed_line(const struct feed_batch *b, size_t i)
{
	const char *p = b->text.data + b->events[i].at;

	return (struct span){p, (size_t)(line_end(b, i) - p)};
}

struct span feed_stream(const struct feed_batch *b, size_t i)
{
	return (struct span){b->names.data + b->events[i].stream, b->events[i].stream_len};
}

void feed_batch_done(struct feed_batch *b)
{
	free(b->events);
	buf_done(&b->text);
	buf_done(&b->names);
	*b = (struct feed_batch){0};
}

static void add(struct feed *f, struct feed_batch *b, const struct frame *fr)
{
	if (b->count == b->cap) {
		b->cap = b->cap == 0 ? FEED_BATCH_DEFAULT : 2 * b->cap;
		b->events = grow(b->events, b->cap, sizeof(*b->events));
	}
	b->events[b->count++] = (struct feed_event){.seq = fr->seq,
	                                            .at = b->text.len,
	                                            .stream = b->names.len,
	                                            .stream_len = fr->stream.len};
	buf_add(&b->names, fr->stream.p, fr->stream.len);
	event_put_json(&b->text, &f->writer, fr);
	buf_add_char(&b->text, '\n');
}

/* ---- The feed. */

struct feed *feed_open(struct evlog *s, const struct feed_spec *spec)
{
	struct feed *f = tool_alloc(1, sizeof(*f));

	f->s = s;
	f->spec = *spec;
	f->sc = damages_scan(s, spec->after + 1);
	f->writer.source = source_of(&f->source, s);
	f->end = evlog_durable(s);
	f->passed = spec->after;
	f->over = FEED_END;
	return f;
}

void feed_close(struct feed *f)
{
	if (f == NULL)
		return;
	scan_free(f->sc);
	buf_done(&f->source);
	free(f);
}

uint64_t feed_passed(const struct feed *f)
{
	return f->passed;
}

bool feed_has_skipped(const struct feed *f)
{
	return f->skipped;
}

static bool takes(const struct feed *f, const struct frame *fr)
{
	const struct feed_spec *spec = &f->spec;

	/* Else what one consumer parks would be work for the next one, and so for ever. */
	if (spec->query->kind != SELECT_STREAM && fr->stream.p[0] == '$')
		return false;
	return query_has(spec->query, fr) &&
	       (spec->members == 0 ||
	        cursor_member_of(fr->stream.p, fr->stream.len, spec->members) == spec->member);
}

static bool has_signal(const struct feed *f)
{
	struct pollfd sig = {.fd = f->spec.sig != NULL ? f->spec.sig->fd : -1, .events = POLLIN};

	return poll(&sig, 1, 0) > 0;
}

/* Damage lies in front of us. */
static void meet_damage(struct feed *f, const struct damage *d)
{
	damages_report(&f->damages, d);
	if (!f->spec.skip_damaged) {
		f->over = FEED_DAMAGED;
		return;
	}
	f->skipped = true;
	if (d->last > f->passed)
		f->passed = d->last;
}

/* What is there, as far as it goes into the batch. */
static void fill(struct feed *f, struct feed_batch *b)
{
	unsigned looked = 0;
	struct frame fr;
	struct damage d;

	while (f->over == FEED_END && b->count < f->spec.count_max &&
	       b->text.len < FEED_BATCH_BYTES) {
		int r = scan_next(f->sc, f->end, &fr, &d, &f->why);

		if (r == 0) {
			/* Also what was removed at the end. */
			if (f->end > f->passed)
				f->passed = f->end;
			return;
		}
		if (r < 0) {
			f->over = FEED_FAILED;
		} else if (r == 2) {
			meet_damage(f, &d);
		} else {
			f->passed = fr.seq;
			if (takes(f, &fr))
				add(f, b, &fr);
			if (++looked % LOOK_AFTER == 0 && has_signal(f))
				return;
		}
	}
}

/* What follows would get sequences that we have passed: nobody may go on as if nothing was. */
static void check_end(struct feed *f)
{
	if (f->over != FEED_END || f->end >= f->passed)
		return;
	f->over = FEED_FAILED;
	err_set(&f->why, EVLOG_FOREIGN,
	        "the store ends at %ju now, before %ju, which was read: it has lost events; begin "
	        "again",
	        (uintmax_t)f->end, (uintmax_t)f->passed);
}

/* Until a deadline, at most a slice. */
static int64_t wait_ms(int64_t deadline_ns, int64_t now_ns)
{
	if (deadline_ns - now_ns >= SLICE_MS * CLOCK_NS_PER_MS)
		return SLICE_MS;
	return (deadline_ns - now_ns + CLOCK_NS_PER_MS - 1) / CLOCK_NS_PER_MS;
}

enum feed_result feed_next(struct feed *f, struct feed_batch *b, int64_t deadline_ns, struct err *e)
{
	b->count = 0;
	buf_clear(&b->text);
	buf_clear(&b->names);
	for (;;) {
		int64_t now;

		if (f->spec.follow)
			f->end = evlog_durable(f->s);
		check_end(f);
		fill(f, b);
		if (buf_ok(&b->text, e) < 0 || buf_ok(&b->names, e) < 0)
			return FEED_FAILED;
		if (b->count > 0)
			return FEED_BATCH;
		if (f->over == FEED_FAILED)
			*e = f->why;
		if (f->over != FEED_END)
			return f->over;
		if (has_signal(f))
			return FEED_SIGNAL;
		now = clock_mono_ns();
		if (f->passed >= f->end && (!f->spec.follow || now >= deadline_ns))
			return FEED_END;
		if (f->passed >= f->end)
			(void)evlog_wait(f->s, f->end, wait_ms(deadline_ns, now));
	}
}
