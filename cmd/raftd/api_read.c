/*
 * api_read: reads that are linearizable, or stale, and wait for an index when they have one.
 *
 *	node_read(), unless stale  ->  node_watch(), with an index  ->  node_read(), if consistent
 *
 * After it has waited, a read of the default kind is told what this node has: that was the state at
 * some moment since the request came, because the first node_read() says so of an earlier state.  A
 * consistent one asks the others again, so that a leader that was cut off says so instead of "no
 * change".
 */
#include "api.h"
#include "os/clock.h"

#define NS_PER_MS 1000000

static void fail(struct api_read *r, enum node_outcome outcome)
{
	api_outcome(api_wait_end(&r->wait), outcome);
}

static void keep(struct api_read *r, struct node_ticket *t)
{
	r->wait.ticket = t;
	if (t == NULL)
		api_text(api_wait_end(&r->wait), 500, "out of memory");
}

static void on_confirmed(void *arg, enum node_outcome outcome, uint64_t index, struct span result)
{
	struct api_read *r = arg;

	(void)index;
	(void)result;
	r->wait.ticket = NULL;
	if (outcome == NODE_DONE)
		r->answer(r);
	else
		fail(r, outcome);
}

/* The index has come, or the time is over. */
static void on_watched(void *arg, enum node_outcome outcome, uint64_t index, struct span result)
{
	struct api_read *r = arg;

	(void)index;
	(void)result;
	r->wait.ticket = NULL;
	if (outcome != NODE_DONE && outcome != NODE_UNKNOWN)
		fail(r, outcome);
	else if (r->query.consistent)
		keep(r, node_read(r->wait.api->node, on_confirmed, r));
	else
		r->answer(r);
}

/*
 * The wait and up to a sixteenth more, so that many who came at once do not leave at once; the
 * last digits of the clock are random enough for it.
 */
static uint64_t wait_ms(const struct consul_query *q)
{
	uint64_t ns = q->wait_ns + (uint64_t)clock_boot_ns() % (q->wait_ns / 16 + 1);

	return (ns + NS_PER_MS - 1) / NS_PER_MS;
}

static void watch(struct api_read *r)
{
	r->watch.since = r->query.index;
	keep(r, node_watch(r->wait.api->node, &r->watch, wait_ms(&r->query), on_watched, r));
}

static void on_read(void *arg, enum node_outcome outcome, uint64_t index, struct span result)
{
	struct api_read *r = arg;

	if (outcome != NODE_DONE || r->query.index == 0) {
		on_confirmed(r, outcome, index, result);
		return;
	}
	r->wait.ticket = NULL;
	watch(r);
}

/* May this node answer from what it has? */
static bool may_be_stale(const struct api_read *r)
{
	const struct consul_query *q = &r->query;

	return q->stale && (q->max_stale_ns == 0 ||
	                    node_last_contact_ms(r->wait.api->node) <= q->max_stale_ns / NS_PER_MS);
}

void api_read_begin(struct api_read *r)
{
	if (!may_be_stale(r))
		keep(r, node_read(r->wait.api->node, on_read, r));
	else if (r->query.index > 0)
		watch(r);
	else
		r->answer(r);
}
