#!/bin/bash
# The write-ahead log beside the disk: batches of appended entries in a second, and fdatasyncs in
# a second of the same bytes into a file full of zeros and into one that grows; in turn, as medians
# over ROUNDS.  `make bench` runs it.
#
# ROUNDS=3      rounds
# BATCHES=1000  batches of a round, of 1 and of 64 entries; a quarter of it of 1024 entries
# SIZE=100      bytes of an entry
# QUICK=1       a smoke run: 200 batches, one round
#
# No time is asserted: the exit status is 0 unless something did not run.
set -u -o pipefail

[ -z "${QUICK-}" ] || : "${ROUNDS:=1}" "${BATCHES:=200}"
: "${ROUNDS:=3}" "${BATCHES:=1000}" "${SIZE:=100}"
: "${TMPDIR:?is set by scripts/with-build}"

dir=$TMPDIR/bench-wal
mkdir -p "$dir/result" && cd "$dir" || exit
trap 'rm -rf "$dir"' EXIT

die() {
	echo "wal.sh: $*" >&2
	exit 1
}
calc() { awk "BEGIN { printf \"$1\", $2 }"; }
# The median of a column of a side's results.
median() {
	sort -g -k "$2,$2" "result/$1" |
	    awk '{ v[NR] = $'"$2"' } END { print v[int((NR + 1) / 2)] }'
}

# one SIDE BATCHES BATCH
one() {
	rm -rf run
	mkdir run
	sync -f .
	wal_append "$1" run "$2" "$3" "$SIZE" >>"result/$1-$3" || die "wal_append $1 failed"
}

printf '# entries of %s bytes, segments of 64 MiB, medians of %s rounds\n' "$SIZE" "$ROUNDS"
printf '# log / filled <= 1.3 in time is the target at batches of 1\n'
printf '%-6s %12s %10s %10s %10s %12s %13s %14s\n' batch 'entries/s' 'log' 'filled' 'growing' \
    'filled/log' 'growing/log' 'p50, p99 us'
for batch in 1 64 1024; do
	n=$BATCHES
	[ "$batch" -lt 1024 ] || n=$((BATCHES / 4))
	for ((round = 0; round < ROUNDS; round++)); do
		one filled "$n" "$batch"
		one log "$n" "$batch"
		one growing "$n" "$batch"
	done
	log=$(median log-$batch 1) filled=$(median filled-$batch 1)
	growing=$(median growing-$batch 1)
	printf '%-6s %12s %8s/s %8s/s %8s/s %12s %13s %14s\n' "$batch" \
	    "$(calc '%.0f' "$log * $batch")" "$log" "$filled" "$growing" \
	    "$(calc '%.2f' "$filled / $log")" "$(calc '%.2f' "$growing / $log")" \
	    "$(median log-$batch 2), $(median log-$batch 3)"
done
