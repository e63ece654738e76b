#include "decide.h"

#include <errno.h>
#include <string.h>

#include "base/json_out.h"
#include "os/wait.h"

int decide_command(struct buf *out, char *const *args, size_t count, struct err *e)
{
	struct json_doc doc;

	if (count == 1 && json_scan(args[0], strlen(args[0]), &doc, e) == 0) {
		json_compact(out, &doc.value);
		return buf_ok(out, e);
	}
	if (count == 1 && args[0][0] == '{')
		return err_wrap(e, "the command is no JSON");
	buf_add_char(out, '[');
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			buf_add_char(out, ',');
		json_out_string(out, args[i], strlen(args[i]));
	}
	buf_add_char(out, ']');
	return buf_ok(out, e);
}

void decide_line(struct buf *out, struct span stream, const struct expect *at, struct span state,
                 struct span command)
{
	char version[EXPECT_TEXT_MAX];

	expect_text(version, at);
	buf_add_char(out, '{');
	json_out_key(out, "stream");
	json_out_string(out, stream.p, stream.len);
	json_out_key(out, "version");
	json_out_string(out, version, strlen(version));
	json_out_key(out, "state");
	buf_add(out, state.p, state.len);
	json_out_key(out, "command");
	buf_add(out, command.p, command.len);
	buf_add_char(out, '}');
}

static void fail_with(struct decided *d, int exit_status)
{
	d->what = DECIDE_FAILS;
	d->exit = exit_status;
	if (d->status == 0)
		d->status = exit_status;
}

/* Let go of the turn when its time is over, however long the wait goes on. */
static int64_t wait_until(const struct decide_spec *spec, int64_t deadline_ns)
{
	bool turn_first =
	    spec->turn != NULL && spec->turn->held && spec->turn_until_ns < deadline_ns;

	return turn_first ? spec->turn_until_ns : deadline_ns;
}

/* All it prints, and its end. */
static enum coproc_result wait_for_end(const struct decide_spec *spec, struct coproc *c,
                                       struct decided *d, int64_t deadline_ns)
{
	enum coproc_result r = COPROC_READY;
	bool printed = false;
	struct span text;

	while (!printed || !c->proc.ended) {
		int64_t until = wait_until(spec, deadline_ns);

		r = printed ? coproc_wait(c, until, &d->e)
		            : coproc_rest(c, DECIDE_BYTES_MAX, &text, until, &d->e);
		if (r == COPROC_TIMEOUT && until < deadline_ns)
			turn_release(spec->turn);
		else if (r != COPROC_READY)
			return r;
		if (r == COPROC_READY && !printed)
			buf_add(&d->lines, text.p, text.len);
		printed = printed || r == COPROC_READY;
	}
	return buf_ok(&d->lines, &d->e) < 0 ? COPROC_FAILED : COPROC_READY;
}

static void judge(const struct decide_spec *spec, const struct coproc *c, struct decided *d)
{
	d->status = c->proc.code;
	if (c->proc.signal != 0) {
		err_set(&d->e, ECHILD, "'%s' was ended by signal %d (%s); nothing was written",
		        spec->argv[0], c->proc.signal, sig_name(c->proc.signal));
		fail_with(d, TOOL_OSERR);
	} else if (d->status > DECIDE_REJECT_MAX) {
		err_set(&d->e, ECHILD, "'%s' exited with status %d; nothing was written",
		        spec->argv[0], d->status);
		fail_with(d, TOOL_OSERR);
	} else {
		d->what = d->status == 0 ? DECIDED : DECIDE_REJECTS;
	}
}

/* Pass signals on, and wait for the end of DECIDE, but not for ever. */
static void end_by_signal(const struct decide_spec *spec, struct coproc *c, struct decided *d)
{
	int64_t deadline = wait_deadline_ms(DECIDE_KILL_MS);
	enum coproc_result r;

	d->what = DECIDE_SIGNAL;
	do {
		int got = proc_forward(&c->proc, spec->sig);

		if (got != 0)
			d->status = got;
		r = coproc_wait(c, deadline, &d->e);
	} while (r == COPROC_SIGNAL);
}

static void end_by_timeout(const struct decide_spec *spec, struct decided *d)
{
	err_set(&d->e, ETIMEDOUT, "'%s' took longer than %jd ms; nothing was written",
	        spec->argv[0], (intmax_t)spec->timeout_ms);
	fail_with(d, TOOL_TIMEOUT);
}

static void end_by_error(const struct decide_spec *spec, struct decided *d)
{
	bool too_much = d->e.code == EMSGSIZE;

	if (too_much)
		err_set(&d->e, EBADMSG, "'%s' printed more than %u MiB; nothing was written",
		        spec->argv[0], DECIDE_BYTES_MAX >> 20);
	fail_with(d, too_much ? TOOL_DATA : TOOL_OSERR);
}

void decide_run(const struct decide_spec *spec, struct span line, struct decided *ret)
{
	struct coproc_spec how = {.argv = spec->argv,
	                          .env = spec->env,
	                          .sig = spec->sig,
	                          .keep_stderr = spec->keep_stderr,
	                          .kill_after_ms = DECIDE_KILL_MS};
	struct coproc c = {0};
	struct err ignored;

	buf_clear(&ret->lines);
	buf_clear(&ret->err);
	ret->status = 0;
	if (coproc_start(&c, &how, &ret->e) < 0) {
		fail_with(ret, proc_status_of(&ret->e));
		return;
	}
	coproc_send(&c, line.p, line.len);
	coproc_send(&c, "\n", 1);
	coproc_end_input(&c);
	switch (wait_for_end(spec, &c, ret, wait_deadline_ms(spec->timeout_ms))) {
	case COPROC_READY:
	case COPROC_END:
		judge(spec, &c, ret);
		break;
	case COPROC_SIGNAL:
		end_by_signal(spec, &c, ret);
		break;
	case COPROC_TIMEOUT:
		end_by_timeout(spec, ret);
		break;
	case COPROC_FAILED:
		end_by_error(spec, ret);
		break;
	}
	if (!c.proc.ended)
		(void)coproc_stop(&c, &ignored);
	if (spec->keep_stderr)
		buf_add(&ret->err, c.err.data, c.err.len);
	coproc_done(&c);
}

void decide_done(struct decided *d)
{
	buf_done(&d->lines);
	buf_done(&d->err);
}

int decide_next(const struct decide_spec *spec, const struct decided *d, struct decide_cursor *at,
                struct event_parser *p, struct event *ev, struct err *e)
{
	size_t left = d->lines.len - at->at;
	const char *from;
	const char *lf;
	size_t len;
	int r = 1;

	if (left == 0)
		return 0;
	from = d->lines.data + at->at;
	lf = memchr(from, '\n', left);
	len = lf != NULL ? (size_t)(lf - from) : left;
	at->at += lf != NULL ? len + 1 : len;
	if (++at->line > DECIDE_EVENTS_MAX)
		r = err_set(e, EVLOG_BAD_EVENT, "more than %u events", DECIDE_EVENTS_MAX);
	else if (event_parse(p, from, len, ev, e) < 0)
		r = -1;
	return r < 0 ? err_wrap(e, "'%s' line %ju", spec->argv[0], (uintmax_t)at->line) : r;
}
