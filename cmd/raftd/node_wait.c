/*
 * Who waits for what: proposals for their entry, reads for their round, watches for a change.
 */
#include <stdlib.h>
#include <string.h>

#include "kv/command.h"
#include "node_impl.h"

/* ---- Lists. */

static void add(struct tickets *list, struct node_ticket *t, enum ticket_state state)
{
	t->state = state;
	t->after = NULL;
	t->before = list->last;
	if (list->last != NULL)
		list->last->after = t;
	else
		list->first = t;
	list->last = t;
	list->count++;
}

static void take(struct tickets *list, struct node_ticket *t)
{
	if (t->before != NULL)
		t->before->after = t->after;
	else
		list->first = t->after;
	if (t->after != NULL)
		t->after->before = t->before;
	else
		list->last = t->before;
	t->before = t->after = NULL;
	list->count--;
}

/* The first of a list, out of it; NULL: it is empty. */
static struct node_ticket *pop(struct tickets *list)
{
	struct node_ticket *t = list->first;

	if (t == NULL)
		return NULL;
	list->first = t->after;
	if (t->after != NULL)
		t->after->before = NULL;
	else
		list->last = NULL;
	t->after = NULL;
	list->count--;
	return t;
}

static struct tickets *list_of(struct node *n, const struct node_ticket *t)
{
	if (t->state == TICKET_READY)
		return &n->ready;
	switch (t->kind) {
	case TICKET_PROPOSE:
		return t->state == TICKET_QUEUED ? &n->proposals : &n->proposed;
	case TICKET_READ:
		return t->state == TICKET_QUEUED ? &n->reads : &n->rounds;
	case TICKET_WATCH:
		break;
	}
	return &n->watches;
}

static void drop(struct node_ticket *t)
{
	timeouts_remove(&t->node->timeouts, &t->timeout);
	free(t);
}

/* It is in no list any more: tell its owner. */
static void tell(struct node_ticket *t, enum node_outcome outcome, uint64_t index,
                 struct span result)
{
	timeouts_remove(&t->node->timeouts, &t->timeout);
	if (t->done != NULL)
		t->done(t->arg, outcome, index, result);
	free(t);
}

static void make_ready(struct node_ticket *t, enum node_outcome outcome)
{
	struct node *n = t->node;

	if (t->kind == TICKET_WATCH && t->watch != NULL) {
		kv_watch_remove(node_kv(n), t->watch);
		t->watch = NULL;
	}
	take(list_of(n, t), t);
	timeouts_remove(&n->timeouts, &t->timeout);
	t->outcome = outcome;
	add(&n->ready, t, TICKET_READY);
	node_stir(n);
}

/* ---- Asking. */

static struct node_ticket *new_ticket(struct node *n, enum ticket_kind kind, size_t room,
                                      node_done_fn *done, void *arg)
{
	struct node_ticket *t = malloc(sizeof(*t) + room);

	if (t == NULL)
		return NULL;
	*t = (struct node_ticket){.node = n, .kind = kind, .done = done, .arg = arg, .len = room};
	return t;
}

static struct node_ticket *queue(struct node_ticket *t, struct tickets *list)
{
	if (!timeouts_add(&t->node->timeouts, &t->timeout, node_now() + NODE_PATIENCE_NS)) {
		free(t);
		return NULL;
	}
	add(list, t, TICKET_QUEUED);
	node_stir(t->node);
	return t;
}

struct node_ticket *node_propose(struct node *n, struct span command, node_done_fn *done, void *arg)
{
	struct node_ticket *t = new_ticket(n, TICKET_PROPOSE, command.len, done, arg);

	if (t == NULL)
		return NULL;
	if (command.len > 0)
		memcpy(t->command, command.p, command.len);
	n->stat.proposals++;
	return queue(t, &n->proposals);
}

struct node_ticket *node_read(struct node *n, node_done_fn *done, void *arg)
{
	struct node_ticket *t = new_ticket(n, TICKET_READ, 0, done, arg);

	if (t == NULL)
		return NULL;
	n->stat.reads++;
	return queue(t, &n->reads);
}

struct node_ticket *node_watch(struct node *n, const struct kv_watch_spec *spec, uint64_t wait_ms,
                               node_done_fn *done, void *arg)
{
	struct node_ticket *t = new_ticket(n, TICKET_WATCH, 0, done, arg);
	struct kv_watch_spec own = *spec;
	struct err e;
	int r;

	if (t == NULL)
		return NULL;
	own.cookie = (uint64_t)(uintptr_t)t;
	r = kv_watch_add(node_kv(n), &own, &t->watch, &e);
	if (r < 0 ||
	    !timeouts_add(&n->timeouts, &t->timeout, node_now() + wait_ms * UINT64_C(1000000))) {
		if (r == 0)
			kv_watch_remove(node_kv(n), t->watch);
		free(t);
		return NULL;
	}
	add(&n->watches, t, TICKET_ASKED);
	if (r > 0)
		make_ready(t, NODE_DONE);
	else
		node_arm(n);
	return t;
}

void node_cancel(struct node *n, struct node_ticket *t)
{
	if (t->state == TICKET_ASKED && t->kind != TICKET_WATCH) {
		t->done = NULL; /* the core has it */
		return;
	}
	if (t->watch != NULL)
		kv_watch_remove(node_kv(n), t->watch);
	take(list_of(n, t), t);
	drop(t);
}

/* ---- To the core. */

/* A new proposal at or before this index: what was proposed here for it is overwritten. */
static void lose_from(struct node *n, uint64_t index)
{
	while (n->proposed.last != NULL && n->proposed.last->at.index >= index)
		make_ready(n->proposed.last, NODE_LOST);
}

