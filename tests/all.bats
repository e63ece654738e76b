# Rules that every tool keeps, for each program in the build's bin directory.
bats_require_minimum_version 1.5.0

load lib/examples

setup() {
	root=$BATS_TEST_DIRNAME/..
	mapfile -t tools < <(ls "${B:?}/bin" 2>/dev/null)
	[ ${#tools[@]} -gt 0 ] || skip "by design: there is no tool yet"
	cd "$BATS_TEST_TMPDIR" || exit
}

man_page() {
	local page
	for page in "$root/man/$1".[18]; do
		[ -e "$page" ] && echo "$page" && return
	done
	echo "$1 has no man page" >&2
	return 1
}

# The first line of SYNOPSIS, as words.
synopsis() {
	mandoc -T ascii -O width=1000 "$1" | col -bx |
	    awk '/^[^ ]/ { on = $1 == "SYNOPSIS"; next } on && NF { $1 = $1; print; exit }'
}

# An array as a set of lines, to name all that are wrong and not only the first one.
nothing_wrong() {
	[ $# -eq 0 ] || {
		printf '%s\n' "$@"
		return 1
	}
}

@test "a tool has a man page, a bats file and three completions" {
	local wrong=() tool shell
	for tool in "${tools[@]}"; do
		man_page "$tool" || wrong+=("$tool: no man page")
		compgen -G "$root/tests/$tool*.bats" >/dev/null || wrong+=("$tool: no bats file")
		for shell in bash zsh fish; do
			[ -s "$B/completions/$shell/$tool" ] || wrong+=("$tool: none for $shell")
		done
	done
	nothing_wrong "${wrong[@]}"
}

@test "the shells can parse their completions" {
	local wrong=() tool shell
	for tool in "${tools[@]}"; do
		for shell in bash zsh fish; do
			"$shell" -n "$B/completions/$shell/$tool" || wrong+=("$tool: $shell")
		done
	done
	nothing_wrong "${wrong[@]}"
}

@test "--help begins with the man page's SYNOPSIS" {
	local wrong=() tool page said
	for tool in "${tools[@]}"; do
		page=$(man_page "$tool") || continue
		said=$("$tool" --help | awk 'NR == 1 { sub(/^usage: */, ""); $1 = $1; print }')
		[ "$said" = "$(synopsis "$page")" ] ||
		    wrong+=("$tool --help: $said" "$tool SYNOPSIS: $(synopsis "$page")")
	done
	nothing_wrong "${wrong[@]}"
}

@test "--version names the tool and the version" {
	local wrong=() tool version
	version=$(<"$root/VERSION")
	for tool in "${tools[@]}"; do
		[ "$("$tool" --version)" = "$tool (shoal) $version" ] || wrong+=("$tool")
	done
	nothing_wrong "${wrong[@]}"
}

@test "a full disk under --help and --version is exit 74 and a message" {
	local wrong=() tool option
	for tool in "${tools[@]}"; do
		for option in --help --version; do
			run --separate-stderr bash -c '"$1" "$2" >/dev/full' - "$tool" "$option"
			[[ $status -eq 74 && $stderr == "$tool: "* ]] ||
			    wrong+=("$tool $option: exit $status, '$stderr'")
		done
	done
	nothing_wrong "${wrong[@]}"
}

@test "an unknown option is exit 64 and one line on stderr" {
	local wrong=() tool
	for tool in "${tools[@]}"; do
		run --separate-stderr "$tool" --no-such-option
		[[ $status -eq 64 && -z $output && ${#stderr_lines[@]} -eq 1 ]] ||
		    wrong+=("$tool: exit $status, '$output', '$stderr'")
	done
	nothing_wrong "${wrong[@]}"
}

@test "closed standard streams do no harm" {
	local wrong=() tool
	for tool in "${tools[@]}"; do
		"$tool" --version <&- | grep -q . || wrong+=("$tool: stdin")
		"$tool" --version 2>&- | grep -q . || wrong+=("$tool: stderr")
		run bash -c '"$1" --version >&-' - "$tool"
		[ "$status" -eq 74 ] || wrong+=("$tool: stdout, exit $status")
	done
	nothing_wrong "${wrong[@]}"
}

@test "the first example of the man page also runs with POSIXLY_CORRECT=1" {
	local wrong=() tool page
	for tool in "${tools[@]}"; do
		page=$(man_page "$tool") || continue
		mkdir "$tool" && cd "$tool" || return
		POSIXLY_CORRECT=1 run_examples "$page" first || wrong+=("$tool")
		cd .. || return
	done
	nothing_wrong "${wrong[@]}"
}

@test "what README.md and the overview show runs as it stands" {
	local wrong=() page
	for page in "$root"/README.md "$root"/man/*.7; do
		grep -q '^\$ ' "$page" 2>/dev/null || continue
		mkdir "${page##*/}" && cd "${page##*/}" || return
		run_examples "$page" || wrong+=("$page")
		cd .. || return
	done
	nothing_wrong "${wrong[@]}"
}

# A page of section 8 is a daemon's: that starts once and may load an event loop.
@test "a tool loads few libraries: libc, libsodium, http_parser; a daemon libuv, too" {
	local wrong=() tool library allowed
	[ -z "${SHOAL_SAN-}" ] || skip "by design: sanitizers bring their own libraries"
	for tool in "${tools[@]}"; do
		allowed='^lib(c|m|sodium|http_parser)\.so'
		[ ! -e "$root/man/$tool.8" ] || allowed='^lib(c|m|sodium|http_parser|uv)\.so'
		while read -r library; do
			[[ $library =~ $allowed ]] || wrong+=("$tool: $library")
		done < <(readelf -d "$B/bin/$tool" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
	done
	nothing_wrong "${wrong[@]}"
}

@test "a man page of section 1 or 8 has its tool" {
	local wrong=() page name
	for page in "$root"/man/*.[18]; do
		[ -e "$page" ] || continue
		name=$(basename "$page" ".${page##*.}")
		# TOOL-VERB describes some verbs of a tool.
		[ -x "$B/bin/$name" ] || [ -x "$B/bin/${name%%-*}" ] || wrong+=("$page")
	done
	nothing_wrong "${wrong[@]}"
}
