#!/bin/bash
# SPDX-License-Identifier: MIT
# perch_vm_test.sh NUMA_VM PROGRAM...: test programs of perch on machines with several
# nodes.
set -u
vm=$PWD/$1
shift
# shellcheck source=tests/harness/check.sh
. tests/harness/check.sh
# shellcheck source=tests/vm/programs.sh
. tests/vm/programs.sh
need_tools "qemu-system-x86 busybox-static cpio zstd xz-utils" qemu-system-x86_64 busybox cpio zstd xz setpriv

for shape in 2x4 4x2; do
	# fork_test wants something to exec. Emulated, and with more CPUs than the host has: the
	# time-outs are ten times as long.
	programs_in_guest "$shape" "$vm" --kernel=6.1 "--nodes=${shape%x*}" "--cpus=${shape#*x}" --file=/bin/echo --timeout=400 \
		--env=PERCH_TEST_TIMEOUT_FACTOR=10 --env=PERCH_TEST_HOTPLUG=10 -- "$@"
	saw_nodes "$shape" "${shape%x*}" "${shape#*x}"
	problem=''
	grep -q '^# .*times off, .* processors at the least' "$tmp/out" || problem="hotplug_test does not say so"
	verdict "$shape: CPUs went off and on" "$problem"
done
done_checking
