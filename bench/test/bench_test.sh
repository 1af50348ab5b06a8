#!/bin/sh
# SPDX-License-Identifier: MIT
# Every workload on every backend, small: verified, as JSON that parses. Wrong
# results, crashes and bad arguments must be seen, and named.
set -u
here=${TEST_SRCDIR:?run me with bazel test}/perch/bench
bench=$here/bench json_lines=$here/json_lines
dir=${TEST_TMPDIR:?}
export TMPDIR="$dir"
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
waits='pingpong mutex chan select timers wake echo block'
all="uts nqueens sort fib fib-typed flat yield burst mem triad jacobi placement alloc $waits"
# shellcheck disable=SC2086 # one word each
"$bench" $all --size=small --repeat=1 --workers=1,2 --format=json --output="$dir/o" >"$dir/json" 2>"$dir/err" ||
	fail "all workloads, small: status $?: $(cat "$dir/err")"
"$json_lines" <"$dir/json" >"$dir/lines" || fail "the JSON is not as it should be"
cmp "$dir/json" "$dir/o/results.json" || fail "results.json is not what was printed"
cp "$dir/err" "$dir/o/skips"
for w in $all; do
	grep -q "^$w " "$dir/o/table.txt" || fail "table.txt says nothing of $w"
done
! grep -v ' true$' "$dir/lines" || fail "not verified"
# reasons of what is not there to be run
lacking='skipped: [Cc]lang \|skipped: Go is not\|is not installed; with PEERS=1\|installed$\|skipped: this perch has no perch/alloc.h'
# WORKLOAD METRIC CASES BACKENDS...: they have it, verified, for each number of workers
has() {
	workload=$1 metric=$2 want=$3
	shift 3
	for backend; do
		case $workload-$metric-$backend in
		timers-percent_* | timers-longest_*) workers='1 2' ;;
		yield-* | mem-* | timers-* | alloc-ns_per_pair-* | *-serial) workers=1 ;;
		block-ns_* | block-p??_*) workers=1 ;;
		*-fiber-stealing) workers=2 ;;
		*) workers='1 2' ;;
		esac
		if grep "^bench: $workload .*: $backend, .* skipped: " "$dir/err" | grep -q -e "$lacking"; then
			echo "note: $workload on $backend was skipped, it is not installed"
			continue
		fi
		for n in $workers; do
			cases=$(grep -c "^$workload [^ ]* $backend $n $metric true$" "$dir/lines")
			[ "$cases" -ge "$want" ] ||
				fail "$workload: $backend with $n workers has $cases cases with $metric, not $want"
		done
	done
}
c='serial perch pthread omp libomp'
# shellcheck disable=SC2086 # one word each
{
	has uts ns_per_node 3 $c perch-threads perch-ordinary tbb fiber
	has nqueens ns_per_node 1 $c perch-threads perch-ordinary go tbb fiber fiber-stealing
	has sort ns_per_key 2 $c perch-threads perch-ordinary tbb fiber
	has fib ns_per_fork 1 $c perch-threads perch-ordinary go tbb fiber fiber-stealing
	has fib-typed ns_per_fork 1 $c go
	has flat ns_per_thread 1 $c perch-ordinary go tbb fiber starpu
	has yield ns_per_switch 1 $c go fiber
	has mem ns_per_thread 1 $c go fiber
	has mem release_ns_per_thread 1 perch pthread omp libomp go fiber
}
has burst ns_per_thread 4 perch perch-ordinary pthread go fiber
has timers percent_delivered 1 perch go
has timers longest_gap_ms 1 perch go
has pingpong ns_per_round_trip 2 perch pthread go fiber
has mutex ns_per_lock 1 perch pthread go fiber
has mutex longest_wait_ns 1 perch pthread go fiber
has chan ns_per_message 3 perch pthread go fiber
has select ns_per_message 3 perch go
has timers ns_per_arm 1 perch pthread go
has timers ns_per_cancel 1 perch pthread go
has timers p50_late_us 1 perch pthread go
has timers p99_late_us 1 perch pthread go
has wake p50_wake_ns 1 perch pthread go
has wake p99_wake_ns 1 perch pthread go
has wake cpu_percent 1 perch pthread go
has echo ns_per_request 1 perch pthread go
has echo requests_per_s 1 perch pthread go
has echo p99_us 1 perch pthread go
has block ns_per_call 1 serial perch
has block ns_of_marks 1 perch
has block p50_handoff_us 2 perch pthread
has block p99_handoff_us 2 perch pthread
has block p50_handoff_us 1 go
has block p99_handoff_us 1 go
has block ms_beside 3 perch pthread
has block ms_beside 2 go
has block x_alone 2 perch pthread
has block x_alone 1 go
has block percent_share 1 perch pthread go
has triad ns_per_element 3 serial perch
has triad ns_per_element 1 omp libomp tbb starpu
has triad gb_per_s 1 perch omp libomp
has triad percent_home 1 perch omp libomp
has jacobi ns_per_element 3 serial perch
has jacobi ns_per_element 1 omp libomp tbb starpu
has jacobi percent_home 1 perch omp libomp
has placement ns_per_thread 1 perch pthread
has placement percent_stacks_home 1 perch pthread
has placement percent_woken_home 1 perch pthread
has alloc ns_per_pair 4 perch glibc jemalloc tcmalloc mimalloc
has alloc ns_per_object 2 perch glibc jemalloc tcmalloc mimalloc
! grep '"workload":"alloc"' "$dir/json" | grep '"backend":"\(serial\|pthread\|go\|omp\)"' ||
	fail "alloc runs what nobody asked for"
