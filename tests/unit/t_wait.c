/* wait: descriptors, processes and deadlines. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/clock.h"
#include "os/wait.h"

#define DEADLINE_MS 60000

static void a_ready_descriptor_ends_the_wait(void **state)
{
	struct pollfd fds[3];
	struct err e;
	int fd[2];

	(void)state;
	assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
	fds[0] = (struct pollfd){.fd = fd[0], .events = POLLIN};
	fds[1] = (struct pollfd){.fd = -1, .events = POLLIN};
	fds[2] = (struct pollfd){.fd = fd[1], .events = POLLOUT};
	assert_int_equal(wait_ready(fds, 2, 0, &e), 0);
	assert_int_equal(wait_ready(fds, 3, WAIT_FOREVER, &e), 1);
	assert_true(fds[2].revents & POLLOUT);
	assert_int_equal(write(fd[1], "x", 1), 1);
	assert_int_equal(wait_ready(fds, 3, wait_deadline_ms(DEADLINE_MS), &e), 2);
	assert_int_equal(wait_readable(fd[0], 0, &e), 1);
	close(fd[0]);
	close(fd[1]);
}

static void a_deadline_is_kept_and_not_early(void **state)
{
	int64_t deadline = clock_mono_ns() + 30 * CLOCK_NS_PER_MS;
	struct err e;

	(void)state;
	assert_int_equal(wait_ready(NULL, 0, deadline, &e), 0);
	assert_true(clock_mono_ns() >= deadline);
	assert_int_equal(wait_ready(NULL, 0, deadline, &e), 0);
}

static void on_alarm(int signal)
{
	(void)signal;
}

static void interruptions_do_not_change_the_deadline(void **state)
{
	struct itimerval often = {.it_interval.tv_usec = 2000, .it_value.tv_usec = 2000};
	struct itimerval never = {0};
	struct sigaction act = {.sa_handler = on_alarm};
	int64_t deadline;
	struct err e;

	(void)state;
	sigaction(SIGALRM, &act, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	deadline = clock_mono_ns() + 40 * CLOCK_NS_PER_MS;
	assert_int_equal(wait_ready(NULL, 0, deadline, &e), 0);
	assert_true(clock_mono_ns() >= deadline);
	setitimer(ITIMER_REAL, &never, NULL);
}

static void deadlines_do_not_overflow(void **state)
{
	int64_t now = clock_mono_ns();

	(void)state;
	assert_true(wait_deadline_ms(-1) == WAIT_FOREVER);
	assert_true(wait_deadline_ms(INT64_MAX) == WAIT_FOREVER);
	assert_true(wait_deadline_ms(INT64_MAX / CLOCK_NS_PER_MS) == WAIT_FOREVER);
	assert_true(wait_deadline_ms(1000) >= now + CLOCK_NS_PER_SEC);
}

static void the_end_of_a_process_can_be_waited_for(void **state)
{
	struct err e;
	int end[2];
	pid_t pid;
	char c;
	int fd;

	(void)state;
	assert_int_equal(pipe2(end, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(end[1]);
		_exit(read(end[0], &c, 1) != 0);
	}
	close(end[0]);
	fd = wait_open_pid(pid, &e);
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(wait_readable(fd, 0, &e), 0);
	close(end[1]);
	assert_int_equal(wait_readable(fd, wait_deadline_ms(DEADLINE_MS), &e), 1);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(fd);
	assert_int_equal(wait_open_pid(pid, &e), -1);
	assert_int_equal(e.code, ESRCH);
}

static void too_many_descriptors_are_an_error(void **state)
{
	struct pollfd fds[] = {{.fd = -1}, {.fd = -1}, {.fd = -1}};
	struct rlimit before;
	struct rlimit two;
	struct err e;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	two = (struct rlimit){2, before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &two), 0);
	assert_int_equal(wait_ready(fds, 3, 0, &e), -1);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(e.code, EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_ready_descriptor_ends_the_wait),
	    cmocka_unit_test(a_deadline_is_kept_and_not_early),
	    cmocka_unit_test(interruptions_do_not_change_the_deadline),
	    cmocka_unit_test(deadlines_do_not_overflow),
	    cmocka_unit_test(the_end_of_a_process_can_be_waited_for),
	    cmocka_unit_test(too_many_descriptors_are_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
