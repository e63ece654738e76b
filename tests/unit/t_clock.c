/* clock: three clocks, and the id of this boot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "os/clock.h"
#include "os/file.h"

static void boot_and_monotonic_time_never_go_back(void **state)
{
	int64_t boot = clock_boot_ns();
	int64_t mono = clock_mono_ns();

	(void)state;
	assert_true(mono > 0);
	for (int i = 0; i < 10000; i++) {
		int64_t next_boot = clock_boot_ns();
		int64_t next_mono = clock_mono_ns();

		assert_true(next_boot >= boot);
		assert_true(next_mono >= mono);
		boot = next_boot;
		mono = next_mono;
	}
	/* Boot time also counts the sleep of the machine. */
	assert_true(clock_boot_ns() >= mono);
}

static void wall_time_counts_nanoseconds_since_1970(void **state)
{
	time_t before = time(NULL);
	int64_t wall = clock_wall_ns();
	time_t after = time(NULL);

	(void)state;
	/* time(2) reads a coarser clock: it may be a tick behind. */
	assert_true(wall / CLOCK_NS_PER_SEC >= before - 1);
	assert_true(wall / CLOCK_NS_PER_SEC <= after + 1);
}

static void the_boot_id_is_the_kernels(void **state)
{
	unsigned char id[CLOCK_BOOT_ID_SIZE];
	unsigned char again[CLOCK_BOOT_ID_SIZE];
	struct buf text = {0};
	char got[2 * CLOCK_BOOT_ID_SIZE + 1];
	char want[2 * CLOCK_BOOT_ID_SIZE + 1] = "";
	size_t n = 0;
	struct err e;

	(void)state;
	assert_int_equal(clock_boot_id(id, &e), 0);
	assert_int_equal(clock_boot_id(again, &e), 0);
	assert_memory_equal(id, again, sizeof(id));
	for (size_t i = 0; i < sizeof(id); i++)
		snprintf(got + 2 * i, 3, "%02x", id[i]);
	assert_int_equal(file_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 100, &text, &e), 0);
	for (size_t i = 0; i < text.len && n < sizeof(want) - 1; i++)
		if (text.data[i] != '-' && text.data[i] != '\n')
			want[n++] = text.data[i];
	assert_string_equal(got, want);
	buf_done(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(boot_and_monotonic_time_never_go_back),
	    cmocka_unit_test(wall_time_counts_nanoseconds_since_1970),
	    cmocka_unit_test(the_boot_id_is_the_kernels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
