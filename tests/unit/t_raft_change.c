/* raft: members come, go, and change what they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "raft_net.h"

static const struct raft_member *member(const struct raft_net *net, uint64_t n, uint64_t id)
{
	struct raft_view v = net_view(net, n);

	return conf_find(v.conf, id);
}

static struct raft_change change(enum raft_change_type type, uint64_t id)
{
	return (struct raft_change){.type = type, .id = id};
}

static void a_learner_gets_the_log_and_does_not_count(void **state)
{
	struct raft_net *net = net_led(1, NULL);
	uint64_t n = net_join(net);

	(void)state;
	assert_int_equal(net_change(net, 1, change(RAFT_ADD, n)), RAFT_OK);
	net_settle(net);
	assert_int_equal(net->node[n].applied, 3);
	assert_false(member(net, n, n)->voter);
	net_isolate(net, n, true);
	assert_int_equal(net_propose(net, 1, "a"), RAFT_OK);
	assert_int_equal(net_view(net, 1).commit, 4);
	net_run(net, 2000 * NET_MS);
	assert_int_equal(net_view(net, n).role, RAFT_FOLLOWER);
	assert_int_equal(net_view(net, n).leader, 0);
	net_free(net);
}

static void a_change_of_voters_goes_through_a_joint_configuration(void **state)
{
	struct raft_net *net = net_led(3, NULL);
	uint64_t n = net_join(net);

	(void)state;
	assert_int_equal(net_change(net, 1, change(RAFT_ADD, n)), RAFT_OK);
	net_run(net, 60 * NET_MS);
	net->mute[RAFT_APPEND_REPLY] = true;
	assert_int_equal(net_change(net, 1, change(RAFT_PROMOTE, n)), RAFT_OK);
	assert_int_equal(net->node[1].first.index, 4);
	assert_true(net_view(net, 1).conf->joint);
	assert_int_equal(net_view(net, 1).conf_index, 4);
	net_settle(net);
	assert_true(net_view(net, n).conf->joint); /* as soon as it is appended */
	net->mute[RAFT_APPEND_REPLY] = false;
	net_run(net, 60 * NET_MS);
	assert_false(net_view(net, 1).conf->joint); /* the leader has ended it */
	assert_int_equal(net_view(net, 1).conf_index, 5);
	assert_true(member(net, n, n)->voter);
	net_free(net);
}

/* Traps 8 and 9. */
static void no_change_before_an_own_entry_is_committed_nor_while_one_is_under_way(void **state)
{
	struct raft_net *net = net_new(3, NULL);

	(void)state;
	net->mute[RAFT_APPEND_REPLY] = true;
	assert_true(net_elect(net, 1));
	assert_int_equal(net_change(net, 1, change(RAFT_ADD, 4)), RAFT_NOT_YET);
	net->mute[RAFT_APPEND_REPLY] = false;
	net_run(net, 60 * NET_MS);
	net->mute[RAFT_APPEND_REPLY] = true;
	assert_int_equal(net_change(net, 1, change(RAFT_ADD, 4)), RAFT_OK);
	assert_int_equal(net_change(net, 1, change(RAFT_ADD, 5)), RAFT_NOT_YET);
	assert_int_equal(net_change(net, 2, change(RAFT_ADD, 5)), RAFT_NOT_LEADER);
	net_free(net);
}

/* Also where all configurations are committed: what else is in the log may still be cut. */
static void a_new_leader_changes_nothing_before_its_own_entry_is_committed(void **state)
{
	struct raft_net *net = net_led(3, NULL);

	(void)state;
	net->mute[RAFT_APPEND_REPLY] = true;
	assert_int_equal(net_transfer(net, 1, 2), RAFT_OK);
	net_settle(net);
	assert_int_equal(net_view(net, 2).role, RAFT_LEADER);
	assert_true(net_view(net, 2).conf_index <= net_view(net, 2).commit);
	assert_int_equal(net_change(net, 2, change(RAFT_ADD, 4)), RAFT_NOT_YET);
	net->mute[RAFT_APPEND_REPLY] = false;
	net_run(net, 60 * NET_MS);
	assert_int_equal(net_change(net, 2, change(RAFT_ADD, 4)), RAFT_OK);
	net_free(net);
}

