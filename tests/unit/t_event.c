#include "evlog/event.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "event_lines.h"
#include "evlog/store.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define GIVEN_ID "id-1"

static void a_type_and_data_make_an_event(void **state)
{
	struct event_parser *p = parser_new(EVENT_OBJECT);
	struct event ev = parse_ok(p, "{\"type\":\"Paid\",\"data\":{\"n\":1}}");

	(void)state;
	assert_span(ev.stream, "a");
	assert_span(ev.type, "Paid");
	assert_span(ev.data, "{\"n\":1}");
	assert_span(ev.attrs, "-");
	assert_int_equal(ev.id.len, 0);
	assert_false(ev.id_given);
	assert_int_equal(ev.expect.kind, EXPECT_ANY);
	ev = parse_ok(p, "{\"type\":\"Sent\"}");
	assert_span(ev.data, "-");
	parser_free(p);
}

static void data_stays_as_typed_but_for_the_spaces_around_its_parts(void **state)
{
	static const char *const data[][2] = {
	    {"1.10", "1.10"},
	    {"-0", "-0"},
	    {"1E+400", "1E+400"},
	    {"123456789012345678901234567890", "123456789012345678901234567890"},
	    {"null", "null"},
	    {"\"\"", "\"\""},
	    {"\" a  b \"", "\" a  b \""},
	    {"\"\\u0041\\u0000\\/\"", "\"\\u0041\\u0000\\/\""},
	    {"[ ]", "[]"},
	    {"{ \"z\" : 1 ,\t\"a\": [ 1 , 2 ] }", "{\"z\":1,\"a\":[1,2]}"},
	};
	struct event_parser *object = parser_new(EVENT_OBJECT);
	struct event_parser *alone = parser_new(EVENT_DATA);
	char line[256];

	(void)state;
	for (size_t i = 0; i < COUNT(data); i++) {
		snprintf(line, sizeof(line), " {\"data\" : %s , \"type\":\"T\"} \r", data[i][0]);
		assert_span(parse_ok(object, line).data, data[i][1]);
		snprintf(line, sizeof(line), " %s ", data[i][0]);
		assert_span(parse_ok(alone, line).data, data[i][1]);
	}
	parser_free(object);
	parser_free(alone);
}

static void with_a_type_given_the_line_is_the_data(void **state)
{
	struct event_parser *p = parser_new(EVENT_DATA);
	struct event ev;

	(void)state;
	p->id = span_str(GIVEN_ID);
	ev = parse_ok(p, "{\"type\":\"X\",\"id\":5,\"type2\":{}}");
	assert_span(ev.type, "T");
	assert_span(ev.id, GIVEN_ID);
	assert_true(ev.id_given);
	assert_span(ev.data, "{\"type\":\"X\",\"id\":5,\"type2\":{}}");
	parser_free(p);
}

static void a_cloudevent_keeps_id_time_source_and_extensions(void **state)
{
	struct event_parser *p = parser_new(EVENT_OBJECT);
	struct event ev = parse_ok(
	    p, "{\"specversion\":\"1.0\",\"shade\":\"red\",\"id\":\"i-1\",\"n\":-5,\"ok\":true,"
	       "\"source\":\"urn:x\",\"type\":\"T\",\"time\":\"2001-01-01T00:00:00+01:00\"}");

	(void)state;
	assert_span(ev.id, "i-1");
	assert_true(ev.id_given);
	assert_span(ev.attrs, "{\"shade\":\"red\",\"n\":-5,\"ok\":true,\"source\":\"urn:x\","
	                      "\"time\":\"2001-01-01T00:00:00+01:00\"}");
	parser_free(p);
}

static void what_the_store_sets_is_dropped(void **state)
{
	struct event_parser *p = parser_new(EVENT_OBJECT);
	struct event ev = parse_ok(p, "{\"type\":\"T\",\"subject\":\"b\",\"sequence\":\"9\","
	                              "\"streamversion\":\"7\",\"recordedtime\":null}");

	(void)state;
	assert_span(ev.stream, "a");
	assert_span(ev.attrs, "-");
	assert_int_equal(ev.expect.kind, EXPECT_ANY);
	parser_free(p);
}

