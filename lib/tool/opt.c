#include "tool/opt.h"

#include <assert.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "tool/complete.h"
#include "tool/help.h"

#define LETTER_MAX 64

enum {
	GOT_OPERAND = 1, /* what getopt_long() returns for one when the letters begin with "-" */
	GOT_HELP,
	GOT_VERSION,
	GOT_COMPLETION,
};

struct opt_table {
	const struct opt *of[OPT_MAX]; /* by the order in longs */
	struct option longs[OPT_MAX + 4];
	char letters[3 * LETTER_MAX + 3];
	int long_count;
	size_t letters_len;
};

static int argument_kind(const struct opt *o)
{
	if (o->arg == NULL)
		return no_argument;
	return *o->arg == '[' ? optional_argument : required_argument;
}

static void table_add_long(struct opt_table *t, const char *name, int kind, int id)
{
	assert(t->long_count < OPT_MAX + 3);
	t->longs[t->long_count++] = (struct option){name, kind, NULL, id};
}

static void table_add(struct opt_table *t, const struct opt *options)
{
	for (const struct opt *o = options; o != NULL && o->id != 0; o++) {
		int kind = argument_kind(o);

		if (o->name != NULL)
			table_add_long(t, o->name, kind, o->id);
		if (o->id >= OPT_LONG)
			continue;
		assert(t->letters_len + 4 < sizeof(t->letters));
		t->letters[t->letters_len++] = (char)o->id;
		for (; kind > 0; kind--)
			t->letters[t->letters_len++] = ':';
	}
}

/*
 * mode '+': options end at the first operand; '-': operands are returned as options are, so
 * that POSIXLY_CORRECT has nothing to decide.  ':' keeps getopt_long() from printing.
 */
static void table_fill(struct opt_table *t, char mode, const struct opt *own,
                       const struct opt *common)
{
	memset(t, 0, sizeof(*t));
	t->letters[t->letters_len++] = mode;
	t->letters[t->letters_len++] = ':';
	table_add(t, own);
	if (common != own)
		table_add(t, common);
	table_add_long(t, "help", no_argument, GOT_HELP);
	table_add_long(t, "version", no_argument, GOT_VERSION);
	optind = 0; /* start getopt_long() anew */
}

static const struct opt *find_option(const struct opts *o, int id)
{
	const struct opt *tables[] = {o->verb->options, o->spec->options};

	for (size_t i = 0; i < 2; i++)
		for (const struct opt *p = tables[i]; p != NULL && p->id != 0; p++)
			if (p->id == id)
				return p;
	return NULL;
}

static const struct verb *find_verb(const struct tool_spec *spec, const char *name)
{
	for (const struct verb *v = spec->verbs; v->name != NULL; v++)
		if (strcmp(v->name, name) == 0)
			return v;
	return NULL;
}

static _Noreturn void show_help(const struct tool_spec *spec, const struct verb *verb)
{
	help_print(spec, verb);
	tool_flush();
	exit(TOOL_OK);
}

static _Noreturn void show_version(const struct tool_spec *spec)
{
	help_print_version(spec);
	tool_flush();
	exit(TOOL_OK);
}

static _Noreturn void show_completion(const struct tool_spec *spec, const char *shell)
{
	struct buf b = {0};
	struct err e;

	if (complete_script(spec, shell, &b, &e) < 0)
		tool_usage("%s", e.msg);
	tool_write(b.data, b.len);
	buf_done(&b);
	tool_flush();
	exit(TOOL_OK);
}

/* An option that getopt_long() refused; at is the argv index it was reading. */
static _Noreturn void refuse(char **argv, int at, int got)
{
	const char *word = argv[at];
	char letter[3] = {'-', (char)optopt, '\0'};
	int len = (int)strcspn(word, "=");

	if (strncmp(word, "--", 2) != 0) {
		word = letter;
		len = 2;
	}
	if (got == ':')
		tool_usage("option '%.*s' needs an argument", len, word);
	if (word != letter && optopt != 0)
		tool_usage("option '%.*s' takes no argument", len, word);
	tool_usage("unknown option '%.*s'", len, word);
}

/* getopt_long() accepts abbreviations, which break scripts as soon as an option is added. */
static void refuse_abbreviation(char **argv, int at, const struct option *found)
{
	const char *word = argv[at] + 2;
	size_t len = strcspn(word, "=");

	if (strlen(found->name) != len)
		tool_usage("unknown option '--%.*s'", (int)len, word);
}

/* One step of getopt_long(); what it refuses ends the program. */
static int step(int argc, char **argv, const struct opt_table *t, int *ret_long)
{
	int at = optind > 0 ? optind : 1;
	int index = -1;
	int got = getopt_long(argc, argv, t->letters, t->longs, &index);

	if (got == '?' || got == ':')
		refuse(argv, at, got);
	if (got != -1 && got != GOT_OPERAND && index >= 0)
		refuse_abbreviation(argv, at, &t->longs[index]);
	*ret_long = index >= 0;
	return got;
}

static void end_of_options(struct opts *o, int at)
{
	bool dashes = optind == at + 1; /* getopt_long() has just stepped over "--" */
	int flags = o->verb->flags;

	if (flags & VERB_DASHES && dashes) {
		o->command = o->argv + optind;
	} else if (flags & VERB_COMMAND && optind < o->argc) {
		o->operands[o->operand_count++] = o->argv[optind++];
		if (optind < o->argc && strcmp(o->argv[optind], "--") == 0)
			optind++;
		o->command = o->argv + optind;
	} else {
		while (optind < o->argc)
			o->operands[o->operand_count++] = o->argv[optind++];
	}
	o->command_count = o->command != NULL ? o->argc - optind : 0;
	if (o->command_count == 0)
		o->command = NULL;
	optind = o->argc;
}

