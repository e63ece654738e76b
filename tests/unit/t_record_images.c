/* record_io: which images are checked, mapped files, failures, and random runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "record_io.h"
#include "record_toy.h"
#include "tmp_dir.h"

/* --- marks, bounds, repetition --- */

#define POINTS_MAX 512

struct tally {
	unsigned images;
	unsigned at[POINTS_MAX]; /* by crash point */
	unsigned mixes[3];
	uint64_t hash; /* of all images in their order */
	size_t marks_max;
};

static int tally_image(const struct record_image *im, void *arg, struct err *e)
{
	struct tally *t = arg;
	struct buf b = {0};

	(void)e;
	t->images++;
	t->at[im->crash]++;
	t->mixes[im->mix]++;
	t->hash = t->hash * 31 + (uint64_t)toy_load(im, "log", &b);
	for (size_t i = 0; i < b.len; i++)
		t->hash = t->hash * 31 + (unsigned char)b.data[i];
	t->hash = t->hash * 31 + im->crash + im->n_marks;
	t->marks_max = im->n_marks > t->marks_max ? im->n_marks : t->marks_max;
	buf_done(&b);
	return 0;
}

/* A log with a promise for every second record. */
static struct toy write_log(unsigned n)
{
	struct toy t = toy_open(NULL, NULL);
	int fd = toy_durable(&t, "log", 'x', 0);

	for (unsigned i = 0; i < n; i++) {
		toy_write(&t, fd, i * (size_t)700, (char)('a' + i % 26), 700);
		if (i % 2 == 0)
			continue;
		assert_int_equal(t.io->fdatasync(fd), 0);
		record_io_mark(t.r, "record %u", i);
	}
	file_close(t.io, fd);
	t.options.mixes = 4;
	return t;
}

static struct tally tally_all(struct toy *t)
{
	struct tally all = {0};
	long n = record_io_images(t->r, &t->options, tally_image, &all, &t->e);

	if (n < 0)
		fail_msg("%s", t->e.msg);
	assert_int_equal(n, all.images);
	return all;
}

static void images_are_a_function_of_record_and_seed(void **state)
{
	struct toy t = write_log(40);
	struct tally first = tally_all(&t);
	struct tally second = tally_all(&t);
	struct tally other;

	(void)state;
	t.options.seed++;
	other = tally_all(&t);
	assert_true(first.images > 40);
	assert_int_equal(first.hash, second.hash);
	assert_int_not_equal(first.hash, other.hash);
	assert_int_equal(first.marks_max, 20);
	toy_close(&t);
}

static void a_bound_on_images_is_kept_and_spread_over_the_crash_points(void **state)
{
	static const size_t bounds[] = {1, 10, 100, 150, 300, 100000};
	struct toy t = write_log(100);
	size_t points = record_io_calls(t.r) + 1;

	(void)state;
	for (size_t k = 0; k < sizeof(bounds) / sizeof(bounds[0]); k++) {
		unsigned last = 0;
		unsigned gap = 0;
		struct tally all;

		t.options.max_images = bounds[k];
		all = tally_all(&t);
		assert_true(all.images > 0);
		assert_true(all.images <= bounds[k]);
		for (unsigned i = 0; i < points; i++)
			if (all.at[i] > 0) {
				gap = i - last > gap ? i - last : gap;
				last = i;
			}
		/* Not every choice is a new image, so the spread is not exact. */
		if (bounds[k] > 10)
			assert_true(gap <= 8 * (1 + points / bounds[k]));
		if (bounds[k] >= 300)
			assert_true(all.mixes[RECORD_LOST] > 0 && all.mixes[RECORD_KEPT] > 0 &&
			            all.mixes[RECORD_RANDOM] > 0);
	}
	toy_close(&t);
}

