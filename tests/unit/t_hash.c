#include "base/hash.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "seeded.h"

static void crc32c_gives_the_known_values(void **state)
{
	unsigned char bytes[32];

	(void)state;
	assert_int_equal(crc32c(0, "", 0), 0);
	assert_int_equal(crc32c(0, "a", 1), 0xc1d04330);
	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
	/* RFC 3720 appendix B.4 */
	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(crc32c(0, bytes, sizeof(bytes)), 0x8a9136aa);
	memset(bytes, 0xff, sizeof(bytes));
	assert_int_equal(crc32c(0, bytes, sizeof(bytes)), 0x62a8ab43);
	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)i;
	assert_int_equal(crc32c(0, bytes, sizeof(bytes)), 0x46dd794e);
	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(31 - i);
	assert_int_equal(crc32c(0, bytes, sizeof(bytes)), 0x113fdb5c);
}

/* The definition, bit by bit. */
static uint32_t crc32c_slow(uint32_t crc, const unsigned char *p, size_t len)
{
	crc = ~crc;
	for (; len > 0; len--) {
		crc ^= *p++;
		for (int i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return ~crc;
}

static void fill_random(unsigned char *p, size_t len)
{
	uint64_t rand = seeded();

	for (size_t i = 0; i < len; i++)
		p[i] = (unsigned char)seeded_next(&rand);
}

static void both_ways_to_crc32c_agree_with_the_definition(void **state)
{
	unsigned char bytes[600];

	(void)state;
	fill_random(bytes, sizeof(bytes));
	for (size_t n = 0; n < 500; n++) {
		size_t at = n % 17;
		uint32_t want = crc32c_slow((uint32_t)n, bytes + at, n);

		assert_int_equal(crc32c((uint32_t)n, bytes + at, n), want);
		assert_int_equal(crc32c_portable((uint32_t)n, bytes + at, n), want);
	}
}

static void crc32c_may_be_fed_in_pieces(void **state)
{
	unsigned char bytes[100];
	uint32_t whole;

	(void)state;
	fill_random(bytes, sizeof(bytes));
	whole = crc32c(0, bytes, sizeof(bytes));
	for (size_t cut = 0; cut <= sizeof(bytes); cut++) {
		uint32_t first = crc32c(0, bytes, cut);

		assert_int_equal(crc32c(first, bytes + cut, sizeof(bytes) - cut), whole);
		first = crc32c_portable(0, bytes, cut);
		assert_int_equal(crc32c_portable(first, bytes + cut, sizeof(bytes) - cut), whole);
	}
}

static void crc32c_notices_each_single_bit(void **state)
{
	unsigned char bytes[40];
	uint32_t good;

	(void)state;
	fill_random(bytes, sizeof(bytes));
	good = crc32c(0, bytes, sizeof(bytes));
	for (size_t bit = 0; bit < 8 * sizeof(bytes); bit++) {
		bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
		assert_int_not_equal(crc32c(0, bytes, sizeof(bytes)), good);
		bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
	}
}

static void siphash_gives_the_value_of_its_paper(void **state)
{
	unsigned char key[HASH_SIP_KEY_LEN];
	unsigned char text[15];

	(void)state;
	for (unsigned i = 0; i < sizeof(key); i++)
		key[i] = (unsigned char)i;
	for (unsigned i = 0; i < sizeof(text); i++)
		text[i] = (unsigned char)i;
	/* Aumasson and Bernstein 2012, appendix A, and the first entry of their test vectors. */
	assert_true(hash_sip(key, text, sizeof(text)) == 0xa129ca6149be45e5);
	assert_true(hash_sip(key, text, 0) == 0x726fdb47dd0e0e31);
	key[0] ^= 1;
	assert_true(hash_sip(key, text, sizeof(text)) != 0xa129ca6149be45e5);
}

static const unsigned char blake2b_abc[HASH_BLAKE2B_LEN] = {
    0xbd, 0xdd, 0x81, 0x3c, 0x63, 0x42, 0x39, 0x72, 0x31, 0x71, 0xef, 0x3f, 0xee, 0x98, 0x57, 0x9b,
    0x94, 0x96, 0x4e, 0x3b, 0xb1, 0xcb, 0x3e, 0x42, 0x72, 0x62, 0xc8, 0xc0, 0x68, 0xd5, 0x23, 0x19,
};

static void blake2b_gives_a_known_value_in_one_piece_and_in_several(void **state)
{
	unsigned char got[HASH_BLAKE2B_LEN];
	struct hash_blake2b h;
	struct hash_blake2b copy;

	(void)state;
	hash_blake2b_256("abc", 3, got);
	assert_memory_equal(got, blake2b_abc, sizeof(got));
	hash_blake2b_init(&h);
	hash_blake2b_update(&h, "a", 1);
	copy = h;
	hash_blake2b_update(&h, "", 0);
	hash_blake2b_update(&h, "bc", 2);
	hash_blake2b_final(&h, got);
	assert_memory_equal(got, blake2b_abc, sizeof(got));
	memset(got, 0, sizeof(got));
	hash_blake2b_update(&copy, "bc", 2);
	hash_blake2b_final(&copy, got);
	assert_memory_equal(got, blake2b_abc, sizeof(got));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(crc32c_gives_the_known_values),
	    cmocka_unit_test(both_ways_to_crc32c_agree_with_the_definition),
	    cmocka_unit_test(crc32c_may_be_fed_in_pieces),
	    cmocka_unit_test(crc32c_notices_each_single_bit),
	    cmocka_unit_test(siphash_gives_the_value_of_its_paper),
	    cmocka_unit_test(blake2b_gives_a_known_value_in_one_piece_and_in_several),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
