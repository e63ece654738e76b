#include "evlog/event.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "event_lines.h"
#include "evlog/attrs.h"
#include "seeded.h"

#define COUNT(a)  (sizeof(a) / sizeof((a)[0]))
#define TIME_NS   1795428000123456789u /* 2026-11-23T10:00:00.123456789Z */
#define GIVEN_ID  "id-1"
#define TIME_TEXT "2026-11-23T10:00:00.123456Z"

/* An event as the store would keep it. */
static struct frame frame_of(const struct event *ev)
{
	return (struct frame){.kind = 'E',
	                      .flag = '-',
	                      .seq = 123,
	                      .version = 7,
	                      .time_ns = TIME_NS,
	                      .stream = ev->stream,
	                      .type = ev->type,
	                      .id = ev->id.len > 0 ? ev->id : span_str(GIVEN_ID),
	                      .attrs = ev->attrs,
	                      .data = ev->data};
}

static void assert_buf(struct buf *b, const char *want)
{
	assert_false(b->failed);
	assert_span((struct span){b->data, b->len}, want);
	buf_done(b);
}

static void assert_printed(const struct frame *f, const char *want)
{
	struct event_writer w = {.source = span_str(SHOP)};
	struct buf b = {0};

	event_put_json(&b, &w, f);
	assert_buf(&b, want);
}

static void spaces_in_attributes_are_escaped_and_come_back(void **state)
{
	static const char *const values[] = {
	    "\" \"",       "\"a b  c\"",        "\"\\\\u0020\"",   "\"\\\\ \\\" \\\\\"",
	    "\"\\u0000\"", "\"\\n \\u00e9 é\"", "\"a\\\\\\\\ b\"", "\"}\"",
	};
	struct event_parser *p = parser_new(EVENT_OBJECT);
	char line[256];
	char want[512];

	(void)state;
	for (size_t i = 0; i < COUNT(values); i++) {
		struct event ev;
		struct frame f;

		snprintf(line, sizeof(line), "{\"type\":\"T\",\"x\":%s,\"y\":1}", values[i]);
		ev = parse_ok(p, line);
		assert_null(memchr(ev.attrs.p, ' ', ev.attrs.len));
		f = frame_of(&ev);
		snprintf(
		    want, sizeof(want),
		    "{\"specversion\":\"1.0\",\"id\":\"" GIVEN_ID "\",\"source\":\"" SHOP
		    "\",\"type\":\"T\",\"subject\":\"a\",\"time\":\"" TIME_TEXT
		    "\",\"sequence\":\"00000000000000000123\",\"streamversion\":\"7\",\"x\":%s,"
		    "\"y\":1}",
		    values[i]);
		assert_printed(&f, want);
	}
	parser_free(p);
}

static void raw_bytes_of_any_length_come_back(void **state)
{
	struct event_parser *p = parser_new(EVENT_DATA);
	unsigned char bytes[300];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(i * 7);
	for (size_t n = 0; n <= sizeof(bytes); n++) {
		struct buf b = {0};
		struct event ev;
		struct frame f;
		struct err e;

		assert_int_equal(event_raw(p, bytes, n, &ev, &e), 0);
		assert_int_equal(ev.data.p[0], '=');
		assert_span(ev.type, "T");
		f = frame_of(&ev);
		event_put_raw(&b, &f);
		assert_int_equal(b.len, n);
		assert_true(n == 0 || memcmp(b.data, bytes, n) == 0);
		buf_done(&b);
	}
	parser_free(p);
}

static void the_keys_have_the_order_of_the_manual(void **state)
{
	static const char attrs[] = "{\"zeta\":1,\"traceparent\":\"00-a\",\"source\":\"urn:x\","
				    "\"causationid\":\"d\",\"time\":\"2001-01-01T00:00:00Z\","
				    "\"correlationid\":\"c\",\"alpha\":true}";
	struct frame f = {.seq = 123,
	                  .version = 4294967295,
	                  .time_ns = TIME_NS,
	                  .stream = span_str("order-42"),
	                  .type = span_str("Paid"),
	                  .id = span_str("i"),
	                  .attrs = span_str(attrs),
	                  .data = span_str("{\"n\":1}")};

	(void)state;
	assert_printed(
	    &f, "{\"specversion\":\"1.0\",\"id\":\"i\",\"source\":\"urn:x\",\"type\":\"Paid\","
		"\"subject\":\"order-42\",\"time\":\"2001-01-01T00:00:00Z\","
		"\"sequence\":\"00000000000000000123\",\"streamversion\":\"4294967295\","
		"\"recordedtime\":\"" TIME_TEXT "\",\"correlationid\":\"c\","
		"\"causationid\":\"d\",\"traceparent\":\"00-a\",\"zeta\":1,\"alpha\":true,"
		"\"data\":{\"n\":1}}");
	f.attrs = span_str("-");
	f.seq = FRAME_SEQ_MAX;
	f.data = span_str("=AAE=");
	assert_printed(&f, "{\"specversion\":\"1.0\",\"id\":\"i\",\"source\":\"" SHOP
	                   "\",\"type\":\"Paid\","
	                   "\"subject\":\"order-42\",\"time\":\"" TIME_TEXT "\","
	                   "\"sequence\":\"00000281474976710655\",\"streamversion\":\"4294967295\","
	                   "\"data_base64\":\"AAE=\"}");
}

