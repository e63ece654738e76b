/*
 * raft/election: who leads.
 *
 * Pre-vote (thesis, 9.6) keeps a node that cannot win from raising the term; stickiness (4.2.3)
 * keeps one that hears no leader from deposing a leader that others hear; check-quorum (6.2, in
 * replicate.c) ends a leader that nobody hears.  The three together may lock each other out when
 * some node has a higher term than the leader; so whatever asks with an old term is answered with
 * the new one, and a leader that gets such an answer steps down.
 *
 * The nodes that this one does not listen to for a while after its start are those that would have
 * it vote: it may have acknowledged a lease just before it stopped.
 */
#include "raft/raft_impl.h"

void raft_draw_timeout(struct raft *r)
{
	r->election_at = r->now + r->cfg.election_ns + raft_random(r) % r->cfg.election_ns;
}

/* Everything that belongs to the old term ends with it (section 5.1). */
static void set_term(struct raft *r, uint64_t term, uint64_t vote)
{
	r->term = term;
	r->vote = vote;
	r->disk.hard = true;
	r->vote_owed = 0;
	r->verified = r->commit;
	r->ack_due = r->ack_waits = false;
	r->ack_told = r->ack_context = 0;
}

static void stop_leading(struct raft *r)
{
	raft_progress_clear(r);
	r->transfer_to = 0;
	r->uncommitted = 0;
}

void raft_follow(struct raft *r, uint64_t term, uint64_t leader)
{
	if (term != r->term || leader != r->leader)
		raft_reads_fail(r);
	if (r->role == RAFT_LEADER)
		stop_leading(r);
	if (r->role != RAFT_FOLLOWER) {
		r->role = RAFT_FOLLOWER;
		raft_draw_timeout(r);
	}
	if (term > r->term)
		set_term(r, term, 0);
	r->leader = leader;
}

void raft_hear(struct raft *r, uint64_t leader)
{
	if (r->role != RAFT_FOLLOWER || r->leader != leader)
		raft_follow(r, r->term, leader);
	r->heard = r->now;
	raft_draw_timeout(r);
}

bool raft_is_sticky(const struct raft *r)
{
	uint64_t since = r->role == RAFT_LEADER ? raft_quorum_heard(r) : r->heard;

	return r->now - since < r->cfg.election_ns;
}

/* Is a log that ends there at least as good as ours? (section 5.4.1) */
static bool is_up_to_date(const struct raft *r, struct raft_point last)
{
	struct raft_point own = raft_log_end(&r->log);

	return last.term > own.term || (last.term == own.term && last.index >= own.index);
}

/* ---- Asking */

static void begin_ballot(struct raft *r, enum raft_role role)
{
	r->role = role;
	r->leader = 0;
	r->ballot = raft_random(r);
	r->asked = false;
	for (int i = 0; i < RAFT_MEMBERS_MAX; i++)
		r->yes[i] = r->no[i] = false;
	raft_draw_timeout(r);
}

static void ask_voters(struct raft *r, enum raft_message_type type, uint64_t term)
{
	r->asked = true;
	for (uint32_t i = 0; i < r->conf.count; i++) {
		const struct raft_member *member = &r->conf.member[i];
		struct raft_message *m;

		if (member->id == r->cfg.self)
			r->yes[i] = true;
		if (member->id == r->cfg.self || (!member->voter && !member->was_voter))
			continue;
		m = raft_say(r, type, member->id);
		m->term = term;
		m->prev = raft_log_end(&r->log);
		m->context = r->ballot;
		m->forced = r->forced && type == RAFT_VOTE;
	}
}

/* The question leaves once our own vote is on disk: raft_election_advance(). */
static void campaign(struct raft *r, bool forced)
{
	raft_reads_fail(r);
	set_term(r, r->term + 1, r->cfg.self);
	begin_ballot(r, RAFT_CANDIDATE);
	r->forced = forced;
}

static void count_ballot(struct raft *r)
{
	if (conf_has_quorum(&r->conf, r->yes)) {
		if (r->role == RAFT_PRECANDIDATE)
			campaign(r, false);
		else
			raft_lead(r);
	} else if (conf_is_lost(&r->conf, r->no)) {
		raft_follow(r, r->term, 0);
	}
}

