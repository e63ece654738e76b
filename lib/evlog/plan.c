/*
 * plan: what a commit's events become, decided under the writer lock before a byte is written.
 *
 * Ids first: an event that is there already is not looked at again, whatever version its caller
 * expects.  Then, event by event, the expected version; then version, prev and jump.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "evlog/commit_impl.h"

static uint32_t table_size(uint32_t n)
{
	uint32_t size = 64;

	while (size < n * 2)
		size *= 2;
	return size;
}

static int clear_table(uint32_t **table, uint32_t *size, uint32_t n, struct err *e)
{
	uint32_t want = table_size(n);

	if (*size < want) {
		free(*table);
		*size = 0;
		*table = malloc(want * sizeof(**table));
		if (*table == NULL)
			return err_set(e, ENOMEM, "out of memory");
		*size = want;
	}
	memset(*table, 0, *size * sizeof(**table));
	return 0;
}

static bool is_hard(const struct commit *c, const struct entry *n)
{
	return n->kind == FRAME_DELETED &&
	       span_is(entry_data(c, n), (struct span){FRAME_DELETED_HARD, 13});
}

static struct stream_state state_of(const struct frame *head)
{
	return (struct stream_state){.exists = true,
	                             .deleted = head->kind == FRAME_DELETED,
	                             .hard = frame_deletes_hard(head),
	                             .version = head->version};
}

static int load_state(struct evlog *s, struct commit *c, uint32_t i, struct state *st,
                      struct err *e)
{
	struct frame f;
	int r;

	*st = (struct state){.entry = i};
	r = lookup_head(s, entry_stream(c, &c->entries[i]), &f, &st->key, e);
	if (r > 0) {
		st->is = state_of(&f);
		st->head = f.seq;
		st->jump = f.jump;
	}
	return r < 0 ? -1 : 0;
}

/* The state of an entry's stream, looked up at its first entry. */
static int find_state(struct evlog *s, struct commit *c, uint32_t i, struct err *e)
{
	struct entry *n = &c->entries[i];
	struct span name = entry_stream(c, n);
	uint32_t mask = c->by_stream_size - 1;
	uint32_t at = (uint32_t)n->stream_key & mask;

	for (; c->by_stream[at] != 0; at = (at + 1) & mask) {
		const struct entry *first = &c->entries[c->states[c->by_stream[at] - 1].entry];

		if (first->stream_key == n->stream_key && span_is(entry_stream(c, first), name)) {
			n->state = c->by_stream[at] - 1;
			return 0;
		}
	}
	if (c->state_count == c->state_cap) {
		uint32_t cap = c->state_cap == 0 ? 64 : c->state_cap * 2;
		struct state *v = reallocarray(c->states, cap, sizeof(*v));

		if (v == NULL)
			return err_set(e, ENOMEM, "out of memory");
		c->states = v;
		c->state_cap = cap;
	}
	if (load_state(s, c, i, &c->states[c->state_count], e) < 0)
		return -1;
	n->state = c->state_count++;
	c->by_stream[at] = c->state_count;
	return 0;
}

static int reused(const struct commit *c, const struct entry *n, const char *why, struct err *e)
{
	struct span id = entry_id(c, n), stream = entry_stream(c, n);

	return err_set(e, EVLOG_ID_REUSED, "id '%.*s' in stream '%.*s' %s", (int)id.len, id.p,
	               (int)stream.len, stream.p, why);
}

/* What a step along the pointers of a stream leads to. */
struct step {
	bool there;
	bool deleted; /* a deletion, which no pointer passes over */
	uint64_t jump;
};

/* An event that is written already, or stands earlier in this commit. */
static int look_back(struct evlog *s, const struct commit *c, uint64_t seq, struct step *ret,
                     struct err *e)
{
	struct frame f;
	int r;

	*ret = (struct step){.there = false};
	if (seq == 0)
		return 0;
	if (seq > ctl_get(&s->ctl->written)) {
		for (uint32_t i = (uint32_t)(seq - ctl_get(&s->ctl->written) - 1);; i++) {
			const struct entry *n;

			assert(i < c->count);
			n = &c->entries[i];
			if (!n->known && n->seq == seq) {
				*ret = (struct step){true, n->kind == FRAME_DELETED, n->jump};
				return 0;
			}
		}
	}
	r = store_header(s, seq, &f, e);
	if (r > 0)
		*ret = (struct step){true, f.kind == FRAME_DELETED, f.jump};
	return r < 0 ? -1 : 0;
}

