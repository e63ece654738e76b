/*
 * The table of calls over simulated disks.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <string.h>

#include "disk_impl.h"
#include "seeded.h"

#define FDS_MAX       4096
#define FD_FIRST      1000000 /* no fd of the kernel is so high */
#define SIZE_MAX_FILE (64u << 20)

static struct {
	struct disk *disk;
	struct inode *inode;
} fds[FDS_MAX];

static int fail(int error)
{
	errno = error;
	return -1;
}

static int fd_new(struct disk *d, struct inode *f)
{
	for (int i = 0; i < FDS_MAX; i++) {
		if (fds[i].disk != NULL)
			continue;
		fds[i].disk = d;
		fds[i].inode = f;
		f->opens++;
		return FD_FIRST + i;
	}
	return fail(EMFILE);
}

static struct inode *inode_of(int fd, struct disk **ret_d)
{
	int i = fd - FD_FIRST;

	if (fd < FD_FIRST || i >= FDS_MAX || fds[i].disk == NULL) {
		errno = EBADF;
		return NULL;
	}
	*ret_d = fds[i].disk;
	return fds[i].inode;
}

int disk_root(struct disk *d)
{
	return fd_new(d, d->root);
}

static int sim_close(int fd)
{
	struct disk *d;
	struct inode *f = inode_of(fd, &d);

	if (f == NULL)
		return -1;
	if (f->locked_by == fd)
		f->locked_by = -1;
	f->opens--;
	fds[fd - FD_FIRST].disk = NULL;
	return 0;
}

void disk_close_all(struct disk *d)
{
	for (int i = 0; i < FDS_MAX; i++)
		if (fds[i].disk == d)
			(void)sim_close(FD_FIRST + i);
}

static struct inode *dir_of(int fd, const char *name, struct disk **ret_d)
{
	struct inode *dir = inode_of(fd, ret_d);

	if (dir == NULL)
		return NULL;
	if (!dir->is_dir) {
		errno = ENOTDIR;
		return NULL;
	}
	if (strlen(name) > DISK_NAME_MAX || strchr(name, '/') != NULL) {
		errno = EINVAL; /* the simulated disk takes one directory at a time */
		return NULL;
	}
	return dir;
}

static int sim_openat(int dir_fd, const char *name, int flags, mode_t mode)
{
	struct disk *d;
	struct inode *dir = dir_of(dir_fd, name, &d);
	struct entry *e;
	struct inode *f;

	(void)mode;
	if (dir == NULL)
		return -1;
	if (strcmp(name, ".") == 0)
		return fd_new(d, dir);
	e = disk_find(dir, name);
	if (e == NULL) {
		if ((flags & O_CREAT) == 0)
			return fail(ENOENT);
		f = disk_inode_new(d, false);
		(void)disk_change(dir, NULL, name, f);
		return fd_new(d, f);
	}
	f = e->inode;
	if ((flags & O_EXCL) != 0)
		return fail(EEXIST);
	if (f->is_dir && (flags & O_ACCMODE) != O_RDONLY)
		return fail(EISDIR);
	if (!f->is_dir && (flags & O_DIRECTORY) != 0)
		return fail(ENOTDIR);
	if ((flags & O_TRUNC) != 0 && f->size > 0) {
		memset(f->cache, 0, f->size);
		disk_inode_mark(f, 0, f->size);
		f->size = 0;
	}
	return fd_new(d, f);
}

static ssize_t sim_pwrite(int fd, const void *p, size_t n, off_t at)
{
	struct disk *d;
	struct inode *f = inode_of(fd, &d);

	if (f == NULL || f->is_dir)
		return fail(EBADF);
	if (at < 0 || (size_t)at + n > SIZE_MAX_FILE)
		return fail(EFBIG);
	if (disk_is_due(d, DISK_WRITE_FULL))
		return fail(ENOSPC);
	if (n > 1 && disk_is_due(d, DISK_WRITE_SHORT))
		n = 1 + seeded_below(&d->rand, n - 1);
	if (n == 0)
		return 0;
	(void)disk_inode_reserve(f, (size_t)at + n);
	memcpy(f->cache + at, p, n);
	disk_inode_mark(f, (size_t)at, (size_t)at + n);
	if ((size_t)at + n > f->size)
		f->size = (size_t)at + n;
	return (ssize_t)n;
}

static ssize_t sim_pread(int fd, void *p, size_t n, off_t at)
{
	struct disk *d;
	struct inode *f = inode_of(fd, &d);

	if (f == NULL || f->is_dir)
		return fail(EBADF);
	if (disk_is_due(d, DISK_READ_EIO))
		return fail(EIO);
	if (at < 0)
		return fail(EINVAL);
	if ((size_t)at >= f->size)
		return 0;
	if (n > f->size - (size_t)at)
		n = f->size - (size_t)at;
	memcpy(p, f->cache + at, n);
	return (ssize_t)n;
}