grep -q 'triad by-node: omp, .* skipped: a loop with the static' "$dir/err" || fail "nothing says why omp has no loop by node"
for w in $waits burst placement; do
	grep -q "$w .*: omp, .* skipped: tasks of OpenMP" "$dir/err" || fail "$w: nothing says why omp has none"
	grep -q "$w .*: serial, .* skipped: a call has nobody" "$dir/err" || fail "$w: nothing says why serial has none"
done
grep -q 'select 2: pthread, .* skipped: pthreads cannot' "$dir/err" || fail "select: nothing says why pthread has none"
grep -q 'block call: pthread, .* skipped: the kernel needs no marks' "$dir/err" ||
	fail "block: nothing says why pthread has no marks"
for c in call handoff-unmarked readers-unmarked; do
	grep -q "block $c: go, .* skipped: Go \(marks\|is not\)" "$dir/err" || fail "block: nothing says why go has no $c"
done
for w in uts nqueens sort fib; do
	grep -q "$w .*: starpu, .* skipped: \(a task of StarPU must not wait\|StarPU .* is not installed\)" "$dir/err" ||
		fail "$w: nothing says why starpu has none"
done
grep -q "fib .*: fiber-stealing, 1 .* skipped: Boost.Fiber" "$dir/err" || fail "nothing says that work_stealing hangs"
for b in tbb fiber; do
	"$here/bench_$b" --workload=select --case=2 --size=small >"$dir/out" || fail "bench_$b has no select: status $?"
	grep -q '^{"skipped":".*"}$' "$dir/out" || fail "bench_$b does not say why it has no select"
