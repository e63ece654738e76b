/* example: the given events are folded, DECIDE is asked, what it answers is folded too. */
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "os/clock.h"
#include "spec.h"

#define BEGIN_NS (INT64_C(946684800) * CLOCK_NS_PER_SEC) /* 2000-01-01, a second an event */

static void fails(struct spec *sp, const struct err *e)
{
	sp->outcome = "failed";
	sp->why = *e;
}

/* False: the program that folds did not do its work, and is started anew for the next example. */
static bool check(struct spec *sp, enum coproc_result r, struct err *e)
{
	if (r == COPROC_READY)
		return true;
	if (r == COPROC_FAILED && e->code != EBADMSG)
		tool_die(evolve_status(e), e);
	if (r != COPROC_FAILED)
		err_set(e, ETIMEDOUT, "'%s' took longer than %jd ms", sp->fold.evolve.file,
		        (intmax_t)sp->fold.evolve.timeout_ms);
	fails(sp, e);
	evolve_close(sp->evolve);
	sp->evolve = NULL;
	return false;
}

/* Show an event to the program that folds, and, when `out` is not NULL, put it there too. */
static bool add_event(struct spec *sp, const struct event *ev, struct buf *out)
{
	char id[6 + TEXT_U64_LEN];
	struct frame f = {.kind = FRAME_EVENT,
	                  .flag = FRAME_PLAIN,
	                  .version = sp->version,
	                  .seq = sp->version + 1,
	                  .time_ns = (uint64_t)(BEGIN_NS + sp->version * CLOCK_NS_PER_SEC),
	                  .stream = ev->stream,
	                  .type = ev->type,
	                  .id = ev->id,
	                  .attrs = ev->attrs,
	                  .data = ev->data};
	struct err e;

	if (f.id.len == 0) {
		memcpy(id, "event-", 6);
		f.id = (struct span){id, 6 + text_put_u64(id + 6, sp->version)};
	}
	sp->version++;
	if (out != NULL) {
		if (out->len > 1)
			buf_add_char(out, ',');
		event_put_json(out, &sp->writer, &f);
	}
	event_put_json(evolve_event(sp->evolve), &sp->writer, &f);
	return check(sp, evolve_event_done(sp->evolve, &e), &e);
}

static bool fetch_state(struct spec *sp)
{
	struct span state;
	struct err e;

	if (!check(sp, evolve_state(sp->evolve, &state, &e), &e))
		return false;
	buf_clear(&sp->state);
	buf_add(&sp->state, state.p, state.len);
	return true;
}

static bool fold_given(struct spec *sp, const struct json_value *given)
{
	struct span rest = {"", 0};
	struct span element;
	struct event ev;
	struct err e;

	if (sp->fold.evolve.file == NULL)
		tool_usage("what folds the events is missing: -e FILE, or a line with \"evolve\"");
	if (sp->evolve == NULL)
		sp->evolve = evolve_open(&sp->fold.evolve);
	evolve_reset(sp->evolve);
	sp->version = 0;
	if (given != NULL)
		rest = spec_elements(sp, given, "given");
	while (spec_next_element(&rest, &element)) {
		if (event_parse(&sp->parser, element.p, element.len, &ev, &e) < 0) {
			err_wrap(&e, "\"given\"");
			spec_bad_line(sp, &e);
		}
		if (!add_event(sp, &ev, NULL))
			return false;
	}
	return fetch_state(sp);
}

static void take_decision(struct spec *sp, const struct decide_spec *spec)
{
	struct decide_cursor at = {0};
	struct event ev;
	struct err e;
	int r;

	while ((r = decide_next(spec, &sp->decided, &at, &sp->parser, &ev, &e)) > 0)
		if (!add_event(sp, &ev, &sp->got))
			return;
	if (r < 0)
		fails(sp, &e);
	else if (fetch_state(sp))
		sp->outcome = "decided";
}

static void decide(struct spec *sp, const struct json_value *when)
{
	static const char *const env[] = {"EVLOG_STORE", NULL}; /* no store of anybody's */
	char *argv[2 * SPEC_ARGS_MAX + 1] = {NULL};
	const struct decide_spec spec = {.argv = argv,
	                                 .env = env,
	                                 .timeout_ms = sp->fold.evolve.timeout_ms,
	                                 .keep_stderr = true};
	struct expect at = {sp->version > 0 ? EXPECT_VERSION : EXPECT_NONE, sp->version - 1};
	struct err e;

	memcpy(argv, sp->decide.v, sp->decide.count * sizeof(*argv));
	memcpy(argv + sp->decide.count, sp->args.v, sp->args.count * sizeof(*argv));
	buf_clear(&sp->command);
	buf_clear(&sp->input);
	if (when != NULL)
		json_compact(&sp->command, when);
	else if (decide_command(&sp->command, sp->args.v, sp->args.count, &e) < 0)
		spec_bad_line(sp, &e);
	decide_line(&sp->input, sp->parser.stream, &at,
	            (struct span){sp->state.data, sp->state.len},
	            (struct span){sp->command.data, sp->command.len});
	if (buf_ok(&sp->input, &e) < 0 || buf_ok(&sp->command, &e) < 0)
		fail(&e);
	decide_run(&spec, (struct span){sp->input.data, sp->input.len}, &sp->decided);
	if (sp->decided.what == DECIDE_REJECTS)
		sp->outcome = "rejected";
	else if (sp->decided.what == DECIDED)
		take_decision(sp, &spec);
	else
		fails(sp, &sp->decided.e);
}

void example_run(struct spec *sp, const struct json_doc *doc)
{
	const struct json_value *when = json_find(doc, "when");
	struct err e;

	sp->outcome = "none";
	sp->why = (struct err){0};
	buf_clear(&sp->state);
	buf_clear(&sp->decided.err);
	buf_clear(&sp->got);
	buf_add_char(&sp->got, '[');
	if (fold_given(sp, json_find(doc, "given")) && (when != NULL || sp->args.count > 0))
		decide(sp, when);
	buf_add_char(&sp->got, ']');
	if (buf_ok(&sp->got, &e) < 0 || buf_ok(&sp->state, &e) < 0)
		fail(&e);
}
