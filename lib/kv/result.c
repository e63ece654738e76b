#include "kv/result.h"

#include <errno.h>
#include <string.h>

#define BIT_VALUE 1
#define BIT_LOCK  2

static int bad(struct err *e)
{
	return err_set(e, EBADMSG, "result: damaged");
}

void kv_result_put_head(struct buf *to, const struct kv_result *r)
{
	le_add8(to, KV_RESULT_VERSION);
	le_add8(to, r->code);
	le_add64(to, r->modify);
	le_add64(to, r->fence);
	le_add16(to, r->error_count);
	le_add32(to, r->entry_count);
}

#define HEAD_LEN 24

void kv_result_set_head(struct buf *to, size_t at, const struct kv_result *r)
{
	if (to->failed)
		return;
	to->data[at + 1] = (char)r->code;
	le_put64(to->data + at + 2, r->modify);
	le_put64(to->data + at + 10, r->fence);
	le_put16(to->data + at + 18, r->error_count);
	le_put32(to->data + at + 20, r->entry_count);
}

int kv_result_get(struct kv_result *ret, struct span p, struct err *e)
{
	struct le_reader r = {p.p, p.len, p.len > KV_RESULT_MAX};
	uint8_t version = le_take8(&r);

	*ret = (struct kv_result){.code = le_take8(&r)};
	ret->modify = le_take64(&r);
	ret->fence = le_take64(&r);
	ret->error_count = le_take16(&r);
	ret->entry_count = le_take32(&r);
	ret->rest = r;
	return r.failed || version != KV_RESULT_VERSION ? bad(e) : 0;
}

void kv_result_put_error(struct buf *to, const struct kv_op_error *error)
{
	le_add8(to, error->op);
	le_add8(to, error->code);
	le_add64(to, error->actual_index);
	buf_add(to, error->actual_session, ID_LEN);
}

int kv_result_next_error(struct kv_result *r, struct kv_op_error *ret, struct err *e)
{
	if (r->error_count == 0)
		return 0;
	r->error_count--;
	*ret = (struct kv_op_error){.op = le_take8(&r->rest)};
	ret->code = le_take8(&r->rest);
	ret->actual_index = le_take64(&r->rest);
	le_take_to(&r->rest, ret->actual_session, ID_LEN);
	return r->rest.failed ? bad(e) : 1;
}

void kv_result_put_entry(struct buf *to, const struct kv_entry *entry, uint8_t op)
{
	bool has_lock = entry->flags != 0 || entry->lock != 0 || entry->fence != 0 ||
	                !id_is_zero(entry->session);

	le_add8(to, op);
	le_add8(to, (uint8_t)((entry->has_value ? BIT_VALUE : 0) | (has_lock ? BIT_LOCK : 0)));
	le_add16(to, (uint16_t)entry->key.len);
	buf_add(to, entry->key.p, entry->key.len);
	le_add64(to, entry->create);
	le_add64(to, entry->modify);
	if (has_lock) {
		le_add64(to, entry->flags);
		le_add64(to, entry->lock);
		le_add64(to, entry->fence);
		buf_add(to, entry->session, ID_LEN);
	}
	if (entry->has_value) {
		le_add32(to, (uint32_t)entry->value.len);
		buf_add(to, entry->value.p, entry->value.len);
	}
}

int kv_result_next_entry(struct kv_result *r, struct kv_entry *ret, uint8_t *ret_op, struct err *e)
{
	struct le_reader *in = &r->rest;
	uint8_t bits;

	if (r->entry_count == 0)
		return 0;
	r->entry_count--;
	*ret_op = le_take8(in);
	bits = le_take8(in);
	*ret = (struct kv_entry){.value = {"", 0}, .key = le_take(in, le_take16(in))};
	ret->has_value = (bits & BIT_VALUE) != 0;
	ret->create = le_take64(in);
	ret->modify = le_take64(in);
	if ((bits & BIT_LOCK) != 0) {
		ret->flags = le_take64(in);
		ret->lock = le_take64(in);
		ret->fence = le_take64(in);
		le_take_to(in, ret->session, ID_LEN);
	}
	if (ret->has_value)
		ret->value = le_take(in, le_take32(in));
	return in->failed ? bad(e) : 1;
}
