#!/bin/bash
# The history of this machine's packages as an event log: import, read, a conflict, follow, and
# the log as the text that it is. Everything happens in a temporary directory.
set -u

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=/dev/null
. "$here/show.sh"
export EVLOG_STORE=$PWD/packages.evlog

if ! command -v dpkg-query >/dev/null; then
	echo "This demo shows the history of Debian packages; there is no dpkg here."
	exit 0
fi

say "What is installed, and what dpkg has logged, with its rotated parts, the oldest first."
logs=()
while IFS= read -r file; do
	[ ! -r "$file" ] || logs+=("$file")
done < <(compgen -G '/var/log/dpkg.log*' | sort -rV)
show "dpkg-query -W -f '\${Package}:\${Architecture} \${Version}\\n' >packages"
if [ ${#logs[@]} -gt 0 ]; then
	show "zcat -f ${logs[*]} >dpkg.log"
else
	say "There is no dpkg.log here; the packages alone will do."
	show ": >dpkg.log"
fi
show "wc -l packages dpkg.log"

say "Lines become events: one stream a package, the id made from the line." \
    "A package that the log does not name begins with a Seeded event."
cp "$here/dpkg-events.awk" .
show "awk -v zone=$(date +%:z) -f dpkg-events.awk packages dpkg.log >events.jsonl"
show "sed -n '1p;\$p' events.jsonl"

say "Import: atomic pieces of 5000 lines. Each receipt was printed when its events were on disk."
show "time evlog append --batch --commit 5000 events.jsonl >receipts"
totals="jq -cs '{events: map(.count) | add, known: map(.known // 0) | add}'"
show "$totals receipts"

say "Again: the ids are known, so nothing is added."
show "evlog append --batch --commit 5000 events.jsonl | $totals"

say "What is there now."
show "evlog types"
show "evlog streams -l | sort -t '	' -k 2,2nr | head -n 5"

package=$(evlog streams -l | sort -t '	' -k 2,2nr | head -n 1 | cut -f 1)
say "One package's history, and what its last event looks like in full."
show "evlog read $package -o tsv | cut -f 3,4,6 | tail -n 12"
show "evlog tail $package -n 1 | jq ."

say "A question over all streams, answered by jq: the newest versions."
show "evlog read --all -t Upgraded -t Installed |
    jq -r '[.time[:10], .type, .subject, .data.to] | @tsv' | tail -n 5"

say "Two that decide on what they have read: the second finds that the stream has moved on."
show "v=\$(evlog version $package); echo \"\$v\""
show "echo '{\"by\":\"ann\"}' | evlog append $package -t Held -x \"\$v\""
show "echo '{\"by\":\"bob\"}' | evlog append $package -t Held -x \"\$v\"" 10

say "Follow: tail prints each event as it comes, here until there were three."
show "after=\$(evlog head); echo \"\$after\""
show "evlog tail 'package-*' -f --after \$after --take 3 --timeout 20s -o tsv >followed & tail=\$!"
show "for note in one two three; do
    echo \"\\\"\$note\\\"\" | evlog append -q package-demo -t Noted
done"
show "wait \$tail; cut -f 2-4,6 followed"

say "The log is text: no tool is needed to read it. Columns of a frame, then the same by hand."
show "ls $(basename "$EVLOG_STORE") $(basename "$EVLOG_STORE")/log"
show "tail -n 1 packages.evlog/log/*.evl"
show "cut -c104- packages.evlog/log/*.evl | grep '^package-demo ' | cut -d' ' -f2,5-"
show "grep -c ' package-[^ ]* Installed ' packages.evlog/log/*.evl" "$(
	evlog types | grep -q '	Installed$'
	echo $?
)"

say "State of the store; verify says nothing when all is well."
show "evlog stat"
show "evlog verify --deep"
