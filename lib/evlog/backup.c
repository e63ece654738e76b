/*
 * backup: a copy of a store while it is used, and back.
 *
 * Sealed segments never change, so a hard link is a copy; the active one is copied up to its last
 * durable commit.  MANIFEST comes last and says what belongs together:
 *
 *	evlog-backup 1 UUID LAST
 *	cursor NAME SLOT               a line a cursor, as it was before LAST
 *	BLAKE2B-256 LENGTH NAME        a line a file
 *
 * Cursors change in place: in files of their own they would no longer be what the last MANIFEST
 * says while a backup is brought up to date.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/id.h"
#include "base/text.h"
#include "evlog/admin.h"
#include "evlog/backup_cursor.h"
#include "evlog/store_impl.h"

#define MANIFEST     "MANIFEST"
#define MANIFEST_MAX (64u << 20)
#define BESIDE       ".new" /* of a file that waits for the manifest that speaks of it */
#define COPY_BLOCK   (1u << 20)
#define HEX_LEN      ((size_t)2 * HASH_BLAKE2B_LEN)

struct backup {
	const struct io *io;
	int to, to_log;
	mode_t mode;
	bool copy;
	struct buf old;      /* the manifest of the backup that is there */
	struct buf cursors;  /* lines of the new one */
	struct buf manifest; /* the new one */
	struct buf beside; /* names of files that take their places when that is there, each NUL */
	char *block;       /* COPY_BLOCK bytes */
};

static void put_hex(char to[HEX_LEN + 1], const unsigned char h[HASH_BLAKE2B_LEN])
{
	for (size_t i = 0; i < HASH_BLAKE2B_LEN; i++)
		text_put_hex(to + 2 * i, h[i], 2);
	to[HEX_LEN] = '\0';
}

/* Copy the first n bytes of a descriptor (to < 0: only hash them); EIO when there are fewer. */
static int copy_bytes(const struct io *io, char *block, int from, int to, uint64_t n,
                      unsigned char hash[HASH_BLAKE2B_LEN], struct err *e)
{
	struct hash_blake2b h;

	hash_blake2b_init(&h);
	for (uint64_t at = 0; at < n;) {
		size_t want = n - at < COPY_BLOCK ? (size_t)(n - at) : COPY_BLOCK;
		ssize_t r = file_read_at(&io_os, from, block, want, (off_t)at, e);

		if (r < 0)
			return -1;
		if ((size_t)r < want)
			return err_set(e, EIO, "file is shorter than it was");
		hash_blake2b_update(&h, block, want);
		if (to >= 0 && file_write_all(io, to, block, want, (off_t)at, e) < 0)
			return -1;
		at += want;
	}
	hash_blake2b_final(&h, hash);
	return 0;
}

/* A durable copy of the first n bytes under `name`, whole or not at all. */
static int copy_file(const struct io *io, char *block, int from, uint64_t n, int dir,
                     const char *name, mode_t mode, unsigned char hash[HASH_BLAKE2B_LEN],
                     struct err *e)
{
	char temp[64];
	int fd, r;

	snprintf(temp, sizeof(temp), "%s.part", name);
	/* A rest of this name may be a link to a segment of the store: never write into it. */
	fd = file_open_new(io, dir, temp, mode, e);
	if (fd < 0)
		return -1;
	r = copy_bytes(io, block, from, fd, n, hash, e);
	if (r == 0 && io->fsync(fd) < 0)
		r = err_sys(e, "sync '%s'", temp);
	file_close(io, fd);
	if (r == 0 && io->renameat(dir, temp, dir, name) < 0)
		r = err_sys(e, "rename '%s'", temp);
	if (r < 0)
		(void)io->unlinkat(dir, temp);
	return r;
}

static void add_line(struct buf *m, const char *hex, uint64_t n, const char *name)
{
	buf_printf(m, "%s %llu %s\n", hex, (unsigned long long)n, name);
}

