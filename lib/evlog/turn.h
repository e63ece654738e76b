/*
 * turn: who may decide on a stream next, when many want to at once.
 *
 * Commands that lose against each other again and again get their way one after another: who
 * takes the turn of a stream keeps those back that pass its barrier before each try.  It is an
 * arrangement among commands for speed and fairness; that no update is lost is the expected
 * version's doing, and who just appends neither waits nor asks.  So a wait may end early, and a
 * holder that is slow has to let go after TURN_MAX_MS.
 *
 * The turn is a lock of the open file description (os/file.h) on a byte of the store's lock
 * file, 2^32 + 32 bits of a hash of the stream: the kernel frees it when its holder dies.  Two
 * streams with one hash wait for each other, which does no harm.
 */
#ifndef SHOAL_EVLOG_TURN_H
#define SHOAL_EVLOG_TURN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "evlog/store.h"

#define TURN_MAX_MS 1000 /* a holder lets go after that; so long do others wait for it */

struct turn {
	int fd; /* borrowed from the store */
	off_t byte;
	bool held;
};

void turn_init(struct turn *t, const struct evlog *s, struct span stream);

/* The barrier: 1 nobody has the turn, 0 somebody had it all the time, -1. */
int turn_pass(const struct turn *t, int64_t timeout_ms, struct err *e);

/* Take it: 1 (also when it is held already), 0 somebody else had it all the time, -1. */
int turn_take(struct turn *t, int64_t timeout_ms, struct err *e);

/* Let go; also fine when it is not held. */
void turn_release(struct turn *t);

#endif
