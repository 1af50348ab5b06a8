#!/bin/sh
# SPDX-License-Identifier: MIT
#
# run.sh [--long] [--trail MODEL [-DSEED...]]
# Checks every model, and that every seeded bug is found in it; prints KTAP.
#   --long   larger bounds too (about five minutes, up to 6 GB)
#   --trail  print the shortest run that breaks MODEL with these definitions
# MODEL_JOBS models are checked at a time: as there are CPUs, but 2 at most (under 2 GB
# each; 1 when --long); their results come out in the plan's order.
# Status: 0 all as expected, 1 not, 2 usage, 4 skipped (spin or gcc is missing).
set -eu

usage() { echo "usage: $0 [--long] [--trail MODEL [-DSEED...]]" >&2; exit 2; }
long='' trail=''
case ${1:-} in
'') ;;
--long) long=1; [ $# = 1 ] || usage ;;
--trail) [ $# -ge 2 ] || usage; trail=$2; shift 2 ;;
*) usage ;;
esac

models=$(cd "$(dirname "$0")" && pwd)
for tool in spin gcc; do
	command -v $tool >/dev/null 2>&1 && continue
	echo "KTAP version 1"
	echo "1..0 # SKIP $tool is not installed; on Debian: apt-get install spin gcc"
	exit 4
