/*
 * evlog_compact: `evlog compact` under kill -9, while writers append and readers read.
 *
 * usage: evlog_compact [KILLS]
 *
 * Writers append to streams of their own, which they delete now and then, and to shared ones of
 * which a rule keeps the newest RETAINED events; they write the receipt of each commit to a file.
 * Readers read streams by name all the time.  A compaction is started, killed at a random moment,
 * and started again; sometimes a writer is killed as well, and repeats its last commit.
 *
 * No reader ever misses an event that its stream shows.  In the end every event with a receipt
 * that is not deleted, or left out by the rule, is there; none is there twice; and when nobody is
 * killed any more, all the others go.
 */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crash.h"
#include "evlog/retain.h"
#include "evlog/shrink.h"
#include "evlog/store_impl.h"
#include "evlog_check.h"
#include "evlog_receipts.h"
#include "seeded.h"

#define WRITERS      3
#define READERS      2
#define SHARED       2
#define RETAINED     20u
#define SEGMENT_SIZE (24u << 10)
#define DELETE_EVERY 23u

/* In memory that all processes share: it outlives them. */
struct shared {
	volatile uint32_t number[WRITERS]; /* of the commit a writer is at */
	volatile uint32_t reads;
	volatile int stopping;
};

static const struct crash_counts kill_counts = {.usual = 20, .soak = 200, .sanitized = 2};

static struct shared *shared;
static char store[300];
static uint64_t rng;

static struct evlog *open_store(void)
{
	struct err e;
	struct evlog *s = check_open(store, NULL, &e);

	if (s == NULL)
		crash_die("open: %s", e.msg);
	return s;
}

/* --- writers --- */

/* A commit's words are the same whenever it is repeated.  The numbers are in the ids. */
static bool make_words(char words[256], unsigned writer, uint32_t number)
{
	uint64_t h = ((uint64_t)writer << 32 | number) + 1;
	unsigned n = (unsigned)seeded_below(&h, 4) + 1;

	if (number % DELETE_EVERY == DELETE_EVERY - 1) {
		snprintf(words, 256, "~w%u", writer);
		return true;
	}
	words[0] = '\0';
	for (unsigned i = 0; i < n; i++) {
		bool own = i == 0 || seeded_below(&h, 2) == 0;

		snprintf(words + strlen(words), 256 - strlen(words), "%s%c%u=%u-%u-%u*%u",
		         i > 0 ? " " : "", own ? 'w' : 'r',
		         own ? writer : (unsigned)seeded_below(&h, SHARED), writer, number, i,
		         (unsigned)seeded_below(&h, 900));
	}
	return false;
}

static void write_one(struct evlog *s, struct commit *c, unsigned writer, int receipts)
{
	uint32_t number = shared->number[writer];
	struct commit_result r;
	char words[256];
	struct err e;
	bool deletes = make_words(words, writer, number);
	int done;

	commit_clear(c);
	if (check_fill(s, c, words, &e) < 0)
		crash_die("%s", e.msg);
	done = evlog_commit(s, c, COMMIT_ATOMIC, CHECK_TIME_NS + number, &r, &e);
	/* A deletion that is repeated because its receipt was lost. */
	if (done < 0 && !(deletes && e.code == EVLOG_NO_STREAM))
		crash_die("writer %u commit %u: %s", writer, number, e.msg);
	if (done == 0 && evlog_sync(s, r.sequence, &e) < 0)
		crash_die("writer %u sync: %s", writer, e.msg);
	if (!deletes)
		receipts_write(receipts, c);
	shared->number[writer]++;
	if (evlog_maintain(s, &e) < 0)
		crash_die("writer %u maintain: %s", writer, e.msg);
}

static void run_writer(unsigned writer)
{
	struct commit *c = commit_new();
	int fd = receipts_open(writer);
	struct evlog *s = open_store();

	while (!shared->stopping) {
		write_one(s, c, writer, fd);
		crash_nap_us(300);
	}
	evlog_close(s);
	commit_free(c);
	close(fd);
}

/* --- readers --- */

