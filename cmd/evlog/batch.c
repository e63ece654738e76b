/* batch: a command for each batch; how it ends is its answer. */
#include <assert.h>
#include <string.h>

#include "base/json.h"
#include "consume.h"
#include "os/clock.h"

/* A member of an event as the value of a variable; false where it has none. */
static bool put_member(struct buf *b, const struct json_doc *d, const char *key)
{
	const struct json_value *v = json_find(d, key);
	size_t begin = b->len;
	struct err e;

	if (v == NULL || v->type != JSON_STRING || json_unescape(b, v->p + 1, v->len - 2, &e) < 0 ||
	    memchr(b->data + begin, '\0', b->len - begin) != NULL) {
		b->len = begin;
		return false;
	}
	return true;
}

struct environment {
	struct buf text;
	size_t at[CONSUME_ENV_MAX];
	size_t n;
	const char *v[CONSUME_ENV_MAX + 1];
};

static void begin_variable(struct environment *v, const char *name)
{
	assert(v->n < CONSUME_ENV_MAX);
	v->at[v->n++] = v->text.len;
	buf_add_str(&v->text, name);
}

/* Only of a single event: of many there is no one cause. */
static void add_cause(struct environment *v, struct span line)
{
	struct json_doc d;
	struct err e;

	if (json_scan(line.p, line.len, &d, &e) < 0)
		return;
	begin_variable(v, "EVLOG_CORRELATION=");
	if (!put_member(&v->text, &d, "correlationid"))
		(void)put_member(&v->text, &d, "id");
	buf_add_char(&v->text, '\0');
	begin_variable(v, "EVLOG_CAUSATION=");
	(void)put_member(&v->text, &d, "id");
	buf_add_char(&v->text, '\0');
}

static int make_environment(struct consumer *c, const struct feed_batch *b, struct environment *v,
                            struct err *e)
{
	buf_clear(&v->text);
	v->n = 0;
	begin_variable(v, "EVLOG_STORE=");
	buf_add_str(&v->text, evlog_path(c->s));
	buf_add_char(&v->text, '\0');
	begin_variable(v, "EVLOG_FIRST=");
	buf_printf(&v->text, "%020ju%c", (uintmax_t)b->events[0].seq, '\0');
	begin_variable(v, "EVLOG_LAST=");
	buf_printf(&v->text, "%020ju%c", (uintmax_t)b->events[b->count - 1].seq, '\0');
	if (b->count == 1)
		add_cause(v, feed_line(b, 0));
	if (buf_ok(&v->text, e) < 0)
		return -1;
	for (size_t i = 0; i < v->n; i++)
		v->v[i] = v->text.data + v->at[i];
	v->v[v->n] = NULL;
	return 0;
}

/* Until the command has ended: CONSUME_ON and child->proc.code. */
static int wait_for(struct consumer *c, struct coproc *child)
{
	int64_t deadline = consume_deadline(c);
	enum coproc_result r;
	struct err e;

	do
		r = coproc_wait(child, deadline, &e);
	while (r == COPROC_SIGNAL && !consume_take_signals(c));
	if (r == COPROC_FAILED)
		return consume_fail(&e);
	return r == COPROC_READY ? CONSUME_ON : consume_stop(c, child, r);
}

/* Give the batch to the command once. */
static int run_command(struct consumer *c, const struct feed_batch *b, struct environment *v,
                       struct coproc *child)
{
	struct coproc_spec spec = {.argv = c->command,
	                           .sig = &c->sig,
	                           .no_answers = true,
	                           .tee_stderr = true,
	                           .kill_after_ms = CONSUME_KILL_AFTER,
	                           .guard_holds = cursor_lock_fd(c->cursor)};
	struct err e;

	if (make_environment(c, b, v, &e) < 0)
		return consume_fail(&e);
	spec.env = v->v;
	if (coproc_start(child, &spec, &e) < 0) {
		tool_warn("%s", e.msg);
		return proc_status_of(&e);
	}
	coproc_send(child, b->text.data, b->text.len);
	coproc_end_input(child);
	return wait_for(c, child);
}

static int deliver(struct consumer *c, const struct feed_batch *b, struct environment *v)
{
	bool again = true;
	int status = CONSUME_ON;

	while (again && status == CONSUME_ON) {
		struct coproc child = {0};
		struct answer a;

		again = false;
		status = consume_announce(c, b);
		if (status == CONSUME_ON)
			status = run_command(c, b, v, &child);
		if (status == CONSUME_ON) {
			struct span err = {child.err.data, child.err.len};

			answer_by_status(&a, child.proc.code);
			status = consume_settle(c, b, &a, err, &again);
		}
		coproc_done(&child);
	}
	return status;
}

int batch_run(struct consumer *c)
{
	struct environment v = {.n = 0};
	struct feed_batch b = {0};
	int status = CONSUME_ON;
	struct err e;

	while (status == CONSUME_ON) {
		enum feed_result r = feed_next(c->feed, &b, clock_mono_ns() + CONSUME_SAVE_NS, &e);

		status = r == FEED_BATCH ? deliver(c, &b, &v) : consume_idle(c, r, &e);
		(void)consume_take_signals(c);
		if (status == CONSUME_ON && c->signal != 0)
			status = TOOL_SIGNAL + c->signal;
	}
	feed_batch_done(&b);
	buf_done(&v.text);
	return status;
}
