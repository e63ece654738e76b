# What evlog-handle(1) promises about handle: decisions, ids, conflicts, and DECIDEs that misbehave.

load lib/evlog

setup() {
	evlog_setup
	cat >count.jq <<-'END'
	# Each Counted says what it was counted from: a lost update cannot be folded.
	def init: {n: 0};
	def evolve($e):
	  if $e.type != "Counted" then .
	  elif $e.data.from != .n then error("counted from \($e.data.from), not \(.n)")
	  else .n = .n + 1 end;
	END
	script count <<-'END'
	exec jq -c '{type: "Counted", data: {from: .state.n}}'
	END
}
teardown() { evlog_teardown; }

# script NAME: an executable shell script from stdin.
script() {
	{ echo '#!/bin/bash' && cat; } >"$1"
	chmod +x "$1"
}

# handle STREAM [OPTION...] -- DECIDE...
handle() { evlog handle -e count.jq "$@"; }

# says TEXT: a DECIDE that prints it, whatever it is asked.
says() { printf 'cat >/dev/null\nprintf %%s %q\n' "$1" | script says; }

# receipt: first, last, sequence, count, known and duplicate of the receipt in $output.
receipt() {
	jq -r '[.first // "-", .last, (.sequence | tonumber), .count, .known // "-", .duplicate]
	    | map(tostring) | join(" ")' <<<"$output"
}

head_is() { [ "$(evlog head)" = "$(printf %020d "$1")" ]; }

# appends STREAM [UNTIL]: a DECIDE that counts, but in its first UNTIL (1) runs somebody else is
# faster; the runs are in the file runs.
appends() {
	script slow <<-END
	line=\$(cat)
	echo "\$line" >>"$PWD/runs"
	if [ "\$(wc -l <"$PWD/runs")" -le ${2-1} ]; then
		evlog append -q $1 <<<"{\"type\":\"Other\",\"data\":{\"by\":\"\$\$\"}}"
	fi
	exec $PWD/count <<<"\$line"
	END
}

# --- decisions ---

