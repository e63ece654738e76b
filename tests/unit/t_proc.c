/* proc: what a child gets, and how its start and its end are told. */
#include <errno.h>
#include <fcntl.h>
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

static void expect_output(const char *script, struct proc_spec spec, const char *output)
{
	char got[4096];
	struct proc p;
	struct err e;
	int fd = child_start_sh(&p, script, spec);

	child_read_all(fd, got, sizeof(got));
	close(fd);
	assert_int_equal(proc_wait(&p, NULL, WAIT_FOREVER, &e), 1);
	assert_string_equal(got, output);
	proc_done(&p);
}

static void arguments_arrive_as_they_are(void **state)
{
	char *argv[] = {(char[]){"printf"}, (char[]){"%s|"}, (char[]){"a b"}, (char[]){"$HOME"},
	                (char[]){"*"},      (char[]){""},    (char[]){"'"},   NULL};
	char got[256];
	struct proc p;
	struct err e;
	int fd = child_start(&p, (struct proc_spec){.argv = argv});

	(void)state;
	child_read_all(fd, got, sizeof(got));
	close(fd);
	assert_int_equal(proc_wait(&p, NULL, WAIT_FOREVER, &e), 1);
	proc_done(&p);
	assert_string_equal(got, "a b|$HOME|*||'|");
}

static void expect_code(const char *script, int code, int signal)
{
	struct proc p;
	struct err e;
	int fd = child_start_sh(&p, script, (struct proc_spec){0});

	assert_int_equal(proc_wait(&p, NULL, WAIT_FOREVER, &e), 1);
	assert_true(p.ended);
	assert_int_equal(p.code, code);
	assert_int_equal(p.signal, signal);
	assert_int_equal(p.pidfd, -1);
	assert_int_equal(proc_wait(&p, NULL, WAIT_FOREVER, &e), 1);
	proc_done(&p);
	close(fd);
	child_expect_none();
}

static void the_status_of_the_command_is_told(void **state)
{
	(void)state;
	expect_code("exit 0", 0, 0);
	expect_code("exit 7", 7, 0);
	expect_code("exit 127", 127, 0);
	expect_code("exit 255", 255, 0);
	expect_code("kill -KILL $$", 137, SIGKILL);
	expect_code("kill -TERM $$", 143, SIGTERM);
}

static void the_status_is_told_though_our_parent_ignored_sigchld(void **state)
{
	(void)state;
	signal(SIGCHLD, SIG_IGN);
	expect_code("exit 7", 7, 0);
}

static void expect_not_started(char *name, int code, int status, const char *msg)
{
	char *argv[] = {name, NULL};
	struct proc_spec spec = {.argv = argv, .guard = true, .own_group = true};
	struct proc p;
	struct err e;

	assert_int_equal(proc_start(&p, &spec, &e), -1);
	assert_int_equal(e.code, code);
	assert_string_equal(e.msg, msg);
	assert_int_equal(proc_status_of(&e), status);
	proc_done(&p);
	child_expect_none();
}

static void a_command_that_cannot_run_is_told_exactly(void **state)
{
	char file[] = "/tmp/t_proc.XXXXXX";
	int fd = mkstemp(file);
	char msg[256];

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	snprintf(msg, sizeof(msg), "run '%s': Permission denied", file);
	expect_not_started(file, PROC_NOT_EXECUTABLE, 126, msg);
	assert_int_equal(unlink(file), 0);
	snprintf(msg, sizeof(msg), "run '%s': No such file or directory", file);
	expect_not_started(file, PROC_NOT_FOUND, 127, msg);
	expect_not_started((char[]){"no-such-command-anywhere"}, PROC_NOT_FOUND, 127,
	                   "run 'no-such-command-anywhere': No such file or directory");
	expect_not_started((char[]){"/"}, PROC_NOT_EXECUTABLE, 126, "run '/': Permission denied");
	assert_int_equal(proc_status_of(&(struct err){.code = EAGAIN}), 71);
}

