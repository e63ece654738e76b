/* futex: processes that wait for a word of a shared file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/futex.h"
#include "tmp_dir.h"

#define DEADLINE_NS (600 * CLOCK_NS_PER_SEC)

/* Two mappings of one file, one of them readable only, as a waiter may have it. */
struct shared {
	int fd;
	_Atomic uint32_t *word; /* [0] is waited for, [1] counts those that are about to wait */
	const uint32_t *view;
};

static int map_shared(void **state)
{
	struct shared *s = malloc(sizeof(*s));
	char *dir = tmp_dir_new();
	char path[4096];
	void *view;
	int fd;

	assert_non_null(s);
	snprintf(path, sizeof(path), "%s/word", dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	tmp_dir_free(dir);
	assert_int_equal(ftruncate(fd, 4096), 0);
	s->word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	view = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(s->word, MAP_FAILED);
	assert_ptr_not_equal(view, MAP_FAILED);
	s->view = view;
	s->fd = fd;
	*state = s;
	return 0;
}

static int unmap_shared(void **state)
{
	struct shared *s = *state;

	munmap(s->word, 4096);
	close(s->fd);
	free(s);
	return 0;
}

static void a_word_that_has_changed_is_not_waited_for(void **state)
{
	struct shared *s = *state;

	atomic_store(s->word, 5);
	assert_int_equal(futex_wait(s->view, 4, -1), 0);
	assert_int_equal(futex_wait(s->view, 4, 0), 0);
}

static void waiting_ends_at_the_timeout(void **state)
{
	struct shared *s = *state;
	int64_t before = clock_mono_ns();

	assert_int_equal(futex_wait(s->view, 0, 20 * CLOCK_NS_PER_MS), -1);
	assert_int_equal(errno, ETIMEDOUT);
	assert_true(clock_mono_ns() - before >= 20 * CLOCK_NS_PER_MS);
	assert_int_equal(futex_wait(s->view, 0, 0), -1);
	assert_int_equal(errno, ETIMEDOUT);
}

static volatile sig_atomic_t alarms;

static void count_alarm(int sig)
{
	(void)sig;
	alarms++;
}

static void a_signal_makes_the_waiter_look_again(void **state)
{
	struct shared *s = *state;
	const struct sigaction on = {.sa_handler = count_alarm};
	const struct itimerval every = {.it_interval = {0, 5000}, .it_value = {0, 5000}};
	const struct itimerval never = {{0, 0}, {0, 0}};
	const struct sigaction off = {.sa_handler = SIG_IGN};
	int r;

	assert_int_equal(sigaction(SIGALRM, &on, NULL), 0);
	setitimer(ITIMER_REAL, &every, NULL);
	r = futex_wait(s->view, 0, DEADLINE_NS);
	setitimer(ITIMER_REAL, &never, NULL);
	assert_int_equal(sigaction(SIGALRM, &off, NULL), 0);
	assert_int_equal(r, 0);
	assert_true(alarms > 0);
}

static void wait_for_change(struct shared *s)
{
	atomic_fetch_add(s->word + 1, 1);
	while (atomic_load(s->word) == 0)
		if (futex_wait(s->view, 0, DEADLINE_NS) < 0)
			_exit(1);
	_exit(0);
}

static void all_waiting_processes_are_woken_through_any_mapping(void **state)
{
	enum { N = 4 };
	struct shared *s = *state;
	int woken = 0;

	for (int i = 0; i < N; i++) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0)
			wait_for_change(s);
	}
	/* Woken without a new value they sleep again: now all of them are, or soon will be. */
	while (atomic_load(s->word + 1) < N || woken < N) {
		int n = futex_wake_all(s->view);

		assert_true(n >= 0);
		woken += n;
	}
	atomic_store(s->word, 1);
	assert_true(futex_wake_all(s->view) >= 0);
	for (int i = 0; i < N; i++) {
		int status;

		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
}

static void a_page_that_the_file_has_lost_is_an_error(void **state)
{
	struct shared *s = *state;

	assert_int_equal(ftruncate(s->fd, 0), 0);
	assert_int_equal(futex_wait(s->view, 0, 0), -1);
	assert_int_equal(errno, EFAULT);
	assert_int_equal(futex_wake_all(s->view), -1);
	assert_int_equal(errno, EFAULT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, map_shared, unmap_shared)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_word_that_has_changed_is_not_waited_for),
	    TEST(waiting_ends_at_the_timeout),
	    TEST(a_signal_makes_the_waiter_look_again),
	    TEST(all_waiting_processes_are_woken_through_any_mapping),
	    TEST(a_page_that_the_file_has_lost_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
