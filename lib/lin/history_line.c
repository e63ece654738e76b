#include "lin/history_line.h"

#include <errno.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/json_each.h"

#define TIME_MAX ((uint64_t)INT64_MAX)

/* One line's members. */
struct line {
	const struct json_value *op, *in, *out, *version, *session;
	struct lin_op *to;
};

void *history_grow(void *p, size_t *cap, size_t need, size_t size)
{
	size_t n = need + need / 2 + 64;

	if (need <= *cap)
		return p;
	p = realloc(p, n * size);
	if (p != NULL)
		*cap = n;
	return p;
}

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, "out of memory");
}

static bool is_null(const struct json_value *v)
{
	return v == NULL || v->type == JSON_NULL;
}

static bool is_bool(const struct json_value *v, bool want)
{
	return v != NULL && v->type == JSON_BOOL && (*v->p == 't') == want;
}

static int add_use(struct history_reader *r, const struct json_value *v, enum history_place place,
                   struct err *e)
{
	struct history_use *uses =
	    history_grow(r->uses, &r->uses_cap, r->uses_n + 1, sizeof(*uses));
	struct history_use *use;

	if (uses == NULL)
		return no_memory(e);
	r->uses = uses;
	use = &uses[r->uses_n++];
	*use = (struct history_use){.at = r->text.len, .op = (uint32_t)r->ops_n, .place = place};
	if (v->type == JSON_STRING) {
		if (json_unescape(&r->text, v->p + 1, v->len - 2, e) < 0)
			return -1;
	} else if (v->type == JSON_NUMBER || v->type == JSON_BOOL) {
		buf_add(&r->text, v->p, v->len);
	} else {
		return err_set(e, EBADMSG, "neither a string nor a number");
	}
	use->name.len = r->text.len - use->at;
	return buf_ok(&r->text, e);
}

/* A name or null, which is LIN_NONE; missing, it leaves *to. */
static int get_name(struct history_reader *r, const struct json_value *v, enum history_place place,
                    uint64_t *to, struct err *e)
{
	if (v == NULL)
		return 0;
	*to = LIN_NONE;
	return v->type == JSON_NULL ? 0 : add_use(r, v, place, e);
}

/* 1, or 0 when it is not there: then *ret stays. */
static int get_number(const struct json_doc *d, const char *name, uint64_t *ret, struct err *e)
{
	const struct json_value *v = json_find(d, name);
	struct err ignored;
	uint64_t n;

	if (is_null(v))
		return 0;
	if (json_get_u64(v, &n, &ignored) < 0 || n > TIME_MAX)
		return err_set(e, EBADMSG, "\"%s\" is no whole number below 2^63", name);
	*ret = n;
	return 1;
}

/* "in" of a compare by value. */
static int get_pair(struct history_reader *r, const struct line *l, struct err *e)
{
	struct json_value v[2];
	struct json_member m;
	struct json_each it;
	size_t n = 0;

	if (l->in == NULL || l->in->type != JSON_ARRAY)
		return err_set(e, EBADMSG, "\"in\" is not [expected,value]");
	for (json_each_begin(&it, l->in); json_each_next(&it, &m); n++)
		if (n < 2)
			v[n] = m.value;
	if (n != 2 || v[1].type == JSON_NULL)
		return err_set(e, EBADMSG, "\"in\" is not [expected,value]");
	if (get_name(r, &v[0], HISTORY_EXPECT, &l->to->expect, e) < 0 ||
	    get_name(r, &v[1], HISTORY_VALUE, &l->to->value, e) < 0)
		return err_wrap(e, "\"in\"");
	return 0;
}

/* "in" of what writes one value. */
static int get_value(struct history_reader *r, const struct line *l, struct err *e)
{
	bool needed = l->to->kind == LIN_PUT || l->to->kind == LIN_CAS_VERSION;
	bool may_be_null = l->to->kind == LIN_DROP;

	if (l->in == NULL && needed)
		return err_set(e, EBADMSG, "no \"in\"");
	if (l->in != NULL && l->in->type == JSON_NULL && !may_be_null)
		return err_set(e, EBADMSG, "\"in\" is null: a delete is \"del\"");
	return get_name(r, l->in, HISTORY_VALUE, &l->to->value, e) < 0 ? err_wrap(e, "\"in\"") : 0;
}

