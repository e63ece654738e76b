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
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "evlog/admin.h"
#include "evlog/append.h"
#include "evlog/store_impl.h"
#include "evlog_check.h"
#include "tmp_dir.h"

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

static struct writer *writers;
static pid_t pids[WRITERS]; /* the parent's */
static volatile int *stopping;
static struct writer *me;
static const char *store, *dir;

static _Noreturn void die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static _Noreturn void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("not ok - ", stdout);
	vprintf(fmt, ap);
	putchar('\n');
	va_end(ap);
	fflush(stdout);
	_exit(1);
}

static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

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
	uint64_t h = mix((uint64_t)writer << 32 | number);
	unsigned n = (unsigned)(h % 5) + 1;

	words[0] = '\0';
	for (unsigned i = 0; i < n; i++) {
		char stream[24];

		h = mix(h + i);
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

static void print_receipt(int fd, const struct commit *c)
{
	struct acks a = {0};

	check_note_commit(&a, c, commit_count(c));
	if (write(fd, a.v, a.n * sizeof(*a.v)) != (ssize_t)(a.n * sizeof(*a.v)))
		die("write a receipt: %s", strerror(errno));
	acks_done(&a);
}

static void write_one(struct evlog *s, struct commit *c, unsigned writer, int receipts)
{
	struct commit_result r;
	char words[512];
	struct err e;

	make_words(words, writer, me->number);
	commit_clear(c);
	if (check_fill(s, c, words, &e) < 0)
		die("%s", e.msg);
	me->phase = PLANNING;
	if (evlog_commit(s, c, COMMIT_ATOMIC, CHECK_TIME_NS + me->number, &r, &e) < 0)
		die("writer %u commit %u: %s", writer, me->number, e.msg);
	me->phase = SYNCING;
	if (evlog_sync(s, r.sequence, &e) < 0)
		die("writer %u sync: %s", writer, e.msg);
	me->phase = PRINTING;
	print_receipt(receipts, c);
	me->done++;
	me->number++;
	me->phase = MAINTAINING;
	if (evlog_maintain(s, &e) < 0)
		die("writer %u maintain: %s", writer, e.msg);
}

static void run_writer(unsigned writer)
{
	struct io io = io_os;
	struct evlog *s;
	struct commit *c = commit_new();
	struct err e;
	struct stat st;
	char name[400];
	int fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	me = &writers[writer];
	me->phase = OPENING;
	io.pwrite = watched_pwrite;
	io.fsync = watched_fsync;
	snprintf(name, sizeof(name), "%s/receipts.%u", dir, writer);
	fd = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	/* Half a receipt is none. */
	if (fd < 0 || fstat(fd, &st) < 0 ||
	    ftruncate(fd, st.st_size - st.st_size % (off_t)sizeof(struct acked)) < 0)
		die("'%s': %s", name, strerror(errno));
	s = check_open(store, &io, &e);
	if (s == NULL)
		die("writer %u open: %s", writer, e.msg);
	while (!*stopping)
		write_one(s, c, writer, fd);
	evlog_close(s);
	commit_free(c);
	close(fd);
	_exit(0);
}

static void start(unsigned writer)
{
	fflush(stdout);
	pids[writer] = fork();
	if (pids[writer] < 0)
		die("fork: %s", strerror(errno));
	if (pids[writer] == 0)
		run_writer(writer);
}

/* --- the one that kills --- */

static unsigned landed[PHASES];

static void kill_one(unsigned writer)
{
	int status;

	kill(pids[writer], SIGKILL);
	if (waitpid(pids[writer], &status, 0) < 0)
		die("wait: %s", strerror(errno));
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		die("writer %u ended by itself, status %d", writer, status);
	landed[writers[writer].phase]++;
}

static void nap_us(uint64_t us)
{
	struct timespec t = {.tv_nsec = (long)(us * 1000)};

	nanosleep(&t, NULL);
}

/* Every 16th time all are killed at once, as when a machine's service is killed. */
static void kill_many(unsigned kills, uint64_t rng)
{
	for (unsigned n = 0; n < kills;) {
		rng = mix(rng + n);
		nap_us(rng % 16 == 0 ? 30000 : rng >> 32 & 4095);
		if (rng % 16 != 1) {
			unsigned w = (unsigned)(rng >> 8) % WRITERS;

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
		before = writers[w].done;
		while (writers[w].done == before)
			nap_us(1000);
	}
	*stopping = 1;
	for (unsigned w = 0; w < WRITERS; w++) {
		int status;

		if (waitpid(pids[w], &status, 0) < 0 || status != 0)
			die("writer %u ended with status %d", w, status);
	}
}

static void read_receipts(struct acks *a)
{
	for (unsigned w = 0; w < WRITERS; w++) {
		char name[400];
		struct acked k;
		FILE *f;

		snprintf(name, sizeof(name), "%s/receipts.%u", dir, w);
		f = fopen(name, "re");
		while (f != NULL && fread(&k, sizeof(k), 1, f) == 1)
			*acks_add(a) = k;
		if (f != NULL)
			fclose(f);
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
		die("%s", e.msg);
	evlog_close(s);
	printf("# %zu events with a receipt, %ju in the store, %ju segments\n", a->n,
	       (uintmax_t)st.events, (uintmax_t)st.segments);
	printf("# killed:");
	for (int i = 0; i < PHASES; i++)
		printf(" %s %u", phase_names[i], landed[i]);
	printf("; %u between the first write and the receipt\n", between);
	if (between == 0)
		die("no kill landed between the first write and the receipt");
}

static unsigned kills_wanted(int argc, char **argv)
{
	const char *san = getenv("SHOAL_SAN"), *soak = getenv("SOAK");

	if (argc > 1)
		return (unsigned)strtoul(argv[1], NULL, 10);
	return soak != NULL && *soak != '\0' ? 10000 : san != NULL && *san != '\0' ? 50 : 500;
}

int main(int argc, char **argv)
{
	unsigned kills = kills_wanted(argc, argv);
	const char *given = getenv("SEED");
	uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
	char path[300];
	struct acks acks = {0};
	struct err e;
	void *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	printf("# SEED=%ju kills=%u\n", (uintmax_t)seed, kills);
	dir = tmp_dir_new();
	snprintf(path, sizeof(path), "%s/store", dir);
	store = path;
	writers = shared;
	stopping = (int *)(void *)((char *)shared + 4000);
	if (check_create(store, SEGMENT_SIZE, NULL, &e) < 0)
		die("%s", e.msg);
	for (unsigned w = 0; w < WRITERS; w++)
		start(w);
	kill_many(kills, mix(seed));
	stop_all();
	read_receipts(&acks);
	report(&acks);
	if (evlog_check_dir(store, &acks, CHECK_ALL, &e) < 0)
		die("%s (kept in %s)", e.msg, dir);
	acks_done(&acks);
	tmp_dir_free((char *)(uintptr_t)dir);
	printf("ok 1 - no receipt is lost and no event is there twice\n1..1\n");
	return 0;
}
