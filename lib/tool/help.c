#include "tool/help.h"

#include <stdio.h>
#include <string.h>

#define COLUMN_MAX 28 /* a wider left column moves its text to the next line */

static void print_synopsis(const char *tool, const char *verb, const char *forms)
{
	const char *lead = "usage: ";

	for (;;) {
		size_t n = strcspn(forms, "\n");

		tool_printf("%s%s%s%s%s%.*s\n", lead, tool, verb != NULL ? " " : "",
		            verb != NULL ? verb : "", n > 0 ? " " : "", (int)n, forms);
		if (forms[n] == '\0')
			return;
		forms += n + 1;
		lead = "       ";
	}
}

/* "-t, --type TYPE", "    --each", "-0" */
static int option_text(const struct opt *o, char *to, size_t max)
{
	char letter[8] = "    ";
	const char *arg = o->arg != NULL ? o->arg : "";
	const char *before = " ";

	if (o->arg == NULL)
		before = "";
	else if (*o->arg == '[')
		before = o->name != NULL ? "[=" : "[";
	if (*before == '[')
		arg++; /* "[SLOT]" becomes "[=SLOT]" */
	if (o->id < OPT_LONG)
		snprintf(letter, sizeof(letter), "-%c%s", o->id, o->name != NULL ? ", " : "");
	return snprintf(to, max, "%s%s%s%s%s", letter, o->name != NULL ? "--" : "",
	                o->name != NULL ? o->name : "", before, arg);
}

static int width_of(const struct opt *options, int width)
{
	char text[128];

	for (const struct opt *o = options; o != NULL && o->id != 0; o++) {
		int n = o->help != NULL ? option_text(o, text, sizeof(text)) : 0;

		if (n > width && n <= COLUMN_MAX)
			width = n;
	}
	return width;
}

static void print_row(const char *left, const char *right, int width)
{
	if ((int)strlen(left) > width)
		tool_printf("  %s\n  %*s  %s\n", left, width, "", right);
	else
		tool_printf("  %-*s  %s\n", width, left, right);
}

static void print_options(const struct opt *options, int width)
{
	char text[128];

	for (const struct opt *o = options; o != NULL && o->id != 0; o++) {
		if (o->help == NULL)
			continue;
		option_text(o, text, sizeof(text));
		print_row(text, o->help, width);
	}
}

static void print_verbs(const struct verb *verbs)
{
	int width = 4; /* help */

	for (const struct verb *v = verbs; v->name != NULL; v++)
		if ((v->flags & VERB_HIDDEN) == 0 && (int)strlen(v->name) > width)
			width = (int)strlen(v->name);
	for (const struct verb *v = verbs; v->name != NULL; v++)
		if ((v->flags & VERB_HIDDEN) == 0)
			print_row(v->name, v->help, width);
	print_row("help", "show the help of a verb", width);
}

void help_print(const struct tool_spec *spec, const struct verb *verb)
{
	static const struct opt builtin[] = {
	    {OPT_LONG, "help", NULL, NULL, "show this help"},
	    {OPT_LONG, "version", NULL, NULL, "show the version"},
	    {0},
	};
	const struct opt *own = verb != NULL ? verb->options : spec->options;
	const char *forms = verb != NULL ? verb->synopsis : spec->synopsis;
	int width = width_of(own, width_of(spec->options, width_of(builtin, 0)));

	print_synopsis(spec->name, verb != NULL ? verb->name : NULL, forms != NULL ? forms : "");
	tool_printf("\n%s\n", verb != NULL ? verb->help : spec->summary);
	if (verb == NULL && spec->verbs != NULL) {
		tool_print("\nVerbs:\n");
		print_verbs(spec->verbs);
	}
	tool_print("\nOptions:\n");
	print_options(own, width);
	if (verb != NULL)
		print_options(spec->options, width);
	print_options(builtin, width);
	if (verb == NULL && spec->verbs != NULL)
		tool_printf("\n'%s VERB --help' shows the options of a verb.\n", spec->name);
}

void help_print_version(const struct tool_spec *spec)
{
	tool_printf("%s (shoal) %s\n", spec->name, SHOAL_VERSION);
}
