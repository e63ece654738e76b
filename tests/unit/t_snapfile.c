/* snapfile: what was committed is read back, and a part goes on where it ended. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "place.h"
#include "seeded.h"
#include "snap.h"
#include "wal/snapfile_impl.h"

static void a_snapshot_of_any_size_is_read_back(void **state)
{
	static const size_t sizes[] = {
	    0,        1, SNAPFILE_BLOCK - 1, SNAPFILE_BLOCK, SNAPFILE_BLOCK + 1, 2 * SNAPFILE_BLOCK,
	    SNAP_SIZE};
	struct stat st;

	snap_setup(state);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct raft_point at = {i + 1, 2};
		char name[SNAPFILE_NAME_MAX];

		snap_make(at, sizes[i]);
		snap_assert_content(at, sizes[i]);
		snapfile_name(name, at, SNAPFILE_END);
		assert_int_equal(fstatat(snap.place.dir, name, &st, 0), 0);
		assert_int_equal(st.st_size, snapfile_length(sizes[i]));
		assert_int_equal(st.st_mode & 07777, 0640);
	}
	assert_int_equal(snap_count_files(), sizeof(sizes) / sizeof(sizes[0]));
}

static void the_meta_of_a_commit_is_what_will_be_read(void **state)
{
	struct snapfile_meta m;
	struct snapfile_meta read;
	struct snapfile_writer *w;
	struct snapfile *s;

	snap_setup(state);
	w = snap_begin(snap.meta.at);
	snap_write_all(w, 0, SNAP_SIZE, SNAP_SIZE);
	assert_true(snapfile_have(w) == SNAP_SIZE);
	snap_must(snapfile_commit(w, &m, &snap.e));
	s = snapfile_open(&snap.place, snap.meta.at, &read, &snap.e);
	assert_true(m.sum == snap.meta.sum && m.size == SNAP_SIZE && read.sum == m.sum);
	assert_memory_equal(m.hash, read.hash, sizeof(m.hash));
	assert_true(span_is(m.conf, snap.meta.conf));
	snapfile_close(s);
	snapfile_writer_close(w, false);
	snap_assert_content(snap.meta.at, SNAP_SIZE);
}

static void reads_at_any_offset_give_those_bytes(void **state)
{
	uint64_t rand = seeded();
	struct snapfile_meta m;
	struct snapfile *s;

	snap_setup(state);
	snap_make(snap.meta.at, SNAP_SIZE);
	s = snapfile_open(&snap.place, snap.meta.at, &m, &snap.e);
	for (int i = 0; i < 200; i++) {
		size_t at = seeded_below(&rand, SNAP_SIZE + 10);
		size_t n = seeded_any_size(&rand) % (SNAPFILE_BLOCK * 2);
		size_t want = at >= SNAP_SIZE ? 0 : SNAP_SIZE - at < n ? SNAP_SIZE - at : n;
		char *got = malloc(n + 1);

		assert_int_equal(snapfile_read(s, at, got, n, &snap.e), want);
		assert_memory_equal(got, snap.content + (want > 0 ? at : 0), want);
		free(got);
	}
	snapfile_close(s);
}

static void chunks_may_come_twice_but_not_with_a_gap(void **state)
{
	struct snapfile_writer *s;

	snap_setup(state);
	s = snap_receive();
	snap_write_all(s, 0, 3000, 1000);
	snap_must(snapfile_write(s, 1000, snap.content + 1000, 2000, &snap.e));
	snap_must(snapfile_write(s, 0, snap.content, 500, &snap.e));
	snap_must(snapfile_write(s, 2500, snap.content + 2500, 1000, &snap.e));
	assert_true(snapfile_have(s) == 3500);
	assert_int_equal(snapfile_write(s, 3501, snap.content, 1, &snap.e), -1);
	assert_int_equal(snap.e.code, ERANGE);
	assert_int_equal(snapfile_write(s, 3500, snap.content, SNAP_SIZE, &snap.e), -1);
	assert_int_equal(snap.e.code, EFBIG);
	assert_int_equal(snapfile_write(s, SNAP_SIZE + 1, snap.content, 0, &snap.e), -1);
	assert_int_equal(snap.e.code, EFBIG);
	assert_int_equal(snapfile_write(s, UINT64_MAX, snap.content, 2, &snap.e), -1);
	assert_int_equal(snap.e.code, EFBIG);
	snap_write_all(s, 3500, SNAP_SIZE, 70000);
	snap_must(snapfile_commit(s, NULL, &snap.e));
	snapfile_writer_close(s, true);
	snap_assert_content(snap.meta.at, SNAP_SIZE);
}

static void a_received_part_goes_on_after_a_restart(void **state)
{
	static const struct {
		uint64_t given, kept;
	} cases[] = {
	    {0, 0},
	    {SNAPFILE_BLOCK - 1, 0},
	    {SNAPFILE_BLOCK, SNAPFILE_BLOCK},
	    {SNAPFILE_BLOCK * 2 + 5, SNAPFILE_BLOCK * 2},
	    {SNAP_SIZE, SNAP_SIZE},
	};

	snap_setup(state);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct snapfile_writer *s = snap_receive();
		uint64_t durable = 1;

		snap_write_all(s, 0, cases[i].given, 10000);
		snap_must(snapfile_sync(s, &durable, &snap.e));
		assert_true(durable == cases[i].kept);
		snapfile_writer_close(s, true);
		s = snap_receive();
		assert_true(snapfile_have(s) == cases[i].kept);
		snap_write_all(s, cases[i].kept, SNAP_SIZE, 3333);
		snap_must(snapfile_commit(s, NULL, &snap.e));
		snapfile_writer_close(s, false);
		snap_assert_content(snap.meta.at, SNAP_SIZE);
		assert_int_equal(snap_count_files(), 1);
	}
}

static void a_part_of_something_else_is_not_gone_on_with(void **state)
{
	static char other_conf[] = "xyz";

	snap_setup(state);
	for (int i = 0; i < 6; i++) {
		struct snapfile_meta first = snap.meta;
		struct snapfile_writer *s = snap_receive();

		snap_write_all(s, 0, SNAPFILE_BLOCK, SNAPFILE_BLOCK);
		snapfile_writer_close(s, true);
		switch (i) {
		case 0:
			snap.meta.sum++;
			break;
		case 1:
			snap.meta.size--;
			break;
		case 2:
			snap.meta.clock_ns++;
			break;
		case 3:
			snap.meta.conf = (struct span){other_conf, 3};
			break;
		case 4:
			snap.place.cluster++;
			break;
		default:
			break;
		}
		s = snap_receive();
		assert_true(snapfile_have(s) == (i == 5 ? SNAPFILE_BLOCK : 0));
		snapfile_writer_close(s, false);
		assert_int_equal(snap_count_files(), 0);
		snap.meta = first;
		snap.place.cluster = 0xc1;
	}
}

static void a_part_that_rotted_goes_on_before_the_rot(void **state)
{
	char name[SNAPFILE_NAME_MAX];
	struct snapfile_writer *s;
	int fd;

	snap_setup(state);
	s = snap_receive();
	snap_write_all(s, 0, 2 * SNAPFILE_BLOCK, SNAPFILE_BLOCK);
	snapfile_writer_close(s, true);
	snapfile_name(name, snap.meta.at, SNAPFILE_GOT);
	fd = openat(snap.place.dir, name, O_RDWR | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "", 1, SNAPFILE_HEAD + SNAPFILE_STEP + 9), 1);
	s = snap_receive();
	assert_true(snapfile_have(s) == SNAPFILE_BLOCK);
	snapfile_writer_close(s, true);
	/* A head that is no more one. */
	assert_int_equal(pwrite(fd, "x", 1, 200), 1);
	s = snap_receive();
	assert_true(snapfile_have(s) == 0);
	snapfile_writer_close(s, true);
	close(fd);
	fd = openat(snap.place.dir, name, O_RDWR | O_CLOEXEC);
	assert_int_equal(ftruncate(fd, 100), 0);
	s = snap_receive();
	assert_true(snapfile_have(s) == 0);
	snapfile_writer_close(s, false);
	close(fd);
}

