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
there() { for f; do [ ! -f "$f" ] || printf '%s\n' "$f"; done; }
# to start it takes longer than a file does: many in one call
each() { there "$@" | xargs -d '\n' -P "$(nproc)" -n 32 clang-format "$how" ${error:+"$error"}; }
# clang-format 14 reads only the bare words; with more behind them it would format what must stay
if there "$@" | xargs -d '\n' grep -Hn 'clang-format o[nf]*[^nf *]' >&2; then
	echo "put the reason into a comment of its own" >&2
	bad=1
fi
if [ -n "$fix" ]; then
	how=-i error=
	each "$@" || bad=1
else
	how=--dry-run error=-Werror
	if ! each "$@" 2>/dev/null; then
		bad=1
		for f; do
			[ ! -f "$f" ] || clang-format "$f" | diff -u "$f" - >&2 || :
		done
	fi
fi
exit $bad
