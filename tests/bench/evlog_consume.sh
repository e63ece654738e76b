#!/bin/bash
# evlog consume beside what does the same without a store: `split --filter` for a command that is
# started for each batch, and the program itself on a plain file for --stream.  Both sides in turn,
# medians over ROUNDS, and the median of the ratios.  `make bench` runs it.
#
# ROUNDS=5         rounds
# EVENTS=200000    events
# BATCH=1000       of a batch
# QUICK=1          a smoke run: 20,000 events, one round
#
# No time is asserted: the exit status is 0 unless something did not run.
set -u -o pipefail

if [ -n "${QUICK-}" ]; then
	: "${ROUNDS:=1}" "${EVENTS:=20000}"
fi
: "${ROUNDS:=5}" "${EVENTS:=200000}" "${BATCH:=1000}"
: "${B:?is set by scripts/with-build}" "${TMPDIR:?is set by scripts/with-build}"

dir=$TMPDIR/bench-consume
mkdir -p "$dir" && cd "$dir" || exit
trap 'rm -rf "$dir"' EXIT
export EVLOG_STORE=$dir/store
filter='.data.customer'

die() {
	echo "evlog_consume.sh: $*" >&2
	exit 1
}
must() { "$@" || die "failed: $*"; }
calc() { awk "BEGIN { printf \"$1\", $2 }"; }
median() { sort -g "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

# timed SIDE COMMAND...: its seconds, a line in the file of that side.
timed() {
	local side=$1
	shift
	must bench_time -o once "$@" >"$side.out"
	cut -d' ' -f1 once >>"$side"
}

# row NAME OURS PEER TARGET: PEER / OURS is how fast we are beside the peer.
row() {
	local ours peer
	ours=$(median "$2") peer=$(median "$3")
	paste "$2" "$3" | awk '{ print $2 / $1 }' >ratios
	printf '%-34s %10s/s %10s/s %6s %6s\n' "$1" "$(calc '%.0f' "$EVENTS / $ours")" \
	    "$(calc '%.0f' "$EVENTS / $peer")" "$(calc '%.2f' "$(median ratios)")" "$4"
}

must evlog_gen events 1 0 "$EVENTS" 1000 | must evlog append --batch --commit 1000 -q
must evlog read --all >lines

printf 'machine: %s, %s cores, %s; %s rounds, %s events of %s bytes, batches of %s\n' \
    "$(uname -sr)" "$(nproc)" "$(df --output=fstype . | tail -1)" "$ROUNDS" "$EVENTS" \
    "$(calc '%.0f' "$(wc -c <lines) / $EVENTS")" "$BATCH"
printf 'ours: the cursor on disk after each batch; %s\n' "$(jq --version)"
printf '%-34s %12s %12s %6s %6s\n' measure ours peer ratio target

for ((round = 0; round < ROUNDS; round++)); do
	rm -rf store/cursors
	sync -f .
	timed batch sh -c "exec evlog consume jq -n $BATCH -- jq -c '$filter'"
	timed split split -l "$BATCH" --filter="jq -c '$filter'" lines
	cmp -s batch.out split.out || die 'consume and split gave other results'
	timed stream sh -c "exec evlog consume stream -n $BATCH --stream -- evlog_worker"
	timed bare sh -c 'exec evlog_worker -q <lines'
	cmp -s stream.out bare.out || die 'consume --stream and the program gave other results'
done
row "consume -n $BATCH -- jq; split" batch split '>= 0.9'
row "consume -n $BATCH --stream; bare" stream bare '>= 0.8'
