# What evlog-project(1) promises about query: rows of a model, and reading what was written.

load lib/project

setup() { project_setup; }
teardown() { evlog_teardown; }

@test "query prints one row as JSON, exit 1 and nothing when there is none" {
	fill a 1 3
	p
	f
	[ "$(evlog query m a)" = '{"id":"a","last":3,"sum":6,"n":3}' ]
	[ "$(evlog query f a)" = \
	    '{"id":"a","last":3,"sum":6,"n":3,"_sequence":"00000000000000000003"}' ]
	[ "$(evlog query m t/a)" = "$(evlog query m a)" ]
	[ "$(evlog query f t/a)" = "$(evlog query f a)" ]
	for name in m f; do
		for key in b t/b A t/ ''; do
			run -1 --separate-stderr evlog query $name "$key"
			[ -z "$output$stderr" ]
		done
	done
}

@test "a receipt's sequence is waited for: who has written reads what was written" {
	fill a 1 3
	begin "${db[@]}" -f
	evlog project "${dir[@]}" -f 3>&- 4>&- &
	started $!
	wait_for 20 evlog query f --min-seq 3
	for ((i = 4; i < 24; i++)); do
		seq=$(echo "{\"n\":$i}" | evlog append a -t T | jq -r .sequence)
		[ "$(evlog query m a --min-seq "$seq" | jq .last)" -eq $i ]
		[ "$(evlog query f a --min-seq "$seq" | jq .last)" -eq $i ]
	done
	# Without a key it only waits: then all is in the files.
	seq=$(echo '{"n":99}' | evlog append a -t T | jq -r .sequence)
	run -0 --separate-stderr evlog query f --min-seq "$seq"
	[ -z "$output$stderr" ]
	[ "$(jq .last m/t/a.json)" -eq 99 ]
}

@test "a sequence that does not come is exit 75 after --timeout" {
	fill a 1 3
	p
	f
	evlog project c -j p.jq --into 'cmd:cat >/dev/null'
	for name in m f c; do
		evlog query $name --min-seq 3
		run -75 --separate-stderr evlog query $name --min-seq 4 --timeout 100ms
		[ -z "$output" ]
		[[ $stderr == *"the model is at 3 and has not come to 4 in time"* ]]
	done
	run -75 evlog query m a --min-seq 4 --timeout 0
	[ "$(evlog query m a --min-seq 00000000000000000003 | jq .n)" -eq 3 ]
}

@test "which table, when there are several, has to be said" {
	cat >two.jq <<-'END'
	{upsert: "orders", key: {id: .subject}, add: {n: 1}},
	{upsert: "li/nes", key: {line: .data.n, "an order": .subject}, set: {x: "\(.data.n)/é"}}
	END
	echo 'CREATE TABLE orders(id TEXT PRIMARY KEY, n); CREATE TABLE "li/nes"("an order" TEXT,
	    line INTEGER, x, PRIMARY KEY(line, "an order"));' >two.sql
	fill a 1 2
	evlog project d -j two.jq --into sqlite:two.db --schema two.sql
	evlog project e -j two.jq --into file:two
	for name in d e; do
		[ "$(evlog query $name orders/a | jq .n)" -eq 2 ]
		run -64 --separate-stderr evlog query $name a
		[[ $stderr == *"which table? TABLE/KEY, and the tables are"*orders* ]]
	done
	[ "$(ls -d two/*/)" = $'two/li%2Fnes/\ntwo/orders/' ]
	[ "$(jq -r .x 'two/li%2Fnes/a,2.json')" = "2/é" ]
}

@test "a key of several columns is several operands, in the order of their names" {
	cat >l.jq <<-'END'
	{upsert: "lines", key: {line: .data.n, at: .subject}, set: {x: .data.n}}
	END
	echo 'CREATE TABLE lines(line INTEGER, at TEXT, x, PRIMARY KEY(line, at));' >l.sql
	fill a 1 3
	evlog project d -j l.jq --into sqlite:l.db --schema l.sql
	evlog project e -j l.jq --into file:l
	for name in d e; do
		[ "$(evlog query $name a 2 | jq .x)" -eq 2 ]
		[ "$(evlog query $name lines/a 3 | jq .x)" -eq 3 ]
		run -1 evlog query $name a 4
		run -1 evlog query $name 2 a
	done
	run -64 --separate-stderr evlog query d a
	[[ $stderr == *"the key of table 'lines' has 2 columns"* ]]
	run -64 evlog query d a 1 2
}

