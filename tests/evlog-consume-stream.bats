# What evlog-consume(1) promises about --stream: one command for all batches.

load lib/evlog

setup() {
	evlog_setup
	# Prints what it gets; what it answers to the batch number $n is the first word of `answer`.
	cat >worker <<-'END'
	n=0
	while IFS= read -r line; do
	    if [ -n "$line" ]; then
	        printf '%s\n' "$line"
	        continue
	    fi
	    n=$((n + 1))
	    eval "${1-}"
	    echo "${answer-ok}" >&3
	done
	echo end >>ends
	END
}
teardown() { evlog_teardown; }

sequences() { jq -r '.sequence | tonumber' | paste -sd ' '; }
at() { evlog cursor ls | awk -F '\t' -v n="${1-mail}" '$1 == n { print $2 + 0 }'; }
events_of() { jq -r '.event' "$1" | paste -sd ' '; }

# begin ARGUMENT...: consume --stream in the background, with its output in `got`.
begin() {
	evlog consume mail --stream --status-fd 4 "$@" 3>&- >got 4>status &
	started $!
	wait_for 20 grep -qs taken status
}

@test "one command gets all batches, each followed by an empty line, and answers on 3" {
	data 1 250 | evlog append a -q -t T 2>/dev/null
	evlog consume mail --stream --status-fd 4 -- bash -c 'echo $$ >>pids; . ./worker' \
	    4>status >got
	[ "$(lines_in pids)" -eq 1 ]
	[ "$(lines_in ends)" -eq 1 ]
	[ "$(sequences <got)" = "$(seq 250 | paste -sd ' ')" ]
	[ "$(jq 'select(.event == "batch") | .count' status | paste -sd ' ')" = "100 100 50" ]
	[ "$(at)" = 250 ]
	evlog consume two --stream -n 100 -- sh -c 'tee raw | sed -u -n "s/^$/ok/p" >&3'
	[ "$(grep -c '^$' raw)" -eq 3 ]
	[ "$(sed -n 101p raw)" = "" ]
	[ "$(at two)" = 250 ]
}

@test "no command is started when there is nothing to do" {
	evlog init
	evlog consume mail --stream -- no-such-command
	fill a 1 1
	run -127 --separate-stderr evlog consume mail --stream -- no-such-command
	[[ $stderr == "evlog: "*no-such-command* ]]
	echo text >file
	run -126 evlog consume mail --stream -- ./file
	[ "$(at)" = 0 ]
}

@test "the cursor is saved, and told, before the answer to the next batch is taken" {
	fill a 1 9
	export -f wait_for
	evlog consume mail --stream -n 3 --status-fd 4 -- bash ./worker \
	    '[ $n -eq 1 ] || wait_for 20 grep -q "acked.*0$((3 * n - 3))\"" status || exit 96' \
	    4>status >/dev/null
	[ "$(events_of status)" = "taken batch batch acked batch acked acked ended" ]
	[ "$(jq -r 'select(.event == "acked") | .last | tonumber' status | paste -sd ' ')" = \
	    "3 6 9" ]
}

@test "when the command is killed with a batch, those before are done" {
	fill a 1 9
	run -137 evlog consume mail --stream -n 3 -- bash ./worker '[ $n -lt 3 ] || kill -9 $$'
	[ "$(at)" = 6 ]
	[ "$(evlog consume mail -- cat | sequences)" = "7 8 9" ]
}

@test "retry gives the same batch again, after a pause" {
	fill a 1 6
	evlog consume mail --stream -n 2 --status-fd 4 -- bash ./worker \
	    'answer=ok; case $n in 2|3) answer=retry; esac' 4>status >got
	[ "$(sequences <got)" = "1 2 3 4 3 4 3 4 5 6" ]
	[ "$(events_of status)" = \
	    "taken batch batch acked retry batch retry batch batch acked acked ended" ]
	[ "$(jq 'select(.event == "batch") | .try' status | paste -sd ' ')" = "1 1 2 3 1" ]
}

