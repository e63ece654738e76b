/* httpc: connections that are kept, lost and refused, and what is known of a request then. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/httpc.h"
#include "os/clock.h"
#include "os/wait.h"
#include "script_server.h"
#include "tmp_dir.h"

#define LONG_MS            60000 /* only a bug takes that long */
#define SHORT_MS           50
#define OK(body_len, body) "HTTP/1.1 200 OK\r\nContent-Length: " body_len "\r\n\r\n" body

struct client {
	struct url url;
	struct httpc *c;
	const struct http_in *in;
	enum httpc_sent sent;
	struct err e;
};

static void open_text(struct client *k, const char *text, uint32_t start)
{
	struct httpc_config cfg = {
	    .url = &k->url, .port = 8500, .start = start, .limits = {.body_max = 4096}};

	if (url_parse(&k->url, text, &k->e) < 0)
		fail_msg("%s", k->e.msg);
	k->c = httpc_new(&cfg, &k->e);
	assert_non_null(k->c);
}

static void open_port(struct client *k, uint16_t port)
{
	char text[64];

	snprintf(text, sizeof(text), "http://127.0.0.1:%u", port);
	open_text(k, text, 0);
}

static void done(struct client *k)
{
	httpc_free(k->c);
	url_done(&k->url);
}

static struct httpc_request get(const char *target)
{
	return (struct httpc_request){.method = "GET",
	                              .target = {target, strlen(target)},
	                              .idempotent = true,
	                              .deadline_ns = wait_deadline_ms(LONG_MS)};
}

static struct httpc_request put(const char *target, const char *body)
{
	struct httpc_request r = get(target);

	r.method = "PUT";
	r.idempotent = false;
	r.body = (struct span){body, strlen(body)};
	return r;
}

static int call(struct client *k, struct httpc_request r)
{
	return httpc_call(k->c, &r, &k->in, &k->sent, &k->e);
}

static void expect_answer(struct client *k, struct httpc_request r, unsigned status,
                          const char *body)
{
	struct span s;

	if (call(k, r) < 0)
		fail_msg("%s", k->e.msg);
	assert_int_equal(http_in_status(k->in), status);
	s = http_in_body(k->in);
	assert_int_equal(s.len, strlen(body));
	assert_memory_equal(s.p, body, s.len);
}

static void expect_failure(struct client *k, struct httpc_request r, int code, enum httpc_sent sent)
{
	k->e = (struct err){0};
	assert_int_equal(call(k, r), -1);
	if (k->e.code != code || k->sent != sent)
		fail_msg("code %d, sent %d: %s", k->e.code, k->sent, k->e.msg);
	assert_non_null(strstr(k->e.msg, httpc_host(k->c)));
}

static void expect_seen(struct script_server *s, const char *text)
{
	if (s->seen.len == 0 || memmem(s->seen.data, s->seen.len, text, strlen(text)) == NULL)
		fail_msg("no '%s' in: %.*s", text, (int)s->seen.len, s->seen.data);
}

static unsigned count_seen(const struct script_server *s, const char *text)
{
	unsigned n = 0;
	const char *p = s->seen.data;
	const char *end = p + s->seen.len;

	while (p < end && (p = memmem(p, (size_t)(end - p), text, strlen(text))) != NULL) {
		n++;
		p += strlen(text);
	}
	return n;
}

/* One server and one client of it. */
#define START(...)                                                                    \
	const struct script scripts[] = {__VA_ARGS__};                                \
	struct script_server s;                                                       \
	struct client k = {.in = NULL};                                               \
	(void)state;                                                                  \
	script_server_start(&s, NULL, scripts, sizeof(scripts) / sizeof(scripts[0])); \
	open_port(&k, s.port)

static void stop(struct script_server *s, struct client *k, unsigned connections)
{
	done(k);
	script_server_stop(s);
	assert_int_equal(s->accepted, connections);
}

