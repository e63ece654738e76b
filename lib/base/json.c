#include "base/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_string.h"
#include "base/text.h"

#define KEYS_FEW        96 /* keys of open objects that need no allocation */
#define KEYS_LINEAR_MAX 32 /* an object with more keys is checked by sorting, at its end */

#define LIKELY(x)   __builtin_expect((x), 1)
#define UNLIKELY(x) __builtin_expect((x), 0)

struct key {
	const char *p;
	size_t len;
	bool escaped;
};

/* An open array or object. */
struct frame {
	struct json_value *slot; /* where the value that is next in it, or was last, is noted */
	uint64_t seen;           /* a bit for the hash of each key: most keys are new by one test */
	size_t keys;             /* how many it has so far; they are the last ones in scan.keys */
	char close;              /* '}' or ']' */
	bool sort;               /* look for equal keys at its end */
};

struct scan {
	const char *begin;
	const char *end;
	const char *space; /* where the last whitespace ended */
	struct json_window window;
	struct frame *top;
	struct key *key_next;
	struct key *key_end;
	bool escaped; /* the last string has a backslash */
	struct json_doc *d;
	struct err *e;
	struct key *keys;                       /* of all open objects: few, or on the heap */
	struct json_value scrap;                /* for values that nobody asked for */
	struct frame frame[1 + JSON_DEPTH_MAX]; /* the first holds the top-level value */
	struct key few[KEYS_FEW];
};

static bool is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* NULL, so that a scanning function fails in one statement. */
static __attribute__((cold, noinline)) const char *fail(struct scan *s, const char *p,
                                                        const char *want)
{
	size_t column = (size_t)(p - s->begin) + 1;

	if (p == s->end)
		err_set(s->e, EBADMSG, "column %zu: expected %s, found the end", column, want);
	else if (*p > ' ' && *p < 0x7f)
		err_set(s->e, EBADMSG, "column %zu: expected %s, found '%c'", column, want, *p);
	else
		err_set(s->e, EBADMSG, "column %zu: expected %s, found byte 0x%02x", column, want,
		        (unsigned)(unsigned char)*p);
	return NULL;
}

static const char *skip_spaces(struct scan *s, const char *p)
{
	const char *from = p;

	while (p < s->end && is_space(*p))
		p++;
	if (p > from)
		s->space = p;
	return p;
}

static inline const char *skip_space(struct scan *s, const char *p)
{
	if (LIKELY(p<s->end && * p> ' '))
		return p;
	return skip_spaces(s, p);
}

/* The rest of a string from p, where there is something else than plain ASCII. */
static __attribute__((noinline)) const char *scan_string_from(struct scan *s, const char *p)
{
	const char *next;
	uint32_t c;
	size_t n;

	for (;; p = json_window_plain(&s->window, next)) {
		if (p < s->end && *p == '"')
			return p + 1;
		if (p == s->end || (*p >= 0 && *p < ' '))
			return fail(s, p, "a character of a string or its closing quote");
		if (*p == '\\') {
			s->escaped = true;
			next = json_string_escape(p, s->end, &c);
			if (next == NULL)
				return fail(s, p, "a valid escape");
			continue;
		}
		for (next = p; next < s->end && *next < 0; next += n) {
			n = text_utf8_len(next, (size_t)(s->end - next));
			if (n == 0)
				return fail(s, next, "valid UTF-8");
		}
	}
}

/*
 * The string whose opening quote is at p; returns what follows its closing quote, or NULL.
 * s->escaped tells then whether there is a backslash in it.
 */
static inline const char *scan_string(struct scan *s, const char *p)
{
	s->escaped = false;
	p = json_window_plain(&s->window, p + 1);
	if (LIKELY(p < s->end && *p == '"'))
		return p + 1;
	return scan_string_from(s, p);
}

static const char *scan_digits(struct scan *s, const char *p)
{
	if (p == s->end || !is_digit(*p))
		return fail(s, p, "a digit");
	while (p < s->end && is_digit(*p))
		p++;
	return p;
}

static const char *scan_number(struct scan *s, const char *p)
{
	if (*p == '-')
		p++;
	if (p < s->end && *p == '0')
		p++;
	else if ((p = scan_digits(s, p)) == NULL)
		return NULL;
	if (p < s->end && *p == '.' && (p = scan_digits(s, p + 1)) == NULL)
		return NULL;
	if (p < s->end && (*p | 0x20) == 'e') {
		p++;
		if (p < s->end && (*p == '+' || *p == '-'))
			p++;
		return scan_digits(s, p);
	}
	return p;
}

