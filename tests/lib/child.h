/*
 * child: starts children by lib/os/proc with their stdout on a pipe, and waits for what they say.
 *
 * Every process of a script holds the pipe, so its end tells that none is left.  What does not
 * come in CHILD_DEADLINE_MS fails the test.
 */
#ifndef SHOAL_TESTS_CHILD_H
#define SHOAL_TESTS_CHILD_H

#include <stddef.h>

#include "os/proc.h"

#define CHILD_DEADLINE_MS 120000
#define CHILD_NEVER_MS    3600000 /* a grace that no test waits for */

/* Start spec.argv, or sh with a script; returns the reading end of the pipe. */
int child_start(struct proc *p, struct proc_spec spec);
int child_start_sh(struct proc *p, const char *script, struct proc_spec spec);

/* Read to the end of file, as a string. */
void child_read_all(int fd, char *to, size_t max);

void child_expect_line(int fd, const char *line);
void child_expect_end(int fd);

/* We have no child, running or dead. */
void child_expect_none(void);

#endif