static void a_connection_serves_many_calls(void **state)
{
	START({{OK("1", "a"), OK("0", ""), OK("1", "c")}, SCRIPT_LINGER, false});

	expect_answer(&k, get("/a"), 200, "a");
	expect_answer(&k, put("/b?x=1", "body"), 200, "");
	expect_answer(&k, put("/c", ""), 200, "c");
	stop(&s, &k, 1);
	expect_seen(&s, "GET /a HTTP/1.1\r\n");
	expect_seen(&s, "PUT /b?x=1 HTTP/1.1\r\n");
	expect_seen(&s, "Content-Length: 4\r\n");
	expect_seen(&s, "\r\n\r\nbody");
	expect_seen(&s, "Content-Length: 0\r\n");
	assert_int_equal(count_seen(&s, "Host: 127.0.0.1:"), 3);
	assert_int_equal(count_seen(&s, "Content-Length"), 2);
	script_server_done(&s);
}

/* Also for a write, of which no byte went out. */
static void a_connection_that_ended_meanwhile_is_made_anew(void **state)
{
	START({{OK("1", "a")}, SCRIPT_CLOSE, false}, {{OK("1", "b")}, SCRIPT_CLOSE, false});

	expect_answer(&k, put("/a", "x"), 200, "a");
	script_server_wait_closed(&s);
	expect_answer(&k, put("/b", "x"), 200, "b");
	stop(&s, &k, 2);
	script_server_done(&s);
}

static void a_read_is_sent_again_when_its_kept_connection_ends(void **state)
{
	START({{OK("1", "a")}, SCRIPT_READ, false}, {{OK("1", "b")}, SCRIPT_CLOSE, false});

	expect_answer(&k, get("/a"), 200, "a");
	expect_answer(&k, get("/b"), 200, "b");
	stop(&s, &k, 2);
	assert_int_equal(count_seen(&s, "GET /b"), 2);
	script_server_done(&s);
}

static void a_write_is_sent_once(void **state)
{
	START({{OK("1", "a")}, SCRIPT_READ, false}, {{OK("1", "b")}, SCRIPT_CLOSE, false});

	expect_answer(&k, get("/a"), 200, "a");
	expect_failure(&k, put("/b", "x"), ECONNRESET, HTTPC_UNKNOWN);
	stop(&s, &k, 1);
	assert_int_equal(count_seen(&s, "PUT /b"), 1);
	script_server_done(&s);
}

static void connection_close_is_kept(void **state)
{
	START({{"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\na"},
	       SCRIPT_LINGER,
	       false},
	      {{"HTTP/1.0 200 OK\r\n\r\nto the end"}, SCRIPT_CLOSE, false},
	      {{OK("1", "cd")}, SCRIPT_LINGER, false}, {{OK("1", "d")}, SCRIPT_CLOSE, false});

	expect_answer(&k, put("/a", "x"), 200, "a");
	expect_answer(&k, put("/b", "x"), 200, "to the end");
	/* More than the answer has: no next answer is to be believed. */
	expect_answer(&k, put("/c", "x"), 200, "c");
	expect_answer(&k, put("/d", "x"), 200, "d");
	stop(&s, &k, 4);
	script_server_done(&s);
}

/* ---- Answers in pieces. */

struct pieces {
	char text[64];
	size_t len;
	size_t stop_at;
};

static int take_piece(void *ctx, struct span data)
{
	struct pieces *p = ctx;

	assert_true(data.len > 0 && p->len + data.len < sizeof(p->text));
	memcpy(p->text + p->len, data.p, data.len);
	p->len += data.len;
	return p->len >= p->stop_at;
}

#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

static void pieces_are_handed_out_as_they_come(void **state)
{
	struct httpc_request r = get("/a");
	struct pieces p = {.stop_at = 60};

	START({{CHUNKED "3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n", OK("3", "hij"),
	        "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno"},
	       SCRIPT_LINGER,
	       false});
	r.piece = take_piece;
	r.ctx = &p;
	expect_answer(&k, r, 200, "");
	expect_answer(&k, r, 200, "");
	assert_int_equal(p.len, 10);
	assert_memory_equal(p.text, "abcdefghij", 10);
	/* What is no success is no piece. */
	expect_answer(&k, r, 404, "no");
	assert_int_equal(p.len, 10);
	stop(&s, &k, 1);
	script_server_done(&s);
}

