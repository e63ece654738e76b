/* run: immutable index files; lookups, merges, and that damage is found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "evlog/run.h"
#include "evlog_slots.h"
#include "fault_io.h"
#include "seeded.h"
#include "tmp_dir.h"

static struct err e;

struct place {
	char *dir;
	int fd;
};

static struct place begin(void)
{
	struct place p = {.dir = tmp_dir_new()};

	p.fd = open(p.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(p.fd >= 0);
	return p;
}

static void end(struct place *p)
{
	close(p->fd);
	tmp_dir_free(p->dir);
}

/* Sequences first, first + 1, ...; keys by a pattern. */
static struct active_slot *make(size_t n, uint64_t first, int pattern, uint64_t *state)
{
	struct active_slot *v = calloc(n + 1, sizeof(*v));

	for (size_t i = 0; i < n; i++) {
		uint64_t k = seeded_next(state);

		v[i].key = pattern == 0 ? k | 1 : pattern == 1 ? k % 9 + 1 : k % 300 + 1;
		v[i].seq = first + i;
	}
	qsort(v, n, sizeof(*v), slots_compare);
	return v;
}

static struct run write_and_open(struct place *p, enum run_family f, uint64_t first, uint64_t last,
                                 const struct active_slot *v, size_t n)
{
	char name[RUN_NAME_MAX];
	struct run r;

	if (run_write(&io_os, p->fd, 0600, f, first, last, v, n, false, &e) < 0)
		fail_msg("%s", e.msg);
	run_name(name, f, first, last);
	if (run_open(&r, p->fd, name, &e) < 0)
		fail_msg("%s", e.msg);
	assert_true(r.first == first && r.last == last && r.entries == n);
	return r;
}

static void assert_holds(const struct run *r, const struct active_slot *v, size_t n)
{
	struct active_slot x;
	uint64_t at = 0, seq;

	for (size_t i = 0; i < n; i++) {
		assert_int_equal(run_each(r, &at, &x, &e), 1);
		assert_true(x.key == v[i].key && x.seq == v[i].seq);
	}
	assert_int_equal(run_each(r, &at, &x, &e), 0);
	for (size_t i = 0; i < n; i++) {
		size_t k = i;

		if (i > 0 && v[i - 1].key == v[i].key)
			continue;
		for (at = RUN_FIRST; run_next(r, v[i].key, &at, &seq, &e) > 0; k++)
			assert_true(k < n && v[k].key == v[i].key && v[k].seq == seq);
		assert_true(k == n || v[k].key != v[i].key);
	}
	at = RUN_FIRST;
	assert_int_equal(run_next(r, UINT64_MAX - 1, &at, &seq, &e), 0);
	run_prefetch(r, UINT64_MAX);
}

static void a_run_gives_back_all_entries_of_every_size_and_key_pattern(void **state)
{
	static const size_t sizes[] = {0, 1, 2, 190, 254, 255, 256, 1000, 20000};
	struct place p = begin();
	uint64_t s = seeded();

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (int pattern = 0; pattern < 3; pattern++) {
			size_t n = sizes[i];
			struct active_slot *v = make(n, 1, pattern, &s);
			struct run r = write_and_open(&p, RUN_IDS, 1, n + 1, v, n);

			assert_holds(&r, v, n);
			run_close(&r);
			free(v);
		}
	end(&p);
}

#define PARTS 5

/* What a merge should hold: all ids; of heads the newest of each key. */
static size_t expected(enum run_family f, struct active_slot *all, size_t n)
{
	size_t k = 0;

	qsort(all, n, sizeof(*all), slots_compare);
	for (size_t i = 0; i < n; i++)
		if (f == RUN_IDS || i + 1 == n || all[i + 1].key != all[i].key)
			all[k++] = all[i];
	return k;
}

static void merge_once(struct place *p, enum run_family f, int pattern, uint64_t *s)
{
	struct active_slot *all = calloc(20000, sizeof(*all));
	struct run r[PARTS];
	struct run merged;
	char name[RUN_NAME_MAX];
	size_t n = 0;

	for (int i = 0; i < PARTS; i++) {
		size_t count = i == 2 ? 0 : (size_t)(seeded_next(s) % 3000);
		uint64_t first = (uint64_t)i * 10000 + 1;
		struct active_slot *v = make(count, first, pattern, s);

		if (f == RUN_HEADS)
			count = expected(f, v, count);
		r[i] = write_and_open(p, f, first, first + 9999, v, count);
		memcpy(all + n, v, count * sizeof(*v));
		n += count;
		free(v);
	}
	assert_int_equal(run_merge(&io_os, p->fd, 0600, f, r, PARTS, &e), 0);
	run_name(name, f, 1, PARTS * 10000ull);
	assert_int_equal(run_open(&merged, p->fd, name, &e), 0);
	n = expected(f, all, n);
	assert_true(merged.entries == n);
	assert_holds(&merged, all, n);
	run_close(&merged);
	for (int i = 0; i < PARTS; i++)
		run_close(&r[i]);
	free(all);
}

static void a_merge_keeps_the_newest_heads_and_all_ids(void **state)
{
	struct place p = begin();
	uint64_t s = seeded();

	(void)state;
	for (int i = 0; i < 4; i++)
		for (int pattern = 0; pattern < 3; pattern++) {
			merge_once(&p, RUN_HEADS, pattern, &s);
			merge_once(&p, RUN_IDS, pattern, &s);
		}
	end(&p);
}

