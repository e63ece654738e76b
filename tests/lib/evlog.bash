# Helpers for the suites of evlog: load lib/evlog
#
# Each test has a directory and a store of its own, $EVLOG_STORE, which does not exist yet.

bats_require_minimum_version 1.5.0
load lib/common

evlog_setup() {
	cd "$BATS_TEST_TMPDIR" || exit
	export EVLOG_STORE=$BATS_TEST_TMPDIR/s
}

# started PID: a process in the background that ends with the test.
children=()
started() { children+=("$1"); }
evlog_teardown() {
	local pid
	for pid in "${children[@]}"; do
		stop "$pid"
	done
}

# data FROM TO: lines of data, {"n":FROM} to {"n":TO}.
data() { seq -f '{"n":%.0f}' "$1" "$2"; }

# events FROM TO: lines with ids e-FROM to e-TO, type T, and data as above.
events() {
	seq "$1" "$2" | sed 's/.*/{"id":"e-&","type":"T","data":{"n":&}}/'
}

# endless: data that never ends, in long lines, so that few of them are in a pipe.
endless() { yes "\"$(printf 'x%.0s' {1..2000})\""; }

# fill STREAM FROM TO [N]: append events quietly, N (10) a commit, making the store if need be.
fill() { events "$2" "$3" | evlog append "$1" -q --commit "${4-10}" 2>/dev/null; }

# tsv SELECTOR...: stream, version, type and data of what read prints, separated by spaces.
tsv() { evlog read "$@" -o tsv | cut -f 2-4,6 | tr '\t' ' '; }

# digits: the numbers of some lines of data, in one line; numbers SELECTOR...: of events.
digits() { sed 's/[^0-9]//g' | paste -sd ' '; }
numbers() { evlog read "$@" -o data | digits; }

# receipts_sum FILE...: how many events these receipts say were written.
receipts_sum() { jq -s 'map(.count) | add // 0' "$@"; }

lines_in() { wc -l <"$1"; }
has_event() { evlog get "$1" >/dev/null 2>&1; }
has_lines() { [ "$(lines_in "$2")" -ge "$1" ]; } # N FILE

# Sequences are 1, 2, 3, ... and in each stream versions are 0, 1, 2, ...: nothing is missing and
# nothing is there twice.
assert_dense() {
	evlog read --all -o tsv | LC_ALL=C awk -F '\t' '
	$1 + 0 != NR { print "sequence " $1 " in line " NR; bad = 1 }
	$3 != versions[$2] + 0 { print $2 " has version " $3 " in line " NR; bad = 1 }
	{ versions[$2] = $3 + 1 }
	END { exit bad }'
}

# The file of the log that was made last.
segment() {
	local files=("$EVLOG_STORE"/log/*.evl)
	echo "${files[-1]}"
}

# offset_of SEQ [FILE]: where the event begins in its file.
offset_of() {
	LC_ALL=C grep -ab "^.\{38\}$(printf '%012x' "$1") " "${2-$(segment)}" | cut -d: -f1
}

# flip_bit FILE OFFSET [BIT]
flip_bit() {
	local byte
	byte=$(od -An -tu1 -j "$2" -N 1 "$1")
	# shellcheck disable=SC2059 # the format is the byte
	printf "\\x$(printf %02x $((byte ^ (1 << ${3-0}))))" |
	    dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# mounted COMMAND...: run it where it may mount file systems; they vanish at its end.
mounted() {
	if [ "$(id -u)" -eq 0 ]; then
		unshare -m "$@"
	else
		unshare -Urm "$@"
	fi
}

needs_mount() {
	mkdir -p "$BATS_TEST_TMPDIR/probe"
	mounted mount -t tmpfs none "$BATS_TEST_TMPDIR/probe" 2>/dev/null ||
	    skip "by design: mounting is not permitted here"
}

# hold_lock [BYTE]: another process has the writer lock, or that byte of the lock file, until it is
# stopped; its id in $holder.
hold_lock() {
	command -v perl >/dev/null || skip "by design: perl is not installed"
	# F_OFD_SETLK with F_WRLCK; a struct flock of 64 bits.
	perl -e 'open F, "+<", $ARGV[0] or die; my $lock = pack("ssx4qqix4", 1, 0, $ARGV[1], 1, 0);
	    fcntl(F, 37, $lock) or die; $| = 1; print "held\n"; sleep 600' \
	    s/lock "${1-0}" >held 3>&- &
	holder=$!
	started $holder
	wait_for 20 test -s held
}

# on_small_disk SIZE SCRIPT: run it in a directory on a file system of that size.
on_small_disk() {
	needs_mount
	mkdir -p disk
	export -f data events fill receipts_sum assert_dense segment
	! declare -F run_examples >/dev/null || export -f run_examples
	SIZE=$1 SCRIPT=$2 mounted bash -c 'mount -t tmpfs -o size=$SIZE none disk && cd disk &&
	    export EVLOG_STORE=$PWD/s && eval "$SCRIPT"'
}

# on_read_only SCRIPT: run it while the store cannot be written: root needs a mount for that.
on_read_only() {
	! declare -F run_examples >/dev/null || export -f run_examples
	if [ "$(id -u)" -eq 0 ]; then
		needs_mount
		mounted bash -c "mount --bind s s && mount -o remount,ro,bind s && $1"
	else
		chmod -R a-w s
		bash -c "$1"
		chmod -R u+w s
	fi
}

# bad_line LINE [OPTION...]: a good line, then this one: exit 65 that names line 2; the good one
# was committed and acknowledged.
bad_line() {
	local before line=$1
	shift
	before=$(evlog version a)
	[ "$before" != none ] || before=-1
	printf '%s\n' '{"type":"T","data":{"n":1}}' "$line" >bad_line
	run -65 --separate-stderr evlog append a "$@" <bad_line
	[[ $stderr == "evlog: line 2: "* && ${#stderr_lines[@]} -eq 1 ]]
	[ "$(jq .count <<<"$output")" = 1 ]
	[ "$(evlog version a)" -eq $((before + 1)) ]
}

# Skip the test where system calls cannot be traced; the leak check of a sanitizer is a tracer, too.
can_trace() {
	[ -z "${SHOAL_SAN-}" ] || skip "by design: sanitizers do not work under strace"
	command -v strace >/dev/null || skip "by design: strace is not installed"
}
