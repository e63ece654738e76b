# What HACKING.md promises about the build, the test runner, lint and planted bugs, tried on small
# trees of their own: a check that cannot fail proves nothing.
bats_require_minimum_version 1.5.0

setup() {
	root=$(realpath "$BATS_TEST_DIRNAME/..")
	cd "$BATS_TEST_TMPDIR" || exit
	unset CI B TEST SOAK SAN COV DEV FUZZ V CC CFLAGS LDFLAGS ASAN_OPTIONS
}

# A tree with the build files, one module and one tool.
small_tree() {
	mkdir -p tree/lib/base tree/cmd && cd tree || return
	cp -r "$root"/{Makefile,VERSION,scripts} .
	echo 'int one(void); int one(void) { return 1; }' >lib/base/one.c
	echo 'int two(void); int two(void) { return 2; }' >lib/base/two.c
	echo 'int main(void) { return 0; }' >cmd/tool.c
}

build() { make MAKEFLAGS= "$@" 2>&1; }

# program NAME: what comes in is a unit test, and its source exists.
program() {
	mkdir -p tests/unit build/tests/unit
	: >"tests/unit/$1.c"
	{ echo '#!/bin/bash' && cat; } >"build/tests/unit/$1"
	chmod +x "build/tests/unit/$1"
}

# runner [VARIABLE=VALUE]...: run tests/run in this directory.
runner() {
	mkdir -p build/tmp/x
	run env B="$PWD/build" TMPDIR="$PWD/build/tmp/x" "$@" "$root/tests/run"
}

# source_file PATH: what comes in is a source file of a tree in this directory.
source_file() {
	mkdir -p "$(dirname "$1")" && cat >"$1"
}

@test "make: a second run does nothing, a change of flags or files does what is needed" {
	small_tree
	[[ $(build) == *"LD    build/bin/tool"* ]]
	[[ $(build) == *"Nothing to be done"* ]]
	[ "$(build CFLAGS=-O1 | grep -c ' CC ')" -eq 3 ]
	[[ $(build CFLAGS=-O1) == *"Nothing to be done"* ]]
	rm lib/base/two.c
	[[ $(build CFLAGS=-O1) == *"AR "* ]]
	[ "$(ar t build/libshoal.a)" = one.o ]
	build B=build-other && [ -x build-other/bin/tool ]
}

@test "make: without a compiler it names the apt line" {
	small_tree
	run make MAKEFLAGS= CC=no-such-compiler
	[ "$status" -ne 0 ]
	[[ $output == *"no-such-compiler or a library's header is missing"* ]]
}

@test "make: install and uninstall know the same files" {
	small_tree
	mkdir man && touch man/tool.1 man/tool-format.5
	build install DESTDIR="$PWD/dest" PREFIX=/usr
	[ -x dest/usr/bin/tool ]
	[ -f dest/usr/share/man/man5/tool-format.5 ]
	[ "$(find dest -type f | wc -l)" -eq 6 ]
	build uninstall DESTDIR="$PWD/dest" PREFIX=/usr
	[ "$(find dest -type f | wc -l)" -eq 0 ]
}

@test "the runner counts TAP, and the last line says so" {
	program t_a <<<'echo 1..2; echo ok 1 - one; echo ok 2 - two'
	program t_b <<<'true'
	runner
	[ "$status" -eq 0 ]
	[ "${lines[-1]}" = "3 passed, 0 failed" ]
}

@test "the runner fails for each way in which a program can go wrong" {
	program t_not_ok <<<'echo 1..1; echo not ok 1 - bad; exit 1'
	program t_status <<<'echo 1..1; echo ok 1 - good; exit 3'
	program t_early <<<'echo 1..2; echo ok 1 - good'
	program t_signal <<<'kill -9 $$'
	program t_silent <<<'exit 1'
	runner
	[ "$status" -eq 1 ]
	[ "${lines[-1]}" = "2 passed, 5 failed" ]
	[[ $output == *"failed: unit/t_not_ok: bad"* ]]
	[[ $output == *"failed: unit/t_early: (ran 1 of 2 tests)"* ]]
	[[ $output == *"failed: unit/t_signal: (exit status 137)"* ]]
}

@test "no test at all is a failure" {
	runner
	[ "$status" -eq 1 ]
	program t_a <<<'true'
	runner TEST=nothing-of-that-name
	[ "$status" -eq 1 ]
}

@test "a skipped test is named; in CI it fails, except by design" {
	program t_a <<-'PROGRAM'
	echo 1..3
	echo "ok 1 one # skip no server"
	echo "ok 2 two # skip by design: no"
	echo "ok 3 three"
	PROGRAM
	runner
	[ "$status" -eq 0 ]
	[ "${lines[-1]}" = "1 passed, 0 failed, 2 skipped" ]
	[[ $output == *"skipped: unit/t_a: one (no server)"* ]]
	runner CI=true
	[ "$status" -eq 1 ]
	[ "${lines[-1]}" = "1 passed, 1 failed, 1 skipped" ]
}

@test "a sanitizer's report fails the run, whoever wrote it" {
	program t_a <<<'echo report >"${ASAN_OPTIONS##*log_path=}.123"'
	runner
	[ "$status" -eq 1 ]
	[ "${lines[-1]}" = "1 passed, 1 failed" ]
}

