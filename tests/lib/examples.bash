# examples: runs the examples of a man page or a Markdown page as a test.
#
# bats: load lib/examples
#       run_examples FILE [first]
# or:   bash tests/lib/examples.bash FILE [first]
#
# Examples are the literal blocks (`.Bd -literal` to `.Ed`) of the man page's section EXAMPLES,
# or the fenced blocks of a Markdown page, that hold a line beginning with "$ ":
#
#	$ command                runs in bash, in the current directory; one shell runs a page
#	> continuation           belongs to the line above
#	output                   what it prints, on both streams; "..." stands for anything in a
#	...                      line, and as a line of its own for any number of lines
#	# exit N                 its exit status, when that is not 0
#
# A command with no output lines below may print anything.  "first" stops after the first block.
# Blocks without such a line are skipped; a page with no example at all fails.

# The examples as lines: "B" block, "C text" command, "+ text" continuation, "O text", "X status".
examples_of() { # FILE
	awk -v mdoc="$([[ $1 == *.md ]] || echo 1)" '
	function plain(s) {
		if (!mdoc) return s
		gsub(/\\&/, "", s); gsub(/\\-/, "-", s); gsub(/\\\(aq/, "\047", s)
		gsub(/\\\(dq/, "\"", s); gsub(/\\\(ga/, "`", s); gsub(/\\\(ha/, "^", s)
		gsub(/\\\(ti/, "~", s); gsub(/\\e/, "\\", s); gsub(/\\\(rs/, "\\", s)
		return s
	}
	mdoc && /^\.Sh / { wanted = /^\.Sh EXAMPLES/ }
	mdoc && wanted && /^\.Bd .*-literal/ { open = 1; started = 0; next }
	mdoc && /^\.Ed/ { open = 0 }
	!mdoc && /^```/ { open = !open; started = 0; next }
	!open { next }
	/^\$ / && !started { started = 1; print "B" }
	!started { next }
	/^\$ / { print "C " plain(substr($0, 3)); next }
	/^> / { print "+ " plain(substr($0, 3)); next }
	/^# exit [0-9]+$/ { print "X " $3; next }
	{ print "O " plain($0) }' "$1"
}

# Exported, so that a test may also call it in a shell of its own.
_examples_script=$(realpath "${BASH_SOURCE[0]}")
run_examples() {
	bash "$_examples_script" "$@"
}
export _examples_script
export -f run_examples

# Everything below runs in the shell of the examples, hence the names.
_examples_matches() { # WANT-FILE GOT-FILE
	awk '
	function matches(text, pattern,    i, at, parts, n) {
		n = split(pattern, parts, /\.\.\./)
		if (n < 2) return text == pattern
		if (substr(text, 1, length(parts[1])) != parts[1]) return 0
		text = substr(text, length(parts[1]) + 1)
		for (i = 2; i < n; i++) {
			if (!(at = index(text, parts[i])) && parts[i] != "") return 0
			text = substr(text, at + length(parts[i]))
		}
		return length(text) >= length(parts[n]) &&
		    substr(text, length(text) - length(parts[n]) + 1) == parts[n]
	}
	NR == FNR { want[++wants] = $0; next }
	{ got[++gots] = $0 }
	END {
		# may[j]: the first i wanted lines can be the first j lines that came.
		may[0] = 1
		for (i = 1; i <= wants; i++) {
			split("", after)
			for (j = 0; j <= gots; j++)
				if (want[i] == "...")
					after[j] = (j > 0 && after[j - 1]) || may[j]
				else
					after[j] = j > 0 && may[j - 1] && matches(got[j], want[i])
			for (j = 0; j <= gots; j++) may[j] = after[j]
		}
		exit !may[gots + 0]
	}' "$1" "$2"
}

_examples_run() { # runs $_command; compares with $_want and $_status
	[ -n "$_command" ] || return 0
	eval "$_command" >"$_scratch/got" 2>&1 </dev/null
	_got_status=$?
	if [ "$_got_status" -ne "$_status" ]; then
		printf '$ %s\n' "$_command"
		cat "$_scratch/got"
		echo "-- exit status $_got_status, the page says $_status"
		_failed=1
	elif [ -s "$_scratch/want" ] && ! _examples_matches "$_scratch/want" "$_scratch/got"; then
		printf '$ %s\n' "$_command"
		cat "$_scratch/got"
		echo "-- but the page says:"
		cat "$_scratch/want"
		_failed=1
	fi
	_command='' _status=0
	: >"$_scratch/want"
}

_examples_main() { # FILE [first]
	_scratch=$(mktemp -d) _failed=0 _blocks=0 _command='' _status=0
	trap 'rm -rf "$_scratch"' EXIT
	: >"$_scratch/want"
	mapfile -t _lines < <(examples_of "$1")
	for _line in "${_lines[@]}"; do
		case $_line in
		B)
			_examples_run
			[ "${2-}" != first ] || [ "$_blocks" -eq 0 ] || break
			_blocks=$((_blocks + 1))
			;;
		"C "*) _examples_run && _command=${_line:2} ;;
		"+ "*) _command+=$'\n'${_line:2} ;;
		"X "*) _status=${_line:2} ;;
		"O "*) printf '%s\n' "${_line:2}" >>"$_scratch/want" ;;
		esac
	done
	_examples_run
	if [ "$_blocks" -eq 0 ]; then
		echo "$1: no examples"
		_failed=1
	fi
	return "$_failed"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
	_examples_main "$@"
fi
