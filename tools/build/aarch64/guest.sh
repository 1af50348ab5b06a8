#!/bin/bash
# SPDX-License-Identifier: MIT
# guest.sh [FILE...] -- PROGRAM [ARG...]
#
# Runs an aarch64 program in a real aarch64 Linux, emulated: a guest of 4 CPUs
# on 2 nodes. (qemu-user would do without booting, but has no rseq.) The program,
# the libraries it needs and the FILEs are taken along; the current directory
# there is /t, with the FILEs in it. With more than one program: -- sh SCRIPT,
# where SCRIPT and the programs are FILEs.
#
# Prints what the program prints, and exits with its status; 124: there was none
# within TIMEOUT (default 300 s); 125: the guest could not be started.
# The kernel is Debian's own arm64 package, fetched by sysroot.sh.
# Environment: CPUS=4, NODES=2 (1, 2, or 4: the third has CPUs only, the fourth
# memory only), ENVV="A=1 B=2" for the program, APPEND=kernel arguments.
set -euo pipefail
die() { echo "guest.sh: $*" >&2; exit 125; }
here=$(dirname "$0")
files=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do files+=("$1"); shift; done
[ $# -ge 2 ] || die "usage: $0 [FILE...] -- PROGRAM [ARG...]"
shift
for t in qemu-system-aarch64 cpio; do command -v $t >/dev/null || die "no $t: apt-get install qemu-system-arm cpio"; done
cache=$("$here/sysroot.sh" --guest) || die "no kernel for the guest"
kernel=$(echo "$cache"/guest/boot/vmlinuz-*) cpus=${CPUS:-4} nodes=${NODES:-2}
libraries=$cache/sysroot/usr/lib/aarch64-linux-gnu
[ "$1" = sh ] || [ -f "$1" ] || die "no such program: $1"

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
r=$tmp/root
mkdir -p "$r"/{bin,dev,proc,sys,tmp,t,lib}
for a in sh cat echo ls sleep env mount umount mkdir taskset; do ln -s busybox "$r/bin/$a"; done
cp "$cache/guest/bin/busybox" "$r/bin/busybox"

put() { # FILE TO: with the libraries it needs, and theirs
	local name l d
	[ ! -e "$2" ] || return 0
	cp -L "$1" "$2"
	[ "$(head -c 4 "$1" | tail -c 3)" = ELF ] || return 0
	aarch64-linux-gnu-readelf -h "$1" | grep -q AArch64 || die "$1 is not for aarch64"
	aarch64-linux-gnu-readelf -dl "$1" 2>/dev/null |
		sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p; s|.*interpreter: /lib/\(.*\)\]|\1|p' | while read -r name; do
		for d in "$libraries" /usr/aarch64-linux-gnu/lib "$(dirname "$1")"; do
			l=$d/$name
			if [ -e "$l" ]; then
				put "$l" "$r/lib/$name"
				continue 2
			fi
		done
		die "$1 needs $name, which is not among the arm64 libraries"
	done
}
for f in ${files+"${files[@]}"}; do put "$f" "$r/t/${f##*/}"; done
if [ "$1" = sh ]; then
	run=/bin/sh
else
	put "$1" "$r/t/${1##*/}"
	run=./${1##*/}
fi
shift
{
	for e in ${ENVV:-}; do printf 'export %q\n' "$e"; done
	printf "cd /t && exec '%s'" "$run"
	for a in "$@"; do printf " '%s'" "${a//\'/\'\\\'\'}"; done
	echo
} > "$r/command"
cat > "$r/init" <<'I'
#!/bin/sh
b="/bin/busybox"
$b mount -t devtmpfs d /dev; $b mount -t proc p /proc; $b mount -t sysfs s /sys
$b mkdir -p /dev/shm; $b mount -t tmpfs t /dev/shm; $b mount -t tmpfs t /tmp
$b stty -onlcr < /dev/console
sh /command < /dev/null > /dev/console 2>&1
echo "guest-status=$?" > /dev/console
$b poweroff -f
I
chmod +x "$r/init"
(cd "$r" && find . -print0 | cpio -0 -o -H newc --quiet -R 0:0) > "$tmp/initrd"

# distances differ by direction
half=$((cpus / 2)) last=$((cpus - 1))
numa=() distances=''
# shellcheck disable=SC2054 # the commas are qemu's
memory() { numa+=(-object memory-backend-ram,id=m"$1",size="$2"M); }
node() { numa+=(-numa "node,nodeid=$1${2:+,cpus=$2}${3:+,memdev=$3}"); }
case $nodes in
1) ;;
2)
	memory 0 512; memory 1 512
	node 0 0-$((half - 1)) m0; node 1 $half-$last m1
	distances='0,1,20 1,0,25' ;;
4)
	memory 0 512; memory 1 256; memory 3 256
	node 0 0-$((half - 1)) m0; node 1 $half-$((last - 1)) m1; node 2 $last ''; node 3 '' m3
	distances='0,1,20 1,0,25 0,2,30 2,0,35 0,3,17 3,0,17 1,2,14 2,1,16 1,3,40 3,1,42 2,3,50 3,2,52' ;;
*) die "NODES=$nodes: 1, 2 or 4" ;;
esac
for d in $distances; do
	IFS=, read -r from to value <<< "$d"
	numa+=(-numa "dist,src=$from,dst=$to,val=$value")
done
timeout "${TIMEOUT:-300}" qemu-system-aarch64 -M virt -cpu max -smp "$cpus" -m 1024M ${numa+"${numa[@]}"} \
	-accel tcg,thread=multi -nic none -display none -monitor none -no-reboot \
	-kernel "$kernel" -initrd "$tmp/initrd" -append "console=ttyAMA0 quiet loglevel=1 panic=-1 ${APPEND:-}" \
	-serial stdio < /dev/null | tee "$tmp/out" | grep -av --line-buffered -e '^guest-status=' -e 'reboot: Power down' || true
rc=$(tr -d '\r' < "$tmp/out" | sed -n 's/^guest-status=\([0-9]*\)$/\1/p' | tail -1)
[ -n "$rc" ] || { echo "guest.sh: the guest reported no status within ${TIMEOUT:-300} s" >&2; exit 124; }
exit "$rc"
