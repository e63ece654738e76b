/* read: events up to the end that the store had when the verb began; get: one of them. */
#include <string.h>

#include "base/text.h"
#include "evlog.h"

#define NAMES_AT_ONCE 64 /* of "read -" */

const struct opt read_options[] = {
    {OPT_ALL, "all", NULL, NULL, "events of all streams, in the order of the store"},
    {OPT_FROM, "from", "VERSION", NULL, "of a stream: from this version on"},
    {OPT_TO, "to", "VERSION", NULL, "of a stream: up to this version"},
    {OPT_AFTER, "after", "SEQUENCE", NULL, "only events after this one"},
    {OPT_SINCE, "since", "TIME", NULL, "only what was recorded since: 2h, or a date-time"},
    {'t', "type", "TYPE", NULL, "only events of this type; of any of several -t"},
    {'n', "count", "N", NULL, "print at most N events"},
    {'r', "reverse", NULL, NULL, "newest first"},
    {'o', "output", "FORMAT", "ce data raw tsv batch", "ce (CloudEvents), data, raw, tsv, batch"},
    {'0', NULL, NULL, NULL, "end each event with NUL"},
    {0},
};

const struct opt get_options[] = {
    {'o', "output", "FORMAT", "ce data raw tsv batch", "ce (CloudEvents), data, raw, tsv, batch"},
    {'0', NULL, NULL, NULL, "end the event with NUL"},
    {0},
};

/* One read under way. */
struct reading {
	struct evlog *s;
	const struct query *q;
	struct printer *p;
	struct damages damages;
	uint64_t begin, end;   /* sequences */
	uint64_t count_before; /* what was printed before this stream; -n counts for each */
	struct seqs seqs;
};

/* How many more events -n lets through. */
static uint64_t left(const struct reading *r)
{
	return r->q->limit - (r->p->count - r->count_before);
}

/* ---- One stream, by its versions. */

/* The stream's first version, if it begins behind `from`. */
static uint32_t first_version(struct reading *r, struct span stream, uint32_t from)
{
	uint32_t first;
	struct err e;

	return evlog_first(r->s, stream, r->end, &first, &e) > 0 && first > from ? first : from;
}

