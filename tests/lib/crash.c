#include "crash.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tmp_dir.h"

#define CHILDREN_MAX 16

const char *crash_dir;

void crash_dir_new(void)
{
	crash_dir = tmp_dir_new();
}

void crash_dir_free(void)
{
	tmp_dir_free((char *)(uintptr_t)crash_dir);
	crash_dir = NULL;
}

void crash_die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("not ok - ", stdout);
	vprintf(fmt, ap);
	printf(" (kept in %s)\n", crash_dir != NULL ? crash_dir : "nothing");
	va_end(ap);
	fflush(stdout);
	_exit(1);
}

unsigned crash_rounds(int argc, char **argv, const struct crash_counts *counts)
{
	const char *san = getenv("SHOAL_SAN"), *soak = getenv("SOAK");

	if (argc > 1)
		return (unsigned)strtoul(argv[1], NULL, 10);
	if (soak != NULL && *soak != '\0')
		return counts->soak;
	return san != NULL && *san != '\0' ? counts->sanitized : counts->usual;
}

void crash_nap_us(uint64_t us)
{
	struct timespec t = {.tv_sec = (time_t)(us / 1000000),
	                     .tv_nsec = (long)(us % 1000000) * 1000};

	nanosleep(&t, NULL);
}

void *crash_share(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		crash_die("mmap: %s", strerror(errno));
	return p;
}

void crash_write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0)
		crash_die("write '%s': %s", path, strerror(errno));
}

/* ---- Processes. */

pid_t crash_fork(void)
{
	pid_t pid;

	fflush(stdout); /* or the child would print it, too */
	pid = fork();
	if (pid < 0)
		crash_die("fork: %s", strerror(errno));
	if (pid == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

static _Noreturn void become(const char *const *argv, const char *errors, int out)
{
	int err = -1;

	if (errors != NULL)
		err = open(errors, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if ((errors == NULL || dup2(err, STDERR_FILENO) >= 0) &&
	    (out < 0 || dup2(out, STDOUT_FILENO) >= 0))
		execvp(argv[0], (char *const *)(uintptr_t)argv);
	_exit(127);
}

pid_t crash_start(const char *const *argv, const char *errors, int *ret_out)
{
	int out[2] = {-1, -1};
	pid_t pid;

	if (ret_out != NULL && pipe2(out, O_CLOEXEC) < 0)
		crash_die("pipe: %s", strerror(errno));
	pid = crash_fork();
	if (pid == 0)
		become(argv, errors, out[1]);
	if (ret_out != NULL) {
		close(out[1]);
		*ret_out = out[0];
	}
	return pid;
}

int crash_wait(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		crash_die("wait: %s", strerror(errno));
	return status;
}

void crash_kill(pid_t pid, const char *who)
{
	int status;

	kill(pid, SIGKILL);
	status = crash_wait(pid);
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		crash_die("%s ended by itself, status %d", who, status);
}

pid_t crash_child_of(pid_t pid, uint64_t choice)
{
	char name[64], text[512];
	long children[CHILDREN_MAX];
	size_t n = 0;
	ssize_t len;
	int fd;

	snprintf(name, sizeof(name), "/proc/%ld/task/%ld/children", (long)pid, (long)pid);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	text[len > 0 ? len : 0] = '\0';
	for (char *p = text, *end; n < CHILDREN_MAX; p = end) {
		children[n] = strtol(p, &end, 10);
		if (end == p)
			break;
		n++;
	}
	return n == 0 ? 0 : (pid_t)children[choice % n];
}
