#!/bin/bash
# The Raft core by itself: nodes in one process, messages handed over as structs, every write
# durable at once (raft_core.c).  `make bench` runs it.  No disk, no network: what is left is what
# each proposal costs in the core, on all nodes together, on one thread.
#
# SECONDS_EACH=3  for each row
#
# No time is asserted: the exit status is 0 unless something did not run.
set -u
: "${SECONDS_EACH:=3}"

printf '%-44s %14s %14s %10s\n' "raft core" "entries/s" "steps/s" "ns/step"
row() {
	local out
	out=$(raft_core "$1" "$2" "$3" "$SECONDS_EACH") || exit
	read -r entries steps ns <<<"$out"
	printf '%-44s %14s %14s %10s\n' "$1 nodes, $2 at a time, $3 bytes" "$entries" "$steps" "$ns"
}
row 1 1 100
row 3 1 100
row 3 64 100
row 3 1024 100
row 3 64 1024
row 5 1 100
row 5 64 100
row 7 64 100
