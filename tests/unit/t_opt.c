/* opt and help: the grammar of command lines, usage errors, help texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "shell.h"
#include "toy_tool.h"

static void options_and_operands_come_in_any_order(void **state)
{
	static const char out[] = "t=T\n1=\noperand a\noperand -\noperand b\n";

	(void)state;
	shell_expect("$TOY add a -t T - --each b", 0, out, "");
	shell_expect("$TOY add -tT a - --each b", 0, out, "");
	shell_expect("$TOY add a - b --type=T --each", 0, out, "");
	shell_expect("POSIXLY_CORRECT=1 $TOY add a --type T - --each b", 0, out, "");
}

static void two_dashes_end_the_options(void **state)
{
	(void)state;
	shell_expect("$TOY add -q -- -t --each", 0, "q=\noperand -t\noperand --each\n", "");
	shell_expect("$TOY add a -- --", 0, "operand a\noperand --\n", "");
	shell_expect("$TOY add a --", 0, "operand a\n", "");
	shell_expect("$TOY add -t -- a", 0, "t=--\noperand a\n", "");
}

static void the_tools_options_stand_before_and_after_the_verb(void **state)
{
	(void)state;
	shell_expect("$TOY -s x -q add a --store y", 0, "s=x\nq=\ns=y\noperand a\n", "");
	shell_expect("$TOY -qs add add a", 0, "q=\ns=add\noperand a\n", "");
	shell_expect("$TOY -s x -- add a -q", 0, "s=x\nq=\noperand a\n", "");
	shell_expect("$TOY -s -- add a", 0, "s=--\noperand a\n", "");
	shell_expect("$TOY -t x add a", 64, "", "toy: unknown option '-t'; see 'toy --help'\n");
}

static void an_optional_argument_needs_its_equals_sign(void **state)
{
	(void)state;
	shell_expect("$TOY add --once a --once=b", 0, "2=\n2=b\noperand a\n", "");
}

static void an_empty_argument_is_an_argument(void **state)
{
	(void)state;
	shell_expect("$TOY add -t '' --type= ''", 0, "t=\nt=\noperand \n", "");
}

static void wrong_usage_is_one_line_and_exit_64(void **state)
{
	static const char *const cases[][2] = {
	    {"", "missing verb; see 'toy --help'"},
	    {"-q", "missing verb; see 'toy --help'"},
	    {"ad a", "unknown verb 'ad'; see 'toy --help'"},
	    {"'a\nb'", "unknown verb 'a?b'; see 'toy --help'"},
	    {"--nothing", "unknown option '--nothing'; see 'toy --help'"},
	    {"-h", "unknown option '-h'; see 'toy --help'"},
	    {"add --nothing=5 a", "unknown option '--nothing'; see 'toy add --help'"},
	    {"add a -qz", "unknown option '-z'; see 'toy add --help'"},
	    {"add a --ty x", "unknown option '--ty'; see 'toy add --help'"},
	    {"add a --he", "unknown option '--he'; see 'toy add --help'"},
	    {"add a -t", "option '-t' needs an argument; see 'toy add --help'"},
	    {"add a -qt", "option '-t' needs an argument; see 'toy add --help'"},
	    {"add a --type", "option '--type' needs an argument; see 'toy add --help'"},
	    {"add a --each=5", "option '--each' takes no argument; see 'toy add --help'"},
	    {"add a --help=5", "option '--help' takes no argument; see 'toy add --help'"},
	    {"add", "missing STREAM; see 'toy add --help'"},
	    {"add a b c d e", "unexpected operand 'd'; see 'toy add --help'"},
	    {"add -x never", "option '-x': 'never' is no version; see 'toy add --help'"},
	    {"add --expect never",
	     "option '--expect': 'never' is no version; see 'toy add --help'"},
	    {"help ad", "unknown verb 'ad'; see 'toy --help'"},
	    {"help add b", "unexpected operand 'b'; see 'toy --help'"},
	    {"--completion tcsh",
	     "no completion for shell 'tcsh': bash, zsh or fish; see 'toy --help'"},
	};
	char script[128];
	char line[256];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		snprintf(script, sizeof(script), "$TOY %s", cases[i][0]);
		snprintf(line, sizeof(line), "toy: %s\n", cases[i][1]);
		shell_expect(script, 64, NULL, line);
	}
}

static void typed_arguments_are_checked_and_the_option_is_named(void **state)
{
	static const char *const bad[] = {
	    "-n 0",        "-n 1001",        "-n x",      "-n -1",      "-n ''",
	    "--wait 5q",   "--wait -1s",     "--size 2M", "--size 0",   "--size 1X",
	    "--count 1e3", "--wait 100000d", "--wait ''", "--wait 1s1s"};
	char script[128];
	char start[64];
	struct shell s;

	(void)state;
	shell_expect(
	    "$TOY add a -n 7 --count=1000 --wait 1m30s --wait .5 --size 1K", 0,
	    "count 7\ncount 1000\nwait 90000000000\nwait 500000000\nsize 1024\noperand a\n", "");
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		snprintf(script, sizeof(script), "$TOY add a %s", bad[i]);
		snprintf(start, sizeof(start), "toy: option '%.*s': ", (int)strcspn(bad[i], " "),
		         bad[i]);
		s = shell_run(script);
		assert_int_equal(s.status, 64);
		assert_memory_equal(s.err, start, strlen(start));
		assert_ptr_equal(strchr(s.err, '\n'), s.err + strlen(s.err) - 1);
		shell_done(&s);
	}
}

static void a_tool_that_wraps_a_command_leaves_its_options_alone(void **state)
{
	static const char out[] = "v=\nw=5\noperand name\ncommand cmd\ncommand -v\ncommand --\n";

	(void)state;
	shell_expect("$TOY --plain -v -w 5 name cmd -v --", 1, out, "");
	shell_expect("$TOY --plain -v -w 5 name -- cmd -v --", 1, out, "");
	shell_expect("$TOY --plain -vw5 -- name cmd -v --", 1, out, "");
	shell_expect("POSIXLY_CORRECT=1 $TOY --plain -vw5 -- name -- cmd -v --", 1, out, "");
	shell_expect("$TOY --plain name", 1, "operand name\n", "");
	shell_expect("$TOY --plain name --", 1, "operand name\n", "");
	shell_expect("$TOY --plain", 1, "", "");
	shell_expect("$TOY --plain -x name", 64, "",
	             "toylock: unknown option '-x'; see 'toylock --help'\n");
}

static void a_verb_that_wraps_a_command_has_it_after_two_dashes(void **state)
{
	(void)state;
	shell_expect("$TOY wrap name -0 -- cmd -0 -- x", 1,
	             "0=\noperand name\ncommand cmd\ncommand -0\ncommand --\ncommand x\n", "");
	shell_expect("$TOY wrap a -e -- b", 1, "e=--\noperand a\noperand b\n", "");
	shell_expect("$TOY wrap a --", 1, "operand a\n", "");
	shell_expect("$TOY wrap a b", 1, "operand a\noperand b\n", "");
}

static void options_without_help_work_but_are_not_shown(void **state)
{
	(void)state;
	shell_expect("$TOY add a --secret", 0, "6=\noperand a\n", "");
	shell_expect(
	    "for s in bash zsh fish; do $TOY --completion $s; done | grep -e secret -e misc", 0,
	    NULL, "");
	shell_expect("$TOY add --help | grep secret", 1, "", "");
}

static const char toy_help[] = "usage: toy [-q] [-s URL] VERB [ARGUMENT]...\n"
			       "\n"
			       "A toy with verbs.\n"
			       "\n"
			       "Verbs:\n"
			       "  add   add what's new\n"
			       "  list  list all\n"
			       "  wrap  wrap a command\n"
			       "  help  show the help of a verb\n"
			       "\n"
			       "Options:\n"
			       "  -s, --store URL  the store\n"
			       "  -q, --quiet      say nothing that isn't [an] error: ever\n"
			       "      --help       show this help\n"
			       "      --version    show the version\n"
			       "\n"
			       "'toy VERB --help' shows the options of a verb.\n";

static const char add_help[] = "usage: toy add STREAM [-t TYPE] [FILE|-]\n"
			       "       toy add --batch [FILE|-]\n"
			       "\n"
			       "add what's new\n"
			       "\n"
			       "Options:\n"
			       "  -t, --type TYPE       type of what is added\n"
			       "  -x, --expect VERSION  expected version\n"
			       "  -n, --count N         how many\n"
			       "      --each            commit every line\n"
			       "      --once[=SLOT]     only once\n"
			       "      --wait DURATION   how long to wait\n"
			       "      --size SIZE       how large\n"
			       "      --a-name-that-needs-its-own-line VALUE\n"
			       "                        long\n"
			       "  -s, --store URL       the store\n"
			       "  -q, --quiet           say nothing that isn't [an] error: ever\n"
			       "      --help            show this help\n"
			       "      --version         show the version\n";

static void help_goes_to_stdout_synopsis_first(void **state)
{
	(void)state;
	shell_expect("$TOY --help", 0, toy_help, "");
	shell_expect("$TOY help", 0, toy_help, "");
	shell_expect("$TOY -q --help add", 0, toy_help, "");
	shell_expect("$TOY add --help", 0, add_help, "");
	shell_expect("$TOY help add", 0, add_help, "");
	shell_expect("$TOY add a -n 5 --help -n none | tail -n +2", 0, NULL, "");
	shell_expect("$TOY list --help | head -n 1", 0, "usage: toy list\n", "");
	shell_expect("$TOY wrap --help | grep NUL", 0,
	             "  -0                    names end with NUL\n", "");
	shell_expect("$TOY --plain --help", 0,
	             "usage: toylock [-v] [-w DURATION] NAME COMMAND [ARGUMENT]...\n"
	             "\n"
	             "A toy that wraps a command.\n"
	             "\n"
	             "Options:\n"
	             "  -w, --wait DURATION  how long to wait\n"
	             "  -v, --verbose        say more\n"
	             "      --help           show this help\n"
	             "      --version        show the version\n",
	             "");
}

static void the_version_is_that_of_the_collection(void **state)
{
	(void)state;
	shell_expect("$TOY --version", 0, "toy (shoal) " SHOAL_VERSION "\n", "");
	shell_expect("$TOY add --version", 0, "toy (shoal) " SHOAL_VERSION "\n", "");
	shell_expect("$TOY --plain --version", 0, "toylock (shoal) " SHOAL_VERSION "\n", "");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(options_and_operands_come_in_any_order),
	    cmocka_unit_test(two_dashes_end_the_options),
	    cmocka_unit_test(the_tools_options_stand_before_and_after_the_verb),
	    cmocka_unit_test(an_optional_argument_needs_its_equals_sign),
	    cmocka_unit_test(an_empty_argument_is_an_argument),
	    cmocka_unit_test(wrong_usage_is_one_line_and_exit_64),
	    cmocka_unit_test(typed_arguments_are_checked_and_the_option_is_named),
	    cmocka_unit_test(a_tool_that_wraps_a_command_leaves_its_options_alone),
	    cmocka_unit_test(a_verb_that_wraps_a_command_has_it_after_two_dashes),
	    cmocka_unit_test(options_without_help_work_but_are_not_shown),
	    cmocka_unit_test(help_goes_to_stdout_synopsis_first),
	    cmocka_unit_test(the_version_is_that_of_the_collection),
	};

	if (toy_wanted())
		return toy_main(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