static int sim_ftruncate(int fd, off_t size)
{
	struct disk *d;
	struct inode *f = inode_of(fd, &d);

	if (f == NULL || f->is_dir)
		return fail(EBADF);
	if (size < 0 || (size_t)size > SIZE_MAX_FILE)
		return fail(EFBIG);
	(void)disk_inode_reserve(f, (size_t)size);
	if ((size_t)size < f->size) {
		memset(f->cache + size, 0, f->size - (size_t)size);
		disk_inode_mark(f, (size_t)size, f->size);
	}
	f->size = (size_t)size;
	return 0;
}

static int sim_fallocate(int fd, int mode, off_t at, off_t size)
{
	struct disk *d;
	struct inode *f = inode_of(fd, &d);

	if (f == NULL || f->is_dir)
		return fail(EBADF);
	if ((mode & ~FALLOC_FL_KEEP_SIZE) != 0)
		return fail(EOPNOTSUPP);
	if (at < 0 || size <= 0 || (size_t)at + (size_t)size > SIZE_MAX_FILE)
		return fail(EFBIG);
	if (disk_is_due(d, DISK_WRITE_FULL))
		return fail(ENOSPC);
	(void)disk_inode_reserve(f, (size_t)(at + size));
	if ((mode & FALLOC_FL_KEEP_SIZE) == 0 && (size_t)(at + size) > f->size)
		f->size = (size_t)(at + size);
	return 0;
}

static int sim_sync(int fd)
{
	struct disk *d;
	struct inode *f = inode_of(fd, &d);

	if (f == NULL)
		return -1;
	if (disk_is_due(d, DISK_SYNC_EIO)) {
		if (f->is_dir)
			disk_dir_lose(d, f);
		else
			disk_inode_lose(d, f);
		return fail(EIO);
	}
	if (f->is_dir)
		disk_dir_sync(f);
	else
		disk_inode_sync(f);
	return 0;
}

static int sim_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	struct disk *d;
	struct inode *dir = dir_of(from_dir, from, &d);
	struct inode *dir2 = dir_of(to_dir, to, &d);
	const struct entry *e;

	if (dir == NULL || dir2 == NULL)
		return -1;
	if (dir != dir2)
		return fail(EXDEV);
	e = disk_find(dir, from);
	if (e == NULL)
		return fail(ENOENT);
	return disk_change(dir, from, to, e->inode);
}

static int sim_linkat(int from_dir, const char *from, int to_dir, const char *to)
{
	struct disk *d;
	struct inode *dir = dir_of(from_dir, from, &d);
	struct inode *dir2 = dir_of(to_dir, to, &d);
	const struct entry *e;

	if (dir == NULL || dir2 == NULL)
		return -1;
	if (dir != dir2)
		return fail(EXDEV);
	e = disk_find(dir, from);
	if (e == NULL)
		return fail(ENOENT);
	if (disk_find(dir, to) != NULL)
		return fail(EEXIST);
	return disk_change(dir, NULL, to, e->inode);
}

static int sim_unlinkat(int dir_fd, const char *name)
{
	struct disk *d;
	struct inode *dir = dir_of(dir_fd, name, &d);

	if (dir == NULL)
		return -1;
	if (disk_find(dir, name) == NULL)
		return fail(ENOENT);
	(void)disk_change(dir, name, NULL, NULL);
	disk_collect(d);
	return 0;
}

static int sim_mkdirat(int dir_fd, const char *name, mode_t mode)
{
	struct disk *d;
	struct inode *dir = dir_of(dir_fd, name, &d);

	(void)mode;
	if (dir == NULL)
		return -1;
	if (disk_find(dir, name) != NULL)
		return fail(EEXIST);
	return disk_change(dir, NULL, name, disk_inode_new(d, true));
}

static int sim_size(int fd, off_t *ret)
{
	struct disk *d;
	struct inode *f = inode_of(fd, &d);

	if (f == NULL)
		return -1;
	*ret = (off_t)f->size;
	return 0;
}

static int sim_list(int fd, struct buf *b)
{
	struct disk *d;
	struct inode *dir = inode_of(fd, &d);
	size_t before = b->len;

	if (dir == NULL)
		return -1;
	if (!dir->is_dir)
		return fail(ENOTDIR);
	for (size_t i = 0; i < dir->count; i++)
		buf_add(b, dir->entries[i].name, strlen(dir->entries[i].name) + 1);
	if (!b->failed)
		return 0;
	b->len = before;
	return fail(ENOMEM);
}

static int sim_lock(int fd)
{
	struct disk *d;
	struct inode *f = inode_of(fd, &d);

	if (f == NULL)
		return -1;
	if (f->locked_by >= 0 && f->locked_by != fd)
		return fail(EAGAIN);
	f->locked_by = fd;
	return 0;
}

const struct io disk_io = {
    .openat = sim_openat,
    .pwrite = sim_pwrite,
    .ftruncate = sim_ftruncate,
    .fallocate = sim_fallocate,
    .fdatasync = sim_sync,
    .fsync = sim_sync,
    .renameat = sim_renameat,
    .linkat = sim_linkat,
    .unlinkat = sim_unlinkat,
    .mkdirat = sim_mkdirat,
    .close = sim_close,
    .pread = sim_pread,
    .size = sim_size,
    .list = sim_list,
    .lock = sim_lock,
};
