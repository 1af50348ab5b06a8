#!/bin/sh
# SPDX-License-Identifier: MIT
#
# run.sh [--long] [--trail MODEL [-DSEED...]]
# Checks every model, and that every seeded bug is found in it; prints KTAP.
#   --long   larger bounds too (about five minutes, up to 6 GB)
#   --trail  print the shortest run that breaks MODEL with these definitions
# Status: 0 all as expected, 1 not, 2 usage, 4 skipped (spin or gcc is missing).
set -eu

usage() { echo "usage: $0 [--long] [--trail MODEL [-DSEED...]]" >&2; exit 2; }
long='' trail=''
case ${1:-} in
'') ;;
--long) long=1; [ $# = 1 ] || usage ;;
--trail) [ $# -ge 2 ] || usage; trail=$2; shift 2 ;;
*) usage ;;
esac

models=$(cd "$(dirname "$0")" && pwd)
for tool in spin gcc; do
	command -v $tool >/dev/null 2>&1 && continue
	echo "KTAP version 1"
	echo "1..0 # SKIP $tool is not installed; on Debian: apt-get install spin gcc"
	exit 4
done
tmp=$(mktemp -d "${TMPDIR:-/tmp}/perch-model.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM

# build MODEL MEGABYTES COMPILER_FLAG DEFINITION...: makes the verifier, $tmp/pan
build() {
	model=$1 megabytes=$2 flag=$3
	shift 3
	rm -f "$tmp"/pan* "$tmp"/*.trail
	: >"$tmp/out"
	(cd "$tmp" && cp "$models/$model.pml" . && spin "$@" -a "$model.pml" &&
		gcc -w -O2 -DSAFETY "-DMEMLIM=$megabytes" "$flag" -o pan pan.c) >"$tmp/build" 2>&1
}

if [ -n "$trail" ]; then
	[ -f "$models/$trail.pml" ] || { echo "$0: no such model: $models/$trail.pml" >&2; exit 2; }
	build "$trail" 4000 -DBFS "$@" || { cat "$tmp/build" >&2; exit 1; }
	(cd "$tmp" && ./pan -w24 >out 2>&1) || :
	if [ ! -f "$tmp/$trail.pml.trail" ]; then
		grep -E 'errors:|not completed|states, stored' "$tmp/out" >&2 || :
		echo "$0: no error was found in $trail $*" >&2
		exit 1
	fi
	(cd "$tmp" && spin "$@" -t -p -g -l "$trail.pml")
	exit 0
fi

number=0 failed=0
result() { # ok|not ok, text
	number=$((number + 1))
	echo "$1 $number - $2"
	[ "$1" = ok ] && return
	failed=$((failed + 1))
	cat "$tmp/build" "$tmp/out" | tail -n 40 | sed 's/^/# /'
}

# search MEGABYTES LOG2_OF_HASH_TABLE MODEL DEFINITION...: runs the verifier
search() {
	memory=$1 table=$2 name=$3
	shift 3
	if ! build "$name" "$memory" -DNOFAIR "$@"; then
		result 'not ok' "$name $*: the model does not compile"
		return 1
	fi
	(cd "$tmp" && ./pan -m"$depth" -w"$table" >out 2>&1) || :
}

# holds MODEL DEFINITION...: the whole space has been searched without an error
holds() {
	search "$limit" "$hash" "$@" || return 0
	states=$(sed -n 's/^ *\([0-9][0-9.e+]*\) states, stored.*/\1/p' "$tmp/out")
	if ! grep -q 'errors: 0$' "$tmp/out"; then
		result 'not ok' "$*: an error; see $0 --trail $*"
	elif [ -z "$states" ] || grep -Eq 'not completed|too small|reached -DMEMLIM|out of memory' "$tmp/out"; then
		result 'not ok' "$*: not searched to the end"
	else
		result ok "$*: no errors, $states states"
	fi
}

# finds MODEL SEED DEFINITION...: an assertion breaks when that bug is put in
finds() {
	name=$1 seed=$2
	shift 2
	search 2000 22 "$name" "-D$seed" "$@" || return 0
	if grep -q '^pan:.*assertion violated' "$tmp/out"; then
		result ok "$name $seed: found"
	else
		result 'not ok' "$name $seed: NOT found"
	fi
}

RING_SEEDS='NO_BARRIER NO_RESTART_BY_BARRIER NO_FLUSH_BY_BARRIER NO_RESTART NO_FREEZE_CHECK NO_VERSION NO_ROOM_CHECK'
IDLE_SEEDS='NO_MEMBARRIER NO_RESTART_BY_BARRIER NO_FLUSH_BY_BARRIER NO_REQUEST NO_RECHECK CLEAR_WITHOUT_NOTIFY
	NO_CHAIN NO_SECOND_LOOK POP_FORGETS_REQUEST FAIR_PUSH_IGNORES_REQUEST'
PARK_SEEDS='HOOK_BEFORE_SAVE NO_TOKEN NO_COMMIT_CHECK NO_LOOP DONE_BEFORE_RESULT TOUCH_AFTER_DONE'

# shellcheck disable=SC2086 # the lists are to be split
set -- $RING_SEEDS $IDLE_SEEDS $PARK_SEEDS
plan=$(($# + 7))
echo "KTAP version 1"
[ -z "$long" ] || plan=$((plan + 3))
echo "1..$plan"
depth=2000000 limit=2000 hash=24
holds ring -DWORKERS=2 -DTHIEVES=1 -DITEMS=2
holds ring -DWORKERS=1 -DTHIEVES=2 -DITEMS=2
holds ring -DWORKERS=1 -DTHIEVES=1 -DITEMS=3
holds ring -DWORKERS=1 -DTHIEVES=1 -DITEMS=5 -DBUFFER=1
for seed in $RING_SEEDS; do
	case $seed in
	NO_RESTART) finds ring "$seed" -DWORKERS=2 ;;
	NO_ROOM_CHECK) finds ring "$seed" -DWORKERS=1 -DITEMS=5 ;;
	*) finds ring "$seed" -DWORKERS=1 ;;
	esac
done
holds idle -DWORKERS=2 -DPUSHES=3 -DSUBMITS=1
holds idle -DWORKERS=3 -DPUSHES=1 -DSUBMITS=0
for seed in $IDLE_SEEDS; do
	finds idle "$seed" -DWORKERS=2 -DPUSHES=3
done
holds park
for seed in $PARK_SEEDS; do
	finds park "$seed"
done
if [ -n "$long" ]; then
	depth=20000000 limit=6000 hash=26
	holds ring -DWORKERS=2 -DTHIEVES=1 -DITEMS=3
	holds idle -DWORKERS=2 -DPUSHES=4 -DSUBMITS=2
	holds idle -DWORKERS=3 -DPUSHES=2 -DSUBMITS=0
fi
echo "# $((number - failed)) as expected, $failed not"
[ "$failed" = 0 ] && [ "$number" = "$plan" ]
