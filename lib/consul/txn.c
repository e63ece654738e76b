#include "consul/txn.h"

#include <assert.h>
#include <errno.h>

#include "base/base64.h"
#include "base/json_each.h"
#include "base/json_out.h"
#include "consul/entry.h"
#include "kv/result.h"

#define OK          200
#define BAD_REQUEST 400
#define CONFLICT    409
#define TOO_LARGE   413
#define INTERNAL    500

#define TEXT_OF(number)  TEXT_OF_(number)
#define TEXT_OF_(number) #number

enum field { F_VERB, F_KEY, F_VALUE, F_FLAGS, F_INDEX, F_SESSION, F_KEY_BASE64, F_COUNT };

static const char *const field_names[F_COUNT] = {
    "Verb", "Key", "Value", "Flags", "Index", "Session", "KeyBase64",
};

struct reading {
	struct consul_txn *t;
	size_t value_max;
	unsigned n; /* the operation */
	struct json_value field[F_COUNT];
};

/* ---- Errors. */

static int bad(const struct reading *r, const char *name, const char *what, struct err *e)
{
	return err_set(e, BAD_REQUEST, "Failed to parse body: operation %u: %s %s", r->n, name,
	               what);
}

static void put_error(struct buf *to, unsigned op, const struct buf *what)
{
	if (to->len > 0 && to->data[to->len - 1] != '[')
		buf_add_char(to, ',');
	buf_add_str(to, "{\"OpIndex\":");
	json_out_u64(to, op);
	json_out_key(to, "What");
	json_out_string(to, what->data, what->len);
	buf_add_char(to, '}');
	to->failed = to->failed || what->failed;
}

/* This operation fails, whatever the store holds: `what`, and s quoted if quoting is asked for. */
static void refuse(struct reading *r, const char *what, const struct span *quoted)
{
	struct buf text = {0};

	buf_add_str(&text, what);
	if (quoted != NULL)
		kv_quoted_put(&text, *quoted);
	put_error(&r->t->errors, r->n, &text);
	buf_done(&text);
}

/* ---- Members. */

static bool is_given(const struct reading *r, enum field f)
{
	return r->field[f].type != JSON_NONE && r->field[f].type != JSON_NULL;
}

static int get_string(struct reading *r, enum field f, struct span *ret, struct err *e)
{
	const struct json_value *v = &r->field[f];
	struct buf *room = &r->t->room;
	size_t at = room->len;

	*ret = (struct span){"", 0};
	if (!is_given(r, f))
		return 0;
	if (v->type != JSON_STRING)
		return bad(r, field_names[f], "is not a string", e);
	if (json_unescape(room, v->p + 1, v->len - 2, e) < 0)
		return -1;
	*ret = (struct span){room->data + at, room->len - at};
	return 0;
}

static int get_base64(struct reading *r, enum field f, struct span *ret, struct err *e)
{
	struct buf *room = &r->t->room;
	struct span text;
	size_t at;

	if (get_string(r, f, &text, e) < 0)
		return -1;
	*ret = (struct span){"", 0};
	if (text.len == 0)
		return 0;
	at = room->len;
	if (base64_decode(room, text.p, text.len, e) < 0)
		return e->code == ENOMEM ? -1 : bad(r, field_names[f], "is not base64", e);
	*ret = (struct span){room->data + at, room->len - at};
	return 0;
}

static int get_number(struct reading *r, enum field f, uint64_t *ret, struct err *e)
{
	*ret = 0;
	if (is_given(r, f) && json_get_u64(&r->field[f], ret, e) < 0)
		return bad(r, field_names[f], "is not a whole number of 64 bits", e);
	return 0;
}

static bool takes_session(uint8_t verb)
{
	return verb == KV_LOCK || verb == KV_UNLOCK || verb == KV_CHECK_SESSION;
}

