#include "disk.h"

#include <stdlib.h>
#include <string.h>

#include "disk_impl.h"
#include "seeded.h"

#define CAP_MIN 4096

static size_t sectors(size_t n)
{
	return (n + DISK_SECTOR - 1) / DISK_SECTOR;
}

/* Words of 64 sectors, as bytes. */
static size_t bitmap_bytes(size_t cap)
{
	return (sectors(cap) + 63) / 64 * sizeof(uint64_t);
}

struct inode *disk_inode_new(struct disk *d, bool is_dir)
{
	struct inode *f = calloc(1, sizeof(*f));
	struct inode **end = &d->inodes;

	if (f == NULL)
		abort();
	while (*end != NULL)
		end = &(*end)->next;
	*end = f;
	f->is_dir = is_dir;
	f->locked_by = -1;
	return f;
}

static void inode_free(struct inode *f)
{
	free(f->cache);
	free(f->platter);
	free(f->dirty);
	free(f->entries);
	free(f->kept);
	free(f->changes);
	free(f);
}

static void *grown(void *p, size_t from, size_t to)
{
	unsigned char *q = realloc(p, to);

	if (q == NULL)
		abort();
	memset(q + from, 0, to - from);
	return q;
}

int disk_inode_reserve(struct inode *f, size_t n)
{
	size_t cap = f->cap == 0 ? CAP_MIN : f->cap;

	if (n <= f->cap)
		return 0;
	while (cap < n)
		cap *= 2;
	f->cache = grown(f->cache, f->cap, cap);
	f->platter = grown(f->platter, f->cap, cap);
	f->dirty = grown(f->dirty, bitmap_bytes(f->cap), bitmap_bytes(cap));
	f->cap = cap;
	return 0;
}

void disk_inode_mark(struct inode *f, size_t from, size_t to)
{
	for (size_t s = from / DISK_SECTOR; s < sectors(to); s++)
		f->dirty[s / 64] |= UINT64_C(1) << s % 64;
}

static void sector_to(unsigned char *to, const unsigned char *from, size_t s)
{
	memcpy(to + s * DISK_SECTOR, from + s * DISK_SECTOR, DISK_SECTOR);
}

void disk_inode_sync(struct inode *f)
{
	for (size_t w = 0; w < bitmap_bytes(f->cap) / sizeof(uint64_t); w++)
		for (uint64_t bits = f->dirty[w]; bits != 0; bits &= bits - 1)
			sector_to(f->platter, f->cache, w * 64 + (size_t)__builtin_ctzll(bits));
	if (f->cap > 0)
		memset(f->dirty, 0, bitmap_bytes(f->cap));
	f->platter_size = f->size;
}

/* A size that a crash may leave. */
static size_t lost_size(struct disk *d, const struct inode *f)
{
	size_t low = f->size < f->platter_size ? f->size : f->platter_size;
	size_t high = f->size < f->platter_size ? f->platter_size : f->size;

	switch (seeded_below(&d->rand, 3)) {
	case 0:
		return f->platter_size;
	case 1:
		return f->size;
	default:
		return low + seeded_below(&d->rand, high - low + 1);
	}
}

void disk_inode_lose(struct disk *d, struct inode *f)
{
	/* All, none, or a share of them, so that both ends are seen often. */
	uint64_t keep = seeded_below(&d->rand, 6) * 20;
	size_t size = f->size == f->platter_size ? f->size : lost_size(d, f);

	if (f->cap == 0)
		return;
	for (size_t s = 0; s < f->cap / DISK_SECTOR; s++)
		if ((f->dirty[s / 64] >> s % 64 & 1) != 0 && seeded_below(&d->rand, 100) < keep)
			sector_to(f->platter, f->cache, s);
	memset(f->platter + size, 0, f->cap - size);
	memcpy(f->cache, f->platter, f->cap);
	memset(f->dirty, 0, bitmap_bytes(f->cap));
	f->size = f->platter_size = size;
}

struct disk *disk_new(uint64_t seed)
{
	struct disk *d = calloc(1, sizeof(*d));

	if (d == NULL)
		abort();
	d->rand = seed;
	d->root = disk_inode_new(d, true);
	return d;
}

static void free_inodes(struct disk *d)
{
	for (struct inode *f = d->inodes, *next; f != NULL; f = next) {
		next = f->next;
		inode_free(f);
	}
	d->inodes = NULL;
}

void disk_free(struct disk *d)
{
	if (d == NULL)
		return;
	disk_close_all(d);
	free_inodes(d);
	free(d);
}

void disk_kill(struct disk *d)
{
	disk_close_all(d);
	disk_disarm(d);
	disk_collect(d);
}

void disk_power_loss(struct disk *d)
{
	disk_close_all(d);
	disk_disarm(d);
	for (struct inode *f = d->inodes; f != NULL; f = f->next)
		if (f->is_dir)
			disk_dir_lose(d, f);
		else
			disk_inode_lose(d, f);
	disk_collect(d);
}

void disk_wipe(struct disk *d)
{
	disk_close_all(d);
	disk_disarm(d);
	free_inodes(d);
	d->root = disk_inode_new(d, true);
}

static void see(struct inode *f)
{
	if (f->seen)
		return;
	f->seen = true;
	for (size_t i = 0; i < f->count; i++)
		see(f->entries[i].inode);
	for (size_t i = 0; i < f->kept_count; i++)
		see(f->kept[i].inode);
	for (size_t i = 0; i < f->change_count; i++)
		if (f->changes[i].inode != NULL)
			see(f->changes[i].inode);
}

