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

#define DIR_NAME "snap"
#define FILE_MAX (SNAPSHOT_HEAD_MAX + SNAPSHOT_STATE_MAX + 1)

static void file_name(char to[SNAPSHOT_NAME_LEN + 1], const struct snapshot_key *k)
{
	unsigned char hash[HASH_BLAKE2B_LEN];

	hash_blake2b_256(k->stream.p, k->stream.len, hash);
	snapshot_put_hex(to, hash, SNAPSHOT_PROGRAM_LEN);
	to[SNAPSHOT_HEX_LEN] = '-';
	snapshot_put_hex(to + SNAPSHOT_HEX_LEN + 1, k->program, SNAPSHOT_PROGRAM_LEN);
	to[SNAPSHOT_NAME_LEN] = '\0';
}

/* ---- Use. */

/* Is the event at its version still the one that it was taken after? */
static bool agrees(struct evlog *s, const struct snapshot_head *c, const struct snapshot_key *k,
                   uint64_t end)
{
	char program[SNAPSHOT_HEX_LEN];
	struct frame f;
	struct err ignored;

	snapshot_put_hex(program, k->program, SNAPSHOT_PROGRAM_LEN);
	return span_is(c->stream, k->stream) && c->first == k->first && c->version >= k->first &&
	       memcmp(c->program, program, sizeof(program)) == 0 &&
	       evlog_at(s, k->stream, c->version, end, &f, &ignored) > 0 && f.seq == c->seq &&
	       f.time_ns == c->time_ns && f.data_crc == c->data_crc;
}

int snapshot_load(struct evlog *s, const struct snapshot_key *k, uint32_t at_most, uint64_t end,
                  uint32_t *ret_version, struct buf *ret_state, struct err *e)
{
	char name[SNAPSHOT_NAME_LEN + 1];
	struct buf file = {0};
	struct snapshot_head h;
	struct span state;
	int dir = store_subdir(s, DIR_NAME, false, e);
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
	if (snapshot_text_get(file.data, file.len, s->salt, &h, &state) && h.version <= at_most &&
	    agrees(s, &h, k, end)) {
		*ret_version = h.version;
		buf_clear(ret_state);
		buf_add(ret_state, state.p, state.len);
		r = buf_ok(ret_state, e) < 0 ? -1 : 1;
	}
	buf_done(&file);
	return r;
}

/* ---- Making one. */

int snapshot_save(struct evlog *s, const struct snapshot_key *k, const struct frame *at,
                  struct span state, struct err *e)
{
	struct snapshot_head h = {.version = at->version,
	                          .first = k->first,
	                          .data_crc = at->data_crc,
	                          .seq = at->seq,
	                          .time_ns = at->time_ns,
	                          .stream = k->stream};
	char name[SNAPSHOT_NAME_LEN + 1];
	struct buf b = {0};
	int dir;
	int r;

	if (state.len > SNAPSHOT_STATE_MAX)
		return err_set(e, EFBIG, "the state has more than %u bytes", SNAPSHOT_STATE_MAX);
	dir = store_subdir(s, DIR_NAME, true, e);
	if (dir < 0)
		return -1;
	file_name(name, k);
	snapshot_put_hex(h.program, k->program, SNAPSHOT_PROGRAM_LEN);
	snapshot_text_put(&b, &h, state, s->salt);
	r = buf_ok(&b, e);
	if (r == 0)
		r = file_replace_unsynced(s->io, dir, name, b.data, b.len, s->mode, e);
	buf_done(&b);
	file_close(s->io, dir);
	return r;
}

/* ---- All of them. */

static void look_at(int dir, const char *name, char *head, size_t size, struct snapshot_info *ret)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct snapshot_head h;
	struct err ignored;
	struct stat st;
	ssize_t n;

	*ret = (struct snapshot_info){.name = name};
	if (fd < 0)
		return;
	n = fstat(fd, &st) == 0 && S_ISREG(st.st_mode)
	        ? file_read_at(&io_os, fd, head, size, 0, &ignored)
	        : -1;
	close(fd);
	/* One that is being written has a longer name. */
	if (n < 0 || !snapshot_text_head(head, (size_t)n, &h) || strlen(name) != SNAPSHOT_NAME_LEN)
		return;
	ret->stream = h.stream;
	ret->version = h.version;
	ret->state_len = h.state_len;
	memcpy(ret->program, h.program, sizeof(h.program));
	ret->time_ns = (int64_t)st.st_mtim.tv_sec * TEXT_NS_PER_S + st.st_mtim.tv_nsec;
}

int snapshot_each(struct evlog *s, snapshot_fn *fn, void *arg, struct err *e)
{
	char head[SNAPSHOT_HEAD_MAX];
	struct snapshot_info info;
	struct buf names = {0};
	int dir = store_subdir(s, DIR_NAME, false, e);
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
	int dir = store_subdir(s, DIR_NAME, false, e);
	int r = 0;

	if (dir < 0)
		return e->code == ENOENT ? 0 : -1;
	if (s->io->unlinkat(dir, name) < 0 && errno != ENOENT)
		r = err_sys(e, "remove '%s'", name);
	file_close(s->io, dir);
	return r;
}
