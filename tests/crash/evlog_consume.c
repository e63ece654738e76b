/*
 * evlog_consume: `evlog consume` under kill -9, started again each time, until all is done.
 *
 * usage: evlog_consume [KILLS]
 *
 * In each of three ways, a command for each batch, --stream, and a group of two: events are
 * appended while consumers are killed at any moment.  The command is this program.  At each batch
 * it reads the status lines that are there and then says what it got; sometimes it is slow, asks
 * for the batch again, parks it, or takes its time when it is told to end.
 *
 * In the end every event was taken or parked; no batch was given again that a status line had
 * called acknowledged; of each stream the events came in order; and no two commands of a cursor
 * ever ran at the same time.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "crash.h"
#include "evlog/cursor.h"
#include "evlog/read.h"
#include "evlog_check.h"
#include "os/file.h"
#include "seeded.h"

#define EVENTS_MAX   200000u
#define STREAMS      5u
#define SEGMENT_SIZE (64u << 10)
#define TAKE_WORD    "take"
#define BATCH        "7"
#define LINE         4096

/* Of the log that commands write, in one write a line: "B LAST" for a batch, "E SEQ" for an event
 * that was taken, "P SEQ" for one that is to be parked, "V TEXT" for a broken promise. */

struct way {
	const char *name;
	bool stream;
	unsigned members; /* 0: no group */
};

static const struct way ways[] = {{"batch", false, 0}, {"stream", true, 0}, {"group", false, 2}};

static const struct crash_counts kill_counts = {.usual = 20, .soak = 200, .sanitized = 3};

static const char *self;
static char store[300];
static uint64_t rng;

static void path_of(char to[400], const char *what, const char *way, unsigned member)
{
	snprintf(to, 400, "%s/%s.%s.%u", crash_dir, what, way, member);
}

/* ---- The command: argv is the word, DIR, the way and the member. */

static int log_fd;
static volatile sig_atomic_t told_to_end;

static void on_term(int sig)
{
	told_to_end = sig;
}

static void say(char kind, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void say(char kind, const char *fmt, ...)
{
	char line[256];
	va_list ap;
	int n = snprintf(line, sizeof(line), "%c ", kind);

	va_start(ap, fmt);
	n += vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, ap);
	va_end(ap);
	line[n++] = '\n';
	if (write(log_fd, line, (size_t)n) != n)
		_exit(99);
}

/* The last sequence that a status line has called acknowledged. */
static uint64_t last_acked(const char *way, unsigned member)
{
	char name[400], line[LINE];
	uint64_t acked = 0;
	FILE *f;

	path_of(name, "status", way, member);
	f = fopen(name, "re");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, "{\"event\":\"acked\",\"last\":\"", 25) == 0)
			acked = strtoull(line + 25, NULL, 10);
	if (f != NULL)
		fclose(f);
	return acked;
}

struct batch {
	uint64_t seq[16];
	size_t n;
};

/* A batch from stdin: up to an empty line, or the end; false: there is none. */
static bool read_batch(struct batch *b)
{
	static char line[LINE];

	b->n = 0;
	while (fgets(line, sizeof(line), stdin) != NULL && line[0] != '\n') {
		const char *seq = strstr(line, "\"sequence\":\"");

		if (seq == NULL || b->n == 16)
			say('V', "no event, or too many: %.100s", line);
		else
			b->seq[b->n++] = strtoull(seq + 12, NULL, 10);
	}
	return b->n > 0;
}

/* What becomes of it is decided by its sequences and chance. */
static int take_batch(const struct batch *b, const char *way, unsigned member)
{
	uint64_t acked = last_acked(way, member);
	uint64_t chance = seeded_below(&rng, 40);

	say('B', "%ju", (uintmax_t)b->seq[b->n - 1]);
	if (b->seq[0] <= acked)
		say('V', "%ju comes again, %ju was acknowledged", (uintmax_t)b->seq[0],
		    (uintmax_t)acked);
	crash_nap_us(chance % 4 == 0 ? seeded_below(&rng, 4000) : 0);
	if (told_to_end) {
		crash_nap_us(seeded_below(&rng, 8000));
		_exit(1);
	}
	if (chance == 1)
		return 75;
	for (size_t i = 0; i < b->n; i++)
		say(chance == 2 ? 'P' : 'E', "%ju", (uintmax_t)b->seq[i]);
	return chance == 2 ? 65 : 0;
}