static void the_stores_own_source_is_not_kept(void **state)
{
	struct event_parser *p = parser_new(EVENT_OBJECT);

	(void)state;
	assert_span(parse_ok(p, "{\"type\":\"T\",\"source\":\"" SHOP "\"}").attrs, "-");
	assert_span(parse_ok(p, "{\"type\":\"T\",\"source\":\"\\/evlog\\/shop\"}").attrs, "-");
	assert_span(parse_ok(p, "{\"type\":\"T\",\"source\":\"" SHOP "2\"}").attrs,
	            "{\"source\":\"" SHOP "2\"}");
	parser_free(p);
}

static void escapes_in_names_and_keys_are_resolved(void **state)
{
	struct event_parser *p = parser_new(EVENT_BATCH);
	struct event ev = parse_ok(
	    p, "{\"\\u0074ype\":\"\\u0054\",\"str\\u0065am\":\"gr\\u00f6\\u00dfe\",\"id\":\"\\\"\","
	       "\"\\u0061b\":\"c\",\"data\":\"\\u0041\"}");

	(void)state;
	assert_span(ev.type, "T");
	assert_span(ev.stream, "größe");
	assert_span(ev.id, "\"");
	assert_span(ev.attrs, "{\"ab\":\"c\"}");
	assert_span(ev.data, "\"\\u0041\"");
	parser_free(p);
}

static void attributes_for_all_give_way_to_the_events_own(void **state)
{
	struct event_parser *p = parser_new(EVENT_OBJECT);
	struct err e;

	(void)state;
	assert_int_equal(event_common(p, "correlationid", "c 1", 3, &e), 0);
	assert_int_equal(event_common(p, "shade", "\"\n", 2, &e), 0);
	assert_int_equal(event_common(p, "shade", "red", 3, &e), -1);
	assert_int_equal(e.code, EEXIST);
	assert_span(parse_ok(p, "{\"type\":\"T\"}").attrs,
	            "{\"correlationid\":\"c\\u00201\",\"shade\":\"\\\"\\n\"}");
	assert_span(parse_ok(p, "{\"type\":\"T\",\"shade\":\"blue\",\"n\":1}").attrs,
	            "{\"shade\":\"blue\",\"n\":1,\"correlationid\":\"c\\u00201\"}");
	assert_span(parse_ok(p, "{\"type\":\"T\",\"shad\\u0065\":1,\"correlationid\":2}").attrs,
	            "{\"shade\":1,\"correlationid\":2}");
	parser_free(p);
}

static void an_attribute_for_all_must_be_one(void **state)
{
	static const char *const names[] = {"",
	                                    "A",
	                                    "a-b",
	                                    "a_b",
	                                    "é",
	                                    "abcdefghijklmnopqrstu",
	                                    "id",
	                                    "type",
	                                    "data",
	                                    "specversion",
	                                    "subject",
	                                    "sequence",
	                                    "streamversion",
	                                    "recordedtime",
	                                    "stream",
	                                    "expect",
	                                    "data_base64"};
	struct event_parser *p = parser_new(EVENT_OBJECT);
	struct err e;

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		if (event_common(p, names[i], "x", 1, &e) == 0)
			fail_msg("'%s' was accepted", names[i]);
		assert_int_equal(e.code, EINVAL);
	}
	assert_int_equal(event_common(p, "a", "\xff", 1, &e), -1);
	assert_int_equal(event_common(p, "time", "now", 3, &e), -1);
	assert_int_equal(e.code, EINVAL);
	assert_int_equal(event_common(p, "source", "", 0, &e), -1);
	assert_int_equal(event_common(p, "source", SHOP, strlen(SHOP), &e), 0);
	assert_span(parse_ok(p, "{\"type\":\"T\"}").attrs, "-");
	parser_free(p);
}

