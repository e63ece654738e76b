# Blocking queries of raftd: when they answer, and that nothing else wakes them.
bats_require_minimum_version 1.5.0

load lib/raftd

setup() {
	raftd_setup
	waiters=()
	start_raftd
}

teardown() {
	local pid
	for pid in "${waiters[@]}"; do
		stop "$pid"
	done
	raftd_teardown
}

put() { [ "$(answer PUT "/v1/kv/$1" 200 --data-raw "$2")" = true ]; }

# index_of PATH [STATUS]: the X-Consul-Index of it.
index_of() {
	answer GET "$1" "${2-200}" >/dev/null
	header X-Consul-Index
}

# watch NAME PATH: ask in the background; NAME.body and NAME.head will have the answer.
watch() {
	curl -sS --max-time 120 -D "$1.head" -o "$1.body" -w '%{http_code}' "$url$2" \
	    >"$1.status" 3>&- &
	waiters+=("$!")
	waiter=$!
}

# waiting N: so many queries wait.
waiting() { curl -s "$url/metrics" | grep -q "^raftd_waiting_watches $1\$"; }
wait_until_waiting() { wait_for 60 waiting "$1"; }

# told NAME STATUS: the answer is there, with that status; its body on stdout.
told() {
	wait "$waiter"
	[ "$(<"$1.status")" = "$2" ]
	[ ! -e "$1.body" ] || cat "$1.body"
}

@test "without an index, or with 0, the answer comes at once" {
	put k v
	answer GET '/v1/kv/k?wait=10m' 200
	answer GET '/v1/kv/k?index=0&wait=10m' 200
	answer GET '/v1/kv/k?index=&wait=10m' 200
	answer GET "/v1/kv/k?index=$(($(index_of /v1/kv/k) - 1))&wait=10m" 200
	answer GET '/v1/kv/none?wait=10m' 404
}

@test "a change of the key wakes, one of another key does not" {
	put k 1
	put k/below 1
	index=$(index_of /v1/kv/k)
	watch w "/v1/kv/k?index=$index"
	wait_until_waiting 1
	put other x
	put k/below 2
	put k0 x
	answer DELETE /v1/kv/k/below 200
	answer PUT /v1/session/create 200
	# What it would be woken by is done, and the next request is answered after it.
	waiting 1
	put k 2
	[ "$(told w 200 | jq -r '.[0].Value' | base64 -d)" = 2 ]
	[ "$(sed -n 's/^X-Consul-Index: *//Ip' w.head | tr -d '\r')" = "$(index_of /v1/kv/k)" ]
	wait_until_waiting 0
}

@test "a write that changes nothing wakes nobody" {
	put k 1
	watch w "/v1/kv/k?index=$(index_of /v1/kv/k)"
	wait_until_waiting 1
	put k 1
	answer PUT '/v1/kv/k?cas=0' 200 -d 2
	answer DELETE '/v1/kv/k?cas=1' 200
	waiting 1
	answer PUT '/v1/kv/k?flags=1' 200 -d 1
	[ "$(told w 200 | jq '.[0].Flags')" = 1 ]
}

@test "a lock, its release and its session's end wake" {
	put k 1
	sid=$(answer PUT /v1/session/create 200 -d '{"LockDelay":"0s"}' | jq -r .ID)
	watch w "/v1/kv/k?index=$(index_of /v1/kv/k)"
	wait_until_waiting 1
	answer PUT "/v1/kv/k?acquire=$sid" 200 -d 1
	[ "$(told w 200 | jq -r '.[0].Session')" = "$sid" ]
	watch w "/v1/kv/k?consistent&index=$(index_of /v1/kv/k)"
	wait_until_waiting 1
	answer PUT "/v1/session/destroy/$sid" 200
	[ "$(told w 200 | jq -r '.[0].Session')" = null ]
}

@test "a deletion wakes, with 404 and a greater index" {
	put k 1
	index=$(index_of /v1/kv/k)
	watch w "/v1/kv/k?index=$index"
	wait_until_waiting 1
	answer DELETE /v1/kv/k 200
	[ -z "$(told w 404)" ]
	[ "$(sed -n 's/^X-Consul-Index: *//Ip' w.head | tr -d '\r')" -gt "$index" ]
}

@test "a key that is absent is waited for, whatever else is written" {
	put other 1
	index=$(index_of /v1/kv/k 404)
	watch w "/v1/kv/k?index=$index"
	wait_until_waiting 1
	put other 2
	waiting 1
	# Also when the other write came first.
	put other 3
	watch w2 "/v1/kv/k?index=$index"
	first=${waiters[0]}
	wait_until_waiting 2
	put k v
	[ "$(told w2 200 | jq -r '.[0].Key')" = k ]
	waiter=$first
	[ "$(told w 200 | jq -r '.[0].Key')" = k ]
}

