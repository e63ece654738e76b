/* tool: exit statuses, standard streams, messages, the default state directory. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "shell.h"
#include "tool/tool.h"
#include "toy_tool.h"

static void what_is_printed_arrives_in_order_and_whole(void **state)
{
	(void)state;
	shell_expect("$TOY misc lots 100000 | cksum; seq 100000 -1 1 | cksum", 0, NULL, NULL);
	shell_expect("test \"$($TOY misc lots 100000 | cksum)\" = \"$(seq 100000 -1 1 | cksum)\"",
	             0, "", "");
	shell_expect("test \"$($TOY misc huge | wc -c)\" -eq 1048578", 0, "", "");
	shell_expect("$TOY misc huge | tr -d x", 0, "<>", "");
}

static void a_full_disk_is_exit_74_and_a_message(void **state)
{
	static const char lost[] = "toy: write to standard output: No space left on device\n";

	(void)state;
	shell_expect("$TOY --help >/dev/full", 74, "", lost);
	shell_expect("$TOY --version >/dev/full", 74, "", lost);
	shell_expect("$TOY --completion bash >/dev/full", 74, "", lost);
	shell_expect("$TOY add --help >/dev/full", 74, "", lost);
	shell_expect("$TOY list >/dev/full", 1, "", ""); /* nothing to print */
	shell_expect("$TOY list a >/dev/full", 74, "", lost);
	shell_expect("$TOY misc huge >/dev/full", 74, "", lost);
}

static void a_closed_stdout_fails_only_when_there_is_something_to_print(void **state)
{
	static const char lost[] = "toy: write to standard output: Bad file descriptor\n";

	(void)state;
	shell_expect("$TOY list a >&-", 74, "", lost);
	shell_expect("$TOY list >&-", 1, "", "");
}

static void a_closed_stdin_is_an_error_for_who_reads_it_and_no_empty_input(void **state)
{
	(void)state;
	shell_expect("$TOY misc read <&-", 74, "",
	             "toy: read standard input: Bad file descriptor\n");
	shell_expect("$TOY misc read </dev/null", 0, "", "");
	shell_expect("$TOY list a <&- 2>&-", 1, "operand a\n", "");
	shell_expect("$TOY list a <&- >&- 2>&-", 74, "", "");
}

static void a_reader_that_leaves_ends_a_tool_quietly_by_sigpipe(void **state)
{
	(void)state;
	/* yes(1) dies by the signal only when it is not ignored; so must we, even under a parent
	 * that ignores it. */
	shell_expect("trap '' PIPE; { $TOY misc lots 1000000; echo $? >&2; } | head -n 1", 0,
	             "1000000\n", "141\n");
}

/* Empties a pipe only when it is full, so that its writer meets a full one; exits 0 at its end. */
static pid_t start_slow_reader(int from, int other_end, size_t want)
{
	static const struct timespec ms = {.tv_nsec = 1000000};
	int full = fcntl(from, F_GETPIPE_SZ) - 8192; /* a short write takes a page for itself */
	static char block[1 << 20];
	size_t got = 0;
	ssize_t n = 1;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	alarm(SHELL_DEADLINE_S);
	close(other_end);
	while (n > 0) {
		int ready = 0;

		while (ready < full && want - got > (size_t)full) {
			nanosleep(&ms, NULL);
			ioctl(from, FIONREAD, &ready);
		}
		n = read(from, block, sizeof(block));
		got += n > 0 ? (size_t)n : 0;
	}
	_exit(got == want ? 0 : 1);
}

