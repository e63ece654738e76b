/*
 * complete_shell: what the completion scripts of the shells have in common; used by complete*.c
 * only.
 *
 * A tool without verbs is given as one whose only verb is the empty word.
 */
#ifndef SHOAL_TOOL_COMPLETE_SHELL_H
#define SHOAL_TOOL_COMPLETE_SHELL_H

#include "tool/opt.h"

void complete_bash(const struct tool_spec *spec, const struct verb *verbs, struct buf *b);
void complete_zsh(const struct tool_spec *spec, const struct verb *verbs, struct buf *b);
void complete_fish(const struct tool_spec *spec, const struct verb *verbs, struct buf *b);

bool complete_is_shown(const struct verb *v);

/* Is the word after the option its argument?  Not where the argument is optional. */
bool complete_takes_word(const struct opt *o);

/* Append a text in which '~' stands for the name of the tool. */
void complete_add_template(struct buf *b, const char *text, const char *name);

/* Append text for the inside of '...': a backslash before each byte of special, quote for a '. */
void complete_add_quoted(struct buf *b, const char *text, const char *special, const char *quote);

/* "verb:-t | verb:--type" with " | " between, each in the given quotes. */
void complete_add_patterns(struct buf *b, const char *verb, const struct opt *o, const char *quote,
                           const char *between);

#endif