/* A file that the backup has already, as its old manifest says: nothing to do but its line. */
static bool has_already(struct backup *b, const char *name, uint64_t size)
{
	char tail[64];
	struct stat st;
	int n = snprintf(tail, sizeof(tail), " %llu %s\n", (unsigned long long)size, name);
	const char *at;

	if (b->old.len == 0 || fstatat(b->to, name, &st, 0) < 0 || (uint64_t)st.st_size != size)
		return false;
	at = memmem(b->old.data, b->old.len, tail, (size_t)n);
	if (at == NULL || (size_t)(at - b->old.data) < HEX_LEN)
		return false;
	buf_add(&b->manifest, at - HEX_LEN, HEX_LEN + (size_t)n);
	return true;
}

/* A hard link to the file that fd is, in the place of what is there at once. */
static bool link_file(struct backup *b, struct evlog *s, int fd, const char *name, const char *to)
{
	char temp[SEGMENT_NAME_MAX + 16];
	struct stat it, linked;
	bool done;

	snprintf(temp, sizeof(temp), "%s.part", to);
	(void)b->io->unlinkat(b->to_log, temp);
	if (b->io->linkat(s->log_dir, name, b->to_log, temp) < 0)
		return false;
	/* Another file may have come under that name: the copy is made of the one we have. */
	done = fstat(fd, &it) == 0 && fstatat(b->to_log, temp, &linked, 0) == 0 &&
	       it.st_ino == linked.st_ino && it.st_dev == linked.st_dev &&
	       b->io->renameat(b->to_log, temp, b->to_log, to) == 0;
	/* Of two names of one file rename() does nothing. */
	(void)b->io->unlinkat(b->to_log, temp);
	return done;
}

/*
 * Does the old manifest speak of another file under that name than the one that comes?  That of an
 * active segment is a part of what is sealed now, that of one from which events were removed since
 * is not.  It must stay until the new manifest is there.
 */
static bool is_needed(const struct backup *b, const char *path, int fd)
{
	char line[FRAME_HEAD_LEN], tail[64];
	struct frame_head h;
	struct err ignored;
	int n = snprintf(tail, sizeof(tail), " %s\n", path);

	return b->old.len > 0 && memmem(b->old.data, b->old.len, tail, (size_t)n) != NULL &&
	       file_read_at(&io_os, fd, line, sizeof(line), 0, &ignored) == (ssize_t)sizeof(line) &&
	       frame_get_head(line, sizeof(line), &h) && h.gone > 0;
}

static int save_segment(struct backup *b, struct evlog *s, uint64_t base, int fd, uint64_t size,
                        bool sealed, struct err *e)
{
	unsigned char hash[HASH_BLAKE2B_LEN];
	char hex[HEX_LEN + 1];
	char name[SEGMENT_NAME_MAX], path[SEGMENT_NAME_MAX + 4];
	char to[SEGMENT_NAME_MAX + sizeof(BESIDE)];
	int r;

	segment_name(name, base);
	snprintf(path, sizeof(path), "log/%s", name);
	if (sealed && has_already(b, path, size))
		return 0;
	snprintf(to, sizeof(to), "%s", name);
	if (sealed && is_needed(b, path, fd)) {
		snprintf(to, sizeof(to), "%s" BESIDE, name);
		buf_add(&b->beside, name, strlen(name) + 1);
	}
	if (sealed && !b->copy && link_file(b, s, fd, name, to))
		r = copy_bytes(b->io, b->block, fd, -1, size, hash, e);
	else
		r = copy_file(b->io, b->block, fd, size, b->to_log, to, b->mode, hash, e);
	if (r < 0)
		return err_wrap(e, "back up '%s'", path);
	put_hex(hex, hash);
	add_line(&b->manifest, hex, size, path);
	return 0;
}

/* The new manifest is on disk: what it speaks of gets its names. */
static int put_in_place(struct backup *b, struct err *e)
{
	char from[SEGMENT_NAME_MAX + sizeof(BESIDE)];

	if (b->beside.len == 0)
		return 0;
	for (size_t at = 0; at < b->beside.len; at += strlen(b->beside.data + at) + 1) {
		snprintf(from, sizeof(from), "%s" BESIDE, b->beside.data + at);
		if (b->io->renameat(b->to_log, from, b->to_log, b->beside.data + at) < 0)
			return err_sys(e, "rename '%s'", from);
		/* Of two names of one file rename() does nothing. */
		(void)b->io->unlinkat(b->to_log, from);
	}
	return file_sync_dir(b->io, b->to_log, e);
}

