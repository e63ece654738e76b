#include "net/http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http_probes.h"
#include "seeded.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define TEXT(s)  ((struct span)BYTES(s))

static struct span span_of(const char *s)
{
	return (struct span){s, strlen(s)};
}

static void same(struct span got, const char *want)
{
	if (!span_is(got, span_of(want)))
		fail_msg("'%.*s', want '%s'", (int)got.len, got.p, want);
}

/*
 * Feed in pieces of `step` bytes until the message is complete: the status it is refused with, 0
 * when complete, 1 when it waits for more.  *ret_taken: the bytes of it.
 */
static unsigned feed(struct http_in *in, struct span bytes, size_t step, size_t *ret_taken)
{
	size_t at = 0;
	struct err e;

	while (at < bytes.len && !http_in_is_complete(in)) {
		size_t n = bytes.len - at < step ? bytes.len - at : step;
		/* In memory of its own, so that nothing of it is kept. */
		char *copy = malloc(n);
		ssize_t taken;

		assert_non_null(copy);
		memcpy(copy, bytes.p + at, n);
		taken = http_in_feed(in, copy, n, &e);
		free(copy);
		if (taken < 0)
			return (unsigned)e.code;
		assert_true((size_t)taken == n || http_in_is_complete(in));
		at += (size_t)taken;
	}
	*ret_taken = at;
	return http_in_is_complete(in) ? 0 : 1;
}

static unsigned refused_by(struct span bytes, const struct http_limits *limits, size_t step)
{
	struct http_in *in = http_in_new(HTTP_REQUESTS, limits);
	size_t taken = 0;
	unsigned status = feed(in, bytes, step, &taken);

	http_in_free(in);
	return status;
}

static void what_a_request_may_not_be(void **state)
{
	static const size_t steps[] = {1, 2, 7, SIZE_MAX};

	(void)state;
	for (size_t i = 0; i < COUNT(probes); i++) {
		for (size_t k = 0; k < COUNT(steps); k++) {
			unsigned got = refused_by(probes[i].bytes, NULL, steps[k]);

			if (got != probes[i].status)
				fail_msg("probe %zu '%s' in steps of %zu: %u, want %u", i,
				         probes[i].bytes.p, steps[k], got, probes[i].status);
		}
	}
}

/* "GET /xx HTTP/1.1", `headers` headers of `width` bytes in all, and the end. */
static struct span large(struct buf *b, size_t target, size_t headers, size_t width)
{
	buf_clear(b);
	buf_add_str(b, "GET /");
	for (size_t i = 1; i < target; i++)
		buf_add_char(b, 'x');
	buf_add_str(b, " HTTP/1.1\r\nHost: a\r\n");
	for (size_t i = 0; i < headers; i++) {
		buf_add_str(b, "X: ");
		for (size_t k = 5; k < width; k++)
			buf_add_char(b, 'y');
		buf_add_str(b, "\r\n");
	}
	buf_add_str(b, "\r\n");
	assert_false(b->failed);
	return (struct span){b->data, b->len};
}

static void a_head_has_its_limits(void **state)
{
	const struct http_limits exact = {.head_max =
	                                      sizeof("GET /aa HTTP/1.1\r\nHost: a\r\n\r\n") - 1};
	const struct http_limits less = {.head_max = exact.head_max - 1};
	static const size_t steps[] = {1, 1000, SIZE_MAX};
	struct buf b = {0};

	(void)state;
	for (size_t k = 0; k < COUNT(steps); k++) {
		size_t step = steps[k];

		assert_int_equal(refused_by(large(&b, 1, 99, 10), NULL, step), DONE);
		assert_int_equal(refused_by(large(&b, 1, 100, 10), NULL, step), 431);
		assert_int_equal(refused_by(large(&b, 1, 2000, 10), NULL, step), 431);
		assert_int_equal(refused_by(large(&b, 1, 1, 100000), NULL, step), 431);
		assert_int_equal(refused_by(large(&b, 100000, 1, 10), NULL, step), 414);
		assert_int_equal(refused_by(large(&b, 3, 0, 0), &exact, step), DONE);
		assert_int_equal(refused_by(large(&b, 3, 0, 0), &less, step), 431);
	}
	buf_done(&b);
}

