#include "consul/query.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "net/http.h"

#define DURATION_MAX ((uint64_t)INT64_MAX)

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* ---- Names and values. */

static int hex_value(char c)
{
	if (is_digit(c))
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that stands at the front of an encoded text, and how many bytes it takes there. */
static unsigned char byte_at(struct span text, size_t *ret_len)
{
	int high = text.len > 2 ? hex_value(text.p[1]) : -1;
	int low = text.len > 2 ? hex_value(text.p[2]) : -1;

	*ret_len = 1;
	if (text.p[0] == '+')
		return ' ';
	if (text.p[0] != '%' || high < 0 || low < 0)
		return (unsigned char)text.p[0];
	*ret_len = 3;
	return (unsigned char)(high << 4 | low);
}

/* Does the encoded text mean just this?  Without memory, so that it cannot fail. */
static bool means(struct span text, const char *name)
{
	size_t n;

	for (; text.len > 0 && *name != '\0'; name++) {
		if (byte_at(text, &n) != (unsigned char)*name)
			return false;
		text.p += n;
		text.len -= n;
	}
	return text.len == 0 && *name == '\0';
}

/* The first parameter of that name: its value as it was sent. */
static bool find(const struct consul_query *q, const char *name, struct span *ret_value)
{
	struct span rest = q->text;
	struct span found;

	while (rest.len > 0 && http_query_next(&rest, &found, ret_value))
		if (means(found, name))
			return true;
	return false;
}

bool consul_query_has(const struct consul_query *q, const char *name)
{
	struct span value;

	return find(q, name, &value);
}

int consul_query_value(const struct consul_query *q, const char *name, struct buf *to,
                       struct err *e)
{
	struct span value;

	if (!find(q, name, &value))
		return 0;
	return http_decode(to, value, true, e) < 0 ? -1 : 1;
}

/* ---- The common ones. */

static int get_index(struct consul_query *q, struct err *e)
{
	struct span value;

	if (!find(q, "index", &value) || value.len == 0)
		return 0;
	if (num_u64_len(value.p, value.len, 0, UINT64_MAX, &q->index, e) < 0)
		return err_set(e, EINVAL, "Invalid index");
	return 0;
}

/* The duration of that name; *ret stays when there is none.  A µ comes encoded. */
static int get_duration(const struct consul_query *q, const char *name, uint64_t *ret,
                        struct err *e)
{
	struct buf text = {0};
	int r = consul_query_value(q, name, &text, e);

	if (r > 0 && text.len > 0)
		r = consul_duration_ns((struct span){text.data, text.len}, ret, e);
	buf_done(&text);
	return r;
}

static int get_wait(struct consul_query *q, struct err *e)
{
	if (get_duration(q, "wait", &q->wait_ns, e) < 0)
		return e->code == ENOMEM ? -1 : err_set(e, EINVAL, "Invalid wait time");
	if (q->wait_ns == 0)
		q->wait_ns = CONSUL_WAIT_DEFAULT_NS;
	if (q->wait_ns > CONSUL_WAIT_MAX_NS)
		q->wait_ns = CONSUL_WAIT_MAX_NS;
	return 0;
}

static int get_consistency(struct consul_query *q, struct err *e)
{
	struct span value = {"", 0};

	q->stale = consul_query_has(q, "stale");
	q->consistent = consul_query_has(q, "consistent");
	if (get_duration(q, "max_stale", &q->max_stale_ns, e) < 0) {
		(void)find(q, "max_stale", &value);
		return e->code == ENOMEM ? -1
		                         : err_set(e, EINVAL, "Invalid max_stale value \"%.*s\"",
		                                   (int)(value.len < 80 ? value.len : 80), value.p);
	}
	q->stale |= q->max_stale_ns > 0;
	if (q->stale && q->consistent)
		return err_set(e, EINVAL,
		               "Cannot specify ?stale with ?consistent, conflicting semantics.");
	return 0;
}

int consul_query_get(struct consul_query *ret, struct span text, struct err *e)
{
	*ret = (struct consul_query){.text = text, .wait_ns = CONSUL_WAIT_DEFAULT_NS};
	if (text.len == 0)
		return 0;
	ret->pretty = consul_query_has(ret, "pretty");
	return get_index(ret, e) < 0 || get_wait(ret, e) < 0 || get_consistency(ret, e) < 0 ? -1
	                                                                                    : 0;
}

/* ---- All of it. */

/* A name and a value, as offsets into the decoded bytes, which move as they grow. */
struct pair {
	size_t name, value, end;
};

static int compare_pairs(const void *a, const void *b, void *bytes)
{
	const struct pair *x = a;
	const struct pair *y = b;
	const char *p = bytes;
	size_t x_len = x->value - x->name;
	size_t y_len = y->value - y->name;
	int c = memcmp(p + x->name, p + y->name, x_len < y_len ? x_len : y_len);

	if (c == 0)
		c = (x_len > y_len) - (x_len < y_len);
	return c != 0 ? c : (x->name > y->name) - (x->name < y->name);
}

/* Collect the parts that can be decoded. */
static int take_apart(struct span text, struct buf *bytes, struct buf *pairs, struct err *e)
{
	struct span name;
	struct span value;

	/* An empty name is a place in the bytes, too. */
	if (buf_reserve(bytes, 1) == NULL)
		return buf_ok(bytes, e);
	while (text.len > 0 && http_query_next(&text, &name, &value)) {
		struct pair pair = {.name = bytes->len};
		int r = http_decode(bytes, name, true, e);

		pair.value = bytes->len;
		if (r == 0)
			r = http_decode(bytes, value, true, e);
		pair.end = bytes->len;
		if (r < 0 && e->code == ENOMEM)
			return -1;
		if (r < 0)
			bytes->len = pair.name;
		else
			buf_add(pairs, &pair, sizeof(pair));
	}
	return buf_ok(pairs, e);
}

int consul_query_sorted(const struct consul_query *q, struct buf *to, struct err *e)
{
	struct buf bytes = {0};
	struct buf pairs = {0};
	int r = take_apart(q->text, &bytes, &pairs, e);
	size_t count = pairs.len / sizeof(struct pair);
	const struct pair *pair = (const struct pair *)(const void *)pairs.data;

	if (r == 0 && count > 0)
		qsort_r(pairs.data, count, sizeof(*pair), compare_pairs, bytes.data);
	for (size_t i = 0; r == 0 && i < count; i++) {
		const struct pair *x = &pair[i];

		if (i > 0)
			buf_add_char(to, '&');
		http_encode(to, (struct span){bytes.data + x->name, x->value - x->name});
		buf_add_char(to, '=');
		http_encode(to, (struct span){bytes.data + x->value, x->end - x->value});
	}
	buf_done(&bytes);
	buf_done(&pairs);
	return r < 0 ? -1 : buf_ok(to, e);
}

/* ---- Durations. */

static const struct unit {
	const char *name;
	uint64_t ns;
} units[] = {
    {"ns", 1},
    {"us", 1000},
    {"\u00b5s", 1000}, /* the micro sign, and the Greek letter */
    {"\u03bcs", 1000},
    {"ms", 1000000},
    {"s", TEXT_NS_PER_S},
    {"m", UINT64_C(60) * TEXT_NS_PER_S},
    {"h", UINT64_C(3600) * TEXT_NS_PER_S},
};

static const struct unit *find_unit(struct span name)
{
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (span_is((struct span){units[i].name, strlen(units[i].name)}, name))
			return &units[i];
	return NULL;
}

/* What a message repeats of a text. */
static int shown(struct span s)
{
	return (int)(s.len < 80 ? s.len : 80);
}

/* The digits at the front, taken away. */
static struct span take_digits(struct span *p)
{
	struct span digits = {p->p, 0};

	while (digits.len < p->len && is_digit(p->p[digits.len]))
		digits.len++;
	p->p += digits.len;
	p->len -= digits.len;
	return digits;
}

/* Add whole.fraction units, rounded down: false when it is too much. */
static bool add_part(uint64_t *sum, struct span whole, struct span fraction, uint64_t unit)
{
	uint64_t v = 0;
	uint64_t part = 0;
	bool over = false;

	for (size_t i = 0; i < whole.len; i++) {
		over |= __builtin_mul_overflow(v, 10, &v);
		over |= __builtin_add_overflow(v, (uint64_t)(whole.p[i] - '0'), &v);
	}
	/* From the last digit on; no digit makes it inexact, see lib/base/text.c. */
	for (size_t i = fraction.len; i-- > 0;)
		part = ((uint64_t)(fraction.p[i] - '0') * unit + part) / 10;
	over |= __builtin_mul_overflow(v, unit, &v);
	over |= __builtin_add_overflow(v, part, &v);
	over |= __builtin_add_overflow(*sum, v, sum);
	return !over && *sum <= DURATION_MAX;
}

/* One number with its unit, taken away: 0, or the code of an error. */
static int take_part(struct span *p, struct span all, uint64_t *sum, struct err *e)
{
	struct span whole = take_digits(p);
	struct span fraction = {p->p, 0};
	struct span name;
	const struct unit *unit;

	if (p->len > 0 && *p->p == '.') {
		p->p++;
		p->len--;
		fraction = take_digits(p);
	}
	if (whole.len + fraction.len == 0)
		return err_set(e, EINVAL, "time: invalid duration \"%.*s\"", shown(all), all.p);
	name = (struct span){p->p, 0};
	while (name.len < p->len && p->p[name.len] != '.' && !is_digit(p->p[name.len]))
		name.len++;
	if (name.len == 0)
		return err_set(e, EINVAL, "time: missing unit in duration \"%.*s\"", shown(all),
		               all.p);
	unit = find_unit(name);
	if (unit == NULL)
		return err_set(e, EINVAL, "time: unknown unit \"%.*s\" in duration \"%.*s\"",
		               shown(name), name.p, shown(all), all.p);
	p->p += name.len;
	p->len -= name.len;
	if (!add_part(sum, whole, fraction, unit->ns))
		return err_set(e, ERANGE, "time: invalid duration \"%.*s\"", shown(all), all.p);
	return 0;
}

int consul_duration_ns(struct span text, uint64_t *ret_ns, struct err *e)
{
	struct span p = text;
	bool negative = p.len > 0 && *p.p == '-';
	uint64_t sum = 0;

	if (p.len > 0 && (*p.p == '-' || *p.p == '+')) {
		p.p++;
		p.len--;
	}
	if (p.len == 0)
		return err_set(e, EINVAL, "time: invalid duration \"%.*s\"", shown(text), text.p);
	if (p.len == 1 && *p.p == '0')
		p.len = 0;
	while (p.len > 0)
		if (take_part(&p, text, &sum, e) < 0)
			return -1;
	if (negative && sum > 0)
		return err_set(e, EINVAL, "negative duration \"%.*s\"", shown(text), text.p);
	*ret_ns = sum;
	return 0;
}

/* v / unit with up to `digits` digits behind the point, and none for nothing. */
static void put_fraction(struct buf *to, uint64_t v, uint64_t unit, unsigned digits)
{
	char text[9] = {0};
	uint64_t rest = v % unit;

	buf_printf(to, "%llu", (unsigned long long)(v / unit));
	for (unsigned i = digits; i-- > 0; rest /= 10)
		text[i] = (char)('0' + rest % 10);
	while (digits > 0 && text[digits - 1] == '0')
		digits--;
	if (digits > 0)
		buf_printf(to, ".%.*s", (int)digits, text);
}

void consul_duration_put(struct buf *to, uint64_t ns)
{
	uint64_t minutes = ns / TEXT_NS_PER_S / 60;

	if (ns == 0) {
		buf_add_str(to, "0s");
	} else if (ns < 1000) {
		buf_printf(to, "%lluns", (unsigned long long)ns);
	} else if (ns < 1000000) {
		put_fraction(to, ns, 1000, 3);
		buf_add_str(to, "\u00b5s");
	} else if (ns < TEXT_NS_PER_S) {
		put_fraction(to, ns, 1000000, 6);
		buf_add_str(to, "ms");
	} else {
		if (minutes >= 60)
			buf_printf(to, "%lluh", (unsigned long long)(minutes / 60));
		if (minutes > 0)
			buf_printf(to, "%llum", (unsigned long long)(minutes % 60));
		put_fraction(to, ns % (UINT64_C(60) * TEXT_NS_PER_S), TEXT_NS_PER_S, 9);
		buf_add_char(to, 's');
	}
}
