/*
 * backup_cursor: the cursors of a store as lines of a backup's MANIFEST, for backup.c.
 *
 *	cursor NAME SLOT
 *
 * SLOT is a slot of cursor_slot.h without its padding.
 */
#ifndef SHOAL_EVLOG_BACKUP_CURSOR_H
#define SHOAL_EVLOG_BACKUP_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "evlog/store.h"

/* Append a line for each cursor; those that are damaged are left out. */
int backup_put_cursors(struct evlog *s, struct buf *to, struct err *e);

bool backup_is_cursor(const char *line, size_t len);

/* Make the cursor of a line in the store that is being made in the directory `to`, durable but
 * for the name cursors/ itself. */
int backup_get_cursor(const struct io *io, int to, const char *line, size_t len, uint32_t salt,
                      struct err *e);

#endif
