#!/bin/bash
# SPDX-License-Identifier: MIT
# run.sh [TEST...]: cross-builds tests for aarch64 and runs them in one guest with
# rseq, 4 CPUs and 2 nodes; then those of rseq/ again without rseq. TEST is a
# target; default: the quick ones that a guest without a compiler can run.
#
# Not left to Bazel: a boot takes longer than most tests, so they share one. The
# guest is emulated, 10 to 100 times slower than the machine, and its weak memory
# order is that of the host: it shows that the sections are right by themselves
# and when they are cut, not that their barriers are enough.
# BAZEL_OPTIONS: for bazelw (startup options first). TIMEOUT: seconds, default 900.
set -euo pipefail
cd "$(dirname "$0")/../.."
read -ra options <<< "${BAZEL_OPTIONS:-}"
startup=() common=(--config=aarch64)
for o in ${options+"${options[@]}"}; do
	case $o in --output_base=* | --output_user_root=*) startup+=("$o") ;; *) common+=("$o") ;; esac
done
if [ $# = 0 ]; then
	set -- //tests/rseq:{probe,section,percpu,pool,ring,ring_stress_plain,ring_stress_delays,ring_stress_twice}_test \
		//tests/aarch64:{cut,cut_seeded}_test //tests/numa:{real,cpuset,quota,sysfs,tier,topology}_test
fi
./bazelw "${startup[@]}" build -c opt "${common[@]}" "$@"
bin=$(./bazelw "${startup[@]}" info -c opt "${common[@]}" bazel-bin)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
programs=()
{
	# emulated: give each test ten times as long
	echo 'bad=; export PERCH_TEST_TIMEOUT_FACTOR=10'
	for t in "$@"; do
		p=${t#//} p=${p//:/\/} name=${p//\//.}
		cp -L "$bin/$p" "$tmp/$name"
		programs+=("$tmp/$name")
		echo "echo '== $t'; ./$name || { [ \$? = 4 ] || bad=\"\$bad $t\"; }"
		case $t in //tests/rseq:*)
			echo "echo '== $t, rseq off'"
			echo "GLIBC_TUNABLES=glibc.pthread.rseq=0 ./$name || { [ \$? = 4 ] || bad=\"\$bad $t(rseq-off)\"; }" ;;
		esac
	done
	# shellcheck disable=SC2016 # for the guest's shell
	echo 'if [ -n "$bad" ]; then echo "aarch64: failed:$bad"; exit 1; fi; echo "aarch64: all passed"'
} > "$tmp/all.sh"
TIMEOUT=${TIMEOUT:-900} tools/build/aarch64/guest.sh "${programs[@]}" "$tmp/all.sh" -- sh all.sh