static int get_session(struct reading *r, struct kv_op *op, struct err *e)
{
	struct span text;
	struct err why;

	if (get_string(r, F_SESSION, &text, e) < 0)
		return -1;
	if (text.len == 0 || !takes_session(op->verb))
		return 0;
	if (!id_is_uuid(text.p, text.len) || id_parse(text.p, text.len, op->session, &why) < 0 ||
	    id_is_zero(op->session))
		refuse(r, "invalid session ", &text);
	return 0;
}

static int get_key(struct reading *r, struct kv_op *op, struct err *e)
{
	if (is_given(r, F_KEY_BASE64) ? get_base64(r, F_KEY_BASE64, &op->key, e) < 0
	                              : get_string(r, F_KEY, &op->key, e) < 0)
		return -1;
	if (op->key.len == 0 && op->verb != KV_DELETE_TREE && op->verb != KV_GET_TREE)
		refuse(r, "Must provide key", NULL);
	else if (op->key.len > KV_KEY_MAX)
		refuse(r, "key is longer than " TEXT_OF(KV_KEY_MAX) " bytes", NULL);
	return 0;
}

static int get_value(struct reading *r, struct kv_op *op, struct err *e)
{
	struct buf key = {0};

	if (get_base64(r, F_VALUE, &op->value, e) < 0)
		return -1;
	if (op->value.len <= r->value_max)
		return 0;
	kv_quoted_put(&key, op->key);
	if (buf_ok(&key, e) == 0)
		err_set(e, TOO_LARGE, "Value for key %.*s is too large (%zu > %zu bytes)",
		        (int)key.len, key.data, op->value.len, r->value_max);
	buf_done(&key);
	return -1;
}

static int get_op(struct reading *r, struct kv_op *op, struct err *e)
{
	struct span verb;

	*op = (struct kv_op){0};
	if (get_string(r, F_VERB, &verb, e) < 0)
		return -1;
	op->verb = kv_verb_by_name(verb);
	r->t->reads = r->t->reads && kv_verb_reads(op->verb);
	if (op->verb == 0) {
		refuse(r, "unknown KV verb ", &verb);
		return 0;
	}
	if (get_key(r, op, e) < 0 || get_value(r, op, e) < 0 || get_session(r, op, e) < 0 ||
	    get_number(r, F_FLAGS, &op->flags, e) < 0 || get_number(r, F_INDEX, &op->index, e) < 0)
		return -1;
	return 0;
}

/* ---- The body. */

/* {"KV":{...}} */
static int find_fields(struct reading *r, const struct json_value *v, struct err *e)
{
	struct json_value kv = {0};
	struct json_each it;
	struct json_member m;

	memset(r->field, 0, sizeof(r->field));
	if (v->type == JSON_OBJECT) {
		json_each_begin(&it, v);
		while (json_each_next(&it, &m))
			if (json_key_folds_to(&m, "KV"))
				kv = m.value;
	}
	if (kv.type != JSON_OBJECT)
		return err_set(e, BAD_REQUEST,
		               "Failed to parse body: operation %u is not a KV operation", r->n);
	json_each_begin(&it, &kv);
	while (json_each_next(&it, &m))
		for (unsigned f = 0; f < F_COUNT; f++)
			if (json_key_folds_to(&m, field_names[f]))
				r->field[f] = m.value;
	return 0;
}

static int get_ops(struct reading *r, const struct json_value *list, struct err *e)
{
	struct kv_command *c = &r->t->command;
	size_t count = json_each_count(list);
	struct json_each it;
	struct json_member m;

	if (count > KV_OPS_MAX)
		return err_set(e, TOO_LARGE, "Transaction contains too many operations (%zu > %d)",
		               count, KV_OPS_MAX);
	json_each_begin(&it, list);
	for (; json_each_next(&it, &m); r->n++)
		if (find_fields(r, &m.value, e) < 0 || get_op(r, &c->ops[r->n], e) < 0)
			return -1;
	c->op_count = (uint8_t)count;
	return 0;
}

static int scan(struct span body, struct json_value *ret, struct err *e)
{
	struct json_doc d;

	if (json_scan(body.p, body.len, &d, e) < 0) {
		if (e->code == ENOMEM)
			return -1;
		e->code = BAD_REQUEST;
		return err_wrap(e, "Failed to parse body");
	}
	*ret = d.value;
	return 0;
}

