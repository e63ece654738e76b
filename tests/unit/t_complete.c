/* complete: the scripts complete verbs, options and arguments in the real shells. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "shell.h"
#include "toy_tool.h"

/* The test's directory holds the scripts, the drivers, and a file and a directory to be found. */
static const char files[] = "mkdir dir && touch file.json && $TOY --completion bash >toy.bash &&\n"
			    "$TOY --completion zsh >_toy && $TOY --completion fish >toy.fish &&\n"
			    "$TOY --plain --completion bash >toylock.bash &&\n"
			    "$TOY --plain --completion zsh >_toylock &&\n"
			    "$TOY --plain --completion fish >toylock.fish\n";

/* Split the line as readline does, and call what `complete -p` names. */
static const char bash_driver[] =
    "source \"./$1.bash\"\n"
    "line=$2\n"
    "COMP_WORDS=()\n"
    "while [[ $line =~ ^\\ *([=:]+|[^=:\\ ]+) ]]; do\n"
    "	COMP_WORDS+=(\"${BASH_REMATCH[1]}\")\n"
    "	line=${line#\"${BASH_REMATCH[0]}\"}\n"
    "done\n"
    "[[ $2 == *' ' ]] && COMP_WORDS+=('')\n"
    "COMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n"
    "spec=$(complete -p \"$1\")\n"
    "[[ $spec =~ -F\\ ([^ ]+) ]] && \"${BASH_REMATCH[1]}\" && printf '%s\\n' \"${COMPREPLY[@]}\"\n";

/*
 * A shell on a terminal of its own presses TAB; what its completion adds is printed.  ^T begins no
 * longer key, so that nothing is waited for behind it; what compinit found is in a file.
 */
static const char zsh_driver[] =
    "zmodload zsh/zpty\n"
    "zpty z zsh -f -i\n"
    "zpty -w z 'PROMPT= RPROMPT=; stty -echo; unset zle_bracketed_paste; fpath=($PWD $fpath)\n"
    "autoload -Uz compinit; compinit -C -d $PWD/zsh_found'\n"
    "zpty -w z 'compadd() {\n"
    "	local -a hits\n"
    "	if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\\ * ]]; then\n"
    "		builtin compadd \"$@\"\n"
    "		return\n"
    "	fi\n"
    "	builtin compadd -A hits \"$@\"\n"
    "	(($#hits)) && print -rl -- \"offered:\"$^hits\n"
    "	builtin compadd \"$@\"\n"
    "}\n"
    "leave() { exit }\n"
    "zle -N leave; bindkey \"^T\" leave\n"
    "print ready''now'\n"
    "zpty -r z got '*readynow*' || exit\n"
    "zpty -w -n z \"$2\"$'\\t\\x14'\n"
    "while zpty -r z got; do print -rn -- $got; done | tr -d '\\r' |\n"
    "	sed -n 's/.*offered://p'\n";

static const char fish_driver[] = "source ./$argv[1].fish; complete -C $argv[2] | cut -f1\n";

static char dir[] = "/tmp/t_complete.XXXXXX";