static void what_makes_no_sense_is_refused_with_the_reason(void **state)
{
	struct raft_net *net = net_led(3, NULL);

	(void)state;
	assert_int_equal(net_change(net, 1, change(RAFT_ADD, 2)), RAFT_INVALID);
	assert_non_null(strstr(net->node[1].why, "2 is a member already"));
	assert_int_equal(net_change(net, 1, change(RAFT_REMOVE, 9)), RAFT_INVALID);
	assert_int_equal(net_view(net, 1).last.index, 2);
	net_free(net);
}

/* Trap 17. */
static void a_learner_that_is_behind_is_not_promoted(void **state)
{
	struct raft_net *net = net_led(1, NULL);
	uint64_t n = net_join(net);
	struct raft_view v;

	(void)state;
	net_isolate(net, n, true);
	net_change(net, 1, change(RAFT_ADD, n));
	net_settle(net);
	assert_int_equal(net_change(net, 1, change(RAFT_PROMOTE, n)), RAFT_BEHIND);
	net_isolate(net, n, false);
	net_run(net, 100 * NET_MS);
	v = net_view(net, 1);
	assert_true(v.peers[0].caught_up);
	/* What it showed once is worth nothing when it is silent. */
	net_isolate(net, n, true);
	net_run(net, 400 * NET_MS);
	assert_int_equal(net_change(net, 1, change(RAFT_PROMOTE, n)), RAFT_BEHIND);
	net_isolate(net, n, false);
	net_run(net, 100 * NET_MS);
	assert_int_equal(net_change(net, 1, change(RAFT_PROMOTE, n)), RAFT_OK);
	net_settle(net);
	assert_true(member(net, n, n)->voter);
	net_free(net);
}

/* Thesis, 4.2.1: a round of replication within an election timeout. */
static void a_round_that_takes_too_long_is_not_caught_up(void **state)
{
	struct raft_net *net = net_led(1, NULL);
	uint64_t n = net_join(net);
	struct raft_view v;

	(void)state;
	net->node[n].disk_waits = true;
	net_change(net, 1, change(RAFT_ADD, n));
	net_run(net, 310 * NET_MS);
	net_sync_all(net, n);
	net_settle(net);
	v = net_view(net, 1);
	assert_int_equal(v.peers[0].match, 3);
	assert_false(v.peers[0].caught_up);
	/* The next one is short. */
	net_propose(net, 1, "a");
	net_settle(net);
	net_sync_all(net, n);
	net_settle(net);
	v = net_view(net, 1);
	assert_true(v.peers[0].caught_up);
	net_free(net);
}

static void a_learner_to_be_promoted_is_promoted_once_it_has_caught_up(void **state)
{
	struct raft_net *net = net_led(1, NULL);
	uint64_t n = net_join(net);
	struct raft_change add = change(RAFT_ADD, n);

	(void)state;
	add.promote = true;
	assert_int_equal(net_change(net, 1, add), RAFT_OK);
	net_run(net, 100 * NET_MS);
	assert_true(member(net, 1, n)->voter);
	assert_false(net_view(net, 1).conf->joint);
	net_free(net);
}

/* Trap 9: rolled back with the log. */
static void a_configuration_that_is_cut_from_the_log_counts_no_more(void **state)
{
	struct raft_net *net = net_led(3, NULL);

	(void)state;
	net_isolate(net, 1, true);
	assert_int_equal(net_change(net, 1, change(RAFT_ADD, 4)), RAFT_OK);
	assert_non_null(member(net, 1, 4));
	net_run(net, 1500 * NET_MS);
	net_isolate(net, 1, false);
	net_run(net, 1000 * NET_MS);
	assert_null(member(net, 1, 4));
	assert_int_equal(net_view(net, 1).conf_index, 1);
	assert_true(net->node[1].truncates > 0);
	net_free(net);
}

