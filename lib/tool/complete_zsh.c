#include "tool/complete_shell.h"

#include <string.h>

#define ZSH_SPECIAL "[]:\\"
#define ZSH_QUOTE   "'\\''"

static void add_action(struct buf *b, const char *complete)
{
	if (complete == NULL)
		buf_add_str(b, " ");
	else if (strcmp(complete, "file") == 0)
		buf_add_str(b, "_files");
	else if (strcmp(complete, "dir") == 0)
		buf_add_str(b, "_files -/");
	else if (strcmp(complete, "command") == 0)
		buf_add_str(b, "_command_names -e");
	else
		buf_printf(b, "(%s)", complete);
}

/* '*'{-t+,--type=}'[type of the events]:TYPE: ' \ */
static void add_option(struct buf *b, const struct opt *o)
{
	const char *arg = o->arg != NULL ? o->arg : "";
	bool both = o->id < OPT_LONG && o->name != NULL;
	bool optional = *arg == '[';

	buf_add_str(b, both ? "\t\t'*'{" : "\t\t'*'");
	if (o->id < OPT_LONG)
		buf_printf(b, "-%c%s", o->id, optional ? "-" : o->arg != NULL ? "+" : "");
	if (o->name != NULL)
		buf_printf(b, "%s--%s%s", both ? "," : "", o->name,
		           optional         ? "=-"
		           : o->arg != NULL ? "="
		                            : "");
	buf_add_str(b, both ? "}'[" : "'[");
	complete_add_quoted(b, o->help, ZSH_SPECIAL, ZSH_QUOTE);
	buf_add_char(b, ']');
	if (o->arg != NULL) {
		buf_add_str(b, optional ? "::" : ":");
		if (optional) /* "[SLOT]" */
			buf_add(b, arg + 1, strlen(arg) - 2);
		else
			complete_add_quoted(b, arg, ZSH_SPECIAL, ZSH_QUOTE);
		buf_add_char(b, ':');
		add_action(b, o->complete);
	}
	buf_add_str(b, "'\n");
}

static void add_options(struct buf *b, const struct opt *options)
{
	for (const struct opt *o = options; o != NULL && o->id != 0; o++)
		if (o->help != NULL)
			add_option(b, o);
}

static void add_verb(struct buf *b, const struct verb *v)
{
	if (v->flags & VERB_DASHES)
		buf_add_str(b, "\t\tat=${words[(i)--]}\n"
		               "\t\tif ((at < CURRENT)); then\n"
		               "\t\t\tshift $at words\n"
		               "\t\t\t((CURRENT -= at))\n"
		               "\t\t\t_normal\n"
		               "\t\t\treturn\n"
		               "\t\tfi\n");
	buf_add_str(b, "\t\toptions+=(\n");
	add_options(b, v->options);
	buf_add_str(b, "\t\t)\n\t\t_arguments -s -S $options ");
	if (v->flags & VERB_COMMAND) {
		buf_add_str(b, "'1: : ' '*:::command:_normal'\n");
		return;
	}
	buf_add_str(b, "'*: :");
	add_action(b, v->complete);
	buf_add_str(b, "'\n");
}

static void add_verbs(const struct tool_spec *spec, struct buf *b)
{
	buf_add_str(b, "\tverbs=(\n");
	for (const struct verb *v = spec->verbs; v->name != NULL; v++) {
		if (!complete_is_shown(v))
			continue;
		buf_printf(b, "\t\t'%s:", v->name);
		complete_add_quoted(b, v->help, ":\\", ZSH_QUOTE);
		buf_add_str(b, "'\n");
	}
	buf_add_str(b, "\t\t'help:show the help of a verb'\n\t)\n"
	               "\t_arguments -s -S -C $options '1:verb:->verb' '*::argument:->argument'\n"
	               "\tif [[ $state == verb ]]; then\n"
	               "\t\t_describe -t verbs verb verbs\n"
	               "\t\treturn\n"
	               "\tfi\n"
	               "\t[[ $state == argument ]] || return\n"
	               "\tcase $line[1] in\n");
	for (const struct verb *v = spec->verbs; v->name != NULL; v++) {
		buf_printf(b, "\t%s)\n", v->name);
		add_verb(b, v);
		buf_add_str(b, "\t\t;;\n");
	}
	buf_add_str(b, "\thelp)\n"
	               "\t\tverbs[-1]=()\n"
	               "\t\t_describe -t verbs verb verbs\n"
	               "\t\t;;\n"
	               "\tesac\n");
}

void complete_zsh(const struct tool_spec *spec, const struct verb *verbs, struct buf *b)
{
	complete_add_template(
	    b,
	    "#compdef ~\n# zsh completion for ~, printed by '~ --completion zsh'.\n\n"
	    "_~() {\n"
	    "\tlocal curcontext=$curcontext context state state_descr line at\n"
	    "\tlocal -a options verbs\n"
	    "\ttypeset -A opt_args\n\n"
	    "\toptions=(\n",
	    spec->name);
	add_options(b, spec->options);
	buf_add_str(b, "\t\t'--help[show the help]'\n\t\t'--version[show the version]'\n\t)\n");
	if (spec->verbs != NULL)
		add_verbs(spec, b);
	else
		add_verb(b, verbs);
	complete_add_template(
	    b,
	    "}\n\n"
	    "# Called by the completion system from a file of its path, or sourced.\n"
	    "if [[ $funcstack[1] == _~ ]]; then\n\t_~ \"$@\"\nelse\n\tcompdef _~ ~\nfi\n",
	    spec->name);
}
