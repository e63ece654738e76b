# What evlog-handle(1) promises about fold and snapshots.

load lib/evlog

setup() {
	evlog_setup
	cat >sum.jq <<-'END'
	# the sum of all n
	def init: {count: 0, sum: 0};
	def evolve($e):
	  if $e.type == "T" then .count = .count + 1 | .sum = .sum + $e.data.n else . end;
	END
}
teardown() { evlog_teardown; }

sum_to() { echo "{\"count\":$1,\"sum\":$(($1 * ($1 + 1) / 2))}"; }
snapshots() { find s/snap -type f 2>/dev/null | wc -l; }

# --- the state ---

@test "fold prints the state of a stream as one line of JSON" {
	fill a 1 100
	run -0 --separate-stderr evlog fold a -e sum.jq
	[ "$output" = "$(sum_to 100)" ]
	[ -z "$stderr" ]
}

@test "other streams do not count, and nor do events that come while it folds" {
	fill a 1 10
	fill b 1 500
	fill a 11 20
	[ "$(evlog fold a -e sum.jq)" = "$(sum_to 20)" ]
}

@test "a stream that does not exist has the initial state, and the exit status is 1" {
	evlog init
	run -1 --separate-stderr evlog fold a -e sum.jq
	[ "$output" = '{"count":0,"sum":0}' ]
	[ -z "$stderr" ]
	run -1 evlog fold a -e sum.jq --init '{ "sum": 7 }'
	[ "$output" = '{"sum":7}' ]
}

@test "--init is the state before all events, and init need not be there then" {
	fill a 1 4
	run -0 evlog fold a -e sum.jq --init '{"count":10,"sum":-10}'
	[ "$output" = '{"count":14,"sum":0}' ]
	grep -v 'def init' sum.jq >noinit.jq
	run -0 evlog fold a -e noinit.jq --init '{"count":10,"sum":-10}'
	[ "$output" = '{"count":14,"sum":0}' ]
	run -65 --separate-stderr evlog fold a -e noinit.jq
	[[ $stderr == "evlog: 'noinit.jq': jq: init/0 is not defined"* ]]
	run -64 evlog fold a -e sum.jq --init '{'
}

@test "the program sees the events that read prints" {
	fill a 1 3
	echo 'def init: []; def evolve($e): . + [$e];' >all.jq
	evlog fold a -e all.jq >state
	evlog read a | jq -cs . >want
	cmp state want
}

@test "--at gives the state after a version, none beyond the end" {
	fill a 1 20
	for v in 0 1 7 19; do
		[ "$(evlog fold a -e sum.jq --at $v)" = "$(sum_to $((v + 1)))" ]
	done
	run -1 evlog fold a -e sum.jq --at 20
	[ -z "$output" ]
	run -1 evlog fold b -e sum.jq --at 0
	[ -z "$output" ]
}

@test "a state can be any JSON value" {
	fill a 1 3
	for state in null false 7 '"a b"' '[1,[2]]' '{"b":1,"a":{}}'; do
		echo "def init: null; def evolve(\$e): $state;" >any.jq
		[ "$(evlog fold a -e any.jq)" = "$state" ]
	done
}

@test "one jq process folds all events" {
	fill a 1 3000 1000
	mkdir bin
	printf '#!/bin/sh\necho x >>"%s/starts"\nexec %s "$@"\n' "$PWD" "$(command -v jq)" >bin/jq
	chmod +x bin/jq
	[ "$(PATH=$PWD/bin:$PATH evlog fold a -e sum.jq)" = "$(sum_to 3000)" ]
	[ "$(lines_in starts)" -eq 1 ]
}

@test "a state of many members is folded in place" {
	# Copying it for each event would take minutes.
	seq 20000 | sed 's/.*/{"type":"T","data":{"k":"k-&","n":&}}/' |
	    evlog append a -q 2>/dev/null
	echo 'def init: {}; def evolve($e): setpath([$e.data.k]; $e.data.n);' >keys.jq
	[ "$(evlog fold a -e keys.jq --timeout 30 | jq length)" -eq 20000 ]
}

# --- programs that are wrong ---

