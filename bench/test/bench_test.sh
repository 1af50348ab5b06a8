#!/bin/sh
# SPDX-License-Identifier: MIT
# Every workload on every backend, small: verified, as JSON that parses. Wrong
# results, crashes and bad arguments must be seen, and named.
set -u
here=${TEST_SRCDIR:?run me with bazel test}/perch/bench
bench=$here/bench json_lines=$here/json_lines
dir=${TEST_TMPDIR:?}
failures=0

fail() {
	echo "FAILED: $*"
	failures=$((failures + 1))
}

# STATUS PATTERN ARGUMENTS...: ends with that status; the message holds the pattern
expect() {
	want=$1 pattern=$2
	shift 2
	"$bench" "$@" >"$dir/out" 2>"$dir/err"
	got=$?
	[ $got = "$want" ] || fail "bench $*: status $got, not $want: $(cat "$dir/err")"
	grep -q -e "$pattern" "$dir/out" "$dir/err" || fail "bench $*: nothing says '$pattern': $(cat "$dir/err")"
}

# --- everything, small ---
all='uts nqueens sort fib fib-typed flat yield mem'
# shellcheck disable=SC2086 # one word each
"$bench" $all --size=small --repeat=1 --workers=1,2 --format=json --output="$dir/o" >"$dir/json" 2>"$dir/err" ||
	fail "all workloads, small: status $?: $(cat "$dir/err")"
"$json_lines" <"$dir/json" >"$dir/lines" || fail "the JSON is not as it should be"
cmp "$dir/json" "$dir/o/results.json" || fail "results.json is not what was printed"
for w in $all; do
	grep -q "^$w " "$dir/o/table.txt" || fail "table.txt says nothing of $w"
done
! grep -v ' true$' "$dir/lines" || fail "not verified"
# WORKLOAD METRIC CASES: each backend has it, verified, for each number of workers
has() {
	for backend in serial perch pthread omp libomp; do
		case $1-$backend in
		yield-* | mem-* | *-serial) workers=1 ;;
		*) workers='1 2' ;;
		esac
		if grep -q "$1 .*: $backend, .* skipped: clang" "$dir/err"; then
			echo "note: $1 on $backend was skipped, no clang with OpenMP"
			continue
		fi
		for n in $workers; do
			cases=$(grep -c "^$1 [^ ]* $backend $n $2 true$" "$dir/lines")
			[ "$cases" -ge "$3" ] || fail "$1: $backend with $n workers has $cases cases with $2, not $3"
		done
	done
}
has uts ns_per_node 3
has nqueens ns_per_node 1
has sort ns_per_key 2
has fib ns_per_fork 1
has fib-typed ns_per_fork 1
has flat ns_per_thread 1
has yield ns_per_switch 1
has mem ns_per_thread 1
for what in spawned parked; do
	grep -q "^mem $what perch 1 bytes_per_thread true$" "$dir/lines" || fail "mem: no bytes of perch's $what"
done
grep -q '^uts .* perch 2 asked_steals true$' "$dir/lines" || fail "uts: perch does not count its steals"

# --- the text of a file; the table ---
printf 'pear\n\napple\nfig\npeach\nfig' >"$dir/text"
expect 0 'of=file n=6' sort --size=small --repeat=2 --backend=serial,perch --workers=2 --file="$dir/text"
grep -q 'perch .* yes$' "$dir/out" || fail "no verified row of perch in the table"
expect 0 'nqueens' --list
expect 0 'usage:' --help

