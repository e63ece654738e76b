/*
 * raft/change: members come, go, and change what they are (section 6; thesis, 4.2 and 4.3).
 *
 * A configuration counts from when it is appended.  While one is not committed, or joint, no other
 * may follow; whoever leads when a joint one is committed appends its end.  A leader that is no
 * voter any more goes on until the configuration that says so is committed, then hands over.
 *
 * A node campaigns only while it is a voter, with one exception (thesis, 4.2.2): as long as it does
 * not know that the configuration which excludes it is committed, the cluster may still need it to
 * get there.
 */
#include <errno.h>
#include <string.h>

#include "raft/raft_impl.h"

static bool votes(const struct raft_conf *c, uint64_t id)
{
	const struct raft_member *m = conf_find(c, id);

	return m != NULL && (m->voter || m->was_voter);
}

bool raft_is_voter(const struct raft *r)
{
	return votes(&r->conf, r->cfg.self);
}

bool raft_is_alone(const struct raft *r)
{
	for (uint32_t i = 0; i < r->conf.count; i++)
		if (r->conf.member[i].id != r->cfg.self &&
		    (r->conf.member[i].voter || r->conf.member[i].was_voter))
			return false;
	return raft_is_voter(r);
}

/* Was it a voter in the configuration before the newest one? */
static bool was_voter(const struct raft *r)
{
	uint64_t before = raft_log_conf_before(&r->log, r->conf_index - 1);
	struct raft_conf conf;
	struct err e;

	return raft_conf_load(r, before, &conf, &e) == 0 && votes(&conf, r->cfg.self);
}

bool raft_may_campaign(const struct raft *r)
{
	if (r->installing || raft_disk_is_stalled(r) || r->term + 1 >= RAFT_NUMBER_MAX)
		return false;
	return raft_is_voter(r) || (r->conf_index > r->commit && was_voter(r));
}

static void append_conf(struct raft *r, const struct raft_conf *c)
{
	struct buf data = {.data = NULL};
	struct err e;

	conf_put(&data, c);
	if (buf_ok(&data, &e) < 0)
		raft_fail(r, e.code, "%s", e.msg);
	else
		raft_append_own(r, RAFT_ENTRY_CONF, (struct span){data.data, data.len});
	buf_done(&data);
}

static bool is_behind(const struct raft *r, const struct raft_change *c)
{
	const struct raft_progress *p = raft_progress_find(r, c->id);

	return c->type == RAFT_PROMOTE && p != NULL && !raft_progress_is_caught_up(r, p);
}

static bool is_open(const struct raft *r)
{
	return raft_is_settled(r) && r->conf_index <= r->commit;
}

enum raft_status raft_change(struct raft *r, const struct raft_event *event,
                             struct raft_output *out)
{
	struct raft_conf next;
	struct err e;

	if (r->role != RAFT_LEADER)
		return RAFT_NOT_LEADER;
	if (r->transfer_to != 0)
		return RAFT_MOVING;
	if (!is_open(r) || r->conf.joint)
		return RAFT_NOT_YET;
	if (conf_change(&r->conf, event->changes, event->count, &next, &e) < 0) {
		memcpy(r->why, e.msg, sizeof(r->why));
		out->why = r->why;
		return RAFT_INVALID;
	}
	for (size_t i = 0; i < event->count; i++)
		if (is_behind(r, &event->changes[i]))
			return RAFT_BEHIND;
	out->first = (struct raft_point){raft_log_last(&r->log) + 1, r->term};
	append_conf(r, &next);
	return RAFT_OK;
}

static void promote(struct raft *r)
{
	for (uint32_t i = 0; i < r->conf.count; i++) {
		const struct raft_member *m = &r->conf.member[i];
		struct raft_change change = {.type = RAFT_PROMOTE, .id = m->id};
		struct raft_conf next;
		struct err e;

		if (m->voter || !m->promote || r->peers[i] == NULL ||
		    !raft_progress_is_caught_up(r, r->peers[i]))
			continue;
		if (conf_change(&r->conf, &change, 1, &next, &e) == 0)
			append_conf(r, &next);
		return;
	}
}

void raft_change_advance(struct raft *r)
{
	struct raft_conf next;

	if (!is_open(r) || r->transfer_to != 0)
		return;
	if (r->conf.joint) {
		conf_leave_joint(&r->conf, &next);
		append_conf(r, &next);
	} else if (!raft_is_voter(r)) {
		raft_send_all(r);
		raft_hand_over(r);
	} else {
		promote(r);
	}
}
