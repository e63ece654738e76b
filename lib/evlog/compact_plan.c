#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evlog/compact_impl.h"

#define KEYS_MAX 256 /* of a stream: far more than there are */

static struct span name_of(const struct plan *p, const struct cut *c)
{
	return (struct span){p->names.data + c->at, c->len};
}

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, "out of memory");
}

void plan_done(struct plan *p)
{
	buf_done(&p->names);
	free(p->cuts);
	free(p->slots);
	free(p->pinned);
	free(p->holders);
	free(p->parts);
	*p = (struct plan){0};
}

/* ---- Which streams. */

/*
 * Streams that share a key in the index are left as they are: an index that is made anew gives keys
 * in the order in which the streams begin in the log.
 */
static int pin(struct plan *p, struct span stream, uint64_t key, struct err *e)
{
	for (uint32_t n = 0; n < KEYS_MAX; n++) {
		uint64_t k = key_of(p->s, stream, (struct span){"", 0}, n);
		uint64_t *v;

		if (n == 0 && k == key)
			return 0;
		v = reallocarray(p->pinned, p->pinned_count + 1, sizeof(*v));
		if (v == NULL)
			return no_memory(e);
		p->pinned = v;
		v[p->pinned_count++] = k;
		if (k == key)
			return 0;
	}
	return 0;
}

static bool is_pinned(const struct plan *p, uint64_t key)
{
	for (size_t i = 0; i < p->pinned_count; i++)
		if (p->pinned[i] == key)
			return true;
	return false;
}

static struct cut *new_cut(struct plan *p)
{
	if (p->count == p->cap) {
		size_t cap = p->cap == 0 ? 64 : p->cap * 2;
		struct cut *v = reallocarray(p->cuts, cap, sizeof(*v));

		if (v == NULL)
			return NULL;
		p->cuts = v;
		p->cap = cap;
	}
	return &p->cuts[p->count];
}

/* A stream loses what stands before its first event that is read, or before its deletion. */
static int add_stream(const struct frame *head, uint64_t key, void *arg, struct err *e)
{
	struct plan *p = arg;
	struct cut *c = new_cut(p);
	struct frame f = *head;
	struct span name;
	int r = 1;

	if (c == NULL)
		return no_memory(e);
	/* The lookups below use the memory that the head lies in. */
	*c = (struct cut){.at = p->names.len, .len = head->stream.len, .key = key};
	buf_add(&p->names, head->stream.p, head->stream.len);
	if (buf_ok(&p->names, e) < 0)
		return -1;
	name = name_of(p, c);
	if (pin(p, name, key, e) < 0)
		return -1;
	if (f.kind != FRAME_DELETED)
		r = store_first(p->s, name, p->end, &f, e);
	c->version = f.version;
	c->newest = f.prev;
	if (r > 0)
		r = f.prev == 0 ? 0 : store_header(p->s, f.prev, &f, e);
	/* Behind a loss that is known the stream cannot be followed; a scan finds what is there. */
	if (r < 0 && e->code == EVLOG_GAP)
		r = 0;
	if (r > 0)
		p->count++;
	else
		p->names.len = c->at;
	return r < 0 ? -1 : 0;
}

static void drop_pinned(struct plan *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->count; i++)
		if (!is_pinned(p, p->cuts[i].key))
			p->cuts[n++] = p->cuts[i];
	p->count = n;
}

static uint64_t hash_of(const struct plan *p, struct span stream)
{
	return key_of(p->s, stream, (struct span){"", 0}, 0);
}

static int make_table(struct plan *p, struct err *e)
{
	size_t size = 64;

	while (size < 2 * p->count)
		size *= 2;
	p->mask = size - 1;
	p->slots = calloc(size, sizeof(*p->slots));
	if (p->slots == NULL)
		return no_memory(e);
	for (size_t i = 0; i < p->count; i++) {
		size_t at = (size_t)hash_of(p, name_of(p, &p->cuts[i])) & p->mask;

		while (p->slots[at] != 0)
			at = (at + 1) & p->mask;
		p->slots[at] = (uint32_t)i + 1;
	}
	return 0;
}

static const struct cut *find_cut(const struct plan *p, struct span stream)
{
	size_t at = (size_t)hash_of(p, stream) & p->mask;

	for (; p->slots[at] != 0; at = (at + 1) & p->mask) {
		const struct cut *c = &p->cuts[p->slots[at] - 1];

		if (span_is(name_of(p, c), stream))
			return c;
	}
	return NULL;
}

static bool cut_takes(const struct cut *c, const struct frame *f)
{
	return f->version < c->version && f->seq <= c->hold;
}

bool plan_takes(const struct plan *p, const struct frame *f)
{
	const struct cut *c = find_cut(p, f->stream);

	return c != NULL && cut_takes(c, f);
}

/* ---- Who has not seen it. */