static int save_sealed(struct backup *b, struct evlog *s, uint64_t base, struct err *e)
{
	char name[SEGMENT_NAME_MAX];
	struct stat st;
	int fd, r;

	segment_name(name, base);
	fd = file_open(b->io, s->log_dir, name, O_RDONLY, 0, e);
	if (fd < 0)
		return -1;
	r = fstat(fd, &st) < 0 ? err_sys(e, "look at 'log/%s'", name)
	                       : save_segment(b, s, base, fd, (uint64_t)st.st_size, true, e);
	file_close(b->io, fd);
	return r;
}

/* Where the active segment ends for a backup: behind its last durable event. */
static int durable_end(struct evlog *s, uint64_t last, uint64_t *ret, struct err *e)
{
	struct frame f;
	int r;

	*ret = FRAME_HEAD_LEN;
	if (last < s->log_base)
		return 0;
	r = store_frame(s, last, &f, e);
	if (r <= 0)
		return r < 0 ? -1 : err_set(e, EVLOG_DAMAGED, "the last event is not in the log");
	*ret = s->active.offset[last - s->log_base] + (uint64_t)f.len;
	return 0;
}

static int save_log(struct backup *b, struct evlog *s, uint64_t last, struct err *e)
{
	uint64_t end;

	if (segments_load(s, e) < 0)
		return -1;
	/*
	 * Newest first, for compact goes the other way: where events of a stream were removed, the
	 * backup has none that are older.
	 */
	for (size_t i = s->segment_count; i-- > 0;)
		if (save_sealed(b, s, s->segments[i].base, e) < 0)
			return -1;
	if (durable_end(s, last, &end, e) < 0 ||
	    save_segment(b, s, s->log_base, s->log_fd, end, false, e) < 0)
		return -1;
	return file_sync_dir(b->io, b->to_log, e);
}

static int save_format(struct backup *b, struct evlog *s, struct err *e)
{
	unsigned char hash[HASH_BLAKE2B_LEN];
	char hex[HEX_LEN + 1];
	struct buf f = {0};
	int r = file_read(s->dir, "FORMAT", 4096, &f, e);

	if (r == 0)
		r = file_replace(b->io, b->to, "FORMAT", f.data, f.len, b->mode, e);
	if (r == 0) {
		hash_blake2b_256(f.data, f.len, hash);
		put_hex(hex, hash);
		add_line(&b->manifest, hex, f.len, "FORMAT");
	}
	buf_done(&f);
	return r;
}

/* A manifest's first line; `last` may be NULL. */
static int parse_manifest(const struct buf *m, char uuid[33], uint64_t *last, struct err *e)
{
	const char *lf = m->len == 0 ? NULL : memchr(m->data, '\n', m->len);
	uint64_t v = 0;

	if (lf == NULL || m->len < 48 || memcmp(m->data, "evlog-backup 1 ", 15) != 0 ||
	    num_u64_len(m->data + 48, (size_t)(lf - m->data) - 48, 0, FRAME_SEQ_MAX, &v, e) < 0)
		return err_set(e, EVLOG_FOREIGN, "MANIFEST is not one of an evlog backup");
	memcpy(uuid, m->data + 15, 32);
	uuid[32] = '\0';
	if (last != NULL)
		*last = v;
	return 0;
}

