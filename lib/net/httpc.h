/*
 * httpc: a small HTTP/1.1 client for one-shot tools: one connection, one request at a time.
 *
 * http://HOST:PORT and unix:PATH; what needs TLS, proxies or redirects is not for it.  Blocking,
 * with a deadline for each call; a connection is kept between calls and made anew when the server
 * has closed it meanwhile.  A request is sent a second time only when the kept connection turned
 * out to be closed before any byte of the answer came, and only if the caller says that it may
 * (idempotent).  No libuv, no globals.
 *
 * Hosts: of several (struct url) the first one is drawn by `start`; the next one is tried when
 * there is no connection, or at a 5xx that says that nothing was done (503), within the deadline.
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

struct httpc;

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
	struct span body;
	bool has_body;
	bool idempotent;
	int64_t deadline_ns; /* clock_mono_ns(), or WAIT_FOREVER */
	/* Where not NULL: pieces of the body of a 2xx answer as they come; not 0 ends it
	 * (ECANCELED). */
	int (*piece)(void *ctx, struct span data);
	void *ctx;
};

/* The URL is borrowed.  `start`: random, the host to begin with.  NULL with ENOMEM. */
struct httpc *httpc_new(const struct url *url, uint32_t start, const struct http_limits *limits,
                        struct err *e);
void httpc_free(struct httpc *c);

/*
 * One request.  0: *ret is the answer (any status), borrowed until the next call.  -1: ETIMEDOUT,
 * ECONNREFUSED and the like, EPROTO (no HTTP), ECANCELED; *sent says how far it came.  The message
 * names the host.
 */
int httpc_call(struct httpc *c, const struct httpc_request *r, const struct http_in **ret,
               enum httpc_sent *sent, struct err *e);

/* "127.0.0.1:8500", of the last call. */
const char *httpc_host(const struct httpc *c);

#endif
