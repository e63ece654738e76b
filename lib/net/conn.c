#include "net/conn.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "net/conn_impl.h"

#define CONNECTIONS_MAX 20000
#define HEAD_MS         10000
#define BODY_MS         60000
#define IDLE_MS         300000

/* ---- Pools. */

struct http_in *conn_take_in(struct http_server *s)
{
	if (s->ins_count > 0)
		return s->ins[--s->ins_count];
	return http_in_new(HTTP_REQUESTS, &s->cfg.limits);
}

void conn_give_in(struct http_server *s, struct http_in *in)
{
	if (in == NULL)
		return;
	if (s->ins_count == CONN_POOL_MAX) {
		http_in_free(in);
		return;
	}
	http_in_next(in);
	s->ins[s->ins_count++] = in;
}

void conn_take_buf(struct http_server *s, struct buf *b)
{
	if (b->data == NULL && s->bufs_count > 0)
		*b = s->bufs[--s->bufs_count];
}

void conn_give_buf(struct http_server *s, struct buf *b)
{
	if (b->data == NULL || b->cap > CONN_POOL_BYTES || s->bufs_count == CONN_POOL_MAX) {
		buf_done(b);
		return;
	}
	buf_clear(b);
	s->bufs[s->bufs_count++] = *b;
	*b = (struct buf){0};
}

/* ---- Deadlines: one timer for all, as each list is in order. */

static void on_timer(uv_timer_t *t);

static void unlist(struct http_call *c)
{
	struct conn_list *l = &c->server->list[c->wait];

	*(c->prev != NULL ? &c->prev->next : &l->first) = c->next;
	*(c->next != NULL ? &c->next->prev : &l->last) = c->prev;
}

static void enlist(struct http_call *c)
{
	struct conn_list *l = &c->server->list[c->wait];

	c->next = NULL;
	c->prev = l->last;
	*(l->last != NULL ? &l->last->next : &l->first) = c;
	l->last = c;
}

void conn_begin(struct http_call *c, struct http_server *s)
{
	c->server = s;
	c->uv.handle.data = c;
	c->wait = CONN_IDLE;
	enlist(c);
	s->handles++;
	s->stat.connections++;
}

static void set_timer(struct http_server *s, uint64_t deadline_ms)
{
	uint64_t now = uv_now(s->cfg.loop);

	if (s->closing || (s->timer_ms != 0 && s->timer_ms <= deadline_ms))
		return;
	s->timer_ms = deadline_ms;
	uv_timer_start(&s->timer, on_timer, deadline_ms > now ? deadline_ms - now : 0, 0);
}

void conn_wait(struct http_call *c, enum conn_wait wait)
{
	struct http_server *s = c->server;

	unlist(c);
	c->wait = wait;
	enlist(c);
	if (wait == CONN_CALL)
		return;
	c->deadline_ms = uv_now(s->cfg.loop) + s->wait_ms[wait];
	c->send_left = http_call_queued(c);
	set_timer(s, c->deadline_ms);
}

void conn_wait_on(struct http_call *c)
{
	enum conn_wait wait = CONN_IDLE;

	if (c->closing || c->wait == CONN_LINGER)
		return;
	if (c->send != NULL)
		wait = CONN_WRITE;
	else if (c->calling)
		wait = CONN_CALL;
	else if (c->in != NULL && http_in_has_begun(c->in))
		wait = http_in_has_head(c->in) ? CONN_BODY : CONN_HEAD;
	if (wait != c->wait)
		conn_wait(c, wait);
}

static void expire(struct http_call *c)
{
	switch (c->wait) {
	case CONN_HEAD:
	case CONN_BODY:
		conn_wait(c, CONN_LINGER);
		conn_refuse(c, 408, "the request took too long");
		return;
	case CONN_WRITE:
		/* Slow is not dead. */
		if (http_call_queued(c) < c->send_left)
			conn_wait(c, CONN_WRITE);
		else
			conn_reset(c);
		return;
	default:
		conn_close(c);
	}
}

static void on_timer(uv_timer_t *t)
{
	struct http_server *s = t->data;
	uint64_t now = uv_now(s->cfg.loop);

	s->timer_ms = 0;
	for (int i = 0; i < CONN_CALL; i++) {
		struct http_call *c;

		while ((c = s->list[i].first) != NULL && c->deadline_ms <= now)
			expire(c);
		if (c != NULL)
			set_timer(s, c->deadline_ms);
	}
}

/* ---- The end of a turn. */

void conn_mark(struct http_call *c)
{
	struct http_server *s = c->server;

	if (c->dirty || c->closing)
		return;
	c->dirty = true;
	c->dirty_next = s->dirty;
	s->dirty = c;
}

static void flush_all(struct http_server *s)
{
	/* Those that are marked meanwhile are done, too. */
	while (s->dirty != NULL) {
		struct http_call *c = s->dirty;

		s->dirty = c->dirty_next;
		c->dirty = false;
		if (!c->closing)
			conn_flush(c);
	}
}

static void on_prepare(uv_prepare_t *h)
{
	flush_all(h->data);
}

static void on_check(uv_check_t *h)
{
	flush_all(h->data);
}

