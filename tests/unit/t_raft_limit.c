/*
 * raft: terms and indexes at their limit, from peers and from disk.  Nothing wraps and nothing
 * spins; what is beyond the limit is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "raft/raft_impl.h"
#include "raft_net.h"

#define LAST (RAFT_NUMBER_MAX - 1)

/* Node 1 of three, alone in the world; its disk is fast. */
struct node {
	struct raft *raft;
	struct raft_config cfg;
	struct raft_output out;
	struct raft_view view;
	uint64_t now;
	unsigned sent[16]; /* by type, and the newest of each */
	struct raft_message newest[16];
	struct err e;
};

static void step(struct node *n, struct raft_event event)
{
	event.now = n->now;
	assert_int_equal(raft_step(n->raft, &event, &n->out, &n->e), 0);
	for (size_t i = 0; i < n->out.message_count; i++) {
		const struct raft_message *m = &n->out.messages[i];

		assert_true(raft_check(m));
		n->sent[m->type]++;
		n->newest[m->type] = *m;
	}
	raft_look(n->raft, &n->view);
	if (n->out.write != 0)
		step(n, (struct raft_event){.type = RAFT_DURABLE, .write = n->out.write});
}

static struct node begin(unsigned voters, uint64_t term)
{
	struct node n = {.cfg = {.cluster = 1, .self = 1, .seed = 7}};
	struct raft_conf conf = {.count = voters};
	struct raft_start start = {.term = term, .count = 1};
	struct raft_entry first;
	struct buf room = {0};

	for (unsigned i = 0; i < voters; i++)
		conf.member[i] =
		    (struct raft_member){.id = i + 1, .voter = true, .was_voter = true};
	first = raft_bootstrap(&conf, &room);
	start.entries = &first;
	n.raft = raft_new(&n.cfg, &start, &n.e);
	assert_non_null(n.raft);
	buf_done(&room);
	raft_look(n.raft, &n.view);
	return n;
}

static struct raft_message message(enum raft_message_type type, uint64_t term)
{
	return (struct raft_message){
	    .type = type, .cluster = 1, .from = 2, .to = 1, .term = term, .prev = {1, 1}};
}

static enum raft_drop receive(struct node *n, struct raft_message m)
{
	enum raft_drop drop;
	struct raft_event event = {.type = RAFT_RECEIVE, .now = n->now, .message = &m};

	assert_int_equal(raft_step(n->raft, &event, &n->out, &n->e), 0);
	drop = n->out.drop;
	raft_look(n->raft, &n->view);
	if (n->out.write != 0)
		step(n, (struct raft_event){.type = RAFT_DURABLE, .write = n->out.write});
	return drop;
}

/* Each deadline is later than the one before, or a tick would follow a tick without end. */
static void pass_time(struct node *n, unsigned ticks)
{
	for (unsigned i = 0; i < ticks; i++) {
		uint64_t at = raft_deadline(n->raft);

		assert_true(at >= n->now && at != UINT64_MAX);
		n->now = at;
		step(n, (struct raft_event){.type = RAFT_TICK});
		assert_true(raft_deadline(n->raft) > at);
	}
}

static void a_number_beyond_the_limit_is_refused_in_every_message(void **state)
{
	static const uint64_t beyond[] = {RAFT_NUMBER_MAX, RAFT_NUMBER_MAX + 1, UINT64_MAX};
	struct node n = begin(3, 5);

	(void)state;
	for (unsigned type = RAFT_PREVOTE; type <= RAFT_READ_REPLY; type++) {
		for (unsigned i = 0; i < 3; i++) {
			struct raft_message m = message((enum raft_message_type)type, beyond[i]);

			assert_int_equal(receive(&n, m), RAFT_DROP_INVALID);
			m = message((enum raft_message_type)type, 5);
			m.prev.index = beyond[i];
			assert_int_equal(receive(&n, m), RAFT_DROP_INVALID);
			m = message((enum raft_message_type)type, 5);
			m.prev.term = beyond[i];
			assert_int_equal(receive(&n, m), RAFT_DROP_INVALID);
		}
	}
	assert_int_equal(n.view.term, 5);
	assert_int_equal(n.view.last.index, 1);
	raft_free(n.raft);
}

/* Who is in the last term there is follows, votes and hears, and never asks for one more. */
static void in_the_last_term_nobody_campaigns_and_time_goes_on(void **state)
{
	struct node n = begin(3, 5);

	(void)state;
	n.now = 1000 * NET_MS;
	assert_int_equal(receive(&n, message(RAFT_VOTE, LAST)), RAFT_KEPT);
	assert_true(n.view.term == LAST && n.view.vote == 2);
	assert_int_equal(receive(&n, message(RAFT_APPEND, LAST)), RAFT_KEPT);
	assert_int_equal(n.view.leader, 2);
	assert_int_equal(receive(&n, message(RAFT_TIMEOUT_NOW, LAST)), RAFT_KEPT);
	memset(n.sent, 0, sizeof(n.sent));
	pass_time(&n, 1000);
	assert_int_equal(n.view.role, RAFT_FOLLOWER);
	assert_int_equal(n.view.leader, 0);
	assert_true(n.view.term == LAST);
	assert_int_equal(n.sent[RAFT_PREVOTE] + n.sent[RAFT_VOTE], 0);
	raft_free(n.raft);
	/* Alone it would not have to ask anybody. */
	n = begin(1, LAST);
	pass_time(&n, 1000);
	assert_int_equal(n.view.role, RAFT_FOLLOWER);
	assert_true(n.view.term == LAST);
	raft_free(n.raft);
}

