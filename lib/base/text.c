#include "base/text.h"

#include <errno.h>

/* As much of a foreign text as a message should show. */
#define SHOWN(len) ((int)((len) < 80 ? (len) : 80))

#define NS_PER_US 1000ULL
#define NS_PER_MS 1000000ULL
#define NS_PER_S  ((uint64_t)TEXT_NS_PER_S)

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

int num_u64_len(const char *p, size_t len, uint64_t min, uint64_t max, uint64_t *ret, struct err *e)
{
	uint64_t v = 0;
	bool over = false;

	for (size_t i = 0; i < len; i++) {
		if (!is_digit(p[i]))
			return err_set(e, EINVAL, "'%.*s' is not a whole number", SHOWN(len), p);
		if (i < TEXT_U64_LEN - 1) {
			v = v * 10 + (uint64_t)(p[i] - '0');
			continue;
		}
		over |= __builtin_mul_overflow(v, 10, &v);
		over |= __builtin_add_overflow(v, (uint64_t)(p[i] - '0'), &v);
	}
	if (len == 0)
		return err_set(e, EINVAL, "expected a number, found nothing");
	if (over || v < min || v > max)
		return err_set(e, ERANGE, "%.*s is not between %llu and %llu", SHOWN(len), p,
		               (unsigned long long)min, (unsigned long long)max);
	*ret = v;
	return 0;
}

int num_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret, struct err *e)
{
	return num_u64_len(s, strlen(s), min, max, ret, e);
}

/*
 * Eight decimal digits of v, below 10^8, as bytes in memory order.  The number is halved three
 * times, into two of four digits, four of two and eight of one, side by side in one word; the
 * divisions by 100 and 10 are multiplications that are exact for what they get.
 */
static uint64_t eight_digits(uint32_t v)
{
	uint64_t fours = v / 10000 | (uint64_t)(v % 10000) << 32;
	uint64_t hundreds = fours * 10486 >> 20 & 0x0000007f0000007f;
	uint64_t twos = hundreds | (fours - hundreds * 100) << 16;
	uint64_t tens = twos * 103 >> 10 & 0x000f000f000f000f;
	uint64_t ones = 0x3030303030303030 | tens | (twos - tens * 10) << 8;

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	ones = __builtin_bswap64(ones);
#endif
	return ones;
}

void text_put_u64_padded(char to[TEXT_U64_LEN], uint64_t v)
{
	uint64_t high = eight_digits((uint32_t)(v / 10000000000000000));
	uint64_t middle = eight_digits((uint32_t)(v / 100000000 % 100000000));
	uint64_t low = eight_digits((uint32_t)(v % 100000000));

	memcpy(to, (const char *)&high + 4, 4);
	memcpy(to + 4, &middle, 8);
	memcpy(to + 12, &low, 8);
}

