/*
 * help: --help and --version of a tool or a verb, from its description in opt.h.
 *
 * The first lines are the synopsis as in the man page, one line a form: "usage: evlog get ID",
 * further forms are indented to the first.
 */
#ifndef SHOAL_TOOL_HELP_H
#define SHOAL_TOOL_HELP_H

#include "tool/opt.h"

/* Print to stdout; verb NULL: of the tool. */
void help_print(const struct tool_spec *spec, const struct verb *verb);

/* "evlog (shoal) 0.1.0" */
void help_print_version(const struct tool_spec *spec);

#endif
