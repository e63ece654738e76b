# Helpers for bats files: load lib/common

# wait_for SECONDS COMMAND...: run the command until it succeeds, at most that long.
wait_for() {
	local deadline=$((SECONDS + $1))
	shift
	until "$@"; do
		if [ "$SECONDS" -ge "$deadline" ]; then
			echo "waited in vain for: $*" >&2
			return 1
		fi
		sleep 0.02
	done
}

# rounds N: how often to repeat a randomised test: a tenth under a sanitizer, ten times in soak.
rounds() {
	if [ -n "${SOAK-}" ]; then
		echo $(($1 * 10))
	elif [ -n "${SHOAL_SAN-}" ]; then
		echo $((($1 + 9) / 10))
	else
		echo "$1"
	fi
}

# gone PID: a process is no more.
gone() { ! kill -0 "$1" 2>/dev/null; }

# exits_with STATUS COMMAND...: for loops, where run would be too much.
exits_with() {
	local want=$1 got=0
	shift
	"$@" || got=$?
	[ "$got" -eq "$want" ] || {
		echo "exit $got, wanted $want: $*" >&2
		return 1
	}
}

# stop PID: end a background process of this test and wait for it.
stop() {
	kill "$1" 2>/dev/null || :
	wait "$1" 2>/dev/null || :
}
