/*
 * snapread: committed snapshots: reading, and which there are.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/le.h"
#include "wal/snapfile_impl.h"

#define NO_BLOCK UINT64_MAX

struct snapfile {
	const struct io *io;
	int fd;
	struct raft_point at;
	uint64_t size;
	uint64_t number; /* of the block in memory */
	char head[SNAPFILE_HEAD];
	char block[SNAPFILE_STEP];
};

static int read_head(struct snapfile *s, const struct snapfile_place *place, struct raft_point at,
                     struct snapfile_meta *ret, struct err *e)
{
	ssize_t n = file_read_at(s->io, s->fd, s->head, SNAPFILE_HEAD, 0, e);
	off_t size;

	if (n < 0)
		return -1;
	if (n < (ssize_t)SNAPFILE_HEAD)
		return err_set(e, EBADMSG, "it has no whole head");
	if (snapfile_get_head(s->head, place, ret, e) < 0)
		return -1;
	if (ret->at.index != at.index || ret->at.term != at.term)
		return err_set(e, EBADMSG, "it is another one, of entry %llu",
		               (unsigned long long)ret->at.index);
	if (s->io->size(s->fd, &size) < 0)
		return err_sys(e, "look at its size");
	if ((uint64_t)size != snapfile_length(ret->size))
		return err_set(e, EBADMSG, "its file has %lld bytes and should have %llu",
		               (long long)size, (unsigned long long)snapfile_length(ret->size));
	s->at = at;
	s->size = ret->size;
	return 0;
}

struct snapfile *snapfile_open(const struct snapfile_place *place, struct raft_point at,
                               struct snapfile_meta *ret_meta, struct err *e)
{
	char name[SNAPFILE_NAME_MAX];
	struct snapfile *s = malloc(sizeof(*s));

	if (s == NULL) {
		err_set(e, ENOMEM, "out of memory");
		return NULL;
	}
	snapfile_name(name, at, SNAPFILE_END);
	s->io = place->io;
	s->number = NO_BLOCK;
	s->fd = file_open(s->io, place->dir, name, O_RDONLY, 0, e);
	if (s->fd >= 0 && read_head(s, place, at, ret_meta, e) == 0)
		return s;
	if (s->fd >= 0)
		err_wrap(e, "snapshot '%s'", name);
	snapfile_close(s);
	return NULL;
}

void snapfile_close(struct snapfile *s)
{
	if (s == NULL)
		return;
	file_close(s->io, s->fd);
	free(s);
}

static int load(struct snapfile *s, uint64_t number, struct err *e)
{
	size_t n = snapfile_block_len(s->size, number);
	off_t at = (off_t)(SNAPFILE_HEAD + number * SNAPFILE_STEP);
	ssize_t got;

	if (s->number == number)
		return 0;
	s->number = NO_BLOCK;
	got = file_read_at(s->io, s->fd, s->block, n + 4, at, e);
	if (got >= 0 && ((size_t)got < n + 4 ||
	                 le_get32(s->block + n) != snapfile_crc(s->at, number, s->block, n)))
		got = err_set(e, EBADMSG, "its bytes at offset %lld are not as they were written",
		              (long long)at);
	if (got < 0)
		return err_wrap(e, "snapshot of entry %llu", (unsigned long long)s->at.index);
	s->number = number;
	return 0;
}

ssize_t snapfile_read(struct snapfile *s, uint64_t at, void *p, size_t n, struct err *e)
{
	char *to = p;
	size_t done = 0;

	while (done < n && at < s->size) {
		uint64_t number = at / SNAPFILE_BLOCK;
		size_t from = (size_t)(at % SNAPFILE_BLOCK);
		size_t part = snapfile_block_len(s->size, number) - from;

		if (load(s, number, e) < 0)
			return -1;
		if (part > n - done)
			part = n - done;
		memcpy(to + done, s->block + from, part);
		done += part;
		at += part;
	}
	return (ssize_t)done;
}