/*
 * The stream's last deletion, *ret: an id that stands before it is free again.  No jump passes over
 * it, so the jumps of the newest event lead there.
 */
static int find_floor(struct evlog *s, const struct commit *c, struct state *st, uint64_t *ret,
                      struct err *e)
{
	struct step step = {.there = true, .deleted = st->is.deleted, .jump = st->jump};
	uint64_t at = st->head;

	while (!st->has_floor && step.there && !step.deleted) {
		at = step.jump;
		if (look_back(s, c, at, &step, e) < 0)
			return -1;
	}
	if (!st->has_floor)
		st->floor = at;
	st->has_floor = true;
	*ret = st->floor;
	return 0;
}

/* An imported event is one of many of its id when its stream was deleted in between. */
static bool is_same_version(const struct entry *n, uint32_t version)
{
	return n->expect.kind != EXPECT_BECOMES || n->expect.version == version;
}

/* An earlier event of this commit with the same id in the same stream, or NULL. */
static struct entry *find_in_commit(struct commit *c, uint32_t i)
{
	struct entry *n = &c->entries[i];
	uint32_t mask = c->by_id_size - 1;
	uint32_t at = (uint32_t)n->id_key & mask;

	for (; c->by_id[at] != 0; at = (at + 1) & mask) {
		struct entry *o = &c->entries[c->by_id[at] - 1];

		if (o->id_key == n->id_key && is_same_version(n, o->version) &&
		    span_is(entry_id(c, o), entry_id(c, n)) &&
		    span_is(entry_stream(c, o), entry_stream(c, n)))
			return o;
	}
	c->by_id[at] = i + 1;
	return NULL;
}

static void note_known(struct commit *c, struct entry *n, uint32_t version, uint64_t seq)
{
	struct state *st = &c->states[n->state];

	n->known = true;
	n->version = version;
	n->seq = seq;
	if (st->known == 0 || version < st->known_first)
		st->known_first = version;
	if (st->known == 0 || version >= st->known_last) {
		st->known_last = version;
		if (st->count == 0)
			st->sequence = seq;
	}
	st->known++;
}

/* The event of the store that has an entry's id: 1, 0 none, -1. */
static int find_in_store(struct evlog *s, struct commit *c, const struct entry *n, struct frame *f,
                         struct err *e)
{
	struct id_cursor at = ID_FIRST;
	uint64_t floor;
	int r;

	while ((r = lookup_id(s, entry_stream(c, n), entry_id(c, n), &at, f, e)) > 0) {
		if (n->expect.kind == EXPECT_BECOMES) {
			if (is_same_version(n, f->version))
				return 1;
			continue;
		}
		if (find_floor(s, c, &c->states[n->state], &floor, e) < 0)
			return -1;
		if (f->seq > floor)
			return 1;
	}
	return r;
}

/* Is the event there already?  Only ids that a caller gave can be. */
static int look_for_id(struct evlog *s, struct commit *c, uint32_t i, enum commit_mode mode,
                       struct err *e)
{
	static const char other[] = "is there with another type or other data";
	struct entry *n = &c->entries[i];
	const struct state *st = &c->states[n->state];
	struct entry *twin;
	struct frame f;
	int r;

	if (n->kind == FRAME_DELETED && st->is.hard) {
		note_known(c, n, st->is.version, st->head);
		return 0;
	}
	if (!n->id_given)
		return 0;
	twin = find_in_commit(c, i);
	if (twin != NULL) {
		if (mode == COMMIT_ATOMIC)
			return reused(c, n, "stands twice in one commit", e);
		if (!span_is(entry_type(c, twin), entry_type(c, n)) ||
		    !span_is(entry_data(c, twin), entry_data(c, n)))
			return reused(c, n, other, e);
		note_known(c, n, twin->version, twin->seq);
		return 0;
	}
	r = find_in_store(s, c, n, &f, e);
	if (r <= 0)
		return r;
	if (!span_is(f.type, entry_type(c, n)) || !span_is(f.data, entry_data(c, n)))
		return reused(c, n, other, e);
	note_known(c, n, f.version, f.seq);
	return 0;
}

