#include <assert.h>
#include <strings.h>

#include "net/http_impl.h"

bool http_is_name(struct span s, const char *name)
{
	size_t len = strlen(name);

	return s.len == len && strncasecmp(s.p, name, len) == 0;
}

size_t http_in_count(const struct http_in *in, const char *name, struct span *ret_first)
{
	size_t n = 0;

	*ret_first = (struct span){0};
	for (uint32_t i = 0; i < in->count; i++) {
		const struct place *h = &in->places[i];

		if (!http_is_name(http_in_span(in, h->name, h->name_len), name))
			continue;
		if (n++ == 0)
			*ret_first = http_in_span(in, h->value, h->value_len);
	}
	return n;
}

bool http_in_has_head(const struct http_in *in)
{
	return in->state > IN_HEAD && in->state <= COMPLETE;
}

bool http_in_is_complete(const struct http_in *in)
{
	return in->state == COMPLETE;
}

bool http_in_has_begun(const struct http_in *in)
{
	return in->head.len > 0;
}

struct span http_in_method(const struct http_in *in)
{
	const char *name = http_method_str((enum http_method)in->parser.method);

	return (struct span){name, strlen(name)};
}

struct span http_in_target(const struct http_in *in)
{
	return http_in_span(in, in->target, in->target_len);
}

unsigned http_in_status(const struct http_in *in)
{
	return in->parser.status_code;
}

struct span http_in_header(const struct http_in *in, const char *name)
{
	struct span ret;

	http_in_count(in, name, &ret);
	return ret;
}

size_t http_in_headers(const struct http_in *in)
{
	return in->count;
}

struct http_field http_in_header_at(const struct http_in *in, size_t i)
{
	const struct place *h = &in->places[i];

	assert(i < in->count);
	return (struct http_field){http_in_span(in, h->name, h->name_len),
	                           http_in_span(in, h->value, h->value_len)};
}

struct span http_in_body(const struct http_in *in)
{
	return (struct span){in->body.data, in->body.len};
}

void http_in_body_drop(struct http_in *in)
{
	in->body.len = 0;
}

bool http_in_keeps_alive(const struct http_in *in)
{
	return in->keep;
}

bool http_in_is_old(const struct http_in *in)
{
	return in->parser.http_minor == 0;
}

bool http_in_expects_continue(const struct http_in *in)
{
	struct span expect = http_in_header(in, "Expect");

	return !http_in_is_old(in) && http_is_name(expect, "100-continue");
}

bool http_in_upgrades(const struct http_in *in)
{
	return in->parser.upgrade;
}

void http_in_expect_no_body(struct http_in *in)
{
	in->no_body = true;
}
