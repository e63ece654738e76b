#include "raft/message.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/le_buf.h"

/*
 * Bytes: version u8, type u8, flags u8, cluster, from, to, term u64; then the fields that the type
 * has, in the order of these bits.
 */
enum {
	HAS_PREV = 1,
	HAS_COMMIT = 2,
	HAS_CLOCK = 4,
	HAS_CONTEXT = 8,
	HAS_ENTRIES = 16,
	HAS_CHUNK = 32, /* conf, size, data */
	HAS_OFFSET = 64,
	HAS_SUM = 128,
	HAS_GRANTED = 256,
	HAS_FORCED = 512,
};

enum { FLAG_GRANTED = 1, FLAG_FORCED = 2 };

static const struct type {
	const char *name;
	unsigned has;
} types[] = {
    [RAFT_PREVOTE] = {"prevote", HAS_PREV | HAS_CONTEXT | HAS_FORCED},
    [RAFT_PREVOTE_REPLY] = {"prevote-reply", HAS_CONTEXT | HAS_GRANTED},
    [RAFT_VOTE] = {"vote", HAS_PREV | HAS_CONTEXT | HAS_FORCED},
    [RAFT_VOTE_REPLY] = {"vote-reply", HAS_CONTEXT | HAS_GRANTED},
    [RAFT_APPEND] = {"append", HAS_PREV | HAS_COMMIT | HAS_CLOCK | HAS_CONTEXT | HAS_ENTRIES},
    [RAFT_APPEND_REPLY] = {"append-reply", HAS_PREV | HAS_CONTEXT | HAS_GRANTED},
    [RAFT_SNAPSHOT] = {"snapshot",
                       HAS_PREV | HAS_CLOCK | HAS_CONTEXT | HAS_CHUNK | HAS_OFFSET | HAS_SUM},
    [RAFT_SNAPSHOT_REPLY] = {"snapshot-reply",
                             HAS_PREV | HAS_CONTEXT | HAS_OFFSET | HAS_SUM | HAS_GRANTED},
    [RAFT_TIMEOUT_NOW] = {"timeout-now", 0},
    [RAFT_READ] = {"read", HAS_CONTEXT},
    [RAFT_READ_REPLY] = {"read-reply", HAS_PREV | HAS_CONTEXT | HAS_GRANTED},
};

#define TYPES (sizeof(types) / sizeof(types[0]))

static const struct type *type_of(unsigned type)
{
	return type < TYPES && types[type].name != NULL ? &types[type] : NULL;
}

const char *raft_message_name(enum raft_message_type type)
{
	const struct type *t = type_of(type);

	return t != NULL ? t->name : "unknown";
}

void raft_message_room_done(struct raft_message_room *room)
{
	free(room->entries);
	*room = (struct raft_message_room){.entries = NULL};
}

/*
 * Writing.
 */

/* Would the receiver read what the sender has set? */
static bool keeps_to_its_type(const struct raft_message *m, unsigned has)
{
	return ((has & HAS_PREV) || (m->prev.index == 0 && m->prev.term == 0)) &&
	       ((has & HAS_COMMIT) || m->commit == 0) && ((has & HAS_CLOCK) || m->clock_ns == 0) &&
	       ((has & HAS_CONTEXT) || m->context == 0) && ((has & HAS_ENTRIES) || m->count == 0) &&
	       ((has & HAS_CHUNK) || (m->conf == NULL && m->size == 0 && m->data.len == 0)) &&
	       ((has & HAS_OFFSET) || m->offset == 0) && ((has & HAS_SUM) || m->sum == 0) &&
	       ((has & HAS_GRANTED) || !m->granted) && ((has & HAS_FORCED) || !m->forced);
}

static void put_entries(struct buf *b, const struct raft_message *m)
{
	assert(m->count <= RAFT_MESSAGE_ENTRIES_MAX);
	le_add32(b, (uint32_t)m->count);
	for (size_t i = 0; i < m->count; i++) {
		assert(m->entries[i].index == m->prev.index + 1 + i);
		raft_entry_put(b, &m->entries[i]);
	}
}

static void put_chunk(struct buf *b, const struct raft_message *m)
{
	size_t at = b->len;

	assert(m->conf != NULL && m->data.len <= RAFT_CHUNK_MAX);
	assert(m->offset <= m->size && m->data.len <= m->size - m->offset);
	le_add32(b, 0);
	conf_put(b, m->conf);
	if (!b->failed)
		le_put32(b->data + at, (uint32_t)(b->len - at - 4));
	le_add64(b, m->size);
	le_add_span(b, m->data);
}

void raft_message_put(struct buf *b, const struct raft_message *m)
{
	const struct type *t = type_of(m->type);
	size_t begin = b->len;

	assert(t != NULL && keeps_to_its_type(m, t->has));
	le_add8(b, RAFT_WIRE_VERSION);
	le_add8(b, (uint8_t)m->type);
	le_add8(b, (m->granted ? FLAG_GRANTED : 0) | (m->forced ? FLAG_FORCED : 0));
	le_add64(b, m->cluster);
	le_add64(b, m->from);
	le_add64(b, m->to);
	le_add64(b, m->term);
	if (t->has & HAS_PREV) {
		le_add64(b, m->prev.index);
		le_add64(b, m->prev.term);
	}
	if (t->has & HAS_COMMIT)
		le_add64(b, m->commit);
	if (t->has & HAS_CLOCK)
		le_add64(b, m->clock_ns);
	if (t->has & HAS_CONTEXT)
		le_add64(b, m->context);
	if (t->has & HAS_OFFSET)
		le_add64(b, m->offset);
	if (t->has & HAS_SUM)
		le_add64(b, m->sum);
	if (t->has & HAS_ENTRIES)
		put_entries(b, m);
	if (t->has & HAS_CHUNK)
		put_chunk(b, m);
	assert(b->failed || b->len - begin <= RAFT_MESSAGE_BYTES_MAX);
}

