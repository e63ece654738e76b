/*
 * sim: run simulated clusters, one for each seed, and print what was seen.
 *
 * usage: sim [-v] [-n LINES] [-j PROCESSES] [-t SECONDS] [SEED [SEEDS]]
 *
 * Seeds SEED to SEED + SEEDS - 1, of which each 50th runs twice; without them as many from $SEED
 * (or the time) as a test is to run.  -t ends the run after a time, -v prints all that happens, for
 * one seed.  Exit 1 when an invariant does not hold, or when a class of things was never reached in
 * a run of ALL_CLASSES seeds or more.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lin/lin.h"
#include "world.h"

#define PROCESSES_MAX 64
#define TWICE         50   /* each such seed runs twice */
#define ALL_CLASSES   1000 /* seeds after which every class has to be reached */
#define SEEDS         2000 /* of a test */
#define LINES         200
#define LIN_STEPS     UINT64_C(3000000)
#define LIN_BYTES     ((size_t)256 << 20)

struct options {
	uint64_t seed, seeds;
	unsigned processes;
	uint64_t lines;
	uint64_t until_ms; /* of the clock below */
	bool verbose;
};

/* What a process tells at its end. */
struct summary {
	struct cover cover;
	uint64_t seeds, failed, simulated_ms, happened, gave_up, short_ones, slowest_ms;
	uint64_t slowest_seed;
};

/* The seed that each process runs, for the one who sees it end over an assertion. */
static uint64_t *running;

static uint64_t wall_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* The trace of a seed; its counts go to the summary. */
static uint64_t run_seed(const struct options *o, uint64_t seed, struct lin *lin, struct summary *s)
{
	struct world *w = calloc(1, sizeof(*w));
	uint64_t from = wall_ms();
	uint64_t trace;

	if (w == NULL)
		abort();
	w->seed = seed;
	w->lin = lin;
	w->chart.follow = o->verbose ? stdout : NULL;
	w->chart.last = o->lines;
	world_run(w);
	if (w->failed) {
		s->failed++;
		if (!o->verbose)
			chart_print(&w->chart, stdout);
		printf("not ok - seed %" PRIu64 " at %" PRIu64 " ms: %s\n"
		       "# replay: make sim SEED=%" PRIu64 " SEEDS=1\n",
		       seed, w->now / MS, w->why, seed);
		fflush(stdout);
	}
	cover_add(&s->cover, &w->cover);
	s->seeds++;
	s->simulated_ms += w->now / MS;
	s->happened += w->happened;
	s->gave_up += w->gave_up;
	if (w->cover.count[COVER_OP] < 500 || w->cover.count[COVER_FAULT] < 20)
		s->short_ones++;
	if (wall_ms() - from > s->slowest_ms) {
		s->slowest_ms = wall_ms() - from;
		s->slowest_seed = seed;
	}
	trace = w->trace;
	chart_done(&w->chart);
	free(w);
	return trace;
}

static void run_share(const struct options *o, unsigned which, struct summary *s)
{
	struct lin_limits limits = {.steps = LIN_STEPS, .bytes = LIN_BYTES};
	struct lin *lin = lin_new(&limits);
	struct summary again = {0};

	if (lin == NULL)
		abort();
	for (uint64_t i = which; i < o->seeds && s->failed == 0 && wall_ms() < o->until_ms;
	     i += o->processes) {
		uint64_t trace;

		running[which] = o->seed + i;
		trace = run_seed(o, o->seed + i, lin, s);

		if (i % TWICE == 0 && o->seeds > 1 && s->failed == 0 &&
		    run_seed(o, o->seed + i, lin, &again) != trace) {
			printf("not ok - seed %" PRIu64 " runs in two ways\n", o->seed + i);
			s->failed++;
		}
	}
	lin_free(lin);
}

static void add(struct summary *to, const struct summary *s)
{
	cover_add(&to->cover, &s->cover);
	to->seeds += s->seeds;
	to->failed += s->failed;
	to->simulated_ms += s->simulated_ms;
	to->happened += s->happened;
	to->gave_up += s->gave_up;
	to->short_ones += s->short_ones;
	if (s->slowest_ms > to->slowest_ms) {
		to->slowest_ms = s->slowest_ms;
		to->slowest_seed = s->slowest_seed;
	}
}