static int open_target(struct backup *b, const char *to, const char *uuid, struct err *e)
{
	char was[33];

	if (b->io->mkdirat(AT_FDCWD, to, 0700) < 0 && errno != EEXIST)
		return err_sys(e, "make directory '%s'", to);
	b->to = file_open_dir(b->io, AT_FDCWD, to, e);
	if (b->to < 0)
		return -1;
	if (file_read(b->to, MANIFEST, MANIFEST_MAX, &b->old, e) == 0) {
		if (parse_manifest(&b->old, was, NULL, e) < 0)
			return -1;
		if (strcmp(was, uuid) != 0)
			return err_set(e, EVLOG_FOREIGN, "the backup in '%s' is of another store",
			               to);
	} else if (e->code != ENOENT) {
		return -1;
	} else {
		struct buf names = {0};
		bool empty = store_list(b->to, &names, e) == 0 && names.len == 0;

		buf_done(&names);
		if (!empty)
			return err_set(e, ENOTEMPTY,
			               "'%s' is not empty and has no MANIFEST of a backup", to);
	}
	if (b->io->mkdirat(b->to, "log", 0700) < 0 && errno != EEXIST)
		return err_sys(e, "make directory '%s/log'", to);
	b->to_log = file_open_dir(b->io, b->to, "log", e);
	return b->to_log < 0 ? -1 : 0;
}

int evlog_backup(struct evlog *s, const char *to, bool copy, uint64_t *ret_last, struct err *e)
{
	struct backup b = {.io = s->io, .to = -1, .to_log = -1, .mode = s->mode, .copy = copy};
	char uuid[33] = {0};
	uint64_t last;
	int r = -1;

	/* In this order: cursors are at what is durable, and that is in segments then known. */
	if (backup_put_cursors(s, &b.cursors, e) < 0)
		goto out;
	last = evlog_durable(s);
	if (store_refresh(s, e) < 0)
		goto out;
	id_put_hex(uuid, s->uuid);
	b.block = malloc(COPY_BLOCK);
	if (b.block == NULL) {
		err_set(e, ENOMEM, "out of memory");
		goto out;
	}
	buf_printf(&b.manifest, "evlog-backup 1 %s %llu\n", uuid, (unsigned long long)last);
	buf_add(&b.manifest, b.cursors.data, b.cursors.len);
	if (open_target(&b, to, uuid, e) < 0 || save_log(&b, s, last, e) < 0 ||
	    save_format(&b, s, e) < 0 || buf_ok(&b.manifest, e) < 0 || buf_ok(&b.beside, e) < 0)
		goto out;
	r = file_replace(b.io, b.to, MANIFEST, b.manifest.data, b.manifest.len, b.mode, e);
	if (r == 0)
		r = put_in_place(&b, e);
	if (r == 0)
		r = file_sync_parent(b.io, to, e);
	*ret_last = last;
out:
	file_close(b.io, b.to_log);
	file_close(b.io, b.to);
	buf_done(&b.cursors);
	buf_done(&b.manifest);
	buf_done(&b.beside);
	buf_done(&b.old);
	free(b.block);
	return r;
}

/* Copy the first bytes of a file, if they are those of the manifest. */
static int restore_from(const struct io *io, char *block, int from, const char *name, uint64_t size,
                        int to, const char *to_name, const char *want, struct err *e)
{
	unsigned char hash[HASH_BLAKE2B_LEN];
	char hex[HEX_LEN + 1];
	int fd = file_open(io, from, name, O_RDONLY, 0, e);
	int r;

	if (fd < 0)
		return -1;
	r = copy_file(io, block, fd, size, to, to_name, 0600, hash, e);
	file_close(io, fd);
	if (r < 0)
		return err_wrap(e, "restore '%s'", name);
	put_hex(hex, hash);
	if (memcmp(hex, want, HEX_LEN) != 0)
		return err_set(e, EVLOG_DAMAGED, "'%s' is not what the backup's MANIFEST says",
		               name);
	return 0;
}