done
! ls -d "$TMPDIR"/bench_starpu.* 2>/dev/null || fail "starpu left its home behind"
# BACKEND FORM: so it says what forks and joins, in each of its results
for form in serial:calls perch:tasks perch-threads:threads perch-ordinary:threads pthread:threads omp:tasks libomp:tasks go:threads tbb:tasks fiber:threads fiber-stealing:threads; do
	backend=${form%:*} form=${form#*:}
	! grep -e '"workload":"\(uts\|nqueens\|sort\|fib\)"' "$dir/json" | grep -e "\"backend\":\"$backend\"" | grep -v "form=$form" ||
		fail "$backend does not say that it runs $form"
done
# WORKLOAD CASE BACKEND: what it did, but not by what means
did() {
	sed -n "s/^{\"workload\":\"$1\",.*\"case\":\"$2\",\"params\":\"\([^\"]*\)\",\"backend\":\"$3\",.*/\1/p" "$dir/json" |
		sed 's/\(by\|placement\)=[^ ]*//g; s/  */ /g; s/^ //; s/ $//' | sort -u
}
for what in "pingpong chan" "pingpong cond" "mutex mutex" "chan unbuffered" "chan buffered-128" "chan mpmc-4x4" \
	"burst 24" "burst 4096" "timers periodic-100" \
	"select 2" "select 8" "select 64" "timers arm-cancel" "timers sleep-1ms" "wake wake" "wake idle-10k" \
	"echo 50" "block handoff-marked" "block readers-marked" "block loops"; do
	# shellcheck disable=SC2086
	set -- $what
	perch=$(did "$1" "$2" perch) go=$(did "$1" "$2" go)
	[ -n "$perch" ] || fail "$what: perch says nothing of what it did"
	grep -q "$1 $2: go, .* skipped: Go is not" "$dir/err" || [ "$go" = "$perch" ] ||
		fail "$what: go did '$go', perch '$perch'"
done

# --- the text of a file; the table ---
expect 0 'alloc pair-16: serial, .* skipped: ' alloc --backend=serial --size=small --format=json
printf 'pear\n\napple\nfig\npeach\nfig' >"$dir/text"
expect 0 'of=file n=6' sort --size=small --repeat=2 --backend=serial,perch --workers=2 --file="$dir/text"
grep -q 'perch .* yes$' "$dir/out" || fail "no verified row of perch in the table"
expect 0 'nqueens' --list
expect 0 'p50_wake_ns' --list
expect 0 ' go  *goroutines' --list
expect 0 'perch-threads .*uts nqueens' --list
expect 0 ' tbb  *oneTBB.*uts nqueens' --list
# the main job is not for those that are installed only when asked for, unless they are named
"$bench" --size=small --repeat=1 --workers=1 --format=json >"$dir/out" 2>"$dir/err" || fail "the main job: $(cat "$dir/err")"
! grep -e ': \(go\|tbb\|fiber\|starpu\), ' -e '"\(go\|tbb\|fiber\|starpu\)"' "$dir/out" "$dir/err" ||
	fail "one that need not be there is in the main job"
expect 0 ': go, 1 workers\|"backend":"go"' --backend=go --size=small --repeat=1 --workers=1 --format=json
expect 0 'usage:' --help

# --- bad arguments, named ---
"$here/bench_pthread" --workload=fib --case=fib --size=small --steal=flat 2>"$dir/err" && fail "pthread with --steal"
grep -q 'only perch has --steal' "$dir/err" || fail "nobody said that only perch has --steal"
"$here/bench_serial" --workload=fib --case=fib --size=small --variant=ordinary 2>"$dir/err" && fail "serial with --variant"
grep -q 'no --variant' "$dir/err" || fail "nobody said that serial has no --variant"
"$here/bench_perch" --workload=fib --case=fib --size=small --variant=big 2>"$dir/err" && fail "perch with a variant that is none"
"$here/bench_perch" --workload=fib --case=fib --size=small --cpu-nodes=0,x 2>"$dir/err" && fail "a node x"
grep -q 'cpu-nodes must be a list' "$dir/err" || fail "nobody said that x is no node"

# a library that is not in force must not be measured under its name
"$here/bench_pthread" --workload=alloc --case=pair-16 --size=small --variant=libnothing.so.1 >"$dir/out" 2>&1 ||
	fail "a library that is not there: status $?"
grep -q 'skipped.*malloc is of libc.so.6, not of libnothing' "$dir/out" || fail "nobody said whose malloc it is"
"$here/bench_pthread" --workload=alloc --case=pair-16 --size=small --variant=nothing 2>"$dir/err" && fail "a variant that is none"

# --- what kind of machine ---
case $(grep -c '"kind":"\(VM\|real\)"' "$dir/json") in
"$(wc -l <"$dir/json")") ;;
*) fail "not each line says whether the machine is real or a VM" ;;
esac
kind=real
grep -q '^flags.* hypervisor' /proc/cpuinfo && kind=VM
expect 0 "^kind: $kind" fib --backend=serial --size=small --repeat=1
export PERCH_TOPOLOGY=1x4096
expect 0 '"machine":".*emulated as 1x4096","kind":"emulated"' fib --backend=serial --size=small --repeat=1 --format=json
unset PERCH_TOPOLOGY

expect 2 'fibb: no such workload; there are' fibb
expect 2 'fib: .*twice' fib fib
expect 2 "no backend 'gone'; there are serial, .*, go" --backend=serial,gone
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

"$here/bench_perch" --workload=block --case=call --size=small --workers=2 2>"$dir/err" &&
	fail "block call with two workers"
grep -q 'must be 1' "$dir/err" || fail "nobody said that block call takes one worker"
"$here/bench_perch" --workload=mem --case=parked --size=small --workers=2 2>"$dir/err" && fail "mem with two workers"
grep -q 'must be 1' "$dir/err" || fail "nobody said that mem takes one worker"

