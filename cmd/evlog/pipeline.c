/*
 * pipeline: batches on their way from the log through the program to the target.
 *
 * Three are under way at a time: one is read from the log, one is with jq, one with the target,
 * each in a process of its own where the target is a database, so that jq, which takes the time,
 * never waits.
 */
#include <errno.h>
#include <string.h>

#include "os/clock.h"
#include "os/wait.h"
#include "park.h"
#include "project.h"

#define POKE_LINES 32 /* of jq, between looks at the target */

/* A batch on its way. */
struct round {
	struct feed_batch batch;
	struct mapped mapped;
	struct change change;
};

#define ROUNDS 3

struct pipeline {
	struct round rounds[ROUNDS];
	struct round *mapping, *applying; /* NULL: none */
	size_t next;                      /* the round that is free */
	bool no_more;                     /* do not read on */
	int status;                       /* to end with */
};

/* ---- A batch and its target. */

static int apply(struct project *p, const struct change *c, bool *ret_poison)
{
	int status = p->target->begin(p, c);

	return status == PROJECT_ON ? p->target->end(p, c, ret_poison) : status;
}

static size_t first_poison(const struct mapped *m, size_t count)
{
	size_t i = 0;

	while (i < count && m->events[i].why == NULL)
		i++;
	return i;
}

static int complain(const struct project *p, const struct round *r, size_t i)
{
	struct span stream = feed_stream(&r->batch, i);

	tool_warn("%ssequence %ju of stream '%.*s': %s: %s", p->park ? "parked: " : "",
	          (uintmax_t)r->batch.events[i].seq, (int)stream.len, stream.p, p->map.file,
	          r->mapped.events[i].why);
	return TOOL_DATA;
}

/*
 * Without --park: what lies before the first poison is applied, and that is the end.  The target
 * may know of something earlier, which is new to us.
 */
static int stop_at_poison(struct project *p, struct round *r)
{
	struct change before = {.batch = &r->batch, .events = &r->mapped};
	bool poison = true;
	int status = PROJECT_ON;

	while (poison && status == PROJECT_ON) {
		before.count = first_poison(&r->mapped, r->mapped.count);
		poison = false;
		if (before.count == 0 || p->rebuild)
			break;
		before.to = project_mark_at(p, r->batch.events[before.count - 1].seq);
		status = apply(p, &before, &poison);
		if (status == PROJECT_ON && !poison)
			status = project_moved(p, &before);
	}
	return status == PROJECT_ON ? complain(p, r, before.count) : status;
}

/* Those that have a reason and are not parked yet. */
static int park(struct project *p, struct round *r, size_t *parked)
{
	struct err e;
	int status;

	for (size_t i = 0; i < r->mapped.count; i++) {
		struct mapped_event *ev = &r->mapped.events[i];
		struct park how = {.name = p->name, .reason = ev->why};

		if (ev->why == NULL || ev->parked)
			continue;
		if (park_events(p->s, &how, &r->batch, i, 1, &e) < 0)
			return fail_soft(&e);
		complain(p, r, i);
		ev->parked = true;
		++*parked;
		status_begin(&p->status, "parked");
		status_seq(&p->status, "last", ev->seq);
		status = project_told(p);
		if (status != PROJECT_ON)
			return status;
	}
	return PROJECT_ON;
}

/* The program has said all about a batch: begin to apply it. */
static int begin(struct project *p, struct round *r)
{
	size_t parked = 0;

	r->change =
	    (struct change){.batch = &r->batch,
	                    .events = &r->mapped,
	                    .count = r->mapped.count,
	                    .to = project_mark_at(p, r->batch.events[r->batch.count - 1].seq)};
	if (first_poison(&r->mapped, r->mapped.count) < r->mapped.count) {
		int status = p->park ? park(p, r, &parked) : stop_at_poison(p, r);

		if (status != PROJECT_ON)
			return status;
	}
	return p->target->begin(p, &r->change);
}

static int finish(struct project *p, struct round *r)
{
	bool poison = false;
	size_t parked = 0;
	int status = p->target->end(p, &r->change, &poison);

	while (status == PROJECT_ON && poison) {
		if (!p->park)
			return stop_at_poison(p, r);
		parked = 0;
		status = park(p, r, &parked);
		if (status == PROJECT_ON && parked == 0) {
			tool_warn("the target refuses a batch and does not say why");
			status = TOOL_INTERNAL;
		}
		if (status == PROJECT_ON)
			status = apply(p, &r->change, &poison);
	}
	return status == PROJECT_ON ? project_moved(p, &r->change) : status;
}

/* ---- A batch and the program. */

static int start_program(struct project *p)
{
	struct err e;

	if (p->map.running || mapper_start(&p->map, &p->sig, &e) == 0)
		return PROJECT_ON;
	tool_warn("%s: %s", p->map.file, e.msg);
	return e.code == E2BIG ? TOOL_DATA : status_of(&e);
}

/*
 * All that the program says about a batch, unless a signal comes.  The target gets what waits for
 * it meanwhile.
 */
