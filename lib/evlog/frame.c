#include "evlog/frame.h"

#include <assert.h>
#include <string.h>

#include "base/hash.h"
#include "base/id.h"
#include "base/text.h"

/* Columns, as the table in frame.h. */
enum {
	AT_KIND = 9,
	AT_FLAG = 10,
	AT_LAST = 11,
	AT_LEN = 13,
	AT_DATA_CRC = 22,
	AT_LAG = 31,
	AT_SEQ = 38,
	AT_VERSION = 51,
	AT_PREV = 60,
	AT_JUMP = 73,
	AT_TIME = 86
};

/* In a segment's first and last line the CRC is the last field and covers all before it. */
#define HEAD_CRC (FRAME_HEAD_LEN - 9)
#define SEAL_CRC (FRAME_SEAL_LEN - 9)

uint32_t frame_salt(const unsigned char uuid[16])
{
	return crc32c(0, uuid, 16);
}

void frame_seal(char *line, size_t data_at, const struct frame *f, uint32_t salt)
{
	assert(f->len >= FRAME_MIN && f->len <= FRAME_MAX && data_at < f->len);
	assert(f->seq > 0 && f->seq <= FRAME_SEQ_MAX && f->prev < f->seq && f->jump <= f->prev);
	memset(line, ' ', FRAME_FIXED);
	line[AT_KIND] = f->kind;
	line[AT_FLAG] = f->flag;
	line[AT_LAST] = f->last ? '.' : '+';
	text_put_hex(line + AT_LEN, f->len, 8);
	text_put_hex(line + AT_DATA_CRC, f->data_crc, 8);
	text_put_hex(line + AT_LAG, f->lag, 6);
	text_put_hex(line + AT_SEQ, f->seq, 12);
	text_put_hex(line + AT_VERSION, f->version, 8);
	text_put_hex(line + AT_PREV, f->prev, 12);
	text_put_hex(line + AT_JUMP, f->jump, 12);
	text_put_hex(line + AT_TIME, f->time_ns, 16);
	text_put_hex(line, crc32c(salt, line + AT_KIND, data_at - AT_KIND), 8);
	line[f->len - 1] = '\n';
}

static bool get_u32(const char *p, int width, uint32_t *ret)
{
	uint64_t v;

	if (text_get_hex(p, width, &v) < 0)
		return false;
	*ret = (uint32_t)v;
	return true;
}

static bool parse_columns(const char *p, struct frame *f)
{
	f->kind = p[AT_KIND];
	f->flag = p[AT_FLAG];
	f->last = p[AT_LAST] == '.';
	return (p[AT_LAST] == '.' || p[AT_LAST] == '+') &&
	       get_u32(p + AT_DATA_CRC, 8, &f->data_crc) && get_u32(p + AT_LAG, 6, &f->lag) &&
	       text_get_hex(p + AT_SEQ, 12, &f->seq) == 0 &&
	       get_u32(p + AT_VERSION, 8, &f->version) &&
	       text_get_hex(p + AT_PREV, 12, &f->prev) == 0 &&
	       text_get_hex(p + AT_JUMP, 12, &f->jump) == 0 &&
	       text_get_hex(p + AT_TIME, 16, &f->time_ns) == 0;
}

/* The next field up to a space; false when it is empty, too long or does not end before `end`. */
static bool take_field(const char **p, const char *end, size_t max, struct span *ret)
{
	size_t left = (size_t)(end - *p);
	const char *sp = memchr(*p, ' ', left > max ? max + 1 : left);

	if (sp == NULL || sp == *p)
		return false;
	*ret = (struct span){*p, (size_t)(sp - *p)};
	*p = sp + 1;
	return true;
}

enum frame_result frame_parse_header(const char *p, size_t n, uint32_t salt, struct frame *f)
{
	uint32_t crc;
	const char *at, *end;

	f->len = 0;
	if (n < FRAME_FIXED)
		return n > 0 && memchr(p, '\n', n) != NULL ? FRAME_BAD : FRAME_SHORT;
	if (p[8] != ' ' || p[12] != ' ' || !get_u32(p, 8, &crc) ||
	    !get_u32(p + AT_LEN, 8, &f->len) || f->len < FRAME_MIN || f->len > FRAME_MAX)
		return FRAME_BAD;
	if (n < f->len)
		return FRAME_SHORT;
	at = p + FRAME_FIXED;
	end = p + f->len - 1;
	if (!take_field(&at, end, FRAME_NAME_MAX, &f->stream) ||
	    !take_field(&at, end, FRAME_NAME_MAX, &f->type) ||
	    !take_field(&at, end, FRAME_NAME_MAX, &f->id) ||
	    !take_field(&at, end, FRAME_ATTRS_MAX, &f->attrs) || at == end)
		return FRAME_BAD;
	f->data = (struct span){at, (size_t)(end - at)};
	if (crc32c(salt, p + AT_KIND, (size_t)(at - p) - AT_KIND) != crc || !parse_columns(p, f))
		return FRAME_BAD;
	/* What no writer makes: a right CRC proves no good will. */
	if (f->prev >= f->seq || f->jump > f->prev || f->lag >= f->seq)
		return FRAME_BAD;
	return *end == '\n' ? FRAME_OK : FRAME_NO_LF;
}

