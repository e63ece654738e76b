/* raft: a read sees all that was acknowledged before it was asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "raft_net.h"

static void a_leader_answers_after_a_round(void **state)
{
	struct raft_net *net = net_led(3, NULL);

	(void)state;
	net_propose(net, 1, "a");
	net_settle(net);
	assert_int_equal(net_ask(net, 1, 7), RAFT_OK);
	assert_int_equal(net->node[1].reads, 0);
	net_settle(net);
	assert_int_equal(net->node[1].reads_granted, 1);
	assert_int_equal(net->node[1].read.context, 7);
	assert_int_equal(net->node[1].read.index, 3);
	net_free(net);
}

static void alone_it_answers_at_once(void **state)
{
	struct raft_net *net = net_led(1, NULL);

	(void)state;
	assert_int_equal(net_ask(net, 1, 7), RAFT_OK);
	assert_int_equal(net->node[1].reads_granted, 1);
	net_free(net);
}

static void reads_that_wait_share_the_next_round(void **state)
{
	struct raft_net *net = net_led(3, NULL);
	unsigned before = net->sent[RAFT_APPEND];

	(void)state;
	for (uint64_t i = 0; i < 100; i++)
		assert_int_equal(net_ask(net, 1, i), RAFT_OK);
	net_settle(net);
	assert_int_equal(net->node[1].reads_granted, 100);
	assert_int_equal(net->sent[RAFT_APPEND] - before, 4); /* two rounds to two peers */
	net_free(net);
}

/* Trap 11: an echo of a round from before the read confirms nothing. */
static void an_old_echo_confirms_nothing(void **state)
{
	struct raft_net *net = net_led(3, NULL);
	struct raft_message m = net_message(net, RAFT_APPEND_REPLY, 2, 1, 2);

	(void)state;
	net->mute[RAFT_APPEND] = true;
	net_ask(net, 1, 1);
	m.granted = true;
	m.prev = (struct raft_point){2, 2};
	m.context = net->newest[RAFT_APPEND].context - 1;
	net_receive(net, &m);
	assert_int_equal(net->node[1].reads, 0);
	m.context++;
	net_receive(net, &m);
	assert_int_equal(net->node[1].reads_granted, 1);
	/* One from the future is a lie. */
	m.context = 1000;
	net_receive(net, &m);
	assert_int_equal(net->node[1].drop, RAFT_DROP_INVALID);
	net_free(net);
}

/* Trap 11: before an entry of its own term is committed, a leader does not know what is. */
static void a_read_waits_for_an_entry_of_the_own_term(void **state)
{
	struct raft_net *net = net_new(3, NULL);

	(void)state;
	net->node[1].disk_waits = false;
	net->mute[RAFT_APPEND] = true;
	assert_true(net_elect(net, 1));
	assert_int_equal(net_ask(net, 1, 1), RAFT_OK);
	net->mute[RAFT_APPEND] = false;
	net_settle(net);
	assert_int_equal(net->node[1].reads, 0);
	net_run(net, 120 * NET_MS);
	assert_int_equal(net->node[1].reads_granted, 1);
	assert_int_equal(net->node[1].read.index, 2);
	net_free(net);
}

static void who_is_deposed_grants_nothing(void **state)
{
	struct raft_net *net = net_led(3, NULL);

	(void)state;
	net_isolate(net, 1, true);
	assert_int_equal(net_ask(net, 1, 1), RAFT_OK);
	net_run(net, 1500 * NET_MS);
	assert_int_not_equal(net_leader(net), 1);
	assert_int_equal(net->node[1].reads, 1);
	assert_false(net->node[1].read.granted);
	assert_int_equal(net_ask(net, 1, 1), RAFT_NOT_LEADER);
	net_free(net);
}

static void a_follower_asks_its_leader(void **state)
{
	struct raft_net *net = net_led(3, NULL);

	(void)state;
	net_propose(net, 1, "a");
	net_settle(net);
	for (uint64_t i = 0; i < 10; i++)
		assert_int_equal(net_ask(net, 2, i), RAFT_OK);
	net_settle(net);
	assert_int_equal(net->node[2].reads_granted, 10);
	assert_int_equal(net->node[2].read.index, 3);
	assert_int_equal(net->sent[RAFT_READ], 2); /* the first, then all others */
	net_free(net);
}

static void a_question_that_was_lost_is_asked_again_and_given_up(void **state)
{
	struct raft_net *net = net_led(3, NULL);

	(void)state;
	net->mute[RAFT_READ] = true;
	net_ask(net, 2, 1);
	net_run(net, 20 * NET_MS);
	net->mute[RAFT_READ] = false;
	net_run(net, 60 * NET_MS);
	assert_int_equal(net->node[2].reads_granted, 1);
	net->mute[RAFT_READ_REPLY] = true;
	net_ask(net, 2, 2);
	net_run(net, 400 * NET_MS);
	assert_int_equal(net->node[2].reads, 2);
	assert_false(net->node[2].read.granted);
	net_free(net);
}

static void an_answer_to_no_question_is_dropped(void **state)
{
	struct raft_net *net = net_led(3, NULL);
	struct raft_message m = net_message(net, RAFT_READ_REPLY, 1, 2, 2);

	(void)state;
	m.granted = true;
	m.context = 1;
	net_receive(net, &m);
	assert_int_equal(net->node[2].drop, RAFT_DROP_STALE);
	net->mute[RAFT_READ] = true;
	net_ask(net, 2, 1);
	net_receive(net, &m);
	assert_int_equal(net->node[2].drop, RAFT_DROP_STALE);
	m.context = net->newest[RAFT_READ].context;
	m.from = 3; /* who is not the leader */
	net_receive(net, &m);
	assert_int_equal(net->node[2].drop, RAFT_DROP_STALE);
	assert_int_equal(net->node[2].reads, 0);
	net_free(net);
}