static void a_body_has_its_limit(void **state)
{
	const struct http_limits five = {.body_max = 5};

	(void)state;
	for (size_t step = 1; step < 100; step += 98) {
		assert_int_equal(
		    refused_by(TEXT(PUT "Content-Length: 5\r\n\r\nhello"), &five, step), DONE);
		assert_int_equal(refused_by(TEXT(PUT "Content-Length: 6\r\n\r\n"), &five, step),
		                 413);
		assert_int_equal(refused_by(TEXT(COD "5\r\nhello\r\n0\r\n\r\n"), &five, step),
		                 DONE);
		assert_int_equal(refused_by(TEXT(COD "5\r\nhello\r\n1\r\n"), &five, step), 413);
		assert_int_equal(refused_by(TEXT(COD "6\r\n"), &five, step), 413);
	}
}

static void what_is_beside_chunks_has_a_limit(void **state)
{
	struct buf b = {0};

	(void)state;
	buf_add_str(&b, COD);
	for (int i = 0; i < 1100; i++)
		buf_add_str(&b, "1;abcdefgh\r\nx\r\n");
	assert_int_equal(refused_by((struct span){b.data, b.len}, NULL, SIZE_MAX), 400);
	buf_clear(&b);
	buf_add_str(&b, COD "0\r\n");
	for (int i = 0; i < 1000; i++)
		buf_add_str(&b, "abcdefghi: k\r\n");
	assert_int_equal(refused_by((struct span){b.data, b.len}, NULL, 100), 400);
	buf_done(&b);
}

static void the_parts_of_a_request(void **state)
{
	static const char text[] =
	    "POST /a?b=c HTTP/1.1\r\nHost:  x:1  \r\nEMPTY:\r\nTwo: 1\r\ntwo: 2\r\n"
	    "Transfer-Encoding: chunked\r\nExpect: 100-Continue\r\n\r\n"
	    "3\r\nabc\r\n0A\r\n0123456789\r\n0\r\nTwo: 3\r\n\r\nGET";

	(void)state;
	for (size_t step = 1; step < sizeof(text); step++) {
		struct http_in *in = http_in_new(HTTP_REQUESTS, NULL);
		size_t taken;

		assert_int_equal(feed(in, TEXT(text), step, &taken), DONE);
		assert_int_equal(taken, sizeof(text) - 1 - 3);
		same(http_in_method(in), "POST");
		same(http_in_target(in), "/a?b=c");
		same(http_in_header(in, "host"), "x:1");
		same(http_in_header(in, "Empty"), "");
		assert_non_null(http_in_header(in, "Empty").p);
		assert_null(http_in_header(in, "Emp").p);
		same(http_in_header(in, "TWO"), "1");
		assert_int_equal(http_in_headers(in), 6);
		same(http_in_header_at(in, 3).name, "two");
		same(http_in_header_at(in, 3).value, "2");
		same(http_in_body(in), "abc0123456789");
		assert_true(http_in_keeps_alive(in) && http_in_expects_continue(in));
		assert_false(http_in_upgrades(in) || http_in_is_old(in));
		http_in_next(in);
		assert_false(http_in_has_begun(in) || http_in_has_head(in));
		http_in_free(in);
	}
}

static void whether_a_connection_stays(void **state)
{
	static const struct {
		bool keeps, upgrades;
		struct span bytes;
	} cases[] = {
	    {true, false, BYTES(GET HOST "\r\n")},
	    {false, false, BYTES(GET HOST "Connection: close\r\n\r\n")},
	    {false, false, BYTES("GET / HTTP/1.0\r\n\r\n")},
	    {true, false, BYTES("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n")},
	    {true, true, BYTES(GET HOST "Connection: upgrade\r\nUpgrade: x\r\n\r\n")},
	    {true, false, BYTES(GET HOST "Upgrade: x\r\n\r\n")},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct http_in *in = http_in_new(HTTP_REQUESTS, NULL);
		size_t taken;

		assert_int_equal(feed(in, cases[i].bytes, SIZE_MAX, &taken), DONE);
		assert_int_equal(http_in_keeps_alive(in), cases[i].keeps);
		assert_int_equal(http_in_upgrades(in), cases[i].upgrades);
		http_in_free(in);
	}
}

