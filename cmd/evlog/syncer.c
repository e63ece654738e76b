/*
 * syncer: the sync of one commit goes on while the next one is read, decided and written.
 *
 * A thread with a handle of its own on the store, as another process would have: the two share
 * nothing but the request.  One request is under way at a time, and each commit still has its
 * own.
 */
#include <stdlib.h>

#include "aside.h"
#include "evlog.h"

struct syncer {
	struct evlog *store; /* the thread's */
	struct aside *aside;
	uint64_t sequence;
};

static int sync_request(void *arg, struct err *e)
{
	struct syncer *y = arg;

	return evlog_sync(y->store, y->sequence, e);
}

struct syncer *syncer_start(const struct evlog *s)
{
	const struct evlog_config cfg = {.lock_timeout_ms = -1};
	struct syncer *y = calloc(1, sizeof(*y));
	struct err e;

	if (y == NULL)
		return NULL;
	y->store = evlog_open(evlog_path(s), &cfg, NULL, &e);
	y->aside = y->store != NULL ? aside_start(sync_request, y) : NULL;
	if (y->aside != NULL)
		return y;
	evlog_close(y->store);
	free(y);
	return NULL;
}

void syncer_begin(struct syncer *y, const struct evlog *writer, uint64_t sequence)
{
	evlog_sync_for(y->store, writer);
	y->sequence = sequence;
	aside_begin(y->aside);
}

int syncer_wait(struct syncer *y, struct err *e)
{
	return aside_wait(y->aside, e);
}

void syncer_stop(struct syncer *y)
{
	if (y == NULL)
		return;
	aside_stop(y->aside);
	evlog_close(y->store);
	free(y);
}
