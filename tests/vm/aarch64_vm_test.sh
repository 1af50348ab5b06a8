#!/bin/bash
# SPDX-License-Identifier: MIT
# aarch64_vm_test.sh NUMA_VM INSTALL_TESTS: the quick tests of rseq, core and numa as they
# are installed, built by --config=aarch64, in a guest of that kind with two nodes of two
# CPUs; those of rseq once more with rseq switched off.
#
# A guest is emulated, 10 to 100 times slower than the machine, and its weak memory
# order is that of the host: it shows that the sections are right by themselves
# and when they are cut, not that their barriers are enough. Without the ring's seeded
# bugs: so slow a machine need not run into them (cut_seeded_test is made for it).
set -u
vm=$PWD/$1 install=$PWD/$2
# shellcheck source=tests/harness/check.sh
. tests/harness/check.sh
# shellcheck source=tests/vm/programs.sh
. tests/vm/programs.sh
need_tools "qemu-system-arm cpio binutils" qemu-system-aarch64 cpio readelf setpriv

dir=$tmp/kselftest
check "installs" sh "$install" "$dir"
program=$(head -n 1 "$dir/kselftest-list.txt" | cut -d' ' -f1)
need_aarch64 "$dir/$program"
options=()
while IFS= read -r f; do options+=("--file=$f"); done < <(find "$dir" -type f)

# $1: for the guest's shell, not for ours
# shellcheck disable=SC2016
all='cd "$1" || exit
sh run_kselftest.sh -c quick -n -T 10 -t "tests/[!r]*" -t "tests/rseq/[!r]*" -t "tests/rseq/ring_test" -t "tests/rseq/ring_stress*"
plain=$?
sh run_kselftest.sh -c quick -T 10 -t "tests/rseq/[!r]*:rseq_off" -t "tests/rseq/ring_test:rseq_off" -t "tests/rseq/ring_stress*:rseq_off"
off=$?
[ $plain = 0 ] && [ $off = 0 ]'
status=0
# some tests want something to exec
"$vm" --arch=aarch64 --nodes=2 --cpus=2 --timeout=3000 --before='ln -s /.vm/busybox /bin/echo' "${options[@]}" -- \
	busybox sh -c "$all" sh "$dir" >"$tmp/out" || status=$?
sed 's/^/# /' "$tmp/out"
grep -E '^(not )?ok ' "$tmp/out" >"$tmp/results"
while read -r line; do
	name=${line#not }
	name=${name#ok * }
	case $line in
	ok*SKIP*) skip "aarch64: ${name% # SKIP*}" "by itself" ;;
	ok*) verdict "aarch64: $name" "" ;;
	*) verdict "aarch64: ${name% # status*}" "${name##*# }" ;;
	esac
done <"$tmp/results"
problem=''
[ $status = 0 ] || problem="status $status"
[ "$(grep -c '^# Totals: pass:[1-9]' "$tmp/out")" = 2 ] || problem+=" not two runs"
verdict "aarch64: the guest" "$problem"
# that this was rseq and membarrier, not the fallback, on two nodes
problem=''
awk '/^KTAP/ {run++} run == 1' "$tmp/out" >"$tmp/plain"
grep -q '^ok [0-9]* tests/rseq/section_test$' "$tmp/plain" || problem="section_test did not pass"
! grep -q 'SKIP no sections' "$tmp/plain" || problem+=" sections were not in force"
verdict "aarch64: with rseq on" "$problem"
problem=''
[ "$(grep -c '# node [0-9]*: 2 CPUs' "$tmp/out")" -ge 2 ] || problem="real_test does not say so"
verdict "aarch64: two nodes of two CPUs" "$problem"
done_checking
