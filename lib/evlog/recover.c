/*
 * recover: from the log to a ctl page and active tables that fit it.  Under the writer lock, or
 * in this process' own memory for one that may not write.
 *
 * The log alone decides (evlog-format(5), RECOVERY).  At the first place b that is no sound frame,
 * or begins a commit that is not complete:
 *	no sound frame follows                         a torn tail: cut
 *	one follows that was written after the         damage: stop writers
 *	  missing one had become durable (its lag)
 *	none does, and the gap holds a hole of zeros   a torn write of several sectors: cut
 *	  as only a sector leaves that was not written
 *	otherwise                                      damage
 * What ctl of the same boot knows about durability only serves to name what was lost.
 */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "evlog/store_impl.h"
#include "evlog/walk_impl.h"

#define ATTACH_TRIES 64
#define LOST_NOTE    "lost: sequences %llu-%llu had been acknowledged and are not in the log"

int store_save_lost(struct evlog *s, uint64_t base, size_t offset, const char *p, size_t n,
                    struct err *e)
{
	char name[64];
	int fd = -1;

	for (unsigned i = 0; fd < 0; i++) {
		snprintf(name, sizeof(name), "%016llx-%08zx.%u", (unsigned long long)base, offset,
		         i);
		fd = file_open(s->io, s->lost_dir, name, O_WRONLY | O_CREAT | O_EXCL, s->mode, e);
		if (fd < 0 && e->code != EEXIST)
			return -1;
	}
	if (file_write_all(s->io, fd, p, n, 0, e) < 0) {
		file_close(s->io, fd);
		return -1;
	}
	if (s->io->fsync(fd) < 0) {
		err_sys(e, "sync 'lost/%s'", name);
		file_close(s->io, fd);
		return -1;
	}
	file_close(s->io, fd);
	store_note(s, "kept %zu cut bytes as lost/%s", n, name);
	return file_sync_dir(s->io, s->lost_dir, e);
}

/* The sequences that were acknowledged in this boot and are gone. */
static int record_loss(struct evlog *s, uint64_t first, uint64_t last, struct err *e)
{
	static const char why[] = "missing at the end of the log";
	struct buf b = {0};
	int r = 0;

	if (file_read(s->lost_dir, "record", 1u << 20, &b, e) < 0 && e->code != ENOENT)
		r = -1;
	buf_printf(&b, "{\"first\":\"%llu\",\"last\":\"%llu\",\"why\":\"%s\"}\n",
	           (unsigned long long)first, (unsigned long long)last, why);
	if (r == 0 && (r = buf_ok(&b, e)) == 0)
		r = file_replace(s->io, s->lost_dir, "record", b.data, b.len, s->mode, e);
	buf_done(&b);
	store_note(s, LOST_NOTE, (unsigned long long)first, (unsigned long long)last);
	return r;
}

static bool is_zero(const char *p, size_t n)
{
	return n == 0 || (p[0] == '\0' && memcmp(p, p + 1, n - 1) == 0);
}

static int cut_tail(struct evlog *s, const struct walk *w, int fd, struct err *e)
{
	size_t n = w->n - w->end;

	if (n == 0)
		return 0;
	if (!is_zero(w->p + w->end, n)) {
		store_note(
		    s, "cut a torn tail of %zu bytes behind sequence %llu: a write was cut short",
		    n, (unsigned long long)w->last);
		if (store_save_lost(s, w->base, w->end, w->p + w->end, n, e) < 0)
			return -1;
	}
	if (s->io->ftruncate(fd, (off_t)w->end) < 0)
		return err_sys(e, "cut the torn tail");
	return 0;
}

