#include "net/httpc.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "net/httpc_dial.h"
#include "os/clock.h"
#include "os/wait.h"

#define READ_SIZE ((size_t)32 * 1024)

struct httpc {
	struct httpc_config cfg;
	size_t hosts;
	size_t at; /* the host of this call, and the first one of the next */
	char host[HTTPC_HOST_MAX];
	int fd; /* -1: no connection */
	struct http_in *in;
	struct buf out;
	struct buf tried; /* "'a:1': why; 'b:2': why" */
};

/* One request over one connection. */
struct exchange {
	const struct httpc_request *r;
	size_t sent;     /* bytes of c->out */
	bool broken;     /* nothing more can be sent */
	bool begun;      /* bytes of the answer came */
	bool handed_out; /* also to the caller's piece() */
	bool spoilt;     /* what came after the answer is none of ours */
};

struct httpc *httpc_new(const struct httpc_config *cfg, struct err *e)
{
	struct httpc *c;

	if (cfg->url->scheme != URL_HTTP && cfg->url->scheme != URL_UNIX) {
		err_set(e, EINVAL, "%s: is not spoken here: name an http:// or a unix: URL",
		        url_scheme_name(cfg->url->scheme));
		return NULL;
	}
	c = calloc(1, sizeof(*c));
	if (c == NULL) {
		err_set(e, ENOMEM, "out of memory");
		return NULL;
	}
	c->cfg = *cfg;
	c->hosts = cfg->url->hosts > 0 ? cfg->url->hosts : 1;
	c->at = cfg->start % c->hosts;
	c->fd = -1;
	httpc_host_name(c->host, cfg->url, c->at, cfg->port);
	return c;
}

static void hang_up(struct httpc *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

void httpc_free(struct httpc *c)
{
	if (c == NULL)
		return;
	hang_up(c);
	http_in_free(c->in);
	buf_done(&c->out);
	buf_done(&c->tried);
	free(c);
}

const char *httpc_host(const struct httpc *c)
{
	return c->host;
}

void httpc_next(struct httpc *c)
{
	hang_up(c);
	c->at = (c->at + 1) % c->hosts;
}

/* ---- A connection. */

/* The server has closed it, or says what nobody asked for. */
static bool is_stale(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, MSG_PEEK);

	return n >= 0 || (errno != EAGAIN && errno != EINTR);
}

static int connect_host(struct httpc *c, int64_t deadline_ns, struct err *e)
{
	int64_t soon = wait_deadline_ms(HTTPC_CONNECT_MS);

	http_in_free(c->in); /* one that has met an error reads no more */
	c->in = http_in_new(HTTP_RESPONSES, &c->cfg.limits);
	if (c->in == NULL)
		return err_set(e, ENOMEM, "out of memory");
	c->fd =
	    httpc_dial(c->cfg.url, c->at, c->cfg.port, deadline_ns < soon ? deadline_ns : soon, e);
	return c->fd < 0 ? -1 : 0;
}

/* ---- A request and its answer. */

static int compose(struct httpc *c, const struct httpc_request *r, struct err *e)
{
	const char *name = c->cfg.url->scheme == URL_UNIX ? "localhost" : c->host;

	buf_clear(&c->out);
	http_put_request(&c->out, r->method, r->target, name, r->fields, r->count,
	                 (int64_t)r->body.len);
	buf_add(&c->out, r->body.p, r->body.len);
	return buf_ok(&c->out, e);
}

/* A server may answer and close before it has read all: what it says is still to be read. */
static void send_more(struct httpc *c, struct exchange *x)
{
	while (x->sent < c->out.len && !x->broken) {
		ssize_t n = send(c->fd, c->out.data + x->sent, c->out.len - x->sent, MSG_NOSIGNAL);

		if (n >= 0)
			x->sent += (size_t)n;
		else if (errno == EAGAIN)
			return;
		else if (errno != EINTR)
			x->broken = true;
	}
}

static int hand_out(struct httpc *c, struct exchange *x, struct err *e)
{
	struct span body;

	if (x->r->piece == NULL || !http_in_has_head(c->in) || http_in_status(c->in) / 100 != 2)
		return 0;
	body = http_in_body(c->in);
	if (body.len == 0)
		return 0;
	x->handed_out = true;
	if (x->r->piece(x->r->ctx, body) != 0)
		return err_set(e, ECANCELED, "ended by the caller");
	http_in_body_drop(c->in);
	return 0;
}

static int refuse(struct err *e)
{
	if (e->code == ENOMEM)
		return -1;
	e->code = e->code == 413 || e->code == 431 ? EMSGSIZE : EPROTO;
	return err_wrap(e, "its answer");
}

static void expect_answer(struct httpc *c, const struct exchange *x)
{
	if (strcmp(x->r->method, "HEAD") == 0)
		http_in_expect_no_body(c->in);
}

