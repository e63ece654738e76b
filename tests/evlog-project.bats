# What evlog-project(1) promises about project: programs, targets, positions.

load lib/project
load lib/examples

setup() { project_setup; }
teardown() { evlog_teardown; }

@test "the examples of evlog-project(1) do what they say" {
	unset EVLOG_STORE
	run_examples "$BATS_TEST_DIRNAME/../man/evlog-project.1"
}

# --- what gets into a model ---

@test "each event counts once, however often and in whatever batches" {
	fill a 1 30
	fill b 31 60 7
	p -n 7
	[ "$(rows)" = "$(wanted)" ]
	[ "$(position)" -eq 60 ]
	p
	[ "$(rows)" = "$(wanted)" ]
	fill a 61 99
	p -n 1
	[ "$(rows)" = "$(wanted)" ]
	[ "$(rows)" = $'a 99 3585 69\nb 60 1365 30' ]
}

@test "a model of files is the same, row by row" {
	fill a 1 30
	fill b 31 60 7
	f -n 7
	[ "$(files)" = "$(wanted)" ]
	fill a 61 99
	echo '{"type":"Gone"}' | evlog append b -q
	f
	[ "$(files)" = "$(wanted)" ]
	[ ! -e m/t/b.json ]
	fill b 100 101
	f
	[ "$(files)" = "$(wanted)" ]
	[ "$(cat m/t/a.json)" = \
	    '{"id":"a","last":99,"sum":3585,"n":69,"_sequence":"00000000000000000099"}' ]
}

@test "random events, deletes and batch sizes: database and files agree with the log" {
	RANDOM=${SEED:=$RANDOM}
	echo "SEED=$SEED"
	for ((round = 0; round < 4; round++)); do
		for ((i = 0; i < 300; i++)); do
			if ((RANDOM % 5 == 0)); then
				echo "{\"stream\":\"s-$((RANDOM % 12))\",\"type\":\"Gone\"}"
			else
				echo "{\"stream\":\"s-$((RANDOM % 12))\",\"type\":\"T\"," \
				    "\"data\":{\"n\":$((RANDOM % 1000 - 300))}}"
			fi
		done | evlog append --batch -q 2>/dev/null
		p -n $((1 + RANDOM % 400))
		evlog project files -j p.jq --into file:m -n $((1 + RANDOM % 400))
		[ "$(rows)" = "$(wanted)" ]
		[ "$(files)" = "$(wanted)" ]
	done
	p --rebuild -n 33
	evlog project files -j p.jq --into file:m --rebuild -n 33
	[ "$(rows)" = "$(wanted)" ]
	[ "$(files)" = "$(wanted)" ]
}

@test "only what the selector takes, and never the store's own streams" {
	fill order-1 1 3
	fill user-1 4 5
	p 'order-*'
	[ "$(rows)" = "$(wanted 'order-*')" ]
	[ "$(position)" -eq 5 ]
	run -78 p
	p 'order-*' -n 1
	evlog consume parker -- sh -c 'exit 65' 2>/dev/null
	[ "$(evlog version '$parked-parker')" != none ]
	evlog project all -j p.jq --into file:all
	[ "$(files all)" = "$(wanted)" ]
	echo '{upsert: "t", key: {id: .data.sequence}}' >parked.jq
	evlog project parked '$parked-parker' -j parked.jq --into file:parked
	[ "$(find parked/t -name '*.json' | wc -l)" -eq 5 ]
}

@test "the cursor follows the model, and lags by nothing at the end" {
	fill order-1 1 3
	p 'order-*'
	[ "$(evlog cursor ls | cut -f 1-3)" = $'m\t00000000000000000003\t0' ]
	fill other 4 9
	p 'order-*'
	evlog cursor lag m --max 0
}

@test "the model decides, whatever the cursor says" {
	fill a 1 9
	p
	evlog cursor rm m
	p
	[ "$(rows)" = "$(wanted)" ]
	rm -f m.db*
	p
	[ "$(rows)" = "$(wanted)" ]
	evlog project files -j p.jq --into file:files
	rm -r files
	evlog project files -j p.jq --into file:files
	[ "$(files files)" = "$(wanted)" ]
	cp -a files old
	fill a 10 12
	evlog project files -j p.jq --into file:files
	rm -r files
	mv old files
	evlog project files -j p.jq --into file:files
	[ "$(files files)" = "$(wanted)" ]
}

