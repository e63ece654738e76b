#include "check.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

void check_begin(struct world *w)
{
	struct check *c = &w->check;

	c->committed = check_grow(NULL, &c->committed_cap, 1024, sizeof(*c->committed));
	c->seen = calloc(1, sizeof(*c->seen));
	c->sessions = calloc(CHECK_SESSIONS, sizeof(*c->sessions));
	if (c->seen == NULL || c->sessions == NULL)
		abort();
	c->seen_count = c->seen_cap = 1;
}

void check_done(struct world *w)
{
	struct check *c = &w->check;

	free(c->leader_of);
	free(c->committed);
	free(c->heads);
	free(c->seen);
	free(c->confs);
	free(c->conf_committed);
	free(c->sessions);
	for (unsigned i = 0; i < CHECK_CLIENTS; i++)
		free(c->once[i]);
	*c = (struct check){0};
}

void check_seen(struct world *w, const struct node *n, uint64_t index, struct mark m)
{
	struct check *c = &w->check;
	size_t cap = c->seen_cap;

	c->heads = check_grow(c->heads, &c->heads_cap, index + 1, sizeof(*c->heads));
	for (uint32_t i = c->heads[index]; i != 0; i = c->seen[i].next) {
		if (c->seen[i].term != m.term)
			continue;
		if (c->seen[i].hash != m.hash)
			world_fail(w,
			           "log matching: entry %" PRIu64 " of term %" PRIu64
			           " is another one at node %" PRIu64,
			           index, m.term, n->id);
		return;
	}
	c->seen = check_grow(c->seen, &cap, c->seen_count + 1, sizeof(*c->seen));
	c->seen_cap = (uint32_t)cap;
	c->seen[c->seen_count] = (struct check_seen){m.term, m.hash, c->heads[index]};
	c->heads[index] = c->seen_count++;
}

uint32_t check_conf_number(struct world *w, const struct raft_entry *entry)
{
	struct check *c = &w->check;
	size_t cap = c->conf_cap;
	struct err e;

	for (uint32_t i = c->conf_count; i-- > 0;)
		if (c->confs[i].index == entry->index && c->confs[i].term == entry->term)
			return i;
	c->confs = check_grow(c->confs, &cap, c->conf_count + 1, sizeof(*c->confs));
	c->conf_cap = (uint32_t)cap;
	c->confs[c->conf_count] = (struct check_conf){.index = entry->index, .term = entry->term};
	if (conf_get(entry->data, &c->confs[c->conf_count].conf, &e) < 0)
		world_fail(w, "configuration: entry %" PRIu64 " is none: %s", entry->index, e.msg);
	return c->conf_count++;
}

void check_conf_add(struct check_node *c, uint32_t number)
{
	if (c->conf_count == CHECK_CONFS_MAX) {
		memmove(c->confs, c->confs + 1, sizeof(c->confs) - sizeof(c->confs[0]));
		c->conf_count--;
	}
	c->confs[c->conf_count++] = number;
}

uint32_t check_conf_at(const struct world *w, uint64_t index)
{
	const struct check *c = &w->check;

	for (uint32_t i = c->conf_committed_count; i-- > 0;)
		if (c->confs[c->conf_committed[i]].index <= index)
			return c->conf_committed[i];
	return UINT32_MAX;
}

/* ---- Commit. */

static void count_promoted(struct world *w, const struct raft_conf *before,
                           const struct raft_conf *now)
{
	for (uint32_t i = 0; i < now->count; i++) {
		const struct raft_member *was = conf_find(before, now->member[i].id);

		if (was != NULL && !was->voter && now->member[i].voter)
			w->cover.count[COVER_PROMOTED]++;
	}
}

static void commit_conf(struct world *w, const struct node *n, uint64_t index)
{
	struct check *c = &w->check;
	size_t cap = c->conf_committed_count; /* grows by one; it is short */

	for (unsigned i = n->check.conf_count; i-- > 0;) {
		const struct check_conf *conf = &c->confs[n->check.confs[i]];

		if (conf->index != index)
			continue;
		c->conf_committed =
		    check_grow(c->conf_committed, &cap, cap + 1, sizeof(*c->conf_committed));
		if (c->conf_committed_count > 0)
			count_promoted(
			    w, &c->confs[c->conf_committed[c->conf_committed_count - 1]].conf,
			    &conf->conf);
		c->conf_committed[c->conf_committed_count++] = n->check.confs[i];
		if (conf->conf.joint)
			w->cover.count[COVER_JOINT]++;
	}
}

