#include "os/proc.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "os/proc_group.h"
#include "os/wait.h"

/*
 * How often to look whether a group has gone.  Its number can be in use again only when all
 * numbers of processes were used in such a moment.
 */
#define LOOK_MS 10

#define GOODBYE 'b'

static ssize_t read_fd(int fd, void *p, size_t n)
{
	ssize_t got;

	do
		got = read(fd, p, n);
	while (got < 0 && errno == EINTR);
	return got;
}

/* Without SIGPIPE: the other end may be dead, and we need not be. */
static void send_fd(int fd, const void *p, size_t n)
{
	ssize_t sent;

	do
		sent = send(fd, p, n, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
}

static int wait_pid(pid_t pid)
{
	int status = 255 << 8; /* what nobody can tell us is no success */

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

/* ---- the guard ---- */

static void sleep_ms(int ms)
{
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};

	nanosleep(&t, NULL);
}

static void wait_while_it_runs(pid_t target, int wait_ms)
{
	for (int ms = 0; ms < wait_ms; ms += LOOK_MS) {
		if (target < 0 ? !proc_group_runs(-target) : kill(target, 0) < 0)
			return;
		sleep_ms(LOOK_MS);
	}
}

/*
 * The life of the guard.  It holds nothing open but its end of the pair and what it is told to
 * hold, so that no reader waits for it, and it is in no group or session that could be signalled
 * with ours.
 */
static _Noreturn void run_guard(int fd, int kill_after_ms, int holds)
{
	pid_t target;
	sigset_t all;
	char byte;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	setsid();
	prctl(PR_SET_NAME, "shoal-guard");
	if (dup2(fd, 0) < 0 || (holds > 0 && dup2(holds, 1) < 0) || chdir("/") < 0)
		_exit(1);
	closefrom(holds > 0 ? 2 : 1);
	send_fd(0, "r", 1);
	if (read_fd(0, &target, sizeof(target)) != (ssize_t)sizeof(target))
		_exit(0); /* there never was a child */
	if (read_fd(0, &byte, 1) == 1)
		_exit(0); /* goodbye */
	kill(target, SIGTERM);
	kill(target, SIGCONT);
	wait_while_it_runs(target, kill_after_ms);
	kill(target, SIGKILL);
	wait_while_it_runs(target, kill_after_ms); /* what we hold is free when it is gone */
	_exit(0);
}

static int start_guard(struct proc *p, int holds, struct err *e)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, "make a socket pair");
	p->guard_pid = fork();
	if (p->guard_pid == 0) {
		close(pair[0]);
		run_guard(pair[1], p->kill_after_ms, holds);
	}
	if (p->guard_pid < 0)
		err_sys(e, "start a guard process");
	close(pair[1]);
	if (p->guard_pid < 0) {
		close(pair[0]);
		return -1;
	}
	p->guard_fd = pair[0];
	return 0;
}

/* Until it has left our group, whoever kills that group would kill it too. */
static int wait_for_guard(const struct proc *p, struct err *e)
{
	char byte;

	if (p->guard_fd >= 0 && read_fd(p->guard_fd, &byte, 1) != 1)
		return err_set(e, ECHILD, "the guard process has ended");
	return 0;
}

static void end_guard(struct proc *p)
{
	char byte = GOODBYE;

	if (p->guard_fd < 0)
		return;
	send_fd(p->guard_fd, &byte, 1);
	close(p->guard_fd);
	p->guard_fd = -1;
	wait_pid(p->guard_pid);
}

/* ---- the child ---- */

static bool names_same(const char *a, const char *b)
{
	size_t n = strcspn(a, "=");

	return n == strcspn(b, "=") && memcmp(a, b, n) == 0;
}

static bool is_changed(const char *var, const char *const *changes)
{
	for (; *changes != NULL; changes++)
		if (names_same(var, *changes))
			return true;
	return false;
}

/* Our environment with the changes; the array is new, its strings are borrowed. */
static const char **build_env(const char *const *changes, struct err *e)
{
	size_t count = 1;
	const char **env;
	size_t n = 0;

	for (char **v = environ; *v != NULL; v++)
		count++;
	for (const char *const *c = changes; *c != NULL; c++)
		count++;
	env = calloc(count, sizeof(*env));
	if (env == NULL) {
		err_sys(e, "set the environment");
		return NULL;
	}
	for (char **v = environ; *v != NULL; v++)
		if (!is_changed(*v, changes))
			env[n++] = *v;
	for (const char *const *c = changes; *c != NULL; c++)
		if (strchr(*c, '=') != NULL)
			env[n++] = *c;
	return env;
}

