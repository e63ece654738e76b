/* coproc: whatever a child does with its pipes, we neither hang nor lose what it said. */
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
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/coproc.h"
#include "os/wait.h"

#define LONG_MS 60000 /* only a bug takes that long */

static struct coproc start(const char *script, struct coproc_spec spec)
{
	const char *argv[] = {"sh", "-c", script, NULL};
	struct coproc c;
	struct err e;

	spec.argv = (char *const *)(uintptr_t)argv;
	spec.kill_after_ms = LONG_MS;
	if (coproc_start(&c, &spec, &e) < 0)
		fail_msg("%s", e.msg);
	return c;
}

static int64_t soon(void)
{
	return wait_deadline_ms(LONG_MS);
}

static void expect_line(struct coproc *c, const char *text)
{
	struct span line;
	struct err e = {0};
	enum coproc_result r = coproc_line(c, 1 << 20, &line, soon(), &e);

	if (r != COPROC_READY)
		fail_msg("result %d: %s", r, e.msg);
	assert_int_equal(line.len, strlen(text));
	assert_memory_equal(line.p, text, line.len);
}

static void expect_end(struct coproc *c, int code)
{
	struct span line;
	struct err e;

	assert_int_equal(coproc_line(c, 100, &line, soon(), &e), COPROC_END);
	assert_int_equal(coproc_wait(c, soon(), &e), COPROC_READY);
	assert_true(c->proc.ended);
	assert_int_equal(c->proc.code, code);
	coproc_done(c);
}

static void say(struct coproc *c, const char *text)
{
	coproc_send(c, text, strlen(text));
}

static void a_dialogue_of_lines(void **state)
{
	struct coproc c =
	    start("while read -r x; do echo \"<$x>\"; done; exit 3", (struct coproc_spec){0});

	(void)state;
	say(&c, "one\n");
	expect_line(&c, "<one>");
	say(&c, "two\nth");
	say(&c, "ree\n");
	expect_line(&c, "<two>");
	expect_line(&c, "<three>");
	coproc_end_input(&c);
	expect_end(&c, 3);
}

static void answers_without_a_line_end_are_a_line(void **state)
{
	struct coproc c = start("printf 'a\\n\\nb'", (struct coproc_spec){0});

	(void)state;
	expect_line(&c, "a");
	expect_line(&c, "");
	expect_line(&c, "b");
	expect_end(&c, 0);
}

/* More than all pipes hold goes to cat and comes back, though nobody reads before it is sent. */
static void megabytes_go_through_both_pipes(void **state)
{
	size_t n = 6u << 20;
	char *bytes = malloc(n);
	struct coproc c = start("cat", (struct coproc_spec){0});
	struct span all;
	struct err e;

	(void)state;
	for (size_t i = 0; i < n; i++)
		bytes[i] = (char)(i * 2654435761u >> 13);
	coproc_send(&c, bytes, n);
	coproc_end_input(&c);
	assert_int_equal(coproc_rest(&c, n, &all, soon(), &e), COPROC_READY);
	assert_int_equal(all.len, n);
	assert_memory_equal(all.p, bytes, n);
	free(bytes);
	expect_end(&c, 0);
}

/* There is always more to send than the pipe takes: what was sent is not kept all the same. */
static void a_queue_that_is_never_empty_does_not_grow(void **state)
{
	static char chunk[1 << 20];
	struct coproc c = start("while dd bs=64k count=1 of=/dev/null 2>&1; do :; done",
	                        (struct coproc_spec){.no_answers = true});
	struct err e;

	(void)state;
	for (int i = 0; i < 8; i++)
		coproc_send(&c, chunk, sizeof(chunk));
	for (int i = 0; i < 30; i++) {
		while (c.queue.len - c.sent > 7 * sizeof(chunk))
			assert_true(coproc_flush(&c, wait_deadline_ms(1), &e) >= COPROC_TIMEOUT);
		coproc_send(&c, chunk, sizeof(chunk));
	}
	assert_true(c.queue.cap <= 32 * sizeof(chunk));
	coproc_done(&c);
}

