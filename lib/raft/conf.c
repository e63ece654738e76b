#include "raft/conf.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/le_buf.h"

#define CONF_VERSION 1

/* Flags in the bytes. */
enum {
	FLAG_VOTER = 1,
	FLAG_WAS_VOTER = 2,
	FLAG_PROMOTE = 4,
	FLAG_LEAVING = 8,
};

/* Which of the two sets of voters. */
enum set { NEW, OLD };

static bool votes(const struct raft_conf *c, uint32_t i, enum set set)
{
	return set == NEW || !c->joint ? c->member[i].voter : c->member[i].was_voter;
}

static uint32_t voters(const struct raft_conf *c, enum set set)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < c->count; i++)
		n += votes(c, i, set);
	return n;
}

const struct raft_member *conf_find(const struct raft_conf *c, uint64_t id)
{
	for (uint32_t i = 0; i < c->count; i++) {
		if (c->member[i].id == id)
			return &c->member[i];
	}
	return NULL;
}

/*
 * Majorities.
 */
static uint32_t count_of(const struct raft_conf *c, enum set set, const bool who[RAFT_MEMBERS_MAX])
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < c->count; i++)
		n += votes(c, i, set) && who[i];
	return n;
}

bool conf_has_quorum(const struct raft_conf *c, const bool ack[RAFT_MEMBERS_MAX])
{
	return count_of(c, NEW, ack) > voters(c, NEW) / 2 &&
	       count_of(c, OLD, ack) > voters(c, OLD) / 2;
}

/* With half of an even set refusing, the other half is no majority. */
static bool set_is_lost(const struct raft_conf *c, enum set set, const bool no[RAFT_MEMBERS_MAX])
{
	uint32_t n = voters(c, set);

	return n - count_of(c, set, no) <= n / 2;
}

bool conf_is_lost(const struct raft_conf *c, const bool no[RAFT_MEMBERS_MAX])
{
	return set_is_lost(c, NEW, no) || set_is_lost(c, OLD, no);
}

