/* raft: the log in memory, the clock in it, and what a node starts from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "raft/raft_impl.h"
#include "raft_net.h"
#include "seeded.h"

/* ---- Beside a naive model */

#define MODEL_MAX 2000

struct model {
	struct raft_point base;
	uint64_t last;
	uint64_t term[MODEL_MAX]; /* by index */
	bool conf[MODEL_MAX];
	size_t len[MODEL_MAX];
};

static void append(struct raft_log *l, struct model *m, uint64_t *rand)
{
	static const char bytes[64];
	struct raft_entry entry = net_entry(m->last + 1, m->term[m->last]);
	struct err e;

	if (m->last + 2 >= MODEL_MAX)
		return;
	entry.term += seeded_below(rand, 4) == 0 ? seeded_below(rand, 3) : 0;
	if (entry.term == 0)
		entry.term = 1;
	if (seeded_below(rand, 8) == 0)
		entry.type = RAFT_ENTRY_CONF;
	entry.data = (struct span){bytes, seeded_below(rand, 64)};
	assert_int_equal(raft_log_append(l, &entry, &e), 0);
	m->last++;
	m->term[m->last] = entry.term;
	m->conf[m->last] = entry.type == RAFT_ENTRY_CONF;
	m->len[m->last] = entry.data.len;
}

static void change(struct raft_log *l, struct model *m, uint64_t *rand)
{
	uint64_t count = m->last - m->base.index;

	switch (seeded_below(rand, 20)) {
	case 0:
		if (count == 0)
			break;
		m->last -= 1 + seeded_below(rand, count);
		raft_log_truncate(l, m->last + 1);
		break;
	case 1:
		m->base.index += seeded_below(rand, count + 1);
		m->base.term = m->term[m->base.index];
		raft_log_compact(l, m->base.index);
		break;
	case 2:
		if (seeded_below(rand, 5) != 0 || m->last + 10 >= MODEL_MAX)
			break;
		m->base = (struct raft_point){m->last + 3, m->term[m->last] + 1};
		m->last = m->base.index;
		m->term[m->last] = m->base.term;
		raft_log_reset(l, m->base);
		break;
	default:
		append(l, m, rand);
		break;
	}
}

static uint64_t model_find(const struct model *m, uint64_t index, uint64_t term)
{
	uint64_t i = index < m->last ? index : m->last;

	while (i > m->base.index && m->term[i] > term)
		i--;
	if (i < m->base.index || m->term[i] > term)
		return m->base.index == 0 ? 0 : m->base.index - 1;
	return i;
}

static void compare(const struct raft_log *l, const struct model *m, uint64_t *rand)
{
	uint64_t index = seeded_below(rand, m->last + 3);
	uint64_t term = seeded_below(rand, m->term[m->last] + 2);
	uint64_t bytes = 0;
	uint64_t conf = 0;
	bool inside = index >= m->base.index && index <= m->last;

	assert_int_equal(raft_log_last(l), m->last);
	assert_int_equal(raft_log_end(l).term, m->term[m->last]);
	assert_int_equal(raft_log_term(l, index), inside ? m->term[index] : 0);
	assert_int_equal(raft_log_at(l, index) != NULL, inside && index > m->base.index);
	assert_int_equal(raft_log_find(l, index, term), model_find(m, index, term));
	for (uint64_t i = m->base.index + 1; i <= m->last; i++) {
		bytes += m->len[i];
		if (i <= index && m->conf[i])
			conf = i;
	}
	assert_int_equal(l->bytes, bytes);
	assert_int_equal(raft_log_conf_before(l, index), conf);
}

static void the_log_is_as_a_naive_one(void **state)
{
	uint64_t rand = seeded();
	unsigned rounds = seeded_rounds(100);

	(void)state;
	for (unsigned i = 0; i < rounds; i++) {
		struct raft_log l = {.room = NULL};
		struct model *m = calloc(1, sizeof(*m));

		assert_non_null(m);
		for (unsigned j = 0; j < 1000; j++) {
			change(&l, m, &rand);
			compare(&l, m, &rand);
		}
		raft_log_done(&l);
		free(m);
	}
}

