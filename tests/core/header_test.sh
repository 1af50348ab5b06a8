#!/bin/sh
# SPDX-License-Identifier: MIT
# header_test.sh HEADER...: each public header compiles alone, as C11 and as
# C++17, without a warning, with every compiler that there is. KTAP out.
set -u
work=${TEST_TMPDIR:-$(mktemp -d)}
mkdir -p "$work/include/perch/rseq"
n=0
failed=0
headers=
for h in "$@"; do
	case $h in
	*/include/perch/* | include/perch/*)
		cp "$h" "$work/include/perch/"
		headers="$headers perch/${h##*/}"
		;;
	*) cp "$h" "$work/include/perch/rseq/" ;;
	esac
done

# check NAME COMMAND...: a test that passes when the command is silent and ends well
check() {
	name=$1
	shift
	n=$((n + 1))
	if "$@" >"$work/out" 2>&1 && [ ! -s "$work/out" ]; then
		echo "ok $n $name"
	else
		sed 's/^/# /' "$work/out"
		echo "not ok $n $name"
		failed=$((failed + 1))
	fi
}

echo "KTAP version 1"
warn="-Wall -Wextra -Wpedantic -Wshadow -Wundef -Wcast-align -fsyntax-only"
for h in $headers perch/rseq/section.h; do
	echo "#include <$h>" >"$work/one.c"
	echo "#include <$h>" >"$work/one.cc"
	for cc in gcc clang; do
		command -v $cc >/dev/null 2>&1 || continue
		# shellcheck disable=SC2086 # one word for each option
		check "$h.$cc.c11" $cc -std=c11 $warn -Wstrict-prototypes -I "$work/include" "$work/one.c"
		# shellcheck disable=SC2086
		check "$h.$cc.c++17" $cc -x c++ -std=c++17 $warn -I "$work/include" "$work/one.cc"
	done
done

# the macros too, as a program uses them
cat >"$work/one.c" <<'END'
#include <perch/perch.h>
PERCH_TASK1(long, fib, int, n)
{
	struct fib_task t;
	long right;
	if (n < 2)
		return n;
	fib_fork(&t, n - 1);
	right = fib(n - 2);
	return fib_sync(&t) + right;
}
PERCH_VOID_TASK0(nothing)
{
}
int main(void)
{
	struct perch_config config = PERCH_CONFIG_INIT;
	perch_waitgroup_t wg = PERCH_WAITGROUP_INIT;
	struct nothing_task t;
	(void)config;
	(void)wg;
	nothing_fork(&t);
	nothing_sync(&t);
	return (int)fib(3);
}
END
cp "$work/one.c" "$work/one.cc"
for cc in gcc clang; do
	command -v $cc >/dev/null 2>&1 || continue
	# shellcheck disable=SC2086
	check "macros.$cc.c11" $cc -std=c11 $warn -I "$work/include" "$work/one.c"
	# shellcheck disable=SC2086
	check "macros.$cc.c++17" $cc -x c++ -std=c++17 $warn -I "$work/include" "$work/one.cc"
done
echo "1..$n"
[ "$n" -gt 0 ] && [ "$failed" = 0 ]
