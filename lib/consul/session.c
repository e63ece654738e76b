#include "consul/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_each.h"
#include "base/json_out.h"
#include "consul/query.h"

#define BAD_REQUEST 400
#define REFUSED     500

#define DEFAULT_CHECKS  "[\"serfHealth\"]"
#define NUMBER_LEN_MAX  63
#define SECONDS_BELOW   1000 /* a LockDelay that is a number below this counts seconds */
#define SPAN_OF(string) ((struct span){string, sizeof(string) - 1})

enum field {
	F_NAME,
	F_NODE,
	F_LOCK_DELAY,
	F_BEHAVIOR,
	F_TTL,
	F_NODE_CHECKS,
	F_SERVICE_CHECKS,
	F_CHECKS,
	F_COUNT
};

static const char *const field_names[F_COUNT] = {
    "Name", "Node", "LockDelay", "Behavior", "TTL", "NodeChecks", "ServiceChecks", "Checks",
};

struct request {
	struct json_value field[F_COUNT]; /* JSON_NONE: not given */
	struct buf *room;                 /* has room for all that is taken out of the body */
};

/* ---- Reading. */

static int bad(struct err *e, enum field f, const char *what)
{
	return err_set(e, BAD_REQUEST, "Request decode failed: %s %s", field_names[f], what);
}

static int find_fields(struct request *q, struct span body, struct err *e)
{
	struct json_doc d;
	struct json_each it;
	struct json_member m;

	if (json_scan(body.p, body.len, &d, e) < 0) {
		if (e->code == ENOMEM)
			return -1;
		e->code = BAD_REQUEST;
		return err_wrap(e, "Request decode failed");
	}
	if (d.value.type == JSON_NULL)
		return 0;
	if (d.value.type != JSON_OBJECT)
		return err_set(e, BAD_REQUEST, "Request decode failed: not an object");
	json_each_begin(&it, &d.value);
	while (json_each_next(&it, &m))
		for (unsigned f = 0; f < F_COUNT; f++)
			if (json_key_folds_to(&m, field_names[f]))
				q->field[f] = m.value;
	return 0;
}

/* What a string means; no bytes when it was not given. */
static int get_string(struct request *q, enum field f, struct span *ret, struct err *e)
{
	const struct json_value *v = &q->field[f];
	size_t at = q->room->len;

	*ret = SPAN_OF("");
	if (v->type == JSON_NONE || v->type == JSON_NULL)
		return 0;
	if (v->type != JSON_STRING)
		return bad(e, f, "is not a string");
	if (json_unescape(q->room, v->p + 1, v->len - 2, e) < 0)
		return -1;
	*ret = (struct span){q->room->data + at, q->room->len - at};
	return 0;
}

static int get_name(struct request *q, enum field f, struct span *ret, struct err *e)
{
	if (get_string(q, f, ret, e) < 0)
		return -1;
	return ret->len <= KV_NAME_MAX ? 0 : bad(e, f, "is too long");
}

static int get_behavior(struct request *q, uint8_t *ret, struct err *e)
{
	struct span text;

	if (get_string(q, F_BEHAVIOR, &text, e) < 0)
		return -1;
	*ret = KV_RELEASE;
	if (span_is(text, SPAN_OF("delete")))
		*ret = KV_DELETE_KEYS;
	else if (text.len > 0 && !span_is(text, SPAN_OF("release")))
		return err_set(e, REFUSED, "Invalid Behavior setting '%.*s'", (int)text.len,
		               text.p);
	return 0;
}

/* JSON's numbers are C's. */
static int get_delay_number(const struct json_value *v, uint64_t *ret_ns, struct err *e)
{
	char text[NUMBER_LEN_MAX + 1];
	double number;

	if (v->len > NUMBER_LEN_MAX)
		return bad(e, F_LOCK_DELAY, "is too long");
	memcpy(text, v->p, v->len);
	text[v->len] = '\0';
	number = strtod(text, NULL);
	if (number < 0)
		return bad(e, F_LOCK_DELAY, "is negative");
	if (number < SECONDS_BELOW)
		*ret_ns = (uint64_t)number * UINT64_C(1000000000);
	else if (number < (double)CONSUL_LOCK_DELAY_MAX_NS)
		*ret_ns = (uint64_t)number;
	else
		*ret_ns = CONSUL_LOCK_DELAY_MAX_NS;
	return 0;
}

