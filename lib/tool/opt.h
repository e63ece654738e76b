/*
 * opt: the command line of every tool, from one table.
 *
 * A tool describes its verbs and options once; parsing, --help, --version, `TOOL help VERB` and
 * the completion scripts of bash, zsh and fish (--completion SHELL) come from that description.
 *
 *	static const struct opt append_options[] = {
 *	    {'t', "type", "TYPE", NULL, "type of the events"},
 *	    {'x', "expect", "VERSION", "any none exists", "expected version of the stream"},
 *	    {OPT_LONG + 1, "each", NULL, NULL, "commit every line"},
 *	    {0},
 *	};
 *	static const struct verb verbs[] = {
 *	    {"append", append_run, "STREAM [-t TYPE] [FILE|-]", "add events", append_options, 0,
 *"file"}, {0},
 *	};
 *	static const struct tool_spec spec = {
 *	    .name = "evlog", .synopsis = "VERB [ARGUMENT]...", .summary = "an event log",
 *	    .verbs = verbs, .options = common_options,
 *	};
 *	int main(int argc, char **argv) { return tool_main(&spec, argc, argv); }
 *
 *	static int append_run(struct opts *o)
 *	{
 *		for (int c; (c = opts_next(o)) != -1;)
 *			switch (c) { case 't': type = o->arg; break; ... }
 *		opts_need(o, 1, 2, "STREAM");
 *		... o->operands[0] ...
 *
 * Grammar: options and operands in any order, also with POSIXLY_CORRECT set; "--" ends the
 * options; a lone "-" is an operand; `-n5`, `-n 5`, `--count=5` and `--count 5` are the same;
 * long options are not abbreviated.  The options of the tool may stand before and after the verb,
 * the verb's own after it.  Wrong usage is one line on stderr and exit 64.  Tables are borrowed
 * for the life of the process.
 */
#ifndef SHOAL_TOOL_OPT_H
#define SHOAL_TOOL_OPT_H

#include <stdint.h>

#include "tool/tool.h"

#define OPT_LONG 256 /* ids from here on have no letter */
#define OPT_MAX  64  /* options of a verb and its tool together */

#define OPT_DURATION_MAX_NS (INT64_MAX / 4) /* 73 years */

struct opt {
	int id;           /* a letter or digit, or OPT_LONG + n; 0 ends the table */
	const char *name; /* the long name without "--" */
	const char *arg; /* its argument's name; NULL: a flag; "[SLOT]": optional, as --name=SLOT */
	/* What the argument may be: NULL unknown, "file", "dir", "command", or words: "any none".
	 */
	const char *complete;
	const char *help; /* a few words, no full stop; NULL: not shown and not completed */
};

enum verb_flags {
	VERB_HIDDEN = 1, /* not shown and not completed */
	/*
	 * NAME [--] COMMAND [ARG]...: options end at the first operand, which is the tool's own;
	 * what follows is o->command, without a "--" right after that operand.
	 */
	VERB_COMMAND = 2,
	/* What follows "--" is o->command, the operands stand before it. */
	VERB_DASHES = 4,
};

struct opts;
struct opt_table;

struct verb {
	const char *name; /* NULL ends the table */
	int (*run)(struct opts *o);
	const char *synopsis;      /* what follows "TOOL VERB "; forms are separated by '\n' */
	const char *help;          /* one line */
	const struct opt *options; /* NULL: none of its own */
	int flags;                 /* enum verb_flags */
	const char *complete;      /* the operands, as in struct opt */
};

struct tool_spec {
	const char *name;
	const char *summary;       /* one line */
	const char *synopsis;      /* what follows "TOOL "; forms are separated by '\n' */
	const struct verb *verbs;  /* NULL: a tool without verbs, it has the members below */
	const struct opt *options; /* of the tool; with verbs: accepted by each of them */
	int (*run)(struct opts *o);
	int flags;            /* enum verb_flags */
	const char *complete; /* the operands, as in struct opt */
};

/* Public: the first five.  operands and command are complete when opts_next() has returned -1. */
struct opts {
	const char *arg; /* argument of the option returned last; NULL: none was given */
	char **operands; /* ends with NULL; borrowed from argv */
	int operand_count;
	char **command; /* ends with NULL; NULL itself: no command was given */
	int command_count;

	const struct tool_spec *spec;
	const struct verb *verb;
	const struct opt *now; /* the option returned last */
	int now_long;          /* it was spelled with its long name */
	int argc;
	char **argv;
	struct opt_table *table; /* for getopt_long() */
};

/*
 * Set the tool up (tool_init), find the verb, run it; its result is the exit status for main() to
 * return.
 */
int tool_main(const struct tool_spec *spec, int argc, char **argv);

/* The id of the next option, with o->arg; -1 when there are no more.  Exits 64 on a wrong one. */
int opts_next(struct opts *o);

/*
 * Exit 64 unless there are min to max operands (max < 0: any number); what names the missing one:
 * "missing STREAM".
 */
void opts_need(const struct opts *o, int min, int max, const char *what);

/*
 * The argument of the option returned last, as a number, a duration (500ms, 1m30s, a bare number
 * is seconds; at most OPT_DURATION_MAX_NS, so that adding it to a clock cannot overflow), a size
 * (K M G are powers of 1024).  Exit 64 with the name of the option otherwise.
 */
uint64_t opts_u64(const struct opts *o, uint64_t min, uint64_t max);
int64_t opts_duration_ns(const struct opts *o);
uint64_t opts_size(const struct opts *o, uint64_t min, uint64_t max);

/* Exit 64 with "option -x: message", for a check of the caller's own. */
_Noreturn void opts_bad(const struct opts *o, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
