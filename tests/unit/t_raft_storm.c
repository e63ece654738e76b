/*
 * raft: everything at once, at random: lost, doubled and reordered messages, disks that wait,
 * crashes, cuts, changes of members, transfers, snapshots, reads, and memory that runs out.
 * raft_net checks what must hold after each step; in the end a healed cluster must get on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "raft_net.h"
#include "seeded.h"

/* What was reached; all of it must be. */
struct reached {
	unsigned terms, applied, resets, truncates, reads, confs, starved;
};

struct storm {
	struct raft_net *net;
	uint64_t rand;
	uint64_t reads;
	uint64_t crashes, cuts, hunger; /* of a thousand steps */
	uint64_t loss;                  /* of forty packets */
	unsigned starved;               /* nodes that stopped for want of memory */
};

static uint64_t below(struct storm *s, uint64_t n)
{
	return seeded_below(&s->rand, n);
}

static void one_packet(struct storm *s)
{
	size_t window = s->net->packets < 8 ? s->net->packets : 8;
	size_t at;

	if (window == 0)
		return;
	at = below(s, 4) == 0 ? below(s, window) : 0;
	if (below(s, 40) < s->loss)
		net_drop_packet(s->net, at);
	else
		net_deliver(s->net, at, s->net->packets < 1000 && below(s, 40) == 0);
}

static void one_tick(struct storm *s, uint64_t n)
{
	s->net->now += below(s, 20) * NET_MS;
	if (raft_deadline(s->net->node[n].raft) <= s->net->now)
		net_tick(s->net, n);
}

static void one_change(struct storm *s, uint64_t n)
{
	struct raft_change change = {
	    .type = RAFT_ADD + (enum raft_change_type)below(s, 4),
	    .id = 1 + below(s, s->net->count),
	    .promote = below(s, 2) == 0,
	};
	struct raft_view v = net_view(s->net, n);
	uint32_t voters = 0;

	for (uint32_t i = 0; i < v.conf->count; i++)
		voters += v.conf->member[i].voter;
	if (voters <= 2 && (change.type == RAFT_REMOVE || change.type == RAFT_DEMOTE))
		return;
	net_change(s->net, n, change);
}

static void one_crash(struct storm *s, uint64_t n)
{
	net_crash(s->net, n);
	s->net->node[n].disk_waits = below(s, 3) == 0;
	s->net->node[n].keeps_chunks = below(s, 2) == 0;
	net_start(s->net, n);
}

static void one_cut(struct storm *s)
{
	uint64_t a = 1 + below(s, s->net->count);
	uint64_t b = 1 + below(s, s->net->count);

	if (below(s, 2) == 0)
		memset(s->net->cut, 0, sizeof(s->net->cut));
	else if (below(s, 3) == 0)
		net_isolate(s->net, a, true);
	else if (a != b)
		s->net->cut[a][b] = true;
}

/* What is asked of a node; most of it makes sense at the leader only. */
static void one_wish(struct storm *s, uint64_t n)
{
	uint64_t leader = net_leader(s->net);

	if (leader != 0 && below(s, 4) != 0)
		n = leader;
	switch (below(s, 40)) {
	case 0:
		one_change(s, n);
		break;
	case 1:
		net_transfer(s->net, n, below(s, s->net->count + 1));
		break;
	case 2:
		net_step(s->net, n,
		         (struct raft_event){.type = RAFT_UNREACHABLE, .node = below(s, 7)});
		break;
	case 3:
	case 4:
		if (s->net->node[n].applied > net_view(s->net, n).snapshot.index)
			net_snapshot(s->net, n, below(s, 1000));
		break;
	case 5:
	case 6:
	case 7:
	case 8:
		if (s->reads < NET_READS)
			net_ask(s->net, n, s->reads++);
		break;
	default:
		net_propose(s->net, n, "something");
		break;
	}
}

static void one_step(struct storm *s)
{
	uint64_t n = 1 + below(s, s->net->count);
	uint64_t what = below(s, 1000);

	if (below(s, 1000) < s->hunger)
		s->net->fail_alloc = 1 + below(s, 3);
	if (what < 700)
		one_packet(s);
	else if (what < 780)
		one_tick(s, n);
	else if (what < 860)
		net_sync(s->net, n, (unsigned)below(s, 4));
	else if (what < 900)
		net_store(s->net, n);
	else if (what < 900 + s->crashes)
		one_crash(s, n);
	else if (what < 900 + s->crashes + s->cuts)
		one_cut(s);
	else
		one_wish(s, n);
}

