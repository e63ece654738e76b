#include "os/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "base/span.h"
#include "os/clock.h"

#define READ_CHUNK 65536

#define LOCK_PAUSE_MIN_NS (CLOCK_NS_PER_MS / 5)
#define LOCK_PAUSE_MAX_NS (10 * CLOCK_NS_PER_MS)

static int os_openat(int dir, const char *name, int flags, mode_t mode)
{
	int fd = openat(dir, name, flags | O_CLOEXEC, mode);

	/* The mode of a file that was there, and stays what it is, is its owner's business. */
	if (fd >= 0 && (flags & O_CREAT) != 0 && (flags & (O_EXCL | O_TRUNC)) != 0)
		(void)fchmod(fd, mode);
	return fd;
}

static int os_linkat(int from_dir, const char *from, int to_dir, const char *to)
{
	return linkat(from_dir, from, to_dir, to, 0);
}

static int os_unlinkat(int dir, const char *name)
{
	return unlinkat(dir, name, 0);
}

static int os_size(int fd, off_t *ret)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -1;
	*ret = st.st_size;
	return 0;
}

static int os_list(int dir, struct buf *b)
{
	size_t before = b->len;
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *d;
	int error;

	if (list == NULL) {
		error = errno;
		if (fd >= 0)
			(void)close(fd);
		errno = error;
		return -1;
	}
	errno = 0;
	while ((d = readdir(list)) != NULL)
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			buf_add(b, d->d_name, strlen(d->d_name) + 1);
	error = errno != 0 ? errno : b->failed ? ENOMEM : 0;
	(void)closedir(list);
	if (error == 0)
		return 0;
	b->len = before;
	errno = error;
	return -1;
}

static int os_lock(int fd)
{
	struct err e;
	int r = file_try_lock(fd, 0, FILE_LOCK_EXCLUSIVE, &e);

	if (r == 1)
		return 0;
	errno = r == 0 ? EAGAIN : e.code;
	return -1;
}

const struct io io_os = {
    .openat = os_openat,
    .pwrite = pwrite,
    .ftruncate = ftruncate,
    .fallocate = fallocate,
    .fdatasync = fdatasync,
    .fsync = fsync,
    .renameat = renameat,
    .linkat = os_linkat,
    .unlinkat = os_unlinkat,
    .mkdirat = mkdirat,
    .close = close,
    .pread = pread,
    .size = os_size,
    .list = os_list,
    .lock = os_lock,
};

int file_open(const struct io *io, int dir, const char *name, int flags, mode_t mode, struct err *e)
{
	int fd;

	do
		fd = io->openat(dir, name, flags | O_CLOEXEC, mode);
	while (fd < 0 && errno == EINTR);
	if (fd < 0)
		return err_sys(e, "open '%s'", name);
	return fd;
}

int file_open_dir(const struct io *io, int dir, const char *name, struct err *e)
{
	return file_open(io, dir, name, O_RDONLY | O_DIRECTORY, 0, e);
}

int file_write_all(const struct io *io, int fd, const void *p, size_t n, off_t at, struct err *e)
{
	const char *from = p;

	while (n > 0) {
		ssize_t done = io->pwrite(fd, from, n, at);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return err_sys(e, "write");
		if (done == 0)
			return err_set(e, EIO, "write: no byte was taken");
		from += done;
		n -= (size_t)done;
		at += done;
	}
	return 0;
}

ssize_t file_read_at(const struct io *io, int fd, void *p, size_t n, off_t at, struct err *e)
{
	char *to = p;
	size_t have = 0;

	while (have < n) {
		ssize_t got = io->pread(fd, to + have, n - have, at + (off_t)have);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_sys(e, "read");
		if (got == 0)
			break;
		have += (size_t)got;
	}
	return (ssize_t)have;
}

int file_list(const struct io *io, int dir, struct buf *b, struct err *e)
{
	return io->list(dir, b) < 0 ? err_sys(e, "list directory") : 0;
}

/* Append what is left of fd to b.  One byte more than max is asked for, to see that it is there. */
static int read_rest(int fd, const char *name, size_t max, struct buf *b, struct err *e)
{
	size_t have = 0;

	for (;;) {
		size_t want = max - have < READ_CHUNK ? max - have + 1 : READ_CHUNK;
		char *to = buf_reserve(b, want);
		ssize_t got;

		if (to == NULL)
			return err_set(e, ENOMEM, "read '%s': out of memory", name);
		got = read(fd, to, want);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_sys(e, "read '%s'", name);
		if (got == 0)
			return 0;
		b->len += (size_t)got;
		have += (size_t)got;
		if (have > max)
			return err_set(e, EFBIG, "'%s' has more than %zu bytes", name, max);
	}
}

