/*
 * model: one key of a store as a register that an operation steps through.
 *
 * Pure.  A key has a value, a version and, where it serves as a lock, an owner.  All three are
 * numbers here: whoever makes the operations interns what they stand for.  Two numbers are taken:
 * LIN_NONE, which means no value (the key is absent) and no owner, and LIN_ANY, which means that
 * nobody said.  The model is raftd's KV for single keys, and so Consul's; that of etcd fits too.
 *
 * Versions rise: a write whose answer names one must name a greater one than all that were named
 * before it, or the same one when it changed nothing.  A write whose version nobody named leaves it
 * at LIN_ANY above a floor, and the next answer that names one fixes it.  (A refused compare on
 * version n that meets LIN_ANY fits and fixes nothing; there the model allows a little more than
 * the store does.)
 */
#ifndef SHOAL_LIN_MODEL_H
#define SHOAL_LIN_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#define LIN_NONE  UINT64_C(0)
#define LIN_ANY   UINT64_MAX
#define LIN_NEVER UINT64_MAX /* a time: it did not return */

/*
 * "Writes value" below: the key then has op->value and the version that the answer named.  In an
 * acquire, a release and a drop, LIN_ANY as the value leaves value and version as they are.
 */
enum lin_kind {
	LIN_GET,            /* the answer is value, version and owner, each LIN_ANY if not told */
	LIN_PUT,            /* writes value */
	LIN_CAS,            /* if the key's value is `expect` (LIN_NONE: absent), writes value */
	LIN_CAS_VERSION,    /* the same with its version (0: absent) */
	LIN_DELETE,         /* no value, no owner; LIN_NO says that it was absent */
	LIN_DELETE_VERSION, /* if the version is `expect`; LIN_OK also when it was absent */
	LIN_ACQUIRE,        /* if `owner` or nobody owns it: owner = op->owner, writes value */
	LIN_RELEASE,        /* if `owner` owns it: no owner, writes value */
	LIN_DROP,           /* the end of a session: as release, and fits where it owns nothing */
	LIN_KINDS
};

enum lin_result {
	LIN_UNKNOWN, /* no answer came: it may have happened, may yet happen, or never will */
	LIN_OK,
	LIN_NO, /* answered, refused, nothing was changed */
};

/*
 * One operation: called at call_ns, answered at ret_ns.  It took effect at one moment of that
 * closed interval; two operations that share a stamp are concurrent.  `client` is for people only.
 */
struct lin_op {
	uint64_t call_ns;
	uint64_t ret_ns;  /* >= call_ns; not looked at when the result is LIN_UNKNOWN */
	uint64_t value;   /* what is written, or what a get answered */
	uint64_t expect;  /* of a compare */
	uint64_t version; /* that the answer named, or LIN_ANY */
	uint64_t owner;   /* who acquires or releases; of a get, the owner in the answer */
	uint64_t client;
	uint8_t kind;   /* enum lin_kind */
	uint8_t result; /* enum lin_result */
};

struct lin_state {
	uint64_t value;
	uint64_t version; /* 0 of an absent key; LIN_ANY: not known, but above floor */
	uint64_t floor;   /* of versions to come; 0 where the version is known */
	uint64_t owner;
};

/* An operation that was called and not answered yet; everything else is LIN_ANY. */
static inline struct lin_op lin_op(enum lin_kind kind, uint64_t client, uint64_t call_ns)
{
	return (struct lin_op){
	    .call_ns = call_ns,
	    .ret_ns = LIN_NEVER,
	    .value = LIN_ANY,
	    .expect = LIN_ANY,
	    .version = LIN_ANY,
	    .owner = LIN_ANY,
	    .client = client,
	    .kind = (uint8_t)kind,
	    .result = LIN_UNKNOWN,
	};
}

/* A key that nobody has written: absent, version 0, no owner. */
static inline struct lin_state lin_absent(void)
{
	return (struct lin_state){.value = LIN_NONE, .version = 0, .floor = 0, .owner = LIN_NONE};
}

static inline bool lin_state_is(const struct lin_state *a, const struct lin_state *b)
{
	return a->value == b->value && a->version == b->version && a->floor == b->floor &&
	       a->owner == b->owner;
}

/*
 * May the operation happen in this state, with this answer?  If so, *s is the state after it.  If
 * not, *s stays.  An unknown outcome is stepped through as one that changed something: where it
 * can change nothing it does not fit, for then it is as if it had never happened.
 */
bool lin_step(const struct lin_op *op, struct lin_state *s);

#endif
