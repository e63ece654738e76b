/* wal_open() and raftd's table of recovery: snapshots, terms, strangers, contradictions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/le.h"
#include "place.h"
#include "wal/record.h"
#include "wal_log.h"

/* --- snapshots --- */

static void snapshot(uint64_t index, uint64_t term)
{
	log_must(wal_model_snapshot(&io_os, wl.cfg.dir, (struct raft_point){index, term}, &wl.e));
}

static void name_of(char name[64], uint64_t index, uint64_t term)
{
	snprintf(name, 64, "%016llx-%016llx.snap", (unsigned long long)index,
	         (unsigned long long)term);
}

static void a_hole_between_snapshot_and_log_is_refused(void **state)
{
	char name[64];

	log_begin(state);
	log_fill_segments(4);
	snapshot(5, 1);
	snapshot(30, 1);
	log_must(wal_model_compact(&wl.model, (struct raft_point){30, 1}, 30, &wl.e));
	log_goes_on();
	name_of(name, 30, 1);
	assert_int_equal(renameat(wl.cfg.dir, name, wl.cfg.dir, "away"), 0);
	log_refused(WAL_DAMAGED, "entry 6 or later: entries behind the newest sound snapshot",
	            "away");
	name_of(name, 5, 1);
	assert_int_equal(unlinkat(wl.cfg.dir, name, 0), 0);
	log_refused(WAL_DAMAGED, "entry 1 or later: entries are missing", "away");
	name_of(name, 30, 1);
	assert_int_equal(renameat(wl.cfg.dir, "away", wl.cfg.dir, name), 0);
	log_goes_on();
	log_end();
}

static void a_rotten_snapshot_is_passed_over_where_the_log_has_its_entries(void **state)
{
	struct snapfile_place place;
	struct wal_recovered r;
	char name[64];

	log_begin(state);
	place = (struct snapfile_place){&io_os, wl.cfg.dir, WAL_MODEL_CLUSTER, 0600};
	log_batch(20);
	snapshot(5, 1);
	snapshot(10, 1);
	log_must(wal_model_compact(&wl.model, (struct raft_point){10, 1}, 5, &wl.e));
	name_of(name, 10, 1);
	log_flip(name, 5000);
	r = log_reopen(wl.model.n);
	assert_true(r.snapshot.at.index == 5 && r.snapshot.size == 1000);
	assert_true(r.snapshot.clock_ns == 5 &&
	            span_is(r.snapshot.conf, (struct span){"members", 7}));
	assert_non_null(strstr(wl.note.data, "passed over a snapshot: "));
	wal_recovered_done(&r);
	/* It is gone, so a new one that is older counts as the newest. */
	snapshot(8, 1);
	assert_int_equal(snapfile_purge(&place, 1, 0, &wl.e), 0);
	r = log_reopen(wl.model.n);
	assert_int_equal(r.snapshot.at.index, 8);
	wal_recovered_done(&r);
	log_end();
}

/* It may have stood for entries that were acknowledged and never were in this log. */
static void a_rotten_snapshot_beyond_the_log_is_refused(void **state)
{
	char name[64];

	log_begin(state);
	log_batch(20);
	snapshot(5, 1);
	snapshot(21, 1);
	name_of(name, 21, 1);
	log_flip(name, 5000);
	log_refused(WAL_DAMAGED, "the newest snapshot is damaged, and the log does not have its",
	            name);
	log_end();
}

static void a_snapshot_beyond_the_log_empties_it(void **state)
{
	struct wal_recovered r;

	log_begin(state);
	log_batch(20);
	snapshot(21, 1);
	r = log_reopen(wl.model.n);
	assert_true(r.dropped && r.count == 0 && r.base.index == 21 && r.base.term == 1);
	assert_true(r.term == 1 && r.vote == 2);
	assert_non_null(strstr(wl.note.data, "emptied the log"));
	wal_recovered_done(&r);
	wl.model.last = (struct raft_point){21, 1};
	wl.model.ops[wl.model.n++] =
	    (struct wal_model_op){.type = MODEL_RESET, .point = wl.model.last};
	/* That is on disk now. */
	r = log_reopen(wl.model.n);
	assert_false(r.dropped);
	wal_recovered_done(&r);
	log_goes_on();
	log_end();
}

static void entries_below_a_snapshot_of_another_term_are_dropped(void **state)
{
	struct wal_recovered r;

	log_begin(state);
	log_batch(20);
	snapshot(12, 3);
	r = log_reopen(wl.model.n);
	assert_true(r.dropped && r.count == 0 && r.base.index == 12 && r.base.term == 3);
	assert_true(r.term == 3 && r.vote == 0);
	wal_recovered_done(&r);
	log_end();
}

