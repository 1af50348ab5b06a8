#!/bin/sh
# SPDX-License-Identifier: MIT
# man_example.sh PAGE PROGRAM: the manual page with PROGRAM's text, in roff's
# spelling, as the display of its EXAMPLES. tests/man checks that a page is what
# comes out of this; after a change to a program:
#	tools/build/man_example.sh PAGE PROGRAM >new && mv new PAGE
set -eu
for f; do
	[ -f "$f" ] || { echo "man_example: no file $f" >&2; exit 1; }
done
awk -v program="$2" '
/^\.Sh / { examples = $2 == "EXAMPLES" }
/^\.Ed/ { skipping = 0 }
!skipping
examples && /^\.Bd -literal/ {
	while ((getline line < program) > 0) {
		gsub(/\\/, "\\e", line)
		print (line ~ /^[.'\'']/ ? "\\&" : "") line
	}
	examples = 0
	skipping = 1
}' "$1"
