#include "base/bytes.h"

#include <assert.h>

void bytes_put_span(struct buf *b, struct span s)
{
	assert(s.len <= UINT32_MAX);
	bytes_put_u32(b, (uint32_t)s.len);
	buf_add(b, s.p, s.len);
}

struct span bytes_get(struct bytes *r, size_t n)
{
	struct span s = {r->p, n};

	if (n > r->left) {
		bytes_fail(r);
		return (struct span){r->p, 0};
	}
	if (n > 0)
		r->p += n;
	r->left -= n;
	return s;
}

struct span bytes_get_span(struct bytes *r, size_t max)
{
	uint32_t n = bytes_get_u32(r);

	if (n > max)
		bytes_fail(r);
	return bytes_get(r, r->failed ? 0 : n);
}

bool bytes_get_bool(struct bytes *r)
{
	uint8_t v = bytes_get_u8(r);

	if (v > 1)
		bytes_fail(r);
	return v == 1;
}
