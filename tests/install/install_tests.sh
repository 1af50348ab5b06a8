#!/bin/sh
# SPDX-License-Identifier: MIT
# bazel run //tests:install -- DIR: the test programs and what they need, to
# run where there is no Bazel. The tree in DIR is that of the workspace, so
# programs find their data by the same paths.
set -eu
die() { echo "install: $*" >&2; exit 1; }
[ $# = 1 ] || die "usage: bazel run //tests:install -- DIR"
case $1 in
/*) dir=$1 ;;
*) dir=${BUILD_WORKING_DIRECTORY:-$PWD}/$1 ;;
esac
from=$PWD # bazel run starts here: the runfiles of this workspace
[ -f "$from/tests/install/run_kselftest.sh" ] || die "run me with: bazel run //tests:install -- DIR"
mkdir -p "$dir"
find . -name perch_tests.list -exec cat {} + | sort >"$dir/kselftest-list.txt"
[ -s "$dir/kselftest-list.txt" ] || die "no tests to install"
(cd "$from" && find . \( -type f -o -type l \) ! -name perch_tests.list ! -path './tests/install' \
	! -path './tests/install/*' ! -path './external/*') |
	while IFS= read -r f; do
		mkdir -p "$dir/${f%/*}"
		cp -fL "$from/$f" "$dir/$f"
	done
cp -fL "$from/tests/install/run_kselftest.sh" "$dir/run_kselftest.sh"
chmod -R u+w,a+rX "$dir"
chmod a+x "$dir/run_kselftest.sh"
missing=0
while read -r program _; do
	[ -x "$dir/$program" ] || { echo "install: $program was not copied" >&2; missing=1; }
done <"$dir/kselftest-list.txt"
[ $missing = 0 ] || exit 1
echo "installed $(wc -l <"$dir/kselftest-list.txt") test programs in $dir; run $dir/run_kselftest.sh"
