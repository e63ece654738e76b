/*
 * rowdir_impl: the inside of struct rowdir, for rowdir.c (batches), rowdir_open.c (changes of
 * files) and rowdir_read.c.
 */
#ifndef SHOAL_EVLOG_ROWDIR_IMPL_H
#define SHOAL_EVLOG_ROWDIR_IMPL_H

#include <fcntl.h>

#include "evlog/rowdir.h"
#include "evlog/rowdir_state.h"

#define OWN_DIR    ".evlog"
#define STATE_NAME "state"
#define STATE_MAX  (SIZE_MAX / 2)

struct row {
	struct buf path;  /* TABLE/KEY.json */
	struct buf old;   /* as its file has it; empty: there is none */
	uint64_t old_seq; /* of it */
	struct buf now;   /* when `changed`: what the batch makes of it; empty: removed */
	bool changed;
};

struct rowdir {
	const struct io *io;
	char *path, *name, *store;
	int dir, own_dir;
	mode_t mode;
	bool failed;

	/* The batch under way. */
	struct row *rows;
	size_t row_count;
	uint32_t *slots; /* hash table of row numbers + 1 */
	size_t slot_count;
	struct buf path_buf, merged, state;
};

/* Replace the files of a pending state, and mark it as applied. */
int rowdir_complete(struct rowdir *d, const struct rowdir_state *s, struct err *e);

/* EVLOG_FOREIGN: the model is another projection's. */
int rowdir_check_owner(const char *path, const struct rowdir_owner *o, const struct rowdir_state *s,
                       struct err *e);

/* rowdir_read_row() in an open directory. */
int rowdir_read_row_at(int dir, struct span path, struct buf *ret, struct err *e);

#endif
