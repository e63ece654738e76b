/* raft: what stands in for the beginning of the log, and how it gets to a peer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

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

/* ---- What comes in, message by message; node 1 follows node 2 in term 3. */

static struct raft_conf three(void)
{
	struct raft_conf c = {.count = 3};

	for (unsigned i = 0; i < 3; i++)
		c.member[i] = (struct raft_member){.id = i + 1, .voter = true, .was_voter = true};
	return c;
}

static struct raft_message chunk(struct raft_net *net, struct raft_point point,
                                 const struct raft_conf *conf)
{
	struct raft_message m = net_message(net, RAFT_SNAPSHOT, 2, 1, 3);

	m.prev = point;
	m.conf = conf;
	m.size = 10;
	m.sum = net->state[point.index] = 99;
	m.data = (struct span){"0123456789", 10};
	return m;
}

static struct raft_net *with_log(unsigned count, uint64_t term)
{
	struct raft_net *net = net_new(3, NULL);
	struct raft_entry e[8];

	for (unsigned i = 0; i < count; i++)
		e[i] = net_entry(2 + i, term);
	net_append(net, (struct net_leader){3, term}, (struct raft_point){1, 1}, e, count);
	return net;
}

/* Trap 14: another term at the point, and nothing of the log is any good. */
static void a_log_that_does_not_have_the_point_is_dropped(void **state)
{
	struct raft_net *net = with_log(8, 2);
	struct raft_conf conf = three();
	struct raft_message m = chunk(net, (struct raft_point){5, 3}, &conf);

	(void)state;
	net_receive(net, &m);
	assert_int_equal(net->node[1].resets, 1);
	assert_int_equal(net_view(net, 1).last.index, 5);
	assert_int_equal(net_view(net, 1).last.term, 3);
	assert_int_equal(net_view(net, 1).durable, 5);
	assert_true(net->newest[RAFT_SNAPSHOT_REPLY].granted);
	net_free(net);
}

/* Trap 14: the same term, and all that follows it stays; nothing has to be fetched at all. */
static void a_log_that_has_the_point_stays(void **state)
{
	struct raft_net *net = with_log(8, 2);
	struct raft_conf conf = three();
	struct raft_message m = chunk(net, (struct raft_point){5, 2}, &conf);

	(void)state;
	net->state[5] = 0;
	net_receive(net, &m);
	assert_int_equal(net->node[1].resets, 0);
	assert_int_equal(net_view(net, 1).last.index, 9);
	assert_int_equal(net_view(net, 1).commit, 5);
	assert_true(net->newest[RAFT_SNAPSHOT_REPLY].granted);
	net_free(net);
}

/* The entries come while the snapshot is being loaded; then the suffix stays as well. */
static void a_snapshot_that_is_installed_keeps_what_follows_its_point(void **state)
{
	struct raft_net *net = with_log(8, 2);
	struct raft_snapshot s = {.point = {5, 2}, .conf = three(), .sum = 99};

	(void)state;
	net->node[1].applied = net->node[1].commit = 5;
	net->node[1].snapshot = s;
	net->node[1].has_snapshot = true;
	net_step(net, 1, (struct raft_event){.type = RAFT_INSTALLED, .snapshot = &s});
	assert_int_equal(net->node[1].resets, 0);
	assert_int_equal(net_view(net, 1).last.index, 9);
	assert_int_equal(net_view(net, 1).snapshot.index, 5);
	/* And one from before the commit changes nothing. */
	s.point = (struct raft_point){3, 2};
	net_step(net, 1, (struct raft_event){.type = RAFT_INSTALLED, .snapshot = &s});
	assert_int_equal(net_view(net, 1).snapshot.index, 5);
	net_free(net);
}

static void a_snapshot_from_before_the_commit_is_there_already(void **state)
{
	struct raft_net *net = net_led(3, NULL);
	struct raft_conf conf = three();
	struct raft_message m;

	(void)state;
	propose(net, 5);
	net_run(net, 60 * NET_MS);
	m = chunk(net, (struct raft_point){3, 2}, &conf);
	m.from = 1;
	m.to = 2;
	m.term = 2;
	net_receive(net, &m);
	assert_true(net->newest[RAFT_SNAPSHOT_REPLY].granted);
	assert_int_equal(net_view(net, 2).last.index, 7);
	assert_int_equal(net->node[2].received, 0);
	net_free(net);
}

/* Trap 14: no appends and no commits while a snapshot is being loaded. */
static void nothing_is_appended_while_a_snapshot_is_loaded(void **state)
{
	struct raft_net *net = with_log(0, 3);
	struct raft_conf conf = three();
	struct raft_message m = chunk(net, (struct raft_point){5, 3}, &conf);
	struct raft_entry e = net_entry(2, 3);

	(void)state;
	m.from = 3;
	net->node[1].keeps_chunks = true;
	net_receive(net, &m);
	net_append(net, (struct net_leader){3, 3}, (struct raft_point){1, 1}, &e, 1);
	assert_int_equal(net_view(net, 1).last.index, 1);
	assert_int_equal(net->node[1].drop, RAFT_KEPT);
	/* It neither campaigns; a chunk that comes twice is answered. */
	net_receive(net, &m);
	net->now += 2000 * NET_MS;
	net_tick(net, 1);
	assert_int_equal(net_view(net, 1).role, RAFT_FOLLOWER);
	net_store(net, 1);
	assert_int_equal(net_view(net, 1).last.index, 5);
	net_free(net);
}

