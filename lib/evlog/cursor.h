/*
 * cursor: how far a consumer or a projection has come, by name, in the store's directory cursors/.
 *
 * A cursor is a file of two slots of CURSOR_SLOT bytes, each a line of text with a CRC; a save
 * writes the older slot in place and syncs it, so that a crash leaves the old position or the new
 * one.  evlog-format(5) has the form.  The holder has an exclusive lock on the file (of its open
 * file description): the kernel frees it when its process dies, however that happens.
 *
 * A member of a group has a cursor of its own, "NAME@K-N".
 */
#ifndef SHOAL_EVLOG_CURSOR_H
#define SHOAL_EVLOG_CURSOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "evlog/store.h"

#define CURSOR_NAME_MAX \
	200 /* bytes of a name: letters, digits, '.', '_', '-'; not first '.' or '-' */
#define CURSOR_SELECTOR_MAX 255
#define CURSOR_SLOT         512u
#define CURSOR_GROUP_MAX    1024u

struct cursor_id {
	const char *name;
	uint32_t member, members; /* K and N of a group, K from 1; 0 and 0: no group */
};

struct cursor_state {
	uint64_t sequence;                      /* the last one that is done */
	uint64_t save;                          /* counts saves */
	int64_t time_ns;                        /* of the last save */
	uint32_t tries;                         /* of what comes next, that have failed */
	char selector[CURSOR_SELECTOR_MAX + 1]; /* "order-*", "--all" */
	char program[33]; /* BLAKE2b-128 of a projection's program in hex, or "-" */
};

struct cursor; /* one that is held */

/* EINVAL: no name for a cursor. */
int cursor_check_name(const char *name, struct err *e);

/*
 * Take a cursor, making it if need be (*ret_new; the state is then zeroed but for its selector and
 * program, "-").  Waits for its holder up to wait_ms (< 0: for ever): ETIMEDOUT.  EVLOG_DAMAGED
 * when no slot is sound.
 */
struct cursor *cursor_open(struct evlog *s, const struct cursor_id *id, int64_t wait_ms,
                           bool *ret_new, struct err *e);
void cursor_close(struct cursor *c);

/* Of the cursor that is held: change it, then save it. */
struct cursor_state *cursor_state(struct cursor *c);
int cursor_save(struct cursor *c, int64_t now_ns, struct err *e); /* durable */

/* Look at a cursor without taking it: 1, 0 no such cursor, -1. */
int cursor_read(struct evlog *s, const struct cursor_id *id, struct cursor_state *ret,
                struct err *e);

/* Remove it; ENOENT, EBUSY when somebody holds it. */
int cursor_remove(struct evlog *s, const struct cursor_id *id, struct err *e);

/* Call fn for each cursor in the order of names; it returns 0 to go on, else the call ends. */
typedef int cursor_fn(const struct cursor_id *id, const struct cursor_state *state, bool held,
                      void *arg, struct err *e);
int cursor_each(struct evlog *s, cursor_fn *fn, void *arg, struct err *e);

/* The member of a group of `members` that a stream belongs to, from 1 (SipHash, key of zeros). */
uint32_t cursor_member_of(const char *stream, size_t len, uint32_t members);

#endif
