/* restore: a state from the bytes of a snapshot, which come from the disk or from another node. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/le_buf.h"
#include "kv/once.h"
#include "kv/session.h"
#include "kv/snapshot.h"
#include "kv/watch.h"

enum stage { HEAD, COUNT, ITEMS, TAIL, DONE };

struct kv_restore {
	struct kv *kv; /* what is made */
	enum stage stage;
	int table;
	uint64_t left;      /* items of it that are to come */
	struct span last;   /* the key before, borrowed from the table */
	struct buf pending; /* the begin of a unit whose end has not come */
	uint32_t crc;
};

/* What the keys and values of a table may be. */
static const struct limit {
	size_t key_min, key_max, value_max;
	uint64_t count_max;
	bool may_lock;
} limits[T_REPLICATED] = {
    [T_ENTRY] = {1, KV_KEY_MAX, KV_VALUE_MAX, UINT64_MAX, true},
    [T_TOMBSTONE] = {1, KV_KEY_MAX, 0, KV_TOMBSTONES_MAX, false},
    [T_SESSION] = {ID_LEN, ID_LEN, UINT16_MAX, KV_SESSIONS_MAX, false},
    [T_DELAY] = {1, KV_KEY_MAX, 0, UINT64_MAX, false},
    [T_CLIENT] = {ID_LEN, ID_LEN, 0, KV_CLIENTS_MAX, false},
    [T_RESULT] = {ID_LEN + 8, ID_LEN + 8, KV_ONCE_RESULT_MAX, UINT64_MAX, false},
};

_Static_assert(KV_SNAPSHOT_ITEM_LEN + KV_SNAPSHOT_LOCK_LEN + KV_KEY_MAX + KV_VALUE_MAX <=
                   KV_SNAPSHOT_RECORD_MAX,
               "a record fits");

struct kv_restore *kv_restore_begin(void)
{
	struct kv_restore *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->kv = kv_new();
	if (r->kv != NULL)
		return r;
	free(r);
	return NULL;
}

void kv_restore_abort(struct kv_restore *r)
{
	if (r == NULL)
		return;
	kv_free(r->kv);
	buf_done(&r->pending);
	free(r);
}

static int bad(struct err *e, const char *what)
{
	return err_set(e, EBADMSG, "restore: %s", what);
}

/* ---- The units. */

static int take_head(struct kv_restore *r, const char *p, struct err *e)
{
	struct kv_state *s = &r->kv->s;
	uint32_t version = le_get32(p + 8);

	if (memcmp(p, KV_SNAPSHOT_MAGIC, 8) != 0)
		return bad(e, "this is no snapshot");
	if (version > KV_SNAPSHOT_VERSION)
		return err_set(e, ENOTSUP, "restore: version %u, this program knows up to %d",
		               version, KV_SNAPSHOT_VERSION);
	if (version == 0)
		return bad(e, "this is no snapshot");
	s->applied = le_get64(p + 12);
	s->clock_ns = le_get64(p + 20);
	s->table_index = le_get64(p + 28);
	s->sessions_index = le_get64(p + 36);
	s->floor = le_get64(p + 44);
	return 0;
}

/* What follows when a table has no more items. */
static void next_stage(struct kv_restore *r)
{
	if (r->left > 0)
		r->stage = ITEMS;
	else if (++r->table < T_REPLICATED)
		r->stage = COUNT;
	else
		r->stage = TAIL;
}

static int take_count(struct kv_restore *r, const char *p, struct err *e)
{
	r->left = le_get64(p);
	if (r->left > limits[r->table].count_max)
		return bad(e, "a table has too many records");
	next_stage(r);
	return 0;
}

/* The tables that follow from an item. */
static void derive(struct kv *kv, enum table t, const struct kv_item *it)
{
	static const unsigned char nobody[ID_LEN];
	struct span key = kv_item_key(it);
	struct kv_lock_part lock = kv_item_lock(it);
	struct kv_session session;

	if (t == T_ENTRY)
		kv_held_change(kv, key, nobody, lock.session);
	else if (t == T_TOMBSTONE)
		kv_due_put(kv, T_DUE_TOMBSTONE, it->create, key);
	else if (t == T_DELAY)
		kv_due_put(kv, T_DUE_DELAY, it->create, key);
	else if (t == T_CLIENT)
		kv_due_put(kv, T_DUE_CLIENT, it->create, key);
	else if (t == T_SESSION && kv_session_view(it, &session) && session.spec.ttl_ns > 0)
		kv_due_put(kv, T_DUE_SESSION, session.expires_ns, key);
}

static struct kv_lock_part take_lock(struct le_reader *r)
{
	struct kv_lock_part lock = {0};

	lock.flags = le_take64(r);
	lock.lock = le_take64(r);
	lock.fence = le_take64(r);
	le_take_to(r, lock.session, ID_LEN);
	return lock;
}

