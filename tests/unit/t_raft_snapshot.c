/* raft: what stands in for the beginning of the log, and how it gets to a peer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "raft_net.h"

static const struct raft_config small = {.trailing = 2, .trailing_max = 4, .chunk_bytes = 100};

static void propose(struct raft_net *net, unsigned times)
{
	for (unsigned i = 0; i < times; i++) {
		net_propose(net, 1, "a");
		net_settle(net);
	}
}

/* Node 3 is cut off, and what it needs has left the log of node 1; the snapshot is at 22. */
static struct raft_net *behind(uint64_t size)
{
	struct raft_net *net = net_led(3, &small);

	net_isolate(net, 3, true);
	propose(net, 20);
	net->now += 290 * NET_MS; /* longer, and node 3 would be alive */
	net_run(net, 200 * NET_MS);
	net_snapshot(net, 1, size);
	return net;
}

static void after_a_snapshot_some_entries_stay(void **state)
{
	struct raft_net *net = net_led(3, &small);

	(void)state;
	propose(net, 20);
	net_snapshot(net, 1, 1000);
	assert_int_equal(net->node[1].compacted, 20);
	assert_int_equal(net_view(net, 1).base.index, 20);
	assert_int_equal(net_view(net, 1).snapshot.index, 22);
	assert_null(raft_entry(net->node[1].raft, 20));
	assert_non_null(raft_entry(net->node[1].raft, 21));
	assert_int_equal(raft_term_at(net->node[1].raft, 20), 2);
	assert_int_equal(raft_term_at(net->node[1].raft, 19), 0);
	propose(net, 1);
	assert_int_equal(net_view(net, 3).commit, 23);
	net_free(net);
}

static void for_a_slow_peer_more_entries_stay_within_bounds(void **state)
{
	struct raft_net *net = net_led(3, &small);

	(void)state;
	propose(net, 20);
	net->node[3].disk_waits = true;
	propose(net, 1); /* node 3 has 22 */
	propose(net, 2);
	net_snapshot(net, 1, 1000);
	assert_int_equal(net_view(net, 1).base.index, 22);
	propose(net, 4);
	net_snapshot(net, 1, 1000);
	assert_int_equal(net_view(net, 1).base.index, 25); /* 29 less trailing_max */
	net_free(net);
}

static void a_peer_too_far_behind_gets_the_snapshot(void **state)
{
	struct raft_net *net = behind(1050);
	struct raft_view v = net_view(net, 1);

	(void)state;
	assert_true(v.base.index > 3);
	net_isolate(net, 3, false);
	net_run(net, 500 * NET_MS);
	assert_int_equal(net->node[3].resets, 1);
	assert_int_equal(net->node[3].applied, 22);
	assert_int_equal(net_view(net, 3).snapshot.index, 22);
	assert_int_equal(net->node[3].disk.base.index, 22);
	v = net_view(net, 1);
	assert_int_equal(net_peer(&v, 3)->state, RAFT_REPLICATE);
	assert_int_equal(net_peer(&v, 3)->match, 22);
	propose(net, 1);
	assert_int_equal(net->node[3].applied, 23);
	/* It goes on after a restart. */
	net_crash(net, 3);
	net_start(net, 3);
	assert_int_equal(net_view(net, 3).commit, 22);
	net_run(net, 500 * NET_MS);
	assert_int_equal(net->node[3].applied, 23);
	net_free(net);
}

static void an_empty_snapshot_is_one_too(void **state)
{
	struct raft_net *net = behind(0);

	(void)state;
	net_isolate(net, 3, false);
	net_run(net, 500 * NET_MS);
	assert_int_equal(net->node[3].applied, 22);
	net_free(net);
}

static void a_new_member_begins_with_the_snapshot(void **state)
{
	struct raft_net *net = net_led(1, &small);
	struct raft_change add = {.type = RAFT_ADD, .promote = true};

	(void)state;
	propose(net, 20);
	net_snapshot(net, 1, 5000);
	add.id = net_join(net);
	assert_int_equal(net_change(net, 1, add), RAFT_OK);
	net_run(net, 300 * NET_MS);
	assert_int_equal(net->node[2].applied, net_view(net, 1).commit);
	assert_true(conf_find(net_view(net, 2).conf, 2)->voter);
	net_free(net);
}

