/* retry: pauses at first, then the turn, and an end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "evlog/retry.h"
#include "seeded.h"

#define SECOND INT64_C(1000000000)

static void the_first_conflicts_are_answered_by_pauses_that_grow(void **state)
{
	uint64_t rng = seeded();

	(void)state;
	for (int i = 0; i < 1000; i++) {
		struct retry r = {.for_ns = 30 * SECOND};
		int64_t at = 5 * SECOND;

		for (int n = 1; n < RETRY_TURN_AFTER; n++) {
			int64_t whole = RETRY_BASE_NS << (n - 1);
			int64_t delay;

			assert_int_equal(retry_conflict(&r, at, seeded_next(&rng), &delay),
			                 RETRY_PAUSE);
			assert_true(delay >= whole / 2 && delay <= whole);
			assert_true(delay <= RETRY_MAX_NS);
			at += delay;
		}
	}
}

static void after_the_third_conflict_it_takes_turns_at_once(void **state)
{
	struct retry r = {.for_ns = 30 * SECOND};
	int64_t delay = 0;

	(void)state;
	for (int n = 1; n < RETRY_TURN_AFTER; n++)
		assert_int_equal(retry_conflict(&r, 0, 0, &delay), RETRY_PAUSE);
	assert_int_equal(RETRY_TURN_AFTER, 3);
	for (int n = RETRY_TURN_AFTER; n < 100; n++) {
		assert_int_equal(retry_conflict(&r, n, 0, &delay), RETRY_TURN);
		assert_int_equal(delay, 0);
	}
	assert_int_equal(r.conflicts, 99);
}

static void the_time_counts_from_the_first_conflict(void **state)
{
	struct retry r = {.for_ns = SECOND};
	int64_t delay;

	(void)state;
	/* A command that takes an hour for its first try still gets a second one. */
	assert_int_equal(retry_conflict(&r, 3600 * SECOND, 0, &delay), RETRY_PAUSE);
	assert_int_equal(r.deadline_ns, 3601 * SECOND);
	assert_int_equal(retry_conflict(&r, 3601 * SECOND - 1, 0, &delay), RETRY_PAUSE);
	assert_int_equal(delay, 1);
	assert_int_equal(retry_conflict(&r, 3601 * SECOND, 0, &delay), RETRY_GIVE_UP);
	assert_int_equal(delay, 0);
}

static void no_time_means_no_second_try(void **state)
{
	struct retry r = {.for_ns = 0};
	int64_t delay;

	(void)state;
	assert_int_equal(retry_conflict(&r, 0, 7, &delay), RETRY_GIVE_UP);
}

static void a_very_long_time_does_not_overflow(void **state)
{
	struct retry r = {.for_ns = INT64_MAX};
	int64_t delay;

	(void)state;
	assert_int_equal(retry_conflict(&r, INT64_MAX / 2, 7, &delay), RETRY_PAUSE);
	assert_int_equal(r.deadline_ns, INT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_first_conflicts_are_answered_by_pauses_that_grow),
	    cmocka_unit_test(after_the_third_conflict_it_takes_turns_at_once),
	    cmocka_unit_test(the_time_counts_from_the_first_conflict),
	    cmocka_unit_test(no_time_means_no_second_try),
	    cmocka_unit_test(a_very_long_time_does_not_overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
