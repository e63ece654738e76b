/*
 * handled: commands that were carried out, by their ids, so that none is carried out twice.
 *
 * In the commit of a command's events one more event of type `evlog.handled` is written to the
 * stream `$handled-STREAM`, with the command's id as its own, and data that give its receipt again:
 *
 *	{"version":"7","count":2}	the stream's last version then, and events written
 *	{"version":"7","count":0,"sequence":"..."}	with none, the sequence of that version
 *	{"version":"none","count":0}
 */
#ifndef SHOAL_EVLOG_CMD_HANDLED_H
#define SHOAL_EVLOG_CMD_HANDLED_H

#include <stdbool.h>
#include <stdint.h>

#include "evlog.h"

#define HANDLED_PREFIX     "$handled-"
#define HANDLED_PREFIX_LEN 9
#define HANDLED_STREAM_MAX (FRAME_NAME_MAX - HANDLED_PREFIX_LEN)
#define HANDLED_ID_MAX     (FRAME_NAME_MAX - 6) /* with ":65534" behind it an event's id */

/* What became of a command. */
struct outcome {
	bool exists;          /* the stream has events, and the next three hold */
	uint32_t first, last; /* versions written; first only with count or known */
	uint64_t seq;         /* of last */
	uint32_t count;       /* events written */
	uint32_t known;       /* events that were there already */
	bool duplicate;
};

struct handled {
	struct span id;
	struct buf stream; /* its name */
	struct event_parser parser;
};

/* The parser's attributes are set by the caller.  The id is borrowed. */
void handled_init(struct handled *h, struct span stream, struct span id);
void handled_done(struct handled *h);

/* Was the command carried out?  Then what its receipt says. */
bool handled_find(struct handled *h, struct evlog *s, struct outcome *ret);

/* Add the event that says so to a commit. */
int handled_add(struct handled *h, struct evlog *s, struct commit *c, const struct outcome *o,
                struct err *e);

/* The receipt: {"stream":"a","first":"0","last":"2",...} with LF. */
void outcome_put(struct buf *b, struct span stream, const struct outcome *o);

#endif
