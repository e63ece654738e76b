/* record: what is put is read back; what is not whole, or not as it was put, is no record. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/le.h"
#include "wal/record.h"

#define SALT 0x12345678u

static struct wal_record samples[] = {
    {.type = WAL_ENTRY,
     .durable = 3,
     .entry = {7, 2, 99, RAFT_ENTRY_COMMAND, 1, {"a\0bcdefghij", 11}}},
    {.type = WAL_ENTRY, .entry = {8, 2, 99, RAFT_ENTRY_NOOP, 1, {"", 0}}},
    {.type = WAL_HARD, .durable = 9, .term = 5, .vote = UINT64_MAX},
    {.type = WAL_TRUNCATE, .point = {6, 2}},
    {.type = WAL_RESET, .point = {UINT64_MAX, 2}},
    {.type = WAL_BEGIN, .segment = 3, .point = {6, 2}},
    {.type = WAL_SEAL, .durable = 8},
    {.type = WAL_MARK, .durable = 16},
};

#define SAMPLES (sizeof(samples) / sizeof(samples[0]))

static struct buf put_all(void)
{
	struct wal_chain chain = {.salt = SALT, .prev = 77, .seq = 10};
	struct buf b = {0};

	for (size_t i = 0; i < SAMPLES; i++) {
		size_t before = b.len;

		wal_record_put(&b, &chain, &samples[i]);
		assert_int_equal(b.len - before, wal_record_size(&samples[i]));
		assert_int_equal(b.len % WAL_RECORD_ALIGN, 0);
		assert_int_equal(chain.prev, le_get32(b.data + before));
	}
	assert_true(chain.seq == 10 + SAMPLES);
	return b;
}

static void assert_same(const struct wal_record *a, const struct wal_record *b)
{
	assert_int_equal(a->type, b->type);
	assert_true(a->durable == b->durable && a->term == b->term && a->vote == b->vote);
	assert_true(a->point.index == b->point.index && a->point.term == b->point.term);
	assert_true(a->segment == b->segment);
	if (a->type != WAL_ENTRY)
		return;
	assert_true(a->entry.index == b->entry.index && a->entry.term == b->entry.term);
	assert_true(a->entry.clock_ns == b->entry.clock_ns && a->entry.type == b->entry.type);
	assert_int_equal(a->entry.version, b->entry.version);
	assert_true(span_is(a->entry.data, b->entry.data));
}

static void records_are_read_back_and_chained(void **state)
{
	struct buf b = put_all();
	uint32_t prev = 77;
	size_t at = 0;

	(void)state;
	for (size_t i = 0; i < SAMPLES; i++) {
		struct wal_record r;

		assert_int_equal(wal_record_get(b.data + at, b.len - at, SALT, &r), WAL_RECORD_OK);
		assert_same(&r, &samples[i]);
		assert_true(r.seq == 10 + i);
		assert_int_equal(r.prev, prev);
		prev = r.crc;
		at += wal_record_step(&r);
	}
	assert_int_equal(at, b.len);
	buf_done(&b);
}

static void the_bytes_are_those_of_the_page(void **state)
{
	static const unsigned char want[] = {
	    0, 0, 0, 0, 48, 0, 0, 0, 0xef, 0xbe, 0xad, 0xde, 0, 0, 0, 0,
	    5, 0, 0, 0, 0,  0, 0, 0, 2,    0,    0,    0,    2, 1, 0, 0,
	    4, 0, 0, 0, 0,  0, 0, 0, 0x88, 0x77, 0x66, 0x55, 0, 0, 0, 0,
	};
	struct wal_chain chain = {.salt = 0, .prev = 0xdeadbeef, .seq = 5};
	struct buf b = {0};

	(void)state;
	wal_record_put(
	    &b, &chain,
	    &(struct wal_record){.type = WAL_HARD, .durable = 2, .term = 4, .vote = 0x55667788});
	assert_int_equal(b.len, sizeof(want));
	assert_int_equal(le_get32(b.data), crc32c(0, b.data + 4, 28));
	assert_int_equal(le_get32(b.data + 12), crc32c(0, b.data + 32, 16));
	le_put32(b.data, 0);
	le_put32(b.data + 12, 0);
	assert_memory_equal(b.data, want, sizeof(want));
	buf_done(&b);
}

static void a_record_that_is_cut_is_none(void **state)
{
	struct buf b = put_all();
	size_t at = 0;

	(void)state;
	for (size_t i = 0; i < SAMPLES; i++) {
		size_t size = wal_record_size(&samples[i]);
		struct wal_record r;

		for (size_t n = 0; n < size; n++) {
			char part[256] = {0};

			memcpy(part, b.data + at, n);
			assert_int_equal(wal_record_get(part, n, SALT, &r), WAL_RECORD_BAD);
		}
		at += size;
	}
	buf_done(&b);
}

static void a_flipped_bit_is_seen_wherever_it_is(void **state)
{
	struct buf b = put_all();
	size_t at = 0;

	(void)state;
	for (size_t i = 0; i < SAMPLES; i++) {
		size_t size = wal_record_size(&samples[i]);
		struct wal_record r;

		for (size_t bit = 0; bit < size * 8; bit++) {
			b.data[at + bit / 8] ^= (char)(1 << bit % 8);
			assert_int_equal(wal_record_get(b.data + at, b.len - at, SALT, &r),
			                 WAL_RECORD_BAD);
			b.data[at + bit / 8] ^= (char)(1 << bit % 8);
		}
		assert_int_equal(wal_record_get(b.data + at, b.len - at, SALT + 1, &r),
		                 WAL_RECORD_BAD);
		at += size;
	}
	buf_done(&b);
}

/* Change a byte of a record and make its CRCs right again. */
static void forge(char *p, size_t at, uint8_t value)
{
	p[at] = (char)value;
	le_put32(p + 12, crc32c(SALT, p + 32, le_get32(p + 4) - 32));
	le_put32(p, crc32c(SALT, p + 4, 28));
}

