/*
 * handle: one command on one stream, from its state to its events.
 *
 * An attempt folds the stream, runs DECIDE and commits what it printed at the version that was
 * folded.  When other events came first nothing was written: they are folded too, and DECIDE runs
 * again; retry.h says when, turn.h keeps it fair.  Until the commit nothing has changed, so every
 * failure before it just ends the program.
 */
#include "handle.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "os/clock.h"

#define RETRY_FOR_NS (30 * CLOCK_NS_PER_SEC)

const struct opt handle_options[] = {
    {'e', "evolve", "FILE", "file", "the jq program that defines init and evolve($e)"},
    {OPT_INIT, "init", "JSON", NULL, "the state before all events, instead of init"},
    {'i', "id", "ID", NULL, "id of the command: it is carried out once"},
    {OPT_COMMAND, "command", "FILE", "file", "the command, JSON in a file or - for stdin"},
    {'m', "meta", "NAME=VALUE", NULL, "attribute of all events that do not bring it"},
    {OPT_TIMEOUT, "timeout", "DURATION", NULL, "DECIDE may take that long (60s)"},
    {OPT_RETRY_FOR, "retry-for", "DURATION", NULL, "try again that long after a conflict (30s)"},
    {OPT_DRY_RUN, "dry-run", NULL, NULL, "print the events and write nothing"},
    {'q', "quiet", NULL, NULL, "print no receipt"},
    {OPT_SNAPSHOT_EVERY, "snapshot-every", "N", NULL, "keep a state that took N events (1000)"},
    {OPT_STATUS_FD, "status-fd", "N", NULL, "lines of JSON there tell what happens"},
    {0},
};

/* ---- The command line. */

static void take_id(struct handle *h, const struct opts *o)
{
	struct err e;

	h->id = span_str(o->arg);
	if (evlog_check_name("id", h->id.p, h->id.len, &e) < 0)
		opts_bad(o, "%s", e.msg);
	if (h->id.len > HANDLED_ID_MAX)
		opts_bad(o, "more than %u bytes", HANDLED_ID_MAX);
}

static void take_option(struct handle *h, const struct opts *o, int id)
{
	switch (id) {
	case 'i':
		take_id(h, o);
		break;
	case 'm':
		meta_option(&h->parser, o);
		break;
	case 'q':
		h->quiet = true;
		break;
	case OPT_COMMAND:
		h->command_file = o->arg;
		break;
	case OPT_RETRY_FOR:
		h->retry.for_ns = opts_duration_ns(o);
		break;
	case OPT_DRY_RUN:
		h->dry_run = true;
		break;
	case OPT_STATUS_FD:
		status_option(&h->status, o);
		break;
	default:
		if (!fold_option(&h->spec, o, id))
			place_option(&h->place, o, id);
	}
}

static void read_command(struct handle *h)
{
	char *files[] = {(char *)(uintptr_t)h->command_file, NULL};
	struct json_doc doc;
	struct input in;
	struct span text;
	struct err e;

	input_open(&in, files);
	if (input_rest(&in, EVENT_LINE_MAX, &text, &e) != INPUT_LINE)
		fail(&e);
	if (json_scan(text.p, text.len, &doc, &e) < 0) {
		err_wrap(&e, "the command in '%s'", h->command_file);
		fail(&e);
	}
	json_compact(&h->command, &doc.value);
	input_close(&in);
	if (buf_ok(&h->command, &e) < 0)
		fail(&e);
}

static void take_command_line(struct handle *h, struct opts *o)
{
	struct err e;

	for (int id; (id = opts_next(o)) != -1;)
		take_option(h, o, id);
	opts_need(o, 1, 1, "STREAM");
	fold_check(&h->spec);
	if (o->command_count == 0)
		tool_usage("missing -- DECIDE");
	h->stream = stream_operand(o->operands[0]);
	if (h->id.len > 0 && h->stream.len > HANDLED_STREAM_MAX)
		tool_usage("with -i the stream's name may have %u bytes", HANDLED_STREAM_MAX);
	if (h->command_file != NULL)
		read_command(h);
	else if (decide_command(&h->command, o->command + 1, (size_t)o->command_count - 1, &e) < 0)
		fail(&e);
	h->decide.argv = o->command;
}

/* ---- Attempts. */