/* ---- The clock */

static uint64_t clock_of(const struct raft_net *net, uint64_t n)
{
	return raft_clock(net->node[n].raft, net->now);
}

static void the_clock_passes_while_there_is_a_leader(void **state)
{
	struct raft_net *net = net_led(3, NULL);
	uint64_t before = clock_of(net, 1);

	(void)state;
	net_run(net, 1000 * NET_MS);
	assert_int_equal(clock_of(net, 1) - before, 1000 * NET_MS);
	net_propose(net, 1, "a");
	net_settle(net);
	assert_int_equal(raft_entry(net->node[2].raft, 3)->clock_ns, before + 1000 * NET_MS);
	assert_int_equal(clock_of(net, 2), before + 1000 * NET_MS);
	net_free(net);
}

static void it_stands_while_there_is_none_and_never_goes_back(void **state)
{
	struct raft_net *net = net_led(3, NULL);
	uint64_t before;

	(void)state;
	net_run(net, 500 * NET_MS);
	net_propose(net, 1, "a");
	net_settle(net);
	before = clock_of(net, 1);
	for (uint64_t n = 1; n <= 3; n++)
		net_crash(net, n);
	net->now += 60000 * NET_MS;
	for (uint64_t n = 1; n <= 3; n++)
		net_start(net, n);
	assert_int_equal(clock_of(net, 2), before); /* the entry has it */
	assert_true(net_elect(net, 2));
	assert_in_range(clock_of(net, 2), before, before + 1 * NET_MS);
	net_free(net);
}

/* A machine that slept: without a quorum, the time does not count. */
static void it_does_not_count_what_a_stopped_leader_slept_through(void **state)
{
	struct raft_net *net = net_led(3, NULL);
	uint64_t before = clock_of(net, 1);

	(void)state;
	net->now += UINT64_C(3600) * 1000 * NET_MS;
	assert_int_equal(clock_of(net, 1), before + 300 * NET_MS);
	assert_int_equal(net_propose(net, 1, "a"), RAFT_OK);
	assert_int_equal(raft_entry(net->node[1].raft, 3)->clock_ns, before + 300 * NET_MS);
	net_tick(net, 1);
	assert_int_equal(net_view(net, 1).role, RAFT_FOLLOWER);
	assert_int_equal(clock_of(net, 1), before + 300 * NET_MS);
	net_free(net);
}

static void it_comes_with_a_snapshot(void **state)
{
	const struct raft_config cfg = {.trailing = 1};
	struct raft_net *net = net_led(1, &cfg);

	(void)state;
	net->now += 1000 * NET_MS;
	net_propose(net, 1, "a");
	net->now += 1000 * NET_MS;
	net_snapshot(net, 1, 10);
	assert_int_equal(net->node[1].snapshot.clock_ns, 2000 * NET_MS);
	net_crash(net, 1);
	net_start(net, 1);
	assert_int_equal(clock_of(net, 1), 2000 * NET_MS);
	net_free(net);
}

/* ---- What a node starts from */

static const struct raft_config cfg = {.cluster = 1, .self = 1};

static void expect_refused(struct raft_start start, const char *why)
{
	struct err e;

	assert_null(raft_new(&cfg, &start, &e));
	assert_int_equal(e.code, EBADMSG);
	if (strstr(e.msg, why) == NULL)
		fail_msg("'%s' instead of '%s'", e.msg, why);
}

