#include "evlog/sql.h"

#include <assert.h>
#include <string.h>

void sql_put_name(struct buf *out, const char *p, size_t len)
{
	const char *end = p + len;

	buf_add_char(out, '"');
	while (p < end) {
		const char *quote = memchr(p, '"', (size_t)(end - p));
		const char *to = quote != NULL ? quote + 1 : end;

		buf_add(out, p, (size_t)(to - p));
		if (quote != NULL)
			buf_add_char(out, '"');
		p = to;
	}
	buf_add_char(out, '"');
}

/* p[0..len) is the inside of a JSON string. */
static void put_raw_name(struct buf *out, const char *p, size_t len, bool escaped)
{
	struct buf plain = {0};
	struct err ignored;

	if (!escaped) {
		sql_put_name(out, p, len);
		return;
	}
	/* It was scanned: what can fail is memory. */
	if (json_unescape(&plain, p, len, &ignored) < 0)
		out->failed = true;
	else
		sql_put_name(out, plain.data, plain.len);
	buf_done(&plain);
}

static void put_table(struct buf *out, const struct output *o)
{
	put_raw_name(out, o->name.p + 1, o->name.len - 2, o->name.escaped);
}

/* ---- The columns of an output, with the numbers of their parameters. */

enum part { PART_KEY, PART_SET, PART_ADD, PARTS };

struct walk {
	const struct json_value *parts[PARTS];
	enum part part; /* of the column */
	struct json_each it;
	bool begun;
	unsigned number; /* from 1 */
	struct json_member column;
};

static void walk_begin(struct walk *w, const struct output *o)
{
	*w = (struct walk){.parts = {&o->key, &o->set, &o->add}};
}

static bool walk_next(struct walk *w)
{
	for (; w->part < PARTS; w->part++, w->begun = false) {
		if (w->parts[w->part]->type == JSON_NONE)
			continue;
		if (!w->begun)
			json_each_begin(&w->it, w->parts[w->part]);
		w->begun = true;
		if (json_each_next(&w->it, &w->column)) {
			w->number++;
			return true;
		}
	}
	return false;
}

static void put_column(struct buf *out, const struct walk *w)
{
	put_raw_name(out, w->column.key, w->column.key_len, w->column.key_escaped);
}

/* ---- Statements. */

static void put_shape(struct buf *out, const struct json_value *v)
{
	struct json_each it;
	struct json_member m;

	buf_add_char(out, '\0');
	if (v->type == JSON_NONE)
		return;
	json_each_begin(&it, v);
	while (json_each_next(&it, &m)) {
		buf_add_char(out, '"'); /* which no key holds without a backslash */
		buf_add(out, m.key, m.key_len);
	}
}

void sql_put_shape(struct buf *out, const struct output *o)
{
	buf_add_char(out, (char)('0' + (int)o->kind));
	buf_add(out, o->name.p, o->name.len);
	if (o->kind == OUTPUT_SQL)
		return;
	put_shape(out, &o->key);
	put_shape(out, &o->set);
	put_shape(out, &o->add);
}

static bool has_member(const struct json_value *v)
{
	struct json_each it;
	struct json_member m;

	if (v->type == JSON_NONE)
		return false;
	json_each_begin(&it, v);
	return json_each_next(&it, &m);
}

bool sql_has_update(const struct output *o)
{
	return has_member(&o->set) || has_member(&o->add);
}

/*
 * WHERE "t"."k"=?1 ...: with its table, a name of no column is an error.  Alone, SQLite could take
 * it for a string.
 */
static void put_where(struct buf *out, const struct output *o)
{
	struct walk w;

	buf_add_str(out, " WHERE ");
	walk_begin(&w, o);
	while (walk_next(&w) && w.part == PART_KEY) {
		if (w.number > 1)
			buf_add_str(out, " AND ");
		put_table(out, o);
		buf_add_char(out, '.');
		put_column(out, &w);
		buf_printf(out, "=?%u", w.number);
	}
}

void sql_put_update(struct buf *out, const struct output *o)
{
	struct walk w;
	bool first = true;

	assert(o->kind == OUTPUT_UPSERT && sql_has_update(o));
	buf_add_str(out, "UPDATE ");
	put_table(out, o);
	walk_begin(&w, o);
	while (walk_next(&w)) {
		if (w.part == PART_KEY)
			continue;
		buf_add_str(out, first ? " SET " : ",");
		first = false;
		put_column(out, &w);
		if (w.part == PART_ADD) {
			buf_add_str(out, "=coalesce(");
			put_table(out, o);
			buf_add_char(out, '.');
			put_column(out, &w);
			buf_printf(out, ",0)+?%u", w.number);
		} else {
			buf_printf(out, "=?%u", w.number);
		}
	}
	put_where(out, o);
}

void sql_put_insert(struct buf *out, const struct output *o)
{
	struct walk w;
	unsigned count = 0;

	assert(o->kind == OUTPUT_UPSERT);
	buf_add_str(out, "INSERT INTO ");
	put_table(out, o);
	walk_begin(&w, o);
	while (walk_next(&w)) {
		buf_add_char(out, w.number == 1 ? '(' : ',');
		put_column(out, &w);
		count = w.number;
	}
	for (unsigned i = 1; i <= count; i++)
		buf_printf(out, i == 1 ? ") VALUES(?%u" : ",?%u", i);
	buf_add_str(out, ") ON CONFLICT(");
	walk_begin(&w, o);
	while (walk_next(&w) && w.part == PART_KEY) {
		if (w.number > 1)
			buf_add_char(out, ',');
		put_column(out, &w);
	}
	buf_add_str(out, ") DO NOTHING");
}

void sql_put_delete(struct buf *out, const struct output *o)
{
	assert(o->kind == OUTPUT_DELETE);
	buf_add_str(out, "DELETE FROM ");
	put_table(out, o);
	put_where(out, o);
}