static void heartbeats_go_on_during_a_transfer(void **state)
{
	struct raft_net *net = behind(5000);

	(void)state;
	net->node[3].keeps_chunks = true; /* a slow disk */
	net_isolate(net, 3, false);
	net_run(net, 250 * NET_MS);
	assert_int_equal(net_view(net, 3).leader, 1);
	assert_true(raft_uses_snapshot(net->node[1].raft, net_view(net, 1).snapshot));
	assert_false(raft_uses_snapshot(net->node[1].raft, (struct raft_point){3, 2}));
	for (int i = 0; i < 20 && net->node[3].resets == 0; i++) {
		net_store(net, 3);
		net_run(net, 50 * NET_MS);
	}
	assert_int_equal(net->node[3].applied, 22);
	assert_int_equal(net_view(net, 3).term, 2);
	assert_false(raft_uses_snapshot(net->node[1].raft, net_view(net, 1).snapshot));
	net_free(net);
}

/* 5000 bytes in chunks of 100, and a window of 16: what was stored is not sent again. */
static void a_transfer_goes_on_after_a_cut(void **state)
{
	struct raft_net *net = behind(5000);
	unsigned before;

	(void)state;
	net->node[3].keeps_chunks = true;
	net_isolate(net, 3, false);
	net_run(net, 100 * NET_MS);
	net_store(net, 3); /* the first chunk */
	net_settle(net);
	net_store(net, 3); /* sixteen more */
	assert_int_equal(net->node[3].stored, 1700);
	net_isolate(net, 3, true);
	net_run(net, 250 * NET_MS);
	net_isolate(net, 3, false);
	net->node[3].keeps_chunks = false;
	before = net->sent[RAFT_SNAPSHOT];
	net_run(net, 1000 * NET_MS);
	assert_int_equal(net->node[3].applied, net_view(net, 1).commit);
	assert_true(net->sent[RAFT_SNAPSHOT] - before <= 33 + 17);
	net_free(net);
}

static void a_transfer_goes_on_after_a_restart_of_the_receiver(void **state)
{
	struct raft_net *net = behind(5000);
	unsigned before;

	(void)state;
	net->node[3].keeps_chunks = true;
	net_isolate(net, 3, false);
	net_run(net, 100 * NET_MS);
	net_store(net, 3);
	net_settle(net);
	net_store(net, 3);
	net_settle(net);
	assert_int_equal(net->node[3].stored, 1700);
	net_crash(net, 3); /* what came since is lost */
	net_start(net, 3);
	assert_int_equal(net->node[3].received, 1700);
	net->node[3].keeps_chunks = false;
	before = net->sent[RAFT_SNAPSHOT];
	net_run(net, 1000 * NET_MS);
	assert_int_equal(net->node[3].applied, 22);
	assert_true(net->sent[RAFT_SNAPSHOT] - before <= 33 + 17);
	net_free(net);
}

/* What is left of a transfer may be found only when its first chunk comes again. */
static void a_part_that_is_found_with_the_first_chunk_counts(void **state)
{
	struct raft_net *net = behind(5000);
	struct net_node *node = &net->node[3];
	unsigned before;

	(void)state;
	node->keeps_chunks = true;
	net_isolate(net, 3, false);
	net_run(net, 100 * NET_MS);
	assert_int_equal(node->received, 100);
	node->received = node->stored = 1700;
	net_step(net, 3,
	         (struct raft_event){
		     .type = RAFT_CHUNK_STORED, .snapshot = &node->incoming, .offset = 5001});
	assert_int_equal(net->sent[RAFT_SNAPSHOT_REPLY], 0); /* more than there is */
	net_step(net, 3,
	         (struct raft_event){
		     .type = RAFT_CHUNK_STORED, .snapshot = &node->incoming, .offset = 1700});
	node->keeps_chunks = false;
	before = net->sent[RAFT_SNAPSHOT];
	net_run(net, 1000 * NET_MS);
	assert_int_equal(node->applied, 22);
	assert_int_equal(net->sent[RAFT_SNAPSHOT] - before, 33);
	net_free(net);
}

static void a_transfer_goes_on_under_another_leader_with_the_same_snapshot(void **state)
{
	struct raft_net *net = behind(5000);
	unsigned before;

	(void)state;
	net_snapshot(net, 2, 5000); /* the same point and state */
	assert_int_equal(net->node[1].snapshot.sum, net->node[2].snapshot.sum);
	net->node[3].keeps_chunks = true;
	net_isolate(net, 3, false);
	net_run(net, 100 * NET_MS);
	net_store(net, 3);
	net_settle(net);
	net_store(net, 3);
	assert_int_equal(net->node[3].stored, 1700);
	net_isolate(net, 1, true);
	net->node[3].keeps_chunks = false;
	before = net->sent[RAFT_SNAPSHOT];
	net_run(net, 2000 * NET_MS);
	assert_int_equal(net_leader(net), 2);
	assert_true(net->node[3].applied >= 22);
	assert_true(net->sent[RAFT_SNAPSHOT] - before <= 33 + 17);
	net_free(net);
}

