/* rand: bytes that do not repeat, alone and from a pool. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "os/rand.h"

static int compare_words(const void *a, const void *b)
{
	return memcmp(a, b, 8);
}

static void every_byte_that_was_asked_for_is_random_and_none_beyond(void **state)
{
	unsigned char ored[40] = {0};
	struct err e;

	(void)state;
	/* A byte that stays 0 in 64 tries is not written: by chance once in 10^154. */
	for (int i = 0; i < 64; i++) {
		unsigned char p[42] = {0};

		p[0] = 0xa5;
		p[41] = 0x5a;
		assert_int_equal(rand_bytes(p + 1, 40, &e), 0);
		assert_int_equal(p[0], 0xa5);
		assert_int_equal(p[41], 0x5a);
		for (size_t k = 0; k < sizeof(ored); k++)
			ored[k] |= p[k + 1];
	}
	for (size_t k = 0; k < sizeof(ored); k++)
		assert_int_not_equal(ored[k], 0);
	assert_int_equal(rand_bytes(NULL, 0, &e), 0);
}

static void a_large_request_is_filled_to_its_end(void **state)
{
	const size_t n = 1 << 20; /* more than the kernel gives in one uninterruptible piece */
	unsigned char *p = calloc(n, 1);
	size_t zeros = 0;
	struct err e;

	(void)state;
	assert_non_null(p);
	assert_int_equal(rand_bytes(p, n, &e), 0);
	for (size_t i = 0; i < n; i++)
		zeros += p[i] == 0;
	/* 4096 expected, standard deviation 64 */
	assert_in_range(zeros, 3000, 5200);
	free(p);
}

static void no_bytes_are_taken_twice_from_a_pool(void **state)
{
	enum { N = 20000 };
	unsigned char(*words)[8] = calloc(N, 8);
	struct rand_pool pool = {0};
	struct err e;

	(void)state;
	assert_non_null(words);
	for (size_t i = 0; i < N; i++) {
		const unsigned char *p = rand_pool_take(&pool, 8 + i % 5, &e);

		assert_non_null(p);
		assert_true(p >= pool.bytes && p + 8 + i % 5 <= pool.bytes + RAND_POOL_SIZE);
		memcpy(words[i], p, 8);
	}
	qsort(words, N, 8, compare_words);
	for (size_t i = 1; i < N; i++)
		assert_memory_not_equal(words[i - 1], words[i], 8);
	free(words);
}

static void a_pool_gives_up_to_its_whole_size_at_once(void **state)
{
	struct rand_pool pool = {0};
	unsigned char before[8];
	const unsigned char *p;
	struct err e;

	(void)state;
	p = rand_pool_take(&pool, RAND_POOL_SIZE, &e);
	assert_ptr_equal(p, pool.bytes);
	assert_int_equal(pool.left, 0);
	memcpy(before, p, 8);
	p = rand_pool_take(&pool, 1, &e);
	assert_non_null(p);
	assert_int_equal(pool.left, RAND_POOL_SIZE - 1);
	assert_memory_not_equal(before, pool.bytes, 8);
}

static void a_pool_that_was_initialised_again_gives_other_bytes(void **state)
{
	struct rand_pool parent = {0};
	struct rand_pool child;
	unsigned char a[16];
	unsigned char b[16];
	struct err e;

	(void)state;
	assert_non_null(rand_pool_take(&parent, 1, &e));
	child = parent; /* as fork copies it */
	rand_pool_init(&child);
	memcpy(a, rand_pool_take(&parent, 16, &e), 16);
	memcpy(b, rand_pool_take(&child, 16, &e), 16);
	assert_memory_not_equal(a, b, 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_byte_that_was_asked_for_is_random_and_none_beyond),
	    cmocka_unit_test(a_large_request_is_filled_to_its_end),
	    cmocka_unit_test(no_bytes_are_taken_twice_from_a_pool),
	    cmocka_unit_test(a_pool_gives_up_to_its_whole_size_at_once),
	    cmocka_unit_test(a_pool_that_was_initialised_again_gives_other_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
