#!/bin/bash
# SPDX-License-Identifier: MIT
# perch_vm_test.sh NUMA_VM PROGRAM...: test programs of perch on machines with several
# nodes, all in one boot each: a boot takes longer than most of them.
set -u
vm=$PWD/$1
shift
# shellcheck source=tests/harness/check.sh
. tests/harness/check.sh
need_tools "qemu-system-x86 busybox-static cpio zstd xz-utils" qemu-system-x86_64 busybox cpio zstd xz setpriv
programs=() options=()
for p; do
	programs+=("$PWD/$p")
	options+=("--file=$PWD/$p")
done
# fork_test wants something to exec. Emulated, and with more CPUs than the host has: the
# time-outs are ten times as long.
options+=(--file=/bin/echo --timeout=400 --env=PERCH_TEST_TIMEOUT_FACTOR=10 --env=PERCH_TEST_HOTPLUG=10)
# $p: for the guest's shell, not for ours
# shellcheck disable=SC2016
all='for p; do
	begun=$(date +%s) status=0
	"$p" || status=$?
	echo "@ $p $status $(($(date +%s) - begun))"
done'

for shape in 2x4 4x2; do
	status=0
	"$vm" --kernel=6.1 --nodes=${shape%x*} --cpus=${shape#*x} "${options[@]}" -- \
		busybox sh -c "$all" sh "${programs[@]}" >"$tmp/out" || status=$?
	sed "s/^/# /" "$tmp/out"
	[ $status = 0 ] || verdict "$shape: the guest" "status $status"
	for p in "${programs[@]}"; do
		name="$shape: ${p##*/}"
		read -r status seconds < <(sed -n "s:^@ $p ::p" "$tmp/out") || { verdict "$name" "did not end"; continue; }
		[ "$status" = 0 ] || { verdict "$name" "status $status"; continue; }
		verdict "$name, $seconds s" ""
	done
	# that it was such a machine, and CPUs did go, is for the programs to see
	seen=$(grep -c "^# node [0-9]*: ${shape#*x} CPUs" "$tmp/out")
	problem=''
	[ "$seen" = ${shape%x*} ] || problem="$seen nodes"
	verdict "$shape: real_test saw ${shape%x*} nodes of ${shape#*x} CPUs" "$problem"
	problem=''
	grep -q '^# .*times off, .* processors at the least' "$tmp/out" || problem="hotplug_test does not say so"
	verdict "$shape: CPUs went off and on" "$problem"
done
done_checking
