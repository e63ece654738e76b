/*
 * repair: back to a store that can be written.
 *
 * A damaged segment is written anew beside the old one: sound lines byte for byte, a stub for
 * every event that is missing, head and seal where they are not right.  The file as it was goes to
 * lost/ first.  A stub keeps the names and pointers of an event whose header is sound; one of an
 * event that is wholly lost belongs to no stream ("-", which no stream can be called).
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/hash.h"
#include "evlog/admin.h"
#include "evlog/append.h"
#include "evlog/store_impl.h"

/* One segment on its way from old bytes to new. */
struct mend {
	struct evlog *s;
	struct buf out;
	uint64_t next;    /* the sequence that comes next */
	uint64_t time_ns; /* of the event before */
	uint64_t first_time_ns;
	uint64_t lost_from; /* a run of missing ones that is not yet reported; 0: none */
	uint64_t lines;     /* events and stubs in it */
	struct mapping old; /* the file as it was */
	bool foreign;       /* bytes that are no event since the last one */
	bool changed;
	char file[64];
	finding_fn *fn;
	void *arg;
};

static int report_lost(struct mend *m, struct err *e)
{
	struct finding f = {.kind = FINDING_DAMAGE};

	if (m->lost_from == 0)
		return 0;
	f.where.first = m->lost_from;
	f.where.last = m->next - 1;
	snprintf(f.where.file, sizeof(f.where.file), "%s", m->file);
	snprintf(f.text, sizeof(f.text),
	         "sequences %llu-%llu are lost; stubs stand in their places",
	         (unsigned long long)f.where.first, (unsigned long long)f.where.last);
	m->lost_from = 0;
	return m->fn(&f, m->arg, e);
}

/* A stub for m->next; `left` is what its header told, or NULL. */
static void put_stub(struct mend *m, const struct frame *left)
{
	struct frame f = {.kind = FRAME_STUB, .flag = FRAME_PLAIN, .last = true};
	char line[FRAME_FIXED + 3 * (FRAME_NAME_MAX + 1) + 5];
	int n;

	if (left != NULL) {
		f = *left;
		/* A deletion still is one without its data. */
		f.kind = left->kind == FRAME_DELETED ? FRAME_DELETED : FRAME_STUB;
		f.flag = FRAME_REDACTED;
		f.last = true;
		n = snprintf(line + FRAME_FIXED, sizeof(line) - FRAME_FIXED, "%.*s %.*s %.*s - -\n",
		             (int)f.stream.len, f.stream.p, (int)f.type.len, f.type.p,
		             (int)f.id.len, f.id.p);
	} else {
		f.data_crc = crc32c(0, "-", 1);
		f.time_ns = m->time_ns;
		n = snprintf(line + FRAME_FIXED, sizeof(line) - FRAME_FIXED, "- - - - -\n");
	}
	f.seq = m->next;
	f.len = (uint32_t)(FRAME_FIXED + n);
	frame_seal(line, f.len - 2, &f, m->s->salt);
	buf_add(&m->out, line, f.len);
	if (m->lost_from == 0)
		m->lost_from = m->next;
	m->next++;
	m->lines++;
	m->changed = true;
}

/* Up to a sequence nothing is there: stubs, unless it was removed without leaving a trace. */
static void fill_up(struct mend *m, uint64_t seq)
{
	if (m->old.gaps && !m->foreign && m->next < seq)
		m->next = seq;
	while (m->next < seq)
		put_stub(m, NULL);
	m->foreign = false;
}

/* The sound lines of the old file, with stubs between them; up to sequence `last`. */
static int copy_lines(struct mend *m, const char *p, size_t n, uint64_t last, struct err *e)
{
	size_t at = n < FRAME_HEAD_LEN ? n : FRAME_HEAD_LEN;
	struct frame f;

	while (at < n && m->next <= last) {
		enum frame_result r = frame_parse(p + at, n - at, m->s->salt, &f);
		bool whole = r == FRAME_OK ||
		             (r == FRAME_NO_LF && crc32c(0, f.data.p, f.data.len) == f.data_crc);

		if (whole && f.seq >= m->next && f.seq <= last) {
			fill_up(m, f.seq);
			if (report_lost(m, e) < 0)
				return -1;
			buf_add(&m->out, p + at, f.len - 1);
			buf_add_char(&m->out, '\n');
			m->changed |= r != FRAME_OK;
			m->time_ns = f.time_ns;
			if (m->first_time_ns == 0)
				m->first_time_ns = f.time_ns;
			m->next++;
			m->lines++;
			at += f.len;
			continue;
		}
		if (r != FRAME_OK &&
		    frame_parse_header(p + at, n - at, m->s->salt, &f) == FRAME_OK &&
		    (f.seq == m->next || (m->old.gaps && f.seq > m->next && f.seq <= last))) {
			fill_up(m, f.seq);
			put_stub(m, &f);
			at += f.len;
			continue;
		}
		m->changed = true;
		m->foreign = m->foreign || at + FRAME_SEAL_LEN != n;
		at = tail_next_sound(p, n, at + 1, m->next - 1, m->s->salt, &f);
	}
	fill_up(m, last + 1);
	return report_lost(m, e) < 0 ? -1 : buf_ok(&m->out, e);
}

