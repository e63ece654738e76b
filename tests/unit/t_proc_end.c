/* proc: signals, stopping, and that nothing is left behind. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "child.h"
#include "os/wait.h"
#include "tmp_dir.h"

static void a_deadline_ends_the_wait_and_not_the_child(void **state)
{
	struct proc p;
	struct err e;
	int fd = child_start_sh(&p, "exec sleep 1000", (struct proc_spec){0});

	(void)state;
	assert_int_equal(proc_wait(&p, NULL, wait_deadline_ms(20), &e), 0);
	assert_false(p.ended);
	assert_int_equal(kill(p.pid, 0), 0);
	proc_done(&p);
	close(fd);
	child_expect_none();
}

/* A child and its child, both with the pipe open. */
static const char two_processes[] = "sleep 1000 & echo ready; wait";

static void signals_are_passed_on_to_the_group(void **state)
{
	struct sig s;
	struct proc p;
	struct err e;
	int fd;

	(void)state;
	assert_int_equal(sig_open(&s, sig_forwarded, &e), 0);
	fd =
	    child_start_sh(&p, two_processes,
	                   (struct proc_spec){.own_group = true, .mask = &s.before, .guard = true});
	child_expect_line(fd, "ready\n");
	raise(SIGTERM);
	assert_int_equal(proc_wait(&p, &s, wait_deadline_ms(CHILD_DEADLINE_MS), &e), 1);
	assert_int_equal(p.code, 143);
	child_expect_end(fd);
	proc_done(&p);
	sig_close(&s);
	close(fd);
}

static void signals_without_a_group_go_to_the_child_alone(void **state)
{
	struct sig s;
	struct proc p;
	struct err e;
	int fd;

	(void)state;
	assert_int_equal(sig_open(&s, sig_forwarded, &e), 0);
	fd = child_start_sh(
	    &p, "trap 'echo got; exit 5' USR1; echo ready; while :; do sleep 0.01; done",
	    (struct proc_spec){0});
	child_expect_line(fd, "ready\n");
	assert_int_equal(getpgid(p.pid), getpgrp());
	kill(getpid(), SIGUSR1);
	assert_int_equal(proc_wait(&p, &s, wait_deadline_ms(CHILD_DEADLINE_MS), &e), 1);
	assert_int_equal(p.code, 5);
	child_expect_line(fd, "got\n");
	proc_done(&p);
	sig_close(&s);
	close(fd);
}

/* A wrapper at a terminal of its own. */
static pid_t start_wrapper_at(const char *terminal, const char *script, int *ret_fd)
{
	struct err e;
	int ready[2];
	pid_t pid;

	assert_int_equal(proc_pipe(ready, &e), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct proc_fd map = {ready[1], STDERR_FILENO};
		struct sig s;
		struct proc p;

		if (setsid() < 0 || open(terminal, O_RDWR | O_CLOEXEC) < 0 ||
		    sig_open(&s, sig_forwarded, &e) < 0)
			_exit(9);
		child_start_sh(&p, script, (struct proc_spec){.fds = &map, .fd_count = 1});
		close(ready[1]);
		proc_wait(&p, &s, WAIT_FOREVER, &e);
		_exit(p.code);
	}
	close(ready[1]);
	*ret_fd = ready[0];
	return pid;
}

static void what_the_terminal_sends_to_both_is_not_sent_twice(void **state)
{
	static const char script[] = "trap 'echo int >&2' INT; trap 'echo term >&2; exit 4' TERM\n"
				     "echo ready >&2; while :; do sleep 0.01; done";
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	char rest[256];
	pid_t wrapper;
	int status;
	int fd;

	(void)state;
	if (master < 0) /* as shell_has_terminals() */
		skip();
	assert_int_equal(grantpt(master), 0);
	assert_int_equal(unlockpt(master), 0);
	wrapper = start_wrapper_at(ptsname(master), script, &fd);
	child_expect_line(fd, "ready\n");
	assert_int_equal(write(master, "\003", 1), 1);
	child_expect_line(fd, "int\n");
	kill(wrapper, SIGTERM);
	child_read_all(fd, rest, sizeof(rest));
	assert_string_equal(rest, "term\n");
	assert_int_equal(waitpid(wrapper, &status, 0), wrapper);
	assert_int_equal(WEXITSTATUS(status), 4);
	close(fd);
	close(master);
}

