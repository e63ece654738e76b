/*
 * modelref: where the model of a projection is, for those who know only its name.
 *
 * A file cursors/NAME@model of the store: "evlog-model 1", LF, and the target as it stands behind
 * --into, with an absolute path: "sqlite:/var/lib/orders.db".  What is in the model, the model
 * itself tells (mark.h).
 */
#ifndef SHOAL_EVLOG_MODELREF_H
#define SHOAL_EVLOG_MODELREF_H

#include "base/buf.h"
#include "base/err.h"
#include "evlog/store.h"

#define MODELREF_MAX 8192u /* bytes of a target */

/*
 * Note it; nothing is written when it is noted already.  The projection's cursor is held and was
 * saved once, so that its directory is there.
 */
int modelref_save(struct evlog *s, const char *name, const char *target, struct err *e);

/* Append the target as a C string: 1, 0 there is no such projection. */
int modelref_read(struct evlog *s, const char *name, struct buf *target, struct err *e);

#endif
