# What evlog-consume(1) promises about next, ack and cursor: ls, set, rm, lag.

load lib/evlog

setup() { evlog_setup; }
teardown() { evlog_teardown; }

# The sequences, without their zeros, of events as they are printed.
sequences() { jq -r '.sequence | tonumber' | paste -sd ' '; }

# hold NAME [OPTION...]: a consumer that holds a cursor, in the background; its pid in $!.
hold() {
	rm -f held
	evlog consume "$@" -f --status-fd 1 -- cat >held 2>held.err 3>&- &
	started $!
	wait_for 20 grep -qs taken held
}

column() { cut -f "$1" | paste -sd ' '; }

# --- next and ack ---

@test "next prints what comes next and moves nothing" {
	fill a 1 5
	[ "$(evlog next mail)" = "$(evlog read --all -n 1)" ]
	[ "$(evlog next mail)" = "$(evlog get 1)" ]
	[ "$(evlog next mail -n 3)" = "$(evlog read --all -n 3)" ]
	[ "$(evlog next mail -n 99)" = "$(evlog read --all)" ]
	[ ! -e s/cursors ]
}

@test "next is exit 1 and prints nothing when there is no event" {
	evlog init
	run -1 --separate-stderr evlog next mail
	[ -z "$output$stderr" ]
	fill a 1 2
	evlog ack mail 2
	run -1 evlog next mail
	run -1 evlog next mail b
	evlog next mail b -n 5 || [ $? -eq 1 ]
}

@test "next prints more than a batch" {
	data 1 70000 | evlog append a -q -t T 2>/dev/null
	[ "$(evlog next mail -n 69999 | wc -l)" -eq 69999 ]
}

@test "next takes a stream, a prefix or --all, and else the cursor's own selector" {
	fill order-1 1 2
	fill b 3 4
	fill order-2 5 6
	[ "$(evlog next mail b -n 9 | sequences)" = "3 4" ]
	[ "$(evlog next mail 'order-*' -n 9 | sequences)" = "1 2 5 6" ]
	[ "$(evlog next mail --all -n 9 | sequences)" = "1 2 3 4 5 6" ]
	evlog consume mail 'order-*' -n 2 -- sh -c 'grep -q "\"sequence\":\"0*1\"" || exit 9' ||
	    [ $? -eq 9 ]
	[ "$(evlog next mail -n 9 | sequences)" = "5 6" ]
	[ "$(evlog next mail --all -n 9 | sequences)" = "3 4 5 6" ]
}

@test "next leaves the store's own streams out, but for one that is named" {
	fill a 1 1
	evlog consume bad -- sh -c 'exit 65'
	[ "$(evlog next mail -n 9 | sequences)" = 1 ]
	[ "$(evlog next mail '*' -n 9 | sequences)" = 1 ]
	[ "$(evlog next mail '$parked-bad' -n 9 | sequences)" = 2 ]
}

@test "ack moves the cursor to a sequence, 20 digits or fewer" {
	fill a 1 9
	evlog ack mail 3
	[ "$(evlog next mail | sequences)" = 4 ]
	evlog ack mail 00000000000000000007
	[ "$(evlog next mail -n 9 | sequences)" = "8 9" ]
}

@test "ack is silent, and to go back is no error and does nothing" {
	fill a 1 9
	evlog ack mail 7
	for seq in 7 3 0; do
		run -0 --separate-stderr evlog ack mail "$seq"
		[ -z "$output$stderr" ]
		[ "$(evlog next mail | sequences)" = 8 ]
	done
}

@test "ack beyond the end of the store is exit 65 and moves nothing" {
	fill a 1 9
	run -65 --separate-stderr evlog ack mail 10
	[[ $stderr == "evlog: "*9*10* ]]
	[ "$(evlog next mail | sequences)" = 1 ]
}

@test "next and ack make a consumer of a loop in the shell" {
	fill a 1 12
	while event=$(evlog next loop); do
		printf '%s\n' "$event" >>got
		evlog ack loop "$(jq -r .sequence <<<"$event")"
	done
	evlog read --all | cmp - got
}

