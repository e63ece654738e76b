/*
 * The operator: changes who is in the cluster, replaces what is broken, hands leadership over.
 */
#include <inttypes.h>
#include <string.h>

#include "world.h"

#define JOIN_TIME (20 * SEC) /* a new node that is no member by then is given up */

/* ---- Who may be lost. */

static bool is_well(const struct world *w, uint64_t id, uint64_t lost)
{
	int place = node_slot(w, id);

	return place >= 0 && (lost >> place & 1) == 0 && w->nodes[place].state != NODE_BROKEN &&
	       !w->nodes[place].rotten;
}

/* Also when the leader, which does not know, makes voters of learners that are lost. */
static bool has_quorum(const struct world *w, const struct raft_conf *conf, uint64_t lost)
{
	struct raft_conf c = *conf;
	bool ack[RAFT_MEMBERS_MAX] = {false};

	for (uint32_t i = 0; i < c.count; i++) {
		ack[i] = is_well(w, c.member[i].id, lost);
		if (c.member[i].promote && !ack[i])
			c.member[i].voter = true;
	}
	return conf_has_quorum(conf, ack) && conf_has_quorum(&c, ack);
}

/* The newest committed configuration. */
static const struct check_conf *committed_conf(const struct world *w)
{
	const struct check *c = &w->check;

	return c->conf_committed_count == 0
	           ? NULL
	           : &c->confs[c->conf_committed[c->conf_committed_count - 1]];
}

/* Those in force are the newest committed one, and what is in anybody's log behind it. */
bool operator_can_lose(const struct world *w, uint64_t places)
{
	const struct check_conf *base = committed_conf(w);

	if (!has_quorum(w, base == NULL ? &w->boot : &base->conf, places))
		return false;
	for (unsigned i = 0; i < SLOTS; i++) {
		const struct check_node *n = &w->nodes[i].check;

		for (unsigned k = 0; w->nodes[i].state != NODE_NONE && k < n->conf_count; k++) {
			const struct check_conf *c = &w->check.confs[n->confs[k]];

			if ((base == NULL || c->index > base->index) &&
			    !has_quorum(w, &c->conf, places))
				return false;
		}
	}
	return true;
}

static bool is_member(const struct world *w, uint64_t id)
{
	const struct check_conf *base = committed_conf(w);

	if (conf_find(base == NULL ? &w->boot : &base->conf, id) != NULL)
		return true;
	for (unsigned i = 0; i < SLOTS; i++) {
		const struct check_node *n = &w->nodes[i].check;

		for (unsigned k = 0; w->nodes[i].state != NODE_NONE && k < n->conf_count; k++)
			if ((base == NULL || w->check.confs[n->confs[k]].index > base->index) &&
			    conf_find(&w->check.confs[n->confs[k]].conf, id) != NULL)
				return true;
	}
	return false;
}

/* ---- What is done. */

/* Nodes that are out, for long or by damage, are taken away. */
static void clean(struct world *w)
{
	for (unsigned i = 0; i < SLOTS; i++) {
		struct node *n = &w->nodes[i];

		if (n->state == NODE_BROKEN) {
			node_wipe(w, n);
			continue;
		}
		if (n->state == NODE_NONE || is_member(w, n->id)) {
			n->outside_since = w->now;
			continue;
		}
		if (w->now - n->outside_since > JOIN_TIME || (n->was_member && draw(w, 4) == 0))
			node_wipe(w, n);
	}
	for (unsigned i = 0; i < SLOTS; i++)
		if (w->nodes[i].state != NODE_NONE && is_member(w, w->nodes[i].id))
			w->nodes[i].was_member = true;
}

static enum raft_status change(struct world *w, struct node *leader, struct raft_change *c,
                               size_t n)
{
	struct raft_event event = {.type = RAFT_CHANGE, .changes = c, .count = n};
	struct replica_answer a = {.status = RAFT_BUSY};

	node_event(w, leader, &event, &a);
	if (a.status == RAFT_INVALID)
		world_fail(w, "a change of members is refused: %s", a.why);
	if (a.status == RAFT_OK) {
		w->cover.count[COVER_CHANGE]++;
		chart_note(&w->chart, w->now, leader->id, "changes members: %u of %" PRIu64,
		           c->type, c->id);
	}
	return a.status;
}

