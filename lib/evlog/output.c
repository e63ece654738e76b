#include "evlog/output.h"

#include <errno.h>
#include <string.h>

#define SHOWN_MAX 60 /* bytes of a name in a message */

static int shown(size_t len)
{
	return len < SHOWN_MAX ? (int)len : SHOWN_MAX;
}

/* ---- Names. */

/* p[0..len) stands between the quotes of a string.  A NUL can only be there as \u0000. */
static int check_name(const char *what, const char *p, size_t len, struct err *e)
{
	if (len == 0)
		return err_set(e, EBADMSG, "the name of %s is empty", what);
	for (const char *at = p; (at = memchr(at, '\\', len - (size_t)(at - p))) != NULL; at += 2)
		if (len - (size_t)(at - p) >= 6 && memcmp(at, "\\u0000", 6) == 0)
			return err_set(e, EBADMSG, "the name of %s holds a NUL", what);
	return 0;
}

/* ---- One object. */

static bool is_key_value(enum json_type t)
{
	return t == JSON_STRING || t == JSON_NUMBER || t == JSON_BOOL;
}

/* Columns that were seen, of all objects of an output. */
struct columns {
	struct json_member v[OUTPUT_COLUMNS_MAX];
	size_t n;
};

static int check_column(struct columns *all, size_t others, const char *where,
                        const struct json_member *m, struct err *e)
{
	enum json_type t = m->value.type;

	if (check_name("a column", m->key, m->key_len, e) < 0)
		return -1;
	if (strcmp(where, "key") == 0 && !is_key_value(t))
		return err_set(e, EBADMSG, "'%.*s' in \"key\" is no string, number or boolean",
		               shown(m->key_len), m->key);
	if (strcmp(where, "add") == 0 && t != JSON_NUMBER)
		return err_set(e, EBADMSG, "'%.*s' in \"add\" is no number", shown(m->key_len),
		               m->key);
	/* Within one object there are no equal keys. */
	for (size_t i = 0; i < others; i++)
		if (json_key_compare(&all->v[i], m) == 0)
			return err_set(e, EBADMSG, "column '%.*s' is there twice",
			               shown(m->key_len), m->key);
	if (all->n == OUTPUT_COLUMNS_MAX)
		return err_set(e, EBADMSG, "more than %u columns", OUTPUT_COLUMNS_MAX);
	all->v[all->n++] = *m;
	return 0;
}

static int check_columns(struct columns *all, const char *where, const struct json_value *v,
                         struct err *e)
{
	size_t others = all->n;
	struct json_each it;
	struct json_member m;

	if (v->type == JSON_NONE)
		return 0;
	if (v->type != JSON_OBJECT)
		return err_set(e, EBADMSG, "\"%s\" is no object", where);
	json_each_begin(&it, v);
	while (json_each_next(&it, &m))
		if (check_column(all, others, where, &m, e) < 0)
			return -1;
	return 0;
}

static int check_row(const struct output *o, struct err *e)
{
	struct columns all;

	all.n = 0;
	if (check_name("the table", o->name.p + 1, o->name.len - 2, e) < 0)
		return -1;
	if (o->args.type != JSON_NONE)
		return err_set(e, EBADMSG, "\"args\" belongs to \"sql\"");
	if (o->kind == OUTPUT_DELETE && (o->set.type != JSON_NONE || o->add.type != JSON_NONE))
		return err_set(e, EBADMSG, "\"set\" and \"add\" belong to \"upsert\"");
	if (o->key.type == JSON_NONE)
		return err_set(e, EBADMSG, "without \"key\"");
	if (check_columns(&all, "key", &o->key, e) < 0)
		return -1;
	if (all.n == 0)
		return err_set(e, EBADMSG, "\"key\" has no column");
	if (all.n > OUTPUT_KEYS_MAX)
		return err_set(e, EBADMSG, "\"key\" has more than %u columns", OUTPUT_KEYS_MAX);
	if (check_columns(&all, "set", &o->set, e) < 0)
		return -1;
	return check_columns(&all, "add", &o->add, e);
}

