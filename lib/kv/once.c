#include "kv/once.h"

#include <string.h>

static struct span result_key(char to[ID_LEN + 8], struct span id, uint64_t seq)
{
	memcpy(to, id.p, ID_LEN);
	/* Big-endian: a client's results are in the order of their numbers. */
	for (int i = 0; i < 8; i++)
		to[ID_LEN + i] = (char)(seq >> (56 - 8 * i));
	return (struct span){to, ID_LEN + 8};
}

uint64_t kv_once_seq(const struct kv_item *result)
{
	struct span key = kv_item_key(result);
	uint64_t seq = 0;

	for (int i = 0; i < 8; i++)
		seq = seq << 8 | (unsigned char)key.p[ID_LEN + i];
	return seq;
}

/* The client's result with the smallest number, if that is below `below`. */
static struct kv_item *first_result(const struct kv *kv, struct span id, uint64_t below)
{
	struct tree_iter i;
	struct kv_item *it;

	tree_seek(&i, &kv->s.t[T_RESULT], id);
	it = tree_next(&i);
	return it != NULL && kv_begins_with(kv_item_key(it), id) && kv_once_seq(it) < below ? it
	                                                                                    : NULL;
}

static void drop_results(struct kv *kv, struct span id, uint64_t below)
{
	char bytes[ID_LEN + 8];
	struct kv_item *it;

	while (!kv->mem.failed && (it = first_result(kv, id, below)) != NULL)
		kv_remove(kv, T_RESULT, result_key(bytes, id, kv_once_seq(it)));
}

unsigned kv_once_count(const struct kv *kv, struct span id)
{
	struct tree_iter i;
	unsigned n = 0;

	tree_seek(&i, &kv->s.t[T_RESULT], id);
	for (struct kv_item *it; (it = tree_next(&i)) != NULL; n++)
		if (!kv_begins_with(kv_item_key(it), id))
			break;
	return n;
}

void kv_client_remove(struct kv *kv, struct span id)
{
	struct kv_item *it = kv_find(kv, T_CLIENT, id);

	if (it == NULL)
		return;
	drop_results(kv, id, UINT64_MAX);
	kv_due_remove(kv, T_DUE_CLIENT, it->create, id);
	kv_remove(kv, T_CLIENT, id);
}

static void remove_first_client(struct kv *kv)
{
	char bytes[KV_KEY_MAX];
	uint64_t clock_ns;
	struct span id;

	if (kv_due_first(kv, T_DUE_CLIENT, bytes, &id, &clock_ns))
		kv_client_remove(kv, id);
}

/* The client as it is after a command that came now. */
static void put_client(struct kv *kv, struct span id, uint64_t ttl_ns, uint64_t first)
{
	struct kv_item *old = kv_find(kv, T_CLIENT, id);
	struct kv_item_spec spec = {.key = id,
	                            .value = {"", 0},
	                            .create = kv_later(kv->s.clock_ns, ttl_ns),
	                            .modify = first};

	if (old != NULL)
		kv_due_remove(kv, T_DUE_CLIENT, old->create, id);
	else if (kv->s.t[T_CLIENT].count >= KV_CLIENTS_MAX)
		remove_first_client(kv);
	kv_put(kv, T_CLIENT, kv_item_new(&kv->mem, &spec));
	kv_due_put(kv, T_DUE_CLIENT, spec.create, id);
}

/* Where struct kv_once is in a command, which says it anew each time. */
#define ONCE_AT  3
#define ONCE_END (ONCE_AT + ID_LEN + 24)

static uint64_t hash_of(struct span command)
{
	uint64_t h = kv_hash_bytes(0, command.p, ONCE_AT);

	return kv_hash_bytes(h, command.p + ONCE_END, command.len - ONCE_END);
}

/* 0: do it; a code: why not; -1: the result is there, and was appended. */
static int look_up(struct kv *kv, const struct kv_once *o, struct span p, struct buf *result)
{
	struct span id = {(const char *)o->client, ID_LEN};
	struct kv_item *client = kv_find(kv, T_CLIENT, id);
	char bytes[ID_LEN + 8];
	struct kv_item *it;
	uint64_t first = o->first_outstanding;

	if (client == NULL && o->seq != 1)
		return KV_UNKNOWN_CLIENT;
	if (client != NULL && client->modify > first)
		first = client->modify;
	put_client(kv, id, o->ttl_ns, first);
	drop_results(kv, id, first);
	if (o->seq < first)
		return KV_FORGOTTEN;
	it = kv_find(kv, T_RESULT, result_key(bytes, id, o->seq));
	if (it == NULL)
		return 0;
	if (it->create != hash_of(p))
		return KV_REUSED;
	buf_add(result, kv_item_value(it).p, it->value_len);
	return -1;
}

bool kv_once_begin(struct kv *kv, const struct kv_once *o, struct span p, struct buf *result)
{
	int why = look_up(kv, o, p, result);

	if (why > 0)
		kv_result_put_head(result, &(struct kv_result){.code = (uint8_t)why});
	return why != 0;
}

void kv_once_end(struct kv *kv, const struct kv_once *o, struct span p, struct span result)
{
	struct span id = {(const char *)o->client, ID_LEN};
	char bytes[ID_LEN + 8];
	struct kv_item_spec spec = {
	    .key = result_key(bytes, id, o->seq), .value = result, .create = hash_of(p)};
	struct kv_item *it;

	kv_put(kv, T_RESULT, kv_item_new(&kv->mem, &spec));
	if (kv_once_count(kv, id) > KV_ONCE_WINDOW) {
		uint64_t seq;

		it = first_result(kv, id, UINT64_MAX);
		seq = it != NULL ? kv_once_seq(it) : 0;
		drop_results(kv, id, seq + 1);
		put_client(kv, id, o->ttl_ns, seq + 1);
	}
	while (kv->s.result_bytes > KV_ONCE_BYTES_MAX && !kv->mem.failed)
		remove_first_client(kv);
}
