/*
 * write: events become commits, and commits receipts.
 *
 * A receipt is printed when its events are on disk, and at once, so that who reads receipts knows
 * at any time what is safe.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "base/json_out.h"
#include "evlog.h"
#include "os/clock.h"

void writer_init(struct writer *w)
{
	w->commit = commit_new();
	if (w->commit == NULL)
		tool_dief(TOOL_OSERR, "out of memory");
	w->parser.source = source_of(&w->source, w->store);
	rand_pool_init(&w->pool);
}

void writer_done(struct writer *w)
{
	syncer_stop(w->syncer);
	commit_free(w->commit);
	commit_free(w->written);
	free(w->origins);
	buf_done(&w->source);
	buf_done(&w->out);
	event_parser_done(&w->parser);
}

size_t writer_pending(const struct writer *w)
{
	return commit_count(w->commit);
}

/* Remember where event number n of the commit came from. */
static void note_origin(struct writer *w, size_t n, const struct input *in)
{
	if (n == w->origins_cap) {
		w->origins_cap = n == 0 ? 1024 : 2 * n;
		w->origins = grow(w->origins, w->origins_cap, sizeof(*w->origins));
	}
	w->origins[n] = (struct origin){in->file, in->line};
}

void writer_add(struct writer *w, struct event *ev, const struct input *in)
{
	size_t n = commit_count(w->commit);
	char id[ID_UUID_LEN];
	struct err e;

	if (n == 0)
		w->now_ns = clock_wall_ns();
	if (ev->id.len == 0) {
		const unsigned char *random = rand_pool_take(&w->pool, 10, &e);

		if (random == NULL)
			fail(&e);
		id_uuid7(id, (uint64_t)(w->now_ns / CLOCK_NS_PER_MS), random);
		ev->id = (struct span){id, sizeof(id)};
	}
	note_origin(w, n, in);
	if (commit_add(w->commit, w->store, ev, &e) == 0)
		return;
	if (e.code == EVLOG_BAD_EVENT)
		input_locate(in, &e);
	writer_refuse(w, &e);
}

/* One line a stream: {"stream":"a","first":"0","last":"2",...}. */
static void put_receipt(struct buf *b, const struct receipt *r)
{
	buf_add_char(b, '{');
	json_out_key(b, "stream");
	json_out_string(b, r->stream.p, r->stream.len);
	json_out_key(b, "first");
	json_out_u64_string(b, r->first);
	json_out_key(b, "last");
	json_out_u64_string(b, r->last);
	json_out_key(b, "sequence");
	json_out_seq(b, r->sequence);
	json_out_key(b, "count");
	json_out_u64(b, r->count);
	if (r->known > 0) {
		json_out_key(b, "known");
		json_out_u64(b, r->known);
	}
	buf_add_str(b, r->count == 0 ? ",\"duplicate\":true" : ",\"duplicate\":false");
	buf_add_str(b, ",\"durable\":true}\n");
}

/* Known events may be so new that their writer has not synced them yet: wait for those too. */
static uint64_t last_sequence(const struct commit_result *r)
{
	uint64_t last = r->sequence;

	for (size_t i = 0; i < r->receipt_count; i++)
		if (r->receipts[i].sequence > last)
			last = r->receipts[i].sequence;
	return last;
}

/* The commit is durable: say so. */
static void print_receipts(struct writer *w, const struct commit_result *r)
{
	uint64_t last = last_sequence(r);
	struct err e;

	buf_clear(&w->out);
	for (size_t i = 0; i < r->receipt_count; i++) {
		w->count += r->receipts[i].count;
		w->known += r->receipts[i].known;
		if (w->receipts)
			put_receipt(&w->out, &r->receipts[i]);
	}
	if (last > w->last_sequence)
		w->last_sequence = last;
	if (buf_ok(&w->out, &e) < 0)
		fail(&e);
	if (w->receipts) {
		tool_write(w->out.data, w->out.len);
		tool_flush();
	}
}

static void acknowledge(struct writer *w, const struct commit_result *r)
{
	struct err e;

	if (r->receipt_count == 0)
		return;
	if (evlog_sync(w->store, last_sequence(r), &e) < 0)
		fail(&e);
	print_receipts(w, r);
}

/* Wait for the commit that is being synced. */
static void land(struct writer *w)
{
	struct err e;

	if (!w->in_flight)
		return;
	w->in_flight = false;
	if (syncer_wait(w->syncer, &e) < 0)
		fail(&e);
	print_receipts(w, &w->written_result);
}

/*
 * Let the commit be synced while the next one is made; worth a thread only when one commit
 * follows on another without a pause.
 */
static bool take_off(struct writer *w, const struct commit_result *r)
{
	struct commit *written = w->commit;

	if (w->prompt || w->streak++ == 0 || r->receipt_count == 0)
		return false;
	if (w->syncer == NULL)
		w->syncer = syncer_start(w->store);
	if (w->written == NULL)
		w->written = commit_new();
	if (w->syncer == NULL || w->written == NULL)
		return false;
	syncer_begin(w->syncer, w->store, last_sequence(r));
	w->commit = w->written;
	w->written = written;
	w->written_result = *r;
	w->in_flight = true;
	return true;
}

static void put_expect(struct buf *b, const char *key, const struct expect *x)
{
	char text[EXPECT_TEXT_MAX];

	expect_text(text, x);
	json_out_key(b, key);
	json_out_string(b, text, strlen(text));
}

void end_in_conflict(const struct commit_result *r, const struct err *e)
{
	struct buf b = {0};

	buf_add_char(&b, '{');
	json_out_key(&b, "stream");
	json_out_string(&b, r->stream.p, r->stream.len);
	put_expect(&b, "expected", &r->expected);
	put_expect(&b, "actual", &r->actual);
	buf_add_char(&b, '}');
	tool_flush();
	tool_stderr_line(b.data, b.len);
	exit(status_of(e));
}

int writer_check(struct writer *w, struct span stream, struct expect x, struct err *e)
{
	return commit_check(w->commit, stream, x, e);
}

/* A refused commit; in COMMIT_EACH the events before the refused one were written. */
static _Noreturn void refuse(struct writer *w, const struct commit_result *r, struct err *e)
{
	if (w->mode == COMMIT_EACH)
		acknowledge(w, r);
	if (e->code == EVLOG_CONFLICT)
		end_in_conflict(r, e);
	origin_locate(&w->origins[r->bad_event], e);
	fail(e);
}

void writer_commit(struct writer *w)
{
	struct commit_result r = {0};
	struct err e;
	int done;

	if (commit_count(w->commit) == 0)
		return;
	done = evlog_commit(w->store, w->commit, w->mode, clock_wall_ns(), &r, &e);
	land(w);
	if (done < 0 && !commit_is_refused(&e))
		fail(&e);
	if (done < 0)
		refuse(w, &r, &e);
	if (!take_off(w, &r))
		acknowledge(w, &r);
	commit_clear(w->commit);
	/* The events are safe by now, and the index can always be made anew. */
	if (evlog_maintain(w->store, &e) < 0)
		tool_warn("the index was not merged: %s", e.msg);
}

void writer_settle(struct writer *w)
{
	land(w);
	w->streak = 0;
}

void writer_refuse(struct writer *w, const struct err *e)
{
	if (w->mode == COMMIT_EACH)
		writer_commit(w);
	writer_settle(w);
	fail(e);
}