static void write_file(const char *name, const char *text)
{
	FILE *f = fopen(name, "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static int set_up(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL || chdir(dir) < 0)
		return -1;
	write_file("drive.bash", bash_driver);
	write_file("drive.zsh", zsh_driver);
	write_file("drive.fish", fish_driver);
	setenv("HOME", dir, 1); /* whatever the shells keep there */
	unsetenv("XDG_CONFIG_HOME");
	unsetenv("XDG_DATA_HOME");
	shell_expect(files, 0, "", "");
	return 0;
}

static int tear_down(void **state)
{
	char script[64];

	(void)state;
	snprintf(script, sizeof(script), "rm -rf %s", dir);
	shell_expect(script, 0, "", "");
	return 0;
}

static bool has_word(const char *words, const char *word, size_t len)
{
	for (; *words != '\0'; words += strspn(words, " \n")) {
		size_t n = strcspn(words, " \n");

		if (n == len && memcmp(words, word, len) == 0)
			return true;
		words += n;
	}
	return false;
}

/* Is every word of `words` among what is offered, or none? */
static void check_words(const char *line, const char *offered, const char *words, bool wanted)
{
	for (; *words != '\0'; words += strspn(words, " ")) {
		size_t n = strcspn(words, " ");

		if (has_word(offered, words, n) != wanted)
			fail_msg("'%s': %.*s: %s", line, (int)n, words, offered);
		words += n;
	}
}

/* Every word of `all` is offered for the line, and none of `none`. */
static void check(const char *shell, const char *line, const char *all, const char *none)
{
	const char *flags = strcmp(shell, "zsh") == 0    ? "-f"
	                    : strcmp(shell, "bash") == 0 ? "--norc"
	                                                 : "--no-config";
	char script[256];
	struct shell s;

	snprintf(script, sizeof(script), "%s %s drive.%s '%.*s' '%s' >offers; sed s,/$,, offers",
	         shell, flags, shell, (int)strcspn(line, " "), line, line);
	s = shell_run(script);
	if (s.status != 0 || *s.err != '\0')
		fail_msg("%s, '%s': %s", shell, line, s.err);
	check_words(line, s.out, all, true);
	check_words(line, s.out, none, false);
	shell_done(&s);
}

static void check_lines(const char *shell)
{
	static const char *const cases[][3] = {
	    {"toy ", "add list wrap help", "misc file.json dir red -t"},
	    {"toy a", "add", "list"},
	    {"toy --", "--store --quiet --help --version", "--type --completion add"},
	    {"toy -s list ", "add list", "red file.json"},
	    {"toy -s dir l", "list", "add"},
	    {"toy -s ", "dir", "add file.json"},
	    {"toy help ", "add list", "help file.json"},
	    {"toy add ", "file.json", "add list"},
	    {"toy add f", "file.json", "dir"},
	    {"toy add --e", "--expect --each", "--evolve --store --secret"},
	    {"toy add --", "--type --expect --once --store --help", "--evolve --secret"},
	    {"toy add -x ", "any none exists", "file.json add"},
	    {"toy add --expect ", "any none exists", "file.json add"},
	    {"toy add x --expect n", "none", "any"},
	    {"toy add -t ", "", "any add file.json"},
	    {"toy add -t list ", "file.json", "red green"},
	    {"toy -q add --a-name-that-needs-its-own-line f", "file.json", "any"},
	    {"toy list ", "red green", "file.json"},
	    {"toy list gr", "green", "red"},
	    {"toy -s x list --q", "--quiet", "--type"},
	    {"toy wrap a -e tou", "touch", "file.json"},
	    {"toy wrap a -- tou", "touch", "file.json"},
	    {"toy wrap a -- touch f", "file.json", "--evolve"},
	    {"toylock --w", "--wait", "--verbose"},
	    {"toylock -w ", "forever now", "file.json"},
	    {"toylock -w 5 name tou", "touch", "file.json"},
	    {"toylock -v name -- tou", "touch", "file.json"},
	    {"toylock name touch f", "file.json", "forever"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		check(shell, cases[i][0], cases[i][1], cases[i][2]);
}

static void bash_completes(void **state)
{
	(void)state;
	if (!shell_has("bash"))
		skip();
	check_lines("bash");
	check("bash", "toy add --expect=", "any none exists", "");
	check("bash", "toy add --expect=n", "none", "any");
	check("bash", "toy -s http://a:1 l", "list", "add");
	check("bash", "toy add --type=k:v f", "file.json", "");
	check("bash", "toy add -- --e", "", "--each");
}

static void zsh_completes(void **state)
{
	(void)state;
	/* Its completion is driven through a terminal. */
	if (!shell_has("zsh") || !shell_has_terminals())
		skip();
	shell_expect("zsh -fc 'fpath=($PWD $fpath); autoload -Uz compinit;\n"
	             "compinit -u -d $PWD/zsh_found; print $_comps[toy]'",
	             0, "_toy\n", "");
	check_lines("zsh");
	shell_expect("zsh -fc 'autoload -Uz compinit; compinit -D -u; source ./_toy;\n"
	             "print $_comps[toy]'",
	             0, "_toy\n", "");
}

static void fish_completes(void **state)
{
	(void)state;
	if (!shell_has("fish"))
		skip();
	check_lines("fish");
	check("fish", "toy add --expect=n", "--expect=none", "--expect=any");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bash_completes),
	    cmocka_unit_test(zsh_completes),
	    cmocka_unit_test(fish_completes),
	};

	if (toy_wanted())
		return toy_main(argc, argv);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
