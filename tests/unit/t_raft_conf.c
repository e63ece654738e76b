#include "raft/conf.h"

#include <errno.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "raft_random.h"
#include "seeded.h"

#define IDS 20 /* of the model: more than fit into a configuration */

static struct span as_span(const struct buf *b)
{
	return (struct span){b->data, b->len};
}

static void assert_same(const struct raft_conf *a, const struct raft_conf *b)
{
	assert_int_equal(a->joint, b->joint);
	assert_int_equal(a->count, b->count);
	for (uint32_t i = 0; i < a->count; i++) {
		const struct raft_member *x = &a->member[i];
		const struct raft_member *y = &b->member[i];

		assert_true(x->id == y->id);
		assert_int_equal(x->voter, y->voter);
		assert_int_equal(x->was_voter, y->was_voter);
		assert_int_equal(x->promote, y->promote);
		assert_int_equal(x->leaving, y->leaving);
		assert_int_equal(x->info_len, y->info_len);
		assert_memory_equal(x->info, y->info, x->info_len);
	}
}

/*
 * The slow oracle of majorities: sets are bits, and what a quorum is, is asked of every subset.
 */
struct sets {
	unsigned members; /* bit i is member[i] */
	unsigned now;
	unsigned before;
};

static struct sets sets_of(const struct raft_conf *c)
{
	struct sets s = {.members = (1u << c->count) - 1};

	for (uint32_t i = 0; i < c->count; i++) {
		s.now |= c->member[i].voter ? 1u << i : 0;
		s.before |= c->member[i].was_voter ? 1u << i : 0;
	}
	if (!c->joint)
		s.before = s.now;
	return s;
}

static int bits(unsigned set)
{
	return __builtin_popcount(set);
}

static bool is_quorum(const struct sets *s, unsigned set)
{
	return 2 * bits(set & s->now) > bits(s->now) && 2 * bits(set & s->before) > bits(s->before);
}

static bool has_quorum_within(const struct sets *s, unsigned set)
{
	for (unsigned sub = 0; sub <= s->members; sub++) {
		if ((sub & ~set) == 0 && is_quorum(s, sub))
			return true;
	}
	return false;
}

static uint64_t slow_index(const struct sets *s, const uint64_t reached[RAFT_MEMBERS_MAX])
{
	uint64_t best = 0;

	for (unsigned sub = 0; sub <= s->members; sub++) {
		uint64_t lowest = UINT64_MAX;

		if (!is_quorum(s, sub))
			continue;
		for (unsigned i = 0; i < RAFT_MEMBERS_MAX; i++) {
			if (sub & (s->now | s->before) & 1u << i && reached[i] < lowest)
				lowest = reached[i];
		}
		best = lowest > best ? lowest : best;
	}
	return best;
}

static void majorities_are_those_that_counting_all_subsets_finds(void **state)
{
	uint64_t rand = seeded();

	(void)state;
	for (unsigned i = 0; i < seeded_rounds(3000); i++) {
		uint64_t reached[RAFT_MEMBERS_MAX];
		bool who[RAFT_MEMBERS_MAX];
		struct raft_conf c;
		struct sets s;
		unsigned set = 0;

		raft_random_conf(&rand, 1 + i % 9, &c);
		s = sets_of(&c);
		for (unsigned k = 0; k < RAFT_MEMBERS_MAX; k++) {
			who[k] = seeded_below(&rand, 2);
			set |= k < c.count && who[k] ? 1u << k : 0;
			reached[k] = seeded_below(&rand, 5);
		}
		assert_int_equal(conf_has_quorum(&c, who), has_quorum_within(&s, set));
		assert_int_equal(conf_is_lost(&c, who), !has_quorum_within(&s, s.members & ~set));
		assert_true(conf_quorum_index(&c, reached) == slow_index(&s, reached));
	}
}

/* Why a joint configuration may follow the old one, and the new one may follow it. */
static void quorums_of_neighbours_share_a_member(void **state)
{
	uint64_t rand = seeded();

	(void)state;
	for (unsigned i = 0; i < seeded_rounds(100); i++) {
		struct raft_conf c;
		struct sets joint;

		do
			raft_random_conf(&rand, 7, &c);
		while (!c.joint);
		joint = sets_of(&c);
		for (unsigned set = 0; set <= joint.members; set++) {
			bool yes[RAFT_MEMBERS_MAX] = {false};

			for (unsigned k = 0; k < c.count; k++)
				yes[k] = set & 1u << k;
			if (!conf_has_quorum(&c, yes))
				continue;
			/* The others cannot elect anybody, by the old set or by the new one. */
			assert_true(2 * bits(joint.now & ~set) < bits(joint.now));
			assert_true(2 * bits(joint.before & ~set) < bits(joint.before));
		}
	}
}

