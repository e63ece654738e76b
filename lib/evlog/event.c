#include "evlog/event.h"

#include <errno.h>
#include <string.h>

#include "base/base64.h"
#include "base/json_out.h"
#include "base/text.h"
#include "evlog/attrs.h"

/* What a key of an input line stands for. */
enum key {
	KEY_ATTRIBUTE, /* kept as it is */
	KEY_DATA,
	KEY_DATA_BASE64,
	KEY_DROPPED, /* the store sets it */
	KEY_EXPECT,
	KEY_ID,
	KEY_SOURCE,
	KEY_SPECVERSION,
	KEY_STREAM,
	KEY_STREAMDELETED,
	KEY_STREAMVERSION,
	KEY_SUBJECT,
	KEY_TIME,
	KEY_TYPE
};

static bool is(struct span s, const char *name)
{
	return memcmp(s.p, name, s.len) == 0;
}

/* By length first: a line has few keys, and each is compared to two names at most. */
static enum key key_of(struct span k)
{
	switch (k.len) {
	case 2:
		return is(k, "id") ? KEY_ID : KEY_ATTRIBUTE;
	case 4:
		if (is(k, "type"))
			return KEY_TYPE;
		if (is(k, "data"))
			return KEY_DATA;
		return is(k, "time") ? KEY_TIME : KEY_ATTRIBUTE;
	case 6:
		if (is(k, "stream"))
			return KEY_STREAM;
		if (is(k, "source"))
			return KEY_SOURCE;
		return is(k, "expect") ? KEY_EXPECT : KEY_ATTRIBUTE;
	case 7:
		return is(k, "subject") ? KEY_SUBJECT : KEY_ATTRIBUTE;
	case 8:
		return is(k, "sequence") ? KEY_DROPPED : KEY_ATTRIBUTE;
	case 11:
		if (is(k, "specversion"))
			return KEY_SPECVERSION;
		return is(k, "data_base64") ? KEY_DATA_BASE64 : KEY_ATTRIBUTE;
	case 12:
		return is(k, "recordedtime") ? KEY_DROPPED : KEY_ATTRIBUTE;
	case 13:
		if (is(k, "streamdeleted"))
			return KEY_STREAMDELETED;
		return is(k, "streamversion") ? KEY_STREAMVERSION : KEY_ATTRIBUTE;
	default:
		return KEY_ATTRIBUTE;
	}
}

/* How much of a foreign name fits into a message. */
static int shown(struct span s)
{
	return s.len < 80 ? (int)s.len : 80;
}

static struct span common_of(const struct event_parser *p)
{
	return (struct span){p->common.data, p->common.len};
}

int event_common(struct event_parser *p, const char *name, const char *value, size_t value_len,
                 struct err *e)
{
	struct span key = {name, strlen(name)};
	enum key kind = key_of(key);
	int64_t time;

	if (!attrs_is_name(key))
		return err_set(e, EINVAL, "'%s' is no attribute name: 1 to 20 of a-z and 0-9",
		               name);
	if (kind != KEY_ATTRIBUTE && kind != KEY_SOURCE && kind != KEY_TIME)
		return err_set(e, EINVAL, "'%s' cannot be set as an attribute", name);
	if (!text_is_utf8(value, value_len))
		return err_set(e, EINVAL, "the value of '%s' is no UTF-8", name);
	if (kind == KEY_SOURCE && value_len == 0)
		return err_set(e, EINVAL, "'source' is empty");
	if (kind == KEY_TIME && text_get_time(value, value_len, &time, e) < 0)
		return err_wrap(e, "'time'");
	if (attrs_has(common_of(p), key))
		return err_set(e, EEXIST, "'%s' is given twice", name);
	if (kind == KEY_SOURCE && span_is((struct span){value, value_len}, p->source))
		return 0;
	buf_clear(&p->scratch);
	json_out_string(&p->scratch, value, value_len);
	if (buf_ok(&p->scratch, e) < 0)
		return -1;
	attrs_put(&p->common, key, (struct span){p->scratch.data, p->scratch.len});
	return buf_ok(&p->common, e);
}

/* One event on its way. */
struct parse {
	struct event_parser *p;
	struct event *ev;
	size_t line_len;
	size_t members; /* of the line's object; none where the line is the data */
	bool hard;      /* of an event that is a deletion */
};

static int refuse_type(struct err *e, struct span key, const char *want)
{
	return err_set(e, EVLOG_BAD_EVENT, "\"%.*s\" must be %s", shown(key), key.p, want);
}

