# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# check.sh - read by tests that are shell scripts: cases in KTAP, a directory that goes away.
tmp=$(mktemp -d) || exit 1
n=0 bad=0 skipped=0
trap 'chmod -R u+rwx "$tmp"; rm -rf "$tmp"' EXIT
export LC_ALL=C
# the sanitizer's list of known things is named by a relative path
if [ -n "${TSAN_OPTIONS:-}" ]; then
	TSAN_OPTIONS=$(echo "$TSAN_OPTIONS" | sed "s|suppressions=|&$PWD/|")
	export TSAN_OPTIONS
fi
echo "KTAP version 1"

# verdict NAME PROBLEM: one case, which passes when there is no problem
verdict() {
	n=$((n + 1))
	if [ -z "$2" ]; then
		echo "ok $n $1"
	else
		bad=$((bad + 1))
		echo "not ok $n $1: $2"
	fi
}
# check NAME COMMAND...: passes when the command ends well
check() {
	name=$1 problem=
	shift
	"$@" >"$tmp/log" 2>&1 || problem="status $?"
	[ -z "$problem" ] || head -c 4000 "$tmp/log" | awk '{print "# " $0}'
	verdict "$name" "$problem"
}
skip() {
	n=$((n + 1)) skipped=$((skipped + 1))
	echo "ok $n $1 # SKIP $2"
}
done_checking() {
	echo "1..$n"
	echo "# Totals: pass:$((n - bad - skipped)) fail:$bad xfail:0 xpass:0 skip:$skipped error:0"
	[ $bad = 0 ]
}
# need_tools PACKAGES TOOL...: where one is missing the rest of the test is skipped. Bazel
# has no status for that.
need_tools() {
	packages=$1
	shift
	for tool; do
		command -v "$tool" >/dev/null && continue
		echo "# no more without $tool"
		[ $bad = 0 ] || { done_checking; exit 1; }
		echo "1..$n # SKIP $tool is not installed; on Debian: apt-get install --no-install-recommends $packages"
		[ -n "${TEST_SRCDIR:-}" ] || exit 4
		exit 0
	done
}
# until COMMAND...: for a minute at most
until_ok() {
	tries=0
	until "$@"; do
		tries=$((tries + 1))
		[ $tries -lt 600 ] || { echo "in vain: $*"; return 1; }
		sleep 0.1
	done
}