static void another_snapshot_begins_anew(void **state)
{
	struct raft_net *net = behind(5000);

	(void)state;
	net->node[3].keeps_chunks = true;
	net_isolate(net, 3, false);
	net_run(net, 100 * NET_MS);
	net_store(net, 3);
	net_settle(net);
	net_store(net, 3);
	assert_int_equal(net->node[3].stored, 1700);
	/* The leader loses it and takes another. */
	propose(net, 1);
	net_step(
	    net, 1,
	    (struct raft_event){.type = RAFT_SNAPSHOT_LOST, .snapshot = &net->node[1].snapshot});
	net->node[3].keeps_chunks = false;
	net_run(net, 200 * NET_MS);
	assert_int_not_equal(net->node[3].applied, 22); /* there is nothing to send */
	net_snapshot(net, 1, 300);
	net_run(net, 700 * NET_MS);
	assert_int_equal(net->node[3].applied, 23);
	net_free(net);
}

/* The only other node that could make a majority needs the snapshot: none is newer. */
static void a_lost_snapshot_is_replaced_by_one_of_the_same_index(void **state)
{
	struct raft_net *net = behind(500);

	(void)state;
	net_isolate(net, 3, false);
	net_isolate(net, 2, true);
	net_step(
	    net, 1,
	    (struct raft_event){.type = RAFT_SNAPSHOT_LOST, .snapshot = &net->node[1].snapshot});
	propose(net, 1);
	net_run(net, 500 * NET_MS);
	assert_int_equal(net_view(net, 1).commit, 22);
	assert_int_not_equal(net->node[3].applied, 22);
	net_snapshot(net, 1, 300);
	net_run(net, 1000 * NET_MS);
	assert_int_equal(net->node[3].applied, 23);
	net_free(net);
}

static void a_snapshot_that_came_in_broken_is_fetched_again(void **state)
{
	struct raft_net *net = behind(500);
	struct raft_snapshot broken;

	(void)state;
	net->node[3].keeps_chunks = true;
	net_isolate(net, 3, false);
	net_run(net, 100 * NET_MS);
	for (int i = 0; i < 2 && !net->node[3].complete; i++) {
		net_store(net, 3);
		net_settle(net);
	}
	assert_true(net->node[3].complete);
	broken = net->node[3].incoming;
	net->node[3].complete = false;
	net->node[3].keeps_chunks = false;
	net_step(net, 3, (struct raft_event){.type = RAFT_SNAPSHOT_LOST, .snapshot = &broken});
	net_run(net, 1000 * NET_MS);
	assert_int_equal(net->node[3].applied, 22);
	net_free(net);
}

static void an_answer_to_no_chunk_is_dropped(void **state)
{
	struct raft_net *net = behind(5000);
	struct raft_message m = net_message(net, RAFT_SNAPSHOT_REPLY, 3, 1, 2);

	(void)state;
	m.prev = net_view(net, 1).snapshot;
	m.sum = net->node[1].snapshot.sum;
	m.granted = true;
	net_receive(net, &m);
	assert_int_equal(net->node[1].drop, RAFT_DROP_STALE);
	net->node[3].keeps_chunks = true;
	net_isolate(net, 3, false);
	net_run(net, 100 * NET_MS);
	m.granted = false;
	m.offset = 5001;
	net_receive(net, &m);
	assert_int_equal(net->node[1].drop, RAFT_DROP_INVALID);
	m.sum++;
	net_receive(net, &m);
	assert_int_equal(net->node[1].drop, RAFT_DROP_STALE);
	net_free(net);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(after_a_snapshot_some_entries_stay),
	    cmocka_unit_test(for_a_slow_peer_more_entries_stay_within_bounds),
	    cmocka_unit_test(a_peer_too_far_behind_gets_the_snapshot),
	    cmocka_unit_test(an_empty_snapshot_is_one_too),
	    cmocka_unit_test(a_new_member_begins_with_the_snapshot),
	    cmocka_unit_test(heartbeats_go_on_during_a_transfer),
	    cmocka_unit_test(a_transfer_goes_on_after_a_cut),
	    cmocka_unit_test(a_transfer_goes_on_after_a_restart_of_the_receiver),
	    cmocka_unit_test(a_part_that_is_found_with_the_first_chunk_counts),
	    cmocka_unit_test(a_lost_snapshot_is_replaced_by_one_of_the_same_index),
	    cmocka_unit_test(a_transfer_goes_on_under_another_leader_with_the_same_snapshot),
	    cmocka_unit_test(another_snapshot_begins_anew),
	    cmocka_unit_test(a_snapshot_that_came_in_broken_is_fetched_again),
	    cmocka_unit_test(an_answer_to_no_chunk_is_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