static int get_delay(struct request *q, uint64_t *ret_ns, struct err *e)
{
	const struct json_value *v = &q->field[F_LOCK_DELAY];
	struct span text;
	struct err why;

	*ret_ns = CONSUL_LOCK_DELAY_DEFAULT_NS;
	if (v->type == JSON_NUMBER) {
		if (get_delay_number(v, ret_ns, e) < 0)
			return -1;
	} else if (get_string(q, F_LOCK_DELAY, &text, e) < 0) {
		return -1;
	} else if (v->type == JSON_STRING && consul_duration_ns(text, ret_ns, &why) < 0) {
		return bad(e, F_LOCK_DELAY, "is not a duration");
	}
	if (*ret_ns > CONSUL_LOCK_DELAY_MAX_NS)
		*ret_ns = CONSUL_LOCK_DELAY_MAX_NS;
	return 0;
}

static int refuse_ttl(uint64_t ns, uint64_t min_ns, struct err *e)
{
	struct buf range = {0};

	consul_duration_put(&range, min_ns);
	buf_add_char(&range, '=');
	consul_duration_put(&range, CONSUL_TTL_MAX_NS);
	if (buf_ok(&range, e) == 0)
		err_set(e, REFUSED, "Invalid Session TTL '%llu', must be between [%.*s]",
		        (unsigned long long)ns, (int)range.len, range.data);
	buf_done(&range);
	return -1;
}

static int get_ttl(struct request *q, uint64_t min_ns, uint64_t *ret_ns, struct span *ret_text,
                   struct err *e)
{
	const struct json_value *v = &q->field[F_TTL];
	struct err why;

	*ret_ns = 0;
	*ret_text = SPAN_OF("");
	if (v->type == JSON_NUMBER && v->len == 1 && v->p[0] == '0')
		return 0;
	if (get_string(q, F_TTL, ret_text, e) < 0)
		return -1;
	if (ret_text->len > 0 && consul_duration_ns(*ret_text, ret_ns, &why) < 0)
		return err_set(e, REFUSED,
		               "Session TTL '%.*s' invalid: time: invalid duration \"%.*s\"",
		               (int)ret_text->len, ret_text->p, (int)ret_text->len, ret_text->p);
	if (*ret_ns != 0 && (*ret_ns < min_ns || *ret_ns > CONSUL_TTL_MAX_NS))
		return refuse_ttl(*ret_ns, min_ns, e);
	return 0;
}

/* ---- The note: a JSON object of what is not as it is by default, or nothing. */

static int check_list(const struct request *q, enum field f, enum json_type of, struct err *e)
{
	const struct json_value *v = &q->field[f];
	struct json_each it;
	struct json_member m;

	if (v->type == JSON_NONE || v->type == JSON_NULL)
		return 0;
	if (v->type != JSON_ARRAY)
		return bad(e, f, "is not an array");
	json_each_begin(&it, v);
	while (json_each_next(&it, &m))
		if (m.value.type != of)
			return bad(e, f,
			           of == JSON_STRING ? "has an element that is not a string"
			                             : "has an element that is not an object");
	return 0;
}

static void put_member(struct buf *to, enum field f, const struct json_value *v)
{
	json_out_key(to, field_names[f]);
	json_compact(to, v);
}

/* A TTL is told again as it was written: 15.0s. */
static void put_ttl(struct buf *to, const struct request *q, uint64_t ns, struct span text)
{
	struct buf usual = {0};

	if (ns != 0)
		consul_duration_put(&usual, ns);
	if (!span_is(text, (struct span){usual.data, usual.len}))
		put_member(to, F_TTL, &q->field[F_TTL]);
	to->failed = to->failed || usual.failed;
	buf_done(&usual);
}

static int get_note(struct request *q, const struct kv_session_spec *s, struct span ttl,
                    struct span *ret, struct err *e)
{
	const struct json_value *checks = &q->field[F_CHECKS];
	const struct json_value *nodes = &q->field[F_NODE_CHECKS];
	const struct json_value *services = &q->field[F_SERVICE_CHECKS];
	size_t at = q->room->len;

	if (check_list(q, F_CHECKS, JSON_STRING, e) < 0 ||
	    check_list(q, F_NODE_CHECKS, JSON_STRING, e) < 0 ||
	    check_list(q, F_SERVICE_CHECKS, JSON_OBJECT, e) < 0)
		return -1;
	buf_add_char(q->room, '{');
	if (nodes->type == JSON_NONE)
		nodes = checks;
	if (nodes->type != JSON_NONE)
		put_member(q->room, F_NODE_CHECKS, nodes);
	if (services->type == JSON_ARRAY)
		put_member(q->room, F_SERVICE_CHECKS, services);
	if (checks->type == JSON_ARRAY && json_each_count(checks) > 0)
		put_member(q->room, F_CHECKS, checks);
	put_ttl(q->room, q, s->ttl_ns, ttl);
	buf_add_char(q->room, '}');
	if (buf_ok(q->room, e) < 0)
		return -1;
	*ret = (struct span){q->room->data + at, q->room->len - at};
	if (span_is(*ret, SPAN_OF("{}")))
		*ret = SPAN_OF("");
	if (ret->len > KV_NOTE_MAX)
		return err_set(e, BAD_REQUEST,
		               "Request decode failed: the checks have more than %d bytes",
		               KV_NOTE_MAX);
	return 0;
}

