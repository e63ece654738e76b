#!/bin/bash
# evlog beside an event store on SQLite (sqlite_peer.c): one row per measure, ours and the peer's
# figure in the same run, in turn, as medians over ROUNDS.  `make bench` runs it.
#
# ROUNDS=3            rounds
# EVENTS=1000000      events of the bulk loads and reads
# EVENTS10M=10000000  events of the big store; 0: without it
# WRITERS=16          processes that write at once, for
# SECONDS_EACH=4      seconds on each side
# SEED=1              of the input
# MEASURE=REGEX       only the measures whose function has such a name
# QUICK=1             a smoke run: 100,000 events, one round, no big store
#
# No time is asserted: the exit status is 0 unless something did not run.
set -u -o pipefail

if [ -n "${QUICK-}" ]; then
	: "${ROUNDS:=1}" "${EVENTS:=100000}" "${EVENTS10M:=0}" "${SECONDS_EACH:=1}"
	: "${RUNS:=51}" "${FOLLOWED:=200}"
fi
: "${ROUNDS:=3}" "${EVENTS:=1000000}" "${EVENTS10M:=10000000}" "${SECONDS_EACH:=4}"
: "${RUNS:=301}" "${FOLLOWED:=1000}" "${WRITERS:=16}" "${SEED:=1}" "${MEASURE:=.}"
: "${B:?is set by scripts/with-build}" "${TMPDIR:?is set by scripts/with-build}"

dir=$TMPDIR/bench-evlog
mkdir -p "$dir/result" && cd "$dir" || exit
trap 'rm -rf "$dir"' EXIT
one='{"type":"OrderPlaced","data":{"customer":234699,"total":"979.88"}}'
commit=1000
names=$((EVENTS / 5))

# In a part of a pipeline, exit ends that part only: the file tells the rest.
die() {
	echo "evlog.sh: $*" >&2
	: >failed
	exit 1
}
must() { "$@" || die "failed: $*"; }
calc() { awk "BEGIN { printf \"$1\", $2 }"; }

# ---- Results: a line "SECONDS KIB CPU" for each run, in a file for each side of each measure.