/* The highest of the voters' indexes that more than half of them have reached. */
static uint64_t set_index(const struct raft_conf *c, enum set set,
                          const uint64_t reached[RAFT_MEMBERS_MAX])
{
	uint64_t sorted[RAFT_MEMBERS_MAX]; /* the largest first */
	uint32_t n = 0;

	for (uint32_t i = 0; i < c->count; i++) {
		uint32_t at = n;

		if (!votes(c, i, set))
			continue;
		for (; at > 0 && sorted[at - 1] < reached[i]; at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = reached[i];
		n++;
	}
	return n == 0 ? 0 : sorted[n / 2];
}

uint64_t conf_quorum_index(const struct raft_conf *c, const uint64_t reached[RAFT_MEMBERS_MAX])
{
	uint64_t a = set_index(c, NEW, reached);
	uint64_t b = set_index(c, OLD, reached);

	return a < b ? a : b;
}

/*
 * Changes.
 */
static void drop(struct raft_conf *c, uint32_t at)
{
	c->count--;
	memmove(&c->member[at], &c->member[at + 1], (c->count - at) * sizeof(c->member[0]));
	/* What is behind the last is the same in equal configurations. */
	c->member[c->count] = (struct raft_member){0};
}

static int set_info(struct raft_member *m, struct span info, struct err *e)
{
	if (info.len > RAFT_INFO_MAX)
		return err_set(e, E2BIG, "member %" PRIu64 ": %zu bytes of info, at most %d", m->id,
		               info.len, RAFT_INFO_MAX);
	memset(m->info, 0, sizeof(m->info));
	if (info.len > 0)
		memcpy(m->info, info.p, info.len);
	m->info_len = (uint8_t)info.len;
	return 0;
}

static int add(struct raft_conf *c, const struct raft_change *change, struct err *e)
{
	struct raft_member m = {.id = change->id, .promote = change->promote};
	uint32_t at = c->count;

	if (m.id == 0)
		return err_set(e, EINVAL, "add: 0 is no member's id");
	if (conf_find(c, m.id) != NULL)
		return err_set(e, EINVAL, "add: %" PRIu64 " is a member already", m.id);
	if (c->count == RAFT_MEMBERS_MAX)
		return err_set(e, E2BIG, "add: there are %d members, no more fit",
		               RAFT_MEMBERS_MAX);
	if (set_info(&m, change->info, e) < 0)
		return -1;
	while (at > 0 && c->member[at - 1].id > m.id)
		at--;
	memmove(&c->member[at + 1], &c->member[at], (c->count - at) * sizeof(c->member[0]));
	c->member[at] = m;
	c->count++;
	return 0;
}

/* A change of a member that is there. */
static int change_member(struct raft_conf *c, const struct raft_change *change, uint32_t at,
                         struct err *e)
{
	struct raft_member *m = &c->member[at];

	switch (change->type) {
	case RAFT_PROMOTE:
	case RAFT_DEMOTE:
		if (m->voter == (change->type == RAFT_PROMOTE))
			return err_set(e, EINVAL, "%" PRIu64 " is a %s already", m->id,
			               m->voter ? "voter" : "learner");
		m->voter = !m->voter;
		m->promote = false;
		return 0;
	case RAFT_REMOVE:
		if (!m->was_voter) {
			drop(c, at);
			return 0;
		}
		m->voter = false;
		m->promote = false;
		m->leaving = true;
		return 0;
	case RAFT_SET_INFO:
		return set_info(m, change->info, e);
	case RAFT_ADD:
		break;
	}
	return err_set(e, EINVAL, "%d is no change", (int)change->type);
}

static int apply(struct raft_conf *c, const struct raft_change *change, struct err *e)
{
	if (change->type == RAFT_ADD)
		return add(c, change, e);
	for (uint32_t i = 0; i < c->count; i++) {
		if (c->member[i].id == change->id && !c->member[i].leaving)
			return change_member(c, change, i, e);
	}
	return err_set(e, EINVAL, "%" PRIu64 " is no member", change->id);
}

static bool voters_differ(const struct raft_conf *c)
{
	for (uint32_t i = 0; i < c->count; i++) {
		if (c->member[i].voter != c->member[i].was_voter)
			return true;
	}
	return false;
}

int conf_change(const struct raft_conf *from, const struct raft_change *changes, size_t n,
                struct raft_conf *ret, struct err *e)
{
	struct raft_conf c = *from;

	if (c.joint)
		return err_set(e, EINVAL, "the members are being changed already");
	if (n == 0)
		return err_set(e, EINVAL, "there is nothing to change");
	for (uint32_t i = 0; i < c.count; i++)
		c.member[i].was_voter = c.member[i].voter;
	for (size_t i = 0; i < n; i++) {
		if (apply(&c, &changes[i], e) < 0)
			return -1;
	}
	if (voters(&c, NEW) == 0)
		return err_set(e, EINVAL, "no voter would be left");
	c.joint = voters_differ(&c);
	*ret = c;
	return 0;
}

void conf_leave_joint(const struct raft_conf *from, struct raft_conf *ret)
{
	*ret = *from;
	ret->joint = false;
	for (uint32_t i = ret->count; i-- > 0;) {
		if (ret->member[i].leaving)
			drop(ret, i);
		else
			ret->member[i].was_voter = ret->member[i].voter;
	}
}

/*
 * Bytes: version u8, joint u8, count u16; a member is its id u64, flags u8, info_len u8, info.
 */
static uint8_t flags_of(const struct raft_conf *c, uint32_t i)
{
	const struct raft_member *m = &c->member[i];

	return (uint8_t)((m->voter ? FLAG_VOTER : 0) | (votes(c, i, OLD) ? FLAG_WAS_VOTER : 0) |
	                 (m->promote ? FLAG_PROMOTE : 0) | (m->leaving ? FLAG_LEAVING : 0));
}

void conf_put(struct buf *b, const struct raft_conf *c)
{
	assert(c->count <= RAFT_MEMBERS_MAX);
	le_add8(b, CONF_VERSION);
	le_add8(b, c->joint);
	le_add16(b, (uint16_t)c->count);
	for (uint32_t i = 0; i < c->count; i++) {
		const struct raft_member *m = &c->member[i];

		assert(m->info_len <= RAFT_INFO_MAX);
		le_add64(b, m->id);
		le_add8(b, flags_of(c, i));
		le_add8(b, m->info_len);
		buf_add(b, m->info, m->info_len);
	}
}

static void get_member(struct le_reader *r, struct raft_member *m)
{
	uint8_t flags;
	struct span info;

	m->id = le_take64(r);
	flags = le_take8(r);
	m->voter = flags & FLAG_VOTER;
	m->was_voter = flags & FLAG_WAS_VOTER;
	m->promote = flags & FLAG_PROMOTE;
	m->leaving = flags & FLAG_LEAVING;
	info.len = le_take8(r);
	if (flags > (FLAG_VOTER | FLAG_WAS_VOTER | FLAG_PROMOTE | FLAG_LEAVING) ||
	    info.len > RAFT_INFO_MAX)
		r->failed = true;
	info = le_take(r, info.len);
	m->info_len = (uint8_t)info.len;
	if (info.len > 0)
		memcpy(m->info, info.p, info.len);
}

/* Could conf_change() or conf_leave_joint() have led to it? */
static bool makes_sense(const struct raft_conf *c)
{
	for (uint32_t i = 0; i < c->count; i++) {
		const struct raft_member *m = &c->member[i];

		if (m->id == 0 || (i > 0 && m->id <= m[-1].id))
			return false;
		if (m->leaving && (m->voter || !m->was_voter))
			return false;
		if (m->promote && (m->voter || m->was_voter))
			return false;
	}
	return voters_differ(c) == c->joint && voters(c, NEW) > 0 && voters(c, OLD) > 0;
}

int conf_get(struct span bytes, struct raft_conf *ret, struct err *e)
{
	struct le_reader r = {bytes.p, bytes.len, false};
	uint8_t version = le_take8(&r);
	uint8_t joint;

	*ret = (struct raft_conf){.joint = false};
	if (!r.failed && version != CONF_VERSION)
		return err_set(e, EPROTONOSUPPORT, "configuration of version %u, known is %d",
		               version, CONF_VERSION);
	joint = le_take8(&r);
	ret->joint = joint == 1;
	ret->count = le_take16(&r);
	if (joint > 1 || ret->count > RAFT_MEMBERS_MAX)
		r.failed = true;
	for (uint32_t i = 0; i < ret->count && !r.failed; i++)
		get_member(&r, &ret->member[i]);
	if (!le_is_done(&r) || !makes_sense(ret))
		return err_set(e, EBADMSG, "%zu bytes that are no configuration", bytes.len);
	return 0;
}
