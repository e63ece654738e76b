#include "wal/snapfile.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/le.h"
#include "wal/snapfile_impl.h"

struct snapfile_writer {
	struct hash_blake2b hash;
	struct snapfile_place place;
	struct snapfile_meta meta;
	bool received;
	bool failed;    /* a write or a sync: of no use any more */
	bool unsynced;  /* a sync failed: nobody may go on with this part */
	bool committed; /* the file has the name of a snapshot, or is gone */
	bool named;     /* its name is durable */
	int fd;
	uint64_t have;   /* bytes taken */
	uint64_t stored; /* bytes in blocks that are in the file */
	char conf[SNAPFILE_CONF_MAX];
	char block[SNAPFILE_STEP]; /* the bytes [stored, have) */
};

static void own_name(const struct snapfile_writer *s, char name[SNAPFILE_NAME_MAX])
{
	snapfile_name(name, s->meta.at, s->received ? SNAPFILE_GOT : SNAPFILE_OWN);
}

static struct snapfile_writer *new_writer(const struct snapfile_place *place,
                                          const struct snapfile_meta *meta, bool received,
                                          struct err *e)
{
	struct snapfile_writer *s;
	size_t align = _Alignof(struct snapfile_writer);

	if (meta->conf.len > SNAPFILE_CONF_MAX || meta->at.index == 0) {
		err_set(e, EINVAL, "a snapshot at entry %llu with %zu bytes of members",
		        (unsigned long long)meta->at.index, meta->conf.len);
		return NULL;
	}
	if (received && meta->size > SNAPFILE_SIZE_MAX) {
		err_set(e, EFBIG, "a snapshot of %llu bytes", (unsigned long long)meta->size);
		return NULL;
	}
	s = aligned_alloc(align, (sizeof(*s) + align - 1) / align * align);
	if (s == NULL) {
		err_set(e, ENOMEM, "out of memory");
		return NULL;
	}
	memset(s, 0, sizeof(*s));
	s->place = *place;
	s->meta = *meta;
	s->received = received;
	s->fd = -1;
	if (meta->conf.len > 0)
		memcpy(s->conf, meta->conf.p, meta->conf.len);
	s->meta.conf.p = s->conf;
	memset(s->meta.hash, 0, sizeof(s->meta.hash));
	if (received)
		le_put64(s->meta.hash, meta->sum);
	else
		s->meta.size = 0;
	hash_blake2b_init(&s->hash);
	return s;
}

static int write_head(struct snapfile_writer *s, struct err *e)
{
	char head[SNAPFILE_HEAD];

	snapfile_put_head(head, &s->place, &s->meta);
	return file_write_all(s->place.io, s->fd, head, sizeof(head), 0, e);
}

/* A file of its own, in place of one that may be there. */
static int create(struct snapfile_writer *s, struct err *e)
{
	const struct io *io = s->place.io;
	char name[SNAPFILE_NAME_MAX];

	own_name(s, name);
	if (io->unlinkat(s->place.dir, name) < 0 && errno != ENOENT)
		return err_sys(e, "remove '%s'", name);
	s->fd = file_open(io, s->place.dir, name, O_RDWR | O_CREAT | O_EXCL, s->place.mode, e);
	if (s->fd < 0)
		return -1;
	return s->received ? write_head(s, e) : 0;
}

struct snapfile_writer *snapfile_begin(const struct snapfile_place *place,
                                       const struct snapfile_meta *meta, struct err *e)
{
	struct snapfile_writer *s = new_writer(place, meta, false, e);

	if (s == NULL || create(s, e) == 0)
		return s;
	err_wrap(e, "begin a snapshot");
	snapfile_writer_close(s, false);
	return NULL;
}

/* --- going on with a part --- */

static bool is_same(const struct snapfile_meta *a, const struct snapfile_meta *b)
{
	return a->at.index == b->at.index && a->at.term == b->at.term &&
	       a->clock_ns == b->clock_ns && a->size == b->size &&
	       memcmp(a->hash, b->hash, sizeof(a->hash)) == 0 && span_is(a->conf, b->conf);
}