static void refuse(struct tickets *list, size_t count, enum raft_status status)
{
	for (size_t i = 0; i < count; i++)
		make_ready(list->first, status == RAFT_BUSY ? NODE_BUSY : NODE_NO_LEADER);
}

static void propose_batch(struct node *n)
{
	struct span data[NODE_BATCH_MAX];
	struct raft_event event = {.type = RAFT_PROPOSE, .data = data};
	struct replica_answer a = {0};
	struct node_ticket *t;

	for (t = n->proposals.first; t != NULL; t = t->after) {
		if (event.count == NODE_BATCH_MAX)
			break;
		data[event.count++] = (struct span){t->command, t->len};
	}
	node_step(n, &event, &a);
	if (a.status != RAFT_OK || n->failed) {
		refuse(&n->proposals, event.count, a.status);
		return;
	}
	lose_from(n, a.first.index);
	for (size_t i = 0; i < event.count && (t = pop(&n->proposals)) != NULL; i++) {
		t->at = (struct raft_point){a.first.index + i, a.first.term};
		add(&n->proposed, t, TICKET_ASKED);
	}
}

/* All reads of one turn of the loop are one round. */
static void ask_round(struct node *n)
{
	struct raft_event event = {.type = RAFT_ASK_READ, .context = ++n->round};
	struct replica_answer a = {0};
	struct node_ticket *t;

	while ((t = pop(&n->reads)) != NULL) {
		t->round = n->round;
		add(&n->rounds, t, TICKET_ASKED);
	}
	node_step(n, &event, &a);
	if (a.status == RAFT_OK && !n->failed)
		return;
	while (n->rounds.last != NULL && n->rounds.last->round == event.context)
		make_ready(n->rounds.last, a.status == RAFT_BUSY ? NODE_BUSY : NODE_NO_LEADER);
}

void wait_flush(struct node *n)
{
	struct node_ticket *t;

	while (n->proposals.first != NULL && !n->failed)
		propose_batch(n);
	if (n->reads.first != NULL && !n->failed)
		ask_round(n);
	/* What becomes ready meanwhile is told in the next turn. */
	for (uint64_t left = n->ready.count; left > 0 && (t = pop(&n->ready)) != NULL; left--)
		tell(t, t->outcome, 0, (struct span){NULL, 0});
}

/* ---- From the core. */

void wait_due(struct node *n, const struct kv_output *out)
{
	for (size_t i = 0; i < kv_output_due_count(out); i++) {
		struct node_ticket *t = (struct node_ticket *)(uintptr_t)kv_output_due(out, i);

		(void)n;
		t->watch = NULL; /* it is gone with its report */
		make_ready(t, NODE_DONE);
	}
}

void wait_applied(struct node *n, const struct raft_entry *entry, const struct kv_output *out)
{
	struct span result = {out->result.data, out->result.len};
	struct node_ticket *t;

	wait_due(n, out);
	while ((t = n->proposed.first) != NULL && t->at.index <= entry->index) {
		(void)pop(&n->proposed);
		if (t->at.index == entry->index && t->at.term == entry->term)
			tell(t, NODE_DONE, entry->index, result);
		else
			tell(t, NODE_LOST, 0, (struct span){NULL, 0});
	}
}

void wait_read(struct node *n, uint64_t round, bool granted)
{
	struct node_ticket *t = n->rounds.first;

	while (t != NULL && t->round < round)
		t = t->after;
	for (struct node_ticket *next; t != NULL && t->round == round; t = next) {
		next = t->after;
		take(&n->rounds, t);
		tell(t, granted ? NODE_DONE : NODE_NO_LEADER, 0, (struct span){NULL, 0});
	}
}

/* Whether the entries that the snapshot stands for were those proposed here, nobody can tell. */
void wait_installed(struct node *n, struct raft_point at, const struct kv_output *out)
{
	wait_due(n, out);
	while (n->proposed.first != NULL && n->proposed.first->at.index <= at.index)
		make_ready(n->proposed.first, NODE_UNKNOWN);
}

/* ---- Time. */

void wait_expire(struct node *n, uint64_t now)
{
	struct timeout *first;

	while ((first = timeouts_first(&n->timeouts)) != NULL && first->at_ns <= now) {
		struct node_ticket *t = (struct node_ticket *)first;
		bool in_log = t->kind == TICKET_PROPOSE && t->state == TICKET_ASKED;
		bool watches = t->kind == TICKET_WATCH;

		make_ready(t, in_log || watches ? NODE_UNKNOWN : NODE_NO_LEADER);
	}
}

static void ticked(void *arg, enum node_outcome outcome, uint64_t index, struct span result)
{
	struct node *n = arg;

	(void)outcome;
	(void)index;
	(void)result;
	n->ticking = false;
}

void wait_tick(struct node *n, uint64_t now)
{
	struct raft_view v;

	if (n->ticking || kv_next_expiry(node_kv(n)) > raft_clock(node_raft(n), now))
		return;
	raft_look(node_raft(n), &v);
	if (v.role != RAFT_LEADER)
		return;
	n->ticking = node_propose(n, (struct span){NULL, 0}, ticked, n) != NULL;
}

void wait_stop(struct node *n)
{
	struct tickets *const all[] = {&n->proposals, &n->reads,    &n->watches,
	                               &n->ready,     &n->proposed, &n->rounds};
	struct node_ticket *t;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		while ((t = pop(all[i])) != NULL) {
			if (t->watch != NULL)
				kv_watch_remove(node_kv(n), t->watch);
			tell(t, NODE_STOPPED, 0, (struct span){NULL, 0});
		}
	timeouts_done(&n->timeouts);
}
