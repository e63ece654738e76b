#include "os/coproc.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "os/wait.h"

#define PIPE_BYTES (1 << 20) /* asked for: a batch goes out in one write */
#define CHUNK      (64u << 10)

/* What to do with answers when `room` bytes of them wait to be taken. */
enum when_full { FULL_WAIT, FULL_FAIL, FULL_DROP };

struct pumping {
	size_t room;
	enum when_full full;
	int64_t deadline_ns;
};

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* ---- The start. */

/* A pipe whose end in our hands never blocks; ours is ret[mine]. */
static int make_pipe(int ret[2], int mine, struct err *e)
{
	if (proc_pipe(ret, e) < 0)
		return -1;
	(void)fcntl(ret[0], F_SETPIPE_SZ, PIPE_BYTES); /* a smaller one does as well */
	if (fcntl(ret[mine], F_SETFL, O_NONBLOCK) < 0) {
		err_sys(e, "make a pipe");
		close_fd(&ret[0]);
		close_fd(&ret[1]);
		return -1;
	}
	return 0;
}

struct ends {
	int in[2], out[2], err[2];
};

static int make_pipes(struct ends *p, const struct coproc_spec *spec, struct err *e)
{
	*p = (struct ends){{-1, -1}, {-1, -1}, {-1, -1}};
	if (make_pipe(p->in, 1, e) < 0)
		return -1;
	if (!spec->no_answers && make_pipe(p->out, 0, e) < 0)
		return -1;
	if ((spec->keep_stderr || spec->tee_stderr) && make_pipe(p->err, 0, e) < 0)
		return -1;
	return 0;
}

static int start(struct coproc *c, const struct coproc_spec *spec, const struct ends *p,
                 struct err *e)
{
	struct proc_fd fds[3] = {{p->in[0], STDIN_FILENO}};
	struct proc_spec how = {
	    .argv = spec->argv,
	    .fds = fds,
	    .fd_count = 1,
	    .env = spec->env,
	    .mask = spec->sig != NULL ? &spec->sig->before : NULL,
	    .own_group = true,
	    .guard = true,
	    .kill_after_ms = spec->kill_after_ms,
	    .guard_holds = spec->guard_holds,
	};

	if (p->out[1] >= 0)
		fds[how.fd_count++] =
		    (struct proc_fd){p->out[1], spec->answers_on_3 ? 3 : STDOUT_FILENO};
	if (p->err[1] >= 0)
		fds[how.fd_count++] = (struct proc_fd){p->err[1], STDERR_FILENO};
	return proc_start(&c->proc, &how, e);
}

int coproc_start(struct coproc *c, const struct coproc_spec *spec, struct err *e)
{
	struct ends p;

	*c = (struct coproc){
	    .sig = spec->sig, .tee = spec->tee_stderr, .to = -1, .from = -1, .from_err = -1};
	c->proc = (struct proc){.pidfd = -1, .guard_fd = -1};
	if (make_pipes(&p, spec, e) == 0 && start(c, spec, &p, e) == 0) {
		c->to = p.in[1];
		c->from = p.out[0];
		c->from_err = p.err[0];
		p.in[1] = p.out[0] = p.err[0] = -1;
	}
	for (int i = 0; i < 2; i++) {
		close_fd(&p.in[i]);
		close_fd(&p.out[i]);
		close_fd(&p.err[i]);
	}
	return c->to < 0 ? -1 : 0;
}

/* ---- Bytes to the child. */

void coproc_send(struct coproc *c, const void *p, size_t n)
{
	if (c->sent == c->queue.len) {
		buf_clear(&c->queue);
		c->sent = 0;
	} else if (c->sent > CHUNK && c->sent > c->queue.len / 2) {
		/* Who never has all of it sent would keep all that ever was. */
		buf_consume(&c->queue, c->sent);
		c->sent = 0;
	}
	if (!c->end_input)
		buf_add(&c->queue, p, n);
}

void coproc_end_input(struct coproc *c)
{
	c->end_input = true;
	if (c->sent == c->queue.len)
		close_fd(&c->to);
}

static bool has_queue(const struct coproc *c)
{
	return c->to >= 0 && c->sent < c->queue.len;
}

/*
 * Who writes to a pipe without a reader gets SIGPIPE, and a pipe knows no MSG_NOSIGNAL: the signal
 * is held off, and taken back when this write has caused it.
 */
static ssize_t write_quietly(int fd, const void *p, size_t n)
{
	const struct timespec now = {0};
	sigset_t pipe_set;
	sigset_t before;
	ssize_t sent;
	int code;

	sigemptyset(&pipe_set);
	sigaddset(&pipe_set, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe_set, &before);
	sent = write(fd, p, n);
	code = errno;
	if (sent < 0 && code == EPIPE)
		while (sigtimedwait(&pipe_set, NULL, &now) < 0 && errno == EINTR)
			;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = code;
	return sent;
}