@test "nothing selected, nothing said: empty stores and programs that say nothing" {
	evlog init
	p
	f
	[ -z "$(rows 2>/dev/null)$(files)" ]
	fill a 1 3
	p
	[ "$(rows)" = "$(wanted)" ]
	echo empty >none.jq
	evlog project none -j none.jq --into file:none
	[ "$(state none)" -eq 3 ]
	[ "$(ls none)" = "" ]
}

@test "an event may say many things, and all of them count or none" {
	fill a 1 2
	cat >many.jq <<-'END'
	range(3) as $i | {upsert: "t", key: {id: "\(.subject)-\($i)"}, add: {n: ., sum: $i}}
	END
	sed -i 's/n: \./n: 1/' many.jq
	evlog project m -j many.jq --into sqlite:m.db --schema t.sql
	[ "$(sqlite3 m.db 'SELECT id, n, sum FROM t')" = $'a-0|2|0\na-1|2|2\na-2|2|4' ]
}

@test "an event of 4 MiB gets through" {
	{ printf '{"n":1,"x":"'; head -c 4000000 /dev/zero | tr '\0' y; echo '"}'; } |
	    evlog append a -q -t T 2>/dev/null
	fill a 2 3
	p
	[ "$(rows)" = "a 3 6 3" ]
}

# --- values ---

@test "values keep their types in SQLite" {
	cat >v.jq <<-'END'
	{upsert: "v", key: {k: "x"}, set: {i: 9007199254740992, r: 1.5, t: "a\u0000b\"é", z: null,
	    b: true, c: false, a: [1, {b: 2}], o: {}, neg: -7, e: 1e300}}
	END
	echo 'CREATE TABLE v(k PRIMARY KEY, i, r, t, z, b, c, a, o, neg, e);' >v.sql
	fill a 1 1
	evlog project v -j v.jq --into sqlite:v.db --schema v.sql
	[ "$(sqlite3 v.db 'SELECT i, typeof(i), r, typeof(r), hex(t), typeof(z), b, c, a, o, neg,
	    typeof(e) FROM v')" = \
	    '9007199254740992|integer|1.5|real|61006222C3A9|null|1|0|[1,{"b":2}]|{}|-7|real' ]
	[ "$(evlog query v x | jq -c '[.i, .t, .a]')" = \
	    '[9007199254740992,"a\u0000b\"é","[1,{\"b\":2}]"]' ]
}

@test "names from events are names, never SQL" {
	cat >n.jq <<-'END'
	{upsert: .data.table, key: {(.data.column): 1}, set: {x: "y"}}
	END
	echo 'CREATE TABLE "a""b; DROP TABLE t; --"("k"" OR 1=1" PRIMARY KEY, x);
	    CREATE TABLE t(id PRIMARY KEY, x); INSERT INTO t VALUES(1, 2), (3, 4);' >n.sql
	echo '{"table":"a\"b; DROP TABLE t; --","column":"k\" OR 1=1"}' |
	    evlog append a -q -t T 2>/dev/null
	evlog project n -j n.jq --into sqlite:n.db --schema n.sql
	[ "$(sqlite3 n.db 'SELECT * FROM "a""b; DROP TABLE t; --"')" = '1|y' ]
	# A name of no column is an error: not a string, which all rows would match.
	echo '{delete: "t", key: {"3": "3"}}' >d.jq
	run -65 --separate-stderr evlog project d -j d.jq --into sqlite:n.db
	[[ $stderr == *"sequence 1 of stream 'a': d.jq: output 1: no such column: t.3"* ]]
	[ "$(sqlite3 n.db 'SELECT count(*) FROM t')" -eq 2 ]
	for name in evlog_projection sqlite_master EVLOG_Projection; do
		echo "{upsert: \"$name\", key: {name: \"d\"}, set: {sequence: 99}}" >d.jq
		run -65 evlog project d -j d.jq --into sqlite:n.db
	done
	[ "$(sqlite3 n.db 'SELECT count(*) FROM evlog_projection')" -eq 1 ]
}

@test "names from events stay inside the directory of the model" {
	echo '{upsert: .data.table, key: {k: .data.key}}' >n.jq
	printf '%s\n' '{"table":"..","key":"../../x"}' '{"table":".evlog","key":"state"}' \
	    '{"table":"/etc","key":"."}' '{"table":"t","key":""}' \
	    '{"table":"-rf","key":"\u0000\n"}' |
	    evlog append a -q -t T 2>/dev/null
	evlog project n -j n.jq --into file:n
	find n -name '*.json' -printf '%P\n' | LC_ALL=C sort >names
	printf '%s\n' %2Drf/%00%0A.json %2E./%2E.%2F..%2Fx.json %2Eevlog/state.json \
	    %2Fetc/%2E.json t/%.json | cmp - names
	[ ! -e x.json ]
	[ ! -e ../x.json ]
}

@test "upsert leaves other columns alone, also those that may not be NULL" {
	echo 'CREATE TABLE t(id TEXT PRIMARY KEY, who TEXT NOT NULL,
	    n INTEGER NOT NULL DEFAULT 7);' >t.sql
	cat >p.jq <<-'END'
	if .data.n == 1 then {upsert: "t", key: {id: "x"}, set: {who: "ann"}}
	else {upsert: "t", key: {id: "x"}, add: {n: 1}} end
	END
	fill a 1 3
	p
	[ "$(sqlite3 m.db 'SELECT * FROM t')" = 'x|ann|9' ]
}

