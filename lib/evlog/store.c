/* store: make, open, close; the writer lock and the state it finds. */
#include "evlog/store.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/text.h"
#include "evlog/store_impl.h"
#include "os/clock.h"

#define SETTLE_TRIES  2000 /* of a millisecond, for a process that may not take the lock */
/* Address space for the active segment: it may exceed its nominal size by one commit. */
#define LOG_MAP_SLACK ((size_t)FRAME_MAX + (256u << 20))

void store_note(struct evlog *s, const char *fmt, ...)
{
	char line[512];
	va_list ap;
	int n;

	if (s->ret_note == NULL)
		return;
	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	buf_add(s->ret_note, line, n < (int)sizeof(line) ? (size_t)n : sizeof(line) - 1);
	buf_add_char(s->ret_note, '\n');
}

static bool ctl_is_ours(const struct evlog *s, const struct ctl *c)
{
	return memcmp(c->magic, CTL_MAGIC, sizeof(c->magic)) == 0 && c->version == CTL_VERSION &&
	       memcmp(c->uuid, s->uuid, sizeof(c->uuid)) == 0 &&
	       memcmp(c->boot_id, s->boot_id, sizeof(c->boot_id)) == 0;
}

static uint64_t mtime_ns(const struct stat *st)
{
	return (uint64_t)st->st_mtim.tv_sec * 1000000000u + (uint64_t)st->st_mtim.tv_nsec;
}

int store_stamp(struct evlog *s, struct err *e)
{
	struct stat st;

	if (fstat(s->log_fd, &st) < 0)
		return err_sys(e, "look at the active segment");
	ctl_set(&s->ctl->ino, st.st_ino);
	ctl_set(&s->ctl->mtime_ns, mtime_ns(&st));
	return 0;
}

/* Whether nobody but us has touched the file since the last stamp. */
bool store_stamp_holds(const struct evlog *s)
{
	struct stat st;

	return fstat(s->log_fd, &st) == 0 && st.st_ino == ctl_get(&s->ctl->ino) &&
	       (uint64_t)st.st_size == ctl_get(&s->ctl->size) &&
	       mtime_ns(&st) == ctl_get(&s->ctl->mtime_ns);
}

int store_open_log(struct evlog *s, uint64_t base, struct err *e)
{
	char name[SEGMENT_NAME_MAX];
	int fd;

	segment_name(name, base);
	fd = file_open(s->io, s->log_dir, name, s->writable ? O_RDWR : O_RDONLY, 0, e);
	if (fd < 0)
		return -1;
	if (s->log_map != NULL)
		munmap((void *)(uintptr_t)s->log_map, s->log_map_size);
	s->log_map = NULL;
	file_close(s->io, s->log_fd);
	s->log_fd = fd;
	s->log_base = base;
	s->last.seq = 0;
	s->segments_loaded = false;
	/* Runs that were loaded for another base leave out the segments since. */
	s->runs_loaded[RUN_HEADS] = s->runs_loaded[RUN_IDS] = false;
	return 0;
}

static bool follows(const struct evlog *s, uint64_t base, uint32_t gen)
{
	return s->active.map != NULL && s->active.base == base && s->active.gen == gen;
}

/* Open what ctl leads to now.  EBADMSG or ENOENT: log and tables do not fit it. */
static int follow_ctl(struct evlog *s, struct err *e)
{
	uint64_t base = ctl_get(&s->ctl->base);
	uint32_t gen = ctl_get32(&s->ctl->active_gen);

	if (base == s->log_base && follows(s, base, gen))
		return 0;
	/* Also for new tables of the same base: repair may have put another file in its place. */
	if (store_open_log(s, base, e) < 0)
		return -1;
	if (follows(s, base, gen))
		return 0;
	active_close(&s->active);
	if (active_open(&s->active, s->index_dir, s->writable, base, e) < 0)
		return -1;
	s->active.gen = gen;
	return 0;
}

static int settle(struct evlog *s, struct err *e);