/* Who stopped for want of memory begins again from its disk; nobody stops for anything else. */
static void start_again(struct storm *s)
{
	for (uint64_t n = 1; n <= s->net->count; n++) {
		struct net_node *node = &s->net->node[n];

		if (node->raft != NULL)
			continue;
		if (node->failure.code != ENOMEM)
			fail_msg("node %d stopped: %s", (int)n, node->failure.msg);
		s->starved++;
		s->net->fail_alloc = 0;
		net_start(s->net, n);
	}
}

static void heal(struct storm *s)
{
	struct raft_net *net = s->net;

	net->fail_alloc = 0;
	memset(net->cut, 0, sizeof(net->cut));
	for (uint64_t n = 1; n <= net->count; n++) {
		net->node[n].disk_waits = net->node[n].keeps_chunks = false;
		net_sync_all(net, n);
		net_store(net, n);
	}
	net_run(net, 3000 * NET_MS);
}

/* A leader, and each of its members has applied what it has. */
static void expect_progress(struct storm *s)
{
	struct raft_net *net = s->net;
	uint64_t leader = net_leader(net);
	struct raft_view v;

	assert_int_not_equal(leader, 0);
	assert_int_equal(net_propose(net, leader, "at last"), RAFT_OK);
	net_run(net, 1000 * NET_MS);
	assert_int_equal(net_leader(net), leader);
	v = net_view(net, leader);
	assert_int_equal(v.commit, v.last.index);
	assert_false(v.conf->joint);
	for (uint32_t i = 0; i < v.conf->count; i++)
		if (net->node[v.conf->member[i].id].applied != v.commit)
			fail_msg("node %d has applied %d of %d", (int)v.conf->member[i].id,
			         (int)net->node[v.conf->member[i].id].applied, (int)v.commit);
}

static void count(const struct raft_net *net, struct reached *sum)
{
	for (uint64_t n = 1; n <= net->count; n++) {
		sum->resets += net->node[n].resets;
		sum->truncates += net->node[n].truncates;
		sum->reads += net->node[n].reads_granted;
	}
	sum->terms += (unsigned)net_view(net, net_leader(net)).term;
	sum->applied += (unsigned)net->commit;
	sum->confs += (unsigned)net_view(net, net_leader(net)).conf_index > 1;
}

static void one_storm(uint64_t seed, unsigned steps, struct reached *sum)
{
	struct storm s = {.rand = seed};
	struct raft_config cfg = {
	    .trailing = 1 + below(&s, 20),
	    .chunk_bytes = (uint32_t)(50 + below(&s, 500)),
	    .inflight = (uint32_t)(1 + below(&s, 8)),
	    .message_entries = (uint32_t)(1 + below(&s, 8)),
	    .uncommitted_bytes = below(&s, 2) == 0 ? 2000 : 0,
	    .lease_reads = below(&s, 2) == 0,
	    .reads = 10,
	};

	s.crashes = below(&s, 8);
	s.cuts = below(&s, 8);
	s.hunger = below(&s, 2) * below(&s, 20);
	s.loss = below(&s, 8);
	s.net = net_new(1 + (unsigned)below(&s, 5), &cfg);
	s.net->seed = seed;
	net_join(s.net);
	net_join(s.net);
	for (uint64_t n = 1; n <= s.net->count; n++) {
		s.net->node[n].disk_waits = below(&s, 3) == 0;
		s.net->node[n].keeps_chunks = below(&s, 2) == 0;
	}
	for (unsigned i = 0; i < steps; i++) {
		one_step(&s);
		start_again(&s);
	}
	heal(&s);
	expect_progress(&s);
	count(s.net, sum);
	sum->starved += s.starved;
	net_free(s.net);
}

static void a_storm_breaks_nothing_and_after_it_the_cluster_gets_on(void **state)
{
	uint64_t seed = seeded();
	unsigned rounds = seeded_rounds(200);
	struct reached sum = {0};

	(void)state;
	for (unsigned i = 0; i < rounds; i++, seed++) {
		print_message("# SEED=%llu\n", (unsigned long long)seed);
		one_storm(seed, 5000, &sum);
	}
	printf("# %u terms, %u entries, %u logs replaced, %u cut, %u reads, %u with changes, "
	       "%u out of memory\n",
	       sum.terms, sum.applied, sum.resets, sum.truncates, sum.reads, sum.confs,
	       sum.starved);
	assert_true(sum.terms > 3 * rounds && sum.applied > 20 * rounds && sum.resets > 0 &&
	            sum.truncates > 0 && sum.reads > rounds && sum.confs > 0 && sum.starved > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_storm_breaks_nothing_and_after_it_the_cluster_gets_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
