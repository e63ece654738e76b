#include "tool/complete_shell.h"

#include <string.h>

/* "file" and the like are "@file" in the scripts, so that they cannot be words. */
static void add_kind(struct buf *b, const char *complete)
{
	static const char *const kinds[] = {"file", "dir", "command"};

	for (size_t i = 0; complete != NULL && i < sizeof(kinds) / sizeof(*kinds); i++)
		if (strcmp(complete, kinds[i]) == 0)
			buf_add_char(b, '@');
	if (complete != NULL)
		buf_add_str(b, complete);
}

static const char reply[] = "_~_reply() { # KIND\n"
			    "\tcase $1 in\n"
			    "\t@file | @dir)\n"
			    "\t\tcompopt -o filenames 2>/dev/null\n"
			    "\t\tmapfile -t COMPREPLY < <(compgen \"-${1:1:1}\" -- \"$cur\") ;;\n"
			    "\t@command) mapfile -t COMPREPLY < <(compgen -c -- \"$cur\") ;;\n"
			    "\t*) mapfile -t COMPREPLY < <(compgen -W \"$1\" -- \"$cur\") ;;\n"
			    "\tesac\n"
			    "}\n\n";

static const char command[] = "_~_command() { # the command that begins at word $1\n"
			      "\tif declare -F _command_offset >/dev/null; then\n"
			      "\t\t_command_offset \"$1\"\n"
			      "\telif ((COMP_CWORD == $1)); then\n"
			      "\t\t_~_reply @command\n"
			      "\telse\n"
			      "\t\t_~_reply @file\n"
			      "\tfi\n"
			      "}\n\n";

/* bash splits words at "=" and ":", so --type=a is three words, as is k:v. */
static const char main_part[] =
    "_~() {\n"
    "\tlocal cur=${COMP_WORDS[COMP_CWORD]} i word\n"
    "\tlocal verb='' last='' ended='' kind='' words='' mode='' argument=''\n"
    "\n"
    "\tCOMPREPLY=()\n"
    "\t_~_verb ''\n"
    "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
    "\t\tword=${COMP_WORDS[i]}\n"
    "\t\tif [[ -n $last ]]; then\n"
    "\t\t\t[[ $word == '=' ]] || last=''\n"
    "\t\telif [[ $word == [=:]* ]]; then\n"
    "\t\t\t((++i < COMP_CWORD)) || return 0\n"
    "\t\telif [[ $word == -- && $mode == dashes ]]; then\n"
    "\t\t\t_~_command $((i + 1))\n"
    "\t\t\treturn 0\n"
    "\t\telif [[ $word == -- ]]; then\n"
    "\t\t\tended=1\n"
    "\t\telif [[ $word == -?* && -z $ended ]]; then\n"
    "\t\t\t_~_argument \"$verb\" \"$word\" && last=$word\n"
    "\t\telif [[ -z $verb && $mode == verbs ]]; then\n"
    "\t\t\tverb=$word\n"
    "\t\t\t_~_verb \"$verb\"\n"
    "\t\telif [[ $mode == command ]]; then\n"
    "\t\t\t((i++))\n"
    "\t\t\t[[ ${COMP_WORDS[i]} == -- ]] && ((i < COMP_CWORD)) && ((i++))\n"
    "\t\t\t_~_command \"$i\"\n"
    "\t\t\treturn 0\n"
    "\t\tfi\n"
    "\tdone\n"
    "\t[[ $cur == [=:]* ]] && [[ -n $last || $cur == : ]] && cur=''\n"
    "\tif [[ -n $last ]]; then\n"
    "\t\t_~_argument \"$verb\" \"$last\"\n"
    "\t\t_~_reply \"$argument\"\n"
    "\telif [[ $cur == -* && -z $ended ]]; then\n"
    "\t\t_~_reply \"$words\"\n"
    "\telse\n"
    "\t\t_~_reply \"$kind\"\n"
    "\tfi\n"
    "}\n\n"
    "complete -F _~ ~\n";

static void add_arguments(struct buf *b, const char *verb, const struct opt *options)
{
	for (const struct opt *o = options; o != NULL && o->id != 0; o++) {
		if (!complete_takes_word(o))
			continue;
		buf_add_str(b, "\t");
		complete_add_patterns(b, verb, o, "", " | ");
		buf_add_str(b, ") argument='");
		add_kind(b, o->complete);
		buf_add_str(b, "' ;;\n");
	}
}

static void add_words(struct buf *b, const struct opt *options)
{
	for (const struct opt *o = options; o != NULL && o->id != 0; o++) {
		if (o->help == NULL)
			continue;
		if (o->id < OPT_LONG)
			buf_printf(b, "-%c ", o->id);
		if (o->name != NULL)
			buf_printf(b, "--%s ", o->name);
	}
}

static void add_verb(struct buf *b, const struct verb *v)
{
	buf_printf(b, "\t'%s') words='", v->name);
	add_words(b, v->options);
	buf_add_str(b, "' kind='");
	add_kind(b, v->complete);
	buf_printf(b, "' mode=%s ;;\n",
	           v->flags & VERB_DASHES    ? "dashes"
	           : v->flags & VERB_COMMAND ? "command"
	                                     : "plain");
}

static void add_verb_names(struct buf *b, const struct verb *verbs)
{
	for (const struct verb *v = verbs; v->name != NULL; v++)
		if (complete_is_shown(v))
			buf_printf(b, "%s ", v->name);
}

void complete_bash(const struct tool_spec *spec, const struct verb *verbs, struct buf *b)
{
	complete_add_template(b, "# bash completion for ~, printed by '~ --completion bash'.\n\n",
	                      spec->name);
	complete_add_template(b, reply, spec->name);
	complete_add_template(b, command, spec->name);
	complete_add_template(
	    b, "_~_argument() { # VERB OPTION: has it an argument, and of what kind\n", spec->name);
	buf_add_str(b, "\targument=''\n\tcase $1:$2 in\n");
	for (const struct verb *v = verbs; v->name != NULL; v++)
		add_arguments(b, v->name, v->options);
	add_arguments(b, "*", spec->options);
	buf_add_str(b, "\t*) return 1 ;;\n\tesac\n}\n\n");
	complete_add_template(b, "_~_verb() { # VERB: its options, its operands\n", spec->name);
	buf_add_str(b, "\tcase $1 in\n");
	for (const struct verb *v = verbs; v->name != NULL; v++)
		add_verb(b, v);
	if (spec->verbs != NULL) {
		buf_add_str(b, "\t'') words='' mode=verbs kind='");
		add_verb_names(b, verbs);
		buf_add_str(b, "help' ;;\n\thelp) words='' mode=plain kind='");
		add_verb_names(b, verbs);
		buf_add_str(b, "' ;;\n");
	}
	buf_add_str(b, "\t*) words='' mode=plain kind='' ;;\n\tesac\n\twords+='");
	add_words(b, spec->options);
	buf_add_str(b, "--help --version'\n}\n\n");
	complete_add_template(b, main_part, spec->name);
}
