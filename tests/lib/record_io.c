/* record_io: the table that does each call and notes it. */
#include "record_io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "record_model.h"

/* The calls of the table have no argument for a context, so the state is the process's. */
static struct record_io *current;

static const struct io *base(void)
{
	return current == NULL ? &io_os : current->base;
}

static bool is_idle(void)
{
	return current == NULL || current->busy;
}

/* Before a call that will be noted; the error number is the caller's. */
static struct record_io *before_call(void)
{
	int saved = errno;

	record_scan_mapped(current);
	errno = saved;
	return current;
}

static size_t find_fd(const struct record_io *r, int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 ? RECORD_NONE : record_find_node(r, &st);
}

static void note_open(struct record_io *r, int fd, int dir, const char *path, int flags,
                      const struct stat *before)
{
	const char *name;
	size_t up = record_find_dir(r, dir, path, &name);
	struct stat st;
	size_t node;

	if (up == RECORD_NONE || fstat(fd, &st) < 0)
		return;
	if (before == NULL) {
		record_add_enter(r, record_add_node(r, &st), up, name, "openat");
		return;
	}
	node = record_find_node(r, &st);
	if ((flags & O_TRUNC) != 0 && before->st_size > 0 && node != RECORD_NONE)
		record_add_size(r, node, 0, record_describe(r, "openat", node, " O_TRUNC"));
}

static int recording_openat(int dir, const char *name, int flags, mode_t mode)
{
	struct record_io *r;
	struct stat st;
	bool existed;
	int fd;

	if (is_idle() || (flags & (O_CREAT | O_TRUNC)) == 0)
		return base()->openat(dir, name, flags, mode);
	r = before_call();
	existed = fstatat(dir, name, &st, 0) == 0;
	fd = r->base->openat(dir, name, flags, mode);
	if (fd >= 0)
		note_open(r, fd, dir, name, flags, existed ? &st : NULL);
	return fd;
}

static ssize_t recording_pwrite(int fd, const void *p, size_t n, off_t at)
{
	struct record_io *r;
	struct stat st;
	size_t node;
	ssize_t done;
	char more[64];

	if (is_idle())
		return base()->pwrite(fd, p, n, at);
	r = before_call();
	done = r->base->pwrite(fd, p, n, at);
	if (done <= 0 || fstat(fd, &st) < 0 || (node = record_find_node(r, &st)) == RECORD_NONE)
		return done;
	if ((fcntl(fd, F_GETFL) & O_APPEND) != 0)
		at = st.st_size - done; /* Linux appends whatever the offset (pwrite(2), BUGS) */
	snprintf(more, sizeof(more), " %zd at %lld", done, (long long)at);
	record_add_write(r, node, p, (size_t)done, (size_t)at,
	                 record_describe(r, "pwrite", node, more));
	return done;
}

static int recording_ftruncate(int fd, off_t size)
{
	struct record_io *r;
	struct stat st;
	size_t node;
	char more[64];
	bool known;

	if (is_idle())
		return base()->ftruncate(fd, size);
	r = before_call();
	known = fstat(fd, &st) == 0;
	if (r->base->ftruncate(fd, size) < 0)
		return -1;
	node = known && st.st_size != size ? record_find_node(r, &st) : RECORD_NONE;
	snprintf(more, sizeof(more), " from %lld to %lld", (long long)st.st_size, (long long)size);
	if (node != RECORD_NONE)
		record_add_size(r, node, (size_t)size, record_describe(r, "ftruncate", node, more));
	return 0;
}

static int recording_fallocate(int fd, int mode, off_t at, off_t size)
{
	const int zeroing = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE;
	struct record_io *r;
	struct stat before;
	struct stat st;
	size_t node;

	if (is_idle() || mode == FALLOC_FL_KEEP_SIZE || fstat(fd, &before) < 0)
		return base()->fallocate(fd, mode, at, size);
	r = before_call();
	if (r->base->fallocate(fd, mode, at, size) < 0)
		return -1;
	if (fstat(fd, &st) < 0 || (node = record_find_node(r, &st)) == RECORD_NONE)
		return 0;
	if ((mode & ~(zeroing | FALLOC_FL_KEEP_SIZE)) != 0)
		record_cannot_tell(r, "fallocate", r->nodes[node].name,
		                   "this mode is not recorded");
	if (st.st_size > before.st_size)
		record_add_size(r, node, (size_t)st.st_size,
		                record_describe(r, "fallocate", node, ""));
	if (at + size > st.st_size)
		size = at > st.st_size ? 0 : st.st_size - at;
	if ((mode & zeroing) != 0 && size > 0)
		record_add_write(r, node, NULL, (size_t)size, (size_t)at,
		                 record_describe(r, "fallocate", node, " of zeros"));
	return 0;
}

static int sync_call(int (*call)(int fd), const char *name, int fd)
{
	struct record_io *r = before_call();
	int result = call(fd);
	int saved = errno;
	size_t node = find_fd(r, fd);

	if (node != RECORD_NONE)
		record_add_sync(r, node, name, result);
	errno = saved;
	return result;
}

static int recording_fdatasync(int fd)
{
	if (is_idle())
		return base()->fdatasync(fd);
	return sync_call(current->base->fdatasync, "fdatasync", fd);
}

static int recording_fsync(int fd)
{
	if (is_idle())
		return base()->fsync(fd);
	return sync_call(current->base->fsync, "fsync", fd);
}

