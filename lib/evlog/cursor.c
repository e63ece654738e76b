/*
 * cursor: the files of cursors and their locks.
 *
 * The lock is on the file that has the name, so it is looked at again once it is had: a first save
 * or a removal may have put another file, or none, in its place meanwhile.  A cursor that was
 * never saved is an empty file, there for its lock only.
 */
#include "evlog/cursor.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "evlog/store_impl.h"

#define LOCK_BYTE 0
#define SLOTS     2u
/* Who looks while a slot is being written finds it half done; the other one is sound then. */
#define LOOKS     3

struct cursor {
	struct evlog *s;
	char file[CURSOR_TEXT_MAX];
	int dir, fd;
	bool made;     /* the file has a slot */
	unsigned slot; /* the one to write next */
	bool unsynced; /* a slot was written */
	bool failed;   /* a save failed: what is on disk is not known */
	struct cursor_state state;
};

/* ---- Slots. */

/* 1 and the newest sound one, 0: the file is empty, -1. */
static int read_slots(int fd, uint32_t salt, struct cursor_state *ret, unsigned *ret_slot,
                      struct err *e)
{
	char bytes[CURSOR_FILE] = {0};
	struct cursor_state state;
	ssize_t n = file_read_at(&io_os, fd, bytes, sizeof(bytes), 0, e);
	bool found = false;

	if (n <= 0)
		return (int)n;
	for (unsigned i = 0; i < SLOTS; i++)
		if (cursor_slot_get(bytes + (size_t)i * CURSOR_SLOT, salt, &state) &&
		    (!found || state.save > ret->save)) {
			*ret = state;
			*ret_slot = i;
			found = true;
		}
	return found ? 1 : err_set(e, EVLOG_DAMAGED, "neither of its slots is sound");
}

static int load(struct cursor *c, struct err *e)
{
	unsigned newest = 1;
	int r = read_slots(c->fd, c->s->salt, &c->state, &newest, e);

	if (r < 0)
		return err_wrap(e, "cursor '%s'", c->file);
	if (r == 0)
		c->state = (struct cursor_state){.selector = "-", .program = "-"};
	c->made = r > 0;
	c->slot = 1 - newest;
	return 0;
}

/* ---- Taking a cursor. */

/* Is the file still the one of its name? */
static bool is_named(const struct cursor *c)
{
	struct stat by_fd;
	struct stat by_name;

	return fstat(c->fd, &by_fd) == 0 &&
	       fstatat(c->dir, c->file, &by_name, AT_SYMLINK_NOFOLLOW) == 0 &&
	       by_fd.st_ino == by_name.st_ino && by_fd.st_dev == by_name.st_dev;
}

static int open_file(struct cursor *c, struct err *e)
{
	const struct evlog *s = c->s;

	for (;;) {
		c->fd = file_open(s->io, c->dir, c->file, O_RDWR | O_NOFOLLOW, 0, e);
		if (c->fd >= 0 || e->code != ENOENT)
			return c->fd;
		c->fd = file_open(s->io, c->dir, c->file, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW,
		                  s->mode, e);
		if (c->fd >= 0 || e->code != EEXIST)
			return c->fd;
	}
}

static int take(struct cursor *c, int64_t wait_ms, struct err *e)
{
	for (;;) {
		if (open_file(c, e) < 0)
			return -1;
		if (file_lock(c->fd, LOCK_BYTE, FILE_LOCK_EXCLUSIVE, wait_ms, e) < 0)
			return e->code == ETIMEDOUT
			           ? err_set(e, ETIMEDOUT, "cursor '%s' is held by another process",
			                     c->file)
			           : -1;
		if (is_named(c))
			return 0;
		file_close(c->s->io, c->fd);
		c->fd = -1;
	}
}

struct cursor *cursor_open(struct evlog *s, const struct cursor_id *id, int64_t wait_ms,
                           bool *ret_new, struct err *e)
{
	struct cursor *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		err_set(e, ENOMEM, "out of memory");
		return NULL;
	}
	c->s = s;
	c->fd = -1;
	cursor_id_text(c->file, id);
	if (!s->writable) {
		err_set(e, EVLOG_READ_ONLY,
		        "cursor '%s': the store cannot be written by this user or in its present "
		        "state",
		        c->file);
		free(c);
		return NULL;
	}
	c->dir = store_subdir(s, CURSOR_DIR, true, e);
	if (c->dir < 0 || take(c, wait_ms, e) < 0 || load(c, e) < 0) {
		c->made = true; /* there is nothing that is ours to remove */
		cursor_close(c);
		return NULL;
	}
	*ret_new = !c->made;
	return c;
}