int snapfile_check(struct snapfile *s, struct err *e)
{
	for (uint64_t number = 0; number * SNAPFILE_BLOCK < s->size; number++)
		if (load(s, number, e) < 0)
			return -1;
	return 0;
}

/* --- the directory --- */

/* The later one first. */
static int by_point(const void *a, const void *b)
{
	const struct raft_point *x = a;
	const struct raft_point *y = b;

	if (x->index != y->index)
		return x->index < y->index ? 1 : -1;
	return (x->term < y->term) - (x->term > y->term);
}

/* All points of files with this end, allocated. */
static ssize_t find_points(const struct snapfile_place *place, const char *end,
                           struct raft_point **ret, struct err *e)
{
	struct buf names = {0};
	struct raft_point *v = NULL;
	size_t n = 0;
	ssize_t r = file_list(place->io, place->dir, &names, e);

	/* Each name has more than 33 bytes and is counted once. */
	if (r == 0 && (v = calloc(names.len / 33 + 1, sizeof(*v))) == NULL)
		r = err_set(e, ENOMEM, "out of memory");
	for (size_t i = 0; r == 0 && i < names.len; i += strlen(names.data + i) + 1)
		if (snapfile_parse_name(names.data + i, end, &v[n]))
			n++;
	buf_done(&names);
	if (r < 0)
		return -1;
	if (n > 0)
		qsort(v, n, sizeof(*v), by_point);
	*ret = v;
	return (ssize_t)n;
}

ssize_t snapfile_list(const struct snapfile_place *place, struct raft_point *ret, size_t max,
                      struct err *e)
{
	struct raft_point *v = NULL;
	ssize_t n = find_points(place, SNAPFILE_END, &v, e);

	if (n > 0)
		memcpy(ret, v, ((size_t)n < max ? (size_t)n : max) * sizeof(*v));
	free(v);
	return n;
}

static int remove_file(const struct snapfile_place *place, struct raft_point at, const char *end,
                       struct err *e)
{
	char name[SNAPFILE_NAME_MAX];

	snapfile_name(name, at, end);
	if (place->io->unlinkat(place->dir, name) < 0 && errno != ENOENT)
		return err_sys(e, "remove '%s'", name);
	return 0;
}

/* Those that are not above an index. */
static int remove_up_to(const struct snapfile_place *place, const char *end, uint64_t index,
                        struct err *e)
{
	struct raft_point *v = NULL;
	ssize_t n = find_points(place, end, &v, e);
	int r = n < 0 ? -1 : 0;

	for (ssize_t i = 0; r == 0 && i < n; i++)
		if (v[i].index <= index)
			r = remove_file(place, v[i], end, e);
	free(v);
	return r;
}

int snapfile_purge(const struct snapfile_place *place, size_t keep, uint64_t in_use, struct err *e)
{
	struct raft_point *v = NULL;
	ssize_t n = find_points(place, SNAPFILE_END, &v, e);
	int r = n < 0 ? -1 : 0;

	for (size_t i = keep; r == 0 && n > 0 && i < (size_t)n; i++)
		if (in_use == 0 || v[i].index < in_use)
			r = remove_file(place, v[i], SNAPFILE_END, e);
	if (r == 0 && n > 0)
		r = remove_up_to(place, SNAPFILE_OWN, v[0].index, e);
	if (r == 0 && n > 0)
		r = remove_up_to(place, SNAPFILE_GOT, v[0].index, e);
	free(v);
	return r;
}

int snapfile_sweep(const struct snapfile_place *place, uint64_t newest, struct err *e)
{
	struct raft_point *v = NULL;
	ssize_t n = find_points(place, SNAPFILE_END, &v, e);
	int r = n < 0 ? -1 : 0;

	for (ssize_t i = 0; r == 0 && i < n && v[i].index > newest; i++)
		r = remove_file(place, v[i], SNAPFILE_END, e);
	free(v);
	if (r == 0)
		r = remove_up_to(place, SNAPFILE_OWN, UINT64_MAX, e);
	return r < 0 ? -1 : remove_up_to(place, SNAPFILE_GOT, newest, e);
}
