#include "evlog/snapshot_text.h"

#include <string.h>

#include "base/hash.h"
#include "base/text.h"

#define MAGIC     "evsnap1 "
#define MAGIC_LEN 8
#define CRC_AT    8
#define CRC_FROM  16
#define PROGRAM   83
#define FIXED     116

/* Where a number stands, and how wide it is: in the order of numbers_of(). */
static const struct {
	size_t at;
	int width;
} places[] = {{17, 8}, {26, 12}, {39, 16}, {56, 8}, {65, 8}, {74, 8}};

#define PLACES (sizeof(places) / sizeof(places[0]))

void snapshot_put_hex(char *to, const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		text_put_hex(to + 2 * i, p[i], 2);
}

void snapshot_text_put(struct buf *b, const struct snapshot_head *h, struct span state,
                       uint32_t salt)
{
	const uint64_t numbers[PLACES] = {h->version,  h->seq,   h->time_ns,
	                                  h->data_crc, h->first, state.len};
	size_t at = b->len;
	char head[FIXED];

	memset(head, ' ', sizeof(head));
	memcpy(head, MAGIC, MAGIC_LEN);
	for (size_t i = 0; i < PLACES; i++)
		text_put_hex(head + places[i].at, numbers[i], places[i].width);
	memcpy(head + PROGRAM, h->program, sizeof(h->program));
	buf_add(b, head, sizeof(head));
	buf_add(b, h->stream.p, h->stream.len);
	buf_add_char(b, '\n');
	buf_add(b, state.p, state.len);
	buf_add_char(b, '\n');
	if (!b->failed)
		text_put_hex(b->data + at + CRC_AT,
		             crc32c(salt, b->data + at + CRC_FROM, b->len - at - CRC_FROM), 8);
}

bool snapshot_text_head(const char *p, size_t n, struct snapshot_head *ret)
{
	size_t most = n < SNAPSHOT_HEAD_MAX ? n : SNAPSHOT_HEAD_MAX;
	const char *lf = most > FIXED ? memchr(p + FIXED, '\n', most - FIXED) : NULL;
	uint64_t numbers[PLACES];

	if (lf == NULL || lf == p + FIXED || memcmp(p, MAGIC, MAGIC_LEN) != 0)
		return false;
	for (size_t i = 0; i < PLACES; i++)
		if (text_get_hex(p + places[i].at, places[i].width, &numbers[i]) < 0)
			return false;
	*ret = (struct snapshot_head){.version = (uint32_t)numbers[0],
	                              .seq = numbers[1],
	                              .time_ns = numbers[2],
	                              .data_crc = (uint32_t)numbers[3],
	                              .first = (uint32_t)numbers[4],
	                              .state_len = (uint32_t)numbers[5],
	                              .stream = {p + FIXED, (size_t)(lf - p) - FIXED}};
	memcpy(ret->program, p + PROGRAM, sizeof(ret->program));
	return true;
}

bool snapshot_text_get(const char *p, size_t n, uint32_t salt, struct snapshot_head *ret,
                       struct span *ret_state)
{
	uint64_t crc;
	size_t head;

	if (!snapshot_text_head(p, n, ret))
		return false;
	head = FIXED + ret->stream.len + 1;
	if (n - head != (size_t)ret->state_len + 1 || text_get_hex(p + CRC_AT, 8, &crc) < 0 ||
	    crc32c(salt, p + CRC_FROM, n - CRC_FROM) != crc)
		return false;
	*ret_state = (struct span){p + head, ret->state_len};
	return true;
}
