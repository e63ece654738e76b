/*
 * idiom: places in the text of a jq program that are slow, or that make its results depend on more
 * than the event.
 *
 * Pure.  It reads the words of jq 1.6, not its grammar: names, variables, strings, comments and
 * operators, so that it never fails, and may only miss something or see too much.
 */
#ifndef SHOAL_EVLOG_IDIOM_H
#define SHOAL_EVLOG_IDIOM_H

#include <stdbool.h>

#include "base/span.h"

struct idiom {
	unsigned line;    /* from 1 */
	struct span word; /* in the text */
	const char *what; /* what is wrong with it */
};

/* Call fn for each place, in order. */
typedef void idiom_fn(const struct idiom *found, void *arg);
void idiom_each(struct span text, idiom_fn *fn, void *arg);

/* Does it import or include another file?  That can only stand at its start. */
bool idiom_has_import(struct span text);

#endif
