/*
 * snapshot: a file is one line of columns and the stream's name, then the state and a LF:
 *
 *	off len
 *	  0   8  "evsnap1 "
 *	  8   8  CRC32C of all that follows it, started from the store's salt
 *	 17   8  version, hex as all numbers here
 *	 26  12  sequence of the event at that version
 *	 39  16  its recorded time
 *	 56   8  CRC32C of its data
 *	 65   8  first version that was not removed
 *	 74   8  length of the state
 *	 83  32  the program
 *	116      STREAM LF STATE LF
 */
#include "evlog/snapshot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/text.h"
#include "evlog/read.h"
#include "evlog/store_impl.h"

#define DIR_NAME  "snap"
#define MAGIC     "evsnap1 "
#define MAGIC_LEN 8
#define CRC_FROM  16
#define FIXED     116
#define HASH_HEX  ((size_t)2 * SNAPSHOT_PROGRAM_LEN)
#define FILE_MAX  (FIXED + FRAME_NAME_MAX + 1 + SNAPSHOT_STATE_MAX + 1)
#define TEMP_MAX  (SNAPSHOT_NAME_LEN + 32)

struct columns {
	uint64_t crc, version, seq, time_ns, data_crc, first, len;
	char program[HASH_HEX];
	struct span stream; /* into the line */
};

/* Where a number stands, and how wide it is. */
static const struct {
	size_t at;
	int width;
} places[] = {{8, 8}, {17, 8}, {26, 12}, {39, 16}, {56, 8}, {65, 8}, {74, 8}};

#define PLACES (sizeof(places) / sizeof(places[0]))

/* Is this a head?  *ret_len gets its length with the LF. */
static bool parse(const char *p, size_t n, struct columns *c, size_t *ret_len)
{
	uint64_t *numbers[PLACES] = {&c->crc,      &c->version, &c->seq, &c->time_ns,
	                             &c->data_crc, &c->first,   &c->len};
	const char *lf = n > FIXED ? memchr(p + FIXED, '\n', n - FIXED) : NULL;

	if (lf == NULL || memcmp(p, MAGIC, MAGIC_LEN) != 0)
		return false;
	for (size_t i = 0; i < PLACES; i++)
		if (text_get_hex(p + places[i].at, places[i].width, numbers[i]) < 0)
			return false;
	memcpy(c->program, p + 83, sizeof(c->program));
	c->stream = (struct span){p + FIXED, (size_t)(lf - p) - FIXED};
	*ret_len = FIXED + c->stream.len + 1;
	return c->stream.len > 0 && c->stream.len <= FRAME_NAME_MAX;
}

static void put_hex(char *to, const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		text_put_hex(to + 2 * i, p[i], 2);
}

static void file_name(char to[SNAPSHOT_NAME_LEN + 1], const struct snapshot_key *k)
{
	unsigned char hash[HASH_BLAKE2B_LEN];

	hash_blake2b_256(k->stream.p, k->stream.len, hash);
	put_hex(to, hash, SNAPSHOT_PROGRAM_LEN);
	to[HASH_HEX] = '-';
	put_hex(to + HASH_HEX + 1, k->program, SNAPSHOT_PROGRAM_LEN);
	to[SNAPSHOT_NAME_LEN] = '\0';
}

static int open_dir(const struct evlog *s, struct err *e)
{
	return file_open_dir(s->io, s->dir, DIR_NAME, e);
}

/* ---- Use. */

/* What the file holds, as far as the file alone can tell. */
static bool is_sound(const struct evlog *s, const struct buf *b, struct columns *c,
                     struct span *ret_state)
{
	size_t head;

	if (!parse(b->data, b->len, c, &head) || b->len != head + c->len + 1)
		return false;
	*ret_state = (struct span){b->data + head, c->len};
	return crc32c(s->salt, b->data + CRC_FROM, b->len - CRC_FROM) == c->crc;
}

/* Is the event at its version still the one that it was taken after? */
static bool agrees(struct evlog *s, const struct columns *c, const struct snapshot_key *k,
                   uint64_t end)
{
	char program[HASH_HEX];
	struct frame f;
	struct err ignored;

	put_hex(program, k->program, SNAPSHOT_PROGRAM_LEN);
	return span_is(c->stream, k->stream) && c->first == k->first && c->version >= k->first &&
	       memcmp(c->program, program, sizeof(program)) == 0 &&
	       evlog_at(s, k->stream, (uint32_t)c->version, end, &f, &ignored) > 0 &&
	       f.seq == c->seq && f.time_ns == c->time_ns && f.data_crc == c->data_crc;
}

int snapshot_load(struct evlog *s, const struct snapshot_key *k, uint32_t at_most, uint64_t end,
                  uint32_t *ret_version, struct buf *ret_state, struct err *e)
{
	char name[SNAPSHOT_NAME_LEN + 1];
	struct buf file = {0};
	struct columns c;
	struct span state;
	int dir = open_dir(s, e);
	int r;

	if (dir < 0)
		return 0;
	file_name(name, k);
	r = file_read(dir, name, FILE_MAX, &file, e);
	file_close(s->io, dir);
	if (r < 0) {
		buf_done(&file);
		return e->code == ENOMEM ? -1 : 0;
	}
	if (is_sound(s, &file, &c, &state) && c.version <= at_most && agrees(s, &c, k, end)) {
		*ret_version = (uint32_t)c.version;
		buf_clear(ret_state);
		buf_add(ret_state, state.p, state.len);
		r = buf_ok(ret_state, e) < 0 ? -1 : 1;
	}
	buf_done(&file);
	return r;
}

