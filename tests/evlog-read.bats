# What evlog(1) promises about read, get, version, head, streams and types.

load lib/evlog

setup() { evlog_setup; }
teardown() { evlog_teardown; }

# Two streams of orders and one of a user, interleaved: sequences 1 to 8.
shop() {
	evlog append --batch -q 2>/dev/null <<-'END'
	{"stream":"order-1","type":"Placed","id":"a","data":{"n":1}}
	{"stream":"order-2","type":"Placed","id":"b","data":{"n":2}}
	{"stream":"user-1","type":"Joined","id":"c","data":{"n":3}}
	{"stream":"order-1","type":"Paid","id":"d","data":{"n":4}}
	{"stream":"order-1","type":"Sent","id":"e","data":{"n":5}}
	{"stream":"order-2","type":"Paid","id":"f","data":{"n":6}}
	{"stream":"order-1","type":"Paid","id":"g","data":{"n":7}}
	{"stream":"user-1","type":"Left","id":"h","data":{"n":8}}
	END
}

@test "an event has the same form everywhere" {
	shop
	run -0 evlog read order-1 -n 1
	[[ $output =~ ^'{"specversion":"1.0","id":"a","source":"/evlog/s","type":"Placed",'\
'"subject":"order-1","time":"20'[0-9T:.Z-]+'","sequence":"00000000000000000001",'\
'"streamversion":"0","data":{"n":1}}'$ ]]
	[ "$(evlog get 1)" = "$output" ]
	[ "$(evlog get order-1@0)" = "$output" ]
	[ "$(evlog read --all -n 1)" = "$output" ]
	[ "$(evlog tail --all -n 8 | head -n 1)" = "$output" ]
	[ "$(evlog export | head -n 1)" = "$output" ]
}

# --- selectors ---

@test "read prints a stream in the order of its versions" {
	shop
	[ "$(numbers order-1)" = "1 4 5 7" ]
	[ "$(evlog read order-1 | jq -r .streamversion | paste -sd ' ')" = "0 1 2 3" ]
}

@test "read --all prints everything in the order of sequences" {
	shop
	[ "$(numbers --all)" = "1 2 3 4 5 6 7 8" ]
}

@test "read PREFIX-* prints the streams that begin so, in the order of sequences" {
	shop
	[ "$(numbers 'order-*')" = "1 2 4 5 6 7" ]
	[ "$(numbers 'order-2*')" = "2 6" ]
	[ "$(numbers 'o*')" = "1 2 4 5 6 7" ]
	[ "$(numbers '*')" = "1 2 3 4 5 6 7 8" ]
}

@test "read - takes the names of streams from stdin" {
	shop
	[ "$(printf '%s\n' user-1 order-2 | evlog read - -o tsv | cut -f 2,3 | tr '\t' ' ')" = \
	    $'user-1 0\nuser-1 1\norder-2 0\norder-2 1' ]
	[ "$(evlog streams 'order-*' | evlog read - -o data | wc -l)" -eq 6 ]
}

@test "a stream that does not exist prints nothing and exits 1" {
	shop
	for selector in nobody order 'nobody-*' 'Order-*'; do
		run -1 --separate-stderr evlog read "$selector"
		[ -z "$output" ]
	done
	run -1 --separate-stderr evlog read order-1-1 --from 0
	[ -z "$output" ]
}

@test "read - with a name that does not exist prints the others and exits 1" {
	shop
	run -1 --separate-stderr evlog read - -o data < <(printf '%s\n' order-2 nobody user-1)
	[ "${#lines[@]}" -eq 4 ]
	run -0 evlog read - </dev/null
	[ -z "$output" ]
}

@test "an empty range of a stream that exists is exit 0" {
	shop
	for range in "--from 4" "--from 3 --to 2" "--after 8" "--after 99999" "-t Nothing"; do
		# shellcheck disable=SC2086 # options are words
		run -0 --separate-stderr evlog read order-1 $range
		[ -z "$output$stderr" ]
	done
	run -0 evlog read 'order-*' --after 8
	[ -z "$output" ]
}

# So many that the active segment is copied into memory.
@test "read - of thousands of names prints what each stream has" {
	fill a 1 3
	fill b 4 4
	{ yes a | head -n 5000; echo b; } | evlog read - -o data >out
	[ "$(lines_in out)" -eq 15001 ]
	[ "$(sort out | uniq -c | awk '{ print $1 }' | paste -sd ' ')" = "5000 5000 5000 1" ]
	[ "$(tail -n 1 out)" = '{"n":4}' ]
}

