#!/bin/sh
# SPDX-License-Identifier: MIT
# The experiments, small: verified, as JSON that says what kind of machine it is of.
# The report never mixes kinds. Wrong results and bad arguments are seen, and named.
set -u
here=${TEST_SRCDIR:?run me with bazel test}/perch/bench
numa=$here/numa/numa json_lines=$here/json_lines
dir=${TEST_TMPDIR:?}
failures=0
unset PERCH_TOPOLOGY

fail() {
	echo "FAILED: $*"
	failures=$((failures + 1))
}

# STATUS PATTERN ARGUMENTS...: ends with that status; the message holds the pattern
expect() {
	want=$1 pattern=$2
	shift 2
	"$numa" "$@" >"$dir/out" 2>"$dir/err"
	got=$?
	[ $got = "$want" ] || fail "numa $*: status $got, not $want: $(cat "$dir/err")"
	grep -q -e "$pattern" "$dir/out" "$dir/err" || fail "numa $*: nothing says '$pattern': $(cat "$dir/err")"
}

# --- everything, small ---
kind=real nodes=$(find /sys/devices/system/node -maxdepth 1 -name 'node[0-9]*' 2>/dev/null | wc -l)
grep -q '^flags.* hypervisor' /proc/cpuinfo && kind=VM
# a real machine with several nodes wants to be asked
hardware=
[ $kind = VM ] || [ "$nodes" -lt 2 ] || hardware=--hardware
# shellcheck disable=SC2086 # none or one word
"$numa" $hardware --size=small --repeat=1 --workers=2 --format=json --output="$dir/o" >"$dir/json" 2>"$dir/err" ||
	fail "all experiments, small: status $?: $(cat "$dir/err")"
"$json_lines" <"$dir/json" >"$dir/lines" || fail "the JSON is not as it should be"
cmp "$dir/json" "$dir/o/results.json" || fail "results.json is not what was printed"
! grep -v ' true$' "$dir/lines" || fail "not verified"
! grep -qv "\"kind\":\"$kind\"" "$dir/json" || fail "lines that do not say that this machine is $kind"
# WORKLOAD BACKEND METRIC: all policies have it
policies() {
	for policy in near-first flat node-only none; do
		grep -q "\"workload\":\"$1\",.*\"backend\":\"$2\",.*\"metric\":\"$3\",.*\"policy\":\"$policy\"" "$dir/json" ||
			fail "$1: $2 by $policy has no $3"
	done
}
for w in uts nqueens fib; do
	policies $w perch steals
	policies $w perch stolen_tier0
	policies $w perch stolen_tier7
done
policies triad perch gb_per_s
policies jacobi perch percent_home
policies placement perch percent_woken_home
for line in 'triad by-node perch 2 gb_per_s' 'jacobi by-node perch 2 percent_home' 'triad blocks perch 2 gb_per_s' 'jacobi blocks perch 2 percent_home' 'triad for omp 2 gb_per_s' 'triad for serial 1 percent_home' 'jacobi for omp 2 percent_home' \
	'placement stacks pthread 2 percent_stacks_home' 'nodes 0-0 libnuma [0-9]* ns_per_load' \
	'nodes 0-0 libnuma [0-9]* read_gb_per_s'; do
	grep -q "^$line true$" "$dir/lines" || fail "no line '$line'"
done
# nobody steals by `none`, from none of the other nodes by `node-only`
# POLICY METRIC: its medians, other than 0
others() {
	sed -n "s/.*\"metric\":\"$2\",.*\"median\":\([^,]*\),.*\"policy\":\"$1\".*/\1/p" "$dir/json" | grep -v '^0$'
}
[ -z "$(others none stolen)" ] || fail "somebody stole by none: $(others none stolen)"
[ -n "$(others near-first stolen)" ] || fail "nobody stole by near-first"

# --- described nodes: emulated, whatever is below ---
export PERCH_TOPOLOGY='2x1 distance=10,31/31,10'
if taskset -c 0,1 true 2>/dev/null; then
	taskset -c 0,1 "$numa" steals triad placement nodes --backend=perch,pthread --size=small --repeat=1 --workers=2 \
		--output="$dir/e" >"$dir/out" 2>"$dir/err" || fail "emulated: status $?: $(cat "$dir/err")"
	! grep -v '"machine":".* emulated as 2x1 distance=10,31/31,10","kind":"emulated"' "$dir/e/results.json" ||
		fail "lines that do not say that they are emulated"
	grep -q '^kind: emulated' "$dir/e/table.txt" || fail "table.txt does not say that it is emulated"
	grep -q 'nodes: skipped: the nodes are only described' "$dir/err" || fail "nothing says why nodes is skipped"
	! grep -q '"workload":"nodes"' "$dir/e/results.json" || fail "described nodes were measured"
	! grep -q 'percent_stacks_home' "$dir/e/results.json" || fail "memory was on nodes that are only described"
	cp "$dir/e/results.json" "$dir/json"
	[ -z "$(others node-only stolen_tier3)" ] || fail "node-only stole from the other node"
	[ -z "$(others near-first stolen_tier2)" ] || fail "there is nobody else on the own node"
	[ -n "$(others flat stolen_tier3)" ] || fail "flat stole nothing from the other node"
