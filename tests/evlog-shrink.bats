# What evlog(1) promises about rm: streams that are no longer there.

load lib/evlog

setup() { evlog_setup; }
teardown() { evlog_teardown; }

# --- rm ---

@test "a deleted stream does not exist by its name" {
	fill a 1 5
	fill b 6 6
	run -0 --separate-stderr evlog rm a
	[ -z "$stderr" ]
	[ "$(jq -r '[.stream, .first, .last, .sequence, .count, .duplicate] | @tsv' \
	    <<<"$output")" = "a	5	5	00000000000000000007	1	false" ]
	run -1 --separate-stderr evlog read a
	[ -z "$output$stderr" ]
	[ "$(evlog version a)" = none ]
	[ "$(evlog streams)" = b ]
	run -1 evlog get a@3
	run -1 evlog tail a
	evlog verify --deep
}

@test "--all and tail show a deletion as an event" {
	fill a 1 2
	evlog rm -q a
	[ "$(evlog tail --all -n 1 -o tsv | cut -f 1-4,6)" = \
	    "00000000000000000003	a	2	evlog.deleted	{\"hard\":false}" ]
	evlog tail --all -n 1 | jq -e '.streamdeleted == "soft" and .streamversion == "2"'
	[ "$(evlog read --all -t evlog.deleted | wc -l)" -eq 1 ]
}

@test "a deleted stream goes on with the next version, and reading begins there" {
	fill a 1 5
	evlog rm -q a
	run -10 evlog append a -x 4 -t T <<<1
	run -10 evlog append a -x exists -t T <<<1
	evlog append a -q -x none -t T <<<'{"n":7}'
	fill a 8 9
	[ "$(evlog version a)" = 8 ]
	[ "$(numbers a)" = "7 8 9" ]
	[ "$(numbers a -n 2)" = "7 8" ]
	[ "$(numbers a -n 1 -r)" = 9 ]
	[ "$(numbers a --to 7)" = "7 8" ]
	[ -z "$(numbers a --to 4)" ]
	[ "$(numbers a --after 3 -n 1)" = 7 ]
	[ "$(evlog tail a -o data | digits)" = "7 8 9" ]
	[ "$(echo a | numbers -)" = "7 8 9" ]
	run -1 evlog get a@5
	run -1 evlog get a@2
	evlog get a@6
	evlog verify --deep
}

@test "ids of deleted events are free again" {
	fill a 1 3
	[ "$(events 2 2 | evlog append a | jq .duplicate)" = true ]
	evlog rm -q a
	[ "$(events 2 2 | evlog append a | jq .duplicate)" = false ]
	[ "$(events 2 2 | evlog append a | jq .duplicate)" = true ]
	[ "$(numbers a)" = 2 ]
	evlog verify --deep
}

@test "a stream that is not there cannot be deleted" {
	run -66 evlog rm a
	fill b 1 1
	run -1 --separate-stderr evlog rm a
	[ -z "$output" ]
	[ "$stderr" = "evlog: there is no stream 'a'" ]
	run -1 evlog rm --hard a
	evlog rm -q b
	run -1 evlog rm b
	[ "$(evlog head)" = 00000000000000000002 ]
}

@test "rm -x deletes only the version that was seen" {
	fill a 1 3
	run -10 --separate-stderr evlog rm -x 1 a
	[ "$stderr" = '{"stream":"a","expected":"1","actual":"2"}' ]
	run -10 evlog rm -x 1 nobody
	evlog rm -q -x 2 a
	run -64 evlog rm -x two a
}

