/* entry: Consul's JSON of an entry read, and ours written. */
#include <string.h>

#include "base/base64.h"
#include "base/json_out.h"
#include "base/text.h"
#include "raftctl.h"

void get_text(struct buf *b, const struct json_value *v)
{
	struct err e;

	if (v->type != JSON_STRING)
		return;
	if (!v->escaped)
		buf_add(b, v->p + 1, v->len - 2);
	else if (json_unescape(b, v->p + 1, v->len - 2, &e) < 0)
		tool_die(TOOL_OSERR, &e);
	check_buf(b);
}

struct json_value member_of(const struct json_value *v, const char *name)
{
	struct json_member m;
	struct json_each it;

	if (v->type != JSON_OBJECT)
		return (struct json_value){.type = JSON_NONE};
	json_each_begin(&it, v);
	while (json_each_next(&it, &m))
		if (json_key_is(&m, name))
			return m.value;
	return (struct json_value){.type = JSON_NONE};
}

static _Noreturn void refuse(const struct store *st, const char *what)
{
	tool_dief(TOOL_CONFIG, "'%s': it is no raftd: an entry has no good %s", httpc_host(st->c),
	          what);
}

static void get_number(const struct store *st, const struct json_member *m, const char *name,
                       uint64_t *ret)
{
	struct err e;

	if (json_key_is(m, name) && json_get_u64(&m->value, ret, &e) < 0)
		refuse(st, name);
}

static void get_value(const struct store *st, const struct json_value *v, struct entry *e)
{
	struct err unused;

	e->has_value = v->type == JSON_STRING;
	if (e->has_value && base64_decode(&e->value, v->p + 1, v->len - 2, &unused) < 0)
		refuse(st, "Value");
}

void entry_read(const struct store *st, const struct json_value *v, struct entry *e)
{
	struct json_each it;
	struct json_member m;

	if (v->type != JSON_OBJECT)
		refuse(st, "form");
	buf_clear(&e->key);
	buf_clear(&e->value);
	buf_clear(&e->session);
	e->has_value = false;
	e->flags = e->locks = e->created = e->index = 0;
	json_each_begin(&it, v);
	while (json_each_next(&it, &m)) {
		if (json_key_is(&m, "Key"))
			get_text(&e->key, &m.value);
		else if (json_key_is(&m, "Value"))
			get_value(st, &m.value, e);
		else if (json_key_is(&m, "Session"))
			get_text(&e->session, &m.value);
		get_number(st, &m, "Flags", &e->flags);
		get_number(st, &m, "LockIndex", &e->locks);
		get_number(st, &m, "CreateIndex", &e->created);
		get_number(st, &m, "ModifyIndex", &e->index);
	}
}

void put_bytes(struct buf *b, const char *name, struct span bytes)
{
	if (text_is_utf8(bytes.p, bytes.len)) {
		json_out_key(b, name);
		json_out_string(b, bytes.p, bytes.len);
		return;
	}
	buf_printf(b, "%s\"%s_base64\":\"", b->data[b->len - 1] == '{' ? "" : ",", name);
	base64_encode(b, bytes.p, bytes.len);
	buf_add_char(b, '"');
}

static void put_u64(struct buf *b, const char *name, uint64_t v)
{
	json_out_key(b, name);
	json_out_u64_string(b, v);
}

void entry_put(struct buf *b, const struct entry *e, const char *event)
{
	buf_add_char(b, '{');
	if (event != NULL) {
		json_out_key(b, "event");
		json_out_string(b, event, strlen(event));
	}
	put_bytes(b, "key", (struct span){e->key.data, e->key.len});
	if (e->has_value)
		put_bytes(b, "value", (struct span){e->value.data, e->value.len});
	put_u64(b, "flags", e->flags);
	put_u64(b, "index", e->index);
	put_u64(b, "created", e->created);
	put_u64(b, "locks", e->locks);
	if (e->session.len > 0) {
		json_out_key(b, "session");
		json_out_string(b, e->session.data, e->session.len);
	}
	buf_add_char(b, '}');
}

void entry_done(struct entry *e)
{
	buf_done(&e->key);
	buf_done(&e->value);
	buf_done(&e->session);
}
