# What evlog(1) promises for the day when things go wrong. The commands of its section WHEN THINGS
# GO WRONG run here as they stand, in the trouble that they are for; then the promises one by one.

load lib/evlog
load lib/examples

setup() { evlog_setup; }
teardown() { evlog_teardown; }

page=$BATS_TEST_DIRNAME/../man/evlog.1

# advice TITLE: make a page of the examples in one subsection of WHEN THINGS GO WRONG.
advice() {
	awk -v title="$1" '
	/^\.Sh / { on = /WHEN THINGS GO WRONG/; if (on) print ".Sh EXAMPLES"; wanted = 0; next }
	on && /^\.Ss / { wanted = substr($0, 5) == title; next }
	wanted' "$page" >advice.1
	grep -q '^\.Bd' advice.1
}

# A store with a stream of jobs, the last of them job-7, and the files that the advice names.
jobs_store() {
	echo '{"ok":true}' >done.json
	{ printf '"'; head -c 900000 /dev/zero | tr '\0' x; echo '"'; } >big.json
	evlog init
	for i in 1 2 3 4 5 6 7; do
		evlog append jobs -q -t Done -i "job-$i" done.json
	done
}

# damage_in_the_middle: a bit of sequence 3 is wrong.
damage_in_the_middle() { flip_bit "$(segment)" $(($(offset_of 3) + 105)) 2; }

forget_boot() { rm -f s/ctl; }

# --- the advice, executed ---

@test "advice: a process or the machine died" {
	jobs_store
	endless | evlog append jobs -q -t Noise --each 3>&- &
	started $!
	wait_for 20 has_event jobs@20
	kill -9 $!
	advice "A process or the machine died"
	run_examples advice.1
}

@test "advice: the disk is full" {
	jobs_store
	advice "The disk is full"
	on_small_disk 4M 'cp -r ../s . && cp ../*.json . &&
	    { head -c 4M /dev/zero >old.tar 2>/dev/null; run_examples ../advice.1; }'
}

@test "advice: the store is read-only" {
	jobs_store
	advice "The store is read-only"
	on_read_only 'run_examples advice.1'
}

@test "advice: the store is damaged" {
	jobs_store
	damage_in_the_middle
	advice "The store is damaged"
	run_examples advice.1
	[ "$(lines_in sound.json)" -eq 6 ]
	[ "$(evlog read jobs | jq -r .id | digits)" = "1 2 4 5 6 7 9" ]
}

@test "advice: acknowledged events were lost" {
	jobs_store
	truncate -s "$(offset_of 6)" "$(segment)"
	run -0 --separate-stderr evlog version jobs
	[[ $output == 4 && $stderr == *"6-7"* ]]
	advice "Acknowledged events were lost"
	run_examples advice.1
}

@test "advice: the store is poisoned" {
	jobs_store
	echo "5 Input/output error" >s/poisoned
	forget_boot
	advice "The store is poisoned"
	run_examples advice.1
	[ ! -e s/poisoned ]
}

@test "advice: the store moves to another machine" {
	jobs_store
	advice "The store moves to another machine"
	run_examples advice.1
	[ "$(evlog -s moved version jobs)" = 7 ]
}

@test "advice: restoring from a backup" {
	jobs_store
	advice "Restoring from a backup"
	run_examples advice.1
	[ "$(evlog version jobs)" = 7 ]
}

@test "advice: a store of another version" {
	jobs_store
	sed -i '1s/.*/evlog 2/' s/FORMAT
	advice "A store of another version"
	run_examples advice.1
}

@test "every subsection of the advice is executed here" {
	awk '/^\.Sh / { on = /WHEN THINGS GO WRONG/ }
	    on && /^\.Ss / { print tolower(substr($0, 5)) }' "$page" >titles
	[ "$(wc -l <titles)" -ge 8 ]
	while read -r title; do
		grep -qF "@test \"advice: $title\"" "$BATS_TEST_FILENAME" || {
			echo "not executed: $title"
			return 1
		}
	done <titles
}

# --- killed processes, torn tails ---

