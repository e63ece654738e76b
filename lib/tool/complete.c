#include "tool/complete.h"

#include <errno.h>
#include <string.h>

#include "tool/complete_shell.h"

bool complete_is_shown(const struct verb *v)
{
	return (v->flags & VERB_HIDDEN) == 0;
}

void complete_add_template(struct buf *b, const char *text, const char *name)
{
	for (; *text != '\0'; text++)
		if (*text == '~')
			buf_add_str(b, name);
		else
			buf_add_char(b, *text);
}

void complete_add_quoted(struct buf *b, const char *text, const char *special, const char *quote)
{
	for (; *text != '\0'; text++) {
		if (*text == '\'') {
			buf_add_str(b, quote);
			continue;
		}
		if (strchr(special, *text) != NULL)
			buf_add_char(b, '\\');
		buf_add_char(b, *text);
	}
}

bool complete_takes_word(const struct opt *o)
{
	return o->arg != NULL && *o->arg != '[';
}

void complete_add_patterns(struct buf *b, const char *verb, const struct opt *o, const char *quote,
                           const char *between)
{
	if (o->id < OPT_LONG)
		buf_printf(b, "%s%s:-%c%s", quote, verb, o->id, quote);
	if (o->id < OPT_LONG && o->name != NULL)
		buf_add_str(b, between);
	if (o->name != NULL)
		buf_printf(b, "%s%s:--%s%s", quote, verb, o->name, quote);
}

/* A tool without verbs is written as one whose only verb is the empty word. */
static const struct verb *verbs_of(const struct tool_spec *spec, struct verb only[2])
{
	if (spec->verbs != NULL)
		return spec->verbs;
	only[0] = (struct verb){
	    .name = "", .flags = spec->flags, .complete = spec->complete, .options = NULL};
	only[1] = (struct verb){0};
	return only;
}

int complete_script(const struct tool_spec *spec, const char *shell, struct buf *b, struct err *e)
{
	struct verb only[2];
	const struct verb *verbs = verbs_of(spec, only);

	if (strcmp(shell, "bash") == 0)
		complete_bash(spec, verbs, b);
	else if (strcmp(shell, "zsh") == 0)
		complete_zsh(spec, verbs, b);
	else if (strcmp(shell, "fish") == 0)
		complete_fish(spec, verbs, b);
	else
		return err_set(e, EINVAL, "no completion for shell '%s': bash, zsh or fish", shell);
	return buf_ok(b, e);
}