int consul_txn_get(struct consul_txn *t, struct span body, const struct consul_txn_limits *limits,
                   struct err *e)
{
	size_t body_max = limits->body_max > 0 ? limits->body_max : CONSUL_TXN_BODY_MAX;
	struct reading r = {.t = t,
	                    .value_max = limits->value_max > 0 ? limits->value_max : KV_VALUE_MAX};
	struct json_value list;
	const char *room;

	assert(r.value_max <= KV_VALUE_MAX);
	t->command.type = KV_TXN;
	t->command.op_count = 0;
	t->reads = true;
	buf_clear(&t->errors);
	buf_clear(&t->room);
	if (body.len > body_max)
		return err_set(e, TOO_LARGE, "Request body too large, max size: %zu bytes",
		               body_max);
	if (scan(body, &list, e) < 0)
		return -1;
	if (list.type == JSON_NULL)
		return 0;
	if (list.type != JSON_ARRAY)
		return err_set(e, BAD_REQUEST, "Failed to parse body: not an array");
	/* What strings mean, and of base64 its bytes besides: spans into it stay where they are. */
	room = buf_reserve(&t->room, 2 * body.len);
	if (room == NULL)
		return buf_ok(&t->room, e);
	if (get_ops(&r, &list, e) < 0)
		return -1;
	assert(t->room.data == room);
	return buf_ok(&t->errors, e);
}

void consul_txn_done(struct consul_txn *t)
{
	buf_done(&t->errors);
	buf_done(&t->room);
}

/* ---- Answers. */

void consul_txn_put_errors(struct buf *to, const struct consul_txn *t)
{
	buf_add_str(to, "{\"Results\":null,\"Errors\":[");
	buf_add(to, t->errors.data, t->errors.len);
	buf_add_str(to, "]}");
}

static int put_failures(struct buf *to, const struct consul_txn *t, struct kv_result *r,
                        struct err *e)
{
	struct kv_op_error error;
	int more;

	buf_add_str(to, "{\"Results\":null,\"Errors\":[");
	while ((more = kv_result_next_error(r, &error, e)) == 1) {
		struct buf what = {0};

		kv_error_text(&what, &error,
		              error.op < t->command.op_count ? &t->command.ops[error.op] : NULL);
		put_error(to, error.op, &what);
		buf_done(&what);
	}
	buf_add_str(to, "]}");
	return more;
}

static int put_results(struct buf *to, struct kv_result *r, struct err *e)
{
	struct kv_entry entry;
	uint8_t op;
	int more;

	buf_add_str(to, "{\"Results\":[");
	for (unsigned n = 0; (more = kv_result_next_entry(r, &entry, &op, e)) == 1; n++) {
		buf_add_str(to, n > 0 ? ",{\"KV\":" : "{\"KV\":");
		consul_entry_put(to, &entry);
		buf_add_char(to, '}');
	}
	buf_add_str(to, "],\"Errors\":null}");
	return more;
}

int consul_txn_put(struct buf *to, const struct consul_txn *t, struct span result, struct err *e)
{
	struct kv_result r;
	int status = INTERNAL;
	int end = kv_result_get(&r, result, e);

	if (end == 0 && r.code == KV_OK) {
		status = OK;
		end = put_results(to, &r, e);
	} else if (end == 0 && r.code == KV_TXN_FAILED) {
		status = CONFLICT;
		end = put_failures(to, t, &r, e);
	} else if (end == 0) {
		struct buf what = {0};

		kv_code_text(&what, r.code, NULL);
		if (buf_ok(&what, e) == 0)
			err_set(e, INTERNAL, "%.*s", (int)what.len, what.data);
		buf_done(&what);
		return -1;
	}
	if (end < 0 && e->code != ENOMEM)
		e->code = INTERNAL;
	return end < 0 || buf_ok(to, e) < 0 ? -1 : status;
}
