/* raft: how much is sent to a peer, and what peers say that makes no sense. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "raft_net.h"
#include "raft_random.h"
#include "seeded.h"

static char text[1001];

static void propose_bytes(struct raft_net *net, unsigned times)
{
	memset(text, 'x', sizeof(text) - 1);
	for (unsigned i = 0; i < times; i++)
		net_propose(net, 1, text);
}

static struct raft_peer peer(const struct raft_net *net, uint64_t id)
{
	struct raft_view v = net_view(net, 1);

	return *net_peer(&v, id);
}

static void bytes_under_way_are_bounded(void **state)
{
	const struct raft_config cfg = {.inflight_bytes = 5000};
	struct raft_net *net = net_led(3, &cfg);

	(void)state;
	propose_bytes(net, 20);
	assert_int_equal(peer(net, 2).inflight_bytes, 5000);
	assert_int_equal(peer(net, 2).inflight, 5);
	net_settle(net);
	assert_int_equal(net_view(net, 1).commit, 22);
	net_free(net);
}

static void a_message_is_bounded_in_entries_and_bytes(void **state)
{
	const struct raft_config cfg = {.message_bytes = 2500, .message_entries = 3, .inflight = 1};
	struct raft_net *net = net_led(3, &cfg);
	struct span data[8];

	(void)state;
	for (int i = 0; i < 8; i++)
		data[i] = (struct span){"x", 1};
	net_step(net, 1, (struct raft_event){.type = RAFT_PROPOSE, .data = data, .count = 8});
	assert_int_equal(net->newest[RAFT_APPEND].count, 3);
	net_settle(net);
	memset(text, 'x', sizeof(text) - 1);
	for (int i = 0; i < 8; i++)
		data[i] = (struct span){text, 1000};
	net_step(net, 1, (struct raft_event){.type = RAFT_PROPOSE, .data = data, .count = 8});
	assert_int_equal(net->newest[RAFT_APPEND].count, 2);
	net_settle(net);
	assert_int_equal(net_view(net, 1).commit, 18);
	net_free(net);
}

static void one_large_entry_goes_alone(void **state)
{
	const struct raft_config cfg = {.message_bytes = 10};
	struct raft_net *net = net_led(3, &cfg);

	(void)state;
	propose_bytes(net, 1);
	net_settle(net);
	assert_int_equal(net_view(net, 3).last.index, 3);
	net_free(net);
}

static void proposals_are_bounded_until_they_are_committed(void **state)
{
	const struct raft_config cfg = {.uncommitted_bytes = 3000};
	struct raft_net *net = net_led(3, &cfg);

	(void)state;
	net->mute[RAFT_APPEND_REPLY] = true;
	propose_bytes(net, 2);
	assert_int_equal(net->node[1].status, RAFT_OK);
	propose_bytes(net, 1);
	assert_int_equal(net->node[1].status, RAFT_BUSY);
	assert_int_equal(net_view(net, 1).last.index, 4);
	net->mute[RAFT_APPEND_REPLY] = false;
	net_run(net, 60 * NET_MS);
	assert_int_equal(net_view(net, 1).uncommitted_bytes, 0);
	propose_bytes(net, 1);
	assert_int_equal(net->node[1].status, RAFT_OK);
	net_free(net);
}

static void an_entry_over_the_limit_is_refused(void **state)
{
	static char big[RAFT_ENTRY_MAX + 1];
	struct raft_net *net = net_led(1, NULL);
	struct span data = {big, sizeof(big)};

	(void)state;
	net_step(net, 1, (struct raft_event){.type = RAFT_PROPOSE, .data = &data, .count = 1});
	assert_int_equal(net->node[1].status, RAFT_INVALID);
	assert_string_equal(net->node[1].why, "an entry has too many bytes");
	data.len--;
	net_step(net, 1, (struct raft_event){.type = RAFT_PROPOSE, .data = &data, .count = 1});
	assert_int_equal(net->node[1].status, RAFT_OK);
	net_free(net);
}

static void a_probe_is_one_message_at_a_time(void **state)
{
	struct raft_net *net = net_led(3, NULL);
	unsigned before;

	(void)state;
	net_isolate(net, 3, true);
	net_step(net, 1, (struct raft_event){.type = RAFT_UNREACHABLE, .node = 3});
	assert_int_equal(peer(net, 3).state, RAFT_PROBE);
	before = net->sent[RAFT_APPEND];
	for (int i = 0; i < 10; i++)
		net_propose(net, 1, "a");
	assert_int_equal(net->sent[RAFT_APPEND] - before, 10); /* to node 2 */
	net_settle(net);
	net_isolate(net, 3, false);
	net_run(net, 60 * NET_MS);
	assert_int_equal(peer(net, 3).state, RAFT_REPLICATE);
	assert_int_equal(peer(net, 3).match, 12);
	/* Of no member, of itself, of one who does not lead: nothing. */
	net_step(net, 1, (struct raft_event){.type = RAFT_UNREACHABLE, .node = 9});
	net_step(net, 1, (struct raft_event){.type = RAFT_UNREACHABLE, .node = 1});
	net_step(net, 2, (struct raft_event){.type = RAFT_UNREACHABLE, .node = 1});
	net_free(net);
}