# --- bad arguments, named ---
expect 2 'fibb: no such workload; there are' fibb
expect 2 'fib: .*twice' fib fib
expect 2 "no backend 'go'" --backend=serial,go
expect 2 "no backend ''" --backend=
expect 2 "workers=1,x: 'x' is not a number" --workers=1,x
expect 2 "'0' is not a number" --workers=0
expect 2 "'-1' is not a number" --workers=-1
expect 2 'twice' --workers=2,2
expect 2 'repeat=0:' --repeat=0
expect 2 'repeat=99999999999:' --repeat=99999999999
expect 2 'size=huge: the sizes are' --size=huge
expect 2 'format=xml: the formats are' --format=xml
expect 2 'frobnicate' --frobnicate
expect 2 'repeat: ' --repeat
expect 2 'no/such: No such file' sort "--file=$dir/no/such"
expect 2 'is a directory' sort "--file=$dir"
expect 2 'none of the named workloads sorts' fib "--file=$dir/text"
expect 2 'output=/proc/nothing' "--output=/proc/nothing"

"$here/bench_perch" --workload=mem --case=parked --size=small --workers=2 2>"$dir/err" && fail "mem with two workers"
grep -q 'must be 1' "$dir/err" || fail "nobody said that mem takes one worker"

# --- results that are wrong ---
for w in "uts tiny-geometric" "nqueens 8" "sort keys" "sort lines" "fib fib" "fib-typed fib" "flat flat" "yield yield" \
	"mem spawned" "mem parked"; do
	# shellcheck disable=SC2086
	set -- $w
	"$here/bench_liar" --workload="$1" --case="$2" --size=small >"$dir/out" 2>"$dir/err"
	[ $? = 1 ] || fail "a wrong result of $w passed as right"
	grep -q '"verified":false' "$dir/out" || fail "a wrong result of $w is called verified"
	cat "$dir/err" >>"$dir/lies"
	grep -q "$1 $2, liar.*: wrong: " "$dir/err" || fail "nobody said what is wrong in $w: $(cat "$dir/err")"
done

grep -q "not those that went in" "$dir/lies" || fail "a lost key was not seen as such"
grep -q "comes before" "$dir/lies" || fail "lines out of order were not seen as such"

# --- the runner, beside backends that misbehave ---
fake=$dir/fake
mkdir -p "$fake"
cp -L "$bench" "$fake/bench"
bench=$fake/bench
# TEXT: what bench_serial does
serial() {
	printf '#!/bin/sh\n%s\n' "$1" >"$fake/bench_serial"
	chmod 755 "$fake/bench_serial"
}
one='{"params":"","metric":"ns_per_fork","unit":"ns","better":"lower","value":1,"verified"'
serial "echo '$one:true}'"
expect 0 'serial .* yes' fib --backend=serial
serial "echo '$one:false}'; exit 1"
expect 1 'serial .* NO' fib --backend=serial
expect 1 '"verified":false' fib --backend=serial --format=json
serial "echo '$one:false}'"
expect 1 'NOT everything' fib --backend=serial
serial "exit 1"
expect 1 'its result was wrong' fib --backend=serial
serial "echo '$one:true}'; kill -SEGV \$\$"
expect 1 'killed by signal 11' fib --backend=serial
serial "exit 3"
expect 1 'exit status 3' fib --backend=serial --format=json
"$json_lines" <"$dir/out" >"$dir/lines" || fail "JSON of a failure is not as it should be"
grep -q 'serial 1 ns_per_fork false' "$dir/lines" || fail "a failure is not in the JSON"
serial "echo nonsense"
expect 1 'no measurement: nonsense' fib --backend=serial
serial "exit 0"
expect 1 'measured nothing' fib --backend=serial
serial "echo '{\"skipped\":\"not today\"}'"
expect 0 'skipped: not today' fib --backend=serial
rm "$fake/bench_serial"
expect 1 'cannot run' fib --backend=serial
# three samples, out of order: min, median, max
serial "n=\$(cat '$dir/n' 2>/dev/null || echo 3); echo \$((n % 3 + 7)) >'$dir/n'
echo '{\"params\":\"\",\"metric\":\"ns_per_fork\",\"unit\":\"ns\",\"better\":\"lower\",\"value\":'\$n',\"verified\":true}'"
expect 0 '"min":3,"median":7,"max":8,"n":3' fib --backend=serial --format=json --repeat=3

[ $failures = 0 ] || { echo "$failures failures"; exit 1; }
echo "all as it should be"
