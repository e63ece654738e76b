#include "evlog_check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "evlog/admin.h"
#include "evlog/commit_impl.h"

#define TYPE        "Test"
#define BYTES_USUAL 20

/* --- small commits --- */

void acks_done(struct acks *a)
{
	free(a->v);
	*a = (struct acks){0};
}

static void *must(void *p)
{
	if (p == NULL) {
		perror("evlog_check");
		abort();
	}
	return p;
}

struct acked *acks_add(struct acks *a)
{
	if (a->n == a->cap) {
		a->cap = a->cap == 0 ? 64 : a->cap * 2;
		a->v = must(reallocarray(a->v, a->cap, sizeof(*a->v)));
	}
	a->v[a->n] = (struct acked){0};
	return &a->v[a->n++];
}

static uint32_t crc_of(struct span type, struct span data)
{
	return crc32c(crc32c(crc32c(0, type.p, type.len), " ", 1), data.p, data.len);
}

int check_create(const char *dir, uint64_t segment_size, const struct io *io, struct err *e)
{
	struct evlog_init init = {.io = io,
	                          .segment_size = segment_size,
	                          .uuid = "check of evlog!",
	                          .now_ns = CHECK_TIME_NS};

	return evlog_create(dir, &init, e);
}

struct evlog *check_open(const char *dir, const struct io *io, struct err *e)
{
	const struct evlog_config cfg = {.io = io, .lock_timeout_ms = 60000};

	return evlog_open(dir, &cfg, NULL, e);
}

/* "id:xxxx", a JSON string of at least `bytes` bytes. */
static void make_data(struct buf *b, const char *id, size_t bytes)
{
	buf_clear(b);
	buf_printf(b, "\"%s:", id);
	while (b->len + 1 < bytes)
		buf_add_char(b, (char)('a' + b->len % 26));
	buf_add_char(b, '"');
}

struct word {
	char stream[CHECK_NAME_MAX], id[CHECK_NAME_MAX];
	bool given;
	size_t bytes;
	struct expect expect;
	char deletes; /* '~' or '!' */
};

static int parse_word(const char *p, size_t len, uint64_t number, struct word *w, struct err *e)
{
	char text[160];
	char *q;

	*w = (struct word){.bytes = BYTES_USUAL};
	if (len >= sizeof(text))
		return err_set(e, EINVAL, "word too long");
	if (*p == '~' || *p == '!') {
		w->deletes = *p++;
		len--;
	}
	memcpy(text, p, len);
	text[len] = '\0';
	q = strchr(text, '?');
	if (q != NULL) {
		if (expect_parse(q + 1, strlen(q + 1), &w->expect, e) < 0)
			return -1;
		*q = '\0';
	}
	q = strchr(text, '*');
	if (q != NULL) {
		w->bytes = strtoul(q + 1, NULL, 10);
		*q = '\0';
	}
	snprintf(w->id, sizeof(w->id), "own-%llu", (unsigned long long)number);
	q = strchr(text, '=');
	if (q != NULL) {
		snprintf(w->id, sizeof(w->id), "%.47s", q + 1);
		w->given = true;
		*q = '\0';
	}
	snprintf(w->stream, sizeof(w->stream), "%.47s", text);
	return 0;
}

int check_fill(struct evlog *s, struct commit *c, const char *words, struct err *e)
{
	struct buf data = {0};
	int r = 0;

	/* Ids of our own are numbered by sequence; two processes must not write them at once. */
	for (const char *p = words; r == 0 && *p != '\0';) {
		size_t n = strcspn(p, " ");
		struct word w;
		struct event ev;

		r = parse_word(p, n, ctl_get(&s->ctl->written) + commit_count(c), &w, e);
		make_data(&data, w.id, w.bytes);
		ev = (struct event){.stream = {w.stream, strlen(w.stream)},
		                    .type = {TYPE, strlen(TYPE)},
		                    .id = {w.id, strlen(w.id)},
		                    .id_given = w.given,
		                    .attrs = {"-", 1},
		                    .data = {data.data, data.len},
		                    .expect = w.expect};
		if (w.deletes != '\0')
			event_deletes(&ev, w.deletes == '!');
		if (r == 0)
			r = commit_add(c, s, &ev, e);
		p += n + strspn(p + n, " ");
	}
	buf_done(&data);
	return r;
}