/* Trap 9: after a restart the last one counts, also when it is not known to be committed. */
static void a_configuration_survives_a_restart_uncommitted(void **state)
{
	struct raft_net *net = net_led(3, NULL);

	(void)state;
	net_isolate(net, 1, true);
	assert_int_equal(net_change(net, 1, change(RAFT_ADD, 4)), RAFT_OK);
	net_crash(net, 1);
	net_start(net, 1);
	assert_non_null(member(net, 1, 4));
	assert_int_equal(net_view(net, 1).commit, 0);
	net_free(net);
}

static void whoever_leads_then_ends_a_joint_configuration(void **state)
{
	struct raft_net *net = net_led(3, NULL);

	(void)state;
	/* The joint entry reaches all; then its leader dies before it knows. */
	net->mute[RAFT_APPEND_REPLY] = true;
	assert_int_equal(net_change(net, 1, change(RAFT_DEMOTE, 3)), RAFT_OK);
	net_settle(net);
	net->mute[RAFT_APPEND_REPLY] = false;
	net_crash(net, 1);
	assert_true(net_view(net, 2).conf->joint);
	net_run(net, 2000 * NET_MS);
	/* Of the new voters, 1 and 2, one is down: nothing is committed. */
	assert_int_equal(net_leader(net), 0);
	net_start(net, 1);
	net_run(net, 2000 * NET_MS);
	assert_int_not_equal(net_leader(net), 0);
	assert_false(net_view(net, 2).conf->joint);
	assert_false(member(net, 2, 3)->voter);
	net_free(net);
}

static void a_removed_leader_steps_down_when_that_is_committed(void **state)
{
	struct raft_net *net = net_led(3, NULL);
	uint64_t leader;

	(void)state;
	net_propose(net, 1, "a");
	net_settle(net);
	assert_int_equal(net_change(net, 1, change(RAFT_REMOVE, 1)), RAFT_OK);
	net_settle(net); /* the other begins at once */
	leader = net_leader(net);
	assert_int_not_equal(leader, 0);
	assert_int_not_equal(leader, 1);
	assert_int_equal(net_propose(net, leader, "b"), RAFT_OK);
	net_settle(net);
	assert_int_equal(net_view(net, leader).commit, net_view(net, leader).last.index);
	/* And it does not campaign. */
	net_run(net, 5000 * NET_MS);
	assert_int_equal(net_leader(net), leader);
	assert_int_equal(net_view(net, 1).role, RAFT_FOLLOWER);
	net_free(net);
}

/* hashicorp/raft 524: who is not told that it is out asks for votes for ever. */
static void a_removed_node_learns_it_and_is_quiet(void **state)
{
	struct raft_net *net = net_led(3, NULL);
	unsigned before;

	(void)state;
	assert_int_equal(net_change(net, 1, change(RAFT_REMOVE, 3)), RAFT_OK);
	net_run(net, 1000 * NET_MS);
	assert_null(member(net, 3, 3));
	assert_int_equal(net_view(net, 3).conf_index, net_view(net, 1).conf_index);
	assert_true(net_view(net, 3).commit >= net_view(net, 3).conf_index);
	before = net->sent[RAFT_PREVOTE];
	net_run(net, 5000 * NET_MS);
	assert_int_equal(net->sent[RAFT_PREVOTE], before);
	/* It votes when it is asked. */
	struct raft_message m = net_message(net, RAFT_VOTE, 2, 3, 9);
	m.prev = (struct raft_point){99, 8};
	net_receive(net, &m);
	assert_int_equal(net_view(net, 3).vote, 2);
	net_free(net);
}

/* Thesis, 4.2.2: the only one that has the new configuration is not in it, and must lead once more.
 */
