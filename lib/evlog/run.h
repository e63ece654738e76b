/*
 * run: an immutable index file: 64-bit key -> sequence, for a range of sealed segments.
 *
 * Entries lie in key order in a table with gaps, each at the place its key points to or a little
 * behind: a lookup touches one block, and two runs are merged by one pass over both.  The file
 * is a row of blocks of RUN_BLOCK bytes; each ends in a CRC32C that covers its number, so that a
 * block that never reached the disk is found out.  A run is disposable: what fails its check is
 * deleted and made anew from the log.
 *
 * File name: FAMILY.FIRST-LAST, the sequences it covers, 16 hex digits each.  Family `heads` maps
 * a stream to its newest event (equal keys: the newer wins), `ids` maps an event id (equal keys
 * are kept, the log tells them apart).
 */
#ifndef SHOAL_EVLOG_RUN_H
#define SHOAL_EVLOG_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "evlog/active.h"
#include "os/file.h"

#define RUN_BLOCK    4096u
#define RUN_NAME_MAX 64

enum run_family { RUN_HEADS, RUN_IDS };

struct run {
	const unsigned char *map;
	size_t size;
	uint64_t first, last; /* sequences covered */
	uint64_t entries;
	uint64_t slots;          /* a multiple of the slots in a block */
	unsigned char *verified; /* a bit a block: its CRC was checked by this process */
};

void run_name(char name[RUN_NAME_MAX], enum run_family f, uint64_t first, uint64_t last);
/* Whether a file name is a run's, and which. */
bool run_parse_name(const char *name, enum run_family *f, uint64_t *first, uint64_t *last);

/* EBADMSG: not a sound run. */
int run_open(struct run *r, int dir, const char *name, struct err *e);
void run_close(struct run *r);

/*
 * Walk over the entries under a key: *at starts as RUN_FIRST.  1 and *seq, 0 no more, -1 with
 * EBADMSG when a block fails its check.
 */
#define RUN_FIRST UINT64_MAX
int run_next(const struct run *r, uint64_t key, uint64_t *at, uint64_t *seq, struct err *e);

/* Walk over all entries in key order: *at starts as 0; results as run_next(). */
int run_each(const struct run *r, uint64_t *at, struct active_slot *entry, struct err *e);

/*
 * Write a run from n entries that are sorted by key, then sequence.  `durable`: fsync before it
 * gets its name.  An existing file of that name is replaced.
 */
int run_write(const struct io *io, int dir, mode_t mode, enum run_family f, uint64_t first,
              uint64_t last, const struct active_slot *sorted, size_t n, bool durable,
              struct err *e);

/* Merge adjacent runs, oldest first, into one durable run. */
int run_merge(const struct io *io, int dir, mode_t mode, enum run_family f, const struct run *runs,
              size_t n, struct err *e);

void run_prefetch(const struct run *r, uint64_t key);

#endif
