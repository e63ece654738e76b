/* raft: who leads, and who lets it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "raft_net.h"

static const struct raft_point first = {1, 1};

static struct raft_message ask(const struct raft_net *net, enum raft_message_type type,
                               uint64_t from, uint64_t term)
{
	struct raft_message m = net_message(net, type, from, 1, term);

	m.prev = first;
	m.context = 9;
	return m;
}

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

static void one_alone_leads_at_once(void **state)
{
	struct raft_net *net = net_new(1, NULL);

	(void)state;
	net_run(net, 0);
	assert_int_equal(net_leader(net), 1);
	assert_int_equal(net_view(net, 1).commit, 2);
	assert_true(raft_deadline(net->node[1].raft) == UINT64_MAX);
	net_free(net);
}

static void a_node_without_members_waits_for_somebody(void **state)
{
	struct raft_net *net = net_new(1, NULL);
	uint64_t n = net_join(net);

	(void)state;
	assert_true(raft_deadline(net->node[n].raft) == UINT64_MAX);
	net->now += 10000 * NET_MS;
	net_tick(net, n);
	assert_int_equal(net_view(net, n).role, RAFT_FOLLOWER);
	assert_int_equal(net_view(net, n).term, 0);
	net_free(net);
}

/* Trap 20. */
static void timeouts_are_drawn_anew_each_time(void **state)
{
	struct raft_net *net = net_new(3, NULL);
	uint64_t seen[8];

	(void)state;
	net_isolate(net, 1, true);
	for (int i = 0; i < 8; i++) {
		uint64_t at = raft_deadline(net->node[1].raft);

		seen[i] = at - net->now;
		assert_in_range(seen[i], 300 * NET_MS, 600 * NET_MS);
		for (int j = 0; j < i; j++)
			assert_int_not_equal(seen[i], seen[j]);
		net->now = at;
		net_tick(net, 1);
	}
	net_free(net);
}

/* Pre-vote: a node that nobody hears keeps its term, and disturbs nobody when it is back. */
static void a_node_that_was_cut_off_does_not_raise_the_term(void **state)
{
	struct raft_net *net = net_led(3, NULL);

	(void)state;
	net_isolate(net, 3, true);
	net_run(net, 5000 * NET_MS);
	assert_int_equal(net_view(net, 3).role, RAFT_PRECANDIDATE);
	assert_int_equal(net_view(net, 3).term, 2);
	net_isolate(net, 3, false);
	net_run(net, 1000 * NET_MS);
	assert_int_equal(net_leader(net), 1);
	assert_int_equal(net_view(net, 1).term, 2);
	assert_int_equal(net_view(net, 3).leader, 1);
	net_free(net);
}

static void a_pre_vote_changes_neither_term_nor_vote(void **state)
{
	struct raft_net *net = net_new(3, NULL);
	struct raft_message m = ask(net, RAFT_PREVOTE, 2, 7);

	(void)state;
	net->now += 1000 * NET_MS;
	net_receive(net, &m);
	assert_int_equal(net->node[1].drop, RAFT_KEPT);
	assert_int_equal(net_view(net, 1).term, 1);
	assert_int_equal(net_view(net, 1).vote, 0);
	net_free(net);
}

/* Trap 2: a late answer to the pre-vote is no vote. */
static void an_answer_to_another_question_is_no_vote(void **state)
{
	struct raft_net *net = net_new(5, NULL);
	struct raft_message m;

	(void)state;
	net->mute[RAFT_VOTE] = true;
	net_elect(net, 1);
	assert_int_equal(net_view(net, 1).role, RAFT_CANDIDATE);
	for (uint64_t from = 2; from <= 5; from++) {
		m = ask(net, RAFT_VOTE_REPLY, from, 2);
		m.granted = true;
		net_receive(net, &m);
		assert_int_equal(net->node[1].drop, RAFT_DROP_STALE);
		m.type = RAFT_PREVOTE_REPLY;
		net_receive(net, &m);
		assert_int_equal(net->node[1].drop, RAFT_DROP_STALE);
	}
	assert_int_equal(net_view(net, 1).role, RAFT_CANDIDATE);
	net_free(net);
}

