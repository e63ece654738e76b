/*
 * project: from events to a model: options, who may work on it, and its mark.
 */
#include "project.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/id.h"
#include "base/text.h"
#include "evlog/idiom.h"
#include "evlog/modelref.h"
#include "os/clock.h"
#include "os/wait.h"

#define COUNT_DEFAULT 1000
#define SCHEMA_MAX    (16u << 20)

const struct opt project_options[] = {
    {OPT_ALL, "all", NULL, NULL, "events of all streams, as without a selector"},
    {'j', "jq", "FILE", "file", "the program: what an event changes in the model"},
    {OPT_INTO, "into", "TARGET", NULL, "sqlite:DB, file:DIR or cmd:COMMAND"},
    {OPT_SCHEMA, "schema", "FILE", "file", "SQL that makes the tables of a new database"},
    {'n', "count", "N", NULL, "events of a batch, at most (1000)"},
    {'f', "follow", NULL, NULL, "go on with what comes"},
    {OPT_ONCE, "once", NULL, NULL, "end with what was there at the start, the default"},
    {OPT_REBUILD, "rebuild", NULL, NULL, "make the model anew beside the one that is there"},
    {OPT_ACCEPT, "accept", NULL, NULL, "take a changed program from here on"},
    {OPT_PARK, "park", NULL, NULL, "set aside events that cannot be taken, and go on"},
    {OPT_SKIP_DAMAGED, "skip-damaged", NULL, NULL,
     "pass over damage in the log, exit 8 at the end"},
    {OPT_TIMEOUT, "timeout", "DURATION", NULL, "for a batch; then exit 124"},
    {OPT_STATUS_FD, "status-fd", "N", NULL, "a line of JSON for each batch"},
    {OPT_CHECK, "check", NULL, NULL, "run nothing; look for what is slow in the program"},
    {0},
};

/* ---- The command line. */

static void take_option(struct project *p, struct opts *o, int id, const char **file, bool *all,
                        bool *once)
{
	switch (id) {
	case OPT_ALL:
		*all = true;
		break;
	case 'j':
		*file = o->arg;
		break;
	case OPT_INTO:
		p->into = o->arg;
		break;
	case OPT_SCHEMA:
		p->schema_file = o->arg;
		break;
	case 'n':
		p->count = (size_t)opts_u64(o, 1, FEED_BATCH_MAX);
		break;
	case 'f':
		p->follow = true;
		break;
	case OPT_ONCE:
		*once = true;
		break;
	case OPT_REBUILD:
		p->rebuild = true;
		break;
	case OPT_ACCEPT:
		p->accept = true;
		break;
	case OPT_PARK:
		p->park = true;
		break;
	case OPT_SKIP_DAMAGED:
		p->skip_damaged = true;
		break;
	case OPT_TIMEOUT:
		p->timeout_ns = opts_duration_ns(o);
		break;
	case OPT_STATUS_FD:
		status_option(&p->status, o);
		break;
	case OPT_CHECK:
		p->check = true;
		break;
	default:
		place_option(&p->place, o, id);
	}
}

static void take_target(struct project *p)
{
	static const struct target *const targets[] = {&target_sqlite, &target_file, &target_cmd};
	const char *rest;

	if (p->into == NULL)
		tool_usage("missing --into TARGET");
	p->kind = target_parse(p->into, &rest);
	p->target = targets[p->kind];
	if (p->kind == TARGET_CMD)
		buf_add(&p->path, rest, strlen(rest) + 1);
	else
		target_path(rest, &p->path);
	if (p->schema_file != NULL && p->kind != TARGET_SQLITE)
		tool_usage("--schema is for sqlite: targets");
	if (!p->rebuild)
		return;
	if (p->kind == TARGET_CMD)
		tool_usage(
		    "--rebuild is not for cmd: targets; 'evlog cursor set %s 0' gives COMMAND "
		    "all events again",
		    p->name);
	if (p->kind == TARGET_SQLITE && p->schema_file == NULL)
		tool_usage("--rebuild needs --schema FILE for the tables of the new database");
}

