# What evlog-consume(1) promises about consume with a command for each batch.

load lib/evlog
load lib/examples

setup() { evlog_setup; }
teardown() { evlog_teardown; }

sequences() { jq -r '.sequence | tonumber' | paste -sd ' '; }
at() { evlog cursor ls | awk -F '\t' -v n="${1-mail}" '$1 == n { print $2 + 0 }'; }
is_at() { [ "$(at "$2")" = "$1" ]; }

# steps FILE: the status lines, short: "taken 0", "batch 1-3", "acked 3", "retry 1", ...
steps() {
	jq -r '.event + " " + if .first then "\(.first | tonumber)-\(.last | tonumber)"
	    elif .tries then "\(.tries)" elif .event == "ended" then "\(.status)"
	    else "\(.last | tonumber)" end' "$1" | paste -sd ,
}

# begin NAME ... -- CMD: a consumer in the background with its status lines in `status`.
begin() {
	evlog consume "$@" 3>&- 4>status &
	started $!
	wait_for 20 grep -qs taken status
}

# --- what the command gets ---

@test "the command gets the events on stdin, one line each, as read prints them" {
	fill a 1 5
	fill b 6 9
	run -0 --separate-stderr evlog consume mail -- cat
	[ "$output" = "$(evlog read --all)" ]
	[ -z "$stderr" ]
	run -0 evlog consume mail -- cat
	[ -z "$output" ]
	fill a 10 11
	[ "$(evlog consume mail -- cat)" = "$(evlog read --all --after 9)" ]
}

@test "a batch is up to -n events, 100 without it" {
	data 1 250 | evlog append a -q -t T 2>/dev/null
	[ "$(evlog consume one -- wc -l | paste -sd ' ')" = "100 100 50" ]
	[ "$(evlog consume two -n 99 -- wc -l | paste -sd ' ')" = "99 99 52" ]
	[ "$(evlog consume three -n 65536 -- wc -l)" = 250 ]
	[ "$(evlog consume four -n 1 -- wc -l | wc -l)" -eq 250 ]
}

@test "a batch ends when it has 1 MiB, and an event of 8 MiB is a batch" {
	long=$(printf 'x%.0s' {1..100000})
	yes "\"$long\"" | head -n 25 | evlog append a -q -t T 2>/dev/null
	{ printf '"'; head -c 8000000 /dev/zero | tr '\0' y; echo '"'; } | evlog append b -q -t T
	evlog append b -q -t T <<<1
	[ "$(evlog consume mail -n 1000 -- wc -l | paste -sd ' ')" = "11 11 4 1" ]
	evlog consume big b -n 1 -- cat | cmp - <(evlog read b)
	[ "$(at big)" = 27 ]
}

@test "no command is started when there is nothing to do" {
	evlog init
	evlog consume mail -- false
	fill a 1 3
	evlog consume mail b -- false
	evlog consume mail b -- no-such-command
}

@test "the selector is a stream, a prefix or --all; without one it is --all" {
	fill order-1 1 2
	fill b 3 4
	fill order-2 5 6
	[ "$(evlog consume one order-2 -- cat | sequences)" = "5 6" ]
	[ "$(evlog consume two 'order-*' -- cat | sequences)" = "1 2 5 6" ]
	[ "$(evlog consume three --all -- cat | sequences)" = "1 2 3 4 5 6" ]
	[ "$(evlog consume four -- cat | sequences)" = "1 2 3 4 5 6" ]
	[ "$(evlog cursor ls | cut -f 4 | paste -sd ' ')" = "--all order-2 --all order-*" ]
}

@test "another selector than the recorded one is exit 78, with the ways on" {
	fill order-1 1 2
	evlog consume mail 'order-*' -- cat >/dev/null
	for selector in "" --all order-1 'order*'; do
		# shellcheck disable=SC2086 # none is none
		run -78 --separate-stderr evlog consume mail $selector -- cat
		[[ -z $output && $stderr == *"evlog cursor set mail 2"* ]]
		[[ $stderr == *"evlog cursor rm mail"* ]]
	done
	evlog consume mail 'order-*' -- cat
}

