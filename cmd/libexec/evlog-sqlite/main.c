/* evlog-sqlite: requests and answers; helper.h has them. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json_out.h"
#include "base/text.h"
#include "helper.h"
#include "tool/tool.h"

#define CHUNK (256u << 10)

/* ---- Answers. */

static void answer(struct buf *b)
{
	struct err e;

	buf_add_char(b, '\n');
	if (buf_ok(b, &e) < 0)
		tool_die(TOOL_OSERR, &e);
	tool_write(b->data, b->len);
	tool_flush();
	buf_done(b);
}

static void answer_sequence(uint64_t seq)
{
	struct buf b = {0};

	buf_add_str(&b, "{\"sequence\":");
	json_out_seq(&b, seq);
	buf_add_char(&b, '}');
	answer(&b);
}

void die(int status, const char *fmt, ...)
{
	struct buf b = {0};
	char text[ERR_MSG_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	buf_printf(&b, "{\"error\":%d,\"message\":", status);
	json_out_string(&b, text, strlen(text));
	buf_add_char(&b, '}');
	answer(&b);
	if (model_left_over() != NULL)
		unlink(model_left_over());
	exit(status);
}

/* ---- Requests. */

/* Lines of stdin; what is handed out stays where it is until the next request. */
struct input {
	struct buf bytes;
	size_t at, scanned;
};

/* The next line as offset and length; false at the end of stdin. */
static bool next_line(struct input *in, size_t *ret_at, size_t *ret_len)
{
	struct buf *b = &in->bytes;

	for (;;) {
		size_t n = b->len - in->scanned;
		const char *lf = n > 0 ? memchr(b->data + in->scanned, '\n', n) : NULL;
		ssize_t got;

		if (lf != NULL) {
			*ret_at = in->at;
			*ret_len = (size_t)(lf - b->data) - in->at;
			in->at = in->scanned = (size_t)(lf - b->data) + 1;
			return true;
		}
		in->scanned = b->len;
		if (buf_reserve(b, CHUNK) == NULL)
			die(TOOL_OSERR, "out of memory");
		got = read(STDIN_FILENO, b->data + b->len, CHUNK);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false; /* what has no line end is not a whole request */
		b->len += (size_t)got;
	}
}

static _Noreturn void bad_request(const char *what)
{
	die(TOOL_INTERNAL, "evlog-sqlite: bad request: %s", what);
}

static const struct json_value *find(const struct json_doc *d, const char *key, enum json_type t)
{
	const struct json_value *v = json_find(d, key);

	return v != NULL && v->type == t ? v : NULL;
}

/* A string of the request, malloc'ed; NULL: it is not there. */
static char *get_text(const struct json_doc *d, const char *key)
{
	const struct json_value *v = find(d, key, JSON_STRING);
	struct buf b = {0};
	struct err e;

	if (v == NULL)
		return NULL;
	if (json_unescape(&b, v->p + 1, v->len - 2, &e) < 0)
		die(TOOL_OSERR, "%s", e.msg);
	if (b.len > 0 && memchr(b.data, '\0', b.len) != NULL)
		die(TOOL_DATA, "--%s: a NUL byte", key);
	buf_add_char(&b, '\0');
	if (buf_ok(&b, &e) < 0)
		die(TOOL_OSERR, "%s", e.msg);
	return b.data;
}

static char *need_text(const struct json_doc *d, const char *key)
{
	char *s = get_text(d, key);

	if (s == NULL)
		bad_request(key);
	return s;
}

static uint64_t need_number(const struct json_doc *d, const char *key)
{
	const struct json_value *v = json_find(d, key);
	struct err e;
	uint64_t n;

	if (v == NULL || json_get_u64(v, &n, &e) < 0 || n > INT64_MAX)
		bad_request(key);
	return n;
}

static bool get_bool(const struct json_doc *d, const char *key)
{
	const struct json_value *v = find(d, key, JSON_BOOL);

	return v != NULL && *v->p == 't';
}

static void do_open(struct model *m, const struct json_doc *d)
{
	struct buf b = {0};

	m->name = need_text(d, "name");
	m->store = need_text(d, "store");
	m->program = need_text(d, "program");
	m->selector = need_text(d, "selector");
	m->schema = get_text(d, "schema");
	m->wait_ms = (int64_t)need_number(d, "wait_ms");
	buf_add_char(&b, '{');
	model_open(m, get_bool(d, "rebuild"), &b);
	buf_add_char(&b, '}');
	answer(&b);
}

/* "SEQ OUTPUTS" for each line; spans when all are read, since reading moves the bytes. */
static void read_lines(struct input *in, struct batch *b)
{
	size_t begin = in->at;
	size_t at;
	size_t len;
	struct err e;

	for (size_t i = 0; i < b->count; i++)
		if (!next_line(in, &at, &len))
			exit(TOOL_OK); /* the caller has gone in the middle of a request */
	in->at = in->scanned = begin;
	for (size_t i = 0; i < b->count; i++) {
		struct line *l = &b->lines[i];
		const char *p;

		if (!next_line(in, &at, &len))
			return;
		p = in->bytes.data + at;
		if (len <= TEXT_U64_LEN || p[TEXT_U64_LEN] != ' ' ||
		    num_u64_len(p, TEXT_U64_LEN, 0, INT64_MAX, &l->seq, &e) < 0)
			bad_request("a line of outputs");
		l->outputs = (struct span){p + TEXT_U64_LEN + 1, len - TEXT_U64_LEN - 1};
	}
}

static void answer_poison(const struct batch *b)
{
	struct buf out = {0};

	buf_printf(&out, "{\"poison\":%zu}", b->poisoned);
	for (size_t i = 0; i < b->count; i++)
		if (b->lines[i].why != NULL)
			buf_printf(&out, "\n%020ju %s", (uintmax_t)b->lines[i].seq,
			           b->lines[i].why);
	answer(&out);
}

static void do_apply(struct model *m, const struct json_doc *d, struct input *in)
{
	struct batch b = {.count = (size_t)need_number(d, "count"),
	                  .from = need_number(d, "from"),
	                  .to = need_number(d, "to"),
	                  .recorded = need_number(d, "recorded"),
	                  .park = get_bool(d, "park")};

	b.lines = tool_alloc(b.count + 1, sizeof(*b.lines));
	read_lines(in, &b);
	model_apply(m, &b);
	if (b.poisoned > 0)
		answer_poison(&b);
	else
		answer_sequence(b.to);
	for (size_t i = 0; i < b.count; i++)
		free(b.lines[i].why);
	free(b.lines);
}

static void do_query(struct model *m, const struct json_doc *d)
{
	struct buf b = {0};
	char *table = get_text(d, "table");

	free(m->name);
	free(m->store);
	m->name = need_text(d, "name");
	m->store = need_text(d, "store");
	buf_add_char(&b, '{');
	model_query(m, table, find(d, "key", JSON_ARRAY), &b);
	buf_add_char(&b, '}');
	answer(&b);
	free(table);
}

static void dispatch(struct model *m, const struct json_doc *d, struct input *in)
{
	const struct json_value *what = find(d, "do", JSON_STRING);

	if (what == NULL)
		bad_request("do");
	if (json_string_is(what, "query")) {
		do_query(m, d);
	} else if (json_string_is(what, "open") && m->live == NULL) {
		do_open(m, d);
	} else if (m->rows == NULL) {
		bad_request("not open");
	} else if (json_string_is(what, "apply")) {
		do_apply(m, d, in);
	} else if (json_string_is(what, "accept")) {
		model_accept(m);
		answer_sequence(0);
	} else if (json_string_is(what, "publish") && m->built != NULL) {
		model_publish(m);
		answer_sequence(0);
	} else {
		bad_request("do");
	}
}

int main(int argc, char **argv)
{
	struct model m = {0};
	struct input in = {0};
	size_t at;
	size_t len;
	struct json_doc d;
	struct err e;

	tool_init("evlog");
	if (argc != 2)
		tool_dief(TOOL_USAGE, "evlog-sqlite is started by evlog, not by hand");
	m.path = argv[1];
	while (next_line(&in, &at, &len)) {
		if (json_scan(in.bytes.data + at, len, &d, &e) < 0)
			bad_request(e.msg);
		dispatch(&m, &d, &in);
		buf_consume(&in.bytes, in.at);
		in.at = in.scanned = 0;
	}
	model_done(&m);
	buf_done(&in.bytes);
	return 0;
}
