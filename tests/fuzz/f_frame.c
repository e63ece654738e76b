/*
 * frame: lines, heads and seals of foreign bytes.  What validates is within all limits, and is
 * made again from its parts byte for byte; nothing is read outside of the input.  So that bytes
 * validate at all, each input is tried as it is and with the CRC that it should have.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/text.h"
#include "evlog/frame.h"
#include "fuzz.h"

#define SALT 0x12345678u

static void check_frame(const char *p, const struct frame *f)
{
	char *again = malloc(f->len);
	struct frame g;

	CHECK(again != NULL);
	CHECK(f->stream.len >= 1 && f->stream.len <= FRAME_NAME_MAX);
	CHECK(f->type.len >= 1 && f->type.len <= FRAME_NAME_MAX);
	CHECK(f->id.len >= 1 && f->id.len <= FRAME_NAME_MAX);
	CHECK(f->attrs.len >= 1 && f->attrs.len <= FRAME_ATTRS_MAX);
	CHECK(f->data.len >= 1 && f->data.p + f->data.len + 1 == p + f->len);
	CHECK(f->prev < f->seq && f->jump <= f->prev && f->seq <= FRAME_SEQ_MAX);
	memcpy(again, p, f->len);
	frame_seal(again, (size_t)(f->data.p - p), f, SALT);
	/* Spaces between the columns may have been anything that the CRC covers. */
	CHECK(frame_parse_header(again, f->len, SALT, &g) == FRAME_OK);
	CHECK(g.seq == f->seq && g.prev == f->prev && g.jump == f->jump && g.lag == f->lag);
	CHECK(g.kind == f->kind && g.flag == f->flag && g.last == f->last && g.len == f->len);
	CHECK(g.version == f->version && g.time_ns == f->time_ns && g.data_crc == f->data_crc);
	CHECK(memcmp(again + FRAME_FIXED, p + FRAME_FIXED, f->len - FRAME_FIXED) == 0);
	free(again);
}

static void parse_all(const char *p, size_t n)
{
	struct frame f = {.len = 0};
	struct frame_head h;
	struct frame_seal s;
	enum frame_result r = frame_parse_header(p, n, SALT, &f);

	CHECK(r != FRAME_SHORT || f.len == 0 || f.len > n);
	if (r == FRAME_OK)
		check_frame(p, &f);
	r = frame_parse(p, n, SALT, &f);
	if (r == FRAME_OK)
		check_frame(p, &f);
	(void)frame_get_head(p, n, &h);
	(void)frame_get_seal(p, n, SALT, &s);
}

/* Behind the fourth space of the body lies the data. */
static size_t data_offset(const char *p, size_t n)
{
	size_t at = FRAME_FIXED;

	for (int i = 0; i < 4 && at < n; i++) {
		const char *sp = memchr(p + at, ' ', n - at);

		at = sp == NULL ? n : (size_t)(sp - p) + 1;
	}
	return at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy;
	size_t at;

	parse_all((const char *)data, size);
	if (size < FRAME_MIN || size > FRAME_MAX)
		return 0;
	copy = malloc(size);
	CHECK(copy != NULL);
	memcpy(copy, data, size);
	at = data_offset(copy, size);
	if (at < size) {
		text_put_hex(copy + 13, size, 8);
		text_put_hex(copy + 22, crc32c(0, copy + at, size - 1 - at), 8);
		copy[8] = copy[12] = ' ';
		text_put_hex(copy, crc32c(SALT, copy + 9, at - 9), 8);
		parse_all(copy, size);
	}
	free(copy);
	return 0;
}
