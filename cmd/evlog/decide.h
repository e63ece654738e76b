/*
 * decide: one run of DECIDE, evlog-handle(1): a line on its stdin, events on its stdout, and an
 * exit status that says what they are worth.
 */
#ifndef SHOAL_EVLOG_CMD_DECIDE_H
#define SHOAL_EVLOG_CMD_DECIDE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "evlog.h"
#include "evlog/turn.h"
#include "os/coproc.h"

#define DECIDE_BYTES_MAX  COMMIT_BYTES_MAX
#define DECIDE_EVENTS_MAX (COMMIT_EVENTS_MAX - 1) /* one more says that the command is handled */
#define DECIDE_REJECT_MAX 9                       /* exit statuses from 1 on that reject */
#define DECIDE_KILL_MS    5000                    /* between TERM and KILL */

struct decide_spec {
	char *const *argv;
	const char *const *env; /* as in struct proc_spec */
	int64_t timeout_ms;     /* < 0: none */
	const struct sig *sig;
	/* The turn, when we have it, is let go then, DECIDE or not; NULL: there is none. */
	struct turn *turn;
	int64_t turn_until_ns;
	bool keep_stderr; /* keep the end of its stderr in the result */
};

enum decision {
	DECIDED,        /* exit 0: the lines are events */
	DECIDE_REJECTS, /* exit 1 to DECIDE_REJECT_MAX */
	DECIDE_FAILS,   /* any other end: e tells, and the exit status of ours */
	DECIDE_SIGNAL   /* we got one, and DECIDE has ended */
};

/* Zeroed at first; decide_done() it. */
struct decided {
	enum decision what;
	int status; /* DECIDE's, 128+N for a signal; DECIDE_SIGNAL: the signal's number */
	int exit;   /* DECIDE_FAILS: what ours should be */
	struct err e;
	struct buf lines; /* its stdout */
	struct buf err;
};

/*
 * Append the command that arguments mean: the one that is JSON, else all of them as strings.
 * EBADMSG for one that begins as an object and is none: that is a mistake rather than a text.
 */
int decide_command(struct buf *out, char *const *args, size_t count, struct err *e);

/*
 * Append what DECIDE gets, without LF: {"stream","version","state","command"}.  at: the version
 * that the state is of.
 */
void decide_line(struct buf *out, struct span stream, const struct expect *at, struct span state,
                 struct span command);

/* Run it with a line on its stdin (the LF is added). */
void decide_run(const struct decide_spec *spec, struct span line, struct decided *ret);
void decide_done(struct decided *d);

/*
 * The next event of the lines: 1 and *ev (valid until the next call), 0 there is none, -1 and
 * "'DECIDE' line 2: ..." in *e.  *at counts bytes and *line lines; both begin at 0.
 */
struct decide_cursor {
	size_t at;
	uint64_t line;
};
int decide_next(const struct decide_spec *spec, const struct decided *d, struct decide_cursor *at,
                struct event_parser *p, struct event *ev, struct err *e);

#endif
