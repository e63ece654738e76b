/*
 * lin: is a history of operations on one key linearizable?
 *
 * Pure.  That is (Herlihy and Wing, TOPLAS 1990): is there an order of the operations in which
 * each has the answer it had, and in which none comes before another that had returned before it
 * was called?  The search is Wing and Gong's (JPDC 1993) with Lowe's memory of the configurations
 * it has been in (CCPE 2017), as in Porcupine: a list of calls and returns in the order of time,
 * from which an operation is lifted when it takes its place in the order.  Two additions:
 *
 * - A read or a refusal that fits takes its place at once and for good: it changes nothing, so that
 *   no order is lost by it.
 * - An operation of unknown outcome takes a place when it changes something and never has to.
 *
 * The question is NP-complete.  What makes it easy is that few operations overlap; what makes it
 * hard are many of unknown outcome, which overlap with everything after them.  So a search has
 * limits, and LIN_GAVE_UP is an answer.
 *
 * Keys are independent: call lin_check() once for each (lin/history.h does).  A checker keeps its
 * memory from call to call, so that a small history costs no allocation.
 */
#ifndef SHOAL_LIN_LIN_H
#define SHOAL_LIN_LIN_H

#include <stddef.h>
#include <stdint.h>

#include "lin/model.h"

#define LIN_OPS_MAX (1u << 30)

/* What a search may use, where lin_new() is given none. */
#define LIN_STEPS_DEFAULT UINT64_C(1000000000)
#define LIN_BYTES_DEFAULT ((size_t)1 << 30)

struct lin_limits {
	uint64_t steps; /* of the model */
	size_t bytes;   /* of the memory of configurations */
};

enum lin_answer {
	LIN_GOOD,
	LIN_BAD,
	LIN_GAVE_UP, /* over a limit, or out of memory */
};

/*
 * What a search found; order is borrowed from the checker and valid until its next call.
 * GOOD: an order of all operations that have an answer, and of those without one that have to
 * have happened.  BAD: the longest order that was possible, and the operation which it could not
 * be continued over: it returned, and nothing that can still come before it makes it fit.
 */
struct lin_report {
	enum lin_answer answer;
	const uint32_t *order; /* indexes of ops */
	size_t order_n;
	size_t stuck; /* BAD: an index of ops */
	uint64_t steps;
	size_t bytes;
};

struct lin;

/* NULL limits: the defaults.  NULL when out of memory. */
struct lin *lin_new(const struct lin_limits *limits);
void lin_free(struct lin *l);

/*
 * Check ops[0..n), in any order, n <= LIN_OPS_MAX, of a key that began as *begin.  Reads without
 * an answer are passed over.
 */
void lin_check(struct lin *l, const struct lin_op *ops, size_t n, const struct lin_state *begin,
               struct lin_report *ret);

#endif
