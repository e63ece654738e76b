/* model: the tables of a projection, and its row in TABLE, which says how far it has come. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json_out.h"
#include "helper.h"
#include "tool/tool.h"

static const char *left_over;

const char *model_left_over(void)
{
	return left_over;
}

static struct db *target(const struct model *m)
{
	return m->built != NULL ? m->built : m->live;
}

/* ---- The row. */

static bool has_table(struct db *d)
{
	return db_number(d, "SELECT count(*) FROM sqlite_master WHERE type='table' AND name='" TABLE
	                    "'") > 0;
}

static int step(struct db *d, sqlite3_stmt *s)
{
	int code = sqlite3_step(s);

	if (code != SQLITE_ROW && code != SQLITE_DONE)
		db_fail(d, "position");
	return code;
}

static void bind(struct db *d, sqlite3_stmt *s, int at, const char *text)
{
	if (sqlite3_bind_text(s, at, text, -1, SQLITE_STATIC) != SQLITE_OK)
		db_fail(d, "position");
}

/* A statement about the row of our name, which is ?1. */
static sqlite3_stmt *about_us(struct db *d, const struct model *m, const char *sql)
{
	sqlite3_stmt *s = db_prepare(d, sql);

	bind(d, s, 1, m->name);
	return s;
}

/* A model belongs to one store: another one's sequences mean other events. */
static void check_store(struct db *d, const struct model *m)
{
	sqlite3_stmt *s = db_prepare(d, "SELECT name FROM " TABLE " WHERE store<>?1");

	bind(d, s, 1, m->store);
	if (step(d, s) == SQLITE_ROW)
		die(TOOL_CONFIG, "'%s' holds the projection '%s' of another store", d->path,
		    (const char *)sqlite3_column_text(s, 0));
	sqlite3_finalize(s);
}

static void put_text(struct buf *out, const char *key, sqlite3_stmt *s, int column)
{
	json_out_key(out, key);
	json_out_string(out, (const char *)sqlite3_column_text(s, column),
	                (size_t)sqlite3_column_bytes(s, column));
}

/* Append what is known of our row.  False: there is none. */
static bool put_position(struct db *d, const struct model *m, struct buf *members)
{
	sqlite3_stmt *s;
	bool found;

	json_out_key(members, "sequence");
	if (!has_table(d)) {
		json_out_seq(members, 0);
		return false;
	}
	check_store(d, m);
	s = about_us(d, m,
	             "SELECT sequence,program,selector,recorded FROM " TABLE " WHERE name=?1");
	found = step(d, s) == SQLITE_ROW;
	json_out_seq(members, found ? (uint64_t)sqlite3_column_int64(s, 0) : 0);
	if (found) {
		json_out_key(members, "recorded");
		json_out_u64_string(members, (uint64_t)sqlite3_column_int64(s, 3));
		put_text(members, "program", s, 1);
		put_text(members, "selector", s, 2);
	}
	sqlite3_finalize(s);
	return found;
}

/* ---- Opening. */

/*
 * What was being made as DB.rebuild-PID, by whom it may: the caller holds the projection, so it is
 * not being made any more.
 */
static void remove_left_overs(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash != NULL ? slash + 1 : path;
	struct buf dir = {0};
	struct buf prefix = {0};
	struct dirent *entry;
	DIR *list;

	buf_add(&dir, path, (size_t)(base - path));
	buf_add(&dir, ".", 2);
	buf_printf(&prefix, "%s.rebuild-", base);
	list = opendir(dir.data);
	while (list != NULL && (entry = readdir(list)) != NULL)
		if (strlen(entry->d_name) > prefix.len &&
		    memcmp(entry->d_name, prefix.data, prefix.len) == 0 &&
		    strspn(entry->d_name + prefix.len, "0123456789") ==
		        strlen(entry->d_name + prefix.len))
			unlinkat(dirfd(list), entry->d_name, 0);
	if (list != NULL)
		closedir(list);
	buf_done(&prefix);
	buf_done(&dir);
}

static void open_to_build(struct model *m)
{
	struct buf name = {0};

	if (has_table(m->live)) {
		sqlite3_stmt *s = about_us(m->live, m, "SELECT name FROM " TABLE " WHERE name<>?1");

		if (step(m->live, s) == SQLITE_ROW)
			die(TOOL_CONFIG,
			    "'%s' also holds the projection '%s': --rebuild is not possible",
			    m->path, (const char *)sqlite3_column_text(s, 0));
		sqlite3_finalize(s);
	}
	remove_left_overs(m->path);
	buf_printf(&name, "%s.rebuild-%d", m->path, (int)getpid());
	buf_add_char(&name, '\0');
	m->build_path = name.data;
	left_over = m->build_path;
	m->built = db_open_to_build(m->build_path, db_number(m->live, "PRAGMA page_size"));
}

void model_open(struct model *m, bool rebuild, struct buf *members)
{
	m->live = db_open(m->path, m->wait_ms);
	m->made = put_position(m->live, m, members);
	if (rebuild) {
		open_to_build(m);
		m->made = false;
	}
	/* A position without tables is what a run without --schema leaves that had no events. */
	m->needs_schema = m->schema != NULL && (!m->made || !db_has_tables(target(m)));
	m->rows = rows_new(target(m));
}

