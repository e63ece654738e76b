#include "net/http_chunk.h"

enum {
	SIZE_BEGIN,
	SIZE,
	EXTENSION,
	SIZE_LF,
	DATA,
	DATA_CR,
	DATA_LF,
	TRAILER_BEGIN,
	TRAILER,
	TRAILER_LF,
	END_LF,
	END,
};

static int hex_digit(char ch)
{
	if (ch >= '0' && ch <= '9')
		return ch - '0';
	ch |= 0x20;
	return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}

/* A byte that may stand in an extension or a trailer, of which only the end matters. */
static bool pass_over(struct http_chunks *c, char ch)
{
	return ch != '\n' && ch != '\0' && ++c->extra <= HTTP_CHUNK_EXTRA_MAX;
}

static bool size_digit(struct http_chunks *c, char ch)
{
	int digit = hex_digit(ch);

	if (digit < 0)
		return false;
	/* What cannot be counted is too large for any limit, too. */
	c->left = c->left > UINT64_MAX >> 4 ? UINT64_MAX : c->left << 4 | (uint64_t)digit;
	c->state = SIZE;
	return true;
}

static bool size_byte(struct http_chunks *c, char ch)
{
	if (ch == '\r')
		c->state = SIZE_LF;
	else if (c->state == SIZE && (ch == ';' || ch == ' ' || ch == '\t'))
		c->state = EXTENSION;
	else
		return c->state == SIZE ? size_digit(c, ch) : pass_over(c, ch);
	return true;
}

static bool trailer_byte(struct http_chunks *c, char ch)
{
	if (ch == '\r') {
		c->state = c->state == TRAILER_BEGIN ? END_LF : TRAILER_LF;
		return true;
	}
	c->state = TRAILER;
	return pass_over(c, ch);
}

static bool expect(struct http_chunks *c, char ch, char want, uint8_t next)
{
	c->state = next;
	return ch == want;
}

/* One byte outside of data. */
static bool step(struct http_chunks *c, char ch)
{
	switch (c->state) {
	case SIZE_BEGIN:
		c->left = 0;
		return size_digit(c, ch);
	case SIZE:
	case EXTENSION:
		return size_byte(c, ch);
	case SIZE_LF:
		return expect(c, ch, '\n', c->left > 0 ? DATA : TRAILER_BEGIN);
	case DATA_CR:
		return expect(c, ch, '\r', DATA_LF);
	case DATA_LF:
		return expect(c, ch, '\n', SIZE_BEGIN);
	case TRAILER_LF:
		return expect(c, ch, '\n', TRAILER_BEGIN);
	case END_LF:
		return expect(c, ch, '\n', END);
	default:
		return trailer_byte(c, ch);
	}
}

static const char *why_not(const struct http_chunks *c)
{
	if (c->extra > HTTP_CHUNK_EXTRA_MAX)
		return "too much in the extensions or trailers of a chunked body";
	return c->state == DATA_LF || c->state == SIZE_BEGIN
	           ? "a chunk is longer than its size says"
	           : "a chunk without a sound size or end";
}

ssize_t http_chunks_feed(struct http_chunks *c, const char *p, size_t n, struct span *ret_data,
                         const char **ret_why)
{
	size_t i = 0;

	*ret_data = (struct span){0};
	while (i < n && c->state != END) {
		if (c->state == DATA) {
			ret_data->p = p + i;
			ret_data->len = n - i < c->left ? n - i : (size_t)c->left;
			c->left -= ret_data->len;
			if (c->left == 0)
				c->state = DATA_CR;
			return (ssize_t)(i + ret_data->len);
		}
		if (!step(c, p[i++])) {
			*ret_why = why_not(c);
			return -1;
		}
		/* So that the caller can look at the size before its data. */
		if (c->state == DATA)
			break;
	}
	return (ssize_t)i;
}

bool http_chunks_end(const struct http_chunks *c)
{
	return c->state == END;
}
