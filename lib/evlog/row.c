#include "evlog/row.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/json_out.h"
#include "base/text.h"

#define CUT_AT  150 /* bytes of a long name that stay readable */
#define SUM_LEN 16  /* bytes of its sum */

/* ---- Names. */

static bool is_plain(unsigned char c, bool first)
{
	if (c <= ' ' || c == 0x7f || strchr("/%,", c) != NULL)
		return false;
	return !first || (c != '.' && c != '-');
}

static void put_escaped(struct buf *out, const char *p, size_t len, bool first)
{
	for (size_t i = 0; i < len; i++, first = false)
		if (is_plain((unsigned char)p[i], first))
			buf_add_char(out, p[i]);
		else
			buf_printf(out, "%%%02X", (unsigned)(unsigned char)p[i]);
}

/* Cut what was appended since `from` to a name: "%." stands in no other. */
static void shorten(struct buf *out, size_t from)
{
	unsigned char sum[HASH_BLAKE2B_LEN];
	size_t at = from + CUT_AT;

	if (out->failed || out->len - from <= ROW_NAME_MAX)
		return;
	hash_blake2b_256(out->data + from, out->len - from, sum);
	/* Not within a character, nor within an escape. */
	while (at > from && ((unsigned char)out->data[at] & 0xc0) == 0x80)
		at--;
	for (size_t back = 1; back <= 2 && at - back >= from; back++)
		if (out->data[at - back] == '%')
			at -= back;
	out->len = at;
	buf_add(out, "%.", 2);
	for (size_t i = 0; i < SUM_LEN; i++)
		buf_printf(out, "%02x", sum[i]);
}

/* "%" alone is no escape of anything: the name of nothing. */
static void put_value(struct buf *out, struct span s, bool first)
{
	if (s.len == 0)
		buf_add_char(out, '%');
	put_escaped(out, s.p, s.len, first);
}

void row_put_name(struct buf *out, const char *p, size_t len)
{
	size_t from = out->len;

	put_value(out, (struct span){p, len}, true);
	shorten(out, from);
}

void row_put_path_of(struct buf *out, struct span table, const struct span *keys, size_t n)
{
	size_t from;

	row_put_name(out, table.p, table.len);
	buf_add_char(out, '/');
	from = out->len;
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buf_add_char(out, ',');
		put_value(out, keys[i], i == 0);
	}
	shorten(out, from);
	buf_add_str(out, ".json");
}

/* The bytes of a string; of other values their text.  In `plain`, which keeps all of them. */
static void put_plain(struct buf *plain, const struct json_value *v)
{
	struct err e;

	if (v->type != JSON_STRING)
		buf_add(plain, v->p, v->len);
	else if (json_unescape(plain, v->p + 1, v->len - 2, &e) < 0)
		plain->failed = true;
}

static int compare_members(const void *left, const void *right)
{
	return json_key_compare(left, right);
}

void row_put_path(struct buf *out, const struct output *o)
{
	struct json_member keys[OUTPUT_KEYS_MAX];
	struct span spans[OUTPUT_KEYS_MAX + 1];
	size_t ends[OUTPUT_KEYS_MAX + 1];
	struct buf plain = {0};
	struct json_each it;
	size_t n = 0;

	json_each_begin(&it, &o->key);
	while (n < OUTPUT_KEYS_MAX && json_each_next(&it, &keys[n]))
		n++;
	qsort(keys, n, sizeof(*keys), compare_members);
	put_plain(&plain, &o->name);
	ends[0] = plain.len;
	for (size_t i = 0; i < n; i++) {
		put_plain(&plain, &keys[i].value);
		ends[i + 1] = plain.len;
	}
	if (plain.failed) {
		out->failed = true;
		buf_done(&plain);
		return;
	}
	for (size_t i = 0, at = 0; i <= n; at = ends[i++])
		spans[i] = (struct span){plain.data + at, ends[i] - at};
	row_put_path_of(out, spans[0], spans + 1, n);
	buf_done(&plain);
}

/* ---- Numbers. */

static double as_double(const struct json_value *v)
{
	struct buf text = {0};
	double d;

	buf_add(&text, v->p, v->len);
	buf_add_char(&text, '\0');
	d = text.failed ? 0 : strtod(text.data, NULL);
	buf_done(&text);
	return d;
}

/* As few digits as give the same number again. */
static void put_double(struct buf *out, double d)
{
	size_t from = out->len;

	for (int digits = 15; digits <= 17; digits++) {
		out->len = from;
		buf_printf(out, "%.*g", digits, d);
		buf_add_char(out, '\0');
		if (out->failed || strtod(out->data + from, NULL) == d)
			break;
	}
	if (!out->failed)
		out->len--;
}

static int put_sum(struct buf *out, const struct json_member *old, const struct json_value *add,
                   struct err *e)
{
	int64_t a;
	int64_t b;
	int64_t sum;
	double d;

