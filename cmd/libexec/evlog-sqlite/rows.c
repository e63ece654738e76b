/* rows: outputs become statements, which are prepared once for each shape of output. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "evlog/output.h"
#include "evlog/sql.h"
#include "helper.h"
#include "tool/tool.h"

#define SHAPES 256u /* kept at a time; a power of two */
#define PROBES 8u

/* The statements for one shape of outputs. */
struct shape {
	struct buf name; /* of sql_put_shape(); empty: free */
	sqlite3_stmt *first;
	sqlite3_stmt *insert; /* of an upsert whose `first` is an update; else NULL */
};

struct rows {
	struct db *d;
	struct buf name, sql, plain;
	struct shape shapes[SHAPES];
};

struct rows *rows_new(struct db *d)
{
	struct rows *r = tool_alloc(1, sizeof(*r));

	r->d = d;
	return r;
}

static void forget(struct shape *s)
{
	sqlite3_finalize(s->first);
	sqlite3_finalize(s->insert);
	s->first = s->insert = NULL;
	buf_done(&s->name);
}

void rows_free(struct rows *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < SHAPES; i++)
		forget(&r->shapes[i]);
	buf_done(&r->name);
	buf_done(&r->sql);
	buf_done(&r->plain);
	free(r);
}

/* Without any table it is not this output that is wrong. */
static void check_tables(struct db *d)
{
	d->author = AUTHOR_US;
	if (!db_has_tables(d))
		die(TOOL_CONFIG, "'%s' has no tables; --schema FILE makes those of a new database",
		    d->path);
	d->author = AUTHOR_PROGRAM;
}

/* The database's or the machine's errors end the program; what is left is about this output. */
static int fail(struct rows *r, struct err *why)
{
	struct db *d = r->d;

	if (!db_is_poison(sqlite3_extended_errcode(d->handle)))
		db_fail(d, "write");
	err_set(why, EBADMSG, "%s", d->denied != NULL ? d->denied : sqlite3_errmsg(d->handle));
	d->denied = NULL;
	if (strncmp(why->msg, "no such table", 13) == 0)
		check_tables(d);
	return -1;
}

/* ---- Statements. */

static bool is_blank(const char *p, const char *end)
{
	while (p < end && strchr(" \t\r\n;", *p) != NULL)
		p++;
	return p == end;
}

/* Of r->sql. */
static int prepare(struct rows *r, sqlite3_stmt **ret, struct err *why)
{
	const char *tail;

	if (buf_ok(&r->sql, why) < 0)
		die(TOOL_OSERR, "%s", why->msg);
	if (sqlite3_prepare_v3(r->d->handle, r->sql.data, (int)r->sql.len,
	                       SQLITE_PREPARE_PERSISTENT, ret, &tail) != SQLITE_OK)
		return fail(r, why);
	if (*ret == NULL)
		return err_set(why, EBADMSG, "no SQL statement");
	if (is_blank(tail, r->sql.data + r->sql.len))
		return 0;
	sqlite3_finalize(*ret);
	*ret = NULL;
	return err_set(why, EBADMSG, "more than one SQL statement");
}

static int prepare_with(struct rows *r, void (*put)(struct buf *, const struct output *),
                        const struct output *o, sqlite3_stmt **ret, struct err *why)
{
	buf_clear(&r->sql);
	put(&r->sql, o);
	return prepare(r, ret, why);
}

/* The text of an output's SQL. */
static void put_text(struct buf *out, const struct output *o)
{
	struct err e;

	if (json_unescape(out, o->name.p + 1, o->name.len - 2, &e) < 0)
		out->failed = true;
}

static int prepare_shape(struct rows *r, struct shape *s, const struct output *o, struct err *why)
{
	switch (o->kind) {
	case OUTPUT_SQL:
		return prepare_with(r, put_text, o, &s->first, why);
	case OUTPUT_DELETE:
		return prepare_with(r, sql_put_delete, o, &s->first, why);
	default:
		if (!sql_has_update(o))
			return prepare_with(r, sql_put_insert, o, &s->first, why);
		if (prepare_with(r, sql_put_insert, o, &s->insert, why) < 0)
			return -1;
		return prepare_with(r, sql_put_update, o, &s->first, why);
	}
}

static bool is_of(const struct shape *s, const struct buf *name)
{
	return s->name.len == name->len && memcmp(s->name.data, name->data, name->len) == 0;
}

/* Where a shape is, or is to be. */
static struct shape *find(struct rows *r)
{
	static const unsigned char key[HASH_SIP_KEY_LEN];
	size_t at = (size_t)hash_sip(key, r->name.data, r->name.len);
	struct shape *vacant = NULL;

	for (size_t i = 0; i < PROBES; i++) {
		struct shape *s = &r->shapes[(at + i) % SHAPES];

		if (s->name.len > 0 && is_of(s, &r->name))
			return s;
		if (s->name.len == 0 && vacant == NULL)
			vacant = s;
	}
	if (vacant != NULL)
		return vacant;
	forget(&r->shapes[at % SHAPES]);
	return &r->shapes[at % SHAPES];
}

static struct shape *shape_of(struct rows *r, const struct output *o, struct err *why)
{
	struct shape *s;