static int conflict(struct evlog *s, struct span stream, const struct expect *x,
                    const struct stream_state *st, struct commit_result *r, struct err *e)
{
	bool exists = st->exists && !st->deleted;
	char want[EXPECT_TEXT_MAX], is[EXPECT_TEXT_MAX];

	r->stream = stream;
	r->expected = *x;
	r->actual = exists ? (struct expect){.kind = EXPECT_VERSION, .version = st->version}
	                   : (struct expect){.kind = EXPECT_NONE};
	expect_text(want, &r->expected);
	expect_text(is, &r->actual);
	__atomic_add_fetch(&s->ctl->conflicts, 1, __ATOMIC_RELAXED);
	return err_set(e, EVLOG_CONFLICT,
	               "conflict: stream '%.*s' is at version %s, expected was %s", (int)stream.len,
	               stream.p, is, want);
}

/*
 * The next event of a stream has version v = version + 1 and jumps to v & (v - 1): that version
 * lies on the chain of jumps of the newest event, one step a trailing one bit of its version; a
 * deletion ends that chain, and is then what the new one jumps to.
 */
static int next_jump(struct evlog *s, const struct commit *c, const struct state *st, uint64_t *ret,
                     struct err *e)
{
	uint32_t v = st->is.version + 1;
	uint32_t at = st->is.version & (st->is.version - 1);
	struct step step;

	*ret = st->head;
	if ((v & 1) != 0 || st->is.deleted)
		return 0;
	*ret = st->jump;
	for (; at != (v & (v - 1)) && *ret != 0; at &= at - 1) {
		if (look_back(s, c, *ret, &step, e) < 0)
			return -1;
		if (step.deleted)
			return 0;
		/* Behind what is not there any more all earlier ones are gone, too. */
		*ret = step.there ? step.jump : 0;
	}
	return 0;
}

/* Version, pointers and sequence of one event, and its stream one step further. */
static int advance(struct evlog *s, struct commit *c, uint32_t i, uint64_t seq, struct err *e)
{
	struct entry *n = &c->entries[i];
	struct state *st = &c->states[n->state];

	n->seq = seq;
	n->prev = n->jump = 0;
	n->version = n->expect.kind == EXPECT_BECOMES ? n->expect.version : 0;
	if (st->is.exists) {
		if (st->is.version == UINT32_MAX - 1)
			return err_set(e, EVLOG_BAD_EVENT,
			               "the stream is full: it has 2^32 - 1 events");
		n->prev = st->head;
		n->version = st->is.version + 1;
		if (next_jump(s, c, st, &n->jump, e) < 0)
			return -1;
	}
	st->is = (struct stream_state){.exists = true,
	                               .deleted = n->kind == FRAME_DELETED,
	                               .hard = is_hard(c, n),
	                               .version = n->version};
	st->head = seq;
	st->jump = n->jump;
	st->has_floor = st->has_floor && n->kind != FRAME_DELETED;
	if (st->count++ == 0)
		st->first = n->version;
	st->last = n->version;
	st->sequence = seq;
	return 0;
}

static int is_deleted(struct span stream, struct err *e)
{
	return err_set(e, EVLOG_DELETED, "stream '%.*s' was deleted for good", (int)stream.len,
	               stream.p);
}

static int check_unwritten(struct evlog *s, struct commit *c, struct commit_result *r,
                           struct err *e)
{
	for (size_t i = 0; i < c->check_count; i++) {
		const struct check *k = &c->checks[i];
		struct span name = {c->names.data + k->at, k->len};
		struct stream_state st = {.exists = false};
		struct frame f;
		int found = lookup_head(s, name, &f, NULL, e);

		if (found < 0)
			return -1;
		if (found > 0)
			st = state_of(&f);
		if (st.hard)
			return is_deleted(name, e);
		if (!expect_is_met(&k->expect, &st))
			return conflict(s, name, &k->expect, &st, r, e);
	}
	return 0;
}

