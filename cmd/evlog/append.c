/*
 * append: lines in, receipts out.
 *
 * The commit rule: what has arrived is committed as soon as no more input is ready, at the latest
 * after 1000 lines or 1 MiB.  So a slow pipe has each line on disk at once, and a fast one shares
 * a sync among a thousand.  An input that is one unit (--atomic, -x, -i, --raw, --batch) is
 * committed at its end only, or not at all.
 */
#include <stdlib.h>
#include <string.h>

#include "evlog.h"

#define LINES_DEFAULT 1000u
#define BYTES_PLAIN   (1u << 20)

const struct opt append_options[] = {
    {'t', "type", "TYPE", NULL, "type of the events; each line is the data alone"},
    {'x', "expect", "VERSION", "any none exists", "last version of the stream; implies --atomic"},
    {'i', "id", "ID", NULL, "id of the one event"},
    {'m', "meta", "NAME=VALUE", NULL, "attribute of all events that do not bring it"},
    {OPT_EACH, "each", NULL, NULL, "commit after every line"},
    {OPT_COMMIT, "commit", "N", NULL, "commit after N lines (1000)"},
    {OPT_ATOMIC, "atomic", NULL, NULL, "all of the input is one commit"},
    {OPT_RAW, "raw", NULL, NULL, "all of the input is the data of one event, any bytes"},
    {OPT_BATCH, "batch", NULL, NULL, "lines name their \"stream\"; one commit for all of them"},
    {OPT_CHECK, "check", "STREAM=VERSION", NULL, "batch: check a stream that is not written"},
    {'q', "quiet", NULL, NULL, "print no receipts"},
    {0},
};

struct check {
	struct span stream;
	struct expect expect;
};

struct append {
	struct place place;
	struct writer writer;
	struct input input;
	bool each, atomic, batch, raw, expects;
	uint64_t commit; /* 0: not given */
	struct check checks[COMMIT_CHECKS_MAX];
	size_t check_count;
	/* How input becomes commits: */
	bool whole;       /* all of it is one, or nothing happens */
	size_t lines_max; /* of a commit; whole: more is an error */
	size_t bytes_max;
	size_t bytes; /* of the lines in this one */
};

/* ---- The command line. */

static struct span name_option(const struct opts *o, const char *what)
{
	struct span name = {o->arg, strlen(o->arg)};
	struct err e;

	if (evlog_check_name(what, name.p, name.len, &e) < 0)
		opts_bad(o, "%s", e.msg);
	return name;
}

static void expect_option(const struct opts *o, const char *text, struct expect *ret)
{
	struct err e;

	if (expect_parse(text, strlen(text), ret, &e) < 0)
		opts_bad(o, "%s", e.msg);
}

/* STREAM=VERSION; a name may hold a '=', a version not. */
static void check_option(struct append *a, const struct opts *o)
{
	const char *equals = strrchr(o->arg, '=');
	struct check *c = &a->checks[a->check_count];
	struct err e;

	if (equals == NULL)
		opts_bad(o, "'%s' is not STREAM=VERSION", o->arg);
	if (a->check_count == COMMIT_CHECKS_MAX)
		opts_bad(o, "more than %u streams to check", COMMIT_CHECKS_MAX);
	c->stream = (struct span){o->arg, (size_t)(equals - o->arg)};
	if (evlog_check_stream(c->stream.p, c->stream.len, &e) < 0)
		opts_bad(o, "%s", e.msg);
	expect_option(o, equals + 1, &c->expect);
	a->check_count++;
}