# --- results that are wrong ---
# PROGRAM NAME CASES...: each is seen to be wrong, and said to be
lies() {
	program=$1 name=$2
	shift 2
	for w; do
		# shellcheck disable=SC2086
		set -- $w
		"$here/$program" --workload="$1" --case="$2" --size=small >"$dir/out" 2>"$dir/err"
		[ $? = 1 ] || fail "$program: a wrong result of $w passed as right"
		grep -q '"verified":false' "$dir/out" || fail "$program: a wrong result of $w is called verified"
		cat "$dir/err" >>"$dir/lies"
		grep -q "$1 $2, $name.*: wrong: " "$dir/err" ||
			fail "$program: nobody said what is wrong in $w: $(cat "$dir/err")"
	done
}
set -- "nqueens 8" "fib fib" "fib-typed fib" "flat flat" "yield yield" "burst 24" "mem parked" "pingpong chan" "pingpong cond" \
	"mutex mutex" "chan unbuffered" "chan buffered-128" "chan mpmc-4x4" "select 2" "select 8" "select 64" \
	"timers arm-cancel" "timers sleep-1ms" "timers periodic-100" "wake wake" "wake idle-10k" "echo 50" \
	"block handoff-marked" "block readers-marked" "block loops"
lies bench_liar liar "$@" "block call" "block handoff-unmarked" "block readers-unmarked" \
	"uts tiny-geometric" "sort keys" "sort lines" "mem spawned" "triad for" "triad by-node" "triad blocks" \
	"jacobi for" "jacobi by-node" "jacobi blocks" "placement stacks" "alloc pair-64" "alloc handover" "alloc larson"
if grep -q 'skipped: Go is not' "$dir/o/skips"; then
	echo "note: go is not installed; whether it sees wrong results is not tested"
else
	lies bench_go_liar go "$@"
fi
"$here/bench_liar" --workload=pingpong --case=chan --size=small --workers=2 2>"$dir/err" >"$dir/out"
grep -q 'not on two workers' "$dir/err" || fail "nobody said that the two were on one worker"
"$here/bench_liar" --workload=block --case=loops --size=small --workers=2 2>"$dir/err" >"$dir/out"
grep -q 'did not come to what it should' "$dir/err" || fail "nobody said that one lost a step"
grep -q '4800 threads 4800 began, 4[0-9]* came back' "$dir/lies" || fail "a lost yield was not seen as such"
grep -q '1 of 100 timers were never called, 99 calls came early' "$dir/lies" ||
	fail "calls of timers that did not come, or came early, were not seen as such"
for w in "what was written into the objects is not" "objects held what was sent" "objects that were freed are not"; do
	grep -q "$w" "$dir/lies" || fail "alloc: memory given to two was not seen as such: $w"
done
grep -q '0 of 1 loops went on' "$dir/lies" || fail "a loop that stood still was not seen as such"
grep -q '49 of 50 read what was for them, 0 before' "$dir/lies" || fail "another's byte was not seen as such"
grep -q '50 of 50 read what was for them, 1 before' "$dir/lies" || fail "a read without a byte was not seen as such"
grep -q 'messages arrived, not' "$dir/lies" || fail "a lost message was not seen as such"
grep -q 'not those that were sent' "$dir/lies" || fail "a doubled message was not seen as such"
grep -q 'messages came out of order' "$dir/lies" || fail "an overtaken message was not seen as such"

grep -q 'block 63 was run 0 times in' "$dir/lies" || fail "a block that was left out was not seen as such"
grep -q 'block 0 was run [0-9]* times in' "$dir/lies" || fail "a block that was done twice was not seen as such"
grep -q 'a.64512. is 0, not' "$dir/lies" || fail "triad: elements that were not computed were not seen as such"
grep -q 'row [0-9]*, column [0-9]* is .*, not' "$dir/lies" || fail "jacobi: a row that was not computed was not seen as such"
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
expect 1 '"metric":"cpu_percent","unit":"%".*"error":"exit status 3"' wake --backend=serial --format=json --size=small
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
# a library that is not installed, wherever this runs
cp -L "$here/bench_without" "$fake/bench_tbb"
expect 0 'tbb, 2 workers: skipped: oneTBB (libtbb-dev) is not installed; with PEERS=1' uts --backend=tbb --workers=2 --repeat=2
# three samples, out of order: min, median, max
serial "n=\$(cat '$dir/n' 2>/dev/null || echo 3); echo \$((n % 3 + 7)) >'$dir/n'
echo '{\"params\":\"\",\"metric\":\"ns_per_fork\",\"unit\":\"ns\",\"better\":\"lower\",\"value\":'\$n',\"verified\":true}'"
expect 0 '"min":3,"median":7,"max":8,"n":3' fib --backend=serial --format=json --repeat=3

[ $failures = 0 ] || { echo "$failures failures"; exit 1; }
echo "all as it should be"