static void what_was_handed_out_is_not_asked_for_again(void **state)
{
	struct httpc_request r = get("/a");
	struct pieces p = {.stop_at = 60};
	struct pieces few = {.stop_at = 2};

	START({{CHUNKED "3\r\nabc\r\n"}, SCRIPT_CLOSE, false},
	      {{CHUNKED "3\r\nabc\r\n"}, SCRIPT_LINGER, false});
	r.piece = take_piece;
	r.ctx = &p;
	expect_failure(&k, r, ECONNRESET, HTTPC_UNKNOWN);
	assert_int_equal(p.len, 3);
	r.ctx = &few;
	expect_failure(&k, r, ECANCELED, HTTPC_UNKNOWN);
	stop(&s, &k, 2);
	script_server_done(&s);
}

static void what_comes_before_the_answer_is_passed(void **state)
{
	struct httpc_request head = get("/b");

	START({{"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" OK("1",
	                                                                                      "a"),
	        "HTTP/1.1 200 OK\r\nContent-Length: 70\r\n\r\n", OK("1", "c")},
	       SCRIPT_LINGER,
	       false});
	expect_answer(&k, get("/a"), 200, "a");
	head.method = "HEAD";
	expect_answer(&k, head, 200, "");
	expect_answer(&k, get("/c"), 200, "c");
	stop(&s, &k, 1);
	script_server_done(&s);
}

/* ---- What goes wrong. */

static void an_answer_that_breaks_off_is_none(void **state)
{
	START({{"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"}, SCRIPT_CLOSE, false},
	      {{"HTTP/1.1 200 OK\r\nConte"}, SCRIPT_CLOSE, false}, {{""}, SCRIPT_CLOSE, false},
	      {{CHUNKED "5\r\nabcde\r\n"}, SCRIPT_CLOSE, false});

	for (int i = 0; i < 4; i++)
		expect_failure(&k, put("/a", "x"), ECONNRESET, HTTPC_UNKNOWN);
	stop(&s, &k, 4);
	script_server_done(&s);
}

static void what_is_no_http_is_said(void **state)
{
	START({{"SSH-2.0-OpenSSH_9.2\r\n"}, SCRIPT_LINGER, false},
	      {{"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"}, SCRIPT_LINGER, false},
	      {{OK("1", "a")}, SCRIPT_LINGER, false});

	expect_failure(&k, put("/a", "x"), EPROTO, HTTPC_UNKNOWN);
	expect_failure(&k, put("/a", "x"), EMSGSIZE, HTTPC_UNKNOWN);
	expect_answer(&k, put("/a", "x"), 200, "a");
	stop(&s, &k, 3);
	script_server_done(&s);
}

static void silence_has_an_end(void **state)
{
	struct httpc_request r = put("/a", "x");
	int64_t before = clock_mono_ns();

	START({{""}, SCRIPT_LINGER, false}, {{OK("1", "a")}, SCRIPT_LINGER, false});
	r.deadline_ns = wait_deadline_ms(SHORT_MS);
	expect_failure(&k, r, ETIMEDOUT, HTTPC_UNKNOWN);
	assert_true(clock_mono_ns() - before >= SHORT_MS * CLOCK_NS_PER_MS);
	/* A late answer to the first one would not be taken for this one's. */
	expect_answer(&k, put("/b", "x"), 200, "a");
	stop(&s, &k, 2);
	script_server_done(&s);
}

static void a_host_may_be_less_patient_with_than_the_call(void **state)
{
	struct httpc_request r = get("/a");

	START({{""}, SCRIPT_LINGER, false});
	r.deadline_ns = WAIT_FOREVER;
	r.answer_ns = SHORT_MS * CLOCK_NS_PER_MS;
	expect_failure(&k, r, ETIMEDOUT, HTTPC_UNKNOWN);
	stop(&s, &k, 1);
	script_server_done(&s);
}

