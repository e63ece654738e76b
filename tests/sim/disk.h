/*
 * disk: a simulated disk, in memory, behind the table of I/O calls.
 *
 * Each disk has one process on it at a time.  A file is bytes in the page cache and bytes on the
 * platter, in sectors of 512; a write goes to the cache and makes sectors dirty, a sync brings them
 * to the platter.  A name is in the directory at once and on the platter after an fsync of the
 * directory.  The loss of power leaves of what was not synced a random subset: each dirty sector,
 * the new size or the old one or one between (with zeros where no data came), each change of a
 * name.
 *
 * fds are numbers that the kernel does not know; there is one table of them for the program.
 */
#ifndef SHOAL_SIM_DISK_H
#define SHOAL_SIM_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "os/file.h"

#define DISK_SECTOR 512

extern const struct io disk_io;

/* Calls that fail; each is armed for the n-th call from now, once. */
enum disk_fault {
	DISK_SYNC_EIO,   /* fdatasync or fsync: what was dirty is dropped, or reached the platter */
	DISK_WRITE_FULL, /* pwrite, fallocate: ENOSPC */
	DISK_WRITE_SHORT, /* pwrite: some of the bytes */
	DISK_READ_EIO,    /* pread */
	DISK_FAULTS
};

struct disk;

struct disk *disk_new(uint64_t seed);
void disk_free(struct disk *d);

/* The fd of the root directory; all fds are gone after disk_kill(). */
int disk_root(struct disk *d);

/* The process is gone: its fds are closed, the cache stays. */
void disk_kill(struct disk *d);

/* The power is gone, and the process with it. */
void disk_power_loss(struct disk *d);

/* All is lost. */
void disk_wipe(struct disk *d);

void disk_arm(struct disk *d, enum disk_fault f, unsigned nth);
void disk_disarm(struct disk *d);
/* How many faults of a kind happened. */
unsigned disk_hits(const struct disk *d, enum disk_fault f);

/*
 * The files, of this directory and those below, in the order of their making: their names (valid
 * until the next change) and sizes, or false when there is no i-th.
 */
bool disk_file(const struct disk *d, unsigned i, struct span *ret_name, size_t *ret_size);

/* Flip a bit of the i-th file, in the cache and on the platter. */
void disk_rot(struct disk *d, unsigned i, size_t at, unsigned bit);

/* A byte of a file; 0 behind the end. */
unsigned char disk_byte(const struct disk *d, unsigned i, size_t at);

/* Bytes that are not on the platter yet. */
size_t disk_dirty(const struct disk *d);

#endif