	buf_clear(&r->name);
	sql_put_shape(&r->name, o);
	if (buf_ok(&r->name, why) < 0)
		die(TOOL_OSERR, "%s", why->msg);
	s = find(r);
	if (s->name.len > 0)
		return s;
	if (prepare_shape(r, s, o, why) < 0) {
		forget(s);
		return NULL;
	}
	buf_add(&s->name, r->name.data, r->name.len);
	if (buf_ok(&s->name, why) < 0)
		die(TOOL_OSERR, "%s", why->msg);
	return s;
}

/* ---- Values. */

/* What follows the number in the line ends it. */
static int bind_number(sqlite3_stmt *s, int at, const struct json_value *v)
{
	int64_t n;

	if (json_get_i64(v, &n))
		return sqlite3_bind_int64(s, at, n);
	return sqlite3_bind_double(s, at, strtod(v->p, NULL));
}

static int bind_string(struct rows *r, sqlite3_stmt *s, int at, const struct json_value *v)
{
	struct err e;

	if (!v->escaped)
		return sqlite3_bind_text64(s, at, v->p + 1, v->len - 2, SQLITE_STATIC, SQLITE_UTF8);
	buf_clear(&r->plain);
	if (json_unescape(&r->plain, v->p + 1, v->len - 2, &e) < 0)
		die(TOOL_OSERR, "%s", e.msg);
	return sqlite3_bind_text64(s, at, r->plain.len > 0 ? r->plain.data : "", r->plain.len,
	                           SQLITE_TRANSIENT, SQLITE_UTF8);
}

static int bind_nested(struct rows *r, sqlite3_stmt *s, int at, const struct json_value *v)
{
	buf_clear(&r->plain);
	if (json_compact(&r->plain, v) < 0)
		die(TOOL_OSERR, "out of memory");
	return sqlite3_bind_text64(s, at, r->plain.data, r->plain.len, SQLITE_TRANSIENT,
	                           SQLITE_UTF8);
}

static int bind_value(struct rows *r, sqlite3_stmt *s, int at, const struct json_value *v)
{
	switch (v->type) {
	case JSON_BOOL:
		return sqlite3_bind_int(s, at, *v->p == 't');
	case JSON_NUMBER:
		return bind_number(s, at, v);
	case JSON_STRING:
		return bind_string(r, s, at, v);
	case JSON_ARRAY:
	case JSON_OBJECT:
		return bind_nested(r, s, at, v);
	default:
		return sqlite3_bind_null(s, at);
	}
}

/* The values of an object or array from parameter *at on. */
static int bind_all(struct rows *r, sqlite3_stmt *s, int *at, const struct json_value *v,
                    struct err *why)
{
	struct json_each it;
	struct json_member m;

	if (v->type == JSON_NONE)
		return 0;
	json_each_begin(&it, v);
	for (; json_each_next(&it, &m); ++*at)
		if (bind_value(r, s, *at, &m.value) != SQLITE_OK)
			return fail(r, why);
	return 0;
}

/* ---- Running. */

static int run(struct rows *r, sqlite3_stmt *s, struct err *why)
{
	int code;
	int failed = 0;

	do
		code = sqlite3_step(s);
	while (code == SQLITE_ROW);
	if (code != SQLITE_DONE)
		failed = fail(r, why);
	sqlite3_reset(s);
	/* ON CONFLICT ROLLBACK and its like undo the events before this one, too. */
	if (failed == 0 && sqlite3_get_autocommit(r->d->handle))
		return err_set(why, EBADMSG, "the statement has ended the transaction");
	return failed;
}

static int run_row(struct rows *r, sqlite3_stmt *s, const struct output *o, struct err *why)
{
	int at = 1;

	if (bind_all(r, s, &at, &o->key, why) < 0 || bind_all(r, s, &at, &o->set, why) < 0 ||
	    bind_all(r, s, &at, &o->add, why) < 0)
		return -1;
	return run(r, s, why);
}

static int run_sql(struct rows *r, sqlite3_stmt *s, const struct output *o, struct err *why)
{
	int want = sqlite3_bind_parameter_count(s);
	size_t have = json_each_count(&o->args);
	int at = 1;

	if (have != (size_t)want)
		return err_set(why, EBADMSG, "the statement has %d parameters, \"args\" %zu", want,
		               have);
	return bind_all(r, s, &at, &o->args, why) < 0 ? -1 : run(r, s, why);
}

static int apply(struct rows *r, const struct output *o, struct err *why)
{
	struct shape *s = shape_of(r, o, why);

	if (s == NULL)
		return -1;
	if (o->kind == OUTPUT_SQL)
		return run_sql(r, s->first, o, why);
	if (run_row(r, s->first, o, why) < 0)
		return -1;
	if (s->insert == NULL || sqlite3_changes(r->d->handle) > 0)
		return 0;
	if (run_row(r, s->insert, o, why) < 0)
		return -1;
	if (sqlite3_changes(r->d->handle) == 0)
		return err_set(why, EBADMSG, "the row is there and is not found by its key");
	return 0;
}

int rows_apply(struct rows *r, struct span outputs, struct err *why)
{
	struct outputs all;
	struct output o;
	unsigned n = 0;
	int result = 0;

	if (outputs_begin(&all, OUTPUT_TAKES_SQL, outputs.p, outputs.len, why) < 0)
		return -1;
	r->d->author = AUTHOR_PROGRAM;
	while (result == 0 && outputs_next(&all, &o)) {
		n++;
		result = apply(r, &o, why);
	}
	r->d->author = AUTHOR_US;
	return result < 0 ? err_wrap(why, "output %u", n) : 0;
}