@test "lint: forbidden calls, comments and sizes are seen" {
	local line
	while IFS= read -r line; do
		printf 'int f(void)\n{\n\t%s\n}\n' "$line" >"$BATS_TEST_TMPDIR/line"
		source_file lib/evlog/x.c <"$BATS_TEST_TMPDIR/line"
		run "$root/scripts/lint-style" lib/evlog/x.c
		[ "$status" -ne 0 ] || { echo "not seen: $line" && return 1; }
	done <<-'LINES'
	strcpy(a, b);
	n = atoi (s);
	system("ls");
	printf("x");
	exit(1);
	x = getenv("HOME");
	t = time(NULL);
	fd = open("x", O_RDONLY);
	f = fopen("x", "r");
	pipe(fds);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	x = 1; // why
	x = 1; /* TODO */
	LINES
	{ echo 'int f(void)' && echo '{' && seq -f '	x = %.0f;' 69 && echo '}'; } |
	    source_file lib/evlog/x.c
	run "$root/scripts/lint-style" lib/evlog/x.c
	[[ $output == *"71 lines"* ]]
	seq -f 'int x%.0f;' 501 | source_file lib/evlog/x.c
	run "$root/scripts/lint-style" lib/evlog/x.c
	[[ $output == *"501 lines"* ]]
	printf '%0101d\n' 0 | source_file lib/evlog/x.c
	run "$root/scripts/lint-style" lib/evlog/x.c
	[[ $output == *"over 100 columns"* ]]
}

@test "lint: what only looks like a forbidden call is allowed" {
	source_file lib/evlog/x.c <<-'CODE'
	/* strcpy(a, b) and // in a comment */
	int f(void)
	{
		snprintf(b, sizeof(b), "strcpy(%s) // \" system(", s);
		my_exit(1);
		o->time(2);
		fd = openat(dir, "x",
		    O_RDONLY | O_CLOEXEC);
		f = fopen("x", "re");
		pipe2(fds, O_CLOEXEC);
	}
	CODE
	"$root/scripts/lint-style" lib/evlog/x.c
}

@test "lint: an include upward, sideways or of another's library is seen" {
	local file header
	printf '/*\n * frame: lines.  Pure.\n */\n' | source_file lib/evlog/frame.h
	printf '/*\n * store: files.\n */\n' | source_file lib/evlog/store.h
	while read -r file header; do
		printf '#include %s\n' "$header" | source_file "$file"
		[ "$file" != lib/evlog/frame.c ] || sed -i '1i #include "evlog/frame.h"' "$file"
		run "$root/scripts/lint-layers" "$file"
		[ "$status" -ne 0 ] || { echo "not seen: $file $header" && return 1; }
	done <<-'LINES'
	lib/base/x.c "os/file.h"
	lib/os/x.c "evlog/store.h"
	lib/evlog/x.c "tool/tool.h"
	lib/evlog/x.c "raft/private.h"
	lib/evlog/x.c "../os/file.h"
	lib/evlog/frame.c "os/file.h"
	lib/evlog/frame.c "evlog/store.h"
	lib/evlog/frame.c <unistd.h>
	lib/evlog/x.c <jansson.h>
	cmd/evlog/x.c "cmd/raftd/x.h"
	cmd/evlog/x.c "../raftd/x.h"
	cmd/evlog/x.c <sodium.h>
	LINES
	: | source_file lib/os/y.h
	printf '#include "os/file.h"\n#include "os/y.h"\n' | source_file lib/os/y.c
	run "$root/scripts/lint-layers" lib/os/y.c
	[[ $output == *"its own header first"* ]]
}

@test "lint: a second meaning of a letter is seen" {
	cp "$root/HACKING.md" .
	echo "static struct opt o[] = {{'s', \"store\", NULL}};" | source_file cmd/evlog/x.c
	echo "static struct opt o[] = {{'s', \"shared\", NULL}};" | source_file cmd/dlock.c
	"$root/scripts/lint-letters"
	echo "static struct opt o[] = {{'s', \"shared\", NULL}};" | source_file cmd/evlog/x.c
	run "$root/scripts/lint-letters"
	[[ $status -eq 1 && $output == "cmd/evlog/x.c:1: -s is --shared"* ]]
}

@test "a planted bug is caught, survives, or does not apply" {
	local n
	small_tree
	mkdir -p tests/bugs
	for n in 3 4; do
		cat >tests/bugs/0$n-bug.patch <<-PATCH
		Bug: one is $n
		Check: grep 'return 4' lib/base/one.c || { echo failed: x; false; }
		Budget: 60s

		--- a/lib/base/one.c
		+++ b/lib/base/one.c
		@@ -1 +1 @@
		-int one(void); int one(void) { return 1; }
		+int one(void); int one(void) { return $n; }
		PATCH
	done
	sed 's/return 1/return 9/' tests/bugs/03-bug.patch >tests/bugs/05-bug.patch
	run make MAKEFLAGS= bugs
	[ "$status" -ne 0 ]
	grep -q '^03-bug .* caught$' <<<"$output"
	grep -q '^04-bug .* SURVIVED$' <<<"$output"
	grep -q '^05-bug .* ERROR: does not apply$' <<<"$output"
	make MAKEFLAGS= bugs ONLY=03
	grep -q 'return 1' lib/base/one.c
}

@test "examples: output, exit status and continuation lines are compared" {
	local page=$root/tests/lib/examples.bash
	source_file good.md <<-'PAGE'
	```
	$ for i in 1 2; do
	>   echo "line $i"; done
	line ...
	...
	$ seq 9
	1
	...
	9
	$ false
	# exit 1
	```
	PAGE
	bash "$page" good.md
	sed 's/^9/8/' good.md >bad.md
	run bash "$page" bad.md
	[ "$status" -eq 1 ]
	sed 's/^# exit 1/# exit 2/' good.md >bad.md
	run bash "$page" bad.md
	[ "$status" -eq 1 ]
	echo 'no example' >empty.md
	run bash "$page" empty.md
	[ "$status" -eq 1 ]
}