static void a_non_blocking_stdout_is_waited_for(void **state)
{
	char script[64];
	int status;
	pid_t pid;
	int fd[2];

	(void)state;
	assert_int_equal(pipe(fd), 0); /* the script inherits its end */
	assert_int_equal(fcntl(fd[1], F_SETFL, O_NONBLOCK), 0);
	pid = start_slow_reader(fd[0], fd[1], ((size_t)1 << 20) + 2);
	close(fd[0]);
	snprintf(script, sizeof(script), "$TOY misc huge >&%d", fd[1]);
	shell_expect(script, 0, "", "");
	close(fd[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void dying_prints_first_what_was_printed_before(void **state)
{
	(void)state;
	shell_expect("$TOY misc die 2>&1", 74, "printed before\ntoy: reading?of 'x'?failed\n", "");
	shell_expect("$TOY misc die >/dev/full", 74, "",
	             "toy: write to standard output: No space left on device\n"
	             "toy: reading?of 'x'?failed\n");
}

static void dying_keeps_its_status_when_the_reader_has_left(void **state)
{
	(void)state;
	shell_expect("mkfifo_dir=$(mktemp -d) && mkfifo $mkfifo_dir/p && exec 3<>$mkfifo_dir/p &&\n"
	             "exec 4>$mkfifo_dir/p && exec 3<&- && rm -r $mkfifo_dir && $TOY misc die >&4",
	             74, "", "toy: reading?of 'x'?failed\n");
}

static void a_death_by_signal_flushes_stdout_first(void **state)
{
	(void)state;
	shell_expect("$TOY misc signal; echo $?", 0, "printed before\n143\n", NULL);
}

static void a_warning_is_one_clean_line(void **state)
{
	struct shell s;

	(void)state;
	shell_expect("$TOY misc warn \"$(printf 'a\\nb\\033[1m\\302\\233c\\303\\251')\"", 0, "",
	             "toy: a?b?[1m??c\303\251\n{\"a\":\"\t\"}\n");
	s = shell_run("$TOY misc warn \"$(printf '%5000d' 7)\"");
	assert_int_equal(strcspn(s.err, "\n"), TOOL_LINE_MAX - 2);
	assert_memory_equal(s.err + TOOL_LINE_MAX - 5, "...\n", 4);
	shell_done(&s);
}

static void colours_need_a_terminal(void **state)
{
	(void)state;
	shell_expect("$TOY misc terminal", 0, "0 0\n", "");
	if (!shell_has_terminals())
		skip();
	shell_expect(
	    "TERM=xterm script -qec '$TOY misc terminal' /dev/null </dev/null | tr -d '\\r'", 0,
	    "1 1\n", NULL);
	shell_expect(
	    "NO_COLOR=1 TERM=xterm script -qec '$TOY misc terminal' /dev/null </dev/null | "
	    "tr -d '\\r'",
	    0, "1 0\n", NULL);
	shell_expect("NO_COLOR= TERM=dumb script -qec '$TOY misc terminal' /dev/null </dev/null | "
	             "tr -d '\\r'",
	             0, "1 0\n", NULL);
}

static void a_long_work_shows_its_progress_on_a_terminal_only(void **state)
{
	(void)state;
	shell_expect("$TOY misc progress", 0, "", "toy: said\n");
	if (!shell_has_terminals())
		skip();
	shell_expect("script -qec '$TOY misc progress' /dev/null </dev/null | "
	             "tr '\\r\\033' '\\n\\n' | grep -v '^$' | uniq",
	             0, "[Ktoy: work: 70 of 100 steps, 70%\n[Ktoy: said\n", NULL);
}

static void errors_have_the_statuses_of_sysexits(void **state)
{
	static const struct {
		int code;
		int status;
	} cases[] = {
	    {EBADMSG, TOOL_DATA},  {ENOENT, TOOL_NOINPUT},  {ECONNREFUSED, TOOL_UNAVAILABLE},
	    {ENOSPC, TOOL_IOERR},  {EROFS, TOOL_CANTCREAT}, {ETIMEDOUT, TOOL_TEMPFAIL},
	    {EACCES, TOOL_NOPERM}, {ENOMEM, TOOL_OSERR},    {EOPNOTSUPP, TOOL_CONFIG},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_int_equal(tool_status_of(&(struct err){.code = cases[i].code}),
		                 cases[i].status);
}

static void the_state_directory_is_systemds_or_roots_or_the_users(void **state)
{
	struct buf b = {0};
	struct err e;

	(void)state;
	setenv("STATE_DIRECTORY", "/var/lib/one:/var/lib/two", 1);
	assert_int_equal(tool_state_dir("toy", &b, &e), 0);
	assert_string_equal(b.data, "/var/lib/one");
	unsetenv("STATE_DIRECTORY");
	setenv("XDG_STATE_HOME", "/x/state", 1);
	setenv("HOME", "/home/u", 1);
	assert_int_equal(tool_state_dir("toy", &b, &e), 0);
	assert_string_equal(b.data, geteuid() == 0 ? "/var/lib/shoal/toy" : "/x/state/shoal/toy");
	unsetenv("XDG_STATE_HOME");
	buf_done(&b);
}

static void a_user_has_his_state_below_his_home(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip(); /* only root can become somebody else */
	shell_expect(
	    "d=$(mktemp -d) && cp \"$TOY\" $d/toy && chmod 755 $d && chmod 777 $d || exit 9\n"
	    "as_user() { setpriv --reuid 65534 --clear-groups env \"$@\" $d/toy misc state; }\n"
	    "as_user HOME=$d | sed \"s,$d,D,\"\n"
	    "stat -c '%a %U' $d/.local $d/.local/state/shoal\n"
	    "as_user HOME=$d XDG_STATE_HOME=$d/x | sed \"s,$d,D,\"\n"
	    "as_user HOME=$d XDG_STATE_HOME=relative | sed \"s,$d,D,\"\n"
	    "as_user HOME= XDG_STATE_HOME= 2>&1\n"
	    "rm -r $d",
	    0,
	    "D/.local/state/shoal/toy\n700 nobody\n700 nobody\nD/x/shoal/toy\n"
	    "D/.local/state/shoal/toy\n"
	    "toy: no default place for the state: HOME is not set\n",
	    "");
}

static void parents_are_made_and_the_last_component_is_not(void **state)
{
	char dir[] = "/tmp/t_tool.XXXXXX";
	char path[128];
	struct stat st;
	struct err e;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/a//b/c", dir);
	assert_int_equal(tool_make_parents(path, &e), 0);
	assert_int_equal(tool_make_parents(path, &e), 0);
	assert_int_equal(stat(path, &st), -1);
	snprintf(path, sizeof(path), "%s/a/b", dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(tool_make_parents("alone", &e), 0);
	assert_int_equal(tool_make_parents("", &e), 0);
	assert_int_equal(tool_make_parents("/proc/none/x", &e), -1);
	assert_string_equal(e.msg, "create '/proc/none': No such file or directory");
	assert_int_equal(rmdir(path), 0);
	*strrchr(path, '/') = '\0';
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(rmdir(dir), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_printed_arrives_in_order_and_whole),
	    cmocka_unit_test(a_full_disk_is_exit_74_and_a_message),
	    cmocka_unit_test(a_closed_stdout_fails_only_when_there_is_something_to_print),
	    cmocka_unit_test(a_closed_stdin_is_an_error_for_who_reads_it_and_no_empty_input),
	    cmocka_unit_test(a_reader_that_leaves_ends_a_tool_quietly_by_sigpipe),
	    cmocka_unit_test(a_non_blocking_stdout_is_waited_for),
	    cmocka_unit_test(dying_prints_first_what_was_printed_before),
	    cmocka_unit_test(dying_keeps_its_status_when_the_reader_has_left),
	    cmocka_unit_test(a_death_by_signal_flushes_stdout_first),
	    cmocka_unit_test(a_warning_is_one_clean_line),
	    cmocka_unit_test(colours_need_a_terminal),
	    cmocka_unit_test(a_long_work_shows_its_progress_on_a_terminal_only),
	    cmocka_unit_test(errors_have_the_statuses_of_sysexits),
	    cmocka_unit_test(the_state_directory_is_systemds_or_roots_or_the_users),
	    cmocka_unit_test(a_user_has_his_state_below_his_home),
	    cmocka_unit_test(parents_are_made_and_the_last_component_is_not),
	};

	if (toy_wanted())
		return toy_main(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