static int dry_run(struct handle *h)
{
	struct decide_cursor at = {0};
	struct event ev;
	struct err e;
	int r;

	while ((r = decide_next(&h->decide, &h->decided, &at, &h->parser, &ev, &e)) > 0)
		;
	if (r < 0)
		fail(&e);
	tool_write(h->decided.lines.data, h->decided.lines.len);
	if (h->decided.lines.len > 0 && h->decided.lines.data[h->decided.lines.len - 1] != '\n')
		tool_print("\n");
	return TOOL_OK;
}

struct expect handle_expected(const struct handle *h)
{
	return (struct expect){h->fold.exists ? EXPECT_VERSION : EXPECT_NONE, h->fold.version};
}

static void make_line(struct handle *h, struct span state)
{
	struct expect at = handle_expected(h);
	struct err e;

	buf_clear(&h->line);
	decide_line(&h->line, h->stream, &at, state,
	            (struct span){h->command.data, h->command.len});
	if (buf_ok(&h->line, &e) < 0)
		fail(&e);
}

static void tell_decided(struct handle *h)
{
	const struct decided *d = &h->decided;

	status_begin(&h->status, "decided");
	status_u64(&h->status, "try", h->tries);
	status_u64(&h->status, "status", (uint64_t)d->status);
	handle_tell(h);
}

/* Exit status, or -1: try again. */
static int attempt(struct handle *h)
{
	struct outcome o;

	h->tries++;
	if (!h->dry_run)
		handle_pass_turn(h);
	fold_update(&h->fold, UINT32_MAX);
	make_line(h, fold_state(&h->fold));
	h->decide.turn_until_ns = h->turn_until_ns;
	decide_run(&h->decide, (struct span){h->line.data, h->line.len}, &h->decided);
	if (h->decided.what == DECIDE_SIGNAL)
		return TOOL_SIGNAL + h->decided.status;
	tell_decided(h);
	if (h->decided.what == DECIDE_FAILS)
		tool_die(h->decided.exit, &h->decided.e);
	if (h->decided.what == DECIDE_REJECTS)
		return STATUS_REJECTED;
	if (h->dry_run)
		return dry_run(h);
	return handle_commit(h, &o) > 0 ? handle_report(h, &o) : -1;
}

static int carry_out(struct handle *h)
{
	struct outcome o;
	int status;

	if (h->id.len > 0 && handled_find(&h->handled, h->s, &o))
		return handle_report(h, &o);
	while ((status = attempt(h)) < 0)
		;
	return status;
}

static void open_all(struct handle *h)
{
	static const int signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, 0};
	static const char *env[2];
	struct err e;

	h->s = h->dry_run ? place_open(&h->place) : place_open_to_append(&h->place);
	buf_printf(&h->env, "EVLOG_STORE=%s", evlog_path(h->s));
	buf_add_char(&h->env, '\0');
	h->commit = commit_new();
	if (h->commit == NULL)
		tool_dief(TOOL_OSERR, "out of memory");
	if (buf_ok(&h->env, &e) < 0 || sig_open(&h->sig, signals, &e) < 0)
		fail(&e);
	evlog_set_stop(h->s, handle_is_told_to_end, h);
	env[0] = h->env.data;
	h->decide.env = env;
	h->decide.sig = &h->sig;
	h->decide.timeout_ms = h->spec.evolve.timeout_ms;
	h->decide.turn = &h->turn;
	h->spec.evolve.sig = &h->sig;
	h->parser.stream = h->stream;
	meta_environment(&h->parser);
	if (h->id.len > 0) {
		handled_init(&h->handled, h->stream, h->id);
		meta_environment(&h->handled.parser);
	}
	turn_init(&h->turn, h->s, h->stream);
	fold_open(&h->fold, h->s, h->stream, &h->spec);
}

static void close_all(struct handle *h)
{
	struct err e;

	/* What was written is safe by now, and the index can always be made anew. */
	if (evlog_maintain(h->s, &e) < 0)
		tool_warn("the index was not merged: %s", e.msg);
	fold_close(&h->fold);
	fold_spec_done(&h->spec);
	handled_done(&h->handled);
	event_parser_done(&h->parser);
	decide_done(&h->decided);
	status_done(&h->status);
	commit_free(h->commit);
	buf_done(&h->command);
	buf_done(&h->line);
	buf_done(&h->env);
	evlog_close(h->s);
	free(h);
}

int handle_run(struct opts *o)
{
	struct handle *h = tool_alloc(1, sizeof(*h));
	int status;

	h->retry.for_ns = RETRY_FOR_NS;
	h->status = STATUS_NONE;
	fold_spec_init(&h->spec);
	take_command_line(h, o);
	open_all(h);
	status = carry_out(h);
	close_all(h);
	return status;
}
