#include <errno.h>
#include <stdlib.h>

#include "base/text.h"
#include "net/http_impl.h"

#define PLACES_FIRST 12
/* A longer body gets its room as it comes. */
#define RESERVE_MAX  (64u << 10)

/* ---- The head: what http_parser finds in in->head. */

static int on_url(http_parser *p, const char *at, size_t n)
{
	struct http_in *in = p->data;

	if (in->target_len == 0)
		in->target = (uint32_t)(at - in->head.data);
	in->target_len += (uint32_t)n;
	return 0;
}

static struct place *new_place(struct http_in *in)
{
	uint32_t room = in->room > 0 ? in->room * 2 : PLACES_FIRST;
	struct place *places = in->places;

	if (in->count == in->limits.headers_max) {
		http_in_fail(in, 431, "too many headers");
		return NULL;
	}
	if (in->count == in->room) {
		places = realloc(places, room * sizeof(*places));
		if (places == NULL) {
			http_in_fail(in, ENOMEM, "out of memory");
			return NULL;
		}
		in->places = places;
		in->room = room;
	}
	places[in->count] = (struct place){0};
	return &places[in->count++];
}

static int on_field(http_parser *p, const char *at, size_t n)
{
	struct http_in *in = p->data;
	struct place *h;

	if (in->in_value) {
		h = new_place(in);
		if (h == NULL)
			return -1;
		h->name = (uint32_t)(at - in->head.data);
		in->in_value = false;
	} else {
		h = &in->places[in->count - 1];
	}
	h->name_len += (uint32_t)n;
	return 0;
}

static int on_value(http_parser *p, const char *at, size_t n)
{
	struct http_in *in = p->data;
	struct place *h = &in->places[in->count - 1];

	if (h->value_len == 0)
		h->value = (uint32_t)(at - in->head.data);
	h->value_len += (uint32_t)n;
	in->in_value = true;
	return 0;
}

static int on_head(http_parser *p)
{
	struct http_in *in = p->data;

	in->parsed = true;
	if (in->no_body)
		p->flags |= F_SKIPBODY;
	in->keep = http_should_keep_alive(p) != 0;
	return in->no_body ? 1 : 0;
}

static const http_parser_settings settings = {
    .on_url = on_url,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_headers_complete = on_head,
};

static bool parser_failed(struct http_in *in)
{
	enum http_errno no = HTTP_PARSER_ERRNO(&in->parser);

	if (in->state == FAILED)
		return false;
	switch (no) {
	case HPE_INVALID_VERSION:
		return http_in_fail(in, 505, "not HTTP/1.0 or 1.1");
	case HPE_INVALID_TRANSFER_ENCODING:
		return http_in_fail(in, 501, "a transfer coding that is not 'chunked' alone");
	default:
		return http_in_fail(in, 400, http_errno_description(no));
	}
}

/* Bytes of the head up to its end at most; nothing is behind it. */
static bool parse(struct http_in *in, const char *p, size_t n)
{
	size_t at = in->head.len;
	size_t parsed;

	buf_add(&in->head, p, n);
	if (in->head.failed)
		return http_in_fail(in, ENOMEM, "out of memory");
	if (n == 0)
		return true;
	parsed = http_parser_execute(&in->parser, &settings, in->head.data + at, n);
	/* An upgrade stops it at the end of the head, as if the rest were not for it. */
	if (HTTP_PARSER_ERRNO(&in->parser) != HPE_OK || parsed != n)
		return parser_failed(in);
	return true;
}

/* ---- The head: what is to be said of it as a whole. */

static void trim(const struct http_in *in, struct place *h)
{
	const char *p = in->head.data + h->value;

	while (h->value_len > 0 && (p[h->value_len - 1] == ' ' || p[h->value_len - 1] == '\t'))
		h->value_len--;
}

static bool check_fields(struct http_in *in)
{
	for (uint32_t i = 0; i < in->count; i++) {
		struct place *h = &in->places[i];

		trim(in, h);
		if (memchr(in->head.data + h->name, ' ', h->name_len) != NULL)
			return http_in_fail(in, 400, "a space in the name of a header");
	}
	return true;
}

static bool check_request(struct http_in *in)
{
	struct span target = http_in_target(in);
	struct span host;
	size_t hosts = http_in_count(in, "Host", &host);

	if (in->parser.method == HTTP_CONNECT)
		return http_in_fail(in, 501, "CONNECT is for proxies");
	for (size_t i = 0; i < target.len; i++)
		if ((unsigned char)target.p[i] <= ' ' || target.p[i] == 0x7f)
			return http_in_fail(in, 400, "a control character in the target");
	if (hosts > 1 || (hosts == 0 && !http_in_is_old(in)))
		return http_in_fail(in, 400, "not exactly one Host");
	return true;
}

static bool has_no_body(const struct http_in *in)
{
	unsigned status = in->parser.status_code;

	if (in->no_body)
		return true;
	return in->parser.type == HTTP_RESPONSE &&
	       (status / 100 == 1 || status == 204 || status == 304);
}

