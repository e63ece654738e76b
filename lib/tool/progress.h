/*
 * progress: one line on a terminal that says how far a long work has come.
 *
 * Only when stderr is a terminal, and not before a second has passed: a short work and a log file
 * never see it.  It is redrawn some times a second and gone in the end, or before a message.
 *
 *	evlog: import: 1200000 events
 *	evlog: verify: 1200000 of 10000000 events, 12%
 */
#ifndef SHOAL_TOOL_PROGRESS_H
#define SHOAL_TOOL_PROGRESS_H

#include <stdint.h>

/* The work begins; total 0: not known.  The words are borrowed. */
void progress_begin(const char *what, const char *unit, uint64_t total);

/* So much is done.  Cheap enough to be called for each event; nothing before progress_begin(). */
void progress_at(uint64_t done);

/* Take the line away.  tool_warn() and its like do so themselves. */
void progress_clear(void);

#endif