static void a_batch_line_names_its_stream_and_what_it_expects(void **state)
{
	static const struct {
		const char *text;
		enum expect_kind kind;
		uint32_t version;
	} expects[] = {{"\"any\"", EXPECT_ANY, 0},       {"\"none\"", EXPECT_NONE, 0},
	               {"\"exists\"", EXPECT_EXISTS, 0}, {"\"7\"", EXPECT_VERSION, 7},
	               {"0", EXPECT_VERSION, 0},         {"12", EXPECT_VERSION, 12}};
	struct event_parser *p = parser_new(EVENT_BATCH);
	char line[128];

	(void)state;
	for (size_t i = 0; i < COUNT(expects); i++) {
		struct event ev;

		snprintf(line, sizeof(line), "{\"stream\":\"b\",\"type\":\"T\",\"expect\":%s}",
		         expects[i].text);
		ev = parse_ok(p, line);
		assert_span(ev.stream, "b");
		assert_int_equal(ev.expect.kind, expects[i].kind);
		assert_int_equal(ev.expect.version, expects[i].version);
		assert_span(ev.attrs, "-");
	}
	p->type = span_str("Default");
	assert_span(parse_ok(p, "{\"stream\":\"b\"}").type, "Default");
	assert_span(parse_ok(p, "{\"stream\":\"b\",\"type\":\"T\"}").type, "T");
	parser_free(p);
}

static void an_imported_line_goes_on_where_its_stream_was(void **state)
{
	struct event_parser *p = parser_new(EVENT_IMPORT);
	struct event ev =
	    parse_ok(p, "{\"type\":\"T\",\"subject\":\"$own\",\"streamversion\":\"7\"}");

	(void)state;
	assert_span(ev.stream, "$own");
	assert_int_equal(ev.expect.kind, EXPECT_BECOMES);
	assert_int_equal(ev.expect.version, 7);
	ev = parse_ok(p, "{\"type\":\"T\",\"subject\":\"b\",\"streamversion\":\"0\"}");
	assert_int_equal(ev.expect.kind, EXPECT_BECOMES);
	assert_int_equal(ev.expect.version, 0);
	ev = parse_ok(p, "{\"type\":\"T\",\"subject\":\"b\"}");
	assert_int_equal(ev.expect.kind, EXPECT_ANY);
	parser_free(p);
}

static void the_given_id_is_the_events_own_or_it_has_none(void **state)
{
	struct event_parser *p = parser_new(EVENT_OBJECT);
	static const char other[] = "{\"type\":\"T\",\"id\":\"other\"}";
	struct event ev;
	struct err e;

	(void)state;
	p->id = span_str(GIVEN_ID);
	assert_span(parse_ok(p, "{\"type\":\"T\"}").id, GIVEN_ID);
	assert_span(parse_ok(p, "{\"type\":\"T\",\"id\":\"" GIVEN_ID "\"}").id, GIVEN_ID);
	assert_int_equal(event_parse(p, other, strlen(other), &ev, &e), -1);
	assert_int_equal(e.code, EVLOG_BAD_EVENT);
	parser_free(p);
}

struct refusal {
	enum event_form form;
	int code;
	const char *line;
	const char *why;
};

