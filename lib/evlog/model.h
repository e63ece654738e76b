/*
 * model: what an event is, before it is in a store: names, expected versions, and the errors that
 * callers tell apart.  Pure.
 */
#ifndef SHOAL_EVLOG_MODEL_H
#define SHOAL_EVLOG_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "evlog/frame.h"

/* Codes in struct err beside errno values. */
enum evlog_error {
	EVLOG_DAMAGED = 1000, /* the log is damaged; what is sound can be read */
	EVLOG_POISONED,       /* a sync failed; writers stop until repair */
	EVLOG_CONFLICT,       /* the stream is not at the expected version */
	EVLOG_ID_REUSED,      /* an id is known with other content, or a commit is partly known */
	EVLOG_NO_STORE,       /* there is no store here */
	EVLOG_FOREIGN,   /* a store of another version, or on a file system that crosses hosts */
	EVLOG_BAD_EVENT, /* the event itself: name, size, attribute */
	EVLOG_GAP,       /* a stream cannot be followed over an event that repair gave up */
	EVLOG_READ_ONLY, /* this user or file system cannot write here */
	EVLOG_DELETED,   /* the stream was deleted for good */
	EVLOG_NO_STREAM  /* there is no such stream, to be deleted */
};

enum expect_kind {
	EXPECT_ANY,
	EXPECT_NONE,
	EXPECT_EXISTS,
	EXPECT_VERSION,
	EXPECT_BECOMES /* for import: the event gets this version, also as a stream's first one */
};

struct expect {
	enum expect_kind kind;
	uint32_t version; /* EXPECT_VERSION: the stream's last version; EXPECT_BECOMES: the next */
};

/* "any", "none", "exists" or a version; EINVAL for anything else. */
int expect_parse(const char *p, size_t len, struct expect *ret, struct err *e);
/* The word or number of the last version as the user types it, NUL-terminated. */
#define EXPECT_TEXT_MAX 16
void expect_text(char to[EXPECT_TEXT_MAX], const struct expect *x);

/* What there is of a stream. */
struct stream_state {
	bool exists;  /* it has frames */
	bool deleted; /* the newest of them is of kind D */
	bool hard;    /* and for good */
	uint32_t version;
};
bool expect_is_met(const struct expect *x, const struct stream_state *st);

/* One event to be written; the spans are borrowed. */
struct event {
	char kind; /* 0: FRAME_EVENT; FRAME_DELETED, made by event_deletes() */
	struct span stream, type;
	struct span id;    /* 1 to 255 bytes */
	bool id_given;     /* by a caller, so that it may be known; else it is fresh and random */
	struct span attrs; /* as in the frame: compact JSON object or "-" */
	struct span data;  /* as in the frame */
	struct expect expect; /* against the stream's version just before this event */
};

/*
 * Does a selector take a stream: its name, PREFIX*, or --all?  The latter two never take a stream
 * of the store's own, whose name begins with '$'.
 */
bool evlog_selects(struct span selector, struct span stream);

/* Make it the deletion of its stream: sets kind, type and data. */
void event_deletes(struct event *ev, bool hard);

/*
 * Names, EVLOG_BAD_EVENT: 1 to 255 bytes of UTF-8 without spaces and control characters; a stream's
 * also without '/', '*' and a leading '-'.
 */
int evlog_check_name(const char *what, const char *p, size_t len, struct err *e);
int evlog_check_stream(const char *p, size_t len, struct err *e);

#endif
