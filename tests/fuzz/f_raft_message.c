/*
 * raft_message: messages of foreign nodes.  What is read is within the limits, points into the
 * bytes, and is written again as the same bytes.
 */
#include <errno.h>
#include <string.h>

#include "fuzz.h"
#include "raft/message.h"

static void check_span(struct span s, const char *data, size_t size)
{
	CHECK(s.len == 0 || (s.p >= data && s.len <= size && s.p - data <= (long)(size - s.len)));
}

static void check_message(const struct raft_message *m, const char *data, size_t size)
{
	struct buf again = {0};
	struct err e;

	CHECK(m->cluster != 0 && m->from != 0 && m->to != 0);
	CHECK(strcmp(raft_message_name(m->type), "unknown") != 0);
	CHECK(m->count <= RAFT_MESSAGE_ENTRIES_MAX);
	for (size_t i = 0; i < m->count; i++) {
		CHECK(m->entries[i].index == m->prev.index + 1 + i && m->entries[i].index > i);
		CHECK(m->entries[i].data.len <= RAFT_ENTRY_MAX);
		check_span(m->entries[i].data, data, size);
	}
	CHECK((m->conf != NULL) == (m->type == RAFT_SNAPSHOT));
	CHECK(m->data.len <= RAFT_CHUNK_MAX);
	CHECK(m->type != RAFT_SNAPSHOT || m->offset + m->data.len <= m->size);
	check_span(m->data, data, size);
	raft_message_put(&again, m);
	CHECK(buf_ok(&again, &e) == 0);
	CHECK(again.len == size && memcmp(again.data, data, size) == 0);
	buf_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct raft_message_room room = {.entries = NULL};
	struct raft_message m;
	struct err e = {.code = 0};

	if (raft_message_get((struct span){(const char *)data, size}, &m, &room, &e) == 0)
		check_message(&m, (const char *)data, size);
	else
		CHECK(e.code == EBADMSG || e.code == EPROTONOSUPPORT);
	raft_message_room_done(&room);
	return 0;
}
