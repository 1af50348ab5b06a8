# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# programs.sh - to be sourced, after tests/harness/check.sh: test programs in a guest.
: "${tmp:?tests/harness/check.sh was not sourced}"

# need_aarch64 PROGRAM: ends the test, failed, if it is built for something else.
need_aarch64() {
	readelf -h "$1" | grep -q 'Machine:.*AArch64' && return
	verdict "is built for aarch64" "it is not: bazelw test --config=aarch64"
	done_checking
	exit
}

# programs_in_guest LABEL NUMA_VM [OPTION...] -- PROGRAM...: a verdict for each program, all in
# one boot, which takes longer than most of them. The options are numa-vm.sh's. What was
# printed is in $tmp/out, and is said.
programs_in_guest() {
	local label=$1 vm=$2 options=() programs=() status=0 seconds p name all
	shift 2
	while [ "$1" != -- ]; do options+=("$1"); shift; done
	shift
	for p; do
		programs+=("$PWD/$p")
		options+=("--file=$PWD/$p")
	done
	# $p: for the guest's shell, not for ours
	# shellcheck disable=SC2016
	all='for p; do
		begun=$(date +%s) status=0
		"$p" || status=$?
		echo "@ $p $status $(($(date +%s) - begun))"
	done'
	"$vm" "${options[@]}" -- busybox sh -c "$all" sh "${programs[@]}" >"$tmp/out" || status=$?
	sed "s/^/# /" "$tmp/out"
	[ $status = 0 ] || verdict "$label: the guest" "status $status"
	for p in "${programs[@]}"; do
		name="$label: ${p##*/}"
		read -r status seconds < <(sed -n "s:^@ $p ::p" "$tmp/out") || { verdict "$name" "did not end"; continue; }
		[ "$status" = 0 ] || { verdict "$name" "status $status"; continue; }
		verdict "$name, $seconds s" ""
	done
}

# saw_nodes LABEL NODES CPUS: that it was such a machine is for real_test to see, one of them.
saw_nodes() {
	local seen problem=''
	seen=$(grep -c "^# node [0-9]*: $3 CPUs" "$tmp/out")
	[ "$seen" = "$2" ] || problem="$seen nodes"
	verdict "$1: real_test saw $2 nodes of $3 CPUs" "$problem"
}