void cursor_close(struct cursor *c)
{
	if (c == NULL)
		return;
	/* Who waits for the lock looks for the name again. */
	if (!c->made)
		(void)c->s->io->unlinkat(c->dir, c->file);
	file_close(c->s->io, c->fd);
	file_close(c->s->io, c->dir);
	free(c);
}

int cursor_lock_fd(const struct cursor *c)
{
	return c->fd;
}

struct cursor_state *cursor_state(struct cursor *c)
{
	return &c->state;
}

/* ---- Saving. */

/* A whole new file, locked before it has the name. */
static int write_new(struct cursor *c, int fd, const char *tmp, const char *bytes, struct err *e)
{
	const struct io *io = c->s->io;

	if (file_write_all(io, fd, bytes, CURSOR_FILE, 0, e) < 0)
		return err_wrap(e, "'%s'", tmp);
	if (io->fsync(fd) < 0)
		return err_sys(e, "sync '%s'", tmp);
	if (file_lock(fd, LOCK_BYTE, FILE_LOCK_EXCLUSIVE, 0, e) < 0)
		return -1;
	if (io->renameat(c->dir, tmp, c->dir, c->file) < 0)
		return err_sys(e, "rename '%s'", tmp);
	return 0;
}

/* Only the holder of the lock on the empty file makes this one, so its name may be fixed. */
static int save_first(struct cursor *c, struct err *e)
{
	const struct io *io = c->s->io;
	char tmp[CURSOR_TEXT_MAX + 4];
	char bytes[CURSOR_FILE];
	int fd;

	cursor_file_put(bytes, &c->state, c->s->salt);
	snprintf(tmp, sizeof(tmp), "%s@new", c->file);
	fd = file_open_new(io, c->dir, tmp, c->s->mode, e);
	if (fd < 0)
		return -1;
	if (write_new(c, fd, tmp, bytes, e) < 0) {
		file_close(io, fd);
		(void)io->unlinkat(c->dir, tmp);
		return -1;
	}
	file_close(io, c->fd);
	c->fd = fd;
	c->made = true;
	c->slot = 1;
	/* The parent too: whoever made cursors/ may have been killed before it was on disk. */
	if (file_sync_dir(io, c->dir, e) < 0)
		return -1;
	return file_sync_dir(io, c->s->dir, e);
}

static int write_slot(struct cursor *c, struct err *e)
{
	char bytes[CURSOR_SLOT];

	cursor_slot_put(bytes, &c->state, c->s->salt);
	c->unsynced = true;
	return file_write_all(c->s->io, c->fd, bytes, sizeof(bytes), (off_t)c->slot * CURSOR_SLOT,
	                      e);
}

/* When the event at a sequence was recorded, 0 when there is none to be seen. */
static uint64_t time_of_event(struct evlog *s, uint64_t seq)
{
	struct frame f;
	struct err ignored;

	if (seq == 0 || seq > evlog_durable(s) || store_refresh(s, &ignored) < 0 ||
	    store_header(s, seq, &f, &ignored) <= 0)
		return 0;
	return frame_is_event(&f) ? f.time_ns : 0;
}

/* A failed sync is final, and a slot that was written in part is worth nothing. */
static int fail_for_good(struct cursor *c, struct err *e)
{
	c->failed = true;
	return err_wrap(e, "save cursor '%s'", c->file);
}

int cursor_write(struct cursor *c, int64_t now_ns, struct err *e)
{
	int r;

	if (c->failed)
		return err_set(e, EIO, "save cursor '%s': an earlier save has failed", c->file);
	c->state.save++;
	c->state.time_ns = now_ns;
	c->state.event_ns = time_of_event(c->s, c->state.sequence);
	r = c->made ? write_slot(c, e) : save_first(c, e);
	return r < 0 ? fail_for_good(c, e) : 0;
}

int cursor_sync(struct cursor *c, struct err *e)
{
	if (!c->unsynced || c->failed)
		return 0;
	if (c->s->io->fdatasync(c->fd) < 0) {
		err_sys(e, "sync");
		return fail_for_good(c, e);
	}
	c->unsynced = false;
	c->slot = 1 - c->slot;
	return 0;
}

int cursor_save(struct cursor *c, int64_t now_ns, struct err *e)
{
	return cursor_write(c, now_ns, e) < 0 ? -1 : cursor_sync(c, e);
}

bool cursor_fits_log(struct evlog *s, const struct cursor_state *state)
{
	uint64_t ns;

	if (state->sequence > evlog_durable(s))
		return false;
	ns = state->event_ns != 0 ? time_of_event(s, state->sequence) : 0;
	return ns == 0 || ns == state->event_ns;
}

/* ---- Looking and removing. */

