/* status: --status-fd, what has become so, line by line. */
#include "status.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/json_out.h"

void status_option(struct status *st, const struct opts *o)
{
	int fd = (int)opts_u64(o, 0, INT_MAX);
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		opts_bad(o, "descriptor %d is not open", fd);
	if ((flags & O_ACCMODE) == O_RDONLY)
		opts_bad(o, "descriptor %d is not open for writing", fd);
	if (fd > STDERR_FILENO)
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	signal(SIGPIPE, SIG_IGN);
	st->fd = fd;
}

void status_begin(struct status *st, const char *event)
{
	if (st->fd < 0)
		return;
	buf_clear(&st->line);
	buf_add_char(&st->line, '{');
	status_text(st, "event", event);
}

void status_seq(struct status *st, const char *key, uint64_t seq)
{
	if (st->fd < 0)
		return;
	json_out_key(&st->line, key);
	json_out_seq(&st->line, seq);
}

void status_u64(struct status *st, const char *key, uint64_t v)
{
	if (st->fd < 0)
		return;
	json_out_key(&st->line, key);
	json_out_u64(&st->line, v);
}

void status_text(struct status *st, const char *key, const char *s)
{
	if (st->fd < 0)
		return;
	json_out_key(&st->line, key);
	json_out_string(&st->line, s, strlen(s));
}

/* The descriptor may be somebody's who has made it non-blocking. */
static int write_all(int fd, const char *p, size_t n, struct err *e)
{
	while (n > 0) {
		ssize_t done = write(fd, p, n);

		if (done >= 0) {
			p += done;
			n -= (size_t)done;
		} else if (errno == EAGAIN) {
			(void)poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
		} else if (errno != EINTR) {
			return err_sys(e, "write to the descriptor of --status-fd");
		}
	}
	return 0;
}

int status_end(struct status *st, struct err *e)
{
	if (st->fd < 0)
		return 0;
	buf_add_str(&st->line, "}\n");
	if (buf_ok(&st->line, e) < 0)
		return -1;
	return write_all(st->fd, st->line.data, st->line.len, e);
}

void status_done(struct status *st)
{
	buf_done(&st->line);
}
