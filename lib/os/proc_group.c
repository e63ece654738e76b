#include "os/proc_group.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

#define STAT_MAX 512 /* the name has 15 bytes, and the group stands soon behind it */

/* The field that begins at *p, which then points behind it. */
static size_t field(const char **p)
{
	size_t len = strcspn(*p, " ");

	*p += len + (len > 0 && (*p)[len] == ' ');
	return len;
}

/* proc(5): PID (NAME) STATE PPID PGRP ..., where a name may hold anything. */
static bool runs_in(const char *stat, pid_t group)
{
	const char *p = strrchr(stat, ')');
	struct err ignored;
	uint64_t of;
	const char *at;

	if (p == NULL || p[1] != ' ' || p[2] == 'Z' || p[2] == 'X')
		return false;
	p += 2;
	(void)field(&p);
	(void)field(&p);
	at = p;
	return num_u64_len(at, field(&p), 1, INT32_MAX, &of, &ignored) == 0 && (pid_t)of == group;
}

static bool is_in(const char *pid, pid_t group)
{
	char path[32 + sizeof("/proc//stat")];
	char stat[STAT_MAX];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	do
		n = read(fd, stat, sizeof(stat) - 1);
	while (n < 0 && errno == EINTR);
	close(fd);
	if (n <= 0)
		return false;
	stat[n] = '\0';
	return runs_in(stat, group);
}

bool proc_group_runs(pid_t group)
{
	const struct dirent *d;
	bool runs = false;
	DIR *dir;

	if (kill(-group, 0) < 0)
		return false;
	dir = opendir("/proc");
	if (dir == NULL)
		return true;
	while (!runs && (d = readdir(dir)) != NULL)
		runs = d->d_name[0] >= '1' && d->d_name[0] <= '9' && is_in(d->d_name, group);
	closedir(dir);
	return runs;
}
