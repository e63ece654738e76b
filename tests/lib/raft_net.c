#include "raft_net.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fail_alloc.h"
#include "net_check.h"

/* ---- Disks */

size_t net_unsynced(const struct raft_net *net, uint64_t n)
{
	return net_disk_unsynced(&net->node[n].disk);
}

void net_sync(struct raft_net *net, uint64_t n, unsigned writes)
{
	struct net_node *node = &net->node[n];
	uint64_t number = 0;

	while (writes-- > 0 && node->disk.writes != NULL)
		number = net_disk_sync(&node->disk);
	if (number != 0 && node->raft != NULL)
		net_step(net, n, (struct raft_event){.type = RAFT_DURABLE, .write = number});
}

void net_sync_all(struct raft_net *net, uint64_t n)
{
	net_sync(net, n, UINT32_MAX);
}

/* ---- The network */

static void queue(struct raft_net *net, const struct raft_message *m)
{
	struct net_packet *p = calloc(1, sizeof(*p));
	struct err e;

	NET_CHECK(p != NULL);
	p->from = m->from;
	p->to = m->to;
	p->type = m->type;
	raft_message_put(&p->bytes, m);
	NET_CHECK(buf_ok(&p->bytes, &e) == 0);
	*net->end = p;
	net->end = &p->next;
	net->packets++;
}

static void send_message(struct raft_net *net, const struct raft_message *given)
{
	static const char zeros[RAFT_CHUNK_MAX];
	struct raft_message m = *given;

	if (m.type == RAFT_SNAPSHOT)
		m.data.p = zeros;
	net->sent[m.type]++;
	net->newest[m.type] = m;
	if (m.to <= net->count && !net->mute[m.type] && !net->cut[m.from][m.to])
		queue(net, &m);
}

static struct net_packet *take_packet(struct raft_net *net, size_t at, bool stays)
{
	struct net_packet **p = &net->first;
	struct net_packet *taken;

	NET_CHECK(at < net->packets);
	while (at-- > 0)
		p = &(*p)->next;
	taken = *p;
	NET_CHECK(taken != NULL);
	if (stays)
		return taken;
	*p = taken->next;
	if (*p == NULL)
		net->end = p;
	net->packets--;
	return taken;
}

static void free_packet(struct net_packet *p)
{
	buf_done(&p->bytes);
	free(p);
}

void net_drop_packet(struct raft_net *net, size_t at)
{
	free_packet(take_packet(net, at, false));
}

void net_deliver(struct raft_net *net, size_t at, bool stays)
{
	struct net_packet *p = take_packet(net, at, stays);
	struct raft_message m;
	struct err e;

	if (net->node[p->to].raft != NULL && !net->cut[p->from][p->to]) {
		struct span bytes = {p->bytes.data, p->bytes.len};

		NET_CHECK(raft_message_get(bytes, &m, &net->room, &e) == 0);
		/* The packet may be freed by what follows: its bytes are needed until then. */
		net_step(net, p->to, (struct raft_event){.type = RAFT_RECEIVE, .message = &m});
	}
	if (!stays)
		free_packet(p);
}

void net_settle(struct raft_net *net)
{
	for (unsigned i = 0; net->packets > 0; i++) {
		NET_CHECK(i < 100000); /* nobody talks for ever */
		net_deliver(net, 0, false);
	}
}

/* ---- Steps */

static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

static uint64_t mix_entry(uint64_t state, const struct raft_entry *e)
{
	state = mix(state ^ mix(e->index) ^ mix(e->term << 8 | e->type) ^ e->clock_ns);
	for (size_t i = 0; i < e->data.len; i++)
		state = mix(state + (unsigned char)e->data.p[i]);
	return state | 1;
}