/* By way of copies above all numbers in use, so that from and to may overlap. */
static int map_fds(const struct proc_fd *fds, size_t count, int *keep)
{
	int copies[PROC_FDS_MAX];
	int above = 3;

	for (size_t i = 0; i < count; i++)
		if (fds[i].to >= above)
			above = fds[i].to + 1;
	*keep = fcntl(*keep, F_DUPFD_CLOEXEC, above);
	if (*keep < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		copies[i] = fcntl(fds[i].from, F_DUPFD_CLOEXEC, above);
		if (copies[i] < 0)
			return -1;
	}
	for (size_t i = 0; i < count; i++)
		if (dup2(copies[i], fds[i].to) < 0) /* the new one is not close-on-exec */
			return -1;
	return 0;
}

/*
 * The child waits for the word to go: then the guard knows about it.  When we die before,
 * it reads the end of the pair and exits.  An errno value goes back when exec fails.
 */
static _Noreturn void run_child(int fd, const struct proc_spec *spec, const char *const *env)
{
	sigset_t none;
	char byte;
	int code;

	sigemptyset(&none);
	if (spec->own_group)
		setpgid(0, 0);
	if (read_fd(fd, &byte, 1) != 1)
		_exit(1);
	if (map_fds(spec->fds, spec->fd_count, &fd) == 0) {
		signal(SIGPIPE, SIG_DFL);
		sigprocmask(SIG_SETMASK, spec->mask != NULL ? spec->mask : &none, NULL);
		if (env != NULL) /* it changes no string, its type is older than const */
			execvpe(spec->argv[0], spec->argv, (char *const *)(uintptr_t)env);
		else
			execvp(spec->argv[0], spec->argv);
	}
	code = errno;
	send_fd(fd, &code, sizeof(code));
	_exit(1);
}

/* Our end of the pair, or -1. */
static int fork_child(struct proc *p, const struct proc_spec *spec, const char *const *env,
                      struct err *e)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, "make a socket pair");
	p->pid = fork();
	if (p->pid == 0) {
		close(pair[0]);
		run_child(pair[1], spec, env);
	}
	if (p->pid < 0)
		err_sys(e, "start a process");
	close(pair[1]);
	if (p->pid > 0)
		return pair[0];
	close(pair[0]);
	return -1;
}

/* Tell the guard, then the child; 0 when the command runs, else the errno value of exec. */
static int let_go(const struct proc *p, int fd)
{
	pid_t target = p->own_group ? -p->pid : p->pid;
	int code = 0;

	if (p->guard_fd >= 0)
		send_fd(p->guard_fd, &target, sizeof(target));
	send_fd(fd, "g", 1);
	if (read_fd(fd, &code, sizeof(code)) == (ssize_t)sizeof(code))
		return code;
	return 0;
}

static int start(struct proc *p, const struct proc_spec *spec, const char *const *env,
                 struct err *e)
{
	int code;
	int fd;

	if (spec->guard && start_guard(p, spec->guard_holds, e) < 0)
		return -1;
	fd = fork_child(p, spec, env, e);
	if (fd < 0)
		return -1;
	p->pidfd = wait_open_pid(p->pid, e);
	if (p->pidfd < 0 || wait_for_guard(p, e) < 0) {
		close(fd); /* the child was not let go: it ends */
		wait_pid(p->pid);
		return -1;
	}
	code = let_go(p, fd);
	close(fd);
	if (code == 0)
		return 0;
	wait_pid(p->pid);
	return err_set(e, code == ENOENT ? PROC_NOT_FOUND : PROC_NOT_EXECUTABLE, "run '%s': %s",
	               spec->argv[0], strerror(code));
}

int proc_start(struct proc *p, const struct proc_spec *spec, struct err *e)
{
	const char **env = NULL;
	int result;

	assert(spec->fd_count <= PROC_FDS_MAX && spec->argv[0] != NULL);
	*p = (struct proc){.pidfd = -1,
	                   .guard_fd = -1,
	                   .own_group = spec->own_group,
	                   .kill_after_ms = spec->kill_after_ms};
	signal(SIGCHLD, SIG_DFL); /* ignored, as some parents leave it, there is no status */
	if (spec->env != NULL && (env = build_env(spec->env, e)) == NULL)
		return -1;
	result = start(p, spec, env, e);
	free(env);
	if (result < 0) {
		end_guard(p);
		if (p->pidfd >= 0)
			close(p->pidfd);
		*p = (struct proc){.pidfd = -1, .guard_fd = -1};
	}
	return result;
}

