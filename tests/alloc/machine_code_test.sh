#!/bin/sh
# SPDX-License-Identifier: MIT
# machine_code_test.sh PROGRAM: perch_alloc and perch_free, as alloc_paths.c has them, have no call, no
# locked instruction, no fence, no system call, and no stack frame where they do not leave for
# their slow ways. KTAP out.
set -u
n=0 failed=0
ok() { n=$((n + 1)); echo "ok $n $1"; }
bad() { n=$((n + 1)); failed=1; echo "not ok $n $1"; }
echo "KTAP version 1"
if [ "$(uname -m)" != x86_64 ] || ! command -v objdump >/dev/null 2>&1; then
	echo "1..0 # SKIP written for x86-64's instructions, and needs objdump"
	exit 0
fi
for f in path_alloc path_free; do
	code=$(objdump -dw --no-show-raw-insn "$1" | sed -n "/<$f>:\$/,/^\$/p" | sed 's/^ *[0-9a-f]*:\t//')
	if [ "$(echo "$code" | grep -c .)" -lt 15 ]; then bad "$f: is there"; continue; else ok "$f: is there"; fi
	if echo "$code" | grep '%fs:0x8(' >/dev/null; then ok "$f: has a section"; else bad "$f: has a section"; fi
	wrong=$(echo "$code" | grep -E '^(lock|call|bnd call|syscall|mfence|lfence|sfence|push|pop|sub .*rsp|xchg.*\()')
	if [ -z "$wrong" ]; then ok "$f: is plain"; else echo "$wrong" | sed 's/^/# /'; bad "$f: is plain"; fi
	jumps=$(echo "$code" | grep -E '^jmp.*<' | grep -v "<$f+0x" | grep -v '<cache_[a-z]*_slow')
	if [ -z "$jumps" ]; then ok "$f: goes to its slow way only"; else bad "$f: $jumps"; fi
done
echo "1..$n"
[ $failed = 0 ]
