/* turn: one has it, the others wait, and nobody for ever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "evlog/append.h"
#include "evlog/turn.h"
#include "evlog_check.h"
#include "os/clock.h"
#include "tmp_dir.h"

#define LONG_MS 600000 /* no test waits for it */

static const struct span stream = {"cart-9", 6};

struct two {
	char *dir;
	struct evlog *a, *b;
	struct turn turn_a, turn_b;
};

static struct two open_two(void)
{
	struct two t = {.dir = tmp_dir_new()};
	struct err e;

	if (check_create(t.dir, 0, NULL, &e) < 0)
		fail_msg("%s", e.msg);
	t.a = check_open(t.dir, NULL, &e);
	t.b = check_open(t.dir, NULL, &e);
	assert_true(t.a != NULL && t.b != NULL);
	turn_init(&t.turn_a, t.a, stream);
	turn_init(&t.turn_b, t.b, stream);
	return t;
}

static void close_two(struct two *t)
{
	evlog_close(t->a);
	evlog_close(t->b);
	tmp_dir_free(t->dir);
}

static void while_nobody_has_the_turn_all_pass(void **state)
{
	struct two t = open_two();
	struct err e;

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(turn_pass(&t.turn_a, 0, &e), 1);
		assert_int_equal(turn_pass(&t.turn_b, 0, &e), 1);
	}
	close_two(&t);
}

static void who_has_the_turn_keeps_the_others_back(void **state)
{
	struct two t = open_two();
	struct err e;

	(void)state;
	assert_int_equal(turn_take(&t.turn_a, LONG_MS, &e), 1);
	assert_true(t.turn_a.held);
	assert_int_equal(turn_pass(&t.turn_b, 0, &e), 0);
	assert_int_equal(turn_take(&t.turn_b, 0, &e), 0);
	assert_false(t.turn_b.held);
	/* The holder itself goes on, and may take what it has. */
	assert_int_equal(turn_pass(&t.turn_a, 0, &e), 1);
	assert_int_equal(turn_take(&t.turn_a, 0, &e), 1);
	turn_release(&t.turn_a);
	turn_release(&t.turn_a);
	assert_int_equal(turn_pass(&t.turn_b, 0, &e), 1);
	assert_int_equal(turn_take(&t.turn_b, LONG_MS, &e), 1);
	assert_int_equal(turn_pass(&t.turn_a, 0, &e), 0);
	close_two(&t);
}

static void a_wait_ends_at_its_timeout(void **state)
{
	struct two t = open_two();
	struct err e;
	int64_t begin;

	(void)state;
	assert_int_equal(turn_take(&t.turn_a, LONG_MS, &e), 1);
	begin = clock_boot_ns();
	assert_int_equal(turn_pass(&t.turn_b, 30, &e), 0);
	assert_true(clock_boot_ns() - begin >= 30 * CLOCK_NS_PER_MS);
	close_two(&t);
}

static void another_stream_has_a_turn_of_its_own(void **state)
{
	struct two t = open_two();
	struct err e;

	(void)state;
	turn_init(&t.turn_b, t.b, (struct span){"cart-8", 6});
	assert_int_equal(turn_take(&t.turn_a, LONG_MS, &e), 1);
	assert_int_equal(turn_take(&t.turn_b, 0, &e), 1);
	close_two(&t);
}

static void who_just_appends_does_not_wait(void **state)
{
	struct two t = open_two();
	struct err e;

	(void)state;
	assert_int_equal(turn_take(&t.turn_a, LONG_MS, &e), 1);
	if (check_append(t.b, "cart-9", NULL, &e) < 0)
		fail_msg("%s", e.msg);
	assert_int_equal(turn_pass(&t.turn_b, 0, &e), 0);
	close_two(&t);
}

static void the_turn_of_one_that_is_killed_is_free(void **state)
{
	struct two t = open_two();
	struct err e;
	int ready[2];
	char byte;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		struct evlog *s = check_open(t.dir, NULL, &e);
		struct turn turn;

		if (s == NULL)
			_exit(1);
		turn_init(&turn, s, stream);
		if (turn_take(&turn, LONG_MS, &e) != 1 || write(ready[1], "r", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(turn_pass(&t.turn_b, 0, &e), 0);
	kill(pid, SIGKILL);
	assert_int_equal(turn_pass(&t.turn_b, LONG_MS, &e), 1);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(ready[0]);
	close(ready[1]);
	close_two(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(while_nobody_has_the_turn_all_pass),
	    cmocka_unit_test(who_has_the_turn_keeps_the_others_back),
	    cmocka_unit_test(a_wait_ends_at_its_timeout),
	    cmocka_unit_test(another_stream_has_a_turn_of_its_own),
	    cmocka_unit_test(who_just_appends_does_not_wait),
	    cmocka_unit_test(the_turn_of_one_that_is_killed_is_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
