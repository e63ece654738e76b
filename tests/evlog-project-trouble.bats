# What evlog-project(1) promises about project when something is in the way: locks, kills, signals,
# full disks, damage, models that are not ours; making a model anew; commands as targets.

load lib/project

setup() { project_setup; }
teardown() { evlog_teardown; }

# hold_db SQL: another process runs SQL in m.db and stays; its id in $holder.
hold_db() {
	mkfifo hold
	sqlite3 m.db <hold >held 2>&1 3>&- &
	holder=$!
	started "$holder"
	exec 9>hold
	printf '%s\nSELECT 1234567;\n' "$1" >&9
	wait_for 20 grep -q 1234567 held
}
release_db() {
	exec 9>&-
	wait "$holder"
}

# --- models that are not ours ---

@test "a model of another store is refused" {
	fill a 1 3
	p
	evlog project files -j p.jq --into file:files
	fill_other() { EVLOG_STORE=$PWD/other fill b 7 9; }
	fill_other
	run -78 --separate-stderr p -s other
	[[ $stderr == *"m.db' holds the projection 'm' of another store"* ]]
	run -78 --separate-stderr p -s other --rebuild
	run -78 --separate-stderr evlog -s other project files -j p.jq --into file:files
	[[ $stderr == *"of another store"* ]]
	run -78 evlog -s other project files -j p.jq --into file:files --rebuild
	[ "$(rows)" = "$(wanted)" ]
	[ "$(files files)" = "$(wanted)" ]
}

@test "a directory of files belongs to one projection, and is never one with other files" {
	fill a 1 3
	f
	run -78 --separate-stderr evlog project other -j p.jq --into file:m
	[[ $stderr == *"'$PWD/m' holds the projection 'f'"* ]]
	mkdir home
	echo x >home/precious
	for rebuild in '' --rebuild; do
		run -78 --separate-stderr evlog project home -j p.jq --into file:home $rebuild
		[[ $stderr == *"holds 'precious'"* ]]
	done
	[ "$(ls -A home)" = precious ]
	[ "$(files)" = "$(wanted)" ]
}

@test "several projections may share a database, but then none can be made anew" {
	fill a 1 3
	p
	evlog project two -j p.jq --into sqlite:m.db
	[ "$(rows)" = "a 3 12 6" ]
	run -78 --separate-stderr p --rebuild
	[[ $stderr == *"also holds the projection 'two'"* ]]
	[ "$(rows)" = "a 3 12 6" ]
}

@test "without tables there is advice, and --schema still works afterwards" {
	evlog init
	evlog project m -j p.jq --into sqlite:m.db
	fill a 1 3
	run -78 --separate-stderr evlog project m -j p.jq --into sqlite:m.db
	[[ $stderr == *"m.db' has no tables; --schema"* ]]
	run -78 evlog project m -j p.jq --into sqlite:m.db --park
	p
	[ "$(rows)" = "$(wanted)" ]
	# A table that is missing among others is the event's fault.
	echo '{upsert: "u", key: {id: 1}}' >u.jq
	run -65 --separate-stderr evlog project u -j u.jq --into sqlite:m.db
	[[ $stderr == *"no such table: u"* ]]
}

@test "a database that somebody else made is fine, with the tables it has" {
	fill a 1 3
	sqlite3 m.db <t.sql
	evlog project m -j p.jq --into sqlite:m.db
	[ "$(rows)" = "$(wanted)" ]
}

@test "a schema is all or nothing, and may not end the transaction" {
	fill a 1 3
	echo 'CREATE TABLE x(a); CREATE TABLE x(a);' >t.sql
	run -65 --separate-stderr p
	[[ $stderr == *"--schema: table x already exists"* ]]
	[ -z "$(sqlite3 m.db .tables)" ]
	echo 'BEGIN; CREATE TABLE x(a); COMMIT;' >t.sql
	run -65 --separate-stderr p
	[[ $stderr == *"--schema: BEGIN, COMMIT"* ]]
	echo 'PRAGMA user_version=7; CREATE TABLE t(id PRIMARY KEY, last, sum, n); CREATE VIEW v AS
	    SELECT * FROM t; CREATE INDEX i ON t(n); INSERT INTO t VALUES(1, 2, 3, 4);' >t.sql
	p
	[ "$(sqlite3 m.db 'PRAGMA user_version; SELECT count(*) FROM v')" = $'7\n2' ]
	: >t.sql
	run -65 p
	printf 'CREATE TABLE x(a); -- \xff' >t.sql
	run -65 p
	rm t.sql
	run -66 p
}

