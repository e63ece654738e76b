/*
 * api: the routes of raftd's HTTP API, and what they share.
 *
 * A route owns its call until it has answered.  What it has to remember while it waits is a struct
 * of its own that begins with struct api_wait, so that api_gone() can end it when the client hangs
 * up.
 */
#ifndef SHOAL_RAFTD_API_H
#define SHOAL_RAFTD_API_H

#include <stdbool.h>

#include "base/text.h"
#include "consul/query.h"
#include "net/conn.h"
#include "node.h"

struct api {
	struct node *node;
	struct http_server *server;
	const char *name;      /* of the node, for people */
	const char *advertise; /* the address that clients use: HOST:PORT */
	char id[37];           /* the node's, as a UUID */
	char cluster[37];
	uint64_t session_ttl_min_ns;
	int64_t started_ns; /* since 1970 */
	bool draining;
};

/* The request, taken apart; borrowed from the call. */
struct api_request {
	struct api *api;
	struct http_call *call;
	struct span method;
	struct span path; /* behind "/v1/" (or "/", of what is not there), still encoded */
	struct span rest; /* behind the route's own part, still encoded: the key of /v1/kv/KEY */
	struct consul_query query;
	struct span body;
};

struct api_wait {
	struct api *api;
	struct http_call *call;
	struct node_ticket *ticket; /* NULL: none */
	void (*free)(struct api_wait *w);
};

typedef void api_route_fn(const struct api_request *r);

/* Routes; each is called for its path and any method. */
api_route_fn api_kv;       /* /v1/kv/KEY */
api_route_fn api_session;  /* /v1/session/... */
api_route_fn api_txn;      /* /v1/txn */
api_route_fn api_status;   /* /v1/status/... */
api_route_fn api_agent;    /* /v1/agent/... */
api_route_fn api_operator; /* /v1/operator/... */
api_route_fn api_catalog;  /* /v1/catalog/... */
api_route_fn api_metrics;  /* /metrics; /v1/agent/metrics is api_agent's */
api_route_fn api_health;   /* /healthz, /readyz */

/* The one datacenter that there is; a request for another one is refused. */
#define API_DATACENTER "dc1"

/* For http_server_config: arg is the struct api. */
void api_request(void *arg, struct http_call *c);
void api_gone(void *arg, struct http_call *c);

/* ---- Answers. */

/* The headers of an answer; a zeroed one has none.  Values are borrowed. */
#define API_FIELDS_MAX 10

struct api_head {
	struct http_field fields[API_FIELDS_MAX];
	size_t count;
	char index[TEXT_U64_LEN], contact[TEXT_U64_LEN], fence[TEXT_U64_LEN];
};

void api_head_add(struct api_head *h, const char *name, const char *value);
/* Those of a read: X-Consul-Index (unless it is 0) and the like. */
void api_head_read(struct api_head *h, struct api *api, const struct consul_query *q,
                   uint64_t index);
/* X-Raftd-Fence */
void api_head_fence(struct api_head *h, uint64_t fence);
/* Answer with a body as it is, and end the call. */
void api_send(struct http_call *c, unsigned status, const struct api_head *h, struct span body);

/* Plain text, as Consul's errors are; no line end. */
void api_text(struct http_call *c, unsigned status, const char *text);
/* printf for it. */
void api_textf(struct http_call *c, unsigned status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* 405 with Allow (comma separated, "GET,PUT"), and OPTIONS 200; true when it has answered. */
bool api_refuses_method(const struct api_request *r, const char *allowed);
/*
 * JSON (compact, or with ?pretty), with the headers of a read (X-Consul-Index and the like) when
 * index is not 0.
 */
void api_json(struct api *api, struct http_call *c, const struct consul_query *q, unsigned status,
              uint64_t index, struct span json);
/* The same with headers of the caller's. */
void api_json_head(struct http_call *c, const struct consul_query *q, unsigned status,
                   struct api_head *h, struct span json);
/*
 * What a node_outcome that is not NODE_DONE is to a client: 500 "No cluster leader", 503, ...
 * X-Raftd-Outcome says whether it is sure that nothing was done: "none" or "unknown".
 */
void api_outcome(struct http_call *c, enum node_outcome outcome);

/* ---- Taking a request apart. */

/*
 * What a part of a path means: borrowed from it when nothing in it is encoded, else in room.  -1
 * when it has answered (a bad escape, no memory).
 */
int api_decode(const struct api_request *r, struct span text, struct buf *room,
               struct span *ret_text);

/* ---- Waiting. */

/*
 * A new one of `size` bytes that begins with struct api_wait, zeroed but for that, set as the
 * call's user; NULL: 500 was answered.  Its free is free(3) until somebody sets another.  The spans
 * of the request stay valid until the call is answered.
 */
void *api_wait_new(const struct api_request *r, size_t size);
/* Before answering: forget the call and free it. */
struct http_call *api_wait_end(struct api_wait *w);

/*
 * A read, linearizable or stale as the query says, blocking when it has an index: answer(r) is
 * called with the state as it is to be told, once, ends the wait and answers the call.  Of a stale
 * read that does not block it is called from within api_read_begin().
 */
struct api_read {
	struct api_wait wait;
	struct consul_query query;
	struct kv_watch_spec
	    watch; /* kind and key: what it blocks on; the key lives as long as r */
	void (*answer)(struct api_read *r);
};
/* wait, query, watch and answer are set; r is no more the caller's. */
void api_read_begin(struct api_read *r);

#endif
