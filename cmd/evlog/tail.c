/*
 * tail: the last events, and with -f what comes.
 *
 * What was there when it began is looked up backward from the end, what comes is read by a scan
 * that starts right behind it: so each event is printed once, and in order.
 */
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "evlog.h"
#include "os/clock.h"

#define COUNT_DEFAULT 10
#define SLICE_MS      1000 /* how long a reader that has gone may stay unnoticed */
#define NEVER         INT64_MAX

const struct opt tail_options[] = {
    {OPT_ALL, "all", NULL, NULL, "events of all streams, in the order of the store"},
    {'f', "follow", NULL, NULL, "go on with what comes"},
    {'n', "count", "N", NULL, "begin with the last N events (10)"},
    {OPT_AFTER, "after", "SEQUENCE", NULL, "begin behind this one instead"},
    {'t', "type", "TYPE", NULL, "only events of this type; of any of several -t"},
    {OPT_TAKE, "take", "N", NULL, "end after N events"},
    {OPT_UNTIL_IDLE, "until-idle", "DURATION", NULL, "end when nothing came for so long"},
    {OPT_TIMEOUT, "timeout", "DURATION", NULL, "end after this time, exit 124"},
    {'o', "output", "FORMAT", "ce data raw tsv batch", "ce (CloudEvents), data, raw, tsv, batch"},
    {'0', NULL, NULL, NULL, "end each event with NUL"},
    {0},
};

struct tail {
	struct place place;
	struct query q;
	struct printer p;
	struct damages damages;
	struct evlog *s;
	bool follow, has_count, has_after;
	uint64_t count;
	uint64_t take; /* UINT64_MAX: no limit */
	int64_t idle_ns, timeout_ns;
	int64_t deadline_ns; /* monotonic, NEVER: there is none */
};

static void take_options(struct tail *t, struct opts *o)
{
	for (int id; (id = opts_next(o)) != -1;) {
		if (query_option(&t->q, o, id)) {
			t->has_after = t->has_after || id == OPT_AFTER;
			continue;
		}
		if (printer_option(&t->p, o, id))
			continue;
		switch (id) {
		case 'f':
			t->follow = true;
			break;
		case 'n':
			t->count = opts_u64(o, 0, UINT64_MAX);
			t->has_count = true;
			break;
		case OPT_TAKE:
			t->take = opts_u64(o, 1, UINT64_MAX);
			break;
		case OPT_UNTIL_IDLE:
			t->idle_ns = opts_duration_ns(o);
			break;
		case OPT_TIMEOUT:
			t->timeout_ns = opts_duration_ns(o);
			break;
		default:
			place_option(&t->place, o, id);
		}
	}
	query_operand(&t->q, o, false);
	if (t->has_count && t->has_after)
		tool_usage("-n and --after exclude each other");
}

static bool is_done(const struct tail *t)
{
	return t->p.count >= t->take;
}

static int64_t after(int64_t duration_ns)
{
	return duration_ns == NEVER ? NEVER : clock_mono_ns() + duration_ns;
}

/* ---- What is there. */

/* The last events of a stream, newest first. */
static void find_in_stream(struct tail *t, uint64_t end, struct seqs *found)
{
	struct seqs all = {0};
	struct frame head;
	struct frame f;
	struct err e;
	uint32_t from = 0;

	/* Without -t it is known which versions these are. */
	if (t->q.type_count == 0 && evlog_head(t->s, t->q.name, end, &head, &e) > 0 &&
	    head.version >= t->count)
		from = head.version - (uint32_t)t->count + 1;
	damages_gather(&t->damages, t->s, t->q.name, from, UINT32_MAX, end, &all);
	for (size_t i = all.len; i > 0 && found->len < t->count; i--)
		if (t->q.type_count == 0 || (damages_get(&t->damages, t->s, all.v[i - 1], &f) &&
		                             query_has_type(&t->q, f.type)))
			seqs_push(found, all.v[i - 1]);
	seqs_done(&all);
}

static void find_in_log(struct tail *t, uint64_t end, struct seqs *found)
{
	struct frame f;

	for (uint64_t seq = end; seq > 0 && found->len < t->count; seq--)
		if (damages_get(&t->damages, t->s, seq, &f) && query_has(&t->q, &f))
			seqs_push(found, seq);
}

