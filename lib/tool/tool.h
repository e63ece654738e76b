/*
 * tool: what every program of the family does alike at its edge.
 *
 * Only cmd/ uses this directory: it may print and exit, it reads the environment, and it keeps
 * state for the one program that runs (its name, the output buffer).  Not for threads.
 *
 * Output: data goes to stdout through tool_write() and friends, everything else to stderr through
 * tool_warn(), one write(2) a line.  Stdout is flushed when its buffer is full, by tool_flush(),
 * and at exit().  A write that fails is never silent: the tool says so and exits 74, or, when
 * the reader of a pipe has gone, ends by SIGPIPE as any filter does (the shell shows 141).
 * Do not mix with stdio on stdout, and leave by exit() or by returning from main(), not by _exit().
 */
#ifndef SHOAL_TOOL_TOOL_H
#define SHOAL_TOOL_TOOL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/* Exit statuses, the same in every tool; 3 to 15 are a tool's own (sysexits.h, timeout(1), env(1)).
 */
enum tool_status {
	TOOL_OK = 0,
	TOOL_NO = 1,           /* the answer is no: absent, predicate false, compare failed */
	TOOL_USAGE = 64,       /* wrong command line */
	TOOL_DATA = 65,        /* bad input data */
	TOOL_NOINPUT = 66,     /* no input */
	TOOL_UNAVAILABLE = 69, /* store or peer unreachable */
	TOOL_INTERNAL = 70,    /* a bug of ours; also: the lock was lost while the command ran */
	TOOL_OSERR = 71,       /* the system refused: memory, processes, descriptors */
	TOOL_CANTCREAT = 73,   /* cannot create */
	TOOL_IOERR = 74,       /* I/O error, also of stdout */
	TOOL_TEMPFAIL = 75,    /* try again, nothing was done */
	TOOL_UNKNOWN = 76,     /* the outcome is unknown */
	TOOL_NOPERM = 77,      /* not permitted */
	TOOL_CONFIG = 78,      /* bad configuration, wrong cluster, not possible on this store */
	TOOL_TIMEOUT = 124,    /* the time limit passed */
	TOOL_NOEXEC = 126,     /* command wrappers: found but not executable */
	TOOL_NOCOMMAND = 127,  /* command wrappers: not found */
	TOOL_SIGNAL = 128,     /* + N: ended by signal N */
};

#define TOOL_LINE_MAX 2048 /* bytes of a line on stderr; a longer one ends in "..." */

/*
 * Call first in main() (tool_main() of opt.h does).  Descriptors 0 to 2 are open afterwards: a
 * closed one is /dev/null, opened so that reading a closed stdin and writing to a closed stdout
 * fail (EBADF) instead of looking like an empty input or a success.  SIGPIPE gets its default
 * action and is unblocked (cron and Python leave it ignored).  Stdout is flushed and checked at
 * exit.  name is borrowed.
 */
void tool_init(const char *name);
const char *tool_name(void);

/* The verb that runs, for the hint in tool_usage(); borrowed; NULL: none.  Set by tool_main(). */
void tool_set_verb(const char *verb);

/* Append to stdout's buffer. */
void tool_write(const void *p, size_t n);
void tool_print(const char *s);
void tool_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * Write the buffer out: over short writes, EINTR and a non-blocking stdout.  Returns only when
 * all is written.  Call it before waiting for anything, and where a receipt must be seen at once.
 */
void tool_flush(void);

/* "NAME: message" on stderr; control characters become '?'. */
void tool_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A whole line of data on stderr as it is (JSON of a conflict), the newline is added. */
void tool_stderr_line(const void *p, size_t n);

/* Flush stdout, print "NAME: message" and exit.  A stdout that fails does not change status. */
_Noreturn void tool_die(int status, const struct err *e);
_Noreturn void tool_dief(int status, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Exit 64 with "NAME: message; see 'NAME VERB --help'". */
_Noreturn void tool_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The exit status for an error that has no own one: from e->code as an errno value. */
int tool_status_of(const struct err *e);

/* End by signal sig as if it had not been caught, so that a shell sees it; stdout is flushed. */
_Noreturn void tool_die_by_signal(int sig);

bool tool_is_terminal(int fd);
/* Colours: fd is a terminal, NO_COLOR is unset or empty, TERM is not "dumb". */
bool tool_has_colour(int fd);

/* The value of an environment variable, borrowed; NULL when it is unset or empty. */
const char *tool_env(const char *name);

/* count zeroed objects of that size; exit 71 when memory is short. */
void *tool_alloc(size_t count, size_t size);

/*
 * The default state directory of a tool, its path as a C string in *b (buf_done() it):
 * $STATE_DIRECTORY (the first of several), else /var/lib/shoal/TOOL for root, else
 * $XDG_STATE_HOME/shoal/TOOL, else $HOME/.local/state/shoal/TOOL.  Nothing is created.
 * ENOENT when no absolute path can be found.
 */
int tool_state_dir(const char *tool, struct buf *b, struct err *e);

/*
 * Make the directories above path that are missing, each on disk before the next.  Mode 0755 for
 * root, else 0700.  The last component of path is not made.
 */
int tool_make_parents(const char *path, struct err *e);

#endif