static void what_a_newer_version_wrote_is_told_from_damage(void **state)
{
	static const struct {
		size_t sample, at;
		uint8_t value;
		enum wal_record_result want;
	} cases[] = {
	    {2, 28, 0, WAL_RECORD_UNKNOWN},     {2, 28, 8, WAL_RECORD_UNKNOWN},
	    {2, 29, 2, WAL_RECORD_UNKNOWN},     {0, 30, 0, WAL_RECORD_UNKNOWN},
	    {0, 30, 4, WAL_RECORD_UNKNOWN},     {0, 31, 0, WAL_RECORD_UNKNOWN},
	    {0, 31, 2, WAL_RECORD_UNKNOWN},     {2, 28, WAL_SEAL, WAL_RECORD_BAD},
	    {2, 28, WAL_ENTRY, WAL_RECORD_BAD}, {6, 28, WAL_HARD, WAL_RECORD_BAD},
	    {2, 24, 15, WAL_RECORD_BAD},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf b = put_all();
		struct wal_record r;
		size_t at = 0;

		for (size_t j = 0; j < cases[i].sample; j++)
			at += wal_record_size(&samples[j]);
		forge(b.data + at, cases[i].at, cases[i].value);
		assert_int_equal(wal_record_get(b.data + at, b.len - at, SALT, &r), cases[i].want);
		buf_done(&b);
	}
}

static void a_lag_that_does_not_fit_says_nothing(void **state)
{
	struct wal_chain chain = {.salt = SALT, .seq = UINT64_MAX - 1};
	struct wal_record r;
	struct buf b = {0};

	(void)state;
	wal_record_put(&b, &chain, &(struct wal_record){.type = WAL_MARK, .durable = 5});
	assert_int_equal(wal_record_get(b.data, b.len, SALT, &r), WAL_RECORD_OK);
	assert_true(r.durable == 0);
	buf_done(&b);
}

static const struct wal_head sample_head = {
    .prev = 1,
    .salt = 2,
    .seq = 30,
    .durable = 29,
    .cluster = 5,
    .node = 6,
    .segment = 8,
    .first = 7,
    .term = 9,
    .vote = 10,
    .last = {11, 12},
    .snapshot = {13, 14},
};

static void a_head_is_read_back(void **state)
{
	struct wal_head h = sample_head;
	struct wal_head got;
	char p[WAL_HEAD_LEN];

	(void)state;
	wal_head_put(p, &h);
	assert_int_equal(wal_head_get(p, sizeof(p), &got), WAL_HEAD_OK);
	assert_memory_equal(&got.prev, &h.prev, sizeof(h) - offsetof(struct wal_head, prev));
	assert_int_equal(got.crc, h.crc);
	for (size_t n = 0; n < sizeof(p); n++)
		assert_int_equal(wal_head_get(p, n, &got), WAL_HEAD_BAD);
	for (size_t bit = 0; bit < sizeof(p) * 8; bit++) {
		p[bit / 8] ^= (char)(1 << bit % 8);
		assert_int_equal(wal_head_get(p, sizeof(p), &got), WAL_HEAD_BAD);
		p[bit / 8] ^= (char)(1 << bit % 8);
	}
}

static void a_head_of_another_version_is_newer(void **state)
{
	struct wal_head h = sample_head;
	struct wal_head got;
	char p[WAL_HEAD_LEN];

	(void)state;
	wal_head_put(p, &h);
	le_put32(p + 8, 2);
	assert_int_equal(wal_head_get(p, sizeof(p), &got), WAL_HEAD_BAD);
	le_put32(p + 12, crc32c(0, p, 12));
	memset(p + 16, 0xee, sizeof(p) - 16);
	assert_int_equal(wal_head_get(p, sizeof(p), &got), WAL_HEAD_NEWER);
}

static void a_head_out_of_bounds_is_bad(void **state)
{
	struct wal_head bad[4] = {sample_head, sample_head, sample_head, sample_head};
	struct wal_head got;
	char p[WAL_HEAD_LEN];

	(void)state;
	bad[0].seq = bad[0].durable = 0;
	bad[1].durable = bad[1].seq;
	bad[2].first = 0;
	bad[3].first = bad[3].segment + 1;
	for (size_t i = 0; i < 4; i++) {
		wal_head_put(p, &bad[i]);
		assert_int_equal(wal_head_get(p, sizeof(p), &got), WAL_HEAD_BAD);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(records_are_read_back_and_chained),
	    cmocka_unit_test(the_bytes_are_those_of_the_page),
	    cmocka_unit_test(a_record_that_is_cut_is_none),
	    cmocka_unit_test(a_flipped_bit_is_seen_wherever_it_is),
	    cmocka_unit_test(what_a_newer_version_wrote_is_told_from_damage),
	    cmocka_unit_test(a_lag_that_does_not_fit_says_nothing),
	    cmocka_unit_test(a_head_is_read_back),
	    cmocka_unit_test(a_head_of_another_version_is_newer),
	    cmocka_unit_test(a_head_out_of_bounds_is_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
