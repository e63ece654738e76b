# shellcheck shell=bash
# show: what the demonstrations have in common. Whoever reads it in is from then on in an empty
# directory, which goes when the script ends.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit

say() {
	echo
	printf '# %s\n' "$@"
}

# show COMMAND [STATUS]: print a command, then what it prints; it has to exit with the status.
show() {
	local got=0
	printf '\n$ %s\n' "$1"
	eval "$1" || got=$?
	[ "$got" -eq 0 ] || echo "(exit $got)"
	if [ "$got" -ne "${2-0}" ]; then
		echo "demo: that was to exit with ${2-0}" >&2
		exit 1
	fi
}
