#include "os/wait.h"

#include <errno.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "os/clock.h"

int64_t wait_deadline_ms(int64_t timeout_ms)
{
	int64_t now = clock_mono_ns();

	if (timeout_ms < 0 || timeout_ms > (WAIT_FOREVER - now) / CLOCK_NS_PER_MS)
		return WAIT_FOREVER;
	return now + timeout_ms * CLOCK_NS_PER_MS;
}

static struct timespec time_left(int64_t deadline_ns)
{
	int64_t left = deadline_ns - clock_mono_ns();

	if (left < 0)
		left = 0;
	return (struct timespec){.tv_sec = left / CLOCK_NS_PER_SEC,
	                         .tv_nsec = left % CLOCK_NS_PER_SEC};
}

int wait_ready(struct pollfd *fds, size_t count, int64_t deadline_ns, struct err *e)
{
	for (;;) {
		struct timespec left = time_left(deadline_ns);
		int n = ppoll(fds, count, deadline_ns == WAIT_FOREVER ? NULL : &left, NULL);

		if (n >= 0)
			return n;
		if (errno != EINTR)
			return err_sys(e, "wait for %zu descriptors", count);
	}
}

int wait_readable(int fd, int64_t deadline_ns, struct err *e)
{
	return wait_ready(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, deadline_ns, e);
}

int wait_open_pid(pid_t pid, struct err *e)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0); /* its fds are always close-on-exec */

	return fd >= 0 ? fd : err_sys(e, "open process %jd", (intmax_t)pid);
}
