/* proc_group: a group runs until its last process has ended, reaped or not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/proc_group.h"

/* A process that leads a group of its own, or joins one, under a name that is hard to parse. */
static pid_t start(pid_t group)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, "a) Z 1 1 (");
		for (;;)
			pause();
	}
	assert_int_equal(setpgid(pid, group == 0 ? pid : group), 0);
	return pid;
}

/* It has ended and is not reaped. */
static void make_zombie(pid_t pid)
{
	siginfo_t info;

	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
}

static void a_zombie_does_not_count(void **state)
{
	pid_t leader = start(0);
	pid_t other = start(leader);

	(void)state;
	assert_true(proc_group_runs(leader));
	make_zombie(leader);
	assert_true(proc_group_runs(leader));
	make_zombie(other);
	assert_int_equal(kill(-leader, 0), 0);
	assert_false(proc_group_runs(leader));
	assert_int_equal(waitpid(leader, NULL, 0), leader);
	assert_int_equal(waitpid(other, NULL, 0), other);
	assert_false(proc_group_runs(leader));
}

static void other_groups_do_not_count(void **state)
{
	pid_t a = start(0);
	pid_t b = start(0);

	(void)state;
	make_zombie(a);
	assert_false(proc_group_runs(a));
	assert_true(proc_group_runs(b));
	make_zombie(b);
	assert_int_equal(waitpid(a, NULL, 0), a);
	assert_int_equal(waitpid(b, NULL, 0), b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_zombie_does_not_count),
	    cmocka_unit_test(other_groups_do_not_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