static int add_holder(const struct cursor_id *id, const struct cursor_state *state, bool held,
                      void *arg, struct err *e)
{
	struct plan *p = arg;
	struct holder *v = reallocarray(p->holders, p->holder_count + 1, sizeof(*v));

	(void)held;
	if (v == NULL)
		return no_memory(e);
	p->holders = v;
	v += p->holder_count++;
	*v = (struct holder){.id = *id, .held = {.sequence = state != NULL ? state->sequence : 0}};
	v->id.name = NULL;
	cursor_id_text(v->name, id);
	/* One that is damaged, or that nobody has used yet, might want anything. */
	snprintf(v->selector, sizeof(v->selector), "%s", state != NULL ? state->selector : "-");
	return 0;
}

static bool holder_selects(const struct holder *h, struct span stream)
{
	const struct span selector = {h->selector, strlen(h->selector)};

	if (span_is(selector, (struct span){"-", 1}))
		return true;
	if (h->id.members > 0 &&
	    cursor_member_of(stream.p, stream.len, h->id.members) != h->id.member)
		return false;
	return evlog_selects(selector, stream);
}

static void hold(struct plan *p, struct cut *c)
{
	c->hold = UINT64_MAX;
	for (size_t i = 0; i < p->holder_count; i++)
		if (holder_selects(&p->holders[i], name_of(p, c)) &&
		    p->holders[i].held.sequence < c->hold)
			c->hold = p->holders[i].held.sequence;
}

/* ---- How much it is. */

static int list_parts(struct plan *p, struct err *e)
{
	struct evlog *s = p->s;

	if (!s->segments_loaded && segments_load(s, e) < 0)
		return -1;
	p->part_count = s->segment_count + 1;
	p->parts = calloc(p->part_count, sizeof(*p->parts));
	if (p->parts == NULL)
		return no_memory(e);
	for (size_t i = 0; i < p->part_count; i++) {
		bool sealed = i < s->segment_count;
		char name[SEGMENT_NAME_MAX];

		p->parts[i].base = sealed ? s->segments[i].base : s->log_base;
		p->parts[i].last = sealed ? s->segments[i].last : UINT64_MAX;
		segment_name(name, p->parts[i].base);
		snprintf(p->parts[i].file, sizeof(p->parts[i].file), "log/%s", name);
	}
	return 0;
}

static struct compact_part *part_of(const struct plan *p, uint64_t seq)
{
	size_t lo = 0, hi = p->part_count;

	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;

		if (p->parts[mid].base <= seq)
			lo = mid;
		else
			hi = mid;
	}
	return &p->parts[lo];
}

static void count(struct plan *p, const struct cut *c, const struct frame *f)
{
	struct compact_part *part = part_of(p, f->seq);

	if (cut_takes(c, f)) {
		part->events++;
		part->bytes += f->len;
		return;
	}
	for (size_t i = 0; i < p->holder_count; i++) {
		struct holder *h = &p->holders[i];

		if (f->seq <= h->held.sequence || !holder_selects(h, name_of(p, c)))
			continue;
		h->held.events++;
		h->held.bytes += f->len;
	}
}

/* From the newest event that goes back to the first one that is there. */
static int measure(struct plan *p, struct cut *c, struct err *e)
{
	uint32_t below = c->version;
	struct frame f = {0};
	int r = 1;

	for (uint64_t seq = c->newest; r > 0 && seq != 0; seq = f.prev) {
		r = store_header(p->s, seq, &f, e);
		if (r > 0 && (!span_is(f.stream, name_of(p, c)) || f.version >= below)) {
			c->gap = seq;
			return 0;
		}
		if (r > 0)
			count(p, c, &f);
		below = f.version;
	}
	return r < 0 ? -1 : 0;
}

/* The rest of streams that cannot be followed over a known loss. */
static int measure_rest(struct plan *p, struct err *e)
{
	struct scan *sc;
	struct damage d;
	struct frame f;
	uint64_t last = 0;
	int r = 1;

	for (size_t i = 0; i < p->count; i++)
		if (p->cuts[i].gap > last)
			last = p->cuts[i].gap;
	if (last == 0)
		return 0;
	sc = scan_new(p->s, 1, e);
	if (sc == NULL)
		return -1;
	while (r > 0) {
		const struct cut *c;

		r = scan_next(sc, last, &f, &d, e);
		if (r == 2)
			r = err_set(e, EVLOG_DAMAGED, "damaged: %s offset %llu", d.file,
			            (unsigned long long)d.offset);
		c = r == 1 ? find_cut(p, f.stream) : NULL;
		if (c != NULL && f.seq < c->gap && f.version < c->version)
			count(p, c, &f);
	}
	scan_free(sc);
	return r;
}

int plan_make(struct plan *p, struct evlog *s, bool force, struct err *e)
{
	*p = (struct plan){.s = s};
	if (store_refresh(s, e) < 0)
		return -1;
	p->end = evlog_durable(s);
	if ((!force && cursor_each(s, add_holder, p, e) < 0) ||
	    store_each_head(s, p->end, add_stream, p, e) < 0)
		return -1;
	drop_pinned(p);
	if (make_table(p, e) < 0 || list_parts(p, e) < 0)
		return -1;
	for (size_t i = 0; i < p->holder_count; i++)
		p->holders[i].held.cursor = p->holders[i].name;
	for (size_t i = 0; i < p->count; i++) {
		hold(p, &p->cuts[i]);
		if (measure(p, &p->cuts[i], e) < 0)
			return -1;
	}
	return measure_rest(p, e);
}
