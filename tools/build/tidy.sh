#!/bin/sh
# SPDX-License-Identifier: MIT
# tidy.sh [FILE...]: clang-tidy, with .clang-tidy's settings, over the C sources
# (default: all) that compile_commands.json knows.
set -u
cd "$(dirname "$0")/../.." || exit 2
if [ ! -f compile_commands.json ]; then
	echo "tidy.sh: no compile_commands.json; ./bazelw run //tools/build:compile_commands" >&2
	exit 2
fi
if [ $# = 0 ]; then
	# shellcheck disable=SC2046 # no spaces in our names
	set -- $(sed -n 's/^ *"file": "\(.*\.c\)",*$/\1/p' compile_commands.json)
fi
[ $# != 0 ] || { echo "tidy.sh: nothing to look at" >&2; exit 2; }
log=$(mktemp) || exit 2
trap 'rm -f "$log"' EXIT
printf '%s\n' "$@" | xargs -P "$(nproc)" -n 1 clang-tidy --quiet -p . >"$log" 2>&1
status=$?
grep -v -e '^[0-9]* warnings\{0,1\} generated\.$' -e '^[0-9]* warnings* treated as error' "$log"
echo "clang-tidy: $# sources, $(grep -c 'error: ' "$log") findings"
[ $status = 0 ]