@test "a table without an index of the key is an error, not a slow model" {
	echo 'CREATE TABLE t(id TEXT, last, sum, n);' >t.sql
	fill a 1 1
	run -65 --separate-stderr p
	[[ $stderr == *"ON CONFLICT clause does not match any PRIMARY KEY or UNIQUE constraint"* ]]
}

@test "sql statements take arguments, one statement each, and as many as they have" {
	cat >s.jq <<-'END'
	{sql: "INSERT INTO t(id, n) VALUES(?, ?) ON CONFLICT(id) DO UPDATE SET n = n + ?2;",
	    args: [.subject, .data.n]}
	END
	fill a 1 4
	evlog project m -j s.jq --into sqlite:m.db --schema t.sql
	[ "$(sqlite3 m.db 'SELECT id, n FROM t')" = 'a|10' ]
	while IFS='|' read -r sql args part; do
		echo "{sql: \"$sql\", args: $args}" >bad.jq
		run -65 --separate-stderr evlog project bad -j bad.jq --into sqlite:m.db
		[[ $stderr == *"sequence 1 of stream 'a': bad.jq: output 1: "*"$part"* ]] ||
		    { echo "$sql: $stderr" && false; }
	done <<-'END'
	INSERT INTO t(id) VALUES(?)|[]|1 parameters, "args" 0
	INSERT INTO t(id) VALUES(1)|[1]|0 parameters, "args" 1
	DELETE FROM t; DELETE FROM t|[]|more than one
	-- nothing|[]|no SQL statement
	COMMIT|[]|BEGIN, COMMIT
	ROLLBACK|[]|BEGIN, COMMIT
	SAVEPOINT x|[]|SAVEPOINT
	ATTACH 'x.db' AS x|[]|ATTACH
	PRAGMA journal_mode=DELETE|[]|PRAGMA
	UPDATE evlog_projection SET sequence=9|[]|evlog's own
	DROP TABLE evlog_projection|[]|evlog's own
	SELECT load_extension('x')|[]|not authorized
	INSERT OR ROLLBACK INTO t(id) VALUES('a')|[]|constraint failed
	ALTER TABLE evlog_projection RENAME TO x|[]|evlog's own
	CREATE INDEX i ON evlog_projection(store)|[]|evlog's own
	CREATE TRIGGER x AFTER INSERT ON evlog_projection BEGIN SELECT 1; END|[]|evlog's own
	REPLACE INTO evlog_projection(name) VALUES('x')|[]|evlog's own
	UPDATE sqlite_master SET sql=''|[]|may not be modified
	VACUUM|[]|VACUUM
	DETACH main|[]|ATTACH
	SELECT 'x' FROM \"nowhere\"|[]|no such table
	SELECT \"nowhere\"|[]|no such column
	END
	[ "$(sqlite3 m.db 'SELECT id, n FROM t')" = 'a|10' ]
	[ "$(position m)" -eq 4 ]
	[ ! -e x.db ]
}

# --- programs ---

