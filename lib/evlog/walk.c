/*
 * walk: what the bytes of the active segment are: sound commits, a torn tail, or damage.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "evlog/walk_impl.h"

#define SECTOR     512u
#define WALK_TRIES 8 /* of one who does not hold the lock, while others write */

bool tail_has_hole(const char *p, size_t from, size_t to)
{
	while (from < to) {
		size_t end = (from / SECTOR + 1) * SECTOR;
		size_t i = from;

		if (end > to)
			return false;
		while (i < end && p[i] == '\0')
			i++;
		if (i == end)
			return true;
		from = end;
	}
	return false;
}

size_t tail_next_sound(const char *p, size_t n, size_t from, uint64_t seq, uint32_t salt,
                       struct frame *f)
{
	while (from < n) {
		const char *lf;

		enum frame_result r = frame_parse(p + from, n - from, salt, f);

		if (r == FRAME_OK && f->seq > seq)
			return from;
		if (r == FRAME_NO_LF) {
			from += f->len;
			continue;
		}
		lf = memchr(p + from, '\n', n - from);
		if (lf == NULL)
			break;
		from = (size_t)(lf - p) + 1;
	}
	return n;
}

/* Does any sound frame from `at` on know that `seq` was durable when it was written? */
static bool was_durable(const struct walk *w, size_t at, uint64_t seq, uint32_t salt)
{
	struct frame f;

	while ((at = tail_next_sound(w->p, w->n, at, seq, salt, &f)) < w->n) {
		if (f.lag < FRAME_LAG_MAX && f.seq - 1 - f.lag >= seq)
			return true;
		at += f.len;
	}
	return false;
}

static int keep_offset(struct walk *w, size_t at, struct err *e)
{
	if (w->count == w->cap) {
		size_t cap = w->cap == 0 ? 1024 : w->cap * 2;
		uint64_t *v = reallocarray(w->at, cap, sizeof(*v));

		if (v == NULL)
			return err_set(e, ENOMEM, "out of memory");
		w->at = v;
		w->cap = cap;
	}
	w->at[w->count++] = at;
	return 0;
}

static void note_damage(struct walk *w, size_t at, size_t next, uint64_t first, uint64_t last)
{
	char name[SEGMENT_NAME_MAX];

	if (w->damaged)
		return;
	w->damaged = true;
	segment_name(name, w->base);
	w->where = (struct damage){.offset = at, .bytes = next - at, .first = first, .last = last};
	snprintf(w->where.file, sizeof(w->where.file), "log/%s", name);
}

/*
 * Walk over the segment; w->end and w->last tell where sound and complete commits end.  Offsets
 * of frames behind them are dropped again.
 */
static int walk_segment(struct walk *w, uint32_t salt, struct err *e)
{
	size_t at = FRAME_HEAD_LEN, commit_count = 0, next;
	uint64_t expect = w->base;
	struct frame_seal seal;
	struct frame f;

	w->end = at;
	w->last = w->base - 1;
	while (at < w->n) {
		if (w->p[at] == '#' &&
		    frame_get_seal(w->p + at, w->n - at, salt, &seal) == FRAME_OK && at == w->end &&
		    at + FRAME_SEAL_LEN == w->n) {
			w->sealed = true;
			w->end = w->n;
			if (w->gaps && seal.last > w->last)
				w->last = seal.last;
			break;
		}
		next = at;
		if (frame_parse(w->p + at, w->n - at, salt, &f) != FRAME_OK ||
		    (w->gaps ? f.seq < expect : f.seq != expect)) {
			next = tail_next_sound(w->p, w->n, at, expect - 1, salt, &f);
			if (next == w->n)
				break; /* torn */
			if (!w->damaged && !was_durable(w, next, expect, salt) &&
			    tail_has_hole(w->p, w->end, next))
				break; /* torn in several sectors */
			note_damage(w, at, next, expect, f.seq - 1);
		}
		if (keep_offset(w, next, e) < 0)
			return -1;
		at = next + f.len;
		expect = f.seq + 1;
		w->time_ns = f.time_ns;
		/* Where events were removed, the last one of a commit may be among them. */
		if (f.last || w->gaps) {
			w->end = at;
			w->last = f.seq;
			commit_count = w->count;
		}
	}
	w->count = commit_count;
	/*
	 * Only sealed segments lose events on purpose, so one of these has lost its end.  And no
	 * store seals one that reaches so far.
	 */
	if ((w->gaps && !w->sealed) || (w->sealed && w->last + 1 - w->base > ACTIVE_EVENTS_MAX)) {
		w->sealed = false;
		note_damage(w, w->end, w->n, w->last + 1, w->last);
	}
	return 0;
}