@test "an error in evolve is exit 65 and names file, sequence, type and what jq said" {
	fill b 1 5
	fill a 1 600 100
	echo 'def init: 0; def evolve($e): if $e.data.n == 345 then .[0] else . end;' >bad.jq
	run -65 --separate-stderr evlog fold a -e bad.jq
	[ -z "$output" ]
	[[ $stderr == "evlog: 'bad.jq': sequence 00000000000000000350, type 'T': "* ]]
	[[ $stderr == *": Cannot index number with number" ]]
	sed -i 's/345.*else/600 then error("no!") else/' bad.jq
	run -65 --separate-stderr evlog fold a -e bad.jq
	[[ $stderr == *"sequence 00000000000000000605, type 'T': no!" ]]
	# Up to there all is well.
	[ "$(evlog fold a -e bad.jq --at 598)" = 0 ]
}

@test "evolve has to yield one state for each event" {
	fill a 1 300
	some='if $e.data.n == 299 then empty elif $e.data.n == 300 then (1, 2) else . end'
	for what in empty '(1, 2)' "$some"; do
		echo "def init: 0; def evolve(\$e): $what;" >bad.jq
		run -65 --separate-stderr evlog fold a -e bad.jq
		[[ $stderr == *"sequence "*"evolve yields "[02]" values" ]]
	done
	for what in empty '(1, 2)'; do
		echo "def init: $what; def evolve(\$e): .;" >bad.jq
		run -65 --separate-stderr evlog fold a -e bad.jq
		[[ $stderr == *"init yields "[02]" values" ]]
	done
}

@test "a program that does not compile is exit 65 with jq's words and the line" {
	fill a 1 3
	printf 'def init: 0;\ndef evolve($e): . + nix;\n' >bad.jq
	run -65 --separate-stderr evlog fold a -e bad.jq
	[[ $stderr == "evlog: 'bad.jq': jq: nix/0 is not defined"*"line 2"* ]]
	for text in '' 'def init: 0;' 'def evolve($e): .;' 'def init: 0; def evolve($e): ' \
	    '}' 'def init: 0; def evolve($e): .; .' \
	    'def init: error("x"); def evolve($e): .;'; do
		echo "$text" >bad.jq
		run -65 --separate-stderr evlog fold a -e bad.jq
		[[ -z $output && $stderr == "evlog: 'bad.jq': "* ]]
	done
	printf 'def init: 0; def evolve($e): .;\0' >bad.jq
	run -65 evlog fold a -e bad.jq
	head -c 200000 /dev/zero | tr '\0' ' ' >bad.jq
	run -65 evlog fold a -e bad.jq
}

@test "a program that ends with a comment, or does odd things, is no danger" {
	fill a 1 3
	printf 'def init: 0; def evolve($e): . + 1; # the end' >odd.jq
	[ "$(evlog fold a -e odd.jq)" = 3 ]
	echo 'def init: 0; def evolve($e): halt;' >odd.jq
	run -65 --separate-stderr evlog fold a -e odd.jq
	[[ $stderr == "evlog: 'odd.jq': the program ended"* ]]
	echo 'def init: 0; def evolve($e): input;' >odd.jq
	run --separate-stderr evlog fold a -e odd.jq --timeout 1s
	[ "$status" -eq 65 ] || [ "$status" -eq 124 ]
	echo 'def init: 0; def evolve($e): debug | . + 1;' >odd.jq
	[ "$(evlog fold a -e odd.jq)" = 3 ]
}

@test "a program that does not come back is ended after --timeout: exit 124" {
	fill a 1 3
	echo 'def init: 0; def evolve($e): last(range(1e15));' >bad.jq
	run -124 --separate-stderr evlog fold a -e bad.jq --timeout 300ms
	[[ $stderr == "evlog: 'bad.jq' took longer than 300 ms" ]]
}

@test "a program that is not there is exit 66, and without -e it is 64" {
	fill a 1 3
	run -66 evlog fold a -e none.jq
	run -64 evlog fold a
	run -64 evlog fold -e sum.jq
	run -64 evlog fold '*' -e sum.jq
	mkdir dir
	run evlog fold a -e dir
	[ "$status" -ne 0 ]
	EVLOG_STORE=$PWD/none run -66 evlog fold a -e sum.jq
}

