/*
 * rand: random bytes from the kernel, fit for keys.
 *
 * rand_bytes() asks the kernel each time, which is right for keys, tokens and seeds.  A struct
 * rand_pool asks for RAND_POOL_SIZE bytes at a time and hands them out in small pieces, which is
 * right for ids by the thousand: a call costs a pointer move instead of a system call.
 *
 * After fork(2) parent and child hold the same pool and would hand out the same bytes.  A process
 * that forks and goes on using its pool in the child must call rand_pool_init() there first.
 * Taken bytes stay in the pool's memory until the next refill: no secrets from a pool.
 */
#ifndef SHOAL_OS_RAND_H
#define SHOAL_OS_RAND_H

#include <stddef.h>

#include "base/err.h"

#define RAND_POOL_SIZE 4096

/* A zeroed pool is an empty one.  Not thread-safe: one pool for one user. */
struct rand_pool {
	size_t left; /* bytes not yet handed out: the last ones of bytes[] */
	unsigned char bytes[RAND_POOL_SIZE];
};

/*
 * Fill p with n random bytes.  Waits until the kernel's generator is seeded, which may only take
 * time right after the machine started.  Fails only where the system call is missing or forbidden
 * (ENOSYS, EPERM).
 */
int rand_bytes(void *p, size_t n, struct err *e);

/* Forget what is left, so that the next take asks the kernel. */
void rand_pool_init(struct rand_pool *pool);

/*
 * n random bytes (1..RAND_POOL_SIZE) that no other take returns: borrowed, valid until the next
 * take from this pool.  NULL with *e when rand_bytes() fails; the pool is then empty.
 */
const unsigned char *rand_pool_take(struct rand_pool *pool, size_t n, struct err *e);

#endif