static void who_is_outside_campaigns_while_it_may_be_needed(void **state)
{
	struct raft_net *net = net_led(2, NULL);
	struct raft_change changes[] = {change(RAFT_REMOVE, 1), change(RAFT_PROMOTE, 3)};
	uint64_t n = net_join(net);

	(void)state;
	assert_int_equal(n, 3);
	net_change(net, 1, change(RAFT_ADD, n));
	net_run(net, 200 * NET_MS);
	/* From voters 1, 2 to 2, 3; the entry that leaves the joint one stays on node 1. */
	net_step(net, 1, (struct raft_event){.type = RAFT_CHANGE, .changes = changes, .count = 2});
	assert_int_equal(net->node[1].status, RAFT_OK);
	while (net_view(net, 1).conf->joint)
		net_deliver(net, 0, false);
	assert_null(member(net, 1, 1));
	net_crash(net, 1);
	while (net->packets > 0)
		net_drop_packet(net, 0);
	assert_true(net_view(net, 2).conf->joint);
	net_start(net, 1);
	net_run(net, 3000 * NET_MS);
	assert_int_not_equal(net_leader(net), 0);
	assert_int_not_equal(net_leader(net), 1);
	assert_false(net_view(net, 2).conf->joint);
	assert_null(member(net, 2, 1));
	net_free(net);
}

static void info_changes_without_a_joint_configuration(void **state)
{
	struct raft_net *net = net_led(3, NULL);
	struct raft_change set = change(RAFT_SET_INFO, 2);

	(void)state;
	set.info = (struct span){"there:1", 7};
	assert_int_equal(net_change(net, 1, set), RAFT_OK);
	assert_false(net_view(net, 1).conf->joint);
	net_settle(net);
	assert_int_equal(member(net, 3, 2)->info_len, 7);
	net_free(net);
}

static void a_voter_that_left_does_not_count_any_more(void **state)
{
	struct raft_net *net = net_led(3, NULL);

	(void)state;
	net_change(net, 1, change(RAFT_REMOVE, 3));
	net_settle(net);
	net_change(net, 1, change(RAFT_REMOVE, 2));
	net_settle(net);
	net_isolate(net, 1, true);
	assert_int_equal(net_propose(net, 1, "a"), RAFT_OK);
	assert_int_equal(net_view(net, 1).commit, net_view(net, 1).last.index);
	net_run(net, 2000 * NET_MS);
	assert_int_equal(net_leader(net), 1);
	net_free(net);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_learner_gets_the_log_and_does_not_count),
	    cmocka_unit_test(a_change_of_voters_goes_through_a_joint_configuration),
	    cmocka_unit_test(no_change_before_an_own_entry_is_committed_nor_while_one_is_under_way),
	    cmocka_unit_test(a_new_leader_changes_nothing_before_its_own_entry_is_committed),
	    cmocka_unit_test(what_makes_no_sense_is_refused_with_the_reason),
	    cmocka_unit_test(a_learner_that_is_behind_is_not_promoted),
	    cmocka_unit_test(a_round_that_takes_too_long_is_not_caught_up),
	    cmocka_unit_test(a_learner_to_be_promoted_is_promoted_once_it_has_caught_up),
	    cmocka_unit_test(a_configuration_that_is_cut_from_the_log_counts_no_more),
	    cmocka_unit_test(a_configuration_survives_a_restart_uncommitted),
	    cmocka_unit_test(whoever_leads_then_ends_a_joint_configuration),
	    cmocka_unit_test(a_removed_leader_steps_down_when_that_is_committed),
	    cmocka_unit_test(a_removed_node_learns_it_and_is_quiet),
	    cmocka_unit_test(who_is_outside_campaigns_while_it_may_be_needed),
	    cmocka_unit_test(info_changes_without_a_joint_configuration),
	    cmocka_unit_test(a_voter_that_left_does_not_count_any_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