static void note_rename(struct record_io *r, size_t node, size_t target, int from_dir,
                        const char *from, int to_dir, const char *to)
{
	const char *name;
	const char *to_name;
	size_t dir = record_find_dir(r, from_dir, from, &name);
	size_t other = record_find_dir(r, to_dir, to, &to_name);

	if (dir == RECORD_NONE && other == RECORD_NONE)
		return;
	if (dir == RECORD_NONE || other == RECORD_NONE || node == RECORD_NONE) {
		record_cannot_tell(r, "renameat", from, "it comes from, or goes to, the outside");
		return;
	}
	record_add_rename(r, node, dir, name, other, to_name, target);
}

static int recording_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	struct record_io *r;
	struct stat st;
	struct stat to_st;
	size_t node;
	size_t target;

	if (is_idle() || fstatat(from_dir, from, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return base()->renameat(from_dir, from, to_dir, to);
	r = before_call();
	node = record_find_node(r, &st);
	target = fstatat(to_dir, to, &to_st, AT_SYMLINK_NOFOLLOW) < 0 ? RECORD_NONE
	                                                              : record_find_node(r, &to_st);
	if (r->base->renameat(from_dir, from, to_dir, to) < 0)
		return -1;
	/* Two names of one file: rename(2) does nothing. */
	if (target == RECORD_NONE || target != node)
		note_rename(r, node, target, from_dir, from, to_dir, to);
	return 0;
}

static int recording_linkat(int from_dir, const char *from, int to_dir, const char *to)
{
	struct record_io *r;
	struct stat st;
	const char *name;
	size_t node;
	size_t dir;

	if (is_idle())
		return base()->linkat(from_dir, from, to_dir, to);
	r = before_call();
	if (r->base->linkat(from_dir, from, to_dir, to) < 0)
		return -1;
	dir = record_find_dir(r, to_dir, to, &name);
	if (dir == RECORD_NONE || fstatat(to_dir, to, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	node = record_find_node(r, &st);
	if (node == RECORD_NONE)
		record_cannot_tell(r, "linkat", from, "it comes from outside the record");
	else
		record_add_enter(r, node, dir, name, "linkat");
	return 0;
}

static int recording_unlinkat(int dir, const char *path)
{
	struct record_io *r;
	struct stat st;
	const char *name;
	size_t node;
	size_t up;

	if (is_idle() || fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return base()->unlinkat(dir, path);
	r = before_call();
	node = record_find_node(r, &st);
	if (r->base->unlinkat(dir, path) < 0)
		return -1;
	up = record_find_dir(r, dir, path, &name);
	if (up != RECORD_NONE && node != RECORD_NONE)
		record_add_remove(r, node, up, name, "unlinkat");
	return 0;
}

static int recording_mkdirat(int dir, const char *path, mode_t mode)
{
	struct record_io *r;
	struct stat st;
	const char *name;
	size_t up;

	if (is_idle())
		return base()->mkdirat(dir, path, mode);
	r = before_call();
	if (r->base->mkdirat(dir, path, mode) < 0)
		return -1;
	up = record_find_dir(r, dir, path, &name);
	if (up != RECORD_NONE && fstatat(dir, path, &st, 0) == 0)
		record_add_enter(r, record_add_node(r, &st), up, name, "mkdirat");
	return 0;
}

static int recording_close(int fd)
{
	return base()->close(fd);
}

/* What changes nothing is not in the record; it goes to the same table as the rest. */
static ssize_t recording_pread(int fd, void *p, size_t n, off_t at)
{
	return base()->pread(fd, p, n, at);
}

static int recording_size(int fd, off_t *ret)
{
	return base()->size(fd, ret);
}

static int recording_list(int dir, struct buf *b)
{
	return base()->list(dir, b);
}

static int recording_lock(int fd)
{
	return base()->lock(fd);
}

static const struct io recording = {
    .openat = recording_openat,
    .pwrite = recording_pwrite,
    .ftruncate = recording_ftruncate,
    .fallocate = recording_fallocate,
    .fdatasync = recording_fdatasync,
    .fsync = recording_fsync,
    .renameat = recording_renameat,
    .linkat = recording_linkat,
    .unlinkat = recording_unlinkat,
    .mkdirat = recording_mkdirat,
    .close = recording_close,
    .pread = recording_pread,
    .size = recording_size,
    .list = recording_list,
    .lock = recording_lock,
};

struct record_io *record_io_start(const struct record_setup *setup, const struct io **ret_io,
                                  struct err *e)
{
	struct record_io *r = record_alloc(sizeof(*r));
	struct stat st;

	r->base = setup->base == NULL ? &io_os : setup->base;
	r->mapped = setup->mapped;
	r->root = realpath(setup->root, NULL);
	if (r->root == NULL || stat(r->root, &st) < 0) {
		err_sys(e, "record '%s'", setup->root);
		record_free(r);
		return NULL;
	}
	r->dev = st.st_dev;
	record_add_node(r, &st);
	if (record_read_tree(r, e) < 0) {
		record_free(r);
		return NULL;
	}
	r->n_initial = r->n_events;
	for (size_t i = 0; i < r->n_nodes; i++)
		r->nodes[i].dirty = false;
	r->outer = current;
	current = r;
	*ret_io = &recording;
	return r;
}

void record_io_free(struct record_io *r)
{
	struct record_io **at = &current;

	while (*at != NULL && *at != r)
		at = &(*at)->outer;
	if (*at != NULL)
		*at = r->outer;
	record_free(r);
}

void record_io_mark(struct record_io *r, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	if (r->busy)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	r->marks = record_grow(r->marks, r->n_marks, sizeof(*r->marks));
	r->marks[r->n_marks++] =
	    (struct record_marked){.text = record_text(text), .events = r->n_events};
}

size_t record_io_calls(const struct record_io *r)
{
	return r->n_calls;
}