/* 1 when the answer is complete.  n of 0: the stream has ended. */
static int take(struct httpc *c, struct exchange *x, const char *p, size_t n, struct err *e)
{
	bool end = n == 0;

	while (n > 0 || end) {
		ssize_t took = http_in_feed(c->in, p, n, e);

		if (took < 0)
			return refuse(e);
		if (hand_out(c, x, e) < 0)
			return -1;
		if (!http_in_is_complete(c->in))
			return 0;
		p += took;
		n -= (size_t)took;
		x->spoilt = n > 0 || end;
		/* 100 Continue and 103 Early Hints come before the answer. */
		if (http_in_status(c->in) >= 200 || http_in_status(c->in) == 101)
			return 1;
		http_in_next(c->in);
		expect_answer(c, x);
	}
	return 0;
}

/* 1 when the answer is complete. */
static int receive(struct httpc *c, struct exchange *x, struct err *e)
{
	char bytes[READ_SIZE];
	ssize_t n = recv(c->fd, bytes, sizeof(bytes), 0);
	int status;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n < 0)
		return err_sys(e, "read");
	x->begun |= n > 0;
	if (n == 0 && !x->begun)
		return err_set(e, ECONNRESET, "it closed the connection without an answer");
	status = take(c, x, bytes, (size_t)n, e);
	if (n == 0 && status == 0)
		return err_set(e, ECONNRESET, "it closed the connection in its answer");
	return status;
}

static int converse(struct httpc *c, struct exchange *x, int64_t deadline_ns, struct err *e)
{
	int status = 0;

	expect_answer(c, x);
	while (status == 0) {
		struct pollfd p = {.fd = c->fd, .events = POLLIN};
		int n;

		send_more(c, x);
		if (x->sent < c->out.len && !x->broken)
			p.events |= POLLOUT;
		n = wait_ready(&p, 1, deadline_ns, e);
		if (n < 0)
			return -1;
		if (n == 0)
			return err_set(e, ETIMEDOUT, "no answer in time");
		if ((p.revents & ~POLLOUT) != 0)
			status = receive(c, x, e);
	}
	return status < 0 ? -1 : 0;
}

/* ---- A call. */

/* Until when this host may take, when others could be tried after it. */
static int64_t share(const struct httpc_request *r, size_t hosts_left)
{
	int64_t now = clock_mono_ns();

	if (r->deadline_ns == WAIT_FOREVER || hosts_left <= 1 || r->deadline_ns <= now)
		return r->deadline_ns;
	return now + (r->deadline_ns - now) / (int64_t)hosts_left;
}

static int64_t patience(const struct httpc_request *r, size_t hosts_left)
{
	int64_t now = clock_mono_ns();

	if (!r->idempotent)
		return r->deadline_ns;
	if (r->answer_ns == 0)
		return share(r, hosts_left);
	return r->answer_ns < r->deadline_ns - now ? now + r->answer_ns : r->deadline_ns;
}

/* Once to this host, by the connection there is or a new one. */
static int try_host(struct httpc *c, struct exchange *x, size_t hosts_left, struct err *e)
{
	httpc_host_name(c->host, c->cfg.url, c->at, c->cfg.port);
	if (compose(c, x->r, e) < 0)
		return -1;
	if (c->fd >= 0)
		http_in_next(c->in);
	else if (connect_host(c, share(x->r, hosts_left), e) < 0)
		return -1;
	if (converse(c, x, patience(x->r, hosts_left), e) < 0) {
		hang_up(c);
		return -1;
	}
	if (x->spoilt || x->sent < c->out.len || !http_in_keeps_alive(c->in))
		hang_up(c);
	return 0;
}

static void note_failure(struct httpc *c, const struct err *e)
{
	buf_printf(&c->tried, "%s'%s': %s", c->tried.len > 0 ? "; " : "", c->host, e->msg);
}

/* May the request go out once more, after this? */
static bool may_go_on(const struct exchange *x, const struct err *e)
{
	if (e->code == ENOMEM || e->code == ECANCELED || x->handed_out)
		return false;
	if (clock_mono_ns() >= x->r->deadline_ns)
		return false;
	return x->sent == 0 || x->r->idempotent;
}

int httpc_call(struct httpc *c, const struct httpc_request *r, const struct http_in **ret,
               enum httpc_sent *sent, struct err *e)
{
	size_t left = c->hosts;
	struct exchange x;
	bool kept;

	*sent = HTTPC_NOT_SENT;
	buf_clear(&c->tried);
	if (c->fd >= 0 && is_stale(c->fd))
		hang_up(c);
	do {
		kept = c->fd >= 0;
		x = (struct exchange){.r = r};
		if (try_host(c, &x, left, e) == 0) {
			*ret = c->in;
			return 0;
		}
		if (x.sent > 0)
			*sent = HTTPC_UNKNOWN;
		/* A kept connection may end at any time, which says nothing of its host. */
		if (kept && !x.begun && e->code != ETIMEDOUT && may_go_on(&x, e))
			continue;
		note_failure(c, e);
		c->at = (c->at + 1) % c->hosts;
		left--;
	} while (left > 0 && may_go_on(&x, e));
	if (c->tried.len > 0 && !c->tried.failed)
		err_set(e, e->code, "%.*s", (int)c->tried.len, c->tried.data);
	return -1;
}