/* Tables of the active segment; dir < 0: in our own memory. */
static int build_tables(struct evlog *s, const struct walk *w, int dir, struct err *e)
{
	uint64_t span = w->last - w->base + 1;
	struct frame f;

	active_close(&s->active);
	if (span > ACTIVE_EVENTS_MAX)
		return err_set(e, EVLOG_DAMAGED, "sequences jump by %llu in the active segment",
		               (unsigned long long)span);
	if (active_create(&s->active, dir, s->mode, w->base, (uint32_t)span + 1, e) < 0)
		return -1;
	for (size_t i = 0; i < w->count; i++) {
		if (frame_parse_header(w->p + w->at[i], w->n - w->at[i], s->salt, &f) != FRAME_OK)
			return err_set(e, EIO, "the log changed while it was read");
		s->active.offset[f.seq - w->base] = (uint32_t)w->at[i];
		if (index_add(s, &s->active, &f, e) < 0 && e->code != EVLOG_READ_ONLY &&
		    (s->writable || e->code != EBADMSG))
			return -1;
	}
	active_set_seq(&s->active, w->last);
	/* Not before they are complete: who follows ctl keeps what it has opened. */
	s->active.gen = __atomic_add_fetch(&s->ctl->active_gen, 1, __ATOMIC_ACQ_REL);
	return 0;
}

/*
 * Sets w->poison and w->durable.  The file may be missing when the disk that failed to sync did not
 * take it either; then ctl of this boot knows.
 */
static void read_poison(const struct evlog *s, struct walk *w, bool same_boot)
{
	uint32_t code = same_boot ? ctl_get32(&s->ctl->poison) : 0;
	uint64_t durable = same_boot ? ctl_get(&s->ctl->durable) : UINT64_MAX;
	struct buf b = {0};
	struct err ignored;
	const char *at;

	if (file_read(s->dir, POISON_NAME, 4096, &b, &ignored) == 0) {
		buf_add_char(&b, '\0');
		code = b.failed ? EIO : (uint32_t)strtoul(b.data, NULL, 10);
		code = code == 0 || code > 4095 ? EIO : code;
		at = b.failed ? NULL : strstr(b.data, "\ndurable ");
		if (at != NULL && !same_boot)
			durable = strtoull(at + 9, NULL, 10);
	}
	buf_done(&b);
	w->poison = code;
	/* What a failed sync left undecided is not durable, whatever the log holds. */
	w->durable = code != 0 && durable < w->last ? durable : w->last;
}

/* All but durable, dirty and the magic: what the walk says. */
static void fill_ctl(struct evlog *s, const struct walk *w)
{
	struct ctl *c = s->ctl;

	memcpy(c->uuid, s->uuid, sizeof(c->uuid));
	memcpy(c->boot_id, s->boot_id, sizeof(c->boot_id));
	c->version = CTL_VERSION;
	ctl_set(&c->base, w->base);
	ctl_set(&c->written, w->last);
	ctl_set(&c->size, w->end);
	ctl_set(&c->allocated, w->end);
	if (c->time_ns < w->time_ns)
		ctl_set(&c->time_ns, w->time_ns);
	ctl_set32(&c->poison, w->poison);
	if (w->damaged)
		ctl_set32(&c->damaged, 1);
	__atomic_add_fetch(&c->index_gen, 1, __ATOMIC_ACQ_REL);
}

static bool is_temporary(const char *name)
{
	size_t n = strlen(name);

	return (n > 4 && strcmp(name + n - 4, ".new") == 0) || strstr(name, ".tmp.") != NULL;
}

/*
 * What a crash left beside the segments, and index files of a future that did not come.  A
 * temporary file that is being made belongs to whoever holds `lock`.
 */