int store_follow(struct evlog *s, struct err *e)
{
	for (int tries = 0; follow_ctl(s, e) < 0; tries++) {
		/* A process that rolls renames the tables a moment before it says so in ctl. */
		if (s->locked || tries == SETTLE_TRIES)
			return -1;
		if (s->writable && !s->no_recover)
			return settle(s, e);
		usleep(1000);
	}
	return 0;
}

int store_refresh(struct evlog *s, struct err *e)
{
	segments_check(s);
	return store_follow(s, e);
}

static bool state_holds(struct evlog *s)
{
	struct err ignored;

	return ctl_is_ours(s, s->ctl) && ctl_get32(&s->ctl->dirty) == 0 &&
	       follow_ctl(s, &ignored) == 0 &&
	       active_seq(&s->active) == ctl_get(&s->ctl->written) && store_stamp_holds(s);
}

int store_map_log(struct evlog *s, struct err *e)
{
	size_t size = (size_t)s->segment_size + LOG_MAP_SLACK;
	void *map;

	if (s->log_map != NULL)
		return 0;
	map = mmap(NULL, size, PROT_READ, MAP_SHARED, s->log_fd, 0);
	if (map == MAP_FAILED)
		return err_sys(e, "map the active segment");
	s->log_map = map;
	s->log_map_size = size;
	return 0;
}

static int check_writers_may(struct evlog *s, struct err *e)
{
	if (ctl_get32(&s->ctl->poison) != 0)
		return err_set(
		    e, EVLOG_POISONED,
		    "a sync failed (%s): writers stop; check the disk, then 'evlog repair'",
		    strerror((int)ctl_get32(&s->ctl->poison)));
	if (ctl_get32(&s->ctl->damaged) != 0)
		return err_set(
		    e, EVLOG_DAMAGED,
		    "the log is damaged, writers stop: 'evlog verify' says where, 'evlog "
		    "repair' mends; nothing was written");
	return 0;
}

/* Under the lock nobody is at work: what does not fit now was left so by a process that died. */
static int settle(struct evlog *s, struct err *e)
{
	int r;

	if (file_lock(s->lock, LOCK_WRITER, FILE_LOCK_EXCLUSIVE, s->lock_timeout_ms, e) < 0)
		return err_wrap(e, "wait for other writers");
	s->locked = true;
	r = state_holds(s) ? 0 : store_recover(s, e);
	store_unlock(s);
	return r;
}

static int wait_for_writers(struct evlog *s, struct err *e)
{
	int64_t left = s->lock_timeout_ms;

	if (s->stop == NULL)
		return file_lock(s->lock, LOCK_WRITER, FILE_LOCK_EXCLUSIVE, left, e);
	for (;;) {
		int64_t slice = left < 0 || left > STORE_SLICE_MS ? STORE_SLICE_MS : left;

		if (file_lock(s->lock, LOCK_WRITER, FILE_LOCK_EXCLUSIVE, slice, e) == 0)
			return 0;
		if (e->code != ETIMEDOUT || left == slice)
			return -1;
		if (s->stop(s->stop_arg))
			return err_set(e, EINTR, "stopped by a signal");
		left -= left < 0 ? 0 : slice;
	}
}

int store_lock(struct evlog *s, struct err *e)
{
	if (s->writable && s->ctl_private && s->why_private.code != 0) {
		*e = s->why_private;
		return -1;
	}
	if (!s->writable || s->ctl_private)
		return err_set(e, EVLOG_READ_ONLY,
		               "the store cannot be written by this user or in its "
		               "present state");
	if (wait_for_writers(s, e) < 0)
		return err_wrap(e, "wait for other writers");
	s->locked = true;
	segments_check(s);
	if ((state_holds(s) || store_recover(s, e) == 0) && check_writers_may(s, e) == 0 &&
	    store_map_log(s, e) == 0)
		return 0;
	store_unlock(s);
	return -1;
}

void store_unlock(struct evlog *s)
{
	s->locked = false;
	s->last.seq = 0; /* others may cut and write now */
	file_unlock(s->lock, LOCK_WRITER);
}