static void print_last(struct tail *t, uint64_t end)
{
	struct seqs found = {0};
	struct frame f;

	if (t->count == 0)
		return;
	if (t->q.kind == SELECT_STREAM)
		find_in_stream(t, end, &found);
	else
		find_in_log(t, end, &found);
	for (size_t i = found.len; i > 0 && !is_done(t); i--)
		if (damages_get(&t->damages, t->s, found.v[i - 1], &f))
			printer_put(&t->p, &f);
	seqs_done(&found);
}

/* ---- What comes. */

/* All that a scan finds up to a sequence. */
static void print_scanned(struct tail *t, struct scan *sc, uint64_t last)
{
	struct frame f;

	while (!is_done(t) && damages_next(&t->damages, sc, last, &f))
		if (query_has(&t->q, &f))
			printer_put(&t->p, &f);
}

/* A reader of our output that has gone is not told by a write that never comes. */
static void end_without_reader(void)
{
	struct pollfd out = {.fd = STDOUT_FILENO};

	if (poll(&out, 1, 0) > 0 && (out.revents & (POLLERR | POLLHUP)) != 0)
		tool_die_by_signal(SIGPIPE);
}

/* Milliseconds until a deadline, rounded up, at most a slice. */
static int64_t wait_ms(int64_t deadline_ns, int64_t now_ns)
{
	int64_t left = deadline_ns <= now_ns ? 0 : deadline_ns - now_ns;

	if (left >= SLICE_MS * CLOCK_NS_PER_MS)
		return SLICE_MS;
	return (left + CLOCK_NS_PER_MS - 1) / CLOCK_NS_PER_MS;
}

static int follow(struct tail *t, struct scan *sc, uint64_t last)
{
	int64_t idle_at = after(t->idle_ns);

	for (;;) {
		uint64_t printed = t->p.count;
		int64_t now = clock_mono_ns();

		if (now >= t->deadline_ns)
			return TOOL_TIMEOUT;
		if (now >= idle_at)
			return TOOL_OK;
		end_without_reader();
		if (!evlog_wait(t->s, last,
		                wait_ms(idle_at < t->deadline_ns ? idle_at : t->deadline_ns, now)))
			continue;
		last = evlog_durable(t->s);
		print_scanned(t, sc, last);
		printer_flush(&t->p);
		if (is_done(t))
			return TOOL_OK;
		if (t->p.count > printed)
			idle_at = after(t->idle_ns);
	}
}

/* Of a stream that was deleted for good nothing will come. */
static void check_deleted(struct tail *t, uint64_t end)
{
	struct frame head;
	struct err e;

	if (t->q.kind == SELECT_STREAM && evlog_head(t->s, t->q.name, end, &head, &e) < 0 &&
	    e.code == EVLOG_DELETED)
		fail(&e);
}

static int tail(struct tail *t)
{
	uint64_t end = evlog_durable(t->s);
	struct scan *sc = damages_scan(t->s, (t->has_after ? t->q.after : end) + 1);
	int status = TOOL_OK;
	bool exists;

	check_deleted(t, end);
	t->deadline_ns = after(t->timeout_ns);
	printer_begin(&t->p, t->s);
	if (!t->has_after)
		print_last(t, end);
	print_scanned(t, sc, end);
	printer_flush(&t->p);
	exists = t->follow || t->p.count > 0 || query_exists(&t->q, t->s, end);
	if (t->follow && !is_done(t))
		status = follow(t, sc, end);
	printer_end(&t->p, exists);
	scan_free(sc);
	return damages_status(&t->damages, exists ? status : TOOL_NO);
}

int tail_run(struct opts *o)
{
	struct tail t = {
	    .count = COUNT_DEFAULT, .take = UINT64_MAX, .idle_ns = NEVER, .timeout_ns = NEVER};
	int status;

	query_init(&t.q);
	take_options(&t, o);
	t.s = place_open(&t.place);
	status = tail(&t);
	evlog_close(t.s);
	query_done(&t.q);
	return status;
}
