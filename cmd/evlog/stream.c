/*
 * stream: one command for all batches; it answers each on its descriptor 3.
 *
 * While the command works on a batch, the cursor is saved for the one before and the next one is
 * rendered: what it waits for between two batches is one write to a pipe.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aside.h"
#include "consume.h"
#include "os/clock.h"
#include "os/wait.h"

#define ANSWER_MAX 1024u                  /* bytes of an answer */
#define LOOK_NS    (CLOCK_NS_PER_SEC / 5) /* after the command, while there is nothing for it */
#define GRACE_NS   (5 * CLOCK_NS_PER_SEC) /* to end, for one that has closed descriptor 3 */
#define AT_ONCE    0                      /* a deadline that has passed */

struct stream {
	struct consumer *c;
	struct coproc child;
	bool runs;
	bool asked; /* it has a batch, and we have no answer */
	struct feed_batch batch[2];
	unsigned now;           /* the one that is under way */
	enum feed_result ahead; /* what came behind it; FEED_END: not known, ask again */
	struct err why;         /* of FEED_FAILED */
	bool unsaved;           /* the cursor in memory is further than the one on disk */
	struct aside *saver;    /* syncs it; NULL: it is synced while nothing else is done */
	struct buf store_env;
};

static struct feed_batch *current(struct stream *st)
{
	return &st->batch[st->now];
}

/* ---- The command. */

static int start(struct stream *st)
{
	const char *env[] = {st->store_env.data, "EVLOG_FIRST", "EVLOG_LAST", NULL};
	const struct coproc_spec spec = {.argv = st->c->command,
	                                 .env = env,
	                                 .sig = &st->c->sig,
	                                 .answers_on_3 = true,
	                                 .tee_stderr = true,
	                                 .kill_after_ms = CONSUME_KILL_AFTER,
	                                 .guard_holds = cursor_lock_fd(st->c->cursor)};
	struct err e;

	if (st->runs)
		return CONSUME_ON;
	if (coproc_start(&st->child, &spec, &e) < 0) {
		tool_warn("%s", e.msg);
		return proc_status_of(&e);
	}
	st->runs = true;
	return CONSUME_ON;
}

/* It broke the rules: end it. */
static int misbehaves(struct stream *st, const char *what)
{
	struct err e;

	tool_warn("'%s' %s", st->c->command[0], what);
	if (coproc_stop(&st->child, &e) < 0)
		return fail_soft(&e);
	st->runs = false;
	return TOOL_OSERR;
}

/*
 * It has closed descriptor 3, mostly by ending: CONSUME_ON and its status.  What it says there
 * can no longer be heard, so it has to end.
 */
static int wait_for_end(struct stream *st, int64_t deadline_ns, int *ret_code)
{
	struct consumer *c = st->c;
	enum coproc_result r;
	struct err e;

	do
		r = coproc_wait(&st->child, deadline_ns, &e);
	while (r == COPROC_SIGNAL && !consume_take_signals(c));
	if (r == COPROC_FAILED)
		return fail_soft(&e);
	if (r == COPROC_TIMEOUT && deadline_ns != WAIT_FOREVER)
		return misbehaves(st, "has closed descriptor 3 and goes on");
	if (r != COPROC_READY)
		return consume_stop(c, &st->child, r);
	*ret_code = st->child.proc.code;
	st->runs = false;
	return CONSUME_ON;
}

/* ---- Answers. */