/* The shared page: 1 mapped, 0 there is none for us, -1. */
static int map_ctl(struct evlog *s, struct err *e)
{
	int flags = s->writable && !s->no_recover ? O_RDWR | O_CREAT : O_RDONLY;
	int prot = flags == O_RDONLY ? PROT_READ : PROT_READ | PROT_WRITE;
	struct stat st;
	void *map;
	/* Past the I/O table: disposable, and written through its mapping. */
	int fd = openat(s->dir, CTL_NAME, flags | O_CLOEXEC, s->mode);

	if (fd < 0)
		return errno == ENOENT || errno == EACCES ? 0 : err_sys(e, "open 'ctl'");
	if (fstat(fd, &st) == 0 && st.st_size != CTL_SIZE && prot != PROT_READ) {
		(void)fchmod(fd, s->mode);
		if (fallocate(fd, 0, 0, CTL_SIZE) == 0 ||
		    (errno == EOPNOTSUPP && ftruncate(fd, CTL_SIZE) == 0))
			st.st_size = CTL_SIZE;
		else
			err_sys(&s->why_private, "make 'ctl'");
	}
	map = st.st_size == CTL_SIZE ? mmap(NULL, CTL_SIZE, prot, MAP_SHARED, fd, 0) : MAP_FAILED;
	close(fd);
	if (map == MAP_FAILED)
		return 0;
	s->ctl = map;
	return 1;
}

static int go_private(struct evlog *s, struct err *e)
{
	struct ctl *shared = s->ctl;
	struct ctl *mine = calloc(1, CTL_SIZE);

	if (mine == NULL)
		return err_set(e, ENOMEM, "out of memory");
	if (shared != NULL) {
		memcpy(mine, shared, sizeof(*mine));
		munmap(shared, CTL_SIZE);
	}
	s->ctl = mine;
	s->ctl_private = true;
	return store_recover_private(s, e);
}

/*
 * For one who changes nothing: a writer at work leaves the state out of order for a moment, so
 * look again, with the lock when it can be had; then make do with our own memory.
 */
static int look_only(struct evlog *s, struct err *e)
{
	struct err ignored;
	bool fits;
	int r;

	if (!s->writable) {
		for (int tries = 0; ctl_is_ours(s, s->ctl) && tries < SETTLE_TRIES; tries++) {
			if (state_holds(s))
				return 0;
			usleep(1000);
		}
		return go_private(s, e);
	}
	if (file_lock(s->lock, LOCK_WRITER, FILE_LOCK_EXCLUSIVE, s->lock_timeout_ms, e) < 0)
		return err_wrap(e, "wait for other writers");
	s->locked = true;
	fits = ctl_is_ours(s, s->ctl) && ctl_get32(&s->ctl->dirty) == 0 &&
	       follow_ctl(s, &ignored) == 0 && store_stamp_holds(s);
	r = fits ? 0 : go_private(s, e);
	store_unlock(s);
	return r;
}

/* ctl and active tables that fit the log: as they are, by recovery, or in our own memory. */
static int bring_in_order(struct evlog *s, struct err *e)
{
	int r = map_ctl(s, e);

	if (r < 0)
		return -1;
	if (r == 0)
		return go_private(s, e);
	if (state_holds(s))
		return 0;
	if (!s->writable || s->no_recover)
		return look_only(s, e);
	r = settle(s, e);
	if (r == 0)
		return 0;
	s->why_private = *e; /* a writer is told; a reader has all it needs in its own memory */
	return go_private(s, e);
}

static int open_dirs(struct evlog *s, struct err *e)
{
	s->log_dir = store_subdir(s, "log", false, e);
	if (s->log_dir < 0)
		return -1;
	/* index/ and lost/ hold nothing that a reader must have. */
	s->index_dir = store_subdir(s, "index", s->writable, e);
	s->lost_dir = store_subdir(s, "lost", s->writable, e);
	return s->writable && (s->index_dir < 0 || s->lost_dir < 0) ? -1 : 0;
}

