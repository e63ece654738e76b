/*
 * span: some bytes of somebody else's, with their length.
 *
 * Pure.  Whoever hands one out says how long it is valid.
 */
#ifndef SHOAL_BASE_SPAN_H
#define SHOAL_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>

struct span {
	const char *p;
	size_t len;
};

/* A whole C string. */
static inline struct span span_str(const char *s)
{
	return (struct span){s, __builtin_strlen(s)};
}

static inline bool span_is(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || __builtin_memcmp(a.p, b.p, a.len) == 0);
}

#endif