/* Take the sound blocks at the beginning of the file. */
static int take_blocks(struct snapfile_writer *s, struct err *e)
{
	while (s->stored < s->meta.size) {
		uint64_t number = s->stored / SNAPFILE_BLOCK;
		size_t n = snapfile_block_len(s->meta.size, number);
		ssize_t got = file_read_at(s->place.io, s->fd, s->block, n + 4,
		                           (off_t)(SNAPFILE_HEAD + number * SNAPFILE_STEP), e);

		if (got < 0)
			return -1;
		if ((size_t)got < n + 4 ||
		    le_get32(s->block + n) != snapfile_crc(s->meta.at, number, s->block, n))
			break;
		hash_blake2b_update(&s->hash, s->block, n);
		s->stored += n;
	}
	s->have = s->stored;
	return 0;
}

/* 1: there is a part of this snapshot, and its blocks are taken; 0: there is none. */
static int go_on(struct snapfile_writer *s, struct err *e)
{
	char name[SNAPFILE_NAME_MAX];
	char head[SNAPFILE_HEAD];
	struct snapfile_meta m;
	struct err ignored;
	ssize_t n;

	own_name(s, name);
	s->fd = file_open(s->place.io, s->place.dir, name, O_RDWR, 0, e);
	if (s->fd < 0)
		return e->code == ENOENT ? 0 : -1;
	n = file_read_at(s->place.io, s->fd, head, sizeof(head), 0, e);
	if (n < 0)
		return -1;
	if (n == sizeof(head) && snapfile_get_head(head, &s->place, &m, &ignored) == 0 &&
	    is_same(&m, &s->meta))
		return take_blocks(s, e) < 0 ? -1 : 1;
	file_close(s->place.io, s->fd);
	s->fd = -1;
	return 0;
}

struct snapfile_writer *snapfile_receive(const struct snapfile_place *place,
                                         const struct snapfile_meta *meta, struct err *e)
{
	struct snapfile_writer *s = new_writer(place, meta, true, e);
	int r;

	if (s == NULL)
		return NULL;
	r = go_on(s, e);
	if (r == 1 || (r == 0 && create(s, e) == 0))
		return s;
	err_wrap(e, "receive a snapshot");
	/* What cannot be read now may be read another time, but not what was begun just now. */
	snapfile_writer_close(s, r < 0);
	return NULL;
}

/* --- writing --- */

uint64_t snapfile_have(const struct snapfile_writer *s)
{
	return s->have;
}

/* The bytes in memory are a block: put it into the file. */
static int store_block(struct snapfile_writer *s, struct err *e)
{
	uint64_t number = s->stored / SNAPFILE_BLOCK;
	size_t n = (size_t)(s->have - s->stored);

	if (n == 0)
		return 0;
	le_put32(s->block + n, snapfile_crc(s->meta.at, number, s->block, n));
	if (file_write_all(s->place.io, s->fd, s->block, n + 4,
	                   (off_t)(SNAPFILE_HEAD + number * SNAPFILE_STEP), e) < 0) {
		s->failed = true;
		return err_wrap(e, "write a snapshot");
	}
	s->stored = s->have;
	return 0;
}

static int check_use(const struct snapfile_writer *s, struct err *e)
{
	assert(!s->committed);
	return s->failed ? err_set(e, EIO, "the writing of this snapshot has failed before") : 0;
}

static int take(struct snapfile_writer *s, const char *p, size_t n, struct err *e)
{
	hash_blake2b_update(&s->hash, p, n);
	while (n > 0) {
		size_t in_block = (size_t)(s->have - s->stored);
		size_t part = SNAPFILE_BLOCK - in_block < n ? SNAPFILE_BLOCK - in_block : n;

		memcpy(s->block + in_block, p, part);
		s->have += part;
		p += part;
		n -= part;
		if (in_block + part == SNAPFILE_BLOCK && store_block(s, e) < 0)
			return -1;
	}
	return s->received && s->have == s->meta.size ? store_block(s, e) : 0;
}