static void half_of_an_even_set_is_no_majority(void **state)
{
	struct raft_conf c = {.count = 4};
	bool half[RAFT_MEMBERS_MAX] = {true, true, false, false, true};
	uint64_t reached[RAFT_MEMBERS_MAX] = {9, 9, 7, 1, 9};

	(void)state;
	for (uint32_t i = 0; i < 4; i++)
		c.member[i] = (struct raft_member){.id = i + 1, .voter = true, .was_voter = true};
	assert_false(conf_has_quorum(&c, half));
	assert_true(conf_is_lost(&c, half));
	assert_true(conf_quorum_index(&c, reached) == 7);
}

static void without_voters_nothing_is_decided(void **state)
{
	struct raft_conf c = {.count = 1, .member = {{.id = 1}}};
	bool all[RAFT_MEMBERS_MAX] = {true, true, true};
	bool none[RAFT_MEMBERS_MAX] = {false};
	uint64_t reached[RAFT_MEMBERS_MAX] = {9, 9};

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_false(conf_has_quorum(&c, all));
		assert_true(conf_is_lost(&c, none));
		assert_true(conf_quorum_index(&c, reached) == 0);
		c.count = 0;
	}
}

/*
 * The model of changes: an array by id, and each rule as the header says it.
 */
struct model {
	struct raft_member at[IDS + 1];
	bool there[IDS + 1];
};

static unsigned model_count(const struct model *m)
{
	unsigned n = 0;

	for (unsigned id = 1; id <= IDS; id++)
		n += m->there[id];
	return n;
}

static int model_change(struct model *m, const struct raft_change *c)
{
	struct raft_member *at = c->id <= IDS ? &m->at[c->id] : NULL;
	bool active = at != NULL && m->there[c->id] && !at->leaving;

	if (c->type == RAFT_ADD) {
		if (c->id == 0 || m->there[c->id])
			return EINVAL;
		if (model_count(m) == RAFT_MEMBERS_MAX || c->info.len > RAFT_INFO_MAX)
			return E2BIG;
		*at = (struct raft_member){.id = c->id, .promote = c->promote};
		m->there[c->id] = true;
	} else if (!active) {
		return EINVAL;
	}
	if (c->type == RAFT_ADD || c->type == RAFT_SET_INFO) {
		if (c->info.len > RAFT_INFO_MAX)
			return E2BIG;
		at->info_len = (uint8_t)c->info.len;
		memcpy(at->info, c->info.p, c->info.len);
	}
	if (c->type == RAFT_PROMOTE || c->type == RAFT_DEMOTE) {
		if (at->voter == (c->type == RAFT_PROMOTE))
			return EINVAL;
		at->voter = c->type == RAFT_PROMOTE;
		at->promote = false;
	}
	if (c->type == RAFT_REMOVE) {
		m->there[c->id] = at->was_voter;
		at->leaving = true;
		at->voter = at->promote = false;
	}
	return 0;
}

static struct model model_of(const struct raft_conf *c)
{
	struct model m = {.there = {false}};

	for (uint32_t i = 0; i < c->count; i++) {
		m.at[c->member[i].id] = c->member[i];
		m.there[c->member[i].id] = true;
	}
	return m;
}

/* The same as a configuration; -1 when no voter is left. */
static int model_conf(const struct model *m, struct raft_conf *ret)
{
	unsigned voters = 0;

	*ret = (struct raft_conf){.joint = false};
	for (unsigned id = 1; id <= IDS; id++) {
		if (!m->there[id])
			continue;
		voters += m->at[id].voter;
		ret->joint |= m->at[id].voter != m->at[id].was_voter;
		ret->member[ret->count++] = m->at[id];
	}
	return voters > 0 ? 0 : EINVAL;
}

static struct raft_change random_change(uint64_t *rand, const char *info)
{
	struct raft_change c = {
	    .type = RAFT_ADD + seeded_below(rand, RAFT_SET_INFO),
	    .id = seeded_below(rand, IDS + 1),
	    .promote = seeded_below(rand, 2),
	    .info = {info, seeded_below(rand, 4)},
	};

