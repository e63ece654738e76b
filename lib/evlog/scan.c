/*
 * scan: the log from a sequence on, in order, segment by segment, without a lock.
 *
 * Sealed segments are read through their mapping.  The active one is read by pread into a buffer:
 * somebody may cut it, and a mapping would fault.  A scan has its own descriptor for it, so it
 * goes on undisturbed when the segment is sealed meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "evlog/read.h"
#include "evlog/scan_impl.h"
#include "evlog/store_impl.h"

#define SCAN_READ (256u << 10)

struct scan {
	struct evlog *s;
	uint64_t seq;  /* the next one */
	bool open;     /* a segment is open */
	uint64_t base; /* of that segment */
	uint64_t end;  /* the last sequence it can hold; UINT64_MAX: it is the active one */
	const char *p; /* the bytes in memory: its mapping, or buf */
	size_t n, at;
	uint64_t off;        /* offset in the file of p[0] */
	struct mapping *map; /* of a sealed segment */
	bool gaps;           /* it has sequences that were removed */
	int fd;              /* of the active segment, -1: p is a mapping */
	ino_t ino;           /* of the file, 0: there is none */
	uint64_t sure;       /* events up to this one were final when they came into the buffer */
	struct buf buf;
	bool stubs; /* return removed events too */
};

struct scan *scan_new(struct evlog *s, uint64_t first, struct err *e)
{
	struct scan *sc = calloc(1, sizeof(*sc));

	if (sc == NULL) {
		err_set(e, ENOMEM, "out of memory");
		return NULL;
	}
	sc->s = s;
	sc->seq = first < 1 ? 1 : first;
	sc->fd = -1;
	return sc;
}

void scan_with_stubs(struct scan *sc)
{
	sc->stubs = true;
}

static void close_segment(struct scan *sc)
{
	if (sc->fd >= 0)
		close(sc->fd);
	sc->fd = -1;
	mapping_free(sc->map);
	sc->map = NULL;
	sc->gaps = false;
	sc->open = false;
	sc->p = NULL;
	sc->n = sc->at = 0;
	buf_clear(&sc->buf);
}

void scan_free(struct scan *sc)
{
	if (sc == NULL)
		return;
	close_segment(sc);
	buf_done(&sc->buf);
	free(sc);
}

static int open_active(struct scan *sc, struct err *e)
{
	struct evlog *s = sc->s;
	char name[SEGMENT_NAME_MAX];
	struct stat st;
	uint32_t at = 0;

	segment_name(name, s->log_base);
	sc->fd = openat(s->log_dir, name, O_RDONLY | O_CLOEXEC);
	if (sc->fd < 0)
		return err_sys(e, "open 'log/%s'", name);
	sc->ino = fstat(sc->fd, &st) == 0 ? st.st_ino : 0;
	sc->sure = 0;
	sc->base = s->log_base;
	sc->end = UINT64_MAX;
	if (sc->seq - s->log_base < s->active.capacity)
		at = __atomic_load_n(&s->active.offset[sc->seq - s->log_base], __ATOMIC_ACQUIRE);
	sc->off = at >= FRAME_HEAD_LEN ? at : FRAME_HEAD_LEN;
	sc->p = sc->buf.data != NULL ? sc->buf.data : "";
	sc->n = sc->at = 0;
	sc->open = true;
	return 0;
}

static int open_sealed(struct scan *sc, struct segment *g, struct err *e)
{
	struct frame f;
	int r;

	if (segment_map(sc->s, g, e) < 0)
		return -1;
	sc->map = g->map;
	sc->map->refs++;
	sc->gaps = g->map->gaps;
	sc->base = g->base;
	sc->ino = g->map->ino;
	sc->end = g->last;
	sc->p = g->map->p;
	sc->n = g->map->size;
	sc->off = 0;
	sc->at = FRAME_HEAD_LEN;
	sc->open = true;
	/* A start in the middle goes by the offsets; without a good one, from the first line on. */
	if (sc->seq == g->base)
		return 0;
	r = store_frame(sc->s, sc->seq, &f, e);
	if (r == 0) {
		uint64_t next = segments_next(sc->s, sc->seq);

		r = next > g->last ? 0 : store_frame(sc->s, next, &f, e);
	}
	if (r > 0)
		sc->at = (size_t)(f.stream.p - FRAME_FIXED - sc->p);
	return 0;
}

static int damage(struct scan *sc, uint64_t last, uint64_t offset, uint64_t bytes, struct damage *d)
{
	char name[SEGMENT_NAME_MAX];

	segment_name(name, sc->base);
	*d = (struct damage){.offset = offset, .bytes = bytes, .first = sc->seq, .last = last};
	snprintf(d->file, sizeof(d->file), "log/%s", name);
	sc->seq = last + 1;
	/* What is wrong at the end of the active segment is for recovery to judge. */
	if (sc->end != UINT64_MAX)
		store_mark_damaged(sc->s, sc->base, sc->ino);
	return 2;
}

/* 1 a segment is open, 2 the segment that should have the sequence is missing, -1. */
static int open_segment(struct scan *sc, uint64_t last, struct damage *d, struct err *e)
{
	struct evlog *s = sc->s;
	struct segment *g;

	if (store_refresh(s, e) < 0)
		return -1;
	if (sc->seq >= s->log_base)
		return open_active(sc, e) < 0 ? -1 : 1;
	if (!s->segments_loaded && segments_load(s, e) < 0)
		return -1;
	g = segment_of(s, sc->seq);
	if (g == NULL) {
		uint64_t first = s->segment_count > 0 ? s->segments[0].base : s->log_base;

		sc->base = sc->seq;
		sc->ino = 0;
		sc->end = first - 1;
		return damage(sc, first - 1 < last ? first - 1 : last, 0, 0, d);
	}
	return open_sealed(sc, g, e) < 0 ? -1 : 1;
}

