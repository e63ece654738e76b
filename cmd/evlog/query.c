/* query: which events a verb is about. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "evlog.h"
#include "os/clock.h"

void query_init(struct query *q)
{
	*q = (struct query){.to = UINT32_MAX, .limit = UINT64_MAX};
}

void query_done(struct query *q)
{
	free(q->types);
	q->types = NULL;
}

static void add_type(struct query *q, const struct opts *o)
{
	struct span type = {o->arg, strlen(o->arg)};
	struct err e;

	if (evlog_check_name("type", type.p, type.len, &e) < 0)
		opts_bad(o, "%s", e.msg);
	q->types = grow(q->types, q->type_count + 1, sizeof(*q->types));
	q->types[q->type_count++] = type;
}

bool query_option(struct query *q, const struct opts *o, int id)
{
	switch (id) {
	case OPT_ALL:
		q->all = true;
		return true;
	case OPT_AFTER:
		q->after = opts_u64(o, 0, FRAME_SEQ_MAX);
		return true;
	case 't':
		add_type(q, o);
		return true;
	default:
		return false;
	}
}

static void check_name(const char *p, size_t len)
{
	struct err e;

	if (evlog_check_stream(p, len, &e) < 0)
		tool_usage("%s", e.msg);
}

void query_select(struct query *q, const char *operand)
{
	size_t len = strlen(operand);

	q->kind = SELECT_STREAM;
	if (len > 0 && operand[len - 1] == '*') {
		q->kind = SELECT_PREFIX;
		len--;
	}
	q->name = (struct span){operand, len};
	if (q->kind == SELECT_STREAM || len > 0)
		check_name(operand, len);
}

void query_operand(struct query *q, const struct opts *o, bool allow_names)
{
	opts_need(o, 0, q->all ? 0 : 1, NULL);
	if (o->operand_count == 0) {
		q->kind = SELECT_ALL;
		return;
	}
	if (allow_names && strcmp(o->operands[0], "-") == 0)
		q->kind = SELECT_NAMES;
	else
		query_select(q, o->operands[0]);
}

bool query_has_name(const struct query *q, struct span stream)
{
	switch (q->kind) {
	case SELECT_STREAM:
		return span_is(q->name, stream);
	case SELECT_PREFIX:
		/* As a shell's * and hidden files: the store's own streams only by their names. */
		return stream.len >= q->name.len && memcmp(stream.p, q->name.p, q->name.len) == 0 &&
		       stream.p[0] != '$';
	default:
		return true;
	}
}

bool query_has_type(const struct query *q, struct span type)
{
	for (size_t i = 0; i < q->type_count; i++)
		if (span_is(q->types[i], type))
			return true;
	return q->type_count == 0;
}

bool query_has(const struct query *q, const struct frame *f)
{
	return query_has_name(q, f->stream) && query_has_type(q, f->type);
}

void query_since(struct query *q, const struct opts *o)
{
	int64_t now = clock_wall_ns();
	int64_t time;
	struct err e;

	/* A date-time has a '-' behind its year, a duration has none. */
	if (strchr(o->arg, '-') == NULL)
		time = now - opts_duration_ns(o);
	else if (text_get_time(o->arg, strlen(o->arg), &time, &e) < 0)
		opts_bad(o, "%s", e.msg);
	q->has_since = true;
	q->since_ns = time > 0 ? (uint64_t)time : 0;
}

uint64_t query_begin(const struct query *q, struct evlog *s, uint64_t end)
{
	uint64_t begin = q->after + 1;
	uint64_t since;
	struct err e;

	if (!q->has_since)
		return begin;
	if (evlog_seq_at_time(s, q->since_ns, end, &since, &e) < 0)
		fail(&e);
	return since > begin ? since : begin;
}

struct search {
	const struct query *q;
	bool found;
};

static int find_stream(const struct frame *head, void *arg, struct err *e)
{
	struct search *search = arg;

	(void)e;
	search->found = query_has_name(search->q, head->stream);
	return search->found ? 1 : 0;
}

bool query_exists(const struct query *q, struct evlog *s, uint64_t end)
{
	struct search search = {.q = q};
	struct frame f;
	struct err e;
	int r;

	if (q->kind == SELECT_STREAM) {
		r = evlog_head(s, q->name, end, &f, &e);
		search.found = r > 0;
	} else {
		r = evlog_each_stream(s, end, find_stream, &search, &e);
	}
	if (r < 0 && !damages_cause(&e) && e.code != EVLOG_DELETED)
		fail(&e);
	/* What damage hides may exist; that there is damage, or was a deletion, is said elsewhere.
	 */
	return r < 0 || search.found || q->kind == SELECT_ALL;
}