int file_read(int dir, const char *name, size_t max, struct buf *b, struct err *e)
{
	size_t before = b->len;
	int fd = file_open(&io_os, dir, name, O_RDONLY, 0, e);
	int r;

	if (fd < 0)
		return -1;
	r = read_rest(fd, name, max, b, e);
	if (r < 0)
		b->len = before;
	file_close(&io_os, fd);
	return r;
}

int file_open_new(const struct io *io, int dir, const char *name, mode_t mode, struct err *e)
{
	const int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW;
	int fd = file_open(io, dir, name, flags, mode, e);

	if (fd >= 0 || e->code != EEXIST)
		return fd;
	if (io->unlinkat(dir, name) < 0 && errno != ENOENT)
		return err_sys(e, "remove '%s'", name);
	return file_open(io, dir, name, flags, mode, e);
}

int file_temp_name(char temp[FILE_TEMP_MAX], const char *name, struct err *e)
{
	int len = snprintf(temp, FILE_TEMP_MAX, "%s.tmp.%ld", name, (long)getpid());

	if (name[0] == '\0' || strchr(name, '/') != NULL)
		return err_set(e, EINVAL, "not a file name");
	if (len < 0 || len >= FILE_TEMP_MAX)
		return err_set(e, ENAMETOOLONG, "name too long");
	return 0;
}

/* A new file renamed over the old one, whose data is synced before and whose name is not after. */
static int replace(const struct io *io, int dir, const char *name, struct span bytes, mode_t mode,
                   bool sync, struct err *e)
{
	char temp[FILE_TEMP_MAX];
	int fd, r;

	if (file_temp_name(temp, name, e) < 0)
		return -1;
	fd = file_open_new(io, dir, temp, mode, e);
	if (fd < 0)
		return -1;
	r = file_write_all(io, fd, bytes.p, bytes.len, 0, e);
	if (r < 0)
		err_wrap(e, "'%s'", temp);
	else if (sync && io->fsync(fd) < 0)
		r = err_sys(e, "sync '%s'", temp);
	file_close(io, fd);
	if (r == 0 && io->renameat(dir, temp, dir, name) < 0)
		r = err_sys(e, "rename '%s'", temp);
	if (r < 0)
		(void)io->unlinkat(dir, temp);
	return r;
}

int file_replace(const struct io *io, int dir, const char *name, const void *p, size_t n,
                 mode_t mode, struct err *e)
{
	int r = replace(io, dir, name, (struct span){p, n}, mode, true, e);

	if (r == 0)
		r = file_sync_dir(io, dir, e);
	return r < 0 ? err_wrap(e, "replace '%s'", name) : 0;
}

int file_replace_unsynced(const struct io *io, int dir, const char *name, const void *p, size_t n,
                          mode_t mode, struct err *e)
{
	int r = replace(io, dir, name, (struct span){p, n}, mode, false, e);

	return r < 0 ? err_wrap(e, "replace '%s'", name) : 0;
}

int file_sync_dir(const struct io *io, int dir, struct err *e)
{
	if (io->fsync(dir) < 0)
		return err_sys(e, "sync directory");
	return 0;
}

int file_sync_parent(const struct io *io, const char *path, struct err *e)
{
	char *full = realpath(path, NULL);
	char *slash = full == NULL ? NULL : strrchr(full, '/');
	int fd, r;

	if (slash == NULL) {
		free(full);
		return err_sys(e, "find the directory of '%s'", path);
	}
	slash[slash == full ? 1 : 0] = '\0';
	fd = file_open_dir(io, AT_FDCWD, full, e);
	free(full);
	if (fd < 0)
		return -1;
	r = file_sync_dir(io, fd, e);
	file_close(io, fd);
	return r;
}

int file_allocate(const struct io *io, int fd, off_t at, off_t size, struct err *e)
{
	int r;

	if (size == 0)
		return 0;
	do
		r = io->fallocate(fd, FALLOC_FL_KEEP_SIZE, at, size);
	while (r < 0 && errno == EINTR);
	if (r < 0 && errno != EOPNOTSUPP && errno != ENOSYS)
		return err_sys(e, "allocate %lld bytes", (long long)size);
	return 0;
}

