/*
 * ttl: put with a time to live.
 *
 * The key is locked by a session that deletes it when it ends, and that is named after us.  Put
 * again, the session is renewed; with another time to live, another session takes the key over, in
 * one transaction.  A key that is locked by anybody else is not ours to put.
 */
#include <assert.h>

#include "base/base64.h"
#include "base/json_out.h"
#include "base/text.h"
#include "raftctl.h"

#define SESSION_NAME "raftctl put --ttl"
#define TRIES        5 /* each is lost to somebody who changed the key at that moment */

enum ttl_result { TTL_DONE, TTL_AGAIN, TTL_NOT_OURS };

/* The session that holds the key is appended; nothing: there is none. */
static void get_holder(const struct ttl_put *p, struct buf *session)
{
	struct ask a = {.writes = false};
	const struct http_in *in;
	struct entry e = {.index = 0};
	struct json_member m;
	struct json_each it;
	struct json_doc d;

	ask_begin(&a, "GET", "/v1/kv/", span_of(p->key));
	in = store_ask(p->st, &a);
	if (answer_is_there(p->st, in)) {
		answer_json(p->st, in, &d);
		if (d.value.type != JSON_ARRAY)
			answer_is_odd(p->st, in);
		json_each_begin(&it, &d.value);
		if (json_each_next(&it, &m))
			entry_read(p->st, &m.value, &e);
		buf_add(session, e.session.data, e.session.len);
		check_buf(session);
	}
	entry_done(&e);
	ask_done(&a);
}

static struct span whole(const struct buf *b)
{
	return (struct span){b->data, b->len};
}

/* Set the value under that session; false: another one has the key. */
static bool acquire(const struct ttl_put *p, const struct buf *session)
{
	struct ask a = {.body = p->value, .writes = true};
	struct buf id = {0};
	bool done;

	buf_add(&id, session->data, session->len);
	buf_add_char(&id, '\0');
	check_buf(&id);
	ask_begin(&a, "PUT", "/v1/kv/", span_of(p->key));
	ask_param(&a, "acquire", id.data);
	if (p->has_flags)
		ask_param_u64(&a, "flags", p->flags);
	done = answer_is_true(p->st, store_ask(p->st, &a));
	buf_done(&id);
	ask_done(&a);
	return done;
}

static void create(const struct ttl_put *p, struct buf *id)
{
	struct session_spec s = {.name = SESSION_NAME,
	                         .behavior = "delete",
	                         .ttl_ns = p->ttl_ns,
	                         .has_lock_delay = true};

	session_create(p->st, &s, id);
}

static enum ttl_result take_free(const struct ttl_put *p)
{
	enum ttl_result result = TTL_DONE;
	struct buf id = {0};

	create(p, &id);
	if (!acquire(p, &id)) {
		session_destroy(p->st, whole(&id));
		result = TTL_AGAIN;
	}
	buf_done(&id);
	return result;
}

/* One operation of a transaction. */
static void put_operation(struct buf *b, const struct ttl_put *p, const char *verb,
                          const struct buf *session)
{
	buf_printf(b, "%s{\"KV\":{\"Verb\":\"%s\",\"Key\":", b->len > 1 ? "," : "", verb);
	json_out_string(b, p->key, span_of(p->key).len);
	buf_add_str(b, ",\"Value\":\"");
	base64_encode(b, p->value.p, p->value.len);
	buf_printf(b, "\",\"Flags\":%ju,\"Session\":", (uintmax_t)p->flags);
	json_out_string(b, session->data, session->len);
	buf_add_str(b, "}}");
}

/* From the session that has it to one with another time to live. */
static enum ttl_result take_over(const struct ttl_put *p, const struct buf *from)
{
	struct ask a = {.writes = true};
	enum ttl_result result;
	struct buf body = {0};
	struct buf id = {0};

	if (!text_is_utf8(p->key, span_of(p->key).len))
		tool_dief(TOOL_CONFIG,
		          "key '%s': its time to live cannot be changed: it is not UTF-8", p->key);
	create(p, &id);
	buf_add_char(&body, '[');
	put_operation(&body, p, "unlock", from);
	put_operation(&body, p, "lock", &id);
	buf_add_char(&body, ']');
	check_buf(&body);
	a.body = whole(&body);
	ask_begin(&a, "PUT", "/v1/txn", (struct span){NULL, 0});
	result = http_in_status(store_ask(p->st, &a)) == 200 ? TTL_DONE : TTL_AGAIN;
	session_destroy(p->st, whole(result == TTL_DONE ? from : &id));
	ask_done(&a);
	buf_done(&body);
	buf_done(&id);
	return result;
}

static bool has_same_ttl(const struct ttl_put *p, const struct buf *holder)
{
	struct buf text = {0};
	uint64_t ns = 0;
	struct err e;

	(void)session_member(p->st, whole(holder), "TTL", &text);
	buf_add_char(&text, '\0');
	check_buf(&text);
	if (text_duration_ns(text.data, &ns, &e) < 0)
		ns = 0;
	buf_done(&text);
	return ns == p->ttl_ns;
}

static enum ttl_result put_held(const struct ttl_put *p, const struct buf *holder)
{
	struct buf name = {0};
	bool there = session_member(p->st, whole(holder), "Name", &name);
	bool ours = there && span_is(whole(&name), span_of(SESSION_NAME));

	buf_done(&name);
	if (!there)
		return TTL_AGAIN;
	if (!ours)
		return TTL_NOT_OURS;
	if (!has_same_ttl(p, holder))
		return take_over(p, holder);
	if (!session_renew(p->st, whole(holder)))
		return TTL_AGAIN;
	return acquire(p, holder) ? TTL_DONE : TTL_AGAIN;
}

int ttl_put(const struct ttl_put *p)
{
	enum ttl_result result = TTL_AGAIN;
	struct buf holder = {0};

	for (int i = 0; i < TRIES && result == TTL_AGAIN; i++) {
		buf_clear(&holder);
		get_holder(p, &holder);
		result = holder.len == 0 ? take_free(p) : put_held(p, &holder);
	}
	if (result == TTL_NOT_OURS)
		say_no("key '%s' is locked by session %.*s", p->key, (int)holder.len, holder.data);
	buf_done(&holder);
	if (result == TTL_AGAIN)
		tool_dief(TOOL_TEMPFAIL, "key '%s' is being changed by others all the time",
		          p->key);
	return result == TTL_DONE ? TOOL_OK : TOOL_NO;
}
