/* spec: the file of `evlog test`, and the verdicts. */
#include "spec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json_out.h"
#include "os/wait.h"

#define SPEC_MAX (64u << 20) /* bytes of a file */

const struct opt test_options[] = {
    {'e', "evolve", "FILE", "file", "the jq program that defines init and evolve($e)"},
    {OPT_INIT, "init", "JSON", NULL, "the state before all events, instead of init"},
    {OPT_TIMEOUT, "timeout", "DURATION", NULL, "DECIDE may take that long (60s)"},
    {0},
};

/*
 * Compares one example with its outcome; the answer is an array of complaints.  What is wanted of
 * an event are the members that are given.
 */
static const char judge_program[] =
    "def brief: map({type} + (if .data == null then {} else {data} end)) | tojson;\n"
    "def fits($w; $g): ($w | length) == ($g | length) and all(range($w | length) as $i\n"
    "  | $w[$i] as $x | $g[$i] as $y | $x | to_entries[] | $y[.key] == .value; .);\n"
    "inputs | .want as $w | .got as $g | [\n"
    "  if $g.outcome == \"failed\" then $g.why\n"
    "  elif $w.rejected then\n"
    "    if $g.outcome != \"rejected\" then \"wanted: a rejection\", \"got: \\($g.events | "
    "brief)\"\n"
    "    elif ($w.rejected | type) == \"string\" and ($g.stderr | contains($w.rejected) | not)\n"
    "    then \"wanted on stderr: \\($w.rejected)\", \"got: \\($g.stderr)\" else empty end\n"
    "  elif $g.outcome == \"rejected\" then\n"
    "    \"wanted: \\($w.then // \"no rejection\" | tojson)\", \"got: a rejection: "
    "\\($g.stderr)\"\n"
    "  elif $w.then and (fits($w.then; $g.events) | not) then\n"
    "    \"wanted: \\($w.then | tojson)\", \"got: \\($g.events | brief)\"\n"
    "  else empty end,\n"
    "  if $g.outcome != \"failed\" and ($w | has(\"state\")) and $w.state != $g.state then\n"
    "    \"wanted the state: \\($w.state | tojson)\", \"got: \\($g.state | tojson)\"\n"
    "  else empty end ], $flush\n";

/* ---- The file. */

void spec_bad_line(const struct spec *sp, struct err *e)
{
	err_wrap(e, "'%s' line %ju", sp->file, (uintmax_t)sp->line);
	tool_flush();
	tool_die(TOOL_DATA, e);
}

static _Noreturn void bad(const struct spec *sp, const char *what, const char *name)
{
	struct err e;

	err_set(&e, EBADMSG, "\"%s\" %s", name, what);
	spec_bad_line(sp, &e);
}

static char *copy(const char *p, size_t len)
{
	char *text = strndup(p, len);

	if (text == NULL)
		tool_dief(TOOL_OSERR, "out of memory");
	return text;
}

/* The text of a string, as a C string. */
static char *text_of(const struct spec *sp, const struct json_value *v, const char *name)
{
	struct buf b = {0};
	struct err e;
	char *text;

	if (v->type != JSON_STRING)
		bad(sp, "must be a string", name);
	if (json_unescape(&b, v->p + 1, v->len - 2, &e) < 0)
		spec_bad_line(sp, &e);
	if (b.len > 0 && memchr(b.data, '\0', b.len) != NULL)
		bad(sp, "holds a NUL", name);
	text = copy(b.len > 0 ? b.data : "", b.len);
	buf_done(&b);
	return text;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ',';
}

bool spec_next_element(struct span *rest, struct span *ret)
{
	const char *p = rest->p;
	const char *end = p + rest->len;
	bool in_string = false;
	int depth = 0;

	while (p < end && is_blank(*p))
		p++;
	ret->p = p;
	for (; p < end && (in_string || depth > 0 || *p != ','); p++)
		if (in_string && *p == '\\')
			p++;
		else if (*p == '"')
			in_string = !in_string;
		else if (!in_string && (*p == '{' || *p == '['))
			depth++;
		else if (!in_string && (*p == '}' || *p == ']'))
			depth--;
	ret->len = (size_t)(p - ret->p);
	while (ret->len > 0 && is_blank(ret->p[ret->len - 1]))
		ret->len--;
	*rest = (struct span){p, (size_t)(end - p)};
	return ret->len > 0;
}