@test "what is no database, not there, or not to be written is named with its exit status" {
	fill a 1 3
	echo 'this is no database, and it is long enough to be looked at' >text
	run -78 --separate-stderr evlog project x -j p.jq --into sqlite:text --schema t.sql
	[[ $stderr == *"/text': "*"file is not a database"* ]]
	run -73 --separate-stderr evlog project x -j p.jq --into sqlite:no/where.db --schema t.sql
	[[ $stderr == *"'no/where.db': No such file or directory"* ]]
	run -73 evlog project x -j p.jq --into file:no/where
	mkdir dir.db
	run -73 evlog project x -j p.jq --into sqlite:dir.db --schema t.sql
	[ "$(cat text)" = 'this is no database, and it is long enough to be looked at' ]
}

@test "a read-only target is exit 77 and stays as it is" {
	fill a 1 3
	mkdir target
	evlog project d -j p.jq --into sqlite:target/m.db --schema t.sql
	evlog project d2 -j p.jq --into file:target/m
	fill a 4 5
	export -f exits_with
	script='exits_with 77 evlog project d -j p.jq --into sqlite:target/m.db &&
	    exits_with 77 evlog project d2 -j p.jq --into file:target/m'
	if [ "$(id -u)" -eq 0 ]; then
		needs_mount
		mounted bash -c "mount --bind target target &&
		    mount -o remount,ro,bind target && $script"
	else
		chmod -R a-w target
		bash -c "$script"
		chmod -R u+w target
	fi
	evlog project d -j p.jq --into sqlite:target/m.db
	[ "$(rows target/m.db)" = "$(wanted)" ]
}

@test "the name of a consumer is no name for a projection, and the other way round" {
	fill a 1 3
	evlog consume mail -- cat >/dev/null
	run -78 --separate-stderr evlog project mail -j p.jq --into file:m
	[[ $stderr == *"'mail' is the name of a consumer"* ]]
	evlog consume team --group 1/2 -- cat >/dev/null
	run -78 evlog project team -j p.jq --into file:m
	[ ! -e m ]
	f
	run -78 --separate-stderr evlog consume f -- cat
	[[ $stderr == *"'f' is the name of a projection"* ]]
	run -78 evlog consume f --group 1/2 -- cat
}

# --- making it anew ---

@test "a reader goes on with the old model until the new one is there" {
	fill a 1 30
	p
	sed -i 's/n: 1/n: 2/' p.jq
	hold_db 'BEGIN; SELECT n FROM t;'
	p --rebuild
	echo 'SELECT n FROM t; COMMIT; SELECT n FROM t; SELECT 7654321;' >&9
	wait_for 20 grep -q 7654321 held
	[ "$(paste -sd ' ' held)" = "30 1234567 30 60 7654321" ]
	release_db
	fill a 31 31
	p
	[ "$(rows)" = "a 31 496 62" ]
	[ "$(sqlite3 m.db 'PRAGMA integrity_check')" = ok ]
}

@test "files change all at once when they are made anew" {
	fill a 1 30
	f
	sed -i 's/n: 1/n: 2/' p.jq
	exec 8<m
	f --rebuild
	[ "$(jq .n m/t/a.json)" = 60 ]
	# Who had the old directory open sees that one, until it is removed.
	[ ! -e /proc/$$/fd/8/t/a.json ] || [ "$(jq .n /proc/$$/fd/8/t/a.json)" = 30 ]
	[ "$(compgen -G 'm*')" = m ]
	fill a 31 31
	f
	[ "$(files)" = "a 31 496 62" ]
}

