# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# programs.sh - to be sourced, after tests/harness/check.sh: test programs in a guest,
# all in one boot: a boot takes longer than most of them.
: "${tmp:?tests/harness/check.sh was not sourced}"

# programs_in_guest LABEL NUMA_VM [OPTION...] -- PROGRAM...: a verdict for each program. The
# options are numa-vm.sh's. What was printed is in $tmp/out, and is said.
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