static const char *scan_word(struct scan *s, const char *p, const char *word, size_t len)
{
	if ((size_t)(s->end - p) < len || memcmp(p, word, len) != 0)
		return fail(s, p, "a value");
	return p + len;
}

static const char *scan_scalar(struct scan *s, const char *p)
{
	struct json_value *v = s->top->slot;

	v->p = p;
	v->spaced = false;
	v->escaped = false;
	if (LIKELY(*p == '"')) {
		v->type = JSON_STRING;
		p = scan_string(s, p);
		v->escaped = s->escaped;
	} else if (is_digit(*p) || *p == '-') {
		v->type = JSON_NUMBER;
		p = scan_number(s, p);
	} else if (*p == 't') {
		v->type = JSON_BOOL;
		p = scan_word(s, p, "true", 4);
	} else if (*p == 'f') {
		v->type = JSON_BOOL;
		p = scan_word(s, p, "false", 5);
	} else if (*p == 'n') {
		v->type = JSON_NULL;
		p = scan_word(s, p, "null", 4);
	} else {
		return fail(s, p, "a value");
	}
	if (p != NULL)
		v->len = (size_t)(p - v->p);
	return p;
}

static int compare_keys(const void *left, const void *right)
{
	const struct key *a = left;
	const struct key *b = right;
	size_t len = a->len < b->len ? a->len : b->len;
	int order;

	if (a->escaped || b->escaped)
		return json_string_compare(a->p, a->len, b->p, b->len);
	order = memcmp(a->p, b->p, len);
	return order != 0 ? order : (a->len > b->len) - (a->len < b->len);
}

static const char *fail_twice(struct scan *s, const struct key *a, const struct key *b)
{
	const struct key *later = a->p > b->p ? a : b;
	int len = later->len < 100 ? (int)later->len : 100;

	err_set(s->e, EBADMSG, "column %zu: the key '%.*s' is there twice",
	        (size_t)(later->p - s->begin), len, later->p);
	return NULL;
}

/* All keys of an object at its end: n log n, whatever somebody chose. */
static __attribute__((noinline)) int sort_keys(struct scan *s, const struct frame *f)
{
	struct key *k = s->key_next - f->keys;

	qsort(k, f->keys, sizeof(*k), compare_keys);
	for (size_t i = 1; i < f->keys; i++)
		if (compare_keys(&k[i - 1], &k[i]) == 0) {
			fail_twice(s, &k[i - 1], &k[i]);
			return -1;
		}
	return 0;
}

static __attribute__((noinline)) int grow_keys(struct scan *s)
{
	struct key *old = s->keys == s->few ? NULL : s->keys;
	size_t n = (size_t)(s->key_end - s->keys);
	struct key *keys = reallocarray(old, n, 2 * sizeof(*keys));

	if (keys == NULL)
		return err_set(s->e, ENOMEM, "out of memory");
	if (old == NULL)
		memcpy(keys, s->few, sizeof(s->few));
	s->keys = keys;
	s->key_next = keys + n;
	s->key_end = keys + 2 * n;
	return 0;
}

/* Cheap, and enough to tell a dozen keys apart.  The quotes around the key may be read. */
static inline uint64_t key_bit(const char *p, size_t len)
{
	uint32_t h = (uint32_t)len * 5;

	h += (unsigned char)p[0];
	h = h * 31 + (unsigned char)p[len / 2];
	h = h * 31 + (unsigned char)*(p + len - 1);
	return (uint64_t)1 << (h * 0x9e3779b1 >> 26);
}

/* Fails when the last key is there already among the keys of f. */
static __attribute__((noinline)) int find_key(struct scan *s, const struct frame *f)
{
	const struct key *k = s->key_next - 1;

	for (const struct key *old = s->key_next - f->keys; old < k; old++)
		if (old->len == k->len && memcmp(old->p, k->p, k->len) == 0) {
			fail_twice(s, old, k);
			return -1;
		}
	return 0;
}

/* Fails when the innermost object already has this key. */
static inline int note_key(struct scan *s, struct frame *f, const char *p, size_t len)
{
	struct key *k;
	uint64_t bit;

	if (UNLIKELY(s->key_next == s->key_end) && grow_keys(s) < 0)
		return -1;
	k = s->key_next++;
	k->p = p;
	k->len = len;
	k->escaped = s->escaped;
	if (UNLIKELY(f->keys++ == KEYS_LINEAR_MAX || s->escaped))
		f->sort = true;
	if (UNLIKELY(f->sort))
		return 0;
	bit = key_bit(p, len);
	if (UNLIKELY(f->seen & bit) && find_key(s, f) < 0)
		return -1;
	f->seen |= bit;
	return 0;
}

