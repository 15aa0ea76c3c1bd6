# SPDX-License-Identifier: GPL-2.0-only
# Checks for the tests that run inside a virtual machine (busybox sh). Each prints one line; the
# number of checks and the first failure are what process 1 reports.

CHECKS=0

passed() {
	CHECKS=$((CHECKS + 1))
	echo "$CHECKS" >/tmp/checks
	echo "ok - $1"
}

failed() { # WHAT DETAIL
	[ -e /tmp/why ] || echo "$1: $2" >/tmp/why
	echo "not ok - $1: $2"
}

# expect WHAT WANTED GOT: equal.
expect() {
	if [ "$2" = "$3" ]; then
		passed "$1"
	else
		failed "$1" "wanted '$2', got '$3'"
	fi
}

# expect_text WHAT REGEX FILE: some line matches the extended regular expression.
expect_text() {
	if grep -qE "$2" "$3"; then
		passed "$1"
	else
		failed "$1" "no line like '$2' in: $(tail -n 3 "$3" | tr -d '\r' | tr '\n' '|')"
	fi
}

# wait_for WHAT COMMAND...: until the command succeeds, 30 s at most.
wait_for() {
	local what="$1" tries=300

	shift
	until "$@"; do
		tries=$((tries - 1))
		if [ "$tries" = 0 ]; then
			failed "$what" "not within 30 s: $*"
			return 1
		fi
		usleep 100000
	done
	passed "$what"
}

# The test's exit status; nothing checked is a failure.
conclude() {
	[ "$CHECKS" -gt 0 ] && [ ! -e /tmp/why ]
	exit
}