@test "without jq it says so" {
	fill a 1 3
	run -69 --separate-stderr env PATH="$(dirname "$(command -v evlog)")" evlog fold a -e sum.jq
	[[ $stderr == *"jq is not installed"* ]]
}

@test "a program can import modules from its own directory, and then keeps no snapshot" {
	fill a 1 2000 1000
	mkdir programs
	echo 'def step($e): .sum += $e.data.n | .count += 1;' >programs/steps.jq
	cat >programs/sum.jq <<-'END'
	# what folds
	include "steps";
	def init: {count: 0, sum: 0};
	def evolve($e): step($e);
	END
	[ "$(evlog fold a -e programs/sum.jq)" = "$(sum_to 2000)" ]
	[ "$(snapshots)" -eq 0 ]
}

@test "a state whose events are damaged is no state: exit 8" {
	fill a 1 20
	at=$(offset_of 5)
	flip_bit "$(segment)" $((at + 150))
	run -8 --separate-stderr evlog fold a -e sum.jq
	[ -z "$output" ]
	[[ $stderr == *"sequence 5"* || $stderr == *"offset"* || $stderr == *"damaged"* ]]
	[ "$(evlog fold a -e sum.jq --at 3)" = "$(sum_to 4)" ]
	run evlog repair
	run -8 --separate-stderr evlog fold a -e sum.jq
	[[ -z $output && $stderr == "evlog: "*"missing"* ]]
}

@test "of a stream that was deleted only what came later is folded" {
	fill a 1 40
	evlog fold a -e sum.jq --snapshot-every 10
	evlog rm a -q
	run -1 evlog fold a -e sum.jq --snapshot-every 10
	[ "$output" = '{"count":0,"sum":0}' ]
	fill a 101 102
	run -0 evlog fold a -e sum.jq --snapshot-every 10
	[ "$output" = '{"count":2,"sum":203}' ]
	run -1 evlog fold a -e sum.jq --at 39
	[ -z "$output" ]
	evlog rm a --hard -q
	run -12 --separate-stderr evlog fold a -e sum.jq
	[[ -z $output && $stderr == "evlog: stream 'a' was deleted"* ]]
}

@test "what a rule of retention hides is not folded, and no snapshot knows of it" {
	fill a 1 40
	evlog fold a -e sum.jq --snapshot-every 10
	evlog retain a --before 30
	[ "$(evlog fold a -e sum.jq --snapshot-every 10)" = '{"count":10,"sum":355}' ]
	[ "$(evlog fold a -e sum.jq --snapshot-every 10)" = '{"count":10,"sum":355}' ]
	run -1 evlog fold a -e sum.jq --at 29
	[ "$(evlog fold a -e sum.jq --at 30)" = '{"count":1,"sum":31}' ]
}

# --- snapshots ---

@test "a state that took 1000 events is kept, and used" {
	fill a 1 999 1000
	evlog fold a -e sum.jq
	[ "$(snapshots)" -eq 0 ]
	fill a 1000 1000
	evlog fold a -e sum.jq
	[ "$(snapshots)" -eq 1 ]
	state=$(sum_to 1000)
	[ "$(evlog snapshot ls | cut -f 1-3)" = "a	999	${#state}" ]
	fill a 1001 1500
	[ "$(evlog fold a -e sum.jq)" = "$(sum_to 1500)" ]
	[ "$(evlog snapshot ls | cut -f 2)" = 999 ]
	fill a 1501 2000
	[ "$(evlog fold a -e sum.jq)" = "$(sum_to 2000)" ]
	[ "$(evlog snapshot ls | cut -f 2)" = 1999 ]
	# What is known needs no jq at all.
	[ "$(PATH=$(dirname "$(command -v evlog)") evlog fold a -e sum.jq)" = "$(sum_to 2000)" ]
}

