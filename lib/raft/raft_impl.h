/*
 * raft_impl: the inside of struct raft, for the files of the core.
 *
 * Pure.  How a step runs (raft.c): the event changes the state; a leader then sends whatever each
 * peer lacks and may have (replicate.c), a candidate asks once its own vote is on disk
 * (election.c), a follower acknowledges what has become durable (follower.c); at last the write of
 * the step is put together (durable.c).  So a handler only changes the state, and what leaves
 * follows from the state in one place.
 *
 * Failures that end the node (ENOMEM, EBADMSG) are kept in r->failure by raft_fail(); the step
 * goes on with a consistent state and its caller gets the failure at the end.
 */
#ifndef SHOAL_RAFT_RAFT_IMPL_H
#define SHOAL_RAFT_RAFT_IMPL_H

#include "raft/raft.h"

/* Terms and indexes of a message lie below, so that sums of them do not overflow. */
#define RAFT_NUMBER_MAX (UINT64_C(1) << 62)

/* Writes on their way to disk that are told apart; more share the newest one's number. */
#define RAFT_PENDING_MAX 128

/* Rounds whose time of sending is remembered; an echo of an older one extends no lease. */
#define RAFT_ROUNDS_KEPT 64

/* Chunks of a snapshot on their way to one peer. */
#define RAFT_CHUNKS_AHEAD 16

/* What an uncommitted entry counts beside its data. */
#define RAFT_ENTRY_COST 64

/* The entries in memory: contiguous, from base.index + 1 on. */
struct raft_log {
	struct raft_entry *room;
	size_t capacity;
	size_t first; /* where the first entry stands in room */
	size_t count;
	struct raft_point base;
	uint64_t bytes;  /* of their data */
	uint64_t *confs; /* the indexes of those that are configurations, ascending */
	size_t conf_count, conf_capacity;
};

void raft_log_done(struct raft_log *l);

static inline uint64_t raft_log_last(const struct raft_log *l)
{
	return l->base.index + l->count;
}

/* An entry that is there. */
static inline struct raft_entry *raft_log_get(const struct raft_log *l, uint64_t index)
{
	return &l->room[l->first + (index - l->base.index - 1)];
}

/* An entry, or NULL. */
static inline struct raft_entry *raft_log_at(const struct raft_log *l, uint64_t index)
{
	if (index <= l->base.index || index > raft_log_last(l))
		return NULL;
	return raft_log_get(l, index);
}

/* The term at an index from the base to the last, or 0. */
static inline uint64_t raft_log_term(const struct raft_log *l, uint64_t index)
{
	const struct raft_entry *e = raft_log_at(l, index);

	if (e != NULL)
		return e->term;
	return index == l->base.index ? l->base.term : 0;
}

static inline struct raft_point raft_log_end(const struct raft_log *l)
{
	uint64_t last = raft_log_last(l);

	return (struct raft_point){.index = last, .term = raft_log_term(l, last)};
}

/* Is this point in the log? */
static inline bool raft_log_has(const struct raft_log *l, struct raft_point p)
{
	return p.index >= l->base.index && p.index <= raft_log_last(l) &&
	       raft_log_term(l, p.index) == p.term;
}

/* Copy an entry to the end; its index is the next one.  ENOMEM. */
int raft_log_append(struct raft_log *l, const struct raft_entry *entry, struct err *e);
/* The entries from an index on are gone. */
void raft_log_truncate(struct raft_log *l, uint64_t from);
/* The entries up to an index, which is not beyond the last, leave memory. */
void raft_log_compact(struct raft_log *l, uint64_t upto);
/* Empty, and begins behind a point. */
void raft_log_reset(struct raft_log *l, struct raft_point base);
/*
 * The highest index up to `index` whose term is at most `term`: where two logs may still agree
 * (section 5.3, the optimisation at its end).  Below the base it is base.index - 1, or 0.
 */
uint64_t raft_log_find(const struct raft_log *l, uint64_t index, uint64_t term);
/* The index of the newest configuration at or before `index`, or 0. */
uint64_t raft_log_conf_before(const struct raft_log *l, uint64_t index);

/* A write that is not durable yet. */
struct raft_pending {
	uint64_t number;
	uint64_t last; /* the log's end with it; lowered when its entries are overwritten */
	uint64_t term, vote;
	uint64_t since;
};