static void take_options(struct project *p, struct opts *o)
{
	const char *file = NULL;
	bool all = false;
	bool once = false;
	struct err e;

	for (int id; (id = opts_next(o)) != -1;)
		take_option(p, o, id, &file, &all, &once);
	if (once && p->follow)
		tool_usage("--once and -f exclude each other");
	if (p->rebuild && p->accept)
		tool_usage("--rebuild and --accept exclude each other");
	opts_need(o, p->check ? 0 : 1, all ? 1 : 2, "NAME");
	if (file == NULL)
		tool_usage("missing -j FILE: the jq program");
	mapper_read(&p->map, file);
	if (p->check)
		return;
	p->name = o->operands[0];
	p->operand = o->operands[1];
	if (cursor_check_name(p->name, &e) < 0)
		tool_usage("%s", e.msg);
	p->selector = claim_select(p->operand, &p->q);
	take_target(p);
	if (p->schema_file != NULL &&
	    file_read(AT_FDCWD, p->schema_file, SCHEMA_MAX, &p->schema, &e) < 0)
		fail(&e);
	if (p->schema_file != NULL && p->schema.len == 0)
		tool_dief(TOOL_DATA, "'%s' is empty", p->schema_file);
	if (p->schema.len > 0 && !text_is_utf8(p->schema.data, p->schema.len))
		tool_dief(TOOL_DATA, "'%s' is no UTF-8", p->schema_file);
}

/* ---- What all parts need. */

bool project_take_signals(struct project *p)
{
	struct sig_got got;

	while (sig_next(&p->sig, &got) > 0) {
		p->at_once = p->at_once || p->signal != 0;
		if (p->signal == 0)
			p->signal = got.signal;
	}
	return p->at_once;
}

int64_t project_deadline(const struct project *p)
{
	return p->timeout_ns == 0 ? WAIT_FOREVER : clock_mono_ns() + p->timeout_ns;
}

int project_waited(struct project *p, enum coproc_result r, const char *who, const struct err *e)
{
	switch (r) {
	case COPROC_TIMEOUT:
		p->at_once = true;
		tool_warn("%s needs longer than --timeout for a batch", who);
		return TOOL_TIMEOUT;
	case COPROC_SIGNAL:
		return project_take_signals(p) ? TOOL_SIGNAL + p->signal : PROJECT_ON;
	default:
		tool_warn("%s: %s", who, e->msg);
		return e->code == EMSGSIZE ? TOOL_DATA : status_of(e);
	}
}

/* ---- The mark. */

static void note_event(struct project *p, struct mark *m)
{
	struct frame f;
	struct err e;

	m->event_ns = 0;
	if (m->sequence > 0 && evlog_get(p->s, m->sequence, &f, &e) > 0)
		m->event_ns = f.time_ns;
}

struct mark project_mark_at(struct project *p, uint64_t seq)
{
	struct mark m = p->mark;

	m.sequence = seq;
	note_event(p, &m);
	return m;
}

int project_save_cursor(struct project *p)
{
	struct cursor_state *state = cursor_state(p->cursor);
	struct err e;

	state->sequence = p->mark.sequence;
	memcpy(state->program, p->mark.program, sizeof(state->program));
	memcpy(state->selector, p->mark.selector, sizeof(state->selector));
	if (cursor_save(p->cursor, clock_wall_ns(), &e) < 0)
		return fail_soft(&e);
	p->saved_ns = clock_mono_ns();
	return PROJECT_ON;
}

int project_told(struct project *p)
{
	struct err e;

	return status_end(&p->status, &e) < 0 ? fail_soft(&e) : PROJECT_ON;
}

int project_follow(struct project *p)
{
	if (p->mark.sequence == cursor_state(p->cursor)->sequence)
		return PROJECT_ON;
	return project_save_cursor(p);
}

