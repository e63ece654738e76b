/*
 * What leaves a node: nothing that vouches for what is not on its disk.
 */
#include <inttypes.h>

#include "world.h"

/*
 * A message of whose truth others make use; the others say what is known, durable or not.  A
 * snapshot that is installed is committed, whatever becomes of the term in which that is said.
 */
static bool vouches(const struct raft_message *m)
{
	switch (m->type) {
	case RAFT_VOTE:
	case RAFT_APPEND:
	case RAFT_SNAPSHOT:
	case RAFT_TIMEOUT_NOW:
		return true;
	case RAFT_VOTE_REPLY:
	case RAFT_APPEND_REPLY:
	case RAFT_READ_REPLY:
		return m->granted;
	default:
		return false;
	}
}

void check_sent(struct world *w, struct node *n, const struct raft_message *m)
{
	const struct check_node *c = &n->check;
	const struct mark *mem, *disk;

	if (!vouches(m))
		return;
	if (m->term > c->disk_term)
		world_fail(w,
		           "durability: node %" PRIu64 " sends %s of term %" PRIu64
		           ", on disk is %" PRIu64,
		           n->id, raft_message_name(m->type), m->term, c->disk_term);
	if ((m->type == RAFT_VOTE || m->type == RAFT_VOTE_REPLY) &&
	    (c->disk_term != m->term || c->disk_vote != (m->type == RAFT_VOTE ? n->id : m->to)))
		world_fail(w,
		           "durability: node %" PRIu64 " sends %s, on disk is a vote for %" PRIu64,
		           n->id, raft_message_name(m->type), c->disk_vote);
	if (m->type != RAFT_APPEND_REPLY || m->prev.index <= c->disk.base ||
	    m->prev.index <= c->kept_snapshot)
		return;
	mem = marks_at(&c->log, m->prev.index);
	disk = marks_at(&c->disk, m->prev.index);
	if (mem != NULL && (disk == NULL || disk->hash != mem->hash))
		world_fail(
		    w, "durability: node %" PRIu64 " acknowledges %" PRIu64 ", on disk is %" PRIu64,
		    n->id, m->prev.index, marks_last(&c->disk));
}