static void stopping_asks_before_it_kills(void **state)
{
	struct proc p;
	struct err e;
	int fd = child_start_sh(
	    &p, "trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.01; done",
	    (struct proc_spec){.own_group = true, .kill_after_ms = CHILD_NEVER_MS});

	(void)state;
	child_expect_line(fd, "ready\n");
	assert_int_equal(proc_stop(&p, &e), 0);
	assert_int_equal(p.code, 3);
	child_expect_line(fd, "bye\n");
	assert_int_equal(proc_stop(&p, &e), 0); /* again is harmless */
	proc_done(&p);
	close(fd);
}

static void stopping_kills_who_ignores_the_asking(void **state)
{
	struct proc p;
	struct err e;
	int fd = child_start_sh(
	    &p, "trap '' TERM; sleep 1000 & echo ready; wait",
	    (struct proc_spec){.own_group = true, .kill_after_ms = 50, .guard = true});

	(void)state;
	child_expect_line(fd, "ready\n");
	assert_int_equal(proc_stop(&p, &e), 0);
	assert_int_equal(p.code, 137);
	child_expect_end(fd);
	proc_done(&p);
	close(fd);
}

static void stopping_wakes_a_stopped_child(void **state)
{
	siginfo_t info;
	struct proc p;
	struct err e;
	int fd =
	    child_start_sh(&p, "trap 'exit 3' TERM; echo ready; while :; do sleep 0.01; done",
	                   (struct proc_spec){.own_group = true, .kill_after_ms = CHILD_NEVER_MS});

	(void)state;
	child_expect_line(fd, "ready\n");
	kill(p.pid, SIGSTOP); /* not its group: sh may wait in vfork() */
	assert_int_equal(waitid(P_PID, (id_t)p.pid, &info, WSTOPPED | WNOWAIT), 0);
	assert_int_equal(proc_stop(&p, &e), 0);
	assert_int_equal(p.code, 3);
	proc_done(&p);
	close(fd);
}

static void a_process_that_outlives_the_child_has_its_grace_too(void **state)
{
	struct proc p;
	struct err e;
	int fd =
	    child_start_sh(&p,
	                   "sh -c 'trap \"sleep 0.05; echo clean; exit\" TERM; echo ready\n"
	                   "while :; do sleep 0.01; done' & wait",
	                   (struct proc_spec){.own_group = true, .kill_after_ms = CHILD_NEVER_MS});

	(void)state;
	child_expect_line(fd, "ready\n");
	assert_int_equal(proc_stop(&p, &e), 0);
	child_expect_line(fd, "clean\n");
	child_expect_end(fd);
	proc_done(&p);
	close(fd);
}

static void a_process_that_outlives_the_child_is_killed_in_the_end(void **state)
{
	struct proc p;
	struct err e;
	int fd = child_start_sh(&p, "sh -c 'trap \"\" TERM; echo ready; exec sleep 1000' & wait",
	                        (struct proc_spec){.own_group = true, .kill_after_ms = 50});

	(void)state;
	child_expect_line(fd, "ready\n");
	assert_int_equal(proc_stop(&p, &e), 0);
	child_expect_end(fd);
	proc_done(&p);
	close(fd);
}

/* A wrapper in a process of its own, in its own group; it waits for ever. */
static pid_t start_wrapper(const char *script, struct proc_spec spec, int *ret_fd)
{
	struct err e;
	int fd[2];
	pid_t pid;

	assert_int_equal(proc_pipe(fd, &e), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		char *argv[] = {(char[]){"sh"}, (char[]){"-c"}, (char *)(uintptr_t)script, NULL};
		struct proc_fd map = {fd[1], STDOUT_FILENO};
		struct proc p;

		setpgid(0, 0);
		spec.argv = argv;
		spec.fds = &map;
		spec.fd_count = 1;
		if (proc_start(&p, &spec, &e) < 0)
			_exit(1);
		proc_wait(&p, NULL, WAIT_FOREVER, &e);
		pause();
	}
	setpgid(pid, pid);
	close(fd[1]);
	*ret_fd = fd[0];
	return pid;
}

static void expect_all_gone(pid_t wrapper, int fd)
{
	child_expect_end(fd);
	close(fd);
	assert_int_equal(waitpid(wrapper, NULL, 0), wrapper);
}

