/*
 * conf: who is in the cluster, and who of them votes.
 *
 * Pure.  Changes go by joint consensus (Ongaro and Ousterhout, "In Search of an Understandable
 * Consensus Algorithm", extended version, section 6; Ongaro's thesis, section 4.3): while a
 * configuration is joint, an election or a commit needs a majority of the old voters and one of the
 * new ones, so any set of voters may follow any other in one change.  A configuration counts as
 * soon as it stands in a node's log, committed or not.
 *
 * Learners get the log and do not vote.  `info` is what the members tell of each other (name,
 * address); the core carries it and looks at no byte of it.
 */
#ifndef SHOAL_RAFT_CONF_H
#define SHOAL_RAFT_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

#define RAFT_MEMBERS_MAX 16
#define RAFT_INFO_MAX    119

/* No configuration is longer than this in bytes. */
#define RAFT_CONF_BYTES_MAX (16 + RAFT_MEMBERS_MAX * (16 + RAFT_INFO_MAX))

struct raft_member {
	uint64_t id;    /* never 0, never used again for another node */
	bool voter;     /* in the newest configuration */
	bool was_voter; /* in the outgoing one, while the configuration is joint; else as voter */
	bool promote;   /* a learner that the leader makes a voter once it has caught up */
	bool leaving;   /* joint: no member any more once the change is done */
	uint8_t info_len;
	char info[RAFT_INFO_MAX];
};

/* Members in the order of their ids.  A voter that leaves stays in the list while it is joint. */
struct raft_conf {
	bool joint;
	uint32_t count;
	struct raft_member member[RAFT_MEMBERS_MAX];
};

enum raft_change_type {
	RAFT_ADD = 1, /* a learner; promote says what becomes of it */
	RAFT_PROMOTE, /* a learner becomes a voter */
	RAFT_DEMOTE,  /* a voter becomes a learner */
	RAFT_REMOVE,
	RAFT_SET_INFO
};

struct raft_change {
	enum raft_change_type type;
	uint64_t id;
	bool promote;     /* RAFT_ADD */
	struct span info; /* RAFT_ADD, RAFT_SET_INFO */
};

/* The member, or NULL. */
const struct raft_member *conf_find(const struct raft_conf *c, uint64_t id);

/*
 * The configuration that some changes, one after the other and then all at once, lead to; *ret may
 * be *from.  It is joint when they change who votes.  EINVAL for what makes no sense (a member
 * added twice, an unknown one removed, a voter promoted, no change, no voter left, a joint
 * configuration changed), E2BIG for too many members or too long an info.  A learner that is
 * removed is gone at once, nobody counted on it.
 */
int conf_change(const struct raft_conf *from, const struct raft_change *changes, size_t n,
                struct raft_conf *ret, struct err *e);

/* The end of a joint configuration: the new voters alone. */
void conf_leave_joint(const struct raft_conf *from, struct raft_conf *ret);

/*
 * Majorities, of both sets of voters where there are two.  `ack[i]` belongs to member[i].
 * conf_quorum_index: the highest index that a quorum has reached, by the index each has reached.
 */
bool conf_has_quorum(const struct raft_conf *c, const bool ack[RAFT_MEMBERS_MAX]);
uint64_t conf_quorum_index(const struct raft_conf *c, const uint64_t reached[RAFT_MEMBERS_MAX]);

/* Can the votes still to come make a quorum?  `no[i]`: member[i] has refused. */
bool conf_is_lost(const struct raft_conf *c, const bool no[RAFT_MEMBERS_MAX]);

/*
 * The bytes of a configuration, as in an entry's data and in a snapshot.  Reading refuses with
 * EBADMSG what conf_change() cannot lead to, and EPROTONOSUPPORT another version; a configuration
 * has one form of bytes.
 */
void conf_put(struct buf *b, const struct raft_conf *c);
int conf_get(struct span bytes, struct raft_conf *ret, struct err *e);

#endif
