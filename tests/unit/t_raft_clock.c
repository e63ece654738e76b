/* raft: the cluster's clock, by which the state machine decides what has expired. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "raft_net.h"

/* Time passes, and nobody notices. */
static void sleep_ms(struct raft_net *net, uint64_t ms)
{
	net->now += ms * NET_MS;
}

static uint64_t clock_of(const struct raft_net *net, uint64_t n)
{
	return raft_clock(net->node[n].raft, net->now);
}

static void it_runs_with_a_leader_and_stands_without(void **state)
{
	struct raft_net *net = net_new(3, NULL);
	uint64_t was;

	(void)state;
	assert_int_equal(clock_of(net, 1), 0);
	assert_true(net_elect(net, 1));
	was = clock_of(net, 1);
	sleep_ms(net, 40);
	assert_int_equal(clock_of(net, 1), was + 40 * NET_MS);
	net_free(net);
}

/*
 * A leader that slept has a clock that ran on beside its successor's.  When it leads again, what
 * the successor stamped must not be older than it is.
 */
static void a_leader_that_slept_does_not_make_it_jump(void **state)
{
	struct raft_net *net = net_new(3, NULL);
	uint64_t stamp, at;

	(void)state;
	assert_true(net_elect(net, 1));
	net_isolate(net, 1, true);
	sleep_ms(net, 5000);
	assert_true(net_elect(net, 2));
	assert_int_equal(net_propose(net, 2, "renew"), RAFT_OK);
	net_settle(net);
	stamp = clock_of(net, 2);
	at = net->now;
	net_isolate(net, 1, false);
	net_run(net, 500 * NET_MS);
	assert_int_equal(net_leader(net), 2);
	assert_int_equal(net_transfer(net, 2, 1), RAFT_OK);
	net_settle(net);
	assert_int_equal(net_leader(net), 1);
	assert_true(clock_of(net, 1) >= stamp);
	assert_true(clock_of(net, 1) - stamp <= net->now - at);
	net_free(net);
}

/* The same through a follower of the leader that is cut off. */
static void nor_does_a_follower_of_a_leader_that_was_cut_off(void **state)
{
	struct raft_net *net = net_new(5, NULL);
	uint64_t stamp, at;

	(void)state;
	assert_true(net_elect(net, 1));
	for (uint64_t n = 3; n <= 5; n++)
		net->cut[n][1] = net->cut[1][n] = net->cut[n][2] = net->cut[2][n] = true;
	sleep_ms(net, 280);
	net_tick(net, 1); /* a last heartbeat, to 2 alone */
	net_settle(net);
	assert_true(net_elect(net, 3));
	assert_int_equal(net_propose(net, 3, "renew"), RAFT_OK);
	net_settle(net);
	stamp = clock_of(net, 3);
	at = net->now;
	assert_true(clock_of(net, 2) > stamp);
	for (uint64_t n = 3; n <= 5; n++)
		net->cut[n][1] = net->cut[1][n] = net->cut[n][2] = net->cut[2][n] = false;
	net_run(net, 200 * NET_MS);
	assert_int_equal(net_leader(net), 3);
	assert_int_equal(net_transfer(net, 3, 2), RAFT_OK);
	net_settle(net);
	assert_int_equal(net_leader(net), 2);
	assert_true(clock_of(net, 2) >= stamp);
	assert_true(clock_of(net, 2) - stamp <= net->now - at);
	net_free(net);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_runs_with_a_leader_and_stands_without),
	    cmocka_unit_test(a_leader_that_slept_does_not_make_it_jump),
	    cmocka_unit_test(nor_does_a_follower_of_a_leader_that_was_cut_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