static int map(struct project *p, struct round *r)
{
	int64_t deadline = project_deadline(p);
	unsigned lines = 0;
	bool whole = false;
	struct err e;

	mapped_begin(&r->mapped);
	while (!whole && p->signal == 0) {
		enum coproc_result got =
		    mapper_take(&p->map, &r->batch, &r->mapped, &whole, deadline, &e);
		int status;

		/* Lines that jq had not let go of yet are lost with it. */
		if (got == COPROC_FAILED && r->mapped.count < r->batch.count)
			err_wrap(&e, "at sequence %ju or behind it",
			         (uintmax_t)r->batch.events[r->mapped.count].seq);
		status = got == COPROC_READY ? PROJECT_ON : project_waited(p, got, p->map.file, &e);
		if (status != PROJECT_ON)
			return status;
		if (++lines % POKE_LINES == 0 && p->target != NULL)
			p->target->poke(p);
	}
	return PROJECT_ON;
}

int pipeline_try(struct project *p)
{
	struct round r = {.batch = {.count = 0}};
	int status = start_program(p);

	if (status == PROJECT_ON) {
		mapper_put(&p->map, &r.batch);
		status = map(p, &r);
	}
	mapped_done(&r.mapped);
	return status;
}

/* ---- The pipeline. */

static bool is_busy(const struct pipeline *l)
{
	return l->mapping != NULL || l->applying != NULL;
}

/* Nothing is under way: the mark moves over what is not selected. */
static int catch_up(struct project *p)
{
	static struct mapped nothing;
	struct change c = {.events = &nothing};
	uint64_t passed = feed_passed(p->feed);
	bool poison;
	int status;

	if (passed <= p->mark.sequence)
		return PROJECT_ON;
	c.to = project_mark_at(p, passed);
	status = apply(p, &c, &poison);
	return status == PROJECT_ON ? project_moved(p, &c) : status;
}

static int publish(struct project *p)
{
	int status = catch_up(p);

	if (status == PROJECT_ON)
		status = p->target->publish(p);
	if (status != PROJECT_ON)
		return status;
	p->rebuild = false;
	status_begin(&p->status, "rebuilt");
	status_seq(&p->status, "last", p->mark.sequence);
	status = project_settle(p);
	return status == PROJECT_ON ? project_told(p) : status;
}

/* There is no batch now.  PROJECT_ON: look again. */
static int idle(struct project *p, struct pipeline *l)
{
	int status = PROJECT_ON;

	if (p->rebuild)
		status = publish(p);
	if (status == PROJECT_ON)
		status = catch_up(p);
	if (status == PROJECT_ON)
		status = project_follow(p);
	l->no_more = !p->follow;
	return status;
}

static int64_t read_deadline(const struct project *p, const struct pipeline *l)
{
	if (is_busy(l) || p->rebuild || !p->follow)
		return 0;
	return clock_mono_ns() + PROJECT_FOLLOW_NS;
}

/* The next batch, if there is one, to the program: *ret, else NULL. */
static int read_on(struct project *p, struct pipeline *l, struct round **ret)
{
	struct round *r = &l->rounds[l->next];
	struct err e;
	int status;

	*ret = NULL;
	if (l->no_more)
		return PROJECT_ON;
	switch (feed_next(p->feed, &r->batch, read_deadline(p, l), &e)) {
	case FEED_BATCH:
		status = start_program(p);
		if (status != PROJECT_ON)
			return status;
		mapper_put(&p->map, &r->batch);
		l->next = (l->next + 1) % ROUNDS;
		*ret = r;
		return PROJECT_ON;
	case FEED_END:
		return is_busy(l) ? PROJECT_ON : idle(p, l);
	case FEED_SIGNAL:
		l->no_more = true;
		return project_take_signals(p) ? TOOL_SIGNAL + p->signal : PROJECT_ON;
	case FEED_DAMAGED:
		l->no_more = true;
		l->status = STATUS_DAMAGED;
		return PROJECT_ON;
	default:
		return fail_soft(&e);
	}
}

int pipeline_run(struct project *p)
{
	struct pipeline l = {.status = TOOL_OK};
	struct round *next;
	int status;

	do {
		status = read_on(p, &l, &next);
		if (status == PROJECT_ON && l.mapping != NULL)
			status = map(p, l.mapping);
		if (status == PROJECT_ON && l.applying != NULL)
			status = finish(p, l.applying);
		if (p->signal != 0)
			break; /* what the target has not seen yet is for the next time */
		if (status == PROJECT_ON && l.mapping != NULL)
			status = begin(p, l.mapping);
		l.applying = l.mapping;
		l.mapping = next;
	} while (status == PROJECT_ON && (is_busy(&l) || !l.no_more));
	for (size_t i = 0; i < ROUNDS; i++) {
		feed_batch_done(&l.rounds[i].batch);
		mapped_done(&l.rounds[i].mapped);
	}
	if (status != PROJECT_ON)
		return status;
	if (p->signal != 0)
		return TOOL_SIGNAL + p->signal;
	return l.status == TOOL_OK && feed_has_skipped(p->feed) ? STATUS_DAMAGED : l.status;
}
