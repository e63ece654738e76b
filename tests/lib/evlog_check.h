/*
 * evlog_check: what every store must hold true, and small commits for its tests.
 *
 * The checks report by -1 and *e and never jump out, so that they serve in images of record_io and
 * in programs without cmocka.  A commit is a line of words, one event each:
 *
 *	STREAM[=ID][*BYTES][?EXPECT]	"a", "a=id-1?none", "b*5000", "c?7"
 *	~STREAM, !STREAM		the stream is deleted, or for good
 *
 * The data of an event is made from its id and BYTES (20 by default), so the same word is the same
 * event and another BYTES is another event under the same id.
 */
#ifndef SHOAL_TESTS_LIB_EVLOG_CHECK_H
#define SHOAL_TESTS_LIB_EVLOG_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "evlog/append.h"
#include "evlog/cursor.h"
#include "evlog/read.h"
#include "evlog/store.h"

#define CHECK_NAME_MAX 48

/* Recorded times of test events: this and one more ns for each. */
#define CHECK_TIME_NS INT64_C(1700000000000000000)

/* When a cursor is saved at a sequence. */
#define CHECK_CURSOR_NS(seq) (CHECK_TIME_NS + INT64_C(1000) * (int64_t)(seq))

/* An event that somebody was told to be on disk. */
struct acked {
	uint64_t seq;
	uint32_t version;
	uint32_t crc; /* of type, a space, data */
	char stream[CHECK_NAME_MAX];
	char id[CHECK_NAME_MAX];
};

struct acks {
	struct acked *v;
	size_t n, cap;
};

void acks_done(struct acks *a);
struct acked *acks_add(struct acks *a);

/* A new store in an existing or new directory; all have the same uuid. */
int check_create(const char *dir, uint64_t segment_size, const struct io *io, struct err *e);

/* With notes dropped; io NULL is io_os. */
struct evlog *check_open(const char *dir, const struct io *io, struct err *e);

/* Add the events of a line of words to a commit. */
int check_fill(struct evlog *s, struct commit *c, const char *words, struct err *e);

/* Commit the words (atomic), without a sync; r (may be NULL) without receipts. */
int check_commit(struct evlog *s, const char *words, struct commit_result *r, struct err *e);

/* Commit the words and sync; what is acknowledged by that is added to a (may be NULL). */
int check_append(struct evlog *s, const char *words, struct acks *a, struct err *e);

/* Save a cursor at a sequence, for the selector --all. */
int check_save_cursor(struct cursor *c, uint64_t seq, struct err *e);

/* The events of a commit that was written by evlog_commit(), as acknowledged. */
void check_note_commit(struct acks *a, const struct commit *c, size_t n);

enum {
	CHECK_DEEP = 1,    /* evlog_verify(deep) finds no fault */
	CHECK_APPEND = 2,  /* one more append works, and is there */
	CHECK_NO_LOSS = 4, /* nobody says that acknowledged events are lost */
	CHECK_ALL = 7,
	CHECK_SHRUNK = 8 /* of each stream a beginning may be gone, also of what was acknowledged */
};

/*
 * Walk an open store: no damage, sequences dense from 1, versions dense in each stream, prev,
 * jump and recorded times right, ids unique in their stream, each of `a` (may be NULL) there with
 * its content, and what `checks` say.
 */
int evlog_check_store(struct evlog *s, const struct acks *a, unsigned checks, struct err *e);

/* Open, evlog_check_store(), close. */
int evlog_check_dir(const char *dir, const struct acks *a, unsigned checks, struct err *e);

#endif
