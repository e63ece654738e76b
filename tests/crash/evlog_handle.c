/*
 * evlog_handle: `evlog handle` under kill -9, with every command repeated until it has a receipt.
 *
 * usage: evlog_handle [COMMANDS]
 *
 * Four clients give commands to two streams at once.  Each run of the program may be killed at
 * any moment, or one of its children (jq, DECIDE, a guard); the client then gives the same
 * command again, and sometimes also when it had its receipt.  DECIDE is this program: it prints
 * none to three events that say what they were counted from, or rejects.
 *
 * In the end each event was counted from all that stand before it, so that no update is lost and
 * nothing was decided on a stale state; no command is carried out twice or in part; each receipt
 * is true; of a command that was rejected there is no trace.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json.h"
#include "crash.h"
#include "evlog/append.h"
#include "evlog/read.h"
#include "evlog_check.h"
#include "seeded.h"

#define CLIENTS      4
#define STREAMS      2
#define COMMANDS_MAX 4000 /* of a client */
#define SEGMENT_SIZE (32u << 10)
#define KILL_MAX_US  60000
#define DECIDE_WORD  "decide"

static const char evolve[] =
    "def init: {n: 0};\n"
    "def evolve($e): if $e.type != \"Counted\" then .\n"
    "  elif $e.data.from != .n then error(\"a lost update\") else .n = .n + 1 end;\n";

/* What a client knows of a command of its own; in memory that all processes share. */
struct told {
	bool done, rejected;
	uint64_t first, last, count;
};

struct client {
	unsigned kills, child_kills, repeats, duplicates;
	struct told told[COMMANDS_MAX];
};

static const struct crash_counts command_counts = {.usual = 20, .soak = 200, .sanitized = 3};

static struct client *clients;
static const char *self;
static char store[300], program[300], errors[300];
static unsigned commands;

/* ---- DECIDE: argv is the word, an id and how many events. */

static int decide(char **argv)
{
	static char line[65536];
	const char *n;
	unsigned long from;
	unsigned long count = strtoul(argv[2], NULL, 10);

	if (fgets(line, sizeof(line), stdin) == NULL || (n = strstr(line, "\"n\":")) == NULL)
		return 70;
	from = strtoul(n + 4, NULL, 10);
	crash_nap_us(from * 7919 % 5000);
	if (count == 9)
		return 1;
	for (unsigned long i = 0; i < count; i++)
		printf("{\"type\":\"Counted\",\"data\":{\"from\":%lu,\"by\":\"%s\"}}\n", from + i,
		       argv[1]);
	return 0;
}

/* ---- A client. */

/* How many events a command yields is decided by its name; 9: it is rejected. */
static unsigned size_of(unsigned client, unsigned number)
{
	uint64_t rng = (uint64_t)client << 32 | number;
	uint64_t r = seeded_next(&rng) % 10;

	return r == 9 ? 9 : (unsigned)(r % 4);
}

static const char *stream_of(unsigned client, unsigned number)
{
	return (client + number) % STREAMS == 0 ? "a" : "b";
}

static pid_t start(const char *stream, const char *id, unsigned size, const char *retry_for,
                   int *ret_out)
{
	char count[12];
	const char *const argv[] = {"evlog", "handle",      stream,    "-s",
	                            store,   "-e",          program,   "-i",
	                            id,      "--retry-for", retry_for, "--snapshot-every",
	                            "5",     "--",          self,      DECIDE_WORD,
	                            id,      count,         NULL};

	snprintf(count, sizeof(count), "%u", size);
	return crash_start(argv, errors, ret_out);
}

/* Whether a child was killed, so that strange statuses are no wonder. */
static bool strike(struct client *me, pid_t pid, uint64_t *rng)
{
	uint64_t what = seeded_below(rng, 8);

	if (what >= 6)
		return false; /* this one may live */
	crash_nap_us(seeded_below(rng, KILL_MAX_US));
	if (what == 5) {
		pid_t child = crash_child_of(pid, seeded_next(rng));

		if (child != 0 && kill(child, SIGKILL) == 0)
			me->child_kills++;
		return child != 0;
	}
	kill(pid, SIGKILL);
	me->kills++;
	return false;
}

static uint64_t member(const struct json_doc *doc, const char *key)
{
	const struct json_value *v = json_find(doc, key);
	uint64_t n = 0;
	struct err e;

	if (v == NULL || json_get_u64(v, &n, &e) < 0)
		crash_die("a receipt without \"%s\"", key);
	return n;
}

