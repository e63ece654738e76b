/*
 * program: the text of a jq program that a user keeps in a file.
 *
 * At most JQ_PROGRAM_MAX bytes without a NUL: it becomes an argument of a command.
 */
#ifndef SHOAL_EVLOG_CMD_PROGRAM_H
#define SHOAL_EVLOG_CMD_PROGRAM_H

#include <stdbool.h>

#include "base/buf.h"

struct program {
	struct buf text; /* NUL-terminated */
	bool imports;    /* what it does depends on other files, too */
};

/* The text without its NUL. */
struct span program_span(const struct program *p);

/* Read a file; ends the program of ours when it cannot, or holds none. */
void program_read(struct program *p, const char *file);
void program_done(struct program *p);

#endif