void disk_collect(struct disk *d)
{
	for (struct inode *f = d->inodes; f != NULL; f = f->next)
		f->seen = false;
	see(d->root);
	for (struct inode **at = &d->inodes; *at != NULL;) {
		struct inode *f = *at;

		if (f->seen || f->opens > 0) {
			at = &f->next;
			continue;
		}
		*at = f->next;
		inode_free(f);
	}
}

void disk_arm(struct disk *d, enum disk_fault f, unsigned nth)
{
	d->armed[f] = nth;
}

void disk_disarm(struct disk *d)
{
	memset(d->armed, 0, sizeof(d->armed));
}

bool disk_is_due(struct disk *d, enum disk_fault f)
{
	if (d->armed[f] == 0 || --d->armed[f] > 0)
		return false;
	d->hits[f]++;
	return true;
}

unsigned disk_hits(const struct disk *d, enum disk_fault f)
{
	return d->hits[f];
}

/* ---- Directories. */

static struct entry *find_in(struct entry *e, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(e[i].name, name) == 0)
			return &e[i];
	return NULL;
}

struct entry *disk_find(struct inode *dir, const char *name)
{
	return find_in(dir->entries, dir->count, name);
}

static void put_entry(struct entry **e, size_t *n, const char *name, struct inode *inode)
{
	struct entry *old = find_in(*e, *n, name);

	if (old == NULL) {
		*e = grown(*e, *n * sizeof(**e), (*n + 1) * sizeof(**e));
		old = &(*e)[(*n)++];
		memcpy(old->name, name, strlen(name) + 1);
	}
	old->inode = inode;
}

static void remove_entry(struct entry *e, size_t *n, const char *name)
{
	struct entry *old = find_in(e, *n, name);

	if (old == NULL)
		return;
	memmove(old, old + 1, (size_t)(e + *n - (old + 1)) * sizeof(*e));
	(*n)--;
}

int disk_change(struct inode *dir, const char *gone, const char *made, struct inode *inode)
{
	struct change *c;

	dir->changes = grown(dir->changes, dir->change_count * sizeof(*c),
	                     (dir->change_count + 1) * sizeof(*c));
	c = &dir->changes[dir->change_count++];
	c->inode = inode;
	if (gone != NULL) {
		memcpy(c->gone, gone, strlen(gone) + 1);
		remove_entry(dir->entries, &dir->count, gone);
	}
	if (made != NULL) {
		memcpy(c->made, made, strlen(made) + 1);
		put_entry(&dir->entries, &dir->count, made, inode);
	}
	return 0;
}

static void copy_entries(struct entry **to, size_t *n, const struct entry *from, size_t count)
{
	*to = grown(*to, 0, (count + 1) * sizeof(**to));
	if (count > 0)
		memcpy(*to, from, count * sizeof(*from));
	*n = count;
}

void disk_dir_sync(struct inode *dir)
{
	if (dir->change_count == 0)
		return;
	copy_entries(&dir->kept, &dir->kept_count, dir->entries, dir->count);
	dir->change_count = 0;
}

void disk_dir_lose(struct disk *d, struct inode *dir)
{
	uint64_t keep = seeded_below(&d->rand, 5) * 25;

	if (dir->change_count == 0)
		return;
	for (size_t i = 0; i < dir->change_count; i++) {
		const struct change *c = &dir->changes[i];

		if (seeded_below(&d->rand, 100) >= keep)
			continue;
		if (c->gone[0] != '\0')
			remove_entry(dir->kept, &dir->kept_count, c->gone);
		if (c->made[0] != '\0')
			put_entry(&dir->kept, &dir->kept_count, c->made, c->inode);
	}
	copy_entries(&dir->entries, &dir->count, dir->kept, dir->kept_count);
	dir->change_count = 0;
}

/* ---- Looking. */

static const char *name_in(const struct inode *dir, const struct inode *f)
{
	for (size_t i = 0; i < dir->count; i++)
		if (dir->entries[i].inode == f)
			return dir->entries[i].name;
	return NULL;
}

static const struct inode *nth(const struct disk *d, unsigned i, const char **ret_name)
{
	for (const struct inode *f = d->inodes; f != NULL; f = f->next) {
		const char *name = NULL;

		if (f->is_dir)
			continue;
		for (const struct inode *dir = d->inodes; dir != NULL && name == NULL;
		     dir = dir->next)
			if (dir->is_dir)
				name = name_in(dir, f);
		if (name != NULL && i-- == 0) {
			*ret_name = name;
			return f;
		}
	}
	return NULL;
}

bool disk_file(const struct disk *d, unsigned i, struct span *ret_name, size_t *ret_size)
{
	const char *name;
	const struct inode *f = nth(d, i, &name);

	if (f == NULL)
		return false;
	*ret_name = (struct span){name, strlen(name)};
	*ret_size = f->size;
	return true;
}

void disk_rot(struct disk *d, unsigned i, size_t at, unsigned bit)
{
	const char *name;
	const struct inode *f = nth(d, i, &name);

	if (f == NULL || at >= f->size)
		return;
	f->cache[at] ^= (unsigned char)(1u << bit % 8);
	f->platter[at] ^= (unsigned char)(1u << bit % 8);
}

unsigned char disk_byte(const struct disk *d, unsigned i, size_t at)
{
	const char *name;
	const struct inode *f = nth(d, i, &name);

	return f == NULL || at >= f->size ? 0 : f->cache[at];
}

size_t disk_dirty(const struct disk *d)
{
	size_t n = 0;

	for (const struct inode *f = d->inodes; f != NULL; f = f->next)
		for (size_t s = 0; s < f->cap / DISK_SECTOR; s++)
			n += f->dirty[s / 64] >> s % 64 & 1;
	return n * DISK_SECTOR;
}
