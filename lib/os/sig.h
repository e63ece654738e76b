/*
 * sig: signals as something to read, not as interruptions.
 *
 * sig_open() blocks a set of signals and gives a descriptor that reports them (signalfd), to be
 * polled beside others.  There are no signal handlers anywhere.  A signal that is ignored when
 * sig_open() is called stays ignored (nohup, a shell's background job): it is not reported.
 */
#ifndef SHOAL_OS_SIG_H
#define SHOAL_OS_SIG_H

#include <signal.h>
#include <stdbool.h>

#include "base/err.h"

struct sig {
	int fd;          /* readable when a signal is there; close-on-exec */
	sigset_t before; /* the mask that sig_close() restores; a child should get it too */
};

struct sig_got {
	int signal;
	bool from_kernel; /* Ctrl-C and its like: all of the terminal's foreground group got it */
};

/* What a wrapper of a command passes on: HUP INT QUIT TERM USR1 USR2 WINCH CONT.  Ends with 0. */
extern const int sig_forwarded[];

/* Block the signals of a list that ends with 0; sig_close() it. */
int sig_open(struct sig *s, const int *signals, struct err *e);

/* Take the next signal that is pending: 1, or 0 when there is none. */
int sig_next(const struct sig *s, struct sig_got *ret);

/* Restore the mask and close.  A signal that is still pending has its usual effect then. */
void sig_close(struct sig *s);

/* "TERM"; "unknown" for a number that has no name. */
const char *sig_name(int signal);

#endif