static bool length_body(struct http_in *in, struct span length)
{
	struct err e;

	if (num_u64_len(length.p, length.len, 0, UINT64_MAX, &in->left, &e) < 0)
		return http_in_fail(in, 400, "Content-Length is no number");
	if (has_no_body(in) || in->left == 0) {
		in->state = COMPLETE;
		return true;
	}
	if (in->parser.type == HTTP_REQUEST && in->left > in->limits.body_max)
		return http_in_fail(in, 413, "the body is too large");
	in->state = IN_LENGTH;
	/* All of it at once, unless that were much for a mere promise. */
	buf_reserve(&in->body, in->left < RESERVE_MAX ? (size_t)in->left : RESERVE_MAX);
	return true;
}

static bool coded_body(struct http_in *in, size_t codings, struct span coding, size_t lengths)
{
	if (lengths > 0)
		return http_in_fail(in, 400, "Content-Length beside Transfer-Encoding");
	if (http_in_is_old(in))
		return http_in_fail(in, 400, "a transfer coding in HTTP/1.0");
	if (codings > 1 || !http_is_name(coding, "chunked"))
		return http_in_fail(in, 501, "a transfer coding that is not 'chunked' alone");
	in->state = has_no_body(in) ? COMPLETE : IN_CHUNKS;
	return true;
}

static bool head_done(struct http_in *in)
{
	struct span length;
	struct span coding;
	size_t lengths;
	size_t codings;

	if (!in->parsed)
		return http_in_fail(in, 400, "no end of the headers");
	if (in->parser.http_major != 1)
		return http_in_fail(in, 505, "not HTTP/1.0 or 1.1");
	if (!check_fields(in) || (in->parser.type == HTTP_REQUEST && !check_request(in)))
		return false;
	lengths = http_in_count(in, "Content-Length", &length);
	codings = http_in_count(in, "Transfer-Encoding", &coding);
	if (lengths > 1)
		return http_in_fail(in, 400, "two Content-Lengths");
	if (codings > 0)
		return coded_body(in, codings, coding, lengths);
	if (lengths > 0)
		return length_body(in, length);
	in->state = in->parser.type == HTTP_REQUEST || has_no_body(in) ? COMPLETE : UNTIL_END;
	return true;
}

/* ---- The head: its lines. */

/* The byte before p[i], of this line or none ('\0'). */
static char before(const struct http_in *in, const char *p, size_t i)
{
	if (in->line_len == 0)
		return '\0';
	return i > 0 ? p[i - 1] : in->head.data[in->head.len - 1];
}

/* What is wrong with p[i], which is the first byte after a CR or of a line; NULL: nothing. */
static const char *check_byte(const struct http_in *in, const char *p, size_t i)
{
	if ((before(in, p, i) == '\r') != (p[i] == '\n'))
		return p[i] == '\n' ? "a LF without CR" : "a CR without LF";
	if (in->line_len == 0 && in->first_line && (p[i] == ' ' || p[i] == '\t'))
		return "a folded header";
	return NULL;
}

/* A line goes on at p[i]: where to look at it again, at its LF or behind a CR. */
static size_t next_look(const char *p, size_t i, size_t n)
{
	const char *lf = memchr(p + i, '\n', n - i);
	size_t end = lf != NULL ? (size_t)(lf - p) : n;
	const char *cr = memchr(p + i, '\r', end - i);

	return cr != NULL ? (size_t)(cr - p) + 1 : end;
}

/*
 * Find the end of the head, or the first byte that may not be: the count of bytes before it.
 * *ret_why says what is wrong there; *ret_end: the head ends there.
 */
static size_t scan(struct http_in *in, const char *p, size_t n, const char **ret_why, bool *ret_end)
{
	size_t i = 0;

	while (i < n && !*ret_end) {
		size_t from = i;

		*ret_why = check_byte(in, p, i);
		if (*ret_why != NULL)
			break;
		if (p[i] != '\n') {
			i = next_look(p, i, n);
			in->line_len += (uint32_t)(i - from);
			continue;
		}
		*ret_end = in->line_len == 1;
		in->first_line = true;
		in->line_len = 0;
		i++;
	}
	return i;
}

/* Empty lines before a message are passed over (RFC 9112 section 2.2). */
static size_t empty_lines(const struct http_in *in, const char *p, size_t n)
{
	size_t i = 0;

	if (in->head.len == 0)
		while (i < n && (p[i] == '\r' || p[i] == '\n'))
			i++;
	return i;
}

size_t http_in_feed_head(struct http_in *in, const char *p, size_t n)
{
	size_t skipped = empty_lines(in, p, n);
	size_t room = in->limits.head_max - in->head.len;
	const char *why = NULL;
	bool end = false;
	size_t taken;

	p += skipped;
	n -= skipped;
	taken = scan(in, p, n < room ? n : room, &why, &end);
	if (!parse(in, p, taken))
		return 0;
	if (why != NULL)
		http_in_fail(in, 400, why);
	else if (end)
		head_done(in);
	else if (taken == room)
		http_in_fail(in, in->first_line ? 431 : 414, "the head is too large");
	return skipped + taken;
}
