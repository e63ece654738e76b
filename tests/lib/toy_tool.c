#include "toy_tool.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/clock.h"
#include "tool/opt.h"
#include "tool/progress.h"

static const struct opt toy_options[] = {
    {'s', "store", "URL", "dir", "the store"},
    {'q', "quiet", NULL, NULL, "say nothing that isn't [an] error: ever"},
    {0},
};

static const struct opt add_options[] = {
    {'t', "type", "TYPE", NULL, "type of what is added"},
    {'x', "expect", "VERSION", "any none exists", "expected version"},
    {'n', "count", "N", NULL, "how many"},
    {OPT_LONG + 1, "each", NULL, NULL, "commit every line"},
    {OPT_LONG + 2, "once", "[SLOT]", NULL, "only once"},
    {OPT_LONG + 3, "wait", "DURATION", NULL, "how long to wait"},
    {OPT_LONG + 4, "size", "SIZE", NULL, "how large"},
    {OPT_LONG + 5, "a-name-that-needs-its-own-line", "VALUE", "file", "long"},
    {OPT_LONG + 6, "secret", NULL, NULL, NULL},
    {0},
};

static const struct opt wrap_options[] = {
    {'e', "evolve", "PROGRAM", "command", "program that folds"},
    {'0', NULL, NULL, NULL, "names end with NUL"},
    {0},
};

static void show_option(const struct opts *o, int id)
{
	if (id >= OPT_LONG)
		tool_printf("%d", id - OPT_LONG);
	else
		tool_printf("%c", id);
	tool_printf("=%s\n", o->arg != NULL ? o->arg : "");
}

static void show_rest(const struct opts *o)
{
	for (int i = 0; i < o->operand_count; i++)
		tool_printf("operand %s\n", o->operands[i]);
	for (int i = 0; i < o->command_count; i++)
		tool_printf("command %s\n", o->command[i]);
}

static int add_run(struct opts *o)
{
	for (int id; (id = opts_next(o)) != -1;)
		switch (id) {
		case 'n':
			tool_printf("count %ju\n", (uintmax_t)opts_u64(o, 1, 1000));
			break;
		case OPT_LONG + 3:
			tool_printf("wait %jd\n", (intmax_t)opts_duration_ns(o));
			break;
		case OPT_LONG + 4:
			tool_printf("size %ju\n", (uintmax_t)opts_size(o, 1, 1 << 20));
			break;
		case 'x':
			if (strcmp(o->arg, "never") == 0)
				opts_bad(o, "'%s' is no version", o->arg);
			show_option(o, id);
			break;
		default:
			show_option(o, id);
		}
	opts_need(o, 1, 3, "STREAM");
	show_rest(o);
	return TOOL_OK;
}

static int show_run(struct opts *o)
{
	for (int id; (id = opts_next(o)) != -1;)
		show_option(o, id);
	show_rest(o);
	return TOOL_NO;
}

/* A work of 100 steps that is at its 70th for more than a second. */
static void work_long(void)
{
	int64_t end = clock_mono_ns() + CLOCK_NS_PER_SEC * 5 / 4;

	progress_begin("work", "steps", 100);
	while (clock_mono_ns() < end) {
		progress_at(70);
		poll(NULL, 0, 1);
	}
	tool_warn("said");
}

/* `toy misc WHAT`: the parts of tool.h that are not about options. */
static int misc_run(struct opts *o)
{
	struct err e = {EIO, "reading\tof 'x'\nfailed"};
	struct buf b = {0};
	const char *what;

	while (opts_next(o) != -1)
		;
	opts_need(o, 1, 2, "WHAT");
	what = o->operands[0];
	if (strcmp(what, "die") == 0) {
		tool_print("printed before\n");
		tool_die(tool_status_of(&e), &e);
	} else if (strcmp(what, "signal") == 0) {
		tool_print("printed before\n");
		tool_die_by_signal(SIGTERM);
	} else if (strcmp(what, "lots") == 0) {
		for (long i = strtol(o->operands[1], NULL, 10); i > 0; i--)
			tool_printf("%ld\n", i);
	} else if (strcmp(what, "huge") == 0) {
		size_t n = (size_t)1 << 20;
		char *p = tool_alloc(n, 1);

		memset(p, 'x', n);
		tool_print("<");
		tool_write(p, n);
		tool_print(">");
		free(p);
	} else if (strcmp(what, "read") == 0) {
		char c;

		if (read(STDIN_FILENO, &c, 1) < 0) {
			err_sys(&e, "read standard input");
			tool_die(tool_status_of(&e), &e);
		}
	} else if (strcmp(what, "state") == 0) {
		if (tool_state_dir("toy", &b, &e) < 0 || tool_make_parents(b.data, &e) < 0)
			tool_die(TOOL_CONFIG, &e);
		tool_printf("%s\n", b.data);
	} else if (strcmp(what, "warn") == 0) {
		tool_warn("%s", o->operands[1]);
		tool_stderr_line("{\"a\":\"\t\"}", 9);
	} else if (strcmp(what, "progress") == 0) {
		work_long();
	} else if (strcmp(what, "terminal") == 0) {
		tool_printf("%d %d\n", tool_is_terminal(1), tool_has_colour(1));
	}
	buf_done(&b);
	return TOOL_OK;
}

static const struct verb toy_verbs[] = {
    {"add", add_run, "STREAM [-t TYPE] [FILE|-]\n--batch [FILE|-]", "add what's new", add_options,
     0, "file"},
    {"list", show_run, "", "list all", NULL, 0, "red green"},
    {"wrap", show_run, "NAME [-0] [-e PROGRAM] -- COMMAND", "wrap a command", wrap_options,
     VERB_DASHES, NULL},
    {"misc", misc_run, "WHAT", "not shown", NULL, VERB_HIDDEN, NULL},
    {0},
};

static const struct opt lock_options[] = {
    {'w', "wait", "DURATION", "forever now", "how long to wait"},
    {'v', "verbose", NULL, NULL, "say more"},
    {0},
};

static const struct tool_spec toy_spec = {
    .name = "toy",
    .summary = "A toy with verbs.",
    .synopsis = "[-q] [-s URL] VERB [ARGUMENT]...",
    .verbs = toy_verbs,
    .options = toy_options,
};

static const struct tool_spec lock_spec = {
    .name = "toylock",
    .summary = "A toy that wraps a command.",
    .synopsis = "[-v] [-w DURATION] NAME COMMAND [ARGUMENT]...",
    .options = lock_options,
    .run = show_run,
    .flags = VERB_COMMAND,
};

bool toy_wanted(void)
{
	return getenv("TOY_TOOL") != NULL;
}

int toy_main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--plain") == 0)
		return tool_main(&lock_spec, argc - 1, argv + 1);
	return tool_main(&toy_spec, argc, argv);
}