static void who_does_not_lead_refuses_a_followers_question(void **state)
{
	struct raft_net *net = net_led(3, NULL);
	struct raft_message m = net_message(net, RAFT_READ, 3, 2, 2);

	(void)state;
	m.context = 5;
	net_receive(net, &m);
	assert_false(net->newest[RAFT_READ_REPLY].granted);
	assert_int_equal(net->newest[RAFT_READ_REPLY].context, 5);
	/* Nor does a leader answer strangers. */
	m.to = 1;
	m.from = 6;
	net_receive(net, &m);
	assert_false(net->newest[RAFT_READ_REPLY].granted);
	net_free(net);
}

static void reads_that_wait_are_bounded(void **state)
{
	const struct raft_config cfg = {.reads = 3};
	struct raft_net *net = net_led(3, &cfg);
	struct raft_message m = net_message(net, RAFT_READ, 3, 1, 2);

	(void)state;
	for (uint64_t i = 0; i < 3; i++)
		assert_int_equal(net_ask(net, 1, i), RAFT_OK);
	assert_int_equal(net_ask(net, 1, 4), RAFT_BUSY);
	net_receive(net, &m);
	assert_false(net->newest[RAFT_READ_REPLY].granted);
	net_settle(net);
	assert_int_equal(net->node[1].reads_granted, 3);
	net_free(net);
}

/* ---- Leases */

static struct raft_net *leased(void)
{
	const struct raft_config cfg = {.lease_reads = true};
	struct raft_net *net = net_led(3, &cfg);

	net_run(net, 60 * NET_MS);
	return net;
}

static void under_a_lease_no_round_is_needed(void **state)
{
	struct raft_net *net = leased();
	unsigned before = net->sent[RAFT_APPEND];
	struct raft_message m = net_message(net, RAFT_READ, 3, 1, 2);

	(void)state;
	assert_int_equal(net_ask(net, 1, 1), RAFT_OK);
	assert_int_equal(net->node[1].reads_granted, 1);
	net_receive(net, &m);
	assert_true(net->newest[RAFT_READ_REPLY].granted);
	assert_int_equal(net->sent[RAFT_APPEND], before);
	net_free(net);
}

/* Trap 12: from when the round was sent, whenever the echo comes, less the drift. */
static void a_lease_is_counted_from_when_the_round_was_sent(void **state)
{
	struct raft_net *net = leased();
	uint64_t sent;
	uint64_t lease = 297 * NET_MS; /* 300 ms, one percent of drift */

	(void)state;
	net->now = raft_deadline(net->node[1].raft);
	sent = net->now;
	net_tick(net, 1);
	net->now += 40 * NET_MS; /* the network is slow */
	net_settle(net);
	assert_int_equal(net_view(net, 1).lease_until, sent + lease);
	net->now = sent + lease - 1;
	net_ask(net, 1, 1);
	assert_int_equal(net->node[1].reads_granted, 1);
	net->now = sent + lease;
	net_ask(net, 1, 2);
	assert_int_equal(net->node[1].reads_granted, 1);
	net_free(net);
}

/* Trap 12: the word to begin may reach the peer at any time. */
static void a_transfer_ends_the_lease_for_the_term(void **state)
{
	struct raft_net *net = leased();

	(void)state;
	net->mute[RAFT_TIMEOUT_NOW] = true;
	assert_int_equal(net_transfer(net, 1, 2), RAFT_OK);
	assert_int_equal(net_view(net, 1).lease_until, 0);
	net_run(net, 1000 * NET_MS);
	assert_int_equal(net_leader(net), 1);
	assert_int_equal(net_view(net, 1).transfer_to, 0);
	assert_int_equal(net_view(net, 1).lease_until, 0);
	net_ask(net, 1, 1);
	assert_int_equal(net->node[1].reads, 0);
	net_settle(net);
	assert_int_equal(net->node[1].reads_granted, 1);
	net_free(net);
}

/* While the lease of a cut-off leader lasts, nobody else is elected. */
static void nobody_is_elected_under_a_lease(void **state)
{
	struct raft_net *net = leased();
	uint64_t until = net_view(net, 1).lease_until;

	(void)state;
	net_isolate(net, 1, true);
	net_run(net, until - net->now - 1);
	assert_int_equal(net_view(net, 2).term, 2);
	assert_int_equal(net_view(net, 3).term, 2);
	net_ask(net, 1, 1);
	assert_int_equal(net->node[1].reads_granted, 1);
	net_free(net);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_leader_answers_after_a_round),
	    cmocka_unit_test(alone_it_answers_at_once),
	    cmocka_unit_test(reads_that_wait_share_the_next_round),
	    cmocka_unit_test(an_old_echo_confirms_nothing),
	    cmocka_unit_test(a_read_waits_for_an_entry_of_the_own_term),
	    cmocka_unit_test(who_is_deposed_grants_nothing),
	    cmocka_unit_test(a_follower_asks_its_leader),
	    cmocka_unit_test(a_question_that_was_lost_is_asked_again_and_given_up),
	    cmocka_unit_test(an_answer_to_no_question_is_dropped),
	    cmocka_unit_test(who_does_not_lead_refuses_a_followers_question),
	    cmocka_unit_test(reads_that_wait_are_bounded),
	    cmocka_unit_test(under_a_lease_no_round_is_needed),
	    cmocka_unit_test(a_lease_is_counted_from_when_the_round_was_sent),
	    cmocka_unit_test(a_transfer_ends_the_lease_for_the_term),
	    cmocka_unit_test(nobody_is_elected_under_a_lease),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
