/* active: the tables of the active segment against plain arrays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "evlog/active.h"
#include "evlog_slots.h"
#include "seeded.h"
#include "tmp_dir.h"

#define BASE 1001u

static struct err e;

static void fill(struct active *a, const uint64_t *key, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		a->offset[i] = (uint32_t)(192 + i);
		active_set_head(a, key[i], BASE + i);
		active_add_id(a, key[i], BASE + i);
	}
	active_set_seq(a, BASE + n - 1);
}

/* Every head is the newest of its key, every id is found, nothing else is. */
static void assert_holds(const struct active *a, const uint64_t *key, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t newest = 0, seq;
		size_t same = 0, found = 0, at = ACTIVE_FIRST;

		for (size_t k = 0; k < n; k++)
			if (key[k] == key[i]) {
				newest = BASE + k;
				same++;
			}
		assert_true(active_head(a, key[i]) == newest);
		while ((seq = active_next_id(a, key[i], &at)) != 0) {
			assert_true(key[seq - BASE] == key[i]);
			found++;
		}
		assert_int_equal(found, same);
		assert_int_equal(a->offset[i], 192 + i);
	}
	assert_true(active_seq(a) == BASE + n - 1);
}

static void assert_sorted(const struct active *a, const struct active_slot *table)
{
	size_t slots = (size_t)a->capacity * 2, n = 0;
	struct active_slot *want = calloc(slots, sizeof(*want));
	struct active_slot *got;
	ssize_t have = active_sorted(a, table, &got, &e);

	for (size_t i = 0; i < slots; i++)
		if (table[i].key != 0)
			want[n++] = table[i];
	qsort(want, n, sizeof(*want), slots_compare);
	assert_int_equal(have, n);
	assert_memory_equal(got, want, n * sizeof(*want));
	free(want);
	free(got);
}

enum pattern { RANDOM, FEW, LOW, TOP, PATTERNS };

static void make_keys(uint64_t *key, size_t n, enum pattern p, uint64_t *state)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t v = seeded_next(state);

		key[i] = p == FEW   ? v % 7 + 1
		         : p == LOW ? v % 1000 + 1
		         : p == TOP ? ~(v % 1000)
		                    : v | 1;
	}
}

static void tables_answer_like_arrays_for_spread_few_and_crowded_keys(void **state)
{
	uint64_t s = seeded();
	uint64_t key[300];

	(void)state;
	for (int p = 0; p < PATTERNS; p++) {
		struct active a = {0};

		make_keys(key, 300, (enum pattern)p, &s);
		assert_int_equal(active_create(&a, -1, 0, BASE, 300, &e), 0);
		assert_int_equal(a.capacity, 512);
		fill(&a, key, 300);
		assert_holds(&a, key, 300);
		assert_sorted(&a, a.heads);
		assert_sorted(&a, a.ids);
		assert_true(active_head(&a, 0x5555555555555555) == 0);
		active_close(&a);
	}
}

static void a_full_table_still_answers(void **state)
{
	uint64_t s = 99;
	uint64_t key[ACTIVE_EVENTS_MIN];
	struct active a = {0};

	(void)state;
	make_keys(key, ACTIVE_EVENTS_MIN, TOP, &s);
	assert_int_equal(active_create(&a, -1, 0, BASE, 1, &e), 0);
	assert_int_equal(a.capacity, ACTIVE_EVENTS_MIN);
	fill(&a, key, ACTIVE_EVENTS_MIN);
	assert_holds(&a, key, ACTIVE_EVENTS_MIN);
	assert_sorted(&a, a.ids);
	active_close(&a);
}

static void a_larger_table_holds_the_same_and_another_process_sees_it(void **state)
{
	char *dir = tmp_dir_new();
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct active a = {0}, b = {0};
	uint64_t s = seeded(), key[256];

	(void)state;
	make_keys(key, 256, RANDOM, &s);
	assert_int_equal(active_create(&a, fd, 0600, BASE, 1, &e), 0);
	fill(&a, key, 200);
	assert_int_equal(active_enlarge(&a, fd, 0600, 600, &e), 0);
	assert_int_equal(a.capacity, 1024);
	assert_holds(&a, key, 200);
	assert_int_equal(active_open(&b, fd, false, BASE, &e), 0);
	fill(&a, key, 256);
	active_close(&a);
	for (size_t i = 0; i < 256; i++)
		assert_true(active_head(&b, key[i]) >= BASE);
	active_close(&b);
	close(fd);
	tmp_dir_free(dir);
}