@test "next and ack work for a member of a group" {
	for i in 1 2 3 4 5 6; do
		fill "s-$i" "$i" "$i"
	done
	for k in 1 2; do
		evlog next pair --group $k/2 -n 9 >part.$k
		[ -s part.$k ]
		evlog ack pair "$(tail -n 1 part.$k | jq -r .sequence)" --group $k/2
		run -1 evlog next pair --group $k/2
	done
	[ "$(cat part.1 part.2 | sequences | tr ' ' '\n' | sort -n | paste -sd ' ')" = \
	    "1 2 3 4 5 6" ]
}

@test "ack waits for who holds the cursor, at most -w, then exit 75" {
	fill a 1 3
	hold mail
	run -75 --separate-stderr evlog ack mail 1 -w 0
	[[ $stderr == "evlog: "*"'mail'"* ]]
	run -75 evlog ack mail 1 -w 50ms
	evlog next mail -w 0 || [ $? -eq 1 ]
}

@test "of a store that cannot be written, next, ls and lag read; ack, set and rm are exit 77" {
	fill a 1 5
	evlog ack mail 3
	script='
	set -e
	[ "$(evlog next mail | jq -r .data.n)" = 4 ]
	[ "$(evlog cursor ls | cut -f 1)" = mail ]
	[ "$(evlog cursor lag mail)" = 2 ]
	for words in "ack mail 4" "ack new 4" "cursor set mail 1" "cursor rm mail" \
	    "consume mail -- true"; do
		got=0
		evlog $words 2>err || got=$?
		[ $got -eq 77 ]
		grep -q "^evlog: " err
	done'
	on_read_only "$script"
	[ "$(evlog next mail | sequences)" = 4 ]
}

# --- ls ---

@test "cursor ls of a store without cursors prints nothing, exit 0" {
	evlog init
	run -0 --separate-stderr evlog cursor ls
	[ -z "$output$stderr" ]
}

@test "cursor ls prints name, sequence, lag, selector, time and state, by name" {
	fill order-1 1 5
	evlog ack b 2
	evlog consume a 'order-*' -- true
	fill x 6 7
	run -0 evlog cursor ls
	[ "$(column 1 <<<"$output")" = "a b" ]
	[ "$(column 2 <<<"$output")" = "00000000000000000005 00000000000000000002" ]
	[ "$(column 3 <<<"$output")" = "2 5" ]
	[ "$(column 4 <<<"$output")" = "order-* -" ]
	[[ $(cut -f 5 <<<"${lines[0]}") =~ ^20[0-9-]+T[0-9:]+\.[0-9]{6}Z$ ]]
	[ "$(column 6 <<<"$output")" = "idle idle" ]
}

@test "cursor ls --json prints the same and more as JSON" {
	fill order-1 1 5
	evlog consume a 'order-*' -n 3 -- sh -c 'grep -q "\"n\":1}" || exit 4' || [ $? -eq 4 ]
	evlog cursor ls --json | jq -e '.name == "a" and .sequence == "00000000000000000003" and
	    .lag == "2" and .selector == "order-*" and .tries == 0 and .program == "-" and
	    .held == false and .state == "idle" and (.time | test("^20.*Z$"))'
}

@test "cursor ls says active, retrying, group and damaged" {
	fill a 1 3
	state() { evlog cursor ls | awk -F '\t' -v n="$1" '$1 == n { print $6 }'; }
	hold busy
	wait_for 20 grep -q acked held
	[ "$(state busy)" = active ]
	evlog consume again --status-fd 4 -- sh -c 'exit 75' 4>retries 3>&- &
	started $!
	wait_for 20 grep -qs '"retry"' retries
	[ "$(state again)" = retrying ]
	stop $!
	[ "$(state again)" = retrying ]
	evlog ack pair 1
	evlog ack pair 2 --group 1/2
	[ "$(state pair)" = group ]
	[ "$(state pair@1-2)" = idle ]
	evlog ack bad 1
	printf x | dd of=s/cursors/bad conv=notrunc status=none
	run -8 evlog cursor ls
	[[ $output == *bad*damaged* && $output == *busy*active* ]]
	run -8 evlog cursor ls --json
	[[ $output == *'"name":"bad","held":false,"state":"damaged"'* ]]
}