void raft_election_tick(struct raft *r)
{
	if (r->role == RAFT_LEADER || r->now < r->election_at)
		return;
	if (!raft_may_campaign(r)) {
		raft_follow(r, r->term, 0);
		raft_draw_timeout(r);
		return;
	}
	raft_reads_fail(r);
	begin_ballot(r, RAFT_PRECANDIDATE);
	ask_voters(r, RAFT_PREVOTE, r->term + 1);
	count_ballot(r);
}

void raft_on_timeout_now(struct raft *r, const struct raft_message *m)
{
	if (r->role == RAFT_LEADER || (r->leader != 0 && r->leader != m->from))
		r->drop = RAFT_DROP_INVALID;
	else if (raft_may_campaign(r))
		campaign(r, true);
}

/* ---- Answering */

static void answer(struct raft *r, const struct raft_message *m, enum raft_message_type type,
                   bool granted)
{
	struct raft_message *reply = raft_say(r, type, m->from);

	reply->context = m->context;
	reply->granted = granted;
	if (granted)
		reply->term = m->term;
}

/*
 * Would we vote for it?  Nothing changes here, neither term nor vote.  A node whose disk hangs
 * could not keep the promise and says nothing.
 */
void raft_on_prevote(struct raft *r, const struct raft_message *m)
{
	bool free;

	if (m->term < r->term) {
		answer(r, m, RAFT_PREVOTE_REPLY, false);
		return;
	}
	if (raft_is_sticky(r) || raft_disk_is_stalled(r)) {
		r->drop = RAFT_DROP_STICKY;
		return;
	}
	free = m->term > r->term || r->vote == m->from || (r->vote == 0 && r->leader == 0);
	answer(r, m, RAFT_PREVOTE_REPLY, free && is_up_to_date(r, m->prev));
}

void raft_on_prevote_reply(struct raft *r, const struct raft_message *m)
{
	int place = raft_place(r, m->from);

	if (place >= 0 && !m->granted && m->term > r->term) {
		raft_follow(r, m->term, 0);
	} else if (place < 0 || r->role != RAFT_PRECANDIDATE || m->context != r->ballot ||
	           (m->granted && m->term != r->term + 1)) {
		r->drop = RAFT_DROP_STALE;
	} else {
		(m->granted ? r->yes : r->no)[place] = true;
		count_ballot(r);
	}
}

/*
 * A vote is for a term and a log: one that was given before is given again only while the log
 * still satisfies, since a candidate that lost its memory may ask a second time.
 */
void raft_on_vote(struct raft *r, const struct raft_message *m)
{
	bool free;

	if (m->term < r->term) {
		answer(r, m, RAFT_VOTE_REPLY, false);
		return;
	}
	if (!m->forced && raft_is_sticky(r)) {
		r->drop = RAFT_DROP_STICKY;
		return;
	}
	if (m->term > r->term)
		raft_follow(r, m->term, 0);
	free = r->vote == m->from || (r->vote == 0 && r->leader == 0);
	if (!free || !is_up_to_date(r, m->prev)) {
		answer(r, m, RAFT_VOTE_REPLY, false);
		return;
	}
	if (r->vote == 0) {
		r->vote = m->from;
		r->disk.hard = true;
	}
	r->vote_owed = m->from;
	r->vote_context = m->context;
	raft_draw_timeout(r);
}

void raft_on_vote_reply(struct raft *r, const struct raft_message *m)
{
	int place = raft_place(r, m->from);

	if (r->role != RAFT_CANDIDATE || !r->asked || m->context != r->ballot || place < 0) {
		r->drop = RAFT_DROP_STALE;
		return;
	}
	(m->granted ? r->yes : r->no)[place] = true;
	count_ballot(r);
}

void raft_election_advance(struct raft *r)
{
	struct raft_message *m;

	if (!raft_disk_is_hard(r))
		return;
	if (r->role == RAFT_CANDIDATE && !r->asked) {
		ask_voters(r, RAFT_VOTE, r->term);
		count_ballot(r);
	}
	if (r->vote_owed != 0) {
		m = raft_say(r, RAFT_VOTE_REPLY, r->vote_owed);
		m->granted = true;
		m->context = r->vote_context;
		r->vote_owed = 0;
	}
}
