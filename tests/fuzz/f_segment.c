/*
 * segment: a log of foreign bytes.  Recovery, scan, lookups, verify and repair end, and read
 * nothing outside of the file; what was repaired is clean.
 *
 * The input is split in lines.  Lines that look like frames get the CRCs they should have, and one
 * that ends in '!' keeps what it has, so that sound, torn and hostile lines mix.
 */
#include <fcntl.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/text.h"
#include "evlog/admin.h"
#include "evlog/append.h"
#include "evlog/read.h"
#include "evlog/store_impl.h"

#define INPUT_MAX (64u << 10)

#define CHECK(x)                                                           \
	do {                                                               \
		if (!(x)) {                                                \
			fprintf(stderr, "line %d: %s\n", __LINE__, e.msg); \
			abort();                                           \
		}                                                          \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct err e;
static const struct evlog_init init = {.segment_size = EVLOG_SEGMENT_MIN,
                                       .uuid = "fuzzed segments"};

static size_t data_offset(const char *p, size_t n)
{
	size_t at = FRAME_FIXED;

	for (int i = 0; i < 4 && at < n; i++) {
		const char *sp = memchr(p + at, ' ', n - at);

		at = sp == NULL ? n : (size_t)(sp - p) + 1;
	}
	return at;
}

static void make_sound(char *line, size_t n, uint32_t salt)
{
	size_t at;

	if (n >= 2 && line[n - 2] == '!')
		return;
	if (n == FRAME_SEAL_LEN && line[0] == '#') {
		text_put_hex(line + FRAME_SEAL_LEN - 9, crc32c(salt, line, FRAME_SEAL_LEN - 9), 8);
		return;
	}
	if (n < FRAME_MIN || (at = data_offset(line, n)) >= n)
		return;
	text_put_hex(line + 13, n, 8);
	text_put_hex(line + 22, crc32c(0, line + at, n - 1 - at), 8);
	line[8] = line[12] = ' ';
	text_put_hex(line, crc32c(salt, line + 9, at - 9), 8);
}

static void write_segment(const char *dir, const char *name, const struct frame_head *of, char *p,
                          size_t n)
{
	struct frame_head h = *of;
	char head[FRAME_HEAD_LEN], path[400];
	uint32_t salt = frame_salt(init.uuid);
	int fd;

	memcpy(h.uuid, init.uuid, 16);
	frame_put_head(head, &h);
	for (size_t at = 0; at < n;) {
		char *lf = memchr(p + at, '\n', n - at);
		size_t len = lf == NULL ? n - at : (size_t)(lf - p) - at + 1;

		if (lf != NULL)
			make_sound(p + at, len, salt);
		at += len;
	}
	snprintf(path, sizeof(path), "%s/log/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (write(fd, head, sizeof(head)) != (ssize_t)sizeof(head) || write(fd, p, n) != (ssize_t)n)
		abort();
	close(fd);
}

static int take_finding(const struct finding *f, void *arg, struct err *err)
{
	(void)f;
	(void)arg;
	(void)err;
	return 0;
}

static int take_stream(const struct frame *head, void *arg, struct err *err)
{
	(void)arg;
	(void)err;
	return head->stream.len > 0 ? 0 : -1;
}

/* Every way to read ends, whatever it says. */
static void read_all(struct evlog *s)
{
	uint64_t last = evlog_durable(s), steps = 0, seq;
	struct scan *sc = scan_new(s, 1, &e);
	struct err ignored;
	struct seqs q = {0};
	struct damage d;
	struct frame f;
	int r;

	CHECK(sc != NULL);
	while ((r = scan_next(sc, last, &f, &d, &e)) > 0)
		CHECK(++steps <= 2ull * INPUT_MAX);
	CHECK(r == 0);
	scan_free(sc);
	for (seq = 0; seq <= last && seq < 2000; seq++)
		(void)evlog_get(s, seq, &f, &ignored);
	(void)evlog_each_stream(s, last, take_stream, NULL, &ignored);
	(void)evlog_gather(s, (struct span){"a", 1}, 0, UINT32_MAX, last, &q, &ignored);
	(void)evlog_at(s, (struct span){"a", 1}, 3, last, &f, &ignored);
	(void)evlog_seq_at_time(s, 77, last, &seq, &ignored);
	(void)evlog_verify(s, true, take_finding, NULL, &ignored);
	seqs_done(&q);
}

static void try_append(struct evlog *s)
{
	struct commit *c = commit_new();
	struct commit_result r;
	struct err ignored;
	struct event ev = {.stream = {"a", 1},
	                   .type = {"T", 1},
	                   .id = {"i", 1},
	                   .id_given = true,
	                   .attrs = {"-", 1},
	                   .data = {"1", 1}};

	CHECK(commit_add(c, s, &ev, &e) == 0);
	if (evlog_commit(s, c, COMMIT_EACH, 1, &r, &ignored) == 0)
		CHECK(evlog_sync(s, r.sequence, &e) == 0);
	commit_free(c);
}

static void use_store(const char *dir)
{
	const struct evlog_config cfg = {.lock_timeout_ms = -1};
	struct evlog *s = evlog_open(dir, &cfg, NULL, &e);

	if (s == NULL)
		return;
	read_all(s);
	try_append(s);
	if (evlog_repair(s, take_finding, NULL, &e) == 0) {
		read_all(s);
		try_append(s);
	}
	evlog_close(s);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char dir[] = "/dev/shm/f_segment-XXXXXX";
	struct frame_head first = {.base = 1}, next = {.base = 0};
	char *copy;

	if (size < 1 || size > INPUT_MAX)
		return 0;
	copy = malloc(size);
	if (copy == NULL || mkdtemp(dir) == NULL)
		abort();
	memcpy(copy, data + 1, size - 1);
	CHECK(evlog_create(dir, &init, &e) == 0);
	/*
	 * The first byte says whether it is a sealed one, and how far it should reach; a letter
	 * that events were removed from it, a capital one that it has no successor then.
	 */
	if (data[0] >= '2' && data[0] <= '9')
		next.base = (uint64_t)(data[0] - '0');
	else if (data[0] >= 'b' && data[0] <= 'i')
		next.base = (uint64_t)(data[0] - 'a') + 1;
	if (data[0] >= 'A')
		first.gone = data[0] % 8;
	write_segment(dir, "0000000000000001.evl", &first, copy, size - 1);
	if (next.base > 0) {
		char name[SEGMENT_NAME_MAX];

		segment_name(name, next.base);
		write_segment(dir, name, &next, copy, 0);
	}
	use_store(dir);
	CHECK(nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS) == 0);
	free(copy);
	return 0;
}