done
tmp=$(mktemp -d "${TMPDIR:-/tmp}/perch-model.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM

kind=SAFETY # or NP: cycles are looked for, instead of states
optimise=-O1
# build MODEL MEGABYTES COMPILER_FLAG DEFINITION...: makes the verifier, $tmp/pan
build() {
	model=$1 megabytes=$2 flag=$3
	shift 3
	rm -f "$tmp"/pan* "$tmp"/*.trail
	: >"$tmp/out"
	(cd "$tmp" && cp "$models/$model.pml" . && spin "$@" -a "$model.pml" &&
		gcc -w "$optimise" "-D$kind" "-DMEMLIM=$megabytes" "$flag" -o pan pan.c) >"$tmp/build" 2>&1
}

if [ -n "$trail" ]; then
	[ -f "$models/$trail.pml" ] || { echo "$0: no such model: $models/$trail.pml" >&2; exit 2; }
	build "$trail" 4000 -DBFS "$@" || { cat "$tmp/build" >&2; exit 1; }
	(cd "$tmp" && ./pan -w24 >out 2>&1) || :
	if [ ! -f "$tmp/$trail.pml.trail" ]; then
		grep -E 'errors:|not completed|states, stored' "$tmp/out" >&2 || :
		echo "$0: no error was found in $trail $*" >&2
		exit 1
	fi
	(cd "$tmp" && spin "$@" -t -p -g -l "$trail.pml")
	exit 0
fi

# Several shells go through all cases, and each does those that it is the first to claim.
# What is here is done by each of them; $tmp is then its own, $claims everyone's.
claims=$tmp/claims number=0
claim() {
	number=$((number + 1))
	mkdir "$claims/$number" 2>/dev/null
}
result() { # ok|not ok, text
	{
		echo "$1 $number - $2"
		[ "$1" = ok ] || cat "$tmp/build" "$tmp/out" | tail -n 40 | sed 's/^/# /'
	} >"$claims/$number/new"
	mv "$claims/$number/new" "$claims/$number/result"
}

cycles=''
# search MEGABYTES LOG2_OF_HASH_TABLE MODEL DEFINITION...: runs the verifier; not so when
# another shell does, or there is a result already
search() {
	memory=$1 table=$2 name=$3
	shift 3
	claim || return 1
	if ! build "$name" "$memory" -DNOFAIR "$@"; then
		result 'not ok' "$name $*: the model does not compile"
		return 1
	fi
	# shellcheck disable=SC2086 # an option or none
	(cd "$tmp" && exec ./pan $cycles -m"$depth" -w"$table" >out 2>&1) &
	verifier=$!
	wait $verifier || :
}

# holds MODEL DEFINITION...: the whole space has been searched without an error
holds() {
	optimise=-O1
	search "$limit" "$hash" "$@" || return 0
	states=$(sed -n 's/^ *\([0-9][0-9.e+]*\) states, stored.*/\1/p' "$tmp/out")
	if ! grep -q 'errors: 0$' "$tmp/out"; then
		result 'not ok' "$*: an error; see $0 --trail $*"
	elif [ -z "$states" ] || grep -Eq 'not completed|too small|reached -DMEMLIM|out of memory' "$tmp/out"; then
		result 'not ok' "$*: not searched to the end"
	else
		result ok "$*: no errors, $states states"
	fi
}

# ends MODEL DEFINITION...: no run of it goes on for ever
ends() {
	kind=NP cycles=-l
	holds "$@"
	kind=SAFETY cycles=''
}

# finds MODEL SEED DEFINITION...: an assertion breaks when that bug is put in
finds() {
	name=$1 seed=$2
	shift 2
	optimise=-O0 # it is found sooner than gcc would be done with more
	search 2000 22 "$name" "-D$seed" "$@" || return 0
	if grep -q '^pan:.*assertion violated' "$tmp/out"; then
		result ok "$name $seed: found"
	else
		result 'not ok' "$name $seed: NOT found"
	fi
}

RING_SEEDS='NO_BARRIER NO_RESTART_BY_BARRIER NO_FLUSH_BY_BARRIER NO_RESTART NO_FREEZE_CHECK NO_VERSION NO_ROOM_CHECK'
IDLE_SEEDS='NO_MEMBARRIER NO_RESTART_BY_BARRIER NO_FLUSH_BY_BARRIER NO_REQUEST NO_RECHECK CLEAR_WITHOUT_NOTIFY
	NO_CHAIN NO_LOOK LOOK_WITHOUT_INBOX NO_SECOND_LOOK POP_FORGETS_REQUEST FAIR_PUSH_IGNORES_REQUEST
	WAKE_LOOKS_BEFORE THIEFS_STANDS STANDS_BESIDE_AWAKE NO_FENCE_BEHIND_PUSH OWN_NOT_LEFT'
APART_SEEDS='ONE_COUNT NO_PASS_ON ANSWER_WHERE_TAKEN ANSWER_WHERE_PUSHED NO_ANSWER LOOK_WITHOUT_COMMON NO_SECOND_LOOK
	NO_REPAIR NO_LOOK_AT_ALL'
BIAS_SEEDS='BIAS_NO_BARRIER TWO_LEAVE NO_RESTART NO_FLUSH STORE_TO_UNLOCK'
ALLOC_SEEDS='NO_BARRIER NO_RESTART NO_FLUSH NO_FREEZE_CHECK NO_UNPARK COOL_UNLOCKED NO_CUT NEXT_AFTER_GIVEN'
PARK_SEEDS='HOOK_BEFORE_SAVE NO_TOKEN NO_COMMIT_CHECK NO_LOOP DONE_BEFORE_RESULT TOUCH_AFTER_DONE'
WAIT_SEEDS='UNLOCK_BEFORE_LEFT ARM_AFTER_UNLOCK SLEEP_READ_LATE DONE_BEFORE_CLAIM NO_CLAIM CLAIM_WITHOUT_MANY
	NO_CANCEL_WAIT NOT_TAKEN_OUT LOOK_WITHOUT_LOCK RESULT_AFTER_WAKE WAKE_AFTER_LOST_CLAIM'
MUTEX_SEEDS='UNLOCK_LOOKS_FIRST NO_ANNOUNCE_CHECK LATE_KEEPS_WOKEN TAKER_KEEPS_WOKEN FORGET_WAITERS BARGE_IN
	HANDED_BUT_FREE'
MUTEX_TIMED_SEEDS='FORGET_CLAIM GIVE_UP_KEEPS_WOKEN'
COND_SEEDS='RELEASE_FIRST HEIR_ANYWHERE HEIR_OVERTAKES'
COND_TAKE_SEEDS='HEIR_NOT_FORGOTTEN NAME_AFTER_WAKE'
CHAN_SEEDS='NO_CLAIM LOCKS_NOT_IN_ORDER NOT_TAKEN_OFF TAKEN_OFF_WITHOUT_LOCK HOOK_READS_LATE WAKE_BEFORE_COPY
	LOOK_THEN_WAIT'
CLOSE_SEEDS='CLOSE_FORGETS_SENDERS CLOSE_FORGETS_RECEIVERS SEND_AFTER_CLOSE'
TIMERS_SEEDS='NEXT_PAST NEXT_FALLS NO_IDLE_TIMER UNTIL_BEFORE_NEXT WATCH_BEFORE_MASK NO_WATCH NO_END_WATCH END_WATCH_LATE
	NO_CHAIN NO_SECOND_LOOK'
HANDOFF_SEEDS='ONE_WAKE ROUSED_IS_CHOSEN COUNTED_IN_SLEEP COUNTED_AT_START COUNTED_AFTER_DUTY NO_COUNTED_WHEN_LOST
	SEARCHING_FORGOTTEN SLEEP_THOUGH_CALLED NO_LOOK_AT_PINNED NO_NOTIFY_WHEN_DISMISSED'

cases() {
	depth=2000000 limit=2000 hash=24
	holds ring -DWORKERS=2 -DTHIEVES=1 -DITEMS=2
	holds ring -DWORKERS=1 -DTHIEVES=2 -DITEMS=2
	holds ring -DWORKERS=1 -DTHIEVES=1 -DITEMS=3
	holds ring -DWORKERS=1 -DTHIEVES=1 -DITEMS=5 -DBUFFER=1
	for seed in $RING_SEEDS; do
		case $seed in
		NO_RESTART) finds ring "$seed" -DWORKERS=2 ;;
		NO_ROOM_CHECK) finds ring "$seed" -DWORKERS=1 -DITEMS=5 ;;
		*) finds ring "$seed" -DWORKERS=1 ;;
		esac
	done
	holds idle -DWORKERS=2 -DPUSHES=3 -DSUBMITS=0
	holds idle -DWORKERS=2 -DPUSHES=2 -DSUBMITS=1
	holds idle -DWORKERS=3 -DPUSHES=1 -DSUBMITS=0
	for seed in $IDLE_SEEDS; do
		case $seed in
		LOOK_WITHOUT_INBOX | THIEFS_STANDS | NO_FENCE_BEHIND_PUSH) finds idle "$seed" -DWORKERS=2 -DPUSHES=1 -DSUBMITS=1 ;;
		*) finds idle "$seed" -DWORKERS=2 -DPUSHES=3 ;;
		esac
	done
	holds apart -DPOSTS=2
	for seed in $APART_SEEDS; do
		case $seed in
		ANSWER_WHERE_PUSHED) finds apart "$seed" -DPOSTS=2 -DPUSHES=0 ;;
		NO_LOOK_AT_ALL) finds apart "$seed" -DPOSTS=2 ;;
		*) finds apart "$seed" ;;
		esac
	done
	holds park
	for seed in $PARK_SEEDS; do
		finds park "$seed"
	done
	holds bias -DROUNDS=1
	holds bias -DTHERE=1
	holds bias -DWORD -DROUNDS=1 -DTHERE=1
	for seed in $BIAS_SEEDS; do
		case $seed in
		STORE_TO_UNLOCK) finds bias "$seed" -DWORD -DROUNDS=1 -DTHERE=1 ;;
		*) finds bias "$seed" -DROUNDS=1 ;;
		esac
	done
	holds alloc -DROUNDS=3 -DTRIMS=2
	holds alloc -DREMOTE
	holds alloc -DSECOND
	for seed in $ALLOC_SEEDS; do
		case $seed in
		NO_CUT) finds alloc "$seed" -DSECOND ;;
		NEXT_AFTER_GIVEN) finds alloc "$seed" -DREMOTE ;;
		*) finds alloc "$seed" -DROUNDS=3 -DTRIMS=2 ;;
		esac
	done
	holds wait -DGIFTS=2
	holds wait -DFOREIGN -DROUNDS=1
	for seed in $WAIT_SEEDS; do
		finds wait "$seed"
	done
	finds wait RETURN_UNCLAIMED -DFOREIGN
	# shellcheck disable=SC2086 # the roles are to be split
	{
		ping='-DROLE0=PING -DROLE1=PING'
		take='-DROLE0=TAKE -DROLE1=TAKE -DROLE2=GIVE'
		wait='-DROLE0=WAIT -DROLE1=WAIT -DROLE2=SET'
		holds mutex
		holds mutex -DTIMED=7
		holds mutex $ping
		holds mutex $ping -DFOREIGN=1
		holds mutex $take
		holds mutex $take -DTIMED=1
		holds mutex $wait -DTIMED=1
		for seed in $MUTEX_SEEDS; do
			finds mutex "$seed"
		done
		for seed in $MUTEX_TIMED_SEEDS; do
			finds mutex "$seed" -DTIMED=3
		done
		for seed in $COND_SEEDS; do
			finds mutex "$seed" $ping
		done
		for seed in $COND_TAKE_SEEDS; do
			finds mutex "$seed" $take
		done
		finds mutex ADOPT_NOBODY $wait

		four='-DA0=SEND -DB0=RECV -DC0=SEND -DC1=SEND -DD0=RECV -DD1=RECV'
		facing='-DA0=SEND -DA1=RECV -DB0=RECV -DB1=SEND'
		buffered='-DA0=SEND -DB0=SEND -DC0=RECV -DD0=RECV -DROUNDS=2 -DCAPACITY0=1'
		closed='-DA0=SEND -DB0=RECV -DB1=RECV -DC0=SEND -DCLOSE=3'
		holds chan $four
		holds chan $four -DCAPACITY0=1
		holds chan $four -DTIMED=15
		holds chan $buffered
		holds chan $facing -DROUNDS=2 -DTIMED=1 -DCLOSE=3
		holds chan $closed -DCAPACITY1=1
		for seed in $CHAN_SEEDS; do
			finds chan "$seed" $four
		done
		for seed in $CLOSE_SEEDS; do
			finds chan "$seed" $closed
		done
		finds chan SLOT_NOT_REFILLED $buffered
	}
	holds timers -DARMS=2 -DCANCELS=1
	holds timers -DARMS=2 -DWHEELS=2
	holds timers -DARMS=1 -DPOSTS=2
	holds timers -DARMS=2 -DWHEELS=2 -DSECOND_READ
	for seed in $TIMERS_SEEDS; do
		finds timers "$seed" -DARMS=2 -DCANCELS=1
	done
	holds handoff
	holds handoff -DTAKES=2
	holds handoff -DPINS=1 -DPOSTS=0
	ends handoff
	for seed in $HANDOFF_SEEDS; do
		case $seed in
		NO_LOOK_AT_PINNED) finds handoff "$seed" -DPINS=1 -DPOSTS=0 -DTAKES=2 ;;
		*) finds handoff "$seed" -DTAKES=2 ;;
		esac
	done
	if [ -n "$long" ]; then
		depth=20000000 limit=6000 hash=26
		holds ring -DWORKERS=2 -DTHIEVES=1 -DITEMS=3
		holds idle -DWORKERS=2 -DPUSHES=3 -DSUBMITS=1
		holds bias -DWORD -DROUNDS=1
		# shellcheck disable=SC2086
		holds chan $four -DROUNDS=2
		# shellcheck disable=SC2086
		holds mutex $ping -DROUNDS=3
		holds timers -DARMS=2 -DPOSTS=1
		holds timers -DARMS=3
		holds timers -DWORKERS=3 -DARMS=1
		holds handoff -DPINS=1
	fi
}