/* A response, and whether the end of the stream is its end. */
static void response(struct span bytes, bool no_body, bool needs_end, const char *body)
{
	struct http_in *in = http_in_new(HTTP_RESPONSES, NULL);
	size_t taken;
	struct err e;

	if (no_body)
		http_in_expect_no_body(in);
	assert_int_equal(feed(in, bytes, 3, &taken), needs_end ? WAITS : DONE);
	if (needs_end)
		assert_int_equal(http_in_feed(in, "", 0, &e), 0);
	assert_true(http_in_is_complete(in));
	same(http_in_body(in), body);
	http_in_free(in);
}

static void the_end_of_a_response(void **state)
{
	struct http_in *in = http_in_new(HTTP_RESPONSES, NULL);
	size_t taken;
	struct err e;

	(void)state;
	response(TEXT("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab"), false, false, "ab");
	response(TEXT("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"), true, false, "");
	response(TEXT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), true, false, "");
	response(TEXT("HTTP/1.1 200 OK\r\n\r\nab"), false, true, "ab");
	response(TEXT("HTTP/1.0 200\r\n\r\nab"), false, true, "ab");
	response(TEXT("HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n"), false, false, "");
	response(TEXT("HTTP/1.1 204 No Content\r\n\r\n"), false, false, "");
	response(TEXT("HTTP/1.1 100 Continue\r\n\r\n"), false, false, "");
	/* A short one is told. */
	assert_int_equal(feed(in, TEXT("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na"), 9, &taken),
	                 WAITS);
	assert_int_equal(http_in_status(in), 200);
	assert_int_equal(http_in_feed(in, "", 0, &e), -1);
	http_in_free(in);
}

static void a_stream_may_be_longer_than_memory(void **state)
{
	const struct http_limits limits = {.body_max = 10};
	static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";
	struct http_in *in = http_in_new(HTTP_RESPONSES, &limits);
	size_t seen = 0;
	struct err e;

	(void)state;
	assert_int_equal(http_in_feed(in, head, sizeof(head) - 1, &e), (ssize_t)sizeof(head) - 1);
	while (!http_in_is_complete(in)) {
		assert_int_equal(http_in_feed(in, "0123456789", 10, &e), 10);
		seen += http_in_body(in).len;
		http_in_body_drop(in);
	}
	assert_int_equal(seen, 1000);
	http_in_free(in);
}

static void targets_and_queries(void **state)
{
	static const struct {
		const char *target, *path, *query;
	} cases[] = {
	    {"/v1/kv/a%20b?recurse&x=1", "/v1/kv/a%20b", "recurse&x=1"},
	    {"/a", "/a", ""},
	    {"/a?", "/a", ""},
	    {"/a?b?c", "/a", "b?c"},
	    {"/a?b#c", "/a", "b"},
	    {"HTTP://h:1/a?b", "/a", "b"},
	    {"http://h", "/", ""},
	    {"http://h?b", "/", "b"},
	    {"*", "*", ""},
	    {"//a//b", "//a//b", ""},
	};
	struct span query = TEXT("&a=1&&b&c==&=d&");
	static const char *const parts[][2] = {{"a", "1"}, {"b", ""}, {"c", "="}, {"", "d"}};
	struct span a;
	struct span b;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		http_target_split(span_of(cases[i].target), &a, &b);
		same(a, cases[i].path);
		same(b, cases[i].query);
	}
	for (size_t i = 0; i < COUNT(parts); i++) {
		assert_true(http_query_next(&query, &a, &b));
		same(a, parts[i][0]);
		same(b, parts[i][1]);
	}
	assert_false(http_query_next(&query, &a, &b));
}

