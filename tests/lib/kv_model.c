#include "kv_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct kv_model_key key_of(struct span s)
{
	struct kv_model_key k = {.len = s.len < KV_MODEL_KEY_MAX ? s.len : KV_MODEL_KEY_MAX};

	if (k.len > 0)
		memcpy(k.bytes, s.p, k.len);
	return k;
}

static bool is_key(const struct kv_model_key *k, struct span s)
{
	return k->len == s.len && memcmp(k->bytes, s.p, s.len) == 0;
}

static bool has_prefix(const struct kv_model_key *k, struct span prefix)
{
	return k->len >= prefix.len && memcmp(k->bytes, prefix.p, prefix.len) == 0;
}

static struct span span_of(const struct kv_model_key *k)
{
	return (struct span){k->bytes, k->len};
}

struct kv_model_entry *kv_model_find(struct kv_model *m, struct span key)
{
	for (size_t i = 0; i < m->entry_count; i++)
		if (is_key(&m->entry[i].key, key))
			return &m->entry[i];
	return NULL;
}

static struct kv_model_session *find_session(struct kv_model *m, unsigned char id)
{
	for (size_t i = 0; i < m->session_count; i++)
		if (m->session[i].id == id)
			return &m->session[i];
	return NULL;
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a + b < a ? UINT64_MAX : a + b;
}

/* ---- Changes. */

static void delete (struct kv_model *m, struct kv_model_entry *e)
{
	assert_true(m->deleted_count < KV_MODEL_DELETED);
	m->deleted[m->deleted_count++] = (struct kv_model_deleted){e->key, m->index, m->clock_ns};
	m->table_index = m->index;
	*e = m->entry[--m->entry_count];
}

static void write(struct kv_model *m, const struct kv_op *op, const struct kv_model_entry *now)
{
	struct kv_model_entry *e = kv_model_find(m, op->key);
	struct kv_model_entry next = *now;

	next.key = key_of(op->key);
	next.value = key_of(op->value);
	next.flags = op->flags;
	if (e == NULL) {
		assert_true(m->entry_count < KV_MODEL_KEYS);
		e = &m->entry[m->entry_count++];
		next.create = m->index;
	} else if (is_key(&e->value, op->value) && e->flags == next.flags &&
	           e->holder == next.holder) {
		return;
	}
	next.modify = m->index;
	m->table_index = m->index;
	*e = next;
}

static bool is_delayed(const struct kv_model *m, struct span key)
{
	for (size_t i = 0; i < m->delay_count; i++)
		if (is_key(&m->delay[i].key, key))
			return true;
	return false;
}

static void end_session(struct kv_model *m, struct kv_model_session *s)
{
	struct kv_model_session gone = *s;

	*s = m->session[--m->session_count];
	m->sessions_index = m->index;
	for (size_t i = m->entry_count; i-- > 0;) {
		struct kv_model_entry *e = &m->entry[i];

		if (e->holder != gone.id)
			continue;
		assert_true(m->delay_count < KV_MODEL_KEYS);
		if (gone.delay_ns > 0)
			m->delay[m->delay_count++] =
			    (struct kv_model_delay){e->key, later(m->clock_ns, gone.delay_ns)};
		if (gone.behavior == KV_DELETE_KEYS) {
			delete (m, e);
		} else {
			e->holder = 0;
			e->modify = m->index;
			m->table_index = m->index;
		}
	}
}

static void expire(struct kv_model *m)
{
	for (size_t i = m->session_count; i-- > 0;)
		if (m->session[i].ttl_ns > 0 && m->session[i].expires_ns <= m->clock_ns)
			end_session(m, &m->session[i]);
	for (size_t i = m->delay_count; i-- > 0;)
		if (m->delay[i].until_ns <= m->clock_ns)
			m->delay[i] = m->delay[--m->delay_count];
}

/* ---- Operations. */

static uint8_t lock(struct kv_model *m, const struct kv_op *op, struct kv_model_entry *now)
{
	if (op->session[0] == 0)
		return KV_MISSING_SESSION;
	if (op->verb == KV_UNLOCK) {
		if (now->holder != op->session[0])
			return KV_NOT_HELD;
		now->holder = 0;
		write(m, op, now);
		return KV_OK;
	}
	if (find_session(m, op->session[0]) == NULL)
		return KV_INVALID_SESSION;
	if (now->holder != op->session[0]) {
		if (now->holder != 0)
			return KV_HELD;
		if (is_delayed(m, op->key))
			return KV_DELAYED;
		now->holder = op->session[0];
		now->lock++;
		now->fence = m->index;
	}
	write(m, op, now);
	return KV_OK;
}

static uint8_t check(const struct kv_op *op, const struct kv_model_entry *e)
{
	switch (op->verb) {
	case KV_CHECK_NOT_EXISTS:
		return e != NULL ? KV_PRESENT : KV_OK;
	case KV_GET:
		return e != NULL ? KV_OK : KV_ABSENT;
	case KV_CHECK_INDEX:
		return e == NULL ? KV_ABSENT : e->modify == op->index ? KV_OK : KV_STALE;
	case KV_CHECK_SESSION:
		return e == NULL                     ? KV_ABSENT
		       : e->holder == op->session[0] ? KV_OK
		                                     : KV_OTHER_SESSION;
	default:
		return KV_OK;
	}
}

static void delete_tree(struct kv_model *m, struct span prefix)
{
	for (size_t i = m->entry_count; i-- > 0;)
		if (has_prefix(&m->entry[i].key, prefix))
			delete (m, &m->entry[i]);
}

