#include "net/conn_impl.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/socket.h>

/* ---- Writing. */

/* All is sent that will be: the client is to see the end, and that no reset overtakes it. */
static void finish(struct http_call *c)
{
	int fd;

	if (c->eof || uv_fileno(&c->uv.handle, &fd) < 0 || shutdown(fd, SHUT_WR) < 0) {
		conn_close(c);
		return;
	}
	if (c->wait != CONN_LINGER)
		conn_wait(c, CONN_LINGER);
}

static void on_written(uv_write_t *req, int status)
{
	struct conn_send *send = req->data;
	struct http_call *c = req->handle->data;

	conn_give_buf(c->server, &send->data);
	free(send);
	c->send = NULL;
	if (c->closing)
		return;
	if (status < 0) {
		conn_close(c);
		return;
	}
	/* What is next may wait for this, and the deadline is a new one. */
	conn_wait_on(c);
	conn_mark(c);
}

static bool queue(struct http_call *c, size_t sent)
{
	struct conn_send *send = calloc(1, sizeof(*send));
	uv_buf_t b;

	if (send == NULL)
		return false;
	send->data = c->out;
	send->req.data = send;
	c->out = (struct buf){0};
	b = uv_buf_init(send->data.data + sent, (unsigned)(send->data.len - sent));
	c->send = send;
	if (uv_write(&send->req, &c->uv.stream, &b, 1, on_written) == 0)
		return true;
	c->send = NULL;
	buf_done(&send->data);
	free(send);
	return false;
}

/* false: the connection is no more. */
static bool write_out(struct http_call *c)
{
	size_t len = c->out.len;
	uv_buf_t b = uv_buf_init(c->out.data, (unsigned)len);
	int r;

	if (c->out.failed) {
		conn_reset(c);
		return false;
	}
	if (len == 0 || c->send != NULL)
		return true;
	r = uv_try_write(&c->uv.stream, &b, 1);
	if (r < 0 && r != UV_EAGAIN) {
		conn_close(c);
		return false;
	}
	c->server->stat.bytes_out += len;
	if (r == (int)len) {
		conn_give_buf(c->server, &c->out);
		return true;
	}
	if (queue(c, r > 0 ? (size_t)r : 0))
		return true;
	conn_close(c);
	return false;
}

void conn_flush(struct http_call *c)
{
	/* What came ahead gets less in each round. */
	do {
		conn_resume(c);
		if (c->closing || !write_out(c))
			return;
	} while (c->ahead.len > 0 && c->send == NULL && conn_may_go_on(c));
	if (c->server->draining && !c->calling && c->in == NULL && c->ahead.len == 0)
		c->last = true;
	if (c->send == NULL && c->last && !c->calling)
		finish(c);
	conn_wait_on(c);
}

size_t http_call_queued(const struct http_call *c)
{
	return c->out.len + uv_stream_get_write_queue_size(&c->uv.stream);
}

/* ---- Answers. */

static void put_head(struct http_call *c, const struct http_answer *a, int64_t length)
{
	bool keep = http_in_keeps_alive(c->in) && length != HTTP_UNTIL_CLOSE;
	unsigned flags = http_in_is_old(c->in) ? HTTP_KEEP : 0;

	if (!keep || c->server->draining) {
		c->last = true;
		flags = HTTP_LAST;
	}
	conn_take_buf(c->server, &c->out);
	http_put_response(&c->out, a->status, a->fields, a->count, length, flags);
}

static void done(struct http_call *c)
{
	c->calling = false;
	c->continued = false;
	http_in_next(c->in);
	conn_mark(c);
	/* The idle time begins anew. */
	if (c->wait == CONN_CALL)
		conn_wait_on(c);
}

void http_call_answer(struct http_call *c, const struct http_answer *a)
{
	bool bare = a->status == 204 || a->status == 304;

	assert(c->calling && !c->begun);
	put_head(c, a, bare ? 0 : (int64_t)a->body.len);
	if (!c->head_only && !bare)
		buf_add(&c->out, a->body.p, a->body.len);
	done(c);
}

void http_call_begin(struct http_call *c, const struct http_answer *a)
{
	assert(c->calling && !c->begun);
	c->begun = true;
	c->chunked = !http_in_is_old(c->in);
	put_head(c, a, c->chunked ? HTTP_CHUNKED : HTTP_UNTIL_CLOSE);
	conn_mark(c);
	http_call_piece(c, a->body);
}

void http_call_piece(struct http_call *c, struct span data)
{
	assert(c->calling && c->begun);
	if (c->head_only || data.len == 0)
		return;
	conn_take_buf(c->server, &c->out);
	if (c->chunked)
		http_put_chunk(&c->out, data);
	else
		buf_add(&c->out, data.p, data.len);
	conn_mark(c);
}

void http_call_end(struct http_call *c)
{
	assert(c->calling && c->begun);
	conn_take_buf(c->server, &c->out);
	if (c->chunked && !c->head_only)
		http_put_last_chunk(&c->out);
	done(c);
}

void http_call_break(struct http_call *c)
{
	assert(c->calling && c->begun);
	c->calling = false;
	if (!write_out(c))
		return;
	/* Without chunks, the end of the stream would be the end of the body. */
	if (c->chunked)
		conn_close(c);
	else
		conn_reset(c);
}