/* All that a stream shows is there, from its first version to its last. */
static void read_stream(struct evlog *s, struct span stream)
{
	uint64_t end = evlog_durable(s);
	struct seqs seqs = {0};
	struct frame f;
	struct err e;
	uint32_t first;

	if (evlog_gather(s, stream, 0, UINT32_MAX, end, &seqs, &e) < 0)
		crash_die("read '%.*s': %s", (int)stream.len, stream.p, e.msg);
	for (size_t i = 0; i < seqs.len; i++) {
		int r = evlog_get(s, seqs.v[i], &f, &e);
		uint32_t version = seqs.first + (uint32_t)i;

		if (r < 0 || (r > 0 && (f.version != version || !span_is(f.stream, stream))))
			crash_die("'%.*s' version %u: %s", (int)stream.len, stream.p, version,
			          r < 0 ? e.msg : "another event");
		/* It may have been deleted or left out since. */
		if (r == 0 && evlog_first(s, stream, evlog_durable(s), &first, &e) > 0 &&
		    first <= version)
			crash_die("'%.*s' version %u is missing", (int)stream.len, stream.p,
			          version);
	}
	shared->reads++;
	seqs_done(&seqs);
}

static void run_reader(unsigned reader)
{
	struct evlog *s = open_store();

	for (unsigned i = reader; !shared->stopping; i++) {
		char name[8];
		unsigned x = i % (WRITERS + SHARED);

		snprintf(name, sizeof(name), x < WRITERS ? "w%u" : "r%u",
		         x < WRITERS ? x : x - WRITERS);
		read_stream(s, span_str(name));
		crash_nap_us(200);
		if (i % 50 == 49) {
			evlog_close(s);
			s = open_store();
		}
	}
	evlog_close(s);
}

/* --- the one that kills --- */

static pid_t start(void (*run)(unsigned), unsigned which)
{
	pid_t pid = crash_fork();

	if (pid > 0)
		return pid;
	run(which);
	_exit(0);
}

static pid_t start_compact(void)
{
	static const char *const argv[] = {"evlog", "-s", store, "compact", "-q", NULL};

	return crash_start(argv, NULL, NULL);
}