@test "a stream that is deleted for good is exit 12 for whoever names it" {
	fill a 1 3
	evlog rm -q --hard a
	local words
	for command in "read a" "tail a" "tail -f a" "version a" "get a@1" "append a -t T" \
	    "append a -x none -t T" "export a" "read a -n 1" "tail a --after 0"; do
		read -ra words <<<"$command"
		run -12 --separate-stderr evlog "${words[@]}" <<<1
		[ -z "$output" ]
		[[ $stderr == *"stream 'a' was deleted for good"* && ${#stderr_lines[@]} -eq 1 ]]
	done
	run -0 evlog rm --hard a
	[ "$(jq .duplicate <<<"$output")" = true ]
	run -0 evlog rm a
	[ "$(evlog head)" = 00000000000000000004 ]
	run -12 evlog append --batch --check a=none <<<'{"stream":"b","type":"T"}'
	[ "$(evlog version b)" = none ]
	[ "$(evlog read --all | wc -l)" -eq 4 ]
}

@test "read - prints the other streams and says which one was deleted for good" {
	fill a 1 1
	fill b 2 2
	fill c 3 3
	evlog rm -q --hard b
	run -12 --separate-stderr evlog read - -o data < <(printf '%s\n' a b c)
	[ "$(digits <<<"$output")" = "1 3" ]
	[[ $stderr == *"stream 'b' was deleted for good"* ]]
}

@test "a soft deletion can be made hard" {
	fill a 1 1
	evlog rm -q a
	evlog rm -q --hard a
	run -12 evlog append a -t T <<<1
}

@test "rm -w waits no longer than it says" {
	fill a 1 1
	hold_lock
	run -75 evlog rm -w 0 a
	stop "$holder"
	evlog rm -q -w 100ms a
}

@test "deletions are exported and imported" {
	fill a 1 3
	evlog rm -q a
	events 2 5 | evlog append a -q
	fill b 1 2
	evlog rm -q --hard b
	fill c 1 2
	evlog rm -q c
	evlog export >all
	evlog -s new import -q all 2>/dev/null
	keep='del(.recordedtime, .source)'
	cmp <(evlog -s new export | jq -c "$keep") <(jq -c "$keep" all)
	[ "$(evlog -s new read a -o data | digits)" = "2 3 4 5" ]
	[ "$(evlog -s new version a)" = 7 ]
	[ "$(evlog -s new version c)" = none ]
	run -12 evlog -s new version b
	[ "$(evlog -s new import all | jq -c '[.count, .known]')" = "[0,14]" ]
	evlog -s new verify --deep
	# What was copied by hand into another stream deletes nothing.
	evlog read --all | jq -c 'del(.id)' | evlog append copy -q
	[ "$(evlog read copy | wc -l)" -eq 14 ]
	evlog export copy | evlog -s other import -q 2>/dev/null
	[ "$(evlog -s other read copy | wc -l)" -eq 14 ]
}

@test "a deletion that was damaged still is one after repair" {
	fill a 1 2
	evlog rm -q a
	fill a 3 3
	fill b 1 1
	evlog rm -q --hard b
	fill c 1 1
	for seq in 3 6; do
		at=$(($(offset_of $seq) + $(sed -n "$((seq + 1))p" "$(segment)" |
		    grep -bo hard | cut -d: -f1)))
		flip_bit "$(segment)" "$at"
	done
	run -8 evlog verify
	evlog repair >/dev/null
	evlog verify --deep
	[ "$(numbers a)" = 3 ]
	run -12 evlog read b
}

# --- retain ---

@test "retain hides at once what it leaves out, from who reads by name" {
	fill a 1 9
	fill b 1 2
	run -0 --separate-stderr evlog retain 'a*' --max-count 4
	[ -z "$output$stderr" ]
	[ "$(numbers a)" = "6 7 8 9" ]
	[ "$(numbers a -n 2)" = "6 7" ]
	[ "$(numbers a -n 2 -r)" = "9 8" ]
	[ "$(numbers a --to 6)" = "6 7" ]
	[ "$(numbers a --from 2 -n 1)" = 6 ]
	[ "$(numbers a --after 2 -n 3)" = "6 7 8" ]
	[ "$(printf '%s\n' a b | numbers - -n 2)" = "6 7 1 2" ]
	[ "$(evlog tail a -o data | digits)" = "6 7 8 9" ]
	run -1 evlog get a@4
	evlog get a@5
	[ "$(evlog export a | jq .data.n | paste -sd ' ')" = "6 7 8 9" ]
	[ "$(numbers b)" = "1 2" ]
	# What is in the log is seen by who reads the log, and counts.
	[ "$(evlog read 'a*' | wc -l)" -eq 9 ]
	evlog get 1
	[ "$(evlog version a)" = 8 ]
	[ "$(events 2 2 | evlog append a | jq .duplicate)" = true ]
	evlog verify --deep
}

@test "retain lists the rules, the last one of each selector" {
	fill a 1 1
	[ -z "$(evlog retain)" ]
	run -1 evlog retain a
	evlog retain a --max-count 4
	evlog retain 'b-*' --max-age 30d --before 7
	evlog retain a --max-age 1h
	[ "$(evlog retain)" = '{"selector":"a","max_age":"1h"}
{"selector":"b-*","max_age":"30d","before":"7"}' ]
	[ "$(evlog retain 'b-*')" = '{"selector":"b-*","max_age":"30d","before":"7"}' ]
	head=$(evlog head)
	evlog retain a --max-age 1h
	[ "$(evlog head)" = "$head" ]
	evlog retain a --none
	run -1 evlog retain a --none
	[ "$(evlog retain | wc -l)" -eq 1 ]
	[ "$(evlog read '$retain' -t evlog.retain | wc -l)" -eq 4 ]
}

@test "the newest event stays whatever the rules say" {
	fill a 1 3
	evlog retain '*' --max-age 0
	[ "$(numbers a)" = 3 ]
	evlog retain a --before 1000
	[ "$(numbers a)" = 3 ]
	[ "$(evlog version a)" = 2 ]
}

@test "rules go with export and import" {
	fill a 1 9
	evlog retain a --max-count 2
	evlog export | evlog -s new import -q 2>/dev/null
	[ "$(evlog -s new read a -o data | digits)" = "8 9" ]
}

@test "retain refuses what makes no sense" {
	fill a 1 1
	for words in "--max-count 1" "--none" "a --max-count 0" "a --none --max-count 1" \
	    "a --max-age soon" "a --before -1" "a b" "a/b --max-count 1" '$retain --max-count 1'; do
		read -ra words <<<"$words"
		run -64 evlog retain "${words[@]}"
	done
	run -64 evlog rm '$retain'
	[ "$(evlog head)" = 00000000000000000001 ]
}

@test "a damaged stream is read in part, but never what is hidden" {
	fill a 1 9
	evlog retain a --max-count 4
	flip_bit "$(segment)" $(($(offset_of 8) + 110))
	run -8 --separate-stderr evlog read a -o data
	[ "$(digits <<<"$output")" = "6 7 9" ]
}
