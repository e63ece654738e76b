/*
 * event: between the JSON lines that people read and write and the frames of the log.
 *
 * Pure.  Input lines are JSON objects: a CloudEvent (specversion 1.0) or just {"type","data"};
 * with a type given, the line is the data alone.  An event keeps its id, type, time, source, data
 * and extension attributes; subject, sequence, streamversion, streamdeleted and recordedtime in the
 * input are the store's to set and are dropped.  Data keeps its numbers and its key order as typed.
 *
 * An attribute is a string, a number or a boolean under a name of 1 to 20 of a-z and 0-9.  "data"
 * and "data_base64" exclude each other.  "stream" and "expect" mean something in EVENT_BATCH and
 * are refused elsewhere: who writes them there expects a check that would not happen.
 */
#ifndef SHOAL_EVLOG_EVENT_H
#define SHOAL_EVLOG_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "evlog/model.h"

#define EVENT_LINE_MAX (8u << 20)                             /* bytes of an input line */
#define EVENT_RAW_MAX  ((size_t)(FRAME_DATA_MAX - 1) / 4 * 3) /* bytes of data that are no JSON */

enum event_form {
	EVENT_OBJECT, /* a CloudEvent or {"type","data"} */
	EVENT_DATA,   /* the line is the data; the type is given */
	EVENT_BATCH,  /* as EVENT_OBJECT with "stream" and optionally "expect" */
	EVENT_IMPORT  /* as EVENT_OBJECT, but the stream is "subject", the version "streamversion",
	                 or  any when there is none, and "streamdeleted" makes it a deletion */
};

/*
 * How to read lines, and the memory to do it in: zeroed, then the fields in front are set.  Names
 * in it are checked by the caller (evlog_check_stream(), evlog_check_name()).
 */
struct event_parser {
	enum event_form form;
	struct span stream; /* for all events, but in EVENT_BATCH and EVENT_IMPORT */
	struct span type;   /* of events that bring none; EVENT_DATA: of all */
	struct span id;     /* len 0: none given; an event that brings another one is refused */
	struct span source; /* the store's own source, which is not worth keeping in each event */
	struct expect expect;
	struct buf common; /* attributes for all events, made by event_common() */
	/* private: */
	struct buf scratch, attrs, data;
	struct json_doc doc;
};

void event_parser_done(struct event_parser *p);

/*
 * Add an attribute that all events get unless they bring it themselves: -m k=v, correlation,
 * causation, trace.  The value becomes a string.  EINVAL: a name that is no attribute name or is
 * set in another way (id, type, data, the store's own), a value that is no UTF-8, or for "time" no
 * date-time.  EEXIST: it is there already, and stays as it was.
 */
int event_common(struct event_parser *p, const char *name, const char *value, size_t value_len,
                 struct err *e);

/*
 * Parse one line (without LF).  The spans of *ret point into the line, the parser and what the
 * parser was given, and are valid until the next call; ret->id.len is 0 when the event brought no
 * id and the caller has to make one.  Fails with EBADMSG (no JSON; the message has the column),
 * EVLOG_BAD_EVENT (no event) or ENOMEM.
 */
int event_parse(struct event_parser *p, const char *line, size_t len, struct event *ret,
                struct err *e);

/* One event of any bytes (--raw): data becomes base64.  EVLOG_BAD_EVENT over EVENT_RAW_MAX. */
int event_raw(struct event_parser *p, const void *bytes, size_t len, struct event *ret,
              struct err *e);

/* How to print events; zeroed, then source is set. */
struct event_writer {
	struct span source; /* of events that keep none of their own */
	/* private: the last second that was formatted, as "2026-11-23T10:00:00." */
	uint64_t second;
	char date[20];
};

/*
 * Append one event as a CloudEvents JSON object without a line end, keys in the order of
 * shoal(7).  recordedtime is there only when the event brought a time of its own, streamdeleted
 * ("soft" or "hard") only on a deletion.  Here and below,
 * short memory shows in buf_ok(out).
 */
void event_put_json(struct buf *out, struct event_writer *w, const struct frame *f);
/* The data alone: JSON as stored, a base64 string for other bytes, null for none. */
void event_put_data(struct buf *out, const struct frame *f);
/* The payload's bytes: decoded where they are not JSON; nothing for none. */
void event_put_raw(struct buf *out, const struct frame *f);
/* sequence TAB stream TAB version TAB type TAB id TAB data */
void event_put_tsv(struct buf *out, const struct frame *f);

#endif