/* ---- Making one. */

static int make_dir(const struct evlog *s, struct err *e)
{
	int dir = open_dir(s, e);

	if (dir >= 0 || e->code != ENOENT)
		return dir;
	if (s->io->mkdirat(s->dir, DIR_NAME, s->mode == 0660 ? 02770 : 0700) < 0 && errno != EEXIST)
		return err_sys(e, "make '" DIR_NAME "'");
	return open_dir(s, e);
}

static void build(const struct evlog *s, const struct snapshot_key *k, const struct frame *at,
                  struct span state, struct buf *b)
{
	const uint64_t numbers[PLACES] = {0,        at->version, at->seq, at->time_ns, at->data_crc,
	                                  k->first, state.len};
	char head[FIXED];

	memset(head, ' ', sizeof(head));
	memcpy(head, MAGIC, MAGIC_LEN);
	for (size_t i = 0; i < PLACES; i++)
		text_put_hex(head + places[i].at, numbers[i], places[i].width);
	put_hex(head + 83, k->program, SNAPSHOT_PROGRAM_LEN);
	buf_add(b, head, sizeof(head));
	buf_add(b, k->stream.p, k->stream.len);
	buf_add_char(b, '\n');
	buf_add(b, state.p, state.len);
	buf_add_char(b, '\n');
	if (!b->failed)
		text_put_hex(b->data + places[0].at,
		             crc32c(s->salt, b->data + CRC_FROM, b->len - CRC_FROM), 8);
}

/* As file_replace(), without the syncs. */
static int replace(const struct evlog *s, int dir, const char *name, const struct buf *b,
                   struct err *e)
{
	char tmp[TEMP_MAX];
	int fd;
	int r;

	(void)snprintf(tmp, sizeof(tmp), "%s.tmp.%ld", name, (long)getpid());
	if (s->io->unlinkat(dir, tmp) < 0 && errno != ENOENT)
		return err_sys(e, "remove '%s'", tmp);
	fd = file_open(s->io, dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, s->mode, e);
	if (fd < 0)
		return -1;
	r = file_write_all(s->io, fd, b->data, b->len, 0, e);
	file_close(s->io, fd);
	if (r == 0 && s->io->renameat(dir, tmp, dir, name) < 0)
		r = err_sys(e, "rename '%s'", tmp);
	if (r < 0)
		(void)s->io->unlinkat(dir, tmp);
	return r;
}

int snapshot_save(struct evlog *s, const struct snapshot_key *k, const struct frame *at,
                  struct span state, struct err *e)
{
	char name[SNAPSHOT_NAME_LEN + 1];
	struct buf b = {0};
	int dir;
	int r;

	if (state.len > SNAPSHOT_STATE_MAX)
		return err_set(e, EFBIG, "the state has more than %u bytes", SNAPSHOT_STATE_MAX);
	dir = make_dir(s, e);
	if (dir < 0)
		return -1;
	file_name(name, k);
	build(s, k, at, state, &b);
	r = buf_ok(&b, e) < 0 ? -1 : replace(s, dir, name, &b, e);
	buf_done(&b);
	file_close(s->io, dir);
	return r;
}

/* ---- All of them. */

static void look_at(int dir, const char *name, char *head, size_t size, struct snapshot_info *ret)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct columns c;
	struct err ignored;
	struct stat st;
	size_t len;
	ssize_t n;

	*ret = (struct snapshot_info){.name = name};
	if (fd < 0)
		return;
	n = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? file_read_at(fd, head, size, 0, &ignored)
	                                               : -1;
	close(fd);
	/* One that is being written has a longer name. */
	if (n < 0 || !parse(head, (size_t)n, &c, &len) || strlen(name) != SNAPSHOT_NAME_LEN)
		return;
	ret->stream = c.stream;
	ret->version = (uint32_t)c.version;
	ret->state_len = c.len;
	memcpy(ret->program, c.program, sizeof(c.program));
	ret->time_ns = (int64_t)st.st_mtim.tv_sec * TEXT_NS_PER_S + st.st_mtim.tv_nsec;
}

int snapshot_each(struct evlog *s, snapshot_fn *fn, void *arg, struct err *e)
{
	char head[FIXED + FRAME_NAME_MAX + 1];
	struct snapshot_info info;
	struct buf names = {0};
	int dir = open_dir(s, e);
	int r;

	if (dir < 0)
		return e->code == ENOENT ? 0 : -1;
	r = store_list(dir, &names, e);
	for (size_t at = 0; r == 0 && at < names.len; at += strlen(names.data + at) + 1) {
		if (names.data[at] == '.')
			continue;
		look_at(dir, names.data + at, head, sizeof(head), &info);
		r = fn(&info, arg, e);
	}
	buf_done(&names);
	file_close(s->io, dir);
	return r;
}

int snapshot_remove(struct evlog *s, const char *name, struct err *e)
{
	int dir = open_dir(s, e);
	int r = 0;

	if (dir < 0)
		return e->code == ENOENT ? 0 : -1;
	if (s->io->unlinkat(dir, name) < 0 && errno != ENOENT)
		r = err_sys(e, "remove '%s'", name);
	file_close(s->io, dir);
	return r;
}