/* Where the model has no mark of its own the cursor is the mark. */
int project_moved(struct project *p, const struct change *c)
{
	int status = PROJECT_ON;

	p->mark = c->to;
	if (p->rebuild)
		return PROJECT_ON;
	if (p->kind == TARGET_CMD || clock_mono_ns() - p->saved_ns >= PROJECT_FOLLOW_NS)
		status = project_save_cursor(p);
	if (status != PROJECT_ON)
		return status;
	status_begin(&p->status, "applied");
	status_seq(&p->status, "last", p->mark.sequence);
	status_u64(&p->status, "count", c->count);
	return project_told(p);
}

/* ---- Opening. */

/* "sqlite:/where/it/is.db" */
static void put_target(const struct project *p, struct buf *b)
{
	struct err e;

	buf_add(b, p->into, (size_t)(strchr(p->into, ':') + 1 - p->into));
	buf_add_str(b, p->path.data);
	buf_add_char(b, '\0');
	if (buf_ok(b, &e) < 0)
		fail(&e);
}

int project_settle(struct project *p)
{
	struct buf target = {0};
	struct err e;
	int status = project_save_cursor(p);

	if (status != PROJECT_ON)
		return status;
	put_target(p, &target);
	if (modelref_save(p->s, p->name, target.data, &e) < 0)
		status = fail_soft(&e);
	buf_done(&target);
	p->settled = p->settled || status == PROJECT_ON;
	return status;
}

/* One name has one cursor: that of a consumer, or of a group of them, is none for us. */
static void check_cursor(const struct project *p)
{
	const struct cursor_state *state = cursor_state(p->cursor);
	struct group g = {.has_plain = false};

	group_find(p->s, p->name, &g);
	if (g.members > 0 ||
	    (strcmp(state->program, "-") == 0 && strcmp(state->selector, "-") != 0))
		tool_dief(TOOL_CONFIG, "'%s' is the name of a consumer; use another one", p->name);
}

static int refuse(const struct project *p, const char *why)
{
	if (p->kind == TARGET_CMD)
		tool_warn("%s: %s; 'evlog cursor rm %s' begins anew", p->name, why, p->name);
	else
		tool_warn("%s: %s; --rebuild makes the model anew", p->name, why);
	return TOOL_CONFIG;
}

/* May this program go on with this model? */
static int check_mark(struct project *p)
{
	const struct cursor_state at = {.sequence = p->mark.sequence, .event_ns = p->mark.event_ns};

	if (!cursor_fits_log(p->s, &at))
		return refuse(p, "the store has lost events that are in the model");
	if (strcmp(p->mark.selector, p->selector) != 0) {
		tool_warn("%s: the model is of %s, not of %s", p->name, p->mark.selector,
		          p->selector);
		return refuse(p, "the selector is another one than the last time");
	}
	if (strcmp(p->mark.program, p->map.hash) == 0)
		return PROJECT_ON;
	if (!p->accept)
		return refuse(p, "the program is another one than the last time "
		                 "(--accept takes it from here on)");
	memcpy(p->mark.program, p->map.hash, sizeof(p->mark.program));
	return p->target->accept(p);
}

/* A slip of --into shall not make a second model in silence, and leave the first one behind. */
static int check_place(const struct project *p)
{
	struct buf old = {0};
	struct buf now = {0};
	struct err e;
	int status = PROJECT_ON;
	int r = modelref_read(p->s, p->name, &old, &e);

	if (r < 0)
		return fail_soft(&e);
	put_target(p, &now);
	if (r > 0 && strcmp(old.data, now.data) != 0 &&
	    (p->kind != TARGET_CMD || strncmp(old.data, "cmd:", 4) != 0)) {
		tool_warn("%s: its model is %s", p->name, old.data);
		status = refuse(p, "that is another place than the last time");
	}
	buf_done(&old);
	buf_done(&now);
	return status;
}

