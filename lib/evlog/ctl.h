/*
 * ctl: what the processes of one store tell each other, one page mapped shared.
 *
 * Disposable: the log alone decides.  The page is believed only while it is of this boot and of
 * this very log file (inode, length and time of last change agree); else it is made anew by a scan
 * of the active segment.  Fields marked W are written under the writer lock, S under the lock of
 * the process that syncs; all may be read at any time by atomic loads.
 */
#ifndef SHOAL_EVLOG_CTL_H
#define SHOAL_EVLOG_CTL_H

#include <stdint.h>

#define CTL_NAME    "ctl"
#define CTL_MAGIC   "evlctl1"
#define CTL_SIZE    4096
#define CTL_VERSION 1u

struct ctl {
	char magic[8];
	uint32_t version;
	uint32_t gen; /* futex word: changes when durable, base or poison do */
	unsigned char boot_id[16];
	unsigned char uuid[16];
	uint64_t base;       /* W: first sequence of the active segment, its file's name */
	uint64_t written;    /* W: last sequence in the log */
	uint64_t size;       /* W: length of the active segment */
	uint64_t allocated;  /* W: bytes that have disk blocks, at least size */
	uint64_t durable;    /* S: last sequence that is on disk */
	uint64_t ino;        /* W: of the active segment */
	uint64_t mtime_ns;   /* W: of the active segment after the last write */
	uint64_t time_ns;    /* W: recorded time of the last event */
	uint32_t dirty;      /* W: a write is under way; found set, it was cut short */
	uint32_t poison;     /* errno of a failed sync: writers stop until repair */
	uint32_t damaged;    /* damage was found: writers stop until repair */
	uint32_t active_gen; /* W: index/active was replaced */
	uint32_t index_gen;  /* runs or segments changed */
	uint32_t epoch;      /* W: repair has cut what was not acknowledged */
	uint64_t commits, syncs, conflicts, rolls; /* since the page was made, for stat */
	uint32_t log_gen;                          /* sealed segments were replaced */
};

static inline uint64_t ctl_get(const uint64_t *field)
{
	return __atomic_load_n(field, __ATOMIC_ACQUIRE);
}

static inline void ctl_set(uint64_t *field, uint64_t v)
{
	__atomic_store_n(field, v, __ATOMIC_RELEASE);
}

static inline uint32_t ctl_get32(const uint32_t *field)
{
	return __atomic_load_n(field, __ATOMIC_ACQUIRE);
}

static inline void ctl_set32(uint32_t *field, uint32_t v)
{
	__atomic_store_n(field, v, __ATOMIC_RELEASE);
}

#endif