static int open_lock(struct evlog *s, struct err *e)
{
	s->lock = openat(s->dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC, s->mode);
	s->writable = s->lock >= 0 && faccessat(s->dir, "log", W_OK, AT_EACCESS) == 0;
	if (s->lock < 0)
		s->lock = openat(s->dir, "lock", O_RDONLY | O_CLOEXEC);
	if (s->lock < 0 && errno != ENOENT && errno != EACCES)
		return err_sys(e, "open 'lock'");
	return 0;
}

static int open_store(struct evlog *s, const char *path, struct err *e)
{
	struct format f;
	const char *remote;
	char *full = realpath(path, NULL);
	int r;

	if (full == NULL)
		return err_set(e, errno == ENOENT || errno == ENOTDIR ? EVLOG_NO_STORE : errno,
		               "open store: %s", strerror(errno));
	s->path = full;
	s->dir = file_open_dir(s->io, AT_FDCWD, full, e);
	if (s->dir < 0)
		return -1;
	remote = file_remote_type(s->dir);
	if (remote != NULL)
		return err_set(e, EVLOG_FOREIGN, STORE_REMOTE, remote);
	if (format_read(s->dir, &f, e) < 0)
		return -1;
	memcpy(s->uuid, f.uuid, sizeof(s->uuid));
	s->salt = frame_salt(s->uuid);
	s->segment_size = f.segment_size;
	s->mode = f.shared ? 0660 : 0600;
	r = open_lock(s, e);
	if (r == 0)
		r = open_dirs(s, e);
	if (r == 0)
		r = clock_boot_id(s->boot_id, e);
	return r == 0 ? bring_in_order(s, e) : -1;
}

struct evlog *evlog_open(const char *path, const struct evlog_config *cfg, struct buf *ret_note,
                         struct err *e)
{
	struct evlog *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		err_set(e, ENOMEM, "out of memory");
		return NULL;
	}
	s->io = cfg->io != NULL ? cfg->io : &io_os;
	s->dir = s->log_dir = s->index_dir = s->lost_dir = s->lock = s->log_fd = -1;
	s->lock_timeout_ms = cfg->lock_timeout_ms;
	s->no_recover = cfg->no_recover;
	s->now_ns = cfg->now_ns;
	s->key_mask = UINT64_MAX;
	s->ret_note = ret_note;
	if (open_store(s, path, e) < 0) {
		err_wrap(e, "'%s'", path);
		evlog_close(s);
		return NULL;
	}
	s->ret_note = NULL;
	s->epoch = ctl_get32(&s->ctl->epoch);
	return s;
}

void evlog_close(struct evlog *s)
{
	if (s == NULL)
		return;
	segments_drop(s);
	index_drop(s);
	active_close(&s->active);
	if (s->log_map != NULL)
		munmap((void *)(uintptr_t)s->log_map, s->log_map_size);
	if (s->ctl_private)
		free(s->ctl);
	else if (s->ctl != NULL)
		munmap(s->ctl, CTL_SIZE);
	file_close(s->io, s->log_fd);
	file_close(s->io, s->lock);
	file_close(s->io, s->lost_dir);
	file_close(s->io, s->index_dir);
	file_close(s->io, s->log_dir);
	file_close(s->io, s->dir);
	rules_drop(&s->rules);
	buf_done(&s->copy.bytes);
	buf_done(&s->frame);
	free(s->path);
	free(s);
}

void evlog_set_time(struct evlog *s, int64_t now_ns)
{
	s->now_ns = now_ns;
}

void evlog_set_stop(struct evlog *s, evlog_stop_fn *stop, void *arg)
{
	s->stop = stop;
	s->stop_arg = arg;
}

const unsigned char *evlog_uuid(const struct evlog *s)
{
	return s->uuid;
}

const char *evlog_path(const struct evlog *s)
{
	return s->path;
}

const char *evlog_name(const struct evlog *s)
{
	return strrchr(s->path, '/') + 1;
}
