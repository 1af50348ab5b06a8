#!/bin/bash
# SPDX-License-Identifier: MIT
# numa-vm.sh: runs a program in an emulated machine with several NUMA nodes; see
# usage() below. Nothing is installed, and nothing but the cached kernel stays.
set -euo pipefail

usage() {
	cat <<'END'
usage: numa-vm.sh [OPTION]... [--] PROGRAM [ARG...]
       numa-vm.sh --download [--kernel=...] [--arch=...]
Boots a Debian kernel in QEMU (emulated, no KVM) on a machine with NUMA nodes, runs
PROGRAM of this host there, as root, with the libraries that it needs; prints what it
writes (stdout and stderr, both on stdout) and exits with its status.

  --kernel=6.1|6.12|FILE  Debian's kernel of bookworm (default) or of its backports,
                          downloaded when first wanted; or a bzImage or vmlinux, such
                          as another distribution's, or one that you built
  --arch=aarch64          an emulated machine of that kind; PROGRAM and files are for it,
                          built with --config=aarch64 (busybox as PROGRAM is there). Kernel:
                          6.1 or an Image. Default: x86_64
  --download              only see to it that QEMU and the kernel are there; print its path
  --nodes=N               NUMA nodes (default 2, at most 32)
  --cpus=M                CPUs on each node (default 2; at most 255 in all)
        =M,M...           or one number for each node; 0, but for the first: memory only
  --memory=MIB            memory of each node (default 512, at least 64)
          =MIB,MIB...     or one number for each node; 0, but for the first: CPUs only
  --distances=ring        between nodes: 6 more for each step ahead in the ring, 3 more
                          on the way back, so that no two are alike (default);
             =flat        20 from each to each
             ="10,20;30,10"  a table, a row for each node: 10 on the diagonal, else 11 to 254
  --timeout=S             seconds that PROGRAM may take, boot not counted (default 120)
  --file=PATH             a further file of this host, with its libraries if it is a
                          program; PROGRAM and files have the same paths in the guest
  --env=NAME=VALUE        in the environment of PROGRAM, which is otherwise all but empty
  --append=ARGS           for the kernel's command line
  --before=CODE           run by the guest's sh first; PROGRAM only when it succeeds
  --console               the kernel's messages, on stderr, at the end
  --help                  this
--file, --env, --append and --before may be repeated. The guest has /proc, /sys, /dev, a
file system in memory, and busybox's commands; no network.

exit status: that of PROGRAM (128 + N when signal N ended it), or
  124  it ran for longer than --timeout
  125  numa-vm.sh itself failed: bad usage, something missing, no boot, --before failed;
       --download: there is nothing to be had, and why
  129, 130, 143  numa-vm.sh was ended by SIGHUP, SIGINT, SIGTERM
Kernels are kept in ${XDG_CACHE_HOME:-$HOME/.cache}/perch-numa-vm, what is for aarch64
where tools/build/aarch64/sysroot.sh has it (which also installs the cross compiler).
6.12 needs no change of apt's sources: an index of backports is fetched for the download.
END
}

die() { echo "numa-vm: $*" >&2; exit 125; }

tmp='' qemu=''
end_qemu() {
	[ -n "$qemu" ] || return 0
	kill "$qemu" 2>/dev/null || true
	for ((t = 0; t < 50; t++)); do
		kill -0 "$qemu" 2>/dev/null || break
		sleep 0.1
	done
	kill -9 "$qemu" 2>/dev/null || true
	wait "$qemu" 2>/dev/null || true
	qemu=''
}
# shellcheck disable=SC2317 # called by the trap
cleanup() { end_qemu; [ -z "$tmp" ] || rm -rf "$tmp"; }
trap cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# --- what is asked for
kernel=6.1 arch=x86_64 nodes=2 cpus=2 memory=512 distances=ring timeout=120 append='' before='' console=0 only_download=0
files=() env=()

