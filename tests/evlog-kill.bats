# The command itself under kill -9, in the midst of bulk input, where a second thread syncs.
# (tests/crash/evlog_kill.c kills the library's writers at chosen places.)

load lib/evlog

COUNT=60000

setup() { evlog_setup; }

# killed_append MILLISECONDS: append all lines and kill it after that time; 137 when it was.
killed_append() {
	timeout -s KILL "$(printf '0.%03d' "$1")" evlog append s --commit 100 \
	    <lines >>receipts 2>>notes
}

# A receipt that was printed whole names what is on disk.
assert_receipts_hold() {
	local last
	last=$(grep '}$' receipts | tail -n 1 | jq -r .sequence)
	[[ -z $last || ! $(evlog head) < $last ]] || {
		echo "head $(evlog head) is behind the receipt of $last"
		return 1
	}
}

@test "a bulk append that is killed again and again writes each event once" {
	local seed=${SEED-$RANDOM} status killed=0 i
	echo "SEED=$seed"
	RANDOM=$seed
	events 1 $COUNT >lines
	evlog init --segment-size 1M
	for ((i = $(rounds 20); i > 0; i--)); do
		status=0
		killed_append $((1 + RANDOM % 80)) || status=$?
		[ "$status" -eq 137 ] || [ "$status" -eq 0 ]
		[ "$status" -eq 0 ] || killed=$((killed + 1))
		# A line that was cut is no receipt.
		[ ! -s receipts ] || [ -z "$(tail -c 1 receipts)" ] || echo >>receipts
		assert_receipts_hold
	done
	echo "# killed $killed times" >&3
	[ "$killed" -gt 0 ]
	evlog append s -q <lines
	evlog verify --deep
	evlog read s -o tsv | LC_ALL=C awk -F '\t' '
	$3 != NR - 1 || $5 != "e-" NR { print; bad = 1 }
	END { exit bad || NR != '$COUNT' }'
}
