#include "base/json_out.h"

#include "base/json_string.h"
#include "base/text.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

static void put_escape(struct buf *b, unsigned char c)
{
	static const char letters[] = "\b\f\n\r\t\"\\";
	static const char names[] = "bfnrt\"\\";
	char escape[6] = "\\u00";
	const char *at = c == '\0' ? NULL : strchr(letters, c);

	if (at != NULL) {
		escape[1] = names[at - letters];
		buf_add(b, escape, 2);
		return;
	}
	text_put_hex(escape + 4, c, 2);
	buf_add(b, escape, 6);
}

/* What is not plain ASCII at p; returns what follows. */
static const char *put_special(struct buf *b, const char *p, const char *end)
{
	const char *from = p;
	size_t n;

	if (*p >= 0) {
		put_escape(b, (unsigned char)*p);
		return p + 1;
	}
	while (p < end && *p < 0 && (n = text_utf8_len(p, (size_t)(end - p))) > 0)
		p += n;
	buf_add(b, from, (size_t)(p - from));
	if (p > from)
		return p;
	buf_add_str(b, REPLACEMENT);
	return p + 1;
}

void json_out_string(struct buf *b, const char *p, size_t len)
{
	const char *end = p + len;
	const char *from;

	buf_add_char(b, '"');
	while (p < end) {
		from = p;
		p = json_string_plain(p, end);
		buf_add(b, from, (size_t)(p - from));
		if (p < end)
			p = put_special(b, p, end);
	}
	buf_add_char(b, '"');
}

void json_out_key(struct buf *b, const char *name)
{
	if (b->len > 0 && b->data[b->len - 1] != '{' && b->data[b->len - 1] != '[')
		buf_add_char(b, ',');
	buf_add_char(b, '"');
	buf_add_str(b, name);
	buf_add(b, "\":", 2);
}

void json_out_u64(struct buf *b, uint64_t v)
{
	char digits[TEXT_U64_LEN];
	size_t n = text_put_u64(digits, v);

	buf_add(b, digits, n);
}

void json_out_u64_string(struct buf *b, uint64_t v)
{
	buf_add_char(b, '"');
	json_out_u64(b, v);
	buf_add_char(b, '"');
}

void json_out_seq(struct buf *b, uint64_t v)
{
	char text[1 + TEXT_U64_LEN + 1];

	text[0] = '"';
	text_put_u64_padded(text + 1, v);
	text[1 + TEXT_U64_LEN] = '"';
	buf_add(b, text, sizeof(text));
}
