#include "shell.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* A file in memory holds any amount, so no output can block the script. */
static int new_output(void)
{
	int fd = memfd_create("output", MFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static char *read_output(int fd)
{
	struct stat st;
	char *text;

	assert_int_equal(fstat(fd, &st), 0);
	text = calloc(1, (size_t)st.st_size + 1);
	assert_non_null(text);
	assert_int_equal(pread(fd, text, (size_t)st.st_size, 0), st.st_size);
	close(fd);
	return text;
}

static void start_shell(const char *script, int out, int err)
{
	char self[PATH_MAX] = {0};

	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		_exit(125);
	setenv("TOY", self, 1);
	setenv("TOY_TOOL", "1", 1);
	setpgid(0, 0);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	execl("/bin/sh", "sh", "-c", script, (char *)NULL);
	_exit(125);
}

static int wait_for_exit(pid_t pid, const char *script)
{
	struct pollfd p = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};
	int status;
	int ready;

	assert_true(p.fd >= 0);
	do
		ready = poll(&p, 1, SHELL_DEADLINE_S * 1000);
	while (ready < 0 && errno == EINTR);
	close(p.fd);
	if (ready == 0)
		kill(-pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (ready == 0)
		fail_msg("still running after %d s: %s", SHELL_DEADLINE_S, script);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

struct shell shell_run(const char *script)
{
	struct shell s = {0};
	int out = new_output();
	int err = new_output();
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		start_shell(script, out, err);
	s.status = wait_for_exit(pid, script);
	s.out = read_output(out);
	s.err = read_output(err);
	return s;
}

void shell_done(struct shell *s)
{
	free(s->out);
	free(s->err);
	*s = (struct shell){0};
}

bool shell_has(const char *program)
{
	char script[256];
	struct shell s;
	int status;

	snprintf(script, sizeof(script), "command -v %s", program);
	s = shell_run(script);
	status = s.status;
	shell_done(&s);
	return status == 0;
}

void shell_expect(const char *script, int status, const char *out, const char *err)
{
	struct shell s = shell_run(script);

	if (s.status != status)
		fail_msg("exit %d, not %d: %s\n%s%s", s.status, status, script, s.out, s.err);
	if (out != NULL)
		assert_string_equal(s.out, out);
	if (err != NULL)
		assert_string_equal(s.err, err);
	shell_done(&s);
}

bool shell_has_terminals(void)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (master < 0)
		return false;
	close(master);
	return true;
}
