/* shrink: what makes a store smaller: rm, retain, compact. */
#include <stdlib.h>
#include <string.h>

#include "base/json_out.h"
#include "evlog.h"
#include "evlog/retain.h"
#include "evlog/shrink.h"

const struct opt rm_options[] = {
    {OPT_HARD, "hard", NULL, NULL, "for good: nothing can be appended to it any more"},
    {'x', "expect", "VERSION", "any exists", "only when this is its last version"},
    {'q', "quiet", NULL, NULL, "print no receipt"},
    {0},
};

const struct opt retain_options[] = {
    {OPT_MAX_AGE, "max-age", "DURATION", NULL, "events that were recorded within this time"},
    {OPT_MAX_COUNT, "max-count", "N", NULL, "the newest N events of each stream"},
    {OPT_BEFORE, "before", "VERSION", NULL, "no events before this version"},
    {OPT_NONE, "none", NULL, NULL, "end the rule: keep all"},
    {0},
};

const struct opt compact_options[] = {
    {OPT_DRY_RUN, "dry-run", NULL, NULL, "only say what would go from which file"},
    {OPT_FORCE, "force", NULL, NULL, "also what consumers have not seen"},
    {'q', "quiet", NULL, NULL, "print no total"},
    {0},
};

/* ---- Events of our own: they get id and attributes as any other. */

enum deletion { DELETES_NOTHING, DELETES_SOFT, DELETES_HARD };

static void write_event(struct writer *w, const char *type, struct span data, enum deletion d)
{
	static const struct input none;
	struct event ev;
	struct err e;

	w->mode = COMMIT_ATOMIC;
	w->parser.form = EVENT_DATA;
	w->parser.type = span_str(type);
	meta_environment(&w->parser);
	writer_init(w);
	if (event_parse(&w->parser, data.p, data.len, &ev, &e) < 0)
		fail(&e);
	if (d != DELETES_NOTHING)
		event_deletes(&ev, d == DELETES_HARD);
	writer_add(w, &ev, &none);
	writer_commit(w);
	writer_settle(w);
	writer_done(w);
}

/* ---- rm */

int rm_run(struct opts *o)
{
	struct place place = {0};
	struct writer *w = tool_alloc(1, sizeof(*w));
	struct event_parser *p = &w->parser;
	bool hard = false;
	struct err e;

	w->receipts = true;
	for (int id; (id = opts_next(o)) != -1;)
		switch (id) {
		case OPT_HARD:
			hard = true;
			break;
		case 'x':
			if (expect_parse(o->arg, strlen(o->arg), &p->expect, &e) < 0)
				opts_bad(o, "%s", e.msg);
			break;
		case 'q':
			w->receipts = false;
			break;
		default:
			place_option(&place, o, id);
		}
	opts_need(o, 1, 1, "STREAM");
	p->stream = span_str(o->operands[0]);
	if (evlog_check_stream(p->stream.p, p->stream.len, &e) < 0)
		tool_usage("%s", e.msg);
	if (span_is(p->stream, span_str(RETAIN_STREAM)))
		tool_usage("stream '%s' has the rules of retention; 'evlog retain SELECTOR --none' "
		           "ends one",
		           o->operands[0]);
	w->store = place_open(&place);
	write_event(w, FRAME_DELETED_TYPE, span_str("null"), hard ? DELETES_HARD : DELETES_SOFT);
	evlog_close(w->store);
	free(w);
	return TOOL_OK;
}

/* ---- retain */

struct retain {
	struct retain_rule rule; /* of the command line */
	bool sets, none;
	struct buf data, other; /* of the rule, and of the one that stands */
};

static void take_limit(struct retain *r, const struct opts *o, int id)
{
	r->sets = true;
	switch (id) {
	case OPT_MAX_AGE:
		r->rule.max_age_ns = (uint64_t)opts_duration_ns(o);
		r->rule.max_age = span_str(o->arg);
		break;
	case OPT_MAX_COUNT:
		r->rule.max_count = (uint32_t)opts_u64(o, 1, UINT32_MAX);
		break;
	default:
		r->rule.before = (uint32_t)opts_u64(o, 1, UINT32_MAX - 1);
	}
}

static void take_selector(struct retain *r, const char *operand)
{
	struct query q;

	query_init(&q);
	query_select(&q, operand);
	query_done(&q);
	if (strcmp(operand, RETAIN_STREAM) == 0)
		tool_usage("stream '%s' has the rules themselves", operand);
	r->rule.selector = span_str(operand);
}

/* Print the rules, or that of the selector. */
static int print_rule(const struct retain_rule *rule, void *arg, struct err *e)
{
	struct retain *r = arg;

	if (r->rule.selector.len > 0 && !span_is(rule->selector, r->rule.selector))
		return 0;
	buf_clear(&r->data);
	retain_put(&r->data, rule);
	buf_add_char(&r->data, '\n');
	if (buf_ok(&r->data, e) < 0)
		return -1;
	tool_write(r->data.data, r->data.len);
	r->none = false;
	return 0;
}

