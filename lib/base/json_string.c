#include "base/json_string.h"

#include <string.h>

#include "base/text.h"

/* The special bytes of up to 64 bytes, a bit for each; nothing is read from `end` on. */
static uint64_t block_mask(const char *p, const char *end)
{
	uint64_t mask = 0;
	int at = 0;

#ifdef __SSE2__
	for (; at < JSON_WINDOW_BLOCK && end - p >= 16; at += 16, p += 16)
		mask |= json_string_special(p) << at;
#endif
	for (; at < JSON_WINDOW_BLOCK && p < end; at++, p++)
		mask |= (uint64_t)json_string_is_special(*p) << at;
	return mask;
}

void json_window_init(struct json_window *w, const char *begin, const char *end)
{
	*w = (struct json_window){.begin = begin, .end = end, .block = begin};
	w->mask = block_mask(begin, end);
}

const char *json_window_advance(struct json_window *w, const char *p)
{
	while (p < w->end) {
		size_t at = (size_t)(p - w->block);

		if (at >= JSON_WINDOW_BLOCK) {
			w->block += at / JSON_WINDOW_BLOCK * JSON_WINDOW_BLOCK;
			w->mask = block_mask(w->block, w->end);
			at %= JSON_WINDOW_BLOCK;
		}
		if (w->mask >> at != 0)
			return p + __builtin_ctzll(w->mask >> at);
		p = w->block + JSON_WINDOW_BLOCK;
	}
	return w->end;
}

/* Four hex digits, or -1. */
static int32_t get_hex4(const char *p, const char *end)
{
	int32_t v = 0;

	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		char c = (char)(p[i] | 0x20);

		if (p[i] >= '0' && p[i] <= '9')
			v = v * 16 + (p[i] - '0');
		else if (c >= 'a' && c <= 'f')
			v = v * 16 + (c - 'a' + 10);
		else
			return -1;
	}
	return v;
}

/* The character that \uXXXX at p means, or the pair of them; returns what follows, or NULL. */
static const char *get_unicode(const char *p, const char *end, uint32_t *ret)
{
	int32_t high = get_hex4(p + 2, end);
	int32_t low;

	if (high < 0 || (high >= 0xdc00 && high <= 0xdfff))
		return NULL;
	*ret = (uint32_t)high;
	if (high < 0xd800 || high > 0xdfff)
		return p + 6;
	if (end - p < 12 || p[6] != '\\' || p[7] != 'u')
		return NULL;
	low = get_hex4(p + 8, end);
	if (low < 0xdc00 || low > 0xdfff)
		return NULL;
	*ret = 0x10000 + (((uint32_t)high - 0xd800) << 10) + ((uint32_t)low - 0xdc00);
	return p + 12;
}

const char *json_string_escape(const char *p, const char *end, uint32_t *ret)
{
	static const char letters[] = "\"\\/bfnrt";
	static const char meanings[] = "\"\\/\b\f\n\r\t";
	const char *at;

	if (end - p < 2 || p[1] == '\0')
		return NULL;
	if (p[1] == 'u')
		return get_unicode(p, end, ret);
	at = strchr(letters, p[1]);
	if (at == NULL)
		return NULL;
	*ret = (unsigned char)meanings[at - letters];
	return p + 2;
}

/* The bytes that a key or a string means, one by one. */
struct walk {
	const char *p;
	const char *end;
	char bytes[4]; /* of the last escape */
	size_t at;
	size_t len;
};

/* The next byte, or -1 at the end.  Only for strings that were scanned. */
static int walk_next(struct walk *w)
{
	uint32_t c;

	if (w->at < w->len)
		return (unsigned char)w->bytes[w->at++];
	if (w->p == w->end)
		return -1;
	if (*w->p != '\\')
		return (unsigned char)*w->p++;
	w->p = json_string_escape(w->p, w->end, &c);
	if (w->p == NULL) {
		w->p = w->end;
		return -1;
	}
	w->len = text_put_utf8(w->bytes, c);
	w->at = 1;
	return (unsigned char)w->bytes[0];
}

int json_string_compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
	struct walk wa = {.p = a, .end = a + a_len};
	struct walk wb = {.p = b, .end = b + b_len};
	int ca;
	int cb;

	do {
		ca = walk_next(&wa);
		cb = walk_next(&wb);
	} while (ca == cb && ca >= 0);
	return (ca > cb) - (ca < cb);
}

bool json_string_means(const char *p, size_t len, const char *bytes, size_t bytes_len)
{
	struct walk w = {.p = p, .end = p + len};

	for (size_t i = 0; i < bytes_len; i++)
		if (walk_next(&w) != (unsigned char)bytes[i])
			return false;
	return walk_next(&w) < 0;
}
