#include "tool/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "os/file.h"
#include "tool/progress.h"

#define OUT_MAX 131072 /* twice a pipe's buffer: fewer calls, and the reader never waits for us */

static const char *self = "shoal";
static const char *running_verb;

static char out[OUT_MAX];
static size_t out_len;
static bool out_used; /* something was written, so closing stdout may still report its loss */

const char *tool_name(void)
{
	return self;
}

void tool_set_verb(const char *verb)
{
	running_verb = verb;
}

static void clean(char *s)
{
	for (unsigned char *p = (unsigned char *)s; *p != '\0'; p++)
		if (*p < 0x20 || *p == 0x7f)
			*p = '?';
		else if (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0) /* C1 controls in UTF-8 */
			p[0] = p[1] = '?';
}

static void write_stderr(const char *p, size_t n)
{
	progress_clear();
	while (n > 0) {
		ssize_t done = write(STDERR_FILENO, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return; /* nowhere left to say so */
		p += done;
		n -= (size_t)done;
	}
}

static __attribute__((format(printf, 2, 0))) void warn_line(const char *hint, const char *fmt,
                                                            va_list ap)
{
	char msg[TOOL_LINE_MAX];
	char line[TOOL_LINE_MAX];
	int n;

	vsnprintf(msg, sizeof(msg), fmt, ap);
	n = snprintf(line, sizeof(line), "%s: %s%s", self, msg, hint);
	if (n >= (int)sizeof(line) - 1) {
		n = (int)sizeof(line) - 2;
		memcpy(line + n - 3, "...", 3);
		line[n] = '\0';
	}
	clean(line);
	line[n++] = '\n';
	write_stderr(line, (size_t)n);
}

void tool_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	warn_line("", fmt, ap);
	va_end(ap);
}

void tool_stderr_line(const void *p, size_t n)
{
	char *line = tool_alloc(n + 1, 1);

	memcpy(line, p, n);
	line[n] = '\n';
	write_stderr(line, n + 1);
	free(line);
}

/* Stdout may be non-blocking when somebody who shares it made it so: wait then. */
static int write_stdout(const char *p, size_t n)
{
	while (n > 0) {
		ssize_t done = write(STDOUT_FILENO, p, n);

		if (done >= 0) {
			p += done;
			n -= (size_t)done;
		} else if (errno == EAGAIN) {
			poll(&(struct pollfd){.fd = STDOUT_FILENO, .events = POLLOUT}, 1, -1);
		} else if (errno != EINTR) {
			return -1;
		}
	}
	return 0;
}

static _Noreturn void raise_default(int sig)
{
	sigset_t set;

	signal(sig, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, sig);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	raise(sig);
	_exit(TOOL_SIGNAL + sig);
}

static void warn_lost(void)
{
	tool_warn("write to standard output: %s", strerror(errno));
}

/* _exit: this may run inside exit(). */
static _Noreturn void lose_stdout(void)
{
	out_len = 0;
	if (errno == EPIPE)
		raise_default(SIGPIPE);
	warn_lost();
	_exit(TOOL_IOERR);
}

void tool_flush(void)
{
	size_t n = out_len;

	out_len = 0;
	if (write_stdout(out, n) < 0)
		lose_stdout();
}

void tool_write(const void *p, size_t n)
{
	if (n == 0)
		return;
	out_used = true;
	if (n > OUT_MAX - out_len)
		tool_flush();
	if (n < OUT_MAX) {
		memcpy(out + out_len, p, n);
		out_len += n;
	} else if (write_stdout(p, n) < 0) {
		lose_stdout();
	}
}

void tool_print(const char *s)
{
	tool_write(s, strlen(s));
}

void tool_printf(const char *fmt, ...)
{
	va_list ap;
	char *s;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	if (n < 0)
		tool_dief(TOOL_OSERR, "out of memory");
	tool_write(s, (size_t)n);
	free(s);
}

/* Some file systems tell of a full disk or quota only when the file is closed. */
static void check_stdout(void)
{
	tool_flush();
	if (out_used && close(STDOUT_FILENO) < 0)
		lose_stdout();
}

/* The lowest free descriptor is fd, because those below it are open. */
static void open_standard(int fd, int flags)
{
	int got;

	if (fcntl(fd, F_GETFD) >= 0)
		return;
	got = open("/dev/null", flags | O_CLOEXEC);
	if (got != fd)
		_exit(TOOL_OSERR);
	fcntl(got, F_SETFD, 0); /* children need a standard descriptor as much as we do */
}

void tool_init(const char *name)
{
	sigset_t set;

	self = name;
	open_standard(STDIN_FILENO, O_WRONLY);
	open_standard(STDOUT_FILENO, O_RDONLY);
	open_standard(STDERR_FILENO, O_RDWR);
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	if (atexit(check_stdout) != 0)
		_exit(TOOL_OSERR);
}

/* Before an error message: what was printed so far, and no death by a reader that has gone. */
static void settle_stdout(void)
{
	size_t n = out_len;

	signal(SIGPIPE, SIG_IGN);
	out_len = 0;
	out_used = false;
	if (write_stdout(out, n) < 0 && errno != EPIPE)
		warn_lost();
}

