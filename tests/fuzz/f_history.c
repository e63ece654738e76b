/*
 * history: foreign JSON lines.  What is read is within what the checker relies on; written and
 * read again it is the same; a search within small limits ends, and a failure can be explained.
 */
#include "lin/history.h"

#include <errno.h>
#include <string.h>

#include "fuzz.h"

#define OPS_MAX 64

static void put_all(struct buf *to, const struct history *h)
{
	for (size_t i = 0; i < h->keys_n; i++)
		for (size_t k = 0; k < h->keys[i].ops_n; k++)
			history_put_op(to, h, h->keys[i].name, &h->keys[i].ops[k]);
}

static void check_again(const struct history *h)
{
	struct buf one = {0}, two = {0};
	struct history again;
	struct err e;

	put_all(&one, h);
	CHECK(history_read(&again, one.data, one.len, &e) == 0);
	CHECK(again.ops_n == h->ops_n && again.keys_n <= h->keys_n);
	put_all(&two, &again);
	/* Bytes that are no UTF-8 cannot come in, so that names come out as they were. */
	CHECK(one.len == two.len && (one.len == 0 || memcmp(one.data, two.data, one.len) == 0));
	history_done(&again);
	buf_done(&one);
	buf_done(&two);
}

static void check_op(const struct history *h, const struct lin_op *op)
{
	CHECK(op->kind < LIN_KINDS && op->result <= LIN_NO && op->call_ns <= op->ret_ns);
	CHECK((op->ret_ns == LIN_NEVER) == (op->result == LIN_UNKNOWN));
	CHECK(op->value == LIN_ANY || op->value <= h->names_n);
	CHECK(op->owner == LIN_ANY || op->owner <= h->names_n);
	CHECK(op->client >= 1 && op->client <= h->names_n);
}

static void check_key(const struct history *h, const struct history_key *key)
{
	static const struct lin_limits limits = {10000, 1 << 20};
	struct lin_state from = lin_absent();
	struct lin *l = lin_new(&limits);
	struct lin_report r;
	struct buf why = {0};

	CHECK(l != NULL && key->ops_n > 0);
	for (size_t i = 0; i < key->ops_n; i++)
		check_op(h, &key->ops[i]);
	lin_check(l, key->ops, key->ops_n, &from, &r);
	if (r.answer == LIN_BAD)
		history_explain(&why, h, key, &from, &r);
	CHECK(r.answer != LIN_BAD || why.len > 0);
	buf_done(&why);
	lin_free(l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct history h;
	struct err e = {.code = 0};
	size_t n = 0;

	if (history_read(&h, (const char *)data, size, &e) < 0) {
		CHECK(e.code == EBADMSG && strncmp(e.msg, "line ", 5) == 0);
		CHECK(h.ops == NULL && h.keys_n == 0);
		return 0;
	}
	for (size_t i = 0; i < h.keys_n; i++) {
		if (h.keys[i].ops_n <= OPS_MAX)
			check_key(&h, &h.keys[i]);
		n += h.keys[i].ops_n;
	}
	CHECK(n == h.ops_n);
	check_again(&h);
	history_done(&h);
	return 0;
}
