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

@test "a rule for a prefix with $ bounds the store's own streams, but not the rules" {
	echo 'def init: 0; def evolve($e): . + 1;' >count.jq
	for id in 1 2 3; do
		evlog handle a -q -e count.jq -i "$id" -- echo '{"type":"T"}' 2>/dev/null
	done
	evlog retain a --max-count 2
	evlog retain '$*' --max-count 1
	[ "$(evlog read '$handled-a' | wc -l)" -eq 1 ]
	[ "$(evlog read a | wc -l)" -eq 2 ]
	[ "$(evlog retain | wc -l)" -eq 2 ]
	evlog compact >/dev/null
	[ "$(evlog retain | wc -l)" -eq 2 ]
	[ "$(evlog read '$handled-a' -o tsv | cut -f 5)" = 3 ]
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

# --- compact ---

# small_segments: a store whose files hold 100 events or so.
small_segments() { evlog init --segment-size 16K; }

@test "compact removes what is hidden, and says what" {
	small_segments
	fill a 1 300
	fill b 1 100
	evlog rm -q a
	evlog retain b --max-count 10
	[ "$(evlog compact --dry-run | tail -n 1 | jq .events)" = 390 ]
	[ "$(evlog compact --dry-run | head -n -1 | jq -s 'map(.events) | add')" = 390 ]
	before=$(du -b s/log | cut -f 1)
	run -0 --separate-stderr evlog compact
	[ -z "$stderr" ]
	[ "$(jq -c '[.events, .segments > 2]' <<<"$output")" = "[390,true]" ]
	[ "$(jq .bytes <<<"$output")" -lt "$before" ]
	[ "$(du -b s/log | cut -f 1)" -lt $((before / 3)) ]
	[ "$(evlog read --all | wc -l)" -eq 12 ]
	[ "$(numbers b)" = "91 92 93 94 95 96 97 98 99 100" ]
	run -1 evlog get 1
	run -1 evlog get b@3
	run -1 evlog read a
	[ "$(evlog stat --json | jq -c '[.events, .removed]')" = "[12,390]" ]
	evlog verify --deep
	[ "$(evlog compact)" = '{"events":0,"bytes":0,"segments":0}' ]
	run -0 evlog compact -q
	[ -z "$output" ]
	evlog reindex
	evlog verify --deep
	fill a 1 3
	[ "$(evlog version a)" = 303 ]
	[ "$(numbers a)" = "1 2 3" ]
}

@test "every reader passes over what is gone without a word" {
	small_segments
	fill a 1 150
	fill b 1 150
	fill c 1 3
	evlog rm -q a
	evlog compact -q
	for command in "read --all" "read --all -r" "read --all --after 20" "tail --all -n 400" \
	    "read --all --since 1h" "tail --all --after 0" "read *" "read b --after 100" "export" \
	    "read --all -r --after 100"; do
		read -ra words <<<"$command"
		run -0 --separate-stderr evlog "${words[@]}"
		[ -z "$stderr" ]
		[ "$(grep -c '"subject":"b"' <<<"$output")" -eq 150 ]
		! grep -q '"subject":"a".*"type":"T"' <<<"$output"
	done
	evlog tail --all -f --after 0 --take 154 --timeout 10s -o tsv >followed
	[ "$(tail -n 1 followed | cut -f 1)" = "$(evlog head)" ]
}

@test "consumers that have not seen it hold it, and are named first" {
	small_segments
	fill a 1 20
	fill b 1 10
	evlog rm -q a
	evlog consume mails 'a*' -n 5 -- sh -c 'cat >/dev/null' >/dev/null
	evlog consume late 'a*' -n 5 -- sh -c 'grep -q "\"n\":6}" && exit 3; exit 0' || [ $? -eq 3 ]
	run -0 --separate-stderr evlog compact
	[[ $stderr == "evlog: consumer 'late' is at "* ]]
	[[ $stderr == *": 15 events ("*" bytes) that it has not seen"* ]]
	[ "${#stderr_lines[@]}" -eq 1 ]
	[ "$(jq .events <<<"$output")" = 5 ]
	[ "$(evlog read --all | jq -r 'select(.subject == "a" and .type == "T").data.n' |
	    paste -sd ' ')" = "$(seq -s ' ' 6 20)" ]
	run -0 --separate-stderr evlog compact --force
	[ -z "$stderr" ]
	[ "$(jq .events <<<"$output")" = 15 ]
	evlog verify --deep
}

@test "a compacted store is backed up, restored, exported and imported" {
	small_segments
	fill a 1 200
	fill b 1 100
	evlog backup bak
	evlog retain a --max-count 5
	evlog compact -q
	fill b 101 110
	evlog backup bak
	[ -z "$(find bak -name '*.new')" ]
	du -b bak/log | awk '$1 > 40000 { exit 1 }'
	evlog -s restored restore bak
	evlog -s restored verify --deep
	cmp <(evlog -s restored read --all -o tsv) <(evlog read --all -o tsv)
	evlog export >all
	evlog -s imported import -q all 2>/dev/null
	[ "$(evlog -s imported read a -o tsv | cut -f 3 | paste -sd ' ')" = "195 196 197 198 199" ]
	evlog -s imported verify --deep
	[ "$(evlog -s imported import all | jq .count)" = 0 ]
}

@test "compact is for one at a time, and -w says how long to wait" {
	fill a 1 3
	evlog rm -q a
	hold_lock 3
	run -75 evlog compact -w 0
	evlog compact --dry-run
	fill a 4 4
	stop "$holder"
	[ "$(evlog compact -w 100ms | jq .events)" = 4 ]
}

@test "compact leaves a damaged store as it is" {
	small_segments
	fill a 1 200
	evlog rm -q a
	flip_bit s/log/0000000000000001.evl 5000
	run -8 evlog compact
	[ "$(evlog read --all 2>/dev/null | wc -l)" -eq 200 ]
	evlog repair >/dev/null
	[ "$(evlog compact | jq .events)" -ge 199 ]
	evlog verify --deep
}

@test "what a consumer, a snapshot or a reader keeps is good behind a compaction" {
	small_segments
	fill a 1 200
	echo 'def init: 0; def evolve($e): . + $e.data.n;' >sum.jq
	[ "$(evlog fold a -e sum.jq --snapshot-every 50)" = 20100 ]
	evlog retain a --max-count 20
	[ "$(evlog fold a -e sum.jq)" = 3810 ]
	evlog compact -q
	[ "$(evlog fold a -e sum.jq)" = 3810 ]
	evlog retain a --none
	[ "$(evlog fold a -e sum.jq)" = 3810 ]
}

@test "on a full disk compact changes nothing, exit 74" {
	needs_mount
	mkdir small
	cat >inside <<'SCRIPT'
	mount -t tmpfs -o size=3M none small && cd small || exit 99
	export EVLOG_STORE=$PWD/s
	evlog init --segment-size 2M
	jq -nc 'range(1500) | {n: ., pad: ("x" * 600)}' | evlog append keep -q -t T
	echo 1 | evlog append a -q -t T
	evlog rm -q a
	dd if=/dev/zero of=filler bs=4k 2>/dev/null
	evlog compact
	[ $? -eq 74 ] || exit 98
	evlog verify --deep || exit 97
	ls s/log/*.new && exit 96
	rm filler
	evlog compact -q && evlog verify --deep && [ "$(evlog read keep | wc -l)" -eq 1500 ]
SCRIPT
	run -0 mounted bash inside
}
