#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/backoff.h"

static const struct backoff b = {.base_ns = 100, .max_ns = 1500};

static void half_of_the_delay_is_certain_and_half_is_chance(void **state)
{
	(void)state;
	assert_int_equal(backoff_delay_ns(&b, 1, 0), 50);
	assert_int_equal(backoff_delay_ns(&b, 1, 50), 100);
	assert_int_equal(backoff_delay_ns(&b, 1, 51), 50);
	for (uint64_t r = 0; r < 1000; r++)
		assert_in_range(backoff_delay_ns(&b, 2, r), 100, 200);
}

static void the_delay_doubles_up_to_the_maximum(void **state)
{
	(void)state;
	assert_int_equal(backoff_delay_ns(&b, 2, 0), 100);
	assert_int_equal(backoff_delay_ns(&b, 3, 0), 200);
	assert_int_equal(backoff_delay_ns(&b, 4, 0), 400);
	assert_int_equal(backoff_delay_ns(&b, 5, 0), 750);
	assert_int_equal(backoff_delay_ns(&b, UINT32_MAX, 0), 750);
	assert_int_equal(backoff_delay_ns(&b, UINT32_MAX, 750), 1500);
}

static void large_delays_do_not_overflow(void **state)
{
	struct backoff large = {.base_ns = INT64_MAX / 3, .max_ns = INT64_MAX};

	(void)state;
	for (uint32_t attempt = 1; attempt < 10; attempt++)
		assert_true(backoff_delay_ns(&large, attempt, UINT64_MAX) > 0);
}

static void the_smallest_delay_is_not_zero(void **state)
{
	struct backoff one = {.base_ns = 1, .max_ns = 1};

	(void)state;
	assert_int_equal(backoff_delay_ns(&one, 7, UINT64_MAX), 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(half_of_the_delay_is_certain_and_half_is_chance),
	    cmocka_unit_test(the_delay_doubles_up_to_the_maximum),
	    cmocka_unit_test(large_delays_do_not_overflow),
	    cmocka_unit_test(the_smallest_delay_is_not_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
