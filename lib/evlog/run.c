#include "evlog/run.h"

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
#include "base/text.h"

#define RUN_MAGIC   "evlidx1"
#define BLOCK_SLOTS ((RUN_BLOCK - 16) / sizeof(struct active_slot))
#define WRITE_BATCH 64 /* blocks a write */

/* Block 0 begins with this; all blocks end with a struct trailer. */
struct run_head {
	char magic[8];
	uint64_t first, last, entries, slots;
};

struct trailer {
	uint64_t number;
	uint32_t zero;
	uint32_t crc; /* CRC32C of the block up to here */
};

static const char *const family_names[] = {"heads", "ids"};

void run_name(char name[RUN_NAME_MAX], enum run_family f, uint64_t first, uint64_t last)
{
	snprintf(name, RUN_NAME_MAX, "%s.%016llx-%016llx", family_names[f],
	         (unsigned long long)first, (unsigned long long)last);
}

bool run_parse_name(const char *name, enum run_family *f, uint64_t *first, uint64_t *last)
{
	for (int i = RUN_HEADS; i <= RUN_IDS; i++) {
		size_t n = strlen(family_names[i]);

		if (strncmp(name, family_names[i], n) != 0 || name[n] != '.' ||
		    strlen(name) != n + 34 || name[n + 17] != '-')
			continue;
		*f = (enum run_family)i;
		return text_get_hex(name + n + 1, 16, first) == 0 &&
		       text_get_hex(name + n + 18, 16, last) == 0 && *first <= *last;
	}
	return false;
}

static void seal_block(unsigned char block[RUN_BLOCK], uint64_t number)
{
	struct trailer t = {.number = number};

	memcpy(&block[RUN_BLOCK - sizeof(t)], &t, sizeof(t));
	t.crc = crc32c(1, block, RUN_BLOCK - sizeof(t.crc));
	memcpy(&block[RUN_BLOCK - sizeof(t.crc)], &t.crc, sizeof(t.crc));
}

static bool block_is_sound(const unsigned char block[RUN_BLOCK], uint64_t number)
{
	struct trailer t;

	memcpy(&t, &block[RUN_BLOCK - sizeof(t)], sizeof(t));
	return t.number == number && t.crc == crc32c(1, block, RUN_BLOCK - sizeof(t.crc));
}

int run_open(struct run *r, int dir, const char *name, struct err *e)
{
	struct run_head h;
	struct stat st;
	void *map;
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);

	*r = (struct run){0};
	if (fd < 0)
		return err_sys(e, "open 'index/%s'", name);
	if (fstat(fd, &st) < 0 || st.st_size < RUN_BLOCK || st.st_size % RUN_BLOCK != 0) {
		close(fd);
		return err_set(e, EBADMSG, "'index/%s' has no length of an index", name);
	}
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (map == MAP_FAILED)
		return err_sys(e, "map 'index/%s'", name);
	r->map = map;
	r->size = (size_t)st.st_size;
	memcpy(&h, map, sizeof(h));
	r->verified = calloc(r->size / RUN_BLOCK / 8 + 1, 1);
	if (r->verified == NULL || memcmp(h.magic, RUN_MAGIC, sizeof(h.magic)) != 0 ||
	    !block_is_sound(r->map, 0) || h.slots != (r->size / RUN_BLOCK - 1) * BLOCK_SLOTS) {
		run_close(r);
		return err_set(e, EBADMSG, "'index/%s' is damaged", name);
	}
	r->first = h.first;
	r->last = h.last;
	r->entries = h.entries;
	r->slots = h.slots;
	return 0;
}

void run_close(struct run *r)
{
	if (r->map != NULL)
		munmap((void *)(uintptr_t)r->map, r->size);
	free(r->verified);
	*r = (struct run){0};
}

/* Where a key belongs in a table whose last block is there for what was pushed past the end. */
static uint64_t home(uint64_t slots, uint64_t key)
{
	__extension__ typedef unsigned __int128 wide;

	return (uint64_t)(((wide)key * (slots - BLOCK_SLOTS)) >> 64);
}

