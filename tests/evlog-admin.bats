# What evlog(1) promises about looking after a store: verify, repair, reindex, stat, backup,
# restore, export, import, and its own help.

load lib/evlog

setup() { evlog_setup; }
teardown() { evlog_teardown; }

# A store with several sealed segments: 400 events in a, b and c.
big_store() {
	evlog init --segment-size 16K
	events 1 400 | sed 's/{/{"stream":"a",/; n; s/{/{"stream":"b",/; n; s/{/{"stream":"c",/' |
	    evlog append --batch --commit 50 -q
}

# --- verify, reindex, stat ---

@test "verify of a sound store is silent and exits 0" {
	big_store
	run -0 --separate-stderr evlog verify
	[ -z "$output$stderr" ]
	run -0 --separate-stderr evlog verify --deep
	[ -z "$output$stderr" ]
}

@test "verify raises no false alarm while the store is written" {
	evlog init --segment-size 64K
	endless | evlog append a -q -t T --commit 20 3>&- &
	started $!
	for i in 1 2 3 4 5 6 7 8; do
		run -0 --separate-stderr evlog verify
		[ -z "$output$stderr" ]
		run -0 --separate-stderr evlog verify --deep
		[ -z "$output$stderr" ]
	done
}

@test "verify changes nothing" {
	big_store
	rm -r s/index s/ctl
	find s -type f -exec sha256sum {} + | sort >before
	evlog verify
	find s -type f -name '*.evl' -exec sha256sum {} + | sort >after
	cmp <(grep evl before) after
}

@test "verify names file, offset and sequence of each fault, in JSON, and exits 8" {
	big_store
	first=s/log/0000000000000001.evl
	at=$(offset_of 7 $first)
	flip_bit $first $((at + 110)) 3
	run -8 --separate-stderr evlog verify
	jq -se --arg at "$at" 'length == 1 and (.[0] | .kind == "damage" and .offset == $at and
	    .file == "log/0000000000000001.evl" and .first == "7" and .last == "7" and
	    (.text | length > 0) and (.bytes | tonumber > 100))' <<<"$output"
	run -8 evlog verify -q
	[ -z "$output" ]
}

@test "the index is disposable: what is deleted is made anew" {
	big_store
	evlog read --all >want
	for what in ctl index/active 'index/heads.*' 'index/ids.*' 'index/offsets.*' 'index/*' \
	    'index ctl'; do
		(cd s && eval "rm -r $what")
		evlog read --all | cmp - want
		[ "$(evlog get b@100 -o data)" = "$(evlog read b --from 100 --to 100 -o data)" ]
		[ "$(events 1 3 | sed 's/{/{"stream":"b",/; 1d; 3d' | evlog append --batch |
		    jq .duplicate)" = true ]
		evlog verify --deep
	done
	[ "$(evlog head)" = 00000000000000000400 ]
}

