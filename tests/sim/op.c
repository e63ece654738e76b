/*
 * The operations of clients: what they ask, and what the answer means for the history.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/le.h"
#include "client.h"

#define NO_PLACE SIZE_MAX

struct span client_key(unsigned number, char name[8])
{
	int n = number < KEYS ? snprintf(name, 8, "k%u", number)
	                      : snprintf(name, 8, "l%u", number - KEYS);

	return (struct span){name, (size_t)n};
}

/* ---- The history. */

static size_t note_op(struct world *w, struct client *c, unsigned key, enum lin_kind kind)
{
	struct history *h = &w->clients->history[key];

	h->ops = check_grow(h->ops, &h->cap, h->count + 1, sizeof(*h->ops));
	h->ops[h->count] = lin_op(kind, c->name, w->now);
	return h->count++;
}

static struct lin_op *noted(struct world *w, unsigned key, size_t at)
{
	return &w->clients->history[key].ops[at];
}

/* One that never happened: a read without an answer, which the checker passes over. */
static void forget_op(struct world *w, unsigned key, size_t at)
{
	if (at != NO_PLACE)
		*noted(w, key, at) = lin_op(LIN_GET, 0, w->now);
}

/* The session may end at any time from now on, and its locks with it. */
static void note_end(struct world *w, struct client *c, uint64_t session)
{
	for (unsigned i = 0; i < LOCKS; i++) {
		size_t at = note_op(w, c, KEYS + i, LIN_DROP);

		noted(w, KEYS + i, at)->owner = session;
	}
}

/* ---- Asking. */

static void put_value(struct world *w, struct client *c, struct kv_op *op, char *room)
{
	size_t pad = w->clients->pad;

	c->value = ++w->clients->next_value;
	le_put64(room, c->value);
	op->value = (struct span){room, 8 + (pad == 0 ? 0 : draw(w, pad + 1))};
}

static void ask_write(struct world *w, struct client *c, struct kv_command *cmd, char *room)
{
	struct kv_op *op = &cmd->ops[0];
	struct lin_op *h;
	enum lin_kind kind = LIN_PUT;

	cmd->type = KV_ONE;
	cmd->op_count = 1;
	op->verb = KV_SET;
	if (c->kind == OP_DELETE || c->kind == OP_DELETE_CAS) {
		op->verb = c->kind == OP_DELETE ? KV_DELETE : KV_DELETE_CAS;
		kind = c->kind == OP_DELETE ? LIN_DELETE : LIN_DELETE_VERSION;
	} else {
		put_value(w, c, op, room);
	}
	if (c->kind == OP_CAS) {
		op->verb = KV_CAS;
		kind = LIN_CAS_VERSION;
	}
	c->at = note_op(w, c, c->key, kind);
	h = noted(w, c->key, c->at);
	h->value = op->verb == KV_DELETE || op->verb == KV_DELETE_CAS ? LIN_ANY : c->value;
	if (c->kind == OP_CAS || c->kind == OP_DELETE_CAS)
		op->index = h->expect = c->versions[c->key];
}

/* Set two keys if the first one is as it was read. */
static void ask_txn(struct world *w, struct client *c, struct kv_command *cmd, char *room,
                    char name2[8])
{
	c->key2 = (c->key + 1 + (unsigned)draw(w, KEYS - 1)) % KEYS;
	cmd->type = KV_TXN;
	cmd->op_count = 3;
	cmd->ops[1] = cmd->ops[0];
	cmd->ops[0].verb = KV_CHECK_INDEX;
	cmd->ops[0].index = c->versions[c->key];
	if (c->versions[c->key] == 0)
		cmd->ops[0].verb = KV_CHECK_NOT_EXISTS;
	cmd->ops[1].verb = KV_SET;
	put_value(w, c, &cmd->ops[1], room);
	cmd->ops[2] = cmd->ops[1];
	cmd->ops[2].key = client_key(c->key2, name2);
	c->at = note_op(w, c, c->key, LIN_CAS_VERSION);
	noted(w, c->key, c->at)->expect = c->versions[c->key];
	noted(w, c->key, c->at)->value = c->value;
	c->at2 = note_op(w, c, c->key2, LIN_PUT);
	noted(w, c->key2, c->at2)->value = c->value;
}

static void ask_session(struct world *w, struct client *c, struct kv_command *cmd)
{
	if (c->kind == OP_SESSION) {
		c->session_ttl_ns = draw_range(w, 2000, LOCK_TTL_MAX_MS) * MS;
		c->ending = ++w->clients->next_session;
		cmd->type = KV_SESSION_CREATE;
		le_put64(cmd->session.id, c->ending);
		cmd->session.ttl_ns = c->session_ttl_ns;
		cmd->session.lock_delay_ns = draw(w, 3) == 0 ? draw(w, 2 * SEC) : 0;
		cmd->session.behavior = KV_RELEASE;
		return;
	}
	cmd->type = c->kind == OP_RENEW ? KV_SESSION_RENEW : KV_SESSION_DESTROY;
	le_put64(cmd->session.id, c->session);
}