/* What is on disk, what is on its way there, and what this step adds. */
struct raft_disk {
	uint64_t number; /* of the last write that was given out */
	struct raft_pending pending[RAFT_PENDING_MAX];
	size_t first, count;
	uint64_t index; /* our entries up to it are durable */
	uint64_t term, vote;
	uint64_t written; /* entries up to it were given out */
	/* For the write of this step. */
	bool hard;
	bool reset;
	uint64_t truncate;
};

struct raft_flight {
	uint64_t last; /* index of the last entry in it */
	uint64_t bytes;
};

/* A member as the leader sees it. */
struct raft_progress {
	uint64_t id;
	enum raft_progress_state state;
	uint64_t match;
	uint64_t next;
	bool probing;        /* RAFT_PROBE: a message with entries is under way, */
	uint64_t probe_last; /* and this is its last one */
	uint64_t told_commit;
	uint64_t heard;
	uint64_t acked_round, acked_sent; /* the newest round it echoed, and when that was sent */
	/* RAFT_REPLICATE: messages without an answer, a ring of cfg.inflight. */
	struct raft_flight *flight;
	uint32_t flight_first, flight_count;
	uint64_t flight_bytes;
	/* Rounds of catching up (thesis, 4.2.1). */
	uint64_t round_end, round_begin;
	bool caught_up;
	/* RAFT_SENDS_SNAPSHOT. */
	struct raft_snapshot snapshot;
	uint64_t sent, acked; /* bytes */
	uint64_t advanced;    /* when acked grew, or we tried again */
	bool known;           /* it has said how much it has */
	bool chunk_due;       /* send one, known or not */
	uint64_t parts_at;    /* no member: then it is let go */
};

struct raft_round {
	uint64_t number;
	uint64_t sent;
};

/* A read that waits: our own, or one that a follower asks for. */
struct raft_ask {
	uint64_t context;
	uint64_t node;  /* 0: our own */
	uint64_t round; /* the one that confirms it; 0: the next one */
};

struct raft {
	struct raft_config cfg;
	uint64_t now;
	uint64_t random;
	bool failed;
	struct err failure;

	uint64_t term, vote;
	enum raft_role role;
	uint64_t leader;
	struct raft_log log;
	uint64_t commit;
	struct raft_snapshot snapshot; /* the newest of ours; point 0: none */
	bool snapshot_lost;            /* it cannot be read any more */
	struct raft_conf conf;         /* the newest, committed or not */
	uint64_t conf_index;
	uint64_t conf_changes; /* counts, for out.changed */
	struct raft_disk disk;

	/* Cluster clock. */
	uint64_t clock, clock_at;
	uint64_t clock_term; /* of the leader whose clock it is */

	/* Not a leader. */
	uint64_t election_at;
	uint64_t heard; /* when the leader spoke last, or our start: sticky from then on */
	/* A candidate. */
	uint64_t ballot; /* context of its question */
	bool asked;
	bool forced;
	bool yes[RAFT_MEMBERS_MAX], no[RAFT_MEMBERS_MAX]; /* beside conf.member */
	/* A vote that was given and is not durable yet. */
	uint64_t vote_owed, vote_context;
	/* A follower. */
	uint64_t verified; /* up to it our log is the leader's */
	bool ack_due, ack_waits;
	uint64_t ack_told, ack_context;
	/* A snapshot that comes in; point 0: none. */
	struct raft_point incoming;
	uint64_t incoming_sum, incoming_size;
	uint64_t received, stored; /* bytes that were given out, and that are durable */
	bool installing; /* complete; nothing is appended or committed until it is loaded */

	/* A leader. */
	struct raft_progress *peers[RAFT_MEMBERS_MAX]; /* beside conf.member */
	/* No members any more; they are sent the log for a while, so that they learn it. */
	struct raft_progress *parting[RAFT_MEMBERS_MAX];
	uint64_t first_index; /* of its own term: the no-op */
	uint64_t uncommitted; /* bytes */
	uint64_t heartbeat_at;
	uint64_t round;    /* the newest */
	bool round_unsent; /* it begins in this step */
	struct raft_round rounds[RAFT_ROUNDS_KEPT];
	bool no_lease; /* in this term: leadership was to be handed over */
	uint64_t transfer_to, transfer_until;
	bool transfer_told;

