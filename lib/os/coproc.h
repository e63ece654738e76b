/*
 * coproc: a child that is talked to through pipes: bytes to its stdin, lines from it.
 *
 * For jq, for evlog-sqlite, and for the commands of handle, consume and project.  What goes to the
 * child is queued, what comes from it is collected, and every wait here serves all pipes at once:
 * neither side can wait for the other for ever, whatever the child does.  A child that ends
 * before it has taken all input is no error here; its status tells the caller what to think.
 *
 * Signals that come while we wait are for the caller to answer: it gets COPROC_SIGNAL and takes
 * them from its struct sig.  SIGPIPE never comes from here.
 */
#ifndef SHOAL_OS_COPROC_H
#define SHOAL_OS_COPROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "os/proc.h"
#include "os/sig.h"

#define COPROC_STDERR_MAX 4096       /* bytes of its stderr that are kept, the last ones */
#define COPROC_AHEAD_MAX  (4u << 20) /* answers held unread: beyond, the child waits */

struct coproc_spec {
	char *const *argv;
	const char *const *env; /* as in struct proc_spec */
	const struct sig *sig;  /* NULL: none */
	bool answers_on_3;      /* lines come on its descriptor 3; its stdout is ours */
	bool no_answers;        /* its stdout is ours, and there are none */
	bool keep_stderr;       /* keep the end of its stderr instead of letting it go to ours */
	bool tee_stderr;        /* keep it and let it go to ours */
	int kill_after_ms;      /* between TERM and KILL when it is stopped */
	int guard_holds;        /* as in struct proc_spec */
};

enum coproc_result {
	COPROC_FAILED = -1, /* *e says why */
	COPROC_TIMEOUT,     /* the deadline came first */
	COPROC_READY,       /* what was waited for is there */
	COPROC_END,         /* it will not come any more: the child has closed its side */
	COPROC_SIGNAL       /* a signal is pending in spec.sig */
};

/* Public: proc (pid, ended, code), err.  A zeroed one is fine for coproc_done(). */
struct coproc {
	struct proc proc;
	struct buf err; /* the end of its stderr, when it is kept */
	/* private: */
	const struct sig *sig;
	int to, from, from_err; /* -1: closed */
	bool tee;
	bool end_input;
	struct buf queue; /* to the child; [sent, len) is left */
	size_t sent;
	struct buf answers; /* [taken, len) is not taken yet */
	size_t taken, scanned;
};

/*
 * Start the child in a process group of its own, with a guard (proc.h).  Errors as
 * proc_start(): PROC_NOT_FOUND, PROC_NOT_EXECUTABLE, or errno values.
 */
int coproc_start(struct coproc *c, const struct coproc_spec *spec, struct err *e);

/* Queue bytes (copied).  Nothing is written before the next wait. */
void coproc_send(struct coproc *c, const void *p, size_t n);

/* Close its stdin as soon as all that is queued is written. */
void coproc_end_input(struct coproc *c);

/* Write what is queued: COPROC_READY when all is written, COPROC_END when it takes no more. */
enum coproc_result coproc_flush(struct coproc *c, int64_t deadline_ns, struct err *e);

/*
 * The next line of its answers without its LF, borrowed until the next call; also what stands
 * without LF before their end.  COPROC_FAILED with EMSGSIZE for a line over `max` bytes.
 */
enum coproc_result coproc_line(struct coproc *c, size_t max, struct span *ret, int64_t deadline_ns,
                               struct err *e);

/* All answers up to their end, at most max bytes (EMSGSIZE); borrowed like a line. */
enum coproc_result coproc_rest(struct coproc *c, size_t max, struct span *ret, int64_t deadline_ns,
                               struct err *e);

/*
 * Wait for the end of the child: COPROC_READY and c->proc.code is its status.  Input that is still
 * queued is written meanwhile, answers are collected, beyond COPROC_AHEAD_MAX thrown away.
 */
enum coproc_result coproc_wait(struct coproc *c, int64_t deadline_ns, struct err *e);

/* TERM, and KILL after kill_after_ms; then c->proc.code is its status. */
int coproc_stop(struct coproc *c, struct err *e);

/* Release; a child that still runs is killed. */
void coproc_done(struct coproc *c);

#endif
