#include "fold.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "os/clock.h"

#define VERSIONS_AT_ONCE 65536u /* whose sequences are in memory */

const struct opt fold_options[] = {
    {'e', "evolve", "FILE", "file", "the jq program that defines init and evolve($e)"},
    {OPT_INIT, "init", "JSON", NULL, "the state before all events, instead of init"},
    {OPT_AT, "at", "VERSION", NULL, "the state after this version"},
    {OPT_SNAPSHOT_EVERY, "snapshot-every", "N", NULL, "keep a state that took N events (1000)"},
    {OPT_TIMEOUT, "timeout", "DURATION", NULL, "the program may take that long (60s)"},
    {0},
};

/* ---- The command line. */

void fold_spec_init(struct fold_spec *spec)
{
	*spec = (struct fold_spec){.evolve = {.timeout_ms = FOLD_TIMEOUT_MS},
	                           .snapshot_every = FOLD_SNAPSHOT_EVERY};
}

void fold_spec_done(struct fold_spec *spec)
{
	buf_done(&spec->init);
}

/* One JSON value, as it will be told to jq. */
static void take_init(struct fold_spec *spec, const struct opts *o)
{
	struct json_doc doc;
	struct err e;

	if (json_scan(o->arg, strlen(o->arg), &doc, &e) < 0)
		opts_bad(o, "%s", e.msg);
	buf_clear(&spec->init);
	json_compact(&spec->init, &doc.value);
	buf_add_char(&spec->init, '\0');
	if (buf_ok(&spec->init, &e) < 0)
		fail(&e);
	spec->evolve.init = spec->init.data;
}

bool fold_option(struct fold_spec *spec, const struct opts *o, int id)
{
	switch (id) {
	case 'e':
		spec->evolve.file = o->arg;
		return true;
	case OPT_INIT:
		take_init(spec, o);
		return true;
	case OPT_SNAPSHOT_EVERY:
		spec->snapshot_every = opts_u64(o, 0, UINT32_MAX);
		return true;
	case OPT_TIMEOUT:
		spec->evolve.timeout_ms = opts_duration_ns(o) / CLOCK_NS_PER_MS;
		return true;
	default:
		return false;
	}
}

void fold_check(const struct fold_spec *spec)
{
	if (spec->evolve.file == NULL)
		tool_usage("what folds the events is missing: -e FILE");
}

/* ---- The fold. */

/* The program of ours ends because the other one did not do its work. */
static void check(const struct fold *f, enum coproc_result r, const struct err *e)
{
	const struct evolve_spec *spec = &f->spec->evolve;
	struct sig_got got = {0};

	switch (r) {
	case COPROC_READY:
		return;
	case COPROC_TIMEOUT:
		tool_dief(TOOL_TIMEOUT, "'%s' took longer than %jd ms", spec->file,
		          (intmax_t)spec->timeout_ms);
	case COPROC_SIGNAL:
		(void)sig_next(spec->sig, &got);
		exit(TOOL_SIGNAL + got.signal);
	default:
		tool_die(evolve_status(e), e);
	}
}

void fold_open(struct fold *f, struct evlog *s, struct span stream, const struct fold_spec *spec)
{
	*f = (struct fold){.s = s, .stream = stream, .spec = spec, .key = {.stream = stream}};
	f->writer.source = source_of(&f->source, s);
	f->evolve = evolve_open(&spec->evolve);
	f->keeps = evolve_hash(f->evolve, f->key.program) && spec->snapshot_every > 0;
}

void fold_close(struct fold *f)
{
	evolve_close(f->evolve);
	seqs_done(&f->seqs);
	buf_done(&f->source);
}

/* The version of the stream's first event that is neither deleted nor hidden. */
static uint32_t first_version(const struct fold *f, uint64_t end)
{
	uint32_t first = 0;
	struct err e;

	if (evlog_first(f->s, f->stream, end, &first, &e) < 0)
		fail(&e);
	return first;
}

/* From the newest snapshot that is right, or from the first event. */
static void begin(struct fold *f, uint32_t up_to, uint64_t end)
{
	struct buf state = {0};
	uint32_t version;
	struct err e;
	int found = 0;

	f->begun = true;
	f->next = f->key.first;
	if (f->keeps)
		found = snapshot_load(f->s, &f->key, up_to, end, &version, &state, &e);
	if (found < 0)
		fail(&e);
	if (found > 0) {
		evolve_set(f->evolve, (struct span){state.data, state.len});
		f->next = version + 1;
	} else {
		evolve_reset(f->evolve);
	}
	f->base = f->next;
	buf_done(&state);
}

/*
 * Something is not there.  Where the stream begins with a later event now, that is what has been
 * deleted, hidden or compacted meanwhile; else it is damage, and there is no state.
 */
