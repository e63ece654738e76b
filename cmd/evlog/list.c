/* list: what there is: the version of a stream, the last sequence, names of streams and types. */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/text.h"
#include "evlog.h"

const struct opt streams_options[] = {
    {'l', "long", NULL, NULL, "with last version, last sequence and time of the last event"},
    {0},
};

int version_run(struct opts *o)
{
	struct evlog *s = place_open_plain(o, 1, "STREAM");
	struct span name = {o->operands[0], strlen(o->operands[0])};
	struct frame f;
	struct err e;
	int found;

	if (evlog_check_stream(name.p, name.len, &e) < 0)
		tool_usage("%s", e.msg);
	found = evlog_head(s, name, evlog_durable(s), &f, &e);
	if (found < 0)
		fail(&e);
	if (found > 0)
		tool_printf("%u\n", f.version);
	else
		tool_print("none\n");
	evlog_close(s);
	return TOOL_OK;
}

int head_run(struct opts *o)
{
	struct evlog *s = place_open_plain(o, 0, NULL);

	tool_printf("%020ju\n", (uintmax_t)evlog_durable(s));
	evlog_close(s);
	return TOOL_OK;
}

/* ---- streams */

struct stream {
	size_t at; /* of the name in streams.names */
	uint32_t len;
	uint32_t version;
	uint64_t seq, time_ns;
};

struct streams {
	const struct query *q;
	struct buf names;
	struct stream *v;
	size_t len, cap;
};

static int add_stream(const struct frame *head, void *arg, struct err *e)
{
	struct streams *all = arg;

	if (!query_has_name(all->q, head->stream))
		return 0;
	if (all->len == all->cap) {
		all->cap = all->cap == 0 ? 1024 : 2 * all->cap;
		all->v = grow(all->v, all->cap, sizeof(*all->v));
	}
	all->v[all->len++] = (struct stream){.at = all->names.len,
	                                     .len = (uint32_t)head->stream.len,
	                                     .version = head->version,
	                                     .seq = head->seq,
	                                     .time_ns = head->time_ns};
	buf_add(&all->names, head->stream.p, head->stream.len);
	return buf_ok(&all->names, e);
}

static int by_name(const void *left, const void *right, void *names)
{
	const struct stream *a = left;
	const struct stream *b = right;
	const char *text = names;
	size_t len = a->len < b->len ? a->len : b->len;
	int order = memcmp(text + a->at, text + b->at, len);

	return order != 0 ? order : (a->len > b->len) - (a->len < b->len);
}

static void print_stream(const struct streams *all, const struct stream *s, bool is_long)
{
	char time[TEXT_TIME_LEN];

	tool_write(all->names.data + s->at, s->len);
	if (is_long) {
		text_put_time(time, (int64_t)s->time_ns);
		tool_printf("\t%u\t%020ju\t%.*s", s->version, (uintmax_t)s->seq, TEXT_TIME_LEN,
		            time);
	}
	tool_print("\n");
}

int streams_run(struct opts *o)
{
	struct place place = {0};
	struct query q;
	struct streams all = {.q = &q};
	bool is_long = false;
	struct evlog *s;
	struct err e;
	int status;

	query_init(&q);
	q.kind = SELECT_ALL;
	for (int id; (id = opts_next(o)) != -1;)
		if (id == 'l')
			is_long = true;
		else
			place_option(&place, o, id);
	opts_need(o, 0, 1, NULL);
	if (o->operand_count > 0)
		query_select(&q, o->operands[0]);
	s = place_open(&place);
	status = evlog_each_stream(s, evlog_durable(s), add_stream, &all, &e);
	if (status < 0 && e.code != EVLOG_DAMAGED)
		fail(&e);
	if (all.len > 0)
		qsort_r(all.v, all.len, sizeof(*all.v), by_name, all.names.data);
	for (size_t i = 0; i < all.len; i++)
		print_stream(&all, &all.v[i], is_long);
	evlog_close(s);
	free(all.v);
	buf_done(&all.names);
	if (status < 0)
		fail(&e);
	return all.len > 0 || q.kind == SELECT_ALL ? TOOL_OK : TOOL_NO;
}

