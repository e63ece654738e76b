/* api_kv: /v1/kv/KEY. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "base/hash.h"
#include "base/id.h"
#include "base/json_out.h"
#include "consul/entry.h"
#include "kv/command.h"

/* For how long a repeated Idempotency-Key is known, by the cluster's clock. */
#define IDEMPOTENCY_TTL_NS UINT64_C(3600000000000)

/* What a refused number of a query is shown of. */
#define SHOWN_MAX 80

/* ---- Parameters. */

/* Two of these flags: answered with 400. */
static bool has_conflict(const struct api_request *r, const char *const *flags, size_t count)
{
	struct buf text = {0};
	size_t found = 0;
	struct err e;

	for (size_t i = 0; i < count; i++)
		found += consul_query_has(&r->query, flags[i]);
	if (found < 2)
		return false;
	buf_add_str(&text, "Conflicting flags: ");
	if (consul_query_sorted(&r->query, &text, &e) < 0) {
		api_text(r->call, 500, e.msg);
	} else {
		buf_add(&text, "\n", sizeof("\n")); /* and the end of a string */
		if (buf_ok(&text, &e) < 0)
			api_text(r->call, 500, e.msg);
		else
			api_text(r->call, 400, text.data);
	}
	buf_done(&text);
	return true;
}

/* A number: 1, 0 when it is not there, -1 when it has answered, in the words of Go. */
static int get_number(const struct api_request *r, const char *name, uint64_t *ret)
{
	struct buf text = {0};
	struct buf quoted = {0};
	struct err e;
	int found = consul_query_value(&r->query, name, &text, &e);

	if (found < 0) {
		api_text(r->call, e.code == ENOMEM ? 500 : 400, e.msg);
	} else if (found > 0 && num_u64_len(text.data, text.len, 0, UINT64_MAX, ret, &e) < 0) {
		json_out_string(&quoted, text.data, text.len < SHOWN_MAX ? text.len : SHOWN_MAX);
		api_textf(r->call, 500, "strconv.ParseUint: parsing %.*s: %s", (int)quoted.len,
		          quoted.data, e.code == ERANGE ? "value out of range" : "invalid syntax");
		found = -1;
	}
	buf_done(&text);
	buf_done(&quoted);
	return found;
}

/* A session: as get_number().  None at all is left to the state machine, which has a code for it.
 */
static int get_session(const struct api_request *r, const char *name, unsigned char ret[ID_LEN])
{
	struct buf text = {0};
	struct buf quoted = {0};
	struct err e;
	int found = consul_query_value(&r->query, name, &text, &e);

	if (found < 0) {
		api_text(r->call, e.code == ENOMEM ? 500 : 400, e.msg);
	} else if (text.len > 0 && id_parse(text.data, text.len, ret, &e) < 0) {
		json_out_string(&quoted, text.data, text.len < SHOWN_MAX ? text.len : SHOWN_MAX);
		api_textf(r->call, 500, "invalid session %.*s", (int)quoted.len, quoted.data);
		found = -1;
	}
	buf_done(&text);
	buf_done(&quoted);
	return found;
}

/* ---- GET. */

struct get {
	struct api_read read; /* watch.key is the key, or the prefix */
	struct buf room;      /* for it, if it was encoded */
};

static void free_get(struct api_wait *w)
{
	struct get *g = (struct get *)(void *)w;

	buf_done(&g->room);
	free(g);
}

static void send_raw(struct http_call *c, struct api_head *h, struct span value)
{
	api_head_add(h, "Content-Type", "text/plain");
	api_head_add(h, "X-Content-Type-Options", "nosniff");
	api_head_add(h, "Content-Security-Policy", "sandbox");
	api_send(c, 200, h, value);
}

/* The JSON that was made, or 404 with headers alone. */
static void send_found(struct http_call *c, const struct consul_query *q, struct api_head *h,
                       bool found, struct buf *body)
{
	struct err e;

	if (buf_ok(body, &e) < 0)
		api_text(c, 500, e.msg);
	else if (found)
		api_json_head(c, q, 200, h, (struct span){body->data, body->len});
	else
		api_send(c, 404, h, (struct span){"", 0});
	buf_done(body);
}

static void answer_key(struct api_read *r)
{
	struct kv *kv = node_kv(r->wait.api->node);
	struct consul_query q = r->query;
	struct api_head h = {0};
	struct buf body = {0};
	struct kv_entry entry;
	struct http_call *c;
	bool found = kv_get(kv, r->watch.key, &entry);

	api_head_read(&h, r->wait.api, &q, found ? entry.modify : kv_key_index(kv, r->watch.key));
	c = api_wait_end(&r->wait);
	if (found && consul_query_has(&q, "raw")) {
		send_raw(c, &h, entry.value);
		return;
	}
	if (found) {
		buf_add_char(&body, '[');
		consul_entry_put(&body, &entry);
		buf_add_char(&body, ']');
	}
	send_found(c, &q, &h, found, &body);
}