fi
expect 2 'not real, but emulated' triad --size=small --backend=serial --policy=flat --repeat=1 --hardware
PERCH_TOPOLOGY=nonsense
expect 2 'column 1' triad
unset PERCH_TOPOLOGY

# --- kinds, apart from any run ---
mkdir "$dir/kinds"
"$here/numa/kinds" "$dir/kinds" >"$dir/out" 2>"$dir/err" || fail "$(cat "$dir/out" "$dir/err")"
[ "$(grep -c 'refused: one picture of two machines' "$dir/err")" = 4 ] || fail "a refusal does not say what it refuses"

# --- bad arguments, named ---
expect 0 'usage: numa' --help
expect 0 'tiny-geometric' --list
expect 2 'stealz: no such experiment; there are steals' stealz
expect 2 'steals: .*twice' steals steals
expect 2 "no policy 'round'; there are near-first, flat, node-only, none" --policy=round
expect 2 "no backend 'go'; there are perch, serial" --backend=go
expect 2 'repeat=0' --repeat=0
expect 2 "workers=0: '0' is not a number" --workers=0
expect 2 'size=huge' --size=huge
expect 2 'format=xml' --format=xml
expect 2 'frobnicate' --frobnicate
expect 2 'output=/proc/nothing' --output=/proc/nothing
expect 2 'report: needs --output' report
expect 2 'from: is for report' "--from=$dir/o/results.json"
expect 2 'no experiment can be named' report "--output=$dir/r" "--from=$dir/o/results.json" steals
[ $kind = real ] || expect 2 'hardware: this machine is not real, but a VM' nodes --hardware
"$here/bench_libnuma" --case=0 --size=small --workers=1 2>"$dir/err" && fail "bench_libnuma: a case that is no pair"
grep -q 'usage: bench_libnuma' "$dir/err" || fail "bench_libnuma: no usage"
"$here/bench_libnuma" --case=0-99 --size=small --workers=1 2>"$dir/err" >"$dir/out" && fail "memory on node 99"

# --- the report ---
expect_report() { # FILES...
	rm -rf "$dir/r"
	for f; do
		shift
		set -- "$@" "--from=$f"
	done
	"$numa" report "--output=$dir/r" "$@" >"$dir/out" 2>"$dir/err"
}
if ! command -v gnuplot >/dev/null; then
	echo "note: gnuplot is not installed; what is drawn is not tested"
