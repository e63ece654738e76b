#include "net/http.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "net/http_impl.h"

#define HEAD_MAX    (32u << 10)
#define HEADERS_MAX 100
#define BODY_MAX    (1u << 20)

/* What a message of usual size needs; more is given back after it. */
#define KEEP_MAX 4096

bool http_in_fail(struct http_in *in, unsigned status, const char *why)
{
	in->state = FAILED;
	in->status = status;
	in->why = why;
	return false;
}

static void begin(struct http_in *in)
{
	http_parser_init(&in->parser, in->parser.type);
	in->parser.data = in;
	in->head.len = 0;
	in->body.len = 0;
	in->count = 0;
	in->target_len = 0;
	in->line_len = 0;
	in->state = IN_HEAD;
	in->first_line = false;
	in->in_value = true;
	in->parsed = false;
	in->no_body = false;
	in->chunks = (struct http_chunks){0};
}

struct http_in *http_in_new(enum http_side side, const struct http_limits *limits)
{
	struct http_in *in = calloc(1, sizeof(*in));

	if (in == NULL)
		return NULL;
	if (limits != NULL)
		in->limits = *limits;
	if (in->limits.head_max == 0)
		in->limits.head_max = HEAD_MAX;
	if (in->limits.headers_max == 0)
		in->limits.headers_max = HEADERS_MAX;
	if (in->limits.body_max == 0)
		in->limits.body_max = BODY_MAX;
	/* http_parser has a limit of its own, 80 KiB. */
	assert(in->limits.head_max <= HTTP_HEAD_MAX_MOST);
	in->parser.type = side == HTTP_REQUESTS ? HTTP_REQUEST : HTTP_RESPONSE;
	begin(in);
	return in;
}

void http_in_free(struct http_in *in)
{
	if (in == NULL)
		return;
	buf_done(&in->head);
	buf_done(&in->body);
	free(in->places);
	free(in);
}

void http_in_next(struct http_in *in)
{
	if (in->head.cap > KEEP_MAX)
		buf_done(&in->head);
	if (in->body.cap > KEEP_MAX)
		buf_done(&in->body);
	begin(in);
}

/* ---- The body. */

static bool keep_body(struct http_in *in, const char *p, size_t n)
{
	if (n > in->limits.body_max - in->body.len)
		return http_in_fail(in, 413, "the body is too large");
	buf_add(&in->body, p, n);
	return !in->body.failed || http_in_fail(in, ENOMEM, "out of memory");
}

static size_t feed_length(struct http_in *in, const char *p, size_t n)
{
	size_t taken = n < in->left ? n : (size_t)in->left;

	if (!keep_body(in, p, taken))
		return 0;
	in->left -= taken;
	if (in->left == 0)
		in->state = COMPLETE;
	return taken;
}

static size_t feed_chunks(struct http_in *in, const char *p, size_t n)
{
	struct span data;
	const char *why = NULL;
	ssize_t taken = http_chunks_feed(&in->chunks, p, n, &data, &why);

	if (taken < 0) {
		http_in_fail(in, 400, why);
		return 0;
	}
	if (!keep_body(in, data.p, data.len))
		return 0;
	if (in->parser.type == HTTP_REQUEST &&
	    in->chunks.left > in->limits.body_max - in->body.len) {
		http_in_fail(in, 413, "the body is too large");
		return 0;
	}
	if (http_chunks_end(&in->chunks))
		in->state = COMPLETE;
	return (size_t)taken;
}

static size_t feed_some(struct http_in *in, const char *p, size_t n)
{
	switch (in->state) {
	case IN_HEAD:
		return http_in_feed_head(in, p, n);
	case IN_LENGTH:
		return feed_length(in, p, n);
	case IN_CHUNKS:
		return feed_chunks(in, p, n);
	case UNTIL_END:
		return keep_body(in, p, n) ? n : 0;
	default:
		return 0;
	}
}

static void feed_end(struct http_in *in)
{
	if (in->state == UNTIL_END)
		in->state = COMPLETE;
	else if (in->state != COMPLETE && in->state != FAILED && http_in_has_begun(in))
		http_in_fail(in, 400, "the stream ended within a message");
}

ssize_t http_in_feed(struct http_in *in, const char *p, size_t n, struct err *e)
{
	size_t taken = 0;

	if (n == 0)
		feed_end(in);
	while (taken < n && in->state < COMPLETE)
		taken += feed_some(in, p + taken, n - taken);
	if (in->state == FAILED)
		return err_set(e, (int)in->status, "%s", in->why);
	return (ssize_t)taken;
}
