#include "kv/command.h"

#include <errno.h>
#include <string.h>

#include "base/le_buf.h"

#define BIT_ONCE 1
#define BIT_WANT 2

/* What a verb has besides its key. */
#define HAS_FLAGS   1
#define HAS_INDEX   2
#define HAS_SESSION 4
#define HAS_VALUE   8
#define READS       16
#define TREE        32 /* the key is a prefix, which may be empty */

static const struct verb {
	const char *name;
	unsigned has;
} verbs[KV_VERB_END] = {
    [KV_SET] = {"set", HAS_FLAGS | HAS_VALUE},
    [KV_CAS] = {"cas", HAS_FLAGS | HAS_VALUE | HAS_INDEX},
    [KV_DELETE] = {"delete", 0},
    [KV_DELETE_CAS] = {"delete-cas", HAS_INDEX},
    [KV_DELETE_TREE] = {"delete-tree", TREE},
    [KV_LOCK] = {"lock", HAS_FLAGS | HAS_VALUE | HAS_SESSION},
    [KV_UNLOCK] = {"unlock", HAS_FLAGS | HAS_VALUE | HAS_SESSION},
    [KV_GET] = {"get", READS},
    [KV_GET_OR_EMPTY] = {"get-or-empty", READS},
    [KV_GET_TREE] = {"get-tree", READS | TREE},
    [KV_CHECK_INDEX] = {"check-index", READS | HAS_INDEX},
    [KV_CHECK_SESSION] = {"check-session", READS | HAS_SESSION},
    [KV_CHECK_NOT_EXISTS] = {"check-not-exists", READS},
};

static bool is_verb(uint8_t verb)
{
	return verb >= KV_SET && verb < KV_VERB_END;
}

bool kv_verb_reads(uint8_t verb)
{
	return is_verb(verb) && (verbs[verb].has & READS) != 0;
}

const char *kv_verb_name(uint8_t verb)
{
	return is_verb(verb) ? verbs[verb].name : "?";
}

uint8_t kv_verb_by_name(struct span name)
{
	for (unsigned v = KV_SET; v < KV_VERB_END; v++)
		if (span_is(name, (struct span){verbs[v].name, strlen(verbs[v].name)}))
			return (uint8_t)v;
	return 0;
}

/* ---- Limits, the same for what is encoded and what is decoded. */

static int check_op(const struct kv_op *op, struct err *e)
{
	size_t least = is_verb(op->verb) && (verbs[op->verb].has & TREE) != 0 ? 0 : 1;

	if (!is_verb(op->verb))
		return err_set(e, EINVAL, "no such verb: %u", op->verb);
	if (op->key.len < least)
		return err_set(e, EINVAL, "the key is empty");
	if (op->key.len > KV_KEY_MAX)
		return err_set(e, EMSGSIZE, "the key has %zu bytes, %d are allowed", op->key.len,
		               KV_KEY_MAX);
	if ((verbs[op->verb].has & HAS_VALUE) != 0 && op->value.len > KV_VALUE_MAX)
		return err_set(e, EMSGSIZE, "the value has %zu bytes, %u are allowed",
		               op->value.len, KV_VALUE_MAX);
	return 0;
}

static int check_session(const struct kv_command *c, struct err *e)
{
	const struct kv_session_spec *s = &c->session;

	if (id_is_zero(s->id))
		return err_set(e, EINVAL, "the session has no id");
	if (c->type != KV_SESSION_CREATE)
		return 0;
	if (s->behavior != KV_RELEASE && s->behavior != KV_DELETE_KEYS)
		return err_set(e, EINVAL, "no such behavior: %u", s->behavior);
	if (s->name.len > KV_NAME_MAX || s->node.len > KV_NAME_MAX)
		return err_set(e, EMSGSIZE, "a name is longer than %d bytes", KV_NAME_MAX);
	if (s->note.len > KV_NOTE_MAX)
		return err_set(e, EMSGSIZE, "the note has %zu bytes, %d are allowed", s->note.len,
		               KV_NOTE_MAX);
	return 0;
}

static int check_once(const struct kv_once *o, struct err *e)
{
	if (o->first_outstanding == 0 || o->first_outstanding > o->seq)
		return err_set(e, EINVAL, "the oldest outstanding command is not in 1 .. seq");
	if (o->ttl_ns == 0)
		return err_set(e, EINVAL, "the client has no time to live");
	return 0;
}

static int check(const struct kv_command *c, struct err *e)
{
	size_t most = c->type == KV_ONE ? 1 : c->type == KV_TXN ? KV_OPS_MAX : 0;

	if (c->type < KV_TICK || c->type > KV_SESSION_RENEW)
		return err_set(e, EINVAL, "no such type: %u", c->type);
	if (c->op_count > most || (most > 0 && c->op_count == 0))
		return err_set(e, EINVAL, "%u operations", c->op_count);
	if (c->type == KV_ONE && kv_verb_reads(c->ops[0].verb))
		return err_set(e, EINVAL, "'%s' is not for the log", verbs[c->ops[0].verb].name);
	if (c->want_entry && c->type != KV_ONE)
		return err_set(e, EINVAL, "an entry is wanted where there is none");
	if (c->has_once && check_once(&c->once, e) < 0)
		return -1;
	for (unsigned i = 0; i < c->op_count; i++)
		if (check_op(&c->ops[i], e) < 0)
			return c->type == KV_TXN ? err_wrap(e, "operation %u", i) : -1;
	return c->type >= KV_SESSION_CREATE ? check_session(c, e) : 0;
}

/* ---- Encoding. */

static void put_short(struct buf *to, struct span s)
{
	le_add16(to, (uint16_t)s.len);
	buf_add(to, s.p, s.len);
}

