#include "evlog/active.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/file.h"

#define ACTIVE_NAME  "active"
#define ACTIVE_TEMP  "active.new"
#define ACTIVE_MAGIC "evlact1"
#define PAGE         4096u

/* The first page of the file. */
struct active_head {
	char magic[8];
	uint64_t base;
	uint64_t seq; /* the last sequence that the tables know */
	uint32_t capacity;
};

static uint32_t capacity_for(uint32_t events)
{
	uint32_t n = ACTIVE_EVENTS_MIN;

	while (n < events)
		n *= 2;
	return n;
}

static size_t slots(const struct active *a)
{
	return (size_t)a->capacity * 2;
}

static size_t size_of(uint32_t capacity)
{
	size_t n = PAGE;

	n += (size_t)capacity * sizeof(uint32_t);
	n += 2 * (size_t)capacity * 2 * sizeof(struct active_slot);
	return n;
}

/* A mapping, or NULL and errno. */
static void *map_pages(size_t size, int prot, int flags, int fd)
{
	void *p = mmap(NULL, size, prot, flags, fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

static void lay_out(struct active *a, void *map, uint64_t base, uint32_t capacity)
{
	char *p = map;

	a->map = map;
	a->size = size_of(capacity);
	a->capacity = capacity;
	a->base = base;
	a->shift = 64;
	for (size_t n = slots(a); n > 1; n /= 2)
		a->shift--;
	a->heads = (struct active_slot *)(void *)(p + PAGE);
	a->ids = a->heads + slots(a);
	a->offset = (uint32_t *)(void *)(a->ids + slots(a));
}

/*
 * The file is written through its mapping alone and holds nothing that the log does not, so it
 * goes past the I/O table of its user: no power loss can leave it in a state that matters.
 */
int active_create(struct active *a, int dir, mode_t mode, uint64_t base, uint32_t events,
                  struct err *e)
{
	uint32_t capacity = capacity_for(events);
	size_t size = size_of(capacity);
	struct active_head *head;
	void *map;
	int fd = -1;

	if (dir >= 0) {
		fd = file_open_new(&io_os, dir, ACTIVE_TEMP, mode, e);
		if (fd < 0)
			return err_wrap(e, "'index'");
		/* With its blocks: a hole that the disk has no room for would be a SIGBUS later. */
		if (fallocate(fd, 0, 0, (off_t)size) < 0 &&
		    (errno != EOPNOTSUPP || ftruncate(fd, (off_t)size) < 0)) {
			err_sys(e, "enlarge 'index/" ACTIVE_TEMP "'");
			close(fd);
			return -1;
		}
	}
	map = map_pages(size, PROT_READ | PROT_WRITE,
	                fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED, fd);
	if (map == NULL)
		err_sys(e, "map 'index/" ACTIVE_NAME "'");
	if (fd >= 0)
		close(fd);
	if (map == NULL)
		return -1;
	head = map;
	memcpy(head->magic, ACTIVE_MAGIC, sizeof(head->magic));
	head->base = base;
	head->capacity = capacity;
	if (dir >= 0 && renameat(dir, ACTIVE_TEMP, dir, ACTIVE_NAME) < 0) {
		err_sys(e, "rename 'index/" ACTIVE_TEMP "'");
		munmap(map, size);
		return -1;
	}
	lay_out(a, map, base, capacity);
	return 0;
}

int active_open(struct active *a, int dir, bool writable, uint64_t base, struct err *e)
{
	struct active_head head;
	struct stat st;
	void *map = NULL;
	int fd = openat(dir, ACTIVE_NAME, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "open 'index/" ACTIVE_NAME "'");
	if (fstat(fd, &st) < 0 || pread(fd, &head, sizeof(head), 0) != sizeof(head) ||
	    memcmp(head.magic, ACTIVE_MAGIC, sizeof(head.magic)) != 0 || head.base != base ||
	    head.capacity < ACTIVE_EVENTS_MIN || head.capacity > ACTIVE_EVENTS_MAX ||
	    (head.capacity & (head.capacity - 1)) != 0 ||
	    (size_t)st.st_size != size_of(head.capacity)) {
		close(fd);
		return err_set(e, EBADMSG, "'index/" ACTIVE_NAME "' is not of this segment");
	}
	map = map_pages((size_t)st.st_size, writable ? PROT_READ | PROT_WRITE : PROT_READ,
	                MAP_SHARED, fd);
	if (map == NULL)
		err_sys(e, "map 'index/" ACTIVE_NAME "'");
	close(fd);
	if (map == NULL)
		return -1;
	lay_out(a, map, base, head.capacity);
	return 0;
}

void active_close(struct active *a)
{
	if (a->map != NULL)
		munmap(a->map, a->size);
	*a = (struct active){0};
}

static void put(const struct active *a, struct active_slot *table, uint64_t key, uint64_t seq)
{
	size_t mask = slots(a) - 1;
	size_t i = (size_t)(key >> a->shift);

	while (table[i].key != 0)
		i = (i + 1) & mask;
	__atomic_store_n(&table[i].seq, seq, __ATOMIC_RELEASE);
	__atomic_store_n(&table[i].key, key, __ATOMIC_RELEASE);
}

int active_enlarge(struct active *a, int dir, mode_t mode, uint32_t events, struct err *e)
{
	struct active old = *a;
	struct active now = {0};

	assert(events > old.capacity && old.offset != NULL);
	if (active_create(&now, dir, mode, old.base, events, e) < 0)
		return -1;
	assert(now.offset != NULL);
	memcpy(now.offset, old.offset, (size_t)old.capacity * sizeof(*old.offset));
	for (size_t i = 0; i < slots(&old); i++) {
		if (old.heads[i].key != 0)
			put(&now, now.heads, old.heads[i].key, old.heads[i].seq);
		if (old.ids[i].key != 0)
			put(&now, now.ids, old.ids[i].key, old.ids[i].seq);
	}
	/* Last: whoever is killed before leaves tables that do not pass for complete. */
	active_set_seq(&now, active_seq(&old));
	active_close(&old);
	*a = now;
	return 0;
}

uint64_t active_seq(const struct active *a)
{
	const struct active_head *h = a->map;

	return __atomic_load_n(&h->seq, __ATOMIC_ACQUIRE);
}

void active_set_seq(struct active *a, uint64_t seq)
{
	struct active_head *h = a->map;

	__atomic_store_n(&h->seq, seq, __ATOMIC_RELEASE);
}

/* The slot of a key at or after i (cyclic), or the empty slot that says it is not there. */
static size_t find(const struct active *a, const struct active_slot *table, uint64_t key, size_t i)
{
	size_t mask = slots(a) - 1;

	for (size_t n = 0; n <= mask; n++, i = (i + 1) & mask) {
		uint64_t k = __atomic_load_n(&table[i].key, __ATOMIC_ACQUIRE);

		if (k == key || k == 0)
			break;
	}
	return i;
}

uint64_t active_head(const struct active *a, uint64_t key)
{
	size_t i = find(a, a->heads, key, (size_t)(key >> a->shift));

	return a->heads[i].key == 0 ? 0 : __atomic_load_n(&a->heads[i].seq, __ATOMIC_ACQUIRE);
}

void active_set_head(struct active *a, uint64_t key, uint64_t seq)
{
	size_t i = find(a, a->heads, key, (size_t)(key >> a->shift));

	__atomic_store_n(&a->heads[i].seq, seq, __ATOMIC_RELEASE);
	__atomic_store_n(&a->heads[i].key, key, __ATOMIC_RELEASE);
}

uint64_t active_next_id(const struct active *a, uint64_t key, size_t *at)
{
	size_t i = *at == ACTIVE_FIRST ? (size_t)(key >> a->shift) : (*at + 1) & (slots(a) - 1);

	i = find(a, a->ids, key, i);
	*at = i;
	return a->ids[i].key == 0 ? 0 : __atomic_load_n(&a->ids[i].seq, __ATOMIC_ACQUIRE);
}

void active_add_id(struct active *a, uint64_t key, uint64_t seq)
{
	put(a, a->ids, key, seq);
}

static bool is_before(const struct active_slot *x, const struct active_slot *y)
{
	return x->key != y->key ? x->key < y->key : x->seq < y->seq;
}

/*
 * A slot lies where its key's upper bits point, or a little behind: apart from the few that
 * wrapped around the end, the table is nearly sorted, and insertion moves each entry a few places.
 */
ssize_t active_sorted(const struct active *a, const struct active_slot *table,
                      struct active_slot **ret, struct err *e)
{
	size_t n = 0, wrapped = 0;
	struct active_slot *out = malloc((slots(a) + 1) * sizeof(*out));

	if (out == NULL)
		return err_set(e, ENOMEM, "out of memory");
	while (wrapped < slots(a) && table[wrapped].key != 0 &&
	       (size_t)(table[wrapped].key >> a->shift) > wrapped)
		wrapped++;
	for (size_t k = 0; k < slots(a); k++) {
		size_t from = k + wrapped < slots(a) ? k + wrapped : k + wrapped - slots(a);
		struct active_slot s = table[from];
		size_t i = n;

		if (s.key == 0)
			continue;
		for (; i > 0 && is_before(&s, &out[i - 1]); i--)
			out[i] = out[i - 1];
		out[i] = s;
		n++;
	}
	*ret = out;
	return (ssize_t)n;
}
