/*
 * compact: segments are written anew without what is hidden.
 *
 * A new segment is complete and durable under another name before it takes the place of the old
 * one by rename(), under the writer lock, so that no append relies on a removal that a power loss
 * may undo.  Segments are done from the oldest to the newest, and each is durable before the next
 * one is begun: of a stream there is never a newer event missing while an older one is there.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evlog/append.h"
#include "evlog/compact_impl.h"

#define TEMP_SUFFIX ".new"
#define WRITE_MIN   (1u << 20) /* bytes that are written at once */

int compact_lock(struct evlog *s, struct err *e)
{
	if (file_lock(s->lock, LOCK_COMPACT, FILE_LOCK_EXCLUSIVE, s->lock_timeout_ms, e) < 0)
		return err_wrap(e, "wait for another one who replaces segments");
	s->compacting = true;
	return 0;
}

void compact_unlock(struct evlog *s)
{
	s->compacting = false;
	file_unlock(s->lock, LOCK_COMPACT);
}

/* A segment on its way from old bytes to new. */
struct rewrite {
	struct evlog *s;
	const struct plan *plan;
	const struct segment *g;
	const struct mapping *m; /* the old file */
	struct frame_seal seal;
	uint32_t *offset; /* of the new file, by sequence */
	int fd;
	struct buf out;
	uint64_t at; /* where out goes */
	uint64_t kept, removed, removed_bytes;
};

static int flush(struct rewrite *w, struct err *e)
{
	if (buf_ok(&w->out, e) < 0 ||
	    file_write_all(w->s->io, w->fd, w->out.data, w->out.len, (off_t)w->at, e) < 0)
		return -1;
	w->at += w->out.len;
	buf_clear(&w->out);
	return 0;
}

static int keep(struct rewrite *w, const char *line, const struct frame *f, struct err *e)
{
	w->offset[f->seq - w->g->base] = (uint32_t)(w->at + w->out.len);
	buf_add(&w->out, line, f->len);
	w->kept++;
	return w->out.len >= WRITE_MIN ? flush(w, e) : 0;
}

/* All lines of the old file; one that is not sound must not be lost as if it had been removed. */
static int copy_lines(struct rewrite *w, struct err *e)
{
	const struct segment *g = w->g;
	const struct mapping *m = w->m;
	size_t end = m->size - FRAME_SEAL_LEN;
	uint64_t next = g->base;
	struct frame f;

	for (size_t at = FRAME_HEAD_LEN; at < end; at += f.len) {
		if (frame_parse(m->p + at, end - at, w->s->salt, &f) != FRAME_OK || f.seq < next ||
		    f.seq > g->last)
			return segment_is_damaged(w->s, g, e);
		next = f.seq + 1;
		if (plan_takes(w->plan, &f)) {
			w->removed++;
			w->removed_bytes += f.len;
		} else if (keep(w, m->p + at, &f, e) < 0) {
			return -1;
		}
	}
	if (w->kept + w->removed + m->gone != g->last - g->base + 1)
		return segment_is_damaged(w->s, g, e);
	return 0;
}

static int write_new(struct rewrite *w, struct err *e)
{
	static const char room[FRAME_HEAD_LEN];
	struct frame_head head = {.base = w->g->base};
	char line[FRAME_SEAL_LEN], first[FRAME_HEAD_LEN];

	buf_add(&w->out, room, sizeof(room));
	if (copy_lines(w, e) < 0)
		return -1;
	w->seal.gone = head.gone = w->m->gone + w->removed;
	w->seal.bytes = w->at + w->out.len + FRAME_SEAL_LEN;
	frame_put_seal(line, &w->seal, w->s->salt);
	buf_add(&w->out, line, sizeof(line));
	memcpy(head.uuid, w->s->uuid, sizeof(head.uuid));
	frame_put_head(first, &head);
	if (flush(w, e) < 0 || file_write_all(w->s->io, w->fd, first, sizeof(first), 0, e) < 0)
		return -1;
	return w->s->io->fsync(w->fd) < 0 ? err_sys(e, "sync the new segment") : 0;
}

/*
 * Under the writer lock: an id that is gone may be written again from here on.  Offsets that are
 * not there are made anew by a walk.
 */
static int exchange(struct rewrite *w, const char *temp, const char *name, struct err *e)
{
	struct evlog *s = w->s;
	const struct segment *g = w->g;
	struct err ignored;
	int r;

	if (store_lock(s, e) < 0)
		return -1;
	if (s->io->renameat(s->log_dir, temp, s->log_dir, name) < 0)
		r = err_sys(e, "rename 'log/%s'", temp);
	else
		r = file_sync_dir(s->io, s->log_dir, e);
	if (r == 0)
		(void)segment_write_offsets(s, g->base, w->offset, (size_t)(g->last - g->base + 1),
		                            w->seal.bytes, w->seal.gone, &ignored);
	__atomic_add_fetch(&s->ctl->log_gen, 1, __ATOMIC_ACQ_REL);
	store_unlock(s);
	return r;
}

