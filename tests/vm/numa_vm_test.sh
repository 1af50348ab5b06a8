#!/bin/bash
# SPDX-License-Identifier: MIT
# numa_vm_test.sh NUMA_VM HELLO: what numa-vm.sh says of bad input, what comes back
# from its guest, and that nothing of it stays.
set -u
vm=$PWD/$1 hello=$PWD/$2
packages="qemu-system-x86 busybox-static cpio zstd xz-utils"
tools="qemu-system-x86_64 busybox cpio zstd xz"
# shellcheck source=tests/harness/check.sh
. tests/harness/check.sh
its_path=$PATH # what numa-vm.sh finds
mkdir "$tmp/t" "$tmp/empty"
export TMPDIR=$tmp/t

judge() { # NAME: by $problem, and what was written
	[ -z "$problem" ] || { sed 's/^/# out: /' "$tmp/out"; sed 's/^/# err: /' "$tmp/err"; }
	verdict "$1" "$problem"
}
left() { # what stays in TMPDIR, and guests: theirs lie there
	ls "$TMPDIR"
	pgrep -f "$TMPDIR/numa-vm[.]"
}
run() { # STATUS ARG...
	local wanted=$1 status=0
	shift
	problem=
	PATH=$its_path "$vm" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null || status=$?
	[ $status = "$wanted" ] || problem+=" status $status, expected $wanted;"
	[ -z "$(left)" ] || problem+=" left behind: $(left | tr '\n' ' ');"
}
has() { # FILE TEXT...
	local file=$1 text
	shift
	for text; do grep -qF -e "$text" "$tmp/$file" || problem+=" no '$text' on $file;"; done
}
is() { # TEXT, all of stdout
	[ "$(cat "$tmp/out")" = "$1" ] || problem+=" output is not '$1';"
}
refuses() { # MESSAGE ARG...
	local message=$1
	shift
	run 125 "$@"
	[ "$(cat "$tmp/err")" = "numa-vm: $message" ] || problem+=" the message is not '$message';"
	is ""
	judge "refuses${*:+ ${*:1:2}}"
}

run 0 --help
has out --kernel= --arch= --download --nodes= --cpus= --memory= --distances= --timeout= --file= --env= --append= --before= --console --help \
	'exit status' 124 125 perch-numa-vm
judge "--help"

# --- what can be said without a guest
refuses "no program given; see --help"
refuses "no program given; see --help" --nodes=2 --
refuses "unknown option '--nods=2'; see --help" --nods=2 -- true
refuses "unknown option '-n'; see --help" -n 2 -- true
refuses "--nodes needs a value: --nodes=..." --nodes 2 -- true
for o in --nodes= --nodes=0 --nodes=33 --nodes=-1 --nodes=2x --nodes=99999999999999999999; do
	refuses "$o: not a number from 1 to 32" $o -- true
done
refuses "--cpus=no: not a number from 1 to 255" --cpus=no -- true
refuses "--nodes=16 --cpus=16: 256 CPUs, more than 255" --nodes=16 --cpus=16 -- true
refuses "--memory=63: not a number from 64 to 65536" --memory=63 -- true
refuses "--cpus=2,2: 2 numbers for 3 nodes" --nodes=3 --cpus=2,2 -- true
refuses "--cpus=0,2: node 0: '0' is not a number from 1 to 255" --cpus=0,2 -- true
refuses "--cpus=2,: node 1: '' is not a number from 1 to 255" --cpus=2, -- true
refuses "--nodes=2 --cpus=200,100: 300 CPUs, more than 255" --nodes=2 --cpus=200,100 -- true
refuses "--memory=512,32: node 1: '32' is not a number from 64 to 65536" --memory=512,32 -- true
refuses "--timeout=1.5: not a number from 1 to 999999" --timeout=1.5 -- true
refuses "--file=/no/such: no such file" --file=/no/such -- true
refuses "--file=/tmp: no such file" --file=/tmp -- true
refuses "--env=1A=2: not NAME=VALUE" --env=1A=2 -- true
refuses "--env=A: not NAME=VALUE" --env=A -- true
refuses "--kernel=5.10: neither 6.1, 6.12 nor a file" --kernel=5.10 -- true
refuses "--arch=arm: neither x86_64 nor aarch64" --arch=arm -- true
refuses "--kernel=6.12: for --arch=aarch64 6.1 or a file" --arch=aarch64 --kernel=6.12 -- true
refuses "--kernel=/no/such: neither 6.1, 6.12 nor a file" --arch=aarch64 --kernel=/no/such -- true
refuses "--download: no program is run, 'true' is too much" --download -- true
refuses "no such program: no-such-program" no-such-program
refuses "no such program: /no/such" -- /no/such
for d in round ringg '' '10,2a;20,10'; do
	refuses "--distances=$d: neither ring, flat nor a table such as '10,20;30,10'" "--distances=$d" -- true