static void one_crash_point_can_be_looked_at_alone(void **state)
{
	struct toy t = write_log(20);
	struct tally all = tally_all(&t);
	struct tally one;

	(void)state;
	t.options.only_crash = 15;
	one = tally_all(&t);
	assert_true(one.images >= all.at[15]);
	assert_int_equal(one.at[15], one.images);
	toy_close(&t);
}

static int count_marks(const struct record_image *im, void *arg, struct err *e)
{
	struct buf b = {0};
	size_t promised = 2 * record_image_count(im, "record ");
	bool is_there = toy_load(im, "log", &b) == 1;
	int result = 0;

	(void)arg;
	if (promised > 0 && (!is_there || b.len < promised * 700))
		result = err_set(e, EIO, "%zu records of %zu", b.len / 700, promised);
	if (promised > 0 && !record_image_marked(im, "record 1"))
		result = err_set(e, EIO, "the first mark is missing");
	buf_done(&b);
	return result;
}

static void a_crash_comes_after_the_marks_that_precede_the_next_call(void **state)
{
	struct toy t = write_log(40);

	(void)state;
	assert_true(toy_images(&t, count_marks) > 40);
	toy_close(&t);
}

/* --- failures --- */

static int fail_later(const struct record_image *im, void *arg, struct err *e)
{
	char path[4096];

	(void)arg;
	snprintf(path, sizeof(path), "%s/log", im->dir);
	if (record_image_count(im, "record ") < 5)
		return 0;
	assert_int_equal(unlink(path), 0);
	return err_set(e, EILSEQ, "no good");
}

static void a_failed_check_names_the_image_and_leaves_a_fresh_copy_of_it(void **state)
{
	static const char kept[] = "(the image is kept in ";
	struct toy t = write_log(20);
	char path[sizeof(t.e.msg)];
	char *from;

	(void)state;
	assert_int_equal(record_io_images(t.r, &t.options, fail_later, NULL, &t.e), -1);
	assert_int_equal(t.e.code, EILSEQ);
	assert_non_null(strstr(t.e.msg, "crash "));
	assert_non_null(strstr(t.e.msg, "after fdatasync 'log'"));
	assert_non_null(strstr(t.e.msg, ": no good"));
	from = strstr(t.e.msg, kept);
	assert_non_null(from);
	snprintf(path, sizeof(path), "%.*s/log", (int)strcspn(from + strlen(kept), ")"),
	         from + strlen(kept));
	assert_int_equal(access(path, F_OK), 0);
	*strstr(path, "/image/log") = '\0';
	assert_int_equal(tmp_dir_remove(path, &t.e), 0);
	toy_close(&t);
}

/* --- mapped files --- */

static bool is_map(const char *path)
{
	return strcmp(path, "map") == 0;
}

static char *map_file(int fd, size_t n)
{
	char *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	assert_ptr_not_equal(p, MAP_FAILED);
	return p;
}

/* n[0]: absent; n[1]: empty; n[2]: zeroed; n[3]: as it was; n[4]: of another time */
static int look_at_map(const struct record_image *im, void *arg, struct err *e)
{
	struct toy *t = arg;
	struct buf b = {0};
	int there = toy_load(im, "map", &b);
	char want = record_image_marked(im, "two") ? '2' : record_image_marked(im, "one") ? '1' : 0;
	char got = b.len == 8192 ? b.data[5000] : 0;

	(void)e;
	if (want != 0) {
		t->n[0] += there == 0;
		t->n[1] += there == 1 && b.len == 0;
		t->n[2] += b.len == 8192 && got == 0;
		t->n[3] += got == want && im->mapped == RECORD_MAPPED_KEPT;
		t->n[4] += got != want && got != 0;
	}
	buf_done(&b);
	return 0;
}

static struct toy store_through_map(bool sync_map)
{
	struct toy t = toy_open(NULL, is_map);
	int log = toy_durable(&t, "log", 'x', 0);
	int fd = toy_create(&t, "map");
	char *map;

