#include "wal/record.h"

#include <assert.h>
#include <string.h>

#include "base/hash.h"
#include "base/le.h"

/* Columns, as the tables in record.h. */
enum {
	AT_LEN = 4,
	AT_PREV = 8,
	AT_DATA_CRC = 12,
	AT_SEQ = 16,
	AT_LAG = 24,
	AT_TYPE = 28,
	AT_VERSION = 29,
	AT_ENTRY_TYPE = 30,
	AT_ENTRY_VERSION = 31
};

enum {
	HEAD_VERSION = 8,
	HEAD_MAGIC_CRC = 12,
	HEAD_CRC = 16,
	HEAD_PREV = 20,
	HEAD_SEQ = 24,
	HEAD_DURABLE = 32,
	HEAD_CLUSTER = 40,
	HEAD_NODE = 48,
	HEAD_SEGMENT = 56,
	HEAD_FIRST = 64,
	HEAD_TERM = 72,
	HEAD_VOTE = 80,
	HEAD_LAST = 88,
	HEAD_SNAPSHOT = 104,
	HEAD_SALT = 120
};

#define HEAD_MAGIC "shoalwal"

/* Bytes behind the fixed part; of an entry those before its data. */
static size_t fields_of(uint8_t type)
{
	switch (type) {
	case WAL_ENTRY:
	case WAL_BEGIN:
		return 24;
	case WAL_HARD:
	case WAL_TRUNCATE:
	case WAL_RESET:
		return 16;
	default:
		return 0;
	}
}

static size_t padded(size_t len)
{
	return (len + WAL_RECORD_ALIGN - 1) & ~((size_t)WAL_RECORD_ALIGN - 1);
}

static size_t length_of(const struct wal_record *r)
{
	return WAL_RECORD_FIXED + fields_of(r->type) +
	       (r->type == WAL_ENTRY ? r->entry.data.len : 0);
}

size_t wal_record_size(const struct wal_record *r)
{
	return padded(length_of(r));
}

static void put_point(char *p, struct raft_point at)
{
	le_put64(p, at.index);
	le_put64(p + 8, at.term);
}

static struct raft_point get_point(const char *p)
{
	return (struct raft_point){.index = le_get64(p), .term = le_get64(p + 8)};
}

static void put_fields(char *p, const struct wal_record *r)
{
	switch (r->type) {
	case WAL_ENTRY:
		le_put64(p, r->entry.index);
		le_put64(p + 8, r->entry.term);
		le_put64(p + 16, r->entry.clock_ns);
		if (r->entry.data.len > 0)
			memcpy(p + 24, r->entry.data.p, r->entry.data.len);
		break;
	case WAL_HARD:
		le_put64(p, r->term);
		le_put64(p + 8, r->vote);
		break;
	case WAL_TRUNCATE:
	case WAL_RESET:
		put_point(p, r->point);
		break;
	case WAL_BEGIN:
		le_put64(p, r->segment);
		put_point(p + 8, r->point);
		break;
	default:
		break;
	}
}

static void put_record(char *p, size_t len, const struct wal_chain *chain,
                       const struct wal_record *r)
{
	uint64_t lag = chain->seq - 1 - r->durable;

	memset(p, 0, WAL_RECORD_FIXED);
	memset(p + len, 0, padded(len) - len);
	put_fields(p + WAL_RECORD_FIXED, r);
	le_put32(p + AT_LEN, (uint32_t)len);
	le_put32(p + AT_PREV, chain->prev);
	le_put32(p + AT_DATA_CRC,
	         crc32c(chain->salt, p + WAL_RECORD_FIXED, len - WAL_RECORD_FIXED));
	le_put64(p + AT_SEQ, chain->seq);
	le_put32(p + AT_LAG, lag < UINT32_MAX ? (uint32_t)lag : UINT32_MAX);
	p[AT_TYPE] = (char)r->type;
	p[AT_VERSION] = WAL_RECORD_VERSION;
	if (r->type == WAL_ENTRY) {
		p[AT_ENTRY_TYPE] = (char)r->entry.type;
		p[AT_ENTRY_VERSION] = (char)r->entry.version;
	}
	le_put32(p, crc32c(chain->salt, p + AT_LEN, WAL_RECORD_FIXED - AT_LEN));
}

void wal_record_put(struct buf *b, struct wal_chain *chain, const struct wal_record *r)
{
	size_t len = length_of(r);
	char *p;

	assert(r->type >= WAL_ENTRY && r->type <= WAL_MARK && r->durable < chain->seq);
	assert(len <= WAL_RECORD_MAX);
	p = buf_reserve(b, padded(len));
	if (p != NULL) {
		put_record(p, len, chain, r);
		chain->prev = le_get32(p);
		b->len += padded(len);
	}
	chain->seq++;
}

bool wal_record_peek(const char *p, size_t n, uint32_t salt, struct wal_record *r)
{
	uint32_t lag;

	if (n < WAL_RECORD_FIXED)
		return false;
	*r = (struct wal_record){
	    .type = (uint8_t)p[AT_TYPE],
	    .version = (uint8_t)p[AT_VERSION],
	    .len = le_get32(p + AT_LEN),
	    .crc = le_get32(p),
	    .prev = le_get32(p + AT_PREV),
	    .seq = le_get64(p + AT_SEQ),
	};
	lag = le_get32(p + AT_LAG);
	if (r->len < WAL_RECORD_FIXED || r->len > WAL_RECORD_MAX || r->seq == 0)
		return false;
	if (lag < UINT32_MAX) {
		if (lag > r->seq - 1)
			return false;
		r->durable = r->seq - 1 - lag;
	}
	return r->crc == crc32c(salt, p + AT_LEN, WAL_RECORD_FIXED - AT_LEN);
}

