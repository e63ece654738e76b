/*
 * active: the tables of the segment that is being written.
 *
 * One file, index/active, mapped shared by all processes: where each event of the segment
 * begins, the newest event of each stream that has one here, and the keys of all event ids here.
 * Disposable: it is rebuilt by one scan of the segment whenever it cannot be trusted.  Only the
 * holder of the writer lock changes it; readers look without a lock, so a slot's value is stored
 * before its key, and every answer is a hint that the log confirms.
 *
 * The tables never fill: capacity is in events, each table has twice as many slots.  A larger one
 * is a new file renamed over the old one; ctl.active_gen tells other processes to map it anew.
 */
#ifndef SHOAL_EVLOG_ACTIVE_H
#define SHOAL_EVLOG_ACTIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

#define ACTIVE_EVENTS_MIN 256u
#define ACTIVE_EVENTS_MAX (1u << 20) /* a segment is rolled before it holds more */

struct active_slot {
	uint64_t key; /* 0: empty */
	uint64_t seq;
};

struct active {
	void *map; /* NULL: not mapped */
	size_t size;
	uint32_t gen;
	uint32_t capacity; /* events */
	unsigned shift;    /* 64 - log2 of the slots */
	uint64_t base;     /* sequence of the segment's first event */
	uint32_t *offset;  /* [seq - base]: offset of the frame in the segment */
	struct active_slot *heads, *ids;
};

/*
 * Make empty tables for a segment and map them.  dir < 0: in private memory only (a reader that
 * may not write).  The file appears under its name when it is complete.
 */
int active_create(struct active *a, int dir, mode_t mode, uint64_t base, uint32_t capacity,
                  struct err *e);

/* Map the file that is there; ENOENT, or EBADMSG when it is not of this base or form. */
int active_open(struct active *a, int dir, bool writable, uint64_t base, struct err *e);
void active_close(struct active *a);

/* The same entries with at least `capacity`: replaces the file and the mapping. */
int active_enlarge(struct active *a, int dir, mode_t mode, uint32_t capacity, struct err *e);

/* The last sequence the tables know: what tells tables that were left behind from good ones. */
uint64_t active_seq(const struct active *a);
void active_set_seq(struct active *a, uint64_t seq);

/* The newest event under a head key; 0 for none. */
uint64_t active_head(const struct active *a, uint64_t key);
void active_set_head(struct active *a, uint64_t key, uint64_t seq);

/* Keys of ids may repeat: *at starts as ACTIVE_FIRST and walks over all events under the key. */
#define ACTIVE_FIRST SIZE_MAX
uint64_t active_next_id(const struct active *a, uint64_t key, size_t *at);
void active_add_id(struct active *a, uint64_t key, uint64_t seq);

/* All entries of a table, sorted by key, then sequence: *ret is malloc'ed, the count returned. */
ssize_t active_sorted(const struct active *a, const struct active_slot *table,
                      struct active_slot **ret, struct err *e);

/* Have the cache line of a key on its way before it is needed. */
static inline void active_prefetch(const struct active *a, uint64_t key)
{
	__builtin_prefetch(&a->heads[key >> a->shift]);
}

static inline void active_prefetch_id(const struct active *a, uint64_t key)
{
	__builtin_prefetch(&a->ids[key >> a->shift], 1);
}

#endif
