/* raft: leadership is handed over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "raft_net.h"

static void the_peer_leads_within_a_moment(void **state)
{
	struct raft_net *net = net_led(3, NULL);

	(void)state;
	assert_int_equal(net_transfer(net, 1, 3), RAFT_OK);
	net_settle(net);
	assert_int_equal(net_leader(net), 3);
	assert_int_equal(net_view(net, 3).term, 3);
	assert_int_equal(net_view(net, 1).leader, 3);
	assert_int_equal(net_view(net, 1).transfer_to, 0);
	assert_int_equal(net_propose(net, 3, "a"), RAFT_OK);
	net_free(net);
}

static void without_a_name_the_furthest_is_chosen(void **state)
{
	struct raft_net *net = net_led(3, NULL);

	(void)state;
	net->cut[1][2] = true;
	net_propose(net, 1, "a");
	net_settle(net);
	assert_int_equal(net_transfer(net, 1, 0), RAFT_OK);
	assert_int_equal(net_view(net, 1).transfer_to, 3);
	net_free(net);
}

static void it_waits_until_the_peer_has_the_whole_log(void **state)
{
	struct raft_net *net = net_led(3, NULL);

	(void)state;
	net->node[3].disk_waits = true;
	net_propose(net, 1, "a");
	net_settle(net);
	assert_int_equal(net_transfer(net, 1, 3), RAFT_OK);
	net_settle(net);
	assert_int_equal(net->sent[RAFT_TIMEOUT_NOW], 0);
	assert_int_equal(net_leader(net), 1);
	net_sync_all(net, 3);
	net->node[3].disk_waits = false;
	net_settle(net);
	assert_int_equal(net_leader(net), 3);
	net_free(net);
}

static void meanwhile_nothing_is_taken(void **state)
{
	struct raft_net *net = net_led(3, NULL);
	struct raft_change add = {.type = RAFT_ADD, .id = 4};

	(void)state;
	assert_int_equal(net_transfer(net, 1, 3), RAFT_OK);
	assert_int_equal(net_propose(net, 1, "a"), RAFT_MOVING);
	assert_int_equal(net_change(net, 1, add), RAFT_MOVING);
	assert_int_equal(net_transfer(net, 1, 2), RAFT_MOVING);
	assert_int_equal(net_ask(net, 1, 1), RAFT_OK);
	net_free(net);
}

static void it_is_given_up_after_an_election_timeout(void **state)
{
	struct raft_net *net = net_led(3, NULL);

	(void)state;
	net_isolate(net, 3, true);
	assert_int_equal(net_transfer(net, 1, 3), RAFT_OK);
	net_run(net, 299 * NET_MS);
	assert_int_equal(net_propose(net, 1, "a"), RAFT_MOVING);
	net_run(net, 2 * NET_MS);
	assert_int_equal(net_propose(net, 1, "a"), RAFT_OK);
	assert_true(net->sent[RAFT_TIMEOUT_NOW] > 1); /* it was told again */
	net_free(net);
}

static void nonsense_is_refused(void **state)
{
	struct raft_net *net = net_led(3, NULL);
	struct raft_net *one = net_led(1, NULL);

	(void)state;
	assert_int_equal(net_transfer(net, 2, 3), RAFT_NOT_LEADER);
	assert_int_equal(net_transfer(net, 1, 1), RAFT_INVALID);
	assert_string_equal(net->node[1].why, "it leads already");
	assert_int_equal(net_transfer(net, 1, 9), RAFT_INVALID);
	assert_string_equal(net->node[1].why, "it is no voter");
	assert_int_equal(net_transfer(one, 1, 0), RAFT_BUSY);
	net_free(net);
	net_free(one);
}

static void only_the_leader_can_send_somebody_to_campaign(void **state)
{
	struct raft_net *net = net_led(3, NULL);
	struct raft_message m = net_message(net, RAFT_TIMEOUT_NOW, 3, 2, 2);

	(void)state;
	net_receive(net, &m);
	assert_int_equal(net->node[2].drop, RAFT_DROP_INVALID);
	m.term = 1;
	net_receive(net, &m);
	assert_int_equal(net->node[2].drop, RAFT_DROP_STALE);
	m.to = 1;
	m.term = 2;
	net_receive(net, &m);
	assert_int_equal(net->node[1].drop, RAFT_DROP_INVALID);
	net_settle(net);
	assert_int_equal(net_leader(net), 1);
	net_free(net);
}

static void a_peer_that_is_removed_is_not_waited_for(void **state)
{
	struct raft_net *net = net_led(3, NULL);
	struct raft_change remove = {.type = RAFT_REMOVE, .id = 3};

	(void)state;
	assert_int_equal(net_change(net, 1, remove), RAFT_OK);
	assert_int_equal(net_transfer(net, 1, 3), RAFT_INVALID);
	net_settle(net);
	assert_int_equal(net_propose(net, 1, "a"), RAFT_OK);
	net_free(net);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_peer_leads_within_a_moment),
	    cmocka_unit_test(without_a_name_the_furthest_is_chosen),
	    cmocka_unit_test(it_waits_until_the_peer_has_the_whole_log),
	    cmocka_unit_test(meanwhile_nothing_is_taken),
	    cmocka_unit_test(it_is_given_up_after_an_election_timeout),
	    cmocka_unit_test(nonsense_is_refused),
	    cmocka_unit_test(only_the_leader_can_send_somebody_to_campaign),
	    cmocka_unit_test(a_peer_that_is_removed_is_not_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
