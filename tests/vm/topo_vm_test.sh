#!/bin/bash
# SPDX-License-Identifier: MIT
# topo_vm_test.sh NUMA_VM PERCH: a machine with 4 nodes of 2 CPUs, no two distances alike, as
# `perch topo` sees it from inside; and taken home: what it exports there is
# the same machine here.
set -u
vm=$PWD/$1 perch=$PWD/$2
# shellcheck source=tests/harness/check.sh
. tests/harness/check.sh
need_tools "qemu-system-x86 busybox-static cpio zstd xz-utils" qemu-system-x86_64 busybox cpio zstd xz setpriv

# $1, $$: for the guest's shell, not for ours
# shellcheck disable=SC2016
inside='"$1" topo && echo === && "$1" topo --export && echo === &&
	PERCH_TOPOLOGY=$("$1" topo --export) "$1" topo && echo === &&
	echo 0 >/sys/devices/system/cpu/cpu7/online && "$1" topo && echo === &&
	mkdir /cg && mount -t cgroup2 none /cg && echo +cpuset >/cg/cgroup.subtree_control && mkdir /cg/a &&
	echo 0,2 >/cg/a/cpuset.mems && echo $$ >/cg/a/cgroup.procs && "$1" topo'
status=0
"$vm" --kernel=6.1 --nodes=4 --cpus=2 --distances="10,21,31,41;22,10,32,42;23,33,10,43;24,34,44,10" --file="$perch" -- \
	busybox sh -c "$inside" sh "$perch" >"$tmp/out" || status=$?
sed 's/^/# /' "$tmp/out"
part() { awk -v n="$1" '/^===$/ {part++; next} part == n' "$tmp/out"; }
for i in 0 1 2 3 4; do part $i >"$tmp/part$i"; done

problem=''
[ $status = 0 ] || problem="status $status"
verdict "the guest" "$problem"
problem=''
for line in 'topology: 4 nodes, placement of memory works' '  node 0: CPUs 0-1; [0-9]* MiB; distances 0:10 1:21 2:31 3:41' \
	'  node 1: CPUs 2-3; [0-9]* MiB; distances 0:22 1:10 2:32 3:42' '  node 2: CPUs 4-5; [0-9]* MiB; distances 0:23 1:33 2:10 3:43' \
	'  node 3: CPUs 6-7; [0-9]* MiB; distances 0:24 1:34 2:44 3:10'; do
	grep -qx "$line" "$tmp/part0" || problem+=" no line '$line';"
done
verdict "its nodes and distances" "$problem"
problem=''
{ echo 'topology: emulated, 4 nodes, placement of memory works' && tail -n +2 "$tmp/part0"; } | cmp -s - "$tmp/part2" ||
	problem="another machine"
verdict "described by its own export it is the same, but emulated" "$problem"
problem=''
grep -q '^  node 3: CPUs 6; ' "$tmp/part3" || problem="no 'CPUs 6'"
verdict "a CPU that is off is not shown" "$problem"
problem=''
for line in '  node 0: CPUs 0-1; [0-9]* MiB; distances.*' '  node 1: CPUs 2-3; [0-9]* MiB, not for this process (cpuset.mems); distances.*' \
	'  node 2: CPUs 4-5; [0-9]* MiB; distances.*' '  node 3: CPUs 6; [0-9]* MiB, not for this process (cpuset.mems); distances.*'; do
	grep -qx "$line" "$tmp/part4" || problem+=" no line '$line';"
done
verdict "nodes whose memory a cpuset forbids are said" "$problem"

status=0
# shellcheck disable=SC2016
"$vm" --kernel=6.1 --nodes=3 --cpus=2,1,0 --memory=512,0,256 --file="$perch" -- \
	busybox sh -c '"$1" topo && "$1" topo --export' sh "$perch" >"$tmp/out" || status=$?
sed 's/^/# /' "$tmp/out"
problem=''
[ $status = 0 ] || problem="status $status"
for line in 'topology: 3 nodes, placement of memory works' '  node 0: CPUs 0-1; [0-9]* MiB; distances 0:10 1:16 2:22' \
	'  node 1: CPUs 2; 0 MiB; distances 0:25 1:10 2:16' '  node 2: CPUs none; 2[0-9]* MiB; distances 0:19 1:25 2:10' \
	'node0=0-1:[0-9]*K node1=2:0 node2=none:[0-9]*K distance=10,16,22/25,10,16/19,25,10 .*'; do
	grep -qx "$line" "$tmp/out" || problem+=" no line '$line';"
done
verdict "a node without memory and one without CPUs" "$problem"

# It has CPUs 0-7; here are some that it must have.
problem=''
allowed=$(sed -n 's/^Cpus_allowed_list:[^0-9]*//p' /proc/self/status)
if [ "${allowed//[!0-7]/}" = "$(echo "$allowed" | tr -d ',-')" ] && [[ ! $allowed =~ [0-9][0-9] ]]; then
	PERCH_TOPOLOGY=$(cat "$tmp/part1") "$perch" topo >"$tmp/here" || problem="status $?"
	tail -n +2 "$tmp/part0" | diff - <(tail -n +2 "$tmp/here") >"$tmp/diff" || problem+=" another machine: $(tr '\n' '|' <"$tmp/diff")"
	grep -q '^topology: emulated, 4 nodes' "$tmp/here" || problem+=" not emulated"
	verdict "exported there, it is the same machine here" "$problem"
else
	skip "exported there, it is the same machine here" "this process may use CPUs that it does not have"
fi
done_checking