void model_done(struct model *m)
{
	rows_free(m->rows);
	db_close(m->built);
	if (m->built != NULL)
		unlink(m->build_path);
	left_over = NULL;
	db_close(m->live);
	free(m->build_path);
	free(m->name);
	free(m->store);
	free(m->program);
	free(m->selector);
	free(m->schema);
}

/* ---- Changes. */

static void run_schema(struct model *m)
{
	struct db *d = target(m);
	const char *why;

	d->author = AUTHOR_SCHEMA;
	if (sqlite3_exec(d->handle, m->schema, NULL, NULL, NULL) != SQLITE_OK) {
		if (!db_is_poison(sqlite3_extended_errcode(d->handle)))
			db_fail(d, "schema");
		why = d->denied != NULL ? d->denied : sqlite3_errmsg(d->handle);
		die(TOOL_DATA, "--schema: %s", why);
	}
	d->author = AUTHOR_US;
}

/* In the transaction of the first batch, so that all of it is there or nothing. */
static void make(struct model *m)
{
	struct db *d = target(m);
	sqlite3_stmt *s;

	db_exec(d, "CREATE TABLE IF NOT EXISTS " TABLE "(name TEXT PRIMARY KEY, "
	           "sequence INTEGER NOT NULL, recorded INTEGER NOT NULL, program TEXT NOT NULL, "
	           "selector TEXT NOT NULL, store TEXT NOT NULL)");
	s = about_us(d, m, "INSERT OR IGNORE INTO " TABLE " VALUES(?1,0,0,?2,?3,?4)");
	bind(d, s, 2, m->program);
	bind(d, s, 3, m->selector);
	bind(d, s, 4, m->store);
	step(d, s);
	sqlite3_finalize(s);
	if (m->needs_schema)
		run_schema(m);
}

void model_accept(struct model *m)
{
	struct db *d = target(m);
	sqlite3_stmt *s = about_us(d, m, "UPDATE " TABLE " SET program=?2 WHERE name=?1");

	bind(d, s, 2, m->program);
	step(d, s);
	sqlite3_finalize(s);
}

/* The position moves from where the caller believes it to be, or not at all. */
static void move(struct model *m, const struct batch *b)
{
	struct db *d = target(m);
	sqlite3_stmt *s = about_us(d, m,
	                           "UPDATE " TABLE " SET sequence=?2,recorded=?4 "
	                           "WHERE name=?1 AND sequence=?3");

	sqlite3_bind_int64(s, 2, (int64_t)b->to);
	sqlite3_bind_int64(s, 3, (int64_t)b->from);
	sqlite3_bind_int64(s, 4, (int64_t)b->recorded);
	step(d, s);
	sqlite3_finalize(s);
	if (sqlite3_changes(d->handle) != 1)
		die(TOOL_TEMPFAIL, "another process has moved the projection '%s' on; try again",
		    m->name);
}

/* One attempt; false: one more event turned out to be poison, and all was rolled back. */
static bool try_batch(struct model *m, struct batch *b)
{
	struct db *d = target(m);
	struct err why;

	db_begin(d);
	if (!m->made || m->needs_schema)
		make(m);
	for (size_t i = 0; i < b->count; i++) {
		struct line *l = &b->lines[i];

		if (l->why != NULL || rows_apply(m->rows, l->outputs, &why) == 0)
			continue;
		l->why = strdup(why.msg);
		if (l->why == NULL)
			die(TOOL_OSERR, "out of memory");
		b->poisoned++;
		db_rollback(d);
		return false;
	}
	move(m, b);
	if (b->poisoned > 0)
		db_rollback(d);
	else
		db_commit(d);
	return true;
}

void model_apply(struct model *m, struct batch *b)
{
	while (!try_batch(m, b) && b->park)
		;
	if (b->poisoned > 0)
		return;
	m->made = true;
	m->needs_schema = false;
}

void model_publish(struct model *m)
{
	struct buf ignored = {0};

	if (!m->made) {
		db_begin(m->built);
		make(m);
		db_commit(m->built);
	}
	rows_free(m->rows);
	db_copy(m->built, m->live);
	db_close(m->built);
	unlink(m->build_path);
	left_over = NULL;
	m->built = NULL;
	/* What this connection knew of the old one, like its encoding, is not true any more. */
	db_close(m->live);
	m->live = db_open(m->path, m->wait_ms);
	m->made = put_position(m->live, m, &ignored);
	m->needs_schema = false;
	m->rows = rows_new(m->live);
	buf_done(&ignored);
}

void model_query(struct model *m, const char *table, const struct json_value *keys,
                 struct buf *members)
{
	struct buf row = {0};

	if (m->live == NULL)
		m->live = db_open_to_read(m->path);
	db_exec(m->live, "BEGIN"); /* position and row of one moment */
	put_position(m->live, m, members);
	if (keys != NULL)
		query_row(m->live, table, keys, &row);
	if (row.len > 0) {
		json_out_key(members, "row");
		buf_add(members, row.data, row.len);
	}
	db_exec(m->live, "COMMIT");
	buf_done(&row);
}
