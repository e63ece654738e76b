#include "raft_random.h"

#include <string.h>

#include "seeded.h"

static void make_member(uint64_t *rand, bool joint, uint64_t id, struct raft_member *m)
{
	*m = (struct raft_member){.id = id, .voter = seeded_below(rand, 4) > 0};
	m->was_voter = joint ? seeded_below(rand, 4) > 0 : m->voter;
	if (!m->voter && m->was_voter)
		m->leaving = joint && seeded_below(rand, 2);
	if (!m->voter && !m->was_voter)
		m->promote = seeded_below(rand, 2);
	m->info_len = (uint8_t)seeded_below(rand, seeded_below(rand, 4) ? 5 : RAFT_INFO_MAX + 1);
	for (unsigned i = 0; i < m->info_len; i++)
		m->info[i] = (char)seeded_next(rand);
}

void raft_random_conf(uint64_t *rand, uint32_t max, struct raft_conf *ret)
{
	bool differ;
	bool voter;
	bool was_voter;

	do {
		uint64_t id = 0;

		*ret = (struct raft_conf){.joint = seeded_below(rand, 2)};
		ret->count = 1 + (uint32_t)seeded_below(rand, max);
		differ = voter = was_voter = false;
		for (uint32_t i = 0; i < ret->count; i++) {
			struct raft_member *m = &ret->member[i];

			id += 1 + seeded_below(rand, 5);
			make_member(rand, ret->joint, id, m);
			differ |= m->voter != m->was_voter;
			voter |= m->voter;
			was_voter |= m->was_voter;
		}
	} while (!voter || !was_voter || differ != ret->joint);
}

static struct span some_data(uint64_t *rand, struct raft_random_room *room)
{
	uint64_t from = seeded_below(rand, RAFT_RANDOM_DATA + 1);

	return (struct span){room->data + from, seeded_below(rand, RAFT_RANDOM_DATA + 1 - from)};
}

static void set_entries(uint64_t *rand, struct raft_random_room *room, struct raft_message *m)
{
	m->entries = room->entries;
	m->count = seeded_below(rand, RAFT_RANDOM_ENTRIES + 1);
	m->prev.index %= UINT64_MAX - RAFT_RANDOM_ENTRIES - 1;
	for (size_t i = 0; i < m->count; i++) {
		room->entries[i] = (struct raft_entry){
		    .index = m->prev.index + 1 + i,
		    .term = seeded_any_size(rand),
		    .clock_ns = seeded_any_size(rand),
		    .type = (uint8_t)seeded_next(rand),
		    .version = (uint8_t)seeded_next(rand),
		    .data = some_data(rand, room),
		};
	}
}

static void set_chunk(uint64_t *rand, struct raft_random_room *room, struct raft_message *m)
{
	raft_random_conf(rand, RAFT_MEMBERS_MAX, &room->conf);
	m->conf = &room->conf;
	m->clock_ns = seeded_any_size(rand);
	m->data = some_data(rand, room);
	m->size = m->data.len + seeded_any_size(rand) / 2;
	m->offset = seeded_below(rand, m->size - m->data.len + 1);
}

struct raft_message raft_random_message(uint64_t *rand, enum raft_message_type type,
                                        struct raft_random_room *room)
{
	struct raft_message m = {
	    .type = type,
	    .cluster = 1 + seeded_any_size(rand) / 2,
	    .from = 1 + seeded_any_size(rand) / 2,
	    .to = 1 + seeded_any_size(rand) / 2,
	    .term = seeded_any_size(rand),
	};

	for (size_t i = 0; i < sizeof(room->data); i++)
		room->data[i] = (char)seeded_next(rand);
	if (type != RAFT_TIMEOUT_NOW)
		m.context = seeded_any_size(rand);
	if (type == RAFT_PREVOTE || type == RAFT_VOTE)
		m.forced = seeded_below(rand, 2);
	if (type == RAFT_PREVOTE_REPLY || type == RAFT_VOTE_REPLY || type == RAFT_APPEND_REPLY ||
	    type == RAFT_SNAPSHOT_REPLY || type == RAFT_READ_REPLY)
		m.granted = seeded_below(rand, 2);
	if (type != RAFT_PREVOTE_REPLY && type != RAFT_VOTE_REPLY && type != RAFT_TIMEOUT_NOW &&
	    type != RAFT_READ)
		m.prev = (struct raft_point){seeded_any_size(rand), seeded_any_size(rand)};
	if (type == RAFT_APPEND) {
		m.commit = seeded_any_size(rand);
		m.clock_ns = seeded_any_size(rand);
		set_entries(rand, room, &m);
	}
	if (type == RAFT_SNAPSHOT)
		set_chunk(rand, room, &m);
	if (type == RAFT_SNAPSHOT_REPLY)
		m.offset = seeded_any_size(rand);
	if (type == RAFT_SNAPSHOT || type == RAFT_SNAPSHOT_REPLY)
		m.sum = seeded_any_size(rand);
	return m;
}
