/*
 * wait: the loop of one-shot tools: poll a few descriptors until one is ready or it is too late.
 *
 * Descriptors are pipes, sockets, a struct sig's, or a pidfd, which is readable when its process
 * has ended.  Deadlines are absolute times of clock_mono_ns(), so that a loop that is woken
 * often keeps its deadline.
 */
#ifndef SHOAL_OS_WAIT_H
#define SHOAL_OS_WAIT_H

#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

#define WAIT_FOREVER INT64_MAX /* no deadline */

/* The deadline that lies timeout_ms ahead; negative: WAIT_FOREVER. */
int64_t wait_deadline_ms(int64_t timeout_ms);

/*
 * Wait until a descriptor is ready: how many are, as poll(2) says; 0: the deadline has passed and
 * none is.  A deadline in the past asks once.  An fd of -1 is passed over.
 */
int wait_ready(struct pollfd *fds, size_t count, int64_t deadline_ns, struct err *e);

/* The same for reading from one descriptor: 1 or 0. */
int wait_readable(int fd, int64_t deadline_ns, struct err *e);

/* A descriptor for a process, close-on-exec; ESRCH when there is none. */
int wait_open_pid(pid_t pid, struct err *e);

#endif