int proc_status_of(const struct err *e)
{
	if (e->code == PROC_NOT_FOUND)
		return 127;
	return e->code == PROC_NOT_EXECUTABLE ? 126 : 71;
}

void proc_signal(const struct proc *p, int signal)
{
	if (p->pid > 0 && !p->ended)
		kill(p->own_group ? -p->pid : p->pid, signal);
}

int proc_forward(const struct proc *p, const struct sig *s)
{
	struct sig_got got;
	int last = 0;

	while (sig_next(s, &got) == 1) {
		if (p->own_group || !got.from_kernel)
			proc_signal(p, got.signal);
		last = got.signal;
	}
	return last;
}

/* The guard is dismissed first: until then the number of the child cannot be used again. */
static void reap(struct proc *p)
{
	int status;

	end_guard(p);
	status = wait_pid(p->pid);
	close(p->pidfd);
	p->pidfd = -1;
	p->ended = true;
	p->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	p->code = p->signal != 0 ? 128 + p->signal : WEXITSTATUS(status);
}

int proc_wait(struct proc *p, const struct sig *s, int64_t deadline_ns, struct err *e)
{
	struct pollfd fds[] = {
	    {.fd = p->pidfd, .events = POLLIN},
	    {.fd = s != NULL ? s->fd : -1, .events = POLLIN},
	};

	while (!p->ended) {
		int n = wait_ready(fds, 2, deadline_ns, e);

		if (n <= 0)
			return n;
		if (fds[0].revents != 0)
			reap(p);
		else
			proc_forward(p, s);
	}
	return 1;
}

/* Reap those of the group that became our children; flags as for waitpid(2). */
static void reap_group(const struct proc *p, int flags)
{
	pid_t pid;

	do
		pid = waitpid(-p->pid, NULL, flags);
	while (pid > 0 || (pid < 0 && errno == EINTR));
}

/* The child has ended, but processes of its group may need the rest of the time. */
static int wait_for_group(const struct proc *p, int64_t deadline_ns, struct err *e)
{
	for (;;) {
		int64_t next = wait_deadline_ms(LOOK_MS);

		reap_group(p, WNOHANG);
		if (kill(-p->pid, 0) < 0)
			return 1;
		if (next > deadline_ns)
			return 0;
		if (wait_ready(NULL, 0, next, e) < 0)
			return -1;
	}
}

static int stop_group(struct proc *p, struct err *e)
{
	int64_t deadline_ns = wait_deadline_ms(p->kill_after_ms);
	int n = proc_wait(p, NULL, deadline_ns, e);

	if (n == 1)
		n = wait_for_group(p, deadline_ns, e);
	if (n != 0)
		return n;
	kill(-p->pid, SIGKILL);
	n = proc_wait(p, NULL, WAIT_FOREVER, e);
	reap_group(p, 0);
	return n;
}

static int stop_one(struct proc *p, struct err *e)
{
	int n = proc_wait(p, NULL, wait_deadline_ms(p->kill_after_ms), e);

	if (n != 0)
		return n;
	proc_signal(p, SIGKILL);
	return proc_wait(p, NULL, WAIT_FOREVER, e);
}

/*
 * For that time the children of processes that end become ours: a dead process counts in its
 * group until it is reaped, and the first process of a container often reaps nothing.
 */
int proc_stop(struct proc *p, struct err *e)
{
	int n;

	if (p->ended)
		return 0;
	if (p->own_group)
		prctl(PR_SET_CHILD_SUBREAPER, 1);
	proc_signal(p, SIGTERM);
	proc_signal(p, SIGCONT);
	n = p->own_group ? stop_group(p, e) : stop_one(p, e);
	if (p->own_group)
		prctl(PR_SET_CHILD_SUBREAPER, 0);
	return n < 0 ? -1 : 0;
}

void proc_done(struct proc *p)
{
	if (p->pid > 0 && !p->ended) {
		proc_signal(p, SIGKILL);
		reap(p);
	}
	*p = (struct proc){.pidfd = -1, .guard_fd = -1};
}

int proc_pipe(int ret_fd[2], struct err *e)
{
	return pipe2(ret_fd, O_CLOEXEC) < 0 ? err_sys(e, "make a pipe") : 0;
}
