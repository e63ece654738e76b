/*
 * snapshot: files of foreign bytes.  What is sound lies within the input and is made again from
 * its parts.  So that bytes are sound at all, each input is tried as it is and with the CRC and
 * the length that it should have.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/text.h"
#include "evlog/snapshot_text.h"
#include "fuzz.h"

#define SALT     0x12345678u
#define CRC_FROM 16
#define FIXED    116

static bool is_within(struct span s, const char *p, size_t n)
{
	return s.p >= p && s.p + s.len <= p + n;
}

/* Whether it is sound. */
static bool parse(const char *p, size_t n)
{
	struct snapshot_head h, g;
	struct span state, again;
	struct buf b = {0};

	if (!snapshot_text_get(p, n, SALT, &h, &state))
		return false;
	CHECK(is_within(h.stream, p, n) && h.stream.len >= 1 && h.stream.len <= 255);
	CHECK(is_within(state, p, n) && state.p + state.len + 1 == p + n);
	snapshot_text_put(&b, &h, state, SALT);
	CHECK(!b.failed && b.len == n);
	CHECK(snapshot_text_get(b.data, b.len, SALT, &g, &again));
	CHECK(g.version == h.version && g.seq == h.seq && g.time_ns == h.time_ns);
	CHECK(g.first == h.first && g.data_crc == h.data_crc && span_is(again, state));
	CHECK(memcmp(g.program, h.program, sizeof(g.program)) == 0);
	buf_done(&b);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = size > 0 ? malloc(size) : NULL;
	struct snapshot_head h;

	if (copy == NULL)
		return 0;
	memcpy(copy, data, size);
	(void)parse(copy, size);
	if (snapshot_text_head(copy, size, &h)) {
		size_t head = FIXED + h.stream.len + 1;

		CHECK(head <= size);
		if (size > head)
			text_put_hex(copy + 74, size - head - 1, 8);
		text_put_hex(copy + 8, crc32c(SALT, copy + CRC_FROM, size - CRC_FROM), 8);
		CHECK(parse(copy, size) == (size > head));
	}
	free(copy);
	return 0;
}
