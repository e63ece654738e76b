/* lookup: what the index points at, confirmed by the log. */
#include <string.h>

#include "base/hash.h"
#include "evlog/read.h"
#include "evlog/store_impl.h"

#define READ_WARM_DEPTH 3 /* events of each stream */

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
		/* The newest event of a stream is never removed: versions must not begin anew. */
		if (r == 0 && seq != 0 && seq < s->log_base)
			r = err_set(e, EVLOG_DAMAGED,
			            "the index leads to sequence %llu, which was removed; 'evlog "
			            "reindex' makes it anew",
			            (unsigned long long)seq);
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

int lookup_id(struct evlog *s, struct span stream, struct span id, struct id_cursor *at,
              struct frame *f, struct err *e)
{
	uint64_t key = key_of(s, stream, id, 0);
	uint64_t seq;
	int r;

	while ((r = index_next_id(s, key, at, &seq, e)) > 0) {
		r = store_frame(s, seq, f, e);
		if (r < 0)
			return -1;
		if (r > 0 && frame_is_event(f) && span_is(f->stream, stream) && span_is(f->id, id))
			return 1;
	}
	return r;
}

int lookup_floor(struct evlog *s, struct frame *f, uint64_t *ret, struct err *e)
{
	*ret = f->seq;
	while (f->kind != FRAME_DELETED) {
		int r;

		*ret = f->jump;
		r = f->jump == 0 ? 0 : store_header(s, f->jump, f, e);
		if (r <= 0)
			return r < 0 ? -1 : 1;
	}
	return 1;
}

static const void *offset_place(struct evlog *s, uint64_t seq)
{
	struct segment *g;

	if (seq >= s->log_base)
		return seq - s->log_base < s->active.capacity ? &s->active.offset[seq - s->log_base]
		                                              : NULL;
	g = segment_of(s, seq);
	return g == NULL || g->offset == NULL || seq - g->base >= ACTIVE_EVENTS_MAX
	           ? NULL
	           : &g->offset[seq - g->base];
}

/* NULL where it is not mapped: then it is read, and there is nothing to fetch ahead. */
static const char *frame_place(struct evlog *s, uint64_t seq)
{
	const uint32_t *offset = offset_place(s, seq);
	const struct segment *g;

	if (offset == NULL)
		return NULL;
	if (seq >= s->log_base && store_in_copy(s, seq, *offset))
		return s->copy.bytes.data + *offset;
	if (seq >= s->log_base)
		return s->locked && s->log_map != NULL ? s->log_map + *offset : NULL;
	g = segment_of(s, seq);
	return (size_t)*offset + FRAME_FIXED < g->map->size ? g->map->p + *offset : NULL;
}

/* The frames of some sequences (0: none): first their offsets, then their lines. */
static void warm_frames(struct evlog *s, const uint64_t *seqs, const char **lines, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (seqs[i] != 0)
			__builtin_prefetch(offset_place(s, seqs[i]));
	for (size_t i = 0; i < n; i++) {
		lines[i] = seqs[i] == 0 ? NULL : frame_place(s, seqs[i]);
		for (size_t at = 0; lines[i] != NULL && at < LOOKUP_WARM_BYTES; at += 64)
			__builtin_prefetch(lines[i] + at);
	}
}

/*
 * A lookup is three dependent misses of the cache: index, offset, frame; a stream of several events
 * adds two for each.  For many streams at once each step is begun for all before the next one
 * needs it.  `depth` is how many events of each stream are worth it.
 */
void lookup_warm(struct evlog *s, const uint64_t *keys, size_t n, unsigned depth)
{
	uint64_t seqs[LOOKUP_WARM_MAX];
	const char *lines[LOOKUP_WARM_MAX];
	struct err ignored;

	if (n > LOOKUP_WARM_MAX || index_load(s, RUN_HEADS, &ignored) < 0)
		return;
	for (size_t i = 0; i < n; i++)
		index_prefetch(s, RUN_HEADS, keys[i]);
	for (size_t i = 0; i < n; i++)
		if (index_head(s, keys[i], &seqs[i], &ignored) <= 0)
			seqs[i] = 0;
	warm_frames(s, seqs, lines, n);
	while (--depth > 0) {
		for (size_t i = 0; i < n; i++) {
			uint64_t prev = lines[i] == NULL ? 0 : frame_peek_prev(lines[i]);

			seqs[i] = prev < seqs[i] ? prev : 0;
		}
		warm_frames(s, seqs, lines, n);
	}
}

void evlog_warm(struct evlog *s, const struct span *streams, size_t n)
{
	uint64_t keys[LOOKUP_WARM_MAX];

	store_copy_active(s, n);
	while (n > 0) {
		size_t some = n < LOOKUP_WARM_MAX ? n : LOOKUP_WARM_MAX;

		for (size_t i = 0; i < some; i++)
			keys[i] = key_of(s, streams[i], (struct span){"", 0}, 0);
		lookup_warm(s, keys, some, READ_WARM_DEPTH);
		streams += some;
		n -= some;
	}
}
