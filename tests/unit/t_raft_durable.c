/* raft: nothing vouches for what is not on disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "raft_net.h"

/* Trap 2: raft_net aborts when a granted vote leaves too early. */
static void a_vote_leaves_when_it_is_on_disk(void **state)
{
	struct raft_net *net = net_new(3, NULL);
	struct raft_message m = net_message(net, RAFT_VOTE, 2, 1, 2);

	(void)state;
	net->now += 1000 * NET_MS;
	net->node[1].disk_waits = true;
	m.prev = (struct raft_point){1, 1};
	m.context = 5;
	net_receive(net, &m);
	assert_int_equal(net->sent[RAFT_VOTE_REPLY], 0);
	assert_int_equal(net_view(net, 1).vote, 2);
	assert_int_equal(net_view(net, 1).durable_vote, 0);
	net_sync_all(net, 1);
	assert_int_equal(net->sent[RAFT_VOTE_REPLY], 1);
	/* Asked again: it is on disk already. */
	net_receive(net, &m);
	assert_int_equal(net->sent[RAFT_VOTE_REPLY], 2);
	net_free(net);
}

static void a_vote_that_was_not_durable_is_not_given_in_a_later_term(void **state)
{
	struct raft_net *net = net_new(3, NULL);
	struct raft_message m = net_message(net, RAFT_VOTE, 2, 1, 2);

	(void)state;
	net->now += 1000 * NET_MS;
	net->node[1].disk_waits = true;
	m.prev = (struct raft_point){1, 1};
	net_receive(net, &m);
	net_append(net, (struct net_leader){3, 3}, (struct raft_point){1, 1}, NULL, 0);
	net_sync_all(net, 1);
	assert_int_equal(net->sent[RAFT_VOTE_REPLY], 0);
	net_free(net);
}

static void a_candidate_counts_its_own_vote_when_it_is_on_disk(void **state)
{
	struct raft_net *net = net_new(1, NULL);

	(void)state;
	net->node[1].disk_waits = true;
	assert_true(raft_deadline(net->node[1].raft) <= net->now); /* at once */
	net_tick(net, 1);
	assert_int_equal(net_view(net, 1).role, RAFT_CANDIDATE);
	net_sync_all(net, 1);
	assert_int_equal(net_view(net, 1).role, RAFT_LEADER);
	assert_int_equal(net_view(net, 1).commit, 0);
	net_sync_all(net, 1);
	assert_int_equal(net_view(net, 1).commit, 2);
	assert_int_equal(net_propose(net, 1, "a"), RAFT_OK);
	assert_int_equal(net_view(net, 1).commit, 2);
	net_sync_all(net, 1);
	assert_int_equal(net_view(net, 1).commit, 3);
	net_free(net);
}

/* Trap 3, the leader's side: its entries leave at once, and it counts itself later. */
static void a_leader_sends_before_it_has_written_and_counts_itself_after(void **state)
{
	struct raft_net *net = net_led(3, NULL);

	(void)state;
	net->node[1].disk_waits = net->node[3].disk_waits = true;
	assert_int_equal(net_propose(net, 1, "a"), RAFT_OK);
	net_settle(net);
	assert_int_equal(net_view(net, 2).durable, 3);
	assert_int_equal(net_view(net, 1).commit, 2);
	net_sync_all(net, 1);
	assert_int_equal(net_view(net, 1).commit, 3);
	/* And two others are a quorum without it. */
	assert_int_equal(net_propose(net, 1, "b"), RAFT_OK);
	net_settle(net);
	net_sync_all(net, 3);
	net_settle(net);
	assert_int_equal(net_view(net, 1).commit, 4);
	assert_int_equal(net_view(net, 1).durable, 3);
	net_free(net);
}

static void a_follower_acknowledges_as_its_writes_become_durable(void **state)
{
	struct raft_net *net = net_led(3, NULL);
	struct raft_view v;

	(void)state;
	net->node[2].disk_waits = true;
	net_propose(net, 1, "a");
	net_propose(net, 1, "b");
	net_settle(net);
	v = net_view(net, 1);
	assert_int_equal(net_peer(&v, 2)->match, 2);
	net_sync(net, 2, 1);
	net_settle(net);
	v = net_view(net, 1);
	assert_int_equal(net_peer(&v, 2)->match, 3);
	net_run(net, 60 * NET_MS); /* a heartbeat is answered with what is durable */
	v = net_view(net, 1);
	assert_int_equal(net_peer(&v, 2)->match, 3);
	net_sync_all(net, 2);
	net_settle(net);
	v = net_view(net, 1);
	assert_int_equal(net_peer(&v, 2)->match, 4);
	net_free(net);
}

