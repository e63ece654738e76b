/*
 * shell: runs a line of sh from a unit test and keeps what it said.
 *
 * $TOY in the script is this test program acting as the toy tool (toy_tool.h), when its main()
 * begins with `if (toy_wanted()) return toy_main(argc, argv)`.  A script that has not ended after
 * SHELL_DEADLINE_S fails the test.
 */
#ifndef SHOAL_TESTS_SHELL_H
#define SHOAL_TESTS_SHELL_H

#include <stdbool.h>

#define SHELL_DEADLINE_S 120

struct shell {
	int status; /* exit status, or 128 + N after signal N */
	char *out;
	char *err;
};

/* Free what it returns with shell_done(). */
struct shell shell_run(const char *script);
void shell_done(struct shell *s);

/* Is this program on the PATH? */
bool shell_has(const char *program);

/* Whether pseudo-terminals can be had: not where /dev/pts is not mounted. */
bool shell_has_terminals(void);

/* Run a script and compare its status and, when they are not NULL, its output and its errors. */
void shell_expect(const char *script, int status, const char *out, const char *err);

#endif
