/*
 * roll: the active segment is full; seal it and begin the next.  Under the writer lock.
 *
 * Order: the seal and everything before it is durable before the next segment exists, so a segment
 * that has a successor is complete, and a gap in it is damage, never a torn tail.  The new
 * segment is durable, with its name, before ctl leads anybody to it.
 */
#include <errno.h>
#include <string.h>

#include "evlog/store_impl.h"

static int write_seal(struct evlog *s, struct err *e)
{
	struct ctl *c = s->ctl;
	struct frame_seal seal = {.first = s->log_base,
	                          .last = c->written,
	                          .bytes = c->size + FRAME_SEAL_LEN,
	                          .time_max = c->time_ns};
	char line[FRAME_SEAL_LEN];
	struct frame f;

	if (store_frame(s, s->log_base, &f, e) < 0)
		return -1;
	seal.time_min = f.time_ns;
	frame_put_seal(line, &seal, s->salt);
	if (file_write_all(s->io, s->log_fd, line, sizeof(line), (off_t)c->size, e) < 0)
		return -1;
	/* Gives back the blocks that were allocated ahead. */
	if (s->io->ftruncate(s->log_fd, (off_t)seal.bytes) < 0)
		return err_sys(e, "cut the sealed segment to its length");
	if (s->io->fdatasync(s->log_fd) < 0) {
		err_set(e, EVLOG_POISONED,
		        "sync of a full segment: %s: writers stop; check the disk, "
		        "then 'evlog repair'",
		        strerror(errno));
		sync_poison(s, errno);
		return -1;
	}
	return 0;
}

int store_roll(struct evlog *s, struct err *e)
{
	struct ctl *c = s->ctl;
	uint64_t last = c->written;
	struct err ignored;

	ctl_set32(&c->dirty, 1);
	if (write_seal(s, e) < 0)
		return -1;
	if (ctl_get(&c->durable) < last)
		ctl_set(&c->durable, last);
	if (segment_create(s, last + 1, e) < 0)
		return -1;
	/* Without these files the index is made anew when it is next needed. */
	(void)index_seal(s, last, &ignored);
	active_close(&s->active);
	/* The next segment will hold about as many events as this one. */
	if (active_create(&s->active, s->index_dir, s->mode, last + 1,
	                  (uint32_t)(last + 1 - s->log_base), e) < 0)
		return -1;
	active_set_seq(&s->active, last);
	ctl_set(&c->size, FRAME_HEAD_LEN);
	ctl_set(&c->allocated, FRAME_HEAD_LEN);
	ctl_set(&c->base, last + 1);
	__atomic_add_fetch(&c->active_gen, 1, __ATOMIC_ACQ_REL);
	__atomic_add_fetch(&c->index_gen, 1, __ATOMIC_ACQ_REL);
	s->active.gen = ctl_get32(&c->active_gen);
	if (store_refresh(s, e) < 0 || store_stamp(s, e) < 0)
		return -1;
	ctl_set32(&c->dirty, 0);
	__atomic_add_fetch(&c->rolls, 1, __ATOMIC_RELAXED);
	s->merge_due = true;
	return 0;
}
