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
	struct buf old;   /* before the batch; empty: there is none */
	uint64_t old_seq; /* of its file */
	struct buf now;   /* when `changed`: what the batch makes of it; empty: removed */
	bool changed;
	bool held; /* of a model that is being built: `old` is not in its file yet */
};

struct rowdir {
	const struct io *io;
	char *path, *name, *store;
	int dir, own_dir;
	mode_t mode;
	bool building;
	bool failed;
	uint64_t sequence; /* of the mark */

	/* The batch under way; of a model that is being built also rows of earlier ones. */
	struct row *rows;
	size_t row_count;
	uint32_t *slots; /* hash table of row numbers + 1 */
	size_t slot_count;
	uint32_t *changed; /* numbers of the rows that are; as many fit as rows */
	size_t changed_count;
	size_t held; /* bytes of rows that are not in their files */
	struct buf path_buf, merged, state;
};

/* Replace the files of a pending state, and mark it as applied. */
int rowdir_complete(struct rowdir *d, const struct rowdir_state *s, struct err *e);

/* Write the rows that are held to their files. */
int rowdir_write_held(struct rowdir *d, struct err *e);

/* EVLOG_FOREIGN: the model is another projection's. */
int rowdir_check_owner(const char *path, const struct rowdir_owner *o, const struct rowdir_state *s,
                       struct err *e);

/* rowdir_read_row() in an open directory. */
int rowdir_read_row_at(int dir, struct span path, struct buf *ret, struct err *e);

#endif
