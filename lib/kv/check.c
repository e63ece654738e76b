/* check: what holds of every state, whatever was applied. */
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "kv/once.h"
#include "kv/session.h"

/* One item: what is wrong with it, or NULL. */
typedef const char *check_fn(const struct kv *kv, const struct kv_item *it);

static bool is_due(const struct kv *kv, enum table due, uint64_t clock_ns, struct span key)
{
	char bytes[8 + KV_KEY_MAX];

	return clock_ns > kv->s.clock_ns &&
	       kv_find(kv, due, kv_due_key(bytes, clock_ns, key)) != NULL;
}

static const char *check_holder(const struct kv *kv, const struct kv_item *it,
                                const struct kv_lock_part *lock)
{
	char bytes[ID_LEN + KV_KEY_MAX];
	struct span key = kv_item_key(it);

	if (id_is_zero(lock->session))
		return NULL;
	if (lock->lock == 0)
		return "a key is held and was never locked";
	if (kv_find(kv, T_SESSION, (struct span){(const char *)lock->session, ID_LEN}) == NULL)
		return "a key is held by a session that is not there";
	if (kv_find(kv, T_HELD, kv_held_key(bytes, lock->session, key)) == NULL)
		return "a session does not know a key that it holds";
	if (kv_is_delayed(kv, key))
		return "a key is held within its lock-delay";
	return NULL;
}

static const char *check_entry(const struct kv *kv, const struct kv_item *it)
{
	struct kv_lock_part lock = kv_item_lock(it);

	if (it->create == 0 || it->create > it->modify || it->modify > kv->s.table_index)
		return "the indexes of a key are not in order";
	if ((lock.lock == 0) != (lock.fence == 0))
		return "a key has a fence and no lock index, or the other way";
	if (lock.fence != 0 && (lock.fence < it->create || lock.fence > it->modify))
		return "a fence is not of the key's life";
	if (kv_find(kv, T_TOMBSTONE, kv_item_key(it)) != NULL)
		return "a key that is there has a tombstone";
	return check_holder(kv, it, &lock);
}

static const char *check_tombstone(const struct kv *kv, const struct kv_item *it)
{
	if (it->modify == 0 || it->modify > kv->s.table_index)
		return "a tombstone is of no deletion";
	if (!is_due(kv, T_DUE_TOMBSTONE, it->create, kv_item_key(it)))
		return "a tombstone has no end, or is beyond it";
	return NULL;
}

static const char *check_session(const struct kv *kv, const struct kv_item *it)
{
	struct kv_session s;

	if (!kv_session_view(it, &s))
		return "a session is none";
	if (it->create == 0 || it->create != it->modify || it->create > kv->s.sessions_index)
		return "the indexes of a session are not in order";
	if (s.spec.ttl_ns > 0 && !is_due(kv, T_DUE_SESSION, s.expires_ns, kv_item_key(it)))
		return "a session has no end, or is beyond it";
	return NULL;
}

static const char *check_delay(const struct kv *kv, const struct kv_item *it)
{
	if (it->modify != 0)
		return "a lock-delay is none";
	if (!is_due(kv, T_DUE_DELAY, it->create, kv_item_key(it)))
		return "a lock-delay has no end, or is beyond it";
	return NULL;
}

static const char *check_client(const struct kv *kv, const struct kv_item *it)
{
	if (it->modify == 0)
		return "a client is none";
	if (kv_once_count(kv, kv_item_key(it)) > KV_ONCE_WINDOW)
		return "a client has too many results";
	if (!is_due(kv, T_DUE_CLIENT, it->create, kv_item_key(it)))
		return "a client has no end, or is beyond it";
	return NULL;
}