void tool_die(int status, const struct err *e)
{
	tool_dief(status, "%s", e->msg);
}

void tool_dief(int status, const char *fmt, ...)
{
	va_list ap;

	settle_stdout();
	va_start(ap, fmt);
	warn_line("", fmt, ap);
	va_end(ap);
	exit(status);
}

void tool_usage(const char *fmt, ...)
{
	const char *verb = running_verb != NULL ? running_verb : "";
	char hint[128];
	va_list ap;

	settle_stdout();
	snprintf(hint, sizeof(hint), "; see '%s%s%s --help'", self, *verb != '\0' ? " " : "", verb);
	va_start(ap, fmt);
	warn_line(hint, fmt, ap);
	va_end(ap);
	exit(TOOL_USAGE);
}

int tool_status_of(const struct err *e)
{
	switch (e->code) {
	case EINVAL:
	case EBADMSG:
	case EILSEQ:
	case EMSGSIZE:
		return TOOL_DATA;
	case ENOENT:
	case ENOTDIR:
	case EISDIR:
		return TOOL_NOINPUT;
	case ECONNREFUSED:
	case ECONNRESET:
	case EHOSTUNREACH:
	case ENETUNREACH:
		return TOOL_UNAVAILABLE;
	case EEXIST:
	case EROFS:
		return TOOL_CANTCREAT;
	case EIO:
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
	case EBADF:
	case EPIPE:
		return TOOL_IOERR;
	case EAGAIN:
	case EBUSY:
	case ETIMEDOUT:
		return TOOL_TEMPFAIL;
	case EACCES:
	case EPERM:
		return TOOL_NOPERM;
	case EOPNOTSUPP:
		return TOOL_CONFIG;
	default:
		return TOOL_OSERR;
	}
}

void tool_die_by_signal(int sig)
{
	settle_stdout();
	setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}); /* a core of ours would tell nothing */
	raise_default(sig);
}

bool tool_is_terminal(int fd)
{
	return isatty(fd) == 1;
}

bool tool_has_colour(int fd)
{
	const char *term = tool_env("TERM");

	return tool_env("NO_COLOR") == NULL && term != NULL && strcmp(term, "dumb") != 0 &&
	       tool_is_terminal(fd);
}

const char *tool_env(const char *name)
{
	const char *value = getenv(name);

	return value != NULL && *value != '\0' ? value : NULL;
}

void *tool_alloc(size_t count, size_t size)
{
	void *p = calloc(count, size);

	if (p == NULL)
		tool_dief(TOOL_OSERR, "out of memory");
	return p;
}

static const char *absolute_env(const char *name)
{
	const char *value = tool_env(name);

	return value != NULL && *value == '/' ? value : NULL;
}

int tool_state_dir(const char *tool, struct buf *b, struct err *e)
{
	const char *dir = absolute_env("STATE_DIRECTORY");

	buf_clear(b);
	if (dir != NULL)
		buf_add(b, dir, strcspn(dir, ":")); /* systemd lists several with ":" */
	else if (geteuid() == 0)
		buf_printf(b, "/var/lib/shoal/%s", tool);
	else if ((dir = absolute_env("XDG_STATE_HOME")) != NULL)
		buf_printf(b, "%s/shoal/%s", dir, tool);
	else if ((dir = absolute_env("HOME")) != NULL)
		buf_printf(b, "%s/.local/state/shoal/%s", dir, tool);
	else
		return err_set(e, ENOENT, "no default place for the state: HOME is not set");
	buf_add_char(b, '\0');
	return buf_ok(b, e);
}

/* A directory that a crash could take away would take a durable store with it. */
static int make_dir(const char *path, mode_t mode, struct err *e)
{
	struct buf above = {0};
	const char *slash = strrchr(path, '/');
	int result = -1;
	int fd;

	if (io_os.mkdirat(AT_FDCWD, path, mode) < 0)
		return errno == EEXIST ? 0 : err_sys(e, "create '%s'", path);
	if (slash == NULL)
		buf_add_char(&above, '.');
	else
		buf_add(&above, path, slash == path ? 1 : (size_t)(slash - path));
	buf_add_char(&above, '\0');
	if (buf_ok(&above, e) < 0)
		goto out;
	fd = file_open_dir(&io_os, AT_FDCWD, above.data, e);
	if (fd < 0)
		goto out;
	result = file_sync_dir(&io_os, fd, e);
	file_close(&io_os, fd);
out:
	buf_done(&above);
	return result;
}

int tool_make_parents(const char *path, struct err *e)
{
	mode_t mode = geteuid() == 0 ? 0755 : 0700;
	char *copy = strdup(path);
	int result = 0;

	if (copy == NULL)
		return err_sys(e, "create the directories of '%s'", path);
	for (char *p = copy + 1; *copy != '\0' && result == 0; p++) {
		p = strchr(p, '/');
		if (p == NULL)
			break;
		*p = '\0';
		result = make_dir(copy, mode, e);
		*p = '/';
	}
	free(copy);
	return result;
}
