#include "base/id.h"

#include <errno.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void version_7_has_its_time_version_and_variant_in_place(void **state)
{
	/* RFC 9562 appendix A.6: 2022-02-22T14:22:22.000-05:00, rand_a cc3, rand_b 18c4dc0c0c07398f
	 */
	static const unsigned char random[10] = {0x0c, 0xc3, 0x18, 0xc4, 0xdc,
	                                         0x0c, 0x0c, 0x07, 0x39, 0x8f};
	char id[ID_UUID_LEN];

	(void)state;
	id_uuid7(id, 0x017f22e279b0, random);
	assert_memory_equal(id, "017f22e2-79b0-7cc3-98c4-dc0c0c07398f", ID_UUID_LEN);
}

static void all_ones_still_leave_version_and_variant(void **state)
{
	unsigned char random[10];
	char id[ID_UUID_LEN];

	(void)state;
	memset(random, 0xff, sizeof(random));
	id_uuid7(id, UINT64_MAX, random);
	assert_memory_equal(id, "ffffffff-ffff-7fff-bfff-ffffffffffff", ID_UUID_LEN);
	memset(random, 0, sizeof(random));
	id_uuid7(id, 0, random);
	assert_memory_equal(id, "00000000-0000-7000-8000-000000000000", ID_UUID_LEN);
}

static void later_ids_sort_behind_earlier_ones_as_text(void **state)
{
	static const unsigned char low[10] = {0};
	unsigned char high[10];
	char a[ID_UUID_LEN];
	char b[ID_UUID_LEN];

	(void)state;
	memset(high, 0xff, sizeof(high));
	for (uint64_t ms = 1; ms < (uint64_t)1 << 47; ms *= 2) {
		id_uuid7(a, ms, high);
		id_uuid7(b, ms + 1, low);
		assert_true(memcmp(a, b, ID_UUID_LEN) < 0);
	}
}

static void a_uuid_is_read_in_both_forms_and_both_cases(void **state)
{
	static const unsigned char want[ID_LEN] = {0x01, 0x7f, 0x22, 0xe2, 0x79, 0xb0, 0x7c, 0xc3,
	                                           0x98, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f};
	static const char *const good[] = {
	    "017f22e2-79b0-7cc3-98c4-dc0c0c07398f",
	    "017F22E2-79B0-7CC3-98C4-DC0C0C07398F",
	    "017f22e279b07cc398c4dc0c0c07398f",
	};
	unsigned char id[ID_LEN];
	char text[ID_UUID_LEN];
	struct err e;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		memset(id, 0, sizeof(id));
		assert_int_equal(id_parse(good[i], strlen(good[i]), id, &e), 0);
		assert_memory_equal(id, want, ID_LEN);
	}
	id_put_hex(text, id);
	assert_memory_equal(text, good[2], ID_HEX_LEN);
	id_put_uuid(text, id);
	assert_memory_equal(text, good[0], ID_UUID_LEN);
}

static void what_is_no_uuid_is_refused_and_changes_nothing(void **state)
{
	static const char *const bad[] = {
	    "",
	    "017f22e2-79b0-7cc3-98c4-dc0c0c07398",
	    "017f22e2-79b0-7cc3-98c4-dc0c0c07398f0",
	    "017f22e2-79b0-7cc3-98c4_dc0c0c07398f",
	    "017f22e2-79b0-7cc3-98c4-dc0c0c07398g",
	    "017f22e27-9b0-7cc3-98c4-dc0c0c07398f",
	    "{17f22e2-79b0-7cc3-98c4-dc0c0c07398}",
	    "017f22e279b07cc398c4dc0c0c07398",
	    "017f22e279b07cc398c4dc0c0c07398\x06",
	    "+17f22e279b07cc398c4dc0c0c07398f",
	};
	unsigned char id[ID_LEN] = {7};
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(id_parse(bad[i], strlen(bad[i]), id, &e), -1);
		assert_int_equal(e.code, EINVAL);
		assert_false(id_is_uuid(bad[i], strlen(bad[i])));
		assert_int_equal(id[0], 7);
	}
}

static void only_the_form_with_hyphens_is_a_uuid(void **state)
{
	(void)state;
	assert_true(id_is_uuid("00000000-0000-0000-0000-000000000000", 36));
	assert_false(id_is_uuid("00000000000000000000000000000000", 32));
}

static void version_4_keeps_all_other_bits(void **state)
{
	unsigned char id[ID_LEN];

	(void)state;
	for (int bits = 0; bits < 2; bits++) {
		char text[ID_UUID_LEN];

		memset(id, bits == 0 ? 0x00 : 0xff, sizeof(id));
		id_make_uuid4(id);
		id_put_uuid(text, id);
		assert_memory_equal(text,
		                    bits == 0 ? "00000000-0000-4000-8000-000000000000"
		                              : "ffffffff-ffff-4fff-bfff-ffffffffffff",
		                    ID_UUID_LEN);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(version_7_has_its_time_version_and_variant_in_place),
	    cmocka_unit_test(all_ones_still_leave_version_and_variant),
	    cmocka_unit_test(later_ids_sort_behind_earlier_ones_as_text),
	    cmocka_unit_test(a_uuid_is_read_in_both_forms_and_both_cases),
	    cmocka_unit_test(what_is_no_uuid_is_refused_and_changes_nothing),
	    cmocka_unit_test(only_the_form_with_hyphens_is_a_uuid),
	    cmocka_unit_test(version_4_keeps_all_other_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