median() { sort -g "result/$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
cpu() { sort -g -k 3,3 "result/$1" | awk '{ v[NR] = $3 } END { print v[int((NR + 1) / 2)] }'; }
peak() { awk '$2 > m { m = $2 } END { printf "%.0f", m / 1024 }' "result/$1"; }

# timed SIDE COMMAND...: seconds, peak memory and seconds of CPU of a command, which may stand in
# a pipeline.
timed() {
	local side=$1 seconds kib user system
	shift
	rm -f result/.one
	must bench_time -o result/.one "$@"
	read -r seconds _ kib user system <result/.one
	echo "$seconds $kib $(calc '%.3f' "$user + $system")" >>"result/$side"
}
# What was written before must not reach the disk during what is measured now.
settle() { sync -f .; }

# row NAME OURS [PEER [RATIO [TARGET [MEMORY [CPU]]]]]
row() {
	[ ! -e failed ] || exit 1
	printf '%-40s %13s %13s %6s  %-9s %-14s %s\n' "$1" "$2" "${3-}" "${4-}" "${5-}" \
	    "${6-}" "${7-}"
}

# rate_row NAME SIDE PEER COUNT TARGET: how many in a second, out of seconds.
rate_row() {
	local ours peer
	ours=$(median "$2") peer=$(median "$3")
	row "$1" "$(calc '%.0f/s' "$4 / $ours")" "$(calc '%.0f/s' "$4 / $peer")" \
	    "$(calc '%.1f' "$peer / $ours")" "$5" \
	    "$(peak "$2") / $(peak "$3") MiB" "$(calc '%.2f / %.2f s' "$(cpu "$2"), $(cpu "$3")")"
}

# ---- Stores.

new_store() { rm -rf "$1" && must evlog init -s "$1"; }
new_db() { rm -f "$1" "$1-wal" "$1-shm" && must sqlite_peer init "$1"; }
load() { evlog append -s "$1" --batch --commit $commit -q; }

# same_count STORE DB COUNT: what both must hold after a load.
same_count() {
	local ours peer
	ours=$(evlog head -s "$1") peer=$(sqlite3 "$2" 'SELECT count(*) FROM events')
	if [ "$((10#$ours))" -ne "$3" ] || [ "$peer" -ne "$3" ]; then
		die "loaded $3 events, but evlog has $ours and SQLite $peer"
	fi
}

# bulk NAME INPUT TARGET: load a file through a pipe, on both sides, into INPUT.store and INPUT.db.
bulk() {
	local round
	for ((round = 0; round < ROUNDS; round++)); do
		new_store "$2.store"
		settle
		# shellcheck disable=SC2002 # a pipe is what is to be measured
		cat "$2" | timed "$2.ours" evlog append -s "$2.store" --batch --commit $commit -q
		new_db "$2.db"
		settle
		# shellcheck disable=SC2002
		cat "$2" | timed "$2.peer" sqlite_peer load "$2.db" $commit
		same_count "$2.store" "$2.db" "$EVENTS"
	done
	rate_row "$1" "$2.ours" "$2.peer" "$EVENTS" "$3"
}

# ---- The measures, in the order of the table.

# input NAME MODE STREAMS: a file of events, made once.
input() { [ -e "$1" ] || must evlog_gen "$2" "$SEED" 0 "$EVENTS" "$3" >"$1"; }

measure_1_bulk() {
	input events events 1000000
	bulk "append, up to 1M streams" events '>= 8'
}

measure_2_bulk_given() {
	input given given 1000000
	bulk "append, ids given" given '>= 4'
	rm -rf given*
}

measure_3_bulk_1k() {
	input events1k events 1000
	bulk "append, 1000 streams" events1k '>= 4'
	rm -rf events1k*
}

# writers SIDE COMMAND...: as timed, with "PER_SECOND WORST SLOWEST FASTEST" in the result.
writers() {
	local side=$1 line commits
	shift
	line=$(evlog_writers "$WRITERS" "$SECONDS_EACH" lines "$@") || die "failed: $*"
	read -r commits line <<<"$line"
	echo "$line" >>"result/$side"
	acknowledged=$commits
}
field() { sort -g "result/$1" | awk -v f="$2" '{ v[NR] = $f } END { print v[int((NR + 1) / 2)] }'; }
most() { sort -g -k "$2,$2" "result/$1" | awk -v f="$2" 'END { print $f }'; }
least() { sort -g -k "$2,$2" "result/$1" | awk -v f="$2" 'NR == 1 { print $f }'; }

measure_4_writers() {
	local round stored
	must evlog_gen plain "$SEED" 0 10000 >lines
	for ((round = 0; round < ROUNDS; round++)); do
		new_store many
		settle
		writers writers.ours evlog append -s many writer-{} --each
		stored=$(evlog head -s many)
		[ "$((10#$stored))" -ge "$acknowledged" ] ||
		    die "$acknowledged commits were acknowledged, evlog has $stored"
		new_db many.db
		settle
		writers writers.peer sqlite_peer each many.db writer-{}
		stored=$(sqlite3 many.db 'SELECT count(*) FROM events')
		[ "$stored" -ge "$acknowledged" ] ||
		    die "$acknowledged commits were acknowledged, SQLite has $stored"
	done
	local ours peer
	ours=$(median writers.ours) peer=$(median writers.peer)
	row "$WRITERS writers, a commit each line" "$ours/s" "$peer/s" \
	    "$(calc '%.1f' "$ours / $peer")" '>= 3'
	row '  worst wait of a commit' "$(most writers.ours 2) ms" \
	    "$(most writers.peer 2) ms"
	row '  slowest process' "$(least writers.ours 3)/s" "$(least writers.peer 3)/s" '' '> 0'
	row '  fastest process' "$(most writers.ours 4)/s" "$(most writers.peer 4)/s"
}

# Both sides full, for the measures that read.
to_read() {
	input events events 1000000
	[ ! -d events.store ] || return 0
	new_store events.store
	load events.store <events
	new_db events.db
	must sqlite_peer load events.db $commit <events
	same_count events.store events.db "$EVENTS"
}

json='SELECT e.seq, e.version, e.id, e.type, e.time, e.data, s.name FROM events e
    JOIN streams s ON s.id = e.stream ORDER BY e.seq'

measure_5_read_all() {
	local round
	to_read
	for ((round = 0; round < ROUNDS; round++)); do
		timed all.ours evlog read -s events.store --all | cat >/dev/null
		timed all.json sqlite3 -json -cmd 'PRAGMA cache_size=-262144' events.db "$json" |
		    cat >/dev/null
		timed all.peer sqlite_peer scan events.db | cat >/dev/null
	done
	rate_row 'read --all; sqlite3 -json' all.ours all.json "$EVENTS" '>= 2'
	rate_row '  beside sqlite_peer scan' all.ours all.peer "$EVENTS" ''
}

measure_6_read_streams() {
	local round
	to_read
	must evlog_gen names "$SEED" "$names" "$EVENTS" 1000000 >some.names
	for ((round = 0; round < ROUNDS; round++)); do
		timed names.ours evlog read -s events.store - <some.names | cat >/dev/null
		timed names.peer sqlite_peer read events.db <some.names | cat >/dev/null
		timed names.mmap sqlite_peer read-mmap events.db <some.names | cat >/dev/null
	done
	must evlog read -s events.store - <some.names | wc -l >ours.lines
	must sqlite_peer read events.db <some.names | wc -l >peer.lines
	cmp -s ours.lines peer.lines || die "read -: not as many events as the peer's"
	rate_row "read - of $names random streams" names.ours names.peer "$names" '>= 5'
	rate_row '  beside a peer with mmap_size' names.ours names.mmap "$names" ''
}

ms() { calc '%.3f ms' "($1) * 1000"; }

# The median of RUNS processes of each command, in turn, in p50.
processes() {
	rm -f result/.runs
	must bench_time -n "$RUNS" -o result/.runs "$@" >/dev/null
	mapfile -t p50 < <(cut -d' ' -f1 result/.runs)
}

measure_7_one_append() {
	echo "$one" >one
	new_store single
	new_db single.db
	settle
	processes -i one evlog append -s single order-1 -- bench_floor floor -- bench_floor -- \
	    evlog version -s single order-1 -- sqlite_peer each single.db order-1
	row 'one append; empty program + fdatasync' "$(ms "${p50[0]}")" "$(ms "${p50[1]}")"
	row '  difference' "$(ms "${p50[0]} - ${p50[1]}")" '' '' '< 1 ms'
	row '  one version; empty program' "$(ms "${p50[3]}")" "$(ms "${p50[2]}")"
	row '  beside one sqlite_peer' '' "$(ms "${p50[4]}")" \
	    "$(calc '%.1f' "${p50[4]} / ${p50[0]}")"
}

measure_8_follow() {
	local us
	must evlog_gen plain "$SEED" 0 $((FOLLOWED + 100)) >follow.in
	new_store follow
	settle
	us=$(evlog_follow follow follow.in "$FOLLOWED") || die "failed: evlog_follow"
	read -ra us <<<"$us"
	row 'tail -f: line to printed event, p50' "${us[0]} us"
	row '  p99' "${us[1]} us" '' '' '< 2000 us'
	row '  max' "${us[2]} us"
	row '  line to receipt, p50 p99 max' "${us[3]} ${us[4]} ${us[5]}"
	row '  receipt to printed event, p50 p99 max' "${us[6]} ${us[7]} ${us[8]}"
}

# A verb and an append at the size that the big store has now; the empty program for scale.
at_size() {
	settle
	processes -i one evlog version -s big order-1 -- evlog append -s big order-1 -q -- \
	    bench_floor
	row "version of a stream at $1 events" "$(ms "${p50[0]}")" "$(ms "${p50[2]}")" '' same
	row "one append at $1 events" "$(ms "${p50[1]}")" '' '' same
}

# grow FROM TO: append events of the sequence, through a pipe; the rate.
grow() {
	evlog_gen events "$SEED" "$1" "$2" 1000000 |
	    timed "grow.$2" evlog append -s big --batch --commit $commit -q
	row "  append up to $2 events" "$(calc '%.0f/s' "($2 - $1) / $(median "grow.$2")")" \
	    '' '' '' "$(peak "grow.$2") MiB"
}

# bytes_row NAME DIRECTORY EVENTS
bytes_row() {
	local bytes
	bytes=$(du -sb "$2" | cut -f1)
	row "$1 at $3 events" "$((bytes >> 20)) MiB" '' '' '' "$(calc '%.1f B/event' "$bytes / $3")"
}

# at_full WHAT FILE EVENTS: append a file of $given lines to the big store.
at_full() {
	settle
	# shellcheck disable=SC2002
	cat "$2" | timed "$2.$1" evlog append -s big --batch --commit $commit -q
	row "append of $given $1 at $3" "$(calc '%.0f/s' "$given / $(median "$2.$1")")" '' '' '' \
	    "$(peak "$2.$1") MiB"
}

measure_9_big_store() {
	local n=$EVENTS10M given=$((EVENTS / 10))
	[ "$n" -gt 0 ] || return 0
	echo "$one" >one
	new_store big
	grow 0 1000
	at_size 1000
	if [ "$n" -gt "$EVENTS" ]; then
		grow 1000 "$EVENTS"
		at_size "$EVENTS"
		grow "$EVENTS" "$n"
	else
		grow 1000 "$n"
	fi
	at_size "$n"
	bytes_row index big/index "$n"
	bytes_row log big/log "$n"
	must evlog_gen given "$((SEED + 1))" 0 "$given" 1000000 >new.given
	must evlog_gen events "$((SEED + 2))" 0 "$given" 1000000 >new.made
	at_full 'new ids' new.given "$n"
	at_full 'known ids' new.given "$n"
	at_full 'made ids' new.made "$n"
	rm -rf big
}

measure_10_disk() {
	local us bytes
	us=$(bench_floor floor.many $((RUNS * 4))) || die "failed: bench_floor"
	read -ra us <<<"$us"
	row 'disk: append 256 B and fdatasync, p50' "${us[0]} us"
	row '  p99, max' "${us[1]} ${us[2]} us"
	to_read
	bytes=$(du -sb events.store/log | cut -f1)
	cat events.store/log/*.evl >log.copy
	settle
	timed dd dd if=log.copy of=log.copy2 bs=1M conv=fdatasync status=none
	rm -f log.copy log.copy2
	row "disk: dd of the log, $((bytes >> 20)) MiB" \
	    "$(calc '%.0f MiB/s' "$bytes / 1048576 / $(median dd)")"
}

# ---- The settings, and all of it.

new_db settings.db
printf 'machine: %s, %s cores, %s; seed %s, %s rounds, %s events\n' "$(uname -sr)" \
    "$(nproc)" "$(df --output=fstype . | tail -1)" "$SEED" "$ROUNDS" "$EVENTS"
printf 'ours: %s, fdatasync before each receipt, segments of 64 MiB, CRC32C of every event, ' \
    "$(evlog --version)"
printf 'ids unique in their stream, a commit of %s lines in bulk\n' "$commit"
printf 'peer: %s\n' "$(sqlite_peer settings settings.db)"
printf 'SQLite too has a commit of %s lines in bulk; -json is sqlite3 %s\n' "$commit" \
    "$(sqlite3 --version | cut -d' ' -f1)"
printf 'peak memory counts the pages of mapped files; ours first, then the peer\n\n'
row measure ours peer ratio target 'peak memory' 'CPU'
for measure in $(compgen -A function | grep '^measure_' | sort -t_ -k2n); do
	[[ ! $measure =~ $MEASURE ]] || "$measure"
done
[ ! -e failed ]
