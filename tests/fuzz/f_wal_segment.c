/*
 * wal_segment: a directory of foreign segments and snapshots.  wal_open() ends, and either refuses
 * and changes nothing, or gives a log that goes on and is the same when it is opened again.
 *
 * The input is a row of files: a byte that says which (1 to 4 a segment, 5 a snapshot; 0x80: make
 * its checksums and its chain right), two bytes of length, bytes.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/le.h"
#include "fuzz.h"
#include "wal/record.h"
#include "wal/snapfile_impl.h"
#include "wal/wal.h"

#define MOST (16u << 10)

static int dir = -1;
static char path[64];
static char bytes[MOST];
static uint32_t chain; /* the CRC of the last record made sound, for the next segment */

static void remove_dir(void)
{
	rmdir(path);
}

static void empty_dir(void)
{
	struct buf b = {0};

	if (dir < 0) {
		snprintf(path, sizeof(path), "%s/fuzz-wal-XXXXXX",
		         access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
		CHECK(mkdtemp(path) != NULL);
		dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		CHECK(dir >= 0);
		atexit(remove_dir);
	}
	CHECK(io_os.list(dir, &b) == 0);
	for (size_t i = 0; i < b.len; i += strlen(b.data + i) + 1)
		CHECK(unlinkat(dir, b.data + i, 0) == 0);
	buf_done(&b);
}

static void sound_segment(uint8_t number, size_t n)
{
	uint64_t seq;
	uint32_t salt;
	size_t at = WAL_HEAD_LEN;

	if (n < WAL_HEAD_LEN)
		return;
	memcpy(bytes, "shoalwal", 8);
	le_put32(bytes + 8, WAL_FORMAT_VERSION);
	le_put32(bytes + 12, crc32c(0, bytes, 12));
	le_put32(bytes + 20, chain);
	le_put64(bytes + 40, 1);
	le_put64(bytes + 48, 1);
	le_put64(bytes + 56, number);
	le_put32(bytes + 16, crc32c(0, bytes + 20, WAL_HEAD_LEN - 20));
	chain = le_get32(bytes + 16);
	seq = le_get64(bytes + 24) + 1;
	salt = le_get32(bytes + 120);
	while (at + WAL_RECORD_FIXED <= n) {
		char *p = bytes + at;
		uint32_t len = le_get32(p + 4);

		if (len < WAL_RECORD_FIXED || len > n - at)
			break;
		le_put32(p + 8, chain);
		le_put32(p + 12, crc32c(salt, p + 32, len - 32));
		le_put64(p + 16, seq++);
		le_put32(p, crc32c(salt, p + 4, 28));
		chain = le_get32(p);
		at += (len + 7) & ~7u;
	}
}

static void sound_snapshot(size_t n)
{
	if (n < SNAPFILE_HEAD || n > MOST)
		return;
	memcpy(bytes, "shoalsnp", 8);
	le_put32(bytes + 8, 1);
	le_put32(bytes + 12, crc32c(0, bytes, 12));
	le_put64(bytes + 24, 1);
	le_put64(bytes + 56, n < SNAPFILE_HEAD + 4 ? 0 : n - SNAPFILE_HEAD - 4);
	le_put32(bytes + 16, crc32c(0, bytes + 20, SNAPFILE_HEAD - 20));
	if (n > SNAPFILE_HEAD + 4)
		le_put32(
		    bytes + (n - 4),
		    snapfile_crc((struct raft_point){le_get64(bytes + 32), le_get64(bytes + 40)}, 0,
		                 bytes + SNAPFILE_HEAD, n - SNAPFILE_HEAD - 4));
}

static void put_file(uint8_t which, const uint8_t *p, size_t n)
{
	char name[SNAPFILE_NAME_MAX];
	uint8_t number = which & 7;
	int fd;

	memcpy(bytes, p, n);
	if (number == 5) {
		if (which & 0x80)
			sound_snapshot(n);
		snapfile_name(name,
		              n < 48
		                  ? (struct raft_point){1, 1}
		                  : (struct raft_point){le_get64(bytes + 32), le_get64(bytes + 40)},
		              SNAPFILE_END);
	} else {
		if (which & 0x80)
			sound_segment(number, n);
		snprintf(name, sizeof(name), "%016x.wal", (unsigned)number);
	}
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	CHECK(fd >= 0 && pwrite(fd, bytes, n, 0) == (ssize_t)n);
	close(fd);
}

static void put_files(const uint8_t *p, size_t n)
{
	chain = 0;
	while (n >= 3) {
		size_t len = le_get16(p + 1);

		len = len > n - 3 ? n - 3 : len;
		len = len > MOST ? MOST : len;
		if ((p[0] & 7) >= 1 && (p[0] & 7) <= 5)
			put_file(p[0], p + 3, len);
		p += 3 + len;
		n -= 3 + len;
	}
}

static void check_recovered(const struct wal_recovered *r)
{
	CHECK(r->snapshot.at.index >= r->base.index);
	for (size_t i = 0; i < r->count; i++) {
		CHECK(r->entries[i].index == r->base.index + 1 + i);
		CHECK(r->entries[i].data.len <= RAFT_ENTRY_MAX);
	}
	if (r->count > 0)
		CHECK(r->term >= r->entries[r->count - 1].term);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wal_config cfg = {.io = &io_os,
	                         .cluster = 1,
	                         .node = 1,
	                         .segment_size = WAL_SEGMENT_MIN,
	                         .mode = 0600,
	                         .locked = true};
	struct wal_recovered a;
	struct wal_recovered b;
	struct err e;
	struct wal *w;

	empty_dir();
	put_files(data, size);
	cfg.dir = dir;
	w = wal_open(&cfg, &a, NULL, &e);
	if (w != NULL) {
		check_recovered(&a);
		if (a.term < UINT64_MAX)
			wal_hard(w, a.term + 1, 0);
		wal_close(w);
		w = wal_open(&cfg, &b, NULL, &e);
		CHECK(w != NULL);
		CHECK(a.count == b.count && a.base.index == b.base.index && b.cut_bytes == 0);
		wal_abandon(w);
		wal_recovered_done(&a);
		wal_recovered_done(&b);
	}
	empty_dir();
	return 0;
}
