/*
 * log: one line per event on a descriptor, for daemons: JSON, logfmt, or for people.
 *
 * A line is one write(2), so that lines of several processes do not mix; what cannot be written
 * is lost, a log never stops its program.  Values are escaped: whatever they hold, an event is
 * one line.
 *
 *	{"ts":"2026-11-23T10:00:00.123456Z","level":"info","msg":"elected","term":7}
 *	ts=2026-11-23T10:00:00.123456Z level=info msg=elected term=7
 *	10:00:00.123 info  elected term=7
 */
#ifndef SHOAL_OS_LOG_H
#define SHOAL_OS_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_JSON, LOG_LOGFMT, LOG_HUMAN };

struct log {
	int fd;
	enum log_level level; /* events above it are dropped */
	enum log_format format;
};

struct log_field {
	const char *name; /* ours: letters, digits, '_' */
	const char *text; /* NULL: the number is the value */
	int64_t number;
};

/* Write an event with the time of now.  fields may be NULL when count is 0. */
void log_event(const struct log *l, enum log_level level, const char *msg,
               const struct log_field *fields, size_t count);

/* Find a level or format by its name (SHOAL_LOG, SHOAL_LOG_FORMAT); EINVAL names the choices. */
int log_level_of(const char *name, enum log_level *ret, struct err *e);
int log_format_of(const char *name, enum log_format *ret, struct err *e);

#endif
