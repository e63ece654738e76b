/* query: one row as JSON. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/json_each.h"
#include "base/json_out.h"
#include "evlog/sql.h"
#include "helper.h"
#include "tool/tool.h"

#define KEYS_MAX 16

static void finish(struct db *d, sqlite3_stmt *s, int code, const char *what)
{
	if (code != SQLITE_DONE && code != SQLITE_ROW)
		db_fail(d, what);
	sqlite3_finalize(s);
}

/* The only table of the database, into *name. */
static void find_table(struct db *d, struct buf *name)
{
	sqlite3_stmt *s = db_prepare(d, "SELECT name FROM sqlite_master WHERE type='table' "
	                                "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' "
	                                "AND name<>'" TABLE "' ORDER BY name");
	struct buf all = {0};
	unsigned n = 0;
	int code;

	for (; (code = sqlite3_step(s)) == SQLITE_ROW; n++) {
		buf_clear(name);
		buf_printf(name, "%s", (const char *)sqlite3_column_text(s, 0));
		buf_printf(&all, "%s%.*s", n > 0 ? ", " : "", (int)name->len, name->data);
	}
	finish(d, s, code, "list the tables");
	buf_add_char(&all, '\0');
	if (n == 0)
		die(TOOL_CONFIG, "'%s' has no tables yet", d->path);
	if (n > 1)
		die(TOOL_USAGE, "which table? TABLE/KEY, and the tables are %s", all.data);
	buf_done(&all);
}

/* SELECT * FROM t WHERE k1=?1 AND ..., for the primary key in the order of its names. */
static int put_select(struct db *d, struct span table, struct buf *sql)
{
	sqlite3_stmt *s = db_prepare(d, "SELECT name FROM pragma_table_info(?1) WHERE pk>0 "
	                                "ORDER BY name");
	int n = 0;
	int code;

	sqlite3_bind_text64(s, 1, table.p, table.len, SQLITE_STATIC, SQLITE_UTF8);
	buf_add_str(sql, "SELECT * FROM ");
	sql_put_name(sql, table.p, table.len);
	while ((code = sqlite3_step(s)) == SQLITE_ROW) {
		buf_add_str(sql, n == 0 ? " WHERE " : " AND ");
		sql_put_name(sql, table.p, table.len);
		buf_add_char(sql, '.');
		sql_put_name(sql, (const char *)sqlite3_column_text(s, 0),
		             (size_t)sqlite3_column_bytes(s, 0));
		buf_printf(sql, "=?%d", ++n);
	}
	finish(d, s, code, "look at the table");
	buf_add_char(sql, '\0');
	return n;
}

/* As few digits as give the same number again, and a point to tell it from an integer. */
static void put_real(struct buf *out, double d)
{
	char text[40];

	if (!isfinite(d)) {
		buf_add_str(out, "null");
		return;
	}
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, d);
		if (strtod(text, NULL) == d)
			break;
	}
	buf_add_str(out, text);
	if (strpbrk(text, ".e") == NULL)
		buf_add_str(out, ".0");
}

static void put_value(struct buf *out, sqlite3_stmt *s, int i)
{
	const char *text;
	size_t bytes;

	switch (sqlite3_column_type(s, i)) {
	case SQLITE_NULL:
		buf_add_str(out, "null");
		break;
	case SQLITE_INTEGER:
		buf_add_str(out, (const char *)sqlite3_column_text(s, i));
		break;
	case SQLITE_FLOAT:
		put_real(out, sqlite3_column_double(s, i));
		break;
	case SQLITE_BLOB:
		bytes = (size_t)sqlite3_column_bytes(s, i);
		buf_add_char(out, '"');
		base64_encode(out, sqlite3_column_blob(s, i), bytes);
		buf_add_char(out, '"');
		break;
	default:
		text = (const char *)sqlite3_column_text(s, i);
		json_out_string(out, text, (size_t)sqlite3_column_bytes(s, i));
	}
}

static void put_row(struct buf *out, sqlite3_stmt *s)
{
	int columns = sqlite3_column_count(s);

	buf_add_char(out, '{');
	for (int i = 0; i < columns; i++) {
		const char *name = sqlite3_column_name(s, i);

		if (i > 0)
			buf_add_char(out, ',');
		json_out_string(out, name, strlen(name));
		buf_add_char(out, ':');
		put_value(out, s, i);
	}
	buf_add_char(out, '}');
}

/* Keys are text; a column without a type may hold the number that they look like. */
static void bind_keys(struct db *d, sqlite3_stmt *s, const struct json_value *keys, bool as_numbers)
{
	struct json_each it;
	struct json_member m;
	struct buf plain = {0};
	struct err e;
	int at = 1;

	json_each_begin(&it, keys);
	for (; json_each_next(&it, &m); at++) {
		buf_clear(&plain);
		if (json_unescape(&plain, m.value.p + 1, m.value.len - 2, &e) < 0)
			die(TOOL_OSERR, "%s", e.msg);
		buf_add_char(&plain, '\0');
		if (as_numbers && strspn(plain.data, "-0123456789") == plain.len - 1)
			sqlite3_bind_int64(s, at, strtoll(plain.data, NULL, 10));
		else if (sqlite3_bind_text64(s, at, plain.data, plain.len - 1, SQLITE_TRANSIENT,
		                             SQLITE_UTF8) != SQLITE_OK)
			db_fail(d, "look for a row");
	}
	buf_done(&plain);
}

static int count_keys(const struct json_value *keys)
{
	struct json_each it;
	struct json_member m;
	int n = 0;

	json_each_begin(&it, keys);
	while (json_each_next(&it, &m))
		n++;
	return n;
}

void query_row(struct db *d, const char *table, const struct json_value *keys, struct buf *out)
{
	struct buf name = {0};
	struct buf sql = {0};
	sqlite3_stmt *s;
	int code;
	int n;

	if (table != NULL)
		buf_add_str(&name, table);
	else
		find_table(d, &name);
	n = put_select(d, (struct span){name.data, name.len}, &sql);
	if (n == 0)
		die(TOOL_CONFIG, "there is no table '%.*s' with a primary key", (int)name.len,
		    name.data);
	if (n != count_keys(keys))
		die(TOOL_USAGE, "the key of table '%.*s' has %d columns", (int)name.len, name.data,
		    n);
	s = db_prepare(d, sql.data);
	bind_keys(d, s, keys, false);
	code = sqlite3_step(s);
	if (code == SQLITE_DONE) {
		sqlite3_reset(s);
		bind_keys(d, s, keys, true);
		code = sqlite3_step(s);
	}
	if (code == SQLITE_ROW)
		put_row(out, s);
	finish(d, s, code, "look for a row");
	buf_done(&sql);
	buf_done(&name);
}