static const struct refusal bad[] = {
    {EVENT_OBJECT, EBADMSG, "", "empty"},
    {EVENT_OBJECT, EBADMSG, " \t\r", "empty"},
    {EVENT_DATA, EBADMSG, "", "empty"},
    {EVENT_OBJECT, EBADMSG, "{\"type\":\"T\"", "column 12"},
    {EVENT_OBJECT, EBADMSG, "{\"type\":\"T\",\"type\":\"T\"}", "twice"},
    {EVENT_OBJECT, EBADMSG, "{\"type\":\"T\",\"\\u0074ype\":\"T\"}", "twice"},
    {EVENT_DATA, EBADMSG, "{\"a\":1,\"a\":2}", "twice"},
    {EVENT_DATA, EBADMSG, "\"\xff\"", "UTF-8"},
    {EVENT_OBJECT, EVLOG_BAD_EVENT, "[]", "object"},
    {EVENT_OBJECT, EVLOG_BAD_EVENT, "null", "object"},
    {EVENT_OBJECT, EVLOG_BAD_EVENT, "{}", "no \"type\""},
    {EVENT_OBJECT, EVLOG_BAD_EVENT, "{\"data\":1}", "no \"type\""},
    {EVENT_OBJECT, EVLOG_BAD_EVENT, "{\"type\":1}", "\"type\" must be a string"},
    {EVENT_OBJECT, EVLOG_BAD_EVENT, "{\"type\":null}", "\"type\" must be a string"},
    {EVENT_OBJECT, EVLOG_BAD_EVENT, "{\"type\":\"\"}", "type"},
    {EVENT_OBJECT, EVLOG_BAD_EVENT, "{\"type\":\"a b\"}", "type"},
    {EVENT_OBJECT, EVLOG_BAD_EVENT, "{\"type\":\"a\\u0000b\"}", "type"},
    {EVENT_OBJECT, EVLOG_BAD_EVENT, "{\"type\":\"T\",\"id\":7}", "\"id\" must be"},
    {EVENT_OBJECT, EVLOG_BAD_EVENT, "{\"type\":\"T\",\"id\":\"\"}", "id"},
    {EVENT_OBJECT, EVLOG_BAD_EVENT, "{\"type\":\"T\",\"id\":\"a\\tb\"}", "id"},
    {EVENT_OBJECT, EVLOG_BAD_EVENT, "{\"type\":\"T\",\"specversion\":\"0.3\"}", "1.0"},
    {EVENT_OBJECT, EVLOG_BAD_EVENT, "{\"type\":\"T\",\"specversion\":1.0}", "1.0"},
    {EVENT_OBJECT, EVLOG_BAD_EVENT, "{\"type\":\"T\",\"time\":\"today\"}", "\"time\""},
    {EVENT_OBJECT, EVLOG_BAD_EVENT, "{\"type\":\"T\",\"time\":5}", "\"time\""},
    {EVENT_OBJECT, EVLOG_BAD_EVENT, "{\"type\":\"T\",\"source\":\"\"}", "\"source\""},
    {EVENT_OBJECT, EVLOG_BAD_EVENT, "{\"type\":\"T\",\"source\":{}}", "\"source\""},
    {EVENT_OBJECT, EVLOG_BAD_EVENT, "{\"type\":\"T\",\"x\":null}", "\"x\" must be"},
    {EVENT_OBJECT, EVLOG_BAD_EVENT, "{\"type\":\"T\",\"x\":[]}", "\"x\" must be"},
    {EVENT_OBJECT, EVLOG_BAD_EVENT, "{\"type\":\"T\",\"x\":{}}", "\"x\" must be"},
    {EVENT_OBJECT, EVLOG_BAD_EVENT, "{\"type\":\"T\",\"Shade\":\"x\"}", "\"Shade\""},
    {EVENT_OBJECT, EVLOG_BAD_EVENT, "{\"type\":\"T\",\"\":\"x\"}", "\"\""},
    {EVENT_OBJECT, EVLOG_BAD_EVENT, "{\"type\":\"T\",\"abcdefghijklmnopqrstu\":1}", "1 to 20"},
    {EVENT_OBJECT, EVLOG_BAD_EVENT, "{\"type\":\"T\",\"expect\":1}", "batch"},
    {EVENT_OBJECT, EVLOG_BAD_EVENT, "{\"type\":\"T\",\"stream\":\"b\"}", "batch"},
    {EVENT_OBJECT, EVLOG_BAD_EVENT, "{\"type\":\"T\",\"data\":1,\"data_base64\":\"\"}", "both"},
    {EVENT_OBJECT, EVLOG_BAD_EVENT, "{\"data_base64\":\"\",\"type\":\"T\",\"data\":1}", "both"},
    {EVENT_OBJECT, EVLOG_BAD_EVENT, "{\"type\":\"T\",\"data_base64\":\"AA=\"}", "base64"},
    {EVENT_OBJECT, EVLOG_BAD_EVENT, "{\"type\":\"T\",\"data_base64\":\"AB==\"}", "base64"},
    {EVENT_OBJECT, EVLOG_BAD_EVENT, "{\"type\":\"T\",\"data_base64\":\"AA==\\n\"}", "base64"},
    {EVENT_OBJECT, EVLOG_BAD_EVENT, "{\"type\":\"T\",\"data_base64\":1}", "string"},
    {EVENT_BATCH, EVLOG_BAD_EVENT, "{\"type\":\"T\"}", "no \"stream\""},
    {EVENT_BATCH, EVLOG_BAD_EVENT, "{\"type\":\"T\",\"stream\":\"a/b\"}", "stream"},
    {EVENT_BATCH, EVLOG_BAD_EVENT, "{\"type\":\"T\",\"stream\":\"-a\"}", "stream"},
    {EVENT_BATCH, EVLOG_BAD_EVENT, "{\"type\":\"T\",\"stream\":\"$a\"}", "'$'"},
    {EVENT_BATCH, EVLOG_BAD_EVENT, "{\"type\":\"T\",\"stream\":5}", "string"},
    {EVENT_BATCH, EVLOG_BAD_EVENT, "{\"stream\":\"a\",\"type\":\"T\",\"expect\":-1}", "expect"},
    {EVENT_BATCH, EVLOG_BAD_EVENT, "{\"stream\":\"a\",\"type\":\"T\",\"expect\":1.5}", "expect"},
    {EVENT_BATCH, EVLOG_BAD_EVENT, "{\"stream\":\"a\",\"type\":\"T\",\"expect\":null}", "expect"},
    {EVENT_BATCH, EVLOG_BAD_EVENT, "{\"stream\":\"a\",\"type\":\"T\",\"expect\":\"\"}", "expect"},
    {EVENT_IMPORT, EVLOG_BAD_EVENT, "{\"type\":\"T\"}", "no \"subject\""},
    {EVENT_IMPORT, EVLOG_BAD_EVENT, "{\"subject\":\"a\",\"type\":\"T\",\"streamversion\":\"x\"}",
     "streamversion"},
    {EVENT_IMPORT, EVLOG_BAD_EVENT,
     "{\"subject\":\"a\",\"type\":\"T\",\"streamversion\":\"4294967296\"}", "streamversion"},
};

