#include "raft/entry.h"

#include <assert.h>

#include "raft/conf.h"
#include "raft/raft.h"

void raft_entry_put(struct buf *b, const struct raft_entry *entry)
{
	assert(entry->data.len <= RAFT_ENTRY_MAX);
	le_add64(b, entry->term);
	le_add64(b, entry->clock_ns);
	le_add8(b, entry->type);
	le_add8(b, entry->version);
	le_add_span(b, entry->data);
}

struct raft_entry raft_entry_get(struct le_reader *r, uint64_t index)
{
	struct raft_entry entry = {.index = index};

	entry.term = le_take64(r);
	entry.clock_ns = le_take64(r);
	entry.type = le_take8(r);
	entry.version = le_take8(r);
	entry.data = le_take_span(r, RAFT_ENTRY_MAX);
	return entry;
}

struct raft_entry raft_bootstrap(const struct raft_conf *conf, struct buf *room)
{
	size_t begin = room->len;

	conf_put(room, conf);
	return (struct raft_entry){
	    .index = 1,
	    .term = 1,
	    .type = RAFT_ENTRY_CONF,
	    .version = RAFT_ENTRY_VERSION,
	    .data = {room->data + begin, room->len - begin},
	};
}
