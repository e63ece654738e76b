/* settle: what was decided becomes events, or the reason for another attempt. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/id.h"
#include "handle.h"
#include "os/clock.h"
#include "os/wait.h"

#define SLICE_MS 20 /* of a wait for a lock: signals are looked for between them */

/* ---- Signals, and waiting for others. */

bool handle_is_told_to_end(void *arg)
{
	const struct handle *h = arg;
	struct err ignored;

	return wait_readable(h->sig.fd, 0, &ignored) > 0;
}

static void end_by_signal(const struct handle *h)
{
	struct sig_got got;

	if (sig_next(&h->sig, &got) == 1)
		exit(TOOL_SIGNAL + got.signal);
}

static void pause_for(const struct handle *h, int64_t delay_ns)
{
	struct err e;

	if (wait_readable(h->sig.fd, clock_mono_ns() + delay_ns, &e) < 0)
		fail(&e);
	end_by_signal(h);
}

void handle_pass_turn(struct handle *h)
{
	int64_t deadline = wait_deadline_ms(TURN_MAX_MS);
	struct err e;
	int r;

	while ((r = turn_pass(&h->turn, SLICE_MS, &e)) == 0 && clock_mono_ns() < deadline)
		end_by_signal(h);
	if (r < 0)
		fail(&e);
}

static void take_turn(struct handle *h)
{
	struct err e;
	int r;

	if (h->turn.held && clock_mono_ns() < h->turn_until_ns)
		return;
	turn_release(&h->turn);
	while ((r = turn_take(&h->turn, SLICE_MS, &e)) == 0 &&
	       clock_mono_ns() < h->retry.deadline_ns)
		end_by_signal(h);
	if (r < 0)
		fail(&e);
	h->turn_until_ns = wait_deadline_ms(TURN_MAX_MS);
}

/* ---- The end of it. */

void handle_tell(struct handle *h)
{
	struct err e;

	if (status_end(&h->status, &e) < 0)
		fail(&e);
}

static void tell_version(struct handle *h, const char *key, bool exists, uint32_t version)
{
	struct expect x = {exists ? EXPECT_VERSION : EXPECT_NONE, version};
	char text[EXPECT_TEXT_MAX];

	expect_text(text, &x);
	status_text(&h->status, key, text);
}

int handle_report(struct handle *h, const struct outcome *o)
{
	struct buf out = {0};
	struct err e;

	outcome_put(&out, h->stream, o);
	if (buf_ok(&out, &e) < 0)
		fail(&e);
	if (!h->quiet && !h->dry_run) {
		tool_write(out.data, out.len);
		tool_flush();
	}
	buf_done(&out);
	status_begin(&h->status, o->duplicate ? "duplicate" : "appended");
	if (o->count + o->known > 0)
		tell_version(h, "first", true, o->first);
	tell_version(h, "last", o->exists, o->last);
	status_seq(&h->status, "sequence", o->exists ? o->seq : 0);
	handle_tell(h);
	return TOOL_OK;
}

/* ---- The commit. */

/* What an event is called that did not bring a name itself. */
static struct span make_id(struct handle *h, uint32_t n, char id[FRAME_NAME_MAX + 1])
{
	const unsigned char *random;
	struct err e;

	if (h->id.len > 0) {
		int len = snprintf(id, FRAME_NAME_MAX + 1, "%.*s:%u", (int)h->id.len, h->id.p, n);

		return (struct span){id, (size_t)len};
	}
	random = rand_pool_take(&h->pool, 10, &e);
	if (random == NULL)
		fail(&e);
	id_uuid7(id, (uint64_t)(clock_wall_ns() / CLOCK_NS_PER_MS), random);
	return (struct span){id, ID_UUID_LEN};
}

/* Collect the events, and foretell the outcome. */
static void build(struct handle *h, struct outcome *o)
{
	char id[FRAME_NAME_MAX + 1];
	struct decide_cursor at = {0};
	struct event ev;
	struct err e;
	int r;

	commit_clear(h->commit);
	*o =
	    (struct outcome){.exists = h->fold.exists, .last = h->fold.version, .seq = h->fold.seq};
	while ((r = decide_next(&h->decide, &h->decided, &at, &h->parser, &ev, &e)) > 0) {
		if (o->count == 0)
			ev.expect = handle_expected(h);
		if (ev.id.len == 0) {
			ev.id = make_id(h, o->count, id);
			ev.id_given = h->id.len > 0;
		}
		if (commit_add(h->commit, h->s, &ev, &e) < 0)
			fail(&e);
		o->count++;
	}
	if (r < 0)
		fail(&e);
	if (o->count > 0) {
		if (evlog_next(h->s, h->stream, &o->first, &e) < 0)
			fail(&e);
		o->last = o->first + o->count - 1;
		o->exists = true;
	}
	if (h->id.len == 0)
		return;
	if (handled_add(&h->handled, h->s, h->commit, o, &e) < 0 ||
	    (o->count == 0 && commit_check(h->commit, h->stream, handle_expected(h), &e) < 0))
		fail(&e);
}

