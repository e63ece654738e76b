#include "os/futex.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_SEC INT64_C(1000000000)

/* Not the _PRIVATE operations: the waiters are in other processes. */
int futex_wait(const uint32_t *word, uint32_t seen, int64_t timeout_ns)
{
	struct timespec t = {
	    .tv_sec = (time_t)(timeout_ns / NS_PER_SEC),
	    .tv_nsec = (long)(timeout_ns % NS_PER_SEC),
	};

	if (syscall(SYS_futex, word, FUTEX_WAIT, seen, timeout_ns < 0 ? NULL : &t, NULL, 0) == 0)
		return 0;
	return errno == EAGAIN || errno == EINTR ? 0 : -1;
}

int futex_wake_all(const uint32_t *word)
{
	return (int)syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}