static void note_member(struct scan *s, struct frame *f, const char *key, size_t len)
{
	struct json_member *m;

	if (s->d->members++ >= JSON_MEMBERS_MAX) {
		f->slot = &s->scrap;
		return;
	}
	m = &s->d->member[s->d->members - 1];
	m->key = key;
	m->key_len = len;
	m->key_escaped = s->escaped;
	f->slot = &m->value;
}

/* A key and its colon; returns what follows, or NULL. */
static const char *scan_key(struct scan *s, const char *p)
{
	struct frame *f = s->top;
	const char *key = p + 1;
	size_t len;

	if (p == s->end || *p != '"')
		return fail(s, p, "a key in quotes");
	p = scan_string(s, p);
	if (p == NULL)
		return NULL;
	len = (size_t)(p - 1 - key);
	if (note_key(s, f, key, len) < 0)
		return NULL;
	if (f == &s->frame[1])
		note_member(s, f, key, len);
	p = skip_space(s, p);
	if (p == s->end || *p != ':')
		return fail(s, p, "':'");
	return p + 1;
}

static const char *open_frame(struct scan *s, const char *p)
{
	struct json_value *v = s->top->slot;
	struct frame *f = s->top + 1;

	if (f == s->frame + 1 + JSON_DEPTH_MAX) {
		err_set(s->e, EBADMSG, "column %zu: more than %d levels",
		        (size_t)(p - s->begin) + 1, JSON_DEPTH_MAX);
		return NULL;
	}
	v->p = p;
	v->type = *p == '{' ? JSON_OBJECT : JSON_ARRAY;
	v->escaped = false;
	f->slot = &s->scrap;
	f->seen = 0;
	f->keys = 0;
	f->close = *p == '{' ? '}' : ']';
	f->sort = false;
	s->top = f;
	return skip_space(s, p + 1);
}

static const char *close_frame(struct scan *s, const char *p)
{
	const struct frame *f = s->top--;
	struct json_value *v = s->top->slot;

	if (UNLIKELY(f->sort) && sort_keys(s, f) < 0)
		return NULL;
	s->key_next -= f->keys;
	v->len = (size_t)(p + 1 - v->p);
	v->spaced = s->space > v->p;
	return p + 1;
}

/* Behind a value, or in an empty frame: close what ends here.  Returns what follows, or NULL. */
static inline const char *close_frames(struct scan *s, const char *p)
{
	while (s->top > s->frame) {
		p = skip_space(s, p);
		if (p == s->end || *p != s->top->close)
			return p;
		p = close_frame(s, p);
		if (p == NULL)
			return NULL;
	}
	return p;
}

/* A whole value, without recursion.  Returns what follows, or NULL. */
static const char *scan_value(struct scan *s, const char *p)
{
	for (;;) {
		p = skip_space(s, p);
		if (p == s->end)
			return fail(s, p, "a value");
		if (*p == '{' || *p == '[') {
			p = open_frame(s, p);
			if (p == NULL)
				return NULL;
			if (p == s->end || *p != s->top->close) {
				if (s->top->close == '}' && (p = scan_key(s, p)) == NULL)
					return NULL;
				continue;
			}
		} else if ((p = scan_scalar(s, p)) == NULL) {
			return NULL;
		}
		p = close_frames(s, p);
		if (p == NULL || s->top == s->frame)
			return p;
		if (p == s->end || *p != ',')
			return fail(s, p, s->top->close == '}' ? "',' or '}'" : "',' or ']'");
		p++;
		if (s->top->close == '}' && (p = scan_key(s, skip_space(s, p))) == NULL)
			return NULL;
	}
}

/* Not all of it: to clear the stack would cost more than to scan an event. */
static void scan_init(struct scan *s, const char *p, size_t len, struct json_doc *d, struct err *e)
{
	s->begin = p;
	s->end = p + len;
	s->space = p;
	json_window_init(&s->window, p, s->end);
	s->top = s->frame;
	s->frame[0].slot = &d->value;
	s->keys = s->few;
	s->key_next = s->few;
	s->key_end = s->few + KEYS_FEW;
	s->d = d;
	s->e = e;
	d->members = 0;
}

int json_scan(const char *p, size_t len, struct json_doc *d, struct err *e)
{
	struct scan s;

	scan_init(&s, p, len, d, e);
	p = scan_value(&s, p);
	if (p != NULL) {
		p = skip_space(&s, p);
		if (p != s.end)
			p = fail(&s, p, "the end");
	}
	if (s.keys != s.few)
		free(s.keys);
	return p != NULL ? 0 : -1;
}