@test "only the events behind a snapshot are folded" {
	fill a 1 100
	evlog fold a -e sum.jq --snapshot-every 10
	fill a 101 105
	# A log of what jq gets: 5 events, not 105.
	mkdir bin
	cat >bin/jq <<-END
	#!/bin/bash
	tee "$PWD/input" | exec $(command -v jq) "\$@"
	END
	chmod +x bin/jq
	[ "$(PATH=$PWD/bin:$PATH evlog fold a -e sum.jq --snapshot-every 10)" = "$(sum_to 105)" ]
	[ "$(grep -o '"streamversion"' input | wc -l)" -eq 5 ]
}

@test "--snapshot-every 0 neither takes nor uses one" {
	fill a 1 2000 1000
	evlog fold a -e sum.jq --snapshot-every 0
	[ "$(snapshots)" -eq 0 ]
	evlog fold a -e sum.jq --snapshot-every 100
	[ "$(snapshots)" -eq 1 ]
	spoil_state
	[ "$(evlog fold a -e sum.jq --snapshot-every 0)" = "$(sum_to 2000)" ]
}

# A snapshot with a right checksum and a wrong state, to see whether it is used.
spoil_state() {
	local file
	file=$(find s/snap -type f)
	perl - "$file" "$(sed -n 's/^uuid //p' s/FORMAT)" <<-'END'
	sub crc32c {
		my ($crc, $text) = (~$_[0] & 0xffffffff, $_[1]);
		for my $byte (unpack "C*", $text) {
			$crc ^= $byte;
			$crc = $crc >> 1 ^ ($crc & 1 ? 0x82f63b78 : 0) for 1 .. 8;
		}
		return ~$crc & 0xffffffff;
	}
	my ($name, $uuid) = @ARGV;
	open my $f, "+<", $name or die;
	chomp(my ($head, $state) = <$f>);
	$state =~ s/"sum":/"sum":1/ or die;
	substr($head, 74, 8) = sprintf "%08x", length $state;
	my $body = substr($head, 16) . "\n$state\n";
	substr($head, 8, 8) = sprintf "%08x", crc32c(crc32c(0, pack("H*", $uuid)), $body);
	seek $f, 0, 0;
	print $f "$head\n$state\n";
	END
}

@test "a snapshot is used for its program, its --init and its stream only" {
	command -v perl || skip "by design: perl is not installed"
	fill a 1 50
	fill b 1 50
	evlog fold a -e sum.jq --snapshot-every 10
	spoil_state
	[ "$(evlog fold a -e sum.jq | jq .sum)" -gt 10000 ] # it is used
	[ "$(evlog fold b -e sum.jq)" = "$(sum_to 50)" ]
	[ "$(evlog fold a -e sum.jq --init '{"count":0,"sum":0}')" = "$(sum_to 50)" ]
	[ "$(evlog fold a -e sum.jq --at 48)" = "$(sum_to 49)" ]
	[ "$(evlog fold a -e sum.jq --at 49 | jq .sum)" -gt 10000 ]
	cp sum.jq same.jq
	[ "$(evlog fold a -e same.jq | jq .sum)" -gt 10000 ]
	sed -i 's/all n/each n/' sum.jq
	[ "$(evlog fold a -e sum.jq)" = "$(sum_to 50)" ]
}

@test "a snapshot that is no more in the log is passed over" {
	fill a 1 40
	evlog backup copy >/dev/null
	fill a 41 60
	evlog fold a -e sum.jq --snapshot-every 10
	cp -a s/snap kept
	rm -r s
	evlog restore copy
	cp -a kept s/snap
	[ "$(evlog fold a -e sum.jq --snapshot-every 10)" = "$(sum_to 40)" ]
	rm -r s/snap
	cp -a kept s/snap
	seq 141 160 | sed 's/.*/{"type":"T","data":{"n":&}}/' | evlog append a -q
	[ "$(evlog fold a -e sum.jq --snapshot-every 10 | jq .count)" = 60 ]
	[ "$(evlog fold a -e sum.jq --snapshot-every 10)" != "$(sum_to 60)" ]
}

