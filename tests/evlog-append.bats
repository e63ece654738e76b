# What evlog(1) promises about init and append: commits, receipts, versions, ids, bad input.

load lib/evlog

setup() { evlog_setup; }
teardown() { evlog_teardown; }

# --- the store ---

@test "the first append makes the store and says so once" {
	run -0 --separate-stderr evlog append a -t T <<<1
	[[ $stderr == "evlog: created store '"*"/s'" ]]
	[ ${#lines[@]} -eq 1 ]
	run -0 --separate-stderr evlog append a -t T <<<2
	[ -z "$stderr" ]
}

@test "a store is for its user alone: 0700 and 0600" {
	(umask 000 && evlog append a -q -t T <<<1)
	[ "$(find s -type d -printf '%m\n' | sort -u)" = 700 ]
	[ "$(find s -type f -printf '%m\n' | sort -u)" = 600 ]
}

@test "init --shared makes a store for its group: 2770 and 0660, whatever the umask" {
	(umask 077 && evlog init --shared s && evlog append a -q -t T <<<1)
	[ "$(find s -type d -printf '%m\n' | sort -u)" = 2770 ]
	[ "$(find s -type f -printf '%m\n' | sort -u)" = 660 ]
}

@test "directories of a shared store that are made anew are its group's, whatever the umask" {
	evlog init --shared s
	rmdir s/lost
	rm -r s/index
	(umask 077 && evlog append a -q -t T <<<1)
	[ "$(find s -type d -printf '%m\n' | sort -u)" = 2770 ]
	[ "$(find s -type f -printf '%m\n' | sort -u)" = 660 ]
}

@test "init makes an empty store and is silent" {
	run -0 --separate-stderr evlog init there
	[ -z "$output$stderr" ]
	[ "$(evlog -s there head)" = 00000000000000000000 ]
	evlog init
	[ "$(evlog head)" = 00000000000000000000 ]
}

@test "init of a store that is there is exit 73 and changes nothing" {
	evlog init
	evlog append a -q -t T <<<1
	run -73 --separate-stderr evlog init
	[[ $stderr == "evlog: "*"'"*"/s'"* ]]
	[ "$(numbers a)" = 1 ]
}

@test "the directory above the store must be there" {
	run --separate-stderr evlog -s not/there append a -t T <<<1
	[ "$status" -eq 66 ] || [ "$status" -eq 73 ] || [ "$status" -eq 74 ]
	[[ $stderr == "evlog: "* ]]
	[ ! -e not ]
}

@test "the default store is made with the directories above it" {
	unset EVLOG_STORE STATE_DIRECTORY
	export XDG_STATE_HOME=$BATS_TEST_TMPDIR/deep/state
	[ "$(id -u)" -ne 0 ] || export STATE_DIRECTORY=$XDG_STATE_HOME/shoal/evlog
	run -0 --separate-stderr evlog append a -t T <<<1
	[[ $stderr == "evlog: created store '$BATS_TEST_TMPDIR/deep/"* ]]
	[ "$(numbers a)" = 1 ]
}

@test "a store is named by a path, by file:DIR, by -s before or after the verb, or by EVLOG_STORE" {
	evlog append a -q -t T <<<1
	[ "$(evlog version a)" = 0 ]
	unset EVLOG_STORE
	[ "$(evlog -s s version a)" = 0 ]
	[ "$(evlog version a -s "file:$PWD/s")" = 0 ]
	[ "$(evlog version --store=s a)" = 0 ]
	[ "$(EVLOG_STORE=file:s evlog version a)" = 0 ]
}

@test "another kind of store is exit 78 and names those that can" {
	for url in http://127.0.0.1:8500 redis://h postgresql://h/db etcd://h; do
		run -78 --separate-stderr evlog -s "$url" append a -t T <<<1
		[[ $stderr == "evlog: "*"file:"* ]]
	done
	[ ! -e s ]
}

@test "any number of processes append and read at the same time" {
	evlog init
	for w in 1 2 3 4 5 6 7 8; do
		events "$w"001 "$w"050 | evlog append --each "stream-$((w % 3))" >"receipts.$w" &
		started $!
	done
	for ((i = 0; i < 20; i++)); do
		assert_dense
	done
	for pid in "${children[@]}"; do
		wait "$pid"
	done
	[ "$(receipts_sum receipts.*)" -eq 400 ]
	[ "$(evlog read --all | jq -r .id | sort -u | wc -l)" -eq 400 ]
	assert_dense
	evlog verify --deep
}

@test "the log is text, one line an event, that grep and cut read" {
	evlog append order-42 -q <<-'END'
	{"type":"OrderPlaced","data":{"total":30}}
	{"type":"Paid","data":"by card"}
	END
	[ "$(cut -c104- s/log/*.evl | grep '^order-42 ' | cut -d' ' -f2,5-)" = \
	    'OrderPlaced {"total":30}'$'\n''Paid "by card"' ]
}

@test "a frame has the columns that evlog-format(5) names" {
	local frame columns uuid
	printf '%s\n' 1 2 3 | evlog append a -q -t T -m k='b c' --commit 3
	frame=$(grep -a ' a T ' s/log/*.evl | sed -n 3p)
	columns="^[0-9a-f]{8} E-\. $(printf %08x $((${#frame} + 1))) [0-9a-f]{8} 000002 "
	columns+="000000000003 00000002 000000000002 000000000001 [0-9a-f]{16} a T [^ ]+ "
	[[ $frame =~ $columns ]]
	[[ $frame == *' {"k":"b\u0020c"} 3' ]]
	[[ $(grep -a ' a T ' s/log/*.evl | sed -n 1p) == *" E-+ "* ]]
	uuid=$(sed -n 's/^uuid //p' s/FORMAT)
	[[ $(head -n 1 s/log/*.evl) == "#evlog1 $uuid base=0000000000000001 "* ]]
	[ "$(head -n 1 s/log/*.evl | wc -c)" -eq 192 ]
	[ "$(head -n 1 s/FORMAT)" = "evlog 1" ]
}

# --- input ---

@test "input lines are CloudEvents, or a type and data" {
	printf '%s\n' '{"type":"A","data":{"n":1}}' '{"data":[1,2],"type":"B"}' '{"type":"C"}' \
	    '{"specversion":"1.0","id":"x","source":"/here","type":"D","data":null}' |
	    evlog append a -q
	[ "$(evlog read a | jq -r .type | paste -sd ' ')" = "A B C D" ]
	[ "$(evlog read a | jq -c .data)" = '{"n":1}'$'\n''[1,2]'$'\n'null$'\n'null ]
}

@test "with -t each line is the data alone, any JSON value" {
	printf '%s\n' '{"type":"not this"}' '[1, 2]' '"text"' -1.5e3 true null |
	    evlog append a -q -t T
	[ "$(evlog read a | jq -r .type | sort -u)" = T ]
	[ "$(evlog read a -o data | paste -sd ' ')" = \
	    '{"type":"not this"} [1,2] "text" -1.5e3 true null' ]
}

@test "numbers and the order of keys stay as they were typed" {
	local data='{"z":1.10,"a":123456789012345678901234567890,"m":1E400,"b":{"y":-0.0,"x":[]}}'
	evlog append a -q -t T <<<"$data"
	[ "$(evlog read a -o data)" = "$data" ]
	[[ $(evlog read a) == *",\"data\":$data}" ]]
}

@test "a CloudEvent keeps id, time, type, source, data and extensions" {
	jq -nc '{specversion: "1.0", id: "i-1", source: "urn:x", type: "T",
	    time: "2020-02-03T04:05:06.789Z", shade: "dark blue", count: 3, ok: true,
	    data: {n: 1}}' >x
	evlog append a -q x
	[ "$(evlog read a | jq -S 'del(.subject, .sequence, .streamversion, .recordedtime)')" = \
	    "$(jq -S . x)" ]
}

@test "subject, sequence and streamversion are set by the store" {
	evlog append b -q -t T <<<0
	evlog append a -q <<<'{"type":"T","subject":"other","sequence":"7","streamversion":"9"}'
	[ "$(evlog read a | jq -c '[.subject, .sequence, .streamversion]')" = \
	    '["a","00000000000000000002","0"]' ]
	run -1 evlog read other
}

@test "an event without id, time and source gets them" {
	evlog append a -q -t T <<<1
	evlog read a | jq -e '.specversion == "1.0" and .source == "/evlog/s" and
	    (.id | test("^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"))
	    and
	    (.time | test("^20[0-9-]*T[0-9:]*[.][0-9]{6}Z$")) and has("recordedtime") == false'
}

@test "an event that brings its time also says when the store recorded it" {
	evlog append a -q <<<'{"type":"T","time":"2001-01-01T00:00:00Z"}'
	evlog read a | jq -e '.time == "2001-01-01T00:00:00Z" and .recordedtime > "2020"'
}

@test "an event looks the same everywhere, with its keys in one order" {
	EVLOG_CORRELATION=c EVLOG_CAUSATION=d evlog append order-42 -q -t T <<<'{"a":1}'
	local want="specversion id source type subject time sequence streamversion"
	[ "$(evlog read order-42 | jq -r 'keys_unsorted | join(" ")')" = \
	    "$want correlationid causationid data" ]
}

@test "--raw takes any bytes as one event" {
	head -c 3000 /dev/urandom >bytes
	evlog append a --raw -t Blob bytes
	evlog get a@0 -o raw | cmp - bytes
	[ "$(evlog get a@0 | jq -r .data_base64 | base64 -d | sha256sum)" = "$(sha256sum <bytes)" ]
	printf '' | evlog append a --raw -t Blob
	[ "$(evlog version a)" = 1 ]
}

@test "several files are read one after another, - is stdin" {
	data 1 2 >x
	data 5 6 >y
	data 3 4 | evlog append a -q -t T x - y
	[ "$(numbers a)" = "1 2 3 4 5 6" ]
}

@test "an input file that is missing is exit 66" {
	run -66 --separate-stderr evlog append a -t T missing
	[[ $stderr == *"evlog: "*"'missing'"* ]]
}

@test "the last line needs no newline" {
	printf '1\n2' | evlog append a -q -t T
	[ "$(numbers a)" = "1 2" ]
}

@test "an empty input gives no receipt and exit 0" {
	run -0 evlog append a -t T --atomic </dev/null
	[ "$(grep -c stream <<<"$output")" -eq 0 ]
	run -0 --separate-stderr evlog append a -t T </dev/null
	[ -z "$output" ]
}

# --- commits and receipts ---

receipt() { # STREAM FIRST LAST SEQUENCE COUNTS [DUPLICATE]
	printf '{"stream":"%s","first":"%s","last":"%s","sequence":"%020d",%s,' "${@:1:5}"
	printf '"duplicate":%s,"durable":true}\n' "${6-false}"
}

@test "the receipt says stream, versions, sequence, count, duplicate and durable" {
	evlog append b -q -t T <<<0
	data 1 3 >x
	run -0 evlog append a -t T x
	[ "$output" = "$(receipt a 0 2 4 '"count":3')" ]
}

@test "-q prints no receipt" {
	evlog init
	run -0 --separate-stderr evlog append a -q -t T <<<1
	[ -z "$output$stderr" ]
}

@test "a receipt is one line for each commit and stream" {
	run -0 --separate-stderr evlog append --batch <<-'END'
	{"stream":"b","type":"T"}
	{"stream":"a","type":"T"}
	{"stream":"b","type":"T"}
	END
	[ "$(jq -r '[.stream, .first, .last, .sequence, .count] | join(" ")' <<<"$output")" = \
	    "b 0 1 00000000000000000003 2"$'\n'"a 0 0 00000000000000000002 1" ]
}

@test "a receipt can be printed only after the fdatasync" {
	can_trace
	evlog init
	strace -f -o trace -e trace=fdatasync,write,pwrite64 evlog append a -t T <<<1 >receipt ||
	    skip "by design: tracing is not permitted here"
	awk '/pwrite64\(.* E-\. / { wrote = NR } /fdatasync\(.* = 0$/ { synced = NR }
	    /write\(1, / { printed = NR }
	    END { exit !(wrote && wrote < synced && synced < printed) }' trace
}

@test "a slow pipe commits each line at once" {
	mkfifo pipe
	evlog append a -t T <pipe >receipts 2>/dev/null 3>&- &
	started $!
	exec 9>pipe
	for n in 1 2 3; do
		echo "$n" >&9
		wait_for 20 has_lines "$n" receipts
		[ "$(evlog version a)" = $((n - 1)) ]
	done
	exec 9>&-
	wait "${children[0]}"
	[ "$(lines_in receipts)" -eq 3 ]
}

@test "a fast pipe commits in thousands, at the latest after 1000 lines" {
	data 1 10000 >x
	evlog append a -t T x >receipts 2>/dev/null
	[ "$(jq -s 'map(.count) | add' receipts)" -eq 10000 ]
	[ "$(jq -s 'map(.count) | max' receipts)" -eq 1000 ]
	[ "$(lines_in receipts)" -eq 10 ]
	[ "$(evlog head)" = 00000000000000010000 ]
}

@test "a commit is at the latest after 1 MiB" {
	long=$(printf 'x%.0s' {1..1000})
	yes "\"$long\"" | head -n 3000 >x
	evlog append a -t T --commit 50000 x >receipts 2>/dev/null
	[ "$(receipts_sum receipts)" -eq 3000 ]
	[ "$(jq -s 'map(.count) | max <= 1048' receipts)" = true ]
}

@test "--commit N commits after N lines, --each after each one" {
	data 1 25 >x
	evlog append a -t T --commit 10 x >receipts 2>/dev/null
	[ "$(jq -c .count receipts | paste -sd ' ')" = "10 10 5" ]
	[ "$(evlog append a -t T --each x | jq -c .count | sort -u)" = 1 ]
	[ "$(evlog version a)" = 49 ]
}

@test "--atomic makes the whole input one commit" {
	run -0 --separate-stderr evlog append a -t T --atomic < <(data 1 3000)
	[ "$(jq -c '[.first, .last, .count]' <<<"$output")" = '["0","2999",3000]' ]
	[ "$(cut -c 12 s/log/*.evl | grep -c '[+]')" -eq 2999 ]
	[ "$(tail -n 1 s/log/*.evl | cut -c 12)" = . ]
}

@test "--atomic writes nothing when one line is bad" {
	evlog append a -q -t T <<<0
	run -65 --separate-stderr evlog append a -t T --atomic < <(data 1 50; echo '{'; data 51 60)
	[[ -z $output && $stderr == "evlog: line 51: "* ]]
	[ "$(numbers a)" = 0 ]
}

@test "--atomic takes 65,536 events; one more is exit 65 and nothing is written" {
	seq 65537 >x
	run -65 --separate-stderr evlog append a -t T --atomic x
	[[ -z $output && $stderr == *"evlog: "*65536* ]]
	run -1 evlog read a
	head -n 65536 x | evlog append a -q -t T --atomic
	[ "$(evlog version a)" = 65535 ]
}

@test "--atomic with more than 16 MiB is exit 65 and nothing is written" {
	{ printf '"'; head -c 1000000 /dev/zero | tr '\0' x; echo '"'; } >line
	for i in {1..17}; do cat line; done >x
	run -65 --separate-stderr evlog append a -t T --atomic x
	[[ -z $output && $stderr == *"evlog: "* ]]
	run -1 evlog read a
	head -n 16 x | evlog append a -q -t T --atomic
	[ "$(evlog version a)" = 15 ]
}

@test "-x implies --atomic" {
	evlog init
	run -65 --separate-stderr evlog append a -t T -x none < <(data 1 1500; echo bad)
	[[ -z $output && $stderr == "evlog: line 1501: "* ]]
	run -1 evlog read a
	run -0 evlog append a -t T -x none < <(data 1 1500)
	[ "$(jq .count <<<"$output")" = 1500 ]
}

@test "a slow pipe with --atomic commits only at its end" {
	mkfifo pipe
	evlog init
	evlog append a -t T --atomic <pipe >receipts 3>&- &
	started $!
	exec 9>pipe
	data 1 5 >&9
	evlog append b -q -t T <<<1
	[ "$(evlog version a)" = none ]
	exec 9>&-
	wait "${children[0]}"
	[ "$(jq -c .count receipts)" = 5 ]
}

@test "SIGTERM commits the lines that were read, prints their receipt and exits 143" {
	for signal in TERM:143 INT:130 HUP:129; do
		rm -rf s receipts
		mkfifo "pipe.$signal"
		# A background job of a script ignores SIGINT; env restores it.
		env --default-signal=INT evlog append a -t T <"pipe.$signal" >receipts \
		    2>/dev/null 3>&- &
		exec 9>"pipe.$signal"
		printf '1\n2\n{"half' >&9
		wait_for 20 has_lines 1 receipts
		kill -s "${signal%:*}" $!
		exits_with "${signal#*:}" wait $!
		exec 9>&-
		[ "$(numbers a)" = "1 2" ]
		[ "$(receipts_sum receipts)" -eq 2 ]
	done
}

@test "SIGTERM in a stream of lines loses nothing that was acknowledged" {
	evlog init
	endless | evlog append a -t T >receipts 3>&- &
	wait_for 20 has_lines 3 receipts
	kill $!
	exits_with 143 wait $!
	[ "$(receipts_sum receipts)" -eq $(($(evlog version a) + 1)) ]
	assert_dense
}

@test "SIGTERM writes nothing with --atomic, -x, -i, --batch and --raw" {
	evlog init
	for options in --atomic "-x none" "-i one" --raw --batch; do
		rm -f pipe
		mkfifo pipe
		[ "$options" = --batch ] || options="a -t T $options"
		# shellcheck disable=SC2086 # options are words
		evlog append $options <pipe >receipts 3>&- &
		exec 9>pipe
		echo '{"stream":"a","type":"T"}' >&9
		evlog append b -q -t T <<<1
		kill $!
		exits_with 143 wait $!
		exec 9>&-
		[ ! -s receipts ]
	done
	run -1 evlog read a
}

@test "a receipt that cannot be written is exit 74" {
	[ -c /dev/full ] || skip "by design: no /dev/full"
	run -74 --separate-stderr bash -c 'evlog append a -t T <<<1 >/dev/full'
	[[ $stderr == *"evlog: "*"standard output"* ]]
}

@test "when nobody reads the receipts the signal says so and no line is lost" {
	evlog init
	run bash -c 'seq 5000 | evlog append a -t T --each | head -n 2; echo ${PIPESTATUS[1]}'
	[ "${lines[2]}" -eq 141 ]
	assert_dense
}

# --- versions ---

@test "versions begin at 0 and sequences at 1, both without gaps" {
	fill a 1 3
	fill b 4 5
	fill a 6 6
	[ "$(evlog read --all -o tsv | cut -f 1-3 | tr '\t' ' ')" = "00000000000000000001 a 0
00000000000000000002 a 1
00000000000000000003 a 2
00000000000000000004 b 0
00000000000000000005 b 1
00000000000000000006 a 3" ]
}

@test "-x N means that the last version is N" {
	fill a 1 3
	evlog append a -q -t T -x 2 <<<4
	run -10 evlog append a -q -t T -x 4 <<<5
	run -10 evlog append a -q -t T -x 2 <<<5
	[ "$(evlog version a)" = 3 ]
}

@test "-x none, exists and any say what the stream has to be" {
	evlog init
	run -10 evlog append a -q -t T -x exists <<<0
	evlog append a -q -t T -x none <<<1
	run -10 evlog append a -q -t T -x none <<<0
	evlog append a -q -t T -x exists <<<2
	evlog append a -q -t T -x any <<<3
	evlog append b -q -t T -x any <<<4
	[ "$(numbers a)" = "1 2 3" ]
}

@test "-x takes what version prints" {
	evlog append a -q -t T -x "$(evlog init && evlog version a)" <<<1
	evlog append a -q -t T -x "$(evlog version a)" <<<2
	[ "$(numbers a)" = "1 2" ]
}

@test "a conflict is exit 10, nothing is written, and stderr says what is" {
	fill a 1 3
	run -10 --separate-stderr evlog append a -t T -x 5 < <(data 1 2)
	[ -z "$output" ]
	[ "$stderr" = '{"stream":"a","expected":"5","actual":"2"}' ]
	run -10 --separate-stderr evlog append a -t T -x none <<<1
	[ "$stderr" = '{"stream":"a","expected":"none","actual":"2"}' ]
	run -10 --separate-stderr evlog append b -t T -x 0 <<<1
	[ "$stderr" = '{"stream":"b","expected":"0","actual":"none"}' ]
	run -10 --separate-stderr evlog append b -t T -x exists <<<1
	[ "$stderr" = '{"stream":"b","expected":"exists","actual":"none"}' ]
	[ "$(evlog head)" = 00000000000000000003 ]
}

@test "of many that expect the same version one wins" {
	evlog init
	for w in 1 2 3 4 5 6 7 8; do
		evlog append a -q -t T -x none <<<"$w" 2>/dev/null 3>&- &
		started $!
	done
	for pid in "${children[@]}"; do
		got=0
		wait "$pid" || got=$?
		exits+=("$got")
	done
	[ "$(printf '%s\n' "${exits[@]}" | sort -n | paste -sd ' ')" = "0 10 10 10 10 10 10 10" ]
	[ "$(evlog version a)" = 0 ]
}

@test "junk for -x is exit 64" {
	evlog init
	for junk in '' -1 +1 1x 0x1 1.0 ' 1' NONE 4294967296 99999999999999999999; do
		run -64 --separate-stderr evlog append a -t T -x "$junk" <<<1
		[[ $stderr == "evlog: "* && ${#stderr_lines[@]} -eq 1 ]]
	done
	run -1 evlog read a
}

# --- batches over several streams ---

@test "--batch is one commit over all its streams" {
	fill b 1 2
	run -0 evlog append --batch <<-'END'
	{"stream":"a","type":"Debited","data":{"n":5}}
	{"stream":"b","type":"Credited","data":{"n":5},"expect":1}
	END
	[ "$(lines_in <(cat <<<"$output"))" -eq 2 ]
	[ "$(tsv --all --after 2)" = 'a 0 Debited {"n":5}'$'\n''b 2 Credited {"n":5}' ]
	[ "$(cut -c 12 s/log/*.evl | tail -n 2 | paste -sd '')" = "+." ]
}

@test "--batch with a conflict writes to none of its streams" {
	fill b 1 2
	run -10 --separate-stderr evlog append --batch <<-'END'
	{"stream":"a","type":"Debited","expect":"none"}
	{"stream":"b","type":"Credited","expect":"7"}
	END
	[ "$stderr" = '{"stream":"b","expected":"7","actual":"1"}' ]
	[ "$(evlog head)" = 00000000000000000002 ]
	[ "$(evlog version a)" = none ]
}

@test "expect is any, none, exists or a version, as text or number, and sees the lines before it" {
	evlog append --batch -q <<-'END'
	{"stream":"a","type":"T","expect":"none"}
	{"stream":"a","type":"T","expect":0}
	{"stream":"a","type":"T","expect":"1"}
	{"stream":"a","type":"T","expect":"exists"}
	{"stream":"b","type":"T","expect":"any"}
	END
	[ "$(evlog version a) $(evlog version b)" = "3 0" ]
}

@test "--commit N splits a batch into atomic pieces of N lines" {
	for n in 1 2 3 4 5; do
		printf '{"stream":"s-%d","type":"T","data":%d}\n' $((n % 2)) "$n"
	done >x
	evlog append --batch --commit 2 x >receipts 2>/dev/null
	[ "$(jq -c '[.stream, .count]' receipts | paste -sd ' ')" = \
	    '["s-1",1] ["s-0",1] ["s-1",1] ["s-0",1] ["s-1",1]' ]
	[ "$(cut -c 12 s/log/*.evl | grep '[.+]' | paste -sd '')" = "+.+.." ]
	sed '4s/T/T","expect":"none/' x >y
	run -10 --separate-stderr evlog append --batch --commit 2 y
	[ "$(evlog head)" = 00000000000000000007 ]
}

@test "--check streams are checked, not written" {
	fill a 1 3
	evlog append --batch -q --check a=2 --check b=none <<<'{"stream":"c","type":"T"}'
	run -10 --separate-stderr evlog append --batch --check a=1 <<<'{"stream":"c","type":"T"}'
	[ "$stderr" = '{"stream":"a","expected":"1","actual":"2"}' ]
	run -10 evlog append --batch --check b=exists <<<'{"stream":"c","type":"T"}'
	[ "$(evlog version a) $(evlog version b) $(evlog version c)" = "2 none 0" ]
	run -64 evlog append --batch --check a <<<'{"stream":"c","type":"T"}'
	run -64 evlog append --batch --check a=junk <<<'{"stream":"c","type":"T"}'
}

@test "a batch line without a stream or a type is exit 65 and nothing is written" {
	evlog init
	for line in '{"type":"T"}' '{"stream":"a"}' '{"stream":5,"type":"T"}' \
	    '{"stream":"a b","type":"T"}' '{"stream":"a","type":"T","expect":"junk"}' \
	    '{"stream":"a","type":"T","expect":-1}' '{"stream":"a","type":"T","expect":1.5}' \
	    '[]'; do
		printf '%s\n' '{"stream":"b","type":"T"}' "$line" >x
		run -65 --separate-stderr evlog append --batch <x
		[[ -z $output && $stderr == *"evlog: line 2: "* ]]
	done
	run -1 evlog read b
}

# --- ids ---

@test "an id that is known is not written again, however long ago it was" {
	evlog append a -q -t T -i first <<<0
	data 1 3000 | evlog append a -q -t T
	run -0 evlog append a -t T -i first <<<0
	[ "$output" = "$(receipt a 0 0 1 '"count":0,"known":1' true)" ]
	[ "$(evlog version a)" = 3000 ]
}

@test "an id is known also when its segment was sealed and the index made anew" {
	evlog init --segment-size 16K
	fill a 1 300
	[ "$(find s/log -name '*.evl' | wc -l)" -gt 2 ]
	events 1 301 >x
	run -0 evlog append a x
	[ "$(jq -c '[.count, .known]' <<<"$output")" = "[1,300]" ]
	evlog reindex
	events 1 302 >x
	run -0 evlog append a x
	[ "$(jq -c '[.count, .known]' <<<"$output")" = "[1,301]" ]
	assert_dense
}

@test "an id is unique within its stream; another stream may have the same" {
	evlog append a -q -t T -i one <<<1
	evlog append b -q -t T -i one <<<2
	evlog append b -q -t T -i one <<<2
	[ "$(evlog version a) $(evlog version b)" = "0 0" ]
}

@test "copying events to another stream keeps their ids and may be repeated" {
	fill a 1 5
	evlog read a | evlog append copy -q
	evlog read a >x
	evlog append copy x >receipt
	[ "$(jq -c '[.count, .known, .duplicate]' receipt)" = '[0,5,true]' ]
	[ "$(evlog read a | jq -c '[.id, .type, .time, .data]')" = \
	    "$(evlog read copy | jq -c '[.id, .type, .time, .data]')" ]
}

@test "the id is looked at before the expected version: a repeated append -x 7 -i A succeeds" {
	fill a 1 8
	evlog append a -q -t T -x 7 -i A <<<9
	run -0 evlog append a -t T -x 7 -i A <<<9
	[ "$output" = "$(receipt a 8 8 9 '"count":0,"known":1' true)" ]
	run -10 evlog append a -q -t T -x 7 -i B <<<9
}

@test "in a plain append known lines are skipped one by one and the rest is written" {
	fill a 2 2
	fill a 4 4
	events 1 5 >x
	run -0 evlog append a x
	[ "$(jq -c '[.count, .known, .duplicate]' <<<"$output")" = '[3,2,false]' ]
	[ "$(numbers a)" = "2 4 1 3 5" ]
	run -0 evlog append a x
	[ "$(jq -c '[.first, .last, .count, .known]' <<<"$output")" = '["0","4",0,5]' ]
	[ "$(jq .duplicate <<<"$output")" = true ]
}

@test "an id that stands twice in one input is written once" {
	(events 1 2; events 1 3) >x
	run -0 --separate-stderr evlog append a x
	[ "$(jq -c '[.count, .known]' <<<"$output")" = "[3,2]" ]
	[ "$(numbers a)" = "1 2 3" ]
}

@test "with --atomic, -x and --batch a commit that is partly known is exit 11 and writes nothing" {
	fill a 1 2
	run -11 --separate-stderr evlog append a --atomic < <(events 1 4)
	[[ -z $output && $stderr == "evlog: "* ]]
	run -11 evlog append a -x 1 < <(events 2 4)
	run -11 evlog append --batch < <(events 1 4 | sed 's/{/{"stream":"a",/')
	[ "$(evlog head)" = 00000000000000000002 ]
}

@test "with --atomic, -x and --batch a commit that is known as a whole is a duplicate" {
	events 1 3 | sed 's/{/{"stream":"a",/' >x
	evlog append --batch -q x
	[ "$(evlog append --batch x | jq -c '[.count, .known, .duplicate]')" = '[0,3,true]' ]
	[ "$(events 1 3 | evlog append a --atomic | jq .duplicate)" = true ]
	[ "$(events 1 3 | evlog append a -x none | jq .duplicate)" = true ]
	[ "$(evlog version a)" = 2 ]
}

@test "a known id with other data or another type is exit 11 everywhere" {
	evlog append a -q -t T -i one <<<'{"n":1}'
	run -11 --separate-stderr evlog append a -t T -i one <<<'{"n":2}'
	[[ -z $output && $stderr == "evlog: "*"'one'"* ]]
	run -11 evlog append a -t U -i one <<<'{"n":1}'
	run -11 evlog append a -t T -i one -x none <<<'{"n":2}'
	run -11 evlog append a -t T -i one --atomic <<<'{"n":2}'
	run -11 evlog append --batch <<<'{"stream":"a","id":"one","type":"T","data":{"n":2}}'
	[ "$(evlog head)" = 00000000000000000001 ]
}

@test "in a plain append what came before the reused id is written and acknowledged" {
	evlog append a -q <<<'{"id":"e-3","type":"Other"}'
	events 1 5 >x
	run -11 --separate-stderr evlog append a <x
	[ "$(jq .count <<<"$output")" = 2 ]
	[[ $stderr == "evlog: line 3: "* ]]
	[ "$(evlog version a)" = 2 ]
}

@test "-i names one event: a second line is exit 65 and nothing is written" {
	evlog init
	run -65 --separate-stderr evlog append a -t T -i one < <(data 1 2)
	[[ -z $output && $stderr == "evlog: line 2: "* ]]
	run -1 evlog read a
	evlog append a -q -t T -i one <<<1
	[ "$(evlog get a@0 | jq -r .id)" = one ]
}

# --- attributes from the environment and from -m ---

@test "correlation, causation and trace come from the environment" {
	trace=00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
	EVLOG_CORRELATION=order/42 EVLOG_CAUSATION=cmd-7 TRACEPARENT=$trace TRACESTATE=a=1 \
	    evlog append a -q -t T <<<1
	evlog read a | jq -r '.correlationid, .causationid, .traceparent, .tracestate' >got
	[ "$(paste -sd ' ' got)" = "order/42 cmd-7 $trace a=1" ]
}

@test "what the event brings beats -m, and -m beats the environment" {
	export EVLOG_CORRELATION=environment EVLOG_CAUSATION=environment
	evlog append a -q -m correlationid=option -m shade='light blue' <<-'END'
	{"type":"T"}
	{"type":"T","correlationid":"event","shade":"red"}
	END
	[ "$(evlog read a | jq -c '[.correlationid, .causationid, .shade]' | paste -sd ' ')" = \
	    '["option","environment","light blue"] ["event","environment","red"]' ]
}

@test "a TRACEPARENT that is none is ignored" {
	evlog init
	for junk in junk 00-0-0-00 00-00000000000000000000000000000000-00f067aa0ba902b7-01 \
	    00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-extra; do
		TRACEPARENT=$junk evlog append a -q -t T <<<1
	done
	[ "$(evlog read a | grep -c traceparent)" -eq 0 ]
}

@test "a bad -m is exit 64" {
	evlog init
	for junk in novalue =x A=1 a-b=1 abcdefghijklmnopqrstu=1 id=1 sequence=1 subject=1 \
	    data=1; do
		run -64 --separate-stderr evlog append a -t T -m "$junk" <<<1
		[[ $stderr == "evlog: "* ]]
	done
	run -1 evlog read a
}

# --- bad input ---

@test "a line that is not JSON is exit 65 with its number; what came before it stays" {
	evlog init
	for line in '{' 'not json' '{"type":"T"} x' "{'type':'T'}" '{"type":"T",}' \
	    '{"type":"T","data":01}' '{"type":"T","data":NaN}' '{"type":"T","data":"tab	"}'; do
		bad_line "$line"
	done
}

@test "an empty line is exit 65 with its number" {
	evlog init
	bad_line ""
	[[ $stderr == "evlog: line 2: empty" ]]
	bad_line "" -t T
}

@test "a line that is no event is exit 65 with its number" {
	evlog init
	for line in '[]' 1 '"text"' null '{}' '{"data":1}' '{"type":1}' '{"type":""}' \
	    '{"type":"T","id":7}' '{"type":"T","id":""}' '{"type":"T","specversion":"2.0"}' \
	    '{"type":"T","time":"yesterday"}' '{"type":"T","Upper":"x"}' \
	    '{"type":"T","nested":{}}' '{"type":"T","source":1}' \
	    '{"type":"T","data":1,"data_base64":"AA=="}' '{"type":"T","data_base64":"?"}'; do
		bad_line "$line"
	done
}

@test "bytes that are not UTF-8 are exit 65 with the line's number" {
	evlog init
	bad_line $'{"type":"T","data":"\xff"}'
	bad_line $'{"type":"T","data":"\xc0\x80"}'
	bad_line $'{"type":"T","data":"\xed\xa0\x80"}'
	bad_line '{"type":"T","data":"\ud800"}'
	bad_line $'"\xf8"' -t T
}

@test "a key twice in an object is exit 65 with the line's number" {
	evlog init
	bad_line '{"type":"T","type":"U"}'
	bad_line '{"type":"T","data":{"a":{"b":1,"b":2}}}'
	bad_line '{"type":"T","data":{"a":1,"\u0061":2}}'
}

@test "a NUL byte is exit 65 with the line's number" {
	evlog init
	run -65 --separate-stderr evlog append a -t T < <(printf '1\n"a\0b"\n')
	[[ $stderr == "evlog: line 2: "* ]]
	[ "$(numbers a)" = 1 ]
	bad_line '{"type":"a\u0000b"}'
	bad_line '{"type":"T","id":"a\u0000b"}'
	evlog append b -q <<<'{"type":"T","data":"a\u0000b"}'
	[ "$(evlog read b -o data)" = '"a\u0000b"' ]
}

@test "a line of 10 MB is exit 65 with its number; 7 MB are an event" {
	evlog init
	line() { printf '"'; head -c "$1" /dev/zero | tr '\0' x; printf '"\n'; }
	run -65 --separate-stderr evlog append a -t T < <(echo 1; line 10000000; echo 2)
	[[ $stderr == "evlog: line 2: "* ]]
	[ "$(numbers a)" = 1 ]
	line 7000000 | evlog append b -q -t T
	[ "$(evlog read b -o data | wc -c)" -eq 7000003 ]
}

@test "--raw takes 6,291,453 bytes; more is exit 65" {
	head -c 6291453 /dev/zero | evlog append a -q --raw -t T
	evlog get a@0 -o raw | cmp - <(head -c 6291453 /dev/zero)
	run -65 --separate-stderr evlog append a --raw -t T < <(head -c 6291454 /dev/zero)
	[[ $stderr == "evlog: "* ]]
	[ "$(evlog version a)" = 0 ]
}

@test "an object nested too deep is exit 65" {
	evlog init
	{ printf '[%.0s' {1..5000}; printf ']%.0s' {1..5000}; } >x
	run -65 --separate-stderr evlog append a -t T x
	[[ $stderr == "evlog: 'x' line 1: "* ]]
	{ printf '[%.0s' {1..60}; printf ']%.0s' {1..60}; } | evlog append a -q -t T
}

@test "a bad name for a stream, a type or an id is refused" {
	local long
	long=$(printf 'x%.0s' {1..256})
	evlog init
	for name in '' 'a b' a/b 'a*' -- -a $'a\tb' $'a\nb' $'a\x7f' $'\xff' '$own' "$long"; do
		run -64 --separate-stderr evlog append -t T -- "$name" <<<1
		[[ $stderr == "evlog: "* ]]
	done
	for name in '' 'a b' $'a\tb' "$long"; do
		run -64 --separate-stderr evlog append a -t "$name" <<<1
		run -64 --separate-stderr evlog append a -t T -i "$name" <<<1
	done
	[ "$(evlog head)" = 00000000000000000000 ]
	evlog append "${long:1}" -q -t "${long:1}" -i "${long:1}" <<<1
	evlog append 'größe-µ:1#@$' -q -t 'ñ/*' -i '*-/' <<<1
	[ "$(evlog read 'größe-µ:1#@$' | jq -r '[.subject, .type, .id] | join(" ")')" = \
	    'größe-µ:1#@$ ñ/* *-/' ]
}

@test "a bad name in a line is exit 65 with its number" {
	evlog init
	for name in 'a b' a/b 'a*' '' -a '$own' 'a\u0007b' 'a\nb'; do
		echo "{\"stream\":\"$name\",\"type\":\"T\"}" >x
		run -65 --separate-stderr evlog append --batch <x
		[[ $stderr == "evlog: line 1: "* ]]
	done
	bad_line '{"type":"a b"}'
	bad_line '{"type":"T","id":"a b"}'
}

@test "in a file the error names file and line" {
	printf '{"type":"T"}\nbad\n' >x
	printf '{"type":"T"}\n' >w
	run -65 --separate-stderr evlog append a w x
	[[ $stderr == *"evlog: 'x' line 2: "* ]]
	[ "$(evlog version a)" = 1 ]
}

@test "wrong usage is exit 64, one line on stderr, and touches nothing" {
	while read -r words; do
		# shellcheck disable=SC2086 # options are words
		run -64 --separate-stderr evlog $words </dev/null
		[[ -z $output && $stderr == "evlog: "* && ${#stderr_lines[@]} -eq 1 ]]
	done <<-'END'

	append
	append a -i x --batch
	append a --each --commit 5
	append a --commit 0
	append a --commit x
	append a --raw
	append a -t T --atomic --each
	append --check a=1 a
	append a --no-such-option
	nosuchverb
	init --segment-size 1
	init --segment-size 2G
	init a b
	END
	[ ! -e s ]
}
