#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The house rules hold in this tree, and scripts/style-check does find a breach of each.
top=$(cd "$(dirname "$0")/../.." && pwd)
bad=$(mktemp -d)
trap 'rm -rf "$bad"' EXIT
status=0

# A tree with one breach of each rule.
breach() {
	git -C "$bad" init -q
	{
		echo 'int f(int x)'
		echo '{'
		yes '	x++;' | head -n 80
		printf '        x = %s("1"); \n' atoi
		echo '	x = 2; // two'
		echo '}'
		printf '/* %s%s */\n' FIX ME
		yes '' | head -n 500
	} >"$bad/a.c"
	echo '/* SPDX-License-Identifier: GPL-2.0-only */' >"$bad/util.h"
}

# finds NUMBER REGEX: the report of the bad tree has that line.
finds() {
	if echo "$report" | grep -qE "$2"; then
		echo "ok $1 finds $2"
	else
		echo "$report" | sed 's/^/# /'
		echo "not ok $1 finds $2"
		status=1
	fi
}

echo "KTAP version 1"
if ! git -C "$top" rev-parse -q --git-dir >/dev/null 2>&1; then
	echo "1..0 # SKIP not a git work tree"
	exit 4
fi
if ! command -v ctags >/dev/null; then
	echo "1..0 # SKIP ctags is not installed (universal-ctags)"
	exit 4
fi
echo "1..9"
if report=$("$top/scripts/style-check" "$top" 2>&1); then
	echo "ok 1 the tree keeps the house rules"
else
	echo "$report" | sed 's/^/# /'
	echo "not ok 1 the tree keeps the house rules"
	status=1
fi
breach
report=$("$top/scripts/style-check" "$bad" 2>&1)
finds 2 '^a\.c:501: more than 500 lines$'
finds 3 '^a\.c:1: f has 85 lines, more than 80$'
finds 4 '^a\.c:1: no SPDX-License-Identifier'
finds 5 '^a\.c:83: indented with blanks, not tabs$'
finds 6 '^a\.c:83: blanks at the end$'
finds 7 '^a\.c:84: // comment'
finds 8 '^a\.c:83:atoi: forbidden function$'
finds 9 '^util\.h:1: a name that says nothing$'
exit "$status"
