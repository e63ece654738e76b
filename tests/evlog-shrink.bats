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