static void names_are_escaped_where_json_asks_for_it(void **state)
{
	struct frame f = {.seq = 1,
	                  .time_ns = TIME_NS,
	                  .stream = span_str("a\"b\\c"),
	                  .type = span_str("größe"),
	                  .id = span_str("\"\""),
	                  .attrs = span_str("-"),
	                  .data = span_str("-")};

	(void)state;
	assert_printed(&f, "{\"specversion\":\"1.0\",\"id\":\"\\\"\\\"\",\"source\":\"" SHOP
	                   "\",\"type\":\"größe\",\"subject\":\"a\\\"b\\\\c\",\"time\":\"" TIME_TEXT
	                   "\",\"sequence\":\"00000000000000000001\",\"streamversion\":\"0\"}");
}

static void the_time_is_right_in_any_order_of_events(void **state)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} times[] = {{0, "1970-01-01T00:00:00.000000Z"},
	             {999999999, "1970-01-01T00:00:00.999999Z"},
	             {1000000000, "1970-01-01T00:00:01.000000Z"},
	             {TIME_NS, TIME_TEXT},
	             {TIME_NS + 876543211, "2026-11-23T10:00:01.000000Z"},
	             {TIME_NS, TIME_TEXT},
	             {1000, "1970-01-01T00:00:00.000001Z"}};
	struct event_writer w = {.source = span_str(SHOP)};
	struct frame f = {.seq = 1,
	                  .stream = span_str("a"),
	                  .type = span_str("T"),
	                  .id = span_str("i"),
	                  .attrs = span_str("-"),
	                  .data = span_str("-")};

	(void)state;
	for (size_t i = 0; i < COUNT(times); i++) {
		struct buf b = {0};

		f.time_ns = times[i].ns;
		event_put_json(&b, &w, &f);
		assert_non_null(memmem(b.data, b.len, times[i].text, strlen(times[i].text)));
		buf_done(&b);
	}
}

static void the_other_forms_print_the_data_as_it_is(void **state)
{
	static const struct {
		const char *stored, *data, *raw;
	} forms[] = {{"{\"a\":\"b c\"}", "{\"a\":\"b c\"}", "{\"a\":\"b c\"}"},
	             {"=Ynl0ZXM=", "\"Ynl0ZXM=\"", "bytes"},
	             {"=", "\"\"", ""},
	             {"-", "null", ""},
	             {"-1", "-1", "-1"}};
	struct frame f = {.seq = 5,
	                  .version = 3,
	                  .stream = span_str("a"),
	                  .type = span_str("T"),
	                  .id = span_str("i"),
	                  .attrs = span_str("-")};
	char tsv[128];

	(void)state;
	for (size_t i = 0; i < COUNT(forms); i++) {
		struct buf b = {0};

		f.data = span_str(forms[i].stored);
		event_put_data(&b, &f);
		assert_buf(&b, forms[i].data);
		event_put_raw(&b, &f);
		assert_buf(&b, forms[i].raw);
		event_put_tsv(&b, &f);
		snprintf(tsv, sizeof(tsv), "00000000000000000005\ta\t3\tT\ti\t%s", forms[i].data);
		assert_buf(&b, tsv);
	}
}

static uint64_t rand_state;

static unsigned below(unsigned n)
{
	return (unsigned)seeded_below(&rand_state, n);
}

static void put_any_string(struct buf *b)
{
	static const char *const parts[] = {"a",    " ",          "\\u0020", "\\\\",
	                                    "\\\"", "é",          "\\u00e9", "\\ud83d\\ude00",
	                                    "\\n",  "0123456789", "}",       ","};

	buf_add_char(b, '"');
	for (unsigned n = below(6); n > 0; n--)
		buf_add_str(b, parts[below(COUNT(parts))]);
	buf_add_char(b, '"');
}

