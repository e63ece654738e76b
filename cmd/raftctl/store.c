/* store: where the store is, how it is asked, and what its answers mean. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/backoff.h"
#include "base/text.h"
#include "os/clock.h"
#include "os/rand.h"
#include "os/wait.h"
#include "raftctl.h"

#define STORE_DEFAULT "http://127.0.0.1:8500"
#define PORT_DEFAULT  8500
#define TIMEOUT_NS    (10 * CLOCK_NS_PER_SEC)
#define HEAD_MAX      ((size_t)64 * 1024)
#define ERROR_MAX     300 /* bytes of an error's text that are shown */

static const struct backoff pauses = {20 * CLOCK_NS_PER_MS, CLOCK_NS_PER_SEC};

void store_option(struct store *st, const struct opts *o, int id)
{
	if (id == 's') {
		st->where = o->arg;
		return;
	}
	st->has_timeout = true;
	st->timeout_ns = opts_duration_ns(o);
}

/* 64 random bits; none that matter. */
static uint64_t draw(void)
{
	uint64_t n;
	struct err e;

	return rand_bytes(&n, sizeof(n), &e) == 0 ? n : (uint64_t)clock_mono_ns();
}

static void take_url(struct store *st)
{
	const char *text = st->where != NULL ? st->where : tool_env("RAFTD_STORE");
	struct err e;

	st->where = text != NULL ? text : STORE_DEFAULT;
	if (url_parse(&st->url, st->where, &e) < 0)
		tool_dief(TOOL_CONFIG, "store '%s': %s", st->where, e.msg);
	if (st->url.scheme != URL_HTTP && st->url.scheme != URL_UNIX)
		tool_dief(TOOL_CONFIG,
		          "store '%s': %s: is not possible; http://HOST:PORT and unix:PATH are",
		          st->where, url_scheme_name(st->url.scheme));
	if (st->url.scheme == URL_HTTP && st->url.path[strspn(st->url.path, "/")] != '\0')
		tool_dief(TOOL_CONFIG, "store '%s': a path has no meaning", st->where);
	if (st->url.params > 0 || st->url.user != NULL)
		tool_dief(TOOL_CONFIG, "store '%s': a user or parameters have no meaning",
		          st->where);
}

void store_open(struct store *st)
{
	struct httpc_config cfg = {
	    .url = &st->url,
	    .port = PORT_DEFAULT,
	    .limits = {.head_max = HEAD_MAX, .body_max = RAFTCTL_ANSWER_MAX}};
	struct err e;

	take_url(st);
	if (st->url.hosts > 1)
		cfg.start = (uint32_t)draw();
	if (!st->has_timeout)
		st->timeout_ns = TIMEOUT_NS;
	st->deadline_ns = clock_mono_ns() + st->timeout_ns;
	st->c = httpc_new(&cfg, &e);
	if (st->c == NULL)
		tool_die(TOOL_OSERR, &e);
}

void store_close(struct store *st)
{
	httpc_free(st->c);
	url_done(&st->url);
}

/* ---- What is asked. */

void ask_begin(struct ask *a, const char *method, const char *path, struct span rest)
{
	a->method = method;
	buf_clear(&a->target);
	buf_add_str(&a->target, path);
	http_encode(&a->target, rest);
}

void ask_param(struct ask *a, const char *name, const char *value)
{
	bool first = a->target.len == 0 || memchr(a->target.data, '?', a->target.len) == NULL;

	buf_add_char(&a->target, first ? '?' : '&');
	buf_add_str(&a->target, name);
	if (value == NULL)
		return;
	buf_add_char(&a->target, '=');
	http_encode(&a->target, span_of(value));
}

void ask_param_u64(struct ask *a, const char *name, uint64_t value)
{
	char digits[TEXT_U64_LEN + 1];

	digits[text_put_u64(digits, value)] = '\0';
	ask_param(a, name, digits);
}

void ask_done(struct ask *a)
{
	buf_done(&a->target);
}

/* ---- What comes back. */

static struct span text_of(const struct http_in *in)
{
	struct span s = http_in_body(in);

	while (s.len > 0 && (s.p[s.len - 1] == '\n' || s.p[s.len - 1] == '\r'))
		s.len--;
	if (s.len > ERROR_MAX)
		s.len = ERROR_MAX;
	return s;
}

static bool begins(struct span text, const char *with)
{
	size_t len = strlen(with);

	return text.len >= len && memcmp(text.p, with, len) == 0;
}

static bool begins_with_one(struct span text, const char *const *of)
{
	for (; *of != NULL; of++)
		if (begins(text, *of))
			return true;
	return false;
}

/* Consul has one status for all that went wrong; its clients look at the text. */
static int status_of_500(struct span text, bool writes)
{
	static const char *const not_now[] = {"No cluster leader", "Not ready to serve",
	                                      "RPC rate limit exceeded", NULL};
	static const char *const wrong[] = {
	    "invalid session",  "Invalid Session", "missing session",    "Session TTL",
	    "Invalid Behavior", "Missing node",    "Session lock delay", NULL};

	if (begins_with_one(text, not_now))
		return TOOL_TEMPFAIL;
	if (begins_with_one(text, wrong))
		return TOOL_DATA;
	return writes ? TOOL_UNKNOWN : TOOL_UNAVAILABLE;
}

