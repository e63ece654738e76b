/*
 * txn: operations that take effect together or not at all, and the reads of one.
 *
 * Every operation sees what those before it did, and all that fail are reported.  Undoing is the
 * caller's: it holds the old state.
 */
#include <string.h>

#include "kv/state.h"

struct run {
	struct kv *kv;
	struct buf *out;
	size_t begin; /* of the result in out */
	size_t max;
	struct kv_result head;
	struct buf errors;
	bool is_too_large;
};

static void add_entry(struct run *r, const struct kv_entry *entry, unsigned op)
{
	kv_result_put_entry(r->out, entry, (uint8_t)op);
	r->head.entry_count++;
	r->is_too_large = r->is_too_large || r->out->len - r->begin > r->max;
}

static void add_error(struct run *r, const struct kv_op_error *error)
{
	kv_result_put_error(&r->errors, error);
	r->head.error_count++;
}

static uint8_t get(struct run *r, const struct kv_op *op, unsigned n)
{
	struct kv_entry entry = {.key = op->key, .value = {"", 0}, .has_value = true};

	if (!kv_get(r->kv, op->key, &entry) && op->verb == KV_GET)
		return KV_ABSENT;
	add_entry(r, &entry, n);
	return KV_OK;
}

static uint8_t get_tree(struct run *r, struct span prefix, unsigned n)
{
	struct tree_iter i;
	struct kv_item *it;

	tree_seek(&i, &r->kv->s.t[T_ENTRY], prefix);
	while (!r->is_too_large && (it = tree_next(&i)) != NULL) {
		struct kv_entry entry;

		if (!kv_begins_with(kv_item_key(it), prefix))
			break;
		kv_entry_view(it, &entry);
		add_entry(r, &entry, n);
	}
	return KV_OK;
}

/* The checks also say what they found instead. */
static uint8_t check(struct run *r, const struct kv_op *op, struct kv_op_error *error)
{
	struct kv_entry entry;
	bool is_there = kv_get(r->kv, op->key, &entry);

	if (op->verb == KV_CHECK_NOT_EXISTS)
		return is_there ? KV_PRESENT : KV_OK;
	if (!is_there)
		return KV_ABSENT;
	if (op->verb == KV_CHECK_INDEX) {
		error->actual_index = entry.modify;
		return entry.modify == op->index ? KV_OK : KV_STALE;
	}
	memcpy(error->actual_session, entry.session, ID_LEN);
	return memcmp(entry.session, op->session, ID_LEN) == 0 ? KV_OK : KV_OTHER_SESSION;
}

/* A write gives back its entry without the value, as Consul does; a deletion nothing. */
static uint8_t write(struct run *r, const struct kv_op *op, unsigned n)
{
	uint8_t code = kv_op_write(r->kv, op);
	struct kv_entry entry;

	if (code != KV_OK || op->verb == KV_DELETE || op->verb == KV_DELETE_CAS ||
	    op->verb == KV_DELETE_TREE || !kv_get(r->kv, op->key, &entry))
		return code;
	entry.has_value = false;
	entry.value = (struct span){"", 0};
	add_entry(r, &entry, n);
	return KV_OK;
}

static void run_op(struct run *r, const struct kv_op *op, unsigned n)
{
	struct kv_op_error error = {.op = (uint8_t)n};

	if (!kv_verb_reads(op->verb))
		error.code = write(r, op, n);
	else if (op->verb == KV_GET || op->verb == KV_GET_OR_EMPTY)
		error.code = get(r, op, n);
	else if (op->verb == KV_GET_TREE)
		error.code = get_tree(r, op->key, n);
	else
		error.code = check(r, op, &error);
	if (error.code != KV_OK)
		add_error(r, &error);
}

uint8_t kv_txn_run(struct kv *kv, const struct kv_command *c, size_t result_max, struct buf *result)
{
	struct run r = {.kv = kv, .out = result, .begin = result->len, .max = result_max};

	kv_result_put_head(result, &r.head);
	for (unsigned i = 0; i < c->op_count && !r.is_too_large; i++)
		run_op(&r, &c->ops[i], i);
	if (r.is_too_large)
		r.head = (struct kv_result){.code = KV_TOO_LARGE};
	else if (r.head.error_count > 0)
		r.head.code = KV_TXN_FAILED;
	if (r.head.code != KV_OK) {
		r.head.entry_count = 0;
		result->len = r.begin;
		kv_result_put_head(result, &r.head);
	}
	if (r.head.code == KV_TXN_FAILED)
		buf_add(result, r.errors.data, r.errors.len);
	kv_result_set_head(result, r.begin, &r.head);
	result->failed = result->failed || r.errors.failed;
	buf_done(&r.errors);
	return r.head.code;
}