@test "a prefix wakes for what is under it alone, also for a deletion" {
	put a/1 x
	put b x
	index=$(index_of '/v1/kv/a/?recurse')
	watch w "/v1/kv/a/?recurse&index=$index"
	wait_until_waiting 1
	put b y
	put a y
	put a0 y
	waiting 1
	put a/2 x
	[ "$(told w 200 | jq -r '.[].Key' | paste -sd ' ')" = 'a/1 a/2' ]

	watch w "/v1/kv/a/?keys&index=$(index_of '/v1/kv/a/?keys')"
	wait_until_waiting 1
	answer DELETE /v1/kv/a/1 200
	[ "$(told w 200)" = '["a/2"]' ]

	watch w "/v1/kv/?keys&separator=/&index=$(index_of '/v1/kv/?keys')"
	wait_until_waiting 1
	put z x
	[ "$(told w 200)" = '["a","a/","a0","b","z"]' ]
}

@test "a prefix whose last key goes answers 404" {
	put a/1 x
	watch w "/v1/kv/a/?recurse&index=$(index_of '/v1/kv/a/?recurse')"
	wait_until_waiting 1
	answer DELETE '/v1/kv/a?recurse' 200
	[ -z "$(told w 404)" ]
}

@test "when the time is over the answer is what there is, with the same index" {
	put k v
	index=$(index_of /v1/kv/k)
	for mode in '' '&stale' '&consistent'; do
		for wait in 10ms 0.01s 10000us 1ns; do
			[ "$(index_of "/v1/kv/k?index=$index&wait=$wait$mode")" = "$index" ]
		done
	done
	[ "$(index_of "/v1/kv/none?index=$index&wait=10ms" 404)" = "$index" ]
	[ "$(answer GET "/v1/kv/k?raw&index=$index&wait=10ms" 200)" = v ]
}

@test "an index that is ahead waits, also the greatest there is" {
	put k v
	index=$(index_of /v1/kv/k)
	[ "$(index_of "/v1/kv/k?index=18446744073709551615&wait=10ms")" = "$index" ]
	watch w "/v1/kv/k?index=$((index + 1))&wait=1m"
	wait_until_waiting 1
	put k w # its index is that one: it is not passed
	waiting 1
	put k x
	[ "$(told w 200 | jq -r '.[0].Value' | base64 -d)" = x ]
}

@test "wait=0s is the default, wait=11m the most there is: both wait" {
	put k v
	for wait in 0s 0 11m 1000h; do
		watch w "/v1/kv/k?index=$(index_of /v1/kv/k)&wait=$wait"
		wait_until_waiting 1
		put k "$wait"
		[ "$(told w 200 | jq -r '.[0].Value' | base64 -d)" = "$wait" ]
	done
}

@test "a wait or an index that is none is 400" {
	for wait in 10 x 1d -1s 1s2 %zz; do
		[ "$(answer GET "/v1/kv/k?index=1&wait=$wait" 400)" = 'Invalid wait time' ]
	done
	for index in x -1 1.5 18446744073709551616; do
		[ "$(answer GET "/v1/kv/k?index=$index" 400)" = 'Invalid index' ]
	done
}

@test "a client that hangs up is forgotten" {
	put k v
	index=$(index_of /v1/kv/k)
	for mode in '' '&stale' '&consistent' '&recurse'; do
		watch w "/v1/kv/k?index=$index&wait=10m$mode"
	done
	wait_until_waiting 4
	for pid in "${waiters[@]}"; do
		stop "$pid"
	done
	wait_until_waiting 0
	put k w
	[ "$(answer GET '/v1/kv/k?raw' 200)" = w ]
}

@test "a hundred wait for a key, and each is told once" {
	put k v
	index=$(index_of /v1/kv/k)
	curl -sS --no-progress-meter --max-time 120 \
	    --parallel --parallel-immediate --parallel-max 100 \
	    "$url/v1/kv/k?raw&index=$index&wait=10m&n=[1-100]" >all 3>&- &
	waiters+=("$!")
	wait_until_waiting 100
	put other x
	waiting 100
	answer PUT /v1/kv/k 200 -d 'told '
	wait "${waiters[0]}"
	[ "$(tr ' ' '\n' <all | grep -c '^told$')" = 100 ]
	waiting 0
}
