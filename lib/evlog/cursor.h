/*
 * cursor: how far a consumer or a projection has come, by name, in the store's directory cursors/.
 *
 * A cursor is a file of two slots of CURSOR_SLOT bytes, each a line of text with a CRC; a save
 * writes the older slot in place and syncs it, so that a crash leaves the old position or the new
 * one.  The first save makes the file whole under another name and renames it.  evlog-format(5)
 * has the form.  The holder has an exclusive lock on the file (of its open file description): the
 * kernel frees it when its process dies, however that happens.
 *
 * A member of a group has a cursor of its own, in a file NAME@K-N.  Files with another '@' in
 * their names are no cursors: NAME@new is one being made, and projections keep theirs that way.
 */
#ifndef SHOAL_EVLOG_CURSOR_H
#define SHOAL_EVLOG_CURSOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "evlog/cursor_slot.h"
#include "evlog/store.h"

/* Bytes of a name: letters, digits, '.', '_', '-'; the first is neither '.' nor '-'. */
#define CURSOR_NAME_MAX  200
#define CURSOR_TEXT_MAX  (CURSOR_NAME_MAX + 12) /* with its member and a NUL */
#define CURSOR_GROUP_MAX 1024u

struct cursor_id {
	const char *name;
	uint32_t member, members; /* K and N of a group, K from 1; 0 and 0: no group */
};

struct cursor; /* one that is held */

/* EINVAL: no name for a cursor. */
int cursor_check_name(const char *name, struct err *e);

/* "NAME" or "NAME@K-N", and back; the id borrows `name`.  EINVAL for anything else. */
int cursor_parse_id(const char *text, char name[CURSOR_NAME_MAX + 1], struct cursor_id *ret,
                    struct err *e);
void cursor_id_text(char to[CURSOR_TEXT_MAX], const struct cursor_id *id);

/*
 * Take a cursor, making it if need be (*ret_new; the state is then zeroed but for its selector and
 * program, "-").  Waits for its holder up to wait_ms (< 0: for ever): ETIMEDOUT.  EVLOG_DAMAGED
 * when no slot is sound, EVLOG_READ_ONLY where the store cannot be written.  One that is new and
 * was not saved leaves nothing behind when it is closed.
 */
struct cursor *cursor_open(struct evlog *s, const struct cursor_id *id, int64_t wait_ms,
                           bool *ret_new, struct err *e);
void cursor_close(struct cursor *c);

/* The descriptor that has the lock; it changes with the first save. */
int cursor_lock_fd(const struct cursor *c);

/*
 * Of the cursor that is held: change it, then save it.  cursor_save() sets save, time_ns and
 * event_ns, and has a look at the event of the sequence (read.h: frames of evlog_get() end with
 * it).  When it returns the state is on disk.  After a failure the disk has the old or the new
 * one, and every later save fails too.
 */
struct cursor_state *cursor_state(struct cursor *c);
int cursor_save(struct cursor *c, int64_t now_ns, struct err *e);

/*
 * The two steps of cursor_save(): written is not yet on disk.  cursor_sync() may run in another
 * thread, while nobody else touches the cursor.
 */
int cursor_write(struct cursor *c, int64_t now_ns, struct err *e);
int cursor_sync(struct cursor *c, struct err *e);

/*
 * Is the event at the cursor the one that it was saved with?  False when the store has lost it
 * (it ends before, or wrote another event in that place since): events that this cursor has never
 * seen may have the numbers that it has passed.  True when that cannot be told.
 */
bool cursor_fits_log(struct evlog *s, const struct cursor_state *state);

/* Look at a cursor without taking it: 1, 0 no such cursor, -1. */
int cursor_read(struct evlog *s, const struct cursor_id *id, struct cursor_state *ret,
                struct err *e);

/* Remove it, damaged or not; ENOENT, EBUSY when somebody holds it. */
int cursor_remove(struct evlog *s, const struct cursor_id *id, struct err *e);

/*
 * Call fn for each cursor, by name, then N, then K; it returns 0 to go on, else the call ends with
 * that value.  state is NULL for one whose slots are both damaged.
 */
typedef int cursor_fn(const struct cursor_id *id, const struct cursor_state *state, bool held,
                      void *arg, struct err *e);
int cursor_each(struct evlog *s, cursor_fn *fn, void *arg, struct err *e);

/* The member of a group of `members` that a stream belongs to, from 1 (SipHash, key of zeros). */
uint32_t cursor_member_of(const char *stream, size_t len, uint32_t members);

#endif
