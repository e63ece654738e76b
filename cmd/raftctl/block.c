/* block: reads that wait for a change, and outlive a store that goes and comes back. */
#include "os/clock.h"
#include "os/wait.h"
#include "raftctl.h"

#define WAIT_MS  INT64_C(60000)
#define SLACK_NS (5 * CLOCK_NS_PER_SEC) /* beyond the wait, for the answer to come */
#define RETRY_NS (CLOCK_NS_PER_SEC / 2)
#define FIRST_NS (10 * CLOCK_NS_PER_SEC)

/* How long the store is to hold this read. */
static int64_t wait_ms(const struct block *b)
{
	int64_t left;

	if (b->deadline_ns == WAIT_FOREVER)
		return WAIT_MS;
	left = (b->deadline_ns - clock_mono_ns()) / CLOCK_NS_PER_MS;
	if (left < 1)
		return 1;
	return left < WAIT_MS ? left : WAIT_MS;
}

static void complete(struct ask *a, const struct block *b)
{
	int64_t wait = wait_ms(b);
	struct buf text = {0};

	if (b->index == 0) {
		a->answer_ns = FIRST_NS;
		return;
	}
	buf_printf(&text, "%jdms", (intmax_t)wait);
	buf_add_char(&text, '\0');
	check_buf(&text);
	ask_param_u64(a, "index", b->index);
	ask_param(a, "wait", text.data);
	buf_done(&text);
	/* The store may add a sixteenth. */
	a->answer_ns = (wait + wait / 16) * CLOCK_NS_PER_MS + SLACK_NS;
}

static bool is_over(const struct block *b)
{
	return clock_mono_ns() >= b->deadline_ns;
}

static int ask(struct store *st, struct ask *a, const struct block *b, const struct http_in **ret,
               struct err *e)
{
	size_t len = a->target.len;
	int status;

	complete(a, b);
	a->deadline_ns = b->deadline_ns;
	/* Until the first answer it is a read as any other one. */
	if (!b->answered && st->deadline_ns < b->deadline_ns)
		a->deadline_ns = st->deadline_ns;
	status = store_try(st, a, ret, e);
	a->target.len = len;
	return status;
}

/* The store is away: go on, or not. */
static void endure(struct block *b, int status, const struct err *e)
{
	struct err unused;

	if (!b->answered || (status != TOOL_UNAVAILABLE && status != TOOL_TEMPFAIL))
		tool_die(status, e);
	if (!b->lost)
		tool_warn("%s; trying on", e->msg);
	b->lost = true;
	(void)wait_ready(NULL, 0, clock_mono_ns() + RETRY_NS, &unused);
}

static void heard(struct store *st, struct block *b, const struct http_in *in)
{
	if (b->lost)
		tool_warn("'%s': it is back", httpc_host(st->c));
	b->lost = false;
	b->answered = true;
	(void)answer_is_there(st, in); /* it is a key-value store, or we die */
}

bool store_block(struct store *st, struct ask *a, struct block *b, const struct http_in **ret)
{
	do {
		uint64_t index;
		struct err e;
		int status = ask(st, a, b, ret, &e);

		if (status != TOOL_OK) {
			if (is_over(b))
				return false;
			endure(b, status, &e);
			continue;
		}
		heard(st, b, *ret);
		index = answer_index(*ret);
		if (index == 0)
			answer_is_odd(st, *ret);
		if (index != b->index) {
			/* One that goes back is of a store that was restored: begin anew. */
			b->index = index < b->index ? 0 : index;
			return true;
		}
	} while (!is_over(b));
	return false;
}
