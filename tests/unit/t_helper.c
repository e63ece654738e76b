#include "tool/helper.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shell.h"

/* Copied as BIN/NAME this program looks for a helper by its own place. */
static int print_helper(void)
{
	struct buf path = {0};
	struct err e;
	int status = 0;

	if (tool_helper("evlog-x", &path, &e) == 0) {
		puts(path.data);
	} else {
		puts(e.msg);
		status = e.code == ENOENT ? 66 : 1;
	}
	buf_done(&path);
	return status;
}

#define TREE                                                                          \
	"d=$(mktemp -d) && trap 'rm -rf \"$d\"' EXIT && cd \"$d\" && d=$(pwd -P) && " \
	"mkdir -p bin libexec/shoal && cp \"$HELPER_TEST\" bin/tool && "              \
	"put() { printf '#!/bin/sh\\n' >\"$1\" && chmod +x \"$1\"; } && "

static void a_helper_lies_beside_its_tool_installed_or_built(void **state)
{
	(void)state;
	shell_expect(TREE "put libexec/evlog-x && ./bin/tool | sed \"s|$d|D|\" && "
	                  "put libexec/shoal/evlog-x && ./bin/tool | sed \"s|$d|D|\"",
	             0, "D/bin/../libexec/evlog-x\nD/bin/../libexec/shoal/evlog-x\n", "");
}

static void a_link_to_the_tool_finds_the_helper_of_its_real_place(void **state)
{
	(void)state;
	shell_expect(TREE "put libexec/evlog-x && mkdir other && ln -s ../bin/tool other/tool && "
	                  "other/tool | sed \"s|$d|D|\"",
	             0, "D/bin/../libexec/evlog-x\n", "");
}

static void a_missing_helper_is_named_with_its_places(void **state)
{
	(void)state;
	shell_expect(TREE ": >libexec/evlog-x && PATH=$d/libexec/shoal:$PATH && "
	                  "{ ./bin/tool; echo $?; } | sed \"s|$d|D|g\"",
	             0,
	             "the helper program 'evlog-x' is not in 'D/bin/../libexec/shoal' nor in "
	             "'D/bin/../libexec'\n66\n",
	             "");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_helper_lies_beside_its_tool_installed_or_built),
	    cmocka_unit_test(a_link_to_the_tool_finds_the_helper_of_its_real_place),
	    cmocka_unit_test(a_missing_helper_is_named_with_its_places),
	};
	char *self;

	if (argc > 0 && strcmp(argv[0] + strlen(argv[0]) - strlen("tool"), "tool") == 0)
		return print_helper();
	self = realpath("/proc/self/exe", NULL);
	if (self == NULL || setenv("HELPER_TEST", self, 1) != 0)
		return 1;
	free(self);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