static void apply(struct raft_net *net, struct net_node *node, uint64_t commit)
{
	NET_CHECK(commit >= node->commit);
	node->commit = commit;
	if (commit > net->commit)
		net->commit = commit;
	while (node->applied < commit) {
		const struct raft_entry *e = raft_entry(node->raft, node->applied + 1);

		NET_CHECK(e != NULL && e->index < NET_LOG_MAX);
		node->state = mix_entry(node->state, e);
		node->applied++;
		NET_CHECK(net->state[e->index] == 0 || net->state[e->index] == node->state);
		net->state[e->index] = node->state;
	}
}

static void check_message(struct raft_net *net, struct net_node *node, const struct raft_message *m)
{
	const struct net_disk *disk = &node->disk;

	NET_CHECK(m->from == (uint64_t)(node - net->node) && m->cluster == NET_CLUSTER);
	if (m->type == RAFT_VOTE_REPLY && m->granted)
		NET_CHECK(disk->term == m->term && disk->vote == m->to);
	if (m->type == RAFT_VOTE || (m->type == RAFT_APPEND_REPLY && m->granted))
		NET_CHECK(disk->term == m->term);
	if (m->type == RAFT_APPEND_REPLY && m->granted &&
	    m->prev.index > (node->has_snapshot ? node->snapshot.point.index : 0))
		NET_CHECK(m->prev.index <= disk->base.index + disk->count);
}

static void check_view(struct raft_net *net, struct net_node *node)
{
	struct raft_view v;

	raft_look(node->raft, &v);
	NET_CHECK(v.term >= node->term && v.term < 4096);
	NET_CHECK(v.commit <= v.last.index && v.durable <= v.last.index);
	NET_CHECK(v.base.index <= v.snapshot.index || v.base.index == 0);
	node->term = v.term;
	if (v.role == RAFT_LEADER) {
		uint64_t id = (uint64_t)(node - net->node);

		NET_CHECK(net->leaders[v.term] == 0 || net->leaders[v.term] == id);
		net->leaders[v.term] = id;
		NET_CHECK(v.durable_term == v.term && v.durable_vote == id);
	}
	for (uint32_t i = 0; i < v.peer_count; i++)
		NET_CHECK(v.peers[i].match <= v.last.index && v.peers[i].next > v.peers[i].match);
}

/* The chunk is stored at once; the last one makes it a snapshot that is loaded. */
static void take_chunk(struct raft_net *net, uint64_t n, const struct raft_message *m)
{
	struct net_node *node = &net->node[n];

	if (m->offset == 0)
		node->received = node->stored = 0;
	NET_CHECK(m->offset == node->received);
	node->received = m->offset + m->data.len;
	node->complete = node->received == m->size;
	node->incoming = (struct raft_snapshot){
	    .point = m->prev,
	    .clock_ns = m->clock_ns,
	    .size = m->size,
	    .sum = m->sum,
	    .conf = *m->conf,
	};
	if (!node->keeps_chunks)
		net_store(net, n);
}

void net_store(struct raft_net *net, uint64_t n)
{
	struct net_node *node = &net->node[n];
	struct raft_snapshot s = node->incoming;

	if (s.point.index == 0)
		return;
	node->stored = node->received;
	net_step(
	    net, n,
	    (struct raft_event){.type = RAFT_CHUNK_STORED, .snapshot = &s, .offset = node->stored});
	if (!node->complete)
		return;
	NET_CHECK(net->state[s.point.index] == s.sum);
	NET_CHECK(s.point.index > node->applied);
	node->snapshot = s;
	node->has_snapshot = true;
	node->applied = s.point.index;
	node->commit = s.point.index;
	node->state = s.sum;
	node->incoming = (struct raft_snapshot){.size = 0};
	node->complete = false;
	net_step(net, n, (struct raft_event){.type = RAFT_INSTALLED, .snapshot = &s});
}

static void note_reads(const struct raft_net *net, struct net_node *node,
                       const struct raft_output *out)
{
	for (size_t i = 0; i < out->read_count; i++) {
		node->read = out->reads[i];
		if (node->read.granted && node->read.context < NET_READS)
			NET_CHECK(node->read.index >= net->asked[node->read.context]);
		node->reads++;
		node->reads_granted += out->reads[i].granted;
	}
}

