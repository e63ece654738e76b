/*
 * snap: what the cmocka tests of snapshot files share: a snapshot to be, and where.
 */
#ifndef SHOAL_TESTS_LIB_SNAP_H
#define SHOAL_TESTS_LIB_SNAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "wal/snapfile.h"

#define SNAP_SIZE (2 * SNAPFILE_BLOCK + 1000)

struct snap {
	struct err e;
	struct snapfile_place place;
	struct snapfile_meta meta; /* of all SNAP_SIZE bytes of content, at entry 10 of term 3 */
	char content[SNAP_SIZE];
};

extern struct snap snap;

/* Fill it in; the place is that of place_open(). */
void snap_setup(void **state);

void snap_must(int r);

/* The bytes [from, to) of content, in pieces of `step`. */
void snap_write_all(struct snapfile_writer *s, uint64_t from, uint64_t to, size_t step);
struct snapfile_writer *snap_begin(struct raft_point at);
struct snapfile_writer *snap_receive(void);
/* Committed, of the first `size` bytes. */
void snap_make(struct raft_point at, size_t size);

void snap_assert_content(struct raft_point at, size_t size);
size_t snap_count_files(void);
bool snap_is_there(struct raft_point at, const char *end);

#endif
