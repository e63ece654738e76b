/*
 * httpc: a small HTTP/1.1 client for one-shot tools: one connection, one request at a time.
 *
 * http://HOST:PORT and unix:PATH; what needs TLS, proxies or redirects is not for it.  Blocking,
 * with a deadline for each call; a connection is kept between calls and made anew when the server
 * has closed it meanwhile.  No libuv, no globals.
 *
 * Hosts: of several (struct url) the first one is drawn by `start`; the next one is tried when
 * there is no connection.  A request of which a byte has left is sent again, to the same host or
 * the next one, only if the caller says that it may be (idempotent) and nothing of the answer was
 * handed out.  What an answer says is the caller's: a host that says "not I, not now" is passed
 * with httpc_next().
 *
 * Times: while hosts are left to be tried, one gets its share of the time to the deadline: to
 * connect (at most HTTPC_CONNECT_MS), and for an idempotent request to answer.  Names are resolved
 * by getaddrinfo(3), which knows no deadline; addresses need no resolving.
 */
#ifndef SHOAL_NET_HTTPC_H
#define SHOAL_NET_HTTPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "base/url.h"
#include "net/http.h"

#define HTTPC_CONNECT_MS 5000

struct httpc;

struct httpc_config {
	const struct url *url;     /* URL_HTTP or URL_UNIX; borrowed */
	uint16_t port;             /* of hosts that name none */
	uint32_t start;            /* random: the host to begin with */
	struct http_limits limits; /* of an answer */
};

/* How far a call that failed may have come. */
enum httpc_sent {
	HTTPC_NOT_SENT, /* surely not done: exit 75 or 69 */
	HTTPC_UNKNOWN,  /* sent, or partly, and no whole answer: exit 76 for what changes something
	                 */
};

struct httpc_request {
	const char *method;
	struct span target; /* encoded, begins with '/' */
	const struct http_field *fields;
	size_t count;
	struct span body; /* of PUT and POST also when it is empty */
	bool idempotent;
	int64_t deadline_ns; /* clock_mono_ns(), or WAIT_FOREVER */
	/* How long one host may take to answer, in place of its share, 0: its share. */
	int64_t answer_ns;
	/* Where not NULL: pieces of the body of a 2xx answer as they come; not 0 ends it
	 * (ECANCELED). */
	int (*piece)(void *ctx, struct span data);
	void *ctx;
};

/* NULL with ENOMEM, or EINVAL for a URL of another scheme. */
struct httpc *httpc_new(const struct httpc_config *cfg, struct err *e);
void httpc_free(struct httpc *c); /* NULL is fine */

/*
 * One request.  0: *ret is the answer (any status), borrowed until the next call.  -1: ETIMEDOUT,
 * ECONNREFUSED and the like, EPROTO (no HTTP), EMSGSIZE (over the limits), ECANCELED, ENOMEM; *sent
 * says how far it came.  The message names each host that was tried, and why it did not do:
 * "'a:8500': connect: Connection refused; 'b:8500': no answer in time".
 */
int httpc_call(struct httpc *c, const struct httpc_request *r, const struct http_in **ret,
               enum httpc_sent *sent, struct err *e);

/* The next call begins with the next host (of one: with a new connection). */
void httpc_next(struct httpc *c);

/* "127.0.0.1:8500", or the path of the socket; of the last call. */
const char *httpc_host(const struct httpc *c);

#endif
