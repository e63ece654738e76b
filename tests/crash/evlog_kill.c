/*
 * evlog_kill: writers on one store that are killed by kill -9 at any moment, and started again.
 *
 * usage: evlog_kill [KILLS]
 *
 * Eight processes append commits, to a stream of their own and to shared ones, and write the
 * receipt of each to a file of their own.  A process that was killed is started again and repeats
 * its last commit, as a caller does who has no receipt.  In the end no receipt is lost, no event
 * is there twice, no commit in part, and everything is dense.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crash.h"
#include "evlog/admin.h"
#include "evlog/append.h"
#include "evlog/store_impl.h"
#include "evlog_check.h"
#include "evlog_receipts.h"
#include "seeded.h"

#define WRITERS      8
#define SEGMENT_SIZE (48u << 10)

enum phase {
	OPENING,
	PLANNING,
	WRITING,
	ENTERING,
	ROLLING,
	SYNCING,
	PRINTING,
	MAINTAINING,
	PHASES
};

static const char *const phase_names[PHASES] = {"open", "plan", "write", "tables",
                                                "roll", "sync", "print", "maintain"};

/* In memory that all processes share: it outlives them. */
struct writer {
	volatile enum phase phase;
	volatile uint32_t number; /* of the commit it is at; known before it is begun */
	volatile uint32_t done;   /* commits with a receipt, in all lives */
};

struct shared {
	struct writer writers[WRITERS];
	volatile int stopping;
};

static const struct crash_counts kill_counts = {.usual = 500, .soak = 10000, .sanitized = 50};

static struct shared *shared;
static pid_t pids[WRITERS]; /* the parent's */
static struct writer *me;
static char store[300];

/* --- a writer --- */

static ssize_t watched_pwrite(int fd, const void *p, size_t n, off_t at)
{
	enum phase was = me->phase;
	ssize_t r;

	me->phase = was == PLANNING || was == ENTERING ? WRITING : was;
	r = pwrite(fd, p, n, at);
	me->phase = me->phase == WRITING ? ENTERING : was;
	return r;
}

static int watched_fsync(int fd)
{
	if (me->phase == ENTERING || me->phase == PLANNING)
		me->phase = ROLLING;
	return fsync(fd);
}

/* The words of a commit are the same whenever it is repeated. */
static void make_words(char words[512], unsigned writer, uint32_t number)
{
	uint64_t rng = (uint64_t)writer << 32 | number;
	unsigned n = (unsigned)seeded_below(&rng, 5) + 1;

	words[0] = '\0';
	for (unsigned i = 0; i < n; i++) {
		uint64_t h = seeded_next(&rng);
		char stream[24];

		if (h % 3 == 0)
			snprintf(stream, sizeof(stream), "w%u", writer);
		else if (h % 3 == 1)
			snprintf(stream, sizeof(stream), "s%u", (unsigned)(h >> 8 & 15));
		else
			snprintf(stream, sizeof(stream), "n%u-%u", writer, number / 7);
		snprintf(words + strlen(words), 512 - strlen(words), "%s%s=%u-%u-%u*%u",
		         i > 0 ? " " : "", stream, writer, number, i,
		         h % 40 == 0 ? 6000 : (unsigned)(h >> 16 & 255));
	}
}

static void write_one(struct evlog *s, struct commit *c, unsigned writer, int receipts)
{
	struct commit_result r;
	char words[512];
	struct err e;

	make_words(words, writer, me->number);
	commit_clear(c);
	if (check_fill(s, c, words, &e) < 0)
		crash_die("%s", e.msg);
	me->phase = PLANNING;
	if (evlog_commit(s, c, COMMIT_ATOMIC, CHECK_TIME_NS + me->number, &r, &e) < 0)
		crash_die("writer %u commit %u: %s", writer, me->number, e.msg);
	me->phase = SYNCING;
	if (evlog_sync(s, r.sequence, &e) < 0)
		crash_die("writer %u sync: %s", writer, e.msg);
	me->phase = PRINTING;
	receipts_write(receipts, c);
	me->done++;
	me->number++;
	me->phase = MAINTAINING;
	if (evlog_maintain(s, &e) < 0)
		crash_die("writer %u maintain: %s", writer, e.msg);
}

