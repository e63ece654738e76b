# What the pages show is what happens: the examples of evlog(1), the pages of its verbs and
# evlog-format(5) run here. Those of README.md and shoal(7) run in all.bats, the section WHEN THINGS
# GO WRONG in evlog-trouble.bats.

load lib/evlog
load lib/examples

setup() {
	evlog_setup
	pages=$BATS_TEST_DIRNAME/..
}

@test "the examples of evlog(1) do what they say" {
	run_examples "$pages/man/evlog.1"
}

@test "the examples of evlog-handle(1) do what they say" {
	run_examples "$pages/man/evlog-handle.1"
}

@test "the jobs for cron in evlog(1) are silent when all is well" {
	evlog init
	awk '/^\.Sh / { on = /EXAMPLES/ } on && /^[0-9*\/]+ .*\t/' "$pages/man/evlog.1" |
	    cut -f 2- | sed "s/\\\\-/-/g; s/\\\\(aq/'/g" >cron
	[ "$(lines_in cron)" -ge 2 ]
	while IFS= read -r job; do
		run -0 --separate-stderr sh -c "$job"
		[ -z "$output$stderr" ]
	done <cron
	grep -q 'append -q' cron
	[ "$(evlog head)" != 00000000000000000000 ]
}

@test "the pipelines of evlog-format(5) read a log without evlog" {
	printf '{"type":"Placed","data":{"a b":"c d"}}\n{"type":"Paid"}\n' |
	    evlog append order-42 -q 2>/dev/null
	fill user-7 1 3
	awk '/^\.Sh / { on = /EXAMPLES/ } on && /^cat /' "$pages/man/evlog-format.5" |
	    sed "s/\\\\-/-/g; s/\\\\(aq/'/g; s/\\\\(ha/^/g" >pipelines
	cd s
	[ "$(bash -c "$(sed -n 1p ../pipelines)" | awk '{ print $1, $2 }' | paste -sd ' ')" = \
	    "2 order-42 3 user-7" ]
	[ "$(bash -c "$(sed -n 2p ../pipelines)")" = 'Placed {"a b":"c d"}'$'\n''Paid -' ]
}
