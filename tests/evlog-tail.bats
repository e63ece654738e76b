# What evlog(1) promises about tail: the last events, following, and ending.

load lib/evlog

setup() { evlog_setup; }
teardown() { evlog_teardown; }

# follow FILE ARGUMENT...: evlog tail -f into a file, in the background; its process id in $!.
follow() {
	local out=$1
	shift
	evlog tail -f -o data "$@" >"$out" 2>"$out.err" 3>&- &
	started $!
}

@test "tail prints the last ten events" {
	fill a 1 15
	[ "$(evlog tail a -o data | digits)" = "6 7 8 9 10 11 12 13 14 15" ]
	[ "$(evlog tail --all -o data | digits)" = "6 7 8 9 10 11 12 13 14 15" ]
	fill b 16 17
	[ "$(evlog tail b -o data | digits)" = "16 17" ]
}

@test "-n begins with the last N events of the selection" {
	fill a-1 1 3
	fill b 4 6
	fill a-2 7 9
	[ "$(evlog tail a-1 -n 2 -o data | digits)" = "2 3" ]
	[ "$(evlog tail --all -n 4 -o data | digits)" = "6 7 8 9" ]
	[ "$(evlog tail 'a-*' -n 4 -o data | digits)" = "3 7 8 9" ]
	[ "$(evlog tail --all -n 99 -o data | digits)" = "1 2 3 4 5 6 7 8 9" ]
	[ -z "$(evlog tail --all -n 0)" ]
}

@test "--after prints all events after a sequence" {
	fill a 1 15
	fill b 16 17
	[ "$(evlog tail a --after 12 -o data | digits)" = "13 14 15" ]
	[ "$(evlog tail --all --after 0 -o data | wc -l)" -eq 17 ]
	[ -z "$(evlog tail --all --after 17)" ]
}

@test "-t picks types before they are counted" {
	for i in 1 2 3 4 5 6; do
		echo "{\"type\":\"T$((i % 2))\",\"data\":{\"n\":$i}}"
	done | evlog append a -q 2>/dev/null
	[ "$(evlog tail a -t T0 -n 2 -o data | digits)" = "4 6" ]
	[ "$(evlog tail --all -t T0 -t T1 -n 3 -o data | digits)" = "4 5 6" ]
}

@test "without -f a stream that does not exist is exit 1 and no output" {
	fill a 1 1
	run -1 evlog tail nobody
	[ -z "$output" ]
	run -1 evlog tail 'nobody-*'
	[ -z "$output" ]
}

@test "-f prints what is there and then what comes" {
	fill a 1 3
	follow out a
	wait_for 20 has_lines 3 out
	fill b 90 99
	for i in 4 5 6; do
		fill a $i $i
		wait_for 20 has_lines $i out
	done
	[ "$(digits <out)" = "1 2 3 4 5 6" ]
}

@test "-f --all and -f PREFIX-* follow all their streams" {
	evlog init
	follow all --all
	follow some 'a-*'
	for i in 1 2 3; do
		fill a-$i $i $i
		fill b $((10 + i)) $((10 + i))
	done
	wait_for 20 has_lines 6 all
	wait_for 20 has_lines 3 some
	[ "$(digits <all)" = "1 11 2 12 3 13" ]
	[ "$(digits <some)" = "1 2 3" ]
}

@test "-f waits for a stream that does not exist yet" {
	evlog init
	follow out new
	fill other 1 1
	fill new 2 2
	wait_for 20 has_lines 1 out
	[ "$(digits <out)" = 2 ]
}

@test "an event is printed once and in order, also across the end of what was there" {
	evlog init
	yes '{"n":0}' | head -n 30000 | evlog append a -q -t T --commit 10 3>&- &
	started $!
	writer=$!
	for i in 1 2 3 4; do
		evlog tail --all -f --after 0 --take 25000 -o tsv | cut -f 1 >"out.$i" 3>&- &
		started $!
	done
	wait "${children[@]}"
	[ "$writer" = "${children[0]}" ]
	for i in 1 2 3 4; do
		awk '$1 + 0 != NR { exit 1 } END { exit NR != 25000 }' "out.$i"
	done
}

@test "--after with the last sequence seen goes on where the last run ended" {
	fill a 1 20
	evlog tail --all -f --after 0 --take 7 >first
	evlog tail --all -f --after "$(tail -n 1 first | jq -r .sequence)" --take 13 >second
	[ "$(cat first second)" = "$(evlog read --all)" ]
}