static int get_kind(struct line *l, struct err *e)
{
	static const struct {
		const char *name;
		enum lin_kind kind;
	} kinds[] = {
	    {"get", LIN_GET},    {"put", LIN_PUT},         {"cas", LIN_CAS},
	    {"del", LIN_DELETE}, {"acquire", LIN_ACQUIRE}, {"release", LIN_RELEASE},
	    {"drop", LIN_DROP},
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (l->op != NULL && json_string_is(l->op, kinds[i].name)) {
			l->to->kind = (uint8_t)kinds[i].kind;
			return 0;
		}
	return err_set(e, EBADMSG, "\"op\" is not get, put, cas, del, acquire, release or drop");
}

/* The answer of what has t1. */
static int get_out(struct history_reader *r, const struct line *l, struct err *e)
{
	struct lin_op *op = l->to;

	op->result = is_bool(l->out, false) ? LIN_NO : LIN_OK;
	if (op->kind == LIN_GET) {
		op->result = LIN_OK;
		if (l->out == NULL)
			return err_set(e, EBADMSG, "no \"out\"");
		return get_name(r, l->out, HISTORY_VALUE, &op->value, e) < 0
		           ? err_wrap(e, "\"out\"")
		           : 0;
	}
	if (!is_bool(l->out, true) && !is_bool(l->out, false))
		return err_set(e, EBADMSG, "\"out\" is neither true nor false");
	if (op->result == LIN_NO && (op->kind == LIN_PUT || op->kind == LIN_DROP))
		return err_set(e, EBADMSG, "it cannot be refused: leave it out if it did nothing");
	return 0;
}

static bool is_lock_op(const struct lin_op *op)
{
	return op->kind == LIN_ACQUIRE || op->kind == LIN_RELEASE || op->kind == LIN_DROP;
}

static int get_values(struct history_reader *r, const struct line *l, struct err *e)
{
	struct lin_op *op = l->to;
	int got = 0;

	if (is_lock_op(op) && is_null(l->session))
		return err_set(e, EBADMSG, "\"s\" is null");
	if (op->kind == LIN_CAS)
		got = get_pair(r, l, e);
	else if (op->kind != LIN_GET && op->kind != LIN_DELETE && op->kind != LIN_DELETE_VERSION)
		got = get_value(r, l, e);
	if (got < 0)
		return -1;
	if ((is_lock_op(op) || op->kind == LIN_GET) &&
	    get_name(r, l->session, HISTORY_OWNER, &op->owner, e) < 0)
		return err_wrap(e, "\"s\"");
	return op->ret_ns == LIN_NEVER ? 0 : get_out(r, l, e);
}

static int get_numbers(const struct json_doc *d, struct lin_op *op, struct err *e)
{
	int got = get_number(d, "t0", &op->call_ns, e);

	if (got <= 0)
		return got < 0 ? -1 : err_set(e, EBADMSG, "no \"t0\"");
	if (get_number(d, "t1", &op->ret_ns, e) < 0 || get_number(d, "v", &op->version, e) < 0)
		return -1;
	if (op->ret_ns < op->call_ns)
		return err_set(e, EBADMSG, "\"t1\" is before \"t0\"");
	got = get_number(d, "if", &op->expect, e);
	if (got <= 0)
		return got;
	if (op->kind != LIN_CAS && op->kind != LIN_DELETE)
		return err_set(e, EBADMSG, "\"if\" is for cas and del");
	op->kind = op->kind == LIN_CAS ? LIN_CAS_VERSION : LIN_DELETE_VERSION;
	return 0;
}

int history_read_line(struct history_reader *r, const char *p, size_t len, struct err *e)
{
	const struct json_value *key, *client;
	struct lin_op *ops = history_grow(r->ops, &r->ops_cap, r->ops_n + 1, sizeof(*ops));
	struct json_doc d;
	struct line l;

	if (ops == NULL)
		return no_memory(e);
	r->ops = ops;
	if (json_scan(p, len, &d, e) < 0)
		return -1;
	if (d.value.type != JSON_OBJECT || d.members > JSON_MEMBERS_MAX)
		return err_set(e, EBADMSG, "not an object of at most %d members", JSON_MEMBERS_MAX);
	key = json_find(&d, "k");
	client = json_find(&d, "c");
	l.op = json_find(&d, "op");
	l.in = json_find(&d, "in");
	l.out = json_find(&d, "out");
	l.session = json_find(&d, "s");
	l.to = &r->ops[r->ops_n];
	*l.to = lin_op(LIN_GET, LIN_NONE, 0);
	if (get_kind(&l, e) < 0 || get_numbers(&d, l.to, e) < 0)
		return -1;
	if (is_null(key) || add_use(r, key, HISTORY_KEY, e) < 0)
		return is_null(key) ? err_set(e, EBADMSG, "no \"k\"") : err_wrap(e, "\"k\"");
	if (is_null(client) || get_name(r, client, HISTORY_CLIENT, &l.to->client, e) < 0)
		return is_null(client) ? err_set(e, EBADMSG, "no \"c\"") : err_wrap(e, "\"c\"");
	if (l.session == NULL && is_lock_op(l.to))
		l.session = client;
	if (get_values(r, &l, e) < 0)
		return -1;
	r->ops_n++;
	return 0;
}