/* The configuration of a node's log before an index; NULL: none is known. */
static const struct raft_conf *conf_before(const struct world *w, const struct node *n,
                                           uint64_t index)
{
	const struct check_node *c = &n->check;
	uint32_t number = check_conf_at(w, c->log.base);

	for (unsigned i = 0; i < c->conf_count; i++)
		if (w->check.confs[c->confs[i]].index < index)
			number = c->confs[i];
	return number == UINT32_MAX ? NULL : &w->check.confs[number].conf;
}

/*
 * What is committed is on the disks of a quorum; one whose disk is gone had it.  What a leader
 * appends in the same step, it appends because of the commit.
 */
static void check_quorum(struct world *w, struct node *n, const struct raft_output *out)
{
	const struct mark *m = marks_at(&n->check.log, out->commit);
	const struct raft_conf *conf =
	    conf_before(w, n, out->append_count > 0 ? out->append[0].index : UINT64_MAX);
	bool ack[RAFT_MEMBERS_MAX] = {false};

	for (uint32_t i = 0; conf != NULL && i < conf->count; i++) {
		int slot = node_slot(w, conf->member[i].id);
		const struct marks *disk = slot < 0 ? NULL : &w->nodes[slot].check.disk;
		const struct mark *there = disk == NULL ? NULL : marks_at(disk, out->commit);

		ack[i] = disk == NULL || w->nodes[slot].state == NODE_BROKEN ||
		         w->nodes[slot].check.kept_snapshot >= out->commit ||
		         (there != NULL && there->hash == m->hash);
	}
	if (conf != NULL && !conf_has_quorum(conf, ack))
		world_fail(
		    w, "commit: node %" PRIu64 " commits %" PRIu64 ", which no quorum has on disk",
		    n->id, out->commit);
}

static void check_commit(struct world *w, struct node *n, const struct raft_output *out)
{
	uint64_t commit = out->commit;
	struct check_node *cn = &n->check;
	struct check *c = &w->check;
	struct raft_view v;

	if (commit < cn->commit)
		world_fail(w, "commit goes back: node %" PRIu64 " from %" PRIu64 " to %" PRIu64,
		           n->id, cn->commit, commit);
	if (commit > marks_last(&cn->log)) {
		world_fail(
		    w, "commit %" PRIu64 " of node %" PRIu64 " is behind its last entry %" PRIu64,
		    commit, n->id, marks_last(&cn->log));
		return;
	}
	c->committed =
	    check_grow(c->committed, &c->committed_cap, commit + 1, sizeof(*c->committed));
	if (commit > c->commit) {
		raft_look(replica_raft(n->replica), &v);
		check_quorum(w, n, out);
		if (v.role == RAFT_LEADER && marks_at(&cn->log, commit)->term != v.term)
			world_fail(w,
			           "commit: leader %" PRIu64 " of term %" PRIu64
			           " commits an entry of term %" PRIu64,
			           n->id, v.term, marks_at(&cn->log, commit)->term);
	}
	for (uint64_t i = cn->commit + 1; i <= commit; i++) {
		const struct mark *m = marks_at(&cn->log, i);

		if (m == NULL)
			continue; /* below its snapshot */
		if (i > c->commit) {
			c->committed[i] =
			    (struct committed){.mark = *m, .term = cn->term, .at = w->now};
			c->commit = i;
			commit_conf(w, n, i);
		} else if (c->committed[i].mark.hash != m->hash) {
			world_fail(w,
			           "state machine safety: node %" PRIu64
			           " commits another entry %" PRIu64 " (term %" PRIu64
			           ", was %" PRIu64 ")",
			           n->id, i, m->term, c->committed[i].mark.term);
		}
	}
	cn->commit = commit;
}

/* ---- Roles. */

static void check_new_leader(struct world *w, struct node *n, const struct raft_view *v)
{
	struct check *c = &w->check;
	uint64_t known = c->commit;
	const struct mark *m;

	w->cover.count[COVER_ELECTION]++;
	c->leader_of = check_grow(c->leader_of, &c->terms, v->term + 1, sizeof(*c->leader_of));
	if (c->leader_of[v->term] != 0 && c->leader_of[v->term] != n->id)
		world_fail(w,
		           "election safety: nodes %" PRIu64 " and %" PRIu64 " lead term %" PRIu64,
		           c->leader_of[v->term], n->id, v->term);
	c->leader_of[v->term] = n->id;
	if (v->vote != n->id)
		world_fail(w, "votes: leader %" PRIu64 " voted for %" PRIu64, n->id, v->vote);
	while (known > 0 && c->committed[known].term >= v->term)
		known--;
	m = marks_at(&n->check.log, known);
	if (known < n->check.log.base)
		return;
	if (m == NULL || m->hash != c->committed[known].mark.hash)
		world_fail(w,
		           "leader completeness: leader %" PRIu64 " of term %" PRIu64
		           " lacks committed entry %" PRIu64,
		           n->id, v->term, known);
}

