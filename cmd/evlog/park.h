/*
 * park: events that a program could not take, set aside so that it can go on.
 *
 * They become events of type `evlog.parked` in the stream `$parked-NAME`, with the sequence of the
 * event as id, so that parking one twice (a crash before the cursor is saved) writes it once:
 *
 *	{"sequence":"...","stream":"order-42","type":"Paid","reason":"exit 65","stderr":"..."}
 */
#ifndef SHOAL_EVLOG_CMD_PARK_H
#define SHOAL_EVLOG_CMD_PARK_H

#include "feed.h"

struct park {
	const char *name;   /* of the consumer or projection, without its member */
	const char *reason; /* "exit 65" */
	struct span err;    /* the end of the program's stderr; cut to PARK_STDERR_MAX bytes */
};

#define PARK_STDERR_MAX 1024u

/*
 * Park the events [from, from + count) of a batch.  On success they are durable: the cursor may
 * move over them.  Waits for other writers as the store was opened to.
 */
int park_events(struct evlog *s, const struct park *p, const struct feed_batch *b, size_t from,
                size_t count, struct err *e);

#endif
