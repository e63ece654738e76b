/* text: numbers, durations, sizes, times, hex and UTF-8, each against a second way to tell. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "fuzz.h"

static void check_code(const struct err *e)
{
	CHECK(e->code == EINVAL || e->code == ERANGE);
	CHECK(e->msg[0] != '\0' && strlen(e->msg) < ERR_MSG_MAX);
}

static void check_number(const char *s)
{
	bool digits = s[0] != '\0' && strspn(s, "0123456789") == strlen(s);
	struct err e;
	uint64_t v;

	if (num_u64(s, 0, UINT64_MAX, &v, &e) < 0) {
		check_code(&e);
		CHECK((e.code == ERANGE) == digits);
		return;
	}
	CHECK(digits);
	errno = 0;
	CHECK(strtoull(s, NULL, 10) == v && errno == 0);
}

static long double unit_of(const char **p)
{
	static const struct {
		const char *name;
		long double ns;
	} units[] = {{"ms", 1e6L},  {"us", 1e3L}, {"ns", 1},  {"d", 864e11L},
	             {"h", 36e11L}, {"m", 6e10L}, {"s", 1e9L}};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strncmp(*p, units[i].name, strlen(units[i].name)) == 0) {
			*p += strlen(units[i].name);
			return units[i].ns;
		}
	CHECK(**p == '\0');
	return 1e9L;
}

/* As near as a double tells: long double is no more than that under valgrind. */
static void check_near(uint64_t got, long double want)
{
	long double off = want - (long double)got;

	CHECK(off <= 10 + want * 1e-14L && off >= -10 - want * 1e-14L);
}

static void check_duration(const char *s)
{
	long double sum = 0;
	const char *p = s;
	uint64_t ns;
	struct err e;
	char *end;

	if (text_duration_ns(s, &ns, &e) < 0) {
		check_code(&e);
		return;
	}
	CHECK(strspn(s, "0123456789.dhmsun") == strlen(s));
	while (*p != '\0') {
		long double v = strtold(p, &end);

		CHECK(end > p);
		p = end;
		sum += v * unit_of(&p);
	}
	check_near(ns, sum);
}

static void check_size(const char *s)
{
	static const char letters[] = "KMGT";
	const char *at;
	uint64_t bytes;
	struct err e;
	long double v;
	char *end;

	if (text_size(s, &bytes, &e) < 0) {
		check_code(&e);
		return;
	}
	v = strtold(s, &end);
	if (*end != '\0') {
		at = strchr(letters, *end);
		CHECK(at != NULL && end[1] == '\0');
		for (; at >= letters; at--)
			v *= 1024;
	}
	check_near(bytes, v);
}

static void check_time(const char *s, size_t len)
{
	char text[TEXT_TIME_LEN];
	int64_t again;
	int64_t ns;
	struct err e;

	if (text_get_time(s, len, &ns, &e) < 0) {
		check_code(&e);
		return;
	}
	text_put_time(text, ns);
	if (ns < INT64_MIN + 1000)
		return;
	CHECK(text_get_time(text, TEXT_TIME_LEN, &again, &e) == 0);
	CHECK(again <= ns && ns - again < 1000);
}

static void check_hex(const char *s, size_t len)
{
	int width = len < 16 ? (int)len : 16;
	char digits[17] = "";
	char back[16];
	uint64_t v;

	if (width == 0)
		return;
	memcpy(digits, s, (size_t)width);
	if (text_get_hex(s, width, &v) < 0) {
		CHECK(strspn(digits, "0123456789abcdef") < (size_t)width);
		return;
	}
	CHECK(strspn(digits, "0123456789abcdef") == (size_t)width);
	CHECK(strtoull(digits, NULL, 16) == v);
	text_put_hex(back, v, width);
	CHECK(memcmp(back, digits, (size_t)width) == 0);
}

static void check_utf8(const char *s, size_t len)
{
	size_t at = 0;
	size_t n = 1;

	for (; at < len && n > 0; at += n)
		n = text_utf8_len(s + at, len - at);
	CHECK(text_is_utf8(s, len) == (at == len && n > 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *s = malloc(size + 1);

	if (s == NULL)
		return 0;
	memcpy(s, data, size);
	s[size] = '\0';
	check_number(s);
	check_duration(s);
	check_size(s);
	free(s);
	/* These have a length, and must not read what is behind it. */
	check_time((const char *)data, size);
	check_hex((const char *)data, size);
	check_utf8((const char *)data, size);
	return 0;
}