@test "a cursor with two damaged slots stops its consumer with exit 8 and advice that helps" {
	fill a 1 5
	evlog ack mail 3
	printf x | dd of=s/cursors/mail conv=notrunc status=none
	run -8 --separate-stderr evlog consume mail -- cat
	[[ -z $output && $stderr == *"evlog cursor rm mail"*"evlog cursor set mail"* ]]
	run -8 evlog next mail
	run -8 evlog ack mail 4
	run -8 evlog cursor lag mail
	run -8 evlog cursor lag --all
	evlog cursor rm mail
	evlog cursor set mail 3
	[ "$(evlog consume mail -- cat | sequences)" = "4 5" ]
}

# --- set and rm ---

@test "cursor set puts a cursor anywhere in the store, also back and a new one" {
	fill a 1 9
	for seq in 5 9 0 2; do
		run -0 --separate-stderr evlog cursor set mail $seq
		[ -z "$output$stderr" ]
		[ "$(evlog cursor ls | cut -f 2)" = "$(printf %020d $seq)" ]
	done
	[ "$(evlog next mail | sequences)" = 3 ]
	run -65 --separate-stderr evlog cursor set mail 10
	[[ $stderr == "evlog: "* ]]
	[ "$(evlog next mail | sequences)" = 3 ]
}

@test "cursor set forgets the selector and the tries" {
	fill a 1 3
	evlog consume mail a --status-fd 4 -- sh -c 'exit 75' 4>tries 3>&- &
	started $!
	wait_for 20 grep -qs '"retry"' tries
	stop $!
	run -78 evlog consume mail -- cat
	evlog cursor set mail 1
	evlog cursor ls --json | jq -e '.tries == 0 and .selector == "-"'
	[ "$(evlog consume mail -- cat | sequences)" = "2 3" ]
}

@test "cursor set makes one cursor of a group" {
	for i in 1 2 3 4 5 6 7 8; do
		fill "s-$i" "$i" "$i"
	done
	evlog ack mail 5 --group 1/2
	evlog ack mail 3 --group 2/2
	run -78 --separate-stderr evlog consume mail -- cat
	[[ $stderr == *"evlog cursor set mail 3"* ]]
	evlog cursor set mail 3
	[ "$(evlog cursor ls | cut -f 1)" = mail ]
	[ "$(evlog consume mail -- cat | sequences)" = "4 5 6 7 8" ]
	run -1 evlog next mail --group 3/3
}

@test "cursor set and rm of a group whose member runs are exit 75 and change nothing" {
	fill a 1 3
	evlog ack mail 1 --group 1/2
	hold mail --group 2/2
	where() { evlog cursor ls | cut -f 1,2 | sed "s/\(@2-2\).*/\1/"; }
	where >before
	for words in "set mail 2" "rm mail" "rm mail@2-2"; do
		# shellcheck disable=SC2086 # words
		run -75 --separate-stderr evlog cursor $words
		[[ $stderr == "evlog: "*"mail@2-2"* ]]
		where | cmp - before
	done
	run -75 evlog cursor set mail@2-2 1 -w 0
}

@test "cursor rm removes a cursor, and with a plain name its members; exit 1 when there is none" {
	fill a 1 3
	run -1 evlog cursor rm mail
	evlog ack mail 1
	evlog ack mail-2 1
	evlog cursor rm mail
	[ "$(evlog cursor ls | cut -f 1)" = mail-2 ]
	[ "$(evlog consume mail -- cat | sequences)" = "1 2 3" ]
	evlog ack pair 1 --group 1/2
	evlog ack pair 1 --group 2/2
	evlog cursor rm pair@1-2
	[ "$(evlog cursor ls | column 1)" = "mail mail-2 pair@2-2" ]
	evlog cursor rm pair
	run -1 evlog cursor rm pair
	[ "$(evlog cursor ls | column 1)" = "mail mail-2" ]
}

