/*
 * http_chunk: the chunks of a body (RFC 9112 section 7.1), taken apart.
 *
 * Pure.  Every line ends in CR LF, data is as long as its size says, sizes are hex digits alone.
 * Extensions and trailers are passed over; all of a body's together are HTTP_CHUNK_EXTRA_MAX bytes
 * at most.
 */
#ifndef SHOAL_NET_HTTP_CHUNK_H
#define SHOAL_NET_HTTP_CHUNK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/span.h"

#define HTTP_CHUNK_EXTRA_MAX 8192

struct http_chunks {    /* zeroed: before the first chunk */
	uint64_t left;  /* of the data of this chunk */
	uint32_t extra; /* bytes of extensions and trailers so far */
	uint8_t state;
};

/*
 * Take some of n bytes: how many; *ret_data is the data among them, empty or at their end.  Call it
 * again until all are taken or http_chunks_end().  -1: no chunks, and *ret_why says why.
 */
ssize_t http_chunks_feed(struct http_chunks *c, const char *p, size_t n, struct span *ret_data,
                         const char **ret_why);

/* The last chunk and the trailers have been taken. */
bool http_chunks_end(const struct http_chunks *c);

#endif
