# raftd: starts and ends nodes for the tests of raftd and its clients.
#
# bats: load lib/raftd
#       setup() { raftd_setup; }      a directory of its own
#       teardown() { raftd_teardown; }

# shellcheck source=tests/lib/common.bash
source "${BASH_SOURCE[0]%/*}/common.bash"

raftd_setup() {
	cd "$BATS_TEST_TMPDIR" || return
	nodes=()
}

# A node that is left ends well, too: with 0, and under sanitizers without a leak.
raftd_teardown() {
	local pid code bad=0
	for pid in "${nodes[@]}"; do
		kill "$pid" 2>/dev/null || continue
		code=0
		wait "$pid" || code=$?
		[ "$code" -eq 0 ] || {
			echo "raftd ended with $code:"
			tail -n 30 log
			bad=1
		}
	done
	return "$bad"
}

# start_raftd [OPTION...]: a node that serves when this returns: $raftd is its pid, $url where it
# serves.  Without --data it is one of --dev.  Its log is in the file log.
start_raftd() {
	local kind=--dev
	[[ " $* " != *" --data "* ]] || kind=
	rm -f port
	raftd $kind --listen 127.0.0.1:0 --port-file port "$@" 2>>log 3>&- &
	raftd=$!
	nodes+=("$raftd")
	wait_for 60 serves_or_ended || return
	[ -e port ] || {
		cat log >&2
		return 1
	}
	url=http://127.0.0.1:$(<port)
	export RAFTD_STORE=$url
}

serves_or_ended() { [ -e port ] || gone "$raftd"; }

# http METHOD PATH [CURL-ARGUMENT...]: the body on stdout; the file status has the status, head the
# headers.
http() {
	local method=$1 path=$2
	shift 2
	curl -sS --max-time 60 -X "$method" -D head -o body -w '%{http_code}' "$@" "$url$path" \
	    >status
	cat body
}

# answer METHOD PATH STATUS [CURL-ARGUMENT...]: fails unless the status is that; the body on stdout.
answer() {
	local method=$1 path=$2 want=$3
	shift 3
	http "$method" "$path" "$@"
	[ "$(<status)" = "$want" ] || {
		echo "$method $path: status $(<status), not $want" >&2
		return 1
	}
}

# header NAME: of the last answer.
header() {
	sed -n "s/^$1: *//Ip" head | tr -d '\r'
}
