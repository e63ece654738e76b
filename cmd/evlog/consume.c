/*
 * consume: batches to a command, and a cursor that moves over those it took.
 *
 * The order of things is what makes the cursor exact: the command has ended, or has answered; the
 * cursor is written and synced; then it is said on --status-fd, and the next batch may go out.
 */
#include "consume.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "again.h"
#include "os/clock.h"
#include "os/wait.h"
#include "park.h"

const struct opt consume_options[] = {
    {OPT_ALL, "all", NULL, NULL, "events of all streams, as without a selector"},
    {'f', "follow", NULL, NULL, "go on with what comes"},
    {OPT_ONCE, "once", NULL, NULL, "end with what was there at the start, the default"},
    {'n', "count", "N", NULL, "events of a batch, at most (100)"},
    {OPT_GROUP, "group", "K/N", NULL, "be member K of a group of N: take its share of streams"},
    {OPT_STREAM, "stream", NULL, NULL, "one command for all batches; it answers on descriptor 3"},
    {OPT_MAX_TRIES, "max-tries", "N", NULL, "park a batch that has failed N times"},
    {OPT_TIMEOUT, "timeout", "DURATION", NULL, "of the command for a batch; then exit 124"},
    {OPT_SKIP_DAMAGED, "skip-damaged", NULL, NULL,
     "pass over damage in the log, exit 8 at the end"},
    {OPT_STATUS_FD, "status-fd", "N", NULL, "a line of JSON for each step"},
    {0},
};

#define REASON_MAX 64

/* ---- The command line. */

static void take_options(struct consumer *c, struct opts *o)
{
	bool all = false;
	bool once = false;

	for (int id; (id = opts_next(o)) != -1;)
		switch (id) {
		case OPT_ALL:
			all = true;
			break;
		case 'f':
			c->follow = true;
			break;
		case OPT_ONCE:
			once = true;
			break;
		case 'n':
			c->count = (size_t)opts_u64(o, 1, FEED_BATCH_MAX);
			break;
		case OPT_GROUP:
			claim_group_option(&c->claim.id, o);
			break;
		case OPT_STREAM:
			c->stream = true;
			break;
		case OPT_MAX_TRIES:
			c->max_tries = opts_u64(o, 1, UINT32_MAX);
			break;
		case OPT_TIMEOUT:
			c->timeout_ns = opts_duration_ns(o);
			break;
		case OPT_SKIP_DAMAGED:
			c->skip_damaged = true;
			break;
		case OPT_STATUS_FD:
			status_option(&c->status, o);
			break;
		default:
			place_option(&c->place, o, id);
		}
	if (once && c->follow)
		tool_usage("--once and -f exclude each other");
	opts_need(o, 1, all ? 1 : 2, "NAME");
	c->claim.id.name = o->operands[0];
	c->claim.operand = o->operands[1];
	if (o->command_count == 0)
		tool_usage("missing '-- CMD': the command that takes the events");
	c->command = o->command;
}

static void check_options(struct consumer *c)
{
	struct err e;

	if (cursor_check_name(c->claim.id.name, &e) < 0)
		tool_usage("%s", e.msg);
	claim_select(c->claim.operand, &c->q);
}

/* ---- What both modes do. */

static int told(struct consumer *c)
{
	struct err e;

	return status_end(&c->status, &e) < 0 ? fail_soft(&e) : CONSUME_ON;
}

int consume_announce(struct consumer *c, const struct feed_batch *b)
{
	status_begin(&c->status, "batch");
	status_seq(&c->status, "first", b->events[0].seq);
	status_seq(&c->status, "last", b->events[b->count - 1].seq);
	status_u64(&c->status, "count", b->count);
	status_u64(&c->status, "try", (uint64_t)cursor_state(c->cursor)->tries + 1);
	return told(c);
}

int consume_save(struct consumer *c)
{
	struct err e;

	if (cursor_save(c->cursor, clock_wall_ns(), &e) < 0)
		return fail_soft(&e);
	c->saved_ns = clock_mono_ns();
	return CONSUME_ON;
}

void consume_done(struct consumer *c, uint64_t seq)
{
	struct cursor_state *state = cursor_state(c->cursor);

	assert(seq > state->sequence);
	state->sequence = seq;
	state->tries = 0;
}