	if (old->value.type == JSON_NULL) {
		buf_add(out, add->p, add->len);
		return 0;
	}
	if (old->value.type != JSON_NUMBER)
		return err_set(e, EBADMSG, "\"add\": column '%.*s' of the row is no number",
		               (int)(old->key_len < 60 ? old->key_len : 60), old->key);
	if (json_get_i64(&old->value, &a) && json_get_i64(add, &b) &&
	    !__builtin_add_overflow(a, b, &sum)) {
		buf_printf(out, "%jd", (intmax_t)sum);
		return 0;
	}
	d = as_double(&old->value) + as_double(add);
	if (!isfinite(d))
		return err_set(e, EBADMSG, "\"add\": the sum is out of range");
	put_double(out, d);
	return 0;
}

/* ---- Merging. */

static bool is_sequence(const struct json_member *m)
{
	return json_key_is(m, ROW_SEQUENCE);
}

static bool find(const struct json_value *object, const struct json_member *like,
                 struct json_value *ret)
{
	struct json_each it;
	struct json_member m;

	if (object->type == JSON_NONE)
		return false;
	json_each_begin(&it, object);
	while (json_each_next(&it, &m))
		if (json_key_compare(&m, like) == 0) {
			*ret = m.value;
			return true;
		}
	return false;
}

static void put_key(struct buf *out, const struct json_member *m)
{
	buf_add(out, out->data[out->len - 1] == '{' ? "\"" : ",\"",
	        out->data[out->len - 1] == '{' ? 1 : 2);
	buf_add(out, m->key, m->key_len);
	buf_add(out, "\":", 2);
}

static void put_member(struct buf *out, const struct json_member *m)
{
	put_key(out, m);
	(void)json_compact(out, &m->value); /* out remembers a failure */
}

/* The columns that are there, with their new values. */
static int put_old(struct buf *out, const struct json_value *row, const struct output *o,
                   struct err *e)
{
	struct json_each it;
	struct json_member m;
	struct json_value v;

	json_each_begin(&it, row);
	while (json_each_next(&it, &m)) {
		if (is_sequence(&m))
			continue;
		if (find(&o->set, &m, &v)) {
			m.value = v;
			put_member(out, &m);
		} else if (find(&o->add, &m, &v)) {
			put_key(out, &m);
			if (put_sum(out, &m, &v, e) < 0)
				return -1;
		} else {
			put_member(out, &m);
		}
	}
	return 0;
}

/* Those that are not. */
static int put_new(struct buf *out, const struct json_value *row, const struct json_value *columns,
                   struct err *e)
{
	struct json_each it;
	struct json_member m;
	struct json_value v;

	if (columns->type == JSON_NONE)
		return 0;
	json_each_begin(&it, columns);
	while (json_each_next(&it, &m)) {
		if (is_sequence(&m))
			return err_set(e, EBADMSG, "a column cannot be called " ROW_SEQUENCE);
		if (!find(row, &m, &v))
			put_member(out, &m);
	}
	return 0;
}

int row_merge(struct buf *out, struct span row, const struct output *o, uint64_t seq, struct err *e)
{
	struct json_value old = {.p = row.p, .len = row.len, .type = JSON_OBJECT};
	size_t from = out->len;

	assert(o->kind == OUTPUT_UPSERT);
	if (row.len == 0)
		old = (struct json_value){.type = JSON_NONE};
	buf_add_char(out, '{');
	if (buf_ok(out, e) < 0)
		return -1;
	if (row.len > 0 && put_old(out, &old, o, e) < 0)
		return -1;
	if (put_new(out, &old, &o->key, e) < 0 || put_new(out, &old, &o->set, e) < 0 ||
	    put_new(out, &old, &o->add, e) < 0)
		return -1;
	json_out_key(out, ROW_SEQUENCE);
	json_out_seq(out, seq);
	buf_add_char(out, '}');
	if (buf_ok(out, e) < 0)
		return -1;
	if (out->len - from > ROW_MAX)
		return err_set(e, EBADMSG, "the row has more than %u bytes", ROW_MAX);
	return 0;
}

int row_check(struct span row, uint64_t *ret_seq, struct err *e)
{
	struct json_doc d;
	struct json_each it;
	struct json_member m;

	if (json_scan(row.p, row.len, &d, e) < 0)
		return -1;
	if (d.value.type != JSON_OBJECT || d.value.p != row.p || d.value.len != row.len)
		return err_set(e, EBADMSG, "no object");
	json_each_begin(&it, &d.value);
	while (json_each_next(&it, &m))
		if (is_sequence(&m))
			return json_get_u64(&m.value, ret_seq, e) == 0
			           ? 0
			           : err_set(e, EBADMSG, "a bad " ROW_SEQUENCE);
	return err_set(e, EBADMSG, "without " ROW_SEQUENCE);
}