# --- lag ---

@test "cursor lag prints how many events are behind a cursor; --max makes it an alarm" {
	fill a 1 9
	evlog ack mail 4
	[ "$(evlog cursor lag mail)" = 5 ]
	run -0 evlog cursor lag mail --max 5
	[ "$output" = 5 ]
	run -1 evlog cursor lag mail --max 4
	[ "$output" = 5 ]
	run -1 --separate-stderr evlog cursor lag nobody
	[[ -z $output && $stderr == "evlog: "*"'nobody'"* ]]
}

@test "a cursor at the end moves over what its selector does not take" {
	fill a 1 3
	evlog consume mail a -- cat >/dev/null
	fill b 4 9
	[ "$(evlog cursor lag mail)" = 6 ]
	run -0 evlog consume mail a -- cat
	[ -z "$output" ]
	[ "$(evlog cursor lag mail)" = 0 ]
	hold mail a
	fill b 10 20
	lag_is_zero() { [ "$(evlog cursor lag mail)" = 0 ]; }
	wait_for 20 lag_is_zero
}

@test "cursor lag --all prints all, and exits 1 when one of them is over --max" {
	fill a 1 9
	evlog ack one 9
	evlog ack two 7
	[ "$(evlog cursor lag --all)" = "one"$'\t'"0"$'\n'"two"$'\t'"2" ]
	run -0 evlog cursor lag --all --max 2
	run -1 evlog cursor lag --all --max 1
	[ "${#lines[@]}" -eq 2 ]
}

@test "the lag of a group is that of its slowest member, also of one that never ran" {
	fill a 1 9
	evlog cursor set mail 2
	evlog ack mail 9 --group 1/3
	evlog ack mail 5 --group 3/3
	[ "$(evlog cursor lag mail)" = 7 ]
	[ "$(evlog cursor lag mail@3-3)" = 4 ]
	[ "$(evlog cursor lag --all | column 1)" = "mail@1-3 mail@2-3 mail@3-3" ]
	[ "$(evlog cursor lag --all | column 2)" = "0 7 4" ]
	evlog ack mail 9 --group 2/3
	[ "$(evlog cursor lag mail)" = 4 ]
}

# --- a store that has lost events ---

@test "a cursor ahead of a store that has lost events is exit 78, and names the way on" {
	fill a 1 9 1
	evlog ack mail 9
	evlog ack slow 3
	truncate -s "$(offset_of 7)" "$(segment)"
	rm s/ctl
	for words in "consume mail -- cat" "ack mail 2" "next mail"; do
		# shellcheck disable=SC2086 # words
		run -78 --separate-stderr evlog $words
		[[ -z $output && $stderr == *"evlog cursor set mail 6"* ]]
	done
	[[ $(evlog cursor ls) == *mail*lost* ]]
	[ "$(evlog consume slow -- cat | sequences)" = "4 5 6" ]
	evlog cursor set mail 6
	fill a 7 8
	[ "$(evlog consume mail -- cat | sequences)" = "7 8" ]
}

@test "so it is when the store has given the same sequences to new events since" {
	fill a 1 9 1
	evlog ack mail 9
	truncate -s "$(offset_of 7)" "$(segment)"
	rm s/ctl
	fill b 11 20
	run -78 --separate-stderr evlog consume mail -- cat
	[[ -z $output && $stderr == *"evlog cursor set mail"* ]]
	[[ $(evlog cursor ls) == *mail*lost* ]]
}