	assert_int_equal(t.io->ftruncate(fd, 8192), 0);
	map = map_file(fd, 8192);
	for (int c = '1'; c <= '2'; c++) {
		memset(map, c, 8192);
		record_io_mark(t.r, "%s", c == '1' ? "one" : "two");
		toy_write(&t, log, 0, (char)c, 700);
		if (sync_map && c == '1') {
			assert_int_equal(t.io->fdatasync(fd), 0);
			assert_int_equal(file_sync_dir(t.io, t.fd, &t.e), 0);
			record_io_mark(t.r, "map synced");
		}
	}
	munmap(map, 8192);
	file_close(t.io, fd);
	file_close(t.io, log);
	return t;
}

static void a_mapped_file_is_as_it_was_or_old_or_zeroed_or_not_there(void **state)
{
	struct toy t = store_through_map(false);

	(void)state;
	toy_images(&t, look_at_map);
	for (size_t i = 0; i < 4; i++)
		assert_true(t.n[i] > 0);
	assert_int_equal(t.n[4], 0);
	toy_close(&t);
}

static void an_old_mapped_file_is_that_of_its_last_sync(void **state)
{
	struct toy t = store_through_map(true);

	(void)state;
	toy_images(&t, look_at_map);
	assert_true(t.n[2] > 0);
	assert_true(t.n[3] > 0);
	assert_true(t.n[4] > 0);
	toy_close(&t);
}

/* --- a recorder within a check --- */

static int count_images(const struct record_image *im, void *arg, struct err *e)
{
	unsigned *n = arg;

	(void)im;
	(void)e;
	++*n;
	return 0;
}

/* "Recover" the image under record: cut the log to whole records. */
static int crash_recovery(const struct record_image *im, void *arg, struct err *e)
{
	const struct io *io;
	struct record_options o = RECORD_OPTIONS_DEFAULT;
	struct record_io *r = record_io_start(&(struct record_setup){.root = im->dir}, &io, e);
	int dir = r == NULL ? -1 : file_open_dir(io, AT_FDCWD, im->dir, e);
	int fd = dir < 0 ? -1 : file_open(io, dir, "log", O_RDWR | O_CREAT, 0600, e);
	int result = -1;

	if (fd >= 0 && io->ftruncate(fd, 350) == 0 && io->fdatasync(fd) == 0)
		result = record_io_images(r, &o, count_images, arg, e) < 0 ? -1 : 0;
	file_close(io, fd);
	file_close(io, dir);
	record_io_free(r);
	return result;
}

static void recovery_can_be_recorded_and_crashed_as_well(void **state)
{
	struct toy t = write_log(6);
	unsigned n = 0;
	long images = record_io_images(t.r, &t.options, crash_recovery, &n, &t.e);

	(void)state;
	assert_true(images > 0);
	assert_true(n > 2 * (unsigned long)images);
	/* The outer recorder is at work again. */
	toy_durable(&t, "more", 'x', 10);
	toy_images(&t, count_marks);
	toy_close(&t);
}

/* --- random runs --- */

#define NAMES 6

static uint32_t next_random(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*state >> 33);
}

static const char *random_name(uint64_t *rand, char name[8])
{
	static const char *const dirs[] = {"", "d/", "e/"};
	uint32_t x = next_random(rand);

	snprintf(name, 8, "%s%c", dirs[x % 3], (char)('p' + x / 3 % NAMES));
	return name;
}

