#include "evlog/attrs.h"

#include <string.h>

#define NAME_MAX_LEN 20 /* CloudEvents 1.0, "Attribute Naming Convention" */

bool attrs_is_name(struct span k)
{
	if (k.len < 1 || k.len > NAME_MAX_LEN)
		return false;
	for (size_t i = 0; i < k.len; i++)
		if (!(k.p[i] >= 'a' && k.p[i] <= 'z') && !(k.p[i] >= '0' && k.p[i] <= '9'))
			return false;
	return true;
}

/* What follows the string whose inside begins at p, or NULL. */
static const char *string_end(const char *p, const char *end)
{
	const char *quote = memchr(p, '"', (size_t)(end - p));

	if (quote == NULL || memchr(p, '\\', (size_t)(quote - p)) == NULL)
		return quote == NULL ? NULL : quote + 1;
	for (; p < end && *p != '"'; p++)
		if (*p == '\\')
			p++;
	return p < end ? p + 1 : NULL;
}

bool attrs_next(struct span *rest, struct span *name, struct span *value)
{
	const char *p = rest->p;
	const char *end;
	const char *quote;

	if (rest->len == 0)
		return false;
	end = p + rest->len;
	if (*p == ',')
		p++;
	if (end - p < 5 || *p != '"')
		return false;
	name->p = ++p;
	quote = memchr(p, '"', (size_t)(end - p));
	if (quote == NULL || end - quote < 3 || quote[1] != ':')
		return false;
	name->len = (size_t)(quote - p);
	value->p = p = quote + 2;
	if (*p == '"') {
		p = string_end(p + 1, end);
		if (p == NULL)
			return false;
	} else {
		while (p < end && *p != ',')
			p++;
	}
	value->len = (size_t)(p - value->p);
	*rest = (struct span){p, (size_t)(end - p)};
	return true;
}

bool attrs_has(struct span attrs, struct span name)
{
	struct span one;
	struct span value;

	while (attrs_next(&attrs, &one, &value))
		if (span_is(one, name))
			return true;
	return false;
}

void attrs_put(struct buf *out, struct span name, struct span value)
{
	const char *end = value.p + value.len;
	const char *space;

	if (out->len > 0 && out->data[out->len - 1] != '{')
		buf_add_char(out, ',');
	buf_add_char(out, '"');
	buf_add(out, name.p, name.len);
	buf_add(out, "\":", 2);
	for (const char *p = value.p; p < end; p = space + 1) {
		space = memchr(p, ' ', (size_t)(end - p));
		if (space == NULL) {
			buf_add(out, p, (size_t)(end - p));
			return;
		}
		buf_add(out, p, (size_t)(space - p));
		buf_add(out, "\\u0020", 6);
	}
}

char *attrs_copy_value(char *to, struct span value)
{
	const char *p = value.p;
	const char *end = p + value.len;

	if (memchr(p, '\\', value.len) == NULL) {
		memcpy(to, p, value.len);
		return to + value.len;
	}
	while (p < end) {
		if (end - p >= 6 && memcmp(p, "\\u0020", 6) == 0) {
			*to++ = ' ';
			p += 6;
			continue;
		}
		if (*p == '\\' && end - p > 1)
			*to++ = *p++;
		*to++ = *p++;
	}
	return to;
}