@test "read --all of an empty store prints nothing and exits 0" {
	evlog init
	run -0 --separate-stderr evlog read --all
	[ -z "$output$stderr" ]
}

@test "no selector is --all" {
	shop
	[ "$(evlog read)" = "$(evlog read --all)" ]
	[ "$(evlog read | wc -l)" -eq 8 ]
	[ "$(evlog tail -n 1)" = "$(evlog get 8)" ]
}

@test "two selectors are exit 64" {
	evlog init
	run -64 evlog read a b
	run -64 evlog read a --all
}

@test "where there is no store the reading verbs exit 66 and say how to make one" {
	for verb in "read a" "read --all" "tail --all" "get 1" "version a" head streams types stat \
	    verify export reindex repair "backup b"; do
		# shellcheck disable=SC2086 # words
		run -66 --separate-stderr evlog $verb
		[[ -z $output && $stderr == "evlog: no store at '"*"'; 'evlog init' makes one" ]]
	done
	[ ! -e s ]
}

# --- ranges ---

@test "--from and --to include" {
	shop
	[ "$(numbers order-1 --from 1)" = "4 5 7" ]
	[ "$(numbers order-1 --to 1)" = "1 4" ]
	[ "$(numbers order-1 --from 1 --to 2)" = "4 5" ]
	[ "$(numbers order-1 --from 2 --to 99)" = "5 7" ]
	printf 'order-1\norder-2\n' | evlog read - --from 1 --to 1 -o data >got
	[ "$(paste -sd ' ' got)" = '{"n":4} {"n":6}' ]
}

@test "--after excludes" {
	shop
	[ "$(numbers --all --after 6)" = "7 8" ]
	[ "$(numbers --all --after 0 -n 1)" = 1 ]
	[ "$(numbers order-1 --after 4)" = "5 7" ]
	[ "$(numbers 'order-*' --after 4)" = "5 6 7" ]
	[ "$(numbers --all --after 00000000000000000006)" = "7 8" ]
}

@test "--from and --to are for one stream or -" {
	shop
	run -64 evlog read --all --from 1
	run -64 evlog read 'order-*' --to 1
}

@test "-n limits the number of events" {
	shop
	[ "$(numbers order-1 -n 2)" = "1 4" ]
	[ "$(numbers --all -n 3)" = "1 2 3" ]
	[ "$(numbers 'order-*' -n 3 --after 1)" = "2 4 5" ]
}

@test "-r prints the newest first" {
	shop
	[ "$(numbers order-1 -r)" = "7 5 4 1" ]
	[ "$(numbers order-1 -r -n 1)" = 7 ]
	[ "$(numbers order-1 -r --from 1 --to 2)" = "5 4" ]
	[ "$(numbers --all -r -n 3)" = "8 7 6" ]
	[ "$(numbers 'order-*' -r --after 2)" = "7 6 5 4" ]
}

@test "-t picks types and may be repeated" {
	shop
	[ "$(numbers --all -t Paid)" = "4 6 7" ]
	[ "$(numbers order-1 -t Placed -t Sent)" = "1 5" ]
	[ "$(numbers --all -t Paid -n 2)" = "4 6" ]
	[ "$(numbers 'order-*' -t Paid -r -n 1)" = 7 ]
}

@test "--since picks what the store recorded lately" {
	shop
	[ "$(numbers --all --since 2h)" = "1 2 3 4 5 6 7 8" ]
	[ "$(numbers order-1 --since 1d12h)" = "1 4 5 7" ]
	run -0 evlog read --all --since 2100-01-01T00:00:00Z
	[ -z "$output" ]
	mark=$(date -u +%Y-%m-%dT%H:%M:%S.%NZ)
	evlog append order-1 -q <<<'{"type":"Old","time":"2001-01-01T00:00:00Z","data":{"n":9}}'
	[ "$(numbers --all --since "$mark")" = 9 ]
	[ "$(numbers 'order-*' --since "$mark")" = 9 ]
}

