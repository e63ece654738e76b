/*
 * backoff: how long to wait before the next try, so that those who failed together do not try
 * together again.
 *
 * Pure.  Exponential with equal jitter: half of base * 2^(attempt - 1), at most max, is waited for
 * sure, the other half by chance (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture
 * Blog, 2015).
 */
#ifndef SHOAL_BASE_BACKOFF_H
#define SHOAL_BASE_BACKOFF_H

#include <stdint.h>

struct backoff {
	int64_t base_ns; /* before the second try */
	int64_t max_ns;  /* at least base_ns */
};

/* The delay after the attempt-th failure, counted from 1; random is any 64 random bits. */
int64_t backoff_delay_ns(const struct backoff *b, uint32_t attempt, uint64_t random);

#endif
