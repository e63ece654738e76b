/* raft: who leads, and who lets it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "raft_net.h"

static void the_first_to_time_out_leads(void **state)
{
	struct raft_net *net = net_new(3, NULL);

	(void)state;
	assert_true(net_elect(net, 2));
	assert_int_equal(net_view(net, 1).leader, 2);
	assert_int_equal(net_view(net, 3).leader, 2);
	assert_int_equal(net_view(net, 1).commit, 2);
	net_free(net);
}

static void nodes_left_alone_find_a_leader_and_keep_it(void **state)
{
	struct raft_net *net = net_new(5, NULL);
	uint64_t leader;
	uint64_t term;

	(void)state;
	net_run(net, 3000 * NET_MS);
	leader = net_leader(net);
	assert_int_not_equal(leader, 0);
	term = net_view(net, leader).term;
	net_run(net, 10000 * NET_MS);
	assert_int_equal(net_view(net, leader).term, term);
	assert_int_equal(net_leader(net), leader);
	net_free(net);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_first_to_time_out_leads),
	    cmocka_unit_test(nodes_left_alone_find_a_leader_and_keep_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