static void answer_tree(struct api_read *r)
{
	struct kv *kv = node_kv(r->wait.api->node);
	struct consul_query q = r->query;
	struct api_head h = {0};
	struct buf body = {0};
	size_t count = consul_entries_put(&body, kv, r->watch.key);

	api_head_read(&h, r->wait.api, &q, kv_prefix_index(kv, r->watch.key));
	send_found(api_wait_end(&r->wait), &q, &h, count > 0, &body);
}

/* The right spelling of the parameter wins over the old one. */
static void answer_keys(struct api_read *r)
{
	struct kv *kv = node_kv(r->wait.api->node);
	struct consul_query q = r->query;
	struct api_head h = {0};
	struct buf body = {0};
	struct buf separator = {0};
	struct err e = {0};
	bool is_found = r->watch.key.len == 0;
	int got = consul_query_value(&q, "separator", &separator, &e);

	if (got == 0)
		got = consul_query_value(&q, "seperator", &separator, &e);
	if (got < 0) {
		buf_done(&separator);
		api_text(api_wait_end(&r->wait), e.code == ENOMEM ? 500 : 400, e.msg);
		return;
	}
	if (consul_keys_put(&body, kv, r->watch.key, (struct span){separator.data, separator.len},
	                    consul_query_has(&q, "base64")) > 0)
		is_found = true;
	buf_done(&separator);
	api_head_read(&h, r->wait.api, &q, kv_prefix_index(kv, r->watch.key));
	send_found(api_wait_end(&r->wait), &q, &h, is_found, &body);
}

/* The key of a request that has to have one: false when it has answered. */
static bool check_key(const struct api_request *r, struct span key, bool may_be_empty)
{
	if (key.len == 0 && !may_be_empty)
		api_text(r->call, 400, "Missing key name");
	else if (key.len > KV_KEY_MAX)
		api_textf(r->call, 400, "Key is too long (%zu > %d bytes)", key.len, KV_KEY_MAX);
	else
		return true;
	return false;
}

static void get(const struct api_request *r)
{
	bool keys = consul_query_has(&r->query, "keys");
	bool tree = keys || consul_query_has(&r->query, "recurse");
	struct buf room = {0};
	struct span key;
	struct get *g = NULL;

	if (api_decode(r, r->rest, &room, &key) == 0 && check_key(r, key, tree))
		g = api_wait_new(r, sizeof(*g));
	if (g == NULL) {
		buf_done(&room);
		return;
	}
	g->room = room;
	g->read.wait.free = free_get;
	g->read.query = r->query;
	g->read.watch.kind = tree ? KV_WATCH_PREFIX : KV_WATCH_KEY;
	g->read.watch.key = key;
	g->read.answer = keys ? answer_keys : tree ? answer_tree : answer_key;
	api_read_begin(&g->read);
}

/* ---- PUT and DELETE. */

struct write {
	struct api_wait wait;
	struct consul_query query;
	unsigned char session[ID_LEN];
	bool wants_fence;
};

static void answer_code(struct http_call *c, uint8_t code, const unsigned char *session)
{
	struct buf text = {0};
	struct err e;

	if (code == KV_REUSED) {
		api_text(c, 422, "this Idempotency-Key was used for another request");
		return;
	}
	kv_code_text(&text, code, session);
	buf_add_char(&text, '\0');
	if (buf_ok(&text, &e) < 0)
		api_text(c, 500, e.msg);
	else
		api_text(c, 500, text.data);
	buf_done(&text);
}

static void on_written(void *arg, enum node_outcome outcome, uint64_t index, struct span result)
{
	struct write *w = arg;
	struct write was = *w;
	struct http_call *c;
	struct api_head h = {0};
	struct kv_result kr;
	struct err e;

	(void)index;
	w->wait.ticket = NULL;
	c = api_wait_end(&w->wait);
	if (outcome != NODE_DONE) {
		api_outcome(c, outcome);
	} else if (kv_result_get(&kr, result, &e) < 0) {
		api_text(c, 500, e.msg);
	} else if (kv_code_is_no(kr.code)) {
		api_json_head(c, &was.query, 200, &h, (struct span){"false", 5});
	} else if (kr.code != KV_OK) {
		answer_code(c, kr.code, was.session);
	} else {
		if (was.wants_fence)
			api_head_fence(&h, kr.fence);
		api_json_head(c, &was.query, 200, &h, (struct span){"true", 4});
	}
}

