/*
 * offsets: where each event of a sealed segment begins, from its file in index/ or by a walk.
 *
 * The file is four bytes for each sequence.  Such an offset is a hint that the frame it leads to
 * confirms, and 0 makes nobody believe anything, so that nothing has to be synced.  Not so where
 * events were removed from the segment: there 0 says that the event is gone on purpose.  The file
 * of such a segment has a trailer with a checksum and with what the segment looked like, and is
 * believed for that one only.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "evlog/store_impl.h"

#define OFFSETS_MAGIC "evloff1"

/* Bytes that are no event stand where it may have been: neither there nor known to be gone. */
#define OFFSET_UNKNOWN 1u

struct trailer {
	char magic[8];
	uint64_t size, gone; /* of the segment */
	uint32_t zero;
	uint32_t crc; /* CRC32C of all before */
};

static void offsets_name(char name[RUN_NAME_MAX], uint64_t base)
{
	snprintf(name, RUN_NAME_MAX, "offsets.%016llx", (unsigned long long)base);
}

static struct trailer make_trailer(const uint32_t *offset, size_t n, uint64_t size, uint64_t gone)
{
	struct trailer t = {.size = size, .gone = gone};

	memcpy(t.magic, OFFSETS_MAGIC, sizeof(t.magic));
	t.crc = crc32c(crc32c(0, offset, n * sizeof(*offset)), &t, offsetof(struct trailer, crc));
	return t;
}

int segment_write_offsets(struct evlog *s, uint64_t base, const uint32_t *offset, size_t n,
                          uint64_t size, uint64_t gone, struct err *e)
{
	struct span bytes = {(const char *)offset, n * sizeof(*offset)};
	struct buf whole = {0};
	char name[RUN_NAME_MAX];
	int r = 0;

	offsets_name(name, base);
	if (gone > 0) {
		struct trailer t = make_trailer(offset, n, size, gone);

		buf_add(&whole, bytes.p, bytes.len);
		buf_add(&whole, &t, sizeof(t));
		r = buf_ok(&whole, e);
		bytes = (struct span){whole.data, whole.len};
	}
	if (r == 0)
		r = file_replace_unsynced(s->io, s->index_dir, name, bytes.p, bytes.len, s->mode,
		                          e);
	buf_done(&whole);
	return r < 0 ? err_wrap(e, "'index'") : 0;
}

void offsets_drop(struct segment *g)
{
	if (g->offset_mapped > 0)
		munmap(g->offset, g->offset_mapped);
	else
		free(g->offset);
	g->offset = NULL;
	g->offset_mapped = 0;
}

/* No segment has more; where one is missing, the one before it seems to. */
static size_t count_of(const struct segment *g)
{
	uint64_t n = g->last - g->base + 1;

	return n < ACTIVE_EVENTS_MAX ? (size_t)n : ACTIVE_EVENTS_MAX;
}

static void mark_unknown(struct segment *g, uint64_t from, uint64_t to)
{
	for (uint64_t seq = from; seq < to && seq - g->base < count_of(g); seq++)
		g->offset[seq - g->base] = OFFSET_UNKNOWN;
}

/* Offsets by a walk over the mapped segment; what is damaged, or gone, stays 0. */
static int scan_offsets(struct evlog *s, struct segment *g, struct err *e)
{
	const struct mapping *m = g->map;
	size_t count = count_of(g);
	size_t at = FRAME_HEAD_LEN;
	uint64_t next = g->base;
	bool foreign = false; /* bytes that are no event since the last one */
	struct frame_seal seal;
	struct frame f;

	g->offset = calloc(count, sizeof(*g->offset));
	if (g->offset == NULL)
		return err_set(e, ENOMEM, "out of memory");
	g->offset_mapped = 0;
	while (at < m->size) {
		if (frame_parse_header(m->p + at, m->size - at, s->salt, &f) != FRAME_OK) {
			if (at + FRAME_SEAL_LEN == m->size &&
			    frame_get_seal(m->p + at, FRAME_SEAL_LEN, s->salt, &seal) == FRAME_OK)
				break;
			at = tail_next_sound(m->p, m->size, at, 0, s->salt, &f);
			foreign = true;
			continue;
		}
		if (f.seq >= g->base && f.seq - g->base < count) {
			if (m->gaps && foreign)
				mark_unknown(g, next, f.seq);
			g->offset[f.seq - g->base] = (uint32_t)at;
			next = f.seq + 1;
		}
		foreign = false;
		at += f.len;
	}
	if (m->gaps && foreign)
		mark_unknown(g, next, g->last + 1);
	return 0;
}

/* Is what we have mapped still the file of its name? */
static bool is_current(const struct evlog *s, const struct segment *g)
{
	char name[SEGMENT_NAME_MAX];
	struct stat st;

	segment_name(name, g->base);
	return fstatat(s->log_dir, name, &st, 0) == 0 && st.st_ino == g->map->ino;
}

int offsets_rebuild(struct evlog *s, struct segment *g, struct err *e)
{
	size_t count = count_of(g);
	struct err ignored;

	offsets_drop(g);
	if (scan_offsets(s, g, e) < 0)
		return -1;
	/* A reader that cannot keep them for the next one still has them. */
	if (s->writable && !s->no_recover && is_current(s, g))
		(void)segment_write_offsets(s, g->base, g->offset, count, g->map->size,
		                            g->map->gaps ? g->map->gone : 0, &ignored);
	return 0;
}

/* Of a segment with gaps: is the file the one that belongs to it, and whole? */
static bool is_of_segment(const void *file, size_t count, const struct mapping *m)
{
	const struct trailer t = make_trailer(file, count, m->size, m->gone);

	return memcmp((const char *)file + count * sizeof(uint32_t), &t, sizeof(t)) == 0;
}

int offsets_load(struct evlog *s, struct segment *g, struct err *e)
{
	size_t count = count_of(g);
	size_t size = count * sizeof(*g->offset) + (g->map->gaps ? sizeof(struct trailer) : 0);
	char name[RUN_NAME_MAX];
	struct stat st;
	void *map = MAP_FAILED;
	int fd;

	offsets_name(name, g->base);
	fd = openat(s->index_dir, name, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		if (fstat(fd, &st) == 0 && (size_t)st.st_size == size)
			map = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
		close(fd);
	}
	if (map != MAP_FAILED && g->map->gaps && !is_of_segment(map, count, g->map)) {
		munmap(map, size);
		map = MAP_FAILED;
	}
	if (map == MAP_FAILED)
		return offsets_rebuild(s, g, e);
	g->offset = map;
	g->offset_mapped = size;
	return 0;
}