void file_close(const struct io *io, int fd)
{
	if (fd >= 0)
		(void)io->close(fd);
}

static int lock_call(int fd, int op, short type, off_t byte)
{
	struct flock l = {
	    .l_type = type,
	    .l_whence = SEEK_SET,
	    .l_start = byte,
	    .l_len = 1,
	};
	int r;

	do
		r = fcntl(fd, op, &l);
	while (r < 0 && errno == EINTR);
	return r;
}

static short lock_type(enum file_lock kind)
{
	return kind == FILE_LOCK_SHARED ? F_RDLCK : F_WRLCK;
}

int file_try_lock(int fd, off_t byte, enum file_lock kind, struct err *e)
{
	if (lock_call(fd, F_OFD_SETLK, lock_type(kind), byte) == 0)
		return 1;
	if (errno == EAGAIN || errno == EACCES)
		return 0;
	return err_sys(e, "lock byte %lld", (long long)byte);
}

static int64_t deadline_ns(int64_t timeout_ms)
{
	int64_t now = clock_boot_ns();

	if (timeout_ms > (INT64_MAX - now) / CLOCK_NS_PER_MS)
		return INT64_MAX;
	return now + timeout_ms * CLOCK_NS_PER_MS;
}

static int lock_until(int fd, off_t byte, enum file_lock kind, int64_t deadline, struct err *e)
{
	int64_t pause = LOCK_PAUSE_MIN_NS;

	for (;;) {
		int r = file_try_lock(fd, byte, kind, e);
		int64_t left;
		struct timespec t = {0};

		if (r != 0)
			return r < 0 ? -1 : 0;
		left = deadline - clock_boot_ns();
		if (left <= 0)
			return err_set(e, ETIMEDOUT, "lock byte %lld: held by another process",
			               (long long)byte);
		t.tv_nsec = (long)(pause < left ? pause : left);
		(void)nanosleep(&t, NULL);
		pause = pause * 2 < LOCK_PAUSE_MAX_NS ? pause * 2 : LOCK_PAUSE_MAX_NS;
	}
}

int file_lock(int fd, off_t byte, enum file_lock kind, int64_t timeout_ms, struct err *e)
{
	if (timeout_ms >= 0)
		return lock_until(fd, byte, kind, deadline_ns(timeout_ms), e);
	if (lock_call(fd, F_OFD_SETLKW, lock_type(kind), byte) < 0)
		return err_sys(e, "lock byte %lld", (long long)byte);
	return 0;
}

bool file_is_locked(int fd, off_t byte)
{
	struct flock l = {
	    .l_type = F_WRLCK,
	    .l_whence = SEEK_SET,
	    .l_start = byte,
	    .l_len = 1,
	};

	return fcntl(fd, F_OFD_GETLK, &l) == 0 && l.l_type != F_UNLCK;
}

void file_unlock(int fd, off_t byte)
{
	(void)lock_call(fd, F_OFD_SETLK, F_UNLCK, byte);
}

/* Magic numbers of statfs(2); those that linux/magic.h lacks are from the drivers' sources. */
static const struct {
	uint32_t magic;
	const char *type;
} remote_types[] = {
    {0x00006969, "nfs"},    {0xff534d42, "cifs"},  {0xfe534d42, "smb2"},   {0x0000517b, "smb"},
    {0x01021997, "9p"},     {0x00c36400, "ceph"},  {0x5346414f, "afs"},    {0x6b414653, "afs"},
    {0x01161970, "gfs2"},   {0x7461636f, "ocfs2"}, {0x73757245, "coda"},   {0x0000564c, "ncp"},
    {0x0bd00bd0, "lustre"}, {0x47504653, "gpfs"},  {0x786f4256, "vboxsf"}, {0xbacbacbc, "vmhgfs"},
    {0x19830326, "beegfs"}, {0xaad7aaea, "panfs"},
};

const char *file_remote_type(int fd)
{
	struct statfs s;
	int r;

	do
		r = fstatfs(fd, &s);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return NULL;
	for (size_t i = 0; i < sizeof(remote_types) / sizeof(remote_types[0]); i++)
		if (remote_types[i].magic == (uint32_t)s.f_type)
			return remote_types[i].type;
	return NULL;
}
