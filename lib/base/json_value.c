/* What is done with values that json_scan() found. */
#include "base/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_string.h"
#include "base/text.h"

static bool is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* What follows the string at p, in text that was scanned. */
static const char *skip_string(const char *p, const char *end)
{
	for (p = json_string_plain(p + 1, end); p < end && *p != '"';)
		p = json_string_plain(p + (*p == '\\' ? 2 : 1), end);
	return p + 1;
}

int json_compact(struct buf *out, const struct json_value *v)
{
	const char *p = v->p;
	const char *end = p + v->len;
	const char *from;

	if (!v->spaced)
		buf_add(out, p, v->len);
	else if (buf_reserve(out, v->len) != NULL)
		while (p < end) {
			from = p;
			while (p < end && !is_space(*p))
				p = *p == '"' ? skip_string(p, end) : p + 1;
			buf_add(out, from, (size_t)(p - from));
			while (p < end && is_space(*p))
				p++;
		}
	return out->failed ? -1 : 0;
}

int json_unescape(struct buf *out, const char *p, size_t len, struct err *e)
{
	const char *begin = p;
	const char *end = p + len;
	const char *next;
	char bytes[4];
	uint32_t c;

	while (p < end) {
		next = memchr(p, '\\', (size_t)(end - p));
		buf_add(out, p, (size_t)((next == NULL ? end : next) - p));
		if (next == NULL)
			break;
		p = json_string_escape(next, end, &c);
		if (p == NULL)
			return err_set(e, EBADMSG,
			               "column %zu of a string: expected a valid escape",
			               (size_t)(next - begin) + 1);
		buf_add(out, bytes, text_put_utf8(bytes, c));
	}
	return buf_ok(out, e);
}

static bool text_is(const char *p, size_t len, bool escaped, const char *s)
{
	size_t s_len = strlen(s);

	/* s has no escapes, but it may have a backslash: only equal bytes without one will do. */
	if (!escaped)
		return len == s_len && memcmp(p, s, len) == 0;
	return json_string_means(p, len, s, s_len);
}

bool json_string_is(const struct json_value *v, const char *s)
{
	return v->type == JSON_STRING && text_is(v->p + 1, v->len - 2, v->escaped, s);
}

bool json_key_is(const struct json_member *m, const char *s)
{
	return text_is(m->key, m->key_len, m->key_escaped, s);
}

static uint32_t fold(uint32_t c)
{
	return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

bool json_key_folds_to(const struct json_member *m, const char *s)
{
	const char *p = m->key;
	const char *end = p + m->key_len;

	for (; *s != '\0'; s++) {
		uint32_t c;

		if (p == end)
			return false;
		c = (unsigned char)*p;
		p = c == '\\' ? json_string_escape(p, end, &c) : p + 1;
		if (p == NULL || fold(c) != fold((unsigned char)*s))
			return false;
	}
	return p == end;
}

const struct json_value *json_find(const struct json_doc *d, const char *key)
{
	size_t n = d->members < JSON_MEMBERS_MAX ? d->members : JSON_MEMBERS_MAX;

	for (size_t i = 0; i < n; i++)
		if (json_key_is(&d->member[i], key))
			return &d->member[i].value;
	return NULL;
}

int json_get_u64(const struct json_value *v, uint64_t *ret, struct err *e)
{
	if (v->type == JSON_NUMBER)
		return num_u64_len(v->p, v->len, 0, UINT64_MAX, ret, e);
	if (v->type == JSON_STRING)
		return num_u64_len(v->p + 1, v->len - 2, 0, UINT64_MAX, ret, e);
	return err_set(e, EINVAL, "expected a number or a string of digits");
}

bool json_get_i64(const struct json_value *v, int64_t *ret)
{
	char digits[24]; /* more than the longest such number has */
	int64_t n;

	if (v->type != JSON_NUMBER || v->len >= sizeof(digits))
		return false;
	memcpy(digits, v->p, v->len);
	digits[v->len] = '\0';
	if (strpbrk(digits, ".eE") != NULL)
		return false;
	errno = 0;
	n = strtoll(digits, NULL, 10);
	if (errno != 0)
		return false;
	*ret = n;
	return true;
}
