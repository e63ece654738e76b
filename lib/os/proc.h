/*
 * proc: starts and ends child processes, for all tools in one place.
 *
 * The child gets exactly what its struct proc_spec says: argv (no shell joins or splits it), the
 * descriptors 0 to 2 and those of fds, our environment with changes.  Every descriptor of ours
 * is close-on-exec; what our own caller left open for us goes through, as with env(1).  SIGPIPE
 * has its default action in the child.
 *
 * A failed exec is told from a command that exits 126 or 127: proc_start() itself fails.
 *
 * No orphans: with a guard, a small process of ours holds the other end of a pipe; when we
 * die, by kill -9 too, it sends TERM to the child and KILL kill_after_ms later.  With own_group
 * that reaches all that the child has started, except what made a process group of its own.
 */
#ifndef SHOAL_OS_PROC_H
#define SHOAL_OS_PROC_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "os/sig.h"

/* Error codes of proc_start(): the command could not be executed. */
#define PROC_NOT_EXECUTABLE 1126
#define PROC_NOT_FOUND      1127

#define PROC_FDS_MAX 16

struct proc_fd {
	int from; /* a descriptor of ours */
	int to;   /* its number in the child */
};

struct proc_spec {
	char *const *argv;         /* ends with NULL; argv[0] is looked up in PATH */
	const struct proc_fd *fds; /* from and to may overlap in any way */
	size_t fd_count;           /* at most PROC_FDS_MAX */
	const char *const *env; /* NULL, or changes that end with NULL: "A=x" sets, "A" removes */
	const sigset_t *mask;   /* blocked in the child; NULL: nothing */
	bool own_group;         /* the child leads a process group, to which signals go */
	bool guard;
	int kill_after_ms; /* between TERM and KILL, for the guard and for proc_stop() */
	/*
	 * A descriptor above 2 that the guard keeps open as long as it lives, 0: none.  So a lock
	 * on it passes to the next process only when the child has ended, also when we die before.
	 */
	int guard_holds;
};

/* Public: pid, pidfd, ended, code, signal. */
struct proc {
	pid_t pid;
	int pidfd;  /* for wait_ready(): readable when the child has ended; -1 once it is reaped */
	bool ended; /* and then: */
	int code;   /* the exit status, or 128 + signal */
	int signal; /* that ended it, or 0 */

	bool own_group;
	int kill_after_ms;
	pid_t guard_pid;
	int guard_fd;
};

/*
 * Start a child; proc_done() it.  Returns when the command runs.  Fails with PROC_NOT_FOUND,
 * PROC_NOT_EXECUTABLE (message: "run 'NAME': reason"), or an errno value of fork and its like; no
 * process is left then.  SIGCHLD gets its default action in the caller.
 */
int proc_start(struct proc *p, const struct proc_spec *spec, struct err *e);

/* The exit status of a wrapper whose proc_start() failed: 126, 127, or 71. */
int proc_status_of(const struct err *e);

/* Send a signal to the child and, with own_group, its group.  No error when it has ended. */
void proc_signal(const struct proc *p, int signal);

/*
 * Pass on what is pending in s: the last signal, 0 for none.  What the terminal has sent to all
 * of its foreground group is not sent again to a child in our group.
 */
int proc_forward(const struct proc *p, const struct sig *s);

/*
 * Wait for the end: 1 and the members of *p are set, 0 when the deadline (clock_mono_ns()) comes
 * first.  Signals from s are passed on meanwhile; s may be NULL.
 */
int proc_wait(struct proc *p, const struct sig *s, int64_t deadline_ns, struct err *e);

/*
 * TERM, wait kill_after_ms, KILL; returns when the child has ended and is reaped, and with
 * own_group also all of its group.
 */
int proc_stop(struct proc *p, struct err *e);

/* Release; a child that still runs is killed by KILL.  A zeroed *p is fine. */
void proc_done(struct proc *p);

/* Two ends of a pipe, reading and writing, close-on-exec. */
int proc_pipe(int ret_fd[2], struct err *e);

#endif
