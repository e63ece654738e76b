# raftctl against a node of raftd, and against stores that are not there or no store.
bats_require_minimum_version 1.5.0

load lib/raftd
load lib/examples

setup() {
	raftd_setup
}

teardown() {
	raftd_teardown
}

# Without a node: nobody listens on a socket that is not there.
nowhere() { export RAFTD_STORE=unix:$PWD/nowhere; }

# index KEY: the index of its entry.
index() { raftctl get "$1" --json | jq -r .index; }

# ---- Usage, and stores that do not answer.

@test "wrong usage is 64 and one line" {
	nowhere
	local line
	while IFS= read -r line; do
		eval "run --separate-stderr raftctl $line" </dev/null
		[[ $status -eq 64 && -z $output && ${#stderr_lines[@]} -eq 1 ]] ||
		    { echo "raftctl $line: $status '$output' '$stderr'"; false; }
	done <<-'END'
		nosuchverb
		get
		get ''
		get a b
		get a --wait=x
		put a
		put a b c
		put '' b
		put a b --ttl 0
		put a b --ttl x
		put a b --flags -1
		cas a 1
		cas a x b
		cas a -- -1 b
		del
		del ''
		del '' --recurse
		del a --all
		del a --recurse -x 1
		del a -x y
		ls a b
		ls --separator ''
		ls --json --separator /
		watch
		watch ''
		watch a --prefix b
		watch a --since x
		txn x
		session
		session make
		session create x
		session create --behavior keep
		session renew
		session renew ''
		session renew a --ttl 10s
		session info a --json
		status x
		get a --timeout 1y
	END
}

@test "a store that is not one is 78, before anything is sent" {
	local store
	for store in /tmp/x etcd://a redis://a https://a http://a/path http://a?b=c http://u@a ftp://a; do
		run --separate-stderr raftctl get k -s "$store"
		[[ $status -eq 78 && $stderr == *"$store"* ]] || { echo "$store: $status"; false; }
	done
}

@test "a store that cannot be reached is 69 at once, and named" {
	nowhere
	local verb
	for verb in 'get k' 'put k v' 'cas k 0 v' 'del k' 'ls' 'watch k' 'get k --wait' 'session ls' \
	    'session create' 'status' 'put k v --ttl 10s'; do
		# shellcheck disable=SC2086
		run --separate-stderr raftctl $verb
		[[ $status -eq 69 && -z $output && $stderr == *"'$PWD/nowhere'"* ]] ||
		    { echo "$verb: $status $stderr"; false; }
	done
	run -69 raftctl txn <<<'[]'
}

@test "with --timeout a store that is not there yet is waited for" {
	export RAFTD_STORE=unix:$PWD/s
	raftctl put k v --timeout 60s 3>&- &
	waiter=$!
	raftd --dev --listen unix:s --port-file port 2>log 3>&- &
	nodes+=($!)
	exits_with 0 wait "$waiter"
	[ "$(raftctl get k)" = v ]
	run -69 raftctl get k -s "unix:$PWD/nowhere" --timeout 50ms
}

@test "a store of another kind is 78" {
	run -78 raftctl -s "http://127.0.0.1/x" get k
	run -78 raftctl -s redis://127.0.0.1 get k
}

# ---- Keys and values.

@test "get prints what put has put, byte for byte" {
	start_raftd
	raftctl put k hello
	[ "$(raftctl get k)" = hello ]
	printf 'a\0b\n\377' | raftctl put k -
	raftctl get k | cmp - <(printf 'a\0b\n\377')
	raftctl put k ''
	run -0 --separate-stderr raftctl get k
	[ -z "$output" ]
	head -c 524288 /dev/urandom >large
	raftctl put k - <large
	raftctl get k | cmp - large
	# On a terminal, and only there, a line ends.
	raftctl put k hello
	[ "$(script -qec 'raftctl get k' /dev/null </dev/null | od -An -c | tr -d ' ')" = 'hello\r\n' ]
}

@test "success is silent" {
	start_raftd
	run -0 bash -c 'raftctl put k v; raftctl cas n 0 v; raftctl del k; raftctl del k; raftctl ls zz'
	[ -z "$output" ]
}

@test "keys are any bytes" {
	local key keys=('a b' 'a/b' '/' 'a//b/' '..' '?x#y%41+z&' $'\xff\xfe' $'new\nline' 'ü' '-dash')
	start_raftd
	for key in "${keys[@]}"; do
		raftctl put -- "$key" "value of $key"
	done
	for key in "${keys[@]}"; do
		[ "$(raftctl get -- "$key")" = "value of $key" ]
		[ "$(raftctl get --json -- "$key" | jq -r '.key // (.key_base64 | @base64d)')" ]
	done
	[ "$(raftctl ls | wc -l)" = 11 ]
	[ "$(raftctl ls -0 | tr -dc '\0' | wc -c)" = 10 ]
	for key in "${keys[@]}"; do
		raftctl del -- "$key"
	done
	[ -z "$(raftctl ls)" ]
}

@test "what is not there is exit 1 and no word, but on a terminal" {
	start_raftd
	run -1 raftctl get k
	[ -z "$output" ]
	run -1 raftctl get k --json
	[ -z "$output" ]
	run script -qec 'raftctl get k' /dev/null
	[[ $output == "raftctl: no key 'k'"* ]]
}

@test "a value that is too large is 65, and nothing was done" {
	start_raftd
	raftctl put k old
	head -c 524289 /dev/zero >large
	run -65 --separate-stderr raftctl put k - <large
	[[ $stderr == *524289* ]]
	run -65 raftctl put k - < <(head -c 20000000 /dev/zero)
	[ "$(raftctl get k)" = old ]
}

@test "stdin that cannot be read is 66 or 74" {
	start_raftd
	run -66 raftctl put k - </
	run -74 raftctl put k - <&-
	run -66 raftctl txn </
}

@test "a full disk behind stdout is 74" {
	start_raftd
	raftctl put k v
	local verb
	for verb in 'get k' 'get k --json' ls 'ls --json' 'session create' status 'status --json' \
	    'watch k --since 0 --once'; do
		run --separate-stderr bash -c "raftctl $verb >/dev/full"
		[[ $status -eq 74 && -n $stderr ]] || { echo "$verb: $status"; false; }
	done
}

@test "get --json is the entry as a line" {
	start_raftd
	raftctl put 'k"1' $'v\n' --flags 18446744073709551615
	[ "$(raftctl get 'k"1' --json | jq -c 'del(.index, .created)')" = \
	    '{"key":"k\"1","value":"v\n","flags":"18446744073709551615","locks":"0"}' ]
	printf '\377' | raftctl put b -
	[ "$(raftctl get b --json | jq -r .value_base64)" = /w== ]
	raftctl put e ''
	[ "$(raftctl get e --json | jq -c .value)" = '""' ]
	local was
	was=$(index e)
	raftctl put e x
	[ "$(index e)" -gt "$was" ]
	[ "$(raftctl get e --json | jq -r .created)" = "$was" ]
}

@test "get --wait waits until the key is there, and not longer than it is told" {
	start_raftd
	run -1 raftctl get k --wait=20ms
	raftctl get k --wait >got 3>&- &
	local waiter=$!
	raftctl put other 1
	raftctl put k v
	wait "$waiter"
	[ "$(<got)" = v ]
	[ "$(raftctl get k --wait=1m)" = v ]
	[ "$(raftctl get k --wait --json | jq -r .value)" = v ]
}

@test "cas sets only what is as it was" {
	start_raftd
	raftctl cas k 0 a
	run -1 raftctl cas k 0 b
	[ -z "$output" ]
	local at
	at=$(index k)
	echo c | raftctl cas k "$at" - --flags 5
	run -1 raftctl cas k "$at" d
	run -1 raftctl cas none 7 d
	[ "$(raftctl get k)" = c ]
	[ "$(raftctl get k --json | jq -r .flags)" = 5 ]
}

@test "of many cas at once one wins" {
	start_raftd
	local pids=() pid won=0
	for i in $(seq 8); do
		raftctl cas k 0 "$i" 3>&- &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid" && won=$((won + 1))
	done
	[ "$won" = 1 ]
}

@test "del takes one key, those under a prefix, all, or only what is as it was" {
	start_raftd
	for k in a a/1 a/2 b c; do raftctl put $k v; done
	run -1 raftctl del b -x 1
	raftctl del b -x "$(index b)"
	raftctl del b -x 1 # it is gone
	raftctl del a
	[ "$(raftctl ls | paste -sd' ')" = 'a/1 a/2 c' ]
	raftctl del a/ --recurse
	[ "$(raftctl ls)" = c ]
	raftctl del --all
	[ -z "$(raftctl ls)" ]
}

@test "ls lists keys in the order of their bytes, levels, entries" {
	start_raftd
	for k in a/x/1 a/x/2 a/y b 'a/z/1'; do raftctl put "$k" "v $k"; done
	[ "$(raftctl ls | paste -sd' ')" = 'a/x/1 a/x/2 a/y a/z/1 b' ]
	[ "$(raftctl ls a/ --separator / | paste -sd' ')" = 'a/x/ a/y a/z/' ]
	[ "$(raftctl ls --separator / | paste -sd' ')" = 'a/ b' ]
	[ "$(raftctl ls a/x --json | jq -r '"\(.key)=\(.value)"' | paste -sd,)" = \
	    'a/x/1=v a/x/1,a/x/2=v a/x/2' ]
	raftctl ls a/x -0 | cmp - <(printf 'a/x/1\0a/x/2\0')
	[ -z "$(raftctl ls none/)" ]
}

# ---- watch

@test "watch tells puts and deletes of a key, and of no other" {
	start_raftd
	raftctl put k old
	raftctl watch k >told 3>&- &
	nodes+=($!)
	# It has begun when it tells.
	wait_for 60 eval 'raftctl put k "$RANDOM"; [ -s told ]'
	raftctl put other x
	raftctl put k new
	wait_for 60 eval 'grep -q "\"value\":\"new\"" told'
	raftctl del k
	wait_for 60 eval 'grep -q delete told'
	! grep -qv '"key":"k"' told
	[ "$(tail -n 1 told | jq -r '.event, .key' | paste -sd' ')" = 'delete k' ]
	jq -s -e 'map(.index | tonumber) | . == sort' told
}

@test "watch --since misses nothing, --once ends with the first change" {
	start_raftd
	raftctl put p/a 1
	local at
	at=$(index p/a)
	raftctl put p/b 2
	raftctl put p/c 3
	[ "$(raftctl watch --prefix p/ --since "$at" --once | jq -r .key)" = p/b ]
	[ "$(raftctl watch --prefix p/ --since 0 --timeout 100ms | jq -r .key | paste -sd' ')" = \
	    'p/a p/b p/c' ]
	[ "$(raftctl watch --prefix '' --since 0 --once | jq -r .value)" = 1 ]
}

@test "watch --timeout without a change is exit 1" {
	start_raftd
	raftctl put k v
	run -1 raftctl watch k --timeout 50ms
	[ -z "$output" ]
	run -1 raftctl watch none --once --timeout 50ms
}

@test "watch gives each change to a command" {
	start_raftd
	raftctl put k v
	[ "$(raftctl watch k --since 0 --once -- jq -r .value)" = v ]
	run -7 raftctl watch k --since 0 --once -- sh -c 'cat >/dev/null; exit 7'
	run -127 raftctl watch k --since 0 --once -- ./nosuchcommand
	run -0 --separate-stderr raftctl watch k --since 0 --timeout 300ms -- sh -c 'exit 3'
	[[ $stderr == *"ended with 3"* ]]
	# One that reads nothing.
	run -0 raftctl watch k --since 0 --once -- true
}

@test "watch and its command end by TERM together" {
	start_raftd
	raftctl put k v
	raftctl watch k --since 0 -- sh -c 'echo $$ >pid; exec tail -f /dev/null' 3>&- &
	local watcher=$!
	wait_for 60 test -s pid
	kill "$watcher"
	run -143 wait "$watcher"
	wait_for 60 gone "$(<pid)"
}

@test "watch outlives a store that goes and comes back" {
	start_raftd --data d
	local port=${url##*:}
	raftctl put k 1
	raftctl watch k >told 2>said 3>&- &
	nodes+=($!)
	wait_for 60 eval 'raftctl put k "$RANDOM"; [ -s told ]'
	stop "$raftd"
	wait_for 60 grep -q 'trying on' said
	raftd --data d --listen "127.0.0.1:$port" 2>>log 3>&- &
	nodes+=($!)
	raftctl put k after --timeout 60s
	wait_for 60 grep -q '"after"' told
	[ "$(wc -l <said)" = 2 ]
	grep -q 'is back' said
}

# ---- put --ttl and sessions

@test "put --ttl keeps a key by a session, and takes it over for another time" {
	start_raftd
	raftctl put k 1 --ttl 60s
	local session
	session=$(raftctl get k --json | jq -r .session)
	[ "$(raftctl session info "$session" | jq -r .behavior)" = delete ]
	raftctl put k 2 --ttl 1m --flags 3
	[ "$(raftctl get k --json | jq -r '.value, .flags, .session' | paste -sd' ')" = "2 3 $session" ]
	raftctl put k 3 --ttl 90s
	[ "$(raftctl get k)" = 3 ]
	[ "$(raftctl get k --json | jq -r .session)" != "$session" ]
	[ "$(raftctl session ls | wc -l)" = 1 ]
	# A plain put leaves it; its end takes the key.
	raftctl put k 4
	raftctl session destroy "$(raftctl session ls)"
	run -1 raftctl get k
}

@test "put --ttl leaves a key that somebody else has locked" {
	start_raftd
	local id
	id=$(raftctl session create)
	answer PUT "/v1/kv/k?acquire=$id" 200 -d theirs
	run -1 raftctl put k ours --ttl 60s
	[ "$(raftctl get k)" = theirs ]
	[ "$(raftctl session ls)" = "$id" ]
}

@test "a time to live that the store refuses is 65 with its words" {
	start_raftd
	run -65 --separate-stderr raftctl put k v --ttl 2d
	[[ $stderr == *"Session TTL"* ]]
	run -65 raftctl session create --ttl 2d
}

@test "sessions are made, renewed, listed and ended" {
	start_raftd
	local id
	id=$(raftctl session create --ttl 30s --name me --behavior delete --lock-delay 1500ms)
	[[ $id =~ ^[0-9a-f]{8}-[0-9a-f-]{27}$ ]]
	[ "$(raftctl session ls)" = "$id" ]
	[ "$(raftctl session info "$id" | jq -r '.id, .name, .behavior, .lock_delay' | paste -sd' ')" = \
	    "$id me delete 1500ms" ]
	[ "$(raftctl session ls --json | jq -r .name)" = me ]
	raftctl session renew "$id"
	raftctl session destroy "$id"
	raftctl session destroy "$id"
	run -1 raftctl session renew "$id"
	run -1 raftctl session info "$id"
	[ -z "$(raftctl session ls)" ]
}

# ---- txn

@test "txn does all or nothing, and says what and why" {
	start_raftd
	run -0 raftctl txn <<-'END'
		[{"KV":{"Verb":"set","Key":"a","Value":"MQ=="}},
		 {"KV":{"Verb":"get","Key":"a"}}, {"KV":{"Verb":"check-not-exists","Key":"b"}}]
	END
	[ "$(jq -c '[.key, .value]' <<<"$output" | paste -sd' ')" = '["a",null] ["a","1"]' ]
	run -1 --separate-stderr raftctl txn <<-'END'
		[{"KV":{"Verb":"set","Key":"c","Value":"MQ=="}}, {"KV":{"Verb":"cas","Key":"a","Index":1}},
		 {"KV":{"Verb":"check-not-exists","Key":"a"}}]
	END
	[ -z "$output" ]
	[ "$(jq -c .operation <<<"$stderr" | paste -sd' ')" = '1 2' ]
	run -1 raftctl get c
	run -0 raftctl txn <<<'[]'
}

@test "txn refuses what is no array of operations with 65" {
	start_raftd
	local text
	for text in '' '{}' '[' '[{"KV":{"Verb":"nosuch","Key":"a"}}' 'x'; do
		run -65 --separate-stderr raftctl txn <<<"$text"
		[ -n "$stderr" ]
	done
}

# ---- What is known when an answer is lost.

@test "a write without an answer is 76, a read 75" {
	start_raftd
	raftctl put k v
	kill -STOP "$raftd"
	run -76 --separate-stderr raftctl put k w --timeout 200ms
	[[ $stderr == *"not known"* ]]
	run -75 raftctl get k --timeout 200ms
	kill -CONT "$raftd"
}

@test "the next host is asked when one is away" {
	start_raftd
	export RAFTD_STORE=http://127.0.0.1:1,${url#http://},127.0.0.1:2
	for i in $(seq 6); do
		raftctl put k "$i"
		[ "$(raftctl get k)" = "$i" ]
	done
}

# ---- status

@test "status is a table, or a line" {
	start_raftd --name one
	raftctl put k v
	run -0 raftctl status
	[[ ${lines[0]} =~ ^NAME\ +ADDRESS\ +ROLE\ +INDEX$ ]]
	[[ ${lines[1]} =~ ^one\ +127.0.0.1:[0-9]+\ +leader\ +[1-9] ]]
	[[ ${lines[2]} =~ ^leader\ one\ +term\ [1-9] ]]
	run -0 raftctl status --json
	jq -e '.leader == "one" and (.commit | tonumber) > 0 and (.term | tonumber) > 0 and
	    (.members | length) == 1 and .members[0].voter and .answered_by == "one"' <<<"$output"
}

# ---- The page.

@test "the examples of raftctl(1) do what they say" {
	run_examples "$BATS_TEST_DIRNAME/../man/raftctl.1"
}

@test "every verb and option of --help is in the page" {
	mandoc -T ascii "$BATS_TEST_DIRNAME/../man/raftctl.1" | col -bx >page
	local verb option
	for verb in $(raftctl --help | awk '/^  [a-z]/ { print $1 }'); do
		grep -q "raftctl $verb" page || { echo "no $verb"; false; }
		for option in $(raftctl "$verb" --help | grep -o -- '--[a-z-]*'); do
			grep -qe "$option" page || { echo "no $option"; false; }
		done
	done
}
