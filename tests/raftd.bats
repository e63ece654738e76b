# raftd as a process: its options, its directory, and how it ends.
bats_require_minimum_version 1.5.0

load lib/raftd
load lib/examples

setup() {
	raftd_setup
}

teardown() {
	raftd_teardown
}

@test "a node serves when the port file is there, and keeps what it acknowledged over kill -9" {
	start_raftd --data d
	for i in 1 2 3; do
		[ "$(answer PUT "/v1/kv/k$i" 200 -d "value $i")" = true ]
	done
	kill -9 "$raftd"
	wait "$raftd" || :
	start_raftd --data d
	[ "$(answer GET '/v1/kv/k2?raw' 200)" = "value 2" ]
	[ "$(answer GET '/v1/kv/?keys' 200)" = '["k1","k2","k3"]' ]
	[ "$(stat -c %a d)" = 700 ]
	[ "$(stat -c %a d/identity)" = 600 ]
}

@test "SIGTERM ends it with 0, after the writes under way" {
	start_raftd --data d
	answer PUT /v1/kv/k 200 -d v
	kill "$raftd"
	exits_with 0 wait "$raftd"
	start_raftd --data d
	[ "$(answer GET '/v1/kv/k?raw' 200)" = v ]
}

@test "--dev leaves nothing behind" {
	mkdir tmp
	TMPDIR=$PWD/tmp start_raftd
	[ "$(find tmp -mindepth 1 -maxdepth 1 -name 'raftd-*' | wc -l)" = 1 ]
	answer PUT /v1/kv/k 200 -d v
	kill "$raftd"
	exits_with 0 wait "$raftd"
	[ -z "$(ls tmp)" ]
}

@test "a query that waits is broken off at the end, and does not hold it up" {
	start_raftd
	answer GET /v1/kv/k 404
	index=$(header X-Consul-Index)
	curl -s --max-time 60 "$url/v1/kv/k?index=$index&wait=10m" >waited 3>&- &
	waiter=$!
	wait_for 20 waits_for_one
	kill "$raftd"
	exits_with 0 wait "$raftd"
	got=0
	wait "$waiter" || got=$?
	[ "$got" -ne 0 ]
}

waits_for_one() {
	curl -s "$url/metrics" | grep -q '^raftd_waiting_watches 1$'
}

@test "a directory in use is exit 75, one of another version 78" {
	start_raftd --data d
	run -75 --separate-stderr raftd --data d --listen unix:s
	[[ $stderr == "raftd: another raftd uses 'd'" ]]
	kill "$raftd"
	wait "$raftd"
	sed -i 's/^raftd 1/raftd 2/' d/identity
	run -78 --separate-stderr raftd --data d --listen unix:s
	[[ $stderr == "raftd: 'd/identity' is no identity of version 1" ]]
	printf 'raftd 1\ncluster 1\n' >d/identity
	run -78 raftd --data d --listen unix:s
}

@test "an address in use is exit 75, one that is not local 78, one that makes no sense 64" {
	start_raftd
	run -75 --separate-stderr raftd --dev --listen "${url#http://}"
	for address in 0.0.0.0:0 192.0.2.1:8500 '[::]:0' example.org:80; do
		run -78 --separate-stderr raftd --dev --listen "$address"
		[[ $stderr == *"without a cluster key"* ]]
	done
	for address in 127.0.0.1 127.0.0.1:x 127.0.0.1:70000; do
		run -64 raftd --dev --listen "$address"
	done
	run -64 raftd --dev --data d
	run -64 raftd --dev operand
}

@test "--check looks at the options only" {
	run -0 raftd --check --data d --listen 127.0.0.1:8500
	[ ! -e d ]
	run -78 raftd --check --listen 0.0.0.0:8500
}

@test "a damaged log is exit 8 with file and offset, and nothing is changed" {
	start_raftd --data d
	for i in {1..20}; do
		answer PUT "/v1/kv/k$i" 200 -d "value $i"
	done
	kill "$raftd"
	wait "$raftd"
	log=$(echo d/log/*1.wal)
	at=$(grep -abo 'value 3' "$log" | head -n 1 | cut -d: -f 1)
	printf X | dd of="$log" bs=1 seek="$at" conv=notrunc status=none
	cp "$log" before
	run -8 --separate-stderr raftd --data d --listen unix:s
	[[ $stderr == *0000000000000001.wal* ]]
	cmp before "$log"
}

serves_on_a_socket() {
	rm -f port
	raftd --dev --listen unix:s --port-file port 2>>log 3>&- &
	nodes+=($!)
	wait_for 60 test -e port
	[ "$(<port)" = 0 ]
	[ "$(stat -c %a s)" = 600 ]
	[ "$(curl -s --unix-socket s http://x/v1/status/leader)" = '"unix:s"' ]
	kill -9 $!
	wait $! || :
}

@test "a unix socket is served with mode 0600, and one that a dead node left is replaced" {
	serves_on_a_socket
	[ -S s ]
	serves_on_a_socket
}

@test "it tells a service manager when it serves and when it stops" {
	command -v python3 >/dev/null || skip "by design: no python3 to listen with"
	cat >manager.py <<-'END'
		import socket, sys
		s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		s.bind("notify")
		for want in (b"READY=1", b"STOPPING=1"):
		    got = s.recv(100)
		    if got != want:
		        sys.exit(f"{got} instead of {want}")
		    open(want.decode()[:5], "w").close()
	END
	python3 manager.py 3>&- &
	manager=$!
	wait_for 20 test -S notify
	NOTIFY_SOCKET=notify start_raftd
	wait_for 20 test -e READY
	kill "$raftd"
	exits_with 0 wait "$raftd"
	exits_with 0 wait "$manager"
}

@test "the examples of raftd(8) do what they say" {
	run_examples "$BATS_TEST_DIRNAME/../man/raftd.8"
}