int consul_session_get(struct span body, const struct consul_session_rules *rules, struct buf *room,
                       struct kv_session_spec *ret, struct err *e)
{
	struct request q = {.room = room};
	struct span ttl;

	*ret = (struct kv_session_spec){0};
	buf_clear(room);
	/* Strings once, Checks three times (twice its own, once for the node), and the keys. */
	if (buf_reserve(room, 4 * body.len + 256) == NULL)
		return buf_ok(room, e);
	if (body.len > 0 && find_fields(&q, body, e) < 0)
		return -1;
	if (get_name(&q, F_NAME, &ret->name, e) < 0 || get_name(&q, F_NODE, &ret->node, e) < 0 ||
	    get_delay(&q, &ret->lock_delay_ns, e) < 0 || get_behavior(&q, &ret->behavior, e) < 0 ||
	    get_ttl(&q, rules->ttl_min_ns, &ret->ttl_ns, &ttl, e) < 0 ||
	    get_note(&q, ret, ttl, &ret->note, e) < 0)
		return -1;
	if (ret->node.len == 0)
		ret->node = rules->node;
	return 0;
}

/* ---- Writing. */

/* What the note says; it may be anybody's. */
static void read_note(struct json_value field[F_COUNT], struct json_doc *d, struct span note)
{
	struct json_each it;
	struct json_member m;
	struct err e;

	if (note.len == 0 || json_scan(note.p, note.len, d, &e) < 0 || d->value.type != JSON_OBJECT)
		return;
	json_each_begin(&it, &d->value);
	while (json_each_next(&it, &m))
		for (unsigned f = F_TTL; f < F_COUNT; f++) {
			bool fits = f == F_TTL
			                ? m.value.type == JSON_STRING
			                : m.value.type == JSON_ARRAY || m.value.type == JSON_NULL;

			if (fits && json_key_is(&m, field_names[f]))
				field[f] = m.value;
		}
}

static void put_list(struct buf *to, enum field f, const struct json_value *v, const char *usual)
{
	if (v->type != JSON_NONE) {
		put_member(to, f, v);
		return;
	}
	json_out_key(to, field_names[f]);
	buf_add_str(to, usual);
}

static void put_string(struct buf *to, enum field f, struct span s)
{
	json_out_key(to, field_names[f]);
	json_out_string(to, s.p, s.len);
}

void consul_session_put(struct buf *to, const struct kv_session *s)
{
	struct json_value field[F_COUNT] = {0};
	char id[ID_UUID_LEN];
	struct json_doc d;

	read_note(field, &d, s->spec.note);
	id_put_uuid(id, s->spec.id);
	buf_add_str(to, "{\"ID\":");
	json_out_string(to, id, sizeof(id));
	put_string(to, F_NAME, s->spec.name);
	put_string(to, F_NODE, s->spec.node);
	json_out_key(to, "LockDelay");
	json_out_u64(to, s->spec.lock_delay_ns);
	put_string(to, F_BEHAVIOR,
	           s->spec.behavior == KV_DELETE_KEYS ? SPAN_OF("delete") : SPAN_OF("release"));
	if (field[F_TTL].type != JSON_NONE) {
		put_member(to, F_TTL, &field[F_TTL]);
	} else {
		json_out_key(to, "TTL");
		buf_add_char(to, '"');
		if (s->spec.ttl_ns != 0)
			consul_duration_put(to, s->spec.ttl_ns);
		buf_add_char(to, '"');
	}
	put_list(to, F_NODE_CHECKS, &field[F_NODE_CHECKS], DEFAULT_CHECKS);
	put_list(to, F_SERVICE_CHECKS, &field[F_SERVICE_CHECKS], "null");
	if (field[F_CHECKS].type == JSON_ARRAY)
		put_member(to, F_CHECKS, &field[F_CHECKS]);
	json_out_key(to, "CreateIndex");
	json_out_u64(to, s->create);
	json_out_key(to, "ModifyIndex");
	json_out_u64(to, s->modify);
	buf_add_char(to, '}');
}
