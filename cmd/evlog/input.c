/*
 * input: lines of files, and when to stop waiting for more of them.
 *
 * The reader takes what is there in blocks and hands it out line by line.  Before it would have
 * to wait it says so once (INPUT_PAUSE), which is when an append commits.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "evlog.h"
#include "os/file.h"

#define BLOCK_SIZE (256u << 10)

/* Set by a signal; the eventfd wakes poll(), which would else miss one that comes before it. */
static volatile sig_atomic_t stop_signal;
static int stop_fd = -1;

static void on_signal(int sig)
{
	int saved = errno;

	stop_signal = sig;
	(void)!write(stop_fd, &(uint64_t){1}, sizeof(uint64_t));
	errno = saved;
}

void input_catch_signals(void)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
	struct sigaction act = {.sa_handler = on_signal, .sa_flags = SA_RESTART | SA_RESETHAND};
	struct sigaction old;

	stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (stop_fd < 0)
		tool_dief(TOOL_OSERR, "eventfd: %s", strerror(errno));
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		/* What nohup(1) or a script's & had ignored stays ignored. */
		if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			sigaction(signals[i], &act, NULL);
}

int input_signal(void)
{
	return stop_signal;
}

void input_locate(const struct input *in, struct err *e)
{
	origin_locate(&(struct origin){in->file, in->line}, e);
}

void origin_locate(const struct origin *o, struct err *e)
{
	if (o->line == 0)
		return;
	if (o->file != NULL)
		err_wrap(e, "'%s' line %ju", o->file, (uintmax_t)o->line);
	else
		err_wrap(e, "line %ju", (uintmax_t)o->line);
}

void input_open(struct input *in, char **files)
{
	static char stdin_name[] = "-";
	static char *stdin_alone[] = {stdin_name, NULL};

	*in = (struct input){.files = *files != NULL ? files : stdin_alone, .fd = -1};
	in->cap = 2 * (size_t)BLOCK_SIZE;
	in->data = tool_alloc(in->cap, 1);
}

static void close_file(struct input *in)
{
	if (in->fd > STDIN_FILENO)
		file_close(&io_os, in->fd);
	in->fd = -1;
}

void input_close(struct input *in)
{
	close_file(in);
	free(in->data);
	in->data = NULL;
}

/* 1: the next file is open, 0: there is none, -1. */
static int next_file(struct input *in, struct err *e)
{
	const char *name = *in->files;

	close_file(in);
	if (name == NULL)
		return 0;
	in->files++;
	in->line = 0;
	in->at_end = false;
	in->file = strcmp(name, "-") == 0 ? NULL : name;
	if (in->file == NULL) {
		in->fd = STDIN_FILENO;
		return 1;
	}
	in->fd = file_open(&io_os, AT_FDCWD, name, O_RDONLY, 0, e);
	return in->fd < 0 ? -1 : 1;
}

/* Is there something to read?  wait: until there is, or a signal came. */
static bool is_ready(const struct input *in, bool wait)
{
	struct pollfd fds[] = {{.fd = in->fd, .events = POLLIN}, {.fd = stop_fd, .events = POLLIN}};

	return poll(fds, 2, wait ? -1 : 0) > 0 && fds[0].revents != 0;
}

static int make_room(struct input *in, struct err *e)
{
	size_t left = in->end - in->begin;
	char *data;

	memmove(in->data, in->data + in->begin, left);
	in->scanned -= in->begin;
	in->begin = 0;
	in->end = left;
	if (in->cap - left >= BLOCK_SIZE)
		return 0;
	data = realloc(in->data, 2 * in->cap);
	if (data == NULL)
		return err_set(e, ENOMEM, "out of memory");
	in->data = data;
	in->cap *= 2;
	return 0;
}

static int fill(struct input *in, struct err *e)
{
	ssize_t n;

	if (in->cap - in->end < BLOCK_SIZE && make_room(in, e) < 0)
		return -1;
	do
		n = read(in->fd, in->data + in->end, in->cap - in->end);
	while (n < 0 && errno == EINTR && stop_signal == 0);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n < 0)
		return err_sys(e, "read '%s'", in->file != NULL ? in->file : "standard input");
	in->end += (size_t)n;
	in->at_end = n == 0;
	return 0;
}

/* A line out of what was read; false when none is whole. */
static bool take_line(struct input *in, struct span *ret)
{
	const char *from = in->data + in->begin;
	const char *lf = NULL;

	if (in->scanned < in->end)
		lf = memchr(in->data + in->scanned, '\n', in->end - in->scanned);
	in->scanned = in->end;
	if (lf == NULL && !(in->at_end && in->begin < in->end))
		return false;
	*ret = (struct span){from, lf != NULL ? (size_t)(lf - from) : in->end - in->begin};
	in->begin = lf != NULL ? (size_t)(lf + 1 - in->data) : in->end;
	in->scanned = in->begin;
	in->line++;
	return true;
}

static enum input_step refuse_long(struct input *in, struct err *e)
{
	in->line++;
	err_set(e, EVLOG_BAD_EVENT, "more than %u bytes", EVENT_LINE_MAX);
	input_locate(in, e);
	return INPUT_BAD;
}

/* More bytes: INPUT_LINE when there may be a line now. */
static enum input_step read_more(struct input *in, struct err *e)
{
	bool ready;
	int r;

	if (stop_signal != 0)
		return INPUT_STOP;
	if (in->fd < 0 || in->at_end) {
		r = next_file(in, e);
		return r > 0 ? INPUT_LINE : r == 0 ? INPUT_END : INPUT_BAD;
	}
	ready = is_ready(in, in->paused);
	if (!ready && !in->paused) {
		in->paused = true;
		return INPUT_PAUSE;
	}
	in->paused = false;
	return ready && fill(in, e) < 0 ? INPUT_BAD : INPUT_LINE;
}

enum input_step input_next(struct input *in, struct span *ret_line, struct err *e)
{
	for (;;) {
		enum input_step step;

		if (take_line(in, ret_line))
			return ret_line->len > EVENT_LINE_MAX ? refuse_long(in, e) : INPUT_LINE;
		if (in->end - in->begin > EVENT_LINE_MAX)
			return refuse_long(in, e);
		step = read_more(in, e);
		if (step != INPUT_LINE)
			return step;
	}
}

enum input_step input_rest(struct input *in, size_t max, struct span *ret_bytes, struct err *e)
{
	enum input_step step;

	do {
		step = read_more(in, e);
		if (in->end - in->begin > max) {
			err_set(e, EVLOG_BAD_EVENT, "more than %zu bytes in one event", max);
			return INPUT_BAD;
		}
	} while (step == INPUT_LINE || step == INPUT_PAUSE);
	*ret_bytes = (struct span){in->data + in->begin, in->end - in->begin};
	return step == INPUT_END ? INPUT_LINE : step;
}