/* The head, in the room that was left for it. */
static void put_head(struct mend *m, uint64_t base)
{
	struct frame_head h = {.base = base, .gone = m->next - base - m->lines};

	memcpy(h.uuid, m->s->uuid, sizeof(h.uuid));
	if (m->out.len >= FRAME_HEAD_LEN)
		frame_put_head(m->out.data, &h);
}

static void put_seal(struct mend *m, uint64_t base)
{
	struct frame_seal seal = {.first = base,
	                          .last = m->next - 1,
	                          .bytes = m->out.len + FRAME_SEAL_LEN,
	                          .time_min = m->first_time_ns,
	                          .time_max = m->time_ns,
	                          .gone = m->next - base - m->lines};
	struct frame_seal old;
	char line[FRAME_SEAL_LEN];

	/* The times of the first and the last event, which may have been removed. */
	if (m->old.gaps && m->old.size >= FRAME_SEAL_LEN &&
	    frame_get_seal(m->old.p + m->old.size - FRAME_SEAL_LEN, FRAME_SEAL_LEN, m->s->salt,
	                   &old) == FRAME_OK) {
		seal.time_min = old.time_min;
		seal.time_max = old.time_max;
	}
	frame_put_seal(line, &seal, m->s->salt);
	buf_add(&m->out, line, sizeof(line));
}

/* The whole file, malloc'ed into b; a missing file is an empty one. */
static int load_file(struct evlog *s, const char *name, struct buf *b, struct err *e)
{
	if (file_read(s->log_dir, name, EVLOG_SEGMENT_MAX + FRAME_MAX, b, e) == 0)
		return 0;
	return e->code == ENOENT ? 0 : -1;
}

/*
 * Mend one segment.  Sealed: its events go up to `last`; the active one: up to its last complete
 * commit, what follows is left to recovery.
 */
static int mend_segment(struct mend *m, uint64_t base, uint64_t last, bool sealed, struct err *e)
{
	static const char room[FRAME_HEAD_LEN];
	struct evlog *s = m->s;
	char name[SEGMENT_NAME_MAX];
	struct buf old = {0};
	int r = -1;

	m->next = base;
	m->first_time_ns = 0;
	m->lines = 0;
	m->foreign = m->changed = false;
	segment_name(name, base);
	snprintf(m->file, sizeof(m->file), "log/%s", name);
	buf_add(&m->out, room, sizeof(room));
	if (load_file(s, name, &old, e) < 0)
		goto out;
	m->old = (struct mapping){.p = old.data, .size = old.len};
	mapping_look(s, &m->old);
	if (copy_lines(m, old.data, old.len, last, e) < 0)
		goto out;
	/* More is missing than was removed on purpose, and nobody knows which. */
	if (m->old.gaps && m->next - base - m->lines > m->old.gone) {
		m->old.gaps = false;
		m->next = base;
		m->lines = 0;
		m->out.len = sizeof(room);
		if (copy_lines(m, old.data, old.len, last, e) < 0)
			goto out;
	}
	put_head(m, base);
	if (sealed)
		put_seal(m, base);
	if (buf_ok(&m->out, e) < 0)
		goto out;
	/* An active segment that is whole so far may have a torn tail: recovery cuts that. */
	if (!(old.len == m->out.len || (!sealed && old.len > m->out.len && !m->changed)) ||
	    memcmp(old.data, m->out.data, m->out.len) != 0) {
		if ((old.len > 0 && store_save_lost(s, base, 0, old.data, old.len, e) < 0) ||
		    file_replace(s->io, s->log_dir, name, m->out.data, m->out.len, s->mode, e) < 0)
			goto out;
	}
	r = 0;
out:
	buf_done(&old);
	buf_done(&m->out);
	return r;
}

