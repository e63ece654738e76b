#include "api_route.h"

#include <string.h>

#include "base/json_out.h"

static bool fits(const char *path, struct span rest, struct span *ret_rest)
{
	size_t n = strlen(path);
	bool takes_rest = path[n - 1] == '/';

	*ret_rest = (struct span){"", 0};
	if (takes_rest && rest.len >= n && memcmp(rest.p, path, n) == 0) {
		*ret_rest = (struct span){rest.p + n, rest.len - n};
		return true;
	}
	n -= takes_rest;
	return rest.len == n && memcmp(rest.p, path, n) == 0;
}

void api_serve(const struct api_request *r, const struct api_route *routes)
{
	struct api_request below = *r;

	for (; routes->path != NULL; routes++)
		if (fits(routes->path, r->rest, &below.rest)) {
			if (!api_refuses_method(r, routes->methods))
				routes->serve(&below);
			return;
		}
	api_send(r->call, 404, &(struct api_head){0}, (struct span){"", 0});
}

void api_answer_json(const struct api_request *r, unsigned status, uint64_t index, struct buf *json)
{
	struct err e;

	if (buf_ok(json, &e) < 0)
		api_text(r->call, 500, e.msg);
	else
		api_json(r->api, r->call, &r->query, status, index,
		         (struct span){json->data, json->len});
	buf_done(json);
}

void api_answer_text(const struct api_request *r, unsigned status, struct buf *text)
{
	struct err e;

	buf_add_char(text, '\0');
	if (buf_ok(text, &e) < 0)
		api_text(r->call, 500, e.msg);
	else
		api_text(r->call, status, text->data);
	buf_done(text);
}

void api_answer_err(const struct api_request *r, const struct err *e)
{
	api_text(r->call, e->code >= 400 && e->code < 600 ? (unsigned)e->code : 500, e->msg);
}

void api_wait_for(struct api_wait *w, struct node_ticket *t)
{
	w->ticket = t;
	if (t == NULL)
		api_text(api_wait_end(w), 500, "out of memory");
}

void api_put_text(struct buf *to, const char *name, const char *text)
{
	json_out_key(to, name);
	json_out_string(to, text, strlen(text));
}

void api_put_u64(struct buf *to, const char *name, uint64_t v)
{
	json_out_key(to, name);
	json_out_u64(to, v);
}

void api_put_bool(struct buf *to, const char *name, bool v)
{
	json_out_key(to, name);
	buf_add_str(to, v ? "true" : "false");
}

void api_put_time(struct buf *to, const char *name, int64_t unix_ns)
{
	char text[TEXT_TIME_LEN];

	text_put_time(text, unix_ns);
	json_out_key(to, name);
	json_out_string(to, text, sizeof(text));
}