	if (seeded_below(rand, 50) == 0)
		c.info.len = RAFT_INFO_MAX + seeded_below(rand, 2);
	/* More often those that are refused for less trivial reasons. */
	if (seeded_below(rand, 3) == 0)
		c.type = RAFT_ADD;
	return c;
}

static void check_bytes(const struct raft_conf *c)
{
	struct buf b = {0};
	struct buf again = {0};
	struct raft_conf got;
	struct err e;

	conf_put(&b, c);
	assert_true(b.len <= RAFT_CONF_BYTES_MAX);
	assert_int_equal(conf_get(as_span(&b), &got, &e), 0);
	assert_same(c, &got);
	conf_put(&again, &got);
	assert_int_equal(b.len, again.len);
	assert_memory_equal(b.data, again.data, b.len);
	buf_done(&b);
	buf_done(&again);
}

static void check_left(const struct raft_conf *joint)
{
	struct raft_conf left;
	uint32_t at = 0;

	conf_leave_joint(joint, &left);
	assert_false(left.joint);
	for (uint32_t i = 0; i < joint->count; i++) {
		struct raft_member want = joint->member[i];

		assert_int_equal(conf_find(&left, want.id) == NULL, want.leaving);
		if (want.leaving)
			continue;
		want.was_voter = want.voter;
		assert_true(left.member[at].id == want.id);
		assert_int_equal(left.member[at].voter, want.voter);
		assert_int_equal(left.member[at].was_voter, want.voter);
		assert_int_equal(left.member[at].promote, want.promote);
		at++;
	}
	assert_int_equal(at, left.count);
	check_bytes(&left);
}

static void changes_lead_to_what_the_model_says(void **state)
{
	uint64_t rand = seeded();
	unsigned seen[3] = {0}; /* done, invalid, too big */
	char info[RAFT_INFO_MAX + 1];
	struct raft_conf c;

	(void)state;
	memset(info, 'i', sizeof(info));
	raft_random_conf(&rand, 3, &c);
	for (unsigned i = 0; i < seeded_rounds(20000); i++) {
		struct raft_change changes[6];
		size_t n = 1 + seeded_below(&rand, seeded_below(&rand, 3) ? 2 : 6);
		struct model m;
		struct raft_conf want = {.count = 0};
		struct raft_conf got = {.count = 77};
		struct err e = {.code = 0};
		int code = 0;

		if (seeded_below(&rand, 300) == 0)
			raft_random_conf(&rand, 3, &c);
		conf_leave_joint(&c, &c);
		m = model_of(&c);
		for (size_t k = 0; k < n; k++) {
			changes[k] = random_change(&rand, info);
			code = code != 0 ? code : model_change(&m, &changes[k]);
		}
		code = code != 0 ? code : model_conf(&m, &want);
		assert_int_equal(conf_change(&c, changes, n, &got, &e), code == 0 ? 0 : -1);
		assert_int_equal(e.code, code);
		seen[code == 0 ? 0 : code == EINVAL ? 1 : 2]++;
		if (code != 0) {
			assert_int_equal(got.count, 77);
			continue;
		}
		assert_same(&got, &want);
		check_bytes(&got);
		check_left(&got);
		c = got;
	}
	assert_true(seen[0] > 0 && seen[1] > 0 && seen[2] > 0);
}

static void nothing_is_changed_while_it_is_joint(void **state)
{
	struct raft_conf c = {.count = 1, .member = {{.id = 1, .voter = true}}};
	struct raft_change add = {.type = RAFT_ADD, .id = 2};
	struct raft_change both[2] = {add, {.type = RAFT_PROMOTE, .id = 2}};
	struct err e;

	(void)state;
	assert_int_equal(conf_change(&c, &add, 0, &c, &e), -1);
	assert_string_equal(e.msg, "there is nothing to change");
	/* A learner alone is no joint configuration. */
	assert_int_equal(conf_change(&c, &add, 1, &c, &e), 0);
	assert_false(c.joint);
	c.count = 1;
	assert_int_equal(conf_change(&c, both, 2, &c, &e), 0);
	assert_true(c.joint);
	add.id = 3;
	assert_int_equal(conf_change(&c, &add, 1, &c, &e), -1);
	assert_int_equal(e.code, EINVAL);
	assert_string_equal(e.msg, "the members are being changed already");
	conf_leave_joint(&c, &c);
	assert_int_equal(conf_change(&c, &add, 1, &c, &e), 0);
	add.type = 99;
	assert_int_equal(conf_change(&c, &add, 1, &c, &e), -1);
	assert_string_equal(e.msg, "99 is no change");
}