else
	# the same figures as those of a real machine, an emulated one, and another VM
	this=$dir/o/results.json
	for as in real emulated VM; do
		sed "s/\"kind\":\"$kind\"/\"kind\":\"$as\"/; s/\"machine\":\"/&as $as /" "$this" >"$dir/as-$as"
	done
	expect_report "$this" "$dir/as-real" "$dir/as-emulated" "$dir/as-VM" || fail "report: $(cat "$dir/err")"
	here_prefix=$(echo $kind | tr '[:upper:]' '[:lower:]')
	for file in "${here_prefix}-steals-w2" real-latency real2-latency emulated-steals-w2 emulated-triad-w2 \
		vm-home-w2 vm2-home-w2 vm-bandwidth vm-placement-w2 vm-jacobi-w2 vm-steals-time-w2; do
		# of this kind there are two
		case $file in real2-*) [ $kind = real ] || continue ;; vm2-*) [ $kind = VM ] || continue ;; esac
		head -c 8 "$dir/r/$file.png" 2>/dev/null | grep -q PNG || { fail "no picture $file.png"; continue; }
		grep -q '<svg' "$dir/r/$file.svg" || fail "no picture $file.svg"
		grep -q "src=\"$file.svg\"" "$dir/r/index.html" || fail "$file is not in the index"
	done
	for file in "$dir"/r/*.svg; do
		name=${file##*/} of=0
		for as in 'real machine' 'VM, not real' 'EMULATED'; do
			! grep -q "$as" "$file" || of=$((of + 1))
		done
		[ $of = 1 ] || fail "$name is of $of kinds"
		case $name in
		real*) grep -q 'real machine' "$file" ;;
		vm*) grep -q 'VM, not real' "$file" ;;
		*) grep -q 'EMULATED' "$file" ;;
		esac || fail "$name says another kind than it is of"
		[ "$(grep -c 'as real\|as emulated\|as VM' "$file")" -le 1 ] || fail "$name is of two machines"
	done
	[ "$(grep -c '<h2' "$dir/r/index.html")" = 4 ] || fail "the index has not a section for each machine"
	# a picture can be made again from its script alone
	(cd "$dir/r" && rm vm-home-w2.svg && gnuplot vm-home-w2.gp) || fail "the script does not run where it lies"
	[ -s "$dir/r/vm-home-w2.svg" ] || fail "the script did not make its picture again"
	# what a file says goes into scripts and pages as text
	sed "s/\"machine\":\"/&\`touch hit\`<b>/" "$this" >"$dir/evil"
	expect_report "$dir/evil" || fail "report: $(cat "$dir/err")"
	[ ! -e "$dir/r/hit" ] || fail "a command in a machine's name was run"
	! grep -q '<b>Intel\|hit.<b>' "$dir/r/index.html" || fail "a machine's name was taken for HTML"
	# not verified
	sed '1s/"verified":true/"verified":false/' "$this" >"$dir/wrong"
	expect_report "$dir/wrong" && fail "a report of wrong results ends with 0"
	grep -q '1 figures are NOT verified' "$dir/r/index.html" || fail "the index does not say what is not verified"
	# results that cannot be used
	sed '3s/,"kind":"[^"]*"//' "$this" >"$dir/nokind"
	expect_report "$dir/nokind"
	[ $? = 2 ] || fail "a result without a kind was taken"
	grep -q 'nokind, line 3: it does not say what kind' "$dir/err" || fail "nobody said what line has no kind"
	expect_report "$this" "$this"
	[ $? = 2 ] || fail "the same results twice were taken"
	grep -q 'results.json, line 1: the same measurement is there already' "$dir/err" || fail "twice: $(cat "$dir/err")"
	echo nonsense >"$dir/nonsense"
	expect_report "$dir/nonsense"
	[ $? = 2 ] || fail "nonsense was taken for results"
	expect_report "$dir/not-there"
	[ $? = 2 ] || fail "a file that is not there was read"
fi
PATH=/nonexistent "$numa" report "--output=$dir/r2" "--from=$dir/o/results.json" 2>"$dir/err"
[ $? = 2 ] || fail "a report without gnuplot"
grep -q 'gnuplot, which draws, is missing; with REPORT=1' "$dir/err" || fail "nobody said that gnuplot is missing"

# --- backends that misbehave ---
mkdir -p "$dir/fake/numa"
cp -L "$numa" "$dir/fake/numa/numa"
numa=$dir/fake/numa/numa
perch() { # TEXT: what bench_perch does
	printf '#!/bin/sh\necho "$@" >>%s/called\n%s\n' "$dir" "$1" >"$dir/fake/bench_perch"
	chmod 755 "$dir/fake/bench_perch"
}
one='{"params":"","metric":"ns_per_element","unit":"ns","better":"lower","value":1,"verified"'
perch "echo '$one:true}'"
expect 0 'perch/flat .* yes' triad --backend=perch --policy=flat --workers=3
grep -q -e '--workload=triad .*--workers=3 --steal=flat --tiers' "$dir/called" || fail "called with: $(cat "$dir/called")"
! grep -q cpu-nodes "$dir/called" || fail "nodes were described that are real"
PERCH_TOPOLOGY="node0=0-$(($(nproc --all) - 1))" && export PERCH_TOPOLOGY
rm "$dir/called"
expect 0 'perch/flat .* yes' triad --backend=perch --policy=flat
grep -q -e '--cpu-nodes=0' "$dir/called" || fail "described nodes were not passed on: $(cat "$dir/called")"
unset PERCH_TOPOLOGY
perch "echo '$one:false}'; exit 1"
expect 1 'perch/flat .* NO' triad --backend=perch --policy=flat
perch "kill -SEGV \$\$"
expect 1 'killed by signal 11' triad --backend=perch --policy=flat
expect 1 'cannot run' triad --backend=serial
expect 1 'nothing can be run' placement --backend=serial

[ $failures = 0 ] || { echo "$failures failures"; exit 1; }
echo "all as it should be"