static void what_was_received_has_to_be_what_was_announced(void **state)
{
	struct snapfile_writer *s;

	snap_setup(state);
	s = snap_receive();
	snap_write_all(s, 0, SNAP_SIZE - 1, SNAP_SIZE);
	assert_int_equal(snapfile_commit(s, NULL, &snap.e), -1);
	assert_int_equal(snap.e.code, EBADMSG);
	snapfile_writer_close(s, true);
	assert_int_equal(snap_count_files(), 0);
	snap.meta.sum ^= 1;
	s = snap_receive();
	snap_write_all(s, 0, SNAP_SIZE, SNAP_SIZE);
	assert_int_equal(snapfile_commit(s, NULL, &snap.e), -1);
	assert_int_equal(snap.e.code, EBADMSG);
	snapfile_writer_close(s, true);
	assert_int_equal(snap_count_files(), 0);
}

static void limits_are_kept(void **state)
{
	static char conf[SNAPFILE_CONF_MAX + 1];
	struct snapfile_meta m;

	snap_setup(state);
	m = snap.meta;
	m.conf = (struct span){conf, sizeof(conf)};
	assert_null(snapfile_begin(&snap.place, &m, &snap.e));
	assert_int_equal(snap.e.code, EINVAL);
	m.conf.len--;
	snapfile_writer_close(snapfile_begin(&snap.place, &m, &snap.e), false);
	m.at.index = 0;
	assert_null(snapfile_begin(&snap.place, &m, &snap.e));
	assert_int_equal(snap.e.code, EINVAL);
	m = snap.meta;
	m.size = SNAPFILE_SIZE_MAX + 1;
	assert_null(snapfile_receive(&snap.place, &m, &snap.e));
	assert_int_equal(snap.e.code, EFBIG);
	snapfile_writer_close(NULL, false);
	snapfile_close(NULL);
	assert_int_equal(snap_count_files(), 0);
}