static int rewrite(struct rewrite *w, struct err *e)
{
	struct evlog *s = w->s;
	char name[SEGMENT_NAME_MAX], temp[SEGMENT_NAME_MAX + sizeof(TEMP_SUFFIX)];
	int r;

	segment_name(name, w->g->base);
	snprintf(temp, sizeof(temp), "%s" TEMP_SUFFIX, name);
	w->offset = calloc((size_t)(w->g->last - w->g->base + 1), sizeof(*w->offset));
	if (w->offset == NULL)
		return err_set(e, ENOMEM, "out of memory");
	w->fd = file_open_new(s->io, s->log_dir, temp, s->mode, e);
	if (w->fd < 0)
		return -1;
	r = write_new(w, e);
	file_close(s->io, w->fd);
	if (r == 0 && w->removed > 0)
		r = exchange(w, temp, name, e);
	if (r < 0 || w->removed == 0)
		(void)s->io->unlinkat(s->log_dir, temp);
	return r;
}

/* Write a segment anew without what the plan takes; *part gets what went. */
static int shrink_segment(const struct plan *p, struct compact_part *part, struct err *e)
{
	struct evlog *s = p->s;
	struct rewrite w = {.s = s, .plan = p};
	struct segment *g;
	struct mapping *m;
	int r;

	if (store_refresh(s, e) < 0 || (!s->segments_loaded && segments_load(s, e) < 0))
		return -1;
	g = segment_of(s, part->base);
	if (g == NULL || g->base != part->base)
		return err_set(e, EVLOG_DAMAGED, "damaged: '%s' is missing", part->file);
	if (segment_map(s, g, e) < 0)
		return -1;
	m = g->map;
	if (m->size < FRAME_HEAD_LEN + FRAME_SEAL_LEN || m->gaps != (m->gone > 0) ||
	    frame_get_seal(m->p + m->size - FRAME_SEAL_LEN, FRAME_SEAL_LEN, s->salt, &w.seal) !=
	        FRAME_OK)
		return segment_is_damaged(s, g, e);
	m->refs++;
	/* The list of segments may move meanwhile. */
	const struct segment own = {.base = g->base, .last = g->last, .map = m};
	w.g = &own;
	w.m = m;
	r = rewrite(&w, e);
	part->events = r == 0 ? w.removed : 0;
	part->bytes = r == 0 ? w.removed_bytes : 0;
	mapping_free(m);
	free(w.offset);
	buf_done(&w.out);
	segments_check(s);
	return r;
}

/* What goes from the active segment goes when it is no longer that. */
static int seal_active(const struct plan *p, struct err *e)
{
	struct evlog *s = p->s;
	int r = store_lock(s, e);

	if (r < 0)
		return -1;
	if (s->log_base == p->parts[p->part_count - 1].base)
		r = store_roll(s, e);
	store_unlock(s);
	return r;
}

/* A rest of one who was killed: no one else is at work. */
static void remove_rests(const struct evlog *s)
{
	struct buf names = {0};
	struct err ignored;

	if (store_list(s->log_dir, &names, &ignored) == 0)
		for (size_t at = 0; at < names.len; at += strlen(names.data + at) + 1)
			if (strstr(names.data + at, ".evl" TEMP_SUFFIX) != NULL)
				(void)s->io->unlinkat(s->log_dir, names.data + at);
	buf_done(&names);
}

static int do_part(struct plan *p, size_t i, bool dry_run, const struct compact_hooks *hooks,
                   struct compact_total *total, struct err *e)
{
	struct compact_part *part = &p->parts[i];

	if (part->events == 0)
		return 0;
	if (!dry_run && i + 1 == p->part_count && seal_active(p, e) < 0)
		return -1;
	if (!dry_run && shrink_segment(p, part, e) < 0)
		return err_wrap(e, "compact '%s'", part->file);
	if (part->events == 0)
		return 0;
	total->events += part->events;
	total->bytes += part->bytes;
	total->segments++;
	return hooks->part != NULL ? hooks->part(part, hooks->arg, e) : 0;
}

static int run(struct evlog *s, bool dry_run, bool force, const struct compact_hooks *hooks,
               struct compact_total *total, struct err *e)
{
	struct plan p;
	int r = plan_make(&p, s, force, e);

	for (size_t i = 0; r == 0 && hooks->held != NULL && i < p.holder_count; i++)
		if (p.holders[i].held.events > 0)
			r = hooks->held(&p.holders[i].held, hooks->arg, e);
	for (size_t i = 0; r == 0 && i < p.part_count; i++)
		r = do_part(&p, i, dry_run, hooks, total, e);
	plan_done(&p);
	return r;
}

int evlog_compact(struct evlog *s, bool dry_run, bool force, const struct compact_hooks *hooks,
                  struct compact_total *ret, struct err *e)
{
	int r;

	*ret = (struct compact_total){0};
	if (dry_run)
		return run(s, true, force, hooks, ret, e);
	/* In order, and with no damage that is known: before anything is looked at. */
	if (store_lock(s, e) < 0)
		return -1;
	store_unlock(s);
	if (compact_lock(s, e) < 0)
		return -1;
	remove_rests(s);
	r = run(s, false, force, hooks, ret, e);
	compact_unlock(s);
	return r == 0 ? evlog_maintain(s, e) : -1;
}