static bool answer_by_word(struct answer *a, struct span line)
{
	static const struct {
		const char *word;
		enum verdict verdict;
		int status;
	} words[] = {
	    {"ok", VERDICT_OK, 0},
	    {"retry", VERDICT_RETRY, TOOL_TEMPFAIL},
	    {"park", VERDICT_PARK, TOOL_DATA},
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (span_is(line, span_str(words[i].word))) {
			*a =
			    (struct answer){.verdict = words[i].verdict, .status = words[i].status};
			snprintf(a->text, sizeof(a->text), "%s", words[i].word);
			return true;
		}
	return false;
}

static int take_end(struct stream *st, int64_t deadline_ns, struct answer *a)
{
	int64_t grace_ns = clock_mono_ns() + GRACE_NS;
	int code = 0;
	int status = wait_for_end(st, grace_ns < deadline_ns ? grace_ns : deadline_ns, &code);

	if (status != CONSUME_ON)
		return status;
	answer_by_status(a, code);
	if (a->verdict != VERDICT_OK)
		return CONSUME_ON;
	tool_warn("'%s' ended without an answer", st->c->command[0]);
	return TOOL_OSERR;
}

/* The answer to the batch under way. */
static int take_answer(struct stream *st, int64_t deadline_ns, struct answer *a)
{
	struct consumer *c = st->c;
	enum coproc_result r;
	struct span line;
	char what[100];
	struct err e;

	do
		r = coproc_line(&st->child, ANSWER_MAX, &line, deadline_ns, &e);
	while (r == COPROC_SIGNAL && !consume_take_signals(c));
	switch (r) {
	case COPROC_READY:
		if (answer_by_word(a, line))
			return CONSUME_ON;
		snprintf(what, sizeof(what), "answered '%.*s', not ok, retry or park",
		         line.len < 40 ? (int)line.len : 40, line.p);
		return misbehaves(st, what);
	case COPROC_END:
		return take_end(st, deadline_ns, a);
	case COPROC_FAILED:
		return e.code == EMSGSIZE ? misbehaves(st, "answered a line that has no end")
		                          : fail_soft(&e);
	default:
		st->runs = false;
		return consume_stop(c, &st->child, r);
	}
}

/* Nothing is asked for: does it run on?  One that has ended may be started again. */
static int look_after(struct stream *st)
{
	enum coproc_result r;
	struct span line;
	int code = 0;
	int status;
	struct err e;

	if (!st->runs)
		return CONSUME_ON;
	r = coproc_line(&st->child, ANSWER_MAX, &line, AT_ONCE, &e);
	if (r == COPROC_READY)
		return misbehaves(st, "answered what nobody has asked");
	if (r == COPROC_FAILED)
		return fail_soft(&e);
	if (r != COPROC_END)
		return CONSUME_ON;
	status = wait_for_end(st, clock_mono_ns() + GRACE_NS, &code);
	if (status != CONSUME_ON)
		return status;
	coproc_done(&st->child);
	return code == 0 || code == TOOL_TEMPFAIL ? CONSUME_ON : code;
}

/* ---- Batches. */

static int sync_cursor(void *arg, struct err *e)
{
	struct stream *st = arg;

	return cursor_sync(st->c->cursor, e);
}

/* Save the cursor for the last batch, and render the next one meanwhile if that is wanted. */
static int save_last(struct stream *st, bool render)
{
	struct consumer *c = st->c;
	bool saves = st->unsaved;
	struct err e;
	int r;

	st->unsaved = false;
	if (saves && cursor_write(c->cursor, clock_wall_ns(), &e) < 0)
		return fail_soft(&e);
	if (saves && st->saver != NULL)
		aside_begin(st->saver);
	if (render && st->ahead == FEED_END)
		st->ahead = feed_next(c->feed, &st->batch[1 - st->now], AT_ONCE, &st->why);
	if (!saves)
		return CONSUME_ON;
	r = st->saver != NULL ? aside_wait(st->saver, &e) : cursor_sync(c->cursor, &e);
	if (r < 0)
		return fail_soft(&e);
	c->saved_ns = clock_mono_ns();
	return consume_tell(c);
}

/* Give it the batch, and do what is to be done while it works. */
static int send_batch(struct stream *st)
{
	const struct feed_batch *b = current(st);
	struct err e;

	st->asked = true;
	buf_clear(&st->child.err);
	coproc_send(&st->child, b->text.data, b->text.len);
	coproc_send(&st->child, "\n", 1);
	if (coproc_flush(&st->child, AT_ONCE, &e) == COPROC_FAILED)
		return fail_soft(&e);
	return save_last(st, true);
}

static int try_once(struct stream *st, struct answer *a)
{
	int64_t deadline = consume_deadline(st->c);
	int status = look_after(st);

	if (status == CONSUME_ON)
		status = start(st);
	if (status == CONSUME_ON)
		status = consume_announce(st->c, current(st));
	if (status == CONSUME_ON)
		status = send_batch(st);
	return status == CONSUME_ON ? take_answer(st, deadline, a) : status;
}

static int deliver(struct stream *st)
{
	struct consumer *c = st->c;
	const struct feed_batch *b = current(st);
	bool again = true;
	int status = CONSUME_ON;

	while (again && status == CONSUME_ON) {
		struct answer a = {VERDICT_END, 0, ""};

		again = false;
		status = try_once(st, &a);
		if (status == CONSUME_ON)
			st->asked = false;
		if (status == CONSUME_ON && a.verdict == VERDICT_OK) {
			consume_done(c, b->events[b->count - 1].seq);
			st->unsaved = true;
		} else if (status == CONSUME_ON) {
			struct span err = {st->child.err.data, st->child.err.len};

			status = consume_settle(c, b, &a, err, &again);
		}
		if (!st->runs)
			coproc_done(&st->child);
	}
	return status;
}

/* The next batch becomes the one under way; CONSUME_ON without one (*ret_got): look again. */
static int next_batch(struct stream *st, bool *ret_got)
{
	enum feed_result r = st->ahead;
	int status;

	*ret_got = false;
	st->ahead = FEED_END;
	if (r == FEED_BATCH) {
		st->now = 1 - st->now;
		*ret_got = true;
		return CONSUME_ON;
	}
	status = save_last(st, false);
	if (status != CONSUME_ON)
		return status;
	if (r == FEED_END)
		r = feed_next(st->c->feed, current(st), clock_mono_ns() + LOOK_NS, &st->why);
	*ret_got = r == FEED_BATCH;
	if (*ret_got)
		return CONSUME_ON;
	status = consume_idle(st->c, r, &st->why);
	return status == CONSUME_ON ? look_after(st) : status;
}

/* ---- The end. */

/* All batches are answered: let it end by itself. */
static int end_child(struct stream *st, int status)
{
	struct consumer *c = st->c;
	int64_t deadline = consume_deadline(c);
	enum coproc_result r;
	struct span line;
	int code = 0;
	int ended;
	struct err e;

	coproc_end_input(&st->child);
	do
		r = coproc_line(&st->child, ANSWER_MAX, &line, deadline, &e);
	while (r == COPROC_SIGNAL && !consume_take_signals(c));
	if (r == COPROC_READY || r == COPROC_FAILED)
		return misbehaves(st, "answered what nobody has asked");
	if (r != COPROC_END)
		return consume_stop(c, &st->child, r);
	ended = wait_for_end(st, deadline, &code);
	if (ended != CONSUME_ON)
		return ended;
	return status == TOOL_OK ? code : status;
}

/* What was answered is kept, whatever ends us. */
static int end(struct stream *st, int status)
{
	struct err e;
	int saved = save_last(st, false);

	if (saved != CONSUME_ON)
		status = saved;
	if (st->runs && !st->asked)
		return end_child(st, status);
	if (st->runs && coproc_stop(&st->child, &e) < 0)
		return fail_soft(&e);
	return status;
}

int stream_run(struct consumer *c)
{
	struct stream *st = tool_alloc(1, sizeof(*st));
	int status = CONSUME_ON;
	struct err e;

	st->c = c;
	buf_printf(&st->store_env, "EVLOG_STORE=%s%c", evlog_path(c->s), '\0');
	if (buf_ok(&st->store_env, &e) < 0)
		fail(&e);
	/* The guard holds the lock of the file as it is now, and the first save makes another. */
	if (cursor_state(c->cursor)->save == 0)
		status = consume_save(c);
	st->saver = aside_start(sync_cursor, st);
	while (status == CONSUME_ON) {
		bool got;

		status = next_batch(st, &got);
		if (status == CONSUME_ON && got)
			status = deliver(st);
		(void)consume_take_signals(c);
		if (status == CONSUME_ON && c->signal != 0)
			status = TOOL_SIGNAL + c->signal;
	}
	status = end(st, status);
	aside_stop(st->saver);
	coproc_done(&st->child);
	feed_batch_done(&st->batch[0]);
	feed_batch_done(&st->batch[1]);
	buf_done(&st->store_env);
	free(st);
	return status;
}