static void put_any_value(struct buf *b, int depth)
{
	unsigned kind = below(depth > 0 ? 6 : 4);
	unsigned n = below(3);

	if (kind == 0)
		put_any_string(b);
	else if (kind < 4)
		buf_add_str(b, kind == 1 ? "-1.50e2" : kind == 2 ? "true" : "null");
	else
		buf_add_char(b, kind == 4 ? '[' : '{');
	for (unsigned i = 0; kind >= 4 && i < n; i++) {
		if (kind == 5)
			buf_printf(b, "%s\"k%u\": ", i > 0 ? "," : "", i);
		else if (i > 0)
			buf_add_str(b, " , ");
		put_any_value(b, depth - 1);
	}
	if (kind >= 4)
		buf_add_char(b, kind == 4 ? ']' : '}');
}

static void put_any_event(struct buf *b)
{
	buf_clear(b);
	buf_printf(b, "{\"type\":\"T\\u002f%u\",\"id\":\"i%u\"", below(9), below(99));
	if (below(2))
		buf_add_str(b, ",\"time\":\"2001-02-03T04:05:06.5Z\"");
	for (unsigned n = below(4); n > 0; n--) {
		buf_printf(b, " ,\"x%u\" : ", n);
		put_any_string(b);
	}
	if (below(8) > 0) {
		buf_add_str(b, ", \"data\":");
		put_any_value(b, 3);
	}
	buf_add_char(b, '}');
}

static void assert_same(struct span a, struct span b, const struct buf *line)
{
	if (!span_is(a, b))
		fail_msg("'%.*s' and '%.*s' of %.*s", (int)a.len, a.p, (int)b.len, b.p,
		         (int)line->len, line->data);
}

static void what_is_printed_can_be_read_again(void **state)
{
	struct event_parser *p = parser_new(EVENT_OBJECT);
	struct event_parser *again = parser_new(EVENT_IMPORT);
	struct buf line = {0};
	struct buf printed = {0};

	(void)state;
	rand_state = seeded();
	for (int i = 0; i < 20000; i++) {
		struct event_writer w = {.source = span_str(SHOP)};
		struct event first;
		struct event second;
		struct frame f;
		struct err e;

		put_any_event(&line);
		if (event_parse(p, line.data, line.len, &first, &e) < 0)
			fail_msg("%.*s: %s", (int)line.len, line.data, e.msg);
		f = frame_of(&first);
		buf_clear(&printed);
		event_put_json(&printed, &w, &f);
		if (event_parse(again, printed.data, printed.len, &second, &e) < 0)
			fail_msg("%.*s: %s", (int)printed.len, printed.data, e.msg);
		assert_same(first.stream, second.stream, &line);
		assert_same(first.type, second.type, &line);
		assert_same(first.id, second.id, &line);
		assert_same(first.data, second.data, &line);
		assert_int_equal(second.expect.version, f.version);
	}
	buf_done(&line);
	buf_done(&printed);
	parser_free(p);
	parser_free(again);
}

static void attributes_that_were_never_ours_end_the_list(void **state)
{
	static const char *const bad[] = {"",           ",",           "x",      "\"",
	                                  "\"a",        "\"a\"",       "\"a\":", "\"a\":\"b",
	                                  "\"a\":\"\\", "\"a\":\"\\\""};
	struct span name;
	struct span value;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		size_t len = strlen(bad[i]);
		char *copy = malloc(len + 1);
		struct span rest = {copy, len};

		assert_non_null(copy);
		memcpy(copy, bad[i], len);
		if (attrs_next(&rest, &name, &value))
			fail_msg("'%s' was taken", bad[i]);
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(spaces_in_attributes_are_escaped_and_come_back),
	    cmocka_unit_test(raw_bytes_of_any_length_come_back),
	    cmocka_unit_test(the_keys_have_the_order_of_the_manual),
	    cmocka_unit_test(names_are_escaped_where_json_asks_for_it),
	    cmocka_unit_test(the_time_is_right_in_any_order_of_events),
	    cmocka_unit_test(the_other_forms_print_the_data_as_it_is),
	    cmocka_unit_test(what_is_printed_can_be_read_again),
	    cmocka_unit_test(attributes_that_were_never_ours_end_the_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