number() { # OPTION VALUE LEAST MOST
	[[ $2 =~ ^[1-9][0-9]{0,6}$ && $2 -ge $3 && $2 -le $4 ]] || die "$1=$2: not a number from $3 to $4"
}
sum() { local IFS=+; echo $(($*)); }
# One number for all nodes, or a list; prints one for each node, a line each.
each() { # OPTION VALUE LEAST MOST
	local i list
	if [[ $2 != *,* ]]; then
		number "$1" "$2" "$3" "$4"
		for ((i = 0; i < nodes; i++)); do echo "$2"; done
		return
	fi
	IFS=, read -ra list <<< "$2,"
	((${#list[@]} == nodes)) || die "$1=$2: ${#list[@]} numbers for $nodes nodes"
	for ((i = 0; i < nodes; i++)); do
		# the first has to have both
		[[ $i != 0 && ${list[i]} = 0 || ${list[i]} =~ ^[1-9][0-9]{0,6}$ && ${list[i]} -ge $3 && ${list[i]} -le $4 ]] ||
			die "$1=$2: node $i: '${list[i]}' is not a number from $3 to $4"
	done
	printf '%s\n' "${list[@]}"
}
parse() {
	while [ $# != 0 ]; do
		local value=${1#*=}
		case $1 in
		--kernel=*) kernel=$value ;;
		--arch=*) arch=$value ;;
		--nodes=*) number --nodes "$value" 1 32; nodes=$value ;;
		--cpus=*) cpus=$value ;;
		--memory=*) memory=$value ;;
		--distances=*) distances=$value ;;
		--timeout=*) number --timeout "$value" 1 999999; timeout=$value ;;
		--file=*) [[ -f $value && -r $value ]] || die "--file=$value: no such file"; files+=("$value") ;;
		--env=*) [[ $value =~ ^[A-Za-z_][A-Za-z0-9_]*= ]] || die "--env=$value: not NAME=VALUE"; env+=("$value") ;;
		--append=*) append+=" $value" ;;
		--before=*) before+=$value$'\n' ;;
		--console) console=1 ;;
		--download) only_download=1 ;;
		--help) usage; exit 0 ;;
		--) shift; break ;;
		--kernel | --arch | --nodes | --cpus | --memory | --distances | --timeout | --file | --env | --append | --before)
			die "$1 needs a value: $1=..." ;;
		-*) die "unknown option '$1'; see --help" ;;
		*) break ;;
		esac
		shift
	done
	case $arch in
	x86_64 | aarch64) ;;
	*) die "--arch=$arch: neither x86_64 nor aarch64" ;;
	esac
	case $arch:$kernel in
	*:6.1 | x86_64:6.12) ;;
	aarch64:6.12) die "--kernel=6.12: for --arch=aarch64 6.1 or a file" ;;
	*) [[ -f $kernel && -r $kernel ]] || die "--kernel=$kernel: neither 6.1, 6.12 nor a file" ;;
	esac
	mapfile -t cpus_of < <(each --cpus "$cpus" 1 255)
	mapfile -t memory_of < <(each --memory "$memory" 64 65536)
	((${#cpus_of[@]} == nodes && ${#memory_of[@]} == nodes)) || exit 125
	all_cpus=$(sum "${cpus_of[@]}")
	((all_cpus <= 255)) || die "--nodes=$nodes --cpus=$cpus: $all_cpus CPUs, more than 255"
	if [ $only_download = 1 ]; then
		[ $# = 0 ] || die "--download: no program is run, '$1' is too much"
		return
	fi
	[ $# != 0 ] || die "no program given; see --help"
	# absolute, but links are not followed: some programs look at the name they are called by
	case $arch:$1 in
	aarch64:busybox) program=/.vm/busybox ;; # the guest's
	*)
		program=$(type -P -- "$1") || die "no such program: $1"
		program=$(realpath -s -- "$program")
		;;
	esac
	shift
	arguments=("$@")
}

# Fills dist[FROM*nodes+TO]. A kernel ignores a table that is not as asked for here, without failing.
read_distances() {
	local i j d rows row
	dist=()
	case $distances in
	ring | flat) ;;
	*[!0-9\;,\ ]* | '') die "--distances=$distances: neither ring, flat nor a table such as '10,20;30,10'" ;;
	esac
	IFS=';' read -ra rows <<< "$distances"
	[[ $distances = [rf]* ]] || ((${#rows[@]} == nodes)) ||
		die "--distances=$distances: ${#rows[@]} rows for $nodes nodes"
	for ((i = 0; i < nodes; i++)); do
		case $distances in
		ring) row=(); for ((j = 0; j < nodes; j++)); do row+=($((i == j ? 10 : 10 + 6 * ((j - i + nodes) % nodes) + (i > j ? 3 : 0)))); done ;;
		flat) row=(); for ((j = 0; j < nodes; j++)); do row+=($((i == j ? 10 : 20))); done ;;
		*) IFS=', ' read -ra row <<< "${rows[i]}" ;;
		esac
		((${#row[@]} == nodes)) || die "--distances=$distances: row $i has ${#row[@]} columns for $nodes nodes"
		for ((j = 0; j < nodes; j++)); do
			d=${row[j]}
			if ((i == j)); then
				[ "$d" = 10 ] || die "--distances=$distances: row $i, column $j is '$d', must be 10"
			else
				[[ $d =~ ^[1-9][0-9]{1,2}$ && $d -ge 11 && $d -le 254 ]] ||
					die "--distances=$distances: row $i, column $j is '$d', must be 11 to 254"
			fi
			dist+=("$d")
		done
	done
}

need_tools() {
	local t
	if [ "$arch" = aarch64 ]; then
		for t in qemu-system-aarch64 cpio readelf; do
			type -P "$t" >/dev/null || die "$t is missing: apt-get install --no-install-recommends qemu-system-arm cpio binutils"
		done
		return
	fi
	for t in qemu-system-x86_64 busybox cpio zstd xz; do
		type -P "$t" >/dev/null || die "$t is missing: apt-get install --no-install-recommends qemu-system-x86 busybox-static cpio zstd xz-utils"
	done
	# its own libraries would not be there before it runs; ldd fails on what is static
	! ldd "$(type -P busybox)" >/dev/null 2>&1 || die "busybox is dynamic, the guest needs a static one: apt-get install busybox-static"
}

# --- the kernel
keep() { # FILE NAME: another numa-vm.sh must not see half of it
	{ mv "$1" "$2.$$" && mv "$2.$$" "$2"; } || die "cannot write $2"
}
newest() { find "$cache" -maxdepth 1 -name "vmlinuz-$1.*" | sort -V | tail -n 1; }

# apt with one release more, in lists of its own: the system's sources stay as they are
with_release() { # RELEASE APT_COMMAND...
	local release=$1 options
	shift
	options=(-o "Dir::Etc::SourceList=$tmp/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null -o "Dir::State::Lists=$tmp/apt/lists"
		-o "Dir::Cache=$tmp/apt/cache" -o APT::Sandbox::User=root)
	if [ ! -d "$tmp/apt" ]; then
		mkdir -p "$tmp/apt/lists/partial" "$tmp/apt/cache"
		echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian $release main" >"$tmp/apt/sources.list"
		apt-get -q "${options[@]}" update >"$tmp/log" 2>&1 || true # then it knows no package
	fi
	"$1" "${options[@]}" "${@:2}"
}

# the package that everyone installs only names the one with the kernel in it
kernel_package() { # VERSION RELEASE APT_CACHE...
	"${@:3}" show --no-all-versions "linux-image-amd64/$2" 2>/dev/null |
		sed -n 's/^Depends:.*\(linux-image-'"$1"'\.[^ ,]*\).*/\1/p' | head -n 1
}

download() { # VERSION
	local release=bookworm package image get=(apt-get)
	[ "$1" = 6.1 ] || release=bookworm-backports
	package=$(kernel_package "$1" $release apt-cache) || true
	if [ -z "$package" ]; then
		with_release $release apt-cache policy >/dev/null 2>&1 || true
		package=$(kernel_package "$1" $release with_release $release apt-cache) || true
		get=(with_release "$release" apt-get)
	fi
	[ -n "$package" ] || die "no kernel package for $1: apt knows no linux-image-amd64/$release, and deb.debian.org cannot be asked (--kernel=FILE takes any bzImage or vmlinux)"
	mkdir "$tmp/deb"
	(cd "$tmp/deb" && "${get[@]}" -q download "$package" && dpkg -x ./*.deb .) >"$tmp/log" 2>&1 ||
		{ cat "$tmp/log" >&2; die "cannot download the kernel package $package"; }
	image=$(find "$tmp/deb/boot" -name 'vmlinuz-*' | head -n 1)
	[ -n "$image" ] || die "no kernel in the package $package"
	keep "$image" "$cache/${image##*/}"
	rm -rf "$tmp/deb" "$tmp/apt"
}

is_elf() { [ "$(head -c 4 "$1" | tail -c 3)" = ELF ]; } 2>/dev/null

# A bzImage unpacks itself, which takes 2-3 s when emulated. Its vmlinux can be booted too.
unpack() { # BZIMAGE VMLINUX
	local tool magic at
	while read -r tool magic; do
		while read -r at; do
			# the rest of the file is no part of it: the tool always complains
			tail -c "+$((at + 1))" "$1" 2>/dev/null | "$tool" -dcq >"$tmp/vmlinux" 2>/dev/null || true
			if is_elf "$tmp/vmlinux"; then keep "$tmp/vmlinux" "$2"; return; fi
		done < <(LC_ALL=C grep -aboP "$magic" "$1" | LC_ALL=C cut -d: -f1)
	done <<-'END'
		xz \xfd7zXZ\x00
		zstd \x28\xb5\x2f\xfd
	END
	return 1
}

find_kernel() {
	local image=$kernel
	if [ "$arch" = aarch64 ]; then
		# its libraries and busybox come with it
		arm=$("$(dirname "$(realpath -- "$0")")/../build/aarch64/sysroot.sh" --guest 2>"$tmp/log") ||
			{ cat "$tmp/log" >&2; die "no aarch64 kernel and libraries"; }
		[ "$kernel" != 6.1 ] || kernel=$(echo "$arm"/guest/boot/vmlinuz-*)
		return
	fi
	cache=${XDG_CACHE_HOME:-$HOME/.cache}/perch-numa-vm
	case $kernel in
	6.1 | 6.12)
		mkdir -p "$cache" || die "cannot make $cache"
		[ -n "$(newest "$kernel")" ] || download "$kernel"
		image=$(newest "$kernel")
		kernel=$cache/vmlinux-${image##*/vmlinuz-}
		[ -s "$kernel" ] || unpack "$image" "$kernel" || kernel=$image
		;;
	esac
}

# --- what the guest starts with: a file system in memory
put() { # a file of the host, at its own path
	local f
	f=$(realpath -s -- "$1")
	[ ! -e "$root$f" ] || return 0
	mkdir -p "$root${f%/*}"
	cp -L -- "$f" "$root$f"
}
# The libraries that an aarch64 program needs, and theirs.
put_libraries() {
	local name d needed
	readelf -h "$1" | grep -q 'Machine:.*AArch64' || die "$1 is not for aarch64"
	needed=$(readelf -dlW "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p; s|.*interpreter: /lib/\(.*\)\]|\1|p')
	for name in $needed; do
		[ ! -e "$root/usr/lib/$name" ] || continue
		for d in "$arm/sysroot/usr/lib/aarch64-linux-gnu" /usr/aarch64-linux-gnu/lib "$(dirname "$1")" ''; do
			[ -n "$d" ] || die "$1 needs $name, which is not among the arm64 libraries"
			[ ! -e "$d/$name" ] || break
		done
		cp -L "$d/$name" "$root/usr/lib/$name"
		put_libraries "$d/$name"
	done
}
put_program() {
	local library
	put "$1"
	if [ "$arch" = aarch64 ]; then
		! is_elf "$1" || put_libraries "$1"
		return
	fi
	# ldd fails on what is no dynamic program
	{ ldd "$1" 2>/dev/null || true; } | grep -oE '/[^ ()]+' | while read -r library; do
		[ ! -f "$library" ] || put "$library"
	done || true
}
quoted() { printf "'%s' " "${1//\'/\'\\\'\'}"; }

make_initrd() {
	local f e a
	root=$tmp/root
	mkdir -p "$root"/{proc,sys,dev,tmp,etc,root,run,.vm,usr/{bin,sbin,lib,lib64}}
	for f in bin sbin lib lib64; do ln -s "usr/$f" "$root/$f"; done
	if [ "$arch" = aarch64 ]; then
		cp -L "$arm/guest/bin/busybox" "$root/.vm/busybox"
		cp -L /usr/aarch64-linux-gnu/lib/libgcc_s.so.1 "$root/usr/lib/"
	else
		cp -L "$(type -P busybox)" "$root/.vm/busybox"
	fi
	echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
	for f in "$program" "${files[@]}"; do [ "$f" = /.vm/busybox ] || put_program "$f"; done
	# loaded at run time, by pthread_cancel and backtrace
	[ "$arch" = aarch64 ] || for f in /lib/*/libgcc_s.so.1; do [ ! -f "$f" ] || put "$f"; done
	printf '%s' "$before" >"$root/.vm/before"
	{
		echo 'export PATH=/usr/bin:/usr/sbin:/.vm HOME=/root'
		for e in "${env[@]}"; do printf 'export '; quoted "$e"; echo; done
		printf 'exec '
		for a in "$program" "${arguments[@]}"; do quoted "$a"; done
	} >"$root/.vm/program"
	# ttyS1: what the program writes; ttyS2: how far we are (ttyS0 and ttyS1 on the PCI bus of aarch64)
	cat >"$root/init" <<-'END'
		#!/.vm/busybox sh
		/.vm/busybox --install -s /.vm
		export PATH=/usr/bin:/usr/sbin:/.vm HOME=/root
		[ -e /bin/sh ] || ln -s /.vm/busybox /bin/sh
		mount -t devtmpfs d /dev
		mount -t proc p /proc
		mount -t sysfs s /sys
		mkdir -p /dev/shm
		mount -t tmpfs t /dev/shm
		stty -F /dev/ttyS1 raw -echo
		stty -F /dev/ttyS2 raw -echo
		echo start >/dev/ttyS2
		if sh /.vm/before >/dev/ttyS1 2>&1 </dev/null; then
			sh /.vm/program >/dev/ttyS1 2>&1 </dev/null
			echo "status=$?" >/dev/ttyS2
		else
			echo "before=$?" >/dev/ttyS2
		fi
		poweroff -f
	END
	[ "$arch" = x86_64 ] || sed -i 's/ttyS1/ttyS0/g; s/ttyS2/ttyS1/g' "$root/init"
	chmod +x "$root/init"
	(cd "$root" && find . -print0 | cpio -0 -o -H newc --quiet -R 0:0) >"$tmp/initrd" || die "cannot pack the files for the guest"
	rm -rf "$root"
}

# --- the machine
topology() {
	local i j node first=0 last
	machine=(-smp "$all_cpus,sockets=$nodes,cores=$cpus" -m "$(sum "${memory_of[@]}")M")
	# sockets are all alike
	[[ $cpus != *,* ]] || machine[1]="$all_cpus,sockets=$all_cpus,cores=1"
	for ((i = 0; i < nodes; i++)); do
		node=node,nodeid=$i
		((last = first + cpus_of[i] - 1)) || true
		((cpus_of[i] == 0)) || node+=,cpus=$first-$last
		((first = last + 1)) || true
		if ((memory_of[i])); then
			node+=,memdev=m$i
			machine+=(-object "memory-backend-ram,id=m$i,size=${memory_of[i]}M")
		fi
		machine+=(-numa "$node")
	done
	((nodes > 1)) || return 0
	for ((i = 0; i < nodes; i++)); do
		for ((j = 0; j < nodes; j++)); do
			machine+=(-numa "dist,src=$i,dst=$j,val=${dist[i * nodes + j]}")
		done
	done
}

start_qemu() {
	: >"$tmp/progress"
	: >"$tmp/console"
	local command common
	common=(-nodefaults -nic none -display none -monitor none -no-reboot -kernel "$kernel" -initrd "$tmp/initrd")
	if [ "$arch" = aarch64 ]; then
		# shellcheck disable=SC2054 # the commas are QEMU's
		# pauth-impdef: a cheap signature of pointers; the real one takes most of the time
		command=(qemu-system-aarch64 -machine "virt,gic-version=3" -cpu "max,pauth-impdef=on"
			-serial "file:$tmp/console" -chardev stdio,id=out -chardev "file,id=progress,path=$tmp/progress"
			-device pci-serial-2x,chardev1=out,chardev2=progress
			-append "console=ttyAMA0 quiet loglevel=4 panic=-1 mitigations=off nokaslr$append")
	else
		# tsc=reliable: vCPUs that wait for their turn make it look unstable, and every clock slow.
		command=(qemu-system-x86_64 -cpu max -vga none
			-serial "file:$tmp/console" -serial stdio -serial "file:$tmp/progress"
			-append "console=ttyS0 quiet loglevel=4 panic=-1 tsc=reliable mitigations=off nokaslr$append")
	fi
	# setpriv: no guest outlives us, even when we are killed.
	setpriv --pdeathsig TERM "${command[@]}" -accel tcg,thread=multi "${machine[@]}" "${common[@]}" </dev/null 2>"$tmp/qemu" &
	qemu=$!
}
started() { grep -q start "$tmp/progress"; }
qemu_runs() { kill -0 "$qemu" 2>/dev/null; }
fail() { # what the kernel said last, and why we give up
	tail -n 15 "$tmp/console" >&2
	die "$*"
}

# QEMU 7.2 loses about one boot in ten: the guest panics or hangs while its kernel patches
# itself. Nothing of the program has run by then, so it may be tried again.
boot() {
	local try status end boot_seconds=60
	[ "$arch" = x86_64 ] || boot_seconds=180 # nothing of that kernel runs at the host's speed
	for try in 1 2 3 4; do
		start_qemu
		end=$((SECONDS + boot_seconds))
		while qemu_runs && ! started && ((SECONDS < end)); do sleep 0.1; done
		if started; then return; fi
		if ! qemu_runs; then
			status=0
			wait "$qemu" || status=$?
			qemu=''
			[ "$status" = 0 ] || { cat "$tmp/qemu" >&2; die "qemu failed, status $status (kernel $kernel)"; }
		fi
		end_qemu
		echo "numa-vm: the guest did not come up at try $try" >&2
	done
	fail "the guest did not come up (kernel $kernel)"
}

await_program() {
	local end=$((SECONDS + timeout)) status
	while qemu_runs; do
		# what it wrote last has to come out: wait for the end of QEMU, not for the status
		if ((SECONDS >= end)); then
			end_qemu
			[ $console = 0 ] || cat "$tmp/console" >&2
			echo "numa-vm: timed out after $timeout s" >&2
			exit 124
		fi
		sleep 0.1
	done
	wait "$qemu" || true
	qemu=''
	[ $console = 0 ] || cat "$tmp/console" >&2
	status=$(sed -n 's/^before=//p' "$tmp/progress")
	[ -z "$status" ] || die "the code of --before failed, status $status"
	status=$(sed -n 's/^status=//p' "$tmp/progress")
	[ -n "$status" ] || fail "the guest ended without a status"
	exit "$status"
}

parse "$@"
read_distances
need_tools
tmp=$(mktemp -d "${TMPDIR:-/tmp}/numa-vm.XXXXXX") || die "no temporary directory"
find_kernel
if [ $only_download = 1 ]; then
	echo "$kernel"
	exit 0
fi
make_initrd
topology
boot
await_program
