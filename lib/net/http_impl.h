/*
 * http_impl: what the parts of http's reader share.
 *
 * Pure.  http.c has the reader as a whole and the bodies, http_head.c the heads, http_look.c what
 * can be asked of a message.
 */
#ifndef SHOAL_NET_HTTP_IMPL_H
#define SHOAL_NET_HTTP_IMPL_H

#include <http_parser.h>

#include "net/http.h"
#include "net/http_chunk.h"

enum http_in_state { IN_HEAD, IN_LENGTH, IN_CHUNKS, UNTIL_END, COMPLETE, FAILED };

/* A header, by offsets: the head may move while it grows. */
struct place {
	uint32_t name, name_len;
	uint32_t value, value_len;
};

struct http_in {
	http_parser parser;
	struct http_limits limits;
	struct buf head; /* as it came, from the first line on */
	struct buf body;
	struct place *places;
	uint32_t count, room;
	uint32_t target, target_len;
	uint64_t left; /* IN_LENGTH */
	struct http_chunks chunks;
	uint32_t line_len; /* of the last line of head */
	enum http_in_state state : 8;
	bool first_line; /* the end of it has come */
	bool in_value;   /* the last that came of a header was of its value */
	bool parsed;     /* http_parser has seen the end of the head */
	bool keep, no_body;
	unsigned status; /* of a failure, or ENOMEM */
	const char *why;
};

/* The message is refused with this status, or for ENOMEM; returns false. */
bool http_in_fail(struct http_in *in, unsigned status, const char *why);

static inline struct span http_in_span(const struct http_in *in, uint32_t at, uint32_t len)
{
	return (struct span){in->head.data + at, len};
}

/* Are they the same but for case? */
bool http_is_name(struct span s, const char *name);
/* How many headers have the name, and the value of the first. */
size_t http_in_count(const struct http_in *in, const char *name, struct span *ret_first);

/* http_head.c: take bytes while in->state is IN_HEAD; how many. */
size_t http_in_feed_head(struct http_in *in, const char *p, size_t n);

#endif
