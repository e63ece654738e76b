/*
 * api_session: /v1/session/...
 *
 * An id is drawn here, before the log, so that every node has the same.  A renewal is an entry of
 * the log: when a session ends is decided by the cluster's clock, on all nodes alike.
 */
#include <stdlib.h>
#include <string.h>

#include "api_route.h"
#include "base/json_out.h"
#include "consul/session.h"
#include "os/rand.h"

/* ---- Writing: what the log says of a session is the answer. */

struct write {
	struct api_wait wait;
	struct api_request request;
	unsigned char id[ID_LEN];
	uint8_t type; /* of the command */
};

static void answer_created(const struct api_request *r, const unsigned char id[ID_LEN])
{
	struct buf json = {0};
	char text[ID_UUID_LEN];

	id_put_uuid(text, id);
	buf_add_str(&json, "{\"ID\":");
	json_out_string(&json, text, sizeof(text));
	buf_add_char(&json, '}');
	api_answer_json(r, 200, 0, &json);
}

static void answer_unknown(const struct api_request *r, struct span id)
{
	struct buf text = {0};

	buf_add_str(&text, "Session id '");
	buf_add(&text, id.p, id.len);
	buf_add_str(&text, "' not found");
	api_answer_text(r, 404, &text);
}

/* It was there a moment ago, or its end stands in the log right behind the renewal. */
static void answer_renewed(const struct api_request *r, const unsigned char id[ID_LEN])
{
	struct kv_session s;
	struct buf json = {0};

	if (!kv_session_get(node_kv(r->api->node), id, &s)) {
		answer_unknown(r, r->rest);
		return;
	}
	buf_add_char(&json, '[');
	consul_session_put(&json, &s);
	buf_add_char(&json, ']');
	api_answer_json(r, 200, 0, &json);
}

static void answer_code(const struct api_request *r, const struct write *w, uint8_t code)
{
	struct buf text = {0};

	if (code != KV_OK) {
		kv_code_text(&text, code, w->id);
		api_answer_text(r, code == KV_NO_SESSION ? 404 : 500, &text);
	} else if (w->type == KV_SESSION_CREATE) {
		answer_created(r, w->id);
	} else if (w->type == KV_SESSION_RENEW) {
		answer_renewed(r, w->id);
	} else {
		buf_add_str(&text, "true");
		api_answer_json(r, 200, 0, &text);
	}
}

static void on_written(void *arg, enum node_outcome outcome, uint64_t index, struct span result)
{
	struct write *w = arg;
	struct write was = *w;
	struct kv_result kr;
	struct err e;

	(void)index;
	w->wait.ticket = NULL;
	api_wait_end(&w->wait);
	if (outcome != NODE_DONE)
		api_outcome(was.request.call, outcome);
	else if (kv_result_get(&kr, result, &e) < 0)
		api_answer_err(&was.request, &e);
	else
		answer_code(&was.request, &was, kr.code);
}

static void propose(const struct api_request *r, uint8_t type, const struct kv_session_spec *spec)
{
	struct kv_command c;
	struct buf bytes = {0};
	struct write *w;
	struct err e;

	c.type = type;
	c.want_entry = false;
	c.has_once = false;
	c.op_count = 0;
	c.session = *spec;
	if (kv_command_put(&bytes, &c, &e) < 0) {
		api_answer_err(r, &e);
	} else if ((w = api_wait_new(r, sizeof(*w))) != NULL) {
		w->request = *r;
		w->type = type;
		memcpy(w->id, spec->id, ID_LEN);
		api_wait_for(&w->wait,
		             node_propose(r->api->node, (struct span){bytes.data, bytes.len},
		                          on_written, w));
	}
	buf_done(&bytes);
}

/* ---- Requests. */

/* The id in the path: 1, 0 when it is no id of a session, -1 when it has answered. */
static int get_id(const struct api_request *r, unsigned char ret[ID_LEN])
{
	struct err e;

	memset(ret, 0, ID_LEN);
	if (r->rest.len == 0) {
		api_text(r->call, 400, "Missing session");
		return -1;
	}
	return id_is_uuid(r->rest.p, r->rest.len) && id_parse(r->rest.p, r->rest.len, ret, &e) == 0
	           ? !id_is_zero(ret)
	           : 0;
}