@test "an index with junk in it never overrules the log" {
	big_store
	evlog read --all >want
	for file in s/index/* s/ctl; do
		size=$(stat -c %s "$file")
		head -c "$size" /dev/urandom >"$file"
		evlog read --all -n 400 | cmp - want
		evlog read b >/dev/null
		evlog append d -q -t T <<<1
	done
	evlog reindex
	evlog verify --deep
	assert_dense
}

@test "reindex makes the index anew" {
	big_store
	evlog read b >want
	run -0 --separate-stderr evlog reindex
	[ -z "$output$stderr" ]
	evlog read b | cmp - want
	evlog verify --deep
}

@test "stat says what is in the store, for people and as JSON" {
	big_store
	run -0 evlog stat
	[[ $output =~ events\ +400 ]]
	[[ $output =~ streams\ +3 ]]
	run -0 evlog stat --json
	[ "${#lines[@]}" -eq 1 ]
	jq -e '.events == 400 and .streams == 3 and .segments > 3 and .damaged == false and
	    .last_sequence == "00000000000000000400" and .durable_sequence == .last_sequence and
	    .lost_events == 0 and .segment_size == 16384 and (.uuid | length == 32)' <<<"$output"
}

# --- backup and restore ---

@test "backup and restore give the same store" {
	big_store
	evlog read --all >want
	[ "$(evlog backup copy)" = 00000000000000000400 ]
	evlog -s back restore copy
	evlog -s back read --all | sed 's|/evlog/back|/evlog/s|' | cmp - want
	evlog -s back verify --deep
	[ "$(grep uuid s/FORMAT)" = "$(grep uuid back/FORMAT)" ]
}

@test "a backup is taken while the store is written" {
	evlog init --segment-size 64K
	endless | evlog append a -q -t T --commit 20 3>&- &
	started $!
	for i in 1 2 3 4 5; do
		last=$(evlog backup "copy.$i")
		evlog -s "back.$i" restore "copy.$i"
		[ "$(evlog -s "back.$i" head)" = "$last" ]
		evlog -s "back.$i" verify --deep
	done
}

@test "a backup that is there already is brought up to date" {
	big_store
	evlog backup copy
	fill a 401 800 50
	[ "$(evlog backup copy)" = 00000000000000000800 ]
	evlog -s back restore copy
	[ "$(evlog -s back version a)" = "$(evlog version a)" ]
	evlog -s back verify --deep
}

@test "sealed segments in a backup are hard links, with --copy they are copies" {
	big_store
	evlog backup links
	evlog backup --copy copies
	[ "$(stat -c %h links/log/0000000000000001.evl)" -gt 1 ]
	[ "$(stat -c %h copies/log/0000000000000001.evl)" -eq 1 ]
	cmp copies/log/0000000000000001.evl s/log/0000000000000001.evl
}

@test "writing to the store does not change the backup" {
	big_store
	evlog backup copy
	find copy -type f -exec sha256sum {} + | sort >before
	fill a 401 800 50
	find copy -type f -exec sha256sum {} + | sort | cmp - before
}

@test "a backup of another store is not overwritten" {
	fill a 1 3
	evlog -s other init
	evlog -s other backup copy
	cp -a copy before
	run --separate-stderr evlog backup copy
	[ "$status" -ne 0 ]
	[[ $stderr == "evlog: "* ]]
	diff -r copy before
}

@test "a backup that changed is not restored" {
	big_store
	evlog backup --copy copy
	flip_bit copy/log/0000000000000001.evl 500
	run --separate-stderr evlog -s back restore copy
	[ "$status" -ne 0 ]
	[[ $stderr == "evlog: "*"log/0000000000000001.evl"* ]]
	run evlog -s back head
	[ "$status" -eq 66 ]
}

@test "restore refuses a store that is not empty" {
	fill a 1 3
	evlog backup copy
	run --separate-stderr evlog restore copy
	[ "$status" -ne 0 ]
	[[ $stderr == "evlog: "* ]]
	[ "$(evlog version a)" = 2 ]
	run --separate-stderr evlog -s back restore nowhere
	[ "$status" -ne 0 ]
}

# --- export and import ---

@test "export and import keep ids, versions, times and data" {
	big_store
	evlog append a -q <<<'{"type":"T","time":"2001-02-03T04:05:06Z","shade":"red","data":"x"}'
	printf '\0\1' | evlog append a -q --raw -t Blob
	evlog export >all
	cmp all <(evlog read --all)
	evlog -s new import -q <all 2>/dev/null
	keep='[.id, .subject, .streamversion, .sequence, .type, .time, .shade, .data, .data_base64]'
	cmp <(evlog -s new export | jq -c "$keep") <(jq -c "$keep" all)
	evlog -s new verify --deep
}

@test "an import can be repeated and continued" {
	big_store
	evlog export >all
	head -n 150 all | evlog -s new import -q 2>/dev/null
	evlog -s new import -q all
	evlog -s new import -q all
	[ "$(evlog -s new head)" = 00000000000000000400 ]
	[ "$(evlog -s new export | jq -r .id)" = "$(jq -r .id all)" ]
}

@test "export takes a stream or a prefix" {
	fill a-1 1 2
	fill b 3 4
	fill a-2 5 6
	[ "$(evlog export 'a-*' | jq -c .data.n | paste -sd ' ')" = "1 2 5 6" ]
	[ "$(evlog export b | jq -c .data.n | paste -sd ' ')" = "3 4" ]
	run -1 evlog export nobody
	[ -z "$output" ]
}

@test "import of an event whose version is taken by another is a conflict" {
	fill a 1 3
	evlog export a >all
	evlog -s new append a -q -t T <<<'"other"' 2>/dev/null
	run -10 --separate-stderr evlog -s new import all
	[[ $stderr == *'{"stream":"a","expected":"none","actual":"0"}'* ]]
	[ "$(evlog -s new version a)" = 0 ]
}

@test "import names a bad line" {
	fill a 1 3
	evlog export a >all
	run -65 --separate-stderr evlog -s new import < <(head -n 1 all; echo '{"type":"T"}')
	[[ $stderr == *"evlog: line 2: "* ]]
}

@test "import reads journalctl -o json, mixed with CloudEvents" {
	jq -nc '{MESSAGE: "hello", _SYSTEMD_UNIT: "ssh.service"},
	    {MESSAGE: [104, 105], SYSLOG_IDENTIFIER: "my/app 1"}, {MESSAGE: "boot"}' |
	    awk '{ printf "{\"__CURSOR\":\"s=1;i=%d\",", NR
	        printf "\"__REALTIME_TIMESTAMP\":\"170000000%d123456\",", NR - 1
	        print substr($0, 2) }' >journal
	echo '{"id":"x","type":"T","subject":"other","data":1}' >>journal
	evlog import -q journal 2>/dev/null
	evlog import -q journal
	[ "$(evlog streams | paste -sd ' ')" = \
	    "journal-kernel journal-my_app_1 journal-ssh.service other" ]
	evlog read journal-ssh.service | jq -e '.id == "s=1;i=1" and .type == "JournalEntry" and
	    .time == "2023-11-14T22:13:20.123456Z" and .data.MESSAGE == "hello"'
	[ "$(evlog head)" = 00000000000000000004 ]
}

@test "import reads the journal of this machine" {
	journalctl -o json -n 200 >journal 2>/dev/null && [ -s journal ] ||
	    skip "by design: no journal here"
	evlog import -q journal 2>/dev/null
	evlog import -q journal
	[ "$(evlog head)" = "$(printf %020d "$(jq -r .__CURSOR journal | sort -u | wc -l)")" ]
	evlog verify --deep
}

# --- help and completion ---

verbs() {
	evlog --help | awk '/^Verbs:/ { on = 1; next } on && !NF { exit }
	    on && $1 != "help" { print $1 }'
}

# The pages that describe verbs: evlog(1), evlog-handle(1) and so on.
pages() { mandoc -T ascii "$@" "$BATS_TEST_DIRNAME"/../man/evlog*.1 | col -bx; }

@test "each verb's --help begins with its synopsis in the manual" {
	pages -O width=1000 | sed 's/ | /|/g; s/^ *//' >text
	[ "$(verbs | wc -l)" -gt 15 ]
	for verb in $(verbs); do
		awk -v v="evlog $verb" '!on && $0 == v { on = 1; next }
		    on && !NF { exit } on' text >want
		evlog "$verb" --help | sed 's/^usage: //; s/^ *//; /^$/,$d' >got
		diff -u want got
	done
}

@test "every option that --help names is in the manual" {
	pages >text
	for verb in $(verbs); do
		evlog "$verb" --help | awk '/^Options:/ { on = 1; next } on' |
		    grep -oE -- '(^|[ ,])--?[a-z0-9-]+' | tr -d ' ,' >options
		while read -r option; do
			grep -qE -- "(^|[[:space:],|[])$option([^a-z-]|$)" text || {
				echo "$verb $option"
				return 1
			}
		done <options
	done
}

@test "help VERB is the same as VERB --help" {
	[ "$(evlog help append)" = "$(evlog append --help)" ]
}

@test "the bash completion knows verbs and options" {
	evlog --completion bash >completion
	# shellcheck source=/dev/null
	source completion
	complete -p evlog
	for verb in cursor snapshot; do
		COMP_WORDS=(evlog "$verb" "") COMP_CWORD=2 COMPREPLY=()
		_evlog
		[[ ${COMPREPLY[0]} == ls && " ${COMPREPLY[*]} " == *" rm "* ]]
	done
	for shell in zsh fish; do
		evlog --completion "$shell" | grep -q append
	done
	run -64 evlog --completion tcsh
}