int check_save_cursor(struct cursor *c, uint64_t seq, struct err *e)
{
	struct cursor_state *state = cursor_state(c);

	state->sequence = seq;
	snprintf(state->selector, sizeof(state->selector), "--all");
	return cursor_save(c, CHECK_CURSOR_NS(seq), e);
}

void check_note_commit(struct acks *a, const struct commit *c, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct entry *x = &c->entries[i];
		struct span stream = entry_stream(c, x), id = entry_id(c, x);
		struct acked *k = acks_add(a);

		k->seq = x->seq;
		k->version = x->version;
		k->crc = crc_of(entry_type(c, x), entry_data(c, x));
		snprintf(k->stream, sizeof(k->stream), "%.*s", (int)stream.len, stream.p);
		snprintf(k->id, sizeof(k->id), "%.*s", (int)id.len, id.p);
	}
}

static int append(struct evlog *s, const char *words, bool sync, struct commit_result *r,
                  struct acks *a, struct err *e)
{
	struct commit *c = must(commit_new());
	int64_t now = CHECK_TIME_NS + (int64_t)ctl_get(&s->ctl->written);
	int result = check_fill(s, c, words, e);

	if (result == 0)
		result = evlog_commit(s, c, COMMIT_ATOMIC, now, r, e);
	if (result == 0 && sync)
		result = evlog_sync(s, r->sequence, e);
	if (result == 0 && a != NULL)
		check_note_commit(a, c, commit_count(c));
	commit_free(c);
	r->receipts = NULL;
	r->receipt_count = 0;
	return result;
}

int check_commit(struct evlog *s, const char *words, struct commit_result *r, struct err *e)
{
	struct commit_result mine;

	return append(s, words, false, r != NULL ? r : &mine, NULL, e);
}

int check_append(struct evlog *s, const char *words, struct acks *a, struct err *e)
{
	struct commit_result r;

	return append(s, words, true, &r, a, e);
}

/* --- the walk --- */

/* What the walk remembers of an event, in order of sequence: seen[seq - 1]. */
struct seen {
	uint64_t stream, id; /* hashes of the name, and of name and id */
	uint64_t prev_of_stream;
	uint64_t floor; /* the stream's last deletion before it */
	uint32_t version;
	uint32_t crc;
	bool deletes;
	bool gone;
};

struct walk {
	struct evlog *s;
	struct seen *seen;
	size_t n, cap;
	uint64_t *heads, *ids; /* hash tables of sequences */
	size_t mask;
	uint64_t time_ns;
	bool shrunk; /* beginnings of streams may be gone */
	struct err *e;
};

static uint64_t hash_of(struct span a, struct span b)
{
	static const unsigned char key[HASH_SIP_KEY_LEN] = "evlog_check's ke";
	uint64_t h[2] = {hash_sip(key, a.p, a.len), hash_sip(key, b.p, b.len)};

	return hash_sip(key, h, sizeof(h));
}

static void enter(uint64_t *table, size_t mask, uint64_t hash, uint64_t seq)
{
	size_t i = (size_t)hash & mask;

	while (table[i] != 0)
		i = (i + 1) & mask;
	table[i] = seq;
}

/* The slot of a stream or an id, or the empty slot it would have. */
static uint64_t *slot_of(const struct walk *w, uint64_t *table, uint64_t hash, bool id)
{
	size_t i = (size_t)hash & w->mask;

	while (table[i] != 0 &&
	       (id ? w->seen[table[i] - 1].id : w->seen[table[i] - 1].stream) != hash)
		i = (i + 1) & w->mask;
	return &table[i];
}

