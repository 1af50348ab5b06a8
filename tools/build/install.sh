#!/bin/sh
# SPDX-License-Identifier: MIT
# bazel run //:install -- [--prefix=DIR] [--libdir=DIR] [--destdir=DIR]
set -eu
die() { echo "install: $*" >&2; exit 1; }
prefix=/usr/local libdir='' destdir=
for a; do
	case $a in
	--prefix=*) prefix=${a#*=} ;;
	--libdir=*) libdir=${a#*=} ;;
	--destdir=*) destdir=${a#*=} ;;
	*) die "unexpected '$a'; usage: bazel run //:install -- [--prefix=DIR] [--libdir=DIR] [--destdir=DIR]" ;;
	esac
done
case $prefix in
/) prefix= ;;
/* | '') ;;
*) die "--prefix=$prefix is not an absolute path" ;;
esac
prefix=${prefix%/}
libdir=${libdir:-$prefix/lib}
case $libdir in /*) ;; *) die "--libdir=$libdir is not an absolute path" ;; esac
case $destdir in
/* | '') ;;
*) destdir=${BUILD_WORKING_DIRECTORY:-$PWD}/$destdir ;;
esac
for f in libperch.so.0 libperch.a; do [ -f $f ] || die "run me with: bazel run //:install"; done
version=$(sed -n 's/^#define PERCH_VERSION "\(.*\)"$/\1/p' include/perch/perch.h)
[ -n "$version" ] || die "include/perch/perch.h does not say PERCH_VERSION"

to=$destdir$libdir
include=$destdir$prefix/include/perch
man=$destdir$prefix/share/man
bin=$destdir$prefix/bin
mkdir -p "$bin" "$to/pkgconfig" "$to/cmake/perch" "$include/rseq" "$man/man1" "$man/man3" "$man/man7"
# not install(1): in a test, PATH leads to this very script first
put() { # MODE FILE DESTINATION
	rm -f "$3"
	cp -L "$2" "$3"
	chmod "$1" "$3"
}
for h in include/perch/*.h; do put 644 "$h" "$include/${h##*/}"; done
for h in rseq/*.h; do put 644 "$h" "$include/rseq/${h##*/}"; done
put 644 libperch.a "$to/libperch.a"
put 755 libperch.so.0 "$to/libperch.so.$version"
put 755 tools/perch/perch "$bin/perch"
ln -sf "libperch.so.$version" "$to/libperch.so.0"
ln -sf libperch.so.0 "$to/libperch.so"
text() { printf '%s' "$1" | sed 's/[&|\\]/\\&/g'; } # for the right side of a substitution
fill() {
	sed "s|@prefix@|$(text "$prefix")|g; s|@libdir@|$(text "$libdir")|g; s|@includedir@|$(text "$prefix")/include|g; s|@version@|$version|g" "$1"
}
fill tools/build/perch.pc.in >"$to/pkgconfig/perch.pc"
for f in perchConfig perchConfigVersion; do
	fill "tools/build/$f.cmake.in" >"$to/cmake/perch/$f.cmake"
done
chmod 644 "$to/pkgconfig/perch.pc" "$to"/cmake/perch/*
# the pages, and for each further name that one has, a page that leads to it
for page in docs/man/*.[137]; do
	p=${page##*/}
	section=man${p##*.}
	put 644 "$page" "$man/$section/$p"
	sed -n '/^\.Sh NAME/,/^\.Sh SYNOPSIS/s/^\.Nm \([a-z_]*\).*/\1/p' "$page" | while read -r name; do
		[ "$name" = "${p%.*}" ] && continue
		rm -f "$man/$section/$name.${p##*.}"
		echo ".so $section/$p" >"$man/$section/$name.${p##*.}"
		chmod 644 "$man/$section/$name.${p##*.}"
	done
done
echo "installed perch $version in $destdir$prefix"