/* A core that has failed says so from then on, with the same words. */
static void check_failed(struct net_node *node)
{
	struct raft_event event = {.type = RAFT_TICK, .now = UINT64_MAX};
	struct raft_output out;
	struct raft_view v;
	struct err e;

	raft_look(node->raft, &v);
	NET_CHECK(raft_step(node->raft, &event, &out, &e) < 0);
	NET_CHECK(e.code == node->failure.code && strcmp(e.msg, node->failure.msg) == 0);
	NET_CHECK(out.write == 0 && out.message_count == 0 && out.read_count == 0);
}

static int core_step(struct raft_net *net, struct net_node *node, const struct raft_event *event,
                     struct raft_output *out)
{
	int r;

	fail_alloc_at(net->fail_alloc);
	net->fail_alloc = 0;
	r = raft_step(node->raft, event, out, &node->failure);
	if (fail_alloc_end())
		NET_CHECK(r < 0 && node->failure.code == ENOMEM);
	if (r < 0)
		check_failed(node);
	return r;
}

void net_step(struct raft_net *net, uint64_t n, struct raft_event event)
{
	struct net_node *node = &net->node[n];
	struct raft_output out;
	bool writes;

	event.now = net->now;
	if (event.type == RAFT_ASK_READ && event.context < NET_READS)
		net->asked[event.context] = net->commit;
	if (core_step(net, node, &event, &out) < 0) {
		node->stopped = true;
		net_crash(net, n);
		return;
	}
	if (event.type >= RAFT_PROPOSE && event.type <= RAFT_TRANSFER) {
		node->status = out.status;
		node->first = out.first;
	}
	node->drop = out.drop;
	node->compacted = out.compacted != 0 ? out.compacted : node->compacted;
	if (out.why != NULL)
		snprintf(node->why, sizeof(node->why), "%s", out.why);
	node->resets += out.reset;
	node->truncates += out.truncate != 0;
	writes = out.write != 0;
	if (writes)
		net_disk_write(&node->disk, &out);
	for (size_t i = 0; i < out.message_count; i++) {
		check_message(net, node, &out.messages[i]);
		send_message(net, &out.messages[i]);
	}
	note_reads(net, node, &out);
	apply(net, node, out.commit);
	check_view(net, node);
	if (out.chunk != NULL)
		take_chunk(net, n, out.chunk);
	if (writes && !node->disk_waits)
		net_sync_all(net, n);
}

void net_tick(struct raft_net *net, uint64_t n)
{
	net_step(net, n, (struct raft_event){.type = RAFT_TICK});
}

struct raft_message net_message(const struct raft_net *net, enum raft_message_type type,
                                uint64_t from, uint64_t to, uint64_t term)
{
	(void)net;
	return (struct raft_message){
	    .type = type, .cluster = NET_CLUSTER, .from = from, .to = to, .term = term};
}

void net_receive(struct raft_net *net, const struct raft_message *m)
{
	net_step(net, m->to, (struct raft_event){.type = RAFT_RECEIVE, .message = m});
}

/* ---- Time */

/* The node whose deadline is the earliest, or 0. */
static uint64_t next_node(const struct raft_net *net, uint64_t *ret_at)
{
	uint64_t best = 0;

	*ret_at = UINT64_MAX;
	for (uint64_t n = 1; n <= net->count; n++) {
		uint64_t at =
		    net->node[n].raft == NULL ? UINT64_MAX : raft_deadline(net->node[n].raft);

		if (at < *ret_at) {
			*ret_at = at;
			best = n;
		}
	}
	return best;
}

void net_run(struct raft_net *net, uint64_t ns)
{
	uint64_t end = net->now + ns;

	for (unsigned i = 0;; i++) {
		uint64_t at;
		uint64_t n;

		NET_CHECK(i < 1000000);
		net_settle(net);
		n = next_node(net, &at);
		if (n == 0 || at > end)
			break;
		if (at > net->now)
			net->now = at;
		net_tick(net, n);
	}
	net->now = end;
}