static int slot_at(const struct run *r, uint64_t i, struct active_slot *s, struct err *e)
{
	uint64_t number = i / BLOCK_SLOTS + 1;
	const unsigned char *block = r->map + number * RUN_BLOCK;

	if ((r->verified[number / 8] >> (number % 8) & 1) == 0) {
		if (!block_is_sound(block, number))
			return err_set(e, EBADMSG, "index block %llu is damaged",
			               (unsigned long long)number);
		r->verified[number / 8] |= (unsigned char)(1u << (number % 8));
	}
	memcpy(s, block + i % BLOCK_SLOTS * sizeof(*s), sizeof(*s));
	return 0;
}

int run_next(const struct run *r, uint64_t key, uint64_t *at, uint64_t *seq, struct err *e)
{
	uint64_t i = *at == RUN_FIRST ? home(r->slots, key) : *at + 1;
	struct active_slot s = {0};

	for (; i < r->slots; i++) {
		if (slot_at(r, i, &s, e) < 0)
			return -1;
		if (s.key == 0 || s.key > key)
			return 0;
		if (s.key == key) {
			*at = i;
			*seq = s.seq;
			return 1;
		}
	}
	return 0;
}

int run_each(const struct run *r, uint64_t *at, struct active_slot *entry, struct err *e)
{
	for (; *at < r->slots; (*at)++) {
		if (slot_at(r, *at, entry, e) < 0)
			return -1;
		if (entry->key != 0) {
			(*at)++;
			return 1;
		}
	}
	return 0;
}

void run_prefetch(const struct run *r, uint64_t key)
{
	uint64_t i = home(r->slots, key);

	__builtin_prefetch(r->map + (i / BLOCK_SLOTS + 1) * RUN_BLOCK +
	                   i % BLOCK_SLOTS * sizeof(struct active_slot));
}

/* A run being written: entries go in in key order. */
struct writer {
	const struct io *io;
	int fd;
	uint64_t slots, next; /* the first slot that is free */
	uint64_t entries;
	uint64_t done; /* slots that were written out */
	unsigned char *blocks;
	char name[RUN_NAME_MAX];  /* the final name */
	char temp[FILE_TEMP_MAX]; /* empty: it has its name */
	struct err *e;
};

static int flush(struct writer *w)
{
	uint64_t block = w->done / BLOCK_SLOTS;

	uint64_t n = (w->slots - w->done) / BLOCK_SLOTS;

	if (n > WRITE_BATCH)
		n = WRITE_BATCH;
	for (uint64_t i = 0; i < n; i++)
		seal_block(w->blocks + i * RUN_BLOCK, block + i + 1);
	if (file_write_all(w->io, w->fd, w->blocks, n * RUN_BLOCK, (off_t)((block + 1) * RUN_BLOCK),
	                   w->e) < 0)
		return -1;
	memset(w->blocks, 0, (size_t)WRITE_BATCH * RUN_BLOCK);
	w->done += n * BLOCK_SLOTS;
	return 0;
}

static int put_entry(struct writer *w, const struct active_slot *s)
{
	uint64_t i = home(w->slots, s->key);

	if (i < w->next)
		i = w->next;
	while (i >= w->done + WRITE_BATCH * BLOCK_SLOTS)
		if (flush(w) < 0)
			return -1;
	if (i >= w->slots)
		return err_set(w->e, ENOSPC, "index keys are too close together");
	memcpy(w->blocks + (i - w->done) / BLOCK_SLOTS * RUN_BLOCK +
	           (i - w->done) % BLOCK_SLOTS * sizeof(*s),
	       s, sizeof(*s));
	w->next = i + 1;
	w->entries++;
	return 0;
}

/* Room for n entries at three quarters full, and a last block for those pushed past the end. */
static int begin(struct writer *w, const struct io *io, int dir, mode_t mode, const char *name,
                 uint64_t n, struct err *e)
{
	uint64_t slots = n + n / 3 + 1;

	*w = (struct writer){.io = io, .e = e};
	w->slots = ((slots + BLOCK_SLOTS - 1) / BLOCK_SLOTS + 1) * BLOCK_SLOTS;
	w->blocks = calloc(WRITE_BATCH, RUN_BLOCK);
	if (w->blocks == NULL)
		return err_set(e, ENOMEM, "out of memory");
	snprintf(w->name, sizeof(w->name), "%s", name);
	w->fd = file_temp_name(w->temp, name, e);
	if (w->fd == 0)
		w->fd = file_open_new(io, dir, w->temp, mode, e);
	if (w->fd < 0) {
		free(w->blocks);
		return -1;
	}
	return 0;
}