/*
 * Append what p[0..len) means to scratch.  All that goes there is shorter than the line it came
 * from, so that with room for a line it never moves, and spans into it hold.
 */
static int unescape(const struct parse *t, const char *p, size_t len, struct span *ret,
                    struct err *e)
{
	struct buf *b = &t->p->scratch;
	size_t at;

	if (b->len == 0 && buf_reserve(b, t->line_len) == NULL)
		return err_set(e, ENOMEM, "out of memory");
	at = b->len;
	if (json_unescape(b, p, len, e) < 0)
		return -1;
	*ret = (struct span){b->data + at, b->len - at};
	return 0;
}

/* What a string means. */
static int get_string(const struct parse *t, struct span key, const struct json_value *v,
                      struct span *ret, struct err *e)
{
	if (v->type != JSON_STRING)
		return refuse_type(e, key, "a string");
	if (v->escaped)
		return unescape(t, v->p + 1, v->len - 2, ret, e);
	*ret = (struct span){v->p + 1, v->len - 2};
	return 0;
}

static void add_attribute(struct event_parser *p, struct span key, const struct json_value *v)
{
	if (p->attrs.len == 0)
		buf_add_char(&p->attrs, '{');
	attrs_put(&p->attrs, key, (struct span){v->p, v->len});
}

static int take_attribute(const struct parse *t, struct span key, const struct json_value *v,
                          struct err *e)
{
	if (!attrs_is_name(key))
		return err_set(e, EVLOG_BAD_EVENT,
		               "\"%.*s\" is no attribute name: 1 to 20 of a-z and 0-9", shown(key),
		               key.p);
	if (v->type != JSON_STRING && v->type != JSON_NUMBER && v->type != JSON_BOOL)
		return refuse_type(e, key, "a string, a number or a boolean");
	add_attribute(t->p, key, v);
	return 0;
}

static int take_source(const struct parse *t, struct span key, const struct json_value *v,
                       struct err *e)
{
	struct span s;

	if (get_string(t, key, v, &s, e) < 0)
		return -1;
	if (s.len == 0)
		return err_set(e, EVLOG_BAD_EVENT, "\"source\" is empty");
	if (!span_is(s, t->p->source))
		add_attribute(t->p, key, v);
	return 0;
}

static int take_time(const struct parse *t, struct span key, const struct json_value *v,
                     struct err *e)
{
	struct span s;
	int64_t time;

	if (get_string(t, key, v, &s, e) < 0)
		return -1;
	if (text_get_time(s.p, s.len, &time, e) < 0) {
		e->code = EVLOG_BAD_EVENT;
		return err_wrap(e, "\"time\"");
	}
	add_attribute(t->p, key, v);
	return 0;
}

static int take_specversion(struct span key, const struct json_value *v, struct err *e)
{
	return json_string_is(v, "1.0") ? 0 : refuse_type(e, key, "\"1.0\"");
}

static int take_data(const struct parse *t, const struct json_value *v, struct err *e)
{
	if (t->ev->data.len > 0)
		return err_set(e, EVLOG_BAD_EVENT, "both \"data\" and \"data_base64\"");
	if (!v->spaced) {
		t->ev->data = (struct span){v->p, v->len};
		return 0;
	}
	if (json_compact(&t->p->data, v) < 0)
		return buf_ok(&t->p->data, e);
	t->ev->data = (struct span){t->p->data.data, t->p->data.len};
	return 0;
}

/* Decoded once to see that it is canonical, so that equal bytes are equal text in the log. */
static int take_base64(const struct parse *t, struct span key, const struct json_value *v,
                       struct err *e)
{
	struct buf *b = &t->p->data;
	struct span text;
	size_t at;

	if (t->ev->data.len > 0)
		return err_set(e, EVLOG_BAD_EVENT, "both \"data\" and \"data_base64\"");
	if (get_string(t, key, v, &text, e) < 0)
		return -1;
	buf_clear(b);
	buf_add_char(b, '=');
	buf_add(b, text.p, text.len);
	at = b->len;
	if (buf_ok(b, e) < 0)
		return -1;
	if (base64_decode(b, text.p, text.len, e) < 0) {
		if (e->code == EBADMSG)
			e->code = EVLOG_BAD_EVENT;
		return err_wrap(e, "\"data_base64\"");
	}
	b->len = at;
	t->ev->data = (struct span){b->data, b->len};
	return 0;
}

static int take_id(const struct parse *t, struct span key, const struct json_value *v,
                   struct err *e)
{
	struct span id;