/* Compare a receipt with what was told before, or remember it. */
static void take_receipt(struct client *me, struct told *t, const char *text, size_t len,
                         unsigned size)
{
	struct json_doc doc;
	struct err e;
	uint64_t first = 0, last = 0, count;

	if (json_scan(text, len, &doc, &e) < 0)
		crash_die("no receipt: %.*s", (int)len, text);
	count = member(&doc, "count");
	if (json_find(&doc, "known") != NULL)
		count += member(&doc, "known");
	if (count != size)
		crash_die("a receipt of %u events: %.*s", size, (int)len, text);
	if (count > 0) {
		first = member(&doc, "first");
		last = member(&doc, "last");
	}
	if (memmem(text, len, "\"duplicate\":true", 16) != NULL)
		me->duplicates++;
	if (t->done && (t->first != first || t->last != last))
		crash_die("the second receipt is another one: %.*s", (int)len, text);
	*t = (struct told){.done = true, .first = first, .last = last, .count = count};
}

/* Give the command once: whether it has ended with an answer. */
static bool give(struct client *me, unsigned client, unsigned number, uint64_t *rng)
{
	struct told *t = &me->told[number];
	unsigned size = size_of(client, number);
	char id[32], text[1024];
	size_t len = 0;
	bool odd;
	ssize_t n;
	int out, status;
	pid_t pid;

	snprintf(id, sizeof(id), "c-%u-%u", client, number);
	pid = start(stream_of(client, number), id, size, "10m", &out);
	odd = strike(me, pid, rng);
	while ((n = read(out, text + len, sizeof(text) - len)) > 0)
		len += (size_t)n;
	close(out);
	status = crash_wait(pid);
	/* A line that was printed is a receipt, whatever happened then. */
	if (len > 0 && text[len - 1] == '\n')
		take_receipt(me, t, text, len, size);
	if (WIFSIGNALED(status) || (odd && WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != 13))
		return false;
	if (WEXITSTATUS(status) == 13)
		t->rejected = true;
	else if (WEXITSTATUS(status) != 0 || !t->done)
		crash_die("%s ended with status %d", id, WEXITSTATUS(status));
	return true;
}

static _Noreturn void run_client(unsigned client, uint64_t rng)
{
	struct client *me = &clients[client];

	for (unsigned i = 0; i < commands; i++) {
		while (!give(me, client, i, &rng))
			me->repeats++;
		if (seeded_below(&rng, 4) == 0)
			(void)give(me, client, i, &rng);
		if (me->told[i].rejected != (size_of(client, i) == 9) ||
		    me->told[i].rejected == me->told[i].done)
			crash_die("command c-%u-%u: rejected %d, done %d", client, i,
			          me->told[i].rejected, me->told[i].done);
	}
	fflush(stdout);
	_exit(0);
}

/* ---- What is in the store in the end. */

struct count {
	uint32_t events, first, marks;
};

static struct count counts[CLIENTS][COMMANDS_MAX];

/* Of a command "c-CLIENT-NUMBER". */
static struct count *count_of(struct span id, size_t id_len)
{
	unsigned long client, number;
	char text[64], *end;

	snprintf(text, sizeof(text), "%.*s", (int)id_len, id.p);
	client = strtoul(text + 2, &end, 10);
	number = *end == '-' ? strtoul(end + 1, &end, 10) : COMMANDS_MAX;
	if (strncmp(text, "c-", 2) != 0 || *end != '\0' || client >= CLIENTS ||
	    number >= COMMANDS_MAX)
		crash_die("an event with the id '%.*s'", (int)id.len, id.p);
	return &counts[client][number];
}

static void see_event(const struct frame *f, uint64_t n[2])
{
	const char *colon = memchr(f->id.p, ':', f->id.len);
	uint64_t *total = &n[f->stream.p[0] == 'a' ? 0 : 1];
	struct count *c;
	char text[128];

	if (colon == NULL)
		crash_die("an event with the id '%.*s'", (int)f->id.len, f->id.p);
	c = count_of(f->id, (size_t)(colon - f->id.p));
	snprintf(text, sizeof(text), "%.*s", (int)f->data.len, f->data.p);
	if (strncmp(text, "{\"from\":", 8) != 0 || strtoul(text + 8, NULL, 10) != *total)
		crash_die("%.*s: event %ju of its stream", (int)f->data.len, f->data.p,
		          (uintmax_t)*total);
	++*total;
	if (strtoul(colon + 1, NULL, 10) != c->events ||
	    (c->events > 0 && f->version != c->first + c->events))
		crash_die("event '%.*s' at version %u", (int)f->id.len, f->id.p, f->version);
	if (c->events++ == 0)
		c->first = f->version;
}