@test "the events of a decision are appended at the version that was read, with a receipt" {
	run -0 --separate-stderr handle a -- ./count
	[[ $stderr == "evlog: created store '"* && ${#stderr_lines[@]} -eq 1 ]]
	want='{"stream":"a","first":"0","last":"0","sequence":"00000000000000000001","count":1'
	[ "$output" = "$want"',"duplicate":false,"durable":true}' ]
	run -0 --separate-stderr handle a -- ./count
	[ "$(receipt)" = "1 1 2 1 - false" ]
	[ -z "$stderr" ]
	[ "$(tsv a)" = 'a 0 Counted {"from":0}'$'\n''a 1 Counted {"from":1}' ]
	[ "$(evlog fold a -e count.jq)" = '{"n":2}' ]
}

@test "DECIDE gets one line with stream, version, state and command, and then the end" {
	script keep <<-'END'
	cat >>"$OLDPWD_OF_TEST/lines"
	END
	export OLDPWD_OF_TEST=$PWD
	handle a -q -- ./keep '{ "sku": "A", "price": 3.50 }' 2>/dev/null
	handle a -q -- ./count
	handle a -q -- ./keep buy 'two of "them"'
	diff - lines <<-'END'
	{"stream":"a","version":"none","state":{"n":0},"command":{"sku":"A","price":3.50}}
	{"stream":"a","version":"0","state":{"n":1},"command":["buy","two of \"them\""]}
	END
}

@test "the command is one JSON argument, the arguments, or that of --command" {
	script keep <<-'END'
	jq -c .command >&2
	printf '%s,' "$@" >&2
	END
	evlog init
	for command in 7 true null '"x"' '[]' '{}'; do
		run -0 --separate-stderr handle a -q -- ./keep "$command"
		[ "$stderr" = "$command"$'\n'"$command," ]
	done
	run -0 --separate-stderr handle a -q -- ./keep
	[ "${stderr_lines[0]}" = "[]" ]
	run -0 --separate-stderr handle a -q -- ./keep 1 2
	[ "${stderr_lines[0]}" = '["1","2"]' ]
	run -0 --separate-stderr handle a -q -- ./keep 'no json'
	[ "${stderr_lines[0]}" = '["no json"]' ]
	printf '{"from":\n"a file"}' >command.json
	run -0 --separate-stderr handle a -q --command command.json -- ./keep x
	[ "$stderr" = '{"from":"a file"}'$'\n''x,' ]
	run -0 --separate-stderr handle a -q --command - -- ./keep <<<"[1]"
	[ "${stderr_lines[0]}" = "[1]" ]
	run -65 --separate-stderr handle a --command - -- ./keep </dev/null
	[[ $stderr == "evlog: the command in '-': "* ]]
	run -65 handle a --command count.jq -- ./keep
	run -65 --separate-stderr handle a -- ./keep '{"sku":"A"'
	[[ $stderr == "evlog: the command is no JSON: "* ]]
	run -65 handle a -- ./keep '{"sku":"A","sku":"B"}'
	run -66 handle a --command none.json -- ./keep
}

@test "DECIDE knows the store, and its own environment" {
	script env <<-'END'
	echo "$EVLOG_STORE $MINE" >&2
	END
	unset EVLOG_STORE
	export MINE=yes
	mkdir sub
	run -0 --separate-stderr handle a -q -s sub/../s -- ./env
	[ "${stderr_lines[-1]}" = "$PWD/s yes" ]
}

@test "exit 1 to 9 rejects: exit 13, DECIDE's words, and nothing is written" {
	evlog init
	for code in 1 2 5 9; do
		printf 'cat >/dev/null\necho "the cart is closed" >&2\nexit %s\n' $code | script no
		run -13 --separate-stderr handle a -i "c-$code" -- ./no
		[ "$stderr" = "the cart is closed" ]
		[ -z "$output" ]
	done
	printf 'jq -c "{type: \\"T\\"}"\nexit 1\n' | script no
	run -13 handle a -- ./no
	head_is 0
	# A command that was rejected may be accepted later, under the same id.
	handle a -q -i c-1 -- ./count
	head_is 2
}

@test "any other end is a failure: exit 71, the status is named, and nothing is written" {
	evlog init
	for code in 10 64 71 126 127 255; do
		printf 'jq -c "{type: \\"T\\"}"\nexit %s\n' $code | script fails
		run -71 --separate-stderr handle a -i c -- ./fails
		[ "$stderr" = "evlog: './fails' exited with status $code; nothing was written" ]
	done
	for signal in KILL SEGV TERM; do
		printf 'jq -c "{type: \\"T\\"}"\nkill -%s $$\n' $signal | script fails
		run -71 --separate-stderr handle a -i c -- ./fails
		[[ $stderr == *"'./fails' was ended by signal "*" ($signal); nothing was written" ]]
	done
	head_is 0
}

@test "a DECIDE that cannot be executed is exit 126 or 127" {
	evlog init
	run -127 --separate-stderr handle a --status-fd 3 -- ./none 3>status
	[[ $stderr == "evlog: run './none': "* ]]
	[ "$(cat status)" = '{"event":"decided","try":1,"status":127}' ]
	echo x >text
	run -126 handle a -- ./text
	run -64 handle a --
	run -64 handle a
	run -64 --separate-stderr handle a ./count
	[[ $stderr == *"--"* ]]
	head_is 0
}

@test "a decision without events writes nothing, and says where the stream is" {
	says ''
	run -0 --separate-stderr handle a -- ./says
	want='{"stream":"a","last":"none","sequence":"00000000000000000000","count":0'
	[ "$output" = "$want"',"duplicate":false,"durable":true}' ]
	fill b 1 3
	fill a 1 3
	run -0 handle a -- ./says
	[ "$(receipt)" = "- 2 6 0 - false" ]
	head_is 6
}

@test "several events are one commit, all or none" {
	evlog init
	says '{"type":"A"}
{"type":"B","data":[1, 2]}
{"type":"C","id":"mine","data":{"x": "y"}}'
	run -0 handle a -- ./says
	[ "$(receipt)" = "0 2 3 3 - false" ]
	[ "$(tsv a)" = $'a 0 A null\na 1 B [1,2]\na 2 C {"x":"y"}' ]
	[ "$(grep -ac '^.\{9\}E-\. ' s/log/*.evl)" -eq 1 ]
	says '{"type":"A"}
{"type":"C","id":"mine","data":"other"}'
	run -11 --separate-stderr handle a -- ./says
	[ "$(evlog version a)" = 2 ]
	says '{"type":"C","id":"mine","data":{"x":"y"}}'
	run -0 handle a -- ./says
	[ "$(receipt)" = "2 2 3 0 1 true" ]
}

@test "numbers of any size come into the log as DECIDE wrote them" {
	evlog init
	data='{"id":9007199254740993,"n":123456789012345678901234567890,"d":1.10,"e":1E400}'
	says '{"type":"T","data":'"$data}"
	handle a -q -- ./says
	[ "$(evlog read a -o data)" = "$data" ]
}

@test "attributes come from -m and the environment" {
	export EVLOG_CORRELATION=order-1 EVLOG_CAUSATION=cause
	export TRACEPARENT=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
	handle a -q -i c -m by=ann -- ./count 2>/dev/null
	[ "$(evlog read a | jq -r '.by, .correlationid, .causationid, .traceparent' |
	    paste -sd ' ')" = "ann order-1 cause $TRACEPARENT" ]
	[ "$(evlog read '$handled-a' | jq -r .correlationid)" = order-1 ]
}

@test "-q prints no receipt, --dry-run prints the events and writes nothing" {
	run -0 handle a -q -- ./count
	[[ $output == "evlog: created"* && ${#lines[@]} -eq 1 ]]
	run -0 --separate-stderr handle a --dry-run -i c -- ./count
	[ "$output" = '{"type":"Counted","data":{"from":1}}' ]
	says '{"type":"A"}
no event'
	run -65 --separate-stderr handle a --dry-run -- ./says
	[[ -z $output && $stderr == *"line 2"* ]]
	says ''
	run -0 handle a --dry-run -- ./says
	[ -z "$output" ]
	says '{"type":"A"}'
	run -0 handle a --dry-run -- ./says
	[ "$output" = '{"type":"A"}' ]
	head_is 1
	EVLOG_STORE=$PWD/none run -66 handle a --dry-run -- ./count
	[ ! -e none ]
}

# --- ids ---

@test "a command whose id is known is not decided again: the first one stands" {
	handle a -q -i c-1 -- ./count 2>/dev/null
	first=$(evlog read --all)
	script never <<<'echo x >>ran'
	want='{"stream":"a","first":"0","last":"0","sequence":"00000000000000000001","count":0'
	for decide in ./count ./never ./none; do
		run -0 --separate-stderr handle a -i c-1 -- "$decide" another
		[ "$output" = "$want"',"known":1,"duplicate":true,"durable":true}' ]
		[ -z "$stderr" ]
	done
	[ ! -e ran ]
	[ "$(evlog read --all)" = "$first" ]
	# Of another stream it is another command.
	handle b -q -i c-1 -- ./count
	[ "$(evlog version b)" = 0 ]
}

@test "the events of a command with an id are called ID:0, ID:1, ..., and one more tells of it" {
	evlog init
	says '{"type":"A"}
{"type":"B","id":"mine"}
{"type":"C"}'
	handle a -q -i c-1 -- ./says
	[ "$(evlog read a | jq -r .id | paste -sd ' ')" = "c-1:0 mine c-1:2" ]
	[ "$(evlog read '$handled-a' -o tsv | cut -f 2-)" = \
	    $'$handled-a\t0\tevlog.handled\tc-1\t{"version":"2","count":3}' ]
	run -0 handle a -i c-1 -- ./says
	[ "$(receipt)" = "0 2 3 0 3 true" ]
}

@test "a command that yields no event is remembered, too" {
	says ''
	run -0 --separate-stderr handle a -i c-1 -- ./says
	[ "$(receipt)" = "- none 0 0 - false" ]
	head_is 1
	handle a -q -- ./count
	run -0 handle a -i c-1 -- ./count
	[ "$(receipt)" = "- none 0 0 - true" ]
	handle a -q -i c-2 -- ./says
	handle a -q -- ./count
	run -0 handle a -i c-2 -- ./count
	[ "$(receipt)" = "- 0 2 0 - true" ]
	[ "$(evlog version a)" = 1 ]
}

@test "streams that begin with a dollar sign are the store's own" {
	handle a -q -i c -- ./count 2>/dev/null
	run -64 handle '$handled-a' -- ./count
	run -64 evlog append '$handled-a' -t T <<<1
	[ "$(evlog streams '*')" = a ]
	[ "$(evlog read --all | wc -l)" -eq 2 ]
	run -1 evlog read 'handled*'
}

@test "names that are too long for an id are refused before anything is done" {
	name() { printf "$1%.0s" $(seq "$2"); }
	evlog init
	handle "$(name s 246)" -q -i "$(name i 249)" -- ./count
	[ "$(evlog head)" = 00000000000000000002 ]
	handle "$(name s 246)" -q -i "$(name i 249)" -- ./count
	run -64 handle "$(name s 247)" -i c -- ./count
	handle "$(name s 247)" -q -- ./count
	run -64 handle a -i "$(name i 250)" -- ./count
	run -64 handle a -i 'a b' -- ./count
	run -64 handle a -i '' -- ./count
	head_is 3
}

@test "a receipt that could not be printed is printed when the command is given again" {
	evlog init
	run -74 bash -c 'evlog handle a -e count.jq -i c -- ./count >/dev/full'
	[ "$(evlog version a)" = 0 ]
	run -0 handle a -i c -- ./count
	[ "$(jq .duplicate <<<"$output")" = true ]
	[ "$(evlog version a)" = 0 ]
}

@test "an id that somebody else has given to another event is exit 11" {
	evlog append a -q -t Other -i c:0 <<<1 2>/dev/null
	run -11 --separate-stderr handle a -i c -- ./count
	[[ $stderr == "evlog: id 'c:0' in stream 'a' "* ]]
	[ "$(evlog version a)" = 0 ]
}

@test "ids that a decision made from a state that is old by now are no reason to end" {
	echo 'def init: 0; def evolve($e): . + 1;' >count.jq
	# In its first run somebody else is faster, and takes the id, for the same event or another.
	script name <<-END
	line=\$(cat)
	id=n-\$(jq .state <<<"\$line")
	[ -e raced ] || evlog append -q a <<<"{\"id\":\"\$id\",\"type\":\"\$1\"}"
	: >raced
	echo "{\"id\":\"\$id\",\"type\":\"Named\"}"
	END
	for what in Named Other; do
		rm -f raced
		run -0 --separate-stderr handle a -- ./name $what
		[ "$(jq .count <<<"$output")" = 1 ]
	done
	[ "$(evlog read a | jq -r '"\(.id) \(.type)"' | paste -sd ' ')" = \
	    "n-0 Named n-1 Named n-2 Other n-3 Named" ]
	# What stands there already when the state is new is as it was.
	says '{"id":"n-1","type":"Named"}'
	run -0 --separate-stderr handle a -- ./says
	[ "$(receipt)" = "1 1 2 0 1 true" ]
	rm raced
	run -10 --separate-stderr handle a --retry-for 0 -- ./name Other
	[ "$stderr" = '{"stream":"a","expected":"3","actual":"4"}' ]
}

@test "one command at the same time from many: it is carried out once, and all get its receipt" {
	evlog init
	for n in 1 2 3 4 5 6 7 8; do
		handle a -i c -- ./count >"out.$n" 2>"err.$n" &
		started $!
	done
	for pid in "${children[@]}"; do
		wait "$pid"
	done
	[ "$(evlog version a)" = 0 ]
	[ "$(evlog version '$handled-a')" = 0 ]
	[ "$(jq -c '[.first, .last, .sequence]' out.* | sort | uniq -c | awk '{ print $1 }')" = 8 ]
	[ "$(jq -r .duplicate out.* | grep -c false)" -eq 1 ]
	[ -z "$(cat err.*)" ]
}

# --- conflicts ---

@test "when other events come first they are folded, and DECIDE runs again" {
	fill a 1 3
	appends a
	run -0 --separate-stderr handle a --status-fd 3 -- ./slow 3>status
	[ "$(receipt)" = "4 4 5 1 - false" ]
	[ "$(jq -r .version runs | paste -sd ' ')" = "2 3" ]
	[ "$(cat status)" = '{"event":"decided","try":1,"status":0}
{"event":"conflict","try":1,"expected":"2","actual":"3"}
{"event":"decided","try":2,"status":0}
{"event":"appended","first":"4","last":"4","sequence":"00000000000000000005"}' ]
}

@test "a stream that is made meanwhile is a conflict, too" {
	evlog init
	appends a
	run -0 handle a --status-fd 3 -- ./slow 3>status
	[ "$(jq -r .version runs | paste -sd ' ')" = "none 0" ]
	[ "$(sed -n 2p status)" = '{"event":"conflict","try":1,"expected":"none","actual":"0"}' ]
}

@test "one jq folds over all tries, and gets only the new events" {
	fill a 1 50
	mkdir bin
	cat >bin/jq <<-END
	#!/bin/bash
	[ "\$1" = -n ] || exec $(command -v jq) "\$@"
	echo x >>"$PWD/starts"
	tee -a "$PWD/input" | exec $(command -v jq) "\$@"
	END
	chmod +x bin/jq
	appends a 2
	PATH=$PWD/bin:$PATH handle a -q -- ./slow
	[ "$(lines_in starts)" -eq 1 ]
	[ "$(grep -o '"streamversion"' input | wc -l)" -eq 52 ]
	[ "$(jq -r .version runs | paste -sd ' ')" = "49 50 51" ]
}

@test "a decision without events but with an id is checked against what came meanwhile" {
	fill a 1 3
	appends a
	sed -i 's/^exec.*/exit 0/' slow
	run -0 handle a -i c -- ./slow
	[ "$(receipt)" = "- 3 4 0 - false" ]
	[ "$(jq -r .version runs | paste -sd ' ')" = "2 3" ]
	[ "$(evlog read '$handled-a' -o data)" = \
	    '{"version":"3","count":0,"sequence":"00000000000000000004"}' ]
}

@test "somebody else who carries out the same command meanwhile is found after the conflict" {
	evlog init
	script late <<-END
	line=\$(cat)
	echo "\$line" >>runs
	evlog handle a -e count.jq -q -i c -- ./count
	exec ./count <<<"\$line"
	END
	for what in Counted Other; do # the same event, or another one under the same id
		rm -rf s runs
		evlog init
		sed -i "\$s/.*/echo '{\"type\":\"$what\",\"data\":{\"from\":0}}'/" late
		run -0 --separate-stderr handle a -i c -- ./late
		[ "$(receipt)" = "0 0 1 0 1 true" ]
		[ "$(lines_in runs)" -eq 1 ]
		[ "$(tsv a)" = 'a 0 Counted {"from":0}' ]
	done
}

@test "--retry-for 0 gives up at the first conflict: exit 10, and stderr says what came" {
	fill a 1 3
	appends a
	run -10 --separate-stderr handle a --retry-for 0 -i c -- ./slow
	[ "$stderr" = '{"stream":"a","expected":"2","actual":"3"}' ]
	[ -z "$output" ]
	[ "$(lines_in runs)" -eq 1 ]
	[ "$(evlog version a)" = 3 ]
	run -1 evlog read '$handled-a'
}

@test "when others are always faster it gives up after --retry-for" {
	local duration
	fill a 1 3
	appends a 1000
	for duration in 400ms 4s 40s; do # whoever is slow gets more of it
		: >runs
		run -10 --separate-stderr \
		    handle a --retry-for $duration --status-fd 3 -- ./slow 3>status
		[[ $stderr == '{"stream":"a","expected":"'*'","actual":"'* ]]
		[ "$(lines_in runs)" -le 3 ] || break
	done
	[ "$(lines_in runs)" -gt 3 ]
	[ "$(evlog read a -t Counted | wc -l)" -eq 0 ]
}

@test "a stream that was deleted begins anew, with the next version" {
	handle a -q -i c-1 -- ./count 2>/dev/null
	handle a -q -- ./count
	evlog rm a -q
	run -0 handle a -i c-2 -- ./count
	[ "$(receipt)" = "3 3 5 1 - false" ]
	run -0 handle a -i c-2 -- ./count
	[ "$(receipt)" = "3 3 5 0 1 true" ]
	[ "$(evlog fold a -e count.jq)" = '{"n":1}' ]
	# A command that was carried out before the deletion still was.
	run -0 handle a -i c-1 -- ./count
	[ "$(receipt)" = "0 0 1 0 1 true" ]
	evlog rm a --hard -q
	run -12 handle a -- ./count
}

@test "a deletion while DECIDE runs is a conflict: it decides again on a stream that is not there" {
	handle a -q -- ./count 2>/dev/null
	appends a
	sed -i 's/evlog append.*/evlog rm -q a/' slow
	run -0 handle a -i c -- ./slow
	[ "$(jq -c '[.version, .state]' runs | paste -sd ' ')" = '["0",{"n":1}] ["none",{"n":0}]' ]
	[ "$(receipt)" = "2 2 3 1 - false" ]
	rm runs
	sed -i 's/evlog rm -q a/evlog rm -q --hard a/' slow
	run -12 handle a -i c-2 -- ./slow
	[ "$(lines_in runs)" -eq 1 ]
}

@test "20 at once on one stream: each succeeds or is rejected, and no update is lost" {
	script odd <<-'END'
	jq -c 'if .command % 5 == 0 then "no\n" | halt_error(1)
	    else {type: "Counted", data: {from: .state.n}} end'
	END
	evlog init
	for n in {1..20}; do
		{
			code=0
			handle a --retry-for 10m -- ./odd "$n" 2>/dev/null || code=$?
			echo $code >"code.$n"
		} >"out.$n" &
		started $!
	done
	for pid in "${children[@]}"; do
		wait "$pid"
	done
	[ "$(cat code.* | sort | uniq -c | xargs)" = "16 0 4 13" ]
	[ "$(jq -r .first out.* | sort -n | xargs)" = "$(seq 0 15 | xargs)" ]
	[ "$(evlog fold a -e count.jq)" = '{"n":16}' ]
	[ "$(evlog version a)" = 15 ]
}

# turns: how many turns of this store are taken: locks of bytes from 2^32 on.
turns() {
	awk -v inode="$(stat -c %i s/lock)" '
	$4 == "WRITE" && $6 ~ ":" inode "$" && $7 >= 4294967296 { n++ }
	END { print n + 0 }' /proc/locks
}

@test "who has lost three times takes the turn, and lets go after a second at the latest" {
	export -f turns wait_for
	appends a 3
	sed -i '/^fi$/a turns >>"$PWD/turns"' slow
	sed -i '/^exec/i no_turn() { [ "$(turns)" -eq 0 ]; }' slow
	sed -i '/^exec/i [ "$(wc -l <runs)" -le 3 ] || wait_for 60 no_turn' slow
	evlog init
	handle a -q --retry-for 10m -- ./slow
	[ "$(xargs <turns)" = "0 0 0 1" ]
	[ "$(evlog version a)" = 3 ]
}

@test "an attempt waits for who has the turn, but for no more than a second" {
	command -v perl >/dev/null || skip "by design: perl is not installed"
	evlog init
	# All turns there are, 2^32 bytes from 2^32 on.
	perl -e 'open F, "+<", $ARGV[0] or die;
	    my $lock = pack("ssx4qqix4", 1, 0, 1 << 32, 1 << 32, 0);
	    fcntl(F, 37, $lock) or die; open R, ">", "held"; sleep 1000' s/lock &
	started $!
	wait_for 60 test -e held
	begin=${EPOCHREALTIME/[.,]/}
	handle a -q -- ./count
	[ $((${EPOCHREALTIME/[.,]/} - begin)) -ge 1000000 ]
	stop $!
	handle a -q -- ./count
}

# --- a DECIDE that misbehaves ---

@test "a line that is no event is exit 65, names the line, and nothing is written" {
	evlog init
	for line in 'no json' '[]' '{"type":7}' '{"data":1}' '' '{"type":"T"' '{"type":"T"}}' \
	    '{"type":"T","stream":"b"}' '{"type":"T","expect":"none"}' '{"type":"T","Bad":1}' \
	    $'{"type":"\xff"}' '{"type":"a b"}' '{"type":"T","id":""}'; do
		says '{"type":"A"}
'"$line"'
{"type":"B"}'
		run -65 --separate-stderr handle a -i c -- ./says
		[[ -z $output && $stderr == "evlog: './says' line 2: "* ]]
	done
	printf 'cat >/dev/null\nprintf "{\\"type\\":\\"T\\",\\"data\\":\\"\\\\0\\"}"' | script says
	run -65 handle a -- ./says
	printf 'cat >/dev/null\nhead -c 100000 /dev/urandom' | script says
	run -65 handle a -- ./says
	head_is 0
}

@test "a last line without its end counts" {
	evlog init
	says '{"type":"A"}'
	handle a -q -- ./says
	[ "$(evlog version a)" = 0 ]
}

@test "a DECIDE that does not come back is ended after --timeout: exit 124" {
	evlog init
	script hangs <<-'END'
	echo $$ >pids
	sleep 1000 &
	echo $! >>pids
	echo '{"type":"T"}'
	wait
	END
	run -124 --separate-stderr handle a --timeout 2s --status-fd 3 -- ./hangs 3>status
	[ "$stderr" = "evlog: './hangs' took longer than 2000 ms; nothing was written" ]
	[ "$(cat status)" = '{"event":"decided","try":1,"status":124}' ]
	while read -r pid; do
		run kill -0 "$pid"
		[ "$status" -ne 0 ]
	done <pids
	head_is 0
}

@test "a DECIDE that prints 100 MB is ended: exit 65" {
	evlog init
	script prints <<-'END'
	yes '{"type":"T","data":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}' |
	    head -c 100000000
	echo all >all
	END
	run -65 --separate-stderr handle a -- ./prints
	[ "$stderr" = "evlog: './prints' printed more than 16 MiB; nothing was written" ]
	[ ! -e all ]
	head_is 0
}

@test "more than 65,535 events are exit 65, and as many are not" {
	evlog init
	script many <<-'END'
	yes '{"type":"T"}' | head -n "$1"
	END
	run -65 --separate-stderr handle a -i c -- ./many 65536
	[ "$stderr" = "evlog: './many' line 65536: more than 65535 events" ]
	head_is 0
	handle a -q -i c -- ./many 65535
	head_is 65536
}

@test "a DECIDE that does not read its input is as good as any" {
	evlog init
	script deaf <<<"echo '{\"type\":\"T\"}'"
	# The line is longer than a pipe holds.
	head -c 3000000 /dev/zero | tr '\0' x | sed 's/.*/"&"/' >big.json
	run -0 handle a -q --command big.json -- ./deaf
	script deaf <<<'exec <&-; exit 3'
	run -13 handle a -q --command big.json -- ./deaf
	[ "$(evlog version a)" = 0 ]
}

@test "what DECIDE leaves in the background is not waited for, nor does it count" {
	evlog init
	script leaves <<-'END'
	(
		for ((i = 0; i < 600; i++)); do
			[ ! -e go ] || break
			sleep 0.1
		done
		echo '{"type":"Late"}'
	) 2>/dev/null 3>&- &
	echo '{"type":"T"}'
	END
	run -0 handle a -q -- ./leaves
	touch go
	[ "$(tsv a)" = 'a 0 T null' ]
}

@test "a DECIDE that closes its output and goes on is waited for" {
	evlog init
	script closes <<-'END'
	echo '{"type":"T"}'
	exec >&-
	sleep 0.2
	exit 4
	END
	run -13 handle a -- ./closes
	head_is 0
}

@test "an error in the program that folds comes before DECIDE: exit 65" {
	fill a 1 3
	echo 'def init: 0; def evolve($e): error("no");' >count.jq
	script never <<<'echo x >ran'
	run -65 --separate-stderr handle a -- ./never
	[[ $stderr == "evlog: 'count.jq': sequence 00000000000000000001, type 'T': no" ]]
	[ ! -e ran ]
}

@test "a stream with a damaged event is not decided on: exit 8" {
	fill a 1 20
	flip_bit "$(segment)" $(($(offset_of 5) + 150))
	script never <<<'echo x >ran'
	run -8 handle a -- ./never
	[ ! -e ran ]
}

# --- signals ---

@test "a signal goes on to DECIDE, nothing is written, and the exit status is 128 + N" {
	evlog init
	script waits <<-'END'
	trap 'echo TERM >>got; exit 0' TERM
	trap 'echo INT >>got; exit 0' INT
	trap 'echo HUP >>got; exit 0' HUP
	echo '{"type":"T"}'
	touch ready
	while :; do sleep 0.05; done
	END
	for signal in TERM INT HUP; do
		rm -f ready got
		# Not as a job of the shell, which would ignore SIGINT.
		env --default-signal=INT evlog handle a -e count.jq -i c -- ./waits >out &
		pid=$!
		wait_for 60 test -e ready
		kill -$signal $pid
		status=0
		wait $pid || status=$?
		[ "$status" -eq $((128 + $(kill -l $signal))) ]
		[ "$(cat got)" = $signal ]
		[ ! -s out ]
	done
	head_is 0
}

@test "a signal while it waits for the program that folds ends it, too" {
	fill a 1 3
	echo 'def init: 0; def evolve($e): last(range(1e15));' >count.jq
	evlog handle a -e count.jq -- ./count 2>err &
	pid=$!
	sleep 0.1
	kill $pid
	status=0
	wait $pid || status=$?
	[ "$status" -eq 143 ]
}

@test "a signal while it waits for other writers ends it, too, and nothing is written" {
	fill a 1 3
	echo 'echo "{\"type\":\"T\"}"' | script decides
	hold_lock
	evlog handle a -e count.jq --status-fd 4 -- ./decides >out 3>&- 4>status &
	pid=$!
	started $pid
	wait_for 60 grep -qs decided status
	kill $pid
	wait_for 60 gone $pid
	status=0
	wait $pid || status=$?
	[ "$status" -eq 143 ]
	[ ! -s out ]
	stop "$holder"
	[ "$(evlog version a)" = 2 ]
}

@test "when handle is killed its DECIDE and its jq end" {
	evlog init
	script waits <<-'END'
	echo $$ >pid
	touch ready
	while :; do sleep 0.05; done
	END
	evlog handle a -e count.jq -- ./waits &
	pid=$!
	wait_for 60 test -e ready
	kill -9 $pid
	wait $pid || :
	wait_for 60 gone "$(cat pid)"
}

# --- the store ---

@test "states that took long are kept between commands" {
	fill a 1 100
	handle a -q --snapshot-every 50 -- ./count
	[ "$(evlog snapshot ls | cut -f 1,2)" = $'a\t99' ]
	handle a -q --snapshot-every 50 -- ./count
	[ "$(evlog snapshot ls | cut -f 2)" = 99 ]
	[ "$(evlog fold a -e count.jq)" = '{"n":2}' ]
}

@test "what handle refuses" {
	run -64 evlog handle a -- ./count
	run -64 evlog handle -e count.jq -- ./count
	run -64 handle 'a*' -- ./count
	run -64 handle a b -- ./count
	run -64 handle a --status-fd 77 -- ./count
	run -64 handle a --retry-for x -- ./count
	run -66 evlog handle a -e none.jq -- ./count
	run -78 handle a -s http://h -- ./count
}