static void the_last_term_but_one_can_still_be_left(void **state)
{
	struct node n = begin(3, LAST - 1);
	struct raft_message m;

	(void)state;
	pass_time(&n, 1);
	assert_int_equal(n.sent[RAFT_PREVOTE], 2);
	assert_true(n.newest[RAFT_PREVOTE].term == LAST);
	m = message(RAFT_PREVOTE_REPLY, LAST);
	m.granted = true;
	m.context = n.newest[RAFT_PREVOTE].context;
	assert_int_equal(receive(&n, m), RAFT_KEPT);
	assert_int_equal(n.view.role, RAFT_CANDIDATE);
	assert_true(n.view.term == LAST);
	raft_free(n.raft);
	n = begin(1, LAST - 1);
	pass_time(&n, 1);
	assert_int_equal(n.view.role, RAFT_LEADER);
	assert_true(n.view.term == LAST && n.view.commit == 2);
	raft_free(n.raft);
}

/* The log may come to lie at the limit by a snapshot, and grows up to it. */
static void entries_end_at_the_limit(void **state)
{
	struct node n = begin(3, 5);
	struct raft_snapshot s = {.point = {LAST - 2, 5}, .size = 0, .sum = 1};
	struct raft_message m = message(RAFT_SNAPSHOT, 5);
	struct raft_entry e[3];

	(void)state;
	s.conf = *n.view.conf;
	m.prev = s.point;
	m.sum = s.sum;
	m.conf = &s.conf;
	assert_int_equal(receive(&n, m), RAFT_KEPT);
	step(&n, (struct raft_event){.type = RAFT_INSTALLED, .snapshot = &s});
	assert_true(n.view.commit == LAST - 2 && n.view.last.index == LAST - 2);
	for (unsigned i = 0; i < 3; i++)
		e[i] = net_entry(LAST - 1 + i, 5);
	m = message(RAFT_APPEND, 5);
	m.prev = s.point;
	m.entries = e;
	m.commit = UINT64_MAX;
	m.count = 3;
	assert_int_equal(receive(&n, m), RAFT_DROP_INVALID);
	assert_true(n.view.last.index == LAST - 2);
	m.count = 2;
	assert_int_equal(receive(&n, m), RAFT_KEPT);
	assert_true(n.view.last.index == LAST && n.view.commit == LAST);
	raft_free(n.raft);
}

static void expect_refused(struct raft_start start)
{
	const struct raft_config cfg = {.cluster = 1, .self = 1};
	struct err e;

	assert_null(raft_new(&cfg, &start, &e));
	assert_int_equal(e.code, EBADMSG);
	assert_non_null(strstr(e.msg, "beyond all that can be reached"));
}

/* In the highest term of 64 bits a node would begin an election of term 0. */
static void a_disk_with_a_number_beyond_the_limit_is_refused(void **state)
{
	static const uint64_t beyond[] = {RAFT_NUMBER_MAX, UINT64_MAX};

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		uint64_t bad = beyond[i];
		struct raft_snapshot s = {.point = {bad, 1}};
		struct raft_entry e = net_entry(1, bad);

		expect_refused((struct raft_start){.term = bad});
		expect_refused((struct raft_start){.term = 1, .entries = &e, .count = 1});
		expect_refused((struct raft_start){.term = 1, .snapshot = &s});
		expect_refused((struct raft_start){.term = 1, .base = {bad, 1}, .snapshot = &s});
		s.point = (struct raft_point){1, bad};
		expect_refused((struct raft_start){.term = 1, .snapshot = &s});
		expect_refused((struct raft_start){.term = 1, .base = {1, bad}, .snapshot = &s});
		s.point = (struct raft_point){LAST, 1};
		e = net_entry(RAFT_NUMBER_MAX, 1);
		expect_refused((struct raft_start){
		    .term = 1, .base = {LAST, 1}, .snapshot = &s, .entries = &e, .count = 1});
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_number_beyond_the_limit_is_refused_in_every_message),
	    cmocka_unit_test(in_the_last_term_nobody_campaigns_and_time_goes_on),
	    cmocka_unit_test(the_last_term_but_one_can_still_be_left),
	    cmocka_unit_test(entries_end_at_the_limit),
	    cmocka_unit_test(a_disk_with_a_number_beyond_the_limit_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