/* A program that does not compile makes no model, and is told of although there may be no event. */
static int open_model(struct project *p, bool is_new)
{
	bool try_it = is_new || p->rebuild || p->accept;
	bool there = p->kind != TARGET_CMD && access(p->path.data, F_OK) == 0;
	int status = try_it ? pipeline_try(p) : PROJECT_ON;

	if (status == PROJECT_ON && !is_new && !p->rebuild && !there)
		status = check_place(p);
	if (status == PROJECT_ON)
		status = p->target->open(p);
	if (status == PROJECT_ON && !is_new && !p->rebuild && there && p->mark.program[0] == '\0')
		status = check_place(p);
	if (status != PROJECT_ON)
		return status;
	if (p->mark.program[0] != '\0')
		return check_mark(p);
	memcpy(p->mark.program, p->map.hash, sizeof(p->mark.program));
	memcpy(p->mark.selector, p->selector, strlen(p->selector) + 1);
	return try_it ? PROJECT_ON : pipeline_try(p);
}

static int work(struct project *p, bool is_new)
{
	struct feed_spec spec = {.query = &p->q,
	                         .count_max = p->count,
	                         .follow = p->follow,
	                         .skip_damaged = p->skip_damaged,
	                         .sig = &p->sig};
	int status = open_model(p, is_new);

	if (status == PROJECT_ON && !p->rebuild)
		status = project_settle(p);
	if (status != PROJECT_ON)
		return status;
	status_begin(&p->status, "taken");
	status_seq(&p->status, "last", p->mark.sequence);
	status = project_told(p);
	if (status != PROJECT_ON)
		return status;
	spec.after = p->mark.sequence;
	p->feed = feed_open(p->s, &spec);
	status = pipeline_run(p);
	feed_close(p->feed);
	return status;
}

static int run(struct project *p)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP, 0};
	const struct cursor_id id = {.name = p->name};
	bool is_new;
	struct err e;
	int status;
	int saved;

	p->s = place_open(&p->place);
	id_put_hex(p->store, evlog_uuid(p->s));
	p->cursor = claim_take(p->s, &p->place, &id, &is_new);
	check_cursor(p);
	if (sig_open(&p->sig, signals, &e) < 0)
		fail(&e);
	status = work(p, is_new);
	p->target->close(p);
	/* What is in the model is there, however this ends. */
	saved = p->settled ? project_follow(p) : PROJECT_ON;
	status = saved != PROJECT_ON && status == TOOL_OK ? saved : status;
	status_begin(&p->status, "ended");
	status_u64(&p->status, "status", (uint64_t)status);
	status_seq(&p->status, "last", p->mark.sequence);
	saved = project_told(p);
	mapper_done(&p->map);
	sig_close(&p->sig);
	cursor_close(p->cursor);
	evlog_close(p->s);
	return saved != PROJECT_ON && status == TOOL_OK ? saved : status;
}

/* ---- --check */

static void print_idiom(const struct idiom *found, void *arg)
{
	struct project *p = arg;

	p->status_of_check = TOOL_NO;
	tool_printf("%s:%u: %.*s: %s\n", p->map.file, found->line, (int)found->word.len,
	            found->word.p, found->what);
}

static int check(struct project *p)
{
	int status = pipeline_try(p);

	if (status != PROJECT_ON)
		return status;
	p->status_of_check = TOOL_OK;
	idiom_each(program_span(&p->map.program), print_idiom, p);
	return p->status_of_check;
}

int project_run(struct opts *o)
{
	struct project p = {.count = COUNT_DEFAULT, .status = STATUS_NONE, .sig = {.fd = -1}};
	int status;

	query_init(&p.q);
	take_options(&p, o);
	status = p.check ? check(&p) : run(&p);
	mapper_done(&p.map);
	query_done(&p.q);
	status_done(&p.status);
	buf_done(&p.path);
	buf_done(&p.schema);
	return status;
}
