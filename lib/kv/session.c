#include "kv/session.h"

#include <string.h>

#include "base/le_buf.h"
#include "kv/watch.h"

#define FIXED_LEN 25
#define VALUE_MAX (FIXED_LEN + 6 + 2 * KV_NAME_MAX + KV_NOTE_MAX)

static struct span id_span(const unsigned char id[ID_LEN])
{
	return (struct span){(const char *)id, ID_LEN};
}

/* ---- The item. */

static char *put_short(char *to, struct span s)
{
	le_put16(to, (uint16_t)s.len);
	if (s.len > 0)
		memcpy(to + 2, s.p, s.len);
	return to + 2 + s.len;
}

static struct kv_item *make_item(struct kv *kv, const struct kv_session *s)
{
	char bytes[VALUE_MAX];
	char *end = bytes + FIXED_LEN;
	struct kv_item_spec spec = {
	    .key = id_span(s->spec.id), .create = s->create, .modify = s->modify};

	le_put64(bytes, s->spec.ttl_ns);
	le_put64(bytes + 8, s->spec.lock_delay_ns);
	le_put64(bytes + 16, s->expires_ns);
	bytes[24] = (char)s->spec.behavior;
	end = put_short(end, s->spec.name);
	end = put_short(end, s->spec.node);
	end = put_short(end, s->spec.note);
	spec.value = (struct span){bytes, (size_t)(end - bytes)};
	return kv_item_new(&kv->mem, &spec);
}

static struct span take_short(struct le_reader *r, size_t max)
{
	size_t n = le_take16(r);

	r->failed = r->failed || n > max;
	return le_take(r, n);
}

bool kv_session_view(const struct kv_item *it, struct kv_session *ret)
{
	struct le_reader r = {kv_item_value(it).p, it->value_len, it->key_len != ID_LEN};

	*ret = (struct kv_session){.create = it->create, .modify = it->modify};
	if (r.failed)
		return false;
	memcpy(ret->spec.id, kv_item_key(it).p, ID_LEN);
	ret->spec.ttl_ns = le_take64(&r);
	ret->spec.lock_delay_ns = le_take64(&r);
	ret->expires_ns = le_take64(&r);
	ret->spec.behavior = le_take8(&r);
	ret->spec.name = take_short(&r, KV_NAME_MAX);
	ret->spec.node = take_short(&r, KV_NAME_MAX);
	ret->spec.note = take_short(&r, KV_NOTE_MAX);
	return !r.failed && r.left == 0 && !id_is_zero(ret->spec.id) &&
	       (ret->spec.behavior == KV_RELEASE || ret->spec.behavior == KV_DELETE_KEYS) &&
	       (ret->spec.ttl_ns != 0 || ret->expires_ns == UINT64_MAX);
}

/* ---- Lock-delays. */

bool kv_is_delayed(const struct kv *kv, struct span key)
{
	return kv_find(kv, T_DELAY, key) != NULL;
}

void kv_delay_remove(struct kv *kv, struct span key)
{
	struct kv_item *it = kv_find(kv, T_DELAY, key);

	if (it == NULL)
		return;
	kv_due_remove(kv, T_DUE_DELAY, it->create, key);
	kv_remove(kv, T_DELAY, key);
}

static void put_delay(struct kv *kv, struct span key, uint64_t delay_ns)
{
	struct kv_item_spec spec = {
	    .key = key, .value = {"", 0}, .create = kv_later(kv->s.clock_ns, delay_ns)};

	kv_delay_remove(kv, key);
	kv_put(kv, T_DELAY, kv_item_new(&kv->mem, &spec));
	kv_due_put(kv, T_DUE_DELAY, spec.create, key);
}

/* ---- Who holds what. */

struct span kv_held_key(char to[ID_LEN + KV_KEY_MAX], const unsigned char id[ID_LEN],
                        struct span key)
{
	memcpy(to, id, ID_LEN);
	memcpy(to + ID_LEN, key.p, key.len);
	return (struct span){to, ID_LEN + key.len};
}