int opts_next(struct opts *o)
{
	for (;;) {
		int at = optind > 0 ? optind : 1;
		int got = step(o->argc, o->argv, o->table, &o->now_long);

		switch (got) {
		case -1:
			end_of_options(o, at);
			return -1;
		case GOT_OPERAND:
			o->operands[o->operand_count++] = optarg;
			break;
		case GOT_HELP:
			show_help(o->spec, o->spec->verbs != NULL ? o->verb : NULL);
		case GOT_VERSION:
			show_version(o->spec);
		case GOT_COMPLETION:
			show_completion(o->spec, optarg);
		default:
			o->now = find_option(o, got);
			o->arg = optarg;
			assert(o->now != NULL);
			return got;
		}
	}
}

/* Parse what is in o->argv by the tables of one verb, and run it. */
static int run(struct opts *o, const struct verb *verb)
{
	int result;

	o->verb = verb;
	o->operands = tool_alloc((size_t)o->argc + 1, sizeof(*o->operands));
	table_fill(o->table, verb->flags & VERB_COMMAND ? '+' : '-', verb->options,
	           o->spec->options);
	if (o->spec->verbs == NULL)
		table_add_long(o->table, "completion", required_argument, GOT_COMPLETION);
	result = verb->run(o);
	free(o->operands);
	return result;
}

/* `TOOL help [VERB]` */
static int show_help_of(const struct tool_spec *spec, int argc, char **argv)
{
	const struct verb *verb = NULL;

	if (argc > 2)
		tool_usage("unexpected operand '%s'", argv[2]);
	if (argc == 2 && (verb = find_verb(spec, argv[1])) == NULL)
		tool_usage("unknown verb '%s'", argv[1]);
	help_print(spec, verb);
	tool_flush();
	return TOOL_OK;
}

/* Step over the options before the verb; they are read again, with the verb's, by opts_next(). */
static int find_verb_word(struct opts *o, bool *ret_dashes)
{
	for (;;) {
		int at = optind > 0 ? optind : 1;
		int is_long;

		switch (step(o->argc, o->argv, o->table, &is_long)) {
		case -1:
			*ret_dashes = optind == at + 1;
			return optind;
		case GOT_HELP:
			show_help(o->spec, NULL);
		case GOT_VERSION:
			show_version(o->spec);
		case GOT_COMPLETION:
			show_completion(o->spec, optarg);
		default:
			break;
		}
	}
}

static int run_verb(struct opts *o)
{
	const struct verb *verb;
	const char *name;
	bool dashes;
	int at;
	int from;

	table_fill(o->table, '+', NULL, o->spec->options);
	table_add_long(o->table, "completion", required_argument, GOT_COMPLETION);
	at = find_verb_word(o, &dashes);
	if (at >= o->argc)
		tool_usage("missing verb");
	name = o->argv[at];
	verb = find_verb(o->spec, name);
	if (verb == NULL && strcmp(name, "help") == 0)
		return show_help_of(o->spec, o->argc - at, o->argv + at);
	if (verb == NULL)
		tool_usage("unknown verb '%s'", name);
	tool_set_verb(verb->name);
	from = dashes ? at - 1 : at; /* take the verb out, and a "--" before it */
	memmove(o->argv + from, o->argv + at + 1, (size_t)(o->argc - at) * sizeof(*o->argv));
	o->argc -= at + 1 - from;
	return run(o, verb);
}

int tool_main(const struct tool_spec *spec, int argc, char **argv)
{
	struct verb only = {.run = spec->run, .flags = spec->flags, .options = spec->options};
	struct opts o = {.spec = spec, .argc = argc};
	int result;

	tool_init(spec->name);
	o.argv = tool_alloc((size_t)argc + 2, sizeof(*o.argv));
	o.table = tool_alloc(1, sizeof(*o.table));
	if (argc > 0)
		memcpy(o.argv, argv, (size_t)argc * sizeof(*o.argv));
	result = spec->verbs != NULL ? run_verb(&o) : run(&o, &only);
	free(o.argv);
	free(o.table);
	return result;
}

void opts_need(const struct opts *o, int min, int max, const char *what)
{
	if (o->operand_count < min)
		tool_usage("missing %s", what);
	if (max >= 0 && o->operand_count > max)
		tool_usage("unexpected operand '%s'", o->operands[max]);
}

void opts_bad(const struct opts *o, const char *fmt, ...)
{
	char letter[2] = {(char)o->now->id, '\0'};
	char msg[ERR_MSG_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	tool_usage("option '%s%s': %s", o->now_long ? "--" : "-",
	           o->now_long ? o->now->name : letter, msg);
}

uint64_t opts_u64(const struct opts *o, uint64_t min, uint64_t max)
{
	uint64_t value;
	struct err e;

	if (num_u64(o->arg, min, max, &value, &e) < 0)
		opts_bad(o, "%s", e.msg);
	return value;
}

int64_t opts_duration_ns(const struct opts *o)
{
	uint64_t value;
	struct err e;

	if (text_duration_ns(o->arg, &value, &e) < 0)
		opts_bad(o, "%s", e.msg);
	if (value > OPT_DURATION_MAX_NS)
		opts_bad(o, "'%s' is too long", o->arg);
	return (int64_t)value;
}

uint64_t opts_size(const struct opts *o, uint64_t min, uint64_t max)
{
	uint64_t value;
	struct err e;

	if (text_size(o->arg, &value, &e) < 0)
		opts_bad(o, "%s", e.msg);
	if (value < min || value > max)
		opts_bad(o, "'%s' is not between %ju and %ju bytes", o->arg, (uintmax_t)min,
		         (uintmax_t)max);
	return value;
}