@test "junk in numbers, durations and formats is exit 64" {
	shop
	for options in "--from x" "--from -1" "--to 1.5" "--after -1" "-n x" "-n -1" "--since x" \
	    "--since -2h" "--since 2x" "-o xml" "--from 18446744073709551616" "-t"; do
		# shellcheck disable=SC2086 # options are words
		run -64 --separate-stderr evlog read order-1 $options
		[[ -z $output && $stderr == "evlog: "* && ${#stderr_lines[@]} -eq 1 ]]
	done
}

@test "the end of a read is fixed when it starts" {
	shop
	mkfifo out
	evlog read --all -o data >out 3>&- &
	started $!
	exec 9<out
	# Opened, the reader goes on; that this event comes after its start is what counts.
	read -r first <&9
	evlog append order-1 -q -t T <<<'{"n":9}'
	[ "$first $(paste -sd ' ' <&9)" = "$(seq -f '{"n":%g}' 1 8 | paste -sd ' ')" ]
	exec 9<&-
}

@test "read --all | append copy on one store ends" {
	fill a 1 3000 1000
	evlog read --all | evlog append copy -q
	[ "$(evlog version copy)" = 2999 ]
	[ "$(evlog head)" = 00000000000000006000 ]
	assert_dense
}

# --- formats ---

@test "-o data prints data alone: JSON, a base64 string for other bytes, null for none" {
	evlog append a -q 2>/dev/null <<<'{"type":"T","data":{"a":1}}'
	printf 'bytes\0' | evlog append a -q --raw -t T
	evlog append a -q <<<'{"type":"T"}'
	[ "$(evlog read a -o data)" = '{"a":1}'$'\n''"Ynl0ZXMA"'$'\n'null ]
}

@test "-o raw prints the bytes as they were given, and a newline after JSON" {
	printf 'one\0\377' | evlog append a -q --raw -t T 2>/dev/null
	printf '{"n":2}\n' | evlog append a -q -t T
	printf 'three\n' | evlog append a -q --raw -t T
	evlog get a@0 -o raw | cmp - <(printf 'one\0\377')
	evlog read a --from 1 -o raw | cmp - <(printf '{"n":2}\nthree\n')
	evlog read a -o raw -0 | cmp - <(printf 'one\0\377\0{"n":2}\0three\n\0')
}

@test "-o tsv prints sequence, stream, version, type, id and data" {
	shop
	[ "$(evlog read order-2 -o tsv)" = $'00000000000000000002\torder-2\t0\tPlaced\tb\t{"n":2}
00000000000000000006\torder-2\t1\tPaid\tf\t{"n":6}' ]
}

@test "-o batch prints one JSON array" {
	shop
	[ "$(evlog read order-1 -o batch | jq -c 'map(.data.n)')" = "[1,4,5,7]" ]
	[ "$(evlog read order-1 -o batch --from 9 | jq -c .)" = "[]" ]
	[ "$(evlog read order-1 -o batch | jq -c '.[]')" = "$(evlog read order-1 | jq -c .)" ]
}

@test "-0 ends each event with a NUL" {
	shop
	evlog read order-1 -0 | tr '\0\n' '\n\0' | cmp - <(evlog read order-1)
	evlog read order-1 -o tsv -0 | tr '\0\n' '\n\0' | cmp - <(evlog read order-1 -o tsv)
}

@test "every line is one complete JSON object, whatever is in the data" {
	evlog append a -q -t T 2>/dev/null <<-'END'
	"line\nbreak \u0000 \" \\ \u2028 é 😀 \ud83d\ude00"
	{"":"","a b":[" ",{}]}
	END
	[ "$(evlog read a | jq -c .data | wc -l)" -eq 2 ]
	[ "$(evlog read a -o data | sed -n 2p)" = '{"":"","a b":[" ",{}]}' ]
}

# --- one event, versions, names ---

@test "get prints one event by sequence or by stream and version" {
	shop
	[ "$(evlog get 5 -o data)" = '{"n":5}' ]
	[ "$(evlog get 00000000000000000005 -o data)" = '{"n":5}' ]
	[ "$(evlog get order-1@2 -o data)" = '{"n":5}' ]
	evlog append x@y -q -t T <<<'{"n":9}'
	[ "$(evlog get x@y@0 -o data)" = '{"n":9}' ]
}

@test "get of an event that does not exist prints nothing and exits 1" {
	shop
	for which in 9 999999 order-1@4 nobody@0; do
		run -1 --separate-stderr evlog get "$which"
		[ -z "$output" ]
	done
	for junk in x -1 order-1@ order-1@x @1 1.5; do
		run -64 --separate-stderr evlog get -- "$junk"
		[ -z "$output" ]
	done
}

@test "version prints the last version, or none, and exits 0" {
	shop
	[ "$(evlog version order-1)" = 3 ]
	run -0 --separate-stderr evlog version nobody
	[[ $output == none && -z $stderr ]]
}

@test "head prints the last sequence" {
	evlog init
	[ "$(evlog head)" = 00000000000000000000 ]
	shop
	[ "$(evlog head)" = 00000000000000000008 ]
}

@test "streams prints names in the order of their bytes" {
	shop
	fill a 1 1
	fill Z 1 1
	fill é 1 1
	[ "$(evlog streams | paste -sd ' ')" = "Z a order-1 order-2 user-1 é" ]
	[ "$(evlog streams 'order-*' | paste -sd ' ')" = "order-1 order-2" ]
	run -1 evlog streams 'nobody-*'
	[ -z "$output" ]
}

@test "streams -l prints name, last version, last sequence and time" {
	shop
	[ "$(evlog streams -l | cut -f 1-3)" = $'order-1\t3\t00000000000000000007
order-2\t1\t00000000000000000006
user-1\t1\t00000000000000000008' ]
	[ "$(evlog streams -l user-1* | cut -f 4)" = "$(evlog get 8 | jq -r .time)" ]
}

@test "types counts the events of each type, the most frequent first" {
	shop
	[ "$(evlog types)" = $'3\tPaid\n2\tPlaced\n1\tJoined\n1\tLeft\n1\tSent' ]
}

@test "one stream among many is found, also in sealed segments" {
	evlog init --segment-size 16K
	for n in {1..400}; do
		echo "{\"stream\":\"s-$((n % 200))\",\"type\":\"T\",\"data\":{\"n\":$n}}"
	done | evlog append --batch --commit 100 -q
	[ "$(find s/log -name '*.evl' | wc -l)" -gt 3 ]
	[ "$(numbers s-7)" = "7 207" ]
	[ "$(numbers s-0 -r)" = "400 200" ]
	[ "$(evlog streams | wc -l)" -eq 200 ]
	[ "$(evlog get s-199@1 -o data)" = '{"n":399}' ]
	evlog streams | shuf | evlog read - -o data | wc -l | grep -qx 400
}

@test "any version of a long stream is found, in any order" {
	evlog init --segment-size 64K
	data 0 1999 | evlog append a -q -t T
	for v in 0 1 2 1023 1024 1025 1998 1999; do
		[ "$(evlog get "a@$v" -o data)" = "{\"n\":$v}" ]
	done
	[ "$(numbers a --from 1000 --to 1003)" = "1000 1001 1002 1003" ]
	[ "$(evlog read a -o data)" = "$(data 0 1999)" ]
}

# --- as a filter ---

@test "options and operands stand in any order, also with POSIXLY_CORRECT" {
	shop
	export POSIXLY_CORRECT=1
	[ "$(numbers order-1 --from 1 -r)" = "7 5 4" ]
	[ "$(numbers --from 1 order-1 -r)" = "7 5 4" ]
	[ "$(evlog read -r -- order-1 | wc -l)" -eq 4 ]
}

@test "a full disk under the output is exit 74 and a message" {
	[ -c /dev/full ] || skip "by design: no /dev/full"
	shop
	for words in "read --all" "tail --all" "get 1" "version order-1" head streams types stat \
	    "stat --json" export; do
		# shellcheck disable=SC2086 # words
		run -74 --separate-stderr bash -c '"$@" >/dev/full' - evlog $words
		[[ $stderr == "evlog: "*"standard output"* ]]
	done
}

@test "a reader that ends early ends evlog quietly by SIGPIPE" {
	fill a 1 20000 1000
	run --separate-stderr bash -c 'evlog read --all | head -n 1; exit "${PIPESTATUS[0]}"'
	[[ $status -eq 141 && ${#lines[@]} -eq 1 && -z $stderr ]]
}

@test "output is the same whatever the locale, the zone and the terminal say" {
	shop
	evlog read --all >want
	LC_ALL=C TZ=Asia/Tokyo TERM=xterm evlog read --all | cmp - want
	COLUMNS=20 NO_COLOR=1 PAGER=false evlog read --all | cmp - want
}
