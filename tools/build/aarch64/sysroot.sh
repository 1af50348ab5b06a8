#!/bin/sh
# SPDX-License-Identifier: MIT
# sysroot.sh [--guest]: prints the directory with what an aarch64 build needs
# beside Debian's cross compiler, made on first use from Debian's own packages
# (apt-get download, dpkg -x; nothing of it is installed):
#   DIR/sysroot  libnuma, liburcu, liburing and nettle for arm64
#   DIR/guest    with --guest: a kernel and a busybox, for tools/numa-vm
# Installs the compiler, and tells dpkg of arm64, where that was not done.
# PERCH_AARCH64 is the directory; default: ~/.cache/perch-aarch64.
set -eu
dir=${PERCH_AARCH64:-${XDG_CACHE_HOME:-$HOME/.cache}/perch-aarch64}
su=
[ "$(id -u)" = 0 ] || su=sudo

prepare() { # once, and only when something is missing
	[ -z "${prepared:-}" ] || return 0
	prepared=1
	dpkg --print-foreign-architectures | grep -qx arm64 || $su dpkg --add-architecture arm64 >&2
	$su apt-get -q update >&2
}

if ! command -v aarch64-linux-gnu-gcc > /dev/null || [ ! -f /usr/aarch64-linux-gnu/lib/libc.a ]; then
	prepare
	DEBIAN_FRONTEND=noninteractive $su apt-get -q -y -o DPkg::Lock::Timeout=300 install --no-install-recommends \
		gcc-aarch64-linux-gnu libc6-dev-arm64-cross >&2
fi

unpack() { # DIRECTORY PACKAGE...: all of them, or the directory is not there
	to=$1
	shift
	# made when fewer libraries were needed: anew
	[ ! -e "$to" ] || [ "$(cat "$to/packages" 2>/dev/null)" = "$*" ] || rm -rf "$to"
	[ -e "$to" ] && return 0
	prepare
	mkdir -p "$dir"
	new=$(mktemp -d "$dir/new.XXXXXX")
	chmod 755 "$new"
	(cd "$new" && apt-get -q -o APT::Sandbox::User=root download "$@" >&2 &&
		for p in *.deb; do dpkg -x "$p" . || exit 1; done && rm -f -- *.deb) ||
		{ rm -rf "$new"; echo "sysroot.sh: cannot get $*" >&2; exit 1; }
	echo "$*" >"$new/packages"
	mv -T "$new" "$to"
}

unpack "$dir/sysroot" libnuma1:arm64 libnuma-dev:arm64 liburcu8:arm64 liburcu-dev:arm64 liburing2:arm64 liburing-dev:arm64 \
	libnettle8:arm64 nettle-dev:arm64
if [ "${1:-}" = --guest ]; then
	if [ ! -e "$dir/guest" ]; then
		prepare
		kernel=$(apt-cache depends linux-image-arm64:arm64 | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -1)
		[ -n "$kernel" ] || { echo "sysroot.sh: apt knows no linux-image-arm64:arm64" >&2; exit 1; }
		unpack "$dir/guest" "$kernel" busybox-static:arm64
		rm -rf "$dir/guest/lib/modules"
	fi
fi
echo "$dir"