static void read_store(void)
{
	struct err e;
	struct evlog *s = check_open(store, NULL, &e);
	struct scan *sc = s == NULL ? NULL : scan_new(s, 1, &e);
	uint64_t n[2] = {0};
	struct damage d;
	struct frame f;
	int r;

	if (sc == NULL)
		crash_die("%s", e.msg);
	while ((r = scan_next(sc, evlog_durable(s), &f, &d, &e)) == 1)
		if (f.stream.p[0] == '$')
			count_of(f.id, f.id.len)->marks++;
		else
			see_event(&f, n);
	if (r != 0)
		crash_die("%s", r < 0 ? e.msg : "damage");
	scan_free(sc);
	evlog_close(s);
	printf("# %ju and %ju events\n", (uintmax_t)n[0], (uintmax_t)n[1]);
}

static void compare(void)
{
	for (unsigned i = 0; i < CLIENTS; i++)
		for (unsigned k = 0; k < commands; k++) {
			const struct told *t = &clients[i].told[k];
			const struct count *c = &counts[i][k];

			if (c->marks != t->done || c->events != t->count)
				crash_die("c-%u-%u: %u events, %u marks, told %ju", i, k, c->events,
				          c->marks, (uintmax_t)t->count);
			if (c->events > 0 &&
			    (c->first != t->first || t->last != t->first + t->count - 1))
				crash_die("c-%u-%u is at %u, told was %ju", i, k, c->first,
				          (uintmax_t)t->first);
		}
}

static void run_all(uint64_t seed)
{
	unsigned kills = 0, child_kills = 0, repeats = 0, duplicates = 0;
	pid_t pids[CLIENTS];

	for (unsigned i = 0; i < CLIENTS; i++) {
		pids[i] = crash_fork();
		if (pids[i] == 0)
			run_client(i, seed + i);
	}
	for (unsigned i = 0; i < CLIENTS; i++) {
		int status = crash_wait(pids[i]);

		if (status != 0)
			crash_die("a client ended with status %d", status);
		kills += clients[i].kills;
		child_kills += clients[i].child_kills;
		repeats += clients[i].repeats;
		duplicates += clients[i].duplicates;
	}
	printf("# %u commands, %u killed, %u with a child killed, given again %u times, %u times "
	       "for a duplicate\n",
	       CLIENTS * commands, kills, child_kills, repeats, duplicates);
	if (kills == 0)
		crash_die("nothing was killed");
}

/* ---- A writer that died between its write and its sync. */

static void after_a_lost_writer(void)
{
	struct err e;
	struct evlog *s = check_open(store, NULL, &e);
	char text[1024];
	int out, status;
	pid_t pid;

	if (s == NULL || check_commit(s, "c", NULL, &e) < 0)
		crash_die("%s", e.msg);
	if (evlog_durable(s) == evlog_written(s))
		crash_die("the event is on disk already");
	pid = start("c", "c-0-0", 1, "5s", &out);
	while (read(out, text, sizeof(text)) > 0)
		;
	close(out);
	status = crash_wait(pid);
	if (status != 0)
		crash_die("it ended with status %d", status);
	evlog_close(s);
	printf("ok 1 - events that their writer could not sync are synced, and decided on\n");
}

static void make_place(const char *name)
{
	struct err e;

	snprintf(store, sizeof(store), "%s/%s", crash_dir, name);
	if (check_create(store, SEGMENT_SIZE, NULL, &e) < 0)
		crash_die("%s", e.msg);
}

int main(int argc, char **argv)
{
	uint64_t seed;
	struct err e;

	if (argc > 3 && strcmp(argv[1], DECIDE_WORD) == 0)
		return decide(argv + 1);
	self = argv[0];
	commands = crash_rounds(argc, argv, &command_counts) % COMMANDS_MAX;
	seed = seeded();
	crash_dir_new();
	snprintf(program, sizeof(program), "%s/count.jq", crash_dir);
	snprintf(errors, sizeof(errors), "%s/errors", crash_dir);
	crash_write_file(program, evolve);
	clients = crash_share(CLIENTS * sizeof(*clients));
	make_place("lost");
	after_a_lost_writer();
	make_place("store");
	run_all(seed);
	read_store();
	compare();
	if (evlog_check_dir(store, NULL, CHECK_ALL, &e) < 0)
		crash_die("%s", e.msg);
	crash_dir_free();
	printf("ok 2 - each command is carried out once, and on the newest state\n1..2\n");
	return 0;
}