static void sweep(struct evlog *s, int dir, uint64_t base, enum store_lock lock)
{
	bool held = lock == LOCK_COMPACT ? s->compacting : s->maintaining;
	struct err ignored;
	struct dirent *d;
	int fd = file_open_dir(&io_os, dir, ".", &ignored);
	DIR *list = fd < 0 ? NULL : fdopendir(fd);
	bool mine = !held && file_try_lock(s->lock, lock, FILE_LOCK_EXCLUSIVE, &ignored) > 0;

	if (list == NULL)
		goto out;
	while ((d = readdir(list)) != NULL) {
		enum run_family family;
		uint64_t first, last;

		if (strstr(d->d_name, ".evl.tmp.") != NULL || (mine && is_temporary(d->d_name)) ||
		    (run_parse_name(d->d_name, &family, &first, &last) && last >= base))
			(void)s->io->unlinkat(dir, d->d_name);
	}
	closedir(list);
out:
	if (mine)
		file_unlock(s->lock, lock);
}

/* The newest segment's base; a log without any gets its first. */
static int newest_base(struct evlog *s, bool create, uint64_t *ret, struct err *e)
{
	uint64_t *base = NULL;
	ssize_t n = segment_bases(s->log_dir, &base, e);

	if (n < 0)
		return -1;
	*ret = n > 0 ? base[n - 1] : 1;
	free(base);
	return n == 0 && create ? segment_create(s, 1, e) : 0;
}

/* Make the file what the walk found, and durable.  A sealed segment gets its successor. */
static int settle(struct evlog *s, struct walk *w, int fd, struct err *e)
{
	if (!w->damaged && cut_tail(s, w, fd, e) < 0)
		return -1;
	if (w->poison == 0 && s->io->fdatasync(fd) < 0) {
		err_set(e, EVLOG_POISONED, "sync of the log: %s", strerror(errno));
		sync_poison(s, errno);
		return -1;
	}
	if (!w->sealed)
		return 0;
	if (segment_create(s, w->last + 1, e) < 0)
		return -1;
	*w = (struct walk){.p = w->p,
	                   .n = w->n,
	                   .mapped = w->mapped,
	                   .at = w->at,
	                   .base = w->last + 1,
	                   .last = w->last,
	                   .end = FRAME_HEAD_LEN,
	                   .time_ns = w->time_ns,
	                   .damaged = w->damaged,
	                   .where = w->where,
	                   .poison = w->poison,
	                   .durable = w->durable};
	return 0;
}

/* Open the segment and build its tables; the index of the older ones has to be there first. */
static int attach(struct evlog *s, const struct walk *w, int index_dir, struct err *e)
{
	if (store_open_log(s, w->base, e) < 0)
		return -1;
	/* EBADMSG: a run was bad and is thrown away. */
	for (int tries = 0;; tries++) {
		if (index_load(s, RUN_HEADS, e) < 0 && e->code != EVLOG_READ_ONLY &&
		    e->code != EVLOG_DAMAGED)
			return -1;
		if (build_tables(s, w, index_dir, e) == 0)
			return 0;
		if (e->code != EBADMSG || tries == ATTACH_TRIES)
			return -1;
	}
}

/* An empty segment has no last time to go on from: the one before it has. */
static void take_time_of_seal(struct evlog *s, const struct walk *w)
{
	struct frame_seal seal;
	struct segment *g;
	struct err ignored;

	if (w->count > 0 || w->base == 1 || segments_load(s, &ignored) < 0)
		return;
	g = segment_of(s, w->base - 1);
	if (g != NULL && segment_map(s, g, &ignored) == 0 && g->map->size > FRAME_SEAL_LEN &&
	    frame_get_seal(g->map->p + g->map->size - FRAME_SEAL_LEN, FRAME_SEAL_LEN, s->salt,
	                   &seal) == FRAME_OK &&
	    s->ctl->time_ns < seal.time_max)
		ctl_set(&s->ctl->time_ns, seal.time_max);
}

static void note_walk_damage(struct evlog *s, const struct walk *w)
{
	if (w->damaged)
		store_note(
		    s, "damaged: %s offset %llu: sequences %llu-%llu are missing; 'evlog repair'",
		    w->where.file, (unsigned long long)w->where.offset,
		    (unsigned long long)w->where.first, (unsigned long long)w->where.last);
}