static const char *check_result(const struct kv *kv, const struct kv_item *it)
{
	struct kv_item *client = kv_find(kv, T_CLIENT, (struct span){kv_item_key(it).p, ID_LEN});
	struct kv_result result;
	struct err e;

	if (client == NULL)
		return "a result is of a client that is not there";
	if (it->modify != 0 || kv_once_seq(it) < client->modify)
		return "a result is older than what its client waits for";
	if (kv_result_get(&result, kv_item_value(it), &e) < 0)
		return "a result is none";
	return NULL;
}

static const char *check_sums(const struct kv_state *s, uint64_t hash_sum, uint64_t result_bytes)
{
	if (s->floor > s->table_index || s->table_index > s->applied ||
	    s->sessions_index > s->applied)
		return "the indexes of the tables are not in order";
	if (s->hash_sum != hash_sum)
		return "the hash is not that of the records";
	if (s->result_bytes != result_bytes || result_bytes > KV_ONCE_BYTES_MAX)
		return "the bytes of the results are not counted right";
	if (s->t[T_DUE_TOMBSTONE].count != s->t[T_TOMBSTONE].count ||
	    s->t[T_DUE_DELAY].count != s->t[T_DELAY].count ||
	    s->t[T_DUE_CLIENT].count != s->t[T_CLIENT].count ||
	    s->t[T_DUE_SESSION].count > s->t[T_SESSION].count)
		return "an end is planned of what is not there";
	if (s->t[T_TOMBSTONE].count > KV_TOMBSTONES_MAX || s->t[T_CLIENT].count > KV_CLIENTS_MAX ||
	    s->t[T_SESSION].count > KV_SESSIONS_MAX)
		return "a table has too many records";
	return NULL;
}

struct sums {
	uint64_t hash, result_bytes, held, with_ttl;
};

static void add_sums(struct sums *sums, enum table t, const struct kv_item *it)
{
	struct kv_session s;

	sums->hash += kv_item_hash(it, t);
	if (t == T_RESULT)
		sums->result_bytes += it->value_len;
	if (t == T_ENTRY && it->has_lock && !id_is_zero(kv_item_lock(it).session))
		sums->held++;
	if (t == T_SESSION && kv_session_view(it, &s) && s.spec.ttl_ns > 0)
		sums->with_ttl++;
}

static const char *check_tables(const struct kv *kv, struct sums *sums)
{
	static check_fn *const checks[T_REPLICATED] = {
	    [T_ENTRY] = check_entry, [T_TOMBSTONE] = check_tombstone, [T_SESSION] = check_session,
	    [T_DELAY] = check_delay, [T_CLIENT] = check_client,       [T_RESULT] = check_result,
	};

	for (enum table t = 0; t < T_REPLICATED; t++) {
		const char *wrong = NULL;
		struct tree_iter i;

		tree_seek(&i, &kv->s.t[t], (struct span){"", 0});
		for (struct kv_item *it; wrong == NULL && (it = tree_next(&i)) != NULL;) {
			add_sums(sums, t, it);
			wrong = checks[t](kv, it);
		}
		if (wrong != NULL)
			return wrong;
	}
	return NULL;
}

int kv_check(const struct kv *kv, struct err *e)
{
	struct sums sums = {0};
	const char *wrong = NULL;

	for (enum table t = 0; t < T_COUNT && wrong == NULL; t++)
		if (!tree_check(&kv->s.t[t]))
			wrong = "a tree is damaged";
	if (wrong == NULL)
		wrong = check_tables(kv, &sums);
	if (wrong == NULL)
		wrong = check_sums(&kv->s, sums.hash, sums.result_bytes);
	/* Each key that is held was found in HELD: if the counts are the same, there are no others.
	 */
	if (wrong == NULL && kv->s.t[T_HELD].count != sums.held)
		wrong = "a session knows a key that it does not hold";
	if (wrong == NULL && kv->s.t[T_DUE_SESSION].count != sums.with_ttl)
		wrong = "an end is planned of a session that is not there";
	return wrong != NULL ? err_set(e, EBADMSG, "check: %s", wrong) : 0;
}