static void a_log_that_contradicts_itself_is_refused(void **state)
{
	struct raft_entry e[2] = {net_entry(1, 2), net_entry(2, 2)};
	struct raft_start start = {.term = 2, .entries = e, .count = 2};

	(void)state;
	e[1].index = 3;
	expect_refused(start, "entry 3 of term 2 follows 1 of term 2");
	e[1] = net_entry(2, 1);
	expect_refused(start, "entry 2 of term 1 follows 1 of term 2");
	start.base = (struct raft_point){4, 1};
	expect_refused(start, "the log begins behind 4, and the snapshot ends at 0");
}

/* Trap 22. */
static void what_is_not_understood_is_not_guessed(void **state)
{
	struct raft_entry e = net_entry(1, 2);
	struct raft_start start = {.term = 2, .entries = &e, .count = 1};
	struct raft_net *net = net_new(3, NULL);

	(void)state;
	e.type = 9;
	expect_refused(start, "entry 1: type 9 is unknown");
	e = net_entry(1, 2);
	e.version = 2;
	expect_refused(start, "entry 1: version 2 of type 2 is unknown");
	e.version = 0;
	expect_refused(start, "version 0");
	e = net_entry(1, 2);
	e.type = RAFT_ENTRY_CONF;
	expect_refused(start, "entry 1: ");
	/* Nor what a leader sends. */
	e = net_entry(2, 2);
	e.type = 4;
	net_append(net, (struct net_leader){2, 2}, (struct raft_point){1, 1}, &e, 1);
	assert_true(net->node[1].stopped);
	assert_string_equal(net->node[1].failure.msg, "entry 2: type 4 is unknown here");
	net_free(net);
}

static void an_entry_of_a_later_term_than_the_written_one_raises_it(void **state)
{
	struct raft_entry e = net_entry(1, 7);
	struct raft_start start = {.term = 5, .vote = 3, .entries = &e, .count = 1};
	struct raft *r;
	struct raft_view v;
	struct err err;

	(void)state;
	r = raft_new(&cfg, &start, &err);
	assert_non_null(r);
	raft_look(r, &v);
	assert_int_equal(v.term, 7);
	assert_int_equal(v.vote, 0);
	raft_free(r);
	raft_free(NULL);
}

static void the_configuration_at_an_index_is_known_from_the_snapshot_on(void **state)
{
	struct raft_net *net = net_led(3, NULL);
	struct raft_change add = {.type = RAFT_ADD, .id = 9};
	struct raft_conf conf;
	struct err e;

	(void)state;
	net_propose(net, 1, "a");
	net_change(net, 1, add);
	net_settle(net);
	assert_int_equal(raft_conf_at(net->node[1].raft, 3, &conf, &e), 0);
	assert_int_equal(conf.count, 3);
	assert_int_equal(raft_conf_at(net->node[1].raft, 4, &conf, &e), 0);
	assert_int_equal(conf.count, 4);
	assert_int_equal(raft_conf_at(net->node[1].raft, 5, &conf, &e), -1);
	assert_int_equal(e.code, EINVAL);
	net_snapshot(net, 1, 10);
	assert_int_equal(raft_conf_at(net->node[1].raft, 3, &conf, &e), -1);
	assert_int_equal(raft_conf_at(net->node[1].raft, 4, &conf, &e), 0);
	assert_int_equal(conf.count, 4);
	net_free(net);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_log_is_as_a_naive_one),
	    cmocka_unit_test(the_clock_passes_while_there_is_a_leader),
	    cmocka_unit_test(it_stands_while_there_is_none_and_never_goes_back),
	    cmocka_unit_test(it_does_not_count_what_a_stopped_leader_slept_through),
	    cmocka_unit_test(it_comes_with_a_snapshot),
	    cmocka_unit_test(a_log_that_contradicts_itself_is_refused),
	    cmocka_unit_test(what_is_not_understood_is_not_guessed),
	    cmocka_unit_test(an_entry_of_a_later_term_than_the_written_one_raises_it),
	    cmocka_unit_test(the_configuration_at_an_index_is_known_from_the_snapshot_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
