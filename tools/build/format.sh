#!/bin/sh
# SPDX-License-Identifier: MIT
# format.sh [--fix] [FILE...]: are the C and C++ sources (default: all that git knows)
# as .clang-format wants them? --fix makes them so.
set -eu
cd "$(dirname "$0")/../.."
fix=
if [ "${1:-}" = --fix ]; then fix=1; shift; fi
[ $# != 0 ] || { IFS='
'; set -f
	# shellcheck disable=SC2046 # one name for each line
	set -- $(git ls-files '*.c' '*.h' '*.cpp' '*.hpp'); }
bad=0
for f; do
	[ -f "$f" ] || continue
	# clang-format 14 reads only the bare words; with more behind them it would format what must stay
	if grep -n 'clang-format o[nf]*[^nf *]' "$f" >&2; then
		echo "$f: put the reason into a comment of its own" >&2
		bad=1
	fi
	if [ -n "$fix" ]; then
		clang-format -i "$f"
	elif ! clang-format "$f" | diff -u "$f" - >&2; then
		bad=1
	fi
done
exit $bad