static void entries_behind_a_snapshot_of_the_same_term_are_kept(void **state)
{
	struct wal_recovered r;

	log_begin(state);
	log_batch(20);
	snapshot(12, 1);
	r = log_reopen(wl.model.n);
	assert_true(!r.dropped && r.count == 20 && r.snapshot.at.index == 12);
	wal_recovered_done(&r);
	log_end();
}

static void a_snapshot_of_another_term_at_the_begin_of_the_log_is_refused(void **state)
{
	char name[64];
	char other[64];

	log_begin(state);
	snapshot(12, 1);
	wal_model_reset(&wl.model, (struct raft_point){12, 1});
	log_must(wal_model_sync(&wl.model, &wl.e));
	snapshot(12, 7);
	name_of(name, 12, 1);
	name_of(other, 12, 7);
	assert_int_equal(unlinkat(wl.cfg.dir, name, 0), 0);
	log_refused(WAL_DAMAGED, "of another term", other);
	log_end();
}

static void snapshots_without_a_log_are_refused(void **state)
{
	char name[64];

	log_begin(state);
	log_batch(1);
	snapshot(1, 1);
	name_of(name, 1, 1);
	assert_int_equal(renameat(wl.cfg.dir, ONE, wl.cfg.dir, "away"), 0);
	log_refused(WAL_DAMAGED, "the vote is unknown", name);
	log_end();
}

static void what_a_dead_process_left_of_snapshots_is_removed(void **state)
{
	struct snapfile_meta m = {.at = {9, 1}, .size = 10, .sum = 7};
	struct snapfile_place place;
	struct snapfile_writer *own;
	struct wal_recovered r;
	struct buf names = {0};

	log_begin(state);
	place = (struct snapfile_place){&io_os, wl.cfg.dir, WAL_MODEL_CLUSTER, 0600};
	own = snapfile_begin(&place, &m, &wl.e);
	snapfile_writer_close(snapfile_receive(&place, &m, &wl.e), true);
	r = log_reopen(wl.model.n);
	wal_recovered_done(&r);
	log_must(file_list(&io_os, wl.cfg.dir, &names, &wl.e));
	assert_null(memmem(names.data, names.len, ".tmp", 4));
	assert_non_null(memmem(names.data, names.len, ".part", 5));
	snapfile_writer_close(own, false);
	buf_done(&names);
	log_end();
}

/* --- terms --- */

static void a_term_below_the_last_entrys_becomes_that_one_without_a_vote(void **state)
{
	struct wal_recovered r;

	log_begin(state);
	wal_model_append(&wl.model, 4, 2);
	log_must(wal_model_sync(&wl.model, &wl.e));
	r = log_reopen(wl.model.n);
	assert_true(r.term == 4 && r.vote == 0);
	assert_non_null(strstr(wl.note.data, "took term 4 from the log"));
	wal_recovered_done(&r);
	r = log_reopen(wl.model.n);
	assert_true(r.term == 4 && r.vote == 0 && wl.note.len == 1);
	wal_recovered_done(&r);
	log_end();
}

/* --- whose it is --- */

static void the_log_of_another_cluster_or_node_is_refused(void **state)
{
	char name[64];

	log_begin(state);
	log_batch(1);
	wl.cfg.cluster++;
	log_refused(WAL_FOREIGN, "the log is of cluster 00000000000000c1, node 000000000000000d",
	            ONE);
	wl.cfg.cluster--;
	wl.cfg.node++;
	log_refused(WAL_FOREIGN, "this is cluster 00000000000000c1, node 000000000000000e", ONE);
	wl.cfg.node--;
	log_goes_on();
	name_of(name, 1, 1);
	log_must(
	    snapfile_purge(&(struct snapfile_place){&io_os, wl.cfg.dir, 0xc2, 0600}, 1, 0, &wl.e));
	{
		struct snapfile_place other = {&io_os, wl.cfg.dir, 0xc2, 0600};
		struct snapfile_meta m = {.at = {1, 1}};
		struct snapfile_writer *s = snapfile_begin(&other, &m, &wl.e);

		log_must(snapfile_commit(s, NULL, &wl.e));
		snapfile_writer_close(s, false);
	}
	log_refused(WAL_FOREIGN, "it is of cluster 00000000000000c2", name);
	log_end();
}

/* Make the version at 8 of a head another one, and the CRC over it right. */
static void other_version(const char *name)
{
	struct buf b = log_read_all(name);

	le_put32(b.data + 8, 2);
	le_put32(b.data + 12, crc32c(0, b.data, 12));
	log_write_at(name, b.data, 16, 0);
	buf_done(&b);
}

