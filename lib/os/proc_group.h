/*
 * proc_group: whether a process group is still at work, for proc.c.
 *
 * kill(2) says that a group is there until its last process was reaped, and the first process of
 * a container often reaps nothing.
 */
#ifndef SHOAL_OS_PROC_GROUP_H
#define SHOAL_OS_PROC_GROUP_H

#include <stdbool.h>
#include <sys/types.h>

/* Does a process of this group run, other than as a zombie?  True where /proc cannot tell. */
bool proc_group_runs(pid_t group);

#endif