struct span spec_elements(const struct spec *sp, const struct json_value *v, const char *name)
{
	if (v->type != JSON_ARRAY)
		bad(sp, "must be an array", name);
	return (struct span){v->p + 1, v->len - 2};
}

static void free_words(struct words *w)
{
	while (w->count > 0)
		free(w->v[--w->count]);
}

/* An array of strings. */
static void take_words(const struct spec *sp, const struct json_value *v, const char *name,
                       struct words *w)
{
	struct span rest = spec_elements(sp, v, name);
	struct span element;

	free_words(w);
	while (spec_next_element(&rest, &element)) {
		struct json_value word = {.p = element.p, .len = element.len};

		word.type = *element.p == '"' ? JSON_STRING : JSON_NONE;
		if (w->count == SPEC_ARGS_MAX)
			bad(sp, "has too many elements", name);
		w->v[w->count] = text_of(sp, &word, name);
		w->count++;
	}
}

/* A line that says what the next ones are about. */
static void take_settings(struct spec *sp, const struct json_doc *doc)
{
	const struct json_value *evolve = json_find(doc, "evolve");
	const struct json_value *decide = json_find(doc, "decide");
	const struct json_value *init = json_find(doc, "init");

	evolve_close(sp->evolve);
	sp->evolve = NULL;
	if (evolve != NULL && !sp->evolve_given) {
		free(sp->evolve_file);
		sp->evolve_file = text_of(sp, evolve, "evolve");
		sp->fold.evolve.file = sp->evolve_file;
	}
	if (init != NULL && !sp->init_given) {
		buf_clear(&sp->init);
		json_compact(&sp->init, init);
		buf_add_char(&sp->init, '\0');
		sp->fold.evolve.init = sp->init.data;
	}
	if (decide == NULL || sp->decide_given)
		return;
	take_words(sp, decide, "decide", &sp->decide);
	if (sp->decide.count == 0)
		bad(sp, "is empty", "decide");
}

/* ---- The verdict. */

static void put_member(struct buf *b, const char *name, const struct json_value *v)
{
	if (v == NULL)
		return;
	json_out_key(b, name);
	json_compact(b, v);
}

/* {"want":{...},"got":{...}} */
static void put_case(struct spec *sp, const struct json_doc *doc)
{
	struct buf *b = &sp->report;

	buf_clear(b);
	buf_add_str(b, "{\"want\":{");
	put_member(b, "then", json_find(doc, "then"));
	put_member(b, "rejected", json_find(doc, "rejected"));
	put_member(b, "state", json_find(doc, "state"));
	buf_add_str(b, "},\"got\":{");
	json_out_key(b, "outcome");
	json_out_string(b, sp->outcome, strlen(sp->outcome));
	json_out_key(b, "why");
	json_out_string(b, sp->why.msg, strlen(sp->why.msg));
	json_out_key(b, "stderr");
	json_out_string(b, sp->decided.err.len > 0 ? sp->decided.err.data : "",
	                sp->decided.err.len);
	json_out_key(b, "events");
	buf_add(b, sp->got.data, sp->got.len);
	json_out_key(b, "state");
	if (sp->state.len > 0)
		buf_add(b, sp->state.data, sp->state.len);
	else
		buf_add_str(b, "null");
	buf_add_str(b, "}}");
}

static void print_text(const char *prefix, struct span text)
{
	/* A text of several lines stays a comment. */
	tool_print(prefix);
	for (size_t i = 0; i < text.len; i++)
		if (text.p[i] == '\n' && i + 1 < text.len)
			tool_print("\n#   ");
		else if (text.p[i] != '\n')
			tool_write(text.p + i, 1);
	tool_print("\n");
}

/* The complaints of the judge, one a line; none: it is as it should be. */
static unsigned print_complaints(struct span verdict)
{
	struct span rest = {verdict.p + 1, verdict.len - 2};
	struct span element;
	struct buf text = {0};
	unsigned count = 0;
	struct err ignored;

	while (spec_next_element(&rest, &element)) {
		buf_clear(&text);
		(void)json_unescape(&text, element.p + 1, element.len - 2, &ignored);
		print_text("#   ", (struct span){text.data, text.len});
		count++;
	}
	buf_done(&text);
	return count;
}

