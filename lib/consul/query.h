/*
 * query: the parameters that Consul's HTTP API knows everywhere, and its durations.
 *
 * Pure.  A flag counts when its name is there, whatever its value (`?recurse`, `?recurse=false`);
 * of a parameter that comes twice the first one counts; unknown ones are passed over, and so is one
 * whose name has a bad escape.  Of index, wait and max_stale an empty one is none.
 */
#ifndef SHOAL_CONSUL_QUERY_H
#define SHOAL_CONSUL_QUERY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

#define CONSUL_WAIT_DEFAULT_NS UINT64_C(300000000000)
#define CONSUL_WAIT_MAX_NS     UINT64_C(600000000000)

struct consul_query {
	struct span text; /* all of it, as it was sent; borrowed */
	uint64_t index;   /* 0: do not block */
	uint64_t
	    wait_ns; /* CONSUL_WAIT_DEFAULT_NS for none and for 0; at most CONSUL_WAIT_MAX_NS */
	uint64_t max_stale_ns; /* 0: no limit; else stale is set, for answers that are not older */
	bool stale, consistent, pretty;
};

/*
 * Take the common parameters out of a query.  Fails with EINVAL, and the message is the text that
 * Consul answers with status 400 ("Invalid wait time").
 */
int consul_query_get(struct consul_query *ret, struct span text, struct err *e);

/* Is this flag there? */
bool consul_query_has(const struct consul_query *q, const char *name);
/*
 * Append the decoded value of a parameter: 1, or 0 when it is not there; -1 with EINVAL (a bad
 * escape) or ENOMEM.
 */
int consul_query_value(const struct consul_query *q, const char *name, struct buf *to,
                       struct err *e);
/*
 * Append all of it in the order of the names, each with a '=', as Consul repeats a query in a
 * message.  Parts with a bad escape are left out.  Fails with ENOMEM.
 */
int consul_query_sorted(const struct consul_query *q, struct buf *to, struct err *e);

/*
 * A duration of Go: [-+] and parts of number and unit (ns us µs ms s m h), "0" alone, fractions;
 * negative ones are refused.  Fails with EINVAL, or ERANGE above 2^63 - 1 ns, in the words of Go.
 */
int consul_duration_ns(struct span text, uint64_t *ret_ns, struct err *e);
/* Append it as Go prints it: 1m30s, 15s, 1.5ms. */
void consul_duration_put(struct buf *to, uint64_t ns);

#endif