@test "nothing acknowledged is lost and nothing is there twice after kill -9" {
	evlog init
	for round in $(seq "$(rounds 5)"); do
		for w in 1 2 3 4; do
			seq -f "{\"id\":\"$round-$w-%g\",\"type\":\"T\"}" 100000 |
			    evlog append "s-$w" --commit 7 >>"receipts.$w" 3>&- &
			pids[w]=$!
			started $!
		done
		for w in 1 2 3 4; do
			wait_for 60 has_lines 1 "receipts.$w"
		done
		kill -9 "${pids[@]}"
		wait "${pids[@]}" 2>/dev/null || :
	done
	assert_dense
	evlog verify --deep
	for w in 1 2 3 4; do
		# Every acknowledged version is there; versions are dense, so the last one tells.
		acked=$(grep '}$' "receipts.$w" | jq -r .last | tail -n 1)
		[ "$(evlog version "s-$w")" -ge "$acked" ]
		[ -z "$(evlog read "s-$w" | jq -r .id | sort | uniq -d)" ]
	done
}

@test "a torn tail is cut with a copy kept, and said once" {
	fill a 1 5
	printf 'half a line' >>"$(segment)"
	run -0 --separate-stderr evlog read a -o data
	[ "${#lines[@]}" -eq 5 ]
	[[ $stderr == "evlog: "*"torn"* ]]
	[ "$(cat s/lost/0000000000000001-*)" = "half a line" ]
	run -0 --separate-stderr evlog read a -o data
	[ -z "$stderr" ]
	fill a 6 6
	[ "$(numbers a)" = "1 2 3 4 5 6" ]
	evlog verify --deep
}

@test "a torn tail is no fault to verify, which does not touch it" {
	fill a 1 5
	printf 'half a line' >>"$(segment)"
	size=$(stat -c %s "$(segment)")
	run -0 --separate-stderr evlog verify
	[ "$(stat -c %s "$(segment)")" -eq "$size" ]
	jq -se 'length == 1 and .[0].kind == "torn"' <<<"$output"
}

@test "cut at any byte, a store gives whole commits, in order, and can be written again" {
	fill a 1 2
	events 3 5 | evlog append b --atomic -q
	fill a 6 6
	size=$(stat -c %s "$(segment)")
	ends=("$(offset_of 1)" "$(offset_of 2)" "$(offset_of 3)" "$(offset_of 6)" "$size")
	want=("" "1" "1 2" "1 2 3 4 5" "1 2 3 4 5 6")
	# The two single events came as one commit.
	want[1]=""
	for ((cut = size, step = size / $(rounds 40); cut >= 192; cut -= step)); do
		rm -rf t
		cp -r s t
		rm t/ctl
		truncate -s "$cut" "$(echo t/log/*.evl)"
		for ((k = 4; cut < ends[k]; k--)); do :; done
		got=$(evlog -s t read --all -o data 2>/dev/null | digits)
		[ "$got" = "${want[k]}" ]
		evlog -s t append c -q -t T <<<7
		evlog -s t verify --deep
	done
}

@test "zeros at the end of the log are space, not damage" {
	fill a 1 5
	truncate -s +4096 "$(segment)"
	forget_boot
	fill a 6 7
	[ "$(numbers a)" = "1 2 3 4 5 6 7" ]
	evlog verify --deep
}

@test "a commit that is not complete is dropped as a whole" {
	fill a 1 2
	printf '{"stream":"%s","type":"T"}\n' b c b | evlog append --batch -q
	truncate -s "$(offset_of 5)" "$(segment)"
	forget_boot
	[ "$(evlog head 2>/dev/null)" = 00000000000000000002 ]
	run -1 evlog read b
	evlog verify --deep
}

# --- lost events ---

