#include <assert.h>
#include <errno.h>
#include <strings.h>

#include "base/text.h"
#include "net/http.h"

/* ---- Targets. */

static struct span from(struct span s, const char *p)
{
	return (struct span){p, s.len - (size_t)(p - s.p)};
}

static struct span until(struct span s, const char *p)
{
	return (struct span){s.p, (size_t)(p - s.p)};
}

static const char *find(struct span s, char c)
{
	return s.len > 0 ? memchr(s.p, c, s.len) : NULL;
}

/* The path of "http://host/path?query", "?query" or nothing when it has none. */
static struct span pass_host(struct span target)
{
	static const char *const scheme[] = {"http://", "https://"};

	for (size_t i = 0; i < 2; i++) {
		size_t n = strlen(scheme[i]);

		if (target.len < n || strncasecmp(target.p, scheme[i], n) != 0)
			continue;
		while (n < target.len && target.p[n] != '/' && target.p[n] != '?')
			n++;
		return from(target, target.p + n);
	}
	return target;
}

void http_target_split(struct span target, struct span *ret_path, struct span *ret_query)
{
	const char *mark;

	target = pass_host(target);
	mark = find(target, '#');
	if (mark != NULL)
		target = until(target, mark);
	mark = find(target, '?');
	*ret_path = mark != NULL ? until(target, mark) : target;
	*ret_query = mark != NULL ? from(target, mark + 1) : (struct span){0};
	if (ret_path->len == 0)
		*ret_path = (struct span){"/", 1};
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int http_decode(struct buf *to, struct span text, bool plus, struct err *e)
{
	/* It never gets longer. */
	char *out = buf_reserve(to, text.len);

	if (out == NULL)
		return text.len == 0 ? 0 : buf_ok(to, e);
	for (size_t i = 0; i < text.len; i++) {
		char c = text.p[i];

		if (c == '+' && plus)
			c = ' ';
		if (c == '%') {
			int high = text.len - i > 2 ? hex_digit(text.p[i + 1]) : -1;
			int low = high >= 0 ? hex_digit(text.p[i + 2]) : -1;

			if (low < 0)
				return err_set(e, EINVAL, "'%%' without two hex digits");
			c = (char)(high << 4 | low);
			i += 2;
		}
		*out++ = c;
	}
	to->len = (size_t)(out - to->data);
	return 0;
}

static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '.' || c == '_' || c == '~';
}

void http_encode(struct buf *to, struct span text)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.p[i];
		char code[3] = {'%', hex[c >> 4], hex[c & 15]};

		if (is_plain((char)c))
			buf_add_char(to, (char)c);
		else
			buf_add(to, code, sizeof(code));
	}
}

bool http_query_next(struct span *query, struct span *ret_name, struct span *ret_value)
{
	struct span part = {0};
	const char *mark;

	while (query->len > 0 && part.len == 0) {
		mark = find(*query, '&');
		part = mark != NULL ? until(*query, mark) : *query;
		*query = mark != NULL ? from(*query, mark + 1) : (struct span){0};
	}
	if (part.len == 0)
		return false;
	mark = find(part, '=');
	*ret_name = mark != NULL ? until(part, mark) : part;
	*ret_value = mark != NULL ? from(part, mark + 1) : (struct span){0};
	return true;
}

/* ---- Writing. */

static const struct {
	unsigned status;
	const char *reason;
} reasons[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Payload Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Entity"},
    {426, "Upgrade Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
};

const char *http_reason(unsigned status)
{
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Unknown";
}

static void put(struct buf *to, const char *s)
{
	buf_add(to, s, strlen(s));
}

static void put_number(struct buf *to, uint64_t v)
{
	char digits[TEXT_U64_LEN];

	buf_add(to, digits, text_put_u64(digits, v));
}

static bool is_one_line(struct span s)
{
	return find(s, '\r') == NULL && find(s, '\n') == NULL && find(s, '\0') == NULL;
}

static void put_fields(struct buf *to, const struct http_field *fields, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		assert(is_one_line(fields[i].name) && is_one_line(fields[i].value));
		buf_add(to, fields[i].name.p, fields[i].name.len);
		put(to, ": ");
		buf_add(to, fields[i].value.p, fields[i].value.len);
		put(to, "\r\n");
	}
}

static void put_length(struct buf *to, int64_t length)
{
	if (length == HTTP_CHUNKED) {
		put(to, "Transfer-Encoding: chunked\r\n");
	} else if (length >= 0) {
		put(to, "Content-Length: ");
		put_number(to, (uint64_t)length);
		put(to, "\r\n");
	}
}

void http_put_response(struct buf *to, unsigned status, const struct http_field *fields,
                       size_t count, int64_t length, unsigned flags)
{
	if (status == 200) {
		put(to, "HTTP/1.1 200 OK\r\n");
	} else {
		put(to, "HTTP/1.1 ");
		put_number(to, status);
		put(to, " ");
		put(to, http_reason(status));
		put(to, "\r\n");
	}
	put_fields(to, fields, count);
	if (status / 100 != 1 && status != 204)
		put_length(to, length);
	if (flags & HTTP_LAST)
		put(to, "Connection: close\r\n");
	else if (flags & HTTP_KEEP)
		put(to, "Connection: keep-alive\r\n");
	put(to, "\r\n");
}

void http_put_request(struct buf *to, const char *method, struct span target, const char *host,
                      const struct http_field *fields, size_t count, int64_t length)
{
	assert(is_one_line(target));
	put(to, method);
	put(to, " ");
	buf_add(to, target.p, target.len);
	put(to, " HTTP/1.1\r\nHost: ");
	put(to, host);
	put(to, "\r\n");
	put_fields(to, fields, count);
	if (length != 0 || strcmp(method, "PUT") == 0 || strcmp(method, "POST") == 0)
		put_length(to, length);
	put(to, "\r\n");
}

void http_put_chunk(struct buf *to, struct span data)
{
	char digits[16];
	int width = 1;

	if (data.len == 0)
		return;
	while (width < 16 && data.len >> 4 * width != 0)
		width++;
	text_put_hex(digits, data.len, width);
	buf_add(to, digits, (size_t)width);
	put(to, "\r\n");
	buf_add(to, data.p, data.len);
	put(to, "\r\n");
}

void http_put_last_chunk(struct buf *to)
{
	put(to, "0\r\n\r\n");
}