int consume_tell(struct consumer *c)
{
	status_begin(&c->status, "acked");
	status_seq(&c->status, "last", cursor_state(c->cursor)->sequence);
	return told(c);
}

static int acknowledge(struct consumer *c, const struct feed_batch *b)
{
	int status;

	consume_done(c, b->events[b->count - 1].seq);
	status = consume_save(c);
	return status == CONSUME_ON ? consume_tell(c) : status;
}

bool consume_take_signals(struct consumer *c)
{
	struct sig_got got;
	bool second = false;

	while (sig_next(&c->sig, &got) == 1) {
		second = c->signal != 0;
		if (c->signal == 0)
			c->signal = got.signal;
	}
	return second;
}

int64_t consume_deadline(const struct consumer *c)
{
	return c->timeout_ns > 0 ? clock_mono_ns() + c->timeout_ns : WAIT_FOREVER;
}

int consume_stop(struct consumer *c, struct coproc *child, enum coproc_result why)
{
	struct err e;

	if (coproc_stop(child, &e) < 0)
		return fail_soft(&e);
	if (why == COPROC_SIGNAL)
		return TOOL_SIGNAL + c->signal;
	tool_warn("'%s' was stopped: it has had a batch for longer than --timeout", c->command[0]);
	return TOOL_TIMEOUT;
}

void answer_by_status(struct answer *a, int status)
{
	static const struct {
		int status;
		enum verdict verdict;
	} known[] = {
	    {0, VERDICT_OK},
	    {TOOL_TEMPFAIL, VERDICT_RETRY},
	    {TOOL_DATA, VERDICT_PARK},
	};

	*a = (struct answer){.verdict = VERDICT_END, .status = status};
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].status == status)
			a->verdict = known[i].verdict;
	snprintf(a->text, sizeof(a->text), "exit %d", status);
}

/* A wait for other writers may be long: one signal ends it, also one that came before it. */
static bool is_told_to_end(void *arg)
{
	struct consumer *c = arg;

	consume_take_signals(c);
	return c->signal != 0;
}

static int park(struct consumer *c, const struct feed_batch *b, const char *reason, struct span err)
{
	const struct park p = {.name = c->claim.id.name, .reason = reason, .err = err};
	struct err e;
	int status;

	if (park_events(c->s, &p, b, 0, b->count, &e) < 0)
		return e.code == EINTR ? TOOL_SIGNAL + c->signal : fail_soft(&e);
	status_begin(&c->status, "parked");
	status_seq(&c->status, "first", b->events[0].seq);
	status_seq(&c->status, "last", b->events[b->count - 1].seq);
	status_u64(&c->status, "count", b->count);
	status = told(c);
	return status == CONSUME_ON ? acknowledge(c, b) : status;
}

/* A pause that a signal ends. */
static int pause_ns(struct consumer *c, int64_t delay_ns)
{
	int64_t deadline = clock_mono_ns() + delay_ns;
	struct err e;

	/* Nor does one that has come already wait for another try. */
	if (c->signal == 0 && wait_readable(c->sig.fd, deadline, &e) < 0)
		return fail_soft(&e);
	consume_take_signals(c);
	return c->signal != 0 ? TOOL_SIGNAL + c->signal : CONSUME_ON;
}

static int retry(struct consumer *c, const struct answer *a)
{
	struct cursor_state *state = cursor_state(c->cursor);
	struct err e;
	int64_t delay = again_delay_ns(state->tries, &e);
	int status;

	if (delay < 0)
		return fail_soft(&e);
	status = consume_save(c);
	if (status != CONSUME_ON)
		return status;
	status_begin(&c->status, "retry");
	status_u64(&c->status, "status", (uint64_t)a->status);
	status_u64(&c->status, "tries", state->tries);
	status_u64(&c->status, "delay_ms", (uint64_t)(delay / CLOCK_NS_PER_MS));
	status = told(c);
	return status == CONSUME_ON ? pause_ns(c, delay) : status;
}