/*
 * Reading.
 */

/* Entries for as many as the bytes can hold at all; the capacity grows by doubling. */
static int make_room(struct raft_message_room *room, size_t count, struct err *e)
{
	size_t capacity = room->capacity > 0 ? room->capacity : 16;
	struct raft_entry *entries;

	if (count <= room->capacity)
		return 0;
	while (capacity < count)
		capacity *= 2;
	entries = realloc(room->entries, capacity * sizeof(entries[0]));
	if (entries == NULL)
		return err_set(e, ENOMEM, "out of memory");
	room->entries = entries;
	room->capacity = capacity;
	return 0;
}

static int get_entries(struct le_reader *r, struct raft_message *m, struct raft_message_room *room,
                       struct err *e)
{
	uint32_t count = le_take32(r);

	if (count > RAFT_MESSAGE_ENTRIES_MAX || count > r->left / RAFT_ENTRY_HEAD ||
	    m->prev.index > UINT64_MAX - 1 - count) {
		r->failed = true;
		return 0;
	}
	if (make_room(room, count, e) < 0)
		return -1;
	for (uint32_t i = 0; i < count && !r->failed; i++)
		room->entries[i] = raft_entry_get(r, m->prev.index + 1 + i);
	m->entries = room->entries;
	m->count = count;
	return 0;
}

static int get_chunk(struct le_reader *r, struct raft_message *m, struct raft_message_room *room,
                     struct err *e)
{
	struct span conf = le_take_span(r, RAFT_CONF_BYTES_MAX);

	if (!r->failed && conf_get(conf, &room->conf, e) < 0)
		return -1;
	m->conf = &room->conf;
	m->size = le_take64(r);
	m->data = le_take_span(r, RAFT_CHUNK_MAX);
	if (m->offset > m->size || m->data.len > m->size - m->offset)
		r->failed = true;
	return 0;
}

/* Everything that every message has; the type's fields, or 0 where there is no such type. */
static unsigned get_head(struct le_reader *r, struct raft_message *m)
{
	uint8_t type = le_take8(r);
	uint8_t flags = le_take8(r);
	const struct type *t = type_of(type);
	unsigned known;

	if (t == NULL) {
		r->failed = true;
		return 0;
	}
	known = (t->has & HAS_GRANTED ? FLAG_GRANTED : 0) | (t->has & HAS_FORCED ? FLAG_FORCED : 0);
	if (flags & ~known)
		r->failed = true;
	m->type = type;
	m->granted = flags & FLAG_GRANTED;
	m->forced = flags & FLAG_FORCED;
	m->cluster = le_take64(r);
	m->from = le_take64(r);
	m->to = le_take64(r);
	m->term = le_take64(r);
	if (m->cluster == 0 || m->from == 0 || m->to == 0)
		r->failed = true;
	return t->has;
}

static int get_fields(struct le_reader *r, unsigned has, struct raft_message *m,
                      struct raft_message_room *room, struct err *e)
{
	if (has & HAS_PREV) {
		m->prev.index = le_take64(r);
		m->prev.term = le_take64(r);
	}
	if (has & HAS_COMMIT)
		m->commit = le_take64(r);
	if (has & HAS_CLOCK)
		m->clock_ns = le_take64(r);
	if (has & HAS_CONTEXT)
		m->context = le_take64(r);
	if (has & HAS_OFFSET)
		m->offset = le_take64(r);
	if (has & HAS_SUM)
		m->sum = le_take64(r);
	if ((has & HAS_ENTRIES) && get_entries(r, m, room, e) < 0)
		return -1;
	if ((has & HAS_CHUNK) && get_chunk(r, m, room, e) < 0)
		return -1;
	return 0;
}

int raft_message_get(struct span bytes, struct raft_message *ret, struct raft_message_room *room,
                     struct err *e)
{
	struct le_reader r = {bytes.p, bytes.len, false};
	struct raft_message m = {.cluster = 0};
	uint8_t version = le_take8(&r);
	unsigned has;

	if (!r.failed && version != RAFT_WIRE_VERSION)
		return err_set(e, EPROTONOSUPPORT, "message of version %u, known is %d", version,
		               RAFT_WIRE_VERSION);
	if (bytes.len > RAFT_MESSAGE_BYTES_MAX)
		return err_set(e, EBADMSG, "message of %zu bytes, at most %u", bytes.len,
		               RAFT_MESSAGE_BYTES_MAX);
	has = get_head(&r, &m);
	if (get_fields(&r, has, &m, room, e) < 0)
		return err_wrap(e, "%s", raft_message_name(m.type));
	if (!le_is_done(&r))
		return err_set(e, EBADMSG, "%zu bytes that are no message", bytes.len);
	*ret = m;
	return 0;
}