	if (get_string(t, key, v, &id, e) < 0 || evlog_check_name("id", id.p, id.len, e) < 0)
		return -1;
	if (t->p->id.len > 0 && !span_is(id, t->p->id))
		return err_set(e, EVLOG_BAD_EVENT, "the event's own id is '%.*s', not '%.*s'",
		               shown(id), id.p, shown(t->p->id), t->p->id.p);
	t->ev->id = id;
	t->ev->id_given = true;
	return 0;
}

static int take_type(const struct parse *t, struct span key, const struct json_value *v,
                     struct err *e)
{
	if (get_string(t, key, v, &t->ev->type, e) < 0)
		return -1;
	return evlog_check_name("type", t->ev->type.p, t->ev->type.len, e);
}

static int take_stream(const struct parse *t, struct span key, const struct json_value *v,
                       struct err *e)
{
	struct span *s = &t->ev->stream;

	if (get_string(t, key, v, s, e) < 0 || evlog_check_stream(s->p, s->len, e) < 0)
		return -1;
	if (t->p->form == EVENT_BATCH && s->p[0] == '$')
		return err_set(e, EVLOG_BAD_EVENT,
		               "stream '%.*s': names that begin with '$' are the store's own",
		               shown(*s), s->p);
	return 0;
}

/* "any", "none", "exists", "7" or 7. */
static int take_expect(const struct parse *t, struct span key, const struct json_value *v,
                       struct err *e)
{
	struct span s = {v->p, v->len};

	if (v->type != JSON_NUMBER && get_string(t, key, v, &s, e) < 0)
		return refuse_type(e, key, "any, none, exists or a version");
	if (expect_parse(s.p, s.len, &t->ev->expect, e) < 0) {
		e->code = EVLOG_BAD_EVENT;
		return err_wrap(e, "\"expect\"");
	}
	return 0;
}

/* Imported events keep their versions. */
static int take_streamversion(const struct parse *t, const struct json_value *v, struct err *e)
{
	uint64_t version;

	if (json_get_u64(v, &version, e) < 0 || version >= UINT32_MAX)
		return err_set(e, EVLOG_BAD_EVENT, "\"streamversion\" must be a version");
	t->ev->expect = (struct expect){.kind = EXPECT_BECOMES, .version = (uint32_t)version};
	return 0;
}

static int take_streamdeleted(struct parse *t, struct span key, const struct json_value *v,
                              struct err *e)
{
	t->ev->kind = FRAME_DELETED;
	t->hard = json_string_is(v, "hard");
	return t->hard || json_string_is(v, "soft") ? 0
	                                            : refuse_type(e, key, "\"soft\" or \"hard\"");
}

static int take_member(struct parse *t, const struct json_member *m, struct err *e)
{
	struct span key = {m->key, m->key_len};
	enum event_form form = t->p->form;

	switch (key_of(key)) {
	case KEY_TYPE:
		return take_type(t, key, &m->value, e);
	case KEY_DATA:
		return take_data(t, &m->value, e);
	case KEY_DATA_BASE64:
		return take_base64(t, key, &m->value, e);
	case KEY_ID:
		return take_id(t, key, &m->value, e);
	case KEY_SOURCE:
		return take_source(t, key, &m->value, e);
	case KEY_TIME:
		return take_time(t, key, &m->value, e);
	case KEY_SPECVERSION:
		return take_specversion(key, &m->value, e);
	case KEY_STREAM:
		if (form == EVENT_BATCH)
			return take_stream(t, key, &m->value, e);
		break;
	case KEY_EXPECT:
		if (form == EVENT_BATCH)
			return take_expect(t, key, &m->value, e);
		break;
	case KEY_SUBJECT:
		return form == EVENT_IMPORT ? take_stream(t, key, &m->value, e) : 0;
	case KEY_STREAMDELETED:
		return form == EVENT_IMPORT ? take_streamdeleted(t, key, &m->value, e) : 0;
	case KEY_STREAMVERSION:
		return form == EVENT_IMPORT ? take_streamversion(t, &m->value, e) : 0;
	case KEY_DROPPED:
		return 0;
	case KEY_ATTRIBUTE:
		return take_attribute(t, key, &m->value, e);
	}
	return err_set(e, EVLOG_BAD_EVENT, "\"%.*s\" is for lines of a batch only", shown(key),
	               key.p);
}

