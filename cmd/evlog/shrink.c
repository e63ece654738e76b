/* shrink: what makes a store smaller: rm. */
#include <stdlib.h>
#include <string.h>

#include "evlog.h"

const struct opt rm_options[] = {
    {OPT_HARD, "hard", NULL, NULL, "for good: nothing can be appended to it any more"},
    {'x', "expect", "VERSION", "any exists", "only when this is its last version"},
    {'q', "quiet", NULL, NULL, "print no receipt"},
    {0},
};

/* ---- rm */

/* A stream is deleted by an event, which gets attributes as any other. */
static void delete_stream(struct writer *w, bool hard)
{
	static const char no_data[] = "null";
	static const struct input none;
	struct event ev;
	struct err e;

	w->parser.form = EVENT_DATA;
	w->parser.type = (struct span){FRAME_DELETED_TYPE, sizeof(FRAME_DELETED_TYPE) - 1};
	meta_environment(&w->parser);
	writer_init(w);
	if (event_parse(&w->parser, no_data, sizeof(no_data) - 1, &ev, &e) < 0)
		fail(&e);
	event_deletes(&ev, hard);
	writer_add(w, &ev, &none);
	writer_commit(w);
	writer_settle(w);
}

int rm_run(struct opts *o)
{
	struct place place = {0};
	struct writer *w = tool_alloc(1, sizeof(*w));
	struct event_parser *p = &w->parser;
	bool hard = false;
	struct err e;

	w->mode = COMMIT_ATOMIC;
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
	p->stream = (struct span){o->operands[0], strlen(o->operands[0])};
	if (evlog_check_stream(p->stream.p, p->stream.len, &e) < 0)
		tool_usage("%s", e.msg);
	w->store = place_open(&place);
	delete_stream(w, hard);
	evlog_close(w->store);
	writer_done(w);
	free(w);
	return TOOL_OK;
}
