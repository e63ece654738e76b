/* file: locks of the open file description. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/file.h"
#include "place.h"

static void one_byte_is_one_lock_of_one_open_file(void **state)
{
	int a = place_file(place_dir(state), "lock");
	int b = place_file(place_dir(state), "lock");
	struct err e;

	assert_int_equal(file_lock(a, 0, FILE_LOCK_EXCLUSIVE, -1, &e), 0);
	assert_int_equal(file_try_lock(a, 0, FILE_LOCK_EXCLUSIVE, &e), 1);
	assert_int_equal(file_try_lock(b, 0, FILE_LOCK_EXCLUSIVE, &e), 0);
	assert_int_equal(file_try_lock(b, 0, FILE_LOCK_SHARED, &e), 0);
	assert_int_equal(file_try_lock(b, 1, FILE_LOCK_EXCLUSIVE, &e), 1);
	assert_true(file_is_locked(b, 0));
	assert_false(file_is_locked(a, 0));
	file_unlock(a, 0);
	file_unlock(a, 0);
	assert_false(file_is_locked(b, 0));
	assert_int_equal(file_try_lock(b, 0, FILE_LOCK_SHARED, &e), 1);
	assert_int_equal(file_try_lock(a, 0, FILE_LOCK_SHARED, &e), 1);
	assert_int_equal(file_try_lock(a, 0, FILE_LOCK_EXCLUSIVE, &e), 0);
	close(b);
	assert_int_equal(file_lock(a, 0, FILE_LOCK_EXCLUSIVE, 0, &e), 0);
	assert_int_equal(file_lock(a, 1, FILE_LOCK_EXCLUSIVE, 0, &e), 0);
	close(a);
}

static void waiting_for_a_lock_ends_at_the_timeout(void **state)
{
	int a = place_file(place_dir(state), "lock");
	int b = place_file(place_dir(state), "lock");
	int64_t before;
	struct err e;

	assert_int_equal(file_lock(a, 7, FILE_LOCK_EXCLUSIVE, INT64_MAX, &e), 0);
	assert_int_equal(file_lock(b, 7, FILE_LOCK_SHARED, 0, &e), -1);
	assert_int_equal(e.code, ETIMEDOUT);
	before = clock_boot_ns();
	assert_int_equal(file_lock(b, 7, FILE_LOCK_EXCLUSIVE, 30, &e), -1);
	assert_int_equal(e.code, ETIMEDOUT);
	assert_true(clock_boot_ns() - before >= 30 * CLOCK_NS_PER_MS);
	close(a);
	close(b);
}

static void a_lock_that_the_fd_cannot_have_is_an_error(void **state)
{
	int fd;
	struct err e;

	close(place_file(place_dir(state), "lock"));
	fd = file_open(&io_os, place_dir(state), "lock", O_RDONLY, 0, &e);
	assert_int_equal(file_try_lock(fd, 0, FILE_LOCK_EXCLUSIVE, &e), -1);
	assert_int_equal(e.code, EBADF);
	assert_int_equal(file_lock(fd, 0, FILE_LOCK_EXCLUSIVE, -1, &e), -1);
	assert_int_equal(e.code, EBADF);
	assert_int_equal(file_lock(fd, 0, FILE_LOCK_EXCLUSIVE, 1000, &e), -1);
	assert_int_equal(e.code, EBADF);
	assert_int_equal(file_lock(fd, 0, FILE_LOCK_SHARED, 1000, &e), 0);
	close(fd);
}

/* A process that takes byte 0 of the lock file, tells so, and dies with it a little later. */
static pid_t hold_lock_and_die(int dir)
{
	int ready[2];
	char c;
	pid_t pid;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct err e;
		int fd = openat(dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

		if (fd < 0 || file_lock(fd, 0, FILE_LOCK_EXCLUSIVE, -1, &e) < 0)
			_exit(1);
		if (write(ready[1], "x", 1) != 1)
			_exit(1);
		poll(NULL, 0, 30);
		raise(SIGKILL);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	return pid;
}

static void tick(int sig)
{
	(void)sig;
}

static void a_killed_process_gives_its_lock_to_a_waiter_that_signals_do_not_disturb(void **state)
{
	static const int64_t timeouts[] = {-1, 600000};
	const struct sigaction on = {.sa_handler = tick}; /* no SA_RESTART: calls see EINTR */
	const struct itimerval every = {.it_interval = {0, 2000}, .it_value = {0, 2000}};
	const struct itimerval never = {{0, 0}, {0, 0}};
	const struct sigaction off = {.sa_handler = SIG_IGN};

	for (size_t i = 0; i < 2; i++) {
		int fd = place_file(place_dir(state), "lock");
		pid_t holder = hold_lock_and_die(place_dir(state));
		int status;
		struct err e;
		int r;

		assert_int_equal(sigaction(SIGALRM, &on, NULL), 0);
		setitimer(ITIMER_REAL, &every, NULL);
		r = file_lock(fd, 0, FILE_LOCK_EXCLUSIVE, timeouts[i], &e);
		setitimer(ITIMER_REAL, &never, NULL);
		assert_int_equal(sigaction(SIGALRM, &off, NULL), 0);
		assert_int_equal(r, 0);
		assert_int_equal(waitpid(holder, &status, 0), holder);
		assert_true(WIFSIGNALED(status));
		close(fd);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, place_open, place_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(one_byte_is_one_lock_of_one_open_file),
	    TEST(waiting_for_a_lock_ends_at_the_timeout),
	    TEST(a_lock_that_the_fd_cannot_have_is_an_error),
	    TEST(a_killed_process_gives_its_lock_to_a_waiter_that_signals_do_not_disturb),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
