/*
 * event_lines: lines of input as events, for the tests of evlog/event.
 */
#ifndef SHOAL_TESTS_LIB_EVENT_LINES_H
#define SHOAL_TESTS_LIB_EVENT_LINES_H

#include "evlog/event.h"

#define SHOP "/evlog/shop" /* the source of the store */

void assert_span(struct span s, const char *want);

/* For the stream "a", and EVENT_DATA of the type "T". */
struct event_parser *parser_new(enum event_form form);
void parser_free(struct event_parser *p);

/* Parse a line, or fail the test. */
struct event parse_ok(struct event_parser *p, const char *line);

#endif