static void get_fields(const char *p, struct wal_record *r)
{
	switch (r->type) {
	case WAL_ENTRY:
		r->entry.index = le_get64(p);
		r->entry.term = le_get64(p + 8);
		r->entry.clock_ns = le_get64(p + 16);
		r->entry.data = (struct span){p + 24, r->len - WAL_ENTRY_FIXED};
		break;
	case WAL_HARD:
		r->term = le_get64(p);
		r->vote = le_get64(p + 8);
		break;
	case WAL_TRUNCATE:
	case WAL_RESET:
		r->point = get_point(p);
		break;
	case WAL_BEGIN:
		r->segment = le_get64(p);
		r->point = get_point(p + 8);
		break;
	default:
		break;
	}
}

enum wal_record_result wal_record_get(const char *p, size_t n, uint32_t salt, struct wal_record *r)
{
	size_t least;

	if (!wal_record_peek(p, n, salt, r) || padded(r->len) > n)
		return WAL_RECORD_BAD;
	if (le_get32(p + AT_DATA_CRC) !=
	    crc32c(salt, p + WAL_RECORD_FIXED, r->len - WAL_RECORD_FIXED))
		return WAL_RECORD_BAD;
	for (size_t i = r->len; i < padded(r->len); i++)
		if (p[i] != '\0')
			return WAL_RECORD_BAD;
	if (r->type < WAL_ENTRY || r->type > WAL_MARK || r->version != WAL_RECORD_VERSION)
		return WAL_RECORD_UNKNOWN;
	least = WAL_RECORD_FIXED + fields_of(r->type);
	if (r->len < least || (r->type != WAL_ENTRY && r->len != least))
		return WAL_RECORD_BAD;
	r->entry.type = (uint8_t)p[AT_ENTRY_TYPE];
	r->entry.version = (uint8_t)p[AT_ENTRY_VERSION];
	if (r->type == WAL_ENTRY &&
	    (r->entry.type < RAFT_ENTRY_NOOP || r->entry.type > RAFT_ENTRY_CONF ||
	     r->entry.version < 1 || r->entry.version > RAFT_ENTRY_VERSION))
		return WAL_RECORD_UNKNOWN;
	get_fields(p + WAL_RECORD_FIXED, r);
	return WAL_RECORD_OK;
}

void wal_head_put(char p[WAL_HEAD_LEN], struct wal_head *h)
{
	memset(p, 0, WAL_HEAD_LEN);
	memcpy(p, HEAD_MAGIC, 8);
	le_put32(p + HEAD_VERSION, WAL_FORMAT_VERSION);
	le_put32(p + HEAD_MAGIC_CRC, crc32c(0, p, HEAD_MAGIC_CRC));
	le_put32(p + HEAD_PREV, h->prev);
	le_put64(p + HEAD_SEQ, h->seq);
	le_put64(p + HEAD_DURABLE, h->durable);
	le_put64(p + HEAD_CLUSTER, h->cluster);
	le_put64(p + HEAD_NODE, h->node);
	le_put64(p + HEAD_SEGMENT, h->segment);
	le_put64(p + HEAD_FIRST, h->first);
	le_put64(p + HEAD_TERM, h->term);
	le_put64(p + HEAD_VOTE, h->vote);
	put_point(p + HEAD_LAST, h->last);
	put_point(p + HEAD_SNAPSHOT, h->snapshot);
	le_put32(p + HEAD_SALT, h->salt);
	h->crc = crc32c(0, p + HEAD_PREV, WAL_HEAD_LEN - HEAD_PREV);
	le_put32(p + HEAD_CRC, h->crc);
}

enum wal_head_result wal_head_get(const char *p, size_t n, struct wal_head *h)
{
	if (n < WAL_HEAD_LEN || memcmp(p, HEAD_MAGIC, 8) != 0 ||
	    le_get32(p + HEAD_MAGIC_CRC) != crc32c(0, p, HEAD_MAGIC_CRC))
		return WAL_HEAD_BAD;
	if (le_get32(p + HEAD_VERSION) != WAL_FORMAT_VERSION)
		return WAL_HEAD_NEWER;
	*h = (struct wal_head){
	    .crc = le_get32(p + HEAD_CRC),
	    .prev = le_get32(p + HEAD_PREV),
	    .salt = le_get32(p + HEAD_SALT),
	    .seq = le_get64(p + HEAD_SEQ),
	    .durable = le_get64(p + HEAD_DURABLE),
	    .cluster = le_get64(p + HEAD_CLUSTER),
	    .node = le_get64(p + HEAD_NODE),
	    .segment = le_get64(p + HEAD_SEGMENT),
	    .first = le_get64(p + HEAD_FIRST),
	    .term = le_get64(p + HEAD_TERM),
	    .vote = le_get64(p + HEAD_VOTE),
	    .last = get_point(p + HEAD_LAST),
	    .snapshot = get_point(p + HEAD_SNAPSHOT),
	};
	if (h->crc != crc32c(0, p + HEAD_PREV, WAL_HEAD_LEN - HEAD_PREV))
		return WAL_HEAD_BAD;
	return h->seq > 0 && h->durable < h->seq && h->first >= 1 && h->first <= h->segment
	           ? WAL_HEAD_OK
	           : WAL_HEAD_BAD;
}
