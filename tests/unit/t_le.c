/* le: the bytes are in this order on every machine, and nothing else is touched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/le.h"

static void numbers_are_written_low_byte_first(void **state)
{
	unsigned char p[10];

	(void)state;
	memset(p, 0xee, sizeof(p));
	le_put16(p + 1, 0x8102);
	assert_memory_equal(p, "\xee\x02\x81\xee", 4);
	le_put32(p + 1, 0xf1020304);
	assert_memory_equal(p, "\xee\x04\x03\x02\xf1\xee", 6);
	le_put64(p + 1, 0xf102030405060708);
	assert_memory_equal(p, "\xee\x08\x07\x06\x05\x04\x03\x02\xf1\xee", 10);
}

static void they_are_read_back_from_any_address(void **state)
{
	unsigned char p[16];

	(void)state;
	for (size_t at = 0; at < 8; at++) {
		le_put64(p + at, UINT64_MAX - 1);
		assert_true(le_get64(p + at) == UINT64_MAX - 1);
		le_put32(p + at, UINT32_MAX - 1);
		assert_int_equal(le_get32(p + at), UINT32_MAX - 1);
		le_put16(p + at, UINT16_MAX - 1);
		assert_int_equal(le_get16(p + at), UINT16_MAX - 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(numbers_are_written_low_byte_first),
	    cmocka_unit_test(they_are_read_back_from_any_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