static int child(const struct options *o, unsigned which, int fd)
{
	struct summary s = {0};

	run_share(o, which, &s);
	fflush(stdout);
	return write(fd, &s, sizeof(s)) == (ssize_t)sizeof(s) ? 0 : 1;
}

/* All shares, each in a process; false when one did not come to its end. */
static bool run_all(const struct options *o, struct summary *total)
{
	int pipes[PROCESSES_MAX][2];
	pid_t pids[PROCESSES_MAX];
	bool good = true;
	struct summary s;

	if (o->verbose) {
		run_share(o, 0, total);
		return true;
	}
	fflush(stdout);
	for (unsigned i = 0; i < o->processes; i++) {
		if (pipe(pipes[i]) < 0 || (pids[i] = fork()) < 0) {
			perror("sim");
			exit(71);
		}
		if (pids[i] == 0)
			_exit(child(o, i, pipes[i][1]));
		close(pipes[i][1]);
	}
	for (unsigned i = 0; i < o->processes; i++) {
		int status = 0;

		if (read(pipes[i][0], &s, sizeof(s)) == (ssize_t)sizeof(s))
			add(total, &s);
		else
			good = false;
		close(pipes[i][0]);
		(void)waitpid(pids[i], &status, 0);
		if (status != 0)
			printf("not ok - seed %" PRIu64 " ends the process with status %#x\n"
			       "# replay: make sim SEED=%" PRIu64 " SEEDS=1\n",
			       running[i], (unsigned)status, running[i]);
	}
	return good;
}

static unsigned report(const struct options *o, const struct summary *s, uint64_t ms)
{
	unsigned never = cover_print(&s->cover, stdout);

	printf("# seeds %" PRIu64 " to %" PRIu64 ": %" PRIu64 " run in %" PRIu64 ".%" PRIu64
	       " s, %" PRIu64 ".%" PRIu64 " a second; %" PRIu64 ".%" PRIu64
	       " simulated hours, %" PRIu64 " million happenings\n",
	       o->seed, o->seed + o->seeds - 1, s->seeds, ms / 1000, ms / 100 % 10,
	       s->seeds * 1000 / (ms + 1), s->seeds * 10000 / (ms + 1) % 10,
	       s->simulated_ms / 3600000, s->simulated_ms / 360000 % 10, s->happened / 1000000);
	printf("# the slowest seed, %" PRIu64 ", took %" PRIu64 " ms; %" PRIu64
	       " histories were too hard for the checker; %" PRIu64
	       " seeds had less than 500 operations or 20 faults\n",
	       s->slowest_seed, s->slowest_ms, s->gave_up, s->short_ones);
	return never;
}

static uint64_t number(const char *s)
{
	return strtoull(s, NULL, 10);
}

static struct options options(int argc, char **argv)
{
	struct options o = {.processes = 2, .lines = LINES, .until_ms = UINT64_MAX};
	int c;

	while ((c = getopt(argc, argv, "vn:j:t:")) != -1)
		switch (c) {
		case 'v':
			o.verbose = true;
			break;
		case 'n':
			o.lines = number(optarg);
			break;
		case 'j':
			o.processes = (unsigned)number(optarg);
			break;
		case 't':
			o.until_ms = wall_ms() + 1000 * number(optarg);
			break;
		default:
			fputs("usage: sim [-v] [-n LINES] [-j PROCESSES] [-t SECONDS] "
			      "[SEED [SEEDS]]\n",
			      stderr);
			exit(64);
		}
	o.seed = optind < argc ? number(argv[optind]) : seeded();
	o.seeds = optind + 1 < argc ? number(argv[optind + 1])
	          : optind < argc   ? 1
	                            : seeded_rounds(SEEDS);
	if (o.processes == 0 || o.processes > PROCESSES_MAX)
		o.processes = 2;
	if (o.seeds < o.processes || o.verbose)
		o.processes = 1;
	return o;
}

int main(int argc, char **argv)
{
	struct options o = options(argc, argv);
	struct summary total = {0};
	uint64_t from = wall_ms();
	bool good;
	unsigned never;

	running = mmap(NULL, PROCESSES_MAX * sizeof(*running), PROT_READ | PROT_WRITE,
	               MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (running == MAP_FAILED)
		abort();
	good = run_all(&o, &total);
	never = report(&o, &total, wall_ms() - from);

	if (never > 0 && total.seeds >= ALL_CLASSES) {
		cover_print_missing(&total.cover, stdout);
		good = false;
	}
	return good && total.failed == 0 ? 0 : 1;
}
