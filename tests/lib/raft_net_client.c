/* raft_net: what is asked of its nodes, and what is seen of them. */
#include "raft_net.h"

#include <string.h>

#include "net_check.h"

enum raft_status net_propose(struct raft_net *net, uint64_t n, const char *text)
{
	struct span data = {text, strlen(text)};

	net_step(net, n, (struct raft_event){.type = RAFT_PROPOSE, .data = &data, .count = 1});
	return net->node[n].status;
}

enum raft_status net_ask(struct raft_net *net, uint64_t n, uint64_t context)
{
	net_step(net, n, (struct raft_event){.type = RAFT_ASK_READ, .context = context});
	return net->node[n].status;
}

enum raft_status net_change(struct raft_net *net, uint64_t n, struct raft_change change)
{
	net_step(net, n, (struct raft_event){.type = RAFT_CHANGE, .changes = &change, .count = 1});
	return net->node[n].status;
}

enum raft_status net_transfer(struct raft_net *net, uint64_t n, uint64_t to)
{
	net_step(net, n, (struct raft_event){.type = RAFT_TRANSFER, .node = to});
	return net->node[n].status;
}

uint64_t net_leader(const struct raft_net *net)
{
	uint64_t best = 0;
	uint64_t term = 0;

	for (uint64_t n = 1; n <= net->count; n++) {
		struct raft_view v;

		if (net->node[n].raft == NULL)
			continue;
		v = net_view(net, n);
		if (v.role == RAFT_LEADER && v.term > term) {
			best = n;
			term = v.term;
		}
	}
	return best;
}

struct raft_view net_view(const struct raft_net *net, uint64_t n)
{
	struct raft_view v;

	raft_look(net->node[n].raft, &v);
	return v;
}

const struct raft_peer *net_peer(const struct raft_view *v, uint64_t id)
{
	for (uint32_t i = 0; i < v->peer_count; i++)
		if (v->peers[i].id == id)
			return &v->peers[i];
	return NULL;
}

void net_isolate(struct raft_net *net, uint64_t n, bool cut)
{
	for (uint64_t m = 1; m <= NET_NODES_MAX; m++)
		net->cut[n][m] = net->cut[m][n] = cut && m != n;
}

struct raft_entry net_entry(uint64_t index, uint64_t term)
{
	return (struct raft_entry){
	    .index = index, .term = term, .type = RAFT_ENTRY_COMMAND, .version = 1};
}

void net_append(struct raft_net *net, struct net_leader from, struct raft_point prev,
                const struct raft_entry *entries, size_t n)
{
	struct raft_message m = net_message(net, RAFT_APPEND, from.id, 1, from.term);

	m.prev = prev;
	m.entries = entries;
	m.count = n;
	net_receive(net, &m);
}

struct raft_net *net_led(unsigned n, const struct raft_config *cfg)
{
	struct raft_net *net = net_new(n, cfg);

	NET_CHECK(net_elect(net, 1));
	return net;
}
