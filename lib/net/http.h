/*
 * http: HTTP/1.1 messages (RFC 9112) read from a stream of bytes, and their parts; for both sides.
 *
 * Pure: no socket, no clock.  Heads are read by http_parser (one inclusion, in http.c).  Debian
 * builds it without its strict mode, which lets pass a chunk that is longer than it says, so that
 * lines and bodies are counted here: http_chunk.h.  Refused are also: a line that does not end in
 * CR LF, a CR elsewhere, a space before a header's colon, a request of HTTP/1.1 without exactly one
 * Host, two Content-Lengths, Content-Length beside Transfer-Encoding, a transfer coding that is
 * not "chunked" alone or comes with HTTP/1.0, line folding, NUL in a header, CONNECT.  Bytes above
 * 0x7f in a target pass, because people type them.
 *
 * A reader takes one message at a time.  What follows it in the same bytes (pipelining) is left to
 * the caller, who gives it again after http_in_next().  All of a message is kept in memory, within
 * the limits; spans that are handed out are borrowed until http_in_next() or http_in_free().
 */
#ifndef SHOAL_NET_HTTP_H
#define SHOAL_NET_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

#define HTTP_HEAD_MAX_MOST (64u << 10)

struct http_limits {
	size_t head_max; /* bytes of first line and headers, up to HTTP_HEAD_MAX_MOST; 0: 32 KiB */
	size_t headers_max; /* 0: 100 */
	uint64_t body_max;  /* of a response: in memory at one time; 0: 1 MiB */
};

struct http_field {
	struct span name, value; /* the value without the space around it */
};

struct http_in;

enum http_side { HTTP_REQUESTS, HTTP_RESPONSES };

/* NULL: out of memory. */
struct http_in *http_in_new(enum http_side side, const struct http_limits *limits);
void http_in_free(struct http_in *in);

/*
 * Read bytes: how many were taken, less than n only when the message is complete.  -1: these bytes
 * are no message; e->code is the status to answer a request with (400, 413 body, 414 target, 431
 * head, 501 coding, 505 version), or ENOMEM; the connection has to be closed.  n of 0 is the end of
 * the stream, which completes a response that has no length.
 */
ssize_t http_in_feed(struct http_in *in, const char *p, size_t n, struct err *e);
/* The first line and the headers are there, and are sound (and the body may be awaited: Expect:
 * 100-continue). */
bool http_in_has_head(const struct http_in *in);
bool http_in_is_complete(const struct http_in *in);
/* Has anything of the next message come? */
bool http_in_has_begun(const struct http_in *in);
/* Forget the message, and memory that only a large one needs. */
void http_in_next(struct http_in *in);

/* Of a message whose head is there. */
struct span http_in_method(const struct http_in *in); /* "GET"; requests */
struct span http_in_target(const struct http_in *in); /* as it was sent */
unsigned http_in_status(const struct http_in *in);    /* responses */
/* The first header of that name (compared without case), or a span with p == NULL. */
struct span http_in_header(const struct http_in *in, const char *name);
size_t http_in_headers(const struct http_in *in);
struct http_field http_in_header_at(const struct http_in *in, size_t i);
struct span http_in_body(const struct http_in *in); /* so far */
/* Take the body that has come so far, so that it does not count for body_max: for streams. */
void http_in_body_drop(struct http_in *in);
bool http_in_keeps_alive(const struct http_in *in);
bool http_in_is_old(const struct http_in *in); /* HTTP/1.0: no chunks, no 100 (Continue) */
bool http_in_expects_continue(const struct http_in *in);
/* Connection: upgrade; what follows the message is another protocol. */
bool http_in_upgrades(const struct http_in *in);

/* A response to HEAD has no body, whatever its headers say: before feeding it. */
void http_in_expect_no_body(struct http_in *in);

/* ---- Targets. */

/*
 * "/v1/kv/a%20b?recurse&x=1" is path "/v1/kv/a%20b" and query "recurse&x=1".  Of an absolute target
 * (http://host/path) the scheme and the host are passed over.
 */
void http_target_split(struct span target, struct span *ret_path, struct span *ret_query);

/*
 * Append what percent-encoded text stands for; plus: '+' is a space, as in a query.  Fails with
 * EINVAL for a '%' without two hex digits, or ENOMEM.
 */
int http_decode(struct buf *to, struct span text, bool plus, struct err *e);
/* Append text so that it can stand as one segment of a path, or as a value of a query. */
void http_encode(struct buf *to, struct span text);

/* The next NAME or NAME=VALUE of a query, as it was sent; false at the end.  Empty parts are
 * passed. */
bool http_query_next(struct span *query, struct span *ret_name, struct span *ret_value);

/* ---- Writing. */

/* "Not Found"; "Unknown" for a status that has no name here. */
const char *http_reason(unsigned status);

/* Lengths of a body that is not known beforehand. */
#define HTTP_CHUNKED     (-1)
#define HTTP_UNTIL_CLOSE (-2) /* of a response to HTTP/1.0 */

enum http_put_flags {
	HTTP_LAST = 1, /* Connection: close */
	HTTP_KEEP = 2, /* Connection: keep-alive, which a client of HTTP/1.0 has to be told */
};

/*
 * Append the head of a response.  A length >= 0 is its Content-Length; it is left out of a 1xx and
 * a 204.  Header values may hold no line end (assert: they are ours, or were checked).
 */
void http_put_response(struct buf *to, unsigned status, const struct http_field *fields,
                       size_t count, int64_t length, unsigned flags);
/* A length < 0 is HTTP_CHUNKED; without a body 0, which is said when the method is PUT or POST. */
void http_put_request(struct buf *to, const char *method, struct span target, const char *host,
                      const struct http_field *fields, size_t count, int64_t length);
/* A chunk; none is empty, http_put_last_chunk() ends the body. */
void http_put_chunk(struct buf *to, struct span data);
void http_put_last_chunk(struct buf *to);

#endif