enum frame_result frame_parse(const char *p, size_t n, uint32_t salt, struct frame *f)
{
	enum frame_result r = frame_parse_header(p, n, salt, f);

	if (r == FRAME_OK && f->flag != FRAME_REDACTED &&
	    crc32c(0, f->data.p, f->data.len) != f->data_crc)
		return FRAME_BAD;
	return r;
}

bool frame_deletes_hard(const struct frame *f)
{
	static const char hard[] = FRAME_DELETED_HARD;

	return f->kind == FRAME_DELETED && f->data_crc == crc32c(0, hard, sizeof(hard) - 1);
}

uint64_t frame_peek_prev(const char line[FRAME_FIXED])
{
	uint64_t prev;

	return text_get_hex(line + AT_PREV, 12, &prev) < 0 ? 0 : prev;
}

/*
 * "#evlog1 UUID base=SEQ prev=(64 zeros) flags=- CRC", padded; prev is for a hash chain.  Where
 * events were removed: "flags=c gone=COUNT".
 */
void frame_put_head(char line[FRAME_HEAD_LEN], const struct frame_head *h)
{
	char *p = line;

	memset(line, ' ', FRAME_HEAD_LEN);
	memcpy(p, "#evlog1 ", 8);
	id_put_hex(p + 8, h->uuid);
	memcpy(p + 41, "base=", 5);
	text_put_hex(p + 46, h->base, 16);
	memcpy(p + 63, "prev=", 5);
	memset(p + 68, '0', 64);
	memcpy(p + 133, h->gone > 0 ? "flags=c" : "flags=-", 7);
	if (h->gone > 0) {
		memcpy(p + 141, "gone=", 5);
		text_put_hex(p + 146, h->gone, 16);
	}
	text_put_hex(p + HEAD_CRC, crc32c(0, line, HEAD_CRC), 8);
	line[FRAME_HEAD_LEN - 1] = '\n';
}

bool frame_get_head(const char *p, size_t n, struct frame_head *h)
{
	struct err ignored;
	uint64_t v;

	if (n < FRAME_HEAD_LEN || memcmp(p, "#evlog1 ", 8) != 0 ||
	    text_get_hex(p + HEAD_CRC, 8, &v) < 0 || crc32c(0, p, HEAD_CRC) != v ||
	    text_get_hex(p + 46, 16, &h->base) < 0 || p[FRAME_HEAD_LEN - 1] != '\n')
		return false;
	h->gone = 0;
	if (p[139] == 'c' && text_get_hex(p + 146, 16, &h->gone) < 0)
		return false;
	return id_parse(p + 8, ID_HEX_LEN, h->uuid, &ignored) == 0;
}

/* "#seal FIRST LAST BYTES TIMEMIN TIMEMAX [GONE] CRC", 16 hex digits each, padded. */
void frame_put_seal(char line[FRAME_SEAL_LEN], const struct frame_seal *s, uint32_t salt)
{
	const uint64_t v[] = {s->first, s->last, s->bytes, s->time_min, s->time_max, s->gone};

	memset(line, ' ', FRAME_SEAL_LEN);
	memcpy(line, "#seal ", 6);
	for (size_t i = 0; i < (s->gone > 0 ? 6 : 5); i++)
		text_put_hex(line + 6 + 17 * i, v[i], 16);
	text_put_hex(line + SEAL_CRC, crc32c(salt, line, SEAL_CRC), 8);
	line[FRAME_SEAL_LEN - 1] = '\n';
}

enum frame_result frame_get_seal(const char *p, size_t n, uint32_t salt, struct frame_seal *s)
{
	uint64_t *v[] = {&s->first, &s->last, &s->bytes, &s->time_min, &s->time_max, &s->gone};
	uint64_t crc;

	if (n < FRAME_SEAL_LEN)
		return memchr(p, '\n', n) != NULL ? FRAME_BAD : FRAME_SHORT;
	if (memcmp(p, "#seal ", 6) != 0 || p[FRAME_SEAL_LEN - 1] != '\n' ||
	    text_get_hex(p + SEAL_CRC, 8, &crc) < 0 || crc32c(salt, p, SEAL_CRC) != crc)
		return FRAME_BAD;
	s->gone = 0;
	for (size_t i = 0; i < (p[6 + 17 * 5] == ' ' ? 5 : 6); i++)
		if (text_get_hex(p + 6 + 17 * i, 16, v[i]) < 0)
			return FRAME_BAD;
	return FRAME_OK;
}
