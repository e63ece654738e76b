/*
 * retain: how much of a stream is kept.
 *
 * A rule is an event of type RETAIN_TYPE in the stream RETAIN_STREAM; the last one for a selector
 * stands, and of several selectors that take a stream each applies.  What rules leave out is hidden
 * at once from those who read a stream by its name (read.h), and is removed from the log by
 * evlog_compact() (shrink.h).  The newest event of a stream always stays.
 *
 * The data of such an event, with only the limits that there are; without any the rule ends:
 *
 *	{"selector":"order-*","max_age":"30d","max_count":1000,"before":"12"}
 */
#ifndef SHOAL_EVLOG_RETAIN_H
#define SHOAL_EVLOG_RETAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "evlog/store.h"

#define RETAIN_STREAM "$retain"
#define RETAIN_TYPE   "evlog.retain"

struct retain_rule {
	struct span selector; /* STREAM or PREFIX*, see evlog_selects() */
	struct span max_age;  /* a duration as it was typed; empty: no limit */
	uint64_t max_age_ns;
	uint32_t max_count; /* the newest events of each stream; 0: no limit */
	uint32_t before;    /* only from this version on; 0: no limit */
};

/* The data of its event. */
void retain_put(struct buf *data, const struct retain_rule *rule);

/* Call fn for each rule that stands, newest first, until it returns another value than 0. */
typedef int retain_fn(const struct retain_rule *rule, void *arg, struct err *e);
int evlog_each_rule(struct evlog *s, retain_fn *fn, void *arg, struct err *e);

#endif
