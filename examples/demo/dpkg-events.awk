# dpkg-events.awk: makes events of a dpkg.log, one stream a package, for evlog append --batch.
#
# usage: awk -v zone=+02:00 -f dpkg-events.awk packages dpkg.log
#
# packages has lines "NAME:ARCH VERSION", what dpkg-query knows; dpkg.log all parts of the log, the
# oldest first. A package that the log does not name begins with a Seeded event. The id of an event
# is made from its line, so that the same line is always the same event.

function quote(s) {
	gsub(/\\/, "\\\\", s)
	gsub(/"/, "\\\"", s)
	return "\"" s "\""
}

function event(package, type, id, time, data) {
	return "{\"stream\":" quote("package-" package) ",\"type\":\"" type "\",\"id\":" quote(id) \
	    (time == "" ? "" : ",\"time\":\"" time "\"") ",\"data\":" data "}"
}

function version_data(version) { return "{\"version\":" quote(version) "}" }

function from_to(from, to) { return "{\"from\":" quote(from) ",\"to\":" quote(to) "}" }

# The same line may stand there twice within a second: the id then ends in a count.
function log_event(package, type, data,    id) {
	id = $0
	gsub(/ /, "_", id)
	seen[id]++
	if (seen[id] > 1)
		id = id "_" seen[id]
	logged[package] = 1
	lines[++count] = event(package, type, id, $1 "T" $2 zone, data)
}

BEGIN {
	types["configure"] = "Configured"
	types["remove"] = "Removed"
	types["purge"] = "Purged"
	types["trigproc"] = "TriggersProcessed"
}
FILENAME == ARGV[1] { known[$1] = $2; order[++packages] = $1; next }
$1 !~ /^[0-9]+-[0-9]+-[0-9]+$/ || $2 !~ /^[0-9]+:[0-9]+:[0-9]+$/ { next }
$3 == "install" { log_event($4, "Installed", from_to($5, $6)) }
$3 == "upgrade" { log_event($4, "Upgraded", from_to($5, $6)) }
$3 in types { log_event($4, types[$3], version_data($5)) }
$3 == "status" && NF >= 6 {
	log_event($5, "StatusChanged", "{\"status\":" quote($4) ",\"version\":" quote($6) "}")
}
END {
	for (i = 1; i <= packages; i++)
		if (!(order[i] in logged))
			print event(order[i], "Seeded", "seeded", "", version_data(known[order[i]]))
	for (i = 1; i <= count; i++)
		print lines[i]
}
