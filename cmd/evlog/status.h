/*
 * status: --status-fd N, one line of JSON for each thing that has become so.
 *
 *	status_begin(&st, "acked");
 *	status_seq(&st, "last", seq);
 *	if (status_end(&st, &e) < 0) ...
 *
 * gives {"event":"acked","last":"00000000000000000042"}, in one write.  Call it after the fact is
 * durable.  Without --status-fd nothing happens.
 */
#ifndef SHOAL_EVLOG_CMD_STATUS_H
#define SHOAL_EVLOG_CMD_STATUS_H

#include "tool/opt.h"

struct status {
	int fd; /* -1: none */
	struct buf line;
};

#define STATUS_NONE      \
	(struct status)  \
	{                \
		.fd = -1 \
	}

/*
 * Take the option: exit 64 unless it is the number of a descriptor that is open for writing.  It
 * becomes close-on-exec, so that no child keeps it open, and SIGPIPE is ignored from now on.
 */
void status_option(struct status *st, const struct opts *o);

void status_begin(struct status *st, const char *event);
void status_seq(struct status *st, const char *key, uint64_t seq);
void status_u64(struct status *st, const char *key, uint64_t v);
void status_text(struct status *st, const char *key, const char *s);

/* Write the line: -1 when the descriptor does not take it (a full disk, a reader that has gone). */
int status_end(struct status *st, struct err *e);
void status_done(struct status *st);

#endif