bool net_elect(struct raft_net *net, uint64_t n)
{
	uint64_t at = raft_deadline(net->node[n].raft);

	if (at > net->now)
		net->now = at;
	net_tick(net, n);
	net_settle(net);
	return net_view(net, n).role == RAFT_LEADER;
}

/* ---- Starts and ends */

void net_start(struct raft_net *net, uint64_t n)
{
	struct net_node *node = &net->node[n];
	struct raft_config cfg = net->cfg;
	struct raft_start start = {
	    .now = net->now,
	    .term = node->disk.term,
	    .vote = node->disk.vote,
	    .snapshot = node->has_snapshot ? &node->snapshot : NULL,
	    .base = node->disk.base,
	    .entries = node->disk.entries,
	    .count = node->disk.count,
	};

	cfg.cluster = NET_CLUSTER;
	cfg.self = n;
	cfg.seed = ++net->seed;
	node->stopped = false;
	node->raft = raft_new(&cfg, &start, &node->failure);
	NET_CHECK(node->raft != NULL);
	node->applied = node->commit = node->has_snapshot ? node->snapshot.point.index : 0;
	node->state = node->has_snapshot ? node->snapshot.sum : 0;
	node->term = node->disk.term;
	if (node->incoming.point.index != 0 && node->stored > 0)
		net_step(net, n,
		         (struct raft_event){.type = RAFT_CHUNK_STORED,
		                             .snapshot = &node->incoming,
		                             .offset = node->stored});
}

void net_crash(struct raft_net *net, uint64_t n)
{
	struct net_node *node = &net->node[n];

	raft_free(node->raft);
	node->raft = NULL;
	node->received = node->stored;
	node->complete = false;
	if (node->stored == 0)
		node->incoming = (struct raft_snapshot){.size = 0};
	net_disk_crash(&node->disk);
}

uint64_t net_join(struct raft_net *net)
{
	NET_CHECK(net->count < NET_NODES_MAX);
	net_start(net, ++net->count);
	return net->count;
}

struct raft_net *net_new(unsigned n, const struct raft_config *cfg)
{
	struct raft_net *net = calloc(1, sizeof(*net));
	struct raft_conf conf = {.count = n};
	struct buf room = {.data = NULL};
	struct raft_entry first;

	NET_CHECK(net != NULL && n <= NET_NODES_MAX);
	net->end = &net->first;
	net->now = 1000 * NET_MS;
	net->seed = 1;
	if (cfg != NULL)
		net->cfg = *cfg;
	for (unsigned i = 0; i < n; i++)
		conf.member[i] =
		    (struct raft_member){.id = i + 1, .voter = true, .was_voter = true};
	first = raft_bootstrap(&conf, &room);
	for (unsigned i = 1; i <= n; i++) {
		net_disk_add(&net->node[i].disk, &first);
		net->node[i].disk.term = 1;
		net->count = i;
		net_start(net, i);
	}
	buf_done(&room);
	return net;
}

void net_free(struct raft_net *net)
{
	for (unsigned n = 1; n <= NET_NODES_MAX; n++) {
		net_crash(net, n);
		net_disk_done(&net->node[n].disk);
	}
	while (net->packets > 0)
		net_drop_packet(net, 0);
	raft_message_room_done(&net->room);
	free(net);
}

/* ---- Snapshots */

void net_snapshot(struct raft_net *net, uint64_t n, uint64_t size)
{
	struct net_node *node = &net->node[n];
	struct err e;

	node->snapshot = (struct raft_snapshot){
	    .point = {node->applied, raft_term_at(node->raft, node->applied)},
	    .clock_ns = raft_clock(node->raft, net->now),
	    .size = size,
	    .sum = node->state,
	};
	NET_CHECK(raft_conf_at(node->raft, node->applied, &node->snapshot.conf, &e) == 0);
	node->has_snapshot = true;
	net_step(net, n,
	         (struct raft_event){.type = RAFT_SNAPSHOT_TAKEN, .snapshot = &node->snapshot});
}
