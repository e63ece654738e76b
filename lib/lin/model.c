#include "lin/model.h"

#include <assert.h>

/* The version becomes n, which has to be above the floor; LIN_ANY leaves it open. */
static bool set_version(struct lin_state *s, uint64_t n)
{
	if (n != LIN_ANY && n <= s->floor)
		return false;
	s->version = n;
	if (n != LIN_ANY)
		s->floor = 0;
	return true;
}

static bool write_value(const struct lin_op *op, struct lin_state *s)
{
	/* A put that changes nothing may be no write: it may keep the version. */
	bool same = s->value == op->value;

	if (s->version != LIN_ANY && s->value != LIN_NONE)
		s->floor = same ? s->version - 1 : s->version;
	s->value = op->value;
	if (op->value != LIN_NONE)
		return set_version(s, op->version);
	s->version = 0;
	return true;
}

/* Is the key's version n?  Where nobody knows it, it may be: then it is from here on. */
static bool version_may_be(struct lin_state *s, uint64_t n)
{
	if (s->value == LIN_NONE || n == 0)
		return s->value == LIN_NONE && n == 0;
	return s->version == LIN_ANY ? set_version(s, n) : s->version == n;
}

static bool version_may_differ(const struct lin_state *s, uint64_t n)
{
	return (s->value != LIN_NONE && s->version == LIN_ANY) || s->version != n;
}

static bool step_get(const struct lin_op *op, struct lin_state *s)
{
	if (op->result != LIN_OK || (op->value != LIN_ANY && op->value != s->value) ||
	    (op->owner != LIN_ANY && op->owner != s->owner))
		return false;
	return op->version == LIN_ANY || s->value == LIN_NONE || version_may_be(s, op->version);
}

static bool step_cas(const struct lin_op *op, struct lin_state *s)
{
	if (op->result == LIN_NO)
		return s->value != op->expect;
	return s->value == op->expect && write_value(op, s);
}

static bool step_cas_version(const struct lin_op *op, struct lin_state *s)
{
	if (op->result == LIN_NO)
		return version_may_differ(s, op->expect);
	return version_may_be(s, op->expect) && write_value(op, s);
}

static bool step_delete(const struct lin_op *op, struct lin_state *s)
{
	if (op->result == LIN_NO)
		return s->value == LIN_NONE;
	if (s->version != LIN_ANY && s->value != LIN_NONE)
		s->floor = s->version;
	s->value = LIN_NONE;
	s->version = 0;
	s->owner = LIN_NONE;
	return true;
}

static bool step_delete_version(const struct lin_op *op, struct lin_state *s)
{
	if (op->result == LIN_NO)
		return s->value != LIN_NONE && version_may_differ(s, op->expect);
	return (s->value == LIN_NONE || version_may_be(s, op->expect)) && step_delete(op, s);
}

/* The part that acquire, release and drop share. */
static bool hand_over(const struct lin_op *op, struct lin_state *s, uint64_t to)
{
	s->owner = to;
	return op->value == LIN_ANY || write_value(op, s);
}

static bool step_lock(const struct lin_op *op, struct lin_state *s)
{
	bool own = s->owner == op->owner;

	switch (op->kind) {
	case LIN_ACQUIRE:
		if (op->result == LIN_NO)
			return s->owner != LIN_NONE && !own;
		return (s->owner == LIN_NONE || own) && hand_over(op, s, op->owner);
	case LIN_RELEASE:
		if (op->result == LIN_NO)
			return !own;
		return own && hand_over(op, s, LIN_NONE);
	default:
		return op->result != LIN_NO && (!own || hand_over(op, s, LIN_NONE));
	}
}

static bool step(const struct lin_op *op, struct lin_state *s)
{
	switch (op->kind) {
	case LIN_GET:
		return step_get(op, s);
	case LIN_PUT:
		return op->result != LIN_NO && write_value(op, s);
	case LIN_CAS:
		return step_cas(op, s);
	case LIN_CAS_VERSION:
		return step_cas_version(op, s);
	case LIN_DELETE:
		return step_delete(op, s);
	case LIN_DELETE_VERSION:
		return step_delete_version(op, s);
	default:
		return step_lock(op, s);
	}
}

bool lin_step(const struct lin_op *op, struct lin_state *s)
{
	struct lin_state after = *s;

	assert(op->kind < LIN_KINDS && op->result <= LIN_NO);
	if (!step(op, &after) || (op->result == LIN_UNKNOWN && lin_state_is(&after, s)))
		return false;
	*s = after;
	return true;
}