static void ask_lock(struct world *w, struct client *c, struct kv_command *cmd, char *room)
{
	struct kv_op *op = &cmd->ops[0];
	struct lin_op *h;

	c->at = note_op(w, c, c->key, c->kind == OP_LOCK ? LIN_ACQUIRE : LIN_RELEASE);
	cmd->type = KV_ONE;
	cmd->op_count = 1;
	op->verb = c->kind == OP_LOCK ? KV_LOCK : KV_UNLOCK;
	le_put64(op->session, c->session);
	put_value(w, c, op, room);
	h = noted(w, c->key, c->at);
	h->owner = c->session;
	h->value = c->value;
}

static enum op_kind choose_kind(struct world *w, struct client *c)
{
	static const struct {
		enum op_kind kind;
		unsigned weight;
	} plain[] = {
	    {OP_PUT, 22},  {OP_GET, 22},   {OP_GET_LOCK, 6},   {OP_STALE, 3}, {OP_CAS, 12},
	    {OP_ONCE, 10}, {OP_DELETE, 4}, {OP_DELETE_CAS, 3}, {OP_TXN, 8},   {OP_LOCK, 10},
	};
	uint64_t x = draw(w, 100);

	if (c->session == 0 && draw(w, 4) == 0)
		return OP_SESSION;
	if (c->session != 0 && w->now - c->renewed > c->session_ttl_ns / 3 && draw(w, 8) != 0)
		return OP_RENEW;
	if (c->lock >= 0 && draw(w, 3) == 0)
		return OP_UNLOCK;
	if (c->session != 0 && draw(w, 40) == 0)
		return OP_DESTROY;
	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
		if (x < plain[i].weight)
			return plain[i].kind == OP_LOCK && c->session == 0 ? OP_PUT : plain[i].kind;
		x -= plain[i].weight;
	}
	return OP_GET;
}

static void encode(struct client *c, const struct kv_command *cmd)
{
	struct err e;

	buf_clear(&c->command);
	if (kv_command_put(&c->command, cmd, &e) < 0) {
		fprintf(stderr, "sim: command: %s\n", e.msg);
		abort();
	}
}

void op_choose(struct world *w, struct client *c)
{
	static char room[8 + (64 << 10)]; /* zeros behind the number */
	struct kv_command cmd;
	char name[8], name2[8];

	memset(&cmd, 0, offsetof(struct kv_command, ops) + 3 * sizeof(cmd.ops[0]));
	c->kind = choose_kind(w, c);
	c->op = ++w->clients->next_op;
	c->at = c->at2 = NO_PLACE;
	c->tries = 0;
	c->may_be_done = false;
	c->begun = w->now;
	c->key = draw(w, 4) == 0 ? 0 : (unsigned)draw(w, KEYS);
	if (world_old_leader(w) != NULL)
		c->key = w->clients->last_key;
	if (c->kind == OP_LOCK || c->kind == OP_GET_LOCK)
		c->key = KEYS + (unsigned)draw(w, LOCKS);
	if (c->kind == OP_UNLOCK)
		c->key = (unsigned)c->lock;
	cmd.ops[0].key = client_key(c->key, name);
	w->cover.count[COVER_OP]++;
	switch (c->kind) {
	case OP_GET:
	case OP_GET_LOCK:
		c->at = note_op(w, c, c->key, LIN_GET);
		return;
	case OP_STALE:
		return;
	case OP_TXN:
		ask_txn(w, c, &cmd, room, name2);
		break;
	case OP_SESSION:
	case OP_RENEW:
	case OP_DESTROY:
		ask_session(w, c, &cmd);
		if (c->kind == OP_DESTROY)
			note_end(w, c, c->session);
		break;
	case OP_LOCK:
	case OP_UNLOCK:
		ask_lock(w, c, &cmd, room);
		break;
	default:
		ask_write(w, c, &cmd, room);
		break;
	}
	if (c->kind == OP_ONCE) {
		cmd.has_once = true;
		le_put64(cmd.once.client, c->once_name);
		cmd.once.seq = cmd.once.first_outstanding = ++c->once_seq;
		cmd.once.ttl_ns = 3600 * SEC;
	}
	encode(c, &cmd);
}

/* ---- Answers. */

static void note_answer(struct world *w, struct client *c, const struct answer *a)
{
	struct lin_op *h = noted(w, c->key, c->at);

	h->ret_ns = w->now;
	h->result = LIN_OK;
	if (c->key < KEYS && c->kind != OP_DELETE && c->kind != OP_DELETE_CAS)
		h->version = a->modify;
}

static void done_read(struct world *w, struct client *c, const struct answer *a)
{
	struct lin_op *h = noted(w, c->key, c->at);

	w->cover.count[COVER_READ]++;
	h->ret_ns = w->now;
	h->result = LIN_OK;
	h->value = a->value;
	h->owner = a->owner;
	if (c->key < KEYS) {
		h->version = a->value == LIN_NONE ? LIN_ANY : a->version;
		c->versions[c->key] = a->version;
	}
}

