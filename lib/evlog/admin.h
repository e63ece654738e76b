/*
 * admin: looking after a store: verify, repair, reindex, stat, backup, restore.
 */
#ifndef SHOAL_EVLOG_ADMIN_H
#define SHOAL_EVLOG_ADMIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "evlog/read.h"
#include "evlog/store.h"

enum finding_kind {
	FINDING_DAMAGE,   /* bytes in the middle of the log are no event */
	FINDING_LOST,     /* acknowledged events were lost at the end of the log */
	FINDING_TORN,     /* a torn tail that the next writer will cut; no fault */
	FINDING_ORDER,    /* sequence, version, prev, jump or time out of order */
	FINDING_INDEX,    /* the index differs from the log; reindex mends it */
	FINDING_POISONED, /* a sync failed */
	FINDING_SEAL      /* a sealed segment's last line is missing or wrong */
};

struct finding {
	enum finding_kind kind;
	struct damage where;
	char text[160];
};

const char *finding_name(enum finding_kind k); /* "damage", "lost", ... */
typedef int finding_fn(const struct finding *f, void *arg, struct err *e);

/*
 * Check the log up to what is durable now: each CRC, dense sequences, and with `deep` versions,
 * pointers and the index.  Changes nothing.  The number of faults (torn tails are none), or -1.
 */
int64_t evlog_verify(struct evlog *s, bool deep, finding_fn *fn, void *arg, struct err *e);

/*
 * Bring a store back to where it can be written: damaged ranges become stubs (the segment as it
 * was goes to lost/), what a failed sync left undecided is cut, losses are taken as known.  Reports
 * what it did through fn.
 */
int evlog_repair(struct evlog *s, finding_fn *fn, void *arg, struct err *e);

/* Throw the index away and make it anew from the log. */
int evlog_reindex(struct evlog *s, struct err *e);

struct evlog_stat {
	char uuid[33];
	uint64_t events, streams, segments;
	uint64_t events_removed; /* by compact, all time */
	uint64_t last_sequence, durable_sequence;
	uint64_t log_bytes, index_bytes;
	uint64_t first_time_ns, last_time_ns; /* recorded, 0 when empty */
	uint64_t lost_events;                 /* acknowledged and lost, all time */
	uint64_t lost_open;                   /* of these, not yet taken as known by repair */
	uint32_t poison;                      /* errno, 0 for none */
	bool damaged;
	uint64_t segment_size;
	uint64_t commits, syncs, conflicts, rolls; /* since the machine booted */
};
int evlog_get_stat(struct evlog *s, struct evlog_stat *st, struct err *e);

/* Call fn for each record of lost acknowledged events that repair has not taken as known. */
int evlog_each_lost(struct evlog *s, finding_fn *fn, void *arg, struct err *e);
/* And those it has. */
int evlog_each_known_loss(struct evlog *s, finding_fn *fn, void *arg, struct err *e);

/*
 * Copy a store while it is used: sealed segments as hard links where the file system can, else
 * copies, the active one up to what is durable; MANIFEST names each file with length and BLAKE2b.
 * An existing backup of the same store is brought up to date.  *ret_last: its last sequence.
 */
int evlog_backup(struct evlog *s, const char *to, bool copy, uint64_t *ret_last, struct err *e);

/* Make a store from a backup whose MANIFEST holds; `to` must not exist or be empty. */
int evlog_restore(const char *from, const char *to, const struct io *io, struct err *e);

#endif
