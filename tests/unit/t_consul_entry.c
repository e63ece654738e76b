/* consul/entry: entries and keys as Consul's JSON. */
#include "consul/entry.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "kv_run.h"

static struct kv_run r;

static int begin(void **state)
{
	(void)state;
	kv_run_begin(&r);
	return 0;
}

static int end(void **state)
{
	(void)state;
	kv_run_end(&r);
	return 0;
}

static void expect(struct buf *b, const char *text)
{
	struct json_doc doc;
	struct err e;

	if (json_scan(b->data, b->len, &doc, &e) < 0)
		fail_msg("%.*s: %s", (int)b->len, b->data, e.msg);
	buf_add_char(b, '\0');
	assert_int_equal(buf_ok(b, &e), 0);
	assert_string_equal(b->data, text);
	buf_done(b);
}

static void expect_entry(const char *key, const char *text)
{
	struct kv_entry entry = kv_run_get(&r, key);
	struct buf b = {0};

	consul_entry_put(&b, &entry);
	expect(&b, text);
}

static void an_entry_has_the_members_of_consul(void **state)
{
	struct kv_op op = {.verb = KV_SET,
	                   .key = text_span("zip"),
	                   .value = text_span("test"),
	                   .flags = UINT64_C(3304740253564472344)};

	(void)state;
	kv_run_op(&r, &op);
	expect_entry("zip", "{\"LockIndex\":0,\"Key\":\"zip\",\"Flags\":3304740253564472344,"
	                    "\"Value\":\"dGVzdA==\",\"CreateIndex\":1,\"ModifyIndex\":1}");
	op.flags = UINT64_MAX;
	op.value.len = 0;
	kv_run_op(&r, &op);
	expect_entry("zip", "{\"LockIndex\":0,\"Key\":\"zip\",\"Flags\":18446744073709551615,"
	                    "\"Value\":null,\"CreateIndex\":1,\"ModifyIndex\":2}");
}

static void who_holds_it_and_its_fence_are_told(void **state)
{
	(void)state;
	kv_run_session(&r, 'a', 0, 0);
	kv_run_lock(&r, "k", "v", 'a');
	expect_entry("k", "{\"LockIndex\":1,\"Key\":\"k\",\"Flags\":0,\"Value\":\"dg==\","
	                  "\"Session\":\"61616161-6161-6161-6161-616161616161\","
	                  "\"CreateIndex\":2,\"ModifyIndex\":2,\"Fence\":2}");
	kv_run_unlock(&r, "k", "w", 'a');
	expect_entry("k", "{\"LockIndex\":1,\"Key\":\"k\",\"Flags\":0,\"Value\":\"dw==\","
	                  "\"CreateIndex\":2,\"ModifyIndex\":3,\"Fence\":2}");
}

static void a_value_that_a_result_does_not_give_is_null(void **state)
{
	struct kv_entry entry = {.key = text_span("k"), .value = text_span("v")};
	struct buf b = {0};

	(void)state;
	consul_entry_put(&b, &entry);
	expect(&b, "{\"LockIndex\":0,\"Key\":\"k\",\"Flags\":0,\"Value\":null,"
	           "\"CreateIndex\":0,\"ModifyIndex\":0}");
}

static void a_key_may_be_any_bytes(void **state)
{
	static const char bytes[] = "a\xff\0\"\xc3\xbc";
	struct kv_op op = {.verb = KV_SET, .key = {bytes, sizeof(bytes) - 1}};
	struct buf b = {0};

	(void)state;
	kv_run_op(&r, &op);
	consul_entries_put(&b, r.kv, text_span(""));
	expect(&b, "[{\"LockIndex\":0,\"Key\":\"a\xef\xbf\xbd\\u0000\\\"\xc3\xbc\","
	           "\"KeyBase64\":\"Yf8AIsO8\",\"Flags\":0,\"Value\":null,"
	           "\"CreateIndex\":1,\"ModifyIndex\":1}]");
	consul_keys_put(&b, r.kv, text_span(""), text_span(""), false);
	expect(&b, "[\"a\xef\xbf\xbd\\u0000\\\"\xc3\xbc\"]");
	consul_keys_put(&b, r.kv, text_span(""), text_span(""), true);
	expect(&b, "[\"Yf8AIsO8\"]");
}