static void refused(struct world *w, struct client *c)
{
	noted(w, c->key, c->at)->ret_ns = w->now;
	noted(w, c->key, c->at)->result = LIN_NO;
}

static void done_write(struct world *w, struct client *c, const struct answer *a)
{
	if (a->code == KV_OK) {
		note_answer(w, c, a);
		w->clients->last_key = c->key;
		if (c->key < KEYS)
			c->versions[c->key] =
			    c->kind == OP_DELETE || c->kind == OP_DELETE_CAS ? 0 : a->modify;
		return;
	}
	if (a->code == KV_STALE) {
		w->cover.count[COVER_CAS_REFUSED]++;
		refused(w, c);
		return;
	}
	world_fail(w, "a client's write is answered with code %u", a->code);
}

static void done_txn(struct world *w, struct client *c, const struct answer *a)
{
	struct lin_op *h;

	w->cover.count[COVER_TXN]++;
	if (a->code != KV_OK) {
		if (a->code != KV_TXN_FAILED)
			world_fail(w, "a client's transaction is answered with code %u", a->code);
		refused(w, c);
		forget_op(w, c->key2, c->at2);
		return;
	}
	for (unsigned i = 0; i < 2; i++) {
		h = i == 0 ? noted(w, c->key, c->at) : noted(w, c->key2, c->at2);
		h->ret_ns = w->now;
		h->result = LIN_OK;
	}
}

/* A session is over for its client; when it ends, the cluster decides. */
static void leave_session(struct client *c)
{
	c->session = 0;
	c->lock = -1;
}

static void done_session(struct world *w, struct client *c, const struct answer *a)
{
	struct check_session *s;

	switch (c->kind) {
	case OP_SESSION:
		if (a->code != KV_OK) {
			world_fail(w, "a session is refused with code %u", a->code);
			return;
		}
		w->cover.count[COVER_SESSION]++;
		c->session = c->ending;
		note_end(w, c, c->session);
		break;
	case OP_RENEW:
		if (a->code == KV_NO_SESSION) {
			leave_session(c);
			return;
		}
		break;
	default:
		leave_session(c);
		return;
	}
	c->renewed = c->begun;
	s = &w->check.sessions[c->session % CHECK_SESSIONS];
	if (s->acked_at < c->begun)
		s->acked_at = c->begun;
}

static void done_lock(struct world *w, struct client *c, const struct answer *a)
{
	switch (a->code) {
	case KV_OK:
		note_answer(w, c, a);
		if (c->kind == OP_LOCK)
			w->cover.count[COVER_LOCKED]++;
		c->lock = c->kind == OP_LOCK ? (int)c->key : -1;
		return;
	case KV_HELD:
	case KV_NOT_HELD:
		w->cover.count[COVER_LOCK_REFUSED]++;
		refused(w, c);
		if (c->kind == OP_UNLOCK)
			c->lock = -1;
		return;
	case KV_INVALID_SESSION:
	case KV_DELAYED:
		if (a->code == KV_INVALID_SESSION)
			leave_session(c);
		forget_op(w, c->key, c->at);
		return;
	default:
		world_fail(w, "a client's lock is answered with code %u", a->code);
	}
}

void op_done(struct world *w, struct client *c, const struct answer *a)
{
	w->cover.count[COVER_OP_OK]++;
	switch (c->kind) {
	case OP_GET:
	case OP_GET_LOCK:
		done_read(w, c, a);
		break;
	case OP_STALE:
		w->cover.count[COVER_READ_STALE]++;
		break;
	case OP_TXN:
		done_txn(w, c, a);
		break;
	case OP_SESSION:
	case OP_RENEW:
	case OP_DESTROY:
		done_session(w, c, a);
		break;
	case OP_LOCK:
	case OP_UNLOCK:
		done_lock(w, c, a);
		break;
	default:
		done_write(w, c, a);
		break;
	}
	c->op = 0;
}

void op_unknown(struct world *w, struct client *c)
{
	w->cover.count[COVER_OP_UNKNOWN]++;
	if (c->kind == OP_DESTROY)
		leave_session(c);
	if (c->kind == OP_LOCK)
		c->lock = -1;
	/* A number after a gap is refused from a client that is not known yet. */
	if (c->kind == OP_ONCE) {
		c->once_name = w->clients->next_once++;
		c->once_seq = 0;
	}
	c->name = w->clients->next_name++;
	c->op = 0;
}

void op_drop(struct world *w, struct client *c)
{
	if (c->kind == OP_DESTROY) {
		op_unknown(w, c);
		return;
	}
	forget_op(w, c->key, c->at);
	if (c->kind == OP_TXN)
		forget_op(w, c->key2, c->at2);
	if (c->kind == OP_ONCE) {
		c->once_name = w->clients->next_once++;
		c->once_seq = 0;
	}
	c->op = 0;
}