static void spoil(int dir, off_t at, const void *p, size_t n, off_t size)
{
	int fd = openat(dir, "active", O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	if (n > 0)
		assert_int_equal(pwrite(fd, p, n, at), n);
	if (size >= 0)
		assert_int_equal(ftruncate(fd, size), 0);
	close(fd);
}

static void a_file_that_is_no_table_of_this_segment_is_refused(void **state)
{
	char *dir = tmp_dir_new();
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const uint32_t caps[] = {0, 1, 255, 257, 512, UINT32_MAX};
	const uint32_t right = 256;
	struct active a = {0};
	struct stat st;

	(void)state;
	assert_int_equal(active_open(&a, fd, true, BASE, &e), -1);
	assert_int_equal(e.code, ENOENT);
	assert_int_equal(active_create(&a, fd, 0600, BASE, 1, &e), 0);
	active_close(&a);
	assert_int_equal(fstatat(fd, "active", &st, 0), 0);
	assert_int_equal(active_open(&a, fd, true, BASE + 1, &e), -1);
	assert_int_equal(e.code, EBADMSG);
	for (size_t i = 0; i < sizeof(caps) / sizeof(caps[0]); i++) {
		spoil(fd, 24, &caps[i], 4, -1);
		assert_int_equal(active_open(&a, fd, true, BASE, &e), -1);
	}
	spoil(fd, 24, &right, 4, st.st_size - 1);
	assert_int_equal(active_open(&a, fd, true, BASE, &e), -1);
	spoil(fd, 0, "", 0, 5);
	assert_int_equal(active_open(&a, fd, true, BASE, &e), -1);
	spoil(fd, 0, "garbage!", 8, st.st_size);
	assert_int_equal(active_open(&a, fd, true, BASE, &e), -1);
	close(fd);
	tmp_dir_free(dir);
}

#define MANY 30000u

static void enlarge_for_ever(int dir)
{
	for (;;) {
		struct active a = {0};

		if (active_create(&a, dir, 0600, BASE, MANY, &e) < 0)
			_exit(1);
		for (uint32_t i = 0; i < MANY; i++) {
			active_set_head(&a, (uint64_t)(i + 1) * 0x9e3779b97f4a7c15u | 1, BASE + i);
			a.offset[i] = i + 192;
		}
		active_set_seq(&a, BASE + MANY - 1);
		if (active_enlarge(&a, dir, 0600, MANY * 3, &e) < 0)
			_exit(1);
		active_close(&a);
	}
}

/* The tables say by their sequence that they are complete. */
static void tables_whose_enlarging_was_killed_do_not_pass_for_complete(void **state)
{
	char *dir = tmp_dir_new();
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint64_t s = seeded();
	unsigned complete = 0;

	(void)state;
	for (int round = 0; round < 60; round++) {
		struct timespec t = {.tv_nsec = (long)(1000000 + seeded_next(&s) % 40000000)};
		struct active a = {0};
		pid_t pid = fork();

		if (pid == 0)
			enlarge_for_ever(fd);
		nanosleep(&t, NULL);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		if (active_open(&a, fd, true, BASE, &e) < 0)
			continue;
		for (uint32_t i = 0; active_seq(&a) == BASE + MANY - 1 && i < MANY; i++)
			if (active_head(&a, (uint64_t)(i + 1) * 0x9e3779b97f4a7c15u | 1) !=
			        BASE + i ||
			    a.offset[i] != i + 192)
				fail_msg("round %d: entry %u is missing", round, i);
		complete += active_seq(&a) == BASE + MANY - 1;
		active_close(&a);
	}
	print_message("# %u of 60 were complete\n", complete);
	close(fd);
	tmp_dir_free(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tables_answer_like_arrays_for_spread_few_and_crowded_keys),
	    cmocka_unit_test(a_full_table_still_answers),
	    cmocka_unit_test(a_larger_table_holds_the_same_and_another_process_sees_it),
	    cmocka_unit_test(a_file_that_is_no_table_of_this_segment_is_refused),
	    cmocka_unit_test(tables_whose_enlarging_was_killed_do_not_pass_for_complete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
