/*
 * session: what PUT /v1/session/create says, and a session as Consul's HTTP API tells it.
 *
 * Pure.  Keys match without regard to case, as in Consul, whose clients send "ttl" and "LockDelay";
 * unknown ones are passed over, and of one that comes in several cases the last one counts.  The
 * store knows no health checks: NodeChecks, ServiceChecks and the old Checks are taken, kept in the
 * session's note, and told again; they always pass.
 */
#ifndef SHOAL_CONSUL_SESSION_H
#define SHOAL_CONSUL_SESSION_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "kv/kv.h"

#define CONSUL_TTL_MIN_NS            UINT64_C(10000000000) /* unless a node is told otherwise */
#define CONSUL_TTL_MAX_NS            UINT64_C(86400000000000)
#define CONSUL_LOCK_DELAY_DEFAULT_NS UINT64_C(15000000000)
#define CONSUL_LOCK_DELAY_MAX_NS     UINT64_C(60000000000) /* a longer one is cut to it */

struct consul_session_rules {
	struct span node; /* whose session it is when the request does not say */
	uint64_t ttl_min_ns;
};

/*
 * The session that a body asks for; an empty body asks for one with every default.  The id stays
 * zero, it is the caller's to draw.  The spans of *ret are in *room (which is emptied first) or
 * rules->node.  Fails with ENOMEM, or e->code is the status to answer (400: no such body, 500: a
 * value that Consul refuses) and the message its text.
 */
int consul_session_get(struct span body, const struct consul_session_rules *rules, struct buf *room,
                       struct kv_session_spec *ret, struct err *e);

/* Append it as a JSON object. */
void consul_session_put(struct buf *to, const struct kv_session *s);

#endif
