# Planted bugs: what the tests are said to catch, they catch.  Two of them; all: make bugs.
bats_require_minimum_version 1.5.0

# Two builds and two checks, on a machine that may be slow.
export BATS_TEST_TIMEOUT=900

@test "two planted bugs, drawn by a seed, are caught" {
	[ "${B##*/}" = build ] || skip "by design: in the plain build only"
	cd "$BATS_TEST_DIRNAME/.."
	PICK=2 SLACK=10 scripts/bugs
}