/* Copy and check one file of a manifest's line "HASH LENGTH NAME"; only names a backup can have. */
static int restore_file(const struct io *io, char *block, int from, int to, const char *line,
                        size_t len, struct err *e)
{
	char name[32], beside[32 + sizeof(BESIDE)];
	struct err ignored;
	const char *sp =
	    len > HEX_LEN + 2 ? memchr(line + HEX_LEN + 1, ' ', len - HEX_LEN - 1) : NULL;
	uint64_t size, base;
	size_t n;
	int r;

	if (sp == NULL || num_u64_len(line + HEX_LEN + 1, (size_t)(sp - line) - HEX_LEN - 1, 0,
	                              UINT64_MAX, &size, e) < 0)
		return err_set(e, EVLOG_FOREIGN, "MANIFEST has a line that is none");
	n = len - (size_t)(sp + 1 - line);
	if (n >= sizeof(name))
		return err_set(e, EVLOG_FOREIGN, "MANIFEST names a file that no backup has");
	memcpy(name, sp + 1, n);
	name[n] = '\0';
	if (strcmp(name, "FORMAT") != 0 &&
	    !(strncmp(name, "log/", 4) == 0 && segment_parse_name(name + 4, &base)))
		return err_set(e, EVLOG_FOREIGN, "MANIFEST names a file that no backup has: '%s'",
		               name);
	r = restore_from(io, block, from, name, size, to, name, line, e);
	snprintf(beside, sizeof(beside), "%s" BESIDE, name);
	/* A backup that was cut short behind its MANIFEST. */
	if (r < 0 && restore_from(io, block, from, beside, size, to, name, line, &ignored) == 0)
		r = 0;
	return r;
}

static int sync_log_dir(const struct io *io, int to, struct err *e)
{
	int log = file_open_dir(io, to, "log", e);
	int r = log < 0 ? -1 : file_sync_dir(io, log, e);

	file_close(io, log);
	return r < 0 ? -1 : file_sync_dir(io, to, e);
}

/*
 * FORMAT is the last line of a manifest: without it the directory is no store yet.  All that it
 * stands for is on disk before it appears.
 */
static int restore_files(const struct io *io, int from, int to, const struct buf *m, uint32_t salt,
                         struct err *e)
{
	char *block = malloc(COPY_BLOCK);
	const char *at = (const char *)memchr(m->data, '\n', m->len) + 1;
	const char *end = m->data + m->len;
	int r = 0;

	if (block == NULL)
		return err_set(e, ENOMEM, "out of memory");
	if (io->mkdirat(to, "log", 0700) < 0 && errno != EEXIST)
		r = err_sys(e, "make directory 'log'");
	while (r == 0 && at < end) {
		const char *lf = memchr(at, '\n', (size_t)(end - at));
		size_t n = (size_t)((lf == NULL ? end : lf) - at);

		if (n > 7 && memcmp(at + n - 7, " FORMAT", 7) == 0)
			r = sync_log_dir(io, to, e);
		if (r == 0 && backup_is_cursor(at, n))
			r = backup_get_cursor(io, to, at, n, salt, e);
		else if (r == 0)
			r = restore_file(io, block, from, to, at, n, e);
		at += n + 1;
	}
	free(block);
	return r < 0 ? -1 : file_sync_dir(io, to, e);
}

int evlog_restore(const char *from, const char *to, const struct io *io, struct err *e)
{
	struct buf m = {0}, names = {0};
	unsigned char id[16];
	char uuid[33];
	int from_dir, to_dir = -1, r = -1;

	if (io == NULL)
		io = &io_os;
	from_dir = file_open_dir(io, AT_FDCWD, from, e);
	if (from_dir < 0)
		return -1;
	if (file_read(from_dir, MANIFEST, MANIFEST_MAX, &m, e) < 0) {
		err_wrap(e, "no complete backup in '%s'", from);
		goto out;
	}
	if (parse_manifest(&m, uuid, NULL, e) < 0 || id_parse(uuid, 32, id, e) < 0)
		goto out;
	if (io->mkdirat(AT_FDCWD, to, 0700) < 0 && errno != EEXIST) {
		err_sys(e, "make directory '%s'", to);
		goto out;
	}
	to_dir = file_open_dir(io, AT_FDCWD, to, e);
	if (to_dir < 0 || store_list(to_dir, &names, e) < 0)
		goto out;
	if (names.len > 0) {
		err_set(e, ENOTEMPTY, "'%s' is not empty: restore into a new directory", to);
		goto out;
	}
	/* Before FORMAT is there, so that no store ever stands on a name that may be lost. */
	r = file_sync_parent(io, to, e);
	if (r == 0)
		r = restore_files(io, from_dir, to_dir, &m, frame_salt(id), e);
out:
	file_close(io, to_dir);
	file_close(io, from_dir);
	buf_done(&names);
	buf_done(&m);
	return r;
}
