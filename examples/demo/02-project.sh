#!/bin/bash
# What is installed on this machine, kept up to date from the log of dpkg: as a table equal to what
# dpkg-query says, line by line, also after packages came, changed and went. dpkg works on a copy of
# its database; everything happens in a temporary directory.
set -u

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=/dev/null
. "$here/show.sh"
export EVLOG_STORE=$PWD/packages.evlog

for program in dpkg-query dpkg-deb jq sqlite3; do
	command -v "$program" >/dev/null || {
		echo "This demo needs Debian's packages, jq and sqlite3; there is no $program here."
		exit 0
	}
done

# What dpkg knows of in our copy of its database, and how it is told to use it.
installed() {
	dpkg-query --admindir=dpkg -W \
	    -f '${db:Status-Status} ${Package}:${Architecture} ${Version}\n' |
	    sed -n 's/^installed //p' | LC_ALL=C sort
}
in_copy() {
	dpkg --admindir=dpkg --instdir="$PWD/root" --log="$PWD/dpkg.log" --force-not-root \
	    --force-bad-path "$@" >/dev/null
}
# make_package VERSION: a package with one file.
make_package() {
	mkdir -p "evlog-demo-$1/DEBIAN" "evlog-demo-$1/usr/share/evlog-demo"
	printf '%s\n' 'Package: evlog-demo' "Version: $1" 'Architecture: all' \
	    'Maintainer: nobody <nobody@example.org>' 'Description: a package for a demo' \
	    >"evlog-demo-$1/DEBIAN/control"
	echo "$1" >"evlog-demo-$1/usr/share/evlog-demo/version"
	dpkg-deb --build --root-owner-group "evlog-demo-$1" evlog-demo.deb >/dev/null
}
# append [PACKAGES]: events of what dpkg has logged since the last time. All of the log is read,
# because the id of a line that is there twice within a second says which of them it is.
append() {
	awk -v zone="$(date +%:z)" -f "$here/dpkg-events.awk" "${1-/dev/null}" dpkg.log |
	    tail -n +$((logged + 1)) >events
	logged=$((logged + $(grep -cv '"type":"Seeded"' events)))
	evlog append --batch --commit 5000 events | jq -cs '{events: map(.count) | add}'
}
logged=0

say "A copy of dpkg's database and its log: dpkg is going to change packages in it."
cp -a /var/lib/dpkg dpkg 2>/dev/null # but for the locks, which are not for all
rm -f dpkg/lock*
mkdir root
: >dpkg.log
while IFS= read -r file; do
	[ ! -r "$file" ] || zcat -f "$file" >>dpkg.log
done < <(compgen -G '/var/log/dpkg.log*' | sort -rV)
show "installed >packages; wc -l packages dpkg.log"
show "append packages"

say "A program that says what each event changes, and the table that it changes."
cat >installed.jq <<'END'
(.subject | ltrimstr("package-")) as $name
| if .type == "Seeded" then
    {upsert: "packages", key: {name: $name},
        set: {status: "installed", version: .data.version}}
  elif .type == "StatusChanged" and .data.status == "not-installed" then
    {delete: "packages", key: {name: $name}}
  elif .type == "StatusChanged" then
    {upsert: "packages", key: {name: $name}, set: .data}
  else empty end
END
cat >installed.sql <<'END'
CREATE TABLE packages(name TEXT PRIMARY KEY, status TEXT, version TEXT);
END
show "cat installed.jq installed.sql"
show "evlog project --check -j installed.jq"

project="evlog project installed 'package-*' -j installed.jq --into sqlite:installed.db"
query="SELECT name || ' ' || version FROM packages WHERE status='installed' ORDER BY name"
say "Project: rows and position are written in one transaction, batch by batch."
show "time $project --schema installed.sql"
say "The table is what dpkg-query says, line by line."
show "sqlite3 installed.db \"$query\" >table; head -n 3 table"
show "installed | diff - table && echo equal"
show "evlog query installed dpkg:$(dpkg --print-architecture)"

say "A package is installed: real lines of a real log, appended and projected."
make_package 1.0
show "in_copy -i evlog-demo.deb; tail -n 2 dpkg.log"
show "append"
show "$project --once"
show "evlog query installed evlog-demo:all"
show "sqlite3 installed.db \"$query\" >table; installed | diff - table && echo equal"

say "The receipt of a write is what a reader waits for: nobody reads what is not there yet." \
    "Here the projection runs all the time."
show "$project -f & service=\$!"
make_package 1.1
show "in_copy -i evlog-demo.deb; append; seq=\$(evlog head)"
show "evlog query installed evlog-demo:all --min-seq \$seq | jq -r .version"
show "kill \$service; wait \$service" 143

say "And it is removed again."
show "in_copy -P evlog-demo; append; $project"
show "evlog query installed evlog-demo:all" 1
show "sqlite3 installed.db \"$query\" >table; installed | diff - table && echo equal"

say "The model belongs to its program. Another one is refused, and --rebuild makes it anew," \
    "while readers go on with the old one."
sed -i 's/set: \.data}/set: .data, add: {changes: 1}}/' installed.jq
sed -i 's/version TEXT/&, changes INTEGER/' installed.sql
show "$project" 78
show "$project --rebuild --schema installed.sql"
show "sqlite3 -separator ' ' installed.db \\
    'SELECT changes, name FROM packages ORDER BY changes DESC LIMIT 3'"

say "The same as files, one for each package."
show "evlog project files 'package-*' -j installed.jq --into file:files --rebuild"
show "cat files/packages/dpkg:*.json"
show "cat files/packages/*.json | jq -r 'select(.status == \"installed\")
    | \"\\(.name) \\(.version)\"' | LC_ALL=C sort |
    diff - table && echo equal"
show "evlog cursor ls"
