/* api: from paths to routes, and how all of them answer and wait. */
#include "api.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "consul/entry.h"

#define TEXT_PLAIN "text/plain; charset=utf-8"
#define JSON       "application/json"

static struct span span_of(const char *s)
{
	return (struct span){s, strlen(s)};
}

/* ---- Answers. */

static void add_field(struct api_head *h, const char *name, struct span value)
{
	assert(h->count < API_FIELDS_MAX);
	h->fields[h->count++] = (struct http_field){span_of(name), value};
}

void api_head_add(struct api_head *h, const char *name, const char *value)
{
	add_field(h, name, span_of(value));
}

static void add_number(struct api_head *h, const char *name, char room[TEXT_U64_LEN], uint64_t v)
{
	size_t n = text_put_u64(room, v);

	add_field(h, name, (struct span){room, n});
}

/* Milliseconds that a client can hold as nanoseconds in 63 bits, as that of Go does. */
#define CONTACT_MAX_MS (UINT64_C(1) << 43)

void api_head_read(struct api_head *h, struct api *api, const struct consul_query *q,
                   uint64_t index)
{
	uint64_t contact = 0;
	bool has_leader = true;

	/* What was just confirmed needs no look. */
	if (q->stale || q->index > 0) {
		struct raft_view v;

		raft_look(node_raft(api->node), &v);
		has_leader = v.leader != 0;
		contact = node_last_contact_ms(api->node);
	}
	if (index > 0)
		add_number(h, "X-Consul-Index", h->index, index);
	api_head_add(h, "X-Consul-KnownLeader", has_leader ? "true" : "false");
	add_number(h, "X-Consul-LastContact", h->contact,
	           contact < CONTACT_MAX_MS ? contact : CONTACT_MAX_MS);
	api_head_add(h, "X-Consul-Effective-Consistency",
	             q->stale        ? "stale"
	             : q->consistent ? "consistent"
	                             : "leader");
}

void api_head_fence(struct api_head *h, uint64_t fence)
{
	add_number(h, "X-Raftd-Fence", h->fence, fence);
}

void api_send(struct http_call *c, unsigned status, const struct api_head *h, struct span body)
{
	http_call_answer(c, &(struct http_answer){status, h->fields, h->count, body});
}

static void send_text(struct http_call *c, unsigned status, struct api_head *h, struct span text)
{
	api_head_add(h, "Content-Type", TEXT_PLAIN);
	/* It may repeat what the client sent. */
	api_head_add(h, "X-Content-Type-Options", "nosniff");
	api_send(c, status, h, text);
}

void api_text(struct http_call *c, unsigned status, const char *text)
{
	struct api_head h = {0};

	send_text(c, status, &h, span_of(text));
}

void api_textf(struct http_call *c, unsigned status, const char *format, ...)
{
	struct api_head h = {0};
	char text[1024];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (n < 0)
		n = 0;
	if ((size_t)n >= sizeof(text))
		n = sizeof(text) - 1;
	send_text(c, status, &h, (struct span){text, (size_t)n});
}

static bool is_listed(struct span method, const char *list)
{
	for (const char *end; *list != '\0'; list = *end == ',' ? end + 1 : end) {
		end = strchrnul(list, ',');
		if (span_is(method, (struct span){list, (size_t)(end - list)}))
			return true;
	}
	return false;
}

bool api_refuses_method(const struct api_request *r, const char *allowed)
{
	struct api_head h = {0};
	bool is_read = is_listed(span_of("GET"), allowed);
	char allow[80];
	char text[80];

	if (is_listed(r->method, allowed) || (is_read && span_is(r->method, span_of("HEAD"))))
		return false;
	snprintf(allow, sizeof(allow), "OPTIONS,%s%s", is_read ? "HEAD," : "", allowed);
	api_head_add(&h, "Allow", allow);
	if (span_is(r->method, span_of("OPTIONS"))) {
		api_send(r->call, 200, &h, (struct span){"", 0});
		return true;
	}
	snprintf(text, sizeof(text), "method %.*s not allowed", (int)r->method.len, r->method.p);
	send_text(r->call, 405, &h, span_of(text));
	return true;
}

void api_json_head(struct http_call *c, const struct consul_query *q, unsigned status,
                   struct api_head *h, struct span json)
{
	struct buf pretty = {0};
	struct err e;

	api_head_add(h, "Content-Type", JSON);
	if (q->pretty) {
		consul_pretty_put(&pretty, json);
		json = (struct span){pretty.data, pretty.len};
	}
	if (buf_ok(&pretty, &e) < 0)
		api_text(c, 500, e.msg);
	else
		api_send(c, status, h, json);
	buf_done(&pretty);
}

void api_json(struct api *api, struct http_call *c, const struct consul_query *q, unsigned status,
              uint64_t index, struct span json)
{
	struct api_head h = {0};

	if (index > 0)
		api_head_read(&h, api, q, index);
	api_json_head(c, q, status, &h, json);
}