void kv_held_change(struct kv *kv, struct span key, const unsigned char from[ID_LEN],
                    const unsigned char to[ID_LEN])
{
	char bytes[ID_LEN + KV_KEY_MAX];

	if (memcmp(from, to, ID_LEN) == 0)
		return;
	if (!id_is_zero(from))
		kv_remove(kv, T_HELD, kv_held_key(bytes, from, key));
	if (!id_is_zero(to)) {
		struct kv_item_spec spec = {.key = kv_held_key(bytes, to, key), .value = {"", 0}};

		kv_put(kv, T_HELD, kv_item_new(&kv->mem, &spec));
	}
}

/* The session ends: what becomes of one key that it holds. */
static void end_hold(struct kv *kv, const struct kv_session *s, struct span key)
{
	struct kv_item *entry = kv_find(kv, T_ENTRY, key);

	if (entry == NULL)
		return;
	if (s->spec.behavior == KV_DELETE_KEYS)
		kv_entry_delete(kv, entry);
	else
		kv_entry_release(kv, entry);
	if (s->spec.lock_delay_ns > 0)
		put_delay(kv, key, s->spec.lock_delay_ns);
}

static void end_holds(struct kv *kv, const struct kv_session *s)
{
	char bytes[KV_KEY_MAX];
	struct span id = id_span(s->spec.id);

	while (!kv->mem.failed) {
		struct tree_iter i;
		struct kv_item *held;
		struct span key;

		tree_seek(&i, &kv->s.t[T_HELD], id);
		held = tree_next(&i);
		if (held == NULL || !kv_begins_with(kv_item_key(held), id))
			break;
		key = (struct span){bytes, held->key_len - (size_t)ID_LEN};
		memcpy(bytes, kv_item_key(held).p + ID_LEN, key.len);
		end_hold(kv, s, key);
	}
}

/* ---- The commands. */

static void note_sessions(struct kv *kv, const unsigned char id[ID_LEN])
{
	kv->s.sessions_index = kv->s.applied;
	kv_watch_note(kv, CHANGE_SESSION, id_span(id));
}

uint8_t kv_session_create(struct kv *kv, const struct kv_session_spec *spec)
{
	struct kv_session s = {.spec = *spec,
	                       .create = kv->s.applied,
	                       .modify = kv->s.applied,
	                       .expires_ns = UINT64_MAX};

	if (kv_find(kv, T_SESSION, id_span(spec->id)) != NULL)
		return KV_SESSION_EXISTS;
	if (kv->s.t[T_SESSION].count >= KV_SESSIONS_MAX)
		return KV_FULL;
	if (spec->ttl_ns > 0) {
		s.expires_ns = kv_later(kv->s.clock_ns, spec->ttl_ns);
		kv_due_put(kv, T_DUE_SESSION, s.expires_ns, id_span(spec->id));
	}
	kv_put(kv, T_SESSION, make_item(kv, &s));
	note_sessions(kv, spec->id);
	return KV_OK;
}

uint8_t kv_session_renew(struct kv *kv, const unsigned char id[ID_LEN])
{
	struct kv_item *it = kv_find(kv, T_SESSION, id_span(id));
	struct kv_session s;

	if (it == NULL || !kv_session_view(it, &s))
		return KV_NO_SESSION;
	if (s.spec.ttl_ns == 0)
		return KV_OK;
	kv_due_remove(kv, T_DUE_SESSION, s.expires_ns, id_span(id));
	s.expires_ns = kv_later(kv->s.clock_ns, s.spec.ttl_ns);
	kv_due_put(kv, T_DUE_SESSION, s.expires_ns, id_span(id));
	kv_put(kv, T_SESSION, make_item(kv, &s));
	return KV_OK;
}

void kv_session_destroy(struct kv *kv, const unsigned char id[ID_LEN])
{
	struct kv_item *it = kv_find(kv, T_SESSION, id_span(id));
	struct kv_session s;

	if (it == NULL || !kv_session_view(it, &s))
		return;
	end_holds(kv, &s);
	if (s.spec.ttl_ns > 0)
		kv_due_remove(kv, T_DUE_SESSION, s.expires_ns, id_span(s.spec.id));
	note_sessions(kv, s.spec.id);
	kv_remove(kv, T_SESSION, id_span(s.spec.id));
}
