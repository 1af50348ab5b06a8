#!/bin/bash
# SPDX-License-Identifier: MIT
# aarch64_quick_vm_test.sh NUMA_VM PROGRAM...: a few test programs, built by
# --config=aarch64, in a guest of that kind with two nodes of two CPUs: a sample of what
# aarch64_vm_test.sh runs, which says what such a guest shows.
set -u
vm=$PWD/$1
shift
# shellcheck source=tests/harness/check.sh
. tests/harness/check.sh
# shellcheck source=tests/vm/programs.sh
. tests/vm/programs.sh
need_tools "qemu-system-arm cpio binutils" qemu-system-aarch64 cpio readelf setpriv

need_aarch64 "$1"
programs_in_guest aarch64 "$vm" --arch=aarch64 --nodes=2 --cpus=2 --timeout=400 --env=PERCH_TEST_TIMEOUT_FACTOR=10 -- "$@"
saw_nodes aarch64 2 2
# that this was rseq and membarrier, not the fallback
problem=''
! grep -q 'SKIP no sections' "$tmp/out" || problem="sections were not in force"
verdict "aarch64: with rseq on" "$problem"
done_checking