int store_recover(struct evlog *s, struct err *e)
{
	struct ctl *c = s->ctl;
	bool known = memcmp(c->magic, CTL_MAGIC, 8) == 0 && memcmp(c->uuid, s->uuid, 16) == 0;
	bool same_boot = known && memcmp(c->boot_id, s->boot_id, 16) == 0;
	uint64_t had = same_boot ? ctl_get(&c->durable) : 0;
	char name[SEGMENT_NAME_MAX];
	struct walk w = {0};
	uint64_t base;
	int fd = -1, r = -1;

	assert(s->locked);
	if (!known)
		memset(c, 0, sizeof(*c));
	ctl_set32(&c->dirty, 1);
	if (newest_base(s, true, &base, e) < 0)
		return -1;
	/* The process that made the names we see may have died before it synced them. */
	if (file_sync_dir(s->io, s->log_dir, e) < 0 ||
	    (!same_boot && file_sync_dir(s->io, s->dir, e) < 0))
		return -1;
	sweep(s, s->log_dir, base, LOCK_COMPACT);
	sweep(s, s->index_dir, base, LOCK_MAINTAIN);
	segment_name(name, base);
	fd = file_open(s->io, s->log_dir, name, O_RDWR, 0, e);
	if (fd < 0 || walk_file(s, fd, base, &w, e) < 0)
		goto out;
	read_poison(s, &w, same_boot);
	if (settle(s, &w, fd, e) < 0 || (had > w.last && record_loss(s, w.last + 1, had, e) < 0))
		goto out;
	fill_ctl(s, &w);
	if (attach(s, &w, s->index_dir, e) < 0 || store_stamp(s, e) < 0)
		goto out;
	take_time_of_seal(s, &w);
	ctl_set(&c->durable, w.durable);
	memcpy(c->magic, CTL_MAGIC, 8);
	ctl_set32(&c->dirty, 0);
	note_walk_damage(s, &w);
	r = 0;
out:
	file_close(s->io, fd);
	walk_done(&w);
	return r;
}

/* For a process that may not write: the same answers, nothing on disk is touched. */
int store_recover_private(struct evlog *s, struct err *e)
{
	struct ctl *c = s->ctl;
	bool same_boot = memcmp(c->magic, CTL_MAGIC, 8) == 0 && memcmp(c->uuid, s->uuid, 16) == 0 &&
	                 memcmp(c->boot_id, s->boot_id, 16) == 0;
	uint64_t had = ctl_get(&c->durable);
	char name[SEGMENT_NAME_MAX];
	struct walk w = {0};
	uint64_t base;
	int fd, r = -1;

	if (newest_base(s, false, &base, e) < 0)
		return -1;
	segment_name(name, base);
	fd = file_open(s->io, s->log_dir, name, O_RDONLY, 0, e);
	if (fd < 0)
		return -1;
	if (walk_file(s, fd, base, &w, e) < 0)
		goto out;
	read_poison(s, &w, same_boot);
	if (!same_boot)
		memset(c, 0, sizeof(*c));
	fill_ctl(s, &w);
	if (attach(s, &w, -1, e) < 0)
		goto out;
	if (w.end < w.n && !w.sealed && !w.damaged)
		store_note(s,
		           "a torn tail of %zu bytes behind sequence %llu: the next writer cuts it",
		           w.n - w.end, (unsigned long long)w.last);
	if (same_boot && had > w.last) {
		s->lost_first = w.last + 1;
		s->lost_last = had;
		store_note(s, LOST_NOTE, (unsigned long long)s->lost_first,
		           (unsigned long long)s->lost_last);
	}
	ctl_set(&c->durable, same_boot && had < w.durable ? had : w.durable);
	note_walk_damage(s, &w);
	r = 0;
out:
	file_close(s->io, fd);
	walk_done(&w);
	return r;
}
