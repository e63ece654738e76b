/*
 * event: a line of input in each of its forms, and an event as it is printed.  What was accepted
 * must be fit for a frame, be printed as valid JSON, and come back as the same event when it is
 * imported.  Then the bytes stand for the attributes and the data of a frame that nobody checked:
 * printing must not read or write where it should not.
 *
 * The first byte of the input chooses the form.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "evlog/event.h"
#include "evlog/store.h"
#include "fuzz.h"

/* A field of a frame: not empty, no space but in the data, no control character. */
static void check_field(struct span s, bool is_data)
{
	CHECK(s.len > 0);
	for (size_t i = 0; i < s.len; i++)
		CHECK((unsigned char)s.p[i] > ' ' || (is_data && s.p[i] == ' '));
}

static void check_event(const struct event *ev)
{
	struct json_doc d;
	struct err e;

	check_field(ev->stream, false);
	check_field(ev->type, false);
	if (ev->id.len > 0)
		check_field(ev->id, false);
	check_field(ev->attrs, false);
	check_field(ev->data, true);
	CHECK(span_is(ev->attrs, (struct span){"-", 1}) ||
	      json_scan(ev->attrs.p, ev->attrs.len, &d, &e) == 0);
	CHECK(ev->data.p[0] == '=' || span_is(ev->data, (struct span){"-", 1}) ||
	      json_scan(ev->data.p, ev->data.len, &d, &e) == 0);
}

static void print_all(struct buf *out, const struct frame *f)
{
	struct event_writer w = {.source = {"/evlog/fuzz", 11}};

	event_put_data(out, f);
	event_put_raw(out, f);
	event_put_tsv(out, f);
	buf_clear(out);
	event_put_json(out, &w, f);
}

static void check_round_trip(const struct event *ev)
{
	struct event_parser again = {.form = EVENT_IMPORT};
	struct frame f = {.seq = 1,
	                  .version = 5,
	                  .time_ns = 1795428000123456789u,
	                  .stream = ev->stream,
	                  .type = ev->type,
	                  .id = ev->id.len > 0 ? ev->id : (struct span){"i", 1},
	                  .attrs = ev->attrs,
	                  .data = ev->data};
	struct buf out = {0};
	struct event second;
	struct err e;

	print_all(&out, &f);
	/* Of so many attributes that the common ones no longer fit, importing refuses. */
	if (event_parse(&again, out.data, out.len, &second, &e) == 0) {
		CHECK(span_is(second.stream, f.stream) && span_is(second.type, f.type));
		CHECK(span_is(second.id, f.id) && span_is(second.data, f.data));
		CHECK(second.expect.kind == EXPECT_BECOMES && second.expect.version == 5);
	} else {
		CHECK(strstr(e.msg, "attributes") != NULL);
	}
	event_parser_done(&again);
	buf_done(&out);
}

static void print_unchecked(const char *p, size_t len)
{
	size_t half = len / 2;
	struct frame f = {.seq = 1,
	                  .stream = {p, half},
	                  .type = {"T", 1},
	                  .id = {"i", 1},
	                  .attrs = {p, half},
	                  .data = {p + half, len - half}};
	struct buf out = {0};

	if (half > 0)
		print_all(&out, &f);
	buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct event_parser p = {.source = {"/evlog/fuzz", 11}, .stream = {"s", 1}};
	const char *line = (const char *)data + 1;
	struct event ev;
	struct err e = {0};

	if (size == 0)
		return 0;
	p.form = (enum event_form)(data[0] % 4);
	if (p.form == EVENT_DATA)
		p.type = (struct span){"T", 1};
	if (data[0] & 4)
		CHECK(event_common(&p, "shade", "light blue", 10, &e) == 0);
	if (event_parse(&p, line, size - 1, &ev, &e) == 0) {
		check_event(&ev);
		check_round_trip(&ev);
	} else {
		CHECK(e.code != 0 && e.msg[0] != '\0');
	}
	CHECK(event_raw(&p, line, size - 1, &ev, &e) == 0);
	if (p.form != EVENT_BATCH && p.form != EVENT_IMPORT && p.type.len > 0)
		check_round_trip(&ev);
	print_unchecked(line, size - 1);
	event_parser_done(&p);
	return 0;
}