static void a_full_window_is_no_dead_end_when_all_is_lost(void **state)
{
	const struct raft_config cfg = {.inflight = 2};
	struct raft_net *net = net_led(3, &cfg);

	(void)state;
	net->mute[RAFT_APPEND] = true;
	propose_bytes(net, 5);
	net->mute[RAFT_APPEND] = false;
	net_run(net, 200 * NET_MS);
	assert_int_equal(net_view(net, 2).commit, 7);
	assert_int_equal(peer(net, 2).inflight, 0);
	net_free(net);
}

static void the_news_of_a_commit_goes_to_idle_peers_at_once(void **state)
{
	struct raft_net *net = net_led(3, NULL);

	(void)state;
	net_propose(net, 1, "a");
	net_settle(net);
	assert_int_equal(net_view(net, 2).commit, 3);
	assert_int_equal(net_view(net, 3).commit, 3);
	net_free(net);
}

/* ---- What makes no sense */

static void messages_for_others_are_dropped(void **state)
{
	struct raft_net *net = net_led(3, NULL);
	struct raft_message good = net_message(net, RAFT_VOTE, 2, 1, 9);
	struct raft_message m = good;

	(void)state;
	m.cluster++;
	net_receive(net, &m);
	assert_int_equal(net->node[1].drop, RAFT_DROP_CLUSTER);
	m = good;
	m.to = 3;
	net_step(net, 1, (struct raft_event){.type = RAFT_RECEIVE, .message = &m});
	assert_int_equal(net->node[1].drop, RAFT_DROP_ADDRESS);
	m = good;
	m.from = 1;
	net_receive(net, &m);
	assert_int_equal(net->node[1].drop, RAFT_DROP_ADDRESS);
	m.from = 0;
	net_receive(net, &m);
	assert_int_equal(net->node[1].drop, RAFT_DROP_ADDRESS);
	assert_int_equal(net_view(net, 1).term, 2);
	net_free(net);
}

static void an_answer_of_a_stranger_does_not_even_raise_the_term(void **state)
{
	struct raft_net *net = net_led(3, NULL);
	struct raft_message m = net_message(net, RAFT_APPEND_REPLY, 6, 1, 9);

	(void)state;
	net_receive(net, &m);
	assert_int_equal(net->node[1].drop, RAFT_DROP_STALE);
	m.type = RAFT_PREVOTE_REPLY;
	net_receive(net, &m);
	assert_int_equal(net->node[1].drop, RAFT_DROP_STALE);
	assert_int_equal(net_view(net, 1).term, 2);
	net_free(net);
}

static void expect_invalid(struct raft_net *net, struct raft_message *m)
{
	net_step(net, 1, (struct raft_event){.type = RAFT_RECEIVE, .message = m});
	assert_int_equal(net->node[1].drop, RAFT_DROP_INVALID);
	assert_int_equal(net_view(net, 1).last.index, 1);
}

static void appends_that_make_no_sense_are_dropped(void **state)
{
	struct raft_net *net = net_new(3, NULL);
	struct raft_entry good[2] = {net_entry(2, 2), net_entry(3, 2)};
	struct raft_entry e[2];
	struct raft_message m = net_message(net, RAFT_APPEND, 2, 1, 2);
	struct raft_message bad;

	(void)state;
	m.prev = (struct raft_point){1, 1};
	m.entries = e;
	m.count = 2;
	for (int i = 0; i < 9; i++) {
		memcpy(e, good, sizeof(e));
		bad = m;
		switch (i) {
		case 0:
			e[1].index = 4;
			break;
		case 1:
			e[0].index = 1;
			break;
		case 2:
			e[1].term = 1;
			break;
		case 3:
			e[1].term = 3;
			break;
		case 4:
			e[0].clock_ns = 5;
			e[1].clock_ns = 4;
			break;
		case 5:
			bad.count = RAFT_MESSAGE_ENTRIES_MAX + 1;
			break;
		case 6:
			bad.prev = (struct raft_point){UINT64_MAX, 1};
			break;
		case 7:
			e[0].data.len = RAFT_ENTRY_MAX + 1;
			break;
		default:
			bad.term = UINT64_MAX;
			break;
		}
		expect_invalid(net, &bad);
	}
	bad = m;
	bad.term = 0;
	expect_invalid(net, &bad);
	bad = m;
	bad.prev.index = 0; /* and a term */
	expect_invalid(net, &bad);
	bad = m;
	bad.type = (enum raft_message_type)99;
	expect_invalid(net, &bad);
	net_free(net);
}

static void two_leaders_of_one_term_are_one_too_many(void **state)
{
	struct raft_net *net = net_led(3, NULL);
	struct raft_message m = net_message(net, RAFT_APPEND, 3, 2, 2);

	(void)state;
	net_receive(net, &m);
	assert_int_equal(net->node[2].drop, RAFT_DROP_INVALID);
	m.to = 1;
	net_receive(net, &m);
	assert_int_equal(net->node[1].drop, RAFT_DROP_INVALID);
	assert_int_equal(net_leader(net), 1);
	net_free(net);
}

