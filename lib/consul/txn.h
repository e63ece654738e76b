/*
 * txn: the body of PUT /v1/txn as a command of the store, and its result as Consul's JSON.
 *
 *	[{"KV":{"Verb":"cas","Key":"a","Value":"dGVzdA==","Flags":0,"Index":7,"Session":""}}, ...]
 *
 * Pure.  Keys match without regard to case; Flags and Index may be strings of digits, for clients
 * that cannot write 64 bits.  A key that is no UTF-8 comes as KeyBase64, as consul/entry.h tells
 * it; it counts when both are there.  Other kinds of operations than KV are refused.
 */
#ifndef SHOAL_CONSUL_TXN_H
#define SHOAL_CONSUL_TXN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "kv/command.h"

struct consul_txn_limits {
	size_t body_max;  /* 0: CONSUL_TXN_BODY_MAX */
	size_t value_max; /* of one value; 0: KV_VALUE_MAX, which is the most */
};

#define CONSUL_TXN_BODY_MAX (512u << 10)

struct consul_txn {
	struct kv_command command; /* KV_TXN; its spans are in room; no operation: an empty list */
	bool reads;                /* none of them writes */
	struct buf errors;         /* JSON of operations that no store needs to be asked about */
	struct buf room;
};

/*
 * Read a body; t is zeroed, or was read to before; at the end consul_txn_done(), also after an
 * error.  Fails with ENOMEM, or e->code is the status to answer (400, 413) and the message its
 * text.  When errors is not empty afterwards, nothing is to be asked of the store:
 * consul_txn_put_errors().
 */
int consul_txn_get(struct consul_txn *t, struct span body, const struct consul_txn_limits *limits,
                   struct err *e);
void consul_txn_done(struct consul_txn *t);

/* Append the answer for what consul_txn_get() itself found wrong; its status is 409. */
void consul_txn_put_errors(struct buf *to, const struct consul_txn *t);

/*
 * Append the answer for a result of the command (kv/result.h): its status, 200 or 409.  A result
 * that is neither is -1: e->code is the status and the message its text; or ENOMEM.
 */
int consul_txn_put(struct buf *to, const struct consul_txn *t, struct span result, struct err *e);

#endif