static int check_sql(const struct output *o, enum output_takes takes, struct err *e)
{
	struct json_each it;
	struct json_member m;
	unsigned n = 0;

	if (takes != OUTPUT_TAKES_SQL)
		return err_set(e, EBADMSG, "\"sql\" is for sqlite: targets only");
	if (o->key.type != JSON_NONE || o->set.type != JSON_NONE || o->add.type != JSON_NONE)
		return err_set(e, EBADMSG, "\"key\", \"set\" and \"add\" do not belong to \"sql\"");
	if (check_name("the statement", o->name.p + 1, o->name.len - 2, e) < 0)
		return -1;
	if (o->args.type == JSON_NONE)
		return 0;
	if (o->args.type != JSON_ARRAY)
		return err_set(e, EBADMSG, "\"args\" is no array");
	json_each_begin(&it, &o->args);
	while (json_each_next(&it, &m))
		n++;
	if (n > OUTPUT_COLUMNS_MAX)
		return err_set(e, EBADMSG, "more than %u arguments", OUTPUT_COLUMNS_MAX);
	return 0;
}

/* ---- Members. */

static bool take_kind(struct output *o, const struct json_member *m)
{
	if (json_key_is(m, "upsert"))
		o->kind = OUTPUT_UPSERT;
	else if (json_key_is(m, "delete"))
		o->kind = OUTPUT_DELETE;
	else if (json_key_is(m, "sql"))
		o->kind = OUTPUT_SQL;
	else
		return false;
	return true;
}

static int take_member(struct output *o, const struct json_member *m, struct err *e)
{
	if (take_kind(o, m)) {
		if (o->name.type != JSON_NONE)
			return err_set(e, EBADMSG, "two of \"upsert\", \"delete\" and \"sql\"");
		if (m->value.type != JSON_STRING)
			return err_set(e, EBADMSG, "\"%.*s\" is no string", shown(m->key_len),
			               m->key);
		o->name = m->value;
	} else if (json_key_is(m, "key")) {
		o->key = m->value;
	} else if (json_key_is(m, "set")) {
		o->set = m->value;
	} else if (json_key_is(m, "add")) {
		o->add = m->value;
	} else if (json_key_is(m, "args")) {
		o->args = m->value;
	} else {
		return err_set(e, EBADMSG, "unknown member \"%.*s\"", shown(m->key_len), m->key);
	}
	return 0;
}

static int parse(struct output *o, const struct json_value *v, struct err *e)
{
	struct json_each it;
	struct json_member m;

	*o = (struct output){.kind = OUTPUT_UPSERT};
	if (v->type != JSON_OBJECT)
		return err_set(e, EBADMSG, "no object: %.*s", shown(v->len), v->p);
	json_each_begin(&it, v);
	while (json_each_next(&it, &m))
		if (take_member(o, &m, e) < 0)
			return -1;
	if (o->name.type == JSON_NONE)
		return err_set(e, EBADMSG, "none of \"upsert\", \"delete\" and \"sql\": %.*s",
		               shown(v->len), v->p);
	return 0;
}

static int check(const struct json_value *v, enum output_takes takes, struct err *e)
{
	struct output o;

	if (parse(&o, v, e) < 0)
		return -1;
	return o.kind == OUTPUT_SQL ? check_sql(&o, takes, e) : check_row(&o, e);
}

int outputs_begin(struct outputs *o, enum output_takes takes, const char *line, size_t len,
                  struct err *e)
{
	struct json_doc d;
	struct json_member m;
	unsigned n = 0;

	if (json_scan(line, len, &d, e) < 0)
		return -1;
	if (d.value.type != JSON_ARRAY)
		return err_set(e, EBADMSG, "no array of outputs: %.*s", shown(len), line);
	json_each_begin(&o->at, &d.value);
	while (json_each_next(&o->at, &m)) {
		n++;
		if (check(&m.value, takes, e) < 0)
			return err_wrap(e, "output %u", n);
	}
	json_each_begin(&o->at, &d.value);
	return 0;
}

bool outputs_next(struct outputs *o, struct output *ret)
{
	struct json_member m;
	struct err e;

	return json_each_next(&o->at, &m) && parse(ret, &m.value, &e) == 0;
}