static int finish(struct writer *w, int dir, uint64_t first, uint64_t last, bool durable)
{
	struct run_head h = {
	    .first = first, .last = last, .entries = w->entries, .slots = w->slots};
	unsigned char block[RUN_BLOCK] = {0};

	while (w->done < w->slots)
		if (flush(w) < 0)
			return -1;
	memcpy(h.magic, RUN_MAGIC, sizeof(h.magic));
	memcpy(block, &h, sizeof(h));
	seal_block(block, 0);
	if (file_write_all(w->io, w->fd, block, sizeof(block), 0, w->e) < 0)
		return -1;
	if (durable && w->io->fsync(w->fd) < 0)
		return err_sys(w->e, "sync 'index/%s'", w->temp);
	if (w->io->renameat(dir, w->temp, dir, w->name) < 0)
		return err_sys(w->e, "rename 'index/%s'", w->temp);
	w->temp[0] = '\0';
	return durable ? file_sync_dir(w->io, dir, w->e) : 0;
}

static void end(struct writer *w, int dir)
{
	file_close(w->io, w->fd);
	if (w->temp[0] != '\0')
		(void)w->io->unlinkat(dir, w->temp);
	free(w->blocks);
}

int run_write(const struct io *io, int dir, mode_t mode, enum run_family f, uint64_t first,
              uint64_t last, const struct active_slot *sorted, size_t n, bool durable,
              struct err *e)
{
	char name[RUN_NAME_MAX];
	struct writer w;
	int r = -1;

	run_name(name, f, first, last);
	if (begin(&w, io, dir, mode, name, n, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (put_entry(&w, &sorted[i]) < 0)
			goto out;
	r = finish(&w, dir, first, last, durable);
out:
	end(&w, dir);
	return r;
}

#define MERGE_MAX 64

/* One source of a merge: its position and the entry in front. */
struct source {
	const struct run *run;
	uint64_t at;
	struct active_slot entry;
	bool live;
};

static int advance(struct source *s, struct err *e)
{
	int r = run_each(s->run, &s->at, &s->entry, e);

	s->live = r > 0;
	return r < 0 ? -1 : 0;
}

/* The source with the least key; sources are oldest first, so among equals the oldest. */
static struct source *least(struct source *s, size_t n)
{
	struct source *best = NULL;

	for (size_t i = 0; i < n; i++)
		if (s[i].live && (best == NULL || s[i].entry.key < best->entry.key))
			best = &s[i];
	return best;
}

/* Is a newer entry under the same key still to come? */
static bool is_replaced(const struct source *s, const struct source *end)
{
	for (const struct source *o = s + 1; o < end; o++)
		if (o->live && o->entry.key == s->entry.key)
			return true;
	return false;
}

int run_merge(const struct io *io, int dir, mode_t mode, enum run_family f, const struct run *runs,
              size_t n, struct err *e)
{
	struct source src[MERGE_MAX];
	struct source *s;
	struct writer w;
	char name[RUN_NAME_MAX];
	uint64_t entries = 0;
	int r = -1;

	assert(n > 1 && n <= MERGE_MAX);
	for (size_t i = 0; i < n; i++)
		entries += runs[i].entries;
	run_name(name, f, runs[0].first, runs[n - 1].last);
	if (begin(&w, io, dir, mode, name, entries, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		src[i] = (struct source){.run = &runs[i]};
		if (advance(&src[i], e) < 0)
			goto out;
	}
	while ((s = least(src, n)) != NULL) {
		if (!(f == RUN_HEADS && is_replaced(s, src + n)) && put_entry(&w, &s->entry) < 0)
			goto out;
		if (advance(s, e) < 0)
			goto out;
	}
	r = finish(&w, dir, runs[0].first, runs[n - 1].last, true);
out:
	end(&w, dir);
	return r;
}