/* 1: it was killed, 0: it had ended by itself before. */
static int kill_compact(pid_t pid, uint64_t after_us)
{
	int status;

	crash_nap_us(after_us);
	kill(pid, SIGKILL);
	status = crash_wait(pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
		crash_die("evlog compact: exit %d", WEXITSTATUS(status));
	return WIFSIGNALED(status);
}

/* A file was just being made. */
static bool left_a_rest(void)
{
	char log[400];
	struct dirent *d;
	bool found = false;
	DIR *list;

	snprintf(log, sizeof(log), "%s/log", store);
	list = opendir(log);
	while (list != NULL && (d = readdir(list)) != NULL)
		found = found || strstr(d->d_name, ".evl.new") != NULL;
	if (list != NULL)
		closedir(list);
	return found;
}

/* How many of them were killed while they wrote a file. */
static unsigned kill_many(unsigned kills, pid_t writers[WRITERS])
{
	uint64_t longest = 20000;
	unsigned writing = 0;

	for (unsigned n = 0; n < kills;) {
		uint64_t after = seeded_below(&rng, longest);

		if (kill_compact(start_compact(), after)) {
			n++;
			writing += left_a_rest();
		} else if (longest > 4000) {
			longest -= longest / 16;
		}
		if (seeded_below(&rng, 8) == 0) {
			unsigned w = (unsigned)seeded_below(&rng, WRITERS);

			crash_kill(writers[w], "a writer");
			writers[w] = start(run_writer, w);
		}
	}
	return writing;
}

static void wait_for(pid_t pid, const char *what)
{
	int status = crash_wait(pid);

	if (status != 0)
		crash_die("a %s ended with status %d", what, status);
}

static void stop_all(const pid_t *writers, const pid_t *readers)
{
	uint32_t before[WRITERS];

	/* All get to write once more, so that each has repeated what it was killed in. */
	for (unsigned w = 0; w < WRITERS; w++) {
		before[w] = shared->number[w];
		while (shared->number[w] == before[w])
			crash_nap_us(1000);
	}
	shared->stopping = 1;
	for (unsigned w = 0; w < WRITERS; w++)
		wait_for(writers[w], "writer");
	for (unsigned r = 0; r < READERS; r++)
		wait_for(readers[r], "reader");
}

/* --- what is left --- */

/* Is the event still to be there?  Of a writer's stream what came after its last deletion. */
static bool stays(const struct acked *k, const uint32_t last_shared[SHARED])
{
	unsigned which = (unsigned)strtoul(k->stream + 1, NULL, 10);
	uint32_t number, done;

	if (k->stream[0] == 'r')
		return k->version + RETAINED > last_shared[which];
	number = (uint32_t)strtoul(strchr(k->id, '-') + 1, NULL, 10);
	done = shared->number[which];
	return number / DELETE_EVERY == done / DELETE_EVERY;
}

static void check_kept(struct evlog *s, const struct acks *a, bool compacted)
{
	uint32_t last_shared[SHARED] = {0};
	size_t kept = 0;
	struct frame f;
	struct err e;

	for (size_t i = 0; i < a->n; i++) {
		const struct acked *k = &a->v[i];
		unsigned which = (unsigned)strtoul(k->stream + 1, NULL, 10);

		if (k->stream[0] == 'r' && last_shared[which] < k->version)
			last_shared[which] = k->version;
	}
	for (size_t i = 0; i < a->n; i++) {
		const struct acked *k = &a->v[i];
		struct span stream = {k->stream, strlen(k->stream)};
		bool stay = stays(k, last_shared);
		int there = evlog_get(s, k->seq, &f, &e);
		int shown = evlog_at(s, stream, k->version, evlog_durable(s), &f, &e);

		if (there < 0 || shown < 0)
			crash_die("sequence %ju: %s", (uintmax_t)k->seq, e.msg);
		if (stay && (there == 0 || shown == 0))
			crash_die("'%s' version %u, sequence %ju, is lost", k->stream, k->version,
			          (uintmax_t)k->seq);
		if (!stay && (shown > 0 || (compacted && there > 0)))
			crash_die("'%s' version %u, sequence %ju, is there", k->stream, k->version,
			          (uintmax_t)k->seq);
		kept += stay;
	}
	if (compacted)
		printf("# %zu events with a receipt, %zu of them stay; %u reads by name\n", a->n,
		       kept, shared->reads);
}

static void check_all(void)
{
	const struct compact_hooks none = {0};
	struct compact_total t;
	struct acks acks = {0};
	struct evlog *s = open_store();
	struct err e;

	receipts_read(&acks, WRITERS);
	check_kept(s, &acks, false);
	if (evlog_check_store(s, &acks, CHECK_DEEP | CHECK_NO_LOSS | CHECK_SHRUNK, &e) < 0 ||
	    evlog_compact(s, false, false, &none, &t, &e) < 0 ||
	    evlog_check_store(s, &acks, CHECK_DEEP | CHECK_NO_LOSS | CHECK_SHRUNK, &e) < 0)
		crash_die("%s", e.msg);
	check_kept(s, &acks, true);
	evlog_close(s);
	acks_done(&acks);
}

static void make_store(void)
{
	static const char *const argv[] = {"evlog", "-s",          store, "retain",
	                                   "r*",    "--max-count", "20",  NULL}; /* RETAINED */
	struct err e;

	if (check_create(store, SEGMENT_SIZE, NULL, &e) < 0)
		crash_die("%s", e.msg);
	wait_for(crash_start(argv, NULL, NULL), "rule");
}

int main(int argc, char **argv)
{
	unsigned kills = crash_rounds(argc, argv, &kill_counts);
	pid_t writers[WRITERS], readers[READERS];
	unsigned writing;

	rng = seeded();
	crash_dir_new();
	snprintf(store, sizeof(store), "%s/store", crash_dir);
	shared = crash_share(sizeof(*shared));
	make_store();
	for (unsigned w = 0; w < WRITERS; w++)
		writers[w] = start(run_writer, w);
	for (unsigned r = 0; r < READERS; r++)
		readers[r] = start(run_reader, r);
	writing = kill_many(kills, writers);
	stop_all(writers, readers);
	printf("# %u compactions were killed, %u in the middle of a file\n", kills, writing);
	check_all();
	crash_dir_free();
	printf("ok 1 - nothing that stays is lost under kill -9 of compact\n1..1\n");
	return 0;
}