static void a_follower_that_hears_its_leader_is_sticky(void **state)
{
	struct raft_net *net = net_led(3, NULL);
	struct raft_message m = net_message(net, RAFT_VOTE, 3, 2, 9);

	(void)state;
	m.prev = (struct raft_point){9, 8};
	net_receive(net, &m);
	assert_int_equal(net->node[2].drop, RAFT_DROP_STICKY);
	assert_int_equal(net_view(net, 2).term, 2);
	m.type = RAFT_PREVOTE;
	net_receive(net, &m);
	assert_int_equal(net->node[2].drop, RAFT_DROP_STICKY);
	/* So is a leader that hears a quorum. */
	m.type = RAFT_VOTE;
	m.to = 1;
	net_receive(net, &m);
	assert_int_equal(net->node[1].drop, RAFT_DROP_STICKY);
	/* A transfer of leadership passes. */
	m.forced = true;
	m.to = 2;
	net_receive(net, &m);
	assert_int_equal(net_view(net, 2).vote, 3);
	net_free(net);
}

/* It may have acknowledged a lease just before. */
static void a_node_that_has_just_started_is_sticky(void **state)
{
	struct raft_net *net = net_new(3, NULL);
	struct raft_message m = ask(net, RAFT_VOTE, 2, 2);

	(void)state;
	net->now += 299 * NET_MS;
	net_receive(net, &m);
	assert_int_equal(net->node[1].drop, RAFT_DROP_STICKY);
	net->now += 1 * NET_MS;
	net_receive(net, &m);
	assert_int_equal(net_view(net, 1).vote, 2);
	net_free(net);
}

static void the_log_decides_who_may_be_voted_for(void **state)
{
	struct raft_net *net = net_new(3, NULL);
	const struct raft_entry own[2] = {net_entry(2, 2), net_entry(3, 2)};
	const struct {
		struct raft_point last;
		bool good;
	} cases[] = {
	    {{2, 2}, false}, {{9, 1}, false}, {{3, 2}, true}, {{4, 2}, true}, {{1, 3}, true},
	};

	(void)state;
	net_append(net, (struct net_leader){2, 2}, first, own, 2);
	for (unsigned i = 0; i < 5; i++) {
		struct raft_message m = ask(net, RAFT_VOTE, 3, 10 + i);

		net->now += 1000 * NET_MS;
		m.prev = cases[i].last;
		net_receive(net, &m);
		assert_int_equal(net_view(net, 1).term, 10 + i);
		assert_int_equal(net_view(net, 1).vote, cases[i].good ? 3 : 0);
	}
	net_free(net);
}

static void one_vote_a_term(void **state)
{
	struct raft_net *net = net_new(3, NULL);
	struct raft_message m = ask(net, RAFT_VOTE, 2, 5);

	(void)state;
	net->now += 1000 * NET_MS;
	net_receive(net, &m);
	assert_int_equal(net_view(net, 1).vote, 2);
	m.from = 3;
	net_receive(net, &m);
	assert_int_equal(net_view(net, 1).vote, 2);
	/* Not after a restart either. */
	net_crash(net, 1);
	net_start(net, 1);
	net->now += 1000 * NET_MS;
	net_receive(net, &m);
	assert_int_equal(net_view(net, 1).vote, 2);
	net_free(net);
}

/* A candidate that lost its log in a crash asks again in the same term. */
static void a_second_question_is_judged_by_its_own_log(void **state)
{
	struct raft_net *net = net_new(3, NULL);
	const struct raft_entry own = net_entry(2, 2);
	struct raft_message m = ask(net, RAFT_VOTE, 2, 5);
	unsigned before;

	(void)state;
	net_append(net, (struct net_leader){3, 2}, first, &own, 1);
	net->now += 1000 * NET_MS;
	m.prev = (struct raft_point){2, 2};
	net_receive(net, &m);
	assert_int_equal(net_view(net, 1).vote, 2);
	before = net->sent[RAFT_VOTE_REPLY];
	m.prev = first;
	net_receive(net, &m);
	assert_int_equal(net->sent[RAFT_VOTE_REPLY], before + 1);
	assert_false(net->newest[RAFT_VOTE_REPLY].granted);
	net_free(net);
}

static void a_leader_that_hears_no_quorum_steps_down(void **state)
{
	struct raft_net *net = net_led(5, NULL);

	(void)state;
	net_isolate(net, 1, true);
	net->now += 310 * NET_MS;
	net_tick(net, 1);
	assert_int_equal(net_view(net, 1).role, RAFT_FOLLOWER);
	assert_int_equal(net_view(net, 1).term, 2);
	assert_int_equal(net_view(net, 1).leader, 0);
	net_free(net);
}

