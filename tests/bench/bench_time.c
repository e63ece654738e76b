/*
 * bench_time: runs commands and measures them, from posix_spawn to the end.
 *
 *	bench_time [-n RUNS] [-i FILE] [-o RESULT] COMMAND [ARG]... [-- COMMAND [ARG]...]...
 *
 * Several commands, separated by "--", take turns: one run of each, RUNS times.  For each command
 * a line is added to RESULT (stderr without -o):
 *
 *	MEDIAN_SECONDS SLOWEST_SECONDS PEAK_KIB USER_SECONDS SYSTEM_SECONDS
 *
 * of which the last two are means.  With -i, FILE is stdin of each run.  A command that fails ends
 * it all with status 1.
 */
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "bench.h"

#define COMMANDS_MAX 8

struct command {
	char **argv;
	int64_t *times_ns;
	size_t runs;
	long peak_kib;
	double user, system; /* seconds of all runs */
};

static double seconds_of(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static void run(struct command *c, const char *input)
{
	posix_spawn_file_actions_t actions;
	struct rusage used;
	int64_t begin;
	pid_t pid;
	int status;

	if (posix_spawn_file_actions_init(&actions) != 0)
		die("out of memory");
	if (input != NULL && posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0) != 0)
		die("out of memory");
	begin = clock_mono_ns();
	errno = posix_spawnp(&pid, c->argv[0], &actions, NULL, c->argv, environ);
	if (errno != 0)
		die_errno(c->argv[0]);
	while (wait4(pid, &status, 0, &used) < 0)
		if (errno != EINTR)
			die_errno("wait4");
	c->times_ns[c->runs++] = clock_mono_ns() - begin;
	posix_spawn_file_actions_destroy(&actions);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		die("%s: ended with wait status %d", c->argv[0], status);
	if (used.ru_maxrss > c->peak_kib)
		c->peak_kib = used.ru_maxrss;
	c->user += seconds_of(used.ru_utime);
	c->system += seconds_of(used.ru_stime);
}

/* Split the rest of the command line at each "--". */
static size_t take_commands(struct command *c, char **argv, size_t runs)
{
	size_t n = 0;

	while (*argv != NULL) {
		if (n == COMMANDS_MAX)
			die("more than %d commands", COMMANDS_MAX);
		c[n] = (struct command){.argv = argv, .times_ns = allocate(runs, sizeof(int64_t))};
		while (*argv != NULL && strcmp(*argv, "--") != 0)
			argv++;
		if (c[n].argv == argv)
			die("a command is missing");
		n++;
		if (*argv != NULL)
			*argv++ = NULL;
	}
	return n;
}

static void report(FILE *to, struct command *c)
{
	double n = (double)c->runs;

	sort_times(c->times_ns, c->runs);
	fprintf(to, "%.6f %.6f %ld %.6f %.6f\n", ms_of(percentile(c->times_ns, c->runs, 50)) / 1e3,
	        ms_of(percentile(c->times_ns, c->runs, 100)) / 1e3, c->peak_kib, c->user / n,
	        c->system / n);
	free(c->times_ns);
}

int main(int argc, char **argv)
{
	struct command commands[COMMANDS_MAX];
	const char *input = NULL;
	FILE *result = stderr;
	size_t runs = 1;
	size_t n;

	for (int c; (c = getopt(argc, argv, "+n:i:o:")) != -1;)
		if (c == 'n')
			runs = number(optarg);
		else if (c == 'i')
			input = optarg;
		else if (c != 'o')
			return 1;
		else if ((result = fopen(optarg, "ae")) == NULL)
			die_errno(optarg);
	n = take_commands(commands, argv + optind, runs);
	if (n == 0 || runs == 0)
		die("usage: bench_time [-n RUNS] [-i FILE] [-o RESULT] COMMAND... [-- COMMAND...]");
	for (size_t i = 0; i < runs; i++)
		for (size_t j = 0; j < n; j++)
			run(&commands[j], input);
	for (size_t j = 0; j < n; j++)
		report(result, &commands[j]);
	if (fclose(result) != 0)
		die_errno("write the result");
	return 0;
}
