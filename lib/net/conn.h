/*
 * conn: an HTTP/1.1 server on a libuv loop: connections, deadlines, limits, pipelining.
 *
 * A request is handed to the daemon when it is complete, as a call.  The daemon answers at once or
 * later, on the loop's thread; requests of one connection come one after the other, in their order.
 * While a call waits for its answer, the connection is read on (a little, for the next requests),
 * so that a client that hangs up is seen at once: then gone() is called, and the call is no more.
 *
 * What a peer may take is bounded: http_limits for a message; a deadline for a head from its first
 * byte, for a body from its head, and for an idle connection; connections_max, above which a new
 * connection is answered 503 and closed.  An answer that its client does not read is bounded by the
 * same deadline as a body.  Errors of framing are answered here and the connection is closed;
 * HEAD, Expect: 100-continue, keep-alive and Connection: close are done here, too.
 *
 * What is written in one turn of the loop goes out in one write per connection.
 */
#ifndef SHOAL_NET_CONN_H
#define SHOAL_NET_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "base/err.h"
#include "base/span.h"
#include "net/http.h"

struct http_server;
struct http_call;

struct http_server_config {
	uv_loop_t *loop;
	struct http_limits limits;
	uint32_t connections_max; /* 0: 20000 */
	uint32_t head_ms;         /* 0: 10000 */
	uint32_t body_ms;         /* 0: 60000 */
	uint32_t idle_ms;         /* 0: 300000 */
	/* A request is complete.  It is to be answered, now or later. */
	void (*request)(void *ctx, struct http_call *c);
	/* The client hung up (or the server closes) before the end of the answer; c ends here. */
	void (*gone)(void *ctx, struct http_call *c);
	void *ctx;
};

/* NULL with ENOMEM. */
struct http_server *http_server_new(const struct http_server_config *cfg, struct err *e);

/*
 * Listen: "127.0.0.1:8500", "[::1]:0" or "unix:/run/raftd.sock" (mode 0600; a socket that nobody
 * answers on is replaced).  *ret_port is the port that was given, 0 for unix.  May be called for
 * several addresses.  Fails with EINVAL or the error of bind(2).
 */
int http_server_listen(struct http_server *s, const char *address, uint16_t *ret_port,
                       struct err *e);

/* Stop listening; connections are closed as soon as they have no call.  Calls go on. */
void http_server_drain(struct http_server *s);
/* Close everything (calls are gone), and free s on the loop; closed() is called then. */
void http_server_close(struct http_server *s, void (*closed)(void *ctx));

struct http_server_stat {
	uint64_t connections, accepted, refused, requests, bad_requests;
	uint64_t bytes_in, bytes_out;
};
void http_server_get_stat(const struct http_server *s, struct http_server_stat *ret);

/* ---- A call; its request may be looked at until it is answered or gone. */

const struct http_in *http_call_request(const struct http_call *c);
/* The daemon's own word with it, NULL at first. */
void http_call_set_user(struct http_call *c, void *user);
void *http_call_user(const struct http_call *c);
/* "127.0.0.1:41234", or "unix" */
const char *http_call_peer(const struct http_call *c);
bool http_call_is_local(const struct http_call *c); /* loopback or a unix socket */

struct http_answer {
	unsigned status;
	const struct http_field *fields; /* Content-Type and what else; no Content-Length */
	size_t count;
	struct span body; /* copied; none for 204 and 304 */
};

/* Answer it; c is no more. */
void http_call_answer(struct http_call *c, const struct http_answer *a);

/*
 * Answer in pieces (chunked): begin (the body is the first piece, and may be empty), any number of
 * pieces, end.  http_call_queued() is what the client has not taken yet: a writer that is ahead by
 * much waits.  http_call_break() closes the connection without an end, so that the client knows
 * that it has not got all.  After end and break c is no more.
 */
void http_call_begin(struct http_call *c, const struct http_answer *a);
void http_call_piece(struct http_call *c, struct span data);
size_t http_call_queued(const struct http_call *c);
void http_call_end(struct http_call *c);
void http_call_break(struct http_call *c);

#endif
