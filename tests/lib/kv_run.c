#include "kv_run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

void kv_run_begin(struct kv_run *r)
{
	*r = (struct kv_run){.kv = kv_new()};
	assert_non_null(r->kv);
}

void kv_run_end(struct kv_run *r)
{
	kv_output_done(&r->out);
	kv_free(r->kv);
}

struct buf kv_run_encode(const struct kv_command *c)
{
	struct buf b = {0};
	struct err e = {0};

	if (kv_command_put(&b, c, &e) < 0)
		fail_msg("%s", e.msg);
	return b;
}

uint8_t kv_run_bytes(struct kv_run *r, struct span command)
{
	struct kv_input in = {.index = ++r->index, .clock_ns = r->clock_ns, .command = command};
	struct err e = {0};

	if (kv_apply(r->kv, &in, &r->out, &e) < 0)
		fail_msg("%s", e.msg);
	if (!r->unchecked && kv_check(r->kv, &e) < 0)
		fail_msg("%s", e.msg);
	if (kv_result_get(&r->result, (struct span){r->out.result.data, r->out.result.len}, &e) < 0)
		fail_msg("%s", e.msg);
	return r->result.code;
}

uint8_t kv_run_command(struct kv_run *r, const struct kv_command *c)
{
	struct buf b = kv_run_encode(c);
	uint8_t code = kv_run_bytes(r, (struct span){b.data, b.len});

	buf_done(&b);
	return code;
}

uint8_t kv_run_op(struct kv_run *r, const struct kv_op *op)
{
	struct kv_command c = {.type = KV_ONE, .op_count = 1, .ops = {*op}};

	return kv_run_command(r, &c);
}

uint8_t kv_run_set(struct kv_run *r, const char *key, const char *value)
{
	return kv_run_op(
	    r, &(struct kv_op){.verb = KV_SET, .key = text_span(key), .value = text_span(value)});
}

uint8_t kv_run_cas(struct kv_run *r, const char *key, const char *value, uint64_t index)
{
	return kv_run_op(r, &(struct kv_op){.verb = KV_CAS,
	                                    .key = text_span(key),
	                                    .value = text_span(value),
	                                    .index = index});
}

uint8_t kv_run_delete(struct kv_run *r, const char *key)
{
	return kv_run_op(r, &(struct kv_op){.verb = KV_DELETE, .key = text_span(key)});
}

uint8_t kv_run_delete_tree(struct kv_run *r, const char *prefix)
{
	return kv_run_op(r, &(struct kv_op){.verb = KV_DELETE_TREE, .key = text_span(prefix)});
}

static uint8_t with_session(struct kv_run *r, struct kv_op *op, char session)
{
	memset(op->session, session, ID_LEN);
	return kv_run_op(r, op);
}

uint8_t kv_run_lock(struct kv_run *r, const char *key, const char *value, char session)
{
	struct kv_op op = {.verb = KV_LOCK, .key = text_span(key), .value = text_span(value)};

	return with_session(r, &op, session);
}

uint8_t kv_run_unlock(struct kv_run *r, const char *key, const char *value, char session)
{
	struct kv_op op = {.verb = KV_UNLOCK, .key = text_span(key), .value = text_span(value)};

	return with_session(r, &op, session);
}

static uint8_t session_command(struct kv_run *r, uint8_t type, char session)
{
	struct kv_command c = {.type = type};

	memset(c.session.id, session, ID_LEN);
	return kv_run_command(r, &c);
}

uint8_t kv_run_session(struct kv_run *r, char session, uint64_t ttl_ns, uint64_t lock_delay_ns)
{
	struct kv_command c = {
	    .type = KV_SESSION_CREATE,
	    .session = {.ttl_ns = ttl_ns, .lock_delay_ns = lock_delay_ns, .behavior = KV_RELEASE}};

	memset(c.session.id, session, ID_LEN);
	return kv_run_command(r, &c);
}

uint8_t kv_run_destroy(struct kv_run *r, char session)
{
	return session_command(r, KV_SESSION_DESTROY, session);
}

uint8_t kv_run_renew(struct kv_run *r, char session)
{
	return session_command(r, KV_SESSION_RENEW, session);
}

void kv_run_tick(struct kv_run *r, uint64_t ns)
{
	r->clock_ns += ns;
	assert_int_equal(kv_run_bytes(r, (struct span){"", 0}), KV_OK);
}

bool kv_run_woke(const struct kv_run *r, uint64_t cookie)
{
	for (size_t i = 0; i < kv_output_due_count(&r->out); i++)
		if (kv_output_due(&r->out, i) == cookie)
			return true;
	return false;
}

bool kv_run_has(const struct kv_run *r, const char *key)
{
	struct kv_entry entry;

	return kv_get(r->kv, text_span(key), &entry);
}

struct kv_entry kv_run_get(const struct kv_run *r, const char *key)
{
	struct kv_entry entry = {.key = {"", 0}};

	if (!kv_get(r->kv, text_span(key), &entry))
		fail_msg("'%s' is not there", key);
	return entry;
}

struct buf kv_run_snapshot(struct kv *kv, size_t piece)
{
	struct kv_snapshot *s = kv_snapshot_begin(kv);
	struct buf b = {0};
	struct err e = {0};
	int64_t n;

	assert_non_null(s);
	do {
		char *to = buf_reserve(&b, piece);

		assert_non_null(to);
		n = kv_snapshot_read(s, to, piece, &e);
		if (n < 0)
			fail_msg("%s", e.msg);
		b.len += (size_t)n;
	} while (n > 0);
	kv_snapshot_end(s);
	return b;
}