	/* Reads: first those of round ask_round, then those for the next one. */
	struct raft_ask *asks;
	size_t ask_count, ask_capacity;
	uint64_t ask_round, ask_index;
	/* A follower's own reads: numbered, and asked for together. */
	uint64_t forward_number; /* of the newest question */
	bool forward_open;       /* it has no answer yet */
	uint64_t forward_since, forward_at;

	/* The output of the step. */
	struct raft_message *messages;
	size_t message_count, message_capacity;
	struct raft_message scratch;
	struct raft_read *reads;
	size_t read_count, read_capacity;
	char why[ERR_MSG_MAX];
	enum raft_drop drop;
	const struct raft_message *chunk;
	uint64_t compacted;
};

/* ---- raft.c */

/* The node cannot go on. */
void __attribute__((format(printf, 3, 4)))
raft_fail(struct raft *r, int code, const char *fmt, ...);
/* An array of `size` bytes an element, with room for one more; NULL: raft_fail() was called. */
void *raft_room(struct raft *r, void *array, size_t *capacity, size_t count, size_t size);
/* A message to send, its head filled in; never NULL. */
struct raft_message *raft_say(struct raft *r, enum raft_message_type type, uint64_t to);
void raft_answer_read(struct raft *r, uint64_t context, bool granted, uint64_t index);
uint64_t raft_random(struct raft *r);
/* Where a member stands in the configuration, or -1. */
int raft_place(const struct raft *r, uint64_t id);
/* Is this node a voter, in the old or in the new set? */
bool raft_is_voter(const struct raft *r);
/* Nobody but this node votes. */
bool raft_is_alone(const struct raft *r);
/* Append an entry of the leader's: type and data; the rest is filled in. */
void raft_append_own(struct raft *r, uint8_t type, struct span data);
/* The configuration that stands at an index of the log, or the snapshot's for any other. */
int raft_conf_load(const struct raft *r, uint64_t index, struct raft_conf *ret, struct err *e);
/* The log has changed: which configuration counts? */
void raft_conf_refresh(struct raft *r);

/* ---- check.c */

/* Does a message contradict itself, whatever our state is? */
bool raft_check(const struct raft_message *m);
/* Can this code understand the entry? */
int raft_check_entry(const struct raft_entry *entry, struct err *e);

/* ---- durable.c */

void raft_disk_truncate(struct raft *r, uint64_t from);
void raft_disk_reset(struct raft *r, struct raft_point base);
void raft_disk_report(struct raft *r, uint64_t number);
void raft_disk_write(struct raft *r, struct raft_output *out);
/* Are the term and the vote on disk? */
bool raft_disk_is_hard(const struct raft *r);
/* The age of the oldest write that is not durable. */
uint64_t raft_disk_age(const struct raft *r);
bool raft_disk_is_stalled(const struct raft *r);

/* ---- clock.c */

void raft_clock_learn(struct raft *r, uint64_t clock_ns);
/* What the leader of a term says it is. */
void raft_clock_hear(struct raft *r, uint64_t term, uint64_t clock_ns);
/* Leadership begins. */
void raft_clock_run(struct raft *r);
/* Before each event: what has passed under this leader. */
void raft_clock_advance(struct raft *r);

/* ---- election.c */

/* A follower of `leader` (0: of nobody yet) in `term`, which is not below ours. */
void raft_follow(struct raft *r, uint64_t term, uint64_t leader);
/* The leader of our term has spoken. */
void raft_hear(struct raft *r, uint64_t leader);
void raft_draw_timeout(struct raft *r);
void raft_election_tick(struct raft *r);
bool raft_is_sticky(const struct raft *r);
void raft_on_prevote(struct raft *r, const struct raft_message *m);
void raft_on_prevote_reply(struct raft *r, const struct raft_message *m);
void raft_on_vote(struct raft *r, const struct raft_message *m);
void raft_on_vote_reply(struct raft *r, const struct raft_message *m);
void raft_on_timeout_now(struct raft *r, const struct raft_message *m);
/* After each event: the votes that have become durable, our own and those we owe. */
void raft_election_advance(struct raft *r);

/* ---- follower.c */

void raft_on_append(struct raft *r, const struct raft_message *m);
/* After each event: acknowledge what has become durable. */
void raft_follower_advance(struct raft *r);
/* All up to this index is known to be the leader's log: more of the leader's commit counts. */
void raft_commit_to(struct raft *r, uint64_t index);

