# Helpers for the suites of projections: load lib/project
#
# The program p.jq keeps a row for each stream: its last number, the sum of them, how many there
# were. An event of type Gone removes it.

load lib/evlog

project_setup() {
	evlog_setup
	cat >p.jq <<-'END'
	if .type == "Gone" then {delete: "t", key: {id: .subject}}
	else {upsert: "t", key: {id: .subject}, set: {last: .data.n}, add: {sum: .data.n, n: 1}} end
	END
	echo 'CREATE TABLE t(id TEXT PRIMARY KEY, last INTEGER, sum INTEGER, n INTEGER);' >t.sql
}

# p [OPTION]...: project to m.db; f [OPTION]...: to the directory m.
db=(m -j p.jq --into sqlite:m.db --schema t.sql)
dir=(f -j p.jq --into file:m)
p() { evlog project "${db[@]}" "$@"; }
f() { evlog project "${dir[@]}" "$@"; }

# rows: what is in m.db, "id last sum n" a line; files: the same of the directory m.
# shellcheck disable=SC2120 # another database, another selector
rows() {
	sqlite3 -separator ' ' "${1-m.db}" 'SELECT id, last, sum, n FROM t ORDER BY id'
}
files() {
	[ ! -d "${1-m}/t" ] ||
	    find "${1-m}/t" -name '*.json' -exec cat {} + |
	    jq -r '"\(.id) \(.last) \(.sum) \(.n)"' | LC_ALL=C sort
}
# wanted [SELECTOR]: what the events say that should be there.
# shellcheck disable=SC2120
# shellcheck disable=SC2120
wanted() {
	evlog read "${1---all}" | jq -rn '
	reduce inputs as $e ({}; $e.subject as $s
	    | if $s[:1] == "$" then . elif $e.type == "Gone" then delpaths([[$s]])
	      else .[$s] |= {last: $e.data.n, sum: (.sum + $e.data.n), n: (.n + 1)} end)
	| to_entries[] | "\(.key) \(.value.last) \(.value.sum) \(.value.n)"' | LC_ALL=C sort
}
position() { sqlite3 "${2-m.db}" "SELECT sequence FROM evlog_projection WHERE name='${1-m}'"; }
state() { sed -n 's/^sequence 0*\([0-9]\)/\1/p' "${1-m}/.evlog/state"; }

# poison: events 1 to 5, of which 3 is none that the program can take.
poison() {
	fill a 1 2
	echo '{"type":"T","data":{"n":"x"}}' | evlog append b -q
	fill a 4 5
}

# begin ARGUMENT...: a project in the background, with its status lines in `status`; its id in $pid.
begin() {
	: >status
	env --default-signal=INT,HUP evlog project "$@" --status-fd 4 4>status 3>&- 9>&- &
	pid=$!
	started $pid
	wait_for 20 grep -q taken status
}
# at SEQUENCE [NAME]: is the database there?
at() { [ "$(position "${2-m}" 2>/dev/null)" = "$1" ]; }
# shellcheck disable=SC2119
# shellcheck disable=SC2119
right() { [ "$(rows 2>/dev/null)" = "$(wanted)" ]; }