/* All was there already: which events these are, and when they were written. */
static void take_known(struct handle *h, const struct commit_result *r, struct outcome *o)
{
	const struct receipt *first = &r->receipts[0];

	if (h->id.len > 0 && handled_find(&h->handled, h->s, o))
		return;
	*o = (struct outcome){.exists = true,
	                      .first = first->first,
	                      .last = first->last,
	                      .seq = first->sequence,
	                      .known = first->known,
	                      .duplicate = true};
}

/* Nothing was written: all events are there already. */
static bool is_known(const struct commit_result *r)
{
	uint32_t written = 0;

	for (size_t i = 0; i < r->receipt_count; i++)
		written += r->receipts[i].count;
	return written == 0;
}

/* Make durable what was written by us, or by who wrote the same before. */
static void settle(struct handle *h, const struct commit_result *r, struct outcome *o)
{
	uint64_t last = 0;
	struct err e;

	for (size_t i = 0; i < r->receipt_count; i++)
		if (r->receipts[i].sequence > last)
			last = r->receipts[i].sequence;
	if (evlog_sync(h->s, last, &e) < 0)
		fail(&e);
	turn_release(&h->turn);
	if (is_known(r)) {
		take_known(h, r, o);
	} else if (o->count > 0) {
		o->first = r->receipts[0].first;
		o->last = r->receipts[0].last;
		o->seq = r->receipts[0].sequence;
	}
}

/*
 * Has the stream got other events than those that were decided on?  Ids are looked at before
 * versions: an id that is there already may come from a decision that the next state would change.
 */
static bool is_stale(struct handle *h, struct commit_result *r)
{
	struct expect folded = handle_expected(h);
	struct frame head;
	struct err e;
	int found = evlog_head(h->s, h->stream, evlog_durable(h->s), &head, &e);

	if (found < 0)
		fail(&e);
	r->stream = h->stream;
	r->expected = folded;
	r->actual = found > 0 ? (struct expect){EXPECT_VERSION, head.version}
	                      : (struct expect){.kind = EXPECT_NONE};
	return r->actual.kind != folded.kind || (found > 0 && r->actual.version != folded.version);
}

/*
 * Other events came first, or somebody carries out the same command.  1: somebody has, 0: try
 * again.
 */
static int lose(struct handle *h, struct commit_result *r, struct err *why, struct outcome *o)
{
	int64_t delay_ns;
	uint64_t random;
	struct err e;

	if (evlog_sync(h->s, evlog_written(h->s), &e) < 0)
		fail(&e);
	if (h->id.len > 0 && handled_find(&h->handled, h->s, o))
		return 1;
	if (why->code == EVLOG_ID_REUSED && !is_stale(h, r))
		fail(why);
	why->code = EVLOG_CONFLICT;
	status_begin(&h->status, "conflict");
	status_u64(&h->status, "try", h->tries);
	tell_version(h, "expected", r->expected.kind == EXPECT_VERSION, r->expected.version);
	tell_version(h, "actual", r->actual.kind == EXPECT_VERSION, r->actual.version);
	handle_tell(h);
	if (rand_bytes(&random, sizeof(random), &e) < 0)
		fail(&e);
	switch (retry_conflict(&h->retry, clock_mono_ns(), random, &delay_ns)) {
	case RETRY_PAUSE:
		pause_for(h, delay_ns);
		break;
	case RETRY_TURN:
		take_turn(h);
		break;
	case RETRY_GIVE_UP:
		end_in_conflict(r, why);
	}
	return 0;
}

int handle_commit(struct handle *h, struct outcome *o)
{
	struct commit_result r = {0};
	struct err e;

	build(h, o);
	if (commit_count(h->commit) == 0)
		return 1;
	end_by_signal(h); /* once it has the lock a signal comes too late */
	if (evlog_commit(h->s, h->commit, COMMIT_ATOMIC, clock_wall_ns(), &r, &e) < 0) {
		if (e.code == EINTR)
			end_by_signal(h);
		if (e.code != EVLOG_CONFLICT && e.code != EVLOG_ID_REUSED)
			fail(&e);
		return lose(h, &r, &e, o);
	}
	settle(h, &r, o);
	if (is_known(&r) && h->id.len == 0 && is_stale(h, &r))
		return lose(h, &r, &e, o);
	return 1;
}
