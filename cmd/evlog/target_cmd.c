/* target_cmd: what the program says goes to a command, which is run for each batch. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "again.h"
#include "environ.h"
#include "os/clock.h"
#include "os/wait.h"
#include "project.h"

struct own {
	struct buf lines;
	struct environ env;
};

/* How far the command has come, only the cursor knows. */
static int open(struct project *p)
{
	const struct cursor_state *state = cursor_state(p->cursor);

	p->own = tool_alloc(1, sizeof(struct own));
	p->mark = (struct mark){.sequence = state->sequence, .event_ns = state->event_ns};
	if (strcmp(state->program, "-") != 0) {
		memcpy(p->mark.program, state->program, sizeof(p->mark.program));
		memcpy(p->mark.selector, state->selector, sizeof(p->mark.selector));
	}
	return PROJECT_ON;
}

/* ---- Lines. */

/* The elements of an array, one a line. */
static int put_lines(struct buf *out, struct span outputs, struct err *e)
{
	struct json_doc d;
	struct json_each it;
	struct json_member m;

	if (json_scan(outputs.p, outputs.len, &d, e) < 0)
		return -1;
	json_each_begin(&it, &d.value);
	while (json_each_next(&it, &m)) {
		buf_add(out, m.value.p, m.value.len);
		buf_add_char(out, '\n');
	}
	return 0;
}

/* False: an event turned out to be poison. */
static bool put_all(struct own *own, const struct change *c)
{
	bool good = true;
	struct err e;

	buf_clear(&own->lines);
	for (size_t i = 0; i < c->count; i++)
		if (c->events->events[i].why == NULL &&
		    put_lines(&own->lines, mapped_outputs(c->events, i), &e) < 0) {
			mapped_blame(c->events, i, e.msg);
			good = false;
		}
	return good;
}

/* ---- One run of the command. */

static int wait_for(struct project *p, struct coproc *child)
{
	int64_t deadline = project_deadline(p);
	struct err e;

	for (;;) {
		enum coproc_result r = coproc_wait(child, deadline, &e);
		int status;

		if (r == COPROC_READY)
			return PROJECT_ON;
		status = project_waited(p, r, "the command", &e);
		if (status != PROJECT_ON)
			return status;
	}
}

/* PROJECT_ON and its exit status, or what ends the projection. */
static int run_once(struct project *p, const struct change *c, int *ret_code)
{
	struct own *own = p->own;
	char *argv[] = {(char *)(uintptr_t) "/bin/sh", (char *)(uintptr_t) "-c", p->path.data,
	                NULL};
	struct coproc_spec spec = {.argv = argv,
	                           .env = own->env.v,
	                           .sig = &p->sig,
	                           .no_answers = true,
	                           .kill_after_ms = PROJECT_KILL_AFTER,
	                           .guard_holds = cursor_lock_fd(p->cursor)};
	struct coproc child;
	struct err e;
	int status;

	if (environ_make(&own->env, p->s, c->batch, &e) < 0)
		return fail_soft(&e);
	if (coproc_start(&child, &spec, &e) < 0) {
		tool_warn("%s", e.msg);
		return proc_status_of(&e);
	}
	coproc_send(&child, own->lines.data, own->lines.len);
	coproc_end_input(&child);
	status = wait_for(p, &child);
	*ret_code = child.proc.code;
	coproc_done(&child);
	return status;
}

static int pause_for(struct project *p, uint32_t tries)
{
	struct err e;
	int64_t delay = again_delay_ns(tries, &e);

	if (delay < 0 || wait_readable(p->sig.fd, clock_mono_ns() + delay, &e) < 0)
		return fail_soft(&e);
	(void)project_take_signals(p);
	return p->signal != 0 ? TOOL_SIGNAL + p->signal : PROJECT_ON;
}

static int end(struct project *p, const struct change *c, bool *ret_poison)
{
	struct own *own = p->own;
	int code = 0;
	struct err e;

	*ret_poison = !put_all(own, c);
	if (buf_ok(&own->lines, &e) < 0)
		return fail_soft(&e);
	if (*ret_poison || own->lines.len == 0)
		return PROJECT_ON;
	for (uint32_t tries = 1;; tries++) {
		int status = run_once(p, c, &code);

		if (status != PROJECT_ON)
			return status;
		if (code != TOOL_TEMPFAIL)
			break;
		status = pause_for(p, tries);
		if (status != PROJECT_ON)
			return status;
	}
	if (code == 0)
		return PROJECT_ON;
	tool_warn("the command ended with status %d; the events from %ju on are not done", code,
	          (uintmax_t)c->events->events[0].seq);
	return code;
}

static void close_target(struct project *p)
{
	struct own *own = p->own;

	if (own == NULL)
		return;
	buf_done(&own->lines);
	environ_done(&own->env);
	free(own);
	p->own = NULL;
}

const struct target target_cmd = {
    .open = open,
    .accept = target_no_step, /* the cursor is saved with the program */
    .begin = target_no_begin,
    .poke = target_no_poke,
    .end = end,
    .publish = target_no_step,
    .close = close_target,
};