/* The first version from lo on whose event is not before r->begin, by bisection. */
static uint32_t version_at_begin(struct reading *r, struct span stream, uint32_t lo, uint32_t last)
{
	uint32_t from = lo;
	uint32_t hi = last + 1;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		struct frame f;
		struct err e;

		/* A damaged chain is no help: then all versions are looked at. */
		if (evlog_at(r->s, stream, mid, r->end, &f, &e) <= 0)
			return from;
		if (f.seq < r->begin)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/*
 * The versions that may be printed: of a long stream with --after, --since or -n, only a few
 * events are then looked at.  False: the stream has none of them.
 */
static bool narrow(struct reading *r, struct span stream, uint32_t *from, uint32_t *to)
{
	const struct query *q = r->q;
	bool counts = q->type_count == 0 && q->limit <= UINT32_MAX;
	uint32_t count = counts ? (uint32_t)left(r) : 0;
	struct frame head;
	struct err e;

	*from = q->from;
	*to = q->to;
	if (r->begin > 1 || (counts && q->reverse)) {
		int found = evlog_head(r->s, stream, r->end, &head, &e);

		if (found < 0)
			return true; /* damages_gather() knows what to do */
		if (found == 0 || head.version < *from || head.seq < r->begin)
			return false;
		if (head.version < *to)
			*to = head.version;
	}
	if (r->begin > 1)
		*from = version_at_begin(r, stream, first_version(r, stream, *from), *to);
	if (*from > *to)
		return false;
	if (counts && *to - *from >= count && q->reverse)
		*from = *to - count + 1;
	else if (counts && *to - *from >= count)
		*to = *from + count - 1;
	return true;
}

static void print_sequence(struct reading *r, uint64_t seq)
{
	struct frame f;

	if (seq < r->begin || !damages_get(&r->damages, r->s, seq, &f))
		return;
	if (query_has_type(r->q, f.type))
		printer_put(r->p, &f);
}

static void read_stream(struct reading *r, struct span stream)
{
	const struct seqs *seqs = &r->seqs;
	uint32_t from;
	uint32_t to;

	r->seqs.len = 0;
	r->count_before = r->p->count;
	if (left(r) == 0 || !narrow(r, stream, &from, &to))
		return;
	damages_gather(&r->damages, r->s, stream, from, to, r->end, &r->seqs);
	/* A stream that begins with a later version has more than these for -n. */
	if (to < r->q->to && (seqs->len == 0 || seqs->first > from)) {
		uint32_t first = first_version(r, stream, from);

		to = r->q->to - first < to - from ? r->q->to : first + (to - from);
		if (first > from && first <= to)
			damages_gather(&r->damages, r->s, stream, first, to, r->end, &r->seqs);
	}
	for (size_t i = 0; i < seqs->len && left(r) > 0; i++)
		print_sequence(r, seqs->v[r->q->reverse ? seqs->len - 1 - i : i]);
}

/* Names that were read together, to be looked up together. */
struct names {
	struct buf text;
	struct span name[NAMES_AT_ONCE];
	size_t count;
};

static void add_name(struct names *n, const struct input *in, struct span name, struct printer *p)
{
	struct err e;

	if (evlog_check_stream(name.p, name.len, &e) < 0) {
		input_locate(in, &e);
		printer_flush(p);
		fail(&e);
	}
	/* Where the text will move to is known when all of it is there. */
	n->name[n->count++] = (struct span){NULL, name.len};
	buf_add(&n->text, name.p, name.len);
}

/* Whether all of these streams exist. */
static bool read_together(struct reading *r, struct names *n)
{
	struct query one = *r->q;
	const char *at = n->text.data;
	bool all = true;
	struct err e;

	if (buf_ok(&n->text, &e) < 0)
		fail(&e);
	for (size_t i = 0; i < n->count; at += n->name[i++].len)
		n->name[i].p = at;
	evlog_warm(r->s, n->name, n->count);
	one.kind = SELECT_STREAM;
	for (size_t i = 0; i < n->count; i++) {
		one.name = n->name[i];
		read_stream(r, one.name);
		if (r->seqs.len == 0 && !query_exists(&one, r->s, r->end))
			all = false;
	}
	n->count = 0;
	buf_clear(&n->text);
	return all;
}

/* Names on stdin, one a line; whether all of these streams exist. */
static bool read_names(struct reading *r)
{
	struct names names = {.count = 0};
	enum input_step step = INPUT_LINE;
	struct input in;
	struct span name;
	struct err e;
	bool all = true;

	input_open(&in, (char *[]){NULL});
	while (step == INPUT_LINE || step == INPUT_PAUSE) {
		step = input_next(&in, &name, &e);
		if (step == INPUT_LINE)
			add_name(&names, &in, name, r->p);
		if ((step != INPUT_LINE || names.count == NAMES_AT_ONCE) &&
		    !read_together(r, &names))
			all = false;
		if (step == INPUT_PAUSE)
			printer_flush(r->p);
	}
	if (step == INPUT_BAD)
		fail(&e);
	buf_done(&names.text);
	input_close(&in);
	return all;
}

/* ---- Many streams, by sequence. */

/* Whether an event of one of the streams was seen. */
static bool read_log(struct reading *r)
{
	struct scan *sc = damages_scan(r->s, r->begin);
	struct frame f;
	bool seen = false;

	while (left(r) > 0 && damages_next(&r->damages, sc, r->end, &f)) {
		if (!query_has_name(r->q, f.stream))
			continue;
		seen = true;
		if (query_has_type(r->q, f.type))
			printer_put(r->p, &f);
	}
	scan_free(sc);
	return seen;
}

static bool read_log_backward(struct reading *r)
{
	bool seen = false;
	struct frame f;

	for (uint64_t seq = r->end; seq >= r->begin && left(r) > 0; seq--) {
		if (!damages_get(&r->damages, r->s, seq, &f) || !query_has_name(r->q, f.stream))
			continue;
		seen = true;
		if (query_has_type(r->q, f.type))
			printer_put(r->p, &f);
	}
	return seen;
}

int read_query(struct evlog *s, const struct query *q, struct printer *p)
{
	struct reading r = {.s = s, .q = q, .p = p, .end = evlog_durable(s)};
	bool exists;

	r.begin = query_begin(q, s, r.end);
	printer_begin(p, s);
	if (q->kind == SELECT_NAMES) {
		exists = read_names(&r);
	} else {
		if (q->kind == SELECT_STREAM) {
			read_stream(&r, q->name);
			exists = r.seqs.len > 0;
		} else {
			exists = q->reverse ? read_log_backward(&r) : read_log(&r);
		}
		exists = exists || query_exists(q, s, r.end);
	}
	printer_end(p, exists || q->kind == SELECT_NAMES);
	seqs_done(&r.seqs);
	return damages_status(&r.damages, exists ? TOOL_OK : TOOL_NO);
}

static void take_option(struct query *q, struct printer *p, struct place *place,
                        const struct opts *o, int id)
{
	if (query_option(q, o, id) || printer_option(p, o, id))
		return;
	switch (id) {
	case OPT_FROM:
		q->from = (uint32_t)opts_u64(o, 0, UINT32_MAX - 1);
		q->has_versions = true;
		break;
	case OPT_TO:
		q->to = (uint32_t)opts_u64(o, 0, UINT32_MAX - 1);
		q->has_versions = true;
		break;
	case OPT_SINCE:
		query_since(q, o);
		break;
	case 'n':
		q->limit = opts_u64(o, 0, UINT64_MAX - 1);
		break;
	case 'r':
		q->reverse = true;
		break;
	default:
		place_option(place, o, id);
	}
}

int read_run(struct opts *o)
{
	struct place place = {0};
	struct printer p = {0};
	struct query q;
	struct evlog *s;
	int status;

	query_init(&q);
	for (int id; (id = opts_next(o)) != -1;)
		take_option(&q, &p, &place, o, id);
	query_operand(&q, o, true);
	if (q.has_versions && q.kind != SELECT_STREAM && q.kind != SELECT_NAMES)
		tool_usage("--from and --to are versions of one stream; --after takes a sequence");
	s = place_open(&place);
	status = read_query(s, &q, &p);
	evlog_close(s);
	query_done(&q);
	return status;
}

/* ---- get */

struct wanted {
	struct span stream; /* len 0: by sequence */
	uint64_t number;    /* sequence or version */
};

/* SEQUENCE or STREAM@VERSION */
static struct wanted parse_wanted(const char *operand)
{
	const char *at = strrchr(operand, '@');
	struct wanted w = {.stream = {operand, 0}};
	struct err e;

	if (num_u64(at != NULL ? at + 1 : operand, 0, FRAME_SEQ_MAX, &w.number, &e) < 0)
		tool_usage("'%s' is neither a sequence nor STREAM@VERSION", operand);
	if (at == NULL)
		return w;
	w.stream.len = (size_t)(at - operand);
	if (evlog_check_stream(operand, w.stream.len, &e) < 0)
		tool_usage("%s", e.msg);
	return w;
}

static bool find(struct evlog *s, const struct wanted *w, struct damages *d, struct frame *f)
{
	uint64_t end = evlog_durable(s);
	uint32_t version = (uint32_t)w->number;
	struct seqs seqs = {0};
	struct err e;
	bool found;
	int r;

	if (w->stream.len == 0)
		return damages_get(d, s, w->number, f);
	if (w->number >= UINT32_MAX)
		return false;
	r = evlog_at(s, w->stream, version, end, f, &e);
	if (r < 0 && !damages_cause(&e))
		fail(&e);
	if (r >= 0)
		return r > 0;
	damages_gather(d, s, w->stream, version, version, end, &seqs);
	found = seqs.len > 0 && damages_get(d, s, seqs.v[0], f);
	seqs_done(&seqs);
	return found;
}

int get_run(struct opts *o)
{
	struct place place = {0};
	struct printer p = {0};
	struct damages damages = {0};
	struct wanted wanted;
	struct evlog *s;
	struct frame f;
	bool found;

	for (int id; (id = opts_next(o)) != -1;)
		if (!printer_option(&p, o, id))
			place_option(&place, o, id);
	opts_need(o, 1, 1, "SEQUENCE or STREAM@VERSION");
	wanted = parse_wanted(o->operands[0]);
	s = place_open(&place);
	found = find(s, &wanted, &damages, &f);
	printer_begin(&p, s);
	if (found)
		printer_put(&p, &f);
	printer_end(&p, found);
	evlog_close(s);
	return damages_status(&damages, found ? TOOL_OK : TOOL_NO);
}
