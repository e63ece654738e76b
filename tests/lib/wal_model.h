/*
 * wal_model: what a log ought to hold, for tests of lib/wal.
 *
 * Each call does one thing to a log and notes it.  A recovered log has to be what the first k of
 * these things make, for some k from those that were durable up to all.  The data of an entry
 * follows from its index and term.
 *
 * For cmocka tests, apart from wal_model_check(), which reports by *e.
 */
#ifndef SHOAL_TESTS_LIB_WAL_MODEL_H
#define SHOAL_TESTS_LIB_WAL_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wal/wal.h"

#define WAL_MODEL_OPS     2000
#define WAL_MODEL_ENTRIES 1000 /* the highest index */
#define WAL_MODEL_DATA    300  /* data of an entry is shorter, unless `large` is set */

#define WAL_MODEL_CLUSTER 0xc1ull
#define WAL_MODEL_NODE    0x0dull

struct wal_model_op {
	enum { MODEL_HARD, MODEL_APPEND, MODEL_TRUNCATE, MODEL_RESET, MODEL_COMPACT } type;
	uint64_t term, vote;
	struct raft_point point;
	uint64_t index; /* MODEL_COMPACT */
};

struct wal_model {
	struct wal *w; /* NULL: only the model is changed */
	struct wal_model_op ops[WAL_MODEL_OPS];
	size_t n;
	struct raft_point last;
	uint64_t term;
	size_t large; /* of data, for each entry; 0: by its index and term */
};

/* The config of the tests: io, dir, and segments of 4 KiB. */
struct wal_config wal_model_config(const struct io *io, int dir);

void wal_model_hard(struct wal_model *m, uint64_t term, uint64_t vote);
void wal_model_append(struct wal_model *m, uint64_t term, size_t n);
void wal_model_truncate(struct wal_model *m, uint64_t last);
/* A snapshot of this point is committed, and the log begins behind it. */
void wal_model_reset(struct wal_model *m, struct raft_point base);
/* A snapshot of `point` is committed, and entries up to index may be gone. */
int wal_model_compact(struct wal_model *m, struct raft_point point, uint64_t index, struct err *e);
uint64_t wal_model_term(const struct wal_model *m, uint64_t index);

/* Write and sync. */
int wal_model_sync(struct wal_model *m, struct err *e);

/* A snapshot whose bytes follow from its point. */
int wal_model_snapshot(const struct io *io, int dir, struct raft_point at, struct err *e);

/* 0 when what was recovered is what some first k >= least of the ops make. */
int wal_model_check(const struct wal_model *m, size_t least, const struct wal_recovered *r,
                    struct err *e);

#endif
