/*
 * output: what a jq program says about an event.  What is accepted can be walked over, keeps its
 * promises, and becomes SQL in which every name stays inside its quotes.
 */
#include <errno.h>
#include <string.h>

#include "evlog/output.h"
#include "evlog/sql.h"
#include "fuzz.h"

/*
 * Outside of quotes there is nothing but our own words.  The number of names; one that holds a
 * doubled quote counts as two.
 */
static size_t count_names(const struct buf *sql)
{
	static const char ours[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ abcdefghijklmnopqrstuvwxyz0123456789?=(),.+";
	bool inside = false;
	size_t quotes = 0;

	for (size_t i = 0; i < sql->len; i++) {
		CHECK(sql->data[i] != '\0');
		if (sql->data[i] == '"') {
			inside = !inside;
			quotes++;
			continue;
		}
		CHECK(inside || strchr(ours, sql->data[i]) != NULL);
	}
	CHECK(!inside && quotes % 2 == 0);
	return quotes / 2;
}

static void check_statement(void (*put)(struct buf *, const struct output *),
                            const struct output *o, size_t names)
{
	struct buf sql = {0};
	struct err e;

	put(&sql, o);
	CHECK(buf_ok(&sql, &e) == 0);
	CHECK(count_names(&sql) >= names);
	buf_done(&sql);
}

static void check_row(const struct output *o)
{
	size_t keys = json_each_count(&o->key);
	size_t set = json_each_count(&o->set);
	size_t add = json_each_count(&o->add);

	CHECK(o->args.type == JSON_NONE);
	CHECK(keys >= 1 && keys <= OUTPUT_KEYS_MAX);
	CHECK(keys + set + add <= OUTPUT_COLUMNS_MAX);
	if (o->kind == OUTPUT_DELETE) {
		CHECK(set + add == 0);
		check_statement(sql_put_delete, o, 1 + 2 * keys);
		return;
	}
	CHECK(sql_has_update(o) == (set + add > 0));
	if (sql_has_update(o))
		check_statement(sql_put_update, o, 1 + 2 * keys + set + 3 * add);
	check_statement(sql_put_insert, o, 1 + 2 * keys + set + add);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outputs all;
	struct output o;
	struct err e = {.code = 0};
	struct buf shape = {0};

	for (int takes = OUTPUT_TAKES_ROWS; takes <= OUTPUT_TAKES_SQL; takes++) {
		if (outputs_begin(&all, (enum output_takes)takes, (const char *)data, size, &e) <
		    0) {
			CHECK(e.code == EBADMSG && e.msg[0] != '\0');
			continue;
		}
		while (outputs_next(&all, &o)) {
			CHECK(o.name.type == JSON_STRING && o.name.len > 2);
			sql_put_shape(&shape, &o);
			if (o.kind == OUTPUT_SQL)
				CHECK(takes == OUTPUT_TAKES_SQL && o.key.type == JSON_NONE);
			else
				check_row(&o);
		}
	}
	buf_done(&shape);
	return 0;
}
