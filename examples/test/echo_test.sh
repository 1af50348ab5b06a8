#!/bin/sh
# SPDX-License-Identifier: MIT
# echo_test.sh ECHO CLIENT: as a user runs it; on 127.0.0.1 only.
set -u
echo=$1 client=$2
# shellcheck source=tests/harness/check.sh
. tests/harness/check.sh
pid=
end() { # one that a failure has left
	[ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null
}
trap 'end; rm -rf "$tmp"' EXIT

listens() { grep -q '^listening on ' "$tmp/out" || ! kill -0 "$pid" 2>/dev/null; }
# start ARGUMENTS...: then $port, $pid
start() {
	end
	: >"$tmp/out" # the last one's is not meant
	# a shell lets what it has in the background ignore SIGINT
	env --default-signal=INT "$echo" "$@" >"$tmp/out" 2>"$tmp/err" &
	pid=$!
	until_ok listens
	port=$(sed -n 's/^listening on 127\.0\.0\.1:\([0-9]*\)$/\1/p' "$tmp/out")
	[ -n "$port" ] || { cat "$tmp/out" "$tmp/err"; return 1; }
}
# stop SIGNAL SERVED: ends well, and says that line
stop() {
	[ "$1" = none ] || kill "-$1" $pid
	wait $pid
	status=$?
	cat "$tmp/out" "$tmp/err"
	pid=
	[ $status = 0 ] || { echo "status $status"; return 1; }
	sed -n 2p "$tmp/out" | grep -qx "served $2" || { echo "not: served $2"; return 1; }
}
quiet() { ! grep . "$tmp/err"; }
talk() { "$client" "$port" "$@"; }

# 300 connections: 1 + 64 + 4,000 + 16,384 + 16,385 + 40,000 bytes each
many() { start && talk many 300 && stop INT '300 connections, 23050200 bytes' && quiet; }
check "300 connections at once" many
one_cpu() { start -j 1 && talk many 50 && stop INT '50 connections, 3841700 bytes' && quiet; }
check "on one CPU" one_cpu
big() { start && talk big 50000001 && talk half && stop TERM '2 connections, 50065537 bytes' && quiet; }
check "50 MB through one, and half-closed connections" big
# what was sent back of those is not known
reset() { start && talk reset 50 && talk half && stop INT '51 connections, .*' && quiet; }
check "connections that are reset" reset
idle() {
	start -t 1 && talk idle >"$tmp/ms" && talk many 2 && stop INT '3 connections, 153669 bytes' && quiet || return
	cat "$tmp/ms"
	[ "$(cat "$tmp/ms")" -ge 900 ]
}
check "idle for longer than -t: closed" idle
deaf() { start -t 1 && talk deaf && talk half && stop INT '2 connections, .*' && quiet; }
check "a peer that takes nothing: closed" deaf
few() {
	# shellcheck disable=SC3045 # dash and busybox have it
	(
		ulimit -Sn 40 # the client has more
		trap end EXIT
		start && talk crowd 100 >"$tmp/rounds" && talk half && stop INT '101 connections, 65636 bytes'
	) || return
	cat "$tmp/rounds"
	[ "$(cat "$tmp/rounds")" -ge 3 ] && [ "$(grep -c '^echo: ' "$tmp/err")" = 1 ] &&
		grep -q '^echo: cannot take more connections: Too many open files; waiting$' "$tmp/err"
}
check "no descriptors left: waits, says so once" few

nobody() { start && stop INT '0 connections, 0 bytes' && quiet; }
check "SIGINT, nobody there" nobody
held() { start && talk held $pid >"$tmp/ms" && stop none '1 connections, 1 bytes' && quiet && [ "$(cat "$tmp/ms")" -ge 900 ]; }
check "SIGINT: who stays is closed after a second" held
late() {
	for _ in 1 2 3 4 5; do # that second may be over on a busy machine
		start || return
		if talk late $pid; then
			stop none '1 connections, 2 bytes' && quiet
			return
		fi
		wait $pid
		pid=
	done
	return 1
}
check "SIGINT: until then it is served" late
refuses() {
	start || return
	kill -INT $pid
	wait $pid
	pid=
	! talk half
}
check "then nobody listens" refuses

starts_not() { # STATUS PATTERN ARGUMENTS...
	want=$1 pattern=$2
	shift 2
	"$echo" "$@" >"$tmp/o" 2>"$tmp/e"
	status=$?
	cat "$tmp/o" "$tmp/e"
	[ $status = "$want" ] && grep -q -e "$pattern" "$tmp/e" && [ ! -s "$tmp/o" ]
}
usage() {
	for a in '-p 65536' '-p x' '-t 0' '-t -1' '-j 0' '-x' 'argument' '-p'; do
		# shellcheck disable=SC2086 # words
		starts_not 2 '^usage: echo' $a || return
	done
	"$echo" -h | grep -q '^usage: echo'
}
check "usage" usage
address() { starts_not 1 'echo: localhost, port 0: ' -a localhost && starts_not 1 'echo: 192.0.2.1, port 0: ' -a 192.0.2.1; }
check "addresses that are none, or another's" address
taken() { start && starts_not 1 ": Address already in use" -p "$port" && stop INT '0 connections, 0 bytes'; }
check "a port that is taken" taken
given() { start && p=$port && stop INT '0 connections, 0 bytes' && start -p "$p" && [ "$port" = "$p" ] && stop INT '0 connections, 0 bytes'; }
check "a port that is given" given
six() {
	: >"$tmp/out"
	env --default-signal=INT "$echo" -a ::1 >"$tmp/out" 2>"$tmp/err" &
	pid=$!
	until_ok listens
	grep '^listening on \[::1\]:[0-9]*$' "$tmp/out" && stop INT '0 connections, 0 bytes'
}
if [ -s /proc/net/if_inet6 ]; then check "IPv6" six; else skip "IPv6" "not here"; fi

done_checking