static void a_child_that_does_not_read_is_no_error(void **state)
{
	struct coproc c = start("exec <&-; echo here; exit 7", (struct coproc_spec){0});
	char *much = calloc(1, 4u << 20);
	struct err e;

	(void)state;
	coproc_send(&c, much, 4u << 20);
	coproc_end_input(&c);
	assert_int_equal(coproc_flush(&c, soon(), &e), COPROC_END);
	free(much);
	expect_line(&c, "here");
	expect_end(&c, 7);
}

static void a_deadline_ends_a_wait_and_nothing_is_lost(void **state)
{
	struct coproc c = start("read -r x; echo late; read -r x", (struct coproc_spec){0});
	struct span line;
	struct err e;

	(void)state;
	assert_int_equal(coproc_line(&c, 100, &line, wait_deadline_ms(20), &e), COPROC_TIMEOUT);
	assert_int_equal(coproc_wait(&c, wait_deadline_ms(20), &e), COPROC_TIMEOUT);
	say(&c, "go\n");
	expect_line(&c, "late");
	coproc_end_input(&c);
	expect_end(&c, 1);
}

static void a_line_over_the_limit_is_an_error(void **state)
{
	struct coproc c = start("printf '%0200d' 0; sleep 600", (struct coproc_spec){0});
	struct span line;
	struct err e;

	(void)state;
	assert_int_equal(coproc_line(&c, 199, &line, soon(), &e), COPROC_FAILED);
	assert_int_equal(e.code, EMSGSIZE);
	assert_int_equal(coproc_stop(&c, &e), 0);
	assert_int_equal(c.proc.code, 128 + SIGTERM);
	coproc_done(&c);
}

static void a_flood_is_an_error_that_ends(void **state)
{
	struct coproc c = start("exec yes", (struct coproc_spec){0});
	struct span all;
	struct err e;

	(void)state;
	assert_int_equal(coproc_rest(&c, 1u << 20, &all, soon(), &e), COPROC_FAILED);
	assert_int_equal(e.code, EMSGSIZE);
	coproc_done(&c);
}

static void a_flood_does_not_keep_the_end_from_being_seen(void **state)
{
	struct coproc c = start("yes | head -c 9000000; exit 5", (struct coproc_spec){0});
	struct err e;

	(void)state;
	assert_int_equal(coproc_wait(&c, soon(), &e), COPROC_READY);
	assert_int_equal(c.proc.code, 5);
	coproc_done(&c);
}

/* What a child leaves behind in the background holds its pipes open: nobody waits for that. */
static void a_background_process_with_the_pipes_is_not_waited_for(void **state)
{
	struct coproc c =
	    start("sleep 600 & echo $!; echo last", (struct coproc_spec){.keep_stderr = true});
	struct span line;
	struct err e;
	pid_t left;

	(void)state;
	assert_int_equal(coproc_line(&c, 100, &line, soon(), &e), COPROC_READY);
	left = (pid_t)strtol(line.p, NULL, 10);
	expect_line(&c, "last");
	expect_end(&c, 0);
	assert_true(left > 1);
	assert_int_equal(kill(left, SIGKILL), 0);
}

static void the_end_of_stderr_is_kept(void **state)
{
	struct coproc c = start("seq 1 100000 >&2; echo reason >&2; exit 1",
	                        (struct coproc_spec){.keep_stderr = true});
	struct err e;

	(void)state;
	assert_int_equal(coproc_wait(&c, soon(), &e), COPROC_READY);
	assert_int_equal(c.err.len, COPROC_STDERR_MAX);
	assert_memory_equal(c.err.data + c.err.len - 14, "100000\nreason\n", 14);
	coproc_done(&c);
}

static void answers_may_come_on_descriptor_3(void **state)
{
	int saved = dup(STDOUT_FILENO);
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	struct coproc c;

	(void)state;
	dup2(null, STDOUT_FILENO);
	c = start("echo out; echo answer >&3", (struct coproc_spec){.answers_on_3 = true});
	dup2(saved, STDOUT_FILENO);
	close(saved);
	close(null);
	expect_line(&c, "answer");
	expect_end(&c, 0);
}

