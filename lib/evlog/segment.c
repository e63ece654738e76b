/* segment: the files under log/, and one frame out of them by its sequence. */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/text.h"
#include "evlog/store_impl.h"

#define COPY_AFTER  4096u /* streams that were asked for: then the active segment is copied */
#define FRAME_GUESS 1024u /* most frames are read by one pread of this many bytes */

void segment_name(char name[SEGMENT_NAME_MAX], uint64_t base)
{
	snprintf(name, SEGMENT_NAME_MAX, "%016llx.evl", (unsigned long long)base);
}

bool segment_parse_name(const char *name, uint64_t *base)
{
	return strlen(name) == 20 && strcmp(name + 16, ".evl") == 0 &&
	       text_get_hex(name, 16, base) == 0 && *base > 0 && *base <= FRAME_SEQ_MAX;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return x < y ? -1 : x > y;
}

ssize_t segment_bases(int log_dir, uint64_t **ret, struct err *e)
{
	struct dirent *d;
	uint64_t *v = NULL, base;
	size_t n = 0, cap = 0;
	int fd = file_open_dir(&io_os, log_dir, ".", e);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (fd < 0)
		return err_wrap(e, "list 'log'");
	if (dir == NULL) {
		close(fd);
		return err_sys(e, "list 'log'");
	}
	while ((d = readdir(dir)) != NULL) {
		if (!segment_parse_name(d->d_name, &base))
			continue;
		if (n == cap) {
			uint64_t *w;

			cap = cap == 0 ? 64 : cap * 2;
			w = reallocarray(v, cap, sizeof(*v));
			if (w == NULL) {
				closedir(dir);
				free(v);
				return err_set(e, ENOMEM, "out of memory");
			}
			v = w;
		}
		v[n++] = base;
	}
	closedir(dir);
	if (n > 1)
		qsort(v, n, sizeof(*v), by_value);
	*ret = v;
	return (ssize_t)n;
}

/* A segment appears with its head complete and durable, or not at all. */
int segment_create(struct evlog *s, uint64_t base, struct err *e)
{
	struct frame_head h = {.base = base};
	char line[FRAME_HEAD_LEN];
	char name[SEGMENT_NAME_MAX];

	memcpy(h.uuid, s->uuid, sizeof(h.uuid));
	frame_put_head(line, &h);
	segment_name(name, base);
	return file_replace(s->io, s->log_dir, name, line, sizeof(line), s->mode, e);
}

/* ---- Their bytes. */

static void release(struct segment *g)
{
	mapping_free(g->map);
	g->map = NULL;
	offsets_drop(g);
}

void segments_drop(struct evlog *s)
{
	s->last.seq = 0;
	for (size_t i = 0; i < s->segment_count; i++)
		release(&s->segments[i]);
	free(s->segments);
	s->segments = NULL;
	s->segment_count = 0;
	s->segments_loaded = false;
}

/* Another file may stand under the name of a segment since it was mapped. */
void segments_check(struct evlog *s)
{
	uint32_t gen = ctl_get32(&s->ctl->log_gen);
	char name[SEGMENT_NAME_MAX];
	struct stat st;

	if (s->log_gen == gen)
		return;
	s->log_gen = gen;
	s->last.seq = 0;
	for (size_t i = 0; i < s->segment_count; i++) {
		struct segment *g = &s->segments[i];

		segment_name(name, g->base);
		if (g->map != NULL &&
		    (fstatat(s->log_dir, name, &st, 0) < 0 || st.st_ino != g->map->ino ||
		     (uint64_t)st.st_size != g->map->size))
			release(g);
	}
}

/* The sealed segments, those below log_base.  Mappings of segments that stay are kept. */
int segments_load(struct evlog *s, struct err *e)
{
	struct segment *old = s->segments;
	size_t old_count = s->segment_count, o = 0;
	uint64_t *base = NULL;
	ssize_t n = segment_bases(s->log_dir, &base, e);

	s->last.seq = 0;
	if (n < 0)
		return -1;
	assert(n == 0 || base != NULL);
	while (n > 0 && base[n - 1] >= s->log_base)
		n--;
	s->segments = calloc((size_t)n + 1, sizeof(*s->segments));
	if (s->segments == NULL) {
		s->segments = old;
		free(base);
		return err_set(e, ENOMEM, "out of memory");
	}
	for (size_t i = 0; i < (size_t)n; i++) {
		struct segment *g = &s->segments[i];

		while (o < old_count && old[o].base < base[i])
			o++;
		if (o < old_count && old[o].base == base[i]) {
			*g = old[o];
			old[o] = (struct segment){0};
		}
		g->base = base[i];
		g->last = (i + 1 < (size_t)n ? base[i + 1] : s->log_base) - 1;
	}
	s->segment_count = (size_t)n;
	s->segments_loaded = true;
	for (o = 0; o < old_count; o++)
		release(&old[o]);
	free(base);
	free(old);
	return 0;
}