static void a_killed_wrapper_leaves_no_orphan(void **state)
{
	struct proc_spec spec = {.own_group = true, .guard = true, .kill_after_ms = CHILD_NEVER_MS};
	int fd;
	pid_t wrapper = start_wrapper(two_processes, spec, &fd);

	(void)state;
	child_expect_line(fd, "ready\n");
	kill(wrapper, SIGKILL);
	expect_all_gone(wrapper, fd);
}

static void a_killed_group_of_the_wrapper_leaves_no_orphan(void **state)
{
	struct proc_spec spec = {.own_group = true, .guard = true, .kill_after_ms = CHILD_NEVER_MS};
	int fd;
	pid_t wrapper = start_wrapper(two_processes, spec, &fd);

	(void)state;
	child_expect_line(fd, "ready\n");
	kill(-wrapper, SIGKILL);
	expect_all_gone(wrapper, fd);
}

static void an_orphan_that_ignores_term_is_killed(void **state)
{
	struct proc_spec spec = {.own_group = true, .guard = true, .kill_after_ms = 50};
	int fd;
	pid_t wrapper = start_wrapper("trap '' TERM; sleep 1000 & echo ready; wait", spec, &fd);

	(void)state;
	child_expect_line(fd, "ready\n");
	kill(wrapper, SIGKILL);
	expect_all_gone(wrapper, fd);
}

static void an_orphan_without_a_group_is_ended_itself(void **state)
{
	struct proc_spec spec = {.guard = true, .kill_after_ms = CHILD_NEVER_MS};
	int fd;
	pid_t wrapper = start_wrapper("echo ready; exec sleep 1000", spec, &fd);

	(void)state;
	child_expect_line(fd, "ready\n");
	kill(wrapper, SIGKILL);
	expect_all_gone(wrapper, fd);
}

static void without_a_guard_there_would_be_an_orphan(void **state)
{
	struct proc_spec spec = {.own_group = true};
	int fd;
	struct err e;
	pid_t wrapper = start_wrapper("echo $$; exec sleep 1000", spec, &fd);
	char line[32] = {0};

	(void)state;
	assert_int_equal(wait_readable(fd, wait_deadline_ms(CHILD_DEADLINE_MS), &e), 1);
	assert_true(read(fd, line, sizeof(line) - 1) > 1);
	kill(wrapper, SIGKILL);
	assert_int_equal(waitpid(wrapper, NULL, 0), wrapper);
	assert_int_equal(wait_readable(fd, wait_deadline_ms(50), &e), 0);
	kill((pid_t)strtol(line, NULL, 10), SIGKILL);
	child_expect_end(fd);
	close(fd);
}

/*
 * The moment of the kill moves through proc_start() and beyond.  Whatever has started holds the
 * pipe: its end means that nothing is left.
 */
static void a_wrapper_may_be_killed_at_any_moment(void **state)
{
	struct proc_spec spec = {.own_group = true, .guard = true, .kill_after_ms = CHILD_NEVER_MS};

	(void)state;
	for (int i = 0; i < 200; i++) {
		struct timespec t = {.tv_nsec = i / 2 * 40000L};
		int fd;
		pid_t wrapper = start_wrapper(two_processes, spec, &fd);

		nanosleep(&t, NULL);
		kill(i % 2 == 0 ? wrapper : -wrapper, SIGKILL);
		expect_all_gone(wrapper, fd);
	}
}

/* What a command leaves in the background on purpose is not ours to end. */
static void a_command_that_has_ended_keeps_what_it_left_behind(void **state)
{
	struct proc_spec spec = {.own_group = true, .guard = true};
	char line[32] = {0};
	struct proc p;
	struct err e;
	int fd = child_start_sh(&p, "sleep 1000 & echo $!", spec);

	(void)state;
	assert_int_equal(proc_wait(&p, NULL, WAIT_FOREVER, &e), 1);
	proc_done(&p);
	child_expect_none();
	assert_true(read(fd, line, sizeof(line) - 1) > 1);
	assert_int_equal(wait_readable(fd, wait_deadline_ms(50), &e), 0);
	assert_int_equal(kill((pid_t)strtol(line, NULL, 10), SIGKILL), 0);
	child_expect_end(fd);
	close(fd);
}