static bool was_cut(const struct fold *f, uint64_t end)
{
	return first_version(f, end) != f->key.first;
}

static _Noreturn void end_in_gap(const struct fold *f, uint32_t to)
{
	tool_dief(STATUS_DAMAGED,
	          "stream '%.*s': events between versions %u and %u are missing, so its state "
	          "cannot be told",
	          (int)f->stream.len, f->stream.p, f->next, to);
}

/* False: it is not there. */
static bool feed_event(struct fold *f, uint64_t seq)
{
	struct frame ev;
	struct err e;
	int r = evlog_get(f->s, seq, &ev, &e);

	if (r < 0)
		fail(&e);
	if (r == 0)
		return false;
	event_put_json(evolve_event(f->evolve), &f->writer, &ev);
	check(f, evolve_event_done(f->evolve, &e), &e);
	return true;
}

/* False: the stream was cut meanwhile. */
static bool feed(struct fold *f, uint32_t last, uint64_t end)
{
	struct err e;

	while (f->next <= last) {
		uint32_t to =
		    last - f->next < VERSIONS_AT_ONCE ? last : f->next + VERSIONS_AT_ONCE - 1;
		bool complete;

		f->seqs.len = 0;
		if (evlog_gather(f->s, f->stream, f->next, to, end, &f->seqs, &e) < 0)
			fail(&e);
		complete = f->seqs.len == (size_t)to - f->next + 1;
		for (size_t i = 0; i < f->seqs.len && complete; i++)
			complete = feed_event(f, f->seqs.v[i]);
		if (!complete && was_cut(f, end))
			return false;
		if (!complete)
			end_in_gap(f, to);
		f->next = to + 1;
	}
	return true;
}

void fold_update(struct fold *f, uint32_t up_to)
{
	uint64_t end = evlog_durable(f->s);
	uint32_t last;
	struct frame head;
	struct err e;
	int r = evlog_head(f->s, f->stream, end, &head, &e);

	if (r < 0)
		fail(&e);
	f->exists = r > 0;
	if (r == 0) {
		if (f->begun)
			evolve_reset(f->evolve); /* it was deleted meanwhile */
		f->begun = false;
		return;
	}
	f->head = head.version;
	f->seq = head.seq;
	f->version = last = f->head < up_to ? f->head : up_to;
	do {
		uint32_t first = first_version(f, end);

		if (!f->begun || first != f->key.first || last + 1 < f->next) {
			f->key.first = first;
			begin(f, last, end);
		}
	} while (!feed(f, last, end));
}

/*
 * Keep what took long to make.  That it cannot be kept where this user may not write is no news;
 * a full disk is.
 */
static void keep(struct fold *f, struct span state)
{
	struct frame at;
	struct err e;

	if (!f->keeps || !f->exists || f->version != f->head ||
	    f->next - f->base < f->spec->snapshot_every)
		return;
	f->base = f->next;
	if (evlog_get(f->s, f->seq, &at, &e) <= 0)
		return;
	if (snapshot_save(f->s, &f->key, &at, state, &e) < 0 && e.code != EACCES &&
	    e.code != EPERM && e.code != EROFS)
		tool_warn("no snapshot was kept: %s", e.msg);
}

struct span fold_state(struct fold *f)
{
	struct span state;
	struct err e;

	check(f, evolve_state(f->evolve, &state, &e), &e);
	keep(f, state);
	return state;
}

/* ---- evlog fold */

static int print_state(struct fold *f, bool has_at, uint32_t at)
{
	struct span state;

	fold_update(f, has_at ? at : UINT32_MAX);
	if (has_at && (!f->exists || f->head < at || at < f->key.first))
		return TOOL_NO;
	state = fold_state(f);
	tool_write(state.p, state.len);
	tool_print("\n");
	return f->exists ? TOOL_OK : TOOL_NO;
}

int fold_run(struct opts *o)
{
	struct place place = {0};
	struct fold_spec spec;
	struct fold f;
	struct span stream;
	bool has_at = false;
	uint32_t at = 0;
	struct evlog *s;
	struct err e;
	int status;

	fold_spec_init(&spec);
	for (int id; (id = opts_next(o)) != -1;)
		if (id == OPT_AT) {
			at = (uint32_t)opts_u64(o, 0, UINT32_MAX - 1);
			has_at = true;
		} else if (!fold_option(&spec, o, id)) {
			place_option(&place, o, id);
		}
	opts_need(o, 1, 1, "STREAM");
	fold_check(&spec);
	stream = span_str(o->operands[0]);
	if (evlog_check_stream(stream.p, stream.len, &e) < 0)
		tool_usage("%s", e.msg);
	s = place_open(&place);
	fold_open(&f, s, stream, &spec);
	status = print_state(&f, has_at, at);
	fold_close(&f);
	evlog_close(s);
	fold_spec_done(&spec);
	return status;
}
