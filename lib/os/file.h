/*
 * file: the system calls that change what is on disk, and what is built on them.
 *
 * Every change of a file that must survive goes through a struct io, a table of the calls.
 * Programs use io_os; tests pass their own table, which fails at the n-th call or records
 * every call so that each image a crash may leave can be built (tests/lib).  Calls in the table
 * behave as the system call of that name: -1 and errno.  Paths are relative to a directory fd.
 * Every fd is born close-on-exec.
 *
 * The calls that only look are in the table for those whose whole directory may be somewhere else
 * than in the kernel, in the memory of a simulated disk.  Such a table gives numbers as fds that
 * the kernel does not know, and code that is to run over it uses no other call on them: file_open()
 * to file_list() below are fine, the locks of this header are for fds of the kernel.
 *
 * Durability: file_write_all() and file_replace() return when the data reached the file,
 * file_replace() also when file and directory are on disk.  A failed fsync is final: never retry
 * it, the kernel has already forgotten which pages were dirty.
 */
#ifndef SHOAL_OS_FILE_H
#define SHOAL_OS_FILE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

struct io {
	int (*openat)(int dir, const char *name, int flags, mode_t mode);
	ssize_t (*pwrite)(int fd, const void *p, size_t n, off_t at);
	int (*ftruncate)(int fd, off_t size);
	int (*fallocate)(int fd, int mode, off_t at, off_t size);
	int (*fdatasync)(int fd);
	int (*fsync)(int fd); /* also of a directory */
	int (*renameat)(int from_dir, const char *from, int to_dir, const char *to);
	int (*linkat)(int from_dir, const char *from, int to_dir, const char *to);
	int (*unlinkat)(int dir, const char *name);
	int (*mkdirat)(int dir, const char *name, mode_t mode);
	int (*close)(int fd); /* so that a recorder knows which fd means which file */

	/* The calls below change nothing. */
	ssize_t (*pread)(int fd, void *p, size_t n, off_t at);
	int (*size)(int fd, off_t *ret); /* fstat(2)'s st_size */
	/*
	 * Append the names of a directory to b, each with a NUL behind it, in no order, without "."
	 * and "..".  A failure (ENOMEM too) leaves b's bytes as they were.
	 */
	int (*list)(int dir, struct buf *b);
	/*
	 * Hold a file for this fd alone until it is closed, or fail at once with EAGAIN: byte 0,
	 * FILE_LOCK_EXCLUSIVE of file_try_lock() below.
	 */
	int (*lock)(int fd);
};

extern const struct io io_os;

/*
 * Open, over EINTR; the error names the file.  O_CLOEXEC is added.  A file that is new or begun
 * anew (O_CREAT with O_EXCL or O_TRUNC) gets exactly this mode, whatever the umask (io_os's openat
 * sees to it): who may share it is decided by what it is for.
 */
int file_open(const struct io *io, int dir, const char *name, int flags, mode_t mode,
              struct err *e);

/*
 * A new file, open for reading and writing, with exactly this mode.  One that has the name is
 * removed first: somebody may have it mapped, or be about to give it another name, and a file
 * that is truncated under a mapping is a SIGBUS for its reader.  EEXIST when somebody else makes
 * the same name again at the same moment.
 */
int file_open_new(const struct io *io, int dir, const char *name, mode_t mode, struct err *e);

#define FILE_TEMP_MAX (NAME_MAX + 1)

/*
 * The name of what will be renamed to NAME, NAME.tmp.PID: no other process of this pid namespace
 * makes it.  One in another namespace may, when both share the directory; as long as both go by
 * file_open_new() the worst is that one takes the other's file away, or gives it the name before
 * all of it is written.  No file ever gets shorter.  EINVAL: no name, or one with a slash.
 */
int file_temp_name(char temp[FILE_TEMP_MAX], const char *name, struct err *e);

/* Open a directory (dir may be AT_FDCWD). */
int file_open_dir(const struct io *io, int dir, const char *name, struct err *e);

/*
 * Write all n bytes at an offset, over short writes and EINTR.  A failure may leave any part of
 * them written.  The fd is not O_APPEND.
 */