/* As much as goes without waiting. */
static int push(struct coproc *c, struct err *e)
{
	while (has_queue(c)) {
		ssize_t n = write_quietly(c->to, c->queue.data + c->sent, c->queue.len - c->sent);

		if (n >= 0) {
			c->sent += (size_t)n;
		} else if (errno == EPIPE) {
			close_fd(&c->to);
		} else if (errno != EINTR) {
			return errno == EAGAIN ? 0 : err_sys(e, "write to a command");
		}
	}
	if (c->end_input)
		close_fd(&c->to);
	return 0;
}

/* ---- Bytes from the child. */

/* Read what is there, at most max bytes: how many; at the end the descriptor is closed. */
static ssize_t take(int *fd, struct buf *b, size_t max, struct err *e)
{
	char *to = buf_reserve(b, max);
	ssize_t n;

	if (to == NULL)
		return buf_ok(b, e);
	do
		n = read(*fd, to, max);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		b->len += (size_t)n;
	else if (n == 0)
		close_fd(fd);
	else if (errno != EAGAIN)
		return err_sys(e, "read from a command");
	return n < 0 ? 0 : n;
}

static size_t unread(const struct coproc *c)
{
	return c->answers.len - c->taken;
}

static ssize_t take_answers(struct coproc *c, size_t max, const struct pumping *how, struct err *e)
{
	if (c->taken > 0 && (c->taken == c->answers.len || c->taken > CHUNK)) {
		buf_consume(&c->answers, c->taken);
		c->scanned -= c->taken;
		c->taken = 0;
	}
	if (unread(c) >= how->room && how->full == FULL_FAIL)
		return err_set(e, EMSGSIZE, "it answers more than is asked for");
	if (unread(c) >= how->room && how->full == FULL_DROP)
		c->answers.len = c->taken = c->scanned = 0;
	return take(&c->from, &c->answers, max, e);
}

static void show_stderr(const char *p, size_t n)
{
	while (n > 0) {
		ssize_t done = write(STDERR_FILENO, p, n);

		if (done < 0 && errno != EINTR)
			return;
		if (done > 0) {
			p += done;
			n -= (size_t)done;
		}
	}
}

static int take_stderr(struct coproc *c, size_t max, struct err *e)
{
	ssize_t n = take(&c->from_err, &c->err, max, e);

	if (n < 0)
		return -1;
	if (c->tee && n > 0)
		show_stderr(c->err.data + c->err.len - n, (size_t)n);
	if (c->err.len > COPROC_STDERR_MAX)
		buf_consume(&c->err, c->err.len - COPROC_STDERR_MAX);
	return 0;
}

/*
 * The child has ended.  What it wrote is in the pipes; somebody to whom it left their other ends
 * is not waited for.
 */
static int take_rest(struct coproc *c, const struct pumping *how, struct err *e)
{
	ssize_t got;
	int left;

	if (c->from >= 0 && ioctl(c->from, FIONREAD, &left) == 0)
		for (; c->from >= 0 && left > 0; left -= (int)got) {
			got = take_answers(c, (size_t)left, how, e);
			if (got < 0)
				return -1;
			if (got == 0)
				break;
		}
	if (c->from_err >= 0 && ioctl(c->from_err, FIONREAD, &left) == 0 && left > 0 &&
	    take_stderr(c, (size_t)left, e) < 0)
		return -1;
	close_fd(&c->to);
	close_fd(&c->from);
	close_fd(&c->from_err);
	return 0;
}

/* ---- Waiting. */

/* One round: COPROC_READY when something has changed. */
static enum coproc_result pump(struct coproc *c, const struct pumping *how, struct err *e)
{
	bool listens = unread(c) < how->room || how->full != FULL_WAIT;
	struct pollfd fds[] = {
	    {.fd = c->sig != NULL ? c->sig->fd : -1, .events = POLLIN},
	    {.fd = has_queue(c) ? c->to : -1, .events = POLLOUT},
	    {.fd = listens ? c->from : -1, .events = POLLIN},
	    {.fd = c->from_err, .events = POLLIN},
	    {.fd = c->proc.pidfd, .events = POLLIN},
	};
	int n = wait_ready(fds, sizeof(fds) / sizeof(fds[0]), how->deadline_ns, e);

