/* raft: entries reach a quorum, and are committed once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "raft_net.h"

static void what_is_proposed_is_committed_on_all(void **state)
{
	struct raft_net *net = net_led(3, NULL);

	(void)state;
	for (int i = 0; i < 10; i++)
		assert_int_equal(net_propose(net, 1, "hello"), RAFT_OK);
	net_settle(net);
	for (unsigned n = 1; n <= 3; n++)
		assert_int_equal(net_view(net, n).commit, 12);
	assert_int_equal(net_propose(net, 2, "no"), RAFT_NOT_LEADER);
	net_free(net);
}

static void appends_follow_each_other_without_waiting(void **state)
{
	const struct raft_config cfg = {.inflight = 4};
	struct raft_net *net = net_led(3, &cfg);
	struct raft_view v;

	(void)state;
	for (int i = 0; i < 10; i++)
		assert_int_equal(net_propose(net, 1, "hello"), RAFT_OK);
	v = net_view(net, 1);
	assert_int_equal(v.peers[0].state, RAFT_REPLICATE);
	assert_int_equal(v.peers[0].inflight, 4);
	assert_int_equal(v.peers[0].next, 7);
	net_settle(net);
	v = net_view(net, 1);
	assert_int_equal(v.commit, 12);
	assert_int_equal(v.peers[0].inflight, 0);
	assert_int_equal(v.peers[0].inflight_bytes, 0);
	net_free(net);
}

/* Trap 1, figure 8 of the paper. */
static void an_entry_of_an_old_term_is_not_committed_by_counting(void **state)
{
	struct raft_net *net = net_led(3, NULL);
	struct raft_message ack;

	(void)state;
	net->mute[RAFT_APPEND] = true;
	assert_int_equal(net_propose(net, 1, "old"), RAFT_OK); /* index 3, term 2 */
	net_crash(net, 1);
	net_start(net, 1);
	net_run(net, 300 * NET_MS);
	assert_true(net_elect(net, 1)); /* its log is the longest; the no-op is index 4, term 3 */
	ack = net_message(net, RAFT_APPEND_REPLY, 2, 1, 3);
	ack.granted = true;
	ack.prev = (struct raft_point){3, 2};
	net_receive(net, &ack);
	assert_int_equal(net_view(net, 1).commit, 0);
	assert_int_equal(raft_term_at(net->node[1].raft, 3), 2);
	ack.prev = (struct raft_point){4, 3};
	net_receive(net, &ack);
	assert_int_equal(net_view(net, 1).commit, 4);
	net_free(net);
}

/* Trap 4. */
static void a_late_short_append_cuts_nothing(void **state)
{
	struct raft_net *net = net_new(3, NULL);
	struct raft_entry e[3] = {net_entry(2, 2), net_entry(3, 2), net_entry(4, 2)};

	(void)state;
	net_append(net, (struct net_leader){2, 2}, (struct raft_point){1, 1}, e, 3);
	assert_int_equal(net_view(net, 1).last.index, 4);
	net_append(net, (struct net_leader){2, 2}, (struct raft_point){1, 1}, e, 1);
	assert_int_equal(net->node[1].drop, RAFT_KEPT);
	net_append(net, (struct net_leader){2, 2}, (struct raft_point){1, 1}, NULL, 0);
	assert_int_equal(net_view(net, 1).last.index, 4);
	/* Nor does a new leader that has the same entries. */
	net_append(net, (struct net_leader){3, 3}, (struct raft_point){1, 1}, e, 1);
	assert_int_equal(net->node[1].drop, RAFT_KEPT);
	assert_int_equal(net_view(net, 1).last.index, 4);
	assert_int_equal(net->node[1].truncates, 0);
	net_free(net);
}

static void a_conflict_cuts_from_where_the_terms_differ(void **state)
{
	struct raft_net *net = net_new(3, NULL);
	struct raft_entry old[3] = {net_entry(2, 2), net_entry(3, 2), net_entry(4, 2)};
	struct raft_entry new[2] = {net_entry(2, 2), net_entry(3, 3)};

	(void)state;
	net_append(net, (struct net_leader){2, 2}, (struct raft_point){1, 1}, old, 3);
	net_append(net, (struct net_leader){2, 3}, (struct raft_point){1, 1}, new, 2);
	assert_int_equal(net_view(net, 1).last.index, 3);
	assert_int_equal(net_view(net, 1).last.term, 3);
	assert_int_equal(raft_term_at(net->node[1].raft, 2), 2);
	assert_int_equal(net->node[1].truncates, 1);
	assert_int_equal(net->node[1].disk.count, 3);
	net_free(net);
}