/* ---- progress.c */

struct raft_progress *raft_progress_new(struct raft *r, uint64_t id);
void raft_progress_free(struct raft_progress *p);
struct raft_progress *raft_progress_find(const struct raft *r, uint64_t id);
/* One for each member of the configuration; those that are there stay, who left parts. */
void raft_progress_arrange(struct raft *r);
/* Let those go that parted long enough ago. */
void raft_progress_tick(struct raft *r);
void raft_progress_clear(struct raft *r);
void raft_progress_probe(struct raft_progress *p, uint64_t next);
void raft_progress_replicate(struct raft_progress *p, uint64_t next);
void raft_progress_snapshot(struct raft *r, struct raft_progress *p);
bool raft_flight_is_full(const struct raft *r, const struct raft_progress *p);
void raft_flight_add(struct raft *r, struct raft_progress *p, uint64_t last, uint64_t bytes);
/* It has our log up to `index`, durable. */
void raft_progress_ack(struct raft *r, struct raft_progress *p, uint64_t index);
bool raft_progress_is_caught_up(const struct raft *r, const struct raft_progress *p);
bool raft_progress_is_alive(const struct raft *r, const struct raft_progress *p);
/* The voter, other than this node, that has most of the log and is alive; or NULL. */
struct raft_progress *raft_progress_furthest(const struct raft *r);

/* ---- replicate.c */

void raft_lead(struct raft *r);
void raft_leader_tick(struct raft *r);
void raft_on_append_reply(struct raft *r, const struct raft_message *m);
void raft_leader_unreachable(struct raft *r, uint64_t node);
/* After each event: commit, and send. */
void raft_leader_advance(struct raft *r);
/* Send each peer what it lacks and may have. */
void raft_send_all(struct raft *r);
/* When a quorum was last heard from. */
uint64_t raft_quorum_heard(const struct raft *r);
enum raft_status raft_propose(struct raft *r, const struct raft_event *event,
                              struct raft_output *out);
/* Has an entry of the leader's own term been committed? */
bool raft_is_settled(const struct raft *r);

/* ---- read.c */

/* Begin a round: appends of this step carry its number. */
void raft_round_begin(struct raft *r);
void raft_round_echo(struct raft *r, struct raft_progress *p, uint64_t number);
enum raft_status raft_ask_read(struct raft *r, uint64_t context);
void raft_on_read(struct raft *r, const struct raft_message *m);
void raft_on_read_reply(struct raft *r, const struct raft_message *m);
/* After each event of a leader: answer what is confirmed, begin the round that is waited for. */
void raft_reads_advance(struct raft *r);
/* The leader is another one or none: nobody will answer. */
void raft_reads_fail(struct raft *r);
void raft_reads_tick(struct raft *r);
/* When raft_reads_tick() is wanted. */
uint64_t raft_reads_deadline(const struct raft *r);
uint64_t raft_lease_until(const struct raft *r);

/* ---- change.c */

enum raft_status raft_change(struct raft *r, const struct raft_event *event,
                             struct raft_output *out);
/* After each event of a leader: end a joint configuration, promote, step down. */
void raft_change_advance(struct raft *r);
/* May this node begin an election? */
bool raft_may_campaign(const struct raft *r);

/* ---- transfer.c */

enum raft_status raft_transfer(struct raft *r, uint64_t node, struct raft_output *out);
void raft_transfer_advance(struct raft *r);
void raft_transfer_tick(struct raft *r);
/* Step down, and tell the peer that is furthest to begin. */
void raft_hand_over(struct raft *r);

/* ---- snapshot.c */

void raft_snapshot_taken(struct raft *r, const struct raft_snapshot *s);
void raft_snapshot_lost(struct raft *r, struct raft_point point);
void raft_snapshot_installed(struct raft *r, const struct raft_snapshot *s);
void raft_chunk_stored(struct raft *r, const struct raft_event *event);
void raft_on_snapshot(struct raft *r, const struct raft_message *m);
void raft_on_snapshot_reply(struct raft *r, const struct raft_message *m);
/* Send what the peer may have of its snapshot. */
void raft_snapshot_send(struct raft *r, struct raft_progress *p);
void raft_snapshot_tick(struct raft *r, struct raft_progress *p);

#endif
