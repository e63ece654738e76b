/* target_sqlite: a model in an SQLite database, by evlog-sqlite (cmd/libexec/evlog-sqlite). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json_out.h"
#include "base/text.h"
#include "helper.h"
#include "os/clock.h"
#include "os/wait.h"
#include "project.h"

#define WAIT_DEFAULT_MS 60000 /* for a lock on the database, without -w */
#define CLOSE_MS        10000 /* to put the database in order at the end */

/* ---- The helper. */

int helper_start(struct helper *h, const char *db, const struct sig *sig, int guard_holds,
                 struct err *e)
{
	struct buf path = {0};
	char *argv[] = {NULL, (char *)(uintptr_t)db, NULL};
	struct coproc_spec spec = {.argv = argv,
	                           .sig = sig,
	                           .kill_after_ms = PROJECT_KILL_AFTER,
	                           .guard_holds = guard_holds};
	int r = tool_helper("evlog-sqlite", &path, e);

	*h = (struct helper){.running = false};
	if (r == 0) {
		argv[0] = path.data;
		r = coproc_start(&h->child, &spec, e);
	}
	buf_done(&path);
	h->running = r == 0;
	return r;
}

void helper_done(struct helper *h)
{
	if (h->running)
		coproc_done(&h->child);
	h->running = false;
}

/* Why it gives no answer. */
static int explain_end(struct helper *h, int64_t deadline_ns)
{
	struct err e;

	if (coproc_wait(&h->child, deadline_ns, &e) == COPROC_READY && h->child.proc.signal != 0)
		tool_warn("evlog-sqlite was ended by signal %d (%s)", h->child.proc.signal,
		          sig_name(h->child.proc.signal));
	else
		tool_warn("evlog-sqlite ended without an answer");
	return TOOL_OSERR;
}

enum coproc_result helper_answer(struct helper *h, struct json_doc *d, int *ret_status,
                                 int64_t deadline_ns, struct err *e)
{
	struct span line;
	enum coproc_result r = coproc_line(&h->child, SIZE_MAX / 2, &line, deadline_ns, e);
	const struct json_value *v;
	struct buf text = {0};
	uint64_t status;

	*ret_status = PROJECT_ON;
	if (r == COPROC_END) {
		*ret_status = explain_end(h, deadline_ns);
		return COPROC_READY;
	}
	if (r != COPROC_READY)
		return r;
	if (json_scan(line.p, line.len, d, e) < 0)
		return COPROC_FAILED;
	v = json_find(d, "error");
	if (v == NULL)
		return COPROC_READY;
	if (json_get_u64(v, &status, e) < 0)
		return COPROC_FAILED;
	v = json_find(d, "message");
	if (v != NULL && v->type == JSON_STRING &&
	    json_unescape(&text, v->p + 1, v->len - 2, e) == 0)
		tool_warn("%.*s", (int)text.len, text.data);
	buf_done(&text);
	*ret_status = (int)status;
	return COPROC_READY;
}

void helper_put_text(struct buf *out, const char *key, const char *text, size_t len)
{
	json_out_key(out, key);
	json_out_string(out, text, len);
}

/* ---- The target. */

struct own {
	struct helper helper;
	struct buf request;
};

/* An answer, whatever comes meanwhile: PROJECT_ON or a status. */
static int ask(struct project *p, struct json_doc *d)
{
	struct own *own = p->own;
	int64_t deadline = project_deadline(p);
	int status;
	struct err e;

	for (;;) {
		enum coproc_result r = helper_answer(&own->helper, d, &status, deadline, &e);

		if (r == COPROC_READY)
			return status;
		status = project_waited(p, r, "the database", &e);
		if (status != PROJECT_ON)
			return status;
	}
}

static int send(struct project *p, struct buf *b)
{
	struct own *own = p->own;
	struct err e;

	buf_add_char(b, '\n');
	if (buf_ok(b, &e) < 0)
		return fail_soft(&e);
	coproc_send(&own->helper.child, b->data, b->len);
	return PROJECT_ON;
}

