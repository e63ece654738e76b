#include "net/conn_impl.h"

#include <assert.h>
#include <errno.h>

/* ---- What is wrong with a request. */

void conn_refuse(struct http_call *c, unsigned status, const char *why)
{
	struct http_server *s = c->server;
	const struct http_field text = {{"Content-Type", 12}, {"text/plain; charset=utf-8", 25}};

	if (!c->refused)
		s->stat.bad_requests++;
	conn_take_buf(s, &c->out);
	http_put_response(&c->out, status, &text, 1, (int64_t)strlen(why), HTTP_LAST);
	buf_add_str(&c->out, why);
	c->last = true;
	conn_mark(c);
}

static void refuse(struct http_call *c, const struct err *e)
{
	conn_refuse(c, e->code == ENOMEM ? 503 : (unsigned)e->code, e->msg);
}

/* ---- Requests. */

static void say_continue(struct http_call *c)
{
	static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";

	if (c->continued || http_in_is_complete(c->in) || !http_in_has_head(c->in) ||
	    !http_in_expects_continue(c->in))
		return;
	c->continued = true;
	/* Who sends on does not wait for it. */
	if (http_in_body(c->in).len > 0)
		return;
	conn_take_buf(c->server, &c->out);
	buf_add(&c->out, text, sizeof(text) - 1);
	conn_mark(c);
}

static void call(struct http_call *c)
{
	struct http_server *s = c->server;
	struct span method = http_in_method(c->in);

	s->stat.requests++;
	c->calling = true;
	c->begun = c->chunked = false;
	c->user = NULL;
	c->head_only = method.len == 4 && memcmp(method.p, "HEAD", 4) == 0;
	conn_wait(c, CONN_CALL);
	s->cfg.request(s->cfg.ctx, c);
}

bool conn_may_go_on(const struct http_call *c)
{
	return !c->calling && !c->closing && !c->last && http_call_queued(c) < CONN_OUT_MAX;
}

/* Take requests from these bytes as far as they may be looked at now: the bytes taken. */
static size_t process(struct http_call *c, const char *p, size_t n)
{
	size_t at = 0;
	struct err e;

	c->processing = true;
	while (at < n && conn_may_go_on(c)) {
		ssize_t taken;

		if (c->in == NULL)
			c->in = conn_take_in(c->server);
		if (c->in == NULL) {
			conn_refuse(c, 503, "out of memory");
			break;
		}
		taken = http_in_feed(c->in, p + at, n - at, &e);
		if (taken < 0) {
			refuse(c, &e);
			break;
		}
		at += (size_t)taken;
		if (http_in_is_complete(c->in))
			call(c);
		else
			say_continue(c);
	}
	c->processing = false;
	return at;
}

/* Nothing of a next request: the reader is not needed. */
static void rest(struct http_call *c)
{
	if (c->in != NULL && !c->calling && !http_in_has_begun(c->in)) {
		conn_give_in(c->server, c->in);
		c->in = NULL;
	}
}

static void stop_or_go(struct http_call *c)
{
	bool pause = c->ahead.len - c->ahead_at >= CONN_AHEAD_MAX;

	if (c->closing || c->eof || pause == c->paused)
		return;
	c->paused = pause;
	if (pause)
		uv_read_stop(&c->uv.stream);
	else if (conn_read_start(c) < 0)
		conn_close(c);
}

static void process_ahead(struct http_call *c)
{
	c->ahead_at += process(c, c->ahead.data + c->ahead_at, c->ahead.len - c->ahead_at);
	if (c->ahead_at == c->ahead.len || c->last) {
		conn_give_buf(c->server, &c->ahead);
		c->ahead_at = 0;
	}
}

void conn_resume(struct http_call *c)
{
	if (c->ahead.len > 0 && (c->last || conn_may_go_on(c)))
		process_ahead(c);
	if (c->closing)
		return;
	rest(c);
	stop_or_go(c);
	conn_wait_on(c);
}

static void add_ahead(struct http_call *c, const char *p, size_t n)
{
	if (c->ahead_at > 0) {
		buf_consume(&c->ahead, c->ahead_at);
		c->ahead_at = 0;
	}
	conn_take_buf(c->server, &c->ahead);
	buf_add(&c->ahead, p, n);
	if (c->ahead.failed)
		conn_close(c);
}

static void input(struct http_call *c, const char *p, size_t n)
{
	size_t taken = 0;

	/* After the last answer, what still comes is not for us. */
	if (c->last)
		return;
	if (c->ahead.len == 0)
		taken = process(c, p, n);
	if (taken < n && !c->closing && !c->last)
		add_ahead(c, p + taken, n - taken);
	if (!c->closing)
		conn_resume(c);
}

/* ---- The stream. */

static void on_alloc(uv_handle_t *h, size_t size, uv_buf_t *ret)
{
	struct http_call *c = h->data;

	(void)size;
	*ret = uv_buf_init(c->server->read_buf, CONN_READ_SIZE);
}

static void on_read(uv_stream_t *h, ssize_t n, const uv_buf_t *b)
{
	struct http_call *c = h->data;

	if (n == 0 || c->closing)
		return;
	if (n > 0) {
		c->server->stat.bytes_in += (uint64_t)n;
		input(c, b->base, (size_t)n);
		return;
	}
	c->eof = true;
	uv_read_stop(h);
	/* Who hangs up takes no answer; but what was answered is still sent. */
	if (n != UV_EOF || c->calling || http_call_queued(c) == 0) {
		conn_close(c);
		return;
	}
	c->last = true;
	conn_mark(c);
}

int conn_read_start(struct http_call *c)
{
	return uv_read_start(&c->uv.stream, on_alloc, on_read);
}
