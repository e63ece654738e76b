/*
 * rowdir: a model as a directory of files, one for each row.
 *
 *	DIR/TABLE/KEY.json   a row (row.h), with LF
 *	DIR/.evlog/state     the mark, and the rows that the last batch has changed
 *
 * A batch is first written to `state`, whole and on disk, then the files are replaced one by one.
 * Who opens a model whose last batch is not marked as applied replaces its files again.  So after
 * a crash at any point the model is as before the batch, or as after it; in between readers see
 * some rows before others.  One process at a time may have a model open to change it: the caller
 * sees to that (it holds the cursor of the projection).
 */
#ifndef SHOAL_EVLOG_ROWDIR_H
#define SHOAL_EVLOG_ROWDIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "evlog/mark.h"
#include "os/file.h"

struct rowdir;

struct rowdir_owner {
	const char *name;  /* of the projection */
	const char *store; /* the uuid of the store, in hex */
};

struct rowdir_config {
	const struct io *io; /* NULL: io_os */
	mode_t mode;         /* of files; directories get x where there is r */
	bool building;       /* nobody looks at it before rowdir_finish() */
	struct rowdir_owner owner;
};

/*
 * Open a model for changes, making it if need be, and complete its last batch.  *ret: its mark;
 * sequence 0 and an empty program for a new one.  The directory above must be there.
 * EVLOG_FOREIGN: the model of another projection or store, or a directory with other files.
 */
struct rowdir *rowdir_open(const char *path, const struct rowdir_config *cfg, struct mark *ret,
                           struct err *e);
void rowdir_close(struct rowdir *d);

/*
 * The end of a model that is being built: until now its rows were in memory, up to
 * ROWDIR_HOLD_MAX bytes of them, and nothing was synced.  Afterwards they are in their files; the
 * caller syncs the file system.
 */
#define ROWDIR_HOLD_MAX (256u << 20)
int rowdir_finish(struct rowdir *d, const struct mark *to, struct err *e);

/* The outputs of an event (output.h): a line of JSON, borrowed. */
struct rowdir_event {
	uint64_t seq;
	struct span outputs;
	char *why; /* poison: why it cannot be applied; malloc'ed, NULL at first */
};

/*
 * Apply the outputs of events in their order and set the mark: 0, all of it is on disk (unless the
 * model is being built).  1:
 * nothing was done, because of events that have `why` now; without `all` only the first one is
 * looked for.  Events up to the "_sequence" of a row have no effect on it.
 */
int rowdir_apply(struct rowdir *d, struct rowdir_event *events, size_t count, bool all,
                 const struct mark *to, struct err *e);

/*
 * Look at a model without opening it: 1, 0 there is none.  *ret_in_files: while a batch is being
 * applied, the sequence that the files have come to, one before that of the mark.
 */
int rowdir_read_mark(const char *path, const struct rowdir_owner *owner, struct mark *ret,
                     uint64_t *ret_in_files, struct err *e);

/*
 * A row by the path that row_put_path_of() makes, without LF: 1 and appended to *ret, 0 there is
 * none.  As of the mark or newer.
 */
int rowdir_read_row(const char *path, struct span row, struct buf *ret, struct err *e);

/* The names of the tables, each with its NUL, appended to *names. */
int rowdir_tables(const char *path, struct buf *names, struct err *e);

#endif