static void take_options(struct append *a, struct opts *o)
{
	struct event_parser *p = &a->writer.parser;

	a->writer.receipts = true;
	for (int id; (id = opts_next(o)) != -1;)
		switch (id) {
		case 't':
			p->type = name_option(o, "type");
			break;
		case 'x':
			expect_option(o, o->arg, &p->expect);
			a->expects = true;
			break;
		case 'i':
			p->id = name_option(o, "id");
			break;
		case 'm':
			meta_option(p, o);
			break;
		case 'q':
			a->writer.receipts = false;
			break;
		case OPT_EACH:
			a->each = true;
			break;
		case OPT_COMMIT:
			a->commit = opts_u64(o, 1, COMMIT_EVENTS_MAX);
			break;
		case OPT_ATOMIC:
			a->atomic = true;
			break;
		case OPT_RAW:
			a->raw = true;
			break;
		case OPT_BATCH:
			a->batch = true;
			break;
		case OPT_CHECK:
			check_option(a, o);
			break;
		default:
			place_option(&a->place, o, id);
		}
}

static void refuse_both(bool one, bool other, const char *message)
{
	if (one && other)
		tool_usage("%s", message);
}

static void check_options(const struct append *a)
{
	bool pieces = a->each || a->commit > 0;

	refuse_both(a->each, a->commit > 0, "--each and --commit exclude each other");
	refuse_both(pieces, a->atomic, "--atomic is one commit: without --each and --commit");
	refuse_both(pieces, a->expects, "-x makes one commit: without --each and --commit");
	refuse_both(pieces, a->raw, "--raw is one event: without --each and --commit");
	refuse_both(a->batch, a->expects, "--batch has no -x: lines carry \"expect\"");
	refuse_both(a->batch, a->writer.parser.id.len > 0, "--batch has no -i: lines carry \"id\"");
	refuse_both(a->batch, a->raw, "--batch reads lines, --raw does not");
	refuse_both(!a->batch, a->check_count > 0, "--check goes with --batch only");
	refuse_both(a->raw, a->writer.parser.type.len == 0, "--raw needs a type: -t TYPE");
}

/* The operand STREAM; names that begin with '$' are for what the store itself records. */
struct span stream_operand(const char *s)
{
	struct span name = {s, strlen(s)};
	struct err e;

	if (evlog_check_stream(name.p, name.len, &e) < 0)
		tool_usage("%s", e.msg);
	if (*s == '$')
		tool_usage("stream '%s': names that begin with '$' are the store's own", s);
	return name;
}

/* How the input becomes commits. */
static void choose_mode(struct append *a)
{
	struct event_parser *p = &a->writer.parser;
	bool pieces = a->each || a->commit > 0;

	if (a->batch)
		p->form = EVENT_BATCH;
	else
		p->form = p->type.len > 0 ? EVENT_DATA : EVENT_OBJECT;
	a->whole = a->atomic || a->expects || p->id.len > 0 || (a->batch && !pieces);
	a->writer.mode = a->whole || a->batch ? COMMIT_ATOMIC : COMMIT_EACH;
	a->writer.prompt = a->each || a->commit == 1;
	a->lines_max = a->commit > 0 ? a->commit : a->each ? 1 : LINES_DEFAULT;
	if (a->whole)
		a->lines_max = p->id.len > 0 ? 1 : COMMIT_EVENTS_MAX;
	a->bytes_max = a->writer.mode == COMMIT_ATOMIC ? COMMIT_BYTES_MAX : BYTES_PLAIN;
}

/* ---- From lines to commits. */

static void commit(struct append *a)
{
	struct writer *w = &a->writer;
	struct err e;

	a->bytes = 0;
	if (writer_pending(w) == 0)
		return;
	for (size_t i = 0; i < a->check_count; i++)
		if (writer_check(w, a->checks[i].stream, a->checks[i].expect, &e) < 0)
			fail(&e);
	writer_commit(w);
}

