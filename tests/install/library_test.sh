#!/bin/sh
# SPDX-License-Identifier: MIT
# library_test.sh INSTALL: installs the library as a user would, and uses what
# came out through pkg-config and CMake, as C11 and as C++17.
set -u
install=$1 example=$PWD/tests/install/example.c catch=$PWD/tests/install/catch.cpp closed=$PWD/tests/install/dlclose.c
children=$PWD/tests/install/children.c
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
n=0 bad=0 skipped=0
check() { # NAME COMMAND...
	name=$1
	shift
	n=$((n + 1))
	if "$@" >"$tmp/log" 2>&1; then
		echo "ok $n $name"
	else
		bad=$((bad + 1))
		sed 's/^/# /' "$tmp/log"
		echo "not ok $n $name"
	fi
}
skip() {
	n=$((n + 1)) skipped=$((skipped + 1))
	echo "ok $n $1 # SKIP $2"
}

echo "KTAP version 1"
check "installs" "$install" "--prefix=$tmp/usr"
lib=$tmp/usr/lib
export PKG_CONFIG_PATH="$lib/pkgconfig" LD_LIBRARY_PATH="$lib"
unset DESTDIR

only_perch() { # NM OPTION FILE [ALSO]: what it shows, and nothing of ours that users should not see
	shown=$(nm --defined-only "$1" "$2" | awk 'NF == 3 && $2 ~ /[A-Z]/ && $2 != "A" {print $3}' | sed 's/@.*//')
	echo "$shown" | grep -qx perch_run || { echo "perch_run is missing from $2"; return 1; }
	! echo "$shown" | grep -Evx "perch_.*${3:+|$3}"
}
interposed='popen|posix_spawnp?|pthread_create|system|thrd_create'
check "the shared library shows perch_* only, and what it interposes" only_perch -D "$lib/libperch.so" "$interposed"
check "the static library shows perch_* only" only_perch -g "$lib/libperch.a"
soname() { readelf -d "$lib/libperch.so" | grep 'SONAME.*\[libperch\.so\.0\]'; }
check "its soname is libperch.so.0" soname
no_text_relocations() { readelf -d "$lib/libperch.so" | awk '/TEXTREL/ {bad = 1} END {exit bad || NR < 5}'; }
check "no text relocations" no_text_relocations
code_only() { readelf -lW "$lib/libperch.so" | awk '
	/^  Type/ {headers = 1; next}
	!NF {headers = 0}
	headers {n++; if (/ R E /) code = n}
	/Segment Sections/ {map = 1; next}
	map && $1 + 1 == code && /\.rodata/ {bad = 1}
	END {exit bad || !code}'; }
check "no constants in the segment of code" code_only
# where sections begin and end is of no use to whoever could write it
relro() { readelf -SW "$lib/libperch.so" | awk '/\.data\.rel\.ro/ {good = 1} /rseq_cs/ {bad = 1} END {exit bad || !good}'; }
check "descriptors of sections cannot be written to" relro
only_c() { readelf -d "$lib/libperch.so" | awk '/NEEDED.*stdc/ {bad = 1; print} END {exit bad || NR < 5}'; }
check "needs no C++ library" only_c
no_exec_stack() { readelf -lW "$lib/libperch.so" | grep 'GNU_STACK.* RW  *0x'; }
check "no executable stack" no_exec_stack
check "perch.pc is valid" pkg-config --validate perch

# shellcheck disable=SC2046 # words
build() { # SHARED|STATIC COMPILER FLAGS... SOURCE
	how=$1
	shift
	if [ "$how" = SHARED ]; then
		"$@" -o "$tmp/example" $(pkg-config --cflags --libs perch) && readelf -d "$tmp/example" | grep -q libperch
	else
		"$@" -o "$tmp/example" $(pkg-config --cflags perch) \
			$(pkg-config --static --libs perch | sed 's/-lperch\>/-l:libperch.a/') &&
			! readelf -d "$tmp/example" | grep libperch
	fi
}
for how in SHARED STATIC; do
	for opt in -O0 -O2; do
		check "C11 $opt, $how: builds" build $how cc -std=c11 $opt -Wall -Wextra -Werror "$example"
		check "C11 $opt, $how: runs" "$tmp/example"
		if command -v c++ >/dev/null; then
			check "C++17 $opt, $how: builds" build $how c++ -std=c++17 $opt -Wall -Wextra -Werror -x c++ "$example" -x none
			check "C++17 $opt, $how: runs" "$tmp/example"
			check "exceptions $opt, $how: builds" build $how c++ -std=c++17 $opt -Wall -Wextra -Werror "$catch"
			check "exceptions $opt, $how: runs" "$tmp/example"
		else
			skip "C++17 $opt, $how" "no c++ here"
		fi
	done
done

# What pkg-config prints is for the shell.
odd_prefix() {
	odd="$tmp/a prefix|with&signs"
	"$install" "--prefix=$odd" &&
		flags=$(PKG_CONFIG_PATH="$odd/lib/pkgconfig" pkg-config --cflags --libs perch) &&
		eval "cc -o \"\$tmp/odd\" \"\$example\" $flags" && LD_LIBRARY_PATH="$odd/lib" "$tmp/odd"
}
check "a prefix with blanks and signs" odd_prefix

# shellcheck disable=SC2046 # words
closed() {
	cc -o "$tmp/closed" $(pkg-config --cflags perch) "$closed" && "$tmp/closed" "$lib/libperch.so"
}
check "loaded and closed by a program" closed
# The static library gives this to fork() only (perch(7)).
children() {
	build SHARED cc -std=gnu11 "$children" && "$tmp/example"
}
check "a thread's pthread has the CPUs of the process" children

alone() { # LANGUAGE STD HEADER
	echo "#include <$3>" | cc -x "$1" "-std=$2" -Wall -Wextra -Werror -fsyntax-only -I "$tmp/usr/include" -
}
for h in "$tmp"/usr/include/perch/*.h; do
	h=perch/${h##*/}
	check "<$h> stands alone in C11" alone c c11 "$h"
	if command -v c++ >/dev/null; then
		check "<$h> stands alone in C++17" alone c++ c++17 "$h"
	else
		skip "<$h> in C++17" "no c++ here"
	fi
