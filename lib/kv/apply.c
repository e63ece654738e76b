/* apply: an entry of the log from its bytes to its result. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kv/once.h"
#include "kv/session.h"
#include "kv/watch.h"

struct kv *kv_new(void)
{
	struct kv *kv = calloc(1, sizeof(*kv));

	if (kv != NULL)
		kv->mem.bytes_max = UINT64_MAX;
	return kv;
}

void kv_free(struct kv *kv)
{
	if (kv == NULL)
		return;
	kv_watch_free_all(kv);
	tree_drop(&kv->mem, &kv->watches);
	kv_state_drop(&kv->mem, &kv->s);
	buf_done(&kv->changed);
	free(kv);
}

void kv_output_done(struct kv_output *out)
{
	buf_done(&out->result);
	buf_done(&out->due);
}

size_t kv_output_due_count(const struct kv_output *out)
{
	return out->due.len / sizeof(uint64_t);
}

uint64_t kv_output_due(const struct kv_output *out, size_t i)
{
	uint64_t cookie;

	memcpy(&cookie, out->due.data + i * sizeof(cookie), sizeof(cookie));
	return cookie;
}

/* ---- Carrying out. */

static void put_code(struct buf *result, uint8_t code)
{
	kv_result_put_head(result, &(struct kv_result){.code = code});
}

static uint8_t run_one(struct kv *kv, const struct kv_command *c, struct buf *result)
{
	const struct kv_op *op = &c->ops[0];
	size_t begin = result->len;
	struct kv_result head = {.code = kv_op_write(kv, op)};
	struct kv_entry entry;
	bool is_there = kv_get(kv, op->key, &entry);

	if (is_there)
		head.modify = entry.modify;
	if (is_there && op->verb == KV_LOCK && head.code == KV_OK)
		head.fence = entry.fence;
	head.entry_count = is_there && c->want_entry ? 1 : 0;
	kv_result_put_head(result, &head);
	if (head.entry_count > 0)
		kv_result_put_entry(result, &entry, 0);
	if (!c->has_once || result->len - begin <= KV_ONCE_RESULT_MAX)
		return head.code;
	result->len = begin;
	put_code(result, KV_TOO_LARGE);
	return KV_TOO_LARGE;
}

/* What may have done something before it fails is undone by taking back the old roots. */
static void run_or_undo(struct kv *kv, const struct kv_command *c, struct buf *result)
{
	struct kv_state before = kv_state_hold(&kv->s);
	size_t changed = kv->changed.len;
	uint8_t code;

	if (c->type == KV_ONE)
		code = run_one(kv, c, result);
	else
		code = kv_txn_run(kv, c, c->has_once ? KV_ONCE_RESULT_MAX : KV_RESULT_MAX, result);
	if (code != KV_OK) {
		struct kv_state undone = kv->s;

		kv->s = before;
		before = undone;
		kv->changed.len = changed;
	}
	kv_state_drop(&kv->mem, &before);
}

static void run(struct kv *kv, const struct kv_command *c, struct buf *result)
{
	switch (c->type) {
	case KV_ONE:
		if (c->has_once && c->want_entry)
			run_or_undo(kv, c, result);
		else
			(void)run_one(kv, c, result);
		return;
	case KV_TXN:
		run_or_undo(kv, c, result);
		return;
	case KV_SESSION_CREATE:
		put_code(result, kv_session_create(kv, &c->session));
		return;
	case KV_SESSION_DESTROY:
		kv_session_destroy(kv, c->session.id);
		break;
	case KV_SESSION_RENEW:
		put_code(result, kv_session_renew(kv, c->session.id));
		return;
	default:
		break;
	}
	put_code(result, KV_OK);
}

static void run_once(struct kv *kv, const struct kv_command *c, struct span p, struct buf *result)
{
	if (kv_once_begin(kv, &c->once, p, result))
		return;
	run(kv, c, result);
	if (!result->failed)
		kv_once_end(kv, &c->once, p, (struct span){result->data, result->len});
}

int kv_apply(struct kv *kv, const struct kv_input *in, struct kv_output *out, struct err *e)
{
	struct kv_command c;
	bool is_command;

	buf_clear(&out->result);
	buf_clear(&out->due);
	if (kv->is_broken)
		return err_set(e, ENOMEM, "apply: memory ran out before, the state is not whole");
	if (in->index <= kv->s.applied)
		return err_set(e, EINVAL, "apply: index %llu comes after %llu",
		               (unsigned long long)in->index, (unsigned long long)kv->s.applied);
	is_command = kv_command_get(&c, in->command, e) == 0;
	if (!is_command && e->code == ENOTSUP)
		return -1;
	kv->s.applied = in->index;
	if (in->clock_ns > kv->s.clock_ns)
		kv->s.clock_ns = in->clock_ns;
	kv_expire(kv);
	if (!is_command)
		put_code(&out->result, KV_BAD_COMMAND);
	else if (c.has_once)
		run_once(kv, &c, in->command, &out->result);
	else
		run(kv, &c, &out->result);
	kv_watch_wake(kv, &out->due);
	kv->is_broken =
	    kv->mem.failed || kv->changed.failed || out->result.failed || out->due.failed;
	return kv->is_broken ? err_set(e, ENOMEM, "apply: out of memory") : 0;
}

int kv_query(struct kv *kv, const struct kv_command *c, struct buf *result, struct err *e)
{
	bool only_reads = c->type == KV_TXN && !c->has_once;

	for (unsigned i = 0; i < c->op_count; i++)
		only_reads = only_reads && kv_verb_reads(c->ops[i].verb);
	if (!only_reads)
		return err_set(e, EINVAL, "query: not a transaction that only reads");
	(void)kv_txn_run(kv, c, KV_RESULT_MAX, result);
	return buf_ok(result, e);
}