/* ---- types */

struct type {
	size_t at; /* of the name in types.names */
	size_t len;
	uint64_t count;
};

/* Counts by name: an open hash table over an array, keyed because the names are foreign. */
struct types {
	unsigned char key[HASH_SIP_KEY_LEN];
	struct buf names;
	struct type *v;
	size_t len, cap;
	uint32_t *slots; /* index in v + 1, 0: empty */
	size_t slot_count;
	size_t last; /* found: events of one type come in rows */
};

static bool is_type(const struct types *all, size_t i, struct span name)
{
	return i < all->len &&
	       span_is(name, (struct span){all->names.data + all->v[i].at, all->v[i].len});
}

/* The slot that has the name, or the empty one where it belongs. */
static uint32_t *find_slot(const struct types *all, struct span name)
{
	size_t at = hash_sip(all->key, name.p, name.len);

	for (;; at++) {
		uint32_t *slot = &all->slots[at & (all->slot_count - 1)];

		if (*slot == 0 || is_type(all, *slot - 1, name))
			return slot;
	}
}

static void double_table(struct types *all)
{
	all->cap = all->cap == 0 ? 64 : 2 * all->cap;
	all->v = grow(all->v, all->cap, sizeof(*all->v));
	free(all->slots);
	all->slot_count = 2 * all->cap;
	all->slots = tool_alloc(all->slot_count, sizeof(*all->slots));
	for (size_t i = 0; i < all->len; i++) {
		struct span name = {all->names.data + all->v[i].at, all->v[i].len};

		*find_slot(all, name) = (uint32_t)i + 1;
	}
}

static void count_type(struct types *all, struct span name)
{
	uint32_t *slot;
	struct err e;

	if (is_type(all, all->last, name)) {
		all->v[all->last].count++;
		return;
	}
	if (all->len == all->cap)
		double_table(all);
	slot = find_slot(all, name);
	if (*slot == 0) {
		all->v[all->len++] = (struct type){.at = all->names.len, .len = name.len};
		buf_add(&all->names, name.p, name.len);
		if (buf_ok(&all->names, &e) < 0)
			fail(&e);
		*slot = (uint32_t)all->len;
	}
	all->last = *slot - 1;
	all->v[all->last].count++;
}

static int by_count(const void *left, const void *right, void *names)
{
	const struct type *a = left;
	const struct type *b = right;
	const char *text = names;
	size_t len = a->len < b->len ? a->len : b->len;
	int order = (a->count < b->count) - (a->count > b->count);

	if (order == 0)
		order = memcmp(text + a->at, text + b->at, len);
	return order != 0 ? order : (a->len > b->len) - (a->len < b->len);
}

static int count_all(struct types *all, struct evlog *s)
{
	struct damages damages = {0};
	struct scan *sc = damages_scan(s, 1);
	uint64_t end = evlog_durable(s);
	struct frame f;

	while (damages_next(&damages, sc, end, &f))
		count_type(all, f.type);
	scan_free(sc);
	return damages_status(&damages, TOOL_OK);
}

int types_run(struct opts *o)
{
	struct evlog *s = place_open_plain(o, 0, NULL);
	struct types all = {0};
	struct err e;
	int status;

	if (rand_bytes(all.key, sizeof(all.key), &e) < 0)
		fail(&e);
	status = count_all(&all, s);
	if (all.len > 0)
		qsort_r(all.v, all.len, sizeof(*all.v), by_count, all.names.data);
	for (size_t i = 0; i < all.len; i++)
		tool_printf("%ju\t%.*s\n", (uintmax_t)all.v[i].count, (int)all.v[i].len,
		            all.names.data + all.v[i].at);
	evlog_close(s);
	free(all.v);
	free(all.slots);
	buf_done(&all.names);
	return status;
}
