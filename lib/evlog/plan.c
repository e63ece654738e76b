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

static int load_state(struct evlog *s, struct commit *c, uint32_t i, struct state *st,
                      struct err *e)
{
	struct frame f;
	int r;

	*st = (struct state){.entry = i};
	r = lookup_head(s, entry_stream(c, &c->entries[i]), &f, &st->key, e);
	if (r > 0) {
		st->exists = true;
		st->version = f.version;
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

/* An earlier event of this commit with the same id in the same stream, or NULL. */
static struct entry *find_in_commit(struct commit *c, uint32_t i)
{
	struct entry *n = &c->entries[i];
	uint32_t mask = c->by_id_size - 1;
	uint32_t at = (uint32_t)n->id_key & mask;

	for (; c->by_id[at] != 0; at = (at + 1) & mask) {
		struct entry *o = &c->entries[c->by_id[at] - 1];

		if (o->id_key == n->id_key && span_is(entry_id(c, o), entry_id(c, n)) &&
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

/* Is the event there already?  Only ids that a caller gave can be. */
static int look_for_id(struct evlog *s, struct commit *c, uint32_t i, enum commit_mode mode,
                       struct err *e)
{
	static const char other[] = "is there with another type or other data";
	struct entry *n = &c->entries[i];
	struct entry *twin;
	struct frame f;
	int r;

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
	r = lookup_id(s, entry_stream(c, n), entry_id(c, n), &f, e);
	if (r <= 0)
		return r;
	if (!span_is(f.type, entry_type(c, n)) || !span_is(f.data, entry_data(c, n)))
		return reused(c, n, other, e);
	note_known(c, n, f.version, f.seq);
	return 0;
}

static int conflict(struct evlog *s, struct span stream, const struct expect *x, bool exists,
                    uint32_t version, struct commit_result *r, struct err *e)
{
	char want[EXPECT_TEXT_MAX], is[EXPECT_TEXT_MAX];

	r->stream = stream;
	r->expected = *x;
	r->actual = exists ? (struct expect){.kind = EXPECT_VERSION, .version = version}
	                   : (struct expect){.kind = EXPECT_NONE};
	expect_text(want, &r->expected);
	expect_text(is, &r->actual);
	__atomic_add_fetch(&s->ctl->conflicts, 1, __ATOMIC_RELAXED);
	return err_set(e, EVLOG_CONFLICT,
	               "conflict: stream '%.*s' is at version %s, expected was %s", (int)stream.len,
	               stream.p, is, want);
}

/* Where an event jumps to that is written already, or earlier in this commit. */
static int jump_of(struct evlog *s, const struct commit *c, uint64_t seq, uint64_t *ret,
                   struct err *e)
{
	struct frame f;
	int r;

	if (seq > ctl_get(&s->ctl->written)) {
		for (uint32_t i = (uint32_t)(seq - ctl_get(&s->ctl->written) - 1);; i++) {
			assert(i < c->count);
			if (!c->entries[i].known && c->entries[i].seq == seq) {
				*ret = c->entries[i].jump;
				return 0;
			}
		}
	}
	r = store_header(s, seq, &f, e);
	if (r <= 0)
		return r < 0 ? -1
		             : err_set(e, EVLOG_DAMAGED, "damaged: sequence %llu is not in the log",
		                       (unsigned long long)seq);
	*ret = f.jump;
	return 0;
}

/*
 * The next event of a stream has version v = version + 1 and jumps to v & (v - 1): that version
 * lies on the chain of jumps of the newest event, one step a trailing one bit of its version.
 */
static int next_jump(struct evlog *s, const struct commit *c, const struct state *st, uint64_t *ret,
                     struct err *e)
{
	uint32_t v = st->version + 1;
	uint32_t at = st->version & (st->version - 1);
	uint64_t jump = st->jump;

	if (v & 1) {
		*ret = st->head;
		return 0;
	}
	for (; at != (v & (v - 1)); at &= at - 1)
		if (jump_of(s, c, jump, &jump, e) < 0)
			return -1;
	*ret = jump;
	return 0;
}

/* Version, pointers and sequence of one event, and its stream one step further. */
static int advance(struct evlog *s, struct commit *c, uint32_t i, uint64_t seq, struct err *e)
{
	struct entry *n = &c->entries[i];
	struct state *st = &c->states[n->state];

	n->seq = seq;
	if (st->exists) {
		if (st->version == UINT32_MAX - 1)
			return err_set(e, EVLOG_BAD_EVENT,
			               "the stream is full: it has 2^32 - 1 events");
		n->prev = st->head;
		n->version = st->version + 1;
		if (next_jump(s, c, st, &n->jump, e) < 0)
			return -1;
	} else {
		n->prev = n->jump = 0;
		n->version = 0;
	}
	st->exists = true;
	st->version = n->version;
	st->head = seq;
	st->jump = n->jump;
	if (st->count++ == 0)
		st->first = n->version;
	st->last = n->version;
	st->sequence = seq;
	return 0;
}

static int check_unwritten(struct evlog *s, struct commit *c, struct commit_result *r,
                           struct err *e)
{
	for (size_t i = 0; i < c->check_count; i++) {
		const struct check *k = &c->checks[i];
		struct span name = {c->names.data + k->at, k->len};
		struct frame f;
		int found = lookup_head(s, name, &f, NULL, e);

		if (found < 0)
			return -1;
		if (!expect_is_met(&k->expect, found > 0, found > 0 ? f.version : 0))
			return conflict(s, name, &k->expect, found > 0, found > 0 ? f.version : 0,
			                r, e);
	}
	return 0;
}

static int plan_entry(struct evlog *s, struct commit *c, uint32_t i, uint64_t seq,
                      struct commit_result *r, struct err *e)
{
	const struct entry *n = &c->entries[i];
	const struct state *st = &c->states[n->state];

	if (!expect_is_met(&n->expect, st->exists, st->version))
		return conflict(s, entry_stream(c, n), &n->expect, st->exists, st->version, r, e);
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
