/*
 * recover: makes a log of what survey.c found.  Nothing is changed before all of it is judged.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wal/wal_impl.h"

/* A line for people. */
static void __attribute__((format(printf, 2, 3))) say(struct buf *note, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	if (note == NULL)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	buf_add_str(note, text);
	buf_add_char(note, '\n');
}

/* --- a new log --- */

/* What may be there of segment 1 is a head that was never synced: nothing was promised. */
static int create(struct wal *w, uint32_t salt, bool rest, struct err *e)
{
	char name[WAL_NAME_MAX];

	wal_segment_name(name, 1);
	if (rest && w->io->unlinkat(w->dir, name) < 0)
		return err_sys(e, "remove '%s'", name);
	w->first = 1;
	w->chain = (struct wal_chain){.salt = salt, .seq = 1};
	if (wal_ready_next(w, w->segment_size, e) < 0)
		return -1;
	w->fd = w->next_fd;
	w->next_fd = -1;
	w->number = 1;
	wal_begin_segment(w, (struct wal_segment){.number = 1, .size = w->next_size});
	return wal_write_and_sync(w, e);
}

/* --- a log that is there --- */

static int sync_segment(struct wal *w, int fd, uint64_t number, struct err *e)
{
	char name[WAL_NAME_MAX];

	if (w->io->fdatasync(fd) == 0)
		return 0;
	wal_segment_name(name, number);
	return err_sys(e, "sync segment '%s'", name);
}

/*
 * The newest segment: what no record vouches for is written once more, as it may be in memory only,
 * marked clean by a sync that failed; and the torn tail becomes zeros, on disk, before anything is
 * written behind the cut, or a piece of it could be taken for a later record.
 */
static int repair_newest(struct wal *w, const struct survey *v, struct err *e)
{
	char name[WAL_NAME_MAX];

	wal_segment_name(name, v->newest);
	w->fd = file_open(w->io, w->dir, name, O_RDWR, 0, e);
	if (w->fd < 0)
		return -1;
	if (file_write_all(w->io, w->fd, v->file.data + v->unsure, v->end - v->unsure,
	                   (off_t)v->unsure, e) < 0 ||
	    wal_zero(w->io, w->fd, v->end, v->end + v->tail, e) < 0)
		return err_wrap(e, "repair '%s'", name);
	return sync_segment(w, w->fd, v->newest, e);
}

/* A segment that holds nothing is made to hold zeros, and is the next one to be used. */
static int adopt_next(struct wal *w, const struct survey *v, uint64_t number, struct err *e)
{
	struct buf b = {0};
	int r;

	if (v->numbers[v->count - 1] < number)
		return 0;
	r = survey_load(w, number, &b, &w->next_fd, e);
	if (r == 0) {
		w->next_size = b.len;
		w->next_made = b.len;
		r = wal_zero(w->io, w->next_fd, 0, survey_used(b.data, b.len), e);
	}
	buf_done(&b);
	return r < 0 ? -1 : sync_segment(w, w->next_fd, number, e);
}

/* The newest segment is sealed: the one behind it, which has no sound head, begins. */
static int go_on_behind_seal(struct wal *w, const struct survey *v, struct err *e)
{
	if (adopt_next(w, v, v->newest + 1, e) < 0)
		return -1;
	if (w->next_size < w->segment_size) {
		if (wal_zero(w->io, w->next_fd, w->next_size, w->segment_size, e) < 0)
			return err_wrap(e, "make a segment");
		w->next_size = w->segment_size;
	}
	file_close(w->io, w->fd);
	w->fd = w->next_fd;
	w->next_fd = -1;
	w->live = w->n_segments;
	w->number = v->newest + 1;
	w->at = 0;
	wal_begin_segment(
	    w, (struct wal_segment){.number = w->number, .size = w->next_size, .begin = w->last});
	return adopt_next(w, v, v->newest + 2, e);
}