void api_outcome(struct http_call *c, enum node_outcome outcome)
{
	static const struct {
		unsigned status;
		char outcome[8], text[48];
	} answers[] = {
	    [NODE_NO_LEADER] = {500, "none", "No cluster leader"},
	    [NODE_BUSY] = {503, "none", "Too much is under way; nothing was done"},
	    [NODE_LOST] = {500, "none", "Leadership was lost; nothing was done"},
	    [NODE_UNKNOWN] = {500, "unknown", "The outcome is not known: done or not done"},
	    [NODE_STOPPED] = {503, "unknown", "The node is stopping"},
	};
	struct api_head h = {0};

	assert(outcome > NODE_DONE && outcome <= NODE_STOPPED);
	api_head_add(&h, "X-Raftd-Outcome", answers[outcome].outcome);
	send_text(c, answers[outcome].status, &h, span_of(answers[outcome].text));
}

/* ---- Waiting. */

static void free_wait(struct api_wait *w)
{
	free(w);
}

void *api_wait_new(const struct api_request *r, size_t size)
{
	struct api_wait *w = calloc(1, size);

	assert(size >= sizeof(*w));
	if (w == NULL) {
		api_text(r->call, 500, "out of memory");
		return NULL;
	}
	*w = (struct api_wait){.api = r->api, .call = r->call, .free = free_wait};
	http_call_set_user(r->call, w);
	return w;
}

struct http_call *api_wait_end(struct api_wait *w)
{
	struct http_call *c = w->call;

	assert(w->ticket == NULL);
	http_call_set_user(c, NULL);
	w->free(w);
	return c;
}

void api_gone(void *arg, struct http_call *c)
{
	struct api *api = arg;
	struct api_wait *w = http_call_user(c);

	if (w == NULL)
		return;
	if (w->ticket != NULL)
		node_cancel(api->node, w->ticket);
	w->free(w);
}

/* ---- Dispatch. */

static const struct route {
	const char *name;
	api_route_fn *serve;
} v1_routes[] = {
    {"kv", api_kv},           {"session", api_session},
    {"txn", api_txn},         {"status", api_status},
    {"agent", api_agent},     {"operator", api_operator},
    {"catalog", api_catalog}, {NULL, NULL},
};

/* Those of raftd itself. */
static const struct route own_routes[] = {
    {"metrics", api_metrics},
    {"healthz", api_health},
    {"readyz", api_health},
    {NULL, NULL},
};

int api_decode(const struct api_request *r, struct span text, struct buf *room,
               struct span *ret_text)
{
	struct err e;

	*ret_text = text;
	if (text.len == 0 || memchr(text.p, '%', text.len) == NULL)
		return 0;
	if (http_decode(room, text, false, &e) < 0) {
		if (e.code == ENOMEM)
			api_text(r->call, 500, "out of memory");
		else
			api_text(r->call, 400, "invalid URL escape");
		return -1;
	}
	*ret_text = (struct span){room->data, room->len};
	return 0;
}

static bool take_front(struct span *s, const char *front)
{
	size_t n = strlen(front);

	if (s->len < n || memcmp(s->p, front, n) != 0)
		return false;
	s->p += n;
	s->len -= n;
	return true;
}

/* The route of a path, and what is left for it: behind its name there is a '/' or nothing. */
static const struct route *find_route(const struct route *from, struct span path,
                                      struct span *ret_rest)
{
	for (; from->name != NULL; from++) {
		struct span rest = path;

		if (!take_front(&rest, from->name) || (rest.len > 0 && rest.p[0] != '/'))
			continue;
		(void)take_front(&rest, "/");
		*ret_rest = rest;
		return from;
	}
	return NULL;
}

static bool is_elsewhere(const struct consul_query *q)
{
	struct buf dc = {0};
	struct err e;
	bool is = q->text.len > 0 && consul_query_value(q, "dc", &dc, &e) != 0 &&
	          (dc.len > 0 || dc.failed) &&
	          !span_is((struct span){dc.data, dc.len}, span_of(API_DATACENTER));

	buf_done(&dc);
	return is;
}

/* A plain client gets Consul's text. */
static void serve_root(const struct api_request *r)
{
	if (!api_refuses_method(r, "GET"))
		api_text(r->call, 200, "Consul Agent");
}

static const struct route root = {"", serve_root};

static const struct route *route_of(struct api_request *r)
{
	if (take_front(&r->path, "/v1/"))
		return find_route(v1_routes, r->path, &r->rest);
	if (!take_front(&r->path, "/"))
		return NULL;
	return r->path.len == 0 ? &root : find_route(own_routes, r->path, &r->rest);
}

void api_request(void *arg, struct http_call *c)
{
	const struct http_in *in = http_call_request(c);
	struct api_request r = {.api = arg, .call = c};
	const struct route *route;
	struct span query;
	struct err e;

	r.method = http_in_method(in);
	r.body = http_in_body(in);
	http_target_split(http_in_target(in), &r.path, &query);
	route = route_of(&r);
	if (route == NULL)
		api_send(c, 404, &(struct api_head){0}, (struct span){"", 0});
	else if (consul_query_get(&r.query, query, &e) < 0)
		api_text(c, e.code == ENOMEM ? 500 : 400, e.msg);
	else if (is_elsewhere(&r.query))
		api_text(c, 500, "No path to datacenter");
	else
		route->serve(&r);
}
