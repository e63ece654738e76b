/*
 * history_text: operations as JSON lines, and what is wrong with them as text for a reader.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/json_out.h"
#include "lin/history.h"

#define EXACT_MAX (UINT64_C(1) << 53) /* below it every reader of JSON has the number as it is */

/* So many operations are shown of a long order, and of those that cannot follow it. */
#define SHOWN_MAX 20

static const char *kind_name(const struct lin_op *op)
{
	static const char *const names[LIN_KINDS] = {
	    [LIN_GET] = "get",         [LIN_PUT] = "put",         [LIN_CAS] = "cas",
	    [LIN_CAS_VERSION] = "cas", [LIN_DELETE] = "del",      [LIN_DELETE_VERSION] = "del",
	    [LIN_ACQUIRE] = "acquire", [LIN_RELEASE] = "release", [LIN_DROP] = "drop",
	};

	assert(op->kind < LIN_KINDS);
	return names[op->kind];
}

static void put_number(struct buf *to, uint64_t n)
{
	if (n > EXACT_MAX)
		json_out_u64_string(to, n);
	else
		json_out_u64(to, n);
}

static void put_name(struct buf *to, const struct history *names, uint64_t n)
{
	if (n == LIN_NONE)
		buf_add_str(to, "null");
	else if (names != NULL && n <= names->names_n)
		json_out_string(to, names->names[n - 1].p, names->names[n - 1].len);
	else
		put_number(to, n);
}

static void put_name_member(struct buf *to, const char *member, const struct history *names,
                            uint64_t n)
{
	if (n == LIN_ANY)
		return;
	json_out_key(to, member);
	put_name(to, names, n);
}

static void put_number_member(struct buf *to, const char *member, uint64_t n)
{
	if (n == LIN_ANY)
		return;
	json_out_key(to, member);
	put_number(to, n);
}

static void put_in(struct buf *to, const struct history *names, const struct lin_op *op)
{
	if (op->kind == LIN_GET)
		return;
	if (op->kind != LIN_CAS) {
		put_name_member(to, "in", names, op->value);
		return;
	}
	json_out_key(to, "in");
	buf_add_char(to, '[');
	put_name(to, names, op->expect);
	buf_add_char(to, ',');
	put_name(to, names, op->value);
	buf_add_char(to, ']');
}

void history_put_op(struct buf *to, const struct history *names, struct span key,
                    const struct lin_op *op)
{
	bool versioned = op->kind == LIN_CAS_VERSION || op->kind == LIN_DELETE_VERSION;

	buf_add_char(to, '{');
	put_name_member(to, "c", names, op->client);
	json_out_key(to, "op");
	json_out_string(to, kind_name(op), strlen(kind_name(op)));
	json_out_key(to, "k");
	json_out_string(to, key.p, key.len);
	put_in(to, names, op);
	if (versioned)
		put_number_member(to, "if", op->expect);
	put_name_member(to, "s", names, op->owner);
	if (op->result != LIN_UNKNOWN && op->kind == LIN_GET) {
		put_name_member(to, "out", names, op->value);
	} else if (op->result != LIN_UNKNOWN) {
		json_out_key(to, "out");
		buf_add_str(to, op->result == LIN_OK ? "true" : "false");
	}
	put_number_member(to, "v", op->version);
	put_number_member(to, "t0", op->call_ns);
	json_out_key(to, "t1");
	if (op->result == LIN_UNKNOWN)
		buf_add_str(to, "null");
	else
		put_number(to, op->ret_ns);
	buf_add_str(to, "}\n");
}

/* 10 .. 20  client "1": put "7" */
static void tell_op(struct buf *to, const struct history *names, const struct lin_op *op)
{
	buf_printf(to, "%10" PRIu64 " .. ", op->call_ns);
	if (op->result == LIN_UNKNOWN)
		buf_printf(to, "%-10s  client ", "?");
	else
		buf_printf(to, "%-10" PRIu64 "  client ", op->ret_ns);
	put_name(to, names, op->client);
	buf_printf(to, ": %s", kind_name(op));
	if (op->kind == LIN_ACQUIRE || op->kind == LIN_RELEASE || op->kind == LIN_DROP) {
		buf_add_str(to, " as ");
		put_name(to, names, op->owner);
	}
	if (op->kind != LIN_GET && op->value != LIN_ANY) {
		buf_add_char(to, ' ');
		put_name(to, names, op->value);
	}
	if (op->kind == LIN_CAS) {
		buf_add_str(to, " if it is ");
		put_name(to, names, op->expect);
	} else if (op->expect != LIN_ANY) {
		buf_printf(to, " if the version is %" PRIu64, op->expect);
	}
}

