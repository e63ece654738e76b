/* lookup: what the index points at, confirmed by the log. */
#include "evlog/store_impl.h"

#include "base/hash.h"

#include <string.h>

/*
 * The n-th key of a stream (b empty), or the key of an id in a stream.  Names hold no NUL, so
 * stream NUL id cannot be mistaken for another pair, nor stream NUL NUL n for an id.
 */
uint64_t key_of(const struct evlog *s, struct span a, struct span b, uint32_t n)
{
	char text[2 * FRAME_NAME_MAX + 8];
	size_t len = a.len;
	uint64_t key;

	memcpy(text, a.p, a.len);
	if (b.len > 0) {
		text[len++] = '\0';
		memcpy(text + len, b.p, b.len);
		len += b.len;
	} else if (n > 0) {
		memset(text + len, 0, 2);
		memcpy(text + len + 2, &n, sizeof(n));
		len += 2 + sizeof(n);
	}
	key = hash_sip(s->uuid, text, len) & s->key_mask;
	return key == 0 ? 1 : key;
}

int lookup_head(struct evlog *s, struct span stream, struct frame *f, uint64_t *ret_key,
                struct err *e)
{
	for (uint32_t k = 0;; k++) {
		uint64_t key = key_of(s, stream, (struct span){"", 0}, k);
		uint64_t seq;
		int r = index_head(s, key, &seq, e);

		if (r > 0)
			r = store_frame(s, seq, f, e);
		if (r < 0)
			return -1;
		if (ret_key != NULL)
			*ret_key = key;
		if (r == 0)
			return 0;
		if (span_is(f->stream, stream))
			return 1;
	}
}

int lookup_id(struct evlog *s, struct span stream, struct span id, struct frame *f, struct err *e)
{
	uint64_t key = key_of(s, stream, id, 0);
	struct id_cursor at = {.active_at = ACTIVE_FIRST};
	uint64_t seq;
	int r;

	while ((r = index_next_id(s, key, &at, &seq, e)) > 0) {
		r = store_frame(s, seq, f, e);
		if (r < 0)
			return -1;
		if (r > 0 && f->kind == FRAME_EVENT && span_is(f->stream, stream) &&
		    span_is(f->id, id))
			return 1;
	}
	return r;
}
