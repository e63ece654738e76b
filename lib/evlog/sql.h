/*
 * sql: SQL for the outputs of a projection.
 *
 * Pure.  Names of tables and columns come from events: they are quoted, so that no name is ever
 * more than a name; values are parameters.  Parameters are numbered in the order of the columns:
 * those of key, then set, then add.
 *
 * An upsert is two statements: the update, and, when that has found no row, the insert.  One
 * statement, INSERT ... ON CONFLICT ... DO UPDATE, would ask for all columns that may not be NULL
 * also of a row that is there.  That the table has a unique index of the key shows when the
 * insert is prepared, because its ON CONFLICT names the columns.
 */
#ifndef SHOAL_EVLOG_SQL_H
#define SHOAL_EVLOG_SQL_H

#include "base/buf.h"
#include "evlog/output.h"

/* Append a name in double quotes; p[0..len) is any UTF-8 without NUL. */
void sql_put_name(struct buf *out, const char *p, size_t len);

/*
 * Append what tells the statements of one output from those of another: outputs of the same shape
 * have the same statements.
 */
void sql_put_shape(struct buf *out, const struct output *o);

/* Of OUTPUT_UPSERT; without set and add there is no update (sql_has_update()). */
bool sql_has_update(const struct output *o);
void sql_put_update(struct buf *out, const struct output *o);
void sql_put_insert(struct buf *out, const struct output *o);

/* Of OUTPUT_DELETE. */
void sql_put_delete(struct buf *out, const struct output *o);

#endif