static void tell_answer(struct buf *to, const struct history *names, const struct lin_op *op)
{
	if (op->result == LIN_UNKNOWN) {
		buf_add_str(to, " -> no answer");
		return;
	}
	buf_add_str(to, " -> ");
	if (op->kind != LIN_GET)
		buf_add_str(to, op->result == LIN_OK ? "true" : "false");
	else if (op->value != LIN_ANY)
		put_name(to, names, op->value);
	if (op->version != LIN_ANY)
		buf_printf(to, " (version %" PRIu64 ")", op->version);
	if (op->kind == LIN_GET && op->owner != LIN_ANY) {
		buf_add_str(to, " (held by ");
		put_name(to, names, op->owner);
		buf_add_char(to, ')');
	}
}

static void tell_state(struct buf *to, const struct history *names, const struct lin_state *s)
{
	if (s->value == LIN_NONE) {
		buf_add_str(to, "no value");
	} else {
		buf_add_str(to, "the value is ");
		put_name(to, names, s->value);
		if (s->version != LIN_ANY && s->version != 0)
			buf_printf(to, ", version %" PRIu64, s->version);
	}
	if (s->owner != LIN_NONE) {
		buf_add_str(to, ", held by ");
		put_name(to, names, s->owner);
	}
}

static void tell(struct buf *to, const struct history *names, const struct lin_op *op)
{
	tell_op(to, names, op);
	tell_answer(to, names, op);
}

/* The order with the state after each; *s goes along. */
static void explain_order(struct buf *to, const struct history *names,
                          const struct history_key *key, const struct lin_report *report,
                          struct lin_state *s)
{
	size_t from = report->order_n > SHOWN_MAX ? report->order_n - SHOWN_MAX : 0;

	if (from > 0)
		buf_printf(to, "  (%zu before these)\n", from);
	for (size_t i = 0; i < report->order_n; i++) {
		const struct lin_op *op = &key->ops[report->order[i]];
		bool fits = lin_step(op, s);

		assert(fits);
		(void)fits;
		if (i < from)
			continue;
		tell(to, names, op);
		buf_add_str(to, "\n      then ");
		tell_state(to, names, s);
		buf_add_char(to, '\n');
	}
}

/* What has no place yet and was called before the one that is stuck returned. */
static void explain_rest(struct buf *to, const struct history *names, const struct history_key *key,
                         const struct lin_report *report, const struct lin_state *s)
{
	bool *used = calloc(key->ops_n, sizeof(*used));
	size_t shown = 0;

	if (used == NULL) {
		to->failed = true;
		return;
	}
	for (size_t i = 0; i < report->order_n; i++)
		used[report->order[i]] = true;
	used[report->stuck] = true;
	for (size_t i = 0; i < key->ops_n && shown < SHOWN_MAX; i++) {
		const struct lin_op *op = &key->ops[i];
		struct lin_state after = *s;

		if (used[i] || op->call_ns > key->ops[report->stuck].ret_ns ||
		    (op->kind == LIN_GET && op->result == LIN_UNKNOWN))
			continue;
		if (shown++ == 0)
			buf_add_str(to, "What could come before it, tried in every order:\n");
		tell(to, names, op);
		buf_add_str(to, lin_step(op, &after) ? "\n" : ", does not fit\n");
	}
	free(used);
}

void history_explain(struct buf *to, const struct history *names, const struct history_key *key,
                     const struct lin_state *begin, const struct lin_report *report)
{
	const struct lin_op *stuck = &key->ops[report->stuck];
	struct lin_state s = *begin;

	assert(report->answer == LIN_BAD && report->stuck < key->ops_n);
	buf_add_str(to, "key ");
	json_out_string(to, key->name.p, key->name.len);
	buf_printf(to,
	           " is not linearizable: an order of %zu operations is the longest, of %zu there "
	           "are:\n",
	           report->order_n, key->ops_n);
	explain_order(to, names, key, report, &s);
	buf_add_str(to, "What has to come next, and cannot:\n");
	tell(to, names, stuck);
	buf_add_char(to, '\n');
	explain_rest(to, names, key, report, &s);
}