@test "keys with slashes, spaces, commas and numbers are found" {
	echo '{upsert: "t", key: {k: .data}}' >k.jq
	echo 'CREATE TABLE t(k PRIMARY KEY);' >k.sql
	printf '%s\n' '"a/b"' '"a b,c%"' '42' '"-7"' '""' '"é\"'"'"'"' '"../x"' |
	    evlog append a -q -t T 2>/dev/null
	evlog project d -j k.jq --into sqlite:k.db --schema k.sql
	evlog project e -j k.jq --into file:k
	for name in d e; do
		for key in a/b 'a b,c%' 42 -7 '' 'é"'"'" ../x; do
			run -0 evlog query $name -- "t/$key"
			[ "$(jq -r .k <<<"$output")" = "$key" ]
		done
	done
}

@test "numbers come out as they went in" {
	echo '{upsert: "t", key: {k: .data}, set: {v: .data}}' >k.jq
	echo 'CREATE TABLE t(k PRIMARY KEY, v);' >k.sql
	printf '%s\n' 0.1 0.30000000000000004 1e300 -2.5 9007199254740992 123456.789 |
	    evlog append a -q -t T 2>/dev/null
	evlog project d -j k.jq --into sqlite:k.db --schema k.sql
	for n in 0.1 0.30000000000000004 1e300 -2.5 9007199254740992 123456.789; do
		seq=$(sqlite3 k.db "SELECT rowid FROM t WHERE k = $n")
		sqlite3 k.db "UPDATE t SET k = 'key' WHERE rowid = $seq"
		[ "$(evlog query d key | jq -c .v)" = "$(jq -c . <<<"$n")" ]
		sqlite3 k.db "UPDATE t SET k = rowid WHERE rowid = $seq"
	done
}

@test "a row of a batch that was cut short by a crash is the new one" {
	fill a 1 3
	f
	# As a writer leaves it that is killed before the files are replaced.
	cp -a m old
	fill a 4 4
	f
	cp m/.evlog/state state
	rm -r m
	mv old m
	sed '1s/applied/pending/' state >m/.evlog/state
	[ "$(jq .last m/t/a.json)" -eq 3 ]
	[ "$(evlog query f a --min-seq 4 | jq .last)" -eq 4 ]
	# Who looks into the files himself has to wait.
	run -75 evlog query f --min-seq 4 --timeout 100ms
	evlog query f --min-seq 3
	f
	[ "$(jq .last m/t/a.json)" -eq 4 ]
	evlog query f --min-seq 4
}

@test "query follows a model that moved, and needs no jq" {
	fill a 1 3
	p
	mkdir there
	mv m.db* there
	evlog project m -j p.jq --into sqlite:there/m.db
	cd there
	PATH=${B:-}/bin evlog query m a
}

@test "a second place for a model is refused, --rebuild or a new cursor allow it" {
	fill a 1 3
	p
	run -78 --separate-stderr evlog project m -j p.jq --into sqlite:typo.db --schema t.sql
	[[ $stderr == *"its model is sqlite:$PWD/m.db"*"--rebuild"* ]]
	[ ! -e typo.db ]
	run -78 evlog project m -j p.jq --into file:m
	run -78 evlog project m -j p.jq --into cmd:cat
	evlog project m -j p.jq --into file:m --rebuild
	[ "$(evlog query m a | jq .n)" -eq 3 ]
	evlog cursor rm m
	[ "$(evlog project m -j p.jq --into cmd:cat | wc -l)" -eq 3 ]
}

@test "what is not there is named" {
	fill a 1 1
	run -66 --separate-stderr evlog query nobody a
	[[ $stderr == *"there is no projection 'nobody'"* ]]
	run -66 evlog -s nowhere query m a
	run -64 evlog query
	run -64 evlog query m
	run -64 evlog query m /a
	run -64 evlog query 'a b' c
	evlog project c -j p.jq --into 'cmd:cat >/dev/null'
	run -78 --separate-stderr evlog query c a
	[[ $stderr == *"only the command knows"* ]]
	p
	run -78 --separate-stderr evlog query m nowhere/a
	[[ $stderr == *"there is no table 'nowhere' with a primary key"* ]]
	rm m.db*
	run --separate-stderr evlog query m a
	[[ $status -eq 66 && $stderr == *"m.db': "*"No such file or directory"* ]]
	f
	rm -r m
	run -1 evlog query f a
}

@test "names from the command line are names, never SQL" {
	fill a 1 1
	p
	run -78 evlog query m 't" WHERE 1; --/a'
	run -1 evlog query m "' OR 1=1 --"
	run -1 evlog query m t/t/a
}
