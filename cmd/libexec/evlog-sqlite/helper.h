/*
 * evlog-sqlite: the program that knows SQLite, for `evlog project` and `evlog query`.
 *
 * A program of its own because a shared library is time at the start of every process that is
 * linked with it.  It is started by evlog, never by people, as `evlog-sqlite DB`, and answers
 * requests on stdin, a line of JSON each, by a line of JSON on stdout:
 *
 *	{"do":"open","name":N,"store":UUID,"program":P,"selector":S,"wait_ms":W,
 *	 "schema":TEXT,"rebuild":BOOL}
 *		{"sequence":"0042","recorded":"17...","program":P,"selector":S}, or
 *		{"sequence":"0000"} for a new one
 *	{"do":"accept"}
 *		the program of "open" is the model's from now on
 *	{"do":"apply","count":N,"from":SEQ,"to":SEQ,"recorded":NS,"park":BOOL}, then N lines
 *	"SEQ OUTPUTS"
 *		{"sequence":TO}: in the database, and on disk.  {"poison":N}, then N lines
 *		"SEQ REASON": nothing was done, because these events cannot be applied; without
 *		park only the first one is looked for
 *	{"do":"publish"}
 *		after "rebuild": what was built is in the place of DB
 *	{"do":"query","name":N,"store":UUID,"table":T,"key":[...]}
 *		{"sequence":SEQ,"row":{...}}; no row: without "row"; table and key may be absent
 *
 * {"error":STATUS,"message":TEXT} is an answer to anything, and the end: STATUS is for evlog to
 * exit with.
 *
 * Rows and position change in one transaction, which also checks that the position is where the
 * caller believes it to be.  So a helper that outlives its caller for a moment does no harm.
 */
#ifndef SHOAL_CMD_EVLOG_SQLITE_H
#define SHOAL_CMD_EVLOG_SQLITE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/span.h"

#define TABLE "evlog_projection"

/* End with an answer: {"error":status,"message":...}. */
_Noreturn void die(int status, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* ---- db.c: a database, its locks and its transactions. */

/* Who has written the SQL that is being prepared: what it may do depends on that. */
enum author { AUTHOR_US, AUTHOR_PROGRAM, AUTHOR_SCHEMA };

struct db {
	sqlite3 *handle;
	char *path;
	enum author author;
	bool reading;       /* only */
	const char *denied; /* what the last statement tried and may not do */
	int64_t wait_ms;
	int64_t waiting_since_ns; /* for a lock; 0: not */
	bool told;                /* that it waits */
};

/* Open for changes, making it if need be; or for reading (NULL: there is none). */
struct db *db_open(const char *path, int64_t wait_ms);
struct db *db_open_to_build(const char *path, int64_t page_size);
struct db *db_open_to_read(const char *path);
void db_close(struct db *d);

/* Is an error about this statement and these values, not about the database or the machine? */
bool db_is_poison(int code);
/* End with what SQLite says about the last error. */
_Noreturn void db_fail(struct db *d, const char *what);

sqlite3_stmt *db_prepare(struct db *d, const char *sql); /* of our own */
void db_exec(struct db *d, const char *sql);             /* of our own */
int64_t db_number(struct db *d, const char *sql);        /* the first column of the first row */
bool db_has_tables(struct db *d);                        /* beside ours */

void db_begin(struct db *d);
void db_commit(struct db *d);
void db_rollback(struct db *d);

/* All of `from` in the place of all of `to`, in one transaction. */
void db_copy(struct db *from, struct db *to);

/* ---- rows.c: outputs of a program. */

struct rows;

struct rows *rows_new(struct db *d);
void rows_free(struct rows *r);

/* Apply the outputs of one event; -1: poison, *why says what is wrong. */
int rows_apply(struct rows *r, struct span outputs, struct err *why);

/* ---- model.c: the tables of a projection and its row in TABLE. */

struct model {
	const char *path;
	char *name, *store, *program, *selector;
	char *schema; /* NULL: none */
	int64_t wait_ms;
	/* private: */
	struct db *live, *built; /* NULL: not open */
	struct rows *rows;       /* of the one that is written */
	char *build_path;
	bool made; /* the row is there */
	bool needs_schema;
};

/* Append the members of the answer: sequence, and program and selector unless it is new. */
void model_open(struct model *m, bool rebuild, struct buf *members);
void model_accept(struct model *m);
void model_publish(struct model *m);
/* table and keys may be NULL. */
void model_query(struct model *m, const char *table, const struct json_value *keys,
                 struct buf *members);
void model_done(struct model *m);

/* What an exit without model_done() has to remove; NULL: nothing. */
const char *model_left_over(void);

struct line {
	uint64_t seq;
	struct span outputs;
	char *why; /* not NULL: it cannot be applied; malloc'ed */
};

struct batch {
	struct line *lines;
	size_t count, poisoned;
	uint64_t from, to;
	uint64_t recorded; /* when the event `to` was, ns */
	bool park;         /* look for all that is poison */
};

/* Apply a batch; nothing is done when there is poison in it. */
void model_apply(struct model *m, struct batch *b);

/* ---- query.c */

/* Append a row as a JSON object, nothing when there is none.  table NULL: the only one. */
void query_row(struct db *d, const char *table, const struct json_value *keys, struct buf *out);

#endif
