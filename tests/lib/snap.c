#include "snap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <unistd.h>

#include "base/le.h"
#include "place.h"
#include "wal/snapfile_impl.h"

struct snap snap;

void snap_must(int r)
{
	if (r < 0)
		fail_msg("%s", snap.e.msg);
}

void snap_setup(void **state)
{
	unsigned char hash[HASH_BLAKE2B_LEN];

	for (size_t i = 0; i < SNAP_SIZE; i++)
		snap.content[i] = (char)(i * 7 + i / 256);
	hash_blake2b_256(snap.content, SNAP_SIZE, hash);
	snap.place = (struct snapfile_place){&io_os, place_dir(state), 0xc1, 0640};
	snap.meta = (struct snapfile_meta){.at = {10, 3},
	                                   .clock_ns = 77,
	                                   .size = SNAP_SIZE,
	                                   .sum = le_get64(hash),
	                                   .conf = {"a\0b", 3}};
}

void snap_write_all(struct snapfile_writer *s, uint64_t from, uint64_t to, size_t step)
{
	for (uint64_t at = from; at < to; at += step)
		snap_must(snapfile_write(s, at, snap.content + at, to - at < step ? to - at : step,
		                         &snap.e));
}

struct snapfile_writer *snap_begin(struct raft_point at)
{
	struct snapfile_meta m = snap.meta;
	struct snapfile_writer *s;

	m.at = at;
	s = snapfile_begin(&snap.place, &m, &snap.e);
	snap_must(s == NULL ? -1 : 0);
	return s;
}

struct snapfile_writer *snap_receive(void)
{
	struct snapfile_writer *s = snapfile_receive(&snap.place, &snap.meta, &snap.e);

	snap_must(s == NULL ? -1 : 0);
	return s;
}

void snap_make(struct raft_point at, size_t size)
{
	struct snapfile_writer *s = snap_begin(at);

	snap_write_all(s, 0, size, 5000);
	snap_must(snapfile_commit(s, NULL, &snap.e));
	snapfile_writer_close(s, false);
}

size_t snap_count_files(void)
{
	struct buf b = {0};
	size_t n = 0;

	snap_must(file_list(&io_os, snap.place.dir, &b, &snap.e));
	for (size_t i = 0; i < b.len; i += strlen(b.data + i) + 1)
		n++;
	buf_done(&b);
	return n;
}

bool snap_is_there(struct raft_point at, const char *end)
{
	char name[SNAPFILE_NAME_MAX];

	snapfile_name(name, at, end);
	return faccessat(snap.place.dir, name, F_OK, 0) == 0;
}

void snap_assert_content(struct raft_point at, size_t size)
{
	struct snapfile_meta m;
	struct snapfile *s = snapfile_open(&snap.place, at, &m, &snap.e);
	char *got = malloc(size + 1);
	unsigned char hash[HASH_BLAKE2B_LEN];

	snap_must(s == NULL ? -1 : 0);
	assert_non_null(got);
	assert_true(m.at.index == at.index && m.at.term == at.term && m.clock_ns == 77);
	assert_true(m.size == size && m.conf.len == 3 && memcmp(m.conf.p, "a\0b", 3) == 0);
	hash_blake2b_256(snap.content, size, hash);
	assert_memory_equal(hash, m.hash, sizeof(hash));
	assert_true(m.sum == le_get64(hash));
	assert_int_equal(snapfile_read(s, 0, got, size + 1, &snap.e), size);
	assert_memory_equal(got, snap.content, size);
	snap_must(snapfile_check(s, &snap.e));
	free(got);
	snapfile_close(s);
}
