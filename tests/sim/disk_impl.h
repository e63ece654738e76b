/*
 * disk_impl: what the halves of the simulated disk share.
 */
#ifndef SHOAL_SIM_DISK_IMPL_H
#define SHOAL_SIM_DISK_IMPL_H

#include "disk.h"

#define DISK_NAME_MAX 63

struct inode {
	struct inode *next; /* the disk's list, in the order of making */
	bool is_dir;
	bool seen;     /* by the search for what nobody refers to */
	int locked_by; /* an fd, or -1 */
	unsigned opens;

	/* A file.  Both arrays have room for cap bytes, zero behind the sizes. */
	unsigned char *cache, *platter;
	size_t size, platter_size, cap;
	uint64_t *dirty; /* a bit for each sector */

	/* A directory. */
	struct entry *entries, *kept;
	size_t count, kept_count;
	struct change *changes;
	size_t change_count;
};

struct entry {
	char name[DISK_NAME_MAX + 1];
	struct inode *inode;
};

/* What is not on the platter yet: a name that is taken, or one that is gone, or both at once. */
struct change {
	char gone[DISK_NAME_MAX + 1];
	char made[DISK_NAME_MAX + 1];
	struct inode *inode;
};

struct disk {
	uint64_t rand;
	struct inode *inodes;
	struct inode *root;
	unsigned armed[DISK_FAULTS];
	unsigned hits[DISK_FAULTS];
};

/* Is the fault due at this call? */
bool disk_is_due(struct disk *d, enum disk_fault f);

struct inode *disk_inode_new(struct disk *d, bool is_dir);
/* Room for bytes up to n; 0 or -1. */
int disk_inode_reserve(struct inode *f, size_t n);
void disk_inode_mark(struct inode *f, size_t from, size_t to);
/* The dirty sectors reach the platter, or each with a chance of one half. */
void disk_inode_sync(struct inode *f);
void disk_inode_lose(struct disk *d, struct inode *f);
/* Inodes without a name and an open fd are freed. */
void disk_collect(struct disk *d);
/* The fds of a disk are closed. */
void disk_close_all(struct disk *d);

struct entry *disk_find(struct inode *dir, const char *name);
/* `gone` leaves the directory, `made` is in it; either may be NULL. */
int disk_change(struct inode *dir, const char *gone, const char *made, struct inode *inode);
void disk_dir_sync(struct inode *dir);
void disk_dir_lose(struct disk *d, struct inode *dir);

#endif
