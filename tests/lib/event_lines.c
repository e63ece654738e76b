#include "event_lines.h"

#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

void assert_span(struct span s, const char *want)
{
	if (s.len != strlen(want) || (s.len > 0 && memcmp(s.p, want, s.len) != 0))
		fail_msg("'%.*s' instead of '%s'", (int)s.len, s.p, want);
}

struct event_parser *parser_new(enum event_form form)
{
	struct event_parser *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	p->form = form;
	p->source = span_str(SHOP);
	if (form != EVENT_BATCH && form != EVENT_IMPORT)
		p->stream = span_str("a");
	if (form == EVENT_DATA)
		p->type = span_str("T");
	return p;
}

void parser_free(struct event_parser *p)
{
	event_parser_done(p);
	free(p);
}

struct event parse_ok(struct event_parser *p, const char *line)
{
	struct event ev;
	struct err e;

	if (event_parse(p, line, strlen(line), &ev, &e) < 0)
		fail_msg("'%s': %s", line, e.msg);
	return ev;
}