static int take(char **argv)
{
	const char *way = argv[2];
	unsigned member = (unsigned)strtoul(argv[3], NULL, 10);
	bool stream = strcmp(way, "stream") == 0;
	struct sigaction act = {.sa_handler = on_term};
	struct batch b;
	struct err e;
	char name[400];
	int lock;

	crash_dir = argv[1];
	rng = (uint64_t)getpid() * 2654435761u + (uint64_t)time(NULL);
	sigaction(SIGTERM, &act, NULL);
	path_of(name, "log", way, member);
	log_fd = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	path_of(name, "lock", way, member);
	lock = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (file_try_lock(lock, 0, FILE_LOCK_EXCLUSIVE, &e) != 1)
		say('V', "two commands at the same time");
	while (read_batch(&b)) {
		int status = take_batch(&b, way, member);

		if (!stream || (status != 0 && seeded_below(&rng, 2) == 0))
			return status;
		dprintf(3, "%s\n", status == 0 ? "ok" : status == 75 ? "retry" : "park");
	}
	return 0;
}

/* ---- Consumers, and the one that kills them. */

static pid_t start(const struct way *w, unsigned member)
{
	char group[16], number[12], name[400];
	const char *argv[24] = {"evlog", "consume", w->name, "-s",           store,
	                        "-f",    "-n",      BATCH,   "--status-fd=9"};
	const char *command[] = {"--", self, TAKE_WORD, crash_dir, w->name, number};
	size_t n = 9;
	pid_t pid;

	snprintf(group, sizeof(group), "--group=%u/%u", member, w->members);
	snprintf(number, sizeof(number), "%u", member);
	if (w->members > 0)
		argv[n++] = group;
	if (w->stream)
		argv[n++] = "--stream";
	memcpy(argv + n, command, sizeof(command));
	path_of(name, "status", w->name, member);
	pid = crash_fork();
	if (pid == 0) {
		int fd = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

		if (fd < 0 || dup2(fd, 9) < 0 || fcntl(9, F_SETFD, 0) < 0)
			_exit(126);
		execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	return pid;
}

static void append_some(struct evlog *s)
{
	char words[256] = "";
	struct err e;

	for (uint64_t n = seeded_below(&rng, 12); n > 0; n--)
		snprintf(words + strlen(words), sizeof(words) - strlen(words), "s%u*%u ",
		         (unsigned)seeded_below(&rng, STREAMS),
		         (unsigned)(20 + seeded_below(&rng, 300)));
	if (words[0] != '\0' && check_append(s, words, NULL, &e) < 0)
		crash_die("append: %s", e.msg);
}

static void end_one(pid_t pid)
{
	int status;

	kill(pid, SIGTERM);
	status = crash_wait(pid);
	/* Before it has the cursor, a signal just ends it. */
	if (WIFSIGNALED(status) ? WTERMSIG(status) != SIGTERM
	                        : WEXITSTATUS(status) != 128 + SIGTERM)
		crash_die("a consumer ended with status %d", status);
}

static bool is_done(struct evlog *s, const struct way *w, unsigned member)
{
	const struct cursor_id id = {w->name, member, w->members};
	struct cursor_state state;
	struct err e;
	int found = cursor_read(s, &id, &state, &e);

	if (found < 0)
		crash_die("%s", e.msg);
	return found > 0 && state.sequence >= evlog_durable(s);
}

/* ---- What came of it. */

enum fate { NOTHING, TAKEN, PARKED };

struct outcome {
	unsigned char fate[EVENTS_MAX + 1];
	size_t batches, again;
};

/* Of each stream events are new in order; those that come again were new once. */
static void read_log(struct evlog *s, const struct way *w, unsigned member, struct outcome *o)
{
	uint64_t newest[STREAMS] = {0};
	char name[400], line[LINE];
	struct frame f;
	struct err e;
	FILE *file;

	path_of(name, "log", w->name, member);
	file = fopen(name, "re");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		uint64_t seq = strtoull(line + 2, NULL, 10);
		unsigned stream;

		if (line[0] == 'V')
			crash_die("%s, member %u: %s", w->name, member, line + 2);
		o->batches += line[0] == 'B';
		if (line[0] == 'B')
			continue;
		if (seq == 0 || seq > EVENTS_MAX || evlog_get(s, seq, &f, &e) != 1)
			crash_die("%s: taken was %s", w->name, line);
		if (w->members > 0 &&
		    cursor_member_of(f.stream.p, f.stream.len, w->members) != member)
			crash_die("%ju is of another member", (uintmax_t)seq);
		stream = (unsigned)(f.stream.p[1] - '0');
		if (seq <= newest[stream] && o->fate[seq] == NOTHING)
			crash_die("%s: %ju came after %ju of its stream", w->name, (uintmax_t)seq,
			          (uintmax_t)newest[stream]);
		if (seq > newest[stream])
			newest[stream] = seq;
		o->again += o->fate[seq] != NOTHING;
		o->fate[seq] = line[0] == 'P' && o->fate[seq] != TAKEN ? PARKED : TAKEN;
	}
	if (file != NULL)
		fclose(file);
}

