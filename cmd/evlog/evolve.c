#include "evolve.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "evlog.h"
#include "os/wait.h"
#include "program.h"

/*
 * What reads our messages, behind the text of the program:
 *
 *	[event, ...]	fold them
 *	{"s": state}	this is the state now
 *	null		the initial state is
 *	1		what is it?  Answered by [state], or an object that tells of a failure.
 *
 * A batch is folded with as little around evolve as can be, only counting that each event yields
 * one state.  When that fails, the batch is folded once more with all care, to name the event.
 */
static const char main_program[] =
    "\n"
    "def _evlog_fold($b): ($b | length) as $n\n"
    "  | reduce (foreach range(0; $n + 1) as $i (.;\n"
    "      if $i < $n then evolve($b[$i]) else . end; if $i < $n then $i else [.] end)) as $o\n"
    "    ([0]; if ($o | type) == \"array\" then .[1] = $o[0]\n"
    "      elif $o == .[0] then .[0] = $o + 1 else error(\"\") end)\n"
    "  | if .[0] == $n and length == 2 then {s: .[1]} else error(\"\") end;\n"
    "def _evlog_blame($b): reduce range(0; $b | length) as $i ({s: .};\n"
    "  if .e then . else . as $w | $b[$i] as $e | try ($w.s | [evolve($e)]\n"
    "      | if length == 1 then {s: .[0]} else error(\"evolve yields \\(length) values\") end)\n"
    "    catch {e: {sequence: $e.sequence, type: $e.type,\n"
    "      error: (if type == \"string\" then . else tojson end)}} end)\n"
    "  | .e // {error: \"evolve does not do the same thing twice\"} | {e: .};\n"
    "(INIT | if length == 1 then {s: .[0]} else {e: {error: \"init yields \\(length) values\"}}\n"
    "  end) as $init\n"
    "| foreach inputs as $x ($init;\n"
    "    if ($x | type) == \"array\" then\n"
    "      if .e then . else . as $w | try ($w.s | _evlog_fold($x))\n"
    "        catch ($w.s | _evlog_blame($x)) end\n"
    "    elif $x == null then $init elif $x == 1 then . else $x end;\n"
    "    if $x == 1 then (.e // [.s]), $flush else empty end)\n";

/* In the place of INIT above. */
static const char init_of_program[] = "[init]";
static const char init_given[] = "[null]";

struct evolve {
	struct evolve_spec spec;
	struct program program;
	char *dir; /* it is in */
	bool running;
	struct jq jq;
	struct buf batch; /* of events; empty, or begins with '[' */
	size_t count;     /* of events in it */
	struct buf state; /* that was set and is not sent */
	bool is_set;
};

/* ---- The program. */

static char *dir_of(const char *file)
{
	const char *slash = strrchr(file, '/');
	char *dir = slash == NULL   ? strdup(".")
	            : slash == file ? strdup("/")
	                            : strndup(file, (size_t)(slash - file));

	if (dir == NULL)
		tool_dief(TOOL_OSERR, "out of memory");
	return dir;
}

struct evolve *evolve_open(const struct evolve_spec *spec)
{
	struct evolve *v = tool_alloc(1, sizeof(*v));

	v->spec = *spec;
	program_read(&v->program, spec->file);
	v->dir = dir_of(spec->file);
	evolve_reset(v);
	return v;
}

void evolve_close(struct evolve *v)
{
	if (v == NULL)
		return;
	jq_done(&v->jq);
	program_done(&v->program);
	buf_done(&v->batch);
	buf_done(&v->state);
	free(v->dir);
	free(v);
}

bool evolve_hash(const struct evolve *v, unsigned char ret[SNAPSHOT_PROGRAM_LEN])
{
	const char *init = v->spec.init != NULL ? v->spec.init : "";
	unsigned char sum[HASH_BLAKE2B_LEN];
	struct hash_blake2b h;

	hash_blake2b_init(&h);
	hash_blake2b_update(&h, main_program, sizeof(main_program));
	hash_blake2b_update(&h, v->program.text.data, v->program.text.len);
	hash_blake2b_update(&h, v->spec.init != NULL ? "i" : "-", 1);
	hash_blake2b_update(&h, init, strlen(init));
	hash_blake2b_final(&h, sum);
	memcpy(ret, sum, SNAPSHOT_PROGRAM_LEN);
	return !v->program.imports;
}

/* ---- The process. */

/* The program at fault, or jq: say which file. */
static enum coproc_result blame(const struct evolve *v, struct err *e)
{
	err_wrap(e, "'%s'", v->spec.file);
	return COPROC_FAILED;
}

static enum coproc_result start(struct evolve *v, struct err *e)
{
	const char *hole = strstr(main_program, "INIT");
	const char *init = v->spec.init != NULL ? init_given : init_of_program;
	struct buf text = {0};
	struct jq_spec spec = {.dir = v->dir, .sig = v->spec.sig};
	int r;

	buf_add_str(&text, v->program.text.data);
	buf_add(&text, main_program, (size_t)(hole - main_program));
	buf_add_str(&text, init);
	buf_add(&text, hole + 4, strlen(hole + 4) + 1);
	spec.program = text.data;
	r = buf_ok(&text, e);
	if (r == 0)
		r = jq_start(&v->jq, &spec, e);
	buf_done(&text);
	if (r < 0)
		return e->code == E2BIG ? blame(v, e) : COPROC_FAILED;
	v->running = true;
	return COPROC_READY;
}

