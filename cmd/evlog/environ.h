/*
 * environ: what a command that is started for a batch finds in its environment: EVLOG_STORE,
 * EVLOG_FIRST and EVLOG_LAST (sequences), and for a batch of one event EVLOG_CORRELATION and
 * EVLOG_CAUSATION, so that what it appends says why.
 */
#ifndef SHOAL_EVLOG_CMD_ENVIRON_H
#define SHOAL_EVLOG_CMD_ENVIRON_H

#include "feed.h"

#define ENVIRON_MAX 6

/* Zeroed at first; environ_done() it. */
struct environ {
	const char *v[ENVIRON_MAX + 1]; /* as struct proc_spec wants it; until the next make */
	/* private: */
	struct buf text;
	size_t at[ENVIRON_MAX];
	size_t n;
};

int environ_make(struct environ *v, const struct evlog *s, const struct feed_batch *b,
                 struct err *e);
void environ_done(struct environ *v);

#endif
