/*
 * wal_record: foreign bytes as records and heads of a log.  What is taken for a record is put back
 * as the same bytes.
 *
 * The first byte says whether the checksums are made right first.
 */
#include <string.h>

#include "base/hash.h"
#include "base/le.h"
#include "fuzz.h"
#include "wal/record.h"

#define SALT 7u
#define MOST (64u << 10)

static char bytes[MOST];

static void make_sound(size_t n)
{
	uint32_t len = n < WAL_RECORD_FIXED ? 0 : le_get32(bytes + 4);

	if (len < WAL_RECORD_FIXED || len > n)
		return;
	le_put32(bytes + 12, crc32c(SALT, bytes + 32, len - 32));
	le_put32(bytes, crc32c(SALT, bytes + 4, 28));
}

static void check_record(size_t n)
{
	struct wal_record r;
	struct wal_record head;
	struct wal_chain chain;
	struct buf b = {0};

	if (wal_record_get(bytes, n, SALT, &r) != WAL_RECORD_OK)
		return;
	CHECK(wal_record_peek(bytes, n, SALT, &head) && head.seq == r.seq && head.len == r.len);
	CHECK(wal_record_step(&r) == wal_record_size(&r) && wal_record_size(&r) <= n);
	chain = (struct wal_chain){.salt = SALT, .prev = r.prev, .seq = r.seq};
	wal_record_put(&b, &chain, &r);
	CHECK(!b.failed && b.len == wal_record_size(&r));
	/* Only of an entry do these two bytes say something; a lag may say nothing. */
	if (r.type == WAL_ENTRY && le_get32(bytes + 24) < UINT32_MAX)
		CHECK(memcmp(b.data, bytes, b.len) == 0);
	else
		CHECK(memcmp(b.data + 4, bytes + 4, 20) == 0);
	buf_done(&b);
}

static void check_head(size_t n)
{
	struct wal_head h;
	char again[WAL_HEAD_LEN];

	if (n < WAL_HEAD_LEN || wal_head_get(bytes, n, &h) != WAL_HEAD_OK)
		return;
	wal_head_put(again, &h);
	/* The last four bytes are for later versions. */
	CHECK(memcmp(again + 20, bytes + 20, WAL_HEAD_LEN - 24) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t n = size == 0 ? 0 : size - 1 < MOST ? size - 1 : MOST;

	if (size == 0)
		return 0;
	memcpy(bytes, data + 1, n);
	if (data[0] & 1)
		make_sound(n);
	check_record(n);
	if ((data[0] & 2) && n >= WAL_HEAD_LEN) {
		memcpy(bytes, "shoalwal", 8);
		le_put32(bytes + 8, WAL_FORMAT_VERSION);
		le_put32(bytes + 12, crc32c(0, bytes, 12));
		le_put32(bytes + 16, crc32c(0, bytes + 20, WAL_HEAD_LEN - 20));
	}
	check_head(n);
	return 0;
}