static int find_rule(const struct retain_rule *rule, void *arg, struct err *e)
{
	struct retain *r = arg;

	if (!span_is(rule->selector, r->rule.selector))
		return 0;
	retain_put(&r->other, rule);
	return buf_ok(&r->other, e) < 0 ? -1 : 1;
}

/* Write the rule unless it stands already: 1 when there is none to end. */
static int set_rule(struct retain *r, struct evlog *s)
{
	struct writer *w;
	struct err e;

	if (evlog_each_rule(s, find_rule, r, &e) < 0)
		fail(&e);
	if (r->none && r->other.len == 0)
		return TOOL_NO;
	retain_put(&r->data, &r->rule);
	if (buf_ok(&r->data, &e) < 0)
		fail(&e);
	if (r->other.len == r->data.len && memcmp(r->data.data, r->other.data, r->data.len) == 0)
		return TOOL_OK;
	w = tool_alloc(1, sizeof(*w));
	w->store = s;
	w->parser.stream = span_str(RETAIN_STREAM);
	write_event(w, RETAIN_TYPE, (struct span){r->data.data, r->data.len}, DELETES_NOTHING);
	free(w);
	return TOOL_OK;
}

int retain_run(struct opts *o)
{
	struct place place = {0};
	struct retain r = {.sets = false};
	struct evlog *s;
	struct err e;
	int status;

	for (int id; (id = opts_next(o)) != -1;)
		if (id == OPT_NONE)
			r.none = true;
		else if (id == OPT_MAX_AGE || id == OPT_MAX_COUNT || id == OPT_BEFORE)
			take_limit(&r, o, id);
		else
			place_option(&place, o, id);
	opts_need(o, r.sets || r.none ? 1 : 0, 1, "STREAM or PREFIX*");
	if (r.sets && r.none)
		tool_usage("--none ends a rule and takes no limits");
	if (o->operand_count > 0)
		take_selector(&r, o->operands[0]);
	s = place_open(&place);
	if (r.sets || r.none) {
		status = set_rule(&r, s);
	} else {
		r.none = r.rule.selector.len > 0;
		if (evlog_each_rule(s, print_rule, &r, &e) < 0)
			fail(&e);
		status = r.none ? TOOL_NO : TOOL_OK;
	}
	evlog_close(s);
	buf_done(&r.data);
	buf_done(&r.other);
	return status;
}

/* ---- compact */

static int say_held(const struct compact_held *h, void *arg, struct err *e)
{
	(void)arg;
	(void)e;
	tool_warn("consumer '%s' is at %020ju: %ju events (%ju bytes) that it has not seen stay; "
	          "--force removes them",
	          h->cursor, (uintmax_t)h->sequence, (uintmax_t)h->events, (uintmax_t)h->bytes);
	return 0;
}

/* {"file":"log/...","events":3,"bytes":400}, or the total with its segments. */
static void print_counts(const char *file, uint64_t events, uint64_t bytes, uint64_t segments)
{
	struct buf b = {0};
	struct err e;

	buf_add_char(&b, '{');
	if (file != NULL) {
		json_out_key(&b, "file");
		json_out_string(&b, file, strlen(file));
	}
	json_out_key(&b, "events");
	json_out_u64(&b, events);
	json_out_key(&b, "bytes");
	json_out_u64(&b, bytes);
	if (file == NULL) {
		json_out_key(&b, "segments");
		json_out_u64(&b, segments);
	}
	buf_add_str(&b, "}\n");
	if (buf_ok(&b, &e) < 0)
		fail(&e);
	tool_write(b.data, b.len);
	buf_done(&b);
}

static int print_part(const struct compact_part *p, void *arg, struct err *e)
{
	(void)arg;
	(void)e;
	print_counts(p->file, p->events, p->bytes, 0);
	return 0;
}

int compact_run(struct opts *o)
{
	struct place place = {0};
	struct compact_hooks hooks = {.held = say_held};
	struct compact_total total;
	bool dry_run = false, force = false, quiet = false;
	struct evlog *s;
	struct err e;
	int r;

	for (int id; (id = opts_next(o)) != -1;)
		switch (id) {
		case OPT_DRY_RUN:
			dry_run = true;
			hooks.part = print_part;
			break;
		case OPT_FORCE:
			force = true;
			break;
		case 'q':
			quiet = true;
			break;
		default:
			place_option(&place, o, id);
		}
	opts_need(o, 0, 0, NULL);
	s = place_open(&place);
	r = evlog_compact(s, dry_run, force, &hooks, &total, &e);
	if (!quiet && (r == 0 || total.segments > 0))
		print_counts(NULL, total.events, total.bytes, total.segments);
	if (r < 0)
		fail(&e);
	evlog_close(s);
	return TOOL_OK;
}
