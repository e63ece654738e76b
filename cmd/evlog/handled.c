#include "handled.h"

#include <string.h>

#include "base/json_out.h"
#include "base/text.h"

static const struct span type = {"evlog.handled", 13};

void handled_init(struct handled *h, struct span stream, struct span id)
{
	struct err e;

	*h = (struct handled){.id = id};
	buf_add_str(&h->stream, HANDLED_PREFIX);
	buf_add(&h->stream, stream.p, stream.len);
	if (buf_ok(&h->stream, &e) < 0)
		fail(&e);
	h->parser = (struct event_parser){
	    .form = EVENT_DATA,
	    .stream = {h->stream.data, h->stream.len},
	    .type = type,
	    .id = id,
	};
}

void handled_done(struct handled *h)
{
	buf_done(&h->stream);
	event_parser_done(&h->parser);
}

static bool get_u64(const struct json_doc *doc, const char *key, uint64_t max, uint64_t *ret)
{
	const struct json_value *v = json_find(doc, key);
	struct err ignored;

	return v != NULL && json_get_u64(v, ret, &ignored) == 0 && *ret <= max;
}

static bool parse(const struct frame *f, struct outcome *ret)
{
	const struct json_value *v;
	struct json_doc doc;
	struct err ignored;
	uint64_t version;
	uint64_t count;
	uint64_t seq;

	if (!span_is(f->type, type) || json_scan(f->data.p, f->data.len, &doc, &ignored) < 0 ||
	    !get_u64(&doc, "count", COMMIT_EVENTS_MAX, &count))
		return false;
	*ret = (struct outcome){.known = (uint32_t)count, .duplicate = true};
	v = json_find(&doc, "version");
	if (v != NULL && count == 0 && json_string_is(v, "none"))
		return true;
	seq = f->seq - 1;
	if (!get_u64(&doc, "version", UINT32_MAX - 1, &version) || count > version + 1 ||
	    (count == 0 && !get_u64(&doc, "sequence", FRAME_SEQ_MAX, &seq)))
		return false;
	ret->exists = true;
	ret->last = (uint32_t)version;
	ret->first = (uint32_t)(version + 1 - count);
	ret->seq = seq;
	return true;
}

/*
 * The command's last event stands right before the one that tells of it, unless they were imported
 * or it is no more.  What it says is right in any case; the other one was written when it was not
 * yet sure which version comes next in a stream that is being deleted.
 */
static void look_at_event(const struct handled *h, struct evlog *s, struct outcome *o)
{
	struct span name = {h->stream.data + HANDLED_PREFIX_LEN,
	                    h->stream.len - HANDLED_PREFIX_LEN};
	struct frame f;
	struct err ignored;

	if (o->known == 0)
		return;
	if (evlog_get(s, o->seq, &f, &ignored) > 0 && span_is(f.stream, name)) {
		o->first += f.version - o->last;
		o->last = f.version;
	} else if (evlog_at(s, name, o->last, evlog_durable(s), &f, &ignored) > 0) {
		o->seq = f.seq;
	}
}

bool handled_find(struct handled *h, struct evlog *s, struct outcome *ret)
{
	struct frame f;
	struct err e;
	int r = evlog_find(s, h->parser.stream, h->id, evlog_durable(s), &f, &e);

	if (r < 0)
		fail(&e);
	if (r > 0 && !parse(&f, ret))
		tool_dief(TOOL_DATA, "event '%.*s' of stream '%.*s' does not tell of a command",
		          (int)h->id.len, h->id.p, (int)h->stream.len, h->stream.data);
	if (r > 0)
		look_at_event(h, s, ret);
	return r > 0;
}

int handled_add(struct handled *h, struct evlog *s, struct commit *c, const struct outcome *o,
                struct err *e)
{
	struct buf data = {0};
	struct event ev;
	int r;

	buf_add_char(&data, '{');
	json_out_key(&data, "version");
	if (o->exists)
		json_out_u64_string(&data, o->last);
	else
		json_out_string(&data, "none", 4);
	json_out_key(&data, "count");
	json_out_u64(&data, o->count);
	if (o->exists && o->count == 0) {
		json_out_key(&data, "sequence");
		json_out_seq(&data, o->seq);
	}
	buf_add_char(&data, '}');
	r = buf_ok(&data, e);
	if (r == 0)
		r = event_parse(&h->parser, data.data, data.len, &ev, e);
	if (r == 0)
		r = commit_add(c, s, &ev, e);
	buf_done(&data);
	return r;
}

void outcome_put(struct buf *b, struct span stream, const struct outcome *o)
{
	buf_add_char(b, '{');
	json_out_key(b, "stream");
	json_out_string(b, stream.p, stream.len);
	if (o->count + o->known > 0) {
		json_out_key(b, "first");
		json_out_u64_string(b, o->first);
	}
	json_out_key(b, "last");
	if (o->exists)
		json_out_u64_string(b, o->last);
	else
		json_out_string(b, "none", 4);
	json_out_key(b, "sequence");
	json_out_seq(b, o->exists ? o->seq : 0);
	json_out_key(b, "count");
	json_out_u64(b, o->count);
	if (o->known > 0) {
		json_out_key(b, "known");
		json_out_u64(b, o->known);
	}
	json_out_key(b, "duplicate");
	buf_add_str(b, o->duplicate ? "true" : "false");
	buf_add_str(b, ",\"durable\":true}\n");
}
