/*
 * aside: a thread for one thing that takes time, a sync, while the program goes on.
 *
 * The function runs once for each aside_begin(), and has ended when aside_wait() returns; what it
 * uses is its own in between.  Signals stay with the main thread.
 */
#ifndef SHOAL_EVLOG_CMD_ASIDE_H
#define SHOAL_EVLOG_CMD_ASIDE_H

#include "base/err.h"

struct aside;

typedef int aside_fn(void *arg, struct err *e);

struct aside *aside_start(aside_fn *fn, void *arg); /* NULL: not possible, do without */
void aside_begin(struct aside *a);
int aside_wait(struct aside *a, struct err *e); /* the result; 0 also when nothing was begun */
void aside_stop(struct aside *a);               /* waits; NULL is fine */

#endif
