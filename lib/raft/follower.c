/*
 * raft/follower: takes the leader's entries and acknowledges what is on disk.
 *
 * `verified` is how far our log is known to be the leader's, in this term: commits go no further
 * (section 5.3), and acknowledgements are the smaller of it and what is durable.  An append that
 * asks for an echo of its round is answered at once with what can be vouched for by then; others
 * are answered when their entries are durable.
 */
#include <errno.h>

#include "raft/raft_impl.h"

void raft_commit_to(struct raft *r, uint64_t index)
{
	if (index > r->commit)
		r->commit = index;
}

static uint64_t vouched(const struct raft *r)
{
	return r->disk.index < r->verified ? r->disk.index : r->verified;
}

/*
 * Our log does not have prev.  The hint is the highest point of ours that the leader may share:
 * entries of a higher term than prev's are not in its log before prev (section 5.3).
 */
static void refuse(struct raft *r, const struct raft_message *m)
{
	struct raft_message *reply = raft_say(r, RAFT_APPEND_REPLY, m->from);
	uint64_t index = raft_log_find(&r->log, m->prev.index, m->prev.term);

	if (index < r->commit)
		index = r->commit;
	reply->prev = (struct raft_point){.index = index, .term = raft_log_term(&r->log, index)};
	reply->context = m->context;
}

/* Does the leader contradict what is committed?  Then its log or ours is wrong, for ever. */
static bool contradicts(struct raft *r, struct raft_point p)
{
	uint64_t own = raft_log_term(&r->log, p.index);

	if (p.index > r->commit || p.index < r->log.base.index || own == p.term)
		return false;
	raft_fail(r, EBADMSG,
	          "the leader has term %llu at index %llu, which is committed here with term %llu",
	          (unsigned long long)p.term, (unsigned long long)p.index, (unsigned long long)own);
	return true;
}

/* Append the entries from entries[i] on, all or none; they are new. */
static bool append_new(struct raft *r, const struct raft_message *m, size_t i)
{
	bool has_conf = false;
	struct err e;

	for (size_t j = i; j < m->count; j++) {
		if (raft_check_entry(&m->entries[j], &e) < 0) {
			raft_fail(r, e.code, "%s", e.msg);
			return false;
		}
		has_conf |= m->entries[j].type == RAFT_ENTRY_CONF;
	}
	for (; i < m->count; i++) {
		if (raft_log_append(&r->log, &m->entries[i], &e) < 0) {
			raft_fail(r, e.code, "%s", e.msg);
			return false;
		}
	}
	if (has_conf)
		raft_conf_refresh(r);
	return true;
}

/*
 * Cut only where an entry conflicts (section 5.3): a message that is late and short says nothing
 * about what follows it.  A leader that takes back what it showed in this term is none.
 */
static bool cut_conflict(struct raft *r, uint64_t from)
{
	if (from > raft_log_last(&r->log))
		return true;
	if (from <= r->verified) {
		r->drop = RAFT_DROP_INVALID;
		return false;
	}
	raft_log_truncate(&r->log, from);
	raft_disk_truncate(r, from);
	raft_conf_refresh(r);
	return true;
}

/* False: refused, dropped, or the end of this node. */
static bool take(struct raft *r, const struct raft_message *m)
{
	size_t i = 0;

	if (contradicts(r, m->prev))
		return false;
	if (m->prev.index > r->commit && !raft_log_has(&r->log, m->prev)) {
		refuse(r, m);
		return false;
	}
	for (; i < m->count; i++) {
		struct raft_point p = {m->entries[i].index, m->entries[i].term};

		if (contradicts(r, p))
			return false;
		if (p.index > r->commit && !raft_log_has(&r->log, p))
			break;
	}
	if (i < m->count && (!cut_conflict(r, m->entries[i].index) || !append_new(r, m, i)))
		return false;
	if (m->prev.index + m->count > r->verified)
		r->verified = m->prev.index + m->count;
	return true;
}

/* Everything up to the commit index is every later leader's log. */
void raft_on_append(struct raft *r, const struct raft_message *m)
{
	if (r->role == RAFT_LEADER || (r->leader != 0 && r->leader != m->from)) {
		r->drop = RAFT_DROP_INVALID;
		return;
	}
	raft_hear(r, m->from);
	raft_clock_hear(r, m->term, m->clock_ns);
	if (r->verified < r->commit)
		r->verified = r->commit;
	if (!r->installing && !take(r, m))
		return;
	if (!r->installing)
		raft_commit_to(r, m->commit < r->verified ? m->commit : r->verified);
	if (m->context > r->ack_context)
		r->ack_context = m->context;
	if (m->context != 0)
		r->ack_due = true;
	if (m->count > 0)
		r->ack_waits = true;
}

void raft_follower_advance(struct raft *r)
{
	uint64_t index = vouched(r);
	struct raft_message *m;

	if (r->role != RAFT_FOLLOWER || r->leader == 0 || !raft_disk_is_hard(r))
		return;
	if (!r->ack_due && !(r->ack_waits && (index > r->ack_told || index >= r->verified)))
		return;
	m = raft_say(r, RAFT_APPEND_REPLY, r->leader);
	m->granted = true;
	m->prev = (struct raft_point){.index = index, .term = raft_log_term(&r->log, index)};
	m->context = r->ack_context;
	r->ack_told = index;
	r->ack_due = false;
	r->ack_waits = index < r->verified;
	r->ack_context = 0;
}
