/*
 * create: a new store.
 *
 * FORMAT is written last: a directory without it is no store yet, and making it goes on where it
 * was cut short.  Of two processes that make the same store one waits for the other and then
 * finds it made.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "evlog/store_impl.h"

static bool is_ours(const char *name)
{
	static const char *const ours[] = {".", "..", "lock", "log", "index", "lost", "ctl"};

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (strcmp(name, ours[i]) == 0)
			return true;
	return strncmp(name, "FORMAT", 6) == 0;
}

static int check_local(int dir, const char *path, struct err *e)
{
	const char *remote = file_remote_type(dir);

	if (remote == NULL)
		return 0;
	(void)rmdir(
	    path); /* which may be what we have just made, and does nothing if it is not empty */
	return err_set(e, EVLOG_FOREIGN, STORE_REMOTE, remote);
}

/* Before anything is made in it: nothing else lives here. */
static int check_empty(int dir, struct err *e)
{
	struct dirent *d;
	int r = 0;
	int fd = file_open_dir(&io_os, dir, ".", e);
	DIR *list = fd < 0 ? NULL : fdopendir(fd);

	if (list == NULL) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	while (r == 0 && (d = readdir(list)) != NULL)
		if (!is_ours(d->d_name))
			r = err_set(e, ENOTEMPTY,
			            "the directory is not empty ('%.100s' is in it) and no store",
			            d->d_name);
	closedir(list);
	return r;
}

static int make_dir(const struct io *io, int at, const char *name, bool shared, struct err *e)
{
	if (io->mkdirat(at, name, 0700) < 0) {
		if (errno == EEXIST)
			return 0;
		return err_sys(e, "make directory '%s'", name);
	}
	/* Not by mkdir's mode: the umask shall not decide, and it cannot set the group bit. */
	if (shared && fchmodat(at, name, 02770, 0) < 0)
		return err_sys(e, "set the mode of '%s'", name);
	return 0;
}

int store_subdir(const struct evlog *s, const char *name, bool make, struct err *e)
{
	int fd = file_open_dir(s->io, s->dir, name, e);

	if (fd >= 0 || e->code != ENOENT || !make)
		return fd;
	if (make_dir(s->io, s->dir, name, s->mode == 0660, e) < 0)
		return -1;
	return file_open_dir(s->io, s->dir, name, e);
}

/* The first segment, then FORMAT; under the writer lock. */
static int fill(struct evlog *s, const char *path, const struct evlog_init *init, struct err *e)
{
	static const char *const dirs[] = {"log", "index", "lost"};
	struct format f;
	int r;

	if (format_read(s->dir, &f, e) == 0)
		return err_set(e, EEXIST, "there is a store already");
	if (e->code != EVLOG_NO_STORE)
		return -1;
	for (size_t i = 0; i < 3; i++)
		if (make_dir(s->io, s->dir, dirs[i], init->shared, e) < 0)
			return -1;
	s->log_dir = file_open_dir(s->io, s->dir, "log", e);
	if (s->log_dir < 0)
		return -1;
	memcpy(s->uuid, init->uuid, sizeof(s->uuid));
	r = segment_create(s, 1, e);
	file_close(s->io, s->log_dir);
	/* Whoever finds FORMAT builds upon all of it. */
	if (r < 0 || file_sync_dir(s->io, s->dir, e) < 0 || file_sync_parent(s->io, path, e) < 0)
		return -1;
	return format_write(s->io, s->dir, init, e);
}

int evlog_create(const char *path, const struct evlog_init *init, struct err *e)
{
	struct evlog s = {.io = init->io != NULL ? init->io : &io_os, .dir = -1, .lock = -1};
	int r = -1;

	s.mode = init->shared ? 0660 : 0600;
	if (make_dir(s.io, AT_FDCWD, path, init->shared, e) < 0)
		goto out;
	s.dir = file_open_dir(s.io, AT_FDCWD, path, e);
	if (s.dir < 0)
		goto out;
	if (check_local(s.dir, path, e) < 0 || check_empty(s.dir, e) < 0)
		goto out;
	s.lock = openat(s.dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC, s.mode);
	if (s.lock < 0) {
		err_sys(e, "open 'lock'");
		goto out;
	}
	(void)fchmod(s.lock, s.mode);
	if (file_lock(s.lock, LOCK_WRITER, FILE_LOCK_EXCLUSIVE, -1, e) < 0 ||
	    fill(&s, path, init, e) < 0)
		goto out;
	r = 0;
out:
	file_close(s.io, s.lock);
	file_close(s.io, s.dir);
	return r < 0 ? err_wrap(e, "make store '%s'", path) : 0;
}
