/*
 * toy_tool: a small tool that uses all of lib/tool, for its tests.
 *
 * `toy`: a tool with verbs; `toy --plain ...` as the first argument: one without verbs that wraps
 * a command, as dlock does.  Its verbs print what they were given, one thing a line.
 */
#ifndef SHOAL_TESTS_TOY_TOOL_H
#define SHOAL_TESTS_TOY_TOOL_H

#include <stdbool.h>

/* Was this program started as "$TOY" from a script of shell.h? */
bool toy_wanted(void);

int toy_main(int argc, char **argv);

#endif