/* One call, whatever it may be; most of them may fail. */
static void random_call(struct toy *t, uint64_t *rand, int fds[4])
{
	static const char bytes[3000] = "some bytes of a random run";
	char a[8];
	char b[8];
	int *fd = &fds[next_random(rand) % 4];
	uint32_t x = next_random(rand);
	uint32_t kind = next_random(rand) % 12;

	random_name(rand, a);
	random_name(rand, b);
	if (*fd < 0 || kind == 0) {
		file_close(t->io, *fd);
		*fd = t->io->openat(t->fd, a, O_RDWR | O_CREAT | (x % 5 == 0 ? O_TRUNC : 0), 0600);
	} else if (kind <= 4) {
		(void)!t->io->pwrite(*fd, bytes, 1 + x % 3000, x / 3000 % 9000);
	} else if (kind == 5) {
		(void)t->io->ftruncate(*fd, x % 9000);
	} else if (kind == 6) {
		(void)t->io->fdatasync(*fd);
	} else if (kind == 7) {
		toy_sync_dir(t, x % 3 == 0 ? "." : x % 3 == 1 ? "d" : "e");
	} else if (kind <= 9) {
		(void)t->io->renameat(t->fd, a, t->fd, b);
	} else if (kind == 10) {
		(void)t->io->linkat(t->fd, a, t->fd, b);
	} else {
		(void)t->io->unlinkat(t->fd, a);
	}
}

/* The durable file is renamed and linked, never removed: each image has it, whole. */
static int find_durable(const struct record_image *im, void *arg, struct err *e)
{
	static const char *const names[] = {"k0", "k1", "d/k0", "d/k1", "e/k0", "e/k1"};

	(void)arg;
	if (!record_image_marked(im, "durable"))
		return 0;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (toy_holds(im, names[i], 'k', 1000))
			return 0;
	return err_set(e, EIO, "the file that never was removed is gone");
}

static void random_run(uint64_t seed)
{
	static const char *const names[] = {"k0", "k1", "d/k0", "d/k1", "e/k0", "e/k1"};
	struct toy t = toy_open(NULL, NULL);
	int fds[4] = {-1, -1, -1, -1};
	uint64_t rand = seed;
	size_t at = 0;

	t.options.seed = seed;
	t.options.mixes = 4;
	t.options.any_order = seed % 2 != 0;
	assert_int_equal(t.io->mkdirat(t.fd, "d", 0700), 0);
	assert_int_equal(t.io->mkdirat(t.fd, "e", 0700), 0);
	file_close(t.io, toy_durable(&t, "k0", 'k', 1000));
	record_io_mark(t.r, "durable");
	for (unsigned i = 0; i < 80; i++) {
		size_t to = next_random(&rand) % 6;

		random_call(&t, &rand, fds);
		if (i % 4 != 0 || to == at)
			continue;
		if (next_random(&rand) % 2 == 0) {
			toy_rename(&t, names[at], names[to]);
		} else {
			assert_int_equal(t.io->linkat(t.fd, names[at], t.fd, names[to]), 0);
			assert_int_equal(t.io->unlinkat(t.fd, names[at]), 0);
		}
		at = to;
	}
	toy_images(&t, find_durable);
	for (size_t i = 0; i < 4; i++)
		file_close(t.io, fds[i]);
	toy_close(&t);
}

static void the_record_of_any_run_tells_how_the_tree_came_to_be(void **state)
{
	const char *seed = getenv("SEED");
	uint64_t first = seed == NULL ? (uint64_t)getpid() : strtoull(seed, NULL, 0);

	(void)state;
	for (uint64_t i = 0; i < (seed == NULL ? 20 : 1); i++)
		random_run(first + i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(images_are_a_function_of_record_and_seed),
	    cmocka_unit_test(a_bound_on_images_is_kept_and_spread_over_the_crash_points),
	    cmocka_unit_test(one_crash_point_can_be_looked_at_alone),
	    cmocka_unit_test(a_crash_comes_after_the_marks_that_precede_the_next_call),
	    cmocka_unit_test(a_failed_check_names_the_image_and_leaves_a_fresh_copy_of_it),
	    cmocka_unit_test(a_mapped_file_is_as_it_was_or_old_or_zeroed_or_not_there),
	    cmocka_unit_test(an_old_mapped_file_is_that_of_its_last_sync),
	    cmocka_unit_test(recovery_can_be_recorded_and_crashed_as_well),
	    cmocka_unit_test(the_record_of_any_run_tells_how_the_tree_came_to_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