static void a_signal_is_left_to_the_caller(void **state)
{
	struct sig sig;
	struct sig_got got;
	struct coproc c;
	struct span line;
	struct err e;

	(void)state;
	assert_int_equal(sig_open(&sig, (const int[]){SIGUSR1, 0}, &e), 0);
	c = start("read -r x; trap 'echo got it' USR1; kill -USR1 $$; echo \"$x\"",
	          (struct coproc_spec){.sig = &sig});
	kill(getpid(), SIGUSR1);
	assert_int_equal(coproc_line(&c, 100, &line, soon(), &e), COPROC_SIGNAL);
	assert_int_equal(sig_next(&sig, &got), 1);
	say(&c, "on\n");
	expect_line(&c, "got it"); /* the signal is not blocked in the child */
	expect_line(&c, "on");
	expect_end(&c, 0);
	sig_close(&sig);
}

static void stop_ends_a_child_that_ignores_term(void **state)
{
	const char *argv[] = {"sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done",
	                      NULL};
	struct coproc_spec spec = {.argv = (char *const *)(uintptr_t)argv, .kill_after_ms = 50};
	struct coproc c;
	struct err e;

	(void)state;
	assert_int_equal(coproc_start(&c, &spec, &e), 0);
	expect_line(&c, "ready");
	assert_int_equal(coproc_stop(&c, &e), 0);
	assert_int_equal(c.proc.code, 128 + SIGKILL);
	coproc_done(&c);
}

/* A script whose pipe were closed first would see its command fail and go on to the next one. */
static void stop_lets_a_script_do_nothing_more(void **state)
{
	char path[] = "/tmp/shoal-coproc-XXXXXX";
	char script[100];
	const char *argv[] = {"sh", "-c", script, NULL};
	struct coproc_spec spec = {.argv = (char *const *)(uintptr_t)argv, .kill_after_ms = 100};
	int fd = mkstemp(path);
	struct coproc c;
	struct err e;

	(void)state;
	close(fd);
	snprintf(script, sizeof(script), "trap '' TERM; yes | cat; rm %s", path);
	assert_int_equal(coproc_start(&c, &spec, &e), 0);
	expect_line(&c, "y");
	assert_int_equal(coproc_stop(&c, &e), 0);
	coproc_done(&c);
	assert_int_equal(unlink(path), 0);
}

static void a_command_that_is_not_there(void **state)
{
	char *argv[] = {(char[]){"/no/such/command"}, NULL};
	struct coproc_spec spec = {.argv = argv, .keep_stderr = true};
	int before = dup(STDIN_FILENO);
	struct coproc c;
	struct err e;
	int after;

	(void)state;
	close(before);
	assert_int_equal(coproc_start(&c, &spec, &e), -1);
	assert_int_equal(e.code, PROC_NOT_FOUND);
	coproc_done(&c);
	after = dup(STDIN_FILENO);
	assert_int_equal(after, before); /* no descriptor is left open */
	close(after);
}

static void a_zeroed_one_may_be_released(void **state)
{
	struct coproc c = {0};

	(void)state;
	coproc_done(&c);
	coproc_done(&c);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_dialogue_of_lines),
	    cmocka_unit_test(answers_without_a_line_end_are_a_line),
	    cmocka_unit_test(megabytes_go_through_both_pipes),
	    cmocka_unit_test(a_queue_that_is_never_empty_does_not_grow),
	    cmocka_unit_test(a_child_that_does_not_read_is_no_error),
	    cmocka_unit_test(a_deadline_ends_a_wait_and_nothing_is_lost),
	    cmocka_unit_test(a_line_over_the_limit_is_an_error),
	    cmocka_unit_test(a_flood_is_an_error_that_ends),
	    cmocka_unit_test(a_flood_does_not_keep_the_end_from_being_seen),
	    cmocka_unit_test(a_background_process_with_the_pipes_is_not_waited_for),
	    cmocka_unit_test(the_end_of_stderr_is_kept),
	    cmocka_unit_test(answers_may_come_on_descriptor_3),
	    cmocka_unit_test(a_signal_is_left_to_the_caller),
	    cmocka_unit_test(stop_ends_a_child_that_ignores_term),
	    cmocka_unit_test(stop_lets_a_script_do_nothing_more),
	    cmocka_unit_test(a_command_that_is_not_there),
	    cmocka_unit_test(a_zeroed_one_may_be_released),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
