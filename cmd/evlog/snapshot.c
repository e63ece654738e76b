/* snapshot: which states are kept, and how to be rid of them. */
#include "evlog/snapshot.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "evlog.h"

const struct opt snapshot_options[] = {
    {OPT_ALL, "all", NULL, NULL, "those of all streams"},
    {0},
};

/* One that is shown: a line without its LF, in lines.text. */
struct line {
	size_t at, len;
};

struct selection {
	struct evlog *s;
	const struct query *q;
	bool remove;
	uint64_t count;
	struct buf text;
	struct line *v;
	size_t cap;
};

static void note(struct selection *sel, const struct snapshot_info *i)
{
	char time[TEXT_TIME_LEN];
	size_t at = sel->text.len;

	text_put_time(time, i->time_ns);
	buf_add(&sel->text, i->stream.p, i->stream.len);
	buf_printf(&sel->text, "\t%u\t%zu\t%s\t%.*s", i->version, i->state_len, i->program,
	           TEXT_TIME_LEN, time);
	if (sel->count == sel->cap) {
		sel->cap = sel->cap == 0 ? 64 : 2 * sel->cap;
		sel->v = grow(sel->v, sel->cap, sizeof(*sel->v));
	}
	sel->v[sel->count] = (struct line){at, sel->text.len - at};
}

/* rm --all also takes what is no snapshot, such as one whose writer was killed. */
static int take(const struct snapshot_info *info, void *arg, struct err *e)
{
	struct selection *sel = arg;
	bool stray = info->stream.len == 0;

	if (stray ? !sel->remove || sel->q->kind != SELECT_ALL
	          : !query_has_name(sel->q, info->stream))
		return 0;
	if (sel->remove && snapshot_remove(sel->s, info->name, e) < 0)
		return -1;
	if (!sel->remove)
		note(sel, info);
	if (!stray)
		sel->count++;
	return buf_ok(&sel->text, e);
}

static int by_text(const void *left, const void *right, void *text)
{
	const struct line *a = left;
	const struct line *b = right;
	const char *p = text;
	int order = memcmp(p + a->at, p + b->at, a->len < b->len ? a->len : b->len);

	return order != 0 ? order : (a->len > b->len) - (a->len < b->len);
}

static void print(const struct selection *sel)
{
	if (sel->count > 0)
		qsort_r(sel->v, sel->count, sizeof(*sel->v), by_text, sel->text.data);
	for (size_t i = 0; i < sel->count; i++) {
		tool_write(sel->text.data + sel->v[i].at, sel->v[i].len);
		tool_print("\n");
	}
}

/* ls or rm, and the streams. */
static void take_operands(struct selection *sel, struct query *q, const struct opts *o)
{
	opts_need(o, 1, q->all ? 1 : 2, "ls or rm");
	sel->remove = strcmp(o->operands[0], "rm") == 0;
	if (!sel->remove && strcmp(o->operands[0], "ls") != 0)
		tool_usage("'%s' is neither ls nor rm", o->operands[0]);
	if (o->operand_count == 2)
		query_select(q, o->operands[1]);
	else if (sel->remove && !q->all)
		tool_usage("missing STREAM, PREFIX* or --all");
}

int snapshot_run(struct opts *o)
{
	struct place place = {0};
	struct query q;
	struct selection sel = {.q = &q};
	struct err e;

	query_init(&q);
	q.kind = SELECT_ALL;
	for (int id; (id = opts_next(o)) != -1;)
		if (id == OPT_ALL)
			q.all = true;
		else
			place_option(&place, o, id);
	take_operands(&sel, &q, o);
	sel.s = place_open(&place);
	if (snapshot_each(sel.s, take, &sel, &e) < 0)
		fail(&e);
	if (!sel.remove)
		print(&sel);
	evlog_close(sel.s);
	buf_done(&sel.text);
	free(sel.v);
	return sel.count > 0 ? TOOL_OK : TOOL_NO;
}