static void run_writer(unsigned writer)
{
	struct io io = io_os;
	struct evlog *s;
	struct commit *c = commit_new();
	struct err e;
	int fd;

	me = &shared->writers[writer];
	me->phase = OPENING;
	fd = receipts_open(writer);
	io.pwrite = watched_pwrite;
	io.fsync = watched_fsync;
	s = check_open(store, &io, &e);
	if (s == NULL)
		crash_die("writer %u open: %s", writer, e.msg);
	while (!shared->stopping)
		write_one(s, c, writer, fd);
	evlog_close(s);
	commit_free(c);
	close(fd);
	_exit(0);
}

static void start(unsigned writer)
{
	pids[writer] = crash_fork();
	if (pids[writer] == 0)
		run_writer(writer);
}

/* --- the one that kills --- */

static unsigned landed[PHASES];

static void kill_one(unsigned writer)
{
	crash_kill(pids[writer], "a writer");
	landed[shared->writers[writer].phase]++;
}

/* Every 16th time all are killed at once, as when a machine's service is killed. */
static void kill_many(unsigned kills, uint64_t rng)
{
	for (unsigned n = 0; n < kills;) {
		uint64_t h = seeded_next(&rng);

		crash_nap_us(h % 16 == 0 ? 30000 : h >> 32 & 4095);
		if (h % 16 != 1) {
			unsigned w = (unsigned)(h >> 8) % WRITERS;

			kill_one(w);
			start(w);
			n++;
			continue;
		}
		for (unsigned w = 0; w < WRITERS; w++)
			kill_one(w);
		for (unsigned w = 0; w < WRITERS; w++)
			start(w);
		n += WRITERS;
	}
}

static void stop_all(void)
{
	uint32_t before = 0;

	/* All get to write once more, so that each has repeated what it was killed in. */
	for (unsigned w = 0; w < WRITERS; w++) {
		before = shared->writers[w].done;
		while (shared->writers[w].done == before)
			crash_nap_us(1000);
	}
	shared->stopping = 1;
	for (unsigned w = 0; w < WRITERS; w++) {
		int status = crash_wait(pids[w]);

		if (status != 0)
			crash_die("writer %u ended with status %d", w, status);
	}
}

static void report(const struct acks *a)
{
	unsigned between = landed[WRITING] + landed[ENTERING] + landed[ROLLING] + landed[SYNCING] +
	                   landed[PRINTING];
	struct evlog_stat st;
	struct err e;
	struct evlog *s = check_open(store, NULL, &e);

	if (s == NULL || evlog_get_stat(s, &st, &e) < 0)
		crash_die("%s", e.msg);
	evlog_close(s);
	printf("# %zu events with a receipt, %ju in the store, %ju segments\n", a->n,
	       (uintmax_t)st.events, (uintmax_t)st.segments);
	printf("# killed:");
	for (int i = 0; i < PHASES; i++)
		printf(" %s %u", phase_names[i], landed[i]);
	printf("; %u between the first write and the receipt\n", between);
	if (between == 0)
		crash_die("no kill landed between the first write and the receipt");
}

int main(int argc, char **argv)
{
	unsigned kills = crash_rounds(argc, argv, &kill_counts);
	uint64_t rng = seeded();
	struct acks acks = {0};
	struct err e;

	crash_dir_new();
	snprintf(store, sizeof(store), "%s/store", crash_dir);
	shared = crash_share(sizeof(*shared));
	if (check_create(store, SEGMENT_SIZE, NULL, &e) < 0)
		crash_die("%s", e.msg);
	for (unsigned w = 0; w < WRITERS; w++)
		start(w);
	kill_many(kills, rng);
	stop_all();
	receipts_read(&acks, WRITERS);
	report(&acks);
	if (evlog_check_dir(store, &acks, CHECK_ALL, &e) < 0)
		crash_die("%s", e.msg);
	acks_done(&acks);
	crash_dir_free();
	printf("ok 1 - no receipt is lost and no event is there twice\n1..1\n");
	return 0;
}
