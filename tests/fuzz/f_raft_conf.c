/*
 * raft_conf: configurations of foreign bytes.  What is read has voters, decides by majorities, can
 * be left if it is joint and changed if not, and is written again as the same bytes.
 */
#include <errno.h>
#include <string.h>

#include "fuzz.h"
#include "raft/conf.h"

static void check_bytes(const struct raft_conf *c, const char *data, size_t size)
{
	struct buf again = {0};
	struct err e;

	conf_put(&again, c);
	CHECK(buf_ok(&again, &e) == 0 && again.len <= RAFT_CONF_BYTES_MAX);
	CHECK(data == NULL || (again.len == size && memcmp(again.data, data, size) == 0));
	buf_done(&again);
}

static void check_majorities(const struct raft_conf *c)
{
	bool all[RAFT_MEMBERS_MAX];
	bool none[RAFT_MEMBERS_MAX] = {false};
	uint64_t reached[RAFT_MEMBERS_MAX];

	for (unsigned i = 0; i < RAFT_MEMBERS_MAX; i++) {
		all[i] = true;
		reached[i] = 7;
	}
	CHECK(conf_has_quorum(c, all) && !conf_has_quorum(c, none));
	CHECK(conf_is_lost(c, all) && !conf_is_lost(c, none));
	CHECK(conf_quorum_index(c, reached) == 7);
}

static void check_conf(const struct raft_conf *c)
{
	struct raft_change change = {.type = RAFT_REMOVE, .id = c->member[0].id};
	struct raft_conf next;
	struct err e;

	check_majorities(c);
	for (uint32_t i = 0; i < c->count; i++)
		CHECK(conf_find(c, c->member[i].id) == &c->member[i]);
	if (c->joint) {
		CHECK(conf_change(c, &change, 1, &next, &e) < 0);
		conf_leave_joint(c, &next);
		CHECK(!next.joint);
	} else if (conf_change(c, &change, 1, &next, &e) < 0) {
		CHECK(e.code == EINVAL);
		return;
	}
	check_majorities(&next);
	check_bytes(&next, NULL, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct raft_conf c;
	struct err e = {.code = 0};

	if (conf_get((struct span){(const char *)data, size}, &c, &e) < 0) {
		CHECK(e.code == EBADMSG || e.code == EPROTONOSUPPORT);
		return 0;
	}
	check_bytes(&c, (const char *)data, size);
	check_conf(&c);
	return 0;
}