static bool same_conf(const struct raft_conf *a, const struct raft_conf *b)
{
	struct buf x = {0}, y = {0};
	bool same;

	conf_put(&x, a);
	conf_put(&y, b);
	same = span_is((struct span){x.data, x.len}, (struct span){y.data, y.len});
	buf_done(&x);
	buf_done(&y);
	return same;
}

static void check_conf(struct world *w, const struct node *n, const struct raft_view *v)
{
	const struct check_node *c = &n->check;
	uint32_t number =
	    c->conf_count > 0 ? c->confs[c->conf_count - 1] : check_conf_at(w, c->log.base);
	unsigned open = 0;

	for (unsigned i = 0; i < c->conf_count; i++)
		if (w->check.confs[c->confs[i]].index > w->check.commit)
			open++;
	if (open > 1)
		world_fail(w, "configuration: node %" PRIu64 " has %u that are not committed",
		           n->id, open);
	if (number != UINT32_MAX && !same_conf(v->conf, &w->check.confs[number].conf))
		world_fail(w,
		           "configuration: node %" PRIu64 " does not use the last one of its log",
		           n->id);
}

static void check_peers(struct world *w, const struct node *n, const struct raft_view *v)
{
	for (uint32_t i = 0; i < v->peer_count; i++) {
		const struct raft_peer *p = &v->peers[i];

		if (p->match > v->last.index || p->next <= p->match)
			world_fail(w,
			           "progress: leader %" PRIu64 " has match %" PRIu64
			           ", next %" PRIu64 " of %" PRIu64 ", last %" PRIu64,
			           n->id, p->match, p->next, p->id, v->last.index);
	}
}

static void check_view(struct world *w, struct node *n)
{
	struct check_node *c = &n->check;
	struct raft_view v;

	raft_look(replica_raft(n->replica), &v);
	if (v.term != c->term || v.vote != c->vote)
		world_fail(w,
		           "votes: node %" PRIu64 " has term %" PRIu64 ", vote %" PRIu64
		           " and gave out term %" PRIu64 ", vote %" PRIu64,
		           n->id, v.term, v.vote, c->term, c->vote);
	if (v.last.index != marks_last(&c->log) || v.commit > v.last.index ||
	    v.snapshot.index > v.commit || v.base.index > v.snapshot.index)
		world_fail(w,
		           "order: node %" PRIu64 " has base %" PRIu64 ", snapshot %" PRIu64
		           ", commit %" PRIu64 ", last %" PRIu64,
		           n->id, v.base.index, v.snapshot.index, v.commit, v.last.index);
	if (v.role == RAFT_LEADER)
		check_peers(w, n, &v);
	if (v.role != c->role || v.leader != c->leader) {
		static const char *const roles[] = {"follows", "asks", "stands", "leads"};

		chart_note(&w->chart, w->now, n->id, "%s in term %" PRIu64 ", leader %" PRIu64,
		           roles[v.role], v.term, v.leader);
	}
	if (v.role == RAFT_LEADER && (c->role != RAFT_LEADER || w->check.terms <= v.term ||
	                              w->check.leader_of[v.term] != n->id))
		check_new_leader(w, n, &v);
	else if (v.role != RAFT_LEADER && c->role == RAFT_LEADER)
		w->cover.count[COVER_STEP_DOWN]++;
	c->role = v.role;
	c->leader = v.leader;
	check_conf(w, n, &v);
}

/* ---- What others call. */

void check_stepped(struct world *w, struct node *n, const struct raft_event *event,
                   const struct raft_output *out)
{
	struct check_node *c = &n->check;

	if (event->type == RAFT_DURABLE)
		check_durable(n, event->write);
	if (event->type == RAFT_SNAPSHOT_TAKEN || event->type == RAFT_INSTALLED)
		c->kept_snapshot = event->snapshot->point.index > c->kept_snapshot
		                       ? event->snapshot->point.index
		                       : c->kept_snapshot;
	if (out->write != 0)
		check_written(w, n, out);
	if (w->failed)
		return;
	if (out->commit != c->commit)
		check_commit(w, n, out);
	if (out->compacted != 0)
		w->cover.count[COVER_COMPACTED]++;
	if ((out->changed || out->write != 0 || (w->happened & 15) == 0) && !w->failed)
		check_view(w, n);
}

