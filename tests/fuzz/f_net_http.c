/*
 * net_http: foreign bytes as a stream of messages.  Whatever the pieces they come in, the messages
 * are the same, and so is what is refused.
 *
 * The first byte says which side and how long the pieces are.
 */
#include <string.h>

#include "fuzz.h"
#include "net/http.h"

/* All that can be seen of a message, as text. */
static void note(struct buf *to, const struct http_in *in)
{
	struct span body = http_in_body(in);

	buf_printf(to, "%d %d %d %d %u [", http_in_keeps_alive(in), http_in_is_old(in),
	           http_in_upgrades(in), http_in_expects_continue(in), http_in_status(in));
	buf_add(to, http_in_target(in).p, http_in_target(in).len);
	for (size_t i = 0; i < http_in_headers(in); i++) {
		struct http_field f = http_in_header_at(in, i);

		buf_add_str(to, "][");
		buf_add(to, f.name.p, f.name.len);
		buf_add_str(to, "=");
		buf_add(to, f.value.p, f.value.len);
	}
	buf_add_str(to, "]");
	buf_add(to, body.p, body.len);
}

static void run(struct buf *to, enum http_side side, struct span bytes, size_t step)
{
	const struct http_limits limits = {.head_max = 512, .headers_max = 8, .body_max = 256};
	struct http_in *in = http_in_new(side, &limits);
	size_t at = 0;
	struct err e;

	CHECK(in != NULL);
	while (at < bytes.len) {
		size_t n = bytes.len - at < step ? bytes.len - at : step;
		ssize_t taken = http_in_feed(in, bytes.p + at, n, &e);

		if (taken < 0) {
			buf_printf(to, "refused %d %s", e.code, e.msg);
			break;
		}
		CHECK((size_t)taken <= n && ((size_t)taken == n || http_in_is_complete(in)));
		CHECK(!http_in_is_complete(in) || http_in_has_head(in));
		at += (size_t)taken;
		if (http_in_is_complete(in)) {
			buf_printf(to, "%zu ", at);
			note(to, in);
			http_in_next(in);
		}
	}
	if (at == bytes.len && http_in_feed(in, NULL, 0, &e) == 0 && http_in_is_complete(in))
		note(to, in);
	http_in_free(in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf one = {0};
	struct buf other = {0};
	enum http_side side;
	struct span bytes;

	if (size == 0)
		return 0;
	side = data[0] & 1 ? HTTP_RESPONSES : HTTP_REQUESTS;
	bytes = (struct span){(const char *)data + 1, size - 1};
	run(&one, side, bytes, SIZE_MAX);
	run(&other, side, bytes, 1 + (data[0] >> 1));
	CHECK(one.len == other.len && (one.len == 0 || memcmp(one.data, other.data, one.len) == 0));
	buf_done(&one);
	buf_done(&other);
	return 0;
}