static int repair(struct wal *w, const struct survey *v, struct err *e)
{
	w->first = v->first;
	w->chain = v->chain;
	w->content = v->content;
	w->written = v->chain.seq - 1;
	w->vouched = v->vouched;
	w->live = w->n_segments - 1;
	w->number = v->newest;
	w->at = v->end;
	w->fill = v->end;
	if (repair_newest(w, v, e) < 0)
		return -1;
	atomic_store(&w->durable, w->written);
	return v->sealed ? go_on_behind_seal(w, v, e) : adopt_next(w, v, v->newest + 1, e);
}

/*
 * A crash may come between the commit of a snapshot and the record that the log begins behind it;
 * and a leader may have applied entries that are not yet on its own disk.
 */
static void reconcile(struct wal *w, struct survey *v, struct wal_recovered *ret, struct buf *note)
{
	struct raft_point snapshot = v->snapshot.at;
	uint64_t term;

	if (snapshot.index > w->last.index ||
	    (snapshot.index > w->base.index &&
	     replay_term(&v->replay, snapshot.index) != snapshot.term)) {
		say(note,
		    "emptied the log, which ends at entry %llu of term %llu, for the "
		    "snapshot at entry %llu of term %llu",
		    (unsigned long long)w->last.index, (unsigned long long)w->last.term,
		    (unsigned long long)snapshot.index, (unsigned long long)snapshot.term);
		replay_clear(&v->replay);
		wal_reset(w, snapshot);
		ret->dropped = true;
	}
	w->snapshot = snapshot;
	term = w->last.term > snapshot.term ? w->last.term : snapshot.term;
	if (w->term < term) {
		say(note, "took term %llu from the log: the hard state was of term %llu",
		    (unsigned long long)term, (unsigned long long)w->term);
		wal_hard(w, term, 0);
	}
}

/* What a crash kept wal_compact() from removing. */
static int remove_leftovers(struct wal *w, const struct survey *v, struct buf *note, struct err *e)
{
	for (size_t i = 0; i < v->count && v->numbers[i] < v->first; i++) {
		char name[WAL_NAME_MAX];

		wal_segment_name(name, v->numbers[i]);
		if (w->io->unlinkat(w->dir, name) < 0 && errno != ENOENT)
			return err_sys(e, "remove '%s'", name);
		say(note, "removed segment '%s', which is not needed", name);
	}
	return 0;
}

static int go_on(struct wal *w, struct survey *v, struct wal_recovered *ret, struct buf *note,
                 struct err *e)
{
	char name[WAL_NAME_MAX];

	ret->cut_bytes = v->tail + v->foul;
	wal_segment_name(name, v->newest);
	if (ret->cut_bytes > 0)
		say(note, "cut a torn tail of %llu bytes at offset %zu of '%s'",
		    (unsigned long long)ret->cut_bytes, v->end, name);
	/* Names that a process left without a sync count from now on. */
	if (file_sync_dir(w->io, w->dir, e) < 0 || repair(w, v, e) < 0)
		return -1;
	reconcile(w, v, ret, note);
	if (wal_write_and_sync(w, e) < 0)
		return -1;
	return remove_leftovers(w, v, note, e);
}

int wal_recover(struct wal *w, uint32_t salt, struct wal_recovered *ret, struct buf *note,
                struct err *e)
{
	struct snapfile_place where = {w->io, w->dir, w->cluster, w->mode};
	struct survey v = {0};
	int r = survey_make(&v, w, note, e);

	if (r == 0)
		r = v.fresh ? create(w, salt, v.count > 0, e) : go_on(w, &v, ret, note, e);
	if (r == 0)
		r = snapfile_sweep(&where, v.snapshot.at.index, e);
	if (r == 0) {
		ret->fresh = v.fresh;
		ret->term = w->term;
		ret->vote = w->vote;
		ret->base = w->base;
		ret->snapshot = v.snapshot;
		r = replay_finish(&v.replay, (struct span){v.conf.data, v.conf.len}, ret, e);
	}
	survey_done(&v);
	return r;
}
