/*
 * evlog_follow: how long an event takes from a writer to who follows the log.
 *
 *	evlog_follow STORE LINES COUNT
 *
 * The store is empty.  Starts `evlog tail -f --all` and a long-lived `evlog append`, hands one line
 *after the other to the append, and takes the time until its receipt is there and until tail has
 *printed the event. Prints p50, p99 and max in microseconds: of line to printed event, then of line
 *to receipt, then of receipt to printed event (below zero where tail was first).
 */
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "base/buf.h"
#include "bench.h"
#include "os/file.h"

#define WARM_UP    20
#define PAUSE_NS   500000 /* between events: both are asleep again */
#define TIMEOUT_MS 60000

enum what { PRINTED, RECEIPT, BETWEEN, WHATS };

struct follower {
	struct child child;
	int64_t answered_ns; /* when its line came; 0: not yet */
};

static void stop(struct child *c)
{
	kill(c->pid, SIGTERM);
	close(c->to);
	close(c->from);
	if (waitpid(c->pid, NULL, 0) < 0)
		die_errno("waitpid");
}

/* A whole line, which comes in one write and fits into the pipe. */
static void take_line(struct follower *c)
{
	char text[8192];
	ssize_t n = read(c->child.from, text, sizeof(text));

	if (n <= 0)
		die("a child ended too early");
	if (text[n - 1] == '\n')
		c->answered_ns = clock_mono_ns();
}

static void wait_for_both(struct follower *a, struct follower *b)
{
	a->answered_ns = b->answered_ns = 0;
	while (a->answered_ns == 0 || b->answered_ns == 0) {
		struct pollfd fds[] = {
		    {.fd = a->answered_ns == 0 ? a->child.from : -1, .events = POLLIN},
		    {.fd = b->answered_ns == 0 ? b->child.from : -1, .events = POLLIN}};
		int n = poll(fds, 2, TIMEOUT_MS);

		if (n < 0)
			die_errno("poll");
		if (n == 0)
			die("nothing came for %d ms", TIMEOUT_MS);
		if (fds[0].revents != 0)
			take_line(a);
		if (fds[1].revents != 0)
			take_line(b);
	}
}

static void measure(struct follower *append, struct follower *tail, const struct buf *lines,
                    size_t count, int64_t *times[WHATS])
{
	const struct timespec pause = {.tv_nsec = PAUSE_NS};
	const char *line = lines->data;

	for (size_t i = 0; i < count + WARM_UP; i++) {
		const char *end = lines->data + lines->len;
		const char *lf = memchr(line, '\n', (size_t)(end - line));
		int64_t begin;

		if (lf == NULL)
			die("fewer than %zu lines", count + WARM_UP);
		nanosleep(&pause, NULL);
		begin = clock_mono_ns();
		write_all(append->child.to, line, (size_t)(lf + 1 - line));
		wait_for_both(append, tail);
		line = lf + 1;
		if (i < WARM_UP)
			continue;
		times[PRINTED][i - WARM_UP] = tail->answered_ns - begin;
		times[RECEIPT][i - WARM_UP] = append->answered_ns - begin;
		times[BETWEEN][i - WARM_UP] = tail->answered_ns - append->answered_ns;
	}
}

int main(int argc, char **argv)
{
	const char *store = argc == 4 ? argv[1] : NULL;
	size_t count = argc == 4 ? number(argv[3]) : 0;
	struct follower append = {0};
	struct follower tail = {0};
	struct buf lines = {0};
	int64_t *times[WHATS];
	struct err e;

	if (count == 0)
		die("usage: evlog_follow STORE LINES COUNT");
	if (file_read(AT_FDCWD, argv[2], SIZE_MAX, &lines, &e) < 0)
		die("%s", e.msg);
	for (int i = 0; i < WHATS; i++)
		times[i] = allocate(count, sizeof(int64_t));
	start_child(&tail.child, (const char *const[]){"evlog", "tail", "-s", store, "-f",
	                                               "--after", "0", "--all", NULL});
	start_child(&append.child,
	            (const char *const[]){"evlog", "append", "-s", store, "follow", NULL});
	measure(&append, &tail, &lines, count, times);
	stop(&append.child);
	stop(&tail.child);
	for (int i = 0; i < WHATS; i++) {
		sort_times(times[i], count);
		printf("%.0f %.0f %.0f%c", ms_of(percentile(times[i], count, 50)) * 1e3,
		       ms_of(percentile(times[i], count, 99)) * 1e3,
		       ms_of(percentile(times[i], count, 100)) * 1e3, i == WHATS - 1 ? '\n' : ' ');
		free(times[i]);
	}
	buf_done(&lines);
	return 0;
}