static void flip(struct place *p, const char *name, off_t at)
{
	int fd = openat(p->fd, name, O_RDWR | O_CLOEXEC);
	char c;

	assert_int_equal(pread(fd, &c, 1, at), 1);
	c ^= 4;
	assert_int_equal(pwrite(fd, &c, 1, at), 1);
	close(fd);
}

/* Either it does not open, or the walk over all entries meets the block. */
static bool is_found_out(struct place *p, const char *name)
{
	struct active_slot x;
	struct run r;
	uint64_t at = 0;
	int got = 1;

	if (run_open(&r, p->fd, name, &e) < 0)
		return e.code == EBADMSG;
	while (got > 0)
		got = run_each(&r, &at, &x, &e);
	run_close(&r);
	return got < 0 && e.code == EBADMSG;
}

static void a_damaged_block_is_found_wherever_it_is(void **state)
{
	struct place p = begin();
	uint64_t s = seeded();
	struct active_slot *v = make(900, 1, 0, &s);
	struct run r = write_and_open(&p, RUN_HEADS, 1, 900, v, 900);
	char zeros[RUN_BLOCK] = {0};
	char name[RUN_NAME_MAX];
	size_t size = r.size;
	int fd;

	(void)state;
	run_close(&r);
	run_name(name, RUN_HEADS, 1, 900);
	for (size_t at = 0; at < size; at += 13) {
		flip(&p, name, (off_t)at);
		if (!is_found_out(&p, name))
			fail_msg("byte %zu", at);
		flip(&p, name, (off_t)at);
	}
	fd = openat(p.fd, name, O_RDWR | O_CLOEXEC);
	for (size_t at = 0; at < size; at += RUN_BLOCK) {
		char was[RUN_BLOCK];

		assert_int_equal(pread(fd, was, RUN_BLOCK, (off_t)at), RUN_BLOCK);
		assert_int_equal(pwrite(fd, zeros, RUN_BLOCK, (off_t)at), RUN_BLOCK);
		assert_true(is_found_out(&p, name));
		/* a block of another place */
		assert_int_equal(pread(fd, zeros, RUN_BLOCK, at == 0 ? RUN_BLOCK : 0), RUN_BLOCK);
		assert_int_equal(pwrite(fd, zeros, RUN_BLOCK, (off_t)at), RUN_BLOCK);
		assert_true(is_found_out(&p, name));
		memset(zeros, 0, sizeof(zeros));
		assert_int_equal(pwrite(fd, was, RUN_BLOCK, (off_t)at), RUN_BLOCK);
	}
	assert_false(is_found_out(&p, name));
	for (off_t cut = 0; cut < (off_t)size; cut += 512) {
		assert_int_equal(ftruncate(fd, (off_t)size - cut - 1), 0);
		assert_true(is_found_out(&p, name));
	}
	close(fd);
	free(v);
	end(&p);
}

static void names_that_are_no_runs_are_told_apart(void **state)
{
	static const char *const bad[] = {
	    "",
	    "heads",
	    "heads.0000000000000001",
	    "heads.0000000000000001-000000000000000",
	    "heads.0000000000000001-0000000000000005.new",
	    "heads.0000000000000005-0000000000000001",
	    "heads.000000000000000A-000000000000000B",
	    "idx.0000000000000001-0000000000000005",
	    "ids.0000000000000001_0000000000000005",
	};
	char name[RUN_NAME_MAX];
	enum run_family f;
	uint64_t a, b;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (run_parse_name(bad[i], &f, &a, &b))
			fail_msg("%s", bad[i]);
	run_name(name, RUN_IDS, 0x1234, 0xffffffffffff);
	assert_true(run_parse_name(name, &f, &a, &b));
	assert_true(f == RUN_IDS && a == 0x1234 && b == 0xffffffffffff);
}

static void a_run_that_could_not_be_written_has_no_name(void **state)
{
	struct place p = begin();
	uint64_t s = 5;
	struct active_slot *v = make(500, 1, 0, &s);
	char name[RUN_NAME_MAX], temp[FILE_TEMP_MAX];
	struct run r;

	(void)state;
	run_name(name, RUN_IDS, 1, 500);
	for (unsigned n = 1;; n++) {
		const struct io *io = fault_io_start(&io_os);
		int got;

		fault_io_add((struct fault){.call = FAULT_ANY, .nth = n, .error = ENOSPC});
		got = run_write(io, p.fd, 0600, RUN_IDS, 1, 500, v, 500, false, &e);
		if (fault_io_hits() == 0)
			break;
		assert_int_equal(got, -1);
		assert_int_equal(e.code, ENOSPC);
		assert_int_equal(run_open(&r, p.fd, name, &e), -1);
		assert_int_equal(file_temp_name(temp, name, &e), 0);
		assert_int_equal(faccessat(p.fd, temp, F_OK, 0), -1);
	}
	assert_int_equal(run_open(&r, p.fd, name, &e), 0);
	assert_holds(&r, v, 500);
	run_close(&r);
	free(v);
	end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_run_gives_back_all_entries_of_every_size_and_key_pattern),
	    cmocka_unit_test(a_merge_keeps_the_newest_heads_and_all_ids),
	    cmocka_unit_test(a_damaged_block_is_found_wherever_it_is),
	    cmocka_unit_test(names_that_are_no_runs_are_told_apart),
	    cmocka_unit_test(a_run_that_could_not_be_written_has_no_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
