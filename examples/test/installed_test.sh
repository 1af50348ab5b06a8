#!/bin/sh
# SPDX-License-Identifier: MIT
# installed_test.sh INSTALL CLIENT: the examples, built and run as README.md here says,
# against the installed library.
set -u
install=$1 client=$2
# shellcheck source=tests/harness/check.sh
. tests/harness/check.sh
unset DESTDIR

check "installs" "$install" "--prefix=$tmp/usr"
export PKG_CONFIG_PATH="$tmp/usr/lib/pkgconfig" LD_LIBRARY_PATH="$tmp/usr/lib"
# shellcheck disable=SC2046 # words
builds() { # NAME LIBRARY...
	name=$1
	shift
	cc -O2 -Wall -Wextra -Werror -o "$tmp/$name" "examples/$name.c" $(pkg-config --cflags --libs perch) "$@" &&
		readelf -d "$tmp/$name" | grep -q libperch
}
check "treesum builds" builds treesum -lnettle
check "echo builds" builds echo
tree=$tmp/usr
sums() {
	"$tmp/treesum" "$tree" >"$tmp/got" && find "$tree" -type f -print0 | sort -z | xargs -0 sha256sum | cmp - "$tmp/got"
}
check "treesum runs" sums
listens() { grep -q '^listening on ' "$tmp/out" || ! kill -0 "$pid" 2>/dev/null; }
echoes() {
	env --default-signal=INT "$tmp/echo" >"$tmp/out" &
	pid=$!
	until_ok listens
	"$client" "$(sed -n 's/^listening on .*://p' "$tmp/out")" half
	kill -INT "$pid"
	wait $pid && grep -x 'served 1 connections, 65536 bytes' "$tmp/out"
}
check "echo runs" echoes
done_checking
