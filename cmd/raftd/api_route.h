/*
 * api_route: the routes below one of api.h's, and the answers that they have in common.
 */
#ifndef SHOAL_RAFTD_API_ROUTE_H
#define SHOAL_RAFTD_API_ROUTE_H

#include "api.h"

struct api_route {
	const char *path;    /* "leader"; with a '/' at its end it takes a rest: "info/" */
	const char *methods; /* as of api_refuses_method() */
	api_route_fn *serve;
};

/* Find r->rest in a table that ends with path NULL, and serve it with what is left; or 404. */
void api_serve(const struct api_request *r, const struct api_route *routes);

/*
 * Answer with JSON, as api_json(), and end the buffer; 500 when memory was short.  Who has waited
 * calls it with a copy of the request, after api_wait_end().
 */
void api_answer_json(const struct api_request *r, unsigned status, uint64_t index,
                     struct buf *json);
/* The same with plain text. */
void api_answer_text(const struct api_request *r, unsigned status, struct buf *text);

/* The text of a struct err whose code is a status, or ENOMEM. */
void api_answer_err(const struct api_request *r, const struct err *e);

/* Wait for a ticket; NULL ends the wait with 500. */
void api_wait_for(struct api_wait *w, struct node_ticket *t);

/* "name": "text" */
void api_put_text(struct buf *to, const char *name, const char *text);
void api_put_u64(struct buf *to, const char *name, uint64_t v);
void api_put_bool(struct buf *to, const char *name, bool v);
/* "name": "2026-11-23T10:00:00.123456Z" */
void api_put_time(struct buf *to, const char *name, int64_t unix_ns);

/* What /metrics answers, also elsewhere. */
void api_answer_prometheus(const struct api_request *r);

#endif
