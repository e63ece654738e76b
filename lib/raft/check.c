/*
 * raft/check: what a message and an entry must look like before they are looked at.
 *
 * A peer may be broken or of another version; whatever it sends is checked here, so that the rest
 * of the core may rely on it: numbers that add up without overflow, entries that follow each other,
 * terms and clocks that do not go back.
 */
#include <errno.h>

#include "raft/raft_impl.h"

static bool check_entries(const struct raft_message *m)
{
	uint64_t term = m->prev.term;
	uint64_t clock = 0;

	if (m->count > RAFT_MESSAGE_ENTRIES_MAX || (m->count > 0 && m->entries == NULL) ||
	    m->prev.index + m->count >= RAFT_NUMBER_MAX)
		return false;
	for (size_t i = 0; i < m->count; i++) {
		const struct raft_entry *e = &m->entries[i];

		if (e->index != m->prev.index + 1 + i || e->term < term || e->term == 0 ||
		    e->term > m->term || e->clock_ns < clock || e->data.len > RAFT_ENTRY_MAX ||
		    (e->data.len > 0 && e->data.p == NULL))
			return false;
		term = e->term;
		clock = e->clock_ns;
	}
	return true;
}

static bool check_snapshot(const struct raft_message *m)
{
	return m->conf != NULL && m->prev.index > 0 && m->size < RAFT_NUMBER_MAX &&
	       m->data.len <= RAFT_CHUNK_MAX && m->offset <= m->size &&
	       m->data.len <= m->size - m->offset;
}

bool raft_check(const struct raft_message *m)
{
	const bool whole = (m->prev.index == 0) == (m->prev.term == 0);

	if (m->term >= RAFT_NUMBER_MAX || m->prev.index >= RAFT_NUMBER_MAX ||
	    m->prev.term > m->term)
		return false;
	switch (m->type) {
	case RAFT_PREVOTE:
	case RAFT_VOTE:
		return m->term > 0 && whole;
	case RAFT_APPEND:
		return m->term > 0 && whole && check_entries(m);
	case RAFT_SNAPSHOT:
		return m->term > 0 && whole && check_snapshot(m);
	case RAFT_TIMEOUT_NOW:
		return m->term > 0;
	case RAFT_PREVOTE_REPLY:
	case RAFT_VOTE_REPLY:
	case RAFT_APPEND_REPLY:
	case RAFT_SNAPSHOT_REPLY:
	case RAFT_READ:
	case RAFT_READ_REPLY:
		return true;
	}
	return false;
}

int raft_check_entry(const struct raft_entry *entry, struct err *e)
{
	struct raft_conf conf;
	unsigned long long index = entry->index;

	switch ((enum raft_entry_type)entry->type) {
	case RAFT_ENTRY_NOOP:
	case RAFT_ENTRY_COMMAND:
	case RAFT_ENTRY_CONF:
		break;
	default:
		return err_set(e, EBADMSG, "entry %llu: type %u is unknown here", index,
		               (unsigned)entry->type);
	}
	if (entry->version < 1 || entry->version > RAFT_ENTRY_VERSION)
		return err_set(e, EBADMSG, "entry %llu: version %u of type %u is unknown here",
		               index, (unsigned)entry->version, (unsigned)entry->type);
	if (entry->type == RAFT_ENTRY_CONF && conf_get(entry->data, &conf, e) < 0)
		return err_wrap(e, "entry %llu", index);
	return 0;
}