static void make_room(struct walk *w)
{
	struct walk old = *w;

	if (w->n < w->cap)
		return;
	w->cap = w->cap == 0 ? 1024 : w->cap * 2;
	w->mask = w->cap * 2 - 1;
	w->seen = must(reallocarray(w->seen, w->cap, sizeof(*w->seen)));
	w->heads = must(calloc(w->mask + 1, sizeof(*w->heads)));
	w->ids = must(calloc(w->mask + 1, sizeof(*w->ids)));
	for (size_t i = 0; old.cap > 0 && i <= old.mask; i++) {
		if (old.heads[i] != 0)
			enter(w->heads, w->mask, w->seen[old.heads[i] - 1].stream, old.heads[i]);
		if (old.ids[i] != 0)
			enter(w->ids, w->mask, w->seen[old.ids[i] - 1].id, old.ids[i]);
	}
	free(old.heads);
	free(old.ids);
}

static int wrong(const struct walk *w, const struct frame *f, const char *what)
{
	return err_set(w->e, EILSEQ, "sequence %llu, stream '%.*s' version %u, id '%.*s': %s",
	               (unsigned long long)f->seq, (int)f->stream.len, f->stream.p, f->version,
	               (int)f->id.len, f->id.p, what);
}

/* What is wrong with its place in the stream, or NULL; prev: the stream's event before it, or 0. */
static const char *wrong_place(const struct walk *w, const struct frame *f, uint64_t prev,
                               uint64_t floor)
{
	uint32_t want = f->version & (f->version - 1);
	uint64_t jump = prev;

	if (w->shrunk && prev == 0) {
		/* The first one that is there. */
		if (f->prev != 0 && !w->seen[f->prev - 1].gone)
			return "its previous event is another stream's";
		return f->jump != 0 && !w->seen[f->jump - 1].gone ? "it jumps over what is gone"
		                                                  : NULL;
	}
	if (f->version != (prev == 0 ? 0 : w->seen[prev - 1].version + 1))
		return "versions are not dense";
	if (f->prev != prev)
		return "prev is wrong";
	while (jump != 0 && jump != floor && w->seen[jump - 1].version > want)
		jump = w->seen[jump - 1].prev_of_stream;
	if (w->shrunk && jump == 0)
		return f->jump != 0 && !w->seen[f->jump - 1].gone ? "it jumps over what is gone"
		                                                  : NULL;
	return f->jump != jump ? "jump is wrong" : NULL;
}

static int check_frame(struct walk *w, const struct frame *f)
{
	struct seen x = {.stream = hash_of(f->stream, (struct span){"", 0}),
	                 .id = hash_of(f->stream, f->id),
	                 .version = f->version,
	                 .crc = crc_of(f->type, f->data),
	                 .deletes = f->kind == FRAME_DELETED};
	uint64_t *head, *id, prev;
	const char *what;

	make_room(w);
	while (w->shrunk && f->seq > w->n + 1) {
		w->seen[w->n++] = (struct seen){.gone = true};
		make_room(w);
	}
	head = slot_of(w, w->heads, x.stream, false);
	id = slot_of(w, w->ids, x.id, true);
	prev = x.prev_of_stream = *head;
	if (f->seq != w->n + 1)
		return wrong(w, f, "sequences are not dense");
	if (prev != 0)
		x.floor = w->seen[prev - 1].deletes ? prev : w->seen[prev - 1].floor;
	if (*id > x.floor)
		return wrong(w, f, "its id is in the stream twice");
	what = wrong_place(w, f, prev, x.floor);
	if (what != NULL)
		return wrong(w, f, what);
	if (f->time_ns < w->time_ns)
		return wrong(w, f, "its time is before that of the event before it");
	w->time_ns = f->time_ns;
	w->seen[w->n++] = x;
	*head = *id = f->seq;
	return 0;
}

static int walk_store(struct walk *w)
{
	uint64_t last = evlog_durable(w->s);
	struct scan *sc = scan_new(w->s, 1, w->e);
	struct damage d;
	struct frame f;
	int r = sc == NULL ? -1 : 1;

	while (r > 0) {
		r = scan_next(sc, last, &f, &d, w->e);
		if (r == 2)
			r = err_set(w->e, EILSEQ, "damage: %s offset %llu, sequences %llu-%llu",
			            d.file, (unsigned long long)d.offset,
			            (unsigned long long)d.first, (unsigned long long)d.last);
		if (r == 1 && check_frame(w, &f) < 0)
			r = -1;
	}
	scan_free(sc);
	if (r == 0 && (w->shrunk ? w->n > last : w->n != last))
		return err_set(w->e, EILSEQ, "%llu events are durable, %zu are there",
		               (unsigned long long)last, w->n);
	return r;
}