static void a_chunk_out_of_order_is_answered_with_what_is_there(void **state)
{
	struct raft_net *net = with_log(0, 3);
	struct raft_conf conf = three();
	struct raft_message m = chunk(net, (struct raft_point){5, 3}, &conf);

	(void)state;
	m.from = 3;
	m.data.len = 4;
	net_receive(net, &m);
	assert_int_equal(net->newest[RAFT_SNAPSHOT_REPLY].offset, 4);
	m.offset = 6;
	net_receive(net, &m);
	assert_int_equal(net->node[1].received, 4);
	assert_int_equal(net->newest[RAFT_SNAPSHOT_REPLY].offset, 4);
	m.offset = 4;
	net_receive(net, &m);
	m.offset = 8;
	m.data.len = 2;
	net_receive(net, &m);
	assert_int_equal(net->node[1].applied, 5);
	net_free(net);
}

static void chunks_that_make_no_sense_are_dropped(void **state)
{
	struct raft_net *net = with_log(0, 3);
	struct raft_conf conf = three();
	struct raft_message good = chunk(net, (struct raft_point){5, 3}, &conf);
	struct raft_message bad[6];

	(void)state;
	good.from = 3;
	for (int i = 0; i < 6; i++)
		bad[i] = good;
	bad[0].offset = 11;
	bad[1].offset = 3; /* and 10 bytes more */
	bad[2].conf = NULL;
	bad[3].prev = (struct raft_point){0, 0};
	bad[4].prev.term = 4;
	bad[5].size = UINT64_MAX;
	for (int i = 0; i < 6; i++) {
		net_step(net, 1, (struct raft_event){.type = RAFT_RECEIVE, .message = &bad[i]});
		assert_int_equal(net->node[1].drop, RAFT_DROP_INVALID);
	}
	good.from = 2; /* does not lead */
	net_receive(net, &good);
	assert_int_equal(net->node[1].drop, RAFT_DROP_INVALID);
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

/* A crash between the snapshot and the cut of the log: the log does not have the point. */
static void a_start_with_a_snapshot_beyond_the_log_begins_behind_it(void **state)
{
	struct raft_net *net = with_log(3, 2);
	struct net_node *node = &net->node[1];

	(void)state;
	net_crash(net, 1);
	node->snapshot = (struct raft_snapshot){.point = {9, 3}, .conf = three(), .sum = 5};
	node->has_snapshot = true;
	net_start(net, 1);
	assert_int_equal(net_view(net, 1).last.index, 9);
	assert_int_equal(net_view(net, 1).term, 3);
	net_tick(net, 1);
	assert_int_equal(node->resets, 1);
	assert_int_equal(node->disk.base.index, 9);
	assert_int_equal(node->disk.term, 3);
	net_free(net);
}

static void a_snapshot_of_what_is_not_committed_ends_the_node(void **state)
{
	struct raft_net *net = net_led(3, NULL);
	struct raft_snapshot s = {.point = {9, 2}, .conf = three()};

	(void)state;
	net_step(net, 1, (struct raft_event){.type = RAFT_SNAPSHOT_TAKEN, .snapshot = &s});
	assert_true(net->node[1].stopped);
	assert_int_equal(net->node[1].failure.code, EINVAL);
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
	    cmocka_unit_test(a_transfer_goes_on_under_another_leader_with_the_same_snapshot),
	    cmocka_unit_test(another_snapshot_begins_anew),
	    cmocka_unit_test(a_snapshot_that_came_in_broken_is_fetched_again),
	    cmocka_unit_test(a_log_that_does_not_have_the_point_is_dropped),
	    cmocka_unit_test(a_log_that_has_the_point_stays),
	    cmocka_unit_test(a_snapshot_that_is_installed_keeps_what_follows_its_point),
	    cmocka_unit_test(a_snapshot_from_before_the_commit_is_there_already),
	    cmocka_unit_test(nothing_is_appended_while_a_snapshot_is_loaded),
	    cmocka_unit_test(a_chunk_out_of_order_is_answered_with_what_is_there),
	    cmocka_unit_test(chunks_that_make_no_sense_are_dropped),
	    cmocka_unit_test(an_answer_to_no_chunk_is_dropped),
	    cmocka_unit_test(a_start_with_a_snapshot_beyond_the_log_begins_behind_it),
	    cmocka_unit_test(a_snapshot_of_what_is_not_committed_ends_the_node),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
