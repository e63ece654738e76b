/* sig: blocked signals are read from a descriptor. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/sig.h"
#include "os/wait.h"

#define DEADLINE_MS 60000

static const int two[] = {SIGUSR1, SIGTERM, 0};

static void a_blocked_signal_is_read_and_not_delivered(void **state)
{
	struct sig_got got;
	struct sig s;
	struct err e;

	(void)state;
	assert_int_equal(sig_open(&s, two, &e), 0);
	assert_int_equal(sig_next(&s, &got), 0);
	raise(SIGTERM);
	kill(getpid(), SIGUSR1);
	assert_int_equal(wait_readable(s.fd, wait_deadline_ms(DEADLINE_MS), &e), 1);
	assert_int_equal(sig_next(&s, &got), 1);
	assert_true(got.signal == SIGUSR1 || got.signal == SIGTERM);
	assert_false(got.from_kernel);
	assert_int_equal(sig_next(&s, &got), 1);
	assert_int_equal(sig_next(&s, &got), 0);
	assert_true(fcntl(s.fd, F_GETFD) & FD_CLOEXEC);
	sig_close(&s);
}

static void closing_restores_the_mask(void **state)
{
	sigset_t before;
	sigset_t after;
	struct sig s;
	struct err e;

	(void)state;
	sigemptyset(&before);
	sigaddset(&before, SIGUSR2);
	sigprocmask(SIG_SETMASK, &before, NULL);
	assert_int_equal(sig_open(&s, two, &e), 0);
	sigprocmask(SIG_SETMASK, NULL, &after);
	assert_true(sigismember(&after, SIGTERM) && sigismember(&after, SIGUSR2));
	assert_memory_equal(&s.before, &before, sizeof(unsigned long));
	sig_close(&s);
	sigprocmask(SIG_SETMASK, NULL, &after);
	assert_false(sigismember(&after, SIGTERM));
	assert_true(sigismember(&after, SIGUSR2));
	assert_int_equal(s.fd, -1);
	sigemptyset(&before);
	sigprocmask(SIG_SETMASK, &before, NULL);
}

static void a_signal_that_is_ignored_stays_ignored(void **state)
{
	struct sig_got got;
	struct sig s;
	struct err e;

	(void)state;
	signal(SIGUSR1, SIG_IGN);
	assert_int_equal(sig_open(&s, two, &e), 0);
	raise(SIGUSR1);
	assert_int_equal(sig_next(&s, &got), 0);
	sig_close(&s);
	signal(SIGUSR1, SIG_DFL);
}

/* A process with a terminal of its own, at which Ctrl-C is pressed. */
static void a_signal_of_the_terminal_is_told_from_one_of_a_process(void **state)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct sig_got got;
	struct sig s;
	struct err e;
	int status;
	char c;
	int ready[2];
	pid_t pid;

	(void)state;
	if (master < 0) /* as shell_has_terminals() */
		skip();
	assert_int_equal(grantpt(master), 0);
	assert_int_equal(unlockpt(master), 0);
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (setsid() < 0 || open(ptsname(master), O_RDWR | O_CLOEXEC) < 0 ||
		    sig_open(&s, (const int[]){SIGINT, 0}, &e) < 0 || write(ready[1], "r", 1) != 1)
			_exit(9);
		if (wait_readable(s.fd, wait_deadline_ms(DEADLINE_MS), &e) != 1 ||
		    sig_next(&s, &got) != 1)
			_exit(8);
		_exit(got.signal == SIGINT && got.from_kernel ? 0 : 7);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(write(master, "\003", 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(ready[0]);
	close(ready[1]);
	close(master);
}

static void signals_have_names(void **state)
{
	(void)state;
	assert_string_equal(sig_name(SIGTERM), "TERM");
	assert_string_equal(sig_name(SIGKILL), "KILL");
	assert_string_equal(sig_name(4711), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_blocked_signal_is_read_and_not_delivered),
	    cmocka_unit_test(closing_restores_the_mask),
	    cmocka_unit_test(a_signal_that_is_ignored_stays_ignored),
	    cmocka_unit_test(a_signal_of_the_terminal_is_told_from_one_of_a_process),
	    cmocka_unit_test(signals_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