static void members_are_found_by_id(void **state)
{
	uint64_t rand = seeded();
	struct raft_conf c;

	(void)state;
	raft_random_conf(&rand, RAFT_MEMBERS_MAX, &c);
	for (uint32_t i = 0; i < c.count; i++) {
		assert_ptr_equal(conf_find(&c, c.member[i].id), &c.member[i]);
		if (i + 1 == c.count || c.member[i + 1].id > c.member[i].id + 1)
			assert_null(conf_find(&c, c.member[i].id + 1));
	}
	assert_null(conf_find(&c, 0));
}

static void bytes_that_are_cut_or_changed_are_refused_or_other_members(void **state)
{
	uint64_t rand = seeded();
	struct buf b = {0};
	struct buf again = {0};
	struct raft_conf c;
	struct raft_conf got;
	struct err e;

	(void)state;
	for (unsigned i = 0; i < seeded_rounds(50); i++) {
		raft_random_conf(&rand, RAFT_MEMBERS_MAX, &c);
		buf_clear(&b);
		conf_put(&b, &c);
		for (size_t n = 0; n < b.len; n++) {
			assert_int_equal(conf_get((struct span){b.data, n}, &got, &e), -1);
			assert_int_equal(e.code, EBADMSG);
		}
		for (size_t bit = 0; bit < 8 * b.len; bit++) {
			b.data[bit / 8] ^= (char)(1 << bit % 8);
			if (conf_get(as_span(&b), &got, &e) == 0) {
				buf_clear(&again);
				conf_put(&again, &got);
				assert_int_equal(b.len, again.len);
				assert_memory_equal(b.data, again.data, b.len);
			} else {
				assert_int_equal(e.code, bit < 8 ? EPROTONOSUPPORT : EBADMSG);
			}
			b.data[bit / 8] ^= (char)(1 << bit % 8);
		}
		buf_add_char(&b, 0);
		assert_int_equal(conf_get(as_span(&b), &got, &e), -1);
	}
	buf_done(&b);
	buf_done(&again);
}

static void members_that_contradict_themselves_are_refused(void **state)
{
	static const struct {
		bool joint;
		uint32_t count;
		struct raft_member member[2];
	} bad[] = {
	    {false, 0, {{0}}},                                                /* nobody */
	    {false, 1, {{.id = 1}}},                                          /* no voter */
	    {false, 1, {{.id = 0, .voter = true}}},                           /* no id */
	    {false, 2, {{.id = 2, .voter = true}, {.id = 1, .voter = true}}}, /* no order */
	    {false, 2, {{.id = 2, .voter = true}, {.id = 2, .voter = true}}}, /* twice */
	    {true, 1, {{.id = 1, .voter = true, .was_voter = true}}},         /* no change */
	    {true, 1, {{.id = 1, .voter = true}}},                            /* no old voter */
	    {true, 1, {{.id = 1, .was_voter = true}}},                        /* no new voter */
	    {true,
	     2,
	     {{.id = 1, .voter = true, .was_voter = true, .leaving = true},
	      {.id = 2, .voter = true}}},
	    {true,
	     2,
	     {{.id = 1, .voter = true, .was_voter = true},
	      {.id = 2, .voter = true, .promote = true}}},
	    {false, 2, {{.id = 1, .voter = true}, {.id = 2, .leaving = true}}},
	};
	struct buf b = {0};
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct raft_conf c = {.joint = bad[i].joint, .count = bad[i].count};
		struct raft_conf got;

		memcpy(c.member, bad[i].member, sizeof(bad[i].member));
		buf_clear(&b);
		conf_put(&b, &c);
		assert_int_equal(conf_get(as_span(&b), &got, &e), -1);
		assert_int_equal(e.code, EBADMSG);
	}
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(majorities_are_those_that_counting_all_subsets_finds),
	    cmocka_unit_test(quorums_of_neighbours_share_a_member),
	    cmocka_unit_test(half_of_an_even_set_is_no_majority),
	    cmocka_unit_test(without_voters_nothing_is_decided),
	    cmocka_unit_test(changes_lead_to_what_the_model_says),
	    cmocka_unit_test(nothing_is_changed_while_it_is_joint),
	    cmocka_unit_test(members_are_found_by_id),
	    cmocka_unit_test(bytes_that_are_cut_or_changed_are_refused_or_other_members),
	    cmocka_unit_test(members_that_contradict_themselves_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