@test "an interrupted rebuild leaves the model as it was, and what it leaves is removed" {
	local i
	fill a 1 3000 500
	p
	evlog project files -j p.jq --into file:files
	sed -i 's/n: 1/n: 2/' p.jq
	for ((i = 0; i < 4; i++)); do
		evlog project "${db[@]}" --rebuild -n 10 &
		sleep 0.0$((i * 3 + 1))
		kill -9 $! 2>/dev/null || :
		wait $! 2>/dev/null || :
		evlog project files -j p.jq --into file:files --rebuild -n 10 &
		sleep 0.0$((i * 3 + 1))
		kill -9 $! 2>/dev/null || :
		wait $! 2>/dev/null || :
		[[ $(rows) == "a 3000 4501500 "[36]000 ]]
		[[ $(files files) == "a 3000 4501500 "[36]000 ]]
	done
	wait_for 20 p --rebuild
	wait_for 20 evlog project files -j p.jq --into file:files --rebuild
	[ "$(rows)" = "a 3000 4501500 6000" ]
	[ "$(files files)" = "a 3000 4501500 6000" ]
	[ -z "$(compgen -G '*.rebuild-*')" ]
}

@test "a signal or poison during a rebuild leaves the model as it was" {
	poison
	sed 's/sum: .data.n, //' p.jq >good.jq
	evlog project m -j good.jq --into sqlite:m.db --schema t.sql
	evlog project files -j good.jq --into file:files
	before=$(rows; files files)
	run -65 p --rebuild
	run -65 evlog project files -j p.jq --into file:files --rebuild
	[ "$(rows; files files)" = "$before" ]
	[ -z "$(compgen -G '*.rebuild-*')" ]
	evlog project m -j good.jq --into sqlite:m.db
}

@test "rebuild says what it needs" {
	fill a 1 3
	run -64 --separate-stderr evlog project m -j p.jq --into sqlite:m.db --rebuild
	[[ $stderr == *"--rebuild needs --schema"* ]]
	run -64 evlog project m -j p.jq --into cmd:cat --rebuild
	run -64 p --rebuild --accept
	p --rebuild
	[ "$(rows)" = "$(wanted)" ]
	f --rebuild
	[ "$(files)" = "$(wanted)" ]
}

@test "a damaged database is named, and nothing is done to it" {
	fill a 1 300
	p
	cp m.db good
	dd if=/dev/urandom of=m.db bs=512 seek=8 count=32 conv=notrunc status=none
	rm -f m.db-wal m.db-shm
	fill a 301 303
	cp m.db bad
	run --separate-stderr p
	[[ $status -eq 74 || $status -eq 78 ]]
	[[ $stderr == *"m.db'"* ]]
	cmp m.db bad
	mv good m.db
	p
	[ "$(rows)" = "$(wanted)" ]
}

# --- locks ---

@test "readers with open transactions are not waited for" {
	fill a 1 3
	p
	hold_db 'BEGIN; SELECT * FROM t;'
	fill a 4 6
	run -0 --separate-stderr p -w 0
	[ -z "$stderr" ]
	[ "$(rows)" = "$(wanted)" ]
	release_db
}

@test "another writer of the database is waited for, as long as -w says" {
	fill a 1 3
	p
	hold_db 'BEGIN IMMEDIATE;'
	fill a 4 6
	run -75 --separate-stderr p -w 0
	[[ $stderr == *"m.db' is locked by another process"* ]]
	run -75 p -w 50ms
	evlog project "${db[@]}" -w 1m 2>said 9>&- &
	waiter=$!
	started $waiter
	wait_for 20 grep -q 'is locked by another process; waiting' said
	release_db
	wait $waiter
	[ "$(rows)" = "$(wanted)" ]
}

@test "a database that stays with a rollback journal works, too" {
	sqlite3 m.db 'PRAGMA journal_mode=DELETE' >/dev/null
	sqlite3 m.db <t.sql
	hold_db 'BEGIN; SELECT * FROM t; SELECT 1;'
	fill a 1 3
	# The reader keeps it from becoming a WAL database, and then from being written.
	run -75 evlog project m -j p.jq --into sqlite:m.db -w 100ms
	release_db
	evlog project m -j p.jq --into sqlite:m.db
	[ "$(rows)" = "$(wanted)" ]
}