size_t text_put_u64(char to[TEXT_U64_LEN], uint64_t v)
{
	char digits[TEXT_U64_LEN];
	size_t at = TEXT_U64_LEN;

	do {
		digits[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v > 0);
	memcpy(to, digits + at, TEXT_U64_LEN - at);
	return TEXT_U64_LEN - at;
}

/* A decimal number with or without a fraction, still as digits. */
struct decimal {
	const char *whole;
	size_t whole_len;
	const char *fraction;
	size_t fraction_len; /* 0: no point, since a point needs digits behind it */
};

/* Returns what follows the number, or NULL when there is none. */
static const char *get_decimal(const char *p, struct decimal *ret)
{
	ret->whole = p;
	while (is_digit(*p))
		p++;
	ret->whole_len = (size_t)(p - ret->whole);
	ret->fraction = p;
	ret->fraction_len = 0;
	if (*p == '.') {
		ret->fraction = ++p;
		while (is_digit(*p))
			p++;
		ret->fraction_len = (size_t)(p - ret->fraction);
		if (ret->fraction_len == 0)
			return NULL;
	}
	return ret->whole_len + ret->fraction_len > 0 ? p : NULL;
}

/*
 * floor(d * unit); false when that overflows.  The fraction is worked off from its last digit, and
 * floor((m + x) / 10) = floor((m + floor(x)) / 10) for whole m: no digit makes it inexact.
 */
static bool scale(const struct decimal *d, uint64_t unit, uint64_t *ret)
{
	uint64_t whole = 0;
	uint64_t part = 0;
	bool over = false;

	for (size_t i = 0; i < d->whole_len; i++) {
		over |= __builtin_mul_overflow(whole, 10, &whole);
		over |= __builtin_add_overflow(whole, (uint64_t)(d->whole[i] - '0'), &whole);
	}
	for (size_t i = d->fraction_len; i-- > 0;)
		part = ((uint64_t)(d->fraction[i] - '0') * unit + part) / 10;
	over |= __builtin_mul_overflow(whole, unit, &whole);
	over |= __builtin_add_overflow(whole, part, &whole);
	*ret = whole;
	return !over;
}

static const struct unit {
	char name[3];
	uint64_t ns;
} duration_units[] = {
    {"d", 86400 * NS_PER_S},
    {"h", 3600 * NS_PER_S},
    {"m", 60 * NS_PER_S},
    {"s", NS_PER_S},
    {"ms", NS_PER_MS},
    {"us", NS_PER_US},
    {"ns", 1},
};

#define DURATION_UNITS (sizeof(duration_units) / sizeof(duration_units[0]))

/* The unit that is p[0..len), from the `from`th on: its index, or DURATION_UNITS. */
static size_t find_unit(const char *p, size_t len, size_t from)
{
	size_t i = from;

	while (i < DURATION_UNITS && (strlen(duration_units[i].name) != len ||
	                              memcmp(duration_units[i].name, p, len) != 0))
		i++;
	return i;
}

static int fail_duration(const char *s, struct err *e)
{
	return err_set(e, EINVAL, "'%.*s' is not a duration such as 500ms, 10s, 1.5, 1m30s or 7d",
	               SHOWN(strlen(s)), s);
}

int text_duration_ns(const char *s, uint64_t *ret_ns, struct err *e)
{
	const char *p = s;
	uint64_t sum = 0;
	size_t unit = 0;
	bool over = false;

	do {
		struct decimal d;
		uint64_t ns;
		bool first = p == s;
		size_t len;

		p = get_decimal(p, &d);
		if (p == NULL)
			return fail_duration(s, e);
		for (len = 0; p[len] >= 'a' && p[len] <= 'z';)
			len++;
		if (len == 0 && first && *p == '\0')
			unit = find_unit("s", 1, 0);
		else
			unit = find_unit(p, len, unit);
		if (unit == DURATION_UNITS)
			return fail_duration(s, e);
		over |= !scale(&d, duration_units[unit++].ns, &ns);
		over |= __builtin_add_overflow(sum, ns, &sum);
		p += len;
	} while (*p != '\0');
	if (over)
		return err_set(e, ERANGE, "the duration '%.*s' is too long", SHOWN(strlen(s)), s);
	*ret_ns = sum;
	return 0;
}

int text_size(const char *s, uint64_t *ret, struct err *e)
{
	static const char letters[] = "KMGT";
	struct decimal d;
	uint64_t unit = 1;
	const char *p = get_decimal(s, &d);
	const char *letter;

	if (p != NULL && *p != '\0' && (letter = strchr(letters, *p)) != NULL) {
		unit <<= 10 * (letter - letters + 1);
		p++;
	}
	if (p == NULL || *p != '\0' || (unit == 1 && d.fraction_len > 0))
		return err_set(e, EINVAL, "'%.*s' is not a size such as 4096, 64K, 1.5M or 2G",
		               SHOWN(strlen(s)), s);
	if (!scale(&d, unit, ret))
		return err_set(e, ERANGE, "the size '%.*s' is too large", SHOWN(strlen(s)), s);
	return 0;
}

/*
 * Days since 1970-01-01 and the proleptic Gregorian calendar, both ways, in eras of 400 years that
 * begin on 1 March (Howard Hinnant, "chrono-compatible low-level date algorithms", 2013).
 */
#define ERA_DAYS     146097
#define EPOCH_IN_ERA 719468 /* days from 0000-03-01 to 1970-01-01 */

struct date {
	int year;
	unsigned month;
	unsigned day;
};

/* days is not before 0000-03-01, which every int64_t of nanoseconds keeps. */
static struct date date_of(int64_t days)
{
	unsigned n = (unsigned)(days + EPOCH_IN_ERA);
	unsigned in_era = n % ERA_DAYS;
	unsigned year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
	unsigned in_year = in_era - (365 * year + year / 4 - year / 100);
	unsigned month = (5 * in_year + 2) / 153; /* 0 is March */

	return (struct date){
	    .year = (int)(year + n / ERA_DAYS * 400 + (month >= 10)),
	    .month = month < 10 ? month + 3 : month - 9,
	    .day = in_year - (153 * month + 2) / 5 + 1,
	};
}

static int64_t days_of(const struct date *d)
{
	int year = d->year - (d->month <= 2);
	int era = (year < 0 ? year - 399 : year) / 400;
	unsigned in_era_year = (unsigned)(year - era * 400);
	unsigned month = d->month > 2 ? d->month - 3 : d->month + 9;
	unsigned in_year = (153 * month + 2) / 5 + d->day - 1;
	unsigned in_era = in_era_year * 365 + in_era_year / 4 - in_era_year / 100 + in_year;

	return (int64_t)era * ERA_DAYS + (int64_t)in_era - EPOCH_IN_ERA;
}

void text_put_time(char to[TEXT_TIME_LEN], int64_t unix_ns)
{
	int64_t ns = unix_ns % TEXT_NS_PER_S;
	int64_t seconds = unix_ns / TEXT_NS_PER_S - (ns < 0);
	int64_t days = seconds / 86400 - (seconds % 86400 < 0);
	unsigned in_day = (unsigned)(seconds - days * 86400);
	struct date date = date_of(days);

	char digits[8];
	uint64_t eight;

	memcpy(to, "0000-00-00T00:00:00.000000Z", TEXT_TIME_LEN);
	eight = eight_digits((unsigned)date.year * 10000 + date.month * 100 + date.day);
	memcpy(digits, &eight, 8);
	memcpy(to, digits, 4);
	memcpy(to + 5, digits + 4, 2);
	memcpy(to + 8, digits + 6, 2);
	eight = eight_digits(in_day / 3600 * 10000 + in_day / 60 % 60 * 100 + in_day % 60);
	memcpy(digits, &eight, 8);
	memcpy(to + 11, digits + 2, 2);
	memcpy(to + 14, digits + 4, 2);
	memcpy(to + 17, digits + 6, 2);
	eight = eight_digits((unsigned)((ns < 0 ? ns + TEXT_NS_PER_S : ns) / 1000));
	memcpy(to + 20, (const char *)&eight + 2, 6);
}

static bool get_digits(const char *p, size_t n, unsigned *ret)
{
	*ret = 0;
	for (size_t i = 0; i < n; i++) {
		if (!is_digit(p[i]))
			return false;
		*ret = *ret * 10 + (unsigned)(p[i] - '0');
	}
	return true;
}

static unsigned month_days(unsigned year, unsigned month)
{
	static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

/* A time of day with a date; leap second and offset are not yet looked at. */
struct clock_text {
	unsigned year, month, day, hour, minute, second;
	uint64_t ns;
	int64_t offset; /* seconds east of UTC */
};

/* The 19 characters 2026-11-23T10:00:00. */
static bool get_clock(const char *p, struct clock_text *t)
{
	return get_digits(p, 4, &t->year) && p[4] == '-' && get_digits(p + 5, 2, &t->month) &&
	       p[7] == '-' && get_digits(p + 8, 2, &t->day) && (p[10] | 0x20) == 't' &&
	       get_digits(p + 11, 2, &t->hour) && p[13] == ':' &&
	       get_digits(p + 14, 2, &t->minute) && p[16] == ':' &&
	       get_digits(p + 17, 2, &t->second) && t->month >= 1 && t->month <= 12 &&
	       t->day >= 1 && t->day <= month_days(t->year, t->month) && t->hour <= 23 &&
	       t->minute <= 59 && t->second <= 60;
}

/* What is behind the seconds: a fraction, then Z or an offset.  True when that is all. */
static bool get_zone(const char *p, const char *end, struct clock_text *t)
{
	struct decimal fraction = {.whole_len = 0};
	unsigned hours;
	unsigned minutes;

	if (p < end && *p == '.') {
		fraction.fraction = ++p;
		while (p < end && is_digit(*p))
			p++;
		fraction.fraction_len = (size_t)(p - fraction.fraction);
		if (fraction.fraction_len == 0)
			return false;
	}
	(void)scale(&fraction, TEXT_NS_PER_S, &t->ns); /* below a second: it fits */
	t->offset = 0;
	if (end - p == 1)
		return (*p | 0x20) == 'z';
	if (end - p != 6 || (*p != '+' && *p != '-') || p[3] != ':' ||
	    !get_digits(p + 1, 2, &hours) || !get_digits(p + 4, 2, &minutes) || hours > 23 ||
	    minutes > 59)
		return false;
	t->offset = (int64_t)(hours * 3600 + minutes * 60) * (*p == '-' ? -1 : 1);
	return true;
}

int text_get_time(const char *p, size_t len, int64_t *ret_ns, struct err *e)
{
	struct clock_text t;
	struct date date;
	int64_t seconds;
	int64_t before;
	int64_t ns;

	if (len < 20 || !get_clock(p, &t) || !get_zone(p + 19, p + len, &t))
		goto invalid;
	date = (struct date){.year = (int)t.year, .month = t.month, .day = t.day};
	seconds = days_of(&date) * 24 + t.hour;
	seconds = (seconds * 60 + t.minute) * 60 + t.second - t.offset;
	if (t.second == 60 && seconds % 86400 != 0)
		goto invalid;
	/* Towards zero first: the first second of the range is there only with its fraction. */
	before = seconds < 0 ? TEXT_NS_PER_S : 0;
	if (__builtin_mul_overflow(seconds + (seconds < 0), TEXT_NS_PER_S, &ns) ||
	    __builtin_add_overflow(ns, (int64_t)t.ns - before, &ns))
		return err_set(e, ERANGE, "the time %.*s is out of range", SHOWN(len), p);
	*ret_ns = ns;
	return 0;
invalid:
	return err_set(e, EINVAL, "'%.*s' is not a time such as 2026-11-23T10:00:00.123456Z",
	               SHOWN(len), p);
}

size_t text_utf8_len(const char *p, size_t len)
{
	const unsigned char *u = (const unsigned char *)p;
	unsigned char low = 0x80; /* what the second byte may be: RFC 3629 section 4 */
	unsigned char high = 0xbf;
	size_t n;

	if (len == 0)
		return 0;
	if (u[0] < 0x80)
		return 1;
	if (u[0] < 0xc2 || u[0] > 0xf4)
		return 0;
	n = 2 + (u[0] >= 0xe0) + (u[0] >= 0xf0);
	if (u[0] == 0xe0)
		low = 0xa0;
	else if (u[0] == 0xed)
		high = 0x9f;
	else if (u[0] == 0xf0)
		low = 0x90;
	else if (u[0] == 0xf4)
		high = 0x8f;
	if (len < n || u[1] < low || u[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++)
		if ((u[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

bool text_is_utf8(const char *p, size_t len)
{
	const char *end = p + len;

	while (p < end) {
		uint64_t eight;
		size_t n;

		if (end - p >= 8) {
			memcpy(&eight, p, sizeof(eight));
			if ((eight & 0x8080808080808080) == 0) {
				p += 8;
				continue;
			}
		}
		n = text_utf8_len(p, (size_t)(end - p));
		if (n == 0)
			return false;
		p += n;
	}
	return true;
}

size_t text_put_utf8(char to[4], uint32_t c)
{
	assert(c <= 0x10ffff);
	if (c < 0x80) {
		to[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		to[0] = (char)(0xc0 | c >> 6);
		to[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		to[0] = (char)(0xe0 | c >> 12);
		to[1] = (char)(0x80 | (c >> 6 & 0x3f));
		to[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	to[0] = (char)(0xf0 | c >> 18);
	to[1] = (char)(0x80 | (c >> 12 & 0x3f));
	to[2] = (char)(0x80 | (c >> 6 & 0x3f));
	to[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}