/* 1, 0 there is none (yet), -1; *ret_held: somebody has it. */
static int look(struct evlog *s, int dir, const char *file, struct cursor_state *ret,
                bool *ret_held, struct err *e)
{
	unsigned slot;
	int r = -1;
	int fd = file_open(s->io, dir, file, O_RDONLY | O_NOFOLLOW, 0, e);

	if (fd < 0)
		return e->code == ENOENT ? 0 : -1;
	for (int tries = 0; r < 0 && tries < LOOKS; tries++)
		r = read_slots(fd, s->salt, ret, &slot, e);
	*ret_held = file_is_locked(fd, LOCK_BYTE);
	file_close(s->io, fd);
	return r < 0 ? err_wrap(e, "cursor '%s'", file) : r;
}

int cursor_read(struct evlog *s, const struct cursor_id *id, struct cursor_state *ret,
                struct err *e)
{
	char file[CURSOR_TEXT_MAX];
	bool held;
	int dir = store_subdir(s, CURSOR_DIR, false, e);
	int r;

	if (dir < 0)
		return e->code == ENOENT ? 0 : -1;
	cursor_id_text(file, id);
	r = look(s, dir, file, ret, &held, e);
	file_close(s->io, dir);
	return r;
}

static int remove_locked(struct cursor *c, struct err *e)
{
	int r;

	c->fd = file_open(c->s->io, c->dir, c->file, O_RDWR | O_NOFOLLOW, 0, e);
	if (c->fd < 0)
		return -1;
	r = file_try_lock(c->fd, LOCK_BYTE, FILE_LOCK_EXCLUSIVE, e);
	if (r < 0)
		return -1;
	if (r == 0)
		return err_set(e, EBUSY, "held by another process");
	/* Else it was removed or made anew just now: by somebody who has a use for it. */
	if (!is_named(c))
		return err_set(e, EBUSY, "another process has taken it");
	if (c->s->io->unlinkat(c->dir, c->file) < 0)
		return err_sys(e, "remove");
	return file_sync_dir(c->s->io, c->dir, e);
}

int cursor_remove(struct evlog *s, const struct cursor_id *id, struct err *e)
{
	struct cursor c = {.s = s, .fd = -1};
	int r;

	cursor_id_text(c.file, id);
	c.dir = store_subdir(s, CURSOR_DIR, false, e);
	r = c.dir < 0 ? -1 : remove_locked(&c, e);
	file_close(s->io, c.fd);
	file_close(s->io, c.dir);
	return r < 0 ? err_wrap(e, "cursor '%s'", c.file) : 0;
}

/* ---- All of them. */

struct listed {
	char name[CURSOR_NAME_MAX + 1];
	struct cursor_id id;
};

static int by_id(const void *left, const void *right)
{
	const struct listed *a = left;
	const struct listed *b = right;
	int order = strcmp(a->name, b->name);

	if (order == 0)
		order = (a->id.members > b->id.members) - (a->id.members < b->id.members);
	if (order == 0)
		order = (a->id.member > b->id.member) - (a->id.member < b->id.member);
	return order;
}

static ssize_t list(int dir, struct listed **ret, struct err *e)
{
	struct buf names = {0};
	struct listed *v = NULL;
	struct err ignored;
	size_t count = 0;
	size_t n = 0;

	if (store_list(dir, &names, e) < 0) {
		buf_done(&names);
		return -1;
	}
	for (size_t i = 0; i < names.len; i++)
		count += names.data[i] == '\0';
	v = calloc(count + 1, sizeof(*v));
	for (size_t at = 0; v != NULL && at < names.len; at += strlen(names.data + at) + 1)
		if (cursor_parse_id(names.data + at, v[n].name, &v[n].id, &ignored) == 0)
			n++;
	buf_done(&names);
	if (v == NULL)
		return err_set(e, ENOMEM, "out of memory");
	qsort(v, n, sizeof(*v), by_id);
	*ret = v;
	return (ssize_t)n;
}

int cursor_each(struct evlog *s, cursor_fn *fn, void *arg, struct err *e)
{
	int dir = store_subdir(s, CURSOR_DIR, false, e);
	struct listed *v = NULL;
	ssize_t n;
	int r = 0;

	if (dir < 0)
		return e->code == ENOENT ? 0 : -1;
	n = list(dir, &v, e);
	if (n < 0)
		r = -1;
	for (ssize_t i = 0; r == 0 && i < n; i++) {
		struct cursor_state state;
		char file[CURSOR_TEXT_MAX];
		bool held = false;
		int found;

		v[i].id.name = v[i].name; /* sorting has moved it */
		cursor_id_text(file, &v[i].id);
		found = look(s, dir, file, &state, &held, e);
		if (found < 0 && e->code != EVLOG_DAMAGED)
			r = -1;
		else if (found != 0)
			r = fn(&v[i].id, found > 0 ? &state : NULL, held, arg, e);
	}
	free(v);
	file_close(s->io, dir);
	return r;
}
