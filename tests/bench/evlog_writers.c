/*
 * evlog_writers: many long-lived writers of one store at once.
 *
 *	evlog_writers COUNT SECONDS LINES COMMAND [ARG]...
 *
 * Starts COUNT processes of the command, in which {} is replaced by the number of the process,
 * keeps each supplied with lines of the file LINES, and counts what they print: a line for each
 * commit, when it is durable.  After SECONDS they get SIGTERM.  Prints one line:
 *
 *	COMMITS PER_SECOND WORST_WAIT_MS SLOWEST FASTEST
 *
 * The worst wait is the longest time in which a process printed nothing, its start and a wait
 * that the end cut off included; SLOWEST and FASTEST are commits per second of one process.
 *
 * The pipes are looked at once a millisecond: being woken by each commit would take a good part
 * of a small machine from those who are measured.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "base/buf.h"
#include "bench.h"
#include "os/file.h"

#define POLL_NS     1000000
#define AHEAD       200 /* lines that a writer has before it, so that it never waits for us */
#define FEED        100 /* lines handed to it at once: they fit into a pipe beside those */
#define WRITERS_MAX 256
#define WORDS_MAX   32

struct writer {
	struct child child;
	size_t fed;     /* lines */
	size_t at;      /* in the lines */
	size_t commits; /* lines it has printed */
	int64_t last_ns;
	int64_t worst_ns;
};

static struct buf lines;

/* A word of the command with the number of the process in the place of {}. */
static char *numbered(const char *word, size_t number)
{
	const char *mark = strstr(word, "{}");
	struct buf b = {0};

	if (mark == NULL) {
		buf_add_str(&b, word);
	} else {
		buf_add(&b, word, (size_t)(mark - word));
		buf_printf(&b, "%zu%s", number, mark + 2);
	}
	buf_add_char(&b, '\0');
	return b.data;
}

static void start(struct writer *w, size_t number, char **words)
{
	char *argv[WORDS_MAX + 1] = {NULL};

	for (size_t i = 0; words[i] != NULL; i++) {
		if (i == WORDS_MAX)
			die("more than %d words", WORDS_MAX);
		argv[i] = numbered(words[i], number);
	}
	start_child(&w->child, (const char *const *)argv);
	for (size_t i = 0; argv[i] != NULL; i++)
		free(argv[i]);
	if (fcntl(w->child.from, F_SETFL, O_NONBLOCK) < 0)
		die_errno("fcntl");
	w->last_ns = clock_mono_ns();
}

static void feed(struct writer *w)
{
	while (w->fed - w->commits < AHEAD) {
		size_t begin = w->at;

		for (int i = 0; i < FEED; i++) {
			const char *from = lines.data + w->at;
			const char *lf = memchr(from, '\n', lines.len - w->at);

			w->at = (size_t)(lf + 1 - lines.data);
			w->fed++;
			if (w->at == lines.len)
				break;
		}
		write_all(w->child.to, lines.data + begin, w->at - begin);
		if (w->at == lines.len)
			w->at = 0;
	}
}

static void wait_ended(struct writer *w, int64_t now)
{
	if (now - w->last_ns > w->worst_ns)
		w->worst_ns = now - w->last_ns;
}

static void look(struct writer *w, size_t number)
{
	char text[65536];
	size_t before = w->commits;
	ssize_t n;

	while ((n = read(w->child.from, text, sizeof(text))) > 0)
		for (const char *p = text; (p = memchr(p, '\n', (size_t)(text + n - p))) != NULL;
		     p++)
			w->commits++;
	if (n == 0)
		die("writer %zu ended too early", number);
	if (errno != EAGAIN)
		die_errno("read");
	if (w->commits > before) {
		int64_t now = clock_mono_ns();

		wait_ended(w, now);
		w->last_ns = now;
	}
}

static void run(struct writer *w, size_t count, int64_t end)
{
	const struct timespec pause = {.tv_nsec = POLL_NS};

	while (clock_mono_ns() < end) {
		for (size_t i = 0; i < count; i++) {
			look(&w[i], i);
			feed(&w[i]);
		}
		nanosleep(&pause, NULL);
	}
}

/* What they still print is read away, so that none of them blocks on a full pipe. */
static void stop(struct writer *w, size_t count)
{
	char text[4096];
	int status;

	for (size_t i = 0; i < count; i++) {
		kill(w[i].child.pid, SIGTERM);
		close(w[i].child.to);
		if (fcntl(w[i].child.from, F_SETFL, 0) < 0)
			die_errno("fcntl");
	}
	for (size_t i = 0; i < count; i++) {
		while (read(w[i].child.from, text, sizeof(text)) > 0)
			;
		if (waitpid(w[i].child.pid, &status, 0) < 0)
			die_errno("waitpid");
		if (!(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM) &&
		    !(WIFEXITED(status) && WEXITSTATUS(status) == 128 + SIGTERM))
			die("writer %zu ended with wait status %d", i, status);
	}
}

static void report(struct writer *w, size_t count, int64_t took)
{
	double seconds = ms_of(took) / 1e3;
	size_t slowest = SIZE_MAX;
	size_t fastest = 0;
	int64_t worst = 0;
	size_t all = 0;

	for (size_t i = 0; i < count; i++) {
		all += w[i].commits;
		slowest = w[i].commits < slowest ? w[i].commits : slowest;
		fastest = w[i].commits > fastest ? w[i].commits : fastest;
		worst = w[i].worst_ns > worst ? w[i].worst_ns : worst;
	}
	printf("%zu %.0f %.1f %.1f %.1f\n", all, (double)all / seconds, ms_of(worst),
	       (double)slowest / seconds, (double)fastest / seconds);
}

int main(int argc, char **argv)
{
	struct writer w[WRITERS_MAX] = {0};
	uint64_t count = argc > 4 ? number(argv[1]) : 0;
	int64_t begin;
	int64_t took;
	struct err e;

	if (count == 0 || count > WRITERS_MAX)
		die("usage: evlog_writers COUNT SECONDS LINES COMMAND [ARG]...");
	if (file_read(AT_FDCWD, argv[3], SIZE_MAX, &lines, &e) < 0)
		die("%s", e.msg);
	if (lines.len == 0 || lines.data[lines.len - 1] != '\n')
		die("%s: no lines", argv[3]);
	begin = clock_mono_ns();
	for (size_t i = 0; i < count; i++)
		start(&w[i], i, argv + 4);
	run(w, count, begin + (int64_t)number(argv[2]) * CLOCK_NS_PER_SEC);
	took = clock_mono_ns() - begin;
	for (size_t i = 0; i < count; i++)
		wait_ended(&w[i], begin + took);
	report(w, count, took);
	stop(w, count);
	buf_done(&lines);
	return 0;
}
