/* batch: a command for each batch; how it ends is its answer. */
#include "consume.h"
#include "environ.h"
#include "os/clock.h"

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
		return fail_soft(&e);
	return r == COPROC_READY ? CONSUME_ON : consume_stop(c, child, r);
}

/* Give the batch to the command once. */
static int run_command(struct consumer *c, const struct feed_batch *b, struct environ *v,
                       struct coproc *child)
{
	struct coproc_spec spec = {.argv = c->command,
	                           .sig = &c->sig,
	                           .no_answers = true,
	                           .tee_stderr = true,
	                           .kill_after_ms = CONSUME_KILL_AFTER,
	                           .guard_holds = cursor_lock_fd(c->cursor)};
	struct err e;

	if (environ_make(v, c->s, b, &e) < 0)
		return fail_soft(&e);
	spec.env = v->v;
	if (coproc_start(child, &spec, &e) < 0) {
		tool_warn("%s", e.msg);
		return proc_status_of(&e);
	}
	coproc_send(child, b->text.data, b->text.len);
	coproc_end_input(child);
	return wait_for(c, child);
}

static int deliver(struct consumer *c, const struct feed_batch *b, struct environ *v)
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
	struct environ v = {.n = 0};
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
	environ_done(&v);
	return status;
}