static void lines_that_are_no_events_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct event_parser *p = parser_new(bad[i].form);
		struct event ev;
		struct err e;

		if (event_parse(p, bad[i].line, strlen(bad[i].line), &ev, &e) == 0)
			fail_msg("'%s' was accepted", bad[i].line);
		if (e.code != bad[i].code || strstr(e.msg, bad[i].why) == NULL)
			fail_msg("'%s': %d %s", bad[i].line, e.code, e.msg);
		parser_free(p);
	}
}

static void too_many_attributes_are_refused_not_dropped(void **state)
{
	struct event_parser *p = parser_new(EVENT_OBJECT);
	struct buf b = {0};
	struct event ev;
	struct err e;

	(void)state;
	buf_add_str(&b, "{\"type\":\"T\"");
	for (int i = 1; i < JSON_MEMBERS_MAX; i++)
		buf_printf(&b, ",\"a%d\":%d", i, i);
	buf_add_char(&b, '}');
	assert_int_equal(event_parse(p, b.data, b.len, &ev, &e), 0);
	b.len--;
	buf_add_str(&b, ",\"b\":1}");
	assert_int_equal(event_parse(p, b.data, b.len, &ev, &e), -1);
	assert_int_equal(e.code, EVLOG_BAD_EVENT);
	buf_done(&b);
	parser_free(p);
}

static void raw_bytes_have_a_limit(void **state)
{
	struct event_parser *p = parser_new(EVENT_DATA);
	char *bytes = calloc(1, EVENT_RAW_MAX + 1);
	struct event ev;
	struct err e;

	(void)state;
	assert_non_null(bytes);
	assert_int_equal(event_raw(p, bytes, EVENT_RAW_MAX, &ev, &e), 0);
	assert_true(ev.data.len <= FRAME_DATA_MAX);
	assert_int_equal(event_raw(p, bytes, EVENT_RAW_MAX + 1, &ev, &e), -1);
	assert_int_equal(e.code, EVLOG_BAD_EVENT);
	free(bytes);
	parser_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_type_and_data_make_an_event),
	    cmocka_unit_test(data_stays_as_typed_but_for_the_spaces_around_its_parts),
	    cmocka_unit_test(with_a_type_given_the_line_is_the_data),
	    cmocka_unit_test(a_cloudevent_keeps_id_time_source_and_extensions),
	    cmocka_unit_test(what_the_store_sets_is_dropped),
	    cmocka_unit_test(the_stores_own_source_is_not_kept),
	    cmocka_unit_test(escapes_in_names_and_keys_are_resolved),
	    cmocka_unit_test(attributes_for_all_give_way_to_the_events_own),
	    cmocka_unit_test(an_attribute_for_all_must_be_one),
	    cmocka_unit_test(a_batch_line_names_its_stream_and_what_it_expects),
	    cmocka_unit_test(an_imported_line_goes_on_where_its_stream_was),
	    cmocka_unit_test(the_given_id_is_the_events_own_or_it_has_none),
	    cmocka_unit_test(lines_that_are_no_events_are_refused),
	    cmocka_unit_test(too_many_attributes_are_refused_not_dropped),
	    cmocka_unit_test(raw_bytes_have_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
