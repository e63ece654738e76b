/*
 * api_txn: /v1/txn.
 *
 * What only reads is answered from the state after a read of the usual kind and leaves no entry in
 * the log.
 */
#include <stdlib.h>

#include "api_route.h"
#include "consul/txn.h"

struct txn {
	struct api_read read; /* its wait is that of a write, too */
	struct api_request request;
	struct consul_txn parsed;
};

static void free_txn(struct api_wait *w)
{
	struct txn *t = (struct txn *)(void *)w;

	consul_txn_done(&t->parsed);
	free(t);
}

static void answer(struct txn *t, struct span result, bool was_read)
{
	struct api_request r = t->request;
	struct api_head h = {0};
	struct buf json = {0};
	struct err e;
	int status = consul_txn_put(&json, &t->parsed, result, &e);

	api_wait_end(&t->read.wait);
	if (status < 0) {
		api_answer_err(&r, &e);
	} else {
		/* Not the index: there is nothing to wait for. */
		if (was_read)
			api_head_read(&h, r.api, &r.query, 0);
		api_json_head(r.call, &r.query, (unsigned)status, &h,
		              (struct span){json.data, json.len});
	}
	buf_done(&json);
}

static void on_written(void *arg, enum node_outcome outcome, uint64_t index, struct span result)
{
	struct txn *t = arg;

	(void)index;
	t->read.wait.ticket = NULL;
	if (outcome == NODE_DONE)
		answer(t, result, false);
	else
		api_outcome(api_wait_end(&t->read.wait), outcome);
}

static void answer_read(struct api_read *read)
{
	struct txn *t = (struct txn *)(void *)read;
	struct buf result = {0};
	struct err e;

	if (kv_query(node_kv(t->request.api->node), &t->parsed.command, &result, &e) == 0)
		answer(t, (struct span){result.data, result.len}, true);
	else
		api_text(api_wait_end(&t->read.wait), 500, e.msg);
	buf_done(&result);
}

static void propose(struct txn *t)
{
	struct buf bytes = {0};
	struct err e;

	if (kv_command_put(&bytes, &t->parsed.command, &e) < 0) {
		api_text(api_wait_end(&t->read.wait), 500, e.msg);
	} else {
		api_wait_for(&t->read.wait,
		             node_propose(t->request.api->node,
		                          (struct span){bytes.data, bytes.len}, on_written, t));
	}
	buf_done(&bytes);
}

static void read_only(struct txn *t)
{
	t->read.query = t->request.query;
	t->read.query.index = 0; /* a transaction does not wait */
	t->read.answer = answer_read;
	api_read_begin(&t->read);
}

/* Nothing to ask of the store: an empty list, or operations that are none. */
static void answer_at_once(struct txn *t)
{
	struct api_request r = t->request;
	struct buf json = {0};
	bool failed = t->parsed.errors.len > 0;

	if (failed)
		consul_txn_put_errors(&json, &t->parsed);
	else
		buf_add_str(&json, "{\"Results\":[],\"Errors\":null}");
	api_wait_end(&t->read.wait);
	api_answer_json(&r, failed ? 409 : 200, 0, &json);
}

void api_txn(const struct api_request *r)
{
	const struct consul_txn_limits limits = {0};
	struct txn *t;
	struct err e;

	if (api_refuses_method(r, "PUT") || (t = api_wait_new(r, sizeof(*t))) == NULL)
		return;
	t->read.wait.free = free_txn;
	t->request = *r;
	if (consul_txn_get(&t->parsed, r->body, &limits, &e) < 0) {
		api_wait_end(&t->read.wait);
		api_answer_err(r, &e);
	} else if (t->parsed.errors.len > 0 || t->parsed.command.op_count == 0) {
		answer_at_once(t);
	} else if (t->parsed.reads) {
		read_only(t);
	} else {
		propose(t);
	}
}