/*
 * The bytes of the file.  Whoever does not hold the lock has them in memory of its own, for a
 * writer that brings the file in order may cut it, and a mapping faults there.
 */
static int map_bytes(struct evlog *s, int fd, size_t size, struct walk *w, struct err *e)
{
	int prot = s->locked ? PROT_READ : PROT_READ | PROT_WRITE;
	int flags = s->locked ? MAP_PRIVATE : MAP_PRIVATE | MAP_ANONYMOUS;
	ssize_t n = (ssize_t)size;
	void *p;

	if (size == 0)
		return 0;
	p = mmap(NULL, size, prot, flags, s->locked ? fd : -1, 0);
	if (p == MAP_FAILED)
		return err_sys(e, "map the active segment");
	w->p = p;
	w->mapped = size;
	if (!s->locked)
		n = file_read_at(s->io, fd, p, size, 0, e);
	if (n < 0)
		return err_wrap(e, "the active segment");
	w->n = (size_t)n;
	return 0;
}

static int walk_once(struct evlog *s, const struct stat *st, int fd, struct walk *w, struct err *e)
{
	char name[SEGMENT_NAME_MAX];
	struct frame_head h;
	struct mapping m;

	if (map_bytes(s, fd, (size_t)st->st_size, w, e) < 0)
		return -1;
	m = (struct mapping){.p = w->p, .size = w->n};
	mapping_look(s, &m);
	w->gaps = m.gaps;
	if (w->n < FRAME_HEAD_LEN || !frame_get_head(w->p, w->n, &h)) {
		note_damage(w, 0, w->n < FRAME_HEAD_LEN ? w->n : FRAME_HEAD_LEN, w->base,
		            w->base - 1);
	} else if (h.base != w->base || memcmp(h.uuid, s->uuid, sizeof(h.uuid)) != 0) {
		/* Not for repair to make stubs of: it is somebody's log. */
		segment_name(name, w->base);
		return err_set(e, EVLOG_DAMAGED, "'log/%s' is no segment of this store", name);
	}
	return walk_segment(w, s->salt, e);
}

/* What was cut and written anew while it was read looks like damage. */
static bool may_have_moved(const struct evlog *s, const struct stat *then, int fd)
{
	struct stat now;

	return !s->locked && fstat(fd, &now) == 0 &&
	       (now.st_size != then->st_size || now.st_mtim.tv_sec != then->st_mtim.tv_sec ||
	        now.st_mtim.tv_nsec != then->st_mtim.tv_nsec);
}

int walk_file(struct evlog *s, int fd, uint64_t base, struct walk *w, struct err *e)
{
	struct stat st;

	for (int tries = 0;; tries++) {
		memset(w, 0, sizeof(*w));
		w->base = base;
		if (fstat(fd, &st) < 0)
			return err_sys(e, "look at the active segment");
		if (walk_once(s, &st, fd, w, e) < 0)
			return -1;
		if (!w->damaged || tries == WALK_TRIES || !may_have_moved(s, &st, fd))
			return 0;
		walk_done(w);
	}
}

void walk_done(struct walk *w)
{
	if (w->mapped > 0)
		munmap((void *)(uintptr_t)w->p, w->mapped);
	free(w->at);
	w->at = NULL;
}