static void the_guard_holds_no_descriptor_open(void **state)
{
	struct proc_spec spec = {.own_group = true, .guard = true};
	struct proc p;
	struct err e;
	int fd = child_start_sh(&p, "echo done", spec);

	(void)state;
	child_expect_end(fd); /* before the child is reaped, so the guard is there */
	assert_int_equal(kill(p.guard_pid, 0), 0);
	assert_int_equal(proc_wait(&p, NULL, WAIT_FOREVER, &e), 1);
	proc_done(&p);
	close(fd);
	child_expect_none();
}

/* Whether all writing ends of a pipe are closed. */
static bool has_ended(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) > 0 && (p.revents & POLLHUP) != 0;
}

static void what_the_guard_is_told_to_hold_is_open_until_the_orphan_has_ended(void **state)
{
	struct proc_spec spec = {.own_group = true, .guard = true, .kill_after_ms = CHILD_NEVER_MS};
	char *dir = tmp_dir_new();
	int held[2];
	struct err e;
	pid_t wrapper;
	int fd;

	(void)state;
	assert_int_equal(proc_pipe(held, &e), 0);
	spec.guard_holds = held[1];
	assert_int_equal(setenv("STAY", dir, 1), 0);
	wrapper = start_wrapper("trap 'echo term' TERM; echo ready\n"
	                        "while [ -e \"$STAY\" ]; do sleep 0.01; done",
	                        spec, &fd);
	close(held[1]);
	child_expect_line(fd, "ready\n");
	assert_false(has_ended(held[0]));
	kill(wrapper, SIGKILL);
	assert_int_equal(waitpid(wrapper, NULL, 0), wrapper);
	child_expect_line(fd, "term\n");
	assert_false(has_ended(held[0]));
	tmp_dir_free(dir);
	child_expect_end(fd);
	child_expect_end(held[0]);
	close(held[0]);
	close(fd);
}

/* The guard of a second child must not keep the first one's pipe open. */
static void two_guarded_children_do_not_wait_for_each_other(void **state)
{
	struct proc_spec spec = {.own_group = true, .guard = true, .kill_after_ms = CHILD_NEVER_MS};
	struct proc p;
	struct proc q;
	struct err e;
	int p_fd = child_start_sh(&p, two_processes, spec);
	int q_fd = child_start_sh(&q, two_processes, spec);

	(void)state;
	child_expect_line(p_fd, "ready\n");
	child_expect_line(q_fd, "ready\n");
	assert_int_equal(proc_stop(&p, &e), 0);
	child_expect_end(p_fd);
	assert_int_equal(proc_wait(&q, NULL, 0, &e), 0);
	assert_int_equal(proc_stop(&q, &e), 0);
	child_expect_end(q_fd);
	proc_done(&p);
	proc_done(&q);
	close(p_fd);
	close(q_fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_deadline_ends_the_wait_and_not_the_child),
	    cmocka_unit_test(signals_are_passed_on_to_the_group),
	    cmocka_unit_test(signals_without_a_group_go_to_the_child_alone),
	    cmocka_unit_test(what_the_terminal_sends_to_both_is_not_sent_twice),
	    cmocka_unit_test(stopping_asks_before_it_kills),
	    cmocka_unit_test(stopping_kills_who_ignores_the_asking),
	    cmocka_unit_test(stopping_wakes_a_stopped_child),
	    cmocka_unit_test(a_process_that_outlives_the_child_has_its_grace_too),
	    cmocka_unit_test(a_process_that_outlives_the_child_is_killed_in_the_end),
	    cmocka_unit_test(a_killed_wrapper_leaves_no_orphan),
	    cmocka_unit_test(a_killed_group_of_the_wrapper_leaves_no_orphan),
	    cmocka_unit_test(an_orphan_that_ignores_term_is_killed),
	    cmocka_unit_test(an_orphan_without_a_group_is_ended_itself),
	    cmocka_unit_test(without_a_guard_there_would_be_an_orphan),
	    cmocka_unit_test(a_wrapper_may_be_killed_at_any_moment),
	    cmocka_unit_test(a_command_that_has_ended_keeps_what_it_left_behind),
	    cmocka_unit_test(the_guard_holds_no_descriptor_open),
	    cmocka_unit_test(what_the_guard_is_told_to_hold_is_open_until_the_orphan_has_ended),
	    cmocka_unit_test(two_guarded_children_do_not_wait_for_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