static uint8_t run_op(struct kv_model *m, const struct kv_op *op)
{
	struct kv_model_entry *e = kv_model_find(m, op->key);
	struct kv_model_entry now = {0};

	if (e != NULL)
		now = *e;
	if (op->verb == KV_CAS && now.modify != op->index)
		return KV_STALE;
	if (op->verb == KV_DELETE_CAS && e != NULL && e->modify != op->index)
		return KV_STALE;
	if (op->verb == KV_SET || op->verb == KV_CAS)
		write(m, op, &now);
	else if ((op->verb == KV_DELETE || op->verb == KV_DELETE_CAS) && e != NULL)
		delete (m, e);
	else if (op->verb == KV_DELETE_TREE)
		delete_tree(m, op->key);
	else if (op->verb == KV_LOCK || op->verb == KV_UNLOCK)
		return lock(m, op, &now);
	else
		return check(op, e);
	return KV_OK;
}

static uint8_t run_txn(struct kv_model *m, const struct kv_command *c)
{
	struct kv_model *before = malloc(sizeof(*before));
	uint8_t code = KV_OK;

	assert_non_null(before);
	*before = *m;
	for (unsigned i = 0; i < c->op_count; i++)
		if (run_op(m, &c->ops[i]) != KV_OK)
			code = KV_TXN_FAILED;
	if (code != KV_OK)
		*m = *before;
	free(before);
	return code;
}

static uint8_t create_session(struct kv_model *m, const struct kv_session_spec *s)
{
	if (find_session(m, s->id[0]) != NULL)
		return KV_SESSION_EXISTS;
	assert_true(m->session_count < KV_MODEL_SESSIONS);
	m->session[m->session_count++] =
	    (struct kv_model_session){.id = s->id[0],
	                              .behavior = s->behavior,
	                              .ttl_ns = s->ttl_ns,
	                              .delay_ns = s->lock_delay_ns,
	                              .expires_ns = later(m->clock_ns, s->ttl_ns)};
	m->sessions_index = m->index;
	return KV_OK;
}

uint8_t kv_model_apply(struct kv_model *m, uint64_t clock_ns, const struct kv_command *c)
{
	struct kv_model_session *s;

	m->index++;
	m->clock_ns = clock_ns > m->clock_ns ? clock_ns : m->clock_ns;
	expire(m);
	s = find_session(m, c->session.id[0]);
	switch (c->type) {
	case KV_ONE:
		return run_op(m, &c->ops[0]);
	case KV_TXN:
		return run_txn(m, c);
	case KV_SESSION_CREATE:
		return create_session(m, &c->session);
	case KV_SESSION_DESTROY:
		if (s != NULL)
			end_session(m, s);
		return KV_OK;
	case KV_SESSION_RENEW:
		if (s != NULL)
			s->expires_ns = later(m->clock_ns, s->ttl_ns);
		return s != NULL ? KV_OK : KV_NO_SESSION;
	default:
		return KV_OK;
	}
}

/* ---- Comparing. */

uint64_t kv_model_prefix_index(const struct kv_model *m, struct span prefix)
{
	uint64_t max = 0;

	for (size_t i = 0; i < m->entry_count; i++)
		if (has_prefix(&m->entry[i].key, prefix) && m->entry[i].modify > max)
			max = m->entry[i].modify;
	for (size_t i = 0; i < m->deleted_count; i++) {
		const struct kv_model_deleted *d = &m->deleted[i];
		bool is_last = true;

		/* Only the last deletion of a key that was not made again has a tombstone. */
		for (size_t j = i + 1; j < m->deleted_count; j++)
			is_last = is_last && !is_key(&m->deleted[j].key, span_of(&d->key));
		if (later(d->clock_ns, KV_TOMBSTONE_TTL_NS) <= m->clock_ns)
			continue;
		for (size_t j = 0; j < m->entry_count; j++)
			is_last = is_last && !is_key(&m->entry[j].key, span_of(&d->key));
		if (is_last && has_prefix(&d->key, prefix) && d->index > max)
			max = d->index;
	}
	return max;
}

static void assert_same_entry(const struct kv_model_entry *want, const struct kv_entry *got)
{
	assert_true(is_key(&want->value, got->value));
	assert_true(want->create == got->create && want->modify == got->modify);
	assert_true(want->flags == got->flags && want->lock == got->lock);
	assert_true(want->fence == got->fence);
	assert_int_equal(want->holder, got->session[0]);
}

void kv_model_assert_same(struct kv_model *m, struct kv *kv)
{
	struct kv_cursor c;
	struct kv_entry entry;
	struct kv_stat stat;

	kv_get_stat(kv, &stat);
	assert_int_equal(stat.keys, m->entry_count);
	assert_int_equal(stat.sessions, m->session_count);
	assert_int_equal(stat.delays, m->delay_count);
	kv_scan(kv, (struct span){"", 0}, &c);
	while (kv_cursor_next(&c, &entry)) {
		struct kv_model_entry *want = kv_model_find(m, entry.key);

		if (want != NULL)
			assert_same_entry(want, &entry);
		else
			fail_msg("a key is there that should not be");
	}
	kv_cursor_done(&c);
	for (size_t i = 0; i < m->session_count; i++) {
		const struct kv_model_session *want = &m->session[i];
		struct kv_session got;
		unsigned char id[ID_LEN];

		memset(id, want->id, ID_LEN);
		assert_true(kv_session_get(kv, id, &got));
		assert_true(want->ttl_ns == 0 || want->expires_ns == got.expires_ns);
	}
	assert_true(kv_table_index(kv) == (m->table_index > 0 ? m->table_index : 1));
	assert_true(kv_sessions_index(kv) == (m->sessions_index > 0 ? m->sessions_index : 1));
}
