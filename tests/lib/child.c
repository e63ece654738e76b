#include "child.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/wait.h"

void child_read_all(int fd, char *to, size_t max)
{
	struct err e;
	size_t len = 0;
	ssize_t n = 1;

	while (n > 0) {
		assert_int_equal(wait_readable(fd, wait_deadline_ms(CHILD_DEADLINE_MS), &e), 1);
		n = read(fd, to + len, max - 1 - len);
		assert_true(n >= 0);
		len += (size_t)n;
	}
	to[len] = '\0';
}

void child_expect_end(int fd)
{
	char rest[4096];

	child_read_all(fd, rest, sizeof(rest));
}

void child_expect_line(int fd, const char *line)
{
	char got[256] = {0};
	struct err e;
	size_t n = 0;

	while (n == 0 || got[n - 1] != '\n') {
		assert_int_equal(wait_readable(fd, wait_deadline_ms(CHILD_DEADLINE_MS), &e), 1);
		assert_int_equal(read(fd, got + n, 1), 1);
		n++;
	}
	assert_string_equal(got, line);
}

void child_expect_none(void)
{
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

int child_start(struct proc *p, struct proc_spec spec)
{
	struct proc_fd map[PROC_FDS_MAX];
	struct err e;
	int fd[2];

	assert_int_equal(proc_pipe(fd, &e), 0);
	for (size_t i = 0; i < spec.fd_count; i++)
		map[i] = spec.fds[i];
	map[spec.fd_count++] = (struct proc_fd){fd[1], STDOUT_FILENO};
	spec.fds = map;
	if (proc_start(p, &spec, &e) < 0)
		fail_msg("%s", e.msg);
	close(fd[1]);
	return fd[0];
}

int child_start_sh(struct proc *p, const char *script, struct proc_spec spec)
{
	char *argv[] = {(char[]){"sh"}, (char[]){"-c"}, (char *)(uintptr_t)script, NULL};

	spec.argv = argv;
	return child_start(p, spec);
}