/* Another try, if there may be one; else *reason has what is to be said of it. */
static bool try_again(struct consumer *c, const struct answer *a, char reason[REASON_MAX])
{
	struct cursor_state *state = cursor_state(c->cursor);

	snprintf(reason, REASON_MAX, "%s", a->text);
	if (a->verdict != VERDICT_RETRY)
		return false;
	if (state->tries < UINT32_MAX)
		state->tries++;
	snprintf(reason, REASON_MAX, "%s, %u tries", a->text, state->tries);
	return c->max_tries == 0 || state->tries < c->max_tries;
}

int consume_settle(struct consumer *c, const struct feed_batch *b, const struct answer *a,
                   struct span err, bool *ret_again)
{
	char reason[REASON_MAX];

	*ret_again = false;
	switch (a->verdict) {
	case VERDICT_OK:
		return acknowledge(c, b);
	case VERDICT_END:
		return a->status;
	default:
		*ret_again = try_again(c, a, reason);
		return *ret_again ? retry(c, a) : park(c, b, reason, err);
	}
}

/* Move over what was read and not selected. */
static int catch_up(struct consumer *c)
{
	struct cursor_state *state = cursor_state(c->cursor);

	if (feed_passed(c->feed) <= state->sequence)
		return CONSUME_ON;
	state->sequence = feed_passed(c->feed);
	return consume_save(c);
}

int consume_idle(struct consumer *c, enum feed_result r, const struct err *e)
{
	bool now = r != FEED_END || !c->follow || clock_mono_ns() - c->saved_ns >= CONSUME_SAVE_NS;
	int status;

	/* A batch that could not be made holds events that were read and not given. */
	if (r == FEED_FAILED)
		return fail_soft(e);
	status = now ? catch_up(c) : CONSUME_ON;
	if (status != CONSUME_ON)
		return status;
	switch (r) {
	case FEED_SIGNAL:
		consume_take_signals(c);
		return TOOL_SIGNAL + c->signal;
	case FEED_DAMAGED:
		return STATUS_DAMAGED;
	default:
		return c->follow ? CONSUME_ON : TOOL_OK;
	}
}

/* ---- The verb. */

static void begin(struct consumer *c)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP, 0};
	struct feed_spec spec = {.query = &c->q,
	                         .member = c->claim.id.member,
	                         .members = c->claim.id.members,
	                         .count_max = c->count,
	                         .follow = c->follow,
	                         .skip_damaged = c->skip_damaged,
	                         .sig = &c->sig};
	const struct place patient = {.url = c->place.url};
	bool is_new;
	struct err e;

	signal(SIGPIPE, SIG_IGN);    /* stderr may go to a reader that goes; the work does not */
	c->s = place_open(&patient); /* -w is about the cursor: what is parked is parked */
	c->cursor = claim_cursor(c->s, &c->place, &c->claim, &c->q, &is_new);
	if (sig_open(&c->sig, signals, &e) < 0)
		fail(&e);
	evlog_set_stop(c->s, is_told_to_end, c);
	spec.after = cursor_state(c->cursor)->sequence;
	c->feed = feed_open(c->s, &spec);
}

static int end(struct consumer *c, int status)
{
	struct err e;

	if (feed_has_skipped(c->feed) && status == TOOL_OK)
		status = STATUS_DAMAGED;
	status_begin(&c->status, "ended");
	status_u64(&c->status, "status", (uint64_t)status);
	status_seq(&c->status, "last", cursor_state(c->cursor)->sequence);
	if (status_end(&c->status, &e) < 0 && status == TOOL_OK)
		status = fail_soft(&e);
	status_done(&c->status);
	feed_close(c->feed);
	cursor_close(c->cursor);
	evlog_close(c->s);
	query_done(&c->q);
	return status;
}

int consume_run(struct opts *o)
{
	struct consumer *c = tool_alloc(1, sizeof(*c));
	int status;

	c->count = FEED_BATCH_DEFAULT;
	c->status = STATUS_NONE;
	query_init(&c->q);
	take_options(c, o);
	check_options(c);
	begin(c);
	status_begin(&c->status, "taken");
	status_seq(&c->status, "last", cursor_state(c->cursor)->sequence);
	status = told(c);
	if (status == CONSUME_ON)
		status = c->stream ? stream_run(c) : batch_run(c);
	status = end(c, status);
	free(c);
	return status;
}
