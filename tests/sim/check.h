/*
 * check: the invariants, looked at after each step of a node, and only at what the step touched.
 *
 * The simulator keeps books of its own: of each node's log in memory and on disk (term and a hash
 * of all up to there, for each index), of what was committed first by anybody, of the state's hash
 * after each entry.  The invariants are those of the Raft paper (figure 3) and of Ongaro's thesis,
 * and what the store promises of sessions, locks and commands that are done once.
 */
#ifndef SHOAL_SIM_CHECK_H
#define SHOAL_SIM_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kv/kv.h"
#include "raft/raft.h"

struct world;
struct node;

/* An entry's term, and a hash of it and of all before it. */
struct mark {
	uint64_t term;
	uint64_t hash;
};

/* marks[i] is that of index base + i; marks[0] that of the base. */
struct marks {
	uint64_t base;
	struct mark *at;
	size_t count, cap;
};

/* What was given out to write and is not reported durable. */
struct check_write {
	struct check_write *next;
	uint64_t number;
	bool hard, reset;
	uint64_t term, vote;
	struct mark base_mark;
	uint64_t base;
	uint64_t truncate;
	size_t count;
	struct mark marks[];
};

struct check_conf {
	uint64_t index, term;
	struct raft_conf conf;
};

#define CHECK_CONFS_MAX 64 /* in one node's log at once */

struct check_node {
	struct marks log, disk;
	uint64_t disk_term, disk_vote;
	struct check_write *writes, **writes_end;
	uint64_t last_written; /* the number of the newest write */
	enum raft_role role;
	uint64_t term, vote, leader;
	uint64_t commit, applied, snapshot;
	bool snapshot_begun;    /* bytes of one that is received are on disk, not all */
	uint64_t kept_snapshot; /* the newest that was reported durable, over restarts */
	uint32_t confs[CHECK_CONFS_MAX];
	unsigned conf_count;
};

struct committed {
	struct mark mark;
	uint64_t term;  /* of the node that knew it first: a leader */
	uint64_t at;    /* when */
	uint64_t state; /* kv_hash() when it was applied; 0: nobody has yet */
	uint64_t clock_ns;
};

/* Of each session, by its number. */
struct check_session {
	bool made, alive;
	uint64_t ttl_ns;
	uint64_t renewed_ns; /* cluster clock */
	uint64_t acked_at;   /* the world's time at which an acknowledged renewal was sent */
};

struct check_seen {
	uint64_t term, hash;
	uint32_t next; /* of the same index; 0: none */
};

#define CHECK_KEYS     64
#define CHECK_CLIENTS  512
#define CHECK_SESSIONS 4096

struct check {
	uint64_t *leader_of; /* by term; 0: none was seen */
	size_t terms;
	struct committed *committed; /* by index; [0] is before the first */
	uint64_t commit;             /* the highest */
	size_t committed_cap;
	uint64_t applied; /* the highest */
	uint32_t *heads;  /* by index, into seen */
	size_t heads_cap;
	struct check_seen *seen;
	uint32_t seen_count, seen_cap;
	struct check_conf *confs;
	uint32_t conf_count, conf_cap;
	uint32_t *conf_committed; /* numbers of confs, by their index */
	uint32_t conf_committed_count;
	struct check_session *sessions;
	uint64_t session_count; /* alive */
	uint64_t session_last;  /* the highest number */
	uint64_t fence[CHECK_KEYS];
	uint64_t *once[CHECK_CLIENTS]; /* by client and number: the index at which it was applied */
	size_t once_cap[CHECK_CLIENTS];
};

void check_begin(struct world *w);
void check_done(struct world *w);
void check_node_done(struct check_node *c);

/* A node has started: what it has must be what its disk promised. */
void check_started(struct world *w, struct node *n);
/* A step of the core, before anything comes of it. */
void check_stepped(struct world *w, struct node *n, const struct raft_event *event,
                   const struct raft_output *out);
/* A message that leaves. */
void check_sent(struct world *w, struct node *n, const struct raft_message *m);
void check_applied(struct world *w, struct node *n, const struct raft_entry *entry,
                   const struct kv_output *out);
void check_installed(struct world *w, struct node *n, struct raft_point at);
/* A client was told that its proposal is done. */
void check_acked(struct world *w, struct raft_point at);

/* ---- Between the parts. */

const struct mark *marks_at(const struct marks *m, uint64_t index); /* or NULL */
uint64_t marks_last(const struct marks *m);
void marks_reset(struct marks *m, uint64_t base, struct mark at);
void marks_cut(struct marks *m, uint64_t from);
void marks_push(struct marks *m, struct mark at);
struct mark mark_entry(struct mark before, const struct raft_entry *entry);

/* Log matching: one (index, term) has one hash. */
void check_seen(struct world *w, const struct node *n, uint64_t index, struct mark m);
/* The configuration of an entry, by its number in check.confs. */
uint32_t check_conf_number(struct world *w, const struct raft_entry *entry);
/* A node's log has that configuration as its last one; of too many the oldest is forgotten. */
void check_conf_add(struct check_node *c, uint32_t number);
void check_written(struct world *w, struct node *n, const struct raft_output *out);
void check_durable(struct node *n, uint64_t number);
void check_recovered(struct world *w, struct node *n, const struct raft_view *view);
/* The first apply of an entry by anybody. */
void check_state(struct world *w, struct node *n, const struct raft_entry *entry,
                 const struct kv_output *out);
/* The conf in force up to an index: a number, or UINT32_MAX. */
uint32_t check_conf_at(const struct world *w, uint64_t index);
void *check_grow(void *p, size_t *cap, size_t want, size_t size);

#endif