/* Only of the beginning of a stream: its newest event is there, and has a higher version. */
static bool is_gone(const struct walk *w, const struct acked *k)
{
	const struct span stream = {k->stream, strlen(k->stream)};
	uint64_t at = *slot_of(w, w->heads, hash_of(stream, (struct span){"", 0}), false);

	if (k->seq > w->n || !w->seen[k->seq - 1].gone || at == 0)
		return false;
	while (w->seen[at - 1].prev_of_stream != 0)
		at = w->seen[at - 1].prev_of_stream;
	return w->seen[at - 1].version > k->version;
}

static int check_acked(const struct walk *w, const struct acks *a)
{
	for (size_t i = 0; a != NULL && i < a->n; i++) {
		const struct acked *k = &a->v[i];
		struct span stream = {k->stream, strlen(k->stream)};
		const char *why = NULL;

		if (w->shrunk && is_gone(w, k))
			continue;
		if (k->seq == 0 || k->seq > w->n || w->seen[k->seq - 1].gone)
			why = "is not in the log";
		else if (w->seen[k->seq - 1].stream != hash_of(stream, (struct span){"", 0}) ||
		         w->seen[k->seq - 1].id != hash_of(stream, span_str(k->id)))
			why = "is another event";
		else if (w->seen[k->seq - 1].version != k->version)
			why = "has another version";
		else if (w->seen[k->seq - 1].crc != k->crc)
			why = "has another content";
		if (why != NULL)
			return err_set(
			    w->e, EILSEQ,
			    "acknowledged: sequence %llu, stream '%s' version %u, id '%s': %s",
			    (unsigned long long)k->seq, k->stream, k->version, k->id, why);
	}
	return 0;
}

/* --- what verify says, and the next append --- */

static int first_fault(const struct finding *f, void *arg, struct err *e)
{
	(void)arg;
	return f->kind == FINDING_TORN
	           ? 0
	           : err_set(e, EILSEQ, "verify: %s: %s", finding_name(f->kind), f->text);
}

static int report_loss(const struct finding *f, void *arg, struct err *e)
{
	(void)arg;
	return err_set(e, EILSEQ, "said to be lost: sequences %llu-%llu",
	               (unsigned long long)f->where.first, (unsigned long long)f->where.last);
}

static int check_next(struct evlog *s, struct err *e)
{
	uint64_t before = evlog_durable(s);
	struct frame f;

	if (check_append(s, "probe-of-check", NULL, e) < 0)
		return err_wrap(e, "append after the check");
	if (evlog_durable(s) != before + 1 || evlog_get(s, before + 1, &f, e) != 1 ||
	    !span_is(f.stream, (struct span){"probe-of-check", 14}))
		return err_set(e, EILSEQ, "what was appended after the check is not there");
	return 0;
}

int evlog_check_store(struct evlog *s, const struct acks *a, unsigned checks, struct err *e)
{
	struct walk w = {.s = s, .e = e, .shrunk = (checks & CHECK_SHRUNK) != 0};
	int r = walk_store(&w);

	if (r == 0)
		r = check_acked(&w, a);
	if (r == 0 && (checks & CHECK_NO_LOSS) != 0)
		r = evlog_each_lost(s, report_loss, NULL, e);
	if (r == 0 && (checks & CHECK_DEEP) != 0 && evlog_verify(s, true, first_fault, NULL, e) < 0)
		r = -1;
	if (r == 0 && (checks & CHECK_APPEND) != 0) {
		r = check_next(s, e);
		if (r == 0)
			r = evlog_check_store(s, a, checks & ~(unsigned)CHECK_APPEND, e);
	}
	free(w.seen);
	free(w.heads);
	free(w.ids);
	return r;
}

int evlog_check_dir(const char *dir, const struct acks *a, unsigned checks, struct err *e)
{
	struct evlog *s = check_open(dir, NULL, e);
	int r = s == NULL ? -1 : evlog_check_store(s, a, checks, e);

	evlog_close(s);
	return r;
}