@test "a snapshot that is damaged, empty or no file at all is passed over" {
	fill a 1 40
	evlog fold a -e sum.jq --snapshot-every 10
	file=$(find s/snap -type f)
	flip_bit "$file" 130
	[ "$(evlog fold a -e sum.jq)" = "$(sum_to 40)" ]
	: >"$file"
	[ "$(evlog fold a -e sum.jq)" = "$(sum_to 40)" ]
	rm "$file" && mkdir "$file"
	run -0 --separate-stderr evlog fold a -e sum.jq --snapshot-every 10
	[ "$output" = "$(sum_to 40)" ]
	[[ $stderr == "evlog: no snapshot was kept: "* ]]
	rmdir "$file" && rmdir s/snap && : >s/snap
	run -0 --separate-stderr evlog fold a -e sum.jq --snapshot-every 10
	[ "$output" = "$(sum_to 40)" ]
}

@test "a state is nested 64 deep at most: beyond jq could not read it again" {
	echo 'def init: 0; def evolve($e): [.];' >deep.jq
	fill a 1 64
	for _ in 1 2; do
		run -0 evlog fold a -e deep.jq --snapshot-every 10
		[ "$(tr -d '0\n' <<<"$output" | wc -c)" -eq 128 ]
	done
	for n in 65 300; do
		fill a $n $n
		run -65 --separate-stderr evlog fold a -e deep.jq --snapshot-every 10
		[[ -z $output && $stderr == "evlog: 'deep.jq': the state is not fit "* ]]
	done
	seq 300 | sed 's/.*/{"type":"T"}/' | evlog append a -q
	run -65 evlog fold a -e deep.jq --snapshot-every 0
}

@test "who may only read a store folds without a word about snapshots" {
	[ "$(id -u)" -ne 0 ] || skip "by design: root may write everywhere"
	fill a 1 40
	chmod -R a-w s
	run -0 --separate-stderr evlog fold a -e sum.jq --snapshot-every 10
	chmod -R u+w s
	[ "$output" = "$(sum_to 40)" ]
	[ -z "$stderr" ]
}

@test "snapshots are for the store's user alone" {
	(umask 000 && fill a 1 40 && evlog fold a -e sum.jq --snapshot-every 10)
	[ "$(find s/snap -type d -printf '%m\n')" = 700 ]
	[ "$(find s/snap -type f -printf '%m\n')" = 600 ]
}

@test "snapshots of a shared store are for its group, whatever the umask" {
	evlog init --shared
	(umask 077 && fill a 1 40 && evlog fold a -e sum.jq --snapshot-every 10)
	[ "$(find s/snap -type d -printf '%m\n')" = 2770 ]
	[ "$(find s/snap -type f -printf '%m\n')" = 660 ]
}

@test "snapshot ls lists them by stream, rm removes those of a stream or a prefix" {
	for stream in b a aa; do
		fill $stream 1 40
		evlog fold $stream -e sum.jq --snapshot-every 10
	done
	evlog fold a -e sum.jq --init '{}' --snapshot-every 10
	run -0 evlog snapshot ls
	[ "$(cut -f 1 <<<"$output" | paste -sd ' ')" = "a a aa b" ]
	[[ ${lines[3]//$'\t'/ } =~ ^b\ 39\ [0-9]+\ [0-9a-f]{32}\ 20[0-9-]+T[0-9:.]+Z$ ]]
	[ "$(evlog snapshot ls b | cut -f 1)" = b ]
	[ "$(evlog snapshot ls 'a*' | wc -l)" -eq 3 ]
	run -1 evlog snapshot ls c
	evlog snapshot rm a
	[ "$(evlog snapshot ls | cut -f 1 | paste -sd ' ')" = "aa b" ]
	run -1 evlog snapshot rm a
	run -64 evlog snapshot rm
	run -64 evlog snapshot
	run -64 evlog snapshot put a
	run -64 evlog snapshot ls --all a
	: >s/snap/stray.tmp.1
	evlog snapshot rm --all
	[ "$(snapshots)" -eq 0 ]
	run -1 --separate-stderr evlog snapshot ls --all
	[ -z "$output$stderr" ]
}

@test "a full disk under fold's output is exit 74" {
	fill a 1 3
	run -74 bash -c 'evlog fold a -e sum.jq >/dev/full'
}
