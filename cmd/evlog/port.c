/* port: events out of a store and into another one: export, import. */
#include <stdlib.h>

#include "base/json_out.h"
#include "evlog.h"
#include "tool/progress.h"

#define COMMIT_LINES 1000u

const struct opt export_options[] = {
    {OPT_ALL, "all", NULL, NULL, "events of all streams, which is the default"},
    {0},
};

const struct opt import_options[] = {
    {'q', "quiet", NULL, NULL, "print no receipt"},
    {0},
};

int export_run(struct opts *o)
{
	struct place place = {0};
	struct printer p = {.format = PRINT_CE};
	struct query q;
	struct evlog *s;
	int status;

	query_init(&q);
	for (int id; (id = opts_next(o)) != -1;)
		if (!(id == OPT_ALL && query_option(&q, o, id)))
			place_option(&place, o, id);
	q.all = q.all || o->operand_count == 0;
	query_operand(&q, o, false);
	s = place_open(&place);
	status = read_query(s, &q, &p);
	evlog_close(s);
	query_done(&q);
	return status;
}

static void import_line(struct writer *w, struct journal *j, const struct input *in,
                        struct span line)
{
	struct event ev;
	struct err e;
	int r = journal_parse(j, line.p, line.len, &ev, &e);

	if (r == 0)
		r = event_parse(&w->parser, line.p, line.len, &ev, &e);
	if (r < 0) {
		input_locate(in, &e);
		writer_refuse(w, &e);
	}
	writer_add(w, &ev, in);
	progress_at(w->count + w->known + writer_pending(w));
	if (writer_pending(w) >= COMMIT_LINES)
		writer_commit(w);
}

static int import_lines(struct writer *w, struct journal *j, struct input *in)
{
	struct span line;
	struct err e;

	for (;;)
		switch (input_next(in, &line, &e)) {
		case INPUT_LINE:
			import_line(w, j, in, line);
			break;
		case INPUT_PAUSE:
			writer_commit(w);
			writer_settle(w);
			break;
		case INPUT_END:
			writer_commit(w);
			writer_settle(w);
			return TOOL_OK;
		case INPUT_STOP:
			writer_commit(w);
			writer_settle(w);
			return TOOL_SIGNAL + input_signal();
		case INPUT_BAD:
			writer_refuse(w, &e);
		}
}

/* One receipt for all: {"count":3,"known":0,"sequence":"...","durable":true}. */
static void print_summary(const struct writer *w)
{
	struct buf b = {0};
	struct err e;

	if (w->count + w->known == 0)
		return;
	buf_add_char(&b, '{');
	json_out_key(&b, "count");
	json_out_u64(&b, w->count);
	json_out_key(&b, "known");
	json_out_u64(&b, w->known);
	json_out_key(&b, "sequence");
	json_out_seq(&b, w->last_sequence);
	buf_add_str(&b, ",\"durable\":true}\n");
	if (buf_ok(&b, &e) < 0)
		fail(&e);
	tool_write(b.data, b.len);
	buf_done(&b);
}

int import_run(struct opts *o)
{
	struct place place = {0};
	struct writer *w = tool_alloc(1, sizeof(*w));
	struct journal *j = journal_new();
	struct input in;
	bool quiet = false;
	int status;

	for (int id; (id = opts_next(o)) != -1;)
		if (id == 'q')
			quiet = true;
		else
			place_option(&place, o, id);
	opts_need(o, 0, -1, NULL);
	w->mode = COMMIT_EACH;
	w->parser.form = EVENT_IMPORT;
	w->store = place_open_to_append(&place);
	writer_init(w);
	input_catch_signals();
	input_open(&in, o->operands);
	progress_begin("import", "events", 0);
	status = import_lines(w, j, &in);
	progress_clear();
	if (!quiet)
		print_summary(w);
	input_close(&in);
	evlog_close(w->store);
	writer_done(w);
	journal_free(j);
	free(w);
	return status;
}