/* The exit status that an HTTP status means; 0: it is an answer. */
static int status_of(const struct http_in *in, bool writes)
{
	unsigned status = http_in_status(in);

	if (status / 100 == 2 || status == 404 || status == 409)
		return TOOL_OK;
	switch (status) {
	case 429:
	case 503:
		return TOOL_TEMPFAIL;
	case 401:
	case 403:
		return TOOL_NOPERM;
	case 405:
	case 501:
		return TOOL_CONFIG;
	default:
		break;
	}
	if (status == 500)
		return status_of_500(text_of(in), writes);
	if (status > 500)
		return writes ? TOOL_UNKNOWN : TOOL_TEMPFAIL;
	return status >= 400 ? TOOL_DATA : TOOL_CONFIG;
}

static int status_of_failure(const struct err *e, enum httpc_sent sent, bool writes)
{
	if (e->code == ENOMEM)
		return TOOL_OSERR;
	if (sent == HTTPC_NOT_SENT)
		return TOOL_UNAVAILABLE;
	if (writes)
		return TOOL_UNKNOWN;
	return e->code == ETIMEDOUT ? TOOL_TEMPFAIL : TOOL_UNAVAILABLE;
}

/* ---- Asking. */

/* Once.  *again: another try may help, and does no harm. */
static int ask_once(struct store *st, const struct ask *a, const struct http_in **ret, bool *again,
                    struct err *e)
{
	struct httpc_request r = {.method = a->method,
	                          .target = {a->target.data, a->target.len},
	                          .body = a->body,
	                          .idempotent = !a->writes,
	                          .deadline_ns =
	                              a->deadline_ns != 0 ? a->deadline_ns : st->deadline_ns,
	                          .answer_ns = a->answer_ns};
	enum httpc_sent sent;
	struct span text;
	int status;

	if (httpc_call(st->c, &r, ret, &sent, e) < 0) {
		/* Who has not said that there is time learns at once that nobody is there. */
		*again = sent == HTTPC_NOT_SENT && st->has_timeout && e->code != ENOMEM;
		return status_of_failure(e, sent, a->writes);
	}
	status = status_of(*ret, a->writes);
	if (status == TOOL_OK)
		return TOOL_OK;
	*again = status == TOOL_TEMPFAIL && http_in_status(*ret) != 504;
	text = text_of(*ret);
	err_set(e, EPROTO, "'%s': %.*s (%u)", httpc_host(st->c), (int)text.len,
	        text.len > 0 ? text.p : "", http_in_status(*ret));
	httpc_next(st->c);
	return status;
}

static void pause_for(int64_t ns)
{
	struct err e;

	(void)wait_ready(NULL, 0, clock_mono_ns() + ns, &e);
}

int store_try(struct store *st, const struct ask *a, const struct http_in **ret, struct err *e)
{
	int64_t deadline = a->deadline_ns != 0 ? a->deadline_ns : st->deadline_ns;

	check_buf(&a->target);
	for (uint32_t attempt = 1;; attempt++) {
		bool again = false;
		int status = ask_once(st, a, ret, &again, e);
		int64_t pause;

		if (status == TOOL_OK || !again)
			return status;
		pause = backoff_delay_ns(&pauses, attempt, draw());
		if (pause >= deadline - clock_mono_ns())
			return status;
		pause_for(pause);
	}
}

const struct http_in *store_ask(struct store *st, const struct ask *a)
{
	const struct http_in *in;
	struct err e;
	int status = store_try(st, a, &in, &e);

	if (status == TOOL_UNKNOWN)
		tool_dief(status, "%s; whether it was done is not known", e.msg);
	if (status != TOOL_OK)
		tool_die(status, &e);
	return in;
}

uint64_t answer_index(const struct http_in *in)
{
	struct span s = http_in_header(in, "X-Consul-Index");
	uint64_t index = 0;
	struct err e;

	if (s.p != NULL)
		(void)num_u64_len(s.p, s.len, 0, UINT64_MAX, &index, &e);
	return index;
}

void answer_is_odd(const struct store *st, const struct http_in *in)
{
	tool_dief(TOOL_CONFIG, "'%s': it is no raftd: its answer is not what was asked for (%u)",
	          httpc_host(st->c), http_in_status(in));
}

bool answer_is_there(const struct store *st, const struct http_in *in)
{
	if (http_in_status(in) == 200)
		return true;
	if (http_in_status(in) != 404 || answer_index(in) == 0)
		answer_is_odd(st, in);
	return false;
}

bool answer_is_true(const struct store *st, const struct http_in *in)
{
	struct span text = text_of(in);

	if (http_in_status(in) != 200)
		answer_is_odd(st, in);
	if (span_is(text, span_of("true")))
		return true;
	if (!span_is(text, span_of("false")))
		answer_is_odd(st, in);
	return false;
}

void answer_json(const struct store *st, const struct http_in *in, struct json_doc *d)
{
	struct span body = http_in_body(in);
	struct err e;

	if (json_scan(body.p, body.len, d, &e) < 0)
		tool_dief(TOOL_UNAVAILABLE, "'%s': its answer is no JSON: %s", httpc_host(st->c),
		          e.msg);
}