static int plan_entry(struct evlog *s, struct commit *c, uint32_t i, uint64_t seq,
                      struct commit_result *r, struct err *e)
{
	const struct entry *n = &c->entries[i];
	const struct stream_state *st = &c->states[n->state].is;
	struct span name = entry_stream(c, n);

	if (st->hard)
		return is_deleted(name, e);
	if (!expect_is_met(&n->expect, st))
		return conflict(s, name, &n->expect, st, r, e);
	/* A stream that is deleted can still be deleted for good. */
	if (n->kind == FRAME_DELETED && n->expect.kind != EXPECT_BECOMES &&
	    (!st->exists || (st->deleted && !is_hard(c, n))))
		return err_set(e, EVLOG_NO_STREAM, "there is no stream '%.*s'", (int)name.len,
		               name.p);
	return advance(s, c, i, seq, e);
}

static int plan_each(struct evlog *s, struct commit *c, uint32_t *ret_end, struct commit_result *r,
                     struct err *e)
{
	uint64_t seq = ctl_get(&s->ctl->written) + 1;

	for (uint32_t i = 0; i < c->count; i++) {
		*ret_end = i;
		r->bad_event = i;
		if (find_state(s, c, i, e) < 0 || look_for_id(s, c, i, COMMIT_EACH, e) < 0)
			return -1;
		if (!c->entries[i].known && plan_entry(s, c, i, seq++, r, e) < 0)
			return -1;
	}
	*ret_end = c->count;
	return 0;
}

static int plan_atomic(struct evlog *s, struct commit *c, struct commit_result *r, struct err *e)
{
	uint64_t seq = ctl_get(&s->ctl->written) + 1;
	uint32_t known = 0, i;

	for (i = 0; i < c->count; i++) {
		r->bad_event = i;
		if (find_state(s, c, i, e) < 0 || look_for_id(s, c, i, COMMIT_ATOMIC, e) < 0)
			return -1;
		known += c->entries[i].known;
	}
	if (known == c->count && known > 0)
		return 0;
	for (i = 0; known > 0 && i < c->count; i++) {
		r->bad_event = i;
		if (c->entries[i].known)
			return reused(c, &c->entries[i],
			              "is there already, other events of the same commit are not",
			              e);
	}
	if (check_unwritten(s, c, r, e) < 0)
		return -1;
	for (i = 0; i < c->count; i++) {
		r->bad_event = i;
		if (plan_entry(s, c, i, seq++, r, e) < 0)
			return -1;
	}
	return 0;
}

/* What the first lookups need is on its way while the later ones are still being listed. */
static void warm(struct evlog *s, struct commit *c)
{
	uint64_t keys[LOOKUP_WARM_MAX];
	size_t n = 0;

	for (uint32_t i = 0; i < c->count; i++) {
		const struct entry *x = &c->entries[i];

		if (x->id_given)
			index_prefetch(s, RUN_IDS, x->id_key);
		else
			active_prefetch_id(&s->active, x->id_key);
		keys[n++] = x->stream_key;
		if (n == LOOKUP_WARM_MAX || i + 1 == c->count) {
			lookup_warm(s, keys, n, 1);
			n = 0;
		}
	}
}

int plan_commit(struct evlog *s, struct commit *c, enum commit_mode mode, uint32_t *ret_end,
                struct commit_result *r, struct err *e)
{
	int result;

	*ret_end = 0;
	c->state_count = 0;
	if (clear_table(&c->by_stream, &c->by_stream_size, c->count, e) < 0 ||
	    (c->given > 0 && clear_table(&c->by_id, &c->by_id_size, c->given, e) < 0))
		return -1;
	for (uint32_t i = 0; i < c->count; i++)
		c->entries[i].known = false;
	if (index_load(s, RUN_HEADS, e) < 0 || (c->given > 0 && index_load(s, RUN_IDS, e) < 0))
		return -1;
	warm(s, c);
	if (mode == COMMIT_EACH)
		return plan_each(s, c, ret_end, r, e);
	result = plan_atomic(s, c, r, e);
	*ret_end = result < 0 ? 0 : c->count;
	return result;
}