/*
 * The last sequence of the active segment's last complete commit, damage or not.  One from which
 * events were removed is not the active one: there is nothing behind it.
 */
static uint64_t last_complete(struct evlog *s, uint64_t base, const struct buf *b, bool *ret_sealed)
{
	struct mapping m = {.p = b->data, .size = b->len};
	struct frame_seal seal;
	uint64_t last = base - 1;
	struct frame f;
	size_t at = tail_next_sound(b->data, b->len, 0, base - 1, s->salt, &f);

	mapping_look(s, &m);
	*ret_sealed = m.gaps;
	if (m.gaps && frame_get_seal(b->data + b->len - FRAME_SEAL_LEN, FRAME_SEAL_LEN, s->salt,
	                             &seal) == FRAME_OK)
		return seal.last;
	while (at < b->len) {
		if (f.last || m.gaps)
			last = f.seq;
		at = tail_next_sound(b->data, b->len, at + f.len, f.seq, s->salt, &f);
	}
	return last;
}

static int mend_log(struct evlog *s, finding_fn *fn, void *arg, struct err *e)
{
	struct mend m = {.s = s, .fn = fn, .arg = arg};
	uint64_t *base = NULL;
	ssize_t n = segment_bases(s->log_dir, &base, e);
	char name[SEGMENT_NAME_MAX];
	struct buf b = {0};
	bool sealed = false;
	uint64_t last;
	int r = n < 0 ? -1 : 0;

	/* Events before the first segment that is there, if its predecessors are gone. */
	if (n > 0 && base[0] > 1)
		r = mend_segment(&m, 1, base[0] - 1, true, e);
	for (ssize_t i = 0; r == 0 && i + 1 < n; i++)
		r = mend_segment(&m, base[i], base[i + 1] - 1, true, e);
	if (r == 0 && n > 0) {
		segment_name(name, base[n - 1]);
		r = load_file(s, name, &b, e);
		last = r == 0 ? last_complete(s, base[n - 1], &b, &sealed) : 0;
		if (r == 0)
			r = mend_segment(&m, base[n - 1], last, sealed, e);
	}
	buf_done(&b);
	free(base);
	return r;
}

/* What was written but not durable when a sync failed was never acknowledged: away with it. */
static int cut_undecided(struct evlog *s, finding_fn *fn, void *arg, struct err *e)
{
	struct ctl *c = s->ctl;
	struct finding f = {.kind = FINDING_TORN};
	uint64_t durable = ctl_get(&c->durable);
	char name[SEGMENT_NAME_MAX];
	struct buf b = {0};
	struct frame fr;
	size_t at;
	int fd, r = -1;

	if (durable + 1 < ctl_get(&c->base))
		return 0;
	segment_name(name, ctl_get(&c->base));
	fd = file_open(s->io, s->log_dir, name, O_RDWR, 0, e);
	if (fd < 0 || load_file(s, name, &b, e) < 0)
		goto out;
	at = tail_next_sound(b.data, b.len, 0, durable, s->salt, &fr);
	if (at < b.len) {
		if (store_save_lost(s, ctl_get(&c->base), at, b.data + at, b.len - at, e) < 0)
			goto out;
		if (s->io->ftruncate(fd, (off_t)at) < 0) {
			err_sys(e, "cut 'log/%s'", name);
			goto out;
		}
		__atomic_add_fetch(&c->epoch, 1, __ATOMIC_ACQ_REL);
		f.where.offset = at;
		f.where.bytes = b.len - at;
		f.where.first = durable + 1;
		f.where.last = ctl_get(&c->written);
		snprintf(f.where.file, sizeof(f.where.file), "log/%s", name);
		snprintf(f.text, sizeof(f.text),
		         "written and never acknowledged before the failed sync; cut");
		if (fn(&f, arg, e) < 0)
			goto out;
	}
	if (s->io->fsync(fd) < 0) {
		err_sys(e, "sync 'log/%s': the disk still fails", name);
		goto out;
	}
	r = 0;
out:
	buf_done(&b);
	file_close(s->io, fd);
	return r;
}

