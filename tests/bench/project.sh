#!/bin/bash
# evlog project beside the bare jq: events in a second through the same program, in turn, as
# medians over ROUNDS.  jq is what takes the time; the rest of a projection is to hide behind it.
# `make bench` runs it.
#
# ROUNDS=3         rounds
# EVENTS=1000000   events
# SEED=1           of the input
# QUICK=1          a smoke run: 50,000 events, one round
#
# No time is asserted: the exit status is 0 unless something did not run.
set -u -o pipefail

[ -z "${QUICK-}" ] || : "${ROUNDS:=1}" "${EVENTS:=50000}"
: "${ROUNDS:=3}" "${EVENTS:=1000000}" "${SEED:=1}"
: "${B:?is set by scripts/with-build}" "${TMPDIR:?is set by scripts/with-build}"

dir=$TMPDIR/bench-project
mkdir -p "$dir/result" && cd "$dir" || exit
trap 'rm -rf "$dir"' EXIT

die() {
	echo "project.sh: $*" >&2
	: >failed
	exit 1
}
must() { "$@" || die "failed: $*"; }
calc() { awk "BEGIN { printf \"$1\", $2 }"; }
median() { sort -g "result/$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
cpu() { sort -g -k 3,3 "result/$1" | awk '{ v[NR] = $3 } END { print v[int((NR + 1) / 2)] }'; }

# timed SIDE COMMAND...: seconds, peak memory and seconds of CPU of a command and its children.
timed() {
	local side=$1 seconds kib user system
	shift
	sync -f .
	rm -f result/.one
	must bench_time -o result/.one "$@"
	read -r seconds _ kib user system <result/.one
	echo "$seconds $kib $(calc '%.3f' "$user + $system")" >>"result/$side"
}

# row NAME SIDE [TARGET]: its rate, that of the bare jq, and the ratio of both.
row() {
	[ ! -e failed ] || exit 1
	printf '%-40s %10s %10s %7s  %-8s %s\n' "$1" \
	    "$(calc '%.0f/s' "$EVENTS / $(median "$2")")" \
	    "$(calc '%.0f/s' "$EVENTS / $(median jq)")" \
	    "$(calc '%.2f' "$(median jq) / $(median "$2")")" "${3-}" \
	    "$(calc '%.1f / %.1f s' "$(cpu "$2"), $(cpu jq)")"
}

# An order has some events: 200,000 rows of a million of them.
must evlog_gen events "$SEED" 0 "$EVENTS" $((EVENTS / 5)) |
    must evlog append -s store --batch --commit 1000 -q 2>/dev/null
must evlog read -s store --all >events
cat >orders.jq <<'END'
if .type == "OrderPlaced" then
    {upsert: "orders", key: {id: .subject},
        set: {status: "placed", customer: .data.customer, total: .data.total}, add: {n: 1}}
else {upsert: "orders", key: {id: .subject}, set: {status: .type}, add: {n: 1}} end
END
cat >orders.sql <<'END'
CREATE TABLE orders(id TEXT PRIMARY KEY, status TEXT, customer INTEGER, total TEXT, n INTEGER);
END
db=(-j orders.jq --into sqlite:orders.db --schema orders.sql)

for ((round = 0; round < ROUNDS; round++)); do
	rm -f orders.db*
	evlog cursor rm -s store db 2>/dev/null
	timed jq sh -c 'jq -c -f orders.jq <events >out'
	timed sqlite evlog project db -s store "${db[@]}"
	timed jq sh -c 'jq -c -f orders.jq <events >out'
	timed rebuild evlog project db -s store "${db[@]}" --rebuild
	evlog cursor rm -s store cmd 2>/dev/null
	timed cmd evlog project cmd -s store -j orders.jq --into 'cmd:cat >/dev/null'
	timed files evlog project files -s store -j orders.jq --into file:orders --rebuild
	n=$(sqlite3 orders.db 'SELECT sum(n) FROM orders')
	[ "$n" -eq "$EVENTS" ] || die "$n events are in the database"
done

printf '# %s events, %s rows, 1000 a batch; SQLite in WAL mode, synchronous=FULL\n' "$EVENTS" \
    "$(sqlite3 orders.db 'SELECT count(*) FROM orders')"
printf '%-40s %10s %10s %7s  %-8s %s\n' '' project 'bare jq' ratio target 'CPU'
row 'to SQLite' sqlite '>= 0.9'
row 'to SQLite, made anew' rebuild '>= 0.9'
row 'to a command' cmd '>= 0.9'
row 'to files, made anew' files
