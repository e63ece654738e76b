/*
 * wal_log: what the cmocka tests of a log's recovery share: a log in the test's directory, its
 * model, and ways to harm it.
 */
#ifndef SHOAL_TESTS_LIB_WAL_LOG_H
#define SHOAL_TESTS_LIB_WAL_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "wal_model.h"

#define ONE   "0000000000000001.wal"
#define TWO   "0000000000000002.wal"
#define THREE "0000000000000003.wal"

struct wal_log {
	struct err e;
	struct wal_model model; /* of the open log */
	struct wal_config cfg;
	struct buf note; /* of log_reopen(), a string */
};

extern struct wal_log wl;

void log_must(int r);

/* A log in the directory of place_open(), with a term and a vote. */
void log_begin(void **state);
void log_end(void);

/* Add n entries in a batch of their own. */
void log_batch(size_t n);
/* Batches until that segment is written to. */
void log_fill_segments(uint64_t segments);
/* Where the next record will stand in the segment being written. */
uint64_t log_used(void);

/* Open again, without a close, and check that it holds what `least` ops or more make. */
struct wal_recovered log_reopen(size_t least);
/* All of the model is there, and more can be added. */
void log_goes_on(void);
/* Opening is refused with this code and words, and changes no byte of this file. */
void log_refused(int code, const char *what, const char *name);

struct buf log_read_all(const char *name);
void log_write_at(const char *name, const void *p, size_t n, uint64_t at);
/* Another lowest bit in this byte. */
void log_flip(const char *name, uint64_t at);

#endif
