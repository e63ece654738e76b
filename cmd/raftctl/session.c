/* session: who is alive, as far as the store knows. */
#include <string.h>

#include "base/json_out.h"
#include "raftctl.h"

#define NS_PER_S  UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)

const struct opt session_options[] = {
    {OPT_TTL, "ttl", "DURATION", NULL, "it ends when it is not renewed in that time"},
    {OPT_BEHAVIOR, "behavior", "WHAT", "release delete", "what its end does to its keys"},
    {OPT_LOCK_DELAY, "lock-delay", "DURATION", NULL, "nobody gets its locks that long (15s)"},
    {OPT_NAME, "name", "NAME", NULL, "a name for people"},
    {OPT_JSON, "json", NULL, NULL, "ls: whole sessions as lines of JSON"},
    {0},
};

#define SESSION "/v1/session/"

/* A duration as Go reads it. */
static void put_duration(struct buf *b, const char *name, uint64_t ns)
{
	json_out_key(b, name);
	if (ns % NS_PER_S == 0)
		buf_printf(b, "\"%jus\"", (uintmax_t)(ns / NS_PER_S));
	else if (ns % NS_PER_MS == 0)
		buf_printf(b, "\"%jums\"", (uintmax_t)(ns / NS_PER_MS));
	else
		buf_printf(b, "\"%juns\"", (uintmax_t)ns);
}

static void put_string(struct buf *b, const char *name, const char *text)
{
	if (text == NULL)
		return;
	json_out_key(b, name);
	json_out_string(b, text, strlen(text));
}

void session_create(struct store *st, const struct session_spec *s, struct buf *id)
{
	struct ask a = {.writes = true};
	const struct json_value *v;
	const struct http_in *in;
	struct buf body = {0};
	struct json_doc d;

	ask_begin(&a, "PUT", SESSION "create", (struct span){NULL, 0});
	buf_add_char(&body, '{');
	put_string(&body, "Name", s->name);
	put_string(&body, "Behavior", s->behavior);
	if (s->ttl_ns > 0)
		put_duration(&body, "TTL", s->ttl_ns);
	if (s->has_lock_delay)
		put_duration(&body, "LockDelay", s->lock_delay_ns);
	buf_add_char(&body, '}');
	check_buf(&body);
	a.body = (struct span){body.data, body.len};
	in = store_ask(st, &a);
	answer_json(st, in, &d);
	v = d.value.type == JSON_OBJECT ? json_find(&d, "ID") : NULL;
	if (v == NULL || v->type != JSON_STRING)
		answer_is_odd(st, in);
	get_text(id, v);
	buf_done(&body);
	ask_done(&a);
}

bool session_renew(struct store *st, struct span id)
{
	struct ask a = {.method = "PUT"};
	unsigned status;

	/* Sent twice it does no harm. */
	ask_begin(&a, "PUT", SESSION "renew/", id);
	status = http_in_status(store_ask(st, &a));
	ask_done(&a);
	return status == 200;
}

void session_destroy(struct store *st, struct span id)
{
	struct ask a = {.writes = true};

	ask_begin(&a, "PUT", SESSION "destroy/", id);
	(void)answer_is_true(st, store_ask(st, &a));
	ask_done(&a);
}

/* The one session of a list; false: the list is empty. */
static bool one_of(const struct json_doc *d, struct json_value *ret)
{
	struct json_member m;
	struct json_each it;

	json_each_begin(&it, &d->value);
	if (!json_each_next(&it, &m))
		return false;
	*ret = m.value;
	return true;
}

/* Ask for a list of sessions. */
static void ask_list(struct store *st, const char *path, struct span id, struct json_doc *d)
{
	struct ask a = {.writes = false};
	const struct http_in *in;

	ask_begin(&a, "GET", path, id);
	in = store_ask(st, &a);
	if (http_in_status(in) != 200)
		answer_is_odd(st, in);
	answer_json(st, in, d);
	if (d->value.type != JSON_ARRAY)
		answer_is_odd(st, in);
	ask_done(&a);
}

bool session_member(struct store *st, struct span id, const char *member, struct buf *to)
{
	struct json_value session, v;
	struct json_doc d;

	ask_list(st, SESSION "info/", id, &d);
	if (!one_of(&d, &session))
		return false;
	v = member_of(&session, member);
	get_text(to, &v);
	return true;
}

/* ---- The verb. */

static void copy_string(struct buf *b, const struct json_value *session, const char *from,
                        const char *to)
{
	struct json_value v = member_of(session, from);
	struct buf text = {0};

	if (v.type != JSON_STRING)
		return;
	get_text(&text, &v);
	json_out_key(b, to);
	json_out_string(b, text.data, text.len);
	buf_done(&text);
}

