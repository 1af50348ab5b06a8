#!/bin/bash
# SPDX-License-Identifier: MIT
# uts_hotplug_vm_test.sh NUMA_VM UTS_HOTPLUG_TEST: the published tree T1, its number of
# nodes exact each time, in a guest with 4 nodes of 2 CPUs, while CPUs go off and on 100
# times (PERCH_VM_HOTPLUG says another number), and while all CPUs of a node are off.
set -u
vm=$PWD/$1 program=$PWD/$2 times=${PERCH_VM_HOTPLUG:-100}
# shellcheck source=tests/harness/check.sh
. tests/harness/check.sh
need_tools "qemu-system-x86 busybox-static cpio zstd xz-utils" qemu-system-x86_64 busybox cpio zstd xz setpriv

status=0
"$vm" --kernel=6.1 --nodes=4 --cpus=2 --timeout=3000 --env=PERCH_TEST_TIMEOUT_FACTOR=10 \
	--env=PERCH_TEST_HOTPLUG="$times" -- "$program" >"$tmp/out" || status=$?
sed "s/^/# /" "$tmp/out"
problem=''
[ $status = 0 ] || problem="status $status"
verdict "4x2: the guest and its tests" "$problem"

passed() { # CASE LINE...: it ran, and said so; a test that was skipped shows nothing
	local name=$1 line
	shift
	problem=''
	grep -qx "ok [0-9]* $name" "$tmp/out" || problem="it did not pass;"
	for line; do grep -qE "^# $line\$" "$tmp/out" || problem+=" no line '$line';"; done
	verdict "4x2: $name" "$problem"
}
passed T1_while_cpus_go_off_and_on "[1-9][0-9]* trees of 4130071 nodes, 0 of them wrong" \
	"CPUs went off $times times, .* processors changed [1-9][0-9]* times"
passed T1_while_a_node_is_off "6 processors after [0-9]* ms" "node 1: 2 CPUs were off, and on again" \
	"node 2: 2 CPUs were off, and on again" "node 3: 2 CPUs were off, and on again"
done_checking
