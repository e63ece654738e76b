/*
 * fold: the state of a stream, from its events and a program (evolve.h), with snapshots.
 *
 * A fold may be asked again after the stream has grown: only the new events are read then.
 * What it cannot answer ends the program: damage and gaps (8), an error in the program (65), a
 * stream deleted for good (12), a timeout (124), a signal (128+N).  A state without some of its
 * events would be worse than none.
 */
#ifndef SHOAL_EVLOG_CMD_FOLD_H
#define SHOAL_EVLOG_CMD_FOLD_H

#include "evlog.h"
#include "evolve.h"

#define FOLD_SNAPSHOT_EVERY 1000
#define FOLD_TIMEOUT_MS     60000

/* What -e, --init, --snapshot-every and --timeout say. */
struct fold_spec {
	struct evolve_spec evolve;
	uint64_t snapshot_every; /* events; 0: neither take nor use any */
	/* private: */
	struct buf init;
};

void fold_spec_init(struct fold_spec *spec);
bool fold_option(struct fold_spec *spec, const struct opts *o, int id); /* false: another one */
void fold_check(const struct fold_spec *spec);                          /* -e was given */
void fold_spec_done(struct fold_spec *spec);

struct fold {
	struct evlog *s;
	struct span stream;
	const struct fold_spec *spec;
	/* After fold_update(): */
	bool exists;      /* it has events */
	uint32_t version; /* of the last one that is folded */
	uint32_t head;    /* the stream's last version */
	uint64_t seq;     /* and its sequence */
	/* private: */
	struct evolve *evolve;
	struct event_writer writer;
	struct buf source;
	struct snapshot_key key;
	bool keeps; /* snapshots can be used */
	bool begun;
	uint32_t next; /* version to fold next */
	uint32_t base; /* versions below were folded by somebody before us */
	struct seqs seqs;
};

/* Everything is borrowed until fold_close(). */
void fold_open(struct fold *f, struct evlog *s, struct span stream, const struct fold_spec *spec);
void fold_close(struct fold *f);

/* Fold what is on disk now, up to a version (UINT32_MAX: all). */
void fold_update(struct fold *f, uint32_t up_to);

/* The state of it, borrowed until the next call; kept as a snapshot when it is due. */
struct span fold_state(struct fold *f);

#endif
