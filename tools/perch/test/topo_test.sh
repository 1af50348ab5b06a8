#!/bin/sh
# SPDX-License-Identifier: MIT
# topo_test.sh PERCH: what `perch topo` says of this machine and of described ones; what it
# exports, read again, is the same machine; and bad usage.
set -u
perch=$PWD/$1
# shellcheck source=tests/harness/check.sh
. tests/harness/check.sh
unset PERCH_TOPOLOGY

run() { # STATUS ARG...
	wanted=$1 status=0 problem=''
	shift
	"$perch" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null || status=$?
	[ $status = "$wanted" ] || problem=" status $status, expected $wanted;"
}
judge() { # NAME
	[ -z "$problem" ] || { sed 's/^/# out: /' "$tmp/out"; sed 's/^/# err: /' "$tmp/err"; }
	verdict "$1" "$problem"
}
same() { # FILE, all that is on stdout
	cmp -s "$1" "$tmp/out" || problem="$problem other output;"
}
quiet() { [ ! -s "$tmp/err" ] || problem="$problem something on stderr;"; }

refuses() { # MESSAGE ARG...
	message=$1
	shift
	run 2 "$@"
	[ "$(cat "$tmp/err")" = "perch: $message; see perch --help" ] || problem="$problem another message;"
	[ ! -s "$tmp/out" ] || problem="$problem output;"
	judge "refuses: $message"
}
refuses "no command given"
refuses "no such command: 'top'" top
refuses "topo: unexpected '-x'" topo -x
refuses "topo: unexpected 'file'" topo --export file
for help in --help "topo --help"; do
	# shellcheck disable=SC2086 # words
	run 0 $help
	quiet
	grep -q '^usage: perch topo \[--export\]$' "$tmp/out" || problem="$problem no usage;"
	judge "$help"
done
if [ -c /dev/full ]; then
	problem=''
	"$perch" topo >/dev/full 2>"$tmp/err" && problem=" status 0;"
	grep -q '^perch: cannot write: ' "$tmp/err" || problem="$problem no message;"
	judge "says that it cannot write"
fi

# ---- this machine ----
run 0 topo
quiet
grep -qE '^topology: [1-9][0-9]* nodes?, placement of memory (works|does not work)' "$tmp/out" || problem="$problem no first line;"
grep -qE '^  node [0-9]+: CPUs [0-9,-]+; [1-9][0-9]* MiB; distances( [0-9]+:[0-9]+)+$' "$tmp/out" || problem="$problem no node;"
judge "this machine"
# by another source: the kernel's own list of each node's CPUs
problem=''
for node in /sys/devices/system/node/node[0-9]*; do
	[ -e "$node/cpulist" ] || continue
	grep -q "^  node ${node##*node}: CPUs $(sed 's/^$/none/' "$node/cpulist");" "$tmp/out" || problem="$problem no node ${node##*node};"
done
judge "each node has the CPUs that the kernel says"

# But for "emulated", and what is noted of libnuma.
machine() { sed 's/^topology: \(emulated, \)\?\([0-9]* nodes\?\),.*/\2/' "$1"; }
round_trip() { # NAME
	name=$1
	run 0 topo
	machine "$tmp/out" >"$tmp/machine"
	run 0 topo --export
	quiet
	[ "$(wc -l <"$tmp/out")" = 1 ] || problem="$problem not one line;"
	cp "$tmp/out" "$tmp/text"
	PERCH_TOPOLOGY=$(cat "$tmp/text")
	export PERCH_TOPOLOGY
	run 0 topo
	quiet
	grep -q '^topology: emulated, ' "$tmp/out" || problem="$problem not shown as emulated;"
	machine "$tmp/out" >"$tmp/again"
	cmp -s "$tmp/machine" "$tmp/again" || problem="$problem it is another machine: $(diff "$tmp/machine" "$tmp/again" | tr '\n' '|');"
	run 0 topo --export
	same "$tmp/text"
	judge "$name: what is exported reads as the same machine, and exports the same"
	echo "# $(cat "$tmp/text")"
	unset PERCH_TOPOLOGY
}
round_trip "this machine"

# ---- others; they must have the CPUs that we may use ----
allowed=$(sed -n 's/^Cpus_allowed_list:[^0-9]*//p' /proc/self/status)
PERCH_TOPOLOGY="node0=$allowed node2=4000-4003:0 node7=none:3G distance=10,20,17/24,10,30/17,31,10 cache=$allowed"
export PERCH_TOPOLOGY
run 0 topo
quiet
grep -q '^topology: emulated, 3 nodes, ' "$tmp/out" || problem="$problem no first line;"
grep -qx "  node 0: CPUs $allowed; 1024 MiB; distances 0:10 2:20 7:17" "$tmp/out" || problem="$problem no node 0;"
grep -qx '  node 2: CPUs 4000-4003; 0 MiB; distances 0:24 2:10 7:30' "$tmp/out" || problem="$problem no node 2;"
grep -qx '  node 7: CPUs none; 3072 MiB; distances 0:17 2:31 7:10' "$tmp/out" || problem="$problem no node 7;"
judge "a described machine"
round_trip "a described machine"

PERCH_TOPOLOGY="node0=$allowed distnce=10"
export PERCH_TOPOLOGY
run 1 topo
grep -q "PERCH_TOPOLOGY.*column $((${#allowed} + 8))" "$tmp/err" || problem="$problem no column;"
[ ! -s "$tmp/out" ] || problem="$problem output;"
judge "a description that is wrong"
PERCH_TOPOLOGY="node0=8000"
run 1 topo --export
[ "$(wc -l <"$tmp/err")" = 1 ] || problem="$problem not one line on stderr;"
judge "a description without our CPUs"
done_checking