@test "--take N ends after N events, exit 0" {
	fill a 1 5
	[ "$(evlog tail a -f --take 3 -o data | digits)" = "1 2 3" ]
	run -0 timeout 20 evlog tail a --take 2 -n 5 -o data
	[ "${#lines[@]}" -eq 2 ]
	follow out a --take 7
	fill a 6 8
	wait "${children[0]}"
	[ "$(digits <out)" = "1 2 3 4 5 6 7" ]
}

@test "--until-idle ends when nothing came for so long, exit 0" {
	fill a 1 3
	run -0 --separate-stderr timeout 60 evlog tail a -f --until-idle 100ms -o data
	[ "${#lines[@]}" -eq 3 ]
	run -0 --separate-stderr timeout 60 evlog tail nobody -f --until-idle 100ms
	[ -z "$output" ]
}

@test "--timeout ends with 124, whatever comes" {
	fill a 1 3
	run -124 --separate-stderr timeout -s KILL 60 evlog tail a -f --timeout 500ms -o data
	[ "${#lines[@]}" -eq 3 ]
	endless | evlog append b -q -t T --each 3>&- &
	started $!
	run -124 timeout -s KILL 60 evlog tail b -f --timeout 100ms
}

@test "without -f tail ends at once" {
	fill a 1 3
	run -0 timeout 20 evlog tail a --timeout 60s -o data
	[ "${#lines[@]}" -eq 3 ]
}

@test "tail -f ends when its reader has gone" {
	fill a 1 3
	mkfifo out
	(evlog tail a -f >out 2>/dev/null 3>&- || echo $? >ended) &
	started $!
	head -n 1 out >/dev/null
	wait_for 30 test -s ended
	[ "$(<ended)" -eq 141 ]
}

@test "SIGTERM ends tail -f with 143" {
	fill a 1 3
	follow out a
	wait_for 20 has_lines 3 out
	kill "${children[0]}"
	exits_with 143 wait "${children[0]}"
	[ "$(digits <out)" = "1 2 3" ]
}

@test "tail -f goes on over the end of a segment" {
	evlog init --segment-size 16K
	follow late --all --after 0
	fill a 1 400 40
	wait_for 20 has_lines 400 late
	[ "$(find s/log -name '*.evl' | wc -l)" -gt 3 ]
	[ "$(digits <late)" = "$(seq 400 | paste -sd ' ')" ]
}

@test "what is printed is on disk: tail never shows an event without a receipt to come" {
	evlog init
	follow out --all --after 0
	endless | evlog append a -t T --each >receipts 3>&- &
	started $!
	wait_for 20 has_lines 20 out
	stop $!
	# Of the last commit the receipt may have been cut off with its process, not more.
	[ "$(lines_in out)" -le $(($(receipts_sum receipts) + 1)) ]
	[ "$(lines_in out)" -le $(($(evlog version a) + 1)) ]
}

@test "many followers see the same" {
	evlog init
	for i in 1 2 3 4 5 6; do
		follow "out.$i" --all --after 0 --take 300
	done
	for w in 1 2 3; do
		data "${w}001" "${w}100" | evlog append "w-$w" -q -t T --each 3>&- &
		started $!
	done
	wait "${children[@]}"
	for i in 2 3 4 5 6; do
		cmp out.1 "out.$i"
	done
	[ "$(sort -u out.1 | wc -l)" -eq 300 ]
}

@test "a pipeline of tail and append runs on as events come" {
	evlog init
	evlog tail orders -f --take 3 | jq -c --unbuffered 'select(.type == "T")' |
	    evlog append copy -q 3>&- &
	started $!
	for i in 1 2 3; do
		fill orders $i $i
	done
	wait "${children[0]}"
	[ "$(numbers copy)" = "1 2 3" ]
}

@test "junk in tail's options is exit 64" {
	fill a 1 1
	for options in "-n x" "--after x" "--take x" "--take 0" "--until-idle x" "--timeout x" \
	    "-n 1 --after 1"; do
		# shellcheck disable=SC2086 # options are words
		run -64 --separate-stderr evlog tail a $options
		[[ -z $output && $stderr == "evlog: "* ]]
	done
}