static int bad_answer(void)
{
	tool_warn("evlog-sqlite answers what was not asked");
	return TOOL_INTERNAL;
}

static void get_text(const struct json_doc *d, const char *key, char *to, size_t max)
{
	const struct json_value *v = json_find(d, key);
	struct buf b = {0};
	struct err e;

	*to = '\0';
	if (v != NULL && v->type == JSON_STRING &&
	    json_unescape(&b, v->p + 1, v->len - 2, &e) == 0 && b.len <= max) {
		memcpy(to, b.data, b.len);
		to[b.len] = '\0';
	}
	buf_done(&b);
}

int helper_get_mark(const struct json_doc *d, struct mark *ret)
{
	const struct json_value *seq = json_find(d, "sequence");
	const struct json_value *recorded = json_find(d, "recorded");
	struct err e;

	*ret = (struct mark){.sequence = 0};
	if (seq == NULL || json_get_u64(seq, &ret->sequence, &e) < 0)
		return bad_answer();
	if (recorded != NULL && json_get_u64(recorded, &ret->event_ns, &e) < 0)
		return bad_answer();
	get_text(d, "program", ret->program, CURSOR_PROGRAM_LEN);
	get_text(d, "selector", ret->selector, CURSOR_SELECTOR_MAX);
	return PROJECT_ON;
}

static void put_open(const struct project *p, struct buf *b)
{
	int64_t wait_ms = p->place.has_wait ? p->place.wait_ms : WAIT_DEFAULT_MS;

	buf_clear(b);
	buf_add_str(b, "{\"do\":\"open\"");
	helper_put_text(b, "name", p->name, strlen(p->name));
	helper_put_text(b, "store", p->store, strlen(p->store));
	helper_put_text(b, "program", p->map.hash, strlen(p->map.hash));
	helper_put_text(b, "selector", p->selector, strlen(p->selector));
	if (p->schema.len > 0)
		helper_put_text(b, "schema", p->schema.data, p->schema.len);
	buf_printf(b, ",\"rebuild\":%s,\"wait_ms\":%jd}", p->rebuild ? "true" : "false",
	           (intmax_t)wait_ms);
}

static int open(struct project *p)
{
	struct own *own = tool_alloc(1, sizeof(*own));
	struct json_doc d;
	struct err e;
	int status;

	p->own = own;
	if (helper_start(&own->helper, p->path.data, &p->sig, cursor_lock_fd(p->cursor), &e) < 0) {
		tool_warn("%s", e.msg);
		return TOOL_OSERR;
	}
	put_open(p, &own->request);
	status = send(p, &own->request);
	if (status == PROJECT_ON)
		status = ask(p, &d);
	if (status == PROJECT_ON)
		status = helper_get_mark(&d, &p->mark);
	if (status == PROJECT_ON && p->rebuild)
		p->mark = (struct mark){.sequence = 0};
	return status;
}

static int simple(struct project *p, const char *request)
{
	struct own *own = p->own;
	struct json_doc d;
	int status;

	buf_clear(&own->request);
	buf_add_str(&own->request, request);
	status = send(p, &own->request);
	return status == PROJECT_ON ? ask(p, &d) : status;
}

static int accept_program(struct project *p)
{
	return simple(p, "{\"do\":\"accept\"}");
}

static int publish(struct project *p)
{
	return simple(p, "{\"do\":\"publish\"}");
}

static int begin(struct project *p, const struct change *c)
{
	struct own *own = p->own;
	struct buf *b = &own->request;
	size_t count = 0;
	struct err e;

	for (size_t i = 0; i < c->count; i++)
		count += c->events->events[i].why == NULL;
	buf_clear(b);
	buf_printf(b,
	           "{\"do\":\"apply\",\"count\":%zu,\"from\":%ju,\"to\":%ju,\"recorded\":%ju,"
	           "\"park\":%s}",
	           count, (uintmax_t)p->mark.sequence, (uintmax_t)c->to.sequence,
	           (uintmax_t)c->to.event_ns, p->park ? "true" : "false");
	for (size_t i = 0; i < c->count; i++) {
		struct span outputs = mapped_outputs(c->events, i);

		if (c->events->events[i].why != NULL)
			continue;
		buf_printf(b, "\n%020ju ", (uintmax_t)c->events->events[i].seq);
		buf_add(b, outputs.p, outputs.len);
	}
	if (send(p, b) != PROJECT_ON)
		return TOOL_OSERR;
	return coproc_flush(&own->helper.child, 0, &e) == COPROC_FAILED ? fail_soft(&e)
	                                                                : PROJECT_ON;
}