/* The limits of an atomic commit; the line that passes one is named. */
static void check_limits(struct append *a, size_t len)
{
	struct err e;

	a->bytes += len + 1;
	if (a->whole && writer_pending(&a->writer) == a->lines_max) {
		if (a->writer.parser.id.len > 0)
			err_set(&e, EVLOG_BAD_EVENT, "a second event, but -i names one");
		else
			err_set(&e, EVLOG_BAD_EVENT,
			        "more than %u events in one commit; --commit N makes several",
			        COMMIT_EVENTS_MAX);
	} else if (a->writer.mode == COMMIT_ATOMIC && a->bytes > a->bytes_max) {
		err_set(&e, EVLOG_BAD_EVENT, "more than %zu MiB in one commit", a->bytes_max >> 20);
	} else {
		return;
	}
	input_locate(&a->input, &e);
	writer_refuse(&a->writer, &e);
}

/*
 * Is it time for a commit?  After a signal, what was read already goes out in large ones: nobody
 * waits for the receipt of a line, and each would cost a sync.
 */
static bool is_full(const struct append *a)
{
	size_t lines = a->lines_max;

	if (a->whole)
		return false;
	if (input_signal() != 0 && a->writer.mode == COMMIT_EACH && lines < LINES_DEFAULT)
		lines = LINES_DEFAULT;
	return writer_pending(&a->writer) >= lines || a->bytes >= a->bytes_max;
}

static void take_line(struct append *a, struct span line)
{
	struct event_parser *p = &a->writer.parser;
	struct event ev;
	struct err e;

	check_limits(a, line.len);
	if (event_parse(p, line.p, line.len, &ev, &e) < 0) {
		input_locate(&a->input, &e);
		writer_refuse(&a->writer, &e);
	}
	writer_add(&a->writer, &ev, &a->input);
	p->expect = (struct expect){EXPECT_ANY, 0}; /* -x is about the first event */
	if (is_full(a))
		commit(a);
}

/* A signal ends the input where a commit could end; what is one unit then never happened. */
static int stop(struct append *a)
{
	if (a->writer.mode == COMMIT_EACH)
		commit(a);
	writer_settle(&a->writer);
	return TOOL_SIGNAL + input_signal();
}

static int append_lines(struct append *a)
{
	struct span line;
	struct err e;

	for (;;)
		switch (input_next(&a->input, &line, &e)) {
		case INPUT_LINE:
			take_line(a, line);
			break;
		case INPUT_PAUSE:
			if (a->writer.mode == COMMIT_EACH)
				commit(a);
			writer_settle(&a->writer);
			break;
		case INPUT_END:
			commit(a);
			writer_settle(&a->writer);
			return TOOL_OK;
		case INPUT_STOP:
			return stop(a);
		case INPUT_BAD:
			writer_refuse(&a->writer, &e);
		}
}

static int append_raw(struct append *a)
{
	struct span bytes;
	struct event ev;
	struct err e;

	switch (input_rest(&a->input, EVENT_RAW_MAX, &bytes, &e)) {
	case INPUT_STOP:
		return TOOL_SIGNAL + input_signal();
	case INPUT_BAD:
		fail(&e);
	default:
		break;
	}
	if (event_raw(&a->writer.parser, bytes.p, bytes.len, &ev, &e) < 0)
		fail(&e);
	writer_add(&a->writer, &ev, &a->input);
	writer_commit(&a->writer);
	writer_settle(&a->writer);
	return TOOL_OK;
}

int append_run(struct opts *o)
{
	struct append *a = tool_alloc(1, sizeof(*a));
	int status;

	take_options(a, o);
	check_options(a);
	if (!a->batch) {
		opts_need(o, 1, -1, "STREAM");
		a->writer.parser.stream = stream_operand(o->operands[0]);
	}
	choose_mode(a);
	meta_environment(&a->writer.parser);
	a->writer.store = place_open_to_append(&a->place);
	writer_init(&a->writer);
	input_catch_signals();
	input_open(&a->input, o->operands + (a->batch ? 0 : 1));
	status = a->raw ? append_raw(a) : append_lines(a);
	input_close(&a->input);
	evlog_close(a->writer.store);
	writer_done(&a->writer);
	free(a);
	return status;
}
