/*
 * evlog_model: a small store that is made once, and copied, spoiled and opened again many times.
 *
 * For cmocka tests: each function fails the test when it cannot do its work.
 */
#ifndef SHOAL_TESTS_LIB_EVLOG_MODEL_H
#define SHOAL_TESTS_LIB_EVLOG_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "evlog/admin.h"
#include "evlog_check.h"

#define MODEL_COMMITS_MAX 64

/* The second segment of model_small(). */
#define MODEL_LOG "log/0000000000000003.evl"

struct model {
	char *root;
	char from[300], to[300]; /* the store, and its copy */
	struct acks acks;
	size_t end[MODEL_COMMITS_MAX];   /* where the newest segment's n-th commit ends */
	uint64_t seq[MODEL_COMMITS_MAX]; /* and its last sequence */
	size_t commits;
	size_t bit; /* for messages */
	struct err e;
	struct buf note; /* of the last model_open() */
};

/* An empty store with segments of EVLOG_SEGMENT_MIN, in memory where there is such a place. */
struct model model_begin(void);
void model_end(struct model *m);

/* Two segments: 1-2, and from 3 on single and multi event commits over several streams. */
struct model model_small(void);

/*
 * Sealed segments and the active one.  Streams a (deleted, and goes on), b (deleted for good) and d
 * (deleted) can lose MODEL_SHRINKS events in all; c and e keep theirs.  Each commit has one event
 * of a to e in this order.
 */
struct model model_shrinkable(void);
#define MODEL_SHRINKS 25

void model_must(struct model *m, int r);
struct evlog *model_open(struct model *m, const char *dir);
/* Did the last opening say so? */
bool model_notes(struct model *m, const char *text);

/* One commit, with a sync and acknowledged, or without. */
void model_put(struct model *m, struct evlog *s, const char *words, bool sync);
/* How many were acknowledged up to a sequence. */
size_t model_acked(const struct model *m, uint64_t seq);

enum { KEEP_CTL = 1, KEEP_INDEX = 2 };

/* A new copy at m->to, with or without what is disposable. */
void model_copy(struct model *m, int keep);
/* A file of the copy, open for reading and writing. */
int model_file(struct model *m, const char *name);

/* Compact: how many events went. */
uint64_t model_compact(struct model *m, struct evlog *s);
/* The closed store in a directory is sound, but for what compactions may take. */
void model_check(struct model *m, const char *dir, unsigned checks);

/* For evlog_verify() and evlog_repair(): counts faults in *(int *)arg. */
int model_count(const struct finding *f, void *arg, struct err *e);

#endif