/*
 * A client of one command, whose id follows from the name that the user gave it: when it comes
 * again it is not done again, and gets the answer of the first time.
 */
static void set_once(const struct api_request *r, struct kv_command *c)
{
	struct span name = http_in_header(http_call_request(r->call), "Idempotency-Key");
	unsigned char hash[HASH_BLAKE2B_LEN];

	c->has_once = name.len > 0;
	if (!c->has_once)
		return;
	hash_blake2b_256(name.p, name.len, hash);
	memcpy(c->once.client, hash, ID_LEN);
	c->once.seq = 1;
	c->once.first_outstanding = 1;
	c->once.ttl_ns = IDEMPOTENCY_TTL_NS;
}

static void propose(const struct api_request *r, const struct kv_op *op)
{
	struct write *w = api_wait_new(r, sizeof(*w));
	struct kv_command c;
	struct buf bytes = {0};
	struct err e = {.msg = "out of memory"};

	if (w == NULL)
		return;
	w->query = r->query;
	w->wants_fence = op->verb == KV_LOCK;
	memcpy(w->session, op->session, ID_LEN);
	/* Member by member: there is room for a whole transaction in it. */
	c.type = KV_ONE;
	c.want_entry = false;
	c.op_count = 1;
	c.ops[0] = *op;
	set_once(r, &c);
	/* One growth: what the members need that are not bytes of the user's is below 128. */
	(void)buf_reserve(&bytes, 128 + op->key.len + op->value.len);
	if (kv_command_put(&bytes, &c, &e) == 0)
		w->wait.ticket =
		    node_propose(r->api->node, (struct span){bytes.data, bytes.len}, on_written, w);
	buf_done(&bytes);
	if (w->wait.ticket == NULL)
		api_text(api_wait_end(&w->wait), 500, e.msg);
}

/* What a PUT is, by its parameters; -1 when it has answered. */
static int get_put(const struct api_request *r, struct kv_op *op)
{
	static const char *const exclusive[] = {"cas", "acquire", "release"};
	int got;

	op->verb = KV_SET;
	if (r->query.text.len == 0)
		return 0;
	if (has_conflict(r, exclusive, 3) || get_number(r, "flags", &op->flags) < 0)
		return -1;
	got = get_number(r, "cas", &op->index);
	if (got != 0) {
		op->verb = KV_CAS;
		return got < 0 ? -1 : 0;
	}
	got = get_session(r, "acquire", op->session);
	if (got != 0) {
		op->verb = KV_LOCK;
		return got < 0 ? -1 : 0;
	}
	got = get_session(r, "release", op->session);
	if (got != 0)
		op->verb = KV_UNLOCK;
	return got < 0 ? -1 : 0;
}

static void put(const struct api_request *r)
{
	struct kv_op op = {.value = r->body};
	struct buf room = {0};

	if (api_decode(r, r->rest, &room, &op.key) == 0 && check_key(r, op.key, false) &&
	    get_put(r, &op) == 0) {
		if (r->body.len > KV_VALUE_MAX)
			api_textf(r->call, 413,
			          "Request body(%zu bytes) too large, max size: %u bytes. See "
			          "raftd(8).",
			          r->body.len, KV_VALUE_MAX);
		else
			propose(r, &op);
	}
	buf_done(&room);
}

static int get_delete(const struct api_request *r, struct kv_op *op)
{
	static const char *const exclusive[] = {"recurse", "cas"};
	int got;

	op->verb = KV_DELETE;
	if (r->query.text.len == 0)
		return 0;
	if (has_conflict(r, exclusive, 2))
		return -1;
	if (consul_query_has(&r->query, "recurse")) {
		op->verb = KV_DELETE_TREE;
		return 0;
	}
	got = get_number(r, "cas", &op->index);
	if (got > 0)
		op->verb = KV_DELETE_CAS;
	return got < 0 ? -1 : 0;
}

static void delete (const struct api_request *r)
{
	struct kv_op op = {0};
	struct buf room = {0};

	if (api_decode(r, r->rest, &room, &op.key) == 0 && get_delete(r, &op) == 0 &&
	    check_key(r, op.key, op.verb == KV_DELETE_TREE))
		propose(r, &op);
	buf_done(&room);
}

void api_kv(const struct api_request *r)
{
	if (api_refuses_method(r, "GET,PUT,DELETE"))
		return;
	if (r->method.p[0] == 'P')
		put(r);
	else if (r->method.p[0] == 'D')
		delete (r);
	else
		get(r);
}
