#include "record_model.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECTOR ((size_t)512)
#define PAGE   ((size_t)4096)

struct file {
	struct buf durable;
	const struct record_event **ops; /* what no sync has covered, in order */
	size_t n_ops;
	size_t doomed; /* the first ones, which a failed sync has dropped */
	uint64_t hash; /* of durable, when known */
	bool is_hashed;
};

struct model {
	const struct record_io *record;
	struct file *files; /* by node; unused for directories */
	struct record_names names;
	struct pending_name *pending;
	size_t n_pending;
	size_t n_dirty; /* files with ops */
};

void *record_alloc(size_t n)
{
	void *p = calloc(n == 0 ? 1 : n, 1);

	if (p == NULL) {
		perror("record_io");
		abort();
	}
	return p;
}

/* Room for one more than n elements: the array is enlarged when n is a power of two. */
void *record_grow(void *v, size_t n, size_t size)
{
	if (n != 0 && (n & (n - 1)) != 0)
		return v;
	v = realloc(v, (n == 0 ? 1 : 2 * n) * size);
	if (v == NULL) {
		perror("record_io");
		abort();
	}
	return v;
}

char *record_text(const char *s)
{
	size_t n = strlen(s) + 1;

	return memcpy(record_alloc(n), s, n);
}

static uint64_t scramble(uint64_t x)
{
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

/* splitmix64 (Steele, Lea, Flood 2014) */
uint64_t record_rand(uint64_t *state)
{
	*state += UINT64_C(0x9e3779b97f4a7c15);
	return scramble(*state);
}

/* Not for foreign bytes: images that are equal shall be found, no more. */
uint64_t record_hash(const void *p, size_t n, uint64_t seed)
{
	const unsigned char *at = p;
	uint64_t h = scramble(seed + n + 1);

	for (; n > 0; at += 8) {
		size_t part = n < 8 ? n : 8;
		uint64_t word = 0;

		memcpy(&word, at, part);
		h = (h ^ word) * UINT64_C(0x9fb21c651e98df25);
		h ^= h >> 32;
		n -= part;
	}
	return scramble(h);
}

struct model *model_new(const struct record_io *r)
{
	struct model *m = record_alloc(sizeof(*m));

	m->record = r;
	m->files = record_alloc(r->n_nodes * sizeof(*m->files));
	return m;
}

void model_free(struct model *m)
{
	if (m == NULL)
		return;
	for (size_t i = 0; i < m->record->n_nodes; i++) {
		buf_done(&m->files[i].durable);
		free((void *)m->files[i].ops);
	}
	free(m->files);
	free(m->names.v);
	free(m->pending);
	free(m);
}

void record_must(const struct buf *b)
{
	struct err e;

	if (buf_ok(b, &e) < 0) {
		fprintf(stderr, "record_io: %s\n", e.msg);
		abort();
	}
}

static void resize(struct buf *b, size_t size)
{
	if (size > b->len) {
		(void)buf_reserve(b, size - b->len);
		record_must(b);
		memset(b->data + b->len, 0, size - b->len);
	}
	b->len = size;
}

static void fill(char *to, const unsigned char *from, size_t n)
{
	if (from == NULL)
		memset(to, 0, n);
	else
		memcpy(to, from, n);
}

static void apply(struct buf *b, const struct record_event *op)
{
	if (op->kind == RECORD_SIZE) {
		resize(b, op->at);
	} else if (op->len > 0) {
		if (op->at + op->len > b->len)
			resize(b, op->at + op->len);
		assert(b->data != NULL);
		fill(b->data + op->at, op->data, op->len);
	}
}

/*
 * The pages that ops wrote before a sync failed, and no later one has, are clean for the kernel:
 * the sync that now succeeds has not written them.
 */
static void lose_doomed_pages(struct file *f, const struct buf *before)
{
	size_t n_pages = f->durable.len / PAGE + 1;
	unsigned char *lost = record_alloc(n_pages);

	for (size_t i = 0; i < f->n_ops; i++) {
		const struct record_event *op = f->ops[i];

		if (op->kind != RECORD_WRITE || op->len == 0)
			continue;
		for (size_t p = op->at / PAGE; p <= (op->at + op->len - 1) / PAGE && p < n_pages;
		     p++)
			lost[p] = i < f->doomed;
	}
	for (size_t p = 0; p < n_pages; p++) {
		size_t from = p * PAGE;
		size_t to = from + PAGE < f->durable.len ? from + PAGE : f->durable.len;

		if (!lost[p] || from >= to)
			continue;
		memset(f->durable.data + from, 0, to - from);
		if (from < before->len)
			memcpy(f->durable.data + from, before->data + from,
			       (to < before->len ? to : before->len) - from);
	}
	free(lost);
}

static void settle_file(struct model *m, struct file *f)
{
	struct buf before = {0};

	if (f->n_ops == 0)
		return;
	if (f->doomed > 0) {
		buf_add(&before, f->durable.data, f->durable.len);
		record_must(&before);
	}
	for (size_t i = 0; i < f->n_ops; i++)
		apply(&f->durable, f->ops[i]);
	if (f->doomed > 0)
		lose_doomed_pages(f, &before);
	buf_done(&before);
	f->n_ops = 0;
	f->doomed = 0;
	f->is_hashed = false;
	m->n_dirty--;
}

static void settle_dir(struct model *m, size_t dir)
{
	size_t done = 0;

	for (size_t i = 0; i < m->n_pending; i++) {
		const struct record_event *ev = m->pending[i].event;

		if (ev->dir == dir || (ev->kind == RECORD_RENAME && ev->to_dir == dir))
			m->pending[i].durable = true;
	}
	while (done < m->n_pending && m->pending[done].durable)
		names_apply(&m->names, m->pending[done++].event);
	if (done > 0)
		memmove(m->pending, m->pending + done, (m->n_pending - done) * sizeof(*m->pending));
	m->n_pending -= done;
}

static void add_op(struct model *m, const struct record_event *ev)
{
	struct file *f = &m->files[ev->node];

	m->n_dirty += f->n_ops == 0;
	f->ops = record_grow((void *)f->ops, f->n_ops, sizeof(void *));
	f->ops[f->n_ops++] = ev;
}

static void add_name(struct model *m, const struct record_event *ev)
{
	m->pending = record_grow(m->pending, m->n_pending, sizeof(*m->pending));
	m->pending[m->n_pending++] = (struct pending_name){.event = ev};
}

void model_step(struct model *m, size_t event)
{
	const struct record_event *ev = &m->record->events[event];
	bool initial = event < m->record->n_initial;

	switch (ev->kind) {
	case RECORD_ENTER:
	case RECORD_REMOVE:
	case RECORD_RENAME:
		add_name(m, ev);
		if (initial)
			settle_dir(m, ev->dir);
		break;
	case RECORD_WRITE:
	case RECORD_SIZE:
		add_op(m, ev);
		if (initial)
			settle_file(m, &m->files[ev->node]);
		break;
	case RECORD_SYNC:
		settle_file(m, &m->files[ev->node]);
		break;
	case RECORD_SYNC_FAILED:
		m->files[ev->node].doomed = m->files[ev->node].n_ops;
		break;
	case RECORD_SYNC_DIR:
		settle_dir(m, ev->node);
		break;
	}
}

bool model_is_dirty(const struct model *m)
{
	return m->n_dirty > 0 || m->n_pending > 0;
}

bool model_has_mapped(const struct model *m)
{
	for (size_t i = 0; i < m->names.n; i++)
		if (m->record->nodes[m->names.v[i].node].mapped)
			return true;
	for (size_t i = 0; i < m->n_pending; i++)
		if (m->record->nodes[m->pending[i].event->node].mapped)
			return true;
	return false;
}

void model_names(const struct model *m, const struct model_choice *c, struct record_names *names)
{
	names_copy(names, &m->names);
	names_choose(names, m->pending, m->n_pending, m->record->n_nodes, c);
}

/* How a random image treats one file. */
struct mix {
	uint64_t seed;
	size_t n_ops;
	size_t sized;       /* the size is that after so many ops ... */
	size_t size;        /* ... or up to a page further: this one */
	unsigned keep_of_8; /* the chance of a sector to be new */
	size_t limit;       /* a truncation that is not durable: later data went elsewhere */
};

static size_t size_after(const struct record_event *op, size_t size)
{
	if (op->kind == RECORD_SIZE)
		return op->at;
	return op->len > 0 && op->at + op->len > size ? op->at + op->len : size;
}

/* Choose the size, and return the largest one that the file had meanwhile. */
static size_t choose_size(struct mix *x, const struct file *f, uint64_t *rand)
{
	uint64_t how = record_rand(rand) % 4;
	uint64_t more = record_rand(rand);
	size_t size = f->durable.len;
	size_t size_max = size;

	x->sized = how == 0 ? 0 : how == 1 ? record_rand(rand) % (f->n_ops + 1) : f->n_ops;
	x->size = size;
	for (size_t i = 0; i < f->n_ops; i++) {
		size_t next = size_after(f->ops[i], size);

		if (i == x->sized && f->ops[i]->kind == RECORD_WRITE && next > size &&
		    more % 2 == 0) {
			size_t pages = (next - 1) / PAGE - size / PAGE;

			if (pages > 0)
				x->size = (size / PAGE + 1 + (more >> 1) % pages) * PAGE;
		}
		size = next;
		size_max = size > size_max ? size : size_max;
		if (i < x->sized)
			x->size = size;
	}
	return size_max;
}

/* Whether the sector has what the i-th op wrote: one cut through the history of each sector. */
static bool keeps(const struct mix *x, size_t sector, size_t i)
{
	uint64_t h = scramble(x->seed ^ scramble(sector));

	if ((sector + 1) * SECTOR > x->limit || x->keep_of_8 == 0)
		return false;
	if (h % 8 < x->keep_of_8)
		return true;
	h >>= 8;
	return h % 4 == 0 && (h >> 8) % (x->n_ops + 1) > i;
}

static void write_some(char *to, const struct mix *x, const struct record_event *op, size_t i)
{
	size_t end = op->at + op->len;

	for (size_t at = op->at; at < end;) {
		size_t sector = at / SECTOR;
		size_t next = (sector + 1) * SECTOR < end ? (sector + 1) * SECTOR : end;

		if (keeps(x, sector, i))
			fill(to + at, op->data == NULL ? NULL : op->data + (at - op->at),
			     next - at);
		at = next;
	}
}

static size_t page_end(size_t at)
{
	return (at + PAGE - 1) / PAGE * PAGE;
}

static void mix_content(struct buf *out, const struct file *f, uint64_t seed)
{
	static const unsigned chances[] = {0, 1, 4, 4, 6, 7, 7, 8};
	uint64_t rand = seed;
	struct mix x = {.seed = record_rand(&rand), .n_ops = f->n_ops, .limit = SIZE_MAX};
	size_t size_max = choose_size(&x, f, &rand);
	size_t size = f->durable.len;

	x.keep_of_8 = chances[record_rand(&rand) % 8];
	buf_add(out, f->durable.data, f->durable.len);
	resize(out, size_max);
	for (size_t i = 0; i < f->n_ops; i++) {
		const struct record_event *op = f->ops[i];

		if (op->kind == RECORD_WRITE) {
			write_some(out->data, &x, op, i);
		} else if (op->at < size && i < x.sized) {
			memset(out->data + op->at, 0, size_max - op->at);
		} else if (op->at < size) {
			size_t end = page_end(op->at) < size ? page_end(op->at) : size;
			struct record_event tail = {.at = op->at, .len = end - op->at};

			write_some(out->data, &x, &tail, i);
			x.limit = page_end(op->at) < x.limit ? page_end(op->at) : x.limit;
		}
		size = size_after(op, size);
	}
	resize(out, x.size);
}

static void now_content(struct buf *out, const struct file *f)
{
	buf_add(out, f->durable.data, f->durable.len);
	for (size_t i = 0; i < f->n_ops; i++)
		apply(out, f->ops[i]);
}

/* Zeros, as many as the file has bytes now. */
static void zero_content(struct buf *out, const struct file *f)
{
	size_t size = f->durable.len;

	for (size_t i = 0; i < f->n_ops; i++)
		size = size_after(f->ops[i], size);
	resize(out, size);
}

static struct model_bytes durable_bytes(struct file *f)
{
	if (!f->is_hashed) {
		f->hash = record_hash(f->durable.data, f->durable.len, 0);
		f->is_hashed = true;
	}
	return (struct model_bytes){
	    .data = f->durable.data, .len = f->durable.len, .hash = f->hash};
}

struct model_bytes model_content(struct model *m, size_t node, const struct model_choice *c)
{
	struct file *f = &m->files[node];
	bool mapped = m->record->nodes[node].mapped;
	struct buf out = {0};

	if (mapped && c->mapped == RECORD_MAPPED_ZERO)
		zero_content(&out, f);
	else if (f->n_ops == 0 || (mapped ? c->mapped == RECORD_MAPPED_OLD : c->mix == RECORD_LOST))
		return durable_bytes(f);
	else if (mapped || c->mix == RECORD_KEPT)
		now_content(&out, f);
	else
		mix_content(&out, f, c->seed ^ scramble(node + 1));
	record_must(&out);
	return (struct model_bytes){
	    .data = out.data,
	    .owned = out.data,
	    .len = out.len,
	    .hash = record_hash(out.data, out.len, 0),
	};
}
