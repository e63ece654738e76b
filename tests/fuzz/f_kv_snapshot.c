/*
 * kv snapshot: bytes of a file or of another node.  What is accepted is a sound state whose
 * snapshot is the same bytes again, in whatever pieces they come.  Each input is tried as it is and
 * with the hash and the checksum that it should have, so that the checks behind them are reached.
 */
#include <errno.h>
#include <string.h>

#include "base/hash.h"
#include "base/le_buf.h"
#include "fuzz.h"
#include "kv/item.h"
#include "kv/kv.h"
#include "kv/snapshot.h"

static void check_same(struct kv *kv, const char *p, size_t n)
{
	struct kv_snapshot *s = kv_snapshot_begin(kv);
	size_t at = 0;
	char piece[61];
	struct err e;
	int64_t got;

	CHECK(s != NULL);
	while ((got = kv_snapshot_read(s, piece, sizeof(piece), &e)) > 0) {
		CHECK((size_t)got <= n - at && memcmp(p + at, piece, (size_t)got) == 0);
		at += (size_t)got;
	}
	CHECK(got == 0 && at == n);
	kv_snapshot_end(s);
}

/* The code of the error, or 0. */
static int restore(const char *p, size_t n, size_t piece)
{
	struct kv *kv = kv_new();
	struct kv_restore *r = kv_restore_begin();
	struct kv_output out = {0};
	struct err e = {0};
	int got = 0;

	CHECK(kv != NULL && r != NULL);
	for (size_t at = 0; got == 0 && at < n; at += piece)
		got = kv_restore_write(r, p + at, piece < n - at ? piece : n - at, &e);
	if (got == 0)
		got = kv_restore_commit(r, kv, &out, &e);
	if (got < 0) {
		kv_restore_abort(r);
	} else {
		CHECK(kv_check(kv, &e) == 0);
		check_same(kv, p, n);
		e.code = 0;
	}
	kv_output_done(&out);
	kv_free(kv);
	return e.code;
}

/* One record, whatever its limits: the hash of what it says. */
static uint64_t take_record(struct le_reader *r, struct kv_mem *mem, uint64_t table)
{
	uint8_t bits = le_take8(r);
	size_t key = le_take16(r);
	size_t value = le_take32(r);
	struct kv_item_spec spec = {.create = le_take64(r)};
	struct kv_item *it;
	uint64_t hash;

	spec.modify = le_take64(r);
	if (bits != 0) {
		spec.lock.flags = le_take64(r);
		spec.lock.lock = le_take64(r);
		spec.lock.fence = le_take64(r);
		le_take_to(r, spec.lock.session, ID_LEN);
	}
	spec.key = le_take(r, key);
	spec.value = le_take(r, value);
	it = kv_item_new(mem, &spec);
	CHECK(it != NULL);
	hash = kv_item_hash(it, table);
	kv_item_drop(mem, it);
	return hash;
}

/* Put the right hash and checksum behind what looks like six tables, if it does. */
static void seal(char *p, size_t n)
{
	struct kv_mem mem = {.bytes_max = UINT64_MAX};
	struct le_reader r = {p, n, n < KV_SNAPSHOT_HEAD_LEN + KV_SNAPSHOT_TAIL_LEN};
	uint64_t h = 0;

	(void)le_take(&r, KV_SNAPSHOT_HEAD_LEN);
	for (uint64_t table = 0; table < 6; table++)
		for (uint64_t count = le_take64(&r); count > 0 && !r.failed; count--)
			h += take_record(&r, &mem, table);
	if (r.failed || r.left != KV_SNAPSHOT_TAIL_LEN)
		return;
	h = kv_hash_mix(h);
	for (size_t at = 12; at < KV_SNAPSHOT_HEAD_LEN; at += 8)
		h = kv_hash_mix(h ^ le_get64(p + at));
	le_put64(p + n - 12, h);
	le_put32(p + n - 4, crc32c(0, p, n - 4));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = malloc(size + 1);
	int code;

	CHECK(copy != NULL);
	memcpy(copy, data, size);
	code = restore(copy, size, size + 1);
	CHECK(restore(copy, size, 1 + size % 7) == code);
	seal(copy, size);
	code = restore(copy, size, size + 1);
	CHECK(code == 0 || code == EBADMSG || code == ENOTSUP);
	free(copy);
	return 0;
}
