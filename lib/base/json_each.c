#include "base/json_each.h"

#include <assert.h>

#include "base/json_string.h"

void json_each_begin(struct json_each *it, const struct json_value *v)
{
	assert(v->type == JSON_OBJECT || v->type == JSON_ARRAY);
	assert(v->len >= 2);
	it->p = v->p + 1;
	it->end = v->p + v->len - 1;
	it->object = v->type == JSON_OBJECT;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static const char *skip_space(const char *p, const char *end)
{
	while (p < end && is_space(*p))
		p++;
	return p;
}

/* Behind the string whose opening quote is at p. */
static const char *skip_string(const char *p, const char *end, bool *ret_escaped)
{
	*ret_escaped = false;
	for (p = json_string_plain(p + 1, end); p < end && *p != '"';) {
		if (*p == '\\') {
			*ret_escaped = true;
			p++;
		}
		if (p < end)
			p++; /* a byte that is no plain one, or the one behind a backslash */
		p = json_string_plain(p, end);
	}
	assert(p < end);
	return p + 1;
}

/* Behind the array or object that begins at p. */
static const char *skip_nested(const char *p, const char *end, bool *ret_spaced)
{
	unsigned depth = 0;
	bool ignored;

	*ret_spaced = false;
	while (p < end) {
		if (*p == '"') {
			p = skip_string(p, end, &ignored);
			continue;
		}
		if (*p == '{' || *p == '[')
			depth++;
		else if (*p == '}' || *p == ']')
			depth--;
		else if (is_space(*p))
			*ret_spaced = true;
		p++;
		if (depth == 0)
			break;
	}
	return p;
}

static const char *skip_plain(const char *p, const char *end)
{
	while (p < end && *p != ',' && !is_space(*p))
		p++;
	return p;
}

/* Scalars are told by their first byte; of strings and nested values, where they end is not. */
static const char *skip_value(const char *p, const char *end, struct json_value *v)
{
	v->p = p;
	v->spaced = false;
	v->escaped = false;
	switch (*p) {
	case '"':
		v->type = JSON_STRING;
		p = skip_string(p, end, &v->escaped);
		break;
	case '{':
	case '[':
		v->type = *p == '{' ? JSON_OBJECT : JSON_ARRAY;
		p = skip_nested(p, end, &v->spaced);
		break;
	case 'n':
		v->type = JSON_NULL;
		p = skip_plain(p, end);
		break;
	case 't':
	case 'f':
		v->type = JSON_BOOL;
		p = skip_plain(p, end);
		break;
	default:
		v->type = JSON_NUMBER;
		p = skip_plain(p, end);
	}
	v->len = (size_t)(p - v->p);
	return p;
}

bool json_each_next(struct json_each *it, struct json_member *m)
{
	const char *p = skip_space(it->p, it->end);

	if (p == it->end)
		return false;
	*m = (struct json_member){.key = p};
	if (it->object) {
		m->key = p + 1;
		p = skip_string(p, it->end, &m->key_escaped);
		m->key_len = (size_t)(p - 1 - m->key);
		p = skip_space(p, it->end);
		assert(p < it->end && *p == ':');
		p = skip_space(p + 1, it->end);
	}
	assert(p < it->end);
	p = skip_space(skip_value(p, it->end, &m->value), it->end);
	assert(p == it->end || *p == ',');
	it->p = p < it->end ? p + 1 : p;
	return true;
}

size_t json_each_count(const struct json_value *v)
{
	struct json_each it;
	struct json_member m;
	size_t n = 0;

	if (v->type == JSON_NONE)
		return 0;
	json_each_begin(&it, v);
	while (json_each_next(&it, &m))
		n++;
	return n;
}

int json_key_compare(const struct json_member *a, const struct json_member *b)
{
	return json_string_compare(a->key, a->key_len, b->key, b->key_len);
}