@test "two projects of one name: the second waits, -w 0 is exit 75, and it takes over" {
	fill a 1 3
	begin "${db[@]}" -f
	run -75 --separate-stderr p -w 0
	[[ $stderr == *"held by another process"* ]]
	evlog project "${db[@]}" -f 3>&- &
	second=$!
	started $second
	kill -9 "$pid"
	fill a 4 6
	wait_for 20 right
	kill $second
	exits_with 143 wait $second
	right
}

# --- kills and signals ---

@test "a killed helper is exit 71; the next run goes on where the database is" {
	fill a 1 3
	begin "${db[@]}" -f
	wait_for 20 at 3
	kill -9 "$(pgrep -P "$pid" evlog-sqlite)"
	fill a 4 6
	exits_with 71 wait "$pid"
	p
	right
}

@test "a killed jq ends it, and the next run goes on" {
	fill a 1 3
	begin "${db[@]}" -f
	wait_for 20 at 3
	kill -9 "$(pgrep -P "$pid" -x jq)"
	fill a 4 6
	exits_with 65 wait "$pid" 2>/dev/null
	p
	right
}

@test "-f goes on with what comes; a signal ends it with nothing half done" {
	fill a 1 3
	for signal in TERM:143:6 INT:130:9 HUP:129:12; do
		IFS=: read -r name code end <<<"$signal"
		begin "${db[@]}" -f
		fill a $((end - 2)) "$end"
		wait_for 20 at "$end"
		kill -s "$name" "$pid"
		exits_with "$code" wait "$pid"
		right
		[ "$(jq -r .event status | tail -n 1)" = ended ]
		evlog cursor lag m --max 0
	done
}

@test "at a signal the batch under way is finished" {
	fill a 1 5
	echo .data.n >c.jq
	begin c -j c.jq -n 3 \
	    --into 'cmd:cat >>got; touch began; until [ -e go ]; do sleep 0.01; done'
	wait_for 20 test -e began
	kill "$pid"
	touch go
	exits_with 143 wait "$pid"
	[ "$(paste -sd ' ' got)" = "1 2 3" ]
	rm began go
	begin c -j c.jq --into 'cmd:cat >>got; touch began; sleep 60' -n 3
	wait_for 20 test -e began
	kill "$pid"
	wait_for 20 grep -q "ShdPnd:.*0000000000000000" "/proc/$pid/status"
	kill "$pid"
	exits_with 143 wait "$pid"
	[ "$(evlog cursor lag c)" -eq 2 ]
}

@test "-f moves over what is not selected, at most a second later" {
	fill order-1 1 3
	begin "${db[@]}" 'order-*' -f
	fill other 4 9
	wait_for 20 at 9
	wait_for 20 evlog cursor lag m --max 0
}

@test "kill -9 at any moment: in the end no row is wrong" {
	for ((i = 0; i < $(rounds 6); i++)); do
		fill "a-$((i % 3))" $((i * 50 + 1)) $((i * 50 + 50)) 9
		evlog project "${db[@]}" -n 3 2>/dev/null &
		one=$!
		evlog project "${dir[@]}" -n 3 2>/dev/null &
		two=$!
		sleep 0.0$((RANDOM % 9 + 1))
		kill -9 $one $two 2>/dev/null || :
		wait $one $two 2>/dev/null || :
	done
	wait_for 20 p
	f
	[ "$(rows)" = "$(wanted)" ]
	[ "$(files)" = "$(wanted)" ]
	[ "$(sqlite3 m.db 'PRAGMA integrity_check')" = ok ]
}

# --- disks ---

