#!/bin/sh
# SPDX-License-Identifier: MIT
# run_kselftest_test.sh RUN_KSELFTEST: it must select, run and judge as it says,
# under each shell that is here; shown with programs whose outcome is known.
set -u
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
n=0 bad=0
cp "$1" "$tmp/run_kselftest.sh" && mkdir -p "$tmp/tests/a" "$tmp/tests/b"

program() { # PATH STATUS "TOTALS LINE"
	# shellcheck disable=SC2016 # for the program, not for us
	printf '#!/bin/sh\necho "ran %s mode=${MODE:-none}"\n[ -z "%s" ] || echo "%s"\nexit %s\n' "$1" "$3" "$3" "$2" >"$tmp/$1"
	chmod +x "$tmp/$1"
}
totals() { echo "# Totals: pass:$1 fail:$2 xfail:0 xpass:0 skip:$3 error:0"; }
program tests/a/good_test 0 "$(totals 3 0 1)"
program tests/a/skip_test 4 "$(totals 0 0 2)"
program tests/b/bad_test 1 "$(totals 1 2 0)"
program tests/b/dumb_test 0 ''
program tests/b/good_stress 0 "$(totals 5 0 0)"
cat >"$tmp/kselftest-list.txt" <<'END'
tests/a/good_test quick fast:MODE=fast slow:MODE=slow
tests/a/skip_test quick
tests/b/bad_test quick
tests/b/dumb_test quick
tests/b/good_stress stress fast:MODE=fast
END

expect() { # STATUS "ARGS" "LINE"...
	wanted=$1 args=$2
	shift 2
	# shellcheck disable=SC2086 # words
	$shell "$tmp/run_kselftest.sh" $args >"$tmp/out" 2>&1
	status=$?
	n=$((n + 1))
	problem=
	[ $status = "$wanted" ] || problem="status $status, expected $wanted;"
	for line; do grep -qxF -e "$line" "$tmp/out" || problem="$problem no line '$line';"; done
	if [ -z "$problem" ]; then
		echo "ok $n $shell $args"
	else
		bad=$((bad + 1))
		sed 's/^/# /' "$tmp/out"
		echo "not ok $n $shell $args: $problem"
	fi
}

echo "KTAP version 1"
for shell in sh dash bash "busybox sh"; do
	command -v "${shell%% *}" >/dev/null || continue
	expect 1 "" '1..8' 'ok 1 tests/a/good_test' 'ok 2 tests/a/good_test:fast' 'ok 4 tests/a/skip_test # SKIP' \
		'not ok 5 tests/b/bad_test # status 1' 'not ok 6 tests/b/dumb_test # status 1' \
		'    ran tests/a/good_test mode=slow' '# Cases: pass:20 fail:3 skip:5' \
		'# Totals: pass:5 fail:2 xfail:0 xpass:0 skip:1 error:0'
	expect 0 "-t good*" '1..5' '# Totals: pass:5 fail:0 xfail:0 xpass:0 skip:0 error:0'
	expect 0 "-t tests/a/good_test:fast" '1..1' '    ran tests/a/good_test mode=fast'
	expect 0 "-t good_test -t good_stress -n" '1..2' '# Totals: pass:2 fail:0 xfail:0 xpass:0 skip:0 error:0'
	expect 0 "-c stress" '1..2' 'ok 1 tests/b/good_stress' 'ok 2 tests/b/good_stress:fast'
	expect 0 "-l -c quick -t *:slow" 'tests/a/good_test:slow'
	[ "$(wc -l <"$tmp/out")" = 1 ] || { bad=$((bad + 1)); echo "# -l lists more than was selected"; }
	expect 4 "-t skip_test" '# Totals: pass:0 fail:0 xfail:0 xpass:0 skip:1 error:0'
	expect 1 "-s -t bad_test" '    ran tests/b/bad_test mode=none'
	expect 2 "-t nothing"
	expect 2 "-c often"
	expect 2 "-x"
	expect 2 "extra"
	expect 0 "-h"
done
echo "1..$n"
echo "# Totals: pass:$((n - bad)) fail:$bad xfail:0 xpass:0 skip:0 error:0"
[ $bad = 0 ]