static void a_newer_format_is_refused(void **state)
{
	char name[64];

	log_begin(state);
	log_fill_segments(2);
	other_version(ONE);
	log_refused(WAL_NEWER, "a newer format", ONE);
	log_end();
	assert_int_equal(unlinkat(wl.cfg.dir, ONE, 0), 0);
	assert_int_equal(unlinkat(wl.cfg.dir, TWO, 0), 0);
	log_begin(state);
	other_version(ONE);
	log_refused(WAL_NEWER, "in a newer format", ONE);
	log_end();
	assert_int_equal(unlinkat(wl.cfg.dir, ONE, 0), 0);
	log_begin(state);
	log_batch(1);
	snapshot(1, 1);
	name_of(name, 1, 1);
	other_version(name);
	log_refused(WAL_NEWER, "newer format", name);
	log_end();
}

/* --- records that are sound and say what cannot be --- */

/* Put a record behind the last one of segment 1, as a log that does not know better would. */
static void forge(struct wal_record r, size_t at, uint8_t value)
{
	struct buf b = log_read_all(ONE);
	struct buf one = {0};
	struct wal_head h;
	struct wal_chain chain;
	struct wal_record got;
	size_t end = WAL_HEAD_LEN;

	assert_int_equal(wal_head_get(b.data, b.len, &h), WAL_HEAD_OK);
	chain = (struct wal_chain){h.salt, h.crc, h.seq + 1};
	while (wal_record_get(b.data + end, b.len - end, h.salt, &got) == WAL_RECORD_OK) {
		chain.prev = got.crc;
		chain.seq++;
		end += wal_record_step(&got);
	}
	wal_record_put(&one, &chain, &r);
	if (at > 0) {
		one.data[at] = (char)value;
		le_put32(one.data, crc32c(h.salt, one.data + 4, 28));
	}
	log_write_at(ONE, one.data, one.len, end);
	buf_done(&one);
	buf_done(&b);
}

static void a_sound_record_that_contradicts_the_log_is_refused(void **state)
{
	static const struct raft_entry gap = {5, 1, 0, RAFT_ENTRY_NOOP, 1, {"", 0}};
	static const struct raft_entry old = {4, 0, 0, RAFT_ENTRY_NOOP, 1, {"", 0}};
	const struct wal_record wrong[] = {
	    {.type = WAL_ENTRY, .entry = gap},
	    {.type = WAL_ENTRY, .entry = old},
	    {.type = WAL_HARD, .term = 0, .vote = 9},
	    {.type = WAL_HARD, .term = 1, .vote = 3},
	    {.type = WAL_HARD, .term = 1, .vote = 0},
	    {.type = WAL_TRUNCATE, .point = {4, 1}},
	    {.type = WAL_TRUNCATE, .point = {2, 3}},
	    {.type = WAL_BEGIN, .segment = 2, .point = {3, 1}},
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		log_begin(state);
		log_batch(3);
		forge(wrong[i], 0, 0);
		log_refused(WAL_DAMAGED, i < 7 ? "contradicts" : "begins behind it", ONE);
		log_end();
		assert_int_equal(unlinkat(wl.cfg.dir, ONE, 0), 0);
	}
}

static void a_sound_record_of_a_newer_kind_is_refused(void **state)
{
	static const struct raft_entry next = {1, 1, 0, RAFT_ENTRY_NOOP, 1, {"", 0}};

	log_begin(state);
	forge((struct wal_record){.type = WAL_MARK}, 28, 99);
	log_refused(WAL_NEWER, "newer version", ONE);
	forge((struct wal_record){.type = WAL_ENTRY, .entry = next}, 31, 2);
	log_refused(WAL_NEWER, "entry 1", ONE);
	log_end();
}

/* Make one field of a head another one. */
static void change_head(struct wal_head *h, int field)
{
	uint64_t *const fields[] = {&h->term, &h->vote, &h->last.index, &h->last.term, &h->seq};

	if (field < 5)
		(*fields[field])++;
	else if (field == 5)
		h->prev++;
	else
		h->salt++;
}

static void a_head_that_contradicts_the_segment_before_it_is_refused(void **state)
{
	struct wal_head h;
	struct buf b;

	for (int i = 0; i < 7; i++) {
		log_begin(state);
		log_fill_segments(2);
		b = log_read_all(TWO);
		assert_int_equal(wal_head_get(b.data, b.len, &h), WAL_HEAD_OK);
		change_head(&h, i);
		wal_head_put(b.data, &h);
		log_write_at(TWO, b.data, WAL_HEAD_LEN, 0);
		buf_done(&b);
		log_refused(WAL_DAMAGED, i < 4 ? "contradicts" : "does not go on", TWO);
		log_end();
		assert_int_equal(unlinkat(wl.cfg.dir, ONE, 0), 0);
		assert_int_equal(unlinkat(wl.cfg.dir, TWO, 0), 0);
	}
}