/* More bytes of the active segment, at least `want` from at on: 1, 0 there are no more, -1. */
static int refill(struct scan *sc, size_t want, struct err *e)
{
	size_t keep = sc->n - sc->at;
	ssize_t r;

	if (want < SCAN_READ)
		want = SCAN_READ;
	buf_consume(&sc->buf, sc->at);
	sc->off += sc->at;
	sc->at = 0;
	if (buf_reserve(&sc->buf, want) == NULL)
		return err_set(e, ENOMEM, "out of memory");
	r = file_read_at(&io_os, sc->fd, sc->buf.data + keep, want, (off_t)(sc->off + keep), e);
	if (r < 0)
		return -1;
	sc->buf.len = keep + (size_t)r;
	sc->p = sc->buf.data;
	sc->n = sc->buf.len;
	return r > 0;
}

/*
 * No sound frame is at sc->at: go to the next one in this segment, or to its end.  The rest of an
 * active segment comes into memory for that; it is damaged, speed does not matter.
 */
static int pass_over(struct scan *sc, uint64_t last, struct damage *d, struct err *e)
{
	size_t from = sc->at, next;
	uint64_t until = sc->end < last ? sc->end : last;
	struct frame f;
	int r = sc->fd >= 0;

	while (r > 0) {
		r = refill(sc, sc->n - sc->at + SCAN_READ, e);
		from = sc->at;
	}
	if (r < 0)
		return -1;
	next = tail_next_sound(sc->p, sc->n, from, sc->seq - 1, sc->s->salt, &f);
	if (next < sc->n && f.seq - 1 < until)
		until = f.seq - 1;
	sc->at = next;
	if (next == sc->n)
		close_segment(sc);
	if (next < sc->n && f.seq == sc->seq)
		return damage(sc, sc->seq - 1, sc->off + from, next - from, d);
	return damage(sc, until, sc->off + from, next - from, d);
}

/*
 * What lies behind the last durable event may be cut and written anew: bytes of it that came into
 * the buffer are read again when their turn comes.
 */
static void forget_unsure(struct scan *sc, uint64_t last)
{
	uint64_t durable = evlog_durable(sc->s);

	sc->off += sc->at;
	sc->n = sc->at = 0;
	buf_clear(&sc->buf);
	sc->sure = durable > last ? durable : last;
}

static bool is_seal(const struct scan *sc, struct frame_seal *seal)
{
	return sc->at < sc->n && sc->p[sc->at] == '#' &&
	       frame_get_seal(sc->p + sc->at, sc->n - sc->at, sc->s->salt, seal) == FRAME_OK;
}

/* A seal ends the active segment only when it is no longer the active one. */
static bool has_successor(struct scan *sc)
{
	struct err ignored;

	return sc->fd < 0 || (store_refresh(sc->s, &ignored) == 0 && sc->s->log_base != sc->base);
}

/* The sound frame at sc->at: 1 it is the next one, 0 it is for a later call, 3 it was passed. */
static int take_frame(struct scan *sc, uint64_t last, const struct frame *f)
{
	/* Up to the end of this call there is nothing but what was removed. */
	if (f->seq > last) {
		sc->seq = last + 1;
		return 0;
	}
	sc->at += f->len;
	if (f->seq < sc->seq)
		return 3;
	sc->seq = f->seq + 1;
	return frame_is_event(f) || sc->stubs ? 1 : 3;
}

/* At the seal of a segment that has its successor; all its events were passed. */
static int end_segment(struct scan *sc, uint64_t last, const struct frame_seal *seal,
                       struct damage *d)
{
	uint64_t gap = sc->end < last ? sc->end : last;

	close_segment(sc);
	sc->ino = 0;
	if (sc->seq <= seal->last)
		sc->seq = seal->last + 1;
	/* A whole segment is missing between this one and the next that is there. */
	if (sc->end != UINT64_MAX && sc->end >= sc->seq)
		return damage(sc, gap, seal->bytes, 0, d);
	return 3;
}

/* One step: 1 a frame, 0 nothing yet, 2 damage, 3 look again, -1. */
static int step(struct scan *sc, uint64_t last, struct frame *f, struct damage *d, struct err *e)
{
	struct frame_seal seal;
	enum frame_result r;
	int more;

	if (!sc->open) {
		more = open_segment(sc, last, d, e);
		return more == 1 ? 3 : more;
	}
	if (sc->fd >= 0 && sc->seq > sc->sure)
		forget_unsure(sc, last);
	r = frame_parse(sc->p + sc->at, sc->n - sc->at, sc->s->salt, f);
	if (r == FRAME_OK && (f->seq <= sc->seq || (sc->gaps && f->seq <= sc->end)))
		return take_frame(sc, last, f);
	if (r == FRAME_SHORT && sc->fd >= 0) {
		more = refill(sc, f->len, e);
		if (more != 0)
			return more < 0 ? -1 : 3;
	}
	if (is_seal(sc, &seal) && (sc->gaps ? seal.last <= sc->end : seal.last == sc->seq - 1) &&
	    has_successor(sc))
		return end_segment(sc, last, &seal, d);
	/* Of a segment without its seal, all events may be there. */
	if (sc->end == sc->seq - 1 || (sc->gaps && sc->at + FRAME_SEAL_LEN == sc->n)) {
		sc->seq = sc->end + 1;
		close_segment(sc);
		return 3;
	}
	return pass_over(sc, last, d, e);
}

int scan_next(struct scan *sc, uint64_t last, struct frame *f, struct damage *d, struct err *e)
{
	int r = 3;

	while (r == 3)
		r = sc->seq > last ? 0 : step(sc, last, f, d, e);
	return r;
}
