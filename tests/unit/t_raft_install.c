/* raft: a snapshot that comes in, message by message; node 1 follows node 2 or 3. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "raft_net.h"

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
	for (unsigned i = 0; i < 5; i++) {
		net_propose(net, 1, "a");
		net_settle(net);
	}
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
	    cmocka_unit_test(a_log_that_does_not_have_the_point_is_dropped),
	    cmocka_unit_test(a_log_that_has_the_point_stays),
	    cmocka_unit_test(a_snapshot_that_is_installed_keeps_what_follows_its_point),
	    cmocka_unit_test(a_snapshot_from_before_the_commit_is_there_already),
	    cmocka_unit_test(nothing_is_appended_while_a_snapshot_is_loaded),
	    cmocka_unit_test(a_chunk_out_of_order_is_answered_with_what_is_there),
	    cmocka_unit_test(chunks_that_make_no_sense_are_dropped),
	    cmocka_unit_test(a_start_with_a_snapshot_beyond_the_log_begins_behind_it),
	    cmocka_unit_test(a_snapshot_of_what_is_not_committed_ends_the_node),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
