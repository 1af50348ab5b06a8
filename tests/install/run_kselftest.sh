#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs the installed tests: each program as it is, then once for each of its
# variants (a kernel feature taken away). POSIX sh; busybox's will do.
usage() {
	cat <<'END'
usage: run_kselftest.sh [-l] [-t PATTERN]... [-c TIER] [-n] [-T FACTOR] [-s] [-h]
  -l          list what would run: PROGRAM[:VARIANT]
  -t PATTERN  run only what matches this shell pattern (its path, or its last
              part; with or without :VARIANT); may be repeated
  -c TIER     quick or stress; default: both
  -n          no variants
  -T FACTOR   stretch time-outs
  -s          summary: the programs' own output only when they fail
status: 0 all passed, 1 some failed, 2 bad usage or nothing selected, 4 all skipped
END
}
cd "$(dirname "$0")" || exit 2
list=0 patterns='' tier='' variants=1 quiet=0
while getopts lt:c:nT:sh opt; do
	case $opt in
	l) list=1 ;;
	t) patterns="$patterns $OPTARG" ;;
	c) tier=$OPTARG ;;
	n) variants=0 ;;
	T) PERCH_TEST_TIMEOUT_FACTOR=$OPTARG; export PERCH_TEST_TIMEOUT_FACTOR ;;
	s) quiet=1 ;;
	h) usage; exit 0 ;;
	*) usage >&2; exit 2 ;;
	esac
done
shift $((OPTIND - 1))
if [ $# != 0 ]; then echo "run_kselftest.sh: unexpected '$1'" >&2; usage >&2; exit 2; fi
case $tier in
'' | quick | stress) ;;
*) echo "run_kselftest.sh: -c '$tier' is neither quick nor stress" >&2; exit 2 ;;
esac
# the programs look at it: without Bazel, "all skipped" has a status of its own
unset TEST_SRCDIR TESTBRIDGE_TEST_ONLY

matches() { # PROGRAM[:VARIANT]
	[ -n "$patterns" ] || return 0
	plain=${1%%:*}
	set -f
	for p in $patterns; do
		for name in "$1" "${1##*/}" "$plain" "${plain##*/}"; do
			# shellcheck disable=SC2254 # a pattern is what is wanted
			case $name in $p) set +f; return 0 ;; esac
		done
	done
	set +f
	return 1
}

# PROGRAM[:VARIANT] [NAME=VALUE], one a line
plan() {
	while read -r program its_tier its_variants; do
		[ -z "$tier" ] || [ "$tier" = "$its_tier" ] || continue
		if matches "$program"; then echo "$program"; fi
		[ $variants = 1 ] || continue
		for v in $its_variants; do
			if matches "$program:${v%%:*}"; then echo "$program:${v%%:*} ${v#*:}"; fi
		done
	done <kselftest-list.txt
}

planned=$(plan)
if [ -z "$planned" ]; then echo "run_kselftest.sh: nothing is selected" >&2; exit 2; fi
if [ $list = 1 ]; then
	echo "$planned" | cut -d' ' -f1
	exit 0
fi

out=$(mktemp) || exit 2
trap 'rm -f "$out"' EXIT
trap 'exit 130' INT TERM HUP
n=0 pass=0 fail=0 skip=0 cases_pass=0 cases_fail=0 cases_skip=0
echo "KTAP version 1"
echo "1..$(echo "$planned" | wc -l | tr -d ' ')"
while read -r what setting; do
	n=$((n + 1))
	program=${what%%:*}
	env ${setting:+"$setting"} "./$program" >"$out" 2>&1 </dev/null
	status=$?
	if [ $quiet = 0 ] || [ $status != 0 ]; then sed "s/^/    /" "$out"; fi
	# a program that dies before its totals has failed whatever its tests said
	totals=$(sed -n 's/^# Totals: pass:\([0-9]*\) fail:\([0-9]*\) .* skip:\([0-9]*\) .*/\1 \2 \3/p' "$out" | tail -n 1)
	if [ -z "$totals" ]; then
		totals="0 1 0"
		[ $status != 0 ] || status=1
	fi
	cases_pass=$((cases_pass + ${totals%% *}))
	cases_fail=$((cases_fail + $(echo "$totals" | cut -d' ' -f2)))
	cases_skip=$((cases_skip + ${totals##* }))
	case $status in
	0) pass=$((pass + 1)); echo "ok $n $what" ;;
	4) skip=$((skip + 1)); echo "ok $n $what # SKIP" ;;
	*) fail=$((fail + 1)); echo "not ok $n $what # status $status" ;;
	esac
done <<END
$planned
END
echo "# Cases: pass:$cases_pass fail:$cases_fail skip:$cases_skip"
echo "# Totals: pass:$pass fail:$fail xfail:0 xpass:0 skip:$skip error:0"
[ $fail = 0 ] || exit 1
[ $pass != 0 ] || exit 4