@test "the store's own streams are left out, unless the selector is the name of one" {
	fill a 1 2
	evlog consume one -- sh -c 'exit 65'
	[ "$(evlog consume two -- cat | sequences)" = "1 2" ]
	[ "$(evlog consume three '*' -- cat | sequences)" = "1 2" ]
	[ "$(evlog consume four '$parked-one' -- cat | sequences)" = "3 4" ]
	# Two that park do not feed each other.
	evlog consume five -- sh -c 'exit 65'
	evlog consume one -- sh -c 'exit 65'
	evlog consume five -- sh -c 'exit 65'
	[ "$(evlog head)" = 00000000000000000006 ]
}

@test "the command finds the store, the batch and the cause in its environment" {
	fill a 1 3
	EVLOG_CORRELATION=c-7 evlog append b -q -t T -i b-1 <<<1
	cat >show <<-'END'
	echo "$EVLOG_STORE $EVLOG_FIRST $EVLOG_LAST $EVLOG_CORRELATION $EVLOG_CAUSATION"
	END
	evlog consume mail -n 3 -- sh show >got
	[ "$(sed -n 1p got)" = \
	    "$PWD/s 00000000000000000001 00000000000000000003  " ]
	[ "$(sed -n 2p got)" = \
	    "$PWD/s 00000000000000000004 00000000000000000004 c-7 b-1" ]
	evlog consume two a -n 1 -- sh -c 'echo "$EVLOG_CORRELATION $EVLOG_CAUSATION"' >got
	[ "$(sed -n 2p got)" = "e-2 e-2" ]
	# So what it appends says why.
	evlog consume copy b -- sh -c 'jq -c .data | evlog append c -q -t Copied'
	evlog read c | jq -e '.correlationid == "c-7" and .causationid == "b-1"'
}

# --- how the command ends ---

@test "exit 0 moves the cursor, also when the command has read half or nothing" {
	data 1 3000 | evlog append a -q -t T 2>/dev/null
	evlog consume one -n 1000 -- true
	[ "$(at one)" = 3000 ]
	evlog consume two -n 3000 -- head -n 1 >/dev/null
	[ "$(at two)" = 3000 ]
	evlog consume three -n 3000 -- sh -c 'exec <&-; exec sleep 0'
	[ "$(at three)" = 3000 ]
}

@test "exit 75 gives the same batch again, until it is taken" {
	fill a 1 5
	evlog consume mail -n 2 --status-fd 4 -- sh -c 'cat >>got
	    case $EVLOG_FIRST in *3) echo x >>tries; [ "$(wc -l <tries)" -gt 2 ] || exit 75; esac' \
	    4>status
	[ "$(sequences <got)" = "1 2 3 4 3 4 3 4 5" ]
	[ "$(steps status)" = "taken 0,batch 1-2,acked 2,batch 3-4,retry 1,batch 3-4,retry 2,\
batch 3-4,acked 4,batch 5-5,acked 5,ended 0" ]
	[ "$(jq 'select(.event == "batch") | .try' status | paste -sd ' ')" = "1 1 2 3 1" ]
	jq -es 'map(select(.event == "retry")) | .[0].status == 75 and
	    .[0].delay_ms >= 50 and .[0].delay_ms <= 100 and
	    .[1].delay_ms >= 100 and .[1].delay_ms <= 200' status
}

@test "the number of tries is kept over restarts, and ends with the batch" {
	fill a 1 5
	begin mail --status-fd 4 -- sh -c 'exit 75'
	wait_for 20 grep -q '"tries":2' status
	stop "${children[0]}"
	tries=$(evlog cursor ls --json | jq .tries)
	[ "$tries" -ge 2 ]
	evlog consume mail --status-fd 4 -- true 4>status
	[ "$(jq 'select(.event == "batch") | .try' status)" = $((tries + 1)) ]
	[ "$(evlog cursor ls --json | jq .tries)" = 0 ]
}

