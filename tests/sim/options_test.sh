#!/bin/bash
# SPDX-License-Identifier: MIT
# options_test.sh SIM: what it says of bad input, and what comes out.
set -u
sim=$PWD/$1
# shellcheck source=tests/harness/check.sh
. tests/harness/check.sh

refuses() { # MESSAGE ARG...
	local message=$1 status=0 problem=
	shift
	"$sim" "$@" >"$tmp/out" 2>"$tmp/err" || status=$?
	[ $status = 2 ] || problem+=" status $status;"
	grep -qF -e "$message" "$tmp/err" || problem+=" it says '$(cat "$tmp/err")', not '$message';"
	[ ! -s "$tmp/out" ] || problem+=" something on stdout;"
	verdict "refuses $*" "$problem"
}
refuses "sim: --machine=2y4: column 2: " --machine=2y4
refuses "8192 CPUs on 2 nodes; it is 1 to 4096" --machine=2x4096
refuses "65 nodes; it is 1 to 4096 on at most 64" --machine=65x1
refuses "the loads are uts:TREE, fib:N" --load=sort
refuses "there is no tree 'T9'" --load=uts:T9
refuses "fib is of a number from 0 to 50" --load=fib:51
refuses "a loop is of a number of iterations" --load=loop:0
refuses "sim: --policy=flat,far: no 'far'; there are near-first, flat, node-only, none" --policy=flat,far
refuses "flat is there twice" --policy=flat,flat
refuses "'-1' is not a number from 0 to 1000000" --delay=1,-1
refuses "no 'maybe'; there are on, off, both" --gate=maybe
refuses "'0' is not a number from 1 to 99" --seeds=0
refuses "'1.5' is not a whole number" --seeds=1.5
refuses "'2' is not a number from 0 to 1" --jitter=2
refuses "no 'moon'; there are forker, root, depth:N, blocks" --data=moon
refuses "fib goes through no array" --load=fib:5 --data=blocks
refuses "there is no cost 'beer' (--costs lists them)" --cost=beer=3
refuses "wake: 'soon' is not a number" --cost=wake=soon
refuses "memory_share: '2' is not a number from 0 to 1" --cost=memory_share=2
refuses "No such file or directory" --costs-file="$tmp/none"
printf 'wake=1\n# all well\nforce=x\n' >"$tmp/costs"
refuses "line 3: force: 'x' is not a number" --costs-file="$tmp/costs"
refuses "no result is called 'luck'" --beside=luck=1
refuses "no value for steals" --beside=steals
refuses "no such option, or it needs a value" --machine
refuses "sim: --frob=1: no such option" --frob=1
refuses "sim: 8x64: not an option" 8x64

check "--help" "$sim" --help
mv "$tmp/log" "$tmp/help"
for o in --machine --load --policy --delay --gate --data --cost --beside 'Assumed:'; do
	check "help has $o" grep -qF -e "$o" "$tmp/help"
done
# what --costs lists can be read back
check "--costs" "$sim" --costs
"$sim" --costs >"$tmp/costs"
small='--machine=2x2 --load=uts:tiny-geometric --seeds=3'
# shellcheck disable=SC2086 # words
check "a run" "$sim" $small --costs-file="$tmp/costs" --policy=near-first,flat,node-only,none --delay=0,20 --gate=both
cp "$tmp/log" "$tmp/table"
check "... has a row for each" test "$(grep -c '|' "$tmp/table")" = 8
# shellcheck disable=SC2086
"$sim" $small --policy=near-first,flat,node-only,none --delay=0,20 --gate=both >"$tmp/again"
check "... is the same again" cmp "$tmp/table" "$tmp/again"
# shellcheck disable=SC2086
"$sim" $small --format=json --beside=steals=10 >"$tmp/json" 2>"$tmp/beside"
check "json" grep -q '"simulated":true.*"policy":"flat".*"verified":true.*"steals_by_tier":\[' "$tmp/json"
check "beside" grep -q '^beside: steals: simulated .* measured 10, .* %$' "$tmp/beside"
done_checking