/* Trap 10: it has a higher term than the leader, and its answer says so. */
static void a_node_of_a_higher_term_gets_back_into_the_cluster(void **state)
{
	struct raft_net *net = net_led(3, NULL);
	struct raft_message m = net_message(net, RAFT_VOTE_REPLY, 2, 3, 9);

	(void)state;
	net_isolate(net, 3, true);
	net_receive(net, &m);
	assert_int_equal(net_view(net, 3).term, 9);
	net_run(net, 3000 * NET_MS);
	assert_int_equal(net_leader(net), 1);
	net_isolate(net, 3, false);
	net_run(net, 3000 * NET_MS);
	assert_int_not_equal(net_leader(net), 0);
	assert_true(net_view(net, 1).term >= 10);
	assert_int_equal(net_view(net, 3).leader, net_leader(net));
	net_free(net);
}

/* The node with the highest term has the worst log; those with good logs learn its term. */
static void a_candidate_of_an_old_term_learns_the_new_one(void **state)
{
	struct raft_net *net = net_new(3, NULL);
	struct raft_message m = net_message(net, RAFT_VOTE_REPLY, 2, 1, 9);
	const struct raft_entry good = net_entry(2, 2);

	(void)state;
	for (uint64_t n = 2; n <= 3; n++) {
		struct raft_message a = net_message(net, RAFT_APPEND, 5 - n, n, 2);

		a.prev = first;
		a.entries = &good;
		a.count = 1;
		net_receive(net, &a);
	}
	net_receive(net, &m);
	net->cut[2][3] = net->cut[3][2] = true;
	net_run(net, 5000 * NET_MS);
	assert_int_not_equal(net_leader(net), 0);
	assert_int_not_equal(net_leader(net), 1);
	assert_true(net_view(net, 1).term >= 10);
	net_free(net);
}

static void old_questions_are_answered_with_the_new_term(void **state)
{
	const enum raft_message_type asks[] = {RAFT_PREVOTE, RAFT_VOTE, RAFT_APPEND, RAFT_READ};
	const enum raft_message_type answers[] = {RAFT_PREVOTE_REPLY, RAFT_VOTE_REPLY,
	                                          RAFT_APPEND_REPLY, RAFT_READ_REPLY};
	struct raft_net *net = net_led(3, NULL);

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct raft_message m = ask(net, asks[i], 3, 1);
		unsigned before = net->sent[answers[i]];

		net_receive(net, &m);
		assert_int_equal(net->sent[answers[i]], before + 1);
		net_settle(net);
		assert_int_equal(net_leader(net), 1);
	}
	net_free(net);
}

static void a_lost_ballot_is_given_up(void **state)
{
	struct raft_net *net = net_new(3, NULL);
	const struct raft_entry good = net_entry(2, 2);

	(void)state;
	for (uint64_t n = 2; n <= 3; n++) {
		struct raft_message a = net_message(net, RAFT_APPEND, 5 - n, n, 2);

		a.prev = first;
		a.entries = &good;
		a.count = 1;
		net_receive(net, &a);
	}
	net->now += 1000 * NET_MS;
	assert_false(net_elect(net, 1));
	assert_int_equal(net_view(net, 1).role, RAFT_FOLLOWER);
	assert_int_equal(net_view(net, 1).term, 2);
	net_free(net);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_first_to_time_out_leads),
	    cmocka_unit_test(nodes_left_alone_find_a_leader_and_keep_it),
	    cmocka_unit_test(one_alone_leads_at_once),
	    cmocka_unit_test(a_node_without_members_waits_for_somebody),
	    cmocka_unit_test(timeouts_are_drawn_anew_each_time),
	    cmocka_unit_test(a_node_that_was_cut_off_does_not_raise_the_term),
	    cmocka_unit_test(a_pre_vote_changes_neither_term_nor_vote),
	    cmocka_unit_test(an_answer_to_another_question_is_no_vote),
	    cmocka_unit_test(a_follower_that_hears_its_leader_is_sticky),
	    cmocka_unit_test(a_node_that_has_just_started_is_sticky),
	    cmocka_unit_test(the_log_decides_who_may_be_voted_for),
	    cmocka_unit_test(one_vote_a_term),
	    cmocka_unit_test(a_second_question_is_judged_by_its_own_log),
	    cmocka_unit_test(a_leader_that_hears_no_quorum_steps_down),
	    cmocka_unit_test(a_node_of_a_higher_term_gets_back_into_the_cluster),
	    cmocka_unit_test(a_candidate_of_an_old_term_learns_the_new_one),
	    cmocka_unit_test(old_questions_are_answered_with_the_new_term),
	    cmocka_unit_test(a_lost_ballot_is_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