@test "--max-tries parks what has failed that often" {
	fill a 1 5
	evlog consume mail --max-tries 3 -n 5 --status-fd 4 -- sh -c 'exit 75' 4>status
	[ "$(steps status)" = "taken 0,batch 1-5,retry 1,batch 1-5,retry 2,batch 1-5,parked 1-5,\
acked 5,ended 0" ]
	[ "$(evlog read '$parked-mail' | jq -r .data.reason | sort -u)" = "exit 75, 3 tries" ]
}

@test "exit 65 parks the batch: events with sequence, stream, type, reason and stderr" {
	fill a 1 2
	evlog append b -q -t Paid <<<3
	echo 'echo "bad \"thing\"" >&2; exit 65' >refuse
	run -0 --separate-stderr evlog consume mail -n 3 -- sh refuse
	[ "$stderr" = 'bad "thing"' ]
	evlog read '$parked-mail' >parked
	[ "$(jq -r .id parked | paste -sd ' ')" = \
	    "00000000000000000001 00000000000000000002 00000000000000000003" ]
	[ "$(jq -r .type parked | sort -u)" = evlog.parked ]
	[ "$(sed -n 3p parked | jq -cS .data)" = '{"reason":"exit 65","sequence":'`
	    `'"00000000000000000003","stderr":"bad \"thing\"\n","stream":"b","type":"Paid"}' ]
	[ "$(at)" = 3 ]
}

@test "parked events keep the last kilobyte of stderr, in whole characters" {
	fill a 1 1
	evlog consume mail -- sh -c 'yes "0123456789 äöü" | head -n 1000 >&2; exit 65' 2>all
	[ "$(lines_in all)" -eq 1000 ]
	evlog read '$parked-mail' | jq -r .data.stderr >kept
	[ "$(wc -c <kept)" -le 1025 ]
	[ "$(wc -c <kept)" -ge 1000 ]
	run ! grep -q $'\xef\xbf\xbd' kept
	[ "$(tail -n 1 kept)" = "" ] || [ "$(tail -n 2 kept | head -n 1)" = "0123456789 äöü" ]
}

@test "parking twice writes once, whatever stderr said" {
	data 1 600 | evlog append a -q -t T 2>/dev/null
	evlog consume mail -n 100 -- sh -c 'echo one >&2; exit 65' 2>/dev/null
	evlog cursor set mail 0
	evlog consume mail -n 600 -- sh -c 'echo two >&2; exit 65' 2>/dev/null
	[ "$(evlog version '$parked-mail')" = 599 ]
	[ "$(evlog read '$parked-mail' | jq -r .data.stderr | sort -u | grep .)" = one ]
	evlog cursor set mail 300
	fill a 601 610
	evlog consume mail -n 1000 -- sh -c 'echo three >&2; exit 65' 2>/dev/null
	[ "$(evlog version '$parked-mail')" = 609 ]
	evlog verify --deep
}

@test "any other exit status stops, passes through, and leaves the cursor where it was" {
	fill a 1 9
	for code in 1 2 64 70 71 74 77 78 99 124 125 126 127 128 200 255; do
		run -$code evlog consume mail -n 3 -- sh -c "
		    case \$EVLOG_FIRST in *1) exit 0;; esac; exit $code"
		[ "$(at)" = 3 ]
	done
}

@test "a command that a signal ends is 128 plus its number" {
	fill a 1 3
	run -137 evlog consume mail -- sh -c 'kill -9 $$'
	run -143 evlog consume mail -- sh -c 'kill $$'
	run -139 evlog consume mail -- sh -c 'kill -SEGV $$'
	[ -z "$(at)" ] || [ "$(at)" = 0 ]
}

@test "a command that is not there is exit 127, one that is no program 126" {
	fill a 1 3
	echo text >file
	run -127 --separate-stderr evlog consume mail -- no-such-command
	[[ $stderr == "evlog: "*no-such-command* ]]
	run -126 --separate-stderr evlog consume mail -- ./file
	[[ $stderr == "evlog: "*./file* ]]
	[ "$(evlog consume mail -- cat | wc -l)" -eq 3 ]
}

