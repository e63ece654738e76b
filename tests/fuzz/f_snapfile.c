/*
 * snapfile: foreign bytes as a snapshot, and as a part of one that is being received.
 *
 * The first byte says whether the head is made right first.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/le.h"
#include "fuzz.h"
#include "wal/snapfile_impl.h"

#define MOST (160u << 10)

static char bytes[MOST];
static const struct raft_point at = {7, 3};

static void make_sound(size_t n, uint8_t how)
{
	if (n < SNAPFILE_HEAD)
		return;
	memcpy(bytes, "shoalsnp", 8);
	le_put32(bytes + 8, 1);
	le_put32(bytes + 12, crc32c(0, bytes, 12));
	le_put64(bytes + 24, 1);
	le_put64(bytes + 32, at.index);
	le_put64(bytes + 40, at.term);
	if (how & 2) {
		uint64_t rest = n - SNAPFILE_HEAD;

		rest -= rest / SNAPFILE_STEP * 4;
		le_put64(bytes + 56, rest % SNAPFILE_BLOCK > 4 ? rest - 4 : rest);
		for (size_t i = SNAPFILE_HEAD, k = 0; i + 5 <= n; i += SNAPFILE_STEP, k++) {
			size_t len = n - i < SNAPFILE_STEP ? n - i - 4 : SNAPFILE_BLOCK;

			le_put32(bytes + i + len, snapfile_crc(at, k, bytes + i, len));
		}
	}
	le_put32(bytes + 16, crc32c(0, bytes + 20, SNAPFILE_HEAD - 20));
}

static void put_file(int dir, const char *end, size_t n)
{
	char name[SNAPFILE_NAME_MAX];
	int fd;

	snapfile_name(name, at, end);
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	CHECK(fd >= 0 && pwrite(fd, bytes, n, 0) == (ssize_t)n);
	close(fd);
}

static void read_snapshot(const struct snapfile_place *place)
{
	static char got[MOST];
	struct snapfile_meta m;
	struct err e;
	struct snapfile *s = snapfile_open(place, at, &m, &e);

	if (s == NULL)
		return;
	CHECK(m.conf.len <= SNAPFILE_CONF_MAX && m.size <= MOST);
	if (snapfile_check(s, &e) == 0)
		CHECK(snapfile_read(s, 0, got, sizeof(got), &e) == (ssize_t)m.size);
	else
		CHECK(snapfile_read(s, 0, got, sizeof(got), &e) < 0);
	(void)snapfile_read(s, m.size / 2, got, 10, &e);
	snapfile_close(s);
}

static void receive(const struct snapfile_place *place)
{
	struct snapfile_meta m;
	struct err e;
	struct snapfile_writer *s;

	if (snapfile_get_head(bytes, place, &m, &e) < 0)
		return;
	s = snapfile_receive(place, &m, &e);
	if (s == NULL)
		return;
	CHECK(snapfile_have(s) <= m.size);
	if (snapfile_have(s) < m.size)
		CHECK(snapfile_write(s, snapfile_have(s), "x", 1, &e) == 0);
	(void)snapfile_commit(s, NULL, &e);
	snapfile_writer_close(s, false);
}

static void remove_files(int dir)
{
	struct buf b = {0};

	CHECK(io_os.list(dir, &b) == 0);
	for (size_t i = 0; i < b.len; i += strlen(b.data + i) + 1)
		CHECK(unlinkat(dir, b.data + i, 0) == 0);
	buf_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[64];
	size_t n = size == 0 ? 0 : size - 1 < MOST ? size - 1 : MOST;
	struct snapfile_place place = {.io = &io_os, .cluster = 1, .mode = 0600};

	if (size == 0)
		return 0;
	snprintf(path, sizeof(path), "%s/fuzz-snap-XXXXXX",
	         access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	CHECK(mkdtemp(path) != NULL);
	place.dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(place.dir >= 0);
	memset(bytes, 0, SNAPFILE_HEAD);
	memcpy(bytes, data + 1, n);
	if (data[0] & 1)
		make_sound(n, data[0]);
	put_file(place.dir, SNAPFILE_END, n);
	put_file(place.dir, SNAPFILE_GOT, n);
	read_snapshot(&place);
	receive(&place);
	remove_files(place.dir);
	close(place.dir);
	CHECK(rmdir(path) == 0);
	return 0;
}