	if (n <= 0)
		return n < 0 ? COPROC_FAILED : COPROC_TIMEOUT;
	if (fds[0].revents != 0)
		return COPROC_SIGNAL;
	if (fds[1].revents != 0 && push(c, e) < 0)
		return COPROC_FAILED;
	if (fds[2].revents != 0 && take_answers(c, CHUNK, how, e) < 0)
		return COPROC_FAILED;
	if (fds[3].revents != 0 && take_stderr(c, CHUNK, e) < 0)
		return COPROC_FAILED;
	if (fds[4].revents != 0 &&
	    (proc_wait(&c->proc, NULL, WAIT_FOREVER, e) < 0 || take_rest(c, how, e) < 0))
		return COPROC_FAILED;
	return COPROC_READY;
}

enum coproc_result coproc_flush(struct coproc *c, int64_t deadline_ns, struct err *e)
{
	struct pumping how = {COPROC_AHEAD_MAX, FULL_FAIL, deadline_ns};

	/* Mostly there is room: then nobody has to wait. */
	if (buf_ok(&c->queue, e) < 0 || push(c, e) < 0)
		return COPROC_FAILED;
	while (has_queue(c)) {
		enum coproc_result r = pump(c, &how, e);

		if (r != COPROC_READY)
			return r;
	}
	return c->sent < c->queue.len ? COPROC_END : COPROC_READY;
}

/* Hand out n bytes of the answers, and pass over `skip` more. */
static enum coproc_result hand_out(struct coproc *c, size_t n, size_t skip, struct span *ret)
{
	*ret = n > 0 ? (struct span){c->answers.data + c->taken, n} : (struct span){"", 0};
	c->taken += n + skip;
	c->scanned = c->taken;
	return COPROC_READY;
}

enum coproc_result coproc_line(struct coproc *c, size_t max, struct span *ret, int64_t deadline_ns,
                               struct err *e)
{
	struct pumping how = {max > COPROC_AHEAD_MAX ? max + 1 : COPROC_AHEAD_MAX, FULL_WAIT,
	                      deadline_ns};

	if (buf_ok(&c->queue, e) < 0)
		return COPROC_FAILED;
	for (;;) {
		size_t n = c->answers.len - c->scanned;
		const char *lf = n > 0 ? memchr(c->answers.data + c->scanned, '\n', n) : NULL;
		size_t len = lf != NULL ? (size_t)(lf - c->answers.data) - c->taken : unread(c);
		enum coproc_result r;

		if (len > max) {
			err_set(e, EMSGSIZE, "a line of more than %zu bytes", max);
			return COPROC_FAILED;
		}
		if (lf != NULL)
			return hand_out(c, len, 1, ret);
		c->scanned = c->answers.len;
		if (c->from < 0)
			return len > 0 ? hand_out(c, len, 0, ret) : COPROC_END;
		r = pump(c, &how, e);
		if (r != COPROC_READY)
			return r;
	}
}

enum coproc_result coproc_rest(struct coproc *c, size_t max, struct span *ret, int64_t deadline_ns,
                               struct err *e)
{
	struct pumping how = {max + 1, FULL_WAIT, deadline_ns};

	if (buf_ok(&c->queue, e) < 0)
		return COPROC_FAILED;
	while (c->from >= 0 && unread(c) <= max) {
		enum coproc_result r = pump(c, &how, e);

		if (r != COPROC_READY)
			return r;
	}
	if (unread(c) > max) {
		err_set(e, EMSGSIZE, "more than %zu bytes", max);
		return COPROC_FAILED;
	}
	return hand_out(c, unread(c), 0, ret);
}

enum coproc_result coproc_wait(struct coproc *c, int64_t deadline_ns, struct err *e)
{
	struct pumping how = {COPROC_AHEAD_MAX, FULL_DROP, deadline_ns};

	if (buf_ok(&c->queue, e) < 0)
		return COPROC_FAILED;
	while (!c->proc.ended) {
		enum coproc_result r = pump(c, &how, e);

		if (r != COPROC_READY)
			return r;
	}
	return COPROC_READY;
}

int coproc_stop(struct coproc *c, struct err *e)
{
	/* With its pipes open: the end of one would let a script go on to its next command. */
	if (proc_stop(&c->proc, e) < 0)
		return -1;
	close_fd(&c->to);
	close_fd(&c->from);
	close_fd(&c->from_err);
	return 0;
}

void coproc_done(struct coproc *c)
{
	if (c->proc.pid > 0) { /* else it never was started, and its descriptors are all zero */
		close_fd(&c->to);
		close_fd(&c->from);
		close_fd(&c->from_err);
		proc_done(&c->proc);
	}
	buf_done(&c->queue);
	buf_done(&c->answers);
	buf_done(&c->err);
	*c = (struct coproc){.to = -1, .from = -1, .from_err = -1};
	c->proc = (struct proc){.pidfd = -1, .guard_fd = -1};
}
