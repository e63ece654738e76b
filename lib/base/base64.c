#include "base/base64.h"

#include <errno.h>
#include <stdint.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct buf *out, const void *p, size_t len)
{
	const unsigned char *from = p;
	char *to;

	if (len == 0)
		return;
	if (len > SIZE_MAX / 2 || (to = buf_reserve(out, BASE64_LEN(len))) == NULL) {
		out->failed = true;
		return;
	}
	out->len += BASE64_LEN(len);
	for (; len >= 3; len -= 3, from += 3, to += 4) {
		uint32_t v = (uint32_t)from[0] << 16 | (uint32_t)from[1] << 8 | from[2];

		to[0] = digits[v >> 18];
		to[1] = digits[v >> 12 & 63];
		to[2] = digits[v >> 6 & 63];
		to[3] = digits[v & 63];
	}
	if (len > 0) {
		uint32_t v = (uint32_t)from[0] << 16 | (len == 2 ? (uint32_t)from[1] << 8 : 0);

		to[0] = digits[v >> 18];
		to[1] = digits[v >> 12 & 63];
		to[2] = len == 2 ? digits[v >> 6 & 63] : '=';
		to[3] = '=';
	}
}

/* The value of a digit, or -1. */
static int value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

/* n digits, 2 to 4, as n - 1 bytes; the index of the first bad digit, or n. */
static size_t get_group(const char *p, size_t n, unsigned char ret[3])
{
	uint32_t v = 0;

	for (size_t i = 0; i < n; i++) {
		int digit = value_of(p[i]);

		if (digit < 0)
			return i;
		v |= (uint32_t)digit << (18 - 6 * i);
	}
	for (size_t i = 0; i < 3; i++)
		ret[i] = (unsigned char)(v >> (16 - 8 * i));
	/* What the last digit has below the last byte must be zero. */
	return n < 4 && ret[n - 1] != 0 ? n - 1 : n;
}

int base64_decode(struct buf *out, const char *p, size_t len, struct err *e)
{
	size_t padding = 0;
	unsigned char *to;

	if (len == 0)
		return buf_ok(out, e);
	if (len % 4 != 0)
		return err_set(e, EBADMSG, "column %zu: base64 ends within a group of four",
		               len + 1);
	if (p[len - 1] == '=')
		padding = p[len - 2] == '=' ? 2 : 1;
	to = (unsigned char *)buf_reserve(out, len / 4 * 3);
	if (to == NULL)
		return buf_ok(out, e);
	for (size_t at = 0; at < len; at += 4, to += 3) {
		unsigned char bytes[3];
		size_t n = at + 4 < len ? 4 : 4 - padding;
		size_t good = get_group(p + at, n, bytes);

		if (good < n)
			return err_set(e, EBADMSG, "column %zu: not a base64 digit here",
			               at + good + 1);
		memcpy(to, bytes, n - 1);
	}
	out->len += len / 4 * 3 - padding;
	return buf_ok(out, e);
}