@test "lag of a cursor that the store has lost, or that is damaged, is an alarm, too" {
	fill a 1 9 1
	evlog ack mail 9
	evlog ack pair 9 --group 2/2
	evlog ack slow 3
	truncate -s "$(offset_of 7)" "$(segment)"
	rm s/ctl
	for name in mail pair --all; do
		run -78 --separate-stderr evlog cursor lag "$name" --max 5
		[[ -n $output && $stderr == *"evlog cursor set "* ]]
	done
	[ "$(column 1 <<<"$output")" = "mail pair@1-2 pair@2-2 slow" ]
	run -0 evlog cursor lag slow --max 3
	evlog cursor set mail 6
	evlog cursor set pair 6
	run -0 --separate-stderr evlog cursor lag --all --max 3
	[ -z "$stderr" ]
	head -c 1024 /dev/zero >s/cursors/mail
	run -8 --separate-stderr evlog cursor lag --all --max 3
	[[ $stderr == "evlog: "*"'mail'"* ]]
}

# --- backups ---

@test "a backup has the cursors as they were, and restore brings them back" {
	fill a 1 9
	evlog consume mail a -n 4 -- sh -c 'case $EVLOG_FIRST in *9) exit 5; esac' || [ $? -eq 5 ]
	evlog ack pair 3 --group 2/2
	evlog cursor set "$(printf 'x%.0s' {1..200})" 7
	evlog ack bad 1
	printf x | dd of=s/cursors/bad conv=notrunc status=none
	evlog cursor ls --json >before || [ $? -eq 8 ]
	evlog backup copy >/dev/null
	evlog consume mail a -- cat >/dev/null
	evlog -s r restore copy
	evlog -s r cursor ls --json | diff - <(grep -v '"bad"' before)
	[ "$(evlog -s r consume mail a -- cat | sequences)" = 9 ]
	# Brought up to date, it has those that are there then.
	evlog cursor rm pair
	evlog backup copy >/dev/null
	evlog -s r2 restore copy
	evlog -s r2 cursor ls | diff - <(evlog cursor ls | grep -v '^bad')
	run -1 evlog -s r2 next mail
}

@test "a cursor in a MANIFEST that was changed is no cursor" {
	fill a 1 3
	evlog ack mail 2
	evlog backup copy >/dev/null
	sed -i '/^cursor /s/0002 /0001 /' copy/MANIFEST
	run -8 --separate-stderr evlog -s r restore copy
	[[ $stderr == "evlog: "*MANIFEST*cursor* ]]
	[ ! -e r/FORMAT ]
	sed -i 's/^cursor mail/cursor ..\/x/' copy/MANIFEST
	rm -rf r
	run -8 evlog -s r restore copy
}

# --- wrong use ---

@test "wrong names, sequences and verbs are exit 64" {
	evlog init
	for words in "next" "next a/b" "next .a" "next mail@1-2" "next mail a b" "next mail -n 0" \
	    "next mail --group 3/2" "next mail --group 2" "next mail --group 0/2" \
	    "next mail --group 1/1025" "next mail --all a" "next mail -x" "next mail a/b" \
	    "ack mail" "ack mail x" "ack mail -1" "ack mail 1 2" "ack mail@1-2 1" \
	    "cursor" "cursor mv a" "cursor ls a" "cursor set mail" "cursor set mail x" \
	    "cursor rm" "cursor rm a b" "cursor rm a@x" "cursor lag" "cursor lag a --all" \
	    "cursor ls --max 1" "cursor rm mail --json" "cursor lag mail --max x"; do
		# shellcheck disable=SC2086 # words
		run -64 --separate-stderr evlog $words
		[[ -z $output && $stderr == "evlog: "* && ${#stderr_lines[@]} -eq 1 ]]
	done
	run -66 evlog -s nowhere next mail
	run -66 evlog -s nowhere cursor ls
}

@test "output that cannot be written is exit 74" {
	[ -c /dev/full ] || skip "by design: no /dev/full"
	fill a 1 3
	evlog ack mail 1
	for words in "next mail" "cursor ls" "cursor lag mail" "cursor lag --all"; do
		run -74 --separate-stderr bash -c "evlog $words >/dev/full"
		[[ $stderr == "evlog: "* ]]
	done
}
