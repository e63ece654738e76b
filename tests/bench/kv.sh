#!/bin/bash
# The state machine of raftd beside SQLite in memory: one row per measure, the medians of ROUNDS
# runs.  `make bench` runs it.
#
# ROUNDS=3       rounds
# KEYS=1000000   keys of 24 bytes, in random order
# VALUE=64       bytes of a value
# QUICK=1        a smoke run: 100,000 keys, one round
#
# No time is asserted: the exit status is 0 unless something did not run.
set -u -o pipefail

[ -z "${QUICK-}" ] || : "${ROUNDS:=1}" "${KEYS:=100000}"
: "${ROUNDS:=3}" "${KEYS:=1000000}" "${VALUE:=64}"
: "${TMPDIR:?is set by scripts/with-build}"

result=$TMPDIR/bench-kv
trap 'rm -f "$result"' EXIT
: >"$result"
for ((i = 0; i < ROUNDS; i++)); do
	kv "$KEYS" "$VALUE" >>"$result" || exit
done

echo "$KEYS keys of 24 bytes, values of $VALUE; SQLite: in memory, WITHOUT ROWID, no journal"
printf '%-46s %8s %8s %7s\n' measure ours peer ratio
awk -F '\t' '
	function median(list,    v, n, i, j, t) {
		n = split(list, v, " ")
		for (i = 2; i <= n; i++)
			for (j = i; j > 1 && v[j - 1] + 0 > v[j] + 0; j--) {
				t = v[j]; v[j] = v[j - 1]; v[j - 1] = t
			}
		return v[int((n + 1) / 2)]
	}
	!($1 in ours) { name[++names] = $1 }
	{ ours[$1] = ours[$1] " " $2; peer[$1] = peer[$1] " " $3 }
	END {
		for (i = 1; i <= names; i++) {
			a = median(ours[name[i]]); b = median(peer[name[i]])
			printf "%-46s %8s %8s %7s\n", name[i], a, b,
			    (b != "" && a != 0) ? sprintf("%.2f", b / a) : ""
		}
	}' "$result"
