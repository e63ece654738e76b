/*
 * err: an error that carries its own explanation.
 *
 * A fallible function takes `struct err *e` as its last parameter and returns 0 (or a count or
 * an fd), or -1 with *e filled in.  err_set(), err_sys() and err_wrap() return -1, so failing is
 * one statement:
 *
 *	if (n != want)
 *		return err_set(e, EBADMSG, "record has %zu bytes, want %zu", n, want);
 *	if (file_read(path, &b, e) < 0)
 *		return err_wrap(e, "load snapshot");
 *
 * *e is written only on failure, and e may not be NULL.  A message is one line: lower case, no
 * full stop, what failed first, the subject in single quotes; control bytes become '?'.  A
 * message that does not fit is cut and ends in "...".
 *
 * Library code never prints and never exits; cmd/ prints the message once, at the edge.
 */
#ifndef SHOAL_BASE_ERR_H
#define SHOAL_BASE_ERR_H

#define ERR_MSG_MAX 512

struct err {
	int code;              /* an errno value, or a module's own code of 1000 and above */
	char msg[ERR_MSG_MAX]; /* "load snapshot: open 'x': No such file or directory" */
};

/* Set code and message; returns -1. */
int err_set(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Set code = errno and the message followed by ": " and strerror(errno); returns -1. */
int err_sys(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Put "context: " in front of a message that is there; the code stays; returns -1. */
int err_wrap(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