static struct span ask_judge(struct spec *sp)
{
	int64_t deadline = wait_deadline_ms(sp->fold.evolve.timeout_ms);
	struct span verdict;
	enum coproc_result r;
	struct err e;

	if (buf_ok(&sp->report, &e) < 0)
		fail(&e);
	jq_put(&sp->judge, sp->report.data, sp->report.len);
	r = jq_line(&sp->judge, &verdict, deadline, &e);
	if (r == COPROC_FAILED)
		fail(&e);
	if (r != COPROC_READY)
		tool_dief(TOOL_TIMEOUT, "jq did not compare the outcome in time");
	return verdict;
}

/* "ok 1 - NAME"; a '#' in it would be a directive of TAP. */
static void print_verdict(const struct spec *sp, bool ok, const struct json_value *name)
{
	char *text = name != NULL ? text_of(sp, name, "name") : NULL;

	for (char *p = text; p != NULL && *p != '\0'; p++)
		if (*p == '#' || (unsigned char)*p < ' ')
			*p = ' ';
	tool_printf("%sok %u - %s\n", ok ? "" : "not ", sp->number, text != NULL ? text : "");
	free(text);
}

/* Only what is known, and each of its kind: a misspelled "then" would be a test of nothing. */
static bool has_settings(const struct spec *sp, const struct json_doc *doc)
{
	static const char *const names[] = {"name",     "given", "when",   "args",   "then",
	                                    "rejected", "state", "evolve", "decide", "init"};
	size_t settings = 0;
	struct err e;

	if (doc->value.type != JSON_OBJECT) {
		err_set(&e, EBADMSG, "an example is an object: {\"given\":...}");
		spec_bad_line(sp, &e);
	}
	for (size_t i = 0; i < doc->members && i < JSON_MEMBERS_MAX; i++) {
		size_t k = 0;

		while (k < 10 && !json_key_is(&doc->member[i], names[k]))
			k++;
		if (k == 10)
			bad(sp, "is not known here",
			    copy(doc->member[i].key, doc->member[i].key_len));
		settings += k >= 7;
	}
	if (settings > 0 && settings < doc->members)
		bad(sp, "stands with an example: give it a line of its own",
		    "evolve, decide or init");
	return settings > 0;
}

static void check_wishes(const struct spec *sp, const struct json_doc *doc)
{
	const struct json_value *rejected = json_find(doc, "rejected");
	const struct json_value *then = json_find(doc, "then");
	struct span rest = {"", 0};
	struct span element;

	if (rejected != NULL && rejected->type != JSON_BOOL && rejected->type != JSON_STRING)
		bad(sp, "must be a boolean or a text", "rejected");
	/* One of them would not be looked at. */
	if (rejected != NULL && then != NULL && rejected->p[0] != 'f')
		bad(sp, "stands with \"rejected\": it is one or the other", "then");
	if (then != NULL)
		rest = spec_elements(sp, then, "then");
	while (spec_next_element(&rest, &element))
		if (*element.p != '{')
			bad(sp, "must be an array of events", "then");
}

static void take_example(struct spec *sp, const struct json_doc *doc)
{
	const struct json_value *args = json_find(doc, "args");
	struct span verdict;

	check_wishes(sp, doc);
	free_words(&sp->args);
	if (args != NULL)
		take_words(sp, args, "args", &sp->args);
	if ((args != NULL || json_find(doc, "when") != NULL) && sp->decide.count == 0)
		bad(sp, "has nobody to ask: after --, or a line with \"decide\"", "when");
	example_run(sp, doc);
	put_case(sp, doc);
	verdict = ask_judge(sp);
	sp->number++;
	print_verdict(sp, verdict.len == 2, json_find(doc, "name"));
	if (print_complaints(verdict) > 0)
		sp->failed++;
	tool_flush();
}