int file_write_all(const struct io *io, int fd, const void *p, size_t n, off_t at, struct err *e);

/* Read up to n bytes at an offset, over EINTR: the count, less than n only at the end. */
ssize_t file_read_at(const struct io *io, int fd, void *p, size_t n, off_t at, struct err *e);

/* The names in a directory, as the table's list(); the error says so. */
int file_list(const struct io *io, int dir, struct buf *b, struct err *e);

/*
 * Append the whole of a file to b, also of one whose size is not known beforehand (/proc); EFBIG
 * when it has more than max bytes.  A failure leaves b's bytes as they were.
 */
int file_read(int dir, const char *name, size_t max, struct buf *b, struct err *e);

/*
 * Replace a file as a whole: write file_temp_name(), fsync it, rename it over NAME, fsync dir.
 * A crash leaves the old file or the new one, and maybe the temporary one.  NAME has no slash
 * (EINVAL).  The file gets exactly this mode, as file_open() gives it.  On failure the temporary
 * file is gone and NAME is the old file; only when the fsync of dir failed, NAME is the new one
 * and a crash may still bring the old one back.  Two processes that replace the same NAME in two
 * pid namespaces need a lock.
 */
int file_replace(const struct io *io, int dir, const char *name, const void *p, size_t n,
                 mode_t mode, struct err *e);

/*
 * The same without the syncs, for what is made anew when it is lost, and known by its content when
 * it is not whole: a crash of the machine may leave NAME empty or in part.
 */
int file_replace_unsynced(const struct io *io, int dir, const char *name, const void *p, size_t n,
                          mode_t mode, struct err *e);

/* fsync a directory, so that entries made or renamed in it are on disk. */
int file_sync_dir(const struct io *io, int dir, struct err *e);

/* The same for the directory that holds a path, which exists, by its real name. */
int file_sync_parent(const struct io *io, const char *path, struct err *e);

/*
 * Allocate disk blocks for [at, at + size) without changing the file's size.  Where the file
 * system cannot, nothing happens and it is no error; ENOSPC, EDQUOT and EFBIG are.
 */
int file_allocate(const struct io *io, int fd, off_t at, off_t size, struct err *e);

/* The fd closed, -1 is fine.  What had to reach the disk was synced before, so no error counts. */
void file_close(const struct io *io, int fd);

/*
 * Locks of the open file description (F_OFD_SETLK): owned by the fd, freed by the kernel when its
 * last copy is closed, also by kill -9.  One byte is one lock; it need not exist in the file.
 * Two opens of one file in one process exclude each other too; an fd that already holds the lock
 * gets it again at once, and may so change its kind.  A shared lock needs an fd open for reading,
 * an exclusive one an fd open for writing (EBADF).
 */
enum file_lock { FILE_LOCK_SHARED, FILE_LOCK_EXCLUSIVE };

/*
 * Wait for the lock.  With timeout_ms < 0 for ever, in the kernel, which serves waiters about in
 * the order of their coming.  Otherwise until the timeout (boot time), then ETIMEDOUT: no call of
 * the kernel does that without a signal, so this tries again after pauses that grow from 0.2 to
 * 10 ms.  Such a waiter may miss its turn to those that wait in the kernel, and gets a free lock
 * up to 10 ms late; use it where the lock is held seldom, or where a wait must end.
 * A signal does not end the wait.
 */
int file_lock(int fd, off_t byte, enum file_lock kind, int64_t timeout_ms, struct err *e);

/* 1 taken, 0 somebody else holds it, -1 error. */
int file_try_lock(int fd, off_t byte, enum file_lock kind, struct err *e);

/* Does anybody hold it, other than through this fd?  Takes nothing, any fd will do. */
bool file_is_locked(int fd, off_t byte);

/* Give the lock back; also fine when it is not held. */
void file_unlock(int fd, off_t byte);

/*
 * The type of the file system, "nfs", "cifs", ..., when it crosses hosts, so that locks, shared
 * mappings and fsync cannot be relied on; NULL for a local one and where it cannot be told.  FUSE
 * counts as local: fstatfs(2) does not tell sshfs from a driver for a local disk.
 */
const char *file_remote_type(int fd);

#endif