static void the_newest_come_first_and_other_names_are_nothing(void **state)
{
	static const char *const others[] = {"lock",
	                                     "0000000000000001.wal",
	                                     "0000000000000001-000000000000000g.snap",
	                                     "0000000000000001-0000000000000001.snap.x",
	                                     "0000000000000000-0000000000000001.snap",
	                                     "0000000000000001.0000000000000001.snap"};
	struct raft_point got[4];

	snap_setup(state);
	assert_int_equal(snapfile_list(&snap.place, got, 4, &snap.e), 0);
	snap_make((struct raft_point){9, 1}, 1);
	snap_make((struct raft_point){300, 2}, 1);
	snap_make((struct raft_point){300, 4}, 1);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		close(place_file(snap.place.dir, others[i]));
	assert_int_equal(snapfile_list(&snap.place, got, 4, &snap.e), 3);
	assert_true(got[0].index == 300 && got[0].term == 4);
	assert_true(got[1].index == 300 && got[1].term == 2);
	assert_true(got[2].index == 9 && got[2].term == 1);
	got[1].index = 5;
	assert_int_equal(snapfile_list(&snap.place, got, 1, &snap.e), 3);
	assert_true(got[1].index == 5);
}

static void purge_keeps_the_newest_and_those_in_use(void **state)
{
	struct snapfile_writer *part;
	struct snapfile_meta m;
	struct snapfile *reader;
	char c;

	snap_setup(state);
	for (uint64_t i = 1; i <= 6; i++)
		snap_make((struct raft_point){i * 10, 1}, 5);
	snap_must(snapfile_purge(&snap.place, 2, 40, &snap.e));
	for (uint64_t i = 1; i <= 6; i++)
		assert_int_equal(snap_is_there((struct raft_point){i * 10, 1}, SNAPFILE_END),
		                 i >= 4);
	reader = snapfile_open(&snap.place, (struct raft_point){40, 1}, &m, &snap.e);
	part = snap_receive();
	snapfile_writer_close(part, true);
	part = snap_begin((struct raft_point){70, 1});
	snap_must(snapfile_purge(&snap.place, 2, 0, &snap.e));
	assert_false(snap_is_there((struct raft_point){40, 1}, SNAPFILE_END));
	assert_true(snap_is_there((struct raft_point){50, 1}, SNAPFILE_END));
	assert_false(snap_is_there(snap.meta.at, SNAPFILE_GOT));
	assert_int_equal(snapfile_read(reader, 0, &c, 1, &snap.e), 1);
	snapfile_close(reader);
	snap_must(snapfile_commit(part, NULL, &snap.e));
	snapfile_writer_close(part, false);
	assert_true(snap_is_there((struct raft_point){70, 1}, SNAPFILE_END));
}

static void a_sweep_leaves_what_can_be_gone_on_with(void **state)
{
	struct snapfile_writer *own;
	struct snapfile_writer *part;

	snap_setup(state);
	own = snap_begin((struct raft_point){70, 1});
	part = snap_receive();
	snapfile_writer_close(part, true);
	snap_must(snapfile_sweep(&snap.place, 0, &snap.e));
	assert_false(snap_is_there((struct raft_point){70, 1}, SNAPFILE_OWN));
	assert_true(snap_is_there(snap.meta.at, SNAPFILE_GOT));
	snap_make(snap.meta.at, 3);
	snap_must(snapfile_sweep(&snap.place, snap.meta.at.index, &snap.e));
	assert_int_equal(snap_count_files(), 1);
	/* One above the newest that is sound would outlive it. */
	snap_make((struct raft_point){80, 1}, 3);
	snap_must(snapfile_sweep(&snap.place, snap.meta.at.index, &snap.e));
	assert_false(snap_is_there((struct raft_point){80, 1}, SNAPFILE_END));
	assert_true(snap_is_there(snap.meta.at, SNAPFILE_END));
	/* Its file is gone. */
	assert_int_equal(snapfile_commit(own, NULL, &snap.e), -1);
	snapfile_writer_close(own, false);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, place_open_fast, place_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_snapshot_of_any_size_is_read_back),
	    TEST(the_meta_of_a_commit_is_what_will_be_read),
	    TEST(reads_at_any_offset_give_those_bytes),
	    TEST(chunks_may_come_twice_but_not_with_a_gap),
	    TEST(a_received_part_goes_on_after_a_restart),
	    TEST(a_part_of_something_else_is_not_gone_on_with),
	    TEST(a_part_that_rotted_goes_on_before_the_rot),
	    TEST(what_was_received_has_to_be_what_was_announced),
	    TEST(limits_are_kept),
	    TEST(the_newest_come_first_and_other_names_are_nothing),
	    TEST(purge_keeps_the_newest_and_those_in_use),
	    TEST(a_sweep_leaves_what_can_be_gone_on_with),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