static bool copy_number(const struct json_value *session, const char *from, uint64_t *ret)
{
	struct json_value v = member_of(session, from);
	struct err e;

	return json_get_u64(&v, ret, &e) == 0;
}

static void put_session(struct buf *b, const struct json_value *session)
{
	uint64_t n;

	buf_add_char(b, '{');
	copy_string(b, session, "ID", "id");
	copy_string(b, session, "Name", "name");
	copy_string(b, session, "Node", "node");
	copy_string(b, session, "TTL", "ttl");
	copy_string(b, session, "Behavior", "behavior");
	if (copy_number(session, "LockDelay", &n))
		put_duration(b, "lock_delay", n);
	if (copy_number(session, "CreateIndex", &n)) {
		json_out_key(b, "created");
		json_out_u64_string(b, n);
	}
	buf_add_char(b, '}');
}

static int create(struct store *st, const struct session_spec *s)
{
	struct buf id = {0};

	session_create(st, s, &id);
	write_line(&id, '\n');
	buf_done(&id);
	return TOOL_OK;
}

static int renew(struct store *st, const char *id)
{
	if (session_renew(st, span_of(id)))
		return TOOL_OK;
	say_no("no session '%s'", id);
	return TOOL_NO;
}

static int info(struct store *st, const char *id)
{
	struct json_value session;
	struct buf line = {0};
	struct json_doc d;
	bool there;

	ask_list(st, SESSION "info/", span_of(id), &d);
	there = one_of(&d, &session);
	if (there) {
		put_session(&line, &session);
		write_line(&line, '\n');
		buf_done(&line);
	} else {
		say_no("no session '%s'", id);
	}
	return there ? TOOL_OK : TOOL_NO;
}

static int list(struct store *st, bool json)
{
	struct buf line = {0};
	struct json_member m;
	struct json_value v;
	struct json_each it;
	struct json_doc d;

	ask_list(st, SESSION "list", (struct span){NULL, 0}, &d);
	json_each_begin(&it, &d.value);
	while (json_each_next(&it, &m)) {
		v = member_of(&m.value, "ID");
		if (json)
			put_session(&line, &m.value);
		else
			get_text(&line, &v);
		write_line(&line, '\n');
	}
	buf_done(&line);
	return TOOL_OK;
}

struct session_call {
	struct store st;
	struct session_spec spec;
	bool json;
	const char *for_create; /* an option that is for create only */
};

static void take_options(struct session_call *c, struct opts *o)
{
	for (int id; (id = opts_next(o)) != -1;) {
		switch (id) {
		case OPT_TTL:
			c->spec.ttl_ns = (uint64_t)opts_duration_ns(o);
			break;
		case OPT_BEHAVIOR:
			if (strcmp(o->arg, "release") != 0 && strcmp(o->arg, "delete") != 0)
				opts_bad(o, "'%s' is neither release nor delete", o->arg);
			c->spec.behavior = o->arg;
			break;
		case OPT_LOCK_DELAY:
			c->spec.lock_delay_ns = (uint64_t)opts_duration_ns(o);
			c->spec.has_lock_delay = true;
			break;
		case OPT_NAME:
			c->spec.name = o->arg;
			break;
		case OPT_JSON:
			c->json = true;
			continue;
		default:
			store_option(&c->st, o, id);
			continue;
		}
		c->for_create = o->now->name;
	}
	opts_need(o, 1, 2, "create, renew, destroy, info or ls");
}

int session_run(struct opts *o)
{
	struct session_call c = {.json = false};
	const char *what, *id;
	int status = TOOL_OK;
	bool creates, lists;

	take_options(&c, o);
	what = o->operands[0];
	id = o->operands[1];
	creates = strcmp(what, "create") == 0;
	lists = strcmp(what, "ls") == 0;
	if (!creates && !lists && strcmp(what, "renew") != 0 && strcmp(what, "destroy") != 0 &&
	    strcmp(what, "info") != 0)
		tool_usage("'%s' is none of create, renew, destroy, info, ls", what);
	opts_need(o, creates || lists ? 1 : 2, creates || lists ? 1 : 2, "ID");
	if (!creates && c.for_create != NULL)
		tool_usage("--%s is for create", c.for_create);
	if (!lists && c.json)
		tool_usage("--json is for ls");
	if (id != NULL && *id == '\0')
		tool_usage("the ID is empty");
	store_open(&c.st);
	if (creates)
		status = create(&c.st, &c.spec);
	else if (lists)
		status = list(&c.st, c.json);
	else if (*what == 'r')
		status = renew(&c.st, id);
	else if (*what == 'i')
		status = info(&c.st, id);
	else
		session_destroy(&c.st, span_of(id));
	store_close(&c.st);
	return status;
}