static void descriptors_may_change_places(void **state)
{
	struct proc p;
	struct err e;
	int a[2];
	int b[2];
	int c[2];
	char got[256];
	char script[256];
	int fd;

	(void)state;
	assert_int_equal(proc_pipe(a, &e), 0);
	assert_int_equal(proc_pipe(b, &e), 0);
	assert_int_equal(proc_pipe(c, &e), 0);
	assert_int_equal(dup2(a[1], 107), 107);
	assert_int_equal(dup2(b[1], 108), 108);
	assert_int_equal(dup2(c[1], 109), 109);
	fd = child_start_sh(
	    &p, "cd /proc/self/fd; echo to-b >107; echo to-a >108; echo to-c >109",
	    (struct proc_spec){.fds = (struct proc_fd[]){{107, 108}, {108, 107}, {109, 109}},
	                       .fd_count = 3});
	close(107);
	close(108);
	close(109);
	child_expect_line(a[0], "to-a\n");
	child_expect_line(b[0], "to-b\n");
	child_expect_line(c[0], "to-c\n");
	assert_int_equal(proc_wait(&p, NULL, WAIT_FOREVER, &e), 1);
	proc_done(&p);
	close(fd);

	/* None of ours is open there, whatever its number. */
	snprintf(script, sizeof(script),
	         "for n in %d %d %d %d %d %d; do [ -e /proc/$$/fd/$n ] && echo $n; done", a[0],
	         a[1], b[0], b[1], c[0], c[1]);
	fd = child_start_sh(&p, script, (struct proc_spec){.guard = true});
	child_read_all(fd, got, sizeof(got));
	assert_string_equal(got, "");
	assert_int_equal(proc_wait(&p, NULL, WAIT_FOREVER, &e), 1);
	proc_done(&p);
	close(fd);
	for (int i = 0; i < 2; i++) {
		close(a[i]);
		close(b[i]);
		close(c[i]);
	}
}

static void the_environment_is_ours_with_changes(void **state)
{
	static const char *const changes[] = {"T_NEW=a b", "T_OLD=new", "T_GONE", "T_EMPTY=", NULL};

	(void)state;
	setenv("T_OLD", "old", 1);
	setenv("T_OLDER", "older", 1);
	setenv("T_GONE", "here", 1);
	expect_output("echo $T_NEW.$T_OLD.$T_OLDER.${T_GONE-unset}.${T_EMPTY-unset}",
	              (struct proc_spec){.env = changes}, "a b.new.older.unset.\n");
	expect_output("echo $T_OLD.$T_GONE", (struct proc_spec){0}, "old.here\n");
}

/* Not by way of sh, which clears its mask itself. */
static void expect_mask(const sigset_t *mask, unsigned long blocked)
{
	char *argv[] = {(char[]){"sed"}, (char[]){"-n"}, (char[]){"s/^Sig\\(Blk\\|Ign\\)://p"},
	                (char[]){"/proc/self/status"}, NULL};
	char got[256];
	char *end;
	struct proc p;
	struct err e;
	int fd = child_start(&p, (struct proc_spec){.argv = argv, .mask = mask, .guard = true});

	child_read_all(fd, got, sizeof(got));
	close(fd);
	assert_int_equal(proc_wait(&p, NULL, WAIT_FOREVER, &e), 1);
	proc_done(&p);
	assert_int_equal(strtoul(got, &end, 16), blocked);
	assert_false(strtoul(end, NULL, 16) & 1ul << (SIGPIPE - 1));
}

static void a_child_inherits_no_blocked_signal_and_dies_of_sigpipe(void **state)
{
	sigset_t set;
	sigset_t before;

	(void)state;
	sigfillset(&set);
	sigprocmask(SIG_SETMASK, &set, &before);
	signal(SIGPIPE, SIG_IGN);
	expect_mask(NULL, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	expect_mask(&set, 1ul << (SIGHUP - 1));
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, &before, NULL);
}

static void a_spec_that_never_started_can_be_released(void **state)
{
	struct proc p = {0};

	(void)state;
	proc_signal(&p, SIGKILL);
	proc_done(&p);
	proc_done(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(arguments_arrive_as_they_are),
	    cmocka_unit_test(the_status_of_the_command_is_told),
	    cmocka_unit_test(the_status_is_told_though_our_parent_ignored_sigchld),
	    cmocka_unit_test(a_command_that_cannot_run_is_told_exactly),
	    cmocka_unit_test(descriptors_may_change_places),
	    cmocka_unit_test(the_environment_is_ours_with_changes),
	    cmocka_unit_test(a_child_inherits_no_blocked_signal_and_dies_of_sigpipe),
	    cmocka_unit_test(a_spec_that_never_started_can_be_released),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