static int64_t deadline_of(const struct evolve *v)
{
	return wait_deadline_ms(v->spec.timeout_ms);
}

/* It has ended although we had more for it: why? */
static enum coproc_result explain_end(struct evolve *v, struct err *e)
{
	struct span line;
	enum coproc_result r;

	do
		r = jq_line(&v->jq, &line, deadline_of(v), e);
	while (r == COPROC_READY);
	if (r == COPROC_TIMEOUT || r == COPROC_SIGNAL)
		return r;
	if (r != COPROC_FAILED)
		err_set(e, EBADMSG, "the program ended before its events did");
	return blame(v, e);
}

static void send_state(struct evolve *v)
{
	coproc_send(&v->jq.child, "{\"s\":", 5);
	coproc_send(&v->jq.child, v->state.data, v->state.len);
	coproc_send(&v->jq.child, "}\n", 2);
	v->is_set = false;
}

/* Hand over what was collected. */
static enum coproc_result flush(struct evolve *v, struct err *e)
{
	enum coproc_result r = v->running ? COPROC_READY : start(v, e);

	if (r != COPROC_READY)
		return r;
	if (v->is_set)
		send_state(v);
	if (v->batch.len > 0) {
		buf_add_str(&v->batch, "]\n");
		if (buf_ok(&v->batch, e) < 0)
			return COPROC_FAILED;
		coproc_send(&v->jq.child, v->batch.data, v->batch.len);
		buf_clear(&v->batch);
		v->count = 0;
	}
	r = coproc_flush(&v->jq.child, deadline_of(v), e);
	return r == COPROC_END ? explain_end(v, e) : r;
}

void evolve_reset(struct evolve *v)
{
	buf_clear(&v->batch);
	v->count = 0;
	v->is_set = false;
	if (v->running && v->spec.init == NULL)
		coproc_send(&v->jq.child, "null\n", 5);
	else if (v->spec.init != NULL)
		evolve_set(v, span_str(v->spec.init));
}

void evolve_set(struct evolve *v, struct span state)
{
	buf_clear(&v->batch);
	v->count = 0;
	buf_clear(&v->state);
	buf_add(&v->state, state.p, state.len);
	v->is_set = true;
}

struct buf *evolve_event(struct evolve *v)
{
	buf_add_char(&v->batch, v->batch.len == 0 ? '[' : ',');
	return &v->batch;
}

enum coproc_result evolve_event_done(struct evolve *v, struct err *e)
{
	if (++v->count < EVOLVE_EVENTS && v->batch.len < EVOLVE_PIECE)
		return COPROC_READY;
	return flush(v, e);
}

/* {"sequence":"...","type":"...","error":"..."} */
static enum coproc_result tell_failure(const struct evolve *v, struct span line, struct err *e)
{
	const char *keys[] = {"error", "sequence", "type"};
	struct buf texts[3] = {{0}};
	struct json_doc doc;

	if (json_scan(line.p, line.len, &doc, e) < 0)
		return blame(v, e);
	for (int i = 0; i < 3; i++) {
		const struct json_value *value = json_find(&doc, keys[i]);

		if (value != NULL && value->type == JSON_STRING)
			(void)json_unescape(&texts[i], value->p + 1, value->len - 2, e);
	}
	if (texts[1].len > 0)
		err_set(e, EBADMSG, "sequence %.*s, type '%.*s': %.*s", (int)texts[1].len,
		        texts[1].data, (int)texts[2].len, texts[2].data, (int)texts[0].len,
		        texts[0].data);
	else
		err_set(e, EBADMSG, "%.*s", (int)texts[0].len, texts[0].data);
	for (int i = 0; i < 3; i++)
		buf_done(&texts[i]);
	return blame(v, e);
}

/* What jq finds too deep it prints as something that is no JSON; our limit is lower. */
static enum coproc_result check_state(const struct evolve *v, struct span state, struct err *e)
{
	struct json_doc doc;

	if (json_scan(state.p, state.len, &doc, e) == 0)
		return COPROC_READY;
	err_wrap(e, "the state is not fit to be used");
	return blame(v, e);
}

enum coproc_result evolve_state(struct evolve *v, struct span *ret, struct err *e)
{
	enum coproc_result r;

	if (v->is_set && v->batch.len == 0) {
		*ret = (struct span){v->state.data, v->state.len};
		return buf_ok(&v->state, e) < 0 ? COPROC_FAILED : COPROC_READY;
	}
	r = flush(v, e);
	if (r != COPROC_READY)
		return r;
	jq_put(&v->jq, "1", 1);
	r = jq_line(&v->jq, ret, deadline_of(v), e);
	if (r == COPROC_TIMEOUT || r == COPROC_SIGNAL)
		return r;
	if (r == COPROC_END)
		err_set(e, EBADMSG, "the program ended before its events did");
	if (r == COPROC_FAILED && e->code == EMSGSIZE)
		err_set(e, EBADMSG, "the state has more than %u bytes", JQ_LINE_MAX);
	if (r != COPROC_READY)
		return blame(v, e);
	if (ret->len == 0 || ret->p[0] != '[')
		return tell_failure(v, *ret, e);
	*ret = (struct span){ret->p + 1, ret->len - 2};
	return check_state(v, *ret, e);
}

int evolve_status(const struct err *e)
{
	if (e->code == EBADMSG)
		return TOOL_DATA;
	return e->code == PROC_NOT_FOUND || e->code == PROC_NOT_EXECUTABLE ? TOOL_UNAVAILABLE
	                                                                   : TOOL_OSERR;
}