static int take_item(struct kv_restore *r, const char *p, size_t n, struct err *e)
{
	struct le_reader in = {p + 7, n - 7, false};
	struct kv_item_spec spec = {.create = le_take64(&in)};
	struct kv_item *it;

	spec.modify = le_take64(&in);
	if (p[0] != 0)
		spec.lock = take_lock(&in);
	spec.key = le_take(&in, le_get16(p + 1));
	spec.value = le_take(&in, le_get32(p + 3));
	if (r->last.p != NULL && kv_compare(r->last, spec.key) >= 0)
		return bad(e, "keys are not in order");
	it = kv_item_new(&r->kv->mem, &spec);
	if (it != NULL && it->has_lock != (p[0] != 0)) {
		kv_item_drop(&r->kv->mem, it);
		return bad(e, "a record has an empty lock part");
	}
	if (it != NULL) {
		r->last = kv_item_key(it);
		derive(r->kv, (enum table)r->table, it);
		kv_put(r->kv, (enum table)r->table, it);
	}
	if (r->kv->mem.failed)
		return err_set(e, ENOMEM, "restore: out of memory");
	if (--r->left == 0)
		next_stage(r);
	return 0;
}

static int take_tail(struct kv_restore *r, const char *p, struct err *e)
{
	if (crc32c(r->crc, p, 8) != le_get32(p + 8))
		return bad(e, "the checksum is wrong");
	if (kv_hash(r->kv) != le_get64(p))
		return bad(e, "the hash of the state is another one");
	r->stage = DONE;
	return 0;
}

/* The length of the item whose first bytes are at p, or -1. */
static int64_t item_size(const struct kv_restore *r, const char *p, struct err *e)
{
	const struct limit *limit = &limits[r->table];
	size_t key = le_get16(p + 1);
	size_t value = le_get32(p + 3);

	if (p[0] != 0 && (p[0] != 1 || !limit->may_lock))
		return bad(e, "a record is of an unknown kind");
	if (key < limit->key_min || key > limit->key_max || value > limit->value_max)
		return bad(e, "a key or a value is outside its limits");
	return (int64_t)(KV_SNAPSHOT_ITEM_LEN + (p[0] != 0 ? KV_SNAPSHOT_LOCK_LEN : 0) + key +
	                 value);
}

/* The length of the unit that begins at p, as far as n bytes tell, or -1. */
static int64_t unit_size(const struct kv_restore *r, const char *p, size_t n, struct err *e)
{
	switch (r->stage) {
	case HEAD:
		return KV_SNAPSHOT_HEAD_LEN;
	case COUNT:
		return KV_SNAPSHOT_COUNT_LEN;
	case ITEMS:
		return n < KV_SNAPSHOT_ITEM_LEN ? KV_SNAPSHOT_ITEM_LEN : item_size(r, p, e);
	case TAIL:
		return KV_SNAPSHOT_TAIL_LEN;
	default:
		return bad(e, "bytes follow its end");
	}
}

static int take_unit(struct kv_restore *r, const char *p, size_t n, struct err *e)
{
	enum stage stage = r->stage;
	int got;

	if (stage == TAIL)
		return take_tail(r, p, e);
	r->crc = crc32c(r->crc, p, n);
	if (stage == HEAD) {
		got = take_head(r, p, e);
		r->stage = COUNT;
	} else if (stage == COUNT) {
		r->last.p = NULL;
		got = take_count(r, p, e);
	} else {
		got = take_item(r, p, n, e);
	}
	return got;
}

/* Complete the unit that is pending: the bytes taken from p, or -1. */
static int64_t top_up(struct kv_restore *r, const char *p, size_t n, struct err *e)
{
	int64_t size = unit_size(r, r->pending.data, r->pending.len, e);
	size_t more;

	if (size < 0)
		return -1;
	/* An item whose first bytes have just come together has its length now, and is not over. */
	more = (size_t)size - r->pending.len;
	more = more < n ? more : n;
	buf_add(&r->pending, p, more);
	if (buf_ok(&r->pending, e) < 0)
		return -1;
	size = unit_size(r, r->pending.data, r->pending.len, e);
	if (size < 0)
		return -1;
	if ((size_t)size == r->pending.len) {
		if (take_unit(r, r->pending.data, r->pending.len, e) < 0)
			return -1;
		r->pending.len = 0;
	}
	return (int64_t)more;
}

int kv_restore_write(struct kv_restore *r, const char *p, size_t n, struct err *e)
{
	while (n > 0) {
		int64_t took;

		if (r->pending.len > 0) {
			took = top_up(r, p, n, e);
		} else {
			took = unit_size(r, p, n, e);
			if (took > (int64_t)n) {
				buf_add(&r->pending, p, n);
				return buf_ok(&r->pending, e);
			}
			if (took >= 0 && take_unit(r, p, (size_t)took, e) < 0)
				return -1;
		}
		if (took < 0)
			return -1;
		p += took;
		n -= (size_t)took;
	}
	return 0;
}

int kv_restore_commit(struct kv_restore *r, struct kv *kv, struct kv_output *out, struct err *e)
{
	buf_clear(&out->result);
	buf_clear(&out->due);
	if (r->stage != DONE)
		return bad(e, "the end is missing");
	if (kv_check(r->kv, e) < 0)
		return err_wrap(e, "restore");
	if (kv->is_broken)
		return err_set(e, ENOMEM, "restore: memory ran out before, the state is not whole");
	kv_watch_wake_all(kv, &out->due);
	/* Old snapshots go on from the old state, and give their memory back to the same account.
	 */
	kv_state_drop(&kv->mem, &kv->s);
	kv->s = kv_state_hold(&r->kv->s);
	kv_state_drop(&r->kv->mem, &r->kv->s);
	kv->mem.bytes += r->kv->mem.bytes;
	r->kv->mem.bytes = 0;
	kv_restore_abort(r);
	return buf_ok(&out->due, e);
}