@test "a full disk is exit 74; with room again it goes on, and nothing is half applied" {
	export -f rows files wanted exits_with project_setup evlog_setup
	on_small_disk 3m '
	cp ../p.jq ../t.sql . &&
	yes "$(printf "x%.0s" {1..1000})" | head -n 300 | jq -Rc "{n: input_line_number, x: .}" |
	    EVLOG_STORE=$PWD/../s evlog append a -q -t T &&
	export EVLOG_STORE=$PWD/../s &&
	echo "{upsert: \"t\", key: {id: \"\(.data.n)\"}, set: {x: (.data.x * 10)}}" >p.jq &&
	echo "CREATE TABLE t(id PRIMARY KEY, x);" >t.sql &&
	exits_with 74 evlog project m -j p.jq --into sqlite:m.db --schema t.sql -n 20 2>../said &&
	grep -q "m.db" ../said &&
	[ "$(sqlite3 m.db "SELECT count(*) = max(sequence) FROM t, evlog_projection")" = 1 ] &&
	rm -f m.db* && exits_with 74 evlog project f -j p.jq --into file:f -n 20 2>../said &&
	grep -q "No space left on device" ../said &&
	n=$(sed -n "s/^sequence 0*//p" f/.evlog/state) && [ "$n" -gt 0 ] &&
	mount -o remount,size=40m "$PWD" && evlog project f -j p.jq --into file:f -n 20 &&
	[ "$(ls f/t | wc -l)" -eq 300 ]'
}

@test "damage in the log stops it with exit 8, and --skip-damaged goes on" {
	fill a 1 3
	fill b 4 6
	fill c 7 9
	flip_bit "$(segment)" $(($(offset_of 5) + 60))
	run -8 --separate-stderr p
	[[ $stderr == *"sequence 5 is missing"* ]]
	[ "$(position)" -le 4 ]
	run -8 p --skip-damaged
	[ "$(rows)" = $'a 3 6 3\nb 6 10 2\nc 9 24 3' ]
	run -8 evlog project files -j p.jq --into file:files --skip-damaged
	[ "$(files files)" = "$(rows)" ]
}

@test "a store that has lost what the model has is refused, also when new events took the place" {
	fill a 1 5
	cp -a s before
	fill a 6 9
	p
	evlog project files -j p.jq --into file:files
	rm -rf s
	mv before s
	run -78 --separate-stderr p
	[[ $stderr == *"the store has lost events that are in the model"*"--rebuild"* ]]
	fill a 10 19
	run -78 p
	run -78 evlog project files -j p.jq --into file:files
	p --rebuild
	evlog project files -j p.jq --into file:files --rebuild
	[ "$(rows)" = "$(wanted)" ]
	[ "$(files files)" = "$(wanted)" ]
}

# --- commands ---

@test "a command gets what the program says, one value a line, batch by batch" {
	fill a 1 5
	echo 'if .data.n == 3 then empty else .data.n, "x\(.data.n)" end' >c.jq
	run -0 evlog project c -j c.jq --into 'cmd:cat; echo "$EVLOG_FIRST $EVLOG_LAST"' -n 2
	[ "$(digits <<<"${lines[2]}")" = "00000000000000000003 00000000000000000004" ] ||
	    [ "$(paste -sd , <<<"$output" | sed 's/0\{10,\}//g')" = \
	    '1,"x1",2,"x2",1 2,4,"x4",3 4,5,"x5",5 5' ]
	run -0 evlog project c -j c.jq --into 'cmd:cat'
	[ -z "$output" ]
	echo empty >none.jq
	run -0 evlog project none -j none.jq --into 'cmd:echo ran'
	[ -z "$output" ]
	evlog cursor lag none --max 0
	run -0 evlog project env -j c.jq -n 1 \
	    --into 'cmd:cat >/dev/null; echo "$EVLOG_STORE" "$EVLOG_CAUSATION"'
	[[ ${lines[0]} == "$EVLOG_STORE e-1" ]]
}

@test "the command's status: 75 again after a pause, another one ends it and passes through" {
	fill a 1 5
	echo .data.n >c.jq
	run -0 evlog project c -j c.jq -n 2 \
	    --into 'cmd:cat >>got; test $(wc -l <got) -ge 6 || exit 75'
	[ "$(paste -sd ' ' got)" = "1 2 1 2 1 2 3 4 5" ]
	run -7 --separate-stderr evlog project d -j c.jq --into 'cmd:cat; exit 7' -n 2
	[ "$output" = $'1\n2' ]
	[[ $stderr == *"the command ended with status 7"*"events from 1 on"* ]]
	run -7 evlog project d -j c.jq --into 'cmd:cat; exit 7' -n 2
	run -137 evlog project d -j c.jq --into 'cmd:kill -9 $$'
	run -127 evlog project d -j c.jq --into 'cmd:no-such-command'
	run -0 evlog project d -j c.jq --into cmd:cat
	[ "${#lines[@]}" -eq 5 ]
	run -124 --separate-stderr evlog project e -j c.jq --into 'cmd:sleep 60' --timeout 2s
	[[ $stderr == *"the command needs longer than --timeout"* ]]
}