/* A new node that becomes a voter; in the place of `old` where that is not 0. */
static void add(struct world *w, struct node *leader, uint64_t old)
{
	struct node *n = node_make(w, false);
	struct raft_change c[2] = {{.type = RAFT_ADD, .promote = draw(w, 8) != 0}};
	size_t count = 1;

	if (n == NULL)
		return;
	n->outside_since = w->now;
	c[0].id = n->id;
	c[0].info = (struct span){"sim", 3};
	if (old != 0)
		c[count++] = (struct raft_change){.type = RAFT_REMOVE, .id = old};
	if (change(w, leader, c, count) != RAFT_OK) {
		node_wipe(w, n);
		return;
	}
	if (old != 0)
		w->cover.count[COVER_REPLACED]++;
	node_start(w, n);
}

/* May this one leave, and is there a quorum of what stays? */
static bool can_leave(const struct world *w, const struct raft_conf *conf, uint64_t id)
{
	struct raft_change c = {.type = RAFT_REMOVE, .id = id};
	struct raft_conf then;
	struct raft_conf after;
	struct err e;

	if (conf_change(conf, &c, 1, &then, &e) < 0)
		return false;
	if (then.joint)
		conf_leave_joint(&then, &after);
	else
		after = then;
	return has_quorum(w, &then, 0) && has_quorum(w, &after, 0);
}

static void remove_member(struct world *w, struct node *leader, const struct raft_conf *conf,
                          uint64_t id)
{
	struct raft_change c = {.type = RAFT_REMOVE, .id = id};
	const struct raft_member *member = conf_find(conf, id);
	uint32_t voters = 0;

	if (member == NULL)
		return; /* a leader on its way out */
	for (uint32_t i = 0; i < conf->count; i++)
		voters += conf->member[i].voter;
	if ((voters <= 3 && member->voter) || !can_leave(w, conf, id))
		return;
	if (change(w, leader, &c, 1) == RAFT_OK && id == leader->id)
		w->cover.count[COVER_LEADER_REMOVED]++;
}

static void transfer(struct world *w, struct node *leader, const struct raft_conf *conf)
{
	uint64_t to = draw(w, 3) == 0 ? 0 : conf->member[draw(w, conf->count)].id;
	struct raft_event event = {.type = RAFT_TRANSFER, .node = to};
	struct replica_answer a = {0};

	node_event(w, leader, &event, &a);
	if (a.status != RAFT_OK)
		return;
	w->cover.count[COVER_TRANSFER]++;
	/* It does not hear that it was voted out: a lease that it kept would be seen. */
	if (draw(w, 3) == 0)
		swarm_deafen(w, leader);
}

/* A member that is no more, or 0. */
static uint64_t ghost(const struct world *w, const struct raft_conf *conf)
{
	for (uint32_t i = 0; i < conf->count; i++)
		if (node_slot(w, conf->member[i].id) < 0)
			return conf->member[i].id;
	return 0;
}

static void act(struct world *w, struct node *leader)
{
	struct raft_view v;
	struct raft_conf conf;
	uint64_t gone;

	raft_look(replica_raft(leader->replica), &v);
	conf = *v.conf;
	gone = ghost(w, &conf);
	if (gone != 0 && !conf.joint && draw(w, 4) != 0) {
		if (draw(w, 4) == 0 && can_leave(w, &conf, gone))
			remove_member(w, leader, &conf, gone);
		else
			add(w, leader, gone);
		return;
	}
	switch (draw(w, 8)) {
	case 0:
	case 1:
		if (conf.count < MEMBERS_MAX)
			add(w, leader, 0);
		return;
	case 2:
	case 3:
		remove_member(w, leader, &conf, conf.member[draw(w, conf.count)].id);
		return;
	case 4:
		remove_member(w, leader, &conf, leader->id);
		return;
	case 5: {
		uint64_t old = conf.member[draw(w, conf.count)].id;

		if (!conf.joint && can_leave(w, &conf, old))
			add(w, leader, old);
		return;
	}
	default:
		transfer(w, leader, &conf);
		return;
	}
}

void operator_happens(struct world *w)
{
	struct node *leader = world_leader(w);

	if (w->phase != PHASE_FAULTS)
		return;
	world_happen(w, w->now + draw(w, 2 * w->swarm.operator_ns),
	             (struct happening){.kind = HAPPEN_OPERATOR});
	if (w->check.conf_committed_count == 0)
		return;
	clean(w);
	if (leader != NULL && leader->state == NODE_UP)
		act(w, leader);
}