@test "--max-tries parks, park parks, with what the command said of that batch" {
	fill a 1 6
	evlog consume mail --stream -n 2 --max-tries 2 --status-fd 4 -- bash ./worker \
	    'echo "batch $n" >&2; answer=ok; case $n in 2|3) answer=retry;; 4) answer=park; esac' \
	    4>status >got 2>err
	[ "$(sequences <got)" = "1 2 3 4 3 4 5 6" ]
	[ "$(paste -sd , err)" = "batch 1,batch 2,batch 3,batch 4" ]
	[ "$(evlog read '$parked-mail' | jq -c '.data | [.sequence, .reason, .stderr]' |
	    sed 's/0\{10,\}//' | paste -sd ' ')" = \
	    '["3","retry, 2 tries","batch 3\n"] ["4","retry, 2 tries","batch 3\n"] '`
	    `'["5","park","batch 4\n"] ["6","park","batch 4\n"]' ]
	[ "$(at)" = 6 ]
}

@test "a command that ends before it answers: its status is the answer" {
	fill a 1 9
	for code in 1 71 99; do
		run -$code evlog consume mail --stream -n 3 -- bash ./worker "exit $code"
		[ "$(at)" = 0 ]
	done
	evlog consume mail --stream -n 3 --status-fd 4 -- bash -c 'echo $$ >>pids; . ./worker' - \
	    '[ -e once ] || { : >once; exit 75; }
	     [ $(wc -l <pids) -ne 2 ] || [ $n -lt 2 ] || { echo bad >&2; exit 65; }' \
	    4>status >got 2>/dev/null
	[ "$(lines_in pids)" -eq 3 ]
	[ "$(sequences <got)" = "1 2 3 1 2 3 4 5 6 7 8 9" ]
	[ "$(evlog read '$parked-mail' | jq -r '.data | .reason + .stderr' | sort -u | grep .)" = \
	    "exit 65bad" ]
	[ "$(at)" = 9 ]
}

@test "a command that ends with 0 before it answers is exit 71" {
	fill a 1 3
	run -71 --separate-stderr evlog consume mail --stream -- true
	[[ $stderr == "evlog: 'true' ended without an answer" ]]
	run -71 evlog consume mail --stream -- head -n 1
	[ "$(at)" = 0 ]
}

@test "an answer that is none, or that nobody asked for, is exit 71" {
	fill a 1 9
	for answer in yes OK "ok ok" "" "$(printf 'x%.0s' {1..2000})"; do
		run -71 --separate-stderr timeout 60 evlog consume mail --stream -n 3 -- \
		    bash -c "read -r x; printf '%s\n' '$answer' >&3; sleep 1000"
		[[ $stderr == "evlog: 'bash' answered "* ]]
		[ "$(at)" = 0 ]
	done
	run -71 --separate-stderr timeout 60 evlog consume mail --stream -n 3 -- \
	    bash -c 'printf "ok\nok\nok\nok\n" >&3; sleep 1000'
	[[ $stderr == "evlog: 'bash' answered what nobody has asked" ]]
	# One that comes a moment later is taken for the answer to the next batch.
	[ $(($(at) % 3)) -eq 0 ]
	evlog cursor set mail 3
	run -71 --separate-stderr timeout 60 evlog consume mail --stream -- \
	    bash -c 'printf "ok\n" >&3; cat >/dev/null; printf "ok\n" >&3; sleep 1000'
	[[ $stderr == "evlog: 'bash' answered what nobody has asked" ]]
	[ "$(at)" = 9 ]
}

@test "a command that closes descriptor 3 is heard no more: exit 71" {
	fill a 1 3
	run -71 --separate-stderr timeout 60 evlog consume mail --stream --timeout 1s -- \
	    sh -c 'exec 3>&-; exec sleep 1000'
	[[ $stderr == "evlog: 'sh' has closed descriptor 3"* ]]
	[ "$(at)" = 0 ]
}

@test "a command that hangs with a batch is stopped after --timeout, exit 124" {
	local duration
	fill a 1 9
	for duration in 300ms 3s 30s; do # the first batch takes a slow machine longer
		run -124 --separate-stderr timeout 60 evlog consume mail --stream -n 3 \
		    --timeout $duration -- bash ./worker '[ $n -lt 2 ] || sleep 1000'
		[ "$(at)" = 0 ] || break
	done
	[ "$(at)" = 3 ]
	# One that reads nothing of more than a pipe holds, too.
	long=$(printf 'x%.0s' {1..100000})
	yes "\"$long\"" | head -n 30 | evlog append big -q -t T 2>/dev/null
	run -124 timeout 60 evlog consume b big --stream -n 99 --timeout 300ms -- sleep 1000
}

@test "a process that the command leaves behind, with all pipes open, is not waited for" {
	fill a 1 3
	for code in 0:71 9:9; do
		echo "sleep 1000 & echo \$! >pid; exit ${code%:*}" >leave
		exits_with "${code#*:}" timeout 60 evlog consume mail --stream -- sh leave \
		    >/dev/null 2>&1 3>&-
		kill "$(<pid)"
	done
}

@test "huge events pass, and a command that answers before it has read them" {
	command -v perl >/dev/null || skip "by design: perl is not installed"
	{ printf '"'; head -c 8000000 /dev/zero | tr '\0' y; echo '"'; } >big
	cat big big big | evlog append a -q -t T 2>/dev/null
	evlog consume mail --stream -- perl -ne 'BEGIN { open A, ">&=3"; select A; $| = 1 }
	    if (/./) { print STDOUT length, "\n" } else { print "ok\n" }' >got
	[ "$(lines_in got)" -eq 3 ]
	[ "$(head -n 1 got)" -gt 8000000 ]
	evlog consume two --stream -n 1 -- perl -ne 'BEGIN { open A, ">&=3"; select A; $| = 1;
	    print "ok\n" } print "ok\n" if /^$/ and $n++'
	[ "$(at two)" = 3 ]
}

@test "its exit status at the end, with all batches done, passes through" {
	fill a 1 3
	run -5 evlog consume mail --stream -- bash -c '. ./worker; exit 5'
	[ "$(at)" = 3 ]
	evlog consume mail --stream -- bash -c 'exit 5'
}

@test "-f goes on with what comes, with the same command" {
	fill a 1 3
	begin a -f -- bash -c 'echo $$ >>pids; . ./worker'
	wait_for 20 has_lines 3 got
	for i in 4 5 6; do
		fill b 1$i 1$i
		fill a $i $i
		wait_for 20 has_lines $i got
	done
	[ "$(lines_in pids)" -eq 1 ]
	[ "$(jq .data.n got | paste -sd ' ')" = "1 2 3 4 5 6" ]
	# What is answered is saved although nothing comes.
	is_at_six() { [ "$(at)" = 9 ]; }
	wait_for 20 is_at_six
}

@test "a command that ends while there is nothing for it is started again for the next batch" {
	fill a 1 2
	begin -f -- bash -c 'echo $$ >>pids; . ./worker' - 'echo ok >&3; exit 0'
	wait_for 20 has_lines 2 got
	is_gone() { ! kill -0 "$(tail -n 1 pids)" 2>/dev/null; }
	wait_for 20 grep -q acked status
	wait_for 20 is_gone
	fill a 3 4
	wait_for 20 has_lines 4 got
	[ "$(lines_in pids)" -eq 2 ]
	kill -0 "${children[0]}"
}

@test "one that fails while there is nothing for it ends the consumer with its status" {
	fill a 1 2
	begin -f -- bash ./worker 'echo ok >&3; exit 7'
	exits_with 7 wait "${children[0]}"
	[ "$(at)" = 2 ]
}

@test "at SIGTERM the batch is answered, the cursor saved, and the command finds the end" {
	fill a 1 9
	mkfifo go
	begin -n 3 -- bash ./worker 'cat go >/dev/null'
	wait_for 20 has_lines 3 got
	kill "${children[0]}"
	echo >go
	exits_with 143 wait "${children[0]}"
	[ "$(lines_in ends)" -eq 1 ]
	[ "$(at)" = 3 ]
	[ "$(events_of status)" = "taken batch acked ended" ]
}

@test "at SIGTERM while there is nothing to do the command finds the end" {
	fill a 1 3
	begin -f -- bash ./worker
	wait_for 20 grep -q acked status
	kill "${children[0]}"
	exits_with 143 wait "${children[0]}"
	[ "$(lines_in ends)" -eq 1 ]
}

@test "a second signal stops the command, and the cursor stays before its batch" {
	fill a 1 9
	begin -n 3 -- bash -c 'echo $$ >pid; . ./worker' - '[ $n -lt 2 ] || sleep 1000'
	wait_for 20 grep -q acked status
	kill "${children[0]}"
	has_taken() { grep -q "^ShdPnd:.*0000000000000000$" "/proc/${children[0]}/status"; }
	wait_for 20 has_taken
	kill "${children[0]}"
	exits_with 143 wait "${children[0]}"
	run ! kill -0 "$(<pid)"
	[ "$(at)" = 3 ]
}

@test "a standby begins when the command of the one that was killed has ended" {
	fill a 1 6
	begin -n 3 -- bash -c 'trap "sleep 0.3; echo end >>log; exit 1" TERM
	    while IFS= read -r line; do
	        [ -n "$line" ] || { echo begin >>log; n=$((n + 1)); [ $n -gt 1 ] || echo ok >&3; }
	    done
	    sleep 1000 & wait'
	wait_for 20 grep -q acked status
	evlog consume mail --stream -n 3 -- bash ./worker 'echo next >>log' >got.2 3>&- &
	started $!
	kill -9 "${children[0]}"
	wait "${children[1]}"
	[ "$(grep -v begin log | paste -sd ' ')" = "end next" ]
	[ "$(sequences <got.2)" = "4 5 6" ]
}

@test "damage stops it behind what is sound, and the command finds the end" {
	fill a 1 9 1
	flip_bit "$(segment)" $(($(offset_of 6) + 108))
	run -8 evlog consume mail --stream -n 2 -- bash -c '. ./worker >got'
	[ "$(sequences <got)" = "1 2 3 4 5" ]
	[ "$(at)" = 5 ]
	[ "$(lines_in ends)" -eq 1 ]
}

@test "members of a group share the streams in stream mode, too" {
	for i in {1..20}; do
		fill "s-$i" 1 5
	done
	for k in 1 2; do
		evlog consume mail --group $k/2 --stream -n 7 -- bash ./worker >part.$k
		[ -s part.$k ]
		jq -r '[.subject, .streamversion] | join(" ")' part.$k |
		    awk '$2 != n[$1]++ { exit 1 }'
	done
	[ "$(cat part.* | jq -r .sequence | sort -u | wc -l)" -eq 100 ]
	[ "$(cat part.* | wc -l)" -eq 100 ]
}