static void poke(struct project *p)
{
	struct own *own = p->own;
	struct err ignored; /* end() meets it again */

	(void)coproc_flush(&own->helper.child, 0, &ignored);
}

/* "SEQ REASON" for an event of the change. */
static int take_reason(const struct change *c, struct span line)
{
	struct buf why = {0};
	struct err e;
	uint64_t seq;
	size_t i = 0;

	if (line.len <= TEXT_U64_LEN ||
	    num_u64_len(line.p, TEXT_U64_LEN, 0, UINT64_MAX, &seq, &e) < 0)
		return bad_answer();
	while (i < c->count && c->events->events[i].seq != seq)
		i++;
	if (i == c->count)
		return bad_answer();
	buf_add(&why, line.p + TEXT_U64_LEN + 1, line.len - TEXT_U64_LEN - 1);
	buf_add_char(&why, '\0');
	if (buf_ok(&why, &e) < 0)
		return fail_soft(&e);
	mapped_blame(c->events, i, why.data);
	buf_done(&why);
	return PROJECT_ON;
}

static int take_reasons(struct project *p, const struct change *c, uint64_t count)
{
	struct own *own = p->own;
	int64_t deadline = project_deadline(p);
	struct span line;
	struct err e;

	for (uint64_t n = 0; n < count;) {
		enum coproc_result r =
		    coproc_line(&own->helper.child, SIZE_MAX / 2, &line, deadline, &e);
		int status = r == COPROC_READY ? take_reason(c, line)
		             : r == COPROC_END ? explain_end(&own->helper, deadline)
		                               : project_waited(p, r, "the database", &e);

		if (status != PROJECT_ON)
			return status;
		n += r == COPROC_READY;
	}
	return PROJECT_ON;
}

static int end(struct project *p, const struct change *c, bool *ret_poison)
{
	const struct json_value *v;
	struct json_doc d;
	struct err e;
	uint64_t n;
	int status = ask(p, &d);

	*ret_poison = false;
	if (status != PROJECT_ON)
		return status;
	v = json_find(&d, "poison");
	if (v == NULL)
		return PROJECT_ON;
	if (json_get_u64(v, &n, &e) < 0)
		return bad_answer();
	*ret_poison = true;
	return take_reasons(p, c, n);
}

/* What it was building beside, when it could not remove that by itself. */
static void remove_built(const struct project *p, pid_t pid)
{
	struct buf path = {0};
	struct err e;

	buf_printf(&path, "%s.rebuild-%d", p->path.data, (int)pid);
	buf_add_char(&path, '\0');
	if (buf_ok(&path, &e) == 0)
		(void)unlink(path.data);
	buf_done(&path);
}

static void close_target(struct project *p)
{
	struct own *own = p->own;
	pid_t pid;
	struct err ignored;

	if (own == NULL)
		return;
	pid = own->helper.child.proc.pid;
	if (own->helper.running) {
		coproc_end_input(&own->helper.child);
		while (!p->at_once && coproc_wait(&own->helper.child, wait_deadline_ms(CLOSE_MS),
		                                  &ignored) == COPROC_SIGNAL)
			(void)project_take_signals(p);
		if (!own->helper.child.proc.ended)
			(void)coproc_stop(&own->helper.child, &ignored);
		helper_done(&own->helper);
		remove_built(p, pid);
	}
	buf_done(&own->request);
	free(own);
	p->own = NULL;
}

const struct target target_sqlite = {
    .open = open,
    .accept = accept_program,
    .begin = begin,
    .poke = poke,
    .end = end,
    .publish = publish,
    .close = close_target,
};
