#include "raft/entry.h"

#include <assert.h>

#include "raft/conf.h"
#include "raft/raft.h"

void raft_entry_put(struct buf *b, const struct raft_entry *entry)
{
	assert(entry->data.len <= RAFT_ENTRY_MAX);
	bytes_put_u64(b, entry->term);
	bytes_put_u64(b, entry->clock_ns);
	bytes_put_u8(b, entry->type);
	bytes_put_u8(b, entry->version);
	bytes_put_span(b, entry->data);
}

struct raft_entry raft_entry_get(struct bytes *r, uint64_t index)
{
	struct raft_entry entry = {.index = index};

	entry.term = bytes_get_u64(r);
	entry.clock_ns = bytes_get_u64(r);
	entry.type = bytes_get_u8(r);
	entry.version = bytes_get_u8(r);
	entry.data = bytes_get_span(r, RAFT_ENTRY_MAX);
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