@test "acknowledged events that are gone from the end are named by stderr, verify and stat" {
	fill a 1 3
	fill a 4 5
	truncate -s "$(offset_of 4)" "$(segment)"
	run -0 --separate-stderr evlog read a -o data
	[[ ${#lines[@]} -eq 3 && $stderr == *"sequences 4-5"* ]]
	run -8 --separate-stderr evlog verify
	jq -se 'map([.kind, .first, .last]) == [["lost", "4", "5"]]' <<<"$output"
	[ "$(evlog stat --json | jq -c '[.lost_events, .lost_open]')" = "[2,2]" ]
	grep -q '"4"' s/lost/record
}

@test "a log that lost its end goes on: the log alone decides" {
	fill a 1 5 1
	truncate -s $(($(offset_of 5) + 30)) "$(segment)"
	evlog append a -q -t T -x 3 <<<'{"n":6}' 2>stderr
	grep -q "sequences 5-5" stderr
	[ "$(numbers a)" = "1 2 3 4 6" ]
	assert_dense
}

@test "repair takes losses as known" {
	fill a 1 5 1
	truncate -s "$(offset_of 4)" "$(segment)"
	evlog repair >/dev/null 2>&1
	run -0 --separate-stderr evlog verify
	[ -z "$output" ]
	[ "$(evlog stat --json | jq -c '[.lost_events, .lost_open]')" = "[2,0]" ]
}

# --- damage ---

@test "damage in the middle is named with file, offset and sequence, and all the rest is read" {
	fill a 1 2
	fill a 3 3
	fill a 4 5
	at=$(offset_of 3)
	damage_in_the_middle
	run -8 --separate-stderr evlog read a -o data
	[ "$(digits <<<"$output")" = "1 2 4 5" ]
	[[ $stderr == *"log/0000000000000001.evl offset $at"*"sequence"*"3"* ]]
	run -8 --separate-stderr evlog read --all -o data
	[ "${#lines[@]}" -eq 4 ]
	[[ $stderr == *"log/0000000000000001.evl offset $at"*"3"* ]]
}

@test "every reading verb exits 8 where damage hides events, and is right where it does not" {
	evlog append b -q -t T <<<'{"n":0}' 2>/dev/null
	fill a 2 2
	fill a 3 3
	fill a 4 5
	damage_in_the_middle
	set -f
	for words in "read a" "read a -r" "read --all -r" "read --all" "read *" "tail a" \
	    "tail --all" "export" "get 3" "get a@1"; do
		# shellcheck disable=SC2086 # words
		run -8 --separate-stderr evlog $words
		[[ $stderr == *"damaged: log/"* ]]
	done
	[ "$(numbers b)" = 0 ]
	[ "$(evlog get 4 -o data)" = '{"n":4}' ]
	[ "$(evlog version a)" = 3 ]
	[ "$(evlog streams | paste -sd ' ')" = "a b" ]
}

@test "damage stops writers with exit 8 and nothing is written" {
	fill a 1 5
	damage_in_the_middle
	forget_boot
	before=$(sha256sum <"$(segment)")
	run -8 --separate-stderr evlog append a -t T <<<6
	[[ -z $output && $stderr == "evlog: "*"damaged"*"evlog repair"* ]]
	[ "$(sha256sum <"$(segment)")" = "$before" ]
}

@test "a flipped bit anywhere is never silent" {
	for i in 1 2 3 4 5 6; do
		fill a "$i" "$i"
	done
	size=$(stat -c %s "$(segment)")
	evlog read --all >want
	seed=${SEED:-$RANDOM}
	echo "SEED=$seed"
	RANDOM=$seed
	for round in $(seq "$(rounds 40)"); do
		rm -rf t
		cp -r s t
		rm t/ctl
		at=$((RANDOM % size)) bit=$((RANDOM % 8))
		flip_bit "$(echo t/log/*.evl)" $at $bit
		got=0
		evlog -s t read --all >out 2>err || got=$?
		echo "round $round: byte $at bit $bit: exit $got"
		# What was not hit is there, unchanged.
		sed -i 's|/evlog/t|/evlog/s|' out
		[ "$(comm -13 <(sort want) <(sort out) | wc -l)" -eq 0 ]
		[ "$(lines_in out)" -ge 5 ] || [ "$at" -lt 192 ]
		# A change in the last frame looks like a torn tail; it is said all the same.
		[ "$got" -eq 8 ] || { [ "$got" -eq 0 ] && [ -s err ]; }
		[ -s err ]
	done
}

@test "a flipped newline hides no other event than its own" {
	for i in 1 2 3; do
		fill a $i $i
	done
	flip_bit "$(segment)" $(($(offset_of 3) - 1)) 6
	forget_boot
	run -8 --separate-stderr evlog read a -o data
	[ "$(digits <<<"$output")" = "1 3" ]
}

@test "damage in a sealed segment is found, and the other segments are read" {
	evlog init --segment-size 16K
	fill a 1 300
	flip_bit s/log/0000000000000001.evl $(($(offset_of 3 s/log/0000000000000001.evl) + 110))
	run -8 --separate-stderr evlog read --all -o data
	[ "${#lines[@]}" -eq 299 ]
	run -8 --separate-stderr evlog read a -o data
	[ "${#lines[@]}" -eq 299 ]
	run -8 --separate-stderr evlog verify
	jq -se 'length == 1 and .[0].first == "3"' <<<"$output"
}

@test "a segment that is missing is damage" {
	evlog init --segment-size 16K
	fill a 1 300
	files=(s/log/*.evl)
	rm "${files[1]}"
	run -8 --separate-stderr evlog read --all -o data
	[[ -n $stderr && ${#lines[@]} -gt 100 ]]
	run -8 --separate-stderr evlog verify
}

@test "repair takes the damaged range out, keeps it, and writers go on" {
	fill a 1 2
	fill a 3 3
	fill a 4 5
	damage_in_the_middle
	run -0 --separate-stderr evlog repair
	jq -se 'length >= 1 and .[0].first == "3"' <<<"$output"
	[ -n "$(ls s/lost)" ]
	run -0 --separate-stderr evlog verify --deep
	[ -z "$output" ]
	evlog append a -q -t T -x 4 <<<'{"n":6}'
	run -0 evlog read a -o data
	[ "$(digits <<<"$output")" = "1 2 4 5 6" ]
	run -1 evlog get 3
	run -1 evlog get a@2
}

@test "repair of a sound store changes nothing" {
	fill a 1 5
	find s/log s/FORMAT -type f -exec sha256sum {} + >before
	run -0 evlog repair
	find s/log s/FORMAT -type f -exec sha256sum {} + | cmp - before
}

# --- disk full, file too large, read-only ---

@test "on a full disk append exits 74, what was acknowledged is there, and it goes on later" {
	on_small_disk 3M '
	set -e
	evlog init
	head -c 1M /dev/zero >room
	data 1 100000 >../x
	got=0
	evlog append a -t T --commit 100 ../x >../receipts || got=$?
	[ $got -eq 74 ]
	[ "$(receipts_sum ../receipts)" -eq $(($(evlog version a) + 1)) ]
	evlog verify
	rm room
	evlog append a -q -t T <<<1
	assert_dense
	evlog verify --deep'
}

@test "on a full disk reading works, also when the index has to be made anew" {
	on_small_disk 2M '
	set -e
	evlog init
	fill a 1 500
	rm -r s/ctl s/index/*
	cat /dev/zero >filler 2>/dev/null || :
	[ "$(evlog read --all -o data | wc -l)" -eq 500 ]
	[ "$(evlog read a -o data | wc -l)" -eq 500 ]
	[ "$(evlog version a)" = 499 ]
	got=0
	evlog append a -q -t T <<<1 2>err || got=$?
	[ $got -eq 74 ]
	rm filler
	evlog append a -q -t T <<<1
	assert_dense'
}

@test "a limit on the size of files is exit 74, not a signal" {
	evlog init
	fill a 1 10
	data 1 100000 >x
	run -74 --separate-stderr bash -c 'ulimit -f 4096; evlog append a -t T --commit 100 x'
	[[ $stderr == *"evlog: "*"File too large"* ]]
	[ $(($(receipts_sum <<<"$output") + 10)) -eq $(($(evlog version a) + 1)) ]
	evlog append a -q -t T <<<1
	assert_dense
	evlog verify --deep
}

@test "a read-only store can be read and verified; append is exit 77" {
	fill a 1 5
	script='
	set -e
	[ "$(evlog read a -o data | wc -l)" -eq 5 ]
	[ "$(evlog tail --all -n 2 -o data | wc -l)" -eq 2 ]
	[ "$(evlog version a)" = 4 ]
	evlog stat >/dev/null
	evlog verify --deep
	for words in "append a -t T" repair reindex; do
		got=0
		evlog $words <<<1 2>err || got=$?
		[ $got -eq 77 ]
		grep -q "^evlog: " err
	done'
	on_read_only "$script"
	rm -r s/ctl s/index
	on_read_only "$script"
}

@test "a store that may not be read is exit 77" {
	[ "$(id -u)" -ne 0 ] || skip "by design: root may read everything"
	fill a 1 5
	chmod 000 s
	run -77 --separate-stderr evlog read a
	chmod 700 s
	[[ $stderr == "evlog: "* ]]
}

# --- other writers ---

@test "with -w a writer gives up after that time: exit 75 and nothing is written" {
	fill a 1 3
	hold_lock
	run -75 --separate-stderr evlog append a -t T -w 100ms <<<1
	[[ -z $output && $stderr == "evlog: "* ]]
	run -75 evlog -w 0 append a -t T <<<1
	stop "$holder"
	[ "$(evlog version a)" = 2 ]
	evlog append a -q -t T -w 100ms <<<1
}

@test "without -w a writer waits for its turn; readers need none" {
	fill a 1 3
	hold_lock
	evlog append a -t T <<<'{"n":4}' >receipt 3>&- &
	started $!
	writer=$!
	[ "$(numbers a)" = "1 2 3" ]
	[ ! -s receipt ]
	stop "$holder"
	wait "$writer"
	[ "$(numbers a)" = "1 2 3 4" ]
}

# --- poisoned ---

@test "a poisoned store stops writers with exit 74; readers go on" {
	fill a 1 5
	echo "5 Input/output error" >s/poisoned
	forget_boot
	run -74 --separate-stderr evlog append a -t T <<<6
	[[ -z $output && $stderr == "evlog: "*"evlog repair"* ]]
	[ "$(numbers a)" = "1 2 3 4 5" ]
	run -8 --separate-stderr evlog verify
	jq -se 'map(.kind) == ["poisoned"]' <<<"$output"
	run -74 evlog append a -t T <<<6
	evlog repair >/dev/null
	evlog append a -q -t T -x 4 <<<'{"n":6}'
	evlog verify --deep
}

# --- another version, another place ---

@test "a network file system is exit 78, before anything is written" {
	[ -z "${SHOAL_SAN-}" ] || skip "by design: a sanitizer wants to be loaded first"
	fill a 1 3
	cat >nfs.c <<-'END'
	#include <string.h>
	#include <sys/vfs.h>
	int fstatfs(int fd, struct statfs *s)
	{
		(void)fd;
		memset(s, 0, sizeof(*s));
		s->f_type = 0x6969; /* NFS_SUPER_MAGIC */
		return 0;
	}
	END
	cc -shared -fPIC -o nfs.so nfs.c
	export LD_PRELOAD=$PWD/nfs.so
	run -78 --separate-stderr evlog read a
	[[ -z $output && $stderr == "evlog: "*"nfs"* ]]
	run -78 evlog append a -t T <<<1
	run -78 evlog -s new append a -t T <<<1
	run -78 evlog init new
	unset LD_PRELOAD
	[ ! -e new ]
	[ "$(numbers a)" = "1 2 3" ]
}

@test "a store of another version is exit 78 for every verb and stays as it is" {
	fill a 1 5
	evlog backup copy >/dev/null
	for first in "evlog 2" "evlog 10" "evlog1" "something else" ""; do
		sed -i "1s/.*/$first/" s/FORMAT
		find s -type f -exec sha256sum {} + >before
		for words in "append a -t T" "read a" "tail a" "get 1" "version a" head streams \
		    types stat verify repair reindex "backup other" export; do
			# shellcheck disable=SC2086 # words
			run -78 --separate-stderr evlog $words <<<1
			[[ -z $output && $stderr == "evlog: "*"FORMAT"* ]]
		done
		find s -type f -exec sha256sum {} + | cmp - before
	done
}

@test "a setting that this version does not know is exit 78" {
	fill a 1 5
	echo "compression zstd" >>s/FORMAT
	run -78 --separate-stderr evlog read a
	[[ $stderr == *"compression zstd"* ]]
}

@test "a directory that is no store is exit 66 and stays as it is" {
	mkdir s
	echo precious >s/file
	run -66 --separate-stderr evlog read --all
	run --separate-stderr evlog append a -t T <<<1
	[ "$status" -ne 0 ]
	[[ $stderr == "evlog: "* ]]
	[ "$(ls s)" = file ]
	rm -r s
	echo precious >s
	run --separate-stderr evlog append a -t T <<<1
	[ "$status" -ne 0 ]
	[ "$(<s)" = precious ]
}

@test "a store from another machine or boot is as good as one from here" {
	evlog init --segment-size 16K
	fill a 1 300
	evlog read --all >want
	# The id of the boot in ctl.
	head -c 16 /dev/urandom | dd of=s/ctl bs=1 seek=16 conv=notrunc status=none
	evlog read --all | cmp - want
	fill a 301 301
	cp -r s t
	evlog -s t verify --deep
	[ "$(evlog -s t version a)" = 300 ]
	evlog -s t append a -q -t T -x 300 <<<1
	evlog verify --deep
	[ "$(evlog version a)" = 300 ]
}

@test "a copy of FORMAT and log alone is the whole store" {
	evlog init --segment-size 16K
	fill a 1 300
	mkdir t
	cp -r s/FORMAT s/log t
	[ "$(evlog -s t read a -o data)" = "$(evlog read a -o data)" ]
	events 1 301 >x
	tail -n 1 x | evlog -s t append a -q -x 299
	[ "$(evlog -s t append a x | jq .known)" = 301 ]
	evlog -s t verify --deep
}

@test "a log of another store is not taken for this one's" {
	fill a 1 5
	evlog -s other append a -q -t T <<<1 2>/dev/null
	cp other/log/*.evl s/log/
	forget_boot
	run -8 --separate-stderr evlog read --all
	[[ -n $stderr ]]
	run -8 evlog append a -t T <<<1
}
