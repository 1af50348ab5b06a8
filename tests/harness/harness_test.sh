#!/bin/sh
# SPDX-License-Identifier: MIT
# harness_test.sh SAMPLE SAMPLE_SKIPS: judges the harness from outside, by what
# programs that are known to fail print and return.
set -u
sample=$1 skips=$2
unset TESTBRIDGE_TEST_ONLY PERCH_TEST_TIMEOUT_FACTOR PERCH_TEST_SECCOMP PERCH_TEST_SEED
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
n=0 bad=0

report() { # STATUS NAME
	n=$((n + 1))
	# a "#" in a name would be read as the start of a directive
	name=$(printf '%s' "$2" | tr '#' '%')
	if [ "$1" = 0 ]; then echo "ok $n $name"; else bad=$((bad + 1)); echo "not ok $n $name"; fi
}
says() { grep -qx -e "$1" "$tmp/out"; report $? "says: $1"; }
silent() { ! grep -q -e "$1" "$tmp/out"; report $? "does not say: $1"; }
status_is() { [ "$status" = "$1" ]; report $? "$2: status $status, expected $1"; }
run() { "$@" >"$tmp/out" 2>"$tmp/err"; status=$?; }

echo "KTAP version 1"
run "$sample"
status_is 1 "a program with failures"
says 'KTAP version 1'
says '1\.\.33'
says 'ok [0-9]* passes'
says 'not ok [0-9]* expect_goes_on'
says '# tests/harness/sample.c:[0-9]*: expected 2 + 2 == 5, but the left is 4 and the right 5'
says '# tests/harness/sample.c:[0-9]*: expected "left" to equal "right", but the first is "left" and the second "right"'
says '# was here'
says 'not ok [0-9]* assert_stops'
says '# .*expected 40000 != 40000, but the left is 40000 (0x9c40) and the right 40000 (0x9c40)'
silent 'was not here'
for v in eq ne lt le gt ge true_ false_ null streq strne contains wrap; do
	says "not ok [0-9]* each_fails\\.$v\\.check"
done
says 'not ok [0-9]* assert_in_another_pthread'
says 'not ok [0-9]* hangs'
says '# hangs: timed out after .* s'
says '#   thread [0-9]*: state [SR], in .*, syscall .*'
says 'not ok [0-9]* crashes'
says '# crashes: killed by signal 4 (Illegal instruction)'
says 'not ok [0-9]* leaves_early'
says '# leaves_early: the process ended before the test did, with status 0'
says 'not ok [0-9]* ends_badly'
says '# ends_badly: the test returned, but its process ended with status 9'
says 'ok [0-9]* dies_as_it_should'
says 'not ok [0-9]* dies_otherwise'
says 'not ok [0-9]* survives'
says 'not ok [0-9]* fails_then_dies'
says 'ok [0-9]* skips # SKIP no unicorn here'
says 'ok [0-9]* box\.one\.holds'
says 'ok [0-9]* box\.two\.holds'
says 'ok [0-9]* box\.one\.stops_before_teardown'
says 'not ok [0-9]* box\.two\.stops_before_teardown'
says '# tear-down of 12'
says 'ok [0-9]* box\.two\.dies'
says 'not ok [0-9]* broken\.is_not_reached'
silent 'without set-up'
says '# Totals: pass:7 fail:25 xfail:0 xpass:0 skip:1 error:0'
[ "$(grep -c '^ok ' "$tmp/out")" = 8 ]; report $? "8 lines say ok"
[ "$(grep -c '^not ok ' "$tmp/out")" = 25 ]; report $? "25 lines say not ok"

# the hung test's own child died with it
left=
for p in /proc/[0-9]*; do
	[ "$(readlink "$p/exe" 2>/dev/null)" = "$(readlink -f "$sample")" ] && left="$left ${p#/proc/}"
done
[ -z "$left" ]; report $? "no process is left behind:$left"

run "$sample" -t passes -t 'box.*.holds'
status_is 0 "selected tests that pass"
says '1\.\.3'
silent 'not ok'
run "$sample" -t 'nothing*'
status_is 2 "nothing selected"
run "$sample" -l
status_is 0 "-l"
[ "$(wc -l <"$tmp/out")" = 33 ]; report $? "-l lists 33 names"
says 'box\.two\.holds'
run "$sample" -h
status_is 0 "-h"
run "$sample" -x
status_is 2 "an unknown option"
run "$sample" -T 0
status_is 2 "-T 0"
run "$sample" -T 0.01 -t hangs
status_is 1 "a short time-out"
run env TESTBRIDGE_TEST_ONLY=passes "$sample"
status_is 0 "Bazel's --test_filter"
# shellcheck disable=SC2016 # the hook's $1, not ours
run env PERCH_TEST_ON_TIMEOUT='echo "# hook for $1"' "$sample" -t hangs
says '# hook for [0-9]*'
run env PERCH_TEST_SECCOMP=nonsense "$sample" -t passes
status_is 1 "an unknown system call to refuse"
run env -u TEST_SRCDIR "$skips"
status_is 4 "all skipped"
run env TEST_SRCDIR=/ "$skips"
status_is 0 "all skipped, under Bazel"

# a runner that is told to end takes its test along
"$sample" -T 100 -t hangs >"$tmp/out" 2>&1 &
runner=$!
sleep 1
kill -TERM $runner
wait $runner
status=$?
status_is 143 "a runner that got SIGTERM"
left=
for p in /proc/[0-9]*; do
	[ "$(readlink "$p/exe" 2>/dev/null)" = "$(readlink -f "$sample")" ] && left="$left ${p#/proc/}"
done
[ -z "$left" ]; report $? "and no process is left behind:$left"

echo "1..$n"
echo "# Totals: pass:$((n - bad)) fail:$bad xfail:0 xpass:0 skip:0 error:0"
if [ "$bad" != 0 ]; then sed 's/^/# /' "$tmp/out" "$tmp/err"; fi
[ "$bad" = 0 ]
