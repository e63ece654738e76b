#include "tool/complete_shell.h"

#include <string.h>

#define FISH_SPECIAL "\\"
#define FISH_QUOTE   "\\'"

static const char main_part[] =
    "function __~_at # VERB...: is the cursor among the words of one of these\n"
    "\tset -l where (__~_where)\n"
    "\ttest (count $where) -eq 1; and contains -- \"$where[1]\" $argv\n"
    "end\n\n"
    "function __~_in_command\n"
    "\ttest (count (__~_where)) -gt 1\n"
    "end\n\n"
    "function __~_command\n"
    "\tset -l words (__~_where)\n"
    "\tset -e words[1..2]\n"
    "\tcomplete -C (string join ' ' -- (string escape -- $words) (commandline -ct))\n"
    "end\n\n"
    "complete -c ~ -f\n"
    "complete -c ~ -n __~_in_command -a '(__~_command)'\n";

static void add_patterns(struct buf *b, const char *verb, const struct opt *options)
{
	for (const struct opt *o = options; o != NULL && o->id != 0; o++) {
		if (!complete_takes_word(o))
			continue;
		buf_add_char(b, ' ');
		complete_add_patterns(b, verb, o, "'", " ");
	}
}

/* The function that reads the words before the cursor. */
static void add_where(const struct tool_spec *spec, const struct verb *verbs, struct buf *b)
{
	complete_add_template(
	    b,
	    "# Prints the verb before the cursor, then \"command\" and the words of a\n"
	    "# wrapped command when the cursor is in one.\n"
	    "function __~_where\n"
	    "\tset -l verb ''\n\tset -l skip ''\n\tset -l words (commandline -opc)\n"
	    "\tset -e words[1]\n"
	    "\twhile set -q words[1]\n"
	    "\t\tset -l word $words[1]\n\t\tset -e words[1]\n"
	    "\t\tif test -n \"$skip\"\n\t\t\tset skip ''\n\t\t\tcontinue\n\t\tend\n"
	    "\t\tswitch \"$verb:$word\"\n"
	    "\t\t\tcase ''",
	    spec->name);
	for (const struct verb *v = verbs; v->name != NULL; v++)
		add_patterns(b, v->name, v->options);
	add_patterns(b, "*", spec->options);
	buf_add_str(b, "\n\t\t\t\tset skip 1\n");
	for (const struct verb *v = verbs; v->name != NULL; v++)
		if (v->flags & VERB_DASHES)
			buf_printf(b,
			           "\t\t\tcase '%s:--'\n"
			           "\t\t\t\tprintf '%%s\\n' \"$verb\" command $words\n"
			           "\t\t\t\treturn\n",
			           v->name);
	buf_add_str(b, "\t\t\tcase '*:-?*'\n");
	if (spec->verbs != NULL)
		buf_add_str(b, "\t\t\tcase ':*'\n\t\t\t\tset verb $word\n");
	for (const struct verb *v = verbs; v->name != NULL; v++)
		if (v->flags & VERB_COMMAND)
			buf_printf(b,
			           "\t\t\tcase '%s:*'\n"
			           "\t\t\t\ttest \"$words[1]\" = --; and set -e words[1]\n"
			           "\t\t\t\tprintf '%%s\\n' \"$verb\" command $words\n"
			           "\t\t\t\treturn\n",
			           v->name);
	buf_add_str(b, "\t\tend\n\tend\n\techo \"$verb\"\nend\n\n");
}

/* What operands or, after "-r", the argument of an option may be; "-f" of above keeps files out. */
static void add_kind(struct buf *b, const char *complete)
{
	if (complete == NULL)
		return;
	if (strcmp(complete, "file") == 0)
		buf_add_str(b, " -F");
	else if (strcmp(complete, "dir") == 0)
		buf_add_str(b, " -f -a '(__fish_complete_directories)'");
	else if (strcmp(complete, "command") == 0)
		buf_add_str(b, " -f -a '(__fish_complete_command)'");
	else
		buf_printf(b, " -f -a '%s'", complete);
}

/* verb NULL: an option of the tool, accepted everywhere but in the wrapped command. */
static void add_options(struct buf *b, const char *tool, const char *verb,
                        const struct opt *options)
{
	for (const struct opt *o = options; o != NULL && o->id != 0; o++) {
		if (o->help == NULL)
			continue;
		if (verb != NULL)
			buf_printf(b, "complete -c %s -n \"__%s_at '%s'\"", tool, tool, verb);
		else
			buf_printf(b, "complete -c %s -n 'not __%s_in_command'", tool, tool);
		if (o->id < OPT_LONG)
			buf_printf(b, " -s %c", o->id);
		if (o->name != NULL)
			buf_printf(b, " -l %s", o->name);
		if (complete_takes_word(o))
			buf_add_str(b, o->complete != NULL ? " -r" : " -x");
		add_kind(b, o->complete);
		buf_add_str(b, " -d '");
		complete_add_quoted(b, o->help, FISH_SPECIAL, FISH_QUOTE);
		buf_add_str(b, "'\n");
	}
}

void complete_fish(const struct tool_spec *spec, const struct verb *verbs, struct buf *b)
{
	static const struct opt builtin[] = {
	    {OPT_LONG, "help", NULL, NULL, "show the help"},
	    {OPT_LONG, "version", NULL, NULL, "show the version"},
	    {0},
	};
	const char *name = spec->name;

	complete_add_template(b, "# fish completion for ~, printed by '~ --completion fish'.\n\n",
	                      name);
	add_where(spec, verbs, b);
	complete_add_template(b, main_part, name);
	for (const struct verb *v = verbs; v->name != NULL; v++) {
		if (spec->verbs != NULL && complete_is_shown(v)) {
			buf_printf(b, "complete -c %s -n \"__%s_at '' help\" -a %s -d '", name,
			           name, v->name);
			complete_add_quoted(b, v->help, FISH_SPECIAL, FISH_QUOTE);
			buf_add_str(b, "'\n");
		}
		if (v->complete != NULL) {
			buf_printf(b, "complete -c %s -n \"__%s_at '%s'\"", name, name, v->name);
			add_kind(b, v->complete);
			buf_add_char(b, '\n');
		}
		add_options(b, name, v->name, v->options);
	}
	if (spec->verbs != NULL)
		complete_add_template(
		    b, "complete -c ~ -n \"__~_at ''\" -a help -d 'show the help of a verb'\n",
		    name);
	add_options(b, name, NULL, spec->options);
	add_options(b, name, NULL, builtin);
}
