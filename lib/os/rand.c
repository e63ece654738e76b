#include "os/rand.h"

#include <assert.h>
#include <errno.h>
#include <sys/random.h>
#include <sys/types.h>

int rand_bytes(void *p, size_t n, struct err *e)
{
	unsigned char *at = p;

	while (n > 0) {
		ssize_t got = getrandom(at, n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_sys(e, "get random bytes");
		at += got;
		n -= (size_t)got;
	}
	return 0;
}

void rand_pool_init(struct rand_pool *pool)
{
	pool->left = 0;
}

const unsigned char *rand_pool_take(struct rand_pool *pool, size_t n, struct err *e)
{
	const unsigned char *p;

	assert(n > 0 && n <= RAND_POOL_SIZE);
	assert(pool->left <= RAND_POOL_SIZE);
	if (pool->left < n) {
		if (rand_bytes(pool->bytes, sizeof(pool->bytes), e) < 0) {
			/* Some of the bytes may be new, none of them is vouched for. */
			pool->left = 0;
			return NULL;
		}
		pool->left = sizeof(pool->bytes);
	}
	p = pool->bytes + (RAND_POOL_SIZE - pool->left);
	pool->left -= n;
	return p;
}