static int lift_poison(struct evlog *s, struct err *e)
{
	if (s->io->unlinkat(s->dir, POISON_NAME) < 0 && errno != ENOENT)
		return err_sys(e, "remove '" POISON_NAME "'");
	if (file_sync_dir(s->io, s->dir, e) < 0)
		return -1;
	ctl_set32(&s->ctl->poison, 0);
	return 0;
}

/* Losses in lost/record are taken as known: they move to lost/record.known. */
static int know_losses(struct evlog *s, struct err *e)
{
	struct buf b = {0};
	int r;

	if (faccessat(s->lost_dir, "record", F_OK, 0) < 0)
		return 0;
	r = file_read(s->lost_dir, "record.known", 1u << 20, &b, e);
	if (r < 0 && e->code == ENOENT)
		r = 0;
	if (r == 0)
		r = file_read(s->lost_dir, "record", 1u << 20, &b, e);
	if (r == 0)
		r = file_replace(s->io, s->lost_dir, "record.known", b.data, b.len, s->mode, e);
	if (r == 0 && s->io->unlinkat(s->lost_dir, "record") < 0)
		r = err_sys(e, "remove 'lost/record'");
	buf_done(&b);
	return r < 0 ? -1 : file_sync_dir(s->io, s->lost_dir, e);
}

static int remove_index(struct evlog *s, struct err *e)
{
	struct buf names = {0};
	int r = store_list(s->index_dir, &names, e);

	for (size_t at = 0; r == 0 && at < names.len; at += strlen(names.data + at) + 1)
		if (s->io->unlinkat(s->index_dir, names.data + at) < 0 && errno != ENOENT)
			r = err_sys(e, "remove 'index/%s'", names.data + at);
	buf_done(&names);
	index_drop(s);
	segments_drop(s);
	active_close(&s->active);
	return r;
}

/* Take the writer lock in whatever state the store is. */
static int lock_as_it_is(struct evlog *s, struct err *e)
{
	if (!s->writable || s->ctl_private)
		return err_set(e, EVLOG_READ_ONLY, "the store cannot be written by this user");
	if (file_lock(s->lock, LOCK_WRITER, FILE_LOCK_EXCLUSIVE, s->lock_timeout_ms, e) < 0)
		return err_wrap(e, "wait for other writers");
	s->locked = true;
	/* Nobody may go on to merge runs of a log that is changed meanwhile. */
	if (file_lock(s->lock, LOCK_MAINTAIN, FILE_LOCK_EXCLUSIVE, -1, e) < 0) {
		store_unlock(s);
		return -1;
	}
	s->maintaining = true;
	return 0;
}

static void unlock_as_it_is(struct evlog *s)
{
	s->maintaining = false;
	file_unlock(s->lock, LOCK_MAINTAIN);
	store_unlock(s);
}

static int reindex_locked(struct evlog *s, struct err *e)
{
	if (remove_index(s, e) < 0 || store_recover(s, e) < 0)
		return -1;
	if (index_load(s, RUN_HEADS, e) < 0 || index_load(s, RUN_IDS, e) < 0)
		return -1;
	s->merge_due = true;
	return 0;
}

int evlog_reindex(struct evlog *s, struct err *e)
{
	int r = lock_as_it_is(s, e);

	if (r < 0)
		return -1;
	r = reindex_locked(s, e);
	unlock_as_it_is(s);
	return r < 0 ? -1 : evlog_maintain(s, e);
}

int evlog_repair(struct evlog *s, finding_fn *fn, void *arg, struct err *e)
{
	int r = -1;

	if (s->writable && compact_lock(s, e) < 0)
		return -1;
	r = lock_as_it_is(s, e);
	if (r < 0) {
		compact_unlock(s);
		return -1;
	}
	if (ctl_get32(&s->ctl->poison) != 0)
		r = cut_undecided(s, fn, arg, e);
	if (r == 0)
		r = lift_poison(s, e);
	if (r == 0)
		r = mend_log(s, fn, arg, e);
	if (r == 0)
		r = evlog_each_lost(s, fn, arg, e);
	if (r == 0)
		r = know_losses(s, e);
	if (r == 0) {
		ctl_set32(&s->ctl->damaged, 0);
		r = reindex_locked(s, e);
	}
	__atomic_add_fetch(&s->ctl->log_gen, 1, __ATOMIC_ACQ_REL);
	unlock_as_it_is(s);
	compact_unlock(s);
	return r < 0 ? -1 : evlog_maintain(s, e);
}