# how many there are, by going through them without doing any
plan=$(
	claim() {
		number=$((number + 1))
		return 1
	}
	cases
	echo $number
)
echo "KTAP version 1"
echo "1..$plan"

jobs=${MODEL_JOBS:-$(nproc)}
[ -n "${MODEL_JOBS:-}" ] || [ "$jobs" -le 2 ] || jobs=2
[ -n "${MODEL_JOBS:-}" ] || [ -z "$long" ] || jobs=1
mkdir "$claims"
workers=''
# shellcheck disable=SC2154 # w is not needed before
trap 'for w in $workers; do kill "$w" 2>/dev/null || :; done; rm -rf "$tmp"' EXIT
for i in $(seq "$jobs"); do
	mkdir "$tmp/$i"
	# shellcheck disable=SC2030 # its own
	(
		trap ': >"$claims/ended.$i"' EXIT
		trap 'kill "${verifier:-}"; exit 1' TERM
		tmp=$tmp/$i
		cases
	) </dev/null &
	workers="$workers $!"
done
all_ended() { [ "$(find "$claims" -name 'ended.*' | wc -l)" = "$jobs" ]; }

shown=0 failed=0
while [ "$shown" -lt "$plan" ]; do
	r=$claims/$((shown + 1))/result
	if [ -e "$r" ]; then
		shown=$((shown + 1))
		cat "$r"
		case $(head -c 3 "$r") in not) failed=$((failed + 1)) ;; esac
	elif all_ended && [ ! -e "$r" ]; then
		break
	else
		sleep 0.1
	fi
done
wait
workers=''
echo "# $((shown - failed)) as expected, $failed not"
[ "$failed" = 0 ] && [ "$shown" = "$plan" ]
