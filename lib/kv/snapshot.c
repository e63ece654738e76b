#include "kv/snapshot.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/le_buf.h"

/* What is encoded at once when there is room for it: fewer calls a byte. */
#define PIECE (64u << 10)

struct kv_snapshot {
	struct kv *kv;
	struct kv_state s; /* held */
	uint64_t hash;
	int table; /* whose items are written; -1: none yet, T_REPLICATED: all were */
	struct tree_iter i;
	struct buf ready; /* encoded */
	size_t given;     /* bytes of it that are handed out */
	uint32_t crc;
	bool is_done;
};

struct kv_snapshot *kv_snapshot_begin(struct kv *kv)
{
	struct kv_snapshot *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->kv = kv;
	s->s = kv_state_hold(&kv->s);
	s->hash = kv_hash(kv);
	s->table = -1;
	return s;
}

void kv_snapshot_end(struct kv_snapshot *s)
{
	kv_state_drop(&s->kv->mem, &s->s);
	buf_done(&s->ready);
	free(s);
}

static void put_head(struct kv_snapshot *s)
{
	buf_add(&s->ready, KV_SNAPSHOT_MAGIC, sizeof(KV_SNAPSHOT_MAGIC) - 1);
	le_add32(&s->ready, KV_SNAPSHOT_VERSION);
	le_add64(&s->ready, s->s.applied);
	le_add64(&s->ready, s->s.clock_ns);
	le_add64(&s->ready, s->s.table_index);
	le_add64(&s->ready, s->s.sessions_index);
	le_add64(&s->ready, s->s.floor);
}

static void put_item(struct buf *to, const struct kv_item *it)
{
	struct kv_lock_part lock = kv_item_lock(it);
	struct span key = kv_item_key(it);

	le_add8(to, it->has_lock);
	le_add16(to, it->key_len);
	le_add32(to, it->value_len);
	le_add64(to, it->create);
	le_add64(to, it->modify);
	if (it->has_lock) {
		le_add64(to, lock.flags);
		le_add64(to, lock.lock);
		le_add64(to, lock.fence);
		buf_add(to, lock.session, ID_LEN);
	}
	buf_add(to, key.p, key.len + it->value_len);
}

/* The next record, or what stands between two tables. */
static void put_next(struct kv_snapshot *s)
{
	struct kv_item *it = s->table >= 0 && s->table < T_REPLICATED ? tree_next(&s->i) : NULL;

	if (it != NULL) {
		put_item(&s->ready, it);
		return;
	}
	if (s->table < 0)
		put_head(s);
	if (++s->table < T_REPLICATED) {
		tree_seek(&s->i, &s->s.t[s->table], (struct span){"", 0});
		le_add64(&s->ready, s->s.t[s->table].count);
	} else {
		le_add64(&s->ready, s->hash);
	}
}

/* The CRC is over what has been encoded, piece by piece; its own bytes are the last. */
static void fill(struct kv_snapshot *s)
{
	s->ready.len = 0;
	s->given = 0;
	while (s->ready.len < PIECE && s->table < T_REPLICATED)
		put_next(s);
	s->crc = crc32c(s->crc, s->ready.data, s->ready.len);
	s->is_done = s->table == T_REPLICATED;
	if (s->is_done)
		le_add32(&s->ready, s->crc);
}

int64_t kv_snapshot_read(struct kv_snapshot *s, char *to, size_t n, struct err *e)
{
	size_t done = 0;

	while (done < n && !(s->is_done && s->given == s->ready.len)) {
		size_t left = s->ready.len - s->given;

		if (left == 0) {
			fill(s);
			if (buf_ok(&s->ready, e) < 0)
				return err_wrap(e, "snapshot");
			continue;
		}
		left = left < n - done ? left : n - done;
		memcpy(to + done, s->ready.data + s->given, left);
		s->given += left;
		done += left;
	}
	return (int64_t)done;
}