/* The ABA race: a report for an overwritten entry must not vouch for the one in its place. */
static void a_late_report_does_not_vouch_for_what_replaced_the_entry(void **state)
{
	struct raft_net *net = net_new(3, NULL);
	struct raft_entry old[3] = {net_entry(2, 2), net_entry(3, 2), net_entry(4, 2)};
	struct raft_entry new[3] = {net_entry(2, 3), net_entry(3, 3), net_entry(4, 3)};

	(void)state;
	net->node[1].disk_waits = true;
	net_append(net, (struct net_leader){2, 2}, (struct raft_point){1, 1}, old, 3);
	net_append(net, (struct net_leader){3, 3}, (struct raft_point){1, 1}, new, 3);
	assert_int_equal(net_unsynced(net, 1), 2);
	net_sync(net, 1, 1);
	assert_int_equal(net_view(net, 1).durable, 1);
	assert_int_equal(net->sent[RAFT_APPEND_REPLY], 0);
	net_sync(net, 1, 1);
	assert_int_equal(net_view(net, 1).durable, 4);
	assert_int_equal(net->sent[RAFT_APPEND_REPLY], 1);
	net_free(net);
}

static void many_writes_under_way_are_told_apart_or_wait_for_each_other(void **state)
{
	struct raft_net *net = net_led(3, NULL);

	(void)state;
	net->node[2].disk_waits = true;
	for (int i = 0; i < 200; i++) {
		net_propose(net, 1, "a");
		net_settle(net);
	}
	assert_int_equal(net_unsynced(net, 2), 200);
	net_sync(net, 2, 100);
	assert_int_equal(net_view(net, 2).durable, 102);
	net_sync(net, 2, 50);
	assert_in_range(net_view(net, 2).durable, 129, 152);
	net_sync(net, 2, 50);
	assert_int_equal(net_view(net, 2).durable, 202);
	net_free(net);
}

static void what_was_committed_survives_the_loss_of_all_that_was_not_synced(void **state)
{
	struct raft_net *net = net_led(3, NULL);

	(void)state;
	for (int i = 0; i < 20; i++) {
		net_propose(net, 1, "a");
		net_settle(net);
	}
	for (uint64_t n = 1; n <= 3; n++)
		net_crash(net, n);
	for (uint64_t n = 1; n <= 3; n++)
		net_start(net, n);
	net_run(net, 2000 * NET_MS);
	assert_int_not_equal(net_leader(net), 0);
	assert_true(net_view(net, net_leader(net)).commit >= 23);
	net_free(net);
}

/* Trap 16. */
static void a_leader_whose_disk_hangs_hands_over(void **state)
{
	struct raft_net *net = net_led(3, NULL);

	(void)state;
	net->node[1].disk_waits = true;
	net_propose(net, 1, "a");
	net_run(net, 500 * NET_MS);
	assert_int_equal(net_leader(net), 1);
	net_run(net, 250 * NET_MS);
	assert_int_not_equal(net_leader(net), 1);
	assert_int_not_equal(net_leader(net), 0);
	assert_true(net->sent[RAFT_TIMEOUT_NOW] >= 1);
	assert_true(net_view(net, 1).stalled_ns > 600 * NET_MS);
	/* While it hangs, it does not campaign. */
	net_isolate(net, 1, true);
	net_run(net, 2000 * NET_MS);
	assert_int_equal(net_view(net, 1).role, RAFT_FOLLOWER);
	net_free(net);
}

static void a_node_whose_disk_hangs_promises_no_vote(void **state)
{
	struct raft_net *net = net_led(3, NULL);
	struct raft_message m = net_message(net, RAFT_PREVOTE, 3, 2, 3);

	(void)state;
	net->node[2].disk_waits = true;
	net_propose(net, 1, "a");
	net_settle(net);
	net->now += 1000 * NET_MS;
	m.prev = (struct raft_point){9, 2};
	net_receive(net, &m);
	assert_int_equal(net->node[2].drop, RAFT_DROP_STICKY);
	net_sync_all(net, 2);
	net_receive(net, &m);
	assert_int_equal(net->node[2].drop, RAFT_KEPT);
	net_free(net);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_vote_leaves_when_it_is_on_disk),
	    cmocka_unit_test(a_vote_that_was_not_durable_is_not_given_in_a_later_term),
	    cmocka_unit_test(a_candidate_counts_its_own_vote_when_it_is_on_disk),
	    cmocka_unit_test(a_leader_sends_before_it_has_written_and_counts_itself_after),
	    cmocka_unit_test(a_follower_acknowledges_as_its_writes_become_durable),
	    cmocka_unit_test(a_late_report_does_not_vouch_for_what_replaced_the_entry),
	    cmocka_unit_test(many_writes_under_way_are_told_apart_or_wait_for_each_other),
	    cmocka_unit_test(what_was_committed_survives_the_loss_of_all_that_was_not_synced),
	    cmocka_unit_test(a_leader_whose_disk_hangs_hands_over),
	    cmocka_unit_test(a_node_whose_disk_hangs_promises_no_vote),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