/* --- the beginning --- */

static void a_log_whose_first_head_was_never_synced_is_new(void **state)
{
	struct wal_recovered r;

	log_begin(state);
	wal_abandon(wl.model.w);
	for (int i = 0; i < 2; i++) {
		int fd = openat(wl.cfg.dir, ONE, O_RDWR | O_TRUNC | O_CLOEXEC);

		assert_int_equal(pwrite(fd, "shoalwal and so on", (size_t)i * 18, 0), i * 18);
		assert_int_equal(ftruncate(fd, 300), 0);
		close(fd);
		wl.model.w = wal_open(&wl.cfg, &r, NULL, &wl.e);
		log_must(wl.model.w == NULL ? -1 : 0);
		assert_true(r.fresh && r.count == 0 && r.term == 0);
		wal_recovered_done(&r);
		wal_abandon(wl.model.w);
	}
	wl.model.w = NULL;
	log_end();
}

static void a_bad_first_head_with_records_behind_it_is_refused(void **state)
{
	log_begin(state);
	log_flip(ONE, 100);
	log_refused(WAL_DAMAGED, "its head is bad", ONE);
	assert_int_equal(renameat(wl.cfg.dir, ONE, wl.cfg.dir, TWO), 0);
	log_refused(WAL_DAMAGED, "no head is sound", TWO);
	log_end();
}

static void a_file_that_is_too_large_is_no_segment(void **state)
{
	int fd;

	log_begin(state);
	fd = openat(wl.cfg.dir, ONE, O_RDWR | O_CLOEXEC);
	assert_int_equal(ftruncate(fd, (off_t)1 << 40), 0);
	wal_abandon(wl.model.w);
	wl.model.w = wal_open(&wl.cfg, &(struct wal_recovered){0}, NULL, &wl.e);
	assert_null(wl.model.w);
	assert_int_equal(wl.e.code, WAL_DAMAGED);
	close(fd);
	log_end();
}

static void segments_that_a_compaction_left_are_removed(void **state)
{
	struct wal_recovered r;
	struct buf one;
	int fd;

	log_begin(state);
	log_fill_segments(4);
	one = log_read_all(ONE);
	snapshot(30, 1);
	log_must(wal_model_compact(&wl.model, (struct raft_point){30, 1}, 30, &wl.e));
	assert_int_equal(faccessat(wl.cfg.dir, ONE, F_OK, 0), -1);
	fd = place_file(wl.cfg.dir, ONE);
	log_must(file_write_all(&io_os, fd, one.data, 1000, 0, &wl.e));
	close(fd);
	r = log_reopen(wl.model.n);
	assert_non_null(strstr(wl.note.data, "removed segment '" ONE "'"));
	assert_int_equal(faccessat(wl.cfg.dir, ONE, F_OK, 0), -1);
	wal_recovered_done(&r);
	buf_done(&one);
	log_end();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, place_open_fast, place_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_hole_between_snapshot_and_log_is_refused),
	    TEST(a_rotten_snapshot_is_passed_over_where_the_log_has_its_entries),
	    TEST(a_rotten_snapshot_beyond_the_log_is_refused),
	    TEST(a_snapshot_beyond_the_log_empties_it),
	    TEST(entries_below_a_snapshot_of_another_term_are_dropped),
	    TEST(entries_behind_a_snapshot_of_the_same_term_are_kept),
	    TEST(a_snapshot_of_another_term_at_the_begin_of_the_log_is_refused),
	    TEST(snapshots_without_a_log_are_refused),
	    TEST(what_a_dead_process_left_of_snapshots_is_removed),
	    TEST(a_term_below_the_last_entrys_becomes_that_one_without_a_vote),
	    TEST(the_log_of_another_cluster_or_node_is_refused),
	    TEST(a_newer_format_is_refused),
	    TEST(a_sound_record_that_contradicts_the_log_is_refused),
	    TEST(a_sound_record_of_a_newer_kind_is_refused),
	    TEST(a_head_that_contradicts_the_segment_before_it_is_refused),
	    TEST(a_log_whose_first_head_was_never_synced_is_new),
	    TEST(a_bad_first_head_with_records_behind_it_is_refused),
	    TEST(a_file_that_is_too_large_is_no_segment),
	    TEST(segments_that_a_compaction_left_are_removed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