@test "a trigger that the program makes is bound by the same rules" {
	cat >s.jq <<-'END'
	if .data.n == 1 then {sql: "CREATE TRIGGER x AFTER INSERT ON t BEGIN
	    UPDATE evlog_projection SET sequence = 99; END"}
	else {upsert: "t", key: {id: "x"}} end
	END
	fill a 1 2
	run -65 --separate-stderr evlog project m -j s.jq --into sqlite:m.db --schema t.sql
	[[ $stderr == *"sequence 2 of stream 'a': s.jq: output 1: the table evlog_projection is"* ]]
	[ "$(position)" -eq 1 ]
}

@test "a changed program is refused until --accept or --rebuild" {
	fill a 1 3
	p
	sed -i 's/n: 1/n: 10/' p.jq
	fill a 4 5
	run -78 --separate-stderr p
	[[ $stderr == *"the program is another one"*"--rebuild"* ]]
	[ "$(position)" -eq 3 ]
	echo '{' >bad.jq
	run -65 evlog project m -j bad.jq --into sqlite:m.db --accept
	p --accept
	[ "$(rows)" = "a 5 15 23" ]
	p
	p --rebuild
	[ "$(rows)" = "a 5 15 50" ]
	evlog project files -j p.jq --into file:files
	sed -i 's/n: 10/n: 1/' p.jq
	run -78 evlog project files -j p.jq --into file:files
	fill a 6 6
	evlog project files -j p.jq --into file:files --accept
	[ "$(files files)" = "a 6 21 51" ]
	evlog project files -j p.jq --into file:files --rebuild
	[ "$(files files)" = "a 6 21 6" ]
}

@test "a program that does not compile is exit 65 and makes nothing" {
	echo '{upsert: ' >bad.jq
	fill a 1 3
	for into in sqlite:bad.db file:bad 'cmd:cat'; do
		run -65 --separate-stderr evlog project bad -j bad.jq --into "$into"
		[[ $stderr == "evlog: bad.jq: jq: syntax error"* ]]
		[ -z "$output" ]
	done
	[ ! -e bad.db ]
	[ ! -e bad ]
	[ -z "$(evlog cursor ls)" ]
}

@test "words that would take events away or end the program are refused" {
	fill a 1 2
	for word in input 'inputs' 'first(inputs)' halt halt_error '("x" | halt_error(1))'; do
		echo "$word" >w.jq
		run -65 --separate-stderr evlog project w -j w.jq --into file:w
		[[ $stderr == *"sequence 1 of stream 'a': w.jq: "* ]]
	done
	printf '# mine\nimport "x" as x; .\n' >w.jq
	run -65 --separate-stderr evlog project w -j w.jq --into file:w
	[[ $stderr == *"import and include are not possible"* ]]
}

@test "definitions, comments and odd ends are fine in a program" {
	fill a 1 3
	printf '%s\n' '# rows' 'def row($n): {upsert: "t", key: {id: .subject}, add: {n: $n}};' \
	    'def f: row(1), (select(false) | 3);' 'f # done' >p.jq
	f
	[ "$(jq -c .n m/t/a.json)" = 3 ]
	printf '.subject | {upsert: "t", key: {id: .}} # no line end' >q.jq
	evlog project q -j q.jq --into file:q
	[ -e q/t/a.json ]
}

@test "errors of a program become one line, whatever they are made of" {
	fill a 1 1
	while IFS='|' read -r program part; do
		echo "$program" >e.jq
		run -65 --separate-stderr evlog project e -j e.jq --into file:e
		[[ $stderr == "evlog: sequence 1 of stream 'a': e.jq: $part"* &&
		    ${#stderr_lines[@]} -eq 1 ]] || { echo "$program: $stderr" && false; }
	done <<-'END'
	error("boom")|boom
	error({a: 1})|{"a":1}
	error("")|an error without a message
	error("two\nlines")|two?lines
	.data.n.x|Cannot index number with
	{upsert: "t", key: {id: "ok"}}, error("late")|late
	3|output 1: no object: 3
	{upsert: "t", key: {id: 1}}, {upsert: "t"}|output 2: without "key"
	END
	[ ! -e e/t ]
}

@test "--check names what is slow or does not come from the event" {
	printf '%s\n' '.x += 1' '| {upsert: "t", key: {id: now}}' >c.jq
	run -1 --separate-stderr evlog project --check -j c.jq
	[ -z "$stderr" ]
	[[ ${lines[0]} == "c.jq:1: +=: "* ]]
	[[ ${lines[1]} == "c.jq:2: now: depends on the time"* ]]
	[ ${#lines[@]} -eq 2 ]
	run -0 evlog project --check -j p.jq
	[ -z "$output" ]
	echo '{' >c.jq
	run -65 evlog project --check -j c.jq
	run -66 evlog project --check -j nowhere.jq
}

@test "without jq it is exit 69 and advice" {
	fill a 1 1
	mkdir bin
	ln -s "$(command -v evlog)" bin/evlog
	run -69 --separate-stderr env PATH="$PWD/bin" "$PWD/bin/evlog" project "${dir[@]}"
	[[ $stderr == *"jq is not installed"* ]]
	[ ! -e m ]
}

@test "a program that does not end has a --timeout" {
	echo 'def f: f; f' >loop.jq
	fill a 1 3
	run -124 --separate-stderr evlog project loop -j loop.jq --into file:loop --timeout 300ms
	[[ $stderr == *"loop.jq needs longer than --timeout"* ]]
}

# --- poison ---

@test "a poison event stops it: what came before is there, nothing of it, exit 65" {
	poison
	run -65 --separate-stderr p
	[[ $stderr == "evlog: sequence 3 of stream 'b': p.jq: "* && ${#stderr_lines[@]} -eq 1 ]]
	[ "$(rows)" = "a 2 3 2" ]
	[ "$(position)" -eq 2 ]
	run -65 p
	[ "$(rows)" = "a 2 3 2" ]
	run -65 --separate-stderr evlog project files -j p.jq --into file:files
	[[ $stderr == "evlog: sequence 3 of stream 'b': p.jq: "* ]]
	[ "$(files files)" = "a 2 3 2" ]
	[ "$(state files)" -eq 2 ]
}

@test "--park sets poison aside, describes it, and goes on" {
	poison
	run -0 --separate-stderr p --park
	[[ $stderr == "evlog: parked: sequence 3 of stream 'b': p.jq: "* ]]
	[ "$(rows)" = "a 5 12 4" ]
	[ "$(evlog read '$parked-m' |
	    jq -c '[.type, .id, .data.sequence, .data.stream, .data.type]')" = \
	    '["evlog.parked","00000000000000000003","00000000000000000003","b","T"]' ]
	run -0 p
	[ "$(rows)" = "a 5 12 4" ]
	evlog project files -j p.jq --into file:files --park 2>/dev/null
	[ "$(files files)" = "a 5 12 4" ]
}

@test "poison that only the target knows is found, too, among any number of events" {
	cat >c.sql <<-'END'
	CREATE TABLE t(id TEXT PRIMARY KEY, last INTEGER CHECK(last % 10 <> 7), sum, n);
	END
	fill a 1 40 40
	run -65 --separate-stderr evlog project c -j p.jq --into sqlite:c.db --schema c.sql
	[[ $stderr == *"sequence 7 of stream 'a': p.jq: output 1: CHECK constraint failed"* ]]
	[ "$(rows c.db)" = "a 6 21 6" ]
	run -0 --separate-stderr evlog project c -j p.jq --into sqlite:c.db --park
	[ ${#stderr_lines[@]} -eq 4 ]
	[ "$(rows c.db)" = "a 40 $((820 - 7 - 17 - 27 - 37)) 36" ]
	[ "$(evlog read '$parked-c' | jq -r .data.sequence | digits)" = \
	    "00000000000000000007 00000000000000000017 00000000000000000027 00000000000000000037" ]
}

@test "a statement that undoes the transaction undoes only its event" {
	cat >s.jq <<-'END'
	if .data.n == 3 then {sql: "INSERT OR ROLLBACK INTO t(id) VALUES(?)", args: ["1"]}
	else {upsert: "t", key: {id: "\(.data.n)"}} end
	END
	fill a 1 5 5
	run -65 evlog project m -j s.jq --into sqlite:m.db --schema t.sql
	[ "$(sqlite3 m.db 'SELECT group_concat(id) FROM t')" = 1,2 ]
	evlog project m -j s.jq --into sqlite:m.db --park 2>/dev/null
	[ "$(sqlite3 m.db 'SELECT group_concat(id) FROM t')" = 1,2,4,5 ]
}

@test "an event is parked once, also when a crash comes between parking and applying" {
	poison
	p --park 2>/dev/null
	# As after a crash between parking and applying: the event is parked, the model is behind.
	rm -f m.db*
	p --park 2>/dev/null
	p --park --rebuild 2>/dev/null
	[ "$(evlog read '$parked-m' | wc -l)" -eq 1 ]
	[ "$(rows)" = "a 5 12 4" ]
}