/* The body is larger than what sockets hold, and nobody reads it. */
static void an_answer_is_heard_while_the_body_goes_out(void **state)
{
	size_t size = (size_t)32 << 20;
	struct httpc_request r = put("/a", "");
	char *body = calloc(1, size);

	START({{"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig"}, SCRIPT_LINGER, true},
	      {{OK("1", "a")}, SCRIPT_LINGER, false});
	assert_non_null(body);
	r.body = (struct span){body, size};
	expect_answer(&k, r, 413, "big");
	expect_answer(&k, put("/b", "x"), 200, "a");
	stop(&s, &k, 2);
	script_server_done(&s);
	free(body);
}

/* ---- Hosts. */

/* A port that nobody listens on, and that is nobody else's until the descriptor is closed. */
static int dead_port(uint16_t *ret)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	*ret = ntohs(at.sin_port);
	return fd;
}

static void open_two(struct client *k, uint16_t first, uint16_t second, uint32_t start)
{
	char text[128];

	snprintf(text, sizeof(text), "http://127.0.0.1:%u,127.0.0.1:%u", first, second);
	open_text(k, text, start);
}

static void nobody_there_is_not_sent(void **state)
{
	struct client k = {.in = NULL};
	uint16_t port;
	int fd = dead_port(&port);

	(void)state;
	open_port(&k, port);
	expect_failure(&k, put("/a", "x"), ECONNREFUSED, HTTPC_NOT_SENT);
	done(&k);
	open_two(&k, port, port, 1);
	expect_failure(&k, put("/a", "x"), ECONNREFUSED, HTTPC_NOT_SENT);
	assert_non_null(strstr(k.e.msg, "; '127.0.0.1:"));
	done(&k);
	open_text(&k, "unix:/nowhere/at.sock", 0);
	expect_failure(&k, put("/a", "x"), ENOENT, HTTPC_NOT_SENT);
	done(&k);
	close(fd);
}

static void the_next_host_is_asked_when_one_is_away(void **state)
{
	uint16_t dead;
	int fd = dead_port(&dead);

	(void)state;

	for (uint32_t start = 0; start < 2; start++) {
		const struct script both = {{OK("1", "a"), OK("1", "b")}, SCRIPT_LINGER, false};
		struct script_server s;
		struct client k = (struct client){.in = NULL};

		script_server_start(&s, NULL, &both, 1);
		open_two(&k, dead, s.port, start);
		expect_answer(&k, put("/a", "x"), 200, "a");
		expect_answer(&k, put("/b", "x"), 200, "b");
		stop(&s, &k, 1);
		script_server_done(&s);
	}
	close(fd);
}

static void two_servers(struct script_server *a, const struct script *of_a, struct script_server *b,
                        const struct script *of_b)
{
	script_server_start(a, NULL, of_a, 1);
	script_server_start(b, NULL, of_b, 1);
}

static void a_silent_host_has_its_share_of_the_time(void **state)
{
	const struct script silent = {{""}, SCRIPT_LINGER, false};
	const struct script good = {{OK("1", "b")}, SCRIPT_LINGER, false};
	struct script_server a, b;
	struct client k = {.in = NULL};
	struct httpc_request r = get("/x");

	(void)state;
	two_servers(&a, &silent, &b, &good);
	open_two(&k, a.port, b.port, 0);
	r.deadline_ns = WAIT_FOREVER;
	r.answer_ns = SHORT_MS * CLOCK_NS_PER_MS;
	expect_answer(&k, r, 200, "b");
	done(&k);
	script_server_stop(&a);
	script_server_stop(&b);
	expect_seen(&a, "GET /x");
	script_server_done(&a);
	script_server_done(&b);
}

static void a_write_that_is_lost_goes_to_nobody_else(void **state)
{
	const struct script lost = {{""}, SCRIPT_CLOSE, false};
	const struct script good = {{OK("1", "b"), OK("1", "c")}, SCRIPT_LINGER, false};
	struct script_server a, b;
	struct client k = {.in = NULL};

	(void)state;
	two_servers(&a, &lost, &b, &good);
	open_two(&k, a.port, b.port, 0);
	assert_int_equal(call(&k, put("/x", "1")), -1);
	assert_int_equal(k.sent, HTTPC_UNKNOWN);
	/* The next call is another matter. */
	expect_answer(&k, put("/y", "1"), 200, "b");
	httpc_next(k.c);
	httpc_next(k.c);
	done(&k);
	script_server_stop(&a);
	script_server_stop(&b);
	assert_int_equal(count_seen(&b, "PUT /x"), 0);
	script_server_done(&a);
	script_server_done(&b);
}