/* In one term, from one leader: it showed another entry there before. */
static void a_leader_that_takes_back_what_it_showed_is_not_followed(void **state)
{
	struct raft_net *net = net_new(3, NULL);
	struct raft_entry one[2] = {net_entry(2, 2), net_entry(3, 2)};
	struct raft_entry other = net_entry(2, 3);

	(void)state;
	net_append(net, (struct net_leader){2, 3}, (struct raft_point){1, 1}, one, 2);
	net_append(net, (struct net_leader){2, 3}, (struct raft_point){1, 1}, &other, 1);
	assert_int_equal(net->node[1].drop, RAFT_DROP_INVALID);
	assert_int_equal(net_view(net, 1).last.index, 3);
	net_free(net);
}

static void an_acknowledgement_of_what_is_not_there_is_dropped(void **state)
{
	struct raft_net *net = net_led(3, NULL);
	struct raft_message m = net_message(net, RAFT_APPEND_REPLY, 2, 1, 2);

	(void)state;
	m.granted = true;
	m.prev = (struct raft_point){3, 2};
	net_receive(net, &m);
	assert_int_equal(net->node[1].drop, RAFT_DROP_INVALID);
	assert_int_equal(peer(net, 2).match, 2);
	/* A refusal of what was acknowledged is old. */
	m.granted = false;
	m.prev = (struct raft_point){1, 1};
	net_receive(net, &m);
	assert_int_equal(peer(net, 2).state, RAFT_REPLICATE);
	assert_int_equal(peer(net, 2).next, 3);
	net_free(net);
}

/*
 * Random messages that could be, most of them lies, from a peer and from strangers.  The node may
 * stop, but only by an error that says why; nothing else may break (and sanitizers look on).
 */
static void no_message_breaks_a_node(void **state)
{
	uint64_t rand = seeded();
	unsigned rounds = seeded_rounds(300);
	unsigned kept = 0;

	(void)state;
	for (unsigned i = 0; i < rounds; i++) {
		struct raft_net *net = net_led(3, NULL);

		if (seeded_below(&rand, 2) == 0)
			net_run(net, 60 * NET_MS);
		for (unsigned j = 0; j < 300 && net->node[1].raft != NULL; j++) {
			struct raft_random_room room;
			enum raft_message_type type =
			    RAFT_PREVOTE + (enum raft_message_type)seeded_below(&rand, 11);
			struct raft_message m = raft_random_message(&rand, type, &room);

			m.cluster = NET_CLUSTER;
			m.from = 2 + seeded_below(&rand, 3);
			m.to = 1;
			m.term = net_view(net, 1).term + seeded_below(&rand, 3) - 1;
			if (seeded_below(&rand, 2) == 0)
				m.prev = (struct raft_point){seeded_below(&rand, 6),
				                             seeded_below(&rand, 4)};
			for (size_t k = 0; k < m.count && seeded_below(&rand, 4) != 0; k++) {
				room.entries[k].index = m.prev.index + 1 + k;
				room.entries[k].term = m.term;
				room.entries[k].clock_ns = 1000;
			}
			m.context = seeded_below(&rand, 4);
			m.commit = seeded_below(&rand, 10);
			if (m.type == RAFT_SNAPSHOT) /* what is installed would be a lie */
				continue;
			net->now += seeded_below(&rand, 3) * 100 * NET_MS;
			net_receive(net, &m);
			kept += net->node[1].drop == RAFT_KEPT;
			memset(net->state, 0, sizeof(net->state));
			memset(net->leaders, 0, sizeof(net->leaders));
			if (net->node[1].raft != NULL && seeded_below(&rand, 10) == 0)
				net_tick(net, 1);
		}
		net_free(net);
	}
	assert_true(kept > rounds * 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bytes_under_way_are_bounded),
	    cmocka_unit_test(a_message_is_bounded_in_entries_and_bytes),
	    cmocka_unit_test(one_large_entry_goes_alone),
	    cmocka_unit_test(proposals_are_bounded_until_they_are_committed),
	    cmocka_unit_test(an_entry_over_the_limit_is_refused),
	    cmocka_unit_test(a_probe_is_one_message_at_a_time),
	    cmocka_unit_test(a_full_window_is_no_dead_end_when_all_is_lost),
	    cmocka_unit_test(the_news_of_a_commit_goes_to_idle_peers_at_once),
	    cmocka_unit_test(messages_for_others_are_dropped),
	    cmocka_unit_test(an_answer_of_a_stranger_does_not_even_raise_the_term),
	    cmocka_unit_test(appends_that_make_no_sense_are_dropped),
	    cmocka_unit_test(two_leaders_of_one_term_are_one_too_many),
	    cmocka_unit_test(a_leader_that_takes_back_what_it_showed_is_not_followed),
	    cmocka_unit_test(an_acknowledgement_of_what_is_not_there_is_dropped),
	    cmocka_unit_test(no_message_breaks_a_node),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