/* Trap 5. */
static void nothing_is_committed_beyond_what_was_verified(void **state)
{
	struct raft_net *net = net_new(3, NULL);
	struct raft_entry old[3] = {net_entry(2, 2), net_entry(3, 2), net_entry(4, 2)};
	struct raft_message m;

	(void)state;
	net_append(net, (struct net_leader){2, 2}, (struct raft_point){1, 1}, old, 3);
	m = net_message(net, RAFT_APPEND, 2, 1, 3);
	m.prev = (struct raft_point){2, 2};
	m.commit = 4; /* of the new leader's log, where 3 and 4 may be others */
	net_receive(net, &m);
	assert_int_equal(net_view(net, 1).commit, 2);
	net_free(net);
}

/* Trap 6. */
static void an_append_from_before_the_commit_is_answered_with_the_commit(void **state)
{
	struct raft_net *net = net_led(3, NULL);
	struct raft_message m;
	unsigned sent;

	(void)state;
	net_propose(net, 1, "a");
	net_run(net, 60 * NET_MS);
	assert_int_equal(net_view(net, 2).commit, 3);
	sent = net->sent[RAFT_APPEND_REPLY];
	m = net_message(net, RAFT_APPEND, 1, 2, 2);
	m.context = 1;
	net_receive(net, &m);
	assert_int_equal(net->node[2].drop, RAFT_KEPT);
	assert_int_equal(net->sent[RAFT_APPEND_REPLY], sent + 1);
	assert_int_equal(net_view(net, 2).commit, 3);
	assert_int_equal(net_view(net, 2).last.index, 3);
	net_free(net);
}

static void a_leader_that_contradicts_what_is_committed_ends_the_node(void **state)
{
	struct raft_net *net = net_led(3, NULL);
	struct raft_entry e = net_entry(2, 3);
	struct raft_message m = net_message(net, RAFT_APPEND, 2, 3, 3);

	(void)state;
	net_run(net, 60 * NET_MS);
	assert_int_equal(net_view(net, 3).commit, 2);
	m.prev = (struct raft_point){1, 1};
	m.entries = &e;
	m.count = 1;
	net_receive(net, &m);
	assert_true(net->node[3].stopped);
	assert_int_equal(net->node[3].failure.code, EBADMSG);
	net_free(net);
}

/* Trap 7: terms are skipped in one step, in both directions. */
static void the_way_back_over_a_conflict_skips_terms(void **state)
{
	struct raft_net *net = net_new(3, NULL);
	struct raft_entry mine[20];
	unsigned before;

	(void)state;
	/* Node 1 has ten entries of term 2 and ten of term 3 that nobody else has. */
	for (int i = 0; i < 20; i++)
		mine[i] = net_entry(2 + i, i < 10 ? 2 : 3);
	net_append(net, (struct net_leader){2, 3}, (struct raft_point){1, 1}, mine, 20);
	net_isolate(net, 1, true);
	for (uint64_t n = 2; n <= 3; n++) {
		struct raft_message m = net_message(net, RAFT_APPEND_REPLY, 1, n, 5);

		net_receive(net, &m);
	}
	net_run(net, 1000 * NET_MS);
	assert_int_not_equal(net_leader(net), 0);
	for (int i = 0; i < 30; i++)
		net_propose(net, net_leader(net), "x");
	net_settle(net);
	net_crash(net, 1);
	net_isolate(net, 1, false);
	net_start(net, 1);
	before = net->sent[RAFT_APPEND_REPLY];
	net_run(net, 300 * NET_MS);
	assert_int_equal(net_view(net, 1).last.index, net_view(net, 2).last.index);
	assert_true(net->sent[RAFT_APPEND_REPLY] - before < 40);
	net_free(net);
}

static void what_was_lost_is_sent_again(void **state)
{
	struct raft_net *net = net_led(3, NULL);

	(void)state;
	net->mute[RAFT_APPEND] = true;
	net_propose(net, 1, "a");
	net_propose(net, 1, "b");
	net->mute[RAFT_APPEND] = false;
	net_run(net, 100 * NET_MS);
	assert_int_equal(net_view(net, 3).commit, 4);
	/* Answers too. */
	net->mute[RAFT_APPEND_REPLY] = true;
	net_propose(net, 1, "c");
	net_settle(net);
	net->mute[RAFT_APPEND_REPLY] = false;
	net_run(net, 100 * NET_MS);
	assert_int_equal(net_view(net, 1).commit, 5);
	net_free(net);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_proposed_is_committed_on_all),
	    cmocka_unit_test(appends_follow_each_other_without_waiting),
	    cmocka_unit_test(an_entry_of_an_old_term_is_not_committed_by_counting),
	    cmocka_unit_test(a_late_short_append_cuts_nothing),
	    cmocka_unit_test(a_conflict_cuts_from_where_the_terms_differ),
	    cmocka_unit_test(nothing_is_committed_beyond_what_was_verified),
	    cmocka_unit_test(an_append_from_before_the_commit_is_answered_with_the_commit),
	    cmocka_unit_test(a_leader_that_contradicts_what_is_committed_ends_the_node),
	    cmocka_unit_test(the_way_back_over_a_conflict_skips_terms),
	    cmocka_unit_test(what_was_lost_is_sent_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