/* ---- Ends. */

static void on_closed(uv_handle_t *h)
{
	struct http_call *c = h->data;
	struct http_server *s = c->server;

	/* What was under way has been cancelled. */
	assert(c->send == NULL);
	if (c->dirty) {
		struct http_call **at = &s->dirty;

		while (*at != c)
			at = &(*at)->dirty_next;
		*at = c->dirty_next;
	}
	conn_give_in(s, c->in);
	conn_give_buf(s, &c->out);
	conn_give_buf(s, &c->ahead);
	free(c);
	conn_handle_closed(s);
}

static void close_how(struct http_call *c, bool reset)
{
	struct http_server *s = c->server;

	if (c->closing)
		return;
	c->closing = true;
	unlist(c);
	if (c->refused)
		s->refused--;
	else
		s->stat.connections--;
	if (!reset || c->uv.handle.type != UV_TCP || uv_tcp_close_reset(&c->uv.tcp, on_closed) < 0)
		uv_close(&c->uv.handle, on_closed);
	if (c->calling) {
		c->calling = false;
		s->cfg.gone(s->cfg.ctx, c);
	}
}

void conn_close(struct http_call *c)
{
	close_how(c, false);
}

void conn_reset(struct http_call *c)
{
	close_how(c, true);
}

static void on_timer_closed(uv_handle_t *h)
{
	conn_handle_closed(h->data);
}

void conn_handle_closed(struct http_server *s)
{
	void (*closed)(void *ctx) = s->closed;
	void *ctx = s->cfg.ctx;

	if (--s->handles > 0)
		return;
	while (s->ins_count > 0)
		http_in_free(s->ins[--s->ins_count]);
	while (s->bufs_count > 0)
		buf_done(&s->bufs[--s->bufs_count]);
	free(s);
	if (closed != NULL)
		closed(ctx);
}

/* ---- The server. */

static void set_defaults(struct http_server *s)
{
	struct http_server_config *cfg = &s->cfg;

	cfg->connections_max = cfg->connections_max > 0 ? cfg->connections_max : CONNECTIONS_MAX;
	s->wait_ms[CONN_IDLE] = cfg->idle_ms > 0 ? cfg->idle_ms : IDLE_MS;
	s->wait_ms[CONN_HEAD] = cfg->head_ms > 0 ? cfg->head_ms : HEAD_MS;
	s->wait_ms[CONN_BODY] = cfg->body_ms > 0 ? cfg->body_ms : BODY_MS;
	s->wait_ms[CONN_WRITE] = s->wait_ms[CONN_BODY];
	s->wait_ms[CONN_LINGER] = CONN_LINGER_MS;
}

struct http_server *http_server_new(const struct http_server_config *cfg, struct err *e)
{
	struct http_server *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		err_set(e, ENOMEM, "out of memory");
		return NULL;
	}
	s->cfg = *cfg;
	set_defaults(s);
	/* None of these can fail. */
	uv_timer_init(cfg->loop, &s->timer);
	uv_prepare_init(cfg->loop, &s->prepare);
	uv_check_init(cfg->loop, &s->check);
	s->timer.data = s->prepare.data = s->check.data = s;
	uv_prepare_start(&s->prepare, on_prepare);
	uv_check_start(&s->check, on_check);
	uv_unref((uv_handle_t *)&s->timer);
	uv_unref((uv_handle_t *)&s->prepare);
	uv_unref((uv_handle_t *)&s->check);
	s->handles = 3;
	return s;
}

static void close_listeners(struct http_server *s)
{
	for (struct conn_listener *l = s->listeners; l != NULL; l = l->next)
		conn_listener_close(l);
	s->listeners = NULL;
}

void http_server_drain(struct http_server *s)
{
	struct http_call *next;

	s->draining = true;
	close_listeners(s);
	for (struct http_call *c = s->list[CONN_IDLE].first; c != NULL; c = next) {
		next = c->next;
		if (c->out.len > 0)
			c->last = true;
		else if (c->ahead.len == 0)
			conn_close(c);
	}
}

void http_server_close(struct http_server *s, void (*closed)(void *ctx))
{
	assert(!s->closing);
	s->closed = closed;
	s->draining = s->closing = true;
	close_listeners(s);
	for (int i = 0; i < CONN_WAITS; i++)
		while (s->list[i].first != NULL)
			conn_close(s->list[i].first);
	uv_close((uv_handle_t *)&s->timer, on_timer_closed);
	uv_close((uv_handle_t *)&s->prepare, on_timer_closed);
	uv_close((uv_handle_t *)&s->check, on_timer_closed);
}

void http_server_get_stat(const struct http_server *s, struct http_server_stat *ret)
{
	*ret = s->stat;
}

/* ---- What a call knows. */

const struct http_in *http_call_request(const struct http_call *c)
{
	return c->in;
}

void http_call_set_user(struct http_call *c, void *user)
{
	c->user = user;
}

void *http_call_user(const struct http_call *c)
{
	return c->user;
}

const char *http_call_peer(const struct http_call *c)
{
	return c->peer;
}

bool http_call_is_local(const struct http_call *c)
{
	return c->local;
}