static void create(const struct api_request *r)
{
	const struct consul_session_rules rules = {
	    .node = {r->api->name, strlen(r->api->name)},
	    .ttl_min_ns = r->api->session_ttl_min_ns,
	};
	unsigned char id[ID_LEN];
	struct kv_session_spec spec;
	struct buf room = {0};
	struct err e;

	if (rand_bytes(id, ID_LEN, &e) < 0 ||
	    consul_session_get(r->body, &rules, &room, &spec, &e) < 0) {
		api_answer_err(r, &e);
	} else if (!span_is(spec.node, rules.node)) {
		api_text(r->call, 500, "Missing node registration");
	} else {
		id_make_uuid4(id);
		memcpy(spec.id, id, ID_LEN);
		propose(r, KV_SESSION_CREATE, &spec);
	}
	buf_done(&room);
}

static void destroy(const struct api_request *r)
{
	struct kv_session_spec spec = {0};
	struct buf json = {0};
	int got = get_id(r, spec.id);

	if (got > 0) {
		propose(r, KV_SESSION_DESTROY, &spec);
	} else if (got == 0) {
		buf_add_str(&json, "true");
		api_answer_json(r, 200, 0, &json);
	}
}

static void renew(const struct api_request *r)
{
	struct kv_session_spec spec = {0};
	int got = get_id(r, spec.id);

	if (got > 0)
		propose(r, KV_SESSION_RENEW, &spec);
	else if (got == 0)
		answer_unknown(r, r->rest);
}

/* ---- Reading. */

struct list {
	struct api_read read;
	struct api_request request;
	unsigned char id[ID_LEN]; /* of info; all zero: there is none such */
	struct buf node;          /* whose sessions */
	bool of_node;
};

static void free_list(struct api_wait *w)
{
	struct list *l = (struct list *)(void *)w;

	buf_done(&l->node);
	free(l);
}

static void put_sessions(struct buf *to, const struct list *l)
{
	struct kv *kv = node_kv(l->request.api->node);
	const struct span node = {l->node.data, l->node.len};
	struct kv_session s;
	const unsigned char *after = NULL;
	unsigned char last[ID_LEN];

	while (kv_session_next(kv, after, &s)) {
		memcpy(last, s.spec.id, ID_LEN);
		after = last;
		if (l->of_node && !span_is(s.spec.node, node))
			continue;
		if (to->len > 1)
			buf_add_char(to, ',');
		consul_session_put(to, &s);
	}
}

static void answer_list(struct api_read *read)
{
	struct list *l = (struct list *)(void *)read;
	struct api_request r = l->request;
	struct kv *kv = node_kv(r.api->node);
	uint64_t index = kv_sessions_index(kv);
	struct buf json = {0};
	struct kv_session s;

	buf_add_char(&json, '[');
	if (read->watch.kind == KV_WATCH_SESSIONS) {
		put_sessions(&json, l);
	} else if (kv_session_get(kv, l->id, &s)) {
		index = s.modify;
		consul_session_put(&json, &s);
	}
	buf_add_char(&json, ']');
	api_wait_end(&read->wait);
	api_answer_json(&r, 200, index > 0 ? index : 1, &json);
}

static struct list *new_list(const struct api_request *r, enum kv_watch_kind kind)
{
	struct list *l = api_wait_new(r, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->request = *r;
	l->read.wait.free = free_list;
	l->read.query = r->query;
	l->read.watch = (struct kv_watch_spec){.kind = kind, .key = {(const char *)l->id, ID_LEN}};
	l->read.answer = answer_list;
	return l;
}

static void info(const struct api_request *r)
{
	unsigned char id[ID_LEN];
	struct list *l;

	if (get_id(r, id) < 0 || (l = new_list(r, KV_WATCH_SESSION)) == NULL)
		return;
	memcpy(l->id, id, ID_LEN);
	api_read_begin(&l->read);
}

static void list(const struct api_request *r)
{
	struct list *l = new_list(r, KV_WATCH_SESSIONS);

	if (l != NULL)
		api_read_begin(&l->read);
}

static void node(const struct api_request *r)
{
	struct list *l;
	struct err e;

	if (r->rest.len == 0) {
		api_text(r->call, 400, "Missing node name");
		return;
	}
	l = new_list(r, KV_WATCH_SESSIONS);
	if (l == NULL)
		return;
	l->of_node = true;
	if (http_decode(&l->node, r->rest, false, &e) < 0)
		api_text(api_wait_end(&l->read.wait), 400, "invalid URL escape");
	else
		api_read_begin(&l->read);
}

void api_session(const struct api_request *r)
{
	static const struct api_route routes[] = {
	    {"create", "PUT", create}, {"destroy/", "PUT", destroy}, {"renew/", "PUT", renew},
	    {"info/", "GET", info},    {"list", "GET", list},        {"node/", "GET", node},
	    {NULL, NULL, NULL},
	};

	api_serve(r, routes);
}