@test "a command that hangs is stopped after --timeout, exit 124, and the batch comes again" {
	fill a 1 3
	run -124 --separate-stderr timeout 60 evlog consume mail --timeout 200ms -- \
	    sh -c 'echo $$ >pid; sleep 1000'
	[[ $stderr == "evlog: 'sh' "* ]]
	run ! kill -0 "$(<pid)"
	[ "$(evlog consume mail -- cat | sequences)" = "1 2 3" ]
}

@test "a process that the command leaves behind, with all pipes open, is not waited for" {
	data 1 3000 | evlog append a -q -t T 2>/dev/null
	timeout 60 evlog consume mail -n 1000 -- sh -c 'sleep 1000 & echo $! >>pids' 3>&-
	[ "$(at)" = 3000 ]
	[ "$(lines_in pids)" -eq 3 ]
	while read -r pid; do
		kill "$pid"
	done <pids
}

@test "a command that prints without end is no matter of ours" {
	fill a 1 3
	run timeout 60 bash -c 'evlog consume mail -- yes 2>/dev/null | head -n 1
	    exit ${PIPESTATUS[0]}'
	[ "$status" -eq 141 ]
	[ "$output" = y ]
	evlog consume mail -- cat >/dev/null
}

# --- follow and signals ---

@test "-f goes on with what comes" {
	fill a 1 3
	begin mail a -f --status-fd 4 -- sh -c 'cat >>got'
	wait_for 20 has_lines 3 got
	for i in 4 5 6; do
		fill b "1$i" "1$i"
		fill a $i $i
		wait_for 20 has_lines $i got
	done
	[ "$(jq .data.n got | paste -sd ' ')" = "1 2 3 4 5 6" ]
	[ "$(jq -s 'map(select(.event == "batch") | .count) | add' status)" = 6 ]
}

@test "without -f the end is what was there at the start, as --once says" {
	fill a 1 3
	echo 'cat >>got; echo 9 | evlog append a -q -t T' >again
	timeout 60 evlog consume mail --once -n 1 -- sh again
	[ "$(lines_in got)" -eq 3 ]
	timeout 60 evlog consume mail -n 1 -- sh again
	[ "$(lines_in got)" -eq 6 ]
}

@test "at SIGTERM, SIGINT and SIGHUP the batch is finished, the cursor saved: 128 plus N" {
	fill a 1 9
	for signal in TERM:143:3 INT:130:6 HUP:129:9; do
		IFS=: read -r name code end <<<"$signal"
		rm -f go status
		mkfifo go
		env --default-signal=INT,HUP evlog consume mail -n 3 --status-fd 4 -- \
		    sh -c 'cat go >/dev/null; cat >>got' 3>&- 4>status &
		wait_for 20 grep -qs batch status
		kill -s "$name" $!
		echo >go
		exits_with "$code" wait $!
		[ "$(at)" = "$end" ]
		[ "$(steps status)" = "taken $((end - 3)),batch $((end - 2))-$end,acked $end,\
ended $code" ]
	done
	[ "$(sequences <got)" = "1 2 3 4 5 6 7 8 9" ]
}

@test "a second signal stops the command, and the cursor stays" {
	fill a 1 9
	begin mail --status-fd 4 -- sh -c 'echo $$ >pid; sleep 1000'
	wait_for 20 test -s pid
	kill "${children[0]}"
	has_taken() { grep -q "^ShdPnd:.*0000000000000000$" "/proc/${children[0]}/status"; }
	wait_for 20 has_taken
	kill "${children[0]}"
	exits_with 143 wait "${children[0]}"
	run ! kill -0 "$(<pid)"
	[ "$(evlog consume mail -- cat | wc -l)" -eq 9 ]
}

@test "a signal ends the pause before another try" {
	fill a 1 1
	begin mail --status-fd 4 -- sh -c 'exit 75'
	wait_for 20 grep -q '"tries":3' status
	kill "${children[0]}"
	exits_with 143 wait "${children[0]}"
	[ "$(jq -r 'select(.event == "ended") | .status' status)" = 143 ]
	[ "$(at)" = 0 ]
}

@test "a signal while nothing comes ends a follower, its cursor where it has read" {
	fill a 1 4
	begin mail b -f --status-fd 4 -- cat
	kill "${children[0]}"
	exits_with 143 wait "${children[0]}"
	[ "$(at)" = 4 ]
}