static void lists_are_in_the_order_of_bytes(void **state)
{
	struct buf b = {0};

	(void)state;
	assert_int_equal(consul_entries_put(&b, r.kv, text_span("")), 0);
	expect(&b, "[]");
	assert_int_equal(consul_keys_put(&b, r.kv, text_span(""), text_span("/"), false), 0);
	expect(&b, "[]");
	kv_run_set(&r, "b", "");
	kv_run_set(&r, "a", "");
	kv_run_set(&r, "c", "");
	assert_int_equal(consul_entries_put(&b, r.kv, text_span("")), 3);
	expect(&b, "[{\"LockIndex\":0,\"Key\":\"a\",\"Flags\":0,\"Value\":null,"
	           "\"CreateIndex\":2,\"ModifyIndex\":2},"
	           "{\"LockIndex\":0,\"Key\":\"b\",\"Flags\":0,\"Value\":null,"
	           "\"CreateIndex\":1,\"ModifyIndex\":1},"
	           "{\"LockIndex\":0,\"Key\":\"c\",\"Flags\":0,\"Value\":null,"
	           "\"CreateIndex\":3,\"ModifyIndex\":3}]");
	assert_int_equal(consul_entries_put(&b, r.kv, text_span("x")), 0);
	expect(&b, "[]");
}

static void keys_are_cut_behind_the_separator(void **state)
{
	static const char *const keys[] = {"a",     "a/",    "a/b", "a/b/c",
	                                   "a/d/e", "a/d/f", "ab",  "b//c"};
	struct buf b = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		kv_run_set(&r, keys[i], "");
	consul_keys_put(&b, r.kv, text_span(""), text_span("/"), false);
	expect(&b, "[\"a\",\"a/\",\"ab\",\"b/\"]");
	consul_keys_put(&b, r.kv, text_span("a/"), text_span("/"), false);
	expect(&b, "[\"a/\",\"a/b\",\"a/b/\",\"a/d/\"]");
	consul_keys_put(&b, r.kv, text_span("a/"), text_span(""), false);
	expect(&b, "[\"a/\",\"a/b\",\"a/b/c\",\"a/d/e\",\"a/d/f\"]");
	consul_keys_put(&b, r.kv, text_span("b"), text_span("//"), true);
	expect(&b, "[\"Yi8v\"]");
}

static void expect_pretty(const char *json, const char *text)
{
	struct buf b = {0};

	consul_pretty_put(&b, text_span(json));
	buf_add_char(&b, '\0');
	assert_string_equal(b.data, text);
	buf_done(&b);
}

static void pretty_is_four_spaces_a_level_and_a_line_end(void **state)
{
	(void)state;
	expect_pretty("true", "true\n");
	expect_pretty("[]", "[]\n");
	expect_pretty("{\"a\":{},\"b\":[]}", "{\n    \"a\": {},\n    \"b\": []\n}\n");
	expect_pretty("[{\"K\":\"a,:{[\\\"]\\\\\",\"V\":null},1]",
	              "[\n    {\n        \"K\": \"a,:{[\\\"]\\\\\",\n        \"V\": null\n    },\n"
	              "    1\n]\n");
	/* What is no JSON does no harm. */
	expect_pretty("\"\\", "\"\\\n");
	expect_pretty("]]", "]]\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(an_entry_has_the_members_of_consul, begin, end),
	    cmocka_unit_test_setup_teardown(who_holds_it_and_its_fence_are_told, begin, end),
	    cmocka_unit_test_setup_teardown(a_value_that_a_result_does_not_give_is_null, begin,
	                                    end),
	    cmocka_unit_test_setup_teardown(a_key_may_be_any_bytes, begin, end),
	    cmocka_unit_test_setup_teardown(lists_are_in_the_order_of_bytes, begin, end),
	    cmocka_unit_test_setup_teardown(keys_are_cut_behind_the_separator, begin, end),
	    cmocka_unit_test(pretty_is_four_spaces_a_level_and_a_line_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
