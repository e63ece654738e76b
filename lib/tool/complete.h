/*
 * complete: completion scripts for shells, from the description of a tool in opt.h.
 *
 * They know the verbs, the options of each verb with what their arguments may be, and what the
 * operands are.  They call nothing but the shell's own functions; bash needs no bash-completion
 * package.
 */
#ifndef SHOAL_TOOL_COMPLETE_H
#define SHOAL_TOOL_COMPLETE_H

#include "tool/opt.h"

/* Append the script for "bash", "zsh" or "fish" to b; EINVAL for another shell. */
int complete_script(const struct tool_spec *spec, const char *shell, struct buf *b, struct err *e);

#endif