done

with_cmake() {
	mkdir -p "$tmp/cm" && cp "$example" "$tmp/cm/example.c" && cat >"$tmp/cm/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.10)
project(example C)
find_package(perch 0.1 REQUIRED)
add_executable(shared example.c)
target_link_libraries(shared perch::perch)
add_executable(static example.c)
target_link_libraries(static perch::static)
END
	cmake -S "$tmp/cm" -B "$tmp/cm/out" -DCMAKE_PREFIX_PATH="$tmp/usr" && cmake --build "$tmp/cm/out" &&
		"$tmp/cm/out/shared" && "$tmp/cm/out/static"
}
if command -v cmake >/dev/null; then check "CMake" with_cmake; else skip "CMake" "no cmake here"; fi

man=$tmp/usr/share/man
pages() {
	[ -f "$man/man1/perch.1" ] && [ -f "$man/man3/perch_mutex.3" ] && [ -f "$man/man7/perch.7" ] &&
		[ "$(cat "$man/man3/perch_mutex_lock.3")" = ".so man3/perch_mutex.3" ] || return 1
	for p in "$man"/man[137]/*; do
		to=$(sed -n 's/^\.so //p' "$p")
		[ -z "$to" ] || grep -q '^\.Sh NAME' "$man/$to" || { echo "$p leads nowhere"; return 1; }
	done
}
check "manual pages, and links to them" pages
# a page for each function that the library shows; what has _slow in its name is for the headers only
each_function() {
	nm -D --defined-only "$lib/libperch.so" | awk '$2 == "T" {print $3}' | sed 's/@.*//' |
		grep -v -e '_slow$' -e '^perch_call_run$' >"$tmp/functions"
	grep -qx perch_create "$tmp/functions" || return 1
	while read -r f; do
		[ -f "$man/man3/$f.3" ] || { echo "no page $f.3"; return 1; }
	done <"$tmp/functions"
}
check "a manual page for each function" each_function
finds() { LC_ALL=C HOME="$tmp" MANPAGER=cat man -M "$man" 3 perch_mutex_lock | grep mutual; }
if command -v man >/dev/null; then check "man finds a function's page" finds; else skip "man" "no man here"; fi

command_runs() { "$tmp/usr/bin/perch" topo | grep '^topology: '; }
check "the command perch" command_runs

staged() {
	"$install" --prefix=/opt/perch --libdir=/opt/perch/lib64 "--destdir=$tmp/stage" &&
		[ -f "$tmp/stage/opt/perch/lib64/libperch.a" ] && [ -f "$tmp/stage/opt/perch/include/perch/rseq/section.h" ] &&
		[ -f "$tmp/stage/opt/perch/share/man/man7/perch.7" ] &&
		! grep -r "$tmp" "$tmp/stage/opt/perch/lib64/pkgconfig" "$tmp/stage/opt/perch/lib64/cmake" &&
		grep -qx 'libdir=/opt/perch/lib64' "$tmp/stage/opt/perch/lib64/pkgconfig/perch.pc"
}
check "--destdir and --libdir" staged
refused() { ! "$install" --prefix=relative && ! "$install" --perfix=/x; }
check "bad arguments are refused" refused

echo "1..$n"
echo "# Totals: pass:$((n - bad - skipped)) fail:$bad xfail:0 xpass:0 skip:$skipped error:0"
[ $bad = 0 ]