void mapping_free(struct mapping *m)
{
	if (m == NULL || --m->refs > 0)
		return;
	munmap((void *)(uintptr_t)m->p, m->size);
	free(m);
}

/*
 * Were events removed from it?  Head and seal both say so, for when one of them is damaged.  Where
 * the seal says that bytes are missing, nobody can tell which gaps were made on purpose.
 */
void mapping_look(const struct evlog *s, struct mapping *m)
{
	struct frame_head head = {.gone = 0};
	struct frame_seal seal = {.gone = 0};
	bool sealed = m->size >= FRAME_HEAD_LEN + FRAME_SEAL_LEN &&
	              frame_get_seal(m->p + m->size - FRAME_SEAL_LEN, FRAME_SEAL_LEN, s->salt,
	                             &seal) == FRAME_OK;

	m->gone = frame_get_head(m->p, m->size, &head) ? head.gone : sealed ? seal.gone : 0;
	m->gaps = m->gone > 0 && !(sealed && seal.bytes != m->size);
}

int segment_map(struct evlog *s, struct segment *g, struct err *e)
{
	char name[SEGMENT_NAME_MAX];
	struct mapping *m;
	struct stat st;
	void *p;
	int fd;

	if (g->map != NULL)
		return 0;
	segment_name(name, g->base);
	fd = openat(s->log_dir, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "open 'log/%s'", name);
	if (fstat(fd, &st) < 0 || st.st_size < FRAME_HEAD_LEN || st.st_size > UINT32_MAX) {
		close(fd);
		return err_set(e, EVLOG_DAMAGED, "'log/%s' has no length of a segment", name);
	}
	m = calloc(1, sizeof(*m));
	p = m == NULL ? MAP_FAILED : mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (p == MAP_FAILED) {
		free(m);
		return err_sys(e, "map 'log/%s'", name);
	}
	*m = (struct mapping){.p = p, .size = (size_t)st.st_size, .ino = st.st_ino, .refs = 1};
	mapping_look(s, m);
	g->map = m;
	return 0;
}

struct segment *segment_of(struct evlog *s, uint64_t seq)
{
	size_t lo = 0, hi = s->segment_count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->segments[mid].base <= seq)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo == 0 || s->segments[lo - 1].last < seq ? NULL : &s->segments[lo - 1];
}

uint64_t segments_next(struct evlog *s, uint64_t seq)
{
	for (const struct segment *g; (g = segment_of(s, seq)) != NULL; seq = g->last + 1) {
		if (g->map == NULL || !g->map->gaps)
			break;
		if (g->map->gone == g->last - g->base + 1)
			continue;
		while (seq <= g->last && g->offset != NULL && seq - g->base < ACTIVE_EVENTS_MAX &&
		       g->offset[seq - g->base] == 0)
			seq++;
		if (seq <= g->last)
			break;
	}
	return seq;
}

void store_mark_damaged(struct evlog *s, uint64_t base, ino_t ino)
{
	char name[SEGMENT_NAME_MAX];
	struct stat st;

	segment_name(name, base);
	if (s->ctl_private || !s->writable || s->no_recover)
		return;
	if (ino != 0 && fstatat(s->log_dir, name, &st, 0) == 0 && st.st_ino != ino)
		return;
	ctl_set32(&s->ctl->damaged, 1);
}

int segment_is_damaged(struct evlog *s, const struct segment *g, struct err *e)
{
	store_mark_damaged(s, g->base, g->map->ino);
	return err_set(e, EVLOG_DAMAGED, "damaged: events are missing in sequences %llu-%llu",
	               (unsigned long long)g->base, (unsigned long long)g->last);
}

static int damaged(struct evlog *s, uint64_t base, ino_t ino, uint32_t at, uint64_t seq,
                   struct err *e)
{
	char name[SEGMENT_NAME_MAX];

	segment_name(name, base);
	store_mark_damaged(s, base, ino);
	return err_set(e, EVLOG_DAMAGED,
	               "damaged: log/%s offset %u: sequence %llu is no sound event; "
	               "'evlog verify' lists all damage, 'evlog repair' mends",
	               name, at, (unsigned long long)seq);
}

/* frame_parse(), or frame_parse_header() for one who does not use the data. */
typedef enum frame_result parse_fn(const char *p, size_t n, uint32_t salt, struct frame *f);

static int sealed_frame(struct evlog *s, struct segment *g, uint64_t seq, parse_fn *parse,
                        struct frame *f, struct err *e)
{
	const struct mapping *m = g->map;

	if (seq - g->base >= ACTIVE_EVENTS_MAX)
		return damaged(s, g->base, m->ino, 0, seq, e);
	for (bool again = false;; again = true) {
		uint32_t at = g->offset[seq - g->base];

		if (at >= FRAME_HEAD_LEN && at < m->size &&
		    parse(m->p + at, m->size - at, s->salt, f) == FRAME_OK && f->seq == seq)
			return 1;
		if (at == 0 && m->gaps)
			return 0;
		/* The offset may be at fault; only a fresh scan tells that the log is. */
		if (again || g->offset_mapped == 0)
			return damaged(s, g->base, m->ino, at, seq, e);
		if (offsets_rebuild(s, g, e) < 0)
			return -1;
	}
}