int snapfile_write(struct snapfile_writer *s, uint64_t at, const void *p, size_t n, struct err *e)
{
	uint64_t most = s->received ? s->meta.size : SNAPFILE_SIZE_MAX;

	if (check_use(s, e) < 0)
		return -1;
	if (at > most || n > most - at)
		return err_set(e, EFBIG, "a snapshot has more than %llu bytes",
		               (unsigned long long)most);
	if (at > s->have)
		return err_set(e, ERANGE,
		               "a piece of a snapshot at %llu, and the one at %llu is missing",
		               (unsigned long long)at, (unsigned long long)s->have);
	if (n <= s->have - at)
		return 0;
	return take(s, (const char *)p + (s->have - at), n - (size_t)(s->have - at), e);
}

static int sync_failed(struct snapfile_writer *s, struct err *e)
{
	s->failed = true;
	s->unsynced = true;
	return err_wrap(e, "sync a snapshot");
}

int snapfile_sync(struct snapfile_writer *s, uint64_t *ret_durable, struct err *e)
{
	if (check_use(s, e) < 0)
		return -1;
	if (s->place.io->fdatasync(s->fd) < 0) {
		err_sys(e, "its file");
		return sync_failed(s, e);
	}
	if (!s->named && file_sync_dir(s->place.io, s->place.dir, e) < 0)
		return sync_failed(s, e);
	s->named = true;
	*ret_durable = s->stored;
	return 0;
}

/* --- the end --- */

static int check_received(const struct snapfile_writer *s, const unsigned char *hash, struct err *e)
{
	if (s->have != s->meta.size)
		return err_set(e, EBADMSG, "it has %llu of %llu bytes", (unsigned long long)s->have,
		               (unsigned long long)s->meta.size);
	if (snapfile_sum(hash) != s->meta.sum)
		return err_set(e, EBADMSG, "its checksum is %016llx, and should be %016llx",
		               (unsigned long long)snapfile_sum(hash),
		               (unsigned long long)s->meta.sum);
	return 0;
}

static int finish(struct snapfile_writer *s, struct err *e)
{
	const struct io *io = s->place.io;
	char from[SNAPFILE_NAME_MAX];
	char to[SNAPFILE_NAME_MAX];
	unsigned char hash[HASH_BLAKE2B_LEN];

	if (store_block(s, e) < 0)
		return -1;
	hash_blake2b_final(&s->hash, hash);
	if (s->received && check_received(s, hash, e) < 0)
		return -1;
	memcpy(s->meta.hash, hash, sizeof(hash));
	s->meta.sum = snapfile_sum(hash);
	s->meta.size = s->have;
	if (write_head(s, e) < 0)
		return -1;
	if (io->fsync(s->fd) < 0)
		return err_sys(e, "sync");
	own_name(s, from);
	snapfile_name(to, s->meta.at, SNAPFILE_END);
	if (io->renameat(s->place.dir, from, s->place.dir, to) < 0)
		return err_sys(e, "rename '%s'", from);
	s->committed = true;
	return file_sync_dir(io, s->place.dir, e);
}

int snapfile_commit(struct snapfile_writer *s, struct snapfile_meta *ret, struct err *e)
{
	char name[SNAPFILE_NAME_MAX];

	if (check_use(s, e) < 0)
		return -1;
	if (finish(s, e) < 0) {
		own_name(s, name);
		if (!s->committed)
			(void)s->place.io->unlinkat(s->place.dir, name);
		s->failed = true;
		s->committed = true;
		return err_wrap(e, "commit a snapshot");
	}
	if (ret != NULL)
		*ret = s->meta;
	return 0;
}

void snapfile_writer_close(struct snapfile_writer *s, bool keep)
{
	char name[SNAPFILE_NAME_MAX];

	if (s == NULL)
		return;
	own_name(s, name);
	if (s->fd >= 0 && !s->committed && (!keep || !s->received || s->unsynced))
		(void)s->place.io->unlinkat(s->place.dir, name);
	file_close(s->place.io, s->fd);
	free(s);
}