static void percent_codes(void **state)
{
	static const char *const bad[] = {"%", "%4", "a%", "%4g", "%g4", "%%41", "%+1"};
	struct buf b = {0};
	struct buf c = {0};
	char all[256];
	struct err e;

	(void)state;
	assert_int_equal(http_decode(&b, TEXT("a%2fb%2F%00+%c3%BC"), false, &e), 0);
	assert_true(span_is((struct span){b.data, b.len}, TEXT("a/b/\0+\xc3\xbc")));
	buf_clear(&b);
	assert_int_equal(http_decode(&b, TEXT("a+b%2B"), true, &e), 0);
	same((struct span){b.data, b.len}, "a b+");
	for (size_t i = 0; i < COUNT(bad); i++) {
		assert_int_equal(http_decode(&b, span_of(bad[i]), false, &e), -1);
		assert_int_equal(e.code, EINVAL);
	}
	same((struct span){b.data, b.len}, "a b+");
	for (int i = 0; i < 256; i++)
		all[i] = (char)i;
	buf_clear(&b);
	http_encode(&b, (struct span){all, 256});
	assert_null(memchr(b.data, '/', b.len));
	assert_null(memchr(b.data, '+', b.len));
	assert_int_equal(http_decode(&c, (struct span){b.data, b.len}, true, &e), 0);
	assert_true(span_is((struct span){c.data, c.len}, (struct span){all, 256}));
	buf_done(&b);
	buf_done(&c);
}

static void what_is_written(void **state)
{
	const struct http_field f = {TEXT("X"), TEXT("y")};
	struct buf b = {0};

	(void)state;
	http_put_response(&b, 200, &f, 1, 5, 0);
	http_put_response(&b, 404, NULL, 0, 0, HTTP_LAST);
	http_put_response(&b, 204, NULL, 0, 0, HTTP_KEEP);
	http_put_response(&b, 299, NULL, 0, HTTP_CHUNKED, 0);
	http_put_chunk(&b, TEXT("0123456789abcdefg"));
	http_put_chunk(&b, TEXT(""));
	http_put_last_chunk(&b);
	http_put_request(&b, "PUT", TEXT("/a"), "h:1", &f, 1, 0);
	http_put_request(&b, "GET", TEXT("/a"), "h", NULL, 0, 0);
	http_put_request(&b, "POST", TEXT("/a"), "h", NULL, 0, HTTP_CHUNKED);
	same((struct span){b.data, b.len},
	     "HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 5\r\n\r\n"
	     "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
	     "HTTP/1.1 204 No Content\r\nConnection: keep-alive\r\n\r\n"
	     "HTTP/1.1 299 Unknown\r\nTransfer-Encoding: chunked\r\n\r\n"
	     "11\r\n0123456789abcdefg\r\n0\r\n\r\n"
	     "PUT /a HTTP/1.1\r\nHost: h:1\r\nX: y\r\nContent-Length: 0\r\n\r\n"
	     "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
	     "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
	buf_done(&b);
}

/* What is written is read as it was, in any pieces. */
static void a_round_trip(void **state)
{
	uint64_t rand = seeded();
	struct buf b = {0};

	(void)state;
	for (unsigned round = 0; round < seeded_rounds(2000); round++) {
		size_t len = seeded_below(&rand, 500);
		bool chunked = seeded_below(&rand, 2) == 0;
		struct http_in *in = http_in_new(HTTP_REQUESTS, NULL);
		char body[500] = {0};
		size_t taken = 0;

		for (size_t i = 0; i < len; i++)
			body[i] = (char)seeded_next(&rand);
		buf_clear(&b);
		http_put_request(&b, "PUT", TEXT("/a"), "h", NULL, 0, chunked ? -1 : (int64_t)len);
		for (size_t at = 0, n; chunked && at < len; at += n) {
			n = 1 + seeded_below(&rand, len - at);
			http_put_chunk(&b, (struct span){body + at, n});
		}
		if (chunked)
			http_put_last_chunk(&b);
		else
			buf_add(&b, body, len);
		assert_int_equal(
		    feed(in, (struct span){b.data, b.len}, 1 + seeded_below(&rand, 100), &taken),
		    DONE);
		assert_int_equal(taken, b.len);
		assert_true(span_is(http_in_body(in), (struct span){body, len}));
		http_in_free(in);
	}
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_a_request_may_not_be),
	    cmocka_unit_test(a_head_has_its_limits),
	    cmocka_unit_test(a_body_has_its_limit),
	    cmocka_unit_test(what_is_beside_chunks_has_a_limit),
	    cmocka_unit_test(the_parts_of_a_request),
	    cmocka_unit_test(whether_a_connection_stays),
	    cmocka_unit_test(the_end_of_a_response),
	    cmocka_unit_test(a_stream_may_be_longer_than_memory),
	    cmocka_unit_test(targets_and_queries),
	    cmocka_unit_test(percent_codes),
	    cmocka_unit_test(what_is_written),
	    cmocka_unit_test(a_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