void store_copy_active(struct evlog *s, size_t streams)
{
	uint64_t durable = ctl_get(&s->ctl->durable);
	size_t size = (size_t)ctl_get(&s->ctl->size);
	struct err ignored;
	ssize_t n;

	s->copy.asked += streams;
	if (s->copy.asked < COPY_AFTER || s->copy.base == s->log_base || s->locked)
		return;
	s->copy.base = 0;
	buf_clear(&s->copy.bytes);
	if (buf_reserve(&s->copy.bytes, size) == NULL)
		return;
	n = file_read_at(&io_os, s->log_fd, s->copy.bytes.data, size, 0, &ignored);
	if (n <= 0)
		return;
	s->copy.bytes.len = (size_t)n;
	s->copy.base = s->log_base;
	s->copy.durable = durable;
}

bool store_in_copy(const struct evlog *s, uint64_t seq, uint32_t at)
{
	return s->copy.base == s->log_base && seq <= s->copy.durable &&
	       (size_t)at + FRAME_FIXED < s->copy.bytes.len;
}

static ino_t log_ino(const struct evlog *s)
{
	struct stat st;

	return fstat(s->log_fd, &st) == 0 ? st.st_ino : 0;
}

/* The writer looks through its mapping, others by pread: a mapping of a file that is cut faults. */
static int active_frame(struct evlog *s, uint64_t seq, parse_fn *parse, struct frame *f,
                        struct err *e)
{
	uint32_t at;
	size_t want = FRAME_GUESS;

	if (seq - s->log_base >= s->active.capacity)
		return 0;
	at = __atomic_load_n(&s->active.offset[seq - s->log_base], __ATOMIC_ACQUIRE);
	if (at < FRAME_HEAD_LEN)
		return seq > ctl_get(&s->ctl->written)
		           ? 0
		           : damaged(s, s->log_base, log_ino(s), at, seq, e);
	if (store_in_copy(s, seq, at) &&
	    parse(s->copy.bytes.data + at, s->copy.bytes.len - at, s->salt, f) == FRAME_OK &&
	    f->seq == seq)
		return 1;
	if (s->locked && s->log_map != NULL && at < ctl_get(&s->ctl->size)) {
		if (parse(s->log_map + at, ctl_get(&s->ctl->size) - at, s->salt, f) == FRAME_OK &&
		    f->seq == seq)
			return 1;
		return damaged(s, s->log_base, log_ino(s), at, seq, e);
	}
	for (;;) {
		enum frame_result r;
		ssize_t n;

		s->last.seq = 0; /* it may lie there */
		buf_clear(&s->frame);
		if (buf_reserve(&s->frame, want) == NULL)
			return err_set(e, ENOMEM, "out of memory");
		n = file_read_at(&io_os, s->log_fd, s->frame.data, want, at, e);
		if (n < 0)
			return -1;
		r = parse(s->frame.data, (size_t)n, s->salt, f);
		if (r == FRAME_OK && f->seq == seq)
			return 1;
		if (r != FRAME_SHORT || (size_t)n < want || f->len <= want)
			return damaged(s, s->log_base, log_ino(s), at, seq, e);
		want = f->len;
	}
}

static int find_frame(struct evlog *s, uint64_t seq, parse_fn *parse, struct frame *f,
                      struct err *e)
{
	struct segment *g;

	if (seq >= s->log_base)
		return active_frame(s, seq, parse, f, e);
	if (!s->segments_loaded && segments_load(s, e) < 0)
		return -1;
	g = segment_of(s, seq);
	if (g == NULL)
		return damaged(s, seq, 0, 0, seq, e);
	if ((g->map == NULL && segment_map(s, g, e) < 0) ||
	    (g->offset == NULL && offsets_load(s, g, e) < 0))
		return -1;
	return sealed_frame(s, g, seq, parse, f, e);
}

static int look_at(struct evlog *s, uint64_t seq, bool whole, struct frame *f, struct err *e)
{
	int r;

	if (seq == s->last.seq && seq != 0 && (s->last.whole || !whole)) {
		*f = s->last.frame;
		return 1;
	}
	r = find_frame(s, seq, whole ? frame_parse : frame_parse_header, f, e);
	s->last.seq = r > 0 ? seq : 0;
	if (r > 0) {
		s->last.whole = whole;
		s->last.frame = *f;
	}
	return r;
}

/*
 * The sound event with this sequence: 1; 0: it is not there, because it was not written yet, or was
 * removed; -1: it is damaged, or an error.
 */
int store_frame(struct evlog *s, uint64_t seq, struct frame *f, struct err *e)
{
	return look_at(s, seq, true, f, e);
}

int store_header(struct evlog *s, uint64_t seq, struct frame *f, struct err *e)
{
	return look_at(s, seq, false, f, e);
}