static void take_line(struct spec *sp, struct span line)
{
	struct json_doc doc;
	struct err e;
	size_t blank = 0;

	sp->line++;
	while (blank < line.len && is_blank(line.p[blank]))
		blank++;
	if (blank == line.len || line.p[blank] == '#')
		return;
	if (json_scan(line.p, line.len, &doc, &e) < 0)
		spec_bad_line(sp, &e);
	if (has_settings(sp, &doc))
		take_settings(sp, &doc);
	else
		take_example(sp, &doc);
}

/* ---- The verb. */

/* What the command line names is relative to where we are, what the file names to the file. */
static char *absolute(const char *name)
{
	char *path = realpath(name, NULL);

	return path != NULL ? path : copy(name, strlen(name));
}

static void take_command_line(struct spec *sp, struct opts *o)
{
	struct place ignored = {0};

	for (int id; (id = opts_next(o)) != -1;)
		if (!fold_option(&sp->fold, o, id))
			place_option(&ignored, o, id);
	opts_need(o, 1, 1, "SPEC");
	sp->file = o->operands[0];
	sp->evolve_given = sp->fold.evolve.file != NULL;
	sp->init_given = sp->fold.evolve.init != NULL;
	sp->decide_given = o->command_count > 0;
	if (o->command_count > SPEC_ARGS_MAX)
		tool_usage("DECIDE has more than %d arguments", SPEC_ARGS_MAX - 1);
	if (sp->evolve_given)
		sp->fold.evolve.file = sp->evolve_file = absolute(sp->fold.evolve.file);
	for (; (int)sp->decide.count < o->command_count; sp->decide.count++) {
		const char *word = o->command[sp->decide.count];
		bool is_path = sp->decide.count == 0 && strchr(word, '/') != NULL;

		sp->decide.v[sp->decide.count] =
		    is_path ? absolute(word) : copy(word, strlen(word));
	}
}

static void read_spec(const struct spec *sp, struct input *in, struct span *ret)
{
	char *files[] = {(char *)(uintptr_t)sp->file, NULL};
	const char *slash = strrchr(sp->file, '/');
	struct err e;
	char *dir;

	input_open(in, files);
	if (input_rest(in, SPEC_MAX, ret, &e) != INPUT_LINE)
		fail(&e);
	if (slash == NULL)
		return;
	dir = copy(sp->file, slash == sp->file ? 1 : (size_t)(slash - sp->file));
	if (chdir(dir) < 0) {
		err_sys(&e, "go to '%s'", dir);
		fail(&e);
	}
	free(dir);
}

static void start(struct spec *sp)
{
	struct jq_spec judge = {.program = judge_program};
	struct err e;

	sp->parser = (struct event_parser){.form = EVENT_OBJECT, .stream = {"test", 4}};
	sp->writer.source = (struct span){"/evlog/test", 11};
	if (jq_start(&sp->judge, &judge, &e) < 0)
		tool_die(evolve_status(&e), &e);
}

static void finish(struct spec *sp)
{
	jq_done(&sp->judge);
	evolve_close(sp->evolve);
	event_parser_done(&sp->parser);
	decide_done(&sp->decided);
	fold_spec_done(&sp->fold);
	free_words(&sp->decide);
	free_words(&sp->args);
	free(sp->evolve_file);
	buf_done(&sp->init);
	buf_done(&sp->report);
	buf_done(&sp->input);
	buf_done(&sp->command);
	buf_done(&sp->state);
	buf_done(&sp->got);
}

int test_run(struct opts *o)
{
	struct spec *sp = tool_alloc(1, sizeof(*sp));
	struct input in;
	struct span text;
	int status;

	fold_spec_init(&sp->fold);
	take_command_line(sp, o);
	read_spec(sp, &in, &text);
	start(sp);
	while (text.len > 0) {
		const char *lf = memchr(text.p, '\n', text.len);
		size_t len = lf != NULL ? (size_t)(lf - text.p) : text.len;

		take_line(sp, (struct span){text.p, len});
		len += lf != NULL;
		text = (struct span){text.p + len, text.len - len};
	}
	if (sp->number == 0)
		tool_dief(TOOL_DATA, "'%s': no example", sp->file);
	tool_printf("1..%u\n", sp->number);
	status = sp->failed > 0 ? TOOL_NO : TOOL_OK;
	finish(sp);
	input_close(&in);
	free(sp);
	return status;
}