/* Every event was taken or is parked, and only what was to be parked is. */
static void check_all(struct evlog *s, const struct way *w, struct outcome *o)
{
	struct scan *sc;
	char parked[64];
	struct damage d;
	struct frame f;
	struct err e;
	size_t n = 0;

	snprintf(parked, sizeof(parked), "$parked-%s", w->name);
	sc = scan_new(s, 1, &e);
	while (sc != NULL && scan_next(sc, evlog_durable(s), &f, &d, &e) == 1) {
		uint64_t seq = strtoull(f.id.p, NULL, 10);

		if (!span_is(f.stream, span_str(parked)))
			continue;
		if (seq > EVENTS_MAX || o->fate[seq] == NOTHING)
			crash_die("%s: %ju is parked and never came", w->name, (uintmax_t)seq);
		if (o->fate[seq] == PARKED)
			o->fate[seq] = TAKEN;
	}
	scan_free(sc);
	sc = scan_new(s, 1, &e);
	while (sc != NULL && scan_next(sc, evlog_durable(s), &f, &d, &e) == 1) {
		if (f.stream.p[0] == '$')
			continue;
		n++;
		if (o->fate[f.seq] != TAKEN)
			crash_die("%s: %ju was %s", w->name, (uintmax_t)f.seq,
			          o->fate[f.seq] == PARKED ? "not parked" : "never taken");
	}
	scan_free(sc);
	printf("# %s: %zu events, %zu batches, %zu events came again\n", w->name, n, o->batches,
	       o->again);
}

static void run(struct evlog *s, const struct way *w, unsigned kills)
{
	static struct outcome o;
	unsigned count = w->members > 0 ? w->members : 1;
	unsigned first = w->members > 0 ? 1 : 0;
	pid_t pids[2];

	memset(&o, 0, sizeof(o));
	for (unsigned i = 0; i < count; i++)
		pids[i] = start(w, first + i);
	for (unsigned k = 0; k < kills; k++) {
		unsigned i = (unsigned)seeded_below(&rng, count);

		append_some(s);
		crash_nap_us(seeded_below(&rng, k % 4 == 0 ? 60000 : 15000));
		crash_kill(pids[i], "a consumer");
		pids[i] = start(w, first + i);
	}
	append_some(s);
	for (unsigned i = 0; i < count; i++) {
		while (!is_done(s, w, first + i))
			crash_nap_us(5000);
		end_one(pids[i]);
		read_log(s, w, first + i, &o);
	}
	check_all(s, w, &o);
}

int main(int argc, char **argv)
{
	unsigned kills;
	struct evlog *s;
	struct err e;

	if (argc == 5 && strcmp(argv[1], TAKE_WORD) == 0)
		return take(argv + 1);
	self = argv[0];
	kills = crash_rounds(argc, argv, &kill_counts);
	rng = seeded();
	crash_dir_new();
	snprintf(store, sizeof(store), "%s/store", crash_dir);
	if (check_create(store, SEGMENT_SIZE, NULL, &e) < 0)
		crash_die("%s", e.msg);
	s = check_open(store, NULL, &e);
	if (s == NULL)
		crash_die("%s", e.msg);
	for (int i = 0; i < 20; i++)
		append_some(s);
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		run(s, &ways[i], kills);
	evlog_close(s);
	if (evlog_check_dir(store, NULL, CHECK_ALL, &e) < 0)
		crash_die("%s", e.msg);
	crash_dir_free();
	printf("ok 1 - no event is left out, none acknowledged comes again, order holds\n1..1\n");
	return 0;
}