static void the_caller_passes_a_host(void **state)
{
	const struct script one = {{OK("1", "a")}, SCRIPT_CLOSE, false};
	const struct script other = {{OK("1", "b")}, SCRIPT_CLOSE, false};
	struct script_server a, b;
	struct client k = {.in = NULL};

	(void)state;
	two_servers(&a, &one, &b, &other);
	open_two(&k, a.port, b.port, 0);
	expect_answer(&k, put("/x", "1"), 200, "a");
	httpc_next(k.c);
	expect_answer(&k, put("/x", "1"), 200, "b");
	done(&k);
	script_server_stop(&a);
	script_server_stop(&b);
	script_server_done(&a);
	script_server_done(&b);
}

static void a_unix_socket_is_a_host(void **state)
{
	const struct script one = {{OK("1", "a"), OK("1", "b")}, SCRIPT_LINGER, false};
	char *dir = tmp_dir_new();
	struct client k = {.in = NULL};
	struct script_server s;
	char path[100], text[110];

	(void)state;
	snprintf(path, sizeof(path), "%s/s", dir);
	snprintf(text, sizeof(text), "unix:%s", path);
	script_server_start(&s, path, &one, 1);
	open_text(&k, text, 7);
	expect_answer(&k, put("/x", "1"), 200, "a");
	expect_answer(&k, put("/y", "1"), 200, "b");
	assert_string_equal(httpc_host(k.c), path);
	stop(&s, &k, 1);
	expect_seen(&s, "Host: localhost\r\n");
	script_server_done(&s);
	tmp_dir_free(dir);
}

static void names_are_resolved(void **state)
{
	START({{OK("1", "a")}, SCRIPT_LINGER, false});
	char text[64];

	done(&k);
	k = (struct client){.in = NULL};
	snprintf(text, sizeof(text), "http://localhost:%u", s.port);
	open_text(&k, text, 0);
	expect_answer(&k, get("/a"), 200, "a");
	stop(&s, &k, 1);
	script_server_done(&s);
}

static void other_schemes_are_refused(void **state)
{
	struct httpc_config cfg = {.port = 1};
	struct url u;
	struct err e;

	(void)state;
	assert_int_equal(url_parse(&u, "https://a", &e), 0);
	cfg.url = &u;
	assert_null(httpc_new(&cfg, &e));
	assert_int_equal(e.code, EINVAL);
	url_done(&u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_connection_serves_many_calls),
	    cmocka_unit_test(a_connection_that_ended_meanwhile_is_made_anew),
	    cmocka_unit_test(a_read_is_sent_again_when_its_kept_connection_ends),
	    cmocka_unit_test(a_write_is_sent_once),
	    cmocka_unit_test(connection_close_is_kept),
	    cmocka_unit_test(pieces_are_handed_out_as_they_come),
	    cmocka_unit_test(what_was_handed_out_is_not_asked_for_again),
	    cmocka_unit_test(what_comes_before_the_answer_is_passed),
	    cmocka_unit_test(an_answer_that_breaks_off_is_none),
	    cmocka_unit_test(what_is_no_http_is_said),
	    cmocka_unit_test(silence_has_an_end),
	    cmocka_unit_test(a_host_may_be_less_patient_with_than_the_call),
	    cmocka_unit_test(an_answer_is_heard_while_the_body_goes_out),
	    cmocka_unit_test(nobody_there_is_not_sent),
	    cmocka_unit_test(the_next_host_is_asked_when_one_is_away),
	    cmocka_unit_test(a_silent_host_has_its_share_of_the_time),
	    cmocka_unit_test(a_write_that_is_lost_goes_to_nobody_else),
	    cmocka_unit_test(the_caller_passes_a_host),
	    cmocka_unit_test(a_unix_socket_is_a_host),
	    cmocka_unit_test(names_are_resolved),
	    cmocka_unit_test(other_schemes_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