@test "a command has no rows, and a changed program names what to do" {
	fill a 1 2
	echo .data.n >c.jq
	evlog project c -j c.jq --into cmd:cat >/dev/null
	echo '.data.n + 1' >c.jq
	run -78 --separate-stderr evlog project c -j c.jq --into cmd:cat
	[[ $stderr == *"--accept"*"evlog cursor rm c"* ]]
	fill a 3 3
	[ "$(evlog project c -j c.jq --into cmd:cat --accept)" = 4 ]
	evlog cursor rm c
	[ "$(evlog project c -j c.jq --into cmd:cat | paste -sd ' ')" = "2 3 4" ]
}

# --- the command line ---

@test "--status-fd has a line for each step, after it is on disk" {
	poison
	evlog project m -j p.jq --into file:m --park --status-fd 4 4>status 2>/dev/null
	[ "$(jq -r '"\(.event) \((.last // 0) | tonumber)"' status | paste -sd ,)" = \
	    'taken 0,parked 3,applied 5,ended 5' ] ||
	    [ "$(jq -r '"\(.event) \((.last // 0) | tonumber)"' status | paste -sd ,)" = \
	    'taken 0,parked 3,applied 5,applied 6,ended 6' ]
	run -65 evlog project n -j p.jq --into file:n --status-fd 4 4>status
	[ "$(jq -c 'select(.event == "ended") | .status' status)" = 65 ]
}

@test "wrong usage is exit 64 and one line" {
	fill a 1 1
	while IFS= read -r args; do
		eval "run -64 --separate-stderr evlog project $args"
		[[ -z $output && ${#stderr_lines[@]} -eq 1 ]] || { echo "$args: $stderr" && false; }
	done <<-'END'
	m
	m -j p.jq
	m --into file:m
	-j p.jq --into file:m
	m a b -j p.jq --into file:m
	m a --all -j p.jq --into file:m
	.m -j p.jq --into file:m
	'm x' -j p.jq --into file:m
	m -j p.jq --into postgresql:x
	m -j p.jq --into file:
	m -j p.jq --into m.db
	m -j p.jq --into file:m --once -f
	m -j p.jq --into file:m --schema t.sql
	m -j p.jq --into file:m -n 0
	m 'a/b' -j p.jq --into file:m
	END
	[ ! -e m ]
	run -66 evlog -s nowhere project m -j p.jq --into file:m
	run -66 evlog project m -j nowhere.jq --into file:m
}

# --- the helper ---

@test "evlog-sqlite moves a position only from where the caller believes it to be" {
	local open='{"do":"open","name":"m","store":"0123","program":"p","selector":"--all"'
	local answer
	row() { echo "00000000000000000003 [{\"upsert\":\"t\",\"key\":{\"id\":\"$1\"}}]"; }
	apply() {
		printf '%s,"wait_ms":0,"schema":"%s"}\n' "$open" "$(cat t.sql)"
		printf '{"do":"apply","count":1,"from":%s,"to":3,"recorded":0,"park":false}\n' "$1"
		echo "$2"
	}
	helper=$(dirname "$(command -v evlog)")/../libexec/evlog-sqlite
	answer=$(apply 0 "$(row a)" | "$helper" m.db | tail -n 1)
	[ "$answer" = '{"sequence":"00000000000000000003"}' ]
	answer=$(apply 0 "$(row b)" | "$helper" m.db | tail -n 1)
	[[ $answer == '{"error":75,'* ]]
	[ "$(sqlite3 m.db 'SELECT group_concat(id) FROM t')" = a ]
	# Half a request is none.
	apply 3 "$(row c)" | head -c -1 | "$helper" m.db
	[ "$(sqlite3 m.db 'SELECT group_concat(id) FROM t')" = a ]
	run -64 "$helper"
	run -70 "$helper" m.db <<<'{"do":"sing"}'
	run -70 "$helper" m.db <<<'nonsense'
}