# --- status lines ---

@test "status lines say what has become so, in order" {
	fill a 1 3
	evlog consume mail -n 2 --status-fd 4 -- cat 4>status >/dev/null
	[ "$(<status)" = '{"event":"taken","last":"00000000000000000000"}
{"event":"batch","first":"00000000000000000001","last":"00000000000000000002","count":2,"try":1}
{"event":"acked","last":"00000000000000000002"}
{"event":"batch","first":"00000000000000000003","last":"00000000000000000003","count":1,"try":1}
{"event":"acked","last":"00000000000000000003"}
{"event":"ended","status":0,"last":"00000000000000000003"}' ]
}

@test "a status line comes when its fact is on disk" {
	can_trace
	fill a 1 1
	strace -f -o trace -e trace=fdatasync,fsync,renameat,write,pwrite64 \
	    evlog consume mail --status-fd 4 -- true 4>status ||
	    skip "by design: tracing is not permitted here"
	awk '/pwrite64\(.*evcur1/ { wrote = NR } /fsync\(.* = 0$/ { synced = NR }
	    /renameat\(/ { renamed = NR } /write\(4, .*acked/ { told = NR }
	    END { exit !(wrote && wrote < renamed && renamed < synced && synced < told) }' trace
	fill a 2 2
	strace -f -o trace -e trace=fdatasync,write,pwrite64 \
	    evlog consume mail --status-fd 4 -- true 4>status
	awk '/pwrite64\(.*evcur1/ { wrote = NR } /fdatasync\(.* = 0$/ { synced = NR }
	    /write\(4, .*acked/ { told = NR }
	    END { exit !(wrote && wrote < synced && synced < told) }' trace
}

@test "what is parked is on disk before the cursor moves over it" {
	can_trace
	fill a 1 1
	evlog ack mail 0
	strace -f -s 300 -o trace -e trace=fdatasync,write,pwrite64 \
	    evlog consume mail --status-fd 4 -- sh -c 'exit 65' 4>status ||
	    skip "by design: tracing is not permitted here"
	awk '/pwrite64\(.*evlog.parked/ { parked = NR } /fdatasync\(.* = 0$/ { synced[++n] = NR }
	    /write\(4, .*parked/ { told = NR } /pwrite64\(.*evcur1/ { moved = NR }
	    END { exit !(parked && parked < synced[1] && synced[1] < told && told < moved) }' trace
}

@test "a status line that cannot be written is exit 74; what was done stays done" {
	[ -c /dev/full ] || skip "by design: no /dev/full"
	fill a 1 9
	run -74 --separate-stderr bash -c 'evlog consume mail --status-fd 4 -- sh -c "cat >>got" \
	    4>/dev/full'
	[[ $stderr == "evlog: "*--status-fd* ]]
	[ ! -s got ]
	# A reader that goes after the first batch.
	run bash -c 'evlog consume mail -n 1 --status-fd 4 -- sh -c "cat >>got" 4> >(head -n 2)'
	[ "$status" -eq 74 ]
	[ "$(lines_in got)" -ge 1 ]
	[ "$(at)" = "$(lines_in got)" ]
	evlog consume mail -- sh -c 'cat >>got'
	[ "$(sequences <got)" = "1 2 3 4 5 6 7 8 9" ]
}

@test "the command does not inherit the descriptor of the status lines" {
	fill a 1 1
	evlog consume mail --status-fd 9 -- sh -c 'echo >&9' 9>status 2>/dev/null || [ $? -lt 65 ]
	[ "$(grep -c event status)" -eq "$(lines_in status)" ]
}

@test "a descriptor that is not open for writing is exit 64" {
	fill a 1 1
	run -64 --separate-stderr evlog consume mail --status-fd 77 -- true
	run -64 --separate-stderr bash -c 'evlog consume mail --status-fd 5 -- true 5</dev/null'
	run -64 --separate-stderr evlog consume mail --status-fd x -- true
	[[ $stderr == "evlog: "* ]]
}

# --- one at a time ---

@test "who finds the cursor held waits for it, at most -w, then exit 75" {
	fill a 1 3
	begin mail -f --status-fd 4 -- cat >/dev/null
	run -75 --separate-stderr evlog consume mail -w 0 -- cat
	[[ -z $output && $stderr == "evlog: "*"'mail'"* ]]
	run -75 --separate-stderr timeout 60 evlog consume mail -w 100ms -- cat
	[ -z "$output" ]
	evlog consume other -w 0 -- true
}

@test "a standby goes on where the first one was, the moment it is killed" {
	fill a 1 3
	begin mail -f --status-fd 4 -- sh -c 'cat >>first'
	wait_for 20 grep -q acked status
	evlog consume mail -f --status-fd 4 -- sh -c 'cat >>second' 3>&- 4>status.2 &
	started $!
	fill a 4 5
	wait_for 20 has_lines 5 first
	wait_for 20 is_at 5 mail
	kill -9 "${children[0]}"
	fill a 6 7
	wait_for 20 has_lines 2 second
	[ "$(sequences <second)" = "6 7" ]
	[ "$(jq -r 'select(.event == "taken") | .last | tonumber' status.2)" = 5 ]
}

@test "the command of one that was killed is ended before the next one begins" {
	fill a 1 3
	begin mail --status-fd 4 -- bash -c 'trap "sleep 0.3; echo end >>log; exit 1" TERM
	    echo begin >>log; sleep 1000 & wait'
	wait_for 20 grep -qs begin log
	evlog consume mail -- sh -c 'echo next >>log' 3>&- &
	started $!
	kill -9 "${children[0]}"
	wait "${children[1]}"
	[ "$(paste -sd ' ' log)" = "begin end next" ]
	[ "$(at)" = 3 ]
}

# --- groups ---

@test "members of a group share the streams, and each has those of a stream in order" {
	for round in 1 2 3; do
		for i in {1..20}; do
			fill "s-$i" "$round" "$round"
		done
	done
	for k in 1 2 3; do
		evlog consume mail --group $k/3 -n 7 -- sh -c "cat >>part.$k"
		[ -s part.$k ]
		[ "$(at mail@$k-3)" = 60 ]
	done
	[ "$(cat part.* | jq -r .sequence | sort | uniq -c | awk '$1 == 1' | wc -l)" -eq 60 ]
	for k in 1 2 3; do
		jq -r .subject part.$k | sort -u
	done | sort | uniq -d | { ! grep .; }
	for k in 1 2 3; do
		jq -r '[.subject, .streamversion] | join(" ")' part.$k |
		    awk '$2 != n[$1]++ { exit 1 }'
	done
}

@test "order per stream holds over retries and restarts of a group" {
	evlog init
	cat >take <<-'END'
	cat >"tmp.$1"
	((RANDOM % 3)) || exit $((RANDOM % 2 ? 75 : 3))
	cat "tmp.$1" >>"part.$1"
	END
	for k in 1 2; do
		until [ -e enough ]; do
			evlog consume mail --group $k/2 -n 5 -- bash take $k || [ $? -eq 3 ]
		done 3>&- &
		started $!
	done
	for i in {1..60}; do
		fill "s-$((i % 5))" "$i" "$i"
	done
	all_there() { [ "$(cat part.* | wc -l)" -ge 60 ]; }
	wait_for 60 all_there
	: >enough
	wait "${children[@]}"
	for k in 1 2; do
		jq -r '[.subject, .streamversion] | join(" ")' part.$k |
		    awk '$2 != n[$1]++ { print; bad = 1 } END { exit bad }'
	done
	[ "$(cat part.* | wc -l)" -eq 60 ]
}

@test "members of a group have one selector: another one is exit 78" {
	fill a 1 3
	evlog consume mail a --group 1/2 -- true
	for words in "mail" "mail b" "mail a*"; do
		# shellcheck disable=SC2086 # words
		run -78 --separate-stderr evlog consume $words --group 2/2 -- cat
		[[ -z $output && $stderr == *"evlog cursor set mail 0"* ]]
	done
	evlog consume mail a --group 2/2 -- true
	[ "$(evlog cursor ls | cut -f 1,4 | tr '\t\n' '  ')" = "mail@1-2 a mail@2-2 a " ]
}

@test "another group, and one without a group, are exit 78 while members are there" {
	fill a 1 9
	evlog consume mail --group 1/2 -- true
	for group in "" "--group 1/3" "--group 3/4"; do
		# shellcheck disable=SC2086 # none is none
		run -78 --separate-stderr evlog consume mail $group -- cat
		[[ -z $output && $stderr == "evlog: "*"evlog cursor set mail 0"* ]]
	done
	evlog consume mail --group 2/2 -- true
	evlog cursor set mail 4
	[ "$(evlog consume mail -- cat | sequences)" = "5 6 7 8 9" ]
	evlog consume mail --group 1/1 -- cat
}

@test "a new member begins where the plain cursor is" {
	for i in {1..12}; do
		fill "s-$i" "$i" "$i"
	done
	run -3 evlog consume mail -n 6 -- sh -c 'case $EVLOG_FIRST in *1) ;; *) exit 3; esac'
	for k in 1 2; do
		evlog consume mail --group $k/2 -- cat
	done >got
	[ "$(sequences <got | tr ' ' '\n' | sort -n | paste -sd ' ')" = "7 8 9 10 11 12" ]
}

@test "a new member waits for a consumer of the plain name" {
	fill a 1 3
	begin mail -f --status-fd 4 -- sh -c 'cat >>plain'
	wait_for 20 has_lines 3 plain
	run -75 evlog consume mail --group 1/2 -w 100ms -- cat
	evlog consume mail --group 1/1 --status-fd 4 -- cat >member 3>&- 4>status.2 &
	started $!
	fill a 4 4
	wait_for 20 has_lines 4 plain
	stop "${children[0]}"
	wait "${children[1]}"
	[ ! -s member ]
	run -78 evlog consume mail -- cat
}

# --- trouble ---

@test "damage stops a consumer with exit 8, behind what is sound before it" {
	fill a 1 9 1
	flip_bit "$(segment)" $(($(offset_of 6) + 108))
	run -8 --separate-stderr evlog consume mail -n 2 -- sh -c 'cat >>got'
	[[ $stderr == "evlog: damaged: "*"sequence 6 is missing"* ]]
	[ "$(sequences <got)" = "1 2 3 4 5" ]
	[ "$(at)" = 5 ]
	run -8 --separate-stderr evlog consume mail -- sh -c 'cat >>got'
	[ "$(lines_in got)" -eq 5 ]
	run -8 --separate-stderr evlog consume mail --skip-damaged -- sh -c 'cat >>got'
	[[ $stderr == "evlog: damaged: "* ]]
	[ "$(sequences <got)" = "1 2 3 4 5 7 8 9" ]
	[ "$(at)" = 9 ]
	run -8 --separate-stderr evlog next other -n 9
	[ "$(sequences <<<"$output")" = "1 2 3 4 5" ]
}

@test "what repair took as lost stops nobody" {
	fill a 1 9 1
	flip_bit "$(segment)" $(($(offset_of 6) + 108))
	run -8 evlog consume mail -- sh -c 'cat >>got'
	evlog repair >/dev/null
	evlog consume mail -- sh -c 'cat >>got'
	[ "$(sequences <got)" = "1 2 3 4 5 7 8 9" ]
}

@test "a follower ends with exit 78 when the store loses events that it has done" {
	fill a 1 9 1
	begin mail -f --status-fd 4 -- cat >/dev/null 2>err
	wait_for 20 is_at 9 mail
	truncate -s "$(offset_of 7)" "$(segment)"
	evlog append a -q -t T <<<7 2>/dev/null
	exits_with 78 wait "${children[0]}"
	grep -q "has lost events" err
	run -78 evlog consume mail -- cat
}

@test "parking waits for other writers, whatever -w says of the cursor" {
	fill a 1 1
	hold_lock
	evlog consume mail -w 0 --status-fd 4 -- sh -c 'exit 65' 3>&- 4>status &
	started $!
	wait_for 20 grep -q batch status
	stop "$holder"
	wait "${children[1]}"
	[ "$(at)" = 1 ]
	[ "$(evlog version '$parked-mail')" = 0 ]
}

@test "a signal ends the wait for other writers, and the batch comes again" {
	fill a 1 1
	hold_lock
	for when in before after; do
		rm -f go gave
		mkfifo go
		evlog consume mail --status-fd 4 -- sh -c 'cat go; touch gave; exit 65' \
		    3>&- 4>status &
		pid=$!
		started $pid
		wait_for 20 grep -qs batch status
		[ $when = after ] || kill $pid
		echo >go
		wait_for 20 test -e gave
		[ $when = before ] || kill $pid
		wait_for 60 gone $pid
		exits_with 143 wait $pid
	done
	stop "$holder"
	[ "$(evlog version '$parked-mail')" = none ]
	evlog consume mail -- sh -c 'exit 65'
	[ "$(evlog version '$parked-mail')" = 0 ]
}

@test "on a full disk a cursor that cannot be saved is exit 74, and the batch comes again" {
	on_small_disk 3M '
	set -e
	fill a 1 9
	cat /dev/zero >filler 2>/dev/null || :
	got=0
	evlog consume mail -n 3 --status-fd 4 -- sh -c "cat >>../got" 4>../status 2>../err || got=$?
	[ $got -eq 74 ]
	grep -q "No space left" ../err
	! grep -q acked ../status
	rm filler
	evlog consume mail -n 3 -- sh -c "cat >>../got"
	# One that is there needs no room.
	fill a 10 12
	cat /dev/zero >filler 2>/dev/null || :
	evlog consume mail -n 3 -- sh -c "cat >>../got"
	evlog verify'
	[ "$(sequences <got)" = "1 2 3 1 2 3 4 5 6 7 8 9 10 11 12" ]
}

@test "on a full disk a batch that cannot be parked is not passed over" {
	on_small_disk 3M '
	set -e
	fill a 1 9
	evlog ack mail 1
	cat /dev/zero >filler 2>/dev/null || :
	got=0
	evlog consume mail -- sh -c "yes | head -c 9999 >&2; exit 65" 2>../err || got=$?
	cp -r s ../after
	exit $got' || got=$?
	# Where room was allocated ahead for the log, parking works; either way nothing is lost.
	export EVLOG_STORE=$PWD/after
	if [ "${got-0}" -ne 0 ]; then
		[ "$got" -eq 74 ]
		[ "$(at)" = 1 ]
	else
		[ "$(evlog version '$parked-mail')" = 7 ]
		[ "$(at)" = 9 ]
	fi
}

@test "a batch that there is no memory for is not passed over" {
	local kib failed=0
	[ -z "${SHOAL_SAN-}" ] || skip "by design: a sanitizer takes all memory there is"
	{ data 1 5 && printf '"%08000000d"\n' 0; } | evlog append a -q -t T 2>/dev/null
	for kib in $(seq 14000 2000 40000); do
		evlog cursor set mail 0
		: >got
		(
			ulimit -v "$kib"
			exec evlog consume mail -n 3 -- sh -c 'cat >>got' 2>err
		) || failed=$((failed + 1))
		[ "$(at)" -le "$(lines_in got)" ]
	done
	[ $failed -gt 0 ]
}

@test "wrong usage is exit 64, one line" {
	fill a 1 1
	for words in "" "-- cat" "mail" "mail --" "mail a b -- cat" "mail --all a -- cat" \
	    "mail -n 0 -- cat" "mail -n 65537 -- cat" "mail --group 5/4 -- cat" \
	    "mail --max-tries 0 -- cat" "mail --timeout x -- cat" "mail -f --once -- cat" \
	    "a@1-2 -- cat" "a/b -- cat" "mail a/b -- cat" "mail -x -- cat"; do
		# shellcheck disable=SC2086 # words
		run -64 --separate-stderr evlog consume $words
		[[ -z $output && $stderr == "evlog: "* && ${#stderr_lines[@]} -eq 1 ]]
	done
	run -66 evlog -s nowhere consume mail -- cat
}

@test "the examples of evlog-consume(1) do what they say" {
	run_examples "$BATS_TEST_DIRNAME/../man/evlog-consume.1"
}
