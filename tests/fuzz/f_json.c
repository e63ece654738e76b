/*
 * json: the scanner against jansson, which must accept and refuse the same texts, and what is
 * done with the values against what jansson makes of them.  They may differ in three things, all
 * meant: jansson refuses numbers that overflow and keys with a NUL, the scanner more than
 * JSON_DEPTH_MAX levels.  jansson also overlooks some NUL bytes between tokens (after a number, for
 * example), so that a text with one is not compared: the scanner must refuse it.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/json_each.h"
#include "base/json_out.h"
#include "fuzz.h"

/* Both have these names. */
#define JSON_OBJECT JANSSON_OBJECT
#define JSON_ARRAY  JANSSON_ARRAY
#define JSON_STRING JANSSON_STRING
#define JSON_NULL   JANSSON_NULL
#include <jansson.h>
#undef JSON_OBJECT
#undef JSON_ARRAY
#undef JSON_STRING
#undef JSON_NULL

#define FLAGS (JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL)

static bool same_type(enum json_type ours, json_type theirs)
{
	switch (theirs) {
	case JANSSON_OBJECT:
		return ours == JSON_OBJECT;
	case JANSSON_ARRAY:
		return ours == JSON_ARRAY;
	case JANSSON_STRING:
		return ours == JSON_STRING;
	case JSON_INTEGER:
	case JSON_REAL:
		return ours == JSON_NUMBER;
	case JSON_TRUE:
	case JSON_FALSE:
		return ours == JSON_BOOL;
	default:
		return ours == JSON_NULL;
	}
}

/* Unescape, write it again, and find the same bytes both times. */
static void check_string(const struct json_value *v, json_t *want)
{
	const char *bytes = json_string_value(want);
	size_t len = json_string_length(want);
	struct buf plain = {0};
	struct buf again = {0};
	struct json_doc d;
	struct err e;

	CHECK(json_unescape(&plain, v->p + 1, v->len - 2, &e) == 0);
	CHECK(plain.len == len && (len == 0 || memcmp(plain.data, bytes, len) == 0));
	CHECK(v->escaped == (memchr(v->p, '\\', v->len) != NULL));
	json_out_string(&again, bytes, len);
	CHECK(json_scan(again.data, again.len, &d, &e) == 0 && d.value.type == JSON_STRING);
	buf_clear(&plain);
	CHECK(json_unescape(&plain, d.value.p + 1, d.value.len - 2, &e) == 0);
	CHECK(plain.len == len && (len == 0 || memcmp(plain.data, bytes, len) == 0));
	if (memchr(bytes, '\0', len) == NULL)
		CHECK(json_string_is(v, bytes));
	buf_done(&plain);
	buf_done(&again);
}

static void check_value(const struct json_value *v, json_t *want)
{
	struct buf b = {0};
	struct json_doc d;
	struct err e;
	json_t *got;

	CHECK(same_type(v->type, json_typeof(want)));
	if (v->type == JSON_STRING)
		check_string(v, want);
	CHECK(json_compact(&b, v) == 0);
	CHECK(v->spaced ? b.len < v->len : b.len == v->len);
	got = json_loadb(b.data, b.len, FLAGS, NULL);
	CHECK(got != NULL && json_equal(got, want));
	json_decref(got);
	CHECK(json_scan(b.data, b.len, &d, &e) == 0);
	CHECK(!d.value.spaced && d.value.type == v->type && d.value.len == b.len);
	buf_done(&b);
}

static void check_each(const struct json_value *v, json_t *want);

/* As the scanner would note it. */
static void check_found(const struct json_value *v, json_t *want)
{
	check_value(v, want);
	if (v->type == JSON_OBJECT || v->type == JSON_ARRAY)
		check_each(v, want);
}

/* Every member and element at every level.  Not deeper than JSON_DEPTH_MAX. */
static void check_each(const struct json_value *v, json_t *want)
{
	struct json_each it;
	struct json_member m;
	size_t n = 0;
	struct err e;

	json_each_begin(&it, v);
	for (; json_each_next(&it, &m); n++) {
		struct buf key = {0};

		if (v->type == JSON_ARRAY) {
			CHECK(m.key_len == 0);
			check_found(&m.value, json_array_get(want, n));
			continue;
		}
		CHECK(json_unescape(&key, m.key, m.key_len, &e) == 0);
		buf_add_char(&key, '\0');
		CHECK(m.key_escaped == (memchr(m.key, '\\', m.key_len) != NULL));
		CHECK(json_object_get(want, key.data) != NULL);
		check_found(&m.value, json_object_get(want, key.data));
		buf_done(&key);
	}
	CHECK(n == (v->type == JSON_ARRAY ? json_array_size(want) : json_object_size(want)));
}

static void check_members(const struct json_doc *d, json_t *want)
{
	struct err e;

	CHECK(d->members == json_object_size(want));
	for (size_t i = 0; i < d->members && i < JSON_MEMBERS_MAX; i++) {
		const struct json_member *m = &d->member[i];
		struct buf key = {0};
		json_t *value;

		CHECK(json_unescape(&key, m->key, m->key_len, &e) == 0);
		buf_add_char(&key, '\0');
		CHECK(buf_ok(&key, &e) == 0);
		CHECK(json_key_is(m, key.data) && json_find(d, key.data) == &m->value);
		value = json_object_get(want, key.data);
		CHECK(value != NULL);
		check_value(&m->value, value);
		buf_done(&key);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct json_doc d;
	struct err e = {.code = 0};
	json_error_t why;
	json_t *want = json_loadb(text, size, FLAGS, &why);

	if (json_scan(text, size, &d, &e) < 0) {
		CHECK(e.code == EBADMSG && e.msg[0] != '\0');
		CHECK(want == NULL || strstr(e.msg, "levels") != NULL ||
		      memchr(text, '\0', size) != NULL);
	} else if (want == NULL) {
		CHECK(memchr(text, '\0', size) == NULL);
		CHECK(json_error_code(&why) == json_error_numeric_overflow ||
		      json_error_code(&why) == json_error_null_byte_in_key);
	} else {
		check_found(&d.value, want);
		if (d.value.type == JSON_OBJECT)
			check_members(&d, want);
	}
	json_decref(want);
	return 0;
}