void check_applied(struct world *w, struct node *n, const struct raft_entry *entry,
                   const struct kv_output *out)
{
	struct check_node *c = &n->check;
	struct committed *at = &w->check.committed[entry->index];
	uint64_t state = kv_hash(replica_kv(n->replica));

	if (entry->index != c->applied + 1 || entry->index > c->commit)
		world_fail(w,
		           "apply: node %" PRIu64 " applies %" PRIu64 " after %" PRIu64
		           ", commit %" PRIu64,
		           n->id, entry->index, c->applied, c->commit);
	c->applied = entry->index;
	if (at->state == 0) {
		at->state = state;
		at->clock_ns = entry->clock_ns;
		w->check.applied = entry->index;
		if (entry->clock_ns < at[-1].clock_ns)
			world_fail(w, "cluster clock goes back at entry %" PRIu64, entry->index);
		check_state(w, n, entry, out);
	} else if (at->state != state) {
		world_fail(
		    w, "state machine safety: node %" PRIu64 " has another state after %" PRIu64,
		    n->id, entry->index);
	}
}

void check_installed(struct world *w, struct node *n, struct raft_point at)
{
	struct check *c = &w->check;

	w->cover.count[COVER_INSTALLED]++;
	chart_note(&w->chart, w->now, n->id, "installs snapshot %" PRIu64, at.index);
	if (at.index <= n->check.applied || at.index > c->commit ||
	    c->committed[at.index].mark.term != at.term ||
	    c->committed[at.index].state != kv_hash(replica_kv(n->replica)))
		world_fail(w,
		           "snapshot: node %" PRIu64 " installs %" PRIu64 ".%" PRIu64
		           " that is not the state there",
		           n->id, at.index, at.term);
	n->check.applied = at.index;
}

void check_acked(struct world *w, struct raft_point at)
{
	if (at.index > w->check.commit || w->check.committed[at.index].mark.term != at.term)
		world_fail(w, "an acknowledged write is not committed: %" PRIu64 ".%" PRIu64,
		           at.index, at.term);
}

/* The log as it came back, into the books. */
static void read_log(struct world *w, struct node *n, const struct raft_view *v)
{
	struct check_node *c = &n->check;
	struct mark base = {0};

	if (v->base.index > w->check.commit) {
		world_fail(w,
		           "start: node %" PRIu64 " has a log behind %" PRIu64
		           ", which is not committed",
		           n->id, v->base.index);
		return;
	}
	if (v->base.index > 0)
		base = w->check.committed[v->base.index].mark;
	if (base.term != v->base.term)
		world_fail(w, "start: node %" PRIu64 " has a log behind %" PRIu64 ".%" PRIu64,
		           n->id, v->base.index, v->base.term);
	marks_reset(&c->log, v->base.index, base);
	c->conf_count = 0;
	for (uint64_t i = v->base.index + 1; i <= v->last.index; i++) {
		const struct raft_entry *e = raft_entry(replica_raft(n->replica), i);
		struct mark m = mark_entry(*marks_at(&c->log, i - 1), e);

		check_seen(w, n, i, m);
		marks_push(&c->log, m);
		if (e->type == RAFT_ENTRY_CONF)
			check_conf_add(c, check_conf_number(w, e));
	}
}

void check_started(struct world *w, struct node *n)
{
	struct check_node *c = &n->check;
	bool fresh = c->disk.count == 0;
	struct raft_view v;

	raft_look(replica_raft(n->replica), &v);
	if (c->writes_end == NULL)
		c->writes_end = &c->writes;
	read_log(w, n, &v);
	if (w->failed)
		return;
	if (fresh) {
		marks_reset(&c->disk, 0, (struct mark){0});
		for (size_t i = 1; i < c->log.count; i++)
			marks_push(&c->disk, c->log.at[i]);
		c->disk_term = v.term;
		c->disk_vote = v.vote;
	}
	check_recovered(w, n, &v);
	c->role = RAFT_FOLLOWER;
	c->leader = 0;
	c->term = v.term;
	c->vote = v.vote;
	c->last_written = 0;
	c->commit = c->applied = c->kept_snapshot = v.snapshot.index;
	if (kv_applied_index(replica_kv(n->replica)) != v.snapshot.index ||
	    (v.snapshot.index != 0 &&
	     w->check.committed[v.snapshot.index].state != kv_hash(replica_kv(n->replica))))
		world_fail(
		    w, "snapshot: node %" PRIu64 " starts with another state than that of %" PRIu64,
		    n->id, v.snapshot.index);
}