/* Keys as they are meant; hardly anybody escapes a letter. */
static int unescape_keys(const struct parse *t, struct err *e)
{
	for (size_t i = 0; i < t->members; i++) {
		struct json_member *m = &t->p->doc.member[i];
		struct span key;

		if (!m->key_escaped)
			continue;
		if (unescape(t, m->key, m->key_len, &key, e) < 0)
			return -1;
		m->key = key.p;
		m->key_len = key.len;
	}
	return 0;
}

/* The attributes for all events that this one did not bring itself; "-" for no attributes at all.
 */
static int finish_attributes(const struct parse *t, struct err *e)
{
	struct event_parser *p = t->p;
	struct span rest = common_of(p);
	struct span key;
	struct span value;

	while (attrs_next(&rest, &key, &value)) {
		bool brought = false;

		for (size_t i = 0; i < t->members && !brought; i++)
			brought = span_is(
			    key, (struct span){p->doc.member[i].key, p->doc.member[i].key_len});
		if (!brought)
			add_attribute(p, key, &(struct json_value){.p = value.p, .len = value.len});
	}
	if (p->attrs.len > 0)
		buf_add_char(&p->attrs, '}');
	else
		buf_add_char(&p->attrs, '-');
	t->ev->attrs = (struct span){p->attrs.data, p->attrs.len};
	return buf_ok(&p->attrs, e);
}

static bool is_blank(const char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] != ' ' && p[i] != '\t' && p[i] != '\r' && p[i] != '\n')
			return false;
	return true;
}

static void begin(struct event_parser *p, struct event *ret)
{
	buf_clear(&p->scratch);
	buf_clear(&p->attrs);
	buf_clear(&p->data);
	*ret = (struct event){.stream = p->stream,
	                      .type = p->type,
	                      .id = p->id,
	                      .id_given = p->id.len > 0,
	                      .expect = p->expect};
}

static int take_object(struct parse *t, struct err *e)
{
	const struct json_doc *d = &t->p->doc;

	if (d->value.type != JSON_OBJECT)
		return err_set(e, EVLOG_BAD_EVENT, "an event is an object: {\"type\":...}");
	if (d->members > JSON_MEMBERS_MAX)
		return err_set(e, EVLOG_BAD_EVENT, "%zu attributes, at most %d are possible",
		               d->members, JSON_MEMBERS_MAX);
	t->members = d->members;
	if (unescape_keys(t, e) < 0)
		return -1;
	for (size_t i = 0; i < t->members; i++)
		if (take_member(t, &d->member[i], e) < 0)
			return -1;
	if (t->ev->type.len == 0)
		return err_set(e, EVLOG_BAD_EVENT, "no \"type\"");
	if (t->ev->stream.len == 0)
		return err_set(e, EVLOG_BAD_EVENT, "no \"%s\"",
		               t->p->form == EVENT_IMPORT ? "subject" : "stream");
	if (t->ev->data.len == 0)
		t->ev->data = (struct span){"-", 1};
	if (t->ev->kind == FRAME_DELETED)
		event_deletes(t->ev, t->hard);
	return 0;
}

int event_parse(struct event_parser *p, const char *line, size_t len, struct event *ret,
                struct err *e)
{
	struct parse t = {.p = p, .ev = ret, .line_len = len};
	int r;

	begin(p, ret);
	if (is_blank(line, len))
		return err_set(e, EBADMSG, "empty");
	if (len > EVENT_LINE_MAX)
		return err_set(e, EVLOG_BAD_EVENT, "more than %u bytes", EVENT_LINE_MAX);
	if (json_scan(line, len, &p->doc, e) < 0)
		return -1;
	if (p->form == EVENT_DATA)
		r = take_data(&t, &p->doc.value, e);
	else
		r = take_object(&t, e);
	return r < 0 ? -1 : finish_attributes(&t, e);
}

int event_raw(struct event_parser *p, const void *bytes, size_t len, struct event *ret,
              struct err *e)
{
	struct parse t = {.p = p, .ev = ret};

	begin(p, ret);
	if (len > EVENT_RAW_MAX)
		return err_set(e, EVLOG_BAD_EVENT, "more than %zu bytes", EVENT_RAW_MAX);
	buf_add_char(&p->data, '=');
	base64_encode(&p->data, bytes, len);
	ret->data = (struct span){p->data.data, p->data.len};
	return buf_ok(&p->data, e) < 0 ? -1 : finish_attributes(&t, e);
}

void event_parser_done(struct event_parser *p)
{
	buf_done(&p->common);
	buf_done(&p->scratch);
	buf_done(&p->attrs);
	buf_done(&p->data);
}
