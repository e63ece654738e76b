/*
 * rowdir_model: what a model of files must hold after each event, told by a second, simple way.
 *
 * Events are numbers: event n changes some of a few rows of two tables in a way that n decides.
 */
#ifndef SHOAL_TESTS_LIB_ROWDIR_MODEL_H
#define SHOAL_TESTS_LIB_ROWDIR_MODEL_H

#include <stdint.h>

#include "base/err.h"
#include "evlog/rowdir.h"

#define ROWDIR_MODEL_EVENTS 64 /* of a batch at most */

struct rowdir *rowdir_model_open(const char *path, const struct io *io, struct mark *ret,
                                 struct err *e);

/* Apply the events (from, to] as one batch: as rowdir_apply(). */
int rowdir_model_apply(struct rowdir *d, uint64_t from, uint64_t to, struct err *e);

/* Is the model at `path` just what events 1 to `seq` make?  -1 and what differs. */
int rowdir_model_check(const char *path, uint64_t seq, struct err *e);

#endif