done
refuses "--distances=10,20: 1 rows for 2 nodes" --distances=10,20 -- true
refuses "--distances=10,20;30,10: 2 rows for 3 nodes" "--distances=10,20;30,10" --nodes=3 -- true
refuses "--distances=10,20;30: row 1 has 1 columns for 2 nodes" "--distances=10,20;30" -- true
refuses "--distances=10,20,30;30,10: row 0 has 3 columns for 2 nodes" "--distances=10,20,30;30,10" -- true
refuses "--distances=10,20;30,11: row 1, column 1 is '11', must be 10" "--distances=10,20;30,11" -- true
refuses "--distances=10,10;30,10: row 0, column 1 is '10', must be 11 to 254" "--distances=10,10;30,10" -- true
refuses "--distances=10,20;255,10: row 1, column 0 is '255', must be 11 to 254" "--distances=10,20;255,10" -- true

# --- what the host lacks: PATH leads to stand-ins, or to all tools but one
for lacks in $tools; do
	mkdir "$tmp/no-$lacks"
	for t in $tools; do [ "$t" = "$lacks" ] || printf '#!/bin/sh\n' >"$tmp/no-$lacks/$t"; done
	for t in true realpath rm; do ln -s "$(type -P $t)" "$tmp/no-$lacks/$t"; done
	chmod +x "$tmp/no-$lacks"/*
	its_path=$tmp/no-$lacks run 125 -- true
	[ "$(cat "$tmp/err")" = "numa-vm: $lacks is missing: apt-get install --no-install-recommends $packages" ] || problem+=" another message;"
	judge "says that $lacks is missing"
done
its_path=$tmp/no-xz run 125 --arch=aarch64 -- true
has err "numa-vm: qemu-system-aarch64 is missing: apt-get install --no-install-recommends qemu-system-arm cpio binutils"
judge "says that QEMU for aarch64 is missing"

# shellcheck disable=SC2086 # words
need_tools "$packages" $tools setpriv

mkdir "$tmp/stand-in"
cp -L "$(type -P true)" "$tmp/stand-in/busybox"
its_path=$tmp/stand-in:$PATH
refuses "busybox is dynamic, the guest needs a static one: apt-get install busybox-static" -- true
rm "$tmp/stand-in/busybox"
printf '#!/bin/sh\nexit 100\n' >"$tmp/stand-in/apt-cache"
printf '#!/bin/sh\necho "E: no network" >&2\nexit 100\n' >"$tmp/stand-in/apt-get"
chmod +x "$tmp/stand-in"/*
else="and deb.debian.org cannot be asked (--kernel=FILE takes any bzImage or vmlinux)"
XDG_CACHE_HOME=$tmp/empty refuses "no kernel package for 6.1: apt knows no linux-image-amd64/bookworm, $else" -- true
XDG_CACHE_HOME=$tmp/empty refuses \
	"no kernel package for 6.12: apt knows no linux-image-amd64/bookworm-backports, $else" --kernel=6.12 -- true
XDG_CACHE_HOME=$tmp/empty refuses \
	"no kernel package for 6.1: apt knows no linux-image-amd64/bookworm, $else" --download
printf '#!/bin/sh\necho "Depends: linux-image-6.1.0-9-amd64 (= 6.1.9-1)"\n' >"$tmp/stand-in/apt-cache"
XDG_CACHE_HOME=$tmp/empty run 125 -- true
has err "E: no network" "numa-vm: cannot download the kernel package linux-image-6.1.0-9-amd64"
[ -z "$(ls "$tmp/empty/perch-numa-vm")" ] || problem+=" the cache is not empty;"
judge "says why a kernel cannot be downloaded"
its_path=$PATH

run 0 --download
[ -s "$(cat "$tmp/out")" ] || problem+=" no such kernel;"
judge "--download prints the kernel"
head -c 100000 /dev/zero >"$tmp/zeros"
run 125 --kernel="$tmp/zeros" -- true
has err "numa-vm: qemu failed, status 1 (kernel $tmp/zeros)"
judge "says that a kernel is none"

# a first boot that is lost: QEMU ends, nothing has run
cat >"$tmp/stand-in/qemu-system-x86_64" <<END
#!/bin/sh
[ -e "$tmp/tried" ] || { : >"$tmp/tried"; exit 0; }
exec $(type -P qemu-system-x86_64) "\$@"
END
chmod +x "$tmp/stand-in/qemu-system-x86_64"
its_path=$tmp/stand-in:$PATH
run 7 -- "$hello" 7
its_path=$PATH
has err "numa-vm: the guest did not come up at try 1"
has out "hello, HELLO=(unset)"
judge "boots again"

# --- what comes back
run 7 --env=HELLO="it's a \$HOME" -- "$hello" 7 "two  words" '' "a'b\"c"
is "hello, HELLO=it's a \$HOME
<two  words>
<>
<a'b\"c>
to stderr"
[ ! -s "$tmp/err" ] || grep -q 'did not come up at try' "$tmp/err" || problem+=" something on stderr;"
judge "output, status, arguments and environment"
run 134 -- "$hello" abort
has out "hello, HELLO=(unset)" "to stderr"
judge "the status of a program that a signal ends"

# $1: for the guest's shell, not for ours
# shellcheck disable=SC2016
machine='cd /sys/devices/system/node; for i in node[0-9]*; do
	echo "$i: $(cat $i/distance): $(cat $i/cpulist): $(($(sed -n "s/.*MemTotal: *\([0-9]*\) kB/\1/p" $i/meminfo) / 1024 / $1))"; done
cat /sys/devices/system/cpu/online'
run 0 --nodes=2 --cpus=4 "--distances=10,42;17,10" -- busybox sh -c "$machine" sh 256
is "node0: 10 42: 0-3: 1
node1: 17 10: 4-7: 1
0-7"
judge "2 nodes of 4 CPUs, a table"
run 0 --nodes=4 --cpus=2 --memory=256 -- busybox sh -c "$machine" sh 128
is "node0: 10 16 22 28: 0-1: 1
node1: 31 10 16 22: 2-3: 1
node2: 25 31 10 16: 4-5: 1
node3: 19 25 31 10: 6-7: 1
0-7"
judge "4 nodes of 2 CPUs, a ring"
run 0 --nodes=3 --cpus=1 --distances=flat -- busybox sh -c "$machine" sh 256
is "node0: 10 20 20: 0: 1
node1: 20 10 20: 1: 1
node2: 20 20 10: 2: 1
0-2"
judge "3 nodes of 1 CPU, flat"

# shellcheck disable=SC2016 # for the guest's shell
run 0 --nodes=3 --cpus=2,1,0 --memory=512,0,256 --distances=flat -- busybox sh -c 'cd /sys/devices/system/node
	for i in node[0-9]*; do echo "$i: $(cat $i/cpulist): $(($(sed -n "s/.*MemTotal: *\([0-9]*\) kB/\1/p" $i/meminfo) / 1024 / 128))"; done'
is "node0: 0-1: 3
node1: 2: 0
node2: : 1"
judge "3 nodes, one without memory, one without CPUs"

echo "in a file" >"$tmp/file"
run 0 --file="$tmp/file" --append=perch.a=1 --append="perch.b=2" --before="echo before >/tmp/b" --before="cat /tmp/b" \
	--console -- busybox sh -c "cat $tmp/file /proc/cmdline"
has out "before" "in a file" "perch.a=1 perch.b=2"
has err "reboot: Power down"
judge "--file, --append, --before, --console"
run 125 --before="exit 3" -- "$hello" 0
has err "numa-vm: the code of --before failed, status 3"
is ""
judge "no program when --before fails"

run 124 --timeout=2 -- busybox sh -c 'echo begun; sleep 1000'
has err "numa-vm: timed out after 2 s"
is "begun"
judge "--timeout"

# in the guest for sure: the program has written
for s in INT:130 TERM:143 HUP:129; do
	problem=''
	env --default-signal=INT "$vm" -- busybox sh -c 'echo begun; sleep 1000' >"$tmp/out" 2>"$tmp/err" </dev/null &
	pid=$!
	for ((i = 0; i < 600; i++)); do
		! grep -q begun "$tmp/out" || break
		sleep 0.1
	done
	has out begun
	[ -n "$(left)" ] || problem+=" nothing was there to be left;"
	kill -"${s%:*}" $pid
	wait $pid
	status=$?
	[ $status = "${s#*:}" ] || problem+=" status $status;"
	[ -z "$(left)" ] || problem+=" left behind: $(left | tr '\n' ' ');"
	judge "nothing stays after SIG${s%:*}"
done

done_checking