static void put_op(struct buf *to, const struct kv_op *op)
{
	unsigned has = verbs[op->verb].has;

	le_add8(to, op->verb);
	put_short(to, op->key);
	if ((has & HAS_FLAGS) != 0)
		le_add64(to, op->flags);
	if ((has & HAS_INDEX) != 0)
		le_add64(to, op->index);
	if ((has & HAS_SESSION) != 0)
		buf_add(to, op->session, ID_LEN);
	if ((has & HAS_VALUE) != 0) {
		le_add32(to, (uint32_t)op->value.len);
		buf_add(to, op->value.p, op->value.len);
	}
}

static void put_session(struct buf *to, const struct kv_command *c)
{
	buf_add(to, c->session.id, ID_LEN);
	if (c->type != KV_SESSION_CREATE)
		return;
	le_add64(to, c->session.ttl_ns);
	le_add64(to, c->session.lock_delay_ns);
	le_add8(to, c->session.behavior);
	put_short(to, c->session.name);
	put_short(to, c->session.node);
	put_short(to, c->session.note);
}

static void put_all(struct buf *to, const struct kv_command *c)
{
	le_add8(to, KV_COMMAND_VERSION);
	le_add8(to, c->type);
	le_add8(to, (uint8_t)((c->has_once ? BIT_ONCE : 0) | (c->want_entry ? BIT_WANT : 0)));
	if (c->has_once) {
		buf_add(to, c->once.client, ID_LEN);
		le_add64(to, c->once.seq);
		le_add64(to, c->once.first_outstanding);
		le_add64(to, c->once.ttl_ns);
	}
	if (c->type == KV_TXN)
		le_add8(to, c->op_count);
	for (unsigned i = 0; i < c->op_count; i++)
		put_op(to, &c->ops[i]);
	if (c->type >= KV_SESSION_CREATE)
		put_session(to, c);
}

int kv_command_put(struct buf *to, const struct kv_command *c, struct err *e)
{
	size_t begin = to->len;

	if (check(c, e) < 0)
		return -1;
	put_all(to, c);
	if (buf_ok(to, e) == 0 && to->len - begin <= KV_COMMAND_MAX)
		return 0;
	if (!to->failed)
		err_set(e, EMSGSIZE, "the command has %zu bytes, %u are allowed", to->len - begin,
		        KV_COMMAND_MAX);
	to->len = begin;
	return -1;
}

/* ---- Decoding. */

static struct span take_short(struct le_reader *r)
{
	return le_take(r, le_take16(r));
}

static void take_op(struct le_reader *r, struct kv_op *op)
{
	unsigned has;

	*op = (struct kv_op){.verb = le_take8(r), .value = {"", 0}};
	op->key = take_short(r);
	if (!is_verb(op->verb)) {
		r->failed = true;
		return;
	}
	has = verbs[op->verb].has;
	if ((has & HAS_FLAGS) != 0)
		op->flags = le_take64(r);
	if ((has & HAS_INDEX) != 0)
		op->index = le_take64(r);
	if ((has & HAS_SESSION) != 0)
		le_take_to(r, op->session, ID_LEN);
	if ((has & HAS_VALUE) != 0)
		op->value = le_take(r, le_take32(r));
}

static void take_session(struct le_reader *r, struct kv_command *c)
{
	le_take_to(r, c->session.id, ID_LEN);
	if (c->type != KV_SESSION_CREATE)
		return;
	c->session.ttl_ns = le_take64(r);
	c->session.lock_delay_ns = le_take64(r);
	c->session.behavior = le_take8(r);
	c->session.name = take_short(r);
	c->session.node = take_short(r);
	c->session.note = take_short(r);
}

static void take_all(struct le_reader *r, struct kv_command *c)
{
	uint8_t bits;

	c->type = le_take8(r);
	bits = le_take8(r);
	c->has_once = (bits & BIT_ONCE) != 0;
	c->want_entry = (bits & BIT_WANT) != 0;
	if ((bits & ~(BIT_ONCE | BIT_WANT)) != 0)
		r->failed = true;
	if (c->has_once) {
		le_take_to(r, c->once.client, ID_LEN);
		c->once.seq = le_take64(r);
		c->once.first_outstanding = le_take64(r);
		c->once.ttl_ns = le_take64(r);
	}
	c->op_count = c->type == KV_ONE ? 1 : c->type == KV_TXN ? le_take8(r) : 0;
	if (c->op_count > KV_OPS_MAX)
		r->failed = true;
	for (unsigned i = 0; i < c->op_count && !r->failed; i++)
		take_op(r, &c->ops[i]);
	if (c->type >= KV_SESSION_CREATE)
		take_session(r, c);
}

int kv_command_get(struct kv_command *ret, struct span p, struct err *e)
{
	struct le_reader r = {p.p, p.len, p.len > KV_COMMAND_MAX};

	memset(ret, 0, offsetof(struct kv_command, ops));
	ret->session.name = ret->session.node = ret->session.note = (struct span){"", 0};
	ret->type = KV_TICK;
	if (p.len == 0)
		return 0;
	if (le_take8(&r) > KV_COMMAND_VERSION)
		return err_set(e, ENOTSUP, "command: version %u, this program knows up to %d",
		               (unsigned char)p.p[0], KV_COMMAND_VERSION);
	take_all(&r, ret);
	if (r.failed || r.left > 0 || p.p[0] != KV_COMMAND_VERSION)
		return err_set(e, EBADMSG, "command: its %zu bytes are not one", p.len);
	if (check(ret, e) < 0) {
		e->code = EBADMSG;
		return err_wrap(e, "command");
	}
	return 0;
}
